"""The general ledger under the books: summaries, balanced postings, and the two proofs.

All amounts are hundredths; entries are signed, debit positive.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from datetime import date, datetime

from tieout.sandbox.intacct import journals
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.desk import Actor, Leg
from tieout.sandbox.intacct.journal import Journal, Table
from tieout.sandbox.intacct.records import Document, GlBatch, GlEntry, Receipt

_SUMMARY_TITLES = {
    "ARINVOICE": ("ARJ", "Invoices"),
    "ARADJUSTMENT": ("ARAJ", "AR adjustments"),
    "ARPYMT": ("CRJ", "Receipts"),
    "ARADVANCE": ("CRJ", "Advances"),
}


class Ledger:
    """Batches and entries of one company; each posting balances in the base currency of each entity."""

    company: Company
    lock: threading.RLock
    journal: Journal
    tables: dict[str, Table]
    numbers: Counter[str]
    summaries: dict[tuple[str, str, date], GlBatch]

    def next(self, sequence: str) -> int:
        """The next number of a sequence. Numbers are not given back when an operation is rolled back."""
        self.numbers[sequence] += 1
        return self.numbers[sequence]

    def summary(self, kind: str, entity: str, on: date, actor: Actor) -> GlBatch:
        """The summary an AR document is posted in: one per kind, entity and day."""
        found = self.summaries.get((kind, entity, on))
        if found is None:
            symbol, title = _SUMMARY_TITLES[kind]
            found = journals.new_batch(
                self, actor, symbol, on, f"{title}: {on:%Y/%m/%d} Batch", "4.AR", entity, self.next("summary")
            )
            self.journal.put(self.summaries, (kind, entity, on), found)
        return found

    def post(
        self,
        batch: GlBatch,
        document: Document | Receipt | None,
        currency: str,
        legs: list[Leg],
        at: datetime,
    ) -> None:
        """Put a balanced set of legs into the ledger. Base amounts must sum to zero within each entity."""
        entity_of, journal, table = self.company.entity_of, self.journal, self.tables["GLENTRY"]
        sums: dict[str, int] = {}
        for leg in legs:
            if not leg.amount and not leg.trx_amount:
                continue
            entity = entity_of(leg.location)
            sums[entity] = sums.get(entity, 0) + leg.amount
            entry = GlEntry(
                self.next("glentry"),
                batch,
                leg.account,
                leg.trx_amount,
                leg.amount,
                leg.currency or currency,
                entity,
                leg.location,
                leg.memo,
                leg.department,
                document,
                leg.line,
                at,
            )
            table.add(journal, entry)
            journal.put(batch.entries, entry.recordno, entry)
            if document is not None:
                journal.append(document.entries, entry)
        if any(sums.values()):
            raise AssertionError(f"unbalanced posting in {batch.title}: {sums}")

    def unpost(self, document: Document | Receipt) -> None:
        """Take every entry of a document out of the ledger."""
        for entry in document.entries:
            self.tables["GLENTRY"].remove(self.journal, entry)
            self.journal.drop(entry.batch.entries, entry.recordno)
        self.journal.set(document, "entries", [])

    def post_reversal(self, kind: str, document: Document | Receipt, on: date, actor: Actor) -> None:
        """Post the mirror image of every entry of a document on another date."""
        batch = self.summary(kind, document.entity, on, actor)
        legs = [
            Leg(e.account, e.location, -e.trx_amount, -e.amount, e.memo, e.department, e.line)
            for e in document.entries
        ]
        self.post(batch, document, document.currency, legs, actor.at)

    def trial_balance(self) -> dict[str, dict[str, int]]:
        """Base-currency balance by entity and account, debit positive, hundredths. Each entity sums to zero."""
        with self.lock:
            found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
            for entry in self.tables["GLENTRY"]:
                if entry.batch.state == "Posted":
                    found[entry.entity][entry.account] += entry.amount
            return {
                entity: {account: amount for account, amount in sorted(rows.items()) if amount}
                for entity, rows in sorted(found.items())
            }

    def subledger(self) -> dict[str, int]:
        """Open receivables by entity in base currency: documents due less money on account, hundredths."""
        with self.lock:
            found: dict[str, int] = defaultdict(int)
            for name in ("ARINVOICE", "ARADJUSTMENT"):
                for document in self.tables[name]:
                    found[document.entity] += document.due
            for receipt in self.tables["ARPYMT"]:
                found[receipt.entity] -= receipt.unapplied
            return {entity: amount for entity, amount in sorted(found.items()) if amount}
