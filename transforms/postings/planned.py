"""What is planned for Intacct: owed events as documents with numbers, lines, applications, customers, or the reason why not.

Of every owed event comes a document or one row of `unplanned`; so per kind and currency, owed = planned + rounded away + unplanned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from tieout.money import known_currencies
from transforms.accounts import most_specific
from transforms.identity import fitted, minted
from transforms.owed.credited import with_credits_settled
from transforms.owed.revisions import (
    cancelled_sales,
    difference_lines,
    merged_parts,
    posted,
    with_differences,
)
from transforms.owed.shares import rounded_to
from transforms.postings.applications import apply_receipts, tendered
from transforms.postings.content import finished, parts_by_order
from transforms.postings.customers import customer_documents, with_customer_ids
from transforms.postings.lines import document_lines, untaxable
from transforms.postings.order_entry import details_of, is_through_order_entry, sales_lines
from transforms.postings.sales_orders import EVENT as ORDER_EVENT
from transforms.postings.sales_orders import NOTHING, Ordered, converted, first_without_invoice
from transforms.postings.summaries import (
    assigned,
    folded_documents,
    folded_lines,
    further_targets,
    summary_documents,
    summary_receipts,
    with_summaries,
)
from transforms.postings.terms import (
    FOUND_SCHEMA,
    ROUNDED_SCHEMA,
    SENTENCES,
    UNPLANNED_SCHEMA,
    Existing,
    Mappings,
    Plan,
    PostingPolicy,
)
from transforms.running import running

__all__ = ["Existing", "Mappings", "Plan", "PostingPolicy", "plan"]

NO_CHANGES: Final = pl.DataFrame(
    schema={
        "storefront": pl.String,
        "order_ref": pl.String,
        "changed_on": pl.Date,
        "is_cancelled": pl.Boolean,
    }
)
_KIND_OF_EVENT: Final = {
    "sale": "invoice",
    "credit": "credit_memo",
    "receipt": "receipt",
    ORDER_EVENT: "sales_order",
}


def plan(
    owed: pl.DataFrame,
    owed_lines: pl.DataFrame,
    customers: pl.DataFrame,
    mappings: Mappings,
    existing: Existing,
    held_orders: pl.DataFrame,
    policy: PostingPolicy,
    *,
    run_id: str,
    planned_at: datetime,
    changes: pl.DataFrame = NO_CHANGES,
    ordered: Ordered = NOTHING,
) -> Plan:
    """The difference between what Intacct is owed and what it has, or is about to be sent, as documents.

    `held_orders` has `storefront`, `order_ref` and, if wished, `reason`; `changes` says of orders when they last changed (`changed_on`) and
    whether they are cancelled (`is_cancelled`); `ordered` are web orders that become sales orders. Customers are planned only for documents
    of this plan.
    Pure: the same arguments give the same plan, whatever the order of their rows.
    """
    owed, owed_lines, credited = with_credits_settled(owed, owed_lines, existing)
    gone = cancelled_sales(existing, owed, changes, dict(owed.schema))
    owed = pl.concat([owed, ordered.owed]).with_columns(kept_customer_id=pl.lit(None, dtype=pl.String))
    owed = pl.concat([owed, gone])
    owed_lines = pl.concat([owed_lines, ordered.lines])
    events = _named(owed, mappings.stores, existing, policy)
    events = with_customer_ids(events, customers, existing, policy).with_columns(
        customer_id=pl.when("is_summary")
        .then(pl.coalesce("kept_customer_id", "guest_customer_id"))
        .otherwise(pl.coalesce("kept_customer_id", "customer_id"))
    )
    events = _rounded(events, policy)
    events = first_without_invoice(_judged(events, existing, held_orders, policy))
    events = with_differences(events, existing, changes, policy)
    papers = events.filter((pl.col("kind_code") != "receipt") & pl.col("reason_code").is_null())
    lines, unmapped = document_lines(
        papers.with_columns(planned_minor=pl.coalesce("full_minor", "planned_minor")),
        owed_lines,
        mappings,
        item_dimension=policy.item_dimension,
        order_entry=policy.order_entry,
    )
    events = _with_reason(events, unmapped)
    lines = difference_lines(lines, papers, existing, summary_documents(existing))
    events = _with_reason(events, untaxable(lines))
    lines, unsold = sales_lines(lines, papers, policy.order_entry)
    events = _with_reason(events, unsold)
    lines, waits = converted(lines, events, papers, existing)
    events = _with_reason(events, waits)
    singly = events.filter(~pl.col("is_summary"))
    invoices = singly.filter((pl.col("kind_code") == "invoice") & pl.col("reason_code").is_null())
    money = singly.filter((pl.col("kind_code") == "receipt") & pl.col("reason_code").is_null())
    # A receipt that is planned afresh no longer pays what it paid before.
    standing = existing._replace(lines=existing.lines.join(money, on="document_id", how="anti"))
    receipts, applications, refused = apply_receipts(
        money,
        singly.filter(pl.col("kind_code") == "invoice"),
        invoices,
        standing,
        mappings.tenders,
        policy,
    )
    together, pays, turned_down = summary_receipts(
        events, existing, tendered(events.filter(pl.col("is_summary") & (pl.col("kind_code") == "receipt")), mappings.tenders), policy
    )  # fmt: skip
    events = _with_reason(events, pl.concat([refused, turned_down]))
    events = events.join(pl.concat([receipts, together]), on="document_id", how="left", maintain_order="left")
    events = assigned(events, existing, policy)
    drafts = events.filter(pl.col("reason_code").is_null())
    targets = events.select(
        pl.col("document_id").alias("pays_id"), pl.col("target_id").alias("applies_to_id")
    )
    pays = pays.join(
        pl.concat([targets, further_targets(existing).join(targets, on="pays_id", how="anti")]), on="pays_id"
    )
    alone = drafts.filter(~pl.col("is_summary"))
    own = pl.concat([lines, applications], how="diagonal").join(
        alone.select("document_id"), on="document_id", how="semi"
    )
    lines = pl.concat([own, folded_lines(lines, pays, drafts)], how="diagonal")
    documents = pl.concat(
        [
            customer_documents(drafts, customers, existing, policy),
            _documents(alone, policy),
            folded_documents(drafts, existing, policy),
        ],
        how="diagonal",
    )
    documents, lines = finished(documents, lines, existing.edits, run_id, planned_at)
    alive = pl.concat(
        [documents.select("document_id"), events.filter(~pl.col("is_summary")).select("document_id")]
    )
    same = documents.join(
        existing.documents.select("document_id", "content_sha256"), on=["document_id", "content_sha256"]
    )
    known = drafts.join(same.select(target_id="document_id"), on="target_id", how="semi")
    events = _with_reason(events, known.select("document_id", pl.lit("already_planned").alias("reason_code")))
    documents = documents.join(same, on="document_id", how="anti")
    lines = lines.join(same, on="document_id", how="anti")
    drafts = drafts.with_columns(document_id="target_id")
    events = events.with_columns(document_id="target_id")
    return Plan(
        documents,
        lines,
        pl.concat([_unplanned(events), _credited(credited, policy)]),
        _rounded_away(events, documents),
        _found(events),
        parts_by_order(drafts, documents),
        alive.unique(maintain_order=True),
    )


def _with_reason(events: pl.DataFrame, reasons: pl.DataFrame) -> pl.DataFrame:
    """The events with a reason where they had none; `reasons` has `document_id` and `reason_code`."""
    added = reasons.select("document_id", pl.col("reason_code").alias("added_code")).unique(
        "document_id", keep="first"
    )
    return (
        events.join(added, on="document_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("reason_code", "added_code").alias("reason_code"))
        .drop("added_code")
    )


def _named(
    owed: pl.DataFrame, stores: pl.DataFrame, existing: Existing, policy: PostingPolicy
) -> pl.DataFrame:
    """Owed events with `kind_code`, `document_id`, store facts, what is known of the document, and its number."""
    events = owed.with_columns(
        kind_code=pl.col("event_code").replace_strict(_KIND_OF_EVENT), revision=pl.lit(1, dtype=pl.Int64)
    ).sort("storefront", "order_ref", "event_code", "owed_at", "event_ref")
    events = events.with_columns(
        minted(events, policy.namespace, ["storefront", "order_ref", "kind_code", "event_ref", "revision"])
    )
    events = most_specific(
        events,
        stores,
        ["storefront", "store_ref"],
        ["location_code", "department_code", "invoice_prefix", "guest_customer_id", "posting_code"],
    )
    known = existing.documents.select(
        "document_id",
        "state_code",
        pl.col("intacct_key").alias("known_key"),
        pl.col("number").alias("known_number"),
        pl.col("total_minor").alias("known_minor"),
        pl.col("content_sha256").alias("known_sha256"),
    )
    events = events.join(known, on="document_id", how="left", maintain_order="left")
    event = ["storefront", "order_ref", "event_code", "event_ref"]
    events = (
        with_summaries(events, existing)
        .join(posted(existing), on=event, how="left", maintain_order="left")
        .join(
            merged_parts(existing, summary_documents(existing)), on=event, how="left", maintain_order="left"
        )
    )
    events = events.with_columns(
        posted_minor=pl.coalesce("posted_minor", "known_minor"),
        full_minor=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    # A summary has a number of its own; until then its events must not take one from the orders.
    return (
        pl.concat([_numbered(events, policy), _referenced(events, policy)], how="diagonal")
        .with_columns(number=pl.when("is_summary").then("document_id").otherwise("number"))
        .sort("storefront", "order_ref", "kind_code", "owed_at", "event_ref")
    )


def _numbered(events: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    """Invoices and credit memos: prefix and order number, a suffix from the second of an order on. A number once given is kept."""
    papers = events.filter(pl.col("kind_code") != "receipt")
    per_order = ["storefront", "order_ref", "kind_code"]
    is_new = pl.col("known_number").is_null()
    stem = pl.when(pl.col("kind_code") != "credit_memo").then(pl.col("invoice_prefix")).otherwise(
        pl.lit(policy.credit_memo_prefix)
    ) + pl.col("order_number")
    papers = papers.with_columns(stem=stem, nth=running(is_new, *per_order) + (~is_new).sum().over(per_order))
    papers = papers.with_columns(
        fitted(papers["stem"], policy.number_longest - 4, "X").alias("stem"),
        fitted(papers["order_number"], policy.reference_longest, "X").alias("reference"),
    )
    suffix = (
        pl.when(pl.col("nth") > 1).then(pl.lit("-") + pl.col("nth").cast(pl.String)).otherwise(pl.lit(""))
    )
    return papers.with_columns(number=pl.coalesce("known_number", pl.col("stem") + suffix)).drop(
        "stem", "nth"
    )


def _referenced(events: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    """Receipts: the provider's reference. A reference used twice gets a suffix from its second use on."""
    money = events.filter(pl.col("kind_code") == "receipt").with_columns(
        stem=pl.coalesce("gateway_ref", "payment_ref", "event_ref")
    )
    money = money.with_columns(fitted(money["stem"], policy.receipt_longest - 4, "R").alias("stem"))
    is_new = pl.col("known_number").is_null()
    money = (
        money.sort("stem", "owed_at", "storefront", "event_ref")
        .with_columns(nth=running(is_new, "stem") + (~is_new).sum().over("stem"))
        .with_columns(
            number=pl.coalesce(
                "known_number",
                pl.when(pl.col("nth") > 1)
                .then(pl.col("stem") + "-" + pl.col("nth").cast(pl.String))
                .otherwise(pl.col("stem")),
            )
        )
    )
    return money.with_columns(
        fitted(money["order_number"], policy.reference_longest, "X").alias("reference")
    ).drop("stem", "nth")


def _rounded(events: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    """`planned_minor`: the total in as many decimals as Intacct keeps, half-up on the running total of the order, so that the
    documents of an order sum to its own rounded total."""
    steps = {code: 10 ** max(0, digits - policy.decimals) for code, digits in known_currencies().items()}
    events = events.with_columns(
        step=pl.col("currency").replace_strict(steps, default=1, return_dtype=pl.Int64),
        planned_minor=pl.col("total_minor"),
    )
    coarse = pl.col("step") > 1
    per_order = ["storefront", "order_ref", "kind_code", "currency"]
    reached, step = pl.col("reached"), pl.col("step")
    fine = (
        events.filter(coarse)
        .sort(*per_order, "owed_at", "event_ref")
        .with_columns(reached=running(pl.col("total_minor"), *per_order))
        .with_columns(
            planned_minor=rounded_to(reached, step) - rounded_to(reached - pl.col("total_minor"), step)
        )
        .drop("reached")
    )
    if fine.is_empty():
        return events
    return pl.concat([events.filter(~coarse), fine]).sort(
        "storefront", "order_ref", "kind_code", "owed_at", "event_ref"
    )


def _judged(
    events: pl.DataFrame, existing: Existing, held_orders: pl.DataFrame, policy: PostingPolicy
) -> pl.DataFrame:
    """Adds what Intacct holds (`found_key`, `found_minor`) and the first reason why an event is not planned."""
    there = pl.concat(
        [
            _standing(existing.invoices, "invoice", "invoice_ref", "invoice_number"),
            _standing(existing.adjustments, "credit_memo", "adjustment_ref", "adjustment_number"),
            _standing(existing.receipts, "receipt", "receipt_ref", "reference"),
        ]
    )
    first = there.sort("found_key").unique(["kind_code", "number"], keep="first", maintain_order=True)
    events = events.join(
        first.drop("found_reference"), on=["kind_code", "number"], how="left", maintain_order="left"
    )
    ours = pl.concat(
        [one.select("kind_code", "number") for one in (events, existing.documents, existing.numbers)]
    )
    strangers = (
        there.filter((pl.col("kind_code") == "invoice") & pl.col("found_reference").is_not_null())
        .join(ours, on=["kind_code", "number"], how="anti")
        .select("kind_code", pl.col("found_reference").alias("reference"), is_stranger=pl.lit(value=True))
        .unique()
    )
    held = held_orders.select("storefront", "order_ref", is_held=pl.lit(value=True)).unique()
    events = events.join(strangers, on=["kind_code", "reference"], how="left", maintain_order="left").join(
        held, on=["storefront", "order_ref"], how="left", maintain_order="left"
    )
    paper = pl.col("kind_code") != "receipt"
    early = paper & (pl.col("owed_on") < pl.lit(policy.posting_starts_on, dtype=pl.Date))
    state = pl.col("state_code")
    alters = pl.col("posted_minor") != pl.col("planned_minor")
    sent = state.is_in(["accepted", "sending", "unknown"])
    sale = pl.col("kind_code") != "sales_order"
    twins = (
        pl.struct("kind_code", "number").is_duplicated() & state.is_null() & pl.col("number").is_not_null()
    )
    reasons: list[tuple[pl.Expr, str]] = [
        (state == "cancelled", "cancelled_by_hand"),
        # What was ordered may change after it was sent; invoices say what came of it.
        (~sale & (state == "accepted"), "already_in_intacct"),
        (~sale & sent, "already_planned"),
        (sent & alters, "changed_after_posting"),
        (state == "accepted", "already_in_intacct"),
        (sent, "already_planned"),
        (~paper & state.is_not_null() & ~alters & ~pl.col("is_summary"), "already_planned"),
        (pl.col("found_key").is_not_null(), "already_in_intacct"),
        (early, "before_go_live"),
        (pl.col("is_held").fill_null(value=False), "held"),
        (pl.col("entity_code").is_null(), "store_unmapped"),
        (pl.col("order_number").is_null() & paper, "order_number_missing"),
        (paper & pl.col("number").is_null(), "store_unmapped"),
        (pl.col("planned_minor") == 0, "zero_total"),
        (
            pl.col("kind_code").is_in(["invoice", "sales_order"]) & (pl.col("planned_minor") < 0),
            "negative_total",
        ),
        (
            (pl.col("event_code") == "credit")
            & (pl.col("other_minor") != 0)
            & (policy.refund_without_return == "hold"),
            "refund_without_return",
        ),
        (pl.col("customer_id").is_null() & pl.col("customer_ref").is_null(), "guest_customer_missing"),
        (pl.col("customer_is_ambiguous").fill_null(value=False), "customer_ambiguous"),
        (pl.col("customer_id").is_null(), "customer_unknown"),
        (twins, "duplicate_number"),
        (pl.col("is_stranger").fill_null(value=False), "reference_in_intacct"),
    ]
    return events.with_columns(
        reason_code=pl.coalesce(pl.when(condition).then(pl.lit(code)) for condition, code in reasons)
    )


def _standing(frame: pl.DataFrame, kind: str, key: str, number: str) -> pl.DataFrame:
    return frame.filter(~pl.col("is_deleted") & pl.col(number).is_not_null()).select(
        pl.lit(kind).alias("kind_code"),
        pl.col(number).alias("number"),
        pl.col(key).alias("found_key"),
        pl.col("total_minor").alias("found_minor"),
        pl.col("reference").alias("found_reference"),
    )


def _documents(drafts: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    """The columns of out.documents for invoices, credit memos and receipts."""
    on = pl.coalesce("received_on", "owed_on")
    return drafts.select(
        "document_id", "kind_code", "revision", "storefront", "order_ref", "order_number", "event_ref", "entity_code", "number",
        pl.when(pl.col("kind_code") != "receipt").then(pl.col("reference")).alias("reference"),
        "customer_id",
        on.alias("document_on"),
        pl.when(_has_due_date(policy)).then(on.dt.offset_by(f"{policy.due_days}d")).alias("due_on"),
        "currency",
        pl.col("planned_minor").alias("total_minor"),
        "account_ref", "method",
        (pl.lit(policy.description) + pl.coalesce("order_number", "order_ref")).alias("description"),
        details=details_of(policy.order_entry),
    )  # fmt: skip


def _has_due_date(policy: PostingPolicy) -> pl.Expr:
    """Invoices have one, and so must every document of order entry."""
    return pl.col("kind_code").is_in(["invoice", "sales_order"]) | is_through_order_entry(policy.order_entry)


def _credited(left_out: pl.DataFrame, policy: PostingPolicy) -> pl.DataFrame:
    """What credits of an order owe no more, because it was posted under another of them, as unplanned rows."""
    rows = left_out.with_columns(
        kind_code=pl.lit("credit_memo"),
        reason_code=pl.lit("credited_already"),
        revision=pl.lit(1, dtype=pl.Int64),
    )
    rows = rows.with_columns(
        minted(rows, policy.namespace, ["storefront", "order_ref", "kind_code", "event_ref", "revision"])
    )
    return (
        rows.with_columns(
            number=pl.lit(None, dtype=pl.String),
            sentence=pl.col("reason_code").replace_strict(dict(SENTENCES)),
        )
        .select(*UNPLANNED_SCHEMA)
        .cast(UNPLANNED_SCHEMA)  # type: ignore[arg-type]
        .sort("storefront", "order_ref", "kind_code", "event_ref")
    )


def _unplanned(events: pl.DataFrame) -> pl.DataFrame:
    return (
        events.filter(pl.col("reason_code").is_not_null())
        .with_columns(
            amount_minor=pl.col("total_minor"),
            kind_code=pl.col("event_code").replace_strict(_KIND_OF_EVENT),
            sentence=pl.col("reason_code").replace_strict(dict(SENTENCES)),
        )
        .select(*UNPLANNED_SCHEMA)
        .cast(UNPLANNED_SCHEMA)  # type: ignore[arg-type]
        .sort("storefront", "order_ref", "kind_code", "event_ref")
    )


def _rounded_away(events: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    return (
        events.join(documents.select("document_id"), on="document_id", how="semi")
        .filter(pl.col("total_minor") != pl.col("planned_minor"))
        .with_columns(
            owed_minor=pl.col("total_minor"),
            kind_code=pl.col("event_code").replace_strict(_KIND_OF_EVENT),
            rounded_minor=pl.col("total_minor") - pl.col("planned_minor"),
        )
        .select(*ROUNDED_SCHEMA)
        .cast(ROUNDED_SCHEMA)  # type: ignore[arg-type]
    )


def _found(events: pl.DataFrame) -> pl.DataFrame:
    return (
        events.filter(pl.col("found_key").is_not_null() & pl.col("state_code").is_null())
        .with_columns(intacct_key=pl.col("found_key"), owed_minor=pl.col("total_minor"))
        .select(*FOUND_SCHEMA)
        .cast(FOUND_SCHEMA)  # type: ignore[arg-type]
        .sort("storefront", "order_ref", "kind_code", "event_ref")
    )
