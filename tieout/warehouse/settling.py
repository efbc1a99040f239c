"""What came back: a batch settled, unknown documents resolved by read-back, leases that ran out, another try for the refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.moves import Walk, move, present, stride
from tieout.warehouse.session import Session

_INSTANT = pl.Datetime("us", "UTC")
LAST_FAILURE: Final = 3
"""The refusal that makes a document dead: only a person brings it back."""

CLOSED_PERIOD: Final = "closed_period"
"""Error kind of a document whose accounting date lies in closed books: it is held until finance decides, or reopens them."""

_ACCEPTED: Final = {
    "document_id": pl.String(),
    "batch_id": pl.String(),
    "intacct_key": pl.String(),
    "reason": pl.String(),
}

Outcome = Literal["accepted", "refused", "unknown", "not_done"]


@dataclass(frozen=True)
class Result:
    """What is known of one document after a request.

    accepted  Intacct has it, under `intacct_key`
    refused   Intacct does not have it and said why
    unknown   it may or may not be there
    not_done  surely not there, through no fault of its own (never sent, throttled, rolled back with its batch): it may go again
    """

    document_id: str
    outcome: Outcome
    intacct_key: str | None = None
    error_kind: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ReadBack:
    """What a look into Intacct said of an unknown document: `found` under a key, `absent`, or `unclear` (a person must look)."""

    document_id: str
    outcome: Literal["found", "absent", "unclear"]
    intacct_key: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Settled:
    """How many documents went where; `stale` are results that came after their document had moved on, with the state found, and
    `accepted_ids` the documents that were accepted now."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    dead: int = 0
    held: int = 0
    planned: int = 0
    stale: tuple[tuple[str, str], ...] = field(default=())
    accepted_ids: frozenset[str] = field(default=frozenset())


def settle(
    session: Session,
    batch_id: str,
    results: Sequence[Result],
    *,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> Settled:
    """Record what came back for a batch. Settling the same results again changes nothing.

    The third refusal makes a document dead; one for a closed period is held at once, on a list of its own. An acceptance without a key counts as unknown: without it nothing could be found again. A result that
    arrives late still settles its document where that is safe; what could not be applied is returned as stale. An acceptance
    among the stale ones, with a key other than the one already known, means that Intacct may hold the document twice: tell a person.
    """
    return settle_batches(session, [(batch_id, results)], now=now, run_id=run_id, actor=actor)


def settle_batches(
    session: Session,
    answers: Sequence[tuple[str, Sequence[Result]]],
    *,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> Settled:
    """Record what came back for several batches, each with its results, as `settle` does for one. No document may be in two of them."""
    ids = _ids([one for _, results in answers for one in results])
    plain = [
        (one.document_id, batch_id, one.intacct_key, one.reason)
        for batch_id, results in answers
        for one in results
        if one.outcome == "accepted" and one.intacct_key
    ]
    # Nearly all documents of nearly every night go this way; what does not is looked at one by one.
    through = stride(
        session,
        "outbox_accept",
        pl.DataFrame(plain, schema=_ACCEPTED, orient="row"),
        from_state="sending",
        to_state="accepted",
        now=now,
        run_id=run_id,
        actor=actor,
    )
    ended: Counter[str] = Counter({"accepted": len(through)} if through else {})
    rows = present(session, [one for one in ids if one not in through]) if len(through) < len(ids) else {}
    walk = Walk(session, now=now, run_id=run_id, actor=actor)
    stale: list[tuple[str, str]] = []
    accepted = set(through)
    for batch_id, one in ((batch_id, one) for batch_id, results in answers for one in results):
        if one.document_id in through:
            continue
        row = rows.get(one.document_id)
        if row is None:
            raise WarehouseError(
                f"There is no document {one.document_id} in the outbox; nothing was settled."
            )
        before = row["state_code"]
        after = _settled(walk, row, one, batch_id)
        if after is not None:
            ended.update([after] if after != before else [])
            accepted.update([one.document_id] if after == "accepted" else [])
        elif not (before == "accepted" and row["intacct_key"] == one.intacct_key):
            stale.append((one.document_id, before))
    walk.store()
    return _told(ended, stale, accepted)


def _told(
    ended: Mapping[str, int], stale: Sequence[tuple[str, str]], accepted: Iterable[str] = ()
) -> Settled:
    counts: dict[str, Any] = dict(ended)
    return Settled(**counts, stale=tuple(sorted(stale)), accepted_ids=frozenset(accepted))


def _settled(walk: Walk, row: dict[str, Any], one: Result, batch_id: str) -> str | None:
    """Walk one document to where its result leads; returns the state it ended in, or None if the result is stale."""
    state, outcome, why = row["state_code"], one.outcome, one.reason
    if outcome == "accepted" and one.intacct_key:
        # An acceptance is a fact of Intacct whatever has happened here since, so it settles any document that is not final, whichever
        # batch it came with; every other result speaks only for the batch it belongs to. One that was taken back walks the legal way.
        if state not in ("sending", "unknown", "planned", "held"):
            return None
        for at, following in (("held", "planned"), ("planned", "sending")):
            if row["state_code"] == at:
                walk.step(row, following, "its answer came late")
        walk.step(row, "accepted", why, intacct_key=one.intacct_key, error_kind=None, lease_until_at=None)
        return "accepted"
    if outcome == "accepted":
        outcome, why = "unknown", "accepted without a key: read back before it is sent again"
    if state not in ("sending", "unknown") or row["batch_id"] != batch_id:
        return None
    if outcome == "refused":
        refusal = {
            "lease_until_at": None,
            "failures_no": row["failures_no"] + 1,
            "error_kind": one.error_kind,
        }
        if state == "unknown":
            # It comes after the lease ran out: the document is surely absent, and a person should see it before it goes again.
            walk.step(row, "held", why, **refusal)
            return "held"
        walk.step(row, "refused", why, **refusal)
        if one.error_kind == CLOSED_PERIOD:
            # Finance decides: sending it again would change nothing.
            walk.step(row, "held", why)
        elif row["failures_no"] >= LAST_FAILURE:
            walk.step(row, "dead", why)
        return str(row["state_code"])
    if state == "sending":
        walk.step(row, "unknown", why, lease_until_at=None)
    if outcome == "not_done":
        walk.step(row, "planned", why, lease_until_at=None)
        return "planned"
    return "unknown"


def resolve(
    session: Session,
    looked_up: Sequence[ReadBack],
    *,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> Settled:
    """Settle unknown documents by what Intacct shows: found is accepted, absent may be sent again, unclear is held for a person.

    Documents that are not unknown (any more) are returned as stale.
    """
    rows = present(session, _ids(looked_up))
    walk = Walk(session, now=now, run_id=run_id, actor=actor)
    ended: Counter[str] = Counter()
    stale: list[tuple[str, str]] = []
    for one in looked_up:
        row = rows.get(one.document_id)
        if row is None:
            continue
        if row["state_code"] != "unknown":
            stale.append((one.document_id, row["state_code"]))
            continue
        if one.outcome == "found" and not one.intacct_key:
            raise WarehouseError(
                f"Document {one.document_id} was found in Intacct without a key; read it again with its RECORDNO."
            )
        if one.outcome == "found":
            walk.step(
                row, "accepted", one.reason, intacct_key=one.intacct_key, error_kind=None, lease_until_at=None
            )
        else:
            walk.step(row, "planned" if one.outcome == "absent" else "held", one.reason, lease_until_at=None)
        ended[row["state_code"]] += 1
    walk.store()
    return _told(ended, stale)


def follow(
    session: Session,
    keys: Mapping[str, str],
    *,
    reason: str,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> int:
    """Give accepted documents the key of the record that stands for them now; returns how many. What is not accepted is left alone."""
    rows = session.fetch("ops.outbox", where={"document_id": list(keys), "state_code": "accepted"})
    moved = rows.with_columns(
        to_state=pl.lit("accepted"),
        why=pl.format("{} ({} before)", pl.lit(reason), pl.col("intacct_key").fill_null("no key")),
        new_key=pl.col("document_id").replace_strict(dict(keys), return_dtype=pl.String),
    )
    return move(
        session,
        moved,
        now=now,
        run_id=run_id,
        actor=actor,
        changes={"intacct_key": pl.col("new_key")},
        follows_record=True,
    )


def expire_leases(session: Session, *, now: datetime, run_id: str, actor: str = "tieout") -> int:
    """Documents whose sender did not come back in time become unknown; returns how many."""
    rows = session.fetch("ops.outbox", where={"state_code": "sending"}).filter(
        pl.col("lease_until_at").is_null() | (pl.col("lease_until_at") <= pl.lit(now, dtype=_INSTANT))
    )
    lapsed = rows.with_columns(
        to_state=pl.lit("unknown"), why=pl.lit("its sender did not report back before the lease ended")
    )
    return move(session, lapsed, now=now, run_id=run_id, actor=actor, changes=NO_LEASE)


def retry_refused(session: Session, *, now: datetime, run_id: str, actor: str = "tieout") -> int:
    """Refused documents are planned again for the next cycle, keeping their count of failures; returns how many."""
    rows = session.fetch("ops.outbox", where={"state_code": "refused"})
    again = rows.with_columns(
        to_state=pl.lit("planned"),
        why=pl.format("tried again after: {}", pl.col("reason").fill_null("refused")),
    )
    return move(session, again, now=now, run_id=run_id, actor=actor)


NO_LEASE: Final[Mapping[str, pl.Expr]] = {"lease_until_at": pl.lit(None, dtype=_INSTANT)}
"""What ends a lease."""


def _ids(given: Sequence[Result] | Sequence[ReadBack]) -> list[str]:
    """The documents these speak of, each once. Raises `WarehouseError` if two speak of one."""
    ids = [one.document_id for one in given]
    if len(set(ids)) != len(ids):
        twin = next(one for one in ids if ids.count(one) > 1)
        raise WarehouseError(f"Two results were given for document {twin}; nothing was settled.")
    return ids
