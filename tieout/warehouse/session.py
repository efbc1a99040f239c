"""What can be done with the warehouse while it is open: fetch, query, publish, ingest, read raw history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse import history, ingesting, publishing
from tieout.warehouse.columns import ensure_table
from tieout.warehouse.connection import Connection
from tieout.warehouse.ingesting import IngestCounts, Watermark
from tieout.warehouse.landing import LandingResult
from tieout.warehouse.publishing import Counts, Mode
from tieout.warehouse.statements import listed, quoted, quoted_table, statement

WANTED = "tieout_wanted"
_HUGE = "HUGEINT"


Judge = Callable[[str, pl.DataFrame], pl.DataFrame]
"""Looks at rows of a table, or at some of its columns, and gives them back, or raises."""


def _no_judge(_table: str, rows: pl.DataFrame) -> pl.DataFrame:
    return rows


class Session:
    """One open transaction. Made by `Warehouse.write` and `Warehouse.read`; useless after their block ends."""

    def __init__(self, con: Connection, *, run_id: str, judge: Judge = _no_judge) -> None:
        self._con = con
        self.run_id = run_id
        self._judge = judge
        self.failure: BaseException | None = None
        """The first write of this session that failed; such a session is never committed, even if its caller carries on."""

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:
            self.failure = self.failure or fault
            raise

    # --- reading ------------------------------------------------------------------------------------------------
    def exists(self, table: str) -> bool:
        """Whether a table or view of that name is there."""
        return bool(self._con.columns(table))

    def count(self, table: str) -> int:
        """Rows of a table or view."""
        return int(self._con.execute(statement("count_rows", table=quoted_table(table)))[0][0])

    def fetch(
        self,
        table: str,
        *,
        where: Mapping[str, Any] | pl.DataFrame | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of a table or view, in no particular order, in the types they are stored in.

        `where` maps columns to a value, a list of values, or None (is null); or is a frame of keys, whose columns must all match.
        Raises `WarehouseError` if the table or a column does not exist, and whatever the warehouse's judge raises of the rows.
        """
        return self._judge(table, self._fetched(table, where, columns))

    def _fetched(
        self, table: str, where: Mapping[str, Any] | pl.DataFrame | None, columns: Sequence[str] | None
    ) -> pl.DataFrame:
        present = self._con.columns(table)
        if not present:
            raise WarehouseError(
                f"There is no table {table} in the warehouse yet; run the stage that fills it first."
            )
        missing = [column for column in (columns or ()) if column not in present]
        if missing:
            raise WarehouseError(f"{table} has no column {', '.join(missing)}; it has {', '.join(present)}.")
        picked = listed(columns or present, "kept.")
        if isinstance(where, pl.DataFrame):
            publishing.check_types(self._con, table, where.schema)
            on = " AND ".join(f"kept.{quoted(c)} = new.{quoted(c)}" for c in where.columns)
            text = statement(
                "fetch_by_keys", columns=picked, table=quoted_table(table), wanted=WANTED, on=on or "true"
            )
            return self.sql_text(text, frames={WANTED: where.unique()})
        clauses, parameters = _conditions(table, where or {}, present)
        return self.sql_text(
            statement("fetch", columns=picked, table=quoted_table(table), where=clauses), parameters
        )

    def query(
        self, sql_name: str, *, frames: Mapping[str, pl.DataFrame] | None = None, **params: Any
    ) -> pl.DataFrame:
        """The result of the stored query `sql/<sql_name>.sql` with named parameters; `frames` are tables it may name."""
        return self.sql_text(statement(sql_name), params, frames=frames)

    def sql_text(
        self,
        text: str,
        params: Mapping[str, Any] | None = None,
        *,
        frames: Mapping[str, pl.DataFrame] | None = None,
    ) -> pl.DataFrame:
        """The result of one SELECT given as text. Whole-number sums come back as Int64 (DuckDB sums into 128 bits).

        Raises `WarehouseError` if such a sum does not fit 64 bits.
        """
        registered = dict(frames or {})
        for name, frame in registered.items():
            self._con.register(name, frame)
        try:
            relation = self._con.sql(text, params=dict(params)) if params else self._con.sql(text)
            if relation is None:
                return pl.DataFrame()
            huge = [
                name
                for name, kind in zip(relation.columns, relation.types, strict=True)
                if str(kind) == _HUGE
            ]
            frame = relation.pl()
            del relation  # an unfinished result would own the connection
            try:
                return frame.with_columns(pl.col(huge).cast(pl.Int64)) if huge else frame
            except pl.exceptions.PolarsError as fault:
                raise WarehouseError(f"A sum in {', '.join(huge)} does not fit 64 bits.") from fault
        finally:
            for name in registered:
                self._con.unregister(name)

    # --- writing ------------------------------------------------------------------------------------------------
    def ensure(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Create the tables that are missing and add missing columns; see `Warehouse.ensure`."""
        self._con.learn()
        for table, empty in tables.items():
            ensure_table(self._con, table, empty.schema)

    def publish(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        key: Sequence[str],
        mode: Mode,
        scope: Mapping[str, Any] | pl.DataFrame | None = None,
        ignore: Sequence[str] = ("run_id",),
    ) -> Counts:
        """Write a frame into a table, which is created from it if it does not exist.

        merge          insert new keys, rewrite rows in which any column but `ignore` differs, leave the rest (`run_id` then stays that
                       of the run that last changed the row)
        replace        the table holds exactly the frame afterwards
        append         insert
        replace_where  delete the rows of `scope` (column to values, or a frame of keys), then insert; all rows must lie in the scope

        `key` may be empty for all modes but merge. Raises `WarehouseError`, and the transaction must end, if the key is not unique in the frame
        or would not be in the table, has a null, or a column has another type than stored.
        """
        with self._whole():
            return publishing.publish(
                self._con, table, frame, key=tuple(key), mode=mode, scope=scope, ignore=tuple(ignore)
            )

    def change(self, sql_name: str, frame: pl.DataFrame, *, rows: int | None = None) -> int:
        """Run the stored statement `sql/<sql_name>.sql` over a frame it names `tieout_incoming`; returns how many rows it changed.

        For the few writes whose columns and key are fixed and whose every millisecond counts. Raises `WarehouseError`, and the
        transaction must end, if it changed another number of rows than `rows`.
        """
        with self._whole():
            changed = publishing.run_over(self._con, statement(sql_name), frame)
            if rows is not None and changed != rows:
                raise WarehouseError(
                    f"{sql_name} would change {changed} rows where {rows} were meant; nothing was written. A document is missing, or there twice."
                )
            return changed

    def change_told(self, sql_name: str, frame: pl.DataFrame, **params: Any) -> list[tuple[Any, ...]]:
        """Like `change`, for a statement with parameters that returns what it changed: those rows."""
        with self._whole():
            return publishing.rows_over(self._con, statement(sql_name), frame, params)

    def delete(self, table: str, *, scope: Mapping[str, Any] | pl.DataFrame) -> int:
        """Delete the rows of a scope and return how many there were; raw, decisions and the outbox's moves are append-only."""
        if table.startswith("raw.") or table in ("ops.outbox_moves", "ops.decisions"):
            raise WarehouseError(f"{table} is append-only; nothing was deleted.")
        none = statement("fetch", columns="*", table=quoted_table(table), where="false")
        schema = {} if isinstance(scope, pl.DataFrame) else self.sql_text(none).schema
        keys = publishing.scope_frame(table, scope, schema)
        empty = pl.DataFrame(schema=keys.schema)
        return self.publish(table, empty, key=(), mode="replace_where", scope=keys).deleted

    def view(self, name: str, sql: str) -> None:
        """Create or replace a view from the text of one SELECT, creating its schema if need be."""
        self._con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.partition('.')[0])}")
        self._con.define(name, f"CREATE OR REPLACE VIEW {quoted_table(name)} AS {sql.strip().rstrip(';')}")

    def drop(self, table: str) -> None:
        """Drop a derived table (core, recon, report), which is rebuilt from raw. Raises `WarehouseError` for any other layer."""
        if table.partition(".")[0] not in ("core", "recon", "report"):
            raise WarehouseError(f"{table} cannot be rebuilt from raw, so it is not dropped.")
        self._con.drop(table)

    # --- raw ----------------------------------------------------------------------------------------------------
    def ingest(
        self, landing: LandingResult, *, table: str, watermark: Watermark | None = None
    ) -> IngestCounts:
        """Take a finished landing into its raw table and move the watermark, in this transaction. Ingesting it again adds nothing.

        Raises `WarehouseError` if the files do not hold the number of records that were landed.
        """
        with self._whole():
            return ingesting.ingest_landing(self._con, landing, table=table, watermark=watermark)

    def ingest_file(
        self,
        path: Path,
        format: str,
        table: str,
        *,
        source: str,
        subject: str,
        header: Sequence[str],
        run_id: str,
        fetched_at: datetime,
        key_columns: Sequence[str] = (),
        watermark: Watermark | None = None,
    ) -> IngestCounts:
        """Take a plain file into a raw table, one row of text values per record; see `ingesting.ingest_file`."""
        with self._whole():
            return ingesting.ingest_file(
                self._con,
                path,
                format=format,
                table=table,
                source=source,
                subject=subject,
                header=header,
                run_id=run_id,
                fetched_at=fetched_at,
                key_columns=key_columns,
                watermark=watermark,
            )

    def raw_changed(
        self, table: str, since: int | None = None, *, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """Newest version of every record that has landed since landing number `since` (None: ever), as known at `as_of`."""
        return history.changed(self._con, table, since=since, as_of=as_of)

    def raw_iter(
        self,
        table: str,
        since: int | None = None,
        *,
        chunk_rows: int = 50_000,
        as_of: datetime | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The rows of `raw_changed` in chunks of at most `chunk_rows`, each record in exactly one of them."""
        return history.chunks(self._con, table, since=since, as_of=as_of, chunk_rows=chunk_rows)

    def raw_refs(self, table: str, *, mark: str) -> pl.DataFrame:
        """`native_ref` of every record of a raw table, and `is_marked`: whether the payload of its newest version holds this text."""
        return history.refs(self._con, table, mark=mark)

    def raw_count(self, table: str, since: int | None = None) -> int:
        """Rows of a raw table that landed after landing number `since` (None: ever), older versions included; 0 for an unknown table."""
        return history.count(self._con, table, since=since)

    def last_landing(self, table: str) -> int:
        """Number of the newest landing in a raw table; 0 if nothing has landed."""
        return history.last_landing(self._con, table)


def _conditions(
    table: str, where: Mapping[str, Any], present: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    clauses: list[str] = []
    parameters: dict[str, Any] = {}
    for column, value in where.items():
        if column not in present:
            raise WarehouseError(f"{table} has no column {column}; it has {', '.join(present)}.")
        name = f"p{len(parameters)}"
        if value is None:
            clauses.append(f"kept.{quoted(column)} IS NULL")
        elif isinstance(value, list | tuple | set | frozenset | pl.Series):
            clauses.append(f"kept.{quoted(column)} IN (SELECT unnest(${name}::{present[column]}[]))")
            parameters[name] = list(value)
        else:
            clauses.append(f"kept.{quoted(column)} = ${name}")
            parameters[name] = value
    return " AND ".join(clauses) or "true", parameters
