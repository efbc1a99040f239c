"""What is read of Magento's documents (Magento REST reference 2.4.8). Amounts stay text until a whole column is turned at once.

None of these objects can be part of a cycle, so the collector need not look at a million of them (`gc=False`).
Optional members without value are left out, required ones are null; an amount that is not there means that there is none yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import polars as pl

from transforms.storefronts.cells import READ

NULL = msgspec.Raw(b"null")
Id = int | str


class Tax(msgspec.Struct, gc=False):
    """One tax of an order or a row."""

    title: str | None = None
    code: str | None = None
    percent: msgspec.Raw = NULL


class ItemTaxes(msgspec.Struct, gc=False):
    """The taxes of one row, of shipping, or of something that is no row."""

    type: str | None = None
    item_id: Id | None = None
    applied_taxes: list[Tax] | None = None


class GiftCard(msgspec.Struct, gc=False):
    """A gift card used on an order. Its code is money to whoever has it and is not read."""

    id: Id | None = None
    amount: msgspec.Raw = NULL


class Extension(msgspec.Struct, gc=False):
    """What Adobe Commerce and tax modules add to an order."""

    item_applied_taxes: list[ItemTaxes] | None = None
    applied_taxes: list[Tax] | None = None
    gift_cards: list[GiftCard] | None = None
    gift_cards_amount: msgspec.Raw = NULL
    customer_balance_amount: msgspec.Raw = NULL
    reward_currency_amount: msgspec.Raw = NULL
    gw_price: msgspec.Raw = NULL
    gw_items_price: msgspec.Raw = NULL
    gw_card_price: msgspec.Raw = NULL
    gw_tax_amount: msgspec.Raw = NULL
    gw_items_tax_amount: msgspec.Raw = NULL
    gw_card_tax_amount: msgspec.Raw = NULL


class Parent(msgspec.Struct, gc=False):
    """The parent row, where it is nested."""

    item_id: Id | None = None


class Item(msgspec.Struct, gc=False):
    """One row of an order."""

    item_id: Id | None = None
    parent_item_id: Id | None = None
    parent_item: Parent | None = None
    sku: str | None = None
    name: str | None = None
    product_type: str | None = None
    qty_ordered: msgspec.Raw = NULL
    price: msgspec.Raw = NULL
    price_incl_tax: msgspec.Raw = NULL
    row_total: msgspec.Raw = NULL
    row_total_incl_tax: msgspec.Raw = NULL
    discount_amount: msgspec.Raw = NULL
    tax_amount: msgspec.Raw = NULL
    tax_percent: msgspec.Raw = NULL
    discount_tax_compensation_amount: msgspec.Raw = NULL
    weee_tax_applied_row_amount: msgspec.Raw = NULL


class Payment(msgspec.Struct, gc=False):
    """How an order is paid."""

    entity_id: Id | None = None
    method: str | None = None
    amount_authorized: msgspec.Raw = NULL
    last_trans_id: str | None = None


class Address(msgspec.Struct, gc=False):
    """A postal address."""

    firstname: str | None = None
    lastname: str | None = None
    company: str | None = None
    street: list[str] | None = None
    city: str | None = None
    region: Any = None
    postcode: str | None = None
    country_id: str | None = None
    telephone: str | None = None
    default_billing: bool = False


class Order(msgspec.Struct, gc=False):
    """One order."""

    entity_id: Id | None = None
    increment_id: str | None = None
    state: str | None = None
    status: str | None = None
    store_id: Id | None = None
    customer_id: Id | None = None
    customer_email: str | None = None
    customer_firstname: str | None = None
    customer_lastname: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    order_currency_code: str | None = None
    base_currency_code: str | None = None
    grand_total: msgspec.Raw = NULL
    discount_amount: msgspec.Raw = NULL
    shipping_amount: msgspec.Raw = NULL
    shipping_tax_amount: msgspec.Raw = NULL
    shipping_incl_tax: msgspec.Raw = NULL
    shipping_discount_amount: msgspec.Raw = NULL
    tax_amount: msgspec.Raw = NULL
    discount_tax_compensation_amount: msgspec.Raw = NULL
    shipping_discount_tax_compensation_amount: msgspec.Raw = NULL
    items: list[Item] | None = None
    billing_address: Address | None = None
    payment: Payment | None = None
    extension_attributes: Extension | None = None


class Piece(msgspec.Struct, gc=False):
    """One row of an invoice, credit memo or shipment."""

    entity_id: Id | None = None
    order_item_id: Id | None = None
    sku: str | None = None
    qty: msgspec.Raw = NULL


class Track(msgspec.Struct, gc=False):
    """One parcel."""

    title: str | None = None
    track_number: str | None = None


class Tendered(msgspec.Struct, gc=False):
    """What of a document was paid or given back by gift card, store credit or points (Adobe Commerce only)."""

    gift_cards_amount: msgspec.Raw = NULL
    customer_balance_amount: msgspec.Raw = NULL
    reward_currency_amount: msgspec.Raw = NULL


class Document(msgspec.Struct, gc=False):
    """An invoice, credit memo or shipment. Tender stands beside it or among its extension attributes."""

    entity_id: Id | None = None
    order_id: Id | None = None
    state: Id | None = None
    order_currency_code: str | None = None
    grand_total: msgspec.Raw = NULL
    transaction_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    items: list[Piece] | None = None
    tracks: list[Track] | None = None
    gift_cards_amount: msgspec.Raw = NULL
    customer_balance_amount: msgspec.Raw = NULL
    reward_currency_amount: msgspec.Raw = NULL
    extension_attributes: Tendered | None = None


class Attribute(msgspec.Struct, gc=False):
    """An attribute the shop added."""

    attribute_code: str | None = None
    value: Any = None


class Customer(msgspec.Struct, gc=False):
    """A customer with an account."""

    id: Id | None = None
    email: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    updated_at: str | None = None
    addresses: list[Address] | None = None
    custom_attributes: list[Attribute] | None = None


class SourceItem(msgspec.Struct, gc=False):
    """How much of a SKU lies at a source."""

    sku: str | None = None
    source_code: str | None = None
    quantity: msgspec.Raw = NULL


class Store(msgspec.Struct, gc=False):
    """A store view."""

    id: Id | None = None
    code: str | None = None


Shape = TypeVar("Shape", bound=msgspec.Struct)
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decoded(
    payloads: pl.Series, problems: pl.Series, shape: type[Shape]
) -> tuple[list[Shape], dict[int, str]]:
    """One object per payload in order, and by position what was wrong with those that did not fit.

    A payload that does not fit keeps every member that fits by itself; one that is no JSON object becomes an empty object.
    """
    troubles: dict[int, str] = {}
    return [one for _, one in decoded_each(payloads, problems, shape, troubles)], troubles


def decoded_each(
    payloads: pl.Series, problems: pl.Series, shape: type[Shape], troubles: dict[int, str]
) -> Iterator[tuple[int, Shape]]:
    """The same one by one, each with its position, for a caller that keeps no object; `troubles` grows on the way."""
    read = msgspec.json.Decoder(shape).decode
    known = dict(zip(problems.is_not_null().arg_true(), problems.drop_nulls(), strict=True))
    whole = payloads.fill_null("").cast(pl.Binary)
    # One call per payload: the decoder takes one document at a time, and a broken one must not cost its neighbours.
    for start in range(0, len(whole), READ):
        for position, payload in enumerate(whole.slice(start, READ).to_list(), start=start):
            try:
                one = read(payload)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
                one, said = _piecemeal(payload, shape, str(fault))
                troubles[position] = f"payload_unreadable: {said}"
            if position in known:
                said = f"the record was not recognised when it was received ({known[position]})"
                troubles.setdefault(position, f"payload_unreadable: {said}")
            yield position, one


def _piecemeal(payload: bytes, shape: type[Shape], fault: str) -> tuple[Shape, str]:
    try:
        members = _MEMBERS.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return shape(), f"the payload is no JSON object ({fault[:80]})"
    kept: dict[str, Any] = {}
    wrong: list[str] = []
    types = msgspec.structs.fields(shape)
    for one in types:
        if one.name in members:
            try:
                kept[one.name] = msgspec.json.decode(members[one.name], type=one.type)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as inner:
                wrong.append(f"{one.name} does not fit ({str(inner)[:80]})")
    return shape(**kept), "; ".join(wrong[:3]) or fault[:80]


def text(value: Id | None) -> str | None:
    """An id as text."""
    return None if value is None else str(value)
