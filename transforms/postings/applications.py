"""Receipts against invoices: which money pays which invoice of its order, oldest first, never more than is open."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.accounts import most_specific
from transforms.postings.terms import Existing, PostingPolicy
from transforms.running import position, running

_ORDER: Final = ["storefront", "order_ref", "currency"]
_LOST: Final = ("cancelled", "dead")
"""States of a known document in which it will not come to be by itself: it neither owes nor pays anything."""


def apply_receipts(
    receipts: pl.DataFrame,
    invoice_events: pl.DataFrame,
    planned: pl.DataFrame,
    existing: Existing,
    tenders: pl.DataFrame,
    policy: PostingPolicy,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Receipts that can be posted, their applications, and (`document_id`, `reason_code`) of the others.

    `receipts` and `planned` are events to plan, `invoice_events` all sales with what is known or found of their invoices. The first
    frame has `document_id`, `account_ref`, `method`, `received_on`; the second lines with `applies_to_id` (ours) or
    `applies_to_ref` (RECORDNO), and without either for money on account.
    """
    receipts = receipts.join(tendered(receipts, tenders), on="document_id", how="left", maintain_order="left")
    pool = _open_invoices(invoice_events, planned, existing)
    per_order = pool.group_by(_ORDER).agg(
        due=pl.col("due").sum(),
        latest_on=pl.col("document_on").filter(pl.col("due") > 0).max(),
        invoices=pl.len(),
    )
    other_currency = pool.select("storefront", "order_ref", has_invoice=pl.lit(value=True)).unique()
    receipts = (
        receipts.join(per_order, on=_ORDER, how="left")
        .join(other_currency, on=["storefront", "order_ref"], how="left")
        .with_columns(pl.col("due").fill_null(0), pl.col("invoices").fill_null(0))
    )
    start = pl.lit(policy.posting_starts_on, dtype=pl.Date)
    old = pl.col("latest_on").is_null() | (pl.col("latest_on") < start) | (policy.receipt_date == "moved")
    reasons: list[tuple[pl.Expr, str]] = [
        (pl.col("tender_mode").is_null(), "tender_unmapped"),
        (pl.col("tender_mode") == "ignore", "tender_ignored"),
        (pl.col("account_ref").is_null() | pl.col("method").is_null(), "tender_unmapped"),
        ((pl.col("invoices") == 0) & pl.col("has_invoice").fill_null(value=False), "currency_differs"),
        (pl.col("invoices") == 0, "prepaid"),
        (((pl.col("owed_on") < start) & old).fill_null(value=False), "before_go_live"),
    ]
    receipts = receipts.with_columns(
        refusal=pl.coalesce(pl.when(condition).then(pl.lit(code)) for condition, code in reasons)
    )
    able = (
        receipts.filter(pl.col("refusal").is_null())
        .sort(*_ORDER, "owed_at", "event_ref")
        .with_columns(until=running(pl.col("planned_minor"), *_ORDER))
        .with_columns(since=pl.col("until") - pl.col("planned_minor"))
    )
    fits = pl.col("until") <= pl.col("due")
    if policy.overpayment == "hold":
        receipts = _refuse(receipts, able.filter(~fits), "exceeds_due")
        able = able.filter(fits)
    applied = _overlaps(able, pool)
    able = _dated(able, applied, policy)
    late = able.filter((pl.col("received_on") < start).fill_null(value=False))
    receipts = _refuse(receipts, late, "before_go_live")
    able = able.join(late, on="document_id", how="anti")
    applied = applied.join(able, on="document_id", how="semi")
    return (
        able.select("document_id", "account_ref", "method", "received_on"),
        _with_rest_on_account(able, applied),
        receipts.filter(pl.col("refusal").is_not_null()).select(
            "document_id", pl.col("refusal").alias("reason_code")
        ),
    )


def tendered(receipts: pl.DataFrame, tenders: pl.DataFrame) -> pl.DataFrame:
    """`document_id`, `tender_mode`, `account_ref`, `method` of each receipt, by the mapping row that fits its tender best."""
    return most_specific(
        receipts,
        tenders.rename({"mode": "tender_mode"}),
        ["storefront", "entity_code", "tender_code"],
        ["tender_mode", "account_ref", "method"],
    ).select("document_id", "tender_mode", "account_ref", "method")


def _refuse(receipts: pl.DataFrame, those: pl.DataFrame, code: str) -> pl.DataFrame:
    refused = those.select("document_id", added=pl.lit(code))
    return (
        receipts.join(refused, on="document_id", how="left", maintain_order="left")
        .with_columns(refusal=pl.coalesce("refusal", "added"))
        .drop("added")
    )


def _open_invoices(invoice_events: pl.DataFrame, planned: pl.DataFrame, existing: Existing) -> pl.DataFrame:
    """Invoices of each order, planned now, known, or found in Intacct, with what is open on them (`due`)."""
    columns = [*_ORDER, "document_id", "invoice_ref", "number", "document_on", "due"]
    new = planned.select(
        *_ORDER,
        "document_id",
        pl.lit(None, dtype=pl.String).alias("invoice_ref"),
        "number",
        pl.col("owed_on").alias("document_on"),
        pl.col("planned_minor").alias("due"),
    )
    ledger = existing.invoices.filter(~pl.col("is_deleted")).select(
        "invoice_ref",
        pl.col("entity_code").alias("ledger_entity"),
        pl.col("customer_id").alias("ledger_customer"),
        pl.col("currency").alias("ledger_currency"),
        pl.col("due_minor").alias("ledger_due"),
        pl.col("posted_on"),
    )
    paid_by_id, paid_by_ref = on_the_way(existing)
    # An invoice that Intacct was last read to hold is open by Intacct's figure, less receipts it has not shown yet; one that is
    # not there yet is open by its own total, less all receipts planned against it.
    there = (
        invoice_events.with_columns(invoice_ref=pl.coalesce("known_key", "found_key"))
        .filter(
            pl.col("invoice_ref").is_not_null() & ~pl.col("state_code").is_in(_LOST).fill_null(value=False)
        )
        .join(ledger, on="invoice_ref")
        .filter(
            (pl.col("ledger_currency") == pl.col("currency"))
            & (pl.col("ledger_entity") == pl.col("entity_code"))
            & (pl.col("ledger_customer") == pl.col("customer_id")).fill_null(value=True)
        )
        .join(paid_by_ref, on="invoice_ref", how="left")
        .join(
            paid_by_id.select("document_id", pl.col("unseen").alias("unseen_id")),
            on="document_id",
            how="left",
        )
        .with_columns(
            due=pl.col("ledger_due") - pl.col("unseen").fill_null(0) - pl.col("unseen_id").fill_null(0),
            document_on=pl.col("posted_on"),
        )
    )
    waiting = (
        invoice_events.filter(
            pl.col("state_code").is_not_null()
            & ~pl.col("state_code").is_in(_LOST)
            & pl.col("reason_code").is_not_null()
        )
        .join(there, on="document_id", how="anti")
        .join(paid_by_id, on="document_id", how="left")
        .with_columns(
            invoice_ref=pl.lit(None, dtype=pl.String),
            due=pl.col("known_minor") - pl.col("paid").fill_null(0),
            document_on=pl.col("owed_on"),
        )
    )
    new = (
        new.join(paid_by_id, on="document_id", how="left")
        .with_columns(due=pl.col("due") - pl.col("paid").fill_null(0))
        .join(there, on="document_id", how="anti")
    )
    ours = there.with_columns(
        document_id=pl.when(pl.col("state_code").is_not_null()).then(pl.col("document_id")),
        invoice_ref=pl.when(pl.col("state_code").is_null()).then(pl.col("invoice_ref")),
    )
    return pl.concat([frame.select(columns) for frame in (new, waiting, ours)]).with_columns(
        pl.col("due").clip(lower_bound=0)
    )


def on_the_way(existing: Existing) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What known receipts pay and applications of credits take: per invoice of ours, all (`paid`) and what Intacct does not show yet (`unseen`); and per RECORDNO."""
    seen = (
        existing.receipts.filter(~pl.col("is_deleted")).select(pl.col("reference").alias("number")).unique()
    )
    money = (
        existing.documents.filter(
            pl.col("kind_code").is_in(["receipt", "application"]) & ~pl.col("state_code").is_in(_LOST)
        )
        .select("document_id", "number")
        .join(seen.with_columns(is_seen=pl.lit(value=True)), on="number", how="left")
        .with_columns(pl.col("is_seen").fill_null(value=False))
    )
    rows = existing.lines.join(money, on="document_id")
    unseen = pl.col("amount_minor").filter(~pl.col("is_seen")).sum()
    by_id = (
        rows.filter(pl.col("applies_to_id").is_not_null())
        .group_by(pl.col("applies_to_id").alias("document_id"))
        .agg(paid=pl.col("amount_minor").sum(), unseen=unseen)
    )
    by_ref = (
        rows.filter(pl.col("applies_to_ref").is_not_null())
        .group_by(pl.col("applies_to_ref").alias("invoice_ref"))
        .agg(unseen=unseen)
    )
    return by_id, by_ref


def _overlaps(receipts: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Oldest money on oldest invoice: laid end to end, each receipt pays the invoices its stretch overlaps."""
    stretches = (
        pool.filter(pl.col("due") > 0)
        .sort(*_ORDER, "document_on", "number")
        .with_columns(due_until=running(pl.col("due"), *_ORDER))
        .with_columns(due_since=pl.col("due_until") - pl.col("due"))
        .rename(
            {"document_id": "applies_to_id", "invoice_ref": "applies_to_ref", "document_on": "invoice_on"}
        )
    )
    return (
        receipts.select("document_id", *_ORDER, "since", "until")
        .join(stretches, on=_ORDER)
        .with_columns(
            amount_minor=pl.min_horizontal("until", "due_until") - pl.max_horizontal("since", "due_since")
        )
        .filter(pl.col("amount_minor") > 0)
        .select("document_id", "applies_to_id", "applies_to_ref", "invoice_on", "due_since", "amount_minor")
    )


def _dated(able: pl.DataFrame, applied: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    if policy.receipt_date == "moved":
        return able.with_columns(received_on=pl.col("owed_on"))
    latest = applied.group_by("document_id").agg(paid_on=pl.col("invoice_on").max())
    return able.join(latest, on="document_id", how="left").with_columns(
        received_on=pl.max_horizontal("owed_on", "paid_on")
    )


def _with_rest_on_account(able: pl.DataFrame, applied: pl.DataFrame) -> pl.DataFrame:
    given = applied.group_by("document_id").agg(given=pl.col("amount_minor").sum())
    rest = (
        able.join(given, on="document_id", how="left")
        .with_columns(amount_minor=pl.col("planned_minor") - pl.col("given").fill_null(0))
        .filter(pl.col("amount_minor") > 0)
        .select("document_id", "amount_minor", memo=pl.lit("On account"))
    )
    return (
        pl.concat([applied, rest], how="diagonal")
        .sort("document_id", "due_since", nulls_last=True)
        .with_columns(line_no=position("document_id"))
        .drop("due_since", "invoice_on")
    )
