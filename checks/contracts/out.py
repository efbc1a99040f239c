"""out: what other systems will receive."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, MINOR, PRICE, QUANTITY, TEXT, WHOLE, Column, Table
from tieout.vocabulary import COMPONENTS, DOCUMENT_KINDS, OWED_EVENTS

DOCUMENTS = Table(
    "out.documents",
    ("document_id",),
    "Every document this tool has planned for Intacct, with an id minted from business keys before anything is sent.",
    (
        Column(
            "document_id",
            TEXT,
            "Minted: at most 20 characters, the same for the same business key.",
            longest=20,
        ),
        Column(
            "kind_code",
            TEXT,
            "customer, sales_order, invoice, credit_memo, debit_memo (takes back a credit memo that stands twice), receipt, application (a credit memo set against an invoice), journal, order_closure (a cancelled sales order closed) or reversal.",
            words=DOCUMENT_KINDS,
        ),
        Column("revision", WHOLE, "1 for the first; a correction gets the next.", least=1),
        Column("storefront", TEXT, "Where it comes from."),
        Column("order_ref", TEXT, "The order; null for customers.", null=True),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("event_ref", TEXT, "The shipment, refund or charge; the customer's ref for customers."),
        Column("entity_code", TEXT, "Entity it is posted to; empty text for the top level (customers)."),
        Column(
            "number",
            TEXT,
            "What Intacct will hold as its natural key: RECORDID, CUSTOMERID, DOCNUMBER of a receipt or application, or REFERENCENO of a journal entry; our own id for a reversal or a closure, which have none.",
            longest=45,
        ),
        Column(
            "reference",
            TEXT,
            "DOCNUMBER of invoices and memos: the order number, of a debit memo the number of the credit memo it takes back; for a reversal `invoice:` or `receipt:` and the RECORDNO it takes back; for a closure the sales order.",
            null=True,
        ),
        Column(
            "customer_id",
            TEXT,
            "Intacct customer id; empty text for a reversal, and for a journal entry on no customer.",
            longest=20,
        ),
        Column("document_on", DAY, "Accounting date; null for customers.", null=True),
        Column("due_on", DAY, "Due date of an invoice.", null=True),
        Column("currency", TEXT, "Transaction currency; empty text for customers.", longest=3),
        Column(
            "total_minor",
            MINOR,
            "Total in minor units, credit memos negative; what is taken back for a reversal; 0 for customers and closures, and for journals, whose lines balance.",
        ),
        Column("account_ref", TEXT, "Financial entity of a receipt; journal of a journal entry.", null=True),
        Column("method", TEXT, "Payment method of a receipt.", null=True),
        Column("description", TEXT, "For people.", null=True),
        Column(
            "details",
            TEXT,
            "JSON: name and address of a customer, the transaction definition of a document of order entry; null otherwise.",
            null=True,
        ),
        Column(
            "content_sha256",
            TEXT,
            "Hash of everything that would be sent; tells an edit from a rerun.",
            longest=64,
        ),
        Column("planned_at", INSTANT, "When it was first planned."),
        Column("run_id", TEXT, "The run that planned it."),
    ),
)

DOCUMENT_LINES = Table(
    "out.document_lines",
    ("document_id", "line_no"),
    "Lines of planned invoices, credit memos and journal entries; applications of planned receipts and credits. They sum to their document.",
    (
        Column("document_id", TEXT, "The document.", longest=20),
        Column("line_no", WHOLE, "Position, from 1.", least=1),
        Column("account_code", TEXT, "GL account; null for an application.", null=True),
        Column("component_code", TEXT, "Component; null for an application.", null=True, words=COMPONENTS),
        Column(
            "amount_minor",
            MINOR,
            "Signed like the document; debits of a journal entry positive, credits negative.",
        ),
        Column("memo", TEXT, "Line text.", null=True),
        Column("location_code", TEXT, "LOCATIONID.", null=True),
        Column("department_code", TEXT, "DEPARTMENTID.", null=True),
        Column("item_ref", TEXT, "ITEMID.", null=True),
        Column("class_code", TEXT, "CLASSID.", null=True),
        Column("project_code", TEXT, "PROJECTID.", null=True),
        Column(
            "custom_fields",
            TEXT,
            "JSON object of the company's own dimensions by integration name.",
            null=True,
        ),
        Column(
            "tax_detail_code",
            TEXT,
            "Intacct's tax detail: the line is sent as a tax entry of the line before it, and Intacct finds its account.",
            null=True,
        ),
        Column("tax_solution", TEXT, "TAXSOLUTIONID the document needs for this tax.", null=True),
        Column(
            "applies_to_id",
            TEXT,
            "For an application: our id of the invoice it pays, or of the credit memo it takes from.",
            null=True,
        ),
        Column(
            "applies_to_ref",
            TEXT,
            "For an application: RECORDNO, if the invoice was not posted by us.",
            null=True,
        ),
        Column("quantity", QUANTITY, "How many, for an item of a sales document.", null=True),
        Column("unit_price", PRICE, "Price of one, for an item of a sales document.", null=True),
        Column("warehouse_code", TEXT, "WAREHOUSEID, for an item of a sales document.", null=True),
        Column(
            "subtotal_name",
            TEXT,
            "Subtotal of the transaction definition, for a line of a sales document that is no item.",
            null=True,
        ),
        Column("order_line_ref", TEXT, "The order's line, for an item of a sales document.", null=True),
        Column(
            "converts_id",
            TEXT,
            "Our id of the sales order that this item of a sales invoice is converted from, at its line of the same `order_line_ref` and component.",
            null=True,
        ),
    ),
)

DOCUMENT_ORDERS = Table(
    "out.document_orders",
    ("document_id", "storefront", "order_ref", "event_code", "event_ref"),
    "Which orders a planned document answers, and for how much: one row for a document of its own, many for a summary. They sum to their document.",
    (
        Column("document_id", TEXT, "The document.", longest=20),
        Column("storefront", TEXT, "Where the order comes from."),
        Column("order_ref", TEXT, "The order."),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("event_code", TEXT, "What made the document owed.", words=OWED_EVENTS),
        Column("event_ref", TEXT, "The shipment, refund or charge."),
        Column("currency", TEXT, "Transaction currency.", longest=3),
        Column("amount_minor", MINOR, "The order's part of the document, signed like it."),
    ),
)

WEB_STOCK = Table(
    "out.web_stock",
    ("storefront", "sku", "location_ref"),
    "What each storefront may sell: available to web = on hand − allocated − safety buffer, floored at zero.",
    (
        Column("storefront", TEXT, "Storefront."),
        Column("sku", TEXT, "The storefront's item code."),
        Column("location_ref", TEXT, "The storefront's location (supply channel)."),
        Column(
            "native_ref", TEXT, "The storefront's row to write to; null if it must be created.", null=True
        ),
        Column("version_no", WHOLE, "Its version when read.", null=True),
        Column("item_ref", TEXT, "The Intacct item it takes; of a kit the scarcest component.", null=True),
        Column("per_piece_qty", QUANTITY, "How many units of that item one piece takes.", null=True),
        Column("on_hand_qty", QUANTITY, "On hand of that item by Intacct."),
        Column("allocated_qty", QUANTITY, "Allocated outside the storefronts."),
        Column("reserved_qty", QUANTITY, "Reserved by the storefront itself; it subtracts these on its own."),
        Column("buffer_qty", QUANTITY, "Safety buffer after rounding up."),
        Column("buffer_rule", TEXT, "Which buffer rule applied."),
        Column("available_qty", WHOLE, "Available to web.", least=0),
        Column("current_qty", WHOLE, "What the storefront shows now.", null=True),
        Column(
            "publish_qty",
            WHOLE,
            "What is to be written (available plus what the storefront subtracts itself).",
            least=0,
        ),
        Column("is_changed", FLAG, "Whether it must be written."),
        Column("hold_reason", TEXT, "Why it is not published, if so.", null=True),
        Column("as_of_at", INSTANT, "Age of the Intacct figure."),
        Column("run_id", TEXT, "The run that computed it."),
    ),
)

WEB_STOCK_PARTS = Table(
    "out.web_stock_parts",
    ("storefront", "sku", "location_ref", "item_ref"),
    "What each figure of web_stock was worked out from: one row per SKU, location and item it takes. Quantities are in units of the item.",
    (
        Column("storefront", TEXT, "Storefront."),
        Column("sku", TEXT, "The storefront's item code."),
        Column("location_ref", TEXT, "The storefront's location."),
        Column("item_ref", TEXT, "Intacct item: the SKU's own, or a component of the kit."),
        Column("warehouse_ref", TEXT, "Intacct warehouse.", null=True),
        Column(
            "per_piece_qty", QUANTITY, "Units of the item in one piece: pack size, or quantity in the kit."
        ),
        Column("on_hand_qty", QUANTITY, "On hand; null where Intacct has no figure.", null=True),
        Column("allocated_qty", QUANTITY, "Allocated outside the storefronts.", null=True),
        Column(
            "held_qty",
            QUANTITY,
            "Held by open web orders of every storefront, through every SKU that takes the item; 0 where Intacct's allocations hold them.",
        ),
        Column(
            "reserved_qty",
            QUANTITY,
            "Pieces of this SKU its own storefront reserves; null where it reserves nothing.",
            null=True,
        ),
        Column("buffer_percent", QUANTITY, "Buffer in percent of on hand."),
        Column("buffer_units_qty", QUANTITY, "Buffer in units."),
        Column("share_percent", QUANTITY, "Which part of what is free this storefront may sell."),
        Column("keep_qty", QUANTITY, "Units left to storefronts before this one."),
        Column("pieces_qty", WHOLE, "Pieces this item alone would allow.", null=True, least=0),
        Column("as_of_at", INSTANT, "Age of the Intacct figure."),
        Column("run_id", TEXT, "The run that computed it."),
    ),
)

TABLES = (DOCUMENTS, DOCUMENT_LINES, DOCUMENT_ORDERS, WEB_STOCK, WEB_STOCK_PARTS)
