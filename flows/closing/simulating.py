"""The cut-off simulator: the same period by placed, captured, shipped and invoiced date, and which orders straddle its edge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.closing import periods
from flows.planning import owing
from tieout.errors import EXIT_OK, InputError
from tieout.money import show
from tieout.vocabulary import CUTOFF_BASES
from transforms.closing import cutoffs
from transforms.owed.recognition import owed

if TYPE_CHECKING:
    from flows.wiring import House

LISTED = 20


def cutoff(house: House, *, period: str, entity: str | None = None, limit: int = LISTED) -> dict[str, Any]:
    """What each basis would recognise in a period, per storefront, entity and currency, and the orders that hang on it. Changes nothing.

    Raises `InputError` for an unknown entity or period, or when no order is known.
    """
    if entity is not None:
        periods.span_of(house, entity, period)
    window = periods.period_named(house, period)
    with house.warehouse.read() as session:
        trade = owing.trade(house, session)
    if trade.orders.is_empty():
        raise InputError(
            "No order is known, so there is no cut-off to look at; run `tieout run extract` and `tieout run stage` first."
        )
    declared = owing.recognition_policy(house)
    # Not every storefront says when it invoiced.
    says = (
        trade.orders.drop_nulls("invoiced_at")["storefront"].unique().to_list()
        if "invoiced_at" in trade.orders.columns
        else []
    )
    silent = sorted(set(trade.orders["storefront"].unique().to_list()) - set(says))
    bases_known = [one for one in CUTOFF_BASES if one != "invoiced" or says]
    by_basis = {
        basis: owed(
            trade.orders, trade.lines, trade.shipments, trade.payments, trade.order_payments, trade.returns, house.mappings["stores"],
            policy=replace(declared, basis=basis, bases=dict.fromkeys(declared.bases, basis)), order_tenders=trade.order_tenders,
        ).owed
        for basis in bases_known
    }  # fmt: skip
    found = cutoffs.recognised(by_basis, window, {"invoiced": silent})
    if entity is not None:
        found = found.filter(pl.col("entity_code") == entity)
    bases = {name: front.cutoff for name, front in house.settings.storefronts.items()}
    sums, swing = cutoffs.by_basis(found, bases), cutoffs.straddling(found, bases)
    text = _text(period, sums, swing, limit)
    text += [f"By invoiced: not known for {name}, whose orders say no such date" for name in silent]
    return {"text": text, "by_basis": sums.to_dicts(), "straddling": swing.to_dicts(), "exit_code": EXIT_OK}


def _text(period: str, sums: pl.DataFrame, swing: pl.DataFrame, limit: int) -> list[str]:
    if sums.is_empty():
        return [f"No basis recognises anything in {period}."]
    lines = []
    for (front, entity, currency), block in sums.group_by(
        ["storefront", "entity_code", "currency"], maintain_order=True
    ):
        lines.append(f"{period} {front} {entity} {currency}")
        for one in block.iter_rows(named=True):
            mark = (
                "declared"
                if one["is_declared"]
                else f"{show(one['from_declared_minor'], str(currency))} in {one['straddling_count']:,} orders"
            )
            lines.append(
                f"  by {one['basis']:<9} {one['order_count']:>7,} orders {show(one['amount_minor'], str(currency)):>18}  {mark}"
            )
    names = [
        name
        for name in swing.columns
        if name.endswith("_minor") and name not in ("declared_minor", "swing_minor")
    ]
    lines.append(
        f"{swing.height:,} orders straddle the edge of {period}"
        + (", the largest first:" if swing.height else "")
    )
    for one in swing.head(limit).iter_rows(named=True):
        said = ", ".join(
            f"{name.removesuffix('_minor')} {show(one[name], one['currency'])}" for name in names
        )
        lines.append(f"  {one['order_number'] or one['order_ref']:<16} {one['currency']} {said}")
    if swing.height > limit:
        lines.append(f"  and {swing.height - limit:,} more; --limit shows them")
    return lines
