"""The workbook of a close: cover with sign-offs, completeness and accuracy, then the sheets of every reconciliation, the base-currency waterfall,
the roll-forward of open items with their register, the tolerance budget, and what people decided and noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl
from xlsxwriter.utility import xl_col_to_name

from tieout.money import shown_decimal
from tieout.reports.accepted_close import write_accepted
from tieout.reports.book import Book
from tieout.reports.closing import CloseReport
from tieout.reports.components_close import write_components
from tieout.reports.control_close import SHEET as CONTROL
from tieout.reports.control_close import verdict, write_sheet
from tieout.reports.data import TIE_OUTS, words
from tieout.reports.follow_up_close import DRAFTS, PAYOUTS, write_follow_up
from tieout.reports.listing import LIST_LIMIT
from tieout.reports.refunds_close import REFUNDS, write_refunds
from tieout.reports.workbook import fill

STANDING: Final = {
    "closed": ("CLOSED, NOT SIGNED", "bad"),
    "prepared": ("SIGNED BY THE PREPARER, NOT REVIEWED", "bad"),
    "locked": ("SIGNED BY PREPARER AND REVIEWER: LOCKED", "good"),
    "suspended": ("SIGN-OFF SUSPENDED: RECORDS MOVED AFTER THE LOCK", "bad"),
    "open": ("REOPENED: SIGNATURES ARE VOID", "bad"),
    "replaced": ("REPLACED BY A LATER REVISION", "bad"),
}
"""What a close's standing is called in print."""

EVENT_WORDS: Final = {
    "closed": "Closed",
    "prepared": "Signed as preparer",
    "locked": "Signed as reviewer, locked",
    "voided": "Signatures void",
    "suspended": "Sign-off suspended",
    "reinstated": "Accepted by the reviewer",
    "reopened": "Reopened",
}
_SHEETS: Final = (
    ("Completeness", "What was read, staged and reported, with counts, sums and hashes"),
    ("Lead", "Both tie-outs in one table, and every proof"),
    ("Tie-out", "Every outcome with count and amount"),
    ("Waterfall", "From gross orders to invoiced to open, per store and currency"),
    ("Base currency", "The same in the entity's base currency, at Intacct's own rates"),
    ("Components", "What the period is made of: goods, discount, shipping, tax, gift cards"),
    ("Roll-forward", "Open items: opening, movements, closing"),
    ("Open items", "The register: every item, its age, owner and next step"),
    ("Ageing", "Open AR by age as of the period's end"),
    (CONTROL, "Ageing, AR subledger and the balance of the control accounts, with every difference"),
    (PAYOUTS, "What providers paid out against the money that moved; fees and rates"),
    ("Errors", "Differences that need a correction"),
    ("Ambiguous", "Matches nobody may guess"),
    ("Timing", "Differences of dates, with their clearing"),
    ("Explained", "Differences that are proved or accepted"),
    ("Tolerance", "What was accepted without a person looking, and its cap"),
    ("Decisions", "What people decided, with reason and author"),
    (REFUNDS, "Money paid back against the journal entries posted for it"),
    (DRAFTS, "Journals and reversals that wait for an approval or were given one"),
    ("Parameters and sources", "Every policy these figures were made under"),
)
_REGISTER: Final = (
    ("item_id", "Item", 14), ("kind_code", "Kind", 10), ("entity_code", "Entity", 9), ("currency", "Currency", 9), ("order_number", "Order", 12),
    ("documents", "Documents", 22), ("customer", "Customer", 20), ("outcome_code", "Outcome", 22), ("state_code", "State", 9),
    ("first_period", "First open in", 11), ("since_on", "Since", 11), ("days_no", "Age in days", 8), ("opening_minor", "Opening", 14),
    ("restated_minor", "Dated back since", 14), ("new_minor", "New", 14), ("cleared_minor", "Cleared", 14), ("changed_minor", "Changed", 14),
    ("closing_minor", "Closing", 14), ("cleared_on", "Agreed after the period on", 12), ("owner", "Owner", 16), ("next_step", "Next step", 30),
    ("note", "Note", 40), ("evidence", "Why", 60),
)  # fmt: skip
_COUNTS: Final = ("opening_count", "restated_count", "new_count", "cleared_count", "closing_count")
MOVEMENTS: Final = (
    "opening_minor",
    "restated_minor",
    "new_minor",
    "cleared_minor",
    "changed_minor",
    "closing_minor",
)
_SOURCE_HEADS: Final = ["Source", "Subject", "Stated by the source", "Read", "Staged", "Held", "When"]


def write_close_workbook(
    path: Path, report: CloseReport, content: Mapping[str, Any], *, list_limit: int = LIST_LIMIT
) -> None:
    """Write the workbook of a close to `path`; `content` is what a signature is bound to, printed as hashes."""
    book = Book(path, report.data)
    cover = book.sheet(
        "Cover", f"{report.facts['period']}: {report.first_on} to {report.last_on}, both included"
    )
    _cover(book, cover, report)
    _completeness(book, report, content)
    fill(book, list_limit)
    _base(book, report)
    write_components(book, report)
    write_sheet(book, report, list_limit)
    write_follow_up(book, report, list_limit)
    write_refunds(book, report, list_limit)
    rolled = book.sheet(
        "Roll-forward",
        "Open items: opening + dated back since + new + cleared + changed = closing. The opening is the last closing.",
    )
    spots, rest = _register(book, report, list_limit)
    _roll_forward(book, rolled, report, spots, rest)
    write_accepted(book, report)
    cover.activate()
    cover.set_first_sheet()
    book.close()


def _cover(book: Book, sheet: Any, report: CloseReport) -> None:
    facts, data = report.facts, report.data
    label, mood = STANDING[facts["standing"]]
    tied, tone = verdict(report)
    said = [
        (label, mood),
        (
            "TIES: no errors, nothing ambiguous" if data.ties else "DOES NOT TIE: see Errors and Ambiguous",
            "good" if data.ties else "bad",
        ),
        (
            "FOOTS: every proof is 0" if data.foots else "DOES NOT FOOT: do not rely on this book",
            "good" if data.foots else "bad",
        ),
        (tied, tone),
    ]
    for row, (text, how) in enumerate(said, start=3):
        sheet.merge_range(row, 0, row, 3, text, {"good": book.good, "bad": book.bad}.get(how, book.bold))
    chain = facts["chain"]
    cutoffs = [(name, value) for name, value in facts["parameters"] if name.startswith("Cut-off basis")]
    rows = [
        ("Entity", f"{facts['entity']}  {facts['name']}".strip()),
        ("Period", f"{facts['period']}, {report.first_on} to {report.last_on}"),
        ("Fiscal calendar", facts["calendar"]),
        ("Base currency", facts["base_currency"]),
        ("Accounting dates in", facts["time_zone"]),
        *cutoffs,
        ("Data as of", f"{data.as_of:%Y-%m-%d %H:%M:%S} UTC"),
        ("Revision", f"r{facts['revision']}"),
        ("Opening from", f"close of {chain['period']} r{chain['revision']}, content {chain['content_sha256']}" if chain["period"] else "computed: the period before was never closed"),
        ("Made by", f"tieout {facts['version']}"),
    ]  # fmt: skip
    for row, (name, value) in enumerate(rows, start=8):
        sheet.write_string(row, 0, name, book.bold)
        sheet.write_string(row, 1, value, book.text)
    row = 9 + len(rows)
    sheet.write_string(row, 0, "Sign-off", book.bold)
    book.heads(sheet, row + 1, ["What", "Who", "When (UTC)", "Reason or note", "Bound to content"])
    for row, one in enumerate(facts["sign_offs"], start=row + 2):  # noqa: B020  (the table goes on below its heading)
        for col, text in enumerate(
            [
                EVENT_WORDS[one["event"]],
                one["author"],
                one["at"].replace("T", " ")[:19],
                one["reason"],
                one["content_sha256"],
            ]
        ):
            sheet.write_string(row, col, text, book.wrap if col == 3 else book.text)
    row += 2
    sheet.write_string(row, 0, "Sheets", book.bold)
    for row, (name, about) in enumerate(_SHEETS, start=row + 1):  # noqa: B020
        sheet.write_url(row, 0, f"internal:'{name}'!A1", book.text, name)
        sheet.write_string(row, 1, about, book.text)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 46)
    sheet.set_column(2, 2, 20)
    sheet.set_column(3, 3, 44)
    sheet.set_column(4, 4, 66)


def _completeness(book: Book, report: CloseReport, content: Mapping[str, Any]) -> None:
    sheet = book.sheet(
        "Completeness",
        "Completeness and accuracy: what the sources stated, what was read, staged and reported, and the hashes of all of it.",
    )
    book.heads(sheet, 3, _SOURCE_HEADS)
    row = 4
    for one in report.facts["sources"]:
        for col, value in enumerate(one):
            sheet.write_string(row, col, value, book.figure if 1 < col < 6 else book.text)
        row += 1
    row += 1
    book.heads(
        sheet,
        row,
        [
            "Rows of this pack" if "extent" in report.facts else "All entities",
            "Currency",
            "Records staged",
            "Staged",
            "Reported",
            "Other business",
            "Does not stand",
            "Unaccounted for",
        ],
    )
    row += 1
    for one in report.tables["completeness"].iter_rows(named=True):
        sheet.write_string(row, 0, one["subject"], book.text)
        sheet.write_string(row, 1, one["currency"], book.text)
        sheet.write_number(row, 2, one["staged_count"], book.count)
        for col, name in (
            (3, "staged_minor"),
            (4, "reported_minor"),
            (5, "aside_minor"),
            (6, "not_standing_minor"),
        ):
            book.amount(sheet, row, col, one[name], one["currency"])
        book.formula(
            sheet,
            row,
            7,
            f"=ROUND(D{row + 1}-E{row + 1}-F{row + 1}-G{row + 1},4)",
            0,
            one["currency"],
            total=True,
        )
        row += 1
    row += 1
    if "extent" in report.facts:
        row = _extent(book, sheet, report.facts["extent"], row)
    book.heads(sheet, row, ["Stage", "Run the data are from"])
    for stage, run in sorted(report.facts["runs"].items()):
        row += 1
        sheet.write_string(row, 0, stage, book.text)
        sheet.write_string(row, 1, run, book.text)
    row += 2
    book.heads(sheet, row, ["Rows", "Kind", "Count", "SHA-256 of the rows"])
    for kind in ("tables", "inputs"):
        for name, one in sorted(content[kind].items()):
            row += 1
            sheet.write_string(row, 0, words(name), book.text)
            sheet.write_string(row, 1, "signed table" if kind == "tables" else "input", book.text)
            sheet.write_number(row, 2, one["rows"], book.count)
            sheet.write_string(row, 3, one["sha256"], book.text)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 34)
    sheet.set_column(2, 7, 20)


def _extent(book: Book, sheet: Any, extent: Mapping[str, Any], row: int) -> int:
    """How many rows of each input the company has, how many the pack holds, and why; the row below."""
    sheet.write_string(row, 0, extent["said"], book.text if extent["is_own"] else book.bad)
    row += 1
    book.heads(sheet, row, ["Input", "Rows of the company", "In this pack", "Left out"])
    for name, landed, held in extent["rows"]:
        row += 1
        sheet.write_string(row, 0, words(name), book.text)
        sheet.write_number(row, 2, held, book.count)
        if landed is not None:
            sheet.write_number(row, 1, landed, book.count)
            sheet.write_formula(row, 3, f"=B{row + 1}-C{row + 1}", book.count, landed - held)
    return row + 2


def _base(book: Book, report: CloseReport) -> None:
    base = report.facts["base_currency"]
    sheet = book.sheet(
        "Base currency",
        f"The waterfall in {base}. Rates are those Intacct's own documents of the period imply; no other rate is used.",
    )
    book.heads(sheet, 3, ["Currency", "Documents", "In currency", f"In {base}", "Rate"])
    row = 4
    for one in report.tables["rates"].iter_rows(named=True):
        sheet.write_string(row, 0, one["currency"], book.text)
        sheet.write_number(row, 1, one["document_count"], book.count)
        book.amount(sheet, row, 2, one["total_minor"], one["currency"])
        book.amount(sheet, row, 3, one["base_total_minor"], base)
        rate = shown_decimal(one["base_total_minor"], base) / shown_decimal(
            one["total_minor"], one["currency"]
        )
        sheet.write_string(row, 4, f"{rate:.8f}", book.text)
        row += 1
    row += 1
    book.heads(sheet, row, ["Bridge", "Store", "Currency", "Step", "Amount", f"In {base}"])
    row += 1
    cell = ["tie_out", "store_ref", "currency"]
    for _key, block in (
        report.tables["base_waterfall"].sort(*cell, "step_no").group_by(cell, maintain_order=True)
    ):
        first = row
        for one in block.iter_rows(named=True):
            style = book.strong if one["is_total"] else book.text
            for col, text in enumerate(
                [TIE_OUTS[one["tie_out"]], one["store_ref"], one["currency"], one["label"]]
            ):
                sheet.write_string(row, col, text, style)
            book.amount(sheet, row, 4, one["amount_minor"], one["currency"], total=one["is_total"])
            if one["base_minor"] is None:
                sheet.write_string(row, 5, "no rate", book.note)
            elif one["is_total"] and row > first:
                book.formula(
                    sheet,
                    row,
                    5,
                    f"=SUMIFS($F${first + 1}:$F${row},$G${first + 1}:$G${row},0)",
                    one["base_minor"],
                    base,
                    total=True,
                )
            else:
                book.amount(sheet, row, 5, one["base_minor"], base)
            sheet.write_number(row, 6, int(one["is_total"] and row > first))
            row += 1
        row += 1
    sheet.set_column(0, 2, 18)
    sheet.set_column(3, 3, 46)
    sheet.set_column(4, 5, 18)
    sheet.set_column(6, 6, None, None, {"hidden": True})


def register_rows(report: CloseReport) -> pl.DataFrame:
    """The register as people read it: differences before documents, largest first, with the newest owner, next step and note of each item."""
    kept = ["owner", "next_step", "note"]
    notes = report.tables["notes"]
    newest = (
        notes.sort("item_id", "note_no")
        .group_by("item_id")
        .agg(pl.col(name).drop_nulls().last() for name in kept)
    )
    order = {"error": 0, "ambiguous": 1, "timing": 2, "document": 3}
    return (
        report.tables["register"]
        .join(newest, on="item_id", how="left")
        .sort(
            [
                pl.col("family_code").replace_strict(order, default=4, return_dtype=pl.Int64),
                pl.col("closing_minor").abs(),
                pl.col("item_id"),
            ],
            descending=[False, True, False],
        )
    )


def _register(book: Book, report: CloseReport, limit: int) -> tuple[tuple[int, int], pl.DataFrame]:
    """The register sheet; returns the 1-based first and last row of the list, and the rows that were not listed."""
    sheet = book.sheet(
        "Open items",
        "Every item that was open at either end of the period. An item keeps its id until it is cleared.",
    )
    rows = register_rows(report)
    listed, rest = rows.head(limit), rows.slice(limit)
    if rest.height:
        sheet.write_string(
            2,
            0,
            f"{rest.height:,} further items are in data/register.parquet; the totals include them.",
            book.note,
        )
    elif not rows.height:
        sheet.write_string(2, 0, "Nothing is open.", book.note)
    book.listing(sheet, 3, _REGISTER, listed)
    sheet.freeze_panes(4, 5)
    return (5, max(5, 4 + listed.height)), rest


def _roll_forward(
    book: Book, sheet: Any, report: CloseReport, spots: tuple[int, int], rest: pl.DataFrame
) -> None:
    heads = [
        "Kind",
        "Entity",
        "Currency",
        "Items opening",
        "Items dated back",
        "Items new",
        "Items cleared",
        "Items closing",
    ]
    book.heads(
        sheet, 3, [*heads, "Opening", "Dated back since", "New", "Cleared", "Changed", "Closing", "Check"]
    )
    columns = {name: xl_col_to_name(at) for at, (name, _title, _width) in enumerate(_REGISTER)}
    first, last = spots

    def span(name: str) -> str:
        return f"'Open items'!${columns[name]}${first}:${columns[name]}${last}"

    row = 4
    for one in report.tables["roll_forward"].iter_rows(named=True):
        currency = one["currency"]
        for col, name in enumerate(("kind_code", "entity_code", "currency")):
            sheet.write_string(row, col, one[name], book.text)
        for col, name in enumerate(_COUNTS, start=3):
            sheet.write_number(row, col, one[name], book.count)
        mine = rest.filter(
            pl.col("kind_code") == one["kind_code"],
            pl.col("entity_code") == one["entity_code"],
            pl.col("currency") == currency,
        )
        for col, name in enumerate(MOVEMENTS, start=8):
            formula = f"=SUMIFS({span(name)},{span('kind_code')},A{row + 1},{span('entity_code')},B{row + 1},{span('currency')},C{row + 1})"
            if mine.height:
                formula += f"+({shown_decimal(int(mine[name].sum()), currency)})"
            book.formula(sheet, row, col, formula, one[name], currency, total=name == "closing_minor")
        book.formula(sheet, row, 14, f"=ROUND(SUM(I{row + 1}:M{row + 1})-N{row + 1},4)", 0, currency)
        row += 1
    if row == 4:
        sheet.write_string(row, 0, "Nothing was open at either end of the period.", book.note)
    sheet.set_column(0, 7, 12)
    sheet.set_column(8, 14, 17)
    sheet.freeze_panes(4, 3)
