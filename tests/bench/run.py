"""How much a night can carry: landing, staging, checking, planning and reconciling, each in a process of its own, with its peak memory.

    python tests/bench/run.py --orders 1000000 [--keep DIR]

Payloads are rendered by the stand-in world in this process, scrubbed as the courier does, and only then timed: what is measured is ours,
not the stand-in. Beside landing stands DuckDB's own bulk read of the same files, beside staging DuckDB's own reading of the totals out of
the same payloads, beside reconciling a hand-written DuckDB query with the same outcomes and a bare join, all in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib")]

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
SUBJECTS = ("customers", "payments", "orders")
CHUNK = 10_000
NOWHERE = {
    "intacct": {"url": "http://127.0.0.1:9/ia/xml/xmlgw.phtml"},
    "commercetools": {"api_url": "http://127.0.0.1:9", "auth_url": "http://127.0.0.1:9", "project_key": "bench", "client_id": "bench"},
}  # fmt: skip


def house_in(folder: Path) -> Any:
    """A house on the demo's configuration; its addresses lead nowhere, nothing here asks them."""
    import night

    config = folder / "tieout.toml"
    return night.house_at(
        config if config.exists() else night.lay_out(folder, NOWHERE), night.NightClock(NOW)
    )


def rendered(orders: int, subject: str) -> Iterator[list[Any]]:
    """Records of a subject as the courier hands them over, in chunks."""
    from tieout.connectors.storefronts.commercetools import DEFAULT_PERSONAL
    from tieout.connectors.storefronts.commercetools_pages import Peek, to_records
    from tieout.sandbox.world.world import World

    world = World.build(7, orders)
    shelf = {"orders": world.order_list, "payments": world.payment_list, "customers": world.customer_list}[
        subject
    ]
    for start in range(0, len(shelf), CHUNK):
        raws = [shelf.text(at).encode() for at in range(start, min(start + CHUNK, len(shelf)))]
        peeks = [Peek.of(raw) for raw in raws]
        yield list(to_records(raws, peeks, payment=subject == "payments", keep_personal=DEFAULT_PERSONAL))


def land(folder: Path, orders: int) -> dict[str, Any]:
    """Landing files and taking them in: records a second, and DuckDB's own read of the same files."""
    import duckdb

    from tieout.warehouse.ingesting import Watermark
    from tieout.warehouse.landing import LandingWriter

    house = house_in(folder)
    writing, taking, count, bare = 0.0, 0.0, 0, 0.0
    for subject in SUBJECTS:
        with LandingWriter(
            house.warehouse.landing_folder, "shop", subject, "bench", clock=house.clock
        ) as writer:
            for chunk in rendered(orders, subject):
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
        query = f"CREATE TABLE t AS SELECT * FROM read_json($files, format='newline_delimited', columns={columns})"
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


def _stage_of(folder: Path, orders: int, name: str) -> dict[str, Any]:
    import night

    house = house_in(folder)
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


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {"land": land, "stage": stage, "check": check, "plan": plan}  # fmt: skip
WORDS = {"land": "landing and taking in", "stage": "staging", "check": "checking", "plan": "planning"}


def child(step: str, folder: Path, orders: int) -> None:
    """One step in a process of its own."""
    import logging

    logging.disable(logging.WARNING)
    said = STEPS[step](folder, orders)
    said["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.stdout.write(json.dumps(said) + "\n")


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
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{options.orders:,} orders, {os.cpu_count()} cores; payloads are rendered before they are timed", flush=True)  # fmt: skip
        for step, words in WORDS.items():
            command = [sys.executable, __file__, "--child", step, "--folder", str(folder), "--orders", str(options.orders)]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"  {words} failed:\n{done.stderr}")
                return 1
            said = json.loads(done.stdout.splitlines()[-1])
            print(
                f"  {words:<24} {said['seconds']:>8.2f} s  {said['count'] / said['seconds']:>12,.0f} {said['of']}/s  peak {said['peak_mb']:>6,} MB",
                flush=True,
            )
            for what, seconds in said.get("parts", {}).items():
                print(f"    {what:<32} {seconds:>6.2f} s")
            if "beside" in said:
                what, seconds = said["beside"]
                print(f"    {what:<32} {seconds:>6.2f} s  tieout / DuckDB: {said['seconds'] / seconds:.1f}")
    print("  reconciling, on frames of its own with planted faults:", flush=True)
    reconcile = [sys.executable, str(Path(__file__).with_name("bench_reconcile.py")), "--orders", str(options.orders), "--repeat", str(options.repeat)]  # fmt: skip
    done = subprocess.run(reconcile, capture_output=True, text=True, check=False)
    print("\n".join("    " + line for line in done.stdout.splitlines()))
    if done.returncode:
        print(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
