"""Orders taken apart into columns: headers and rows of goods, fees and shipping as the payload states them, before any arithmetic.

Everything here goes column by column over all orders of a batch: decoding dominates the cost, so a list per column is built and
handed to polars whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

import msgspec
import polars as pl

from tieout.money import known_currencies
from transforms.storefronts.commercetools_decode import Decoded, Trouble
from transforms.storefronts.commercetools_payloads import (
    Address,
    Money,
    Order,
    ShippingInfo,
    TaxedPortion,
    TaxedPrice,
    TaxPortion,
    TaxRate,
    Variant,
)
from transforms.storefronts.commercetools_settings import CommercetoolsSettings

NO_CURRENCY = "XXX"
"""ISO 4217's own code for "no currency": stands where none could be read."""

RATE = pl.Decimal(28, 12)
_ROW_SCHEMA = {
    "at": pl.UInt32(),
    "row_kind": pl.String(),
    "line_ref": pl.String(),
    "sku": pl.String(),
    "category_ref": pl.String(),
    "description": pl.String(),
    "quantity": pl.Int64(),
    "unit_count": pl.Int64(),
    "unit_digits": pl.Int64(),
    "price_minor": pl.Int64(),
    "net_read": pl.Int64(),
    "gross_read": pl.Int64(),
    "tax_name": pl.String(),
    "has_rate": pl.Boolean(),
    "included": pl.Boolean(),
    "tax_rate": RATE,
    "is_tender": pl.Boolean(),
}


@dataclass(frozen=True)
class Opened:
    """A batch of orders in columns. `at` is the position of the order in the batch; `troubles` grew by what is wrong with amounts."""

    heads: pl.DataFrame
    rows: pl.DataFrame
    infos: list[list[tuple[str, ShippingInfo]]]


def shipping_of(order: Order) -> list[tuple[str, ShippingInfo]]:
    """The shipping parts of an order with a path each: one in mode Single, one per address in mode Multiple."""
    found = [("shippingInfo", order.shipping_info)] if order.shipping_info is not None else []
    for number, entry in enumerate(order.shipping or ()):
        if entry.shipping_info is not None:
            found.append((f"shipping[{number}].shippingInfo", entry.shipping_info))
    return found


def open_orders(decoded: Decoded[Order], refs: Sequence[str], settings: CommercetoolsSettings) -> Opened:
    """Headers and rows of decoded orders; what is wrong with an amount is added to `decoded.troubles`.

    `refs` are the landings' native ids, for orders too broken to say theirs.
    """
    orders = decoded.objects
    infos = [shipping_of(order) for order in orders]
    currencies = [_currency(order) for order in orders]
    rows = pl.concat(
        [
            _items(orders, settings),
            _customs(orders, settings),
            _shippings(infos),
        ]
    )
    _judge_money(decoded, infos, currencies)
    return Opened(_heads(decoded, refs, currencies, settings), rows, infos)


def _currency(order: Order) -> str:
    if order.total_price is not None:
        return order.total_price.currency_code
    if order.taxed_price is not None:
        return order.taxed_price.total_gross.currency_code
    return next((line.total_price.currency_code for line in order.line_items if line.total_price), "")


def _cents(money: Money | None) -> int | None:
    return None if money is None else money.cent_amount


def _heads(
    decoded: Decoded[Order], refs: Sequence[str], currencies: Sequence[str], settings: CommercetoolsSettings
) -> pl.DataFrame:
    orders = decoded.objects
    taxed = [order.taxed_price for order in orders]
    discounts = [order.discount_on_total_price for order in orders]
    columns: dict[str, tuple[Any, list[Any]]] = {
        "at": (pl.UInt32, list(range(len(orders)))),
        "order_ref": (pl.String, [order.id or ref for order, ref in zip(orders, refs, strict=True)]),
        "order_number": (pl.String, [order.order_number or None for order in orders]),
        "version": (pl.Int64, [order.version for order in orders]),
        "store_ref": (pl.String, [(order.store.key or "") if order.store else "" for order in orders]),
        "customer_ref": (pl.String, [order.customer_id or None for order in orders]),
        "customer_name": (pl.String, [_buyer(order) for order in orders]),
        "customer_email": (pl.String, [order.customer_email or None for order in orders]),
        "state": (pl.String, [order.order_state for order in orders]),
        "placed": (pl.String, [order.created_at for order in orders]),
        "changed": (pl.String, [order.last_modified_at for order in orders]),
        "currency": (pl.String, [code if len(code) == 3 else NO_CURRENCY for code in currencies]),
        "total_price": (pl.Int64, [_cents(order.total_price) for order in orders]),
        "order_net": (pl.Int64, [one.total_net.cent_amount if one else None for one in taxed]),
        "order_gross": (pl.Int64, [one.total_gross.cent_amount if one else None for one in taxed]),
        "is_disabled": (pl.Boolean, [order.tax_mode == "Disabled" for order in orders]),
        "off": (pl.Int64, [_cents(one.discounted_amount) if one else None for one in discounts]),
        "off_net": (pl.Int64, [_cents(one.discounted_net_amount) if one else None for one in discounts]),
        "off_gross": (pl.Int64, [_cents(one.discounted_gross_amount) if one else None for one in discounts]),
        "is_test": (pl.Boolean, [order.custom is not None and _is_test(order, settings) for order in orders]),
    }
    return _frame(columns)


def _items(orders: Sequence[Order], settings: CommercetoolsSettings) -> pl.DataFrame:
    lines = [line for order in orders for line in order.line_items]
    variants = [line.variant for line in lines]
    units = [line.price.value if line.price else None for line in lines]
    prefixes = settings.gift_card_prefixes
    skus = [variant.sku if variant else None for variant in variants]
    category = settings.category_attribute
    taxed = [line.taxed_price or _from_portions(line.taxed_price_portions) for line in lines]
    rates = [line.tax_rate for line in lines]
    return _frame(
        {
            "at": (pl.UInt32, _owners([len(order.line_items) for order in orders])),
            "row_kind": (
                pl.String,
                ["gift_card" if sku and sku.startswith(prefixes) else "item" for sku in skus],
            ),
            "line_ref": (pl.String, [line.id for line in lines]),
            "sku": (pl.String, skus),
            "category_ref": (pl.String, [_category(variant, category) for variant in variants]),
            "description": (pl.String, [_name(line.name) for line in lines]),
            "quantity": (pl.Int64, [line.quantity for line in lines]),
            **_unit_columns(units),
            "price_minor": (pl.Int64, [_cents(line.total_price) for line in lines]),
            **_tax_columns(taxed, rates),
            "is_tender": (pl.Boolean, [False] * len(lines)),
        }
    )


def _customs(orders: Sequence[Order], settings: CommercetoolsSettings) -> pl.DataFrame:
    lines = [line for order in orders for line in order.custom_line_items]
    tenders = {slug.casefold() for slug in settings.tender_slugs}
    negative = [line.total_price is not None and line.total_price.cent_amount < 0 for line in lines]
    words = [
        {text.casefold() for text in ((line.name or {}).values())} | {(line.slug or "").casefold()}
        for line in lines
    ]
    taxed = [line.taxed_price or _from_portions(line.taxed_price_portions) for line in lines]
    return _frame(
        {
            "at": (pl.UInt32, _owners([len(order.custom_line_items) for order in orders])),
            "row_kind": (pl.String, ["discount" if below else "fee" for below in negative]),
            "line_ref": (pl.String, [line.id for line in lines]),
            "sku": (pl.String, [None] * len(lines)),
            "category_ref": (pl.String, [None] * len(lines)),
            "description": (pl.String, [_name(line.name) or line.slug for line in lines]),
            "quantity": (pl.Int64, [line.quantity for line in lines]),
            **_unit_columns([line.money for line in lines]),
            "price_minor": (pl.Int64, [_cents(line.total_price) for line in lines]),
            **_tax_columns(taxed, [line.tax_rate for line in lines]),
            "is_tender": (
                pl.Boolean,
                [below and not tenders.isdisjoint(said) for below, said in zip(negative, words, strict=True)],
            ),
        }
    )


def _shippings(infos: Sequence[list[tuple[str, ShippingInfo]]]) -> pl.DataFrame:
    parts = [info for found in infos for _, info in found]
    taxed = [info.taxed_price for info in parts]
    frame = _frame(
        {
            "at": (pl.UInt32, _owners([len(found) for found in infos])),
            "row_kind": (pl.String, ["shipping"] * len(parts)),
            "line_ref": (
                pl.String,
                ["shipping" if k == 0 else f"shipping-{k + 1}" for found in infos for k in range(len(found))],
            ),
            "sku": (pl.String, [None] * len(parts)),
            "category_ref": (pl.String, [None] * len(parts)),
            "description": (pl.String, [info.shipping_method_name for info in parts]),
            "quantity": (pl.Int64, [1] * len(parts)),
            **_unit_columns([info.price for info in parts]),
            "price_minor": (pl.Int64, [_cents(info.price) for info in parts]),
            **_tax_columns(taxed, [info.tax_rate for info in parts]),
            "is_tender": (pl.Boolean, [False] * len(parts)),
        }
    )
    reduced = [_cents(info.discounted_price.value) if info.discounted_price else None for info in parts]
    return frame.with_columns(pl.Series("reduced_minor", reduced, dtype=pl.Int64)).select(
        *_ROW_SCHEMA, "reduced_minor"
    )


def _unit_columns(units: Sequence[Money | None]) -> dict[str, tuple[Any, list[Any]]]:
    exact = [
        None if one is None else one.cent_amount if one.precise_amount is None else one.precise_amount
        for one in units
    ]
    counts = [None if one is None or abs(one) >= 2**62 else one for one in exact]
    return {
        "unit_count": (pl.Int64, counts),
        "unit_digits": (pl.Int64, [one.fraction_digits if one else None for one in units]),
    }


def _tax_columns(
    taxed: Sequence[TaxedPrice | None], rates: Sequence[TaxRate | None]
) -> dict[str, tuple[Any, list[Any]]]:
    return {
        "net_read": (pl.Int64, [one.total_net.cent_amount if one else None for one in taxed]),
        "gross_read": (pl.Int64, [one.total_gross.cent_amount if one else None for one in taxed]),
        "tax_name": (pl.String, [_tax_name(one, rate) for one, rate in zip(taxed, rates, strict=True)]),
        "has_rate": (
            pl.Boolean,
            [one is not None and _has_rate(one.tax_portions) for one in taxed],
        ),
        "included": (pl.Boolean, [rate is not None and rate.included_in_price for rate in rates]),
        "tax_rate": (RATE, [_stated_rate(one.tax_portions) if one else None for one in taxed]),
    }


def _stated_rate(portions: Sequence[TaxPortion] | None) -> Decimal | None:
    """The rate of a row taxed in one portion, as the payload writes it; None for several, and for what is no rate."""
    if portions is None or len(portions) != 1 or portions[0].rate is None:
        return None
    # A binary fraction shows the digits it was read from: 0.08875 comes back as 0.08875.
    rate = Decimal(repr(portions[0].rate))
    exponent = rate.as_tuple().exponent
    return rate if 0 <= rate <= 1 and isinstance(exponent, int) and exponent >= -RATE.scale else None


def _has_rate(portions: Sequence[TaxPortion] | None) -> bool:
    if portions and len(portions) == 1:
        return bool(portions[0].rate)
    return any(portion.rate for portion in portions or ())


def portion_names(portions: Sequence[TaxPortion] | None, rate: TaxRate | None = None) -> list[str]:
    """Names of tax portions, sorted, each once; a nameless portion goes by the row's rate name, or by its rate."""
    spare = rate.name if rate else None
    return sorted(
        {
            portion.name or spare or f"{portion.rate:g}"
            for portion in portions or ()
            if portion.name or portion.rate
        }
    )


def _tax_name(taxed: TaxedPrice | None, rate: TaxRate | None) -> str | None:
    portions = taxed.tax_portions if taxed else None
    if portions and len(portions) == 1 and portions[0].name:
        return portions[0].name
    names = portion_names(portions, rate)
    return "+".join(names) if names else (rate.name if rate else None)


def _from_portions(portions: Sequence[TaxedPortion] | None) -> TaxedPrice | None:
    """In shipping mode Multiple a row may state its tax per address only; the sum is the row's."""
    parts = [portion.taxed_price for portion in portions or ()]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    first = known[0].total_net
    net = Money(sum(part.total_net.cent_amount for part in known), first.currency_code, first.fraction_digits)
    gross = Money(
        sum(part.total_gross.cent_amount for part in known), first.currency_code, first.fraction_digits
    )
    return TaxedPrice(net, gross, tuple(chain.from_iterable(part.tax_portions or () for part in known)))


def _judge_money(
    decoded: Decoded[Order], infos: Sequence[list[tuple[str, ShippingInfo]]], currencies: Sequence[str]
) -> None:
    """Find amounts in another currency than their order's, or counted in other digits than ISO 4217 gives the currency."""
    known = known_currencies()
    # One pass over all amounts of a batch, as plain comparisons; the sentence is made only for the few that fail.
    for position, order in enumerate(decoded.objects):
        currency = currencies[position]
        digits = known.get(currency)
        if digits is None or any(
            money.currency_code != currency
            or (money.fraction_digits is not None and money.fraction_digits != digits)
            for money in _amounts(order, infos[position])
        ):
            decoded.troubles.setdefault(position, []).extend(
                _money_troubles(order, infos[position], currency, digits)
            )
        if order.total_price is None:
            _missing(decoded, position, "totalPrice")
        for row, line in enumerate(order.line_items):
            if line.total_price is None:
                _missing(decoded, position, f"lineItems[{row}].totalPrice")
        for row, custom in enumerate(order.custom_line_items):
            if custom.total_price is None:
                _missing(decoded, position, f"customLineItems[{row}].totalPrice")
        for path, info in infos[position]:
            if info.price is None:
                _missing(decoded, position, f"{path}.price")


def _amounts(order: Order, infos: Sequence[tuple[str, ShippingInfo]]) -> list[Money]:
    found: list[Money] = [order.total_price] if order.total_price is not None else []
    rows: chain[Any] = chain(order.line_items, order.custom_line_items)
    taxed = [order.taxed_price]
    for row in rows:
        if row.total_price is not None:
            found.append(row.total_price)
        taxed.append(row.taxed_price)
    for _, info in infos:
        if info.price is not None:
            found.append(info.price)
        taxed.append(info.taxed_price)
    for one in taxed:
        if one is not None:
            found += (one.total_net, one.total_gross)
            if one.tax_portions:
                found += [portion.amount for portion in one.tax_portions]
    off = order.discount_on_total_price
    if off is not None and off.discounted_amount is not None:
        found.append(off.discounted_amount)
    return found


def _named_amounts(order: Order, infos: Sequence[tuple[str, ShippingInfo]]) -> list[tuple[str, Money]]:
    parts: list[tuple[str, Any]] = [("", order)]
    parts += [(f"lineItems[{row}].", line) for row, line in enumerate(order.line_items)]
    parts += [(f"customLineItems[{row}].", line) for row, line in enumerate(order.custom_line_items)]
    found: list[tuple[str, Money | None]] = [(f"{path}totalPrice", part.total_price) for path, part in parts]
    found += [(f"{path}.price", info.price) for path, info in infos]
    for path, part in [*parts, *((f"{path}.", info) for path, info in infos)]:
        if part.taxed_price is not None:
            found += [(f"{path}taxedPrice.totalNet", part.taxed_price.total_net)]
            found += [(f"{path}taxedPrice.totalGross", part.taxed_price.total_gross)]
            portions = part.taxed_price.tax_portions or ()
            found += [
                (f"{path}taxedPrice.taxPortions[{k}].amount", portion.amount)
                for k, portion in enumerate(portions)
            ]
    off = order.discount_on_total_price
    if off is not None:
        found.append(("discountOnTotalPrice.discountedAmount", off.discounted_amount))
    return [(path, money) for path, money in found if money is not None]


def _money_troubles(
    order: Order, infos: Sequence[tuple[str, ShippingInfo]], currency: str, digits: int | None
) -> list[Trouble]:
    if digits is None:
        if not currency:
            return []
        said = f"'{currency[:20]}' is not an ISO 4217 currency with minor units"
        return [Trouble("currency_unknown", "totalPrice.currencyCode", said)]
    found = []
    for path, money in _named_amounts(order, infos):
        if money.currency_code != currency:
            said = f"{path} is in {money.currency_code[:20]}, the order in {currency}"
            found.append(Trouble("payload_unreadable", path, said))
        elif money.fraction_digits is not None and money.fraction_digits != digits:
            said = f"{path} counts {money.fraction_digits} fraction digits, {currency} has {digits}"
            found.append(Trouble("amount_not_exact", path, said))
    return found


def _missing(decoded: Decoded[Order], position: int, path: str) -> None:
    known = decoded.troubles.setdefault(position, [])
    if not any(one.path.startswith(path) or one.path == "" for one in known):
        known.append(Trouble("payload_unreadable", path, f"{path} is missing"))


def _buyer(order: Order) -> str | None:
    for address in (order.billing_address, order.shipping_address):
        if address is not None and (name := address_name(address)):
            return name
    return order.customer_email or None


def address_name(address: Address) -> str | None:
    """First and last name, else the company."""
    name = f"{address.first_name or ''} {address.last_name or ''}".strip()
    return name or address.company or None


def _is_test(order: Order, settings: CommercetoolsSettings) -> bool:
    value = ((order.custom.fields if order.custom else None) or {}).get(settings.test_field)
    return value is not None and bytes(value).strip() in (b"true", b'"true"')


def _category(variant: Variant | None, attribute: str) -> str | None:
    if variant is None or not variant.attributes or not attribute:
        return None
    for one in variant.attributes:
        if one.name == attribute:
            value = msgspec.json.decode(one.value)
            if isinstance(value, dict):  # enum attributes are objects with a key
                value = value.get("key")
            return value if isinstance(value, str) else None
    return None


def _name(names: dict[str, str] | None) -> str | None:
    if not names:
        return None
    return names.get("en") or names[min(names)]


def _owners(lengths: Sequence[int]) -> list[int]:
    return list(chain.from_iterable(repeat(position, length) for position, length in enumerate(lengths)))


def _frame(columns: dict[str, tuple[Any, list[Any]]]) -> pl.DataFrame:
    frame = pl.DataFrame([pl.Series(name, values, dtype=dtype) for name, (dtype, values) in columns.items()])
    if "row_kind" in columns:
        frame = frame.select(*_ROW_SCHEMA).with_columns(reduced_minor=pl.lit(None, dtype=pl.Int64))
    return frame
