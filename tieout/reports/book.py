"""The workbook's paper: formats accountants expect, sheets set up for printing, amounts and live formulas written the one right way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from tieout.money import shown_decimal, shown_digits
from tieout.reports.data import ReportData, words

LARGEST_EXACT: Final = 10**15
"""Excel keeps 15 significant digits; a larger amount is written as text and kept out of formulas."""

Columns = Sequence[tuple[str, str, int]]
_CODES: Final = ("outcome_code", "secondary_codes")
_NUMBERS: Final = ("_minor", "_no", "_count")
"""How the names of columns of numbers end."""
_HEADS_OF_NUMBERS: Final = frozenset(
    [
        "Rows", "Storefront", "Intacct", "Difference", "Unexplained", "Left", "Right", "Amount", "Check", "Open", "Days", "Count",
        "Stated by the source", "Read", "Staged", "Held", "Records staged", "Reported", "Other business", "Does not stand", "Unaccounted for",
        "Storefront in period", "Intacct in period", "Difference over all periods", "Sales", "Less credits", "Recognised", "Invoiced in Intacct",
        "Documents", "Opening", "Dated back since", "New", "Cleared", "Changed", "Closing", "Line", "Debit or credit",
        "Ageing: open AR of the shops", "Applied across shops and other business", "Other business and reversed documents", "AR subledger",
        "Control accounts", "Documents that differ", "Control accounts in base currency",
    ]
)  # fmt: skip
"""Headings over numbers wherever they stand; so do those that begin with one of these words."""
_BEGIN_OF_NUMBERS: Final = ("of which ", "Of which ", "Items ", "In ")


class Book:
    """A workbook with the few formats accountants expect."""

    def __init__(self, path: Path, data: ReportData) -> None:
        self.data = data
        self.book = xlsxwriter.Workbook(
            str(path),
            {
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "nan_inf_to_errors": False,
                "default_date_format": "yyyy-mm-dd",
            },
        )
        stamp = data.as_of.replace(tzinfo=None)
        self.book.set_properties(
            {
                "title": data.title,
                "subject": data.period,
                "author": f"tieout {data.version}",
                "created": stamp,
            }
        )
        add = self.book.add_format
        self.title = add({"bold": True, "font_size": 16})
        heading = {
            "bold": True, "bg_color": "#1F3A5F", "font_color": "white", "border": 1, "text_wrap": True, "valign": "top",
        }  # fmt: skip
        # An indent counts only where the side is said; beside a number a text without one runs into it.
        left = {"valign": "top", "align": "left", "indent": 1}
        self.head = add({**heading, **left})
        self.head_of_numbers = add({**heading, "align": "right"})
        self.text = add(left)
        self.figure = add({"valign": "top", "align": "right"})
        self.wrap = add({"text_wrap": True, **left})
        self.note = add({"italic": True, "font_color": "#555555", "valign": "top"})
        self.bold = add({"bold": True})
        self.strong = add({"bold": True, **left})
        self.day = add({"num_format": "yyyy-mm-dd", **left})
        self.count = add({"num_format": "#,##0", "valign": "top"})
        self.good = add({"bold": True, "bg_color": "#D8EBD8", "border": 1})
        self.bad = add({"bold": True, "bg_color": "#F6D5D0", "border": 1})
        self.line = add({"bottom": 1})
        self._money: dict[tuple[int, bool], Any] = {}

    def money(self, currency: str, *, total: bool = False) -> Any:
        """The number format of a currency's own digits, negatives in parentheses; totals with a rule above and a double rule below."""
        digits = shown_digits(currency)
        if (digits, total) not in self._money:
            point = "." + "0" * digits if digits else ""
            spec: dict[str, Any] = {"num_format": f"#,##0{point};(#,##0{point});-", "valign": "top"}
            if total:
                spec |= {"bold": True, "top": 1, "bottom": 6}
            self._money[digits, total] = self.book.add_format(spec)
        return self._money[digits, total]

    def sheet(self, name: str, subtitle: str) -> Any:
        """A new sheet with a heading, set up for printing on one page width."""
        sheet = self.book.add_worksheet(name)
        sheet.write_string(0, 0, f"{self.data.title} – {name}", self.title)
        sheet.write_string(1, 0, subtitle, self.note)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer(f"&L{self.data.title}, {self.data.period}&C&A&RPage &P of &N")
        return sheet

    def heads(self, sheet: Any, row: int, names: Sequence[str], numbers: Collection[int] = ()) -> None:
        """A row of column headings, tall enough for two lines; the last one of a sheet stands on top of every printed page.

        Headings of numbers stand to the right, like the numbers; `numbers` are places of more of them than those known by name.
        """
        sheet.set_row(row, 32)
        sheet.repeat_rows(row)
        for at, name in enumerate(names):
            is_number = at in numbers or name in _HEADS_OF_NUMBERS or name.startswith(_BEGIN_OF_NUMBERS)
            sheet.write_string(row, at, name, self.head_of_numbers if is_number else self.head)

    def listing(self, sheet: Any, row: int, columns: Columns, rows: pl.DataFrame) -> None:
        """A list under its headings in `row`, with filters: amounts in their currency's format, dates as dates, codes as words.

        `columns`: name, heading and width of each. Texts do not wrap: not every program makes their rows taller. Rows have a `currency`.
        """
        numbers = [at for at, (name, *_) in enumerate(columns) if name.endswith(_NUMBERS)]
        self.heads(sheet, row, [title for _name, title, _width in columns], numbers)
        # Cell by cell, because the library writes cells; a sheet holds a bounded number of rows.
        for at, one in enumerate(rows.iter_rows(named=True), start=row + 1):
            for col, (name, _title, _width) in enumerate(columns):
                value = one[name]
                if value is None:
                    continue
                if name.endswith("_minor"):
                    self.amount(sheet, at, col, value, one["currency"])
                elif name == "on" or name.endswith("_on"):
                    sheet.write_datetime(at, col, value, self.day)
                elif name.endswith("_no"):
                    sheet.write_number(at, col, value, self.count)
                elif name in _CODES:
                    sheet.write_string(at, col, words(value), self.text)
                else:
                    sheet.write_string(at, col, value, self.text)
        for col, (_name, _title, width) in enumerate(columns):
            sheet.set_column(col, col, width)
        if rows.height:
            sheet.autofilter(row, 0, row + rows.height, len(columns) - 1)
        # A last text that is longer than its column would count for the width of the paper, and everything be printed tiny.
        sheet.print_area(0, 0, row + rows.height, len(columns) - 1)

    def amount(
        self, sheet: Any, row: int, col: int, minor: int | None, currency: str, *, total: bool = False
    ) -> None:
        """An amount as a number; as text when a double could not hold it exactly."""
        if minor is None:
            return
        if abs(minor) >= LARGEST_EXACT:
            sheet.write_string(row, col, str(shown_decimal(minor, currency)), self.text)
        else:
            sheet.write_number(row, col, shown_decimal(minor, currency), self.money(currency, total=total))

    def formula(
        self, sheet: Any, row: int, col: int, formula: str, minor: int, currency: str, *, total: bool = False
    ) -> None:
        """A live formula with the engine's figure as its cached value."""
        value: Decimal = shown_decimal(minor, currency)
        sheet.write_formula(row, col, formula, self.money(currency, total=total), value)

    def close(self) -> None:
        """Write the file. Raises `OSError` as the system gave it: the library wraps it in an error of its own."""
        try:
            self.book.close()
        except FileCreateError as fault:
            cause = fault.args[0] if fault.args else None
            raise (cause if isinstance(cause, OSError) else OSError(str(fault))) from None
