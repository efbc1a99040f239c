"""A posting run that kills its own process at an appointed moment, as `kill -9` would: after a move of the outbox, before, during or
after a commit, before or after something is sent. What the company booked lies in a file, which outlives the process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from posting_desk import Clock, Company, DeskHouse, desk_settings

from flows.post import post
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, Outcome, RefusedByIntacct
from tieout.errors import OutcomeUnknown
from tieout.warehouse import claiming, moves, settling
from tieout.warehouse.store import Warehouse

REFUSED = "NO-BAD"


class LastingCompany(Company):
    """Books in a file, a number and, of a customer, its name a line; the answer to the first batch of invoices is lost once."""

    def __init__(self, books: Path) -> None:
        super().__init__()
        self.path = books

    def booked(self) -> list[str]:
        """Numbers in the order they were booked."""
        return [number for number, _ in self._rows()]

    def _rows(self) -> list[tuple[str, str]]:
        text = self.path.read_text() if self.path.exists() else ""
        return [(number, name) for number, _, name in (line.partition("\t") for line in text.splitlines())]

    def post(self, batch: Any, **_options: Any) -> BatchOutcome:
        """Book what is new under a key of its own, refuse one number always."""
        results: dict[str, Outcome] = {}
        with self.path.open("a") as file:
            for control_id, one in batch:
                number = getattr(one, "number", None) or one.customer_id
                if number == REFUSED:
                    results[control_id] = RefusedByIntacct(ErrorKind.DATA, "BL01001973", "Intacct: no.")
                    continue
                file.write(f"{number}\t{getattr(one, 'name', '')}\n")
                file.flush()
                os.fsync(file.fileno())
                results[control_id] = Accepted(str(len(self.booked())))
        lost = self.path.with_suffix(".lost")
        if any(number.startswith("NO-") for number in self.booked()) and not lost.exists():
            lost.touch()
            raise OutcomeUnknown("The line was cut after the request was sent.")
        return BatchOutcome(results)

    def find(self, _object: str, key: str, values: Any, **_options: Any) -> dict[str, list[dict[str, Any]]]:
        """Rows of what is booked."""
        booked = self._rows()
        return {
            one: [
                {
                    "RECORDNO": str(place),
                    key: one,
                    "NAME": name,
                    "TRX_TOTALENTERED": "10.00",
                    "CURRENCY": "USD",
                }
                for place, (number, name) in enumerate(booked, 1)
                if number == one
            ]
            for one in values
        }


def house_of(folder: Path, minutes: int) -> DeskHouse:
    """The house that stands in a folder, `minutes` later."""
    clock = Clock()
    clock.ahead(minutes=minutes)
    house = DeskHouse(settings=desk_settings(folder, batch_size=1), environment={}, clock=clock)
    house.company = LastingCompany(folder / "books.txt")
    house.__dict__["warehouse"] = Warehouse(folder / "state", lock_seconds=10)
    return house


class Moments:
    """Counts passages by kind; kills the process at the appointed one."""

    def __init__(self, kind: str, count: int, tally: Path | None = None) -> None:
        self.kind, self.count, self.tally = kind, count, tally
        self.seen: dict[str, int] = {}
        self.killer: threading.Thread | None = None

    def passed(self, kind: str) -> None:
        """One more passage; the last one if it is appointed."""
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if kind == self.kind and self.seen[kind] == self.count:
            if kind == "during a commit":
                self.killer = threading.Thread(target=_kill, args=(0.0004 * (self.count % 5),), daemon=True)
                self.killer.start()
            else:
                _kill(0)

    def write(self) -> None:
        """What was passed how often, for a run that was not killed. One that is to be killed while it commits for the last time waits for it."""
        if self.killer is not None:
            self.killer.join()
        if self.tally is not None:
            self.tally.write_text("\n".join(f"{kind}\t{count}" for kind, count in self.seen.items()))


def _kill(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def run(folder: Path, minutes: int, kind: str, count: int, tally: Path | None = None) -> None:
    """One posting run in this process, which dies at the `count`-th passage of `kind` (never, for a kind of '')."""
    moments = Moments(kind, count, tally)
    house = house_of(folder, minutes)
    real_move, real_stride = moves._write, moves.stride
    real_write, real_post = house.warehouse.write, house.company.post

    def move(session: Any, rows: pl.DataFrame, trail: pl.DataFrame, **more: Any) -> None:
        real_move(session, rows, trail, **more)
        moments.passed("after a move")

    def stride(*given: Any, **more: Any) -> frozenset[str]:
        moved = real_stride(*given, **more)
        if moved:
            moments.passed("after a move")
        return moved

    moves._write = move
    claiming.stride = settling.stride = stride

    @contextmanager
    def write(*, run_id: str) -> Any:
        with real_write(run_id=run_id) as session:
            yield session
            moments.passed("before a commit")
            moments.passed("during a commit")
        moments.passed("after a commit")

    def sent(batch: Any, **more: Any) -> BatchOutcome:
        moments.passed("before sending")
        try:
            return real_post(batch, **more)
        finally:
            moments.passed("after sending")

    house.warehouse.write = write  # type: ignore[method-assign]
    house.company.post = sent  # type: ignore[method-assign]
    post(house, run_id=f"run-{minutes}")
    moments.write()
