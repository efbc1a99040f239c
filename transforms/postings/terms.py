"""The terms of planning: policy, what goes in and out, and every reason for not planning with the sentence people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, NamedTuple

import polars as pl

from transforms.customers import MatchRule
from transforms.postings.order_entry import OrderEntry

_INSTANT: Final = pl.Datetime("us", "UTC")
DOCUMENTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "kind_code": pl.String(),
    "revision": pl.Int64(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "event_ref": pl.String(),
    "entity_code": pl.String(),
    "number": pl.String(),
    "reference": pl.String(),
    "customer_id": pl.String(),
    "document_on": pl.Date(),
    "due_on": pl.Date(),
    "currency": pl.String(),
    "total_minor": pl.Int64(),
    "account_ref": pl.String(),
    "method": pl.String(),
    "description": pl.String(),
    "details": pl.String(),
    "content_sha256": pl.String(),
    "planned_at": _INSTANT,
    "run_id": pl.String(),
}
LINES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "line_no": pl.Int64(),
    "account_code": pl.String(),
    "component_code": pl.String(),
    "amount_minor": pl.Int64(),
    "memo": pl.String(),
    "location_code": pl.String(),
    "department_code": pl.String(),
    "item_ref": pl.String(),
    "class_code": pl.String(),
    "project_code": pl.String(),
    "custom_fields": pl.String(),
    "tax_detail_code": pl.String(),
    "tax_solution": pl.String(),
    "applies_to_id": pl.String(),
    "applies_to_ref": pl.String(),
    "quantity": pl.Decimal(18, 4),
    "unit_price": pl.Decimal(28, 12),
    "warehouse_code": pl.String(),
    "subtotal_name": pl.String(),
    "order_line_ref": pl.String(),
    "converts_id": pl.String(),
}
SPARSE: Final = ("project_code", "custom_fields", "tax_detail_code", "tax_solution")
"""Columns of lines that count in a document's hash only where one of them is filled: most documents have none, and documents planned before
the columns existed keep their hash."""
SOLD: Final = ("quantity", "unit_price", "warehouse_code", "subtotal_name")
"""Columns of lines that only sales documents of order entry have; they too count in a document's hash only where one is filled."""
CONVERTED: Final = ("converts_id",)
"""What only sales documents converted from an order have, likewise."""
NOT_SENT: Final = ("order_line_ref",)
"""Columns of lines that are kept and not sent, so that they count in no hash."""
DIMENSIONS_SCHEMA: Final = dict.fromkeys(
    ("storefront", "attribute", "value", "dimension", "code"), pl.String()
)
ORDERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "event_code": pl.String(),
    "event_ref": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
}
EDITS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "edit_id": pl.String(),
    "subject_code": pl.String(),
    "subject_ref": pl.String(),
    "line_no": pl.Int64(),
    "field": pl.String(),
    "after": pl.String(),
}
UNPLANNED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "kind_code": pl.String(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "event_ref": pl.String(),
    "entity_code": pl.String(),
    "number": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "reason_code": pl.String(),
    "sentence": pl.String(),
}
ROUNDED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "kind_code": pl.String(),
    "number": pl.String(),
    "currency": pl.String(),
    "owed_minor": pl.Int64(),
    "planned_minor": pl.Int64(),
    "rounded_minor": pl.Int64(),
}
FOUND_SCHEMA: Final[dict[str, pl.DataType]] = {
    "document_id": pl.String(),
    "kind_code": pl.String(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "event_ref": pl.String(),
    "number": pl.String(),
    "intacct_key": pl.String(),
    "entity_code": pl.String(),
    "currency": pl.String(),
    "owed_minor": pl.Int64(),
    "found_minor": pl.Int64(),
}

SENTENCES: Final[Mapping[str, str]] = {
    "already_in_intacct": "Intacct has it under this number; nothing to do.",
    "already_planned": "It is in the outbox already; look at its state there.",
    "credited_already": "What was posted for another credit of the order covers it; nothing is credited twice.",
    "changed_after_posting": "What is owed changed after it was sent, and the difference is not posted by itself; correct the document in Intacct, or post the difference by hand.",
    "cancelled_by_hand": "A person cancelled this document in the outbox; it is not planned again.",
    "before_go_live": "Dated before posting starts; it belongs to what was there before.",
    "held": "A row rule holds the order back; mend what its finding says, then run again.",
    "order_number_missing": "The order has no number to post under; give it one at the storefront.",
    "store_unmapped": "The store has no entity or number prefix; add its row to stores.csv.",
    "guest_customer_missing": "The store has no customer for guests; fill guest_customer_id in stores.csv.",
    "customer_ambiguous": "Several customers of Intacct fit this one by the configured rule; leave one of them active, or correct customer_ref in corrections.csv.",
    "customer_unknown": "The order names a customer the storefront did not deliver; extract customers again.",
    "zero_total": "A document of zero is not posted.",
    "negative_total": "The sale comes to less than nothing; correct the order, or post it by hand.",
    "refund_without_return": "A refund without a matching return waits for a person by policy; post its credit memo by hand.",
    "sku_unmapped": "An item of the order has no mapping; add its row to items.csv.",
    "tax_code_unmapped": "A tax of the order has no account; add its row to taxes.csv.",
    "tax_solution_mixed": "Its taxes belong to several tax solutions of Intacct and a document can have one; correct taxes.csv, or post it by hand.",
    "tax_entry_alone": "Only its tax is left to post, and Intacct takes a tax entry with a line only; post it by hand.",
    "account_unmapped": "A line of the order has no account; add its row to accounts.csv.",
    "duplicate_number": "Two orders come to the same document number; correct the order number at the storefront.",
    "reference_in_intacct": "Intacct has a document for this order under another number; reverse it, or leave this order to it.",
    "tender_unmapped": "The payment method has no clearing account; add its row to tenders.csv.",
    "tender_ignored": "The payment method is deliberately not posted.",
    "currency_differs": "The payment is in another currency than its order's documents; post it by hand.",
    "prepaid": "Money came before the invoice; the receipt is posted once the invoice is.",
    "clearing_unmapped": "The payment method lacks an account or journal that this entry needs; complete its row in clearing.csv (one journal for all tenders of a payout).",
    "payout_other_currency": "The payout was made in another currency than the money moved in; post it by hand at the bank's rate.",
    "payout_does_not_add_up": "The lines of the payout do not add up to what the provider says it came to; ask for a corrected report.",
    "payout_line_unknown": "A line of the payout belongs to no payment the shop knows, so its entity is unknown; find the payment.",
    "order_entry_undefined": "The store posts through order entry and no transaction definition is named; name it in [order_entry].",
    "order_entry_order": "Its sales order cannot be planned, and it is converted from that; mend what keeps the order back.",
    "order_entry_tax": "A tax entry belongs to a part that is sent as a subtotal, and only items carry tax entries; name an item for the part in [order_entry].",
    "order_invoiced": "Intacct has the invoice already, so a sales order would have nothing left to be converted to.",
    "order_entry_unmapped": "A part of the sale is neither an item nor a subtotal of order entry; map its SKU in items.csv, or name the component in [order_entry].",
    "order_entry_price": "Quantity times price does not come to what a line was sold for; raise price_decimals in [order_entry] if Intacct keeps more, or post it by hand.",
    "exceeds_due": "The receipt is more than what is open on the order's invoices; it waits for the next invoice or a decision.",
}  # fmt: skip
"""Every reason for not planning, with the sentence people read."""


@dataclass(frozen=True)
class PostingPolicy:
    """How documents are made.

    `namespace` tells installations apart. Nothing dated before `posting_starts_on` is planned. `decimals` is what Intacct keeps of
    an amount. `number_longest` and `reference_longest` are the lengths of RECORDID and DOCNUMBER, `receipt_longest` of a
    receipt's DOCNUMBER. A receipt is dated by the later of money and invoice (`applied`), or when money moved. What a receipt
    exceeds open invoices by is held, or put on account. `item_dimension`: lines carry the Intacct item.
    `customer_number` is a regular expression whose first group is the part of a customer's number that makes the id, after
    `customer_prefix` (`customer_prefixes` per storefront); numbers it does not fit are taken whole.
    What changed after it was posted is posted as a `difference`, or told and left to a person (`hold`). A summary answers at most
    `summary_orders` events.
    `order_entry`: how sales of stores that post through order entry are made.
    `match_customers_by`: by what a customer of the ledger is looked up before one is created, the first that finds anybody decides.
    """

    namespace: str = "tieout"
    posting_starts_on: date | None = None
    due_days: int = 30
    decimals: int = 2
    number_longest: int = 30
    reference_longest: int = 20
    receipt_longest: int = 40
    receipt_date: Literal["applied", "moved"] = "applied"
    overpayment: Literal["hold", "on_account"] = "hold"
    refund_without_return: Literal["allowance", "hold"] = "allowance"
    item_dimension: bool = False
    credit_memo_prefix: str = "CM"
    customer_prefix: str = "C"
    match_customers_by: tuple[MatchRule, ...] = ()
    customer_prefixes: Mapping[str, str] = field(default_factory=dict)
    customer_longest: int = 20
    customer_number: str = r"^(?:C-?)?(\d+)$"
    description: str = "Web order "
    change_after_posting: Literal["difference", "hold"] = "difference"
    summary_orders: int = 500
    order_entry: OrderEntry = field(default_factory=OrderEntry)


class Mappings(NamedTuple):
    """The mapping tables of the same names."""

    stores: pl.DataFrame
    items: pl.DataFrame
    accounts: pl.DataFrame
    taxes: pl.DataFrame
    tenders: pl.DataFrame
    dimensions: pl.DataFrame = pl.DataFrame(schema=DIMENSIONS_SCHEMA)


class Existing(NamedTuple):
    """What is there already. `documents`: all documents ever planned here (out.documents) with `state_code` and `intacct_key` of the
    outbox; `lines`: their out.document_lines; `orders`: their out.document_orders; `edits`:
    what people changed on them (ops.edits). The others are what Intacct was last read to hold: core.ar_invoices,
    core.ar_adjustments, core.ar_receipts, and `customers` with a column `customer_id`.

    Where only some orders are planned, documents, lines and orders are those of these and of no order, and `numbers` (`kind_code`,
    `number`) are those of all other documents and owed events.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    invoices: pl.DataFrame
    adjustments: pl.DataFrame
    receipts: pl.DataFrame
    customers: pl.DataFrame
    orders: pl.DataFrame = pl.DataFrame(schema=ORDERS_SCHEMA)
    edits: pl.DataFrame = pl.DataFrame(schema=EDITS_SCHEMA)
    numbers: pl.DataFrame = pl.DataFrame(schema={"kind_code": pl.String, "number": pl.String})


class Plan(NamedTuple):
    """`documents` and `lines` (out.documents, out.document_lines) that are new or changed; `unplanned` events with reason_code;
        `rounded`: what Intacct's decimals took away per document; `found`: what Intacct holds already, with its key, for the crosswalk; `orders`
    (out.document_orders): the orders each document answers, and for how much; `alive`: ids (`document_id`) of all documents that are owed, planned
    before or now. A document that waits and is not among them is owed no more.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    unplanned: pl.DataFrame
    rounded: pl.DataFrame
    found: pl.DataFrame
    orders: pl.DataFrame
    alive: pl.DataFrame
