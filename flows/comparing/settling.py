"""Payouts as a part of the reconciliation: what the providers paid out against the money that moved, the fees agreed and the rates stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from transforms.closing.follow_up import Payouts
from transforms.reconcile.settlements import Settled, settle

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


def settled(house: House) -> Settled:
    """Payments against payouts, over everything that was read; without payouts it has no rows. Raises `DoesNotFoot`."""
    from flows.reconcile import proved_table

    with house.warehouse.read() as session:
        lines = session.fetch("core.payout_lines")
        some = lines.height > 0
        payments = session.fetch("core.payments") if some else ALL["core.payments"].empty()
        named = session.fetch("core.order_payments") if some else ALL["core.order_payments"].empty()
    found = settle(
        payments,
        named,
        lines,
        house.mappings["fees"],
        house.mappings["rates"],
        days=house.settings.reconciliation.settlement_days,
    )
    proved_table(found.footing)
    return found


def payouts_read(house: House, session: Session) -> Payouts | None:
    """What providers paid out, as a close reads and packs it, in an order of its own; None where no payout was read."""
    lines = session.fetch("core.payout_lines")
    if lines.is_empty():
        return None
    kept = lines.drop("run_id", "payload_sha256").sort("storefront", "payout_ref", "line_ref")
    return Payouts(kept, house.mappings["fees"], house.mappings["rates"])


def publish(session: Session, found: Settled) -> None:
    """Publish recon.settlements."""
    table = ALL["recon.settlements"]
    rows = table.checked(table.shaped(found.rows), at="when comparing payouts")
    session.publish(table.name, rows, key=table.key, mode="replace")


def figures(found: Settled) -> dict[str, Any]:
    """What the run's summary says of it."""
    if found.rows.is_empty():
        return {}
    wrong = found.rows.filter(pl.col("family_code") == "error").height
    return {"settlement_rows": found.rows.height, "settlement_errors": wrong}
