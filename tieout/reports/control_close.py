"""The control account in print: what a close says of the general ledger on its cover and page, and its sheet of the workbook."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from xlsxwriter.utility import xl_col_to_name

from tieout.money import shown_decimal
from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.data import money, words

SHEET: Final = "Control account"
LISTED: Final = 200
_SUMS: Final = (
    "ageing", "across", "other", "subledger", "gl", "difference", "timing", "error",
)  # fmt: skip
_BALANCE_HEADS: Final = [
    "Entity", "Currency", "Ageing: open AR of the shops", "Applied across shops and other business", "Other business and reversed documents",
    "AR subledger", "Control accounts", "Difference", "of which timing", "of which errors", "Check", "Documents that differ", "Base currency",
    "Control accounts in base currency",
]  # fmt: skip
_LIST: Final = (
    ("outcome_code", "Outcome", 18), ("currency", "Currency", 12), ("family_code", "Family", 14), ("document_kind", "Kind", 14),
    ("document_ref", "Record", 14), ("document_number", "Number", 18), ("customer_id", "Customer", 18), ("document_on", "Dated in AR", 14),
    ("posted_on", "Dated in the ledger", 14), ("accounts", "Accounts", 14), ("subledger_minor", "AR subledger", 16), ("gl_minor", "Control accounts", 16),
    ("delta_minor", "Difference", 16), ("evidence", "Why", 60),
)  # fmt: skip


def verdict(report: CloseReport) -> tuple[str, str]:
    """What the close says of the general ledger, in a sentence, and its mood: good, bad, or empty text where only dates differ."""
    ledger, listed = report.facts["ledger"], report.tables["control_differences"]
    if ledger["said"]:
        said = str(ledger["said"])
        return said[0].upper() + said[1:] + ".", "bad"
    accounts = ("account " if len(ledger["accounts"]) == 1 else "accounts ") + ", ".join(ledger["accounts"])
    day = report.last_on
    if listed.is_empty():
        return (
            f"Tied to the general ledger: ageing, subledger and control {accounts} agree as of {day}.",
            "good",
        )
    errors = listed.filter(pl.col("family_code") != "timing").height
    if not errors:
        return (
            f"Tied to the general ledger, control {accounts}, but for {_count(listed.height, 'difference')} of dates as of {day}.",
            "",
        )
    return (
        f"Differs from the general ledger, control {accounts}: {_count(errors, 'error')} and {_count(listed.height - errors, 'difference')} of dates as of {day}.",
        "bad",
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def write_sheet(book: Book, report: CloseReport, limit: int) -> None:
    """The sheet: balances with live formulas over the list of differences below them."""
    said, _mood = verdict(report)
    sheet = book.sheet(SHEET, said)
    sums, listed = report.tables["control"], report.tables["control_differences"]
    shown, rest = listed.head(limit), listed.slice(limit)
    first = 8 + sums.height  # the first row of the list, counted from 1
    last = first + max(shown.height, 1) - 1
    if sums.height:
        book.heads(sheet, 3, _BALANCE_HEADS)
    elif not report.facts["ledger"]["said"]:
        sheet.write_string(3, 0, "Neither side has a balance at the end of the period.", book.note)
    for row, one in enumerate(sums.iter_rows(named=True), start=4):
        _balance(book, sheet, row, one, rest, (first, last))
    if listed.is_empty():
        return
    row = first - 2
    if rest.height:
        sheet.write_string(
            row - 1, 0, f"{rest.height:,} more stand in data/control_differences.parquet.", book.note
        )
    book.listing(sheet, row, _LIST, shown)


def _balance(
    book: Book, sheet: Any, row: int, one: dict[str, Any], rest: pl.DataFrame, spot: tuple[int, int]
) -> None:
    currency, line = one["currency"], row + 1
    sheet.write_string(row, 0, one["entity_code"], book.text)
    sheet.write_string(row, 1, currency, book.text)
    for col, name in ((2, "ageing"), (3, "across"), (4, "other"), (6, "gl")):
        book.amount(sheet, row, col, one[f"{name}_minor"], currency)
    book.formula(sheet, row, 5, f"=C{line}+D{line}+E{line}", one["subledger_minor"], currency, total=True)
    book.formula(sheet, row, 7, f"=F{line}-G{line}", one["difference_minor"], currency)
    columns = {name: xl_col_to_name(at) for at, (name, _title, _width) in enumerate(_LIST)}

    def span(name: str) -> str:
        return f"${columns[name]}${spot[0]}:${columns[name]}${spot[1]}"

    for col, name, test in ((8, "timing", '"timing"'), (9, "error", '"<>timing"')):
        formula = f"=SUMIFS({span('delta_minor')},{span('currency')},B{line},{span('family_code')},{test})"
        timing = pl.col("family_code") == "timing"
        beyond = rest.filter(pl.col("currency") == currency, timing if name == "timing" else ~timing)
        if beyond.height:
            formula += f"+({shown_decimal(int(beyond['delta_minor'].sum()), currency)})"
        book.formula(sheet, row, col, formula, one[f"{name}_minor"], currency)
    book.formula(sheet, row, 10, f"=ROUND(H{line}-I{line}-J{line},4)", 0, currency, total=True)
    sheet.write_number(row, 11, one["difference_count"], book.count)
    if one["base_currency"] is not None:
        sheet.write_string(row, 12, one["base_currency"], book.text)
        book.amount(sheet, row, 13, one["base_gl_minor"], one["base_currency"])


def page_part(report: CloseReport) -> dict[str, Any]:
    """The section of the page: the sentence, the balances, and the first differences."""
    said, mood = verdict(report)
    listed = report.tables["control_differences"]
    return {
        "said": said,
        "mood": mood,
        "balances": [
            {
                "currency": one["currency"],
                **{name: money(one[f"{name}_minor"], one["currency"]) for name in _SUMS},
            }
            for one in report.tables["control"].iter_rows(named=True)
        ],
        "listed": [
            {
                **one,
                "what": words(one["outcome_code"]),
                "name": one["document_number"] or one["document_ref"],
                **{
                    name: money(one[f"{name}_minor"], one["currency"])
                    for name in ("subledger", "gl", "delta")
                },
            }
            for one in listed.head(LISTED).iter_rows(named=True)
        ],
        "more": max(0, listed.height - LISTED),
    }
