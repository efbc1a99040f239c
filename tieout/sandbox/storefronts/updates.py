"""Writes to the commercetools stand-in: update actions under a version, and new inventory entries.

All actions of one request are done, or none (commercetools API reference, General Concepts, Update actions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieout.sandbox.storefronts.answers import Refusal
from tieout.sandbox.world.arithmetic import identifier, iso
from tieout.sandbox.world.collection import touched
from tieout.sandbox.world.world import World

ACTION_CAP = 500
_STATES = {
    "changeOrderState": ("orderState", ("Open", "Confirmed", "Complete", "Cancelled")),
    "changePaymentState": ("paymentState", ("BalanceDue", "Failed", "Pending", "CreditOwed", "Paid")),
    "changeShipmentState": (
        "shipmentState",
        ("Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled"),
    ),
}


def apply(resource: str, payload: dict[str, Any], body: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """The payload after an update request; unchanged, version included, when nothing changes. Raises Refusal."""
    version, actions = body.get("version"), body.get("actions")
    if isinstance(version, bool) or not isinstance(version, int):
        raise Refusal(400, "InvalidInput", "Request body does not contain a valid version.")
    if not isinstance(actions, list):
        raise Refusal(400, "InvalidInput", "Request body does not contain actions.")
    if len(actions) > ACTION_CAP:
        raise Refusal(400, "MaxResourceLimitExceeded", f"At most {ACTION_CAP} update actions are allowed.")
    if version != payload["version"]:
        message = f"Object {payload['id']} has a different version than expected. Expected: {version} - Actual: {payload['version']}."
        raise Refusal(409, "ConcurrentModification", message, currentVersion=payload["version"])
    changed = payload
    for action in actions:
        name = action.get("action") if isinstance(action, dict) else None
        act = _ACTIONS.get(resource, {}).get(str(name))
        if act is None:
            raise Refusal(400, "InvalidInput", f"Malformed parameter: actions: unknown action '{name}'.")
        changed = act(changed, action, now_ms)
    return touched(changed, now_ms) if changed != payload else payload


def by_somebody_else(resource: str, payload: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """The payload as another writer leaves it a moment before our own write: one piece fewer, or only a new version."""
    if resource == "inventory":
        payload = _on_stock(payload, payload["quantityOnStock"] - 1)
    return touched(payload, now_ms)


def inventory_draft(world: World, body: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """A new inventory entry from a draft. Raises Refusal for what the platform would refuse."""
    sku = body.get("sku")
    if not isinstance(sku, str) or not sku:
        raise Refusal(400, "RequiredField", "A value is required for field 'sku'.", field="sku")
    quantity = _quantity(body, "quantityOnStock")
    channel = body.get("supplyChannel")
    channel_id = None
    if channel is not None:
        known = world.channel_ids
        given = channel if isinstance(channel, dict) else {}
        channel_id = known.get(str(given.get("key"))) or (
            given.get("id") if given.get("id") in known.values() else None
        )
        if channel_id is None:
            message = "The referenced object of type 'channel' was not found."
            raise Refusal(400, "ReferencedResourceNotFound", message, typeId="channel", id=given.get("id"))
    entries = world.inventory_list
    for position in entries.by_id:
        other = entries.payload(position)
        if other["sku"] == sku and other.get("supplyChannel", {}).get("id") == channel_id:
            message = f"A duplicate value '\"{sku}\"' exists for field 'sku'."
            raise Refusal(400, "DuplicateField", message, field="sku", duplicateValue=sku)
    draft: dict[str, Any] = {
        "id": identifier(world.seed, "inventory", f"{sku}.{channel_id}.new"),
        "version": 1,
        "createdAt": iso(now_ms),
        "lastModifiedAt": iso(now_ms),
    }
    if isinstance(body.get("key"), str):
        draft["key"] = body["key"]
    draft["sku"] = sku
    if channel_id is not None:
        draft["supplyChannel"] = {"typeId": "channel", "id": channel_id}
    return {**draft, "quantityOnStock": quantity, "availableQuantity": quantity}


def _quantity(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(
            400,
            "InvalidField",
            f"A whole number is required for field '{name}'.",
            field=name,
            invalidValue=value,
        )
    return value


def _on_stock(payload: dict[str, Any], quantity: int) -> dict[str, Any]:
    reserved = payload["quantityOnStock"] - payload["availableQuantity"]
    return {**payload, "quantityOnStock": quantity, "availableQuantity": quantity - reserved}


def _change_quantity(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    return _on_stock(payload, _quantity(action, "quantity"))


def _add_quantity(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    return _on_stock(payload, payload["quantityOnStock"] + _quantity(action, "quantity"))


def _remove_quantity(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    return _on_stock(payload, payload["quantityOnStock"] - _quantity(action, "quantity"))


def _change_state(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    field, allowed = _STATES[action["action"]]
    value = action.get(field)
    if value not in allowed:
        message = f"The value '{value}' is not valid for field '{field}'."
        raise Refusal(
            400, "InvalidField", message, field=field, invalidValue=value, allowedValues=list(allowed)
        )
    return {**payload, field: value}


def _update_sync_info(payload: dict[str, Any], action: dict[str, Any], now_ms: int) -> dict[str, Any]:
    channel = action.get("channel")
    if not isinstance(channel, dict):
        raise Refusal(400, "RequiredField", "A value is required for field 'channel'.", field="channel")
    others = [entry for entry in payload.get("syncInfo", []) if entry["channel"] != channel]
    entry = {"channel": channel, "syncedAt": action.get("syncedAt") or iso(now_ms)}
    if action.get("externalId") is not None:
        entry["externalId"] = str(action["externalId"])
    return {**payload, "syncInfo": [*others, entry]}


def _add_delivery(payload: dict[str, Any], action: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """A delivery with its parcels. Quantities are not held against the order; a key may not be used twice."""

    def added(deliveries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        key = action.get("deliveryKey")
        if key is not None and any(one.get("key") == key for one in deliveries):
            message = f"A duplicate value '\"{key}\"' exists for field 'deliveryKey'."
            raise Refusal(400, "DuplicateField", message, field="deliveryKey", duplicateValue=key)
        stem = identifier(0, "delivery", f"{payload['id']}.{len(deliveries)}.{now_ms}")
        delivery: dict[str, Any] = {"id": stem, "createdAt": iso(now_ms)}
        if key is not None:
            delivery["key"] = str(key)
        parcels = [
            _parcel(stem, number, parcel, now_ms) for number, parcel in enumerate(action.get("parcels") or [])
        ]
        return [*deliveries, {**delivery, "items": action.get("items") or [], "parcels": parcels}]

    return _in_deliveries(payload, added)


def _add_parcel(payload: dict[str, Any], action: dict[str, Any], now_ms: int) -> dict[str, Any]:
    def added(deliveries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        wanted = action.get("deliveryId")
        if all(one["id"] != wanted for one in deliveries):
            raise Refusal(400, "InvalidOperation", f"The delivery '{wanted}' does not exist.")
        return [
            {**one, "parcels": [*one["parcels"], _parcel(one["id"], len(one["parcels"]), action, now_ms)]}
            if one["id"] == wanted
            else one
            for one in deliveries
        ]

    return _in_deliveries(payload, added)


def _parcel(stem: str, number: int, parcel: dict[str, Any], now_ms: int) -> dict[str, Any]:
    found: dict[str, Any] = {"id": identifier(0, "parcel", f"{stem}.{number}"), "createdAt": iso(now_ms)}
    if isinstance(parcel.get("parcelKey"), str):
        found["key"] = parcel["parcelKey"]
    if isinstance(parcel.get("trackingData"), dict):
        found["trackingData"] = parcel["trackingData"]
    return {**found, "items": []}


def _in_deliveries(
    payload: dict[str, Any], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> dict[str, Any]:
    info = payload.get("shippingInfo")
    if isinstance(info, dict):
        return {**payload, "shippingInfo": {**info, "deliveries": change(info.get("deliveries", []))}}
    entries = payload.get("shipping") or []
    if not entries:
        raise Refusal(400, "InvalidOperation", "The order has no shipping info to add a delivery to.")
    first = {**entries[0], "shippingInfo": {**entries[0]["shippingInfo"]}}
    first["shippingInfo"]["deliveries"] = change(first["shippingInfo"].get("deliveries", []))
    return {**payload, "shipping": [first, *entries[1:]]}


def _change_value(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    value = action.get("value")
    if not isinstance(value, dict) or value.get("currencyCode") != payload["value"]["currencyCode"]:
        message = "The currency of a price cannot be changed."
        raise Refusal(400, "InvalidField", message, field="value", invalidValue=value)
    amount = _quantity(value, "centAmount")
    if action.get("staged"):
        return {**payload, "staged": {"value": {**payload["value"], "centAmount": amount}}}
    return {**payload, "value": {**payload["value"], "centAmount": amount}}


def _set_external_id(payload: dict[str, Any], action: dict[str, Any], _: int) -> dict[str, Any]:
    given = action.get("externalId")
    if given is None:
        return {name: value for name, value in payload.items() if name != "externalId"}
    return {**payload, "externalId": str(given)}


_ACTIONS: dict[str, dict[str, Callable[[dict[str, Any], dict[str, Any], int], dict[str, Any]]]] = {
    "inventory": {
        "changeQuantity": _change_quantity,
        "addQuantity": _add_quantity,
        "removeQuantity": _remove_quantity,
    },
    "orders": {
        **dict.fromkeys(_STATES, _change_state),
        "updateSyncInfo": _update_sync_info,
        "addDelivery": _add_delivery,
        "addParcelToDelivery": _add_parcel,
    },
    "standalone-prices": {"changeValue": _change_value},
    "customers": {"setExternalId": _set_external_id},
}
