"""commercetools: product projections and standalone prices to core (commercetools API reference: ProductProjection, StandalonePrice,
Price, TypedMoney).

A project keeps a price in a variant (embedded) or apart (standalone); both are read. A high-precision price counts by its
`preciseAmount`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import polars as pl

from transforms.json_decoding import Decoded, decode
from transforms.staged import Staged
from transforms.storefronts.catalogue import Good, Shown, is_price, tables


class _Reference(msgspec.Struct, gc=False):
    id: str | None = None


class _Money(msgspec.Struct, gc=False):
    type: str | None = None
    currencyCode: str | None = None  # noqa: N815
    centAmount: int | None = None  # noqa: N815
    preciseAmount: int | None = None  # noqa: N815
    fractionDigits: int | None = None  # noqa: N815


class _Price(msgspec.Struct, gc=False):
    id: str | None = None
    sku: str | None = None
    value: _Money | None = None
    country: str | None = None
    customerGroup: _Reference | None = None  # noqa: N815
    channel: _Reference | None = None
    active: bool = True


class _Variant(msgspec.Struct, gc=False):
    sku: str | None = None
    prices: tuple[_Price, ...] | None = None


class _Product(msgspec.Struct, gc=False):
    id: str | None = None
    name: dict[str, str] | None = None
    categories: tuple[_Reference, ...] | None = None
    published: bool = True
    masterVariant: _Variant | None = None  # noqa: N815
    variants: tuple[_Variant, ...] | None = None


class _Group(msgspec.Struct, gc=False):
    id: str | None = None
    key: str | None = None


def group_keys(raw: pl.DataFrame) -> dict[str, str]:
    """Key of each customer group by its id, from the raw landing of customer groups; a group without a key is called by its id."""
    found = decode(raw["payload"].to_list(), raw["problem"].to_list(), _Group)
    return {one.id: one.key or one.id for one in found.objects if one.id}


def products(raw: pl.DataFrame, *, storefront: str, run_id: str, groups: Mapping[str, str]) -> Staged:
    """`core.products`, a row per variant with a SKU, and `core.web_prices` of the prices embedded in variants."""
    found = decode(raw["payload"].to_list(), raw["problem"].to_list(), _Product)
    goods: list[Good] = []
    prices: list[Shown] = []
    for at, one in enumerate(found.objects):
        name = next(iter((one.name or {}).values()), None)
        categories = ",".join(part.id for part in one.categories or () if part.id) or None
        for variant in (*([one.masterVariant] if one.masterVariant else []), *(one.variants or ())):
            if not variant.sku:
                continue  # a variant that nobody can order by code
            goods.append(Good(at, variant.sku, one.id or "", name, categories, one.published))
            prices += [
                shown
                for price in variant.prices or ()
                if (shown := _shown(found, at, price, variant.sku, groups)) is not None
            ]
    return tables(raw, found, goods, prices, subject="products", storefront=storefront, run_id=run_id)


def prices(raw: pl.DataFrame, *, storefront: str, run_id: str, groups: Mapping[str, str]) -> Staged:
    """`core.web_prices` of standalone prices."""
    found = decode(raw["payload"].to_list(), raw["problem"].to_list(), _Price)
    rows = [
        shown
        for at, one in enumerate(found.objects)
        if (shown := _shown(found, at, one, one.sku or "", groups)) is not None
    ]
    staged = tables(raw, found, [], rows, subject="prices", storefront=storefront, run_id=run_id)
    return Staged({"core.web_prices": staged["core.web_prices"]}, staged.problems)


def _shown(
    found: Decoded[_Product] | Decoded[_Price], at: int, price: _Price, sku: str, groups: Mapping[str, str]
) -> Shown | None:
    amount = _amount(price.value)
    if not (price.id and sku and price.value and price.value.currencyCode and is_price(amount)):
        if at not in found.troubles:
            found.blame(
                at,
                "payload_unreadable",
                f"the price {price.id or 'without id'} has no SKU or no amount that can be a price",
            )
        return None
    group = price.customerGroup.id if price.customerGroup else None
    assert amount is not None
    return Shown(
        at,
        price.id,
        sku,
        amount,
        price.value.currencyCode,
        groups.get(group, group) if group else None,
        price.country,
        price.channel.id if price.channel else None,
        None,
        price.active,
    )


def _amount(money: _Money | None) -> Decimal | None:
    if money is None or money.fractionDigits is None or not 0 <= money.fractionDigits <= 20:
        return None
    whole = money.preciseAmount if money.type == "highPrecision" else money.centAmount
    return None if whole is None else Decimal(whole).scaleb(-money.fractionDigits)
