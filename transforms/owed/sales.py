"""Sales: when an order, or a shipment of it, is recognised, and which part of each of its lines goes with it.

Items go with their shipment by quantity. What belongs to the order as a whole (shipping, fees, its discount, rounding) goes with the
first; the last shipment of an order shipped whole takes whatever remains, so that the sales of an order sum to its total. A discount
that would turn the first sale negative is spread over the sales by the net of their items instead.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.owed.shares import QUANTITY_SCALE, share_between, whole_quantity
from transforms.running import position

_INSTANT: Final = pl.Datetime("us", "UTC")
_COMPONENT_OF_KIND: Final = {
    "item": "goods",
    "gift_card": "gift_card",
    "shipping": "shipping",
    "fee": "fees",
    "discount": "discount",
    "rounding": "rounding",
}
_HEADER_COMPONENTS: Final = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
_AMOUNTS: Final = ("net_minor", "discount_minor", "tax_minor")
_MADE_LINE_NO: Final = 1_000_000
"""Position of lines made here, after all lines of the order."""


def sale_events(
    live: pl.DataFrame, lines: pl.DataFrame, shipments: pl.DataFrame, partial: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Recognised sales of the orders in `live`, and their parts.

    `live` has `oid`, the identity, `basis`, the instants, `charged_at`, the header's components and `total_minor`. Events: `oid`,
    `event_code`, `event_ref` (the shipment, or `whole`), `owed_at`, `event_minor`. Parts: one row per line and component with
    `line_ref`, `line_no`, `component_code`, `amount_minor` and what the line says of itself; they sum to their event.
    """
    numbered = _events(live, shipments, partial)
    whole = _whole_lines(live, lines)
    singles = numbered.filter(pl.col("n") == 1)
    several = numbered.filter(pl.col("n") > 1)
    shipped = _shipped_quantities(live, shipments)
    portions = pl.concat(
        [_portions_of_one(whole, singles, shipped), _portions_of_several(whole, several, shipped)]
    )
    parts = components(portions).with_columns(event_code=pl.lit("sale"))
    totals = parts.group_by("oid", "event_ref").agg(event_minor=pl.col("amount_minor").sum())
    # A shipment of nothing but gifts owes no document: it has no parts and drops out here.
    events = numbered.join(totals, on=["oid", "event_ref"]).select(
        "oid", pl.lit("sale").alias("event_code"), "event_ref", "owed_at", "event_minor"
    )
    return events, parts


def components(portions: pl.DataFrame) -> pl.DataFrame:
    """Lines with `net_minor`, `discount_minor`, `tax_minor` as one row per component that is not zero."""
    carried = [name for name in portions.columns if name not in (*_AMOUNTS, "kind_code")]
    is_discount = pl.col("kind_code") == "discount"
    rows = []
    for amount, component in (
        ("net_minor", pl.col("kind_code").replace_strict(_COMPONENT_OF_KIND, return_dtype=pl.String)),
        ("discount_minor", pl.lit("discount")),
        ("tax_minor", pl.coalesce("header_component", pl.lit("tax"))),
    ):
        value = pl.col(amount)
        if amount == "net_minor":
            value = pl.when(is_discount).then(value + pl.col("discount_minor")).otherwise(value)
        elif amount == "discount_minor":
            value = pl.when(is_discount).then(0).otherwise(value)
        rows.append(
            portions.select(*carried, component.alias("component_code"), value.alias("amount_minor")).filter(
                pl.col("amount_minor") != 0
            )
        )
    goods = pl.col("component_code").is_in(["goods", "gift_card"])
    return pl.concat(rows).with_columns(
        quantity=pl.when(goods & pl.col("quantity_no").is_not_null()).then(
            (pl.col("quantity_no").cast(pl.Decimal(38, 4)) / QUANTITY_SCALE).cast(pl.Decimal(18, 4))
        ),
        tax_code=pl.when(pl.col("component_code") == "tax").then(pl.col("tax_code")),
        sku=pl.when(goods).then(pl.col("sku")),
        category_ref=pl.when(goods).then(pl.col("category_ref")),
    )


def _events(live: pl.DataFrame, shipments: pl.DataFrame, partial: str) -> pl.DataFrame:
    """Every recognition with its place `k` among the `n` of its order, oldest first."""
    dispatched = (
        shipments.join(
            live.filter(pl.col("basis") == "shipped").select("storefront", "order_ref", "oid"),
            on=["storefront", "order_ref"],
        )
        .group_by("oid", "shipment_ref")
        .agg(owed_at=pl.col("shipped_at").min())
        .select("oid", pl.col("shipment_ref").alias("event_ref"), "owed_at", is_whole=pl.lit(value=False))
    )
    if partial == "whole_at_first":
        dispatched = (
            dispatched.sort("oid", "owed_at", "event_ref")
            .unique("oid", keep="first", maintain_order=True)
            .with_columns(is_whole=pl.lit(value=True))
        )
    standing = pl.col("status_code") != "cancelled"
    instant = (
        pl.when((pl.col("basis") == "placed") & standing)
        .then(pl.col("placed_at"))
        .when(pl.col("basis") == "captured")
        .then(pl.coalesce("charged_at", "captured_at"))
        .when(pl.col("basis") == "shipped")
        .then(pl.col("shipped_at"))
        .when(pl.col("basis") == "invoiced")
        .then(pl.col("invoiced_at"))
    )
    at_once = (
        live.join(dispatched.select("oid"), on="oid", how="anti")
        .select(
            "oid",
            pl.lit("whole").alias("event_ref"),
            instant.cast(_INSTANT).alias("owed_at"),
            is_whole=pl.lit(value=True),
        )
        .filter(pl.col("owed_at").is_not_null())
    )
    return (
        pl.concat([dispatched, at_once])
        .sort("oid", "owed_at", "event_ref")
        .with_columns(
            k=position("oid"),
            n=pl.len().over("oid").cast(pl.Int64),
        )
    )


def _whole_lines(live: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The lines of live orders with `quantity_no`, and made lines: the header's components where an order came without lines,
    and what the lines leave open of the header's total, as rounding."""
    found = lines.join(
        live.select("storefront", "order_ref", "oid"), on=["storefront", "order_ref"]
    ).select(
        "oid", "line_ref", "line_no", "kind_code", "sku", "category_ref", "description", "tax_code",
        whole_quantity("quantity").alias("quantity_no"), *_AMOUNTS, pl.lit(None, dtype=pl.String).alias("header_component"),
    )  # fmt: skip
    sums = found.group_by("oid").agg(lines_minor=pl.sum_horizontal(pl.col(name).sum() for name in _AMOUNTS))
    header = live.join(sums, on="oid", how="left")
    bare = header.filter(pl.col("lines_minor").is_null())
    made = [
        bare.select(
            "oid",
            pl.lit(component).alias("header_component"),
            pl.col(f"{component}_minor").alias("tax_minor"),
        )
        for component in _HEADER_COMPONENTS
    ]
    in_header = pl.sum_horizontal(pl.col(f"{component}_minor") for component in _HEADER_COMPONENTS)
    made.append(
        header.select(
            "oid",
            pl.lit("rounding").alias("header_component"),
            (pl.col("total_minor") - pl.coalesce("lines_minor", in_header)).alias("tax_minor"),
        )
    )
    added = pl.concat(made).filter(pl.col("tax_minor") != 0)
    text = {
        name: pl.lit(None, dtype=pl.String) for name in ("sku", "category_ref", "description", "tax_code")
    }
    return pl.concat(
        [
            found,
            added.select(
                "oid",
                (pl.lit("header:") + pl.col("header_component")).alias("line_ref"),
                pl.lit(_MADE_LINE_NO, dtype=pl.Int64).alias("line_no"),
                pl.lit("rounding").alias("kind_code"),
                *(value.alias(name) for name, value in text.items()),
                pl.lit(0, dtype=pl.Int64).alias("quantity_no"),
                pl.lit(0, dtype=pl.Int64).alias("net_minor"),
                pl.lit(0, dtype=pl.Int64).alias("discount_minor"),
                "tax_minor",
                "header_component",
            ),
        ]
    )


def _shipped_quantities(live: pl.DataFrame, shipments: pl.DataFrame) -> pl.DataFrame:
    return (
        shipments.join(live.select("storefront", "order_ref", "oid"), on=["storefront", "order_ref"])
        .group_by("oid", pl.col("shipment_ref").alias("event_ref"), "line_ref")
        .agg(shipped_no=whole_quantity("quantity").sum())
    )


_CARRIED: Final = [
    "oid", "event_ref", "line_ref", "line_no", "kind_code", "sku", "category_ref", "description", "tax_code", "quantity_no",
    *_AMOUNTS, "header_component",
]  # fmt: skip
_SHIPS: Final = pl.col("kind_code").is_in(["item", "gift_card"]) & (pl.col("quantity_no") > 0)


def _portions_of_one(whole: pl.DataFrame, singles: pl.DataFrame, shipped: pl.DataFrame) -> pl.DataFrame:
    """Orders with one recognition so far: most of them, and most of those whole. No windows needed."""
    rows = (
        whole.join(singles.select("oid", "event_ref", "is_whole"), on="oid")
        .join(shipped, on=["oid", "event_ref", "line_ref"], how="left")
        .with_columns(reached=pl.col("shipped_no").fill_null(0).clip(0, pl.col("quantity_no")))
    )
    complete = _complete_orders(rows, ["oid"])
    rows = rows.join(complete, on="oid", how="left").with_columns(
        reached=pl.when(_takes_the_rest()).then(pl.col("quantity_no")).otherwise(pl.col("reached"))
    )
    rest = rows.filter(pl.col("is_whole") | ~_SHIPS | (pl.col("reached") >= pl.col("quantity_no")))
    partly = rows.filter(
        ~pl.col("is_whole") & _SHIPS & (pl.col("reached") < pl.col("quantity_no")) & (pl.col("reached") > 0)
    )
    partly = partly.with_columns(before=pl.lit(0, dtype=pl.Int64)).with_columns(
        *(share_between(name, "before", "reached", "quantity_no") for name in _AMOUNTS),
        quantity_no=pl.col("reached"),
    )
    together = pl.concat([rest.select(_CARRIED), partly.select(_CARRIED)])
    # An order-wide discount larger than this first part waits for the rest where that would make the sale negative.
    negative = (
        together.group_by("oid")
        .agg(pl.sum_horizontal(pl.col(name).sum() for name in _AMOUNTS).alias("sale"))
        .filter(pl.col("sale") < 0)
        .join(rows.filter(~pl.col("is_whole")).select("oid").unique(), on="oid")
        .select("oid")
    )
    if negative.is_empty():
        return together
    again = _portions_of_several(
        whole.join(negative, on="oid", how="semi"),
        singles.join(negative, on="oid", how="semi").with_columns(k=pl.lit(1, dtype=pl.Int64)),
        shipped,
    )
    return pl.concat([together.join(negative, on="oid", how="anti"), again])


def _portions_of_several(whole: pl.DataFrame, several: pl.DataFrame, shipped: pl.DataFrame) -> pl.DataFrame:
    """Orders with several recognitions: each line's running quantity, and the share between two of them."""
    line = ["oid", "line_ref"]
    rows = (
        whole.join(several.select("oid", "event_ref", "k"), on="oid")
        .join(shipped, on=["oid", "event_ref", "line_ref"], how="left")
        .sort("oid", "line_ref", "k")
        .with_columns(
            reached=pl.col("shipped_no").fill_null(0).cum_sum().over(line).clip(0, pl.col("quantity_no"))
        )
    )
    complete = _complete_orders(rows, ["oid", "k"])
    rows = rows.join(complete, on=["oid", "k"], how="left", maintain_order="left").with_columns(
        ever=pl.col("reached").max().over(line)
    )
    rows = (
        rows.with_columns(
            reached=pl.when(~_SHIPS)
            .then(1)
            .when((pl.col("ever") == 0) & _takes_the_rest())
            .then(pl.col("quantity_no"))
            .otherwise(pl.col("reached")),
            weight=pl.when(_SHIPS).then(pl.col("quantity_no")).otherwise(1),
        )
        .with_columns(before=pl.col("reached").shift(1, fill_value=0).over(line))
        .sort("oid", "line_ref", "k")
    )
    shared = _shared(rows)
    negative = (
        shared.filter(pl.col("k") == 1)
        .group_by("oid")
        .agg(pl.sum_horizontal(pl.col(name).sum() for name in _AMOUNTS).alias("sale"))
        .filter(pl.col("sale") < 0)
        .select("oid")
    )
    if negative.height:
        shared = pl.concat(
            [
                shared.join(negative, on="oid", how="anti"),
                _shared(_discounts_spread(rows.join(negative, on="oid", how="semi"), shared)),
            ]
        )
    return shared.select(_CARRIED)


def _shared(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        *(share_between(name, "before", "reached", "weight") for name in _AMOUNTS),
        quantity_no=pl.when(_SHIPS)
        .then(pl.col("reached") - pl.col("before"))
        .otherwise(pl.col("quantity_no")),
    )


def _discounts_spread(rows: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """The rows with order-wide discounts weighed by the net of the items shipped so far."""
    goods = (pl.col("kind_code").is_in(["item", "gift_card"])) & (pl.col("net_minor") > 0)
    whole = rows.filter(goods & (pl.col("k") == 1)).group_by("oid").agg(all_goods=pl.col("net_minor").sum())
    so_far = (
        shared.filter(goods)
        .group_by("oid", "k")
        .agg(goods=pl.col("net_minor").sum())
        .join(rows.select("oid", "k").unique(), on=["oid", "k"], how="right")
        .sort("oid", "k")
        .with_columns(goods=pl.col("goods").fill_null(0).cum_sum().over("oid"))
        .with_columns(goods_before=pl.col("goods").shift(1, fill_value=0).over("oid"))
    )
    spread = (pl.col("kind_code") == "discount") & (pl.col("all_goods") > 0)
    return (
        rows.join(whole, on="oid", how="left")
        .join(so_far, on=["oid", "k"], how="left")
        .with_columns(
            reached=pl.when(spread).then(pl.col("goods")).otherwise(pl.col("reached")),
            before=pl.when(spread).then(pl.col("goods_before")).otherwise(pl.col("before")),
            weight=pl.when(spread).then(pl.col("all_goods")).otherwise(pl.col("weight")),
        )
        .select(rows.columns)
    )


def _complete_orders(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Whether every item worth money has been shipped in full by then."""
    worth = (pl.col("kind_code") == "item") & (pl.col("quantity_no") > 0) & (pl.col("net_minor") != 0)
    return rows.group_by(by).agg(is_complete=(~worth | (pl.col("reached") >= pl.col("quantity_no"))).all())


def _takes_the_rest() -> pl.Expr:
    """Gift cards that no shipment names (sent by e-mail) go with the shipment that completes the order."""
    return (pl.col("kind_code") == "gift_card") & pl.col("is_complete") & (pl.col("reached") == 0)
