"""The posting benchmark works: everything drawn is accepted and in the books, and every second of it has a name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import night
import pytest


@pytest.mark.timeout(300)
def test_the_posting_bench_runs_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(night.ROOT / "tests" / "bench" / "bench_posting.py"), "--documents", "60", "--batch", "25"],
        cwd=tmp_path,
        env=night.environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 invoices of 3 lines in 4 batches" in done.stdout
    shares = re.findall(r"^    ([a-z -]+?) +[\d.]+ s +(\d+)%", done.stdout, re.M)
    assert [name for name, _ in shares] == [
        "waiting for the stand-in",
        "warehouse",
        "building and parsing",
        "archive",
        "everything else",
    ], done.stdout
    assert 97 <= sum(int(share) for _, share in shares) <= 103
    assert "tieout / bare" in done.stdout
