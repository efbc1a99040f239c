"""Writing fields of orders, prices and customers to commercetools. Every write reads the record first, carries its version, and is
decided again when that moved; a delivery is known again by its key.

Source of outside facts: commercetools API reference (Order update actions Update SyncInfo, Change OrderState, Change PaymentState,
Change ShipmentState, Add Delivery; Standalone Prices, Change Value; Customers, Set ExternalId; Update actions: all of one request
succeed or none does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol
from urllib.parse import quote

from tieout.connectors.writes import (
    UNCHANGED,
    WRITTEN,
    CustomerAccount,
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Shipment,
    Write,
    WriteResult,
    answered,
)
from tieout.errors import MalformedReply, Rejected

_PAYMENT_STATES: Final = {
    "open": "BalanceDue", "partly_paid": "BalanceDue", "paid": "Paid", "credit_owed": "CreditOwed",
}  # fmt: skip
_ORDER_STATES: Final = {
    "open": "Open", "processing": "Confirmed", "complete": "Complete", "cancelled": "Cancelled",
}  # fmt: skip


class _Project(Protocol):
    def get_json(self, path: str, params: Sequence[tuple[str, str]], what: str) -> Any: ...

    def post_json(self, path: str, body: Mapping[str, Any], what: str) -> Any: ...


class FieldWriter:
    """Writes fields in one project, one record after the other.

    sync_channel  key of the channel with role OrderExport that documents of the ledger are noted under; None if there is none
    """

    def __init__(self, project: _Project, sync_channel: str | None = None) -> None:
        self._project = project
        self._sync_channel = sync_channel
        self._ids: dict[tuple[str, str], str] = {}

    def cannot(self) -> Mapping[str, str]:
        """Fields that cannot be written as configured."""
        if self._sync_channel is None:
            return {
                "order.document": "commercetools notes an order's export under a channel with role OrderExport; make one and set sync_channel."
            }
        return {}

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        writers = {
            LedgerDocuments.field: self._documents,
            PaidState.field: self._paid,
            OrderStatus.field: self._status,
            Shipment.field: self._shipment,
            Price.field: self._price,
            CustomerAccount.field: self._account,
        }
        yield from answered(writes, writers, self.cannot())

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────

    def _documents(self, write: Write) -> WriteResult:
        assert isinstance(write, LedgerDocuments)
        order = self._read("orders", write.order_ref)
        channel = self._id("channels", str(self._sync_channel))
        before = next(
            (
                entry.get("externalId")
                for entry in order.get("syncInfo", [])
                if entry["channel"].get("id") == channel
            ),
            None,
        )
        action = {
            "action": "updateSyncInfo",
            "channel": {"typeId": "channel", "id": channel},
            "externalId": write.text,
        }
        return self._act("orders", order, write, before, write.text, [] if before == write.text else [action])

    def _paid(self, write: Write) -> WriteResult:
        assert isinstance(write, PaidState)
        order = self._read("orders", write.order_ref)
        after = _PAYMENT_STATES[write.state]
        before = order.get("paymentState")
        action = {"action": "changePaymentState", "paymentState": after}
        return self._act("orders", order, write, before, after, [] if before == after else [action])

    def _status(self, write: Write) -> WriteResult:
        assert isinstance(write, OrderStatus)
        after = _ORDER_STATES.get(write.status_code)
        if after is None:
            raise Rejected(
                f"commercetools has no order state for '{write.status_code}'; leave order.status to the storefront."
            )
        order = self._read("orders", write.order_ref)
        before = order.get("orderState")
        action = {"action": "changeOrderState", "orderState": after}
        return self._act("orders", order, write, before, after, [] if before == after else [action])

    def _shipment(self, write: Write) -> WriteResult:
        assert isinstance(write, Shipment)
        order = self._read("orders", write.order_ref)
        state = "Shipped" if write.is_whole else "Partial"
        after = _tracking(write.carrier, write.tracking_number) or write.key
        there = next((one for one in _deliveries(order) if one.get("key") == write.key), None)
        actions: list[dict[str, Any]] = []
        before = None
        if there is None:
            actions.append(_delivery(write))
        else:
            before = ", ".join(_known(parcel) for parcel in there.get("parcels", [])) or write.key
            if write.tracking_number and after not in before.split(", "):
                actions.append(
                    {
                        "action": "addParcelToDelivery",
                        "deliveryId": there["id"],
                        "trackingData": _tracking_data(write),
                    }
                )
        if order.get("shipmentState") not in (state, "Shipped", "Delivered"):
            actions.append({"action": "changeShipmentState", "shipmentState": state})
        return self._act("orders", order, write, before, after, actions)

    # ── prices ──────────────────────────────────────────────────────────────────────────────────────────────

    def _price(self, write: Write) -> WriteResult:
        assert isinstance(write, Price)
        price = self._find_price(write)
        value = price["value"]
        digits = int(value["fractionDigits"])
        cents = write.amount.scaleb(digits)
        if cents != cents.to_integral_value():
            raise Rejected(
                f"The price {write.amount} {write.currency} of {write.sku} has more than {digits} decimals; round it where it is kept."
            )
        after = {"currencyCode": write.currency, "centAmount": int(cents)}
        action = {"action": "changeValue", "value": after, "staged": False}
        same = value.get("type") != "highPrecision" and int(value["centAmount"]) == int(cents)
        before = str(Decimal(int(value["centAmount"])).scaleb(-digits))
        return self._act(
            "standalone-prices", price, write, before, str(write.amount), [] if same else [action]
        )

    def _find_price(self, write: Price) -> dict[str, Any]:
        if write.native_ref is not None:
            return self._read("standalone-prices", write.native_ref)
        group = self._id("customer-groups", write.level) if write.level is not None else None
        escaped = write.sku.replace("\\", "\\\\").replace('"', '\\"')
        params = [("where", f'sku = "{escaped}"'), ("limit", "500"), ("withTotal", "false")]
        found = self._project.get_json("standalone-prices", params, f"the prices of {write.sku}")["results"]
        fits = [
            one
            for one in found
            if one.get("sku") == write.sku
            and one["value"]["currencyCode"] == write.currency
            and (one.get("customerGroup") or {}).get("id") == group
        ]
        if len(fits) != 1:
            many = "no" if not fits else str(len(fits))
            raise Rejected(
                f"commercetools has {many} standalone prices for {write.sku} in {write.currency}"
                + (f" for customer group {write.level}" if write.level else "")
                + "; make exactly one, or name it by its id."
            )
        return dict(fits[0])

    # ── customers ───────────────────────────────────────────────────────────────────────────────────────────

    def _account(self, write: Write) -> WriteResult:
        assert isinstance(write, CustomerAccount)
        customer = self._read("customers", write.customer_ref)
        action = {"action": "setExternalId", "externalId": write.customer_id}
        before = customer.get("externalId")
        actions = [] if before == write.customer_id else [action]
        return self._act("customers", customer, write, before, write.customer_id, actions)

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────

    def _act(
        self,
        resource: str,
        record: Mapping[str, Any],
        write: Write,
        before: str | None,
        after: str,
        actions: list[dict[str, Any]],
    ) -> WriteResult:
        """Send the actions, if there are any."""
        if not actions:
            return WriteResult(write, UNCHANGED, before, before if before is not None else after)
        body = {"version": record["version"], "actions": actions}
        self._project.post_json(f"{resource}/{record['id']}", body, f"{write.field} of {write.subject_ref}")
        return WriteResult(write, WRITTEN, before, after)

    def _read(self, resource: str, ref: str) -> dict[str, Any]:
        found = self._project.get_json(f"{resource}/{quote(ref, safe='')}", [], f"{resource} {ref}")
        if not isinstance(found, dict) or not isinstance(found.get("version"), int) or "id" not in found:
            raise MalformedReply(
                f"commercetools sent {resource} {ref} without id or version; look at it there."
            )
        return found

    def _id(self, resource: str, name: str) -> str:
        """The id of a channel or customer group given by its key; each is looked up once."""
        if (resource, name) not in self._ids:
            self._ids[resource, name] = str(self._read(resource, f"key={name}")["id"])
        return self._ids[resource, name]


def _deliveries(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The deliveries of an order, whichever of the two shipping modes it has."""
    infos = [order.get("shippingInfo"), *(one.get("shippingInfo") for one in order.get("shipping") or [])]
    return [one for info in infos if info for one in info.get("deliveries") or []]


def _delivery(write: Shipment) -> dict[str, Any]:
    parcels = (
        [{"parcelKey": f"{write.key}-1", "trackingData": _tracking_data(write)}]
        if write.tracking_number
        else []
    )
    items = []
    for line in write.lines:
        if line.quantity != line.quantity.to_integral_value():
            raise Rejected(
                f"commercetools ships whole pieces only, not {line.quantity} of line {line.line_ref}; ship it there by hand."
            )
        items.append({"id": line.line_ref, "quantity": int(line.quantity)})
    return {"action": "addDelivery", "deliveryKey": write.key, "items": items, "parcels": parcels}


def _tracking_data(write: Shipment) -> dict[str, Any]:
    named = {"carrier": write.carrier} if write.carrier else {}
    return {**named, "trackingId": write.tracking_number, "isReturn": False}


def _known(parcel: Mapping[str, Any]) -> str:
    data = parcel.get("trackingData") or {}
    return _tracking(data.get("carrier"), data.get("trackingId")) or str(
        parcel.get("key") or parcel.get("id")
    )


def _tracking(carrier: str | None, number: str | None) -> str:
    return " ".join(part for part in (carrier, number) if part)
