"""`make bench` works: at 500 orders every step runs, says its figures, and the reconciliation agrees with the hand-written query.

A bench runs each step in a process of its own. Here the first step does, and the others follow in the process of the bench: what they would
spend on starting is most of what they take at this size.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import night
import pytest

PROGRAM = """
import contextlib, io, runpy, sys
import run

apart = run.program

def here(name, *given):
    if "land" in given:
        return apart(name, *given)
    said, was, code = io.StringIO(), sys.argv, 0
    sys.argv = [name, *given]
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(str(run.ROOT / "tests" / "bench" / name), run_name="__main__")
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = was
    return code, said.getvalue()

run.program = here
sys.exit(run.main())
"""


@pytest.mark.timeout(200)
def test_the_bench_runs_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--orders", "500", "--repeat", "1"],
        cwd=tmp_path,
        env=night.environment(PYTHONPATH=str(night.ROOT / "tests" / "bench")),
        capture_output=True,
        text=True,
        timeout=190,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rates = dict(
        re.findall(r"^  ([a-z][a-z, ]*?) +[\d.]+ s +([\d,]+) (?:orders|records)/s  peak", done.stdout, re.M)
    )
    stages = {"landing and taking in", "staging", "checking", "planning"}
    assert set(rates) >= {*stages, "planning, all was accepted", "planning, nothing changed"}, done.stdout
    assert all(int(rate.replace(",", "")) > 0 for rate in rates.values())
    assert "same outcome for every row: True" in done.stdout
    table = done.stdout.partition("at most for each storefront)")[2]
    rows = re.findall(r"^  (\S.*?) {2,}[\d.]+ s +[\d,]+ \w+/s  peak +[\d,]+ MB", table, re.M)
    assert rows[:4] == ["landing and taking in", "staging", "checking", "planning"], done.stdout
    assert {"staging, magento", "staging, clarity", "two plain files, whole report", "the whole, with proofs and evidence (tieout)"} <= set(rows)  # fmt: skip
    assert table.count("tieout / DuckDB") == 6, table
