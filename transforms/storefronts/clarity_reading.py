"""Orders of Clarity in the fields a profile names, before any arithmetic: tables of texts, and of amounts as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import polars as pl

from transforms.json_amounts import ABSENT
from transforms.json_decoding import Decoded, decode
from transforms.storefronts.clarity_shapes import (
    AMOUNTS,
    FLAGS,
    ITEMS,
    LISTS,
    RATES,
    Shapes,
    own_name,
    texts_of_flags,
    told,
)
from transforms.storefronts.columns import BLOCK, FLUSHED, Amounts, Texts, holders

_Records = Sequence[Any]


class Table:
    """The records of one group by fields, each with the number of the record that holds it, and the tables of its lists."""

    def __init__(self, shapes: Shapes, group: str, numbers: Amounts, counts: list[int] | None = None) -> None:
        of = {
            name: path
            for name, path in shapes.fields.get(group, {}).items()
            if not (group in ITEMS.values() and name.startswith("item_"))
        }
        lists, money = LISTS.get(group, {}), (*AMOUNTS.get(group, ()), *FLAGS)
        self._counts = counts
        of_lists: dict[str, list[int]] = {name: [] for name in lists}
        self.lists = {name: Table(shapes, inner, numbers, of_lists[name]) for name, inner in lists.items()}
        self.height = 0
        self._texts = {
            name: (Texts(), _Member(of[name])) for name in of if name not in lists and name not in money
        }
        # Amounts of all tables are read together; flags and rates are not amounts.
        self._group, self._numbers, self._others = group, numbers, Amounts()
        self._amounts = {
            name: (
                self._others if name in (*FLAGS, *RATES) else numbers,
                f"{group}.{name}",
                _Member(of[name]),
            )
            for name in of
            if name in money
        }
        self._held = [(self.lists[name], of_lists[name], _Member(of[name])) for name in lists if name in of]
        self._told: pl.DataFrame | None = None
        self._unnamed = [many for name, many in of_lists.items() if name not in of]

    def take(self, records: _Records) -> None:
        """Gather the fields of some more records, whose amounts are copied out of the payloads they are part of."""
        if not records:
            return
        self.height += len(records)
        for texts, member in self._texts.values():
            texts.values += member.of(records, None)
        for amounts, key, member in self._amounts.values():
            amounts.put(key, member.of(records, ABSENT))
        for table, counts, member in self._held:
            # What is not there has no elements, nor has what is no list.
            some = [one if one.__class__ is tuple else () for one in member.of(records, None)]
            counts.extend(map(len, some))
            table.take(list(chain.from_iterable(some)))
        for counts in self._unnamed:
            counts += [0] * len(records)

    def flush(self) -> None:
        """Turn texts into columns."""
        for texts, _ in self._texts.values():
            texts.flush()
        for table in self.lists.values():
            table.flush()

    def holders(self, name: str) -> pl.Series:
        """The number of what holds each record."""
        if self._counts is None:
            return pl.int_range(self.height, dtype=pl.UInt32, eager=True).alias(name)
        return holders(name, self._counts)

    def text(self, name: str) -> pl.Series:
        """A field as text; null where it is absent or empty, and where it is a list or an object."""
        if name in FLAGS:
            return texts_of_flags(self.amounts(name)).alias(name)
        if name not in self._texts:
            return pl.Series(name, [None], dtype=pl.String).new_from_index(0, self.height)
        if self._told is None:
            whole = pl.DataFrame([texts.column(one) for one, (texts, _) in self._texts.items()])
            self._told = whole.select(told(pl.all()))
        return self._told[name]

    def amounts(self, name: str) -> pl.Series:
        """A field as it stands in the payload; `null` where it is absent, also because the profile has no such field."""
        if name not in self._amounts:
            return pl.Series(name, ["null"], dtype=pl.String).new_from_index(0, self.height)
        amounts, key, _ = self._amounts[name]
        return amounts.written(key).alias(name)

    def millionths(self, name: str) -> tuple[pl.Series, pl.Series]:
        """A field as `json_amounts.millionths` gives it; null where the profile has no such field."""
        if name not in self._amounts:
            none = pl.Series([None], dtype=pl.String).new_from_index(0, self.height)
            return none.cast(pl.Int64), none
        return self._numbers.millionths(self._amounts[name][1])


class _Member:
    """One member of a shape, or one within another."""

    def __init__(self, path: str) -> None:
        self._steps = list(map(own_name, path.split(".")))
        self._get = attrgetter(".".join(self._steps))

    def of(self, records: _Records, absent: Any) -> list[Any]:
        """It of every record; `absent` where what should hold it is null."""
        try:
            return list(map(self._get, records))
        except AttributeError:
            return [self._followed(one, absent) for one in records]

    def _followed(self, record: Any, absent: Any) -> Any:
        for step in self._steps:
            if record is None:
                return absent
            record = getattr(record, step)
        return record


class Opened:
    """A batch of orders in tables; `decoded` holds troubles by position, `lost` the positions of orders nothing could be read of."""

    def __init__(self, shapes: Shapes) -> None:
        self.decoded: Decoded[Any] = Decoded([], {})
        self.lost: list[int] = []
        self.orders = Table(shapes, "orders", Amounts())


def open_orders(raw: pl.DataFrame, shapes: Shapes) -> Opened:
    """Landed orders by the fields of a profile."""
    opened = Opened(shapes)
    orders = opened.orders
    shape, first = shapes.shape("orders"), shapes.shape("orders", loose=False)
    nothing = shape()
    payloads, problems = raw["payload"].cast(pl.Binary), raw["problem"]
    for start in range(0, raw.height, BLOCK):
        found = decode(
            payloads.slice(start, BLOCK).to_list(), problems.slice(start, BLOCK).to_list(), shape, first=first
        )
        for nth, troubles in found.troubles.items():
            opened.decoded.troubles[start + nth] = troubles
            if found.objects[nth] == nothing:
                opened.lost.append(start + nth)
        orders.take(found.objects)
        if start % FLUSHED < BLOCK:
            orders.flush()
    orders.flush()
    return opened
