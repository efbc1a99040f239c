"""X-Cart 5.0 to 5.4 with the REST API add-on: raw landings to core (the add-on's documentation, schema `complex`).

The order of schema `complex` is put into the shape of the newer interface and read as that is, because it is the same shop behind
it. It states one figure each for tax, shipping, payment fee and discount, and rounds every amount to two decimals: orders in
currencies with more cannot be read exactly and are held. How its items are spelled is not documented; the usual spellings are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import polars as pl

from tieout.money import known_currencies
from transforms import json_amounts as amounts
from transforms.json_amounts import ABSENT
from transforms.json_decoding import Decoded, decode
from transforms.staged import Staged
from transforms.storefronts import xcart
from transforms.storefronts.xcart import XCartSettings, customers, payments, stock
from transforms.storefronts.xcart_payloads import Item, Order, Ref, Status, Surcharge, Tracking

__all__ = ["XCartSettings", "customers", "orders", "payments", "read_complex", "stock"]

PAYMENT_CODES: Final = {
    "authorized": "A", "partially paid": "PP", "paid": "P", "declined": "D", "canceled": "C", "cancelled": "C", "queued": "Q",
    "awaiting payment": "Q", "refunded": "R",
}  # fmt: skip
SHIPPING_CODES: Final = {
    "new": "N", "processing": "P", "shipped": "S", "delivered": "D", "will not deliver": "WND", "returned": "R",
    "waiting for approval": "WFA", "new backordered": "NBA",
}  # fmt: skip


class _Shape(msgspec.Struct, gc=False):
    pass


class ComplexItem(_Shape):
    """A row of goods, in the spellings that occur."""

    id: Ref = None
    itemId: Ref = None  # noqa: N815  the add-on's own spelling
    sku: str | None = None
    name: str | None = None
    price: msgspec.Raw = ABSENT
    amount: msgspec.Raw = ABSENT
    quantity: msgspec.Raw = ABSENT
    qty: msgspec.Raw = ABSENT
    total: msgspec.Raw = ABSENT
    subtotal: msgspec.Raw = ABSENT


class ComplexOrder(_Shape):
    """An order of schema `complex`."""

    orderId: Ref = None  # noqa: N815
    orderNumber: Ref = None  # noqa: N815
    total: msgspec.Raw = ABSENT
    subtotal: msgspec.Raw = ABSENT
    taxAmount: msgspec.Raw = ABSENT  # noqa: N815
    shippingCost: msgspec.Raw = ABSENT  # noqa: N815
    paymentFee: msgspec.Raw = ABSENT  # noqa: N815
    discountValue: msgspec.Raw = ABSENT  # noqa: N815
    currency: msgspec.Raw = ABSENT
    items: tuple[ComplexItem, ...] | None = None
    shippingStatus: msgspec.Raw = ABSENT  # noqa: N815
    paymentStatus: msgspec.Raw = ABSENT  # noqa: N815
    orderDate: Ref = None  # noqa: N815
    updateDate: Ref = None  # noqa: N815
    trackingNumber: msgspec.Raw = ABSENT  # noqa: N815
    customerInfo: msgspec.Raw = ABSENT  # noqa: N815
    billingInfo: dict[str, msgspec.Raw] | list[msgspec.Raw] | None = None  # noqa: N815


def orders(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    settings: XCartSettings,
    versions: pl.DataFrame | None = None,
) -> Staged:
    """`core.orders`, `core.order_lines`, `core.shipments`, `core.returns` and `core.reductions`; see `xcart.orders`."""
    return xcart.orders(
        raw, storefront=storefront, run_id=run_id, settings=settings, versions=versions, read=read_complex
    )


def read_complex(payloads: Sequence[str | None], problems: Sequence[str | None]) -> Decoded[Order]:
    """Orders of schema `complex` in the shape of the newer interface.

    Whether `taxAmount` is inside the prices is decided by which of the two makes the total; if neither does, it is taken to be on top
    and the rounding line shows the difference.
    """
    found = decode(payloads, problems, ComplexOrder)
    empty = ComplexOrder()
    theirs = found.objects
    sums = [
        amounts.millionths([getattr(one, name) for one in theirs])[0].fill_null(0)
        for name in ("total", "subtotal", "shippingCost", "paymentFee", "taxAmount", "discountValue")
    ]
    total, subtotal, shipping, fee, tax, off = sums
    without = subtotal + shipping + fee - off.abs()
    is_inside = ((without == total) & (tax != 0)).to_list()
    digits = known_currencies()
    mine = []
    # The shape of one interface becomes that of another, record by record.
    for at, one in enumerate(theirs):
        if one == empty:
            mine.append(Order())
            continue
        order = _order(one, inside=is_inside[at])
        if digits.get(order.currency or "", 0) > 2:
            said = f"the schema complex rounds to two decimals, and {order.currency} has {digits[order.currency or '']}"
            found.blame(at, "amount_not_exact", said)
        mine.append(order)
    return Decoded(mine, found.troubles)


def _order(one: ComplexOrder, *, inside: bool) -> Order:
    extras = [
        Surcharge("discount", "DISCOUNT", "Discount", value=_negative(one.discountValue)),
        Surcharge("shipping", "SHIPPING", "Shipping", value=_plain(one.shippingCost)),
        Surcharge("handling", "PAYMENT_FEE", "Payment fee", value=_plain(one.paymentFee)),
        Surcharge("tax", "TAX", "Tax", include=inside, value=_plain(one.taxAmount)),
    ]
    info = _members(one.customerInfo)
    return Order(
        id=one.orderId,
        order_number=one.orderNumber,
        total=one.total,
        sub_total=one.subtotal,
        currency=_text(one.currency, "code"),
        email=_text(info.get("email"), "") or _text(info.get("login"), ""),
        customer_id=_text(info.get("profileId"), "") or _text(info.get("id"), ""),
        create_date=one.orderDate,
        update_date=one.updateDate,
        payment_status=Status(_code(one.paymentStatus, PAYMENT_CODES)),
        shipping_status=Status(_code(one.shippingStatus, SHIPPING_CODES)),
        billing_address=one.billingInfo,
        items=tuple(_item(item) for item in one.items or ()),
        surcharges=tuple(extra for extra in extras if extra.value != ABSENT),
        tracking_numbers=tuple(Tracking(None, text) for text in _tracking(one.trackingNumber)),
    )


def _item(one: ComplexItem) -> Item:
    count = next((raw for raw in (one.amount, one.quantity, one.qty) if raw != ABSENT), ABSENT)
    worth = one.total if one.total != ABSENT else one.subtotal
    return Item(
        id=one.id if one.id is not None else one.itemId,
        sku=one.sku,
        name=one.name,
        price=one.price,
        discounted_subtotal=worth,
        amount=count,
    )


def _plain(raw: msgspec.Raw) -> msgspec.Raw:
    """An amount; one of nothing is none."""
    return ABSENT if bytes(raw).strip(b'" ') in (b"0", b"0.0", b"0.00", b"-0.00", b"") else raw


def _negative(raw: msgspec.Raw) -> msgspec.Raw:
    """A discount as what it takes off, whatever its sign."""
    text = bytes(_plain(raw)).strip(b'" ')
    return ABSENT if text == b"null" else msgspec.Raw(b"-" + text.lstrip(b"-"))


def _members(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return {}


def _text(raw: msgspec.Raw | None, name: str) -> str | None:
    """A text or number, or what an object holds under `name`."""
    if raw is None:
        return None
    try:
        found: Any = msgspec.json.decode(raw, type=str | int | None)
    except msgspec.MsgspecError:
        return _text(_members(raw).get(name), "") if name else None
    return None if found is None or found == "" else str(found)


def _code(raw: msgspec.Raw, names: dict[str, str]) -> str | None:
    """The letter of a status that comes as letter, as name, or as an object with a code."""
    word = _text(raw, "code") or _text(raw, "name")
    return None if word is None else names.get(word.strip().lower(), word.strip())


def _tracking(raw: msgspec.Raw) -> list[str]:
    one = _text(raw, "value")
    if one is not None:
        return [one]
    try:
        found = msgspec.json.decode(raw, type=list[msgspec.Raw] | None) or []
    except msgspec.MsgspecError:
        return []
    return [text for text in (_text(part, "value") for part in found) if text]
