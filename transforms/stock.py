"""What the web may sell: available to web = on hand − allocated − safety buffer, floored at zero, per item and location.

A storefront that reserves its own open orders (commercetools: availableQuantity = quantityOnStock − reservations, commercetools API
reference, InventoryEntry) subtracts them from whatever is written. So they are subtracted once, from what may be sold, and added
again to what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

import polars as pl

from transforms.accounts import mapped_item, most_specific
from transforms.shares import QUANTITY_SCALE, whole_quantity

_INSTANT: Final = pl.Datetime("us", "UTC")
_WHOLE_PERCENT: Final = 100 * QUANTITY_SCALE
WEB_STOCK_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "sku": pl.String(),
    "location_ref": pl.String(),
    "native_ref": pl.String(),
    "version_no": pl.Int64(),
    "on_hand_qty": pl.Decimal(18, 4),
    "allocated_qty": pl.Decimal(18, 4),
    "reserved_qty": pl.Decimal(18, 4),
    "buffer_qty": pl.Decimal(18, 4),
    "buffer_rule": pl.String(),
    "available_qty": pl.Int64(),
    "current_qty": pl.Int64(),
    "publish_qty": pl.Int64(),
    "is_changed": pl.Boolean(),
    "hold_reason": pl.String(),
    "as_of_at": _INSTANT,
    "run_id": pl.String(),
}


@dataclass(frozen=True)
class StockPolicy:
    """`percent`: buffer where no row of buffers.csv fits, in percent of on hand. A figure older than `oldest` either raises the
    buffer to `stale_percent` of on hand (on top of units), or stops its publication. `allocated_includes_web`: Intacct's
    allocations already hold the storefront's own open orders, so these are not subtracted again."""

    percent: Decimal = Decimal(8)
    oldest: timedelta | None = timedelta(hours=4)
    stale: Literal["raise_buffer", "stop"] = "raise_buffer"
    stale_percent: Decimal = Decimal(20)
    allocated_includes_web: bool = False


def available_to_web(
    intacct_stock: pl.DataFrame,
    storefront_stock: pl.DataFrame,
    warehouses_mapping: pl.DataFrame,
    buffers: pl.DataFrame,
    policy: StockPolicy,
    *,
    as_of: datetime,
    run_id: str,
    items: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """out.web_stock from core.stock of both sides, the newest figures not after `as_of`.

    Every SKU a storefront lists gets a row at each of its mapped locations; where it has none yet, `native_ref` is null and the
    row must be created. Locations mapped `ignore` are left out; without a mapping, or without a figure in Intacct, a row says so
    in `hold_reason` and is not changed. `items` (items.csv) names the Intacct item of a SKU; without it they are the same.
    """
    shelves = _shelves(_newest(storefront_stock, as_of), warehouses_mapping, items)
    ledger = _newest(intacct_stock, as_of).select(
        pl.col("sku").alias("item"),
        pl.col("location_ref").alias("warehouse_ref"),
        whole_quantity("on_hand_qty").alias("on_hand"),
        whole_quantity("allocated_qty").fill_null(0).alias("allocated"),
        "as_of_at",
    )
    rows = shelves.join(ledger, on=["item", "warehouse_ref"], how="left")
    # A place the storefront has no row for is only worth creating where Intacct keeps the item.
    rows = rows.filter(pl.col("is_listed") | pl.col("on_hand").is_not_null())
    rows = _with_buffers(rows, buffers, policy, as_of)
    return _published(rows, policy, as_of, run_id)


def _newest(stock: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    return (
        stock.filter(pl.col("as_of_at") <= pl.lit(as_of, dtype=_INSTANT))
        .sort("source", "sku", "location_ref", "as_of_at", descending=[False, False, False, True])
        .unique(["source", "sku", "location_ref"], keep="first", maintain_order=True)
    )


def _shelves(listed: pl.DataFrame, warehouses: pl.DataFrame, items: pl.DataFrame | None) -> pl.DataFrame:
    """Each storefront's SKUs at each of its locations, listed there or to be created, with item and warehouse in Intacct."""
    listed = listed.select(
        pl.col("source").alias("storefront"), "sku", "location_ref", "native_ref", "version_no",
        whole_quantity("on_hand_qty").alias("current"), whole_quantity("reserved_qty").fill_null(0).alias("reserved"),
        is_listed=pl.lit(value=True),
    )  # fmt: skip
    exact = warehouses.filter((pl.col("storefront") != "*") & (pl.col("location_ref") != "*"))
    everywhere = (
        listed.select("storefront", "sku")
        .unique()
        .join(exact.select("storefront", "location_ref"), on="storefront")
    )
    places = pl.concat([listed.select("storefront", "sku", "location_ref"), everywhere]).unique()
    rows = places.join(listed, on=["storefront", "sku", "location_ref"], how="left").with_columns(
        pl.col("is_listed").fill_null(value=False), pl.col("reserved").fill_null(0)
    )
    rows = most_specific(rows, warehouses, ["storefront", "location_ref"], ["mode", "warehouse_ref"])
    rows = rows.filter((pl.col("mode") != "ignore").fill_null(value=True))
    if items is None:
        return rows.with_columns(item=pl.col("sku"))
    named = items.with_columns(item_rule=pl.col("sku"), item_mode=pl.col("mode"))
    rows = most_specific(rows, named, ["storefront", "sku"], ["item_ref", "item_rule", "item_mode"])
    return rows.filter((pl.col("item_mode") != "ignore").fill_null(value=True)).with_columns(
        item=pl.coalesce(mapped_item(), "sku")
    )


def _with_buffers(
    rows: pl.DataFrame, buffers: pl.DataFrame, policy: StockPolicy, as_of: datetime
) -> pl.DataFrame:
    """`buffer` in whole units of ten-thousandths, rounded up to whole pieces, and `buffer_rule` in words."""
    numbers = buffers.with_columns(
        given_percent=(pl.col("percent").cast(pl.Decimal(18, 4)) * QUANTITY_SCALE).cast(pl.Int64),
        given_units=(pl.col("units").cast(pl.Decimal(18, 4)) * QUANTITY_SCALE).cast(pl.Int64),
        rule=pl.concat_str("storefront", "location_ref", "sku", separator="/"),
    )
    rows = most_specific(
        rows, numbers, ["storefront", "location_ref", "sku"], ["given_percent", "given_units", "rule"]
    )
    oldest = policy.oldest if policy.oldest is not None else timedelta(days=365_000)
    default = int(policy.percent * QUANTITY_SCALE)
    raised = int(policy.stale_percent * QUANTITY_SCALE)
    stocked = pl.col("on_hand").clip(lower_bound=0).cast(pl.Int128)
    is_stale = (pl.lit(as_of, dtype=_INSTANT) - pl.col("as_of_at")) > oldest
    raises = is_stale & (policy.stale == "raise_buffer")
    percent = (
        pl.when(pl.col("given_units").is_not_null())
        .then(0)
        .otherwise(pl.col("given_percent").fill_null(default))
    )
    percent = pl.when(raises).then(pl.max_horizontal(percent, pl.lit(raised))).otherwise(percent)
    whole = _WHOLE_PERCENT * QUANTITY_SCALE
    of_stock = ((stocked * percent + (whole - 1)) // whole).cast(pl.Int64)
    units = (pl.col("given_units").fill_null(0) + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE
    name = pl.coalesce(pl.lit("buffers.csv ") + pl.col("rule"), pl.lit(f"default {policy.percent} %"))
    return rows.with_columns(
        is_stale=is_stale,
        buffer=of_stock + units,
        buffer_rule=pl.when(raises)
        .then(name + f", raised to {policy.stale_percent} %: figure is old")
        .otherwise(name),
    )


def _published(rows: pl.DataFrame, policy: StockPolicy, as_of: datetime, run_id: str) -> pl.DataFrame:
    held_back = pl.lit(0, dtype=pl.Int64) if policy.allocated_includes_web else pl.col("reserved")
    free = (pl.col("on_hand") - pl.col("allocated") - held_back) // QUANTITY_SCALE - pl.col("buffer")
    reserved_up = (pl.col("reserved") + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE
    current = pl.col("current") // QUANTITY_SCALE
    reason = (
        pl.when(pl.col("warehouse_ref").is_null())
        .then(
            pl.format(
                "Location '{}' has no warehouse; add a row like {},{},map,<warehouse>, to warehouses.csv.",
                "location_ref",
                "storefront",
                "location_ref",
            )
        )
        .when(pl.col("on_hand").is_null())
        .then(
            pl.format(
                "Intacct has no figure for item '{}' in warehouse '{}'; keep it there or map the SKU in items.csv.",
                "item",
                "warehouse_ref",
            )
        )
        .when(pl.col("is_stale") & (policy.stale == "stop"))
        .then(pl.lit("The figure of Intacct is older than the agreed interval; extract stock again."))
    )

    def quantity(expr: pl.Expr) -> pl.Expr:
        return (expr.fill_null(0).cast(pl.Decimal(38, 4)) / QUANTITY_SCALE).cast(pl.Decimal(18, 4))

    return (
        rows.with_columns(hold_reason=reason, available_qty=free.clip(lower_bound=0).fill_null(0))
        .with_columns(
            on_hand_qty=quantity(pl.col("on_hand")),
            allocated_qty=quantity(pl.col("allocated")),
            reserved_qty=quantity(pl.col("reserved")),
            buffer_qty=quantity(pl.col("buffer") * QUANTITY_SCALE),
            current_qty=current,
            publish_qty=pl.when(pl.col("hold_reason").is_null())
            .then(pl.col("available_qty") + reserved_up)
            .otherwise(current.clip(lower_bound=0).fill_null(0)),
            as_of_at=pl.col("as_of_at").fill_null(pl.lit(as_of, dtype=_INSTANT)),
            run_id=pl.lit(run_id),
        )
        .with_columns(
            is_changed=pl.col("hold_reason").is_null()
            & pl.col("publish_qty").ne_missing(pl.col("current_qty"))
        )
        .select(*WEB_STOCK_SCHEMA)
        .cast(WEB_STOCK_SCHEMA)  # type: ignore[arg-type]
        .sort("storefront", "sku", "location_ref")
    )
