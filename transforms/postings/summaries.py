"""Summary posting: one document per store, day, currency and tender instead of one per order, so that a shop of any size fits its quota.

Events are judged, mapped and rounded one by one as for order posting, then folded: each line of a summary names the order it comes from, and
`out.document_orders` holds every order's part. Which events a document answers is stored with it, so an event that was sent stays with its
document, and what comes later for the same day goes into the next one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.identity import minted
from transforms.owed.revisions import order_text
from transforms.postings.terms import Existing, PostingPolicy
from transforms.running import position, running

_EVENT: Final = ["storefront", "order_ref", "event_code", "event_ref"]
_ORDER: Final = ["storefront", "order_ref", "currency"]
_GROUP: Final = ["kind_code", "storefront", "entity_code", "currency", "group"]
_OWED: Final = [*_ORDER, "document_id", "owed_on", "owed_at", "event_ref", "minor", "is_new"]
_INSTANT: Final = pl.Datetime("us", "UTC")
_OPEN: Final = ("planned", "refused")
"""States in which a summary still takes further orders of its day."""
_SENT: Final = ("accepted", "sending", "unknown")


def summary_documents(existing: Existing) -> pl.DataFrame:
    """Known documents that answer many orders: those without an order of their own."""
    return existing.documents.filter(
        pl.col("order_ref").is_null() & (pl.col("event_ref").str.contains(r"\|\d+$"))
    )


def with_summaries(events: pl.DataFrame, existing: Existing) -> pl.DataFrame:
    """Adds `is_summary` and `summary_id`; what is known of a summary's event is what is known of its document, and of its part of it.

    `events` needs `posting_code` of the store. An event that was ever planned on its own stays so, with all of its order; one that is in a
    summary stays in summaries, whatever the store's policy has become.
    """
    known = summary_documents(existing)
    members = (
        existing.orders.join(
            known.select("document_id", "state_code", "intacct_key", "number"), on="document_id"
        )
        # An event stands in one living document at most; a lost one only counts where there is no other.
        .sort(pl.col("state_code").is_in(["cancelled", "dead"]), "document_id")
        .unique(_EVENT, keep="first", maintain_order=True)
        .select(
            *_EVENT,
            pl.col("document_id").alias("summary_id"),
            pl.col("state_code").alias("sum_state"),
            pl.col("intacct_key").alias("sum_key"),
            pl.col("amount_minor").alias("sum_minor"),
        )
    )
    events = events.join(members, on=_EVENT, how="left", maintain_order="left")
    alone = (
        events.filter(pl.col("state_code").is_not_null())
        .select("storefront", "order_ref", is_alone=pl.lit(value=True))
        .unique()
    )
    events = events.join(alone, on=["storefront", "order_ref"], how="left", maintain_order="left")
    wanted = (pl.col("posting_code") == "summary").fill_null(value=False) & ~pl.col("is_alone").fill_null(
        value=False
    )
    events = events.with_columns(is_summary=pl.col("summary_id").is_not_null() | wanted).drop("is_alone")
    mine = pl.col("summary_id").is_not_null()
    return events.with_columns(
        state_code=pl.when(mine).then("sum_state").otherwise("state_code"),
        known_key=pl.when(mine).then("sum_key").otherwise("known_key"),
        known_minor=pl.when(mine).then("sum_minor").otherwise("known_minor"),
        # Summaries go to the store's own customer.
        customer_ref=pl.when("is_summary").then(None).otherwise("customer_ref"),
    ).drop("sum_state", "sum_key", "sum_minor")


def summary_receipts(
    events: pl.DataFrame, existing: Existing, tenders: pl.DataFrame, policy: PostingPolicy
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Receipts of summarised orders that can be posted, which invoice event each part of one pays, and (`document_id`, `reason_code`) of the others.

    Within an order, money pays invoices oldest first, what was sent before comes first on both sides. The first frame has `document_id`,
    `received_on`; the second `document_id`, `pays_id` (the invoice's event, or a further invoice of an order that changed after its summary
    was sent) and `amount_minor`. `tenders` are the receipts' mapped tenders.
    """
    sent = pl.col("state_code").is_in(list(_SENT)).fill_null(value=False)
    alive = pl.col("reason_code").is_null() | (sent & (pl.col("reason_code") != "cancelled_by_hand"))
    mine = events.filter(pl.col("is_summary") & alive).with_columns(
        is_new=~sent, minor=pl.when(sent).then("known_minor").otherwise("planned_minor")
    )
    invoices = (
        pl.concat(
            [
                mine.filter((pl.col("kind_code") == "invoice") & (pl.col("minor") > 0)).select(_OWED),
                _further_invoices(events, existing),
            ]
        )
        .sort(*_ORDER, "is_new", "owed_at", "event_ref")
        .with_columns(due_until=running(pl.col("minor"), *_ORDER))
        .with_columns(due_since=pl.col("due_until") - pl.col("minor"))
    )
    per_order = invoices.group_by(_ORDER).agg(due=pl.col("minor").sum())
    elsewhere = invoices.select("storefront", "order_ref", has_invoice=pl.lit(value=True)).unique()
    money = (
        mine.filter(pl.col("kind_code") == "receipt")
        .join(tenders, on="document_id", how="left")
        .join(per_order, on=_ORDER, how="left")
        .join(elsewhere, on=["storefront", "order_ref"], how="left")
        .with_columns(pl.col("due").fill_null(0))
        .with_columns(
            refusal=pl.when(pl.col("is_new")).then(
                pl.coalesce(
                    pl.when(pl.col("tender_mode").is_null()).then(pl.lit("tender_unmapped")),
                    pl.when(pl.col("tender_mode") == "ignore").then(pl.lit("tender_ignored")),
                    pl.when(pl.col("account_ref").is_null() | pl.col("method").is_null()).then(
                        pl.lit("tender_unmapped")
                    ),
                    pl.when((pl.col("due") == 0) & pl.col("has_invoice").fill_null(value=False)).then(
                        pl.lit("currency_differs")
                    ),
                    pl.when(pl.col("due") == 0).then(pl.lit("prepaid")),
                )
            )
        )
    )
    able = (
        money.filter(pl.col("refusal").is_null())
        .sort(*_ORDER, "is_new", "owed_at", "event_ref")
        .with_columns(until=running(pl.col("minor"), *_ORDER))
        .with_columns(since=pl.col("until") - pl.col("minor"))
    )
    too_much = able.filter(pl.col("is_new") & (pl.col("until") > pl.col("due")))
    able = able.filter(pl.col("is_new") & (pl.col("until") <= pl.col("due")))
    pays = (
        able.select("document_id", *_ORDER, "since", "until")
        .join(
            invoices.select(
                *_ORDER,
                pl.col("document_id").alias("pays_id"),
                pl.col("owed_on").alias("invoice_on"),
                "due_since",
                "due_until",
            ),
            on=_ORDER,
        )
        .with_columns(
            amount_minor=pl.min_horizontal("until", "due_until") - pl.max_horizontal("since", "due_since")
        )
        .filter(pl.col("amount_minor") > 0)
    )
    latest = pays.group_by("document_id").agg(paid_on=pl.col("invoice_on").max())
    dated = able.join(latest, on="document_id", how="left").with_columns(
        received_on=pl.col("owed_on")
        if policy.receipt_date == "moved"
        else pl.max_horizontal("owed_on", "paid_on")
    )
    start = pl.lit(policy.posting_starts_on, dtype=pl.Date)
    early = dated.filter((pl.col("received_on") < start).fill_null(value=False))
    dated = dated.join(early, on="document_id", how="anti")
    refused = pl.concat(
        [
            money.filter(pl.col("refusal").is_not_null()).select(
                "document_id", pl.col("refusal").alias("reason_code")
            ),
            too_much.select("document_id", reason_code=pl.lit("exceeds_due")),
            early.select("document_id", reason_code=pl.lit("before_go_live")),
        ]
    )
    return (
        dated.select("document_id", "account_ref", "method", "received_on"),
        pays.join(dated, on="document_id", how="semi").select("document_id", "pays_id", "amount_minor"),
        refused,
    )


def _further_invoices(events: pl.DataFrame, existing: Existing) -> pl.DataFrame:
    """Invoices of their own that summarised orders owe or have for what changed after their summary was sent."""
    orders = events.filter("is_summary").select("storefront", "order_ref").unique()
    sent = existing.documents.filter(
        (pl.col("kind_code") == "invoice")
        & (pl.col("revision") > 1)
        & pl.col("state_code").is_in(list(_SENT))
    ).with_columns(
        minor="total_minor", is_new=pl.lit(value=False), owed_on="document_on", owed_at=pl.col("document_on").cast(_INSTANT)
    )  # fmt: skip
    now = events.filter(
        (pl.col("kind_code") == "invoice") & (pl.col("revision") > 1) & pl.col("reason_code").is_null()
    ).with_columns(minor="planned_minor", is_new=pl.lit(value=True))
    return pl.concat([frame.select(_OWED) for frame in (sent, now)]).join(
        orders, on=["storefront", "order_ref"], how="semi"
    )


def further_targets(existing: Existing) -> pl.DataFrame:
    """`pays_id`, `applies_to_id`: further invoices sent before are what they pay themselves."""
    return existing.documents.filter((pl.col("kind_code") == "invoice") & (pl.col("revision") > 1)).select(
        pl.col("document_id").alias("pays_id"), pl.col("document_id").alias("applies_to_id")
    )


def assigned(events: pl.DataFrame, existing: Existing, policy: PostingPolicy) -> pl.DataFrame:
    """Adds `target_id`: the document each event is planned in; of its own, or the summary of its store, day, currency and tender.

    Also `group` (store, day and tender, as stored in the document's `event_ref`) and `sequence` of summaries. Events that were sent keep their
    document. A day's summary takes further orders while it is planned or refused and has room (`policy.summary_orders`); then the next begins.
    """
    events = _with_tender(events)
    day = pl.coalesce("received_on", "owed_on")
    events = events.with_columns(
        pl.when("is_summary").then(pl.concat_str("store_ref", day.cast(pl.String), "tender", separator="|")).alias("group")
    )  # fmt: skip
    known = (
        summary_documents(existing)
        .with_columns(
            group=pl.col("event_ref").str.extract(r"^(.*)\|\d+$", 1),
            sequence=pl.col("event_ref").str.extract(r"\|(\d+)$", 1).str.to_integer(dtype=pl.Int64),
        )
        .select("document_id", *_GROUP, "sequence", "state_code")
    )
    drafts = events.filter(pl.col("is_summary") & pl.col("reason_code").is_null())
    if drafts.is_empty():
        return events.with_columns(
            target_id=pl.coalesce("summary_id", "document_id"), sequence=pl.lit(None, dtype=pl.Int64)
        )
    home = known.select(
        pl.col("document_id").alias("summary_id"),
        *(pl.col(name).alias(f"home_{name}") for name in (*_GROUP, "sequence")),
    )
    drafts = drafts.join(home, on="summary_id", how="left", maintain_order="left")
    at_home = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"home_{name}")) for name in _GROUP)
    stays = drafts.filter(at_home).with_columns(sequence=pl.col("home_sequence"))
    comes = drafts.filter(~at_home)
    kept = stays.group_by(*_GROUP, "sequence").agg(count=pl.len().cast(pl.Int64))
    last = (
        known.sort(*_GROUP, "sequence")
        .unique(_GROUP, keep="last", maintain_order=True)
        .join(kept, on=[*_GROUP, "sequence"], how="left")
        .with_columns(is_open=pl.col("state_code").is_in(list(_OPEN)))
        .select(
            *_GROUP,
            first=pl.when("is_open").then("sequence").otherwise(pl.col("sequence") + 1),
            taken=pl.when("is_open").then(pl.col("count").fill_null(0)).otherwise(0),
        )
    )
    comes = (
        comes.sort(*_GROUP, "owed_at", "order_ref", "event_ref")
        .with_columns(nth=position(*_GROUP) - 1)
        .join(last, on=_GROUP, how="left", maintain_order="left")
        .with_columns(
            sequence=pl.col("first").fill_null(1)
            + (pl.col("nth") + pl.col("taken").fill_null(0)) // policy.summary_orders
        )
    )
    placed = pl.concat(
        [frame.select("document_id", "sequence", *_GROUP) for frame in (stays, comes)]
    ).with_columns(label=pl.concat_str("group", pl.col("sequence").cast(pl.String), separator="|"))
    names = placed.select(pl.lit("summary").alias("word"), *_GROUP, "label").unique(maintain_order=True)
    names = names.with_columns(
        minted(names, policy.namespace, ["word", "storefront", "entity_code", "kind_code", "currency", "label"]).alias("target_id")
    )  # fmt: skip
    placed = placed.join(names, on=[*_GROUP, "label"]).select("document_id", "target_id", "sequence")
    return events.join(placed, on="document_id", how="left", maintain_order="left").with_columns(
        target_id=pl.coalesce("target_id", "summary_id", "document_id")
    )


def _with_tender(events: pl.DataFrame) -> pl.DataFrame:
    """`tender`: the event's own, else that of the first money of its order, else `none`."""
    first = (
        events.filter((pl.col("kind_code") == "receipt") & pl.col("tender_code").is_not_null())
        .sort("storefront", "order_ref", "owed_at", "event_ref")
        .unique(["storefront", "order_ref"], keep="first", maintain_order=True)
        .select("storefront", "order_ref", pl.col("tender_code").alias("first_tender"))
    )
    return events.join(first, on=["storefront", "order_ref"], how="left", maintain_order="left").with_columns(
        tender=pl.coalesce("tender_code", "first_tender", pl.lit("none"))
    )


def folded_documents(drafts: pl.DataFrame, existing: Existing, policy: PostingPolicy) -> pl.DataFrame:
    """The columns of out.documents for the summaries among the drafts."""
    known = existing.documents.select(
        pl.col("document_id").alias("target_id"), pl.col("number").alias("kept_number")
    )
    letter = pl.when(pl.col("kind_code") == "invoice").then(pl.coalesce("invoice_prefix", pl.lit(""))).when(
        pl.col("kind_code") == "credit_memo"
    ).then(pl.lit(policy.credit_memo_prefix)).otherwise(pl.lit("R"))  # fmt: skip
    on = pl.coalesce("received_on", "owed_on")
    return (
        drafts.filter("is_summary")
        .sort("target_id", "owed_at", "order_ref", "event_ref")
        .group_by("target_id", maintain_order=True)
        .agg(
            pl.col("kind_code", "storefront", "entity_code", "customer_id", "currency", "account_ref", "method", "store_ref", "tender").first(),
            revision=pl.lit(1, dtype=pl.Int64).first(),
            document_on=on.first(),
            event_ref=pl.concat_str("group", pl.col("sequence").cast(pl.String), separator="|").first(),
            total_minor=pl.col("planned_minor").sum(),
            orders=pl.struct("storefront", "order_ref").n_unique(),
            letter=letter.first(),
        )
        .join(known, on="target_id", how="left", maintain_order="left")
        .with_columns(
            document_id="target_id",
            number=pl.coalesce(
                "kept_number",
                pl.concat_str("letter", pl.lit("S"), pl.col("document_on").dt.strftime("%y%m%d"), pl.lit("-"), pl.col("target_id").str.slice(0, 6)),
            ),
            due_on=pl.when(pl.col("kind_code") == "invoice").then(pl.col("document_on").dt.offset_by(f"{policy.due_days}d")),
            description=pl.format("{} web orders of {}, {}", "orders", "store_ref", "tender"),
        )
        .drop("target_id", "kept_number", "letter", "orders", "store_ref", "tender")
    )  # fmt: skip


def folded_lines(lines: pl.DataFrame, pays: pl.DataFrame, drafts: pl.DataFrame) -> pl.DataFrame:
    """Lines of summaries: one per order and account with the order's number as text; of receipts, one application per invoice."""
    mine = drafts.filter("is_summary").select("document_id", "target_id", order_text().alias("order_text"))
    place = [
        "account_code", "component_code", "location_code", "department_code", "item_ref", "class_code", "project_code", "custom_fields",
        "tax_detail_code", "tax_solution",
    ]  # fmt: skip
    texts = (
        lines.join(mine, on="document_id")
        .group_by("target_id", "order_text", *place)
        .agg(pl.col("amount_minor").sum(), first=pl.col("line_no").min())
        .filter(pl.col("amount_minor") != 0)
        .sort("target_id", "order_text", "first", *place)
        .with_columns(memo="order_text")
    )
    applied = (
        pays.join(mine, on="document_id")
        .group_by("target_id", "applies_to_id")
        .agg(pl.col("amount_minor").sum())
        .sort("target_id", "applies_to_id")
    )
    return pl.concat(
        [
            part.with_columns(line_no=position("target_id"), document_id="target_id").drop(
                [name for name in ("target_id", "order_text", "first") if name in part.columns]
            )
            for part in (texts, applied)
        ],
        how="diagonal",
    )
