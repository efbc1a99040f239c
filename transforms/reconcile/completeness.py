"""Completeness: what is not there at all. Gaps in order numbers, money without orders, rows that linger, days with an odd volume.

Nothing here is an error of a row; each is a sentence for somebody to look at.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from transforms.reconcile.wording import money

COLUMNS: Final = (
    "finding_code",
    "subject_ref",
    "entity_code",
    "currency",
    "amount_minor",
    "row_count",
    "sentence",
)
SHARE: Final = 90
"""Numbers are taken as consecutive when at least so many percent of a range were given out; otherwise gaps mean nothing."""
LARGEST_GAP: Final = 1000
WEEKS: Final = 8
"""How many earlier weeks the volume of a weekday is held against; with fewer than four nothing is said."""


def number_gaps(orders: pl.DataFrame) -> pl.DataFrame:
    """Runs of order numbers that nobody has, per storefront, store and prefix. Reads storefront, store_ref, order_number."""
    split = (
        orders.select(
            "storefront", "store_ref", head=pl.col("order_number").str.extract(r"^(.*?)(\d{1,15})$", 1), tail=pl.col("order_number").str.extract(r"(\d{1,15})$", 1)
        )
        .drop_nulls("tail")
        .with_columns(pl.col("head").fill_null(""), n=pl.col("tail").cast(pl.Int64))
        .unique(["storefront", "head", "n"])
        .sort("storefront", "head", "n")
    )  # fmt: skip
    # Stores of a storefront may share one series: it is the prefix that makes a series, not the store.
    by = ["storefront", "head"]
    dense = (
        split.group_by(by)
        .agg(low=pl.col("n").min(), high=pl.col("n").max(), have=pl.len().cast(pl.Int64))
        .filter((pl.col("have") > 1) & (pl.col("have") * 100 >= (pl.col("high") - pl.col("low") + 1) * SHARE))
    )
    gaps = (
        split.join(dense.select(by), on=by, how="semi")
        .sort(*by, "n")
        .with_columns(before=pl.col("n").shift(1).over(by), width=pl.col("tail").str.len_chars())
        .with_columns(missing=pl.col("n") - pl.col("before") - 1)
        .filter(pl.col("missing").is_between(1, LARGEST_GAP))
    )
    first, last = _number("before", 1), _number("n", -1)
    one = pl.col("missing") == 1
    return gaps.select(
        finding_code=pl.lit("number_gap"),
        subject_ref=pl.concat_str("storefront", pl.lit(":"), first),
        entity_code=pl.lit(None, dtype=pl.String),
        currency=pl.lit(None, dtype=pl.String),
        amount_minor=pl.lit(None, dtype=pl.Int64),
        row_count="missing",
        sentence=pl.when(one)
        .then(
            pl.concat_str(pl.lit("Order number "), first, pl.lit(" of "), "storefront", pl.lit(" was never seen; look whether it exists there."))
        )
        .otherwise(
            pl.concat_str(
                pl.lit("Order numbers "), first, pl.lit(" to "), last, pl.lit(" of "), "storefront", pl.lit(" ("),
                pl.col("missing").cast(pl.String), pl.lit(") were never seen; look whether they exist there."),
            )
        ),
    )  # fmt: skip


def _number(column: str, step: int) -> pl.Expr:
    digits = (pl.col(column) + step).cast(pl.String)
    # Leading zeros are part of a number: it is as wide as its neighbour.
    zeros = (
        pl.lit("0")
        .repeat_by((pl.col("width") - digits.str.len_chars().cast(pl.Int64)).clip(lower_bound=0))
        .list.join("")
    )
    return pl.concat_str("head", zeros, digits)


def without_orders(payments: pl.DataFrame) -> pl.DataFrame:
    """Money that belongs to no order, per storefront and currency, from the published rows of tie-out 2."""
    lost = payments.filter(pl.col("outcome_code") == "payment_without_order")
    return (
        lost.group_by("storefront", "currency")
        .agg(
            amount_minor=pl.col("expected_minor").sum(),
            row_count=pl.len().cast(pl.Int64),
            oldest=pl.col("occurred_on").min(),
        )
        .select(
            finding_code=pl.lit("payment_without_order"),
            subject_ref=pl.concat_str("storefront", pl.lit(":"), "currency"),
            entity_code=pl.lit(None, dtype=pl.String),
            currency="currency",
            amount_minor="amount_minor",
            row_count="row_count",
            sentence=pl.concat_str(
                pl.col("row_count").cast(pl.String), pl.lit(" payments of "), "storefront", pl.lit(" ("), money("amount_minor"),
                pl.lit(", the oldest of "), pl.col("oldest").cast(pl.String).fill_null("an unknown day"),
                pl.lit(") belong to no order; find their orders, or give the money back."),
            ),
        )
    )  # fmt: skip


def lingering(cycles: pl.DataFrame, after: int) -> pl.DataFrame:
    """Rows that the last `after` reconciliations and more found waiting or wrong in the same way, per outcome and entity."""
    old = cycles.filter(pl.col("cycles_no") >= after)
    return (
        old.group_by("tie_out", "entity_code", "outcome_code")
        .agg(
            row_count=pl.len().cast(pl.Int64),
            most=pl.col("cycles_no").max(),
            since=pl.col("first_at").min().dt.date(),
            examples=pl.col("group_ref").sort().head(3).str.join(", "),
        )
        .select(
            finding_code=pl.lit("lingering"),
            subject_ref=pl.concat_str("tie_out", "entity_code", "outcome_code", separator="/"),
            entity_code="entity_code",
            currency=pl.lit(None, dtype=pl.String),
            amount_minor=pl.lit(None, dtype=pl.Int64),
            row_count="row_count",
            sentence=pl.concat_str(
                pl.col("row_count").cast(pl.String), pl.lit(" rows of tie-out "), "tie_out", pl.lit(" have been "), "outcome_code",
                pl.lit(f" for {after} reconciliations or more, the oldest since "), pl.col("since").cast(pl.String), pl.lit(" ("),
                pl.col("most").cast(pl.String), pl.lit("): "), "examples", pl.lit(". Take them up."),
            ),
        )
    )  # fmt: skip


def cycles(orders: pl.DataFrame, payments: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """ops.lingering after this reconciliation, without `first_at` of what is new (null): each open row with its count of cycles."""
    key = ["tie_out", "group_ref", "entity_code", "currency"]
    now = pl.concat(
        rows.filter(pl.col("family_code").is_in(["timing", "error", "ambiguous"])).select(
            pl.lit(name).alias("tie_out"), *key[1:], "outcome_code"
        )
        for name, rows in (("orders", orders), ("payments", payments))
    )
    known = before.select(*key, "outcome_code", "cycles_no", "first_at")
    return now.join(known, on=[*key, "outcome_code"], how="left").select(
        *key, "outcome_code", (pl.col("cycles_no").fill_null(0) + 1).alias("cycles_no"), "first_at"
    )


def odd_volumes(orders: pl.DataFrame) -> pl.DataFrame:
    """Days with less than half or more than twice the orders usual for their weekday. Reads storefront and placed_on (the local day).

    Usual is the median of the same weekday in the eight weeks before, of days that had at least ten orders; the last day seen is
    left out, because it may not be over.
    """
    days = orders.drop_nulls("placed_on").group_by("storefront", "placed_on").agg(n=pl.len().cast(pl.Int64))
    if days.is_empty():
        return _none()
    span = days.group_by("storefront").agg(low=pl.col("placed_on").min(), high=pl.col("placed_on").max())
    every = (
        span.with_columns(placed_on=pl.date_ranges("low", "high"))
        .explode("placed_on")
        .join(days, on=["storefront", "placed_on"], how="left")
        .with_columns(pl.col("n").fill_null(0))
    )
    earlier = pl.concat(
        every.select("storefront", pl.col("placed_on") + timedelta(weeks=k), then="n")
        for k in range(1, WEEKS + 1)
    )
    usual = (
        earlier.group_by("storefront", "placed_on")
        # The lower of the two middle values, a whole number.
        .agg(seen=pl.len(), usual=pl.col("then").sort().get((pl.len() - 1) // 2))
        .filter(pl.col("seen") >= 4)
    )
    odd = (
        every.filter(pl.col("placed_on") < pl.col("high"))
        .join(usual, on=["storefront", "placed_on"])
        .filter(
            (pl.max_horizontal("n", "usual") >= 10)
            & ((pl.col("n") * 2 < pl.col("usual")) | (pl.col("n") > pl.col("usual") * 2))
        )
    )
    return odd.select(
        finding_code=pl.lit("volume"),
        subject_ref=pl.concat_str("storefront", pl.lit(":"), pl.col("placed_on").cast(pl.String)),
        entity_code=pl.lit(None, dtype=pl.String),
        currency=pl.lit(None, dtype=pl.String),
        amount_minor=pl.lit(None, dtype=pl.Int64),
        row_count="n",
        sentence=pl.concat_str(
            "storefront", pl.lit(" has "), pl.col("n").cast(pl.String), pl.lit(" orders of "), pl.col("placed_on").cast(pl.String),
            pl.lit("; usual for that weekday are "), pl.col("usual").cast(pl.String), pl.lit(". Look whether the day was read whole."),
        ),
    )  # fmt: skip


def _none() -> pl.DataFrame:
    whole = {"amount_minor": pl.Int64, "row_count": pl.Int64}
    return pl.DataFrame(schema={name: whole.get(name, pl.String) for name in COLUMNS})
