"""Orders that were held for a word nobody knew are staged once more: the word may have a row in statuses.csv by now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from tieout.vocabulary import NO_MEANING

if TYPE_CHECKING:
    from flows.storefronts import Transform
    from tieout.warehouse.session import Session
    from transforms.staged import Staged

Keep = Callable[[str, "Staged", pl.DataFrame], None]
"""Publishes what was staged of a subject's raw rows."""


def stage_again(session: Session, source: str, transforms: Mapping[str, Transform], keep: Keep) -> int:
    """Stage the newest version of every record of a storefront whose problem is an unknown status; returns how many there were."""
    problems = session.fetch(
        "ops.problems", where={"source": source}, columns=["subject", "native_ref", "problem"]
    )
    waiting = problems.filter(pl.col("problem").str.contains(NO_MEANING, literal=True))
    for (subject,), block in waiting.group_by("subject", maintain_order=True):
        call = transforms.get(str(subject))
        table = f"raw.{source}__{str(subject).lower()}"
        if call is None or not session.exists(table):
            continue
        landed = session.fetch(table, where=block.select("native_ref").unique())
        newest = landed.sort("version_no", "updated_at", "landing_no", nulls_last=False).unique(
            "native_ref", keep="last", maintain_order=True
        )
        keep(str(subject), call(newest, session), newest)
    return waiting.height
