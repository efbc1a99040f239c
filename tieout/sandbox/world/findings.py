"""What faults do to September's documents, and the answer key that says so.

One function per ledger fault: it changes the order's documents in place and returns what an auditor must find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

from tieout.sandbox.world.arithmetic import local_date
from tieout.sandbox.world.catalog import ALLOWANCES, DISCOUNTS, FREIGHT, GO_LIVE
from tieout.sandbox.world.faults import OCTOBER, PRECISION, SEPTEMBER, Kind
from tieout.sandbox.world.ledger import (
    Document,
    Posted,
    credit_memo,
    hundredths,
    in_other_entity,
    invoice,
    is_business,
    other_customer,
)
from tieout.sandbox.world.orders import Order, uneven_tax

_TAX_ACCOUNTS = ("2200", "2210", "2220")


@dataclass(slots=True)
class Finding:
    """One line of the answer key. ``delta_minor`` is storefront minus ledger in minor units of ``currency``, None where the
    difference is none of amount or depends on who posts; ``period_delta_minor`` where a difference lives in its period only."""

    kind: str
    side: str
    order_number: str | None
    order_ref: str | None
    document: str | None
    payment_ref: str | None
    expected_code: str
    expected_family: str
    period: str
    entity: str
    currency: str
    delta_minor: int | None
    period_delta_minor: int | None = None
    role: str | None = None

    def as_dict(self) -> dict[str, object]:
        """The JSON form."""
        return asdict(self)


def finding(kind: Kind, order: Order, period: str, **more: object) -> Finding:
    """A finding about an order; ``more`` overrides the defaults."""
    base = Finding(
        kind=kind.name,
        side=kind.side,
        order_number=order.number,
        order_ref=order.ref or order.id,
        document=None,
        payment_ref=None,
        expected_code=kind.code,
        expected_family=kind.family,
        period=period,
        entity=order.store.entity,
        currency=order.store.currency,
        delta_minor=None,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def spoil(order: Order, books: Posted, partner: Order | None, customers: int) -> list[Finding]:
    """Do to the documents what the order's planted ledger fault demands. ``partner`` is the other order of a pair."""
    assert order.planted is not None
    kind = order.planted.kind
    if kind.name == "misapplied":
        assert partner is not None
        return [_misapplied(order, books, partner)]
    details = _SPOILERS[kind.name](order, books, customers)
    return [finding(kind, order, SEPTEMBER, **details)]


def _minor(order: Order, amount: int) -> int:
    """Hundredths as minor units of a two-digit currency: planted ledger faults are in dollars and euros only."""
    assert order.store.digits == 2
    return amount


def _change_line(one: Document, accounts: tuple[str, ...], by: int) -> None:
    at = next(k for k, line in enumerate(one.lines) if line[0] in accounts and line[1] > 0)
    account, amount, memo = one.lines[at]
    one.lines[at] = (account, amount + by, memo)


def _amount(order: Order, books: Posted, accounts: tuple[str, ...], floor: int) -> dict[str, object]:
    """Change one line. A paid invoice is made larger, so that its receipt still fits; an unpaid one smaller if it can be."""
    assert order.planted is not None
    one = books.invoices[0]
    size = next(amount for account, amount, _ in one.lines if account in accounts and amount > 0)
    by = floor + order.planted.serial * 137 % 900
    if not books.receipts and size > 2 * floor:
        by = -min(by, size - floor)
    _change_line(one, accounts, by)
    return {"document": one.number, "delta_minor": -_minor(order, by)}


def _missing_invoice(order: Order, books: Posted, _: int) -> dict[str, object]:
    books.invoices.clear()
    return {"delta_minor": order.gross}


def _duplicate_invoice(order: Order, books: Posted, _: int) -> dict[str, object]:
    first = books.invoices[0]
    again = replace(
        first, number=f"{first.number}-2", on=first.on + timedelta(days=1), lines=list(first.lines)
    )
    books.invoices.append(again)
    return {"document": again.number, "delta_minor": -order.gross}


def _amount_goods(order: Order, books: Posted, _: int) -> dict[str, object]:
    goods = tuple(f"40{n}0" for n in range(6))
    return _amount(order, books, goods, 150)


def _amount_shipping(order: Order, books: Posted, _: int) -> dict[str, object]:
    return _amount(order, books, (FREIGHT,), 100)


def _amount_tax(order: Order, books: Posted, _: int) -> dict[str, object]:
    return _amount(order, books, _TAX_ACCOUNTS, 100)


def _amount_discount(order: Order, books: Posted, _: int) -> dict[str, object]:
    one = books.invoices[0]
    one.lines = [line for line in one.lines if line[0] != DISCOUNTS]
    return {"document": one.number, "delta_minor": -order.discount_net}


def _rounding(order: Order, books: Posted, _: int) -> dict[str, object]:
    by = uneven_tax(order)
    _change_line(books.invoices[0], _TAX_ACCOUNTS, by)
    return {"document": books.invoices[0].number, "delta_minor": -by}


def _currency(order: Order, books: Posted, _: int) -> dict[str, object]:
    books.invoices[0].currency = "USD"
    return {"document": books.invoices[0].number}


def _entity(order: Order, books: Posted, _: int) -> dict[str, object]:
    in_other_entity(books.invoices[0])
    return {"document": books.invoices[0].number, "delta_minor": 0}


def _customer(order: Order, books: Posted, customers: int) -> dict[str, object]:
    books.invoices[0].customer = other_customer(order, customers)
    return {"document": books.invoices[0].number, "delta_minor": 0}


def _cancelled_but_invoiced(order: Order, books: Posted, _: int) -> dict[str, object]:
    on = local_date(order.store.zone, order.line.cancelled) + timedelta(days=1)
    books.invoices.append(invoice(order, 0, on))
    return {"document": books.invoices[0].number, "delta_minor": -order.gross}


def _over_invoiced(order: Order, books: Posted, _: int) -> dict[str, object]:
    second = books.invoices[1]
    rest = order.gross - second.total
    second.lines = list(books.invoices[0].lines) + second.lines
    return {"document": second.number, "delta_minor": -rest}


def _refund_without_credit_memo(order: Order, books: Posted, _: int) -> dict[str, object]:
    books.credits.clear()
    refund = next(t for p in order.payments for t in p.transactions if t.type == "Refund")
    return {"payment_ref": refund.reference, "delta_minor": -order.refund}


def _credit_memo_without_refund(order: Order, books: Posted, _: int) -> dict[str, object]:
    amount, on = order.gross // 5, books.invoices[0].on + timedelta(days=3)
    books.credits.append(credit_memo(order, on, [(ALLOWANCES, amount, "Goodwill")], amount))
    return {"document": books.credits[0].number, "delta_minor": amount}


def _receipt_missing(order: Order, books: Posted, _: int) -> dict[str, object]:
    lost = books.receipts.pop()
    return {"payment_ref": lost.reference, "delta_minor": _minor(order, lost.total)}


def _unapplied(order: Order, books: Posted, _: int) -> dict[str, object]:
    one = books.receipts[0]
    one.on_account, one.applied = one.total, []
    return {"payment_ref": one.reference, "delta_minor": 0}


def _receipt_differs(order: Order, books: Posted, by: int) -> dict[str, object]:
    one = books.receipts[0]
    number, amount = one.applied[0]
    one.applied[0] = (number, amount + by)
    return {"payment_ref": one.reference, "document": number, "delta_minor": -_minor(order, by)}


def _short_paid(order: Order, books: Posted, _: int) -> dict[str, object]:
    return _receipt_differs(order, books, -min(500, books.receipts[0].total // 3))


def _over_paid(order: Order, books: Posted, _: int) -> dict[str, object]:
    return _receipt_differs(order, books, min(500, (books.invoices[0].total - books.receipts[0].total) // 2))


def _duplicate_receipt(order: Order, books: Posted, _: int) -> dict[str, object]:
    first = books.receipts[0]
    books.receipts.append(replace(first, on=first.on + timedelta(days=1), applied=list(first.applied)))
    return {"payment_ref": first.reference, "delta_minor": -_minor(order, first.total)}


def _chargeback(order: Order, books: Posted, _: int) -> dict[str, object]:
    taken = next(t for p in order.payments for t in p.transactions if t.type == "Chargeback")
    return {"payment_ref": taken.reference, "delta_minor": -taken.minor}


def _cut_off(order: Order, books: Posted, _: int) -> dict[str, object]:
    books.invoices[0].on = GO_LIVE
    return {"document": books.invoices[0].number, "delta_minor": 0, "period_delta_minor": order.gross}


_SPOILERS: dict[str, Callable[[Order, Posted, int], dict[str, object]]] = {
    "missing_invoice": _missing_invoice,
    "duplicate_invoice": _duplicate_invoice,
    "amount_goods": _amount_goods,
    "amount_shipping": _amount_shipping,
    "amount_tax": _amount_tax,
    "amount_discount": _amount_discount,
    "rounding": _rounding,
    "currency": _currency,
    "entity": _entity,
    "customer": _customer,
    "cancelled_but_invoiced": _cancelled_but_invoiced,
    "over_invoiced": _over_invoiced,
    "refund_without_credit_memo": _refund_without_credit_memo,
    "credit_memo_without_refund": _credit_memo_without_refund,
    "receipt_missing": _receipt_missing,
    "unapplied": _unapplied,
    "short_paid": _short_paid,
    "over_paid": _over_paid,
    "duplicate_receipt": _duplicate_receipt,
    "chargeback": _chargeback,
    "cut_off": _cut_off,
}


def _misapplied(order: Order, books: Posted, partner: Order) -> Finding:
    assert order.planted is not None
    kind = order.planted.kind
    if order.planted.role == 0:
        one = books.receipts[0]
        target = f"{partner.store.prefix}{partner.number}"
        one.applied = [(target, one.total)]
        return finding(
            kind, order, SEPTEMBER, payment_ref=one.reference, document=target, delta_minor=0, role="payer"
        )
    return finding(
        kind,
        order,
        SEPTEMBER,
        document=books.invoices[0].number,
        side="ledger",
        delta_minor=0,
        role="paid by another",
    )


def held(order: Order) -> Finding:
    """The line of an order whose payload a row rule must hold back."""
    assert order.planted is not None
    kind = order.planted.kind
    number: str | None = order.number
    if kind.name == "order_number_missing":
        number = None
    elif kind.name == "duplicate_order_number" and order.planted.role == 1:
        number = f"W{100_001 + order.planted.partner}"
    reference = order.payments[0].transactions[-1].reference if kind.name == "tender_unmapped" else None
    currency = "XXQ" if kind.name == "currency_unknown" else order.store.currency
    return finding(kind, order, OCTOBER, order_number=number, payment_ref=reference, currency=currency)


def precision(order: Order) -> list[Finding]:
    """Where the third decimal of a dinar invoice is lost: explained by rounding, in the month the invoice is dated."""
    if order.store.digits <= 2 or not is_business(order) or order.gross % 10 == 0:
        return []
    found = []
    for at in order.line.ships:
        on: date = local_date(order.store.zone, at)
        posted = on < GO_LIVE
        delta = order.gross - 10 * hundredths(order.gross, 3) if posted else None
        number = f"{order.store.prefix}{order.number}"
        period = SEPTEMBER if posted else OCTOBER
        found.append(
            finding(PRECISION, order, period, document=number if posted else None, delta_minor=delta)
        )
    return found
