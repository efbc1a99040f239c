"""Tolerance: absolute, percent, percent capped, by direction and currency; what it absorbed is budgeted and watched for a trend."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from reconcile_tables import Case, assert_rows, run

from tieout.errors import InputError
from transforms.reconcile import Allowance, Tolerance
from transforms.reconcile.budget import chance_ppm, trends

ORDER = "order_ref | total_minor\nW1 | 100000"


def _billed(total: int) -> dict[str, str]:
    return {
        "orders": ORDER,
        "owed": ORDER,
        "ar_invoices": f"invoice_ref | invoice_number | reference | total_minor\n1 | UW1 | W1 | {total}",
    }


PERCENT = Tolerance(percent=Decimal("0.5"), percent_most_minor={"USD": 300})
BOTH = Tolerance({"USD": 100}, under=Allowance({"USD": 5}), over=Allowance({"USD": 50}))
CASES = [
    Case("within_tolerance", "Percent", "0.5 % of 1,000.00 is 5.00, and 2.00 is less.", _billed(99_800),
         "outcome_code | delta_minor\nwithin_tolerance | 200", policy={"tolerance": PERCENT}),
    Case("within_tolerance", "Percent up to its cap", "0.5 % of 1,000.00 would be 5.00, and comes to 3.00 at most.", _billed(99_700),
         "outcome_code | delta_minor\nwithin_tolerance | 300", policy={"tolerance": PERCENT}),
    Case("amount_goods", "Percent past its cap", "3.01 is inside 0.5 % and past the 3.00 a percentage may come to.", _billed(99_699),
         "outcome_code | delta_minor\namount_goods | 301", policy={"tolerance": PERCENT}),
    Case("within_tolerance", "Percent where the currency has no cap", "A cap in another currency bounds nothing here.", _billed(99_500),
         "outcome_code | delta_minor\nwithin_tolerance | 500", policy={"tolerance": Tolerance(percent=Decimal("0.5"), percent_most_minor={"EUR": 1})}),
    Case("within_tolerance", "The larger of absolute and capped percent", "Absolute 4.00 beats a percentage capped at 3.00.", _billed(99_600),
         "outcome_code | delta_minor\nwithin_tolerance | 400", policy={"tolerance": Tolerance({"USD": 400}, Decimal("0.5"), {"USD": 300})}),
    Case("within_tolerance", "An allowance of its own for less", "Intacct may lie 0.05 below.", _billed(99_995),
         "outcome_code | delta_minor\nwithin_tolerance | 5", policy={"tolerance": BOTH}),
    Case("amount_goods", "Less than its own allowance", "The direction's own allowance replaces the general one, also where it is smaller.", _billed(99_994),
         "outcome_code | delta_minor\namount_goods | 6", policy={"tolerance": BOTH}),
    Case("within_tolerance", "An allowance of its own for more", "Intacct may lie 0.50 above.", _billed(100_050),
         "outcome_code | delta_minor\nwithin_tolerance | -50", policy={"tolerance": BOTH}),
    Case("amount_goods", "More than its own allowance", "0.51 above is too much.", _billed(100_051),
         "outcome_code | delta_minor\namount_goods | -51", policy={"tolerance": BOTH}),
    Case("amount_goods", "Another currency has no tolerance", "A tolerance in EUR accepts nothing in USD.", _billed(99_999),
         "outcome_code | delta_minor\namount_goods | 1", policy={"tolerance": Tolerance({"EUR": 100})}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_tolerance(case: Case) -> None:
    result = run(case.tables, **case.policy)
    assert_rows(result.orders, case.expected)


@pytest.mark.parametrize("wrong", [{"percent_most_minor": {"USD": -1}}, {"absolute_minor": {"USD": -1}}])
def test_a_negative_allowance_is_refused(wrong: dict[str, dict[str, int]]) -> None:
    with pytest.raises(InputError):
        Allowance(**wrong)


def many(under: int, over: int) -> dict[str, str]:
    """So many orders a cent below, so many a cent above."""
    totals = [9999] * under + [10001] * over
    refs = [f"W{n}" for n in range(len(totals))]
    rows = [
        f"{n} | U{ref} | {ref} | {total}" for n, (ref, total) in enumerate(zip(refs, totals, strict=True))
    ]
    return {
        "orders": "order_ref\n" + "\n".join(refs),
        "owed": "order_ref\n" + "\n".join(refs),
        "ar_invoices": "invoice_ref | invoice_number | reference | total_minor\n" + "\n".join(rows),
    }


def test_what_was_accepted_is_budgeted_per_direction_against_the_cap() -> None:
    found = run(many(3, 1), tolerance=Tolerance({"USD": 1}, cap_minor={"USD": 10})).tolerated
    figures = [
        "direction",
        "row_count",
        "amount_minor",
        "currency_used_minor",
        "cap_minor",
        "other_count",
        "is_trend",
    ]
    assert found.select(figures).rows() == [
        ("over", 1, -1, 4, 10, 3, False),
        ("under", 3, 3, 4, 10, 1, False),
    ]


def test_many_pennies_one_way_are_a_finding() -> None:
    result = run(many(20, 0), tolerance=Tolerance({"USD": 1}))
    (row,) = result.tolerated.to_dicts()
    assert (row["is_trend"], row["chance_ppm"]) == (True, 2)
    (told,) = trends(result.tolerated).to_dicts()
    assert told["finding_code"] == "tolerance_trend"
    assert told["sentence"].startswith(
        "20 accepted differences on an unknown account put Intacct below the storefront"
    )


@pytest.mark.parametrize(("under", "over"), [(19, 0), (12, 8), (15, 5)])
def test_few_or_mixed_pennies_are_none(under: int, over: int) -> None:
    assert not run(many(under, over), tolerance=Tolerance({"USD": 1})).tolerated["is_trend"].any()


def test_the_sign_test_is_exact_and_its_bound_never_smaller() -> None:
    assert chance_ppm(1, 0) == 1_000_000
    assert chance_ppm(5, 0) == 62_500
    assert chance_ppm(10, 10) == 1_000_000
    assert chance_ppm(9, 1) == chance_ppm(1, 9) == 21_485
    assert chance_ppm(600, 401) < 1_000
    for most in (510, 530, 560, 600):
        exact = chance_ppm(most, 1000 - most)
        assert chance_ppm(most + 1, 1000 - most) >= exact // 4


def test_the_account_of_a_budget_is_that_of_the_lines_that_differ() -> None:
    tables = {
        **_billed(99_995),
        "ar_lines": "document_kind | document_ref | component_code | amount_minor | account_code\ninvoice | 1 | goods | 99995 | 4000",
    }
    found = run(tables, tolerance=Tolerance({"USD": 5})).tolerated
    assert found["account_code"].to_list() == ["4000"]
    unknown = {**tables, "ar_lines": "document_kind | document_ref | component_code | amount_minor | account_code\ninvoice | 1 | goods | 90000 | 4000\ninvoice | 1 | goods | 9995 | 4100"}  # fmt: skip
    assert run(unknown, tolerance=Tolerance({"USD": 5})).tolerated["account_code"].to_list() == [""]
    assert found.filter(pl.col("amount_minor") != 5).is_empty()
