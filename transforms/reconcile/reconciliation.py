"""The reconciliation as a whole: two tie-outs, their bridge, what is open, and the proof that it foots.

It is made in parts (see `parts`): each part is matched, compared and judged by itself, its rows are handed on, and what it comes to is
counted (see `tally`). What needs all parts comes after and looks at little: the tolerance used up per currency, proposals between what
is open, probable double postings, sums. So memory is bounded by the part, and the result is the same for any number of parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

import polars as pl

from transforms.abreast import abreast
from transforms.reconcile import across
from transforms.reconcile.across import TIE_OUTS, Across
from transforms.reconcile.ageing import Subledger, aged, open_items, subledger
from transforms.reconcile.budget import tolerated_of
from transforms.reconcile.footing import footing, sums_of, totalled, totals_of
from transforms.reconcile.intake import Frame, Inputs
from transforms.reconcile.matching import Matched, match, matched_of, names_only
from transforms.reconcile.orders import COLUMNS as ORDER_COLUMNS
from transforms.reconcile.orders import order_rows
from transforms.reconcile.parts import parted
from transforms.reconcile.payments import payment_rows
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid, match_receipts, paid_of, payment_names_only
from transforms.reconcile.result import Result, Summary, absorbed_of, out_of_scope, out_of_scope_of
from transforms.reconcile.streams import Collected, InMemory, InMind, Shelf, Sink, Source
from transforms.reconcile.suspects import near, papers_of, repeats_of, suspects
from transforms.reconcile.tally import Tally, added, apart, with_more
from transforms.reconcile.universe import places_of
from transforms.reconcile.waterfall import steps_of, steps_of_books, steps_of_legs, waterfall

_STREAMED_ABREAST: Final = 2
"""Parts worked on at a time where memory is to be bounded by them: both processors of a small machine are busy with two."""


@dataclass(frozen=True)
class Pairs:
    """What belongs together in one part, and the subledger it makes."""

    inputs: Inputs
    matched: Matched
    paid: Paid
    books: Subledger


@dataclass(frozen=True)
class Paired:
    """Which rows of both sides belong together, part by part. No period is in it: pairs are found over all trade."""

    inputs: Inputs
    parts: tuple[Pairs, ...]

    @cached_property
    def matched(self) -> Matched:
        """Orders and documents of all parts."""
        return matched_of([part.matched for part in self.parts])

    @cached_property
    def paid(self) -> Paid:
        """Payments and receipts of all parts."""
        return paid_of([part.paid for part in self.parts], [part.matched for part in self.parts])

    @cached_property
    def books(self) -> Subledger:
        """The subledger of all parts."""
        return Subledger(
            pl.concat(part.books.items for part in self.parts),
            pl.concat(part.books.movements for part in self.parts),
        )


@dataclass(frozen=True)
class Standing:
    """How both tie-outs stand in a period, and what is open at its end; rows as in `Result`, `view` as in `Summary`."""

    orders: pl.DataFrame
    payments: pl.DataFrame
    ageing: pl.DataFrame
    view: Across


def reconcile(inputs: Inputs, policy: Policy) -> Result:
    """Compare what the storefronts say with what Intacct has, orders with invoices and payments with receipts, in memory.

    The result is the same for the same rows in any order and for any number of buckets. It raises nothing for differences, of
    whatever kind; `proofs(result)` must be zero throughout before anything of it is published.
    """
    source = InMemory(inputs)
    return _collected(source.parts(policy), source.decisions, policy)


def reconcile_streamed(source: Source, policy: Policy, sink: Sink, shelf: Shelf) -> Summary:
    """`reconcile` for more trade than memory holds: parts come from the source one by one, rows go to the sink, and what cannot be judged
    before every part was seen waits on the shelf.

    The rows handed on are those of `reconcile`, in no order from one call to the next. What is left over in the parts stays in memory:
    what is open, what tolerance accepted, sums. Nothing of it may be published before `proofs(summary)` is zero throughout.
    """
    policy = replace(policy, abreast=min(policy.abreast, _STREAMED_ABREAST))
    return summary(*counted(source.parts(policy), source.decisions, policy, sink, shelf), policy)


def paired(inputs: Inputs, policy: Policy) -> Paired:
    """Find what belongs together; the policy's period is not looked at."""
    find = partial(pairs_of, policy=policy)
    return Paired(inputs, tuple(abreast(find, parted(inputs, policy), policy.abreast)))


def judged(pairs: Paired, policy: Policy) -> Result:
    """Judge the pairs in the policy's period, with everything a reader needs to believe it."""
    return _collected(pairs.parts, pairs.inputs.decisions, policy)


def standing(pairs: Paired, policy: Policy) -> Standing:
    """Judge the pairs in the policy's period, without the bridge and the proofs of `judged`."""
    parts = list(abreast(partial(rows_of, policy=policy), pairs.parts, policy.abreast))
    left = [
        across.leftovers_of(*rows, part.matched, part.inputs)
        for rows, part in zip(parts, pairs.parts, strict=True)
    ]
    every = {name: pl.concat(one[name] for one in left) for name in left[0]}
    view = across.seen(every, across.said_by_hand(pairs.inputs.decisions), policy)
    done = [across.settled(*rows, view) for rows in parts]
    items = [open_items(part.books, policy) for part in pairs.parts]
    return Standing(
        ordered([one.select(ORDER_COLUMNS) for one, _ in done]),
        by_group([one for _, one in done]),
        aged(pl.concat(one for one, _ in items), pl.concat(one for _, one in items), policy),
        view,
    )


def pairs_of(inputs: Inputs, policy: Policy) -> Pairs:
    """Find what belongs together in one part."""
    matched = match(inputs, policy)
    paid = match_receipts(inputs, matched, policy)
    return Pairs(inputs, matched, paid, subledger(inputs, matched, paid))


def rows_of(pairs: Pairs, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare and judge one part: rows of both tie-outs, as far as they can be told without other parts."""
    orders = order_rows(pairs.inputs, pairs.matched, policy)
    return orders, payment_rows(pairs.inputs, pairs.matched, pairs.paid, policy)


@dataclass(frozen=True)
class Looked:
    """Parts that were judged by themselves: what each gave to the tally, and whether rows of it wait for the others."""

    tallies: Sequence[Tally]
    waiting: Sequence[bool]

    @property
    def repeats(self) -> Sequence[pl.DataFrame]:
        """Probable double postings inside an order, part by part."""
        return [one.repeats for one in self.tallies]


def counted(
    parts: Iterable[Inputs | Pairs], decisions: Frame | None, policy: Policy, sink: Sink, shelf: Shelf
) -> tuple[Tally, Across, pl.DataFrame]:
    """Judge the parts and hand their rows on: what they come to, what was seen across them, and documents like a stray (see `suspects.near`)."""
    looked = looked_at(parts, decisions, policy, sink, shelf)
    whole = added(looked.tallies)
    view = across.seen(whole.frames, across.said_by_hand(decisions), policy)
    return finished(looked, view, policy, sink, shelf, whole), view, alike(looked, whole.strays, shelf)


def looked_at(
    parts: Iterable[Inputs | Pairs], decisions: Frame | None, policy: Policy, sink: Sink, shelf: Shelf
) -> Looked:
    """Pair (where that was not done) and judge each part by itself; rows that are final go to the sink, the others to the shelf."""
    judge = partial(_first, policy=policy, said=across.said_by_hand(decisions))
    tallies, waiting = [], []
    for number, seen in enumerate(abreast(judge, parts, policy.abreast)):
        for name, frame in {**seen.papers, **seen.late}.items():
            shelf.put(name, number, frame)
        sink.rows(*seen.sure)
        sink.found(*seen.pairs)
        tallies.append(seen.tally)
        waiting.append(any(frame.height for frame in seen.late.values()))
        del seen  # the next one is made before the name is given to it
    return Looked(tallies, waiting)


def finished(
    looked: Looked, view: Across, policy: Policy, sink: Sink, shelf: Shelf, whole: Tally | None = None
) -> Tally:
    """Judge the rows that waited, in the light of all parts, hand them on, and add up what all rows came to. `whole`: the tallies added up,
    if they are already."""
    whole = added(looked.tallies) if whole is None else whole
    late = [_last(number, policy, view, sink, shelf) for number, waits in enumerate(looked.waiting) if waits]
    return with_more(
        whole, {name: [one[name] for one in late] for name in ("steps", "totals")} if late else {}
    )


def alike(looked: Looked, strays: pl.DataFrame, shelf: Shelf) -> pl.DataFrame:
    """Documents and receipts of the parts that are like a stray of any part."""
    found = []
    for number, repeats in enumerate(looked.repeats):
        if strays.height or not number:
            papers = shelf.take("documents", number), shelf.take("receipts", number)
            found.append(near(*papers, strays, repeats))
    return pl.concat(found)


@dataclass(frozen=True)
class _Seen:
    """A part judged by itself: rows that are final (`sure`) and rows that wait (`late`), its documents and receipts, its tally so far."""

    sure: tuple[pl.DataFrame, pl.DataFrame]
    late: dict[str, pl.DataFrame]
    papers: dict[str, pl.DataFrame]
    pairs: tuple[Matched, Paid]
    tally: Tally


def _first(part: Inputs | Pairs, policy: Policy, said: Mapping[str, pl.DataFrame]) -> _Seen:
    pairs = part if isinstance(part, Pairs) else pairs_of(part, policy)
    inputs, matched, paid, (orders, payments) = (
        pairs.inputs,
        pairs.matched,
        pairs.paid,
        rows_of(pairs, policy),
    )
    waits = {name: across.waits(policy, said[name]) for name in TIE_OUTS}
    late = {"orders": orders.filter(waits["orders"]), "payments": payments.filter(waits["payments"])}
    sure = orders.filter(~waits["orders"]), payments.filter(~waits["payments"])
    done = across.settled(*sure, across.nothing_seen())
    repeats, strays = repeats_of(orders, payments, matched, paid, policy)
    items, days = open_items(pairs.books, policy)
    tally = Tally(
        steps=pl.concat(
            [steps_of_books(pairs.books, policy), steps_of(*done, policy), steps_of_legs(payments)]
        ),
        sums=sums_of(inputs, matched, paid, policy, orders, payments),
        totals=totals_of(*done),
        outside=out_of_scope_of(matched, paid),
        days=days,
        strays=strays,
        places=places_of(inputs),
        items=items,
        repeats=repeats,
        **across.leftovers_of(orders, payments, matched, inputs),
    )
    return _Seen(
        sure=(done[0].select(ORDER_COLUMNS), done[1]),
        late=late,
        papers=papers_of(inputs, matched, paid),
        pairs=(names_only(matched), payment_names_only(paid)),
        tally=apart(tally),
    )


def _last(number: int, policy: Policy, view: Across, sink: Sink, shelf: Shelf) -> dict[str, pl.DataFrame]:
    """Judge and hand on the rows of a part that waited; what they give to the steps and totals."""
    done = across.settled(shelf.take("orders", number), shelf.take("payments", number), view)
    sink.rows(done[0].select(ORDER_COLUMNS), done[1])
    return {"steps": steps_of(*done, policy), "totals": totals_of(*done)}


def summary(tally: Tally, view: Across, like: pl.DataFrame, policy: Policy) -> Summary:
    """What the parts counted come to."""
    ageing = aged(tally.items, tally.days, policy)
    accepted = across.still_accepted(tally.accepted, view)
    bridge, totals = waterfall(tally.steps), totalled([tally.totals])
    return Summary(
        waterfall=bridge,
        ageing=ageing,
        totals=totals,
        out_of_scope=out_of_scope([tally.outside]),
        absorbed=absorbed_of(accepted),
        footing=footing(tally.sums, totals, bridge, ageing),
        suspects=suspects(tally.repeats, like, policy),
        tolerated=tolerated_of(accepted, policy),
        view=view,
    )


def _collected(parts: Iterable[Inputs | Pairs], decisions: Frame | None, policy: Policy) -> Result:
    sink = Collected()
    told = summary(*counted(parts, decisions, policy, sink, InMind()), policy)
    orders = ordered(sink.orders)
    sink.orders.clear()  # rows are the largest thing in memory
    payments = by_group(sink.payments)
    return Result(**vars(told), orders=orders, payments=payments, found=tuple(sink.pairs))


_PLACE = ("group_ref", "entity_code", "currency")
FEW = 1_000
"""Rows up to which they are sorted by all that says their place."""
MANY: Final = 100_000
"""Rows from which on they are put in order column by column."""


def ordered(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of orders by group, entity and currency, then documents without an order likewise."""
    order = _order(parts)
    fronts = pl.concat([part["storefront"] for part in parts], rechunk=True)[order]
    orphan = (fronts == "").fill_null(False)
    return _picked(parts, pl.concat([order.filter(~orphan), order.filter(orphan)]))


def by_group(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of payments by group, entity and currency."""
    return _picked(parts, _order(parts))


def _picked(parts: Sequence[pl.DataFrame], order: pl.Series) -> pl.DataFrame:
    """Rows of the parts in an order. Of many rows one column after the other is put together and picked, two at a time: all of them put
    together would be held once more."""
    if len(order) < MANY:
        return pl.concat(parts, rechunk=True)[order]
    columns = abreast(
        lambda name: pl.concat([part[name] for part in parts], rechunk=True)[order],
        parts[0].columns,
        2,
    )
    return pl.DataFrame(list(columns))


def _order(parts: Sequence[pl.DataFrame]) -> pl.Series:
    """The positions that put rows in order of their place. Nearly every group stands in one place: only of the others is more than its name
    compared, and every part has its names in order, which a sort of one column makes use of: half the cost of sorting the rows."""
    rows = pl.concat([part.select(_PLACE) for part in parts], rechunk=True)
    if rows.height < FEW:
        return rows.with_row_index("at").sort(*_PLACE, "at")["at"]
    order = rows["group_ref"].arg_sort()
    names = rows["group_ref"][order]
    again = (names == names.shift(1)).fill_null(False)
    shared = (again | again.shift(-1).fill_null(False)).arg_true()
    if shared.is_empty():
        return order
    closer = rows.select(*_PLACE, at=pl.int_range(pl.len(), dtype=pl.UInt32))[order[shared]]
    return order.scatter(shared, closer.sort(*_PLACE, "at")["at"])
