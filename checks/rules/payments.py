"""Rules on money: does it belong to an order, in the order's currency, and is no more given back than was taken?"""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule

_READS = ("core.orders", "core.payments", "core.order_payments")
_ORDER = ["storefront", "order_ref"]
_MOVES = ("charge", "refund", "chargeback")


def _moved(tables: Tables) -> pl.DataFrame:
    """Money that moved, with the order that names it or that it names."""
    named = (
        tables["core.order_payments"]
        .select("storefront", "payment_ref", named_ref="order_ref")
        .sort("named_ref")
        .unique(["storefront", "payment_ref"], keep="first", maintain_order=True)
    )
    return (
        tables["core.payments"]
        .filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(_MOVES) & pl.col("problem").is_null())
        .select(
            "storefront", "payment_ref", "transaction_ref", "order_ref", "kind_code", "gateway_ref", "amount_minor",
            paid_currency="currency",
        )
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(order_ref=pl.coalesce("order_ref", "named_ref"))
    )  # fmt: skip


@rule("Money that moved belongs to an order.", code="payment_without_order", severity="warn", reads=_READS)
def payment_without_order(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Transactions that no order names and that name no order the storefront shows."""
    stray = _moved(tables).join(tables["core.orders"].select(_ORDER), on=_ORDER, how="anti")
    return stray.select(
        "storefront",
        pl.format("{}/{}", "payment_ref", "transaction_ref").alias("subject_ref"),
        pl.col("paid_currency").alias("currency"),
        "amount_minor",
        pl.format(
            "A {} under reference {} belongs to no order; find its order at the storefront, or give the money back.",
            "kind_code",
            pl.coalesce("gateway_ref", "payment_ref"),
        ).alias("sentence"),
    )


@rule("No order gives back more than it took.", code="refund_exceeds_charges", severity="hold", reads=_READS)
def refund_exceeds_charges(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders whose successful refunds are more than their successful charges."""
    sums = (
        _moved(tables)
        .filter(pl.col("order_ref").is_not_null())
        .group_by(*_ORDER, "paid_currency")
        .agg(
            charged=pl.col("amount_minor").filter(pl.col("kind_code") == "charge").sum(),
            refunded=pl.col("amount_minor").filter(pl.col("kind_code") == "refund").sum(),
        )
        .filter(pl.col("refunded") > pl.col("charged"))
    )
    return sums.join(tables["core.orders"].select(*_ORDER, "order_number"), on=_ORDER).select(
        *_ORDER,
        "order_number",
        pl.col("order_ref").alias("subject_ref"),
        pl.col("paid_currency").alias("currency"),
        (pl.col("refunded") - pl.col("charged")).alias("amount_minor"),
        pl.format(
            "Order {} gave back {} minor units of {} and took {}; look for a missing charge or a refund booked twice.",
            pl.coalesce("order_number", "order_ref"), "refunded", "paid_currency", "charged",
        ).alias("sentence"),
    )  # fmt: skip


@rule("A payment is in its order's currency.", code="payment_currency_differs", severity="hold", reads=_READS)
def payment_currency_differs(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders paid or refunded in another currency than their own."""
    orders = (
        tables["core.orders"].filter(pl.col("problem").is_null()).select(*_ORDER, "order_number", "currency")
    )
    return (
        _moved(tables)
        .join(orders, on=_ORDER)
        .filter(pl.col("paid_currency") != pl.col("currency"))
        .select(
            *_ORDER,
            "order_number",
            pl.format("{}/{}", "payment_ref", "transaction_ref").alias("subject_ref"),
            pl.col("paid_currency").alias("currency"),
            "amount_minor",
            pl.format(
                "Order {} is in {} and its {} {} in {}; correct the payment at the storefront, or post it by hand.",
                pl.coalesce("order_number", "order_ref"), "currency", "kind_code",
                pl.coalesce("gateway_ref", "payment_ref"), "paid_currency",
            ).alias("sentence"),
        )
    )  # fmt: skip
