"""ops: runs, watermarks, findings, holds, the outbox and its moves, exchanges, quota. What operators ask about."""

from __future__ import annotations

from checks.contracts.table import FLAG, INSTANT, MINOR, TEXT, WHOLE, Column, Table
from tieout.vocabulary import OUTBOX_STATES, OWNED_FIELDS, SEVERITIES, WRITE_OUTCOMES

RUNS = Table(
    "ops.runs",
    ("run_id",),
    "Every run of a stage.",
    (
        Column("run_id", TEXT, "Minted when the run starts; sorts by time."),
        Column(
            "stage",
            TEXT,
            "extract, stage, check, plan, post, confirm, reconcile, report, stock, nightly, close.",
        ),
        Column("parent_run_id", TEXT, "The run that called it.", null=True),
        Column("started_at", INSTANT, "Start."),
        Column("ended_at", INSTANT, "End; null while running or after a crash.", null=True),
        Column("state_code", TEXT, "running, done, failed.", words=("running", "done", "failed")),
        Column("summary", TEXT, "JSON of its figures.", null=True),
        Column("error", TEXT, "Its sentence, if it failed.", null=True),
    ),
)

WATERMARKS = Table(
    "ops.watermarks",
    ("source", "subject"),
    "How far each source was read. Moves only in the transaction that lands the records.",
    (
        Column("source", TEXT, "Source."),
        Column("subject", TEXT, "Subject."),
        Column(
            "mark_at",
            INSTANT,
            "Largest change time seen; the next read starts a stated lag before it.",
            null=True,
        ),
        Column("mark_ref", TEXT, "Largest native id seen, for walks by id.", null=True),
        Column("moved_at", INSTANT, "When it moved."),
        Column("run_id", TEXT, "The run that moved it."),
    ),
)

CONTROLS = Table(
    "ops.controls",
    ("run_id", "source", "subject", "stage"),
    "Control totals: counts (and sums where the source offers them) at source, landed, staged.",
    (
        Column("run_id", TEXT, "Run."),
        Column("source", TEXT, "Source."),
        Column("subject", TEXT, "Subject."),
        Column("stage", TEXT, "extract or stage."),
        Column("source_count", WHOLE, "Count the source states; null if it states none.", null=True),
        Column("read_count", WHOLE, "Records read."),
        Column("new_count", WHOLE, "Of those, not landed before."),
        Column("good_count", WHOLE, "Of those, staged without a problem.", null=True),
        Column("held_count", WHOLE, "Of those, with a problem.", null=True),
        Column("at", INSTANT, "When."),
    ),
)

FINDINGS = Table(
    "ops.findings",
    ("run_id", "rule_code", "subject_ref"),
    "What checks found, one row per offending record, with a sentence that says what to do.",
    (
        Column("run_id", TEXT, "The check run."),
        Column("rule_code", TEXT, "Which rule."),
        Column("severity", TEXT, "stop, hold or warn.", words=SEVERITIES),
        Column("storefront", TEXT, "Storefront; empty text if none."),
        Column("order_ref", TEXT, "The order, where there is one.", null=True),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("subject_ref", TEXT, "Key of the offending record."),
        Column("currency", TEXT, "Currency of amount_minor.", null=True),
        Column("amount_minor", MINOR, "Money that waits because of it.", null=True),
        Column("sentence", TEXT, "What is wrong and what to do next."),
        Column("found_at", INSTANT, "When."),
    ),
)

OUTBOX = Table(
    "ops.outbox",
    ("document_id",),
    "Where each planned document stands. The only legal moves are those of the outbox.",
    (
        Column("document_id", TEXT, "The document."),
        Column("state_code", TEXT, "Its state.", words=OUTBOX_STATES),
        Column("intacct_key", TEXT, "RECORDNO (or id for customers) once accepted.", null=True),
        Column("reason", TEXT, "Why it waits, was refused or is dead.", null=True),
        Column("error_kind", TEXT, "Kind of the last error.", null=True),
        Column("attempts_no", WHOLE, "How often it was sent.", least=0),
        Column("failures_no", WHOLE, "How often it was refused.", least=0),
        Column("batch_id", TEXT, "The batch it was last sent in.", null=True),
        Column("control_id", TEXT, "The function control id it was last sent under.", null=True),
        Column("content_sha256", TEXT, "What was sent.", null=True),
        Column("lease_until_at", INSTANT, "Until when a sender owns it.", null=True),
        Column("changed_at", INSTANT, "Last move."),
        Column("run_id", TEXT, "The run of the last move."),
        Column(
            "moves_no",
            WHOLE,
            "How many moves it has made; empty in rows from before this was kept.",
            null=True,
        ),
    ),
)

OUTBOX_MOVES = Table(
    "ops.outbox_moves",
    ("document_id", "move_no"),
    "Every move of every document: the audit trail of the outbox. Append-only.",
    (
        Column("document_id", TEXT, "The document."),
        Column("move_no", WHOLE, "1, 2, 3 … within the document.", least=1),
        Column("from_state", TEXT, "Before; null for the first.", null=True),
        Column("to_state", TEXT, "After.", words=OUTBOX_STATES),
        Column("reason", TEXT, "Why.", null=True),
        Column("actor", TEXT, "`tieout` or the person who asked."),
        Column("batch_id", TEXT, "Batch.", null=True),
        Column("at", INSTANT, "When."),
        Column("run_id", TEXT, "Run."),
    ),
)

EXCHANGES = Table(
    "ops.exchanges",
    ("exchange_id",),
    "Every XML request to Intacct with its reply, redacted; the texts lie compressed in the archive folder.",
    (
        Column("exchange_id", TEXT, "Minted."),
        Column("batch_id", TEXT, "The batch, for posts.", null=True),
        Column("entity_code", TEXT, "Entity of the session."),
        Column("purpose", TEXT, "post, query, login …"),
        Column("path", TEXT, "File in the archive folder."),
        Column("sha256", TEXT, "SHA-256 of the file.", longest=64),
        Column("status", TEXT, "What came back, in one word."),
        Column("transactions_no", WHOLE, "API transactions metered.", least=0),
        Column("elapsed_ms", WHOLE, "How long it took.", least=0),
        Column("at", INSTANT, "When."),
        Column("run_id", TEXT, "Run."),
    ),
)

QUOTA = Table(
    "ops.quota",
    ("month", "run_id", "purpose"),
    "API transactions used, by the published counting rules: one per record written, one per page read.",
    (
        Column("month", TEXT, "YYYY-MM."),
        Column("run_id", TEXT, "Run."),
        Column("purpose", TEXT, "post, query, …"),
        Column("calls_no", WHOLE, "Requests.", least=0),
        Column("transactions_no", WHOLE, "Transactions.", least=0),
    ),
)

STOCK_WRITES = Table(
    "ops.stock_writes",
    ("run_id", "storefront", "sku", "location_ref"),
    "Every stock figure written to a storefront.",
    (
        Column("run_id", TEXT, "Run."),
        Column("storefront", TEXT, "Storefront."),
        Column("sku", TEXT, "Item."),
        Column("location_ref", TEXT, "Location."),
        Column("before_qty", WHOLE, "Before.", null=True),
        Column("after_qty", WHOLE, "After.", null=True),
        Column("outcome", TEXT, "written, unchanged, refused."),
        Column("detail", TEXT, "Why, if refused.", null=True),
        Column("at", INSTANT, "When."),
    ),
)

STOCK_CHECKS = Table(
    "ops.stock_checks",
    ("run_id", "storefront", "sku", "location_ref"),
    "A sample of stock figures read back from the storefronts after publishing.",
    (
        Column("run_id", TEXT, "Run."),
        Column("storefront", TEXT, "Storefront."),
        Column("sku", TEXT, "Item."),
        Column("location_ref", TEXT, "Location."),
        Column("expected_qty", WHOLE, "What it should show."),
        Column("found_qty", WHOLE, "What it shows; null if the row is not there.", null=True),
        Column("at", INSTANT, "When."),
    ),
)

WRITES = Table(
    "ops.writes",
    ("run_id", "storefront", "field", "key"),
    "Every value written back to a storefront, or refused, or that the storefront has no place for. Append-only.",
    (
        Column("run_id", TEXT, "Run."),
        Column("storefront", TEXT, "Storefront."),
        Column("field", TEXT, "What was written.", words=tuple(OWNED_FIELDS)),
        Column("key", TEXT, "Names the value for ever: what makes a repeat a repeat.", longest=60),
        Column("subject_ref", TEXT, "The storefront's record: order, customer or SKU."),
        Column("order_number", TEXT, "The order's number, for fields of orders.", null=True),
        Column("value", TEXT, "The value, as JSON."),
        Column("content_sha256", TEXT, "Its hash; the same value is not written twice.", longest=64),
        Column("outcome", TEXT, "What became of it.", words=WRITE_OUTCOMES),
        Column("before", TEXT, "What the storefront showed before.", null=True),
        Column("after", TEXT, "What it shows now.", null=True),
        Column("detail", TEXT, "Why, if refused or unsupported.", null=True),
        Column("at", INSTANT, "When."),
    ),
)

MAPPING_CHANGES = Table(
    "ops.mapping_changes",
    ("run_id", "mapping", "code"),
    "Rows a person added to a mapping by command: who, when, why, and which known code it was taken for. Append-only.",
    (
        Column("run_id", TEXT, "Run."),
        Column("mapping", TEXT, "stores, items, taxes, tenders or warehouses."),
        Column("code", TEXT, "The code, its parts separated by a space."),
        Column("action", TEXT, "accept or ignore.", words=("accept", "ignore")),
        Column("csv_row", TEXT, "The row as it was written."),
        Column("proposed_like", TEXT, "The known code whose meaning was taken over.", null=True),
        Column("score_no", WHOLE, "How alike the two codes are, of 100.", null=True),
        Column("author", TEXT, "Who."),
        Column("reason", TEXT, "Why."),
        Column("at", INSTANT, "When."),
    ),
)

CLOSES = Table(
    "ops.closes",
    ("entity_code", "period", "revision"),
    "Closes of accounting periods. What happened to each since is in `ops.close_events`. Append-only.",
    (
        Column("entity_code", TEXT, "Entity."),
        Column("period", TEXT, "Accounting period by the entity's calendar."),
        Column("revision", WHOLE, "1, then one more for every close again.", least=1),
        Column("run_id", TEXT, "The reconciliation it closes."),
        Column(
            "content_sha256",
            TEXT,
            "Hash of everything that is signed: tables, inputs, policies, and the content of the last close.",
            longest=64,
        ),
        Column("closed_at", INSTANT, "When."),
        Column("ties", FLAG, "Whether there was no unexplained difference."),
        Column("path", TEXT, "Where the reports lie, below the reports folder."),
    ),
)

UNPLANNED = Table(
    "ops.unplanned",
    (),
    "What is owed and was not planned by the newest plan, with the reason.",
    (
        Column("document_id", TEXT, "The id the document would have.", null=True),
        Column("kind_code", TEXT, "invoice, credit_memo, receipt or customer."),
        Column("storefront", TEXT, "Storefront."),
        Column("order_ref", TEXT, "The order.", null=True),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("event_ref", TEXT, "Shipment, refund or charge.", null=True),
        Column("entity_code", TEXT, "Entity, where mapped.", null=True),
        Column("number", TEXT, "The number it would have.", null=True),
        Column("currency", TEXT, "Currency.", null=True),
        Column("amount_minor", MINOR, "Amount.", null=True),
        Column("reason_code", TEXT, "Why not."),
        Column("sentence", TEXT, "Why not, and what to do next."),
    ),
)

FOUND = Table(
    "ops.found",
    (),
    "What is owed and stood in Intacct already under its number, posted by somebody else.",
    (
        Column("document_id", TEXT, "The id the document would have had."),
        Column("kind_code", TEXT, "invoice, credit_memo or receipt."),
        Column("storefront", TEXT, "Storefront."),
        Column("order_ref", TEXT, "The order."),
        Column("event_ref", TEXT, "Shipment, refund or charge."),
        Column("number", TEXT, "Number.", null=True),
        Column("intacct_key", TEXT, "RECORDNO.", null=True),
        Column("entity_code", TEXT, "Entity it stands in.", null=True),
        Column("currency", TEXT, "Currency."),
        Column("owed_minor", MINOR, "What is owed."),
        Column("found_minor", MINOR, "What Intacct holds.", null=True),
    ),
)

PROBLEMS = Table(
    "ops.problems",
    (),
    "Records whose newest version could not be read whole when it was staged; nothing is dropped without standing here.",
    (
        Column("source", TEXT, "Source."),
        Column("subject", TEXT, "Subject."),
        Column("native_ref", TEXT, "The source's id of the record."),
        Column("problem", TEXT, "What is wrong, as `code: sentence`."),
        Column("run_id", TEXT, "The run that staged it."),
    ),
)

TABLES = (
    PROBLEMS,
    UNPLANNED,
    FOUND,
    RUNS,
    WATERMARKS,
    CONTROLS,
    FINDINGS,
    OUTBOX,
    OUTBOX_MOVES,
    EXCHANGES,
    QUOTA,
    STOCK_WRITES,
    STOCK_CHECKS,
    MAPPING_CHANGES,
    WRITES,
    CLOSES,
)
