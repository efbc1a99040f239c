"""What the storefronts offer: products with their SKUs and categories, and the prices they show."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, PRICE, QUANTITY, TEXT, Column, Table

_STOREFRONT = Column("storefront", TEXT, "Configured name of the storefront.")
_SEEN = (
    Column(
        "changed_at",
        INSTANT,
        "When the storefront last changed it; when it was read, where it does not say.",
        null=True,
    ),
    Column("payload_sha256", TEXT, "The version of the record it was read from."),
    Column("run_id", TEXT, "The run that staged it."),
)

PRODUCTS = Table(
    "core.products",
    ("storefront", "sku"),
    "Products a storefront lists, one row per SKU: variants are rows of their own.",
    (
        _STOREFRONT,
        Column("sku", TEXT, "The storefront's item code."),
        Column("product_ref", TEXT, "The storefront's id of the product the SKU belongs to."),
        Column("name", TEXT, "Its name, in the language the storefront gives first.", null=True),
        Column(
            "category_refs", TEXT, "The storefront's categories of it, a comma between several.", null=True
        ),
        Column("is_active", FLAG, "Whether it is on sale; true where the storefront does not say."),
        *_SEEN,
    ),
    ("Files have no products; their SKUs are those of order lines.",),
)

WEB_PRICES = Table(
    "core.web_prices",
    ("storefront", "price_ref"),
    "Prices the storefronts show, by SKU, currency and customer level.",
    (
        _STOREFRONT,
        Column(
            "price_ref", TEXT, "The storefront's id of the price; made of SKU and level where it has none."
        ),
        Column("sku", TEXT, "The storefront's item code."),
        Column(
            "currency",
            TEXT,
            "Currency; null where the storefront keeps one price without naming it.",
            null=True,
            longest=3,
        ),
        Column("level_ref", TEXT, "Customer group that pays it; null for everybody.", null=True),
        Column("country_code", TEXT, "Country it is for; null for every country.", null=True),
        Column("channel_ref", TEXT, "Channel it is for; null for every channel.", null=True),
        Column("least_qty", QUANTITY, "Quantity from which it applies; null for one piece.", null=True),
        Column(
            "amount", PRICE, "Price of one piece, in major units; net or gross as the storefront keeps it."
        ),
        Column("is_active", FLAG, "Whether it is in force; true where the storefront does not say."),
        *_SEEN,
    ),
    (
        "A Magento product shows the price of the default scope; prices of single websites are not in its list.",
    ),
)

PRICE_LIST_ENTRIES = Table(
    "core.price_list_entries",
    ("entry_ref",),
    "Entries of Intacct's price lists, where [price_lists] says which object and fields hold them.",
    (
        Column("entry_ref", TEXT, "RECORDNO of the entry."),
        Column("price_list_ref", TEXT, "The price list's name."),
        Column("item_ref", TEXT, "ITEMID."),
        Column("amount", PRICE, "Price of one unit, in major units."),
        Column("valid_from_on", DAY, "First day it holds; null without a beginning.", null=True),
        Column("valid_until_on", DAY, "Last day it holds; null without an end.", null=True),
        Column("least_qty", QUANTITY, "Quantity from which it holds; null for one unit.", null=True),
        Column("is_active", FLAG, "Whether the entry is active."),
        *_SEEN,
    ),
    (
        "The object's fields are not documented; a company's own are asked of `lookup` and named in [price_lists].",
    ),
)

TABLES = (PRODUCTS, WEB_PRICES, PRICE_LIST_ENTRIES)
