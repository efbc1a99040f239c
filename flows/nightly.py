"""The whole night in one screen: every stage in its order, each rerunnable alone, and what happens when one fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows import expectations
from flows.check import check
from flows.confirm import confirm
from flows.extract import extract
from flows.plan import plan
from flows.post import post
from flows.reconcile import reconcile
from flows.report import report
from flows.running import run_stage
from flows.stage import stage
from flows.stock import publish_stock
from flows.wiring import House
from flows.writeback import write_back
from tieout.errors import Refused, Stopped

Runner = Callable[..., dict[str, Any]]

STAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "extract": extract,
    "stage": stage,
    "check": check,
    "plan": plan,
    "post": post,
    "confirm": confirm,
    "stock": publish_stock,
    "writeback": write_back,
    "reconcile": reconcile,
    "report": report,
}
"""Every stage by name, in the order of a night."""


def nightly(
    house: House,
    *,
    run: Runner = run_stage,
    period: str | None = None,
    parent_run_id: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """One night. A shut gate or a system that is down stops what depends on it; the rest goes on and the night says so.

    Returns the summaries by stage, `problems` (sentences) and `exit_code`.
    """
    expectations.begin(house)
    try:
        return _stages(house, run, period, parent_run_id, force)
    finally:
        expectations.end()


def _stages(
    house: House, run: Runner, period: str | None, parent_run_id: str | None, force: bool
) -> dict[str, Any]:
    done: dict[str, Any] = {}
    problems: list[str] = []
    code = 0

    def step(name: str, **options: Any) -> None:
        done[name] = run(house, name, STAGES[name], parent_run_id=parent_run_id, **options)

    step("extract")
    problems += done["extract"]["errors"]
    code = max(code, done["extract"]["exit_code"])
    step("stage")
    step("check")
    step("plan")
    if any(one["source"] == "intacct" and "error" in one for one in done["extract"]["sources"]):
        problems.append(
            "Intacct could not be read whole, so nothing was posted; the documents wait for the next night."
        )
    elif house.settings.intacct is not None:
        try:
            step("post", **({"force": True} if force else {}))
            problems += [
                *done["post"]["problems"],
                *done["post"]["alerts"],
                *([done["post"]["halted"]] if done["post"].get("halted") else []),
            ]
            code = max(code, done["post"]["exit_code"])
            step("confirm")
            problems += done["confirm"]["problems"]
        except (Stopped, Refused) as fault:
            problems.append(str(fault))
            code = max(code, fault.exit_code)
    step("stock")
    problems += done["stock"].get("errors", [])
    step("writeback")
    problems += done["writeback"]["errors"]
    code = max(code, done["writeback"]["exit_code"])
    step("reconcile", period=period)
    step("report", period=period)
    house.warehouse.publish_snapshot()
    return {"stages": done, "problems": problems, "exit_code": code}
