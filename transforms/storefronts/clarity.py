"""Clarity eCommerce: raw landings to core, by the member names of a profile. No reference of the platform is public.

Every function takes the newest version of each record (`transforms.latest.newest`) with the raw landing columns, and returns a
`Staged`. A record that does not fit never loses its neighbours: an order stays, with a `problem` that has it held.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import NO_MEANING
from transforms import json_amounts as amounts
from transforms.owed.tenders import of_figures, order_tenders
from transforms.running import distinct
from transforms.staged import INSTANT, PROBLEMS_SCHEMA, QUANTITY, Staged, together
from transforms.storefronts.clarity_orders import blame_heads, heads_of, lines_of
from transforms.storefronts.clarity_reading import Opened, open_orders
from transforms.storefronts.clarity_settings import ClaritySettings
from transforms.storefronts.clarity_shapes import Shapes, shapes_of
from transforms.storefronts.footing import (
    NO_CURRENCY,
    blame_rows,
    footed,
    instants,
    order_problems,
    owners,
    problem_texts,
    series,
    told,
)

__all__ = ["ClaritySettings", "customers", "orders", "payments", "returns", "stock"]

_BATCH: Final = 50_000
"""Orders decoded at a time: bounds the memory of decoded objects, which is several times that of the columns."""
_YES: Final = ("true", "1", "yes")


def orders(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings) -> Staged:
    """`core.orders`, `core.order_lines`, `core.order_tenders` and `core.shipments`.

    `revision` is the second of the order's last change. `shipped_at` is the order's own, else its first shipment's.
    """
    shapes = shapes_of(settings.fields)
    return together(
        _orders(raw.slice(start, _BATCH), storefront, run_id, settings, shapes)
        for start in range(0, max(raw.height, 1), _BATCH)
    )


def _orders(
    raw: pl.DataFrame, storefront: str, run_id: str, settings: ClaritySettings, shapes: Shapes
) -> Staged:
    opened = open_orders(raw, shapes)
    decoded = opened.decoded
    heads = heads_of(opened.orders, raw, settings)
    blame_heads(decoded, opened.lost, heads)
    lines = lines_of(opened, heads, settings)
    shipments = _shipments(opened, heads, settings, storefront, run_id)
    first = shipments.group_by("order_ref").agg(first_at=pl.col("shipped_at").min())
    first = heads.select("order_ref").join(first, on="order_ref", how="left", maintain_order="left")
    heads = heads.hstack([first["first_at"]]).with_columns(
        problem_texts(decoded.troubles, raw.height),
        revision=pl.col("changed_at").dt.epoch("s").clip(lower_bound=0),
        store_ref=pl.col("store").fill_null(settings.store),
        status_code=pl.col("ours").fill_null("held"),
        placed_at=pl.coalesce("placed_at", "changed_at"),
        captured_at=pl.lit(None, dtype=INSTANT),
        shipped_at=pl.coalesce("said_shipped", "first_at"),
        cancelled_at=pl.lit(None, dtype=INSTANT),
        total_minor="total_stated",
        tender_minor=pl.col("store_credit_stated").abs() + pl.col("gift_card_stated").abs(),
        tax_included=pl.lit(settings.tax_included),
        is_taxed=~pl.col("at").is_in(
            [at for at, some in decoded.troubles.items() if any(one.code == "tax_unknown" for one in some)]
        ),
        is_test=pl.col("is_test").fill_null("").str.to_lowercase().is_in(_YES),
    )
    frames = footed(heads, lines, storefront=storefront, run_id=run_id)
    used = heads.select(
        "order_ref", "currency", *(pl.col(name).abs() for name in ("gift_card_stated", "store_credit_stated"))
    )
    stated = of_figures(used, {"gift_card_stated": "gift_card", "store_credit_stated": "store_credit"})
    frames["core.order_tenders"] = order_tenders(stated, storefront=storefront, run_id=run_id)
    frames["core.shipments"] = shipments.filter(pl.col("line_ref").is_not_null()).select(
        "storefront",
        "order_ref",
        "shipment_ref",
        "line_ref",
        "quantity",
        "shipped_at",
        "tracking_ref",
        "run_id",
    )
    return Staged(frames, order_problems(heads, "orders"))


def _shipments(
    opened: Opened,
    heads: pl.DataFrame,
    settings: ClaritySettings,
    storefront: str,
    run_id: str,
) -> pl.DataFrame:
    """One row per shipment and line; of a shipment that names no lines one row without, which only dates its order.

    A shipment whose status says that it has not left, or will not, is none; one without a status has left.
    """
    told_ships = opened.orders.lists["shipments"]
    items = told_ships.lists["items"]
    ships = pl.DataFrame(
        [
            told_ships.holders("at"),
            series("ship", range(told_ships.height), pl.UInt32),
            told_ships.text("status"),
            told_ships.text("ref").fill_null("").alias("shipment_ref"),
            instants(told_ships.text("at")).alias("said_at"),
            told_ships.text("carrier").alias("carrier"),
            told_ships.text("number").alias("number"),
        ]
    )
    ships = ships.with_columns(
        shipment_ref=distinct(ships, "shipment_ref", "at"), state=_words("status", settings.shipment_states)
    )
    unknown = ships.filter(pl.col("status").is_not_null() & pl.col("state").is_null())
    if unknown.height:
        said = pl.format("the shipment status '{}' {}", pl.col("status").str.slice(0, 40), pl.lit(NO_MEANING))
        rows_blamed = unknown.select("at", code=pl.lit("status_unknown"), sentence=said)
        blame_rows(opened.decoded, rows_blamed)
    ships = ships.filter(pl.col("status").is_null() | (pl.col("state") == "shipped"))
    count, _ = items.millionths("quantity")
    rows = (
        pl.DataFrame(
            [
                items.holders("ship"),
                items.text("line").alias("line_ref"),
                count.alias("count"),
            ]
        )
        .filter(pl.col("line_ref").is_not_null())
        .group_by("ship", "line_ref", maintain_order=True)
        .agg(pl.col("count").sum())
    )
    return (
        ships.join(rows, on="ship", how="left", maintain_order="left")
        .join(heads.select("at", "order_ref", "changed_at"), on="at", how="left", maintain_order="left")
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            "order_ref",
            "shipment_ref",
            "line_ref",
            (pl.col("count").fill_null(0).cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS)
            .cast(QUANTITY)
            .alias("quantity"),
            pl.coalesce("said_at", "changed_at").cast(INSTANT).alias("shipped_at"),
            pl.concat_str("carrier", "number", separator=" ", ignore_nulls=True).alias("tracking_ref"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
        .with_columns(tracking_ref=pl.when(pl.col("tracking_ref") != "").then("tracking_ref"))
    )


def payments(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings) -> Staged:
    """`core.payments`: one row per transaction. A transaction that cannot be read whole is a pending authorization of zero with a
    problem, so that it moves no money."""
    shapes = shapes_of(settings.fields)
    decoded = shapes.decode(raw, "payments")
    holders = decoded.objects
    lists = shapes.values("payments", "transactions", holders)
    flat = list(chain.from_iterable(lists))
    value, odd = amounts.millionths(shapes.values("transactions", "amount", flat))
    fee, fee_odd = amounts.millionths(shapes.values("transactions", "fee", flat))
    moves = pl.DataFrame(
        [
            series("at", owners([len(one) for one in lists]), pl.UInt32),
            *(shapes.text("transactions", name, flat) for name in ("ref", "type", "status", "reference")),
            instants(shapes.text("transactions", "at", flat)).alias("when"),
            value.alias("value"),
            odd.alias("odd"),
            fee.alias("fee"),
            fee_odd.alias("fee_odd"),
        ]
    )
    heads = pl.concat(
        [
            pl.DataFrame(
                [
                    series("at", range(len(holders)), pl.UInt32),
                    shapes.text("payments", "ref", holders).alias("payment_ref"),
                    shapes.text("payments", "order_ref", holders),
                    shapes.text("payments", "method", holders).alias("tender_code"),
                    shapes.text("payments", "currency", holders)
                    .fill_null("")
                    .str.to_uppercase()
                    .alias("currency"),
                    instants(shapes.text("payments", "changed", holders)).alias("changed"),
                    problem_texts(decoded.troubles, len(holders)).alias("trouble"),
                ]
            ),
            raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256"),
        ],
        how="horizontal",
    )
    # A payment without transactions moves nothing and has no row, unless something is wrong with it.
    whole = (
        heads.join(moves, on="at", how="left", maintain_order="left")
        .filter(pl.col("trouble").is_not_null() | pl.col("at").is_in(moves["at"].unique().to_list()))
        .with_columns(
            kind=_words("type", settings.transaction_types),
            state=_words("status", settings.transaction_states),
            digits=pl.col("currency").replace_strict(known_currencies(), default=None, return_dtype=pl.Int64),
        )
        .with_columns(unit=amounts.minor_unit(pl.col("digits").fill_null(2)))
        .with_columns(problem=_payment_problem())
    )
    sound = pl.col("problem").is_null()
    table = whole.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        pl.coalesce("payment_ref", "native_ref").alias("payment_ref"),
        pl.col("ref").fill_null("").alias("transaction_ref"),
        "order_ref",
        pl.when(sound).then("kind").otherwise(pl.lit("authorization")).alias("kind_code"),
        pl.when(sound).then("state").otherwise(pl.lit("pending")).alias("state_code"),
        "tender_code",
        pl.coalesce("reference", "ref").alias("gateway_ref"),
        pl.when(pl.col("currency").str.len_chars() == 3)
        .then("currency")
        .otherwise(pl.lit(NO_CURRENCY))
        .alias("currency"),
        pl.when(sound)
        .then(amounts.rounded(pl.col("value").abs(), pl.col("unit")))
        .otherwise(pl.lit(0, dtype=pl.Int64))
        .alias("amount_minor"),
        pl.when(sound).then(amounts.rounded(pl.col("fee"), pl.col("unit"))).alias("fee_minor"),
        pl.coalesce("when", "changed", "updated_at", "fetched_at").cast(INSTANT).alias("occurred_at"),
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


def _words(column: str, words: Any) -> pl.Expr:
    folded = {theirs.casefold(): ours for theirs, ours in words.items()}
    return pl.col(column).str.to_lowercase().replace_strict(folded, default=None, return_dtype=pl.String)


def _payment_problem() -> pl.Expr:
    code = pl.col("currency").str.slice(0, 10)
    odd = pl.coalesce("odd", "fee_odd")
    return pl.coalesce(
        "trouble",
        pl.when(pl.col("kind").is_null()).then(
            pl.format(
                "payload_unreadable: the transaction's type '{}' is none that is known",
                pl.col("type").fill_null(""),
            )
        ),
        pl.when(pl.col("status").is_null()).then(pl.lit("payload_unreadable: the transaction has no status")),
        pl.when(pl.col("state").is_null()).then(
            pl.format(
                "status_unknown: the payment status '{}' {}",
                pl.col("status").str.slice(0, 40),
                pl.lit(NO_MEANING),
            )
        ),
        pl.when(pl.col("digits").is_null()).then(
            pl.format("currency_unknown: '{}' is not an ISO 4217 currency with minor units", code)
        ),
        pl.when(odd.is_not_null()).then(
            pl.format("amount_not_exact: the amount is {}, which is not an amount", odd.str.slice(0, 40))
        ),
        pl.when(pl.col("value").is_null()).then(pl.lit("payload_unreadable: the amount is missing")),
        pl.when(~amounts.is_exact(pl.col("value"), pl.col("unit"))).then(
            pl.format("amount_not_exact: the amount has more digits than {} has minor units", code)
        ),
    )


def returns(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings, lines: pl.DataFrame
) -> Staged:
    """`core.returns`: one row per returned item. An item that names its line by SKU only is given the line if the order has just one of
    that SKU; `lines` are `core.order_lines` of the storefront's orders (`order_ref`, `line_ref`, `sku`)."""
    shapes = shapes_of(settings.fields)
    decoded = shapes.decode(raw, "returns")
    holders = decoded.objects
    lists = shapes.values("returns", "items", holders)
    flat = list(chain.from_iterable(lists))
    count, _ = amounts.millionths(shapes.values("return_items", "quantity", flat))
    heads = pl.concat(
        [
            pl.DataFrame(
                [
                    series("at", range(len(holders)), pl.UInt32),
                    shapes.text("returns", "ref", holders).alias("own_ref"),
                    shapes.text("returns", "order_ref", holders),
                    shapes.text("returns", "status", holders).alias("state_code"),
                    instants(shapes.text("returns", "changed", holders)).alias("changed"),
                ]
            ),
            raw.select("native_ref", "updated_at"),
        ],
        how="horizontal",
    )
    for at in heads.filter(pl.col("order_ref").is_null())["at"]:  # over the few that belong to no order
        decoded.blame(at, "payload_unreadable", "the return names no order")
    sole = (
        lines.filter(pl.col("sku").is_not_null())
        .group_by("order_ref", "sku")
        .agg(sole=pl.col("line_ref").first(), many=pl.len())
        .filter(pl.col("many") == 1)
        .select("order_ref", "sku", "sole")
    )
    items = pl.DataFrame(
        [
            series("at", owners([len(one) for one in lists]), pl.UInt32),
            series("nth", [k for one in lists for k in range(1, len(one) + 1)], pl.Int64),
            shapes.text("return_items", "sku", flat),
            shapes.text("return_items", "line", flat),
            count.alias("count"),
        ]
    )
    table = (
        items.join(heads, on="at", how="left", maintain_order="left")
        .filter(pl.col("order_ref").is_not_null())
        .join(sole, on=["order_ref", "sku"], how="left", maintain_order="left")
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            "order_ref",
            pl.format("{}-{}", pl.coalesce("own_ref", "native_ref"), "nth").alias("return_ref"),
            pl.coalesce("line", "sole").alias("line_ref"),
            "sku",
            (pl.col("count").fill_null(0).cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS)
            .cast(QUANTITY)
            .alias("quantity"),
            "state_code",
            pl.coalesce("changed", "updated_at").cast(INSTANT).alias("returned_at"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.returns": table}, told(decoded.troubles, raw, "returns"))


def customers(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings) -> Staged:
    """`core.customers`. The name for people falls back from name to company, e-mail, number and id."""
    shapes = shapes_of(settings.fields)
    decoded = shapes.decode(raw, "customers")
    people = decoded.objects
    names = (
        "name", "first_name", "last_name", "company", "email", "phone", "street", "city", "state", "postal_code", "country_code",
    )  # fmt: skip
    frame = pl.concat(
        [
            pl.DataFrame(
                [
                    shapes.text("customers", "ref", people).alias("customer_ref"),
                    shapes.text("customers", "number", people).alias("customer_number"),
                    *(shapes.text("customers", name, people) for name in names),
                    instants(shapes.text("customers", "changed", people)).alias("changed"),
                ]
            ),
            raw.select("updated_at", "fetched_at", "payload_sha256"),
        ],
        how="horizontal",
    ).with_row_index("at")
    for at in frame.filter(pl.col("customer_ref").is_null())["at"]:  # over the few without an id
        decoded.blame(at, "payload_unreadable", "the customer has no id")
    both = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
    person = pl.when(both != "").then(both)
    table = frame.filter(pl.col("customer_ref").is_not_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "customer_ref",
        "customer_number",
        pl.coalesce("name", person, "company", "email", "customer_number", "customer_ref").alias("name"),
        *names[1:],
        pl.coalesce("changed", "updated_at", "fetched_at").cast(INSTANT).alias("changed_at"),
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.customers": table}, told(decoded.troubles, raw, "customers"))


def stock(raw: pl.DataFrame, *, storefront: str, run_id: str, settings: ClaritySettings) -> Staged:
    """`core.stock`: the quantity the shop sells from, which is also the one that is written back, by SKU and location.

    Whether the shop has taken its own open orders off it is not known; it is treated as a shop that has, and holds no reservations.
    """
    shapes = shapes_of(settings.fields)
    decoded = shapes.decode(raw, "inventory")
    rows = decoded.objects
    count, odd = amounts.millionths(shapes.values("inventory", "quantity", rows))
    frame = pl.concat(
        [
            pl.DataFrame(
                [
                    series("at", range(len(rows)), pl.UInt32),
                    shapes.text("inventory", "sku", rows),
                    shapes.text("inventory", "location", rows).fill_null("").alias("location_ref"),
                    count.alias("count"),
                    odd.alias("odd"),
                ]
            ),
            raw.select("native_ref", "fetched_at"),
        ],
        how="horizontal",
    )
    wrong = frame.filter(pl.col("sku").is_null() | pl.col("count").is_null())
    for at, sku, said in wrong.select("at", "sku", "odd").iter_rows():  # over the few that are wrong
        text = "sku is missing" if sku is None else f"the quantity is {said or 'missing'}, which is none"
        decoded.blame(at, "payload_unreadable", text)
    table = frame.filter(pl.col("sku").is_not_null() & pl.col("count").is_not_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("source"),
        "sku",
        "location_ref",
        "native_ref",
        pl.lit(None, dtype=pl.Int64).alias("version_no"),
        (pl.col("count").cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS).cast(QUANTITY).alias("on_hand_qty"),
        *(
            pl.lit(None, dtype=QUANTITY).alias(name)
            for name in ("on_order_qty", "allocated_qty", "reserved_qty")
        ),
        pl.col("fetched_at").cast(INSTANT).alias("as_of_at"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.stock": table}, told(decoded.troubles, raw, "inventory"))
