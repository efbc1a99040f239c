"""`tieout stock`: how safety buffers would have done, from the warehouse's own history."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tieout.errors import InputError
from tieout.reports.backtest import interval_words, write_backtest
from transforms.stock.backtest import ALL_CLASSES, Backtest, backtest, demand, shipped
from transforms.stock.parts import takes

if TYPE_CHECKING:
    from flows.wiring import House


def replay(
    house: House, *, since: datetime | None, until: datetime | None, out: Path | None, oversell_weight: int
) -> list[str]:
    """Back-test the buffers over a time (the last 90 days by default), write tables and page, and return the lines to print."""
    end = until or house.clock()
    start = since or end - timedelta(days=90)
    if start >= end:
        raise InputError(
            f"--since {start:%Y-%m-%d %H:%M} does not lie before --until {end:%Y-%m-%d %H:%M}; turn them round."
        )
    with house.warehouse.read() as session:
        orders = session.fetch("core.orders", columns=["storefront", "order_ref", "placed_at", "is_test"])
        lines = session.fetch(
            "core.order_lines",
            columns=["storefront", "order_ref", "line_ref", "kind_code", "sku", "quantity"],
        )
        shipments = session.fetch("core.shipments")
        readings = session.fetch("core.stock", where={"source": "intacct"})
    taken = takes(lines.filter(pl.col("sku").is_not_null()), house.mappings["items"], house.mappings["kits"])
    found = backtest(
        readings,
        demand(orders, lines, taken),
        shipped(orders, lines, shipments, taken),
        taken.select("item_ref", "class_ref"),
        since=start,
        until=end,
        oversell_weight=oversell_weight,
    )
    folder = out or house.reports / "stock-backtest"
    facts = {
        "from": f"{start:%Y-%m-%d %H:%M} UTC",
        "to": f"{end:%Y-%m-%d %H:%M} UTC",
        "readings of the ledger's stock": f"{found.readings_count:,}",
        "one unit oversold weighs": f"{oversell_weight} lost sales",
    }
    paths = write_backtest(folder, found.results, found.best, facts)
    return [*_told(found), *(f"written: {path}" for path in paths)]


def _told(found: Backtest) -> list[str]:
    told = []
    if found.readings_count < 3:
        told.append(
            f"Only {found.readings_count} reading(s) of the ledger's stock lie in that time: what other channels took between them is not seen."
        )
    for name, block in _by_class(found.best):
        told.append(f"{name}:")
        told += [
            f"  every {interval_words(row['interval_minutes']):<7} best buffer {row['buffer_percent']:>2} %: "
            f"{row['oversold_qty'].normalize():f} oversold, {row['lost_qty'].normalize():f} lost, {row['short_qty'].normalize():f} short "
            f"of {row['asked_qty'].normalize():f} asked for"
            for row in block.iter_rows(named=True)
        ]
    return told


def _by_class(best: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    names = [ALL_CLASSES, *(one for one in best["class_ref"].unique().sort().to_list() if one != ALL_CLASSES)]
    return [(name, best.filter(pl.col("class_ref") == name)) for name in names]
