"""Proofs that everything adds up: each compares two figures reached by different roads. One that is not zero stops the run."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from transforms.reconcile.applications import applied_by_end
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid

PLACE = ["entity_code", "currency"]
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
        rows.group_by(_TOTAL[1:])
        .agg(pl.len().cast(pl.Int64).alias("row_count"), pl.col(*TOTALS).sum())
        .select(pl.lit(name).alias("tie_out"), *_TOTAL[1:], "row_count", *TOTALS)
        for name, rows in (("orders", orders), ("payments", payments))
    )


def totalled(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """`totals_of` all parts in one."""
    return pl.concat(parts).group_by(_TOTAL).agg(pl.col("row_count", *TOTALS).sum()).sort(_TOTAL)


def sums_of(
    inputs: Inputs, matched: Matched, paid: Paid, policy: Policy, orders: pl.DataFrame, payments: pl.DataFrame
) -> pl.DataFrame:
    """(name, side, entity_code, currency, amount, behind): what a part gives to each proof, and of how many rows. The right side is summed straight from the inputs where it can be."""
    ledger = _documents(inputs, matched, policy)
    receipts = _receipts(inputs, paid, policy)
    owed = _owed(inputs, matched)
    moved = paid.payments.select(entity_code="entity", currency="currency", amount="amount_minor")
    gross = matched.orders.select(entity_code="entity", currency="currency", amount="total_minor")
    applied = _open_items(inputs, matched, paid, policy)
    measures = [
        "expected_minor",
        "actual_minor",
        "period_expected_minor",
        "period_actual_minor",
        "period_timing_minor",
        "period_delta_minor",
    ]
    sums = {
        name: rows.group_by(PLACE).agg(pl.col(columns).sum(), _BEHIND)
        for name, rows, columns in (("order", orders, [*measures, "gross_minor"]), ("payment", payments, measures))
    }  # fmt: skip
    (ledger, ledger_in), (receipts, receipts_in) = (_all_and_inside(rows) for rows in (ledger, receipts))
    owed, gross, moved, applied = (
        rows.group_by(PLACE).agg(pl.col("amount").sum(), _BEHIND) for rows in (owed, gross, moved, applied)
    )
    gap = pl.col("expected_minor") - pl.col("actual_minor")
    now = pl.col("period_expected_minor") - pl.col("period_actual_minor")
    told = pl.col("period_timing_minor") + pl.col("period_delta_minor")
    sides = [
        ("order rows hold every owed sale and credit", _made(sums["order"], "expected_minor"), owed),
        ("order rows hold every invoice and memo in scope", _made(sums["order"], "actual_minor"), ledger),
        ("order rows hold every order's total", _made(sums["order"], "gross_minor"), gross),
        ("invoiced in the waterfall is Intacct's own sum", None, ledger_in),
        ("payment rows hold all money that moved", _made(sums["payment"], "expected_minor"), moved),
        ("payment rows hold every receipt in scope", _made(sums["payment"], "actual_minor"), receipts),
        ("receipts in the waterfall are Intacct's own sum", None, receipts_in),
        ("order families add up to the total", None, _made(sums["order"], gap)),
        ("payment families add up to the total", None, _made(sums["payment"], gap)),
        ("the period's order difference is dates and outcomes", _made(sums["order"], now), _made(sums["order"], told)),
        ("the period's payment difference is dates and outcomes", _made(sums["payment"], now), _made(sums["payment"], told)),
        ("the ageing is invoices less credits less receipts and applications", None, applied),
    ]  # fmt: skip
    return pl.concat(
        rows.select(pl.lit(name).alias("name"), pl.lit(side).alias("side"), *PLACE, "amount", "behind")
        for name, left, right in sides
        for side, rows in (("left", left), ("right", right))
        if rows is not None
    )


def footing(
    sums: pl.DataFrame, totals: pl.DataFrame, waterfall: pl.DataFrame, ageing: pl.DataFrame
) -> pl.DataFrame:
    """Every proof per entity and currency: name, left, right, difference. `sums`: of all parts, see `sums_of`."""
    ours = waterfall.filter(pl.col("tie_out") == "orders")
    theirs = waterfall.filter(pl.col("tie_out") == "payments")
    whole = {
        "invoiced in the waterfall is Intacct's own sum": _step(ours, "invoiced"),
        "receipts in the waterfall are Intacct's own sum": _step(theirs, "receipts"),
        "order families add up to the total": _of(totals.filter(pl.col("tie_out") == "orders"), "delta_minor"),
        "payment families add up to the total": _of(totals.filter(pl.col("tie_out") == "payments"), "delta_minor"),
        "the ageing is invoices less credits less receipts and applications": _of(ageing, "open_minor"),
    }  # fmt: skip
    bridges = _bridges(waterfall)
    lefts = [
        *whole.items(),
        ("open in the waterfall is the ageing", _step(ours, "open")),
        *((name, left) for name, left, _ in bridges),
    ]
    rights = [
        ("open in the waterfall is the ageing", _of(ageing, "open_minor")),
        *((name, right) for name, _, right in bridges),
    ]
    return _proofs(sums.select("name", "side", *PLACE, "amount"), lefts, rights)


def _proofs(
    sums: pl.DataFrame,
    lefts: Iterable[tuple[str, pl.DataFrame]],
    rights: Iterable[tuple[str, pl.DataFrame]],
) -> pl.DataFrame:
    """Proofs from figures (name, side, entity_code, currency, amount) and from those of one name each (entity_code, currency, amount)."""
    rows = [
        part.lazy().select(*PLACE, "amount", name=pl.lit(name), side=pl.lit(side))
        for side, parts in (("left", lefts), ("right", rights))
        for name, part in parts
    ]
    every = pl.concat([sums.lazy().select(*PLACE, "amount", "name", "side"), *rows])
    amount = pl.col("amount")
    return (
        every.group_by("name", *PLACE)
        .agg(
            left_minor=amount.filter(pl.col("side") == "left").sum(),
            right_minor=amount.filter(pl.col("side") == "right").sum(),
        )
        .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
        .select(COLUMNS)
        .sort("name", *PLACE)
        .collect()
    )


def _all_and_inside(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Amounts by place, of all rows and of those inside the period, and of how many rows."""
    inside = pl.when("is_in").then("amount").otherwise(0).alias("inside")
    every = (
        rows.with_columns(inside)
        .group_by(PLACE)
        .agg(pl.col("amount", "inside").sum(), _BEHIND, pl.col("is_in").sum().cast(pl.Int64))
    )
    part = every.filter(pl.col("is_in") > 0).select(*PLACE, amount="inside", behind="is_in")
    return every.select(*PLACE, "amount", "behind"), part


def _made(sums: pl.DataFrame, amount: str | pl.Expr) -> pl.DataFrame:
    return sums.select(*PLACE, "behind", amount=amount)


def _of(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by(PLACE).agg(amount=pl.col(column).sum())


def _gap(rows: pl.DataFrame, period: str = "") -> pl.DataFrame:
    return rows.group_by(PLACE).agg(
        amount=pl.col(f"{period}expected_minor").sum() - pl.col(f"{period}actual_minor").sum()
    )


def _explained(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(PLACE).agg(
        amount=pl.col("period_timing_minor").sum() + pl.col("period_delta_minor").sum()
    )


def _step(waterfall: pl.DataFrame, code: str) -> pl.DataFrame:
    return _of(waterfall.filter((pl.col("step_code") == code) & pl.col("is_total")), "amount_minor")


def _bridges(waterfall: pl.DataFrame) -> list[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Each sub-total against the steps above it: what is summed so far, whatever sub-totals stand between."""
    found = []
    for tie_out, start in (("orders", None), ("payments", "moved")):
        rows = waterfall.filter(pl.col("tie_out") == tie_out)
        above = pl.col("is_total") if start is None else pl.col("is_total") & (pl.col("step_code") != start)
        counts = (
            ~pl.col("is_total") if start is None else ~pl.col("is_total") | (pl.col("step_code") == start)
        )
        for number, code in (
            rows.filter(above).select("step_no", "step_code").unique().sort("step_no").iter_rows()
        ):
            steps = rows.filter(counts & (pl.col("step_no") < number))
            found.append(
                (f"{tie_out} waterfall foots to {code}", _step(rows, code), _of(steps, "amount_minor"))
            )
    return found


def _owed(inputs: Inputs, matched: Matched) -> pl.DataFrame:
    owed = (
        inputs.lazily("owed").select("event_code", "entity_code", "currency", amount="total_minor").collect()
    )
    return owed.select(
        "event_code", "currency", "amount", entity_code=pl.coalesce("entity_code", matched.orders["entity"].gather(matched.owed_at))
    ).filter(pl.col("event_code") != "receipt")  # fmt: skip


def _documents(inputs: Inputs, matched: Matched, policy: Policy) -> pl.DataFrame:
    # Documents are numbered in the order of their rows.
    mine = matched.documents.select("d", mine=pl.col("in_scope") & pl.col("is_counted")).sort("d")["mine"]
    parts = [
        inputs.lazily(name).select("entity_code", "currency", "posted_on", amount="total_minor")
        for name in ("ar_invoices", "ar_adjustments")
    ]
    return (
        pl.concat(parts)
        .collect()
        .filter(mine)
        .with_columns(pl.col("entity_code").fill_null(""))
        .with_columns(is_in=policy.in_period("posted_on", "entity_code"))
    )


def _receipts(inputs: Inputs, paid: Paid, policy: Policy) -> pl.DataFrame:
    # Receipts are numbered in the order of their rows.
    mine = paid.receipts.select("r", mine=pl.col("in_scope") & pl.col("is_counted")).sort("r")["mine"]
    read = inputs.lazily("ar_receipts").select("entity_code", "currency", "received_on", amount="total_minor")
    rows = read.collect().filter(mine).with_columns(pl.col("entity_code").fill_null(""))
    return rows.with_columns(is_in=policy.in_period("received_on", "entity_code"))


def _open_items(inputs: Inputs, matched: Matched, paid: Paid, policy: Policy) -> pl.DataFrame:
    """Documents less receipts dated before the period's end, and what applications carry over the edge of entity and currency.

    Inside one entity and currency an application lowers one item by what it takes from another; only the edges remain.
    """
    until = pl.lit(True) if policy.period is None else pl.col("on") < policy.period.bound("entity_code", 1)
    documents = matched.documents.lazy().filter("in_scope", "is_counted")
    receipts = paid.receipts.lazy().filter("in_scope", "is_counted")
    items = [
        rows.select(entity_code="entity", currency="currency", on=day, amount=amount)
        for rows, day, amount in (
            (documents, "posted_on", pl.col("total_minor")),
            (receipts, "received_on", -pl.col("total_minor")),
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
    return pl.concat([*items, *edges]).filter(until).collect()


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
    gross = base.select(place, "currency", amount="total_minor")
    money = moved.select(place, "currency", amount="paid", is_in=policy.in_period("on", "entity"))
    pairs = [
        ("order rows hold every order's total", _of(orders, "gross_minor"), _of(gross, "amount")),
        ("order rows hold all money that moved", _of(orders, "actual_minor"), _of(money, "amount")),
        (
            "paid in the waterfall is the payments' own sum",
            _step(waterfall, "paid"),
            _of(money.filter("is_in"), "amount"),
        ),
        ("order families add up to the total", _of(totals, "delta_minor"), _gap(orders)),
        ("the period's order difference is dates and outcomes", _gap(orders, "period_"), _explained(orders)),
        *_bridges(waterfall),
    ]
    nothing = pl.DataFrame(
        schema={
            "name": pl.String,
            "side": pl.String,
            **dict.fromkeys(PLACE, pl.String),
            "amount": pl.Int64,
        }
    )
    lefts = [(name, left) for name, left, _ in pairs]
    return _proofs(nothing, lefts, [(name, right) for name, _, right in pairs])
