"""Extract of Intacct: every object we reconcile, changed since its watermark, with what is gone from it; then its stock totals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from flows.exchange import Recorder
from flows.taking import Tally, land, marks_of, table_of
from flows.wiring import INTACCT_SUBJECTS, House
from tieout.connectors.intacct.reading import Filter, Where, all_of
from tieout.connectors.intacct.values import us_date
from tieout.connectors.paging import Page, Record, Window
from tieout.errors import ConnectorError, Incomplete, Refused
from tieout.settings import Intacct
from tieout.warehouse.landing import LandingWriter

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
_ENTRY = (
    "RECORDNO BATCHKEY BATCH_TITLE SYMBOL BOOKID ACCOUNTNO TR_TYPE AMOUNT DEBITAMOUNT CREDITAMOUNT TRX_AMOUNT TRX_DEBITAMOUNT "
    "TRX_CREDITAMOUNT CURRENCY ENTRY_DATE BATCH_DATE MODULEKEY RECORDTYPE RECORDKEY RECORDID DOCNUMBER PRENTRYKEY CUSTOMERID "
    "LOCATIONID DEPARTMENTID DESCRIPTION ENTRY_STATE MEGAENTITYID WHENMODIFIED"
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
    "GLDETAIL": _ENTRY.split(),
}


def subjects_of(ledger: Intacct) -> tuple[str, ...]:
    """The objects that are read, headers before what hangs on them."""
    return tuple(name for name in INTACCT_SUBJECTS if name != "GLDETAIL" or ledger.reads_general_ledger)


def condition_of(subject: str, ledger: Intacct) -> Filter | None:
    """What narrows the reading of one object. The view of the general ledger answers too slowly when nothing does."""
    if subject != "GLDETAIL":
        return None
    starts, accounts = ledger.general_ledger_starts_on, ledger.control_accounts
    return all_of(
        Where("equalto", "BOOKID", (ledger.general_ledger_book,)) if ledger.general_ledger_book else None,
        Where("greaterthanorequalto", "BATCH_DATE", (us_date(starts),)) if starts else None,
        Where("in" if len(accounts) > 1 else "equalto", "ACCOUNTNO", accounts) if accounts else None,
    )


def read_intacct(house: House, run_id: str, *, window: Window | None, full: bool) -> list[Tally]:
    """Read every object; one that fails is told and does not stop the others, refused credentials stop them all."""
    recorder = Recorder(house, run_id, purpose="query")
    client = house.intacct(archive=recorder.archive, meter=recorder.meter)
    marks = marks_of(house)
    look_back = timedelta(minutes=house.ledger.look_back_minutes)
    tallies = []
    try:
        for subject in subjects_of(house.ledger):
            tally = Tally("intacct", subject)
            tallies.append(tally)
            mark = None if full else marks.get(("intacct", subject))
            since = window.start if window is not None else mark
            try:
                pages = client.read_range(
                    subject,
                    fields=FIELDS[subject],
                    changed_since=since,
                    look_back=look_back,
                    condition=condition_of(subject, house.ledger),
                )
                land(house, run_id, tally, _once(pages), moves=window is None)
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
        newest = session.raw_changed(table_of("intacct", subject))
    kept = newest.filter(~pl.col("payload").str.contains(f'"{TOMBSTONE}"', literal=True))
    return set(kept["native_ref"].to_list())


def _deleted(house: House, run_id: str, tally: Tally, client: Any) -> None:
    """If Intacct counts fewer records than we know, walk the ids and land a tombstone for each that is gone.

    A count is one transaction; the walk is only made when the counts disagree.
    """
    known = _present(house, tally.subject)
    condition = condition_of(tally.subject, house.ledger)
    if len(known) == client.count(tally.subject, condition=condition):
        return
    there: set[str] = set()
    for page in client.read_range(tally.subject, fields=["RECORDNO"], condition=condition):
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
            session.ingest(landed, table=table_of("intacct", tally.subject))


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
    land(house, run_id, tally, iter([Page(tuple(records), 1, 0)]), moves=True)
    return tally
