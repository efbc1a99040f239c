"""Receipts (ARPYMT) and advances (ARADVANCE): money in, set against invoices, or on account.

A receipt debits the bank or clearing account and credits the control account; what is not applied also stands as a credit on the
control account until it is. Realised currency differences go to the gain and loss account; a receipt of one entity for an
invoice of another runs through the inter-entity account. Sources: Sage Intacct Web Services documentation, AR Payments.
Terms discounts and inline credits are not set up in this company and are refused.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tieout.sandbox.intacct.applying import ApplyingDesk
from tieout.sandbox.intacct.customers import customer_for
from tieout.sandbox.intacct.desk import Actor, required
from tieout.sandbox.intacct.records import Receipt
from tieout.sandbox.intacct.refusals import (
    BUSINESS,
    DOCUMENT_NUMBER_MISSING,
    LOCATION_EMPTY,
    BookError,
    invalid,
    missing,
)
from tieout.sandbox.intacct.values import cents, convert, day, key_of, rows_of, text_of

METHODS = (
    "Printed Check",
    "Cash",
    "EFT",
    "Credit Card",
    "Online Charge Card",
    "Online ACH Debit",
    "Online",
    "ACH",
)
_KNOWN = {
    "FINANCIALENTITY",
    "UNDEPOSITEDACCOUNTNO",
    "PAYMENTMETHOD",
    "CUSTOMERID",
    "PAYERNAME",
    "DOCNUMBER",
    "DESCRIPTION",
    "RECEIPTDATE",
    "PAYMENTDATE",
    "CURRENCY",
    "BASECURR",
    "ARPYMTDETAILS",
    "ARADVANCEITEMS",
    "OVERPAYMENTAMOUNT",
    "OVERPAYMENTLOCATIONID",
    "EXCHANGE_RATE",
    "EXCH_RATE_TYPE_ID",
    "ACTION",
    "RECORDNO",
}
_REFUSED = ("TRX_TOTALDISCOUNTTOAPPLY", "DISCOUNTDATE", "INLINEKEY")


class PaymentDesk(ApplyingDesk):
    """ARPYMT: create, update of drafts, delete, reverse, and applying what is on account."""

    object_name = "ARPYMT"
    noun = "AR Payment"
    recordtype = "rp"

    def create(self, fields: dict[str, Any], actor: Actor) -> Receipt:
        """Take money in and apply it. Raises XL03000027 for more than is due."""
        receipt = self._new(fields, actor)
        self.books.tables["ARPYMT"].add(self.books.journal, receipt)
        if text_of(fields, "ACTION").lower() == "draft":
            receipt.state = "Draft"
            receipt.extra = {"draft": fields}
            receipt.trx_total = sum(
                cents(row["TRX_PAYMENTAMOUNT"])
                for row in rows_of(fields, "ARPYMTDETAILS", "ARPYMTDETAIL")
                if text_of(row, "TRX_PAYMENTAMOUNT")
            )
            receipt.total = convert(receipt.trx_total, receipt.rate)
        else:
            self._settle(receipt, fields, actor)
        return receipt

    def update(self, record: Receipt, fields: dict[str, Any], actor: Actor) -> Receipt:
        """Change a draft; the details given replace the set. Complete receipts cannot be updated."""
        if record.state != "Draft":
            raise BookError(
                BUSINESS, "Only draft payments can be updated.", "Reverse the payment and make another."
            )
        merged = {**((record.extra or {}).get("draft") or {}), **fields}
        journal = self.books.journal
        fresh = self._new(merged, actor)
        for name in ("customer", "received_on", "method", "bank", "account", "currency", "basecurr", "rate"):
            journal.set(record, name, getattr(fresh, name))
        for name in ("location", "docnumber", "description", "paid_on", "entity"):
            journal.set(record, name, getattr(fresh, name))
        if text_of(fields, "ACTION").lower() in ("submit", "post"):
            journal.set(record, "state", "Complete")
            journal.set(record, "extra", None)
            self._settle(record, merged, actor)
        else:
            journal.set(record, "extra", {"draft": merged})
        self.books.touch(record, actor)
        return record

    def delete(self, record: Receipt, actor: Actor) -> None:
        """Take a receipt away as if it had never been, outside closed periods."""
        books, journal = self.books, self.books.journal
        if record.state != "Draft":
            books.open_for(record.entity, record.received_on)
            self.untouched(record, "deleted")
        if record.state == "Complete":
            self.release(record, actor)
        books.unpost(record)
        for application in record.applications:
            books.tables["ARPYMTDETAIL"].remove(journal, application)
        books.tables["ARPYMT"].remove(journal, record)

    def reverse(self, record: Receipt, on: date, actor: Actor) -> None:
        """Give the invoices back their due amounts and post the mirror image on the date."""
        books, journal = self.books, self.books.journal
        if record.state != "Complete":
            raise BookError(BUSINESS, f"The payment is {record.state} and cannot be reversed.")
        if on < record.received_on:
            raise BookError(BUSINESS, "The reversal date is before the receipt date.", "Use a later date.")
        self.untouched(record, "reversed")
        books.open_for(record.entity, on)
        self.release(record, actor)
        books.post_reversal("ARPYMT", record, on, actor)
        journal.set(record, "trx_unapplied", 0)
        journal.set(record, "unapplied", 0)
        journal.set(record, "state", "Reversed")
        books.touch(record, actor)

    def apply(self, record: Receipt, fields: dict[str, Any], actor: Actor) -> Receipt:
        """Set money on account against invoices: PAYMENTDATE and ARPYMTDETAILS."""
        if record.state != "Complete":
            raise BookError(BUSINESS, f"The payment is {record.state} and cannot be applied.")
        on = day(required(fields, "PAYMENTDATE", "Payment date"))
        self.books.open_for(record.entity, on)
        for row in rows_of(fields, "ARPYMTDETAILS", "ARPYMTDETAIL"):
            amount = cents(required(row, "TRX_PAYMENTAMOUNT", "Amount"))
            self.draw(record, record, self.target(record, row), amount, on, actor, self.entry(row))
        self.books.touch(record, actor)
        return record

    # ---- inside ----------------------------------------------------------------------------------------------

    def _new(self, fields: dict[str, Any], actor: Actor) -> Receipt:
        books, company = self.books, self.company
        if text_of(fields, "PAYERNAME") and not text_of(fields, "CUSTOMERID"):
            fields = {**fields, "CUSTOMERID": text_of(fields, "PAYERNAME")}
        customer = customer_for(self, fields, actor)
        received_on = day(required(fields, "RECEIPTDATE", "Receipt date"))
        method = required(fields, "PAYMENTMETHOD", "Payment method")
        if method not in METHODS:
            raise invalid("Payment Method", method)
        docnumber = books.length("ARPYMT.DOCNUMBER", text_of(fields, "DOCNUMBER"), "Document number")
        if not docnumber and self.knobs.document_number_missing:
            raise BookError(DOCUMENT_NUMBER_MISSING, "Document Number is missing", "Give a document number.")
        bank, undeposited = text_of(fields, "FINANCIALENTITY"), text_of(fields, "UNDEPOSITEDACCOUNTNO")
        if bank and undeposited:
            raise BookError(BUSINESS, "Give either a bank account or an undeposited funds account, not both.")
        if bank:
            if bank not in company.financial_entities:
                raise invalid("Bank Account", bank)
            place = company.financial_entities[bank]
            entity, account, location = place.entity, place.account, place.location
        elif undeposited:
            if undeposited not in company.accounts:
                raise invalid("GL Account", undeposited)
            entity = actor.entity or self._entity_of_first(fields)
            account, location = undeposited, company.location_of(entity)
        else:
            raise missing("Bank account or undeposited funds account")
        books.may_touch(entity, actor, "bank account")
        books.open_for(entity, received_on)
        base = company.entities[entity].currency
        currency = text_of(fields, "CURRENCY") or base
        if currency not in company.currencies:
            raise invalid("Currency", currency)
        rate, _, _ = books.rate_for(fields, currency, base, received_on)
        paid = text_of(fields, "PAYMENTDATE")
        return Receipt(
            books.next("record"),
            entity,
            actor.at,
            actor.at,
            actor.user,
            actor.user,
            self.recordtype,
            customer,
            received_on,
            method,
            bank,
            account,
            currency,
            base,
            rate,
            location,
            docnumber,
            books.length("ARPYMT.DESCRIPTION", text_of(fields, "DESCRIPTION"), "Description"),
            day(paid) if paid else received_on,
            extra={key: value for key, value in fields.items() if key not in _KNOWN} or None,
        )

    def _entity_of_first(self, fields: dict[str, Any]) -> str:
        for row in rows_of(fields, "ARPYMTDETAILS", "ARPYMTDETAIL"):
            key = text_of(row, "RECORDKEY")
            document = self.books.tables["ARINVOICE"].get(int(key)) if key.isdigit() else None
            if document is not None:
                return str(document.entity)
        location = text_of(fields, "OVERPAYMENTLOCATIONID")
        if location:
            return str(self.books.location(location))
        return next(iter(self.company.entities))

    def _settle(self, receipt: Receipt, fields: dict[str, Any], actor: Actor) -> None:
        books = self.books
        rows = rows_of(fields, "ARPYMTDETAILS", "ARPYMTDETAIL")
        overpaid_text = text_of(fields, "OVERPAYMENTAMOUNT")
        overpaid = cents(overpaid_text) if overpaid_text else 0
        if overpaid < 0:
            raise BookError(BUSINESS, "The overpayment amount is negative.", "Give a positive amount.")
        if not rows and not overpaid:
            raise missing("ARPYMTDETAILS")
        location = text_of(fields, "OVERPAYMENTLOCATIONID")
        if overpaid and not location and self.knobs.multi_entity and not actor.entity:
            raise BookError(
                LOCATION_EMPTY,
                "The location of the overpayment is empty, and an empty location is not valid.",
                "Give a location for the overpayment.",
            )
        if overpaid and location and books.location(location) != receipt.entity:
            raise BookError(
                BUSINESS, "The overpayment location belongs to another entity than the bank account."
            )
        books.journal.set(
            receipt, "batch", books.summary("ARPYMT", receipt.entity, receipt.received_on, actor)
        )
        for row in rows:
            self._settle_row(receipt, row, actor)
        if overpaid:
            self.on_account(receipt, overpaid, location or receipt.location, actor)

    def _settle_row(self, receipt: Receipt, row: dict[str, Any], actor: Actor) -> None:
        for name in _REFUSED:
            if text_of(row, name):
                raise BookError(BUSINESS, f"{name} is not set up in this company.", "Leave it out.")
        target, entry, on = self.target(receipt, row), self.entry(row), receipt.received_on
        done = False
        for key_name, amount_name, table in (
            ("ADJUSTMENTKEY", "TRX_ADJUSTMENTAMOUNT", "ARADJUSTMENT"),
            ("NEGATIVEINVOICEKEY", "TRX_NEGATIVEINVOICEAMOUNT", "ARINVOICE"),
            ("ADVANCEKEY", "TRX_POSTEDADVANCEAMOUNT", "ARPYMT"),
            ("OVERPAYMENTKEY", "TRX_POSTEDOVERPAYMENTAMOUNT", "ARPYMT"),
        ):
            key = text_of(row, key_name)
            if not key:
                continue
            source = self.books.tables[table].get(key_of(key, key_name))
            if source is None:
                raise BookError(
                    "DL03000005", f"There is no record for the {key_name} '{key}'.", "Give its RECORDNO."
                )
            amount = abs(cents(required(row, amount_name, amount_name)))
            if isinstance(source, Receipt):
                self.draw(receipt, source, target, amount, on, actor, entry)
            else:
                self.credit(receipt, source, target, amount, actor, entry)
            done = True
        text = text_of(row, "TRX_PAYMENTAMOUNT") or text_of(row, "PAYMENTAMOUNT")
        if not text and not done:
            raise missing("TRX_PAYMENTAMOUNT")
        amount = cents(text) if text else 0
        if amount < 0 or (amount == 0 and not done):
            raise BookError(BUSINESS, "The payment amount must be more than zero.", "Give a positive amount.")
        if amount:
            self.pay(receipt, target, amount, actor, entry)


class AdvanceDesk(PaymentDesk):
    """ARADVANCE: money received before there is an invoice; it shows among receipts as record type `rr`."""

    object_name = "ARADVANCE"
    noun = "AR Advance"
    recordtype = "rr"

    def find(self, key: int | str) -> Receipt | None:
        """Advances live among the receipts."""
        text = str(key).strip()
        found: Receipt | None = (
            self.books.tables["ARPYMT"].get(int(text)) if text.isascii() and text.isdigit() else None
        )
        return found if found is not None and found.recordtype == "rr" else None

    def _settle(self, receipt: Receipt, fields: dict[str, Any], actor: Actor) -> None:
        books = self.books
        rows = rows_of(fields, "ARADVANCEITEMS", "ARADVANCEITEM")
        if not rows:
            raise missing("ARADVANCEITEMS")
        books.journal.set(
            receipt, "batch", books.summary("ARADVANCE", receipt.entity, receipt.received_on, actor)
        )
        for row in rows:
            location = text_of(row, "LOCATIONID")
            if location and books.location(location) != receipt.entity:
                raise BookError(
                    BUSINESS, "The location of the advance belongs to another entity than the bank account."
                )
            amount = cents(text_of(row, "TRX_AMOUNT") or required(row, "AMOUNT", "Amount"))
            if amount <= 0:
                raise BookError(BUSINESS, "The amount of an advance must be more than zero.")
            self.on_account(receipt, amount, location or receipt.location, actor)

    def update(self, record: Receipt, fields: dict[str, Any], actor: Actor) -> Receipt:
        """Advances cannot be changed."""
        raise self.cannot("updated")
