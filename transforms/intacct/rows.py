"""Rows of Intacct on their way from text to values: a row is a JSON object of text as `query` returns it, with upper-case field names.

Amounts are text with at most two decimals, dates MM/DD/YYYY, timestamps wall time at the API user's GMT offset (Sage Intacct Web
Services documentation, Queries).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import polars as pl

from tieout.errors import InputError
from transforms.staged import INSTANT, PROBLEMS_SCHEMA
from transforms.text_values import FAULTS, read_amounts, read_days, read_decimals

_DAY: Final = ("%m/%d/%Y",)
_STAMP: Final = "%m/%d/%Y %H:%M:%S"


class Reading:
    """Rows of one object on their way from text to values; faults gather beside the frame."""

    def __init__(self, raw: pl.DataFrame, subject: str, fields: Sequence[str]) -> None:
        self.subject = subject
        self._faults: list[pl.DataFrame] = []
        landed = raw.with_row_index("row_no").with_columns(pl.col("row_no").cast(pl.Int64))
        text, unread = _decoded(landed, fields)
        self._unread = unread
        empty = [
            pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name).str.strip_chars())
            for name in fields
        ]
        kept = landed.select("row_no", "native_ref", "updated_at", "fetched_at", "payload_sha256")
        self.frame = pl.concat([kept, text.select(empty)], how="horizontal")

    def currencies(self) -> None:
        """A company with one currency may leave CURRENCY empty: then it is the base currency. The reverse is not known."""
        self.frame = self.frame.with_columns(CURRENCY=pl.coalesce("CURRENCY", "BASECURR"))

    def amounts(self, *names: str, currency: str = "CURRENCY") -> None:
        """Text to minor units of the row's currency, or with `currency` BASECURR of its base currency."""
        if currency == "BASECURR":  # an amount whose currency is not told is not known, which is no fault
            has_base = pl.col("BASECURR").is_not_null()
            self.frame = self.frame.with_columns(pl.when(has_base).then(name).alias(name) for name in names)
        self._take(read_amounts(self.frame, names, currency=currency))

    def days(self, *names: str) -> None:
        """Text to dates."""
        self._take(read_days(self.frame, names, _DAY))

    def decimals(self, **columns: pl.DataType) -> None:
        """Text to exact decimals of these types."""
        self._take(read_decimals(self.frame, columns))

    def must(self, *names: str) -> None:
        """These fields may not be empty; where another fault already says why, nothing is added."""
        for name in names:
            bad = self.frame.filter(pl.col(name).is_null()).select(
                "row_no",
                column=pl.lit(name),
                text=pl.lit(""),
                code=pl.lit("payload_unreadable"),
                reason=pl.lit("is empty and must not be"),
            )
            self._faults.append(bad.join(pl.concat(self._told()), on="row_no", how="anti"))

    def sound(self) -> pl.DataFrame:
        """The rows without a fault."""
        return self.frame.join(pl.concat(self._told()), on="row_no", how="anti")

    def problems(self) -> pl.DataFrame:
        """Every fault with its record."""
        told = pl.concat(self._told()).join(
            self.frame.select("row_no", "native_ref"), on="row_no", how="left", maintain_order="left"
        )
        sentence = pl.format(
            "{}: {} {}: {} '{}' {}", "code", pl.lit(self.subject), "native_ref", "column", "text", "reason"
        )
        return told.with_columns(subject=pl.lit(self.subject), problem=sentence).select(list(PROBLEMS_SCHEMA))

    def _told(self) -> list[pl.DataFrame]:
        return [self._unread, *self._faults]

    def _take(self, read: tuple[pl.DataFrame, pl.DataFrame]) -> None:
        self.frame, faults = read
        self._faults.append(faults)


def _decoded(landed: pl.DataFrame, fields: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Payloads as text columns; a broken payload is nulls and a fault, and costs the others nothing but time."""
    shape = pl.Struct(dict.fromkeys(fields, pl.String()))
    known = landed["problem"].is_not_null()
    try:
        text = landed.select(pl.col("payload").str.json_decode(shape).alias("row"))["row"]
        broken = [at for at, bad in enumerate((known | text.is_null()).to_list()) if bad]
        frame = (
            text.struct.unnest() if landed.height else pl.DataFrame(schema=dict.fromkeys(fields, pl.String()))
        )
    except pl.exceptions.PolarsError:
        # The bulk decoder refuses the whole column for one bad payload: read them one by one, as this is rare.
        rows = [_row(payload, fields) for payload in landed["payload"].to_list()]
        broken = [at for at, row in enumerate(rows) if row is None or known[at]]
        frame = pl.DataFrame([row or {} for row in rows], schema=dict.fromkeys(fields, pl.String()))
    unread = pl.DataFrame(
        {
            "row_no": broken,
            "column": ["payload"] * len(broken),
            "text": [""] * len(broken),
            "code": ["payload_unreadable"] * len(broken),
            "reason": ["is not an object of text values"] * len(broken),
        },
        schema=FAULTS,
    )
    return frame, unread


def _row(payload: str | None, fields: Sequence[str]) -> dict[str, str | None] | None:
    try:
        tree: Any = json.loads(payload or "", parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    values = {name: tree.get(name) for name in fields}
    if any(isinstance(value, dict | list) for value in values.values()):
        return None
    return {name: None if value is None else str(value) for name, value in values.items()}


def stamp(column: str, offset: str) -> pl.Expr:
    """Wall time at a GMT offset as an instant; null for anything else."""
    wall = pl.col(column).str.to_datetime(_STAMP, time_unit="us", strict=False)
    return (wall - offset_of(offset)).dt.replace_time_zone("UTC").cast(INSTANT)


def offset_of(text: str) -> timedelta:
    """A GMT offset such as `-08:00` as time to take off wall time. Raises `InputError` for anything else."""
    sign, hours, colon, minutes = text[:1], text[1:3], text[3:4], text[4:]
    if (
        sign not in ("+", "-")
        or colon != ":"
        or not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2)
    ):
        raise InputError(f"'{text}' is not a GMT offset; write it like -08:00.")
    size = timedelta(hours=int(hours), minutes=int(minutes))
    return -size if sign == "-" else size
