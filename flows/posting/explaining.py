"""Why a document waits, what happens next, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.posting.holding_back import maintenance_reason
from tieout.warehouse import outbox
from tieout.warehouse.outbox import LAST_FAILURE

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


def explained(house: House, session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    """`why`, `next` and `todo` of one document; `row` is its outbox row with `document_id`, `kind_code` and `number`."""
    return _BY_STATE[row["state_code"]](house, session, row)


def _planned(house: House, session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    blocking = outbox.blocked(session).filter(pl.col("document_id") == row["document_id"])
    if blocking.height:
        one = blocking.row(0, named=True)
        return _told(
            f"It depends on document {one['blocked_by_id']}, which is {one['blocked_by_state']}"
            + (f" ({one['blocked_by_reason']})." if one["blocked_by_reason"] else "."),
            "It goes as soon as that one is accepted.",
            f"Look at the other one: tieout outbox explain {one['blocked_by_id']}",
        )
    window = maintenance_reason(house, session)
    if window:
        return _told(
            window.capitalize() + ".",
            "It goes with the first run after the window.",
            "Nothing, or `tieout maintenance stop`.",
        )
    return _told(
        "Nothing keeps it back.",
        "It is sent by the next posting run.",
        "Nothing; `tieout run post` sends it now.",
    )


def _held(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    identity = row["document_id"]
    if row["error_kind"] == outbox.CLOSED_PERIOD:
        return _told(
            f"Its period is closed: {row['reason']}.",
            "It goes by itself once Intacct says that its day is open again.",
            f"Post it on the first open day (tieout outbox first-open {identity}), have the period reopened, or cancel it.",
        )
    return _told(
        f"It is held: {row['reason']}.",
        "If a rule held its order, it goes once the rule is satisfied; what a person or a look into Intacct held waits for a person.",
        f"Mend the cause, then tieout outbox release {identity}; or cancel it.",
    )


def _sending(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    return _told(
        f"A run took it to send it in batch {row['batch_id']}.",
        f"If that run does not report back by {row['lease_until_at']:%Y-%m-%d %H:%M} UTC, it is looked for in Intacct by its number.",
        "Nothing.",
    )


def _unknown(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    return _told(
        f"It was sent and it is not certain what came of it: {row['reason']}.",
        f"The next posting run looks for {row['number']} in Intacct: found, it is accepted; proved absent, it is sent again.",
        "Nothing, or look it up in Intacct and hold it.",
    )


def _refused(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    left = LAST_FAILURE - row["failures_no"]
    return _told(
        f"Intacct refused it ({row['failures_no']} of {LAST_FAILURE}): {row['reason']}",
        f"The next posting run tries again; after {left} more refusal(s) it is dead and an alert is raised.",
        f"Correct the mapping or the record, or tieout outbox edit {row['document_id']}.",
    )


def _dead(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    identity = row["document_id"]
    return _told(
        f"Intacct refused it {row['failures_no']} times: {row['reason']}",
        "Nothing; only a person brings it back.",
        f"Correct it (tieout outbox edit {identity} --set field=value), then tieout outbox replay {identity}; or cancel it.",
    )


def _accepted(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    return _told(f"Intacct has it under {row['intacct_key']}.", "Nothing; that is final.", "Nothing.")


def _cancelled(_house: House, _session: Session, row: Mapping[str, Any]) -> dict[str, str]:
    return _told(f"It was given up: {row['reason']}.", "Nothing; that is final.", "Nothing.")


def _told(why: str, following: str, todo: str) -> dict[str, str]:
    return {"why": why, "next": following, "todo": todo}


_BY_STATE = {
    "planned": _planned,
    "held": _held,
    "sending": _sending,
    "unknown": _unknown,
    "refused": _refused,
    "dead": _dead,
    "accepted": _accepted,
    "cancelled": _cancelled,
}


def lines_of(parts: Mapping[str, str]) -> Sequence[str]:
    """The three sentences as lines of text."""
    return [f"    why   {parts['why']}", f"    next  {parts['next']}", f"    to do {parts['todo']}"]
