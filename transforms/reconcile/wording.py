"""Amounts and codes as expressions: money text for evidence, the primary outcome by precedence, families."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import OUTCOMES, PRECEDENCE

_UNUSUAL = {code: digits for code, digits in known_currencies().items() if digits != 2}
FAMILY = {code: entry[0] for code, entry in OUTCOMES.items()}


def digits_of(currency: str = "currency") -> pl.Expr:
    """ISO 4217 digits of a currency column; two for a code that is none (its order is held anyway)."""
    return pl.col(currency).replace_strict(_UNUSUAL, default=2, return_dtype=pl.Int64)


def money(minor: str, currency: str = "currency", digits: pl.Expr | None = None) -> pl.Expr:
    """`12.34 USD` from minor units and currency, with the currency's own `digits`, worked out here unless they are given."""
    text = pl.col(minor).abs().cast(pl.String)
    digits = digits_of(currency) if digits is None else digits
    padded = text.str.zfill(digits + 1)
    whole = padded.str.head(padded.str.len_chars().cast(pl.Int64) - digits)
    found = (
        pl.when(digits > 0).then(pl.concat_str(whole, pl.lit("."), padded.str.tail(digits))).otherwise(text)
    )
    sign = pl.when(pl.col(minor) < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, found, pl.lit(" "), pl.col(currency))


def primary(flags: Mapping[str, pl.Expr | str]) -> tuple[pl.Expr, pl.Expr]:
    """Primary outcome by published precedence, and all other codes that apply, joined by comma."""
    held = {code: pl.col(flag) if isinstance(flag, str) else flag for code, flag in flags.items()}
    ranked = [code for code in PRECEDENCE if code in held]
    named = [pl.when(held[code]).then(pl.lit(code)) for code in ranked]
    first = pl.coalesce(named)
    # Joined as texts: lists of the same codes cost six times as much.
    every = pl.concat_str(named, separator=",", ignore_nulls=True)
    return first, every.str.slice(first.str.len_chars() + 1).fill_null("")


def family(code: str = "outcome_code") -> pl.Expr:
    """The one family of an outcome code."""
    return pl.col(code).replace_strict(FAMILY, return_dtype=pl.String)


def on_few(rows: pl.DataFrame, which: pl.Expr, found: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """`looked_up` for the few rows of a condition: the others get nulls and take no part in the join."""
    more = {name: kind for name, kind in found.schema.items() if name not in on}
    if found.is_empty():
        return rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in more.items())
    index = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"))
    few = (
        rows.select(*on)
        .hstack(index)
        .filter(rows.select(which.alias("at")).to_series())
        .join(found, on=on)
        .drop(on)
    )
    if few.is_empty():
        return rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in more.items())
    return rows.hstack(index.join(few, on="at", how="left", maintain_order="left").drop("at"))


def rounded_half_up(minor: pl.Expr, step: pl.Expr) -> pl.Expr:
    """Minor units rounded to multiples of `step`, halves away from zero (what a ledger with fewer digits keeps)."""
    return minor.sign() * ((minor.abs() + step // 2) // step) * step


def step_of(digits: int, currency: str = "currency") -> pl.Expr:
    """The smallest amount the ledger can hold, in the currency's minor units: 10 for KWD in a ledger of two digits, else 1."""
    excess = (digits_of(currency) - digits).clip(lower_bound=0)
    return excess.replace_strict({n: 10**n for n in range(5)}, default=1, return_dtype=pl.Int64)
