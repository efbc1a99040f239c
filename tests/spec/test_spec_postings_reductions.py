"""An order that is reduced and refunded after it was posted is credited once, in whichever order and on whichever night both become known."""

from __future__ import annotations

import polars as pl
import pytest
import trade
from planning import after, nothing, planned

from transforms.postings.planned import Existing, Plan

ORDERS = trade.orders(
    """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | status_code | goods_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | complete    | 3000        | 300       | 3300
    """
)
LINES = trade.lines(
    """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | 2        | 2000      | 200       | NY
    A         | l2       | item      | TEA-1 | 1        | 1000      | 100       | NY
    """
)
CHARGE = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at
    p           | c1              | A         | charge    | 3300         | 2026-10-01 09:05
"""
REFUND = "    p | r1 | A | refund | {} | {}\n"
LOWERED = """
    order_ref | reduction_ref | reduced_at       | currency | amount_minor
    A         | 1             | 2026-10-05 12:00 | USD      | 1100
"""


def known(*, refund: str = "", reduced: bool = False) -> trade.Owed:
    reductions = trade.of("core.reductions", LOWERED) if reduced else None
    return trade.recognised(ORDERS, LINES, None, trade.charges(CHARGE + refund), None, reductions=reductions)


def credited(there: Existing) -> int:
    """What all credit memos ever posted come to."""
    return int(there.documents.filter(pl.col("kind_code") == "credit_memo")["total_minor"].sum())


def night(found: trade.Owed, there: Existing) -> tuple[Existing, Plan]:
    done = planned(found, there, changes="order_ref | changed_on | is_cancelled\nA | 2026-10-20 | no")
    return after(done, "accepted", there, key="1"), done


@pytest.mark.parametrize(
    ("amount", "at", "wanted"),
    [
        (1100, "2026-10-04 10:00", -1100),  # paid back before the order was lowered
        (1500, "2026-10-06 10:00", -1500),  # more than was taken off
        (400, "2026-10-06 10:00", -1100),  # less
    ],
)
def test_both_in_one_night_or_one_after_the_other_credit_the_order_once(
    amount: int, at: str, wanted: int
) -> None:
    refund = REFUND.format(amount, at)
    nights = {
        "together": [known(refund=refund, reduced=True)],
        "reduced first": [known(reduced=True), known(refund=refund, reduced=True)],
        "refunded first": [known(refund=refund), known(refund=refund, reduced=True)],
    }
    for name, found in nights.items():
        there, _ = night(known(), nothing())
        for one in found:
            there, _ = night(one, there)
        assert credited(there) == wanted, name
        _, again = night(found[-1], there)
        assert again.documents.is_empty(), name


def test_several_refunds_and_a_reduction_in_any_order_of_nights() -> None:
    """Three pieces of news, each on a night of its own."""
    first, second = (
        REFUND.format(700, "2026-10-04 10:00"),
        REFUND.format(600, "2026-10-07 10:00").replace("r1", "r2"),
    )
    totals = set()
    for order in (("second", "reduced", "first"), ("first", "second", "reduced")):
        there, _ = night(known(), nothing())
        seen: set[str] = set()
        for one in order:
            seen.add(one)
            refunds = (first if "first" in seen else "") + (second if "second" in seen else "")
            there, _ = night(known(refund=refunds, reduced="reduced" in seen), there)
        totals.add(credited(there))
    assert totals == {-1300}
