"""A report of rows that lie in files, in any order and in any number of parts, is the report of the same rows in memory, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_rows import order_row, report_data

from tieout.reports import folder, listing, rows
from tieout.reports.data import ReportData
from tieout.reports.workbook import write_workbook
from tieout.vocabulary import PRECEDENCE

CALM = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BY = ["group_ref", "entity_code", "currency"]


@st.composite
def trade(draw: Any) -> ReportData:
    """Rows of several outcomes, places and sizes; some groups have a row in each of two currencies."""
    made = []
    for number in range(draw(st.integers(1, 25))):
        currencies = draw(st.sampled_from([("USD",), ("EUR",), ("KWD",), ("EUR", "USD")]))
        for currency in currencies:
            code = draw(st.sampled_from(["matched", "missing_invoice", "amount_tax", "cut_off", "ambiguous"]))
            size = draw(st.integers(-3, 3))
            made.append(
                order_row(f"w{number}", currency=currency, expected=500, actual=500 - size, outcome=code)
            )
    return report_data(made)


def in_parts(data: ReportData, folder_: Path, cuts: list[int], order: Any) -> ReportData:
    """The same report data with its orders in Parquet files, shuffled and cut."""
    frame = data.orders.lazy().collect()
    shuffled = list(range(frame.height))
    order.shuffle(shuffled)
    frame = frame[shuffled]
    folder_.mkdir(parents=True, exist_ok=True)
    edges = [0, *sorted({cut % (frame.height + 1) for cut in cuts}), frame.height]
    paths = []
    for at, (low, high) in enumerate(pairwise(edges)):
        paths.append(folder_ / f"part-{at}.parquet")
        frame[low:high].write_parquet(paths[-1], row_group_size=4)
    return replace(data, orders=pl.scan_parquet(paths))


@CALM
@given(
    data=trade(),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    order=st.randoms(use_true_random=False),
    batch=st.integers(1, 9),
)
def test_parts_batches_and_order_leave_no_trace(
    data: ReportData, cuts: list[int], order: Any, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = data.orders.lazy().collect().sort(BY)
    whole = replace(data, orders=ordered)
    parted = in_parts(data, tmp_path / "parts", cuts, order)
    folder.write_report(tmp_path / "whole", whole)
    with monkeypatch.context() as patch:
        for function in (rows.batches, rows.in_order):
            patch.setattr(function, "__defaults__", (batch,))
        folder.write_report(tmp_path / "parted", parted)
    left, right = (
        json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))
        for name in ("whole", "parted")
    )
    assert left == right
    assert pl.read_parquet(tmp_path / "parted" / "orders.parquet").equals(ordered)


def test_the_sheet_and_the_page_list_the_largest_and_name_the_file_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LIST_LIMIT", 10)
    errors = [
        order_row(f"w{at:03}", expected=100 + at, actual=0, outcome="missing_invoice") for at in range(25)
    ]
    data = report_data([*errors, order_row("x", expected=5, actual=5)])
    write_workbook(tmp_path / "book.xlsx", data, list_limit=10)
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)["Errors"]
    said = sheet["A3"].value
    assert said.startswith("15 further rows are not listed here: these are the first 10")
    assert "orders.parquet (25 of this family there)" in said
    column = [cell.value for cell in sheet[4]].index("Order") + 1
    assert [sheet.cell(row, column).value for row in range(5, 15)] == [
        f"W{at:03}" for at in range(24, 14, -1)
    ]
    assert sheet.cell(15, column).value is None


def test_every_outcome_keeps_rows_of_its_own_however_many_another_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "LIST_LIMIT", 3)
    codes = ["missing_invoice", "amount_tax", "matched"]
    made = [order_row(f"{code}{at}", expected=9, actual=1, outcome=code) for code in codes for at in range(7)]
    found = report_data(made).listing
    listed = dict(found.listed.group_by("outcome_code").len().iter_rows())
    assert listed == dict.fromkeys(codes, 3)
    assert found.listed["outcome_code"].to_list() == sorted(
        found.listed["outcome_code"], key=PRECEDENCE.index
    )
    assert found.totals["row_count"].sum() == 21


@CALM
@given(keys=st.lists(st.sampled_from([f"k{n:02}" for n in range(12)]), max_size=40), most=st.integers(1, 12))
def test_ranges_hold_every_row_once_and_in_order(keys: list[str], most: int, tmp_path: Path) -> None:
    frame = pl.DataFrame({"key": keys, "n": range(len(keys))}, schema={"key": pl.String, "n": pl.Int64})
    frame.write_parquet(tmp_path / "rows.parquet")
    parts = list(rows.in_order(pl.scan_parquet(tmp_path / "rows.parquet"), ["key", "n"], most))
    assert pl.concat(parts).equals(frame.sort("key", "n"))
    first = [set(part["key"]) for part in parts]
    assert all(one.isdisjoint(other) for at, one in enumerate(first) for other in first[at + 1 :])


@pytest.mark.parametrize("sizes", [[0], [0, 0], [5], [99_999, 2, 100_001], [1] * 50])
def test_how_rows_are_handed_over_does_not_show_in_the_file(sizes: list[int], tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": range(sum(sizes))}, schema={"n": pl.Int64})
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    parts = [frame.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
    assert rows.write_parquet(tmp_path / "parts.parquet", parts) == frame.height
    rows.write_parquet(tmp_path / "whole.parquet", [frame])
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "parts.parquet").equals(frame)
