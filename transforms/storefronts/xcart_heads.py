"""Headers of X-Cart orders in columns, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import NO_MEANING
from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded
from transforms.storefronts.footing import NO_CURRENCY, blame_by_rules, instants, series
from transforms.storefronts.xcart_payloads import Order
from transforms.storefronts.xcart_settings import XCartSettings


def text_of(value: int | str | None) -> str | None:
    """An id as text; null for none and for an empty one."""
    return None if value is None or value == "" else str(value)


def heads_of(orders: Sequence[Order], raw: pl.DataFrame, settings: XCartSettings) -> pl.DataFrame:
    """One row per order with what its header says, amounts in millionths."""
    codes = [(one.payment_status or _NONE).code for one in orders]
    shipping = [(one.shipping_status or _NONE).code for one in orders]
    currencies = [(one.currency or "").strip().upper() for one in orders]
    pairs = list(zip(codes, shipping, strict=True))
    # A shop has a handful of pairs, each asked for once.
    ours = {pair: settings.status(*pair) for pair in set(pairs)}
    digits = known_currencies()
    total, total_odd = amounts.millionths([one.total for one in orders])
    sub_total, sub_odd = amounts.millionths([one.sub_total for one in orders])
    emails = [one.email or None for one in orders]
    placed, changed = (
        instants([one.create_date for one in orders]),
        instants([one.update_date for one in orders]),
    )
    frame = pl.DataFrame(
        [
            series("at", range(len(orders)), pl.UInt32),
            series("order_ref", [text_of(one.id) for one in orders]),
            series("order_number", [text_of(one.order_number) for one in orders]),
            series("customer_ref", [text_of(one.customer_id) for one in orders]),
            series("customer_name", [name_of(one, settings) for one in orders]),
            series("customer_email", emails),
            series("is_test", [(one or "").endswith(settings.test_emails) for one in emails], pl.Boolean),
            series("status", [ours[pair] for pair in pairs]),
            series("pair", [f"{p}/{s}" for p, s in pairs]),
            series("is_shipped", [settings.is_shipped(one) for one in shipping], pl.Boolean),
            series("shipping_word", [None if one in settings.shipments else one for one in shipping]),
            series("said_currency", currencies),
            series("digits", [digits.get(one) for one in currencies], pl.Int64),
            total.alias("total"),
            total_odd.alias("total_odd"),
            sub_total.alias("sub_total"),
            sub_odd.alias("sub_odd"),
            placed.alias("placed_at"),
            changed.alias("said_changed"),
        ]
    )
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    return pl.concat([frame, landed], how="horizontal").with_columns(
        order_ref=pl.coalesce("order_ref", "native_ref"),
        currency=pl.when(pl.col("said_currency").str.len_chars() == 3)
        .then("said_currency")
        .otherwise(pl.lit(NO_CURRENCY)),
        unit=amounts.minor_unit(pl.col("digits").fill_null(2)),
        changed_at=pl.coalesce("said_changed", "updated_at", "fetched_at"),
    )


class _NoStatus(msgspec.Struct):
    code: str | None = None


_NONE: Final = _NoStatus()


def name_of(order: Order, settings: XCartSettings) -> str | None:
    """The buyer's name from the billing address; an empty address comes as an empty list."""
    address = order.billing_address
    if not isinstance(address, dict):
        return None
    parts = []
    for name in settings.name_fields:
        raw = bytes(address.get(name, b""))
        if raw[:1] == b'"':
            # Only what holds an escape has to be decoded.
            text = (
                msgspec.json.decode(raw, type=str) if b"\\" in raw else raw[1:-1].decode("utf-8", "replace")
            )
            parts.append(text.strip())
    return " ".join(part for part in parts if part) or None


def blame_heads(decoded: Decoded[Order], heads: pl.DataFrame) -> None:
    """What is wrong with headers: currency, total, dates, statuses."""
    # A payload that could not be read at all has said so already; that it lacks everything is no news.
    lost = [at for at in decoded.troubles if decoded.objects[at] == Order()]
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
