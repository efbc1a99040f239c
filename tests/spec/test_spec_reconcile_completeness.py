"""Completeness: gaps in order numbers, money without orders, rows that linger, days with an odd volume. Told, never judged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from reconcile_tables import run

from checks.contracts import ALL
from transforms.reconcile import completeness


def orders(numbers: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"storefront": "shop", "store_ref": "us", "order_number": numbers})


def series(prefix: str, first: int, last: int, *left_out: int, width: int = 0) -> list[str]:
    return [f"{prefix}{str(n).zfill(width)}" for n in range(first, last + 1) if n not in left_out]


def told(frame: pl.DataFrame) -> list[str]:
    ALL["recon.findings"].checked(ALL["recon.findings"].shaped(frame), at="in a test")
    return frame["sentence"].to_list()


def test_a_number_nobody_has_is_named() -> None:
    assert told(completeness.number_gaps(orders(series("W", 1000, 1030, 1007)))) == [
        "Order number W1007 of shop was never seen; look whether it exists there."
    ]


def test_a_run_of_numbers_is_one_finding_with_its_ends_and_leading_zeros() -> None:
    found = completeness.number_gaps(orders(series("A-", 90, 140, 98, 99, 100, width=6)))
    assert told(found) == [
        "Order numbers A-000098 to A-000100 of shop (3) were never seen; look whether they exist there."
    ]
    assert found["row_count"].to_list() == [3]


@pytest.mark.parametrize(
    "numbers",
    [
        series("W", 1000, 1030),
        [f"W{n * n}" for n in range(100)],  # not consecutive: gaps mean nothing
        ["W7"],
        ["no number", "none"],
        [*series("A", 1, 30), *series("B", 500, 530)],  # two series, both whole
    ],
)
def test_whole_or_unconsecutive_series_have_no_gaps(numbers: list[str]) -> None:
    assert told(completeness.number_gaps(orders(numbers))) == []


def test_money_without_orders_is_summed_per_storefront_and_currency() -> None:
    result = run(
        {
            "orders": "order_ref\nW1",
            "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | gone | G1 | 500\np2 | t2 | gone | G2 | 700",
        }
    )
    found = completeness.without_orders(result.payments)
    assert found.select("row_count", "amount_minor", "currency").rows() == [(2, 1200, "USD")]
    assert told(found)[0].startswith(
        "2 payments of shop (12.00 USD, the oldest of 2026-09-10) belong to no order"
    )


def test_an_open_row_counts_its_cycles_and_is_told_after_the_stated_number() -> None:
    tables = {"orders": "order_ref\nW1", "owed": "order_ref\nW1"}
    result = run(tables)
    first = pl.lit(datetime(2026, 10, 1, 3, tzinfo=UTC), pl.Datetime("us", "UTC"))
    before = ALL["ops.lingering"].empty()
    for cycle in range(1, 4):
        after = completeness.cycles(result.orders, result.payments, before)
        before = after.with_columns(first_at=pl.col("first_at").fill_null(first))
        ALL["ops.lingering"].checked(ALL["ops.lingering"].shaped(before), at="in a test")
        assert before["cycles_no"].to_list() == [cycle]
        assert completeness.lingering(before, 3).height == (1 if cycle >= 3 else 0)
    assert told(completeness.lingering(before, 3)) == [
        "1 rows of tie-out orders have been missing_invoice for 3 reconciliations or more, the oldest since 2026-10-01 (3): shop:W1. Take them up."
    ]


def test_a_row_that_came_out_otherwise_starts_anew_and_a_settled_one_is_gone() -> None:
    missing = run({"orders": "order_ref\nW1", "owed": "order_ref\nW1"})
    held = run(
        {"orders": "order_ref\nW1", "owed": "order_ref\nW1", "waiting": "order_ref | state\nW1 | held"}
    )
    matched = run(
        {
            "orders": "order_ref\nW1",
            "owed": "order_ref\nW1",
            "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
        }
    )
    one = completeness.cycles(missing.orders, missing.payments, ALL["ops.lingering"].empty())
    other = completeness.cycles(held.orders, held.payments, one)
    assert other.select("outcome_code", "cycles_no").rows() == [("held", 1)]
    assert completeness.cycles(matched.orders, matched.payments, other).is_empty()


def days(counts: dict[date, int]) -> pl.DataFrame:
    rows = [day for day, n in counts.items() for _ in range(n)]
    return pl.DataFrame(
        {"storefront": ["shop"] * len(rows), "placed_on": rows}, schema_overrides={"placed_on": pl.Date}
    )


MONDAY = date(2026, 6, 1)


def weeks(last: int, tuesday: int = 0) -> dict[date, int]:
    found = {MONDAY + timedelta(weeks=k): 20 for k in range(6)}
    found[MONDAY + timedelta(weeks=6)] = last
    found[MONDAY + timedelta(weeks=6, days=3)] = 20  # the last day seen may not be over
    return found


@pytest.mark.parametrize(
    ("last", "odd"), [(20, False), (10, False), (9, True), (40, False), (41, True), (0, True)]
)
def test_a_day_far_from_what_its_weekday_is_used_to_is_told(last: int, odd: bool) -> None:
    found = completeness.odd_volumes(days(weeks(last)))
    mine = found.filter(pl.col("subject_ref") == "shop:2026-07-13")
    assert mine.height == int(odd)
    if odd:
        assert told(mine) == [
            f"shop has {last} orders of 2026-07-13; usual for that weekday are 20. Look whether the day was read whole."
        ]


def test_a_young_shop_has_no_usual_volume() -> None:
    young = {MONDAY + timedelta(weeks=k): n for k, n in enumerate((20, 20, 3, 20))}
    assert completeness.odd_volumes(days(young)).is_empty()
    assert completeness.odd_volumes(days({})).is_empty()
