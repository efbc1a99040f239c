"""Orders that are tied to each other by what they share, however far apart: looked at together, or not at all.

Ties have the columns of an order and `token`, a row for everything an order has in common with another.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.references import smallest_labels

_ORDER: Final = ["storefront", "order_ref"]


def tied(wanted: pl.DataFrame, ties: pl.DataFrame) -> pl.DataFrame:
    """The orders wanted and all that are tied to them, directly or through others: `storefront`, `order_ref`, each once.

    `wanted` has the columns of an order.
    """
    wanted = wanted.select(_ORDER).unique()
    if ties.is_empty() or wanted.is_empty():
        return wanted.sort(_ORDER)
    groups = _groups(ties, ties.select(_ORDER).unique().sort(_ORDER).with_row_index("at"))
    mine = groups.join(wanted, on=_ORDER, how="semi").select("label").unique()
    mates = groups.join(mine, on="label", how="semi").select(_ORDER)
    return pl.concat([wanted, mates]).unique().sort(_ORDER)


def in_parts(orders: pl.DataFrame, ties: pl.DataFrame, most: int) -> list[pl.DataFrame]:
    """The orders in parts of about `most`, each order once; what is tied is in one part, which may thereby become larger."""
    rows = orders.select(_ORDER).unique().sort(_ORDER).with_row_index("at")
    ties = ties.join(rows, on=_ORDER, how="semi")
    label = pl.col("at")
    if ties.height:
        rows = rows.join(
            _groups(ties, rows).select("at", "label"), on="at", how="left", maintain_order="left"
        )
        label = pl.coalesce("label", "at")
    parted = rows.with_columns(part=label // most).partition_by("part", maintain_order=True)
    return [part.select(_ORDER) for part in parted]


def _groups(ties: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """The orders that have ties, numbered `at`, with the `label` of what they are tied to: the smallest number in it."""
    mine = orders.join(ties.select(_ORDER).unique(), on=_ORDER, how="semi")
    labels = smallest_labels(ties.join(mine, on=_ORDER).select("token", "at"), "token", "at")
    return mine.join(labels, on="at")
