"""Orders of Magento in columns: headers and the rows whose money counts, as the payload states them, before any arithmetic.

Source of outside facts: Magento REST reference 2.4.8 (sales order, order item).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import polars as pl

from transforms.storefronts.magento_amounts import four_places, in_minor, texts, with_digits
from transforms.storefronts.magento_payloads import Extension, Item, Order, Payment, text
from transforms.storefronts.magento_settings import MagentoSettings
from transforms.storefronts.magento_taxes import (
    names_of,
    percent_of,
    row_percent,
    taxes_beside_rows,
    taxes_of_rows,
)

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
_NOTHING: Final = Extension()
_UNPAID: Final = Payment()


def instant(column: str) -> pl.Expr:
    """`YYYY-MM-DD HH:MM:SS`, which Magento keeps in UTC, as an instant; null for anything else."""
    return pl.col(column).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False)


def heads_of(
    orders: Sequence[Order], raw: pl.DataFrame, settings: MagentoSettings, stores: Mapping[str, str]
) -> pl.DataFrame:
    """One row per order: what it says of itself, amounts in minor units."""
    more = [order.extension_attributes or _NOTHING for order in orders]
    pays = [order.payment or _UNPAID for order in orders]
    refs = raw["native_ref"].to_list()
    beside = {what: [taxes_beside_rows(one, what) for one in more] for what in ("shipping", "gw")}
    plain: dict[str, list[Any]] = {
        "order_ref": [text(order.entity_id) or ref for order, ref in zip(orders, refs, strict=True)],
        "order_number": [order.increment_id or None for order in orders],
        "store_ref": [stores.get(text(order.store_id) or "", text(order.store_id) or "") for order in orders],
        "customer_ref": [text(order.customer_id) for order in orders],
        "customer_name": [_buyer(order) for order in orders],
        "customer_email": [order.customer_email or None for order in orders],
        "state": [order.state for order in orders],
        "shop_status": [order.status for order in orders],
        "placed": [order.created_at for order in orders],
        "changed": [order.updated_at for order in orders],
        "currency": [order.order_currency_code or NO_CURRENCY for order in orders],
        "payment_ref": [text(pay.entity_id) for pay in pays],
        "tender_code": [pay.method for pay in pays],
        "shipping_tax_code": [names_of(taxes) for taxes in beside["shipping"]],
        "fee_tax_code": [names_of(taxes) for taxes in beside["gw"]],
    }
    frame = pl.DataFrame(
        [pl.Series("at", range(len(orders)), dtype=pl.UInt32)]
        + [pl.Series(name, values, dtype=pl.String) for name, values in plain.items()]
        + [texts(name, map(attrgetter(name), orders)) for name in HEAD]
        + [texts(name, map(attrgetter(name), more)) for name in (*TENDER, *FEES, *FEE_TAXES)]
        + [texts("authorized", map(attrgetter("amount_authorized"), pays))]
        + [
            texts("shipping_percent", (percent_of(taxes) for taxes in beside["shipping"])),
            texts("fee_percent", (percent_of(taxes) for taxes in beside["gw"])),
        ]
    )
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    frame = with_digits(pl.concat([frame, landed], how="horizontal"))
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


def _buyer(order: Order) -> str | None:
    person = f"{order.customer_firstname or ''} {order.customer_lastname or ''}".strip()
    home = order.billing_address
    if not person and home is not None:
        person = f"{home.firstname or ''} {home.lastname or ''}".strip() or home.company or ""
    return person or order.customer_email or None


def rows_of(orders: Sequence[Order], heads: pl.DataFrame, settings: MagentoSettings) -> pl.DataFrame:
    """One row per item that carries money, once each: never a configurable's child, never both a bundle and its parts."""
    kept = [(at, item) for at, order in enumerate(orders) for item in counted(order.items or ())]
    applied = taxes_of_rows(orders)
    taxes = [applied.get((at, text(item.item_id)), []) for at, item in kept]
    items = [item for _, item in kept]
    frame = pl.DataFrame(
        [
            pl.Series("at", [at for at, _ in kept], dtype=pl.UInt32),
            pl.Series("line_ref", [text(item.item_id) or "" for item in items], dtype=pl.String),
            pl.Series("sku", [item.sku for item in items], dtype=pl.String),
            pl.Series("description", [item.name for item in items], dtype=pl.String),
            pl.Series("product_type", [item.product_type for item in items], dtype=pl.String),
            pl.Series("tax_code", [names_of(some) for some in taxes], dtype=pl.String),
            texts("percent", (row_percent(item, some) for item, some in zip(items, taxes, strict=True))),
            texts("qty", map(attrgetter("qty_ordered"), items)),
            texts("price", map(attrgetter("price"), items)),
            texts("price_incl_tax", map(attrgetter("price_incl_tax"), items)),
            *[texts(name, map(attrgetter(name), items)) for name in _ROW],
        ]
    )
    frame = frame.join(heads.select("at", "currency", "digits"), on="at", how="left", maintain_order="left")
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
    if not any(item.parent_item_id is not None or item.parent_item is not None for item in items):
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
