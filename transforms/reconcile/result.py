"""What a reconciliation hands back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from transforms.reconcile.across import Across
from transforms.reconcile.matching import HOW, Matched, matched_of
from transforms.reconcile.receipts import HOW as RECEIPT_HOW
from transforms.reconcile.receipts import Paid, paid_of

MATCH_COLUMNS = ("tie_out", "group_ref", "side", "row_kind", "row_ref", "pass_no", "evidence")


@dataclass(frozen=True)
class Summary:
    """What a reconciliation comes to beside its rows.

    `waterfall`, `ageing`: as the recon tables of these names. `totals`: counts and sums by tie_out, entity_code, currency, family_code,
    outcome_code. `out_of_scope`: (tie_out, kind, entity_code, currency, row_count, amount_minor). `absorbed`: what tolerance accepted
    (tie_out, entity_code, currency, row_count, under_minor, over_minor). `footing`: every proof; see `proofs`. `suspects`, `tolerated`:
    as the recon tables of these names. `view`: what was seen across all rows.
    """

    waterfall: pl.DataFrame
    ageing: pl.DataFrame
    totals: pl.DataFrame
    out_of_scope: pl.DataFrame
    absorbed: pl.DataFrame
    footing: pl.DataFrame
    suspects: pl.DataFrame
    tolerated: pl.DataFrame
    view: Across


@dataclass(frozen=True)
class Result(Summary):
    """A reconciliation with its rows: `orders` and `payments` as the recon tables of these names, by group, entity and currency;
    `matches` likewise, built when asked for. `found`: who belongs to whom, part by part.
    """

    orders: pl.DataFrame
    payments: pl.DataFrame
    found: tuple[tuple[Matched, Paid], ...]

    @cached_property
    def matched(self) -> Matched:
        """Who belongs to whom among orders and documents, of all parts."""
        return matched_of([one for one, _ in self.found])

    @cached_property
    def paid(self) -> Paid:
        """Who belongs to whom among payments and receipts, of all parts."""
        return paid_of([one for _, one in self.found], [one for one, _ in self.found])

    @cached_property
    def matches(self) -> pl.DataFrame:
        """recon.matches: every order, document, payment and receipt with its group, pass and evidence."""
        parts = pl.concat(matches_of(*one) for one in self.found)
        return parts.sort("tie_out", "group_ref", "side", "row_ref")


def proofs(result: Summary | PaidResult) -> pl.DataFrame:
    """Every proof of the result (name, entity_code, currency, left_minor, right_minor, difference_minor), failures first.

    A difference that is not zero means that the result must not be published; the caller raises `DoesNotFoot`.
    """
    return result.footing.sort(pl.col("difference_minor").abs(), descending=True, maintain_order=True)


def absorbed_of(accepted: pl.DataFrame) -> pl.DataFrame:
    """What tolerance accepted, and which way, from (tie_out, entity_code, currency, delta_minor) of the rows."""
    place = ["tie_out", "entity_code", "currency"]
    delta = pl.col("delta_minor")
    return (
        accepted.group_by(place)
        .agg(
            row_count=pl.len().cast(pl.Int64),
            under_minor=delta.filter(delta > 0).sum(),
            over_minor=delta.filter(delta < 0).sum(),
        )
        .sort(place)
    )


_SCOPE = ["tie_out", "kind", "entity_code", "currency"]


def out_of_scope_of(matched: Matched, paid: Paid) -> pl.DataFrame:
    """Documents and receipts of a part that stand but are other business, counted and summed."""
    parts = [
        matched.documents.select("in_scope", "is_counted", "kind", "entity", "currency", "total_minor", tie_out=pl.lit("orders")),
        paid.receipts.select("in_scope", "is_counted", pl.lit("receipt").alias("kind"), "entity", "currency", "total_minor", tie_out=pl.lit("payments")),
    ]  # fmt: skip
    return (
        pl.concat(parts)
        .filter(~pl.col("in_scope") & pl.col("is_counted"))
        .group_by("tie_out", "kind", entity_code="entity", currency="currency")
        .agg(row_count=pl.len().cast(pl.Int64), amount_minor=pl.col("total_minor").sum())
    )


def out_of_scope(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """`out_of_scope_of` all parts in one."""
    return pl.concat(parts).group_by(_SCOPE).agg(pl.col("row_count", "amount_minor").sum()).sort(_SCOPE)


def matches_of(matched: Matched, paid: Paid) -> pl.DataFrame:
    """Every order, document, payment and receipt of a part with its group, pass and evidence, in no order."""
    return pl.concat([*_order_matches(matched), *_payment_matches(paid)])


def _order_matches(matched: Matched) -> list[pl.DataFrame]:
    names = matched.orders.select(grp="g", head="group_ref")
    found = (
        matched.edges.join(matched.orders.select("g", own="grp"), on="g")
        .group_by("g")
        .agg(pl.col("pass_no").max())
    )
    documents = matched.documents.join(names, on="grp", how="left")
    memo = pl.when(pl.col("total_minor") < 0).then(pl.lit("credit_memo")).otherwise(pl.lit("invoice"))
    how = pl.col("how").replace_strict(dict(enumerate(HOW)), return_dtype=pl.String)
    state = (
        pl.when(~pl.col("in_scope")).then(pl.lit("Out of scope: other business."))
        .when(~pl.col("is_counted")).then(pl.concat_str(pl.lit("Does not count: "), pl.col("state_code").fill_null("deleted"), pl.lit(".")))
        .when("is_orphan").then(pl.lit("No order carries its number or reference."))
        .otherwise(pl.concat_str(pl.lit("Found because "), how, pl.lit(".")))
    )  # fmt: skip
    itself = pl.concat_str(pl.lit("intacct:"), "kind", pl.lit(":"), "ref")
    return [
        matched.orders.join(names, on="grp")
        .join(found, on="g", how="left")
        .select(
            pl.lit("orders").alias("tie_out"), pl.col("head").alias("group_ref"), pl.lit("storefront").alias("side"),
            pl.lit("order").alias("row_kind"), pl.col("group_ref").alias("row_ref"), pl.col("pass_no").fill_null(0).cast(pl.Int64),
            pl.when(pl.col("pass_no").is_null()).then(pl.lit("No document of Intacct names it.")).otherwise(pl.lit("Has documents.")).alias("evidence"),
        ),
        documents.select(
            pl.lit("orders").alias("tie_out"), pl.coalesce("head", "orphan_ref", itself).alias("group_ref"), pl.lit("intacct").alias("side"),
            memo.alias("row_kind"), pl.concat_str("kind", pl.lit(":"), "ref").alias("row_ref"), pl.col("pass_no").cast(pl.Int64),
            state.alias("evidence"),
        ),
    ]  # fmt: skip


def _payment_matches(paid: Paid) -> list[pl.DataFrame]:
    names = paid.payments.select(grp="p", head="group_ref")
    found = paid.edges.group_by("p").agg(pl.col("pass_no").max())
    how = pl.col("how").replace_strict(dict(enumerate(RECEIPT_HOW)), return_dtype=pl.String)
    state = (
        pl.when(~pl.col("in_scope")).then(pl.lit("Out of scope: other business."))
        .when(~pl.col("is_counted")).then(pl.concat_str(pl.lit("Does not count: "), pl.col("state_code").fill_null("deleted"), pl.lit(".")))
        .when("is_orphan").then(pl.lit("No payment carries its reference."))
        .otherwise(pl.concat_str(pl.lit("Found because "), how, pl.lit(".")))
    )  # fmt: skip
    return [
        paid.payments.join(names, on="grp")
        .join(found, on="p", how="left")
        .select(
            pl.lit("payments").alias("tie_out"), pl.col("head").alias("group_ref"), pl.lit("storefront").alias("side"),
            pl.col("kind_code").alias("row_kind"), pl.col("group_ref").alias("row_ref"), pl.col("pass_no").fill_null(0).cast(pl.Int64),
            pl.when(pl.col("pass_no").is_null()).then(pl.lit("No receipt of Intacct names it.")).otherwise(pl.lit("Has receipts.")).alias("evidence"),
        ),
        paid.receipts.join(names, on="grp", how="left").select(
            pl.lit("payments").alias("tie_out"), pl.coalesce("head", pl.concat_str(pl.lit("intacct:receipt:"), "receipt_ref")).alias("group_ref"),
            pl.lit("intacct").alias("side"), pl.lit("receipt").alias("row_kind"), pl.col("receipt_ref").alias("row_ref"),
            pl.col("pass_no").cast(pl.Int64), state.alias("evidence"),
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class PaidResult:
    """The result of orders against payments without a ledger, in the shapes of `Result`; `payments` and `ageing` have no rows."""

    orders: pl.DataFrame
    payments: pl.DataFrame
    waterfall: pl.DataFrame
    ageing: pl.DataFrame
    totals: pl.DataFrame
    absorbed: pl.DataFrame
    footing: pl.DataFrame
    matches: pl.DataFrame

    @property
    def out_of_scope(self) -> pl.DataFrame:
        """There is no ledger, so nothing is out of scope."""
        return pl.DataFrame(
            schema={
                "tie_out": pl.String, "kind": pl.String, "entity_code": pl.String, "currency": pl.String,
                "row_count": pl.Int64, "amount_minor": pl.Int64,
            }
        )  # fmt: skip
