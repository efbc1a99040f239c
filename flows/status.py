"""Status: what waits, how long already, and when each source was last read well. Its exit code is for monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from flows.posting import quota
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.money import show
from tieout.warehouse import alerts, maintenance, outbox, runs

if TYPE_CHECKING:
    from flows.wiring import House


def look(house: House) -> dict[str, Any]:
    """Queue by state, holds by rule, freshness per source, failed runs, quota. `exit_code` is 1 if a person is needed."""
    now = house.clock()
    with house.warehouse.read() as session:
        depth = outbox.depth(session, now=now)
        blocked = outbox.blocked(session)
        fresh = runs.last_good(session, now=now)
        recent = runs.recent(session, now=now)
        used = runs.used(session, month=f"{now:%Y-%m}")
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
        last = checks["run_id"].max() if checks.height else ""
        held = session.fetch("ops.findings", where={"run_id": str(last)})
        dead = session.fetch("ops.outbox", where={"state_code": ["dead", "held"]})
        stands = alerts.standing(session)
        window = maintenance.open_window(session, now=now)
        ahead = quota.forecast(house, session)
    holds = (
        held.filter(pl.col("severity").is_in(["hold", "stop"]))
        .group_by("severity", "rule_code")
        .agg(pl.len().alias("count"), pl.col("sentence").first().alias("example"))
        .sort("severity", "rule_code", descending=[True, False])
    )
    waits = depth.filter(~pl.col("state_code").is_in(["accepted", "cancelled"]))
    failed = recent.filter(pl.col("state_code") == "failed").head(5)
    needs_person = bool(
        holds.height
        or (failed.head(1).height and _newest_failed(recent))
        or dead.filter(pl.col("state_code") == "dead").height
        or dead.filter(pl.col("error_kind") == outbox.CLOSED_PERIOD).height
        or stands.height
    )
    return {
        "as_of": now,
        "outbox": waits.to_dicts(),
        "blocked": blocked.height,
        "closed_period": dead.filter(pl.col("error_kind") == outbox.CLOSED_PERIOD).height,
        "alerts": stands.select("alert_id", "kind_code", "subject_ref", "sentence", "raised_at").to_dicts(),
        "maintenance": window,
        "holds": holds.to_dicts(),
        "sources": fresh.to_dicts(),
        "failed_runs": failed.select("run_id", "stage", "started_at", "error").to_dicts(),
        "quota": {"used": used, "of": ahead.limit, "planned": ahead.planned, "forecast": ahead.total},
        "exit_code": EXIT_DIFFERENCES if needs_person else EXIT_OK,
    }


def _newest_failed(recent: pl.DataFrame) -> bool:
    """Whether the newest run of any stage failed: an old failure that was made good is no reason to wake anybody."""
    newest = recent.sort("run_id").group_by("stage").last()
    return bool((newest["state_code"] == "failed").any())


def as_text(found: dict[str, Any]) -> str:
    """The same for a terminal."""
    lines = [f"As of {found['as_of']:%Y-%m-%d %H:%M} UTC"]
    for one in found["alerts"]:
        lines.append(f"\n! {one['alert_id']} {one['kind_code'].replace('_', ' ')}: {one['sentence']}")
    if found["maintenance"]:
        one = found["maintenance"]
        lines.append(
            f"\nMaintenance until {one['until_at']:%Y-%m-%d %H:%M} UTC: {one['reason']} ({one['author']})"
        )
    lines.append("\nOutbox" if found["outbox"] else "\nOutbox: empty, nothing waits")
    for one in found["outbox"]:
        amount = f"{show(one['total_minor'], one['currency'])} {one['currency']}" if one["currency"] else ""
        lines.append(
            f"  {one['state_code']:<9} {one['kind_code'].replace('_', ' '):<12} {one['documents_no']:>6}  {amount:>20}  oldest {_age(one['age_seconds'])}"
        )
    if found["blocked"]:
        lines.append(f"  {found['blocked']} planned documents wait for another document")
    if found["closed_period"]:
        lines.append(
            f"  {found['closed_period']} documents wait because their period is closed; see `tieout outbox closed`"
        )
    lines.append("\nHeld orders" if found["holds"] else "\nHeld orders: none")
    for one in found["holds"]:
        lines.append(
            f"  {one['severity']:<5} {one['rule_code']:<30} {one['count']:>5}  e.g. {one['example']}"
        )
    lines.append(
        "\nSources, last good read"
        if found["sources"]
        else "\nSources: none has been read yet; run `tieout run extract`"
    )
    for one in found["sources"]:
        lines.append(
            f"  {one['source']:<12} {one['subject']:<18} {_age(one['age_seconds'])} ago, {one['read_count']:,} read"
        )
    for one in found["failed_runs"]:
        lines.append(f"\n! {one['stage']} failed at {one['started_at']:%Y-%m-%d %H:%M}: {one['error']}")
    spent = found["quota"]
    if spent["of"]:
        share = 100 * spent["used"] / spent["of"]
        lines.append(
            f"\nAPI transactions this month: {spent['used']:,} of {spent['of']:,} ({share:.1f} %), forecast {spent['forecast']:,}"
        )
    return "\n".join(lines)


def _age(seconds: int | float | None) -> str:
    if seconds is None:
        return "never"
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 172_800 else f"{whole // 86_400} days"
