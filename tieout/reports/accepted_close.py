"""What was accepted in print: the tolerance budget, what no person looked at, and what people decided."""

from __future__ import annotations

import polars as pl

from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.data import TIE_OUTS, words


def write_accepted(book: Book, report: CloseReport) -> None:
    """Both sheets."""
    _tolerance(book, report)
    _decisions(book, report)


def _tolerance(book: Book, report: CloseReport) -> None:
    sheet = book.sheet(
        "Tolerance",
        "What was accepted without a person looking. Many small amounts one way are a finding, whatever each of them is.",
    )
    rules = [(name, value) for name, value in report.facts["parameters"] if name.startswith("Tolerance")]
    for row, (name, value) in enumerate(rules, start=3):
        sheet.write_string(row, 0, name, book.bold)
        sheet.write_string(row, 1, value, book.text)
    row = 4 + len(rules)
    book.heads(
        sheet,
        row,
        ["Tie-out", "Entity", "Currency", "Rows", "Intacct below the shop", "Intacct above the shop", "Net"],
    )
    row += 1
    for one in report.tables["absorbed"].iter_rows(named=True):
        sheet.write_string(row, 0, TIE_OUTS.get(one["tie_out"], words(one["tie_out"])), book.text)
        sheet.write_string(row, 1, one["entity_code"], book.text)
        sheet.write_string(row, 2, one["currency"], book.text)
        sheet.write_number(row, 3, one["row_count"], book.count)
        book.amount(sheet, row, 4, one["under_minor"], one["currency"])
        book.amount(sheet, row, 5, one["over_minor"], one["currency"])
        book.formula(
            sheet,
            row,
            6,
            f"=E{row + 1}+F{row + 1}",
            one["under_minor"] + one["over_minor"],
            one["currency"],
            total=True,
        )
        row += 1
    if report.tables["absorbed"].is_empty():
        sheet.write_string(row, 0, "Nothing was accepted within a tolerance.", book.note)
        row += 1
    row += 1
    book.heads(
        sheet,
        row,
        [
            "Tie-out",
            "Account",
            "Currency",
            "Rows",
            "Direction",
            "Amount",
            "Accepted in the currency",
            "Cap",
            "Rows the other way",
            "Chance of so one-sided a split",
        ],
    )
    for one in report.tables.get("tolerated", pl.DataFrame()).iter_rows(named=True):
        row += 1
        for col, text in (
            (0, TIE_OUTS.get(one["tie_out"], one["tie_out"])),
            (1, one["account_code"] or "not known"),
            (2, one["currency"]),
        ):
            sheet.write_string(row, col, text, book.text)
        sheet.write_number(row, 3, one["row_count"], book.count)
        sheet.write_string(
            row,
            4,
            "Intacct below the shop" if one["direction"] == "under" else "Intacct above the shop",
            book.text,
        )
        book.amount(sheet, row, 5, one["amount_minor"], one["currency"])
        book.amount(sheet, row, 6, one["currency_used_minor"], one["currency"])
        book.amount(sheet, row, 7, one["cap_minor"], one["currency"])
        sheet.write_number(row, 8, one["other_count"], book.count)
        trend = ", a trend to look into" if one["is_trend"] else ""
        sheet.write_string(
            row, 9, f"{one['chance_ppm']:,} in a million{trend}", book.bad if one["is_trend"] else book.text
        )
    sheet.set_column(0, 1, 30)
    sheet.set_column(2, 9, 24)


def _decisions(book: Book, report: CloseReport) -> None:
    sheet = book.sheet("Decisions", "What people decided and noted, as of the printing of this book.")
    row = 3
    for title, name in (("Decisions on differences", "decisions"), ("Notes on open items", "notes")):
        frame = report.tables.get(name, pl.DataFrame())
        sheet.write_string(row, 0, title, book.bold)
        row += 1
        if frame.is_empty():
            sheet.write_string(row, 0, "None.", book.note)
            row += 2
            continue
        book.heads(sheet, row, [words(column) for column in frame.columns])
        for one in frame.iter_rows():
            row += 1
            for col, value in enumerate(one):
                if value is not None:
                    sheet.write_string(row, col, str(value), book.text)
        row += 2
    sheet.set_column(0, 12, 22)
