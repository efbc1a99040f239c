"""Close: a month per entity, reconciled, footed and printed. A month that does not foot is not closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.report import build
from flows.running import run_stage
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.reports.folder import content_hash, write_report

if TYPE_CHECKING:
    from flows.nightly import Runner
    from flows.wiring import House


def close(house: House, *, run_id: str, period: str, entity: str) -> dict[str, Any]:
    """Reconcile one entity's month and write its report to `reports/close/<entity>/<period>/r<n>`; closing again with the same rows writes nothing new."""
    house.settings.entity(entity)
    data = build(house, period=period, entity=entity)
    digest = content_hash(data)
    with house.warehouse.read() as session:
        before = session.fetch("ops.closes", where={"entity_code": entity, "period": period}).sort("revision")
    if before.height and before["content_sha256"][-1] == digest:
        path = house.reports / before["path"][-1]
        if path.exists():
            return {
                "entity": entity,
                "period": period,
                "revision": before["revision"][-1],
                "path": str(path),
                "ties": data.ties,
                "is_new": False,
            }
    revision = (before["revision"][-1] if before.height else 0) + 1
    relative = f"close/{entity}/{period}/r{revision}"
    folder = write_report(house.reports / relative, data, say=house.say)
    table = ALL["ops.closes"]
    row = pl.DataFrame(
        [
            {
                "entity_code": entity,
                "period": period,
                "revision": revision,
                "run_id": run_id,
                "content_sha256": digest,
                "closed_at": house.clock(),
                "ties": data.ties,
                "path": relative,
            }
        ],
        schema=table.polars_schema,
    )
    with house.warehouse.write(run_id=run_id) as session:
        session.publish("ops.closes", table.checked(row, at="when closing"), key=table.key, mode="append")
    return {
        "entity": entity,
        "period": period,
        "revision": revision,
        "path": str(folder),
        "ties": data.ties,
        "is_new": True,
    }


def close_period(
    house: House,
    *,
    period: str,
    entity: str | None = None,
    run: Runner = run_stage,
    parent_run_id: str | None = None,
) -> dict[str, Any]:
    """Close a month for one entity or all. The exit code is 1 if any entity has errors or ambiguous items."""
    codes = [entity] if entity else [one.code for one in house.settings.entities]
    closes = [
        run(house, "close", close, parent_run_id=parent_run_id, period=period, entity=code) for code in codes
    ]
    text = []
    for one in closes:
        verdict = "ties" if one["ties"] else "has differences"
        again = "" if one["is_new"] else " (unchanged since it was last closed)"
        text.append(f"{one['entity']} {period} r{one['revision']}: foots, {verdict}{again} – {one['path']}")
    ties = all(one["ties"] for one in closes)
    return {"closes": closes, "text": text, "exit_code": EXIT_OK if ties else EXIT_DIFFERENCES}
