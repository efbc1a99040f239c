"""Headers of X-Cart orders in columns, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import NO_MEANING
from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded
from transforms.storefronts.footing import NO_CURRENCY, blame_by_rules, instants
from transforms.storefronts.xcart_payloads import Order
from transforms.storefronts.xcart_settings import XCartSettings


def heads_of(given: pl.DataFrame, raw: pl.DataFrame, settings: XCartSettings) -> pl.DataFrame:
    """One row per order with what its header says (`Opened.heads`), amounts in millionths."""
    code = pl.col("shipping_word")
    pairs = given.select("payment_word", "shipping_word").unique()
    # A shop has a handful of pairs, each asked for once.
    ours = {f"{paid}/{shipped}": settings.status(paid, shipped) for paid, shipped in pairs.iter_rows()}
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    pair = pl.format("{}/{}", *(pl.col(name).fill_null("None") for name in pairs.columns))
    ends = [pl.col("customer_email").str.ends_with(one) for one in settings.test_emails]
    return (
        pl.concat([given.with_row_index("at"), landed], how="horizontal")
        .with_columns(
            instants(given["placed"]).alias("placed_at"),
            instants(given["changed"]).alias("said_changed"),
            order_ref=pl.coalesce("order_ref", "native_ref"),
            is_test=pl.any_horizontal(pl.lit(value=False), *ends).fill_null(value=False),
            pair=pair,
            status=pair.replace_strict(ours, default=None, return_dtype=pl.String),
            is_shipped=code.is_in([one for one in settings.shipments if settings.is_shipped(one)]).fill_null(
                value=False
            ),
            shipping_word=pl.when(~code.is_in(list(settings.shipments))).then(code),
            digits=pl.col("said_currency").replace_strict(
                known_currencies(), default=None, return_dtype=pl.Int64
            ),
            currency=pl.when(pl.col("said_currency").str.len_chars() == 3)
            .then("said_currency")
            .otherwise(pl.lit(NO_CURRENCY)),
        )
        .with_columns(
            unit=amounts.minor_unit(pl.col("digits").fill_null(2)),
            changed_at=pl.coalesce("said_changed", "updated_at", "fetched_at"),
        )
    )


def blame_heads(decoded: Decoded[Order], lost: Sequence[int], heads: pl.DataFrame) -> None:
    """What is wrong with headers: currency, total, dates, statuses."""
    # A payload that could not be read at all has said so already; that it lacks everything is no news.
    heads = heads.filter(~pl.col("at").is_in(lost)) if lost else heads
    code = pl.col("said_currency").str.slice(0, 10)
    rules = [
        (
            pl.col("digits").is_null(),
            "currency_unknown",
            pl.format("'{}' is not an ISO 4217 currency with minor units", code),
        ),
        (
            pl.col("total_odd").is_not_null(),
            "amount_not_exact",
            pl.format("total is {}, which is not an amount", pl.col("total_odd").str.slice(0, 40)),
        ),
        (
            pl.col("sub_odd").is_not_null(),
            "amount_not_exact",
            pl.format("sub_total is {}, which is not an amount", pl.col("sub_odd").str.slice(0, 40)),
        ),
        (
            pl.col("total").is_null() & pl.col("total_odd").is_null(),
            "payload_unreadable",
            pl.lit("total is missing"),
        ),
        (
            ~amounts.is_exact(pl.col("total"), pl.col("unit")) & pl.col("digits").is_not_null(),
            "amount_not_exact",
            pl.format("total has more digits than {} has minor units", code),
        ),
        (
            pl.col("status").is_null(),
            "status_unknown",
            pl.format("the status '{}' {}", "pair", pl.lit(NO_MEANING)),
        ),
        (
            # A letter that is new in both ways is told once, as the pair.
            pl.col("shipping_word").is_not_null() & pl.col("status").is_not_null(),
            "status_unknown",
            pl.format(
                "the shipment status '{}' {}", pl.col("shipping_word").str.slice(0, 40), pl.lit(NO_MEANING)
            ),
        ),
        (pl.col("placed_at").is_null(), "payload_unreadable", pl.lit("create_date is missing or no instant")),
    ]
    blame_by_rules(decoded, heads, rules)
