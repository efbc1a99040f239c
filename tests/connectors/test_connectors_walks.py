"""The guard of a walk over numbered pages: what is fresh, what is old, and when a walk is given up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tieout.connectors.json_lists import Seen, Walk
from tieout.errors import Incomplete


def page(*refs: str, day: int = 1) -> list[Seen]:
    """A page of records that changed on a day."""
    return [Seen(b"{}", ref, datetime(2026, 10, day, tzinfo=UTC), None, {}) for ref in refs]


def test_a_page_is_old_if_it_holds_nothing_but_records_of_earlier_pages() -> None:
    walk = Walk("orders")
    assert not walk.is_old(page("a", "b"))
    walk.fresh(page("a", "b"))
    assert walk.is_old(page("b", "a"))
    assert walk.is_old(page("a"))
    assert not walk.is_old(page("b", "c"))
    assert not walk.is_old(page("a", "b", day=2)), "another version is another record"
    assert not walk.is_old([])


def test_a_second_pass_may_show_what_the_first_did() -> None:
    walk = Walk("orders")
    walk.fresh(page("a", "b"))
    walk.again()
    assert not walk.is_old(page("a", "b"))
    assert walk.fresh(page("a", "b", "c")) == page("c")


def test_the_second_old_page_in_a_row_ends_the_walk_with_a_sentence() -> None:
    walk = Walk("orders of a shop")
    walk.fresh(page("a", "b"))
    assert walk.fresh(page("a", "b")) == []
    with pytest.raises(Incomplete, match="orders of a shop stopped after page 3"):
        walk.fresh(page("b", "a"))
