"""A number is normal as it stands exactly when normalising it changes nothing."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.reconcile.references import normalised

TEXTS = st.lists(st.none() | st.text(max_size=6) | st.from_regex(r"[0-9A-Za-z\- ]{0,6}", fullmatch=True))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(TEXTS)
def test_what_needs_no_normalising_is_left_as_it_is(texts: list[str | None]) -> None:
    plain = pl.col("text").str.to_uppercase().str.replace_all(r"[^0-9A-Z\p{L}]", "")
    plain = plain.str.strip_chars_start("0")
    found = pl.DataFrame({"text": texts}, schema={"text": pl.String}).select(
        is_=normalised("text"), was=pl.when(plain != "").then(plain)
    )
    assert found["is_"].equals(found["was"])
