"""Post: drains the outbox in batches, whatever can go, customers before invoices before credit memos before receipts. Intent is durable before the line
is touched; what came back is settled before the next batch; what is unknown is read back before anything is sent again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flows.exchange import Recorder
from flows.posting.building import CLASSES, build
from flows.posting.holding_back import closed_books, maintenance_reason, nightly_window, within_quota
from flows.posting.reading_back import confirm_unknown
from flows.posting.sales_documents import follow_edited, with_invoices, with_source_lines
from flows.posting.turns import Answer, Drained, NotBegun, Turns
from flows.sources.describing import recall
from flows.wiring import House
from tieout.connectors.intacct.gateway import Intacct
from tieout.connectors.intacct.outcomes import BatchOutcome
from tieout.errors import ConnectorError, OutcomeUnknown, Refused, Stopped, TieoutError
from tieout.warehouse import outbox
from tieout.warehouse.company_lock import company_slot
from tieout.warehouse.outbox import Claim

UNANSWERED_LIMIT = 3
"""Batches in a row whose answer was lost before posting stops for this cycle."""


def post(house: House, *, run_id: str, force: bool = False) -> dict[str, Any]:
    """Resolve what is unknown, then send what is planned.

    Waits, without failing, in a maintenance window and while other runs hold all places of the company. `force` posts beyond the month's
    quota. Raises `Stopped` if the last check shut the gate or the quota would be passed, `Refused` for bad credentials: then nothing talks to
    Intacct until `tieout doctor` has signed in again.
    """
    gate(house)
    drained = Drained()
    drained.waiting_reason = maintenance_reason(house)
    if drained.waiting_reason:
        return drained.summary()
    ledger = house.ledger
    with company_slot(
        house.locks, f"{ledger.endpoint}|{ledger.company_id}", workers=ledger.workers, run_id=run_id
    ) as holder:
        if holder is not None:
            drained.waiting_reason = f"{holder} is posting for this company; documents wait for the next run"
            return drained.summary()
        _post(house, run_id, drained, force=force)
    return drained.summary()


def _post(house: House, run_id: str, drained: Drained, *, force: bool) -> None:
    recorder = Recorder(house, run_id, purpose="post")
    client = house.intacct(
        archive=recorder.archive,
        meter=recorder.meter,
        described=recall(house),
        entity_of=house.entity_of_location,
    )
    try:
        with house.warehouse.write(run_id=run_id) as session:
            outbox.expire_leases(session, now=house.clock(), run_id=run_id)
            outbox.retry_refused(session, now=house.clock(), run_id=run_id)
        confirm_unknown(house, client, recorder, run_id, drained)
        drained.held, drained.released, told = closed_books(house, client, run_id=run_id)
        drained.problems += told
        drained.problems += follow_edited(house, client, run_id=run_id)
        drained.quota = within_quota(house, run_id=run_id, force=force)
        turns = Turns(house, recorder, run_id, drained)
        while True:
            lost, found = drained.unknown, drained.found
            _drain(house, client, recorder, turns, drained)
            if drained.unknown > lost:
                confirm_unknown(house, client, recorder, run_id, drained)
            # What depends on documents that are certain now may follow; what is not there waits for the next run.
            if drained.halted or drained.waiting_reason or drained.found == found:
                break
    except Refused as fault:
        house.halt("intacct", fault, run_id=run_id)
        raise
    except ConnectorError as fault:
        drained.halted, drained.exit_code = str(fault), fault.exit_code
    finally:
        recorder.close()
        client.close()


def gate(house: House) -> None:
    """Raises `Stopped` with the reasons if the newest check found anything that stops the batch, or if there never was a check."""
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"})
        if checks.is_empty():
            raise Stopped(
                "Nothing has been checked yet, so nothing may be posted; run `tieout run check` first."
            )
        plans = session.fetch("ops.runs", where={"stage": "plan", "state_code": "done"})
        # Rules judge what is staged, and then the plan made of it: the newest of both must be clean.
        last = [one["run_id"].max() for one in (checks, plans) if one.height]
        stops = session.fetch("ops.findings", where={"run_id": last, "severity": "stop"})
    if stops.height:
        reasons = "; ".join(stops["sentence"].head(3).to_list())
        more = f"; and {stops.height - 3} more" if stops.height > 3 else ""
        raise Stopped(f"The gate is shut and nothing was posted: {reasons}{more}.")


def _drain(house: House, client: Intacct, recorder: Recorder, turns: Turns, drained: Drained) -> None:
    claims, unanswered = turns.first(), 0
    while claims:
        answers, halted, unanswered = _sent(house, client, recorder, claims, unanswered)
        claims = turns.next(answers, is_last=halted is not None)
        if isinstance(halted, Refused):
            raise halted
        if isinstance(halted, NotBegun):
            drained.waiting_reason = str(halted)
        elif halted is not None:
            drained.halted, drained.exit_code = str(halted), halted.exit_code


def _sent(
    house: House, client: Intacct, recorder: Recorder, claims: list[Claim], unanswered: int
) -> tuple[list[Answer], TieoutError | None, int]:
    """Send claimed batches one by one. Once something stops the posting, the rest is not begun and says so."""
    answers: list[Answer] = []
    halted: TieoutError | None = None
    for claim in claims:
        waits = nightly_window(house)
        if halted is None and waits is not None:
            halted = NotBegun(waits)
        if halted is not None:
            answers.append((claim, NotBegun(f"not sent: {halted}")))
            continue
        recorder.batch_id = claim.batch_id
        outcome = _send(house, client, claim)
        recorder.batch_id = None
        answers.append((claim, outcome))
        halted, unanswered = _halted(outcome, unanswered)
    return answers, halted, unanswered


def _halted(outcome: BatchOutcome | TieoutError, unanswered: int) -> tuple[TieoutError | None, int]:
    """What stops the posting after a batch, if anything: an error that says nothing was done, or too many answers lost in a row."""
    if isinstance(outcome, BatchOutcome):
        return outcome.halted, 0
    if isinstance(outcome, OutcomeUnknown) and unanswered + 1 < UNANSWERED_LIMIT:
        return None, unanswered + 1
    return outcome, unanswered


def _send(house: House, client: Intacct, claim: Claim) -> BatchOutcome | TieoutError:
    """Send one batch. Anything but a batch outcome is an error that says whether it may have been done."""
    styles = {CLASSES[kind]: style for kind, style in house.ledger.styles.items()}
    if "credit_memo" in house.ledger.styles:
        # Both are adjustments, of one function.
        styles[CLASSES["debit_memo"]] = house.ledger.styles["credit_memo"]
    if claim.kind == "application":
        # Only the generic function carries credits.
        styles[CLASSES["application"]] = "generic"
    session_entity = claim.entity if claim.entity and house.ledger.entity_sessions else None
    try:
        sent, refused = with_source_lines(client, claim, entity=session_entity)
        batch = build(sent, ledger_digits=house.ledger.ledger_digits)
        outcome = client.post(batch, entity=session_entity, styles=styles) if batch else BatchOutcome({})
        outcome = with_invoices(client, sent, outcome, entity=session_entity)
        return replace(outcome, results={**outcome.results, **refused})
    except TieoutError as fault:
        return fault
