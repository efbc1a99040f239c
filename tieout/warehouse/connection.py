"""One open DuckDB connection and what it knows of its own tables, asked once instead of before every statement."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import duckdb

from tieout.warehouse.instances import CATALOG
from tieout.warehouse.statements import quoted, quoted_table, statement


class Connection:
    """A thin cover over a DuckDB connection: only relations and finished results, so that nothing stays open between statements."""

    def __init__(self, raw: duckdb.DuckDBPyConnection) -> None:
        self._raw = raw
        self._tables: dict[str, dict[str, str]] = {}
        self._schemas: set[str] = set()
        self._knows_all = False

    def execute(self, text: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement to its end and return all of its rows."""
        cursor = self._raw.execute(text, dict(params)) if params else self._raw.execute(text)
        return cursor.fetchall()

    def sql(self, text: str, params: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """A query as a relation, for reading it as a frame."""
        return self._raw.sql(text, params=dict(params)) if params else self._raw.sql(text)

    def register(self, name: str, frame: Any) -> None:
        """Let statements name a frame as a table."""
        self._raw.register(name, frame)

    def unregister(self, name: str) -> None:
        """Forget a registered frame."""
        with suppress(
            duckdb.Error
        ):  # in a transaction that has failed; the failure itself is on its way to the caller
            self._raw.unregister(name)

    def columns(self, table: str) -> dict[str, str]:
        """Column names and types of a table or view as stored, in order; empty if it does not exist."""
        if table not in self._tables and self._knows_all:
            return {}
        if table not in self._tables:
            # A question about a table that is not there would end our transaction; a second cursor asks in its own. It sees what was
            # committed, and what this transaction has defined since is known already.
            other = self._raw.cursor()
            try:
                self._tables[table] = _described(other, table)
            except duckdb.CatalogException:
                self._tables[table] = {}
            finally:
                other.close()
        return self._tables[table]

    def learn(self) -> None:
        """Ask for the columns of everything there is by one statement, for whoever is about to look at most of it."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.execute(statement("stored_columns"), {"catalog": CATALOG}):
            found.setdefault(str(table), {})[str(column)] = str(kind)
        self._tables, self._knows_all = found, True

    def define(self, table: str, text: str) -> None:
        """Run a statement that makes or alters a table or view, and look at what it is now."""
        self.execute(text)
        self._tables[table] = _described(self._raw, table)

    def make(self, table: str, text: str, columns: Mapping[str, str]) -> None:
        """Run a statement that makes a table of these columns, in its schema, which is made if need be."""
        schema = table.partition(".")[0]
        if schema not in self._schemas:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
            self._schemas.add(schema)
        self.execute(text)
        self._tables[table] = dict(columns)

    def drop(self, table: str) -> None:
        """Drop a table if it is there."""
        self.execute(f"DROP TABLE IF EXISTS {quoted_table(table)}")
        self._tables[table] = {}


def _described(raw: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    # A relation is bound and not executed: half the time of DESCRIBE, which every transaction asks of every table it touches.
    found = raw.sql(statement("every_column", table=f"{quoted(CATALOG)}.{quoted_table(table)}"))
    return dict(zip(found.columns, map(str, found.types), strict=True))
