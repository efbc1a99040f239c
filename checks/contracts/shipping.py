"""Shipments the ledger knows, and the order and lines at a storefront each of them stands for."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, QUANTITY, TEXT, WHOLE, Column, Table

PLACEMENTS = (
    "placed",
    "no_order",
    "ambiguous_order",
    "cancelled",
    "no_line",
    "too_many",
    "part_of_pack",
    "shipped_there",
)
_DOCUMENT = Column("document_ref", TEXT, "RECORDNO of the order-entry document.")

LEDGER_SHIPMENTS = Table(
    "core.ledger_shipments",
    ("document_ref",),
    "Order-entry documents of Intacct that say goods have left the house: those of the definitions that [shipping] names, drafts left out.",
    (
        _DOCUMENT,
        Column("document_number", TEXT, "DOCID: definition and number, as people know it."),
        Column("definition", TEXT, "DOCPARID: the company's own transaction definition."),
        Column(
            "order_reference",
            TEXT,
            "The storefront's order number, from the field [shipping] names.",
            null=True,
        ),
        Column("customer_id", TEXT, "CUSTVENDID.", null=True),
        Column("state_code", TEXT, "Intacct's label: Pending, Closed, Converted …"),
        Column("shipped_on", DAY, "Day of shipment; the document's day where the company tells none."),
        Column("carrier", TEXT, "Shipping method.", null=True),
        Column("tracking_refs", TEXT, "Tracking numbers, a comma between several.", null=True),
        Column("is_deleted", FLAG, "Seen earlier, gone now."),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        Column("payload_sha256", TEXT, "The version of the record it was read from."),
        Column("run_id", TEXT, "The run that staged it."),
    ),
    (
        "Under which names a company's gateway gives tracking number, carrier and day back is not documented: [shipping] names them.",
    ),
)

LEDGER_SHIPMENT_LINES = Table(
    "core.ledger_shipment_lines",
    ("line_ref",),
    "Lines of the documents in core.ledger_shipments that carry an item; subtotals are left out.",
    (
        Column("line_ref", TEXT, "RECORDNO of the line."),
        _DOCUMENT,
        Column("line_no", WHOLE, "LINE_NO, counted from 0.", null=True),
        Column("item_ref", TEXT, "ITEMID."),
        Column("quantity", QUANTITY, "Quantity shipped, in the item's unit."),
        Column("run_id", TEXT, "The run that staged it."),
    ),
)

PLACED = Table(
    "out.ledger_shipments",
    ("document_ref",),
    "Which order each shipment of the ledger belongs to; `placed` ones are told to the storefront, the others wait with their reason.",
    (
        _DOCUMENT,
        Column("document_number", TEXT, "DOCID."),
        Column("storefront", TEXT, "Storefront of the order.", null=True),
        Column("order_ref", TEXT, "The order.", null=True),
        Column("order_number", TEXT, "Its number.", null=True),
        Column("outcome_code", TEXT, "Whether it could be placed, or why not.", words=PLACEMENTS),
        Column("sentence", TEXT, "What is in the way and what to do; empty text if nothing is."),
        Column("shipped_on", DAY, "Day of shipment."),
        Column("carrier", TEXT, "Shipping method.", null=True),
        Column("tracking_refs", TEXT, "Tracking numbers.", null=True),
        Column("is_whole", FLAG, "Whether with it everything of the order has left the house."),
        Column("run_id", TEXT, "The run that planned it."),
    ),
)

TABLES = (LEDGER_SHIPMENTS, LEDGER_SHIPMENT_LINES, PLACED)
