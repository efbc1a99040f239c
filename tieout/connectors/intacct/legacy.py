"""Documents as legacy functions: lower-case elements in exactly the published order (`sequences`).

Source: the public schema of the XML gateway, version 3.0, and "Sage Intacct Web Services documentation" for later additions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from tieout.connectors.intacct.amendments import InvoiceChange, ReceiptApplication, SalesChange
from tieout.connectors.intacct.documents import (
    Application,
    CreditMemo,
    Customer,
    CustomerUpdate,
    DebitMemo,
    Invoice,
    Journal,
    Receipt,
    Reversal,
    SalesDocument,
    StockTransaction,
)
from tieout.connectors.intacct.legacy_amendments import invoice_change, receipt_application, sales_change
from tieout.connectors.intacct.legacy_parts import ar_line, currency, custom, sales_line
from tieout.connectors.intacct.values import Element, money, put, put_date, put_some
from tieout.errors import InputError

_sub = etree.SubElement


def _contact(parent: Element, doc: Customer | CustomerUpdate) -> None:
    parts = (
        doc.print_as,
        doc.company_name,
        doc.first_name,
        doc.last_name,
        doc.phone,
        doc.cell_phone,
        doc.email,
    )
    if isinstance(doc, CustomerUpdate) and doc.address is None and doc.taxable is None and not any(parts):
        return
    contact = _sub(_sub(parent, "contactinfo"), "contact")
    name = doc.print_as or doc.name or doc.customer_id
    # The name that Intacct itself gives a customer's display contact; contact names are unique in a company.
    put(contact, "contactname", f"{doc.name or doc.customer_id}({doc.customer_id})")
    put(contact, "printas", name)
    if doc.taxable is not None:
        put(contact, "taxable", "true" if doc.taxable else "false")
    put_some(contact, "companyname", doc.company_name)
    put_some(contact, "firstname", doc.first_name)
    put_some(contact, "lastname", doc.last_name)
    put_some(contact, "phone1", doc.phone)
    put_some(contact, "cellphone", doc.cell_phone)
    put_some(contact, "email1", doc.email)
    if doc.address is not None:
        mail = _sub(contact, "mailaddress")
        put_some(mail, "address1", doc.address.line1)
        put_some(mail, "address2", doc.address.line2)
        put_some(mail, "city", doc.address.city)
        put_some(mail, "state", doc.address.state)
        put_some(mail, "zip", doc.address.zip)
        put_some(mail, "country", doc.address.country)
        put_some(mail, "isocountrycode", doc.address.country_code)


def _customer(node: Element, doc: Customer | CustomerUpdate) -> None:
    if isinstance(doc, Customer):
        put(node, "customerid", doc.customer_id)
    else:
        node.set("customerid", doc.customer_id)
    put_some(node, "name", doc.name)
    put_some(node, "parentid", doc.parent_id)
    put_some(node, "termname", doc.terms)
    put_some(node, "custtype", doc.customer_type)
    put_some(node, "taxid", doc.tax_id)
    put_some(node, "comments", doc.comments)
    if doc.active is not None:
        put(node, "status", "active" if doc.active else "inactive")
    put_some(node, "currency", doc.currency)
    _contact(node, doc)
    custom(node, doc.custom)


def _invoice(node: Element, doc: Invoice) -> None:
    put(node, "customerid", doc.customer_id)
    put_date(node, "datecreated", doc.invoiced_on)
    put_date(node, "dateposted", doc.posted_on)
    put_date(node, "datedue", doc.due_on)
    put_some(node, "termname", doc.terms)
    put_some(node, "batchkey", doc.batch_key)
    put_some(node, "action", doc.action)
    put(node, "invoiceno", doc.number)
    put_some(node, "ponumber", doc.reference)
    put_some(node, "description", doc.description)
    if doc.bill_to is not None:
        put(_sub(node, "billto"), "contactname", doc.bill_to)
    if doc.ship_to is not None:
        put(_sub(node, "shipto"), "contactname", doc.ship_to)
    currency(node, doc)
    put_some(node, "supdocid", doc.attachment)
    put_some(node, "taxsolutionid", doc.tax_solution)
    custom(node, doc.custom)
    items = _sub(node, "invoiceitems")
    for line in doc.lines:
        ar_line(items, line, 1)


def _memo(node: Element, doc: CreditMemo | DebitMemo) -> None:
    put(node, "customerid", doc.customer_id)
    put_date(node, "datecreated", doc.issued_on)
    put_date(node, "dateposted", doc.posted_on)
    put_some(node, "batchkey", doc.batch_key)
    put(node, "adjustmentno", doc.number)
    put_some(node, "action", doc.action)
    put_some(node, "invoiceno", doc.reference)
    put_some(node, "description", doc.description)
    currency(node, doc)
    put_some(node, "taxsolutionid", doc.tax_solution)
    items = _sub(node, "aradjustmentitems")
    sign = -1 if isinstance(doc, CreditMemo) else 1
    for line in doc.lines:
        ar_line(items, line, sign)


def _receipt(node: Element, doc: Receipt) -> None:
    put(node, "customerid", doc.customer_id)
    put(node, "paymentamount", money(doc.amount))
    if doc.base_amount is not None:
        put(node, "translatedamount", money(doc.base_amount))
    put_some(node, "batchkey", doc.batch_key)
    put_some(node, "bankaccountid", doc.financial_entity)
    put_some(node, "undepfundsacct", doc.undeposited_account)
    put_some(node, "refid", doc.reference)
    put_some(node, "overpaylocid", doc.overpayment_location)
    put_some(node, "overpaydeptid", doc.overpayment_department)
    put_date(node, "datereceived", doc.received_on)
    put(node, "paymentmethod", doc.method)
    currency(node, doc)
    for applied in doc.applications:
        if (
            not isinstance(applied, Application)
            or applied.invoice_key is None
            or applied.entry_key is not None
        ):
            raise InputError(
                f"The receipt '{doc.reference or doc.customer_id}' puts credits, debit memos or single lines against each other, "
                "which the legacy function cannot carry; post it in the generic style."
            )
        item = _sub(node, "arpaymentitem")
        put(item, "invoicekey", str(applied.invoice_key))
        put(item, "amount", money(applied.amount))


def _journal(node: Element, doc: Journal) -> None:
    put(node, "journalid", doc.journal)
    put_date(node, "datecreated", doc.posted_on)
    put_date(node, "reversedate", doc.reverse_on)
    put(node, "description", doc.title)
    put_some(node, "referenceno", doc.reference)
    put_some(node, "sourceentity", doc.base_location)
    entries = _sub(node, "gltransactionentries")
    for line in doc.lines:
        entry = _sub(entries, "glentry")
        put(entry, "trtype", "debit" if line.amount >= 0 else "credit")
        put(entry, "amount", money(abs(line.amount)))
        put(entry, "glaccountno", line.account)
        put_some(entry, "document", line.document)
        put_some(entry, "memo", line.memo)
        put_some(entry, "locationid", line.location)
        put_some(entry, "departmentid", line.department)
        put_some(entry, "customerid", line.customer)
        put_some(entry, "vendorid", line.vendor)
        put_some(entry, "employeeid", line.employee)
        put_some(entry, "projectid", line.project)
        put_some(entry, "itemid", line.item)
        put_some(entry, "classid", line.class_)
        put_some(entry, "contractid", line.contract)
        put_some(entry, "warehouseid", line.warehouse)
        currency(entry, line, base=False)


def _sales(node: Element, doc: SalesDocument) -> None:
    put(node, "transactiontype", doc.definition)
    put_date(node, "datecreated", doc.ordered_on)
    put_date(node, "dateposted", doc.posted_on)
    put_some(node, "createdfrom", doc.created_from)
    put(node, "customerid", doc.customer_id)
    put_some(node, "documentno", doc.number)
    put_some(node, "referenceno", doc.reference)
    put_some(node, "termname", doc.terms)
    put_date(node, "datedue", doc.due_on)
    put_some(node, "message", doc.message)
    put_some(node, "shippingmethod", doc.shipping_method)
    currency(node, doc)
    custom(node, doc.custom)
    put_some(node, "state", doc.state)
    put_some(node, "projectid", doc.project)
    put_some(node, "taxsolutionid", doc.tax_solution)
    items = _sub(node, "sotransitems")
    for line in doc.lines:
        sales_line(items, line)
    if doc.subtotals:
        totals = _sub(node, "subtotals")
        for subtotal in doc.subtotals:
            entry = _sub(totals, "subtotal")
            put(entry, "description", subtotal.name)
            put(entry, "total", money(subtotal.total))
            put_some(entry, "locationid", subtotal.location)
            put_some(entry, "departmentid", subtotal.department)


def _stock(node: Element, doc: StockTransaction) -> None:
    put(node, "transactiontype", doc.definition)
    put_date(node, "datecreated", doc.moved_on)
    put_some(node, "documentno", doc.number)
    put_some(node, "referenceno", doc.reference)
    put_some(node, "message", doc.message)
    items = _sub(node, "ictransitems")
    for line in doc.lines:
        item = _sub(items, "ictransitem")
        put(item, "itemid", line.item)
        put(item, "warehouseid", line.warehouse)
        put(item, "quantity", money(line.quantity))
        put_some(item, "unit", line.unit)
        if line.cost is not None:
            put(item, "cost", money(line.cost))
        put_some(item, "locationid", line.location)
        put_some(item, "departmentid", line.department)


def _reversal(node: Element, doc: Reversal) -> None:
    node.set("key", str(doc.key))
    put_date(node, "datereversed", doc.reversed_on)
    put_some(node, "description", doc.description)


_WRITERS: dict[type, tuple[str, Callable[[Element, Any], None]]] = {
    Customer: ("create_customer", _customer),
    CustomerUpdate: ("update_customer", _customer),
    Invoice: ("create_invoice", _invoice),
    CreditMemo: ("create_aradjustment", _memo),
    DebitMemo: ("create_aradjustment", _memo),
    Receipt: ("create_arpayment", _receipt),
    Journal: ("create_gltransaction", _journal),
    SalesDocument: ("create_sotransaction", _sales),
    StockTransaction: ("create_ictransaction", _stock),
    InvoiceChange: ("update_invoice", invoice_change),
    SalesChange: ("update_sotransaction", sales_change),
    ReceiptApplication: ("apply_arpayment", receipt_application),
}


def write(parent: Element, document: object) -> None:
    """Append the legacy function of `document` to `parent`. Raises InputError for what the function cannot carry."""
    if isinstance(document, Reversal):
        _reversal(
            _sub(parent, "reverse_invoice" if document.of == "invoice" else "reverse_arpayment"), document
        )
        return
    name, writer = _WRITERS[type(document)]
    writer(_sub(parent, name), document)
