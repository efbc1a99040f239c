"""The floor plan: import-linter's contracts hold, and each of them is seen to fail on a deliberate break."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("flows", "transforms", "checks", "tieout")
CONTRACTS = {
    one["id"]: one["name"]
    for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


@dataclass(frozen=True)
class Break:
    """A line added to the end of a module (made if it is not there), the contract it breaks, and what the linter says about it."""

    contract: str
    path: str
    line: str
    said: str


BREAKS = (
    Break("floors", "tieout/money.py", "import transforms", "tieout.money -> transforms"),
    Break(
        "floors", "transforms/stray_a.py", "import checks.findings", "transforms.stray_a -> checks.findings"
    ),
    Break(
        "floors",
        "tieout/connectors/stray_a.py",
        "import tieout.warehouse",
        "tieout.connectors.stray_a -> tieout.warehouse",
    ),
    Break("engine", "tieout/utils.py", "", "tieout.utils"),
    Break("arithmetic-has-no-hands", "transforms/stray_b.py", "import os", "transforms.stray_b -> os"),
    Break(
        "arithmetic-has-no-hands",
        "checks/rules/stray_b.py",
        "import duckdb",
        "checks.rules.stray_b -> duckdb",
    ),
    Break("print-shop", "tieout/reports/stray_c.py", "import requests", "tieout.reports.stray_c -> requests"),
    Break("couriers", "tieout/connectors/stray_d.py", "import polars", "tieout.connectors.stray_d -> polars"),
    Break(
        "storefronts-independent",
        "tieout/connectors/storefronts/files.py",
        "import tieout.connectors.storefronts.commercetools",
        "tieout.connectors.storefronts.files -> tieout.connectors.storefronts.commercetools",
    ),
    Break(
        "settings-at-the-top",
        "tieout/warehouse/stray_e.py",
        "import tieout.settings",
        "tieout.warehouse.stray_e",
    ),
    Break(
        "another-world",
        "tieout/sandbox/stray_f.py",
        "import tieout.money",
        "tieout.sandbox.stray_f -> tieout.money",
    ),
    Break("another-world-2", "flows/stray_g.py", "import tieout.sandbox", "flows.stray_g"),
    Break(
        "gx-confined", "flows/stray_h.py", "import great_expectations", "flows.stray_h -> great_expectations"
    ),
)


def lint(folder: Path) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the house with every break in it."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.sql", "*.j2")
        )
    for one in BREAKS:
        path = folder / one.path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{text}\n{one.line}\n", encoding="utf-8")
    return lint(folder)


def test_every_contract_is_kept() -> None:
    said = lint(ROOT)
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in said, said


def test_every_contract_has_a_break_that_shows_it_can_fail() -> None:
    assert {one.contract for one in BREAKS} == set(CONTRACTS)


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: f"{case.contract}-{case.path}")
def test_a_break_is_caught_under_its_contracts_name(case: Break, broken: str) -> None:
    name = CONTRACTS[case.contract]
    assert f"{name} BROKEN" in broken, broken[-3000:]
    _, _, after = broken.rpartition(f"\n{name}\n")
    section = after
    for other in CONTRACTS.values():
        section = section.split(f"\n{other}\n")[0]
    assert case.said in section, section
