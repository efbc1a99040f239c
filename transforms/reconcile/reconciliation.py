"""The reconciliation as a whole: two tie-outs, their bridge, what is open, and the proof that it foots.

It is made in parts (see `parts`): each part is matched, compared and judged by itself. What needs all parts comes after and looks at
little: the tolerance used up per currency, proposals between what is open, probable double postings, sums. A part's frames are small
enough for a processor's caches and for bounded memory, and the result is the same for any number of parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from transforms.reconcile import decided
from transforms.reconcile.ageing import Subledger, aged, open_items, subledger
from transforms.reconcile.budget import accepted_of, tolerated_of
from transforms.reconcile.footing import footing, sums_of, totalled, totals_of
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched, match, matched_of, names_only
from transforms.reconcile.orders import COLUMNS as ORDER_COLUMNS
from transforms.reconcile.orders import order_rows, settled_orders
from transforms.reconcile.parts import parted
from transforms.reconcile.payments import payment_rows, settled_payments
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import over_budget, without_tolerance
from transforms.reconcile.proposals import open_sides, proposals
from transforms.reconcile.receipts import Paid, match_receipts, paid_of, payment_names_only
from transforms.reconcile.result import Result, absorbed_of, out_of_scope, out_of_scope_of
from transforms.reconcile.suspects import Posted, narrowed, posted_of, strays_of, suspects
from transforms.reconcile.waterfall import steps_of, steps_of_books, waterfall


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
    """How both tie-outs stand in a period, and what is open at its end; rows as in `Result`."""

    orders: pl.DataFrame
    payments: pl.DataFrame
    ageing: pl.DataFrame


@dataclass(frozen=True)
class Rows:
    """What a part comes to by itself, as far as it can be told: rows of both tie-outs, what tolerance accepted, what is open."""

    orders: pl.DataFrame
    payments: pl.DataFrame
    accepted: pl.DataFrame
    items: pl.DataFrame
    last: date | None


@dataclass(frozen=True)
class Piece:
    """What a part gives to every sum, beside its rows, and who belongs to whom in it."""

    steps: pl.DataFrame
    sums: pl.DataFrame
    outside: pl.DataFrame
    posted: Posted
    found: tuple[Matched, Paid]


@dataclass(frozen=True)
class Across:
    """What only all parts together say: currencies whose tolerance is used up, by tie-out; proposals; decisions by tie-out."""

    refused: dict[str, list[str]]
    offers: pl.DataFrame
    decisions: dict[str, pl.DataFrame]


def reconcile(inputs: Inputs, policy: Policy) -> Result:
    """Compare what the storefronts say with what Intacct has, orders with invoices and payments with receipts.

    The result is the same for the same rows in any order and for any number of buckets. It raises nothing for differences, of
    whatever kind; `proofs(result)` must be zero throughout before anything of it is published.
    """
    return _together(
        inputs, (piece_of(pairs_of(part, policy), policy) for part in parted(inputs, policy)), policy
    )


def paired(inputs: Inputs, policy: Policy) -> Paired:
    """Find what belongs together; the policy's period is not looked at."""
    return Paired(inputs, tuple(pairs_of(part, policy) for part in parted(inputs, policy)))


def judged(pairs: Paired, policy: Policy) -> Result:
    """Judge the pairs in the policy's period, with everything a reader needs to believe it."""
    return _together(pairs.inputs, (piece_of(part, policy) for part in pairs.parts), policy)


def standing(pairs: Paired, policy: Policy) -> Standing:
    """Judge the pairs in the policy's period, without the bridge and the proofs of `judged`."""
    parts = [rows_of(part, policy) for part in pairs.parts]
    across = across_of(pairs.inputs, parts, policy)
    done = [settled(part, across) for part in parts]
    return Standing(
        _ordered([one for one, _ in done]).select(ORDER_COLUMNS),
        _by_group([one for _, one in done]),
        _aged(parts, policy),
    )


def pairs_of(inputs: Inputs, policy: Policy) -> Pairs:
    """Find what belongs together in one part."""
    matched = match(inputs, policy)
    paid = match_receipts(inputs, matched, policy)
    return Pairs(inputs, matched, paid, subledger(inputs, matched, paid))


def rows_of(pairs: Pairs, policy: Policy) -> Rows:
    """Compare and judge one part."""
    orders = order_rows(pairs.inputs, pairs.matched, policy)
    payments = payment_rows(pairs.inputs, pairs.matched, pairs.paid, policy)
    accepted = accepted_of(orders, payments, pairs.matched, pairs.inputs)
    return Rows(orders, payments, accepted, *open_items(pairs.books, policy))


def piece_of(pairs: Pairs, policy: Policy) -> tuple[Rows, Piece]:
    """Compare and judge one part, and sum it up."""
    rows = rows_of(pairs, policy)
    matched, paid = pairs.matched, pairs.paid
    return rows, Piece(
        steps=steps_of_books(pairs.books, policy),
        sums=sums_of(pairs.inputs, matched, paid, policy, rows.orders, rows.payments),
        outside=out_of_scope_of(matched, paid),
        posted=posted_of(rows.orders, rows.payments, matched, paid),
        found=(names_only(matched), payment_names_only(paid)),
    )


def _together(inputs: Inputs, parts: Iterable[tuple[Rows, Piece]], policy: Policy) -> Result:
    rows, pieces = [], []
    for one, piece in parts:
        rows.append(one)
        pieces.append(piece)
    across = across_of(inputs, rows, policy)
    ageing = _aged(rows, policy)
    tolerated = tolerated_of(_still_accepted(rows, across), policy)
    done = [settled(one, across) for one in rows]
    # Rows are the largest thing in memory; each list is let go as soon as the next is made of it.
    rows.clear()
    steps = pl.concat([*(steps_of(*one, policy) for one in done), *(piece.steps for piece in pieces)])
    totals = totalled(totals_of(*one) for one in done)
    ours, theirs = [one for one, _ in done], [one for _, one in done]
    done.clear()
    orders = _ordered([one.select(ORDER_COLUMNS) for one in ours])
    ours.clear()
    payments = _by_group(theirs)
    theirs.clear()
    bridge = waterfall(steps)
    return Result(
        orders=orders,
        payments=payments,
        waterfall=bridge,
        ageing=ageing,
        totals=totals,
        out_of_scope=out_of_scope(piece.outside for piece in pieces),
        absorbed=absorbed_of(orders, payments),
        footing=footing(pl.concat(piece.sums for piece in pieces), totals, bridge, ageing),
        suspects=suspected([piece.posted for piece in pieces], policy),
        tolerated=tolerated,
        found=tuple(piece.found for piece in pieces),
    )


def across_of(inputs: Inputs, parts: Sequence[Rows], policy: Policy) -> Across:
    """Look across all parts, at what is left over in them."""
    decisions = {tie_out: decided.standing(inputs, tie_out) for tie_out in ("orders", "payments")}
    lenient = pl.concat(part.accepted for part in parts)
    refused = {
        tie_out: over_budget(lenient.filter(pl.col("tie_out") == tie_out), policy.tolerance)
        for tie_out in ("orders", "payments")
    }
    sides = [open_sides(without_tolerance(part.orders, refused["orders"])) for part in parts]
    offers = proposals(pl.concat(one for one, _ in sides), pl.concat(one for _, one in sides), policy)
    return Across(refused, offers, decisions)


def settled(part: Rows, across: Across) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of both tie-outs of a part in the light of all parts; orders with the columns the waterfall reads."""
    orders = settled_orders(part.orders, across.refused["orders"], across.offers, across.decisions["orders"])
    return orders, settled_payments(part.payments, across.refused["payments"], across.decisions["payments"])


def suspected(parts: Sequence[Posted], policy: Policy) -> pl.DataFrame:
    """recon.suspects, looked for in all parts together."""
    strays = pl.concat(strays_of(part) for part in parts).unique()
    near = [narrowed(part, strays) for part in parts]
    return suspects(pl.concat(one for one, _ in near), pl.concat(one for _, one in near), policy)


def _aged(parts: Sequence[Rows], policy: Policy) -> pl.DataFrame:
    lasts = [part.last for part in parts if part.last is not None]
    return aged(pl.concat(part.items for part in parts), max(lasts, default=None), policy)


def _still_accepted(parts: Sequence[Rows], across: Across) -> pl.DataFrame:
    gone = pl.any_horizontal(
        pl.lit(False), *((pl.col("tie_out") == name) & pl.col("currency").is_in(refused) for name, refused in across.refused.items())
    )  # fmt: skip
    return pl.concat(part.accepted for part in parts).filter(~gone)


def _ordered(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of orders by group, entity and currency, then documents without an order likewise; each part is in this order already."""
    if len(parts) == 1:
        return parts[0]
    rows = pl.concat(parts)
    orphan = pl.col("storefront") == ""
    return pl.concat(rows.filter(which).sort("group_ref", maintain_order=True) for which in (~orphan, orphan))


def _by_group(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of payments by group, entity and currency; each part's groups are in this order already."""
    return pl.concat(parts).sort("group_ref", maintain_order=True)
