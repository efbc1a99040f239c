"""What a report is made from: frames of the reconciliation and the facts that must stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import polars as pl

from tieout.money import show
from tieout.reports.listing import GROUP, Listing, listing
from tieout.reports.rows import Rows
from tieout.vocabulary import FAMILIES, OUTCOMES

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


@dataclass(frozen=True)
class ReportData:
    """One reconciliation, ready to print.

    `orders`, `payments`, `waterfall`, `ageing` have the columns of the `recon` tables of those names; the first two may be scans of Parquet
    files, which are read in batches. `held` has order_number, rule_code, currency, amount_minor, sentence; `waiting` has kind, state, count,
    oldest, reason. `payment_orders`: (group_ref, storefront, order_ref, order_number) of payments that cover several orders. `parameters` are printed on every report.
    """

    title: str
    period: str
    entities: Sequence[str]
    as_of: datetime
    orders: Rows
    payments: Rows
    waterfall: pl.DataFrame
    ageing: pl.DataFrame
    proofs: pl.DataFrame
    parameters: Sequence[tuple[str, str]] = ()
    sources: Sequence[tuple[str, ...]] = ()
    held: pl.DataFrame = field(default_factory=pl.DataFrame)
    waiting: pl.DataFrame = field(default_factory=pl.DataFrame)
    version: str = ""
    payment_orders: pl.DataFrame = field(default_factory=pl.DataFrame)

    @cached_property
    def listing(self) -> Listing:
        """Sums of both tie-outs and the rows worth listing, found in one pass."""
        return listing(self.orders, self.payments, self.payment_orders)

    def totals(self) -> pl.DataFrame:
        """Per tie-out, entity, currency and outcome: how many, and every amount summed."""
        return self.listing.totals

    def tie_outs(self) -> pl.DataFrame:
        """Per tie-out, entity and currency: the period's two sides and what stands between them, by family."""
        by_family = [
            pl.col("period_delta_minor")
            .filter(pl.col("family_code") == family)
            .sum()
            .alias(f"{family}_minor")
            for family in FAMILIES
        ]
        return (
            self.totals()
            .group_by(GROUP)
            .agg(
                pl.col("row_count").sum(),
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
        return not self.totals()["family_code"].is_in(["error", "ambiguous"]).any()

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
