"""Sales orders of order entry as parts of the plan: web orders that become one, and closures of those that were cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.planning import owing
from transforms.postings import sales_orders

if TYPE_CHECKING:
    from flows.planning.owing import Trade
    from flows.wiring import House
    from transforms.postings.planned import Existing, Plan


def ordered(house: House, trade: Trade, there: Existing) -> sales_orders.Ordered:
    """The web orders that are owed a sales order by `[order_entry]`; none unless it says so."""
    when = house.settings.order_entry.orders
    if when == "none":
        return sales_orders.NOTHING
    return sales_orders.ordered(
        trade.orders,
        trade.lines,
        house.mappings["stores"],
        trade.owed.owed,
        there,
        owing.recognition_policy(house),
        when,
        events=(trade.shipments, trade.payments, trade.order_payments, trade.returns),
    )


def closures(
    house: House, trade: Trade, there: Existing, made: Plan, *, run_id: str
) -> sales_orders.Closures:
    """Sales orders to close, because their web orders were cancelled."""
    return sales_orders.closures(
        there,
        owing.changes(house, trade.orders),
        made.lines,
        owing.posting_policy(house),
        house.settings.order_entry.close_cancelled,
        run_id=run_id,
        planned_at=house.clock(),
    )
