"""recon: the third tie-out, the AR subledger against the general ledger's control accounts."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, MINOR, TEXT, WHOLE, Column, Table
from tieout.vocabulary import FAMILIES, OUTCOMES

_CURRENCY = Column("currency", TEXT, "Transaction currency of every `_minor` without `base_`.", longest=3)

LEDGER = Table(
    "recon.ledger",
    ("document_kind", "document_ref", "entity_code", "currency"),
    "Tie-out 3: one row per AR document (of the shops or not) or journal without one, entity and currency: subledger against control accounts.",
    (
        Column(
            "document_kind",
            TEXT,
            "invoice, adjustment, receipt; journal for entries on a control account that belong to no document.",
            words=("invoice", "adjustment", "receipt", "journal"),
        ),
        Column("document_ref", TEXT, "RECORDNO; of a journal its batch, or the entry if it has none."),
        Column("document_number", TEXT, "Number or reference; a journal's title.", null=True),
        Column("entity_code", TEXT, "Entity of these amounts."),
        _CURRENCY,
        Column("customer_id", TEXT, "Customer.", null=True),
        Column("document_on", DAY, "Accounting date in the subledger.", null=True),
        Column("posted_on", DAY, "Last accounting date of its entries on control accounts.", null=True),
        Column("batches", TEXT, "Journal batches of its entries, joined by comma.", null=True),
        Column("accounts", TEXT, "Control accounts of its entries, joined by comma.", null=True),
        Column(
            "subledger_minor",
            MINOR,
            "What the document does to AR: invoices positive, credit memos and receipts negative.",
        ),
        Column("gl_minor", MINOR, "Its entries on control accounts, debit positive."),
        Column("delta_minor", MINOR, "Subledger less general ledger."),
        Column(
            "base_currency",
            TEXT,
            "Currency of `base_delta_minor`; null if the base amounts are not known.",
            null=True,
            longest=3,
        ),
        Column(
            "base_delta_minor",
            MINOR,
            "The same difference in base currency; beside a delta of zero it is exchange.",
            null=True,
        ),
        Column("period_subledger_minor", MINOR, "Subledger amount dated in the period."),
        Column("period_gl_minor", MINOR, "Entries dated in the period."),
        Column("outcome_code", TEXT, "The primary outcome.", words=tuple(OUTCOMES)),
        Column("family_code", TEXT, "Its family.", words=FAMILIES),
        Column("secondary_codes", TEXT, "Other outcomes that apply, joined by comma; empty text if none."),
        Column("evidence", TEXT, "Why this outcome, in one sentence."),
        Column("is_in_scope", FLAG, "Whether it belongs to the shops."),
        Column("is_in_period", FLAG, "Whether either date falls in the period."),
    ),
    (
        "All documents of the company stand here, because the control account holds all of them.",
        "delta is subledger minus general ledger.",
    ),
)

CONTROL = Table(
    "recon.control",
    ("entity_code", "currency"),
    "The third tie-out in sums: movement of the period and balance at its end, subledger against control accounts.",
    (
        Column("entity_code", TEXT, "Entity."),
        _CURRENCY,
        Column("subledger_minor", MINOR, "Movement of the period in the subledger."),
        Column("gl_minor", MINOR, "Movement of the period on the control accounts."),
        Column("delta_minor", MINOR, "Subledger less general ledger."),
        Column("timing_minor", MINOR, "Of the difference: the same amounts in different periods."),
        Column("error_minor", MINOR, "Of the difference: everything else."),
        Column(
            "closing_subledger_minor",
            MINOR,
            "Balance of the subledger at the period's end, of all documents read.",
        ),
        Column(
            "closing_gl_minor",
            MINOR,
            "Balance of the control accounts at the period's end, of all entries read.",
        ),
        Column("closing_delta_minor", MINOR, "Subledger less general ledger."),
        Column("row_count", WHOLE, "Rows of recon.ledger."),
        Column("error_count", WHOLE, "Of these, errors."),
    ),
    (
        "Balances start with what was read: a general ledger that is read from a later day than the subledger shows it as a difference.",
    ),
)

TABLES = (LEDGER, CONTROL)
