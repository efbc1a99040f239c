"""`tieout outbox`: what waits, why, and the few decisions a person may take about it, each with a name and a reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from tieout.errors import InputError
from tieout.money import show
from tieout.warehouse import outbox, runs

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

DECISIONS: dict[str, Callable[..., int]] = {
    "hold": outbox.hold,
    "release": outbox.release,
    "cancel": outbox.cancel,
    "replay": outbox.replay,
}
LIST_LIMIT = 100


def act(
    house: House, action: str, wanted: Sequence[str], *, reason: str, author: str, state: str | None
) -> list[str]:
    """Carry out one action and return the lines to print. Raises `InputError` for an unknown action, document or missing reason."""
    if action == "list":
        return _listed(house, state)
    if action not in ("show", *DECISIONS):
        raise InputError(f"There is no action '{action}'; choose one of list, show, {', '.join(DECISIONS)}.")
    if not wanted:
        raise InputError(f"Say which: tieout outbox {action} DOCUMENT …; `tieout outbox list` names them.")
    if action == "show":
        return _shown(house, wanted)
    if not author.strip() or not reason.strip():
        raise InputError(
            f"`tieout outbox {action}` needs --author and --reason; both are kept beside the document."
        )
    now = house.clock()
    run_id = runs.new_run_id(now=now, rng=random.SystemRandom())
    with house.warehouse.write(run_id=run_id) as session:
        ids = _ids(session, wanted)
        count = DECISIONS[action](session, ids, reason=reason, actor=author, now=now, run_id=run_id)
    return [f"{count} document(s): {action}, by {author}: {reason}"]


def _ids(session: Session, wanted: Sequence[str]) -> list[str]:
    """Document ids of what was named by id or by number. Raises `InputError`."""
    found: list[str] = []
    documents = session.fetch("out.documents", columns=["document_id", "number"])
    for one in wanted:
        hits = documents.filter((pl.col("document_id") == one) | (pl.col("number") == one))[
            "document_id"
        ].to_list()
        if len(hits) != 1:
            many = (
                f"stands for {len(hits)} documents; give the document id"
                if hits
                else "is not in the outbox; check its spelling"
            )
            raise InputError(f"'{one}' {many}.")
        found += hits
    return found


def _listed(house: House, state: str | None) -> list[str]:
    with house.warehouse.read() as session:
        states = session.fetch("ops.outbox")
        documents = session.fetch("out.documents")
    rows = states.join(documents.drop("content_sha256", "run_id"), on="document_id")
    rows = rows.filter(
        pl.col("state_code") == state if state else ~pl.col("state_code").is_in(["accepted", "cancelled"])
    )
    if rows.is_empty():
        return ["Nothing waits." if state is None else f"No document is {state}."]
    ordered = rows.sort("state_code", "kind_code", "changed_at", "document_id")
    lines = [_line(row) for row in ordered.head(LIST_LIMIT).iter_rows(named=True)]
    return lines + ([f"… and {rows.height - LIST_LIMIT} more"] if rows.height > LIST_LIMIT else [])


def _line(row: dict[str, Any]) -> str:
    amount = f"{show(row['total_minor'], row['currency'])} {row['currency']}" if row["currency"] else ""
    why = f" – {row['reason']}" if row["reason"] else ""
    return f"{row['state_code']:<9} {row['kind_code'].replace('_', ' '):<12} {row['document_id']}  {row['number']:<22} {amount:>18}  since {row['changed_at']:%Y-%m-%d %H:%M}{why}"


def _shown(house: House, wanted: Sequence[str]) -> list[str]:
    with house.warehouse.read() as session:
        ids = _ids(session, wanted)
        states = session.fetch("ops.outbox", where={"document_id": ids})
        documents = session.fetch("out.documents", where={"document_id": ids})
        lines = session.fetch("out.document_lines", where={"document_id": ids}).sort("document_id", "line_no")
        moves = session.fetch("ops.outbox_moves", where={"document_id": ids}).sort("document_id", "move_no")
    told: list[str] = []
    for row in states.join(documents.drop("content_sha256", "run_id"), on="document_id").iter_rows(
        named=True
    ):
        told.append(_line(row))
        for line in lines.filter(pl.col("document_id") == row["document_id"]).iter_rows(named=True):
            what = line["account_code"] or f"applied to {line['applies_to_id'] or line['applies_to_ref']}"
            told.append(
                f"    {line['line_no']:>3} {what:<28} {show(line['amount_minor'], row['currency']):>14}  {line['memo'] or ''}"
            )
        for move in moves.filter(pl.col("document_id") == row["document_id"]).iter_rows(named=True):
            told.append(
                f"    {move['at']:%Y-%m-%d %H:%M:%S} {move['from_state'] or 'new'} → {move['to_state']} by {move['actor']}"
                + (f" ({move['reason']})" if move["reason"] else "")
            )
    return told
