"""What may happen to a close, in which order: closed, signed by a preparer, signed by somebody else and thereby locked, suspended, reopened.

The state is never stored. It is what the events of `ops.close_events` come to, and the only legal moves live here.

    (open) ── closed ──▶ closed ── prepared ──▶ prepared ── locked ──▶ locked ── suspended ──▶ suspended
       ▲                   │ ▲                     │                     │  ▲                     │  │
       └──── reopened ─────┴─┼───── reopened ──────┴────── reopened ─────┴──┼────── reinstated ───┘  │
                             └─ voided, closed ────┘  (other content)       └──────── reopened ◀─────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tieout.errors import InputError

KINDS: Final = ("closed", "prepared", "locked", "voided", "suspended", "reinstated", "reopened")
STATES: Final = ("open", "closed", "prepared", "locked", "suspended")
ROLES: Final = {"preparer": "prepared", "reviewer": "locked"}
"""Who signs, and the event that makes."""

LEGAL: Final[Mapping[str, Mapping[str, str]]] = {
    # event: {state before: state after}
    "closed": {"open": "closed", "closed": "closed"},
    "voided": {"prepared": "open"},
    "prepared": {"closed": "prepared"},
    "locked": {"prepared": "locked"},
    "suspended": {"locked": "suspended"},
    "reinstated": {"suspended": "locked"},
    "reopened": {"closed": "open", "prepared": "open", "locked": "open", "suspended": "open"},
}


@dataclass(frozen=True)
class Standing:
    """Where a close stands: its state, the revision and content that state is bound to, and who signed it."""

    state: str = "open"
    revision: int = 0
    content_sha256: str = ""
    preparer: str = ""
    prepared_at: datetime | None = None
    reviewer: str = ""
    reviewed_at: datetime | None = None
    accepted_at: datetime | None = None
    last_at: datetime | None = None
    last_no: int = 0


def standing(events: Iterable[Mapping[str, Any]]) -> Standing:
    """What the events of one entity and period (rows of `ops.close_events`, any order) come to. Raises `InputError` for an illegal history."""
    now = Standing()
    for one in sorted(events, key=lambda event: event["event_no"]):
        now = after(now, one)
    return now


def after(now: Standing, event: Mapping[str, Any]) -> Standing:
    """The standing after one more event. Raises `InputError` if it may not happen now."""
    kind = event["kind_code"]
    state = LEGAL[kind].get(now.state)
    if state is None:
        raise InputError(refusal(kind, now))
    kept = {**now.__dict__, "state": state, "last_at": event["at"], "last_no": event["event_no"]}
    if kind == "closed":
        kept |= {"revision": event["revision"], "content_sha256": event["content_sha256"], **_UNSIGNED}
    if kind in ("voided", "reopened"):
        kept |= _UNSIGNED
    if kind == "prepared":
        kept |= {"preparer": event["author"], "prepared_at": event["at"]}
    if kind == "locked":
        kept |= {"reviewer": event["author"], "reviewed_at": event["at"], "accepted_at": event["at"]}
    if kind == "reinstated":
        kept |= {"accepted_at": event["at"]}
    return Standing(**kept)


_UNSIGNED: Final[dict[str, Any]] = {
    "preparer": "",
    "prepared_at": None,
    "reviewer": "",
    "reviewed_at": None,
    "accepted_at": None,
}


def refusal(kind: str, now: Standing) -> str:
    """Why an event may not happen in a state, and what to do instead."""
    if kind == "closed":
        signed = f" by {now.preparer} and {now.reviewer}" if now.reviewer else ""
        return (
            f"The period is {now.state}{signed}; to close it again, run `tieout reopen` with a reason first."
        )
    if kind == "prepared":
        if now.state in ("locked", "prepared"):
            return f"The period is signed by its preparer {now.preparer} already; the next signature is the reviewer's."
        return f"There is nothing to sign: the period is {now.state}; run `tieout close` first."
    if kind == "locked":
        if now.state == "locked":
            return f"The period is locked already, signed by {now.preparer} and {now.reviewer}."
        return f"The preparer has not signed: the period is {now.state}; run `tieout sign --role preparer` first."
    if kind == "reopened":
        return "The period was never closed, so there is nothing to reopen."
    return f"A period that is {now.state} cannot be {kind}."


def check_signer(now: Standing, role: str, author: str) -> str:
    """The event a signature makes. Raises `InputError` for an unknown role, a missing name, or a reviewer who prepared it."""
    if role not in ROLES:
        raise InputError(f"'{role}' is not a role that signs; use preparer or reviewer.")
    if not folded(author):
        raise InputError("A signature needs a name: give --author, or set TIEOUT_AUTHOR.")
    if role == "reviewer" and now.preparer and folded(author) == folded(now.preparer):
        raise InputError(
            f"{author.strip()} prepared this close and cannot review it; another person signs as reviewer."
        )
    if role == "reviewer" and now.state == "suspended":
        return "reinstated"
    return ROLES[role]


def folded(name: str) -> str:
    """A name without case and spacing, so that one person cannot sign twice by writing it differently."""
    return " ".join(name.split()).casefold()


def check_clock(now: Standing, at: datetime) -> None:
    """Raises `InputError` if the clock stands before the last event: a history that runs backwards proves nothing."""
    if now.last_at is not None and at < now.last_at:
        raise InputError(
            f"The clock says {at:%Y-%m-%d %H:%M:%S} UTC, before the last entry of this close ({now.last_at:%Y-%m-%d %H:%M:%S} UTC); set the clock right and try again."
        )
