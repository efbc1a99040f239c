"""Web orders that still wait for goods: how many of each SKU."""

from __future__ import annotations

import polars as pl

WAITING_STATUSES = ("open", "processing", "held")


def pending_lines(orders: pl.DataFrame, lines: pl.DataFrame, shipments: pl.DataFrame) -> pl.DataFrame:
    """Lines of goods that were ordered and have not been shipped: `storefront`, `order_ref`, `sku`, `pending_qty` (four digits, above zero).

    Orders that are complete, cancelled or tests wait for nothing; what came back does not wait again.
    """
    waiting = orders.filter(pl.col("status_code").is_in(WAITING_STATUSES) & ~pl.col("is_test")).select(
        "storefront", "order_ref"
    )
    keys = ["storefront", "order_ref", "line_ref"]
    gone = shipments.group_by(keys).agg(shipped=pl.col("quantity").sum())
    left = pl.col("quantity") - pl.col("shipped").fill_null(0)
    return (
        lines.filter((pl.col("kind_code") == "item") & pl.col("sku").is_not_null())
        .join(waiting, on=["storefront", "order_ref"])
        .join(gone, on=keys, how="left")
        .with_columns(pending_qty=left.cast(pl.Decimal(18, 4)))
        .filter(pl.col("pending_qty") > 0)
        .group_by("storefront", "order_ref", "sku")
        .agg(pl.col("pending_qty").sum().cast(pl.Decimal(18, 4)))
        .sort("storefront", "order_ref", "sku")
    )


def pending_by_sku(lines: pl.DataFrame) -> pl.DataFrame:
    """`storefront`, `sku`, `pending_qty` of `pending_lines`."""
    return (
        lines.group_by("storefront", "sku")
        .agg(pl.col("pending_qty").sum().cast(pl.Decimal(18, 4)))
        .sort("storefront", "sku")
    )
