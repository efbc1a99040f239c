"""How much a night can carry: landing, staging, checking, planning and reconciling, each in a process of its own, with its peak memory.

    python tests/bench/run.py --orders 1000000 [--keep DIR]

Payloads are rendered by the stand-in world beforehand (see `rendering`), scrubbed as the courier does, and kept for the next run: what is
measured is ours, not the stand-in. Beside landing stands DuckDB's own reading of the same files, beside staging DuckDB's own reading of the
totals out of the same payloads, beside reconciling and plain files hand-written DuckDB queries with the same outcomes, beside each storefront
the bare decode of the same payloads, all in the same run. At the end stands one table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib"), str(ROOT / "tests" / "bench")]

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
STOREFRONT_ORDERS = 20_000
NOWHERE = {
    "intacct": {"url": "http://127.0.0.1:9/ia/xml/xmlgw.phtml"},
    "commercetools": {"api_url": "http://127.0.0.1:9", "auth_url": "http://127.0.0.1:9", "project_key": "bench", "client_id": "bench"},
}  # fmt: skip


def house_in(folder: Path, hours: int = 0) -> Any:
    """A house on the demo's configuration, so many hours later; its addresses lead nowhere, nothing here asks them."""
    import night

    config = folder / "tieout.toml"
    return night.house_at(
        config if config.exists() else night.lay_out(folder, NOWHERE),
        night.NightClock(NOW + timedelta(hours=hours)),
    )


def land(folder: Path, orders: int) -> dict[str, Any]:
    """Landing files and taking them in: records a second, and DuckDB's own read of the same files."""
    import duckdb
    import rendering

    from tieout.warehouse.ingesting import Watermark
    from tieout.warehouse.landing import LandingWriter

    house = house_in(folder)
    writing, taking, count, bare = 0.0, 0.0, 0, 0.0
    place = rendering.rendered(orders)
    for subject in rendering.SUBJECTS:
        with LandingWriter(
            house.warehouse.landing_folder, "shop", subject, "bench", clock=house.clock
        ) as writer:
            for chunk in rendering.records(place, subject):
                writing += timed(writer.write, chunk)
                count += len(chunk)
            begun = time.perf_counter()
            landed = writer.finish()
            writing += time.perf_counter() - begun
        begun = time.perf_counter()
        with house.warehouse.write(run_id="bench") as session:
            mark = Watermark("shop", subject, landed.max_updated_at, landed.max_ref, house.clock(), "bench")
            session.ingest(landed, table=f"raw.shop__{subject}", watermark=mark)
        taking += time.perf_counter() - begun
        files = [str(path) for path in landed.paths]
        columns = "{native_ref: 'VARCHAR', payload: 'VARCHAR'}"
        query = f"SELECT count(*), sum(length(payload)) FROM read_json($files, format='newline_delimited', columns={columns})"
        with duckdb.connect() as con:
            bare += timed(con.execute, query, {"files": files})
    return {
        "seconds": writing + taking,
        "count": count,
        "of": "records",
        "parts": {"writing files": writing, "taking in": taking},
        "beside": ("DuckDB reads the same files", bare),
    }


def stage(folder: Path, orders: int) -> dict[str, Any]:
    """raw into core, and DuckDB reading ids and totals out of the same payloads."""
    import duckdb

    from flows.stage import stage as work

    house = house_in(folder)
    _ = house.warehouse, house.mappings
    begun = time.perf_counter()
    done = work(house, run_id="bench-stage")
    seconds = time.perf_counter() - begun
    query = "CREATE TABLE t AS SELECT payload->>'$.id' AS id, (payload->>'$.totalPrice.centAmount')::BIGINT AS total FROM w.raw.shop__orders"
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{house.warehouse.path}' AS w (READ_ONLY)")
        bare = timed(con.execute, query)
    return {"seconds": seconds, "count": orders, "of": "orders", "read": done["read"], "beside": ("DuckDB reads ids and totals", bare)}  # fmt: skip


def check(folder: Path, orders: int) -> dict[str, Any]:
    """Every rule over everything staged."""
    return _stage_of(folder, orders, "check")


def plan(folder: Path, orders: int) -> dict[str, Any]:
    """What is owed, as documents in the outbox."""
    return _stage_of(folder, orders, "plan")


def accepted(folder: Path, orders: int) -> dict[str, Any]:
    """The plan after Intacct accepted everything: each order has changed since the one before."""
    import polars as pl

    with house_in(folder).warehouse.write(run_id="bench-accepted") as session:
        rows = session.fetch("ops.outbox", where={"state_code": "planned"})

        key = pl.concat_str(pl.lit("K"), "document_id")
        session.publish("ops.outbox", rows.with_columns(state_code=pl.lit("accepted"), intacct_key=key), key=["document_id"], mode="merge")  # fmt: skip
    return _stage_of(folder, orders, "plan", hours=1)


def again(folder: Path, orders: int) -> dict[str, Any]:
    """The plan a quarter of an hour later: nothing changed, and only what waits is looked at."""
    return _stage_of(folder, orders, "plan", hours=2)


def _stage_of(folder: Path, orders: int, name: str, *, hours: int = 0) -> dict[str, Any]:
    import night

    house = house_in(folder, hours)
    _ = house.warehouse, house.mappings
    begun = time.perf_counter()
    summary = night.steps(house, name)[name]
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "count": orders, "of": "orders", "summary": {k: v for k, v in summary.items() if isinstance(v, int)}}  # fmt: skip


def timed(work: Callable[..., Any], *given: Any) -> float:
    """Seconds a piece of work takes."""
    begun = time.perf_counter()
    work(*given)
    return time.perf_counter() - begun


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {"land": land, "stage": stage, "check": check, "plan": plan, "accepted": accepted, "again": again}  # fmt: skip
WORDS = {"land": "landing and taking in", "stage": "staging", "check": "checking", "plan": "planning", "accepted": "planning, all was accepted", "again": "planning, nothing changed"}  # fmt: skip


def child(step: str, folder: Path, orders: int) -> None:
    """One step in a process of its own."""
    import logging

    logging.disable(logging.WARNING)
    said = STEPS[step](folder, orders)
    used = resource.getrusage(resource.RUSAGE_SELF)
    said |= {"peak_mb": round(used.ru_maxrss / 1024), "cpu": used.ru_utime + used.ru_stime}
    sys.stdout.write(json.dumps(said) + "\n")


@dataclass
class Line:
    """One line of the table at the end: what, seconds by the clock, how many of what, peak memory, and the ratio to what stands beside."""

    what: str
    seconds: float
    count: int
    of: str
    peak_mb: float
    ratio: str = ""

    def __str__(self) -> str:
        rate = f"{self.count / self.seconds:,.0f} {self.of}/s"
        return f"  {self.what:<44} {self.seconds:>9.2f} s {rate:>22}  peak {self.peak_mb:>7,.0f} MB  {self.ratio}"


def program(name: str, *given: str) -> tuple[int, str]:
    """Run another bench in a process of its own; its exit code and what it printed."""
    command = [sys.executable, str(Path(__file__).with_name(name)), *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def stages(folder: Path, orders: int) -> Iterator[Line]:
    """The stages of a night up to planning, in turn. Raises `SystemExit` where one fails."""
    for step, words in WORDS.items():
        code, text = program("run.py", "--child", step, "--folder", str(folder), "--orders", str(orders))
        if code:
            raise SystemExit(f"  {words} failed:\n{text}")
        said = json.loads(text.splitlines()[-1])
        ratio = ""
        print(
            f"  {words:<26} {said['seconds']:>8.2f} s  {said['count'] / said['seconds']:>12,.0f} {said['of']}/s  peak {said['peak_mb']:>6,} MB",
            flush=True,
        )
        for what, seconds in said.get("parts", {}).items():
            print(f"    {what:<32} {seconds:>6.2f} s")
        if "beside" in said:
            what, seconds = said["beside"]
            ratio = f"tieout / DuckDB: {said['seconds'] / seconds:.1f}"
            print(f"    {what:<32} {seconds:>6.2f} s  {ratio}")
        yield Line(words, said["seconds"], said["count"], said["of"], said["peak_mb"], ratio)


def storefronts(orders: int, repeat: int) -> Iterator[Line]:
    """Staging of each kind of storefront, beside the bare decode of the same payloads."""
    for kind in ("commercetools", "magento", "xcart", "clarity"):
        code, text = program("bench_storefronts.py", "--one", "--kinds", kind, "--orders", str(orders), "--repeat", str(repeat))  # fmt: skip
        if code:
            raise SystemExit(f"  staging {kind} failed:\n{text}")
        said = json.loads(text.splitlines()[-1])
        ratio = f"staged / bare decode: {said['staging_s'] / said['bare_s']:.2f}"
        yield Line(f"staging, {kind}", said["staging_s"], said["orders"], "orders", said["peak_mb"], ratio)


def files(orders: int) -> Iterator[Line]:
    """`tieout reconcile` on two plain files, beside one DuckDB query."""
    code, text = program("bench_files.py", "--json", "--orders", str(orders))
    if code:
        raise SystemExit(f"  plain files failed:\n{text}")
    said = json.loads(text.splitlines()[-1])
    ratio = f"tieout / DuckDB: {said['seconds'] / said['by_hand_seconds']:.1f} (it writes no report)"
    yield Line("two plain files, whole report", said["seconds"], orders, "orders", said["peak_mb"], ratio)


_RECONCILED = re.compile(
    r"^ +((?:bare join|orders against|the whole).*?\)) +([\d.]+) s .*? peak ([\d,]+) MB", re.MULTILINE
)


def reconciling(orders: int, repeat: int) -> tuple[int, list[Line]]:
    """The reconciliation beside hand-written queries: its exit code, and its lines."""
    code, text = program("bench_reconcile.py", "--orders", str(orders), "--repeat", str(repeat))
    print("\n".join("    " + line for line in text.splitlines()), flush=True)
    found = [
        Line(what, float(seconds), orders, "orders", int(peak.replace(",", "")))
        for what, seconds, peak in _RECONCILED.findall(text)
    ]
    by_name = {line.what: line for line in found}
    for ours, theirs in (
        ("orders against invoices (tieout)", "orders against invoices, hand-written (DuckDB)"),
        ("the whole, with proofs and evidence (tieout)", "the whole, hand-written (DuckDB)"),
        ("the whole, Parquet to Parquet (tieout)", "the whole, Parquet to Parquet, by hand (DuckDB)"),
    ):
        if ours in by_name and theirs in by_name:
            by_name[ours].ratio = f"tieout / DuckDB: {by_name[ours].seconds / by_name[theirs].seconds:.2f}"
    return code, found


def main() -> int:
    """Run every step in turn and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="of the reconciliation")
    parser.add_argument("--keep", type=Path, help="keep the warehouse here")
    parser.add_argument("--child", choices=list(STEPS))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder, options.orders)
        return 0
    import rendering

    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        rendering.rendered(options.orders)
        print(f"{options.orders:,} orders, {os.cpu_count()} cores; payloads were rendered before ({time.perf_counter() - begun:.0f} s)", flush=True)  # fmt: skip
        table = list(stages(folder, options.orders))
    table += storefronts(min(options.orders, STOREFRONT_ORDERS), min(options.repeat, 2))
    table += files(options.orders)
    print("  reconciling, on frames of its own with planted faults:", flush=True)
    code, lines = reconciling(options.orders, options.repeat)
    print("\n".join(["", f"{options.orders:,} orders ({STOREFRONT_ORDERS:,} at most for each storefront)", *map(str, table + lines)]))  # fmt: skip
    return code


if __name__ == "__main__":
    sys.exit(main())
