"""The records the stand-in keeps, lean enough for a million of them.

Amounts are hundredths (`trx_*` in transaction currency, the bare name in the entity's base currency); derived columns
such as names and labels are worked out when somebody reads. `extra` holds fields the books store but do not use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(slots=True, eq=False)
class Record:
    """What every stored record has: key, owning entity (empty: top level) and audit columns."""

    recordno: int
    entity: str
    created_at: datetime
    modified_at: datetime
    created_by: str
    modified_by: str


@dataclass(slots=True, eq=False)
class Customer(Record):
    customerid: str
    name: str
    status: str = "active"
    termname: str = ""
    currency: str = ""
    contact: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Item(Record):
    itemid: str
    name: str
    itemtype: str = "Inventory"
    status: str = "active"
    income_account: str = ""
    unit: str = "Each"
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class PriceEntry(Record):
    """An entry of a price list: fields as given, since no list of them is published."""

    itemid: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Line:
    """One line of an AR document; `subtotal` names a tax or order-entry subtotal line."""

    recordno: int
    line_no: int
    document: Document
    account: str
    offset: str
    trx_amount: int
    amount: int
    location: str
    memo: str = ""
    department: str = ""
    item: str = ""
    subtotal: str = ""
    trx_paid: int = 0
    paid: int = 0
    modified_at: datetime | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Document(Record):
    """An AR invoice (`ri`) or adjustment (`ra`). A credit memo has a negative total."""

    recordtype: str
    recordid: str
    customer: Customer
    created_on: date
    posted_on: date
    due_on: date | None
    currency: str
    basecurr: str
    rate: int
    rate_on: date
    rate_type: str
    docnumber: str = ""
    description: str = ""
    termname: str = ""
    state: str = "Posted"
    modulekey: str = "4.AR"
    paid_on: date | None = None
    lines: list[Line] = field(default_factory=list)
    trx_total: int = 0
    total: int = 0
    trx_paid: int = 0
    paid: int = 0
    batch: GlBatch | None = None
    entries: list[GlEntry] = field(default_factory=list)
    extra: dict[str, Any] | None = None

    @property
    def trx_due(self) -> int:
        return 0 if self.state in ("Reversed", "Draft") else self.trx_total - self.trx_paid

    @property
    def due(self) -> int:
        return 0 if self.state in ("Reversed", "Draft") else self.total - self.paid


@dataclass(slots=True, eq=False)
class Receipt(Record):
    """A customer's money: `rp` payment, `rr` advance. What is not applied stays in `*_unapplied`."""

    recordtype: str
    customer: Customer
    received_on: date
    method: str
    bank: str
    account: str
    currency: str
    basecurr: str
    rate: int
    location: str
    docnumber: str = ""
    description: str = ""
    paid_on: date | None = None
    state: str = "Complete"
    trx_total: int = 0
    total: int = 0
    trx_unapplied: int = 0
    unapplied: int = 0
    applications: list[Application] = field(default_factory=list)
    batch: GlBatch | None = None
    entries: list[GlEntry] = field(default_factory=list)
    extra: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Application:
    """Part of a receipt, credit or advance set against an invoice or debit memo.

    `source` is None for the receipt's own money, else the credit memo, negative invoice or advance that pays.
    """

    recordno: int
    receipt: Receipt
    target: Document
    source: Document | Receipt | None
    trx_amount: int
    amount: int
    source_amount: int
    splits: list[tuple[Line, int, int]]
    source_splits: list[tuple[Line, int, int]]
    created_at: datetime
    modified_at: datetime
    state: str = "Complete"


@dataclass(slots=True, eq=False)
class GlBatch(Record):
    """A journal entry or the posting of an AR summary."""

    batch_no: int
    journal: str
    on: date
    title: str
    module: str
    prbatchkey: int | None = None
    state: str = "Posted"
    referenceno: str = ""
    entries: dict[int, GlEntry] = field(default_factory=dict)
    extra: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class GlEntry:
    """One posted entry; amounts are signed, debit positive."""

    recordno: int
    batch: GlBatch
    account: str
    trx_amount: int
    amount: int
    currency: str
    entity: str
    location: str
    memo: str = ""
    department: str = ""
    document: Document | Receipt | None = None
    line: Line | None = None
    modified_at: datetime | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class StockMove:
    """A movement of one inventory total: the rows of INVENTORYTOTALDETAIL."""

    recordno: int
    itemid: str
    warehouseid: str
    totalname: str
    quantity: Decimal
    unit: str
    documentid: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class OrderLine:
    recordno: int
    line_no: int
    order: OrderDocument
    itemid: str
    quantity: Decimal
    price: Decimal
    amount: int
    warehouseid: str
    location: str
    unit: str = "Each"
    memo: str = ""
    department: str = ""
    source_line: OrderLine | None = None
    converted: Decimal = Decimal(0)
    subtotal: str = ""
    account: str = ""
    taxes: list[dict[str, Any]] | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class OrderDocument(Record):
    """An order-entry (SODOCUMENT) or inventory (INVDOCUMENT) transaction; its key is `definition-number`."""

    definition: str
    docno: str
    customer: Customer | None
    created_on: date
    state: str
    currency: str
    lines: list[OrderLine] = field(default_factory=list)
    referenceno: str = ""
    message: str = ""
    due_on: date | None = None
    termname: str = ""
    source: OrderDocument | None = None
    invoice: Document | None = None
    moves: list[StockMove] = field(default_factory=list)
    extra: dict[str, Any] | None = None

    @property
    def docid(self) -> str:
        return f"{self.definition}-{self.docno}"


@dataclass(slots=True, eq=False)
class AuditRow:
    recordno: int
    objecttype: str
    objectkey: str
    accessmode: str
    at: datetime
    user: str
    source: str
