"""The Prefect shell: every stage a flow, `nightly`, `posting`, `stock_hourly` and `close_month` chaining them. No logic lives here.

A task is one step (stage × period × entity), never a row or a request; frames never pass between tasks, only run ids and figures. The
warehouse's own lock serialises writers, whichever worker they run on. Import this module late: Prefect costs a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows.close import close_period
from flows.nightly import STAGES
from flows.nightly import nightly as whole_night
from flows.running import run_stage
from flows.wiring import House, open_house
from tieout.errors import EXIT_DIFFERENCES, TieoutError

_HOUSES: dict[str, House] = {}
"""Houses opened by the command line in this process; a worker opens its own from the configuration file."""


def _house(config: str) -> House:
    return _HOUSES.get(config) or open_house(Path(config))


@task(name="step", task_run_name="{stage}", cache_policy=NO_CACHE, retries=0)
def _step(stage: str, config: str, parent_run_id: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """One stage as a Prefect task: only names and figures cross its border."""
    from flows.close import close

    work: Callable[..., dict[str, Any]] = close if stage == "close" else STAGES[stage]
    return run_stage(_house(config), stage, work, parent_run_id=parent_run_id, **options)


def _runner(config: str) -> Callable[..., dict[str, Any]]:
    def run(
        _house: House, stage: str, _work: Any, *, parent_run_id: str | None = None, **options: Any
    ) -> dict[str, Any]:
        return _step(stage, config, parent_run_id or str(flow_run.id or ""), options)

    return run


def _one(stage: str, config: str, **options: Any) -> dict[str, Any]:
    summary = _runner(config)(_house(config), stage, None, **options)
    _artifact(config, stage, summary)
    return _ended(config, summary)


def _ended(config: str, summary: dict[str, Any]) -> dict[str, Any]:
    """On a worker a night with an outside failure must show as failed; on the command line the exit code says it."""
    if config not in _HOUSES and int(summary.get("exit_code", 0)) > EXIT_DIFFERENCES:
        raise TieoutError("; ".join(summary.get("problems") or summary.get("errors") or ["the run failed"]))
    return summary


@flow(name="extract")
def extract(
    config: str = "tieout.toml",
    sources: list[str] | None = None,
    full: bool = False,
    since: str | None = None,
    until: str | None = None,
) -> dict[str, Any]:
    """Storefronts and Intacct into raw."""
    options: dict[str, Any] = {"sources": sources, "full": full}
    if since or until:
        from datetime import datetime

        from tieout.connectors.paging import Window

        options["window"] = Window(
            datetime.fromisoformat(since) if since else None, datetime.fromisoformat(until) if until else None
        )
    return _one("extract", config, **options)


@flow(name="stage")
def stage(config: str = "tieout.toml", full: bool = False) -> dict[str, Any]:
    """raw into core."""
    return _one("stage", config, full=full)


@flow(name="check")
def check(config: str = "tieout.toml") -> dict[str, Any]:
    """Contracts, rules and expectations; holds orders, shuts the gate."""
    return _one("check", config)


@flow(name="plan")
def plan(config: str = "tieout.toml") -> dict[str, Any]:
    """What Intacct is owed and does not have, into the outbox."""
    return _one("plan", config)


@flow(name="post")
def post(config: str = "tieout.toml", force: bool = False) -> dict[str, Any]:
    """Drain the outbox; `force` posts beyond the month's quota."""
    return _one("post", config, **({"force": True} if force else {}))


@flow(name="confirm")
def confirm(config: str = "tieout.toml") -> dict[str, Any]:
    """Read back what was posted."""
    return _one("confirm", config)


@flow(name="stock")
def stock(config: str = "tieout.toml") -> dict[str, Any]:
    """Publish available-to-web by change."""
    return _one("stock", config)


@flow(name="writeback")
def writeback(config: str = "tieout.toml") -> dict[str, Any]:
    """Tell the storefronts what the ledger owns, by change."""
    return _one("writeback", config)


@flow(name="reconcile")
def reconcile(config: str = "tieout.toml", period: str | None = None, full: bool = False) -> dict[str, Any]:
    """Compare both sides and prove the footing."""
    return _one("reconcile", config, period=period, full=full)


@flow(name="report")
def report(config: str = "tieout.toml", period: str | None = None) -> dict[str, Any]:
    """Workbook, page, Parquet."""
    return _one("report", config, period=period)


@flow(name="nightly")
def nightly(config: str = "tieout.toml", period: str | None = None, force: bool = False) -> dict[str, Any]:
    """The whole night; `force` posts beyond the month's quota."""
    summary = whole_night(_house(config), run=_runner(config), period=period, force=force)
    for name, part in summary["stages"].items():
        _artifact(config, name, part)
    return _ended(config, summary)


@flow(name="posting")
def posting(config: str = "tieout.toml") -> dict[str, Any]:
    """Every quarter of an hour: read what changed, plan, post, confirm."""
    summaries = {
        name: _runner(config)(_house(config), name, None)
        for name in ("extract", "stage", "check", "plan", "post", "confirm")
    }
    _artifact(config, "post", summaries["post"])
    errors = [
        *summaries["extract"]["errors"],
        *([summaries["post"]["halted"]] if summaries["post"].get("halted") else []),
    ]
    code = max(summaries["extract"]["exit_code"], summaries["post"]["exit_code"])
    return _ended(config, {"stages": summaries, "problems": errors, "exit_code": code})


@flow(name="stock-hourly")
def stock_hourly(config: str = "tieout.toml") -> dict[str, Any]:
    """Every hour: read stock on both sides and publish what changed."""
    summaries = {name: _runner(config)(_house(config), name, None) for name in ("extract", "stage", "stock")}
    _artifact(config, "stock", summaries["stock"])
    return _ended(
        config,
        {
            "stages": summaries,
            "problems": summaries["extract"]["errors"],
            "exit_code": summaries["extract"]["exit_code"],
        },
    )


@flow(name="close-month")
def close_month(
    config: str = "tieout.toml", period: str | None = None, entity: str | None = None
) -> dict[str, Any]:
    """Close a period; without a name, for each entity the newest that is over."""
    summary = close_period(_house(config), period=period, entity=entity, run=_runner(config))
    create_markdown_artifact(
        key="tieout-close",
        markdown="\n".join(f"- {line}" for line in summary["text"]),
        description=f"Close of {period or 'the newest period that is over'}",
    )
    return summary


@flow(name="sentinel")
def sentinel(config: str = "tieout.toml", entity: str | None = None) -> dict[str, Any]:
    """Read the records of locked periods again and say what moved."""
    from flows.closing.sentinel import sentinel as watch

    summary = run_stage(_house(config), "sentinel", watch, entity=entity)
    create_markdown_artifact(
        key="tieout-sentinel",
        markdown="\n".join(f"- {line.strip()}" for line in summary["text"]),
        description="Records of locked periods that moved",
    )
    return _ended(config, summary)


FLOWS: dict[str, Any] = {
    "extract": extract,
    "stage": stage,
    "check": check,
    "plan": plan,
    "post": post,
    "confirm": confirm,
    "stock": stock,
    "writeback": writeback,
    "reconcile": reconcile,
    "report": report,
    "nightly": nightly,
    "posting": posting,
    "stock-hourly": stock_hourly,
    "close-month": close_month,
    "sentinel": sentinel,
}


def run_here(house: House, name: str, options: Mapping[str, Any], *, config: Path) -> dict[str, Any]:
    """Run a flow in this process with a house that is already open; on the ephemeral API unless `PREFECT_API_URL` says otherwise."""
    key = str(config)
    _HOUSES[key] = house
    chosen = FLOWS[name]
    if "window" in options:
        window = options["window"]
        options = {
            **{one: value for one, value in options.items() if one != "window"},
            "since": window.start.isoformat() if window.start else None,
            "until": window.end.isoformat() if window.end else None,
        }
    try:
        return chosen(config=key, **options)
    finally:
        _HOUSES.pop(key, None)


def _artifact(config: str, stage: str, summary: Mapping[str, Any]) -> None:
    """What a person would want to read of a stage, kept with the run."""
    rows = "\n".join(
        f"| {key.replace('_', ' ')} | {value} |"
        for key, value in summary.items()
        if not isinstance(value, list | dict) and value not in (None, "", 0)
    )
    nested = "\n\n".join(
        f"**{key.replace('_', ' ')}**\n\n" + "\n".join(f"- {one}" for one in _lines(value))
        for key, value in summary.items()
        if isinstance(value, list | dict) and value
    )
    create_markdown_artifact(
        key=f"tieout-{stage}",
        markdown=f"| figure | value |\n|---|---|\n{rows}\n\n{nested}",
        description=f"{stage} of {config}",
    )
    if stage == "check":
        with _house(config).warehouse.read() as session:
            findings = session.fetch("ops.findings", where={"run_id": summary["run_id"]})
        create_table_artifact(
            key="tieout-findings",
            table=findings.select("severity", "rule_code", "order_number", "sentence").head(200).to_dicts(),
            description="What the check found (first 200).",
        )


def _lines(value: list[Any] | dict[str, Any]) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {one}" for key, one in value.items()]
    return [
        ", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else str(one)
        for one in value[:50]
    ]
