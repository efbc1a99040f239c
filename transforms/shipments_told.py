"""Which order and which of its lines each shipment of the ledger stands for, and what a storefront is told of it.

The ledger ships items, an order has SKUs: items.csv says which item a SKU is and how many units of it one piece holds. Where several
lines of an order take the same item, shipments fill them in the order of the lines, in the order in which the ledger numbered the
shipments, so that a shipment once told never moves to another line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from transforms.accounts import mapped_item, most_specific
from transforms.identity import content_hashes, minted
from transforms.owed.shares import QUANTITY_SCALE, whole_quantity

FIELD: Final = "order.shipment"
_ORDER: Final = ["storefront", "order_ref"]
_ITEM: Final = [*_ORDER, "item_ref"]
_LINE: Final = [*_ORDER, "line_ref"]
_PLACED: Final = "placed"

_SENTENCES: Final = {
    # outcome: what is in the way and what to do about it
    "no_order": "No storefront that is told of shipments has the order {order}; correct the reference on {document} or wait for the order.",
    "ambiguous_order": "Several storefronts have an order {order}, so {document} is told to none; give the document the order's own id as reference.",
    "cancelled": "Order {order} is cancelled at the storefront and {document} ships it; stop the parcel or reopen the order.",
    "no_line": "{document} ships an item that no line of order {order} takes; correct the document, or the item in items.csv.",
    "too_many": "{document} ships more of an item than order {order} has; correct the document.",
    "part_of_pack": "{document} ships a part of a pack that order {order} sells whole; correct the quantity, or pack_qty in items.csv.",
    "shipped_there": "Order {order} has been shipped at the storefront already, so {document} is not told a second time.",
}


def placements(
    shipments: pl.DataFrame,
    lines: pl.DataFrame,
    orders: pl.DataFrame,
    order_lines: pl.DataFrame,
    shipped: pl.DataFrame,
    items: pl.DataFrame,
    *,
    fronts: Sequence[str],
    told: Sequence[str],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every standing shipment with its outcome (`out.ledger_shipments` without run), and the order lines of those placed: `document_ref`,
    `line_ref`, `quantity`.

    `fronts` are the storefronts that are told of shipments, `told` the documents they were told of before: those stay placed, whatever
    the storefront says has been shipped since.
    """
    found = _of_orders(shipments.filter(~pl.col("is_deleted")), orders, fronts)
    leaving = _leaving(found, lines)
    taking = _taking(order_lines, items, found.select(_ORDER).drop_nulls().unique())
    every = _shared(leaving, taking)
    unlisted = found.filter(pl.col("outcome_code").is_null()).join(lines, on="document_ref", how="anti")
    fits = _fitting(leaving, taking, every, unlisted, shipped, told)
    decided = found.join(fits, on="document_ref", how="left").with_columns(
        outcome_code=pl.coalesce("outcome_code", "line_outcome", pl.lit(_PLACED))
    )
    placed = decided.filter(pl.col("outcome_code") == _PLACED)
    parts = every.join(placed.select("document_ref"), on="document_ref", how="semi")
    rows = decided.join(_wholes(parts, taking), on="document_ref", how="left").with_columns(
        is_whole=pl.col("is_whole").fill_null(value=False), sentence=_sentence()
    )
    quantity = (pl.col("pieces").cast(pl.Decimal(22, 0)) / QUANTITY_SCALE).cast(pl.Decimal(18, 4))
    return (
        rows.sort(_number(), "document_ref"),
        parts.select("document_ref", "line_ref", "line_no", quantity=quantity).sort(
            _number(), "line_no", "line_ref"
        ),
    )


def shipments_told(placed: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """`order.shipment`, as rows to be written: one per shipment and tracking number; all of a shipment carry its key, so that a further
    number becomes a further parcel of the same delivery."""
    parcels = (
        lines.with_columns(pl.col("quantity").cast(pl.String))
        .group_by("document_ref", maintain_order=True)
        .agg(lines=pl.struct("line_ref", "quantity"))
    )
    rows = placed.filter(pl.col("outcome_code") == _PLACED).join(
        parcels, on="document_ref", maintain_order="left"
    )
    numbers = pl.col("tracking_refs").fill_null("").str.split(",").list.eval(pl.element().str.strip_chars())
    rows = rows.with_columns(
        shipment_key=minted(rows, "shipment", ["storefront", "document_ref"]), tracking_number=numbers
    )
    rows = (
        rows.explode("tracking_number")
        .with_columns(parcel_no=pl.int_range(pl.len()).over("document_ref"))
        .with_columns(tracking_number=pl.when(pl.col("tracking_number") != "").then("tracking_number"))
    )
    value = pl.struct(
        "shipment_key", "document_ref", "lines", "carrier", "tracking_number", "is_whole",
        shipment_ref="document_number", shipped_on=pl.col("shipped_on").cast(pl.String),
    )  # fmt: skip
    shaped = rows.select(
        "storefront",
        pl.lit(FIELD).alias("field"),
        "document_ref",
        "parcel_no",
        subject_ref="order_ref",
        order_number="order_number",
        value=value.struct.json_encode(),
    )
    shaped = shaped.with_columns(
        key=minted(shaped, "writeback", ["storefront", "field", "document_ref", "parcel_no"])
    )
    return shaped.with_columns(content_hashes(shaped, ["storefront", "field", "key", "value"])).select(
        "storefront", "field", "key", "subject_ref", "order_number", "value", "content_sha256"
    )


# ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _number() -> pl.Expr:
    """The ledger's own order of its documents."""
    return pl.col("document_ref").cast(pl.Int64, strict=False)


def _of_orders(standing: pl.DataFrame, orders: pl.DataFrame, fronts: Sequence[str]) -> pl.DataFrame:
    """Each shipment with its order where exactly one fits by number or by native id, else with the outcome."""
    there = orders.filter(pl.col("storefront").is_in(list(fronts))).select(
        *_ORDER, "order_number", "status_code"
    )
    wanted = standing.select("document_ref", "order_reference").drop_nulls()
    # The storefront's own id says which order is meant even where two shops count alike.
    by_ref = wanted.join(there.with_columns(named="order_ref"), left_on="order_reference", right_on="named")
    by_number = wanted.join(
        there.with_columns(named="order_number"), left_on="order_reference", right_on="named"
    ).join(by_ref, on="document_ref", how="anti")
    columns = ["document_ref", *_ORDER, "order_number", "status_code"]
    fits = pl.concat([by_ref.select(columns), by_number.select(columns)])
    many = fits.group_by("document_ref").agg(fits=pl.len())
    one = fits.join(many.filter(pl.col("fits") == 1), on="document_ref", how="semi")
    return (
        standing.select(
            "document_ref", "document_number", "order_reference", "shipped_on", "carrier", "tracking_refs"
        )
        .join(many, on="document_ref", how="left")
        .join(one, on="document_ref", how="left", maintain_order="left")
        .with_columns(
            outcome_code=pl.when(pl.col("fits").is_null())
            .then(pl.lit("no_order"))
            .when(pl.col("fits") > 1)
            .then(pl.lit("ambiguous_order"))
            .when(pl.col("status_code") == "cancelled")
            .then(pl.lit("cancelled"))
        )
        .drop("fits", "status_code")
    )


def _taking(order_lines: pl.DataFrame, items: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Order lines with the item they take, units per piece and where they stand in the run of units of that item:
    `from` and `until`, in ten-thousandths."""
    # A line without a SKU is money, not goods: a tax that an X-Cart order states for the whole, for example.
    goods = order_lines.filter((pl.col("kind_code") == "item") & pl.col("sku").is_not_null()).join(
        orders, on=_ORDER, how="semi"
    )
    named = most_specific(
        goods.select(*_LINE, "line_no", "sku", "quantity"),
        items.with_columns(item_rule=pl.col("sku"), item_mode=pl.col("mode")),
        ["storefront", "sku"],
        ["item_ref", "item_rule", "item_mode", "pack_qty"],
    )
    return (
        named.filter((pl.col("item_mode") == "map").fill_null(value=False))
        .with_columns(
            item_ref=pl.coalesce(mapped_item(), "sku"),
            pack=(pl.col("pack_qty").cast(pl.Decimal(18, 4)).fill_null(1) * QUANTITY_SCALE).cast(pl.Int64),
        )
        .with_columns(units=whole_quantity("quantity") * pl.col("pack") // QUANTITY_SCALE)
        .sort(*_ITEM, "line_no", "line_ref")
        .with_columns(line_until=pl.col("units").cum_sum().over(_ITEM))
        .with_columns(line_from=pl.col("line_until") - pl.col("units"))
    )


def _leaving(found: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """What each shipment takes of each item, and where that stands in the run of all shipments of the order."""
    return (
        lines.join(
            found.filter(pl.col("outcome_code").is_null()).select("document_ref", *_ORDER), on="document_ref"
        )
        .group_by("document_ref", *_ITEM)
        .agg(units=whole_quantity("quantity").sum())
        .sort(*_ITEM, _number(), "document_ref")
        .with_columns(until=pl.col("units").cum_sum().over(_ITEM))
        .with_columns(start=pl.col("until") - pl.col("units"))
    )


def _shared(leaving: pl.DataFrame, taking: pl.DataFrame) -> pl.DataFrame:
    """The order lines each shipment fills: `document_ref`, order, `line_ref`, `line_no`, `units` and `pieces` in ten-thousandths."""
    return (
        leaving.drop("units")
        .join(taking.select(*_ITEM, "line_ref", "line_no", "pack", "line_from", "line_until"), on=_ITEM)
        .with_columns(
            units=pl.min_horizontal("until", "line_until") - pl.max_horizontal("start", "line_from"),
            whole_units=pl.col("line_until") - pl.col("line_from"),
        )
        .filter(pl.col("units") > 0)
        .with_columns(
            pieces=pl.col("units") * QUANTITY_SCALE // pl.col("pack"),
            is_broken=(pl.col("units") * QUANTITY_SCALE % pl.col("pack") != 0)
            | ((pl.col("pack") != QUANTITY_SCALE) & (pl.col("units") % pl.col("pack") != 0)),
        )
    )


def _fitting(
    leaving: pl.DataFrame,
    taking: pl.DataFrame,
    parts: pl.DataFrame,
    unlisted: pl.DataFrame,
    shipped: pl.DataFrame,
    told: Sequence[str],
) -> pl.DataFrame:
    """`document_ref` and `line_outcome` of shipments whose lines do not fit their order."""
    against = leaving.join(taking.group_by(_ITEM).agg(most=pl.col("units").sum()), on=_ITEM, how="left")
    ours = pl.col("document_ref").is_in(list(told))
    there = shipped.group_by(_LINE).agg(there=whole_quantity("quantity").sum())
    held = (
        parts.join(there, on=_LINE, how="left")
        .sort(_number(), "document_ref")
        .with_columns(
            ours=pl.when(ours).then("pieces").otherwise(0).sum().over(_LINE),
            new=pl.when(ours).then(0).otherwise("pieces").cum_sum().over(_LINE),
            ordered=(pl.col("whole_units") * QUANTITY_SCALE // pl.col("pack")),
        )
    )
    elsewhere = (pl.col("there").fill_null(0) - pl.col("ours")).clip(lower_bound=0)
    again = held.filter(~ours & (pl.col("ours") + elsewhere + pl.col("new") > pl.col("ordered")))
    bad = [
        _said(unlisted, 1, "no_line"),
        _said(against.filter(pl.col("most").is_null()), 1, "no_line"),
        _said(against.filter(pl.col("until") > pl.col("most")), 2, "too_many"),
        _said(parts.filter("is_broken"), 3, "part_of_pack"),
        _said(again, 4, "shipped_there"),
    ]
    return (
        pl.concat(bad)
        .sort("document_ref", "rank")
        .unique("document_ref", keep="first", maintain_order=True)
        .select("document_ref", "line_outcome")
    )


def _said(rows: pl.DataFrame, rank: int, outcome: str) -> pl.DataFrame:
    return rows.select("document_ref", rank=pl.lit(rank), line_outcome=pl.lit(outcome))


def _wholes(parts: pl.DataFrame, taking: pl.DataFrame) -> pl.DataFrame:
    """`is_whole`: with this shipment and those before it all units of every line the ledger has an item for have left the house."""
    ordered = taking.group_by(_ORDER).agg(ordered=pl.col("units").sum())
    return (
        parts.group_by("document_ref", *_ORDER)
        .agg(units=pl.col("units").sum())
        .sort(_number(), "document_ref")
        .with_columns(gone=pl.col("units").cum_sum().over(_ORDER))
        .join(ordered, on=_ORDER)
        .select("document_ref", is_whole=pl.col("gone") >= pl.col("ordered"))
    )


def _sentence() -> pl.Expr:
    named = {
        "order": pl.coalesce("order_number", "order_reference", pl.lit("(none named)")),
        "document": pl.col("document_number"),
    }
    said: pl.Expr = pl.lit("")
    for outcome, text in _SENTENCES.items():
        places = re.findall(r"{(\w+)}", text)
        sentence = pl.format(re.sub(r"{\w+}", "{}", text), *(named[place] for place in places))
        said = pl.when(pl.col("outcome_code") == outcome).then(sentence).otherwise(said)
    return said
