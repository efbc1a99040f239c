"""Parts that legacy functions share: custom fields, the currency group, lines of AR and order-entry documents."""

from __future__ import annotations

from typing import Any

from lxml import etree

from tieout.connectors.intacct.documents import Custom, Line, SalesLine
from tieout.connectors.intacct.values import Element, custom_text, money, put, put_date, put_some

_sub = etree.SubElement


def custom(parent: Element, values: Custom) -> None:
    """Custom fields by name and value; nothing for none."""
    if values:
        node = _sub(parent, "customfields")
        for name, value in values.items():
            entry = _sub(node, "customfield")
            put(entry, "customfieldname", name)
            put(entry, "customfieldvalue", custom_text(value))


def currency(parent: Element, doc: Any, *, base: bool = True) -> None:
    """The group of transaction currency and rate; nothing without a currency."""
    # The published group: with a currency there must be a rate type (empty means the daily rate) or a rate.
    if doc.currency is None:
        return
    if base:
        put_some(parent, "basecurr", doc.base_currency)
    put(parent, "currency", doc.currency)
    if doc.rate is not None:
        put(parent, "exchrate", money(doc.rate))
    else:
        put_date(parent, "exchratedate", doc.rate_on)
        put(parent, "exchratetype", doc.rate_type or "")


_REST = (
    "projectid",
    "customerid",
    "vendorid",
    "employeeid",
    "itemid",
    "classid",
    "contractid",
    "warehouseid",
)
_NONE_OF_REST = (None,) * len(_REST)


def ar_line(parent: Element, line: Line, sign: int) -> None:
    """One lineitem; `sign` -1 turns the amounts of a credit memo round."""
    node = _sub(parent, "lineitem")
    if line.label is not None:
        put(node, "accountlabel", line.label)
    else:
        put(node, "glaccountno", line.account or "")
    put_some(node, "offsetglaccountno", line.offset_account)
    put(node, "amount", money(line.amount if sign > 0 else -line.amount))
    put_some(node, "memo", line.memo)
    put_some(node, "locationid", line.location)
    put_some(node, "departmentid", line.department)
    if line.custom:
        custom(node, line.custom)
    # Most lines have none of these: one comparison passes them by.
    rest = (
        line.project,
        line.customer,
        line.vendor,
        line.employee,
        line.item,
        line.class_,
        line.contract,
        line.warehouse,
    )
    if rest != _NONE_OF_REST:
        for tag, text in zip(_REST, rest, strict=True):
            put_some(node, tag, text)
    if line.tax_entries:
        entries = _sub(node, "taxentries")
        for entry in line.tax_entries:
            tax = _sub(entries, "taxentry")
            put(tax, "detailid", entry.detail_id)
            if entry.amount is not None:
                put(tax, "trx_tax", money(entry.amount if sign > 0 else -entry.amount))


def sales_line(items: Element, line: SalesLine) -> None:
    """One sotransitem."""
    item = _sub(items, "sotransitem")
    put(item, "itemid", line.item)
    put_some(item, "itemdesc", line.description)
    put_some(item, "warehouseid", line.warehouse)
    put(item, "quantity", money(line.quantity))
    put_some(item, "unit", line.unit)
    if line.discount_percent is not None:
        put(item, "discountpercent", money(line.discount_percent))
    if line.price is not None:
        put(item, "price", money(line.price))
    if line.source_line_key is not None:
        put(item, "sourcelinekey", str(line.source_line_key))
    put_some(item, "locationid", line.location)
    if line.tax_entries:
        taxes = _sub(item, "linesubtotals")
        for entry in line.tax_entries:
            tax = _sub(taxes, "linesubtotal")
            put(tax, "overridedetailid", entry.detail_id)
            if entry.amount is not None:
                put(tax, "trx_tax", money(entry.amount))
    put_some(item, "departmentid", line.department)
    put_some(item, "memo", line.memo)
    custom(item, line.custom)
    put_some(item, "projectid", line.project)
    put_some(item, "classid", line.class_)
