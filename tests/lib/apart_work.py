"""What processes that take payloads apart are given to do in tests: functions of rows, importable there."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import polars as pl

from tieout.errors import SettingsError
from transforms.staged import Staged


class Unfit(Exception):
    """An error that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.held = lambda: text


def counted(rows: pl.DataFrame, **more: Any) -> Staged:
    """The rows with the process they were in, and the names of what else was given."""
    here = pl.lit(os.getpid(), dtype=pl.Int64).alias("pid")
    return Staged({"rows": rows.with_columns(here, pl.lit(" ".join(sorted(more))).alias("more"))})


def killed(rows: pl.DataFrame) -> Staged:
    """The end, as by a system that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Staged({"rows": rows})


def killed_at_the_last(rows: pl.DataFrame, *, call: Any, last: str, **told: Any) -> Staged:
    """What `call` makes of the rows, until one of them has this reference."""
    if last in rows["native_ref"].to_list():
        os.kill(os.getpid(), signal.SIGKILL)
    return call(rows, **told)  # type: ignore[no-any-return]


def refused(_rows: pl.DataFrame) -> Staged:
    """A fault with a list of its own."""
    raise SettingsError("The words do not fit.", ["one", "two"])


def unfit(_rows: pl.DataFrame) -> Staged:
    """A fault that cannot be handed over."""
    raise Unfit("cannot be handed over")


def not_to_be_handed_over(_rows: pl.DataFrame) -> Any:
    """An answer that cannot be."""
    return lambda: None


def slow(rows: pl.DataFrame, *, seconds: int) -> Staged:
    """Takes its time."""
    time.sleep(seconds)
    return counted(rows)
