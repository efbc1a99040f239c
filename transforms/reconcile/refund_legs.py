"""The cash leg of refunds that is posted as journal entries: a refund without a receipt is judged by its entry in the general ledger.

An entry's verdict (`recon.refund_entries`) belongs to the refund's order and event, which is named after the transaction, or after payment
and transaction where several payments use one transaction. What the entry took out of the clearing account is what Intacct shows of the
refund; its code is the row's, but for dates, which are those of the period compared. A refund that has a receipt is compared with that.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.vocabulary import PRECEDENCE
from transforms.reconcile.intake import Inputs
from transforms.reconcile.numbered import looked_up, put
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid
from transforms.reconcile.wording import money

CODES: Final = (
    "ambiguous", "currency", "entity", "gl_missing", "gl_amount", "rounding", "held", "in_flight", "cash_leg_elsewhere",
)  # fmt: skip
"""Codes of an entry that are the row's too. `matched` and `cut_off` follow from amounts and the period compared."""
LEGS: Final = ("leg_minor", "period_leg_minor")
"""What of both actual amounts of a row is an entry's, in all and in the period; columns that the waterfall and the proofs read."""
_FOUND: Final = {
    "leg_code": pl.String, "leg_said": pl.String, "leg_minor": pl.Int64, "period_leg_minor": pl.Int64, "leg_on": pl.Date,
}  # fmt: skip


def attached(inputs: Inputs, paid: Paid) -> pl.DataFrame:
    """(p, currency, actual_minor, posted_on, code, said): the entries of refunds, each at one payment at most."""
    entries = inputs.take("refund_outcomes")
    # A refund of an order that nobody knows is a question of its own.
    known = (pl.col("kind_code") == "refund") & pl.col("g").is_not_null()
    refunds = paid.payments.filter(known).select(
        "p", "storefront", "order_ref", "payment_ref", "transaction_ref", "occurred_at", "currency"
    )
    event = ["storefront", "order_ref", "event_ref", "currency"]
    both = pl.concat_str("payment_ref", pl.lit(":"), "transaction_ref")
    claims = pl.concat(
        refunds.with_columns(event_ref=name, rank=pl.lit(rank))
        for rank, name in enumerate((both, pl.col("transaction_ref")))
    )
    pairs = entries.filter(pl.col("outcome_code") != "gl_only").join(claims, on=event)
    pairs = pairs.sort("rank", "occurred_at", "payment_ref", "transaction_ref", "p", nulls_last=True)
    # An event is named after one payment, and a payment has one event.
    pairs = pairs.unique("p", keep="first", maintain_order=True).unique(
        event, keep="first", maintain_order=True
    )
    told = pl.concat_str(
        "evidence", pl.concat_str(pl.lit(" Journal entry "), "batches", pl.lit(".")).fill_null(""),
    )  # fmt: skip
    return pairs.select("p", "currency", "actual_minor", "posted_on", code="outcome_code", said=told)


def _are_judged(inputs: Inputs, policy: Policy) -> bool:
    by_policy = policy.refunds_by_entries and policy.refund_cash_leg == "elsewhere"
    return by_policy and inputs.refund_outcomes is not None


def with_legs(rows: pl.DataFrame, inputs: Inputs, paid: Paid, policy: Policy) -> pl.DataFrame:
    """Rows of payment groups with what their refunds' entries say: leg_code, leg_said, leg_minor, period_leg_minor (null for all others); what
    an entry took is part of both actual amounts, and its date that of the row."""
    nothing = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in _FOUND.items())
    if not _are_judged(inputs, policy):
        return nothing.drop("leg_on")
    legs = attached(inputs, paid)
    places = paid.payments.select("p", "key", "entity")
    ranks = {code: at for at, code in enumerate(PRECEDENCE)}
    legs = (
        looked_up(legs, places, "p")
        .with_columns(
            rank=pl.col("code").replace_strict(ranks, return_dtype=pl.Int64),
            inside=pl.when(policy.in_period("posted_on", "entity")).then("actual_minor").otherwise(0),
        )
        .sort("key", "rank", "p")
        .group_by("key", maintain_order=True)
        .agg(
            leg_code=pl.col("code").first(), leg_said=pl.col("said").first(), leg_minor=pl.col("actual_minor").sum(),
            period_leg_minor=pl.col("inside").sum(), leg_on=pl.col("posted_on").max(),
        )
    )  # fmt: skip
    found = looked_up(rows.drop(list(_FOUND), strict=False), legs, "key")
    mine = (pl.col("n_receipts") == 0) & pl.col("group_ref").is_not_null() & (pl.col("kind_code") == "refund")
    found = found.with_columns(pl.when(mine).then(name).alias(name) for name in _FOUND)
    return found.with_columns(
        actual_minor=pl.col("actual_minor") + pl.col("leg_minor").fill_null(0),
        period_actual_minor=pl.col("period_actual_minor") + pl.col("period_leg_minor").fill_null(0),
        received_on=pl.coalesce("received_on", "leg_on"),
    ).drop("leg_on")


def entered(inputs: Inputs, paid: Paid, policy: Policy) -> pl.DataFrame:
    """(entity_code, currency, amount) of the entries that stand for refunds without a receipt: the other road to what `with_legs` adds."""
    if not _are_judged(inputs, policy):
        return pl.DataFrame(schema={"entity_code": pl.String, "currency": pl.String, "amount": pl.Int64})
    received = paid.receipts.filter("in_scope", "is_counted")["key"].implode()
    places = paid.payments.select("p", "key", "entity")
    legs = looked_up(attached(inputs, paid), places, "p").filter(~pl.col("key").is_in(received))
    return legs.filter(pl.col("actual_minor") != 0).select(
        entity_code="entity", currency="currency", amount="actual_minor"
    )


def by_entry(code: str) -> pl.Expr:
    """Whether a row asks, has no receipt, and its entry says this code."""
    return (pl.col("asks") & ~pl.col("has") & (pl.col("leg_code") == code)).fill_null(value=False)


def worded(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the evidence of those that are judged by an entry: what was paid back, what the entry took, and what it says of itself."""
    at = rows.select(pl.col("leg_code").is_not_null().arg_true()).to_series()
    if at.is_empty():
        return rows
    figures = pl.concat_str(
        pl.lit(" Paid back "), money("expected_minor"), pl.lit(", entered "), money("actual_minor"), pl.lit(", difference "),
        money("delta_minor"), pl.lit("."),
    )  # fmt: skip
    agrees = pl.col("outcome_code") == "matched"
    told = (
        pl.when(agrees)
        .then(pl.concat_str(pl.lit("The refund agrees with its journal entry in the general ledger."), figures, pl.lit(" "), "leg_said"))
        .when(pl.col("outcome_code") == pl.col("leg_code"))
        .then(pl.concat_str("leg_said", figures))
        .otherwise(pl.concat_str("evidence", pl.lit(" Of its journal entry: "), "leg_said"))
    )  # fmt: skip
    return put(rows, at, rows[at].select(evidence=told))
