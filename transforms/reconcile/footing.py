"""Proofs that everything adds up: each compares two figures reached by different roads. One that is not zero stops the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from transforms.queries import as_written
from transforms.reconcile.applications import applied_by_end
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid
from transforms.reconcile.refund_legs import entered
from transforms.reconcile.waterfall import STEPS, STEPS_PAID

PLACE = ["entity_code", "currency"]
ENTRIES = "payment rows hold every entry of a refund"
COLUMNS = ("name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor")
TOTALS = (
    "expected_minor",
    "actual_minor",
    "delta_minor",
    "period_expected_minor",
    "period_actual_minor",
    "period_timing_minor",
    "period_delta_minor",
)


_TOTAL = ["tie_out", *PLACE, "family_code", "outcome_code"]
_BEHIND = pl.len().cast(pl.Int64).alias("behind")


def totals_of(orders: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Counts and sums of a part by tie_out, entity, currency, family and outcome."""
    return pl.concat(
        as_written(
            rows.lazy()
            .group_by(_TOTAL[1:])
            .agg(pl.len().cast(pl.Int64).alias("row_count"), pl.col(*TOTALS).sum())
            .select(pl.lit(name).alias("tie_out"), *_TOTAL[1:], "row_count", *TOTALS),
            rows.height,
        )
        for name, rows in (("orders", orders), ("payments", payments))
    )


def totalled(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """`totals_of` all parts in one."""
    return pl.concat(parts).group_by(_TOTAL).agg(pl.col("row_count", *TOTALS).sum()).sort(_TOTAL)


def sums_of(
    inputs: Inputs, matched: Matched, paid: Paid, policy: Policy, orders: pl.DataFrame, payments: pl.DataFrame
) -> pl.DataFrame:
    """(name, side, entity_code, currency, amount, behind): what a part gives to each proof, and of how many rows. The right side is summed straight from the inputs where it can be."""
    amount, behind = pl.col("amount"), pl.col("behind")
    gap = pl.col("expected_minor") - pl.col("actual_minor")
    now = pl.col("period_expected_minor") - pl.col("period_actual_minor")
    told = pl.col("period_timing_minor") + pl.col("period_delta_minor")
    measures = [name for name in TOTALS if name != "delta_minor"]
    own = [amount.sum(), _BEHIND]
    both = [
        amount.sum(),
        pl.when("is_in").then("amount").otherwise(0).sum().alias("inside"),
        _BEHIND,
        pl.col("is_in").sum().cast(pl.Int64),
    ]
    moved = paid.payments.select(entity_code="entity", currency="currency", amount="amount_minor")
    gross = matched.orders.select(entity_code="entity", currency="currency", amount="total_minor")
    inside, is_in = pl.col("inside"), pl.col("is_in")
    return pl.concat(
        [
            _given(orders, [pl.col(*measures, "gross_minor").sum(), _BEHIND], {
                ("order rows hold every owed sale and credit", "left"): ("expected_minor", behind),
                ("order rows hold every invoice and memo in scope", "left"): ("actual_minor", behind),
                ("order rows hold every order's total", "left"): ("gross_minor", behind),
                ("order families add up to the total", "right"): (gap, behind),
                ("the period's order difference is dates and outcomes", "left"): (now, behind),
                ("the period's order difference is dates and outcomes", "right"): (told, behind),
            }),
            _given(payments, [pl.col(*measures, "leg_minor").sum(), _BEHIND], {
                ("payment rows hold all money that moved", "left"): ("expected_minor", behind),
                ("payment rows hold every receipt in scope", "left"): (pl.col("actual_minor") - pl.col("leg_minor"), behind),
                ("payment families add up to the total", "right"): (gap, behind),
                ("the period's payment difference is dates and outcomes", "left"): (now, behind),
                ("the period's payment difference is dates and outcomes", "right"): (told, behind),
            }),
            _given(payments.lazy().filter(pl.col("leg_minor") != 0), [pl.col("leg_minor").sum(), _BEHIND], {(ENTRIES, "left"): ("leg_minor", behind)}),
            _given(entered(inputs, paid, policy), own, {(ENTRIES, "right"): (amount, behind)}),
            _given(_owed(inputs, matched), own, {("order rows hold every owed sale and credit", "right"): (amount, behind)}, len(matched.owed_at)),
            _given(gross, own, {("order rows hold every order's total", "right"): (amount, behind)}),
            _given(_documents(inputs, matched, policy), both, {
                ("order rows hold every invoice and memo in scope", "right"): (amount, behind),
                ("invoiced in the waterfall is Intacct's own sum", "right"): (inside, is_in),
            }, matched.documents.height),
            _given(moved, own, {("payment rows hold all money that moved", "right"): (amount, behind)}),
            _given(_receipts(inputs, paid, policy), both, {
                ("payment rows hold every receipt in scope", "right"): (amount, behind),
                ("receipts in the waterfall are Intacct's own sum", "right"): (inside, is_in),
            }, paid.receipts.height),
            _given(_open_items(inputs, matched, paid, policy), own, {
                ("the ageing is invoices less credits less receipts and applications", "right"): (amount, behind),
            }, matched.documents.height),
        ]
    )  # fmt: skip


def _given(
    rows: pl.DataFrame | pl.LazyFrame,
    sums: list[pl.Expr],
    sides: Mapping[tuple[str, str], tuple[str | pl.Expr, pl.Expr]],
    count: int = 0,
) -> pl.DataFrame:
    """What rows give to sides of proofs: their `sums` by place, and of these each side's amount and how many rows are behind it.

    `count`: about how many rows there are, where they are not yet put together.
    """
    amounts = pl.concat_list([amount for amount, _ in sides.values()])
    behind = pl.concat_list([rows_behind for _, rows_behind in sides.values()])
    words = [pl.lit(pl.Series([list(one)])).first() for one in zip(*sides, strict=True)]
    return as_written(
        rows.lazy()
        .group_by(PLACE)
        .agg(sums)
        .select(words[0].alias("name"), words[1].alias("side"), *PLACE, amounts.alias("amount"), behind.alias("behind"))
        .explode("name", "side", "amount", "behind")
        .filter(pl.col("behind") > 0),
        rows.height if isinstance(rows, pl.DataFrame) else count,
    )  # fmt: skip


def footing(
    sums: pl.DataFrame, totals: pl.DataFrame, waterfall: pl.DataFrame, ageing: pl.DataFrame
) -> pl.DataFrame:
    """Every proof per entity and currency: name, left, right, difference. `sums`: of all parts, see `sums_of`."""
    words = {"orders": "order families add up to the total", "payments": "payment families add up to the total"}  # fmt: skip
    family = pl.col("tie_out").replace_strict(words, return_dtype=pl.String)
    rows = [
        sums.lazy().select(*_FIGURE),
        _in_bridge(waterfall, ROLES),
        totals.lazy().select(family.alias("name"), pl.lit("left").alias("side"), *PLACE, amount="delta_minor"),
        *(
            ageing.lazy().select(pl.lit(name).alias("name"), pl.lit(side).alias("side"), *PLACE, amount="open_minor")
            for name, side in (
                ("the ageing is invoices less credits less receipts and applications", "left"),
                ("open in the waterfall is the ageing", "right"),
            )
        ),
    ]  # fmt: skip
    return _proofs(rows)


_FIGURE: Final = ("name", "side", *PLACE, "amount")


def _proofs(figures: list[pl.LazyFrame]) -> pl.DataFrame:
    """Proofs from figures (name, side, entity_code, currency, amount), any number of each."""
    amount = pl.col("amount")
    return as_written(
        pl.concat(figures)
        .group_by("name", *PLACE)
        .agg(
            left_minor=amount.filter(pl.col("side") == "left").sum(),
            right_minor=amount.filter(pl.col("side") == "right").sum(),
        )
        .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
        .select(COLUMNS)
        .sort("name", *PLACE)
    )


def _roles(steps: pl.DataFrame, more: Mapping[tuple[str, str], tuple[str, str]]) -> pl.DataFrame:
    """(tie_out, step_code, name, side): of which proofs a step of the bridge is a figure. Each sub-total is held against the steps above it,
    whatever sub-totals stand between; a bridge may begin with one. `more`: (name, side) of further proofs by tie-out and step."""
    found = [(*step, *proof) for step, proof in more.items()]
    for tie_out in steps["tie_out"].unique(maintain_order=True):
        rows = steps.filter(pl.col("tie_out") == tie_out).sort("step_no").rows(named=True)
        # A loop over the few dozen steps that there are, once.
        for total in rows:
            if not total["is_total"] or total is rows[0]:
                continue
            name = f"{tie_out} waterfall foots to {total['step_code']}"
            found.append((tie_out, total["step_code"], name, "left"))
            found += [
                (tie_out, one["step_code"], name, "right")
                for one in rows
                if one["step_no"] < total["step_no"] and (one is rows[0] or not one["is_total"])
            ]
    shape = dict.fromkeys(("tie_out", "step_code", "name", "side"), pl.String)
    return pl.DataFrame(found, schema=shape, orient="row")


ROLES: Final = _roles(
    STEPS,
    {
        ("orders", "invoiced"): ("invoiced in the waterfall is Intacct's own sum", "left"),
        ("payments", "receipts"): ("receipts in the waterfall are Intacct's own sum", "left"),
        ("orders", "open"): ("open in the waterfall is the ageing", "left"),
    },
)
ROLES_PAID: Final = _roles(
    STEPS_PAID, {("orders", "paid"): ("paid in the waterfall is the payments' own sum", "left")}
)


def _in_bridge(waterfall: pl.DataFrame, roles: pl.DataFrame) -> pl.LazyFrame:
    """The figures of proofs that the steps of a bridge are."""
    return (
        waterfall.lazy()
        .join(roles.lazy(), on=["tie_out", "step_code"])
        .select("name", "side", *PLACE, amount="amount_minor")
    )


def _owed(inputs: Inputs, matched: Matched) -> pl.LazyFrame:
    owed = inputs.some("owed", "event_code", "entity_code", "currency", "total_minor")
    rows = owed.hstack([matched.orders["entity"][matched.owed_at].alias("own")]).lazy()
    return rows.filter(pl.col("event_code") != "receipt").select(
        "currency", entity_code=pl.coalesce("entity_code", "own"), amount="total_minor"
    )


def _documents(inputs: Inputs, matched: Matched, policy: Policy) -> pl.LazyFrame:
    columns = ("entity_code", "currency", "posted_on", "total_minor")
    rows = pl.concat(inputs.some(name, *columns) for name in ("ar_invoices", "ar_adjustments"))
    return _ledger(rows, matched.documents, "posted_on", policy)


def _receipts(inputs: Inputs, paid: Paid, policy: Policy) -> pl.LazyFrame:
    rows = inputs.some("ar_receipts", "entity_code", "currency", "received_on", "total_minor")
    return _ledger(rows, paid.receipts, "received_on", policy)


def _ledger(rows: pl.DataFrame, known: pl.DataFrame, day: str, policy: Policy) -> pl.LazyFrame:
    """Rows of the ledger that are in scope and stand. Documents and receipts are known in the order of their rows."""
    return (
        rows.hstack(known[["in_scope", "is_counted"]])
        .lazy()
        .filter("in_scope", "is_counted")
        .select(pl.col("entity_code").fill_null(""), "currency", day, amount="total_minor")
        .with_columns(is_in=policy.in_period(day, "entity_code"))
    )


def _open_items(inputs: Inputs, matched: Matched, paid: Paid, policy: Policy) -> pl.LazyFrame:
    """Documents less receipts dated before the period's end, and what applications carry over the edge of entity and currency.

    Inside one entity and currency an application lowers one item by what it takes from another; only the edges remain.
    """
    until = pl.lit(True) if policy.period is None else pl.col("on") < policy.period.bound("entity_code", 1)
    items = [
        frame.lazy()
        .filter("in_scope", "is_counted")
        .select(entity_code="entity", currency="currency", on=day, amount=sign * pl.col("total_minor"))
        for frame, day, sign in (
            (matched.documents[[*_STANDS, "total_minor", "posted_on"]], "posted_on", 1),
            (paid.receipts[[*_STANDS, "total_minor", "received_on"]], "received_on", -1),
        )
    ]
    # Where an item stands is said only of open AR in scope; whether it counts, and its date, of everything.
    stands_here = pl.col("in_scope") & pl.col("is_counted")
    place = {name: pl.when(stands_here).then(name) for name in ("entity", "currency")}
    ledger = matched.documents.select("d", "is_counted", dated="posted_on", **place)
    money = paid.receipts.select("r", "is_counted", dated="received_on", **place)
    pairs = applied_by_end(inputs, paid.ends, ledger, money)
    stands = pl.col("is_counted").fill_null(True) & pl.col("is_counted_from").fill_null(True)
    known = (
        pairs.lazy().filter(stands).with_columns(on=pl.max_horizontal("applied_on", "dated", "dated_from"))
    )
    edges = [
        known.drop_nulls(f"entity{end}").select(entity_code=f"entity{end}", currency=f"currency{end}", on="on", amount=sign * pl.col("amount"))
        for end, sign in (("", -1), ("_from", 1))
    ]  # fmt: skip
    return pl.concat([*items, *(edges if pairs.height else [])]).filter(until)


_STANDS: Final = ("in_scope", "is_counted", "entity", "currency")


def footing_paid(
    base: pl.DataFrame,
    moved: pl.DataFrame,
    orders: pl.DataFrame,
    totals: pl.DataFrame,
    waterfall: pl.DataFrame,
    policy: Policy,
) -> pl.DataFrame:
    """The proofs of orders against payments: every order and payment is in a row, families add up, the bridge foots."""
    place = pl.lit("").alias("entity_code")
    is_in = policy.in_period("on", "entity")
    gap = pl.col("expected_minor") - pl.col("actual_minor")
    now = pl.col("period_expected_minor") - pl.col("period_actual_minor")
    told = pl.col("period_timing_minor") + pl.col("period_delta_minor")
    families = "order families add up to the total"
    dates = "the period's order difference is dates and outcomes"
    paid = pl.col("paid")
    figures: list[tuple[str, str, pl.LazyFrame, pl.Expr]] = [
        ("order rows hold every order's total", "left", orders.lazy(), pl.col("gross_minor")),
        ("order rows hold every order's total", "right", base.lazy().with_columns(place), pl.col("total_minor")),
        ("order rows hold all money that moved", "left", orders.lazy(), pl.col("actual_minor")),
        ("order rows hold all money that moved", "right", moved.lazy().with_columns(place), paid),
        ("paid in the waterfall is the payments' own sum", "right", moved.lazy().filter(is_in).with_columns(place), paid),
        (families, "left", totals.lazy(), pl.col("delta_minor")),
        (families, "right", orders.lazy(), gap),
        (dates, "left", orders.lazy(), now),
        (dates, "right", orders.lazy(), told),
    ]  # fmt: skip
    rows = [
        frame.select(pl.lit(name).alias("name"), pl.lit(side).alias("side"), *PLACE, amount=amount)
        for name, side, frame, amount in figures
    ]
    return _proofs([_in_bridge(waterfall, ROLES_PAID), *rows])
