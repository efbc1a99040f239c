"""The advisory lock before the DuckDB file: one writer or several readers, and a sentence that says who holds it.

DuckDB shuts every other process out while one has the file open, with an error and without waiting. This lock waits.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tieout.errors import Busy, WarehouseError
from tieout.warehouse.processes import is_alive, this_process

_log = logging.getLogger(__name__)
_POLL_SECONDS = (0.001, 0.02)
"""The first pause and the longest: most who wait, wait for one short transaction of another thread."""
_held = threading.local()


class AdvisoryLock:
    """A file lock (`flock`) that the kernel lets go of when its process dies, however it dies."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        self._path = path
        self._seconds = seconds

    @contextmanager
    def hold(self, *, run_id: str, exclusive: bool) -> Iterator[None]:
        """Hold the lock, waiting up to the configured seconds.

        Raises `Busy` naming pid, run and since when; `WarehouseError` if this thread already holds it (it would wait for itself).
        """
        mine: dict[str, int] = _held.__dict__.setdefault("paths", {})
        key = str(self._path.resolve())
        if key in mine:
            raise WarehouseError(
                f"This thread already has {self._path.parent} open; end that block before opening it again."
            )
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._wait(handle, exclusive=exclusive)
            mine[key] = handle
            try:
                if exclusive:
                    _sign(handle, run_id)
                yield
            finally:
                del mine[key]
                if exclusive:
                    os.ftruncate(handle, 0)
        finally:
            os.close(handle)

    def _wait(self, handle: int, *, exclusive: bool) -> None:
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        until = time.monotonic() + self._seconds
        told, (pause, longest) = False, _POLL_SECONDS
        while True:
            try:
                fcntl.flock(handle, mode | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
            if time.monotonic() >= until:
                raise Busy(
                    f"The warehouse in {self._path.parent} is in use: {self.holder()}. Waited {self._seconds:g} s; try again when it has ended."
                )
            if not told:
                _log.info("waiting for the warehouse: %s", self.holder())
                told = True
            time.sleep(pause)
            pause = min(pause * 2, longest)

    def holder(self) -> str:
        """Who holds the lock, in words."""
        try:
            who: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "a reader holds it"
        if not is_alive(who):
            return "a reader holds it"
        return f"process {who.get('pid')} holds it for run {who.get('run')} since {who.get('since')}"


def _sign(handle: int, run_id: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    note = json.dumps({**this_process(), "run": run_id, "since": since}).encode()
    os.ftruncate(handle, 0)
    os.pwrite(handle, note, 0)
