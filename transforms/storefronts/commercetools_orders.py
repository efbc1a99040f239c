"""Orders of commercetools: raw landings to `core.orders`, lines, named payments, shipments and returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from transforms.staged import INSTANT, PRICE, PROBLEMS_SCHEMA, QUANTITY, Staged, sentence_of
from transforms.storefronts.commercetools_arithmetic import reckoned
from transforms.storefronts.commercetools_decode import Trouble, decode
from transforms.storefronts.commercetools_payloads import Delivery, Order
from transforms.storefronts.commercetools_rows import Opened, open_orders
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
    refs = raw["native_ref"].to_list()
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Order)
    opened = open_orders(decoded, refs, settings)
    heads, lines = reckoned(opened.heads, opened.rows, decoded.objects, opened.infos, settings)
    heads = _with_times(heads, raw)
    heads = _with_state(heads, settings)
    heads = _with_problems(heads, decoded.troubles, settings)
    shipments = _shipments(decoded.objects, opened, heads)
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
        "core.order_payments": _order_payments(decoded.objects, named, fixed),
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
        "core.returns": _returns(decoded.objects, named, fixed),
    }
    return Staged(frames, problems.select(list(PROBLEMS_SCHEMA)))


def instant(column: str) -> pl.Expr:
    """ISO 8601 text with a zone as a UTC instant; null where it is none."""
    text = pl.col(column)
    usual = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC", strict=False)
    other = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return pl.coalesce(usual, other)


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
    return heads.with_columns(status_code=ours.fill_null("held"), lacks_state=ours.is_null())


def _with_problems(
    heads: pl.DataFrame, troubles: dict[int, list[Trouble]], settings: CommercetoolsSettings
) -> pl.DataFrame:
    """One problem text an order, from what decoding, taxes, times and states gave."""
    asks_tax = settings.untaxed == "hold"
    odd = heads.select(
        "at", "state", "lacks_state", "lacks_placed", tax_trouble=pl.when(asks_tax).then("tax_trouble")
    ).filter(pl.col("lacks_state") | pl.col("lacks_placed") | pl.col("tax_trouble").is_not_null())
    found = {at: [(one.code, one.sentence) for one in some] for at, some in troubles.items()}
    unread = {at for at, some in troubles.items() if any(one.path == "" for one in some)}
    # Only over the orders with something odd about them.
    for at, state, lacks_state, lacks_placed, tax_trouble in odd.iter_rows():
        if at in unread:
            continue
        known = found.setdefault(at, [])
        if lacks_state:
            said = (
                "orderState is missing"
                if state is None
                else f"orderState '{state[:40]}' has no meaning here; map it"
            )
            known.append(("payload_unreadable", said))
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


def distinct(column: str, *within: str) -> pl.Expr:
    """The text of a column, made distinct within a group: the second `a` becomes `a#2`, an empty one `#1`."""
    nth = pl.int_range(1, pl.len() + 1).over(*within, column)
    text = pl.col(column)
    return pl.when((nth == 1) & (text != "")).then(text).otherwise(pl.format("{}#{}", text, nth))


def _lines(lines: pl.DataFrame, named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    order = pl.col("row_kind").replace_strict(
        {"item": 0, "gift_card": 0, "fee": 1, "shipping": 2, "discount": 3, "rounding": 4},
        return_dtype=pl.Int8,
    )
    whole = lines.with_columns(rank=order).sort("at", "rank", maintain_order=True)
    return (
        whole.with_columns(
            line_ref=distinct("line_ref", "at"),
            line_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("at"),
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
            .then(pl.coalesce("tax_rate", pl.col("tax_rate").max().over("order_ref", "tax_code")))
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


def _order_payments(orders: Sequence[Order], named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    pairs = [
        (at, payment.id)
        for at, order in enumerate(orders)
        if order.payment_info is not None
        for payment in order.payment_info.payments or ()
        if payment.id
    ]
    frame = pl.DataFrame(
        [
            pl.Series("at", [at for at, _ in pairs], dtype=pl.UInt32),
            pl.Series("payment_ref", [ref for _, ref in pairs], dtype=pl.String),
        ]
    ).unique(maintain_order=True)
    return frame.join(named, on="at", how="left", maintain_order="left").select(
        fixed["storefront"].alias("storefront"), "order_ref", "payment_ref", fixed["run_id"].alias("run_id")
    )


def _shipments(orders: Sequence[Order], opened: Opened, heads: pl.DataFrame) -> pl.DataFrame:
    """One row per delivery and row of the order.

    A delivery may come without items. If none of an order's deliveries names any, the first one is taken to hold every row of
    goods; beside deliveries that name theirs it holds nothing (its row has an empty `line_ref` and only dates the order).
    """
    ats: list[int] = []
    refs: list[str] = []
    lines: list[str] = []
    counts: list[int] = []
    times: list[str | None] = []
    tracks: list[str | None] = []
    # Deliveries hang three levels deep; the lists are handed over whole.
    for at, infos in enumerate(opened.infos):
        deliveries = [delivery for _, info in infos for delivery in info.deliveries or ()]
        if not deliveries:
            continue
        nameless = not any(delivery.items for delivery in deliveries)
        for number, delivery in enumerate(deliveries):
            held = [(item.id, item.quantity) for item in delivery.items or ()]
            if nameless and number == 0:
                held = [(line.id, line.quantity) for line in orders[at].line_items]
            for line_ref, count in held or [("", 0)]:
                ats.append(at)
                refs.append(delivery.id)
                lines.append(line_ref)
                counts.append(count)
                times.append(delivery.created_at)
                tracks.append(_tracking(delivery))
    frame = pl.DataFrame(
        [
            pl.Series("at", ats, dtype=pl.UInt32),
            pl.Series("shipment_ref", refs, dtype=pl.String),
            pl.Series("line_ref", lines, dtype=pl.String),
            pl.Series("quantity", counts, dtype=pl.Int64),
            pl.Series("shipped", times, dtype=pl.String),
            pl.Series("tracking_ref", tracks, dtype=pl.String),
        ]
    )
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


def _tracking(delivery: Delivery) -> str | None:
    for parcel in delivery.parcels or ():
        data = parcel.tracking_data
        if data is not None and (data.carrier or data.tracking_id):
            return " ".join(part for part in (data.carrier, data.tracking_id) if part)
    return None


def _returns(orders: Sequence[Order], named: pl.DataFrame, fixed: dict[str, pl.Expr]) -> pl.DataFrame:
    found = [
        (at, item, info.return_date or item.created_at)
        for at, order in enumerate(orders)
        if order.return_info
        for info in order.return_info
        for item in info.items or ()
    ]
    skus = {
        (at, line.id): line.variant.sku
        for at in dict.fromkeys(at for at, _, _ in found)
        for line in orders[at].line_items
        if line.variant is not None
    }
    frame = pl.DataFrame(
        [
            pl.Series("at", [at for at, _, _ in found], dtype=pl.UInt32),
            pl.Series("return_ref", [item.id for _, item, _ in found], dtype=pl.String),
            pl.Series(
                "line_ref",
                [item.line_item_id or item.custom_line_item_id for _, item, _ in found],
                dtype=pl.String,
            ),
            pl.Series(
                "sku", [skus.get((at, item.line_item_id or "")) for at, item, _ in found], dtype=pl.String
            ),
            pl.Series("quantity", [item.quantity for _, item, _ in found], dtype=pl.Int64),
            pl.Series("state_code", [item.payment_state for _, item, _ in found], dtype=pl.String),
            pl.Series("returned", [when for _, _, when in found], dtype=pl.String),
        ]
    )
    return (
        frame.with_columns(returned_at=instant("returned"), return_ref=distinct("return_ref", "at"))
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
