"""Amounts of Magento from the text of their JSON numbers to minor units, a column at a time.

Magento keeps amounts with four decimals and sends them as JSON numbers that PHP may print long (29.949999999999999) or as a residue
next to zero (-8.88e-16). So the text is read as an exact decimal, rounded half-up to four places, which is what the shop holds, and
then half-up to the currency's own digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import polars as pl

from tieout.money import known_currencies
from transforms.json_amounts import written
from transforms.storefronts.magento_payloads import NULL

_PLACES: Final = 18
_KEPT: Final = 4
_LARGEST: Final = 9 * 10**18
"""No amount has 900 trillion units and more; what has is unreadable."""


def texts(name: str, raws: Iterable[msgspec.Raw]) -> pl.Series:
    """The text of JSON values as they stood in the payload; null for null."""
    values = raws if isinstance(raws, list) else list(raws)
    if values.count(NULL) == len(values):
        return pl.Series(name, ["null"], dtype=pl.String).new_from_index(0, len(values))
    return written(values).alias(name)


def four_places(column: str) -> pl.Expr:
    """Ten-thousandths of a text column, half-up; null where it is no number. A number in quotes is a number."""
    exact = pl.col(column).str.strip_chars('"').cast(pl.Decimal(38, _PLACES), strict=False)
    whole = half_up(exact.to_physical(), 10 ** (_PLACES - _KEPT))
    return pl.when(whole.abs() < _LARGEST).then(whole).cast(pl.Int64)


def half_up(value: pl.Expr, divisor: int) -> pl.Expr:
    """Whole-number division rounded to the nearest, ties away from zero."""
    return value.sign() * ((value.abs() * 2 + divisor) // (2 * divisor))


def minor(ten_thousandths: pl.Expr, digits: Sequence[int]) -> pl.Expr:
    """Minor units by the column `digits` of the frame (the currency's); `digits` here are those that occur, null for no currency."""
    found = pl.lit(None, dtype=pl.Int64)
    for places in digits:
        value = half_up(ten_thousandths, 10 ** (_KEPT - places)) if places < _KEPT else ten_thousandths
        found = pl.when(pl.col("digits") == places).then(value).otherwise(found)
    return found


def with_digits(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `digits`, those of its `currency`; null for a code that is no currency with minor units."""
    known = known_currencies()
    return frame.with_columns(
        digits=pl.col("currency").replace_strict(known, default=None, return_dtype=pl.Int64)
    )


def in_minor(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Text columns of a frame with `digits` turned into Int64 minor units; those that could not be read become null.

    Adds `unread`: the names of the columns whose text is there and is no amount, joined by a comma; empty text for none.
    """
    if frame.is_empty():
        return frame.with_columns(
            *(pl.lit(None, dtype=pl.Int64).alias(name) for name in columns), unread=pl.lit("")
        ).clear()
    digits = sorted(frame["digits"].drop_nulls().unique().to_list())
    kept = frame.select("digits", *(four_places(name).alias(name) for name in columns))
    missing = frame.select(
        pl.when(pl.col(name).is_not_null() & (pl.col(name) != "null")).then(pl.lit(name)).alias(name)
        for name in columns
    )
    # Columns that were read whole need no second look; nearly all are.
    wrong = [
        name
        for name in columns
        if kept[name].null_count() != missing[name].null_count()
        or (kept[name].is_null() & missing[name].is_not_null()).any()
    ]
    there = [
        pl.when(kept[name].is_null() & frame["digits"].is_not_null()).then(missing[name]).alias(name)
        for name in wrong
    ]
    unread = (
        frame.select(pl.concat_str(there, separator=", ", ignore_nulls=True).alias("unread"))["unread"]
        if there
        else pl.Series("unread", [""] * frame.height, dtype=pl.String)
    )
    return frame.with_columns(
        kept.select(minor(pl.col(name), digits).alias(name) for name in columns)
    ).with_columns(unread)
