"""Legacy functions, and generic create and update, as orders to the books.

A legacy function is checked for order before it comes here; its lower-case fields are renamed to the generic ones, so that both
families write through the same desks: invoiceno is RECORDID, ponumber DOCNUMBER, datecreated WHENCREATED, memo ENTRYDESCRIPTION.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tieout.sandbox.intacct.refusals import BookError, missing
from tieout.sandbox.intacct.values import cents, money


@dataclass(slots=True)
class Order:
    """What to do with which record; `id_answer` says that the key in the answer is an id, not a RECORDNO."""

    operation: str
    object_name: str
    fields: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    id_answer: bool = False
    ignore_duplicates: bool = False


_CUSTOMER = {"customerid": "CUSTOMERID", "name": "NAME", "parentid": "PARENTID", "termname": "TERMNAME"}
_CUSTOMER |= {
    "custtype": "CUSTTYPE",
    "taxid": "TAXID",
    "creditlimit": "CREDITLIMIT",
    "territoryid": "TERRITORYID",
}
_CUSTOMER |= {"resaleno": "RESALENO", "glgroup": "GLGROUP", "onhold": "ONHOLD", "comments": "COMMENTS"}
_CUSTOMER |= {
    "status": "STATUS",
    "currency": "CURRENCY",
    "supdocid": "SUPDOCID",
    "shippingmethod": "SHIPPINGMETHOD",
}
_RATES = {"basecurr": "BASECURR", "currency": "CURRENCY", "exchrate": "EXCHANGE_RATE"}
_DOCUMENT = {
    "customerid": "CUSTOMERID",
    "termname": "TERMNAME",
    "action": "ACTION",
    "description": "DESCRIPTION",
}
_DOCUMENT |= {"supdocid": "SUPDOCID", "taxsolutionid": "TAXSOLUTIONID", **_RATES}
_INVOICE = {**_DOCUMENT, "invoiceno": "RECORDID", "ponumber": "DOCNUMBER"}
_ADJUSTMENT = {**_DOCUMENT, "adjustmentno": "RECORDID", "invoiceno": "DOCNUMBER"}
_DATES = {
    "datecreated": "WHENCREATED",
    "dateposted": "WHENPOSTED",
    "datedue": "WHENDUE",
    "shippeddate": "SHIPPEDDATE",
}
_LINE = {"accountlabel": "ACCOUNTLABEL", "glaccountno": "ACCOUNTNO", "offsetglaccountno": "OFFSETGLACCOUNTNO"}
_LINE |= {"amount": "TRX_AMOUNT", "memo": "ENTRYDESCRIPTION", "locationid": "LOCATIONID"}
_LINE |= {"departmentid": "DEPARTMENTID", "projectid": "PROJECTID", "itemid": "ITEMID", "classid": "CLASSID"}
_LINE |= {"warehouseid": "WAREHOUSEID", "contractid": "CONTRACTID"}
_ENTRY = {"glaccountno": "ACCOUNTNO", "amount": "TRX_AMOUNT", "document": "DOCUMENT", "memo": "DESCRIPTION"}
_ENTRY |= {
    "locationid": "LOCATION",
    "departmentid": "DEPARTMENT",
    "currency": "CURRENCY",
    "exchrate": "EXCHANGE_RATE",
}
_ORDER = {"transactiontype": "TRANSACTIONTYPE", "createdfrom": "CREATEDFROM", "customerid": "CUSTOMERID"}
_ORDER |= {"documentno": "DOCNO", "referenceno": "REFERENCENO", "termname": "TERMNAME", "message": "MESSAGE"}
_ORDER |= {"state": "STATE", "currency": "CURRENCY", "trackingnumber": "TRACKINGNUMBER"}
_ORDER |= {"shippingmethod": "SHIPPINGMETHOD", "taxsolutionid": "TAXSOLUTIONID"}
_ORDER_LINE = {"itemid": "ITEMID", "warehouseid": "WAREHOUSEID", "quantity": "QUANTITY", "unit": "UNIT"}
_ORDER_LINE |= {"price": "PRICE", "discountpercent": "DISCOUNTPERCENT", "sourcelinekey": "SOURCELINEKEY"}
_ORDER_LINE |= {"locationid": "LOCATIONID", "departmentid": "DEPARTMENTID", "memo": "MEMO"}


def tree(element: Any) -> Any:
    """An element's content: text, or a mapping of children with repeated ones as lists."""
    if len(element) == 0:
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in element:
        value = tree(child)
        name = child.tag
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _named(element: Any, names: dict[str, str]) -> dict[str, Any]:
    """Text children renamed, custom fields under their own names."""
    found: dict[str, Any] = {}
    for child in element:
        name = names.get(child.tag)
        if name is not None:
            found[name] = (child.text or "").strip()
        elif child.tag == "customfields":
            for custom in child:
                found[(custom.findtext("customfieldname") or "").strip()] = (
                    custom.findtext("customfieldvalue") or ""
                )
        elif child.tag == "exchratetype":
            found["EXCH_RATE_TYPE_ID"] = (child.text or "").strip() or "Intacct Daily Rate"
        elif child.tag == "exchratedate":
            found["EXCH_RATE_DATE"] = _date(child)
    return found


def _date(element: Any | None) -> str:
    if element is None:
        return ""
    year, month, day = [(part.text or "").strip() for part in element]  # the schema has seen to the order
    return f"{month}/{day}/{year}"


def _dated(element: Any, fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    for child in element:
        name = names.get(child.tag)
        if name is not None:
            fields[name] = _date(child)
    return fields


def _upper(value: Any) -> Any:
    return {key.upper(): _upper(child) for key, child in value.items()} if isinstance(value, dict) else value


def _customer(element: Any, operation: str) -> Order:
    fields = _named(element, _CUSTOMER)
    for holder in ("contactinfo", "primary", "billto"):
        contact = element.find(f"{holder}/contact")
        if contact is not None:
            fields["DISPLAYCONTACT"] = _upper(tree(contact))
            break
    ignore = element.get("ignoreduplicates", "").lower() == "true"
    return Order(operation, "CUSTOMER", fields, element.get("customerid", ""), True, ignore)


def _line(element: Any) -> dict[str, Any]:
    row = _named(element, _LINE)
    taxes = element.find("taxentries")
    if taxes is not None:
        row["TAXENTRIES"] = [_upper(tree(entry)) for entry in taxes]
    return row


def _create_invoice(element: Any) -> Order:
    fields = _dated(element, _named(element, _INVOICE), _DATES)
    fields["ARINVOICEITEMS"] = [_line(row) for row in element.find("invoiceitems")]
    return Order("create", "ARINVOICE", fields)


def _update_invoice(element: Any) -> Order:
    fields = _dated(element, _named(element, _INVOICE), _DATES)
    rows = []
    for row in element.find("updateinvoiceitems") if element.find("updateinvoiceitems") is not None else ():
        changed = _line(row)
        if row.tag == "updatelineitem":
            changed["LINE_NO"] = row.get("line_num", "")
        rows.append(changed)
    if rows:
        fields["ARINVOICEITEMS"] = rows
    return Order("update", "ARINVOICE", fields, element.get("key", ""))


def _create_adjustment(element: Any) -> Order:
    fields = _dated(element, _named(element, _ADJUSTMENT), _DATES)
    fields["ARADJUSTMENTITEMS"] = [_line(row) for row in element.find("aradjustmentitems")]
    return Order("create", "ARADJUSTMENT", fields)


def _create_payment(element: Any) -> Order:
    names = {
        "customerid": "CUSTOMERID",
        "bankaccountid": "FINANCIALENTITY",
        "undepfundsacct": "UNDEPOSITEDACCOUNTNO",
    }
    names |= {"refid": "DOCNUMBER", "paymentmethod": "PAYMENTMETHOD", "overpaylocid": "OVERPAYMENTLOCATIONID"}
    names |= {"authcode": "AUTHCODE", "cctype": "CCTYPE", **_RATES}
    fields = _dated(element, _named(element, names), {"datereceived": "RECEIPTDATE"})
    fields.setdefault("PAYMENTMETHOD", "Printed Check")
    amount = cents(element.findtext("paymentamount") or "", "Payment amount")
    if amount <= 0:
        raise missing("Payment amount")
    details, applied = _applications(element.findall("arpaymentitem"))
    if not details:
        fields["ARADVANCEITEMS"] = [
            {"TRX_AMOUNT": money(amount), "LOCATIONID": fields.get("OVERPAYMENTLOCATIONID", "")}
        ]
        return Order("create", "ARADVANCE", fields)
    if applied > amount:
        raise BookError(
            "XL03000027",
            f"The amounts applied, {money(applied)}, are greater than the payment amount {money(amount)}.",
            "Enter amounts up to the payment amount.",
        )
    fields["ARPYMTDETAILS"] = details
    if amount > applied:
        fields["OVERPAYMENTAMOUNT"] = money(amount - applied)
    return Order("create", "ARPYMT", fields)


def _applications(elements: list[Any]) -> tuple[list[dict[str, str]], int]:
    rows, total = [], 0
    for row in elements:
        amount = (row.findtext("amount") or "").strip()
        total += cents(amount)
        rows.append({"RECORDKEY": (row.findtext("invoicekey") or "").strip(), "TRX_PAYMENTAMOUNT": amount})
    return rows, total


def _apply_payment(element: Any) -> Order:
    rows, _ = _applications(element.findall("arpaymentitems/arpaymentitem"))
    fields = {"PAYMENTDATE": _date(element.find("paymentdate")), "ARPYMTDETAILS": rows}
    return Order("apply", "ARPYMT", fields, (element.findtext("arpaymentkey") or "").strip())


def _create_journal(element: Any) -> Order:
    names = {"journalid": "JOURNAL", "description": "BATCH_TITLE", "referenceno": "REFERENCENO"}
    fields = _dated(
        element, _named(element, names), {"datecreated": "BATCH_DATE", "reversedate": "REVERSEDATE"}
    )
    rows = []
    for entry in element.find("gltransactionentries"):
        row = _named(entry, _ENTRY)
        side = (entry.findtext("trtype") or "").strip().lower()
        row["TR_TYPE"] = {"debit": "1", "credit": "-1"}.get(side, side)
        rows.append(row)
    fields["ENTRIES"] = rows
    return Order("create", "GLBATCH", fields)


def _create_order(element: Any) -> Order:
    fields = _dated(element, _named(element, _ORDER), _DATES)
    fields["LINES"] = [_order_line(row) for row in element.find("sotransitems")]
    names = {"description": "DESCRIPTION", "total": "TOTAL", "locationid": "LOCATIONID"}
    fields["SUBTOTALS"] = [_named(row, names) for row in element.findall("subtotals/subtotal")]
    return Order("create", "SODOCUMENT", fields, id_answer=True)


def _order_line(element: Any) -> dict[str, Any]:
    row = _named(element, _ORDER_LINE)
    taxes = element.findall("linesubtotals/linesubtotal")
    if taxes:
        names = {"overridedetailid": "DETAILID", "trx_tax": "TRX_TAX"}
        row["TAXENTRIES"] = [_named(tax, names) for tax in taxes]
    return row


def _update_order(element: Any) -> Order:
    fields = _dated(element, _named(element, _ORDER), _DATES)
    rows = []
    for row in element.findall("updatesotransitems/*"):
        changed = _named(row, _ORDER_LINE)
        if row.tag == "updatesotransitem":
            changed["LINE_NUM"] = row.get("line_num", "0")
        rows.append(changed)
    fields["LINES"] = rows
    return Order("update", "SODOCUMENT", fields, element.get("key", ""), True)


def _create_movement(element: Any) -> Order:
    fields = _dated(element, _named(element, _ORDER), _DATES)
    fields["LINES"] = [_named(row, _ORDER_LINE) for row in element.find("ictransitems")]
    return Order("create", "INVDOCUMENT", fields, id_answer=True)


def _reverse(object_name: str) -> Callable[[Any], Order]:
    return lambda element: Order(
        "reverse", object_name, {"DATEREVERSED": _date(element.find("datereversed"))}, element.get("key", "")
    )


def _delete(object_name: str, attribute: str = "key") -> Callable[[Any], Order]:
    return lambda element: Order("delete", object_name, key=element.get(attribute, ""))


FUNCTIONS: dict[str, Callable[[Any], Order]] = {
    "create_customer": lambda element: _customer(element, "create"),
    "update_customer": lambda element: _customer(element, "update"),
    "delete_customer": _delete("CUSTOMER", "customerid"),
    "create_invoice": _create_invoice,
    "update_invoice": _update_invoice,
    "reverse_invoice": _reverse("ARINVOICE"),
    "delete_invoice": _delete("ARINVOICE"),
    "create_aradjustment": _create_adjustment,
    "reverse_aradjustment": _reverse("ARADJUSTMENT"),
    "delete_aradjustment": _delete("ARADJUSTMENT"),
    "create_arpayment": _create_payment,
    "apply_arpayment": _apply_payment,
    "reverse_arpayment": _reverse("ARPYMT"),
    "delete_arpayment": _delete("ARPYMT"),
    "create_gltransaction": _create_journal,
    "create_sotransaction": _create_order,
    "update_sotransaction": _update_order,
    "delete_sotransaction": _delete("SODOCUMENT"),
    "create_ictransaction": _create_movement,
}
