"""Positions and running totals within groups of a frame that is sorted by its groups: plain column arithmetic, no window per group."""

from __future__ import annotations

import polars as pl


def starts(*keys: str) -> pl.Expr:
    """Whether a row is the first of its group. The frame must be sorted by the keys (or have equal keys side by side)."""
    changed = pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys)
    return changed | (pl.int_range(pl.len()) == 0)


def position(*keys: str) -> pl.Expr:
    """1 for the first row of each group, 2 for the second …, of a frame sorted by the keys."""
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    return row - pl.when(starts(*keys)).then(row).forward_fill() + 1


def running(amount: pl.Expr, *keys: str) -> pl.Expr:
    """The sum of an amount up to and including each row of its group, of a frame sorted by the keys."""
    value = amount.cast(pl.Int64).fill_null(0)
    total = value.cum_sum()
    return total - pl.when(starts(*keys)).then(total - value).forward_fill()


def distinct(frame: pl.DataFrame, column: str, *within: str) -> pl.Expr:
    """The text of a column of this frame, made distinct within a group: the second `a` becomes `a#2`, an empty one `#1`."""
    text = pl.col(column)
    # Rows whose hash no other row has are distinct; so nearly all rows are spared the window.
    hashes = text.hash(seed=0)
    for key in within:
        hashes = hashes * 31 + pl.col(key).hash(seed=1)
    doubtful = frame.select(
        is_doubtful=hashes.is_duplicated() | (text == "").fill_null(value=False)
    ).to_series()
    if not doubtful.any():
        return text
    nth = pl.int_range(1, pl.len() + 1).over(*within, column)
    named = (
        frame.select(*within, column)
        .filter(doubtful)
        .select(pl.when((nth == 1) & (text != "")).then(text).otherwise(pl.format("{}#{}", text, nth)))
        .to_series()
    )
    return pl.lit(frame[column].scatter(doubtful.arg_true(), named))
