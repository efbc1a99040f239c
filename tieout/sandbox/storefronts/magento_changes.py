"""What clients and people change in the Magento stand-in: stock, prices, shipments, comments, statuses; edits, cancellations, refunds.

Source: Magento web API documentation (Manage source items, Bulk endpoints, Managing prices) and REST reference 2.4.8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tieout.sandbox.storefronts.magento_doors import Refusal
from tieout.sandbox.storefronts.magento_shop import stamp
from tieout.sandbox.tampering import TamperError
from tieout.sandbox.world.arithmetic import decimal_text, identifier
from tieout.sandbox.world.catalog import CHANNELS, ITEMS, STORES

if TYPE_CHECKING:
    from tieout.sandbox.storefronts.magento import Magento, Record

_SKUS = {item.sku for item in ITEMS}
_COMPLETE, _FAILED, _REJECTED = 1, 3, 5


def apply(shop: Magento, method: str, parts: tuple[str, ...], body: Any, *, is_bulk: bool) -> Any:
    """Carry out one write and say the answer; None where there is no such route. Raises :class:`Refusal`."""
    if method != "POST":
        return None
    if is_bulk:
        return _bulk(shop, parts, body)
    if parts == ("inventory", "source-items"):
        return _source_items(shop, body)
    if parts[0] == "products" and len(parts) == 2:
        return _prices(shop, parts[1], body)
    if parts[0] == "order" and parts[2:] == ("ship",):
        return _ship(shop, _order(shop, parts[1]), body)
    if parts == ("shipment", "track"):
        return _track(shop, body)
    if parts[0] == "orders" and parts[2:] == ("comments",):
        return _comment(shop, _order(shop, parts[1]), body)
    return None


def _order(shop: Magento, own: str) -> Record:
    record = shop.lists["orders"].find(int(own)) if own.isdigit() else None
    if record is None:
        raise Refusal(404, "The entity that was requested doesn't exist. Verify the entity and try again.")
    return record


def _keep(shop: Magento, record: Record, payload: dict[str, Any], *, at: int | None = None) -> None:
    record.changed = shop.now() if at is None else at
    payload["updated_at"] = stamp(record.changed)
    record.text, record.payload = json.dumps(payload, ensure_ascii=False, separators=(",", ":")), None


# ---- stock -----------------------------------------------------------------------------------------------------


def _source_items(shop: Magento, body: Any) -> list[Any]:
    rows = body.get("sourceItems") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Refusal(400, "Input data is empty", None)
    if len(rows) > shop.manners.array_cap:
        raise Refusal(
            400,
            'Maximum items of type "%type" is %max',
            {"type": "SourceItem", "max": shop.manners.array_cap},
        )
    for row in rows:
        if row.get("sku") not in _SKUS or row.get("source_code") not in CHANNELS:
            # The whole call fails for one row, and nothing of it is kept.
            raise Refusal(
                400,
                "Could not save Source Item: %1 at %2 is unknown",
                [row.get("sku"), row.get("source_code")],
            )
    for row in rows:
        shop.sources[row["sku"], row["source_code"]] = row["quantity"]
    return []


def _bulk(shop: Magento, parts: tuple[str, ...], body: Any) -> Any:
    if parts != ("inventory", "source-items") or not isinstance(body, list):
        return None
    uuid = identifier(shop.world.seed, "bulk", len(shop.bulks) + 1)
    outcomes = []
    for one in body:
        try:
            _source_items(shop, one)
            outcomes.append((_COMPLETE, "Service execution success"))
        except Refusal as refused:
            outcomes.append((_FAILED, refused.message))
    shop.bulks[uuid] = outcomes
    items = [{"id": n, "data_hash": identifier(n, "hash", n), "status": "accepted"} for n in range(len(body))]
    return {"bulk_uuid": uuid, "request_items": items, "errors": False}


def bulk_status(shop: Magento, uuid: str) -> Any:
    """The status of a bulk request; the first look still finds it open, as queues need a moment."""
    outcomes = shop.bulks.get(uuid)
    if outcomes is None:
        raise Refusal(404, "Bulk uuid %bulkUuid not exist", {"bulkUuid": uuid})
    is_first = (uuid, "seen") not in shop.prices
    shop.prices[uuid, "seen"] = True
    return {
        "operations_list": [
            {
                "id": n,
                "status": 4 if is_first else status,
                "result_message": "" if is_first else said,
                "error_code": None,
            }
            for n, (status, said) in enumerate(outcomes)
        ],
        "user_type": 1,
        "bulk_id": uuid,
        "operation_count": len(outcomes),
    }


# ---- prices ----------------------------------------------------------------------------------------------------


def _prices(shop: Magento, path: str, body: Any) -> Any:
    kind, _, asks = path.partition("-prices")
    if kind not in ("base", "tier"):
        return None
    if asks == "-information":
        return [
            _price_row(key, value)
            for key, value in shop.prices.items()
            if key[0] == kind and key[1] in body["skus"]
        ]
    refused = []
    for row in body["prices"]:
        if row["sku"] not in _SKUS:
            refused.append(
                {"message": "Requested product doesn't exist: %sku", "parameters": {"sku": row["sku"]}}
            )
            continue
        own = (
            (row["store_id"],)
            if kind == "base"
            else (row["website_id"], row["customer_group"], row["quantity"])
        )
        shop.prices[(kind, row["sku"], *own)] = row["price"]
    return refused


def _price_row(key: tuple[Any, ...], price: Any) -> dict[str, Any]:
    shown = float(price.removeprefix("@raw:")) if isinstance(price, str) else price
    if key[0] == "base":
        return {"price": shown, "store_id": key[2], "sku": key[1]}
    return {
        "price": shown, "price_type": "fixed", "website_id": key[2], "sku": key[1], "customer_group": key[3], "quantity": key[4],
    }  # fmt: skip


# ---- orders ----------------------------------------------------------------------------------------------------


def _ship(shop: Magento, record: Record, body: Any) -> Any:
    order = record.read()
    if order["state"] in ("canceled", "closed", "complete"):
        raise Refusal(400, "The order does not allow a shipment to be created.")
    from tieout.sandbox.storefronts.magento import Record as Kept

    own = len(shop.lists["shipments"].records) + 1
    items = body.get("items") or [
        {"order_item_id": one["item_id"], "qty": one["qty_ordered"]}
        for one in order["items"]
        if "parent_item_id" not in one
    ]
    known = {one["item_id"] for one in order["items"]}
    if any(one["order_item_id"] not in known for one in items):
        raise Refusal(400, "You can't create a shipment without products.")
    made = {
        "entity_id": own,
        "increment_id": f"S{own:09d}",
        "order_id": record.own,
        "store_id": order["store_id"],
        "created_at": stamp(shop.now()),
        "updated_at": stamp(shop.now()),
        "items": [{"entity_id": own * 100 + n, **one} for n, one in enumerate(items)],
        "tracks": [
            {"entity_id": own * 10 + n, "parent_id": own, **one}
            for n, one in enumerate(body.get("tracks") or [])
        ],
        "comments": [body["comment"]] if body.get("appendComment") and body.get("comment") else [],
    }
    kept = Kept(own, shop.now(), lambda: made)
    kept.text = json.dumps(made, separators=(",", ":"))
    shop.lists["shipments"].records.append(kept)
    if order.get("total_due", 0) < 0.005:
        order |= {"state": "complete", "status": "complete"}
    _keep(shop, record, order)
    return str(own)


def _track(shop: Magento, body: Any) -> Any:
    entity = body["entity"]
    record = shop.lists["shipments"].find(int(entity["parent_id"]))
    if record is None:
        raise Refusal(400, "Could not save the shipment tracking.")
    shipment = record.read()
    shipment["tracks"] = [
        *shipment["tracks"],
        {**entity, "entity_id": record.own * 10 + len(shipment["tracks"])},
    ]
    _keep(shop, record, shipment)
    return shipment["tracks"][-1]


def _comment(shop: Magento, record: Record, body: Any) -> Any:
    history, order = body["statusHistory"], record.read()
    order["status_histories"] = [
        *(order.get("status_histories") or []),
        {**history, "entity_id": len(order.get("status_histories") or []) + 1},
    ]
    if shop.manners.comment_moves_status:
        # Left out, the status becomes null and the order vanishes from the grid.
        order["status"] = history.get("status")
    _keep(shop, record, order)
    return True


# ---- people ----------------------------------------------------------------------------------------------------


def tamper(shop: Magento, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What somebody does by hand in the shop: the orders of :mod:`tampering` in this shop's words. Raises ``TamperError``."""
    op = order.get("op")
    if op == "stock_changed":
        key = (str(order.get("sku")), str(order.get("channel")))
        if key not in shop.sources:
            raise TamperError("There is no source item of this sku and channel.")
        shop.sources[key] = order.get("quantity")
        return {"sku": key[0], "source_code": key[1]}
    record = _named(shop, order)
    if op == "order_deleted":
        shop.lists["orders"].records.remove(record)
        return {"order_ref": str(record.own), "deleted": True}
    payload = record.read()
    if op == "order_cancelled":
        payload |= {"state": "canceled", "status": "canceled"}
        _keep(shop, record, payload, at=now_ms)
        return {"order_ref": str(record.own)}
    if op == "order_edited":
        digits = next(store.digits for store in STORES if store.currency == payload["order_currency_code"])
        delta = float(decimal_text(_whole(order, "delta_minor"), digits))
        row = payload["items"][0]
        for holder, members in (
            (row, ("row_total", "row_total_incl_tax")),
            (payload, ("subtotal", "grand_total", "base_grand_total")),
        ):
            for member in members:
                holder[member] = round(holder[member] + delta, 4)
        _keep(shop, record, payload, at=now_ms)
        return {"order_ref": str(record.own), "delta_minor": order["delta_minor"]}
    if op == "refund_added":
        return _refunded(shop, record, payload, _whole(order, "amount_minor"), now_ms)
    raise TamperError(
        '"op" must be one of order_cancelled, order_deleted, order_edited, refund_added, stock_changed.'
    )


def _refunded(
    shop: Magento, record: Record, payload: dict[str, Any], minor: int, now_ms: int
) -> dict[str, Any]:
    from tieout.sandbox.storefronts.magento import Record as Kept

    digits = next(store.digits for store in STORES if store.currency == payload["order_currency_code"])
    own, amount = len(shop.lists["creditmemos"].records) + 1, float(decimal_text(minor, digits))
    memo = {
        "entity_id": own, "increment_id": f"C{own:09d}", "order_id": record.own, "store_id": payload["store_id"], "state": 2,
        "order_currency_code": payload["order_currency_code"], "base_currency_code": payload["base_currency_code"],
        "adjustment_positive": amount, "adjustment_negative": 0, "grand_total": amount, "subtotal": 0, "tax_amount": 0,
        "shipping_amount": 0, "transaction_id": f"re_{own:012d}", "created_at": stamp(now_ms), "updated_at": stamp(now_ms), "items": [],
    }  # fmt: skip
    kept = Kept(own, now_ms, lambda: memo)
    shop.lists["creditmemos"].records.append(kept)
    payload["total_refunded"] = payload.get("total_refunded", 0) + amount
    _keep(shop, record, payload, at=now_ms)
    return {"payment_ref": memo["transaction_id"], "amount_minor": minor}


def _named(shop: Magento, order: Mapping[str, Any]) -> Record:
    reference, number = str(order.get("order_ref") or ""), str(order.get("order_number") or "")
    if not reference and number[:1] == "W" and number[1:].isdigit():
        reference = str(int(number[1:]) - 100_000)
    record = shop.lists["orders"].find(int(reference)) if reference.isdigit() else None
    if record is None:
        raise TamperError(
            f"There is no order {reference or number or '(name one by order_number or order_ref)'}."
        )
    return record


def _whole(order: Mapping[str, Any], name: str) -> int:
    value = order.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TamperError(f'"{name}" must be a whole number.')
    return value
