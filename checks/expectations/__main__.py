"""The suites as a process of their own: a request is a line on standard input, its answer a line on standard output.

Importing Great Expectations takes seconds; a night starts this process first and asks it when there is something to judge.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import polars as pl

from checks.expectations.suites import run, warm_up


def packed(aggregates: Mapping[str, pl.DataFrame], out_dir: str) -> str:
    """A request: the aggregates with their types, and the folder of the Data Docs."""
    frames = {}
    for name, frame in aggregates.items():
        file = io.BytesIO()
        frame.write_ipc(file)
        frames[name] = base64.b64encode(file.getvalue()).decode("ascii")
    return json.dumps({"frames": frames, "out_dir": out_dir})


def answered(request: str) -> list[dict[str, Any]]:
    """The findings of a request."""
    order = json.loads(request)
    frames = {name: pl.read_ipc(io.BytesIO(base64.b64decode(text))) for name, text in order["frames"].items()}
    return run(frames, order["out_dir"])


def main() -> None:
    """Import, then answer every request; ends when there are no more (the parent ended, or said so)."""
    # What a library prints must not get between the answer's lines.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warm_up()
    for request in sys.stdin:
        answer.write(json.dumps(answered(request)) + "\n")
        answer.flush()


if __name__ == "__main__":
    main()
