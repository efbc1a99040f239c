"""Orders that are tied to each other by what they share, however far apart: looked at together, or not at all."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.references import smallest_labels

_ORDER: Final = ["storefront", "order_ref"]


def tied(wanted: pl.DataFrame, ties: pl.DataFrame) -> pl.DataFrame:
    """The orders wanted and all that are tied to them, directly or through others: `storefront`, `order_ref`, each once.

    `wanted` has the columns of an order, `ties` those and `token`, a row for everything an order has in common with another.
    """
    wanted = wanted.select(_ORDER).unique()
    if ties.is_empty() or wanted.is_empty():
        return wanted.sort(_ORDER)
    orders = ties.select(_ORDER).unique().sort(_ORDER).with_row_index("at")
    labels = smallest_labels(ties.join(orders, on=_ORDER).select("token", "at"), "token", "at")
    groups = orders.join(labels, on="at").select(*_ORDER, "label")
    mine = groups.join(wanted, on=_ORDER, how="semi").select("label").unique()
    mates = groups.join(mine, on="label", how="semi").select(_ORDER)
    return pl.concat([wanted, mates]).unique().sort(_ORDER)
