"""The newest version wins whatever the order of rows, and windows that touch share nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import InputError
from transforms.latest import newest, within

START = datetime(2026, 9, 1, tzinfo=UTC)


def landing(rows: list[tuple[str, int | None, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "native_ref": [ref for ref, *_ in rows],
            "version_no": [version for _, version, *_ in rows],
            "updated_at": [START + timedelta(hours=hours) for *_, hours, _ in rows],
            "fetched_at": [START + timedelta(days=landed) for *_, landed in rows],
            "landing_no": [landed for *_, landed in rows],
            "payload_sha256": [f"{number:03}" for number in range(len(rows))],
        },
        schema_overrides={
            "version_no": pl.Int64,
            "updated_at": pl.Datetime("us", "UTC"),
            "fetched_at": pl.Datetime("us", "UTC"),
        },
    )


def test_version_then_change_then_landing_decide() -> None:
    raw = landing(
        [
            ("a", 2, 5, 1),
            ("a", 3, 1, 0),
            ("b", None, 9, 0),
            ("b", None, 3, 4),
            ("c", None, 3, 4),
            ("c", None, 3, 5),
            ("d", None, 9, 9),
            ("d", 0, 0, 0),
        ]
    )
    assert newest(raw)["payload_sha256"].to_list() == ["001", "002", "005", "007"]
    assert newest(raw, as_of=START + timedelta(days=1))["native_ref"].to_list() == ["a", "b", "d"]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.one_of(st.none(), st.integers(0, 2)),
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_is_irrelevant(rows: list, chance) -> None:
    raw = landing(rows)
    places = list(range(raw.height))
    chance.shuffle(places)
    assert newest(raw[places] if places else raw).equals(newest(raw))


def test_touching_windows_share_nothing_and_lose_nothing() -> None:
    frame = pl.DataFrame({"at": [START + timedelta(hours=hour) for hour in range(10)]})
    middle = START + timedelta(hours=4)
    before, after = within(frame, "at", start=None, end=middle), within(frame, "at", start=middle, end=None)
    assert (before.height, after.height) == (4, 6)
    with pytest.raises(InputError, match="before it starts"):
        within(frame, "at", start=middle, end=START)
    with pytest.raises(InputError, match="no time zone"):
        within(frame, "at", start=datetime(2026, 9, 1), end=None)
