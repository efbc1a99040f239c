"""The sheet of a close that says what the period's sales, credits and invoices are made of."""

from __future__ import annotations

from xlsxwriter.utility import xl_col_to_name

from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.data import words


def write_components(book: Book, report: CloseReport) -> None:
    """The sheet: goods, discount, shipping, tax and the rest on both sides, with live totals per currency."""
    sheet = book.sheet(
        "Components",
        "What the period's sales, credits and invoices are made of; each column adds up to its step of the waterfall.",
    )
    heads = [
        "Currency",
        "Component",
        "Sales",
        "Less credits",
        "Recognised",
        "Invoiced in Intacct",
        "Difference",
    ]
    book.heads(sheet, 3, heads)
    row = 4
    for (currency,), block in report.tables["components"].group_by(["currency"], maintain_order=True):
        first = row + 1
        for one in block.iter_rows(named=True):
            sheet.write_string(row, 0, one["currency"], book.text)
            sheet.write_string(row, 1, words(one["component_code"]), book.text)
            for col, name in ((2, "sales_minor"), (3, "credits_minor"), (5, "invoiced_minor")):
                book.amount(sheet, row, col, one[name], one["currency"])
            book.formula(sheet, row, 4, f"=C{row + 1}+D{row + 1}", one["recognised_minor"], one["currency"])
            book.formula(sheet, row, 6, f"=E{row + 1}-F{row + 1}", one["delta_minor"], one["currency"])
            row += 1
        sheet.write_string(row, 1, "Total", book.bold)
        for col, name in enumerate(("sales", "credits", "recognised", "invoiced", "delta"), start=2):
            column = xl_col_to_name(col)
            minor = int(block[f"{name}_minor"].sum())
            book.formula(
                sheet, row, col, f"=SUM({column}{first}:{column}{row})", minor, str(currency), total=True
            )
        row += 2
    if row == 4:
        sheet.write_string(row, 0, "Nothing was recognised or invoiced in the period.", book.note)
    sheet.set_column(0, 0, 10)
    sheet.set_column(1, 1, 18)
    sheet.set_column(2, 6, 20)
    sheet.freeze_panes(4, 2)
