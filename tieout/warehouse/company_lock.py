"""How many runs may post to one company at once: numbered slots, each a file lock that ends with its process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tieout.warehouse.processes import this_process


@contextmanager
def company_slot(folder: Path, company: str, *, workers: int, run_id: str) -> Iterator[str | None]:
    """Hold one of `workers` slots of a company while the block runs. Yields None when it is held, else who holds the last one.

    The folder is shared by all that post to the company; the kernel frees a slot when its process dies, however it dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(company.encode()).hexdigest()[:12]
    holder = "another run"
    for number in range(1, workers + 1):
        path = folder / f"posting-{name}-{number}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(path)
                continue
            note = {**this_process(), "run": run_id, "since": datetime.now(UTC).isoformat(timespec="seconds")}
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(note).encode(), 0)
            try:
                yield None
            finally:
                os.ftruncate(handle, 0)
            return
        finally:
            os.close(handle)
    yield holder


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError, AttributeError):
        who = json.loads(path.read_text(encoding="utf-8"))
        return f"run {who.get('run')} (process {who.get('pid')}, since {who.get('since')})"
    return "another run"
