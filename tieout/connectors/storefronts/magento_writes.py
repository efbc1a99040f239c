"""Writing fields back to Magento: documents as comments, status, shipments with tracks, prices.

Source of outside facts: Magento web API documentation and REST reference 2.4.8 (order comments, ship order, base and tier prices).
Nothing on the platform carries a version, so each value is read, written only if it differs, and recognised by its key afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol, cast

from tieout.connectors.storefronts.magento_faults import filled
from tieout.connectors.writes import (
    UNCHANGED,
    WRITTEN,
    LedgerDocuments,
    OrderStatus,
    Price,
    Shipment,
    Write,
    Writer,
    WriteResult,
)
from tieout.errors import MalformedReply, Rejected

CANNOT_WRITE: Mapping[str, str] = MappingProxyType(
    {
        "order.paid_state": "Magento works out what is paid from its own invoices; book the payment there, it cannot be set from outside.",
        "customer.account": "Magento's customer call replaces the whole customer, so one field cannot be written without risking the rest.",
    }
)
"""Fields there is no safe way to write, with the sentence why."""

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "open": "pending",
        "processing": "processing",
        "complete": "complete",
        "cancelled": "canceled",
        "held": "holded",
    }
)
"""Our words for an order's state as the status labels a shop has from the start."""

_CARRIER = "custom"


class Shop(Protocol):
    """What writing needs of the courier."""

    price_stores: Mapping[str, int]

    def get_json(self, path: str, query: Sequence[tuple[str, str]], what: str) -> Any:
        """An answer, decoded."""
        ...

    def send_json(self, method: str, path: str, body: Any, what: str, *, bulk: bool = False) -> Any:
        """A write."""
        ...


class Writers:
    """One writer per field."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def by_field(self) -> dict[str, Writer]:
        """Writer by field."""
        found: dict[str, Callable[[Any], WriteResult]] = {
            "order.document": self._documents,
            "order.status": self._status,
            "order.shipment": self._shipment,
            "price": self._price,
        }
        return cast("dict[str, Writer]", found)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────

    def _order(self, ref: str, fields: str, what: str) -> dict[str, Any]:
        return _object(self._shop.get_json(f"orders/{_id(ref)}", [("fields", fields)], what), what)

    def _documents(self, write: LedgerDocuments) -> WriteResult:
        what = f"the comments of order {write.order_number or write.order_ref}"
        history = self._shop.get_json(f"orders/{_id(write.order_ref)}/comments", [], what)
        said = [str(one.get("comment") or "") for one in _items(history)]
        before = next((text for text in reversed(said) if _mark(write) in text), None)
        text = f"Intacct: {write.text} {_mark(write)}"
        if before == text:
            return WriteResult(write, UNCHANGED, before, before)
        order = self._order(write.order_ref, "status", what)
        self._comment(write, text, order.get("status"), what)
        return WriteResult(write, WRITTEN, before, text)

    def _comment(self, write: LedgerDocuments | OrderStatus, text: str, status: Any, what: str) -> None:
        if not isinstance(status, str) or not status:
            # A comment without the status once emptied it and hid the order.
            raise MalformedReply(
                f"Reading {what} gave no status, and a comment must repeat it; nothing was written."
            )
        history = {
            "comment": text,
            "status": status,
            "is_customer_notified": 0,
            "is_visible_on_front": 0,
            "parent_id": int(_id(write.order_ref)),
        }
        self._shop.send_json(
            "POST", f"orders/{_id(write.order_ref)}/comments", {"statusHistory": history}, what
        )

    def _status(self, write: OrderStatus) -> WriteResult:
        what = f"the status of order {write.order_number or write.order_ref}"
        wanted = STATUSES.get(write.status_code)
        if wanted is None:
            raise Rejected(f"Magento has no status for '{write.status_code}'; nothing was written.")
        before = str(self._order(write.order_ref, "status,state", what).get("status"))
        if before == wanted:
            return WriteResult(write, UNCHANGED, before, before)
        self._comment(write, f"Status by Intacct {_mark(write)}", wanted, what)
        after = str(self._order(write.order_ref, "status,state", what).get("status"))
        if after != wanted:
            # Since 2.4.7 a comment no longer moves the status; only reading it back tells.
            raise Rejected(
                f"Magento took the comment and left {what} at '{after}'; move it there by shipping, invoicing or refunding instead."
            )
        return WriteResult(write, WRITTEN, before, after)

    def _shipment(self, write: Shipment) -> WriteResult:
        what = f"the shipments of order {write.order_number or write.order_ref}"
        query = [
            ("searchCriteria[filter_groups][0][filters][0][field]", "order_id"),
            ("searchCriteria[filter_groups][0][filters][0][value]", _id(write.order_ref)),
            ("searchCriteria[filter_groups][0][filters][0][condition_type]", "eq"),
            ("searchCriteria[pageSize]", "100"),
        ]
        there = [one for one in _items(self._shop.get_json("shipments", query, what)) if _holds(one, write)]
        if there:
            return self._track(write, there[0], what)
        body: dict[str, Any] = {
            "notify": False,
            "appendComment": True,
            "comment": {"comment": f"Shipped {_mark(write)}", "is_visible_on_front": 0},
            "tracks": [_track(write)] if write.tracking_number else [],
        }
        if write.lines:
            body["items"] = [
                {"order_item_id": int(_id(line.line_ref)), "qty": line.quantity} for line in write.lines
            ]
        made = self._shop.send_json("POST", f"order/{_id(write.order_ref)}/ship", body, what)
        return WriteResult(write, WRITTEN, None, f"shipment {made}")

    def _track(self, write: Shipment, shipment: Mapping[str, Any], what: str) -> WriteResult:
        name = f"shipment {shipment.get('entity_id')}"
        numbers = [str(one.get("track_number")) for one in _items(shipment.get("tracks"))]
        if write.tracking_number is None or write.tracking_number in numbers:
            return WriteResult(write, UNCHANGED, name, name)
        entity = {
            **_track(write),
            "order_id": int(_id(write.order_ref)),
            "parent_id": shipment.get("entity_id"),
            "weight": 0,
            "description": "",
            "qty": 1,
        }
        self._shop.send_json("POST", "shipment/track", {"entity": entity}, what)
        return WriteResult(write, WRITTEN, name, f"{name} with {write.tracking_number}")

    # ── prices ──────────────────────────────────────────────────────────────────────────────────────────────

    def _price(self, write: Price) -> WriteResult:
        store = self._shop.price_stores.get(write.currency)
        if store is None:
            raise Rejected(
                f"No store of this shop is named for prices in {write.currency}; add it to price_stores in tieout.toml."
            )
        what = f"the price of {write.sku} in {write.currency}"
        if write.level is None:
            own = {"store_id": store}
            path = "products/base-prices"
        else:
            own = {"website_id": 0, "customer_group": write.level, "quantity": 1, "price_type": "fixed"}  # type: ignore[dict-item]
            path = "products/tier-prices"
        # Asking for prices is a POST that changes nothing.
        known = _items(self._shop.send_json("POST", f"{path}-information", {"skus": [write.sku]}, what))
        held = [one for one in known if all(_same(one.get(name), value) for name, value in own.items())]
        before = _amount(held[0].get("price")) if held else None
        if before is not None and before == write.amount:
            return WriteResult(write, UNCHANGED, str(before), str(before))
        answer = self._shop.send_json(
            "POST", path, {"prices": [{"price": write.amount, "sku": write.sku, **own}]}, what
        )
        # Refused rows come back beside status 200.
        refused = [filled(str(one.get("message")), one.get("parameters")) for one in _items(answer)]
        if refused:
            raise Rejected(f"Magento refused {what}: {refused[0].rstrip('.')}; nothing was changed.")
        return WriteResult(write, WRITTEN, None if before is None else str(before), str(write.amount))


def _mark(write: Write) -> str:
    return f"[tieout {write.key}]"


def _holds(shipment: Mapping[str, Any], write: Shipment) -> bool:
    comments = [str(one.get("comment") or "") for one in _items(shipment.get("comments"))]
    return any(_mark(write) in text for text in comments)


def _track(write: Shipment) -> dict[str, Any]:
    return {
        "track_number": write.tracking_number,
        "title": write.carrier or "Carrier",
        "carrier_code": _CARRIER,
    }


def _id(ref: str) -> str:
    if not (ref.isascii() and ref.isdigit()):
        raise Rejected(f"'{ref[:40]}' is not an id of Magento, which are whole numbers; nothing was written.")
    return ref


def _object(answer: Any, what: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise MalformedReply(f"The answer to reading {what} is not an object; run it again later.")
    return answer


def _items(answer: Any) -> list[dict[str, Any]]:
    listed = answer.get("items") if isinstance(answer, dict) else answer
    return [one for one in listed or () if isinstance(one, dict)] if isinstance(listed, list | None) else []


def _same(left: Any, right: Any) -> bool:
    return str(left) == str(right) if not isinstance(left, Decimal) else left == right


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    # A float column sends 29.95 as 29.949999999999999: four decimals are what it keeps.
    return Decimal(value).quantize(Decimal("0.0001"))
