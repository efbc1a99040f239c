"""Items, inventory totals and inventory transactions.

A total is the sum of its movements by item, warehouse and total name; there is no standard total for committed stock, so this
company keeps one of its own, ALLOCATED. Source: Sage Intacct Web Services documentation, Inventory Total Details.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout.sandbox.intacct.desk import Actor, Desk, required
from tieout.sandbox.intacct.records import Item, OrderDocument, OrderLine, PriceEntry
from tieout.sandbox.intacct.refusals import BAD_VALUE, BUSINESS, BookError, duplicate, invalid
from tieout.sandbox.intacct.values import day, quantity, rows_of, text_of

if TYPE_CHECKING:
    from tieout.sandbox.intacct.books import Books

ITEM_TYPES = ("Inventory", "Non-Inventory", "Kit", "Stockable Kit")
_ITEM = {"ITEMID", "NAME", "ITEMTYPE", "STATUS", "INCOMEACCTKEY", "UOMGRP", "RECORDNO"}


class PriceDesk(Desk):
    """SOPRICELISTENTRY: create, update, delete; named by RECORDNO."""

    object_name = "SOPRICELISTENTRY"
    noun = "Price List Entry"

    def create(self, fields: dict[str, Any], actor: Actor) -> PriceEntry:
        """Make an entry of an item that exists."""
        required(fields, "PRICELISTID", "Price List")
        itemid = item_for(self.books, fields).itemid if text_of(fields, "ITEMID") else ""
        entry = PriceEntry(
            self.books.next("priceentry"), actor.entity, actor.at, actor.at, actor.user, actor.user, itemid
        )
        entry.extra = {key: value for key, value in fields.items() if key != "ITEMID"}
        self.books.tables["SOPRICELISTENTRY"].add(self.books.journal, entry)
        return entry

    def update(self, record: PriceEntry, fields: dict[str, Any], actor: Actor) -> PriceEntry:
        """Change what is given."""
        self.books.journal.set(record, "extra", {**record.extra, **fields})
        self.books.touch(record, actor)
        return record

    def delete(self, record: PriceEntry, actor: Actor) -> None:
        """Take the entry away."""
        self.books.tables["SOPRICELISTENTRY"].remove(self.books.journal, record)


class ItemDesk(Desk):
    """ITEM: create, update; named by ITEMID or RECORDNO."""

    object_name = "ITEM"
    noun = "Item"
    by_id = True

    def find(self, key: int | str) -> Item | None:
        """By ITEMID first, then by RECORDNO."""
        return self.books.items.get(str(key).strip()) or super().find(key)

    def create(self, fields: dict[str, Any], actor: Actor) -> Item:
        """Make an item."""
        books = self.books
        itemid = books.length("ITEM.ITEMID", required(fields, "ITEMID", "Item ID"), "Item ID")
        if itemid in books.items:
            raise duplicate("Item", itemid)
        item = Item(
            books.next("item"), actor.entity, actor.at, actor.at, actor.user, actor.user, itemid, itemid
        )
        self._fill(item, fields)
        books.tables["ITEM"].add(books.journal, item)
        books.journal.put(books.items, itemid, item)
        return item

    def update(self, record: Item, fields: dict[str, Any], actor: Actor) -> Item:
        """Change what is given."""
        trial = Item(record.recordno, "", actor.at, actor.at, "", "", record.itemid, record.name)
        trial.itemtype, trial.status, trial.income_account = (
            record.itemtype,
            record.status,
            record.income_account,
        )
        trial.extra = record.extra
        self._fill(trial, fields)
        for name in ("name", "itemtype", "status", "income_account", "extra"):
            self.books.journal.set(record, name, getattr(trial, name))
        self.books.touch(record, actor)
        return record

    def _fill(self, item: Item, fields: dict[str, Any]) -> None:
        item.name = text_of(fields, "NAME", item.name)
        item.itemtype = text_of(fields, "ITEMTYPE", item.itemtype)
        if item.itemtype not in ITEM_TYPES and not item.itemtype.startswith("Non-Inventory"):
            raise invalid("Item Type", item.itemtype)
        item.status = text_of(fields, "STATUS", item.status).lower()
        account = text_of(fields, "INCOMEACCTKEY", item.income_account)
        if account and account not in self.company.accounts:
            raise invalid("GL Account", account)
        item.income_account = account
        item.extra = {**item.extra, **{key: value for key, value in fields.items() if key not in _ITEM}}


class MovementDesk(Desk):
    """INVDOCUMENT, made by create_ictransaction: each line moves the totals its definition names."""

    object_name = "INVDOCUMENT"
    noun = "Inventory Transaction"
    by_id = True

    def find(self, key: int | str) -> OrderDocument | None:
        """By document id (`definition-number`), then by RECORDNO."""
        found = self.books.order_numbers.get(str(key).strip())
        if isinstance(found, OrderDocument) and found.customer is None:
            return found
        return super().find(key)

    def audit_key(self, record: OrderDocument) -> str:
        """Logged under the document id."""
        return record.docid

    def create(self, fields: dict[str, Any], actor: Actor) -> OrderDocument:
        """Move stock. The unit of a line must be the item's own, spelt the same."""
        books = self.books
        name = required(fields, "TRANSACTIONTYPE", "Transaction type")
        definition = self.company.inventory_definitions.get(name)
        if definition is None:
            raise invalid("Transaction Definition", name)
        on = day(required(fields, "WHENCREATED", "Date"))
        rows = rows_of(fields, "LINES", "LINE")
        if not rows:
            raise BookError("BL03002101", "The transaction has no lines.", "Add at least one line.")
        docno = text_of(fields, "DOCNO") or f"{definition.prefix}{books.next(name):04d}"
        document = OrderDocument(
            books.next("document"),
            actor.entity,
            actor.at,
            actor.at,
            actor.user,
            actor.user,
            name,
            books.identifier(docno, "Document number"),
            None,
            on,
            "Submitted",
            "",
            referenceno=text_of(fields, "REFERENCENO"),
            message=text_of(fields, "MESSAGE"),
        )
        if document.docid in books.order_numbers:
            raise BookError(
                "BL03002185", f"A transaction with that number already exists: '{document.docid}'."
            )
        for row in rows:
            self._line(document, row, definition.totals, actor)
        books.tables["INVDOCUMENT"].add(books.journal, document)
        books.journal.put(books.order_numbers, document.docid, document)
        return document

    def delete(self, record: OrderDocument, actor: Actor) -> None:
        """Take the document and its movements away."""
        books = self.books
        for move in record.moves:
            books.remove_move(move)
        for line in record.lines:
            books.tables["INVDOCUMENTENTRY"].remove(books.journal, line)
        books.tables["INVDOCUMENT"].remove(books.journal, record)
        books.journal.drop(books.order_numbers, record.docid)

    def _line(
        self, document: OrderDocument, row: dict[str, Any], totals: dict[str, int], actor: Actor
    ) -> None:
        books = self.books
        item = item_for(books, row)
        warehouse = required(row, "WAREHOUSEID", "Warehouse")
        if warehouse not in self.company.warehouses:
            raise invalid("Warehouse", warehouse)
        amount = quantity(required(row, "QUANTITY", "Quantity"))
        location = text_of(row, "LOCATIONID") or self.company.warehouses[warehouse].parent
        books.may_touch(books.location(location), actor, "warehouse")
        line = OrderLine(
            books.next("docentry"),
            len(document.lines),
            document,
            item.itemid,
            amount,
            Decimal(0),
            0,
            warehouse,
            location,
            item.unit,
            text_of(row, "MEMO"),
        )
        books.tables["INVDOCUMENTENTRY"].add(books.journal, line)
        document.lines.append(line)
        for total, effect in totals.items():
            document.moves.append(
                books.add_move(
                    item.itemid, warehouse, total, amount * effect, item.unit, document.docid, actor.at
                )
            )


def item_for(books: Books, row: dict[str, Any]) -> Item:
    """The item of a line, its unit checked. Raises BL03000018 for a unit that is not the item's."""
    itemid = required(row, "ITEMID", "Item ID")
    item: Item | None = books.items.get(itemid)
    if item is None:
        raise invalid("Item", itemid)
    unit = text_of(row, "UNIT")
    if unit and unit != item.unit:
        raise BookError(
            BAD_VALUE, f"Missing unit '{unit}' for item '{itemid}'.", f"Use the unit '{item.unit}'."
        )
    if item.status != "active":
        raise BookError(BUSINESS, f"Item '{itemid}' is inactive.", "Make the item active, or use another.")
    return item


def levels(books: Books, item_id: str = "", warehouse_id: str = "") -> dict[tuple[str, str, str], Decimal]:
    """Quantity by (warehouse, item, total), the sum of all movements."""
    return {
        key: amount
        for key, amount in books.stock.items()
        if item_id in ("", key[1]) and warehouse_id in ("", key[0])
    }


def set_levels(books: Books, item_id: str, warehouse_id: str, wanted: dict[str, str], actor: Actor) -> None:
    """Move totals to the wanted quantities with one movement each; an unknown item is made first."""
    if warehouse_id not in books.company.warehouses:
        raise invalid("Warehouse", warehouse_id)
    if item_id not in books.items:
        item = Item(books.next("item"), "", actor.at, actor.at, actor.user, actor.user, item_id, item_id)
        books.tables["ITEM"].add(books.journal, item)
        books.journal.put(books.items, item_id, item)
    for total, text in wanted.items():
        change = quantity(text) - books.stock.get((warehouse_id, item_id, total), Decimal(0))
        if change:
            books.add_move(item_id, warehouse_id, total, change, "Each", "Opening balance", actor.at)
