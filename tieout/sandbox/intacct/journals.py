"""Journal entries (GLBATCH): written by hand or through the gateway, and made by the AR summaries.

Source: Sage Intacct Web Services documentation, Journal Entries. Entries must balance in the base currency of each entity.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tieout.sandbox.intacct.desk import Actor, Desk, Leg, required
from tieout.sandbox.intacct.records import GlBatch
from tieout.sandbox.intacct.refusals import BUSINESS, LOCATION_EMPTY, BookError, invalid, missing
from tieout.sandbox.intacct.values import cents, convert, day, money, rows_of, text_of

if TYPE_CHECKING:
    from tieout.sandbox.intacct.ledger import Ledger

_KNOWN = {"JOURNAL", "BATCH_DATE", "BATCH_TITLE", "REFERENCENO", "STATE", "ENTRIES", "REVERSEDATE"}


def new_batch(
    books: Ledger,
    actor: Actor,
    journal: str,
    on: date,
    title: str,
    module: str,
    entity: str,
    prbatchkey: int | None = None,
) -> GlBatch:
    """An empty batch in the ledger."""
    number = books.next("glbatch")
    batch = GlBatch(
        number,
        entity,
        actor.at,
        actor.at,
        actor.user,
        actor.user,
        number,
        journal,
        on,
        title,
        module,
        prbatchkey,
    )
    books.tables["GLBATCH"].add(books.journal, batch)
    return batch


class JournalDesk(Desk):
    """GLBATCH: create, delete, reverse."""

    object_name = "GLBATCH"
    noun = "Journal Entry"

    def create(self, fields: dict[str, Any], actor: Actor) -> GlBatch:
        """Post a journal of two or more entries, with its own reversal when REVERSEDATE is given."""
        books = self.books
        symbol = required(fields, "JOURNAL", "Journal")
        if symbol not in self.company.journals:
            raise invalid("Journal", symbol)
        on = day(required(fields, "BATCH_DATE", "Posting date"))
        title = required(fields, "BATCH_TITLE", "Description")
        rows = rows_of(fields, "ENTRIES", "GLENTRY")
        if len(rows) < 2:
            raise BookError(BUSINESS, "A journal entry needs at least two lines.", "Add the other side.")
        legs, currency, entities = self._legs(rows, on, actor)
        for entity in entities:
            books.open_for(entity, on)
        owner = actor.entity or (next(iter(entities)) if len(entities) == 1 else "")
        title = books.length("GLBATCH.BATCH_TITLE", title, "Description")
        batch = new_batch(books, actor, symbol, on, title, "2.GL", owner)
        batch.referenceno = books.length(
            "GLBATCH.REFERENCENO", text_of(fields, "REFERENCENO"), "Reference number"
        )
        batch.extra = {key: value for key, value in fields.items() if key not in _KNOWN} or None
        if text_of(fields, "STATE").lower() == "draft":
            batch.state = "Draft"
        books.post(batch, None, currency, legs, actor.at)
        reverse_text = text_of(fields, "REVERSEDATE")
        if reverse_text:
            reverse_on = day(reverse_text, "Reversal date")
            if reverse_on <= on:
                raise BookError(BUSINESS, "The reversal date must be later than the posting date.")
            self._mirror(batch, reverse_on, actor)
        return batch

    def delete(self, record: GlBatch, actor: Actor) -> None:
        """Remove a journal that people made; summaries of the subledger stay."""
        self._by_hand(record, "deleted")
        for entity in {entry.entity for entry in record.entries.values()}:
            self.books.open_for(entity, record.on)
        for entry in record.entries.values():
            self.books.tables["GLENTRY"].remove(self.books.journal, entry)
        self.books.tables["GLBATCH"].remove(self.books.journal, record)

    def reverse(self, record: GlBatch, on: date, actor: Actor) -> None:
        """Post the mirror image as a journal of its own."""
        self._by_hand(record, "reversed")
        if record.state != "Posted":
            raise BookError(BUSINESS, f"The journal entry is {record.state} and cannot be reversed.")
        self._mirror(record, on, actor)
        self.books.touch(record, actor)

    def _mirror(self, record: GlBatch, on: date, actor: Actor) -> None:
        for entity in {entry.entity for entry in record.entries.values()}:
            self.books.open_for(entity, on)
        batch = new_batch(
            self.books, actor, record.journal, on, f"Reversed: {record.title}"[:80], "2.GL", record.entity
        )
        legs = [
            Leg(
                entry.account,
                entry.location,
                -entry.trx_amount,
                -entry.amount,
                entry.memo,
                entry.department,
                None,
                entry.currency,
            )
            for entry in record.entries.values()
        ]
        currency = next(iter(record.entries.values())).currency
        self.books.post(batch, None, currency, legs, actor.at)

    def _by_hand(self, record: GlBatch, done: str) -> None:
        if record.module != "2.GL":
            raise BookError(
                BUSINESS,
                f"The batch '{record.title}' was posted by a subledger and cannot be {done} here.",
                "Change the document it comes from.",
            )

    def _legs(
        self, rows: list[dict[str, Any]], on: date, actor: Actor
    ) -> tuple[list[Leg], str, dict[str, int]]:
        legs: list[Leg] = []
        sums: dict[str, int] = {}
        currency = ""
        for number, row in enumerate(rows, 1):
            account = required(row, "ACCOUNTNO", "GL Account")
            if account not in self.company.accounts:
                raise invalid("GL Account", account)
            location = text_of(row, "LOCATION")
            if not location:
                if self.knobs.multi_entity and not actor.entity:
                    raise BookError(
                        LOCATION_EMPTY, f"The location of line {number} is empty.", "Give a location."
                    )
                location = self.company.location_of(actor.entity or next(iter(self.company.entities)))
            entity = self.books.location(location)
            self.books.may_touch(entity, actor, "location")
            base = self.company.entities[entity].currency
            currency = text_of(row, "CURRENCY") or base
            if currency not in self.company.currencies:
                raise invalid("Currency", currency)
            side = required(row, "TR_TYPE", "Transaction type")
            if side not in ("1", "-1"):
                raise invalid("Transaction type", side)
            text = text_of(row, "TRX_AMOUNT") or text_of(row, "AMOUNT")
            if not text:
                raise missing("TRX_AMOUNT")
            amount = abs(cents(text)) * int(side)
            rate, _, _ = self.books.rate_for(row, currency, base, on)
            legs.append(
                Leg(
                    account,
                    location,
                    amount,
                    convert(amount, rate),
                    text_of(row, "DESCRIPTION"),
                    text_of(row, "DEPARTMENT"),
                    currency=currency,
                )
            )
            sums[entity] = sums.get(entity, 0) + legs[-1].amount
        uneven = {entity: amount for entity, amount in sums.items() if amount}
        if uneven:
            listed = ", ".join(f"{entity} by {money(amount)}" for entity, amount in sorted(uneven.items()))
            raise BookError(
                self.knobs.unbalanced_errorno,
                f"The journal entry does not balance: {listed}.",
                "Make debits and credits equal in each entity.",
            )
        return legs, currency, sums
