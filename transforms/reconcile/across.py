"""What only all parts together can say of a row: the tolerance of a currency used up, proposals between what is open, and decisions.

Few rows can be touched by it. They wait for the last part; all others are final as soon as their part is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from transforms.reconcile import decided
from transforms.reconcile.budget import accepted_of
from transforms.reconcile.intake import Frame, Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.orders import settled_orders
from transforms.reconcile.payments import settled_payments
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import over_budget
from transforms.reconcile.proposals import open_sides, proposals

TIE_OUTS: Final = ("orders", "payments")
_OPEN: Final = ("missing_invoice", "missing_order")


@dataclass(frozen=True)
class Across:
    """`refused`: currencies whose tolerance is used up; `offers`: proposals; `decisions`: those that stand, by tie-out.

    `orders`, `documents`: both sides of what is open, which the proposals were made from; without rows where that was not looked at.
    """

    refused: Mapping[str, Sequence[str]]
    offers: pl.DataFrame
    decisions: Mapping[str, pl.DataFrame]
    orders: pl.DataFrame = field(default_factory=pl.DataFrame)
    documents: pl.DataFrame = field(default_factory=pl.DataFrame)


def said_by_hand(decisions: Frame | None) -> dict[str, pl.DataFrame]:
    """The decisions that stand, by tie-out."""
    nothing = pl.DataFrame()
    inputs = Inputs(orders=nothing, owed=nothing, decisions=decisions)
    return {tie_out: decided.standing(inputs, tie_out) for tie_out in TIE_OUTS}


def leftovers_of(
    orders: pl.DataFrame, payments: pl.DataFrame, matched: Matched, inputs: Inputs
) -> dict[str, pl.DataFrame]:
    """What rows of a part leave over, by the names of `tally.Tally`: accepted, and both sides of what is open, as judged and without tolerance."""
    left = {"accepted": accepted_of(orders, payments, matched, inputs)}
    lenient = orders.filter(pl.col("outcome_code") == "within_tolerance")
    strict = lenient.with_columns(outcome_code="strict_code")
    for name, rows in (("open", orders), ("strict", strict)):
        left[f"orders_{name}"], left[f"documents_{name}"] = open_sides(rows)
    return left


def seen(left: Mapping[str, pl.DataFrame], said: Mapping[str, pl.DataFrame], policy: Policy) -> Across:
    """Look across all parts, at what is left over in them (see `leftovers_of`)."""
    accepted = left["accepted"]
    refused = {
        tie_out: sorted(
            {
                *over_budget(accepted.filter(pl.col("tie_out") == tie_out), policy.tolerance),
                *policy.used_up_in(tie_out),
            }
        )
        for tie_out in TIE_OUTS
    }
    over = pl.col("currency").is_in(refused["orders"])
    orders, documents = (
        pl.concat([left[f"{side}_open"], left[f"{side}_strict"].filter(over)])
        for side in ("orders", "documents")
    )
    return Across(refused, proposals(orders, documents, policy), said, orders, documents)


def nothing_seen() -> Across:
    """The view of rows that nothing from other parts can touch."""
    offers = pl.DataFrame(
        schema=dict.fromkeys(("group_ref", "entity_code", "currency", "proposal"), pl.String)
    )
    return Across(dict.fromkeys(TIE_OUTS, ()), offers, said_by_hand(None))


def waits(policy: Policy, decisions: pl.DataFrame) -> pl.Expr:
    """Whether a row may change when all parts were seen."""
    codes = [*_OPEN, "within_tolerance"] if policy.tolerance.cap_minor is not None else list(_OPEN)
    groups = decisions["group_ref"].drop_nulls().unique()
    touched = pl.col("outcome_code").is_in(codes)
    if len(groups):
        touched = touched | pl.col("group_ref").is_in(groups.implode())
    return touched.fill_null(False)


def settled(orders: pl.DataFrame, payments: pl.DataFrame, view: Across) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of both tie-outs in the light of all parts; orders with the columns the waterfall reads."""
    refused = {tie_out: list(found) for tie_out, found in view.refused.items()}
    return (
        settled_orders(orders, refused["orders"], view.offers, view.decisions["orders"]),
        settled_payments(payments, refused["payments"], view.decisions["payments"]),
    )


def still_accepted(accepted: pl.DataFrame, view: Across) -> pl.DataFrame:
    """What tolerance accepted in currencies where it is not used up."""
    if not any(view.refused.values()):
        return accepted
    gone = pl.any_horizontal(
        pl.lit(False), *((pl.col("tie_out") == name) & pl.col("currency").is_in(list(refused)) for name, refused in view.refused.items())
    )  # fmt: skip
    return accepted.filter(~gone)
