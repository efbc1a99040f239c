"""Report: prints the newest reconciliation to files, from the rows in the warehouse and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.reconcile import compared, printed_policy
from flows.views import publish_views
from tieout import __version__
from tieout.reports.data import ReportData
from tieout.reports.folder import content_hash, write_report

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


def report(house: House, *, run_id: str, period: str | None = None) -> dict[str, Any]:
    """Write the report of the warehouse's present state to `reports/latest`, and refresh the analysts' views."""
    with house.warehouse.write(run_id=run_id) as session:
        publish_views(session)
    data = build(house, period=period)
    folder = latest(house)
    # The same rows on the same day are the same report: it is left as it is.
    if not _stands_already(folder, data):
        write_report(folder, data, say=house.say)
    return {
        "path": str(folder),
        "workbook": str(folder / "reconciliation.xlsx"),
        "page": str(folder / "reconciliation.html"),
        "content_sha256": content_hash(data),
        "ties": data.ties,
    }


def _stands_already(folder: Path, data: ReportData) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    same_day = str(summary.get("as_of", ""))[:10] == data.as_of.date().isoformat()
    return bool(
        same_day
        and summary.get("period") == data.period
        and manifest.get("tool") == f"tieout {data.version}"
        and manifest.get("content_sha256") == content_hash(data)
        and all((folder / name).exists() for name in manifest.get("files", {}))
    )


def build(house: House, *, period: str | None, entity: str | None = None) -> ReportData:
    """Report data for a period (and one entity), reconciled anew from the warehouse. Raises `DoesNotFoot`."""
    with house.warehouse.read() as session:
        sources = sources_of(session)
        held = held_rows(session)
        waits = waiting_rows(session)
        there = session.exists("report.payment_orders")
        several = session.query("payments_of_several") if there else pl.DataFrame()
    result, found = compared(house, period)

    def mine(frame: pl.DataFrame) -> pl.DataFrame:
        return frame if entity is None else frame.filter(pl.col("entity_code") == entity)

    entities = [entity] if entity else [one.code for one in house.settings.entities]
    names = {one.code: one.name for one in house.settings.entities}
    whose = names.get(entity, entity) if entity else "All entities"
    return ReportData(
        title=f"{whose} – reconciliation of shop and ledger",
        period=period or "all periods",
        entities=entities,
        as_of=house.clock(),
        orders=mine(result.orders),
        payments=mine(result.payments),
        waterfall=mine(result.waterfall),
        ageing=mine(result.ageing),
        proofs=mine(found),
        parameters=printed_policy(house, period),
        sources=sources,
        held=held,
        waiting=waits,
        version=__version__,
        payment_orders=several,
    )


def sources_of(session: Session) -> list[tuple[str, ...]]:
    """What each source stated, what was read, staged and held of it, newest first read, as text."""
    controls = session.fetch("ops.controls")
    if controls.is_empty():
        return []
    newest = (
        controls.sort("at")
        .group_by("source", "subject", "stage", maintain_order=True)
        .last()
        .sort("source", "subject", "stage")
    )
    extract = newest.filter(pl.col("stage") == "extract")
    staged = (
        controls.filter(pl.col("stage") == "stage")
        .group_by("source", "subject")
        .agg(pl.col("good_count").sum(), pl.col("held_count").sum())
    )
    rows = extract.drop("good_count", "held_count").join(staged, on=["source", "subject"], how="left")

    def text(value: Any) -> str:
        return "–" if value is None else f"{value:,}"

    return [
        (
            one["source"],
            one["subject"],
            text(one["source_count"]),
            text(one["read_count"]),
            text(one["good_count"]),
            text(one["held_count"]),
            f"{one['at']:%Y-%m-%d %H:%M}",
        )
        for one in rows.sort("source", "subject").iter_rows(named=True)
    ]


def held_rows(session: Session, *, with_order: bool = False) -> pl.DataFrame:
    """What the newest check held back or stopped for; with the order each is about (storefront, order_ref) if asked for."""
    checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
    columns = ["order_number", "subject_ref", "rule_code", "currency", "amount_minor", "sentence"]
    columns += ["storefront", "order_ref"] if with_order else []
    if checks.is_empty():
        return session.fetch("ops.findings", columns=columns).head(0)
    found = session.fetch(
        "ops.findings", where={"run_id": checks["run_id"].max(), "severity": ["hold", "stop"]}
    )
    return found.select(columns).sort("rule_code", "order_number", "subject_ref", nulls_last=True)


def waiting_rows(session: Session, only: pl.DataFrame | None = None) -> pl.DataFrame:
    """Documents (of `only`, if given) that are neither accepted nor cancelled, by kind, state and reason."""
    states = session.fetch("ops.outbox").filter(~pl.col("state_code").is_in(["accepted", "cancelled"]))
    if only is not None:
        states = states.join(only, on="document_id", how="semi")
    documents = session.fetch("out.documents", columns=["document_id", "kind_code"])
    schema = {
        "kind": pl.String,
        "state": pl.String,
        "count": pl.Int64,
        "oldest": pl.String,
        "reason": pl.String,
    }
    if states.is_empty():
        return pl.DataFrame(schema=schema)
    return (
        states.join(documents, on="document_id")
        .group_by(pl.col("kind_code").alias("kind"), pl.col("state_code").alias("state"), "reason")
        .agg(
            count=pl.len().cast(pl.Int64),
            oldest=pl.col("changed_at").min().dt.strftime("%Y-%m-%d %H:%M"),
        )
        .sort("kind", "state", "reason", nulls_last=True)
        .select(list(schema))
    )


def latest(house: House) -> Path:
    """Where the newest report lies."""
    return house.reports / "latest"
