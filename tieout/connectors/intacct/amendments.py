"""What changes a document that is in Intacct already: its fields and lines, or what its money is set against. Legacy functions only.

Amounts and dates as in `documents`. Lines are counted from 1 and cannot be removed ("Sage Intacct Web Services documentation, AR invoices,
Order entry transactions, AR payments").
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from tieout.connectors.intacct.documents import (
    Action,
    Application,
    Custom,
    Document,
    Line,
    SalesLine,
)


class LineChange(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to one line of an invoice, `line_no` from 1; only what is not None is sent."""

    line_no: int
    amount: Decimal | None = None
    account: str | None = None
    label: str | None = None
    memo: str | None = None
    location: str | None = None
    department: str | None = None
    item: str | None = None
    project: str | None = None
    class_: str | None = None
    customer: str | None = None
    warehouse: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)


class InvoiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """update_invoice: changes to the invoice with this RECORDNO, changed lines, and lines added after the last one."""

    key: int
    customer_id: str | None = None
    invoiced_on: date | None = None
    posted_on: date | None = None
    due_on: date | None = None
    terms: str | None = None
    action: Action | None = None
    number: str | None = None
    reference: str | None = None
    description: str | None = None
    currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None
    attachment: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)
    changed_lines: tuple[LineChange, ...] = ()
    added_lines: tuple[Line, ...] = ()


class SalesLineChange(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to one line of an order-entry document, `line_no` from 1 although reads count from 0."""

    line_no: int
    item: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    description: str | None = None
    unit: str | None = None
    warehouse: str | None = None
    location: str | None = None
    department: str | None = None
    memo: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)


class SalesChange(msgspec.Struct, frozen=True, kw_only=True):
    """update_sotransaction: changes to the document with this key (`definition-number`).

    A document that posts to AR gets a new AR invoice under a new RECORDNO by it: follow the number, not the RECORDNO.
    """

    key: str
    ordered_on: date | None = None
    posted_on: date | None = None
    due_on: date | None = None
    terms: str | None = None
    reference: str | None = None
    message: str | None = None
    shipping_method: str | None = None
    currency: str | None = None
    base_currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None
    state: Literal["Draft", "Pending", "Closed"] | None = None
    project: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)
    changed_lines: tuple[SalesLineChange, ...] = ()
    added_lines: tuple[SalesLine, ...] = ()


class ReceiptApplication(msgspec.Struct, frozen=True, kw_only=True):
    """apply_arpayment: money of a receipt that is on account, set against whole invoices."""

    key: int
    applied_on: date
    applications: tuple[Application, ...]
    memo: str | None = None
    overpayment_location: str | None = None
    overpayment_department: str | None = None


AMENDMENTS = (InvoiceChange, SalesChange, ReceiptApplication)
Postable = Document | InvoiceChange | SalesChange | ReceiptApplication
"""Everything a batch may hold."""
