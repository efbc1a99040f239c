"""Setting money and credits against documents: what each kind of application does to the ledger.

New money debits the bank and credits the control account; a credit settles two documents without money; money on account is
released first. Differences between the rates of two dates go to the gain and loss account.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tieout.sandbox.intacct.desk import Actor, Desk, Leg
from tieout.sandbox.intacct.records import Application, Document, Receipt
from tieout.sandbox.intacct.refusals import BUSINESS, OVERPAID, BookError, missing
from tieout.sandbox.intacct.settlement import Split, release, relieve
from tieout.sandbox.intacct.values import convert, key_of, money, share, text_of


class ApplyingDesk(Desk):
    """A desk that applies money, credits and advances."""

    def target(self, receipt: Receipt, row: dict[str, Any]) -> Document:
        for name, table in (("RECORDKEY", "ARINVOICE"), ("POSADJKEY", "ARADJUSTMENT")):
            key = text_of(row, name)
            if key:
                found: Document | None = self.books.tables[table].get(key_of(key, "invoice"))
                if found is None:
                    raise BookError(
                        "DL03000005",
                        f"There is no record for the record key '{key}'.",
                        "Give the RECORDNO of the invoice.",
                    )
                self.fits(receipt, found)
                return found
        raise missing("RECORDKEY or POSADJKEY")

    def fits(self, receipt: Receipt, document: Document) -> None:
        if document.customer is not receipt.customer:
            raise BookError(
                BUSINESS,
                f"The transaction '{document.recordid}' belongs to another customer than "
                f"'{receipt.customer.customerid}'.",
                "Use the customer of the transaction.",
            )
        if document.currency != receipt.currency:
            raise BookError(
                BUSINESS,
                f"The currency {receipt.currency} of the payment differs from {document.currency} of "
                f"'{document.recordid}'.",
                "Pay in the currency of the transaction.",
            )
        if document.entity != receipt.entity and not self.knobs.inter_entity:
            raise BookError(
                BUSINESS,
                f"The bank account and '{document.recordid}' belong to different entities.",
                "Use a bank account of the invoice's entity.",
            )

    @staticmethod
    def entry(row: dict[str, Any]) -> int | None:
        text = text_of(row, "ENTRYKEY") or text_of(row, "POSADJENTRYKEY")
        return key_of(text, "line") if text else None

    def pay(self, receipt: Receipt, target: Document, amount: int, actor: Actor, entry: int | None) -> None:
        """New money: bank against control account, the difference of rates to gain or loss."""
        self.books.open_for(target.entity, receipt.received_on)
        splits, relieved = relieve(self.books, target, amount, receipt.received_on, actor, entry)
        received = convert(amount, receipt.rate)
        self._add_money(receipt, amount, received)
        legs = [Leg(receipt.account, receipt.location, amount, received, receipt.description)]
        counter = received
        if target.entity != receipt.entity:
            rate = self._rate(receipt, target)
            counter = convert(amount, rate)
            account, location = self.company.posting["inter_entity"], target.lines[0].location
            legs.append(Leg(account, receipt.location, -amount, -received, receipt.description))
            legs.append(Leg(account, location, amount, counter, receipt.description))
        legs += self._control(splits, receipt.description)
        legs += self._difference(target, counter - relieved)
        self._record(receipt, target, None, amount, received, received, splits, [], actor)
        self._post(receipt, receipt.received_on, legs, actor)

    def credit(
        self,
        receipt: Receipt,
        source: Document,
        target: Document,
        amount: int,
        actor: Actor,
        entry: int | None,
    ) -> None:
        """A credit memo or negative invoice: no money moves, both documents are settled."""
        self.fits(receipt, source)
        if source.trx_total >= 0:
            raise BookError(
                BUSINESS, f"The transaction '{source.recordid}' is not a credit.", "Give a credit memo."
            )
        if source.entity != target.entity:
            raise BookError(
                BUSINESS, "A credit can only be applied within its entity.", "Use a credit of the entity."
            )
        on = receipt.received_on
        splits, relieved = relieve(self.books, target, amount, on, actor, entry)
        given, credited = relieve(self.books, source, amount, on, actor)
        legs = self._control(splits, receipt.description) + self._control(given, receipt.description)
        legs += self._difference(target, -credited - relieved)
        self._record(receipt, target, source, amount, relieved, -credited, splits, given, actor)
        self._post(receipt, on, legs, actor)

    def draw(
        self,
        receipt: Receipt,
        source: Receipt,
        target: Document,
        amount: int,
        on: date,
        actor: Actor,
        entry: int | None,
    ) -> None:
        """Money on account: released from the source receipt and set against the document."""
        self.fits(source, target)
        if source.entity != target.entity:
            raise BookError(BUSINESS, "Money on account can only be applied within its entity.")
        if amount > source.trx_unapplied:
            raise BookError(
                OVERPAID,
                f"The amount {money(amount)} is greater than what is left on account, "
                f"{money(source.trx_unapplied)}.",
                "Enter an amount up to what is left.",
            )
        splits, relieved = relieve(self.books, target, amount, on, actor, entry)
        whole = amount == source.trx_unapplied
        drawn = source.unapplied if whole else share(amount, source.trx_unapplied, source.unapplied)
        self.books.journal.set(source, "trx_unapplied", source.trx_unapplied - amount)
        self.books.journal.set(source, "unapplied", source.unapplied - drawn)
        self.books.touch(source, actor)
        control = self.company.posting["ar_control"]
        legs = [Leg(control, source.location, amount, drawn, receipt.description)]
        legs += self._control(splits, receipt.description)
        legs += self._difference(target, drawn - relieved)
        self._record(receipt, target, source, amount, relieved, drawn, splits, [], actor)
        self._post(receipt, on, legs, actor)

    def on_account(self, receipt: Receipt, amount: int, location: str, actor: Actor) -> None:
        base = convert(amount, receipt.rate)
        self._add_money(receipt, amount, base)
        self.books.journal.set(receipt, "trx_unapplied", receipt.trx_unapplied + amount)
        self.books.journal.set(receipt, "unapplied", receipt.unapplied + base)
        control = self.company.posting["ar_control"]
        legs = [
            Leg(receipt.account, receipt.location, amount, base, receipt.description),
            Leg(control, location, -amount, -base, receipt.description),
        ]
        self._post(receipt, receipt.received_on, legs, actor)

    def _add_money(self, receipt: Receipt, amount: int, base: int) -> None:
        self.books.journal.set(receipt, "trx_total", receipt.trx_total + amount)
        self.books.journal.set(receipt, "total", receipt.total + base)

    def _rate(self, receipt: Receipt, target: Document) -> int:
        return int(self.books.rate_for({}, receipt.currency, target.basecurr, receipt.received_on)[0])

    @staticmethod
    def _control(splits: list[Split], memo: str) -> list[Leg]:
        return [Leg(line.offset, line.location, -trx, -base, memo, line=line) for line, trx, base in splits]

    def _difference(self, target: Document, base: int) -> list[Leg]:
        if not base:
            return []
        return [
            Leg(self.company.posting["gain_loss"], target.lines[0].location, 0, -base, "Realised difference")
        ]

    def _record(
        self,
        receipt: Receipt,
        target: Document,
        source: Document | Receipt | None,
        amount: int,
        base: int,
        source_base: int,
        splits: list[Split],
        source_splits: list[Split],
        actor: Actor,
    ) -> None:
        books = self.books
        application = Application(
            books.next("entry"),
            receipt,
            target,
            source,
            amount,
            base,
            source_base,
            splits,
            source_splits,
            actor.at,
            actor.at,
        )
        books.tables["ARPYMTDETAIL"].add(books.journal, application)
        books.journal.append(receipt.applications, application)

    def _post(self, receipt: Receipt, on: date, legs: list[Leg], actor: Actor) -> None:
        batch = self.books.summary(self.object_name, receipt.entity, on, actor)
        self.books.post(batch, receipt, receipt.currency, legs, actor.at)

    def untouched(self, record: Receipt, done: str) -> None:
        for application in self.books.tables["ARPYMTDETAIL"]:
            if (
                application.source is record
                and application.receipt is not record
                and application.state == "Complete"
            ):
                raise BookError(BUSINESS, f"Money of this receipt was applied later, so it cannot be {done}.")

    def release(self, record: Receipt, actor: Actor) -> None:
        books, journal = self.books, self.books.journal
        for application in record.applications:
            release(books, application.target, application.splits, actor)
            source = application.source
            if isinstance(source, Document):
                release(books, source, application.source_splits, actor)
            elif isinstance(source, Receipt):
                journal.set(source, "trx_unapplied", source.trx_unapplied + application.trx_amount)
                journal.set(source, "unapplied", source.unapplied + application.source_amount)
            journal.set(application, "state", "Reversed")
            journal.set(application, "modified_at", actor.at)
