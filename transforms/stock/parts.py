"""What a SKU takes from the shelves: its item with a pack size, or the components of a kit; and the buffer kept back of each.

All quantities in here are whole ten-thousandths, so that nothing is rounded before it must be.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.accounts import mapped_item, most_specific
from transforms.owed.shares import QUANTITY_SCALE, whole_quantity

SHELF: Final = ["storefront", "sku", "location_ref"]
PLACE: Final = ["item_ref", "warehouse_ref"]


def shelves(listed: pl.DataFrame, warehouses: pl.DataFrame, items: pl.DataFrame | None) -> pl.DataFrame:
    """Each storefront's SKUs at each of its locations, listed there or to be created, with item, pack and warehouse in Intacct.

    `current`, `reserved` (null where the storefront reserves nothing itself), `pack` are ten-thousandths.
    """
    listed = listed.select(
        pl.col("source").alias("storefront"), "sku", "location_ref", "native_ref", "version_no",
        whole_quantity("on_hand_qty").alias("current"),
        whole_quantity("reserved_qty").clip(lower_bound=0).alias("reserved"),
        is_listed=pl.lit(value=True),
    )  # fmt: skip
    exact = warehouses.filter((pl.col("storefront") != "*") & (pl.col("location_ref") != "*"))
    everywhere = (
        listed.select("storefront", "sku")
        .unique()
        .join(exact.select("storefront", "location_ref"), on="storefront")
    )
    reserves = listed.group_by("storefront").agg(reserves=pl.col("reserved").is_not_null().any())
    places = pl.concat([listed.select(SHELF), everywhere]).unique()
    rows = (
        places.join(listed, on=SHELF, how="left")
        .join(reserves, on="storefront", how="left")
        .with_columns(
            pl.col("is_listed").fill_null(value=False),
            # A row that is yet to be made at a storefront that reserves begins with nothing reserved.
            reserved=pl.when(pl.col("reserves")).then(pl.col("reserved").fill_null(0)),
        )
        .drop("reserves")
    )
    rows = most_specific(rows, warehouses, ["storefront", "location_ref"], ["mode", "warehouse_ref"])
    rows = rows.filter((pl.col("mode") != "ignore").fill_null(value=True))
    if items is None:
        return rows.with_columns(
            item_ref=pl.col("sku"), class_ref=pl.lit(None, dtype=pl.String), pack=pl.lit(QUANTITY_SCALE, dtype=pl.Int64)
        )  # fmt: skip
    named = items.with_columns(
        item_rule=pl.col("sku"), item_mode=pl.col("mode"), class_ref=pl.col("category_ref")
    )
    values = ["item_ref", "item_rule", "item_mode", "class_ref", "pack_qty"]
    rows = most_specific(rows, named, ["storefront", "sku"], values)
    return rows.filter((pl.col("item_mode") != "ignore").fill_null(value=True)).with_columns(
        item_ref=pl.coalesce(mapped_item(), "sku"), pack=_pieces("pack_qty").fill_null(QUANTITY_SCALE)
    )


def parts(rows: pl.DataFrame, kits: pl.DataFrame | None) -> pl.DataFrame:
    """One row per SKU, location and item it takes: `item_ref` and `per_piece`. A kit's own item is not taken, its components are."""
    plain = rows.with_columns(per_piece=pl.col("pack"))
    if kits is None or kits.is_empty():
        return plain
    wanted = kits.select(
        "storefront", "sku", component_ref="component_ref", component=_pieces("component_qty")
    )
    anywhere = wanted.filter(pl.col("storefront") == "*").drop("storefront")
    own = wanted.filter(pl.col("storefront") != "*")
    skus = rows.select("storefront", "sku").unique()
    named = skus.join(own, on=["storefront", "sku"])
    # A recipe of the storefront's own replaces the one for any storefront, whole.
    general = skus.join(named, on=["storefront", "sku"], how="anti").join(anywhere, on="sku")
    recipes = pl.concat([named, general])
    made = plain.join(recipes, on=["storefront", "sku"]).with_columns(
        item_ref=pl.col("component_ref"), per_piece=pl.col("component")
    )
    return pl.concat([plain.join(recipes, on=["storefront", "sku"], how="anti"), made.select(plain.columns)])


def with_buffers(rows: pl.DataFrame, buffers: pl.DataFrame, default: int) -> pl.DataFrame:
    """Adds `buffer_percent` and `buffer_units` in ten-thousandths and `buffer_rule` in words.

    Precedence: item and location, item, class, location, storefront, any; then `default` percent.
    """
    numbers = buffers.with_columns(
        pl.col("class_ref").replace("", "*"),
        given_percent=_pieces("percent"),
        given_units=_pieces("units"),
        rule=pl.concat_str(
            "storefront",
            "location_ref",
            "sku",
            pl.when(~pl.col("class_ref").is_in(["", "*"])).then(pl.lit("class ") + pl.col("class_ref")),
            separator="/",
            ignore_nulls=True,
        ),
    )
    keys = ["sku", "class_ref", "location_ref", "storefront"]
    values = ["given_percent", "given_units", "rule"]
    found = most_specific(rows, numbers, keys, values, stars_first=False)
    has_units = pl.col("given_units").is_not_null()
    return found.with_columns(
        buffer_percent=pl.when(has_units).then(0).otherwise(pl.col("given_percent").fill_null(default)),
        buffer_units=pl.col("given_units").fill_null(0),
        buffer_rule=pl.coalesce(
            pl.lit("buffers.csv ") + pl.col("rule"), pl.lit(f"default {_percent_words(default)} %")
        ),
    ).drop(values)


def with_shares(rows: pl.DataFrame, shares: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `share_percent` and `keep` in ten-thousandths: which part of what is free this storefront may sell, and how many units of
    each item it leaves to the storefronts before it. Without a row a warehouse is pooled: everybody may sell everything."""
    whole, nothing = pl.lit(100 * QUANTITY_SCALE, dtype=pl.Int64), pl.lit(0, dtype=pl.Int64)
    if shares is None or shares.is_empty():
        return rows.with_columns(share_percent=whole, keep=nothing)
    own = shares.with_columns(own_share=_pieces("share_percent"), own_keep=_pieces("keep_qty"))
    found = most_specific(rows, own, ["warehouse_ref", "storefront"], ["policy", "own_share", "own_keep"])
    return found.with_columns(
        share_percent=pl.when(pl.col("policy") == "share").then(pl.col("own_share")).otherwise(whole).fill_null(whole),
        keep=pl.when(pl.col("policy") == "priority").then(pl.col("own_keep")).otherwise(nothing).fill_null(nothing),
    ).drop("policy", "own_share", "own_keep")  # fmt: skip


def held(rows: pl.DataFrame, pending: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `held`: units of the item in the warehouse that web orders of any storefront hold, in ten-thousandths, rounded up.

    A storefront that reserves its own orders says how many; for one that does not, `pending` (`storefront`, `sku`, `pending_qty`)
    is what was ordered and has not been shipped, taken from where most of the item lies.
    """
    waiting = rows.with_columns(waiting=pl.lit(0, dtype=pl.Int64))
    if pending is not None and pending.height:
        owed = pending.select("storefront", "sku", owed=whole_quantity("pending_qty").clip(lower_bound=0))
        at = (
            rows.filter(pl.col("reserved").is_null())
            .sort(
                "storefront",
                "sku",
                "on_hand",
                "location_ref",
                descending=[False, False, True, False],
                nulls_last=True,
            )
            .unique(["storefront", "sku"], keep="first", maintain_order=True)
            .select(SHELF)
            .join(owed.group_by("storefront", "sku").agg(pl.col("owed").sum()), on=["storefront", "sku"])
        )
        waiting = (
            rows.join(at, on=SHELF, how="left").with_columns(waiting=pl.col("owed").fill_null(0)).drop("owed")
        )
    pieces = (pl.col("reserved").fill_null(0) + pl.col("waiting")).cast(pl.Int128)
    units = ((pieces * pl.col("per_piece") + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE).cast(pl.Int64)
    taken = waiting.with_columns(units=units)
    return (
        taken.with_columns(held=pl.col("units").sum().over(PLACE))
        .drop("units", "waiting")
        .select(*rows.columns, "held")
    )


def _pieces(column: str) -> pl.Expr:
    """A decimal written in a mapping, as a whole number of ten-thousandths."""
    return (pl.col(column).cast(pl.Decimal(18, 4)) * QUANTITY_SCALE).cast(pl.Int64)


def _percent_words(scaled: int) -> str:
    whole, rest = divmod(scaled, QUANTITY_SCALE)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def takes(skus: pl.DataFrame, items: pl.DataFrame, kits: pl.DataFrame) -> pl.DataFrame:
    """Which items the SKUs (`storefront`, `sku`) take: `storefront`, `sku`, `item_ref`, `per_piece` in ten-thousandths, `class_ref`. SKUs
    that are mapped `ignore` take none."""
    named = items.with_columns(
        item_rule=pl.col("sku"), item_mode=pl.col("mode"), class_ref=pl.col("category_ref")
    )
    values = ["item_ref", "item_rule", "item_mode", "class_ref", "pack_qty"]
    rows = most_specific(
        skus.select("storefront", "sku").unique().sort("storefront", "sku"),
        named,
        ["storefront", "sku"],
        values,
    )
    rows = rows.filter((pl.col("item_mode") != "ignore").fill_null(value=True)).with_columns(
        item_ref=pl.coalesce(mapped_item(), "sku"), pack=_pieces("pack_qty").fill_null(QUANTITY_SCALE)
    )
    return parts(rows, kits).select("storefront", "sku", "item_ref", "per_piece", "class_ref")
