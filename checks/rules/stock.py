"""Table rules on stock: figures no shop should ever show stop the publication."""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule


def _findings(rows: pl.DataFrame, sentence: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "storefront",
        pl.concat_str("storefront", "location_ref", "sku", separator="/").alias("subject_ref"),
        sentence.alias("sentence"),
    )


@rule("No shop offers less than nothing.", code="negative", severity="stop", reads=("out.web_stock",))
def negative(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Rows with a figure below zero."""
    wrong = tables["out.web_stock"].filter(
        (pl.col("available_qty") < 0) | (pl.col("publish_qty") < 0) | (pl.col("buffer_qty") < 0)
    )
    return _findings(
        wrong,
        pl.format(
            "SKU {} at {} comes to {} available and {} to publish; nothing is published, look at its buffer and figures.",
            "sku", "location_ref", "available_qty", "publish_qty",
        ),
    )  # fmt: skip


@rule("No shop offers more than is on hand.", code="above_on_hand", severity="stop", reads=("out.web_stock",))
def above_on_hand(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Rows that would sell more than Intacct has on hand."""
    wrong = tables["out.web_stock"].filter(
        pl.col("available_qty").cast(pl.Decimal(38, 4)) * pl.col("per_piece_qty").fill_null(1)
        > pl.col("on_hand_qty").clip(lower_bound=0)
    )
    return _findings(
        wrong,
        pl.format(
            "SKU {} at {}: {} available of {} of its item on hand; nothing is published, look at its figures.",
            "sku", "location_ref", "available_qty", pl.col("on_hand_qty").cast(pl.String),
        ),
    )  # fmt: skip
