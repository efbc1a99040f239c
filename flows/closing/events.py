"""The events of a close: read, and appended in one transaction that checks the move, the signer and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from tieout.errors import Busy, InputError
from tieout.warehouse.locking import AdvisoryLock
from transforms.closing.lifecycle import Standing, after, check_clock, standing

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

TABLE = "ops.close_events"


def events_of(session: Session, entity: str, period: str) -> list[dict[str, Any]]:
    """The events of one entity and period, in order."""
    return session.fetch(TABLE, where={"entity_code": entity, "period": period}).sort("event_no").to_dicts()


def standing_of(house: House, entity: str, period: str) -> Standing:
    """Where a close stands now."""
    with house.warehouse.read() as session:
        return standing(events_of(session, entity, period))


def append(
    house: House, session: Session, *, entity: str, period: str, kind: str, author: str, run_id: str, reason: str = "",
    revision: int | None = None, content_sha256: str | None = None, at: datetime | None = None,
) -> Standing:  # fmt: skip
    """Append one event, which happens now or happened `at` an instant, inside an open write transaction and return the standing after it.
    Raises `InputError` if it may not happen."""
    now = standing(events_of(session, entity, period))
    at = at or house.clock()
    check_clock(now, at)
    row = {
        "entity_code": entity,
        "period": period,
        "event_no": now.last_no + 1,
        "kind_code": kind,
        "revision": revision or now.revision,
        "content_sha256": content_sha256 or now.content_sha256,
        "author": " ".join(author.split()),
        "reason": " ".join(reason.split()),
        "at": at,
        "run_id": run_id,
    }
    then = after(now, row)
    table = ALL[TABLE]
    frame = pl.DataFrame([row], schema=table.polars_schema)
    session.publish(TABLE, table.checked(frame, at="when closing"), key=table.key, mode="append")
    return then


def needs_words(name: str, value: str) -> str:
    """A reason or name that must not be empty. Raises `InputError`."""
    if not value.strip():
        raise InputError(f"Give --{name}: it stays beside the close for good.")
    return value


@contextmanager
def alone(house: House, entity: str, run_id: str) -> Iterator[None]:
    """Hold the close of one entity, so that two never work on it at once. Raises `Busy`."""
    mark = sha256(entity.encode()).hexdigest()[:12]
    house.warehouse.folder.mkdir(parents=True, exist_ok=True)
    lock = AdvisoryLock(
        house.warehouse.folder / f"close-{mark}.lock",
        seconds=min(house.settings.installation.lock_seconds, 5),
    )
    held = False
    try:
        with lock.hold(run_id=run_id, exclusive=True):
            held = True
            yield
    except Busy:
        if held:
            raise  # it is the warehouse that is busy, not the close
        raise Busy(
            f"{entity} is being closed by another run ({lock.holder()}); try again when it has ended."
        ) from None
