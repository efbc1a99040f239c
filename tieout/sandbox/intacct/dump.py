"""The books as plain values, for the control door and for tests that compare ledger with world."""

from __future__ import annotations

from typing import Any

from tieout.sandbox.intacct.books import Books
from tieout.sandbox.intacct.records import Application, Document, Receipt


def amount(cents: int) -> str:
    """Hundredths as text with two decimals."""
    sign, rest = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{rest // 100}.{rest % 100:02d}"


def ledger(books: Books) -> dict[str, Any]:
    """Customers, documents with lines, receipts with applications, journal entries made by hand or by us, entries, stock, audit history, balances."""
    tables = books.tables
    receipts = list(tables["ARPYMT"])
    return {
        "company": books.company.id,
        "customers": [
            {
                "recordno": one.recordno,
                "customerid": one.customerid,
                "name": one.name,
                "status": one.status,
                "currency": one.currency,
                "entity": one.entity,
                "contact": one.contact,
            }
            for one in tables["CUSTOMER"]
        ],
        "invoices": [_document(one) for one in tables["ARINVOICE"]],
        "adjustments": [_document(one) for one in tables["ARADJUSTMENT"]],
        "receipts": [_receipt(one) for one in receipts if one.recordtype == "rp"],
        "advances": [_receipt(one) for one in receipts if one.recordtype == "rr"],
        "sales_documents": [
            {
                "recordno": one.recordno,
                "docid": one.docid,
                "customerid": one.customer.customerid,
                "state": one.state,
                "invoice": one.invoice.recordno if one.invoice else None,
                "total": amount(sum(line.amount for line in one.lines)),
                "currency": one.currency,
            }
            for one in tables["SODOCUMENT"]
        ],
        "journals": [
            {
                "recordno": one.recordno,
                "referenceno": one.referenceno,
                "journal": one.journal,
                "title": one.title,
                "entity": one.entity,
                "on": one.on.isoformat(),
                "state": one.state,
                "debits": amount(sum(max(entry.trx_amount, 0) for entry in one.entries.values())),
            }
            for one in tables["GLBATCH"]
            if one.module == "2.GL"
        ],
        "gl_entries": [
            {
                "recordno": one.recordno,
                "batch": one.batch.recordno,
                "on": one.batch.on.isoformat(),
                "entity": one.entity,
                "account": one.account,
                "currency": one.currency,
                "trx_amount": amount(one.trx_amount),
                "amount": amount(one.amount),
                "document": getattr(one.document, "recordno", None),
            }
            for one in tables["GLENTRY"]
        ],
        "stock": [
            {"warehouse": warehouse, "item": item, "total": total, "quantity": str(quantity)}
            for (warehouse, item, total), quantity in sorted(books.stock.items())
        ],
        "audit": [
            {"object": one.objecttype, "key": one.objectkey, "mode": one.accessmode, "user": one.user}
            for one in tables["AUDITHISTORY"]
        ],
        "trial_balance": {
            entity: {account: amount(value) for account, value in rows.items()}
            for entity, rows in books.trial_balance().items()
        },
        "subledger": {entity: amount(value) for entity, value in books.subledger().items()},
        "closed_through": {
            one.id: one.closed_through.isoformat() if one.closed_through else None
            for one in books.company.entities.values()
        },
    }


def recordno_of(books: Books, object_name: str, order: dict[str, Any]) -> int:
    """The record that an order names by number (`recordid`), reference (`docnumber`) or id (`customerid`)."""
    for name in ("recordid", "docnumber", "customerid"):
        wanted = order.get(name)
        if wanted is None:
            continue
        for one in books.tables.get(object_name, ()):
            if getattr(one, name, None) == wanted:
                return int(one.recordno)
        raise ValueError(f"There is no {object_name} whose {name} is '{wanted}'.")
    raise ValueError("Name the record by recordno, recordid, docnumber or customerid.")


def _document(one: Document) -> dict[str, Any]:
    return {
        "recordno": one.recordno,
        "recordid": one.recordid,
        "docnumber": one.docnumber,
        "customerid": one.customer.customerid,
        "entity": one.entity,
        "state": one.state,
        "currency": one.currency,
        "created_on": one.created_on.isoformat(),
        "posted_on": one.posted_on.isoformat(),
        "due_on": one.due_on.isoformat() if one.due_on else None,
        "description": one.description,
        "modulekey": one.modulekey,
        "trx_total": amount(one.trx_total),
        "total": amount(one.total),
        "trx_paid": amount(one.trx_paid),
        "trx_due": amount(one.trx_due),
        "lines": [
            {
                "recordno": line.recordno,
                "line_no": line.line_no,
                "account": line.account,
                "location": line.location,
                "item": line.item,
                "memo": line.memo,
                "trx_amount": amount(line.trx_amount),
                "amount": amount(line.amount),
                "trx_paid": amount(line.trx_paid),
            }
            for line in one.lines
        ],
    }


def _receipt(one: Receipt) -> dict[str, Any]:
    return {
        "recordno": one.recordno,
        "docnumber": one.docnumber,
        "customerid": one.customer.customerid,
        "entity": one.entity,
        "state": one.state,
        "currency": one.currency,
        "received_on": one.received_on.isoformat(),
        "method": one.method,
        "financial_entity": one.bank,
        "trx_total": amount(one.trx_total),
        "total": amount(one.total),
        "trx_unapplied": amount(one.trx_unapplied),
        "applications": [_application(part) for part in one.applications],
    }


def _application(one: Application) -> dict[str, Any]:
    return {
        "recordno": one.recordno,
        "target": one.target.recordno,
        "target_number": one.target.recordid,
        "source": one.source.recordno if one.source is not None else None,
        "trx_amount": amount(one.trx_amount),
        "state": one.state,
    }
