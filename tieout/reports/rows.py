"""Rows of a report, however many: a frame in memory, or a lazy scan of Parquet files that is read in batches and never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl

Rows = pl.DataFrame | pl.LazyFrame
"""A frame, or a lazy scan of Parquet files in any order."""

BATCH_ROWS: Final = 100_000
"""Rows held at a time while a scan is read."""
_GROUP_ROWS: Final = 100_000
_SAMPLES: Final = 64
"""Places looked at per batch to cut a scan into ranges of about equal size."""


def count(rows: Rows) -> int:
    """How many rows there are."""
    return int(rows.lazy().select(pl.len()).collect(engine="streaming").item())


def batches(rows: Rows, most: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """The rows in batches of at most `most`, in the order in which they lie; at least one batch, which may be empty."""
    if isinstance(rows, pl.DataFrame):
        yield from rows.iter_slices(most) if rows.height else [rows]
        return
    # A slice of a scan reads the row groups it touches and no others.
    for start in range(0, max(count(rows), 1), most):
        yield rows.slice(start, most).collect(engine="streaming")


def in_order(rows: Rows, by: Sequence[str], most: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """The rows sorted by the columns `by`, nulls last, in batches of about `most`.

    `by` begins with a text column that is never null. A scan is cut into ranges of it, so that a range is all that is in memory;
    rows that share one value are never torn apart.
    """
    if isinstance(rows, pl.DataFrame):
        yield from batches(rows.sort(by, nulls_last=True), most)
        return
    key = pl.col(by[0])
    cuts: list[Any] = [None, *_cuts(rows, by[0], most), None]
    for low, high in pairwise(cuts):
        inside = [] if low is None else [key >= low]
        inside += [] if high is None else [key < high]
        yield (rows.filter(*inside) if inside else rows).collect(engine="streaming").sort(by, nulls_last=True)


def _cuts(rows: pl.LazyFrame, name: str, most: int) -> list[str]:
    """Values of a column that cut the rows into ranges of about `most` rows, ascending, no two alike."""
    height = count(rows)
    wanted = -(-height // most)
    if wanted <= 1:
        return []
    step = max(1, height // (wanted * _SAMPLES))
    sample = (
        rows.select(pl.col(name))
        .with_row_index("at")
        .filter(pl.col("at") % step == 0)
        .select(name)
        .collect(engine="streaming")[name]
        .sort()
    )
    places = {sample[at * sample.len() // wanted] for at in range(1, wanted)}
    return sorted(places - {sample[0]})


def write_parquet(path: Path, parts: Iterable[pl.DataFrame]) -> int:
    """Write the rows of all parts, in order, to one Parquet file; how they are cut into parts does not show in it. Returns how many rows."""
    import pyarrow as pa  # here, because only writing needs it
    import pyarrow.parquet as pq

    writer = None
    kept: list[pl.DataFrame] = []
    waiting = written = 0

    def put(frame: pl.DataFrame) -> None:
        nonlocal writer
        table: pa.Table = frame.to_arrow()
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=_GROUP_ROWS)

    try:
        for part in parts:
            kept.append(part)
            waiting += part.height
            if waiting >= _GROUP_ROWS:
                whole = pl.concat(kept, rechunk=True)
                full = waiting - waiting % _GROUP_ROWS
                put(whole.head(full))
                written += full
                kept, waiting = [whole.slice(full)], waiting - full
        if kept and (waiting or writer is None):
            put(pl.concat(kept, rechunk=True))
    finally:
        if writer is not None:
            writer.close()
    return written + waiting
