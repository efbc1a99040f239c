"""Typed shapes of Clarity payloads, made from a profile's member names: which member stands where is data, not code.

A dotted path becomes a structure within a structure, so that payloads are decoded once by a compiled decoder, and only the members the
profile names are decoded at all. Amounts stay the bytes they were written in; what a value means is decided column by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec
import polars as pl

from transforms.json_amounts import ABSENT, texts_written
from transforms.json_decoding import Decoded, decode
from transforms.storefronts.columns import unescaped, written_texts

LISTS: Final = {
    # group: {field that is a list: group of its elements}
    "orders": {"lines": "lines", "taxes": "taxes", "shipments": "shipments"},
    "payments": {"transactions": "transactions"},
    "shipments": {"items": "shipment_items"},
    "returns": {"items": "return_items"},
}
AMOUNTS: Final = {
    # group: fields that are read from the bytes they were written in
    "orders": ("total", "subtotal", "shipping", "fees", "tax", "discount", "store_credit", "gift_card"),
    "lines": ("quantity", "unit_price", "subtotal", "tax", "discount", "tax_rate", "tax_percent"),
    "taxes": ("amount",),
    "transactions": ("amount", "fee"),
    "shipment_items": ("quantity",),
    "return_items": ("quantity",),
    "inventory": ("quantity",),
}
RATES: Final = ("tax_rate", "tax_percent")
"""Fields among them that are no amounts and may have more digits."""
FLAGS: Final = ("is_test", "active", "price")
"""Fields that are read as texts and may well be something else."""
ITEMS: Final = {"shipment_items": "shipments", "return_items": "returns"}
"""Elements whose member names stand, with `item_` in front, in the group of what holds them."""

Fields = Mapping[str, Mapping[str, str]]


class Shapes:
    """Shapes for the groups of a profile's `fields`, and how to get a field out of an object of one."""

    def __init__(self, fields: Fields) -> None:
        self.fields = {group: dict(names) for group, names in fields.items()}
        for items, holder in ITEMS.items():
            of = self.fields.get(holder, {})
            self.fields[items] = {
                name.removeprefix("item_"): path for name, path in of.items() if name.startswith("item_")
            }
        self._made: dict[tuple[str, bool], type[msgspec.Struct]] = {}

    def shape(self, group: str, *, loose: bool = True) -> type[msgspec.Struct]:
        """The shape of a group's records. A loose one takes anything, which is slower than taking only texts and whole numbers."""
        if (group, loose) not in self._made:
            tree: dict[str, Any] = {}
            for name, path in self.fields.get(group, {}).items():
                if group in ITEMS.values() and name.startswith("item_"):
                    continue
                inner = LISTS.get(group, {}).get(name)
                leaf: Any = str | int | None
                if inner:
                    leaf = tuple[self.shape(inner, loose=loose), ...] | None  # type: ignore[misc]
                elif loose or name in AMOUNTS.get(group, ()) or name in FLAGS:
                    leaf = msgspec.Raw
                steps = path.split(".")
                at = tree
                for step in steps[:-1]:
                    below = at.setdefault(step, {})
                    # A member that is read itself and has members that are read is read as a whole.
                    at = below if isinstance(below, dict) else {}
                if at.setdefault(steps[-1], leaf) != leaf and leaf is msgspec.Raw:
                    at[steps[-1]] = leaf  # one member may be read as a text and as an amount
            self._made[group, loose] = _struct(f"{group}_{'loose' if loose else 'strict'}", tree)
        return self._made[group, loose]

    def decode(self, raw: pl.DataFrame, group: str) -> Decoded[Any]:
        """The payloads of raw landing rows as objects of a group."""
        return decode(
            raw["payload"].cast(pl.Binary).to_list(),
            raw["problem"].to_list(),
            self.shape(group),
            first=self.shape(group, loose=False),
        )

    def has(self, group: str, name: str) -> bool:
        """Whether the profile names a field."""
        return name in self.fields.get(group, {})

    def values(self, group: str, name: str, objects: Sequence[Any]) -> list[Any]:
        """A field of every object: bytes as written, or the tuple of a list; absent where the profile has no such field."""
        path = self.fields.get(group, {}).get(name)
        is_list = name in LISTS.get(group, {})
        if path is None:
            return [() if is_list else ABSENT] * len(objects)
        if not is_list:
            return _column(path, objects, ABSENT)
        found = _column(path, objects, None)
        return [one if isinstance(one, tuple) else () for one in found]

    def text(self, group: str, name: str, objects: Sequence[Any]) -> pl.Series:
        """A field of every object as text; null where it is absent or empty, and where it is a list or an object."""
        if not self.has(group, name):
            return pl.Series(name, [None] * len(objects), dtype=pl.String)
        return _told(written_texts(_column(self.fields[group][name], objects, None)).alias(name))


def told(text: pl.Expr) -> pl.Expr:
    """Texts without surrounding space; null for empty ones."""
    found = text.str.strip_chars()
    return pl.when((found != "") & (found != "null")).then(found)


def _told(found: pl.Series) -> pl.Series:
    return found.to_frame().select(told(pl.col(found.name))).to_series()


def texts_of_flags(written: pl.Series) -> pl.Series:
    """Texts of a column of values as they stand in the payload; null for a list or an object."""
    found = texts_written(written)
    found = found.set(found.str.contains(r"^[\[{]").fill_null(value=False), None)
    escaped = found.str.contains("\\", literal=True).fill_null(value=False)
    if escaped.any():
        found = found.scatter(escaped.arg_true(), [unescaped(one) for one in found.filter(escaped)])
    return _told(found)


def shapes_of(fields: Fields) -> Shapes:
    """The shapes of a profile's fields; made once per profile, because a decoder is compiled for each."""
    return _shapes_of(tuple((group, tuple(sorted(names.items()))) for group, names in sorted(fields.items())))


@lru_cache(maxsize=16)
def _shapes_of(fields: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Shapes:
    return Shapes({group: dict(names) for group, names in fields})


def _struct(name: str, tree: Mapping[str, Any]) -> type[msgspec.Struct]:
    members: list[tuple[str, Any, Any]] = []
    renamed = {}
    for step, leaf in tree.items():
        own = own_name(step)
        renamed[own] = step
        if isinstance(leaf, dict):
            inner = _struct(f"{name}_{own}", leaf)
            # What is not there has an empty object in its place, so that one path leads to every value.
            members.append((own, inner | None, inner()))
        else:
            members.append((own, leaf, ABSENT if leaf is msgspec.Raw else None))
    return msgspec.defstruct(name, members, rename=renamed, frozen=True, gc=False)


def own_name(step: str) -> str:
    """A name Python allows for a member, whatever theirs is."""
    return "m_" + "".join(one if one.isalnum() else f"_{ord(one):x}_" for one in step)


def _column(path: str, objects: Sequence[Any], absent: Any) -> list[Any]:
    """A member, or one within another, of every object; `absent` where what should hold it is missing."""
    first, *rest = map(own_name, path.split("."))
    found = list(map(attrgetter(first), objects))
    for step in rest:
        get = attrgetter(step)
        # The interpreter is left out of it where every object has the member, as nearly always.
        found = (
            list(map(get, found))
            if None not in found
            else [None if one is None else get(one) for one in found]
        )
    if rest and absent is not None and None in found:
        found = [absent if one is None else one for one in found]
    return found
