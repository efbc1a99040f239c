"""The processes that take payloads apart: started when there is much to stage, fed by threads of this one, ended with the stage."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from flows.apart.passing import receive, send
from tieout.errors import WarehouseError

if TYPE_CHECKING:
    from tieout.settings.staging import Staging
    from transforms.staged import Staged

MOST: Final = 4
"""Processes started unless the configuration says how many: more are seldom fed fast enough by one that reads and publishes."""
_NEEDED: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LD_",
    "DYLD_",
    "LANG",
    "LC_",
    "PYTHON",
    "POLARS_",
    "_RJEM_",
    "MALLOC_",
)
"""How the variables begin that such a process is given. Secrets are not among them."""
_SECONDS: Final = 10
_CODE: Final = Path(__file__).resolve().parents[2]


class Processes:
    """For the length of a block: processes that are started the first time somebody asks for them, and end with the block whatever ends it."""

    def __init__(self, staging: Staging) -> None:
        self.count = self._wanted = staging.processes or min(MOST, cores())
        self._least = staging.processes_from
        self._all: list[_Process] = []
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._all:
            one.end()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)

    def for_records(self, count: int) -> Processes | None:
        """These processes, at work from now on, if so many records are worth it; else None, and where the system lets none be started."""
        if self._wanted < 2 or count < self._least or not (self._all or self._started()):
            return None
        return self

    def _started(self) -> bool:
        try:
            for _ in range(self._wanted):
                self._all.append(_Process())
        except (
            OSError
        ):  # too many processes, too many open files, no memory: fewer do, and the run alone does too
            self.count = len(self._all)
        if self._all:
            for one in self._all:
                self._idle.put(one)
            # A thread waits for each process: it hands it rows, and takes what came of it.
            self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="apart")
        return bool(self._all)

    def begin(
        self, work: Callable[..., Staged], rows: pl.DataFrame, more: Mapping[str, Any]
    ) -> Future[Staged]:
        """Have rows taken apart as soon as a process is free, first come, first served."""
        assert self._threads is not None
        return self._threads.submit(self._done, work, rows, more)

    def _done(self, work: Callable[..., Staged], rows: pl.DataFrame, more: Mapping[str, Any]) -> Staged:
        process = self._idle.get()
        try:
            return process.answer(work, rows, more)
        finally:
            self._idle.put(process)


class _Process:
    """One process and the line to it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            # In a group of its own Ctrl-C does not reach it: the run that started it is asked, and ends it. Nothing it needs to know
            # stands in its arguments or its environment.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.apart"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                process_group=0,
            )
        self._work: Callable[..., Staged] | None = None

    def answer(self, work: Callable[..., Staged], rows: pl.DataFrame, more: Mapping[str, Any]) -> Staged:
        """What comes of the rows. Raises what the work raises, and `WarehouseError` if the process is gone."""
        try:
            if self._work is not work:
                send(self._line, work)
                self._work = work
            send(self._line, (rows, more))
            staged, fault = receive(self._line)
        except (EOFError, ConnectionError):
            raise self._gone() from None
        if fault is not None:
            raise fault
        return staged  # type: ignore[no-any-return]

    def end(self) -> None:
        """End it, whatever it does. A thread that waits for its answer goes on."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _gone(self) -> WarehouseError:
        try:
            code = self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return WarehouseError(
            f"A process that takes payloads apart {how}; nothing of this subject was staged. If the machine ran out of memory, let fewer work at "
            "once (processes in [staging], 1 for none beside the run), and run the same command again."
        )


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(_NEEDED)}
    path = [str(_CODE), *filter(None, [kept.get("PYTHONPATH")])]
    # Its processors are shared with as many others: one thread each.
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "POLARS_MAX_THREADS": "1"}
