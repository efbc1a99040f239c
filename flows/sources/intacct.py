"""Extract of Intacct: every object we reconcile, changed since its watermark, with what is gone from it; then its stock totals."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from flows.exchange import Recorder
from flows.sources.describing import recall, remember
from flows.sources.price_lists import field_names, is_read
from flows.sources.taking import Tally, land, marks_of, table_of
from flows.wiring import INTACCT_SUBJECTS, House
from tieout.connectors.intacct.reading import Both, Filter, Where, all_of
from tieout.connectors.intacct.values import us_date
from tieout.connectors.paging import Page, Record, Window
from tieout.errors import ConnectorError, Incomplete, Refused, Rejected
from tieout.settings import Intacct, Settings, Shipping
from tieout.warehouse.landing import LandingWriter
from tieout.warehouse.session import Session

log = logging.getLogger("tieout.extract")

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
    "ITEM": ["RECORDNO", "ITEMID", "NAME", "STATUS", "BASEPRICE", "WHENMODIFIED"],
    # An object and fields of the company's own, see [price_lists].
    "PRICE_LIST_ENTRIES": ["RECORDNO", "WHENMODIFIED"],
    # With the fields of a shipment's order, carrier and tracking numbers that [shipping] names.
    "SODOCUMENT": [
        "RECORDNO",
        "DOCID",
        "DOCPARID",
        "CUSTVENDID",
        "STATE",
        "WHENCREATED",
        "AUWHENCREATED",
        "WHENMODIFIED",
    ],
    "SODOCUMENTENTRY": [
        "RECORDNO",
        "DOCHDRNO",
        "DOCHDRID",
        "LINE_NO",
        "ITEMID",
        "QUANTITY",
        "SUBTOTAL",
        "WHENMODIFIED",
    ],
}


def subjects_of(house: House) -> tuple[str, ...]:
    """The objects that are read, headers before what hangs on them; each page costs an API transaction, so items and order-entry
    documents are read only where prices or shipments are written back."""
    told = {field for front in house.settings.storefronts.values() for field in front.writes_back}
    left_out = {"ITEM": "price" not in told, "GLDETAIL": not house.ledger.reads_general_ledger}
    left_out["PRICE_LIST_ENTRIES"] = "price" not in told or not is_read(house.settings.price_lists)
    left_out |= dict.fromkeys(("SODOCUMENT", "SODOCUMENTENTRY"), "order.shipment" not in told)
    return tuple(name for name in INTACCT_SUBJECTS if not left_out.get(name, False))


def object_of(subject: str, settings: Settings) -> str:
    """What Intacct calls the object of a subject."""
    return settings.price_lists.object_name if subject == "PRICE_LIST_ENTRIES" else subject


def fields_of(subject: str, settings: Settings) -> list[str]:
    """The fields asked of an object."""
    if subject == "PRICE_LIST_ENTRIES":
        return list(dict.fromkeys((*FIELDS[subject], *field_names(settings.price_lists).values())))
    if subject != "SODOCUMENT":
        return FIELDS[subject]
    shipping = settings.shipping
    named = (
        shipping.order_field, shipping.tracking_field, shipping.carrier_field, shipping.shipped_on_field,
    )  # fmt: skip
    return list(dict.fromkeys((*FIELDS[subject], *named)))


def condition_of(subject: str, ledger: Intacct, shipping: Shipping) -> Filter | None:
    """What narrows the reading of one object. The view of the general ledger and order-entry documents answer too slowly when nothing
    does; a line of a document is known by the document's id, which begins with its definition."""
    if subject == "SODOCUMENT":
        names = shipping.definitions
        return Where("in" if len(names) > 1 else "equalto", "DOCPARID", names)
    if subject == "SODOCUMENTENTRY":
        begins = tuple(Where("like", "DOCHDRID", (f"{name}-%",)) for name in shipping.definitions)
        return begins[0] if len(begins) == 1 else Both(begins, any_of=True)
    if subject != "GLDETAIL":
        return None
    starts, accounts = ledger.general_ledger_starts_on, ledger.control_accounts
    return all_of(
        Where("equalto", "BOOKID", (ledger.general_ledger_book,)) if ledger.general_ledger_book else None,
        Where("greaterthanorequalto", "BATCH_DATE", (us_date(starts),)) if starts else None,
        Where("in" if len(accounts) > 1 else "equalto", "ACCOUNTNO", accounts) if accounts else None,
    )


def read_intacct(
    house: House,
    run_id: str,
    *,
    window: Window | None,
    full: bool,
    going_on: Callable[[], None] = lambda: None,
) -> list[Tally]:
    """Read every object; one that fails is told and does not stop the others, refused credentials stop them all."""
    recorder = Recorder(house, run_id, purpose="query")
    described = recall(house)
    try:
        client = house.intacct(archive=recorder.archive, meter=recorder.meter, described=described)
    except Refused as fault:
        return [Tally("intacct", INTACCT_SUBJECTS[0], error=str(fault), exit_code=fault.exit_code)]
    marks = marks_of(house)
    look_back = timedelta(minutes=house.ledger.look_back_minutes)
    tallies = []
    try:
        for subject in subjects_of(house):
            tally = Tally("intacct", subject)
            tallies.append(tally)
            mark = None if full else marks.get(("intacct", subject))
            since = window.start if window is not None else mark
            try:
                pages = client.read_range(
                    object_of(subject, house.settings),
                    fields=fields_of(subject, house.settings),
                    changed_since=since,
                    look_back=look_back,
                    condition=condition_of(subject, house.ledger, house.settings.shipping),
                )
                landed = _Landed()
                land(
                    house, run_id, tally, _once(pages), moves=window is None, going_on=going_on,
                    look=partial(landed.look, subject=subject),
                )  # fmt: skip
                # The walk proved itself by Intacct's own count of the same filter.
                tally.stated = tally.read
                _bury(house, run_id, tally, client, mark, landed)
            except (ConnectorError, Refused) as fault:
                tally.error, tally.exit_code = str(fault), fault.exit_code
                if isinstance(fault, Refused):
                    house.halt("intacct", fault, run_id=run_id)
                    break
        if not any(tally.error for tally in tallies):
            tallies.append(_stock(house, run_id, client))
            client.learn_limits()
        for note in client.notes:
            house.say(note)
    finally:
        remember(house, run_id, described)
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


_PARENTS = {
    "ARINVOICEITEM": ("ARINVOICE", "RECORDKEY"),
    "ARADJUSTMENTITEM": ("ARADJUSTMENT", "RECORDKEY"),
    "ARPYMTDETAIL": ("ARPYMT", "PAYMENTKEY"),
    "SODOCUMENTENTRY": ("SODOCUMENT", "DOCHDRNO"),
}
"""What goes with its header: the audit trail names only headers."""
_LOGGED = {
    "CUSTOMER": "CUSTOMERID",
    "ARINVOICE": "RECORDID",
    "ARADJUSTMENT": "RECORDID",
    "ARPYMT": None,
    "SODOCUMENT": "DOCID",
}
"""Objects whose deletions the audit trail names, and the id it may name them by instead of the RECORDNO."""
_DELETED_LOOK_BACK = timedelta(days=1)
"""The zone of the audit trail's time is not documented; a day covers any."""


@dataclass
class _Landed:
    """Records ever landed: `known` are there as far as we know; `graves` are headers of theirs that we know to be gone."""

    known: set[str] = field(default_factory=set)
    graves: set[str] = field(default_factory=set)

    def look(self, session: Session, subject: str) -> None:
        """Ask the warehouse, in whatever transaction it is in."""
        self.known = _refs(session, subject, gone=False)
        if subject in _PARENTS:
            self.graves = _refs(session, _PARENTS[subject][0], gone=True)


def _refs(session: Session, subject: str, *, gone: bool) -> set[str]:
    rows = session.raw_refs(table_of("intacct", subject), mark=f'"{TOMBSTONE}"')
    return set(rows.filter(pl.col("is_marked") == gone)["native_ref"].to_list())


def _matching(house: House, subject: str, field: str, values: set[str]) -> set[str]:
    """Records whose newest version holds one of these values in a field."""
    found: set[str] = set()
    with house.warehouse.read() as session:
        # Chunk by chunk, as payloads are large and only keys are kept.
        for chunk in session.raw_iter(table_of("intacct", subject)):
            holds = pl.col("payload").str.json_path_match(f"$.{field}").is_in(list(values))
            found |= set(chunk.filter(holds)["native_ref"].to_list())
    return found


def _bury(
    house: House, run_id: str, tally: Tally, client: Any, since: datetime | None, landed: _Landed
) -> None:
    """Land a tombstone for each record we know that the ledger no longer has.

    The audit trail, where the user may read it, and deleted headers say which; counts then prove that they are all. Where counts
    disagree, they are narrowed down until the ids show it.
    """
    subject = tally.subject
    condition = condition_of(subject, house.ledger, house.settings.shipping)
    known = landed.known
    told: set[str] = set()
    if subject in _PARENTS:
        _, member = _PARENTS[subject]
        if landed.graves:
            told = known & _matching(house, subject, member, landed.graves)
    elif subject in _LOGGED and since is not None:
        told = known & _told(house, client, subject, since)
    name = object_of(subject, house.settings)
    there = client.count(name, condition=condition)
    if there == len(known - told):
        gone = told
    else:
        found = client.vanished(name, (int(ref) for ref in known), condition=condition)
        if found.unseen:
            raise Incomplete(
                f"Intacct holds {len(found.unseen)} {subject} that were not read (for example RECORDNO {found.unseen[0]}); run `tieout run extract --full`."
            )
        gone = {str(number) for number in found.gone}
    if gone:
        _land_tombstones(house, run_id, subject, sorted(gone, key=int))


def _told(house: House, client: Any, subject: str, since: datetime) -> set[str]:
    """RECORDNOs that the audit trail says were deleted; none where the user may not read it."""
    try:
        keys = {one.key for one in client.deletions(subject, since=since, look_back=_DELETED_LOOK_BACK)}
    except (Refused, Rejected, Incomplete) as closed:
        log.info("The audit trail of %s cannot be read, counts are compared instead: %s", subject, closed)
        return set()
    id_field = _LOGGED[subject]
    if not keys or id_field is None:
        return keys
    # Whether the trail names a record by number or by id differs by object; the count says afterwards if this was wrong.
    return keys | _matching(house, subject, id_field, keys)


def _land_tombstones(house: House, run_id: str, subject: str, gone: list[str]) -> None:
    now = house.clock()
    stones = [
        Record(ref, None, now, json.dumps({TOMBSTONE: "true", "RECORDNO": ref}).encode()) for ref in gone
    ]
    with LandingWriter(
        house.warehouse.landing_folder, "intacct", subject, f"{run_id}-gone", clock=house.clock
    ) as writer:
        writer.write(stones)
        landed = writer.finish()
    with house.warehouse.write(run_id=run_id) as session:
        session.ingest(landed, table=table_of("intacct", subject))


def _stock(house: House, run_id: str, client: Any) -> Tally:
    """The ledger's stock per item, warehouse and total, summed already or summed from its movements, as configured."""
    tally = Tally("intacct", "stock_totals")
    try:
        summed = house.settings.stock.ledger_figures == "movements"
        rows = client.stock_from_movements() if summed else client.stock_totals()
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
