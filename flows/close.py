"""Close: one entity's period, reconciled, footed, sealed and registered. A period that does not foot is not closed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.closing import entity_pack, events, packing, periods
from flows.comparing import refund_entries
from flows.comparing.ledger_tie_out import control_entries, standing_with_ledger
from flows.comparing.settling import payouts_read
from flows.reconcile import CHANGES_NOTHING, pairs_now, policy, printed_policy, proved_table, remember
from flows.report import sources_of
from flows.running import run_stage
from tieout import __version__
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, InputError, WarehouseError
from tieout.reports.closing import CloseReport, canonical, content_of, text_hash
from tieout.reports.pack import POLICY, Pack, write_pack
from transforms.closing import statement
from transforms.closing.calendars import Span
from transforms.closing.differing import outcome_rows
from transforms.closing.items import ROLLED, restated
from transforms.closing.lifecycle import after, check_clock, standing
from transforms.closing.translation import implied_rates
from transforms.reconcile import proofs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flows.nightly import Runner
    from flows.wiring import House
    from tieout.warehouse.session import Session


def close(house: House, *, run_id: str, period: str, entity: str) -> dict[str, Any]:
    """Close one entity's period and write its pack to `reports/close/<entity>/<period>/r<n>` and its zip.

    Closing again with the same content writes nothing new. With other content it makes the next revision, and signatures on the old one are
    void. Raises `DoesNotFoot`; `InputError` if the period is locked, not over, unknown, or there are no data; `Busy` if it is being closed.
    """
    span = periods.span_of(house, entity, period)
    _over(house, entity, span)
    with events.alone(house, entity, run_id):
        return _close(house, run_id, span, entity)


def _close(house: House, run_id: str, span: Span, entity: str) -> dict[str, Any]:
    with house.warehouse.read() as session:
        happened = events.events_of(session, entity, span.name)
        now = standing(happened)
        closes = session.fetch("ops.closes", where={"entity_code": entity, "period": span.name}).sort(
            "revision"
        )
        as_of, runs = _data_as_of(session)
        chain, last_register = last_close(house, session, entity, span)
        notes = session.fetch("ops.item_notes").sort("item_id", "note_no")
        decisions = session.fetch("ops.decisions").sort("decided_at", "decision_id")
        sources = sources_of(session)
    check_clock(now, house.clock())
    if now.state in ("locked", "suspended"):
        after(now, {"kind_code": "closed"})  # raises with the sentence
    kept = _books(house, span.name)
    base, worth = house.settings.entity(entity).base_currency, _worth(kept, entity)
    rates = rates_of(worth, kept, entity, base)

    def stated(books: statement.Books) -> dict[str, pl.DataFrame]:
        tables = statement.statement(
            books, entity=entity, base_currency=base, last_register=last_register, rates=rates
        )
        proved_table(tables["proofs"])
        return tables

    found = entity_pack.packed(house, kept, entity, stated)
    tables, inputs = found.tables, {**found.inputs, packing.BASES: worth}
    if last_register is not None:
        inputs[packing.LAST_REGISTER] = last_register
    texts = packing.configuration_texts(house, found.policy, entity_pack.mappings_of(house, kept, found))
    with house.warehouse.read() as session:
        held = entity_pack.held_of(house, session, found, entity)
        waits = entity_pack.waiting_of(session, found, entity)
    one = house.settings.entity(entity)
    facts: dict[str, Any] = {
        "entity": entity,
        "name": one.name,
        "base_currency": one.base_currency,
        "time_zone": one.time_zone,
        "calendar": periods.calendar_of(house, entity).said(),
        "period": span.name,
        "first_on": span.start_on.isoformat(),
        "last_on": span.last_on.isoformat(),
        "as_of": as_of.isoformat(timespec="seconds"),
        "title": f"{one.name or entity} – reconciliation of shop and ledger",
        "version": __version__,
        "parameters": [list(row) for row in printed_policy(house, span.name)],
        "sources": [list(row) for row in sources],
        "chain": chain,
        "runs": runs,
        "ledger": standing_with_ledger(house, is_tied=kept.entries is not None),
    }
    if found.extent is not None:
        facts["extent"] = found.extent
    content = content_of(facts, tables, inputs, texts[POLICY])
    digest = text_hash(canonical(content))
    if now.state in ("closed", "prepared") and now.content_sha256 == digest:
        last = closes.filter(pl.col("revision") == now.revision).row(0, named=True)
        folder = house.reports / last["path"]
        if folder.exists() and not Pack(folder).faults():
            packing.resealed(folder, happened, now.revision)
            return _told(
                entity,
                span,
                now.revision,
                folder,
                tables,
                is_new=False,
                digest=digest,
                voided=False,
                chain=chain,
            )
        revision, path = int(last["revision"]), str(last["path"])
    else:
        revision = closes.height + 1
        path = f"close/{entity}/{span.name}/r{revision}"
    is_new = path not in closes["path"].to_list()
    at = house.clock()
    closed = {
        "event": "closed",
        "author": "tieout",
        "at": at.isoformat(timespec="seconds"),
        "reason": "",
        "content_sha256": digest,
    }
    facts |= {
        "revision": revision,
        "standing": "closed" if is_new else now.state,
        "sign_offs": [closed] if is_new else packing.sign_offs(happened, revision),
    }
    report = CloseReport(
        facts,
        {
            **tables,
            "held": held,
            "waiting": waits,
            "notes": notes.join(tables["register"], on="item_id", how="semi", maintain_order="left"),
            "decisions": entity_pack.decided(decisions, found, entity),
            "tolerated": kept.period.tolerated.filter(pl.col("entity_code") == entity),
        },
    )
    folder = house.reports / path
    write_pack(folder, report, inputs=inputs, texts=texts, content=content, say=house.say)
    if is_new:
        voids = now.state == "prepared"
        _recorded(house, run_id, entity, span, revision, path, digest, tables, voids=voids, at=at)
        with house.warehouse.read() as session:
            happened = events.events_of(session, entity, span.name)
        _reseal_older(house, closes, happened)
    return _told(
        entity,
        span,
        revision,
        folder,
        tables,
        is_new=is_new,
        digest=digest,
        voided=now.state == "prepared" and is_new,
        chain=chain,
    )


def _over(house: House, entity: str, span: Span) -> None:
    today = periods.local_day(house, entity, house.clock())
    if today < span.end_on:
        raise InputError(
            f"Period {span.name} of {entity} ends on {span.last_on} and it is {today} there; close it when it is over, or check the clock and the period."
        )


def _books(house: House, period: str) -> statement.Books:
    """Both sides compared for a period, once for the same data, however many entities are closed."""
    mark, pairs = pairs_now(house)
    kept: statement.Books | None = house.comparisons.get(("close", mark, period))
    if kept is not None:
        return kept
    with house.warehouse.read() as session:
        entries = control_entries(house, session)
        payouts, refunds = payouts_read(house, session), refund_entries.read(house, session)
    found = statement.books_of(pairs, policy(house, period), entries, payouts, refunds)
    remember(house, ("close", mark, period), found)
    every = proofs(found.period)
    if (every["difference_minor"] == 0).all():  # what does not foot is refused by whoever prints it
        remember(house, ("result", mark, period), (found.period, every))
    return found


def _data_as_of(session: Session) -> tuple[datetime, dict[str, str]]:
    """When the data were last changed, and the run of each stage that did; a close of the same data is the same on any day."""
    done = session.fetch("ops.runs", where={"state_code": "done"}, columns=["run_id", "stage", "ended_at"])
    changed = done.filter(~pl.col("stage").is_in(CHANGES_NOTHING)).sort("run_id")
    if changed.is_empty():
        raise InputError(
            "There are no data to close: nothing was ever read. Run `tieout run extract` and `tieout run stage` first."
        )
    runs = dict(
        changed.group_by("stage", maintain_order=True)
        .last()
        .select("stage", "run_id")
        .sort("stage")
        .iter_rows()
    )
    newest: datetime = changed["ended_at"].max()  # type: ignore[assignment]
    return newest, runs


def _worth(kept: statement.Books, entity: str) -> pl.DataFrame:
    """The input that an entity's rates come from: its documents with what they are worth in base currency."""
    worth = statement.document_bases(kept.period, kept.inputs).filter(pl.col("entity_code") == entity)
    worth = worth.select("entity_code", "currency", "posted_on", "total_minor", "base_total_minor")
    return worth.sort(worth.columns, nulls_last=True)


def rates_of(worth: pl.DataFrame, kept: statement.Books, entity: str, base: str) -> pl.DataFrame:
    """The rates a close's documents imply."""
    period = kept.policy.period
    if period is None:
        raise InputError("A close needs a period; the policies name none.")
    return implied_rates(worth, period, pl.DataFrame({"entity_code": [entity], "base_currency": [base]}))


def last_close(
    house: House, session: Session, entity: str, span: Span
) -> tuple[dict[str, Any], pl.DataFrame | None]:
    """The close of the period before, as a link of the chain, with its register; empty and None if there was none."""
    none = {"period": "", "revision": 0, "content_sha256": "", "state": ""}
    before = periods.calendar_of(house, entity).before(span)
    if before is None:
        return none, None
    closes = session.fetch("ops.closes", where={"entity_code": entity, "period": before.name}).sort(
        "revision"
    )
    if closes.is_empty():
        return none, None
    newest = closes.row(-1, named=True)
    register = session.fetch(
        "ops.open_items", where={"entity_code": entity, "period": before.name, "revision": newest["revision"]}
    )
    link = {"period": before.name, "revision": newest["revision"], "content_sha256": newest["content_sha256"]}
    return link, register.select(list(ROLLED)).sort("kind_code", "entity_code", "currency", "item_id")


def _recorded(
    house: House,
    run_id: str,
    entity: str,
    span: Span,
    revision: int,
    path: str,
    digest: str,
    tables: Mapping[str, pl.DataFrame],
    *,
    voids: bool,
    at: datetime,
) -> None:
    place = {
        "entity_code": pl.lit(entity),
        "period": pl.lit(span.name),
        "revision": pl.lit(revision, pl.Int64),
    }
    ties = (
        not pl.concat([tables["orders"]["family_code"], tables["payments"]["family_code"]])
        .is_in(["error", "ambiguous"])
        .any()
    )
    closes = pl.DataFrame(
        {
            "run_id": [run_id],
            "content_sha256": [digest],
            "closed_at": [at],
            "ties": [ties],
            "path": [path],
        }
    )
    rows = {
        "ops.closes": closes,
        "ops.open_items": tables["register"],
        "ops.closed_records": tables["records"],
        "ops.closed_outcomes": outcome_rows(tables["orders"], tables["payments"]),
    }
    shared: dict[str, Any] = {
        "entity": entity,
        "period": span.name,
        "author": "tieout",
        "run_id": run_id,
        "at": at,
    }
    with house.warehouse.write(run_id=run_id) as session:
        if voids:
            events.append(house, session, kind="voided", reason="closed again with other content", **shared)
        events.append(house, session, kind="closed", revision=revision, content_sha256=digest, **shared)
        for name, frame in rows.items():
            table = ALL[name]
            whole = table.shaped(frame.with_columns(**place).cast({"entity_code": pl.String}))
            session.publish(name, table.checked(whole, at="when closing"), key=table.key, mode="append")


def _reseal_older(house: House, closes: pl.DataFrame, happened: list[dict[str, Any]]) -> None:
    """Packs of earlier revisions say that they were replaced, where they still lie."""
    for one in closes.iter_rows(named=True):
        folder = house.reports / one["path"]
        if folder.exists() and (folder / "close.json").exists():
            try:
                packing.resealed(folder, happened, one["revision"])
            except WarehouseError as fault:
                house.say(str(fault))


def _told(
    entity: str,
    span: Span,
    revision: int,
    folder: Path,
    tables: Mapping[str, pl.DataFrame],
    *,
    is_new: bool,
    digest: str,
    voided: bool,
    chain: Mapping[str, Any],
) -> dict[str, Any]:
    families = pl.concat([tables["orders"]["family_code"], tables["payments"]["family_code"]])
    back = restated(tables["register"])
    return {
        "entity": entity,
        "period": span.name,
        "revision": revision,
        "path": str(folder),
        "ties": not families.is_in(["error", "ambiguous"]).any(),
        "is_new": is_new,
        "content_sha256": digest,
        "voided": voided,
        "open_items": tables["register"].filter(pl.col("state_code") != "cleared").height,
        "restated": [
            f"{one['kind_code']} {one['order_number'] or one['documents'] or one['subject_ref']}"
            for one in back.head(10).to_dicts()
        ],
        "is_empty": tables["records"].is_empty(),
        "opening": f"{chain['period']} r{chain['revision']}" if chain["period"] else "",
    }


def close_period(
    house: House,
    *,
    period: str | None = None,
    entity: str | None = None,
    run: Runner = run_stage,
    parent_run_id: str | None = None,
) -> dict[str, Any]:
    """Close a period for one entity or all; without a name, for each the newest period that is over. Exit code 1 if any has errors or ambiguous items."""
    codes = [house.settings.entity(entity).code] if entity else [one.code for one in house.settings.entities]
    if not codes:
        raise InputError("tieout.toml has no [[entities]]; add one to close its periods.")
    names = {code: period or periods.last_ended(house, code).name for code in codes}
    if entity is None and period is not None:
        codes = [code for code in codes if _knows(house, code, period)] or codes[:1]
    closes = [
        run(house, "close", close, parent_run_id=parent_run_id, period=names[code], entity=code)
        for code in codes
    ]
    text = [line for one in closes for line in said(one)]
    ties = all(one["ties"] for one in closes)
    return {"closes": closes, "text": text, "exit_code": EXIT_OK if ties else EXIT_DIFFERENCES}


def _knows(house: House, entity: str, period: str) -> bool:
    try:
        periods.span_of(house, entity, period)
    except InputError:
        return False
    return True


def said(one: Mapping[str, Any]) -> list[str]:
    """A close in a few lines for a person."""
    verdict = "ties" if one["ties"] else "has differences"
    again = "" if one["is_new"] else " (unchanged since it was last closed)"
    lines = [f"{one['entity']} {one['period']} r{one['revision']}: foots, {verdict}{again} – {one['path']}"]
    lines.append(f"  {one['open_items']:,} open items carried forward; content {one['content_sha256'][:16]}…")
    if one["voided"]:
        lines.append("  The content is not what was signed: the signatures are void, and both sign again.")
    if not one["opening"]:
        lines.append("  The period before was never closed, so the opening is computed from today's data.")
    if one["restated"]:
        lines.append(
            f"  Dated back into {one['opening'] or 'earlier periods'}: {', '.join(one['restated'])}."
        )
    if one["is_empty"]:
        lines.append(
            "  No sale, refund, charge, invoice, memo or receipt of this entity falls in the period."
        )
    return lines
