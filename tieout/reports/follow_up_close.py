"""Payouts and drafts in print: what the providers paid out against the money that moved, and what waits for a person's approval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl
from xlsxwriter.utility import xl_col_to_name

from tieout.money import shown_decimal
from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.data import money, words

PAYOUTS: Final = "Payouts"
DRAFTS: Final = "Drafts"
LISTED: Final = 200
_LIST: Final = (
    ("outcome_code", "Outcome", 24), ("family_code", "Family", 12), ("currency", "Currency", 10), ("storefront", "Storefront", 14),
    ("order_ref", "Order", 22), ("tender_code", "Tender", 14), ("payouts", "Payouts", 20), ("occurred_on", "Moved (UTC)", 12),
    ("paid_out_on", "Paid out (UTC)", 12), ("moved_minor", "Moved", 14), ("gross_minor", "Gross paid out", 14), ("delta_minor", "Difference", 14),
    ("fee_minor", "Fee kept", 12), ("scheduled_fee_minor", "Fee agreed", 12), ("net_minor", "Net", 14), ("evidence", "Why", 60),
)  # fmt: skip
_SUMS: Final = ("moved_minor", "gross_minor", "delta_minor", "fee_minor", "net_minor")
_HEADS: Final = ["Draft", "Kind", "State", "Currency", "Amount", "Document", "Reason", "What it does"]
_LINE_HEADS: Final = ["Draft", "Line", "Account", "Currency", "Debit or credit", "Decision", "For people"]


def loudest_first(rows: pl.DataFrame, *ties: str) -> pl.DataFrame:
    """Errors before what waits and what is explained, the largest difference first; `ties` decide between equals."""
    order = {"error": 0, "ambiguous": 1, "timing": 2, "explained": 3}
    return rows.sort(
        pl.col("family_code").replace_strict(order, default=4, return_dtype=pl.Int64),
        pl.col("delta_minor").abs(),
        *ties,
        descending=[False, True, *[False] * len(ties)],
        nulls_last=True,
    )


def sums_told(rows: pl.DataFrame, names: Sequence[str]) -> list[dict[str, str]]:
    """Per currency how many rows there are and what these columns come to, as the page says it."""
    sums = rows.group_by("currency").agg(pl.len(), pl.col(*names).sum()).sort("currency")
    return [
        {
            "currency": one["currency"],
            "count": f"{one['len']:,}",
            **{name.removesuffix("_minor"): money(one[name], one["currency"]) for name in names},
        }
        for one in sums.iter_rows(named=True)
    ]


def write_follow_up(book: Book, report: CloseReport, limit: int) -> None:
    """Both sheets."""
    _payouts(book, report, limit)
    _drafts(book, report)


def _payouts(book: Book, report: CloseReport, limit: int) -> None:
    rows = loudest_first(report.tables["settlements"], "group_ref")
    sheet = book.sheet(
        PAYOUTS,
        "Money that moved or was paid out in the period, against the payouts of its provider; fees against the schedule, rates as stated.",
    )
    if rows.is_empty():
        sheet.write_string(3, 0, "No payout was read, so nothing is compared with payouts.", book.note)
        return
    write_sums_and_rows(book, sheet, rows, _LIST, _SUMS, limit, "settlements")


def write_sums_and_rows(
    book: Book,
    sheet: Any,
    rows: pl.DataFrame,
    listing: Sequence[tuple[str, str, int]],
    sums: Sequence[str],
    limit: int,
    table: str,
) -> None:
    """Sums by currency as formulas over the list below them, and the list: the first `limit` rows, the others counted and in the sums.

    `listing` names columns with their titles and widths; `sums` those summed, in its order; `table` the Parquet file of all rows.
    """
    shown, rest = rows.head(limit), rows.slice(limit)
    currencies = sorted(rows["currency"].unique())
    first = 8 + len(currencies)  # the first row of the list, counted from 1
    last = first + shown.height - 1
    columns = {name: xl_col_to_name(at) for at, (name, _title, _width) in enumerate(listing)}
    book.heads(
        sheet,
        3,
        [
            "Currency",
            "Rows",
            *(title for name, title, _width in listing if name in sums),
            "of which differences to look into",
        ],
    )
    for row, currency in enumerate(currencies, start=4):
        mine, beyond = (
            rows.filter(pl.col("currency") == currency),
            rest.filter(pl.col("currency") == currency),
        )
        sheet.write_string(row, 0, currency, book.text)
        sheet.write_number(row, 1, mine.height, book.count)
        for col, name in enumerate(sums, start=2):
            formula = f"=SUMIFS({_span(columns[name], first, last)},{_span(columns['currency'], first, last)},A{row + 1})"
            if beyond.height:
                formula += f"+({shown_decimal(int(beyond[name].sum()), currency)})"
            book.formula(sheet, row, col, formula, int(mine[name].sum()), currency, total=True)
        sheet.write_number(row, 2 + len(sums), mine.filter(pl.col("family_code") == "error").height, book.count)  # fmt: skip
    if rest.height:
        sheet.write_string(first - 3, 0, f"{rest.height:,} more stand in data/{table}.parquet.", book.note)
    book.listing(sheet, first - 2, listing, shown)


def _span(column: str, first: int, last: int) -> str:
    return f"${column}${first}:${column}${last}"


def _drafts(book: Book, report: CloseReport) -> None:
    heads, lines = report.tables["drafts"], report.tables["draft_lines"]
    sheet = book.sheet(
        DRAFTS,
        "What ought to be posted because of a decision or a finding. Nothing of it is sent before another person approves it.",
    )
    if heads.is_empty():
        sheet.write_string(3, 0, "Nothing is drafted.", book.note)
        return
    book.heads(sheet, 3, _HEADS)
    row = 4
    for one in heads.iter_rows(named=True):
        for col, text in enumerate([one["draft_id"], one["kind_code"], one["state_code"], one["currency"]]):
            sheet.write_string(row, col, text, book.text)
        book.amount(sheet, row, 4, one["amount_minor"], one["currency"])
        for col, text in enumerate([one["ledger_ref"], one["reason_code"], one["sentence"]], start=5):
            sheet.write_string(row, col, text or "", book.wrap if col == 7 else book.text)
        row += 1
    if lines.height:
        row += 1
        book.heads(sheet, row, _LINE_HEADS)
        for (draft,), block in lines.group_by(["draft_id"], maintain_order=True):
            start = row + 2
            for one in block.iter_rows(named=True):
                row += 1
                sheet.write_string(row, 0, draft, book.text)
                sheet.write_number(row, 1, one["line_no"], book.count)
                sheet.write_string(row, 2, one["account_code"] or "no control account", book.text)
                sheet.write_string(row, 3, one["currency"], book.text)
                book.amount(sheet, row, 4, one["amount_minor"], one["currency"])
                sheet.write_string(row, 5, one["decision_id"] or "", book.text)
                sheet.write_string(row, 6, one["memo"], book.wrap)
            row += 1
            sheet.write_string(row, 0, "balances", book.bold)
            book.formula(
                sheet, row, 4, f"=ROUND(SUM(E{start}:E{row}),4)", 0, block["currency"][0], total=True
            )
    sheet.set_column(0, 3, 16)
    sheet.set_column(4, 4, 18)
    sheet.set_column(5, 6, 24)
    sheet.set_column(7, 7, 90)


def page_part(report: CloseReport) -> dict[str, Any]:
    """Both sections of the page: sums by currency and the rows that are not plainly explained; drafts."""
    rows = report.tables["settlements"]
    odd = loudest_first(rows.filter(~pl.col("family_code").is_in(["matched", "explained"])), "group_ref")
    return {
        "payouts": sums_told(rows, _SUMS),
        "odd": [
            {
                **one,
                "what": words(one["outcome_code"]),
                "name": one["order_ref"] or one["payouts"] or one["group_ref"],
                "delta": money(one["delta_minor"] or 0, one["currency"]),
            }
            for one in odd.head(LISTED).iter_rows(named=True)
        ],
        "more": max(0, odd.height - LISTED),
        "drafts": [
            {**one, "amount": money(one["amount_minor"], one["currency"])}
            for one in report.tables["drafts"].head(LISTED).iter_rows(named=True)
        ],
    }
