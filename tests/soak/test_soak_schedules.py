"""Fifty schedules of the soak, always the same ones: enough to see that the soak itself works and that nothing has become worse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import night
import pytest


@pytest.mark.timeout(900)
def test_fifty_schedules_leave_no_duplicate_and_no_loss(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(night.ROOT / "tests" / "soak" / "run.py"),
            "--schedules",
            "50",
            "--sigkill-every",
            "50",
            "--jobs",
            "2",
        ],
        cwd=tmp_path,
        env=night.environment(),
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 schedules" in done.stdout
    assert "0 failed" in done.stdout
    accepted = next(part for part in done.stdout.split("; ") if "accepted" in part)
    assert int(accepted.split(" accepted")[0].replace(",", "")) > 1000, done.stdout
