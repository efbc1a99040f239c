"""The bridge from gross orders to invoiced to open, and from money that moved to receipts, per entity, store and currency.

Every step is a sum over rows of the tie-outs; sub-totals are computed from their own source, not from the steps above them, so
that footing is a proof and not a definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import polars as pl

from tieout.vocabulary import OUTCOMES, PRECEDENCE
from transforms.queries import as_written
from transforms.reconcile.ageing import CELL, Subledger
from transforms.reconcile.policy import Policy

COLUMNS = (
    "tie_out", "entity_code", "store_ref", "currency", "step_no", "step_code", "label", "is_total", "row_count", "amount_minor",
)  # fmt: skip
_FAMILY_ORDER = ("outside", "timing", "explained", "error", "ambiguous")
_CODES = [c for f in _FAMILY_ORDER for c in PRECEDENCE if OUTCOMES[c][0] == f]
OUTCOME_STEP = {code: 100 + at for at, code in enumerate(_CODES)}
ENTERED = (890, "refund_entries", "Less refunds entered by journal")
"""The step of payments that stands where refunds are posted as journal entries."""
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


_CELL = ["tie_out", *CELL]
_STEP = [*_CELL, "step_code"]
_ACROSS = "applied_across"


def _named(standing: Mapping[str, Sequence[tuple[int, str, str, bool]]]) -> pl.DataFrame:
    """Every step of each tie-out with its number, wording and whether it is a sub-total and `stands` in any case.

    `not_yet_recognised` is both a step of its own and an outcome; as an outcome it carries no amount of difference.
    """
    rows = {
        (tie_out, code): (tie_out, code, number, code.replace("_", " ").capitalize(), False, False)
        for tie_out in standing
        for code, number in OUTCOME_STEP.items()
    }
    rows |= {
        (tie_out, ENTERED[1]): (tie_out, ENTERED[1], ENTERED[0], ENTERED[2], False, False)
        for tie_out in standing
    }
    rows |= {
        (tie_out, code): (tie_out, code, number, label, is_total, True)
        for tie_out, steps in standing.items()
        for number, code, label, is_total in steps
    }
    shape = {"tie_out": pl.String, "step_code": pl.String, "step_no": pl.Int64, "label": pl.String, "is_total": pl.Boolean, "stands": pl.Boolean}  # fmt: skip
    return pl.DataFrame(list(rows.values()), schema=shape, orient="row")


STEPS: Final = _named(FIXED)
STEPS_PAID: Final = _named({"orders": FIXED_PAID})


def steps_of(orders: pl.DataFrame, payments: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(tie_out, entity, store_ref, currency, step_code, amount_minor, row_count, behind): what the rows of a part give to each step; a step
    may stand there twice. `behind`: how many rows a sum was made of, whatever `row_count` counts; see `tally`."""
    moved = pl.col("period_expected_minor")
    return pl.concat(
        [
            _placed(orders, policy),
            _outcomes("orders", orders),
            _summed("payments", payments, [_Step("moved", moved != 0, moved)]),
            _outcomes("payments", payments),
        ]
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
        "orders",
        rows,
        [
            _Step("invoiced", item & ~receipt & here, amount),
            _Step("opening", _until(policy, 0), amount, item.cast(pl.Int64)),
            _Step("receipts", receipt & here, amount),
            _Step(_ACROSS, ~item & here, amount),
            _Step("open", _until(policy, 1), amount, item.cast(pl.Int64)),
        ],
        books.items.height + books.movements.height,
    )
    received = found.filter(pl.col("step_code") == "receipts").with_columns(
        -pl.col("amount_minor"), tie_out=pl.lit("payments")
    )
    return pl.concat([found, received])


def steps_of_legs(payments: pl.DataFrame) -> pl.DataFrame:
    """What journal entries of refunds give to the bridge of payments, as in `steps_of`: they are no receipts, so they stand before these."""
    entered = pl.col("period_leg_minor")
    rows = payments.lazy().filter(entered != 0)
    return _summed("payments", rows, [_Step(ENTERED[1], pl.lit(value=True), -entered)])


def _until(policy: Policy, which: int) -> pl.Expr:
    """Whether a row is dated before the period (which=0) or up to its end (which=1)."""
    if policy.period is None:
        return pl.lit(bool(which))
    return pl.col("on") < policy.period.bound("entity_code", which)


def waterfall(steps: pl.DataFrame) -> pl.DataFrame:
    """recon.waterfall of both tie-outs from the steps of all parts, each summed."""
    # What was applied across and came back is no step.
    return _told(steps.filter((pl.col("step_code") != _ACROSS) | (pl.col("amount_minor") != 0)), STEPS)


class _Step(NamedTuple):
    """A step: its code, the rows that give to it, what each gives, and how many each counts for (one, if nothing is said)."""

    code: str
    rows: pl.Expr
    amount: pl.Expr
    counted: pl.Expr | None = None


def _summed(
    tie_out: str, rows: pl.DataFrame | pl.LazyFrame, steps: Sequence[_Step], count: int = 0
) -> pl.DataFrame:
    """What rows give to steps, by cell. All steps are summed in one grouping: grouping by texts costs more than the sums.

    `count`: how many rows there are, where they are not yet put together.
    """
    count = rows.height if isinstance(rows, pl.DataFrame) else count
    hits = {f"b:{step.code}": step.rows.fill_null(False).cast(pl.Int64) for step in steps}
    given = {}
    for step in steps:
        hit = pl.col(f"b:{step.code}") == 1
        given[f"a:{step.code}"] = pl.when(hit).then(step.amount).otherwise(0)
        if step.counted is not None:
            given[f"n:{step.code}"] = pl.when(hit).then(step.counted).otherwise(0)
    cells = (
        rows.lazy()
        .with_columns(**hits)
        .select(*hits, entity="entity_code", store_ref="store_ref", currency="currency", **given)
    )
    columns = {
        "amount_minor": [f"a:{step.code}" for step in steps],
        "behind": [f"b:{step.code}" for step in steps],
        "row_count": [f"{'b' if step.counted is None else 'n'}:{step.code}" for step in steps],
    }
    codes = pl.lit(pl.Series([[step.code for step in steps]])).first()
    return as_written(
        cells.group_by(CELL)
        .agg(pl.exclude(CELL).sum())
        .select(
            *CELL,
            tie_out=pl.lit(tie_out),
            step_code=codes,
            **{name: pl.concat_list(parts) for name, parts in columns.items()},
        )
        .explode("step_code", *columns)
        .filter(pl.col("behind") > 0)
        .select(*_STEP, "amount_minor", "row_count", "behind"),
        count,
    )


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
        "orders",
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
        orders.height,
    )


def _outcomes(tie_out: str, rows: pl.DataFrame) -> pl.DataFrame:
    """What stands between the two sides: the outcome's own part by code; parts that are only dates under the timing code or cut_off."""
    own, dates = pl.col("period_delta_minor"), pl.col("period_timing_minor")
    few = as_written(
        rows.lazy()
        .select("store_ref", "currency", "outcome_code", "family_code", own, dates, entity="entity_code")
        .filter(((own != 0) & (pl.col("outcome_code") != "matched")) | (dates != 0)),
        rows.height,
    )
    timing = pl.when(pl.col("family_code") == "timing").then("outcome_code").otherwise(pl.lit("cut_off"))
    parts = [
        few.lazy()
        .filter((own != 0) & (pl.col("outcome_code") != "matched"))
        .select(*CELL, step_code="outcome_code", amount_minor=-own),
        few.lazy().filter(dates != 0).select(*CELL, step_code=timing, amount_minor=-dates),
    ]
    return as_written(
        pl.concat(parts)
        .group_by(*CELL, "step_code")
        .agg(pl.col("amount_minor").sum(), behind=pl.len().cast(pl.Int64))
        .select(
            pl.lit(tie_out).alias("tie_out"), *CELL, "step_code", "amount_minor", pl.col("behind").alias("row_count"), "behind"
        )
    )  # fmt: skip


def waterfall_paid(orders: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The bridge from gross orders to money kept, where there is no ledger. Reads is_cancelled and is_test beside the rows."""
    rows = orders.lazy().with_columns(here=policy.in_period("placed_on", "entity_code"))
    here, gross = pl.col("here"), pl.col("gross_minor")
    cancelled, test = pl.col("is_cancelled"), ~pl.col("is_cancelled") & pl.col("is_test")
    less = pl.when(cancelled | test).then(0).otherwise(gross) - pl.col("period_expected_minor")
    due, paid = pl.col("period_expected_minor"), pl.col("period_actual_minor")
    summed = _summed(
        "orders",
        rows,
        [
            _Step("gross", here & (gross != 0), gross),
            _Step("cancelled", here & cancelled, -gross),
            _Step("test", here & test, -gross),
            _Step("not_due", here & (less != 0), -less),
            _Step("due", due != 0, due),
            _Step("paid", paid != 0, paid),
        ],
        orders.height,
    )
    return _told(pl.concat([summed, _outcomes("orders", orders)]), STEPS_PAID)


def _told(found: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """All steps of every cell that has any, in order, with wording; steps that always stand are there with zero."""
    order = [*_STEP, "amount_minor", "row_count"]
    nothing = pl.lit(0, pl.Int64)
    standing = (
        found.lazy()
        .select(_CELL)
        .unique()
        .join(named.lazy().filter("stands"), on="tie_out")
        .select(*_STEP, amount_minor=nothing, row_count=nothing)
    )
    return as_written(
        pl.concat([found.lazy().select(order), standing])
        .group_by(_STEP)
        .agg(pl.col("amount_minor", "row_count").sum())
        .join(named.lazy(), on=["tie_out", "step_code"])
        .rename({"entity": "entity_code"})
        .select(COLUMNS)
        .sort("tie_out", "entity_code", "store_ref", "currency", "step_no")
    )
