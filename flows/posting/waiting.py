"""`tieout outbox`: what waits, why, and the few decisions a person may take about it, each with a name and a reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.exchange import Recorder
from flows.posting import editing
from flows.posting.explaining import explained, lines_of
from tieout.errors import InputError
from tieout.money import show
from tieout.warehouse import alerts, outbox, runs

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

DECISIONS: dict[str, Callable[..., int]] = {
    "hold": outbox.hold,
    "release": outbox.release,
    "cancel": outbox.cancel,
    "replay": outbox.replay,
}
ACTIONS = ("list", "closed", "show", "explain", "edit", "first-open", *DECISIONS)
LIST_LIMIT = 100


@dataclass(frozen=True)
class Order:
    """What the command line asks of the outbox."""

    action: str = "list"
    documents: Sequence[str] = ()
    reason: str = ""
    author: str = ""
    state: str | None = None
    changes: Sequence[str] = ()
    line: int | None = None
    on: date | None = None


def act(house: House, order: Order) -> list[str]:
    """Carry out one action and return the lines to print. Raises `InputError` for an unknown action, document or missing reason."""
    action = order.action
    if action in ("list", "closed"):
        return _listed(found(house, order), order.state)
    if action not in ACTIONS:
        raise InputError(f"There is no action '{action}'; choose one of {', '.join(ACTIONS)}.")
    if not order.documents:
        raise InputError(f"Say which: tieout outbox {action} DOCUMENT …; `tieout outbox list` names them.")
    if action in ("show", "explain"):
        return _shown(found(house, order), whole=action == "show")
    if not order.author.strip() or not order.reason.strip():
        raise InputError(
            f"`tieout outbox {action}` needs --author and --reason; both are kept beside the document."
        )
    return [f"{_decided(house, order)} document(s): {action}, by {order.author}: {order.reason}"]


def _decided(house: House, order: Order) -> int:
    now = house.clock()
    run_id = runs.new_run_id(now=now, rng=random.SystemRandom())
    closed = _closed_days(house, run_id) if order.action == "first-open" else {}
    with house.warehouse.write(run_id=run_id) as session:
        ids = _ids(session, order.documents)
        tell: dict[str, Any] = {"reason": order.reason, "run_id": run_id}
        if order.action == "edit":
            changes = _changes(order.changes)
            return editing.edit(house, session, ids, changes, line=order.line, author=order.author, **tell)
        if order.action == "first-open":
            count = editing.first_open(house, session, ids, closed, on=order.on, author=order.author, **tell)
        else:
            count = DECISIONS[order.action](session, ids, actor=order.author, now=now, **tell)
        if order.action in ("replay", "cancel"):
            alerts.settle_subjects(
                session, "dead_document", ids, reason=f"{order.action}: {order.reason}", now=now, actor=order.author
            )  # fmt: skip
    return count


def _changes(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    bad = next((one for one, (_, sign, _v) in zip(given, pairs, strict=True) if not sign), None)
    if bad is not None or not pairs:
        raise InputError("Say what to change: --set field=value, e.g. --line 1 --set account_code=4010.")
    return {field.strip(): value.strip() for field, _, value in pairs}


def _closed_days(house: House, run_id: str) -> dict[str, date | None]:
    """The last closed day of each entity, asked of Intacct now."""
    recorder = Recorder(house, run_id, purpose="query")
    client = house.intacct(archive=recorder.archive, meter=recorder.meter)
    try:
        return {
            entity.code: client.closed_through(entity.code if house.ledger.entity_sessions else None)
            for entity in house.settings.entities
        }
    finally:
        recorder.close()
        client.close()


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


def found(house: House, order: Order) -> list[dict[str, Any]]:
    """The documents an action of looking is about, as plain values: for machines, and for the text that people read."""
    closed = order.action == "closed"
    with house.warehouse.read() as session:
        where = {"document_id": _ids(session, order.documents)} if order.documents else {}
        if closed or order.state:
            where["state_code"] = ["held" if closed else str(order.state)]
        states = session.fetch("ops.outbox", where=where)
        if closed:
            states = states.filter(pl.col("error_kind") == outbox.CLOSED_PERIOD)
        elif not where:
            states = states.filter(~pl.col("state_code").is_in(["accepted", "cancelled"]))
        ids = states.select("document_id")
        documents = session.fetch("out.documents", where=ids)
        rows = states.join(documents.drop("content_sha256", "run_id"), on="document_id").sort(
            "state_code", "kind_code", "changed_at", "document_id"
        )
        told = rows.to_dicts()
        if order.action not in ("show", "explain"):
            return told
        parts = {
            "lines": session.fetch("out.document_lines", where=ids).sort("line_no"),
            "orders": session.fetch("out.document_orders", where=ids).sort("storefront", "order_ref"),
            "moves": session.fetch("ops.outbox_moves", where=ids).sort("move_no"),
            "edits": session.fetch(
                "ops.edits", where={"subject_code": ["document", "line"]}
            ).rename({"subject_ref": "document_id"}).sort("edit_id"),
        }  # fmt: skip
        for row in told:
            for name, frame in parts.items():
                row[name] = frame.filter(pl.col("document_id") == row["document_id"]).to_dicts()
            row["explanation"] = explained(house, session, row)
    return told


def _listed(rows: list[dict[str, Any]], state: str | None) -> list[str]:
    if not rows:
        return ["Nothing waits." if state is None else f"No document is {state}."]
    lines = [_line(row) for row in rows[:LIST_LIMIT]]
    return lines + ([f"… and {len(rows) - LIST_LIMIT} more"] if len(rows) > LIST_LIMIT else [])


def _line(row: dict[str, Any]) -> str:
    amount = f"{show(row['total_minor'], row['currency'])} {row['currency']}" if row["currency"] else ""
    why = f" – {row['reason']}" if row["reason"] else ""
    return f"{row['state_code']:<9} {row['kind_code'].replace('_', ' '):<12} {row['document_id']}  {row['number']:<22} {amount:>18}  since {row['changed_at']:%Y-%m-%d %H:%M}{why}"


def _shown(rows: list[dict[str, Any]], *, whole: bool) -> list[str]:
    told: list[str] = []
    for row in rows:
        told += [_line(row), *lines_of(row["explanation"])]
        if not whole:
            continue
        for line in row["lines"]:
            what = line["account_code"] or f"applied to {line['applies_to_id'] or line['applies_to_ref']}"
            told.append(
                f"    {line['line_no']:>3} {what:<28} {show(line['amount_minor'], row['currency']):>14}  {line['memo'] or ''}"
            )
        if len(row["orders"]) > 1:
            told += [
                f"    order {one['order_number'] or one['order_ref']:<22} {show(one['amount_minor'], row['currency']):>14}"
                for one in row["orders"]
            ]
        told += [
            f"    {one['at']:%Y-%m-%d %H:%M:%S} {one['field']} was {one['before'] or 'empty'}, now {one['after'] or 'empty'}, by {one['author']} ({one['reason']})"
            for one in row["edits"]
        ]
        told += [
            f"    {move['at']:%Y-%m-%d %H:%M:%S} {move['from_state'] or 'new'} → {move['to_state']} by {move['actor']}"
            + (f" ({move['reason']})" if move["reason"] else "")
            for move in row["moves"]
        ]
    return told
