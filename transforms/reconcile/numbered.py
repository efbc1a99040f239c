"""Rows found by a key without a hash join: a table says at which row a key is.

Orders, documents, payments, receipts and their groups are numbered from zero in every part, and comparison keys are those numbers times
the few places that occur. Such a number is itself the place in the table. Any other key (a text, a number far from zero) is put where the
first bits of its hash say; what is found there is held against the key itself, and the few that share a place are joined. For a million
rows of short texts or hashes that costs a quarter to a third of a join, for numbers less. Tables cost two thousandths of a second however
short they are, so a few thousand rows are joined, and a few hundred are looked up in a dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

SPREAD: Final = 32
"""How many times longer than the rows a table of numbers may be."""
ROOM: Final = 3
"""Bits of places beyond what the keys need: with three, one key in twelve shares its place with another."""

FEW = 800
"""Rows, wanted and known together, up to which a dictionary is asked: planning any query takes longer."""
SOME = 30_000
"""Rows up to which they are joined: making tables takes longer."""

NOTHING: Final = 2**32 - 1
"""Stands in a table where no row is; a table without nulls is read at a quarter of the cost of one with them."""


def row_of(known: pl.Series, wanted: pl.Series) -> pl.Series:
    """For each wanted key the row of `known` that has it (the first, if several have), null where none has. Both of one type."""
    count = len(known) + len(wanted)
    if count <= FEW:
        return _in_dictionary(known, wanted)
    rows = None
    if known.null_count():
        rows = known.is_not_null().arg_true()
        known = known.filter(known.is_not_null())
    if known.is_empty():
        return _nowhere(len(wanted))
    known, wanted = known.rename("key"), wanted.rename("key")
    found = _by_number(known, wanted)
    if found is None:
        found = _joined(known, wanted) if count <= SOME else _spread(known).rows_of(wanted)
    return found if rows is None else rows[found]


def _in_dictionary(known: pl.Series, wanted: pl.Series) -> pl.Series:
    """`row_of` for a few rows: a loop over them, which takes a tenth of the time of any query."""
    keys = known.to_list()
    # Of several entries the last stays, which is that of the first row.
    at = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    at.pop(None, None)
    return pl.Series("row", list(map(at.get, wanted.to_list())), dtype=pl.UInt32)


def _joined(known: pl.Series, wanted: pl.Series) -> pl.Series:
    """`row_of` for some rows."""
    rows = known.to_frame().with_row_index("row")
    found = wanted.to_frame().join(rows, on="key", how="left", maintain_order="left")
    if found.height > len(wanted):
        first = rows.unique("key", keep="first", maintain_order=True)
        found = wanted.to_frame().join(first, on="key", how="left", maintain_order="left")
    return found["row"]


def _by_number(known: pl.Series, wanted: pl.Series) -> pl.Series | None:
    """`row_of` for keys that are places in a table; None where they are not, or the table would be too long."""
    if not known.dtype.is_integer():
        return None
    ends = [end for one in (known, wanted) for end in (one.min(), one.max()) if isinstance(end, int)]
    if min(ends) < 0 or max(ends) >= SPREAD * (len(known) + len(wanted)):
        return None
    found = _table(known, max(ends) + 1)[wanted.cast(pl.UInt32)]
    nowhere = found == NOTHING
    return (found.set(nowhere, None) if nowhere.any() else found).rename("row")


def pairs_of(known: pl.Series, wanted: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Every pair of equal keys: rows of `wanted`, and beside each a row of `known`, in no order. Nulls are equal to nothing."""
    if len(wanted) * 4 < len(known) and len(wanted):
        # What is looked at from the shorter side needs no table of the longer one.
        at, by = pairs_of(wanted, known)
        return by, at
    rows = pl.int_range(len(known), dtype=pl.UInt32, eager=True)
    known, wanted = known.rename("key"), wanted.rename("key")
    if len(known) + len(wanted) > SOME:
        if known.null_count():
            there = known.is_not_null()
            rows, known = rows.filter(there), known.filter(there)
        if not known.is_empty():
            spread = _spread(known)
            if not spread.has_repeats():
                found = spread.rows_of(wanted)
                return found.is_not_null().arg_true(), rows[found.drop_nulls()]
    asked = wanted.to_frame().with_row_index("wanted")
    pairs = asked.join(pl.DataFrame([known, rows.rename("known")]), on="key")
    return pairs["wanted"], pairs["known"]


@dataclass(frozen=True)
class _Spread:
    """Keys without nulls, each at the place that the first bits of its hash say. `behind`: those whose place another key has."""

    keys: pl.Series
    bits: int
    places: pl.Series
    table: pl.Series
    behind: pl.Series

    def rows_of(self, wanted: pl.Series) -> pl.Series:
        """For each wanted key the first row that has it."""
        asked = wanted.to_frame().select("key", at=pl.lit(self.table).gather(_place(self.bits)))
        there = pl.col("at") != NOTHING
        same = pl.lit(self.keys.rechunk()).gather(pl.when(there).then("at").otherwise(0)) == pl.col("key")
        asked = asked.select("key", "at", there=there, right=(there & same).fill_null(False))
        told = asked.select(pl.when("right").then("at").alias("row")).to_series()
        if self.behind.any():
            # Another key has their place; of one key the first row, as before.
            others = pl.DataFrame(
                [self.keys, pl.int_range(len(self.keys), dtype=pl.UInt32, eager=True).alias("row")]
            )
            others = others.filter(self.behind).unique("key", keep="first", maintain_order=True)
            open_ = asked.select((pl.col("there") & ~pl.col("right")).arg_true()).to_series()
            more = asked.select("key")[open_].join(others, on="key", how="left", maintain_order="left")
            told = told.scatter(open_, more["row"])
        return told

    def has_repeats(self) -> bool:
        """Whether a key stands in several rows: then all but its first are behind something."""
        late = self.keys.filter(self.behind)
        before = self.keys[self.table[self.places.filter(self.behind)]]
        return bool((late == before).any()) or bool(late.is_duplicated().any())


def _spread(keys: pl.Series) -> _Spread:
    bits = len(keys).bit_length() + ROOM
    places = keys.to_frame().select(_place(bits)).to_series()
    table = _table(places, 1 << bits)
    at = pl.int_range(len(keys), dtype=pl.UInt32, eager=True)
    return _Spread(keys, bits, places, table, table[places] != at)


def _place(bits: int) -> pl.Expr:
    return (pl.col("key").hash() // (1 << (64 - bits))).cast(pl.UInt32)


def _table(places: pl.Series, count: int) -> pl.Series:
    """The row that is put at each of `count` places (of several the first), and `NOTHING` elsewhere."""
    nothing = pl.Series("row", [NOTHING], dtype=pl.UInt32).new_from_index(0, count)
    # Of several writes to a place the last stays.
    rows = pl.int_range(len(places), dtype=pl.UInt32, eager=True)
    return nothing.scatter(places.reverse(), rows.reverse())


def _nowhere(count: int) -> pl.Series:
    return pl.Series("row", [None], dtype=pl.UInt32).new_from_index(0, count)


def looked_up(rows: pl.DataFrame, found: pl.DataFrame, on: str | list[str]) -> pl.DataFrame:
    """A left join that keeps the rows as they are: only the key columns travel, not the wide frame. `found` is unique by key."""
    keys = [on] if isinstance(on, str) else on
    more = [name for name in found.columns if name not in keys]
    if rows.is_empty():
        return rows.hstack(found[more].clear())
    if found.is_empty():
        kinds = found.schema
        if rows.height <= FEW:
            nothing = (pl.Series(name, [None], dtype=kinds[name]) for name in more)
            return rows.hstack([one.new_from_index(0, rows.height) for one in nothing])
        return rows.with_columns(pl.lit(None, kinds[name]).alias(name) for name in more)
    if isinstance(on, str):
        return rows.hstack(found[more].rechunk()[row_of(found[on], rows[on])])
    return rows.hstack(rows[keys].join(found, on=on, how="left", maintain_order="left")[more])


def put(rows: pl.DataFrame, at: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """Rows with other values in the columns of `found`, whose rows go to the positions `at`: for a few rows cheaper than choosing in all."""
    if not len(at):
        return rows
    return rows.with_columns(rows[name].clone().scatter(at, found[name]) for name in found.columns)


def among(numbers: pl.Series, count: int) -> pl.Series:
    """Whether each number from zero to before `count` is among these; nulls are none."""
    there = numbers.drop_nulls() if numbers.null_count() else numbers
    return pl.Series("among", [False]).new_from_index(0, count).scatter(there, True)


def repeated(numbers: pl.Series) -> bool:
    """Whether a number stands there twice; to see that costs a tenth of saying of each number whether it does."""
    last = numbers.max()
    return isinstance(last, int) and among(numbers, last + 1).sum() < len(numbers)


def left_over(rows: pl.DataFrame, gone: pl.DataFrame, on: str) -> pl.DataFrame:
    """Rows whose number is not among the gone ones, as they stand."""
    if gone.is_empty() or rows.is_empty():
        return rows
    gone_at = row_of(gone[on], rows[on])
    return rows if gone_at.null_count() == rows.height else rows.filter(gone_at.is_null())


def all_of(*columns: pl.Series) -> pl.Series:
    """Every number of the columns once, in order."""
    every = pl.concat(columns)
    least, last = every.min(), every.max()
    if every.null_count() or not isinstance(least, int) or not isinstance(last, int):
        return every.unique().sort()
    if least < 0 or last >= SPREAD * len(every):
        return every.unique().sort()
    occurs = pl.Series(every.name, [False]).new_from_index(0, last + 1).scatter(every, True)
    return occurs.arg_true().cast(every.dtype)


def by_place(rows: pl.DataFrame, place: pl.Series, count: int, *summed: pl.Expr) -> pl.DataFrame:
    """One row for each of `count` places: the row that is there; of several what `summed` makes of them; of none nulls, and of amounts
    and counts (Int64) 0.

    A place with one row takes it as it is, so `summed` must leave a single row alone, and amounts and counts may not be null.
    """
    every = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
    # Without a null in the table, columns without nulls are picked at a quarter of the cost.
    none = pl.DataFrame(
        {name: [0 if kind == pl.Int64 else None] for name, kind in rows.schema.items()}, schema=rows.schema
    )
    table = pl.Series("row", [rows.height], dtype=pl.UInt32).new_from_index(0, count).scatter(place, every)
    shared = place.filter(table[place] != every)
    found = [rows, none]
    if len(shared):
        at = among(shared, count)[place].arg_true()
        several = rows[at].hstack([place[at].alias("place")])
        sums = several.group_by("place").agg(summed).select("place", *rows.columns)
        after = pl.int_range(rows.height + 1, rows.height + 1 + sums.height, dtype=pl.UInt32, eager=True)
        table = table.scatter(sums["place"], after)
        found.append(sums.drop("place"))
    return pl.concat(found, rechunk=True)[table]
