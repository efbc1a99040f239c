"""Text to values and back, in the formats of the XML gateway.

Dates are MM/DD/YYYY, timestamps MM/DD/YYYY HH:MM:SS, booleans true/false. Amounts are integers of hundredths for
every currency, because the gateway rounds money to two decimals whatever the currency's own exponent is.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from tieout.sandbox.intacct.refusals import BookError, illegal

RATE_SCALE = 10**10
_PLAIN = re.compile(r"-?([0-9]+)(?:\.([0-9]{1,2}))?\Z")
_AMOUNT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\Z")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+\Z")


def cents(text: Any, label: str = "Amount") -> int:
    """Hundredths of an amount; more than two decimals are rounded half away from zero.

    Raises BookError BL03000018 for thousands commas, exponents, NaN and other text.
    """
    raw = str(text).strip()
    match = _PLAIN.match(raw)
    if match and len(match[1]) <= 15:
        value = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
        return -value if raw[0] == "-" else value
    if not _AMOUNT.match(raw) or len(raw) > 40:
        raise illegal(label, raw)
    try:
        whole = Decimal(raw).quantize(Decimal("0.01"), ROUND_HALF_UP)
    except InvalidOperation as bad:
        raise illegal(label, raw) from bad
    if abs(whole) >= Decimal(10) ** 15:
        raise illegal(label, raw)
    return int(whole * 100)


def money(value: int) -> str:
    """Hundredths as text with two decimals, the way the gateway prints them; whole zero is "0"."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    units, rest = divmod(abs(value), 100)
    return f"{sign}{units}.{rest:02d}"


def convert(amount: int, rate: int) -> int:
    """Hundredths in transaction currency to hundredths in base currency; rate is scaled by RATE_SCALE."""
    if rate == RATE_SCALE:
        return amount
    base = (abs(amount) * rate * 2 + RATE_SCALE) // (2 * RATE_SCALE)
    return -base if amount < 0 else base


def share(part: int, whole: int, total: int) -> int:
    """total × part / whole, rounded half away from zero, in integers."""
    if whole == 0:
        return 0
    product = total * part
    result = (abs(product) * 2 + abs(whole)) // (2 * abs(whole))
    return -result if (product < 0) != (whole < 0) else result


def quantity(text: Any, label: str = "Quantity") -> Decimal:
    """A quantity with up to ten decimals."""
    raw = str(text).strip()
    if not _AMOUNT.match(raw) or len(raw) > 40:
        raise illegal(label, raw)
    return Decimal(raw)


def plain(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


@lru_cache(maxsize=4096)
def day(text: str, label: str = "Date") -> date:
    """MM/DD/YYYY (a time after it is ignored); raises BookError BL03000018 for anything else."""
    parts = text.strip()[:10].split("/")
    try:
        month, dom, year = (int(part) for part in parts)
        if year < 1000:
            raise ValueError
        return date(year, month, dom)
    except ValueError as bad:
        raise illegal(label, text) from bad


@lru_cache(maxsize=8192)
def day_text(value: date) -> str:
    """MM/DD/YYYY."""
    return f"{value.month:02d}/{value.day:02d}/{value.year:04d}"


def instant(text: str, label: str = "Date") -> datetime:
    """MM/DD/YYYY HH:MM:SS, or a date alone as its first second, as a naive wall time."""
    raw = text.strip()
    start = datetime.combine(day(raw, label), datetime.min.time())
    if len(raw) <= 10:
        return start
    try:
        hour, minute, second = (int(part) for part in raw[11:].split(":"))
        return start.replace(hour=hour, minute=minute, second=second)
    except ValueError as bad:
        raise illegal(label, text) from bad


@lru_cache(maxsize=16384)
def instant_text(value: datetime, offset_hours: float = 0) -> str:
    """MM/DD/YYYY HH:MM:SS in the zone that is `offset_hours` from UTC."""
    local = value + timedelta(hours=offset_hours)
    return local.strftime("%m/%d/%Y %H:%M:%S")


def flag(text: Any) -> bool:
    """true/false, with the T/F, yes/no, 1/0 spellings seen in the field."""
    return str(text).strip().lower() in {"true", "t", "1", "y", "yes"}


def is_email(text: str) -> bool:
    """One plausible address; the gateway accepts several joined by commas."""
    return all(_EMAIL.match(part.strip()) for part in text.split(","))


def rows_of(fields: dict[str, Any], plural: str, singular: str) -> list[dict[str, Any]]:
    """Child rows of a document, from either form: a list, or the nested form that XML gives."""
    group = fields.get(plural)
    if group is None or group == "":
        return []
    if isinstance(group, dict):
        group = group.get(singular, [])
    if isinstance(group, dict):
        group = [group]
    if isinstance(group, str):
        return []
    return [row if isinstance(row, dict) else {} for row in group]


def text_of(fields: dict[str, Any], name: str, default: str = "") -> str:
    """A field as stripped text; missing, null and nested values give the default."""
    value = fields.get(name)
    if type(value) is str:
        return value.strip() or default
    if value is None or isinstance(value, (dict, list)):
        return default
    text = str(value).strip()
    return text or default


def key_of(text: str, what: str) -> int:
    """A record number; raises BookError DL03000005 when the text is not one."""
    try:
        return int(text)
    except ValueError as bad:
        raise BookError(
            "DL03000005",
            f"There is no {what} for the record key '{text}'.",
            "Give the RECORDNO of an existing record.",
        ) from bad
