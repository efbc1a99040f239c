"""Deleted records are found by counts over ranges, whatever was deleted, and cheaply when little was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors.intacct.vanishing import Bound, difference


class Company:
    """A set of RECORDNOs that counts how often it is asked."""

    def __init__(self, numbers: set[int]) -> None:
        self.rows, self.counts, self.pages = sorted(numbers), 0, 0

    def within(self, low: Bound, high: Bound) -> list[int]:
        return [n for n in self.rows if (low is None or n >= low) and (high is None or n <= high)]

    def count(self, low: Bound, high: Bound) -> int:
        self.counts += 1
        return len(self.within(low, high))

    def numbers(self, low: Bound, high: Bound) -> list[int]:
        found = self.within(low, high)
        self.pages += 1 + len(found) // 10
        return found


@settings(max_examples=300, deadline=None)
@given(st.sets(st.integers(1, 400)), st.sets(st.integers(1, 400)), st.sets(st.integers(401, 440)))
def test_what_was_deleted_is_found_and_what_is_new_is_told(
    known: set[int], gone: set[int], new: set[int]
) -> None:
    company = Company((known - gone) | new)
    found = difference(
        sorted(known, reverse=True), count=company.count, numbers=company.numbers, page_size=10
    )
    assert found.gone == sorted(known & gone)
    assert found.unseen == sorted(new)


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(1, 300)), st.sets(st.integers(1, 300)))
def test_nothing_is_ever_called_gone_that_is_there(known: set[int], there: set[int]) -> None:
    """Even if new records could appear among old numbers, which they do not."""
    company = Company(there)
    found = difference(list(known), count=company.count, numbers=company.numbers, page_size=10)
    assert set(found.gone) <= known - there
    assert set(found.unseen) <= there - known


def test_a_few_deletions_among_many_cost_a_few_questions() -> None:
    everything = set(range(1, 200_001))
    company = Company(everything - {7, 99_000, 150_001})
    found = difference(sorted(everything), count=company.count, numbers=company.numbers, page_size=2_000)
    assert found.gone == [7, 99_000, 150_001]
    assert company.counts <= 2 + 3 * 7
    same = Company(everything)
    assert difference(sorted(everything), count=same.count, numbers=same.numbers, page_size=2_000).gone == []
    assert (same.counts, same.pages) == (2, 0)
    empty = Company(set())
    assert difference([3, 1], count=empty.count, numbers=empty.numbers, page_size=10).gone == [1, 3]
    assert empty.pages == 0
