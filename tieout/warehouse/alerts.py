"""Alerts: what a person must look at now. Raised once, standing until cleared; a system whose credentials were refused is left alone meanwhile."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from tieout.errors import InputError
from tieout.warehouse.session import Session

_INSTANT = pl.Datetime("us", "UTC")
_TABLE: Final = "ops.alerts"
_SCHEMA: Final = {
    "alert_id": pl.String(),
    "kind_code": pl.String(),
    "subject_ref": pl.String(),
    "sentence": pl.String(),
    "raised_at": _INSTANT,
    "run_id": pl.String(),
    "cleared_at": _INSTANT,
    "cleared_by": pl.String(),
    "cleared_reason": pl.String(),
}


def standing(session: Session, *, kind: str | None = None, subject: str | None = None) -> pl.DataFrame:
    """Alerts that stand, oldest first."""
    where: dict[str, object] = {"cleared_at": None}
    if kind is not None:
        where["kind_code"] = kind
    if subject is not None:
        where["subject_ref"] = subject
    return session.fetch(_TABLE, where=where).sort("raised_at", "alert_id")


def raise_alerts(
    session: Session, kind: str, told: Sequence[tuple[str, str]], *, now: datetime, run_id: str
) -> int:
    """Raise an alert per (subject, sentence), unless one of the kind stands for that subject; returns how many are new."""
    known = set(standing(session, kind=kind)["subject_ref"].to_list())
    rows = [
        (_minted(kind, subject, run_id), kind, subject, sentence, now, run_id, None, None, None)
        for subject, sentence in dict(told).items()
        if subject not in known
    ]
    if rows:
        session.publish(
            _TABLE, pl.DataFrame(rows, schema=_SCHEMA, orient="row"), key=["alert_id"], mode="append"
        )
    return len(rows)


def clear(
    session: Session,
    alert_ids: Sequence[str],
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> int:
    """Clear standing alerts by id. Raises `InputError` for an id that is unknown or cleared already, or without a reason."""
    if not reason.strip() or not actor.strip():
        raise InputError("An alert is cleared with a reason and a name; both are kept beside it.")
    stands = standing(session)
    missing = [one for one in alert_ids if one not in set(stands["alert_id"].to_list())]
    if missing:
        raise InputError(f"No alert {missing[0]} stands; `tieout alerts list` shows those that do.")
    return _cleared(
        session, stands.filter(pl.col("alert_id").is_in(list(alert_ids))), reason=reason, actor=actor, now=now
    )


def settle_subjects(
    session: Session, kind: str, subjects: Sequence[str], *, reason: str, now: datetime, actor: str = "tieout"
) -> int:
    """Clear the alerts of a kind about these subjects, because what they told of is over; returns how many."""
    over = standing(session, kind=kind).filter(pl.col("subject_ref").is_in(list(subjects)))
    return _cleared(session, over, reason=reason, actor=actor, now=now)


def _cleared(session: Session, rows: pl.DataFrame, *, reason: str, actor: str, now: datetime) -> int:
    if rows.is_empty():
        return 0
    done = rows.with_columns(
        cleared_at=pl.lit(now, dtype=_INSTANT), cleared_by=pl.lit(actor), cleared_reason=pl.lit(reason)
    )
    session.publish(_TABLE, done, key=["alert_id"], mode="merge")
    return done.height


def _minted(kind: str, subject: str, run_id: str) -> str:
    digest = hashlib.sha256("|".join((kind, subject, run_id)).encode()).digest()
    return "A" + base64.b32encode(digest).decode()[:11]
