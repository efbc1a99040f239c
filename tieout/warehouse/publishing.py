"""How a frame becomes rows of a table: merge, replace, append, or replace within a scope; the key proved unique each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.columns import ensure_table, stored_type
from tieout.warehouse.connection import Connection
from tieout.warehouse.statements import listed, quoted, quoted_table, statement

Mode = Literal["merge", "replace", "append", "replace_where"]
INCOMING = "tieout_incoming"
SCOPE = "tieout_scope"


@dataclass(frozen=True)
class Counts:
    """What a publish did to a table, in rows. `unchanged` rows were not rewritten."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


def publish(
    con: Connection,
    table: str,
    frame: pl.DataFrame,
    *,
    key: Sequence[str],
    mode: Mode,
    scope: Mapping[str, Any] | pl.DataFrame | None,
    ignore: Sequence[str],
) -> Counts:
    """See `Session.publish`."""
    ensure_table(con, table, frame.schema)
    _key_is_sound(table, frame, key)
    if mode == "merge" and not key:
        raise WarehouseError(f"{table} cannot be merged without a key; name its key columns.")
    if frame.is_empty() and mode in ("merge", "append"):
        return Counts()
    con.register(INCOMING, frame)
    try:
        if mode == "merge":
            counts = _merge(con, table, frame, key, ignore)
        else:
            deleted = 0
            if mode == "replace":
                deleted = _changed(con, statement("delete_all", table=quoted_table(table)))
            elif mode == "replace_where":
                deleted = _delete_scope(con, table, frame, scope)
            insert = statement("insert", table=quoted_table(table), incoming=INCOMING)
            inserted = 0 if frame.is_empty() else _changed(con, insert)
            counts = Counts(inserted=inserted, deleted=deleted)
        if key and frame.height:
            _key_is_unique_in_table(con, table, frame, key)
        return counts
    finally:
        con.unregister(INCOMING)


def run_over(con: Connection, text: str, frame: pl.DataFrame) -> int:
    """Run one statement that writes, over a frame it may name; returns how many rows it changed."""
    con.register(INCOMING, frame)
    try:
        return _changed(con, text)
    finally:
        con.unregister(INCOMING)


def rows_over(
    con: Connection, text: str, frame: pl.DataFrame, params: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run one statement that writes and returns rows, over a frame it may name."""
    con.register(INCOMING, frame)
    try:
        return con.execute(text, params)
    finally:
        con.unregister(INCOMING)


def _merge(
    con: Connection,
    table: str,
    frame: pl.DataFrame,
    key: Sequence[str],
    ignore: Sequence[str],
) -> Counts:
    columns = frame.columns
    carried = [column for column in columns if column not in key]
    compared = [column for column in carried if column not in ignore]
    text = statement(
        "merge",
        table=quoted_table(table),
        incoming=INCOMING,
        on=_on(key),
        differs=" OR ".join(f"kept.{quoted(c)} IS DISTINCT FROM new.{quoted(c)}" for c in compared)
        or "false",
        assignments=", ".join(f"{quoted(c)} = new.{quoted(c)}" for c in carried or key),
        columns=listed(columns),
        values=listed(columns, "new."),
    )
    before = _rows(con, table)
    touched = _changed(con, text)
    inserted = _rows(con, table) - before
    return Counts(inserted=inserted, updated=touched - inserted, unchanged=frame.height - touched)


def _delete_scope(
    con: Connection,
    table: str,
    frame: pl.DataFrame,
    scope: Mapping[str, Any] | pl.DataFrame | None,
) -> int:
    """Delete the rows of the scope; refuse a frame with rows outside it, which would pile up run after run."""
    if scope is None or not len(scope):
        raise WarehouseError(f"{table} cannot be replaced in part without saying which part; give a scope.")
    keys = scope_frame(table, scope, frame.schema)
    keys = keys.unique() if keys.height > 1 else keys
    outside = frame if frame.is_empty() else frame.join(keys, on=keys.columns, how="anti", nulls_equal=True)
    if outside.height:
        raise WarehouseError(
            f"{outside.height} rows for {table} lie outside the part being replaced, for example {outside.select(keys.columns).row(0)}; nothing was written."
        )
    con.register(SCOPE, keys)
    try:
        return _changed(
            con,
            statement(
                "delete_scope", table=quoted_table(table), scope=SCOPE, on=_on(keys.columns, nulls_equal=True)
            ),
        )
    finally:
        con.unregister(SCOPE)


def scope_frame(
    table: str, scope: Mapping[str, Any] | pl.DataFrame, schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """The scope as a frame of keys: a mapping of column to value or values becomes their combinations."""
    if isinstance(scope, pl.DataFrame):
        return scope
    unknown = [column for column in scope if column not in schema]
    if unknown:
        raise WarehouseError(
            f"{table} has no column {', '.join(unknown)} to replace by; nothing was written."
        )
    keys = pl.DataFrame({"": [0]})
    for column, value in scope.items():
        values = list(value) if isinstance(value, list | tuple | set | frozenset | pl.Series) else [value]
        keys = keys.join(pl.DataFrame({column: pl.Series(values, dtype=schema[column])}), how="cross")
    return keys.drop("")


def _key_is_sound(table: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    if not key or frame.is_empty():
        return
    missing = [column for column in key if column not in frame.columns]
    if missing:
        raise WarehouseError(
            f"Rows for {table} lack their key column {', '.join(missing)}; nothing was written."
        )
    holes = [column for column in key if frame.get_column(column).null_count()]
    if holes:
        raise WarehouseError(
            f"Rows for {table} have no value in their key column {', '.join(holes)}; nothing was written."
        )
    if frame.height > 1 and (twins := frame.select(key).filter(pl.struct(key).is_duplicated())).height:
        raise WarehouseError(
            f"{twins.height} rows for {table} share a key, for example {dict(zip(key, twins.row(0), strict=True))}; nothing was written."
        )


def _key_is_unique_in_table(con: Connection, table: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    found = _changed(
        con, statement("count_matching", table=quoted_table(table), incoming=INCOMING, on=_on(key))
    )
    if found != frame.height:
        raise WarehouseError(
            f"{table} would hold {found} rows under {frame.height} keys ({', '.join(key)}); nothing was written. A row with one of these keys is already there."
        )


def check_types(con: Connection, table: str, schema: Mapping[str, pl.DataType]) -> None:
    """Raise `WarehouseError` unless every column exists in the table in the same type."""
    present = con.columns(table)
    for column, dtype in schema.items():
        if present.get(column) != stored_type(table, column, dtype):
            raise WarehouseError(
                f"{table}.{column} is {present.get(column, 'missing')} and was asked for as {dtype}; compare it in its own type."
            )


def _on(key: Sequence[str], *, nulls_equal: bool = False) -> str:
    sign = "IS NOT DISTINCT FROM" if nulls_equal else "="
    return " AND ".join(f"kept.{quoted(column)} {sign} new.{quoted(column)}" for column in key)


def _changed(con: Connection, text: str) -> int:
    rows = con.execute(text)
    return int(rows[0][0]) if rows else 0


def _rows(con: Connection, table: str) -> int:
    return _changed(con, statement("count_rows", table=quoted_table(table)))
