"""The only legal moves of a document in the outbox, and how they are made: `move` for frames of any size, `Walk` for documents that each go
a way of their own, `stride` for many that take one and the same step.

    planned ──> held, sending, cancelled           held ──> planned, cancelled
    sending ──> accepted, refused, unknown         unknown ──> accepted, planned (proved absent), held
    refused ──> planned, held, dead                dead ──> planned (by a person), cancelled

accepted and cancelled are final; an accepted document whose record Intacct made anew under another key stays accepted, and the new key is a
move of its own. A document whose content is replaced stays where it is (or goes from refused to planned) and the
replacement is a move of its own, from a state to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

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
    "moves_no": pl.Int64(),
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


def is_legal(
    from_state: str | None,
    to_state: str,
    *,
    replaces_content: bool = False,
    follows_record: bool = False,
) -> bool:
    """Whether a move is one of the legal ones; `from_state` None is the first move of a document."""
    if from_state is None:
        return to_state in FIRST
    if follows_record:
        return from_state == to_state == "accepted"
    if replaces_content and from_state == to_state:
        return from_state in CONTENT_MAY_CHANGE
    return to_state in LEGAL.get(from_state, frozenset())


def present(session: Session, document_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Outbox rows of these documents by id, as a `Walk` takes them; documents that are not there are left out."""
    wanted = pl.DataFrame({"document_id": list(document_ids)}, schema={"document_id": pl.String})
    rows = session.query("outbox_rows", frames={"tieout_wanted": wanted})
    return {row["document_id"]: row for row in numbered(session, rows).iter_rows(named=True)}


class Walk:
    """Moves of one batch, collected step by step and stored at the end by one statement for the outbox and one for its moves.

    A batch is at most a hundred documents, each with a way of its own: walking them as rows costs a tenth of what as many small frames do.
    Nothing is stored before `store`, and only if every step was legal.
    """

    def __init__(self, session: Session, *, now: datetime, run_id: str, actor: str) -> None:
        self._session, self._now, self._run_id, self._actor = session, now, run_id, actor
        self._rows: dict[str, dict[str, Any]] = {}
        self._moves: list[tuple[Any, ...]] = []

    def step(self, row: dict[str, Any], to_state: str, why: str | None, **changes: Any) -> None:
        """Move one document, whose outbox row is changed in place; `changes` are further columns to set.

        Raises `WarehouseError`, and nothing may be committed, if the move is not legal.
        """
        before = row["state_code"]
        if not is_legal(before, to_state):
            raise _illegal(row["document_id"], before, to_state)
        row.update(changes)
        row.update(
            state_code=to_state,
            reason=why,
            changed_at=self._now,
            run_id=self._run_id,
            moves_no=row["moves_no"] + 1,
        )
        identity = row["document_id"]
        self._rows[identity] = row
        self._moves.append(
            (identity, row["moves_no"], before, to_state, why, self._actor, row["batch_id"], self._now, self._run_id)
        )  # fmt: skip

    def store(self) -> None:
        """Write what was walked, within the caller's transaction. A walk that is stored is over."""
        if self._moves:
            outbox = pl.DataFrame(list(self._rows.values()), schema=OUTBOX_SCHEMA, orient="row")
            _write(self._session, outbox, pl.DataFrame(self._moves, schema=MOVES_SCHEMA, orient="row"))
        self._rows, self._moves = {}, []


def stride(
    session: Session,
    sql_name: str,
    frame: pl.DataFrame,
    *,
    from_state: str,
    to_state: str,
    now: datetime,
    run_id: str,
    actor: str,
    **params: Any,
) -> frozenset[str]:
    """One step of many documents by one stored UPDATE, which moves those of the frame that still stand in `from_state`; returns which moved.

    The statement returns document_id, moves_no, batch_id and reason of what it changed. Raises `WarehouseError`, and nothing may be
    committed, if the step is not legal, or if a document is there twice.
    """
    if frame.is_empty():
        return frozenset()
    if not is_legal(from_state, to_state):
        raise _illegal(str(frame["document_id"][0]), from_state, to_state)
    rows = session.change_told(sql_name, frame, now=now, run_id=run_id, **params)
    moved = frozenset(row[0] for row in rows)
    if len(moved) != len(rows):
        raise WarehouseError(f"{sql_name} found a document twice in the outbox; nothing was written.")
    if rows:
        moves = [
            (one, no, from_state, to_state, why, actor, batch, now, run_id) for one, no, batch, why in rows
        ]
        session.change(
            "outbox_moves_append", pl.DataFrame(moves, schema=MOVES_SCHEMA, orient="row"), rows=len(moves)
        )
    return moved


def move(
    session: Session,
    rows: pl.DataFrame,
    *,
    now: datetime,
    run_id: str,
    actor: str,
    changes: Mapping[str, pl.Expr] | None = None,
    replaces_content: bool = False,
    follows_record: bool = False,
) -> int:
    """Move documents: `rows` are their present outbox rows plus `to_state` and `why`; returns how many moved.

    `changes` are further columns of the outbox to set. Every move is appended to `ops.outbox_moves`.
    Raises `WarehouseError`, and nothing may be committed, if any move is not legal.
    """
    if rows.is_empty():
        return 0
    for before, after in rows.select("state_code", "to_state").unique().iter_rows():
        if not is_legal(before, after, replaces_content=replaces_content, follows_record=follows_record):
            culprit = rows.filter(
                pl.col("state_code").eq_missing(pl.lit(before, dtype=pl.String))
                & (pl.col("to_state") == after)
            )["document_id"][0]
            raise _illegal(culprit, before, after)
    instant = pl.lit(now, dtype=_INSTANT)
    known = numbered(session, rows)
    outbox = known.with_columns(**(changes or {})).with_columns(
        state_code=pl.col("to_state"),
        reason=pl.col("why"),
        changed_at=instant,
        run_id=pl.lit(run_id),
        moves_no=pl.col("moves_no") + 1,
    )
    moved = known.select(
        "document_id", "to_state", move_no=pl.col("moves_no") + 1, from_state="state_code", reason="why"
    ).with_columns(batch_id=outbox["batch_id"], actor=pl.lit(actor), at=instant, run_id=pl.lit(run_id))
    _write(
        session,
        outbox.select([pl.col(name).cast(dtype) for name, dtype in OUTBOX_SCHEMA.items()]),
        moved.select([pl.col(name).cast(dtype) for name, dtype in MOVES_SCHEMA.items()]),
        new=known["state_code"].null_count(),
    )
    return rows.height


def numbered(session: Session, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that know how many moves they have made; those of a warehouse from before that was kept are counted."""
    kept = pl.col("moves_no") if "moves_no" in rows.columns else pl.lit(None, dtype=pl.Int64)
    known = rows.with_columns(moves_no=pl.when(pl.col("state_code").is_null()).then(0).otherwise(kept))
    if not known["moves_no"].null_count():
        return known
    counted = session.query("last_moves", frames={"tieout_wanted": rows.select("document_id")})
    return (
        known.join(counted, on="document_id", how="left", maintain_order="left")
        .with_columns(moves_no=pl.coalesce("moves_no", "move_no", pl.lit(0)))
        .drop("move_no")
    )


def _write(session: Session, outbox: pl.DataFrame, moves: pl.DataFrame, *, new: int = 0) -> None:
    """One statement for the outbox and one for the moves. That each document is there once is what the number of changed rows proves.

    Raises `WarehouseError` if it is not; the session is then never committed.
    """
    if new and new != outbox.height:
        raise WarehouseError("Documents that begin and documents that move on cannot be moved at once.")
    if new:
        session.publish("ops.outbox", outbox, key=["document_id"], mode="append")
    else:
        session.change("outbox_move", outbox, rows=outbox.height)
    session.change("outbox_moves_append", moves, rows=moves.height)


def _illegal(document_id: str, before: str | None, after: str) -> WarehouseError:
    return WarehouseError(
        f"Document {document_id} is {before or 'new'} and may not become {after}; nothing was changed."
    )
