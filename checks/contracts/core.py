"""core: the trade and the ledger in one meaning per column, typed and canonical."""

from __future__ import annotations

from checks.contracts.table import (
    DAY,
    FLAG,
    INSTANT,
    MINOR,
    PRICE,
    QUANTITY,
    RATE,
    TEXT,
    WHOLE,
    Column,
    Table,
)
from tieout.vocabulary import COMPONENTS, LINE_KINDS, ORDER_STATUSES, PAYMENT_KINDS, PAYMENT_STATES

STOREFRONT = Column("storefront", TEXT, "Configured name of the storefront.")
ORDER_REF = Column("order_ref", TEXT, "The storefront's own id of the order; with `storefront` its identity.")
CURRENCY = Column("currency", TEXT, "ISO 4217 code of every `_minor` in the row.", longest=3)
PAYLOAD = Column("payload_sha256", TEXT, "The raw payload this row was made from.", longest=64)
RUN = Column("run_id", TEXT, "The run that staged it.")

ORDERS = Table(
    "core.orders",
    ("storefront", "order_ref"),
    "One row per order, in its newest version. total = goods + gift_card + discount + shipping + fees + tax + rounding; due = total − tender.",
    (
        STOREFRONT,
        ORDER_REF,
        Column("order_number", TEXT, "The number people use; an attribute, not the identity.", null=True),
        Column(
            "revision",
            WHOLE,
            "The storefront's version of the order, or a count of changed payloads.",
            least=0,
        ),
        Column("store_ref", TEXT, "The store within the storefront, empty text if it has none."),
        Column("customer_ref", TEXT, "The storefront's id of the customer; null for a guest.", null=True),
        Column(
            "customer_name",
            TEXT,
            "A name for people, by the fallback chain name, company, e-mail.",
            null=True,
        ),
        Column("customer_email", TEXT, "E-mail as the storefront gives it.", null=True),
        Column("status_code", TEXT, "Our word for the order's state.", words=ORDER_STATUSES),
        Column("placed_at", INSTANT, "When it was placed."),
        Column(
            "captured_at",
            INSTANT,
            "When money was first captured, as far as the order itself says.",
            null=True,
        ),
        Column(
            "invoiced_at",
            INSTANT,
            "When the storefront first invoiced it; null where a storefront has no invoices of its own.",
            null=True,
        ),
        Column("shipped_at", INSTANT, "When it was first shipped.", null=True),
        Column("cancelled_at", INSTANT, "When it was cancelled, as far as known.", null=True),
        Column("changed_at", INSTANT, "When the storefront last changed it."),
        CURRENCY,
        Column("goods_minor", MINOR, "Goods net of tax, after discounts on the row."),
        Column("gift_card_minor", MINOR, "Gift cards sold: a liability, not revenue."),
        Column("discount_minor", MINOR, "Discounts that are not already in the rows; zero or negative."),
        Column("shipping_minor", MINOR, "Shipping net of tax."),
        Column("fees_minor", MINOR, "Fees and surcharges net of tax."),
        Column("tax_minor", MINOR, "All tax."),
        Column("rounding_minor", MINOR, "What is left between the header's total and its parts."),
        Column("total_minor", MINOR, "The header's total: the truth."),
        Column("tender_minor", MINOR, "Gift cards, store credit and points used; tender, never discount."),
        Column("due_minor", MINOR, "What is left to pay: total less tender."),
        Column("tax_included", FLAG, "Whether prices include tax."),
        Column("is_taxed", FLAG, "Whether the payload says what the tax is."),
        Column("is_test", FLAG, "Whether it is a test order."),
        Column(
            "problem",
            TEXT,
            "Why the payload could not be read into a whole order; such an order is held.",
            null=True,
        ),
        PAYLOAD,
        RUN,
    ),
    (
        "Guests have no customer_ref.",
        "A held order may lack an order number or an amount that could be read; see problem.",
    ),
)

ORDER_LINES = Table(
    "core.order_lines",
    ("storefront", "order_ref", "line_ref"),
    "What an order is made of. The sum of net, discount and tax over all lines is the order's total.",
    (
        STOREFRONT,
        ORDER_REF,
        Column(
            "line_ref", TEXT, "The storefront's id of the line, or a made one for shipping, tax and rounding."
        ),
        Column("line_no", WHOLE, "Position, from 1.", least=1),
        Column("kind_code", TEXT, "What kind of line it is.", words=LINE_KINDS),
        Column("sku", TEXT, "Stock keeping unit; null for other kinds than items.", null=True),
        Column("category_ref", TEXT, "Category by the storefront, where the line says so.", null=True),
        Column("description", TEXT, "For people.", null=True),
        Column("quantity", QUANTITY, "How many; fractions exist."),
        Column(
            "unit_price",
            PRICE,
            "Price of one as the storefront shows it; never used in arithmetic.",
            null=True,
        ),
        CURRENCY,
        Column("net_minor", MINOR, "Net of tax, after discounts on the row."),
        Column("discount_minor", MINOR, "Discount carried as its own amount; zero or negative."),
        Column("tax_minor", MINOR, "Tax of the line."),
        Column(
            "tax_code",
            TEXT,
            "The tax as the storefront names it; several joined by +; null if untaxed.",
            null=True,
        ),
        Column(
            "tax_rate",
            RATE,
            "Rate of that tax as the storefront states it (0.08875 is 8.875 %); null if untaxed, not stated, or of several taxes.",
            null=True,
        ),
        RUN,
    ),
)

ORDER_PAYMENTS = Table(
    "core.order_payments",
    ("storefront", "order_ref", "payment_ref"),
    "Which payments an order names (commercetools payments do not name their order).",
    (STOREFRONT, ORDER_REF, Column("payment_ref", TEXT, "The storefront's id of the payment."), RUN),
)

PAYMENTS = Table(
    "core.payments",
    ("storefront", "payment_ref", "transaction_ref"),
    "One row per transaction. Only charge, refund and chargeback in success move money.",
    (
        STOREFRONT,
        Column("payment_ref", TEXT, "The storefront's id of the payment."),
        Column("transaction_ref", TEXT, "The storefront's id of the transaction within it."),
        Column(
            "order_ref",
            TEXT,
            "The order, where the payment itself names it; else see order_payments.",
            null=True,
        ),
        Column("kind_code", TEXT, "What the transaction does.", words=PAYMENT_KINDS),
        Column("state_code", TEXT, "How it ended.", words=PAYMENT_STATES),
        Column("tender_code", TEXT, "Method by the storefront's word, for example CreditCard.", null=True),
        Column(
            "gateway_ref", TEXT, "The payment provider's reference; what Intacct receipts carry.", null=True
        ),
        CURRENCY,
        Column("amount_minor", MINOR, "Amount, never negative; the kind gives its direction.", least=0),
        Column("fee_minor", MINOR, "Provider's fee where known.", null=True),
        Column(
            "occurred_at",
            INSTANT,
            "When it happened; the payment's change time if the transaction does not say.",
        ),
        Column("payout_ref", TEXT, "The payout it was settled in, where known.", null=True),
        Column("problem", TEXT, "Why it could not be read whole.", null=True),
        PAYLOAD,
        RUN,
    ),
)

SHIPMENTS = Table(
    "core.shipments",
    ("storefront", "order_ref", "shipment_ref", "line_ref"),
    "What was shipped when: one row per shipment and order line.",
    (
        STOREFRONT,
        ORDER_REF,
        Column("shipment_ref", TEXT, "The storefront's id of the delivery."),
        Column("line_ref", TEXT, "The order line shipped."),
        Column("quantity", QUANTITY, "How many of it."),
        Column("shipped_at", INSTANT, "When."),
        Column("tracking_ref", TEXT, "Carrier and tracking number.", null=True),
        RUN,
    ),
)

RETURNS = Table(
    "core.returns",
    ("storefront", "order_ref", "return_ref"),
    "What came back: one row per returned order line.",
    (
        STOREFRONT,
        ORDER_REF,
        Column("return_ref", TEXT, "The storefront's id of the returned item."),
        Column("line_ref", TEXT, "The order line it came from.", null=True),
        Column("sku", TEXT, "What.", null=True),
        Column("quantity", QUANTITY, "How many."),
        Column("state_code", TEXT, "The storefront's word for the return's payment state.", null=True),
        Column("returned_at", INSTANT, "When.", null=True),
        RUN,
    ),
)

REDUCTIONS = Table(
    "core.reductions",
    ("storefront", "order_ref", "reduction_ref"),
    "What was taken off a shipped order's total where the storefront changes the order instead of stating a return; a credit is owed for it.",
    (
        STOREFRONT,
        ORDER_REF,
        Column("reduction_ref", TEXT, "The revision of the order that lowered its total."),
        Column("reduced_at", INSTANT, "When the storefront changed the order."),
        CURRENCY,
        Column("amount_minor", MINOR, "By how much the total shrank.", least=0),
        RUN,
    ),
    ("The order itself keeps the amounts it was shipped with.",),
)

CUSTOMERS = Table(
    "core.customers",
    ("storefront", "customer_ref"),
    "Customers with an account.",
    (
        STOREFRONT,
        Column("customer_ref", TEXT, "The storefront's id."),
        Column("customer_number", TEXT, "The number people use.", null=True),
        Column("name", TEXT, "A name for people, by the fallback chain name, company, e-mail."),
        Column("first_name", TEXT, "First name.", null=True),
        Column("last_name", TEXT, "Last name.", null=True),
        Column("company", TEXT, "Company.", null=True),
        Column("email", TEXT, "E-mail.", null=True),
        Column("phone", TEXT, "Phone.", null=True),
        Column("street", TEXT, "Street and number.", null=True),
        Column("city", TEXT, "City.", null=True),
        Column("state", TEXT, "State or region.", null=True),
        Column("postal_code", TEXT, "Postal code.", null=True),
        Column("country_code", TEXT, "ISO 3166 alpha-2.", null=True),
        Column("changed_at", INSTANT, "When the storefront last changed it."),
        PAYLOAD,
        RUN,
    ),
)

STOCK = Table(
    "core.stock",
    ("source", "sku", "location_ref", "as_of_at"),
    "Stock as each system says it, kept as history.",
    (
        Column("source", TEXT, "Storefront name or `intacct`."),
        Column("sku", TEXT, "The source's own item code."),
        Column(
            "location_ref",
            TEXT,
            "The source's own location: supply channel, warehouse; empty text if it has none.",
        ),
        Column("native_ref", TEXT, "The source's own id of the row, for writing back.", null=True),
        Column("version_no", WHOLE, "The source's version of the row.", null=True),
        Column("on_hand_qty", QUANTITY, "On hand."),
        Column("on_order_qty", QUANTITY, "On order with suppliers.", null=True),
        Column("allocated_qty", QUANTITY, "Allocated to orders outside this storefront.", null=True),
        Column(
            "reserved_qty", QUANTITY, "Reserved by the storefront itself for its own open orders.", null=True
        ),
        Column("as_of_at", INSTANT, "When the figure was read."),
        RUN,
    ),
)

_LEDGER = (
    Column("entity_code", TEXT, "Owning entity; empty text for the top level."),
    Column("customer_id", TEXT, "Intacct customer id.", null=True),
    Column("currency", TEXT, "Transaction currency of every `_minor` without `base_`.", longest=3),
    Column("base_currency", TEXT, "Base currency of the entity.", null=True, longest=3),
)

PRICES = Table(
    "core.prices",
    ("price_list_ref", "item_ref"),
    "Prices the ledger keeps, by price list and item. The currency of a list is told by price_lists.csv.",
    (
        Column("price_list_ref", TEXT, "Price list; `BASE` for the base price of the item itself."),
        Column("item_ref", TEXT, "ITEMID."),
        Column("amount", PRICE, "Price of one unit, in major units."),
        Column("is_active", FLAG, "Whether the item is active."),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        PAYLOAD,
        RUN,
    ),
)

AR_INVOICES = Table(
    "core.ar_invoices",
    ("invoice_ref",),
    "AR invoices of Intacct.",
    (
        Column("invoice_ref", TEXT, "RECORDNO."),
        Column("invoice_number", TEXT, "RECORDID.", null=True),
        Column("reference", TEXT, "DOCNUMBER: reference or purchase-order number.", null=True),
        *_LEDGER,
        Column("state_code", TEXT, "Intacct's label: Posted, Partially Paid, Paid, Reversed, Draft …"),
        Column("invoiced_on", DAY, "WHENCREATED: document date."),
        Column("posted_on", DAY, "WHENPOSTED: general-ledger date; the accounting date."),
        Column("due_on", DAY, "Due date.", null=True),
        Column("total_minor", MINOR, "TRX_TOTALENTERED."),
        Column("paid_minor", MINOR, "TRX_TOTALPAID."),
        Column("due_minor", MINOR, "TRX_TOTALDUE."),
        Column("base_total_minor", MINOR, "TOTALENTERED in base currency.", null=True),
        Column("base_due_minor", MINOR, "TOTALDUE in base currency.", null=True),
        Column("exchange_rate", RATE, "Transaction to base.", null=True),
        Column("module_code", TEXT, "4.AR or 8.SO.", null=True),
        Column("description", TEXT, "Description.", null=True),
        Column("created_at", INSTANT, "AUWHENCREATED.", null=True),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        Column("is_deleted", FLAG, "Seen earlier, gone now."),
        PAYLOAD,
        RUN,
    ),
    (
        "TOTAL* without TRX_ are base currency.",
        "An edited order-entry invoice gets a new RECORDNO; follow invoice_number.",
    ),
)

AR_LINES = Table(
    "core.ar_lines",
    ("document_kind", "document_ref", "line_ref"),
    "Lines of AR invoices and adjustments, with the component their account stands for.",
    (
        Column("document_kind", TEXT, "`invoice` or `adjustment`.", words=("invoice", "adjustment")),
        Column("document_ref", TEXT, "RECORDKEY: the document's RECORDNO."),
        Column("line_ref", TEXT, "RECORDNO of the line."),
        Column("line_no", WHOLE, "Position.", null=True),
        Column("account_code", TEXT, "ACCOUNTNO.", null=True),
        Column(
            "component_code", TEXT, "By the account map; `other` if the account is unknown.", words=COMPONENTS
        ),
        Column("currency", TEXT, "Transaction currency.", longest=3),
        Column("amount_minor", MINOR, "TRX_AMOUNT."),
        Column("memo", TEXT, "ENTRYDESCRIPTION.", null=True),
        Column("location_code", TEXT, "LOCATIONID.", null=True),
        Column("department_code", TEXT, "DEPARTMENTID.", null=True),
        Column("item_ref", TEXT, "ITEMID.", null=True),
        RUN,
    ),
)

AR_ADJUSTMENTS = Table(
    "core.ar_adjustments",
    ("adjustment_ref",),
    "AR credit and debit memos. A negative total is a credit memo.",
    (
        Column("adjustment_ref", TEXT, "RECORDNO."),
        Column("adjustment_number", TEXT, "RECORDID.", null=True),
        Column("reference", TEXT, "DOCNUMBER.", null=True),
        *_LEDGER,
        Column("state_code", TEXT, "Intacct's label."),
        Column("adjusted_on", DAY, "WHENCREATED."),
        Column("posted_on", DAY, "WHENPOSTED: the accounting date."),
        Column("total_minor", MINOR, "TRX_TOTALENTERED; negative for a credit memo."),
        Column("due_minor", MINOR, "TRX_TOTALDUE: what is not yet applied."),
        Column("base_total_minor", MINOR, "TOTALENTERED in base currency.", null=True),
        Column("base_due_minor", MINOR, "TOTALDUE in base currency.", null=True),
        Column("description", TEXT, "Description.", null=True),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        Column("is_deleted", FLAG, "Seen earlier, gone now."),
        PAYLOAD,
        RUN,
    ),
)

AR_RECEIPTS = Table(
    "core.ar_receipts",
    ("receipt_ref",),
    "AR receipts (ARPYMT).",
    (
        Column("receipt_ref", TEXT, "RECORDNO."),
        Column("reference", TEXT, "DOCNUMBER: the storefront's payment reference.", null=True),
        *_LEDGER,
        Column("state_code", TEXT, "Intacct's label."),
        Column("method", TEXT, "PAYMENTMETHOD.", null=True),
        Column("account_ref", TEXT, "FINANCIALENTITY: the bank or clearing account.", null=True),
        Column("received_on", DAY, "RECEIPTDATE: the accounting date."),
        Column("total_minor", MINOR, "TRX_TOTALENTERED: money received."),
        Column("unapplied_minor", MINOR, "What is on account, applied to no invoice."),
        Column("base_total_minor", MINOR, "TOTALENTERED in base currency.", null=True),
        Column("description", TEXT, "Description.", null=True),
        Column("changed_at", INSTANT, "WHENMODIFIED.", null=True),
        Column("is_deleted", FLAG, "Seen earlier, gone now."),
        PAYLOAD,
        RUN,
    ),
)

AR_APPLICATIONS = Table(
    "core.ar_applications",
    ("application_ref",),
    "Which receipt or credit pays which document (ARPYMTDETAIL).",
    (
        Column("application_ref", TEXT, "RECORDNO."),
        Column("receipt_ref", TEXT, "PAYMENTKEY.", null=True),
        Column("invoice_ref", TEXT, "RECORDKEY: the invoice paid.", null=True),
        Column("adjustment_ref", TEXT, "ADJUSTMENTKEY: the credit memo used.", null=True),
        Column(
            "debit_ref", TEXT, "POSADJKEY: the debit memo paid, or settled by the credit memo.", null=True
        ),
        Column("currency", TEXT, "Transaction currency.", longest=3),
        Column("amount_minor", MINOR, "Money applied (TRX_PAYMENTAMOUNT)."),
        Column("credit_minor", MINOR, "Credit applied (TRX_ADJUSTMENTAMOUNT)."),
        Column("applied_on", DAY, "The receipt's accounting date.", null=True),
        RUN,
    ),
)

TABLES = (
    ORDERS,
    ORDER_LINES,
    ORDER_PAYMENTS,
    PAYMENTS,
    SHIPMENTS,
    RETURNS,
    REDUCTIONS,
    CUSTOMERS,
    STOCK,
    PRICES,
    AR_INVOICES,
    AR_LINES,
    AR_ADJUSTMENTS,
    AR_RECEIPTS,
    AR_APPLICATIONS,
)
