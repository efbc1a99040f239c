"""Tables of positions say what joins and groupings say, for numbers of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.reconcile import numbered
from transforms.reconcile.numbered import (
    all_of,
    among,
    by_place,
    left_over,
    looked_up,
    pairs_of,
    put,
    repeated,
    row_of,
)


@pytest.fixture(params=["dictionary", "join", "table"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Rows are found alike whether they are few, some or many."""
    kept = numbered.FEW, numbered.SOME
    numbered.FEW = kept[0] if request.param == "dictionary" else 0
    numbered.SOME = 0 if request.param == "table" else kept[1]
    yield
    numbered.FEW, numbered.SOME = kept


NEAR, FAR = st.integers(0, 40), st.sampled_from([-(2**40), -1, 0, 3, 2**20, 2**60])
NUMBERS = st.one_of(NEAR, FAR)


def told(numbers: list[int | None]) -> pl.DataFrame:
    """Rows of a number and two things that are known of it."""
    column = pl.Series("n", numbers, dtype=pl.Int64)
    return pl.DataFrame({"n": column, "said": [f"it is {n}" for n in numbers], "of": range(len(numbers))})


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), NUMBERS), max_size=30),
    st.lists(NUMBERS, max_size=30, unique=True),
    st.booleans(),
)
def test_looked_up_is_a_left_join_and_left_over_an_anti_join(
    wanted: list[int | None], known: list[int], unknown_too: bool
) -> None:
    rows = pl.DataFrame({"at": range(len(wanted)), "n": pl.Series(wanted, dtype=pl.Int64)})
    found = told([*known, *([None] if unknown_too else [])])
    joined = rows.join(found, on="n", how="left", maintain_order="left")
    assert looked_up(rows, found, "n").equals(joined)
    assert left_over(rows, found, "n").equals(rows.join(found, on="n", how="anti", maintain_order="left"))


@settings(deadline=None)
@given(st.lists(st.lists(NUMBERS, max_size=20), min_size=1, max_size=3))
def test_every_number_stands_once_and_in_order_and_has_its_place(columns: list[list[int]]) -> None:
    keys = all_of(*(pl.Series("n", column, dtype=pl.Int64) for column in columns))
    assert keys.to_list() == sorted({number for column in columns for number in column})
    wanted = pl.Series("n", [*columns[0], 17, None], dtype=pl.Int64)
    at = {number: row for row, number in enumerate(keys)}
    assert row_of(keys, wanted).to_list() == [at.get(number) for number in wanted]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9), st.sampled_from([None, "a", "b"])), max_size=20)
)
def test_what_is_at_a_place_is_what_a_grouping_makes_of_it(rows: list[tuple[int, int, str | None]]) -> None:
    kinds = {"place": pl.UInt32, "amount": pl.Int64, "name": pl.String}
    frame = pl.DataFrame(rows, schema=kinds, orient="row")
    made = by_place(frame.drop("place"), frame["place"], 7, pl.col("amount").sum(), pl.col("name").min())
    sums = frame.group_by("place").agg(pl.col("amount").sum(), pl.col("name").min())
    every = pl.DataFrame({"place": pl.int_range(7, dtype=pl.UInt32, eager=True)}).join(
        sums, on="place", how="left", maintain_order="left"
    )
    assert made.equals(every.drop("place").with_columns(pl.col("amount").fill_null(0)))


WORDS = st.one_of(st.none(), st.integers(0, 60).map(str))


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=40), st.lists(WORDS, max_size=40), st.booleans())
def test_pairs_of_equal_texts_are_those_of_a_join(
    known: list[str | None], wanted: list[str | None], once: bool
) -> None:
    # Without a repeat they are found by a table, with one by a join, and the shorter of very unequal sides is the table.
    left = pl.Series("key", list(dict.fromkeys(known)) if once else known, dtype=pl.String)
    right = pl.Series("key", wanted, dtype=pl.String)
    at, row = pairs_of(left, right)
    joined = (
        right.to_frame()
        .with_row_index("at")
        .join(left.to_frame().with_row_index("row"), on="key")
        .select("at", "row")
    )
    assert sorted(zip(at.to_list(), row.to_list(), strict=True)) == sorted(joined.rows())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=12))
def test_numbers_that_are_there_and_that_are_there_twice(numbers: list[int | None]) -> None:
    column = pl.Series("n", numbers, dtype=pl.UInt32)
    assert among(column, 10).to_list() == [number in numbers for number in range(10)]
    known = column.drop_nulls()
    assert repeated(known) == (known.n_unique() < len(known))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.text(max_size=3)), st.integers()), min_size=1, max_size=9),
    st.data(),
)
def test_what_is_put_stands_there_and_the_rest_stays(
    rows: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    frame = pl.DataFrame(
        {"name": [name for name, _ in rows], "n": range(len(rows))}, schema={"name": pl.String, "n": pl.Int64}
    )
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True))
    names = [data.draw(st.one_of(st.none(), st.just("put"))) for _ in places]
    found = pl.DataFrame({"name": names}, schema={"name": pl.String})
    made = put(frame, pl.Series(places, dtype=pl.UInt32), found)
    told = dict(zip(places, names, strict=True))
    assert made["name"].to_list() == [told.get(at, name) for at, (name, _) in enumerate(rows)]
    assert frame["name"].to_list() == [name for name, _ in rows], "what was given is not changed"
    assert made["n"].equals(frame["n"])
