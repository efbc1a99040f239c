"""Whole-number arithmetic of the world: rounding, amounts as text, instants and local dates, identifiers."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def half_even(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest whole number, ties to the even one (denominator positive)."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient & 1):
        quotient += 1
    return quotient


def half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest whole number, ties away from zero (denominator positive)."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def half_down(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest whole number, ties to the lower one (denominator positive)."""
    return -((denominator - 2 * numerator) // (2 * denominator))


def decimal_text(minor: int, digits: int) -> str:
    """A whole number of minor units as decimal text: ``decimal_text(5990, 2) == "59.90"``."""
    if digits == 0:
        return str(minor)
    whole, fraction = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{digits}d}"


def split_by_weight(amount: int, weights: list[int]) -> list[int]:
    """Split a non-negative amount in proportion to weights so that the parts add up; largest remainders get the rest."""
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda k: (-(amount * weights[k] % total), k))
    for k in by_remainder[: amount - sum(parts)]:
        parts[k] += 1
    return parts


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware instant."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def utc_ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Milliseconds since 1970 of a UTC wall time."""
    return to_ms(datetime(year, month, day, hour, minute, tzinfo=UTC))


@lru_cache(maxsize=512)
def _day_text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def iso(ms: int) -> str:
    """UTC ISO 8601 with milliseconds and Z, as commercetools writes instants."""
    day, rest = divmod(ms, DAY_MS)
    seconds, milli = divmod(rest, 1000)
    return f"{_day_text(day)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milli:03d}Z"


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 instant with zone; ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"instant without zone: {text}")
    return to_ms(moment)


# Offsets of the two zones in the months of the world. A table, because the stand-in must not depend on the time-zone
# files of the machine it runs on.
_NEW_YORK_WINTER_FROM = utc_ms(2026, 11, 1, 6)
_BERLIN_WINTER_FROM = utc_ms(2026, 10, 25, 1)


def offset_ms(zone: str, ms: int) -> int:
    """Offset from UTC of America/New_York or Europe/Berlin between April 2026 and February 2027."""
    if zone == "America/New_York":
        return (-5 if ms >= _NEW_YORK_WINTER_FROM else -4) * HOUR_MS
    if zone == "Europe/Berlin":
        return (1 if ms >= _BERLIN_WINTER_FROM else 2) * HOUR_MS
    raise KeyError(zone)


def local_date(zone: str, ms: int) -> date:
    """The calendar date of an instant in a zone."""
    return (_EPOCH + timedelta(milliseconds=ms + offset_ms(zone, ms))).date()


def random_of(seed: int, stream: int, index: int) -> Random:
    """An independent generator for one thing of the world; only its ``random()`` is used, which every version keeps."""
    return Random(((seed & 0xFFFFFFFF) << 48) | (stream << 40) | index)


def identifier(seed: int, kind: str, key: object) -> str:
    """A stable id in the form of a UUID."""
    text = hashlib.blake2b(f"{seed}/{kind}/{key}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
