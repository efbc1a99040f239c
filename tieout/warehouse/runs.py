"""The history of runs: ids that sort by time, crashes noticed, watermarks, cursors, control totals, quota."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.ingesting import OWN_TABLES, Watermark
from tieout.warehouse.processes import is_alive, this_process
from tieout.warehouse.session import Session

_INSTANT = pl.Datetime("us", "UTC")
_RUN_COLUMNS: Mapping[str, pl.DataType] = {
    "run_id": pl.String(),
    "stage": pl.String(),
    "parent_run_id": pl.String(),
    "started_at": _INSTANT,
    "ended_at": _INSTANT,
    "state_code": pl.String(),
    "summary": pl.String(),
    "error": pl.String(),
}
_CONTROL_COLUMNS: Mapping[str, pl.DataType] = {
    "run_id": pl.String(),
    "source": pl.String(),
    "subject": pl.String(),
    "stage": pl.String(),
    "source_count": pl.Int64(),
    "read_count": pl.Int64(),
    "new_count": pl.Int64(),
    "good_count": pl.Int64(),
    "held_count": pl.Int64(),
    "at": _INSTANT,
}
_QUOTA_COLUMNS: Mapping[str, pl.DataType] = {
    "month": pl.String(),
    "run_id": pl.String(),
    "purpose": pl.String(),
    "calls_no": pl.Int64(),
    "transactions_no": pl.Int64(),
}
_CRASHED = "The process of this run died before it could say how it ended."


def new_run_id(*, now: datetime, rng: random.Random) -> str:
    """A run id that sorts by time, such as `20261120T031500.123456Z-3fa9c1`; the suffix tells runs of one instant apart."""
    if now.tzinfo is None:
        raise WarehouseError("A run id needs the time in UTC, not a time without a zone.")
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{rng.getrandbits(24):06x}"


def start_run(
    session: Session, *, run_id: str, stage: str, now: datetime, parent_run_id: str | None = None
) -> list[str]:
    """Record a run as running, and every running run whose process is gone as failed; the ids of those are returned.

    While it runs, `summary` holds the identity of its process.
    """
    crashed = _mark_crashed(session, now)
    row = {
        "run_id": run_id,
        "stage": stage,
        "parent_run_id": parent_run_id,
        "started_at": now,
        "ended_at": None,
        "state_code": "running",
        "summary": json.dumps({"process": this_process()}),
        "error": None,
    }
    session.publish("ops.runs", pl.DataFrame([row], schema=_RUN_COLUMNS), key=["run_id"], mode="append")
    return crashed


def end_run(
    session: Session,
    *,
    run_id: str,
    now: datetime,
    summary: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record how a run ended: done, or failed if an error sentence is given. `summary` holds its figures, JSON-able.

    Raises `WarehouseError` if the run was never started.
    """
    row = {
        "run_id": run_id,
        "ended_at": now,
        "state_code": "done" if error is None else "failed",
        "summary": json.dumps(dict(summary or {}), sort_keys=True, default=str),
        "error": error,
    }
    schema = {name: dtype for name, dtype in _RUN_COLUMNS.items() if name in row}
    if not session.change("end_run", pl.DataFrame([row], schema=schema)):
        raise WarehouseError(f"Run {run_id} was never started, so it cannot end; start it first.")


def _mark_crashed(session: Session, now: datetime) -> list[str]:
    running = session.fetch("ops.runs", where={"state_code": "running"})
    # A Python loop: a handful of running runs, and each needs a question to the operating system.
    dead = [
        row["run_id"] for row in running.iter_rows(named=True) if not is_alive(_process_of(row["summary"]))
    ]
    if dead:
        failed = running.filter(pl.col("run_id").is_in(dead)).with_columns(
            ended_at=pl.lit(now, dtype=_INSTANT), state_code=pl.lit("failed"), error=pl.lit(_CRASHED)
        )
        session.publish("ops.runs", failed, key=["run_id"], mode="merge")
    return sorted(dead)


def _process_of(summary: str | None) -> dict[str, Any]:
    try:
        process = json.loads(summary or "{}").get("process")
    except (ValueError, AttributeError):
        process = None
    return process if isinstance(process, dict) else {"host": this_process()["host"], "pid": 0}


def last_good(session: Session, *, now: datetime) -> pl.DataFrame:
    """Per source and subject: the last extract that ended well, how far it read, and its age in seconds.

    Columns: source, subject, run_id, good_at, mark_at, read_count, new_count, age_seconds.
    """
    return session.query("last_good_runs", now=now)


# --- watermarks and cursors -------------------------------------------------------------------------------------
def watermark(session: Session, source: str, subject: str) -> Watermark | None:
    """How far a source was read; None if never."""
    rows = session.fetch("ops.watermarks", where={"source": source, "subject": subject})
    return Watermark(**rows.row(0, named=True)) if rows.height else None


def cursor(session: Session, source: str, subject: str) -> int | None:
    """The last landing number that staging has seen of a source and subject; None if it never ran."""
    rows = session.fetch(
        "ops.stage_cursors", where={"source": source, "subject": subject}, columns=["landing_no"]
    )
    return int(rows.item()) if rows.height else None


def move_cursor(
    session: Session, source: str, subject: str, *, landing_no: int, now: datetime, run_id: str
) -> None:
    """Remember how far staging has come; call it in the transaction that publishes what was staged."""
    row = {
        "source": source,
        "subject": subject,
        "landing_no": landing_no,
        "moved_at": now,
        "run_id": run_id,
    }
    frame = pl.DataFrame([row], schema=OWN_TABLES["ops.stage_cursors"].schema)
    session.change("move_cursor", frame, rows=1)


# --- control totals and quota -----------------------------------------------------------------------------------
def record_control(
    session: Session,
    *,
    run_id: str,
    source: str,
    subject: str,
    stage: str,
    read_count: int,
    new_count: int,
    now: datetime,
    source_count: int | None = None,
    good_count: int | None = None,
    held_count: int | None = None,
) -> None:
    """Keep the control totals of one stage for one source and subject; the same run overwrites its own."""
    row = {
        "source": source,
        "subject": subject,
        "source_count": source_count,
        "read_count": read_count,
        "new_count": new_count,
        "good_count": good_count,
        "held_count": held_count,
    }
    record_controls(session, [row], run_id=run_id, stage=stage, now=now)


def record_controls(
    session: Session, rows: Sequence[Mapping[str, Any]], *, run_id: str, stage: str, now: datetime
) -> None:
    """Keep the control totals of one stage for all its subjects at once; the same run overwrites its own.

    rows  source, subject, read_count, new_count, and where known source_count, good_count, held_count
    """
    whole = [
        {**dict.fromkeys(_CONTROL_COLUMNS), **row, "run_id": run_id, "stage": stage, "at": now}
        for row in rows
    ]
    frame = pl.DataFrame(whole, schema=_CONTROL_COLUMNS)
    session.publish("ops.controls", frame, key=["run_id", "source", "subject", "stage"], mode="merge")


def meter(session: Session, *, month: str, run_id: str, purpose: str, calls: int, transactions: int) -> None:
    """Add API calls and transactions to what this run has used in a month (`YYYY-MM`)."""
    row = (month, run_id, purpose, calls, transactions)
    session.change("quota_add", pl.DataFrame([row], schema=_QUOTA_COLUMNS, orient="row"), rows=1)


def used(session: Session, *, month: str) -> int:
    """API transactions used in a month over all runs."""
    return int(session.fetch("ops.quota", where={"month": month})["transactions_no"].sum())


def recent(session: Session, *, now: datetime, within: timedelta = timedelta(days=7)) -> pl.DataFrame:
    """Runs started within a time before now, newest first."""
    rows = session.fetch("ops.runs")
    return rows.filter(pl.col("started_at") >= now - within).sort("run_id", descending=True)
