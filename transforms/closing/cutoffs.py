"""One period by every cut-off basis: what would have been recognised, which orders straddle the edge, and for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from transforms.reconcile.policy import Period

IDENTITY: Final = ["storefront", "order_ref", "order_number", "store_ref", "entity_code", "currency"]


def recognised(
    owed: Mapping[str, pl.DataFrame], period: Period, unknown: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Sales recognised in the period per order, one `<basis>_minor` column per basis (recon.owed of each basis given); orders with none left out.

    `unknown`: per basis the storefronts whose orders do not say that date; their amounts by it are null, which is not the same as zero.
    """
    found: pl.DataFrame | None = None
    for basis, rows in owed.items():
        sales = (
            rows.filter((pl.col("event_code") == "sale") & pl.col("entity_code").is_not_null())
            .filter(period.holds("owed_on", "entity_code"))
            .group_by(IDENTITY)
            .agg(pl.col("total_minor").sum().alias(f"{basis}_minor"))
        )
        found = (
            sales
            if found is None
            else found.join(sales, on=IDENTITY, how="full", coalesce=True, nulls_equal=True)
        )
    if found is None:
        return pl.DataFrame(schema=dict.fromkeys(IDENTITY, pl.String()))
    blind = unknown or {}
    return found.with_columns(
        pl.when(~pl.col("storefront").is_in(list(blind.get(basis, ())))).then(
            pl.col(f"{basis}_minor").fill_null(0)
        )
        for basis in owed
    ).sort(IDENTITY)


def by_basis(found: pl.DataFrame, bases: Mapping[str, str]) -> pl.DataFrame:
    """Per storefront, entity and currency: orders and amount by each basis, and how far it is from the declared one (`bases`: storefront to basis)."""
    place = ["storefront", "entity_code", "currency"]
    names = [name for name in found.columns if name.endswith("_minor")]
    declared = _declared(names, bases)
    parts = [
        found.filter(pl.col(name).is_not_null())
        .group_by(place)
        .agg(
            order_count=(pl.col(name) != 0).sum().cast(pl.Int64),
            amount_minor=pl.col(name).sum(),
            from_declared_minor=(pl.col(name) - declared).sum(),
            straddling_count=(pl.col(name) != declared).sum().cast(pl.Int64),
        )
        .with_columns(basis=pl.lit(name.removesuffix("_minor")))
        for name in names
    ]
    return (
        pl.concat(parts)
        .with_columns(
            is_declared=pl.col("storefront").replace_strict(dict(bases), default="", return_dtype=pl.String)
            == pl.col("basis")
        )
        .select(
            *place,
            "basis",
            "is_declared",
            "order_count",
            "amount_minor",
            "from_declared_minor",
            "straddling_count",
        )
        .sort(*place, "basis")
    )


def straddling(found: pl.DataFrame, bases: Mapping[str, str]) -> pl.DataFrame:
    """The orders whose amount in the period hangs on the basis, with `declared_minor`, largest swing first."""
    names = [name for name in found.columns if name.endswith("_minor")]
    spread = pl.max_horizontal(names) - pl.min_horizontal(names)
    return (
        found.with_columns(declared_minor=_declared(names, bases), swing_minor=spread)
        .filter(pl.col("swing_minor") != 0)
        .sort("swing_minor", *IDENTITY, descending=[True, *[False] * len(IDENTITY)])
    )


def _declared(names: list[str], bases: Mapping[str, str]) -> pl.Expr:
    found: pl.Expr = pl.lit(0, dtype=pl.Int64)
    for storefront, basis in sorted(bases.items()):
        if f"{basis}_minor" in names:
            found = (
                pl.when(pl.col("storefront") == storefront).then(pl.col(f"{basis}_minor")).otherwise(found)
            )
    return found
