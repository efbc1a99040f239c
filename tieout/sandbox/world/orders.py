"""What an order contains and what it comes to, under the storefront's own arithmetic.

Rows are rounded half-even one by one; the order's taxed price is the sum of its rows' and of shipping's, save that a discount
on the total lowers the header alone, and that unit-price tax calculation may leave rows and header a unit apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tieout.sandbox.world.arithmetic import (
    half_down,
    half_even,
    half_up,
    identifier,
    random_of,
    split_by_weight,
)
from tieout.sandbox.world.catalog import (
    CARD,
    CREDIT,
    CRYPTO,
    EU,
    FEES,
    FREIGHT,
    GIFT,
    GIFT_CARDS,
    ITEMS,
    JP,
    KW,
    PAYPAL,
    STORES,
    US,
    Item,
    Rate,
    Store,
    Tender,
)
from tieout.sandbox.world.faults import Planted
from tieout.sandbox.world.timeline import Timeline, moves, timeline


@dataclass(slots=True)
class Row:
    """One row: an item, a fee or shipping. ``price`` is the storefront's row total, ``net + tax == gross``."""

    kind: str
    name: str
    quantity: int
    unit: int
    price: int
    net: int
    tax: int
    rate: Rate | None
    account: str
    item: Item | None = None
    discounted_unit: int | None = None
    precise: tuple[int, int] | None = None  # unit price as (amount, fraction digits) beyond the minor unit
    gift: bool = False

    @property
    def gross(self) -> int:
        """Net plus tax."""
        return self.net + self.tax


@dataclass(slots=True)
class Transaction:
    """One movement of a payment."""

    id: str
    reference: str
    type: str
    state: str
    minor: int
    at: int


@dataclass(slots=True)
class Payment:
    """One payment object and its movements."""

    id: str
    tender: Tender
    interface_id: str
    planned: int
    transactions: list[Transaction]

    @property
    def modified(self) -> int:
        """The last movement's instant."""
        return max(move.at for move in self.transactions)


@dataclass(slots=True)
class Order:
    """One order with everything that ever happened to it, amounts in minor units."""

    index: int
    id: str
    number: str
    line: Timeline
    store: Store
    planted: Planted | None
    customer: int | None
    named: bool
    rows: list[Row]
    discount: int = 0
    rows_hold_discount: bool = False
    tender_in_header: bool = False  # a gift card or credit used is a figure of the order and has no payment
    discount_net: int = 0
    discount_gross: int = 0
    net: int = 0
    gross: int = 0
    total_price: int = 0
    taxes: dict[Rate, int] = field(default_factory=dict)
    unit_level: bool = False
    multiple: bool = False
    shipments: list[list[int]] = field(
        default_factory=list
    )  # item row numbers of each delivery, shipped or to come
    payments: list[Payment] = field(default_factory=list)
    returned_rows: list[int] = field(default_factory=list)
    refund: int = 0
    ref: str = ""  # the id that the storefront which tells it gives it

    @property
    def tax(self) -> int:
        """Tax of the order as its header says."""
        return self.gross - self.net

    @property
    def rounding(self) -> int:
        """What the header holds beyond its parts."""
        return self.gross - sum(row.net for row in self.rows) + self.discount_net - sum(self.taxes.values())

    def part_of(self, shipment: int) -> int:
        """Gross amount of one shipment's rows (orders with several shipments have no shipping, fee or discount)."""
        return sum(self.rows[k].gross for k in self.shipments[shipment])

    def charges(self) -> list[tuple[Payment, Transaction]]:
        """Successful charges, in order of time."""
        found = [
            (p, t)
            for p in self.payments
            for t in p.transactions
            if t.type == "Charge" and t.state == "Success"
        ]
        return sorted(found, key=lambda pair: pair[1].at)


def by_card_or_credit(order: Order) -> int:
    """What of an order was paid by gift card or store credit."""
    return sum(move.minor for payment, move in order.charges() if payment.tender is GIFT)


def tenders_of_header(order: Order, minor: int) -> list[tuple[Tender, str, int]]:
    """How what was paid by gift card or store credit stands in an order whose header states it: tender, its kind, and its part.

    Only customers with an account have credit; some of them pay by a card and the rest by credit.
    """
    if order.customer is None or order.index % 2 == 0:
        return [(GIFT, "gift_card", minor)]
    if order.index % 4 == 1 or minor < 2:
        return [(CREDIT, "store_credit", minor)]
    return [(GIFT, "gift_card", minor - minor // 2), (CREDIT, "store_credit", minor // 2)]


def order_number(index: int) -> str:
    """``W`` and at least six digits, without gaps."""
    return f"W{100_001 + index}"


def customer_count(orders: int) -> int:
    """How many registered customers a world has: a multiple of 20, so that each store has its share."""
    return max(40, orders // 80 * 20)


_CUSTOMER_SLOTS = {US: (0, 11), EU: (11, 18), JP: (18, 19), KW: (19, 20)}


def has_long_number(customer: int) -> bool:
    """Customers with a number of 36 characters and more: they order from October only."""
    return customer % 53 == 11


def _customer(
    rng: Random, line: Timeline, orders: int, planted: Planted | None, september: bool
) -> int | None:
    guest = rng.random() < 0.35
    first, end = _CUSTOMER_SLOTS[line.store]
    block = int(rng.random() * (customer_count(orders) // 20))
    slot = first + int(rng.random() * (end - first))
    if planted is not None and planted.kind.name in ("misapplied", "customer"):
        guest = planted.kind.name == "misapplied"
    customer = block * 20 + slot
    if september and has_long_number(customer):
        customer = (customer + 20) % customer_count(orders)
    return None if guest or (september and has_long_number(customer)) else customer


def buyer_of(seed: int, line: Timeline, orders: int, planted: Planted | None, september: bool) -> int | None:
    """The registered customer of an order; None for a guest. The same draw that `build_order` makes first."""
    return _customer(random_of(seed, 2, line.index), line, orders, planted, september)


def build_order(seed: int, index: int, orders: int, planted: Planted | None, september: bool) -> Order:
    """Order ``index`` of ``orders``; ``september`` says that it was placed before the go-live date."""
    line = timeline(seed, index, orders, planted)
    rng = random_of(seed, 2, index)
    store = STORES[line.store]
    customer = _customer(rng, line, orders, planted, september)
    named = rng.random() >= 0.08
    for attempt in range(200):
        # Some planted faults need amounts that show them; such an order is drawn again until it does.
        order = Order(
            index,
            identifier(seed, "order", index),
            order_number(index),
            line,
            store,
            planted,
            customer,
            named,
            [],
        )
        _fill(order, rng, september)
        _add_up(order)
        if planted is None or _shows(order, planted) or attempt == 199:
            break
    _plan_shipments(order, rng)
    _plan_refund(order, rng)
    order.payments = _payments(seed, order, rng)
    return order


def _shows(order: Order, planted: Planted) -> bool:
    shipping = next((row.net for row in order.rows if row.kind == "shipping"), 0)
    if planted.wants("shipping") and shipping == 0:
        return False
    if planted.wants("discount") and order.discount_net < 100:
        return False
    if planted.wants("no_discount") and order.discount:
        return False
    if planted.wants("uneven_tax") and (abs(uneven_tax(order)) != 1 or not _only_on_the_total(order)):
        return False
    return order.gross >= (500 if planted.kind.name != "misapplied" or planted.role == 0 else 15_000) and (
        planted.kind.name != "misapplied" or planted.role == 1 or order.gross < 15_000
    )


def uneven_tax(order: Order) -> int:
    """Tax worked out once on the taxed total, minus the sum of the rows' tax."""
    found = 0
    for rate, tax in order.taxes.items():
        if not rate.included:
            base = sum(row.net for row in order.rows if row.rate == rate)
            found += rate.split(base)[1] - tax
    return found


def _only_on_the_total(order: Order) -> bool:
    """Whether no other way of rounding, by unit or by row with halves up or down, comes to the tax on the total.

    Where two ways give one figure nobody can say which of them the ledger took.
    """
    rate = next(rate for rate in order.taxes if not rate.included)
    rows = [
        (row.net * rate.numerator, rate.denominator, row.quantity) for row in order.rows if row.rate == rate
    ]
    wanted = sum(order.taxes.values()) + uneven_tax(order)
    ways = [
        sum(part(net, share * many) * many for net, share, many in rows)
        for part in (half_even, half_up, half_down)
    ]
    ways += [sum(part(net, share) for net, share, _ in rows) for part in (half_up, half_down)]
    return wanted not in ways


def _fill(order: Order, rng: Random, september: bool) -> None:
    draw, line, store, scenario = rng.random, order.line, order.store, order.line.scenario
    planted = order.planted
    twice = scenario.startswith("two_shipments")
    count = 1 + int(draw() * draw() * 5) + (1 if twice else 0)
    if planted is not None and planted.wants("uneven_tax"):
        count += 2
    order.unit_level = line.store == EU and not september and draw() < 0.15 and planted is None
    row_discount = (10, 15, 20, 25)[int(draw() * 4)] if draw() < 0.15 else 0
    if scenario == "zero_total":
        row_discount = 100
    for _ in range(count):
        item = ITEMS[int(draw() * len(ITEMS))]
        quantity = 1 + int(draw() * 3) if draw() < 0.93 else 4 + int(draw() * 9)
        precise = draw() < 0.02 and line.store in (US, EU) and not row_discount
        order.rows.append(_item_row(order, rng, item, quantity, row_discount, precise))
    if scenario == "gift_card_sold":
        item, rate = GIFT_CARDS[int(draw() * 2)], store.exempt_rate
        order.rows.append(
            Row("item", item.name, 1, item.cents, item.cents, item.cents, 0, rate, item.account, item)
        )
    plain = not twice and scenario not in ("zero_total", "gift_card_sold")
    if plain and draw() < 0.05:
        item = ITEMS[int(draw() * len(ITEMS))]
        gift = Row(
            "item",
            item.name,
            1,
            item.price(store),
            0,
            0,
            0,
            _rate(item, store),
            item.account,
            item,
            0,
            gift=True,
        )
        order.rows.append(gift)
    if plain and draw() < 0.06:
        order.rows.append(_priced("fee", "Gift wrapping", store.fee_price, store.standard_rate, FEES))
    price = store.shipping_prices[int(draw() * 3)] if plain else 0
    order.multiple = draw() < 0.04
    order.rows.append(_priced("shipping", "Parcel", price, store.standard_rate, FREIGHT))
    wants_discount = draw() < 0.12 or (planted is not None and planted.wants("discount"))
    if plain and wants_discount and scenario not in ("return_line", "return_all") and line.store != KW:
        order.discount = half_even(_goods_price(order) * (5, 10, 15)[int(draw() * 3)], 100)


def _goods_price(order: Order) -> int:
    return sum(row.price for row in order.rows if row.kind != "shipping")


def _rate(item: Item, store: Store) -> Rate | None:
    return store.reduced_rate if item.reduced else store.standard_rate


def _priced(kind: str, name: str, price: int, rate: Rate | None, account: str) -> Row:
    net, tax = rate.split(price) if rate else (price, 0)
    return Row(kind, name, 1, price, price, net, tax, rate, account)


def _item_row(order: Order, rng: Random, item: Item, quantity: int, discount: int, precise: bool) -> Row:
    unit, rate = item.price(order.store), _rate(item, order.store)
    paid_unit = half_even(unit * (100 - discount), 100)
    exact: tuple[int, int] | None = None
    price = paid_unit * quantity
    if precise:
        exact = (unit * 100 + 1 + int(rng.random() * 99), order.store.digits + 2)
        unit, price = half_even(exact[0], 100), half_even(exact[0] * quantity, 100)
    net, tax = rate.split(price) if rate else (price, 0)
    if order.unit_level and rate and not exact:
        unit_net, unit_tax = rate.split(paid_unit)
        net, tax = unit_net * quantity, unit_tax * quantity
    discounted = paid_unit if discount else None
    return Row(
        "item", item.name, quantity, unit, price, net, tax, rate, item.account, item, discounted, exact
    )


def _add_up(order: Order) -> None:
    groups: dict[Rate | None, list[int]] = {}  # price of goods and fees by rate, then tax of shipping
    for row in order.rows:
        group = groups.setdefault(row.rate, [0, 0, 0])
        if row.kind == "shipping":
            group[2] += row.tax
        else:
            group[0] += row.price
            group[1] += row.tax
    rates = list(groups)
    cuts = split_by_weight(order.discount, [groups[rate][0] for rate in rates])
    recompute = order.discount > 0 or order.unit_level
    for rate, cut in zip(rates, cuts, strict=True):
        price, tax, shipping_tax = groups[rate]
        if rate is not None:
            order.taxes[rate] = (rate.split(price - cut)[1] if recompute else tax) + shipping_tax
    order.total_price = sum(row.price for row in order.rows) - order.discount
    tax_total = sum(order.taxes.values())
    included = order.store.standard_rate is not None and order.store.standard_rate.included
    order.gross = order.total_price if included else order.total_price + tax_total
    order.net = order.gross - tax_total
    order.discount_gross = sum(row.gross for row in order.rows) - order.gross if order.discount else 0
    order.discount_net = sum(row.net for row in order.rows) - order.net if order.discount else 0
    if order.unit_level and (order.discount or abs(order.rounding) > 1):
        order.unit_level = False
        for row in order.rows:
            if row.rate:
                row.net, row.tax = row.rate.split(row.price)
        order.taxes.clear()
        _add_up(order)


def _plan_shipments(order: Order, rng: Random) -> None:
    items = [k for k, row in enumerate(order.rows) if row.kind == "item"]
    if order.line.scenario.startswith("two_shipments"):
        cut = 1 + int(rng.random() * (len(items) - 1))
        order.shipments = [items[:cut], items[cut:]]
    else:
        order.shipments = [items]


def _plan_refund(order: Order, rng: Random) -> None:
    if not order.line.returned:
        return
    if order.line.scenario == "allowance":
        order.refund = max(1, half_even(order.gross * (10 + int(rng.random() * 20)), 100))
        return
    if order.line.scenario == "return_all":
        order.returned_rows = list(range(len(order.rows)))
    else:
        sold = [k for k, row in enumerate(order.rows) if row.kind == "item" and row.price > 0]
        order.returned_rows = [sold[int(rng.random() * len(sold))]]
    order.refund = sum(order.rows[k].gross for k in order.returned_rows)


def _payments(seed: int, order: Order, rng: Random) -> list[Payment]:
    line, scenario, total = order.line, order.line.scenario, order.gross
    tender = CARD if rng.random() < 0.75 else PAYPAL
    by_gift_card = 0
    if line.payments == 0:
        return []
    if scenario == "gift_card_part":
        by_gift_card = min(2_000 * (10**order.store.digits) // 100 or 2_000, total // 2)
    elif scenario == "gift_card_paid":
        tender = GIFT
    if order.planted is not None and order.planted.kind.name == "tender_unmapped":
        tender = CRYPTO
    share = total - by_gift_card
    deposit = half_even(total * (20 + int(rng.random() * 25)), 100) if scenario == "deposit" else share
    amounts: list[tuple[str, str, int, int]] = []
    captured = 0
    for type_, state, at in moves(line):
        minor = share
        if type_ == "Charge" and state == "Success" and scenario == "two_shipments":
            minor = order.part_of(captured)
            captured += 1
        elif type_ == "Charge" and scenario == "deposit":
            minor = deposit
        elif type_ == "Refund":
            minor = order.refund
        amounts.append((type_, state, at, minor))
    payments = [_payment(seed, order.index, 0, tender, share, amounts)]
    if line.payments == 2:
        payments.append(
            _payment(
                seed, order.index, 1, GIFT, by_gift_card, [("Charge", "Success", line.paid, by_gift_card)]
            )
        )
    return payments


def payment_id(seed: int, index: int, number: int) -> str:
    """Id of an order's first (0) or second (1) payment."""
    return identifier(seed, "payment", f"{index}.{number}")


def _payment(
    seed: int, index: int, number: int, tender: Tender, planned: int, amounts: list[tuple[str, str, int, int]]
) -> Payment:
    moved = []
    for k, (type_, state, at, minor) in enumerate(amounts):
        stem = identifier(seed, "transaction", f"{index}.{number}.{k}")
        moved.append(Transaction(stem, reference_of(tender, stem), type_, state, minor, at))
    stem = payment_id(seed, index, number)
    return Payment(stem, tender, f"{tender.interface.lower()}_{stem[:13].replace('-', '')}", planned, moved)


def reference_of(tender: Tender, stem: str) -> str:
    """A payment reference as the tender's gateway would give it, at most 20 characters."""
    return (tender.reference + stem.replace("-", ""))[:19]
