"""Sales orders of order entry: planned when a web order is placed or approved, converted to the invoices of its sales, closed when it is cancelled.

A sales order is no receivable: it says what was ordered, and each invoice takes its quantities from it. An invoice's line is converted from
the order's line of the same web order line as long as that has the quantity left; a line that has not is invoiced beside it. Source: Sage
Intacct Web Services documentation, Order Entry Transactions (createdfrom, sourcelinekey, state).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal, NamedTuple

import polars as pl

from transforms.accounts import most_specific
from transforms.identity import minted
from transforms.owed.recognition import owed
from transforms.owed.terms import OWED_LINES_SCHEMA, OWED_SCHEMA, RecognitionPolicy
from transforms.postings.content import finished
from transforms.postings.terms import UNPLANNED_SCHEMA, Existing, PostingPolicy

EVENT: Final = "order"
_ORDER: Final = ["storefront", "order_ref"]
_LINE: Final = ["order_line_ref", "component_code"]
_SENT: Final = ("accepted", "sending", "unknown")
_LOST: Final = ("cancelled", "dead")
_APPROVED: Final = ("processing", "complete")
_NEVER: Final = ("before_go_live", "order_invoiced", "cancelled_by_hand", "zero_total", "negative_total")
"""Reasons for which there will be no sales order, so that its sales are invoiced without one."""
_THERE: Final = ("already_in_intacct", "already_planned")


class Ordered(NamedTuple):
    """What web orders come to as sales orders: `owed` and `lines` shaped like recon.owed and recon.owed_lines, with the event `order`."""

    owed: pl.DataFrame
    lines: pl.DataFrame


NOTHING: Final = Ordered(pl.DataFrame(schema=OWED_SCHEMA), pl.DataFrame(schema=OWED_LINES_SCHEMA))


class Closures(NamedTuple):
    """`documents` and `lines` (none) of kind order_closure, as rows of out.documents and out.document_lines; `unplanned` is always empty."""

    documents: pl.DataFrame
    lines: pl.DataFrame
    unplanned: pl.DataFrame


def ordered(
    orders: pl.DataFrame,
    order_lines: pl.DataFrame,
    stores: pl.DataFrame,
    owed_now: pl.DataFrame,
    existing: Existing,
    policy: RecognitionPolicy,
    when: Literal["placed", "approved"],
    *,
    events: Sequence[pl.DataFrame],
) -> Ordered:
    """The whole of every standing order of stores that post through order entry, dated when it was placed.

    `events` are core.shipments, core.payments, core.order_payments and core.returns, of which a sales order takes nothing. `approved` leaves out what is neither processed nor complete nor sold. An order whose sale was sent without a sales order gets none.
    """
    placed = most_specific(orders, stores, ["storefront", "store_ref"], ["posting_code"])
    placed = placed.filter((pl.col("posting_code") == "order_entry").fill_null(value=False)).drop(
        "posting_code"
    )
    sold = owed_now.filter(pl.col("event_code") == "sale").select(_ORDER).unique()
    if when == "approved":
        placed = pl.concat(
            [
                placed.filter(pl.col("status_code").is_in(_APPROVED)),
                placed.filter(~pl.col("status_code").is_in(_APPROVED)).join(sold, on=_ORDER, how="semi"),
            ]
        )
    sent = existing.documents.filter(pl.col("state_code").is_in(_SENT))
    invoiced = existing.orders.filter(pl.col("event_code") == "sale").join(
        sent.filter(pl.col("kind_code") == "invoice").select("document_id"), on="document_id", how="semi"
    )
    known = existing.documents.filter(pl.col("kind_code") == "sales_order")
    placed = placed.join(
        invoiced.select(_ORDER).unique().join(known.select(_ORDER).unique(), on=_ORDER, how="anti"),
        on=_ORDER,
        how="anti",
    )
    if placed.is_empty():
        return NOTHING
    shipments, payments, order_payments, returns = (frame.clear() for frame in events)
    found = owed(
        placed.sort(_ORDER),
        order_lines.join(placed.select(_ORDER), on=_ORDER, how="semi"),
        shipments,
        payments,
        order_payments,
        returns,
        stores,
        policy=replace(policy, basis="placed", bases={}, tender_owes_receipt=False),
    )
    event = pl.lit(EVENT).alias("event_code")
    return Ordered(
        found.owed.filter(pl.col("event_code") == "sale").with_columns(event),
        found.owed_lines.filter(pl.col("event_code") == "sale").with_columns(event),
    )


def first_without_invoice(events: pl.DataFrame) -> pl.DataFrame:
    """The judged events, with `order_invoiced` on sales orders of web orders whose invoice Intacct has from elsewhere."""
    elsewhere = (
        events.filter(
            (pl.col("kind_code") == "invoice")
            & (
                (pl.col("found_key").is_not_null() & pl.col("state_code").is_null())
                | (pl.col("reason_code") == "reference_in_intacct")
            )
        )
        .select(_ORDER)
        .unique()
        .with_columns(is_elsewhere=pl.lit(value=True))
    )
    late = (
        (pl.col("kind_code") == "sales_order")
        & pl.col("state_code").is_null()
        & pl.col("is_elsewhere").fill_null(value=False)
    )
    return (
        events.join(elsewhere, on=_ORDER, how="left", maintain_order="left")
        .with_columns(reason_code=pl.when(late).then(pl.lit("order_invoiced")).otherwise("reason_code"))
        .drop("is_elsewhere")
    )


def converted(
    lines: pl.DataFrame, events: pl.DataFrame, papers: pl.DataFrame, existing: Existing
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The drafted lines with `converts_id` on those of sales invoices that are converted from a line of a sales order, and (`document_id`,
    `reason_code`) of invoices that wait because their order cannot be planned.

    `events` are all events with their reasons, `papers` those drafted, `lines` their lines. A line is converted as long as the order's line
    has its whole quantity left, after what earlier invoices took.
    """
    orders = events.filter(pl.col("kind_code") == "sales_order")
    known = existing.documents.filter(
        (pl.col("kind_code") == "sales_order") & pl.col("state_code").is_in(_SENT)
    ).select(*_ORDER, order_id="document_id")
    going = orders.filter(pl.col("reason_code").is_null() | pl.col("reason_code").is_in(_THERE)).select(
        *_ORDER, order_id="document_id"
    )
    sources = pl.concat([going, known]).unique("order_id", keep="first", maintain_order=True)
    sold = papers.filter((pl.col("kind_code") == "invoice") & (pl.col("posting_code") == "order_entry") & (pl.col("revision") == 1)).select(
        *_ORDER, "document_id", "owed_at"
    )  # fmt: skip
    stuck = orders.filter(
        pl.col("reason_code").is_not_null() & ~pl.col("reason_code").is_in([*_THERE, *_NEVER])
    )
    waits = sold.join(stuck, on=_ORDER, how="semi").select(
        "document_id", reason_code=pl.lit("order_entry_order")
    )
    lines = lines.with_columns(
        pl.lit(None, dtype=pl.String).alias(name)
        for name in ("order_line_ref", "converts_id")
        if name not in lines.columns
    )
    if sources.is_empty() or sold.is_empty():
        return lines, waits
    columns = ["document_id", *_LINE, "quantity"]
    drafted = lines.filter(pl.col("quantity").is_not_null() & pl.col("order_line_ref").is_not_null())
    before = existing.lines.join(drafted.select("document_id"), on="document_id", how="anti")
    of_orders = (
        pl.concat([drafted.select(columns), before.select(columns)])
        .rename({"document_id": "order_id"})
        .join(sources, on="order_id")
        .drop_nulls(["quantity", "order_line_ref"])
        # Two lines that cannot be told apart are converted by nobody.
        .filter(pl.len().over("order_id", *_LINE) == 1)
        .rename({"quantity": "ordered"})
    )
    lost = existing.documents.filter(pl.col("state_code").is_in(_LOST)).select("document_id")
    taken = (
        before.drop_nulls("converts_id")
        .join(lost, on="document_id", how="anti")
        .group_by(pl.col("converts_id").alias("order_id"), *_LINE)
        .agg(taken=pl.col("quantity").sum())
    )
    fits = (
        drafted.select(*columns, "line_no")
        .join(sold, on="document_id")
        .join(of_orders, on=[*_ORDER, *_LINE])
        .join(taken, on=["order_id", *_LINE], how="left")
        .sort("order_id", "owed_at", "document_id", "line_no")
        .with_columns(reached=pl.col("quantity").cum_sum().over("order_id", *_LINE))
        .filter(pl.col("reached") + pl.col("taken").fill_null(0) <= pl.col("ordered"))
    )
    linked = fits.select("document_id", "line_no", source_id="order_id")
    return (
        lines.join(linked, on=["document_id", "line_no"], how="left", maintain_order="left")
        .with_columns(converts_id=pl.coalesce("source_id", "converts_id"))
        .drop("source_id"),
        waits,
    )


def closures(
    existing: Existing,
    changes: pl.DataFrame,
    new_lines: pl.DataFrame,
    policy: PostingPolicy,
    when: Literal["all", "unconverted", "none"],
    *,
    run_id: str,
    planned_at: datetime,
) -> Closures:
    """A closure for every sales order in Intacct whose web order is cancelled and of which something is left to convert.

    `changes` has `storefront`, `order_ref`, `changed_on` and `is_cancelled`, `new_lines` are lines of the same plan. `unconverted` leaves
    orders alone of which a part is invoiced. While an invoice that takes from the order is on its way, its closure waits.
    """
    orders = existing.documents.filter(
        (pl.col("kind_code") == "sales_order") & (pl.col("state_code") == "accepted")
    ).join(changes.filter("is_cancelled"), on=_ORDER)
    states = existing.documents.select("document_id", "state_code")
    takes = (
        existing.lines.drop_nulls("converts_id")
        .select("document_id", "converts_id", *_LINE, "quantity")
        .join(states, on="document_id")
        .filter(~pl.col("state_code").is_in(_LOST))
    )
    moving = pl.concat(
        [
            takes.filter(pl.col("state_code") != "accepted").select("converts_id"),
            new_lines.drop_nulls("converts_id").select("converts_id"),
        ]
    )
    done = takes.group_by("converts_id", *_LINE).agg(taken=pl.col("quantity").sum())
    left = (
        existing.lines.join(orders.select("document_id"), on="document_id", how="semi")
        .filter(pl.col("order_line_ref").is_not_null())
        .join(
            done,
            left_on=["document_id", *_LINE],
            right_on=["converts_id", *_LINE],
            how="left",
            nulls_equal=True,
        )
        .group_by("document_id")
        .agg(
            is_whole=pl.col("taken").is_null().all(),
            is_left=(pl.col("taken").fill_null(0) < pl.col("quantity")).any(),
        )
        .filter(pl.col("is_left") & (pl.lit(when == "all") | pl.col("is_whole")))
    )
    chosen = (
        orders.join(left, on="document_id")
        .join(moving, left_on="document_id", right_on="converts_id", how="anti")
        .filter(when != "none")
    )
    chosen = chosen.with_columns(event_ref="document_id", word=pl.lit("closure"))
    chosen = chosen.with_columns(minted(chosen, policy.namespace, ["word", "event_ref"]))
    documents, lines = finished(
        chosen.select(
            "document_id", "storefront", "order_ref", "order_number", "event_ref", "entity_code", "customer_id", "currency",
            kind_code=pl.lit("order_closure"), revision=pl.lit(1, dtype=pl.Int64), number="document_id", reference="intacct_key",
            document_on=pl.max_horizontal("document_on", "changed_on"), total_minor=pl.lit(0, dtype=pl.Int64),
            description=pl.format("Cancelled: {}", "number"),
        ),
        new_lines.clear(),
        existing.edits,
        run_id,
        planned_at,
    )  # fmt: skip
    known = existing.documents.select("document_id", "content_sha256")
    return Closures(
        documents.join(known, on=["document_id", "content_sha256"], how="anti"),
        lines,
        pl.DataFrame(schema=UNPLANNED_SCHEMA),
    )
