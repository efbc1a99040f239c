"""End-to-end posting: documents per second from rows of out.documents to accepted, against a stand-in without latency on the same machine.

    python tests/bench/bench_posting.py --documents 5000 [--batch 99]

Drawn invoices of three lines stand planned in the outbox; the stand-in gateway is a process of its own, so its work is not counted as
ours. `post` then runs as it does in a night: claim, build, send, settle, batch by batch, archive and metering included. Beside it stands
the same number of requests of the same bytes sent by bare `requests` and answered by the same gateway: what posting cannot be faster than.

The wall time is taken apart by the clock: waiting for the stand-in is the HTTP exchange from the first byte sent to the last received, the
warehouse is the time inside read and write transactions, building and parsing is the rest of what the client does, and other is all else.
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
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib")]

import polars as pl  # noqa: E402
import posting_desk  # noqa: E402
import requests  # noqa: E402

import flows.post  # noqa: E402
from checks.contracts import ALL  # noqa: E402
from flows.wiring import House  # noqa: E402
from tieout.warehouse import outbox  # noqa: E402
from transforms.postings.content import rehashed  # noqa: E402

LINES = 3
SECRETS = {"TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret", "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret"}  # fmt: skip
LOGIN = b"<login><userid>sync</userid><companyid>TIEOUTDEMO</companyid><password>demo-user-secret</password></login>"
BATCH = 99
WAIT, STORE, MAKE, KEEP, REST = (
    "waiting for the stand-in",
    "warehouse",
    "building and parsing",
    "archive",
    "everything else",
)


class Shares:
    """Wall and processor seconds by part; what is inside a part and has a name of its own is counted there only."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._parts: list[str] = []
        self._at = (0.0, 0.0)

    def _mark(self) -> None:
        now = (time.perf_counter(), time.process_time())
        if self._parts:
            self.wall[self._parts[-1]] += now[0] - self._at[0]
            self.cpu[self._parts[-1]] += now[1] - self._at[1]
        self._at = now

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """The time of a block belongs to a part."""
        self._mark()
        self._parts.append(part)
        try:
            yield
        finally:
            self._mark()
            self._parts.pop()

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose time belongs to a part."""

        def run(*given: Any, **named: Any) -> Any:
            with self.of(part):
                return work(*given, **named)

        return run

    def transactions(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        """A transaction whose time, body included, belongs to the warehouse."""

        @contextmanager
        def run(**named: Any) -> Iterator[Any]:
            with self.of(STORE), opened(**named) as session:
                yield session

        return run


class Gateway:
    """The stand-in gateway with empty books, as a process of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        addresses, log = folder / f"{name}.json", (folder / f"{name}.log").open("wb")
        command = [sys.executable, "-m", "tieout.sandbox", "intacct", "--orders", "1", "--ledger", "empty", "--addresses", str(addresses)]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        until = time.monotonic() + 120
        while not addresses.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"The stand-in did not start; see {folder / name}.log.")
            time.sleep(0.05)
        self.found = json.loads(addresses.read_text(encoding="utf-8"))
        self.url = self.found["intacct"]["url"]

    def processor_seconds(self) -> float:
        """What it has used of the processor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def invoices(self) -> int:
        """How many invoices stand in its books."""
        with requests.get(self.found["control"]["url"] + "/ledger", timeout=120) as reply:
            return len(reply.json()["invoices"])

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)


def planned_house(folder: Path, url: str, documents: int, batch: int) -> House:
    """A house with one customer and so many drawn invoices planned in its outbox, and a gate that is open."""
    folder.mkdir()
    settings = posting_desk.desk_settings(folder, entity="E100", endpoint=url, company_id="TIEOUTDEMO", sender_id="tieout_mpp", batch_size=batch, quota_per_month=0)  # fmt: skip
    house = House(settings=settings, environment=dict(SECRETS), clock=posting_desk.Clock())
    posting_desk.open_gate(house)
    customer = posting_desk.invoice(
        "customer", kind_code="customer", entity_code="", number="BENCH", customer_id="BENCH", total_minor=0, details=json.dumps({"name": "Bench"})
    )  # fmt: skip
    rows = [customer] + [
        posting_desk.invoice(f"d{n}", customer_id="BENCH", number=f"B{n:07d}", entity_code="E100", total_minor=LINES * 1000 + n % 97, description=f"Web order {n}")
        for n in range(documents)
    ]  # fmt: skip
    lines = [
        {
            "document_id": row["document_id"],
            "line_no": k + 1,
            "amount_minor": row["total_minor"] - (LINES - 1) * 1000 if k == 0 else 1000,
            "account_code": "4000",
            "component_code": "goods",
            "location_code": "100",
            "memo": f"{k + 1} x MUG-BLUE & co",
        }
        for row in rows[1:]
        for k in range(LINES)
    ]
    frames = [pl.DataFrame(of, schema=ALL[name].polars_schema) for of, name in ((rows, "out.documents"), (lines, "out.document_lines"))]  # fmt: skip
    orders = ALL["out.document_orders"].empty()
    with house.warehouse.write(run_id="plan") as session:
        outbox.plan(session, rehashed(*frames), frames[1], orders, now=house.clock(), run_id="plan")
    return house


def measured(house: House) -> tuple[dict[str, Any], Shares, list[bytes]]:
    """Post everything; the run's summary, the shares, and what was sent."""
    from flows.exchange import Recorder
    from tieout.connectors.http import Http
    from tieout.connectors.intacct.gateway import Intacct

    # What a process loads once, whatever it posts, is no part of what a document costs.
    _ = house.mappings, house.entity_of_location
    shares, sent = Shares(), []
    once = Http._once

    def exchanged(self: Any, method: str, url: str, params: Any, headers: Any, data: Any, *more: Any) -> Any:
        sent.append(data)
        return once(self, method, url, params, headers, data, *more)

    kept = (Http._once, Recorder.archive, Intacct.post, flows.post.build)
    Http._once = shares.timed(WAIT, exchanged)  # type: ignore[method-assign]
    Recorder.archive = shares.timed(KEEP, kept[1])  # type: ignore[method-assign]
    Intacct.post = shares.timed(MAKE, kept[2])  # type: ignore[method-assign]
    flows.post.build = shares.timed(MAKE, kept[3])
    warehouse = house.warehouse
    warehouse.write, warehouse.read = (
        shares.transactions(warehouse.write),
        shares.transactions(warehouse.read),
    )  # type: ignore[method-assign]
    try:
        with shares.of(REST):
            summary = flows.post.post(house, run_id="20261120T120000-post")
    finally:
        Http._once, Recorder.archive, Intacct.post, flows.post.build = kept  # type: ignore[method-assign]
        del warehouse.write, warehouse.read
    return summary, shares, sent


def bare(url: str, sent: list[bytes]) -> float:
    """Seconds that bare `requests` needs for the same writes, signed in with each request."""
    bodies = [re.sub(rb"<sessionid>.*?</sessionid>", LOGIN, one) for one in sent if b"<create" in one]
    with requests.Session() as line:
        begun = time.perf_counter()
        for body in bodies:
            reply = line.post(url, data=body, headers={"Content-Type": "application/xml"}, timeout=300)
            if b"<errorno>" in reply.content or reply.status_code != 200:
                raise SystemExit(f"The stand-in refused the bare request: {reply.text[:500]}")
        return time.perf_counter() - begun


def main() -> int:
    """Post, take the time apart, post the same bytes bare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=BATCH)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        folder, gateways = Path(name), []
        try:
            gateways.append(gateway := Gateway(folder, "ours"))
            house = planned_house(folder / "house", gateway.url, options.documents, options.batch)
            theirs = gateway.processor_seconds()
            summary, shares, sent = measured(house)
            theirs = gateway.processor_seconds() - theirs
            accepted, booked = summary["accepted"].get("invoice", 0), gateway.invoices()
            if accepted != options.documents or booked != options.documents:
                print(f"{accepted} of {options.documents} accepted, {booked} in the books: {summary}")
                return 1
            gateways.append(other := Gateway(folder, "bare"))
            floor = bare(other.url, sent)
        finally:
            for one in gateways:
                one.stop()
    wall, cpu = sum(shares.wall.values()), sum(shares.cpu.values())
    print(f"{accepted:,} invoices of {LINES} lines in {summary['batches']} batches, {os.cpu_count()} cores")
    print(f"  posted and accepted   {wall:>8.2f} s  {accepted / wall:>8,.0f} documents/s  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")  # fmt: skip
    for part in (WAIT, STORE, MAKE, KEEP, REST):
        print(f"    {part:<26} {shares.wall[part]:>7.2f} s  {shares.wall[part] / wall:>4.0%}  processor {shares.cpu[part]:>6.2f} s")  # fmt: skip
    print(f"  processor             {cpu:>8.2f} s ours, {theirs:.2f} s the stand-in's; ours alone {accepted / cpu:,.0f} documents/s")  # fmt: skip
    print(f"  bare requests, same bytes {floor:>4.2f} s  {accepted / floor:>8,.0f} documents/s  tieout / bare: {wall / floor:.2f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
