"""Orders of Magento: raw landings to `core.orders` and their lines.

Source of outside facts: Magento REST reference 2.4.8 (sales order, order item). The header holds
grand_total = subtotal + discount + shipping + tax + hidden tax (goods, shipping) + gift wrapping − gift cards − store credit − points,
with a negative discount in the header and positive ones on the rows. Hidden tax is the tax inside a discount on prices that include
tax: net of tax the discount is discount_amount + discount_tax_compensation_amount.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import polars as pl

from tieout.vocabulary import NO_MEANING
from transforms.running import distinct, position
from transforms.staged import INSTANT, PRICE, PROBLEMS_SCHEMA, QUANTITY, Staged
from transforms.storefronts.magento_reading import (
    FEE_TAXES,
    FEES,
    HEAD,
    NO_CURRENCY,
    TENDER,
    heads_of,
    read_orders,
    rows_of,
)
from transforms.storefronts.magento_settings import MagentoSettings
from transforms.storefronts.magento_taxes import rate_of
from transforms.storefronts.magento_tenders import tenders_of

_BATCH: Final = 20_000
"""Orders decoded at a time: bounds the memory of decoded objects."""

_Part: TypeAlias = str | pl.Expr
"""A column by its name, or what stands for it."""


def stage_orders(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: MagentoSettings, stores: Mapping[str, str]
) -> list[Staged]:
    """Stage orders in batches; see `transforms.storefronts.magento.orders`."""
    return [
        _stage(raw.slice(start, _BATCH), storefront, run_id, settings, stores)
        for start in range(0, max(raw.height, 1), _BATCH)
    ]


def _stage(
    raw: pl.DataFrame, storefront: str, run_id: str, settings: MagentoSettings, stores: Mapping[str, str]
) -> Staged:
    read, troubles = read_orders(raw["payload"], raw["problem"])
    heads = heads_of(read.heads(), raw, settings, stores)
    rows = rows_of(read.rows(), heads, settings)
    heads = _reckoned(heads, rows)
    heads = _judged(heads, troubles, settings)
    fixed = {"storefront": pl.lit(storefront, dtype=pl.String), "run_id": pl.lit(run_id, dtype=pl.String)}
    problems = heads.filter(pl.col("problem").is_not_null()).select(
        subject=pl.lit("orders"),
        native_ref="native_ref",
        row_no=pl.lit(None, dtype=pl.Int64),
        column=pl.lit(None, dtype=pl.String),
        problem="problem",
    )
    frames = {
        "core.orders": _orders(heads, fixed),
        "core.order_lines": _lines(heads, rows, fixed),
        "core.order_payments": _order_payments(heads, fixed),
        "core.order_tenders": tenders_of(read.cards(), heads, storefront=storefront, run_id=run_id),
        "core.payments": _authorizations(heads, fixed),
    }
    return Staged(frames, problems.select(list(PROBLEMS_SCHEMA)))


# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────────────────


def _reckoned(heads: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Components of each order. The header's total, with what was paid by tender added again, is the truth; the rest is rounding."""
    nothing = pl.lit(0, dtype=pl.Int64)
    is_card = pl.col("kind_code") == "gift_card"
    sums = rows.group_by("at").agg(
        rows_net=pl.when(~is_card).then("net").otherwise(nothing).sum(),
        rows_card=pl.when(is_card).then("net").otherwise(nothing).sum(),
        rows_off=pl.col("off").sum(),
        rows_tax=pl.col("tax").sum(),
        rows_gross=pl.col("row_total_incl_tax").sum(),
        rows_unread=pl.col("unread").filter(pl.col("unread") != "").first(),
    )
    zero = {name: pl.col(name).fill_null(0) for name in (*HEAD, *TENDER, *FEES, *FEE_TAXES)}
    found = heads.join(sums, on="at", how="left", maintain_order="left").with_columns(
        pl.col("rows_net", "rows_card", "rows_off", "rows_tax").fill_null(0),
        tender_minor=pl.sum_horizontal(zero[name] for name in TENDER),
        fees_minor=pl.sum_horizontal(zero[name] for name in FEES),
        fees_tax=pl.sum_horizontal(zero[name] for name in FEE_TAXES),
        shipping_minor=zero["shipping_amount"],
        tax_minor=zero["tax_amount"],
        discount_minor=zero["discount_amount"]
        + zero["discount_tax_compensation_amount"]
        + zero["shipping_discount_tax_compensation_amount"],
        shipping_off=-(zero["shipping_discount_amount"] - zero["shipping_discount_tax_compensation_amount"]),
    )
    parts = ("rows_net", "rows_card", "discount_minor", "shipping_minor", "fees_minor", "tax_minor")
    return found.with_columns(total_minor=zero["grand_total"] + pl.col("tender_minor")).with_columns(
        rounding_minor=pl.col("total_minor") - pl.sum_horizontal(parts),
        rounding_tax=pl.col("tax_minor")
        - pl.sum_horizontal("rows_tax", "fees_tax", zero["shipping_tax_amount"]),
        # What the header takes off beyond the rows and shipping: a discount of the order as a whole.
        rest_off=pl.col("discount_minor") - pl.col("rows_off") - pl.col("shipping_off"),
    )


def _judged(heads: pl.DataFrame, troubles: Mapping[int, str], settings: MagentoSettings) -> pl.DataFrame:
    """Status in our words, and one problem text an order."""
    told = pl.DataFrame(
        [
            pl.Series("at", list(troubles), dtype=pl.UInt32),
            pl.Series("trouble", list(troubles.values()), dtype=pl.String),
        ]
    )
    status = pl.col("state").replace_strict(dict(settings.states), default=None, return_dtype=pl.String)
    if settings.statuses:
        own = pl.col("shop_status").replace_strict(
            dict(settings.statuses), default=None, return_dtype=pl.String
        )
        status = pl.coalesce(own, status)
    unread = pl.concat_str(
        pl.when(pl.col("unread") != "").then("unread"),
        pl.col("rows_unread"),
        separator=", ",
        ignore_nulls=True,
    )
    return (
        heads.join(told, on="at", how="left", maintain_order="left")
        .with_columns(status=status, unread=unread)
        .with_columns(
            status_code=pl.col("status").fill_null("held"),
            problem=pl.coalesce(
                "trouble",
                pl.when(pl.col("digits").is_null()).then(
                    pl.format(
                        "currency_unknown: '{}' is not an ISO 4217 currency with minor units", "currency"
                    )
                ),
                pl.when(pl.col("unread") != "").then(
                    pl.format("amount_not_exact: {} is not an amount", "unread")
                ),
                pl.when(~pl.col("has_total")).then(pl.lit("payload_unreadable: grand_total is missing")),
                pl.when(~pl.col("is_taxed")).then(
                    pl.lit("tax_unknown: the order does not say its tax (tax_amount is missing)")
                ),
                pl.when(pl.col("placed_at").is_null()).then(
                    pl.lit("payload_unreadable: created_at is missing or no instant")
                ),
                pl.when(pl.col("status").is_null() & pl.col("state").is_null()).then(
                    pl.lit("payload_unreadable: state is missing")
                ),
                pl.when(pl.col("status").is_null()).then(
                    pl.format(
                        "status_unknown: the status '{}' {}",
                        pl.col("state").str.slice(0, 40),
                        pl.lit(NO_MEANING),
                    )
                ),
            ),
            placed_at=pl.coalesce("placed_at", "changed_at"),
        )
    )


# ── shapes of core ──────────────────────────────────────────────────────────────────────────────────────────


def _orders(heads: pl.DataFrame, fixed: Mapping[str, pl.Expr]) -> pl.DataFrame:
    none = pl.lit(None, dtype=INSTANT)
    return heads.select(
        fixed["storefront"].alias("storefront"),
        "order_ref",
        "order_number",
        # There is no version: the second of the last change grows with every one.
        pl.col("changed_at").dt.epoch("s").clip(lower_bound=0).alias("revision"),
        "store_ref",
        "customer_ref",
        "customer_name",
        "customer_email",
        "status_code",
        "placed_at",
        none.alias("captured_at"),
        none.alias("shipped_at"),
        none.alias("cancelled_at"),
        "changed_at",
        pl.when(pl.col("currency").str.len_chars() == 3)
        .then("currency")
        .otherwise(pl.lit(NO_CURRENCY))
        .alias("currency"),
        pl.col("rows_net").alias("goods_minor"),
        pl.col("rows_card").alias("gift_card_minor"),
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


def _lines(heads: pl.DataFrame, rows: pl.DataFrame, fixed: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Items, then fees, shipping, what is taken off the whole, and rounding; they sum to the order component by component."""
    nothing, text_ = pl.lit(0, dtype=pl.Int64), pl.lit(None, dtype=pl.String)
    price = pl.when(pl.col("tax_included")).then("price_incl_tax").otherwise("price")
    shown = price.str.strip_chars('"').cast(PRICE, strict=False)
    items = rows.join(heads.select("at", "tax_included"), on="at", how="left", maintain_order="left").select(
        "at",
        pl.lit(0, dtype=pl.Int8).alias("rank"),
        "line_ref",
        "kind_code",
        "sku",
        "description",
        "quantity",
        shown.alias("unit_price"),
        pl.col("net").alias("net_minor"),
        pl.col("off").alias("discount_minor"),
        pl.col("tax").alias("tax_minor"),
        "tax_code",
        "percent",
    )
    made: list[tuple[int, str, str, str, _Part, _Part, _Part, _Part, _Part]] = [
        (1, "fee", "gift_wrapping", "Gift wrapping", "fees_minor", nothing, "fees_tax", "fee_tax_code", "fee_percent"),
        (2, "shipping", "shipping", "Shipping", "shipping_minor", "shipping_off", "shipping_tax_amount", "shipping_tax_code", "shipping_percent"),
        (3, "discount", "discount", "Discount", nothing, "rest_off", nothing, text_, text_),
        (4, "rounding", "rounding", "Rounding", "rounding_minor", nothing, "rounding_tax", text_, text_),
    ]  # fmt: skip

    def column(value: str | pl.Expr) -> pl.Expr:
        return pl.col(value) if isinstance(value, str) else value

    added = [
        heads.select(
            "at",
            pl.lit(rank, dtype=pl.Int8).alias("rank"),
            pl.lit(ref).alias("line_ref"),
            pl.lit(kind).alias("kind_code"),
            text_.alias("sku"),
            pl.lit(words).alias("description"),
            pl.lit(10_000, dtype=pl.Int64).alias("quantity"),
            pl.lit(None, dtype=PRICE).alias("unit_price"),
            column(net).fill_null(0).alias("net_minor"),
            column(off).fill_null(0).alias("discount_minor"),
            column(tax).fill_null(0).alias("tax_minor"),
            column(code).alias("tax_code"),
            column(percent).alias("percent"),
        ).filter(
            (pl.col("net_minor") != 0) | (pl.col("discount_minor") != 0) | (pl.col("tax_minor") != 0)
        )
        for rank, kind, ref, words, net, off, tax, code, percent in made
    ]  # fmt: skip
    whole = pl.concat([items, *added]).sort("at", "rank", maintain_order=True)
    return (
        whole.with_columns(line_no=position("at"), line_ref=distinct(whole, "line_ref", "at"))
        .join(heads.select("at", "order_ref", "currency"), on="at", how="left", maintain_order="left")
        .select(
            fixed["storefront"].alias("storefront"),
            "order_ref",
            "line_ref",
            "line_no",
            "kind_code",
            "sku",
            text_.alias("category_ref"),
            "description",
            quantity_of("quantity").alias("quantity"),
            "unit_price",
            pl.when(pl.col("currency").str.len_chars() == 3)
            .then("currency")
            .otherwise(pl.lit(NO_CURRENCY))
            .alias("currency"),
            "net_minor",
            "discount_minor",
            "tax_minor",
            # An exempt rate is no tax: nothing of it is booked.
            pl.when(pl.col("tax_minor") != 0).then("tax_code").alias("tax_code"),
            pl.when(pl.col("tax_minor") != 0).then(rate_of("percent")).alias("tax_rate"),
            fixed["run_id"].alias("run_id"),
        )
    )


def quantity_of(column: str) -> pl.Expr:
    """Ten-thousandths as a quantity."""
    return (pl.col(column).fill_null(0).cast(pl.Decimal(38, 4)) / 10_000).cast(QUANTITY)


def _order_payments(heads: pl.DataFrame, fixed: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Which payment an order names: the authorisation that carries its amount."""
    return _authorized(heads).select(
        fixed["storefront"].alias("storefront"), "order_ref", "payment_ref", fixed["run_id"].alias("run_id")
    )


def _authorized(heads: pl.DataFrame) -> pl.DataFrame:
    return heads.filter(
        (pl.col("authorized").fill_null(0) > 0) & pl.col("digits").is_not_null()
    ).with_columns(payment_ref=pl.lit("authorization-") + pl.col("order_ref"))


def _authorizations(heads: pl.DataFrame, fixed: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """One pending-free authorisation per order whose payment says an amount; it moves no money."""
    return _authorized(heads).select(
        fixed["storefront"].alias("storefront"),
        "payment_ref",
        pl.lit("authorization").alias("transaction_ref"),
        "order_ref",
        pl.lit("authorization").alias("kind_code"),
        pl.lit("success").alias("state_code"),
        "tender_code",
        pl.lit(None, dtype=pl.String).alias("gateway_ref"),
        "currency",
        pl.col("authorized").alias("amount_minor"),
        pl.lit(None, dtype=pl.Int64).alias("fee_minor"),
        pl.col("placed_at").alias("occurred_at"),
        pl.lit(None, dtype=pl.String).alias("payout_ref"),
        pl.lit(None, dtype=pl.String).alias("problem"),
        "payload_sha256",
        fixed["run_id"].alias("run_id"),
    )
