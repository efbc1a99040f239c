"""Orders of Magento in columns: headers and the rows whose money counts, as the payload states them, before any arithmetic.

Source of outside facts: Magento REST reference 2.4.8 (sales order, order item).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

import polars as pl

from transforms.storefronts.cells import FLUSHED, READ, Amounts, Cells
from transforms.storefronts.magento_amounts import four_places, in_minor, with_digits
from transforms.storefronts.magento_payloads import (
    Extension,
    Item,
    Order,
    Payment,
    Tax,
    decoded_each,
    text,
)
from transforms.storefronts.magento_settings import MagentoSettings
from transforms.storefronts.magento_taxes import names_of, percent_of, row_percent

NO_CURRENCY: Final = "XXX"
"""ISO 4217's own code for "no currency": stands where none could be read."""

HEAD: Final = (
    "grand_total", "discount_amount", "shipping_amount", "shipping_tax_amount", "shipping_discount_amount", "tax_amount",
    "discount_tax_compensation_amount", "shipping_discount_tax_compensation_amount",
)  # fmt: skip
TENDER: Final = ("gift_cards_amount", "customer_balance_amount", "reward_currency_amount")
FEES: Final = ("gw_price", "gw_items_price", "gw_card_price")
FEE_TAXES: Final = ("gw_tax_amount", "gw_items_tax_amount", "gw_card_tax_amount")
_ROW: Final = (
    "row_total",
    "row_total_incl_tax",
    "discount_amount",
    "tax_amount",
    "discount_tax_compensation_amount",
)
_WORDS: Final = (
    "order_ref", "order_number", "store_ref", "customer_ref", "customer_name", "customer_email", "state", "shop_status", "placed",
    "changed", "currency", "payment_ref", "tender_code", "shipping_tax_code", "fee_tax_code",
)  # fmt: skip
_ROW_WORDS: Final = ("line_ref", "sku", "description", "product_type", "tax_code")
_HEAD_AMOUNTS: Final = (*HEAD, *TENDER, *FEES, *FEE_TAXES, "authorized", "shipping_percent", "fee_percent")
_ROW_AMOUNTS: Final = ("qty", "price", "price_incl_tax", *_ROW, "percent")
_amounts_of_head = attrgetter(*HEAD)
_amounts_of_extras = attrgetter(*TENDER, *FEES, *FEE_TAXES)
_amounts_of_row = attrgetter("qty_ordered", "price", "price_incl_tax", *_ROW)
_NOTHING: Final = Extension()
_NO_EXTRAS: Final = _amounts_of_extras(_NOTHING)
_UNPAID: Final = Payment()


def instant(column: str) -> pl.Expr:
    """`YYYY-MM-DD HH:MM:SS`, which Magento keeps in UTC, as an instant; null for anything else."""
    return pl.col(column).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False)


class Reader:
    """Takes orders apart, one by one, into the cells of three tables: what they say of themselves, rows whose money counts, gift cards.

    Each order is read while it is in the processor's cache and then forgotten. Amounts stay the bytes they were written in until a
    whole table of them becomes text.
    """

    def __init__(self) -> None:
        self._heads = Cells({name: pl.String() for name in _WORDS})
        self._head_amounts = Amounts(_HEAD_AMOUNTS)
        self._rows = Cells({"at": pl.UInt32(), **{name: pl.String() for name in _ROW_WORDS}})
        self._row_amounts = Amounts(_ROW_AMOUNTS)
        self._cards = Cells({"at": pl.UInt32(), "card_ref": pl.String()})
        self._card_amounts = Amounts(("amount_minor",))

    def read(self, at: int, order: Order) -> None:
        """Take one order apart; `at` is its position in the batch."""
        more = order.extension_attributes or _NOTHING
        pay = order.payment or _UNPAID
        by_row: dict[str, list[Tax]] = {}
        shipping: list[Tax] = []
        wrapping: list[Tax] = []
        for one in more.item_applied_taxes or ():
            applied, kind = one.applied_taxes or [], one.type
            if one.item_id is not None:
                by_row[str(one.item_id)] = applied
            if kind == "shipping":
                shipping += applied
            elif kind is not None and kind.endswith("gw"):  # of gift wrapping
                wrapping += applied
        self._heads.cells.extend(
            (
                text(order.entity_id),
                order.increment_id,
                text(order.store_id),
                text(order.customer_id),
                _buyer(order),
                order.customer_email,
                order.state,
                order.status,
                order.created_at,
                order.updated_at,
                order.order_currency_code,
                text(pay.entity_id),
                pay.method,
                names_of(shipping),
                names_of(wrapping),
            )
        )
        amounts = self._head_amounts.cells
        amounts.extend(_amounts_of_head(order))
        amounts.extend(_NO_EXTRAS if more is _NOTHING else _amounts_of_extras(more))
        amounts.extend((pay.amount_authorized, percent_of(shipping), percent_of(wrapping)))
        if order.items:
            self._read_rows(at, order.items, by_row)
        for card in more.gift_cards or ():
            self._cards.cells.extend((at, text(card.id)))
            self._card_amounts.cells.append(card.amount)

    def _read_rows(self, at: int, items: Sequence[Item], by_row: dict[str, list[Tax]]) -> None:
        add, add_amounts = self._rows.cells.extend, self._row_amounts.cells.extend
        for item in counted(items):
            ref = text(item.item_id)
            taxes: Sequence[Tax] = () if ref is None else by_row.get(ref, ())
            add((at, ref or "", item.sku, item.name, item.product_type, names_of(taxes)))
            add_amounts(_amounts_of_row(item))
            add_amounts((row_percent(item, taxes),))

    def flush(self) -> None:
        """Turn what has been read into columns."""
        for words in (self._heads, self._rows, self._cards):
            words.flush()
        self.let_go()

    def let_go(self) -> None:
        """Copy amounts out of the payloads they were read from."""
        for amounts in (self._head_amounts, self._row_amounts, self._card_amounts):
            amounts.flush()

    def heads(self) -> pl.DataFrame:
        """What each order says, amounts as text."""
        return pl.concat([self._heads.frame(), self._head_amounts.frame()], how="horizontal")

    def rows(self) -> pl.DataFrame:
        """The rows that carry money, each once, amounts as text."""
        return pl.concat([self._rows.frame(), self._row_amounts.frame()], how="horizontal")

    def cards(self) -> pl.DataFrame:
        """Gift cards used on orders, the amount as text."""
        return pl.concat([self._cards.frame(), self._card_amounts.frame()], how="horizontal")


def read_orders(payloads: pl.Series, problems: pl.Series) -> tuple[Reader, dict[int, str]]:
    """A batch of landed orders taken apart, and by position what was wrong with those that did not fit."""
    reader, troubles = Reader(), dict[int, str]()
    for at, order in decoded_each(payloads, problems, Order, troubles):
        reader.read(at, order)
        if at % READ == READ - 1:
            reader.let_go()
        if at % FLUSHED == FLUSHED - 1:
            reader.flush()
    reader.flush()
    return reader, troubles


def heads_of(
    given: pl.DataFrame, raw: pl.DataFrame, settings: MagentoSettings, stores: Mapping[str, str]
) -> pl.DataFrame:
    """One row per order: what it says of itself (`Reader.heads`), amounts in minor units."""
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    frame = pl.concat([given.with_row_index("at"), landed], how="horizontal").with_columns(
        order_ref=pl.coalesce(_some("order_ref"), "native_ref"),
        order_number=_some("order_number"),
        store_ref=pl.col("store_ref").replace(dict(stores)).fill_null(stores.get("", "")),
        customer_email=_some("customer_email"),
        currency=_some("currency").fill_null(NO_CURRENCY),
    )
    frame = with_digits(frame)
    has_total = (pl.col("grand_total") != "null").alias("has_total")
    has_tax = (pl.col("tax_amount") != "null").alias("is_taxed")
    frame = frame.with_columns(has_total, has_tax)
    frame = in_minor(frame, [*HEAD, *TENDER, *FEES, *FEE_TAXES, "authorized"])
    email = pl.col("customer_email").fill_null("")
    is_test = pl.any_horizontal(
        pl.lit(value=False), *(email.str.ends_with(suffix) for suffix in settings.test_email_suffixes)
    )
    return frame.with_columns(
        placed_at=instant("placed"),
        changed_at=pl.coalesce(instant("changed"), "updated_at", "fetched_at"),
        is_test=is_test,
        tax_included=pl.col("store_ref").is_in(list(settings.tax_included_stores)),
    )


def _some(column: str) -> pl.Expr:
    """Text; null where it is empty."""
    return pl.when(pl.col(column) != "").then(column)


def _buyer(order: Order) -> str | None:
    person = f"{order.customer_firstname or ''} {order.customer_lastname or ''}".strip()
    home = order.billing_address
    if not person and home is not None:
        person = f"{home.firstname or ''} {home.lastname or ''}".strip() or home.company or ""
    return person or order.customer_email or None


def rows_of(given: pl.DataFrame, heads: pl.DataFrame, settings: MagentoSettings) -> pl.DataFrame:
    """One row per item that carries money (`Reader.rows`), amounts in minor units."""
    frame = given.join(heads.select("at", "currency", "digits"), on="at", how="left", maintain_order="left")
    frame = in_minor(frame, _ROW)
    gift = (pl.col("product_type") == "giftcard").fill_null(value=False) | pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col("sku").fill_null("").str.starts_with(prefix) for prefix in settings.gift_card_prefixes),
    )
    return frame.with_columns(
        kind_code=pl.when(gift).then(pl.lit("gift_card")).otherwise(pl.lit("item")),
        quantity=four_places("qty"),
        # The row's discount is positive and, where prices include tax, holds tax that the hidden tax takes out again.
        off=-(
            pl.col("discount_amount").fill_null(0) - pl.col("discount_tax_compensation_amount").fill_null(0)
        ),
        net=pl.col("row_total").fill_null(0),
        tax=pl.col("tax_amount").fill_null(0),
    )


def counted(items: Sequence[Item]) -> list[Item]:
    """The rows whose money counts.

    A row without parent counts, except a bundle that carries no money itself while its parts do; then the parts count. Releases
    differ in whether a child repeats its parent's money, so children of anything else never count.
    """
    for item in items:
        if item.parent_item_id is not None or item.parent_item is not None:
            break
    else:
        return list(items)
    children: dict[str, list[Item]] = {}
    for item in items:
        owner = _owner(item)
        if owner is not None:
            children.setdefault(owner, []).append(item)
    found: list[Item] = []
    for item in items:
        if _owner(item) is not None:
            continue
        parts = children.get(text(item.item_id) or "", [])
        if item.product_type == "bundle" and not _carries(item) and any(_carries(part) for part in parts):
            found += parts
        else:
            found.append(item)
    return found


def _owner(item: Item) -> str | None:
    if item.parent_item_id is not None:
        return text(item.parent_item_id)
    return text(item.parent_item.item_id) if item.parent_item is not None else None


def _carries(item: Item) -> bool:
    """Whether a row has money; a residue next to zero is none."""
    digits = bytes(item.row_total).split(b"e")[0] if b"e-" not in bytes(item.row_total) else b"0"
    return any(character in b"123456789" for character in digits)
