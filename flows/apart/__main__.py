"""A process that takes payloads apart: it is told a transform's arithmetic, then given rows, and answers with what comes of them.

It knows transforms and nothing else: no settings, no warehouse, no network. It ends when the run that started it does.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from flows.apart.passing import receive, send


def serve(line: socket.socket) -> None:
    """Answer until the other end is gone. A message is a callable to remember, or the arguments to call it with."""
    work: Callable[..., Any] = _untold
    while True:
        try:
            given = receive(line)
        except (EOFError, OSError):
            return
        if callable(given):
            work = given
            continue
        answer = _answer(work, *given)
        del given
        try:
            _tell(line, answer)
        except OSError:
            return
        del answer


def _untold(*_rows: Any, **_more: Any) -> Any:
    raise RuntimeError("Rows came before the transform that takes them apart.")


def _answer(work: Callable[..., Any], rows: Any, more: Mapping[str, Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(rows, **more), None
    except BaseException as fault:  # a panic of polars is no Exception
        where = "".join(traceback.format_tb(fault.__traceback__))
        fault.add_note(f"in a process that takes payloads apart:\n{where}")
        return None, fault


def _tell(line: socket.socket, answer: tuple[Any, BaseException | None]) -> None:
    try:
        send(line, answer)
    except OSError:
        raise
    except Exception as unfit:  # what cannot be pickled is told in words
        fault = answer[1] or unfit
        send(line, (None, RuntimeError(f"{type(fault).__name__}: {fault}")))


def main() -> None:
    """Serve the socket that standard input is."""
    # Whoever stops the run stops this process by way of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.closing(socket.socket(fileno=0)) as line:
        serve(line)


if __name__ == "__main__":
    main()
