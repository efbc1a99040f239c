"""Landings of drawn payloads, and what every staged order must keep: its contract and its sums."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from checks.contracts import ALL
from transforms.staged import Staged

NOW = datetime(2026, 11, 2, tzinfo=UTC)
COMPONENTS = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
_KINDS = {
    "item": "goods",
    "gift_card": "gift_card",
    "discount": "discount",
    "shipping": "shipping",
    "fee": "fees",
    "rounding": "rounding",
}
LANDED = {
    "native_ref": pl.String(),
    "version_no": pl.Int64(),
    "updated_at": pl.Datetime("us", "UTC"),
    "payload": pl.String(),
    "payload_sha256": pl.String(),
    "problem": pl.String(),
    "fetched_at": pl.Datetime("us", "UTC"),
}


def landing(rows: Sequence[tuple[str, datetime | None, str, str | None]]) -> pl.DataFrame:
    """A raw landing of (native ref, change, payload, problem)."""
    return pl.DataFrame(
        [
            (ref, None, at, text, hashlib.sha256(text.encode()).hexdigest(), problem, NOW)
            for ref, at, text, problem in rows
        ],
        schema=LANDED,
        orient="row",
    )


def landed(*payloads: str, refs: Sequence[str] | None = None) -> pl.DataFrame:
    """A raw landing of payloads."""
    names = refs or [f"n{k}" for k in range(len(payloads))]
    return landing([(ref, NOW, text, None) for ref, text in zip(names, payloads, strict=True)])


def landed_records(records: Sequence[Any]) -> pl.DataFrame:
    """A raw landing of a courier's records."""
    return landing([(one.native_ref, one.updated_at, one.payload.decode(), one.problem) for one in records])


def sound(found: Staged) -> Staged:
    """The same, after its frames passed their contracts and its orders add up."""
    for name, frame in found.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    if "core.orders" in found.frames:
        foots(found)
    return found


def foots(found: Staged) -> None:
    """Lines sum to their header, component by component and in tax; the components sum to the total."""
    worth = pl.sum_horizontal("net_minor", "discount_minor")
    lines = (
        found["core.order_lines"]
        .group_by("order_ref")
        .agg(
            *[
                worth.filter(pl.col("kind_code") == kind).sum().alias(f"l_{name}")
                for kind, name in _KINDS.items()
            ],
            l_tax=pl.col("tax_minor").sum(),
        )
    )
    sums = [f"l_{name}" for name in COMPONENTS]
    heads = (
        found["core.orders"].join(lines, on="order_ref", how="left").with_columns(pl.col(sums).fill_null(0))
    )
    for name in COMPONENTS:
        assert heads[f"l_{name}"].to_list() == heads[f"{name}_minor"].to_list(), name
    parts = heads.select(pl.sum_horizontal([f"{name}_minor" for name in COMPONENTS])).to_series()
    assert parts.to_list() == heads["total_minor"].to_list()
    assert (heads["total_minor"] - heads["tender_minor"]).to_list() == heads["due_minor"].to_list()
