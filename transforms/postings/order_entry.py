"""Sales, orders and returns posted through order entry: what their lines become as items, subtotals and tax entries of a sales document.

The AR invoice is then made by Intacct, from the transaction definition of the company's own. Its lines are items with quantity and price;
what is no item (shipping, tax, discount) is an item by configuration or one of the definition's subtotals, and a tax with a tax detail is
an entry of the item it taxes. Source: Sage Intacct Web Services documentation, Order Entry Transactions.
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

    `definition`: the transaction definition that makes an AR invoice; empty is none. `order_definition`: that of the sales order an invoice
    is converted from; empty is none, and sales are invoiced straight away. `return_definition`: that of returns, which makes an AR
    adjustment; empty is none, and credits are AR credit memos. `returns_negative`: whether amounts of returns are written below zero.
    `items` and `subtotals`: by component, the item or the definition's subtotal it is sent as; an item goes before a subtotal. `warehouses`:
    by location. `price_decimals`: what Intacct keeps of a price, which is not published.
    """

    definition: str = ""
    order_definition: str = ""
    return_definition: str = ""
    returns_negative: bool = False
    items: Mapping[str, str] = field(default_factory=dict)
    subtotals: Mapping[str, str] = field(default_factory=dict)
    warehouses: Mapping[str, str] = field(default_factory=dict)
    price_decimals: int = 10


def is_through_order_entry(terms: OrderEntry) -> pl.Expr:
    """Of events: whether its document is one of order entry. Only the first of an event is: a difference has no quantities, so it is an AR
    invoice or a credit memo."""
    kind = pl.col("kind_code")
    return (
        (pl.col("posting_code") == "order_entry").fill_null(value=False)
        & (
            kind.is_in(["invoice", "sales_order"])
            | ((kind == "credit_memo") & (pl.col("event_code") == "credit") & bool(terms.return_definition))
        )
        & (pl.col("revision") == 1)
    )


def is_of_order_entry(terms: OrderEntry) -> pl.Expr:
    """Of events: whether they are told through order entry, the differences that follow such a document included: these name items too."""
    event = pl.col("event_code")
    told = event.is_in(["sale", "order"]) | ((event == "credit") & bool(terms.return_definition))
    return (pl.col("posting_code") == "order_entry").fill_null(value=False) & told


def _definition(terms: OrderEntry) -> pl.Expr:
    named = {
        "invoice": terms.definition,
        "sales_order": terms.order_definition,
        "credit_memo": terms.return_definition,
    }
    return pl.col("kind_code").replace_strict(named, default="", return_dtype=pl.String)


def sales_lines(
    lines: pl.DataFrame, papers: pl.DataFrame, terms: OrderEntry
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with `quantity`, `unit_price`, `warehouse_code`, `subtotal_name` and `order_line_ref` where their document is one of order
    entry, and (`document_id`, `reason_code`) of those that cannot be one.

    `papers` are the documents drafted, `lines` have the `quantity` sold and the order's `line_ref`. Quantity times price comes to the line's
    amount to the cent, or the document has the reason `order_entry_price`; a line that is neither item, subtotal nor tax entry gives it
    `order_entry_unmapped`, and a tax entry that follows no item `order_entry_tax`.
    """
    sold = papers.filter(is_through_order_entry(terms)).select(
        "document_id", "currency", "step", definition=_definition(terms)
    )
    lines = lines.rename({"line_ref": "order_line_ref"})
    mine = lines.join(sold, on="document_id").sort("document_id", "line_no")
    others = lines.join(sold, on="document_id", how="anti").drop("quantity", "order_line_ref")
    if mine.is_empty():
        return others, pl.DataFrame(schema={"document_id": pl.String, "reason_code": pl.String})
    component = pl.col("component_code")
    goods = component.is_in(_GOODS)
    is_entry = pl.col("tax_detail_code").is_not_null()
    told = {
        name: component.replace_strict(dict(known), default=None, return_dtype=pl.String)
        if known
        else pl.lit(None, dtype=pl.String)
        for name, known in (("item", terms.items), ("subtotal", terms.subtotals))
    }
    several = pl.col("quantity").fill_null(0) > 0
    mine = mine.with_columns(
        item_ref=pl.when(goods).then("item_ref").when(~is_entry).then(told["item"]),
        quantity=pl.when(goods & several)
        .then("quantity")
        .otherwise(pl.lit(1, dtype=pl.Decimal(18, _QUANTITY_DIGITS))),
        subtotal_name=pl.when(~goods & ~is_entry & told["item"].is_null()).then(told["subtotal"]),
        warehouse_code=pl.col("location_code").replace_strict(
            dict(terms.warehouses), default=None, return_dtype=pl.String
        )
        if terms.warehouses
        else pl.lit(None, dtype=pl.String),
    )
    mine = _priced(mine, terms.price_decimals)
    is_item = pl.col("item_ref").is_not_null()
    # A tax entry belongs to the last line before it that is none.
    carrier = pl.when(~is_entry).then(is_item).forward_fill().over("document_id")
    mine = mine.with_columns(is_carried=carrier.fill_null(value=False))
    reasons = mine.group_by("document_id", maintain_order=True).agg(
        undefined=(pl.col("definition") == "").any(),
        unmapped=(~is_item & ~is_entry & pl.col("subtotal_name").is_null()).any() | ~is_item.any(),
        untaxed=(is_entry & ~pl.col("is_carried")).any(),
        inexact=(is_item & ~pl.col("is_exact")).any(),
    )
    reason = (
        pl.when("undefined")
        .then(pl.lit("order_entry_undefined"))
        .when("unmapped")
        .then(pl.lit("order_entry_unmapped"))
        .when("untaxed")
        .then(pl.lit("order_entry_tax"))
        .when("inexact")
        .then(pl.lit("order_entry_price"))
    )
    nothing = pl.when(is_item)
    mine = mine.with_columns(
        nothing.then(pl.col(name)).alias(name)
        for name in ("quantity", "unit_price", "warehouse_code", "order_line_ref")
    ).drop("currency", "step", "definition", "is_exact", "is_carried")
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
    texts = {
        "invoice": {"definition": terms.definition},
        "sales_order": {"definition": terms.order_definition},
        "credit_memo": {"definition": terms.return_definition, "is_negative": terms.returns_negative},
    }
    said = {kind: json.dumps(text, ensure_ascii=False) for kind, text in texts.items()}
    return pl.when(is_through_order_entry(terms)).then(
        pl.col("kind_code").replace_strict(said, default=None, return_dtype=pl.String)
    )
