"""Runs a stage by its name: through Prefect unless asked for the plain functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.nightly import STAGES, nightly
from flows.prefect_api import quiet_prefect
from flows.running import run_stage
from flows.wiring import House
from tieout.errors import InputError

_TAKES = {
    "extract": {"sources", "window", "full"},
    "stage": {"full"},
    "plan": {"dry_run", "full"},
    "reconcile": {"period", "full"},
    "report": {"period"},
    "post": {"force"},
    "nightly": {"period", "force"},
}


def prefect_environment(house: House) -> None:
    """Prefect's own files lie in the state folder, it is quiet, and it tells nobody. Must run before Prefect is imported."""
    home = house.settings.path(house.settings.installation.state).resolve() / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_HOME", str(home))
    quiet_prefect()


def run_named(
    house: House, name: str, options: Mapping[str, Any], *, config: Path, plain: bool = True
) -> dict[str, Any]:
    """Run a stage or the night. Raises `InputError` for an unknown name or an option the stage does not take."""
    names = [*STAGES, "nightly"]
    if name not in names:
        raise InputError(f"There is no stage '{name}'; choose one of {', '.join(names)}.")
    strange = set(options) - _TAKES.get(name, set())
    if strange:
        raise InputError(f"The stage {name} takes no --{sorted(strange)[0].replace('_', '-')}.")
    if not plain and not options.get("dry_run"):
        prefect_environment(house)
        from flows import scheduled

        return scheduled.run_here(house, name, dict(options), config=config)
    if name == "nightly":
        return nightly(house, **options)
    return run_stage(house, name, STAGES[name], **options)
