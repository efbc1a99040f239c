"""Orders of Clarity taken apart, one by one, into the fields a profile names, before any arithmetic.

Each order is read while it is in the processor's cache and then forgotten. Amounts stay the bytes they were written in until a whole
table of them becomes text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
import polars as pl

from transforms.json_amounts import ABSENT
from transforms.json_decoding import Decoded, decode
from transforms.storefronts.cells import FLUSHED, READ, Amounts
from transforms.storefronts.clarity_shapes import (
    AMOUNTS,
    FLAGS,
    ITEMS,
    LISTS,
    Shapes,
    own_name,
    texts_of_flags,
    told,
    written_texts,
)

_WHOLE: Final = pl.UInt32


class Table:
    """The records of one group by fields, each with the number of the record that holds it, and the tables of its lists."""

    def __init__(self, shapes: Shapes, group: str) -> None:
        of = {
            name: path
            for name, path in shapes.fields.get(group, {}).items()
            if not (group in ITEMS.values() and name.startswith("item_"))
        }
        lists, money = LISTS.get(group, {}), (*AMOUNTS.get(group, ()), *FLAGS)
        self.lists = {name: Table(shapes, inner) for name, inner in lists.items()}
        self.height = 0
        self._texts = [name for name in of if name not in lists and name not in money]
        self._money = [name for name in of if name in money]
        self._text_paths = [_path(of[name]) for name in self._texts]
        self._money_paths = [_path(of[name]) for name in self._money]
        self._texts_of, self._amounts_of = _getter(self._text_paths), _getter(self._money_paths)
        paths = [(table.read, _path(of[name])) for name, table in self.lists.items() if name in of]
        self._lists_of = [(read, path, attrgetter(path)) for read, path in paths]
        self._cells: list[Any] = []
        self._amounts = Amounts(self._money)
        # One field is a value, several are a tuple of them.
        self._put_texts = self._cells.append if len(self._texts) == 1 else self._cells.extend
        self._put_amounts = (
            self._amounts.cells.append if len(self._money) == 1 else self._amounts.cells.extend
        )
        self._parts: dict[str, list[pl.Series]] = {name: [] for name in self._texts}
        self._holders: list[int] = []
        self._read: pl.DataFrame | None = None

    def read(self, holder: int, record: msgspec.Struct) -> None:
        """Take one record apart; `holder` is the number of what holds it."""
        number = self.height
        self.height = number + 1
        self._holders.append(holder)
        try:
            self._put_texts(self._texts_of(record))
        except AttributeError:  # a null where an object may stand
            self._cells.extend([_follow(path, record, None) for path in self._text_paths])
        try:
            self._put_amounts(self._amounts_of(record))
        except AttributeError:
            self._amounts.cells.extend([_follow(path, record, ABSENT) for path in self._money_paths])
        for read, path, of in self._lists_of:
            try:
                some = of(record)
            except AttributeError:
                some = _follow(path, record, None)
            if some.__class__ is tuple:
                for one in some:
                    read(number, one)

    def let_go(self) -> None:
        """Copy amounts out of the payloads they were read from."""
        self._amounts.flush()
        for table in self.lists.values():
            table.let_go()

    def flush(self) -> None:
        """Turn what has been read into columns."""
        self._amounts.flush()
        width = len(self._texts)
        for nth, name in enumerate(self._texts):
            self._parts[name].append(written_texts(name, self._cells[nth::width]))
        self._cells.clear()
        for table in self.lists.values():
            table.flush()

    def holders(self, name: str) -> pl.Series:
        """The number of what holds each record."""
        return pl.Series(name, self._holders, dtype=_WHOLE)

    def text(self, name: str) -> pl.Series:
        """A field as text; null where it is absent or empty, and where it is a list or an object."""
        if name in FLAGS:
            return texts_of_flags(self.amounts(name)).alias(name)
        if not self._parts.get(name):
            return pl.Series(name, [None] * self.height, dtype=pl.String)
        return told(pl.concat(self._parts[name], rechunk=True))

    def amounts(self, name: str) -> pl.Series:
        """A field as it stands in the payload; `null` where it is absent, also because the profile has no such field."""
        if self._read is None:
            self._read = self._amounts.frame()
        if name not in self._money:
            return pl.Series(name, ["null"], dtype=pl.String).new_from_index(0, self.height)
        return self._read[name]


class Opened:
    """A batch of orders in tables; `decoded` holds troubles by position, `lost` the positions of orders nothing could be read of."""

    def __init__(self, shapes: Shapes) -> None:
        self.decoded: Decoded[Any] = Decoded([], {})
        self.lost: list[int] = []
        self.orders = Table(shapes, "orders")


def open_orders(raw: pl.DataFrame, shapes: Shapes) -> Opened:
    """Landed orders by the fields of a profile."""
    opened = Opened(shapes)
    orders = opened.orders
    shape, first = shapes.shape("orders"), shapes.shape("orders", loose=False)
    nothing = shape()
    for start in range(0, raw.height, READ):
        some = raw.slice(start, READ)
        found = decode(some["payload"].to_list(), some["problem"].to_list(), shape, first=first)
        for nth, troubles in found.troubles.items():
            opened.decoded.troubles[start + nth] = troubles
            if found.objects[nth] == nothing:
                opened.lost.append(start + nth)
        for at, one in enumerate(found.objects, start=start):
            orders.read(at, one)
        orders.let_go()
        if start % FLUSHED == 0:
            orders.flush()
    orders.flush()
    return opened


def _path(path: str) -> str:
    return ".".join(map(own_name, path.split(".")))


def _getter(paths: Sequence[str]) -> Callable[[Any], Any]:
    return attrgetter(*paths) if paths else lambda _: ()


def _follow(path: str, record: Any, absent: Any) -> Any:
    """A member, or one within another; `absent` where what should hold it is null."""
    for step in path.split("."):
        if record is None:
            return absent
        record = getattr(record, step)
    return record
