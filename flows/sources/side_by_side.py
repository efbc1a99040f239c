"""Several systems read at the same time: while one thinks of its answer, another's is taken in."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
Reading = Callable[[str, Callable[[], None]], T]


class _Stopped(Exception):
    """The run ended while this system was still being read."""


class _Reader(threading.Thread, Generic[T]):
    """One system's read on a thread that does not keep the process alive: what it leaves unfinished the next run takes up."""

    def __init__(self, name: str, work: Reading[T], going_on: Callable[[], None]) -> None:
        super().__init__(name=f"reading {name}", daemon=True)
        # Loggers and run records of the orchestrator find the run they belong to through the context.
        self._context = contextvars.copy_context()
        self._name, self._work, self._going_on = name, work, going_on
        self.found: T | None = None
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = self._context.run(self._work, self._name, self._going_on)
        except BaseException as fault:
            self.fault = fault


def side_by_side(names: Sequence[str], work: Reading[T]) -> list[T]:
    """`work(name, going_on)` for every name at the same time, and the results in the order of the names.

    The last name is worked on by the calling thread. `going_on` is to be asked between two requests: it raises when the run is ending.
    A fault of one lets the others finish first, then the first by order is raised; an interruption of the calling thread (Ctrl-C, a
    signal) is raised at once, and what the others were doing ends with their next page or with the process, like any killed run.
    """
    stop = threading.Event()

    def going_on() -> None:
        if stop.is_set():
            raise _Stopped

    readers: list[_Reader[T]] = [_Reader(name, work, going_on) for name in names[:-1]]
    for reader in readers:
        reader.start()
    found: list[T] = []
    own: Exception | None = None
    try:
        for name in names[-1:]:
            try:
                found.append(work(name, going_on))
            except Exception as fault:
                own = fault
        for reader in readers:
            reader.join()
    except BaseException:
        stop.set()
        raise
    faults = [reader.fault for reader in readers if reader.fault is not None]
    if faults or own is not None:
        raise [*faults, own][0]  # type: ignore[misc]
    return [*(reader.found for reader in readers), *found]  # type: ignore[list-item]
