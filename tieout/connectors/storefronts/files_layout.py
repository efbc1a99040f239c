"""Which columns each kind of file has, what else they are called, and how a header is read.

A heading is compared without case, spaces, underscores and punctuation. Our own name wins over a synonym; two
headings that could both be the same column are an error, never a choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """The columns of one subject.

    columns   canonical names, required ones first
    required  what must be there, in the file or as a constant of the map
    line      further columns of files with several rows per document (`rows = "line"`)
    lifts     required column → columns any of which replaces it in such files
    amounts   columns that hold money or quantities; the others are text, dates or codes
    dates     columns that hold dates or instants
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    line: tuple[str, ...] = ()
    lifts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    amounts: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()


def _layout(text: str, *, line: str = "", lifts: Mapping[str, tuple[str, ...]] | None = None) -> Layout:
    """Read `name*` (required), `name:m` (money or quantity) and `name:d` (date) from a compact table."""
    columns, required, amounts, dates = [], [], set(), set()
    for word in (*text.split(), *line.split()):
        name = word.rstrip("*").split(":")[0].rstrip("*")
        if word in text.split():
            columns.append(name)
        if "*" in word:
            required.append(name)
        if word.endswith(":m"):
            amounts.add(name)
        if word.endswith(":d"):
            dates.add(name)
    names = tuple(word.split(":")[0] for word in line.split())
    return Layout(tuple(columns), tuple(required), names, lifts or {}, frozenset(amounts), frozenset(dates))


_LINE_COLUMNS = "line_sku line_description line_quantity:m line_unit_price:m line_net:m line_tax:m line_discount:m line_total:m line_kind"

LAYOUTS: Mapping[str, Layout] = {
    "orders": _layout(
        "order_number* placed_at*:d currency* total*:m status store customer email goods:m discount:m shipping:m "
        "fees:m tax:m gift_card:m store_credit:m captured_at:d shipped_at:d",
        line=_LINE_COLUMNS,
        lifts={"total": ("line_total", "line_net")},
    ),
    "lines": _layout(
        "order_number* sku description quantity:m unit_price:m net:m tax:m discount:m total:m kind"
    ),
    "payments": _layout("payment_ref* order_number* paid_at*:d amount*:m currency* method kind state fee:m"),
    "refunds": _layout("refund_ref* order_number* refunded_at*:d amount*:m currency*"),
    "payouts": _layout(
        "payout_ref* paid_out_at*:d currency* payment_ref kind gross:m fee:m net:m payout_currency payout_amount:m payout_total:m"
    ),
    "stock": _layout("sku* location on_hand*:m allocated:m on_order:m"),
    "invoices": _layout(
        "invoice_number* reference customer invoiced_on*:d currency* total*:m goods:m discount:m shipping:m fees:m "
        "tax:m paid:m due:m entity state",
        line="gl_account amount:m",
        lifts={"total": ("amount",)},
    ),
    "receipts": _layout(
        "receipt_ref* reference invoice_number received_on*:d currency* amount*:m customer entity payment_ref"
    ),
    "credit_memos": _layout(
        "credit_memo_number* reference invoice_number issued_on*:d currency* total*:m goods:m tax:m shipping:m entity"
    ),
}
"""The documented default columns of every kind of file."""

_SHARED = {
    "order_number": "order, order number, order no, order nr, order num, order id, order ref, order reference, sales order, "
    "sales order number, web order, weborder number, bestellnummer, auftragsnummer",
    "currency": "currency code, curr, ccy, transaction currency, txn currency, waehrung, währung",
    "customer": "customer id, customer no, customer number, customer code, customerid, client, kunde, kundennummer",
    "email": "customer email, e-mail, email address, mail",
    "status": "order status, order state, state, bestellstatus",
    "store": "store code, store id, store name, shop, channel, sales channel, website",
    "goods": "subtotal, sub total, net goods, items total, merchandise",
    "discount": "discount amount, discounts, total discount, discount total, rabatt",
    "shipping": "shipping amount, shipping total, shipping cost, freight, delivery, postage, versand, versandkosten",
    "fees": "fee total, surcharges, handling, other charges",
    "tax": "taxes, tax amount, tax total, total tax, vat, vat amount, sales tax, gst, mwst, steuer",
    "sku": "item, item id, item code, itemid, item number, product code, product sku, article, artikelnummer, variant sku",
    "entity": "entity id, megaentityid, entityid, company, legal entity, location id, locationid",
    "reference": "ref, order number, order no, document number, docnumber, document no, po number, ponumber, your reference, "
    "reference no, reference number",
    "invoice_number": "invoice, invoice no, invoice nr, invoice num, invoice id, inv no, rechnungsnummer, recordid, record id",
    "description": "item description, product, product name, item name, title",
    "amount": "amt, betrag",
}

_OWN: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "order_number": "name, increment id, reference number",
        "placed_at": "created at, order date, date, ordered at, purchased on, purchase date, placed on, date created, bestelldatum",
        "total": "order total, grand total, total amount, total price, amount, gross total, total gross, gesamtbetrag, summe",
        "gift_card": "gift card amount, gift cards, voucher",
        "store_credit": "store credit amount, customer balance, credit used",
        "captured_at": "paid at, payment date, captured on, date paid",
        "shipped_at": "fulfilled at, shipped on, ship date, shipping date, shipment date, date shipped",
        "line_sku": "lineitem sku",
        "line_description": "lineitem name",
        "line_quantity": "lineitem quantity",
        "line_unit_price": "lineitem price",
        "line_discount": "lineitem discount",
    },
    "lines": {
        "order_number": "name, increment id",
        "quantity": "qty, qty ordered, units, menge",
        "unit_price": "price, item price, unit cost, einzelpreis",
        "net": "net amount, net total, row net",
        "total": "row total, line total, amount, gross",
        "kind": "line type, type",
    },
    "payments": {
        "payment_ref": "payment id, payment reference, transaction id, transaction ref, txn id, payment, charge id, id, "
        "gateway reference",
        "paid_at": "payment date, paid on, date, created at, created, transaction date, processed at, captured at",
        "method": "payment method, tender, gateway, payment type, card type",
        "kind": "type, transaction type, payment kind",
        "state": "status, payment status, transaction status",
        "fee": "fees, transaction fee, gateway fee, processing fee",
        "amount": "payment amount, gross, total, paid, captured amount",
    },
    "refunds": {
        "refund_ref": "refund id, refund, refund reference, refund no, transaction id, id, credit memo",
        "refunded_at": "refund date, refunded on, date, created at, processed at",
        "amount": "refund amount, refunded, refunded amount, total",
    },
    "payouts": {
        "payout_ref": "payout id, payout, payout reference, batch id, settlement id, settlement batch, transfer id, deposit id",
        "paid_out_at": "payout date, paid out on, settlement date, deposit date, arrival date, available on, date, payout created at",
        "payment_ref": "payment id, payment reference, transaction id, charge id, psp reference, merchant reference, source id, id",
        "kind": "type, transaction type, record type, line type",
        "gross": "gross amount, amount, transaction amount, captured",
        "fee": "fees, fee amount, commission, processing fee, costs",
        "net": "net amount, payable, net payable",
        "payout_currency": "settlement currency, deposit currency, net currency",
        "payout_amount": "settlement amount, amount in settlement currency, net in settlement currency, deposit amount",
        "payout_total": "total payout, batch total, deposit total",
    },
    "stock": {
        "location": "warehouse, warehouse id, warehouseid, bin, site, location id, locationid, lager",
        "on_hand": "onhand, qty on hand, quantity on hand, quantity, qty, stock, bestand",
        "allocated": "qty allocated, reserved, committed, quantity allocated",
        "on_order": "onorder, qty on order, quantity on order, incoming",
    },
    "invoices": {
        "invoiced_on": "invoice date, date, whencreated, when created, posting date, gl posting date, bill date, rechnungsdatum",
        "total": "trx_totalentered, total amount, invoice total, invoice amount, amount total, total invoiced, grand total",
        "paid": "trx_totalpaid, amount paid, total paid",
        "due": "trx_totaldue, amount due, total due, balance, open amount",
        "state": "status, invoice status",
        "gl_account": "account, account no, accountno, gl account no, account number, glaccountno",
        "amount": "trx_amount, line amount",
    },
    "receipts": {
        "receipt_ref": "receipt, receipt no, receipt number, receipt id, payment no, payment number, record no, recordno, recordid",
        "received_on": "receipt date, receiptdate, date, payment date, paymentdate, whencreated, posting date, received, paid on",
        "amount": "trx_totalentered, receipt amount, payment amount, total, amount received, trx_amount",
        "payment_ref": "payment reference, payment id, transaction id, transaction ref",
        "reference": "check number",
    },
    "credit_memos": {
        "credit_memo_number": "credit memo, credit memo no, credit note, credit note number, adjustment number, recordid, record id",
        "issued_on": "credit memo date, date, whencreated, adjustment date, posting date, issued",
        "total": "trx_totalentered, total amount, credit amount, amount",
    },
}  # fmt: skip

_SPARE = (
    "recordno, record no, recordtype, whenposted, when posted, whendue, when due, due date, basecurr, base currency, "
    "totalentered, totalpaid, totaldue, customername, customer name, description, termname, term, whenmodified, "
    "auwhencreated, megaentityname, megaentitykey, exch_rate_date, exchange_rate, prbatch, prbatchkey, modulekey"
)
_LEDGER = frozenset({"invoices", "receipts", "credit_memos"})
"""Headings that Sage Intacct list exports carry beside the ones we read (AR invoice, AR payment and AR
adjustment objects).
"""


def fold(heading: str) -> str:
    """A heading as it is compared: `Order #`, `order_number` and `ORDER NUMBER` are the same."""
    spelled = heading.replace("\ufeff", "").replace("#", " number ").casefold()
    return re.sub(r"[\W_]+", "", spelled)


def synonyms(subject: str) -> dict[str, str]:
    """Folded heading → canonical column, for one subject; a column's own synonyms outrank shared ones."""
    layout = LAYOUTS[subject]
    names = layout.columns + layout.line
    table: dict[str, str] = {}
    for source in (_OWN.get(subject, {}), _SHARED):
        for name in names:
            for word in source.get(name, "").split(","):
                if word.strip():
                    table.setdefault(fold(word), name)
    for name in names:
        table.pop(fold(name), None)
    return table


def spare(subject: str) -> frozenset[str]:
    """Folded headings that are known and knowingly not read."""
    return frozenset(fold(word) for word in _SPARE.split(",")) if subject in _LEDGER else frozenset()


def default_layout(subject: str | None = None) -> dict[str, list[str]]:
    """The documented columns by subject, required ones marked with `*`; what a file needs to be read without
    a map.
    """
    subjects = LAYOUTS if subject is None else (subject,)
    return {
        name: [
            f"{column}*" if column in LAYOUTS[name].required else column for column in LAYOUTS[name].columns
        ]
        for name in subjects
    }


@dataclass
class HeaderReading:
    """How one header was read.

    names      canonical name per column in file order; `_ignored_N` for columns that are not read, `total__2`
               for the
               second column that adds up to `total`
    sums       canonical name → names whose values add up to it
    synonyms   heading as written → canonical name, where the two differ
    missing, extra, duplicate, ambiguous   what is wrong, as sentences
    notes      what is worth knowing
    """

    names: list[str] = field(default_factory=list)
    sums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    synonyms: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_header(
    subject: str,
    headings: Sequence[str],
    *,
    mapped: Mapping[str, str | Sequence[str]],
    ignore: Sequence[str],
    constants: Sequence[str],
    per_line: bool,
) -> HeaderReading:
    """Give every column of a file its canonical name, or say all that is wrong with the header at once."""
    layout = LAYOUTS[subject]
    known = layout.columns + (layout.line if per_line else ())
    reading = HeaderReading()
    folded = [fold(heading) for heading in headings]
    names: list[str | None] = [None] * len(headings)
    _duplicates(headings, folded, reading)

    _by_map(headings, folded, names, mapped, reading)
    taken = set(mapped) | set(constants)
    own = {fold(name): name for name in known}
    for place, heading in enumerate(folded):
        if names[place] is None and own.get(heading) is not None and own[heading] not in taken:
            names[place] = own[heading]
    taken |= {name for name in names if name}
    _by_synonym(subject, headings, folded, names, set(known) - taken, reading)

    ignored = {fold(word) for word in ignore if word != "*"}
    for place, heading in enumerate(headings):
        if names[place] is not None:
            continue
        names[place] = f"_ignored_{place + 1}"
        if not folded[place]:
            reading.notes.append(f"column {place + 1} has no name and is not read")
        elif "*" not in ignore and folded[place] not in ignored | spare(subject):
            reading.wrong.append(
                f'column "{heading.strip()}" is not known; map it, or add it to ignore = ["{heading.strip()}"]'
            )
    present = {str(name).split("__")[0] for name in names} | set(constants)
    for name in layout.required:
        lifted = per_line and any(other in present for other in layout.lifts.get(name, ()))
        if name not in present and not lifted:
            reading.wrong.append(f'column {name} is missing; map it: columns.{name} = "…"')
    reading.names = [str(name) for name in names]
    return reading


def _duplicates(headings: Sequence[str], folded: Sequence[str], reading: HeaderReading) -> None:
    seen: dict[str, int] = {}
    for place, heading in enumerate(folded):
        if heading and heading in seen:
            reading.wrong.append(
                f'column "{headings[place].strip()}" stands twice in the header '
                f"(columns {seen[heading] + 1} and {place + 1})"
            )
        seen.setdefault(heading, place)


def _by_map(
    headings: Sequence[str],
    folded: Sequence[str],
    names: list[str | None],
    mapped: Mapping[str, str | Sequence[str]],
    reading: HeaderReading,
) -> None:
    for name, wanted in mapped.items():
        several = [wanted] if isinstance(wanted, str) else list(wanted)
        parts: list[str] = []
        for number, heading in enumerate(several, 1):
            exact = [place for place, text in enumerate(headings) if text.strip() == heading.strip()]
            places = exact or [place for place, text in enumerate(folded) if text == fold(heading)]
            if not places:
                reading.wrong.append(f'column "{heading}" (for {name}) is not in the file')
                continue
            place = places[0]
            if names[place] is not None:
                reading.wrong.append(f'column "{heading}" is mapped twice, to {names[place]} and {name}')
                continue
            names[place] = name if len(several) == 1 else f"{name}__{number}"
            parts.append(str(names[place]))
        if len(several) > 1:
            reading.sums[name] = tuple(parts)


def _by_synonym(
    subject: str,
    headings: Sequence[str],
    folded: Sequence[str],
    names: list[str | None],
    free: set[str],
    reading: HeaderReading,
) -> None:
    table = synonyms(subject)
    found: dict[str, list[int]] = {}
    for place, heading in enumerate(folded):
        name = table.get(heading)
        if names[place] is None and name in free:
            found.setdefault(name, []).append(place)
    for name, places in found.items():
        written = [headings[place].strip() for place in places]
        if len(places) > 1:
            quoted = " and ".join(f'"{text}"' for text in written)
            reading.wrong.append(f'{quoted} could both be {name}; say which: columns.{name} = "{written[0]}"')
            for place in places:
                names[place] = f"_ignored_{place + 1}"
            continue
        names[places[0]] = name
        reading.synonyms[written[0]] = name
        reading.notes.append(f'column "{written[0]}" is read as {name}')
