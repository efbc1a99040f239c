"""Whole nights for tests: a stand-in world as a process of its own, a configuration laid out in a folder, stages in process or as the
command line, and the one comparison that matters: what the ledger holds against what the outbox says it holds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from flows.demos.verdict import actual_findings, expected_findings
from flows.demos.world import WORLD_SECRETS, Sandbox, prepare
from flows.nightly import STAGES
from flows.nightly import nightly as whole_night
from flows.running import run_stage
from flows.wiring import House
from tieout.connectors.http import Http
from tieout.money import to_decimal
from tieout.settings import load

ROOT = Path(__file__).resolve().parents[2]
TO_POST = ("extract", "stage", "check", "plan")
"""The stages before anything is sent."""
_SHELVES = {
    "customer": "customers",
    "invoice": "invoices",
    "credit_memo": "adjustments",
    "receipt": "receipts",
    "journal": "journals",
    "sales_order": "sales_documents",
}
_ORDERS = "Sales Order-"
"""How sales orders begin among the documents of order entry; what the others made of them is in the books as an AR record."""


class World:
    """A sandbox process and its control door. `secrets` are what opens it."""

    secrets: Mapping[str, str] = WORLD_SECRETS

    def __init__(self, folder: Path, *, orders: int, seed: int = 7) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._sandbox = Sandbox(folder, orders=orders, seed=seed)
        try:
            self.addresses = self._sandbox.wait()
            self.born = self.keys()
        except BaseException:
            self._sandbox.stop()
            raise

    def ask(self, path: str) -> Any:
        """A page of the control door."""
        return self._sandbox.ask(path)

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        """Send something to the control door; a refusal fails the test with the door's own sentence."""
        data = json.dumps(body).encode() if body is not None else (b"{}" if method == "POST" else None)
        order = urllib.request.Request(
            self.addresses["control"]["url"] + path,
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(order, timeout=60) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{method} {path}: {refused.read().decode()}") from refused

    def fault(self, app: str, kind: str, **order: Any) -> None:
        """Switch a fault on."""
        self.tell("POST", "/faults", {"app": app, "kind": kind, **order})

    def unstruck(self) -> list[str]:
        """Faults still on the board that never struck: a test that counts on them proved nothing."""
        return [one["kind"] for one in self.ask("/faults")["faults"] if not one["fired"]]

    def clear(self) -> None:
        """All faults off."""
        self.tell("DELETE", "/faults")

    def reset(self) -> None:
        """The world as it was at the start."""
        self.tell("POST", "/reset")

    def calls(self, app: str) -> dict[str, int]:
        """Requests answered so far."""
        return self.ask("/calls").get(app, {})

    def ledger(self) -> dict[str, Any]:
        """The books."""
        return self.ask("/ledger")

    def keys(self) -> dict[str, set[str]]:
        """Record numbers (of customers: ids) in the books, by document kind."""
        books = self.ledger()
        return {kind: {_key(kind, one) for one in _records(books, kind)} for kind in _SHELVES}

    def stop(self) -> None:
        """End the process."""
        self._sandbox.stop()


def _key(kind: str, record: Mapping[str, Any]) -> str:
    return str(record[{"customer": "customerid", "sales_order": "docid"}.get(kind, "recordno")])


def _records(books: Mapping[str, Any], kind: str) -> list[Any]:
    found = books[_SHELVES[kind]]
    return [one for one in found if one["docid"].startswith(_ORDERS)] if kind == "sales_order" else found


@contextmanager
def world_of(folder: Path, *, orders: int, seed: int = 7) -> Iterator[World]:
    """A world for the length of a block."""
    world = World(folder, orders=orders, seed=seed)
    try:
        yield world
    finally:
        world.stop()


class NightClock:
    """The world's present, which a test may move: `ahead(hours=2)`, `ahead(days=-1)`."""

    def __init__(self, start: str | datetime) -> None:
        self._start = datetime.fromisoformat(start) if isinstance(start, str) else start
        self._begun = time.monotonic()
        self._shift = timedelta()

    def __call__(self) -> datetime:
        return self._start.astimezone(UTC) + self._shift + timedelta(seconds=time.monotonic() - self._begun)

    def ahead(self, **by: float) -> None:
        """Move the clock."""
        self._shift += timedelta(**by)


def lay_out(
    folder: Path, addresses: Mapping[str, Any], *, expectations: bool = False, **intacct: object
) -> Path:
    """The demo's configuration in a folder, with settings of [intacct] changed; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    config = prepare(folder, dict(addresses))
    text = config.read_text(encoding="utf-8")
    for name, value in intacct.items():
        line = f"{name} = {json.dumps(value)}"
        old = next((one for one in text.splitlines() if one.startswith(f"{name} = ")), None)
        text = (
            text.replace(old, line)
            if old
            else text.replace("visibility_seconds = 0", f"visibility_seconds = 0\n{line}")
        )
    text += f"\n[checks]\nexpectations = {json.dumps(expectations)}\n"
    config.write_text(text, encoding="utf-8")
    return config


def house_at(config: Path, clock: NightClock, **secrets: str) -> House:
    """A house on this configuration; secrets may be replaced by wrong ones."""
    return House(settings=load(config), environment={**WORLD_SECRETS, **secrets}, clock=clock)


def steps(house: House, *names: str, **options: Any) -> dict[str, Any]:
    """Run stages by name, as recorded runs; `options` go to the last one."""
    done: dict[str, Any] = {}
    for name in names:
        done[name] = run_stage(house, name, STAGES[name], **(options if name == names[-1] else {}))
    return done


def night(house: House) -> dict[str, Any]:
    """The whole night, without Prefect."""
    return whole_night(house)


def no_waiting(monkeypatch: Any) -> list[float]:
    """Retries wait no longer than 20 ms; returns the list of waits that were asked for, in seconds."""
    asked: list[float] = []

    def short(seconds: float) -> None:
        asked.append(seconds)
        time.sleep(min(seconds, 0.02))

    monkeypatch.setitem(Http.__init__.__kwdefaults__, "sleep", short)
    return asked


# --- judging ----------------------------------------------------------------------------------------------------
def outbox_of(house: House) -> pl.DataFrame:
    """Every document of the outbox with its kind, number, currency, total, state, key and reason."""
    with house.warehouse.read() as session:
        states = session.fetch(
            "ops.outbox",
            columns=["document_id", "state_code", "intacct_key", "reason", "attempts_no", "failures_no"],
        )
        documents = session.fetch(
            "out.documents",
            columns=["document_id", "kind_code", "number", "customer_id", "currency", "total_minor"],
        )
    return documents.join(states, on="document_id", how="full", coalesce=True)


def states_of(house: House) -> Counter[str]:
    """How many documents are in which state."""
    return Counter(outbox_of(house)["state_code"].to_list())


def unlike_the_books(house: House, world: World) -> list[str]:
    """Every disagreement between the outbox and the books, in words; an empty list is exactly-once.

    Each accepted document must stand in the books under its key with its amount; each record that is not of the seeded past must be the
    accepted document of exactly one row; no document number may stand twice; whatever is not accepted must wait with a reason or be planned.
    """
    books = world.ledger()
    outbox = outbox_of(house)
    wrong: list[str] = []
    for kind in _SHELVES:
        records = {_key(kind, one): one for one in _records(books, kind)}
        kinds = ["receipt", "application"] if kind == "receipt" else [kind]
        mine = outbox.filter(pl.col("kind_code").is_in(kinds) & (pl.col("state_code") == "accepted"))
        claimed = Counter(mine["intacct_key"].to_list())
        wrong += [f"{kind} {key} is claimed by {n} documents" for key, n in claimed.items() if n > 1]
        fresh = set(records) - world.born[kind]
        wrong += [
            f"{kind} {key} is in the books, and not in the outbox" for key in sorted(fresh - set(claimed))
        ]
        wrong += [f"{kind} {key} is accepted, and not in the books" for key in sorted(set(claimed) - fresh)]
        if kind == "customer":
            continue
        for row in mine.iter_rows(named=True):
            record = records.get(row["intacct_key"])
            # A journal entry has no total; the stand-in takes none that does not balance.
            if record is None or kind == "journal":
                continue
            owed = to_decimal(row["total_minor"], row["currency"])
            there = record["total" if kind == "sales_order" else "trx_total"]
            if abs(Decimal(there)) != abs(owed) or record["currency"] != row["currency"]:
                wrong.append(
                    f"{kind} {row['number']}: {there} {record['currency']} for {owed} {row['currency']}"
                )
        if kind == "sales_order":
            # Its key is its name, which the books hold once; what was converted from it beyond what was ordered would show here.
            wrong += [f"{key} is {one['state']}" for key, one in records.items() if one["state"] not in ("Pending", "Partially Converted", "Converted", "Closed")]  # fmt: skip
            continue
        name = {"receipt": "docnumber", "journal": "referenceno"}.get(kind, "recordid")
        numbers = Counter(one[name] for key, one in records.items() if key in fresh)
        planned = Counter(mine["number"].to_list())
        wrong += [
            f"{kind} number {one} stands {n} times" for one, n in numbers.items() if n > max(planned[one], 1)
        ]
    silent = outbox.filter(
        pl.col("state_code").is_in(["held", "refused", "dead", "unknown"]) & pl.col("reason").is_null()
    )
    wrong += [
        f"{row['number']} is {row['state_code']} without a reason" for row in silent.iter_rows(named=True)
    ]
    lost = outbox.filter(pl.col("state_code").is_null() | pl.col("kind_code").is_null())
    wrong += [f"{one} is in one table of two" for one in lost["document_id"]]
    return wrong


def waiting(house: House) -> list[str]:
    """Documents that are neither accepted nor cancelled, with their reasons."""
    rows = outbox_of(house).filter(~pl.col("state_code").is_in(["accepted", "cancelled"]))
    return [f"{row['number']} {row['state_code']}: {row['reason']}" for row in rows.iter_rows(named=True)]


def unlike_the_key(house: House, world: World) -> dict[str, list[tuple[str, str]]]:
    """Planted faults that were missed, and findings that were invented."""
    expected, actual = expected_findings(world.ask("/answer-key")), actual_findings(house)
    found = {"missed": sorted(expected - actual), "invented": sorted(actual - expected)}
    return {title: some for title, some in found.items() if some}


# --- the command line -------------------------------------------------------------------------------------------
def environment(**more: str) -> dict[str, str]:
    """What a shell would hand to `tieout`: the world's secrets and nothing that could phone home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TIEOUT_"))}
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PYTHONUNBUFFERED": "1"}
    return {**kept, **quiet, **WORLD_SECRETS, **more}


def command(*words: str) -> list[str]:
    """The command line as an argument list, on this interpreter."""
    return [sys.executable, "-m", "flows.cli", *words]


def tieout(folder: Path, *words: str, time_out: float = 240, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `tieout …` in a folder and wait. A traceback on either stream is a failure whatever else the test says."""
    done = subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT), **more),
        capture_output=True,
        text=True,
        timeout=time_out,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    defects = sorted(folder.glob("tieout-defect-*.txt"))
    assert not defects, defects[0].read_text(encoding="utf-8")[-3000:]
    return done


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start `tieout …` in a folder and do not wait; its output goes to a file beside."""
    with (folder / "started.log").open("ab") as log:
        return subprocess.Popen(
            command(*words),
            cwd=folder,
            env=environment(PYTHONPATH=str(ROOT)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def copy_of(folder: Path, to: Path) -> Path:
    """A second house in the same condition; returns its configuration file."""
    shutil.copytree(folder, to)
    return to / "tieout.toml"
