"""Rounding proved by the platforms' documented rules, with the arithmetic shown; what is not proved stays an error."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconcile_tables import run

from transforms.reconcile.rounding_rules import LEVELS, MODES, Row, proved, rates_of, rounded, ways


@dataclass(frozen=True)
class Rounding:
    """A drawn order whose tax differs, and what becomes of it."""

    code: str
    title: str
    sentence: str
    tables: dict[str, str]
    expected: str


def _order(
    goods: int, tax: int, billed: int, lines: str, *, included: bool = False, billed_goods: int | None = None
) -> dict[str, str]:
    total = goods + tax
    net = goods if billed_goods is None else billed_goods
    return {
        "orders": f"order_ref | total_minor | tax_included\nW1 | {total} | {'yes' if included else 'no'}",
        "owed": f"order_ref | total_minor | tax_minor\nW1 | {total} | {tax}",
        "order_lines": "order_ref | line_ref | net_minor | tax_minor | tax_code | quantity\n" + lines,
        "ar_invoices": f"invoice_ref | invoice_number | reference | total_minor | tax_minor\n1 | UW1 | W1 | {net + billed} | {billed}",
    }  # fmt: skip


THREE = "W1 | 1 | 1056 | 87 | T | 1\nW1 | 2 | 1056 | 87 | T | 1\nW1 | 3 | 1056 | 87 | T | 1"
UNITS = (
    "W1 | 1 | 420 | 40 | T | 4\nW1 | 2 | 1000 | 100 | T | 1\nW1 | 3 | 14 | 1 | T | 1\nW1 | 4 | 14 | 1 | T | 1"
)
RATED = "order_ref | line_ref | net_minor | tax_minor | tax_code | quantity | tax_rate\n" + "\n".join(f"W1 | {n} | 1068 | 95 | T | 1 | 0.08875" for n in (1, 2, 3))  # fmt: skip
CASES = [
    Rounding("amount_tax", "A cent the total does not have", "8.25 % of 10.56 is 0.8712, three times 0.87; on 31.68 it is 2.6136, which is 2.61. Intacct at 2.61 agrees, at 2.62 is not rounding.",
             _order(3168, 261, 262, THREE), "outcome_code\namount_tax"),
    Rounding("rounding", "Rows round up, the total does not", "Three rows of 10.68 at the stated 8.875 % are 0.95 each; on the total it is 2.84.",
             {**_order(3204, 285, 284, ""), "order_lines": RATED}, "outcome_code | delta_minor\nrounding | 1"),
    Rounding("rounding", "The rate stated on one row is that of its tax", "The other two rows name the same tax without its rate, and 8.875 % gives their tax too.",
             {**_order(3204, 285, 284, ""), "order_lines": RATED.replace("0.08875\nW1 | 2", "-\nW1 | 2").replace("0.08875\nW1 | 3", "-\nW1 | 3")},
             "outcome_code | delta_minor\nrounding | 1"),
    Rounding("amount_tax", "Two rates stated for one tax", "Which of them the tax was worked out at cannot be told.",
             {**_order(3204, 285, 284, ""), "order_lines": RATED.replace("0.08875\nW1 | 3", "0.0889\nW1 | 3")}, "outcome_code | delta_minor\namount_tax | 1"),
    Rounding("amount_tax", "A rate that is not stated and not simple", "Without the rate the simplest that fits, 8.9 %, does not give Intacct's figure: nothing is proved.",
             _order(3204, 285, 284, "W1 | 1 | 1068 | 95 | T | 1\nW1 | 2 | 1068 | 95 | T | 1\nW1 | 3 | 1068 | 95 | T | 1\n"), "outcome_code | delta_minor\namount_tax | 1"),
    Rounding("amount_tax", "One row proves nothing", "With one row at quantity one there is only one way to round.",
             _order(1068, 95, 94, "W1 | 1 | 1068 | 95 | T | 1"), "outcome_code\namount_tax"),
    Rounding("amount_tax", "No way gives Intacct's figure", "A difference that no rule produces stays an error, however small.",
             _order(3204, 285, 286, "W1 | 1 | 1068 | 95 | T | 1\nW1 | 2 | 1068 | 95 | T | 1\nW1 | 3 | 1068 | 95 | T | 1\n"), "outcome_code\namount_tax"),
    Rounding("amount_tax", "More than rounding can be", "Each rounding moves less than a cent: three rows cannot be ten cents off.",
             _order(3204, 285, 275, "W1 | 1 | 1068 | 95 | T | 1\nW1 | 2 | 1068 | 95 | T | 1\nW1 | 3 | 1068 | 95 | T | 1\n"), "outcome_code\namount_tax"),
    Rounding("rounding", "By unit against by row", "10 % of 1.05 is 0.105: by unit, half to even, 0.10 and 0.40 for four; by row 0.42. The total would give another figure still.",
             _order(1448, 142, 144, UNITS), "outcome_code | delta_minor\nrounding | -2"),
    Rounding("amount_tax", "Two ways to one figure", "Without the small rows, by row and on the total both give 1.42: which one it was cannot be told.",
             _order(1420, 140, 142, UNITS.rpartition("\nW1 | 3")[0]), "outcome_code\namount_tax"),
    Rounding("rounding", "Inside prices that include tax", "The total agrees; by row 19 % inside 9.99 is 1.60, four times 6.40, and inside 39.96 it is 6.38.",
             _order(3356, 640, 638, "W1 | 1 | 839 | 160 | T | 1\nW1 | 2 | 839 | 160 | T | 1\nW1 | 3 | 839 | 160 | T | 1\nW1 | 4 | 839 | 160 | T | 1\n", included=True, billed_goods=3358),
             "outcome_code | delta_minor\nrounding | 0"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_rounding(case: Rounding) -> None:
    (row,) = run(case.tables).orders.to_dicts()
    head, values = (line.split(" | ") for line in case.expected.splitlines())
    assert [str(row[name]) for name in head] == values, row["evidence"]


def test_the_arithmetic_is_shown() -> None:
    (row,) = run(
        next(case for case in CASES if case.title == "By unit against by row").tables
    ).orders.to_dicts()
    assert "Proved rounding: the storefront works tax out by unit" in row["evidence"]
    assert "by unit, half even: 1.4 → 1 + 1.4 → 1 + 10.5 → 40 + 100 → 100 = 1.42 USD" in row["evidence"]
    assert "by row, half even: 1.4 → 1 + 1.4 → 1 + 42 → 42 + 100 → 100 = 1.44 USD" in row["evidence"]
    assert "No other documented rule gives it." in row["evidence"]


@pytest.mark.parametrize(
    ("value", "mode", "whole"),
    [
        ("5/2", "half_even", 2), ("7/2", "half_even", 4), ("5/2", "half_up", 3), ("5/2", "half_down", 2), ("-5/2", "half_up", -3),
        ("-5/2", "half_down", -2), ("-7/2", "half_even", -4), ("26/10", "half_down", 3), ("24/10", "half_up", 2),
    ],
)  # fmt: skip
def test_halves_go_where_the_mode_says(value: str, mode: str, whole: int) -> None:
    assert rounded(Fraction(value), mode) == whole


_ROWS = st.lists(st.tuples(st.integers(200, 9_999), st.integers(1, 4)), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_ROWS, st.sampled_from(["0.0825", "0.08875", "0.19", "0.07"]), st.sampled_from(MODES), st.booleans())
def test_what_is_proved_is_reproduced_by_its_own_rule_and_by_no_other(
    drawn: list[tuple[int, int]], rate: str, mode: str, included: bool
) -> None:
    share = Fraction(rate)
    rows = []
    for price, quantity in drawn:
        base = Fraction(price * quantity)
        tax = rounded(base * (share / (1 + share) if included else share), mode)
        rows.append(Row("T", int(base) - tax if included else int(base), tax, Fraction(quantity)))
    ours = sum(row.tax for row in rows)
    for theirs in range(ours - 3, ours + 4):
        found = proved(rows, included, ours, theirs)
        if found is None:
            continue
        mine, other = found
        assert (mine.tax, other.tax) == (ours, theirs)
        assert theirs != ours
        rates = rates_of(rows, included, mine.level)
        assert rates is not None
        parts = {tuple(p for _, p in one.parts) for one in ways(rows, rates, included) if one.tax == theirs}  # fmt: skip
        assert len(parts) == 1, "exactly one way gives the other figure"


def test_two_ways_to_the_same_figure_prove_nothing() -> None:
    """By unit and on the total both give 24: which one Intacct used cannot be told."""
    rows = [Row("T", 124, 12, Fraction(2)), Row("T", 124, 12, Fraction(2))]
    rates = {"T": Fraction("0.1")}
    by_level = {
        level: {one.tax for one in ways(rows, rates, False) if one.level == level} for level in LEVELS
    }
    assert by_level == {"unit": {24}, "row": {24}, "total": {25}}
    assert rates_of(rows, False, "row") == rates
    assert proved(rows, False, 24, 25) is not None
    assert proved(rows, False, 24, 24) is None
    three = [Row("T", 15, 2, Fraction(1)), Row("T", 15, 2, Fraction(1)), Row("T", 1000, 100, Fraction(1))]
    assert proved(three, False, 104, 103) is not None
    assert proved(three, False, 104, 102) is None or proved(three, False, 104, 102) != proved(
        three, False, 104, 103
    )
