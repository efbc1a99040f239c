"""The workbook, to accountants' convention: lead sheet, tie-out, waterfall, ageing, one sheet per outcome family, parameters and sources.

Totals are live formulas over the detail; the engine's own figure is stored as the cached value, so a recalculation proves it. Text is always
written as text: a customer called `=cmd()` stays a name. Detail beyond `LIST_LIMIT` rows is in the Parquet files alone, and the sheet says
so: how many rows, and in which file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import polars as pl
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from tieout.money import shown_decimal
from tieout.reports.book import Book
from tieout.reports.data import COUNTED, FAMILY_TITLES, TIE_OUTS, ReportData, meaning, words
from tieout.reports.listing import AMOUNTS, GROUP, LIST_LIMIT
from tieout.vocabulary import FAMILIES, OUTCOMES, PRECEDENCE

_DETAIL: Final = (
    ("tie_out", "Tie-out", 10),
    ("entity_code", "Entity", 9),
    ("currency", "Currency", 9),
    ("store_ref", "Store", 10),
    ("order_number", "Order", 12),
    ("documents", "Documents", 26),
    ("on", "Date", 11),
    ("outcome_code", "Outcome", 24),
    ("expected_minor", "Storefront", 14),
    ("actual_minor", "Intacct", 14),
    ("delta_minor", "Difference", 14),
    ("period_expected_minor", "Storefront in period", 14),
    ("period_actual_minor", "Intacct in period", 14),
    ("period_timing_minor", "Of which dates", 14),
    ("period_delta_minor", "Of which outcome", 14),
    ("secondary_codes", "Also", 18),
    ("proposal", "Possible counterpart", 28),
    ("evidence", "Why", 60),
)


def write_workbook(path: Path, data: ReportData, *, list_limit: int = LIST_LIMIT) -> None:
    """Write the workbook of a reconciliation to `path`."""
    book = Book(path, data)
    lead = fill(book, list_limit)
    lead.activate()
    book.close()


def fill(book: Book, list_limit: int) -> Any:
    """Write the sheets every reconciliation has; returns the lead sheet."""
    data = book.data
    lead = book.sheet("Lead", f"{data.period}, as of {data.as_of:%Y-%m-%d %H:%M} UTC")
    tie = book.sheet(
        "Tie-out", "Every outcome per tie-out, entity and currency; the figures add up the detail sheets."
    )
    _waterfall(book)
    _ageing(book)
    places: dict[str, tuple[int, int]] = {}
    left_out: dict[str, pl.DataFrame] = {}
    for family in ("error", "ambiguous", "timing", "explained", "outside", "matched"):
        places[family], left_out[family] = _family(book, family, list_limit)
    _held(book)
    _parameters(book)
    _codes(book)
    spots = _tie_out(book, tie, places, left_out)
    _lead(book, lead, spots)
    return lead


def _lead(book: Book, sheet: Any, spots: dict[tuple[str, str, str], tuple[int, int]]) -> None:
    data = book.data
    verdict = "TIES: no errors, nothing ambiguous" if data.ties else "DOES NOT TIE: see Errors and Ambiguous"
    sheet.merge_range(3, 0, 3, 4, verdict, book.good if data.ties else book.bad)
    footing = (
        "FOOTS: every proof is 0"
        if data.foots
        else "DOES NOT FOOT: see the proofs below, do not rely on this book"
    )
    sheet.merge_range(4, 0, 4, 4, footing, book.good if data.foots else book.bad)
    heads = ["Tie-out", "Entity", "Currency", "Rows", "Storefront", "Intacct", "Difference"]
    families = [family for family in FAMILIES if family != "matched"]
    heads += [f"of which {FAMILY_TITLES[family].lower()}" for family in families] + ["Unexplained"]
    book.heads(sheet, 6, heads)
    row = 7
    for one in data.tie_outs().iter_rows(named=True):
        currency = one["currency"]
        sheet.write_string(row, 0, TIE_OUTS[one["tie_out"]], book.text)
        sheet.write_string(row, 1, one["entity_code"], book.text)
        sheet.write_string(row, 2, currency, book.text)
        sheet.write_number(row, 3, one["row_count"], book.count)
        first, last = spots[one["tie_out"], one["entity_code"], currency]
        for col, source, minor in (
            (4, "G", one["period_expected_minor"]),
            (5, "H", one["period_actual_minor"]),
        ):
            book.formula(sheet, row, col, f"=SUM('Tie-out'!{source}{first}:{source}{last})", minor, currency)
        book.formula(sheet, row, 6, f"=E{row + 1}-F{row + 1}", one["difference_minor"], currency)
        parts = []
        for at, family in enumerate(families):
            col = 7 + at
            block = f"'Tie-out'!$D${first}:$D${last}"
            minor = one["all_timing_minor"] if family == "timing" else one[f"{family}_minor"]
            formula = f"=SUMIFS('Tie-out'!$J${first}:$J${last},{block},\"{family}\")"
            if family == "timing":
                formula += f"+SUM('Tie-out'!$I${first}:$I${last})"
            book.formula(sheet, row, col, formula, minor, currency)
            parts.append(xl_rowcol_to_cell(row, col))
        book.formula(
            sheet,
            row,
            7 + len(families),
            f"=ROUND(G{row + 1}-{'-'.join(parts)}-SUMIFS('Tie-out'!$J${first}:$J${last},'Tie-out'!$D${first}:$D${last},\"matched\"),4)",
            one["unexplained_minor"],
            currency,
            total=True,
        )
        row += 1
    row += 2
    sheet.write_string(row, 0, "Prepared by", book.bold)
    sheet.write_string(row, 2, "Date", book.bold)
    sheet.write_string(row, 4, "Reviewed by", book.bold)
    sheet.write_string(row, 6, "Date", book.bold)
    for col in range(8):
        sheet.write_blank(row + 2, col, None, book.line)
    row += 4
    sheet.write_string(row, 0, "Proofs", book.bold)
    book.heads(sheet, row + 1, ["Proof", "Entity", "Currency", "", "Left", "Right", "Difference"])
    for at, proof in enumerate(data.proofs.iter_rows(named=True), start=row + 2):
        currency = proof["currency"]
        sheet.write_string(at, 0, words(proof["name"]), book.text)
        sheet.write_string(at, 1, proof["entity_code"], book.text)
        sheet.write_string(at, 2, currency, book.text)
        if proof["name"].startswith(COUNTED):
            sheet.write_number(at, 4, proof["left_minor"], book.count)
            sheet.write_number(at, 5, proof["right_minor"], book.count)
            sheet.write_formula(at, 6, f"=E{at + 1}-F{at + 1}", book.count, proof["difference_minor"])
            continue
        book.amount(sheet, at, 4, proof["left_minor"], currency)
        book.amount(sheet, at, 5, proof["right_minor"], currency)
        book.formula(sheet, at, 6, f"=E{at + 1}-F{at + 1}", proof["difference_minor"], currency)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, 3, 10)
    sheet.set_column(4, 13, 16)
    sheet.freeze_panes(7, 3)


def _tie_out(
    book: Book, sheet: Any, places: dict[str, tuple[int, int]], left_out: dict[str, pl.DataFrame]
) -> dict[tuple[str, str, str], tuple[int, int]]:
    """The tie-out sheet; returns, per tie-out, entity and currency, the first and last row of its block (1-based)."""
    heads = [
        "Tie-out",
        "Entity",
        "Currency",
        "Family",
        "Outcome",
        "Rows",
        "Storefront in period",
        "Intacct in period",
    ]
    heads += [
        "Of which dates",
        "Of which outcome",
        "Difference over all periods",
        "What it means",
        "Next step",
    ]
    book.heads(sheet, 3, heads)
    spots: dict[tuple[str, str, str], tuple[int, int]] = {}
    row = 4
    columns = {name: xl_col_to_name(at) for at, (name, _title, _width) in enumerate(_DETAIL)}
    for one in book.data.totals().iter_rows(named=True):
        key = (one["tie_out"], one["entity_code"], one["currency"])
        first, _last = spots.get(key, (row + 1, row + 1))
        spots[key] = (first, row + 1)
        family, code, currency = one["family_code"], one["outcome_code"], one["currency"]
        for col, text in enumerate([*key, family, words(code)]):
            sheet.write_string(row, col, text, book.text)
        sheet.write_number(row, 5, one["row_count"], book.count)
        start, end = places[family]
        name = FAMILY_TITLES[family]

        def span(column: str, name: str = name, start: int = start, end: int = end) -> str:
            return f"'{name}'!${columns[column]}${start}:${columns[column]}${end}"

        missing = left_out[family].filter(
            pl.col("tie_out") == key[0],
            pl.col("entity_code") == key[1],
            pl.col("currency") == currency,
            pl.col("outcome_code") == code,
        )
        for col, source in (
            (6, "period_expected_minor"),
            (7, "period_actual_minor"),
            (8, "period_timing_minor"),
            (9, "period_delta_minor"),
            (10, "delta_minor"),
        ):
            formula = (
                f"=SUMIFS({span(source)},{span('tie_out')},A{row + 1},{span('entity_code')},B{row + 1},"
                f"{span('currency')},C{row + 1},{span('outcome_code')},E{row + 1})"
            )
            if missing.height:
                formula += f"+({shown_decimal(int(missing[source].item()), currency)})"
            book.formula(sheet, row, col, formula, one[source], currency)
        about, step = meaning(code)
        sheet.write_string(row, 11, about, book.text)
        sheet.write_string(row, 12, step, book.text)
        row += 1
    sheet.set_column(0, 3, 11)
    sheet.set_column(4, 4, 26)
    sheet.set_column(5, 5, 9)
    sheet.set_column(6, 10, 17)
    sheet.set_column(11, 12, 80)
    sheet.freeze_panes(4, 5)
    if row > 4:
        sheet.autofilter(3, 0, row - 1, 12)
    return spots


def _waterfall(book: Book) -> None:
    sheet = book.sheet(
        "Waterfall",
        "From gross orders to invoiced, from money moved to receipts; a sub-total adds up the steps above it.",
    )
    book.heads(sheet, 3, ["Bridge", "Entity", "Store", "Currency", "Step", "Rows", "Amount", "Check"])
    row = 4
    bridges = book.data.waterfall.sort("tie_out", "entity_code", "store_ref", "currency", "step_no")
    for _key, block in bridges.group_by(
        ["tie_out", "entity_code", "store_ref", "currency"], maintain_order=True
    ):
        first = row
        running = 0
        for one in block.iter_rows(named=True):
            currency = one["currency"]
            for col, text in enumerate(
                [one["tie_out"], one["entity_code"], one["store_ref"], currency, one["label"]]
            ):
                sheet.write_string(row, col, text, book.strong if one["is_total"] else book.text)
            sheet.write_number(row, 5, one["row_count"], book.count)
            if one["is_total"] and row > first:
                steps = f"SUMIFS($G${first + 1}:$G${row},$I${first + 1}:$I${row},0)"
                book.formula(sheet, row, 6, f"={steps}", one["amount_minor"], currency, total=True)
                book.formula(
                    sheet, row, 7, f"=ROUND(G{row + 1}-J{row + 1},4)", one["amount_minor"] - running, currency
                )
                book.amount(sheet, row, 9, one["amount_minor"], currency)
                sheet.write_number(row, 8, 1)
            else:
                book.amount(sheet, row, 6, one["amount_minor"], currency)
                sheet.write_number(row, 8, 0)
                running += one["amount_minor"]
            row += 1
        row += 1
    sheet.set_column(0, 3, 11)
    sheet.set_column(4, 4, 48)
    sheet.set_column(5, 5, 9)
    sheet.set_column(6, 7, 18)
    sheet.set_column(8, 9, None, None, {"hidden": True})
    sheet.freeze_panes(4, 5)


def _ageing(book: Book) -> None:
    sheet = book.sheet("Ageing", "Open AR of the shops as of the period's end, oldest first.")
    buckets = ["not_due", "1-30", "31-60", "61-90", "over_90"]
    ageing = book.data.ageing.sort(
        ["entity_code", "currency", "days_no", "document_ref"], descending=[False, False, True, False]
    )
    groups = ageing.select("entity_code", "currency").unique(maintain_order=True).rows()
    first = 4 + len(groups) + 2
    shown = ageing.head(LIST_LIMIT)
    last = first + max(shown.height, 1)
    named = [words(bucket) for bucket in buckets]
    book.heads(sheet, 3, ["Entity", "Currency", *named, "Open"], range(2, 2 + len(named)))
    hidden = ageing.slice(LIST_LIMIT)
    for row, (entity, currency) in enumerate(groups, start=4):
        sheet.write_string(row, 0, entity, book.text)
        sheet.write_string(row, 1, currency, book.text)
        mine = ageing.filter(pl.col("entity_code") == entity, pl.col("currency") == currency)
        for col, bucket in enumerate(buckets, start=2):
            minor = int(mine.filter(pl.col("bucket_code") == bucket)["open_minor"].sum())
            formula = f'=SUMIFS($I${first + 2}:$I${last + 1},$A${first + 2}:$A${last + 1},$A{row + 1},$B${first + 2}:$B${last + 1},$B{row + 1},$H${first + 2}:$H${last + 1},"{words(bucket)}")'
            rest = hidden.filter(
                pl.col("entity_code") == entity,
                pl.col("currency") == currency,
                pl.col("bucket_code") == bucket,
            )
            if rest.height:
                formula += f"+({shown_decimal(int(rest['open_minor'].sum()), currency)})"
            book.formula(sheet, row, col, formula, minor, currency)
        book.formula(
            sheet, row, 7, f"=SUM(C{row + 1}:G{row + 1})", int(mine["open_minor"].sum()), currency, total=True
        )
    book.heads(
        sheet,
        first,
        ["Entity", "Currency", "Kind", "Number", "Customer", "Dated", "Due", "Bucket", "Open", "Days"],
    )
    for row, one in enumerate(shown.iter_rows(named=True), start=first + 1):
        for col, name in ((0, "entity_code"), (1, "currency"), (2, "document_kind"), (7, "bucket_code")):
            sheet.write_string(row, col, words(one[name]) if col in (2, 7) else one[name], book.text)
        sheet.write_string(row, 3, one["document_number"] or one["document_ref"], book.text)
        sheet.write_string(row, 4, one["customer_id"] or "", book.text)
        sheet.write_datetime(row, 5, one["document_on"], book.day)
        if one["due_on"] is not None:
            sheet.write_datetime(row, 6, one["due_on"], book.day)
        book.amount(sheet, row, 8, one["open_minor"], one["currency"])
        sheet.write_number(row, 9, one["days_no"], book.count)
    if shown.height:
        sheet.autofilter(first, 0, first + shown.height, 9)
    if hidden.height:
        sheet.write_string(
            2,
            0,
            f"{hidden.height:,} further documents are in ageing.parquet; the totals include them.",
            book.note,
        )
    sheet.set_column(0, 2, 13)
    sheet.set_column(3, 4, 20)
    sheet.set_column(5, 9, 15)


def _family(book: Book, family: str, limit: int) -> tuple[tuple[int, int], pl.DataFrame]:
    """One sheet of detail; returns the 1-based first and last row of the list, and the sums of the rows that were not listed."""
    sheet = book.sheet(FAMILY_TITLES[family], _family_note(family))
    totals = book.data.totals().filter(pl.col("family_code") == family)
    listed = book.data.listing.of_family(family, limit)
    rest = _not_listed(totals, listed)
    if rest.height:
        sheet.write_string(2, 0, _elsewhere(rest, totals, listed.height), book.note)
    elif not listed.height:
        sheet.write_string(2, 0, "None.", book.note)
    book.listing(sheet, 3, _DETAIL, listed)
    sheet.freeze_panes(4, 5)
    return (5, max(5, 4 + listed.height)), rest


def _not_listed(totals: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Per tie-out, entity, currency and outcome: what the list leaves out of the totals."""
    key = [*GROUP, "outcome_code"]
    shown = listed.group_by(key).agg(
        *[pl.col(name).sum().alias(f"listed_{name}") for name in AMOUNTS],
        listed_row_count=pl.len().cast(pl.Int64),
    )
    names = [*AMOUNTS, "row_count"]
    left = [(pl.col(name) - pl.col(f"listed_{name}").fill_null(0)).alias(name) for name in names]
    return totals.join(shown, on=key, how="left").select(*key, *left).filter(pl.col("row_count") > 0)


def _elsewhere(rest: pl.DataFrame, totals: pl.DataFrame, listed: int) -> str:
    """Where the rows are that a sheet does not list."""
    files = [
        f"{tie_out}.parquet ({count:,} of this family there)"
        for tie_out, count in totals.group_by("tie_out")
        .agg(pl.col("row_count").sum())
        .sort("tie_out")
        .iter_rows()
    ]
    return (
        f"{int(rest['row_count'].sum()):,} further rows are not listed here: these are the first {listed:,}, by outcome and the largest "
        f"differences first. Every row is in {' and '.join(files)}; the tie-out includes them all."
    )


def _family_note(family: str) -> str:
    codes = [words(code) for code in PRECEDENCE if OUTCOMES[code][0] == family]
    return f"Outcomes of this family: {', '.join(codes)}."


def _held(book: Book) -> None:
    sheet = book.sheet("Held and waiting", "What was kept back, why, and what waits to be posted.")
    book.heads(sheet, 3, ["Order", "Rule", "Currency", "Amount", "Reason and next step"])
    row = 4
    for one in book.data.held.iter_rows(named=True):
        sheet.write_string(row, 0, one["order_number"] or one["subject_ref"], book.text)
        sheet.write_string(row, 1, one["rule_code"], book.text)
        sheet.write_string(row, 2, one["currency"] or "", book.text)
        if one["amount_minor"] is not None and one["currency"]:
            book.amount(sheet, row, 3, one["amount_minor"], one["currency"])
        sheet.write_string(row, 4, one["sentence"], book.wrap)
        row += 1
    if row == 4:
        sheet.write_string(row, 0, "Nothing is held.", book.note)
        row += 1
    row += 1
    book.heads(sheet, row, ["Document", "State", "Count", "Since", "Reason"])
    for at, one in enumerate(book.data.waiting.iter_rows(named=True), start=row + 1):
        sheet.write_string(at, 0, words(one["kind"]), book.text)
        sheet.write_string(at, 1, one["state"], book.text)
        sheet.write_number(at, 2, one["count"], book.count)
        sheet.write_string(at, 3, one["oldest"], book.text)
        sheet.write_string(at, 4, one["reason"] or "", book.wrap)
    sheet.set_column(0, 2, 18)
    sheet.set_column(3, 3, 18)
    sheet.set_column(4, 4, 110)


def _parameters(book: Book) -> None:
    sheet = book.sheet("Parameters and sources", "What these figures were made with, and from.")
    book.heads(sheet, 3, ["Parameter", "Value"])
    row = 4
    for name, value in book.data.parameters:
        sheet.write_string(row, 0, name, book.text)
        sheet.write_string(row, 1, value, book.wrap)
        row += 1
    row += 1
    book.heads(sheet, row, ["Source", "Subject", "Stated by the source", "Read", "Staged", "Held", "When"])
    for at, one in enumerate(book.data.sources, start=row + 1):
        for col, value in enumerate(one):
            sheet.write_string(at, col, value, book.figure if 1 < col < 6 else book.text)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 60)
    sheet.set_column(2, 6, 22)


def _codes(book: Book) -> None:
    sheet = book.sheet("Codes", "Every outcome there is, in the order in which the primary one is chosen.")
    book.heads(sheet, 3, ["Outcome", "Family", "What it means", "Next step"])
    for row, code in enumerate(PRECEDENCE, start=4):
        family, about, step = OUTCOMES[code]
        for col, text in enumerate([code, family, about, step]):
            sheet.write_string(row, col, text, book.wrap)
    sheet.set_column(0, 1, 26)
    sheet.set_column(2, 3, 70)
