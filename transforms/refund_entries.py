"""Refunds against the general ledger: was the money that was paid back taken out of the clearing account, once and for as much?

===================  =========================================================================================================
code                 holds when
===================  =========================================================================================================
gl_only              an entry of ours stands for a refund that is owed no more
ambiguous            several entries, or refunds, carry one reference
currency, entity     the entry stands in another currency or entity than the refund
rounding             the difference is what Intacct's decimals take away
gl_amount            the entry takes another amount out of the clearing account
cut_off              equal amounts in different months
held, in_flight      there is no entry and its journal is held, or in the outbox or not read back yet
cash_leg_elsewhere   there is no entry and none is meant to be (before go-live, tender ignored, cancelled by a person)
gl_missing           there is no entry otherwise
matched              everything else
===================  =========================================================================================================
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import OUTCOMES
from transforms.owed.shares import rounded_to

_EVENT: Final = ["storefront", "order_ref", "event_ref"]
_ELSEWHERE: Final = ("before_go_live", "tender_ignored", "cancelled_by_hand", "zero_total")
_WAITS: Final = ("held", "dead")
_TEXTS: Final = {code: about for code, (_family, about, _next) in OUTCOMES.items()}
_FAMILIES: Final = {code: family for code, (family, _about, _next) in OUTCOMES.items()}
COLUMNS: Final = (
    "storefront", "order_ref", "order_number", "event_ref", "entity_code", "currency", "tender_code", "gateway_ref", "owed_on",
    "posted_on", "batches", "expected_minor", "actual_minor", "delta_minor", "outcome_code", "family_code", "pass_no", "evidence",
)  # fmt: skip


def refund_entries(
    owed: pl.DataFrame,
    journals: pl.DataFrame,
    lines: pl.DataFrame,
    entries: pl.DataFrame,
    unplanned: pl.DataFrame,
    chargebacks: pl.DataFrame,
    clearing: pl.DataFrame,
    *,
    decimals: int,
    read_at: datetime | None,
) -> pl.DataFrame:
    """Rows of recon.refund_entries.

    owed         recon.owed
    journals     out.documents of kind journal with `state_code`, `intacct_key` and `changed_at` of the outbox
    lines        their out.document_lines
    entries      core.gl_entries, of all accounts
    unplanned    ops.unplanned
    chargebacks  `storefront` and `event_ref` of the payers' banks' takings, whose entries are no refunds'
    clearing     mappings.clearing
    decimals     what Intacct keeps of an amount
    read_at      when the general ledger was last begun to be read: what was accepted later cannot be seen yet
    """
    refunds = owed.filter(
        (pl.col("event_code") == "credit") & pl.col("payment_ref").is_not_null()
    ).select(
        *_EVENT, "order_number", "entity_code", "currency", "tender_code", "gateway_ref", "owed_on", expected_minor="total_minor"
    )  # fmt: skip
    ours = _of_documents(journals, lines, entries)
    stands = refunds.join(ours, on=_EVENT, how="left")
    by_hand = _by_reference(stands.filter(pl.col("pass_no").fill_null(0) == 0), entries, journals, clearing)
    rows = (
        stands.join(by_hand, on=[*_EVENT, "currency"], how="left")
        .with_columns(
            pl.coalesce(f"{name}_there", name).alias(name)
            for name in ("actual_minor", "posted_on", "batches", "there_currency", "there_entity", "pass_no")
        )
        .join(
            unplanned.filter(pl.col("kind_code") == "journal")
            .select(*_EVENT, "reason_code", "sentence")
            .unique(_EVENT, keep="first"),
            on=_EVENT,
            how="left",
        )
    )
    return (
        pl.concat([_judged(rows, decimals, read_at), _left_over(refunds, ours, journals, chargebacks)])
        .with_columns(family_code=pl.col("outcome_code").replace_strict(_FAMILIES, return_dtype=pl.String))
        .select(COLUMNS)
        .sort("storefront", "order_ref", "event_ref", "currency")
    )


def _of_documents(journals: pl.DataFrame, lines: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """By event: the state of its journals, and what their entries take out of the account they were planned to take it from."""
    accounts = lines.filter(pl.col("amount_minor") < 0).select("document_id", "account_code").unique()
    booked = (
        journals.filter((pl.col("state_code") == "accepted") & pl.col("intacct_key").is_not_null())
        .join(accounts, on="document_id")
        .join(entries.select("batch_ref", "account_code", "posted_on", "amount_minor", there_currency="currency", there_entity="entity_code"),
              left_on=["intacct_key", "account_code"], right_on=["batch_ref", "account_code"])
        .group_by(_EVENT)
        .agg(
            pl.col("amount_minor").sum().alias("actual_minor"), pl.col("posted_on").max(),
            pl.col("intacct_key").unique().sort().str.join(",").alias("batches"),
            pl.col("there_currency", "there_entity").min(), pass_no=pl.lit(1, dtype=pl.Int64),
        )
    )  # fmt: skip
    states = (
        journals.filter(pl.col("order_ref").is_not_null())
        .sort(*_EVENT, "changed_at", "document_id")
        .group_by(_EVENT, maintain_order=True)
        .agg(pl.col("state_code", "changed_at").last())
    )
    return states.join(booked, on=_EVENT, how="left")


def _by_reference(
    refunds: pl.DataFrame, entries: pl.DataFrame, journals: pl.DataFrame, clearing: pl.DataFrame
) -> pl.DataFrame:
    """Entries by hand on a clearing account that name the provider's reference; `pass_no_there` 0 says that several fit."""
    accounts = clearing["clearing_account_code"].drop_nulls().unique().implode()
    mine = journals["intacct_key"].drop_nulls().unique().implode()
    free = entries.filter(
        pl.col("account_code").is_in(accounts)
        & pl.col("record_ref").is_null()
        & (pl.col("amount_minor") < 0)
        & ~pl.col("batch_ref").fill_null("").is_in(mine)
    )
    named = (
        pl.concat(
            free.select("entry_ref", "batch_ref", "amount_minor", "posted_on", "currency", "entity_code", gateway_ref=name)
            for name in ("reference", "document_number")
        )
        .drop_nulls("gateway_ref")
        .unique(["entry_ref", "gateway_ref"])
    )  # fmt: skip
    pairs = (
        refunds.select(*_EVENT, "currency", "gateway_ref")
        .drop_nulls("gateway_ref")
        .join(named.rename({"currency": "its_currency"}), on="gateway_ref")
    )
    return (
        pairs.with_columns(wanted=pl.struct(_EVENT).n_unique().over("gateway_ref"))
        .group_by(*_EVENT, "currency")
        .agg(
            pl.col("amount_minor").sum().alias("actual_minor_there"), pl.col("posted_on").max().alias("posted_on_there"),
            pl.col("batch_ref").unique().sort().str.join(",").alias("batches_there"),
            pl.col("its_currency").min().alias("there_currency_there"), pl.col("entity_code").min().alias("there_entity_there"),
            pass_no_there=pl.when((pl.col("wanted").max() == 1) & (pl.len() == 1)).then(pl.lit(2, dtype=pl.Int64)).otherwise(0),
        )
    )  # fmt: skip


def _judged(rows: pl.DataFrame, decimals: int, read_at: datetime | None) -> pl.DataFrame:
    steps = {code: 10 ** max(0, digits - decimals) for code, digits in known_currencies().items()}
    step = pl.col("currency").replace_strict(steps, default=1, return_dtype=pl.Int64)
    several = (pl.col("pass_no_there") == 0).fill_null(value=False)
    has = pl.col("pass_no").fill_null(0) > 0
    there = pl.when(has & (pl.col("there_currency") == pl.col("currency"))).then("actual_minor").otherwise(0)
    rows = rows.with_columns(
        found_minor=pl.when(several).then(0).otherwise(there), pass_no=pl.col("pass_no").fill_null(0)
    )
    delta = pl.col("expected_minor") - pl.col("found_minor")
    state = pl.col("state_code")
    unseen = (state == "accepted") & (pl.col("changed_at") >= pl.lit(read_at, dtype=pl.Datetime("us", "UTC")))
    waiting = state.is_in(["planned", "sending", "unknown", "refused"]) | unseen
    code = (
        pl.when(several).then(pl.lit("ambiguous"))
        .when(has & (pl.col("there_currency") != pl.col("currency"))).then(pl.lit("currency"))
        .when(has & (pl.col("there_entity") != pl.col("entity_code"))).then(pl.lit("entity"))
        .when(has & (delta != 0) & (rounded_to(pl.col("expected_minor"), step) == pl.col("found_minor"))).then(pl.lit("rounding"))
        .when(has & (delta != 0)).then(pl.lit("gl_amount"))
        .when(has & (pl.col("owed_on").dt.truncate("1mo") != pl.col("posted_on").dt.truncate("1mo"))).then(pl.lit("cut_off"))
        .when(has).then(pl.lit("matched"))
        .when(state.is_in(_WAITS)).then(pl.lit("held"))
        .when(waiting).then(pl.lit("in_flight"))
        .when((state == "cancelled") | pl.col("reason_code").is_in(_ELSEWHERE)).then(pl.lit("cash_leg_elsewhere"))
        .when(state.is_null() & pl.col("reason_code").is_not_null()).then(pl.lit("held"))
        .otherwise(pl.lit("gl_missing"))
    )  # fmt: skip
    rows = rows.with_columns(outcome_code=code, actual_minor="found_minor", delta_minor=delta)
    how = pl.when(pl.col("pass_no") == 1).then(pl.lit(" Found by the journal entry sent for it.")).when(pl.col("pass_no") == 2).then(pl.lit(" Found by its reference.")).otherwise(pl.lit(""))  # fmt: skip
    why = pl.when(pl.col("outcome_code").is_in(["held", "cash_leg_elsewhere"]) & pl.col("sentence").is_not_null()).then(pl.lit(" ") + pl.col("sentence")).otherwise(pl.lit(""))  # fmt: skip
    told = pl.col("outcome_code").replace_strict(_TEXTS, return_dtype=pl.String)
    return rows.with_columns(evidence=told + how + why).select(*_SHAPE).cast(_SHAPE)  # type: ignore[arg-type]


def _left_over(
    refunds: pl.DataFrame, ours: pl.DataFrame, journals: pl.DataFrame, chargebacks: pl.DataFrame
) -> pl.DataFrame:
    """Entries of ours that stand for a refund which is owed no more."""
    head = journals.sort("document_id").unique(_EVENT, keep="first").select(*_EVENT, "order_number", "entity_code", "currency")  # fmt: skip
    return (
        ours.filter((pl.col("pass_no") == 1) & (pl.col("actual_minor") != 0))
        .join(refunds, on=_EVENT, how="anti")
        .join(chargebacks, on=["storefront", "event_ref"], how="anti")
        .join(head, on=_EVENT)
        .with_columns(
            tender_code=None, gateway_ref=None, owed_on=None, expected_minor=0, delta_minor=-pl.col("actual_minor"),
            outcome_code=pl.lit("gl_only"),
            evidence=pl.lit(_TEXTS["gl_only"] + " The storefront shows no refund for it any more."),
        )
        .select(*_SHAPE)
        .cast(_SHAPE)  # type: ignore[arg-type]
    )  # fmt: skip


_SHAPE: Final[dict[str, pl.DataType]] = {
    name: pl.Int64()
    if name.endswith(("_minor", "_no"))
    else pl.Date()
    if name.endswith("_on")
    else pl.String()
    for name in COLUMNS
    if name != "family_code"
}
