"""What a company accepts in each field: lengths, characters, and the rules a document must keep before it may be sent.

The lengths are Sage's nominal ones (the element types of the public DTD 2.1) where it names one. For ids it names none; 20 is what
integrators found and is treated as the limit. Companies may differ: `Limits.learned` replaces the lengths by those that the
company's own `inspect` reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from tieout.connectors.intacct.amendments import (
    InvoiceChange,
    LineChange,
    ReceiptApplication,
    SalesChange,
    SalesLineChange,
)
from tieout.connectors.intacct.documents import (
    Application,
    CreditApplication,
    CreditMemo,
    Customer,
    CustomerUpdate,
    DebitMemo,
    Invoice,
    Journal,
    Receipt,
    SalesDocument,
    StockTransaction,
    Style,
)
from tieout.connectors.intacct.field_lengths import INSPECTED, LEGACY_REFERENCE, LENGTHS

_NUMBER_FORBIDDEN = "&<>#?'\""
_XML_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ID = re.compile(r"\A[A-Za-z0-9 _.\-]+\Z")
_EMAIL = re.compile(r"\A[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+\Z")
_CURRENCY = re.compile(r"\A[A-Z]{3}\Z")
_TAG = re.compile(r"\A[A-Za-z_][A-Za-z0-9_.\-]*\Z")
_CENT = Decimal("0.01")
_TOO_LARGE = Decimal(10) ** 14

METHODS = frozenset(
    {"Printed Check", "Cash", "EFT", "Credit Card", "Online Charge Card", "Online ACH Debit", "Online", "ACH"}
)
"""Payment methods of the two families ("Sage Intacct Web Services documentation, AR payments"; DTD 2.1)."""


_WHERE = "\x00"
"""Stands for the place in a sentence until it is known; no text of ours and no name of a field has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Field lengths by `Class.field`; credit and debit memos share `Memo`, customer updates use `Customer`.

    `entity_of` is the entity by location, as far as known: a journal entry must balance in each.
    """

    lengths: Mapping[str, int] = field(default_factory=lambda: LENGTHS)
    location_required: bool = False
    entity_of: Mapping[str, str] = field(default_factory=dict)
    _fields: dict[type, tuple[tuple[str, int | None], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def learned(self, object_name: str, max_lengths: Mapping[str, int]) -> Limits:
        """These limits with the lengths that the company reports for one object (`inspect` with detail, `maxLength`)."""
        known = INSPECTED.get(object_name.upper(), {})
        found = {known[name]: most for name, most in max_lengths.items() if name in known and most > 0}
        return Limits({**self.lengths, **found}, self.location_required, self.entity_of)

    def check(self, document: Any, style: Style | None = None) -> list[str]:
        """Sentences that say why Intacct would refuse or silently change `document`; empty when it may be sent.

        `style` adds what only the legacy or only the generic function cannot carry.
        """
        found: list[str] = []
        self._texts(document, found)
        if found:
            found = [problem.replace(_WHERE, _label(document)) for problem in found]
        found += _RULES.get(type(document), _nothing)(document)
        if isinstance(document, Invoice | CreditMemo | DebitMemo):
            found += _ledger_lines(document, self.location_required)
        if isinstance(document, Journal) and document.base_location is None:
            found += _entities_in_balance(document, self.entity_of)
        if isinstance(document, Receipt) and style is not None:
            found += _receipt_style(document, style)
        return found

    def _longest(self, of: type) -> tuple[tuple[str, int | None], ...]:
        """Fields of a kind of document or part, each with the longest text it takes."""
        known = self._fields.get(of)
        if known is None:
            kind = _KINDS.get(of) or of.__name__
            known = tuple((name, self.lengths.get(f"{kind}.{name}")) for name in of.__struct_fields__)  # type: ignore[attr-defined]
            self._fields[of] = known
        return known

    def _texts(self, value: Any, found: list[str], where: str = _WHERE) -> None:
        """Adds what is wrong with any text, amount or custom field of a document, its lines and parts included.

        Where it stands is worked out only for what is wrong: nearly nothing ever is.
        """
        # Most fields of most documents are empty: they are passed by before anything else is asked of them.
        for (name, most), item in zip(
            self._longest(type(value)), msgspec.structs.astuple(value), strict=True
        ):
            if item is None:
                continue
            if isinstance(item, str):
                if most is not None and len(item) > most:
                    found.append(f"{where}: {_words(name)} has {len(item)} characters, Intacct takes {most}.")
                if not item.isprintable() and _XML_ILLEGAL.search(item):
                    found.append(
                        f"{where}: {_words(name)} has a control character or half a surrogate pair, which XML cannot carry."
                    )
            elif isinstance(item, Decimal):
                _amount(item, name, where, found)
            elif isinstance(item, tuple):
                for number, part in enumerate(item, 1):
                    if isinstance(part, msgspec.Struct):
                        before = len(found)
                        self._texts(part, found)
                        if len(found) > before:
                            place = f"{where}, {_words(name)[:-1]} {number}"
                            found[before:] = [one.replace(_WHERE, place) for one in found[before:]]
            elif isinstance(item, float):
                found.append(f"{where}: {_words(name)} is a binary float; money is a decimal.")
            elif isinstance(item, msgspec.Struct):
                self._texts(item, found, where)
            elif name == "custom" and item:
                found += _custom(item, where)


def check(document: Any, limits: Limits | None = None, style: Style | None = None) -> list[str]:
    """`Limits.check` with the nominal limits, or the company's own."""
    return (limits or Limits()).check(document, style)


_KINDS: Mapping[type, str] = {
    CreditMemo: "Memo",
    DebitMemo: "Memo",
    CustomerUpdate: "Customer",
    InvoiceChange: "Invoice",
    LineChange: "Line",
    SalesChange: "SalesDocument",
    SalesLineChange: "SalesLine",
}


def _label(document: Any) -> str:
    for name in ("number", "reference", "customer_id", "title", "definition"):
        value = getattr(document, name, None)
        if value:
            return f"{_words(type(document).__name__)} '{value[:60]}'"
    return _words(type(document).__name__)


@lru_cache(maxsize=256)
def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip().lower().replace(" id", " id")


_FREE_SCALE = frozenset({"rate", "quantity", "price", "discount_percent", "cost"})


def _amount(amount: Decimal, name: str, where: str, found: list[str]) -> None:
    if not amount.is_finite():
        found.append(f"{where}: {_words(name)} is {amount}, which is not an amount.")
    elif abs(amount) >= _TOO_LARGE:
        found.append(f"{where}: {_words(name)} {amount:.3E} is too large for Intacct.")
    elif name not in _FREE_SCALE and amount != amount.quantize(_CENT):
        found.append(
            f"{where}: {_words(name)} {amount} has more than two decimals, which Intacct would round away."
        )


def _custom(custom: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in custom.items():
        if not _TAG.match(name):
            yield f"{where}: '{name[:40]}' is not the integration name of a custom field."
        if isinstance(value, str) and _XML_ILLEGAL.search(value):
            yield f"{where}: custom field {name} has a character that XML cannot carry."
        if not isinstance(value, str | Decimal | date | bool):
            yield f"{where}: custom field {name} must be text, a decimal, a date or true/false."


def _nothing(_: Any) -> list[str]:
    return []


def _id_text(value: str, what: str, where: str) -> Iterator[str]:
    if not value.strip():
        yield f"{where}: the {what} is empty."
    elif not _ID.match(value):
        yield f"{where}: the {what} may hold letters, digits, space, dash, dot and underscore only."


def _customer(doc: Customer | CustomerUpdate) -> list[str]:
    where = _label(doc)
    found = list(_id_text(doc.customer_id, "customer id", where))
    if isinstance(doc, Customer) and not doc.name.strip():
        found.append(f"{where}: the name is empty.")
    if doc.email and not _EMAIL.match(doc.email):
        found.append(
            f"{where}: '{doc.email[:60]}' is not an e-mail address, and Intacct refuses the customer for it."
        )
    return found + _currency(doc, where)


def _currency(doc: Any, where: str) -> list[str]:
    found = []
    for name in ("currency", "base_currency"):
        code = getattr(doc, name, None)
        if code is not None and not _CURRENCY.match(code):
            found.append(f"{where}: '{code[:10]}' is not a currency code of three capitals.")
    rate, rate_type, rate_on = (getattr(doc, name, None) for name in ("rate", "rate_type", "rate_on"))
    if rate is not None and (rate_type is not None or rate_on is not None):
        found.append(f"{where}: give a rate, or a rate type with its date, never both.")
    if rate is not None and rate.is_finite() and rate <= 0:
        found.append(f"{where}: the exchange rate {rate} must be above zero.")
    if getattr(doc, "currency", None) is None and (rate is not None or rate_type is not None):
        found.append(f"{where}: an exchange rate needs a currency.")
    return found


def _number(number: str, where: str) -> Iterator[str]:
    if not number.strip():
        yield f"{where}: the number is empty."
    bad = sorted({char for char in number if char in _NUMBER_FORBIDDEN})
    if bad:
        yield f"{where}: the number holds {' '.join(bad)}, which Intacct's document numbers do not take."


def _invoice(doc: Invoice) -> list[str]:
    where = _label(doc)
    found = [
        *_number(doc.number, where),
        *_id_text(doc.customer_id, "customer id", where),
        *_currency(doc, where),
    ]
    if doc.due_on is None and doc.terms is None:
        found.append(f"{where}: give a due date or payment terms; Intacct requires one of them.")
    return found


def _memo(doc: CreditMemo | DebitMemo) -> list[str]:
    where = _label(doc)
    found = [
        *_number(doc.number, where),
        *_id_text(doc.customer_id, "customer id", where),
        *_currency(doc, where),
    ]
    if all(line.amount.is_finite() for line in doc.lines) and doc.lines and doc.total <= 0:
        found.append(
            f"{where}: the lines sum to {doc.total}; amounts of a memo are positive, its kind gives the sign."
        )
    return found


def _ledger_lines(doc: Invoice | CreditMemo | DebitMemo, location_required: bool) -> list[str]:
    where = _label(doc)
    if not doc.lines:
        return [f"{where}: it has no line."]
    found = []
    for number, line in enumerate(doc.lines, 1):
        if (line.account is None) == (line.label is None):
            found.append(f"{where}, line {number}: give an account or an account label, exactly one.")
        if line.location == "" or (location_required and line.location is None):
            found.append(
                f"{where}, line {number}: the location is missing, and this company has several entities."
            )
    return found


def _receipt(doc: Receipt) -> list[str]:
    where = _label(doc)
    found = [*_id_text(doc.customer_id, "customer id", where), *_currency(doc, where)]
    if sum(part is not None for part in (doc.financial_entity, doc.undeposited_account, doc.batch_key)) != 1:
        found.append(
            f"{where}: name exactly one of bank (financial entity), undeposited funds account and batch."
        )
    if doc.method not in METHODS:
        found.append(f"{where}: '{doc.method[:40]}' is not a payment method of Intacct.")
    amounts = [doc.amount, doc.overpayment, *(part.amount for part in doc.applications)]
    if not all(amount.is_finite() for amount in amounts):
        return found
    money_parts = [part for part in doc.applications if isinstance(part, Application)]
    for part in money_parts:
        if (part.invoice_key is None) == (part.debit_memo_key is None):
            found.append(f"{where}: an application names an invoice or a debit memo, exactly one.")
    if any(part.amount <= 0 for part in doc.applications) or doc.overpayment < 0 or doc.amount < 0:
        found.append(f"{where}: every amount of a receipt must be above zero.")
    applied = sum((part.amount for part in money_parts), Decimal(0)) + doc.overpayment
    if (doc.applications or doc.overpayment) and applied != doc.amount:
        found.append(f"{where}: applications and overpayment sum to {applied}, the receipt is {doc.amount}.")
    if not doc.applications and doc.amount == 0:
        found.append(f"{where}: it moves nothing.")
    return found


def _receipt_style(doc: Receipt, style: Style) -> list[str]:
    where = _label(doc)
    if style == "generic":
        if not doc.applications:
            return [f"{where}: ARPYMT needs an invoice to pay; post money on account in the legacy style."]
        return []
    found = []
    if doc.reference is not None and len(doc.reference) > LEGACY_REFERENCE:
        found.append(
            f"{where}: reference has {len(doc.reference)} characters, the legacy function takes {LEGACY_REFERENCE}."
        )
    if any(
        isinstance(part, CreditApplication) or part.invoice_key is None or part.entry_key is not None
        for part in doc.applications
    ):
        found.append(
            f"{where}: the legacy function applies money to whole invoices only; use the generic style."
        )
    return found


def _journal(doc: Journal) -> list[str]:
    where = _label(doc)
    found = []
    if len(doc.lines) < 2:
        found.append(f"{where}: a journal entry has at least two lines.")
    if not doc.title.strip():
        found.append(f"{where}: the title is empty.")
    if doc.reverse_on is not None and doc.reverse_on <= doc.posted_on:
        found.append(f"{where}: it must be reversed later than it is posted.")
    sums: dict[str | None, Decimal] = {}
    for line in doc.lines:
        if line.amount.is_finite():
            sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.amount
    found += [f"{where}: debits and credits differ by {total}." for total in sums.values() if total]
    return found


def _entities_in_balance(doc: Journal, entity_of: Mapping[str, str]) -> list[str]:
    """Debits less credits by entity, where every line's entity is known; without a base location each must come to nothing."""
    if any(line.location not in entity_of or not line.amount.is_finite() for line in doc.lines):
        return []
    sums: dict[tuple[str, str | None], Decimal] = {}
    for line in doc.lines:
        key = (entity_of[line.location or ""], line.currency)
        sums[key] = sums.get(key, Decimal(0)) + line.amount
    where = _label(doc)
    return [
        f"{where}: debits and credits of entity {entity} differ by {total}; balance it there, or name a base location."
        for (entity, _), total in sums.items()
        if total
    ]


def _sales(doc: SalesDocument) -> list[str]:
    where = _label(doc)
    found = [*_number(doc.number, where)] if doc.number is not None else []
    if doc.due_on is None and doc.terms is None:
        found.append(f"{where}: give a due date or payment terms; Intacct requires one of them.")
    return found + _currency(doc, where) + _has_lines(doc.lines, where)


def _stock(doc: StockTransaction) -> list[str]:
    return _has_lines(doc.lines, _label(doc))


def _invoice_change(doc: InvoiceChange) -> list[str]:
    where = _label(doc)
    found = [*_number(doc.number, where)] if doc.number is not None else []
    return found + _currency(doc, where) + _changed_lines(doc, where)


def _sales_change(doc: SalesChange) -> list[str]:
    where = _label(doc)
    found = (
        []
        if "-" in doc.key
        else [f"{where}: its key is written definition-number, such as Sales Invoice-SI-7."]
    )
    return found + _currency(doc, where) + _changed_lines(doc, where)


def _changed_lines(doc: InvoiceChange | SalesChange, where: str) -> list[str]:
    numbers = [line.line_no for line in doc.changed_lines]
    found = [
        f"{where}: line {number} does not exist; lines count from 1." for number in numbers if number < 1
    ]
    if len(set(numbers)) != len(numbers):
        found.append(f"{where}: a line is changed twice.")
    if all(not getattr(doc, name) for name in doc.__struct_fields__ if name != "key"):
        found.append(f"{where}: it changes nothing.")
    return found


def _receipt_application(doc: ReceiptApplication) -> list[str]:
    where = f"application of receipt {doc.key}"
    if not doc.applications:
        return [f"{where}: it names no invoice."]
    if any(not part.amount.is_finite() or part.amount <= 0 for part in doc.applications):
        return [f"{where}: every amount must be above zero."]
    return []


def _has_lines(lines: Iterable[Any], where: str) -> list[str]:
    return [] if tuple(lines) else [f"{where}: it has no line."]


_RULES: dict[type, Any] = {
    Customer: _customer,
    CustomerUpdate: _customer,
    Invoice: _invoice,
    CreditMemo: _memo,
    DebitMemo: _memo,
    Receipt: _receipt,
    Journal: _journal,
    SalesDocument: _sales,
    StockTransaction: _stock,
    InvoiceChange: _invoice_change,
    SalesChange: _sales_change,
    ReceiptApplication: _receipt_application,
}
