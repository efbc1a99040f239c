"""The bridge from gross orders to invoiced to open, and from money that moved to receipts, per entity, store and currency.

Every step is a sum over rows of the tie-outs; sub-totals are computed from their own source, not from the steps above them, so
that footing is a proof and not a definition.
"""

from __future__ import annotations

import polars as pl

from tieout.vocabulary import OUTCOMES, PRECEDENCE
from transforms.reconcile.ageing import CELL, Subledger, open_by_cell
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
_BEHIND = pl.len().cast(pl.Int64).alias("behind")
"""How many rows a sum was made of, whatever `row_count` counts; see `tally`."""
_ACROSS = "applied_across"


def steps_of(orders: pl.DataFrame, payments: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(tie_out, entity, store_ref, currency, step_code, amount_minor, row_count, behind): what the rows of a part give to each step."""
    moved = pl.col("period_expected_minor")
    return _steps(
        orders=[*_placed(orders, policy), *_outcomes(orders, "orders")],
        payments=[_summed(payments.filter(moved != 0), "moved", moved), *_outcomes(payments, "payments")],
    )


def steps_of_books(books: Subledger, policy: Policy) -> pl.DataFrame:
    """What the subledger of a part gives to each step, as in `steps_of`."""
    return _steps(orders=_open(books, policy), payments=[_receipts(books, policy, "receipts", 1)])


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


def _summed(rows: pl.DataFrame, step: str, amount: pl.Expr, count: pl.Expr | None = None) -> pl.DataFrame:
    counted = pl.len() if count is None else count
    return (
        rows.group_by(entity="entity_code", store_ref="store_ref", currency="currency")
        .agg(_BEHIND, amount_minor=amount.sum(), row_count=counted.cast(pl.Int64))
        .with_columns(step_code=pl.lit(step))
    )


def _placed(orders: pl.DataFrame, policy: Policy) -> list[pl.DataFrame]:
    rows = orders.with_columns(entity=pl.col("entity_code"))
    rows = rows.with_columns(here=pl.col("is_base") & policy.in_period("placed_on", "entity"))
    placed = rows.filter("here")
    unrecognised = pl.col("gross_minor") - pl.col("sales_minor")
    cancelled, test = pl.col("is_cancelled"), ~pl.col("is_cancelled") & pl.col("is_test")
    zero = ~cancelled & ~test & (pl.col("gross_minor") == 0)
    rest = ~cancelled & ~test & ~zero & (unrecognised != 0)
    other = pl.col("period_sales_minor") - pl.when("here").then("sales_minor").otherwise(0)
    credits_ = pl.col("period_expected_minor") - pl.col("period_sales_minor")
    return [
        _summed(placed, "gross", pl.col("gross_minor"), pl.col("n_orders").sum()),
        _summed(placed.filter(cancelled), "cancelled", -unrecognised, pl.col("n_orders").sum()),
        _summed(placed.filter(test), "test", -unrecognised, pl.col("n_orders").sum()),
        _summed(placed.filter(zero), "zero", -unrecognised, pl.col("n_orders").sum()),
        _summed(placed.filter(rest), "not_yet_recognised", -unrecognised, pl.col("n_orders").sum()),
        _summed(rows.filter(other != 0), "other_periods", other),
        _summed(orders.filter(pl.col("period_sales_minor") != 0), "recognised", pl.col("period_sales_minor")),
        _summed(orders.filter(credits_ != 0), "credits", credits_),
        _summed(
            orders.filter(pl.col("period_expected_minor") != 0),
            "net_recognised",
            pl.col("period_expected_minor"),
        ),
    ]


def _outcomes(rows: pl.DataFrame, tie_out: str) -> list[pl.DataFrame]:
    """What stands between the two sides: the outcome's own part by code; parts that are only dates under the timing code or cut_off."""
    own, dates = pl.col("period_delta_minor"), pl.col("period_timing_minor")
    timing = pl.when(pl.col("family_code") == "timing").then("outcome_code").otherwise(pl.lit("cut_off"))
    place = ["entity_code", "store_ref", "currency"]
    parts = pl.concat(
        [
            rows.filter((own != 0) & (pl.col("outcome_code") != "matched")).select(
                *place, step_code="outcome_code", amount_minor=-own
            ),
            rows.filter(dates != 0).select(*place, step_code=timing, amount_minor=-dates),
        ]
    )
    by_code = parts.group_by(
        entity="entity_code", store_ref="store_ref", currency="currency", step_code="step_code"
    ).agg(_BEHIND, pl.col("amount_minor").sum(), row_count=pl.len().cast(pl.Int64))
    return [by_code.select("entity", "store_ref", "currency", *_MEASURES, "step_code")]


def _in(frame: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    return frame.filter(policy.in_period("on", "entity"))


def _cells(frame: pl.DataFrame, step: str, amount: pl.Expr) -> pl.DataFrame:
    return (
        frame.group_by(CELL)
        .agg(_BEHIND, amount_minor=amount.sum(), row_count=pl.len().cast(pl.Int64))
        .with_columns(step_code=pl.lit(step))
    )


def _receipts(books: Subledger, policy: Policy, step: str, sign: int) -> pl.DataFrame:
    received = _in(books.items.filter(pl.col("kind") == "receipt"), policy)
    return _cells(received, step, pl.col("amount") * -sign)


def _open(books: Subledger, policy: Policy) -> list[pl.DataFrame]:
    """From invoiced to open: opening, less receipts, plus what was applied over the edge of a cell, is what ageing lists."""
    documents = _in(books.items.filter(pl.col("kind") != "receipt"), policy)
    across = _in(books.movements, policy)
    ends = []
    for which, step in ((0, "opening"), (1, "open")):
        cells = open_by_cell(books, policy, which)
        ends.append(cells.select(*CELL, "behind", amount_minor="open", row_count="n", step_code=pl.lit(step)))
    return [
        _cells(documents, "invoiced", pl.col("amount")),
        ends[0],
        _receipts(books, policy, "receipts", -1),
        _cells(across, _ACROSS, pl.col("amount")),
        ends[1],
    ]


def waterfall_paid(orders: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The bridge from gross orders to money kept, where there is no ledger. Reads is_cancelled and is_test beside the rows."""
    rows = orders.with_columns(entity=pl.col("entity_code")).with_columns(
        here=policy.in_period("placed_on", "entity")
    )
    placed = rows.filter("here")
    cancelled, test = pl.col("is_cancelled"), ~pl.col("is_cancelled") & pl.col("is_test")
    gross = pl.col("gross_minor")
    less = pl.when(cancelled | test).then(0).otherwise(gross) - pl.col("period_expected_minor")
    parts = [
        _summed(placed.filter(gross != 0), "gross", gross),
        _summed(placed.filter(cancelled), "cancelled", -gross),
        _summed(placed.filter(test), "test", -gross),
        _summed(placed.filter(less != 0), "not_due", -less),
        _summed(rows.filter(pl.col("period_expected_minor") != 0), "due", pl.col("period_expected_minor")),
        *_outcomes(rows, "orders"),
        _summed(rows.filter(pl.col("period_actual_minor") != 0), "paid", pl.col("period_actual_minor")),
    ]
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
