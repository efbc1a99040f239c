"""recon.refund_entries: what refunds paid back against the journal entries that take it out of the clearing accounts."""

from __future__ import annotations

from checks.contracts.table import DAY, MINOR, TEXT, WHOLE, Column, Table
from tieout.vocabulary import FAMILIES, OUTCOMES

REFUND_ENTRIES = Table(
    "recon.refund_entries",
    ("storefront", "order_ref", "event_ref", "currency"),
    "The cash leg of every refund that owes a credit memo against its posted entry in the general ledger, and entries of refunds that are owed no more.",
    (
        Column("storefront", TEXT, "Configured name of the storefront."),
        Column("order_ref", TEXT, "The order."),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("event_ref", TEXT, "The refund's transaction."),
        Column("entity_code", TEXT, "Entity of the order; null while unmapped.", null=True),
        Column("currency", TEXT, "Currency of the refund.", longest=3),
        Column("tender_code", TEXT, "The method.", null=True),
        Column("gateway_ref", TEXT, "The provider's reference.", null=True),
        Column("owed_on", DAY, "When it was paid back, in the entity's time zone.", null=True),
        Column("posted_on", DAY, "Accounting date of the entry.", null=True),
        Column("batches", TEXT, "RECORDNO of the journal batches, joined by comma.", null=True),
        Column("expected_minor", MINOR, "What was paid back, negative."),
        Column("actual_minor", MINOR, "What the entry took out of the clearing account, negative."),
        Column("delta_minor", MINOR, "Expected less actual."),
        Column("outcome_code", TEXT, "The outcome.", words=tuple(OUTCOMES)),
        Column("family_code", TEXT, "Its family.", words=FAMILIES),
        Column("pass_no", WHOLE, "1 found by the crosswalk, 2 by reference, 0 not found.", least=0),
        Column("evidence", TEXT, "Why this outcome, in one sentence."),
    ),
    (
        "Empty unless `[journals] refunds` is `journal` and the general ledger is read whole, without `[intacct] control_accounts`.",
    ),
)

TABLES = (REFUND_ENTRIES,)
