"""The only legal moves of a document in the outbox, and the one function that makes them.

    planned ──> held, sending, cancelled           held ──> planned, cancelled
    sending ──> accepted, refused, unknown         unknown ──> accepted, planned (proved absent), held
    refused ──> planned, held, dead                dead ──> planned (by a person), cancelled

accepted and cancelled are final. A document whose content is replaced stays where it is (or goes from refused to planned) and the
replacement is a move of its own, from a state to itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.session import Session

LEGAL: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "planned": frozenset({"held", "sending", "cancelled"}),
        "held": frozenset({"planned", "cancelled"}),
        "sending": frozenset({"accepted", "refused", "unknown"}),
        "unknown": frozenset({"accepted", "planned", "held"}),
        "refused": frozenset({"planned", "held", "dead"}),
        "dead": frozenset({"planned", "cancelled"}),
        "accepted": frozenset(),
        "cancelled": frozenset(),
    }
)
"""From each state, the states it may move to."""

FIRST: Final = frozenset({"planned"})
"""States a document may begin in."""

CONTENT_MAY_CHANGE: Final = frozenset({"planned", "held", "refused", "dead"})
"""States in which Intacct does not have the document, so that its content may still be replaced."""

_INSTANT = pl.Datetime("us", "UTC")
OUTBOX_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "document_id": pl.String(),
    "state_code": pl.String(),
    "intacct_key": pl.String(),
    "reason": pl.String(),
    "error_kind": pl.String(),
    "attempts_no": pl.Int64(),
    "failures_no": pl.Int64(),
    "batch_id": pl.String(),
    "control_id": pl.String(),
    "content_sha256": pl.String(),
    "lease_until_at": _INSTANT,
    "changed_at": _INSTANT,
    "run_id": pl.String(),
}
MOVES_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "document_id": pl.String(),
    "move_no": pl.Int64(),
    "from_state": pl.String(),
    "to_state": pl.String(),
    "reason": pl.String(),
    "actor": pl.String(),
    "batch_id": pl.String(),
    "at": _INSTANT,
    "run_id": pl.String(),
}


def is_legal(from_state: str | None, to_state: str, *, replaces_content: bool = False) -> bool:
    """Whether a move is one of the legal ones; `from_state` None is the first move of a document."""
    if from_state is None:
        return to_state in FIRST
    if replaces_content and from_state == to_state:
        return from_state in CONTENT_MAY_CHANGE
    return to_state in LEGAL.get(from_state, frozenset())


def move(
    session: Session,
    rows: pl.DataFrame,
    *,
    now: datetime,
    run_id: str,
    actor: str,
    changes: Mapping[str, pl.Expr] | None = None,
    replaces_content: bool = False,
) -> int:
    """Move documents: `rows` are their present outbox rows plus `to_state` and `why`; returns how many moved.

    `changes` are further columns of the outbox to set. Every move is appended to `ops.outbox_moves`.
    Raises `WarehouseError`, and nothing may be committed, if any move is not legal.
    """
    if rows.is_empty():
        return 0
    for before, after in rows.select("state_code", "to_state").unique().iter_rows():
        if not is_legal(before, after, replaces_content=replaces_content):
            culprit = rows.filter(
                pl.col("state_code").eq_missing(pl.lit(before, dtype=pl.String))
                & (pl.col("to_state") == after)
            )["document_id"][0]
            raise WarehouseError(
                f"Document {culprit} is {before or 'new'} and may not become {after}; nothing was changed."
            )
    instant = pl.lit(now, dtype=_INSTANT)
    outbox = rows.with_columns(**(changes or {})).with_columns(
        state_code=pl.col("to_state"), reason=pl.col("why"), changed_at=instant, run_id=pl.lit(run_id)
    )
    session.publish(
        "ops.outbox",
        outbox.select([pl.col(name).cast(dtype) for name, dtype in OUTBOX_SCHEMA.items()]),
        key=["document_id"],
        mode="merge",
        ignore=(),
    )
    ids = rows.select("document_id")
    numbers = session.query("last_moves", frames={"tieout_wanted": ids})
    batches = outbox.select("document_id", moved_batch=pl.col("batch_id"))
    moved = (
        rows.select("document_id", from_state=pl.col("state_code"), to_state="to_state", reason="why")
        .join(numbers, on="document_id", how="left")
        .join(batches, on="document_id", how="left")
        .with_columns(
            move_no=pl.col("move_no").fill_null(0) + 1,
            actor=pl.lit(actor),
            batch_id=pl.col("moved_batch"),
            at=instant,
            run_id=pl.lit(run_id),
        )
        .select([pl.col(name).cast(dtype) for name, dtype in MOVES_SCHEMA.items()])
    )
    session.publish("ops.outbox_moves", moved, key=["document_id", "move_no"], mode="append")
    return rows.height
