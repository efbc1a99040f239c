"""Orders of commercetools: raw landings to `core.orders`, lines, named payments, shipments and returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from tieout.vocabulary import NO_MEANING
from transforms.instants import instant
from transforms.owed.tenders import kind_of_word, order_tenders
from transforms.running import distinct, position
from transforms.staged import INSTANT, PRICE, PROBLEMS_SCHEMA, QUANTITY, Staged, sentence_of
from transforms.storefronts.commercetools_arithmetic import reckoned
from transforms.storefronts.commercetools_decode import Trouble
from transforms.storefronts.commercetools_rows import open_orders
from transforms.storefronts.commercetools_settings import CommercetoolsSettings

_BATCH: Final = 20_000
"""Orders decoded at a time: bounds the memory of decoded objects, which is several times that of the columns."""


def stage_orders(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: CommercetoolsSettings
) -> list[Staged]:
    """Stage orders in batches; see `transforms.storefronts.commercetools.orders`."""
    return [
        _stage(raw.slice(start, _BATCH), storefront, run_id, settings)
        for start in range(0, max(raw.height, 1), _BATCH)
    ]


def _stage(raw: pl.DataFrame, storefront: str, run_id: str, settings: CommercetoolsSettings) -> Staged:
    opened = open_orders(raw["payload"], raw["problem"], raw["native_ref"], settings)
    heads, lines, tenders = reckoned(opened.heads, opened.rows, opened.whole, settings)
    heads = _with_times(heads, raw)
    heads = _with_state(heads, settings)
    heads = _with_problems(heads, opened.troubles, settings)
    shipments = _shipments(opened.deliveries, heads)
    if settings.shipments:
        waits = heads.filter(
            pl.col("shipment_state").is_not_null()
            & (pl.col("shipment_word") != "shipped").fill_null(value=True)
        )
        shipments = shipments.join(waits, on="at", how="anti")
    first = shipments.group_by("at").agg(shipped_at=pl.col("shipped_at").min())
    heads = heads.join(first, on="at", how="left", maintain_order="left")
    fixed = {"storefront": pl.lit(storefront, dtype=pl.String), "run_id": pl.lit(run_id, dtype=pl.String)}
    problems = heads.filter(pl.col("problem").is_not_null()).select(
        subject=pl.lit("orders"),
        native_ref=pl.col("native_ref"),
        row_no=pl.lit(None, dtype=pl.Int64),
        column=pl.lit(None, dtype=pl.String),
        problem="problem",
    )
    named = heads.select("at", "order_ref", "currency")
    frames = {
        "core.orders": _orders(heads, fixed),
        "core.order_lines": _lines(lines, named, fixed),
        "core.order_payments": _of_orders(opened.payments, named, fixed),
        "core.order_tenders": _tenders(tenders, named, storefront, run_id),
        "core.shipments": shipments.filter(pl.col("line_ref") != "")
        .join(named, on="at")
        .select(
            fixed["storefront"].alias("storefront"),
            "order_ref",
            "shipment_ref",
            "line_ref",
            pl.col("quantity").cast(QUANTITY),
            "shipped_at",
            "tracking_ref",
            fixed["run_id"].alias("run_id"),
        ),
        "core.returns": _returns(opened.returns, named, fixed),
    }
    return Staged(frames, problems.select(list(PROBLEMS_SCHEMA)))


def _tenders(tenders: pl.DataFrame, named: pl.DataFrame, storefront: str, run_id: str) -> pl.DataFrame:
    """`core.order_tenders`: negative rows that are tender, each of the kind its word names."""
    words = tenders["word"].unique().drop_nulls().to_list()
    kind = pl.col("word").replace_strict(
        {word: kind_of_word(word) for word in words}, default="other", return_dtype=pl.String
    )
    stated = tenders.join(named, on="at").select(
        "order_ref",
        tender_ref="line_ref",
        kind_code=kind,
        tender_code=pl.when(kind == "other").then("word"),
        currency="currency",
        amount_minor="amount_minor",
    )
    return order_tenders(stated, storefront=storefront, run_id=run_id)


def _with_times(heads: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    landed = raw.select("native_ref", "version_no", "updated_at", "fetched_at", "payload_sha256")
    return (
        pl.concat([heads, landed], how="horizontal")
        .with_columns(placed_at=instant("placed"), changed_at=instant("changed"))
        .with_columns(
            lacks_placed=pl.col("placed_at").is_null(),
            changed_at=pl.coalesce("changed_at", "updated_at", "fetched_at"),
        )
        .with_columns(placed_at=pl.coalesce("placed_at", "changed_at"))
    )


def _with_state(heads: pl.DataFrame, settings: CommercetoolsSettings) -> pl.DataFrame:
    ours = pl.col("state").replace_strict(dict(settings.states), default=None, return_dtype=pl.String)
    word = pl.col("shipment_state").replace_strict(
        dict(settings.shipments), default=None, return_dtype=pl.String
    )
    asks = pl.lit(bool(settings.shipments)) & pl.col("shipment_state").is_not_null()
    return heads.with_columns(
        status_code=ours.fill_null("held"),
        lacks_state=ours.is_null(),
        shipment_word=word,
        lacks_word=asks & word.is_null(),
    )


def _with_problems(
    heads: pl.DataFrame, troubles: dict[int, list[Trouble]], settings: CommercetoolsSettings
) -> pl.DataFrame:
    """One problem text an order, from what decoding, taxes, times and states gave."""
    asks_tax = settings.untaxed == "hold"
    odd = heads.select(
        "at", "state", "lacks_state", "shipment_state", "lacks_word", "lacks_placed",
        tax_trouble=pl.when(asks_tax).then("tax_trouble"),
    ).filter(
        pl.col("lacks_state") | pl.col("lacks_word") | pl.col("lacks_placed") | pl.col("tax_trouble").is_not_null()
    )  # fmt: skip
    found = {at: [(one.code, one.sentence) for one in some] for at, some in troubles.items()}
    unread = {at for at, some in troubles.items() if any(one.path == "" for one in some)}
    # Only over the orders with something odd about them.
    for at, state, lacks_state, shipment_state, lacks_word, lacks_placed, tax_trouble in odd.iter_rows():
        if at in unread:
            continue
        known = found.setdefault(at, [])
        if lacks_state:
            if state is None:
                known.append(("payload_unreadable", "orderState is missing"))
            else:
                known.append(("status_unknown", f"the status '{state[:40]}' {NO_MEANING}"))
        if lacks_word:
            known.append(("status_unknown", f"the shipment status '{shipment_state[:40]}' {NO_MEANING}"))
        if lacks_placed:
            known.append(("payload_unreadable", "createdAt is missing or no instant"))
        # A damaged order is held for its damage; what its tax is cannot be told from what is left.
        if tax_trouble is not None and at not in troubles:
            known.append(("tax_unknown", tax_trouble))
    texts_of = {at: sentence_of(some) for at, some in found.items() if some}
    texts = pl.DataFrame(
        [
            pl.Series("at", list(texts_of), dtype=pl.UInt32),
            pl.Series("problem", list(texts_of.values()), dtype=pl.String),
        ]
    )
    return heads.join(texts, on="at", how="left", maintain_order="left")


def _orders(heads: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    return heads.select(
        fixed["storefront"].alias("storefront"),
        "order_ref",
        "order_number",
        pl.coalesce("version", "version_no", pl.lit(0, dtype=pl.Int64)).clip(lower_bound=0).alias("revision"),
        "store_ref",
        "customer_ref",
        "customer_name",
        "customer_email",
        "status_code",
        "placed_at",
        pl.lit(None, dtype=INSTANT).alias("captured_at"),
        "shipped_at",
        pl.lit(None, dtype=INSTANT).alias("cancelled_at"),
        "changed_at",
        "currency",
        "goods_minor",
        "gift_card_minor",
        "discount_minor",
        "shipping_minor",
        "fees_minor",
        "tax_minor",
        "rounding_minor",
        "total_minor",
        "tender_minor",
        (pl.col("total_minor") - pl.col("tender_minor")).alias("due_minor"),
        "tax_included",
        "is_taxed",
        "is_test",
        "problem",
        "payload_sha256",
        fixed["run_id"].alias("run_id"),
    )


def _lines(lines: pl.DataFrame, named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    order = pl.col("row_kind").replace_strict(
        {"item": 0, "gift_card": 0, "fee": 1, "shipping": 2, "discount": 3, "rounding": 4},
        return_dtype=pl.Int8,
    )
    whole = lines.with_columns(rank=order).sort("at", "rank", maintain_order=True)
    return (
        whole.with_columns(
            line_ref=distinct(whole, "line_ref", "at"),
            line_no=position("at"),
            unit_price=_unit_price(sorted(whole["unit_digits"].fill_null(0).unique().to_list())),
        )
        .join(named, on="at", how="left", maintain_order="left")
        .select(
            fixed["storefront"].alias("storefront"),
            "order_ref",
            "line_ref",
            "line_no",
            pl.col("row_kind").alias("kind_code"),
            "sku",
            "category_ref",
            "description",
            pl.col("quantity").cast(QUANTITY),
            "unit_price",
            "currency",
            "net_minor",
            "discount_minor",
            "tax_minor",
            "tax_code",
            # What was taken off or rounded on the total is taxed at the rate of the rows it belongs to.
            pl.when(pl.col("tax_code").is_not_null())
            .then(pl.coalesce("tax_rate", pl.col("tax_rate").max().over("at", "tax_code")))
            .alias("tax_rate"),
            fixed["run_id"].alias("run_id"),
        )
    )


def _unit_price(digits: Sequence[int]) -> pl.Expr:
    """Count and digits as an exact decimal, for the digits that occur; what is beyond the twelfth is for show and cut."""
    count = pl.col("unit_count")
    price = pl.lit(None, dtype=PRICE)
    for places in digits:
        factor = pl.lit(10 ** min(places, 12), dtype=pl.Int64).cast(pl.Decimal(38, 0))
        whole = count if places <= 12 else count // 10 ** (places - 12)
        value = (whole.cast(pl.Decimal(38, 12)) / factor).cast(PRICE, strict=False)
        price = pl.when(pl.col("unit_digits").fill_null(0) == places).then(value).otherwise(price)
    return price


def _of_orders(payments: pl.DataFrame, named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    return payments.join(named, on="at", how="left", maintain_order="left").select(
        fixed["storefront"].alias("storefront"), "order_ref", "payment_ref", fixed["run_id"].alias("run_id")
    )


def _shipments(deliveries: pl.DataFrame, heads: pl.DataFrame) -> pl.DataFrame:
    """One row per delivery and row of the order."""
    frame = deliveries
    return (
        frame.with_columns(shipped_at=instant("shipped"))
        .join(heads.select("at", "changed_at"), on="at", how="left", maintain_order="left")
        .group_by("at", "shipment_ref", "line_ref", maintain_order=True)
        .agg(
            pl.col("quantity").sum(),
            pl.coalesce("shipped_at", "changed_at").min().alias("shipped_at"),
            pl.col("tracking_ref").first(),
        )
    )


def _returns(returns: pl.DataFrame, named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    return (
        returns.with_columns(
            returned_at=instant("returned"), return_ref=distinct(returns, "return_ref", "at")
        )
        .join(named, on="at", how="left", maintain_order="left")
        .select(
            fixed["storefront"].alias("storefront"),
            "order_ref",
            "return_ref",
            "line_ref",
            "sku",
            pl.col("quantity").cast(QUANTITY),
            "state_code",
            "returned_at",
            fixed["run_id"].alias("run_id"),
        )
    )
