"""Why documents wait although they could go: a maintenance window, closed books, a month's quota that would be passed."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

from flows.posting import quota
from flows.wiring import House
from tieout.connectors.intacct.gateway import Intacct
from tieout.errors import MalformedReply, Refused, Rejected, Stopped
from tieout.warehouse import maintenance, outbox

if TYPE_CHECKING:
    from tieout.warehouse.session import Session


def maintenance_reason(house: House, session: Session | None = None) -> str | None:
    """Why nothing may be sent to the company right now: its nightly window, or one that a person announced. None if it may."""
    nightly = nightly_window(house)
    if nightly is not None:
        return nightly
    now = house.clock()
    if session is None:
        with house.warehouse.read() as reading:
            announced = maintenance.open_window(reading, now=now)
    else:
        announced = maintenance.open_window(session, now=now)
    if announced is None:
        return None
    return (
        f"maintenance until {announced['until_at']:%Y-%m-%d %H:%M} UTC, announced by {announced['author']} "
        f"({announced['reason']}); documents wait"
    )


def nightly_window(house: House) -> str | None:
    """The sentence for the company's nightly window, if it is open now; needs no look into the warehouse."""
    window = house.ledger.maintenance
    if window is not None and _inside(house.clock().time().replace(tzinfo=None), window.start, window.end):
        return f"maintenance window of the company until {window.end:%H:%M} UTC; documents wait"
    return None


def _inside(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else now >= start or now < end


def within_quota(house: House, *, run_id: str, force: bool) -> str:
    """Keep the month's forecast and return its sentence. Raises `Stopped` if what is planned cannot be posted within it, unless forced."""
    with house.warehouse.write(run_id=run_id) as session:
        found = quota.forecast(house, session)
        quota.keep(house, session, found, run_id=run_id)
    if not found.fits_now and not force:
        raise Stopped(
            f"Posting {found.planned} documents would use {found.used + found.planned} of this month's {found.limit} API transactions; nothing was sent. "
            "Post them with --force if Sage's overage is acceptable, raise quota_per_month in tieout.toml, or wait for the next month."
        )
    return found.sentence()


def closed_books(house: House, client: Intacct, *, run_id: str) -> tuple[int, int, list[str]]:
    """Ask each entity through which day its books are closed, before anything dated is sent.

    Planned documents of closed days are held on the list of closed periods; those on the list whose day is open (again) are planned.
    Returns how many were held, how many released, and what could not be asked. Costs one read per entity with dated documents.
    """
    with house.warehouse.read() as session:
        waiting = session.fetch("ops.outbox", where={"state_code": ["planned", "held"]}).filter(
            (pl.col("state_code") == "planned")
            | pl.col("error_kind").eq_missing(pl.lit(outbox.CLOSED_PERIOD))
        )
        dated = (
            session.fetch("out.documents", columns=["document_id", "entity_code", "document_on"])
            .filter(pl.col("document_on").is_not_null())
            .join(waiting, on="document_id")
        )
    shut: dict[str, list[str]] = {}
    free: list[str] = []
    told: list[str] = []
    for (code,), block in dated.group_by("entity_code", maintain_order=True):
        entity = str(code)
        try:
            closed = client.closed_through(entity if house.ledger.entity_sessions else None)
        except (Rejected, MalformedReply, Refused) as fault:
            if isinstance(fault, Refused) and fault.context.get("sign_in"):
                raise
            # A company that will not say still refuses what is too old; then it is held for the same reason, one by one.
            told.append(f"Entity {entity} does not say through which day its books are closed: {fault}")
            continue
        late = pl.lit(False) if closed is None else pl.col("document_on") <= closed
        mine = block.filter(late & (pl.col("state_code") == "planned"))["document_id"].to_list()
        if mine and closed is not None:
            shut.setdefault(closed_reason(entity, closed), []).extend(mine)
        free += block.filter(~late & (pl.col("state_code") == "held"))["document_id"].to_list()
    if not shut and not free:
        return 0, 0, told
    with house.warehouse.write(run_id=run_id) as session:
        tell = {"actor": "tieout", "now": house.clock(), "run_id": run_id}
        for reason, ids in shut.items():
            outbox.hold_closed(session, ids, reason=reason, **tell)  # type: ignore[arg-type]
        if free:
            outbox.release(session, free, reason="its day is open in Intacct", **tell)  # type: ignore[arg-type]
    return sum(map(len, shut.values())), len(free), told


def closed_reason(entity: str, closed: date) -> str:
    """What stands beside a document of a closed day."""
    first = closed + timedelta(days=1)
    return (
        f"books of {entity} are closed through {closed}: post it on {first} with `tieout outbox first-open`, wait until they are reopened "
        "(it then goes by itself), or `tieout outbox cancel` it"
    )
