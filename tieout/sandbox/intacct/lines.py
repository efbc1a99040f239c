"""Lines of AR documents: accounts, amounts, dimensions, tax entries, and the entity that their locations give."""

from __future__ import annotations

from typing import Any

from tieout.sandbox.intacct.desk import Actor, Desk, required
from tieout.sandbox.intacct.records import Document, Line
from tieout.sandbox.intacct.refusals import (
    BUSINESS,
    LINE_INCOMPLETE,
    LOCATION_EMPTY,
    BookError,
    invalid,
    missing,
)
from tieout.sandbox.intacct.values import cents, convert, rows_of, share, text_of

_LINE = {
    "ACCOUNTNO",
    "ACCOUNTLABEL",
    "OFFSETGLACCOUNTNO",
    "TRX_AMOUNT",
    "AMOUNT",
    "ENTRYDESCRIPTION",
    "LOCATIONID",
    "DEPARTMENTID",
    "ITEMID",
    "LINE_NO",
    "RECORDNO",
    "TAXENTRIES",
}


class LineDesk(Desk):
    """A desk whose documents have lines with locations of one entity."""

    recordtype = ""
    lines_name = ""

    def entity(self, rows: list[dict[str, Any]], actor: Actor) -> str:
        found: set[str] = set()
        for number, row in enumerate(rows, 1):
            location = text_of(row, "LOCATIONID")
            if location:
                found.add(self.books.location(location))
            elif self.knobs.multi_entity and not actor.entity:
                raise BookError(
                    LOCATION_EMPTY,
                    f"The location of line {number} is empty, and an empty location is not valid.",
                    "Give a location for each line of a multi-entity company.",
                )
            else:
                found.add(actor.entity or next(iter(self.company.entities)))
        if len(found) > 1:
            raise BookError(
                BUSINESS,
                f"Lines of one transaction belong to the entities {', '.join(sorted(found))}.",
                "Use locations of one entity, or make one transaction for each.",
            )
        entity = found.pop()
        self.books.may_touch(entity, actor, "location")
        return entity

    def add_line(self, document: Document, row: dict[str, Any], entity: str, actor: Actor) -> None:
        books, company = self.books, self.company
        account, label = text_of(row, "ACCOUNTNO"), text_of(row, "ACCOUNTLABEL")
        if label and not account:
            account = company.account_labels.get(label, "")
            if not account:
                raise invalid("Account Label", label)
        if not account:
            raise missing("GL account or account label")
        if account not in company.accounts:
            raise invalid("GL Account", account)
        offset = text_of(row, "OFFSETGLACCOUNTNO") or company.posting["ar_control"]
        if offset not in company.accounts:
            raise invalid("GL Account", offset)
        amount_text = text_of(row, "TRX_AMOUNT") or text_of(row, "AMOUNT")
        if not amount_text:
            raise BookError(
                LINE_INCOMPLETE,
                f"Line {len(document.lines) + 1} is extra or incomplete.",
                "Give an amount, or remove the line.",
            )
        amount = cents(amount_text)
        if amount < 0 and self.recordtype == "ri" and not self.knobs.allow_negative_lines:
            raise BookError(
                BUSINESS,
                "Negative lines are not allowed on invoices.",
                "Turn on inline credits, or use an adjustment.",
            )
        department, item = text_of(row, "DEPARTMENTID"), text_of(row, "ITEMID")
        if department and department not in company.departments:
            raise invalid("Department", department)
        if item and self.knobs.check_items and item not in books.items:
            raise invalid("Item", item)
        extra = None if row.keys() <= _LINE else {k: v for k, v in row.items() if k not in _LINE}
        if extra:
            self._dimensions(extra)
        location = text_of(row, "LOCATIONID") or company.location_of(entity)
        memo = books.length(f"{self.lines_name}.ENTRYDESCRIPTION", text_of(row, "ENTRYDESCRIPTION"), "Memo")
        parts = [(account, amount, memo, "")]
        if "TAXENTRIES" in row:
            parts += self._taxes(row, amount)
        for part_account, part_amount, part_memo, subtotal in parts:
            line = Line(
                books.next("entry"),
                len(document.lines) + 1,
                document,
                part_account,
                offset,
                part_amount,
                convert(part_amount, document.rate),
                location,
                part_memo,
                department,
                item,
                subtotal or text_of(row, "SUBTOTAL"),
                modified_at=actor.at,
                extra=extra,
            )
            document.lines.append(line)
            books.tables[self.lines_name].add(books.journal, line)

    def _dimensions(self, extra: dict[str, Any]) -> None:
        company = self.company
        for field, what, pool in (
            ("PROJECTID", "Project", company.projects),
            ("CLASSID", "Class", company.classes),
            ("WAREHOUSEID", "Warehouse", company.warehouses),
        ):
            value = text_of(extra, field)
            if value and value not in pool:
                raise invalid(what, value)

    def _taxes(self, row: dict[str, Any], amount: int) -> list[tuple[str, int, str, str]]:
        found = []
        for entry in rows_of(row, "TAXENTRIES", "TAXENTRY"):
            detail = required(entry, "DETAILID", "Tax detail")
            if detail not in self.company.tax_details:
                raise invalid("Tax Detail", detail)
            account, rate = self.company.tax_details[detail]
            given = text_of(entry, "TRX_TAX")
            numerator, denominator = (rate / 100).as_integer_ratio()
            tax = cents(given, "Tax") if given else share(numerator, denominator, amount)
            found.append((account, tax, detail, detail))
        return found

    def change_line(self, record: Document, number: int, row: dict[str, Any], actor: Actor) -> None:
        books, journal = self.books, self.books.journal
        line = next((one for one in record.lines if one.line_no == number), None)
        if line is None:
            raise BookError(
                BUSINESS, f"Line {number} does not exist.", "Lines count from 1; they cannot be removed."
            )
        amount = text_of(row, "TRX_AMOUNT") or text_of(row, "AMOUNT")
        if amount:
            journal.set(line, "trx_amount", cents(amount))
            journal.set(line, "amount", convert(line.trx_amount, record.rate))
        account = text_of(row, "ACCOUNTNO")
        if account:
            if account not in self.company.accounts:
                raise invalid("GL Account", account)
            journal.set(line, "account", account)
        if text_of(row, "ENTRYDESCRIPTION"):
            journal.set(line, "memo", text_of(row, "ENTRYDESCRIPTION"))
        location = text_of(row, "LOCATIONID")
        if location:
            if books.location(location) != record.entity:
                raise BookError(BUSINESS, "A line cannot move to a location of another entity.")
            journal.set(line, "location", location)
        journal.set(line, "modified_at", actor.at)
