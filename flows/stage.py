"""Stage: newest raw versions that landed since the last time into `core`, guarded by contracts. A rerun changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from checks.contracts import ALL
from flows.apart.portable import Portable, even_rows, taken_apart
from flows.apart.processes import Processes
from flows.plain.file_rows import forget
from flows.restaging import stage_again
from flows.sources.intacct import TOMBSTONE
from flows.sources.price_lists import field_names
from flows.storefronts import Transform
from flows.wiring import House
from tieout.warehouse import runs
from tieout.warehouse.session import Session
from transforms.staged import Staged

CHUNK_ROWS = 20_000
"""Records taken apart and published at a time, at most, wherever they are taken apart."""
ROWS_AT_ONCE = 50_000
"""The same of rows of files, of which several make an order: the others of an order are looked up."""
ALL_ROWS = 2**62

_CHILDREN = {
    # The parts of a record are replaced with it: a line that is gone from the newest version must be gone from core.
    "core.order_lines": ["storefront", "order_ref"],
    "core.order_payments": ["storefront", "order_ref"],
    "core.order_tenders": ["storefront", "order_ref"],
    "core.shipments": ["storefront", "order_ref"],
    "core.returns": ["storefront", "order_ref"],
    "core.reductions": ["storefront", "order_ref"],
}
_WHOLES = {
    # Rows that belong together are replaced together.
    "core.payments": ["storefront", "payment_ref"],
    "core.payout_lines": ["storefront", "payout_ref"],
}
_LEDGER_TABLES = {
    "ARINVOICE": ("core.ar_invoices", "invoice_ref"),
    "ARADJUSTMENT": ("core.ar_adjustments", "adjustment_ref"),
    "ARPYMT": ("core.ar_receipts", "receipt_ref"),
    "ARPYMTDETAIL": ("core.ar_applications", "application_ref"),
    "ARINVOICEITEM": ("core.ar_lines", "line_ref"),
    "ARADJUSTMENTITEM": ("core.ar_lines", "line_ref"),
    "GLDETAIL": ("core.gl_entries", "entry_ref"),
    "PRICE_LIST_ENTRIES": ("core.price_list_entries", "entry_ref"),
    "SODOCUMENT": ("core.ledger_shipments", "document_ref"),
    "SODOCUMENTENTRY": ("core.ledger_shipment_lines", "line_ref"),
}
_SUMMED = (("intacct", "stock_totals"),)
"""Subjects of which several records make one row and are not looked up: a row cut in two would lose one half to the other."""
_FLAGGED = ("core.ar_invoices", "core.ar_adjustments", "core.ar_receipts", "core.ledger_shipments")


@dataclass
class Count:
    """What staging one subject came to."""

    source: str
    subject: str
    read: int = 0
    good: int = 0
    problems: int = 0
    deleted: int = 0


def stage(house: House, *, run_id: str, full: bool = False, as_of: datetime | None = None) -> dict[str, Any]:
    """Bring `core` up to date with `raw`. `full` rebuilds from all of raw; `as_of` uses only what had been received by then."""
    if full:
        house.warehouse.rebuild({table.name: table.empty() for table in house.tables()})
    counts: list[Count] = []
    work = _work(house, run_id)
    # Nothing here waits for a network, and opening the file anew for each subject costs more than most nights' subjects.
    with house.warehouse.sitting(run_id=run_id), Processes(house.settings.staging) as processes:
        for source, subject, transform in work:
            house.say(f"staging {source} {subject}")
            counts.append(_subject(house, run_id, source, subject, transform, processes, as_of=as_of))
        again = 0 if as_of is not None else _again(house, run_id, work)
        _controls(house, run_id, counts)
    return {
        "subjects": [count.__dict__ for count in counts if count.read],
        "read": sum(count.read for count in counts),
        "problems": sum(count.problems for count in counts),
        "again": again,
    }


def _again(house: House, run_id: str, work: list[tuple[str, str, Transform]]) -> int:
    """Records of storefronts that were held for an unknown status, staged once more with the words of today; how many there were."""
    count = 0
    with house.warehouse.write(run_id=run_id) as session:
        for name in house.settings.storefronts:
            calls = {subject: call for source, subject, call in work if source == name}

            def keep(subject: str, staged: Staged, newest: pl.DataFrame, name: str = name) -> None:
                _publish(session, staged, name, subject)
                _problems(session, staged, name, subject, newest, run_id)

            count += stage_again(session, name, calls, keep)
    return count


def _work(house: House, run_id: str) -> list[tuple[str, str, Transform]]:
    work: list[tuple[str, str, Transform]] = []
    for name, front in house.settings.storefronts.items():
        calls = house.kind(name).transforms(house, run_id, name, front)
        work += [(name, subject, call) for subject, call in calls.items()]
    if house.settings.intacct is not None:
        work += [("intacct", subject, call) for subject, call in _ledger(house, run_id).items()]
    return work


def _ledger(house: House, run_id: str) -> Mapping[str, Transform]:
    """The ledger's objects, headers before what hangs on them."""
    from transforms.intacct import documents as intacct
    from transforms.intacct import general_ledger as intacct_general_ledger
    from transforms.intacct import price_lists as intacct_price_lists
    from transforms.intacct import prices as intacct_prices
    from transforms.intacct import shipments as intacct_shipments

    minutes = house.ledger.gmt_offset_minutes
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    accounts = house.mappings["component_accounts"]
    totals = {"allocated": house.settings.stock.allocated_total}

    told: dict[str, Any] = {"run_id": run_id}
    dated = {**told, "gmt_offset": offset}

    def lines(kind: str, headers: str, key: str) -> Transform:
        def documents(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            known = session.fetch(headers, columns=[key, "currency"]).rename({key: "document_ref"})
            return {"documents": known}

        of = {**told, "document_kind": kind, "component_accounts": accounts}
        return Portable(intacct.ar_lines, of, documents)

    def receipts(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
        wanted = ["receipt_ref", "currency", "received_on"]
        return {"receipts": session.fetch("core.ar_receipts", columns=wanted)}

    bases = {entity.code: entity.base_currency for entity in house.settings.entities}
    lists = house.settings.price_lists
    shipping = house.settings.shipping.model_dump(exclude={"definitions"})

    return {
        "ARINVOICE": Portable(intacct.ar_invoices, dated),
        "ARINVOICEITEM": lines("invoice", "core.ar_invoices", "invoice_ref"),
        "ARADJUSTMENT": Portable(intacct.ar_adjustments, dated),
        "ARADJUSTMENTITEM": lines("adjustment", "core.ar_adjustments", "adjustment_ref"),
        "ARPYMT": Portable(intacct.ar_receipts, dated),
        "ARPYMTDETAIL": Portable(intacct.ar_applications, told, receipts),
        "GLDETAIL": Portable(
            intacct_general_ledger.gl_entries,
            {**dated, "base_currencies": bases, "entity_of_location": house.entity_of_location},
        ),
        "ITEM": Portable(intacct_prices.base_prices, dated),
        "PRICE_LIST_ENTRIES": Portable(
            intacct_price_lists.entries,
            {**dated, "subject": lists.object_name, "fields": field_names(lists), "kinds": lists.kinds},
        ),
        "SODOCUMENT": Portable(intacct_shipments.shipments, {**dated, **shipping}),
        "SODOCUMENTENTRY": Portable(intacct_shipments.shipment_lines, told),
        # Several records make one row.
        "stock_totals": lambda raw, _: intacct.stock(raw, run_id=run_id, totals=totals),
    }


def _subject(
    house: House,
    run_id: str,
    source: str,
    subject: str,
    transform: Transform,
    processes: Processes,
    *,
    as_of: datetime | None,
) -> Count:
    count = Count(source, subject)
    raw = f"raw.{source}__{subject.lower()}"
    # One transaction a subject, chunk by chunk so that memory is bounded: nothing here waits for a network.
    with house.warehouse.write(run_id=run_id) as session:
        since = runs.cursor(session, source, subject)
        last = session.last_landing(raw)
        if since is not None and last <= since:
            return count
        # Started first, they are ready when the first chunk is.
        portable = isinstance(transform, Portable)
        count_of = session.raw_count(raw, since) if portable else 0
        beside = processes.for_records(count_of) if portable else None
        gone = pl.col("payload").str.contains(f'"{TOMBSTONE}"', literal=True)
        spare = ALL_ROWS if (source, subject) in _SUMMED else ROWS_AT_ONCE
        size = even_rows(count_of, CHUNK_ROWS) if portable else spare
        chunks = session.raw_iter(raw, since, chunk_rows=size, as_of=as_of)
        whole = ((chunk, chunk.filter(~gone)) for chunk in chunks)
        for chunk, staged in taken_apart(whole, transform, session, beside):
            count.read += chunk.height
            count.problems += staged.problems.height
            _publish(session, staged, source, subject)
            if source == "intacct":
                count.deleted += _flag(session, subject, chunk.filter(gone))
            elif subject == "orders":
                count.deleted += forget(session, source, chunk.filter(gone))
            _problems(session, staged, source, subject, chunk, run_id)
            house.progress(f"staging {source} {subject}", count.read, None)
        count.good = count.read - count.problems
        runs.move_cursor(session, source, subject, landing_no=last, now=house.clock(), run_id=run_id)
    return count


def _publish(session: Any, staged: Staged, source: str, subject: str) -> None:
    parents = staged.frames.get("core.orders")
    for name, frame in staged.frames.items():
        table = ALL[name]
        sound = table.checked(table.shaped(frame), at=f"when staging {subject} of {source}")
        if name in _CHILDREN and parents is not None:
            session.publish(
                name,
                sound,
                key=table.key,
                mode="replace_where",
                scope=parents.select(_CHILDREN[name]).unique(),
            )
        elif name in _WHOLES and sound.is_empty():
            continue  # of these records none says anything
        elif name in _WHOLES:
            session.publish(
                name,
                sound,
                key=table.key,
                mode="replace_where",
                scope=sound.select(_WHOLES[name]).unique(),
            )
        else:
            session.publish(name, sound, key=table.key, mode="merge")


def _problems(
    session: Session, staged: Staged, source: str, subject: str, chunk: pl.DataFrame, run_id: str
) -> None:
    """Remember which records could not be read whole; those that can be read again are forgotten."""
    table = ALL["ops.problems"]
    scope = chunk.select(
        pl.lit(source).alias("source"), pl.lit(subject).alias("subject"), "native_ref"
    ).unique()
    found = staged.problems.select(
        pl.lit(source).alias("source"),
        pl.lit(subject).alias("subject"),
        "native_ref",
        "problem",
        pl.lit(run_id).alias("run_id"),
    ).filter(pl.col("native_ref").is_in(chunk["native_ref"].to_list()))
    session.publish(
        table.name,
        table.checked(found, at=f"when staging {subject}"),
        key=(),
        mode="replace_where",
        scope=scope,
    )


def _flag(session: Any, subject: str, gone: pl.DataFrame) -> int:
    """Mark headers the ledger no longer has as deleted; remove lines and applications it no longer has."""
    if gone.is_empty() or subject not in _LEDGER_TABLES:
        return 0
    table, key = _LEDGER_TABLES[subject]
    refs = gone.select(pl.col("native_ref").alias(key))
    if table in _FLAGGED:
        there = session.fetch(table, where=refs)
        session.publish(
            table, there.with_columns(pl.lit(True).alias("is_deleted")), key=ALL[table].key, mode="merge"
        )
        return there.height
    if table == "core.ar_lines":
        kind = "invoice" if subject == "ARINVOICEITEM" else "adjustment"
        refs = refs.with_columns(pl.lit(kind).alias("document_kind"))
    return int(session.delete(table, scope=refs))


def _controls(house: House, run_id: str, counts: list[Count]) -> None:
    rows = [
        {
            "source": one.source,
            "subject": one.subject,
            "read_count": one.read,
            "new_count": one.read,
            "good_count": one.good,
            "held_count": one.problems,
        }
        for one in counts
    ]
    with house.warehouse.write(run_id=run_id) as session:
        runs.record_controls(session, rows, run_id=run_id, stage="stage", now=house.clock())
