"""X-Cart 5.5: raw landings to core (X-Cart developer documentation, REST API 5.5: orders, payment transactions, profiles, products).

Every function takes the newest version of each record (`transforms.latest.newest`) with the raw landing columns, and returns a
`Staged`. A record that does not fit never loses its neighbours: an order stays, with a `problem` that has it held.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.money import known_currencies
from transforms import json_amounts as amounts
from transforms.json_decoding import decode
from transforms.running import distinct
from transforms.staged import INSTANT, PROBLEMS_SCHEMA, QUANTITY, Staged, together
from transforms.storefronts.footing import (
    NO_CURRENCY,
    footed,
    instants,
    order_problems,
    problem_texts,
    series,
    told,
)
from transforms.storefronts.xcart_heads import blame_heads, heads_of
from transforms.storefronts.xcart_orders import lines_of
from transforms.storefronts.xcart_payloads import OrderTransactions, Product, Profile
from transforms.storefronts.xcart_payments import payment_rows
from transforms.storefronts.xcart_reading import open_orders, text_of
from transforms.storefronts.xcart_settings import XCartSettings
from transforms.storefronts.xcart_versions import Reader, Sold, as_sold, read_orders, shipments_of

__all__ = ["XCartSettings", "customers", "orders", "payments", "stock"]

_USUAL: Final = XCartSettings()
_BATCH: Final = 50_000
"""Orders decoded at a time: bounds the memory of decoded objects, which is several times that of the columns."""


def orders(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    settings: XCartSettings = _USUAL,
    versions: pl.DataFrame | None = None,
    read: Reader = read_orders,
) -> Staged:
    """`core.orders`, `core.order_lines`, `core.shipments`, `core.returns` and `core.reductions`.

    `versions` are all landed versions of the same orders (raw landing columns), older ones included. X-Cart changes a shipped order
    when goods come back, so that its total shrinks: such an order keeps the amounts it was shipped with, and what was taken off
    later stands in `core.reductions` and `core.returns`. Without `versions` the newest one is all there is.

    `revision` is the second of the order's last change. X-Cart does not say when an order was shipped: `shipped_at` is the day of
    its first tracking number, else the first version that was seen shipped. `read` decodes payloads; another interface of the same
    shop has its own.
    """
    return together(
        _orders(raw.slice(start, _BATCH), storefront, run_id, settings, versions, read)
        for start in range(0, max(raw.height, 1), _BATCH)
    )


def _orders(
    raw: pl.DataFrame,
    storefront: str,
    run_id: str,
    settings: XCartSettings,
    versions: pl.DataFrame | None,
    read: Reader,
) -> Staged:
    sold = as_sold(raw, versions, settings, read) if versions is not None else Sold.nothing()
    opened = open_orders(raw, settings, sold.orders, read)
    decoded = opened.troubles
    heads = heads_of(opened.heads(), raw, settings)
    blame_heads(decoded, opened.lost, heads)
    lines, words, rows = lines_of(opened, heads, settings)
    heads = heads.join(words, on="at", how="left", maintain_order="left").with_columns(
        pl.col("tax_included").fill_null(value=False), pl.col("is_taxed").fill_null(value=True)
    )
    if settings.untaxed == "hold":
        for at in heads.filter(~pl.col("is_taxed"))["at"]:  # over the few whose included tax is in no row
            if at not in decoded.troubles:
                decoded.blame(at, "tax_unknown", "included tax is stated for the order and not for its rows")
    shipments, shipped = shipments_of(opened.marks(), rows, heads, sold, storefront=storefront, run_id=run_id)
    heads = heads.join(shipped, on="at", how="left", maintain_order="left").with_columns(
        problem_texts(decoded.troubles, raw.height),
        revision=pl.col("changed_at").dt.epoch("s").clip(lower_bound=0),
        store_ref=pl.col("currency").replace_strict(
            dict(settings.stores), default=settings.store, return_dtype=pl.String
        ),
        status_code=pl.col("status").fill_null("held"),
        placed_at=pl.coalesce("placed_at", "changed_at"),
        captured_at=pl.lit(None, dtype=INSTANT),
        cancelled_at=pl.lit(None, dtype=INSTANT),
        total_minor=amounts.rounded(pl.col("total").fill_null(0), pl.col("unit")),
        tender_minor=pl.lit(0, dtype=pl.Int64),
    )
    frames = footed(heads, lines, storefront=storefront, run_id=run_id)
    named = heads.select("at", "order_ref", "currency", "unit")
    frames["core.shipments"] = shipments
    frames |= sold.tables(named, storefront=storefront, run_id=run_id)
    return Staged(frames, order_problems(heads, "orders"))


def payments(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: XCartSettings = _USUAL) -> Staged:
    """`core.payments`: one row per movement of a transaction; see `transforms.storefronts.xcart_payments`.

    A movement that cannot be read whole is a pending authorization of zero with a problem, so that it moves no money.
    """
    del settings  # the same signature as the other subjects
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), OrderTransactions)
    known = known_currencies()
    frame = payment_rows(decoded, known)
    landed = raw.with_row_index("at").select("at", "native_ref", "updated_at", "fetched_at", "payload_sha256")
    whole = frame.join(landed, on="at", how="left", maintain_order="left")
    sound = pl.col("problem").is_null()
    table = whole.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        pl.coalesce("payment_ref", pl.format("order-{}", "native_ref")).alias("payment_ref"),
        pl.col("transaction_ref").fill_null(""),
        pl.coalesce("order_ref", "native_ref").alias("order_ref"),
        pl.when(sound).then("kind_code").otherwise(pl.lit("authorization")).alias("kind_code"),
        pl.when(sound).then("state_code").otherwise(pl.lit("pending")).alias("state_code"),
        "tender_code",
        "gateway_ref",
        pl.when(pl.col("currency").str.len_chars() == 3)
        .then("currency")
        .otherwise(pl.lit(NO_CURRENCY))
        .fill_null(NO_CURRENCY)
        .alias("currency"),
        pl.when(sound).then("amount_minor").otherwise(pl.lit(0, dtype=pl.Int64)).alias("amount_minor"),
        pl.lit(None, dtype=pl.Int64).alias("fee_minor"),
        pl.coalesce("occurred_at", "updated_at", "fetched_at").cast(INSTANT).alias("occurred_at"),
        pl.lit(None, dtype=pl.String).alias("payout_ref"),
        "problem",
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    table = table.with_columns(transaction_ref=distinct(table, "transaction_ref", "payment_ref"))
    bad = pl.concat([table, whole.select("native_ref")], how="horizontal").filter(
        pl.col("problem").is_not_null()
    )
    problems = bad.select(
        subject=pl.lit("payments"),
        native_ref="native_ref",
        row_no=pl.lit(None, dtype=pl.Int64),
        column=pl.lit(None, dtype=pl.String),
        problem="problem",
    )
    return Staged({"core.payments": table}, problems.select(list(PROBLEMS_SCHEMA)))


def customers(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: XCartSettings = _USUAL) -> Staged:
    """`core.customers` from profiles, whose name is their login; addresses hang elsewhere in X-Cart and are not read."""
    del settings
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Profile)
    people = decoded.objects
    refs = [one.id if one.id is not None else one.profile_id for one in people]
    for at, ref in enumerate(refs):
        if ref is None and at not in decoded.troubles:
            decoded.blame(at, "payload_unreadable", "id is missing")
    whole = pl.concat(
        [
            pl.DataFrame(
                [
                    series("customer_ref", [text_of(ref) for ref in refs]),
                    series("email", [one.login or None for one in people]),
                    instants(
                        [one.create_date if one.create_date is not None else one.added for one in people]
                    ).alias("created_at"),
                ]
            ),
            raw.select("updated_at", "fetched_at", "payload_sha256"),
        ],
        how="horizontal",
    )
    empty = pl.lit(None, dtype=pl.String)
    table = whole.filter(pl.col("customer_ref").is_not_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "customer_ref",
        empty.alias("customer_number"),
        pl.coalesce("email", "customer_ref").alias("name"),
        *(empty.alias(name) for name in ("first_name", "last_name", "company")),
        "email",
        *(empty.alias(name) for name in ("phone", "street", "city", "state", "postal_code", "country_code")),
        pl.coalesce("updated_at", "created_at", "fetched_at").cast(INSTANT).alias("changed_at"),
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.customers": table}, told(decoded.troubles, raw, "customers"))


def stock(raw: pl.DataFrame, *, storefront: str, run_id: str) -> Staged:
    """`core.stock` from products and variants: what the shop still sells, without a location.

    X-Cart takes an order's goods off `amount` when the order is placed, so the figure holds no reservations. A product whose stock
    is not tracked is unlimited and has no row; neither has a variant that sells from its product. `native_ref` is the product's id,
    with `/` and the variant's id for a variant: the key for writing back.
    """
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Product)
    goods = decoded.objects
    count, odd = amounts.millionths([one.amount for one in goods])
    frame = pl.concat(
        [
            pl.DataFrame(
                [
                    series("at", range(len(goods)), pl.UInt32),
                    series("sku", [(one.sku or "").strip() for one in goods]),
                    series(
                        "is_counted",
                        [one.inventory_traceable and not one.default_amount for one in goods],
                        pl.Boolean,
                    ),
                    count.alias("count"),
                    odd.alias("odd"),
                ]
            ),
            raw.select("native_ref", "fetched_at"),
        ],
        how="horizontal",
    ).filter("is_counted")
    for at, sku, number, said in (
        frame.filter((pl.col("sku") == "") | pl.col("count").is_null())
        .select("at", "sku", "count", "odd")
        .iter_rows()
    ):  # over the few that are wrong
        if not sku:
            decoded.blame(at, "payload_unreadable", "sku is missing")
        if number is None:
            decoded.blame(at, "payload_unreadable", f"amount is {said or 'missing'}, which is no quantity")
    table = frame.filter((pl.col("sku") != "") & pl.col("count").is_not_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("source"),
        "sku",
        pl.lit("").alias("location_ref"),
        "native_ref",
        pl.lit(None, dtype=pl.Int64).alias("version_no"),
        (pl.col("count").cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS).cast(QUANTITY).alias("on_hand_qty"),
        pl.lit(None, dtype=QUANTITY).alias("on_order_qty"),
        pl.lit(None, dtype=QUANTITY).alias("allocated_qty"),
        pl.lit(None, dtype=QUANTITY).alias("reserved_qty"),
        pl.col("fetched_at").cast(INSTANT).alias("as_of_at"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.stock": table}, told(decoded.troubles, raw, "products"))
