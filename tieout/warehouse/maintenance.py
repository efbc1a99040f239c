"""Maintenance windows that a person announced: while one is open, documents wait and nothing fails."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import polars as pl

from tieout.errors import InputError
from tieout.warehouse.session import Session

_INSTANT = pl.Datetime("us", "UTC")
_TABLE: Final = "ops.maintenance"


def open_window(session: Session, *, now: datetime) -> dict[str, Any] | None:
    """The window that is open now, the one that lasts longest if several are; None otherwise."""
    rows = session.query("open_window", now=now)
    return rows.row(0, named=True) if rows.height else None


def announce(
    session: Session,
    *,
    starts_at: datetime,
    until_at: datetime,
    reason: str,
    author: str,
    now: datetime,
    run_id: str,
) -> None:
    """Keep a window. Raises `InputError` for one that has ended, that ends before it begins, or without reason and name."""
    if not reason.strip() or not author.strip():
        raise InputError("A maintenance window needs a reason and a name; both are kept beside it.")
    if until_at <= max(starts_at, now):
        raise InputError("A maintenance window must end after it begins, and after now; correct --until.")
    row = {
        "window_id": run_id[-20:],
        "starts_at": starts_at,
        "until_at": until_at,
        "reason": reason,
        "author": author,
        "stopped_by": None,
        "run_id": run_id,
    }
    frame = pl.DataFrame([row], schema=_SCHEMA)
    session.publish(_TABLE, frame, key=["window_id"], mode="append")


def stop(session: Session, *, author: str, now: datetime) -> int:
    """End every window that is open or still to come; returns how many. Raises `InputError` without a name."""
    if not author.strip():
        raise InputError("Say who ends the maintenance window: --author.")
    rows = session.fetch(_TABLE).filter(pl.col("until_at") > pl.lit(now, dtype=_INSTANT))
    ended = rows.with_columns(until_at=pl.lit(now, dtype=_INSTANT), stopped_by=pl.lit(author))
    session.publish(_TABLE, ended, key=["window_id"], mode="merge", ignore=())
    return ended.height


_SCHEMA: Final = {
    "window_id": pl.String(),
    "starts_at": _INSTANT,
    "until_at": _INSTANT,
    "reason": pl.String(),
    "author": pl.String(),
    "stopped_by": pl.String(),
    "run_id": pl.String(),
}
