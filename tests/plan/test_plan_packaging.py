"""What is shipped: names of our own, a lock that is complete and says nothing of where it came from, no trace of anybody's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements/uv.lock")
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[\w,.-]+\])?==(\S+)", re.MULTILINE)


def tracked() -> list[Path]:
    """Files of the project: those git knows or would take, or all of them where there is no git."""
    try:
        told = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout.decode()
        found = [ROOT / name for name in told.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        skipped = {
            ".venv",
            ".git",
            "state",
            "demo-output",
            "__pycache__",
            ".hypothesis",
            ".mypy_cache",
            ".ruff_cache",
            "dist",
        }
        found = [path for path in ROOT.rglob("*") if not skipped & set(path.relative_to(ROOT).parts)]
    return [path for path in found if path.is_file()]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def blocks(text: str) -> dict[str, str]:
    """Requirements of a lock by name, each with everything up to the next."""
    starts = list(_REQUIREMENT.finditer(text))
    ends = [one.start() for one in starts[1:]] + [len(text)]
    return {normal(one[1]): text[one.start() : end] for one, end in zip(starts, ends, strict=True)}


def test_no_other_distribution_provides_our_root_names() -> None:
    provided = packages_distributions()
    for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert set(provided.get(name, ())) <= {"tieout"}, name


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_a_hash(lock: str) -> None:
    found = blocks((ROOT / lock).read_text(encoding="utf-8"))
    assert found
    assert [
        name for name, block in found.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)
    ] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f)\b", text, re.MULTILINE)


def test_every_dependency_is_locked() -> None:
    locked = blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    wanted = {normal(re.match(r"[\w.-]+", one)[0]) for one in PROJECT["project"]["dependencies"]}  # type: ignore[index]
    assert wanted - set(locked) == set()


def test_the_pins_that_keep_prefect_alive_are_in_the_project_and_in_the_lock() -> None:
    given = " ".join(PROJECT["project"]["dependencies"])
    assert "prefect==3.8.8" in given
    assert "fastapi<0.151" in given
    assert "sqlalchemy<2.1" in given
    locked = {
        normal(one[1]): one[3]
        for one in _REQUIREMENT.finditer((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    }
    assert locked["prefect"] == "3.8.8"
    assert tuple(map(int, locked["fastapi"].split(".")[:2])) < (0, 151)
    assert tuple(map(int, locked["sqlalchemy"].split(".")[:2])) < (2, 1)


# A letter in brackets matches itself, and keeps this file from being its own finding.
TRACES = re.compile(r"/h[o]me/[a-z]|/r[o]ot/|/U[s]ers/|/w[o]rk/[a-z]|p[y]pi\.org|p[y]thonhosted")


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a golden workbook or a file in another charset
        found += [f"{path.relative_to(ROOT)}: {one[0]}" for one in [TRACES.search(text)] if one]
    assert found == []


def test_what_runs_leaves_out_of_version_control() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for wanted in (".venv/", "__pycache__/", "*.duckdb", "/state/", "/demo-output/"):
        assert wanted in ignored


def test_the_version_is_said_once() -> None:
    from tieout import __version__

    assert PROJECT["project"]["version"] == __version__
    newest = re.search(
        r"^## +\[?v?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == __version__
