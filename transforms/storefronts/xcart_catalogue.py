"""X-Cart of either generation: products and variants to core (X-Cart developer documentation, REST API 5.5: products, variants; archived
description of the REST API add-on, product).

The shop has one currency, which a product does not name.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import polars as pl

from transforms.json_decoding import decode
from transforms.staged import Staged
from transforms.storefronts.catalogue import Good, Shown, is_price, tables

_Ref = int | str | None


class _Product(msgspec.Struct, gc=False):
    """A product, or (with `product_id` beside `id`) one of its variants. The add-on spells members in two ways and quotes amounts."""

    id: _Ref = None
    product_id: _Ref = None
    productId: _Ref = None  # noqa: N815
    sku: str | None = None
    name: str | None = None
    price: Decimal | None = None
    default_price: bool = False
    enabled: bool | int | str | None = None


def products(raw: pl.DataFrame, *, storefront: str, run_id: str, currency: str | None = None) -> Staged:
    """`core.products` and `core.web_prices`; a variant that sells at its product's price has no price of its own, and a product whose
    variants have the SKUs has no row."""
    found = decode(raw["payload"].to_list(), raw["problem"].to_list(), _Product)
    goods: list[Good] = []
    prices: list[Shown] = []
    for at, one in enumerate(found.objects):
        sku = (one.sku or "").strip()
        if not sku:
            continue
        ref = next((str(part) for part in (one.product_id, one.productId, one.id) if part is not None), "")
        active = str(one.enabled).lower() not in ("false", "0", "n")
        goods.append(Good(at, sku, ref, one.name, None, active))
        if one.price is not None and is_price(one.price):
            if not one.default_price:
                prices.append(Shown(at, sku, sku, one.price, currency, is_active=active))
        elif one.price is not None:
            found.blame(at, "payload_unreadable", f"the price of {sku} is no price")
    return tables(raw, found, goods, prices, subject="products", storefront=storefront, run_id=run_id)
