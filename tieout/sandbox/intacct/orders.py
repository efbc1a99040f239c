"""Order-entry transactions (SODOCUMENT): orders, sales invoices, and orders converted to invoices.

A definition says whether its documents make an AR invoice or a credit memo and how they move inventory totals. An edited document that
posts to AR loses its AR record and gets a new one under a new RECORDNO, as the manual says of invoices. Taxes of a line are given as
overrides of its tax details. What is not documented of returns and closed orders are knobs. Source: Sage Intacct Web Services
documentation, Order Entry Transactions.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tieout.sandbox.intacct import receivables
from tieout.sandbox.intacct.company import Definition
from tieout.sandbox.intacct.customers import customer_for
from tieout.sandbox.intacct.desk import Actor, Desk, required
from tieout.sandbox.intacct.inventory import item_for
from tieout.sandbox.intacct.records import Document, OrderDocument, OrderLine
from tieout.sandbox.intacct.refusals import (
    BUSINESS,
    DUPLICATE_NUMBER,
    LINE_INCOMPLETE,
    BookError,
    invalid,
    missing,
)
from tieout.sandbox.intacct.values import cents, day, day_text, money, quantity, rows_of, text_of

_KNOWN = {"TRANSACTIONTYPE", "WHENCREATED", "WHENPOSTED", "CREATEDFROM", "CUSTOMERID", "DOCNO", "REFERENCENO"}
_SHIPPING = ("TRACKINGNUMBER", "SHIPPINGMETHOD", "SHIPPEDDATE")
_KNOWN |= {"TERMNAME", "WHENDUE", "MESSAGE", "CURRENCY", "STATE", "LINES", "SUBTOTALS", "RECORDNO"}


class OrderDesk(Desk):
    """SODOCUMENT: create, update, delete; named by `definition-number`."""

    object_name = "SODOCUMENT"
    noun = "Sales Document"
    by_id = True

    def find(self, key: int | str) -> OrderDocument | None:
        """By document id, then by RECORDNO."""
        found = self.books.order_numbers.get(str(key).strip())
        if isinstance(found, OrderDocument) and found.customer is not None:
            return found
        return super().find(key)

    def audit_key(self, record: OrderDocument) -> str:
        """Logged under the document id."""
        return record.docid

    def create(self, fields: dict[str, Any], actor: Actor) -> OrderDocument:
        """Make a document by its definition, from scratch or from a parent document."""
        books = self.books
        name = required(fields, "TRANSACTIONTYPE", "Transaction type")
        definition = self.company.order_definitions.get(name)
        if definition is None:
            raise invalid("Transaction Definition", name)
        if definition.entity_only and not actor.entity:
            raise BookError(
                BUSINESS,
                f"The transaction definition '{name}' can only be used in an entity.",
                "Log in to an entity.",
            )
        customer = customer_for(self, fields, actor)
        on = day(required(fields, "WHENCREATED", "Date"))
        termname, due_on = self._due(fields, on, customer.termname)
        docno = text_of(fields, "DOCNO") or f"{definition.prefix}{books.next(name):04d}"
        docno = books.identifier(
            books.length("SODOCUMENT.DOCNO", docno, "Document number"), "Document number"
        )
        source = self._source(fields)
        base = self.company.entities[actor.entity or next(iter(self.company.entities))].currency
        reference = books.length("SODOCUMENT.REFERENCENO", text_of(fields, "REFERENCENO"), "Reference number")
        document = OrderDocument(
            books.next("document"),
            actor.entity,
            actor.at,
            actor.at,
            actor.user,
            actor.user,
            name,
            docno,
            customer,
            on,
            text_of(fields, "STATE") or "Pending",
            text_of(fields, "CURRENCY") or customer.currency or base,
            referenceno=reference,
            message=text_of(fields, "MESSAGE"),
            due_on=due_on,
            termname=termname,
            source=source,
            extra={key: value for key, value in fields.items() if key not in _KNOWN} or None,
        )
        if document.docid in books.order_numbers:
            raise BookError(
                DUPLICATE_NUMBER,
                f"A transaction with that number already exists: '{document.docid}'.",
                "Use a unique number.",
            )
        rows = rows_of(fields, "LINES", "LINE")
        if not rows:
            raise BookError(LINE_INCOMPLETE, "The transaction has no lines.", "Add at least one line.")
        for row in rows:
            self._line(document, row, definition, actor)
        for row in rows_of(fields, "SUBTOTALS", "SUBTOTAL"):
            self._subtotal(document, row)
        document.entity = document.entity or books.location(document.lines[0].location)
        books.tables["SODOCUMENT"].add(books.journal, document)
        books.journal.put(books.order_numbers, document.docid, document)
        self._post(document, definition, text_of(fields, "WHENPOSTED"), actor)
        self._progress(source)
        return document

    def update(self, record: OrderDocument, fields: dict[str, Any], actor: Actor) -> OrderDocument:
        """Change header and lines (LINE_NUM counts from 1); the AR invoice, if any, is made anew."""
        books, journal = self.books, self.books.journal
        definition = self.company.order_definitions[record.definition]
        closes = text_of(fields, "STATE") == "Closed" and self.knobs.close_partly_converted
        if record.state == "Converted" or (record.state == "Partially Converted" and not closes):
            raise BookError(BUSINESS, f"The document '{record.docid}' is converted and cannot be changed.")
        for field, name in (("REFERENCENO", "referenceno"), ("MESSAGE", "message"), ("STATE", "state")):
            if text_of(fields, field):
                journal.set(record, name, text_of(fields, field))
        for field, name in (("WHENCREATED", "created_on"), ("WHENDUE", "due_on")):
            if text_of(fields, field):
                journal.set(record, name, day(text_of(fields, field)))
        told = {name: text_of(fields, name) for name in _SHIPPING if text_of(fields, name)}
        if told:
            journal.set(record, "extra", {**(record.extra or {}), **told})
        journal.set(record, "lines", list(record.lines))
        journal.set(record, "moves", list(record.moves))
        for row in rows_of(fields, "LINES", "LINE"):
            number = text_of(row, "LINE_NUM")
            if number:
                self._change(record, row, number, definition, actor)
            else:
                self._line(record, row, definition, actor)
        if definition.posts != "none":
            posted = day_text(record.invoice.posted_on) if record.invoice else ""
            self._unpost(record, actor)
            self._post(record, definition, posted, actor)
        books.touch(record, actor)
        return record

    def delete(self, record: OrderDocument, actor: Actor) -> None:
        """Take the document, its movements and its AR invoice away."""
        books, journal = self.books, self.books.journal
        if any(line.converted for line in record.lines):
            raise BookError(BUSINESS, f"The document '{record.docid}' was converted and cannot be deleted.")
        self._unpost(record, actor)
        for move in record.moves:
            books.remove_move(move)
        for line in record.lines:
            if line.source_line is not None:
                journal.set(line.source_line, "converted", line.source_line.converted - line.quantity)
            books.tables["SODOCUMENTENTRY"].remove(journal, line)
        books.tables["SODOCUMENT"].remove(journal, record)
        journal.drop(books.order_numbers, record.docid)
        self._progress(record.source)

    # ---- inside ----------------------------------------------------------------------------------------------

    def _due(self, fields: dict[str, Any], on: date, usual: str) -> tuple[str, date | None]:
        termname, due = text_of(fields, "TERMNAME") or usual, text_of(fields, "WHENDUE")
        if termname and termname not in self.company.terms:
            raise invalid("Term", termname)
        if due:
            return termname, day(due, "Due date")
        if not termname:
            raise missing("Due date or Term")
        return termname, on + timedelta(days=self.company.terms[termname])

    def _source(self, fields: dict[str, Any]) -> OrderDocument | None:
        name = text_of(fields, "CREATEDFROM")
        if not name:
            return None
        source = self.find(name)
        if source is None:
            raise invalid("Source Document", name)
        if source.state in ("Closed", "Converted"):
            raise BookError(BUSINESS, f"The document '{name}' is {source.state} and cannot be converted.")
        return source

    def _line(
        self, document: OrderDocument, row: dict[str, Any], definition: Definition, actor: Actor
    ) -> None:
        books = self.books
        item = item_for(books, row)
        amount = quantity(required(row, "QUANTITY", "Quantity"))
        source_line = None
        key = text_of(row, "SOURCELINEKEY")
        if key:
            source_line = books.tables["SODOCUMENTENTRY"].get(int(key)) if key.isdigit() else None
            if source_line is None or source_line.order is not document.source:
                raise invalid("Source Line", key)
            if amount > source_line.quantity - source_line.converted:
                raise BookError(BUSINESS, f"The quantity {amount} is more than is left of line '{key}'.")
        price_text = text_of(row, "PRICE")
        price = (
            quantity(price_text, "Price")
            if price_text
            else (source_line.price if source_line else Decimal(0))
        )
        location, warehouse = text_of(row, "LOCATIONID"), text_of(row, "WAREHOUSEID")
        if warehouse and warehouse not in self.company.warehouses:
            raise invalid("Warehouse", warehouse)
        if definition.totals and item.itemtype == "Inventory" and not warehouse:
            raise missing("Warehouse")
        if not location and warehouse:
            location = self.company.warehouses[warehouse].parent
        if not location:
            raise BookError("BL03001994", "The location of the line is empty.", "Give a location.")
        books.may_touch(books.location(location), actor, "location")
        percent = text_of(row, "DISCOUNTPERCENT")
        net = amount * price * (100 - (quantity(percent) if percent else Decimal(0))) / 100
        line = OrderLine(
            books.next("docentry"),
            len(document.lines),
            document,
            item.itemid,
            amount,
            price,
            int((net * 100).quantize(Decimal(1), ROUND_HALF_UP)),
            warehouse,
            location,
            item.unit,
            text_of(row, "MEMO"),
            text_of(row, "DEPARTMENTID"),
            source_line,
            account=item.income_account or self.company.posting["revenue"],
            taxes=rows_of(row, "TAXENTRIES", "TAXENTRY") or None,
        )
        books.tables["SODOCUMENTENTRY"].add(books.journal, line)
        document.lines.append(line)
        if source_line is not None:
            books.journal.set(source_line, "converted", source_line.converted + amount)
        if warehouse:
            self._stock(document, line, definition, amount, actor)

    def _stock(
        self, document: OrderDocument, line: OrderLine, definition: Definition, amount: Decimal, actor: Actor
    ) -> None:
        books = self.books
        effects = [(total, effect) for total, effect in definition.totals.items()]
        if line.source_line is not None:  # what the parent committed is released
            parent = self.company.order_definitions[line.source_line.order.definition]
            effects += [(total, -effect) for total, effect in parent.totals.items()]
        for total, effect in effects:
            move = books.add_move(
                line.itemid, line.warehouseid, total, amount * effect, line.unit, document.docid, actor.at
            )
            document.moves.append(move)

    def _subtotal(self, document: OrderDocument, row: dict[str, Any]) -> None:
        books = self.books
        description = required(row, "DESCRIPTION", "Subtotal description")
        account = self.company.subtotals.get(description)
        if account is None:
            raise invalid("Subtotal", description)
        amount = cents(required(row, "TOTAL", "Subtotal amount"))
        location = text_of(row, "LOCATIONID") or document.lines[0].location
        books.location(location)
        line = OrderLine(
            books.next("docentry"),
            len(document.lines),
            document,
            "",
            Decimal(1),
            Decimal(amount) / 100,
            amount,
            "",
            location,
            memo=description,
            subtotal=description,
            account=account,
        )
        books.tables["SODOCUMENTENTRY"].add(books.journal, line)
        document.lines.append(line)

    def _change(
        self, record: OrderDocument, row: dict[str, Any], number: str, definition: Definition, actor: Actor
    ) -> None:
        journal = self.books.journal
        line = next((one for one in record.lines if str(one.line_no + 1) == number), None)
        if line is None:
            raise BookError(BUSINESS, f"Line {number} does not exist.", "Lines count from 1.")
        before = line.quantity
        if text_of(row, "QUANTITY"):
            journal.set(line, "quantity", quantity(row["QUANTITY"]))
        if text_of(row, "PRICE"):
            journal.set(line, "price", quantity(row["PRICE"], "Price"))
        if text_of(row, "MEMO"):
            journal.set(line, "memo", text_of(row, "MEMO"))
        amount = int((line.quantity * line.price * 100).quantize(Decimal(1), ROUND_HALF_UP))
        journal.set(line, "amount", amount)
        if line.warehouseid and line.quantity != before:
            if line.source_line is not None:
                taken = line.source_line.converted + line.quantity - before
                if taken > line.source_line.quantity:
                    raise BookError(BUSINESS, f"The quantity {line.quantity} is more than was ordered.")
                journal.set(line.source_line, "converted", taken)
            self._stock(record, line, definition, line.quantity - before, actor)

    def _post(self, document: OrderDocument, definition: Definition, posted: str, actor: Actor) -> None:
        if definition.posts == "none":
            return
        assert document.customer is not None
        is_credit = definition.posts == "AR credit"
        sign = -1 if is_credit and self.knobs.return_amounts == "positive" else 1
        lines = [
            {
                "ACCOUNTNO": line.account,
                "TRX_AMOUNT": "0.00" if not line.amount else money(sign * line.amount),
                "LOCATIONID": line.location,
                "DEPARTMENTID": line.department,
                "ITEMID": line.itemid,
                "ENTRYDESCRIPTION": line.memo,
                "SUBTOTAL": line.subtotal,
                **({"TAXENTRIES": [_signed(tax, sign) for tax in line.taxes]} if line.taxes else {}),
            }
            for line in document.lines
        ]
        fields: dict[str, Any] = {
            "RECORDID": document.docno,
            "CUSTOMERID": document.customer.customerid,
            "WHENCREATED": day_text(document.created_on),
            "WHENPOSTED": posted,
            "WHENDUE": day_text(document.due_on) if document.due_on else "",
            "TERMNAME": document.termname,
            "DOCNUMBER": document.referenceno,
            "DESCRIPTION": document.message,
            "CURRENCY": document.currency,
        }
        solution = text_of(document.extra or {}, "TAXSOLUTIONID")
        if solution:
            fields["TAXSOLUTIONID"] = solution
        desk = self._receivables(is_credit=is_credit)
        fields[f"{desk.lines_name}S"] = lines
        self.books.journal.set(document, "invoice", desk.create(fields, actor, modulekey="8.SO"))

    def _receivables(self, *, is_credit: bool) -> receivables.ReceivableDesk:
        return (receivables.AdjustmentDesk if is_credit else receivables.InvoiceDesk)(self.books)

    def _unpost(self, document: OrderDocument, actor: Actor) -> None:
        invoice: Document | None = document.invoice
        if invoice is not None:
            desk = self._receivables(is_credit=invoice.recordtype == "ra")
            desk.delete(invoice, actor)
            self.books.note_deleted(desk.object_name.lower(), str(invoice.recordno), actor)
            self.books.journal.set(document, "invoice", None)

    def _progress(self, source: OrderDocument | None) -> None:
        if source is None:
            return
        items = [line for line in source.lines if not line.subtotal]
        if all(line.converted >= line.quantity for line in items):
            state = "Converted"
        else:
            state = "Partially Converted" if any(line.converted for line in items) else "Pending"
        self.books.journal.set(source, "state", state)


def _signed(tax: dict[str, Any], sign: int) -> dict[str, Any]:
    given = text_of(tax, "TRX_TAX")
    return {**tax, "TRX_TAX": money(sign * cents(given))} if given else tax
