"""The read functions: query, readByQuery, readMore, read, readByName, lookup, inspect and a few legacy ones.

Each gives the inside of a `data` element as markup. Letter case of rows follows the recordings: query and read have upper-case
rows, readByQuery and nested lines lower-case ones. Only the XML return format is offered.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tieout.sandbox.intacct.catalogue import ObjectType
from tieout.sandbox.intacct.columns import Field, render
from tieout.sandbox.intacct.describing import Describing, text_of_child
from tieout.sandbox.intacct.markup import element, escape, parent
from tieout.sandbox.intacct.query import AGGREGATES, MAX_PAGE, Reader, Viewer
from tieout.sandbox.intacct.refusals import GENERIC_XML, PROCESSING, BookError, illegal
from tieout.sandbox.intacct.where import Node, bad, from_element, from_text

MAX_READ_PAGE = 1000
MAX_KEYS = 100


@dataclass(slots=True)
class _Cursor:
    """What is left of a readByQuery; pages of one call stay tied together while data change."""

    kind: ObjectType
    fields: list[Field]
    rows: list[Any]
    at: int
    page: int
    owner: str
    expires: datetime


class Reading(Describing):
    """The read functions of one company. `call` answers with the markup of a data element."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._cursors: dict[str, _Cursor] = {}
        self._functions = {
            "query": self.query,
            "readByQuery": self.read_by_query,
            "readMore": self.read_more,
            "read": self.read,
            "readByName": self.read_by_name,
            "lookup": self.lookup,
            "inspect": self.inspect,
            "get_closedbooksdate": self.closed_books,
            "get_icitemtotals": self.item_totals,
            "readUserFormatting": self.user_formatting,
            "readEntityDetails": self.entity_details,
        }
        self.names = frozenset(self._functions)

    def call(self, element_in: Any, viewer: Viewer, owner: str) -> str:
        """Run one read function. Raises BookError."""
        return self._functions[element_in.tag](element_in, viewer, owner)

    # ---- query -----------------------------------------------------------------------------------------------

    def query(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Upper-case rows with totalcount, offset, count and numremaining."""
        kind = self.reader.object_type(text_of_child(call, "object"), viewer)
        names, aggregates = _selection(call)
        size = _number(call, "pagesize", 100)
        offset = _number(call, "offset", 0)
        if not 1 <= size <= MAX_PAGE:
            raise bad(f"The page size must be from 1 to {MAX_PAGE}.")
        options = call.find("options")
        if text_of_child(options, "returnformat").lower() not in ("", "xml"):
            raise bad("Only the xml return format is available.")
        order, chosen_fields = _order(call), [*names, *(name for _, name in aggregates)]
        self._queryable(kind, [*chosen_fields, *(name for name, _ in order)])
        fields = self.reader.resolve(kind, chosen_fields)
        groups, measured = fields[: len(names)], fields[len(names) :]
        rows = self.reader.select(
            kind,
            _filter(call),
            order,
            viewer,
            private=text_of_child(options, "showprivate").lower() == "true",
            ignore_case=text_of_child(options, "caseinsensitive").lower() == "true",
        )
        if aggregates:
            sums = [(function, one) for (function, _), one in zip(aggregates, measured, strict=True)]
            lines = self.reader.aggregate(groups, sums, rows)
            total, page = len(lines), lines[offset : offset + size]
            inside = [parent(kind.name, (element(tag, text) for tag, text in line)) for line in page]
        else:
            total, chosen = len(rows), rows[offset : offset + size]
            inside = [self._row(kind.name, groups, row) for row in chosen]
        return parent(
            "data",
            inside,
            listtype=kind.name,
            totalcount=str(total),
            offset=str(offset),
            count=str(len(inside)),
            numremaining=str(max(total - offset - len(inside), 0)),
        )

    def _queryable(self, kind: ObjectType, names: list[str]) -> None:
        """Fields that lookup lists and query refuses: one of them refuses the whole query."""
        listed = {part.strip() for part in self.company.knobs.unqueryable_fields.split(",")}
        barred = [name for name in names if f"{kind.name}.{name}" in listed]
        if barred:
            raise BookError(
                GENERIC_XML,
                f"The following fields cannot be queried on {kind.name}: {', '.join(barred)}",
                "Remove these fields.",
            )

    # ---- readByQuery and its kin -----------------------------------------------------------------------------

    def read_by_query(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Lower-case rows and a resultId for readMore; filters compare enums by code."""
        kind = self._prose(text_of_child(call, "object"), viewer)
        size = _number(call, "pagesize", 100)
        if not 1 <= size <= MAX_READ_PAGE:
            raise bad(f"The page size must be from 1 to {MAX_READ_PAGE}.")
        self._xml_only(call)
        fields = self._asked(kind, text_of_child(call, "fields"))
        rows = self.reader.select(kind, from_text(text_of_child(call, "query")), [], viewer, codes=True)
        minutes = self.company.knobs.result_id_minutes
        now = self.books.clock()
        cursor = _Cursor(kind, fields, rows, 0, size, owner, now + timedelta(minutes=minutes))
        result_id = secrets.token_hex(16)
        self._cursors = {key: old for key, old in self._cursors.items() if old.expires > now}
        self._cursors[result_id] = cursor
        return self._page(result_id, cursor)

    def read_more(self, call: Any, viewer: Viewer, owner: str) -> str:
        """The next page of a readByQuery, by resultId or by the name of its object."""
        result_id, name = text_of_child(call, "resultId"), text_of_child(call, "object").upper()
        if not result_id and name:
            mine = [key for key, old in self._cursors.items() if old.owner == owner and old.kind.name == name]
            result_id = mine[-1] if mine else ""
        cursor = self._cursors.get(result_id)
        if cursor is None or cursor.expires < self.books.clock() or cursor.owner != owner:
            raise BookError(
                PROCESSING,
                "There was an error processing the request.",
                "The resultId is unknown or has expired.",
            )
        return self._page(result_id, cursor)

    def _page(self, result_id: str, cursor: _Cursor) -> str:
        chosen = cursor.rows[cursor.at : cursor.at + cursor.page]
        cursor.at += len(chosen)
        name = cursor.kind.name.lower()
        return parent(
            "data",
            (self._row(name, cursor.fields, row) for row in chosen),
            listtype=name,
            count=str(len(chosen)),
            totalcount=str(len(cursor.rows)),
            numremaining=str(len(cursor.rows) - cursor.at),
            resultId=result_id,
        )

    def read(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Records by RECORDNO, with their lines; keys that do not exist just do not appear."""
        kind = self._prose(text_of_child(call, "object"), viewer)
        rows = []
        for key in self._keys(call):
            if not key.isdigit():
                raise BookError(
                    "DL03000005", f"There is no record for the record key '{key}'.", "Give RECORDNOs."
                )
            row = self._by_number(kind, int(key))
            if row is not None and self.reader.is_visible(kind, row, viewer):
                rows.append(row)
        return self._records(kind, call, rows)

    def read_by_name(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Records by their id, such as CUSTOMERID, ITEMID, or a document's number."""
        kind = self._prose(text_of_child(call, "object"), viewer)
        if not kind.id_field:
            raise BookError("Query Failed", f"Object {kind.name} has no name to read by.")
        wanted: Node = ("in", kind.id_field, self._keys(call))
        rows = self.reader.select(kind, wanted, [("RECORDNO", False)], viewer)
        return self._records(kind, call, rows)

    def _records(self, kind: ObjectType, call: Any, rows: list[Any]) -> str:
        self._xml_only(call)
        asked = text_of_child(call, "fields")
        fields = self._asked(kind, asked)
        nested = (
            kind.nested
            if asked in ("", "*") or (kind.nested and kind.nested[0] in asked.split(","))
            else None
        )
        inside = []
        for row in rows:
            parts = [element(one.name, render(one, one.get(row), self.company)) for one in fields]
            if nested is not None:
                plural, singular, children = nested
                line_fields = list(self.reader.objects[singular].fields.values())
                lines = (self._row(singular.lower(), line_fields, line) for line in children(row))
                parts.append(parent(plural, lines))
            inside.append(parent(kind.name, parts))
        return parent("data", inside, listtype=kind.name, count=str(len(inside)))

    def _by_number(self, kind: ObjectType, number: int) -> Any | None:
        if kind.rows is not None:
            return next((row for row in kind.rows(self.books) if row.recordno == number), None)
        return self.books.tables[kind.table].get(number)

    def _keys(self, call: Any) -> list[str]:
        keys = [key.strip() for key in text_of_child(call, "keys").split(",") if key.strip()]
        if not keys:
            raise illegal("keys")
        if len(keys) > MAX_KEYS:
            raise bad(f"At most {MAX_KEYS} keys can be read at once.")
        return keys

    def _prose(self, name: str, viewer: Viewer) -> ObjectType:
        try:
            return self.reader.object_type(name, viewer)
        except BookError as refusal:
            if "not found" in refusal.description2:  # the older functions answer with prose in the number
                raise BookError("Query Failed", refusal.description2, refusal.correction) from None
            raise

    def _asked(self, kind: ObjectType, text: str) -> list[Field]:
        if text in ("", "*"):
            return list(kind.fields.values())
        names = [name.strip() for name in text.split(",") if name.strip()]
        if kind.nested is not None:
            names = [name for name in names if name != kind.nested[0]]
        try:
            return self.reader.resolve(kind, names)
        except BookError as refusal:
            unknown = refusal.description2.rpartition(": ")[2]
            raise BookError(f"Invalid fields list {unknown}", "", "Check the field names.") from None

    @staticmethod
    def _xml_only(call: Any) -> None:
        if text_of_child(call, "returnFormat").lower() not in ("", "xml"):
            raise bad("Only the xml return format is available.")

    def _row(self, name: str, fields: list[Field], row: Any) -> str:
        company = self.company
        parts = []
        for one in fields:
            text = render(one, one.get(row), company)
            parts.append(f"<{one.name}>{escape(text)}</{one.name}>" if text else f"<{one.name}/>")
        return f"<{name}>{''.join(parts)}</{name}>"


def _number(call: Any, name: str, default: int) -> int:
    text = text_of_child(call, name)
    if not text:
        return default
    if not text.isdigit() or len(text) > 9:
        raise bad(f"{name} must be a whole number.")
    return int(text)


def _selection(call: Any) -> tuple[list[str], list[tuple[str, str]]]:
    select = call.find("select")
    names: list[str] = []
    aggregates: list[tuple[str, str]] = []
    for child in select if select is not None else ():
        text = (child.text or "").strip()
        if child.tag == "field":
            names.append(text)
        elif child.tag in AGGREGATES:
            aggregates.append((child.tag, text))
        else:
            raise bad(f"'{child.tag}' cannot be selected.")
    if not names and not aggregates:
        raise bad("The select element must name at least one field.")
    if "*" in names:
        raise bad("The select element takes field names, not '*'.")
    return names, aggregates


def _filter(call: Any) -> Node | None:
    found = call.find("filter")
    if found is None or len(found) == 0:
        return None
    if len(found) > 1:
        raise bad("The filter takes one operator; join several with and, or.")
    return from_element(found[0])


def _order(call: Any) -> list[tuple[str, bool]]:
    found = []
    for order in call.findall("orderby/order"):
        name = text_of_child(order, "field")
        if not name:
            raise bad("An order needs a field.")
        found.append((name, order.find("descending") is not None))
    return found
