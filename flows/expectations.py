"""Is tonight plausible? Small aggregates for Great Expectations, which is imported only here and only when there is something to judge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from checks import findings as shape

if TYPE_CHECKING:
    from flows.wiring import House


def judge(house: House, run_id: str, tables: Mapping[str, pl.DataFrame], held: int) -> pl.DataFrame:
    """Findings of the expectation suites (always warnings), with their pages in `reports/expectations`; none if switched off or no trade."""
    if not house.settings.checks.expectations or tables["core.orders"].is_empty():
        return shape.empty()
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from checks.expectations import run

    now = house.clock()
    found = run(aggregates(tables, held, now), house.reports / "expectations")
    rows = [{**one, "run_id": run_id, "found_at": now} for one in found]
    return pl.DataFrame(rows, schema=shape.FINDINGS_SCHEMA) if rows else shape.empty()


def aggregates(tables: Mapping[str, pl.DataFrame], held: int, now: datetime) -> dict[str, pl.DataFrame]:
    """What the suites look at: trade by day, by currency, and shares; a few hundred rows at most."""
    orders = tables["core.orders"].filter(pl.col("problem").is_null())
    moved = tables["core.payments"].filter(pl.col("state_code") == "success")
    recent = pl.col("placed_at") >= pl.lit(now - timedelta(days=7), dtype=pl.Datetime("us", "UTC"))
    return {
        "orders_per_day": orders.group_by("storefront", pl.col("placed_at").dt.date().alias("on"))
        .agg(pl.len().cast(pl.Int64).alias("order_count"))
        # The day that is not over yet is not a whole day.
        .filter(pl.col("on") < now.date())
        .sort("storefront", "on"),
        "currencies": orders.group_by("storefront", "currency")
        .agg(
            recent.sum().cast(pl.Int64).alias("recent_count"),
            (~recent).sum().cast(pl.Int64).alias("earlier_count"),
        )
        .sort("storefront", "currency"),
        "held": orders.group_by("storefront")
        .agg(pl.len().cast(pl.Int64).alias("order_count"))
        .with_columns(pl.lit(held, dtype=pl.Int64).alias("held_count"))
        .sort("storefront"),
        "refunds": moved.group_by("storefront", "currency")
        .agg(
            pl.col("amount_minor").filter(pl.col("kind_code") == "charge").sum().alias("charged_minor"),
            pl.col("amount_minor").filter(pl.col("kind_code") == "refund").sum().alias("refunded_minor"),
        )
        .sort("storefront", "currency"),
    }
