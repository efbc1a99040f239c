"""The order of texts by their bytes, and parts worked on side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import text_order as orders
from transforms.abreast import abreast
from transforms.text_order import text_order

FEW = st.text(st.sampled_from("ab\x00é\U0001f600"), max_size=12)
"""Texts that share beginnings, end early or hold the byte that pads."""


@pytest.fixture(params=["few", "many"], autouse=True, scope="module")
def count(request: pytest.FixtureRequest) -> Iterator[None]:
    """Texts are put in the same order whether they are few or many."""
    kept = orders.FEW
    orders.FEW = kept if request.param == "few" else 2
    yield
    orders.FEW = kept


@settings(deadline=None)
@given(st.lists(st.one_of(FEW, st.text(max_size=20)), max_size=40), st.sampled_from(["", "shop:", "naïve:"]))
def test_the_order_is_that_of_the_bytes_and_equal_texts_keep_theirs(texts: list[str], head: str) -> None:
    whole = [head + text for text in texts]
    found = text_order(pl.Series("t", whole, pl.String)).to_list()
    assert found == sorted(range(len(whole)), key=lambda at: (whole[at].encode(), at))


@settings(deadline=None)
@given(st.lists(st.none() | FEW, max_size=20))
def test_null_comes_first(texts: list[str | None]) -> None:
    found = text_order(pl.Series("t", texts, pl.String)).to_list()
    assert found == sorted(
        range(len(texts)), key=lambda at: (texts[at] is not None, (texts[at] or "").encode(), at)
    )


@given(st.lists(st.integers(), max_size=9), st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(items: list[int], at_once: int) -> None:
    assert list(abreast(lambda n: n * 2, items, at_once)) == [n * 2 for n in items]


def test_two_are_worked_on_at_a_time_and_no_more_are_taken() -> None:
    both, taken = threading.Barrier(2, timeout=20), []

    def items():
        for n in range(6):
            taken.append(n)
            yield n

    def work(n: int) -> int:
        both.wait()  # nobody comes past here alone
        return n

    found = abreast(work, items(), 2)
    assert next(found) == 0
    assert taken == [0, 1, 2]
    assert list(found) == [1, 2, 3, 4, 5]


def test_a_fault_comes_where_its_result_would_and_ends_the_rest() -> None:
    done = []

    def work(n: int) -> int:
        if n == 1:
            raise ValueError("the second part is broken")
        time.sleep(0.01)
        done.append(n)
        return n

    found = abreast(work, range(50), 2)
    assert next(found) == 0
    with pytest.raises(ValueError, match="the second part is broken"):
        next(found)
    assert len(done) <= 3
