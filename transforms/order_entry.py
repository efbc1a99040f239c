"""Sales posted through order entry: what the lines of an invoice become as items and subtotals of a sales document.

The AR invoice is then made by Intacct, from the transaction definition of the company's own. Its lines are items with quantity and price;
what is no item (shipping, tax, discount) is an item by configuration or one of the definition's subtotals. Source: Sage Intacct Web
Services documentation, Order Entry Transactions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tieout.money import known_currencies

_GOODS: Final = ("goods", "gift_card")
_QUANTITY_DIGITS: Final = 4
_WIDE: Final = pl.Int128


@dataclass(frozen=True)
class OrderEntry:
    """How the company takes sales documents.

    `definition`: the transaction definition that makes an AR invoice; empty is none. `items` and `subtotals`: by component, the item or the
    definition's subtotal it is sent as; an item goes before a subtotal. `warehouses`: by location. `price_decimals`: what Intacct keeps of
    a price, which is not published.
    """

    definition: str = ""
    items: Mapping[str, str] = field(default_factory=dict)
    subtotals: Mapping[str, str] = field(default_factory=dict)
    warehouses: Mapping[str, str] = field(default_factory=dict)
    price_decimals: int = 10


def is_through_order_entry() -> pl.Expr:
    """Of events: whether its document is a sales document. Only the first of a sale is: a difference has no quantities, so it is an AR invoice."""
    return (
        (pl.col("posting_code") == "order_entry").fill_null(value=False)
        & (pl.col("kind_code") == "invoice")
        & (pl.col("revision") == 1)
    )


def sales_lines(
    lines: pl.DataFrame, papers: pl.DataFrame, terms: OrderEntry
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with `quantity`, `unit_price`, `warehouse_code` and `subtotal_name` where their document is a sales document, and
    (`document_id`, `reason_code`) of those that cannot be one.

    `papers` are the documents drafted, `lines` have the `quantity` sold. Quantity times price comes to the line's amount to the cent, or the
    document has the reason `order_entry_price`; a line that is neither item nor subtotal gives it `order_entry_unmapped`.
    """
    sold = papers.filter(is_through_order_entry()).select("document_id", "currency", "step")
    mine = lines.join(sold, on="document_id").sort("document_id", "line_no")
    others = lines.join(sold, on="document_id", how="anti").drop("quantity")
    if mine.is_empty():
        return others, pl.DataFrame(schema={"document_id": pl.String, "reason_code": pl.String})
    component = pl.col("component_code")
    goods = component.is_in(_GOODS)
    told = {
        name: component.replace_strict(dict(known), default=None, return_dtype=pl.String)
        if known
        else pl.lit(None, dtype=pl.String)
        for name, known in (("item", terms.items), ("subtotal", terms.subtotals))
    }
    several = pl.col("quantity").fill_null(0) > 0
    mine = mine.with_columns(
        item_ref=pl.when(goods).then("item_ref").otherwise(told["item"]),
        quantity=pl.when(goods & several)
        .then("quantity")
        .otherwise(pl.lit(1, dtype=pl.Decimal(18, _QUANTITY_DIGITS))),
        subtotal_name=pl.when(~goods & told["item"].is_null()).then(told["subtotal"]),
        warehouse_code=pl.col("location_code").replace_strict(
            dict(terms.warehouses), default=None, return_dtype=pl.String
        )
        if terms.warehouses
        else pl.lit(None, dtype=pl.String),
    )
    mine = _priced(mine, terms.price_decimals)
    is_item = pl.col("item_ref").is_not_null()
    reasons = mine.group_by("document_id", maintain_order=True).agg(
        unmapped=(
            (~is_item & pl.col("subtotal_name").is_null()) | pl.col("tax_detail_code").is_not_null()
        ).any()
        | ~is_item.any(),
        inexact=(is_item & ~pl.col("is_exact")).any(),
    )
    reason = (
        pl.when(pl.lit(not terms.definition))
        .then(pl.lit("order_entry_undefined"))
        .when("unmapped")
        .then(pl.lit("order_entry_unmapped"))
        .when("inexact")
        .then(pl.lit("order_entry_price"))
    )
    nothing = pl.when(is_item)
    mine = mine.with_columns(
        nothing.then(pl.col(name)).alias(name) for name in ("quantity", "unit_price", "warehouse_code")
    ).drop("currency", "step", "is_exact")
    return (
        pl.concat([others, mine], how="diagonal").sort("document_id", "line_no"),
        reasons.with_columns(reason_code=reason).filter(pl.col("reason_code").is_not_null()).select("document_id", "reason_code"),
    )  # fmt: skip


def _priced(lines: pl.DataFrame, decimals: int) -> pl.DataFrame:
    """`unit_price`, half-up to so many decimals, and whether quantity times price, rounded as Intacct rounds it, is the amount again.

    Worked out in whole numbers of 128 bits: neither engine divides decimals without losing digits.
    """
    exponents = {code: 10**digits for code, digits in known_currencies().items()}
    unit = pl.col("currency").replace_strict(exponents, return_dtype=pl.Int64).cast(_WIDE)
    pieces = (pl.col("quantity").cast(pl.Decimal(38, _QUANTITY_DIGITS)) * 10**_QUANTITY_DIGITS).cast(_WIDE)
    size = pl.col("amount_minor").abs().cast(_WIDE)
    sign = pl.col("amount_minor").sign().cast(_WIDE)
    # amount / unit / quantity, times ten to the price's decimals; doubled so that a half is a whole number.
    above, below = size * 10 ** (decimals + _QUANTITY_DIGITS), unit * pieces
    price = (2 * above + below) // (2 * below)
    lines = lines.with_columns(price=price, pieces=pieces, unit=unit)
    # Intacct rounds to the steps it keeps of the currency.
    most = 10 ** (decimals + _QUANTITY_DIGITS) * pl.col("step").cast(_WIDE)
    again = (
        (2 * pl.col("price") * pl.col("pieces") * pl.col("unit") + most)
        // (2 * most)
        * pl.col("step").cast(_WIDE)
    )
    return lines.with_columns(
        is_exact=again == size,
        unit_price=(sign * pl.col("price") * 10 ** (12 - decimals)).cast(pl.Decimal(38, 0))
        * pl.lit("0.000000000001").cast(pl.Decimal(28, 12)),
    ).drop("price", "pieces", "unit")


def as_invoiced() -> pl.Expr:
    """`item_ref` of a planned line as a line of an AR invoice has it: shipping is an item in a sales document only."""
    is_part = pl.col("quantity").is_not_null() & ~pl.col("component_code").is_in(_GOODS)
    return pl.when(~is_part).then("item_ref").alias("item_ref")


def details_of(terms: OrderEntry) -> pl.Expr:
    """Of documents' events: what `details` says of a sales document, null for any other."""
    text = json.dumps({"definition": terms.definition}, ensure_ascii=False)
    return pl.when(is_through_order_entry()).then(pl.lit(text))
