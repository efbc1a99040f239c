"""What a reconciliation of plain files tells: report data, the report folder, and the short text for the person who ran it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from flows.plain.comparing import Compared
from flows.plain.stage import PROBLEMS, Tables
from flows.plain.text import Text
from tieout import __version__
from tieout.money import show
from tieout.reports.data import FAMILY_TITLES, ReportData, meaning, words
from tieout.reports.folder import write_report

LISTED: Final = 10
"""Problems and notes printed; all of them are in the report."""
HELD_LIMIT: Final = 20_000
"""Held rows listed in the workbook; all of them are in problems.parquet."""

_LOUD: Final = ("error", "ambiguous")
_LEDGER: Final = {"orders": ("orders", "ledger"), "payments": ("payments", "receipts")}
_NO_LEDGER: Final = {"orders": ("orders", "payments")}


def report_data(
    result: Compared,
    proved: pl.DataFrame,
    *,
    texts: Mapping[str, Text],
    tables: Tables,
    period: str | None,
    as_of: datetime,
    parameters: Sequence[tuple[str, str]],
) -> ReportData:
    """Report data of a reconciliation of files: the comparison, the held rows, and every file with its rows and hash."""
    codes = result.totals["entity_code"].unique().sort()
    tallies = {tally.subject: tally for tally in tables.tallies}
    sources: list[tuple[str, ...]] = []
    for subject, text in texts.items():
        bad = (
            tables.problems.filter(pl.col("subject") == subject)
            .group_by("file")
            .agg(pl.col("row_no").n_unique())
        )
        held = dict(bad.iter_rows())
        for part in text.parts:
            mine = held.get(part.name, 0) if len(text.parts) > 1 else tallies[subject].held
            sources.append(
                (
                    part.name,
                    subject.replace("_", " "),
                    f"SHA-256 {part.sha256}",
                    f"{part.rows:,}",
                    f"{part.rows - mine:,}",
                    f"{mine:,}",
                    "–",
                )
            )
    return ReportData(
        title="Reconciliation of files",
        period=period or "all dates",
        entities=codes.to_list(),
        as_of=as_of,
        orders=result.rows.orders,
        payments=result.rows.payments,
        waterfall=result.waterfall,
        ageing=result.ageing,
        proofs=proved,
        parameters=list(parameters),
        sources=sources,
        held=_held(tables.problems),
        waiting=pl.DataFrame(
            schema={
                "kind": pl.String,
                "state": pl.String,
                "count": pl.Int64,
                "oldest": pl.String,
                "reason": pl.String,
            }
        ),
        version=__version__,
    )


def _held(problems: pl.DataFrame) -> pl.DataFrame:
    listed = problems.head(HELD_LIMIT).select(
        order_number="native_ref",
        subject_ref=pl.format("{}:{}", "subject", "row_no"),
        rule_code="rule_code",
        currency=pl.lit(None, dtype=pl.String),
        amount_minor=pl.lit(None, dtype=pl.Int64),
        sentence="sentence",
    )
    left = problems.height - listed.height
    if not left:
        return listed
    rest = f"{left:,} further values could not be read; all are in problems.parquet."
    more = pl.DataFrame(
        [
            {
                "order_number": "…",
                "subject_ref": "",
                "rule_code": "more",
                "currency": None,
                "amount_minor": None,
                "sentence": rest,
            }
        ],
        schema=listed.schema,
    )
    return pl.concat([listed, more])


def written(
    out: Path,
    data: ReportData,
    tables: Tables,
    say: Callable[[str], None],
    progress: Callable[[str, int, int | None], None],
) -> tuple[Path, str]:
    """Write the report folder, with problems.parquet and files.parquet beside the usual tables; returns it and the content hash."""
    counts = pl.DataFrame(
        [(one.subject, one.read, one.taken, one.held) for one in tables.tallies],
        schema={
            "subject": pl.String,
            "read_count": pl.Int64,
            "taken_count": pl.Int64,
            "held_count": pl.Int64,
        },
        orient="row",
    )
    extra = {"problems": tables.problems.select(list(PROBLEMS)), "files": counts}
    folder = write_report(
        out, data, extra=extra, say=lambda what: say(f"writing the {what}"), progress=progress
    )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return folder, str(manifest["content_sha256"])


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────────────────────


def printed(data: ReportData, tables: Tables, folder: Path, notes: Sequence[str]) -> Iterator[str]:
    """The result for a person: rows read, both sides per currency, every outcome, what could not be read, and where the report is."""
    for tally in tables.tallies:
        held = f", {tally.held:,} held" if tally.held else ""
        yield f"{tally.subject.replace('_', ' '):<13} {tally.read:>11,} rows read{held}"
    totals = data.totals()
    has_ledger = any(tally.subject == "invoices" for tally in tables.tallies)
    for one in data.tie_outs().iter_rows(named=True):
        yield ""
        yield from _block(one, totals, _LEDGER if has_ledger else _NO_LEDGER)
    yield ""
    if notes:
        yield "Notes"
        yield from (f"  {note}" for note in _first(notes))
    if tables.problems.height:
        rows = tables.problems.select("subject", "file", "row_no").n_unique()
        yield f"Held: {rows:,} rows could not be read whole and were not compared"
        shown = tables.problems["sentence"].head(LISTED).to_list()
        yield from (f"  {sentence}" for sentence in shown)
        if tables.problems.height > LISTED:
            yield f"  and {tables.problems.height - LISTED:,} more, in problems.parquet"
    verdict = "Ties" if data.ties else "Does not tie"
    if data.ties and tables.problems.height:
        verdict = "Ties but for the rows that could not be read"
    yield f"{verdict}; every total foots."
    yield f"Workbook  {folder / 'reconciliation.xlsx'}"
    yield f"Page      {folder / 'reconciliation.html'}"
    yield f"Figures   {folder / 'summary.json'}"


def _block(
    one: Mapping[str, object], totals: pl.DataFrame, sides: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    tie_out, entity, currency = str(one["tie_out"]), str(one["entity_code"]), str(one["currency"])
    left, right = sides[tie_out]
    amounts = [
        show(int(str(one[name])), currency)
        for name in ("period_expected_minor", "period_actual_minor", "difference_minor")
    ]
    wide = max(14, *(len(text) for text in amounts))
    yield f"{entity} {currency}: {left} against {right}"
    yield f"  {left:<34} {amounts[0]:>{wide}}"
    yield f"  {right:<34} {amounts[1]:>{wide}}"
    yield f"  {'difference':<34} {amounts[2]:>{wide}}"
    own = totals.filter(
        pl.col("tie_out") == tie_out, pl.col("entity_code") == entity, pl.col("currency") == currency
    ).with_columns(amount=pl.col("period_expected_minor") - pl.col("period_actual_minor"))
    # What neither falls in the period nor changes its figures is in the report, not here.
    for row in own.filter((pl.col("period_count") > 0) | (pl.col("amount") != 0)).iter_rows(named=True):
        code = row["outcome_code"]
        about = f"  {meaning(code)[0]}" if row["family_code"] in _LOUD else ""
        label = (
            "matched" if code == "matched" else f"{words(code)} ({FAMILY_TITLES[row['family_code']].lower()})"
        )
        yield f"    {label:<38} {row['period_count']:>9,} {show(row['amount'], currency):>{wide}}{about}"


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:LISTED]
    if len(lines) > LISTED:
        yield f"and {len(lines) - LISTED:,} more"
