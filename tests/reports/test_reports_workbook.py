"""The workbook: reopened by another library, recalculated by an engine of its own, and attacked with formula-like names."""

from __future__ import annotations

import warnings

import openpyxl
import polars as pl
import pytest
from report_rows import order_row, report_data

from tieout.reports.workbook import write_workbook


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "reconciliation.xlsx"
    write_workbook(path, report_data())
    return path


def test_every_formula_recomputes_to_the_engines_figure(workbook):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import formulas

        solved = formulas.ExcelModel().loads(str(workbook)).finish().calculate()
    cached = openpyxl.load_workbook(workbook, data_only=True)
    live = openpyxl.load_workbook(workbook)
    compared = 0
    for sheet in live.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if not (isinstance(cell.value, str) and cell.value.startswith("=")):
                    continue
                key = f"'[{workbook.name}]{sheet.title.upper()}'!{cell.coordinate}"
                recomputed = solved[key].value[0, 0]
                stored = cached[sheet.title][cell.coordinate].value
                assert float(recomputed) == pytest.approx(float(stored), abs=1e-9), key
                compared += 1
    assert compared > 60


def test_the_checks_of_the_waterfall_and_the_unexplained_column_are_zero(workbook):
    book = openpyxl.load_workbook(workbook, data_only=True)
    lead = book["Lead"]
    heads = [cell.value for cell in lead[7]]
    column = heads.index("Unexplained")
    figures = [row[column].value for row in lead.iter_rows(min_row=8, max_row=11)]
    assert figures == [0, 0, 0, 0]


def test_text_like_a_formula_stays_text(tmp_path):
    nasty = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        '=HYPERLINK("http://x")',
        "http://example.test",
    ]
    rows = [order_row(f"w{at}", expected=100, actual=100, evidence=text) for at, text in enumerate(nasty)]
    path = tmp_path / "book.xlsx"
    write_workbook(path, report_data(rows))
    sheet = openpyxl.load_workbook(path)["Matched"]
    heads = [cell.value for cell in sheet[4]]
    column = heads.index("Why") + 1
    cells = [sheet.cell(row, column) for row in range(5, 5 + len(nasty))]
    assert sorted(cell.value for cell in cells) == sorted(nasty)
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.hyperlink is None for cell in cells)


def test_rows_beyond_the_limit_are_counted_and_still_in_the_totals(tmp_path):
    rows = [order_row(f"w{at:03}", expected=100 + at, actual=100 + at) for at in range(30)]
    path = tmp_path / "book.xlsx"
    write_workbook(path, report_data(rows), list_limit=10)
    book = openpyxl.load_workbook(path, data_only=True)
    assert "20 further rows" in book["Matched"]["A3"].value
    tie = book["Tie-out"]
    assert tie["F5"].value == 30
    assert tie["G5"].value == pytest.approx(sum(100 + at for at in range(30)) / 100)


def test_amounts_beyond_fifteen_digits_are_text_not_wrong(tmp_path):
    huge = 9_007_199_254_740_993_00
    path = tmp_path / "book.xlsx"
    write_workbook(path, report_data([order_row("w1", expected=huge, actual=huge)]))
    sheet = openpyxl.load_workbook(path)["Matched"]
    heads = [cell.value for cell in sheet[4]]
    assert sheet.cell(5, heads.index("Storefront") + 1).value == "9007199254740993.00"


def test_an_empty_reconciliation_prints(tmp_path):
    data = report_data()
    empty = type(data)(
        **{
            **data.__dict__,
            "orders": data.orders.clear(),
            "waterfall": data.waterfall.clear(),
            "ageing": data.ageing.clear(),
            "proofs": data.proofs.clear(),
            "held": pl.DataFrame(),
            "waiting": pl.DataFrame(),
        }
    )
    write_workbook(tmp_path / "book.xlsx", empty)
    assert openpyxl.load_workbook(tmp_path / "book.xlsx")["Errors"]["A3"].value == "None."
