"""Extract: storefronts and Intacct into `raw`. Landed first, then one transaction with the watermark; a rerun lands nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from flows.plain.file_rows import FILE_KEYS, row_refs, take_back
from flows.sources.intacct import read_intacct
from flows.sources.personal import guarded, guarded_file
from flows.sources.side_by_side import side_by_side
from flows.sources.taking import Tally, land, marks_of, table_of
from flows.wiring import House
from tieout.connectors.paging import Window
from tieout.errors import ConnectorError, Incomplete, InputError, Refused
from tieout.warehouse import runs


def extract(
    house: House,
    *,
    run_id: str,
    sources: Iterable[str] | None = None,
    window: Window | None = None,
    full: bool = False,
) -> dict[str, Any]:
    """Read every source (or those named) since its watermark, less a stated lag; `window` back-fills, `full` reads all anew.

    A source that is down is told and does not stop the others. Credentials that are refused stop everything that talks to that source.
    """
    wanted = list(sources) if sources is not None else [*house.settings.storefronts, *_ledger(house)]
    unknown = [one for one in wanted if one != "intacct" and one not in house.settings.storefronts]
    if unknown:
        raise InputError(
            f"No source '{unknown[0]}' in tieout.toml; it knows {', '.join([*house.settings.storefronts, *_ledger(house)])}."
        )
    resumed = _resume(house, run_id)

    def read(source: str, going_on: Callable[[], None]) -> list[Tally]:
        house.say(f"reading {source}")
        if source == "intacct":
            return read_intacct(house, run_id, window=window, full=full, going_on=going_on)
        if house.kind(source).from_files:
            return _files(house, run_id, source, going_on)
        return _storefront(house, run_id, source, window=window, full=full, going_on=going_on)

    tallies = [tally for found in side_by_side(wanted, read) for tally in found]
    _controls(house, run_id, tallies)
    return {
        "sources": [tally.row() for tally in tallies],
        "read": sum(tally.read for tally in tallies),
        "new": sum(tally.new for tally in tallies),
        "resumed": resumed,
        "errors": [tally.error for tally in tallies if tally.error],
        "exit_code": max((tally.exit_code for tally in tallies), default=0),
    }


def _ledger(house: House) -> list[str]:
    return ["intacct"] if house.settings.intacct is not None else []


def _resume(house: House, run_id: str) -> int:
    """Take in what an earlier run landed and then died over."""
    pending = house.warehouse.pending_landings()
    for landed in pending:
        with house.warehouse.write(run_id=run_id) as session:
            session.ingest(landed, table=table_of(landed.source, landed.subject))
    return len(pending)


def _storefront(
    house: House,
    run_id: str,
    source: str,
    *,
    window: Window | None,
    full: bool,
    going_on: Callable[[], None],
) -> list[Tally]:
    front = house.settings.storefronts[source]
    courier = house.storefront(source)
    marks = marks_of(house)
    tallies = []
    for subject in house.kind(source).wanted(front):
        tally = Tally(source, subject)
        tallies.append(tally)
        mark = marks.get((source, subject))
        span = window
        if span is None and mark is not None and not full:
            span = Window(mark - timedelta(minutes=front.lag_minutes), None)
        try:
            tally.stated = courier.count(subject, span)
            pages = guarded(house, courier.read(subject, span))
            # A back-fill of an old window must not pull the watermark back; Watermark only ever moves forward.
            land(house, run_id, tally, pages, moves=window is None, going_on=going_on)
            if tally.stated is not None and tally.read < tally.stated:
                raise Incomplete(
                    f"{source} states {tally.stated} {subject} and sent {tally.read}; run `tieout run extract --full`."
                )
            # Trade goes on while we read: more than was stated when we began is no fault.
            tally.stated = None if tally.stated is None else tally.read
        except (ConnectorError, Refused) as fault:
            told = str(fault)
            tally.error = told if told.startswith(source) else f"{source}: {told}"
            tally.exit_code = fault.exit_code
            if isinstance(fault, Refused):
                break
    return tallies


def _files(house: House, run_id: str, source: str, going_on: Callable[[], None]) -> list[Tally]:
    tallies = []
    with house.storefront(source) as courier:
        for subject in courier.subjects():
            tally = Tally(source, subject)
            tallies.append(tally)
            present = []
            keys = FILE_KEYS[subject]
            for batch in courier.open(subject):
                going_on()
                with (
                    guarded_file(house, batch) as (path, format_),
                    house.warehouse.write(run_id=run_id) as session,
                ):
                    counts = session.ingest_file(
                        path,
                        format_,
                        table_of(source, subject),
                        source=source,
                        subject=subject,
                        header=batch.header,
                        run_id=run_id,
                        fetched_at=house.clock(),
                        key_columns=[key for key in keys if key in batch.header],
                    )
                tally.read += counts.read
                tally.new += counts.new
                if subject == "orders" and keys[0] in batch.header:
                    present.append(row_refs(batch, keys))
            if present:
                take_back(house, run_id, source, subject, present)
    return tallies


def _controls(house: House, run_id: str, tallies: list[Tally]) -> None:
    rows = [
        {
            "source": tally.source,
            "subject": tally.subject,
            "source_count": tally.stated,
            "read_count": tally.read,
            "new_count": tally.new,
        }
        for tally in tallies
    ]
    with house.warehouse.write(run_id=run_id) as session:
        runs.record_controls(session, rows, run_id=run_id, stage="extract", now=house.clock())
