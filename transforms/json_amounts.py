"""Amounts and quantities of JSON payloads, from their own text and by columns.

A payload's decoder leaves an amount as the bytes it was written in (`msgspec.Raw`): a number, or a text that holds one. Here whole
columns of such bytes become whole numbers of millionths; no amount ever passes through a double. Storefronts that keep amounts as
binary numbers write residues such as 61.450000000000003; what stands beyond the sixth decimal is taken for such a residue.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec
import polars as pl

MILLIONTHS: Final = 1_000_000
LARGEST: Final = 10**12
"""Units of a currency beyond which an amount cannot be right, and sums might leave 64 bits."""

ABSENT: Final = msgspec.Raw(b"null")
"""The default of an amount that is not there."""

_PLAIN: Final = r"^-?\d+(?:\.\d+)?$"
_SCALED: Final = r"^[+-]?\d+(?:\.\d+)?[eE][+-]?\d{1,2}$"
_EXACT: Final = pl.Decimal(38, 6)


def written(values: Sequence[msgspec.Raw]) -> pl.Series:
    """The values as they stand in the payload, `null` included."""
    if not values:
        return pl.Series([], dtype=pl.String)
    # One text for all of them, taken apart again by columns, costs a fraction of a text for each.
    whole = pl.Series([b"\n".join(values)], dtype=pl.Binary).cast(pl.String)
    found = whole.str.split("\n").explode()
    if len(found) == len(values):
        return found
    # Lists and objects may hold line breaks.
    return pl.Series(list(map(bytes, values)), dtype=pl.Binary).cast(pl.String)


def lines_of(whole: bytes) -> pl.Series:
    """The lines of a text: taking one text apart by columns costs a fraction of making a text of each."""
    one = pl.DataFrame([pl.Series("t", [whole], dtype=pl.Binary)])
    return one.select(pl.col("t").cast(pl.String).str.split("\n").explode()).to_series()


def texts(values: Sequence[msgspec.Raw]) -> pl.Series:
    """The values as written, without quotes and surrounding space; null for `null` and for empty text."""
    return _texts(values)[0]


def texts_written(values: pl.Series) -> pl.Series:
    """The same of a column of values as they stand in the payload."""
    return _bare(values)[0]


def _texts(values: Sequence[msgspec.Raw]) -> tuple[pl.Series, bool]:
    """The same, and whether any of them is quoted."""
    if values.count(ABSENT) == len(values):
        return pl.Series([None] * len(values), dtype=pl.String), False
    return _bare(written(values))


def _bare(found: pl.Series) -> tuple[pl.Series, bool]:
    """Values as written without quotes and surrounding space, and whether any of them was quoted."""
    is_quoted = found.str.starts_with('"').any()
    if is_quoted:
        # Of JSON values only a text begins or ends with a quote, and it does both.
        found = found.str.strip_prefix('"').str.strip_suffix('"').str.strip_chars()
    return found.set((found == "null") | (found == ""), None), is_quoted


def as_text(name: str, values: Sequence[object]) -> pl.Series | None:
    """A column of whole numbers as text; null for None. None if it holds anything else."""
    try:
        return pl.Series(name, values, dtype=pl.Int64).cast(pl.String)
    except (TypeError, ValueError, OverflowError):
        return None


def millionths(values: Sequence[msgspec.Raw]) -> tuple[pl.Series, pl.Series]:
    """Whole millionths (Int64), and the texts of those values that are given and are no amount (null elsewhere).

    Understood: plain decimals, as numbers or as texts, and numbers with an exponent. Not understood: NaN, infinities, separators,
    currency signs, and anything of a trillion units or more. Negative zero is zero.
    """
    return _millionths(*_texts(values))


def millionths_written(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The same of a column of values as they stand in the payload, `null` included."""
    if (values == "null").all():
        return _millionths(pl.Series([None] * len(values), dtype=pl.String), False)
    return _millionths(*_bare(values))


def millionths_lines(whole: bytes) -> tuple[pl.Series, pl.Series]:
    """The same of values as they stand in the payload, one a line."""
    if not _is_simple(whole):
        return millionths_written(lines_of(whole))
    read = (
        lines_of(whole.translate(None, b'"'))
        .alias("t")
        .to_frame()
        .select("t", value=pl.col("t").cast(_EXACT, strict=False))
    )
    text, value = read["t"], read["value"].to_physical().cast(pl.Int64, strict=False)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    largest = LARGEST * MILLIONTHS
    low, high = value.min(), value.max()
    if isinstance(low, int) and isinstance(high, int) and (low <= -largest or high >= largest):
        value = value.set((value.abs() >= largest).fill_null(value=False), None)
    if not value.null_count():
        return value, nothing
    odd = text.set(value.is_not_null() | (text == "null") | (text == ""), None)
    return value, odd


def _is_simple(whole: bytes) -> bool:
    """Whether values one a line are plain decimals, `null` and empty texts, or nothing that a decimal's reader takes for one: then none of
    them has to be looked at by itself."""
    if whole.translate(None, b'0123456789.-"\n' + b"nul"):
        return False
    # A number without a digit before or behind its point is none; only texts can hold one.
    return not any(one in whole for one in (b'".', b'."', b"-."))


def _millionths(text: pl.Series, is_quoted: bool) -> tuple[pl.Series, pl.Series]:
    if text.null_count() == len(text):
        return pl.Series([None] * len(text), dtype=pl.Int64), text
    # The decoder has read what is not quoted, so of numbers only those with an exponent are not plain.
    if is_quoted:
        read = text.set(~text.str.contains(_PLAIN).fill_null(value=False), None)
        scaled = text.str.contains(_SCALED)
    else:
        has_exponent = text.str.contains_any(["e", "E"])
        any_exponent = has_exponent.any()
        read = text.set(has_exponent.fill_null(value=False), None) if any_exponent else text
        scaled = text.str.contains(_SCALED) if any_exponent else has_exponent
    if scaled.any():
        # Exponents are rare: encoders write them for very large or very small binary numbers only.
        at = scaled.fill_null(value=False).arg_true()
        read = read.scatter(at, [_unscaled(one) for one in text.gather(at)])
    # The physical value of a decimal of six places is its millionths.
    whole = read.cast(_EXACT, strict=False).to_physical().cast(pl.Int64, strict=False)
    too_large = whole.abs() >= LARGEST * MILLIONTHS
    if too_large.any():
        whole = whole.set(too_large.fill_null(value=False), None)
    if whole.null_count() == text.null_count():
        return whole, pl.Series([None] * len(text), dtype=pl.String)
    return whole, text.set(whole.is_not_null(), None)


def _unscaled(text: str) -> str | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return f"{value:f}" if value.is_finite() and abs(value) < LARGEST else None


def minor_unit(digits: pl.Expr) -> pl.Expr:
    """Millionths in one minor unit of a currency with so many digits (0 to 6)."""
    return pl.lit(10, dtype=pl.Int64).pow(6 - digits.cast(pl.Int64)).cast(pl.Int64)


def is_exact(amount: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """Whether an amount in millionths is a whole number of minor units."""
    return (amount % unit) == 0


def rounded(amount: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """Minor units of an amount in millionths, rounded half away from zero as `round` of PHP does; null stays null."""
    size = (amount.abs() + unit // 2) // unit
    return pl.when(amount < 0).then(-size).otherwise(size)
