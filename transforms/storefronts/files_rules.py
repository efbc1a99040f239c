"""How a plain file is written, and its rows as text under canonical names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

from transforms.staged import INSTANT, PROBLEMS_SCHEMA
from transforms.text_values import FAULTS, NumberStyle, fault_sentences, read_amounts

_ISO: Final = "%Y-%m-%d"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class FileRules:
    """How the rows of one kind of file are to be read.

    - `date_format`: as in strptime, for the date alone; `None` is ISO 8601. A time may follow the date.
    - `decimal`, `thousands`: number marks; without `thousands` it is the other one of point and comma.
    - `time_zone`: zone of times written without an offset.
    - `sign`: `reversed` turns every amount round. `refunds_negative` and `as_is` take a negative payment for a refund;
      `refunds_positive` says that amounts carry no direction, only the kind does.
    - `rows`: `line` when a document has several rows.
    - `statuses`: their status words in ours, beside the usual English ones.
    - `sums`: canonical column → columns whose amounts add up to it. `constants`: column → value for every row.
    """

    date_format: str | None = None
    decimal: str = "."
    thousands: str | None = None
    time_zone: str = "UTC"
    sign: Literal["as_is", "refunds_negative", "refunds_positive", "reversed"] = "as_is"
    rows: Literal["document", "order", "line"] = "document"
    statuses: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    sums: Mapping[str, Sequence[str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def style(self) -> NumberStyle:
        """The number style; without a thousands mark, the one that goes with the decimal mark."""
        usual = "," if self.decimal == "." else "."
        return NumberStyle(self.decimal, usual if self.thousands is None else self.thousands)

    @property
    def formats(self) -> tuple[str, ...]:
        """Date formats to try."""
        return (self.date_format,) if self.date_format else (_ISO,)


USUAL: Final = FileRules()


class Reading:
    """Rows of one file on their way from text to values; `frame` has `row_no` and the canonical columns, faults gather beside it."""

    def __init__(self, frame: pl.DataFrame, subject: str, columns: Sequence[str], rules: FileRules) -> None:
        self.subject, self.rules = subject, rules
        wanted = [*columns, *(part for parts in rules.sums.values() for part in parts)]
        self.frame = _text(frame, list(dict.fromkeys(wanted)), rules)
        self._faults: list[pl.DataFrame] = [pl.DataFrame(schema=FAULTS)]

    def upper_currency(self) -> None:
        """Currency codes without surrounding case; a missing one stays null."""
        self.frame = self.frame.with_columns(pl.col("currency").str.to_uppercase())

    def amounts(self, *names: str) -> None:
        """Columns as minor units of `currency`; columns of the map's sums are added up, and signs turned where the map says so."""
        parts = {name: list(self.rules.sums[name]) for name in names if name in self.rules.sums}
        every = [
            *(name for name in names if name not in parts),
            *(part for some in parts.values() for part in some),
        ]
        read, faults = read_amounts(self.frame, every, style=self.rules.style)
        for name, some in parts.items():
            is_given = pl.any_horizontal(pl.col(part).is_not_null() for part in some)
            read = read.with_columns(pl.when(is_given).then(pl.sum_horizontal(some)).alias(name))
        if self.rules.sign == "reversed":
            read = read.with_columns(-pl.col(name) for name in names)
        self.frame = read
        self._faults.append(faults)

    def take(self, read: tuple[pl.DataFrame, pl.DataFrame]) -> None:
        """The frame after a reading step, and its faults."""
        self.frame, faults = read
        self._faults.append(faults)

    def blame(self, bad: pl.Expr, column: str, reason: str, *, code: str = "payload_unreadable") -> None:
        """A fault for every row where `bad` is true."""
        text = pl.col(column).cast(pl.String).fill_null("") if column in self.frame.columns else pl.lit("")
        self._faults.append(
            self.frame.filter(bad).select(
                "row_no",
                column=pl.lit(column),
                text=text.str.slice(0, 40),
                code=pl.lit(code),
                reason=pl.lit(reason),
            )
        )

    def must(self, *names: str) -> None:
        """These may not be empty; a row whose value is there but unreadable has its own fault already."""
        for name in names:
            known = self.faults().filter(pl.col("column") == name)
            empty = self.frame.filter(pl.col(name).is_null()).join(known, on="row_no", how="anti")
            self._faults.append(
                empty.select(
                    "row_no",
                    column=pl.lit(name),
                    text=pl.lit(""),
                    code=pl.lit("payload_unreadable"),
                    reason=pl.lit("is empty and must not be"),
                )
            )

    def faults(self) -> pl.DataFrame:
        """All faults so far."""
        return pl.concat(self._faults)

    def sound(self) -> pl.DataFrame:
        """Rows without a fault."""
        return self.frame.join(self.faults(), on="row_no", how="anti")

    def texts(self) -> pl.DataFrame:
        """`row_no` and one problem text for each row with faults."""
        said = fault_sentences(self.faults()).unique(["row_no", "column"], keep="first", maintain_order=True)
        return said.group_by("row_no", maintain_order=True).agg(problem=pl.col("problem").str.join("; "))

    def problems(self) -> pl.DataFrame:
        """Every fault as a problem of this subject, by row and column."""
        said = fault_sentences(self.faults()).unique(["row_no", "column"], keep="first", maintain_order=True)
        return (
            said.join(
                self.frame.select("row_no", "native_ref"), on="row_no", how="left", maintain_order="left"
            )
            .with_columns(subject=pl.lit(self.subject))
            .select(list(PROBLEMS_SCHEMA))
            .sort("row_no", "column")
        )


def _text(frame: pl.DataFrame, columns: list[str], rules: FileRules) -> pl.DataFrame:
    """Raw landings (payloads of text by column name) or a frame of text, as trimmed text with nothing empty."""
    if "payload" in frame.columns:
        shape = pl.Struct(dict.fromkeys(columns, pl.String()))
        text = frame.select(pl.col("payload").str.json_decode(shape).alias("row")).unnest("row")
    else:
        text = frame.select(pl.col(name).cast(pl.String) for name in columns if name in frame.columns)
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name in columns if name not in text.columns]
    text = text.with_columns(absent).select(columns)
    plain = pl.all().str.strip_chars()
    text = text.with_columns(pl.when(plain != "").then(plain).name.keep())
    given = [pl.col(name).fill_null(value) for name, value in rules.constants.items() if name in columns]
    kept = frame.select(
        _column(frame, "row_no", pl.Int64(), pl.int_range(1, pl.len() + 1, dtype=pl.Int64)),
        _column(frame, "native_ref", pl.String(), pl.int_range(1, pl.len() + 1).cast(pl.String)),
        _column(frame, "updated_at", INSTANT, pl.lit(None, dtype=INSTANT)),
        _column(frame, "fetched_at", INSTANT, pl.lit(None, dtype=INSTANT)),
        _column(frame, "payload_sha256", pl.String(), pl.lit("")),
        _column(frame, "version_no", pl.Int64(), pl.lit(None, dtype=pl.Int64)),
    )
    return pl.concat([kept, text.with_columns(given)], how="horizontal")


def _column(frame: pl.DataFrame, name: str, dtype: pl.DataType, otherwise: pl.Expr) -> pl.Expr:
    return (pl.col(name).cast(dtype) if name in frame.columns else otherwise).alias(name)


def distinct(column: str) -> pl.Expr:
    """A text made distinct over the frame: the second `W1` becomes `W1#2`."""
    nth = pl.int_range(1, pl.len() + 1).over(column)
    return pl.when(nth == 1).then(pl.col(column)).otherwise(pl.format("{}#{}", column, nth))


def words(column: str, table: Mapping[str, str]) -> pl.Expr:
    """A word of theirs in ours, whatever its case and separators; null for a word nobody knows."""
    folded = {_folded(theirs): ours for theirs, ours in table.items()}
    text = pl.col(column).str.to_lowercase().str.replace_all(r"[\s_\-]+", " ")
    return text.replace_strict(folded, default=None, return_dtype=pl.String)


def _folded(word: str) -> str:
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())
