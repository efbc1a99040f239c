"""The command as a stranger runs it: a process, files on disk, an exit code, a report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[2]
ORDERS = "order_number,placed_at,currency,total\nA,2026-09-01,USD,5.00\n"
INVOICES = "invoice_number,reference,invoiced_on,currency,total\nI1,A,2026-09-01,USD,5.00\n"

BROKEN = """
import sys
from dataclasses import replace
from flows import cli
from flows.plain import comparing as plain_comparing

sound = plain_comparing.reconcile_streamed


def off_by_one(*given):
    import polars as pl
    told = sound(*given)
    return replace(told, footing=told.footing.with_columns(difference_minor=pl.lit(1, dtype=pl.Int64)))


plain_comparing.reconcile_streamed = off_by_one
sys.argv = ["tieout", *sys.argv[1:]]
cli.main()
"""


def tieout(folder: Path, *arguments: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    how = ["-c", program] if program else ["-m", "flows.cli"]
    return subprocess.run(
        [sys.executable, *how, "reconcile", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def lay_out(folder: Path, orders: str = ORDERS, invoices: str = INVOICES) -> list[str]:
    (folder / "o.csv").write_text(orders, encoding="utf-8")
    (folder / "i.csv").write_text(invoices, encoding="utf-8")
    return ["--orders", "o.csv", "--invoices", "i.csv", "--out", "report"]


def test_0_ties_and_the_report_is_whole(tmp_path: Path) -> None:
    ended = tieout(tmp_path, *lay_out(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "Ties; every total foots." in ended.stdout
    report = tmp_path / "report"
    assert {path.name for path in report.iterdir()} >= {
        "reconciliation.xlsx", "reconciliation.html", "summary.json", "manifest.json", "orders.parquet", "problems.parquet",
        "files.parquet", "proofs.parquet",
    }  # fmt: skip
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    assert summary["ties"] is True
    assert summary["foots"] is True
    assert [
        (o["entity"], o["currency"], o["outcome"], o["count"], o["expected"]) for o in summary["outcomes"]
    ] == [("ALL", "USD", "matched", 1, "5.00")]
    assert pl.read_parquet(report / "files.parquet").rows() == [("orders", 1, 1, 0), ("invoices", 1, 1, 0)]
    assert not list(tmp_path.glob("tieout-defect*"))


def test_1_differences_and_the_same_bytes_again(tmp_path: Path) -> None:
    arguments = lay_out(tmp_path, orders=ORDERS + "=cmd(),2026-09-01,USD,7.00\nC,x,USD,1.00\n")
    hashes = []
    for as_of in (["--as-of", "2026-11-02T03:00:00Z"], []):
        ended = tieout(tmp_path, *arguments, *as_of)
        assert ended.returncode == 1, ended.stderr
        manifest = json.loads((tmp_path / "report" / "manifest.json").read_text(encoding="utf-8"))
        stable = {name: digest for name, digest in manifest["files"].items() if name.endswith(".parquet")}
        hashes.append((manifest["content_sha256"], stable))
    assert hashes[0] == hashes[1], "the instant is printed and changes nothing else"
    assert "missing invoice (errors)" in ended.stdout
    assert "o.csv row 3: placed_at 'x' is not a time" in ended.stdout


def test_2_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    ended = tieout(tmp_path, *lay_out(tmp_path, orders="order_number,total\nA,5\n"))
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith("tieout: The columns of orders do not fit")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "report").exists()


def test_3_does_not_foot_and_nothing_is_written(tmp_path: Path) -> None:
    ended = tieout(tmp_path, *lay_out(tmp_path), program=BROKEN)
    assert ended.returncode == 3, ended.stderr
    assert "proofs do not foot" in ended.stderr
    assert not (tmp_path / "report").exists()


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    arguments = lay_out(tmp_path)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.txt").write_text("mine")
    ended = tieout(tmp_path, *arguments)
    assert ended.returncode == 8
    assert "choose an empty or new folder" in ended.stderr
    assert (tmp_path / "report" / "thesis.txt").read_text() == "mine"
