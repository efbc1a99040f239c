"""What a report tells of its rows, found in one pass over them: every sum, and of each outcome the rows worth listing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from tieout.reports.rows import Rows, batches
from tieout.vocabulary import PRECEDENCE

LIST_LIMIT: Final = 20_000
"""Rows that one sheet lists; a workbook of more is slow to open. Every row is in the Parquet files."""
GROUP: Final = ["tie_out", "entity_code", "currency"]
AMOUNTS: Final = (
    "expected_minor",
    "actual_minor",
    "delta_minor",
    "period_expected_minor",
    "period_actual_minor",
    "period_timing_minor",
    "period_delta_minor",
)
_PLACE: Final = {code: at for at, code in enumerate(PRECEDENCE)}
_OUTCOME: Final = [*GROUP, "family_code", "outcome_code"]
_BY: Final = ["place", "tie_out", "size", "currency", "group_ref", "entity_code"]
_LARGEST_FIRST: Final = [False, False, True, False, False, False]


@dataclass(frozen=True)
class Listing:
    """`totals`: per tie-out, entity, currency and outcome: row_count, period_count and every amount summed. `listed`: rows of both tie-outs
    in one shape, by precedence of their outcome and then the largest differences first, of each outcome and tie-out at most `LIST_LIMIT`."""

    totals: pl.DataFrame
    listed: pl.DataFrame

    def of_family(self, family: str, limit: int) -> pl.DataFrame:
        """The first rows of a family, `limit` of them at most."""
        return self.listed.filter(pl.col("family_code") == family).head(min(limit, LIST_LIMIT))

    def of_outcome(self, code: str, limit: int) -> pl.DataFrame:
        """The first rows of an outcome, `limit` of them at most."""
        return self.listed.filter(pl.col("outcome_code") == code).head(min(limit, LIST_LIMIT))


def listing(orders: Rows, payments: Rows, payment_orders: pl.DataFrame | None = None) -> Listing:
    """Sums and rows worth listing of rows as in `recon.orders` and `recon.payments`; however the rows lie, the same ones are listed.

    Payments that cover several orders by `payment_orders` (group_ref, order_ref, order_number) are listed with all of them."""
    sums, kept = [], []
    for tie_out, rows in (("orders", orders), ("payments", payments)):
        best: pl.DataFrame | None = None
        for batch in batches(rows):
            sums.append(_summed(batch, tie_out))
            first = _first(batch, tie_out)
            best = first if best is None else _ranked(pl.concat([best, first]))
        if best is not None:
            kept.append(best)
    totals = (
        pl.concat(sums)
        .group_by(_OUTCOME)
        .agg(pl.col("row_count", "period_count", *AMOUNTS).sum())
        .sort([*GROUP, pl.col("outcome_code").replace_strict(_PLACE, return_dtype=pl.Int64)])
    )
    listed = _sorted(pl.concat(kept)).drop("place", "size")
    return Listing(totals, listed if payment_orders is None else _with_all_orders(listed, payment_orders))


def _with_all_orders(listed: pl.DataFrame, payment_orders: pl.DataFrame) -> pl.DataFrame:
    """Rows of payments that cover several orders: the first number and how many more, and all numbers before the evidence."""
    if payment_orders.is_empty():
        return listed
    number = pl.coalesce("order_number", "order_ref")
    numbers = (
        payment_orders.select("group_ref", number=number)
        .unique()
        .sort("group_ref", "number")
        .group_by("group_ref", maintain_order=True)
        .agg(every=pl.col("number").str.join(", "), first=pl.col("number").first(), count=pl.len())
        .with_columns(tie_out=pl.lit("payments"))
    )
    more = pl.concat_str(
        pl.coalesce("order_number", "first"), pl.lit(" +"), (pl.col("count") - 1).cast(pl.String)
    )
    several = pl.col("every").is_not_null()
    return (
        listed.join(numbers, on=["tie_out", "group_ref"], how="left", maintain_order="left")
        .with_columns(
            order_number=pl.when(several).then(more).otherwise("order_number"),
            evidence=pl.when(several)
            .then(pl.concat_str(pl.lit("Covers orders "), "every", pl.lit(". "), "evidence"))
            .otherwise("evidence"),
        )
        .select(listed.columns)
    )


def _summed(batch: pl.DataFrame, tie_out: str) -> pl.DataFrame:
    return (
        batch.lazy()
        .group_by(pl.lit(tie_out).alias("tie_out"), *_OUTCOME[1:])
        .agg(
            row_count=pl.len().cast(pl.Int64),
            period_count=pl.col("is_in_period").sum().cast(pl.Int64),
            **{name: pl.col(name).sum() for name in AMOUNTS},
        )
        .collect()
    )


def _first(batch: pl.DataFrame, tie_out: str) -> pl.DataFrame:
    """The rows of a batch that may be listed, in the shape of both tie-outs."""
    ranked = _ranked(
        batch.select(
            "outcome_code",
            "currency",
            "group_ref",
            "entity_code",
            tie_out=pl.lit(tie_out),
            place=pl.col("outcome_code").replace_strict(_PLACE, return_dtype=pl.Int64),
            size=pl.col("delta_minor").abs(),
            row=pl.int_range(pl.len()),
        )
    )
    rows = batch[ranked["row"]]
    shape = list(_of_orders() if tie_out == "orders" else _of_payments())
    return pl.concat([ranked.select("place", "size"), rows.select(shape)], how="horizontal")


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    return _sorted(rows).filter(pl.int_range(pl.len()).over("outcome_code") < LIST_LIMIT)


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(_BY, descending=_LARGEST_FIRST)


def _of_orders() -> Iterator[pl.Expr]:
    yield pl.lit("orders").alias("tie_out")
    yield pl.col("entity_code", "currency", "store_ref", "order_number", "documents")
    yield pl.coalesce("owed_on", "document_on", "placed_on").alias("on")
    yield pl.col(*AMOUNTS, "outcome_code", "family_code", "secondary_codes", "proposal")
    yield pl.col("evidence", "is_in_period", "group_ref")


def _of_payments() -> Iterator[pl.Expr]:
    yield pl.lit("payments").alias("tie_out")
    yield pl.col("entity_code", "currency", "store_ref", "order_number")
    both = [pl.col("gateway_ref"), pl.col("receipts")]
    yield pl.concat_str(both, separator=" / ", ignore_nulls=True).alias("documents")
    yield pl.coalesce("occurred_on", "received_on").alias("on")
    yield pl.col(*AMOUNTS, "outcome_code", "family_code", "secondary_codes")
    yield pl.lit(None, dtype=pl.String).alias("proposal")
    yield pl.col("evidence", "is_in_period", "group_ref")
