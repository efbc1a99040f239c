"""The sentinel: reads the records of locked periods again, names what moved with before and after, suspends the sign-off, and drafts the correction."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.closing import events, periods, signing
from flows.reconcile import read_inputs
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, InputError
from tieout.money import show
from transforms.closing import items, records
from transforms.closing.lifecycle import Standing, standing
from transforms.reconcile import Inputs, Period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.wiring import House
    from tieout.warehouse.session import Session

TABLE = "ops.moved_records"
TOLD = 20
"""Moved records printed per period; all of them are in `ops.moved_records`."""
_WATCHED = ("locked", "suspended")


def sentinel(house: House, *, run_id: str, entity: str | None = None) -> dict[str, Any]:
    """Look at every locked or suspended period of one entity or all, against today's data in the warehouse.

    What moved since the reviewer signed (or last accepted) is stored with before and after; a locked period becomes suspended; a draft of what the
    present period owes is stored and not sent. Running it again over the same data adds nothing. Exit code 1 if anything moved.
    """
    codes = [house.settings.entity(entity).code] if entity else [one.code for one in house.settings.entities]
    with house.warehouse.read() as session:
        watched = _watched(session, codes)
        if not watched:
            return {
                "periods": 0,
                "moved": 0,
                "text": ["No period is locked, so there is nothing to watch."],
                "exit_code": EXIT_OK,
            }
        inputs = read_inputs(house, session)
    text: list[str] = []
    moved_count = 0
    for one, period, now in watched:
        with events.alone(house, one, run_id):
            found, is_new = _looked(house, run_id, inputs, one, period, now)
        moved_count += found.height
        text += list(_told(one, period, now, found, is_new=is_new))
    return {
        "periods": len(watched),
        "moved": moved_count,
        "text": text,
        "exit_code": EXIT_DIFFERENCES if moved_count else EXIT_OK,
    }


def _watched(session: Session, codes: list[str]) -> list[tuple[str, str, Standing]]:
    happened = session.fetch(events.TABLE, where={"entity_code": codes}).sort(
        "entity_code", "period", "event_no"
    )
    found = []
    for (code, period), rows in happened.group_by(["entity_code", "period"], maintain_order=True):
        now = standing(rows.to_dicts())
        if now.state in _WATCHED:
            found.append((str(code), str(period), now))
    return found


def _looked(
    house: House, run_id: str, inputs: Inputs, entity: str, period: str, now: Standing
) -> tuple[pl.DataFrame, bool]:
    """What moved in one period, stored if it was not known yet; and whether it was not."""
    span = periods.span_of(house, entity, period)
    with house.warehouse.read() as session:
        place = {"entity_code": entity, "period": period, "revision": now.revision}
        signed = (
            session.fetch("ops.closed_records", where=place).select(list(records.SCHEMA)).sort(records.KEY)
        )
        known = session.fetch(TABLE, where=place)
        happened = events.events_of(session, entity, period)
    baseline, newest = _accepted(signed, known, happened)
    window = Period(period, span.start_on, span.end_on)
    today = records.records(inputs, window, entity)
    everywhere = records.records(inputs, Period(period, items.BEGINNING, date.max), None)
    found = records.moved(baseline, today, everywhere)
    back = records.moved_back(newest, found, baseline)
    whole = pl.concat([found, back.select(found.columns)]).sort(records.KEY)
    if whole.equals(newest.select(whole.columns).sort(records.KEY)):
        return found, False
    _stored(house, run_id, entity, period, now, found, back, window)
    return found, True


def _accepted(
    signed: pl.DataFrame, known: pl.DataFrame, happened: list[dict[str, Any]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records as last accepted, and what the newest look since then has stored.

    Each acceptance covers what the newest look before it had found; a look stores everything that differs from the baseline of its time.
    """
    baseline, rest = signed, known
    for at in [one["at"] for one in happened if one["kind_code"] in ("locked", "reinstated")]:
        looks = rest.filter(pl.col("found_at") <= at)
        baseline = records.overlaid(
            baseline, looks.filter(pl.col("run_id") == looks["run_id"].max()) if looks.height else looks
        )
        rest = rest.filter(pl.col("found_at") > at)
    return baseline, rest.filter(pl.col("run_id") == rest["run_id"].max()) if rest.height else rest


def _stored(
    house: House,
    run_id: str,
    entity: str,
    period: str,
    now: Standing,
    found: pl.DataFrame,
    back: pl.DataFrame,
    window: Period,
) -> None:
    at = house.clock()
    place = {
        "entity_code": pl.lit(entity),
        "period": pl.lit(period),
        "revision": pl.lit(now.revision, pl.Int64),
        "run_id": pl.lit(run_id),
    }
    current = periods.calendar_of(house, entity).holding(periods.local_day(house, entity, at))
    drafts = records.corrections(found, entity=entity, period=window, draft_on=current.start_on)
    told = found.with_columns(
        sentence=pl.Series([sentence(one) for one in found.iter_rows(named=True)], dtype=pl.String)
    )
    again = back.with_columns(sentence=pl.lit("It is again as it was accepted."))
    rows = {
        TABLE: pl.concat([told, again.select(told.columns)]).with_columns(found_at=pl.lit(at)),
        "ops.correction_drafts": drafts.with_columns(drafted_at=pl.lit(at)),
    }
    with house.warehouse.write(run_id=run_id) as session:
        for name, frame in rows.items():
            table = ALL[name]
            whole = table.shaped(frame.with_columns(**place))
            session.publish(name, table.checked(whole, at="when watching"), key=table.key, mode="append")
        if now.state == "locked" and found.height:
            reason = f"{found.height} record{'s' if found.height > 1 else ''} moved after the lock"
            events.append(
                house,
                session,
                entity=entity,
                period=period,
                kind="suspended",
                author="tieout",
                run_id=run_id,
                reason=reason,
            )
    signing.print_again(house, entity, period, must=False)


def sentence(one: dict[str, Any]) -> str:
    """What moved, in words with before and after."""
    name = f"{one['kind_code']} {one['after_number'] or one['before_number'] or one['record_ref']}"
    if one["change_code"] == "added":
        return f"{name} was added: {_money(one, 'after')} dated {one['after_dated_on']}."
    if one["change_code"] == "removed":
        return f"{name} is gone: it was {_money(one, 'before')} dated {one['before_dated_on']}."
    parts = []
    if (one["before_amount_minor"], one["before_currency"]) != (
        one["after_amount_minor"],
        one["after_currency"],
    ):
        parts.append(f"amount {_money(one, 'before')} → {_money(one, 'after')}")
    for column, word in (
        ("dated_on", "date"),
        ("entity_code", "entity"),
        ("state_code", "state"),
        ("customer_ref", "customer"),
    ):
        if one[f"before_{column}"] != one[f"after_{column}"]:
            parts.append(f"{word} {one[f'before_{column}'] or 'none'} → {one[f'after_{column}'] or 'none'}")
    return f"{name} changed: {'; '.join(parts)}."


def _money(one: dict[str, Any], when: str) -> str:
    return f"{show(one[f'{when}_amount_minor'], one[f'{when}_currency'])} {one[f'{when}_currency']}"


def _told(entity: str, period: str, now: Standing, found: pl.DataFrame, *, is_new: bool) -> Iterator[str]:
    if found.is_empty():
        back = (
            "; what had moved is moved back, and a reviewer may sign again"
            if now.state == "suspended"
            else ""
        )
        yield f"{entity} {period} r{now.revision}: nothing moved since {now.reviewer} signed{back}"
        return
    known = "" if is_new else " (known, not yet accepted)"
    yield f"{entity} {period} r{now.revision}: {found.height:,} records moved after the lock{known}; the sign-off of {now.reviewer} is suspended"
    for one in found.head(TOLD).iter_rows(named=True):
        yield f"  {one['side']}: {sentence(one)}"
    if found.height > TOLD:
        yield f"  and {found.height - TOLD:,} more, in ops.moved_records"
    yield "  Drafts for the present period are in ops.correction_drafts; nothing was sent. A reviewer accepts with `tieout sign --role reviewer --note …`, or the period is reopened."


def moved_of(house: House, *, entity: str, period: str) -> pl.DataFrame:
    """Everything a sentinel ever found moved in a period. Raises `InputError` if nothing was."""
    with house.warehouse.read() as session:
        found = session.fetch(TABLE, where={"entity_code": entity, "period": period})
    if found.is_empty():
        raise InputError(f"Nothing moved in {period} of {entity} since it was locked.")
    return found.sort("found_at", *records.KEY)
