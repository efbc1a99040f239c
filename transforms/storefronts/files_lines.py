"""Lines of orders from plain files: reading them, and adding what a header states and no line shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from transforms.staged import PRICE, PROBLEMS_SCHEMA, QUANTITY
from transforms.storefronts.files_rules import FileRules, Reading, words
from transforms.text_values import read_decimals

LINE_COLUMNS: Final = (
    "sku",
    "description",
    "quantity",
    "unit_price",
    "net",
    "tax",
    "discount",
    "total",
    "kind",
)
_KINDS: Final = {
    **dict.fromkeys(("item", "product", "goods", "line item", "article"), "item"),
    **dict.fromkeys(("shipping", "freight", "delivery", "postage"), "shipping"),
    **dict.fromkeys(("fee", "surcharge", "handling"), "fee"),
    **dict.fromkeys(("discount", "coupon", "rebate", "promotion"), "discount"),
    **dict.fromkeys(("gift card", "giftcard", "voucher"), "gift_card"),
    **dict.fromkeys(("rounding", "round off"), "rounding"),
}
_COMPONENTS: Final = {
    "goods_minor": "item",
    "gift_card_minor": "gift_card",
    "discount_minor": "discount",
    "shipping_minor": "shipping",
    "fees_minor": "fee",
    "rounding_minor": "rounding",
}


@dataclass(frozen=True)
class FoundLines:
    """Lines read: `frame` by `order_ref` with amounts in minor units, what could not be read, and the orders that touches."""

    frame: pl.DataFrame
    problems: pl.DataFrame
    broken: pl.Series


def read_lines(source: pl.DataFrame, rules: FileRules, heads: pl.DataFrame, *, prefix: str) -> FoundLines:
    """Lines of the orders in `heads` (`order_key`, `order_ref`, `currency`); a line names its order by the key.

    The net is the file's; without one it is the row's total less its tax. Where a row states net, discount and total, its discount
    counts only if the total shows that the net is before it. Rows that state nothing about a line are headers and are passed over.
    """
    sums = rules.sums
    if prefix:
        # The orders file itself, one row per line, as text already. Its header columns stay behind.
        sums = {
            name.removeprefix(prefix): some for name, some in rules.sums.items() if name.startswith(prefix)
        }
        parts = [part for some in sums.values() for part in some]
        own = [pl.col(f"{prefix}{name}").alias(name) for name in LINE_COLUMNS]
        source = with_order_keys(source).select(
            "row_no", "native_ref", "payload_sha256", "order_key", *own, *parts
        )
        source = source.rename({"order_key": "order_number"})
    rules = replace(rules, rows="document", sums=sums)
    read = Reading(source, "lines", ("order_number", *LINE_COLUMNS), rules)
    stated = [*LINE_COLUMNS, *(part for some in sums.values() for part in some)]
    read.frame = read.frame.filter(pl.any_horizontal(pl.col(stated).is_not_null()))
    read.frame = read.frame.join(
        heads, left_on="order_number", right_on="order_key", how="left", maintain_order="left"
    )
    read.blame(pl.col("order_ref").is_null(), "order_number", "is no order of the orders file")
    read.frame = read.frame.filter(pl.col("order_ref").is_not_null())
    read.amounts("net", "tax", "discount", "total")
    read.take(read_decimals(read.frame, {"quantity": QUANTITY, "unit_price": PRICE}, style=rules.style))
    kind = pl.when(pl.col("kind").is_null()).then(pl.lit("item")).otherwise(words("kind", _KINDS))
    read.frame = read.frame.with_columns(kind_code=kind)
    read.blame(pl.col("kind_code").is_null(), "kind", "is no kind of line that is known")
    read.blame(
        pl.col("net").is_null()
        & pl.col("total").is_null()
        & ~pl.col("row_no").is_in(read.faults()["row_no"].implode()),
        "net",
        "is empty, and so is the line's total",
    )
    tax, off = pl.col("tax").fill_null(0), -pl.col("discount").fill_null(0).abs()
    net, total = pl.col("net"), pl.col("total")
    counts_off = net.is_not_null() & total.is_not_null() & (off != 0) & (net + off + tax == total)
    lines = (
        read.sound()
        .with_columns(
            row_off=pl.when(counts_off).then(off).otherwise(0),
            row_net=pl.when(counts_off).then(net).otherwise(pl.coalesce(total - tax, net)),
            tax_minor=tax,
        )
        .with_columns(
            is_off=pl.col("kind_code") == "discount",
            worth=pl.col("row_net") + pl.col("row_off"),
        )
        .select(
            "order_ref",
            pl.format("row {}", "row_no").alias("line_ref"),
            pl.col("kind_code").fill_null("item"),
            "sku",
            "description",
            pl.col("quantity").fill_null(pl.lit(1).cast(QUANTITY)),
            "unit_price",
            "currency",
            pl.when("is_off").then(0).otherwise("row_net").cast(pl.Int64).alias("net_minor"),
            pl.when("is_off")
            .then(-pl.col("worth").abs())
            .otherwise("row_off")
            .cast(pl.Int64)
            .alias("discount_minor"),
            "tax_minor",
            pl.when(pl.col("tax_minor") != 0).then(pl.lit("tax")).alias("tax_code"),
        )
    )
    broken = read.frame.join(read.faults(), on="row_no", how="semi")["order_ref"].unique()
    return FoundLines(lines, read.problems().select(list(PROBLEMS_SCHEMA)), broken)


def with_order_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """`order_key` for the rows of a file with one row per line: the order number; a row that states neither number nor any header
    value belongs to the order above it, and one that states a header without a number is an order of its own."""
    is_head = pl.col("placed_at").is_not_null() | pl.col("total").is_not_null()
    own = pl.coalesce("order_number", pl.when(is_head).then(pl.format("row {}", "row_no")))
    return frame.with_columns(order_key=own.forward_fill()).with_columns(
        order_key=pl.coalesce("order_key", pl.format("row {}", "row_no"))
    )


def with_missing_lines(
    heads: pl.DataFrame, detail: pl.DataFrame | None, *, storefront: str, run_id: str
) -> pl.DataFrame:
    """`core.order_lines`: the lines read, and one for each component of a header that its lines do not make up.

    Afterwards the lines of an order sum to its header, component by component and in tax.
    """
    currency = pl.when(pl.col("currency").str.len_chars() == 3).then("currency").otherwise(pl.lit("XXX"))
    heads = heads.with_columns(currency=currency)
    lines = detail
    if lines is None:
        lines = pl.DataFrame(
            schema={
                "order_ref": pl.String,
                "line_ref": pl.String,
                "kind_code": pl.String,
                "sku": pl.String,
                "description": pl.String,
                "quantity": QUANTITY,
                "unit_price": PRICE,
                "currency": pl.String,
                "net_minor": pl.Int64,
                "discount_minor": pl.Int64,
                "tax_minor": pl.Int64,
                "tax_code": pl.String,
            }
        )
    worth = pl.col("net_minor") + pl.col("discount_minor")
    have = lines.group_by("order_ref").agg(
        *[worth.filter(pl.col("kind_code") == kind).sum().alias(f"_{kind}") for kind in _COMPONENTS.values()],
        _tax=pl.col("tax_minor").sum(),
    )
    gaps = [
        (pl.col(name) - pl.col(f"_{kind}").fill_null(0)).alias(f"_{kind}")
        for name, kind in _COMPONENTS.items()
    ]
    whole = heads.select("order_ref", "currency", "tax_minor", *_COMPONENTS)
    whole = (
        whole.join(have, on="order_ref", how="left")
        if lines.height
        else whole.with_columns(
            pl.lit(0, dtype=pl.Int64).alias(name) for name in have.columns if name != "order_ref"
        )
    )
    whole = whole.with_columns(*gaps, _tax=pl.col("tax_minor") - pl.col("_tax").fill_null(0))
    # What a header has of tax beyond its lines stands on the line made for its goods, or on one of its own.
    on_goods = pl.col("_item") != 0
    made = pl.concat(
        [
            whole.filter(pl.col(f"_{kind}") != 0).select(
                "order_ref",
                "currency",
                kind_code=pl.lit(kind),
                line_ref=pl.lit("goods" if kind == "item" else kind),
                gap=f"_{kind}",
                tax=pl.col("_tax") if kind == "item" else pl.lit(0, dtype=pl.Int64),
            )
            for kind in _COMPONENTS.values()
        ]
    )
    alone = whole.filter(~on_goods & (pl.col("_tax") != 0)).select(
        "order_ref",
        "currency",
        kind_code=pl.lit("item"),
        line_ref=pl.lit("tax"),
        gap=pl.lit(0, dtype=pl.Int64),
        tax="_tax",
    )
    is_off = pl.col("kind_code") == "discount"
    extra = pl.concat([made, alone]).select(
        "order_ref",
        "line_ref",
        "kind_code",
        sku=pl.lit(None, dtype=pl.String),
        description=pl.lit(None, dtype=pl.String),
        quantity=pl.lit(1).cast(QUANTITY),
        unit_price=pl.lit(None, dtype=PRICE),
        currency="currency",
        net_minor=pl.when(is_off).then(0).otherwise("gap").cast(pl.Int64),
        discount_minor=pl.when(is_off).then("gap").otherwise(0).cast(pl.Int64),
        tax_minor="tax",
        tax_code=pl.when(pl.col("tax") != 0).then(pl.lit("tax")),
    )
    rank = pl.col("kind_code").replace_strict(
        {"item": 0, "gift_card": 0, "fee": 1, "shipping": 2, "discount": 3, "rounding": 4},
        return_dtype=pl.Int8,
    )
    positions = heads.select("order_ref", _at=pl.int_range(pl.len()))
    return (
        pl.concat([lines, extra])
        .with_columns(rank=rank, nth=pl.int_range(pl.len()))
        .join(positions, on="order_ref", how="left")
        # Read lines keep their order; made ones follow by kind and name.
        .sort(
            "_at",
            pl.col("line_ref").str.starts_with("row ").not_(),
            pl.when(pl.col("line_ref").str.starts_with("row ")).then("nth").otherwise("rank"),
            "line_ref",
        )
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            "order_ref",
            "line_ref",
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("order_ref").alias("line_no"),
            "kind_code",
            "sku",
            pl.lit(None, dtype=pl.String).alias("category_ref"),
            "description",
            "quantity",
            "unit_price",
            "currency",
            "net_minor",
            "discount_minor",
            "tax_minor",
            "tax_code",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
