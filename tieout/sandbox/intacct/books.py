"""The books: subledger and general ledger of one company, always balanced, with an undo journal.

Every write goes through `create`, `update`, `delete`, `reverse`, `apply` or `set_stock`; each is atomic, stamps audit columns,
leaves a row in the audit history and is reported to `on_event`, so that a state file can tell the story again.
All amounts are hundredths; entries in the general ledger are signed, debit positive.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tieout.sandbox.intacct import customers, inventory, journals, orders, receipts, receivables
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.desk import Actor
from tieout.sandbox.intacct.journal import Journal, Table
from tieout.sandbox.intacct.ledger import Ledger
from tieout.sandbox.intacct.records import AuditRow, GlBatch, StockMove
from tieout.sandbox.intacct.refusals import BUSINESS, BookError, illegal, invalid
from tieout.sandbox.intacct.values import day

TABLES = (
    "CUSTOMER",
    "ITEM",
    "ARINVOICE",
    "ARINVOICEITEM",
    "ARADJUSTMENT",
    "ARADJUSTMENTITEM",
    "ARPYMT",
    "ARPYMTDETAIL",
    "GLBATCH",
    "GLENTRY",
    "SODOCUMENT",
    "SODOCUMENTENTRY",
    "SOPRICELISTENTRY",
    "INVDOCUMENT",
    "INVDOCUMENTENTRY",
    "INVENTORYTOTALDETAIL",
    "AUDITHISTORY",
)
_KINDS: dict[str, Any] = {
    "CUSTOMER": customers.CustomerDesk,
    "ITEM": inventory.ItemDesk,
    "ARINVOICE": receivables.InvoiceDesk,
    "ARADJUSTMENT": receivables.AdjustmentDesk,
    "ARPYMT": receipts.PaymentDesk,
    "ARADVANCE": receipts.AdvanceDesk,
    "GLBATCH": journals.JournalDesk,
    "SODOCUMENT": orders.OrderDesk,
    "SOPRICELISTENTRY": inventory.PriceDesk,
    "INVDOCUMENT": inventory.MovementDesk,
}


class Books(Ledger):
    """One company's records. Thread-safe: hold `lock` around several calls that belong together."""

    def __init__(self, company: Company, clock: Callable[[], datetime] | None = None) -> None:
        self.company = company
        self.clock = clock or (lambda: datetime.now(UTC))
        self.lock = threading.RLock()
        self.journal = Journal()
        self.tables = {name: Table() for name in TABLES}
        self.numbers: Counter[str] = Counter()
        self.customers: dict[str, Any] = {}
        self.contacts: dict[str, str] = {}
        self.items: dict[str, Any] = {}
        self.document_numbers: dict[tuple[str, str, str], Any] = {}
        self.order_numbers: dict[str, Any] = {}
        self.summaries: dict[tuple[str, str, date], GlBatch] = {}
        self.stock: dict[tuple[str, str, str], Decimal] = {}
        self.on_event: Callable[[dict[str, Any]], None] | None = None
        self.force = False
        self._depth = 0
        self._desks = {name: desk(self) for name, desk in _KINDS.items()}
        self._seed()

    def _seed(self) -> None:
        for row in self.company.customers:
            self.create("CUSTOMER", row, None)
        for row in self.company.items:
            self.create("ITEM", row, None)

    # ---- the doors -------------------------------------------------------------------------------------------

    def create(self, object_name: str, fields: dict[str, Any], entity: str | None = None, **who: Any) -> int:
        """Make one record and return its RECORDNO. Raises BookError and leaves no trace when refused."""
        with self._writing("create", object_name, entity, who, fields=fields) as actor:
            desk = self._desk(object_name)
            try:
                record = desk.create(fields, actor)
            except BookError as refusal:
                raise refusal.wrapped(desk.noun) from None
            self._audit(desk, record, "C", actor)
            return int(record.recordno)

    def update(
        self, object_name: str, key: int | str, fields: dict[str, Any], entity: str | None = None, **who: Any
    ) -> int:
        """Change one record, named by RECORDNO or by its id; returns its RECORDNO, which may be a new one."""
        with self._writing("update", object_name, entity, who, key=key, fields=fields) as actor:
            desk = self._desk(object_name)
            try:
                record = desk.update(self._find(desk, key, actor), fields, actor)
            except BookError as refusal:
                raise refusal.wrapped(desk.noun, "update") from None
            self._audit(desk, record, "M", actor)
            return int(record.recordno)

    def delete(self, object_name: str, key: int | str, entity: str | None = None, **who: Any) -> None:
        """Remove one record that nothing depends on; the audit history keeps its key."""
        with self._writing("delete", object_name, entity, who, key=key) as actor:
            desk = self._desk(object_name)
            record = self._find(desk, key, actor, "delete")
            desk.delete(record, actor)
            self._audit(desk, record, "D", actor)

    def reverse(
        self, object_name: str, key: int | str, fields: dict[str, Any], entity: str | None = None, **who: Any
    ) -> int:
        """Reverse one posted document on the date DATEREVERSED (MM/DD/YYYY); returns its RECORDNO."""
        with self._writing("reverse", object_name, entity, who, key=key, fields=fields) as actor:
            desk = self._desk(object_name)
            record = self._find(desk, key, actor)
            desk.reverse(record, day(str(fields.get("DATEREVERSED", "")), "Reversal date"), actor)
            self._audit(desk, record, "M", actor)
            return int(record.recordno)

    def apply(self, key: int | str, fields: dict[str, Any], entity: str | None = None, **who: Any) -> int:
        """Set money of a receipt that is on account against invoices; returns the receipt's RECORDNO."""
        with self._writing("apply", "ARPYMT", entity, who, key=key, fields=fields) as actor:
            desk = self._desk("ARPYMT")
            record = desk.apply(self._find(desk, key, actor), fields, actor)
            self._audit(desk, record, "M", actor)
            return int(record.recordno)

    def set_stock(
        self, item_id: str, warehouse_id: str, on_hand: Any, on_order: Any = 0, allocated: Any = 0
    ) -> None:
        """Move the inventory totals ONHAND, ONORDER and ALLOCATED of an item in a warehouse to these quantities."""
        levels = {"ONHAND": str(on_hand), "ONORDER": str(on_order), "ALLOCATED": str(allocated)}
        with self._writing("stock", item_id, None, {}, key=warehouse_id, fields=levels) as actor:
            inventory.set_levels(self, item_id, warehouse_id, levels, actor)

    def closed_through(self, entity: str) -> date | None:
        """The last closed day of an entity; at top level the earliest of all, None when one is open."""
        ends = [
            one.closed_through for one in self.company.entities.values() if not entity or one.id == entity
        ]
        return None if not ends or None in ends else min(end for end in ends if end)

    def close_period(self, on: date, entity: str | None = None) -> None:
        """Close every period up to and including `on`, for one entity or for all."""
        with self._writing("close", "PERIOD", None, {}, key=on.isoformat(), fields={"entity": entity or ""}):
            for one in self.company.entities.values():
                if entity in (None, "", one.id):
                    one.closed_through = on

    # ---- for the desks ---------------------------------------------------------------------------------------

    def location(self, location: str, what: str = "Location") -> str:
        """Check a location and return its entity."""
        if location not in self.company.locations:
            raise invalid(what, location)
        return self.company.entity_of(location)

    def open_for(self, entity: str, on: date) -> None:
        """Refuse a date inside a closed period of the entity."""
        closed = self.company.entities[entity].closed_through
        if closed is not None and on <= closed and not self.force:
            knobs = self.company.knobs
            raise BookError(
                knobs.closed_period_errorno,
                knobs.closed_period_text,
                "Use a date in an open period, or open the period.",
                details={"errorid": "GL-0201", "category": "Closed Period", "field": "DATE"},
            )

    def length(self, name: str, value: str, label: str) -> str:
        """The value, checked against (or cut to) the longest text the company allows for a field."""
        longest = self.company.lengths.get(name)
        if longest is None or len(value) <= longest or self.company.knobs.lengths == "off":
            return value
        if self.company.knobs.lengths == "truncate":
            return value[:longest]
        raise BookError(
            "BL03000018",
            f"The value of {label} is longer than {longest} characters.",
            "Shorten the value and try again.",
            details={"errorid": "CO-0019", "category": "Invalid Value", "field": name},
        )

    def identifier(self, value: str, label: str) -> str:
        """An id or document number, checked for characters that break links and filters."""
        bad = sorted(set(value) & set(self.company.knobs.forbidden_characters))
        if bad or any(ord(char) < 32 for char in value):
            raise illegal(label, value)
        return value

    def rate_for(self, fields: dict[str, Any], currency: str, base: str, on: date) -> tuple[int, date, str]:
        """(rate, date, type) from the exchange fields of a document; a type and a rate together are refused."""
        explicit = str(fields.get("EXCHANGE_RATE") or "").strip()
        rate_type = str(fields.get("EXCH_RATE_TYPE_ID") or "").strip()
        if explicit and rate_type:
            raise BookError(
                BUSINESS,
                "Give either an exchange rate or an exchange rate type, not both.",
                "Remove one of the two.",
            )
        if currency == base:
            return self.company.rate(currency, base, on, "") or 0, on, ""
        if explicit:
            try:
                rate = int((Decimal(explicit) * 10**10).to_integral_value())
            except ArithmeticError as bad:
                raise illegal("Exchange rate", explicit) from bad
            if rate <= 0:
                raise illegal("Exchange rate", explicit)
            return rate, on, ""
        rate_type = rate_type or "Intacct Daily Rate"
        at = str(fields.get("EXCH_RATE_DATE") or "").strip()
        rate_on = day(at, "Exchange rate date") if at else on
        found = self.company.rate(currency, base, rate_on, rate_type)
        if found is None:
            raise BookError(
                BUSINESS,
                f"Exchange rate not found for {currency} to {base} on {rate_on:%m/%d/%Y} ('{rate_type}').",
                "Add the rate, or give an exchange rate.",
            )
        return found, rate_on, rate_type

    def touch(self, record: Any, actor: Actor) -> None:
        """Stamp a change."""
        self.journal.set(record, "modified_at", actor.at)
        if hasattr(record, "modified_by"):
            self.journal.set(record, "modified_by", actor.user)

    def may_touch(self, owner: str, actor: Actor, what: str = "record") -> None:
        """Refuse work on another entity's record in an entity-level session."""
        if actor.entity and owner and owner != actor.entity:
            raise BookError(
                BUSINESS,
                f"The {what} belongs to the entity '{owner}', and this session to '{actor.entity}'.",
                "Log in to that entity, or at the top level.",
            )

    def add_move(
        self, item: str, warehouse: str, total: str, amount: Decimal, unit: str, document: str, at: datetime
    ) -> StockMove:
        """Record a movement of an inventory total."""
        move = StockMove(self.next("move"), item, warehouse, total, amount, unit, document, at)
        self.tables["INVENTORYTOTALDETAIL"].add(self.journal, move)
        self._shift(move, 1)
        return move

    def remove_move(self, move: StockMove) -> None:
        """Take a movement back."""
        self.tables["INVENTORYTOTALDETAIL"].remove(self.journal, move)
        self._shift(move, -1)

    def _shift(self, move: StockMove, sign: int) -> None:
        key = (move.warehouseid, move.itemid, move.totalname)
        self.journal.put(self.stock, key, self.stock.get(key, Decimal(0)) + sign * move.quantity)

    def note_deleted(self, objecttype: str, objectkey: str, actor: Actor) -> None:
        """Leave the trace of a deletion that is part of another write."""
        row = AuditRow(self.next("audit"), objecttype, objectkey, "D", actor.at, actor.user, "system")
        self.tables["AUDITHISTORY"].add(self.journal, row)

    # ---- inside ----------------------------------------------------------------------------------------------

    def _desk(self, object_name: str) -> Any:
        desk = self._desks.get(object_name)
        if desk is None:
            raise BookError(
                "XL03000009",
                f"Object definition {object_name} not found",
                "Use an object that can be written.",
            )
        return desk

    def _find(self, desk: Any, key: int | str, actor: Actor, verb: str = "update") -> Any:
        record = desk.find(key)
        if record is None:
            if desk.by_id:
                raise BookError(BUSINESS, f"Cannot find {desk.noun.lower()} with key '{key}' to {verb}.")
            raise BookError(
                "DL03000005", f"There is no {desk.noun} for the record key '{key}'.", "Give its RECORDNO."
            )
        self.may_touch(record.entity, actor, desk.noun)
        return record

    def _audit(self, desk: Any, record: Any, mode: str, actor: Actor) -> None:
        row = AuditRow(
            self.next("audit"),
            desk.object_name.lower(),
            desk.audit_key(record),
            mode,
            actor.at,
            actor.user,
            actor.source,
        )
        self.tables["AUDITHISTORY"].add(self.journal, row)

    @contextmanager
    def _writing(
        self, operation: str, object_name: str, entity: str | None, who: dict[str, Any], **told: Any
    ) -> Iterator[Actor]:
        with self.lock:
            at = (who.get("at") or self.clock()).replace(microsecond=0)
            actor = Actor(
                who.get("user", "system"), entity or "", at, who.get("source", "api"), who.get("force", False)
            )
            if actor.entity and actor.entity not in self.company.entities:
                raise invalid("Entity", actor.entity)
            mark, numbers = self.journal.mark(), dict(self.numbers) if self.on_event else {}
            outer, self.force = self.force, actor.force or self.force
            self._depth += 1
            try:
                yield actor
            except BaseException:
                self.journal.roll_back(mark)
                raise
            finally:
                self.force = outer
                self._depth -= 1
            if self.on_event is not None and self._depth == 0:
                self.on_event(
                    {
                        "op": operation,
                        "object": object_name,
                        "entity": actor.entity,
                        "at": actor.at.isoformat(),
                        "user": actor.user,
                        "source": actor.source,
                        "force": actor.force,
                        "numbers": numbers,
                        **told,
                    }
                )
            if self.journal_is_ours():
                self.journal.commit()

    keep_journal = False

    def journal_is_ours(self) -> bool:
        """Whether a finished write is final at once; a gateway operation sets `keep_journal` to decide itself."""
        return self._depth == 0 and not self.keep_journal
