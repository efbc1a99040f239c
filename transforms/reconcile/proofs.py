"""What explains a difference without a person: rounding that is reproduced, tolerance that was granted. Only what can be shown.

Three things are accepted as proof of rounding, and nothing else:

* **ledger precision**: the currency has more digits than the ledger, and Intacct's amount is the owed amounts rounded half-up to the
  ledger's digits, document by document or in one sum;
* **the order's own rounding**: every component agrees but `rounding`, and Intacct's amount is the storefront's parts without the
  cent by which its header differs from them (or that cent stands within one other component);
* **tax by row against tax on the sum**: only tax differs, the order is recognised whole, and per tax code one rate exists that gives
  the storefront's tax on every row *and* lets the tax on the sum of the rows be what Intacct has. Rates are looked for in steps of
  0.00001 %. Rows say what interval of rates reproduces them; the sum's tax must come from within it. An order of one taxed row can
  never be explained this way, nor can amounts of 4 · 10¹¹ minor units and more.

A cent that fits none of these is `amount_tax`, or `within_tolerance` where a tolerance is stated.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from transforms.reconcile.policy import Allowance, Policy, Tolerance
from transforms.reconcile.wording import rounded_half_up, step_of

RATE_STEPS = 10_000_000
_LARGEST = 400_000_000_000


def ledger_precision(events: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(key, kept_minor): what a ledger of fewer digits keeps of the owed events, each rounded half-up by itself.

    `events` holds key, currency and total_minor; currencies whose digits the ledger can hold are left out.
    """
    step = pl.col("step")
    return (
        events.with_columns(step=step_of(policy.ledger_digits))
        .filter(step > 1)
        .group_by("key")
        .agg(kept_minor=rounded_half_up(pl.col("total_minor"), step).sum())
    )


def tax_ranges(lines: pl.DataFrame) -> pl.DataFrame:
    """(g, tax_rows_minor, tax_low_minor, tax_high_minor): the tax on rows, and the least and most that tax on the sum can be.

    `lines` holds g, tax_code, net_minor (after discount), tax_minor, tax_included. A rate r gives a row's tax t on net n when
    |n·r − t| ≤ ½ if tax comes on top, and when the net is the gross divided by 1 + r, to half a unit, if it is included.
    Orders for which no single rate per tax code exists are left out.
    """
    net, tax = pl.col("net_minor").abs(), pl.col("tax_minor").abs()
    within = pl.col("tax_included").fill_null(False).cast(pl.Int64)
    low_top, low_under = (2 * tax - 1) * RATE_STEPS, 2 * net + within
    high_top, high_under = (2 * tax + 1) * RATE_STEPS, 2 * net - within
    rates = (
        lines.filter((pl.col("tax_minor") != 0) & (net > 0) & (net < _LARGEST) & (tax < _LARGEST))
        .with_columns(low=-((-low_top) // low_under), high=high_top // high_under)
        .group_by("g", "tax_code")
        .agg(pl.col("low").max(), pl.col("high").min(), pl.col("net_minor", "tax_minor").sum())
        .filter(pl.col("net_minor").abs() < _LARGEST)
    )
    total = pl.col("net_minor").cast(pl.Int128)
    half = RATE_STEPS // 2
    on_sum = [
        ((total.abs() * pl.col(rate) + half) // RATE_STEPS).cast(pl.Int64) * total.sign().cast(pl.Int64)
        for rate in ("low", "high")
    ]
    return (
        rates.with_columns(low_tax=pl.min_horizontal(on_sum), high_tax=pl.max_horizontal(on_sum))
        .group_by("g")
        .agg(
            pl.col("tax_minor").sum().alias("tax_rows_minor"),
            pl.col("low_tax").sum().alias("tax_low_minor"),
            pl.col("high_tax").sum().alias("tax_high_minor"),
            possible=(pl.col("low") <= pl.col("high")).all(),
        )
        .filter("possible")
        .drop("possible")
    )


def tolerated(tolerance: Tolerance, expected: str = "expected_minor", delta: str = "delta_minor") -> pl.Expr:
    """Whether a difference is inside the stated tolerance of its direction (absolute or percent, whichever allows more)."""
    size = pl.col(delta).abs().cast(pl.Int128)
    inside = pl.lit(False)
    for direction, way in (("under", pl.col(delta) > 0), ("over", pl.col(delta) < 0)):
        allowance = tolerance.of(direction)
        if allowance is not None:
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


def over_budget(rows: pl.DataFrame, tolerance: Tolerance) -> list[str]:
    """Currencies in which the accepted differences together pass the cap; none of them may be accepted then."""
    if tolerance.cap_minor is None:
        return []
    absorbed = (
        rows.filter(pl.col("outcome_code") == "within_tolerance")
        .group_by("currency")
        .agg(pl.col("delta_minor").abs().sum().alias("absorbed"))
        .with_columns(
            cap=pl.col("currency").replace_strict(
                dict(tolerance.cap_minor), default=None, return_dtype=pl.Int64
            )
        )
    )
    return sorted(absorbed.filter(pl.col("absorbed") > pl.col("cap")).get_column("currency"))
