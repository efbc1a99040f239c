"""Totals that a storefront lowered after shipping: a credit is owed for what was taken off, and money given back for it owes no second one."""

from __future__ import annotations

import polars as pl


def with_reductions(refunds: pl.DataFrame, reductions: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """`refunds` with the reductions of their orders among them, each with what it adds to the credit owed so far.

    Of an order, the credit owed at any time is the larger of what was taken off its total and what was paid back by then. So a
    reduction followed by its refund is one credit, dated when the total fell, and a refund followed by its reduction is one credit,
    dated when the money went; a refund beyond the reductions is a credit for the rest. Events that add nothing are left out.
    `refunds` needs `oid`, `event_ref`, `occurred_at`, `amount_minor`, `paid_currency`; `base` has `storefront`, `order_ref`, `oid` and
    `reason_code` (null for orders that owe a sale).
    """
    lowered = (
        reductions.join(
            base.filter(pl.col("reason_code").is_null()).select(
                "storefront", "order_ref", "oid", "reason_code"
            ),
            on=["storefront", "order_ref"],
        )
        .filter(pl.col("amount_minor") > 0)
        .select(
            "storefront",
            "order_ref",
            "oid",
            "reason_code",
            pl.lit("refund").alias("kind_code"),
            pl.format("reduced-{}", "reduction_ref").alias("event_ref"),
            pl.col("currency").alias("paid_currency"),
            "amount_minor",
            pl.col("reduced_at").alias("occurred_at"),
            pl.lit(True).alias("is_reduction"),
        )
    )
    if lowered.is_empty():
        return refunds
    concerned = lowered.select("oid").unique()
    mine = refunds.join(concerned, on="oid", how="semi").with_columns(is_reduction=pl.lit(False))
    others = refunds.join(concerned, on="oid", how="anti")
    off = pl.when("is_reduction").then("amount_minor").otherwise(0)
    both = (
        pl.concat([lowered, mine], how="diagonal_relaxed")
        .sort("oid", "occurred_at", ~pl.col("is_reduction"), "event_ref")
        .with_columns(
            off=off.cum_sum().over("oid"), back=(pl.col("amount_minor") - off).cum_sum().over("oid")
        )
        .with_columns(reached=pl.max_horizontal("off", "back"))
        .with_columns(amount_minor=pl.col("reached") - pl.col("reached").shift(1, fill_value=0).over("oid"))
        .filter(pl.col("amount_minor") > 0)
    )
    return pl.concat([others, both.select(refunds.columns)], how="vertical_relaxed")
