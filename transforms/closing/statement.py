"""The statement of a close: every table an entity signs, computed from the inputs, the policies and the last close's register, and nothing else.

The pack holds those three, so whoever has the pack can compute the statement again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import polars as pl

from transforms.closing import (
    components,
    control,
    follow_up,
    items,
    records,
    refunds_paid,
    translation,
)
from transforms.closing.payment_orders import payment_orders
from transforms.reconcile import (
    Inputs,
    Paired,
    Period,
    Policy,
    Result,
    Standing,
    judged,
    paired,
    proofs,
    standing,
)
from transforms.reconcile.homes import Homes, homes_of
from transforms.reconcile.settlements import Settled

_PROOF = ["name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor"]


@dataclass(frozen=True)
class Books:
    """One company's trade, paired once and judged three times: in the period, from the beginning to its end, and from the beginning to its start.

    `entries` are those on control accounts; `tied` is the subledger against the control accounts as of the end; None where no control account is configured or nothing on one was read.
    `whose_orders`: (storefront, order_ref, entity_code), `whose_payments`: (group_ref, entity_code).
    """

    inputs: Inputs
    policy: Policy
    period: Result
    to_end: Standing
    to_start: Standing
    entries: pl.DataFrame | None = None
    tied: control.Tied | None = None
    payouts: follow_up.Payouts | None = None
    settled: Settled | None = None
    drafted: follow_up.Drafted | None = None
    refunds: refunds_paid.Refunds | None = None
    paid_back: pl.DataFrame | None = None
    whose_orders: pl.DataFrame = field(default_factory=pl.DataFrame)
    whose_payments: pl.DataFrame = field(default_factory=pl.DataFrame)

    @cached_property
    def homes(self) -> Homes:
        """Which rows of the inputs could meet in any pass of the matching."""
        return homes_of(self.inputs, self.policy)


def books(
    inputs: Inputs,
    policy: Policy,
    entries: pl.DataFrame | None = None,
    payouts: follow_up.Payouts | None = None,
    refunds: refunds_paid.Refunds | None = None,
) -> Books:
    """Compare the inputs for a close; see `books_of`."""
    if refunds is not None and inputs.refund_outcomes is None:
        inputs = replace(inputs, refund_outcomes=refunds.compared())
    return books_of(paired(inputs, policy), policy, entries, payouts, refunds)


def books_of(
    pairs: Paired,
    policy: Policy,
    entries: pl.DataFrame | None = None,
    payouts: follow_up.Payouts | None = None,
    refunds: refunds_paid.Refunds | None = None,
) -> Books:
    """Judge the pairs for a close; `policy.period` must be set. Shared by all entities of the period.

    `entries` are those on control accounts (`control.entries_of`), or None to tie nothing to the general ledger. `payouts`: what providers paid out, or None.
    `refunds`: what refunds are held against their journal entries with, or None where none are posted.
    """
    period = policy.period
    if period is None:
        raise ValueError("a close needs a period")
    ends = {code: bounds[1] for code, bounds in period.by_entity.items()}
    starts = {code: bounds[0] for code, bounds in period.by_entity.items()}
    to_end = replace(policy, period=_until(period.end_on, ends, "to the end"))
    to_start = replace(policy, period=_until(period.start_on, starts, "to the start"))
    now = judged(pairs, policy)
    return Books(
        inputs=pairs.inputs,
        policy=policy,
        period=now,
        to_end=standing(pairs, to_end),
        to_start=standing(pairs, to_start),
        entries=entries,
        tied=None if entries is None else control.tied(pairs, entries, to_end),
        payouts=payouts,
        settled=follow_up.settled_with(pairs, payouts, policy),
        drafted=follow_up.drafted_of(pairs.inputs, now, policy),
        refunds=refunds,
        paid_back=None if refunds is None else refunds.compared(),
        whose_orders=pairs.matched.orders.select("storefront", "order_ref", entity_code="entity"),
        whose_payments=pairs.paid.payments.select("group_ref", entity_code="entity"),
    )


def _until(day: date, by_entity: Mapping[str, date], name: str) -> Period:
    return Period(
        name, items.BEGINNING, day, {code: (items.BEGINNING, one) for code, one in by_entity.items()}
    )


def statement(
    kept: Books, *, entity: str, base_currency: str, last_register: pl.DataFrame | None, rates: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """The tables of one entity's close by name: orders, payments, payment_orders, matches, waterfall, base_waterfall, components, ageing, proofs, register, roll_forward,
    absorbed, out_of_scope, records, rates, completeness, control, control_differences, settlements, drafts, draft_lines, refund_entries. All rows in a fixed order.

    `last_register` is the register of the last close (columns of `items.ROLLED`), or None. `rates` are `translation.implied_rates` of the entity.
    Proofs that are not zero are the caller's to refuse.
    """
    period = kept.policy.period
    if period is None:
        raise ValueError("a close needs a period")
    start_on, end_on = period.of(entity)
    now, end, begin = kept.period, kept.to_end, kept.to_start
    orders, payments = _mine(now.orders, entity), _mine(now.payments, entity)
    closing = items.open_items(
        _mine(end.orders, entity), _mine(end.payments, entity), _mine(end.ageing, entity), end_on
    )
    opening = items.open_items(
        _mine(begin.orders, entity), _mine(begin.payments, entity), _mine(begin.ageing, entity), start_on
    )
    register = items.rolled(last_register, opening, closing, period.name)
    bases = pl.DataFrame({"entity_code": [entity], "base_currency": [base_currency]})
    ageing = _mine(now.ageing, entity)
    rolled = items.proofs(
        register, _mine(end.orders, entity), _mine(end.payments, entity), ageing, last_register
    )
    paid_groups = payments["group_ref"].unique().implode()
    groups = pl.concat([orders["group_ref"], payments["group_ref"]]).unique().to_list()
    waterfall = _mine(now.waterfall, entity)
    made_of = components.components(kept.inputs, now, period, entity)
    listed = control.differences(kept.tied, entity)
    tied = control.balances(kept.tied, end.ageing, entity)
    heads, lines = follow_up.draft_tables(kept.drafted, entity)
    in_base = translation.translated(waterfall, rates, bases)
    return {
        "orders": orders,
        "payments": payments,
        "matches": now.matches.filter(pl.col("group_ref").is_in(groups)),
        "payment_orders": payment_orders(
            kept.inputs, now.matches.filter(pl.col("group_ref").is_in(paid_groups))
        ),
        "waterfall": waterfall,
        "base_waterfall": in_base,
        "components": made_of,
        "ageing": ageing,
        "proofs": pl.concat(
            [
                part.select(_PROOF)
                for part in (
                    _mine(proofs(now), entity),
                    rolled,
                    translation.proofs(in_base),
                    components.proofs(made_of, waterfall),
                    control.proofs(tied, listed),
                    follow_up.follow_up_proofs(kept.settled, heads, lines),
                    refunds_paid.proofs(kept.refunds, kept.paid_back, entity),
                )
            ]
        ).sort("name", "entity_code", "currency"),
        "register": register,
        "roll_forward": items.roll_forward(register, last_register),
        "absorbed": _mine(now.absorbed, entity),
        "out_of_scope": _mine(now.out_of_scope, entity),
        "records": records.records(kept.inputs, period, entity),
        "rates": rates,
        "completeness": completeness(kept.inputs, now),
        "control": tied,
        "control_differences": listed,
        "settlements": follow_up.settlements(kept.settled, entity, start_on, end_on),
        "drafts": heads,
        "draft_lines": lines,
        "refund_entries": refunds_paid.within(kept.paid_back, entity, start_on, end_on),
    }


def _mine(frame: pl.DataFrame, entity: str) -> pl.DataFrame:
    return frame.filter(pl.col("entity_code") == entity)


def document_bases(result: Result, inputs: Inputs) -> pl.DataFrame:
    """Documents in scope that stand, with what Intacct says they are worth in base currency: what `translation.implied_rates` reads."""
    mine = result.matched.documents.filter("in_scope", "is_counted").select(
        "kind", "ref", "entity", "currency", "posted_on", "total_minor"
    )
    parts = []
    for kind, frame, ref in (
        ("invoice", inputs.ar_invoices, "invoice_ref"),
        ("adjustment", inputs.ar_adjustments, "adjustment_ref"),
    ):
        if frame is None or "base_total_minor" not in frame.collect_schema():
            continue
        worth = (
            frame.lazy()
            .select(pl.lit(kind).alias("kind"), pl.col(ref).alias("ref"), "base_total_minor")
            .collect()
        )
        parts.append(worth.with_columns(pl.col("base_total_minor").cast(pl.Int64)))
    if not parts:
        return mine.select(
            entity_code="entity",
            currency="currency",
            posted_on="posted_on",
            total_minor="total_minor",
            base_total_minor=pl.lit(None, pl.Int64),
        )
    return mine.join(pl.concat(parts), on=["kind", "ref"], how="left").select(
        "currency", "posted_on", "total_minor", "base_total_minor", entity_code="entity"
    )


def completeness(inputs: Inputs, result: Result) -> pl.DataFrame:
    """Sums per subject and currency over all entities: what was staged, what the report holds, what is other business, and what does not stand.

    Columns subject, currency, staged_count, staged_minor, reported_minor, aside_minor, not_standing_minor. An order is reported whole or the
    proofs fail; a document is reported, out of scope, or does not stand (draft, reversed, deleted), which is the rest.
    """
    placed = inputs.take("orders").filter(pl.col("currency").is_not_null())
    # What Intacct shows of a refund without a receipt is its journal entry.
    entered = (pl.col("kind_code") == "refund") & pl.col("receipts").is_null()
    reported = {
        "orders": _by_currency(result.orders, "gross_minor"),
        "invoices and memos": _by_currency(result.orders, "actual_minor"),
        "receipts": _by_currency(result.payments.filter(~entered), "actual_minor"),
    }
    papers = [
        inputs.take(name).select("currency", "total_minor") for name in ("ar_invoices", "ar_adjustments")
    ]
    staged = {
        "orders": placed.select("currency", "total_minor"),
        "invoices and memos": pl.concat(papers),
        "receipts": inputs.take("ar_receipts").select("currency", "total_minor"),
    }
    aside = result.out_of_scope
    parts = []
    for subject, rows in staged.items():
        receipts = pl.col("kind") == "receipt"
        other = (
            aside.filter(receipts if subject == "receipts" else ~receipts)
            if subject != "orders"
            else aside.clear()
        )
        sums = rows.group_by("currency").agg(
            staged_count=pl.len().cast(pl.Int64), staged_minor=pl.col("total_minor").sum()
        )
        parts.append(
            sums.join(reported[subject], on="currency", how="full", coalesce=True)
            .join(
                other.group_by("currency").agg(aside_minor=pl.col("amount_minor").sum()),
                on="currency",
                how="left",
            )
            .with_columns(
                pl.lit(subject).alias("subject"),
                pl.col("staged_count", "staged_minor", "reported_minor", "aside_minor").fill_null(0),
            )
            .with_columns(
                not_standing_minor=pl.col("staged_minor") - pl.col("reported_minor") - pl.col("aside_minor")
            )
        )
    return (
        pl.concat(parts)
        .select(
            "subject",
            "currency",
            "staged_count",
            "staged_minor",
            "reported_minor",
            "aside_minor",
            "not_standing_minor",
        )
        .sort("subject", "currency")
    )


def _by_currency(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by("currency").agg(reported_minor=pl.col(column).sum())
