"""core.gl_entries: posted entries of Intacct's general ledger, what the receivables are tied out against."""

from __future__ import annotations

from checks.contracts.table import DAY, INSTANT, MINOR, TEXT, Column, Table

GL_ENTRIES = Table(
    "core.gl_entries",
    ("entry_ref",),
    "Posted entries of the general ledger (GLDETAIL), debit positive. Per batch they sum to zero in base currency when every account is read.",
    (
        Column("entry_ref", TEXT, "RECORDNO of the GLDETAIL row."),
        Column("batch_ref", TEXT, "BATCHKEY: RECORDNO of the journal batch (GLBATCH).", null=True),
        Column("batch_title", TEXT, "BATCH_TITLE.", null=True),
        Column("journal", TEXT, "SYMBOL: the journal it was posted in.", null=True),
        Column("account_code", TEXT, "ACCOUNTNO."),
        Column("entity_code", TEXT, "Owning entity; empty text for the top level."),
        Column("posted_on", DAY, "ENTRY_DATE, else BATCH_DATE: the accounting date."),
        Column("currency", TEXT, "Transaction currency of `amount_minor`.", longest=3),
        Column(
            "base_currency",
            TEXT,
            "Currency of `base_amount_minor`: that of the entity; null for an entity that is not in tieout.toml.",
            null=True,
            longest=3,
        ),
        Column("amount_minor", MINOR, "Transaction amount; debit positive, credit negative."),
        Column(
            "base_amount_minor", MINOR, "Amount in base currency; debit positive, credit negative.", null=True
        ),
        Column(
            "module_code",
            TEXT,
            "MODULEKEY: 4.AR receivables, 8.SO order entry, 2.GL a journal by hand.",
            null=True,
        ),
        Column(
            "record_type",
            TEXT,
            "RECORDTYPE of the subledger document: ri invoice, ra adjustment, rp receipt, rr advance.",
            null=True,
        ),
        Column(
            "record_ref",
            TEXT,
            "RECORDKEY: RECORDNO of the subledger document, where the company shows it.",
            null=True,
        ),
        Column(
            "document_number",
            TEXT,
            "RECORDID: number of the subledger document; receipts have none.",
            null=True,
        ),
        Column("reference", TEXT, "DOCNUMBER: reference of the subledger document.", null=True),
        Column(
            "line_ref",
            TEXT,
            "PRENTRYKEY: RECORDNO of the subledger line; the control side has none.",
            null=True,
        ),
        Column("customer_id", TEXT, "CUSTOMERID.", null=True),
        Column("location_code", TEXT, "LOCATIONID.", null=True),
        Column("department_code", TEXT, "DEPARTMENTID.", null=True),
        Column("memo", TEXT, "DESCRIPTION.", null=True),
        Column("state_code", TEXT, "ENTRY_STATE: Posted, or empty where it is not told.", null=True),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        Column("payload_sha256", TEXT, "The raw payload this row was made from.", longest=64),
        Column("run_id", TEXT, "The run that staged it."),
    ),
    (
        "With `[intacct] control_accounts` set only entries on these accounts are read, and a batch no longer sums to zero.",
        "An entry that is gone from the ledger is gone from here.",
        "A document that was changed has new entries under new RECORDNOs.",
    ),
)

TABLES = (GL_ENTRIES,)
