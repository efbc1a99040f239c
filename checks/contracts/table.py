"""One declaration of a table: its columns, key, meaning and known hazards.

From it come the pandera schema that guards every publish and every fetch, the empty frame that creates the table, and the
dictionary page that analysts read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import polars as pl

from tieout.errors import Stopped

TEXT: Final = pl.String()
MINOR: Final = pl.Int64()
WHOLE: Final = pl.Int64()
FLAG: Final = pl.Boolean()
DAY: Final = pl.Date()
INSTANT: Final = pl.Datetime("us", "UTC")
QUANTITY: Final = pl.Decimal(18, 4)
PRICE: Final = pl.Decimal(28, 12)
RATE: Final = pl.Decimal(28, 12)


@dataclass(frozen=True)
class Column:
    """One column: name, type, meaning; whether it may be null; the closed list its words come from; a lower bound."""

    name: str
    dtype: pl.DataType
    about: str
    null: bool = False
    words: Sequence[str] | None = None
    least: int | None = None
    longest: int | None = None

    @cached_property
    def questions(self) -> list[pl.Expr]:
        """Yes if every value keeps what the column promises of values; a null, which the type of the column judges, is neither yes nor no."""
        value, found = pl.col(self.name), []
        if self.words is not None:
            found.append(value.is_in(list(self.words)).all())
        if self.least is not None:
            found.append((value >= self.least).all())
        if self.longest is not None:
            found.append((value.str.len_chars() <= self.longest).all())
        return found


@dataclass(frozen=True)
class Table:
    """One table of the warehouse. `key` is unique within it; `hazards` are traps the table confesses to its readers."""

    name: str
    key: tuple[str, ...]
    about: str
    columns: tuple[Column, ...]
    hazards: tuple[str, ...] = field(default=())

    @cached_property
    def polars_schema(self) -> dict[str, pl.DataType]:
        """Column names and polars types, in order."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the declared columns and types."""
        return self._none.clone()

    @cached_property
    def _none(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.polars_schema)

    @cached_property
    def pandera(self) -> Any:
        """The pandera schema: strict columns, exact types, closed lists, unique key."""
        import pandera.polars as pa

        columns: Mapping[str, Any] = {
            column.name: pa.Column(column.dtype, nullable=column.null, checks=_checks(column))
            for column in self.columns
        }
        return pa.DataFrameSchema(
            dict(columns), strict=True, ordered=False, unique=list(self.key) or None, name=self.name
        )

    def shaped(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with exactly the declared columns in order; missing nullable ones are added as nulls. No casts that could lose a digit."""
        missing = [
            pl.lit(None, dtype=column.dtype).alias(column.name)
            for column in self.columns
            if column.null and column.name not in frame.columns
        ]
        return frame.with_columns(missing).select([column.name for column in self.columns])

    def checked(self, frame: pl.DataFrame | pl.LazyFrame, *, at: str) -> pl.DataFrame:
        """The materialised frame, if it keeps the contract; `at` says where for the sentence.

        One look at all columns together asks the questions of the pandera schema; only where an answer is no does pandera say which. A lazy frame
        is collected first: of a lazy one pandera would check only the schema, not the values.
        Raises `Stopped` with the broken promises and up to three offending rows each.
        """
        whole = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        if set(whole.columns) == set(self.polars_schema) and self._kept(whole, self.columns):
            return whole
        import pandera.errors

        try:
            self.pandera.validate(whole, lazy=True)
        except pandera.errors.SchemaErrors as broken:
            raise Stopped(
                f"{self.name} broke its contract {at}: {_reasons(broken, whole)}. Nothing was written; mend the source or the mapping and run the step again.",
                table=self.name,
            ) from None
        return whole

    def as_promised(self, frame: pl.DataFrame, *, at: str) -> pl.DataFrame:
        """Rows read back from the table, if they keep the contract; some of its columns are enough.

        Columns that the contract does not know (an older version's) are left alone. Raises `Stopped` like `checked`.
        """
        read = [column for column in self.columns if column.name in frame.columns]
        if self._kept(frame, read):
            return frame
        import pandera.errors

        names = {column.name for column in read}
        schema = self.pandera.select_columns([column.name for column in read])
        schema.unique = list(self.key) if set(self.key) <= names and self.key else None
        try:
            schema.validate(frame.select([column.name for column in read]), lazy=True)
        except pandera.errors.SchemaErrors as broken:
            raise Stopped(
                f"{self.name} broke its contract {at}: {_reasons(broken, frame)}. Nothing was done with it; {self._remedy}.",
                table=self.name,
            ) from None
        return frame

    @property
    def _remedy(self) -> str:
        if self.name.startswith("core."):
            return "rebuild it from what was landed with `tieout run stage --full`"
        if self.name.startswith("recon."):
            return "work it out anew with `tieout run reconcile`"
        return "somebody else wrote to the warehouse, or it is damaged: restore its last copy"

    def _kept(self, frame: pl.DataFrame, read: Sequence[Column]) -> bool:
        types = frame.schema
        if any(types[column.name] != column.dtype for column in read):
            return False
        if frame.is_empty():
            return True  # without rows there is no value to judge
        if any(frame[column.name].null_count() for column in read if not column.null):
            return False
        asked = [one for column in read for one in column.questions]
        if self.key and all(name in types for name in self.key):
            asked.append(self._unique)
        return not asked or bool(frame.select(pl.all_horizontal(asked)).item())

    @cached_property
    def _unique(self) -> pl.Expr:
        value = pl.col(self.key[0]) if len(self.key) == 1 else pl.struct(self.key)
        return value.is_unique().all()


def _checks(column: Column) -> list[Any]:
    import pandera.polars as pa

    found = []
    if column.words is not None:
        found.append(pa.Check.isin(list(column.words)))
    if column.least is not None:
        found.append(pa.Check.ge(column.least))
    if column.longest is not None:
        found.append(pa.Check.str_length(max_value=column.longest))
    return found


def _reasons(broken: Any, frame: pl.DataFrame) -> str:
    said: list[str] = []
    for fault in broken.schema_errors:
        reason = getattr(fault.reason_code, "name", str(fault.reason_code))
        column = getattr(fault.schema, "name", None) or ""
        cases = getattr(fault, "failure_cases", None)
        sample = ""
        if isinstance(cases, pl.DataFrame) and cases.height:
            sample = f", for example {cases.head(3).to_dicts()}"
        elif cases is not None and not isinstance(cases, pl.DataFrame):
            sample = f" ({cases})"
        check = getattr(fault, "check", None)
        said.append(f"{reason.lower()} {column} {check if check is not None else ''}{sample}".strip())
    return "; ".join(said[:6]) + (f"; and {len(said) - 6} more" if len(said) > 6 else "")
