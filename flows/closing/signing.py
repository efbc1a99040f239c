"""Signatures: the preparer's, a different reviewer's, and the reason for which a period is opened again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.closing import events, packing, periods
from flows.running import run_stage
from tieout.errors import InputError, WarehouseError
from transforms.closing.lifecycle import Standing, after, check_signer, standing

if TYPE_CHECKING:
    from flows.wiring import House


def sign_close(
    house: House, *, entity: str, period: str, role: str, author: str, note: str = ""
) -> dict[str, Any]:
    """Sign the newest close of a period, as a recorded run.

    Raises `InputError` for an unknown entity, period or role, a missing name, a reviewer who prepared it, or a close that is not at that point;
    `WarehouseError` if the pack is not what was sealed: nobody signs what cannot be read any more.
    """
    return run_stage(
        house, "sign", _signed, entity=entity, period=period, role=role, author=author, note=note
    )


def _signed(
    house: House, *, run_id: str, entity: str, period: str, role: str, author: str, note: str
) -> dict[str, Any]:
    span = periods.span_of(house, entity, period)
    with events.alone(house, entity, run_id):
        now = events.standing_of(house, entity, span.name)
        kind = check_signer(now, role, author)
        after(now, {"kind_code": kind, "author": author, "at": house.clock(), "event_no": now.last_no + 1})
        if kind == "reinstated":
            events.needs_words("note", note)
        _sound(house, entity, span.name, now)
        with house.warehouse.write(run_id=run_id) as session:
            then = events.append(
                house,
                session,
                entity=entity,
                period=span.name,
                kind=kind,
                author=author,
                run_id=run_id,
                reason=note,
            )
        print_again(house, entity, span.name)
    text = [
        f"{entity} {span.name} r{then.revision}: {_said(then)}",
        f"  bound to content {then.content_sha256}",
    ]
    return {
        "entity": entity,
        "period": span.name,
        "revision": then.revision,
        "state": then.state,
        "text": text,
    }


def reopen_close(house: House, *, entity: str, period: str, reason: str, author: str) -> dict[str, Any]:
    """Open a period again, as a recorded run; its signatures are void. Raises `InputError` without a reason, a name, or anything to open."""
    return run_stage(house, "reopen", _reopened, entity=entity, period=period, reason=reason, author=author)


def _reopened(
    house: House, *, run_id: str, entity: str, period: str, reason: str, author: str
) -> dict[str, Any]:
    span = periods.span_of(house, entity, period)
    events.needs_words("reason", reason)
    events.needs_words("author", author)
    with events.alone(house, entity, run_id):
        before = events.standing_of(house, entity, span.name)
        with house.warehouse.write(run_id=run_id) as session:
            events.append(
                house,
                session,
                entity=entity,
                period=span.name,
                kind="reopened",
                author=author,
                run_id=run_id,
                reason=reason,
            )
        problem = print_again(house, entity, span.name, must=False)
    signed = [name for name in (before.preparer, before.reviewer) if name]
    text = [f"{entity} {span.name} is open again; it was {before.state}."]
    if signed:
        text.append(f"  The signatures of {' and '.join(signed)} on r{before.revision} are void.")
    if problem:
        text.append(f"  {problem}")
    return {"entity": entity, "period": span.name, "state": "open", "text": text}


def _said(now: Standing) -> str:
    if now.state == "prepared":
        return f"signed by {now.preparer} as preparer; another person signs as reviewer"
    return f"locked, prepared by {now.preparer} and reviewed by {now.reviewer}"


def _sound(house: House, entity: str, period: str, now: Standing) -> None:
    path = pack_path(house, entity, period, now.revision)
    if packing.opened(path).content_sha256 != now.content_sha256:
        raise WarehouseError(
            f"The pack {path} carries other content than was closed; nothing was signed. Close the period again."
        )


def pack_path(house: House, entity: str, period: str, revision: int) -> Path:
    """Where the pack of a revision lies. Raises `InputError` if there is no such close."""
    with house.warehouse.read() as session:
        found = session.fetch(
            "ops.closes",
            where={"entity_code": entity, "period": period, "revision": revision},
            columns=["path"],
        )
    if found.is_empty():
        raise InputError(
            f"{entity} {period} was never closed; run `tieout close --entity {entity} --period {period}` first."
        )
    return house.reports / str(found["path"][0])


def print_again(house: House, entity: str, period: str, *, must: bool = True) -> str:
    """Print the newest pack again with what has happened since; returns why it could not be, which is raised if it must be."""
    with house.warehouse.read() as session:
        happened = events.events_of(session, entity, period)
    revision = standing(happened).revision
    try:
        packing.resealed(pack_path(house, entity, period, revision), happened, revision)
    except WarehouseError as fault:
        if must:
            raise
        return str(fault)
    return ""
