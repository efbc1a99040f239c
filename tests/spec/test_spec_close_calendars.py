"""Fiscal calendars, drawn: which days a period has."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import InputError
from transforms.closing.calendars import PATTERNS, Calendar, table_of

WEEKS = Calendar("4-4-5", year_starts_on=date(2026, 2, 1), fiscal_year=2026, long_years=frozenset({2028}))


@pytest.mark.parametrize(
    ("calendar", "name", "first", "last"),
    [
        (Calendar(), "2026-10", "2026-10-01", "2026-10-31"),
        (Calendar(), "2028-02", "2028-02-01", "2028-02-29"),
        (WEEKS, "2026-P01", "2026-02-01", "2026-02-28"),
        (WEEKS, "2026-P03", "2026-03-29", "2026-05-02"),
        (WEEKS, "2026-P12", "2026-12-27", "2027-01-30"),
        (WEEKS, "2027-P01", "2027-01-31", "2027-02-27"),
        (WEEKS, "2028-P12", "2028-12-24", "2029-02-03"),  # 53 weeks: six in the last period
        (WEEKS, "2029-P01", "2029-02-04", "2029-03-03"),
        (WEEKS, "2025-P12", "2025-12-28", "2026-01-31"),
        (Calendar("4-5-4", date(2026, 2, 1), 2026), "2026-P02", "2026-03-01", "2026-04-04"),
        (Calendar("5-4-4", date(2026, 2, 1), 2026), "2026-P01", "2026-02-01", "2026-03-07"),
        (table_of([("P1", date(2026, 1, 5), date(2026, 2, 8)), ("P2", date(2026, 2, 9), date(2026, 3, 1))]), "P2", "2026-02-09", "2026-03-01"),
    ],
)  # fmt: skip
def test_a_period_has_these_days(calendar: Calendar, name: str, first: str, last: str) -> None:
    span = calendar.period(name)
    assert (span.start_on.isoformat(), span.last_on.isoformat()) == (first, last)
    assert calendar.holding(span.start_on) == calendar.holding(span.last_on) == span


@pytest.mark.parametrize(
    ("calendar", "name"),
    [
        (Calendar(), "2026-13"), (Calendar(), "2026-9"), (Calendar(), "../../etc"), (Calendar(), "2026-P01"), (Calendar(), "9999-12"), (Calendar(), ""),
        (WEEKS, "2026-10"), (WEEKS, "2026-P13"), (WEEKS, "2026-P00"), (WEEKS, "2999-P01"),
        (table_of([("P1", date(2026, 1, 5), date(2026, 2, 8))]), "P2"),
    ],
)  # fmt: skip
def test_a_name_the_calendar_does_not_have_is_refused(calendar: Calendar, name: str) -> None:
    with pytest.raises(InputError):
        calendar.period(name)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no periods"),
        ([("P1", date(2026, 1, 1), date(2025, 1, 1))], "before it starts"),
        ([("P1", date(2026, 1, 1), date(2026, 1, 31)), ("P2", date(2026, 2, 2), date(2026, 2, 28))], "leave a gap"),
        ([("P1", date(2026, 1, 1), date(2026, 1, 31)), ("P2", date(2026, 1, 31), date(2026, 2, 28))], "overlap"),
        ([("P1", date(2026, 1, 1), date(2026, 1, 31)), ("P1", date(2026, 2, 1), date(2026, 2, 28))], "twice"),
        ([("a/b", date(2026, 1, 1), date(2026, 1, 31))], "cannot be a period's name"),
    ],
)  # fmt: skip
def test_a_table_with_gaps_overlaps_or_bad_names_is_refused(
    rows: list[tuple[str, date, date]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        table_of(rows)


@settings(deadline=None)
@given(
    st.dates(date(1990, 1, 1), date(2070, 12, 31)),
    st.sampled_from(sorted(PATTERNS)),
    st.frozensets(st.integers(2020, 2040), max_size=6),
)
def test_every_day_is_in_one_period_whose_neighbours_touch_it(
    day: date, kind: str, long_years: frozenset[int]
) -> None:
    for calendar in (Calendar(), Calendar(kind, date(2026, 2, 1), 2026, long_years)):
        span = calendar.holding(day)
        assert span.start_on <= day < span.end_on
        assert calendar.period(span.name) == span
        before, after = calendar.before(span), calendar.after(span)
        assert before is not None
        assert after is not None
        assert (before.end_on, span.end_on) == (span.start_on, after.start_on)
        assert timedelta(days=27) < span.end_on - span.start_on < timedelta(days=43)
