"""Money: minor units, exponents, and the only place where anything is rounded.

Inside, an amount is an integer count of minor units with its currency beside it. Decimals exist at the edges. The number of
digits of a currency is its ISO 4217 exponent, taken from the maintained `iso4217` data set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Final

import iso4217

from tieout.errors import InputError

ROUNDINGS: Final = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "half_down": ROUND_HALF_DOWN}
"""The names under which a rounding may be asked for. `half_up` rounds away from zero, `half_down` towards it."""

MAX_MINOR: Final = 2**63 - 1
_PLAIN: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?")


@cache
def exponent(currency: str) -> int:
    """Digits after the point of a currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD.

    Raises `InputError` for a code that is not a current ISO 4217 currency with minor units.
    """
    try:
        digits = iso4217.Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise InputError(
            f"'{currency}' is not an ISO 4217 currency with minor units; correct the code at its source."
        )
    return digits


@cache
def known_currencies() -> dict[str, int]:
    """Every ISO 4217 code that has minor units, with its exponent."""
    return {one.code: one.exponent for one in iso4217.Currency if one.exponent is not None}


def decimal_from_text(text: str) -> Decimal:
    """An exact decimal from plain text such as `-1234.56`; exponents, NaN, infinities and separators are refused.

    Raises `InputError`.
    """
    if not _PLAIN.fullmatch(text.strip()):
        raise InputError(f"'{text[:40]}' is not a plain decimal number; write it like 1234.56.")
    return Decimal(text.strip())


def to_minor(amount: Decimal, currency: str) -> int:
    """Minor units of an amount that must be exact: 12.34 USD is 1234. Negative zero is zero.

    Raises `InputError` if the amount has more digits than the currency, is not finite, or does not fit 64 bits.
    """
    try:
        scaled = amount.scaleb(exponent(currency))
        whole = scaled.to_integral_value()
    except InvalidOperation as fault:
        raise InputError(f"{amount} {currency} is not a finite amount.") from fault
    if whole != scaled:
        raise InputError(f"{amount} {currency} has more digits than {currency} has minor units.")
    return _bounded(int(whole))


def round_minor(amount: Decimal, currency: str, rounding: str) -> tuple[int, Decimal]:
    """Minor units of an amount rounded by name, and what was rounded away (amount minus rounded), which is an amount of its own."""
    digits = exponent(currency)
    whole = amount.scaleb(digits).to_integral_value(rounding=ROUNDINGS[rounding])
    return _bounded(int(whole)), amount - whole.scaleb(-digits)


def round_minor_to_digits(minor: int, currency: str, digits: int, rounding: str = "half_up") -> int:
    """An amount rounded to at most `digits` decimals, still in the currency's minor units: 1.234 KWD at 2 digits is 1230."""
    excess = exponent(currency) - digits
    if excess <= 0:
        return minor
    step = Decimal(10) ** excess
    return int((Decimal(minor) / step).to_integral_value(rounding=ROUNDINGS[rounding]) * step)


def convert_minor(minor: int, numerator: int, denominator: int) -> int:
    """`minor × numerator ÷ denominator`, rounded half up (away from zero), in whole numbers throughout; the ratio carries both exponents.

    Raises `InputError` for a denominator of zero or a result beyond 64 bits.
    """
    if denominator == 0:
        raise InputError(
            "an amount cannot be converted at a rate over zero; the documents the rate is taken from add up to nothing."
        )
    product, over = minor * numerator, denominator
    sign = -1 if (product < 0) != (over < 0) else 1
    return _bounded(sign * ((2 * abs(product) + abs(over)) // (2 * abs(over))))


def to_decimal(minor: int, currency: str) -> Decimal:
    """The amount as people write it: 1234 USD is 12.34, 1234 JPY is 1234."""
    return Decimal(int(minor)).scaleb(-exponent(currency))


def is_currency(code: str) -> bool:
    """Whether a code is an ISO 4217 currency with minor units."""
    return code in known_currencies()


@cache
def shown_digits(currency: str) -> int:
    """Digits for printing: the currency's own, and none for a code that is no currency, whose amounts are then printed as they came."""
    try:
        return exponent(currency)
    except InputError:
        return 0


def shown_decimal(minor: int, currency: str) -> Decimal:
    """The amount for printing; for posting and parsing use `to_decimal`, which refuses an unknown currency."""
    return Decimal(int(minor)).scaleb(-shown_digits(currency))


def show(minor: int, currency: str) -> str:
    """The amount for a sentence or a table, with thousands separators and the currency's own digits: `1,234.50`."""
    return f"{shown_decimal(minor, currency):,.{shown_digits(currency)}f}"


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total in proportion to weights so that the parts sum to it exactly (largest remainder, ties to the first).

    Weights are not negative; if they are all zero the whole goes to the first part. An empty sequence gives an empty list.
    """
    if not weights:
        return []
    whole = sum(weights)
    if whole == 0:
        return [total, *([0] * (len(weights) - 1))]
    sign = -1 if total < 0 else 1
    shares = [divmod(abs(total) * weight, whole) for weight in weights]
    parts = [share for share, _ in shares]
    missing = abs(total) - sum(parts)
    for index in sorted(range(len(weights)), key=lambda at: (-shares[at][1], at))[:missing]:
        parts[index] += 1
    return [sign * part for part in parts]


def sum_minor(amounts: Iterable[int]) -> int:
    """A sum that still fits 64 bits, or `InputError`."""
    return _bounded(sum(amounts))


def _bounded(minor: int) -> int:
    if not -MAX_MINOR <= minor <= MAX_MINOR:
        raise InputError(f"{minor} minor units do not fit 64 bits; the amount cannot be right.")
    return minor
