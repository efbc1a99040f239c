"""What explains a difference without a person: rounding that is reproduced, tolerance that was granted. Only what can be shown.

Three things are accepted as proof of rounding, and nothing else:

* **ledger precision**: the currency has more digits than the ledger, and Intacct's amount is the owed amounts rounded half-up to the
  ledger's digits, document by document or in one sum;
* **the order's own rounding**: every component agrees but `rounding`, and Intacct's amount is the storefront's parts without the
  cent by which its header differs from them (or that cent stands within one other component);
* **tax by another documented rule**: the tax of the order worked out anew under each rule of the platforms; see `rounding_rules`.

A cent that fits none of these is `amount_tax`, or `within_tolerance` where a tolerance is stated.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from transforms.reconcile.policy import Allowance, Policy, Tolerance
from transforms.reconcile.wording import family, rounded_half_up, step_of


def ledger_precision(events: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(key, kept_minor): what a ledger of fewer digits keeps of the owed events, each rounded half-up by itself.

    `events` holds key, currency and total_minor; currencies whose digits the ledger can hold are left out.
    """
    step = pl.col("step")
    finer = (
        events.select("key", "total_minor", step=step_of(policy.ledger_digits))
        .filter(step > 1)
        .group_by("key")
    )
    return finer.agg(kept_minor=rounded_half_up(pl.col("total_minor"), step).sum())


def tolerated(tolerance: Tolerance, expected: str = "expected_minor", delta: str = "delta_minor") -> pl.Expr:
    """Whether a difference is inside the stated tolerance of its direction (absolute or percent, whichever allows more)."""
    size = pl.col(delta).abs().cast(pl.Int128)
    inside = pl.lit(False)
    for direction, way in (("under", pl.col(delta) > 0), ("over", pl.col(delta) < 0)):
        allowance = tolerance.of(direction)
        if allowance is not None and (allowance.absolute_minor or allowance.percent):
            inside = inside | (way & (size <= _allowed(allowance, expected)))
    return inside


def _allowed(allowance: Allowance, expected: str) -> pl.Expr:
    allowed = _by_currency(allowance.absolute_minor, 0)
    if not allowance.percent:
        return allowed
    above, below = allowance.percent.as_integer_ratio()
    share = pl.col(expected).abs().cast(pl.Int128) * above // (100 * below)
    if allowance.percent_most_minor:
        share = pl.min_horizontal(share, _by_currency(allowance.percent_most_minor, None))
    return pl.max_horizontal(allowed, share)


def _by_currency(amounts: Mapping[str, int], default: int | None) -> pl.Expr:
    return (
        pl.col("currency")
        .replace_strict(dict(amounts), default=default, return_dtype=pl.Int64)
        .cast(pl.Int128)
    )


def over_budget(accepted: pl.DataFrame, tolerance: Tolerance) -> list[str]:
    """Currencies in which the accepted differences (currency, delta_minor) together pass the cap; none of them may be accepted then."""
    if tolerance.cap_minor is None:
        return []
    absorbed = (
        accepted.group_by("currency")
        .agg(pl.col("delta_minor").abs().sum().alias("absorbed"))
        .with_columns(
            cap=pl.col("currency").replace_strict(
                dict(tolerance.cap_minor), default=None, return_dtype=pl.Int64
            )
        )
    )
    return sorted(absorbed.filter(pl.col("absorbed") > pl.col("cap")).get_column("currency"))


def without_tolerance(rows: pl.DataFrame, refused: list[str]) -> pl.DataFrame:
    """Rows with what was accepted in the refused currencies judged without tolerance. Reads strict_code and strict_evidence."""
    if not refused:
        return rows
    over = pl.col("currency").is_in(refused) & (pl.col("outcome_code") == "within_tolerance")
    return rows.with_columns(
        outcome_code=pl.when(over).then("strict_code").otherwise("outcome_code"),
        evidence=pl.when(over).then("strict_evidence").otherwise("evidence"),
    ).with_columns(family_code=family())
