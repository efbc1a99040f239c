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
_FOUR: Final = pl.Decimal(38, _KEPT)
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
    return pl.col(column).map_batches(ten_thousandths, return_dtype=pl.Int64)


def ten_thousandths(text: pl.Series) -> pl.Series:
    """The same of a series. What has more than four decimals or an exponent, which is rare, is the only one to be rounded."""
    is_null = text == "null"
    if is_null.fill_null(value=True).all():
        return pl.repeat(None, len(text), dtype=pl.Int64, eager=True).alias(text.name)
    if text.str.starts_with('"').any():
        text = text.str.strip_chars('"')
    decimals = text.str.len_bytes().cast(pl.Int64) - text.str.find(".", literal=True).cast(pl.Int64) - 1
    is_long = (decimals > _KEPT).fill_null(value=False) | text.str.contains_any(["e", "E"]).fill_null(
        value=False
    )
    kept = text.cast(_FOUR, strict=False).to_physical()
    found = kept.set(kept.abs() >= _LARGEST, None).cast(pl.Int64)
    if is_long.any():
        found = found.scatter(is_long.arg_true(), _rounded(text.filter(is_long)))
    return found.alias(text.name)


def _rounded(text: pl.Series) -> pl.Series:
    exact = pl.col("text").cast(pl.Decimal(38, _PLACES), strict=False)
    whole = half_up(exact.to_physical(), 10 ** (_PLACES - _KEPT))
    kept = pl.when(whole.abs() < _LARGEST).then(whole).cast(pl.Int64)
    return text.alias("text").to_frame().select(kept).to_series()


def half_up(value: pl.Expr, divisor: int | pl.Expr) -> pl.Expr:
    """Whole-number division rounded to the nearest, ties away from zero."""
    return value.sign() * ((value.abs() * 2 + divisor) // (2 * divisor))


def minor(ten_thousandths: pl.Expr) -> pl.Expr:
    """Minor units by the column `digits` of the frame (the currency's); null for no currency."""
    places = pl.max_horizontal(pl.lit(0, dtype=pl.Int64), _KEPT - pl.col("digits"))
    unit = pl.when(pl.col("digits").is_not_null()).then(pl.lit(10, dtype=pl.Int64).pow(places).cast(pl.Int64))
    return half_up(ten_thousandths, unit)


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
    kept = frame.select(four_places(name) for name in columns)
    # Columns that were read whole need no second look; nearly all are.
    wrong = [name for name in columns if kept[name].null_count() != _absent(frame[name]).sum()]
    there = [
        pl.when(kept[name].is_null() & ~_absent(frame[name]) & frame["digits"].is_not_null())
        .then(pl.lit(name))
        .alias(name)
        for name in wrong
    ]
    unread = (
        frame.select(pl.concat_str(there, separator=", ", ignore_nulls=True).alias("unread"))["unread"]
        if there
        else pl.Series("unread", [""] * frame.height, dtype=pl.String)
    )
    worth = kept.with_columns(frame["digits"]).select(minor(pl.col(name)).alias(name) for name in columns)
    return frame.with_columns(*worth, unread)


def _absent(text: pl.Series) -> pl.Series:
    return (text == "null").fill_null(value=True)
