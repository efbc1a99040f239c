"""Verify: a pack proved from itself alone, on any machine: its bytes, its chain, its totals, and the whole reconciliation from the packed inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from flows.closing import packing
from tieout import __version__
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, InputError, TieoutError
from tieout.reports.closing import (
    CONTENT,
    FORMAT,
    FORMER,
    CloseReport,
    canonical,
    content_of,
    control_totals,
    rows_hash,
    text_hash,
)
from tieout.reports.pack import MANIFEST, POLICY, Pack
from tieout.reports.page import render_close
from transforms.closing import statement
from transforms.closing.lifecycle import folded
from transforms.closing.translation import implied_rates


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it holds, and a sentence that says what or where not."""

    holds: bool
    sentence: str


def verify(
    path: Path, *, previous: Path | None = None, compared: dict[str, statement.Books] | None = None
) -> dict[str, Any]:
    """Prove a pack, folder or zip. `previous` is the pack of the close before, to prove the chain to it.

    Packs of one period hold the same trade: with `compared`, a dictionary kept between calls, equal inputs under equal policies are compared once.

    Returns `proved`, `findings` and `text`; the exit code is 1 if anything is not proved. Raises `InputError` if there is no pack.
    """
    pack = Pack(path)
    findings = list(_examined(pack, previous, {} if compared is None else compared))
    proved = all(one.holds for one in findings)
    text = [f"{'proved ' if one.holds else 'NOT    '} {one.sentence}" for one in findings]
    text.append(f"{path}: {'proved, all of it' if proved else 'NOT PROVED'} (tieout {__version__})")
    return {
        "proved": proved,
        "findings": findings,
        "text": text,
        "exit_code": EXIT_OK if proved else EXIT_DIFFERENCES,
    }


def _examined(pack: Pack, previous: Path | None, compared: dict[str, statement.Books]) -> Iterator[Finding]:
    faults = pack.faults()
    if faults:
        yield from (Finding(False, fault) for fault in faults)
        # What is not as sealed cannot be evidence for anything else.
        return
    yield Finding(True, f"every byte is as sealed: {len(pack.names):,} files by their SHA-256")
    try:
        yield from _contents(pack, previous, compared)
    except TieoutError as fault:
        yield Finding(False, str(fault))


def _contents(pack: Pack, previous: Path | None, compared: dict[str, statement.Books]) -> Iterator[Finding]:
    manifest = pack.json(MANIFEST)
    names = CONTENT if manifest["format"] == FORMAT else FORMER.get(manifest["format"])
    if names is None:
        raise InputError(
            f"The pack is of format '{manifest['format']}', this version reads '{FORMAT}'; verify it with {manifest['tool']}."
        )
    report = pack.report()
    inputs = pack.frames("inputs")
    missing = [name for name in names if name not in report.tables]
    if missing:
        raise InputError(f"The pack lacks data/{missing[0]}.parquet; it is not whole.")
    content = content_of(report.facts, report.tables, inputs, pack.read(POLICY).decode("utf-8"), names=names)
    yield _equal(content == manifest["content"] and text_hash(canonical(content)) == manifest["content_sha256"],
                 f"content {manifest['content_sha256'][:16]}… is that of the packed rows, inputs, policies and chain",
                 "the content hash is not that of the packed rows, inputs, policies and chain")  # fmt: skip
    yield _equal(
        control_totals(report.tables) == manifest["control_totals"],
        "the control totals are those of the packed rows",
        "the control totals are not those of the packed rows",
    )
    yield from _signed(report, manifest)
    yield from _again(pack, report, inputs, names, content, compared, is_former=manifest["format"] != FORMAT)
    if "extent" in report.facts:
        yield _extent(report, inputs)
    if manifest["format"] == FORMAT:
        yield from _printed(pack, report, content, str(manifest["tool"]))
    else:
        yield Finding(
            True,
            f"the pack is of the former format '{manifest['format']}', with {len(names)} signed tables of today's {len(CONTENT)}; its page is as sealed and not printed again",
        )
    yield from _chained(report, previous)


def _equal(holds: bool, good: str, bad: str) -> Finding:
    return Finding(holds, good if holds else bad)


def _signed(report: CloseReport, manifest: dict[str, Any]) -> Iterator[Finding]:
    signs = manifest["sign_offs"]
    if signs != report.facts["sign_offs"]:
        yield Finding(False, "the sign-offs of close.json are not those of the manifest")
    strangers = [
        one
        for one in signs
        if one["event"] in ("closed", "prepared", "locked", "reinstated")
        and one["content_sha256"] != manifest["content_sha256"]
    ]
    if strangers:
        yield Finding(False, f"the signature of {strangers[0]['author']} is bound to other content")
    preparer = reviewer = ""
    for one in signs:
        if one["event"] == "prepared":
            preparer = one["author"]
        elif one["event"] == "locked":
            reviewer = one["author"]
        elif one["event"] in ("voided", "reopened"):
            preparer = reviewer = ""
    if preparer and reviewer:
        yield _equal(
            folded(preparer) != folded(reviewer),
            f"prepared by {preparer}, reviewed by {reviewer}, both bound to this content",
            f"{preparer} signed as preparer and as reviewer",
        )
    elif not strangers:
        yield Finding(True, f"signed so far by {preparer or 'nobody'}; standing: {report.facts['standing']}")


def _again(
    pack: Pack,
    report: CloseReport,
    inputs: dict[str, pl.DataFrame],
    names: tuple[str, ...],
    content: dict[str, Any],
    compared: dict[str, statement.Books],
    *,
    is_former: bool,
) -> Iterator[Finding]:
    """The reconciliation computed again from the packed inputs, table by table."""
    policy = packing.policy_of(pack.read(POLICY))
    facts = report.facts
    entity, base = facts["entity"], facts["base_currency"]
    if policy.period is None or policy.period.of(entity) != (report.first_on, _after(report.last_on)):
        yield Finding(False, "the period of the policies is not that of the close")
        return
    # By the hashes just worked out of the packed rows, not by what the pack says of itself.
    shared = {name: one for name, one in content["inputs"].items() if name not in packing.OWN}
    mark = text_hash(canonical([content["policy"], shared]))
    if mark not in compared:
        compared[mark] = statement.books(
            packing.inputs_of(inputs),
            policy,
            inputs.get(packing.ENTRIES),
            packing.payouts_of(inputs),
            packing.refunds_of(inputs),
        )
    kept = compared[mark]
    bases = pl.DataFrame({"entity_code": [entity], "base_currency": [base]})
    worth = inputs.get(packing.BASES)
    if worth is None:
        raise InputError(f"The pack lacks inputs/{packing.BASES}.parquet; it is not whole.")
    rates = implied_rates(worth, policy.period, bases)
    again = statement.statement(
        kept, entity=entity, base_currency=base, last_register=packing.last_register_of(inputs), rates=rates
    )
    if is_former:
        # Packs of a former form lack what was added since: compared is what they hold. That nothing of it was taken out, their content's hash says.
        again |= {name: _as_then(again[name], report.tables[name]) for name in ("roll_forward", "proofs")}
    wrong = [name for name in names if rows_hash(again[name]) != rows_hash(report.tables[name])]
    for name in wrong:
        yield Finding(
            False,
            f"data/{name}.parquet is not what the packed inputs give: {_first_difference(again[name], report.tables[name])}",
        )
    off = again["proofs"].filter(pl.col("difference_minor") != 0)
    if off.height:
        yield Finding(False, f"{off.height} proofs are not 0, first: {off['name'][0]}")
    if not wrong and not off.height:
        rows = sum(frame.height for frame in inputs.values())
        yield Finding(
            True,
            f"the reconciliation of {rows:,} packed input rows gives the same {len(names)} tables, and all {again['proofs'].height} proofs are 0",
        )
    if "control" in names:
        yield _ledger(again, inputs)


def _extent(report: CloseReport, inputs: dict[str, pl.DataFrame]) -> Finding:
    """Whether the pack says rightly how much of the company's inputs it holds."""
    extent = report.facts["extent"]
    wrong = [
        name for name, _landed, held in extent["rows"] if name not in inputs or inputs[name].height != held
    ]
    if wrong:
        return Finding(False, f"the pack does not hold as many rows of {wrong[0]} as it says")
    landed = sum(count or 0 for _name, count, _held in extent["rows"])
    held = sum(count for _name, _landed, count in extent["rows"])
    whose = (
        f"of {report.facts['entity']} and what could be matched with them"
        if extent["is_own"]
        else "of ALL entities"
    )
    return Finding(
        True,
        f"the inputs are those {whose}: {held:,} of the company's {landed:,} rows, by input on the completeness page",
    )


def _as_then(again: pl.DataFrame, packed: pl.DataFrame) -> pl.DataFrame:
    """Today's table cut to the columns, and the proofs, that were known when the pack was sealed."""
    kept = again.select([name for name in packed.columns if name in again.columns])
    return kept.filter(pl.col("name").is_in(packed["name"].implode())) if "name" in kept.columns else kept


def _ledger(again: dict[str, pl.DataFrame], inputs: dict[str, pl.DataFrame]) -> Finding:
    """Whether the pack ties the subledger to the general ledger at all, and with how many differences."""
    entries = inputs.get(packing.ENTRIES)
    if entries is None:
        return Finding(True, "the close is not tied to the general ledger: the pack holds no entries of it")
    listed = again["control_differences"].height
    return Finding(
        True,
        f"ageing, subledger and control accounts tied again from {entries.height:,} packed entries: {listed:,} documents differ, all listed",
    )


def _after(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)


def _first_difference(again: pl.DataFrame, packed: pl.DataFrame) -> str:
    if again.columns != packed.columns or again.dtypes != packed.dtypes:
        return "its columns differ"
    if again.height != packed.height:
        return f"{packed.height:,} rows, computed {again.height:,}"
    for name in again.columns:
        at = (~again[name].eq_missing(packed[name])).arg_true()
        if len(at):
            return f"row {at[0] + 1:,}, {name}: {packed[name][at[0]]}, computed {again[name][at[0]]}"
    return "the same rows by another version of the file format"


def _printed(pack: Pack, report: CloseReport, content: dict[str, Any], tool: str) -> Iterator[Finding]:
    """The page printed again from the packed rows; only the version that printed it can print the same bytes."""
    if tool != f"tieout {__version__}":
        yield Finding(
            True,
            f"the page was printed by {tool}; its bytes are as sealed, it is not printed again by {__version__}",
        )
        return
    same = render_close(report, content).encode("utf-8") == pack.read("reconciliation.html")
    yield _equal(
        same,
        "the page is what the packed rows print",
        "reconciliation.html is not what the packed rows print",
    )


def _chained(report: CloseReport, previous: Path | None) -> Iterator[Finding]:
    chain = report.facts["chain"]
    if previous is None:
        said = (
            f"the chain leads to {chain['period']} r{chain['revision']}, content {chain['content_sha256'][:16]}…; give --previous to prove it"
            if chain["period"]
            else "the chain begins here: no period was closed before"
        )
        yield Finding(True, said)
        return
    before = Pack(previous)
    faults = before.faults()
    if faults:
        yield Finding(False, f"the pack before is not as sealed: {faults[0]}")
        return
    manifest = before.json(MANIFEST)
    own = manifest["content"]
    held = (own["entity"], own["period"], manifest["content_sha256"]) == (
        report.facts["entity"],
        chain["period"],
        chain["content_sha256"],
    )
    yield _equal(
        held,
        f"the chain: the opening is the closing of {own['period']}",
        f"the pack before ({own['entity']} {own['period']}) is not the one this close was chained to ({chain['period'] or 'none'} r{chain['revision']})",
    )
    if held:
        opening = (
            report.tables["register"]
            .filter(pl.col("opening_minor") != 0)
            .select("item_id", "opening_minor")
            .sort("item_id")
        )
        closing = (
            before.report()
            .tables["register"]
            .filter(pl.col("closing_minor") != 0)
            .select("item_id", opening_minor="closing_minor")
            .sort("item_id")
        )
        yield _equal(
            opening.equals(closing),
            "every opening amount is the last closing's, item by item",
            "the opening amounts are not the last closing's",
        )
