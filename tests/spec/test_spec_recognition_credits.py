"""Which refunds owe a credit memo, what it gives back, and which money owes a receipt."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import trade
from drawn import shown

ORDERS = trade.orders(
    """
    order_ref | order_number | placed_at        | shipped_at       | status_code | goods_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | 2026-10-01 09:00 | 2026-10-02 12:00 | complete    | 3000        | 500            | 350       | 3850
    """
)
LINES = trade.lines(
    """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | 2        | 2000      | 200       | NY
    A         | l2       | item      | TEA-1 | 1        | 1000      | 100       | NY
    A         | l3       | shipping  | -     | 1        | 500       | 50        | NY
    """
)
CHARGE = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at
    p           | c1              | A         | charge    | 3850         | 2026-10-01 09:05
"""


def credits(refunds: str, returns: str | None = None, **more: object) -> trade.Owed:
    back = None if returns is None else trade.of("core.returns", returns)
    return trade.recognised(
        more.pop("orders", ORDERS),
        LINES,
        None,
        trade.charges(CHARGE + refunds),
        back,
        **more,  # type: ignore[arg-type]
    )


def lines_of(found: trade.Owed, ref: str) -> list[tuple[object, ...]]:
    wanted = found.owed_lines.filter((pl.col("event_code") == "credit") & (pl.col("event_ref") == ref))
    return shown(wanted, "component_code", "sku", "amount_minor")


def test_a_refund_of_what_came_back_mirrors_its_goods_and_tax() -> None:
    found = credits(
        "    p | r1 | A | refund | 1100 | 2026-10-06 10:00",
        """
        order_ref | return_ref | line_ref | quantity | returned_at
        A         | x          | l1       | 1        | 2026-10-05 12:00
        """,
    )
    assert lines_of(found, "r1") == [("goods", "MUG-1", -1000), ("tax", None, -100)]
    credit = found.owed.filter(pl.col("event_code") == "credit")
    assert shown(credit, "total_minor", "goods_minor", "tax_minor", "payment_ref") == [
        (-1100, -1000, -100, "p")
    ]


def test_each_refund_counts_only_the_returns_since_the_one_before() -> None:
    found = credits(
        """    p | r1 | A | refund | 1100 | 2026-10-06 10:00
    p | r2 | A | refund | 1100 | 2026-10-09 10:00""",
        """
        order_ref | return_ref | line_ref | quantity | returned_at
        A         | x          | l1       | 1        | 2026-10-05 12:00
        A         | y          | l2       | 1        | 2026-10-08 12:00
        """,
    )
    assert lines_of(found, "r1") == [("goods", "MUG-1", -1000), ("tax", None, -100)]
    assert lines_of(found, "r2") == [("goods", "TEA-1", -1000), ("tax", None, -100)]


def test_a_refund_of_everything_mirrors_all_lines() -> None:
    found = credits("    p | r1 | A | refund | 3850 | 2026-10-06 10:00")
    assert lines_of(found, "r1") == [
        ("goods", "MUG-1", -2000),
        ("goods", "TEA-1", -1000),
        ("shipping", None, -500),
        ("tax", None, -200),
        ("tax", None, -100),
        ("tax", None, -50),
    ]


def test_a_refund_of_all_that_is_left_mirrors_what_earlier_ones_did_not_give_back() -> None:
    found = credits(
        """    p | r1 | A | refund | 1100 | 2026-10-06 10:00
    p | r2 | A | refund | 250  | 2026-10-07 10:00
    p | r3 | A | refund | 2500 | 2026-10-09 10:00""",
        """
        order_ref | return_ref | line_ref | quantity | returned_at
        A         | x          | l2       | 1        | 2026-10-05 12:00
        """,
    )
    assert lines_of(found, "r2") == [("other", None, -250)]
    assert lines_of(found, "r3") == [
        ("goods", "MUG-1", -2000),
        ("other", None, 250),
        ("shipping", None, -500),
        ("tax", None, -200),
        ("tax", None, -50),
    ]
    credit = (
        found.owed.filter(pl.col("event_code") == "credit")
        .select(pl.col("^.*_minor$").sum())
        .row(0, named=True)
    )
    assert credit["goods_minor"] == -3000
    assert credit["tax_minor"] == -350
    assert credit["other_minor"] == 0


def test_a_refund_that_nothing_explains_is_an_allowance() -> None:
    found = credits(
        "    p | r1 | A | refund | 1000 | 2026-10-06 10:00",
        """
        order_ref | return_ref | line_ref | quantity | returned_at
        A         | x          | l1       | 1        | 2026-10-05 12:00
        """,
    )
    assert lines_of(found, "r1") == [("other", None, -1000)]


def test_refunds_are_all_allowances_where_the_policy_says_so() -> None:
    found = credits(
        "    p | r1 | A | refund | 3850 | 2026-10-06 10:00", policy=replace(trade.POLICY, refunds="allowance")
    )
    assert lines_of(found, "r1") == [("other", None, -3850)]


def test_a_refund_of_a_never_invoiced_order_returns_a_prepayment() -> None:
    unshipped = ORDERS.with_columns(
        shipped_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")), status_code=pl.lit("cancelled")
    )
    found = credits("    p | r1 | A | refund | 3850 | 2026-10-06 10:00", orders=unshipped)
    assert shown(found.owed, "event_code", "total_minor") == [("receipt", 3850)]
    assert shown(found.excluded, "event_code", "reason_code", "outcome_code", "amount_minor") == [
        ("credit", "prepayment_returned", "not_owed", -3850),
        ("sale", "cancelled", "not_owed", 3850),
    ]


def test_a_refund_before_shipping_is_owed_once_the_order_is_invoiced() -> None:
    late = ORDERS.with_columns(
        shipped_at=pl.datetime(2026, 10, 20, 12, time_zone="UTC").dt.cast_time_unit("us")
    )
    found = credits("    p | r1 | A | refund | 300 | 2026-10-06 10:00", orders=late)
    credit = found.owed.filter(pl.col("event_code") == "credit")
    assert [(str(on), amount) for on, amount in credit.select("owed_on", "total_minor").rows()] == [
        ("2026-10-20", -300)
    ]


def test_of_a_partly_shipped_and_cancelled_order_the_refund_returns_the_rest_of_the_prepayment_first() -> (
    None
):
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 2        | 2026-10-02 12:00
        """,
    )
    paid = trade.charges(CHARGE + "    p | r1 | A | refund | 1200 | 2026-10-06 10:00")
    found = trade.recognised(ORDERS.with_columns(status_code=pl.lit("cancelled")), LINES, shipments, paid)
    assert found.owed.filter(pl.col("event_code") == "sale")["total_minor"].to_list() == [2750]
    assert lines_of(found, "r1") == [("other", None, -100)]
    assert shown(found.excluded, "event_code", "reason_code", "amount_minor") == [
        ("credit", "prepayment_returned", -1100),
        ("sale", "cancelled", 1100),
    ]


def test_only_money_that_moved_owes_a_receipt_and_a_chargeback_owes_nothing() -> None:
    paid = trade.charges(
        """
        payment_ref | transaction_ref | order_ref | kind_code     | state_code | amount_minor | occurred_at      | gateway_ref
        p           | a               | A         | authorization | success    | 3850         | 2026-10-01 09:00 | -
        p           | b               | A         | charge        | failure    | 3850         | 2026-10-01 09:01 | -
        p           | c               | A         | charge        | pending    | 3850         | 2026-10-01 09:02 | -
        p           | d               | A         | charge        | success    | 2000         | 2026-10-01 09:03 | ch_1
        p           | e               | A         | charge        | success    | 1850         | 2026-10-03 09:03 | ch_2
        p           | f               | A         | chargeback    | success    | 1850         | 2026-10-05 09:03 | cb
        """
    )
    found = trade.recognised(ORDERS, LINES, payments=paid)
    receipts = found.owed.filter(pl.col("event_code") == "receipt")
    assert shown(receipts, "event_ref", "gateway_ref", "total_minor", "sequence_no", "goods_minor") == [
        ("d", "ch_1", 2000, 1, 0),
        ("e", "ch_2", 1850, 2, 0),
    ]


def test_an_order_names_its_payments_and_money_without_an_order_is_told() -> None:
    named = trade.of(
        "core.order_payments",
        """
        order_ref | payment_ref
        A         | p
        """,
    )
    paid = trade.charges(
        """
        payment_ref | transaction_ref | amount_minor | occurred_at
        p           | c1              | 3850         | 2026-10-01 09:05
        q           | c2              | 4000         | 2026-10-01 09:05
        """
    )
    found = trade.recognised(ORDERS, LINES, payments=paid, order_payments=named)
    assert shown(found.owed, "event_code", "event_ref") == [("receipt", "c1"), ("sale", "whole")]
    assert shown(found.excluded, "order_ref", "reason_code", "amount_minor") == [
        (None, "payment_without_order", 4000)
    ]


def test_transactions_of_the_same_name_are_told_apart_without_renaming_the_first() -> None:
    paid = trade.charges(
        """
        payment_ref | transaction_ref | order_ref | amount_minor | occurred_at
        q           | 1               | A         | 850          | 2026-10-02 09:05
        p           | 1               | A         | 3000         | 2026-10-01 09:05
        """
    )
    found = trade.recognised(ORDERS, LINES, payments=paid)
    receipts = found.owed.filter(pl.col("event_code") == "receipt")
    assert shown(receipts, "event_ref", "total_minor") == [("1", 3000), ("q:1", 850)]


@pytest.mark.parametrize("owes", [True, False])
def test_tender_carried_by_the_order_owes_a_receipt_from_its_liability(owes: bool) -> None:
    orders = ORDERS.with_columns(tender_minor=pl.lit(850, dtype=pl.Int64))
    found = trade.recognised(orders, LINES, policy=replace(trade.POLICY, tender_owes_receipt=owes))
    receipts = found.owed.filter(pl.col("event_code") == "receipt")
    expected = [("tender", "tender-W1", "GiftCard", 850)] if owes else []
    assert shown(receipts, "event_ref", "gateway_ref", "tender_code", "total_minor") == expected


def test_money_of_test_orders_is_left_out_and_said_so() -> None:
    found = trade.recognised(
        ORDERS.with_columns(is_test=pl.lit(value=True)), LINES, payments=trade.charges(CHARGE)
    )
    assert found.owed.is_empty()
    assert shown(found.excluded, "event_code", "reason_code", "amount_minor") == [
        ("receipt", "test", 3850),
        ("sale", "test", 3850),
    ]


def test_the_third_refund_after_two_that_gave_all_back_is_an_allowance() -> None:
    found = credits(
        """    p | r1 | A | refund | 3850 | 2026-10-06 10:00
    p | r2 | A | refund | 100  | 2026-10-07 10:00"""
    )
    assert lines_of(found, "r2") == [("other", None, -100)]
