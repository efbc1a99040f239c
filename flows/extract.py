"""Extract: storefronts and Intacct into `raw`. Landed first, then one transaction with the watermark; a rerun lands nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from flows.exchange import Recorder
from flows.wiring import INTACCT_SUBJECTS, House
from tieout.connectors.paging import Page, Record, Window
from tieout.errors import ConnectorError, Incomplete, InputError, Refused
from tieout.warehouse import runs
from tieout.warehouse.ingesting import Watermark
from tieout.warehouse.landing import LandingResult, LandingWriter

TOMBSTONE = "TIEOUT_DELETED"
"""Key of the payload that says a ledger record which was there is there no more."""

_HEADER = (
    "RECORDNO RECORDID DOCNUMBER CUSTOMERID CUSTOMERNAME STATE RAWSTATE WHENCREATED WHENPOSTED WHENDUE WHENPAID "
    "BASECURR CURRENCY EXCHANGE_RATE TOTALENTERED TOTALPAID TOTALDUE TRX_TOTALENTERED TRX_TOTALPAID TRX_TOTALDUE "
    "MODULEKEY DESCRIPTION MEGAENTITYID AUWHENCREATED WHENMODIFIED RECORDTYPE"
)
_LINE = (
    "RECORDNO RECORDKEY LINE_NO ACCOUNTNO AMOUNT TRX_AMOUNT CURRENCY ENTRYDESCRIPTION ITEMID "
    "LOCATIONID DEPARTMENTID SUBTOTAL WHENMODIFIED"
)
FIELDS: dict[str, list[str]] = {
    "CUSTOMER": [
        "RECORDNO",
        "CUSTOMERID",
        "NAME",
        "STATUS",
        "DISPLAYCONTACT.EMAIL1",
        "WHENMODIFIED",
        "AUWHENCREATED",
    ],
    "ARINVOICE": _HEADER.split(),
    "ARINVOICEITEM": _LINE.split(),
    "ARADJUSTMENT": _HEADER.split(),
    "ARADJUSTMENTITEM": _LINE.split(),
    "ARPYMT": [
        "RECORDNO",
        "RECORDTYPE",
        "DOCNUMBER",
        "CUSTOMERID",
        "STATE",
        "PAYMENTMETHOD",
        "FINANCIALENTITY",
        "RECEIPTDATE",
        "WHENPAID",
        "BASECURR",
        "CURRENCY",
        "TOTALENTERED",
        "TRX_TOTALENTERED",
        "TRX_TOTALDUE",
        "DESCRIPTION",
        "MEGAENTITYID",
        "AUWHENCREATED",
        "WHENMODIFIED",
    ],
    "ARPYMTDETAIL": [
        "RECORDNO",
        "PAYMENTKEY",
        "RECORDKEY",
        "POSADJKEY",
        "ADJUSTMENTKEY",
        "CURRENCY",
        "TRX_PAYMENTAMOUNT",
        "TRX_ADJUSTMENTAMOUNT",
        "STATE",
        "WHENMODIFIED",
    ],
}


FILE_KEYS = {
    "orders": ("order_number",),
    "lines": ("order_number",),
    "payments": ("payment_ref",),
    "refunds": ("refund_ref",),
    "stock": ("sku", "location"),
}
"""Columns that identify a row of a plain file; a further row of the same key is told apart by its place among them."""


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
    tallies: list[Tally] = []
    for source in wanted:
        house.say(f"reading {source}")
        if source == "intacct":
            tallies += _intacct(house, run_id, window=window, full=full)
        elif house.kind(source).from_files:
            tallies += _files(house, run_id, source)
        else:
            tallies += _storefront(house, run_id, source, window=window, full=full)
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
            session.ingest(landed, table=_table(landed.source, landed.subject))
    return len(pending)


def _table(source: str, subject: str) -> str:
    return f"raw.{source}__{subject.lower()}"


def _marks(house: House) -> dict[tuple[str, str], datetime | None]:
    with house.warehouse.read() as session:
        frame = session.fetch("ops.watermarks", columns=["source", "subject", "mark_at"])
    return {(source, subject): mark for source, subject, mark in frame.iter_rows()}


def _storefront(house: House, run_id: str, source: str, *, window: Window | None, full: bool) -> list[Tally]:
    front = house.settings.storefronts[source]
    courier = house.storefront(source)
    marks = _marks(house)
    tallies = []
    for subject in house.kind(source).subjects:
        tally = Tally(source, subject)
        tallies.append(tally)
        mark = marks.get((source, subject))
        span = window
        if span is None and mark is not None and not full:
            span = Window(mark - timedelta(minutes=front.lag_minutes), None)
        try:
            tally.stated = courier.count(subject, span)
            pages = courier.read(subject, span)
            # A back-fill of an old window must not pull the watermark back; Watermark only ever moves forward.
            _land(house, run_id, tally, pages, moves=window is None)
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


def _land(house: House, run_id: str, tally: Tally, pages: Iterator[Page], *, moves: bool) -> LandingResult:
    with LandingWriter(
        house.warehouse.landing_folder, tally.source, tally.subject, run_id, clock=house.clock
    ) as writer:
        for page in pages:
            writer.write(page.records)
            tally.read += len(page.records)
            house.progress(f"{tally.source} {tally.subject}", tally.read, tally.stated)
        landed = writer.finish()
    with house.warehouse.write(run_id=run_id) as session:
        watermark = (
            Watermark(
                tally.source, tally.subject, landed.max_updated_at, landed.max_ref, house.clock(), run_id
            )
            if moves
            else None
        )
        counts = session.ingest(landed, table=_table(tally.source, tally.subject), watermark=watermark)
    tally.new += counts.new
    return landed


def _intacct(house: House, run_id: str, *, window: Window | None, full: bool) -> list[Tally]:
    recorder = Recorder(house, run_id, purpose="query")
    client = house.intacct(archive=recorder.archive, meter=recorder.meter)
    marks = _marks(house)
    look_back = timedelta(minutes=house.ledger.look_back_minutes)
    tallies = []
    try:
        for subject in INTACCT_SUBJECTS:
            tally = Tally("intacct", subject)
            tallies.append(tally)
            mark = None if full else marks.get(("intacct", subject))
            since = window.start if window is not None else mark
            try:
                pages = client.read_range(
                    subject, fields=FIELDS[subject], changed_since=since, look_back=look_back
                )
                _land(house, run_id, tally, _once(pages), moves=window is None)
                # The walk proved itself by Intacct's own count of the same filter.
                tally.stated = tally.read
                _deleted(house, run_id, tally, client)
            except (ConnectorError, Refused) as fault:
                tally.error, tally.exit_code = str(fault), fault.exit_code
                if isinstance(fault, Refused):
                    break
        if not any(tally.error for tally in tallies):
            tallies.append(_stock(house, run_id, client))
    finally:
        recorder.close()
        client.close()
    return tallies


def _once(pages: Iterator[Page]) -> Iterator[Page]:
    """A walk that failed its proof once gives all pages again: each record is landed and counted once."""
    seen: set[str] = set()
    for page in pages:
        fresh = tuple(record for record in page.records if record.native_ref not in seen)
        seen.update(record.native_ref for record in fresh)
        yield Page(fresh, page.page_no, page.bytes)


def _present(house: House, subject: str) -> set[str]:
    """Ids of the records we believe the ledger holds: landed and not known to be deleted."""
    with house.warehouse.read() as session:
        newest = session.raw_changed(_table("intacct", subject))
    kept = newest.filter(~pl.col("payload").str.contains(f'"{TOMBSTONE}"', literal=True))
    return set(kept["native_ref"].to_list())


def _deleted(house: House, run_id: str, tally: Tally, client: Any) -> None:
    """If Intacct counts fewer records than we know, walk the ids and land a tombstone for each that is gone.

    A count is one transaction; the walk is only made when the counts disagree.
    """
    known = _present(house, tally.subject)
    if len(known) == client.count(tally.subject):
        return
    there: set[str] = set()
    for page in client.read_range(tally.subject, fields=["RECORDNO"]):
        there.update(record.native_ref for record in page.records)
    unseen = there - known
    if unseen:
        raise Incomplete(
            f"Intacct holds {len(unseen)} {tally.subject} that were not read (for example RECORDNO {min(unseen)}); run `tieout run extract --full`."
        )
    gone = sorted(known - there)
    now = house.clock()
    stones = [
        Record(ref, None, now, json.dumps({TOMBSTONE: "true", "RECORDNO": ref}).encode()) for ref in gone
    ]
    if stones:
        with LandingWriter(
            house.warehouse.landing_folder, "intacct", tally.subject, f"{run_id}-gone", clock=house.clock
        ) as writer:
            writer.write(stones)
            landed = writer.finish()
        with house.warehouse.write(run_id=run_id) as session:
            session.ingest(landed, table=_table("intacct", tally.subject))


def _stock(house: House, run_id: str, client: Any) -> Tally:
    """The ledger's stock, already summed per item, warehouse and total."""
    tally = Tally("intacct", "stock_totals")
    try:
        rows = client.stock_totals()
    except (ConnectorError, Refused) as fault:
        tally.error, tally.exit_code = str(fault), fault.exit_code
        return tally
    now = house.clock()
    # Totals have no change time: the instant of reading is part of each row, so that history is kept.
    records = [
        Record(
            f"{row.get('ITEMID', '')}|{row.get('WAREHOUSEID', '')}|{row.get('TOTALNAME', '')}",
            None,
            now,
            json.dumps({**row, "AS_OF": now.isoformat()}).encode(),
        )
        for row in rows
    ]
    _land(house, run_id, tally, iter([Page(tuple(records), 1, 0)]), moves=True)
    return tally


def _files(house: House, run_id: str, source: str) -> list[Tally]:
    tallies = []
    with house.storefront(source) as courier:
        for subject in courier.subjects():
            tally = Tally(source, subject)
            tallies.append(tally)
            for batch in courier.open(subject):
                with house.warehouse.write(run_id=run_id) as session:
                    counts = session.ingest_file(
                        batch.path,
                        batch.format,
                        _table(source, subject),
                        source=source,
                        subject=subject,
                        header=batch.header,
                        run_id=run_id,
                        fetched_at=house.clock(),
                        key_columns=[key for key in FILE_KEYS[subject] if key in batch.header],
                    )
                tally.read += counts.read
                tally.new += counts.new
    return tallies


def _controls(house: House, run_id: str, tallies: list[Tally]) -> None:
    with house.warehouse.write(run_id=run_id) as session:
        for tally in tallies:
            runs.record_control(
                session,
                run_id=run_id,
                source=tally.source,
                subject=tally.subject,
                stage="extract",
                source_count=tally.stated,
                read_count=tally.read,
                new_count=tally.new,
                now=house.clock(),
            )
