"""What may be posted to Intacct, as plain frozen values.

Amounts are `decimal.Decimal` in the document's transaction currency, dates are accounting dates. Every class names the Intacct
object it becomes. Amounts carry at most two decimals, because Intacct rounds more than two away silently ("Sage Intacct Web
Services documentation, AR invoices"); `limits.check` says so before anything is sent. The classes are msgspec structs, which work like frozen
dataclasses, because making a frozen dataclass of this many fields costs as much as writing its XML.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

CustomValue = str | Decimal | date | bool
Custom = Mapping[str, CustomValue]
"""Custom fields by their integration name."""

Action = Literal["Draft", "Submit"]
CreditKind = Literal["adjustment", "advance", "overpayment", "inline", "negative_invoice"]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing address; `country_code` is ISO 3166 alpha-2."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None


class CustomerFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a new customer and a change to one have in common; what is None is not sent."""

    customer_id: str
    print_as: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    phone: str | None = None
    cell_phone: str | None = None
    address: Address | None = None
    customer_type: str | None = None
    parent_id: str | None = None
    terms: str | None = None
    currency: str | None = None
    tax_id: str | None = None
    taxable: bool | None = None
    comments: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)


class Customer(CustomerFields, frozen=True, kw_only=True):
    """CUSTOMER with its display contact ("Sage Intacct Web Services documentation, Customers").

    `print_as` defaults to `name`. Intacct names the display contact itself; contact names are unique in a whole company.
    """

    name: str
    active: bool = True


class CustomerUpdate(CustomerFields, frozen=True, kw_only=True):
    """Changes to an existing CUSTOMER."""

    name: str | None = None
    active: bool | None = None


class TaxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One tax of a line where the entity has a tax solution; `amount` overrides what Intacct would compute."""

    detail_id: str
    amount: Decimal | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an invoice or adjustment: an account (or an account label), an amount and dimensions.

    There is no quantity on an AR line; the sum of the lines is the document's total.
    """

    amount: Decimal
    account: str | None = None
    label: str | None = None
    memo: str | None = None
    location: str | None = None
    department: str | None = None
    item: str | None = None
    project: str | None = None
    class_: str | None = None
    customer: str | None = None
    vendor: str | None = None
    employee: str | None = None
    contract: str | None = None
    warehouse: str | None = None
    offset_account: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)
    tax_entries: tuple[TaxEntry, ...] = ()


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """ARINVOICE. `number` becomes RECORDID (invoiceno), `reference` DOCNUMBER (ponumber), `invoiced_on` WHENCREATED.

    Either `due_on` or `terms` is required. With `currency`, either a `rate_type` (empty text: "Intacct Daily Rate") with
    an optional `rate_on`, or an explicit `rate`, never both.
    """

    number: str
    customer_id: str
    invoiced_on: date
    lines: tuple[Line, ...]
    posted_on: date | None = None
    due_on: date | None = None
    terms: str | None = None
    reference: str | None = None
    description: str | None = None
    currency: str | None = None
    base_currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None
    action: Action | None = None
    batch_key: str | None = None
    bill_to: str | None = None
    ship_to: str | None = None
    attachment: str | None = None
    tax_solution: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """Sum of the lines, transaction currency."""
        return sum((line.amount for line in self.lines), Decimal(0))


class _Memo(msgspec.Struct, frozen=True, kw_only=True):
    number: str
    customer_id: str
    issued_on: date
    lines: tuple[Line, ...]
    posted_on: date | None = None
    reference: str | None = None
    description: str | None = None
    currency: str | None = None
    base_currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None
    action: Action | None = None
    batch_key: str | None = None
    tax_solution: str | None = None

    @property
    def total(self) -> Decimal:
        """Sum of the lines, transaction currency; positive for a valid memo."""
        return sum((line.amount for line in self.lines), Decimal(0))


class CreditMemo(_Memo, frozen=True, kw_only=True):
    """ARADJUSTMENT that lowers what the customer owes. Lines are positive here and negative in the XML.

    `reference` names the invoice (legacy `invoiceno`, read back as DOCNUMBER). Nothing is applied by it: a `Receipt` with
    a `CreditApplication` does that.
    """


class DebitMemo(_Memo, frozen=True, kw_only=True):
    """ARADJUSTMENT that raises what the customer owes. Lines are positive here and in the XML."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """Money of a receipt put against one invoice (`invoice_key`) or debit memo (`debit_memo_key`), by RECORDNO.

    Without `entry_key` (a line's RECORDNO) Intacct fills the lines from the first on.
    """

    amount: Decimal
    invoice_key: int | None = None
    debit_memo_key: int | None = None
    entry_key: int | None = None


class CreditApplication(msgspec.Struct, frozen=True, kw_only=True):
    """A credit (`credit_key`, by RECORDNO) put against one invoice; one per kind of credit and invoice."""

    amount: Decimal
    invoice_key: int
    credit_key: int
    kind: CreditKind = "adjustment"
    entry_key: int | None = None
    credit_entry_key: int | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """ARPYMT: money received and what it pays. `reference` becomes DOCNUMBER (legacy `refid`).

    `amount` = applications + `overpayment`; credits put against invoices are not money and do not count. Exactly one of
    `financial_entity`, `undeposited_account` and `batch_key` says where the money went. The legacy function carries
    neither description nor credits.
    """

    customer_id: str
    received_on: date
    amount: Decimal
    method: str
    financial_entity: str | None = None
    undeposited_account: str | None = None
    batch_key: str | None = None
    reference: str | None = None
    description: str | None = None
    currency: str | None = None
    base_currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None
    base_amount: Decimal | None = None
    paid_on: date | None = None
    applications: tuple[Application | CreditApplication, ...] = ()
    overpayment: Decimal = Decimal(0)
    overpayment_location: str | None = None
    overpayment_department: str | None = None
    action: Action | None = None


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """GLENTRY; `amount` positive is a debit, negative a credit."""

    account: str
    amount: Decimal
    memo: str | None = None
    document: str | None = None
    location: str | None = None
    department: str | None = None
    item: str | None = None
    project: str | None = None
    class_: str | None = None
    customer: str | None = None
    vendor: str | None = None
    employee: str | None = None
    contract: str | None = None
    warehouse: str | None = None
    currency: str | None = None
    rate_type: str | None = None
    rate_on: date | None = None
    rate: Decimal | None = None


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """GLBATCH: a journal entry of at least two lines that sum to zero per currency."""

    journal: str
    posted_on: date
    title: str
    lines: tuple[JournalLine, ...]
    reverse_on: date | None = None
    reference: str | None = None
    base_location: str | None = None
    state: Literal["Posted", "Draft"] | None = None


class SalesLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order-entry document; `source_line_key` is the parent line's RECORDNO when converting.

    `tax_entries` override the taxes of the line (`linesubtotals`); to override one means giving all of the line.
    """

    item: str
    quantity: Decimal
    price: Decimal | None = None
    description: str | None = None
    unit: str | None = None
    warehouse: str | None = None
    discount_percent: Decimal | None = None
    source_line_key: int | None = None
    location: str | None = None
    department: str | None = None
    memo: str | None = None
    project: str | None = None
    class_: str | None = None
    custom: Custom = msgspec.field(default_factory=dict)
    tax_entries: tuple[TaxEntry, ...] = ()


class Subtotal(msgspec.Struct, frozen=True, kw_only=True):
    """Freight, tax or discount of an order-entry document; `name` must be a subtotal of its definition."""

    name: str
    total: Decimal
    location: str | None = None
    department: str | None = None


class SalesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """SODOCUMENT under the company's own `definition` ("Sales Order", "Sales Invoice"); `created_from` converts a parent."""

    definition: str
    customer_id: str
    ordered_on: date
    lines: tuple[SalesLine, ...]
    number: str | None = None
    posted_on: date | None = None
    due_on: date | None = None
    terms: str | None = None
    created_from: str | None = None
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
    tax_solution: str | None = None
    subtotals: tuple[Subtotal, ...] = ()
    custom: Custom = msgspec.field(default_factory=dict)


class StockLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an inventory transaction; `unit` must be the item's unit of measure to the letter."""

    item: str
    warehouse: str
    quantity: Decimal
    unit: str | None = None
    cost: Decimal | None = None
    location: str | None = None
    department: str | None = None


class StockTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory transaction (create_ictransaction) under the company's own `definition`."""

    definition: str
    moved_on: date
    lines: tuple[StockLine, ...]
    number: str | None = None
    reference: str | None = None
    message: str | None = None


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """Reversal of a posted invoice (`of="invoice"`) or receipt (`of="receipt"`) by RECORDNO."""

    of: Literal["invoice", "receipt"]
    key: int
    reversed_on: date
    description: str | None = None


Document = (
    Customer
    | CustomerUpdate
    | Invoice
    | CreditMemo
    | DebitMemo
    | Receipt
    | Journal
    | SalesDocument
    | StockTransaction
    | Reversal
)
Style = Literal["legacy", "generic"]
