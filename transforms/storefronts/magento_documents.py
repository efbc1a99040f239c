"""Invoices, credit memos and shipments of Magento: money that moved, what came back, what left the house.

Source of outside facts: Magento REST reference 2.4.8; states of invoices and credit memos 1 open, 2 paid or refunded, 3 cancelled.
Amounts of money that moved are only here: a transaction has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

from tieout.vocabulary import NO_MEANING, TENDER_CODES
from transforms.staged import PROBLEMS_SCHEMA, QUANTITY, Staged
from transforms.storefronts.magento_amounts import four_places, in_minor, texts, with_digits
from transforms.storefronts.magento_payloads import Document, Id, Item, decoded, text
from transforms.storefronts.magento_reading import NO_CURRENCY, counted, instant
from transforms.storefronts.magento_tenders import KINDS


class _Brief(msgspec.Struct, gc=False):
    method: str | None = None


class _OrderBrief(msgspec.Struct, gc=False):
    entity_id: Id | None = None
    payment: _Brief | None = None
    items: list[Item] | None = None


def known_orders(raw: pl.DataFrame) -> pl.DataFrame:
    """What documents need of their orders, from raw orders: `order_ref`, `tender_code`, and `line_refs`, the rows whose money counts.

    One row per order; an order that cannot be read is not among them.
    """
    read = msgspec.json.Decoder(_OrderBrief).decode
    found: list[_OrderBrief] = []
    # One document at a time, so that a broken order costs only itself.
    for payload in raw["payload"].to_list():
        try:
            found.append(read(payload))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    return pl.DataFrame(
        {
            "order_ref": [text(one.entity_id) for one in found],
            "tender_code": [one.payment.method if one.payment else None for one in found],
            "line_refs": [[text(item.item_id) or "" for item in counted(one.items or ())] for one in found],
        },
        schema={"order_ref": pl.String, "tender_code": pl.String, "line_refs": pl.List(pl.String)},
    ).filter(pl.col("order_ref").is_not_null())


def moved(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    subject: str,
    kind: str,
    orders: pl.DataFrame,
    states: Mapping[str, str],
) -> tuple[pl.DataFrame, pl.DataFrame, list[Document]]:
    """`core.payments` of invoices (`kind` charge) or credit memos (refund), problems, and the documents themselves.

    `orders` is what `known_orders` gave, `states` their states in our words. A document that cannot be read whole is pending, so that it moves no money; so is one of zero.
    What a credit memo gives back to a gift card, as store credit or as points is in no grand_total: each is a refund of its own, with the
    tender `GiftCard`, `StoreCredit` or `RewardPoints` and no reference of a gateway. What was paid with them stands in the order's tender.
    """
    documents, troubles = decoded(raw["payload"], raw["problem"], Document)
    told = pl.DataFrame(
        [
            pl.Series("at", list(troubles), dtype=pl.UInt32),
            pl.Series("trouble", list(troubles.values()), dtype=pl.String),
        ]
    )
    word = "invoice" if kind == "charge" else "creditmemo"
    frame = pl.concat(
        [_heads(documents), raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")],
        how="horizontal",
    )
    frame = in_minor(with_digits(frame), ["grand_total", *TENDERS])
    state = pl.col("state").replace_strict(dict(states), default=None, return_dtype=pl.String)
    frame = (
        frame.join(told, on="at", how="left", maintain_order="left")
        .join(orders.select("order_ref", "tender_code"), on="order_ref", how="left", maintain_order="left")
        .with_columns(ended=state)
        .with_columns(
            problem=pl.coalesce(
                "trouble",
                pl.when(pl.col("digits").is_null()).then(
                    pl.format(
                        "currency_unknown: '{}' is not an ISO 4217 currency with minor units", "currency"
                    )
                ),
                pl.when(pl.col("grand_total").is_null()).then(
                    pl.lit("amount_not_exact: grand_total is missing or no amount")
                ),
                pl.when(pl.col("grand_total") < 0).then(
                    pl.lit(
                        "payload_unreadable: grand_total is negative; the kind of document gives the direction"
                    )
                ),
                pl.when(
                    pl.any_horizontal(pl.col(name).fill_null(0) < 0 for name in TENDERS)
                    | (pl.col("unread") != "")
                ).then(pl.lit("amount_not_exact: gift card, store credit or points are no amounts")),
                pl.when(pl.col("order_ref").is_null()).then(
                    pl.lit("payload_unreadable: order_id is missing")
                ),
                pl.when(pl.col("state").is_null()).then(pl.lit("payload_unreadable: state is missing")),
                pl.when(pl.col("ended").is_null()).then(
                    pl.format(
                        "status_unknown: the payment status '{}' {}",
                        pl.col("state").str.slice(0, 40),
                        pl.lit(NO_MEANING),
                    )
                ),
            )
        )
    )
    sound = pl.col("problem").is_null()
    moves = sound & (pl.col("grand_total") > 0)
    table = frame.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        (pl.lit(f"{word}-") + pl.coalesce("own", "native_ref")).alias("payment_ref"),
        (pl.lit(f"{word}-") + pl.coalesce("own", "native_ref")).alias("transaction_ref"),
        "order_ref",
        pl.lit(kind).alias("kind_code"),
        pl.when(moves).then("ended").otherwise(pl.lit("pending")).alias("state_code"),
        "tender_code",
        pl.col("gateway_ref"),
        pl.when(pl.col("currency").str.len_chars() == 3)
        .then("currency")
        .otherwise(pl.lit(NO_CURRENCY))
        .alias("currency"),
        pl.when(sound).then("grand_total").otherwise(pl.lit(0, dtype=pl.Int64)).alias("amount_minor"),
        pl.lit(None, dtype=pl.Int64).alias("fee_minor"),
        pl.coalesce(instant("created"), "updated_at", "fetched_at").alias("occurred_at"),
        pl.lit(None, dtype=pl.String).alias("payout_ref"),
        "problem",
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    tendered = (
        [_tendered(table, frame, name, code) for name, code in TENDERS.items()] if kind == "refund" else []
    )
    return pl.concat([table, *tendered]), problems_of(frame, subject), documents


def _tendered(table: pl.DataFrame, frame: pl.DataFrame, name: str, code: str) -> pl.DataFrame:
    """The refunds to one tender beside those of the gateway; only documents without a problem have any."""
    amount = frame[name].fill_null(0)
    return (
        table.with_columns(amount.alias("amount_minor"), frame["ended"].alias("ended"))
        .filter((pl.col("amount_minor") > 0) & pl.col("problem").is_null())
        .with_columns(
            transaction_ref=pl.format("{}-{}", "transaction_ref", pl.lit(KINDS[name])),
            tender_code=pl.lit(code),
            gateway_ref=pl.lit(None, dtype=pl.String),
            state_code=pl.col("ended"),
        )
        .select(table.columns)
    )


TENDERS: Final = {name: TENDER_CODES[kind] for name, kind in KINDS.items()}
"""Members of a document by the word of the tender they are of (Magento REST reference 2.4.8, Adobe Commerce)."""


def _heads(documents: Sequence[Document]) -> pl.DataFrame:
    plain: dict[str, list[Any]] = {
        "own": [text(one.entity_id) for one in documents],
        "order_ref": [text(one.order_id) for one in documents],
        "state": [text(one.state) for one in documents],
        "currency": [one.order_currency_code or NO_CURRENCY for one in documents],
        "gateway_ref": [one.transaction_id or None for one in documents],
        "created": [one.created_at for one in documents],
    }
    return pl.DataFrame(
        [pl.Series("at", range(len(documents)), dtype=pl.UInt32)]
        + [pl.Series(name, values, dtype=pl.String) for name, values in plain.items()]
        + [texts("grand_total", (one.grand_total for one in documents))]
        + [texts(name, (_tender(one, name) for one in documents)) for name in TENDERS]
    )


def _tender(document: Document, name: str) -> msgspec.Raw:
    own: msgspec.Raw = getattr(document, name)
    more = document.extension_attributes
    return own if bytes(own) != b"null" or more is None else getattr(more, name)


def problems_of(frame: pl.DataFrame, subject: str) -> pl.DataFrame:
    """Rows of a frame that have a `problem`, as `Staged.problems`."""
    return (
        frame.filter(pl.col("problem").is_not_null())
        .select(
            subject=pl.lit(subject),
            native_ref="native_ref",
            row_no=pl.lit(None, dtype=pl.Int64),
            column=pl.lit(None, dtype=pl.String),
            problem="problem",
        )
        .select(list(PROBLEMS_SCHEMA))
    )


def pieces(documents: Sequence[Document], orders: pl.DataFrame) -> pl.DataFrame:
    """One row per document and order row it names: `at`, `order_ref`, `own`, `piece_ref`, `line_ref`, `sku`, `quantity`, `created`, `state`.

    A row that stands for another (a configurable's child) is left out where the order is known; rows without quantity too.
    """
    found = [(at, one, piece) for at, one in enumerate(documents) for piece in one.items or ()]
    frame = pl.DataFrame(
        [
            pl.Series("at", [at for at, _, _ in found], dtype=pl.UInt32),
            pl.Series("own", [text(one.entity_id) for _, one, _ in found], dtype=pl.String),
            pl.Series("order_ref", [text(one.order_id) for _, one, _ in found], dtype=pl.String),
            pl.Series("piece_ref", [text(piece.entity_id) for _, _, piece in found], dtype=pl.String),
            pl.Series("line_ref", [text(piece.order_item_id) for _, _, piece in found], dtype=pl.String),
            pl.Series("sku", [piece.sku for _, _, piece in found], dtype=pl.String),
            pl.Series("created", [one.created_at for _, one, _ in found], dtype=pl.String),
            pl.Series("state", [text(one.state) for _, one, _ in found], dtype=pl.String),
            texts("qty", (piece.qty for _, _, piece in found)),
        ]
    ).with_columns(quantity=four_places("qty"))
    own_lines = (
        orders.select("order_ref", "line_refs").explode("line_refs").select("order_ref", line_ref="line_refs")
    )
    is_known = pl.col("order_ref").is_in(orders["order_ref"].to_list())
    counts = frame.join(
        own_lines.with_columns(counts=pl.lit(value=True)).unique(),
        on=["order_ref", "line_ref"],
        how="left",
        maintain_order="left",
    )
    return counts.filter(
        (pl.col("counts").fill_null(value=False) | ~is_known)
        & (pl.col("quantity").fill_null(0) > 0)
        & pl.col("line_ref").is_not_null()
        & pl.col("order_ref").is_not_null()
    )


def shipped(raw: pl.DataFrame, *, storefront: str, run_id: str, orders: pl.DataFrame) -> Staged:
    """`core.shipments`: one row per shipment and order row."""
    documents, troubles = decoded(raw["payload"], raw["problem"], Document)
    rows = pieces(documents, orders)
    tracks = pl.DataFrame(
        [
            pl.Series("at", range(len(documents)), dtype=pl.UInt32),
            pl.Series("tracking_ref", [_tracking(one) for one in documents], dtype=pl.String),
        ]
    )
    landed = raw.with_row_index("at").select("at", "native_ref", "updated_at", "fetched_at")
    table = (
        rows.join(tracks, on="at", how="left", maintain_order="left")
        .join(landed, on="at", how="left", maintain_order="left")
        .with_columns(
            shipment_ref=pl.coalesce("own", "native_ref"),
            shipped_at=pl.coalesce(instant("created"), "updated_at", "fetched_at"),
        )
        .group_by("order_ref", "shipment_ref", "line_ref", maintain_order=True)
        .agg(pl.col("quantity").sum(), pl.col("shipped_at").min(), pl.col("tracking_ref").first())
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            "order_ref",
            "shipment_ref",
            "line_ref",
            (pl.col("quantity").cast(pl.Decimal(38, 4)) / 10_000).cast(QUANTITY).alias("quantity"),
            "shipped_at",
            "tracking_ref",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    told = landed.join(
        pl.DataFrame(
            [
                pl.Series("at", list(troubles), dtype=pl.UInt32),
                pl.Series("problem", list(troubles.values()), dtype=pl.String),
            ]
        ),
        on="at",
    )
    return Staged({"core.shipments": table}, problems_of(told, "shipments"))


def _tracking(one: Document) -> str | None:
    for track in one.tracks or ():
        if track.track_number or track.title:
            return " ".join(part for part in (track.title, track.track_number) if part)
    return None


def returned(
    documents: Sequence[Document],
    orders: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    states: Mapping[str, str],
) -> pl.DataFrame:
    """`core.returns` of credit memos: the rows a memo names, unless it was cancelled. An adjustment names none."""
    word = pl.col("state").replace_strict(dict(states), default=None, return_dtype=pl.String)
    rows = pieces(documents, orders).filter((word != "failure").fill_null(value=True))
    return rows.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "order_ref",
        pl.coalesce("piece_ref", pl.format("{}#{}", "own", "line_ref")).alias("return_ref"),
        "line_ref",
        "sku",
        (pl.col("quantity").cast(pl.Decimal(38, 4)) / 10_000).cast(QUANTITY).alias("quantity"),
        word.alias("state_code"),
        instant("created").alias("returned_at"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    ).unique(["order_ref", "return_ref"], keep="first", maintain_order=True)
