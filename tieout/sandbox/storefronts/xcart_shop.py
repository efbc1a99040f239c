"""The seeded world as an X-Cart shop holds it, for both generations of its API.

X-Cart ships an order whole and knows no chargeback, so orders of the world that need more are another storefront's to tell (see
``tieout.sandbox.world.telling``). Amounts are binary numbers inside X-Cart; here they are decimals of the order's currency, some
of them written with the residue a binary number leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tieout.sandbox.tampering import TamperError
from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text, random_of, split_by_weight
from tieout.sandbox.world.catalog import CHANNELS, ITEMS, STORES, Rate
from tieout.sandbox.world.orders import Order, Payment, Row
from tieout.sandbox.world.world import World


@dataclass
class ShopOrder:
    """An order as the shop holds it now; amounts in minor units, instants in Unix seconds."""

    id: int
    order: Order
    changed: int
    payment: str
    shipping: str
    amounts: list[int]  # pieces of each item row
    subtotals: list[int]  # of each item row, before discounts
    shares: list[int]  # of each item row in the discount
    taxes: list[int]  # of each item row
    order_taxes: dict[Rate, int]
    discount: int
    total: int
    tracking: list[tuple[int, str]] = field(default_factory=list)
    refunds: list[tuple[int, int]] = field(default_factory=list)  # further refunds: (minor, at)

    @property
    def items(self) -> list[Row]:
        """The rows of goods."""
        return [row for row in self.order.rows if row.kind == "item"]

    @property
    def digits(self) -> int:
        """Digits of the order's currency."""
        return self.order.store.digits

    def added(self, kind: str) -> int:
        """What shipping (`shipping`) or the fee (`fee`) comes to."""
        return sum(row.price for row in self.order.rows if row.kind == kind)


def statuses(order: Order) -> tuple[str, str]:
    """The pair of payment and shipping status."""
    line, scenario = order.line, order.line.scenario
    if scenario == "cancelled":
        return "C", "N"
    payment = {"failed": "D", "authorised": "A", "on_account": "Q", "deposit": "PP"}.get(scenario, "P")
    if scenario == "captured_at_shipping" and not line.ships:
        payment = "A"
    if scenario == "backorder":
        return payment, "NBA"
    if not line.ships:
        return payment, "P" if line.index % 2 and payment == "P" else "N"
    if scenario == "return_all" and line.returned:
        return "R", "R"
    return payment, "D" if line.index % 5 == 0 else "S"


class Shop:
    """All orders, profiles and products of a shop; thread-safe. ``name`` is the storefront whose orders of the world it tells."""

    def __init__(self, world: World, now: Callable[[], int], name: str) -> None:
        self.world, self.now = world, now
        self.lock = threading.RLock()
        lines = list(world.told_by(name))
        self.indexes = [line.index for line in lines]
        self._changed: dict[int, ShopOrder] = {}
        self._gone: set[int] = set()
        stamps = {line.index: line.modified // 1000 for line in lines}
        self._stamps = stamps
        # Newest change first; the platform promises no order among equals.
        self._newest = sorted(self.indexes, key=lambda index: (-stamps[index], index))
        reserved = world.reserved_by[name]
        # X-Cart takes the goods of an order off its stock at once, and has one stock for the whole shop.
        self.stock = {
            shelf.sku: max(0, (shelf.web_on_stock or 0) - reserved[shelf.sku, shelf.channel])
            for shelf in world.shelves
            if shelf.channel == CHANNELS[0]
        }
        self.prices = {item.sku: item.price(STORES[0]) for item in ITEMS}

    def newest(self) -> list[int]:
        """Ids of all orders, newest change first."""
        with self.lock:
            return [index + 1 for index in self._newest]

    def find(self, order_id: int) -> ShopOrder | None:
        """An order by id."""
        index = order_id - 1
        if index not in self._stamps or index in self._gone:
            return None
        with self.lock:
            return self._changed.get(index) or self._told(self.world.order(index))

    def change(self, order_id: int, alter: Callable[[ShopOrder], None], at: int | None = None) -> ShopOrder:
        """Change an order now (or at a Unix second); it moves to the front of the list."""
        with self.lock:
            found = self.find(order_id)
            assert found is not None
            alter(found)
            found.changed = at if at is not None else max(self.now() // 1000, found.changed + 1)
            index = order_id - 1
            self._changed[index] = found
            self._stamps[index] = found.changed
            self._newest = sorted(self._stamps, key=lambda one: (-self._stamps[one], one))
            return found

    def remove(self, order_id: int) -> None:
        """Delete an order, as an administrator may."""
        with self.lock:
            self._gone.add(order_id - 1)
            self._stamps.pop(order_id - 1, None)
            self._newest.remove(order_id - 1)

    def return_goods(
        self, order_id: int, row: int, pieces: int, *, refund: bool, at: int | None = None
    ) -> int:
        """What the returns add-on does to a part of an order: fewer pieces, and a total that shrinks. Returns by how much.

        Of the row go its share of the discount and its tax, in proportion and rounded down.
        """
        taken = 0

        def alter(found: ShopOrder) -> None:
            nonlocal taken
            had = found.amounts[row]
            gone = {
                name: getattr(found, name)[row] * pieces // had for name in ("subtotals", "shares", "taxes")
            }
            for name, minor in gone.items():
                getattr(found, name)[row] -= minor
            found.amounts[row] -= pieces
            found.discount -= gone["shares"]
            rate = found.items[row].rate
            if rate is not None:
                found.order_taxes[rate] -= gone["taxes"]
            on_top = 0 if rate is None or rate.included else gone["taxes"]
            taken = gone["subtotals"] - gone["shares"] + on_top
            found.total -= taken
            if refund:
                found.refunds.append((taken, (at or self.now() // 1000)))

        self.change(order_id, alter, at)
        return taken

    def web_stock(self) -> list[dict[str, Any]]:
        """The stock as the shop holds it now, by SKU."""
        with self.lock:
            return [{"sku": sku, "amount": amount} for sku, amount in sorted(self.stock.items())]

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """What somebody does by hand: ``order_cancelled``, ``order_deleted``, ``stock_changed`` (``sku``, ``quantity``), and
        ``goods_returned`` (``row`` from 0, ``pieces``, ``refunded``), after which the order's total is smaller. Raises ``TamperError``.
        """
        op = order.get("op")
        if op == "stock_changed":
            sku, quantity = str(order.get("sku")), order.get("quantity")
            if sku not in self.stock or isinstance(quantity, bool) or not isinstance(quantity, int):
                raise TamperError('"sku" must be one of the shop, and "quantity" a whole number.')
            self.stock[sku] = quantity
            return {"sku": sku, "amount": quantity}
        digits = str(order.get("order_ref") or "")
        found = self.find(int(digits)) if digits.isdigit() else None
        if found is None:
            raise TamperError(f"There is no order {digits or '(name one by order_ref)'}.")
        if op == "order_deleted":
            self.remove(found.id)
        elif op == "order_cancelled":
            self.change(found.id, lambda one: setattr(one, "payment", "C"), now_ms // 1000)
        elif op == "goods_returned":
            row, pieces = order.get("row", 0), order.get("pieces", 1)
            if not (
                isinstance(row, int)
                and 0 <= row < len(found.amounts)
                and isinstance(pieces, int)
                and 0 < pieces <= found.amounts[row]
            ):
                raise TamperError('"row" and "pieces" must name goods of the order.')
            taken = self.return_goods(
                found.id, row, pieces, refund=bool(order.get("refunded")), at=now_ms // 1000
            )
            return {"order_ref": digits, "taken_minor": taken}
        else:
            raise TamperError(
                '"op" must be one of goods_returned, order_cancelled, order_deleted, stock_changed.'
            )
        return {"order_ref": digits}

    def _told(self, order: Order) -> ShopOrder:
        rows = [row for row in order.rows if row.kind == "item"]
        payment, shipping = statuses(order)
        goods_tax = dict(order.taxes)
        for row in order.rows:
            if row.kind != "item" and row.rate is not None:
                goods_tax[row.rate] -= row.tax
        taxes = [row.tax for row in rows]
        for rate, tax in goods_tax.items():
            at = [k for k, row in enumerate(rows) if row.rate == rate]
            if at and sum(taxes[k] for k in at) != tax:
                # X-Cart states the tax of rows after the discount, and rows that add up.
                for k, part in zip(
                    at, split_by_weight(max(0, tax), [rows[k].price for k in at]), strict=True
                ):
                    taxes[k] = part
        return ShopOrder(
            id=order.index + 1,
            order=order,
            changed=self._stamps[order.index],
            payment=payment,
            shipping=shipping,
            amounts=[row.quantity for row in rows],
            subtotals=[row.price for row in rows],
            shares=split_by_weight(order.discount, [row.price for row in rows]),
            taxes=taxes,
            order_taxes=dict(order.taxes),
            discount=order.discount,
            total=order.gross,
            tracking=[(order.line.ships[0] // 1000, f"1Z{order.id[:8].upper()}")] if order.line.ships else [],
        )

    # ---- words -----------------------------------------------------------------------------------------------

    def email(self, order: Order) -> str:
        """The buyer's e-mail address."""
        if order.line.scenario == "test":
            return f"tester{order.index % 5}@example.test"
        if order.customer is not None:
            return people.email_of(order.customer)
        return f"guest{order.index + 1}@example.org"

    def name(self, order: Order) -> tuple[str | None, str | None]:
        """The buyer's first and last name."""
        if order.customer is not None:
            first, last, _ = people.name_of(self.world.seed, order.customer)
            return first, last
        return people.guest_name(random_of(self.world.seed, 7, order.index)) if order.named else (None, None)

    def transactions(self, found: ShopOrder) -> list[tuple[Payment, str, list[tuple[str, str, int, int]]]]:
        """Each payment with its reference and its movements as (type, status letter, minor units, Unix second)."""
        told = []
        for number, payment in enumerate(found.order.payments):
            moves = []
            authorised = False
            for move in payment.transactions:
                state = {"Success": "S", "Failure": "F"}.get(move.state, "W")
                kind = {"Authorization": "auth", "CancelAuthorization": "void", "Refund": "refundPart"}.get(
                    move.type
                )
                if kind is None:
                    kind = "capture" if authorised else "sale"
                authorised = authorised or kind == "auth"
                moves.append((kind, state, move.minor, move.at // 1000))
            if number == 0:
                moves += [("refundPart", "S", minor, at) for minor, at in found.refunds]
            charges = [one for one in payment.transactions if one.type == "Charge" and one.state == "Success"]
            reference = (charges or payment.transactions)[0].reference
            told.append((payment, reference, moves))
        return told


def number(minor: int, digits: int, residue: bool = False) -> str:
    """An amount as PHP writes a binary number: no zeros at the end, and now and then the residue of its binary form."""
    text = decimal_text(minor, digits)
    if residue and digits and minor > 100:
        return f"{text}{'0' * (12 - digits)}3"
    return text.rstrip("0").rstrip(".") if "." in text else text


def payload(value: Any) -> str:
    """JSON text of a value in which amounts are marked ``@raw:``."""
    from tieout.sandbox.world.payloads import dump

    return dump(value)


def raw(text: str) -> str:
    """A number no encoder would write, for ``payload``."""
    return f"@raw:{text}"
