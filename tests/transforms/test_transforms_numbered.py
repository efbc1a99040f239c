"""Tables of positions say what joins and groupings say, for numbers of every kind."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.reconcile.numbered import all_of, by_place, left_over, looked_up, row_of

NEAR, FAR = st.integers(0, 40), st.sampled_from([-(2**40), -1, 0, 3, 2**20, 2**60])
NUMBERS = st.one_of(NEAR, FAR)


def told(numbers: list[int | None]) -> pl.DataFrame:
    """Rows of a number and two things that are known of it."""
    column = pl.Series("n", numbers, dtype=pl.Int64)
    return pl.DataFrame({"n": column, "said": [f"it is {n}" for n in numbers], "of": range(len(numbers))})


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


@given(st.lists(st.lists(NUMBERS, max_size=20), min_size=1, max_size=3))
def test_every_number_stands_once_and_in_order_and_has_its_place(columns: list[list[int]]) -> None:
    keys = all_of(*(pl.Series("n", column, dtype=pl.Int64) for column in columns))
    assert keys.to_list() == sorted({number for column in columns for number in column})
    wanted = pl.Series("n", [*columns[0], 17, None], dtype=pl.Int64)
    at = {number: row for row, number in enumerate(keys)}
    assert row_of(keys, wanted).to_list() == [at.get(number) for number in wanted]


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
