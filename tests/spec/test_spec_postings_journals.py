"""Journal entries for refunds, chargebacks, fees and payouts: which accounts, which date, balanced in one entity, or a reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from transforms.postings.journals import JournalPlan, JournalPolicy, plan_journals

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
ALL_POSTED = JournalPolicy(
    refunds=True, chargebacks=True, fees=True, payouts=True, zones=dict(trade.POLICY.zones)
)
ORDERS = """
    order_ref | order_number | store_ref | currency | placed_at        | shipped_at       | goods_minor | total_minor
    A         | W1           | us        | USD      | 2026-10-01 09:00 | 2026-10-02 12:00 | 5000        | 5000
    B         | W2           | eu        | EUR      | 2026-10-01 09:00 | 2026-10-02 12:00 | 9000        | 9000
"""
LINES = """
    order_ref | currency | line_ref | kind_code | sku   | quantity | net_minor
    A         | USD      | l1       | item      | MUG-1 | 1        | 5000
    B         | EUR      | l2       | item      | MUG-1 | 1        | 9000
"""
PAYMENTS = """
    payment_ref | transaction_ref | order_ref | kind_code  | tender_code | gateway_ref | currency | amount_minor | occurred_at
    p1          | t1              | A         | charge     | CreditCard  | G1          | USD      | 5000         | 2026-10-01 10:00
    p1          | t2              | A         | refund     | CreditCard  | G2          | USD      | 1200         | 2026-10-06 02:00
    p2          | t3              | B         | charge     | PayPal      | G3          | EUR      | 9000         | 2026-10-01 10:00
    p2          | t4              | B         | chargeback | PayPal      | G4          | EUR      | 9000         | 2026-10-09 23:30
"""
CLEARING = """
    storefront | entity_code | tender_code | mode   | journal_code | clearing_account_code | refund_account_code | chargeback_account_code | fee_account_code | bank_account_code | location_code
    *          | E100        | *           | map    | GJ           | 1201                  | 2400                | 1210                    | 6100             | 1010              | 100
    *          | E200        | *           | map    | GJ           | 1202                  | 2400                | 1210                    | 6100             | 1020              | 200
    *          | E100        | Wire        | ignore | -            | -                     | -                   | -                       | -                | -                 | -
"""
PAYOUTS = """
    storefront | payout_ref | line_ref | payment_ref | kind_code | paid_out_at      | currency | gross_minor | fee_minor | net_minor | stated_total_minor
    shop       | PO1        | 1        | G1          | charge    | 2026-10-04 12:00 | USD      | 5000        | 175       | 4825      | 4815
    shop       | PO1        | 2        | -           | fee       | 2026-10-04 12:00 | USD      | 0           | 10        | -10       | 4815
"""
NO_HELD = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String, "reason": pl.String})


@cache
def traded(orders: str, payments: str) -> tuple[pl.DataFrame, ...]:
    """Orders, payments, and what is owed for them."""
    placed, paid = trade.orders(orders), trade.charges(payments)
    return placed, paid, trade.recognised(placed, trade.lines(LINES), payments=paid).owed


def planned(
    policy: JournalPolicy = ALL_POSTED,
    *,
    payments: str = PAYMENTS,
    payouts: str | None = None,
    clearing: str = CLEARING,
    held: pl.DataFrame = NO_HELD,
    orders: str = ORDERS,
) -> JournalPlan:
    """The plan of drawn tables; every entry balances, keeps its contract, and stands in one entity."""
    placed, paid, owed = traded(orders, payments)
    found = plan_journals(
        owed,
        paid,
        trade.empty("core.order_payments"),
        placed,
        trade.of("core.payout_lines", payouts) if payouts else trade.empty("core.payout_lines"),
        trade.STORES,
        drawn(ALL["mappings.clearing"], clearing),
        held,
        trade.empty("ops.edits"),
        policy,
        run_id="r",
        planned_at=NOW,
    )
    ALL["out.documents"].checked(found.documents, at="in a test")
    ALL["out.document_lines"].checked(found.lines, at="in a test")
    ALL["ops.unplanned"].checked(found.unplanned, at="in a test")
    sums = found.lines.group_by("document_id").agg(pl.col("amount_minor").sum(), n=pl.len())
    assert sums.filter((pl.col("amount_minor") != 0) | (pl.col("n") < 2)).is_empty()
    assert set(sums["document_id"]) == set(found.documents["document_id"])
    return found


def entries(found: JournalPlan) -> list[tuple[object, ...]]:
    both = found.lines.join(
        found.documents.select("document_id", "entity_code", "document_on", "currency"), on="document_id"
    )
    return shown(
        both, "entity_code", "document_on", "currency", "account_code", "amount_minor", "location_code"
    )


REFUND = [
    ("E100", date(2026, 10, 5), "USD", "1201", -1200, "100"),
    ("E100", date(2026, 10, 5), "USD", "2400", 1200, "100"),
]
CHARGEBACK = [
    ("E200", date(2026, 10, 10), "EUR", "1202", -9000, "200"),
    ("E200", date(2026, 10, 10), "EUR", "1210", 9000, "200"),
]
FEES = [
    ("E100", date(2026, 10, 4), "USD", "1201", -185, "100"),
    ("E100", date(2026, 10, 4), "USD", "6100", 185, "100"),
]
PAID_OUT = [
    ("E100", date(2026, 10, 4), "USD", "1010", 4815, "100"),
    ("E100", date(2026, 10, 4), "USD", "1201", -5000, "100"),
    ("E100", date(2026, 10, 4), "USD", "6100", 185, "100"),
]


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ({}, []),
        ({"refunds": True}, REFUND),
        ({"chargebacks": True}, CHARGEBACK),
        ({"fees": True}, FEES),
        ({"fees": True, "payouts": True}, PAID_OUT),
        ({"refunds": True, "chargebacks": True}, REFUND + CHARGEBACK),
    ],
)
def test_what_policy_posts_leaves_the_clearing_account(
    posts: dict[str, bool], expected: list[tuple[object, ...]]
) -> None:
    found = planned(JournalPolicy(zones=ALL_POSTED.zones, **posts), payouts=PAYOUTS)
    assert entries(found) == sorted(expected)  # type: ignore[type-var]
    assert found.unplanned.is_empty()


def test_the_entry_says_what_it_is_for_and_has_the_same_id_every_night() -> None:
    found = planned(payouts=PAYOUTS)
    assert shown(found.documents, "description", "account_ref", "total_minor", "customer_id") == [
        ("Chargeback of order W2, G4", "GJ", 0, ""),
        ("Payout PO1", "GJ", 0, ""),
        ("Refund of order W1, G2", "GJ", 0, ""),
    ]
    again = planned(payouts=PAYOUTS)
    assert found.documents.equals(again.documents)
    assert found.documents["document_id"].n_unique() == 3
    assert (found.documents["number"] == found.documents["document_id"]).all()


def test_a_refund_of_what_was_never_invoiced_never_reached_the_clearing_account() -> None:
    unshipped = ORDERS.replace("2026-10-02 12:00 | 5000", "-                | 5000")
    assert entries(planned(JournalPolicy(refunds=True), orders=unshipped)) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"clearing": CLEARING.replace("E100        | *           | map   ", "E300        | *           | map   ")}, "clearing_unmapped"),
        ({"clearing": CLEARING.replace("| 2400 ", "| -    ")}, "clearing_unmapped"),
        ({"payments": PAYMENTS.replace("CreditCard", "Wire      ")}, "tender_ignored"),
        ({"held": pl.DataFrame({"storefront": ["shop"], "order_ref": ["A"], "reason": ["x"]})}, "held"),
        ({"policy": JournalPolicy(refunds=True, posting_starts_on=date(2026, 10, 7))}, "before_go_live"),
    ],
)  # fmt: skip
def test_a_refund_that_cannot_be_posted_has_a_reason(change: dict[str, object], reason: str) -> None:
    found = planned(**{"policy": JournalPolicy(refunds=True), **change})  # type: ignore[arg-type]
    assert shown(found.unplanned, "kind_code", "order_ref", "reason_code", "amount_minor") == [
        ("journal", "A", reason, 1200)
    ]
    assert found.documents.is_empty()


@pytest.mark.parametrize(
    ("payouts", "reason"),
    [
        (PAYOUTS.replace("4815", "4820"), "payout_does_not_add_up"),
        (PAYOUTS.replace("G1 ", "G9 "), "payout_line_unknown"),
        (
            PAYOUTS.replace("stated_total_minor", "payout_currency").replace("4815", "CHF"),
            "payout_other_currency",
        ),
    ],
)
def test_a_payout_that_is_not_clear_is_not_posted_in_part(payouts: str, reason: str) -> None:
    found = planned(JournalPolicy(fees=True, payouts=True), payouts=payouts)
    assert set(found.unplanned["reason_code"]) == {reason}
    assert found.documents.is_empty()


def test_a_payout_of_two_entities_makes_an_entry_in_each() -> None:
    both = PAYOUTS.replace("-           | fee ", "G3          | charge").replace("| 0           | 10        | -10 ", "| 9000        | 300       | 8700").replace("4815", "-")  # fmt: skip
    both = "\n".join(line.replace("USD", "EUR") if "G3" in line else line for line in both.splitlines())
    found = planned(JournalPolicy(fees=True, payouts=True), payouts=both)
    assert shown(found.documents, "entity_code", "currency") == [("E100", "USD"), ("E200", "EUR")]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    amounts=st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 400)), min_size=1, max_size=6),
    shuffled=st.randoms(use_true_random=False),
)
def test_whatever_is_paid_out_leaves_clearing_by_its_gross_in_any_order(
    amounts: list[tuple[int, int]], shuffled: object
) -> None:
    lines = pl.DataFrame(
        [
            {"payout_ref": "PO", "line_ref": str(n), "payment_ref": "G1", "gross_minor": gross, "fee_minor": fee, "net_minor": gross - fee}
            for n, (gross, fee) in enumerate(amounts)
        ]
    )  # fmt: skip
    order = list(range(lines.height))
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    head = "payout_ref | line_ref | payment_ref | kind_code | paid_out_at | currency | gross_minor | fee_minor | net_minor\n"
    drawing = head + "\n".join(
        f"PO | {r['line_ref']} | G1 | charge | 2026-10-04 12:00 | USD | {r['gross_minor']} | {r['fee_minor']} | {r['net_minor']}"
        for r in lines[order].iter_rows(named=True)
    )
    found = planned(replace(ALL_POSTED, refunds=False, chargebacks=False), payouts=drawing)
    cleared = found.lines.filter(pl.col("account_code") == "1201")["amount_minor"].sum()
    assert cleared == -sum(gross for gross, _ in amounts)
    straight = planned(replace(ALL_POSTED, refunds=False, chargebacks=False), payouts=head + "\n".join(sorted(drawing.splitlines()[1:])))  # fmt: skip
    assert found.documents.equals(straight.documents)
    assert found.lines.equals(straight.lines)
