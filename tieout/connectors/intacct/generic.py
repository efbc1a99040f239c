"""Documents as generic functions: `create` or `update` around one upper-case object, dates as MM/DD/YYYY text.

Generic functions are not checked against a schema, so a misspelt field passes unnoticed by the gateway. Creating an AR invoice or an
AR adjustment this way works in the field but is not in the manual, hence the legacy style is the default there; ARPYMT
is documented only here ("Sage Intacct Web Services documentation, AR payments").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from tieout.connectors.intacct.documents import (
    Application,
    CreditApplication,
    CreditMemo,
    Custom,
    Customer,
    CustomerUpdate,
    DebitMemo,
    Invoice,
    Journal,
    Line,
    Receipt,
)
from tieout.connectors.intacct.values import Element, custom_text, money, put, put_some, us_date
from tieout.errors import InputError

_sub = etree.SubElement

_CREDIT_FIELDS = {
    "adjustment": ("ADJUSTMENTKEY", "ADJUSTMENTENTRYKEY", "TRX_ADJUSTMENTAMOUNT"),
    "advance": ("ADVANCEKEY", "ADVANCEENTRYKEY", "TRX_POSTEDADVANCEAMOUNT"),
    "overpayment": ("OVERPAYMENTKEY", "OVERPAYMENTENTRYKEY", "TRX_POSTEDOVERPAYMENTAMOUNT"),
    "inline": ("INLINEKEY", "INLINEENTRYKEY", "TRX_INLINEAMOUNT"),
    "negative_invoice": ("NEGATIVEINVOICEKEY", "NEGATIVEINVOICEENTRYKEY", "TRX_NEGATIVEINVOICEAMOUNT"),
}


def _date(parent: Element, tag: str, day: Any) -> None:
    if day is not None:
        put(parent, tag, us_date(day))


def _custom(parent: Element, custom: Custom) -> None:
    for name, value in custom.items():
        put(parent, name, custom_text(value))


def _currency(parent: Element, doc: Any, *, base: bool = True) -> None:
    if doc.currency is None:
        return
    put(parent, "CURRENCY", doc.currency)
    if base:
        put_some(parent, "BASECURR", doc.base_currency)
    if doc.rate is not None:
        put(parent, "EXCHANGE_RATE", money(doc.rate))
    elif doc.rate_type:
        _date(parent, "EXCH_RATE_DATE", doc.rate_on)
        put(parent, "EXCH_RATE_TYPE_ID", doc.rate_type)


def _customer(node: Element, doc: Customer | CustomerUpdate) -> None:
    put(node, "CUSTOMERID", doc.customer_id)
    put_some(node, "NAME", doc.name)
    contact = etree.Element("DISPLAYCONTACT")
    put_some(contact, "PRINTAS", doc.print_as or (doc.name if isinstance(doc, Customer) else None))
    put_some(contact, "COMPANYNAME", doc.company_name)
    if doc.taxable is not None:
        put(contact, "TAXABLE", "true" if doc.taxable else "false")
    put_some(contact, "FIRSTNAME", doc.first_name)
    put_some(contact, "LASTNAME", doc.last_name)
    put_some(contact, "PHONE1", doc.phone)
    put_some(contact, "CELLPHONE", doc.cell_phone)
    put_some(contact, "EMAIL1", doc.email)
    if doc.address is not None:
        mail = _sub(contact, "MAILADDRESS")
        put_some(mail, "ADDRESS1", doc.address.line1)
        put_some(mail, "ADDRESS2", doc.address.line2)
        put_some(mail, "CITY", doc.address.city)
        put_some(mail, "STATE", doc.address.state)
        put_some(mail, "ZIP", doc.address.zip)
        put_some(mail, "COUNTRY", doc.address.country)
        put_some(mail, "COUNTRYCODE", doc.address.country_code)
    if len(contact):
        node.append(contact)
    if doc.active is not None:
        put(node, "STATUS", "active" if doc.active else "inactive")
    put_some(node, "CUSTTYPE", doc.customer_type)
    put_some(node, "PARENTID", doc.parent_id)
    put_some(node, "TERMNAME", doc.terms)
    put_some(node, "TAXID", doc.tax_id)
    put_some(node, "COMMENTS", doc.comments)
    put_some(node, "CURRENCY", doc.currency)
    _custom(node, doc.custom)


def _line(parent: Element, tag: str, line: Line, sign: int) -> None:
    node = _sub(parent, tag)
    if line.label is not None:
        put(node, "ACCOUNTLABEL", line.label)
    else:
        put(node, "ACCOUNTNO", line.account or "")
    put_some(node, "OFFSETGLACCOUNTNO", line.offset_account)
    put(node, "TRX_AMOUNT", money(line.amount if sign > 0 else -line.amount))
    put_some(node, "ENTRYDESCRIPTION", line.memo)
    put_some(node, "LOCATIONID", line.location)
    put_some(node, "DEPARTMENTID", line.department)
    put_some(node, "PROJECTID", line.project)
    put_some(node, "CUSTOMERID", line.customer)
    put_some(node, "VENDORID", line.vendor)
    put_some(node, "EMPLOYEEID", line.employee)
    put_some(node, "ITEMID", line.item)
    put_some(node, "CLASSID", line.class_)
    put_some(node, "CONTRACTID", line.contract)
    put_some(node, "WAREHOUSEID", line.warehouse)
    if line.tax_entries:
        entries = _sub(node, "TAXENTRIES")
        for entry in line.tax_entries:
            tax = _sub(entries, "TAXENTRY")
            put(tax, "DETAILID", entry.detail_id)
            if entry.amount is not None:
                put(tax, "TRX_TAX", money(entry.amount if sign > 0 else -entry.amount))
    _custom(node, line.custom)


def _invoice(node: Element, doc: Invoice) -> None:
    put(node, "RECORDID", doc.number)
    put(node, "CUSTOMERID", doc.customer_id)
    put(node, "WHENCREATED", us_date(doc.invoiced_on))
    _date(node, "WHENPOSTED", doc.posted_on)
    _date(node, "WHENDUE", doc.due_on)
    put_some(node, "TERMNAME", doc.terms)
    put_some(node, "PRBATCHKEY", doc.batch_key)
    put_some(node, "ACTION", doc.action)
    put_some(node, "DOCNUMBER", doc.reference)
    put_some(node, "DESCRIPTION", doc.description)
    if doc.bill_to is not None:
        put(_sub(node, "BILLTO"), "CONTACTNAME", doc.bill_to)
    if doc.ship_to is not None:
        put(_sub(node, "SHIPTO"), "CONTACTNAME", doc.ship_to)
    _currency(node, doc)
    put_some(node, "SUPDOCID", doc.attachment)
    put_some(node, "TAXSOLUTIONID", doc.tax_solution)
    _custom(node, doc.custom)
    items = _sub(node, "ARINVOICEITEMS")
    for line in doc.lines:
        _line(items, "ARINVOICEITEM", line, 1)


def _memo(node: Element, doc: CreditMemo | DebitMemo) -> None:
    put(node, "RECORDID", doc.number)
    put(node, "CUSTOMERID", doc.customer_id)
    put(node, "WHENCREATED", us_date(doc.issued_on))
    _date(node, "WHENPOSTED", doc.posted_on)
    put_some(node, "PRBATCHKEY", doc.batch_key)
    put_some(node, "ACTION", doc.action)
    put_some(node, "DOCNUMBER", doc.reference)
    put_some(node, "DESCRIPTION", doc.description)
    _currency(node, doc)
    put_some(node, "TAXSOLUTIONID", doc.tax_solution)
    items = _sub(node, "ARADJUSTMENTITEMS")
    sign = -1 if isinstance(doc, CreditMemo) else 1
    for line in doc.lines:
        _line(items, "ARADJUSTMENTITEM", line, sign)


def _application(parent: Element, applied: Application | CreditApplication) -> None:
    node = _sub(parent, "ARPYMTDETAIL")
    if isinstance(applied, CreditApplication):
        key, entry, amount = _CREDIT_FIELDS[applied.kind]
        put(node, "RECORDKEY", str(applied.invoice_key))
        if applied.entry_key is not None:
            put(node, "ENTRYKEY", str(applied.entry_key))
        put(node, key, str(applied.credit_key))
        if applied.credit_entry_key is not None:
            put(node, entry, str(applied.credit_entry_key))
        put(node, amount, money(applied.amount))
        return
    memo = applied.debit_memo_key is not None
    put(
        node,
        "POSADJKEY" if memo else "RECORDKEY",
        str(applied.debit_memo_key if memo else applied.invoice_key),
    )
    if applied.entry_key is not None:
        put(node, "POSADJENTRYKEY" if memo else "ENTRYKEY", str(applied.entry_key))
    put(node, "TRX_PAYMENTAMOUNT", money(applied.amount))


def _receipt(node: Element, doc: Receipt) -> None:
    put_some(node, "FINANCIALENTITY", doc.financial_entity)
    put_some(node, "UNDEPOSITEDACCOUNTNO", doc.undeposited_account)
    put_some(node, "PRBATCH", doc.batch_key)
    put(node, "PAYMENTMETHOD", doc.method)
    put(node, "CUSTOMERID", doc.customer_id)
    put_some(node, "DOCNUMBER", doc.reference)
    put_some(node, "DESCRIPTION", doc.description)
    put(node, "RECEIPTDATE", us_date(doc.received_on))
    _date(node, "PAYMENTDATE", doc.paid_on)
    if doc.base_amount is not None:
        # Only for receipts whose bank has another currency than the document; the manual's sample spells it with two Ts.
        put(node, "AMOUNTTOPAY", money(doc.base_amount))
        put(node, "TRX_AMOUNTTOPAY", money(doc.amount))
    put_some(node, "ACTION", doc.action)
    _currency(node, doc)
    if doc.overpayment:
        put(node, "OVERPAYMENTAMOUNT", money(doc.overpayment))
        put_some(node, "OVERPAYMENTLOCATIONID", doc.overpayment_location)
        put_some(node, "OVERPAYMENTDEPARTMENTID", doc.overpayment_department)
    details = _sub(node, "ARPYMTDETAILS")
    for applied in doc.applications:
        _application(details, applied)


def _journal(node: Element, doc: Journal) -> None:
    put(node, "JOURNAL", doc.journal)
    put(node, "BATCH_DATE", us_date(doc.posted_on))
    _date(node, "REVERSEDATE", doc.reverse_on)
    put(node, "BATCH_TITLE", doc.title)
    put_some(node, "REFERENCENO", doc.reference)
    put_some(node, "BASELOCATION_NO", doc.base_location)
    put_some(node, "STATE", doc.state)
    entries = _sub(node, "ENTRIES")
    for line in doc.lines:
        entry = _sub(entries, "GLENTRY")
        put_some(entry, "DOCUMENT", line.document)
        put(entry, "ACCOUNTNO", line.account)
        put(entry, "TRX_AMOUNT", money(abs(line.amount)))
        put(entry, "TR_TYPE", "1" if line.amount >= 0 else "-1")
        _currency(entry, line, base=False)
        put_some(entry, "DESCRIPTION", line.memo)
        # Journal entries alone spell these two without ID.
        put_some(entry, "DEPARTMENT", line.department)
        put_some(entry, "LOCATION", line.location)
        put_some(entry, "PROJECTID", line.project)
        put_some(entry, "CUSTOMERID", line.customer)
        put_some(entry, "VENDORID", line.vendor)
        put_some(entry, "EMPLOYEEID", line.employee)
        put_some(entry, "ITEMID", line.item)
        put_some(entry, "CLASSID", line.class_)
        put_some(entry, "CONTRACTID", line.contract)
        put_some(entry, "WAREHOUSEID", line.warehouse)


_WRITERS: dict[type, tuple[str, str, Callable[[Element, Any], None]]] = {
    Customer: ("create", "CUSTOMER", _customer),
    CustomerUpdate: ("update", "CUSTOMER", _customer),
    Invoice: ("create", "ARINVOICE", _invoice),
    CreditMemo: ("create", "ARADJUSTMENT", _memo),
    DebitMemo: ("create", "ARADJUSTMENT", _memo),
    Receipt: ("create", "ARPYMT", _receipt),
    Journal: ("create", "GLBATCH", _journal),
}


def write(parent: Element, document: object) -> None:
    """Append the generic function of `document` to `parent`. Raises InputError where Intacct has only a legacy function."""
    found = _WRITERS.get(type(document))
    if found is None:
        raise InputError(
            f"{type(document).__name__} has no generic function in Intacct; post it in the legacy style."
        )
    verb, name, writer = found
    writer(_sub(_sub(parent, verb), name), document)
