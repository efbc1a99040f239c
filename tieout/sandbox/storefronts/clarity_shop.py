"""The world's orders, payments, returns and customers as the shipped profile `seed` assumes a Clarity shop tells them.

No reference of the real interface is public. Amounts are decimal texts, and here and there numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text, iso, random_of
from tieout.sandbox.world.catalog import STORES
from tieout.sandbox.world.orders import Order
from tieout.sandbox.world.payloads import dump

_TYPES = {
    "Authorization": "authorization", "CancelAuthorization": "void", "Charge": "capture", "Refund": "refund", "Chargeback": "chargeback",
}  # fmt: skip
_STATES = {"Success": "succeeded", "Failure": "failed", "Pending": "pending", "Initial": "pending"}


def order_ref(index: int) -> str:
    """The id the shop gives an order of the world."""
    return f"CLR-{20_000 + index}"


def customer_ref(customer: int) -> str:
    """The id the shop gives a customer of the world."""
    return f"ACC-{customer + 1}"


def _status(order: Order) -> str:
    line = order.line
    if line.scenario in ("cancelled", "failed"):
        return line.scenario
    if line.scenario == "authorised":
        return "authorized"
    if line.scenario == "backorder":
        return "backordered"
    if not line.ships:
        return "pending"
    if len(line.ships) < len(order.shipments):
        return "partially_shipped"
    return "fulfilled"


def told(
    order: Order, seed: int, *, changed: int, status: str | None, tracking: Sequence[Mapping[str, str]]
) -> str:
    """An order as it stands: ``changed`` when, with the status and the tracking numbers that were written to it."""
    index = order.index
    store, digits = order.store, order.store.digits
    plain = index % 7 == 3  # one writer of the shop's sends numbers, all others texts

    def money(minor: int) -> str:
        return f"@raw:{decimal_text(minor, digits)}" if plain else decimal_text(minor, digits)

    lines = [
        {
            "lineId": str(k + 1),
            "sku": row.item.sku,
            "name": row.name,
            "category": row.item.category,
            "quantity": row.quantity,
            "unitPrice": money(row.unit),
            "lineAmount": money(row.net),
            "tax": money(row.tax),
            "taxName": row.rate.name if row.rate else None,
            "taxRate": decimal_text(row.rate.numerator * 10**6 // row.rate.denominator, 6)
            if row.rate
            else None,
        }
        for k, row in enumerate(order.rows)
        if row.kind == "item" and row.item is not None
    ]
    net = {
        kind: sum(row.net for row in order.rows if row.kind == kind) for kind in ("item", "shipping", "fee")
    }
    first, last = _name(order, seed)
    address = {
        "name": " ".join(part for part in (first, last) if part) or None, "line1": "Example Street 1", "country": store.country,
    }  # fmt: skip
    found: dict[str, Any] = {
        "orderId": order_ref(index),
        "orderNumber": order.number,
        "customerId": None if order.customer is None else customer_ref(order.customer),
        "email": _email(order),
        "orderDate": iso(order.line.placed),
        "updatedAt": iso(changed),
        "status": status or _status(order),
        "totalAmount": money(order.gross),
        "currency": store.currency,
        "subtotalAmount": money(net["item"]),
        "shippingAmount": money(net["shipping"]),
        "handlingAmount": money(net["fee"]),
        "taxAmount": money(order.tax),
        "discountAmount": money(order.discount_net),
        "taxes": [{"name": rate.name, "amount": money(tax)} for rate, tax in order.taxes.items() if tax],
        "lineItems": lines,
        "billingAddress": address,
        "shippingAddress": address,
        "shipments": [_shipment(order, n) for n in range(len(order.line.ships))],
        "tracking": list(tracking),
        "attributes": {"storeId": store.key, "test": order.line.scenario == "test"},
    }
    if order.discount:
        found["couponCode"] = "TEN"
    if index % 31 == 4:
        found["internalNotes"] = "Caller gave card 4111 1111 1111 1111"
    return dump(found)


def _shipment(order: Order, n: int) -> dict[str, Any]:
    return {
        "shipmentId": f"{order.number}-{n + 1}",
        "status": "delivered" if order.index % 3 else "in_transit",
        "shippedAt": iso(order.line.ships[n]),
        "carrier": "Example Parcel",
        "trackingNumber": f"1Z{order.id[:8].upper()}{n}",
        "items": [{"lineId": str(k + 1), "quantity": order.rows[k].quantity} for k in order.shipments[n]],
    }


def _name(order: Order, seed: int) -> tuple[str | None, str | None]:
    if order.customer is not None:
        first, last, _ = people.name_of(seed, order.customer)
        return first, last
    return people.guest_name(random_of(seed, 7, order.index)) if order.named else (None, None)


def _email(order: Order) -> str:
    if order.line.scenario == "test":
        return f"tester{order.index % 5}@example.test"
    return (
        people.email_of(order.customer)
        if order.customer is not None
        else f"guest{order.index + 1}@example.org"
    )


def payment_of(order: Order, nth: int) -> str:
    """A payment of an order (from 0) with its transactions."""
    payment = order.payments[nth]
    digits = order.store.digits
    return dump(
        {
            "paymentId": payment.id,
            "orderId": order_ref(order.index),
            "method": payment.tender.method,
            "gateway": payment.tender.interface,
            "currency": order.store.currency,
            "cardNumber": "4111111111111111",
            "updatedAt": iso(payment.modified),
            "transactions": [
                {
                    "id": move.id,
                    "type": _TYPES[move.type],
                    "status": _STATES[move.state],
                    "amount": decimal_text(move.minor, digits),
                    "at": iso(move.at),
                    "reference": move.reference,
                }
                for move in payment.transactions
            ],
        }
    )


def returned(order: Order) -> str:
    """What came back of an order."""
    items = [
        {"sku": row.item.sku, "lineId": str(k + 1), "quantity": row.quantity, "reason": "changed mind"}
        for k in order.returned_rows
        if (row := order.rows[k]).item is not None
    ]
    return dump(
        {
            "returnId": f"RMA-{order.index + 1}",
            "orderId": order_ref(order.index),
            "status": "received",
            "refundAmount": decimal_text(order.refund, order.store.digits),
            "currency": order.store.currency,
            "items": items,
            "updatedAt": iso(order.line.returned),
        }
    )


def person(customer: int, seed: int) -> str:
    """A registered customer."""
    first, last, company = people.name_of(seed, customer)
    return dump(
        {
            "customerId": customer_ref(customer),
            "customerNumber": people.customer_number(customer),
            "firstName": first,
            "lastName": last,
            "company": company,
            "email": people.email_of(customer),
            "updatedAt": iso(people.customer_modified(seed, customer)),
            "address": {
                "line1": "Example Street 1",
                "country": STORES[people.store_of(customer)].country,
            },
        }
    )
