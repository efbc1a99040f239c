"""Products of the web shop, its prices as commercetools keeps them apart from products, and the customer group that pays less.

A few differ from the ledger's price list on purpose: writing prices back closes the gap.
Shapes follow the commercetools API reference (ProductProjection, StandalonePrice, CustomerGroup).
"""

from __future__ import annotations

from typing import Any

from tieout.sandbox.world.arithmetic import DAY_MS, identifier, iso
from tieout.sandbox.world.catalog import ITEMS, START_MS, STORES, Item, Store

TRADE = "trade"
"""Key of the customer group whose prices are a tenth lower."""

SYNC_CHANNEL = "intacct"
"""Key of the channel under which an order's export is noted."""


def group_payload(seed: int) -> dict[str, Any]:
    """The customer group."""
    return {
        "id": identifier(seed, "customer-group", TRADE),
        "version": 1,
        "createdAt": iso(START_MS - 300 * DAY_MS),
        "lastModifiedAt": iso(START_MS - 300 * DAY_MS),
        "key": TRADE,
        "name": "Trade",
    }


def price_payloads(seed: int) -> list[dict[str, Any]]:
    """One price per item and store currency, and one for the trade group in the first store's currency."""
    group = {"typeId": "customer-group", "id": identifier(seed, "customer-group", TRADE)}
    found = [_payload(seed, item, store, item.price(store)) for item in ITEMS for store in STORES]
    found += [
        {**_payload(seed, item, STORES[0], item.price(STORES[0]) * 9 // 10, TRADE), "customerGroup": group}
        for item in ITEMS
    ]
    return found


def product_payloads(seed: int) -> list[dict[str, Any]]:
    """One published product per item, with a single variant and no price of its own."""
    at = iso(START_MS - 200 * DAY_MS)
    return [
        {
            "id": identifier(seed, "product", item.sku),
            "version": 1,
            "createdAt": at,
            "lastModifiedAt": at,
            "productType": {"typeId": "product-type", "id": identifier(seed, "product-type", "goods")},
            "name": {"en": item.name},
            "slug": {"en": item.sku.lower()},
            "categories": [{"typeId": "category", "id": identifier(seed, "category", item.category)}],
            "published": True,
            "hasStagedChanges": False,
            "masterVariant": {"id": 1, "sku": item.sku, "prices": [], "images": [], "attributes": []},
            "variants": [],
            "attributes": [],
        }
        for item in ITEMS
    ]


def _payload(seed: int, item: Item, store: Store, minor: int, level: str = "") -> dict[str, Any]:
    key = ".".join(part for part in (item.sku.lower(), store.key, level) if part)
    # Every seventeenth is a little off, as prices kept by hand in two places are.
    off = 5 if ITEMS.index(item) % 17 == 3 else 0
    return {
        "id": identifier(seed, "price", key),
        "version": 1,
        "createdAt": iso(START_MS - 100 * DAY_MS),
        "lastModifiedAt": iso(START_MS - 100 * DAY_MS),
        "key": key,
        "sku": item.sku,
        "value": {
            "type": "centPrecision",
            "currencyCode": store.currency,
            "centAmount": minor + off,
            "fractionDigits": store.digits,
        },
        "active": True,
    }
