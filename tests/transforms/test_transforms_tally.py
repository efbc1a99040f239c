"""What a comparison remembers of a part holds nothing of the part's rows that were let go, and gives back what rows gave to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.reconcile.tally import Tally, apart, without

Row = tuple[int, str | None]
ROW = st.tuples(st.integers(0, 2), st.sampled_from([None, "a", "b"]))


def held(rows: pl.DataFrame) -> int:
    """Bytes that a frame keeps in memory, texts included that no row of it shows."""
    return rows.to_arrow(compat_level=pl.CompatLevel.newest()).get_total_buffer_size()


def test_open_rows_do_not_keep_the_texts_of_their_part() -> None:
    part = pl.DataFrame(
        {
            "group_ref": [f"shop:order-with-a-long-identity-{at:06d}" for at in range(20_000)],
            "amount": range(20_000),
        }
    )
    few = part.filter(pl.col("amount") % 1000 == 0).with_columns(
        pl.when(pl.col("amount") > 0).then("group_ref"), nothing=pl.lit(None, pl.String)
    )
    assert held(few) > 500_000, "a text column keeps the texts it was picked from"
    own = apart(Tally(**{one.name: few for one in fields(Tally)}))
    for name, rows in own.frames.items():
        assert rows.equals(few), name
        assert held(rows) < 10_000, name


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=8))
def test_of_equal_rows_as_many_go_as_are_given(rows: list[Row], gone: list[Row]) -> None:
    kinds = {"n": pl.Int64, "name": pl.String}
    left = without(*(pl.DataFrame(part, schema=kinds, orient="row") for part in (rows, gone)))
    assert Counter(left.rows()) == Counter(rows) - Counter(gone)
    assert left.schema == kinds
