"""Amounts, dates and instants from text, by columns and exactly.

An amount never becomes a float and is never rounded: its digits are shifted as text by the currency's exponent. What cannot be read
becomes null and a row of faults that says which row, which column and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from tieout.money import known_currencies

_SPACES: Final = "\u00a0\u202f\u2009\u2007"
_SYMBOLS: Final = "$€£¥₹₩₺₽"
_MOST_DIGITS: Final = 16
"""Digits of an amount in minor units; a longer one cannot be right, and sums must stay within 64 bits."""

FAULTS: Final = {
    "row_no": pl.Int64(),
    "column": pl.String(),
    "text": pl.String(),
    "code": pl.String(),
    "reason": pl.String(),
}
"""One row per value that could not be read: its row, its column, its text, a problem code and the rest of a sentence."""


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written: the decimal mark, and what stands between thousands (empty for nothing)."""

    decimal: str = "."
    thousands: str = ","


def number(text: pl.Expr, style: NumberStyle) -> pl.Expr:
    """Text as a canonical number (`-1234.5`); null where it is none.

    Thousands marks count only between groups of three, so `12,50` is refused where the comma separates thousands and never read as
    1250. A leading or trailing currency sign, a trailing minus and parentheses for negative amounts are understood; exponents, NaN
    and infinities are not.
    """
    plain = (
        text.str.replace_all("−", "-", literal=True)
        .str.replace_all(f"[{_SPACES}]", " ")
        .str.strip_chars(" \t")
    )
    plain = plain.str.replace_all(f"[{_SYMBOLS}]", "").str.strip_chars(" ")
    wrapped = plain.str.extract(r"^\((.*)\)$", 1)
    trailing = plain.str.extract(r"^([^-+]*)-$", 1)
    leading = plain.str.extract(r"^- ?([^-+]*)$", 1)
    is_negative = wrapped.is_not_null() | trailing.is_not_null() | leading.is_not_null()
    body = pl.coalesce(wrapped, trailing, leading, plain.str.strip_prefix("+")).str.strip_chars(" ")
    point, mark = (
        _class(style.decimal),
        _class(" " if style.thousands in _SPACES and style.thousands else style.thousands),
    )
    fraction = rf"(?:{point}\d*)?"
    if mark:
        if style.thousands in ("'", "’"):
            mark = "['’]"
        grouped = body.str.contains(rf"^\d{{1,3}}(?:{mark}\d{{3}})+{fraction}$")
        body = pl.when(grouped).then(body.str.replace_all(mark, "")).otherwise(body)
    is_number = body.str.contains(rf"^(?:\d+{fraction}|{point}\d+)$")
    body = body.str.replace(point, ".").str.replace(r"^\.", "0.").str.strip_suffix(".")
    signed = pl.when(is_negative).then(pl.lit("-") + body).otherwise(body)
    return pl.when(is_number).then(signed)


def _class(mark: str) -> str:
    return f"[{mark}]" if mark else ""


def read_amounts(
    frame: pl.DataFrame,
    columns: Sequence[str],
    *,
    currency: str = "currency",
    style: NumberStyle = NumberStyle(),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Text columns as Int64 minor units of the row's currency, and the faults. Empty text is null and no fault.

    The frame needs `row_no`. A currency that is not ISO 4217 with minor units is a fault of every amount of its row.
    """
    known = known_currencies()
    digits = pl.col(currency).replace_strict(known, default=None, return_dtype=pl.Int64)
    present = [name for name in columns if name in frame.columns]
    read = frame.with_columns(_digits=digits).with_columns(
        _numbers(frame[name], style).alias(f"_n_{name}") for name in present
    )
    read = read.with_columns(
        **{f"_m_{name}": _minor(pl.col(f"_n_{name}"), pl.col("_digits")) for name in present}
    )
    faults = []
    for name in present:
        is_given = pl.col(name).str.strip_chars().fill_null("") != ""
        bad = read.filter(is_given & pl.col(f"_m_{name}").is_null()).select(
            "row_no", "_digits", currency, text=pl.col(name), number=pl.col(f"_n_{name}")
        )
        faults.append(_explained(bad, name, currency))
    found = pl.concat(faults) if faults else pl.DataFrame(schema=FAULTS)
    clean = read.with_columns(**{name: pl.col(f"_m_{name}") for name in present})
    return clean.drop(
        "_digits", *[f"_n_{name}" for name in present], *[f"_m_{name}" for name in present]
    ), found


def _numbers(text: pl.Series, style: NumberStyle) -> pl.Series:
    """`number` over a column; what is plain already, and what is empty, is not taken through every spelling."""
    if text.null_count() == len(text):
        return text
    is_plain = text.str.contains(r"^-?\d+(?:\.\d+)?$" if style.decimal == "." else r"^-?\d+$")
    if is_plain.all():
        return text
    odd = text.is_not_null() & ~is_plain
    read = text.filter(odd).to_frame("text").select(number(pl.col("text"), style)).to_series()
    return text.scatter(odd.arg_true(), read)


def _minor(plain: pl.Expr, digits: pl.Expr) -> pl.Expr:
    whole = plain.str.extract(r"^-?0*(\d+)", 1)
    fraction = plain.str.extract(r"\.(\d+)$", 1).fill_null("").str.strip_chars_end("0")
    shifted = pl.concat_str(whole, pl.concat_str(fraction, pl.lit("0000")).str.slice(0, digits))
    fits = (fraction.str.len_chars() <= digits) & (shifted.str.len_chars() <= _MOST_DIGITS)
    value = pl.when(fits).then(shifted).cast(pl.Int64, strict=False)
    return pl.when(plain.str.starts_with("-")).then(-value).otherwise(value)


def _explained(bad: pl.DataFrame, name: str, currency: str) -> pl.DataFrame:
    code = pl.col(currency).fill_null("")
    return bad.select(
        pl.col("row_no").cast(pl.Int64),
        pl.lit(name).alias("column"),
        pl.col("text").str.slice(0, 40),
        pl.when(pl.col("_digits").is_null())
        .then(pl.lit("currency_unknown"))
        .otherwise(pl.lit("amount_not_exact"))
        .alias("code"),
        pl.when(pl.col("_digits").is_null())
        .then(
            pl.format(
                "stands in '{}', which is not an ISO 4217 currency with minor units", code.str.slice(0, 10)
            )
        )
        .when(pl.col("number").is_null())
        .then(pl.lit("is not an amount as the number style has it"))
        .when(pl.col("number").str.extract(r"^-?0*(\d+)", 1).str.len_chars() > 12)
        .then(pl.lit("is larger than any amount can be"))
        .otherwise(pl.format("has more digits than {} has minor units", code))
        .alias("reason"),
    )


def read_decimals(
    frame: pl.DataFrame,
    columns: Mapping[str, pl.DataType],
    *,
    style: NumberStyle = NumberStyle(),
    least: str = "row_no",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Text columns as decimals of the given type (quantities, rates, unit prices), and the faults.

    Digits beyond the type's scale are a fault, not rounded away; quantities and prices with trailing zeros are not.
    """
    read, faults = frame, []
    for name, dtype in columns.items():
        if name not in frame.columns:
            continue
        scale = getattr(dtype, "scale", 0)
        plain = number(pl.col(name), style)
        fraction = plain.str.extract(r"\.(\d+)$", 1).fill_null("").str.strip_chars_end("0")
        value = pl.when(fraction.str.len_chars() <= scale).then(plain).cast(dtype, strict=False)
        read = read.with_columns(value.alias(f"_d_{name}"))
        is_given = pl.col(name).str.strip_chars().fill_null("") != ""
        bad = read.filter(is_given & pl.col(f"_d_{name}").is_null())
        faults.append(_fault(bad, name, least, "is not a number that can be kept exactly"))
        read = read.with_columns(pl.col(f"_d_{name}").alias(name)).drop(f"_d_{name}")
    return read, pl.concat(faults) if faults else pl.DataFrame(schema=FAULTS)


def read_days(
    frame: pl.DataFrame, columns: Sequence[str], formats: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Text columns as dates by the first format that fits (a time after the date is allowed), and the faults."""
    tries = [pl.col("text").str.to_date(one, strict=False) for one in formats]
    tries += [
        pl.col("text").str.to_datetime(f"{one}{time}", strict=False).dt.date()
        for one in formats
        for time in _TIMES
    ]
    return _by_first_that_fits(frame, columns, tries, pl.Date(), f"is not a date written like {formats[0]}")


def _by_first_that_fits(
    frame: pl.DataFrame, columns: Sequence[str], tries: Sequence[pl.Expr], dtype: pl.DataType, reason: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each column read by the first expression (over `text`) that gives a value. Each is tried only on the distinct texts that those
    before it left over, so that many formats cost no more than the one a file is written in."""
    read, faults = frame, []
    for name in columns:
        if name not in frame.columns:
            continue
        if read[name].null_count() == read.height:
            read = read.with_columns(pl.lit(None, dtype=dtype).alias(name))
            continue
        texts = read.select(text=pl.col(name).str.strip_chars()).filter(pl.col("text") != "").unique()
        found = []
        for one in tries:
            got = texts.with_columns(value=one.cast(dtype))
            found.append(got.filter(pl.col("value").is_not_null()))
            texts = got.filter(pl.col("value").is_null()).select("text")
            if texts.is_empty():
                break
        values = pl.concat(found)
        read = (
            read.with_columns(_text=pl.col(name).str.strip_chars())
            .join(values, left_on="_text", right_on="text", how="left", maintain_order="left")
            .rename({"value": "_value"})
        )
        bad = read.filter((pl.col("_text") != "") & pl.col("_value").is_null())
        faults.append(_fault(bad, name, "row_no", reason))
        read = read.with_columns(pl.col("_value").alias(name)).drop("_value", "_text")
    return read, pl.concat(faults) if faults else pl.DataFrame(schema=FAULTS)


_TIMES: Final = (
    " %H:%M:%S",
    "T%H:%M:%S",
    " %H:%M",
    "T%H:%M",
    " %I:%M:%S %p",
    " %I:%M %p",
    " %H:%M:%S%.f",
    "T%H:%M:%S%.f",
)
_ZONED: Final = ("T%H:%M:%S%.f%#z", " %H:%M:%S%.f%#z", " %H:%M:%S %z", "T%H:%M%#z")


def read_instants(
    frame: pl.DataFrame, columns: Sequence[str], formats: Sequence[str], time_zone: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Text columns as UTC instants, and the faults.

    Text with an offset or `Z` is taken at its word; without one it is wall time of `time_zone`, a bare date its midnight. Of an hour
    that occurs twice the first is meant; one that the clocks skip is a fault.
    """
    text = pl.col("text")
    zoned = text.str.replace(r"[zZ]$", "+00:00").str.replace(r" UTC$", " +0000")
    tries = [
        zoned.str.to_datetime(f"{one}{time}", time_unit="us", time_zone="UTC", strict=False)
        for one in formats
        for time in _ZONED
    ]
    walls = [
        text.str.to_datetime(f"{one}{time}", time_unit="us", strict=False)
        for one in formats
        for time in _TIMES
    ]
    walls += [text.str.to_date(one, strict=False).cast(pl.Datetime("us")) for one in formats]
    tries += [
        wall.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
            "UTC"
        )
        for wall in walls
    ]
    reason = f"is not a time written like {formats[0]}"
    return _by_first_that_fits(frame, columns, tries, pl.Datetime("us", "UTC"), reason)


def _fault(bad: pl.DataFrame, name: str, row: str, reason: str) -> pl.DataFrame:
    return bad.select(
        pl.col(row).cast(pl.Int64).alias("row_no"),
        pl.lit(name).alias("column"),
        pl.col(name).str.slice(0, 40).alias("text"),
        pl.lit("payload_unreadable").alias("code"),
        pl.lit(reason).alias("reason"),
    )


def fault_sentences(faults: pl.DataFrame, *, where: str = "row") -> pl.DataFrame:
    """Faults as `row_no`, `column`, `problem` with `code: sentence`, such as `row 7: total '1.2.3' is not an amount …`."""
    return faults.select(
        "row_no",
        "column",
        problem=pl.format(
            "{}: {} {}: {} '{}' {}",
            "code",
            pl.lit(where),
            "row_no",
            "column",
            pl.col("text").fill_null(""),
            "reason",
        ),
    )
