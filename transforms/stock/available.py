"""What the web may sell: available to web = on hand − allocated − safety buffer, floored at zero, per item and location.

A storefront that reserves its own open orders (commercetools: availableQuantity = quantityOnStock − reservations, commercetools API
reference, InventoryEntry; Magento: salable quantity = sources + reservations, Magento Inventory Management) subtracts them from
whatever is written. So they are subtracted once, from what may be sold, and added again to what is written. A storefront that does
not reserve has taken its open orders off its own figure already; the ledger has not, so they are subtracted here as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

import polars as pl

from transforms.owed.shares import QUANTITY_SCALE, whole_quantity
from transforms.stock.parts import PLACE, SHELF, held, parts, shelves, with_buffers, with_shares

_INSTANT: Final = pl.Datetime("us", "UTC")
_QUANTITY: Final = pl.Decimal(18, 4)
_WHOLE: Final = 100 * QUANTITY_SCALE
WEB_STOCK_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "sku": pl.String(),
    "location_ref": pl.String(),
    "native_ref": pl.String(),
    "version_no": pl.Int64(),
    "item_ref": pl.String(),
    "per_piece_qty": pl.Decimal(18, 4),
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
PARTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "sku": pl.String(),
    "location_ref": pl.String(),
    "item_ref": pl.String(),
    "warehouse_ref": pl.String(),
    "per_piece_qty": pl.Decimal(18, 4),
    "on_hand_qty": pl.Decimal(18, 4),
    "allocated_qty": pl.Decimal(18, 4),
    "held_qty": pl.Decimal(18, 4),
    "reserved_qty": pl.Decimal(18, 4),
    "buffer_percent": pl.Decimal(18, 4),
    "buffer_units_qty": pl.Decimal(18, 4),
    "share_percent": pl.Decimal(18, 4),
    "keep_qty": pl.Decimal(18, 4),
    "pieces_qty": pl.Int64(),
    "as_of_at": _INSTANT,
    "run_id": pl.String(),
}


@dataclass(frozen=True)
class StockPolicy:
    """`percent`: buffer where no row of buffers.csv fits, in percent of on hand. A figure older than `oldest` either raises the
    buffer to `stale_percent` of on hand (on top of units), or stops its publication. `allocated_includes_web`: Intacct's
    allocations already hold the storefronts' open orders, so these are not subtracted again."""

    percent: Decimal = Decimal(8)
    oldest: timedelta | None = timedelta(hours=4)
    stale: Literal["raise_buffer", "stop"] = "raise_buffer"
    stale_percent: Decimal = Decimal(20)
    allocated_includes_web: bool = False


@dataclass(frozen=True)
class WebStock:
    """`rows`: out.web_stock, one row per SKU and location. `parts`: out.web_stock_parts, what each was worked out from."""

    rows: pl.DataFrame
    parts: pl.DataFrame


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
    """The rows of `web_stock`, for one storefront without kits and shares."""
    return web_stock(
        intacct_stock, storefront_stock, warehouses_mapping, buffers, policy, as_of=as_of, run_id=run_id, items=items
    ).rows  # fmt: skip


def web_stock(
    intacct_stock: pl.DataFrame,
    storefront_stock: pl.DataFrame,
    warehouses_mapping: pl.DataFrame,
    buffers: pl.DataFrame,
    policy: StockPolicy,
    *,
    as_of: datetime,
    run_id: str,
    items: pl.DataFrame | None = None,
    kits: pl.DataFrame | None = None,
    shares: pl.DataFrame | None = None,
    pending: pl.DataFrame | None = None,
) -> WebStock:
    """out.web_stock and out.web_stock_parts from core.stock of both sides, the newest figures not after `as_of`.

    Every SKU a storefront lists gets a row at each of its mapped locations; where it has none yet, `native_ref` is null and the
    row must be created. Locations mapped `ignore` are left out; without a mapping, or without a figure in Intacct, a row says so
    in `hold_reason` and is not changed. `items` (items.csv) names the Intacct item and pack size of a SKU; without it they are the
    same. `kits` (kits.csv) makes a SKU as available as its scarcest component. `shares` (stock_shares.csv) says how storefronts that
    sell from one warehouse share it. `pending` (`storefront`, `sku`, `pending_qty`) is what was ordered and not shipped, and is used for
    storefronts that reserve nothing themselves. Quantities of the ledger are in its own units, those of the storefront in pieces.
    """
    listed = shelves(_newest(storefront_stock, as_of), warehouses_mapping, items)
    ledger = _newest(intacct_stock, as_of).select(
        pl.col("sku").alias("item_ref"),
        pl.col("location_ref").alias("warehouse_ref"),
        whole_quantity("on_hand_qty").alias("on_hand"),
        whole_quantity("allocated_qty").fill_null(0).clip(lower_bound=0).alias("allocated"),
        "as_of_at",
    )
    rows = parts(listed, kits).join(ledger, on=PLACE, how="left")
    # A place the storefront has no row for is only worth creating where Intacct keeps everything the SKU is made of.
    rows = rows.filter(pl.col("is_listed") | pl.col("on_hand").is_not_null().all().over(SHELF))
    rows = held(rows, pending)
    if policy.allocated_includes_web:
        rows = rows.with_columns(held=pl.lit(0, dtype=pl.Int64))
    rows = with_shares(with_buffers(rows, buffers, int(policy.percent * QUANTITY_SCALE)), shares)
    rows = _pieces(_aged(rows, policy, as_of))
    return WebStock(_published(rows, policy, as_of, run_id), _parts(rows, as_of, run_id))


def _newest(stock: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    return (
        stock.filter(pl.col("as_of_at") <= pl.lit(as_of, dtype=_INSTANT))
        .sort("source", "sku", "location_ref", "as_of_at", descending=[False, False, False, True])
        .unique(["source", "sku", "location_ref"], keep="first", maintain_order=True)
    )


def _aged(rows: pl.DataFrame, policy: StockPolicy, as_of: datetime) -> pl.DataFrame:
    """Adds `is_stale`; where figures are old and the policy says so, the buffer's percent is raised."""
    oldest = policy.oldest if policy.oldest is not None else timedelta(days=365_000)
    is_stale = (pl.lit(as_of, dtype=_INSTANT) - pl.col("as_of_at")) > oldest
    raises = is_stale.fill_null(value=False) & (policy.stale == "raise_buffer")
    raised = pl.max_horizontal("buffer_percent", pl.lit(int(policy.stale_percent * QUANTITY_SCALE)))
    said = pl.col("buffer_rule") + f", raised to {policy.stale_percent} %: figure is old"
    return rows.with_columns(
        is_stale=is_stale,
        buffer_percent=pl.when(raises).then(raised).otherwise(pl.col("buffer_percent")),
        buffer_rule=pl.when(raises).then(said).otherwise(pl.col("buffer_rule")),
    )


def _pieces(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `buffer` in whole units and `pieces`: how many of the SKU the item alone would allow; null without a figure."""
    stocked = pl.col("on_hand").clip(lower_bound=0).cast(pl.Int128)
    whole = _WHOLE * QUANTITY_SCALE
    of_stock = ((stocked * pl.col("buffer_percent") + (whole - 1)) // whole).cast(pl.Int64)
    units = (pl.col("buffer_units") + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE
    kept_back = pl.col("held") + pl.col("buffer") * QUANTITY_SCALE + pl.col("keep")
    free = pl.col("on_hand") - pl.col("allocated") - kept_back
    shared = (free.clip(lower_bound=0).cast(pl.Int128) * pl.col("share_percent") // _WHOLE).cast(pl.Int64)
    return rows.with_columns(buffer=of_stock + units).with_columns(pieces=shared // pl.col("per_piece"))


def _published(rows: pl.DataFrame, policy: StockPolicy, as_of: datetime, run_id: str) -> pl.DataFrame:
    scarcest = (
        rows.sort(*SHELF, "pieces", "item_ref", nulls_last=False)
        .with_columns(
            is_stale=pl.col("is_stale").any().over(SHELF),
            as_of_at=pl.col("as_of_at").min().over(SHELF),
        )
        .unique(SHELF, keep="first", maintain_order=True)
    )
    reserved = pl.col("reserved").fill_null(0)
    reserved_up = (reserved + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE
    current = pl.col("current") // QUANTITY_SCALE
    return (
        scarcest.with_columns(hold_reason=_hold_reason(policy), available_qty=pl.col("pieces").fill_null(0))
        .with_columns(
            per_piece_qty=_quantity(pl.col("per_piece")),
            on_hand_qty=_quantity(pl.col("on_hand")),
            allocated_qty=_quantity(pl.col("allocated")),
            reserved_qty=_quantity(reserved),
            buffer_qty=_quantity(pl.col("buffer") * QUANTITY_SCALE),
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
        .sort(SHELF)
    )


def _hold_reason(policy: StockPolicy) -> pl.Expr:
    return (
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
                "item_ref",
                "warehouse_ref",
            )
        )
        .when(pl.col("is_stale").fill_null(value=False) & (policy.stale == "stop"))
        .then(pl.lit("The figure of Intacct is older than the agreed interval; extract stock again."))
    )


def _parts(rows: pl.DataFrame, as_of: datetime, run_id: str) -> pl.DataFrame:
    scaled = {
        "per_piece_qty": "per_piece", "on_hand_qty": "on_hand", "allocated_qty": "allocated", "held_qty": "held",
        "reserved_qty": "reserved", "buffer_percent": "buffer_percent", "buffer_units_qty": "buffer_units",
        "share_percent": "share_percent", "keep_qty": "keep",
    }  # fmt: skip
    return (
        rows.with_columns(
            *(
                (pl.col(name).cast(pl.Decimal(38, 4)) / QUANTITY_SCALE).cast(_QUANTITY).alias(column)
                for column, name in scaled.items()
            ),
            pieces_qty=pl.col("pieces"),
            as_of_at=pl.col("as_of_at").fill_null(pl.lit(as_of, dtype=_INSTANT)),
            run_id=pl.lit(run_id),
        )
        .select(*PARTS_SCHEMA)
        .cast(PARTS_SCHEMA)  # type: ignore[arg-type]
        .sort(*SHELF, "item_ref")
    )


def _quantity(expr: pl.Expr) -> pl.Expr:
    return (expr.fill_null(0).cast(pl.Decimal(38, 4)) / QUANTITY_SCALE).cast(_QUANTITY)
