"""Customers and their display contacts.

A customer's display contact gets the name `Name(CustomerID)`; contact names are unique in the company, so a clash shows up as
a duplicate contact although the customer id is new (seen in the field).
"""

from __future__ import annotations

from typing import Any

from tieout.sandbox.intacct.desk import Actor, Desk, required
from tieout.sandbox.intacct.records import Customer
from tieout.sandbox.intacct.refusals import BUSINESS, BookError, duplicate, illegal, invalid
from tieout.sandbox.intacct.values import cents, is_email, text_of

_EMAILS = {"EMAIL1": "Primary Email Address", "EMAIL2": "Secondary Email Address"}
_OWN = {"CUSTOMERID", "NAME", "STATUS", "TERMNAME", "CURRENCY", "DISPLAYCONTACT", "RECORDNO"}


class CustomerDesk(Desk):
    """CUSTOMER: create, update, delete; named by CUSTOMERID or RECORDNO."""

    object_name = "CUSTOMER"
    noun = "Customer"
    by_id = True

    def find(self, key: int | str) -> Customer | None:
        """By CUSTOMERID first, then by RECORDNO."""
        found = self.books.customers.get(str(key).strip())
        return found or super().find(key)

    def audit_key(self, record: Customer) -> str:
        """Customers are logged under their id."""
        return record.customerid

    def create(self, fields: dict[str, Any], actor: Actor) -> Customer:
        """Make a customer. Raises BL34000061 for a taken id or contact name, BL03000018 for bad values."""
        books = self.books
        customerid = text_of(fields, "CUSTOMERID")
        if not customerid:
            if self.knobs.customer_numbering == "required":
                required(fields, "CUSTOMERID", "Customer ID")
            customerid = f"CUST-{books.next('customerid'):05d}"
        books.identifier(books.length("CUSTOMER.CUSTOMERID", customerid, "Customer ID"), "Customer ID")
        if customerid in books.customers:
            raise duplicate("Customer", customerid)
        name = books.length("CUSTOMER.NAME", required(fields, "NAME", "Customer Name"), "Customer Name")
        contact = dict(fields["DISPLAYCONTACT"]) if isinstance(fields.get("DISPLAYCONTACT"), dict) else {}
        customer = Customer(
            books.next("customer"),
            actor.entity,
            actor.at,
            actor.at,
            actor.user,
            actor.user,
            customerid,
            name,
        )
        self._fill(customer, fields, contact)
        contact_name = text_of(contact, "CONTACTNAME") or f"{name}({customerid})"
        if contact_name in books.contacts:
            raise duplicate("Contact", contact_name).wrapped("Contact")
        contact["CONTACTNAME"] = contact_name
        customer.contact = contact
        customer.extra = {key: value for key, value in fields.items() if key not in _OWN}
        books.tables["CUSTOMER"].add(books.journal, customer)
        books.journal.put(books.customers, customerid, customer)
        books.journal.put(books.contacts, contact_name, customerid)
        return customer

    def update(self, record: Customer, fields: dict[str, Any], actor: Actor) -> Customer:
        """Change what is given. The id cannot be changed."""
        books = self.books
        given = text_of(fields, "CUSTOMERID")
        if given and given != record.customerid:
            raise BookError(BUSINESS, "The Customer ID cannot be changed.", "Leave the Customer ID as it is.")
        changed = Customer(record.recordno, "", actor.at, actor.at, "", "", record.customerid, record.name)
        changed.status, changed.termname, changed.currency = record.status, record.termname, record.currency
        new_contact = fields.get("DISPLAYCONTACT")
        contact = {**record.contact, **(new_contact if isinstance(new_contact, dict) else {})}
        if text_of(fields, "NAME"):
            changed.name = books.length("CUSTOMER.NAME", text_of(fields, "NAME"), "Customer Name")
        self._fill(changed, fields, contact)
        for name in ("name", "status", "termname", "currency"):
            books.journal.set(record, name, getattr(changed, name))
        books.journal.set(record, "contact", contact)
        extra = {**record.extra, **{key: value for key, value in fields.items() if key not in _OWN}}
        books.journal.set(record, "extra", extra)
        books.touch(record, actor)
        return record

    def delete(self, record: Customer, actor: Actor) -> None:
        """Remove a customer without documents."""
        books = self.books
        for name in ("ARINVOICE", "ARADJUSTMENT", "ARPYMT", "SODOCUMENT"):
            if any(document.customer is record for document in books.tables[name]):
                raise BookError(
                    BUSINESS,
                    f"Customer '{record.customerid}' has transactions and cannot be deleted.",
                    "Make the customer inactive instead.",
                )
        books.tables["CUSTOMER"].remove(books.journal, record)
        books.journal.drop(books.customers, record.customerid)
        books.journal.drop(books.contacts, record.contact.get("CONTACTNAME"))

    def _fill(self, customer: Customer, fields: dict[str, Any], contact: dict[str, Any]) -> None:
        for field, label in _EMAILS.items():
            address = text_of(contact, field)
            if address and not is_email(address):
                raise illegal(label).wrapped("Contact")
        if text_of(contact, "PRINTAS"):
            self.books.length("CUSTOMER.DISPLAYCONTACT.PRINTAS", text_of(contact, "PRINTAS"), "Print As")
        if text_of(fields, "COMMENTS"):
            self.books.length("CUSTOMER.COMMENTS", text_of(fields, "COMMENTS"), "Comments")
        if "TERMNAME" in fields:
            customer.termname = text_of(fields, "TERMNAME")
            if customer.termname and customer.termname not in self.company.terms:
                raise invalid("Term", customer.termname)
        if text_of(fields, "CURRENCY"):
            customer.currency = text_of(fields, "CURRENCY")
            if customer.currency not in self.company.currencies:
                raise invalid("Currency", customer.currency)
        if text_of(fields, "CREDITLIMIT"):
            cents(fields["CREDITLIMIT"], "Credit Limit")
        if text_of(fields, "PARENTID") and text_of(fields, "PARENTID") not in self.books.customers:
            raise invalid("Customer", text_of(fields, "PARENTID"))
        status = text_of(fields, "STATUS").lower()
        if status:
            if status not in ("active", "inactive"):
                raise illegal("Status", status)
            customer.status = status


def customer_for(desk: Desk, fields: dict[str, Any], actor: Actor) -> Customer:
    """The customer a document names; refuses unknown, inactive and other entities' customers."""
    customerid = required(fields, "CUSTOMERID", "Customer ID")
    customer: Customer | None = desk.books.customers.get(customerid)
    if customer is None or (actor.entity and customer.entity not in ("", actor.entity)):
        raise invalid("Customer", customerid)
    if customer.status != "active":
        raise BookError(
            BUSINESS, f"Customer '{customerid}' is inactive.", "Make the customer active, or use another."
        )
    return customer
