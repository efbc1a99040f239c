"""Which orders a row of the tie-out of payments covers, where they are several: the row itself names the first alone."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile import Inputs

PAYMENT_ORDERS: Final = {
    "group_ref": pl.String(), "storefront": pl.String(), "order_ref": pl.String(), "order_number": pl.String(), "order_count": pl.Int64(),
    "currency": pl.String(), "amount_minor": pl.Int64(),
}  # fmt: skip
"""One row per group of recon.payments that covers several orders, and order. `amount_minor`: what moved for the order; null where a payment
of it names several orders and does not say how much is for which."""
_ORDER: Final = ["storefront", "order_ref"]


def payment_orders(inputs: Inputs, matches: pl.DataFrame) -> pl.DataFrame:
    """The columns of `PAYMENT_ORDERS` for the groups in `matches` (recon.matches), by group and order."""
    rows = matches.filter((pl.col("tie_out") == "payments") & (pl.col("side") == "storefront"))
    rows = rows.select("group_ref", "row_ref")
    amount = pl.when(pl.col("kind_code") == "charge").then("amount_minor").otherwise(-pl.col("amount_minor"))
    moved = (
        inputs.take("payments")
        .with_columns(
            row_ref=pl.concat_str("storefront", "payment_ref", "transaction_ref", separator=":"), amount_minor=amount
        )
        .join(rows, on="row_ref")
    )  # fmt: skip
    shape = ["group_ref", "row_ref", *_ORDER, "currency", "amount_minor"]
    linked = moved.drop("order_ref").join(
        inputs.take("order_payments").drop_nulls("order_ref"), on=["storefront", "payment_ref"]
    )
    tender = (
        inputs.take("owed")
        .filter((pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null())
        .with_columns(
            row_ref=pl.concat_str("storefront", "order_ref", "event_ref", separator=":"), amount_minor="total_minor"
        )
        .join(rows, on="row_ref")
    )  # fmt: skip
    named = pl.concat(
        [moved.drop_nulls("order_ref").select(shape), linked.select(shape), tender.select(shape)]
    ).unique()
    orders = pl.struct(_ORDER).n_unique().over("group_ref").cast(pl.Int64)
    several = named.with_columns(order_count=orders, sharing=pl.len().over("row_ref")).filter(
        pl.col("order_count") > 1
    )
    numbers = inputs.take("orders").group_by(_ORDER).agg(pl.col("order_number").min())
    return (
        several.group_by("group_ref", *_ORDER, "currency", "order_count")
        .agg(amount_minor=pl.when(pl.col("sharing").max() == 1).then(pl.col("amount_minor").sum()))
        .join(numbers, on=_ORDER, how="left")
        .select([pl.col(name).cast(kind) for name, kind in PAYMENT_ORDERS.items()])
        .sort("group_ref", *_ORDER, "currency")
    )
