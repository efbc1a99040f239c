"""Payouts of payment providers, the fee schedule and the rates they are held against, and what the comparison found."""

from __future__ import annotations

from checks.contracts.table import DAY, FLAG, INSTANT, MINOR, RATE, TEXT, Column, Table
from tieout.vocabulary import FAMILIES, OUTCOMES

LINE_KINDS = ("charge", "refund", "chargeback", "fee", "adjustment")
_CURRENCY = Column(
    "currency",
    TEXT,
    "Currency the money moved in; of every `_minor` but `payout_`, `at_rate_` and `exchange_`.",
    longest=3,
)
_NOTE = Column("note", TEXT, "Why, for the next reader.", null=True)

PAYOUT_LINES = Table(
    "core.payout_lines",
    ("storefront", "payout_ref", "line_ref"),
    "What a provider's payouts are made of, one row per payment settled, fee or adjustment. Net = gross − fee.",
    (
        Column("storefront", TEXT, "Configured name of the storefront whose money it is."),
        Column("payout_ref", TEXT, "The provider's id of the payout."),
        Column("line_ref", TEXT, "Its position among equal lines of the payout, made from its content."),
        Column(
            "payment_ref",
            TEXT,
            "The provider's reference of the payment; null for fees and adjustments.",
            null=True,
        ),
        Column("kind_code", TEXT, "What the line is.", words=LINE_KINDS),
        Column("paid_out_at", INSTANT, "When the payout was made."),
        _CURRENCY,
        Column("gross_minor", MINOR, "Money before fees; refunds and chargebacks negative."),
        Column("fee_minor", MINOR, "Fee kept; positive is a cost."),
        Column("net_minor", MINOR, "Gross less fee."),
        Column(
            "payout_currency",
            TEXT,
            "Currency it was paid out in; null if that is the same.",
            null=True,
            longest=3,
        ),
        Column("payout_minor", MINOR, "What was paid out for the line, in `payout_currency`.", null=True),
        Column(
            "stated_total_minor",
            MINOR,
            "What the provider says the whole payout came to, in the currency paid out.",
            null=True,
        ),
        Column("payload_sha256", TEXT, "The raw payload this row was made from.", longest=64),
        Column("run_id", TEXT, "The run that staged it."),
    ),
)

FEES = Table(
    "mappings.fees",
    ("storefront", "tender_code", "kind_code", "currency", "valid_from_on"),
    "The fee schedule: what a provider may keep. A fee is percent of the gross plus a fixed amount, rounded either way.",
    (
        Column("storefront", TEXT, "Configured name of the storefront, or *."),
        Column("tender_code", TEXT, "Method by the storefront's word, or *."),
        Column(
            "kind_code",
            TEXT,
            "charge, refund, chargeback, or *.",
            words=("charge", "refund", "chargeback", "*"),
        ),
        Column("currency", TEXT, "ISO 4217 code, or *."),
        Column("percent", TEXT, "Percent of the gross, for example 1.4.", null=True),
        Column("fixed", TEXT, "Fixed part in the currency, for example 0.25.", null=True),
        Column("valid_from_on", TEXT, "First day, YYYY-MM-DD."),
        Column("valid_until_on", TEXT, "First day it no longer holds; empty for no end.", null=True),
        _NOTE,
    ),
)

RATES = Table(
    "mappings.rates",
    ("currency", "payout_currency", "valid_from_on"),
    "Exchange rates that payouts in another currency are held against, with the source they were taken from.",
    (
        Column("currency", TEXT, "Currency the money moved in.", longest=3),
        Column("payout_currency", TEXT, "Currency paid out.", longest=3),
        Column("rate", TEXT, "Units of the payout currency for one unit."),
        Column("source", TEXT, "Where the rate was taken from."),
        Column("valid_from_on", TEXT, "First day, YYYY-MM-DD."),
        Column("valid_until_on", TEXT, "First day it no longer holds; empty for no end.", null=True),
        _NOTE,
    ),
)

SETTLEMENTS = Table(
    "recon.settlements",
    ("group_ref", "currency"),
    "Payments against payouts: one row per payment that payouts are expected for, per payout line without one, and per payout's own total.",
    (
        Column("group_ref", TEXT, "The payment, `line:` and payout and line, or `payout:` and payout."),
        Column("storefront", TEXT, "Storefront."),
        Column("order_ref", TEXT, "The order.", null=True),
        Column("tender_code", TEXT, "Method.", null=True),
        Column("payouts", TEXT, "Payouts that hold it, joined by comma.", null=True),
        Column("occurred_on", DAY, "When money moved (UTC).", null=True),
        Column("paid_out_on", DAY, "When it was last paid out (UTC).", null=True),
        _CURRENCY,
        Column("moved_minor", MINOR, "Money that moved; refunds and chargebacks negative."),
        Column("gross_minor", MINOR, "Gross in the payouts."),
        Column("delta_minor", MINOR, "Moved less gross."),
        Column("fee_minor", MINOR, "Fee kept."),
        Column(
            "scheduled_fee_minor",
            MINOR,
            "Fee by the schedule, rounded half up; null without a row.",
            null=True,
        ),
        Column("net_minor", MINOR, "Gross less fee."),
        Column("payout_currency", TEXT, "Currency paid out, where it is another one.", null=True, longest=3),
        Column("payout_minor", MINOR, "Paid out, in that currency.", null=True),
        Column("rate", RATE, "The stated rate it is held against.", null=True),
        Column("rate_source", TEXT, "Where that rate was taken from.", null=True),
        Column("at_rate_minor", MINOR, "Net at the stated rate, in the currency paid out.", null=True),
        Column(
            "exchange_minor", MINOR, "Realised difference: paid out less net at the stated rate.", null=True
        ),
        Column("outcome_code", TEXT, "The primary outcome.", words=tuple(OUTCOMES)),
        Column("family_code", TEXT, "Its family.", words=FAMILIES),
        Column("secondary_codes", TEXT, "Other outcomes that apply, joined by comma; empty text if none."),
        Column("evidence", TEXT, "Why this outcome, in one sentence."),
        Column("is_payment", FLAG, "Whether it is a payment, not a line or a payout's total."),
    ),
    (
        "A payment is expected in a payout if its tender is in the fee schedule or any payout holds money of that tender.",
    ),
)


def _account(name: str, said: str) -> Column:
    return Column(f"{name}_account_code", TEXT, said, null=True)


CLEARING = Table(
    "mappings.clearing",
    ("storefront", "entity_code", "tender_code"),
    "Accounts of the journal entries for refunds, chargebacks, fees and payouts, by the way money was paid. Used only for what `[journals]` posts.",
    (
        Column("storefront", TEXT, "Configured name of the storefront, or *."),
        Column("entity_code", TEXT, "Intacct entity, or *."),
        Column("tender_code", TEXT, "Method by the storefront's word, or *."),
        Column(
            "mode",
            TEXT,
            "`map`, or `ignore` for money that is posted elsewhere (say where in note).",
            words=("map", "ignore"),
        ),
        Column("journal_code", TEXT, "Journal (SYMBOL) the entries stand in.", null=True),
        _account("clearing", "GL account of the clearing account receipts of this tender go to."),
        _account("refund", "The other side of a refund: what is owed back to customers."),
        _account("chargeback", "The other side of a chargeback: money in dispute."),
        _account("fee", "Cost of payment."),
        _account("bank", "The bank account payouts arrive on."),
        Column("location_code", TEXT, "Intacct location of the lines; it must lie in the entity.", null=True),
        Column("department_code", TEXT, "Intacct department of the lines.", null=True),
        _NOTE,
    ),
)

TABLES = (PAYOUT_LINES, FEES, RATES, SETTLEMENTS, CLEARING)
