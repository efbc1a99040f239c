"""Back-test of safety buffers: past sales and stock readings replayed under other buffers and sync intervals.

The ledger's free stock plus what web orders had shipped by then is what there would have been without any web trade: it moves only by
receipts and by other channels. Web demand is replayed against it. At each sync the shop is told what is free less the buffer; between
syncs it sells what it was told, and other channels go on taking. What was promised and is gone at the end of an interval is oversold
(and given up, as a shop cancels what it cannot send); what was asked for while goods lay behind the buffer, or unknown to the shop, is
a lost sale; what was asked for when there was nothing is neither, but short.

Quantities are whole ten-thousandths inside. Warehouses of an item are taken together, because an order does not say where from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tieout.errors import InputError
from transforms.owed.shares import QUANTITY_SCALE, whole_quantity

_INSTANT: Final = pl.Datetime("us", "UTC")
BUFFERS: Final = tuple(range(21))
"""Percent of what is free, each whole percent from 0 to 20."""
INTERVALS: Final = (15, 30, 60, 120, 240, 480, 1440)
"""Minutes between two syncs."""
ALL_CLASSES: Final = "(all)"

Whole = npt.NDArray[np.int64]

RESULT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "class_ref": pl.String(),
    "interval_minutes": pl.Int64(),
    "buffer_percent": pl.Int64(),
    "item_count": pl.Int64(),
    "asked_qty": pl.Decimal(18, 4),
    "sold_qty": pl.Decimal(18, 4),
    "oversold_qty": pl.Decimal(18, 4),
    "lost_qty": pl.Decimal(18, 4),
    "short_qty": pl.Decimal(18, 4),
    "penalty_qty": pl.Decimal(18, 4),
}


@dataclass(frozen=True)
class Backtest:
    """`results`: one row per class (and all together), interval and buffer. `best`: per class and interval the buffer with the least
    penalty. `readings_count`: how many readings of the ledger's stock there were to go by."""

    results: pl.DataFrame
    best: pl.DataFrame
    readings_count: int


def demand(orders: pl.DataFrame, lines: pl.DataFrame, takes: pl.DataFrame) -> pl.DataFrame:
    """What web orders asked for, in units of the item: `item_ref`, `at`, `asked` (ten-thousandths).

    `takes` says which items a SKU takes: `storefront`, `sku`, `item_ref`, `per_piece` (ten-thousandths). Tests are left out; cancelled orders were
    asked for all the same.
    """
    placed = orders.filter(~pl.col("is_test")).select("storefront", "order_ref", "placed_at")
    return (
        lines.filter((pl.col("kind_code") == "item") & pl.col("sku").is_not_null())
        .join(placed, on=["storefront", "order_ref"])
        .join(takes, on=["storefront", "sku"])
        .select("item_ref", at="placed_at", asked=_units())
    )


def shipped(
    orders: pl.DataFrame, lines: pl.DataFrame, shipments: pl.DataFrame, takes: pl.DataFrame
) -> pl.DataFrame:
    """What web orders took off the shelves: `item_ref`, `at`, `asked` (ten-thousandths)."""
    real = orders.filter(~pl.col("is_test")).select("storefront", "order_ref")
    named = lines.filter(pl.col("kind_code") == "item").select("storefront", "order_ref", "line_ref", "sku")
    return (
        shipments.select("storefront", "order_ref", "line_ref", "quantity", "shipped_at")
        .join(real, on=["storefront", "order_ref"])
        .join(named, on=["storefront", "order_ref", "line_ref"])
        .join(takes, on=["storefront", "sku"])
        .select("item_ref", at="shipped_at", asked=_units())
    )


def backtest(
    readings: pl.DataFrame,
    asked: pl.DataFrame,
    gone: pl.DataFrame,
    classes: pl.DataFrame,
    *,
    since: datetime,
    until: datetime,
    oversell_weight: int = 5,
    intervals: tuple[int, ...] = INTERVALS,
    buffers: tuple[int, ...] = BUFFERS,
) -> Backtest:
    """Replay `asked` (of `demand`) against `readings` (core.stock of the ledger) and `gone` (of `shipped`) from `since` to `until`.

    `classes`: `item_ref`, `class_ref`. One unit oversold weighs as much as `oversell_weight` lost sales. Items without a reading are
    left out: nothing is known of them. Raises `InputError` without a reading or without a sale in the time asked for.
    """
    known = readings.filter(pl.col("as_of_at") < pl.lit(until, dtype=_INSTANT)).select(
        pl.col("sku").alias("item_ref"), "location_ref", "as_of_at",
        free=whole_quantity("on_hand_qty") - whole_quantity("allocated_qty").fill_null(0),
    )  # fmt: skip
    if known.is_empty():
        raise InputError(
            f"There is no reading of the ledger's stock before {until:%Y-%m-%d %H:%M}; run `tieout run extract` and `tieout run stage` more often, then try again."
        )
    inside = asked.filter(
        pl.col("at").is_between(pl.lit(since, dtype=_INSTANT), pl.lit(until, dtype=_INSTANT), closed="left")
    )
    items = (
        known.select("item_ref")
        .unique()
        .join(inside.select("item_ref").unique(), on="item_ref")
        .sort("item_ref")
    )
    if items.is_empty():
        raise InputError(
            f"No item was both read and sold between {since:%Y-%m-%d} and {until:%Y-%m-%d}; choose a time with sales."
        )
    items = items.with_row_index("row").join(classes.unique("item_ref", keep="first", maintain_order=True), on="item_ref", how="left").with_columns(
        pl.col("class_ref").fill_null("(none)")
    ).sort("row")  # fmt: skip
    totals: list[pl.DataFrame] = []
    for minutes in intervals:
        edges = _edges(since, until, minutes)
        supply = _supply(known, gone, items, edges)
        wanted = _by_step(inside, items, since, minutes, len(edges) - 1)
        totals.append(_replayed(supply, wanted, items, minutes, buffers))
    results = _summed(pl.concat(totals), oversell_weight)
    return Backtest(results, _best(results), known["as_of_at"].n_unique())


def _units() -> pl.Expr:
    scaled = whole_quantity("quantity").cast(pl.Int128) * pl.col("per_piece")
    return ((scaled + (QUANTITY_SCALE - 1)) // QUANTITY_SCALE).cast(pl.Int64)


def _edges(since: datetime, until: datetime, minutes: int) -> list[datetime]:
    step = timedelta(minutes=minutes)
    count = max(1, -(-(until - since) // step))
    return [since + step * number for number in range(count + 1)]


def _supply(known: pl.DataFrame, gone: pl.DataFrame, items: pl.DataFrame, edges: list[datetime]) -> Whole:
    """What there would have been without web trade, by item and edge of an interval: free by the last reading of each warehouse, plus what
    web orders had shipped by that reading. Before the first reading the first one holds."""
    by_place = ["item_ref", "location_ref"]
    sold = (
        gone.sort("at").select("item_ref", "at", shipped=pl.col("asked").cum_sum().over("item_ref"))
        .unique(["item_ref", "at"], keep="last", maintain_order=True)
    )  # fmt: skip
    grid = pl.DataFrame({"edge": edges}, schema={"edge": _INSTANT}).with_row_index("step")
    wanted = (
        known.select(by_place)
        .unique()
        .join(items.select("row", "item_ref"), on="item_ref")
        .join(grid, how="cross")
    )
    first = known.sort("as_of_at").unique(by_place, keep="first", maintain_order=True).select(
        *by_place, first_at="as_of_at"
    )  # fmt: skip
    wanted = wanted.join(first, on=by_place).with_columns(look_at=pl.max_horizontal("edge", "first_at"))
    read = wanted.sort("look_at").join_asof(
        known.sort("as_of_at"), left_on="look_at", right_on="as_of_at", by=by_place, check_sortedness=False
    )
    placed = read.group_by("row", "step").agg(
        pl.col("free").sum(), read_at=pl.col("as_of_at").max(), item_ref=pl.col("item_ref").first()
    )
    with_sold = placed.sort("read_at").join_asof(
        sold, left_on="read_at", right_on="at", by="item_ref", check_sortedness=False
    )
    matrix = np.zeros((items.height, len(edges)), dtype=np.int64)
    amount = (with_sold["free"] + with_sold["shipped"].fill_null(0)).to_numpy()
    matrix[with_sold["row"].to_numpy(), with_sold["step"].to_numpy()] = amount
    return matrix


def _by_step(inside: pl.DataFrame, items: pl.DataFrame, since: datetime, minutes: int, steps: int) -> Whole:
    """What was asked for, by item and interval."""
    passed = (pl.col("at") - pl.lit(since, dtype=_INSTANT)).dt.total_microseconds() // (minutes * 60_000_000)
    summed = (
        inside.join(items.select("row", "item_ref"), on="item_ref")
        .group_by("row", step=passed)
        .agg(pl.col("asked").sum())
    )
    matrix = np.zeros((items.height, steps), dtype=np.int64)
    matrix[summed["row"].to_numpy(), summed["step"].to_numpy()] = summed["asked"].to_numpy()
    return matrix


def _replayed(
    supply: Whole, wanted: Whole, items: pl.DataFrame, minutes: int, buffers: tuple[int, ...]
) -> pl.DataFrame:
    """Totals per item and buffer. The only loop is over intervals, since each begins with what the one before left; items and buffers
    go through it side by side."""
    percent = np.asarray(buffers, dtype=np.int64)[None, :]
    shape = (items.height, len(buffers))
    promised, sold, oversold, lost, short = (np.zeros(shape, dtype=np.int64) for _ in range(5))
    for step in range(wanted.shape[1]):
        free = np.maximum(supply[:, step, None] - promised, 0)
        whole = free // QUANTITY_SCALE
        kept = -(-whole * percent // 100)
        offered = np.maximum(whole - kept, 0) * QUANTITY_SCALE
        ask = np.broadcast_to(wanted[:, step, None], shape)
        taken = np.minimum(ask, offered)
        after = supply[:, step + 1, None]
        missing = np.minimum(np.maximum(promised + taken - after, 0), promised + taken)
        left = np.maximum(after - promised - taken, 0)
        refused = ask - taken
        there = np.minimum(refused, left)
        promised += taken - missing
        sold += taken - missing
        oversold += missing
        lost += there
        short += refused - there
    count = items.height
    columns = {
        name: pl.Series(values.reshape(-1), dtype=pl.Int64)
        for name, values in (("sold", sold), ("oversold", oversold), ("lost", lost), ("short", short))
    }
    asked = np.repeat(wanted.sum(axis=1), len(buffers))
    return pl.DataFrame(
        {
            "class_ref": pl.Series(np.repeat(np.arange(count), len(buffers))).replace_strict(
                dict(zip(items["row"].to_list(), items["class_ref"].to_list(), strict=True)),
                return_dtype=pl.String,
            ),
            "interval_minutes": pl.Series([minutes] * (count * len(buffers)), dtype=pl.Int64),
            "buffer_percent": pl.Series(np.tile(percent[0], count), dtype=pl.Int64),
            "asked": pl.Series(asked, dtype=pl.Int64),
            **columns,
        }
    )


def _summed(rows: pl.DataFrame, weight: int) -> pl.DataFrame:
    keys = ["class_ref", "interval_minutes", "buffer_percent"]
    figures = ["asked", "sold", "oversold", "lost", "short"]
    both = pl.concat([rows, rows.with_columns(class_ref=pl.lit(ALL_CLASSES))])
    summed = both.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("item_count"), *(pl.col(name).sum() for name in figures)
    )
    summed = summed.with_columns(penalty=pl.col("oversold") * weight + pl.col("lost"))
    return (
        summed.select(
            *keys,
            "item_count",
            *(
                (pl.col(name).cast(pl.Decimal(38, 4)) / QUANTITY_SCALE)
                .cast(pl.Decimal(18, 4))
                .alias(f"{name}_qty")
                for name in (*figures, "penalty")
            ),
        )
        .select(*RESULT_SCHEMA)
        .sort(keys)
    )


def _best(results: pl.DataFrame) -> pl.DataFrame:
    """Per class and interval the buffer with the least penalty; of equal ones the smallest."""
    keys = ["class_ref", "interval_minutes"]
    return (
        results.sort(*keys, "penalty_qty", "buffer_percent")
        .unique(keys, keep="first", maintain_order=True)
        .sort(keys)
    )
