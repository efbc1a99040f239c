"""What a report is made from: frames of the reconciliation and the facts that must stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import polars as pl

from tieout.money import show
from tieout.vocabulary import FAMILIES, OUTCOMES, PRECEDENCE

GROUP = ["tie_out", "entity_code", "currency"]
TIE_OUTS = {"orders": "Orders ↔ invoices", "payments": "Payments ↔ receipts"}
COUNTED = "number of "
"""How the names of proofs begin that compare counts and not amounts."""
FAMILY_TITLES = {
    "matched": "Matched",
    "outside": "Outside",
    "timing": "Timing",
    "explained": "Explained",
    "error": "Errors",
    "ambiguous": "Ambiguous",
}
AMOUNTS = (
    "expected_minor",
    "actual_minor",
    "delta_minor",
    "period_expected_minor",
    "period_actual_minor",
    "period_timing_minor",
    "period_delta_minor",
)


@dataclass(frozen=True)
class ReportData:
    """One reconciliation, ready to print.

    `orders`, `payments`, `waterfall`, `ageing` have the columns of the `recon` tables of those names. `held` has order_number, rule_code,
    currency, amount_minor, sentence; `waiting` has kind, state, count, oldest, reason. `parameters` are printed on every report.
    """

    title: str
    period: str
    entities: Sequence[str]
    as_of: datetime
    orders: pl.DataFrame
    payments: pl.DataFrame
    waterfall: pl.DataFrame
    ageing: pl.DataFrame
    proofs: pl.DataFrame
    parameters: Sequence[tuple[str, str]] = ()
    sources: Sequence[tuple[str, ...]] = ()
    held: pl.DataFrame = field(default_factory=pl.DataFrame)
    waiting: pl.DataFrame = field(default_factory=pl.DataFrame)
    version: str = ""

    def detail(self) -> pl.DataFrame:
        """Both tie-outs in one frame: one row per order, payment or orphan, with the columns both have, worst first, then by size."""
        return self._detail

    def totals(self) -> pl.DataFrame:
        """Per tie-out, entity, currency and outcome: how many, and every amount summed."""
        return self._totals

    @cached_property
    def _detail(self) -> pl.DataFrame:
        order = {code: at for at, code in enumerate(PRECEDENCE)}
        frames = [
            self.orders.select(
                pl.lit("orders").alias("tie_out"),
                "entity_code",
                "currency",
                "store_ref",
                "order_number",
                pl.col("documents").alias("documents"),
                pl.coalesce("owed_on", "document_on", "placed_on").alias("on"),
                *AMOUNTS,
                "outcome_code",
                "family_code",
                "secondary_codes",
                pl.col("proposal"),
                "evidence",
                "is_in_period",
                "group_ref",
            ),
            self.payments.select(
                pl.lit("payments").alias("tie_out"),
                "entity_code",
                "currency",
                "store_ref",
                "order_number",
                pl.concat_str(
                    [pl.col("gateway_ref"), pl.col("receipts")], separator=" / ", ignore_nulls=True
                ).alias("documents"),
                pl.coalesce("occurred_on", "received_on").alias("on"),
                *AMOUNTS,
                "outcome_code",
                "family_code",
                "secondary_codes",
                pl.lit(None, dtype=pl.String).alias("proposal"),
                "evidence",
                "is_in_period",
                "group_ref",
            ),
        ]
        return pl.concat(frames).sort(
            [
                pl.col("outcome_code").replace_strict(order, return_dtype=pl.Int64),
                pl.col("tie_out"),
                pl.col("delta_minor").abs(),
                pl.col("currency"),
                pl.col("group_ref"),
            ],
            descending=[False, False, True, False, False],
        )

    @cached_property
    def _totals(self) -> pl.DataFrame:
        order = {code: at for at, code in enumerate(PRECEDENCE)}
        return (
            self.detail()
            .group_by([*GROUP, "family_code", "outcome_code"])
            .agg(
                pl.len().cast(pl.Int64).alias("row_count"),
                pl.col("is_in_period").sum().cast(pl.Int64).alias("period_count"),
                *[pl.col(name).sum() for name in AMOUNTS],
            )
            .sort([*GROUP, pl.col("outcome_code").replace_strict(order, return_dtype=pl.Int64)])
        )

    def tie_outs(self) -> pl.DataFrame:
        """Per tie-out, entity and currency: the period's two sides and what stands between them, by family."""
        detail = self.detail()
        by_family = [
            pl.col("period_delta_minor")
            .filter(pl.col("family_code") == family)
            .sum()
            .alias(f"{family}_minor")
            for family in FAMILIES
        ]
        return (
            detail.group_by(GROUP)
            .agg(
                pl.len().cast(pl.Int64).alias("row_count"),
                pl.col("period_expected_minor").sum(),
                pl.col("period_actual_minor").sum(),
                pl.col("period_timing_minor").sum(),
                *by_family,
            )
            .with_columns(
                (pl.col("period_expected_minor") - pl.col("period_actual_minor")).alias("difference_minor"),
                (pl.col("period_timing_minor") + pl.col("timing_minor")).alias("all_timing_minor"),
            )
            .with_columns(
                (
                    pl.col("difference_minor")
                    - pl.col("all_timing_minor")
                    - pl.sum_horizontal(f"{family}_minor" for family in FAMILIES if family != "timing")
                ).alias("unexplained_minor")
            )
            .sort(GROUP)
        )

    @property
    def ties(self) -> bool:
        """Whether no row is an error or ambiguous."""
        families = pl.concat([self.orders["family_code"], self.payments["family_code"]])
        return not families.is_in(["error", "ambiguous"]).any()

    @property
    def foots(self) -> bool:
        """Whether every proof is zero."""
        return self.proofs.is_empty() or not (self.proofs["difference_minor"] != 0).any()


def meaning(code: str) -> tuple[str, str]:
    """What an outcome code means and what to do next."""
    _family, about, step = OUTCOMES[code]
    return about, step


def money(minor: int | None, currency: str) -> str:
    """An amount for a reader, empty text for none."""
    return "" if minor is None else show(minor, currency)


def words(code: str) -> str:
    """A code as words: `missing_invoice` is `missing invoice`."""
    return code.replace("_", " ")
