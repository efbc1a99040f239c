"""Dimensions of posted lines beside location and item: department, class, project and a company's own, from what order and line say.

dimensions.csv names an attribute (its SKU, category, component, customer, store or currency), a value of it, and the code. Where several
attributes give a dimension, the closer one to the line wins: SKU, then category, component, customer, store, currency; within one
attribute the row that fits best.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.accounts import most_specific

ATTRIBUTES: Final = {
    # word in dimensions.csv: column of the line
    "sku": "sku",
    "category": "category_ref",
    "component": "component_code",
    "customer": "customer_ref",
    "store": "store_ref",
    "currency": "currency",
}
"""In order of precedence."""
BUILT_IN: Final = {"department": "department_code", "class": "class_code", "project": "project_code"}
CUSTOM: Final = "custom:"
DIMENSIONS: Final = ("department_code", "class_code", "project_code", "custom_fields")
"""Columns of a line that hold dimensions."""


def with_dimensions(rows: pl.DataFrame, mapping: pl.DataFrame) -> pl.DataFrame:
    """The rows with their dimension columns. A department stays the store's where no row of the mapping gives one; `custom_fields` is a
    JSON object of the company's own dimensions by the field's integration name, null where there are none."""
    rows = rows.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in DIMENSIONS if name not in rows.columns
    )
    if mapping.is_empty() or rows.is_empty():
        return rows
    keys = ["storefront", *ATTRIBUTES.values()]
    wanted = rows.select(keys).unique()
    named = sorted(mapping["dimension"].unique())
    # A loop over dimensions and attributes, a handful each; rows are joined.
    for dimension in named:
        found: list[pl.Expr] = []
        for attribute, column in ATTRIBUTES.items():
            fitting = mapping.filter((pl.col("dimension") == dimension) & (pl.col("attribute") == attribute))
            if fitting.is_empty():
                continue
            name = f"_{attribute}_{dimension}"
            table = fitting.select("storefront", pl.col("value").alias(column), pl.col("code").alias(name))
            wanted = most_specific(wanted, table, ["storefront", column], [name])
            found.append(pl.col(name))
        wanted = wanted.with_columns(pl.coalesce(found).alias(f"_{dimension}"))
    own = [dimension for dimension in named if dimension.startswith(CUSTOM)]
    custom = pl.struct(pl.col(f"_{one}").alias(one.removeprefix(CUSTOM)) for one in own) if own else None
    shaped = wanted.select(
        *keys,
        *(pl.col(f"_{one}").alias(f"_{column}") for one, column in BUILT_IN.items() if one in named),
        *(
            [pl.when(pl.any_horizontal(pl.col(f"_{one}").is_not_null() for one in own)).then(custom.struct.json_encode()).alias("_custom_fields")]
            if custom is not None
            else []
        ),
    )  # fmt: skip
    given = [name for name in shaped.columns if name not in keys]
    both = rows.join(shaped, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return both.with_columns(
        pl.coalesce(name, name.removeprefix("_")).alias(name.removeprefix("_")) for name in given
    ).drop(given)
