"""Orders of Clarity eCommerce: decoded payloads to headers and lines, before they are footed.

The header's total is the truth. A row's amount is its own member where the profile names one, else price times quantity, rounded;
where the order states a subtotal, what rows do not make up of it stands in the rounding line with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import NO_MEANING
from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded
from transforms.staged import PRICE, QUANTITY, RATE
from transforms.storefronts.clarity_reading import Opened, Table
from transforms.storefronts.clarity_settings import ClaritySettings
from transforms.storefronts.footing import (
    LINE,
    NO_CURRENCY,
    blame_by_rules,
    blame_rows,
    instants,
    series,
)

MONEY: Final = ("total", "subtotal", "shipping", "fees", "tax", "discount", "store_credit", "gift_card")
_ZERO: Final = pl.lit(0, dtype=pl.Int64)
_NULL: Final = pl.lit(None, dtype=pl.String)


def heads_of(orders: Table, raw: pl.DataFrame, settings: ClaritySettings) -> pl.DataFrame:
    """One row per order with what its header says; amounts in minor units under their own names with `_stated`, and in millionths with `_value`."""
    columns = [series("at", range(orders.height), pl.UInt32)]
    for name in (
        "number",
        "status",
        "customer_ref",
        "customer_name",
        "customer_email",
        "store",
        "coupon",
        "is_test",
    ):
        columns.append(orders.text(name))
    columns += [
        orders.text("ref").alias("order_ref"),
        orders.text("currency").fill_null("").str.to_uppercase().alias("said_currency"),
        instants(orders.text("placed")).alias("placed_at"),
        instants(orders.text("changed")).alias("said_changed"),
        instants(orders.text("shipped")).alias("said_shipped"),
    ]
    for name in MONEY:
        value, odd = orders.millionths(name)
        columns += [value.alias(f"{name}_value"), odd.alias(f"{name}_odd")]
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    words = {theirs.casefold(): ours for theirs, ours in settings.statuses.items()}
    heads = pl.concat([pl.DataFrame(columns), landed], how="horizontal").with_columns(
        order_ref=pl.coalesce("order_ref", "native_ref"),
        order_number="number",
        digits=pl.col("said_currency").replace_strict(
            known_currencies(), default=None, return_dtype=pl.Int64
        ),
        ours=pl.col("status").str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String),
        changed_at=pl.coalesce("said_changed", "updated_at", "fetched_at"),
        currency=pl.when(pl.col("said_currency").str.len_chars() == 3)
        .then("said_currency")
        .otherwise(pl.lit(NO_CURRENCY)),
    )
    unit = amounts.minor_unit(pl.col("digits").fill_null(2))
    return heads.with_columns(unit=unit).with_columns(
        amounts.rounded(pl.col(f"{name}_value").fill_null(0), pl.col("unit")).alias(f"{name}_stated")
        for name in MONEY
    )


def blame_heads(decoded: Decoded[Any], lost: Sequence[int], heads: pl.DataFrame) -> None:
    """What is wrong with headers: currency, amounts, dates, statuses. Orders that are `lost` have said so already."""
    heads = heads.filter(~pl.col("at").is_in(lost)) if lost else heads
    code = pl.col("said_currency").str.slice(0, 10)
    inexact = ~amounts.is_exact(pl.col("total_value"), pl.col("unit")) & pl.col("digits").is_not_null()
    status = pl.col("status").fill_null("").str.slice(0, 40)
    rules = [
        (
            pl.col("digits").is_null(),
            "currency_unknown",
            pl.format("'{}' is not an ISO 4217 currency with minor units", code),
        ),
        *(
            (
                pl.col(f"{name}_odd").is_not_null(),
                "amount_not_exact",
                pl.format(
                    "{} is {}, which is not an amount", pl.lit(name), pl.col(f"{name}_odd").str.slice(0, 40)
                ),
            )
            for name in MONEY
        ),
        (
            pl.col("total_value").is_null() & pl.col("total_odd").is_null(),
            "payload_unreadable",
            pl.lit("total is missing"),
        ),
        (inexact, "amount_not_exact", pl.format("total has more digits than {} has minor units", code)),
        (
            pl.col("ours").is_null(),
            "status_unknown",
            pl.format("the status '{}' {}", status, pl.lit(NO_MEANING)),
        ),
        (
            pl.col("placed_at").is_null(),
            "payload_unreadable",
            pl.lit("the order date is missing or no instant"),
        ),
    ]
    blame_by_rules(decoded, heads, rules)


def lines_of(opened: Opened, heads: pl.DataFrame, settings: ClaritySettings) -> pl.DataFrame:
    """Lines of every order in the shape `LINE`."""
    decoded, lists = opened.decoded, opened.orders.lists
    rows = _rows(decoded, lists["lines"], heads)
    parts = [
        _item_lines(rows, settings),
        _one_line(heads, "shipping", "shipping", "shipping_stated"),
        _one_line(heads, "fee", "fee", "fees_stated"),
        _discount_lines(heads, rows),
        _tax_lines(decoded, heads, rows, lists["taxes"], settings),
    ]
    return pl.concat(parts)


def _rows(decoded: Decoded[Any], lines: Table, heads: pl.DataFrame) -> pl.DataFrame:
    columns = [lines.holders("at")]
    columns += [lines.text(name) for name in ("ref", "sku", "name", "category", "tax_code")]
    for name in ("quantity", "unit_price", "subtotal", "tax", "discount"):
        value, odd = lines.millionths(name)
        columns += [value.alias(name), odd.alias(f"{name}_odd")]
    columns.append(_rates(lines))
    frame = pl.DataFrame(columns).join(
        heads.select("at", "unit", "currency"), on="at", how="left", maintain_order="left"
    )
    for name in ("quantity", "unit_price", "subtotal", "tax", "discount"):
        bad = frame.filter(pl.col(f"{name}_odd").is_not_null())
        if bad.height:
            said = pl.format(
                "the {} of a line is {}, which is not an amount",
                pl.lit(name.replace("_", " ")),
                pl.col(f"{name}_odd").str.slice(0, 40),
            )
            blame_rows(decoded, bad.select("at", code=pl.lit("amount_not_exact"), sentence=said))
    wide = pl.col("unit_price").cast(pl.Int128) * pl.col("quantity").cast(pl.Int128)
    priced = (wide // amounts.MILLIONTHS).cast(pl.Int64, strict=False)
    frame = frame.with_columns(
        net=amounts.rounded(pl.coalesce("subtotal", priced), pl.col("unit")),
        tax_minor=amounts.rounded(pl.col("tax").fill_null(0), pl.col("unit")),
        off=-amounts.rounded(pl.col("discount").fill_null(0).abs(), pl.col("unit")),
    )
    bare = frame.filter(
        pl.col("net").is_null() & pl.col("subtotal_odd").is_null() & pl.col("unit_price_odd").is_null()
    )
    if bare.height:
        said = pl.lit("a line has neither an amount of its own nor price and quantity")
        blame_rows(decoded, bare.select("at", code=pl.lit("payload_unreadable"), sentence=said))
    return frame


def _rates(lines: Table) -> pl.Series:
    """The rate each row states as a fraction, to the last digit; null where it states none, 0, or what is no rate."""
    fraction, percent = (
        amounts.texts_written(lines.amounts(name)).cast(RATE, strict=False).to_frame(name)
        for name in ("tax_rate", "tax_percent")
    )
    rate = pl.coalesce("tax_rate", (pl.col("tax_percent") / 100).cast(RATE))
    found = pl.concat([fraction, percent], how="horizontal").select(
        tax_rate=pl.when((rate > 0) & (rate <= 1)).then(rate)
    )
    return found["tax_rate"]


def _item_lines(rows: pl.DataFrame, settings: ClaritySettings) -> pl.DataFrame:
    is_card = pl.any_horizontal(
        [pl.col("sku").fill_null("").str.starts_with(one) for one in settings.gift_card_prefixes]
        or [pl.lit(value=False)]
    )
    within = pl.col("tax_minor") if settings.tax_included else _ZERO
    price = pl.col("unit_price").cast(pl.Decimal(38, 12)) / pl.lit(amounts.MILLIONTHS).cast(pl.Decimal(38, 0))
    return _lines(
        rows.with_columns(
            line_ref=pl.col("ref").fill_null(""),
            kind_code=pl.when(is_card).then(pl.lit("gift_card")).otherwise(pl.lit("item")),
            category_ref="category",
            description="name",
            quantity=(pl.col("quantity").fill_null(0).cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS).cast(
                QUANTITY
            ),
            unit_price=price.cast(PRICE, strict=False),
            net_minor=pl.col("net").fill_null(0) - within,
            discount_minor=_ZERO,
            tax_code=pl.when(pl.col("tax_minor") != 0).then("tax_code"),
            tax_rate=pl.when(pl.col("tax_minor") != 0).then("tax_rate"),
        )
    )


def _one_line(heads: pl.DataFrame, kind: str, ref: str, amount: str) -> pl.DataFrame:
    """A component the header states as one amount."""
    return _lines(
        heads.select("at", amount)
        .filter(pl.col(amount) != 0)
        .with_columns(
            line_ref=pl.lit(ref),
            kind_code=pl.lit(kind),
            net_minor=pl.col(amount),
            discount_minor=_ZERO,
            tax_minor=_ZERO,
            quantity=pl.lit(1).cast(QUANTITY),
        )
    )


def _discount_lines(heads: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The order's discount: the header's figure where there is one, else what its lines state; never both, for lines repeat it."""
    of_rows = rows.group_by("at").agg(off=pl.col("off").sum())
    stated = -pl.col("discount_stated").abs()
    is_stated = pl.col("discount_value").is_not_null()
    told = heads.select("at", "discount_stated", "discount_value", "coupon")
    whole = told.join(of_rows, on="at", how="left", maintain_order="left").with_columns(
        off=pl.when(is_stated).then(stated).otherwise(pl.col("off").fill_null(0))
    )
    return _lines(
        whole.filter(pl.col("off") != 0).with_columns(
            line_ref=pl.lit("discount"),
            kind_code=pl.lit("discount"),
            description=pl.concat_str(pl.lit("Discount"), "coupon", separator=" ", ignore_nulls=True),
            net_minor=_ZERO,
            discount_minor="off",
            tax_minor=_ZERO,
            quantity=pl.lit(1).cast(QUANTITY),
        )
    )


def _tax_lines(
    decoded: Decoded[Any],
    heads: pl.DataFrame,
    rows: pl.DataFrame,
    taxes: Table,
    settings: ClaritySettings,
) -> pl.DataFrame:
    """Tax of the header that no row states, by tax where the order names its taxes, else under the only tax its rows know."""
    in_rows = (
        rows.filter(pl.col("tax_minor") != 0)
        .group_by("at", "tax_code", maintain_order=True)
        .agg(in_rows=pl.col("tax_minor").sum())
    )
    value, odd = taxes.millionths("amount")
    named = pl.DataFrame(
        [
            taxes.holders("at"),
            taxes.text("code").alias("tax_code"),
            value.alias("value"),
            odd.alias("odd"),
        ]
    ).join(heads.select("at", "unit"), on="at", how="left", maintain_order="left")
    bad = named.filter(pl.col("value").is_null())
    if bad.height:
        said = pl.format(
            "a tax of the order is {}, which is not an amount",
            pl.col("odd").fill_null("missing").str.slice(0, 40),
        )
        blame_rows(decoded, bad.select("at", code=pl.lit("amount_not_exact"), sentence=said))
    stated = (
        named.with_columns(minor=amounts.rounded(pl.col("value").fill_null(0), pl.col("unit")))
        .group_by("at", "tax_code", maintain_order=True)
        .agg(pl.col("minor").sum())
    )
    by_tax = (
        stated.join(
            in_rows,
            on=["at", "tax_code"],
            how="full",
            coalesce=True,
            nulls_equal=True,
            maintain_order="left_right",
        )
        .filter(pl.col("at").is_in(stated["at"].unique().to_list()))
        .with_columns(rest=pl.col("minor").fill_null(0) - pl.col("in_rows").fill_null(0))
        .select("at", "tax_code", "rest")
    )
    known = in_rows.group_by("at").agg(known=pl.col("in_rows").sum())
    silent = (
        heads.select("at", "tax_value", "tax_stated")
        .filter(pl.col("tax_value").is_not_null())
        .join(stated.select("at").unique(), on="at", how="anti")
        .join(known, on="at", how="left", maintain_order="left")
        .with_columns(rest=pl.col("tax_stated") - pl.col("known").fill_null(0))
        .filter(pl.col("rest") != 0)
    )
    # The taxes of rows are looked at only for the few orders of which something is left.
    alone = (
        in_rows.join(silent.select("at"), on="at", how="semi")
        .group_by("at")
        .agg(codes=pl.len(), code=pl.col("tax_code").sort().first())
    )
    silent = silent.join(alone, on="at", how="left", maintain_order="left")
    unclear = silent.filter(pl.col("codes").fill_null(0) > 1)
    if unclear.height:
        said = pl.lit("tax of the order stands in no line, and its lines know several taxes")
        blame_rows(decoded, unclear.select("at", code=pl.lit("tax_unknown"), sentence=said))
    left = pl.concat(
        [
            by_tax,
            silent.select(
                "at", tax_code=pl.when(pl.col("codes").fill_null(0) <= 1).then(pl.col("code")), rest="rest"
            ).with_columns(pl.col("tax_code").fill_null("tax")),
        ]
    ).filter(pl.col("rest") != 0)
    return _lines(
        left.with_columns(
            line_ref=pl.lit("tax"),
            kind_code=pl.lit("item"),
            description="tax_code",
            net_minor=-pl.col("rest") if settings.tax_included else _ZERO,
            discount_minor=_ZERO,
            tax_minor="rest",
            # No piece of anything: it is recognised with the first shipment, as shipping is.
            quantity=pl.lit(0).cast(QUANTITY),
        )
    )


def _lines(frame: pl.DataFrame) -> pl.DataFrame:
    columns = [
        pl.lit(None, dtype=dtype).alias(name) if name not in frame.columns else pl.col(name).cast(dtype)
        for name, dtype in LINE.items()
    ]
    return frame.select(columns)
