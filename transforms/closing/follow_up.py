"""What a close leaves to do beside its tie-outs: money the providers have not paid out as agreed, and what ought to be posted once a person approves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from transforms.reconcile import Inputs, Paired, Policy, Result
from transforms.reconcile.drafts import drafts, tied_rows
from transforms.reconcile.settlements import Settled, settle

_TEXT, _INT, _DAY = pl.String(), pl.Int64(), pl.Date()
SETTLEMENTS: Final = {
    "entity_code": _TEXT, "group_ref": _TEXT, "storefront": _TEXT, "order_ref": _TEXT, "tender_code": _TEXT, "payouts": _TEXT,
    "occurred_on": _DAY, "paid_out_on": _DAY, "currency": _TEXT, "moved_minor": _INT, "gross_minor": _INT, "delta_minor": _INT, "fee_minor": _INT,
    "scheduled_fee_minor": _INT, "net_minor": _INT, "payout_currency": _TEXT, "payout_minor": _INT, "rate": pl.Decimal(28, 12), "rate_source": _TEXT,
    "at_rate_minor": _INT, "exchange_minor": _INT, "outcome_code": _TEXT, "family_code": _TEXT, "secondary_codes": _TEXT, "evidence": _TEXT,
    "is_payment": pl.Boolean(),
}  # fmt: skip
"""recon.settlements with the entity of the order; empty text where a line or payout names none."""
DRAFTS: Final = {
    "draft_id": _TEXT, "kind_code": _TEXT, "tie_out": _TEXT, "entity_code": _TEXT, "currency": _TEXT, "reason_code": _TEXT, "ledger_ref": _TEXT,
    "journal_code": _TEXT, "amount_minor": _INT, "rows_no": _INT, "state_code": _TEXT, "sentence": _TEXT, "authors": _TEXT,
}  # fmt: skip
DRAFT_LINES: Final = {
    "draft_id": _TEXT, "line_no": _INT, "account_code": _TEXT, "currency": _TEXT, "amount_minor": _INT, "decision_id": _TEXT, "memo": _TEXT,
}  # fmt: skip
_PROOF: Final = ("name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor")


@dataclass(frozen=True)
class Payouts:
    """core.payout_lines, and the mappings fees and rates they are held against. `beyond`: what the lines left out come to, where only an entity's
    own are there (`settlements.BEYOND`)."""

    lines: pl.DataFrame
    fees: pl.DataFrame
    rates: pl.DataFrame
    beyond: pl.DataFrame | None = None


@dataclass(frozen=True)
class Drafted:
    """recon.drafts and recon.draft_lines, of all entities."""

    heads: pl.DataFrame
    lines: pl.DataFrame


def settled_with(pairs: Paired, payouts: Payouts | None, policy: Policy) -> Settled | None:
    """All payments against all payouts, each row with the entity of its order (empty text for lines and payouts that name none); None without payouts."""
    if payouts is None:
        return None
    inputs = pairs.inputs
    found = settle(
        inputs.take("payments"), inputs.take("order_payments"), payouts.lines, payouts.fees, payouts.rates, days=policy.settlement_days,
        beyond=payouts.beyond,
    )  # fmt: skip
    whose = pairs.matched.orders.select("storefront", "order_ref", entity_code="entity").unique(
        ["storefront", "order_ref"]
    )
    rows = found.rows.join(whose, on=["storefront", "order_ref"], how="left").with_columns(
        pl.col("entity_code").fill_null("")
    )
    return Settled(
        rows.select("entity_code", *found.rows.columns).sort("group_ref", "currency"), found.footing
    )


def drafted_of(inputs: Inputs, now: Result, policy: Policy) -> Drafted | None:
    """What decisions and forensics draft, as `tieout drafts` lists it; None where the inputs do not hold what a draft is made of."""
    if inputs.decisions is None or "account_code" not in inputs.decisions.collect_schema():
        return None
    rows = tied_rows(now.orders, now.payments)
    papers = inputs.ar_lines if policy.credit_repeats else None
    heads, lines = drafts(rows, inputs.take("decisions"), now.suspects, policy.journals, papers)
    return Drafted(heads, lines)


def settlements(found: Settled | None, entity: str, first_on: date, end_on: date) -> pl.DataFrame:
    """The columns of `SETTLEMENTS`: what moved or was paid out in the period (UTC days), of the entity or of nobody yet."""
    if found is None:
        return pl.DataFrame(schema=SETTLEMENTS)
    within = [
        pl.col(day).is_between(first_on, end_on, closed="left") for day in ("occurred_on", "paid_out_on")
    ]
    mine = pl.col("entity_code").is_in([entity, ""])
    kept = found.rows.filter(mine, pl.any_horizontal(within).fill_null(False))
    return kept.select([pl.col(name).cast(kind) for name, kind in SETTLEMENTS.items()])


def draft_tables(found: Drafted | None, entity: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns of `DRAFTS` and `DRAFT_LINES`: what is drafted for one entity, posted or not."""
    if found is None:
        return pl.DataFrame(schema=DRAFTS), pl.DataFrame(schema=DRAFT_LINES)
    heads = found.heads.filter(pl.col("entity_code") == entity)
    lines = found.lines.join(heads.select("draft_id"), on="draft_id", how="semi")
    return (
        heads.select([pl.col(name).cast(kind) for name, kind in DRAFTS.items()]).sort("draft_id"),
        lines.select([pl.col(name).cast(kind) for name, kind in DRAFT_LINES.items()]).sort(
            "draft_id", "line_no"
        ),
    )


def follow_up_proofs(found: Settled | None, heads: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Payouts hold all money and every line; drafted journals balance, and their debits are what their heads say."""
    each = lines.group_by("draft_id").agg(
        debit=pl.col("amount_minor").filter(pl.col("amount_minor") > 0).sum(),
        credit=-pl.col("amount_minor").filter(pl.col("amount_minor") < 0).sum(),
    )
    journals = heads.filter(pl.col("kind_code") == "journal").join(each, on="draft_id", how="left")
    sums = journals.group_by("entity_code", "currency").agg(pl.col("debit", "credit").sum())
    balance = sums.select(
        "entity_code",
        "currency",
        name=pl.lit("drafted journals balance"),
        left_minor="debit",
        right_minor="credit",
    )
    parts = [
        balance.with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor")).select(_PROOF)
    ]
    if found is not None:
        parts.append(found.footing.select(_PROOF))
    return pl.concat(parts)
