"""How the tool speaks on a terminal: quiet lines when it is watched by a machine, bars when a person looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import typer

_STYLE = {"good": typer.colors.GREEN, "bad": typer.colors.RED, "dim": typer.colors.BRIGHT_BLACK}


def say(text: str) -> None:
    """A line about what is going on, to standard error so that output can be piped."""
    typer.echo(
        typer.style(f"  {text} …", fg=_STYLE["dim"]) if sys.stderr.isatty() else f"  {text} …", err=True
    )


def progress_bar() -> Callable[[str, int, int | None], None]:
    """A progress reporter: a live bar when a terminal is attached, nothing otherwise."""
    if not sys.stderr.isatty():
        return lambda _label, _done, _total: None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}
    guard = threading.Lock()

    def report(label: str, done: int, total: int | None) -> None:
        # Sources are read side by side: each has one bar, that of the subject it is at.
        source = label.partition(" ")[0]
        with guard:
            if label not in tasks:
                if not bars.live.is_started:
                    bars.start()
                for other, task in tasks.items():
                    if other.partition(" ")[0] == source:
                        bars.update(task, visible=False)
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)
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
    for problem in summary.get("problems", []) or summary.get("errors", []):
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
