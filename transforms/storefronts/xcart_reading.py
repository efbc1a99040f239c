"""Orders of X-Cart in columns, before any arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from transforms.json_decoding import Decoded, decode
from transforms.storefronts.columns import BLOCK, FLUSHED, Amounts, Texts, holders
from transforms.storefronts.xcart_payloads import Order, Ref
from transforms.storefronts.xcart_settings import XCartSettings
from transforms.storefronts.xcart_versions import Reader, read_orders

_LISTED: Final = 2_000
"""Payloads given at a time to a reader that works by columns itself."""
_ADDRESS: Final = "billing_address"
_NULL: Final = pl.lit(None, dtype=pl.String)
_HEAD: Final = (
    "order_ref", "order_number", "customer_ref", "customer_email", "payment_word", "shipping_word", "said_currency", "placed", "changed",
)  # fmt: skip
_FILLED: Final = _HEAD[:4]


class Opened:
    """A batch of orders in columns, amounts in millionths; `at` is the position of the order in the batch, `row` that of a row.

    `troubles` holds what is wrong by position, and `lost` the positions of orders of which nothing could be read.
    """

    def __init__(self, settings: XCartSettings) -> None:
        self.troubles: Decoded[Order] = Decoded([], {})
        self.lost: list[int] = []
        self._by_code = settings.tax_key == "code"
        self._parts = list(map(_part, range(len(settings.name_fields))))
        self._texts: dict[str, Texts] = defaultdict(Texts)
        self._amounts = Amounts()
        self._flags: dict[str, list[bool]] = defaultdict(list)
        self._counts: dict[str, list[int]] = defaultdict(list)

    def take(self, orders: Sequence[Any]) -> None:
        """Gather some more orders, whose addresses have no more than the parts of the name."""
        put, amount = self._put, self._amounts.put
        put("order_ref", [one.id for one in orders])
        put("order_number", [one.order_number for one in orders])
        put("customer_ref", [one.customer_id for one in orders])
        put("customer_email", [one.email for one in orders])
        put("said_currency", [one.currency for one in orders])
        put("placed", [one.create_date for one in orders])
        put("changed", [one.update_date for one in orders])
        put(
            "payment_word",
            [None if one is None else one.code for one in [one.payment_status for one in orders]],
        )
        put(
            "shipping_word",
            [None if one is None else one.code for one in [one.shipping_status for one in orders]],
        )
        addresses = [one.billing_address for one in orders]
        for name in self._parts:
            put(
                name, [getattr(one, name, None) for one in addresses]
            )  # there may be none, and an empty one comes as a list
        amount("total", [one.total for one in orders])
        amount("sub_total", [one.sub_total for one in orders])
        items = self._elements("items", [one.items or () for one in orders])
        put("line_ref", [one.id for one in items])
        put("sku", [one.sku for one in items])
        put("name", [one.name for one in items])
        amount("price", [one.price for one in items])
        amount("after", [one.discounted_subtotal for one in items])
        amount("count", [one.amount for one in items])
        taxes = self._elements("taxes", [one.surcharges or () for one in items])
        self._flags["taxes.counts"] += [one.available and one.type == "tax" for one in taxes]
        self._surcharges("taxes", taxes)
        extras = self._elements("extras", [one.surcharges or () for one in orders])
        put("extras.type", [one.type for one in extras])
        self._flags["extras.counts"] += [one.available for one in extras]
        self._surcharges("extras", extras)
        coupons = self._elements("coupons", [one.used_coupons or () for one in orders])
        put("coupon", [one.code for one in coupons])
        marks = self._elements("marks", [one.tracking_numbers or () for one in orders])
        put("mark.date", [one.date for one in marks])
        put("mark.value", [one.value for one in marks])

    def _put(self, name: str, values: Sequence[Any]) -> None:
        self._texts[name].values += values

    def _elements(self, name: str, lists: Sequence[tuple[Any, ...]]) -> list[Any]:
        self._counts[name].extend(map(len, lists))
        return list(chain.from_iterable(lists))

    def _surcharges(self, name: str, found: Sequence[Any]) -> None:
        self._put(f"{name}.name", [one.name or one.code for one in found])
        if self._by_code:
            self._put(f"{name}.code", [one.code or one.name for one in found])
        self._flags[f"{name}.include"] += [one.include for one in found]
        self._amounts.put(name, [one.value for one in found])

    def flush(self) -> None:
        """Turn texts into columns."""
        for texts in self._texts.values():
            texts.flush()

    def heads(self) -> pl.DataFrame:
        """What each order says of itself."""
        told, parts = self._texts, self._parts
        whole = pl.concat_str(*map(_stripped, parts), separator=" ", ignore_nulls=True) if parts else _NULL
        return (
            pl.DataFrame(
                [
                    *(told[name].column(name) for name in (*_HEAD, *parts)),
                    *self._amount("total", "total", "total_odd"),
                    *self._amount("sub_total", "sub_total", "sub_odd"),
                ]
            )
            .with_columns(
                *map(_filled, _FILLED),
                pl.col("said_currency").fill_null("").str.strip_chars().str.to_uppercase(),
                pl.when(whole != "").then(whole).alias("customer_name"),
            )
            .drop(parts)
        )

    def items(self) -> pl.DataFrame:
        """Rows of goods, in the order of their numbers."""
        told = self._texts
        return pl.DataFrame(
            [
                holders("at", self._counts["items"]),
                told["line_ref"].column("line_ref"),
                told["sku"].column("sku"),
                told["name"].column("description"),
                *self._amount("price", "price"),
                *self._amount("after", "after", "after_odd"),
                *self._amount("count", "count", "odd"),
            ]
        ).with_columns(pl.col("line_ref").fill_null(""), _filled("sku"), _filled("description"))

    def extras(self) -> pl.DataFrame:
        """Surcharges of orders that are offered."""
        frame = self._surcharge_columns("extras", "at", "tax_name", self._texts["extras.type"].column("type"))
        name = self._texts["extras.name"].column("description")
        return self._only("extras", frame.with_columns(name))

    def row_taxes(self) -> pl.DataFrame:
        """Taxes of rows that are offered, with the number of the row."""
        return self._only("taxes", self._surcharge_columns("taxes", "row", "tax_name"))

    def coupons(self) -> pl.DataFrame:
        """Codes of coupons used."""
        found = [holders("at", self._counts["coupons"]), self._texts["coupon"].column("code")]
        return pl.DataFrame(found).filter(pl.col("code") != "")

    def marks(self) -> pl.DataFrame:
        """Tracking numbers."""
        columns = [self._texts[f"mark.{name}"].column(name) for name in ("date", "value")]
        return pl.DataFrame([holders("at", self._counts["marks"]), *columns]).with_columns(_filled("value"))

    def _surcharge_columns(self, name: str, holder: str, tax: str, *more: pl.Series) -> pl.DataFrame:
        named = self._texts[f"{name}.{'code' if self._by_code else 'name'}"].column(tax)
        include = pl.Series("include", self._flags[f"{name}.include"], dtype=pl.Boolean)
        return pl.DataFrame(
            [holders(holder, self._counts[name]), *more, named, include, *self._amount(name, "value", "odd")]
        )

    def _amount(self, name: str, *names: str) -> list[pl.Series]:
        """An amount in millionths and, if that has a name too, what is none."""
        return [one.alias(of) for one, of in zip(self._amounts.millionths(name), names, strict=False)]

    def _only(self, name: str, frame: pl.DataFrame) -> pl.DataFrame:
        counts = pl.Series(self._flags[f"{name}.counts"], dtype=pl.Boolean)
        return frame if counts.all() else frame.filter(counts)


def open_orders(
    raw: pl.DataFrame, settings: XCartSettings, sold: Mapping[int, Order], read: Reader = read_orders
) -> Opened:
    """Landed orders in columns, those of `sold` with the amounts and rows they were sold with."""
    opened = Opened(settings)
    plain = _plain_of(settings.name_fields)
    nothing = (Order(), plain.order())
    is_ours = read is read_orders
    payloads, problems = raw["payload"].cast(pl.Binary), raw["problem"]
    any_known = problems.null_count() < raw.height
    step = BLOCK if is_ours else _LISTED
    for start in range(0, raw.height, step):
        some = payloads.slice(start, step).to_list()
        known = problems.slice(start, step).to_list() if any_known else [None] * len(some)
        found = decode(some, known, Order, first=plain.order) if is_ours else read(some, known)
        orders: list[Any] = found.objects
        for at, old in _among(sold, start, len(orders)):
            orders[at - start] = _as_sold(orders[at - start], old)
        for nth, troubles in found.troubles.items():
            opened.troubles.troubles[start + nth] = troubles
            if orders[nth] in nothing:
                opened.lost.append(start + nth)
        if not is_ours or found.troubles or any(one.__class__ is Order for one in orders):
            names = settings.name_fields
            orders = [
                one if one.__class__ is plain.order else _made_plain(one, plain, names) for one in orders
            ]
        opened.take(orders)
        if start % FLUSHED < step:
            opened.flush()
    opened.flush()
    return opened


def _among(sold: Mapping[int, Order], start: int, count: int) -> list[tuple[int, Order]]:
    return [(at, sold[at]) for at in range(start, start + count) if at in sold] if sold else []


def _as_sold(newest: Any, sold: Order) -> Any:
    return msgspec.structs.replace(
        newest, total=sold.total, sub_total=sold.sub_total, items=sold.items, surcharges=sold.surcharges
    )


def _part(nth: int) -> str:
    return f"name_{nth}"


class _Plain(NamedTuple):
    """Orders of whose addresses only the members that make up a name are read, and those as texts."""

    order: type[Any]
    address: type[Any]


@lru_cache(maxsize=16)
def _plain_of(names: tuple[str, ...]) -> _Plain:
    parts = [_part(nth) for nth in range(len(names))]
    address = msgspec.defstruct(
        "Address",
        [(one, str | None, None) for one in parts],
        rename=dict(zip(parts, names, strict=True)),
        gc=False,
    )
    fields = msgspec.structs.fields(Order)
    kinds = {one.name: one.type for one in fields} | {_ADDRESS: address | list[msgspec.Raw] | None}
    order = msgspec.defstruct(
        "PlainOrder", [(one.name, kinds[one.name], one.default) for one in fields], gc=False
    )
    return _Plain(order, address)


def _made_plain(order: Order, plain: _Plain, names: Sequence[str]) -> Any:
    """An order that did not fit at once, or of another interface, with no more of its address than the name."""
    members = {one: getattr(order, one) for one in order.__struct_fields__}
    address = members[_ADDRESS]
    members[_ADDRESS] = (
        plain.address(*[_text_in(address.get(name)) for name in names]) if isinstance(address, dict) else None
    )
    return plain.order(**members)


def _text_in(raw: msgspec.Raw | None) -> str | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError:  # a number, a list
        return None


def _stripped(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text)


def _filled(column: str) -> pl.Expr:
    """A text, null where it is empty."""
    return pl.when(pl.col(column) != "").then(column).alias(column)


def text_of(value: Ref) -> str | None:
    """An id as text; null for none and for an empty one."""
    return None if value is None or value == "" else str(value)
