"""Orders of X-Cart taken apart, one by one, into the cells of six tables, before any arithmetic.

Each order is read while it is in the processor's cache and then forgotten. Amounts stay the bytes they were written in until a whole
table of them becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import polars as pl

from transforms.json_decoding import Decoded
from transforms.storefronts.cells import FLUSHED, READ, Amounts, Cells
from transforms.storefronts.xcart_payloads import Order, Ref
from transforms.storefronts.xcart_settings import XCartSettings
from transforms.storefronts.xcart_versions import Reader, read_orders

_TEXT: Final = pl.String()
_AT: Final = {"at": pl.UInt32()}
_HEAD: Final = (
    "order_ref", "order_number", "customer_ref", "customer_name", "customer_email", "payment_word", "shipping_word", "said_currency",
    "placed", "changed",
)  # fmt: skip
_LISTED: Final = 2_000
"""Payloads given at a time to a reader that works by columns itself."""


class Opened:
    """A batch of orders in columns, amounts as text; `at` is the position of the order in the batch, `row` that of a row.

    `troubles` holds what is wrong by position, and `lost` the positions of orders of which nothing could be read.
    """

    def __init__(self, settings: XCartSettings) -> None:
        self.troubles: Decoded[Order] = Decoded([], {})
        self.lost: list[int] = []
        self._heads = Cells(dict.fromkeys(_HEAD, _TEXT)), Amounts(("total", "sub_total"))
        self._items = (
            Cells({**_AT, **dict.fromkeys(("line_ref", "sku", "description"), _TEXT)}),
            Amounts(("price", "after", "count")),
        )
        flags = {"include": pl.Boolean(), "available": pl.Boolean()}
        self._extras = (
            Cells({**_AT, **dict.fromkeys(("type", "tax_name", "description"), _TEXT), **flags}),
            Amounts(("value",)),
        )
        row = {"row": pl.UInt32(), "tax_name": _TEXT, "include": pl.Boolean()}
        self._row_taxes = Cells({**_AT, **row}), Amounts(("value",))
        self._coupons = Cells({**_AT, "code": _TEXT})
        self._marks = Cells({**_AT, "date": _TEXT, "value": _TEXT})
        self._settings, self._by_code, self._row = settings, settings.tax_key == "code", 0
        self._codes: dict[str | None, str] = {}

    def read(self, at: int, order: Order) -> None:
        """Take one order apart."""
        code = self._codes.get(order.currency)
        if code is None:
            code = self._codes[order.currency] = (order.currency or "").strip().upper()
        paid, shipped = order.payment_status, order.shipping_status
        words, amounts = self._heads
        words.cells.extend(
            (
                text_of(order.id),
                text_of(order.order_number),
                text_of(order.customer_id),
                name_of(order, self._settings),
                order.email or None,
                None if paid is None else paid.code,
                None if shipped is None else shipped.code,
                code,
                _written(order.create_date),
                _written(order.update_date),
            )
        )
        amounts.cells.extend((order.total, order.sub_total))
        by_code = self._by_code
        if order.items:
            words, amounts = self._items
            for item in order.items:
                words.cells.extend((at, text_of(item.id) or "", item.sku or None, item.name or None))
                amounts.cells.extend((item.price, item.discounted_subtotal, item.amount))
                for tax in item.surcharges or ():
                    if tax.type == "tax" and tax.available:
                        name = (tax.code or tax.name) if by_code else (tax.name or tax.code)
                        self._row_taxes[0].cells.extend((at, self._row, name, tax.include))
                        self._row_taxes[1].cells.append(tax.value)
                self._row += 1
        words, amounts = self._extras
        for one in order.surcharges or ():
            name = (one.code or one.name) if by_code else (one.name or one.code)
            words.cells.extend((at, one.type, name, one.name or one.code, one.include, one.available))
            amounts.cells.append(one.value)
        for coupon in order.used_coupons or ():
            if coupon.code:
                self._coupons.cells.extend((at, coupon.code))
        for mark in order.tracking_numbers or ():
            self._marks.cells.extend((at, _written(mark.date), mark.value or None))

    def let_go(self) -> None:
        """Copy amounts out of the payloads they were read from."""
        for _, amounts in (self._heads, self._items, self._extras, self._row_taxes):
            amounts.flush()

    def flush(self) -> None:
        """Turn what has been read into columns."""
        self.let_go()
        for words, _ in (self._heads, self._items, self._extras, self._row_taxes):
            words.flush()
        self._coupons.flush()
        self._marks.flush()

    def heads(self) -> pl.DataFrame:
        """What each order says of itself."""
        return _whole(self._heads)

    def items(self) -> pl.DataFrame:
        """Rows of goods, in the order of their numbers."""
        return _whole(self._items)

    def extras(self) -> pl.DataFrame:
        """Surcharges of orders."""
        return _whole(self._extras)

    def row_taxes(self) -> pl.DataFrame:
        """Taxes of rows, with the number of the row."""
        return _whole(self._row_taxes)

    def coupons(self) -> pl.DataFrame:
        """Codes of coupons used."""
        return self._coupons.frame()

    def marks(self) -> pl.DataFrame:
        """Tracking numbers."""
        return self._marks.frame()


def open_orders(
    raw: pl.DataFrame, settings: XCartSettings, sold: Mapping[int, Order], read: Reader = read_orders
) -> Opened:
    """Landed orders in columns, those of `sold` with the amounts and rows they were sold with."""
    opened = Opened(settings)
    step = READ if read is read_orders else _LISTED
    for start in range(0, raw.height, step):
        some = raw.slice(start, step)
        found = read(some["payload"].to_list(), some["problem"].to_list())
        for nth, order in enumerate(found.objects):
            at = start + nth
            if at in sold:
                order = _as_sold(order, sold[at])
            if nth in found.troubles:
                opened.troubles.troubles[at] = found.troubles[nth]
                if order == Order():
                    opened.lost.append(at)
            opened.read(at, order)
            if at % FLUSHED == FLUSHED - 1:
                opened.flush()
        opened.let_go()
    opened.flush()
    return opened


def _as_sold(newest: Order, sold: Order) -> Order:
    return msgspec.structs.replace(
        newest, total=sold.total, sub_total=sold.sub_total, items=sold.items, surcharges=sold.surcharges
    )


def _whole(table: tuple[Cells, Amounts]) -> pl.DataFrame:
    words, amounts = table
    return pl.concat([words.frame(), amounts.frame()], how="horizontal")


def text_of(value: Ref) -> str | None:
    """An id as text; null for none and for an empty one."""
    return None if value is None or value == "" else str(value)


def _written(value: Ref) -> str | None:
    return None if value is None else str(value)


def name_of(order: Order, settings: XCartSettings) -> str | None:
    """The buyer's name from the billing address; an empty address comes as an empty list."""
    address = order.billing_address
    if not isinstance(address, dict):
        return None
    whole = ""
    for name in settings.name_fields:
        raw = bytes(address.get(name, b""))
        if raw[:1] == b'"':
            # Only what holds an escape has to be decoded.
            text = (
                msgspec.json.decode(raw, type=str) if b"\\" in raw else raw[1:-1].decode("utf-8", "replace")
            ).strip()
            if text:
                whole = f"{whole} {text}" if whole else text
    return whole or None
