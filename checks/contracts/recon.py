"""recon: what is owed, what was found when both sides were compared."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, MINOR, QUANTITY, TEXT, WHOLE, Column, Table
from tieout.vocabulary import COMPONENTS, FAMILIES, OUTCOMES, OWED_EVENTS

CODES = tuple(OUTCOMES)
_CURRENCY = Column("currency", TEXT, "ISO 4217 code of every `_minor` in the row.", longest=3)


def _components(prefix: str, about: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"{prefix}{name}_minor", MINOR, f"{about}: {name.replace('_', ' ')}.") for name in COMPONENTS
    )


OWED = Table(
    "recon.owed",
    ("storefront", "order_ref", "event_code", "event_ref"),
    "What Intacct is owed: one row per recognised sale (a shipment, by default), refund and successful charge.",
    (
        Column("storefront", TEXT, "Configured name of the storefront."),
        Column("order_ref", TEXT, "The order."),
        Column("order_number", TEXT, "Its number.", null=True),
        Column(
            "event_code",
            TEXT,
            "sale owes an invoice, credit a credit memo, receipt a receipt.",
            words=OWED_EVENTS,
        ),
        Column("event_ref", TEXT, "Shipment, or payment transaction."),
        Column("sequence_no", WHOLE, "1 for the order's first event of this code, then 2 …", least=1),
        Column("payment_ref", TEXT, "The payment, for credits and receipts.", null=True),
        Column("gateway_ref", TEXT, "The provider's reference, for receipts.", null=True),
        Column("tender_code", TEXT, "The method, for credits and receipts.", null=True),
        Column("store_ref", TEXT, "The store."),
        Column("entity_code", TEXT, "The entity the store maps to; null while unmapped.", null=True),
        Column("customer_ref", TEXT, "The storefront's customer; null for a guest.", null=True),
        _CURRENCY,
        Column("owed_at", INSTANT, "When it became owed."),
        Column("owed_on", DAY, "That instant as an accounting date in the entity's time zone."),
        *_components("", "Signed part of the amount"),
        Column("total_minor", MINOR, "Sale and receipt positive, credit negative."),
    ),
)

OWED_LINES = Table(
    "recon.owed_lines",
    ("storefront", "order_ref", "event_code", "event_ref", "line_no"),
    "The lines of what is owed; they sum to it.",
    (
        Column("storefront", TEXT, "Configured name of the storefront."),
        Column("order_ref", TEXT, "The order."),
        Column("event_code", TEXT, "sale or credit.", words=OWED_EVENTS),
        Column("event_ref", TEXT, "Shipment or refund."),
        Column("line_no", WHOLE, "Position, from 1.", least=1),
        Column("component_code", TEXT, "Which component.", words=COMPONENTS),
        Column("sku", TEXT, "Item, for goods and gift cards.", null=True),
        Column("category_ref", TEXT, "Category of the item, where known.", null=True),
        Column("tax_code", TEXT, "Tax, for tax lines.", null=True),
        Column("quantity", QUANTITY, "How many, for goods.", null=True),
        Column("description", TEXT, "For people.", null=True),
        _CURRENCY,
        Column("amount_minor", MINOR, "Signed like the event."),
        Column("line_ref", TEXT, "The order's line, or the word for what is no line of it.", null=True),
    ),
)

MATCHES = Table(
    "recon.matches",
    ("tie_out", "group_ref", "side", "row_ref"),
    "Evidence of matching: each order, invoice, memo, payment or receipt with the group it was put in, by which pass and why.",
    (
        Column("tie_out", TEXT, "`orders` or `payments`.", words=("orders", "payments")),
        Column("group_ref", TEXT, "The matched group; orders and documents that belong together."),
        Column("side", TEXT, "`storefront` or `intacct`.", words=("storefront", "intacct")),
        Column("row_kind", TEXT, "order, invoice, credit_memo, charge, refund, receipt …"),
        Column("row_ref", TEXT, "The row's own id."),
        Column(
            "pass_no",
            WHOLE,
            "1 crosswalk, 2 number, 3 group of references, 4 proposal, 5 by hand; 0 for none.",
        ),
        Column("evidence", TEXT, "What made it match, in words."),
    ),
)

ORDERS = Table(
    "recon.orders",
    ("group_ref", "entity_code", "currency"),
    "Tie-out 1: one row per order (or group, or orphan document), entity and currency, with expected against actual.",
    (
        Column(
            "group_ref", TEXT, "The matched group: the order's storefront and id, or the orphan document."
        ),
        Column("storefront", TEXT, "Storefront; empty text for an orphan document."),
        Column("order_ref", TEXT, "The order (the first of a group); null for an orphan.", null=True),
        Column("order_number", TEXT, "Its number (several joined by comma).", null=True),
        Column("store_ref", TEXT, "The store; empty text if unknown."),
        Column("entity_code", TEXT, "Entity of these amounts."),
        _CURRENCY,
        Column("customer_name", TEXT, "For people.", null=True),
        Column("placed_on", DAY, "Placed, in the entity's zone.", null=True),
        Column("owed_on", DAY, "Last date the order was owed on.", null=True),
        Column("document_on", DAY, "Last accounting date of its documents.", null=True),
        Column("documents", TEXT, "Numbers of its Intacct documents, joined by comma.", null=True),
        Column("gross_minor", MINOR, "The order's header total."),
        *_components("expected_", "Recognised by the storefront"),
        Column("expected_minor", MINOR, "Recognised: sales less credits, over all periods."),
        *_components("actual_", "In Intacct"),
        Column("actual_minor", MINOR, "Invoices less credit memos in scope, over all periods."),
        Column("delta_minor", MINOR, "Expected less actual."),
        Column("period_expected_minor", MINOR, "Recognised in the period."),
        Column("period_actual_minor", MINOR, "Invoiced net of credits in the period."),
        Column("period_timing_minor", MINOR, "Part of the period's difference that is only dates."),
        Column("period_delta_minor", MINOR, "Part of the period's difference that belongs to the outcome."),
        Column("outcome_code", TEXT, "The primary outcome.", words=CODES),
        Column("family_code", TEXT, "Its family.", words=FAMILIES),
        Column("secondary_codes", TEXT, "Other outcomes that apply, joined by comma; empty text if none."),
        Column("pass_no", WHOLE, "The match pass that joined it; 0 for none."),
        Column("proposal", TEXT, "Possible counterparts, never accepted by themselves.", null=True),
        Column("evidence", TEXT, "Why this outcome, in one sentence."),
        Column("is_in_period", FLAG, "Whether anything of it falls in the period."),
        Column("decision_id", TEXT, "The person's decision that explains it; see ops.decisions.", null=True),
    ),
    (
        "An order whose document stands in another entity or currency has a row for each; both carry the outcome.",
        "delta is always storefront minus Intacct.",
    ),
)

PAYMENTS = Table(
    "recon.payments",
    ("group_ref", "entity_code", "currency"),
    "Tie-out 2: one row per payment transaction that moved money, or orphan receipt.",
    (
        Column("group_ref", TEXT, "The payment's storefront and transaction, or the orphan receipt."),
        Column("storefront", TEXT, "Storefront; empty text for an orphan."),
        Column("order_ref", TEXT, "The order paid.", null=True),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("store_ref", TEXT, "The store; empty text if unknown."),
        Column("entity_code", TEXT, "Entity of these amounts."),
        _CURRENCY,
        Column("kind_code", TEXT, "charge, refund, chargeback, or receipt for an orphan."),
        Column("tender_code", TEXT, "Method.", null=True),
        Column("gateway_ref", TEXT, "The provider's reference.", null=True),
        Column("occurred_on", DAY, "When money moved, in the entity's zone.", null=True),
        Column("received_on", DAY, "Accounting date of the receipt.", null=True),
        Column("receipts", TEXT, "RECORDNOs of its receipts, joined by comma.", null=True),
        Column("expected_minor", MINOR, "Money that moved; refunds and chargebacks negative."),
        Column(
            "actual_minor",
            MINOR,
            "Receipts; of a refund without one, what its journal entry took out of the clearing account.",
        ),
        Column("applied_minor", MINOR, "Of the receipts, applied to this order's documents."),
        Column("delta_minor", MINOR, "Expected less actual."),
        Column("period_expected_minor", MINOR, "Money that moved in the period."),
        Column(
            "period_actual_minor", MINOR, "Receipts dated in the period, and entries of refunds likewise."
        ),
        Column("period_timing_minor", MINOR, "Part of the period's difference that is only dates."),
        Column("period_delta_minor", MINOR, "Part of the period's difference that belongs to the outcome."),
        Column("outcome_code", TEXT, "The primary outcome.", words=CODES),
        Column("family_code", TEXT, "Its family.", words=FAMILIES),
        Column("secondary_codes", TEXT, "Other outcomes that apply, joined by comma; empty text if none."),
        Column("pass_no", WHOLE, "The match pass that joined it; 0 for none."),
        Column("evidence", TEXT, "Why this outcome, in one sentence."),
        Column("is_in_period", FLAG, "Whether anything of it falls in the period."),
        Column("decision_id", TEXT, "The person's decision that explains it; see ops.decisions.", null=True),
    ),
)

WATERFALL = Table(
    "recon.waterfall",
    ("tie_out", "entity_code", "store_ref", "currency", "step_no"),
    "The bridge from gross orders to invoiced to cash, per entity, store and currency. It foots or the run fails.",
    (
        Column("tie_out", TEXT, "`orders` or `payments`.", words=("orders", "payments")),
        Column("entity_code", TEXT, "Entity."),
        Column("store_ref", TEXT, "Store; empty text for documents of no known store."),
        _CURRENCY,
        Column("step_no", WHOLE, "Order of the steps."),
        Column(
            "step_code",
            TEXT,
            "gross, cancelled, test, zero, not_yet_recognised, other_periods, recognised, credits, then outcomes, invoiced, receipts, open.",
        ),
        Column("label", TEXT, "For people."),
        Column("is_total", FLAG, "Whether this step is a sub-total of those above."),
        Column("row_count", WHOLE, "Orders or documents behind the figure."),
        Column("amount_minor", MINOR, "Signed so that the steps add up to the next total."),
    ),
)

AGEING = Table(
    "recon.ageing",
    ("document_kind", "document_ref"),
    "Open AR in scope as of the period's end, per document, with its age.",
    (
        Column("document_kind", TEXT, "invoice, credit_memo, receipt (on account)."),
        Column("document_ref", TEXT, "RECORDNO."),
        Column("document_number", TEXT, "Number.", null=True),
        Column("entity_code", TEXT, "Entity."),
        Column("customer_id", TEXT, "Customer.", null=True),
        _CURRENCY,
        Column("document_on", DAY, "Accounting date."),
        Column("due_on", DAY, "Due date.", null=True),
        Column("days_no", WHOLE, "Days overdue as of the period's end (by due date; document date if none)."),
        Column("bucket_code", TEXT, "not_due, 1-30, 31-60, 61-90, over_90."),
        Column("open_minor", MINOR, "Still open; credits and money on account negative."),
    ),
)

TABLES = (OWED, OWED_LINES, MATCHES, ORDERS, PAYMENTS, WATERFALL, AGEING)
