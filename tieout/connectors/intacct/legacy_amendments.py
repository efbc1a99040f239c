"""Changes to documents as legacy functions, in the published order (`sequences`)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from tieout.connectors.intacct.amendments import (
    InvoiceChange,
    ReceiptApplication,
    SalesChange,
)
from tieout.connectors.intacct.legacy_parts import ar_line, currency, custom, sales_line
from tieout.connectors.intacct.values import Element, money, put, put_date, put_some
from tieout.errors import InputError

_sub = etree.SubElement


def invoice_change(node: Element, doc: InvoiceChange) -> None:
    """update_invoice."""
    node.set("key", str(doc.key))
    put_some(node, "customerid", doc.customer_id)
    put_date(node, "datecreated", doc.invoiced_on)
    put_date(node, "dateposted", doc.posted_on)
    put_date(node, "datedue", doc.due_on)
    put_some(node, "termname", doc.terms)
    put_some(node, "action", doc.action)
    put_some(node, "invoiceno", doc.number)
    put_some(node, "ponumber", doc.reference)
    put_some(node, "description", doc.description)
    currency(node, doc, base=False)
    put_some(node, "supdocid", doc.attachment)
    custom(node, doc.custom)
    if not doc.changed_lines and not doc.added_lines:
        return
    items = _sub(node, "updateinvoiceitems")
    for line in doc.changed_lines:
        changed = _sub(items, "updatelineitem", line_num=str(line.line_no))
        if line.label is not None:
            put(changed, "accountlabel", line.label)
        else:
            put_some(changed, "glaccountno", line.account)
        _amount(changed, "amount", line.amount)
        put_some(changed, "memo", line.memo)
        put_some(changed, "locationid", line.location)
        put_some(changed, "departmentid", line.department)
        custom(changed, line.custom)
        put_some(changed, "projectid", line.project)
        put_some(changed, "customerid", line.customer)
        put_some(changed, "itemid", line.item)
        put_some(changed, "classid", line.class_)
        put_some(changed, "warehouseid", line.warehouse)
    for added in doc.added_lines:
        ar_line(items, added, 1)


def sales_change(node: Element, doc: SalesChange) -> None:
    """update_sotransaction."""
    node.set("key", doc.key)
    put_date(node, "datecreated", doc.ordered_on)
    put_date(node, "dateposted", doc.posted_on)
    put_some(node, "referenceno", doc.reference)
    put_some(node, "termname", doc.terms)
    put_date(node, "datedue", doc.due_on)
    put_some(node, "message", doc.message)
    put_some(node, "shippingmethod", doc.shipping_method)
    currency(node, doc)
    custom(node, doc.custom)
    put_some(node, "state", doc.state)
    put_some(node, "projectid", doc.project)
    if not doc.changed_lines and not doc.added_lines:
        return
    items = _sub(node, "updatesotransitems")
    for line in doc.changed_lines:
        changed = _sub(items, "updatesotransitem", line_num=str(line.line_no))
        put_some(changed, "itemid", line.item)
        put_some(changed, "itemdesc", line.description)
        put_some(changed, "warehouseid", line.warehouse)
        _amount(changed, "quantity", line.quantity)
        put_some(changed, "unit", line.unit)
        _amount(changed, "price", line.price)
        put_some(changed, "locationid", line.location)
        put_some(changed, "departmentid", line.department)
        put_some(changed, "memo", line.memo)
        custom(changed, line.custom)
    for added in doc.added_lines:
        sales_line(items, added)


def receipt_application(node: Element, doc: ReceiptApplication) -> None:
    """apply_arpayment. Raises InputError for what it cannot carry."""
    put(node, "arpaymentkey", str(doc.key))
    put_date(node, "paymentdate", doc.applied_on)
    put_some(node, "memo", doc.memo)
    put_some(node, "overpaylocid", doc.overpayment_location)
    put_some(node, "overpaydeptid", doc.overpayment_department)
    items = _sub(node, "arpaymentitems")
    for applied in doc.applications:
        if applied.invoice_key is None or applied.entry_key is not None:
            raise InputError(
                f"Money of the receipt {doc.key} can only be set against whole invoices by this function; make a receipt in the generic style."
            )
        item = _sub(items, "arpaymentitem")
        put(item, "invoicekey", str(applied.invoice_key))
        put(item, "amount", money(applied.amount))


def _amount(node: Element, tag: str, amount: Any) -> None:
    if amount is not None:
        put(node, tag, money(amount))
