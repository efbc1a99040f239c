"""What a demo found against what was planted, its ledger against its outbox, and its packs against themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flows.closing.verifying import verify
from flows.report import build
from flows.wiring import House
from transforms.closing.statement import Books

MONTHS = ("2026-09", "2026-10")


class Verdict:
    """What the comparison with the answer key came to, line by line."""

    def __init__(self) -> None:
        self.lines: list[tuple[bool, str]] = []

    def add(self, ok: bool, line: str) -> None:
        """Add one line."""
        self.lines.append((ok, line))

    @property
    def ok(self) -> bool:
        """Whether every line is good."""
        return all(ok for ok, _line in self.lines)


def compared(house: House, key: dict[str, Any], ledger: dict[str, Any]) -> Verdict:
    """Findings against planted faults: nothing missed, nothing invented; the ledger against the outbox: nothing lost, nothing twice."""
    verdict = Verdict()
    expected = expected_findings(key)
    actual = actual_findings(house)
    missed, invented = expected - actual, actual - expected
    hits = len(expected & actual)
    precision = hits / len(actual) if actual else 1.0
    recall = hits / len(expected) if expected else 1.0
    verdict.add(
        not missed and not invented,
        f"planted faults {len(expected)}, found {hits}, missed {len(missed)}, invented {len(invented)} (precision {precision:.3f}, recall {recall:.3f})",
    )
    for title, some in (("missed", missed), ("invented", invented)):
        for code, count in sorted(Counter(code for code, _ in some).items()):
            example = sorted(ref for one, ref in some if one == code)[0]
            verdict.add(False, f"{title}: {count} × {code}, for example {example}")
    doubled, lost = ledger_against_outbox(house, ledger)
    verdict.add(
        not doubled and not lost,
        f"ledger holds every posted document once: {len(lost)} lost, {len(doubled)} doubled",
    )
    return verdict


def prove_packs(closes: Sequence[dict[str, Any]]) -> list[tuple[bool, str]]:
    """Each sealed pack proved from its own files alone, as an auditor would: whether it is, and the line that says so."""
    said: list[tuple[bool, str]] = []
    books: dict[str, Books] = {}
    for one in closes:
        found = verify(Path(one["path"]), compared=books)
        wrong = [finding.sentence for finding in found["findings"] if not finding.holds]
        told = (
            f"{len(found['findings'])} findings, all hold" if found["proved"] else f"not proved: {wrong[0]}"
        )
        said.append((found["proved"], f"pack of {one['entity']} {one['period']} proved offline: {told}"))
    return said


def expected_findings(key: dict[str, Any]) -> set[tuple[str, str]]:
    """(code, subject) of every planted fault; the subject is the order number, or the document or payment of an orphan."""
    return {(fault["expected_code"], subject_of(fault)) for fault in key["faults"]}


def subject_of(fault: dict[str, Any]) -> str:
    """What a planted fault is about, in the word a finding would use."""
    return str(fault["order_ref"] or fault["document"] or fault["payment_ref"])


def actual_findings(house: House) -> set[tuple[str, str]]:
    """(code, subject) of everything the tool reported as an error, ambiguous, explained, cut-off, or held by a rule."""
    found: set[tuple[str, str]] = set()
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
        held = session.fetch("ops.findings", where={"run_id": checks["run_id"].max(), "severity": "hold"})
    told = pl.col("family_code").is_in(["error", "ambiguous", "explained"]) | (
        pl.col("outcome_code") == "cut_off"
    )
    # A cut-off difference only exists between two periods, so every month is reconciled by itself. Money received a few days
    # after it moved, because its invoice came later, is every shop's daily timing: only invoices are planted out of their month.
    for month in MONTHS:
        data = build(house, period=month)
        late = pl.col("outcome_code") == "cut_off"
        for frame, orphan in (
            (data.orders.lazy().filter(told), "documents"),
            (data.payments.lazy().filter(told & ~late), "gateway_ref"),
        ):
            for row in frame.collect().iter_rows(named=True):
                found.add((row["outcome_code"], str(row["order_ref"] or row[orphan] or row["group_ref"])))
    for row in held.iter_rows(named=True):
        found.add((row["rule_code"], str(row["order_ref"] or row["subject_ref"])))
    return found


def ledger_against_outbox(house: House, ledger: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Numbers that stand twice in the stand-in's books although we posted them, and accepted documents that are not there."""
    with house.warehouse.read() as session:
        accepted = session.fetch(
            "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
        )
        documents = session.fetch("out.documents").join(accepted, on="document_id")
    books = {
        "invoice": "invoices",
        "credit_memo": "adjustments",
        "debit_memo": "adjustments",
        "receipt": "receipts",
    }
    doubled, lost = [], []
    for kind, shelf in books.items():
        mine = documents.filter(pl.col("kind_code") == kind)
        there = {str(one["recordno"]): one for one in ledger[shelf]}
        name = "docnumber" if kind == "receipt" else "recordid"
        numbers = Counter(one.get(name) for one in ledger[shelf])
        for key, number in mine.select("intacct_key", "number").iter_rows():
            if key not in there:
                lost.append(number)
            elif numbers[number] > 1:
                doubled.append(number)
    return doubled, lost
