"""The reconciliation as a whole: two tie-outs, their bridge, what is open, and the proof that it foots."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.reconcile.ageing import Subledger, aged, subledger
from transforms.reconcile.budget import tolerated_of
from transforms.reconcile.footing import footing, totals_of
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched, match
from transforms.reconcile.orders import COLUMNS as ORDER_COLUMNS
from transforms.reconcile.orders import compared_orders
from transforms.reconcile.payments import compared_payments
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid, match_receipts
from transforms.reconcile.result import Result, absorbed_of, out_of_scope_of
from transforms.reconcile.suspects import suspects
from transforms.reconcile.waterfall import waterfall


@dataclass(frozen=True)
class Paired:
    """Which rows of both sides belong together, and the subledger they make. No period is in it: pairs are found over all trade."""

    inputs: Inputs
    matched: Matched
    paid: Paid
    books: Subledger


@dataclass(frozen=True)
class Standing:
    """How both tie-outs stand in a period, and what is open at its end; rows as in `Result`."""

    orders: pl.DataFrame
    payments: pl.DataFrame
    ageing: pl.DataFrame


def paired(inputs: Inputs, policy: Policy) -> Paired:
    """Find what belongs together; the policy's period is not looked at."""
    matched = match(inputs, policy)
    paid = match_receipts(inputs, matched, policy)
    return Paired(inputs, matched, paid, subledger(inputs, matched, paid))


def standing(pairs: Paired, policy: Policy) -> Standing:
    """Judge the pairs in the policy's period, without the bridge and the proofs of `judged`."""
    orders = compared_orders(pairs.inputs, pairs.matched, policy)
    payments = compared_payments(pairs.inputs, pairs.matched, pairs.paid, policy)
    return Standing(orders.select(ORDER_COLUMNS), payments, aged(pairs.books, policy))


def judged(pairs: Paired, policy: Policy) -> Result:
    """Judge the pairs in the policy's period, with everything a reader needs to believe it."""
    inputs, matched, paid, books = pairs.inputs, pairs.matched, pairs.paid, pairs.books
    orders = compared_orders(inputs, matched, policy)
    payments = compared_payments(inputs, matched, paid, policy)
    bridge = waterfall(orders, payments, books, policy)
    ageing = aged(books, policy)
    totals = totals_of(orders, payments)
    proof = footing(inputs, matched, paid, policy, orders, payments, totals, bridge, ageing)
    return Result(
        orders=orders.select(ORDER_COLUMNS),
        payments=payments,
        waterfall=bridge,
        ageing=ageing,
        totals=totals,
        out_of_scope=out_of_scope_of(matched, paid),
        absorbed=absorbed_of(orders, payments),
        footing=proof,
        suspects=suspects(orders, payments, matched, paid, policy),
        tolerated=tolerated_of(orders, payments, matched, inputs, policy),
        matched=matched,
        paid=paid,
    )


def reconcile(inputs: Inputs, policy: Policy) -> Result:
    """Compare what the storefronts say with what Intacct has, orders with invoices and payments with receipts.

    The result is the same for the same rows in any order and for any number of buckets. It raises nothing for differences, of
    whatever kind; `proofs(result)` must be zero throughout before anything of it is published.
    """
    return judged(paired(inputs, policy), policy)
