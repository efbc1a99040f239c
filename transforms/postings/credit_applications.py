"""Credit memos against open invoices of their order: an application moves no money and closes both, oldest first.

Only what stands in Intacct is applied, by what Intacct last said is open less what is on its way. A credit memo that answers a refund of
money stays open: its other side is the money that went back, not the invoice. Memos and invoices of summaries are left alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from transforms.accounts import most_specific
from transforms.identity import minted
from transforms.postings.applications import on_the_way
from transforms.postings.content import finished
from transforms.postings.terms import SENTENCES, UNPLANNED_SCHEMA, Existing, PostingPolicy
from transforms.running import running

_GROUP: Final = ["storefront", "order_ref", "entity_code", "customer_id", "currency"]
_EVENT: Final = ["storefront", "order_ref", "event_code", "event_ref"]
TENDER: Final = "credit_memo"
"""The word in tenders.csv under which stands which bank or clearing account an application names; no money moves on it."""


class CreditPlan(NamedTuple):
    """`documents` and `lines` (rows of out.documents and out.document_lines, of kind application), and `unplanned` ones with their reasons."""

    documents: pl.DataFrame
    lines: pl.DataFrame
    unplanned: pl.DataFrame


def plan_credits(
    existing: Existing,
    owed: pl.DataFrame,
    new_lines: pl.DataFrame,
    tenders: pl.DataFrame,
    held_orders: pl.DataFrame,
    policy: PostingPolicy,
    *,
    run_id: str,
    planned_at: datetime,
) -> CreditPlan:
    """Every application that can be made now. `new_lines` are lines of the same plan's receipts, `owed` is recon.owed, `tenders` the mapping.

    Pure: the same arguments give the same plan, whatever the order of their rows.
    """
    held = held_orders.select("storefront", "order_ref").unique()
    pairs = _pairs(_memos(existing, owed), _invoices(existing, new_lines))
    pairs = pairs.join(held, on=["storefront", "order_ref"], how="anti")
    before = (
        existing.documents.filter(pl.col("kind_code") == "application")
        .group_by("event_ref")
        .agg(before=pl.len().cast(pl.Int64))
    )
    pairs = (
        pairs.with_columns(event_ref=pl.concat_str("memo_id", "invoice_id", separator=">"))
        .join(before, on="event_ref", how="left")
        .with_columns(revision=pl.col("before").fill_null(0) + 1, word=pl.lit("application"))
        .sort("storefront", "order_ref", "event_ref")
    )
    pairs = pairs.with_columns(minted(pairs, policy.namespace, ["word", "event_ref", "revision"]))
    pairs = most_specific(
        pairs.with_columns(tender_code=pl.lit(TENDER)),
        tenders.rename({"mode": "tender_mode"}),
        ["storefront", "entity_code", "tender_code"],
        ["tender_mode", "account_ref", "method"],
    ).with_columns(
        reason_code=pl.when((pl.col("tender_mode") == "ignore").fill_null(value=False))
        .then(pl.lit("tender_ignored"))
        .when(pl.col("account_ref").is_null() | pl.col("method").is_null())
        .then(pl.lit("tender_unmapped"))
    )
    able = pairs.filter(pl.col("reason_code").is_null())
    documents, lines = finished(
        able.select(
            "document_id", "revision", "storefront", "order_ref", "order_number", "event_ref", "entity_code", "customer_id", "currency",
            "account_ref", "method",
            kind_code=pl.lit("application"), number="document_id", document_on=pl.max_horizontal("memo_on", "invoice_on"),
            total_minor=pl.lit(0, dtype=pl.Int64), description=pl.format("Credit {} on {}", "memo_number", "invoice_number"),
        ),
        pl.concat(
            [
                able.select("document_id", "amount_minor", line_no=pl.lit(1, dtype=pl.Int64), applies_to_id="invoice_id"),
                able.select("document_id", -pl.col("amount_minor"), line_no=pl.lit(2, dtype=pl.Int64), applies_to_id="memo_id"),
            ]
        ),
        existing.edits,
        run_id,
        planned_at,
    )  # fmt: skip
    unplanned = (
        pairs.filter(pl.col("reason_code").is_not_null())
        .with_columns(
            kind_code=pl.lit("application"),
            number="document_id",
            sentence=pl.col("reason_code").replace_strict(dict(SENTENCES), return_dtype=pl.String),
        )
        .select(*UNPLANNED_SCHEMA)
        .cast(UNPLANNED_SCHEMA)  # type: ignore[arg-type]
    )
    return CreditPlan(documents, lines, unplanned)


def _own(existing: Existing, kind: str) -> pl.DataFrame:
    return existing.documents.filter(
        (pl.col("kind_code") == kind) & (pl.col("state_code") == "accepted") & pl.col("order_ref").is_not_null()
    ).select(
        *_GROUP, "order_number", "number", "document_on", "document_id", ref="intacct_key"
    )  # fmt: skip


def _memos(existing: Existing, owed: pl.DataFrame) -> pl.DataFrame:
    """Credit memos of ours with what is open on them, but those that answer a refund of money."""
    money = owed.filter((pl.col("event_code") == "credit") & pl.col("payment_ref").is_not_null())
    refunds = existing.orders.join(money.select(_EVENT), on=_EVENT, how="semi").select("document_id").unique()
    ledger = existing.adjustments.filter(~pl.col("is_deleted")).select(
        ref="adjustment_ref", left=pl.col("due_minor").neg()
    )
    used, _ = on_the_way(existing)
    return (
        _own(existing, "credit_memo")
        .join(refunds, on="document_id", how="anti")
        .join(ledger, on="ref")
        .join(used.select("document_id", "unseen"), on="document_id", how="left")
        # What an application takes from a memo is negative on its line.
        .with_columns(left=pl.col("left") + pl.col("unseen").fill_null(0))
        .filter(pl.col("left") > 0)
    )


def _invoices(existing: Existing, new_lines: pl.DataFrame) -> pl.DataFrame:
    """Invoices of ours with what is open on them once everything that is on its way has arrived."""
    ledger = existing.invoices.filter(~pl.col("is_deleted")).select(ref="invoice_ref", left="due_minor")
    by_id, by_ref = on_the_way(existing)
    now_id = new_lines.drop_nulls("applies_to_id").group_by(document_id="applies_to_id").agg(now=pl.col("amount_minor").sum())  # fmt: skip
    now_ref = new_lines.drop_nulls("applies_to_ref").group_by(ref="applies_to_ref").agg(now_too=pl.col("amount_minor").sum())  # fmt: skip
    return (
        _own(existing, "invoice")
        .join(ledger, on="ref")
        .join(by_id.select("document_id", "unseen"), on="document_id", how="left")
        .join(by_ref.select(ref="invoice_ref", unseen_too="unseen"), on="ref", how="left")
        .join(now_id, on="document_id", how="left")
        .join(now_ref, on="ref", how="left")
        .with_columns(
            left=pl.col("left")
            - pl.sum_horizontal(pl.col("unseen", "unseen_too", "now", "now_too").fill_null(0))
        )
        .filter(pl.col("left") > 0)
    )


def _pairs(memos: pl.DataFrame, invoices: pl.DataFrame) -> pl.DataFrame:
    """Oldest memo on oldest invoice: laid end to end, each memo is set against the invoices its stretch overlaps."""
    laid = [
        frame.sort(*_GROUP, "document_on", "number")
        .with_columns(until=running(pl.col("left"), *_GROUP))
        .with_columns(since=pl.col("until") - pl.col("left"))
        for frame in (memos, invoices)
    ]
    given = laid[0].select(
        *_GROUP, "order_number", memo_id="document_id", memo_number="number", memo_on="document_on", since="since", until="until"
    )  # fmt: skip
    taken = laid[1].select(
        *_GROUP, invoice_id="document_id", invoice_number="number", invoice_on="document_on", due_since="since", due_until="until"
    )  # fmt: skip
    return (
        given.join(taken, on=_GROUP)
        .with_columns(
            amount_minor=pl.min_horizontal("until", "due_until") - pl.max_horizontal("since", "due_since")
        )
        .filter(pl.col("amount_minor") > 0)
        .drop("since", "until", "due_since", "due_until")
    )
