"""How the tool speaks on a terminal: quiet lines when it is watched by a machine, bars when a person looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

_TELLING: Final = 2
"""Steps that must be done before the time of the others can be told."""
_STYLE = {"good": typer.colors.GREEN, "bad": typer.colors.RED, "dim": typer.colors.BRIGHT_BLACK}


def say(text: str) -> None:
    """A line about what is going on, to standard error so that output can be piped."""
    typer.echo(
        typer.style(f"  {text} …", fg=_STYLE["dim"]) if sys.stderr.isatty() else f"  {text} …", err=True
    )


def progress_bar() -> Callable[[str, int, int | None], None]:
    """A progress reporter: live bars when a terminal is attached, nothing otherwise. What is left is said once it can be worked out."""
    if not sys.stderr.isatty():
        return lambda _label, _done, _total: None
    from rich.console import Console

    return bars_on(Console(stderr=True))


def bars_on(
    console: Console, clock: Callable[[], float] | None = None
) -> Callable[[str, int, int | None], None]:
    """A progress reporter that draws on a console: (what is done, how much of it, of how much or None). `clock`: seconds, in place of ours."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        """Time left, where the total is known and some of it is done; else nothing."""

        def render(self, task: Task) -> Text:
            left = task.time_remaining
            if task.total is None or left is None or task.finished or task.completed < _TELLING:
                return Text("")
            minutes, seconds = divmod(int(left), 60)
            return Text(f"about {minutes}:{seconds:02d} left")

    bars = Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeLeft(),
        console=console,
        get_time=clock,
        transient=True,
    )
    tasks: dict[str, Any] = {}
    guard = threading.Lock()

    def report(label: str, done: int, total: int | None) -> None:
        # Sources are read side by side: each has one bar, that of the subject it is at.
        source = label.partition(" ")[0]
        with guard:
            if label not in tasks:
                ended = {task.id for task in bars.tasks if task.finished}
                for other, task in tasks.items():
                    if other.partition(" ")[0] == source or task in ended:
                        bars.update(task, visible=False)
                tasks[label] = bars.add_task(label, total=total)
                if not bars.live.is_started:
                    bars.start()
            bars.update(tasks[label], completed=done, total=total, refresh=True)
            if all(task.finished for task in bars.tasks if task.visible):
                bars.stop()

    import atexit

    atexit.register(bars.stop)
    return report


def print_summary(stage: str, summary: Mapping[str, Any]) -> int:
    """Print a stage's summary for a person and return the exit code it asks for."""
    lines = summary.get("text")
    if lines:
        for line in lines:
            typer.echo(line)
    elif stage == "nightly":
        for name, part in summary["stages"].items():
            typer.echo(f"{name:<10} {headline(part)}")
    else:
        typer.echo(f"{stage:<10} {headline(summary)}")
    said = summary.get("problems")
    # Staging counts its problems and keeps them in a table; other stages say each.
    for problem in (said if isinstance(said, list) else []) or summary.get("errors", []):
        typer.echo(typer.style(f"! {problem}", fg=_STYLE["bad"]))
    if summary.get("halted"):
        typer.echo(typer.style(f"! {summary['halted']}", fg=_STYLE["bad"]))
    return int(summary.get("exit_code", 0))


def headline(summary: Mapping[str, Any]) -> str:
    """The figures of a summary in one line: numbers and short words, nothing nested."""
    shown = [
        f"{key.replace('_', ' ')} {value:,}" if isinstance(value, int) else f"{key.replace('_', ' ')} {value}"
        for key, value in summary.items()
        if isinstance(value, int | str)
        and not isinstance(value, bool)
        and key not in ("run_id", "exit_code", "halted", "path")
        and value not in ("", 0)
    ]
    return ", ".join(shown) or "nothing to do"
