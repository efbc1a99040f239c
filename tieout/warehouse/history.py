"""Reading raw: the newest version of each record, of what changed since a landing, as known at an instant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import duckdb
import polars as pl

from tieout.warehouse.connection import Connection
from tieout.warehouse.ingesting import RAW_SCHEMA
from tieout.warehouse.statements import listed, quoted_table, statement


def changed(con: Connection, table: str, *, since: int | None, as_of: datetime | None) -> pl.DataFrame:
    """Newest version of every record with a landing later than `since` that was received by `as_of`.

    Versions are ordered by version_no, updated_at, landing_no (a missing one is the oldest), then by fetched_at and hash, so that
    the answer does not depend on the order of arrival within a landing. An unknown table has no records.
    """
    frames = list(chunks(con, table, since=since, as_of=as_of, chunk_rows=None))
    return pl.concat(frames) if frames else pl.DataFrame(schema=RAW_SCHEMA)


def chunks(
    con: Connection,
    table: str,
    *,
    since: int | None,
    as_of: datetime | None,
    chunk_rows: int | None,
) -> Iterator[pl.DataFrame]:
    """The same in chunks that follow the order on disk, so that every block of payloads is read once.

    A record is in exactly one chunk. Nothing stays open between two chunks: other statements may run in between.
    """
    if not con.columns(table):
        return
    picked = f"tieout_newest_{_next_number()}"
    con.execute(
        statement("newest_versions", table=quoted_table(table), picked=picked),
        {"since": since, "as_of": as_of},
    )
    try:
        bounds = con.execute(statement("chunk_bounds", picked=picked), {"chunk_rows": chunk_rows or 2**62})
        text = statement("chunk_rows", table=quoted_table(table), picked=picked, columns=listed(RAW_SCHEMA))
        for first, last in bounds:
            relation = con.sql(text, params={"first_row": first, "last_row": last})
            frame = relation.pl()
            del relation
            yield frame
    finally:
        with suppress(duckdb.Error):  # a reader that stopped early may find the warehouse closed already
            con.execute(f"DROP TABLE IF EXISTS {picked}")


def refs(con: Connection, table: str, *, mark: str) -> pl.DataFrame:
    """`native_ref` of every record and `is_marked`: whether its newest version holds a text. An unknown table has no records."""
    if not con.columns(table):
        return pl.DataFrame(schema={"native_ref": pl.String, "is_marked": pl.Boolean})
    return con.sql(statement("newest_refs", table=quoted_table(table)), params={"mark": mark}).pl()


def count(con: Connection, table: str, *, since: int | None) -> int:
    """Rows that landed later than `since`; 0 for an unknown table."""
    if not con.columns(table):
        return 0
    return int(con.execute(statement("landed_count", table=quoted_table(table)), {"since": since})[0][0])


def last_landing(con: Connection, table: str) -> int:
    """Number of the newest landing in a raw table; 0 if there is none."""
    if not con.columns(table):
        return 0
    return int(con.execute(statement("last_landing", table=quoted_table(table)))[0][0])


_numbers = iter(range(1, 2**62))


def _next_number() -> int:
    return next(_numbers)
