"""What a person sees of long work: a bar, and the time left where it can be known; what a machine sees: nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from rich.console import Console

from flows.commands.console import bars_on, progress_bar


def drawn(steps: list[tuple[str, int, int | None]]) -> list[str]:
    """What stands on the terminal after each step; a second passes at each."""
    out = io.StringIO()
    seconds: Iterator[int] = count()
    now = [0]
    report = bars_on(Console(file=out, force_terminal=True, width=120), clock=lambda: now[0])
    screens = []
    for step in steps:
        now[0] = next(seconds)
        out.seek(0)
        out.truncate()
        report(*step)
        screens.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()))
    return screens


def test_time_left_is_said_once_it_can_be_known() -> None:
    screens = drawn([("staging orders", done, 10) for done in range(1, 6)])
    assert "staging orders" in screens[0]
    assert "1/10" in screens[0]
    assert "left" not in screens[0]
    assert "5/10" in screens[-1]
    assert "about 0:05 left" in screens[-1]


def test_nothing_is_guessed_of_work_without_an_end() -> None:
    assert all("left" not in screen for screen in drawn([("reading pages", done, None) for done in range(9)]))


def test_what_is_done_makes_room_for_what_is_next() -> None:
    screens = drawn([("recognising", 1, 2), ("recognising", 2, 2), ("comparing", 1, 2)])
    assert "comparing" in screens[-1]
    assert "recognising" not in screens[-1]


def test_nothing_is_drawn_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    progress_bar()("staging orders", 1, 2)
    assert capsys.readouterr() == ("", "")
