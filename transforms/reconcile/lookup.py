"""Keys of all rows together, looked up slice by slice: which row has a key first, and which rows have one that another has already.

`numbered.row_of` makes its table for one question and lets it go; here it is made once and asked for every slice of the rows that look.
A key is a hash already, so its first bits are its place in a table of row numbers. Where two keys share a place, the second is put into
a further table, by a hash of the hash, and so on until none is left. It holds 21 to 29 bytes a key and nothing for those who look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import polars as pl

from transforms.reconcile.hashes import HOME
from transforms.reconcile.intake import Inputs
from transforms.reconcile.numbered import NOTHING

SLICE = 250_000
"""Rows worked on at a time, so that what is needed on the way is small beside the tables."""
ROOM: Final = 1
"""Bits of places beyond what the keys need: with one, at most two keys in nine share their place with an earlier one."""
_ROW: Final = pl.UInt32


@dataclass(frozen=True)
class _Level:
    """One table of row numbers; `salt` is what keys are hashed with for it, None for keys as they are."""

    table: pl.Series
    bits: int
    salt: int | None

    def read(self, keys: pl.Series) -> pl.Series:
        """The row that each key's place holds, or `NOTHING`."""
        return self.table[_places(keys, self.bits, self.salt)]


class Lookup:
    """Rows by a key of 64 bits, evenly spread. Null keys are found nowhere.

    `again`: (row, first): rows whose key an earlier row has, and the first row that has it.
    """

    def __init__(self, keys: pl.Series) -> None:
        self.keys = keys.rechunk()
        self._levels: list[_Level] = []
        again = [pl.DataFrame(schema={"row": _ROW, "first": _ROW})]
        rows = pl.int_range(len(self.keys), dtype=_ROW, eager=True)
        if self.keys.null_count():
            rows = rows.filter(self.keys.is_not_null())
        while len(rows):
            rows, more = self._add(rows)
            again.append(more)
        self.again = pl.concat(again)

    def _add(self, rows: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
        """Put rows into one more table. The rows that found their place taken by another key, and those whose key was there."""
        bits = max(len(rows), 128).bit_length() + ROOM
        table = pl.Series("row", [NOTHING], dtype=_ROW).new_from_index(0, 1 << bits)
        salt = len(self._levels) or None
        pieces = list(_slices(rows))
        for at in reversed(pieces):
            # Of several writes to a place the last stays, which is that of the first row.
            places = _places(self._keys_of(at), bits, salt)
            table = table.scatter(places.reverse(), at.reverse())
        level = _Level(table, bits, salt)
        self._levels.append(level)
        behind, again = [rows.clear()], []
        for at in pieces:
            keys = self._keys_of(at)
            holder = level.read(keys)
            late = (holder != at).arg_true()
            mine, holder = at[late], holder[late]
            same = self.keys[holder] == keys[late]
            behind.append(mine.filter(~same))
            again.append(pl.DataFrame({"row": mine.filter(same), "first": holder.filter(same)}))
        return pl.concat(behind), pl.concat(again)

    def _keys_of(self, rows: pl.Series) -> pl.Series:
        first, last = rows.item(0), rows.item(-1)
        if last - first + 1 == len(rows):
            return self.keys.slice(first, len(rows))
        return self.keys[rows]

    def rows(self, wanted: pl.Series) -> pl.Series:
        """For each wanted key the first row that has it, null where none has. Meant for slices: it needs a few times their size."""
        told = pl.Series("row", [None], dtype=_ROW).new_from_index(0, len(wanted))
        open_ = None
        keys = wanted.drop_nulls()
        if len(keys) < len(wanted):
            open_ = wanted.is_not_null().arg_true()
        for level in self._levels:
            found = level.read(keys)
            held = (found != NOTHING).arg_true()
            if len(held) < len(keys):
                # A key whose place is empty is in no further table either.
                found, keys = found[held], keys[held]
                open_ = held if open_ is None else open_[held]
            right = self.keys[found] == keys
            if open_ is None and right.all():
                return found
            if open_ is None:
                open_ = pl.int_range(len(keys), dtype=_ROW, eager=True)
            told = told.scatter(open_.filter(right), found.filter(right))
            wrong = (~right).arg_true()
            if wrong.is_empty():
                break
            keys, open_ = keys[wrong], open_[wrong]
        return told

    def has(self, wanted: pl.Series) -> pl.Series:
        """Whether each wanted key is among the rows; false for null."""
        return self.rows(wanted).is_not_null()


@dataclass(frozen=True)
class Homed:
    """Rows by a key, and the home of each. The table is made when it is first asked for."""

    keys: pl.Series
    homes: pl.Series

    @classmethod
    def of(cls, keys: Sequence[pl.Series], homes: Sequence[pl.Series]) -> Homed:
        """Of pieces, in the order of the rows."""
        return cls(joined(keys), joined(homes))

    @cached_property
    def lookup(self) -> Lookup:
        """The rows by their key."""
        return Lookup(self.keys)

    def of_first(self, wanted: pl.Series) -> pl.Series:
        """For each wanted key the home of the first row that has it, null where none has."""
        return self.homes[self.lookup.rows(wanted)]

    def of_all(self, wanted: pl.Series) -> pl.DataFrame:
        """(i, home): of every row that has the wanted key at position `i`, its home."""
        rows = self.lookup.rows(wanted)
        told = rows.is_not_null().arg_true()
        found = pl.DataFrame({"i": told, "first": rows[told]})
        if self.lookup.again.height:
            more = found.join(self.lookup.again, on="first").select("i", first="row")
            found = pl.concat([found, more])
        return found.select("i", home=self.homes[found["first"]])

    @property
    def ties(self) -> pl.DataFrame:
        """(home, other): homes of rows that have one key."""
        again = self.lookup.again
        return pl.DataFrame({"home": self.homes[again["row"]], "other": self.homes[again["first"]]})


def joined(pieces: Sequence[pl.Series]) -> pl.Series:
    """Homes or keys of several slices as one; none where there are no slices."""
    return pl.concat(pieces, rechunk=True) if pieces else pl.Series("home", [], HOME)


def slices_of(
    inputs: Inputs,
    name: str,
    columns: Mapping[str, pl.Expr],
    where: pl.Expr | None = None,
    first: Mapping[str, pl.Expr] = MappingProxyType({}),
) -> Iterator[pl.DataFrame]:
    """Columns made of an input's rows, in their order, slice by slice; all at once of what is in memory or absent.

    `first`: columns that those are made of, where an expression would else be worked out several times.
    """
    rows = inputs.lazily(name)
    rows = (rows if where is None else rows.filter(where)).with_columns(**first).select(**columns)
    if isinstance(getattr(inputs, name), pl.LazyFrame):
        yield from rows.collect_batches(chunk_size=SLICE, maintain_order=True)
    else:
        yield rows.collect(engine="streaming")


def _slices(rows: pl.Series) -> Iterator[pl.Series]:
    for start in range(0, len(rows), SLICE):
        yield rows.slice(start, SLICE)


def _places(keys: pl.Series, bits: int, salt: int | None) -> pl.Series:
    mixed = pl.col("key") if salt is None else pl.col("key").hash(salt)
    return keys.to_frame("key").select((mixed // (1 << (64 - bits))).cast(_ROW)).to_series()
