"""Journal entries the shop's money owes: refunds and chargebacks taken out of their clearing account, fees and payouts of the providers.

==========  =======================  =======================  ===========================================
event       debit                    credit                   for
==========  =======================  =======================  ===========================================
refund      refund account           clearing account         what was credited of it, once it is credited
chargeback  chargeback account       clearing account         what the provider took back
payout      fee account, bank        clearing account         fees kept, and the net paid out
==========  =======================  =======================  ===========================================

Which of them are posted is policy; the accounts are `clearing.csv`, by storefront, entity and tender. A payout makes one entry per entity
and currency. Every entry stands in one entity and balances in it. What cannot be posted has a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

import polars as pl

from tieout.money import known_currencies
from transforms.accounts import most_specific
from transforms.identity import minted
from transforms.owed.shares import rounded_to
from transforms.postings.content import finished
from transforms.postings.terms import SENTENCES, UNPLANNED_SCHEMA
from transforms.running import position

_ACCOUNTS: Final = ("clearing", "refund", "chargeback", "fee", "bank")
_VALUES: Final = ["clearing_mode", "journal_code", *(f"{name}_account_code" for name in _ACCOUNTS), "location_code", "department_code"]  # fmt: skip
_KEY: Final = ["storefront", "entity_code", "event_code", "event_ref", "currency"]


@dataclass(frozen=True)
class JournalPolicy:
    """Which events make a journal entry; each is off unless stated, because companies that post them from a statement would have them twice.

    `zones`: time zone by entity, for the accounting date. `decimals`: what Intacct keeps of an amount.
    """

    namespace: str = "tieout"
    refunds: bool = False
    chargebacks: bool = False
    fees: bool = False
    payouts: bool = False
    posting_starts_on: date | None = None
    decimals: int = 2
    zones: Mapping[str, str] = field(default_factory=dict)


class JournalPlan(NamedTuple):
    """`documents` and `lines` (rows of out.documents and out.document_lines, of kind journal), and `unplanned` events with their reasons."""

    documents: pl.DataFrame
    lines: pl.DataFrame
    unplanned: pl.DataFrame


def plan_journals(
    owed: pl.DataFrame,
    payments: pl.DataFrame,
    order_payments: pl.DataFrame,
    orders: pl.DataFrame,
    payout_lines: pl.DataFrame,
    stores: pl.DataFrame,
    clearing: pl.DataFrame,
    held_orders: pl.DataFrame,
    edits: pl.DataFrame,
    policy: JournalPolicy,
    *,
    run_id: str,
    planned_at: datetime,
) -> JournalPlan:
    """Every journal entry that is owed by policy. The frames are recon.owed, core tables and mappings of these names, and ops.edits.

    Pure: the same arguments give the same plan, whatever the order of their rows.
    """
    placed = _placed(orders, stores)
    moved = _moved(payments, order_payments, placed)
    legs = pl.concat(
        [
            *([_refunds(owed)] if policy.refunds else []),
            *([_chargebacks(moved, policy)] if policy.chargebacks else []),
            *([_payouts(payout_lines, moved, policy)] if policy.fees or policy.payouts else []),
        ]
        or [pl.DataFrame(schema=_LEG)]
    )
    legs = _with_accounts(_in_decimals(legs, policy), clearing)
    legs = legs.with_columns(minted(legs, policy.namespace, ["storefront", *_KEY[1:]]))
    reasons = _reasons(legs, held_orders, policy)
    legs = legs.join(reasons, on="document_id", how="left", maintain_order="left")
    lines = _lines(legs.filter(pl.col("reason_code").is_null()))
    documents, lines = finished(
        _documents(legs.filter(pl.col("reason_code").is_null())), lines, edits, run_id, planned_at
    )
    return JournalPlan(documents, lines, _unplanned(legs.filter(pl.col("reason_code").is_not_null())))


_LEG: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "entity_code": pl.String(),
    "event_code": pl.String(),
    "event_ref": pl.String(),
    "currency": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "tender_code": pl.String(),
    "said_ref": pl.String(),
    "owed_on": pl.Date(),
    "gross_minor": pl.Int64(),
    "fee_minor": pl.Int64(),
    "net_minor": pl.Int64(),
    "trouble": pl.String(),
}
"""One leg: what one event takes out of one tender's clearing account (`gross_minor`), of it fees, and the rest."""


# --- what happened ----------------------------------------------------------------------------------------------
def _placed(orders: pl.DataFrame, stores: pl.DataFrame) -> pl.DataFrame:
    """Orders that owe anything at all, with their entity."""
    found = most_specific(
        orders.filter(~pl.col("is_test")).select("storefront", "order_ref", "order_number", "store_ref"),
        stores.rename({"mode": "store_mode"}),
        ["storefront", "store_ref"],
        ["store_mode", "entity_code"],
    )
    return found.filter(pl.col("store_mode") != "ignore").drop("store_mode", "store_ref")


def _moved(payments: pl.DataFrame, order_payments: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Money that moved for orders, once per transaction, with entity; named as the recognition names it."""
    named = order_payments.group_by("storefront", "payment_ref").agg(named_ref=pl.col("order_ref").min())
    found = (
        payments.filter((pl.col("state_code") == "success") & pl.col("problem").is_null())
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(order_ref=pl.coalesce("order_ref", "named_ref"))
        .join(placed, on=["storefront", "order_ref"])
        .sort("storefront", "occurred_at", "payment_ref", "transaction_ref")
    )
    twin = ~pl.struct("storefront", "transaction_ref").is_first_distinct()
    return found.with_columns(
        event_ref=pl.when(twin)
        .then(pl.col("payment_ref") + ":" + pl.col("transaction_ref"))
        .otherwise("transaction_ref")
    )


def _refunds(owed: pl.DataFrame) -> pl.DataFrame:
    """Refunds that owe a credit memo, for what they credit: what gives back a prepayment never reached the clearing account by us."""
    credits = owed.filter((pl.col("event_code") == "credit") & pl.col("payment_ref").is_not_null())
    gross = -pl.col("total_minor")
    return _legs(
        credits.with_columns(event_code=pl.lit("refund"), gross_minor=gross, net_minor=gross, said_ref="gateway_ref")
    )  # fmt: skip


def _chargebacks(moved: pl.DataFrame, policy: JournalPolicy) -> pl.DataFrame:
    taken = moved.filter(pl.col("kind_code") == "chargeback").with_columns(
        event_code=pl.lit("chargeback"), fee_minor=pl.lit(0, dtype=pl.Int64), gross_minor="amount_minor", net_minor="amount_minor", said_ref="gateway_ref"
    )  # fmt: skip
    return _legs(taken.with_columns(owed_on=_local_date("occurred_at", policy)))


def _payouts(lines: pl.DataFrame, moved: pl.DataFrame, policy: JournalPolicy) -> pl.DataFrame:
    """Payouts by entity, currency and tender of the payments in them; a fee of the payout itself goes where all its payments go."""
    names = (
        pl.concat(
            moved.select("storefront", "tender_code", "entity_code", payment_ref=column)
            for column in ("gateway_ref", "transaction_ref", "payment_ref")
        )
        .drop_nulls("payment_ref")
        .sort("storefront", "payment_ref", "entity_code", "tender_code")
        .unique(["storefront", "payment_ref"], keep="first", maintain_order=True)
    )
    known = lines.join(names, on=["storefront", "payment_ref"], how="left")
    payout = ["storefront", "payout_ref"]
    homes = (
        known.drop_nulls("tender_code")
        .group_by(payout)
        .agg(
            n=pl.struct("entity_code", "tender_code").n_unique(),
            home_entity=pl.col("entity_code").min(),
            home_tender=pl.col("tender_code").min(),
        )
    )
    is_one = pl.col("n") == 1
    abroad = pl.col("payout_currency").is_not_null() & (pl.col("payout_currency") != pl.col("currency"))
    stated = pl.col("stated_total_minor").max().over(payout)
    whole = known.join(homes, on=payout, how="left").with_columns(
        tender_code=pl.coalesce("tender_code", pl.when(is_one).then("home_tender")),
        entity_code=pl.coalesce("entity_code", pl.when(is_one).then("home_entity")),
        trouble=pl.when(abroad.any().over(payout))
        .then(pl.lit("payout_other_currency"))
        .when(stated.is_not_null() & (pl.col("net_minor").sum().over(payout) != stated))
        .then(pl.lit("payout_does_not_add_up")),
    )
    # One entry of a payout that cannot be told whose it is keeps the whole payout back: its parts must add up to what the bank received.
    lost = pl.col("tender_code").is_null().any().over(payout)
    whole = whole.with_columns(
        trouble=pl.coalesce("trouble", pl.when(lost).then(pl.lit("payout_line_unknown")))
    )
    sums = (
        whole.with_columns(
            owed_on=_local_date("paid_out_at", policy), event_code=pl.lit("payout"), event_ref="payout_ref", said_ref="payout_ref"
        )
        .group_by(*_KEY, "tender_code", "said_ref", "trouble")
        .agg(pl.col("fee_minor", "net_minor").sum(), pl.col("owed_on").max())
        .with_columns(
            fee_minor=pl.col("fee_minor") if policy.fees else pl.lit(0, dtype=pl.Int64),
            net_minor=pl.col("net_minor") if policy.payouts else pl.lit(0, dtype=pl.Int64),
        )
        .with_columns(gross_minor=pl.col("fee_minor") + pl.col("net_minor"))
    )  # fmt: skip
    return _legs(sums)


def _legs(rows: pl.DataFrame) -> pl.DataFrame:
    missing = {name: dtype for name, dtype in _LEG.items() if name not in rows.columns}
    plain = rows.with_columns(
        pl.lit(0 if name.endswith("_minor") else None, dtype=dtype).alias(name)
        for name, dtype in missing.items()
    )
    return plain.select(pl.col(name).cast(dtype) for name, dtype in _LEG.items())


def _local_date(column: str, policy: JournalPolicy) -> pl.Expr:
    """The date on the entity's calendar. Time zones are few: one expression for each."""
    found = pl.col(column).dt.date()
    for entity, zone in sorted(policy.zones.items()):
        local = pl.col(column).dt.convert_time_zone(zone).dt.date()
        found = pl.when(pl.col("entity_code") == entity).then(local).otherwise(found)
    return found


# --- what becomes of it -----------------------------------------------------------------------------------------
def _in_decimals(legs: pl.DataFrame, policy: JournalPolicy) -> pl.DataFrame:
    """Amounts in the decimals Intacct keeps; what leaves the clearing account is the sum of where it goes, so that entries balance."""
    steps = {code: 10 ** max(0, digits - policy.decimals) for code, digits in known_currencies().items()}
    step = pl.col("currency").replace_strict(steps, default=1, return_dtype=pl.Int64)
    return legs.with_columns(
        fee_minor=rounded_to(pl.col("fee_minor"), step), net_minor=rounded_to(pl.col("net_minor"), step)
    ).with_columns(cleared_minor=pl.col("fee_minor") + pl.col("net_minor"))


def _with_accounts(legs: pl.DataFrame, clearing: pl.DataFrame) -> pl.DataFrame:
    return most_specific(
        legs.sort(*_KEY, "tender_code", nulls_last=True),
        clearing.rename({"mode": "clearing_mode"}),
        ["storefront", "entity_code", "tender_code"],
        _VALUES,
    )


def _reasons(legs: pl.DataFrame, held_orders: pl.DataFrame, policy: JournalPolicy) -> pl.DataFrame:
    """`document_id`, `reason_code`: the first reason of any leg holds the whole entry."""
    held = held_orders.select("storefront", "order_ref", is_held=pl.lit(value=True)).unique()
    event = pl.col("event_code")
    other = (
        pl.when(event == "refund")
        .then("refund_account_code")
        .when(event == "chargeback")
        .then("chargeback_account_code")
    )
    lacks = (
        pl.col("clearing_account_code").is_null()
        | pl.col("journal_code").is_null()
        | ((event != "payout") & other.is_null())
        | ((event == "payout") & (pl.col("fee_minor") != 0) & pl.col("fee_account_code").is_null())
        | ((event == "payout") & (pl.col("net_minor") != 0) & pl.col("bank_account_code").is_null())
    )
    starts = pl.lit(policy.posting_starts_on, dtype=pl.Date)
    reason = (
        pl.when((pl.col("owed_on") < starts).fill_null(value=False))
        .then(pl.lit("before_go_live"))
        .when(pl.col("is_held").fill_null(value=False))
        .then(pl.lit("held"))
        .when(pl.col("trouble").is_not_null())
        .then("trouble")
        .when(pl.col("entity_code").is_null())
        .then(pl.lit("store_unmapped"))
        .when((pl.col("clearing_mode") == "ignore").fill_null(value=False))
        .then(pl.lit("tender_ignored"))
        .when(pl.col("clearing_mode").is_null() | lacks)
        .then(pl.lit("clearing_unmapped"))
    )
    found = legs.join(held, on=["storefront", "order_ref"], how="left", maintain_order="left").with_columns(reason_code=reason)  # fmt: skip
    whole = found.group_by("document_id", maintain_order=True).agg(
        pl.col("reason_code").drop_nulls().first(),
        is_zero=((pl.col("fee_minor") == 0) & (pl.col("net_minor") == 0)).all(),
        n_journals=pl.col("journal_code").n_unique(),
    )
    # An entry stands in one journal: tenders of one payout that name different ones cannot share it.
    return whole.select(
        "document_id",
        reason_code=pl.when("is_zero")
        .then(pl.lit("zero_total"))
        .otherwise(pl.coalesce("reason_code", pl.when(pl.col("n_journals") > 1).then(pl.lit("clearing_unmapped")))),
    )  # fmt: skip


def _lines(legs: pl.DataFrame) -> pl.DataFrame:
    """Debits and credits of every leg, debits positive."""
    event = pl.col("event_code")
    goes = (
        pl.when(event == "refund")
        .then("refund_account_code")
        .when(event == "chargeback")
        .then("chargeback_account_code")
        .otherwise("bank_account_code")
    )
    word = pl.when(event == "payout").then(pl.lit("Paid out")).otherwise(event.str.to_titlecase())
    sides = [
        legs.with_columns(account_code="fee_account_code", amount_minor="fee_minor", memo=pl.lit("Fee"), side=pl.lit(0)),
        legs.with_columns(account_code=goes, amount_minor="net_minor", memo=word, side=pl.lit(1)),
        legs.with_columns(
            account_code="clearing_account_code", amount_minor=-pl.col("cleared_minor"), memo=pl.lit("Clearing"), side=pl.lit(2)
        ),
    ]  # fmt: skip
    return (
        pl.concat(sides)
        .filter(pl.col("amount_minor") != 0)
        .sort("document_id", "tender_code", "side", nulls_last=True)
        .select(
            "document_id", "account_code", "amount_minor", pl.concat_str("memo", "tender_code", separator=" ", ignore_nulls=True).alias("memo"),
            "location_code", "department_code", line_no=position("document_id"),
        )
    )  # fmt: skip


def _documents(legs: pl.DataFrame) -> pl.DataFrame:
    title = pl.col("event_code").str.to_titlecase()
    about = pl.when(pl.col("event_code") == "payout").then(pl.lit(" ") + pl.col("said_ref")).otherwise(
        pl.lit(" of order ") + pl.coalesce("order_number", "order_ref") + pl.coalesce(pl.lit(", ") + pl.col("said_ref"), pl.lit(""))
    )  # fmt: skip
    return (
        legs.unique("document_id", keep="first", maintain_order=True)
        .with_columns(
            kind_code=pl.lit("journal"), revision=pl.lit(1, dtype=pl.Int64), number="document_id", customer_id=pl.lit(""),
            document_on="owed_on", total_minor=pl.lit(0, dtype=pl.Int64), account_ref="journal_code",
            description=(title + about).str.slice(0, 80),
        )
        .drop("reason_code")
    )  # fmt: skip


def _unplanned(legs: pl.DataFrame) -> pl.DataFrame:
    return (
        legs.group_by("document_id", maintain_order=True)
        .agg(
            pl.col("storefront", "order_ref", "order_number", "event_ref", "entity_code", "currency", "reason_code").first(),
            amount_minor=pl.col("cleared_minor").sum(),
        )
        .with_columns(
            kind_code=pl.lit("journal"), number="document_id",
            sentence=pl.col("reason_code").replace_strict(dict(SENTENCES), return_dtype=pl.String),
        )
        .select(*UNPLANNED_SCHEMA)
        .cast(UNPLANNED_SCHEMA)  # type: ignore[arg-type]
    )  # fmt: skip
