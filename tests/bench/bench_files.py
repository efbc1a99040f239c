"""`tieout reconcile` on two large plain files, end to end in a process of its own: seconds, orders a second, peak memory.

    python tests/bench/bench_files.py --orders 1000000

Beside it stands one hand-written DuckDB query over the same two files that counts the same outcomes, in a process of its own too.

Orders and invoices are made here with a seed; of every thousand orders ten have no invoice, ten a wrong amount of tax and five two invoices.
What was planted must be what is found, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

MISSING, TAXED, DOUBLE = 10, 10, 5


def write_files(folder: Path, orders: int, *, with_components: bool) -> dict[str, int]:
    """Two CSV files and how many rows of each outcome they hold."""
    n = pl.int_range(orders)
    base = pl.select(n=n).with_columns(
        goods=1_000 + (pl.col("n") * 7_919) % 90_000,
        tax=50 + (pl.col("n") * 104_729) % 7_000,
        kind=pl.col("n") % 1_000,
        day=pl.date(2026, 9, 1) + pl.duration(days=pl.col("n") % 30),
        currency=pl.when(pl.col("n") % 10 == 9).then(pl.lit("EUR")).otherwise(pl.lit("USD")),
    )

    def money(name: str) -> pl.Expr:
        cents = pl.col(name)
        return pl.format("{}.{}", cents // 100, (cents % 100).cast(pl.String).str.zfill(2)).alias(name)

    number = pl.format("W{}", pl.col("n") + 1)
    parts = [money("goods"), money("tax")] if with_components else []
    base.with_columns(total=pl.col("goods") + pl.col("tax")).select(
        number.alias("order_number"),
        pl.format("{}T10:00:00Z", "day").alias("placed_at"),
        "currency",
        money("total"),
        *parts,
    ).write_csv(folder / "orders.csv")
    billed = base.filter(pl.col("kind") >= MISSING).with_columns(
        tax=pl.col("tax")
        + pl.when(pl.col("kind").is_between(MISSING, MISSING + TAXED - 1)).then(1).otherwise(0)
    )
    twice = billed.filter(pl.col("kind") >= 1_000 - DOUBLE).with_columns(n=pl.col("n"), again=pl.lit("-B"))
    rows = pl.concat([billed.with_columns(again=pl.lit("")), twice])
    rows.with_columns(total=pl.col("goods") + pl.col("tax")).select(
        pl.format("INV{}{}", pl.col("n") + 1, "again").alias("invoice_number"),
        number.alias("reference"),
        pl.col("day").alias("invoiced_on"),
        "currency",
        money("total"),
        *parts,
    ).write_csv(folder / "invoices.csv")
    planted = base["kind"]
    wrong = "amount_tax" if with_components else "amount_total"
    counts = {
        "missing_invoice": int((planted < MISSING).sum()),
        wrong: int(planted.is_between(MISSING, MISSING + TAXED - 1).sum()),
        "duplicate_invoice": int((planted >= 1_000 - DOUBLE).sum()),
        "matched": int(planted.is_between(MISSING + TAXED, 999 - DOUBLE).sum()),
    }
    return {outcome: number for outcome, number in counts.items() if number}


def run(orders: int, *, with_components: bool = True) -> dict[str, float]:
    """Make the files, reconcile them in a process of its own, prove the outcome, and return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = write_files(folder, orders, with_components=with_components)
        command = [sys.executable, "-m", "flows.cli", "reconcile", "--orders", str(folder / "orders.csv")]
        command += ["--invoices", str(folder / "invoices.csv"), "--out", str(folder / "report")]
        begun = time.perf_counter()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if ended.returncode != 1:
            raise SystemExit(f"exit code {ended.returncode}: {ended.stderr}")
        found: dict[str, int] = {}
        for one in json.loads((folder / "report" / "summary.json").read_text(encoding="utf-8"))["outcomes"]:
            found[one["outcome"]] = found.get(one["outcome"], 0) + one["count"]
        if found != planted:
            raise SystemExit(f"found {found}, planted {planted}")
        beside = _by_hand(folder, planted) if with_components else None
        size = sum(path.stat().st_size for path in folder.glob("*.csv")) / 2**20
        book = (folder / "report" / "reconciliation.xlsx").stat().st_size / 2**20
    return {
        "orders": orders,
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "input_mb": size,
        "workbook_mb": book,
        **(beside or {}),
    }


_QUERY = """
import json, resource, sys, time
import duckdb
duckdb.sql("SET enable_progress_bar = false")
begun = time.perf_counter()
found = dict(duckdb.sql(sys.stdin.read()).fetchall())
used = resource.getrusage(resource.RUSAGE_SELF)
figures = {"by_hand_seconds": time.perf_counter() - begun, "by_hand_cpu_seconds": used.ru_utime + used.ru_stime, "by_hand_peak_mb": used.ru_maxrss / 1024}
print(json.dumps([found, figures]))
"""


def _by_hand(folder: Path, planted: dict[str, int]) -> dict[str, float]:
    """The same counts by one DuckDB query, and what it took."""
    query = (Path(__file__).parent / "sql" / "files.sql").read_text(encoding="utf-8")
    for name in ("orders", "invoices"):
        query = query.replace(f"{{{{{name}}}}}", str(folder / f"{name}.csv"))
    ended = subprocess.run([sys.executable, "-c", _QUERY], input=query, capture_output=True, text=True, check=True)  # fmt: skip
    found, figures = json.loads(ended.stdout.splitlines()[-1])
    if found != planted:
        raise SystemExit(f"the hand-written query found {found}, planted {planted}")
    return dict(figures)


def main() -> None:
    """Read the arguments and print one line of figures."""
    arguments = argparse.ArgumentParser(description="Reconcile two large plain files.")
    arguments.add_argument("--orders", type=int, default=1_000_000)
    arguments.add_argument("--totals-only", action="store_true", help="Files without components.")
    arguments.add_argument("--json", action="store_true", help="One line for machines.")
    chosen = arguments.parse_args()
    figures = run(chosen.orders, with_components=not chosen.totals_only)
    if chosen.json:
        print(json.dumps(figures))
        return
    rate = figures["orders"] / figures["seconds"]
    print(
        f"{figures['orders']:,} orders, {figures['input_mb']:.0f} MB in: {figures['seconds']:.1f} s ({figures['cpu_seconds']:.0f} s of processor), {rate:,.0f} orders/s, "
        f"peak {figures['peak_mb']:,.0f} MB, workbook {figures['workbook_mb']:.1f} MB"
    )
    if "by_hand_seconds" in figures:
        ratio = figures["cpu_seconds"] / figures["by_hand_cpu_seconds"]
        print(
            f"  beside it a DuckDB query that counts the outcomes and writes nothing: {figures['by_hand_seconds']:.1f} s "
            f"({figures['by_hand_cpu_seconds']:.0f} s of processor), peak {figures['by_hand_peak_mb']:,.0f} MB; tieout / DuckDB: {ratio:.1f}"
        )


if __name__ == "__main__":
    main()
