"""The cash leg of refunds in print: what was paid back against the journal entries posted for it."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.data import money, words
from tieout.reports.follow_up_close import loudest_first, sums_told, write_sums_and_rows

REFUNDS: Final = "Refunds"
LISTED: Final = 200
_LIST: Final = (
    ("outcome_code", "Outcome", 24), ("family_code", "Family", 12), ("currency", "Currency", 10), ("storefront", "Storefront", 14),
    ("order_number", "Order", 16), ("gateway_ref", "Reference", 26), ("tender_code", "Tender", 14), ("owed_on", "Paid back on", 12),
    ("posted_on", "Posted on", 12), ("batches", "Journal entry", 14), ("expected_minor", "Paid back", 14), ("actual_minor", "Posted", 14),
    ("delta_minor", "Difference", 14), ("evidence", "Why", 60),
)  # fmt: skip
_EVENT: Final = ("storefront", "order_ref", "event_ref")
_SUMS: Final = ("expected_minor", "actual_minor", "delta_minor")


def write_refunds(book: Book, report: CloseReport, limit: int) -> None:
    """The sheet: sums by currency over all rows, and the rows, those to look into first."""
    rows = loudest_first(report.tables["refund_entries"], *_EVENT)
    sheet = book.sheet(
        REFUNDS,
        "Money paid back in the period, or posted in it, against the journal entries of the general ledger.",
    )
    if rows.is_empty():
        sheet.write_string(3, 0, "No refund is compared with a journal entry.", book.note)
        return
    write_sums_and_rows(book, sheet, rows, _LIST, _SUMS, limit, "refund_entries")


def page_part(report: CloseReport) -> dict[str, Any]:
    """The section of the page: sums by currency, and the rows that are not plainly as they should be."""
    rows = report.tables["refund_entries"]
    odd = loudest_first(
        rows.filter(~pl.col("family_code").is_in(["matched", "explained", "outside"])), *_EVENT
    )
    return {
        "sums": sums_told(rows, _SUMS),
        "odd": [
            {
                **one,
                "what": words(one["outcome_code"]),
                "name": one["order_number"] or one["order_ref"],
                "delta": money(one["delta_minor"], one["currency"]),
            }
            for one in odd.head(LISTED).iter_rows(named=True)
        ],
        "more": max(0, odd.height - LISTED),
    }
