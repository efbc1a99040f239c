"""One order's chain as a page: a line of stations with what proves each and a mark where the order stands; self-contained, printable, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jinja2

STATE_WORDS: Final = {
    "done": "Done",
    "waits": "Waits",
    "wrong": "Wrong",
    "none": "Nothing owed",
    "unknown": "Not known",
}
"""What a station's state is called in print."""


def render_trace(title: str, stations: Sequence[Mapping[str, Any]], *, as_of: datetime, version: str) -> str:
    """The page of a chain as HTML text. Stations have number, title, state, when, evidence and is_here."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return environment.get_template("trace.html.j2").render(
        title=title, stations=stations, words=STATE_WORDS, as_of=as_of, version=version
    )
