"""A total that shrinks after shipping is a credit, not an overpayment; money given back for it owes no second credit."""

from __future__ import annotations

import polars as pl
import pytest
import trade
from drawn import shown
from hypothesis import given, settings
from hypothesis import strategies as st

ORDERS = trade.orders(
    """
    order_ref | order_number | placed_at        | shipped_at       | status_code | goods_minor | tax_minor | total_minor
    A         | W1           | 2026-10-01 09:00 | 2026-10-02 12:00 | complete    | 3000        | 300       | 3300
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
LOWERED = """
    order_ref | reduction_ref | reduced_at       | currency | amount_minor
    A         | 1             | 2026-10-05 12:00 | USD      | 1100
"""
BACK = """
    order_ref | return_ref | line_ref | quantity | returned_at
    A         | l1@1       | l1       | 1        | 2026-10-05 12:00
"""


def credits(lowered: str, refunds: str = "", returns: str | None = None, **more) -> trade.Owed:
    back = None if returns is None else trade.of("core.returns", returns)
    reductions = trade.of("core.reductions", lowered)
    return trade.recognised(
        more.pop("orders", ORDERS), LINES, None, trade.charges(CHARGE + refunds), back, reductions=reductions
    )


def owed(found: trade.Owed) -> list[tuple]:
    return shown(
        found.owed.filter(event_code="credit").sort("owed_at"), "event_ref", "total_minor", "owed_on"
    )


def test_what_was_taken_off_a_shipped_order_is_a_credit_with_the_lines_that_came_back() -> None:
    found = credits(LOWERED, returns=BACK)
    assert [row[:2] for row in owed(found)] == [("reduced-1", -1100)]
    lines = found.owed_lines.filter(event_code="credit")
    assert shown(lines, "component_code", "sku", "amount_minor") == [
        ("goods", "MUG-1", -1000),
        ("tax", None, -100),
    ]
    sale = found.owed.filter(event_code="sale")
    assert sale["total_minor"].to_list() == [3300]


def test_a_reduction_without_returns_goes_to_the_allowance() -> None:
    found = credits(LOWERED)
    assert shown(found.owed_lines.filter(event_code="credit"), "component_code", "amount_minor") == [
        ("other", -1100)
    ]


@pytest.mark.parametrize(
    ("refunds", "wanted"),
    [
        ("    p | r1 | A | refund | 1100 | 2026-10-06 10:00", [("reduced-1", -1100)]),
        ("    p | r1 | A | refund | 1100 | 2026-10-05 12:00", [("reduced-1", -1100)]),
        ("    p | r1 | A | refund | 1100 | 2026-10-04 10:00", [("r1", -1100)]),
        ("    p | r1 | A | refund | 1500 | 2026-10-06 10:00", [("reduced-1", -1100), ("r1", -400)]),
        ("    p | r1 | A | refund | 400 | 2026-10-04 10:00", [("r1", -400), ("reduced-1", -700)]),
        ("    p | r1 | A | refund | 400 | 2026-10-06 10:00", [("reduced-1", -1100)]),
    ],
)
def test_one_credit_for_what_was_taken_off_and_paid_back(refunds: str, wanted: list[tuple]) -> None:
    assert sorted(row[:2] for row in owed(credits(LOWERED, refunds + "\n"))) == sorted(wanted)


def test_a_refund_of_what_was_paid_beyond_the_total_is_no_credit() -> None:
    lower = ORDERS.with_columns(
        goods_minor=pl.lit(2000, dtype=pl.Int64),
        tax_minor=pl.lit(200, dtype=pl.Int64),
        total_minor=pl.lit(2200, dtype=pl.Int64),
    )
    half = LINES.filter(pl.col("line_ref") == "l1")
    found = trade.recognised(
        lower, half, None, trade.charges(CHARGE + "    p | r1 | A | refund | 1100 | 2026-10-06 10:00\n")
    )
    assert found.owed.filter(event_code="credit").is_empty()
    kept = found.excluded.filter(event_code="credit")
    assert shown(kept, "event_ref", "amount_minor", "reason_code") == [("r1", -1100, "prepayment_returned")]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 900), st.integers(1, 27)), min_size=1, max_size=6),
)
def test_credits_sum_to_the_larger_of_both_whatever_the_order_of_events(
    events: list[tuple[bool, int, int]],
) -> None:
    taken = [(amount, day) for is_taken, amount, day in events if is_taken]
    paid = [(amount, day) for is_taken, amount, day in events if not is_taken]
    lowered = (
        LOWERED.splitlines()[1]
        + "\n"
        + "\n".join(
            f"    A | {k} | 2026-10-{day:02d} 12:00 | USD | {amount}" for k, (amount, day) in enumerate(taken)
        )
    )
    refunds = "".join(
        f"    p | r{k} | A | refund | {amount} | 2026-10-{day:02d} 13:00\n"
        for k, (amount, day) in enumerate(paid)
    )
    reductions = trade.of("core.reductions", lowered) if taken else trade.empty("core.reductions")
    found = trade.recognised(
        ORDERS, LINES, None, trade.charges(CHARGE + refunds), None, reductions=reductions
    )
    total = found.owed.filter(event_code="credit")["total_minor"].sum()
    assert -total == max(sum(amount for amount, _ in taken), sum(amount for amount, _ in paid))
