"""Rows found by whole numbers that count from about zero: a table of positions stands for a hash join, at less than half of its cost.

Orders, documents, payments, receipts and their groups are numbered from zero in every part, and comparison keys are those numbers times
the few places that occur. So a number is itself the place in a table where the position of its row is written.
"""

from __future__ import annotations

from typing import Final

import polars as pl

SPREAD: Final = 32
"""How many times longer than the rows a table may be; beyond, numbers are too far apart and a join is cheaper."""


def row_of(known: pl.Series, wanted: pl.Series) -> pl.Series | None:
    """For each wanted number the row of `known` that has it (the last, if several have), null where none has.

    None instead of a column where no table can be made of the numbers: they are negative, not whole, or far apart.
    """
    if not (known.dtype.is_integer() and wanted.dtype.is_integer()):
        return None
    ends = [end for column in (known, wanted) for end in (column.min(), column.max()) if isinstance(end, int)]
    last = max(ends, default=0)
    if min(ends, default=0) < 0 or last >= SPREAD * (len(known) + len(wanted)):
        return None
    rows = pl.int_range(len(known), dtype=pl.UInt32, eager=True)
    if known.null_count():
        rows, known = rows.filter(known.is_not_null()), known.drop_nulls()
    table = pl.Series("row", [None], dtype=pl.UInt32).new_from_index(0, last + 1)
    return table.scatter(known, rows).gather(wanted)


def looked_up(rows: pl.DataFrame, found: pl.DataFrame, on: str | list[str]) -> pl.DataFrame:
    """A left join that keeps the rows as they are: only the key columns travel, not the wide frame. `found` is unique by key."""
    if found.is_empty():
        keys = (on,) if isinstance(on, str) else on
        return rows.with_columns(
            pl.lit(None, kind).alias(name) for name, kind in found.schema.items() if name not in keys
        )
    if isinstance(on, str):
        at = row_of(found[on], rows[on])
        if at is not None:
            return rows.hstack(found.drop(on)[at])
    return rows.hstack(rows.select(on).join(found, on=on, how="left", maintain_order="left").drop(on))


def left_over(rows: pl.DataFrame, gone: pl.DataFrame, on: str) -> pl.DataFrame:
    """Rows whose number is not among the gone ones, as they stand."""
    if gone.is_empty() or rows.is_empty():
        return rows
    at = row_of(gone[on], rows[on])
    return rows.join(gone, on=on, how="anti") if at is None else rows.filter(at.is_null())


def place_of(keys: pl.Series, wanted: pl.Series) -> pl.Series:
    """For each wanted number its row in `keys`, which are unique; null where it is none of them."""
    at = row_of(keys, wanted)
    if at is None:
        rows = keys.to_frame("key").with_row_index("row")
        at = wanted.to_frame("key").join(rows, on="key", how="left", maintain_order="left")["row"]
    return at


def all_of(*columns: pl.Series) -> pl.Series:
    """Every number of the columns once, in order."""
    every = pl.concat(columns)
    least, last = every.min(), every.max()
    if every.null_count() or not isinstance(least, int) or not isinstance(last, int):
        return every.unique().sort()
    if least < 0 or last >= SPREAD * len(every):
        return every.unique().sort()
    occurs = pl.Series(every.name, [False]).new_from_index(0, last + 1).scatter(every, True)
    return occurs.arg_true().cast(every.dtype)


def by_place(rows: pl.DataFrame, place: pl.Series, count: int, *summed: pl.Expr) -> pl.DataFrame:
    """One row for each of `count` places: the row that is there; of several what `summed` makes of them; of none nulls, and of amounts
    and counts (Int64) 0.

    A place with one row takes it as it is, so `summed` must leave a single row alone, and amounts and counts may not be null.
    """
    every = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
    # Without a null in the table, columns without nulls are picked at a quarter of the cost.
    none = rows.clear(1).with_columns(pl.col(pl.Int64).fill_null(0))
    table = pl.Series("row", [rows.height], dtype=pl.UInt32).new_from_index(0, count).scatter(place, every)
    shared = place.filter(table.gather(place) != every).unique()
    found = [rows, none]
    if len(shared):
        is_shared = pl.Series("shared", [False]).new_from_index(0, count).scatter(shared, True).gather(place)
        several = rows.with_columns(place=place).filter(is_shared)
        sums = several.group_by("place").agg(summed).select("place", *rows.columns)
        after = pl.int_range(rows.height + 1, rows.height + 1 + sums.height, dtype=pl.UInt32, eager=True)
        table = table.scatter(sums["place"], after)
        found.append(sums.drop("place"))
    return pl.concat(found, rechunk=True)[table]
