"""Random schedules of faults, kills, restarts and second runners over the outbox and the gateway, judged by the books.

    python tests/soak/run.py --schedules 1000 [--first 0] [--sigkill-every 50] [--jobs 2]

A schedule is drawn from its number alone, so `--first N --schedules 1` plays one again. Verdict over all: no duplicate, no loss, and each
document accepted or visibly waiting with a reason. Exit code 1 and the numbers of the schedules that failed otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib")]
# Frames of a hundred rows: threads for them cost more processor time than they save. Set before polars is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import logging  # noqa: E402

import duckdb  # noqa: E402
import night  # noqa: E402
import polars as pl  # noqa: E402

from checks.contracts import ALL  # noqa: E402
from flows.post import post  # noqa: E402
from tieout.connectors.http import Http  # noqa: E402
from tieout.errors import TieoutError  # noqa: E402
from tieout.warehouse import outbox  # noqa: E402
from tieout.warehouse.store import Warehouse  # noqa: E402
from transforms.postings.content import rehashed  # noqa: E402

ORDERS = 30
WRITES = (
    "<create_customer",
    "<create_invoice",
    "<create_aradjustment",
    "<ARPYMT>",
    "<create_gltransaction",
    "<create_sotransaction",
)
READS = "<query>"
# kind, further keys, whether it concerns writes, reads or both
FAULTS: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("cut_after", {}, WRITES),
    ("cut_before", {}, WRITES),
    ("delay_after", {"seconds": 0.8}, WRITES),
    ("truncate", {}, WRITES),
    ("truncate", {"how": "short"}, WRITES),
    ("garbage", {}, (*WRITES, READS)),
    ("server_error", {}, (*WRITES, READS)),
    ("unavailable", {}, (*WRITES, READS)),
    ("throttle", {"seconds": 0}, (*WRITES, READS)),
    ("expire_session", {}, (*WRITES, READS)),
    ("half_fail", {"nth": 2}, WRITES),
    ("half_fail", {"nth": 3}, WRITES),
    ("roll_back_all", {}, WRITES),
    ("hide_rows", {"seconds": 2}, (READS,)),
    ("replay_shape", {"level": "operation"}, WRITES),
)
POINTS = ("before a write", "inside a write", "after a write", "before sending", "after sending")


class Killed(BaseException):
    """The process is gone: nothing after this may run, so nothing of ours catches it."""


@dataclass
class Death:
    """Where a runner dies: at the `count`-th time it comes by `point`. Once dead, it can neither write nor send."""

    point: str
    count: int
    dead: bool = False
    _seen: Counter[str] = field(default_factory=Counter)

    def pass_by(self, point: str) -> None:
        """Raise if this is the moment, or if it has been."""
        if self.dead:
            raise Killed
        self._seen[point] += 1
        if point == self.point and self._seen[point] == self.count:
            self.dead = True
            raise Killed


def twin(house: night.House) -> night.House:
    """Another runner on the same settings and folder; opening and ensuring a warehouse anew would be most of the time."""
    other = replace(house)
    other.__dict__.update(warehouse=copy(house.warehouse), mappings=house.mappings)
    return other


def later_documents(house: night.House) -> None:
    """Put what a second night would plan beside the first one's documents: of two orders without a payment the difference after a change,
    a sales order and the sale converted from it, a credit memo, its application to the first invoice and the journal entry of a refund."""
    with house.warehouse.read() as session:
        known = session.fetch("out.documents")
        lines = session.fetch("out.document_lines")
    paid = lines.drop_nulls("applies_to_id")["applies_to_id"]
    invoices = known.filter((pl.col("kind_code") == "invoice") & ~pl.col("document_id").is_in(paid.implode()))
    rows: list[dict[str, Any]] = []
    drawn: list[dict[str, Any]] = []
    for entity, location in (("E100", "100"), ("E200", "200")):
        first = invoices.filter(entity_code=entity).sort("number").row(0, named=True)
        number = str(first["number"])

        def one(kind: str, total: int, first: dict[str, Any] = first, number: str = number, location: str = location, **over: Any) -> str:  # fmt: skip
            name = over.pop("name", f"{number}-{kind[:1].upper()}")
            made = {
                **first,
                "document_id": f"SOAK{name}"[:20],
                "kind_code": kind,
                "number": name,
                "total_minor": total,
                "details": None,
                **over,
            }
            rows.append(made)
            if kind in ("invoice", "credit_memo"):
                drawn.append({"document_id": made["document_id"], "line_no": 1, "account_code": "4000", "component_code": "goods", "amount_minor": total, "location_code": location})  # fmt: skip
            return str(made["document_id"])

        one("invoice", 700, name=f"{number}-R2")
        # Ordered, then sold, through order entry: two of an item of 4.50, and freight; the sale is converted from the order's line, and
        # accepted only once the AR invoice made of it is known.
        sold = {
            "location_code": location,
            "item_ref": "MUG-1",
            "quantity": Decimal(2),
            "unit_price": Decimal("4.5"),
            "order_line_ref": "l1",
            "component_code": "goods",
            "amount_minor": 900,
            "warehouse_code": "wh-east" if entity == "E100" else "wh-berlin",
        }
        freight = {"account_code": "4100", "component_code": "shipping", "amount_minor": 100, "location_code": location, "subtotal_name": "Freight"}  # fmt: skip
        ordering = one(
            "sales_order", 1000, name=f"{number}-O", details=json.dumps({"definition": "Sales Order"})
        )
        drawn.append({"document_id": ordering, "line_no": 1, "account_code": "4000", **sold})
        drawn.append({"document_id": ordering, "line_no": 2, **freight})
        selling = one(
            "invoice", 1000, name=f"{number}-S", details=json.dumps({"definition": "Sales Invoice"})
        )
        drawn[-1].update(sold, converts_id=ordering)
        drawn.append({"document_id": selling, "line_no": 2, **freight})
        memo = one("credit_memo", -1000, due_on=None)
        setting = one("application", 0, name=f"{number}-A", due_on=None, method="EFT", account_ref="CLR-CARD-US" if entity == "E100" else "CLR-CARD-EU")  # fmt: skip
        drawn.extend(
            [
                {
                    "document_id": setting,
                    "line_no": 1,
                    "amount_minor": 1000,
                    "applies_to_id": first["document_id"],
                },
                {"document_id": setting, "line_no": 2, "amount_minor": -1000, "applies_to_id": memo},
            ]
        )
        entry = one("journal", 0, due_on=None, customer_id="", account_ref="GJ", description=f"Refund {number}")  # fmt: skip
        drawn.extend([
            {"document_id": entry, "line_no": n, "account_code": account, "amount_minor": amount, "location_code": location}
            for n, account, amount in ((1, "2400", 1000), (2, "1201", -1000))
        ])  # fmt: skip
    schema = ALL["out.document_lines"].polars_schema
    blank = dict.fromkeys(schema)
    more = pl.DataFrame([{**blank, **line} for line in drawn], schema=schema)
    documents = rehashed(pl.DataFrame(rows, schema=known.schema), more)
    with house.warehouse.write(run_id="later") as session:
        outbox.plan(session, documents, more, ALL["out.document_orders"].empty(), now=house.clock(), run_id="later")  # fmt: skip


@contextmanager
def kept_open(house: night.House) -> Iterator[None]:
    """The warehouse's file stays open for a whole schedule, each transaction on a connection of its own: opening costs more than most
    transactions. Schedules with real kills open and close as runs do."""
    warehouse = house.warehouse
    # A second thread for tables of a hundred rows costs more than it saves.
    whole = duckdb.connect(str(warehouse.path), config={**warehouse._config(), "threads": 1})
    # The file is thrown away afterwards; nothing reads it again.
    whole.execute("PRAGMA disable_checkpoint_on_shutdown")

    @contextmanager
    def opened(*, run_id: str, read_only: bool) -> Iterator[Any]:
        with warehouse._lock.hold(run_id=run_id, exclusive=not read_only), whole.cursor() as con:
            con.execute("SET TimeZone = 'UTC'")
            yield con

    warehouse._opened = opened  # type: ignore[method-assign]
    try:
        yield
    finally:
        whole.close()


def mortal(house: night.House, death: Death) -> night.House:
    """The same house, whose runner dies at the appointed moment."""
    house = twin(house)
    write, client_of = house.warehouse.write, house.intacct

    @contextmanager
    def dying_write(*, run_id: str) -> Iterator[Any]:
        death.pass_by("before a write")
        with write(run_id=run_id) as session:
            yield session
            death.pass_by("inside a write")
        death.pass_by("after a write")

    def dying_client(**options: Any) -> Any:
        client = client_of(**options)
        send = client.post

        def dying_post(*args: Any, **more: Any) -> Any:
            death.pass_by("before sending")
            outcome = send(*args, **more)
            death.pass_by("after sending")
            return outcome

        client.post = dying_post  # type: ignore[method-assign]
        return client

    house.warehouse.write = dying_write  # type: ignore[method-assign]
    house.intacct = dying_client  # type: ignore[method-assign]
    return house


@dataclass(frozen=True)
class Schedule:
    """What happens, cycle by cycle: faults switched on, a death, a second runner."""

    number: int
    faults: tuple[tuple[dict[str, Any], ...], ...]
    deaths: tuple[tuple[str, int] | None, ...]
    second: tuple[bool, ...]
    batch_size: int
    visibility_seconds: int

    @classmethod
    def drawn(cls, number: int) -> Schedule:
        """The schedule of a number: the same one every time."""
        rng = random.Random(number)
        cycles = rng.choice((1, 1, 2, 3))
        faults = []
        for _cycle in range(cycles):
            chosen = []
            for kind, more, where in rng.choices(FAULTS, k=rng.randint(0, 3)):
                order = {
                    "app": "intacct",
                    "kind": kind,
                    **more,
                    "after": rng.randint(0, 3),
                    "times": rng.randint(1, 2),
                }
                order["match"] = rng.choice(where)
                chosen.append(order)
            faults.append(tuple(chosen))
        deaths = tuple(
            (rng.choice(POINTS), rng.randint(1, 6)) if rng.random() < 0.55 else None for _ in range(cycles)
        )
        second = tuple(rng.random() < 0.3 for _ in range(cycles))
        return cls(number, tuple(faults), deaths, second, rng.choice((6, 20, 50)), rng.choice((0, 0, 3)))


class Stage:
    """One world and one planned house; schedules are played on copies of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = night.World(folder / "world", orders=ORDERS)
        night.lay_out(
            folder / "planned", self.world.addresses, time_out_seconds=0.5, quota_per_month=0, workers=2
        )
        house = night.house_at(
            folder / "planned" / "tieout.toml", night.NightClock(self.world.addresses["now"])
        )
        night.steps(house, *night.TO_POST)
        later_documents(house)
        self.mappings = house.mappings
        self.owed = night.outbox_of(house).height

    def play(self, schedule: Schedule, *, sigkill: bool = False) -> tuple[list[str], Counter[str]]:
        """Play a schedule and judge: what is wrong (nothing, it is hoped), and the states documents ended in."""
        self.world.reset()
        folder = self.folder / f"schedule-{schedule.number}"
        config = night.copy_of(self.folder / "planned", folder)
        text = config.read_text(encoding="utf-8")
        text = text.replace("visibility_seconds = 0", f"visibility_seconds = {schedule.visibility_seconds}\nbatch_size = {schedule.batch_size}")  # fmt: skip
        config.write_text(text, encoding="utf-8")
        clock = night.NightClock(self.world.addresses["now"])
        house = night.house_at(config, clock)
        # Its tables are those of the planned house: to look at each of them again for every schedule would prove nothing.
        house.__dict__.update(warehouse=Warehouse(folder / "state", lock_seconds=60), mappings=self.mappings)
        try:
            with nullcontext() if sigkill else kept_open(house):
                for cycle, faults in enumerate(schedule.faults):
                    self.world.clear()
                    for fault in faults:
                        self.world.tell("POST", "/faults", fault)
                    clock.ahead(minutes=20)
                    if sigkill:
                        self._killed_for_real(folder, clock, schedule)
                    else:
                        self._cycle(house, clock, schedule.deaths[cycle], second=schedule.second[cycle])
                self.world.clear()
                # Where nothing waits any more, a further run has nothing to do; that it does nothing is looked at in every fifth schedule.
                idle = schedule.number % 5 == 0
                for calm in range(5):
                    if not (idle or night.waiting(house)):
                        break
                    clock.ahead(minutes=20)
                    post(house, run_id=f"{clock():%Y%m%dT%H%M%S}-calm{calm}")
                    idle = False
                return self._verdict(house)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _cycle(
        self, house: night.House, clock: night.NightClock, death: tuple[str, int] | None, *, second: bool
    ) -> None:
        def runner(name: str, end: Death | None) -> None:
            try:
                post(mortal(house, end) if end else twin(house), run_id=f"{clock():%Y%m%dT%H%M%S}-{name}")
            except (Killed, TieoutError):
                return  # a run that died or was stopped: the next cycle goes on where it was

        end = Death(*death) if death else None
        beside = threading.Thread(target=runner, args=("b", None)) if second else None
        if beside:
            beside.start()
        runner("a", end)
        if beside:
            beside.join()

    def _killed_for_real(self, folder: Path, clock: night.NightClock, schedule: Schedule) -> None:
        before = self.world.calls("intacct").get("total", 0)
        process = night.start(folder, "run", "post", "--plain", "--as-of", clock().isoformat())
        wanted = random.Random(schedule.number + 1).randint(1, 12)
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            if self.world.calls("intacct").get("total", 0) - before >= wanted:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def _verdict(self, house: night.House) -> tuple[list[str], Counter[str]]:
        wrong = night.unlike_the_books(house, self.world)
        found = night.outbox_of(house)
        if found.height != self.owed:
            wrong.append(f"{self.owed} documents were owed, {found.height} are known")
        with house.warehouse.read() as session:
            blocked = set(outbox.blocked(session)["document_id"].to_list())
        for row in found.filter(~pl.col("state_code").is_in(["accepted", "held", "dead", "refused"])).iter_rows(named=True):  # fmt: skip
            if not (row["state_code"] == "planned" and row["document_id"] in blocked):
                wrong.append(
                    f"{row['number']} is still {row['state_code']} after five calm cycles: {row['reason']}"
                )
        return wrong, Counter(found["state_code"].to_list())

    def stop(self) -> None:
        """End the world."""
        self.world.stop()


def main() -> int:
    """Play the schedules and print the verdict."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--sigkill-every", type=int, default=50, help="each so many-th schedule with real kills; 0 for none")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the schedules")
    options = parser.parse_args()
    begun = time.monotonic()
    shares = shared(options.first, options.schedules, options.jobs)
    if len(shares) == 1:
        done = [played(*shares[0], options.sigkill_every)]
    else:
        # Processes of their own: schedules patch what they play with, and kill what they start.
        with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
            done = list(pool.map(played, *zip(*shares, strict=True), [options.sigkill_every] * len(shares)))
    failed = [number for one in done for number in one.failed]
    ended = sum((one.ended for one in done), Counter())
    print(
        f"{options.schedules} schedules of {done[0].owed} documents, {len(failed)} failed{': ' + str(failed) if failed else ''}; "
        f"{', '.join(f'{count:,} {state}' for state, count in sorted(ended.items()))}; {time.monotonic() - begun:.0f} s"
    )
    return 1 if failed else 0


@dataclass(frozen=True)
class Played:
    """What a share of the schedules came to: numbers of those that failed, documents by the state they ended in, documents a schedule owes."""

    failed: list[int]
    ended: Counter[str]
    owed: int


def shared(first: int, schedules: int, jobs: int) -> list[tuple[int, int]]:
    """The schedules in as many stretches (first, how many) as there are jobs."""
    bounds = [first + schedules * job // jobs for job in range(jobs + 1)]
    return [(low, high - low) for low, high in pairwise(bounds) if high > low]


def played(first: int, schedules: int, sigkill_every: int) -> Played:
    """Play a stretch of schedules on a stage of its own; what goes wrong is printed at once."""
    logging.disable(logging.WARNING)
    # Waits between tries prove nothing here and would make up most of the time.
    defaults: Any = Http.__init__.__kwdefaults__
    defaults["sleep"] = lambda seconds: time.sleep(min(seconds, 0.01))
    failed: list[int] = []
    ended: Counter[str] = Counter()
    # In memory where the machine offers it: what is proved is what a killed process leaves, not what a disk does.
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tieout-soak-", dir=where) as name:
        stage = Stage(Path(name))
        try:
            for number in range(first, first + schedules):
                real = bool(sigkill_every) and (number + 1) % sigkill_every == 0
                schedule = Schedule.drawn(number)
                wrong, states = stage.play(schedule, sigkill=real)
                ended += states
                if wrong:
                    failed.append(number)
                    print(f"schedule {number}: {schedule}")
                    for line in wrong[:10]:
                        print(f"  ! {line}", flush=True)
                elif sys.stderr.isatty():
                    print(
                        f"\rschedule {number} of {first} to {first + schedules - 1}", end="", file=sys.stderr
                    )
        finally:
            stage.stop()
    return Played(failed, ended, stage.owed)


if __name__ == "__main__":
    sys.exit(main())
