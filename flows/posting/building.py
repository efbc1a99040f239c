"""From rows of `out.documents` and their lines to the documents the Intacct client sends."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from tieout.connectors.intacct import documents as sage
from tieout.connectors.intacct.amendments import Postable, SalesChange
from tieout.errors import Stopped
from tieout.money import to_decimal
from tieout.warehouse.outbox import Claim

CLASSES: dict[str, type] = {
    "customer": sage.Customer,
    "sales_order": sage.SalesDocument,
    "invoice": sage.Invoice,
    "credit_memo": sage.CreditMemo,
    "debit_memo": sage.DebitMemo,
    "receipt": sage.Receipt,
    "application": sage.Receipt,
    "journal": sage.Journal,
    "order_closure": SalesChange,
    "reversal": sage.Reversal,
}
STYLED = {made: kind for kind, made in CLASSES.items() if kind != "application"}


def ledger_amount(minor: int, currency: str, digits: int) -> Decimal:
    """An amount as Intacct will hold it: the plan has already rounded it to the ledger's digits, so this must be exact.

    Raises `Stopped` if it is not, because then what was planned and what would be sent differ.
    """
    amount = to_decimal(minor, currency)
    rounded = amount.quantize(Decimal(1).scaleb(-digits))
    if rounded != amount:
        raise Stopped(
            f"A planned amount of {amount} {currency} has more decimals than the ledger's {digits}; plan again before posting."
        )
    return rounded


def build(claim: Claim, *, ledger_digits: int) -> list[tuple[str, Postable]]:
    """The documents of a claim with their control ids, in order."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in claim.lines.iter_rows(
        named=True
    ):  # at most a hundred documents: one object per line is what XML needs
        lines.setdefault(line["document_id"], []).append(line)
    makers = {
        "customer": _customer,
        "sales_order": _sales_order,
        "invoice": _invoice,
        "credit_memo": _credit_memo,
        "debit_memo": _debit_memo,
        "receipt": _receipt,
        "application": _application,
        "journal": _journal,
        "order_closure": _order_closure,
        "reversal": _reversal,
    }
    return [
        (row["control_id"], makers[row["kind_code"]](row, lines.get(row["document_id"], []), ledger_digits))
        for row in claim.documents.iter_rows(named=True)
    ]


def customer_name(row: dict[str, Any]) -> str:
    """The name under which a customer is sent to Intacct: the planned one, or its id where none is known."""
    return str(json.loads(row["details"] or "{}").get("name") or row["customer_id"])


def _customer(row: dict[str, Any], _lines: list[dict[str, Any]], _digits: int) -> sage.Document:
    details = json.loads(row["details"] or "{}")
    address = sage.Address(
        line1=details.get("street"),
        city=details.get("city"),
        state=details.get("state"),
        zip=details.get("postal_code"),
        country_code=details.get("country_code"),
    )
    return sage.Customer(
        customer_id=row["customer_id"],
        name=customer_name(row),
        email=details.get("email"),
        first_name=details.get("first_name"),
        last_name=details.get("last_name"),
        company_name=details.get("company"),
        phone=details.get("phone"),
        address=address
        if any(getattr(address, name) for name in ("line1", "city", "zip", "country_code"))
        else None,
    )


def _lines_of(lines: list[dict[str, Any]], currency: str, digits: int, sign: int) -> tuple[sage.Line, ...]:
    made: list[sage.Line] = []
    for line in lines:  # at most a few thousand a request: one object per line is what XML needs
        amount = ledger_amount(sign * line["amount_minor"], currency, digits)
        if line["tax_detail_code"]:
            # The plan sees to it that a tax entry follows the line it belongs to.
            entry = sage.TaxEntry(detail_id=line["tax_detail_code"], amount=amount)
            made[-1] = msgspec.structs.replace(made[-1], tax_entries=(*made[-1].tax_entries, entry))
            continue
        made.append(
            sage.Line(
                amount=amount,
                account=line["account_code"],
                item=line["item_ref"],
                custom=_custom(line),
                **_dimensions(line),
            )
        )
    return tuple(made)


def _dimensions(line: dict[str, Any]) -> dict[str, Any]:
    """Text and dimensions that every kind of line carries."""
    return {
        "memo": line["memo"],
        "location": line["location_code"],
        "department": line["department_code"],
        "class_": line["class_code"],
        "project": line["project_code"],
    }


def _custom(line: dict[str, Any]) -> dict[str, str]:
    if not line["custom_fields"]:
        return {}
    given = json.loads(line["custom_fields"])
    return {name: value for name, value in given.items() if value is not None}


def _solution(lines: list[dict[str, Any]]) -> str | None:
    return next((line["tax_solution"] for line in lines if line["tax_solution"]), None)


def _paper(row: dict[str, Any], lines: list[dict[str, Any]], digits: int, sign: int) -> dict[str, Any]:
    """What invoices and credit memos have in common; amounts of a memo are positive, its kind gives the sign."""
    return {
        "number": row["number"],
        "customer_id": row["customer_id"],
        "posted_on": row["document_on"],
        "reference": row["reference"],
        "description": row["description"],
        "currency": row["currency"],
        "rate_type": "",
        "tax_solution": _solution(lines),
        "lines": _lines_of(lines, row["currency"], digits, sign),
    }


def definition_of(row: dict[str, Any]) -> str | None:
    """The transaction definition of a planned document of order entry; None for what is posted to AR itself."""
    return json.loads(row["details"]).get("definition") if row["details"] else None


def _sold_lines(
    lines: list[dict[str, Any]], currency: str, digits: int, sign: int
) -> tuple[sage.SalesLine, ...]:
    """Items with quantity and price; a tax entry follows the item it belongs to."""
    made: list[sage.SalesLine] = []
    for line in lines:  # at most a few thousand a request: one object per line is what XML needs
        if line["tax_detail_code"]:
            entry = sage.TaxEntry(
                detail_id=line["tax_detail_code"],
                amount=ledger_amount(sign * line["amount_minor"], currency, digits),
            )
            made[-1] = msgspec.structs.replace(made[-1], tax_entries=(*made[-1].tax_entries, entry))
        elif line["quantity"] is not None:
            made.append(
                sage.SalesLine(
                    item=line["item_ref"],
                    quantity=line["quantity"],
                    price=sign * line["unit_price"],
                    warehouse=line["warehouse_code"],
                    source_line_key=line["source_line_key"],
                    custom=_custom(line),
                    **_dimensions(line),
                )
            )
    return tuple(made)


def _sales_document(
    row: dict[str, Any], lines: list[dict[str, Any]], digits: int, definition: str, sign: int = 1
) -> sage.Document:
    """An order, sale or return through order entry: items with quantity and price, the rest as subtotals and tax entries."""
    currency = row["currency"]
    return sage.SalesDocument(
        definition=definition,
        number=row["number"],
        customer_id=row["customer_id"],
        ordered_on=row["document_on"],
        posted_on=row["document_on"],
        due_on=row["due_on"],
        reference=row["reference"],
        message=row["description"],
        currency=currency,
        rate_type="",
        created_from=next((line["converts_key"] for line in lines if line["converts_key"]), None),
        tax_solution=_solution(lines),
        lines=_sold_lines(lines, currency, digits, sign),
        subtotals=tuple(
            sage.Subtotal(
                name=line["subtotal_name"],
                total=ledger_amount(sign * line["amount_minor"], currency, digits),
                location=line["location_code"],
                department=line["department_code"],
            )
            for line in lines
            if line["subtotal_name"] is not None
        ),
    )


def _sales_order(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    return _sales_document(row, lines, digits, definition_of(row) or "")


def _order_closure(row: dict[str, Any], _lines: list[dict[str, Any]], _digits: int) -> Postable:
    return SalesChange(key=row["reference"], state="Closed")


def _invoice(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    definition = definition_of(row)
    if definition is not None:
        return _sales_document(row, lines, digits, definition)
    return sage.Invoice(invoiced_on=row["document_on"], due_on=row["due_on"], **_paper(row, lines, digits, 1))


def _credit_memo(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    definition = definition_of(row)
    if definition is not None:
        sign = 1 if json.loads(row["details"]).get("is_negative") else -1
        return _sales_document(row, lines, digits, definition, sign)
    return sage.CreditMemo(issued_on=row["document_on"], **_paper(row, lines, digits, -1))


def _debit_memo(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    return sage.DebitMemo(issued_on=row["document_on"], **_paper(row, lines, digits, 1))


def _receipt(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    currency = row["currency"]
    applications = tuple(
        sage.Application(
            amount=ledger_amount(line["amount_minor"], currency, digits),
            invoice_key=int(line["applies_to_key"] or line["applies_to_ref"]),
        )
        for line in lines
    )
    return sage.Receipt(
        customer_id=row["customer_id"],
        received_on=row["document_on"],
        amount=ledger_amount(row["total_minor"], currency, digits),
        method=row["method"],
        financial_entity=row["account_ref"],
        reference=row["number"],
        description=row["description"],
        currency=currency,
        rate_type="",
        applications=applications,
    )


def _application(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    """A receipt without money: what it takes from a credit memo it sets against an invoice."""
    currency = row["currency"]
    invoice, memo = sorted(lines, key=lambda line: -line["amount_minor"])
    return sage.Receipt(
        customer_id=row["customer_id"],
        received_on=row["document_on"],
        amount=ledger_amount(0, currency, digits),
        method=row["method"],
        financial_entity=row["account_ref"],
        reference=row["number"],
        description=row["description"],
        currency=currency,
        rate_type="",
        applications=(
            sage.CreditApplication(
                amount=ledger_amount(invoice["amount_minor"], currency, digits),
                invoice_key=int(invoice["applies_to_key"]),
                credit_key=int(memo["applies_to_key"]),
            ),
        ),
    )


def _journal(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    """A journal entry; lines are signed, debits positive, and sum to zero."""
    currency = row["currency"]
    return sage.Journal(
        journal=row["account_ref"],
        posted_on=row["document_on"],
        title=row["description"] or row["number"],
        reference=row["number"],
        lines=tuple(
            sage.JournalLine(
                amount=ledger_amount(line["amount_minor"], currency, digits),
                account=line["account_code"],
                item=line["item_ref"],
                **_dimensions(line),
                customer=row["customer_id"] or None,
                currency=currency,
                rate_type="",
            )
            for line in lines
        ),
    )


def reversed_record(row: dict[str, Any]) -> tuple[str, str]:
    """What a planned reversal takes back: `invoice` or `receipt`, and its RECORDNO."""
    of, _, key = str(row["reference"]).partition(":")
    return of, key


def _reversal(row: dict[str, Any], _lines: list[dict[str, Any]], _digits: int) -> sage.Document:
    of, key = reversed_record(row)
    return sage.Reversal(
        of="invoice" if of == "invoice" else "receipt",
        key=int(key),
        reversed_on=row["document_on"],
        description=row["description"],
    )
