"""Plain orders of commercetools: narrower shapes, one for each currency, that a sound order's payload fits without exception.

Every amount on the order is in its one currency with that currency's digits, amounts that must be there are there, and what may be
absent has an empty object in its place, so that one path of members leads to every value of every order. The decoder proves all of
this while it reads. A payload that does not fit is not wrong: it is read by the wider shapes of
`transforms.storefronts.commercetools_payloads`, from which these are derived, with the same result at a higher price.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from tieout.money import known_currencies
from transforms.storefronts.commercetools_payloads import (
    Cents,
    CustomLineItem,
    Delivery,
    Digits,
    LineItem,
    Money,
    Order,
    Price,
    ShippingInfo,
)

LARGEST_COUNT: Final = 2**62 - 1
"""Larger counts of a unit price do not fit a column."""

_Precise = Annotated[int, msgspec.Meta(ge=-LARGEST_COUNT, le=LARGEST_COUNT)]
_GIVEN: Final = {
    (Order, "total_price"),
    (LineItem, "total_price"),
    (CustomLineItem, "total_price"),
    (ShippingInfo, "price"),
    (Delivery, "items"),
}
"""Members without which an order is not plain."""
_EMPTY: Final = {
    (Order, "shipping"),
    (LineItem, "taxed_price_portions"),
    (CustomLineItem, "taxed_price_portions"),
}
"""Lists that are empty unless an order goes to several addresses."""
_UNITS: Final = {(Price, "value"), (CustomLineItem, "money")}
"""Unit prices may have more digits than their currency."""


@lru_cache(maxsize=512)
def decoder_of(currency: bytes) -> Callable[[bytes], Any] | None:
    """The decoder of plain orders in a currency; None where that is no ISO 4217 currency with minor units."""
    code = currency.decode("ascii", "replace")
    digits = known_currencies().get(code)
    if digits is None:
        return None
    amount, unit = _money(code, Literal[digits]), _money(code, Digits)
    return msgspec.json.Decoder(_narrowed(Order, amount, unit, {})).decode


def currency_of(payload: bytes) -> bytes:
    """The first currency an order's payload names; something else where it names none."""
    at = payload.find(b'"currencyCode":"')
    if at < 0:  # perhaps there is space around the colon
        at = payload.find(b'"', payload.find(b'"currencyCode"') + 14) - 15
    return payload[at + 16 : at + 19]


def _money(currency: str, digits: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "PlainMoney",
        [
            ("cent_amount", Cents),
            ("currency_code", Literal[currency]),
            ("fraction_digits", digits),
            ("precise_amount", _Precise | None, None),
        ],
        rename="camel",
        frozen=True,
        gc=False,
    )


def _narrowed(
    shape: type[msgspec.Struct],
    amount: type[msgspec.Struct],
    unit: type[msgspec.Struct],
    made: dict[type[msgspec.Struct], type[msgspec.Struct]],
) -> type[msgspec.Struct]:
    """A shape whose members are as narrow as those of plain orders; `made` are those there are already."""
    if shape in made:
        return made[shape]
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for one in msgspec.structs.fields(shape):
        place = (shape, one.name)
        inner = _without_none(one.type)
        is_list = get_origin(inner) is tuple
        element = get_args(inner)[0] if is_list else inner
        is_shape = isinstance(element, type) and issubclass(element, msgspec.Struct)
        if element is Money:
            element = unit if place in _UNITS else amount
        elif is_shape:
            element = _narrowed(element, amount, unit, made)
        if is_list:
            kind: Any = tuple[element, ...]  # type: ignore[valid-type]
            if place in _GIVEN:
                members.append((one.name, Annotated[kind, msgspec.Meta(min_length=1)]))
                continue
            if place in _EMPTY:
                kind = Annotated[kind, msgspec.Meta(max_length=0)]
            members.append((one.name, kind, ()))
        elif is_shape and (one.required or place in _GIVEN):
            members.append((one.name, element))
        elif is_shape:
            members.append((one.name, element, absent(element)))
        elif one.required:
            members.append((one.name, one.type))
        else:
            members.append((one.name, one.type, one.default))
    members.sort(key=len)  # those without a default come first
    made[shape] = msgspec.defstruct(f"Plain{shape.__name__}", members, rename="camel", frozen=True, gc=False)
    return made[shape]


@cache
def absent(shape: type[msgspec.Struct]) -> msgspec.Struct:
    """The object that stands where a plain order has none of this shape: each of its values is None, each of its lists empty."""
    values: dict[str, Any] = {}
    for one in msgspec.structs.fields(shape):
        kind = get_args(one.type)[0] if get_origin(one.type) is Annotated else one.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            values[one.name] = absent(kind)
        elif one.required:
            values[one.name] = None
    return shape(**values)


def _without_none(kind: Any) -> Any:
    """`X` of `X | None`."""
    if get_origin(kind) in (Union, UnionType):
        return next(one for one in get_args(kind) if one is not type(None))
    return kind
