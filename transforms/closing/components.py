"""What the period's sales, credits and invoices are made of: goods, discount, shipping, fees, tax, gift cards, rounding, on both sides."""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.vocabulary import COMPONENTS
from transforms.reconcile import Inputs, Result
from transforms.reconcile.policy import Period

UNLINED: Final = "unlined"
"""What the lines of a document leave of its total: Intacct does not say what it is for."""

_AMOUNTS: Final = ("sales_minor", "credits_minor", "recognised_minor", "invoiced_minor", "delta_minor")
_PLACE: Final = ["entity_code", "currency"]


def components(inputs: Inputs, result: Result, period: Period, entity: str) -> pl.DataFrame:
    """Per currency and component of one entity: sales and credits recognised in the period, both together, documents in scope dated in it, difference.

    Columns entity_code, currency, component_code and `_minor` amounts; credits and credit memos are negative.
    """
    owed = inputs.take("owed").filter(
        (pl.col("entity_code") == entity) & period.holds("owed_on", "entity_code")
    )
    parts = [f"{name}_minor" for name in COMPONENTS]
    long = (
        owed.filter(pl.col("event_code").is_in(["sale", "credit"]))
        .select(*_PLACE, "event_code", *(pl.col(name).fill_null(0) for name in parts))
        .unpivot(parts, index=[*_PLACE, "event_code"], variable_name="component_code", value_name="amount")
        .with_columns(pl.col("component_code").str.strip_suffix("_minor"))
    )
    by = [*_PLACE, "component_code"]
    sold = long.group_by(by).agg(
        sales_minor=pl.col("amount").filter(pl.col("event_code") == "sale").sum(),
        credits_minor=pl.col("amount").filter(pl.col("event_code") == "credit").sum(),
    )
    return (
        sold.join(_invoiced(inputs, result, period, entity), on=by, how="full", coalesce=True)
        .with_columns(pl.col("sales_minor", "credits_minor", "invoiced_minor").fill_null(0))
        .with_columns(recognised_minor=pl.col("sales_minor") + pl.col("credits_minor"))
        .with_columns(delta_minor=pl.col("recognised_minor") - pl.col("invoiced_minor"))
        .filter(pl.any_horizontal(pl.col(name) != 0 for name in _AMOUNTS))
        .select(*by, *_AMOUNTS)
        .sort(
            *_PLACE,
            pl.col("component_code").replace_strict(
                {c: at for at, c in enumerate(COMPONENTS)}, default=99, return_dtype=pl.Int64
            ),
        )
    )


def _invoiced(inputs: Inputs, result: Result, period: Period, entity: str) -> pl.DataFrame:
    documents = (
        result.matched.documents.filter("in_scope", "is_counted")
        .select("kind", "ref", "currency", "posted_on", "total_minor", entity_code="entity")
        .filter((pl.col("entity_code") == entity) & period.holds("posted_on", "entity_code"))
    )
    lines = (
        inputs.take("ar_lines")
        .rename({"document_kind": "kind", "document_ref": "ref"})
        .join(documents.select("kind", "ref", *_PLACE), on=["kind", "ref"])
        .select(
            *_PLACE, component_code=pl.col("component_code").fill_null(UNLINED), invoiced_minor="amount_minor"
        )
    )
    stated = lines.group_by(_PLACE).agg(stated=pl.col("invoiced_minor").sum())
    rest = (
        documents.group_by(_PLACE)
        .agg(total=pl.col("total_minor").sum())
        .join(stated, on=_PLACE, how="left")
        .select(
            *_PLACE,
            component_code=pl.lit(UNLINED),
            invoiced_minor=pl.col("total") - pl.col("stated").fill_null(0),
        )
    )
    return pl.concat([lines, rest]).group_by(*_PLACE, "component_code").agg(pl.col("invoiced_minor").sum())


def proofs(found: pl.DataFrame, waterfall: pl.DataFrame) -> pl.DataFrame:
    """The components add up to the waterfall's own steps (name, entity_code, currency, left_minor, right_minor, difference_minor)."""
    bridge = waterfall.filter(pl.col("tie_out") == "orders")
    pairs = (
        ("sales", "recognised", "sales_minor"),
        ("credits", "credits", "credits_minor"),
        ("documents", "invoiced", "invoiced_minor"),
    )
    parts = []
    for word, step, column in pairs:
        left = found.group_by(_PLACE).agg(left_minor=pl.col(column).sum())
        right = (
            bridge.filter(pl.col("step_code") == step)
            .group_by(_PLACE)
            .agg(right_minor=pl.col("amount_minor").sum())
        )
        parts.append(
            left.join(right, on=_PLACE, how="full", coalesce=True)
            .with_columns(
                pl.col("left_minor", "right_minor").fill_null(0),
                name=pl.lit(f"components of {word} add up to {step} in the waterfall"),
            )
            .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
            .select("name", *_PLACE, "left_minor", "right_minor", "difference_minor")
        )
    return pl.concat(parts).sort("name", *_PLACE)
