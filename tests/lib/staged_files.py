"""Plain files staged in tests: rows as texts, and what must hold of whatever comes out."""

from __future__ import annotations

import polars as pl

from checks.contracts import ALL
from transforms.staged import Staged
from transforms.storefronts import files
from transforms.storefronts.files import FileRules

USUAL = FileRules()
GERMAN = FileRules(date_format="%d.%m.%Y", decimal=",", time_zone="Europe/Berlin")


def text(*rows: dict[str, str]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        [{name: row.get(name) for name in names} for row in rows], schema=dict.fromkeys(names, pl.String)
    )


def order(**values: str) -> dict[str, str]:
    return {"order_number": "W1", "placed_at": "2026-09-01", "currency": "EUR", "total": "100.00", **values}


def staged(*rows: dict[str, str], rules: FileRules = USUAL, **more) -> Staged:
    found = files.orders(text(*rows), rules, storefront="shop", run_id="r", **more)
    return sound(found)


def sound(found: Staged) -> Staged:
    for name, frame in found.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    if "core.orders" in found.frames and "core.order_lines" in found.frames:
        assert footing(found).filter(pl.col("gap") != 0).is_empty()
    return found


def footing(found: Staged) -> pl.DataFrame:
    """Total less the sum of lines per order, and header tax less line tax."""
    sums = (
        found["core.order_lines"]
        .group_by("order_ref")
        .agg(
            lines=pl.sum_horizontal("net_minor", "discount_minor", "tax_minor").sum(),
            taxes=pl.col("tax_minor").sum(),
        )
    )
    whole = (
        found["core.orders"]
        .join(sums, on="order_ref", how="left")
        .with_columns(pl.col("lines", "taxes").fill_null(0))
    )
    parts = pl.sum_horizontal(
        "goods_minor",
        "gift_card_minor",
        "discount_minor",
        "shipping_minor",
        "fees_minor",
        "tax_minor",
        "rounding_minor",
    )
    gap = (pl.col("total_minor") - pl.col("lines")).abs() + (pl.col("tax_minor") - pl.col("taxes")).abs()
    return whole.with_columns(gap=gap + (pl.col("total_minor") - parts).abs())
