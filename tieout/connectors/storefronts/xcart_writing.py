"""Writing to X-Cart 5.5: amounts, prices and shipping statuses, each absolute and each read first.

Source of outside facts: X-Cart developer documentation (REST API 5.5: products, variants, an order's shipping status). The API has no
versions: a quantity written can undo a sale made between reading and writing, which is why it is read right before, and why the
difference stands in the result. A member left out of a PUT keeps its value. The API takes no tracking number, invoice number or
comment, and a payment status is never written: the shop would act on it, and it belongs to the shop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from tieout.connectors.json_lists import Seen, member
from tieout.connectors.storefronts.writes import count_of, decimal_of, refused, set_stock, set_value
from tieout.connectors.writes import (
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
from tieout.errors import MalformedReply, Rejected

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
                yield count_of(self._shop.get_one(path, f"the stock of {change.sku}").get("amount"))
            except Rejected:
                yield None

    def _apply(self, change: StockChange) -> StockWrite:
        what = f"the stock of {change.sku}"
        row: Mapping[str, msgspec.Raw] = {}
        try:
            path = self._catalogue.path(change.sku, change.native_ref)
        except (Rejected, MalformedReply) as fault:
            return refused(change, None, fault.sentence)

        def read() -> int | None:
            nonlocal row
            row = self._shop.get_one(path, what)
            if member(row.get("inventory_traceable")) is False:
                raise Rejected(
                    f"X-Cart does not count the stock of {change.sku}; switch tracking on in the shop."
                )
            return count_of(row.get("amount"))

        body: dict[str, Any] = {"amount": change.quantity}
        if "/variants/" in path:
            body["default_amount"] = False
        return set_stock(
            change,
            "X-Cart",
            read,
            lambda: count_of(self._shop.put(path, body, what).get("amount")),
            is_own=lambda: member(row.get("default_amount")) is not True,
        )


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
        what = f"the price of {write.sku}"
        # The number is written as its own text: an encoder would take it through a double.
        body: dict[str, Any] = {"price": msgspec.Raw(f"{write.amount:f}".encode())}
        if "/variants/" in path:
            body["default_price"] = False
        return set_value(
            write,
            "X-Cart",
            what,
            write.amount,
            lambda: decimal_of(self._shop.get_one(path, what).get("price")),
            lambda: decimal_of(self._shop.put(path, body, what).get("price")),
        )
