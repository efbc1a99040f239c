"""What came back: a batch settled, unknown documents resolved by read-back, leases that ran out, another try for the refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.moves import move
from tieout.warehouse.session import Session

_INSTANT = pl.Datetime("us", "UTC")
LAST_FAILURE: Final = 3
"""The refusal that makes a document dead: only a person brings it back."""

CLOSED_PERIOD: Final = "closed_period"
"""Error kind of a document whose accounting date lies in closed books: it is held until finance decides, or reopens them."""

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
    """How many documents went where; `stale` are results that came after their document had moved on, with the state found."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    dead: int = 0
    held: int = 0
    planned: int = 0
    stale: tuple[tuple[str, str], ...] = field(default=())


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
    frame = _results(results)
    rows = session.fetch("ops.outbox", where=frame.select("document_id")).join(frame, on="document_id")
    lost = frame.join(rows, on="document_id", how="anti")
    if lost.height:
        raise WarehouseError(
            f"There is no document {lost['document_id'][0]} in the outbox; nothing was settled."
        )
    # An acceptance is a fact of Intacct whatever has happened here since, so it settles any document that is not final, whichever batch it
    # came with; every other result speaks only for the batch it belongs to.
    landed = rows.filter(
        (pl.col("outcome") == "accepted")
        & pl.col("state_code").is_in(["sending", "unknown", "planned", "held"])
    )
    ours = rows.filter(
        (pl.col("outcome") != "accepted")
        & pl.col("state_code").is_in(["sending", "unknown"])
        & pl.col("batch_id").eq_missing(pl.lit(batch_id))
    )
    settled_before = (pl.col("state_code") == "accepted") & pl.col("intacct_key").eq_missing(
        pl.col("new_key")
    )
    stale = rows.join(pl.concat([landed, ours]), on="document_id", how="anti").filter(~settled_before)
    in_time = ours.filter(pl.col("state_code") == "sending")
    late = ours.filter(pl.col("state_code") == "unknown")
    tell = {"now": now, "run_id": run_id, "actor": actor}

    accepted = _accept(session, landed, frame, tell)
    refused = _step(session, in_time, "refused", "refused", tell, _REFUSE)
    unknown = _step(session, in_time, "unknown", "unknown", tell, NO_LEASE)
    undone = in_time.filter(pl.col("outcome") == "not_done")
    _step(session, undone, "not_done", "unknown", tell, NO_LEASE)
    again = late
    if undone.height:
        now_unknown = session.fetch("ops.outbox", where=undone.select("document_id"))
        again = pl.concat([late, now_unknown.join(frame, on="document_id").select(late.columns)])
    planned = _step(session, again, "not_done", "planned", tell, NO_LEASE)
    # A refusal that comes after the lease ran out: the document is surely absent, and a person should see it before it goes again.
    held = _step(session, late, "refused", "held", tell, _REFUSE)
    refusals = in_time.filter(pl.col("outcome") == "refused")
    shelved = _shelve(session, refusals, tell)
    dead = _bury(session, refusals, tell)
    return Settled(
        accepted=accepted,
        refused=refused - dead - shelved,
        unknown=unknown,
        dead=dead,
        held=held + shelved,
        planned=planned,
        stale=tuple(stale.select("document_id", "state_code").sort("document_id").iter_rows()),
    )


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
    outcomes = {"found": "accepted", "absent": "not_done", "unclear": "held"}
    frame = _frame(
        [(one.document_id, outcomes[one.outcome], one.intacct_key, None, one.reason) for one in looked_up]
    )
    rows = session.fetch("ops.outbox", where=frame.select("document_id")).join(frame, on="document_id")
    unknown = rows.filter(pl.col("state_code") == "unknown")
    keyless = unknown.filter((pl.col("outcome") == "accepted") & (pl.col("new_key").fill_null("") == ""))
    if keyless.height:
        raise WarehouseError(
            f"Document {keyless['document_id'][0]} was found in Intacct without a key; read it again with its RECORDNO."
        )
    tell = {"now": now, "run_id": run_id, "actor": actor}
    return Settled(
        accepted=_step(session, unknown, "accepted", "accepted", tell, _ACCEPT),
        planned=_step(session, unknown, "not_done", "planned", tell, NO_LEASE),
        held=_step(session, unknown, "held", "held", tell, NO_LEASE),
        stale=tuple(
            rows.filter(pl.col("state_code") != "unknown")
            .select("document_id", "state_code")
            .sort("document_id")
            .iter_rows()
        ),
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


NO_LEASE: Final = {"lease_until_at": pl.lit(None, dtype=_INSTANT)}
_ACCEPT: Final = {
    **NO_LEASE,
    "intacct_key": pl.col("new_key"),
    "error_kind": pl.lit(None, dtype=pl.String),
}
_REFUSE: Final = {
    **NO_LEASE,
    "failures_no": pl.col("failures_no") + 1,
    "error_kind": pl.col("new_error_kind"),
}


def _results(results: Sequence[Result]) -> pl.DataFrame:
    rows: list[tuple[str, str, str | None, str | None, str | None]] = []
    for one in results:
        if one.outcome == "accepted" and not one.intacct_key:
            why = "accepted without a key: read back before it is sent again"
            rows.append((one.document_id, "unknown", None, one.error_kind, why))
        else:
            rows.append((one.document_id, one.outcome, one.intacct_key, one.error_kind, one.reason))
    return _frame(rows)


def _frame(rows: Sequence[tuple[str, str, str | None, str | None, str | None]]) -> pl.DataFrame:
    names = ("document_id", "outcome", "new_key", "new_error_kind", "new_reason")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    if frame["document_id"].is_duplicated().any():
        twin = frame.filter(pl.col("document_id").is_duplicated())["document_id"][0]
        raise WarehouseError(f"Two results were given for document {twin}; nothing was settled.")
    return frame


def _accept(session: Session, landed: pl.DataFrame, frame: pl.DataFrame, tell: Mapping[str, object]) -> int:
    """Accept documents; one that was taken back meanwhile walks the legal way there: held, planned, sending, accepted."""
    why = pl.lit("its answer came late")
    for state, following in (("held", "planned"), ("planned", "sending")):
        back = landed.filter(pl.col("state_code") == state)
        if back.height:
            move(session, back.with_columns(to_state=pl.lit(following), why=why), **tell)  # type: ignore[arg-type]
            landed = session.fetch("ops.outbox", where=landed.select("document_id")).join(
                frame, on="document_id"
            )
    return _step(session, landed, "accepted", "accepted", tell, _ACCEPT)


def _step(
    session: Session,
    rows: pl.DataFrame,
    outcome: str,
    to_state: str,
    tell: Mapping[str, object],
    changes: Mapping[str, pl.Expr],
) -> int:
    going = rows.filter(pl.col("outcome") == outcome).with_columns(
        to_state=pl.lit(to_state), why="new_reason"
    )
    return move(session, going, changes=changes, **tell)  # type: ignore[arg-type]


def _shelve(session: Session, refused: pl.DataFrame, tell: Mapping[str, object]) -> int:
    """Documents refused because their period is closed wait for finance: sending them again would change nothing."""
    if refused.is_empty():
        return 0
    rows = session.fetch("ops.outbox", where=refused.select("document_id"))
    closed = rows.filter((pl.col("state_code") == "refused") & (pl.col("error_kind") == CLOSED_PERIOD))
    waits = closed.with_columns(to_state=pl.lit("held"), why=pl.col("reason"))
    return move(session, waits, **tell)  # type: ignore[arg-type]


def _bury(session: Session, refused: pl.DataFrame, tell: Mapping[str, object]) -> int:
    """Documents refused for the third time go from refused to dead."""
    if refused.is_empty():
        return 0
    rows = session.fetch("ops.outbox", where=refused.select("document_id"))
    last = rows.filter((pl.col("state_code") == "refused") & (pl.col("failures_no") >= LAST_FAILURE))
    gone = last.with_columns(to_state=pl.lit("dead"), why=pl.col("reason"))
    return move(session, gone, **tell)  # type: ignore[arg-type]
