"""ops tables of the close: what happened to a period, what stood open, what it rested on, and what moved after the lock. All append-only."""

from __future__ import annotations

from checks.contracts.table import DAY, INSTANT, MINOR, TEXT, WHOLE, Column, Table

_CLOSE = (
    Column("entity_code", TEXT, "Entity."),
    Column(
        "period",
        TEXT,
        "Accounting period by the entity's calendar: 2026-10, 2026-P09, or a name of its table.",
    ),
    Column(
        "revision",
        WHOLE,
        "Which close of the period: 1, then one more for every close with other content.",
        least=1,
    ),
)
_CURRENCY = Column("currency", TEXT, "ISO 4217 code of every `_minor` in the row.", longest=3)
_EVENTS = ("closed", "prepared", "locked", "voided", "suspended", "reinstated", "reopened")

CLOSE_EVENTS = Table(
    "ops.close_events",
    ("entity_code", "period", "event_no"),
    "What happened to the close of a period, in order; its state is what the events come to. Append-only.",
    (
        *_CLOSE[:2],
        Column("event_no", WHOLE, "1, 2, 3 … within entity and period.", least=1),
        Column(
            "kind_code",
            TEXT,
            "closed; prepared (signed by the preparer); locked (signed by a different reviewer); voided (other content, signatures fell); suspended (a record moved after the lock); reinstated (a reviewer accepted that); reopened.",
            words=_EVENTS,
        ),
        _CLOSE[2],
        Column("content_sha256", TEXT, "The content it is bound to.", longest=64),
        Column("author", TEXT, "Who: a person, or `tieout`."),
        Column("reason", TEXT, "Why, in the author's words; empty text if none is asked for."),
        Column("at", INSTANT, "When."),
        Column("run_id", TEXT, "Run."),
    ),
    ("A signature counts only while no later `voided` or `reopened` event stands after it.",),
)

OPEN_ITEMS = Table(
    "ops.open_items",
    ("entity_code", "period", "revision", "item_id"),
    "The register of each close: every item that was open at either end of the period, with its movement. The closing of one is the opening of the next.",
    (
        *_CLOSE,
        Column(
            "item_id",
            TEXT,
            "Stays the same from month to month: kind, subject, entity and currency make it.",
            longest=12,
        ),
        Column(
            "kind_code",
            TEXT,
            "order or payment (a difference of that tie-out), document (open AR).",
            words=("order", "payment", "document"),
        ),
        Column("subject_ref", TEXT, "The matched group, or the document's kind and RECORDNO."),
        _CURRENCY,
        Column("store_ref", TEXT, "Store; empty text if none is known.", null=True),
        Column("order_number", TEXT, "Order number.", null=True),
        Column("documents", TEXT, "Documents or receipts.", null=True),
        Column("customer", TEXT, "Customer, for people.", null=True),
        Column(
            "first_period",
            TEXT,
            "The period in which it was first open; `before` if that was before the first close.",
        ),
        Column("since_on", DAY, "Since when it is open.", null=True),
        Column("due_on", DAY, "Due date of a document.", null=True),
        Column(
            "days_no", WHOLE, "Age at the period's end in days; of documents by the ageing basis.", null=True
        ),
        Column("bucket_code", TEXT, "Ageing bucket of a document.", null=True),
        Column("outcome_code", TEXT, "Outcome of a difference, as then known.", null=True),
        Column("family_code", TEXT, "Its family, or `document`."),
        Column(
            "state_code",
            TEXT,
            "new, carried, changed or cleared in the period.",
            words=("new", "carried", "changed", "cleared"),
        ),
        Column("opening_minor", MINOR, "Open in the last close; before the first one, by the data of this."),
        Column(
            "restated_minor",
            MINOR,
            "What today's data say of the same day, less the opening: dated back since.",
        ),
        Column("new_minor", MINOR, "Came up in the period."),
        Column("cleared_minor", MINOR, "Was settled in the period."),
        Column("changed_minor", MINOR, "Changed in the period without being settled."),
        Column(
            "closing_minor",
            MINOR,
            "Open at the period's end: storefront minus Intacct, or what is open of the document.",
        ),
        Column(
            "cleared_on",
            DAY,
            "When both sides came to agree, if that was after the period's end: proof of a timing difference.",
            null=True,
        ),
        Column("evidence", TEXT, "Why it is open."),
    ),
)

ITEM_NOTES = Table(
    "ops.item_notes",
    ("item_id", "note_no"),
    "Who owns an open item, what is known of it and what happens next, in order; the newest word of each column counts. Append-only.",
    (
        Column("item_id", TEXT, "The item.", longest=12),
        Column("note_no", WHOLE, "1, 2, 3 … within the item.", least=1),
        Column(
            "owner", TEXT, "Who has to do with it from now on; null leaves the owner as it was.", null=True
        ),
        Column("note", TEXT, "What is known; null leaves the note as it was.", null=True),
        Column("next_step", TEXT, "What happens next; null leaves it as it was.", null=True),
        Column("author", TEXT, "Who wrote this."),
        Column("at", INSTANT, "When."),
    ),
)

CLOSED_RECORDS = Table(
    "ops.closed_records",
    ("entity_code", "period", "revision", "side", "kind_code", "record_ref"),
    "The records a close rests on, as they stood: what a sentinel holds today's records against.",
    (
        *_CLOSE,
        Column("side", TEXT, "`storefront` or `intacct`.", words=("storefront", "intacct")),
        Column(
            "kind_code",
            TEXT,
            "sale, credit, receipt (a charge) of the storefront; invoice, adjustment, receipt of Intacct.",
        ),
        Column("record_ref", TEXT, "Storefront, order and event; or RECORDNO."),
        Column("number", TEXT, "Number for people.", null=True),
        Column("order_number", TEXT, "Order number or reference.", null=True),
        Column("dated_on", DAY, "Accounting date."),
        _CURRENCY,
        Column("amount_minor", MINOR, "Amount."),
        Column("state_code", TEXT, "`stands`, or why it does not count."),
        Column("customer_ref", TEXT, "Customer in Intacct.", null=True),
    ),
)

CLOSED_OUTCOMES = Table(
    "ops.closed_outcomes",
    ("entity_code", "period", "revision", "tie_out", "group_ref", "currency"),
    "The outcome of every order and payment of a close, so that two closes can be held against each other.",
    (
        *_CLOSE,
        Column("tie_out", TEXT, "orders or payments.", words=("orders", "payments")),
        Column("group_ref", TEXT, "The matched group."),
        _CURRENCY,
        Column("order_number", TEXT, "Its number.", null=True),
        Column("expected_minor", MINOR, "Storefront, over all periods."),
        Column("actual_minor", MINOR, "Intacct, over all periods."),
        Column("period_expected_minor", MINOR, "Storefront in the period."),
        Column("period_actual_minor", MINOR, "Intacct in the period."),
        Column("delta_minor", MINOR, "Storefront minus Intacct."),
        Column("outcome_code", TEXT, "Outcome."),
        Column("family_code", TEXT, "Family."),
        Column("documents", TEXT, "Its documents.", null=True),
    ),
)

_SIDES = (
    ("entity_code", TEXT, "entity"), ("dated_on", DAY, "accounting date"), ("currency", TEXT, "currency"), ("amount_minor", MINOR, "amount"),
    ("state_code", TEXT, "state"), ("customer_ref", TEXT, "customer"), ("number", TEXT, "number"), ("order_number", TEXT, "order number or reference"),
)  # fmt: skip

MOVED_RECORDS = Table(
    "ops.moved_records",
    ("run_id", "entity_code", "period", "side", "kind_code", "record_ref"),
    "Records of a locked period that are no longer what was signed, with before and after. Append-only.",
    (
        *_CLOSE,
        Column("change_code", TEXT, "added, removed or changed.", words=("added", "removed", "changed")),
        Column("side", TEXT, "`storefront` or `intacct`.", words=("storefront", "intacct")),
        Column("kind_code", TEXT, "What kind of record."),
        Column("record_ref", TEXT, "Its id."),
        *(
            Column(f"{when}_{name}", dtype, f"{about.capitalize()} {when}.", null=True)
            for when in ("before", "after")
            for name, dtype, about in _SIDES
        ),
        Column("sentence", TEXT, "What moved, in words."),
        Column("found_at", INSTANT, "When it was found."),
        Column("run_id", TEXT, "The sentinel's run."),
    ),
)

CORRECTION_DRAFTS = Table(
    "ops.correction_drafts",
    ("run_id", "entity_code", "period", "side", "kind_code", "record_ref", "currency"),
    "What the present period owes a locked one whose records moved: drafts for a person to judge; nothing sends them.",
    (
        *_CLOSE,
        Column("side", TEXT, "The side that moved.", words=("storefront", "intacct")),
        Column("kind_code", TEXT, "What kind of record."),
        Column("record_ref", TEXT, "Its id."),
        _CURRENCY,
        Column(
            "amount_minor", MINOR, "What the locked period would now hold more (or less) than was signed."
        ),
        Column("draft_on", DAY, "Date in the present period."),
        Column("memo", TEXT, "What it is for."),
        Column("drafted_at", INSTANT, "When."),
        Column("run_id", TEXT, "The sentinel's run."),
    ),
)

TABLES = (
    CLOSE_EVENTS,
    OPEN_ITEMS,
    ITEM_NOTES,
    CLOSED_RECORDS,
    CLOSED_OUTCOMES,
    MOVED_RECORDS,
    CORRECTION_DRAFTS,
)
