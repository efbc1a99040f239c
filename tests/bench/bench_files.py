"""`tieout reconcile` on two large plain files, end to end in a process of its own: seconds, orders a second, peak memory.

    python tests/bench/bench_files.py --orders 1000000

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
    return {
        "missing_invoice": int((planted < MISSING).sum()),
        wrong: int(planted.is_between(MISSING, MISSING + TAXED - 1).sum()),
        "duplicate_invoice": int((planted >= 1_000 - DOUBLE).sum()),
        "matched": int(planted.is_between(MISSING + TAXED, 999 - DOUBLE).sum()),
    }


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
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if ended.returncode != 1:
            raise SystemExit(f"exit code {ended.returncode}: {ended.stderr}")
        found: dict[str, int] = {}
        for one in json.loads((folder / "report" / "summary.json").read_text(encoding="utf-8"))["outcomes"]:
            found[one["outcome"]] = found.get(one["outcome"], 0) + one["count"]
        if found != planted:
            raise SystemExit(f"found {found}, planted {planted}")
        size = sum(path.stat().st_size for path in folder.glob("*.csv")) / 2**20
        book = (folder / "report" / "reconciliation.xlsx").stat().st_size / 2**20
    return {"orders": orders, "seconds": seconds, "peak_mb": peak, "input_mb": size, "workbook_mb": book}


def main() -> None:
    """Read the arguments and print one line of figures."""
    arguments = argparse.ArgumentParser(description="Reconcile two large plain files.")
    arguments.add_argument("--orders", type=int, default=1_000_000)
    arguments.add_argument("--totals-only", action="store_true", help="Files without components.")
    chosen = arguments.parse_args()
    figures = run(chosen.orders, with_components=not chosen.totals_only)
    rate = figures["orders"] / figures["seconds"]
    print(
        f"{figures['orders']:,} orders, {figures['input_mb']:.0f} MB in: {figures['seconds']:.1f} s, {rate:,.0f} orders/s, "
        f"peak {figures['peak_mb']:,.0f} MB, workbook {figures['workbook_mb']:.1f} MB"
    )


if __name__ == "__main__":
    main()
