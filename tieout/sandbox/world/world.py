"""The world itself: everything the stand-ins tell, from one seed and one number of orders."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tieout.sandbox.world import faults, findings, ledger, people, prices, stock, telling
from tieout.sandbox.world.arithmetic import DAY_MS, HOUR_MS, identifier, iso, utc_ms
from tieout.sandbox.world.catalog import CARD, CHANNELS, START_MS, STORES, US
from tieout.sandbox.world.collection import Collection
from tieout.sandbox.world.findings import Finding
from tieout.sandbox.world.orders import (
    Order,
    Payment,
    Transaction,
    build_order,
    buyer_of,
    customer_count,
    payment_id,
    reference_of,
)
from tieout.sandbox.world.payloads import Teller, dump
from tieout.sandbox.world.timeline import Timeline, payment_modified, timeline

Create = Callable[[str, dict[str, Any], str | None, int], int]
_OCTOBER_MS = utc_ms(2026, 10, 1)
_ORPHAN_EVERY_MS = 5 * DAY_MS


class World:
    """One world. Build it with :meth:`build`; the collections may then be changed through the stand-ins."""

    def __init__(self, seed: int, orders: int, tellers: Sequence[str] = (telling.DEFAULT,)) -> None:
        if orders < 1:
            raise ValueError(f"a world needs at least 1 order, not {orders}")
        self.seed, self.size, self.tellers = seed, orders, tuple(tellers)
        self.planted, self.faults_each = faults.plan(seed, orders)
        self.customers_size = customer_count(orders)
        self.teller = Teller(seed)
        self.order = lru_cache(maxsize=4096)(self._order)
        self._share_out()
        self._build_collections()

    @classmethod
    def build(cls, seed: int = 7, orders: int = 2400, tellers: Sequence[str] = (telling.DEFAULT,)) -> World:
        """The world of a seed: the same bytes every time, on any machine. ``tellers`` are the storefronts that share its orders."""
        return cls(seed, orders, tellers)

    # ---- orders ----------------------------------------------------------------------------------------------

    def _order(self, index: int) -> Order:
        order = build_order(self.seed, index, self.size, self.planted.get(index), self._is_september(index))
        teller = self.teller_of(order.line)
        if teller is not None:
            voice = telling.VOICES[teller]
            order.ref = voice.order_ref(index, order.id)
            order.tender_in_header = voice.tender_in_header
            order.rows_hold_discount = voice.nets_discounts and any(
                row.rate is not None and row.rate.included for row in order.rows
            )
        return order

    def _is_september(self, index: int) -> bool:
        return index < faults.index_at(_OCTOBER_MS, self.size)

    def _share_out(self) -> None:
        """Give every customer to one storefront, which has words for all their orders: nobody is registered twice."""
        self._buyers = array("i")
        self._moved: set[int] = set()
        if len(self.tellers) == 1:
            return
        for index in range(self.size):
            planted = self.planted.get(index)
            line = timeline(self.seed, index, self.size, planted)
            buyer = buyer_of(self.seed, line, self.size, planted, self._is_september(index))
            self._buyers.append(-1 if buyer is None else buyer)
            if buyer is not None and not telling.can_tell(
                telling.owner_of(buyer, self.tellers), line, planted
            ):
                self._moved.add(buyer)

    def customer_teller(self, customer: int) -> str:
        """The storefront a registered customer shops at."""
        if len(self.tellers) == 1 or customer not in self._moved:
            return telling.owner_of(customer, self.tellers)
        return telling.DEFAULT

    def customers_of(self, name: str) -> list[int]:
        """The registered customers of a storefront."""
        return [k for k in range(self.customers_size) if self.customer_teller(k) == name]

    def teller_of(self, line: Timeline) -> str | None:
        """The storefront that tells an order of this timeline: its customer's, or for a guest's whichever has the words."""
        planted = self.planted.get(line.index)
        if self._buyers and self._buyers[line.index] >= 0:
            name = self.customer_teller(self._buyers[line.index])
            return name if name in self.tellers and telling.can_tell(name, line, planted) else None
        return telling.teller_of(line, planted, self.tellers)

    def told_by(self, name: str) -> Iterator[Timeline]:
        """Timelines of the orders a storefront tells, by number of placing."""
        for index in range(self.size):
            line = timeline(self.seed, index, self.size, self.planted.get(index))
            if self.teller_of(line) == name:
                yield line

    def orders(self, start: int = 0, end: int | None = None) -> Iterator[Order]:
        """Orders by number of placing."""
        return (self._order(index) for index in range(start, self.size if end is None else end))

    def _build_collections(self) -> None:
        seed, size, planted = self.seed, self.size, self.planted
        changed, pay_order, pay_number, pay_changed = array("q"), array("q"), array("b"), array("q")
        unshipped: list[int] = []
        mine: list[int] = []
        # A loop over orders: each timeline is its own seeded generator, there is nothing to vectorise over.
        for index in range(size):
            line = timeline(seed, index, size, planted.get(index))
            changed.append(line.modified)
            if self.teller_of(line) == telling.DEFAULT:
                mine.append(index)
            for number in range(line.payments if mine and mine[-1] == index else 0):
                pay_order.append(index)
                pay_number.append(number)
                pay_changed.append(line.paid if number else payment_modified(line))
            if line.to_come or (not line.ships and line.scenario != "cancelled"):
                unshipped.append(index)
        self._pay_order, self._pay_number = pay_order, pay_number
        ids = [identifier(seed, "order", index) for index in range(size)]
        self.order_list = Collection("orders", ids, changed, self._order_text, mine)
        self.orphans = self._orphan_payments() if telling.DEFAULT in self.tellers else []
        pay_ids = [payment_id(seed, index, n) for index, n in zip(pay_order, pay_number, strict=True)]
        pay_ids += [orphan.id for orphan in self.orphans]
        pay_changed.extend(orphan.modified for orphan in self.orphans)
        self.payment_list = Collection("payments", pay_ids, pay_changed, self._payment_text)
        people_ids = [people.customer_id(seed, k) for k in range(self.customers_size)]
        people_changed = [people.customer_modified(seed, k) for k in range(self.customers_size)]
        own = self.customers_of(telling.DEFAULT)
        self.customer_list = Collection("customers", people_ids, people_changed, self._customer_text, own)
        self._build_stock(unshipped)

    def _build_stock(self, unshipped: list[int]) -> None:
        reserved: Counter[tuple[str, str]] = Counter()
        self.reserved_by: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in self.tellers}
        for index in unshipped:
            order = self._order(index)
            waiting = order.shipments[len(order.line.ships) :]
            teller = self.teller_of(order.line)
            for row in (order.rows[k] for rows in waiting for k in rows):
                if row.item is not None and not row.item.gift_card:
                    reserved[row.item.sku, order.store.channel] += row.quantity
                    if teller is not None:
                        self.reserved_by[teller][row.item.sku, order.store.channel] += row.quantity
        self.shelves = stock.shelves(self.seed, reserved)
        self.channel_ids = {key: identifier(self.seed, "channel", key) for key in CHANNELS}
        rows = [
            stock.inventory_payload(
                self.seed,
                replace(
                    shelf, reserved=self.reserved_by.get(telling.DEFAULT, reserved)[shelf.sku, shelf.channel]
                ),
                self.channel_ids[shelf.channel],
            )
            for shelf in self.shelves
            if shelf.web_on_stock is not None
        ]
        self.inventory_list = _listed("inventory", rows)
        stamp = {
            "version": 1,
            "createdAt": iso(START_MS - 300 * DAY_MS),
            "lastModifiedAt": iso(START_MS - 300 * DAY_MS),
        }
        channels = [
            {
                "id": self.channel_ids[key],
                **stamp,
                "key": key,
                "roles": ["InventorySupply"],
                "name": {"en": key},
            }
            for key in CHANNELS
        ]
        sync = identifier(self.seed, "channel", prices.SYNC_CHANNEL)
        channels.append(
            {
                "id": sync,
                **stamp,
                "key": prices.SYNC_CHANNEL,
                "roles": ["OrderExport"],
                "name": {"en": "Sage Intacct"},
            }
        )
        self.channel_list = _listed("channels", channels)
        stores = [
            {
                "id": identifier(self.seed, "store", store.key),
                **stamp,
                "key": store.key,
                "name": {"en": store.name},
                "languages": ["en"],
                "countries": [{"code": store.country}],
                "distributionChannels": [],
                "supplyChannels": [{"typeId": "channel", "id": self.channel_ids[store.channel]}],
                "productSelections": [],
            }
            for store in STORES
        ]
        self.store_list = _listed("stores", stores)
        self.price_list = _listed("standalone-prices", prices.price_payloads(self.seed))
        self.product_list = _listed("product-projections", prices.product_payloads(self.seed))
        self.group_list = _listed("customer-groups", [prices.group_payload(self.seed)])

    def _order_text(self, position: int) -> str:
        return self.teller.order_text(self.order(position))

    def _payment_text(self, position: int) -> str:
        if position < len(self._pay_order):
            return self.teller.payment_text(self.order(self._pay_order[position]), self._pay_number[position])
        orphan = self.orphans[position - len(self._pay_order)]
        return self.teller.payment(orphan, orphan.modified, "us-web")

    def _customer_text(self, position: int) -> str:
        return dump(people.customer_payload(self.seed, position))

    def _orphan_payments(self) -> list[Payment]:
        found = []
        for serial in range(self.faults_each):
            stem = identifier(self.seed, "orphan-payment", serial)
            month = _OCTOBER_MS if serial % 2 else START_MS
            at = month + 4 * DAY_MS + serial * _ORPHAN_EVERY_MS % (20 * DAY_MS) + 15 * HOUR_MS + serial
            minor = 1_999 + serial * 613 % 7_000
            charge = Transaction(
                identifier(self.seed, "orphan", serial),
                reference_of(CARD, stem),
                "Charge",
                "Success",
                minor,
                at,
            )
            found.append(Payment(stem, CARD, f"psp_{stem[:8]}", minor, [charge]))
        return found

    # ---- the ledger ------------------------------------------------------------------------------------------

    def september(self) -> Iterator[tuple[Order, ledger.Posted, list[Finding]]]:
        """Every order placed before the go-live date with the documents September holds about it, faults done."""
        for order in self.orders(0, faults.index_at(_OCTOBER_MS + 6 * HOUR_MS, self.size)):
            posted, found = ledger.september(order), []
            if order.planted is not None and order.planted.kind.side != "payload":
                partner = self.order(order.planted.partner) if order.planted.partner >= 0 else None
                found = findings.spoil(order, posted, partner, self.customers_size)
            yield order, posted, found

    def orphan_documents(self) -> Iterator[tuple[ledger.Document | ledger.Receipt, Finding]]:
        """Documents made by hand in September that belong to no order, and what is to be found about each."""
        for serial in range(self.faults_each):
            store, on = STORES[serial % 2], utc_ms(2026, 9, 8) + serial * DAY_MS % (20 * DAY_MS)
            day = ledger.local_date(store.zone, on + 12 * HOUR_MS)
            number = f"W{417 + serial * 31:06d}"
            net, rate = 2_400 + serial * 450 % 9_000, store.standard_rate
            assert rate is not None
            tax = net * rate.numerator // rate.denominator
            lines = [("4000", net, "Goods"), (rate.account, tax, rate.name)]
            invoice = ledger.Document(
                "ARINVOICE", store.prefix + number, number, store.guest_id, store.entity, store.location,
                store.currency, day, lines,
            )  # fmt: skip
            yield (
                invoice,
                _orphan("missing_order", store, document=invoice.number, delta_minor=-invoice.total),
            )
            reference = f"ch_unknown{serial:05d}"
            receipt = ledger.Receipt(
                reference, CARD, store.guest_id, store, day, [], 1_500 + serial * 275 % 8_000
            )
            yield (
                receipt,
                _orphan("receipt_without_payment", store, payment_ref=reference, delta_minor=-receipt.total),
            )

    def post_ledger(self, create: Create) -> dict[str, int]:
        """Write September into the books through ``create(object, fields, entity, instant) -> RECORDNO``.

        Returns how many records of each object were written. Customers come before their documents, invoices before
        the receipts applied to them.
        """
        written: Counter[str] = Counter()
        numbers: dict[str, int] = {}
        known: set[str] = set()
        late: list[ledger.Receipt] = []

        def post(one: ledger.Document | ledger.Receipt) -> None:
            name = one.kind if isinstance(one, ledger.Document) else "ARPYMT"
            entity = one.entity if isinstance(one, ledger.Document) else one.store.entity
            if one.customer not in known:
                known.add(one.customer)
                create("CUSTOMER", self.ledger_customer(one.customer), None, START_MS)
                written["CUSTOMER"] += 1
            fields = one.fields() if isinstance(one, ledger.Document) else one.fields(numbers)
            at = utc_ms(one.on.year, one.on.month, one.on.day, 21)
            recordno = create(name, fields, entity, at)
            if isinstance(one, ledger.Document) and one.kind == "ARINVOICE":
                numbers[one.number] = recordno
            written[name] += 1

        for _, posted, _ in self.september():
            for document in (*posted.invoices, *posted.credits):
                post(document)
            for receipt in posted.receipts:
                if all(number in numbers for number, _ in receipt.applied):
                    post(receipt)
                else:  # applied to an invoice of a later order
                    late.append(receipt)
        for orphan, _ in self.orphan_documents():
            post(orphan)
        for receipt in late:
            post(receipt)
        return dict(written)

    def ledger_customer(self, customer_id: str) -> dict[str, Any]:
        """The CUSTOMER record of a ledger customer id (Sage Intacct Web Services documentation, Customers)."""
        guest = next((store for store in STORES if store.guest_id == customer_id), None)
        if guest is not None:
            name, email = f"Guests {guest.name}", "guests@example.com"
        else:
            customer = int(customer_id[1:]) - 10_001
            name, email = people.display_name(self.seed, customer), people.email_of(customer)
        contact = {"PRINTAS": name, "EMAIL1": email}
        return {"CUSTOMERID": customer_id, "NAME": name, "DISPLAYCONTACT": contact}

    def stock_items(self) -> list[tuple[str, str, str]]:
        """(item id, name, base price in dollars) of everything kept in stock."""
        return [(item.sku, item.name, f"{item.cents // 100}.{item.cents % 100:02d}") for item in stock.ITEMS]

    # ---- the answer key --------------------------------------------------------------------------------------

    def findings(self, ledger_seeded: bool = True) -> list[Finding]:
        """Everything an auditor must find, in order of kind and order; without a ledger only the storefront's."""
        found = [
            findings.held(order) for order in map(self.order, sorted(self.planted)) if _is_payload(order)
        ]
        found += [
            _orphan("payment_without_order", STORES[US], payment_ref=orphan.transactions[0].reference,
                    period=faults.OCTOBER if orphan.modified >= _OCTOBER_MS else faults.SEPTEMBER,
                    delta_minor=orphan.planned)
            for orphan in self.orphans
        ]  # fmt: skip
        if ledger_seeded:
            for _, _, about in self.september():
                found += about
            found += [about for _, about in self.orphan_documents()]
        for index in range(self.size):
            if timeline(self.seed, index, self.size, self.planted.get(index)).store == 3:
                found += [
                    f
                    for f in findings.precision(self.order(index))
                    if ledger_seeded or f.period == faults.OCTOBER
                ]
        names = list(faults.KINDS)
        return sorted(
            found, key=lambda one: (names.index(one.kind), one.order_number or "", one.document or "")
        )

    def answer_key(self, ledger_seeded: bool = True) -> dict[str, Any]:
        """The answer key as JSON: every planted fault, counts by kind, and how the natural orders divide."""
        found = self.findings(ledger_seeded)
        scenarios: Counter[str] = Counter()
        for index in range(self.size):
            scenarios[timeline(self.seed, index, self.size, self.planted.get(index)).scenario] += 1
        return {
            "seed": self.seed,
            "orders": self.size,
            "ledger_seeded": ledger_seeded,
            "faults": [one.as_dict() for one in found],
            "counts": dict(Counter(one.kind for one in found)),
            "scenarios": dict(sorted(scenarios.items())),
        }


def _is_payload(order: Order) -> bool:
    return order.planted is not None and order.planted.kind.side == "payload"


def _listed(name: str, rows: list[dict[str, Any]]) -> Collection:
    collection = Collection(name, [], [], lambda _: "")
    for row in rows:
        collection.add(row)
    return collection


def _orphan(kind_name: str, store: Any, **more: Any) -> Finding:
    kind = faults.KINDS[kind_name]
    period = more.pop("period", faults.SEPTEMBER)
    values = {"document": None, "payment_ref": None, **more}
    return Finding(
        kind=kind.name, side=kind.side, order_number=None, order_ref=None, expected_code=kind.code,
        expected_family=kind.family, period=period, entity=store.entity, currency=store.currency, **values,
    )  # fmt: skip
