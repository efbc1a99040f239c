"""What every read of a source shares: its tally, and the way from pages to `raw` in one landing and one transaction with the watermark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.wiring import House
from tieout.connectors.paging import Page
from tieout.warehouse.ingesting import Watermark
from tieout.warehouse.landing import LandingResult, LandingWriter
from tieout.warehouse.session import Session


@dataclass
class Tally:
    """What one subject's read came to."""

    source: str
    subject: str
    read: int = 0
    new: int = 0
    stated: int | None = None
    error: str | None = None
    exit_code: int = 0

    def row(self) -> dict[str, Any]:
        """For summaries."""
        return {
            key: value for key, value in self.__dict__.items() if value is not None and key != "exit_code"
        }


def table_of(source: str, subject: str) -> str:
    """The raw table of a source's subject."""
    return f"raw.{source}__{subject.lower()}"


def marks_of(house: House) -> dict[tuple[str, str], datetime | None]:
    """The watermark of every source and subject."""
    with house.warehouse.read() as session:
        frame = session.fetch("ops.watermarks", columns=["source", "subject", "mark_at"])
    return {(source, subject): mark for source, subject, mark in frame.iter_rows()}


def land(
    house: House,
    run_id: str,
    tally: Tally,
    pages: Iterable[Page],
    *,
    moves: bool,
    going_on: Callable[[], None] = lambda: None,
    look: Callable[[Session], None] = lambda session: None,
) -> LandingResult:
    """Pages to a landing file, then into `raw`; with `moves` the watermark moves in the same transaction. `going_on` is asked before each
    page and may raise to end the read; `look` sees the warehouse with what has landed, in the same transaction."""
    with LandingWriter(
        house.warehouse.landing_folder, tally.source, tally.subject, run_id, clock=house.clock
    ) as writer:
        for page in pages:
            going_on()
            writer.write(page.records)
            tally.read += len(page.records)
            house.progress(f"{tally.source} {tally.subject}", tally.read, tally.stated)
        house.progress(f"{tally.source} {tally.subject}", tally.read, tally.read)
        landed = writer.finish()
    with house.warehouse.write(run_id=run_id) as session:
        watermark = (
            Watermark(
                tally.source, tally.subject, landed.max_updated_at, landed.max_ref, house.clock(), run_id
            )
            if moves
            else None
        )
        counts = session.ingest(landed, table=table_of(tally.source, tally.subject), watermark=watermark)
        look(session)
    tally.new += counts.new
    return landed
