"""What people decide about a reconciliation, what that drafts, and what tolerance and forensics have to say."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, MINOR, TEXT, WHOLE, Column, Table
from tieout.vocabulary import DECISION_KINDS, OUTCOMES

_CURRENCY = Column("currency", TEXT, "ISO 4217 code of every `_minor` in the row.", longest=3)
_TIE_OUTS = ("orders", "payments", "ledger", "settlements")

DECISIONS = Table(
    "ops.decisions",
    ("decision_id",),
    "Every decision a person took about a reconciliation: append-only, applied anew on every run, withdrawn by a later one.",
    (
        Column("decision_id", TEXT, "Minted from its content.", longest=20),
        Column(
            "kind_code",
            TEXT,
            "match and unmatch pair a group with a ledger document; explain and write_off accept a difference; approve releases a draft; withdraw ends an earlier decision.",
            words=DECISION_KINDS,
        ),
        Column("tie_out", TEXT, "Which tie-out; null for approve and withdraw.", null=True, words=_TIE_OUTS),
        Column("group_ref", TEXT, "The group it is about.", null=True),
        Column(
            "ledger_ref",
            TEXT,
            "`invoice:`, `adjustment:` or `receipt:` and RECORDNO, for match and unmatch.",
            null=True,
        ),
        Column("entity_code", TEXT, "Entity of the row accepted.", null=True),
        Column("currency", TEXT, "Currency of `amount_minor`.", null=True, longest=3),
        Column("amount_minor", MINOR, "The difference accepted, storefront minus Intacct.", null=True),
        Column(
            "outcome_code", TEXT, "What the row was when it was accepted.", null=True, words=tuple(OUTCOMES)
        ),
        Column("account_code", TEXT, "GL account of a write-off.", null=True),
        Column("reason_code", TEXT, "Reason code of a write-off.", null=True),
        Column("draft_id", TEXT, "The draft approved.", null=True),
        Column(
            "about_id", TEXT, "The decision withdrawn, or the write-off whose draft is approved.", null=True
        ),
        Column("reason", TEXT, "Why, in words."),
        Column("author", TEXT, "Who."),
        Column("decided_at", INSTANT, "When."),
        Column("run_id", TEXT, "The run that recorded it."),
    ),
    (
        "An explanation or write-off holds only while the row's outcome and difference are what they were; then the row is open again.",
    ),
)

DRAFTS = Table(
    "recon.drafts",
    ("draft_id",),
    "What ought to be posted because of a finding or a decision. Nothing of it is ever sent by itself: a person approves it first.",
    (
        Column(
            "draft_id", TEXT, "Minted from its content: a draft that changes is another draft.", longest=20
        ),
        Column(
            "kind_code",
            TEXT,
            "journal writes differences off; reversal takes back a document that stands twice, a credit memo by a debit memo.",
            words=("journal", "reversal"),
        ),
        Column("tie_out", TEXT, "Where it comes from.", words=_TIE_OUTS),
        Column("entity_code", TEXT, "Entity."),
        _CURRENCY,
        Column("reason_code", TEXT, "Reason code, or the basis of the suspicion."),
        Column("ledger_ref", TEXT, "The document to reverse.", null=True),
        Column("journal_code", TEXT, "Journal of Intacct, for journals.", null=True),
        Column("amount_minor", MINOR, "Debit of a journal, or total of the document to reverse."),
        Column("rows_no", WHOLE, "Decisions behind a journal; 1 for a reversal.", least=1),
        Column("state_code", TEXT, "drafted, or approved by a person.", words=("drafted", "approved")),
        Column("sentence", TEXT, "What it does and why."),
        Column("authors", TEXT, "Whose decisions it carries out, joined by comma; empty text if nobody's."),
    ),
)

DRAFT_LINES = Table(
    "recon.draft_lines",
    ("draft_id", "line_no"),
    "The lines of drafted journals, which sum to zero, and of drafted debit memos, which sum to the credit memo they take back.",
    (
        Column("draft_id", TEXT, "The draft.", longest=20),
        Column("line_no", WHOLE, "Position, from 1.", least=1),
        Column(
            "account_code",
            TEXT,
            "GL account; null if no control account is configured, or the credit memo's line names none.",
            null=True,
        ),
        _CURRENCY,
        Column(
            "amount_minor",
            MINOR,
            "Of a journal debit positive, credit negative; of a debit memo what the line adds to what the customer owes.",
        ),
        Column("decision_id", TEXT, "The decision behind it.", null=True),
        Column("memo", TEXT, "For people."),
    ),
)

SUSPECTS = Table(
    "recon.suspects",
    ("cluster_ref", "ledger_ref"),
    "Documents that probably stand twice in Intacct, each cluster with its original.",
    (
        Column("cluster_ref", TEXT, "The original's `ledger_ref`."),
        Column("ledger_ref", TEXT, "`invoice:`, `adjustment:` or `receipt:` and RECORDNO."),
        Column("document_number", TEXT, "Number or reference.", null=True),
        Column("entity_code", TEXT, "Entity."),
        Column("customer_id", TEXT, "Customer.", null=True),
        _CURRENCY,
        Column("amount_minor", MINOR, "Total."),
        Column("document_on", DAY, "Accounting date.", null=True),
        Column("is_original", FLAG, "Whether it is the one to keep."),
        Column(
            "basis_code",
            TEXT,
            "reference: same order and amount beyond what is owed; cluster: same customer, amount and about the same date, and no order of its own.",
            words=("reference", "cluster"),
        ),
        Column("sentence", TEXT, "Why it is suspected."),
    ),
)

TOLERATED = Table(
    "recon.tolerated",
    ("tie_out", "entity_code", "account_code", "currency", "direction"),
    "The tolerance budget: what was accepted without a person, per account, currency and direction, against its cap.",
    (
        Column("tie_out", TEXT, "`orders` or `payments`.", words=("orders", "payments")),
        Column("entity_code", TEXT, "Entity."),
        Column(
            "account_code",
            TEXT,
            "GL account of the differing lines; the receipt's account for payments; empty text if not known.",
        ),
        _CURRENCY,
        Column(
            "direction", TEXT, "under: Intacct below the storefront; over: above.", words=("under", "over")
        ),
        Column("row_count", WHOLE, "Differences accepted."),
        Column("amount_minor", MINOR, "Their sum, storefront minus Intacct."),
        Column(
            "currency_used_minor", MINOR, "Everything accepted in this currency, either way, without sign."
        ),
        Column(
            "cap_minor",
            MINOR,
            "How much may be accepted in this currency; null if there is no cap.",
            null=True,
        ),
        Column("other_count", WHOLE, "Differences accepted the other way on the same account."),
        Column(
            "chance_ppm",
            WHOLE,
            "How probable so one-sided a count is by chance, in parts per million, rounded up.",
        ),
        Column("is_trend", FLAG, "Whether that is less than the stated threshold."),
    ),
)

FINDINGS = Table(
    "recon.findings",
    ("finding_code", "subject_ref"),
    "What the reconciliation noticed beside its rows: trends, gaps in numbers, money without orders, items that linger, odd volumes.",
    (
        Column(
            "finding_code",
            TEXT,
            "What kind of finding.",
            words=("tolerance_trend", "number_gap", "payment_without_order", "lingering", "volume"),
        ),
        Column("subject_ref", TEXT, "What it is about."),
        Column("entity_code", TEXT, "Entity, where there is one.", null=True),
        Column("currency", TEXT, "Currency of `amount_minor`.", null=True, longest=3),
        Column("amount_minor", MINOR, "Money behind it.", null=True),
        Column("row_count", WHOLE, "How many rows."),
        Column("sentence", TEXT, "What was noticed and what to do next."),
    ),
)

LINGERING = Table(
    "ops.lingering",
    ("tie_out", "group_ref", "entity_code", "currency"),
    "Rows that wait or differ, with the number of reconciliations in a row that found them with the same outcome.",
    (
        Column("tie_out", TEXT, "Which tie-out.", words=_TIE_OUTS),
        Column("group_ref", TEXT, "The group."),
        Column("entity_code", TEXT, "Entity."),
        _CURRENCY,
        Column("outcome_code", TEXT, "Its outcome.", words=tuple(OUTCOMES)),
        Column("cycles_no", WHOLE, "Reconciliations of all trade in a row.", least=1),
        Column("first_at", INSTANT, "When it was first found so."),
    ),
)

RECONCILED = Table(
    "ops.reconciled",
    ("run_id",),
    "Reconciliations published; the newest is the one that the tables of recon hold. Append-only.",
    (
        Column("run_id", TEXT, "The run."),
        Column(
            "sequence_no", WHOLE, "1, then one more for each; a clock may be set back, this is not.", least=1
        ),
        Column("period", TEXT, "The month that was looked at; null for all trade.", null=True),
        Column(
            "is_full", FLAG, "Whether everything was compared, not only what changed since the one before."
        ),
        Column(
            "looked_at_count",
            WHOLE,
            "Of all trade: how many orders, with all that belongs to them, were compared; null for a month.",
            null=True,
            least=0,
        ),
        Column("orders_count", WHOLE, "Rows of recon.orders it left.", least=0),
        Column("payments_count", WHOLE, "Rows of recon.payments it left.", least=0),
    ),
)

TABLES = (DECISIONS, DRAFTS, DRAFT_LINES, SUSPECTS, TOLERATED, FINDINGS, LINGERING, RECONCILED)
