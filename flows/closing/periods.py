"""Periods by the entities' own calendars, read from the configuration."""

from __future__ import annotations

import csv
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tieout.errors import InputError
from transforms.closing.calendars import Calendar, Span, table_of
from transforms.reconcile import Period

if TYPE_CHECKING:
    from flows.wiring import House

_COLUMNS = ["period", "first_on", "last_on"]


def calendar_of(house: House, entity: str) -> Calendar:
    """The calendar of an entity. Raises `InputError` for a table that cannot be read."""
    name = house.settings.entity(entity).calendar
    if name not in house.settings.calendars:
        return Calendar()
    chosen = house.settings.calendars[name]
    if chosen.kind == "table" and chosen.table is not None:
        return _table(house, name)
    return Calendar(
        kind=chosen.kind,
        year_starts_on=chosen.year_starts_on,
        fiscal_year=chosen.fiscal_year,
        long_years=frozenset(chosen.long_years),
    )


def _table(house: House, name: str) -> Calendar:
    chosen = house.settings.calendars[name]
    path = house.settings.path(chosen.table) if chosen.table is not None else None
    if path is None:
        raise InputError(f"The calendar {name} names no table; add it to tieout.toml.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(
            f"The table {path.name} of the calendar {name} cannot be read: {fault}; correct the path or the file."
        ) from None
    found = []
    for number, row in enumerate(rows, start=2):
        if sorted(key for key in row if key is not None) != sorted(_COLUMNS) or None in row:
            raise InputError(
                f"{path.name} must have exactly the columns {', '.join(_COLUMNS)}; correct line {number}."
            )
        try:
            found.append(
                (
                    str(row["period"]).strip(),
                    date.fromisoformat(row["first_on"].strip()),
                    date.fromisoformat(row["last_on"].strip()),
                )
            )
        except (ValueError, AttributeError):
            raise InputError(
                f"Line {number} of {path.name} has no dates like 2026-02-01 in first_on and last_on; correct it."
            ) from None
    return table_of(found)


def span_of(house: House, entity: str, name: str) -> Span:
    """One entity's period by name. Raises `InputError` for an unknown entity or period."""
    return calendar_of(house, entity).period(name)


def period_named(house: House, name: str) -> Period:
    """A period with the dates of each entity's own calendar. Raises `InputError` if no entity's calendar knows the name."""
    spans: dict[str, Span] = {}
    refusals: list[InputError] = []
    for one in house.settings.entities:
        try:
            spans[one.code] = span_of(house, one.code, name)
        except InputError as refused:
            refusals.append(refused)
    if not spans:
        if refusals:
            raise refusals[0]
        spans[""] = Calendar().period(name)
    first = next(iter(spans.values()))
    return Period(
        name,
        first.start_on,
        first.end_on,
        {code: (span.start_on, span.end_on) for code, span in spans.items() if code},
    )


def local_day(house: House, entity: str, instant: datetime) -> date:
    """An instant as a date in the entity's zone."""
    return instant.astimezone(ZoneInfo(house.settings.entity(entity).time_zone)).date()


def last_ended(house: House, entity: str) -> Span:
    """The newest period of an entity that is over."""
    calendar = calendar_of(house, entity)
    current = calendar.holding(local_day(house, entity, house.clock()))
    before = calendar.before(current)
    if before is None:
        raise InputError(
            f"The calendar of {entity} has no period before {current.name}; name one with --period."
        )
    return before
