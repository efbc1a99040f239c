"""`make bench` works: at 500 orders every step runs, says its figures, and the reconciliation agrees with the hand-written query."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import night
import pytest


@pytest.mark.timeout(200)
def test_the_bench_runs_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(night.ROOT / "tests" / "bench" / "run.py"), "--orders", "500", "--repeat", "1"],
        cwd=tmp_path,
        env=night.environment(),
        capture_output=True,
        text=True,
        timeout=190,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rates = dict(
        re.findall(r"^  (\w+)[a-z ]*? +[\d.]+ s +([\d,]+) (?:orders|records)/s  peak", done.stdout, re.M)
    )
    assert set(rates) == {"landing", "staging", "checking", "planning"}, done.stdout
    assert all(int(rate.replace(",", "")) > 0 for rate in rates.values())
    assert "same outcome for every row: True" in done.stdout
    table = done.stdout.partition("at most for each storefront)")[2]
    rows = re.findall(r"^  (\S.*?) {2,}[\d.]+ s +[\d,]+ \w+/s  peak +[\d,]+ MB", table, re.M)
    assert rows[:4] == ["landing and taking in", "staging", "checking", "planning"], done.stdout
    assert {"staging, magento", "staging, clarity", "two plain files, whole report", "the whole, with proofs and evidence (tieout)"} <= set(rows)  # fmt: skip
    assert table.count("tieout / DuckDB") == 5, table
