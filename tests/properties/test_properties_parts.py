"""A comparison in parts says what the comparison of the whole says, whatever ties rows together: numbers, references, applications, people."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from reconcile_worlds import PLAIN, POLICIES, drawn

from flows.comparing.shelving import FolderShelf
from transforms.reconcile import Inputs, Result, lookup, parts, reconcile, reconcile_streamed
from transforms.reconcile.parts import EVERYWHERE, parted
from transforms.reconcile.result import matches_of
from transforms.reconcile.streams import Collected, Cut


def said(result: Result) -> dict[str, pl.DataFrame]:
    """Everything a result says, rows in its own order."""
    names = (
        "orders",
        "payments",
        "waterfall",
        "ageing",
        "totals",
        "footing",
        "absorbed",
        "matches",
        "suspects",
        "tolerated",
        "out_of_scope",
    )
    return {name: getattr(result, name) for name in names}  # fmt: skip


@cache
def whole_of(seed: int) -> dict[str, pl.DataFrame]:
    """What the comparison of a whole drawn world says."""
    return said(reconcile(drawn(seed), replace(POLICIES[seed % len(POLICIES)], buckets=1)))


# Worlds in which an earlier version of the homes went wrong (9, 14, 26, 39, 102), and others.
@pytest.mark.parametrize("seed", [9, 14, 26, 39, 102, 1, 2, 208])
def test_parts_say_what_the_whole_says(seed: int) -> None:
    inputs, policy = drawn(seed), POLICIES[seed % len(POLICIES)]
    whole = whole_of(seed)
    parts = reconcile(inputs, replace(policy, buckets=5 + seed % 2))
    assert (parts.footing["difference_minor"] == 0).all()
    for name, frame in said(parts).items():
        assert frame.equals(whole[name]), f"{name} differs in parts"


def test_every_row_is_in_one_part_and_groups_are_whole() -> None:
    cut = 0
    for seed in range(6):
        inputs = drawn(seed)
        parts = list(parted(inputs, replace(PLAIN, buckets=5)))
        cut += len(parts) > 1
        for name, frame in vars(inputs).items():
            if frame is None or name in (*EVERYWHERE, "customer_ids"):
                continue
            rows = pl.concat(getattr(part, name) for part in parts)
            assert rows.sort(pl.all()).equals(frame.select(rows.columns).sort(pl.all())), name
    assert cut > 3, "the worlds are large enough to be cut"


# Read in one slice, or in slices of a few rows, so that a customer, a document's lines or a payment's references lie in several.
@pytest.mark.parametrize("seed", [9, 26, 39, 2, 5])
def test_parts_that_are_read_and_handed_on_say_what_the_whole_says(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, policy = drawn(seed), replace(POLICIES[seed % len(POLICIES)], buckets=4)
    whole = whole_of(seed)
    if seed % 2:
        monkeypatch.setattr(lookup, "SLICE", 3)
        monkeypatch.setattr(parts, "BATCH", 400)  # a few rows of each input
    lazy = Inputs(**{name: frame.lazy() for name, frame in vars(inputs).items() if frame is not None})
    shelf, sink = FolderShelf(tmp_path), Collected()
    told = dict(vars(reconcile_streamed(Cut(lazy, shelf), policy, sink, shelf)))
    told.pop("view")  # what was seen across the parts is no frame; the rows say what came of it
    assert len(sink.orders) > 1, "rows are handed on part by part"
    found = {name: pl.concat(getattr(sink, name)) for name in ("orders", "payments")}
    found["matches"] = pl.concat(matches_of(*one) for one in sink.pairs)
    assert whole.keys() == told.keys() | found.keys()
    for name, frame in {**told, **found}.items():
        rows = frame.sort(pl.all()) if name in found else frame
        assert rows.equals(whole[name].sort(pl.all()) if name in found else whole[name]), name
