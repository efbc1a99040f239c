"""Queries that are collected as they are written."""

from __future__ import annotations

from typing import Final

import polars as pl

MANY: Final = 50_000
"""Rows from which on a query is planned and streamed: what that costs is little beside the work then."""


def as_written(rows: pl.LazyFrame, count: int = 0) -> pl.DataFrame:
    """The rows, by a query that nobody tries to better, unless it reads many (`count`).

    Meant for steps that are written in the order they are best taken, on frames in memory: to collect several at once takes less time
    than one after the other, and to plan them better takes more than it gains. Never for files, which must be read by their columns.
    """
    if count >= MANY:
        return rows.collect(engine="streaming")
    return rows.collect(engine="in-memory", optimizations=pl.QueryOptFlags.none())
