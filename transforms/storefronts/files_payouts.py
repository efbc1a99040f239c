"""Plain files: a provider's settlement report to `core.payout_lines`."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.staged import Staged
from transforms.storefronts.files_rules import USUAL, FileRules, Reading, distinct, words
from transforms.text_values import read_amounts, read_instants

COLUMNS: Final = (
    "payout_ref", "paid_out_at", "payment_ref", "kind", "gross", "fee", "net", "currency", "payout_currency", "payout_amount", "payout_total",
)  # fmt: skip
_KINDS: Final = {
    **dict.fromkeys(("charge", "capture", "sale", "payment", "settled"), "charge"),
    **dict.fromkeys(("refund", "refunded", "payment refund"), "refund"),
    **dict.fromkeys(("chargeback", "dispute", "adjustment chargeback"), "chargeback"),
    **dict.fromkeys(("fee", "fees", "service fee", "monthly fee"), "fee"),
    **dict.fromkeys(("adjustment", "correction", "reserve", "other", "transfer"), "adjustment"),
}


def payouts(frame: pl.DataFrame, rules: FileRules = USUAL, *, storefront: str, run_id: str) -> Staged:
    """`core.payout_lines` from a settlement report, one row per payment settled, fee or adjustment.

    Two of gross, fee and net are enough; where all three are given they must agree. A line without a kind is a charge, below zero a
    refund; one without a payment is a fee if it has no gross, else an adjustment. Fees are costs whichever sign the file gives them: a
    fee has the sign that makes gross less fee the net; without a net it is taken as a cost.
    """
    read = Reading(frame, "payouts", COLUMNS, rules)
    read.upper_currency()
    read.amounts("gross", "fee", "net")
    read.frame = read.frame.with_columns(
        payout_currency=pl.coalesce(pl.col("payout_currency").str.to_uppercase(), "currency")
    )
    read.take(
        read_amounts(
            read.frame, ("payout_amount", "payout_total"), currency="payout_currency", style=rules.style
        )
    )
    read.take(read_instants(read.frame, ("paid_out_at",), rules.formats, rules.time_zone))
    read.must("payout_ref", "paid_out_at", "currency")
    gross, fee, net = pl.col("gross"), pl.col("fee"), pl.col("net")
    cost = pl.when(gross - fee == net).then(fee).when(gross + fee == net).then(-fee).otherwise(fee.abs())
    read.frame = read.frame.with_columns(
        gross_=pl.coalesce(gross, net + fee.abs(), pl.when(gross.is_null() & net.is_null()).then(0)),
        fee_=pl.coalesce(cost, fee.abs(), gross - net, pl.lit(0)),
    ).with_columns(net_=pl.coalesce("net", pl.col("gross_") - pl.col("fee_")))
    read.blame(
        gross.is_null() & fee.is_null() & net.is_null(),
        "gross",
        "is empty, and so are fee and net: the line has no amount",
    )
    read.blame(
        (pl.col("gross_") - pl.col("fee_") != pl.col("net_")).fill_null(False),
        "net",
        "is not gross less fee",
    )
    known = words("kind", _KINDS)
    by_sign = pl.when(pl.col("gross_") < 0).then(pl.lit("refund")).otherwise(pl.lit("charge"))
    bare = pl.when(pl.col("gross_") == 0).then(pl.lit("fee")).otherwise(pl.lit("adjustment"))
    read.frame = read.frame.with_columns(
        kind_code=pl.when(pl.col("kind").is_not_null())
        .then(known)
        .when(pl.col("payment_ref").is_null())
        .then(bare)
        .otherwise(by_sign)
    )
    read.blame(pl.col("kind_code").is_null(), "kind", "is no kind of settlement line that is known; map it")
    given_back = pl.col("kind_code").is_in(["refund", "chargeback"])
    signed = pl.when(given_back).then(-pl.col("gross_").abs()).otherwise("gross_")
    abroad = pl.col("payout_currency") != pl.col("currency")
    table = (
        read.sound()
        .with_columns(_key=pl.concat_str(pl.coalesce("payment_ref", pl.lit("-")), pl.lit("/"), "kind_code"))
        .with_columns(_owner=pl.concat_str("payout_ref", pl.lit("/"), "_key"))
        .with_columns(_line=distinct("_owner"))
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            "payout_ref",
            pl.col("_line").alias("line_ref"),
            "payment_ref",
            "kind_code",
            "paid_out_at",
            "currency",
            signed.alias("gross_minor"),
            pl.col("fee_").alias("fee_minor"),
            (signed - pl.col("fee_")).alias("net_minor"),
            pl.when(abroad).then("payout_currency").alias("payout_currency"),
            pl.when(abroad).then("payout_amount").alias("payout_minor"),
            pl.col("payout_total").alias("stated_total_minor"),
            "payload_sha256",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.payout_lines": table}, read.problems())
