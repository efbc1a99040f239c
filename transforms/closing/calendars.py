"""Fiscal calendars: which days belong to which accounting period, by calendar month, by 4-4-5 weeks, or by a table of the company's own.

A period is half-open: it starts on its first day and ends on the day after its last. Nothing is guessed: the first day of one fiscal year and
the years of 53 weeks are stated in the configuration, because companies place them differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from tieout.errors import InputError

PATTERNS: Final = {"4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}
"""Weeks of the three periods of a quarter; a year of 53 weeks has its extra week in the last period."""

NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,19}")
"""What a period may be called: it names folders and files."""

_FARTHEST_YEARS: Final = 60


@dataclass(frozen=True)
class Span:
    """One accounting period: `start_on` is its first day, `end_on` the first day after it."""

    name: str
    start_on: date
    end_on: date

    @property
    def last_on(self) -> date:
        """The last day that belongs to it."""
        return self.end_on - timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """How an entity cuts its year.

    `kind`: `month` (periods are called 2026-10), one of `PATTERNS` (called 2026-P09: the fiscal year and the number), or `table`.
    `year_starts_on`, `fiscal_year`: the first day of one fiscal year and what that year is called. `long_years`: the fiscal years of 53 weeks.
    `spans`: the periods of a `table`, without gap or overlap.
    """

    kind: str = "month"
    year_starts_on: date | None = None
    fiscal_year: int | None = None
    long_years: frozenset[int] = field(default_factory=frozenset)
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("month", "table", *PATTERNS):
            raise InputError(
                f"calendar kind '{self.kind}' is not one of month, {', '.join(PATTERNS)}, table; correct the setting."
            )
        if self.kind in PATTERNS and (self.year_starts_on is None or self.fiscal_year is None):
            raise InputError(
                f"a {self.kind} calendar needs year_starts_on and fiscal_year, the first day and the name of one fiscal year."
            )
        if self.kind == "table":
            _check_table(self.spans)

    def period(self, name: str) -> Span:
        """The period of a name. Raises `InputError` for a name this calendar does not have."""
        if self.kind == "month":
            return _month(name)
        if self.kind == "table":
            for span in self.spans:
                if span.name == name:
                    return span
            raise InputError(
                f"The calendar's table has no period '{name}'; it goes from {self.spans[0].name} to {self.spans[-1].name}."
            )
        found = re.fullmatch(r"(\d{4})-P(\d{2})", name)
        if found is None or not 1 <= int(found[2]) <= 12:
            raise InputError(f"'{name}' is not a period of a {self.kind} calendar; write it like 2026-P09.")
        return self._weeks(int(found[1]))[int(found[2]) - 1]

    def holding(self, day: date) -> Span:
        """The period a day falls in. Raises `InputError` for a day outside a table."""
        if self.kind == "month":
            return _month(f"{day:%Y-%m}")
        if self.kind == "table":
            for span in self.spans:
                if span.start_on <= day < span.end_on:
                    return span
            raise InputError(f"{day} is in no period of the calendar's table; add its period there.")
        year = day.year - 2
        while self._weeks(year)[-1].end_on <= day:
            year += 1
        return next(span for span in self._weeks(year) if span.start_on <= day < span.end_on)

    def before(self, span: Span) -> Span | None:
        """The period before one; None before the first of a table."""
        if self.kind == "table" and span.start_on == self.spans[0].start_on:
            return None
        return self.holding(span.start_on - timedelta(days=1))

    def after(self, span: Span) -> Span | None:
        """The period after one; None after the last of a table."""
        if self.kind == "table" and span.end_on == self.spans[-1].end_on:
            return None
        return self.holding(span.end_on)

    def said(self) -> str:
        """The calendar in words, for reports."""
        if self.kind == "month":
            return "calendar months"
        if self.kind == "table":
            return f"the company's table, {len(self.spans)} periods"
        long = (
            f", 53 weeks in {', '.join(str(year) for year in sorted(self.long_years))}"
            if self.long_years
            else ""
        )
        return f"{self.kind} weeks, fiscal year {self.fiscal_year} from {self.year_starts_on}{long}"

    def _weeks(self, year: int) -> list[Span]:
        start = self._year_start(year)
        weeks = list(PATTERNS[self.kind]) * 4
        weeks[-1] += year in self.long_years
        spans = []
        for number, count in enumerate(weeks, start=1):
            end = start + timedelta(weeks=count)
            spans.append(Span(f"{year}-P{number:02}", start, end))
            start = end
        return spans

    def _year_start(self, year: int) -> date:
        if self.year_starts_on is None or self.fiscal_year is None:
            raise InputError(f"a {self.kind} calendar needs year_starts_on and fiscal_year.")
        if abs(year - self.fiscal_year) > _FARTHEST_YEARS:
            raise InputError(
                f"Fiscal year {year} lies more than {_FARTHEST_YEARS} years from {self.fiscal_year}; correct the period."
            )
        start = self.year_starts_on
        for passed in range(self.fiscal_year, year):
            start += timedelta(weeks=52 + (passed in self.long_years))
        for passed in range(self.fiscal_year - 1, year - 1, -1):
            start -= timedelta(weeks=52 + (passed in self.long_years))
        return start


def table_of(rows: Sequence[tuple[str, date, date]]) -> Calendar:
    """A calendar from (name, first day, last day). Raises `InputError` naming the row that is wrong."""
    spans = []
    for name, first, last in sorted(rows, key=lambda row: row[1]):
        if last < first:
            raise InputError(
                f"period {name} of the calendar's table ends on {last}, before it starts on {first}; correct the table."
            )
        spans.append(Span(name, first, last + timedelta(days=1)))
    return Calendar(kind="table", spans=tuple(spans))


def _month(name: str) -> Span:
    if re.fullmatch(r"\d{4}-\d{2}", name) is None:
        raise InputError(f"'{name}' is not a month; write it like 2026-09.")
    try:
        start = date.fromisoformat(f"{name}-01")
    except ValueError:
        raise InputError(f"'{name}' is not a month; write it like 2026-09.") from None
    if start.year > 9000:
        raise InputError(f"'{name}' is too far away; correct the period.")
    return Span(name, start, (start + timedelta(days=31)).replace(day=1))


def _check_table(spans: Sequence[Span]) -> None:
    if not spans:
        raise InputError("the calendar's table has no periods; add period, first_on and last_on.")
    names = [span.name for span in spans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"period {twice[0]} stands twice in the calendar's table; keep one of the rows.")
    for span in spans:
        if NAME.fullmatch(span.name) is None:
            raise InputError(
                f"'{span.name}' cannot be a period's name; use letters, digits and hyphens, at most 20."
            )
    for one, other in pairwise(spans):
        if one.end_on != other.start_on:
            what = "overlap" if one.end_on > other.start_on else "leave a gap"
            raise InputError(
                f"periods {one.name} and {other.name} of the calendar's table {what} between {one.last_on} and {other.start_on}; correct the table."
            )
