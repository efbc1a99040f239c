"""How a polars type is stored, and the guard that a table keeps the types it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.connection import Connection
from tieout.warehouse.statements import quoted, quoted_table

_PLAIN: Final = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.Int16: "SMALLINT",
    pl.Int8: "TINYINT",
    pl.UInt64: "UBIGINT",
    pl.UInt32: "UINTEGER",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Float64: "DOUBLE",
    pl.Binary: "BLOB",
}
_MONEY: Final = ("_minor", "_amount")
_LONG_TEXTS: Final = {"payload": "zstd"}
"""How DuckDB is told to compress columns of long texts. Left to choose, it takes several times as long over a payload and makes it several
times as large (measured with `tests/bench/run.py`)."""


def stored_type(table: str, column: str, dtype: pl.DataType) -> str:
    """The DuckDB type of a polars column.

    Raises `WarehouseError` for a type that cannot be stored exactly: money as a float, instants that are not UTC in microseconds.
    """
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision or 38},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone == "UTC" and dtype.time_unit == "us":
            return "TIMESTAMP WITH TIME ZONE"
        raise WarehouseError(
            f"{table}.{column} is an instant of type {dtype}; instants are stored in UTC with microseconds, convert it first."
        )
    if dtype == pl.Float64 and column.endswith(_MONEY):
        raise WarehouseError(
            f"{table}.{column} is money as a float; store whole minor units or an exact decimal."
        )
    name = _PLAIN.get(type(dtype))
    if name is None:
        raise WarehouseError(
            f"{table}.{column} has the type {dtype}, which the warehouse does not store; convert it to text, a whole number, a decimal, a date or an instant."
        )
    return name


def ensure_table(con: Connection, table: str, schema: Mapping[str, pl.DataType]) -> None:
    """Create the table, or add the columns it lacks (null in the rows that are there).

    Raises `WarehouseError` if a column is stored in another type: nothing is converted behind anybody's back.
    """
    wanted = {column: stored_type(table, column, dtype) for column, dtype in schema.items()}
    present = con.columns(table)
    if not present:
        columns = ", ".join(
            f"{quoted(column)} {kind}{_compressed(column)}" for column, kind in wanted.items()
        )
        con.make(table, f"CREATE TABLE {quoted_table(table)} ({columns})", wanted)
        return
    for column, kind in wanted.items():
        stored = present.get(column)
        if stored is None:
            con.define(table, f"ALTER TABLE {quoted_table(table)} ADD COLUMN {quoted(column)} {kind}")
        elif stored != kind:
            raise WarehouseError(
                f"{table}.{column} is stored as {stored} and this version of tieout writes {kind}; nothing was changed. "
                "Rebuild the derived tables from raw, or go back to the version that wrote this warehouse.",
                table=table,
                column=column,
            )


def _compressed(column: str) -> str:
    return f" USING COMPRESSION {_LONG_TEXTS[column]}" if column in _LONG_TEXTS else ""
