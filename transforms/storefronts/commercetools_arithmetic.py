"""The arithmetic of an order: from what header and rows state to lines that sum to the header.

The header's total is the truth. Parts come from the payload and are never worked out from price and quantity or from a rate; what is
left between header and parts is a rounding line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from transforms.staged import RATE
from transforms.storefronts.commercetools_payloads import Order
from transforms.storefronts.commercetools_reader import Infos
from transforms.storefronts.commercetools_settings import CommercetoolsSettings
from transforms.storefronts.commercetools_words import portion_names

_COMPONENT = {
    "item": "goods_minor",
    "gift_card": "gift_card_minor",
    "discount": "discount_minor",
    "shipping": "shipping_minor",
    "fee": "fees_minor",
}
_ZERO = pl.lit(0, dtype=pl.Int64)

Whole = Mapping[int, tuple[Order, Infos]]
"""Decoded orders by position, at least those with a discount on the total or rows that do not sum to their header."""


def reckoned(
    heads: pl.DataFrame,
    rows: pl.DataFrame,
    whole: Whole,
    settings: CommercetoolsSettings,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Header components, lines and tenders of a batch of orders.

    Heads gain `total_minor`, `tender_minor`, the component columns, `tax_minor`, `rounding_minor`, `tax_included`, `is_taxed` and
    `tax_trouble`; lines have `net_minor`, `discount_minor`, `tax_minor`, `tax_code` and sum to the head, component by component.
    Tenders have `at`, `line_ref`, the `word` that makes a row one and `amount_minor`; they sum to `tender_minor`.
    """
    rows = _with_reduced_shipping(heads, rows)
    heads, rows = _known_taxes(heads, rows)
    lines = rows.filter(~pl.col("is_tender"))
    heads = _with_totals(heads, rows)
    heads = _with_discount(heads, lines, settings)
    extra = _adjusting_lines(heads, lines, whole)
    lines = pl.concat([_shaped(lines), extra]).filter(
        (pl.col("row_kind") != "shipping") | (pl.col("net_minor") != 0) | (pl.col("tax_minor") != 0)
    )
    tenders = rows.filter(pl.col("is_tender")).select(
        "at", "line_ref", word="category_ref", amount_minor=-(pl.col("net_minor") + pl.col("tax_minor"))
    )
    return heads, lines, tenders


def _with_reduced_shipping(heads: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Where shipping has a reduced price, take whichever of the two makes the order's sum: the platform does not say which does."""
    if rows["reduced_minor"].is_null().all():
        return rows
    sums = rows.group_by("at").agg(
        plain=pl.col("price_minor").sum(),
        reduced=pl.coalesce("reduced_minor", "price_minor").sum(),
    )
    wanted = pl.col("total_price") + pl.col("off").fill_null(0)
    takes = (
        heads.join(sums, on="at")
        .filter((pl.col("plain") != wanted) & (pl.col("reduced") == wanted))
        .select("at", takes_reduced=pl.lit(True))
    )
    return (
        rows.join(takes, on="at", how="left", maintain_order="left")
        .with_columns(
            price_minor=pl.when("takes_reduced")
            .then(pl.coalesce("reduced_minor", "price_minor"))
            .otherwise("price_minor")
        )
        .drop("takes_reduced")
    )


def _known_taxes(heads: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Net and tax of each row, as far as the payload says them."""
    rows = rows.with_columns(pl.col("price_minor").fill_null(0))
    any_price = rows.group_by("at").agg(is_free=(pl.col("price_minor") == 0).all())
    heads = (
        heads.join(any_price, on="at", how="left", maintain_order="left")
        .with_columns(
            is_free=pl.col("is_free").fill_null(True) & (pl.col("total_price") == 0).fill_null(False),
            is_header_taxed=pl.col("order_gross").is_not_null(),
        )
        .with_columns(says_tax=pl.col("is_header_taxed") | pl.col("is_disabled") | pl.col("is_free"))
    )
    untaxed = (
        pl.col("is_disabled")
        | pl.col("is_free")
        | (pl.col("order_gross") == pl.col("order_net")).fill_null(False)
    )
    state = heads.select("at", "says_tax", has_no_tax=untaxed)
    rows = rows.join(state, on="at", how="left", maintain_order="left").with_columns(
        is_read=pl.col("net_read").is_not_null() & pl.col("says_tax")
    )
    rows = rows.with_columns(
        is_known=pl.col("is_read")
        | (pl.col("says_tax") & (pl.col("has_no_tax") | (pl.col("price_minor") == 0))),
        net_minor=pl.when("is_read").then("net_read").otherwise("price_minor"),
        tax_minor=pl.when("is_read").then(pl.col("gross_read") - pl.col("net_read")).otherwise(_ZERO),
    ).with_columns(
        # A row taxed at zero by a zero rate is untaxed: it needs no account. One at zero by its price keeps its code.
        tax_code=pl.when(pl.col("is_read") & ((pl.col("tax_minor") != 0) | pl.col("has_rate"))).then(
            "tax_name"
        ),
    )
    known = rows.group_by("at").agg(
        rows_known=pl.col("is_known").all(),
        tax_included=pl.col("included").any(),
    )
    heads = heads.join(known, on="at", how="left", maintain_order="left").with_columns(
        pl.col("rows_known").fill_null(True),
        pl.col("tax_included").fill_null(False),
    )
    heads = heads.with_columns(
        is_taxed=pl.col("says_tax") & pl.col("rows_known"),
        tax_trouble=pl.when(~pl.col("says_tax"))
        .then(pl.lit("the order has no taxedPrice, so its tax is not known"))
        .when(~pl.col("rows_known"))
        .then(pl.lit("a row has no taxedPrice, so how the order's tax is spread is not known")),
    )
    return heads, rows


def _with_totals(heads: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Order totals with tenders taken back out, and the sums of the rows by component."""
    tender = pl.col("is_tender")
    sums = rows.group_by("at").agg(
        *[
            pl.col("net_minor").filter((pl.col("row_kind") == kind) & ~tender).sum().alias(name)
            for kind, name in _COMPONENT.items()
        ],
        rows_tax=pl.col("tax_minor").filter(~tender).sum(),
        rows_net=pl.col("net_minor").filter(~tender).sum(),
        tender_net=-pl.col("net_minor").filter(tender).sum(),
        tender_tax=-pl.col("tax_minor").filter(tender).sum(),
        row_count=pl.len().cast(pl.Int64),
    )
    names = [name for name in sums.columns if name != "at"]
    heads = heads.join(sums, on="at", how="left", maintain_order="left").with_columns(
        pl.col(names).fill_null(0)
    )
    tender_gross = pl.col("tender_net") + pl.col("tender_tax")
    return heads.with_columns(
        tender_minor=tender_gross,
        total_minor=pl.coalesce("order_gross", "total_price", _ZERO) + tender_gross,
        order_tax=pl.when("is_header_taxed")
        .then(pl.col("order_gross") - pl.col("order_net") + pl.col("tender_tax"))
        .otherwise(_ZERO),
    )


def _with_discount(heads: pl.DataFrame, lines: pl.DataFrame, settings: CommercetoolsSettings) -> pl.DataFrame:
    """The discount on the total in net and tax, then header tax and rounding.

    Rows do not show a discount on the total, the order's taxed price does. Net and gross of it are used where the payload has them;
    else the tax it saves is the difference between the tax of the order and of its rows, if that is about the discount's share.
    """
    gap = pl.col("order_tax") - pl.col("rows_tax")
    base = pl.col("rows_net") + pl.when("tax_included").then("rows_tax").otherwise(0)
    share = (
        (pl.col("rows_tax").cast(pl.Int128) * pl.col("off").cast(pl.Int128))
        // pl.when(base > 0).then(base).otherwise(1).cast(pl.Int128)
    ).cast(pl.Int64)
    limit = pl.min_horizontal(
        pl.lit(settings.rounding_most, dtype=pl.Int64),
        pl.max_horizontal(pl.col("row_count"), _ZERO + 1) * settings.rounding_per_row,
    )
    heads = heads.with_columns(gap=gap, limit=limit, off=pl.col("off").fill_null(0))
    is_split = pl.col("off_net").is_not_null() & pl.col("off_gross").is_not_null() & pl.col("is_header_taxed")
    is_plausible = pl.col("is_header_taxed") & ((pl.col("gap") + share).abs() <= pl.col("limit") + 1)
    heads = heads.with_columns(
        off_tax=pl.when(pl.col("off") == 0)
        .then(_ZERO)
        .when(is_split)
        .then(pl.col("off_net") - pl.col("off_gross"))
        .when(is_plausible)
        .then("gap")
        .otherwise(_ZERO)
    ).with_columns(
        off_line=pl.when(pl.col("off") == 0)
        .then(_ZERO)
        .when(is_split)
        .then(-pl.col("off_net"))
        .when(pl.col("tax_included") & pl.col("is_header_taxed"))
        .then(-pl.col("off") - pl.col("off_tax"))
        .otherwise(-pl.col("off")),
    )
    left = pl.col("gap") - pl.col("off_tax")
    heads = heads.with_columns(
        rounding_tax=pl.when(pl.col("is_header_taxed") & (left.abs() <= pl.col("limit")))
        .then(left)
        .otherwise(_ZERO),
        discount_minor=pl.col("discount_minor") + pl.col("off_line"),
    ).with_columns(tax_minor=pl.col("rows_tax") + pl.col("off_tax") + pl.col("rounding_tax"))
    parts = ["goods_minor", "gift_card_minor", "discount_minor", "shipping_minor", "fees_minor", "tax_minor"]
    return heads.with_columns(rounding_minor=pl.col("total_minor") - pl.sum_horizontal(parts))


def _shaped(lines: pl.DataFrame) -> pl.DataFrame:
    is_discount = pl.col("row_kind") == "discount"
    return lines.select(
        "at",
        "row_kind",
        "line_ref",
        "sku",
        "category_ref",
        "description",
        "quantity",
        "unit_count",
        "unit_digits",
        net_minor=pl.when(is_discount).then(_ZERO).otherwise("net_minor"),
        discount_minor=pl.when(is_discount).then("net_minor").otherwise(_ZERO),
        tax_minor="tax_minor",
        tax_code="tax_code",
        tax_rate="tax_rate",
    )


def _adjusting_lines(
    heads: pl.DataFrame,
    lines: pl.DataFrame,
    whole: Whole,
) -> pl.DataFrame:
    """Lines for the discount on the total and for rounding, with the tax they carry split by tax code where the payload tells."""
    needed = heads.filter(
        (pl.col("off") != 0) | (pl.col("rounding_minor") != 0) | (pl.col("rounding_tax") != 0)
    )
    codes = _tax_moves(needed, lines, whole)
    offs = needed.filter(pl.col("off") != 0).select(
        "at", row_kind=pl.lit("discount"), net="off_line", tax="off_tax", text=pl.lit("Discount on the total")
    )
    rounds = needed.filter((pl.col("rounding_minor") != 0) | (pl.col("rounding_tax") != 0)).select(
        "at", row_kind=pl.lit("rounding"), net="rounding_minor", tax="rounding_tax", text=pl.lit("Rounding")
    )
    both = pl.concat([offs, rounds]).join(
        codes, on=["at", "row_kind"], how="left", maintain_order="left_right"
    )
    both = both.with_columns(nth=pl.int_range(pl.len()).over("at", "row_kind"))
    is_first, is_discount = pl.col("nth") == 0, pl.col("row_kind") == "discount"
    net = pl.when(is_first).then("net").otherwise(_ZERO)
    suffix = pl.when(is_first).then(pl.lit("")).otherwise(pl.format("-{}", pl.col("nth") + 1))
    return both.select(
        "at",
        "row_kind",
        line_ref=pl.col("row_kind") + suffix,
        sku=pl.lit(None, dtype=pl.String),
        category_ref=pl.lit(None, dtype=pl.String),
        description="text",
        quantity=pl.lit(1, dtype=pl.Int64),
        unit_count=pl.lit(None, dtype=pl.Int64),
        unit_digits=pl.lit(None, dtype=pl.Int64),
        net_minor=pl.when(is_discount).then(_ZERO).otherwise(net),
        discount_minor=pl.when(is_discount).then(net).otherwise(_ZERO),
        tax_minor=pl.coalesce("moved", "tax"),
        tax_code=pl.when(pl.coalesce("moved", "tax") != 0).then("tax_code"),
        tax_rate=pl.lit(None, dtype=RATE),
    )


def _tax_moves(
    needed: pl.DataFrame,
    lines: pl.DataFrame,
    whole: Whole,
) -> pl.DataFrame:
    """By order and kind (`discount`, `rounding`): how much tax moves under which tax code.

    The order's portions less those of its rows give it exactly. Where names cannot be told apart, or do not add up, all of it goes
    to the code with the most tax among the rows.
    """
    mine = lines.join(needed.select("at"), on="at", how="semi").filter(pl.col("tax_code").is_not_null())
    by_code = mine.group_by("at", "tax_code").agg(rows_tax=pl.col("tax_minor").sum())
    main = (
        by_code.sort("at", pl.col("rows_tax").abs(), "tax_code", descending=[False, True, False])
        .group_by("at", maintain_order=True)
        .first()
        .select("at", main_code="tax_code")
    )
    stated = _stated_by_code(needed["at"].to_list(), whole)
    gaps = (
        by_code.join(stated, on=["at", "tax_code"], how="full", coalesce=True)
        .with_columns(
            moved=pl.col("stated").fill_null(0) - pl.col("rows_tax").fill_null(0),
            is_clear=pl.col("stated").is_not_null() & pl.col("rows_tax").is_not_null(),
        )
        .with_columns(clear=pl.col("is_clear").all().over("at"), gaps=pl.col("moved").sum().over("at"))
    )
    heads = needed.select("at", "off", "off_tax", "rounding_tax").join(main, on="at", how="left")
    exact = (
        gaps.filter("clear")
        .join(heads, on="at")
        .filter(pl.col("gaps") == pl.col("off_tax") + pl.col("rounding_tax"))
        .filter((pl.col("off") == 0) | (pl.col("off_tax") != 0))
    )
    is_main = pl.col("tax_code") == pl.col("main_code")
    has_off = pl.col("off") != 0
    split = exact.select(
        "at",
        "tax_code",
        row_kind=pl.when(has_off).then(pl.lit("discount")).otherwise(pl.lit("rounding")),
        moved=pl.col("moved") - pl.when(has_off & is_main).then("rounding_tax").otherwise(_ZERO),
    ).filter(pl.col("moved") != 0)
    done = split.select("at", "row_kind").unique()
    every = pl.concat(
        [
            heads.select("at", "main_code", row_kind=pl.lit("discount"), moved="off_tax"),
            heads.select("at", "main_code", row_kind=pl.lit("rounding"), moved="rounding_tax"),
        ]
    ).filter(pl.col("moved") != 0)
    rest = every.join(done, on=["at", "row_kind"], how="anti").select(
        "at", "row_kind", "moved", tax_code="main_code"
    )
    # The largest move leads, so that it stands on the line that also carries the net amount.
    return pl.concat([split.select("at", "row_kind", "moved", "tax_code"), rest]).sort(
        "at", "row_kind", pl.col("moved").abs(), "tax_code", descending=[False, False, True, False]
    )


def _stated_by_code(positions: Sequence[int], whole: Whole) -> pl.DataFrame:
    """Tax of the order's own portions, by the tax code its rows use for that portion's name."""
    ats: list[int] = []
    codes: list[str] = []
    amounts: list[int] = []
    # Over the few orders with a discount or a difference only; portions hang three levels deep in the payload.
    for at in positions:
        order, infos = whole[at]
        taxed = order.taxed_price
        if taxed is None or not taxed.tax_portions:
            continue
        code_of: dict[str, str] = {}
        parts: list[Any] = [*order.line_items, *order.custom_line_items, *(info for _, info in infos)]
        for part in parts:
            portions = part.taxed_price.tax_portions if part.taxed_price else None
            names = portion_names(portions, part.tax_rate)
            code = "+".join(names)
            for name in names:
                code_of[name] = code if code_of.get(name, code) == code else ""
        for portion in taxed.tax_portions:
            name = portion.name or f"{portion.rate:g}" if portion.name or portion.rate else ""
            code = code_of.get(name, "")
            ats.append(at)
            codes.append(code)
            amounts.append(portion.amount.cent_amount)
    frame = pl.DataFrame(
        [
            pl.Series("at", ats, dtype=pl.UInt32),
            pl.Series("tax_code", codes, dtype=pl.String),
            pl.Series("stated", amounts, dtype=pl.Int64),
        ]
    )
    return frame.group_by("at", "tax_code").agg(pl.col("stated").sum())
