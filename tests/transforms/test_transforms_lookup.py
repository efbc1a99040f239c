"""Keys looked up slice by slice say what a dictionary says, however keys crowd and whatever the slices are."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconcile_worlds import POLICIES, drawn

from transforms.reconcile import Inputs, lookup
from transforms.reconcile.homes import homes_of, told_by
from transforms.reconcile.lookup import Homed, Lookup, slices_of

FEW = st.one_of(st.none(), st.integers(0, 9), st.integers(2**64 - 4, 2**64 - 1), st.integers(0, 2**64 - 1))
KEYS = st.lists(FEW, max_size=60)


def column(keys: list[int | None]) -> pl.Series:
    """Keys as a column."""
    return pl.Series("key", keys, dtype=pl.UInt64)


@settings(max_examples=30, deadline=None)
@given(KEYS, KEYS, st.integers(1, 7))
def test_a_key_is_found_at_its_first_row(
    known: list[int | None], wanted: list[int | None], size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "SLICE", size)
        found = Lookup(column(known))
    first: dict[int | None, int] = {}
    again = []
    for row, key in enumerate(known):
        if key is not None and first.setdefault(key, row) != row:
            again.append((row, first[key]))
    first.pop(None, None)
    assert found.rows(column(wanted)).to_list() == [first.get(key) for key in wanted]
    assert found.has(column(wanted)).to_list() == [key in first for key in wanted]
    assert sorted(found.again.rows()) == again


@settings(max_examples=30, deadline=None)
@given(KEYS, KEYS)
def test_every_row_of_a_key_is_told_with_its_home(known: list[int | None], wanted: list[int | None]) -> None:
    homed = Homed.of([column(known[:5]), column(known[5:])], [column(list(range(len(known))))])
    rows = [
        (i, row) for i, key in enumerate(wanted) for row, one in enumerate(known) if one == key is not None
    ]
    assert sorted(homed.of_all(column(wanted)).rows()) == rows
    assert {tuple(sorted(tie)) for tie in homed.ties.rows()} == {
        (known.index(key), row) for row, key in enumerate(known) if key is not None and known.index(key) < row
    }


def test_many_keys_of_which_many_share_a_place_are_all_found() -> None:
    keys = pl.Series("key", range(300_000), dtype=pl.UInt64).hash(1)
    found = Lookup(pl.concat([keys, keys.head(1000)]))
    assert len(found._levels) > 2, "places are shared, and those that share one are in further tables"
    assert found.rows(keys).equals(pl.int_range(300_000, dtype=pl.UInt32, eager=True).alias("row"))
    assert found.again.sort("row")["first"].to_list() == list(range(1000))
    assert not found.has(keys.hash(2)).any()


# Policies with and without a pattern of order numbers; worlds with summary invoices, lost orders, shared references and decisions.
@pytest.mark.parametrize("seed", [9, 14, 26, 39, 102, 3, 4])
def test_homes_do_not_depend_on_the_slices_they_are_found_in(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, policy = drawn(seed), POLICIES[seed % len(POLICIES)]
    whole = homes_of(inputs, policy)
    monkeypatch.setattr(lookup, "SLICE", 2)
    lazy = Inputs(**{name: frame.lazy() for name, frame in vars(inputs).items() if frame is not None})
    tellers, labels = told_by(lazy, policy)
    assert tellers.keys() == whole.of.keys()
    assert labels.sort("home").equals(whole.labels.sort("home"))
    for name, tell in tellers.items():
        rows = getattr(inputs, name)
        pieces = [tell(rows.slice(at, 2), at) for at in range(0, rows.height, 2)]
        assert [one for piece in pieces for one in piece] == whole.of[name].to_list(), name


def test_inputs_that_are_read_slice_by_slice_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "SLICE", 2)
    inputs = drawn(9)
    orders = inputs.orders.lazy().collect()
    lazy = Inputs(orders=orders.lazy(), owed=inputs.owed)
    slices = list(slices_of(lazy, "orders", {"ref": pl.col("order_ref")}))
    assert len(slices) > 1, "they come in slices"
    assert pl.concat(slices)["ref"].to_list() == orders["order_ref"].to_list()
