"""Magento: products to core (Magento REST reference 2.4.8, catalog products; tier prices by customer group).

The price of a product is a float column: four decimals are what it keeps, in the base currency of the scope.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec
import polars as pl

from transforms.json_decoding import decode
from transforms.staged import Staged
from transforms.storefronts.catalogue import Good, Shown, is_price, tables

_PLACES: Final = Decimal("0.0001")
_ENABLED: Final = 1


class _Attribute(msgspec.Struct, gc=False):
    attribute_code: str | None = None
    value: Any = None


class _Tier(msgspec.Struct, gc=False):
    customer_group_id: int | None = None
    qty: Decimal | None = None
    value: Decimal | None = None


class _Product(msgspec.Struct, gc=False):
    id: int | str | None = None
    sku: str | None = None
    name: str | None = None
    price: Decimal | None = None
    status: int | None = None
    custom_attributes: tuple[_Attribute, ...] | None = None
    tier_prices: tuple[_Tier, ...] | None = None


class _Store(msgspec.Struct, gc=False):
    base_currency_code: str | None = None


def base_currency(stores: pl.DataFrame) -> str | None:
    """The base currency of the shop, from the raw landing of its stores; None where they have several, or none says."""
    found = decode(stores["payload"].to_list(), stores["problem"].to_list(), _Store)
    codes = {one.base_currency_code for one in found.objects if one.base_currency_code}
    return codes.pop() if len(codes) == 1 else None


def products(raw: pl.DataFrame, *, storefront: str, run_id: str, currency: str | None) -> Staged:
    """`core.products`, and `core.web_prices`: the price of everybody and those of customer groups, by the group's id.

    A product without a price (a configurable, whose children carry it) has none.
    """
    found = decode(raw["payload"].to_list(), raw["problem"].to_list(), _Product)
    goods: list[Good] = []
    prices: list[Shown] = []
    for at, one in enumerate(found.objects):
        if not one.sku:
            if at not in found.troubles:
                found.blame(at, "payload_unreadable", "sku is missing")
            continue
        active = one.status is None or one.status == _ENABLED
        goods.append(Good(at, one.sku, str(one.id or ""), one.name, _categories(one), active))
        amount = _rounded(one.price)
        if amount is not None:
            prices.append(Shown(at, one.sku, one.sku, amount, currency, is_active=active))
        elif one.price is not None:
            found.blame(at, "payload_unreadable", f"the price of {one.sku} is no price")
        for tier in one.tier_prices or ():
            of_group = _rounded(tier.value)
            if of_group is None:
                continue  # a discount in percent is no price
            group, least = str(tier.customer_group_id), tier.qty
            ref = f"{one.sku}|{group}|{least.normalize() if least is not None else 1}"
            prices.append(Shown(at, ref, one.sku, of_group, currency, group, None, None, least, active))
    return tables(raw, found, goods, prices, subject="products", storefront=storefront, run_id=run_id)


def _rounded(price: Decimal | None) -> Decimal | None:
    """Four decimals of a float column: 29.949999999999999 was 29.95."""
    if price is None or not price.is_finite() or abs(price) >= Decimal(10) ** 15:
        return None
    amount = price.quantize(_PLACES, ROUND_HALF_UP)
    return amount if is_price(amount) else None


def _categories(product: _Product) -> str | None:
    for one in product.custom_attributes or ():
        if one.attribute_code == "category_ids" and isinstance(one.value, list | tuple):
            return ",".join(str(part) for part in one.value) or None
    return None
