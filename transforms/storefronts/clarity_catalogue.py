"""Clarity: products to core, members named by the profile. No reference of the interface is public, see the profile."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import polars as pl

from transforms.staged import Staged
from transforms.storefronts.catalogue import Good, Shown, is_price, tables
from transforms.storefronts.clarity_settings import ClaritySettings
from transforms.storefronts.clarity_shapes import shapes_of


def products(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings) -> Staged:
    """`core.products`, and `core.web_prices` where the profile names a price."""
    shapes = shapes_of(settings.fields)
    found = shapes.decode(raw, "products")
    names = ("sku", "ref", "name", "category", "price", "currency", "active")
    columns = [shapes.text("products", name, found.objects).to_list() for name in names]
    goods: list[Good] = []
    prices: list[Shown] = []
    for at, (sku, ref, name, category, price, currency, active) in enumerate(zip(*columns, strict=True)):
        if sku is None:
            found.blame(at, "payload_unreadable", "sku is missing")
            continue
        is_active = (active or "true").lower() not in ("false", "0")
        goods.append(Good(at, sku, ref or sku, name, category, is_active))
        amount = _amount(price)
        if amount is not None and is_price(amount):
            prices.append(Shown(at, f"{sku}|{currency or ''}", sku, amount, currency, is_active=is_active))
        elif price is not None:
            found.blame(at, "payload_unreadable", f"the price of {sku} is '{price[:40]}', which is none")
    return tables(raw, found, goods, prices, subject="products", storefront=storefront, run_id=run_id)


def _amount(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
