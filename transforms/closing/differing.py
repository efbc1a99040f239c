"""Two reconciliations held against each other: what became matched, unmatched or got another reason, for how much, and by which record."""

from __future__ import annotations

from typing import Final

import polars as pl

KEY: Final = ["tie_out", "group_ref", "entity_code", "currency"]
CHANGES: Final = ("matched", "unmatched", "reasoned", "amount", "appeared", "vanished")
_SEEN: Final = (
    "expected_minor",
    "actual_minor",
    "period_expected_minor",
    "period_actual_minor",
    "delta_minor",
    "outcome_code",
    "family_code",
    "documents",
)
_SETTLED: Final = ("matched", "explained", "outside")


def outcome_rows(orders: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Both tie-outs in one frame with what `differing` reads: key, order number, amounts, outcome, documents."""
    shared = ["group_ref", "entity_code", "currency", "order_number", "expected_minor", "actual_minor", "period_expected_minor", "period_actual_minor", "delta_minor", "outcome_code", "family_code"]  # fmt: skip
    return pl.concat(
        [
            orders.select(pl.lit("orders").alias("tie_out"), *shared, "documents"),
            payments.select(pl.lit("payments").alias("tie_out"), *shared, documents="receipts"),
        ]
    ).sort(KEY)


def differing(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Rows of `outcome_rows` that are not the same in both, with `change_code` and a sentence of what caused it.

    ==========  ====================================================================================
    matched     unsettled before (timing, error, ambiguous), settled now
    unmatched   settled before, unsettled now
    reasoned    another outcome, on the same side of settled
    amount      the same outcome with other amounts or documents
    appeared    no such row before
    vanished    no such row now: its group was joined to another, or its order is gone
    ==========  ====================================================================================
    """
    left = before.select(
        *KEY,
        pl.col("order_number").alias("before_number"),
        *(pl.col(c).alias(f"before_{c}") for c in _SEEN),
        was=pl.lit(True),
    )
    right = after.select(
        *KEY,
        pl.col("order_number").alias("after_number"),
        *(pl.col(c).alias(f"after_{c}") for c in _SEEN),
        stands=pl.lit(True),
    )
    same = pl.all_horizontal(pl.col(f"before_{c}").eq_missing(pl.col(f"after_{c}")) for c in _SEEN)
    both = left.join(right, on=KEY, how="full", coalesce=True).filter(
        pl.col("was").is_null() | pl.col("stands").is_null() | ~same
    )
    settled_then, settled_now = (
        pl.col(f"{when}_family_code").is_in(_SETTLED) for when in ("before", "after")
    )
    code = (
        pl.when(pl.col("was").is_null()).then(pl.lit("appeared"))
        .when(pl.col("stands").is_null()).then(pl.lit("vanished"))
        .when(~settled_then & settled_now).then(pl.lit("matched"))
        .when(settled_then & ~settled_now).then(pl.lit("unmatched"))
        .when(pl.col("before_outcome_code") != pl.col("after_outcome_code")).then(pl.lit("reasoned"))
        .otherwise(pl.lit("amount"))
    )  # fmt: skip
    return (
        both.with_columns(
            change_code=code,
            order_number=pl.coalesce("after_number", "before_number"),
            moved_minor=pl.col("after_delta_minor").fill_null(0) - pl.col("before_delta_minor").fill_null(0),
            cause=_cause(),
        )
        .select(
            "change_code", *KEY, "order_number", "before_outcome_code", "after_outcome_code", "before_family_code", "after_family_code",
            "before_expected_minor", "after_expected_minor", "before_actual_minor", "after_actual_minor", "before_delta_minor",
            "after_delta_minor", "moved_minor", "cause",
        )
        .sort(pl.col("moved_minor").abs(), *KEY, descending=[True, *[False] * len(KEY)])
    )  # fmt: skip


def _cause() -> pl.Expr:
    """The side that moved and its documents, as far as the rows themselves show it."""
    ours = ~pl.col("before_expected_minor").eq_missing(pl.col("after_expected_minor"))
    theirs = ~pl.col("before_actual_minor").eq_missing(pl.col("after_actual_minor"))
    papers = ~pl.col("before_documents").eq_missing(pl.col("after_documents"))
    named = pl.concat_str(
        pl.lit("documents were "), pl.coalesce("before_documents", pl.lit("none")), pl.lit(", are "), pl.coalesce("after_documents", pl.lit("none"))
    )  # fmt: skip
    dates = ~pl.col("before_period_expected_minor").eq_missing(
        pl.col("after_period_expected_minor")
    ) | ~pl.col("before_period_actual_minor").eq_missing(pl.col("after_period_actual_minor"))
    return (
        pl.when(pl.col("was").is_null()).then(pl.concat_str(pl.lit("new; documents "), pl.coalesce("after_documents", pl.lit("none"))))
        .when(pl.col("stands").is_null()).then(pl.concat_str(pl.lit("gone; documents were "), pl.coalesce("before_documents", pl.lit("none"))))
        .when(papers).then(named)
        .when(ours & theirs).then(pl.lit("both sides have other amounts"))
        .when(ours).then(pl.lit("the storefront's amount changed"))
        .when(theirs).then(pl.lit("the amount of its documents changed"))
        .when(dates).then(pl.lit("a date moved between periods"))
        .otherwise(pl.lit("the same amounts and documents are judged otherwise"))
    )  # fmt: skip


def tally(changes: pl.DataFrame) -> pl.DataFrame:
    """Per change, outcome before and after, entity and currency: how many rows, and how far the difference moved."""
    by = ["change_code", "tie_out", "entity_code", "currency", "before_outcome_code", "after_outcome_code"]
    return (
        changes.group_by(by)
        .agg(row_count=pl.len().cast(pl.Int64), moved_minor=pl.col("moved_minor").sum())
        .sort(by)
    )
