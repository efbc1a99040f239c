"""Orders that changed after their documents were posted: the difference is posted as a further invoice or a credit memo, linked by its event.

What was posted stays as it is, a summary too: what one of its orders owes now beyond its part is a document of that order alone, on the
summary's customer. The further document carries the next revision of the same event and the lines by which what is owed differs
from what was posted, so that the documents of an order always sum to what it owes. A sale that is no longer owed because its order was
cancelled is credited whole.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.identity import minted
from transforms.postings.order_entry import as_invoiced
from transforms.postings.terms import Existing, PostingPolicy
from transforms.running import position

_EVENT: Final = ["storefront", "order_ref", "event_code", "event_ref"]
_LINE: Final = [
    "account_code", "component_code", "location_code", "department_code", "item_ref", "class_code", "project_code", "custom_fields",
    "tax_detail_code", "tax_solution",
]  # fmt: skip
_LAST_LINE_NO: Final = 3_000_000
MEMO_LENGTH: Final = 500
"""Longest text of a line."""


def posted(existing: Existing) -> pl.DataFrame:
    """Per event, what its documents sent so far come to, its part of a summary among them: `posted_minor`, `posted_revision` (the newest),
    `is_uncertain` (one may or may not be there).
    """
    sent = existing.documents.filter(
        pl.col("state_code").is_in(["accepted", "sending", "unknown"])
        & pl.col("kind_code").is_in(["invoice", "credit_memo"])
    )
    return (
        existing.orders.join(sent.select("document_id", "state_code", "revision"), on="document_id")
        .group_by(_EVENT)
        .agg(
            posted_minor=pl.col("amount_minor").sum(),
            posted_revision=pl.col("revision").max(),
            is_uncertain=(pl.col("state_code") != "accepted").any(),
        )
    )


def cancelled_sales(
    existing: Existing, owed: pl.DataFrame, changes: pl.DataFrame, columns: dict[str, pl.DataType]
) -> pl.DataFrame:
    """Sales that were posted and are not owed any more because their order was cancelled, as owed events of nothing.

    `changes` has `storefront`, `order_ref`, `changed_on`, `is_cancelled`. Only a cancelled order counts: one that merely is not there (a source
    read in part) takes nothing back.
    """
    gone = (
        posted(existing)
        .filter((pl.col("event_code") == "sale") & (pl.col("posted_minor") != 0))
        .join(owed.select(_EVENT), on=_EVENT, how="anti")
        .join(changes.filter("is_cancelled"), on=["storefront", "order_ref"])
    )
    papers = existing.documents.filter(
        (pl.col("kind_code") == "invoice") & (pl.col("revision") == 1) & (pl.col("state_code") == "accepted")
    ).select("document_id", "entity_code", "customer_id", pl.col("document_on").alias("owed_on"))  # fmt: skip
    first = (
        existing.orders.filter(pl.col("event_code") == "sale")
        .join(papers, on="document_id")
        .drop("document_id", "event_code", "amount_minor")
    )
    rows = gone.join(first, on=["storefront", "order_ref", "event_ref"]).with_columns(
        total_minor=pl.lit(0, dtype=pl.Int64), owed_at=pl.col("owed_on").cast(pl.Datetime("us", "UTC"))
    )
    missing = {name: dtype for name, dtype in columns.items() if name not in rows.columns}
    return rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in missing.items()).select(
        *columns, pl.col("customer_id").alias("kept_customer_id")
    )


def with_differences(
    events: pl.DataFrame, existing: Existing, changes: pl.DataFrame, policy: PostingPolicy
) -> pl.DataFrame:
    """The judged events, each that changed after posting as two: what is posted (`already_in_intacct`), and the difference to plan.

    The difference is a further invoice, or a credit memo if what is owed became less; dated when the order changed, never before its first
    document. While it is uncertain whether an earlier document is there, the change is told and waits.
    """
    changed = events.filter(
        (pl.col("reason_code") == "changed_after_posting")
        & (pl.col("kind_code") != "receipt")
        & ~pl.col("is_merged").fill_null(value=False)
        & ~pl.col("is_uncertain").fill_null(value=True)
    )
    if changed.is_empty() or policy.change_after_posting == "hold":
        return events
    minor = pl.col("planned_minor") - pl.col("posted_minor")
    further = (
        changed.join(
            changes.select("storefront", "order_ref", "changed_on"),
            on=["storefront", "order_ref"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            kind_code=pl.when(minor < 0).then(pl.lit("credit_memo")).otherwise(pl.lit("invoice")),
            revision=pl.col("posted_revision") + 1,
            total_minor=pl.col("total_minor") - pl.col("posted_minor"),
            full_minor="planned_minor",
            planned_minor=minor,
            # A summary's number is its own; what follows it for one order is named after the order.
            number=pl.when("is_summary")
            .then(
                pl.coalesce(
                    "invoice_prefix",
                    pl.when(minor < 0).then(pl.lit(policy.credit_memo_prefix)).otherwise(pl.lit("")),
                )
                + pl.coalesce("order_number", "order_ref")
            )
            .otherwise("number"),
            is_summary=pl.lit(value=False),
            summary_id=pl.lit(None, dtype=pl.String),
            owed_on=pl.max_horizontal("owed_on", "changed_on"),
            reason_code=pl.lit(None, dtype=pl.String),
            found_key=pl.lit(None, dtype=pl.String),
        )
        .drop("changed_on")
    )
    # Named after the event's own kind, so that a difference that changes its sign before it is sent stays the same document.
    named = further.with_columns(word=pl.lit("difference"))
    further = further.with_columns(
        minted(named, policy.namespace, ["storefront", "order_ref", "event_code", "event_ref", "word", "revision"])
    )  # fmt: skip
    known = existing.documents.select(
        "document_id", pl.col("state_code").alias("new_state"), pl.col("number").alias("new_number")
    )
    number = pl.format("{}-R{}", "number", "revision")
    further = (
        further.join(known, on="document_id", how="left", maintain_order="left")
        .with_columns(
            number=pl.coalesce(
                "new_number",
                pl.when(number.str.len_chars() <= policy.number_longest)
                .then(number)
                .otherwise(pl.lit("X") + pl.col("document_id").str.slice(0, 12)),
            ),
            state_code="new_state",
            reason_code=pl.when(pl.col("new_state") == "cancelled")
            .then(pl.lit("cancelled_by_hand"))
            .when(pl.col("is_held").fill_null(value=False))
            .then(pl.lit("held")),
            known_key=pl.lit(None, dtype=pl.String),
        )
        .drop("new_state", "new_number")
    )
    stays = events.join(
        changed.select("document_id", is_changed=pl.lit(value=True)), on="document_id", how="left", maintain_order="left"
    ).with_columns(
        reason_code=pl.when("is_changed").then(pl.lit("already_in_intacct")).otherwise("reason_code"),
        total_minor=pl.when("is_changed").then("posted_minor").otherwise("total_minor"),
        planned_minor=pl.when("is_changed").then("posted_minor").otherwise("planned_minor"),
    ).drop("is_changed")  # fmt: skip
    return pl.concat([stays, further.select(stays.columns)])


def merged_parts(existing: Existing, summaries: pl.DataFrame) -> pl.DataFrame:
    """Events whose lines in a summary cannot be told from others': two events of an order in one summary, or two orders of one number."""
    return (
        existing.orders.join(summaries.select("document_id"), on="document_id", how="semi")
        .filter(pl.len().over("document_id", order_text()) > 1)
        .select(*_EVENT, is_merged=pl.lit(value=True))
        .unique()
    )


def order_text() -> pl.Expr:
    """How the lines of a summary name their order."""
    return pl.coalesce("order_number", "order_ref").str.slice(0, MEMO_LENGTH)


def difference_lines(
    lines: pl.DataFrame, drafts: pl.DataFrame, existing: Existing, summaries: pl.DataFrame
) -> pl.DataFrame:
    """Lines of further documents: the event's lines as owed now, less those of its documents posted so far, by account and dimensions.

    `summaries` are the known documents that answer many orders.
    """
    further = drafts.filter((pl.col("revision") > 1) & (pl.col("kind_code") != "receipt"))
    if further.is_empty():
        return lines
    sent = existing.documents.filter(pl.col("state_code") == "accepted").select("document_id")
    # The lines of a summary name their order; those of a document of one order are all its own.
    before = (
        existing.lines.join(sent, on="document_id")
        .join(existing.orders.select("document_id", *_EVENT, text=order_text()), on="document_id")
        .join(summaries.select("document_id", is_of_many=pl.lit(value=True)), on="document_id", how="left")
        .filter(pl.col("is_of_many").is_null() | (pl.col("memo") == pl.col("text")))
        .drop("document_id", "text", "is_of_many")
        .join(further.select("document_id", *_EVENT), on=_EVENT)
        .with_columns(pl.col("amount_minor").neg(), as_invoiced(), line_no=pl.col("line_no") + _LAST_LINE_NO)
    )
    now = lines.join(further, on="document_id", how="semi")
    columns = ["document_id", "line_no", *_LINE, "amount_minor", "memo"]
    rest = (
        pl.concat([now.select(columns), before.select(columns)])
        .sort("document_id", "line_no")
        .group_by("document_id", *_LINE, maintain_order=True)
        .agg(pl.col("amount_minor").sum(), pl.col("memo").first(), pl.col("line_no").first())
        .filter(pl.col("amount_minor") != 0)
        .sort("document_id", "line_no")
        .with_columns(line_no=position("document_id"))
    )
    others = lines.join(further, on="document_id", how="anti")
    return pl.concat(
        [others, rest.select(name for name in others.columns if name in rest.columns)], how="diagonal_relaxed"
    )
