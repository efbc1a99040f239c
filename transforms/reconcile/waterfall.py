"""The bridge from gross orders to invoiced to open, and from money that moved to receipts, per entity, store and currency.

Every step is a sum over rows of the tie-outs; sub-totals are computed from their own source, not from the steps above them, so
that footing is a proof and not a definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from tieout.vocabulary import OUTCOMES, PRECEDENCE
from transforms.reconcile.ageing import CELL, Subledger
from transforms.reconcile.policy import Policy

COLUMNS = (
    "tie_out", "entity_code", "store_ref", "currency", "step_no", "step_code", "label", "is_total", "row_count", "amount_minor",
)  # fmt: skip
_FAMILY_ORDER = ("outside", "timing", "explained", "error", "ambiguous")
_CODES = [c for f in _FAMILY_ORDER for c in PRECEDENCE if OUTCOMES[c][0] == f]
OUTCOME_STEP = {code: 100 + at for at, code in enumerate(_CODES)}
FIXED = {
    "orders": (
        (10, "gross", "Gross orders placed", False), (20, "cancelled", "Less cancelled", False), (30, "test", "Less test orders", False),
        (40, "zero", "Less zero totals", False), (50, "not_yet_recognised", "Less not yet recognised", False),
        (60, "other_periods", "From and for other periods", False), (70, "recognised", "Recognised", True),
        (80, "credits", "Less credits owed", False), (90, "net_recognised", "Recognised net of credits", True),
        (900, "invoiced", "Invoiced net of credit memos in Intacct", True), (910, "opening", "Open AR before the period", False),
        (920, "receipts", "Less receipts", False), (930, "applied_across", "Applied across stores, entities or scope", False),
        (940, "open", "Open AR at the period's end", True),
    ),
    "payments": ((10, "moved", "Money that moved", True), (900, "receipts", "Receipts in Intacct", True)),
}  # fmt: skip
FIXED_PAID = (
    (10, "gross", "Gross orders placed", False), (20, "cancelled", "Less cancelled", False), (30, "test", "Less test orders", False),
    (50, "not_due", "Less tender and what is not due yet", False), (70, "due", "Due", True), (900, "paid", "Paid less paid back", True),
)  # fmt: skip
"""Steps that always stand, with their order, wording and whether they are sub-totals; outcome codes stand between as they occur."""


_STEP = ["tie_out", "entity", "store_ref", "currency", "step_code"]
_MEASURES = ["amount_minor", "row_count", "behind"]
"""`behind`: how many rows a sum was made of, whatever `row_count` counts; see `tally`."""
_ACROSS = "applied_across"


def steps_of(orders: pl.DataFrame, payments: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(tie_out, entity, store_ref, currency, step_code, amount_minor, row_count, behind): what the rows of a part give to each step."""
    moved = pl.col("period_expected_minor")
    paid = _summed(payments.lazy(), [_Step("moved", moved != 0, moved)])
    return _steps(
        orders=[_placed(orders, policy), _outcomes(orders)],
        payments=[paid, _outcomes(payments)],
    )


def steps_of_books(books: Subledger, policy: Policy) -> pl.DataFrame:
    """What the subledger of a part gives to each step, as in `steps_of`.

    From invoiced to open: opening, less receipts, plus what was applied over the edge of a cell, is what ageing lists.
    """
    rows = pl.concat(
        [
            books.items.lazy().select(*CELL, "on", "amount", is_item=pl.lit(True), is_receipt=pl.col("kind") == "receipt"),
            books.movements.lazy().select(*CELL, "on", "amount", is_item=pl.lit(False), is_receipt=pl.lit(False)),
        ]
    )  # fmt: skip
    rows = rows.rename({"entity": "entity_code"}).with_columns(here=policy.in_period("on", "entity_code"))
    amount, here, item, receipt = (pl.col(name) for name in ("amount", "here", "is_item", "is_receipt"))
    found = _summed(
        rows,
        [
            _Step("invoiced", item & ~receipt & here, amount),
            _Step("opening", _until(policy, 0), amount, item.cast(pl.Int64)),
            _Step("receipts", receipt & here, amount),
            _Step(_ACROSS, ~item & here, amount),
            _Step("open", _until(policy, 1), amount, item.cast(pl.Int64)),
        ],
    )
    received = found.filter(pl.col("step_code") == "receipts").with_columns(-pl.col("amount_minor"))
    return _steps(orders=[found], payments=[received])


def _until(policy: Policy, which: int) -> pl.Expr:
    """Whether a row is dated before the period (which=0) or up to its end (which=1)."""
    if policy.period is None:
        return pl.lit(bool(which))
    return pl.col("on") < policy.period.bound("entity_code", which)


def _steps(**parts: list[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat(
        part.select(pl.lit(tie_out).alias("tie_out"), *_STEP[1:], *_MEASURES)
        for tie_out, found in parts.items()
        for part in found
    )
    return every.group_by(_STEP).agg(pl.col(_MEASURES).sum())


def waterfall(steps: pl.DataFrame) -> pl.DataFrame:
    """recon.waterfall of both tie-outs from the steps of all parts."""
    summed = steps.group_by(_STEP).agg(pl.col("amount_minor", "row_count").sum())
    # What was applied across and came back is no step.
    summed = summed.filter((pl.col("step_code") != _ACROSS) | (pl.col("amount_minor") != 0))
    return pl.concat(_told(name, [summed.filter(pl.col("tie_out") == name)]) for name in FIXED)


class _Step(NamedTuple):
    """A step: its code, the rows that give to it, what each gives, and how many each counts for (one, if nothing is said)."""

    code: str
    rows: pl.Expr
    amount: pl.Expr
    counted: pl.Expr | None = None


def _summed(rows: pl.LazyFrame, steps: Sequence[_Step]) -> pl.DataFrame:
    """What rows give to steps, by cell. All steps are summed in one grouping: grouping by texts costs more than the sums."""
    given = {}
    for step in steps:
        hits = step.rows.fill_null(False)
        given[f"a:{step.code}"] = pl.when(hits).then(step.amount).otherwise(0)
        given[f"b:{step.code}"] = hits.cast(pl.Int64)
        given[f"n:{step.code}"] = (
            hits.cast(pl.Int64) if step.counted is None else pl.when(hits).then(step.counted).otherwise(0)
        )
    cells = rows.select(entity="entity_code", store_ref="store_ref", currency="currency", **given)
    sums = cells.group_by(CELL).agg(pl.exclude(CELL).sum()).collect()
    # Three times the same cells and steps in the same order.
    amounts, behind, counts = (
        sums.unpivot([f"{one}:{step.code}" for step in steps], index=CELL, variable_name="step_code", value_name="value")
        for one in "abn"
    )  # fmt: skip
    return amounts.select(
        *CELL, pl.col("step_code").str.slice(2), amount_minor="value", behind=behind["value"], row_count=counts["value"]
    ).filter(pl.col("behind") > 0)  # fmt: skip


def _placed(orders: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    rows = orders.lazy().with_columns(
        here=(pl.col("is_base") & policy.in_period("placed_on", "entity_code")).fill_null(False)
    )
    here, gross, orders_ = pl.col("here"), pl.col("gross_minor"), pl.col("n_orders")
    unrecognised = gross - pl.col("sales_minor")
    cancelled, test = pl.col("is_cancelled"), ~pl.col("is_cancelled") & pl.col("is_test")
    zero = ~cancelled & ~test & (gross == 0)
    rest = ~cancelled & ~test & ~zero & (unrecognised != 0)
    other = pl.col("period_sales_minor") - pl.when("here").then("sales_minor").otherwise(0)
    sales, expected = pl.col("period_sales_minor"), pl.col("period_expected_minor")
    credits_ = expected - sales
    return _summed(
        rows,
        [
            _Step("gross", here, gross, orders_),
            _Step("cancelled", here & cancelled, -unrecognised, orders_),
            _Step("test", here & test, -unrecognised, orders_),
            _Step("zero", here & zero, -unrecognised, orders_),
            _Step("not_yet_recognised", here & rest, -unrecognised, orders_),
            _Step("other_periods", other != 0, other),
            _Step("recognised", sales != 0, sales),
            _Step("credits", credits_ != 0, credits_),
            _Step("net_recognised", expected != 0, expected),
        ],
    )


def _outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    """What stands between the two sides: the outcome's own part by code; parts that are only dates under the timing code or cut_off."""
    own, dates = pl.col("period_delta_minor"), pl.col("period_timing_minor")
    timing = pl.when(pl.col("family_code") == "timing").then("outcome_code").otherwise(pl.lit("cut_off"))
    place = {"entity": "entity_code", "store_ref": "store_ref", "currency": "currency"}
    few = rows.lazy().select(*place.values(), "outcome_code", "family_code", own, dates)
    parts = [
        few.filter((own != 0) & (pl.col("outcome_code") != "matched")).select(
            **place, step_code="outcome_code", amount_minor=-own
        ),
        few.filter(dates != 0).select(**place, step_code=timing, amount_minor=-dates),
    ]
    by_code = (
        pl.concat(parts)
        .group_by(*CELL, "step_code")
        .agg(pl.col("amount_minor").sum(), behind=pl.len().cast(pl.Int64))
        .collect()
    )
    return by_code.with_columns(row_count="behind")


def waterfall_paid(orders: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The bridge from gross orders to money kept, where there is no ledger. Reads is_cancelled and is_test beside the rows."""
    rows = orders.lazy().with_columns(here=policy.in_period("placed_on", "entity_code"))
    here, gross = pl.col("here"), pl.col("gross_minor")
    cancelled, test = pl.col("is_cancelled"), ~pl.col("is_cancelled") & pl.col("is_test")
    less = pl.when(cancelled | test).then(0).otherwise(gross) - pl.col("period_expected_minor")
    due, paid = pl.col("period_expected_minor"), pl.col("period_actual_minor")
    summed = _summed(
        rows,
        [
            _Step("gross", here & (gross != 0), gross),
            _Step("cancelled", here & cancelled, -gross),
            _Step("test", here & test, -gross),
            _Step("not_due", here & (less != 0), -less),
            _Step("due", due != 0, due),
            _Step("paid", paid != 0, paid),
        ],
    )
    parts = [summed, _outcomes(orders)]
    return _told("orders", parts, FIXED_PAID)


def _told(
    tie_out: str, parts: list[pl.DataFrame], steps: tuple[tuple[int, str, str, bool], ...] | None = None
) -> pl.DataFrame:
    """All steps of every cell that has any, in order, with wording; steps that always stand are there with zero."""
    order = ["entity", "store_ref", "currency", "step_code", "amount_minor", "row_count"]
    found = pl.concat([part.select(order) for part in parts])
    standing_steps = steps or FIXED[tie_out]
    fixed = pl.DataFrame(standing_steps, schema=["step_no", "step_code", "label", "is_total"], orient="row")
    outcome = pl.DataFrame(
        {
            "step_no": list(OUTCOME_STEP.values()),
            "step_code": list(OUTCOME_STEP),
            "label": [code.replace("_", " ").capitalize() for code in OUTCOME_STEP],
            "is_total": [False] * len(OUTCOME_STEP),
        }
    )
    cells = found.select(CELL).unique()
    standing = cells.join(fixed.select("step_code"), how="cross").with_columns(
        amount_minor=pl.lit(0, pl.Int64), row_count=pl.lit(0, pl.Int64), is_outcome=pl.lit(False)
    )
    fixed_codes = [entry[1] for entry in standing_steps]
    # `not_yet_recognised` is both a step of its own and an outcome; as an outcome it carries no amount of difference.
    merged = (
        pl.concat(
            [
                found.with_columns(is_outcome=~pl.col("step_code").is_in(fixed_codes)),
                standing.select(*order, "is_outcome"),
            ]
        )
        .group_by(*CELL, "step_code", "is_outcome")
        .agg(pl.col("amount_minor", "row_count").sum())
    )
    named = pl.concat(
        [fixed.with_columns(is_outcome=pl.lit(False)), outcome.with_columns(is_outcome=pl.lit(True))]
    )
    return (
        merged.join(named, on=["step_code", "is_outcome"])
        .with_columns(tie_out=pl.lit(tie_out))
        .rename({"entity": "entity_code"})
        .with_columns(pl.col("step_no").cast(pl.Int64))
        .select(COLUMNS)
        .sort("tie_out", "entity_code", "store_ref", "currency", "step_no")
    )
