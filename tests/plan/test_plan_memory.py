"""What the room of flows tells polars of memory before polars is read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NAME = "_RJEM_MALLOC_CONF"
DEFAULT = "dirty_decay_ms:500,muzzy_decay_ms:1000"
"""What polars writes there itself."""
OURS = f"dirty_decay_ms:10000,oversize_threshold:0,narenas:{os.cpu_count()}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OURS),
        ("", OURS),
        (DEFAULT, OURS),  # handed down by a process that had read polars
        (f"{DEFAULT},{OURS}", OURS),
        ("dirty_decay_ms:1", "dirty_decay_ms:1"),  # somebody's wish
        (f"{DEFAULT},dirty_decay_ms:1", "dirty_decay_ms:1"),
    ],
)
def test_freed_memory_is_kept_for_a_while_unless_somebody_says_otherwise(
    before: str | None, after: str
) -> None:
    surroundings = {name: value for name, value in os.environ.items() if name != NAME}
    if before is not None:
        surroundings[NAME] = before
    said = subprocess.run(
        [sys.executable, "-c", f"import flows, os; print(os.environ[{NAME!r}])"],
        env=surroundings, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == after


def test_polars_still_writes_the_default_that_is_taken_away() -> None:
    surroundings = {name: value for name, value in os.environ.items() if name != NAME}
    said = subprocess.run(
        [sys.executable, "-c", f"import polars, os; print(os.environ[{NAME!r}])"],
        env=surroundings, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == DEFAULT
