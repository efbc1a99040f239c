"""One turn of posting is one transaction: what came back for the last batch is settled, and the next batch is claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from flows.exchange import Recorder
from flows.posting.holding_back import maintenance_reason
from flows.wiring import House
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, NotSent, RefusedByIntacct, Unknown
from tieout.errors import OutcomeUnknown, TieoutError
from tieout.vocabulary import DOCUMENT_KINDS
from tieout.warehouse import alerts, outbox
from tieout.warehouse.outbox import Claim, Ready, Result, Settled
from tieout.warehouse.session import Session

LEASE_MARGIN_SECONDS = 60
BATCHES = 8
"""Batches claimed and settled together. Each is still a request of its own; of a run that dies, so many batches are looked up again."""


class NotBegun(TieoutError):
    """A batch that was claimed and not sent, because what came before it stopped the posting."""


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


Answer = tuple[Claim, BatchOutcome | TieoutError]
"""A batch that was sent, or was to be sent, with what came of it."""


class Turns:
    """The turns of one run, over all kinds and entities: whatever can go goes, in the order of kinds, and what it lets go follows."""

    def __init__(self, house: House, recorder: Recorder, run_id: str, drained: Drained) -> None:
        self._house, self._recorder, self._run_id, self._drained = house, recorder, run_id, drained
        self._ready: Ready | None = None

    def first(self) -> list[Claim]:
        """Claim the first batches, of what is ready now; none if none can go."""
        self._ready = None
        with self._house.warehouse.write(run_id=self._run_id) as session:
            waits, claims = self._claimed(session)
        self._drained.waiting_reason = waits or self._drained.waiting_reason
        return claims

    def next(self, answers: Sequence[Answer], *, is_last: bool) -> list[Claim]:
        """Settle what was sent and claim the next batches, unless that was the last; none if none can go."""
        house, drained, run_id = self._house, self._drained, self._run_id
        results = [(sent.batch_id, _results(sent, outcome)) for sent, outcome in answers]
        with house.warehouse.write(run_id=run_id) as session:
            settled = outbox.settle_batches(session, results, now=house.clock(), run_id=run_id)
            self._recorder.flush(session)
            told = _alerts(session, answers, settled, house, run_id)
            if settled.accepted and self._ready is not None:
                # What waited for these may go now.
                self._ready.is_whole = False
            waits, claims = (None, []) if is_last else self._claimed(session)
        # Counted only once it is committed.
        drained.waiting_reason = waits or drained.waiting_reason
        drained.batches += sum(not isinstance(outcome, NotBegun) for _, outcome in answers)
        for sent, _ in answers:
            mine = len(settled.accepted_ids.intersection(sent.documents["document_id"]))
            drained.accepted[sent.kind] = drained.accepted.get(sent.kind, 0) + mine
            house.progress(f"posting {sent.kind.replace('_', ' ')}s", drained.accepted[sent.kind], None)
        drained.refused += settled.refused
        drained.dead += settled.dead
        drained.unknown += settled.unknown
        drained.held += settled.held
        drained.alerts += told
        drained.problems += [
            f"An answer for document {identity} came when it was {state} already; look at it with `tieout outbox show {identity}`."
            for identity, state in settled.stale
        ]
        return claims

    def _claimed(self, session: Session) -> tuple[str | None, list[Claim]]:
        """Why nothing may go now, or the next batches, if there are any."""
        house = self._house
        # A window that opened meanwhile is respected at the next turn, not at the next night.
        waits = maintenance_reason(house, session)
        if waits is not None:
            return waits, []
        size = house.ledger.batch_size
        while True:
            if self._ready is None or not (self._ready.left or self._ready.is_whole):
                self._ready = outbox.ready(session, kinds=DOCUMENT_KINDS, limit=size * outbox.AHEAD)
            claims = outbox.claim_batches(
                session,
                self._ready,
                limit=size,
                batches=BATCHES,
                lease_seconds=house.ledger.time_out_seconds * (BATCHES + 2) + LEASE_MARGIN_SECONDS,
                namespace=house.settings.installation.namespace,
                now=house.clock(),
                run_id=self._run_id,
            )
            if claims or (not self._ready.left and self._ready.is_whole):
                return None, claims


def _alerts(
    session: Session, answers: Sequence[Answer], settled: Settled, house: House, run_id: str
) -> list[str]:
    """Raise alerts for documents that are dead now, and for acceptances of documents that Intacct already has under another key."""
    if not settled.dead and not settled.stale:
        return []
    sent = pl.concat(
        [claim.documents.select("document_id", "kind_code", "number", "control_id") for claim, _ in answers]
    )
    dead = session.fetch(
        "ops.outbox",
        where={"document_id": sent["document_id"].to_list(), "state_code": "dead"},
        columns=["document_id", "reason"],
    ).join(sent, on="document_id")
    buried = [
        (
            row["document_id"],
            f"{row['kind_code'].replace('_', ' ').capitalize()} {row['number']} was refused for the third time and is not tried again: {row['reason']} "
            f"Correct it (`tieout outbox edit`) and replay it, or cancel it.",
        )
        for row in dead.iter_rows(named=True)
    ]
    accepted = {
        control_id
        for _, outcome in answers
        if isinstance(outcome, BatchOutcome)
        for control_id, one in outcome.results.items()
        if isinstance(one, Accepted)
    }
    ids = dict(sent.select("document_id", "control_id").iter_rows())
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
