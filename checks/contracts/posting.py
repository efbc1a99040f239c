"""ops: what surrounds posting: alerts, maintenance windows, edits by people, the month's forecast of API transactions."""

from __future__ import annotations

from checks.contracts.table import FLAG, INSTANT, TEXT, WHOLE, Column, Table
from tieout.vocabulary import ALERT_KINDS

ALERTS = Table(
    "ops.alerts",
    ("alert_id",),
    "What a person must look at now. An alert stands until it is cleared, by what it is about or by a person.",
    (
        Column("alert_id", TEXT, "Minted from kind, subject and the run that raised it.", longest=20),
        Column("kind_code", TEXT, "What kind of trouble.", words=ALERT_KINDS),
        Column("subject_ref", TEXT, "The document, or the system, it is about."),
        Column("sentence", TEXT, "What happened and what to do next."),
        Column("raised_at", INSTANT, "When."),
        Column("run_id", TEXT, "The run that raised it."),
        Column("cleared_at", INSTANT, "When it was cleared; null while it stands.", null=True),
        Column("cleared_by", TEXT, "`tieout`, or the person who cleared it.", null=True),
        Column("cleared_reason", TEXT, "Why.", null=True),
    ),
)

MAINTENANCE = Table(
    "ops.maintenance",
    ("window_id",),
    "Maintenance windows of the company that a person announced; documents wait while one is open.",
    (
        Column("window_id", TEXT, "Minted.", longest=20),
        Column("starts_at", INSTANT, "From."),
        Column("until_at", INSTANT, "Until; cut short when it is stopped earlier."),
        Column("reason", TEXT, "Why."),
        Column("author", TEXT, "Who announced it."),
        Column("stopped_by", TEXT, "Who ended it early, if somebody did.", null=True),
        Column("run_id", TEXT, "Run of the announcement."),
    ),
)

EDITS = Table(
    "ops.edits",
    ("edit_id",),
    "What people changed by hand on planned documents. Append-only; the newest edit of a field counts.",
    (
        Column("edit_id", TEXT, "Minted; sorts by time."),
        Column("subject_code", TEXT, "`document` or `line`.", words=("document", "line")),
        Column("subject_ref", TEXT, "The document id."),
        Column("line_no", WHOLE, "The line, for an edit of a line.", null=True),
        Column("field", TEXT, "The column."),
        Column("before", TEXT, "Value before.", null=True),
        Column("after", TEXT, "Value after.", null=True),
        Column("author", TEXT, "Who."),
        Column("reason", TEXT, "Why."),
        Column("at", INSTANT, "When."),
        Column("run_id", TEXT, "Run."),
    ),
)

QUOTA_FORECAST = Table(
    "ops.quota_forecast",
    ("month",),
    "What the month will come to in API transactions, as of the newest plan or post.",
    (
        Column("month", TEXT, "YYYY-MM."),
        Column("used_no", WHOLE, "Used so far."),
        Column("planned_no", WHOLE, "One for each document that is planned."),
        Column("pace_no", WHOLE, "What the days left will use at this month's pace so far."),
        Column("forecast_no", WHOLE, "Their sum: the month's total."),
        Column("limit_no", WHOLE, "What the contract includes; 0 if it is not watched."),
        Column("at", INSTANT, "As of."),
        Column("run_id", TEXT, "Run."),
    ),
)

PLANS = Table(
    "ops.plans",
    ("run_id",),
    "Plans that were made; the newest is the one that recon.owed and ops.unplanned hold. Append-only.",
    (
        Column("run_id", TEXT, "The run."),
        Column(
            "sequence_no", WHOLE, "1, then one more for each; a clock may be set back, this is not.", least=1
        ),
        Column(
            "configuration_hash",
            TEXT,
            "What the settings, the mappings and the version came to; under others all orders are planned.",
        ),
        Column(
            "is_full", FLAG, "Whether all orders were planned, not only what changed since the one before."
        ),
        Column(
            "looked_at_count",
            WHOLE,
            "How many orders were planned, those that are tied to others among them; null for all.",
            null=True,
            least=0,
        ),
        Column("planned_at", INSTANT, "When."),
        Column("owed_count", WHOLE, "Rows of recon.owed it left.", least=0),
        Column("unplanned_count", WHOLE, "Rows of ops.unplanned it left.", least=0),
        Column("marks_count", WHOLE, "Rows of ops.plan_marks it left.", least=0),
    ),
)

PLAN_MARKS = Table(
    "ops.plan_marks",
    ("storefront", "order_ref"),
    "What each order's rows came to when it was last planned; an order that comes to the same is not planned again.",
    (
        Column("storefront", TEXT, "The order's storefront."),
        Column("order_ref", TEXT, "The order."),
        Column(
            "mark_no",
            WHOLE,
            "Sum of the hashes of its rows, of those of its documents and of what the ledger says of them.",
        ),
    ),
)

TABLES = (ALERTS, MAINTENANCE, EDITS, QUOTA_FORECAST, PLANS, PLAN_MARKS)
