"""The facts that finance edits: CSV files in `data/mappings/`, guarded before the first request of the night.

Text columns are read as text. `*` in a key column means "any", and the row with the fewest stars wins.
"""

from __future__ import annotations

from checks.contracts.table import TEXT, Column, Table
from tieout.vocabulary import COMPONENTS, STATUS_SUBJECTS

_NOTE = Column("note", TEXT, "Why, for the next reader.", null=True)
_STOREFRONT = Column("storefront", TEXT, "Configured name of the storefront, or *.")
_MODE = Column(
    "mode",
    TEXT,
    "`map`, or `ignore` for a deliberate non-mapping (say why in note).",
    words=("map", "ignore"),
)

STORES = Table(
    "mappings.stores",
    ("storefront", "store_ref"),
    "Which entity, location and numbering a store has.",
    (
        _STOREFRONT,
        Column("store_ref", TEXT, "The storefront's store key."),
        _MODE,
        Column("entity_code", TEXT, "Intacct entity.", null=True),
        Column("location_code", TEXT, "Intacct location for lines.", null=True),
        Column("department_code", TEXT, "Intacct department for lines.", null=True),
        Column("invoice_prefix", TEXT, "Prefix of invoice numbers.", null=True),
        Column(
            "guest_customer_id",
            TEXT,
            "Customer for guests, and for summary documents.",
            null=True,
            longest=20,
        ),
        Column(
            "posting_code",
            TEXT,
            "`order` (also when empty): one document per order and event; `summary`: one per store, day, currency and tender; `order_entry`: like `order`, with sales as documents of order entry.",
            null=True,
            words=("order", "summary", "order_entry"),
        ),
        _NOTE,
    ),
)
ITEMS = Table(
    "mappings.items",
    ("storefront", "sku"),
    "Which Intacct item and category a SKU is. A SKU may end in * to cover a family.",
    (
        _STOREFRONT,
        Column("sku", TEXT, "SKU, or a prefix ending in *."),
        _MODE,
        Column("item_ref", TEXT, "Intacct item.", null=True),
        Column(
            "category_ref", TEXT, "Category for the revenue account; the class of a stock buffer.", null=True
        ),
        Column("pack_qty", TEXT, "How many units of the Intacct item one piece is; 1 if empty.", null=True),
        _NOTE,
    ),
)
ACCOUNTS = Table(
    "mappings.accounts",
    ("storefront", "store_ref", "component_code", "category_ref"),
    "Which GL account a component goes to; the row with the fewest stars wins.",
    (
        _STOREFRONT,
        Column("store_ref", TEXT, "Store, or *."),
        Column(
            "component_code",
            TEXT,
            "goods, shipping, discount …, or `allowance` for refunds without return.",
            words=(*COMPONENTS, "allowance"),
        ),
        Column("category_ref", TEXT, "Category, or *."),
        Column("account_code", TEXT, "GL account."),
        _NOTE,
    ),
)
COMPONENT_ACCOUNTS = Table(
    "mappings.component_accounts",
    ("account_code",),
    "Reading back: which component an account of an Intacct invoice line stands for.",
    (
        Column("account_code", TEXT, "GL account."),
        Column("component_code", TEXT, "Component.", words=COMPONENTS),
        _NOTE,
    ),
)
TAXES = Table(
    "mappings.taxes",
    ("storefront", "tax_code"),
    "Which liability account a tax goes to.",
    (
        _STOREFRONT,
        Column("tax_code", TEXT, "The tax as the storefront names it."),
        _MODE,
        Column("account_code", TEXT, "Liability account.", null=True),
        Column(
            "tax_detail",
            TEXT,
            "Intacct's tax detail: the tax is then sent as a tax entry of its line instead of a line on an account.",
            null=True,
        ),
        Column(
            "tax_solution",
            TEXT,
            "Tax solution of the document; needed where a company has several and posts at the top level.",
            null=True,
        ),
        _NOTE,
    ),
)
DIMENSIONS = Table(
    "mappings.dimensions",
    ("storefront", "attribute", "value", "dimension"),
    "Which department, class, project or dimension of the company's own a line carries, by what its order or line says.",
    (
        _STOREFRONT,
        Column(
            "attribute",
            TEXT,
            "What is looked at; where several attributes give the same dimension, the one further left here wins.",
            words=("sku", "category", "component", "customer", "store", "currency"),
        ),
        Column("value", TEXT, "Its value, a beginning of it with *, or *."),
        Column(
            "dimension",
            TEXT,
            "department, class, project, or custom:FIELD with the integration name of the company's own field.",
        ),
        Column("code", TEXT, "The dimension's id in Intacct."),
        _NOTE,
    ),
)
TENDERS = Table(
    "mappings.tenders",
    ("storefront", "entity_code", "tender_code"),
    "Which clearing account a payment method goes to.",
    (
        _STOREFRONT,
        Column("entity_code", TEXT, "Entity, or *."),
        Column("tender_code", TEXT, "Method by the storefront's word."),
        _MODE,
        Column("account_ref", TEXT, "Intacct financial entity (bank or clearing account).", null=True),
        Column("method", TEXT, "Intacct payment method.", null=True),
        _NOTE,
    ),
)
STATUSES = Table(
    "mappings.statuses",
    ("storefront", "subject", "status"),
    "What the storefront's own status words mean, of orders, payments, shipments and returns.",
    (
        _STOREFRONT,
        Column(
            "subject", TEXT, "order (also when empty), payment, shipment or return.", words=STATUS_SUBJECTS
        ),
        Column(
            "status",
            TEXT,
            "Their word; of an X-Cart order the pair of payment and shipping status, such as P/S, of its shipment the shipping status.",
        ),
        Column(
            "mode",
            TEXT,
            "`map` (also when empty), or `ignore`: such a payment moves no money, such a shipment has not left, such a return brings nothing back.",
            words=("map", "ignore"),
        ),
        Column(
            "status_code",
            TEXT,
            "Ours: open, processing, complete, cancelled, held of an order; success, pending, failure of a payment; expected, shipped, cancelled of a shipment; expected, received, refused of a return.",
            null=True,
        ),
        _NOTE,
    ),
)
WAREHOUSES = Table(
    "mappings.warehouses",
    ("storefront", "location_ref"),
    "Which Intacct warehouse feeds a storefront's location.",
    (
        _STOREFRONT,
        Column("location_ref", TEXT, "The storefront's location (supply channel)."),
        _MODE,
        Column("warehouse_ref", TEXT, "Intacct warehouse.", null=True),
        _NOTE,
    ),
)
BUFFERS = Table(
    "mappings.buffers",
    ("storefront", "location_ref", "class_ref", "sku"),
    "Safety buffers that differ from the default. The row that fits the item best wins, then the class, the location, the storefront.",
    (
        _STOREFRONT,
        Column("location_ref", TEXT, "Location, or *."),
        Column(
            "class_ref",
            TEXT,
            "Class: category_ref of items.csv; * for any, which it is where the column is left out.",
        ),
        Column("sku", TEXT, "SKU, a prefix ending in *, or *."),
        Column("percent", TEXT, "Percent of on hand, rounded up; empty if units are given.", null=True),
        Column("units", TEXT, "Units; empty if a percent is given.", null=True),
        _NOTE,
    ),
)
KITS = Table(
    "mappings.kits",
    ("storefront", "sku", "component_ref"),
    "What a kit or bundle is made of; it is as available as its scarcest component.",
    (
        _STOREFRONT,
        Column("sku", TEXT, "The SKU that is sold; no prefix."),
        Column("component_ref", TEXT, "Intacct item it takes."),
        Column("component_qty", TEXT, "How many units of it."),
        _NOTE,
    ),
)
PRICE_LISTS = Table(
    "mappings.price_lists",
    ("storefront", "price_list_ref"),
    "Which price list of the ledger a storefront sells by, in which currency and to which customers.",
    (
        _STOREFRONT,
        Column("price_list_ref", TEXT, "Price list; `BASE` for the base price of items."),
        _MODE,
        Column("currency", TEXT, "ISO 4217 code its prices are in.", longest=3),
        Column(
            "level", TEXT, "The storefront's customer group that pays it; empty for everybody.", null=True
        ),
        _NOTE,
    ),
)
STOCK_SHARES = Table(
    "mappings.stock_shares",
    ("warehouse_ref", "storefront"),
    "How storefronts that sell from one warehouse share it. Without a row everybody may sell everything that is free.",
    (
        Column("warehouse_ref", TEXT, "Intacct warehouse, or *."),
        _STOREFRONT,
        Column(
            "policy",
            TEXT,
            "`pooled`: everything; `share`: a percentage of what is free; `priority`: what is left after keep_qty.",
            words=("pooled", "share", "priority"),
        ),
        Column("share_percent", TEXT, "share: the percentage, 0 to 100.", null=True),
        Column(
            "keep_qty", TEXT, "priority: units of each item left to the storefronts before it.", null=True
        ),
        _NOTE,
    ),
)
CORRECTIONS = Table(
    "mappings.corrections",
    ("storefront", "order_number", "field"),
    "Corrections of single values, each with an author and a reason; never an `if` in code.",
    (
        _STOREFRONT,
        Column("order_number", TEXT, "The order."),
        Column(
            "field",
            TEXT,
            "store_ref, customer_ref, status_code or tender_code.",
            words=("store_ref", "customer_ref", "status_code", "tender_code"),
        ),
        Column("value", TEXT, "The corrected value."),
        Column("author", TEXT, "Who."),
        Column("corrected_on", TEXT, "YYYY-MM-DD."),
        Column("reason", TEXT, "Why."),
    ),
)

TABLES = (
    STORES,
    ITEMS,
    ACCOUNTS,
    COMPONENT_ACCOUNTS,
    TAXES,
    DIMENSIONS,
    TENDERS,
    STATUSES,
    WAREHOUSES,
    BUFFERS,
    KITS,
    STOCK_SHARES,
    PRICE_LISTS,
    CORRECTIONS,
)
