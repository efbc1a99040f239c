"""September as a previous integration posted it: the documents an order owed by month's end, and what faults made of them.

Amounts are hundredths of the currency's major unit, because that is all the ledger keeps: a yen is 100 of them, and the third
decimal of a dinar is lost (half-up on the document's total, what the lines give beyond it goes to the rounding account).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tieout.sandbox.world.arithmetic import decimal_text, half_up, local_date
from tieout.sandbox.world.catalog import (
    ALLOWANCES,
    DISCOUNTS,
    EU,
    GIFT,
    GO_LIVE,
    ROUNDING,
    STORES,
    US,
    Store,
    Tender,
    clearing_account,
)
from tieout.sandbox.world.orders import Order, Row, tenders_of_header
from tieout.sandbox.world.people import ledger_customer_id


@dataclass(slots=True)
class Document:
    """An invoice (amounts positive) or a credit memo (negative): number, who, when, and lines of
    (account, hundredths, memo)."""

    kind: str
    number: str
    order_number: str
    customer: str
    entity: str
    location: str
    currency: str
    on: date
    lines: list[tuple[str, int, str]]

    @property
    def total(self) -> int:
        """Sum of the lines in hundredths."""
        return sum(amount for _, amount, _ in self.lines)

    def fields(self) -> dict[str, Any]:
        """The field dictionary of a generic create (Sage Intacct Web Services documentation, AR invoices)."""
        lines = [
            {
                "ACCOUNTNO": account,
                "TRX_AMOUNT": decimal_text(amount, 2),
                "LOCATIONID": self.location,
                "ENTRYDESCRIPTION": memo,
            }
            for account, amount, memo in self.lines
        ]
        found: dict[str, Any] = {
            "RECORDID": self.number,
            "CUSTOMERID": self.customer,
            "WHENCREATED": us_date(self.on),
            "WHENPOSTED": us_date(self.on),
            "DOCNUMBER": self.order_number,
            "DESCRIPTION": f"Web order {self.order_number}",
            "CURRENCY": self.currency,
        }
        if self.kind == "ARINVOICE":
            found["WHENDUE"] = us_date(self.on + timedelta(days=30))
        found[f"{self.kind}ITEMS"] = lines
        return found


@dataclass(slots=True)
class Receipt:
    """Money received: applied as (invoice number, hundredths), the rest on account."""

    reference: str
    tender: Tender
    customer: str
    store: Store
    on: date
    applied: list[tuple[str, int]]
    on_account: int = 0

    @property
    def total(self) -> int:
        """All of the money in hundredths."""
        return self.on_account + sum(amount for _, amount in self.applied)

    def fields(self, recordno_of: dict[str, int]) -> dict[str, Any]:
        """The field dictionary of a generic ARPYMT create, given the record number of each invoice."""
        found: dict[str, Any] = {
            "FINANCIALENTITY": clearing_account(self.tender, self.store.entity),
            "PAYMENTMETHOD": self.tender.intacct_method,
            "CUSTOMERID": self.customer,
            "DOCNUMBER": self.reference,
            "RECEIPTDATE": us_date(self.on),
            "CURRENCY": self.store.currency,
            "ARPYMTDETAILS": [
                {"RECORDKEY": str(recordno_of[number]), "TRX_PAYMENTAMOUNT": decimal_text(amount, 2)}
                for number, amount in self.applied
            ],
        }
        if self.on_account:
            found["OVERPAYMENTAMOUNT"] = decimal_text(self.on_account, 2)
            found["OVERPAYMENTLOCATIONID"] = self.store.location
        return found


@dataclass(slots=True)
class Posted:
    """The September documents of one order."""

    invoices: list[Document] = field(default_factory=list)
    credits: list[Document] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)


def us_date(on: date) -> str:
    """A date as Intacct writes it, MM/DD/YYYY."""
    return f"{on:%m/%d/%Y}"


def hundredths(minor: int, digits: int) -> int:
    """Minor units of a currency with this many digits as hundredths of the major unit, a third decimal rounded half-up."""
    return minor * 10 ** (2 - digits) if digits <= 2 else half_up(minor, 10 ** (digits - 2))


def invoice_number(order: Order, position: int) -> str:
    """Prefix of the store, order number, and a suffix from the second document on."""
    return f"{order.store.prefix}{order.number}" + (f"-{position + 1}" if position else "")


def document(
    order: Order, kind: str, number: str, on: date, parts: list[tuple[str, int, str]], total: int
) -> Document:
    """A document from (account, minor units, memo) parts that sum to ``total`` minor units; empty parts are left out."""
    digits = order.store.digits
    lines = [(account, hundredths(minor, digits), memo) for account, minor, memo in parts if minor]
    rest = hundredths(total, digits) - sum(amount for _, amount, _ in lines)
    if rest:
        lines.append((ROUNDING, rest, "Rounding"))
    customer = ledger_customer_id(order.customer, STORES.index(order.store))
    store = order.store
    return Document(
        kind, number, order.number, customer, store.entity, store.location, store.currency, on, lines
    )


def _row_part(row: Row) -> tuple[str, int, str]:
    return row.account, row.net, row.item.sku if row.item else row.name


def _taxes(rows: list[Row]) -> list[tuple[str, int, str]]:
    found: dict[Any, int] = {}
    for row in rows:
        if row.rate:
            found[row.rate] = found.get(row.rate, 0) + row.tax
    return [(rate.account, tax, rate.name) for rate, tax in found.items()]


def whole_order(order: Order) -> list[tuple[str, int, str]]:
    """The parts of an invoice for everything the order holds."""
    parts = [_row_part(row) for row in order.rows]
    account = order.rows[0].account if order.rows_hold_discount else DISCOUNTS
    parts.append((account, -order.discount_net, "Discount"))
    parts += [(rate.account, tax, rate.name) for rate, tax in order.taxes.items()]
    parts.append((ROUNDING, order.rounding, "Rounding"))
    return parts


def invoice(order: Order, shipment: int, on: date) -> Document:
    """The invoice of one shipment."""
    number = invoice_number(order, shipment)
    if len(order.shipments) == 1:
        return document(order, "ARINVOICE", number, on, whole_order(order), order.gross)
    rows = [order.rows[k] for k in order.shipments[shipment]]
    parts = [_row_part(row) for row in rows] + _taxes(rows)
    return document(order, "ARINVOICE", number, on, parts, order.part_of(shipment))


def credit_memo(order: Order, on: date, parts: list[tuple[str, int, str]], total: int) -> Document:
    """A credit memo over positive parts: its lines are negative."""
    negative = [(account, -minor, memo) for account, minor, memo in parts]
    return document(order, "ARADJUSTMENT", f"CM{order.number}", on, negative, -total)


def is_business(order: Order) -> bool:
    """Whether the order owes any document at all: neither a test nor worth nothing."""
    return order.line.scenario not in ("test", "zero_total")


def september(order: Order) -> Posted:
    """What a correct integration had posted for the order when September ended."""
    books = Posted()
    if not is_business(order):
        return books
    zone = order.store.zone
    for shipment, at in enumerate(order.line.ships):
        if (on := local_date(zone, at)) < GO_LIVE:
            books.invoices.append(invoice(order, shipment, on))
    if order.refund and (on := local_date(zone, order.line.returned + 1_800_000)) < GO_LIVE:
        if order.line.scenario == "allowance":
            books.credits.append(
                credit_memo(order, on, [(ALLOWANCES, order.refund, "Allowance")], order.refund)
            )
        else:
            rows = [order.rows[k] for k in order.returned_rows]
            parts = [_row_part(row) for row in rows] + _taxes(rows)
            books.credits.append(credit_memo(order, on, parts, order.refund))
    if books.invoices:
        books.receipts = _receipts(order, books.invoices)
    return books


def _receipts(order: Order, invoices: list[Document]) -> list[Receipt]:
    customer = ledger_customer_id(order.customer, STORES.index(order.store))
    room = [one.total for one in invoices]
    found = []
    for payment, charge in order.charges():
        charged = local_date(order.store.zone, charge.at)
        if charged >= GO_LIVE:
            continue
        parts = [(charge.reference, payment.tender, charge.minor)]
        if order.tender_in_header and payment.tender is GIFT:
            # No payment has a reference or a day of its own: what the order was paid with counts when its sale does.
            charged = invoices[0].on
            parts = [
                (f"tender-{order.number}" + (f"-{kind}" if nth else ""), tender, minor)
                for nth, (tender, kind, minor) in enumerate(tenders_of_header(order, charge.minor))
            ]
        for reference, tender, minor in parts:
            left, applied, on = hundredths(minor, order.store.digits), [], charged
            for k, one in enumerate(invoices):
                if take := min(left, room[k]):
                    applied.append((one.number, take))
                    room[k] -= take
                    left -= take
                    on = max(on, one.on)
            if left:
                raise AssertionError(f"{order.number}: a charge found no invoice for {left}")
            found.append(Receipt(reference, tender, customer, order.store, on, applied))
    return found


def other_customer(order: Order, customers: int) -> str:
    """Another registered customer of the same store: for the invoice that went to the wrong one."""
    assert order.customer is not None
    step = 20
    while (other := (order.customer + step) % customers) % 53 == 11:
        step += 20
    return ledger_customer_id(other, STORES.index(order.store))


def in_other_entity(one: Document) -> None:
    """Move a document to the other entity."""
    other = STORES[EU] if one.entity == "E100" else STORES[US]
    one.entity, one.location = other.entity, other.location
