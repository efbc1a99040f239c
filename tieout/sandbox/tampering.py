"""What somebody does by hand in the shop after the night has run: edits, cancellations, deletions, late refunds.

Orders of the control door's ``/tamper``, for the storefront:

==================  ==========================================================================================
op                  what happens
==================  ==========================================================================================
``order_edited``    ``delta_minor`` is added to the order's first row (untaxed) and to every total
``order_cancelled`` orderState becomes Cancelled
``order_deleted``   the order vanishes from every list
``refund_added``    a successful refund of ``amount_minor`` is added to the order's first payment
``text_written``    ``text`` into the order's comment field, the second line of its billing address and the name of its first row, and into
                    the payments' comment field, gateway text and gateway protocol, where careless extensions put it
``stock_changed``   the web stock of ``sku`` in ``channel`` becomes ``quantity``
==================  ==========================================================================================

The order is named by ``order_number`` or ``order_ref``; change stamps and versions move as on the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tieout.sandbox.world.arithmetic import identifier, iso
from tieout.sandbox.world.collection import touched
from tieout.sandbox.world.world import World


class TamperError(ValueError):
    """An order to tamper that cannot be carried out; the sentence says why."""


def tamper(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Carry out one storefront operation and say what changed. Raises :class:`TamperError`."""
    act = _OPERATIONS.get(str(order.get("op")))
    if act is None:
        known = ", ".join(sorted(_OPERATIONS))
        raise TamperError(f'"op" must be one of {known}; operations on the ledger need "app": "intacct".')
    return act(world, order, now_ms)


def _position(world: World, order: Mapping[str, Any]) -> int:
    reference, number = order.get("order_ref"), str(order.get("order_number", ""))
    if reference:
        position = world.order_list.find(str(reference))
    else:
        digits = number[1:]
        position = int(digits) - 100_001 if number[:1] == "W" and digits.isdigit() else None
        if position is not None and not 0 <= position < world.size:
            position = None
    if position is None or world.order_list.find(world.order_list.ids[position]) is None:
        raise TamperError(
            f"There is no order {reference or number or '(name one by order_number or order_ref)'}."
        )
    return position


def _whole(order: Mapping[str, Any], name: str) -> int:
    value = order.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TamperError(f'"{name}" must be a whole number.')
    return value


def _edited(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    position, delta = _position(world, order), _whole(order, "delta_minor")
    payload = world.order_list.payload(position)
    if not isinstance(payload["lineItems"], list) or "taxedPrice" not in payload:
        raise TamperError("This order's payload is damaged already; choose another.")
    row = payload["lineItems"][0]
    for holder in (row, payload):
        amounts = [holder["totalPrice"], holder["taxedPrice"]["totalNet"], holder["taxedPrice"]["totalGross"]]
        for amount in amounts:
            amount["centAmount"] += delta
    changed = world.order_list.change(position, touched(payload, now_ms))
    return {"order_ref": changed["id"], "version": changed["version"], "delta_minor": delta}


def _cancelled(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    position = _position(world, order)
    payload = world.order_list.payload(position)
    changed = world.order_list.change(position, touched({**payload, "orderState": "Cancelled"}, now_ms))
    return {"order_ref": changed["id"], "version": changed["version"]}


def _deleted(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    position = _position(world, order)
    world.order_list.remove(position)
    return {"order_ref": world.order_list.ids[position], "deleted": True}


def _refunded(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    position, minor = _position(world, order), _whole(order, "amount_minor")
    payments = world.order_list.payload(position).get("paymentInfo", {}).get("payments", [])
    at = world.payment_list.find(payments[0]["id"]) if payments else None
    if at is None:
        raise TamperError("This order has no payment to refund.")
    payload = world.payment_list.payload(at)
    stem = identifier(world.seed, "refund", f"{payload['id']}.{payload['version']}")
    refund = {
        "id": stem,
        "type": "Refund",
        "state": "Success",
        "amount": {**payload["amountPlanned"], "centAmount": minor},
        "interactionId": f"re_{stem.replace('-', '')[:16]}",
        "timestamp": iso(now_ms),
    }
    payload["transactions"] = [*payload["transactions"], refund]
    world.payment_list.change(at, touched(payload, now_ms))
    return {"payment": payload["id"], "payment_ref": refund["interactionId"], "amount_minor": minor}


def _text_written(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    position, text = _position(world, order), str(order.get("text", ""))
    payload = world.order_list.payload(position)
    if not isinstance(payload["lineItems"], list) or not isinstance(payload.get("billingAddress"), dict):
        raise TamperError("This order's payload is damaged already; choose another.")
    _comment(payload, text)
    payload["billingAddress"]["additionalAddressInfo"] = text
    name = payload["lineItems"][0]["name"]
    payload["lineItems"][0]["name"] = {language: f"{words} {text}" for language, words in name.items()}
    written = []
    for reference in payload.get("paymentInfo", {}).get("payments", []):
        at = world.payment_list.find(reference["id"])
        if at is None:
            continue
        payment = world.payment_list.payload(at)
        _comment(payment, text)
        payment["paymentStatus"] = {**payment.get("paymentStatus", {}), "interfaceText": text}
        protocol = {"type": {"typeId": "type", "id": payment["id"]}, "fields": {"request": text}}
        payment["interfaceInteractions"] = [*payment.get("interfaceInteractions", []), protocol]
        written.append(world.payment_list.change(at, touched(payment, now_ms))["id"])
    changed = world.order_list.change(position, touched(payload, now_ms))
    return {"order_ref": changed["id"], "version": changed["version"], "payments": written}


def _comment(payload: dict[str, Any], text: str) -> None:
    custom = payload.setdefault("custom", {"type": {"typeId": "type", "id": payload["id"]}, "fields": {}})
    custom["fields"]["comment"] = text


def _stock_changed(world: World, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    quantity, channel = _whole(order, "quantity"), world.channel_ids.get(str(order.get("channel")))
    for position in world.inventory_list.by_id:
        payload = world.inventory_list.payload(position)
        if payload["sku"] == order.get("sku") and payload["supplyChannel"]["id"] == channel:
            reserved = payload["quantityOnStock"] - payload["availableQuantity"]
            payload |= {"quantityOnStock": quantity, "availableQuantity": quantity - reserved}
            changed = world.inventory_list.change(position, touched(payload, now_ms))
            return {"inventory": changed["id"], "version": changed["version"]}
    raise TamperError("There is no inventory entry of this sku and channel.")


_OPERATIONS: dict[str, Callable[[World, Mapping[str, Any], int], dict[str, Any]]] = {
    "order_edited": _edited,
    "order_cancelled": _cancelled,
    "order_deleted": _deleted,
    "refund_added": _refunded,
    "stock_changed": _stock_changed,
    "text_written": _text_written,
}
