"""Charts: bars stand where their figures say, axes are round and hold every value, nothing in a name is markup."""

from __future__ import annotations

import re

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tieout.reports import charts
from tieout.reports.drawing import axis_of

_BOX = re.compile(r'aria-label="([^"]+)">.*?<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"')


def boxes(svg: str) -> dict[str, tuple[float, float]]:
    """What each bar says, with its left and right edge in pixels."""
    return {said: (float(x), float(x) + float(width)) for said, x, width in _BOX.findall(svg)}


def steps(*rows: tuple[str, bool, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"step_no": at, "step_code": "held", "label": name, "is_total": total, "amount_minor": amount}
            for at, (name, total, amount) in enumerate(rows)
        ]
    )


def test_each_step_of_a_bridge_begins_where_the_one_before_ended():
    found = boxes(
        charts.waterfall(
            steps(
                ("Moved", True, 10_000),
                ("Prepaid", False, -2_500),
                ("Late", False, 500),
                ("Receipts", True, 8_000),
            ),
            "USD",
            "T",
        )
    )
    moved, prepaid, late, receipts = found.values()
    assert prepaid[1] == moved[1]
    assert late[0] == prepaid[0]
    assert late[1] == receipts[1]
    assert moved[0] == receipts[0]
    assert (prepaid[1] - prepaid[0]) * 4 == moved[1] - moved[0]


def test_a_bar_says_its_amount_and_leads_to_its_rows():
    rows = pl.DataFrame(
        {"outcome_code": ["held"], "family_code": ["timing"], "row_count": [3], "delta_minor": [-1_234]}
    )
    drawn = charts.differences(rows, "USD", "T")
    assert 'href="#code-held"' in drawn
    assert "held: -12.34 USD in 3 rows" in drawn
    assert charts.differences(rows.with_columns(delta_minor=0), "USD", "T") == ""


def test_open_amounts_stand_above_their_age():
    rows = pl.DataFrame({"bucket_code": ["1-30", "over_90", "1-30"], "open_minor": [400, 900, 100]})
    found = charts.ageing(rows, "USD", "T")
    assert [said for said, _x, _w in _BOX.findall(found)] == [
        "not due: 0.00 USD",
        "1-30: 5.00 USD",
        "31-60: 0.00 USD",
        "61-90: 0.00 USD",
        "over 90: 9.00 USD",
    ]
    assert charts.ageing(rows.with_columns(open_minor=0), "USD", "T") == ""


def test_a_name_with_markup_is_text():
    drawn = charts.waterfall(steps(("<script>&", True, 1), ("b", True, 1)), "USD", 'A "title" <b>')
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert "&lt;script&gt;&amp;" in drawn


@given(st.lists(st.integers(-(10**15), 10**15), max_size=8))
def test_an_axis_is_round_holds_every_value_and_has_few_lines(values):
    axis = axis_of(values, 620, 2)
    assert axis.low <= min(0, *values, 0)
    assert axis.high >= max(0, *values, 0)
    assert 2 <= len(axis.ticks) <= 10
    assert str(axis.step)[0] in "125"
    assert set(str(axis.step)[1:]) <= {"0"}
    assert (axis.at(axis.low), axis.at(axis.high)) == (0, 6200)
    assert all(
        axis.at(small) <= axis.at(large) for small, large in zip(axis.ticks, axis.ticks[1:], strict=False)
    )


def test_figures_below_the_lines_have_decimals_only_where_a_step_has():
    assert axis_of([3], 620, 2).text(2) == "0.02"
    assert axis_of([123_456], 620, 2).text(100_000) == "1,000"
