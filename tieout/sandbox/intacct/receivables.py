"""AR invoices and adjustments: totals in two currencies, numbers, dates, lines, postings, reversal.

An invoice debits the control account and credits each line's account; an adjustment with a negative total is a credit memo
and does the opposite. Sources: Sage Intacct Web Services documentation, Invoices and AR Adjustments.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tieout.sandbox.intacct.customers import customer_for
from tieout.sandbox.intacct.desk import Actor, Leg, required
from tieout.sandbox.intacct.lines import LineDesk
from tieout.sandbox.intacct.records import Document
from tieout.sandbox.intacct.refusals import (
    BUSINESS,
    DUPLICATE_NUMBER,
    LINE_INCOMPLETE,
    NUMBER_REQUIRED,
    BookError,
    invalid,
    missing,
)
from tieout.sandbox.intacct.values import convert, day, rows_of, text_of

_HEADER = {
    "RECORDNO",
    "RECORDID",
    "CUSTOMERID",
    "WHENCREATED",
    "WHENPOSTED",
    "WHENDUE",
    "TERMNAME",
    "DOCNUMBER",
    "DESCRIPTION",
    "CURRENCY",
    "BASECURR",
    "EXCH_RATE_DATE",
    "EXCH_RATE_TYPE_ID",
    "EXCHANGE_RATE",
    "ACTION",
    "STATE",
    "ARINVOICEITEMS",
    "ARADJUSTMENTITEMS",
    "INVOICENO",
}


class ReceivableDesk(LineDesk):
    """What invoices and adjustments share."""

    due_required = False
    prefix = ""

    def create(self, fields: dict[str, Any], actor: Actor, modulekey: str = "4.AR") -> Document:
        """Make and post a document; ACTION or STATE "Draft" keeps it out of the ledger."""
        books = self.books
        customer = customer_for(self, fields, actor)
        created_on = day(required(fields, "WHENCREATED", "Date"))
        posted_text = text_of(fields, "WHENPOSTED")
        posted_on = day(posted_text, "GL posting date") if posted_text else created_on
        termname, due_on = self._due(fields, created_on, customer.termname)
        number = self._number(fields, customer.customerid)
        rows = rows_of(fields, self.lines_name + "S", self.lines_name)
        if not rows:
            raise BookError(LINE_INCOMPLETE, "The transaction has no lines.", "Add at least one line.")
        entity = self.entity(rows, actor)
        books.open_for(entity, posted_on)
        base = self.company.entities[entity].currency
        currency = text_of(fields, "CURRENCY") or customer.currency or base
        if currency not in self.company.currencies:
            raise invalid("Currency", currency)
        if text_of(fields, "BASECURR") not in ("", base):
            raise invalid("Base currency", text_of(fields, "BASECURR"))
        rate, rate_on, rate_type = books.rate_for(fields, currency, base, created_on)
        extra = {key: value for key, value in fields.items() if key not in _HEADER} or None
        document = Document(
            books.next("record"),
            entity,
            actor.at,
            actor.at,
            actor.user,
            actor.user,
            self.recordtype,
            number,
            customer,
            created_on,
            posted_on,
            due_on,
            currency,
            base,
            rate,
            rate_on,
            rate_type,
            books.length(f"{self.object_name}.DOCNUMBER", text_of(fields, "DOCNUMBER"), "Reference number"),
            books.length(f"{self.object_name}.DESCRIPTION", text_of(fields, "DESCRIPTION"), "Description"),
            termname,
            modulekey=modulekey,
            extra=extra,
        )
        if "draft" in (text_of(fields, "ACTION").lower(), text_of(fields, "STATE").lower()):
            document.state = "Draft"
        for row in rows:
            self.add_line(document, row, entity, actor)
        document.trx_total = sum(line.trx_amount for line in document.lines)
        document.total = sum(line.amount for line in document.lines)
        books.tables[self.object_name].add(books.journal, document)
        self._claim(number, customer.customerid, document)
        if document.state == "Posted":
            self._post(document, actor)
        return document

    def update(self, record: Document, fields: dict[str, Any], actor: Actor) -> Document:
        """Change header fields and lines; amounts of a document with applications stay as they are."""
        if record.state == "Reversed":
            raise BookError(BUSINESS, f"{self.noun} '{record.recordid}' is reversed and cannot be changed.")
        books, journal = self.books, self.books.journal
        books.open_for(record.entity, record.posted_on)
        rows = rows_of(fields, self.lines_name + "S", self.lines_name)
        money_moves = rows or any(text_of(fields, name) for name in ("CURRENCY", "EXCHANGE_RATE"))
        if money_moves and record.trx_paid:
            raise BookError(
                BUSINESS,
                f"{self.noun} '{record.recordid}' has payments applied and its amounts cannot be changed.",
                "Reverse the payment first.",
            )
        for field, name, label in (
            ("DOCNUMBER", "docnumber", "Reference number"),
            ("DESCRIPTION", "description", "Description"),
        ):
            if field in fields:
                value = books.length(f"{self.object_name}.{field}", text_of(fields, field), label)
                journal.set(record, name, value)
        if text_of(fields, "CUSTOMERID"):
            customer = customer_for(self, fields, actor)
            if customer is not record.customer and record.trx_paid:
                raise BookError(BUSINESS, "The customer of a document with payments cannot be changed.")
            journal.set(record, "customer", customer)
        number = text_of(fields, "RECORDID")
        if number and number != record.recordid:
            self._number(fields, record.customer.customerid)
            self._release(record)
            journal.set(record, "recordid", number)
            self._claim(number, record.customer.customerid, record)
        for field, name in (
            ("WHENCREATED", "created_on"),
            ("WHENPOSTED", "posted_on"),
            ("WHENDUE", "due_on"),
        ):
            if text_of(fields, field):
                journal.set(record, name, day(text_of(fields, field)))
        books.open_for(record.entity, record.posted_on)
        self._new_amounts(record, fields, rows, actor)
        extra = {key: value for key, value in fields.items() if key not in _HEADER}
        if extra:
            journal.set(record, "extra", {**(record.extra or {}), **extra})
        if record.state != "Draft":
            books.unpost(record)
            self._post(record, actor)
        elif "submit" in (text_of(fields, "ACTION").lower(), text_of(fields, "STATE").lower()):
            journal.set(record, "state", "Posted")
            self._post(record, actor)
        books.touch(record, actor)
        return record

    def delete(self, record: Document, actor: Actor) -> None:
        """Remove a document without applications and outside closed periods."""
        self._free(record, "deleted")
        books = self.books
        if record.state != "Draft":
            books.open_for(record.entity, record.posted_on)
        books.unpost(record)
        for line in record.lines:
            books.tables[self.lines_name].remove(books.journal, line)
        books.tables[self.object_name].remove(books.journal, record)
        self._release(record)

    def reverse(self, record: Document, on: date, actor: Actor) -> None:
        """Post the mirror image on another date; the document keeps its number and shows as Reversed."""
        self._free(record, "reversed")
        if record.state in ("Reversed", "Draft"):
            raise BookError(
                BUSINESS, f"{self.noun} '{record.recordid}' is {record.state} and cannot be reversed."
            )
        if on < record.posted_on:
            raise BookError(BUSINESS, "The reversal date is before the posting date.", "Use a later date.")
        self.books.open_for(record.entity, on)
        self.books.post_reversal(self.object_name, record, on, actor)
        self.books.journal.set(record, "state", "Reversed")
        self.books.touch(record, actor)

    # ---- inside ----------------------------------------------------------------------------------------------

    def _due(self, fields: dict[str, Any], created_on: date, usual: str) -> tuple[str, date | None]:
        termname, due = text_of(fields, "TERMNAME"), text_of(fields, "WHENDUE")
        if termname and termname not in self.company.terms:
            raise invalid("Term", termname)
        if due:
            return termname, day(due, "Due date")
        termname = termname or usual
        if termname:
            return termname, created_on + timedelta(days=self.company.terms[termname])
        if self.due_required:
            raise missing("Due date or Term")
        return "", None

    def _scope(self, customerid: str) -> str:
        return customerid if self.knobs.duplicate_numbers == "customer" else ""

    def _number(self, fields: dict[str, Any], customerid: str) -> str:
        books, number = self.books, text_of(fields, "RECORDID")
        if not number:
            if self.knobs.numbering == "required":
                raise BookError(
                    NUMBER_REQUIRED,
                    f"{self.noun} number is required and no numbering sequence is set up.",
                    "Give a number, or set up a numbering sequence.",
                )
            number = f"{self.prefix}{books.next(self.object_name + '.number'):07d}"
        label = f"{self.noun} number"
        number = books.identifier(books.length(f"{self.object_name}.RECORDID", number, label), label)
        taken = books.document_numbers.get((self.object_name, self._scope(customerid), number))
        if taken is not None and self.knobs.duplicate_numbers != "off":
            raise BookError(
                DUPLICATE_NUMBER,
                f"A transaction with that number already exists: '{number}'.",
                "Use a unique number.",
                details={"errorid": "AR-0218", "category": "Duplication Prevention", "field": "RECORDID"},
            )
        return number

    def _claim(self, number: str, customerid: str, document: Document) -> None:
        key = (self.object_name, self._scope(customerid), number)
        self.books.journal.put(self.books.document_numbers, key, document)

    def _release(self, record: Document) -> None:
        key = (self.object_name, self._scope(record.customer.customerid), record.recordid)
        self.books.journal.drop(self.books.document_numbers, key)

    def _new_amounts(
        self, record: Document, fields: dict[str, Any], rows: list[dict[str, Any]], actor: Actor
    ) -> None:
        books, journal = self.books, self.books.journal
        currency = text_of(fields, "CURRENCY")
        if currency and currency not in self.company.currencies:
            raise invalid("Currency", currency)
        if currency or text_of(fields, "EXCHANGE_RATE"):
            currency = currency or record.currency
            rate, rate_on, rate_type = books.rate_for(fields, currency, record.basecurr, record.created_on)
            for name, value in (
                ("currency", currency),
                ("rate", rate),
                ("rate_on", rate_on),
                ("rate_type", rate_type),
            ):
                journal.set(record, name, value)
            for line in record.lines:
                journal.set(line, "amount", convert(line.trx_amount, rate))
        for row in rows:
            number = text_of(row, "LINE_NO")
            if number:
                self.change_line(record, int(number) if number.isdigit() else 0, row, actor)
            else:
                journal.set(record, "lines", list(record.lines))
                self.entity([row], actor)
                self.add_line(record, row, record.entity, actor)
        journal.set(record, "trx_total", sum(line.trx_amount for line in record.lines))
        journal.set(record, "total", sum(line.amount for line in record.lines))

    def _post(self, document: Document, actor: Actor) -> None:
        books = self.books
        batch = books.summary(self.object_name, document.entity, document.posted_on, actor)
        books.journal.set(document, "batch", batch)
        control: dict[tuple[str, str], list[int]] = {}
        legs = []
        for line in document.lines:
            legs.append(
                Leg(
                    line.account,
                    line.location,
                    -line.trx_amount,
                    -line.amount,
                    line.memo,
                    line.department,
                    line,
                )
            )
            sums = control.setdefault((line.offset, line.location), [0, 0])
            sums[0] += line.trx_amount
            sums[1] += line.amount
        for (account, location), (trx, base) in control.items():
            legs.append(Leg(account, location, trx, base, document.description))
        books.post(batch, document, document.currency, legs, actor.at)

    def _free(self, record: Document, done: str) -> None:
        if record.trx_paid or any(line.trx_paid for line in record.lines):
            raise BookError(
                BUSINESS,
                f"{self.noun} '{record.recordid}' has payments applied and cannot be {done}.",
                "Reverse the payment first.",
            )


class InvoiceDesk(ReceivableDesk):
    """ARINVOICE. A due date or a term is required."""

    object_name = "ARINVOICE"
    noun = "Invoice"
    recordtype = "ri"
    lines_name = "ARINVOICEITEM"
    due_required = True
    prefix = "INV"


class AdjustmentDesk(ReceivableDesk):
    """ARADJUSTMENT. A negative total is a credit memo, a positive one a debit memo."""

    object_name = "ARADJUSTMENT"
    noun = "Adjustment"
    recordtype = "ra"
    lines_name = "ARADJUSTMENTITEM"
    prefix = "ADJ"
