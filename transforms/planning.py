"""Queries that are collected as they are written."""

from __future__ import annotations

import polars as pl


def as_written(rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows, by a query that nobody tries to better.

    Meant for steps that are written in the order they are best taken, on frames in memory: to collect several at once takes less time
    than one after the other, and to plan them better takes more than it gains. Never for files, which must be read by their columns.
    """
    return rows.collect(engine="in-memory", optimizations=pl.QueryOptFlags.none())
