"""The reconciliation as a whole: two tie-outs, their bridge, what is open, and the proof that it foots."""

from __future__ import annotations

from transforms.reconcile.ageing import aged, subledger
from transforms.reconcile.budget import tolerated_of
from transforms.reconcile.footing import footing, totals_of
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import match
from transforms.reconcile.orders import COLUMNS as ORDER_COLUMNS
from transforms.reconcile.orders import compared_orders
from transforms.reconcile.payments import compared_payments
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import match_receipts
from transforms.reconcile.result import Result, absorbed_of, out_of_scope_of
from transforms.reconcile.suspects import suspects
from transforms.reconcile.waterfall import waterfall


def reconcile(inputs: Inputs, policy: Policy) -> Result:
    """Compare what the storefronts say with what Intacct has, orders with invoices and payments with receipts.

    The result is the same for the same rows in any order and for any number of buckets. It raises nothing for differences, of
    whatever kind; `proofs(result)` must be zero throughout before anything of it is published.
    """
    matched = match(inputs, policy)
    orders = compared_orders(inputs, matched, policy)
    paid = match_receipts(inputs, matched, policy)
    payments = compared_payments(inputs, matched, paid, policy)
    books = subledger(inputs, matched, paid)
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
