"""How many characters each field takes: Sage's nominal figures, and which field of `inspect` speaks for which of ours."""

from __future__ import annotations

from collections.abc import Mapping

LENGTHS: Mapping[str, int] = {
    "Customer.customer_id": 20, "Customer.name": 100, "Customer.print_as": 200, "Customer.email": 200, "Customer.first_name": 40,
    "Customer.last_name": 40, "Customer.company_name": 100, "Customer.phone": 30, "Customer.cell_phone": 30,
    "Customer.customer_type": 80, "Customer.parent_id": 20, "Customer.terms": 40, "Customer.currency": 3, "Customer.tax_id": 20,
    "Customer.comments": 500,
    "Address.line1": 80, "Address.line2": 80, "Address.city": 80, "Address.state": 40, "Address.zip": 30, "Address.country": 60,
    "Address.country_code": 2,
    "Invoice.number": 30, "Invoice.customer_id": 20, "Invoice.reference": 20, "Invoice.description": 1000, "Invoice.terms": 40,
    "Invoice.currency": 3, "Invoice.base_currency": 3, "Invoice.attachment": 20,
    "Memo.number": 30, "Memo.customer_id": 20, "Memo.reference": 30, "Memo.description": 1000, "Memo.currency": 3,
    "Memo.base_currency": 3,
    "Line.account": 24, "Line.label": 80, "Line.offset_account": 24, "Line.memo": 500, "Line.location": 20, "Line.department": 20,
    "Line.item": 30, "Line.project": 30, "Line.class_": 30, "Line.customer": 20, "Line.vendor": 20, "Line.employee": 20,
    "Line.contract": 100, "Line.warehouse": 40,
    "Receipt.customer_id": 20, "Receipt.description": 1000, "Receipt.currency": 3,
    "Receipt.base_currency": 3, "Receipt.undeposited_account": 24,
    "Journal.journal": 4, "Journal.title": 80, "Journal.reference": 20,
    "JournalLine.account": 24, "JournalLine.memo": 500, "JournalLine.document": 30, "JournalLine.location": 20,
    "JournalLine.department": 20, "JournalLine.currency": 3,
    "SalesDocument.definition": 30, "SalesDocument.customer_id": 20, "SalesDocument.number": 20, "SalesDocument.reference": 20,
    "SalesDocument.terms": 40, "SalesDocument.message": 4000, "SalesDocument.currency": 3, "SalesDocument.created_from": 60,
    "SalesLine.item": 30, "SalesLine.description": 200, "SalesLine.unit": 30, "SalesLine.warehouse": 40, "SalesLine.memo": 500,
    "StockTransaction.definition": 30, "StockTransaction.number": 20, "StockTransaction.reference": 20,
    "StockLine.item": 30, "StockLine.warehouse": 40, "StockLine.unit": 30,
    "Reversal.description": 1000, "ReceiptApplication.memo": 500,
}  # fmt: skip
"""Most characters per field. E-mail is nominally 40, which real addresses exceed and today's companies take; 200 until `inspect` answers.

A receipt's reference has a nominal length (20) in the legacy function only; the generic one has none until `inspect` answers.
"""

INSPECTED: Mapping[str, Mapping[str, str]] = {
    "CUSTOMER": {
        "CUSTOMERID": "Customer.customer_id", "NAME": "Customer.name", "DISPLAYCONTACT.PRINTAS": "Customer.print_as",
        "DISPLAYCONTACT.EMAIL1": "Customer.email", "DISPLAYCONTACT.PHONE1": "Customer.phone", "TERMNAME": "Customer.terms",
        "DISPLAYCONTACT.FIRSTNAME": "Customer.first_name", "DISPLAYCONTACT.LASTNAME": "Customer.last_name",
        "DISPLAYCONTACT.COMPANYNAME": "Customer.company_name", "COMMENTS": "Customer.comments", "TAXID": "Customer.tax_id",
        "DISPLAYCONTACT.MAILADDRESS.ADDRESS1": "Address.line1", "DISPLAYCONTACT.MAILADDRESS.ADDRESS2": "Address.line2",
        "DISPLAYCONTACT.MAILADDRESS.CITY": "Address.city", "DISPLAYCONTACT.MAILADDRESS.STATE": "Address.state",
        "DISPLAYCONTACT.MAILADDRESS.ZIP": "Address.zip", "DISPLAYCONTACT.MAILADDRESS.COUNTRY": "Address.country",
    },
    "ARINVOICE": {
        "RECORDID": "Invoice.number", "CUSTOMERID": "Invoice.customer_id", "DOCNUMBER": "Invoice.reference",
        "DESCRIPTION": "Invoice.description", "TERMNAME": "Invoice.terms",
    },
    "ARINVOICEITEM": {"ENTRYDESCRIPTION": "Line.memo", "ACCOUNTNO": "Line.account", "ITEMID": "Line.item"},
    "ARADJUSTMENT": {
        "RECORDID": "Memo.number", "CUSTOMERID": "Memo.customer_id", "DOCNUMBER": "Memo.reference", "DESCRIPTION": "Memo.description",
    },
    "ARPYMT": {"CUSTOMERID": "Receipt.customer_id", "DOCNUMBER": "Receipt.reference", "DESCRIPTION": "Receipt.description"},
}  # fmt: skip
LEGACY_REFERENCE = 20
INSPECTABLE = tuple(INSPECTED)
