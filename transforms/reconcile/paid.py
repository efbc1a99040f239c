"""Without a ledger: order totals against the money that was paid, as plain files of orders and payments allow.

======================  ======================================================================================================
code                    holds when (due: the order's total less tender; paid: charges less refunds and chargebacks)
======================  ======================================================================================================
payment_without_order   money moved for no order in the file
order_without_lines     the order has a total, lines were given, and none is the order's
order_unpaid            something is due, the order is processing or complete, and nothing was ever charged
short_paid, over_paid   less, or more, was paid than is due
within_tolerance        as for orders
not_yet_recognised      open or held, and nothing was charged yet
not_owed                cancelled, a test, or nothing due, and nothing is kept of what was paid
matched                 everything else that agrees
======================  ======================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tieout.vocabulary import MONEY_MOVES, OUTCOMES
from transforms.reconcile.ageing import COLUMNS as AGEING_COLUMNS
from transforms.reconcile.comparing import A_, E_
from transforms.reconcile.footing import footing_paid, totalled, totals_of
from transforms.reconcile.intake import Frame, taken
from transforms.reconcile.orders import COLUMNS
from transforms.reconcile.payments import COLUMNS as PAYMENT_COLUMNS
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import over_budget, tolerated
from transforms.reconcile.result import MATCH_COLUMNS, PaidResult, absorbed_of
from transforms.reconcile.streams import Collected, Sink
from transforms.reconcile.waterfall import waterfall_paid
from transforms.reconcile.wording import family, money, primary


@dataclass(frozen=True)
class PaidPart:
    """What a comparison of orders with payments reads of some orders, all rows of each; see `reconcile_paid`."""

    orders: Frame
    lines: Frame | None
    payments: Frame | None
    order_payments: Frame | None = None


@dataclass(frozen=True)
class PaidSummary:
    """What a comparison of orders with payments comes to beside its rows: `waterfall`, `totals`, `absorbed` and `footing` as in `Summary`."""

    waterfall: pl.DataFrame
    totals: pl.DataFrame
    absorbed: pl.DataFrame
    footing: pl.DataFrame


def reconcile_paid(
    orders: Frame,
    lines: Frame | None,
    payments: Frame | None,
    policy: Policy,
    *,
    order_payments: Frame | None = None,
) -> PaidResult:
    """Compare what each order is due with what was paid for it.

    `orders` as core.orders, `lines` as core.order_lines (None: not given, so nothing is without lines), `payments` as
    core.payments, `order_payments` as core.order_payments. In the rows, `expected` is what is due and `actual` the money kept.
    """
    part = PaidPart(orders, lines, payments, order_payments)
    kept = Collected()
    told = reconcile_paid_streamed([part], policy, kept)
    return PaidResult(
        orders=kept.orders[0],
        payments=kept.payments[0],
        waterfall=told.waterfall,
        ageing=_empty(AGEING_COLUMNS),
        totals=told.totals,
        absorbed=told.absorbed,
        footing=told.footing,
        matches=_matches(*_sides(part, policy)),
    )


def reconcile_paid_streamed(parts: Sequence[PaidPart], policy: Policy, sink: Sink) -> PaidSummary:
    """`reconcile_paid` part by part: rows go to the sink as soon as they are finished, and only sums are kept.

    All rows of an order, its lines and payments are in one part. Where a tolerance has a cap the parts are read twice, because what all of
    them accept decides whether any of it is accepted.
    """
    refused: list[str] = []
    if policy.tolerance.cap_minor is not None:
        accepted = [
            rows.filter(pl.col("outcome_code") == "within_tolerance").select("currency", "delta_minor")
            for rows in (_judged(*_sides(part, policy), part, policy) for part in parts)
        ]
        refused = over_budget(pl.concat(accepted), policy.tolerance) if accepted else []
    sums: dict[str, list[pl.DataFrame]] = {
        name: [] for name in ("base", "moved", "shown", "totals", "bridge", "accepted")
    }
    nothing = _empty(PAYMENT_COLUMNS)
    for part in parts:
        base, moved = _sides(part, policy)
        rows = _settled(_judged(base, moved, part, policy), refused)
        shown = _worded(rows, policy)
        sink.rows(shown, nothing)
        cancelled = rows.select("group_ref", "currency", "is_cancelled", "is_test")
        bridge = waterfall_paid(shown.join(cancelled, on=["group_ref", "currency"], how="left"), policy)
        sums["base"].append(base.group_by("currency").agg(pl.col("total_minor").sum()))
        sums["moved"].append(moved.group_by("currency", "on", "entity").agg(pl.col("paid").sum()))
        sums["shown"].append(shown.group_by("entity_code", "currency").agg(pl.col(_SUMMED).sum()))
        sums["totals"].append(totals_of(shown, nothing))
        sums["bridge"].append(bridge)
        sums["accepted"].append(shown.filter(pl.col("outcome_code") == "within_tolerance").select(pl.lit("orders").alias("tie_out"), "entity_code", "currency", "delta_minor"))  # fmt: skip
    whole = {name: pl.concat(some) for name, some in sums.items()}
    totals = totalled([whole["totals"]])
    bridge = _added(whole["bridge"])
    return PaidSummary(
        waterfall=bridge,
        totals=totals,
        absorbed=absorbed_of(whole["accepted"]),
        footing=footing_paid(whole["base"], whole["moved"], whole["shown"], totals, bridge, policy),
    )


_SUMMED = (
    "gross_minor", "expected_minor", "actual_minor", "period_expected_minor", "period_actual_minor", "period_timing_minor", "period_delta_minor",
)  # fmt: skip


def _added(bridges: pl.DataFrame) -> pl.DataFrame:
    """The bridges of all parts in one, in the order of a bridge."""
    sums = ("row_count", "amount_minor")
    key = [name for name in bridges.columns if name not in sums]
    return (
        bridges.group_by(key)
        .agg(pl.col(sums).sum())
        .select(bridges.columns)
        .sort("tie_out", "entity_code", "store_ref", "currency", "step_no")
    )


def _sides(part: PaidPart, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The orders of a part, and the money that moved, each with the order it is for."""
    base = taken(part.orders, "orders").with_columns(
        pl.col("store_ref", "currency").fill_null(""),
        pl.col("total_minor").fill_null(0),
        pl.col("is_test").fill_null(False),
        entity=pl.lit(""),
        group_ref=pl.concat_str("storefront", pl.lit(":"), "order_ref"),
    )
    base = base.with_columns(
        due_minor=pl.coalesce("due_minor", "total_minor"), placed_on=policy.local_day("placed_at", "entity")
    )
    named = (
        taken(part.order_payments, "order_payments")
        .group_by("storefront", "payment_ref")
        .agg(named_ref=pl.col("order_ref").min())
    )
    moved = (
        taken(part.payments, "payments")
        .filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES))
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(
            pl.col("currency").fill_null(""),
            order_ref=pl.coalesce("order_ref", "named_ref"),
            paid=pl.when(pl.col("kind_code") == "charge")
            .then("amount_minor")
            .otherwise(-pl.col("amount_minor")),
            entity=pl.lit(""),
        )
        .with_columns(on=policy.local_day("occurred_at", "entity"))
        .join(
            base.select("storefront", "order_ref", own="group_ref"),
            on=["storefront", "order_ref"],
            how="left",
        )
        .with_columns(
            is_orphan=pl.col("own").is_null(),
            group_ref=pl.coalesce(
                "own",
                pl.concat_str(
                    pl.lit("payment:"),
                    "storefront",
                    pl.lit(":"),
                    "payment_ref",
                    pl.lit(":"),
                    "transaction_ref",
                ),
            ),
        )
    )
    return base, moved


def _judged(base: pl.DataFrame, moved: pl.DataFrame, part: PaidPart, policy: Policy) -> pl.DataFrame:
    """Every order and every payment without one, with both sides and the outcome as tolerance allows it."""
    lines = taken(part.lines, "order_lines") if part.lines is not None else None
    return _rows(base, moved, lines, policy)


def _settled(rows: pl.DataFrame, refused: list[str]) -> pl.DataFrame:
    over = pl.col("currency").is_in(refused) & (pl.col("outcome_code") == "within_tolerance")
    rows = rows.with_columns(outcome_code=pl.when(over).then("strict_code").otherwise("outcome_code"))
    return rows.with_columns(family_code=family())


def _rows(
    base: pl.DataFrame, moved: pl.DataFrame, lines: pl.DataFrame | None, policy: Policy
) -> pl.DataFrame:
    inside = policy.in_period("on", "entity")
    sums = (
        moved.sort("payment_ref", "transaction_ref")
        .group_by("group_ref", "currency", maintain_order=True)
        .agg(
            actual_minor=pl.col("paid").sum(),
            charged=(pl.col("kind_code") == "charge").any(),
            period_actual_minor=pl.when(inside).then("paid").otherwise(0).sum(),
            document_on=pl.col("on").max(),
            documents=pl.col("transaction_ref").str.join(", "),
            is_orphan=pl.col("is_orphan").any(),
            paid_front=pl.col("storefront").first(),
        )
    )
    rows = base.join(sums, on=["group_ref", "currency"], how="full", coalesce=True)
    lined = pl.lit(True)
    if lines is not None:
        rows = rows.join(
            lines.select("storefront", "order_ref").unique().with_columns(has_lines=pl.lit(True)),
            on=["storefront", "order_ref"],
            how="left",
        )
        lined = pl.col("has_lines").fill_null(False)
    is_base = pl.col("total_minor").is_not_null()
    cancelled = (pl.col("status_code") == "cancelled").fill_null(False)
    idle = cancelled | pl.col("is_test").fill_null(False)
    rows = rows.with_columns(
        is_base=is_base,
        is_cancelled=cancelled,
        is_test=pl.col("is_test").fill_null(False),
        is_orphan=pl.col("is_orphan").fill_null(False),
        lined=lined,
        waits=pl.col("status_code").is_in(["open", "held"]).fill_null(False),
        charged=pl.col("charged").fill_null(False),
        gross_minor=pl.col("total_minor").fill_null(0),
        actual_minor=pl.col("actual_minor").fill_null(0),
        period_actual_minor=pl.col("period_actual_minor").fill_null(0),
        expected_minor=pl.when(is_base & ~idle).then("due_minor").otherwise(0).fill_null(0),
    )
    unpaid = pl.col("is_base") & (pl.col("expected_minor") > 0) & ~pl.col("charged")
    # What waits to be paid is not owed yet; money that came nevertheless is compared with what is due.
    rows = rows.with_columns(
        expected_minor=pl.when(unpaid & pl.col("waits")).then(0).otherwise("expected_minor"),
        pending=unpaid & pl.col("waits"),
    )
    rows = rows.with_columns(
        delta_minor=pl.col("expected_minor") - pl.col("actual_minor"),
        period_expected_minor=pl.when(policy.in_period("placed_on", "entity"))
        .then("expected_minor")
        .otherwise(0)
        if policy.period
        else pl.col("expected_minor"),
        entity=pl.lit(""),
    )
    delta = pl.col("delta_minor")
    own = pl.col("is_base") & pl.col("lined")
    rows = rows.with_columns(accepts=own & pl.col("charged") & tolerated(policy.tolerance).fill_null(False))

    def flagged(accepts: pl.Expr) -> pl.DataFrame:
        wrong = (delta != 0) & ~pl.col("is_orphan") & ~accepts
        unpaid_now = wrong & own & ~pl.col("charged") & (delta > 0)
        flags = rows.select(
            payment_without_order=pl.col("is_orphan"),
            order_without_lines=pl.col("is_base") & ~pl.col("lined") & (pl.col("gross_minor") != 0),
            currency=~pl.col("is_base") & ~pl.col("is_orphan"),
            order_unpaid=unpaid_now,
            short_paid=wrong & pl.col("is_base") & ~unpaid_now & (delta > 0),
            over_paid=wrong & pl.col("is_base") & (delta < 0),
            within_tolerance=accepts,
            not_yet_recognised=pl.col("pending"),
            cut_off=(delta == 0) & (pl.col("period_expected_minor") != pl.col("period_actual_minor")),
        )
        said = pl.any_horizontal(pl.all())
        flags = flags.with_columns(said=said, idle=rows.get_column("expected_minor") == 0)
        return flags.with_columns(
            not_owed=~pl.col("said") & pl.col("idle"), matched=~pl.col("said") & ~pl.col("idle")
        ).drop("said", "idle")

    lenient = flagged(pl.col("accepts"))
    first, rest = primary({code: code for code in lenient.columns})
    strict = flagged(pl.lit(False))
    return pl.concat(
        [rows, lenient.select(outcome_code=first, secondary_codes=rest), strict.select(strict_code=first)],
        how="horizontal",
    )


def _worded(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    zero = [
        pl.lit(0, pl.Int64).alias(name)
        for name in (*E_, *A_)
        if name not in ("expected_goods_minor", "actual_other_minor", "expected_other_minor")
    ]
    meaning = pl.col("outcome_code").replace_strict(
        {code: entry[1] for code, entry in OUTCOMES.items()}, return_dtype=pl.String
    )
    attributed = pl.coalesce("placed_on", "document_on") if policy.period else pl.lit(None, pl.Date)
    figures = pl.concat_str(
        pl.lit(" Due "),
        money("expected_minor"),
        pl.lit(", paid "),
        money("actual_minor"),
        pl.lit(", difference "),
        money("delta_minor"),
        pl.lit("."),
    )
    head = rows.filter("is_base").select(
        "group_ref", pl.col("order_ref").alias("head_ref"), pl.col("order_number").alias("head_number")
    )
    return (
        rows.join(head, on="group_ref", how="left")
        .with_columns(*zero, attributed_on=attributed)
        .with_columns(
            storefront=pl.coalesce("storefront", "paid_front", pl.lit("")), order_ref=pl.coalesce("order_ref", "head_ref"), order_number=pl.coalesce("order_number", "head_number"),
            store_ref=pl.col("store_ref").fill_null(""), entity_code=pl.lit(""), owed_on=pl.col("placed_on"), expected_goods_minor=pl.lit(0, pl.Int64),
            expected_other_minor=pl.col("expected_minor"), actual_other_minor=pl.col("actual_minor"), pass_no=pl.when("is_orphan").then(0).when("charged").then(2).otherwise(0).cast(pl.Int64),
            proposal=pl.lit(None, pl.String), decision_id=pl.lit(None, pl.String), evidence=pl.concat_str(meaning, figures), is_in_period=policy.in_period("placed_on", "entity") | policy.in_period("document_on", "entity"),
            period_delta_minor=pl.when(policy.in_period("attributed_on", "entity")).then("delta_minor").otherwise(0) if policy.period else pl.col("delta_minor"),
        )
        .with_columns(period_timing_minor=pl.col("period_expected_minor") - pl.col("period_actual_minor") - pl.col("period_delta_minor"))
        .select(COLUMNS)
        .sort("group_ref", "currency")
    )  # fmt: skip


def _empty(columns: tuple[str, ...]) -> pl.DataFrame:
    kinds = {"_minor": pl.Int64, "_no": pl.Int64, "_on": pl.Date}
    return pl.DataFrame(
        schema={
            name: pl.Boolean
            if name.startswith("is_")
            else next((kind for end, kind in kinds.items() if name.endswith(end)), pl.String)
            for name in columns
        }
    )


def _matches(base: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    found = moved.filter(~pl.col("is_orphan")).select("group_ref").unique()
    both = pl.col("group_ref").is_in(found["group_ref"].implode())
    number = pl.when(both).then(2).otherwise(0).cast(pl.Int64)
    return pl.concat(
        [
            base.select(pl.lit("orders").alias("tie_out"), "group_ref", pl.lit("storefront").alias("side"), pl.lit("order").alias("row_kind"), pl.col("group_ref").alias("row_ref"),
                        number.alias("pass_no"), pl.when(both).then(pl.lit("Payments name it.")).otherwise(pl.lit("No payment names it.")).alias("evidence")),
            moved.select(pl.lit("orders").alias("tie_out"), "group_ref", pl.lit("storefront").alias("side"), pl.col("kind_code").alias("row_kind"),
                         pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref").alias("row_ref"), number.alias("pass_no"),
                         pl.when("is_orphan").then(pl.lit("It names no order.")).otherwise(pl.lit("It names the order.")).alias("evidence")),
        ]
    ).select(MATCH_COLUMNS).sort("group_ref", "row_ref")  # fmt: skip
