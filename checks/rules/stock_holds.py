"""Row rule on stock: an order that waits for goods that ran out waits with its invoice, until they are back."""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule

_ORDER = ["storefront", "order_ref"]
_WAITING = ("open", "processing", "held")


def _sold_out(parts: pl.DataFrame) -> pl.DataFrame:
    """`storefront`, `sku`, `item_ref` of what cannot be shipped from any of the storefront's locations: an item it takes is at zero
    in all of them. An item without a figure is unknown, not sold out."""
    there = parts.group_by("storefront", "sku", "item_ref").agg(
        on_hand=pl.col("on_hand_qty").clip(lower_bound=0).sum(),
        is_known=pl.col("on_hand_qty").is_not_null().all(),
    )
    return (
        there.filter(pl.col("is_known") & (pl.col("on_hand") == 0))
        .sort("storefront", "sku", "item_ref")
        .unique(["storefront", "sku"], keep="first", maintain_order=True)
        .select("storefront", "sku", "item_ref")
    )


@rule(
    "An order that waits for goods has goods to wait for.", code="sku_out_of_stock", severity="hold",
    reads=("core.orders", "core.order_lines", "core.shipments", "out.web_stock_parts"),
)  # fmt: skip
def sku_out_of_stock(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders, not yet shipped whole, with a SKU that ran out everywhere it is sold from. The hold ends with the next check after stock
    is back, or when the storefront ships or cancels the line."""
    keys = [*_ORDER, "line_ref"]
    orders = tables["core.orders"].filter(
        pl.col("problem").is_null() & ~pl.col("is_test") & pl.col("status_code").is_in(_WAITING)
    )
    gone = tables["core.shipments"].group_by(keys).agg(shipped=pl.col("quantity").sum())
    waiting = (
        tables["core.order_lines"]
        .filter(pl.col("kind_code") == "item")
        .join(_sold_out(tables["out.web_stock_parts"]), on=["storefront", "sku"])
        .join(gone, on=keys, how="left")
        .filter(pl.col("quantity") > pl.col("shipped").fill_null(0))
        .select(*_ORDER, "sku", "item_ref")
        .unique()
    )
    found = orders.join(waiting, on=_ORDER)
    return found.select(
        *_ORDER,
        "order_number",
        "currency",
        pl.concat_str("order_ref", "sku", separator="/").alias("subject_ref"),
        pl.col("total_minor").alias("amount_minor"),
        pl.format(
            "Order {}: {} ran out (item {} is at zero in every warehouse that feeds {}); its invoice waits until stock is back, "
            "the line is shipped, or the order is cancelled.",
            pl.coalesce("order_number", "order_ref"), "sku", "item_ref", "storefront",
        ).alias("sentence"),
    )  # fmt: skip
