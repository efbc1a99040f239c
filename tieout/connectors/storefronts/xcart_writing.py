"""Writing to X-Cart 5.5: amounts, prices and shipping statuses, each absolute and each read first.

Source of outside facts: X-Cart developer documentation (REST API 5.5: products, variants, an order's shipping status). The API has no
versions: a quantity written can undo a sale made between reading and writing, which is why it is read right before, and why the
difference stands in the result. A member left out of a PUT keeps its value. The API takes no tracking number, invoice number or
comment, and a payment status is never written: the shop would act on it, and it belongs to the shop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from tieout.connectors.json_lists import UNREADABLE, Seen, member
from tieout.connectors.writes import (
    REFUSED,
    UNCHANGED,
    UNSUPPORTED,
    WRITTEN,
    OrderStatus,
    Price,
    Shipment,
    StockChange,
    StockWrite,
    Write,
    WriteResult,
    answered,
)
from tieout.errors import MalformedReply, OutcomeUnknown, Rejected

ROUNDS = 5
"""How often a write whose answer was lost is read back and decided again."""

SHIPPING_OF: Final[Mapping[str, str]] = {"open": "N", "processing": "P", "complete": "S"}
"""Shipping statuses that may be set by hand, by our word. Going to S has the shop write to the customer."""


class _Shop(Protocol):
    def get_one(self, path: str, what: str) -> Mapping[str, msgspec.Raw]: ...

    def put(self, path: str, body: Mapping[str, Any], what: str) -> Mapping[str, msgspec.Raw]: ...

    def products(self) -> Iterator[Seen]: ...


class Catalogue:
    """The way from a SKU to the product or variant that has it. X-Cart looks nothing up by SKU, so it is read once, whole."""

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop
        self._paths: dict[str, str] | None = None
        self._twice: set[str] = set()

    def path(self, sku: str, native_ref: str | None) -> str:
        """The path of the row; `native_ref` is `14` for a product and `14/77` for a variant. Raises Rejected."""
        if native_ref:
            return _path(native_ref)
        if self._paths is None:
            self._paths = {}
            for one in self._shop.products():
                known = member(one.members.get("sku"))
                if one.ref is None or known is None or known == "":
                    continue
                if str(known) in self._paths:
                    self._twice.add(str(known))
                self._paths[str(known)] = _path(one.ref)
        if sku in self._twice:
            raise Rejected(
                f"X-Cart has more than one row with the SKU {sku}; say which one is meant.", code="sku_twice"
            )
        if sku not in self._paths:
            raise Rejected(
                f"X-Cart has no product with the SKU {sku}; create it in the shop first.", code="no_sku"
            )
        return self._paths[sku]


def _path(native_ref: str) -> str:
    product, _, variant = native_ref.partition("/")
    base = f"products/{quote(product, safe='')}"
    return f"{base}/variants/{quote(variant, safe='')}" if variant else base


def _whole(raw: msgspec.Raw | None) -> int | None:
    found = member(raw)
    if isinstance(found, str) and found.lstrip("-").isdigit():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


class StockWriter:
    """Sets amounts, one after the other."""

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop
        self._catalogue = Catalogue(shop)

    def write(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """One result per change, in order. `before` is what the shop held right before the write.

        Raises Refused, Throttled and Unreachable, which end the whole run.
        """
        for change in changes:
            yield self._apply(change)

    def read(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """What the shop holds now, for each change in order."""
        for change in changes:
            try:
                path = self._catalogue.path(change.sku, change.native_ref)
                yield _whole(self._shop.get_one(path, f"the stock of {change.sku}").get("amount"))
            except Rejected:
                yield None

    def _apply(self, change: StockChange) -> StockWrite:
        what = f"the stock of {change.sku}"
        first: int | None = None
        lost = False
        try:
            path = self._catalogue.path(change.sku, change.native_ref)
            for _ in range(ROUNDS):
                row = self._shop.get_one(path, what)
                if member(row.get("inventory_traceable")) is False:
                    return _refused(
                        change,
                        None,
                        f"X-Cart does not count the stock of {change.sku}; switch tracking on in the shop.",
                    )
                now = _whole(row.get("amount"))
                first = now if first is None else first
                if now == change.quantity and member(row.get("default_amount")) is not True:
                    outcome = WRITTEN if lost else UNCHANGED
                    said = "an answer was lost; the row was read back and holds the quantity" if lost else ""
                    return StockWrite(change.sku, change.channel_ref, first, now, None, outcome, said)
                body: dict[str, Any] = {"amount": change.quantity}
                if "/variants/" in path:
                    body["default_amount"] = False
                try:
                    after = _whole(self._shop.put(path, body, what).get("amount"))
                except OutcomeUnknown:
                    lost = True
                    continue
                if after != change.quantity:
                    return _refused(
                        change,
                        after,
                        f"X-Cart answered with {after} for {change.sku} and was sent {change.quantity}; read it back.",
                    )
                return StockWrite(change.sku, change.channel_ref, now, after, None, WRITTEN)
        except (Rejected, MalformedReply) as fault:
            return _refused(change, first, fault.sentence)
        return _refused(change, first, f"No answer about {what} came in {ROUNDS} tries.")


def _refused(change: StockChange, seen: int | None, detail: str) -> StockWrite:
    return StockWrite(change.sku, change.channel_ref, seen, seen, None, REFUSED, detail)


class FieldWriter:
    """Writes fields of orders and prices, one record after the other."""

    CANNOT: Final[Mapping[str, str]] = {
        "order.document": "X-Cart 5.5 takes no number of an outside document onto an order.",
        "order.paid_state": "A payment status of X-Cart makes the shop act (mails, stock), so it is never written to mirror the ledger.",
        "customer.account": "X-Cart 5.5 has no member for an account of another system on a profile.",
    }

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop
        self._catalogue = Catalogue(shop)

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        writers = {OrderStatus.field: self._status, Shipment.field: self._shipment, Price.field: self._price}
        yield from answered(writes, writers, self.CANNOT)

    def _status(self, write: Write) -> WriteResult:
        assert isinstance(write, OrderStatus)
        code = SHIPPING_OF.get(write.status_code)
        if code is None:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail=f"X-Cart has no shipping status for '{write.status_code}' that may be set from outside.",
            )
        return self._shipping(write, write.order_ref, code)

    def _shipment(self, write: Write) -> WriteResult:
        """A whole shipment sets the status; a part of an order, and a tracking number, have no place in 5.5."""
        assert isinstance(write, Shipment)
        if not write.is_whole:
            return WriteResult(
                write, UNSUPPORTED, detail="X-Cart 5.5 ships an order whole; a part of it cannot be told."
            )
        result = self._shipping(write, write.order_ref, "S")
        if write.tracking_number and result.outcome in (WRITTEN, UNCHANGED):
            said = "the API of X-Cart 5.5 takes no tracking number: enter it in the shop"
            return WriteResult(write, result.outcome, result.before, result.after, said)
        return result

    def _shipping(self, write: Write, order_ref: str, code: str) -> WriteResult:
        path = f"orders/{quote(order_ref, safe='')}/shipping_status"
        what = f"the shipping status of order {order_ref}"
        before = member(self._shop.get_one(path, what).get("code"))
        if before == code or (code == "S" and before == "D"):
            return WriteResult(write, UNCHANGED, before, before)
        after = member(self._shop.put(path, {"code": code}, what).get("code"))
        return WriteResult(write, WRITTEN, before, str(after) if after is not None else code)

    def _price(self, write: Write) -> WriteResult:
        assert isinstance(write, Price)
        if write.level is not None:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail="X-Cart keeps prices by customer level in the add-on for wholesale prices, which is not written.",
            )
        path = self._catalogue.path(write.sku, write.native_ref)
        row = self._shop.get_one(path, f"the price of {write.sku}")
        before = _decimal(row.get("price"))
        if before == write.amount:
            return WriteResult(write, UNCHANGED, str(before), str(before))
        # The number is written as its own text: an encoder would take it through a double.
        body: dict[str, Any] = {"price": msgspec.Raw(f"{write.amount:f}".encode())}
        if "/variants/" in path:
            body["default_price"] = False
        after = _decimal(self._shop.put(path, body, f"the price of {write.sku}").get("price"))
        if after != write.amount:
            raise Rejected(
                f"X-Cart answered with the price {after} for {write.sku} and was sent {write.amount}; read it back."
            )
        return WriteResult(write, WRITTEN, str(before), str(after))


def _decimal(raw: msgspec.Raw | None) -> Decimal | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=Decimal)
    except UNREADABLE:
        return None
