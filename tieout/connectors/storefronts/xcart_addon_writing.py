"""Writing through X-Cart's REST API add-on: shipping statuses, tracking numbers, prices and amounts, each absolute and read first.

Source of outside facts: the add-on's own documentation (X-Cart REST API, archived by the vendor: examples of writing). A write names one
record by its id, which is a whole number; nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from tieout.connectors.http import Reply
from tieout.connectors.json_lists import UNREADABLE, named
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

SHIPPING_IDS: Final[Mapping[str, int]] = {"open": 1, "processing": 2, "complete": 3}
"""Ids of the shipping statuses New, Processing and Shipped, by our word."""


class _Shop(Protocol):
    def get_one(self, path: str, what: str) -> Mapping[str, msgspec.Raw]: ...

    def put(self, path: str, form: Mapping[str, str], what: str) -> Mapping[str, msgspec.Raw]: ...

    def call(
        self,
        verb: str,
        path: str,
        what: str,
        *,
        params: Iterable[tuple[str, str]] = (),
        form: Mapping[str, str] | None = None,
    ) -> Reply: ...

    def product_id(self, sku: str) -> str: ...


class Writer:
    """Writes one record after the other."""

    CANNOT: Final[Mapping[str, str]] = {
        "order.document": "X-Cart takes no number of an outside document onto an order.",
        "order.paid_state": "A payment status of X-Cart makes the shop act (mails, stock), so it is never written to mirror the ledger.",
        "customer.account": "X-Cart has no member for an account of another system on a profile.",
    }

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        writers = {OrderStatus.field: self._status, Shipment.field: self._shipment, Price.field: self._price}
        yield from answered(writes, writers, self.CANNOT)

    def _status(self, write: Write) -> WriteResult:
        assert isinstance(write, OrderStatus)
        wanted = SHIPPING_IDS.get(write.status_code)
        if wanted is None:
            said = f"X-Cart has no shipping status for '{write.status_code}' that may be set from outside."
            return WriteResult(write, UNSUPPORTED, detail=said)
        what = f"the shipping status of order {write.order_ref}"
        before = _shipping_id(self._shop.get_one(f"order/{_id(write.order_ref)}", what))
        if before == wanted:
            return WriteResult(write, UNCHANGED, str(before), str(before))
        form = {"model[shippingStatus][id]": str(wanted)}
        after = _shipping_id(self._shop.put(f"order/{_id(write.order_ref)}", form, what))
        if after not in (None, wanted):
            raise Rejected(
                f"X-Cart answered with status {after} for order {write.order_ref} and was sent {wanted}; read it back."
            )
        return WriteResult(write, WRITTEN, None if before is None else str(before), str(wanted))

    def _shipment(self, write: Write) -> WriteResult:
        """A tracking number is a record of its own; one that the order shows already is not made again."""
        assert isinstance(write, Shipment)
        if not write.tracking_number:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail="X-Cart is told of a shipment by its tracking number, and this one has none.",
            )
        what = f"the tracking number of order {write.order_ref}"
        known = self._shop.get_one(f"order/{_id(write.order_ref)}", what)
        if write.tracking_number in _texts(known.get("trackingNumber")) | _texts(
            known.get("trackingNumbers")
        ):
            return WriteResult(write, UNCHANGED, write.tracking_number, write.tracking_number)
        form = {"model[value]": write.tracking_number, "model[order]": _id(write.order_ref)}
        self._shop.call("POST", "ordertrackingnumber/0", what, form=form)
        return WriteResult(write, WRITTEN, None, write.tracking_number)

    def _price(self, write: Write) -> WriteResult:
        assert isinstance(write, Price)
        if write.level is not None:
            said = "X-Cart keeps prices by customer level in the add-on for wholesale prices, which is not written."
            return WriteResult(write, UNSUPPORTED, detail=said)
        what = f"the price of {write.sku}"
        path = f"product/{_id(write.native_ref or self._shop.product_id(write.sku))}"
        return set_value(
            write,
            "X-Cart",
            what,
            write.amount,
            lambda: decimal_of(self._shop.get_one(path, what).get("price")),
            lambda: decimal_of(
                self._shop.put(path, {"model[price]": f"{write.amount:f}"}, what).get("price")
            ),
        )

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set `amount` where it differs, one result per change, in order. There are no versions, so each is read right before."""
        for change in changes:
            yield self._stock(change)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The amount the shop holds now, for each change in order; None where there is no such product."""
        for change in changes:
            try:
                ref = change.native_ref or self._shop.product_id(change.sku)
                yield count_of(
                    self._shop.get_one(f"product/{_id(ref)}", f"the stock of {change.sku}").get("amount")
                )
            except Rejected:
                yield None

    def _stock(self, change: StockChange) -> StockWrite:
        what = f"the stock of {change.sku}"
        try:
            path = f"product/{_id(change.native_ref or self._shop.product_id(change.sku))}"
        except (Rejected, MalformedReply) as fault:
            return refused(change, None, fault.sentence)
        form = {"model[amount]": str(change.quantity)}
        return set_stock(
            change,
            "X-Cart",
            lambda: count_of(self._shop.get_one(path, what).get("amount")),
            lambda: count_of(self._shop.put(path, form, what).get("amount")),
        )


def _id(ref: str) -> str:
    """An id fit for a path; a write by anything else is refused where it is built."""
    if not ref.isdigit():
        raise Rejected(f"'{ref[:40]}' is no id of X-Cart; its ids are whole numbers.", code="no_id")
    return ref


def _shipping_id(order: Mapping[str, msgspec.Raw]) -> int | None:
    found = named(order.get("shippingStatus"), "id")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _texts(raw: msgspec.Raw | None) -> set[str]:
    """Every text in a member, whatever its form."""
    try:
        value = msgspec.json.decode(raw) if raw is not None else None
    except UNREADABLE:
        return set()
    pending, found = [value], set()
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            found.add(one)
        elif isinstance(one, list):
            pending += one
        elif isinstance(one, dict):
            pending += one.values()
    return found
