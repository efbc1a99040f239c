"""The same inputs give the same rows in the same order on any number of cores.

How many threads polars takes is settled when a process starts, so each count has a process of its own. The worlds are of tens of thousands
of rows: few rows are never shared out among threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib, importlib.util, json, sys
import polars as pl
from transforms.reconcile import Inputs, Period, Policy, reconcile
spec = importlib.util.spec_from_file_location("bench_reconcile", "tests/bench/bench_reconcile.py")
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)
frames = bench.world(15_000)
told = reconcile(Inputs(**frames), Policy(period=Period.month("2026-09"), buckets=3))
shown = {name: getattr(told, name) for name in
    ("orders", "payments", "matches", "waterfall", "ageing", "totals", "out_of_scope", "absorbed", "footing", "suspects", "tolerated")}
digests = {name: [rows.height, hashlib.sha256(rows.write_ndjson().encode()).hexdigest()] for name, rows in shown.items()}
sys.stdout.write(json.dumps({"threads": pl.thread_pool_size(), "digests": digests}))
"""


def _told_with(threads: int) -> dict[str, tuple[int, str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["threads"] == threads
    return {name: (rows, digest) for name, (rows, digest) in told["digests"].items()}


def test_a_reconciliation_says_the_same_with_one_thread_and_with_many() -> None:
    alone, many = _told_with(1), _told_with(4)
    assert min(alone["orders"][0], alone["payments"][0]) > 10_000
    assert many == alone
