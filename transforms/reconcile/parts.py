"""A comparison in parts: inputs cut into so many that each can be compared by itself, with the same result for any number of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from transforms.reconcile.homes import BY_IDENTITY, Homes, Shoppers, homes_of, told_by
from transforms.reconcile.intake import Frame, Inputs, Part, read_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.universe import prefixes_of

EVERYWHERE = ("stores", "decisions")
"""Inputs that every part has whole: they are small, and say nothing of a single order."""
BATCH = 120_000_000
"""Bytes read at a time, roughly, where inputs are cut without being held: the more rows, the fewer pieces are laid down for a part."""
_TEXT_BYTES: Final = 24
_COUNTED = ("orders", "owed", "ar_invoices", "ar_receipts")


def parts_of(inputs: Inputs, policy: Policy, most: int | None = None) -> int:
    """Into how many parts the inputs are worth cutting: at least `buckets`, none much larger than `bucket_most` (or `most`), none smaller than
    `bucket_least`."""
    rows = max(_height(getattr(inputs, name)) for name in _COUNTED)
    wanted = max(policy.buckets, -(-rows // (most or policy.bucket_most)))
    return max(1, min(wanted, rows // max(policy.bucket_least, 1)))


def parted(inputs: Inputs, policy: Policy, homes: Homes | None = None) -> Iterator[Inputs]:
    """The inputs part by part. Rows that can meet in any pass of the matching are in the same part; a part may be without rows.

    Where the `homes` of all rows are known and given, rows carry theirs in a column `home`.
    """
    count = parts_of(inputs, policy)
    if count == 1 and homes is None:
        yield inputs
        return
    cut = _cut(inputs, policy, count, homes)
    frames = {name: read_of(getattr(inputs, name), name).collect() for name in cut.places}
    if homes is not None:
        frames = {name: frame.with_columns(homes.of[name].alias("home")) for name, frame in frames.items()}
    for at in range(count):
        yield cut.part(
            at, {name: frame.filter(cut.places[name] == at).rechunk() for name, frame in frames.items()}
        )


def parted_on(inputs: Inputs, policy: Policy, shelf: Shelved) -> Iterator[Inputs]:
    """`parted` for inputs that memory does not hold: they are read in batches of rows, which are laid on a shelf by part and taken from it."""
    count = parts_of(inputs, policy, min(policy.shelved_most, policy.bucket_most))
    if count == 1:
        yield inputs
        return
    prefixes = tuple(prefixes_of(inputs))
    tellers, _ = told_by(inputs, policy)
    customers, shoppers = inputs.customer_ids, None
    # What tells the homes of rows of their own, of lines and of what is of an order is let go one after the other; orders tell their own.
    names = sorted(
        tellers, key=lambda name: (name == "orders", name in BY_IDENTITY, name == "ar_lines", name)
    )
    for name in names:
        tell = tellers.pop(name)
        if name == "orders" and customers is not None:
            shoppers = Shoppers(inputs, count)
        rows, at, laid = read_of(getattr(inputs, name), name), 0, set[int]()
        for batch in batches_of(rows):
            place = (tell(batch, at) % count).cast(pl.UInt16)
            at += batch.height
            laid |= _lay(shelf, name, batch, place)
            if shoppers is not None:
                shoppers.bought(batch, place)
        _lay_nothing(shelf, name, rows, set(range(count)) - laid)
        del tell
    if shoppers is not None and customers is not None:
        names.append("customer_ids")
        rows, laid = read_of(customers, "customer_ids"), set()
        for piece, place in shoppers.placed(batches_of(rows)):
            laid |= _lay(shelf, "customer_ids", piece, place)
        _lay_nothing(shelf, "customer_ids", rows, set(range(count)) - laid)
        del shoppers
    for at in range(count):
        mine = {name: shelf.take(f"input_{name}", at) for name in names}
        yield Part(**{**vars(inputs), **mine, "prefixes": prefixes})


def batches_of(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Rows in their order, as many at a time as come to about `BATCH`; narrow ones are many."""
    kinds = rows.collect_schema().dtypes()
    width = sum(_TEXT_BYTES if kind == pl.String else 8 for kind in kinds)
    yield from rows.collect_batches(chunk_size=max(BATCH // max(width, 1), 1), maintain_order=True)


def _lay(shelf: Shelved, name: str, rows: pl.DataFrame, place: pl.Series) -> set[int]:
    """Lay rows on the shelf, each in its part; the parts that got some."""
    mine = rows.with_columns(place.alias("place"))
    pieces = {
        int(number): piece
        for (number,), piece in mine.partition_by("place", include_key=False, as_dict=True).items()
    }
    for number, piece in pieces.items():
        shelf.put(f"input_{name}", number, piece)
    return set(pieces)


def _lay_nothing(shelf: Shelved, name: str, rows: pl.LazyFrame, parts: set[int]) -> None:
    nothing = pl.DataFrame(schema=rows.collect_schema())
    for number in parts:
        shelf.put(f"input_{name}", number, nothing)


class Shelved(Protocol):
    """What `parted_on` needs of a shelf; see `streams.Shelf`."""

    def put(self, name: str, part: int, frame: pl.DataFrame) -> None:
        """Lay down rows."""

    def take(self, name: str, part: int) -> pl.DataFrame:
        """The rows laid down."""


@dataclass(frozen=True)
class _Cut:
    """Where the rows of each input belong, and what every part has beside its own rows."""

    inputs: Inputs
    places: dict[str, pl.Series]
    prefixes: tuple[str, ...]
    customers: pl.DataFrame | None
    whose: pl.DataFrame

    def part(self, at: int, mine: Mapping[str, Frame]) -> Part:
        whole: dict[str, Any] = {**vars(self.inputs), **mine}
        if self.customers is not None:
            rows = self.whose.filter(pl.col("part") == at)["i"].sort()
            whole["customer_ids"] = self.customers[rows]
        return Part(**{**whole, "prefixes": self.prefixes})


def _cut(inputs: Inputs, policy: Policy, count: int, homes: Homes | None = None) -> _Cut:
    homes = homes_of(inputs, policy) if homes is None else homes
    place = (pl.col("home") % count).cast(pl.UInt16)
    places = {name: column.to_frame("home").select(place).to_series() for name, column in homes.of.items()}
    customers = None
    if inputs.customer_ids is not None:
        customers = read_of(inputs.customer_ids, "customer_ids").collect()
    whose = homes.customers.select("i", part=place).unique()
    return _Cut(inputs, places, tuple(prefixes_of(inputs)), customers, whose)


def _height(frame: Frame | None) -> int:
    if frame is None:
        return 0
    if isinstance(frame, pl.DataFrame):
        return frame.height
    return int(frame.lazy().select(pl.len()).collect().item())
