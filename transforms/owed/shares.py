"""Shares of an amount that sum to it exactly, worked out column by column on whole numbers.

A share is the rounded running total less the rounded running total before it. So the shares of a whole always sum to the whole,
and a share once given never changes when later parts become known, which an invoice already posted depends on. For two parts it
gives what the largest-remainder method gives.
"""

from __future__ import annotations

from typing import Final

import polars as pl

QUANTITY_SCALE: Final = 10_000


def whole_quantity(column: str) -> pl.Expr:
    """A decimal quantity of four digits as a whole number of ten-thousandths."""
    return (pl.col(column) * QUANTITY_SCALE).cast(pl.Int64)


def share_until(amount: str, reached: str, whole: str) -> pl.Expr:
    """The part of an amount that belongs to the first `reached` of `whole`, rounded half away from zero.

    `0 ≤ reached ≤ whole`, `whole > 0`. Computed in 128 bits, since an amount times a quantity may leave 64.
    """
    wide = pl.col(whole).cast(pl.Int128)
    size = (pl.col(amount).abs().cast(pl.Int128) * pl.col(reached) * 2 + wide) // (wide * 2)
    return (
        pl.when(pl.col(reached) >= pl.col(whole))
        .then(pl.col(amount))
        .when(pl.col(reached) <= 0)
        .then(pl.lit(0, dtype=pl.Int64))
        .otherwise(size.cast(pl.Int64) * pl.col(amount).sign())
    )


def share_between(amount: str, before: str, reached: str, whole: str) -> pl.Expr:
    """The part of an amount that belongs to the stretch from `before` to `reached` of `whole`."""
    return (share_until(amount, reached, whole) - share_until(amount, before, whole)).alias(amount)


def rounded_to(amount: pl.Expr, step: pl.Expr) -> pl.Expr:
    """An amount rounded half away from zero to a whole number of steps, still in minor units; steps are positive."""
    return ((amount.abs() * 2 + step) // (step * 2)) * step * amount.sign()
