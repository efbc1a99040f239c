"""Post: drains the outbox in batches, customers before invoices before credit memos before receipts. Intent is durable before the line
is touched; what came back is settled before the next batch; what is unknown is read back before anything is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flows.building import CLASSES, build
from flows.describing import recall
from flows.exchange import Recorder
from flows.holding_back import closed_books, maintenance_reason, within_quota
from flows.reading_back import confirm_unknown
from flows.wiring import House
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.gateway import Intacct
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, NotSent, RefusedByIntacct, Unknown
from tieout.errors import ConnectorError, OutcomeUnknown, Refused, Stopped, TieoutError
from tieout.vocabulary import DOCUMENT_KINDS
from tieout.warehouse import alerts, outbox
from tieout.warehouse.company_lock import company_slot
from tieout.warehouse.outbox import Claim, Result, Settled
from tieout.warehouse.session import Session

LEASE_MARGIN_SECONDS = 60
UNANSWERED_LIMIT = 3
"""Batches in a row whose answer was lost before posting stops for this cycle."""


@dataclass
class Drained:
    """What posting came to."""

    batches: int = 0
    accepted: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    dead: int = 0
    held: int = 0
    released: int = 0
    unknown: int = 0
    found: int = 0
    absent: int = 0
    problems: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    quota: str = ""
    waiting_reason: str | None = None
    halted: str | None = None
    exit_code: int = 0

    def summary(self) -> dict[str, Any]:
        """For the run's record."""
        return {**self.__dict__, "posted": sum(self.accepted.values())}


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
        drained.quota = within_quota(house, run_id=run_id, force=force)
        ready = _ready(house)
        for kind in DOCUMENT_KINDS:
            lost, sent_again = drained.unknown, drained.absent
            _drain(house, client, recorder, run_id, kind, drained, ready)
            if drained.unknown > lost:
                # What depends on these documents may only go once it is certain that they are there.
                confirm_unknown(house, client, recorder, run_id, drained)
                ready = _ready(house) if drained.absent > sent_again else ready
            if drained.halted or drained.waiting_reason:
                break
    except Refused as fault:
        house.halt("intacct", fault, run_id=run_id)
        raise
    except ConnectorError as fault:
        drained.halted, drained.exit_code = str(fault), fault.exit_code
    finally:
        recorder.close()
        client.close()


def _ready(house: House) -> set[tuple[str, str]]:
    """Kinds and entities that have planned documents at all: asking for each of the others would open the warehouse for nothing."""
    with house.warehouse.read() as session:
        planned = session.fetch("ops.outbox", where={"state_code": "planned"}, columns=["document_id"])
        found = session.fetch("out.documents", where=planned, columns=["kind_code", "entity_code"])
    return set(found.unique().iter_rows())


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


def _drain(
    house: House,
    client: Intacct,
    recorder: Recorder,
    run_id: str,
    kind: str,
    drained: Drained,
    ready: set[tuple[str, str]],
) -> None:
    for entity in sorted(code for one, code in ready if one == kind):
        claim, unanswered = _turn(house, recorder, run_id, kind, entity, None, None, drained), 0
        while claim is not None:
            recorder.batch_id = claim.batch_id
            outcome = _send(house, client, claim, entity)
            recorder.batch_id = None
            halted, unanswered = _halted(outcome, unanswered)
            claim = _turn(house, recorder, run_id, kind, None if halted else entity, claim, outcome, drained)
            if isinstance(halted, Refused):
                raise halted
            if halted is not None:
                drained.halted, drained.exit_code = str(halted), halted.exit_code
                return
        if drained.waiting_reason:
            return


def _halted(outcome: BatchOutcome | TieoutError, unanswered: int) -> tuple[TieoutError | None, int]:
    """What stops the posting after a batch, if anything: an error that says nothing was done, or too many answers lost in a row."""
    if isinstance(outcome, BatchOutcome):
        return outcome.halted, 0
    if isinstance(outcome, OutcomeUnknown) and unanswered + 1 < UNANSWERED_LIMIT:
        return None, unanswered + 1
    return outcome, unanswered


def _turn(
    house: House,
    recorder: Recorder,
    run_id: str,
    kind: str,
    entity: str | None,
    sent: Claim | None,
    outcome: BatchOutcome | TieoutError | None,
    drained: Drained,
) -> Claim | None:
    """One transaction: settle the batch that was sent, then claim the next of an entity. Opening the warehouse costs more than both."""
    with house.warehouse.write(run_id=run_id) as session:
        if sent is not None and outcome is not None:
            settled = outbox.settle(
                session, sent.batch_id, _results(sent, outcome), now=house.clock(), run_id=run_id
            )
            recorder.flush(session)
            told = _alerts(session, sent, settled, outcome, house, run_id)
        claim = None
        # A window that opened meanwhile is respected at the next batch, not at the next night.
        waits = maintenance_reason(house, session) if entity is not None else None
        if entity is not None and waits is None:
            claim = outbox.claim(
                session,
                kind=kind,
                entity=entity,
                limit=house.ledger.batch_size,
                lease_seconds=house.ledger.time_out_seconds * 3 + LEASE_MARGIN_SECONDS,
                namespace=house.settings.installation.namespace,
                now=house.clock(),
                run_id=run_id,
            )
    drained.waiting_reason = waits or drained.waiting_reason
    # Counted only once it is committed.
    if sent is not None and outcome is not None:
        drained.batches += 1
        drained.accepted[kind] = drained.accepted.get(kind, 0) + settled.accepted
        drained.refused += settled.refused
        drained.dead += settled.dead
        drained.unknown += settled.unknown
        drained.held += settled.held
        drained.alerts += told
        drained.problems += [
            f"An answer for document {identity} came when it was {state} already; look at it with `tieout outbox show {identity}`."
            for identity, state in settled.stale
        ]
        house.progress(f"posting {kind.replace('_', ' ')}s", drained.accepted[kind], None)
    return claim


def _alerts(
    session: Session,
    sent: Claim,
    settled: Settled,
    outcome: BatchOutcome | TieoutError,
    house: House,
    run_id: str,
) -> list[str]:
    """Raise alerts for documents that are dead now, and for acceptances of documents that Intacct already has under another key."""
    dead = session.fetch(
        "ops.outbox",
        where={"document_id": sent.documents["document_id"].to_list(), "state_code": "dead"},
        columns=["document_id", "reason"],
    ).join(sent.documents.select("document_id", "kind_code", "number"), on="document_id")
    buried = [
        (
            row["document_id"],
            f"{row['kind_code'].replace('_', ' ').capitalize()} {row['number']} was refused for the third time and is not tried again: {row['reason']} "
            f"Correct it (`tieout outbox edit`) and replay it, or cancel it.",
        )
        for row in dead.iter_rows(named=True)
    ]
    accepted = (
        {key for key, one in outcome.results.items() if isinstance(one, Accepted)}
        if isinstance(outcome, BatchOutcome)
        else set()
    )
    ids = dict(zip(sent.documents["document_id"], sent.documents["control_id"], strict=True))
    twice = [
        (
            identity,
            f"Intacct accepted document {identity} although it was {state} already: it may stand there twice. Look at it with `tieout outbox show {identity}`.",
        )
        for identity, state in settled.stale
        if ids[identity] in accepted
    ]
    for kind, told in (("dead_document", buried), ("double_acceptance", twice)):
        alerts.raise_alerts(session, kind, told, now=house.clock(), run_id=run_id)
    return [sentence for _, sentence in (*buried, *twice)]


def _send(house: House, client: Intacct, claim: Claim, entity: str) -> BatchOutcome | TieoutError:
    """Send one batch. Anything but a batch outcome is an error that says whether it may have been done."""
    batch = build(claim, ledger_digits=house.ledger.ledger_digits)
    styles = {CLASSES[kind]: style for kind, style in house.ledger.styles.items()}
    session_entity = entity if entity and house.ledger.entity_sessions else None
    try:
        return client.post(batch, entity=session_entity, styles=styles)
    except TieoutError as fault:
        return fault


def _results(claim: Claim, outcome: BatchOutcome | TieoutError) -> list[Result]:
    ids = dict(zip(claim.documents["control_id"], claim.documents["document_id"], strict=True))
    if isinstance(outcome, OutcomeUnknown):
        return [Result(one, "unknown", reason=str(outcome)) for one in ids.values()]
    if isinstance(outcome, TieoutError):
        return [Result(one, "not_done", reason=str(outcome)) for one in ids.values()]
    found = []
    for control_id, document_id in ids.items():
        one = outcome.results.get(control_id)
        if isinstance(one, Accepted):
            found.append(Result(document_id, "accepted", intacct_key=one.key))
        elif isinstance(one, RefusedByIntacct):
            # A duplicate means that a record with our number is there: whose it is, only a look can say.
            if one.kind is ErrorKind.DUPLICATE:
                found.append(Result(document_id, "unknown", error_kind=one.kind.value, reason=one.sentence))
            else:
                found.append(Result(document_id, "refused", error_kind=one.kind.value, reason=one.sentence))
        elif isinstance(one, NotSent):
            found.append(Result(document_id, "not_done", reason=one.reason))
        else:
            reason = one.reason if isinstance(one, Unknown) else "no answer for this document"
            found.append(Result(document_id, "unknown", reason=reason))
    return found
