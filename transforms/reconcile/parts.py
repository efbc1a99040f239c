"""A comparison in parts: inputs cut into so many that each can be compared by itself, with the same result for any number of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from transforms.reconcile.homes import homes_of
from transforms.reconcile.intake import Frame, Inputs, Part, read_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.universe import prefixes_of

EVERYWHERE = ("stores", "decisions")
"""Inputs that every part has whole: they are small, and say nothing of a single order."""
_COUNTED = ("orders", "owed", "ar_invoices", "ar_receipts")


def parts_of(inputs: Inputs, policy: Policy) -> int:
    """Into how many parts the inputs are worth cutting: at least `buckets`, none much larger than `bucket_most`, none smaller than `bucket_least`."""
    rows = max(_height(getattr(inputs, name)) for name in _COUNTED)
    wanted = max(policy.buckets, -(-rows // policy.bucket_most))
    return max(1, min(wanted, rows // max(policy.bucket_least, 1)))


def parted(inputs: Inputs, policy: Policy) -> Iterator[Inputs]:
    """The inputs part by part. Rows that can meet in any pass of the matching are in the same part; a part may be without rows."""
    count = parts_of(inputs, policy)
    if count == 1:
        yield inputs
        return
    homes = homes_of(inputs, policy)
    prefixes = tuple(prefixes_of(inputs))
    places = {name: (column % count).cast(pl.UInt16) for name, column in homes.of.items()}
    frames = {name: read_of(getattr(inputs, name), name).collect() for name in places}
    customers = None
    if inputs.customer_ids is not None:
        customers = read_of(inputs.customer_ids, "customer_ids").collect()
    whose = homes.customers.select("i", part=(pl.col("home") % count).cast(pl.UInt16)).unique()
    for at in range(count):
        mine: dict[str, Frame] = {name: frame.filter(places[name] == at) for name, frame in frames.items()}
        if customers is not None:
            mine["customer_ids"] = customers[whose.filter(pl.col("part") == at)["i"].sort()]
        whole: dict[str, Any] = {**vars(inputs), **mine}
        yield Part(**whole, prefixes=prefixes)


def _height(frame: Frame | None) -> int:
    if frame is None:
        return 0
    return int(frame.lazy().select(pl.len()).collect().item())
