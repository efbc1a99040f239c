"""How money and credits settle documents: the waterfall over lines, in both currencies, and its undoing.

Without a line named, an amount fills the lines from the first on; negative lines (discounts shown on the invoice) settle at once
and add to what is there for the others, so that a full payment leaves every line at zero. A line paid in full takes the
rest of its base amount, so base amounts never drift.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tieout.sandbox.intacct.desk import Actor
from tieout.sandbox.intacct.records import Document, Line
from tieout.sandbox.intacct.refusals import BUSINESS, OVERPAID, BookError
from tieout.sandbox.intacct.values import money, share

Split = tuple[Line, int, int]


def relieve(
    books: Any, document: Document, amount: int, on: date, actor: Actor, entry: int | None = None
) -> tuple[list[Split], int]:
    """Settle `amount` (positive hundredths) of a document; returns the splits by line and their base sum.

    Splits carry the sign of the document: positive for invoices, negative for credits. Raises XL03000027 when the amount
    is more than is due, BL01001973 when the document cannot be settled.
    """
    if document.state in ("Draft", "Reversed"):
        raise BookError(
            BUSINESS, f"The transaction '{document.recordid}' is {document.state} and cannot be paid."
        )
    sign = 1 if document.trx_total >= 0 else -1
    lines = document.lines
    if entry is not None:
        lines = [line for line in lines if line.recordno == entry]
        if not lines:
            raise BookError(
                "DL03000005", f"There is no line for the record key '{entry}'.", "Give its RECORDNO."
            )
    due = sign * sum(line.trx_amount - line.trx_paid for line in lines)
    if amount > due:
        raise BookError(
            OVERPAID,
            f"The payment amount {money(amount)} is greater than the amount due {money(max(due, 0))} "
            f"of '{document.recordid}'.",
            "Enter an amount up to the amount due.",
            details={"errorid": "AR-0327", "category": "Invalid Value", "field": "TRX_PAYMENTAMOUNT"},
        )
    splits: list[Split] = []
    left = amount
    opposite = [line for line in lines if sign * (line.trx_amount - line.trx_paid) < 0]
    for line in [*opposite, *(line for line in lines if line not in opposite)] if opposite else lines:
        open_amount = sign * (line.trx_amount - line.trx_paid)
        part = open_amount if open_amount < 0 else min(left, open_amount)
        if part == 0:
            continue
        left -= part
        trx = sign * part
        full = part == open_amount
        base = line.amount - line.paid if full else share(trx, line.trx_amount, line.amount)
        splits.append((line, trx, base))
    _move(books, document, splits, 1, on, actor)
    return splits, sum(base for _, _, base in splits)


def release(books: Any, document: Document, splits: list[Split], actor: Actor) -> None:
    """Undo a settlement: the document is due again."""
    _move(books, document, splits, -1, None, actor)


def _move(
    books: Any, document: Document, splits: list[Split], sign: int, on: date | None, actor: Actor
) -> None:
    journal = books.journal
    trx_sum = base_sum = 0
    for line, trx, base in splits:
        journal.set(line, "trx_paid", line.trx_paid + sign * trx)
        journal.set(line, "paid", line.paid + sign * base)
        journal.set(line, "modified_at", actor.at)
        trx_sum += trx
        base_sum += base
    journal.set(document, "trx_paid", document.trx_paid + sign * trx_sum)
    journal.set(document, "paid", document.paid + sign * base_sum)
    if document.trx_paid == document.trx_total:
        state, paid_on = "Paid", on
    else:
        state, paid_on = ("Partially Paid" if document.trx_paid else "Posted"), None
    journal.set(document, "state", state)
    journal.set(document, "paid_on", paid_on)
    if books.company.knobs.payment_touches_invoice:
        books.touch(document, actor)
