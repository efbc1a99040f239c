"""Instants from texts, and texts made distinct: by columns, the same as one by one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.instants import instant, utc
from transforms.running import distinct

_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-09-01T00:25:57.515Z", datetime(2026, 9, 1, 0, 25, 57, 515_000, UTC)),
        ("2026-09-01T00:25:57.515123Z", datetime(2026, 9, 1, 0, 25, 57, 515_123, UTC)),
        ("2026-09-01T00:25:57.5Z", datetime(2026, 9, 1, 0, 25, 57, 500_000, UTC)),
        ("2026-09-01T00:25:57Z", datetime(2026, 9, 1, 0, 25, 57, tzinfo=UTC)),
        ("2026-09-01T02:25:57+02:00", datetime(2026, 9, 1, 0, 25, 57, tzinfo=UTC)),
        ("2026-09-01T02:25:57.250+02:00", datetime(2026, 9, 1, 0, 25, 57, 250_000, UTC)),
        ("2026-02-29T00:00:00.000Z", None),
        ("2026-13-01T00:00:00.000Z", None),
        ("2026-09-01T24:00:00.000Z", None),
        ("2026-09-01T00:25:57.515", None),
        ("2026-09-01", None),
        ("", None),
        ("soon", None),
        (None, None),
    ],
)
def test_an_instant_needs_its_zone_and_a_real_date(text: str | None, read: datetime | None) -> None:
    assert utc(pl.Series("t", [text, "2026-09-01T00:25:57.515Z"], dtype=pl.String))[0] == read
    assert utc(pl.Series("t", [text], dtype=pl.String))[0] == read


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            _TIMES,
            _ZONES,
            st.sampled_from(["seconds", "milliseconds", "microseconds"]),
            st.sampled_from(["Z", "+00:00", "-00:00"]),
        )
    )
)
def test_instants_of_every_form_side_by_side(drawn: list[tuple[datetime, timezone, str, str]]) -> None:
    texts = [
        at.replace(tzinfo=zone).isoformat(timespec=kept).replace("+00:00", none)
        for at, zone, kept, none in drawn
    ]
    frame = pl.DataFrame({"t": pl.Series(texts, dtype=pl.String)}).select(instant("t"))
    assert frame["t"].to_list() == [datetime.fromisoformat(text).astimezone(UTC) for text in texts]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "b", "c", "d", "e"])), max_size=12))
def test_texts_are_made_distinct_within_their_group(drawn: list[tuple[int, str]]) -> None:
    frame = pl.DataFrame(drawn, schema={"at": pl.UInt32, "ref": pl.String}, orient="row")
    seen: Counter[tuple[int, str]] = Counter()
    wanted = []
    for at, ref in drawn:
        seen[at, ref] += 1
        wanted.append(ref if ref and seen[at, ref] == 1 else f"{ref}#{seen[at, ref]}")
    assert frame.select(distinct(frame, "ref", "at"))["ref"].to_list() == wanted
