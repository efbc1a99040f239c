"""The columns of each readable object: name, type, and how the value is worked out from a record.

Field names follow the published object descriptions and recorded replies. Money fields without TRX_ are in the entity's base
currency. STATE is a label and RAWSTATE a code; only the code `A` for Posted is publicly known, the other codes are this
stand-in's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.records import Document, GlEntry
from tieout.sandbox.intacct.values import RATE_SCALE, day_text, instant_text, money, plain

STATE_CODES = {
    "Draft": "D",
    "Submitted": "S",
    "Posted": "A",
    "Partially Paid": "P",
    "Paid": "C",
    "Reversed": "V",
    "Complete": "C",
}
ORDER_STATES = {
    "Submitted": "S",
    "Approved": "A",
    "Draft": "I",
    "Pending": "O",
    "Closed": "D",
    "In Progress": "G",
    "Converted": "C",
    "Partially Converted": "P",
}
ACCESS_MODES = {"C": "Create", "M": "Modify", "D": "Delete"}
STATUS_CODES = {"active": "T", "inactive": "F"}


@dataclass(frozen=True, slots=True)
class Field:
    """One readable field. `codes` maps labels to the codes that readByQuery filters use."""

    name: str
    kind: str
    get: Callable[[Any], Any]
    codes: dict[str, str] | None = None
    required: bool = False
    custom: bool = False


def render(one: Field, value: Any, company: Company) -> str:
    """A field's value as the gateway prints it; nothing is the empty text."""
    if value is None or value == "":
        return ""
    kind = one.kind
    if kind == "CURRENCY":
        return money(value)
    if kind == "DATE":
        return day_text(value)
    if kind == "TIMESTAMP":
        return instant_text(value, company.knobs.user_gmt_offset_hours)
    if kind == "AUDITSTAMP":
        return instant_text(value, company.knobs.audit_gmt_offset_hours)
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "DECIMAL":
        return plain(value)
    return str(value)


def columns(*rows: tuple[Any, ...]) -> dict[str, Field]:
    """Columns by name."""
    return {row[0]: Field(*row) for row in rows}


def attribute(name: str) -> Callable[[Any], Any]:
    """Reads an attribute, dots included."""
    return attrgetter(name)


def _rate(rate: int) -> Decimal:
    return Decimal(rate) / RATE_SCALE


def extra(name: str) -> Callable[[Any], Any]:
    """Reads a field the books store but do not use."""

    def get(record: Any) -> Any:
        value = (getattr(record, "extra", None) or {}).get(name)
        return None if isinstance(value, (dict, list)) else value

    return get


def _contact(name: str) -> Callable[[Any], Any]:
    return lambda record: record.contact.get(name)


def _mail(name: str) -> Callable[[Any], Any]:
    def get(record: Any) -> Any:
        address = record.contact.get("MAILADDRESS")
        return address.get(name) if isinstance(address, dict) else None

    return get


AUDIT = (
    ("AUWHENCREATED", "AUDITSTAMP", attribute("created_at")),
    ("WHENMODIFIED", "TIMESTAMP", attribute("modified_at")),
    ("CREATEDBY", "TEXT", attribute("created_by")),
    ("MODIFIEDBY", "TEXT", attribute("modified_by")),
    ("MEGAENTITYID", "TEXT", attribute("entity")),
)


def document_fields(recordtype: str) -> dict[str, Field]:
    """ARINVOICE and ARADJUSTMENT."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("RECORDTYPE", "TEXT", lambda r: recordtype),
        ("RECORDID", "TEXT", attribute("recordid")),
        ("STATE", "ENUM", attribute("state"), STATE_CODES),
        ("RAWSTATE", "TEXT", lambda r: STATE_CODES[r.state]),
        ("CUSTOMERID", "TEXT", lambda r: r.customer.customerid, None, True),
        ("CUSTOMERNAME", "TEXT", lambda r: r.customer.name),
        ("DOCNUMBER", "TEXT", attribute("docnumber")),
        ("DESCRIPTION", "TEXT", attribute("description")),
        ("TERMNAME", "TEXT", attribute("termname")),
        ("WHENCREATED", "DATE", attribute("created_on"), None, True),
        ("WHENPOSTED", "DATE", attribute("posted_on")),
        ("WHENDUE", "DATE", attribute("due_on")),
        ("WHENPAID", "DATE", attribute("paid_on")),
        ("BASECURR", "TEXT", attribute("basecurr")),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("EXCH_RATE_DATE", "DATE", attribute("rate_on")),
        ("EXCH_RATE_TYPE_ID", "TEXT", attribute("rate_type")),
        ("EXCHANGE_RATE", "DECIMAL", lambda r: _rate(r.rate)),
        ("TOTALENTERED", "CURRENCY", attribute("total")),
        ("TOTALSELECTED", "CURRENCY", lambda r: 0),
        ("TOTALPAID", "CURRENCY", attribute("paid")),
        ("TOTALDUE", "CURRENCY", attribute("due")),
        ("TRX_TOTALENTERED", "CURRENCY", attribute("trx_total")),
        ("TRX_TOTALSELECTED", "CURRENCY", lambda r: 0),
        ("TRX_TOTALPAID", "CURRENCY", attribute("trx_paid")),
        ("TRX_TOTALDUE", "CURRENCY", attribute("trx_due")),
        ("PRBATCH", "TEXT", lambda r: r.batch.title if r.batch else None),
        ("PRBATCHKEY", "INTEGER", lambda r: r.batch.prbatchkey if r.batch else None),
        ("MODULEKEY", "TEXT", attribute("modulekey")),
        ("SYSTEMGENERATED", "TEXT", lambda r: "T" if r.modulekey == "8.SO" else "F"),
        ("SUPDOCID", "TEXT", extra("SUPDOCID")),
        ("TAXSOLUTIONID", "TEXT", extra("TAXSOLUTIONID")),
        ("BILLTOCONTACTNAME", "TEXT", lambda r: r.customer.contact.get("CONTACTNAME")),
        *AUDIT,
    )


def line_fields() -> dict[str, Field]:
    """ARINVOICEITEM and ARADJUSTMENTITEM."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("RECORDKEY", "INTEGER", attribute("document.recordno")),
        ("RECORDID", "TEXT", attribute("document.recordid")),
        ("RECORDTYPE", "TEXT", attribute("document.recordtype")),
        ("LINE_NO", "INTEGER", attribute("line_no")),
        ("LINEITEM", "TEXT", lambda r: "F" if r.subtotal else "T"),
        ("ACCOUNTNO", "TEXT", attribute("account")),
        ("OFFSETGLACCOUNTNO", "TEXT", attribute("offset")),
        ("AMOUNT", "CURRENCY", attribute("amount")),
        ("TRX_AMOUNT", "CURRENCY", attribute("trx_amount")),
        ("CURRENCY", "TEXT", attribute("document.currency")),
        ("BASECURR", "TEXT", attribute("document.basecurr")),
        ("EXCHANGE_RATE", "DECIMAL", lambda r: _rate(r.document.rate)),
        ("ENTRYDESCRIPTION", "TEXT", attribute("memo")),
        ("ENTRY_DATE", "DATE", attribute("document.posted_on")),
        ("LOCATIONID", "TEXT", attribute("location")),
        ("DEPARTMENTID", "TEXT", attribute("department")),
        ("ITEMID", "TEXT", attribute("item")),
        ("PROJECTID", "TEXT", extra("PROJECTID")),
        ("CLASSID", "TEXT", extra("CLASSID")),
        ("WAREHOUSEID", "TEXT", extra("WAREHOUSEID")),
        ("SUBTOTAL", "TEXT", attribute("subtotal")),
        ("TOTALPAID", "CURRENCY", attribute("paid")),
        ("TRX_TOTALPAID", "CURRENCY", attribute("trx_paid")),
        ("TOTALSELECTED", "CURRENCY", lambda r: 0),
        ("STATE", "ENUM", attribute("document.state"), STATE_CODES),
        ("AUWHENCREATED", "AUDITSTAMP", attribute("document.created_at")),
        ("WHENMODIFIED", "TIMESTAMP", attribute("modified_at")),
        ("MEGAENTITYID", "TEXT", attribute("document.entity")),
    )


def receipt_fields() -> dict[str, Field]:
    """ARPYMT and ARADVANCE."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("RECORDTYPE", "TEXT", attribute("recordtype")),
        ("STATE", "ENUM", attribute("state"), STATE_CODES),
        ("RAWSTATE", "TEXT", lambda r: STATE_CODES[r.state]),
        ("CUSTOMERID", "TEXT", lambda r: r.customer.customerid, None, True),
        ("CUSTOMERNAME", "TEXT", lambda r: r.customer.name),
        ("DOCNUMBER", "TEXT", attribute("docnumber")),
        ("DESCRIPTION", "TEXT", attribute("description")),
        ("RECEIPTDATE", "DATE", attribute("received_on"), None, True),
        ("WHENCREATED", "DATE", attribute("received_on")),
        ("WHENPOSTED", "DATE", attribute("received_on")),
        ("WHENPAID", "DATE", attribute("paid_on")),
        ("PAYMENTMETHOD", "TEXT", attribute("method"), None, True),
        ("FINANCIALENTITY", "TEXT", attribute("bank")),
        ("UNDEPOSITEDACCOUNTNO", "TEXT", lambda r: "" if r.bank else r.account),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("BASECURR", "TEXT", attribute("basecurr")),
        ("EXCHANGE_RATE", "DECIMAL", lambda r: _rate(r.rate)),
        ("TOTALENTERED", "CURRENCY", attribute("total")),
        ("TOTALPAID", "CURRENCY", lambda r: r.total - r.unapplied),
        ("TOTALDUE", "CURRENCY", attribute("unapplied")),
        ("TRX_TOTALENTERED", "CURRENCY", attribute("trx_total")),
        ("TRX_TOTALPAID", "CURRENCY", lambda r: r.trx_total - r.trx_unapplied),
        ("TRX_TOTALDUE", "CURRENCY", attribute("trx_unapplied")),
        ("PRBATCH", "TEXT", lambda r: r.batch.title if r.batch else None),
        ("PRBATCHKEY", "INTEGER", lambda r: r.batch.prbatchkey if r.batch else None),
        ("MODULEKEY", "TEXT", lambda r: "4.AR"),
        *AUDIT,
    )


def _source_key(kind: str) -> Callable[[Any], Any]:
    def get(record: Any) -> Any:
        source = record.source
        if isinstance(source, Document):
            found = "ra" if source.recordtype == "ra" else "ri"
        else:
            found = getattr(source, "recordtype", "")
        own = source is record.receipt  # money that was on account of the same receipt is its own payment
        return source.recordno if source is not None and found == kind and not own else None

    return get


def _part(kind: str) -> Callable[[Any], Any]:
    """The amount of an application when it is of this kind, else zero."""

    def get(record: Any) -> Any:
        source = record.source
        if source is None or source is record.receipt:
            found = "payment"
        elif isinstance(source, Document):
            found = "credit"
        else:
            found = "advance" if source.recordtype == "rr" else "overpayment"
        return record.trx_amount if found == kind else 0

    return get


def application_fields() -> dict[str, Field]:
    """ARPYMTDETAIL: one row per application."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("PAYMENTKEY", "INTEGER", attribute("receipt.recordno")),
        ("RECORDKEY", "INTEGER", lambda r: r.target.recordno if r.target.recordtype == "ri" else None),
        ("POSADJKEY", "INTEGER", lambda r: r.target.recordno if r.target.recordtype == "ra" else None),
        ("ADJUSTMENTKEY", "INTEGER", _source_key("ra")),
        ("NEGATIVEINVOICEKEY", "INTEGER", _source_key("ri")),
        ("ADVANCEKEY", "INTEGER", _source_key("rr")),
        ("OVERPAYMENTKEY", "INTEGER", _source_key("rp")),
        ("TRX_PAYMENTAMOUNT", "CURRENCY", _part("payment")),
        ("PAYMENTAMOUNT", "CURRENCY", lambda r: r.source_amount if r.source in (None, r.receipt) else 0),
        ("TRX_ADJUSTMENTAMOUNT", "CURRENCY", _part("credit")),
        ("TRX_POSTEDADVANCEAMOUNT", "CURRENCY", _part("advance")),
        ("TRX_POSTEDOVERPAYMENTAMOUNT", "CURRENCY", _part("overpayment")),
        ("CURRENCY", "TEXT", attribute("target.currency")),
        ("STATE", "ENUM", attribute("state"), STATE_CODES),
        ("AUWHENCREATED", "AUDITSTAMP", attribute("created_at")),
        ("WHENMODIFIED", "TIMESTAMP", attribute("modified_at")),
        ("MEGAENTITYID", "TEXT", attribute("receipt.entity")),
    )


def _of(entry: GlEntry) -> Any:
    return entry.document


def entry_fields() -> dict[str, Field]:
    """GLENTRY: amounts are absolute, TR_TYPE has the sign."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("BATCHNO", "INTEGER", attribute("batch.recordno")),
        ("BATCHKEY", "INTEGER", attribute("batch.recordno")),
        ("ENTRY_DATE", "DATE", attribute("batch.on")),
        ("ACCOUNTNO", "TEXT", attribute("account")),
        ("TR_TYPE", "INTEGER", lambda r: 1 if (r.amount or r.trx_amount) >= 0 else -1),
        ("AMOUNT", "CURRENCY", lambda r: abs(r.amount)),
        ("TRX_AMOUNT", "CURRENCY", lambda r: abs(r.trx_amount)),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("DESCRIPTION", "TEXT", attribute("memo")),
        ("LOCATION", "TEXT", attribute("location")),
        ("DEPARTMENT", "TEXT", attribute("department")),
        ("STATE", "ENUM", attribute("batch.state"), STATE_CODES),
        ("WHENMODIFIED", "TIMESTAMP", attribute("modified_at")),
        ("MEGAENTITYID", "TEXT", attribute("entity")),
    )


def detail_fields(company: Company) -> dict[str, Field]:
    """GLDETAIL: posted entries with the document they come from, amounts signed or absolute by knob."""
    shown = abs if company.knobs.gl_detail_amounts == "absolute" else int
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("BOOKID", "TEXT", lambda r: "ACCRUAL"),
        ("MODULEKEY", "TEXT", lambda r: getattr(_of(r), "modulekey", None) or r.batch.module),
        ("BATCHKEY", "INTEGER", attribute("batch.recordno")),
        ("GLENTRYKEY", "INTEGER", attribute("recordno")),
        ("BATCH_NO", "INTEGER", attribute("batch.batch_no")),
        ("BATCH_DATE", "DATE", attribute("batch.on")),
        ("ENTRY_DATE", "DATE", attribute("batch.on")),
        ("BATCH_TITLE", "TEXT", attribute("batch.title")),
        ("SYMBOL", "TEXT", attribute("batch.journal")),
        ("ACCOUNTNO", "TEXT", attribute("account")),
        ("TR_TYPE", "INTEGER", lambda r: 1 if (r.amount or r.trx_amount) >= 0 else -1),
        ("AMOUNT", "CURRENCY", lambda r: shown(r.amount)),
        ("TRX_AMOUNT", "CURRENCY", lambda r: shown(r.trx_amount)),
        ("DEBITAMOUNT", "CURRENCY", lambda r: max(r.amount, 0)),
        ("CREDITAMOUNT", "CURRENCY", lambda r: max(-r.amount, 0)),
        ("TRX_DEBITAMOUNT", "CURRENCY", lambda r: max(r.trx_amount, 0)),
        ("TRX_CREDITAMOUNT", "CURRENCY", lambda r: max(-r.trx_amount, 0)),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("RECORDID", "TEXT", lambda r: getattr(_of(r), "recordid", None)),
        ("RECORDTYPE", "TEXT", lambda r: getattr(_of(r), "recordtype", None)),
        ("RECORDKEY", "INTEGER", lambda r: getattr(_of(r), "recordno", None)),
        ("DOCNUMBER", "TEXT", lambda r: getattr(_of(r), "docnumber", None)),
        ("CUSTOMERID", "TEXT", lambda r: _of(r).customer.customerid if _of(r) is not None else None),
        ("PRENTRYKEY", "INTEGER", lambda r: r.line.recordno if r.line is not None else None),
        ("DESCRIPTION", "TEXT", attribute("memo")),
        ("LOCATIONID", "TEXT", attribute("location")),
        ("DEPARTMENTID", "TEXT", attribute("department")),
        ("ENTRY_STATE", "ENUM", attribute("batch.state"), STATE_CODES),
        ("WHENMODIFIED", "TIMESTAMP", attribute("modified_at")),
        ("MEGAENTITYID", "TEXT", attribute("entity")),
    )


def customer_fields() -> dict[str, Field]:
    """CUSTOMER, its display contact by dotted names."""
    contact: tuple[str, ...] = (
        "PRINTAS",
        "COMPANYNAME",
        "PREFIX",
        "FIRSTNAME",
        "LASTNAME",
        "INITIAL",
        "PHONE1",
        "PHONE2",
    )
    contact += ("CELLPHONE", "EMAIL1", "EMAIL2", "URL1", "TAXABLE", "CONTACTNAME")
    address = ("ADDRESS1", "ADDRESS2", "CITY", "STATE", "ZIP", "COUNTRY", "COUNTRYCODE")
    plain_fields = (
        "CUSTTYPE",
        "PARENTID",
        "GLGROUP",
        "TERRITORYID",
        "TAXID",
        "RESALENO",
        "COMMENTS",
        "CREDITLIMIT",
    )
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("CUSTOMERID", "TEXT", attribute("customerid"), None, True),
        ("NAME", "TEXT", attribute("name"), None, True),
        ("STATUS", "ENUM", attribute("status"), STATUS_CODES),
        ("TERMNAME", "TEXT", attribute("termname")),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("ONHOLD", "TEXT", extra("ONHOLD")),
        *((name, "TEXT", extra(name)) for name in plain_fields),
        *((f"DISPLAYCONTACT.{name}", "TEXT", _contact(name)) for name in contact),
        *((f"DISPLAYCONTACT.MAILADDRESS.{name}", "TEXT", _mail(name)) for name in address),
        ("WHENCREATED", "AUDITSTAMP", attribute("created_at")),
        *AUDIT,
    )


def order_line_fields() -> dict[str, Field]:
    """SODOCUMENTENTRY and INVDOCUMENTENTRY."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("DOCHDRNO", "INTEGER", attribute("order.recordno")),
        ("DOCHDRID", "TEXT", attribute("order.docid")),
        ("LINE_NO", "INTEGER", attribute("line_no")),
        ("ITEMID", "TEXT", attribute("itemid")),
        ("WAREHOUSE.LOCATION_NO", "TEXT", attribute("warehouseid")),
        ("UNIT", "TEXT", attribute("unit")),
        ("QUANTITY", "DECIMAL", attribute("quantity")),
        ("QTY_CONVERTED", "DECIMAL", attribute("converted")),
        ("TRX_PRICE", "DECIMAL", attribute("price")),
        ("TRX_VALUE", "CURRENCY", attribute("amount")),
        ("SUBTOTAL", "TEXT", attribute("subtotal")),
        ("LOCATIONID", "TEXT", attribute("location")),
        ("MEMO", "TEXT", attribute("memo")),
        ("SOURCE_DOCLINEKEY", "INTEGER", lambda r: r.source_line.recordno if r.source_line else None),
        ("WHENMODIFIED", "TIMESTAMP", attribute("order.modified_at")),
    )


def order_fields(*, returns_name_adjustment: bool = True) -> dict[str, Field]:
    """SODOCUMENT and INVDOCUMENT; whether a return names the AR adjustment it makes is not documented."""

    def made(order: Any) -> int | None:
        record = order.invoice
        named = record is not None and (returns_name_adjustment or record.recordtype == "ri")
        return record.recordno if named else None

    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("DOCID", "TEXT", attribute("docid")),
        ("DOCNO", "TEXT", attribute("docno")),
        ("DOCPARID", "TEXT", attribute("definition")),
        ("CREATEDFROM", "TEXT", lambda r: r.source.docid if r.source else None),
        ("CUSTVENDID", "TEXT", lambda r: r.customer.customerid if r.customer else None),
        ("STATE", "ENUM", attribute("state"), ORDER_STATES),
        ("WHENCREATED", "DATE", attribute("created_on")),
        ("WHENDUE", "DATE", attribute("due_on")),
        ("PONUMBER", "TEXT", attribute("referenceno")),
        ("MESSAGE", "TEXT", attribute("message")),
        ("CURRENCY", "TEXT", attribute("currency")),
        ("TRX_TOTAL", "CURRENCY", lambda r: sum(line.amount for line in r.lines)),
        # Under which names a read gives these back is not documented; they are those of the create call.
        ("TRACKINGNUMBER", "TEXT", extra("TRACKINGNUMBER")),
        ("SHIPPINGMETHOD", "TEXT", extra("SHIPPINGMETHOD")),
        ("SHIPPEDDATE", "TEXT", extra("SHIPPEDDATE")),
        ("PRRECORDKEY", "INTEGER", made),
        ("PRINVOICEKEY", "INTEGER", made),
        *AUDIT,
    )


def price_fields() -> dict[str, Field]:
    """SOPRICELISTENTRY, whose fields are not documented: those of the published create call for entries, in upper case."""
    names = (
        "DATEFROM",
        "DATETO",
        "MINIMUM_QUANTITY",
        "MAXIMUM_QUANTITY",
        "VALUE",
        "VALUETYPE",
        "FIXED",
        "STATUS",
    )
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("PRICELISTID", "TEXT", extra("PRICELISTID")),
        ("ITEMID", "TEXT", attribute("itemid")),
        *((name, "TEXT", extra(name)) for name in names),
        *AUDIT,
    )


def batch_fields() -> dict[str, Field]:
    """GLBATCH."""
    return columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("BATCHNO", "INTEGER", attribute("batch_no")),
        ("BATCH_DATE", "DATE", attribute("on"), None, True),
        ("BATCH_TITLE", "TEXT", attribute("title"), None, True),
        ("JOURNAL", "TEXT", attribute("journal"), None, True),
        ("MODULE", "TEXT", attribute("module")),
        ("PRBATCHKEY", "INTEGER", attribute("prbatchkey")),
        ("REFERENCENO", "TEXT", attribute("referenceno")),
        ("STATE", "ENUM", attribute("state"), STATE_CODES),
        *AUDIT,
    )


def total_fields(company: Company) -> dict[str, Field]:
    """INVENTORYTOTALDETAIL: movements, not balances."""
    warehouses, locations = company.warehouses, company.locations
    return columns(
        ("ID", "INTEGER", attribute("recordno")),
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("ITEMID", "TEXT", attribute("itemid")),
        ("WAREHOUSEKEY", "INTEGER", lambda r: warehouses[r.warehouseid].recordno),
        ("DOCUMENTID", "TEXT", attribute("documentid")),
        ("TOTALNAME", "TEXT", attribute("totalname")),
        ("UNIT", "TEXT", attribute("unit")),
        ("QUANTITY", "DECIMAL", attribute("quantity")),
        ("LOCATIONKEY", "INTEGER", lambda r: locations[warehouses[r.warehouseid].parent].recordno),
        ("WHENCREATED", "TIMESTAMP", attribute("created_at")),
        ("EFFECTONINVENTORY", "TEXT", lambda r: "Increase" if r.quantity >= 0 else "Decrease"),
    )
