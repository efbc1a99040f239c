"""Plain orders taken apart into the same tables as by `transforms.storefronts.commercetools_reader`, at a fraction of its price.

In a plain order every value has one path, so a row's values come by one call that follows all of their paths.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

import polars as pl

from transforms.storefronts.cells import Cells
from transforms.storefronts.commercetools_plain import absent
from transforms.storefronts.commercetools_reader import (
    DELIVERIES,
    GIFT_CARD,
    HEADS,
    ITEM,
    PAYMENTS,
    RETURNS,
    ROWS,
    SHIPPING,
    custom_kind,
    tender_words,
)
from transforms.storefronts.commercetools_settings import CommercetoolsSettings
from transforms.storefronts.commercetools_words import (
    Categories,
    Taxes,
    buyer,
    is_test,
    local_name,
    returned,
    tracking_of,
)

_HEAD_PATHS: Final = {
    "order_ref": "id",
    "order_number": "order_number",
    "version": "version",
    "store_ref": "store.key",
    "customer_ref": "customer_id",
    "customer_email": "customer_email",
    "state": "order_state",
    "shipment_state": "shipment_state",
    "placed": "created_at",
    "changed": "last_modified_at",
    "currency": "total_price.currency_code",
    "total_price": "total_price.cent_amount",
    "order_net": "taxed_price.total_net.cent_amount",
    "order_gross": "taxed_price.total_gross.cent_amount",
}
_OFF: Final = {"at": pl.UInt32(), "off": pl.Int64(), "off_net": pl.Int64(), "off_gross": pl.Int64()}
_TAXED: Final = ("taxed_price.total_net.cent_amount", "taxed_price.total_gross.cent_amount")
_SHARED: Final = (
    "at",
    "kind_no",
    "line_ref",
    "sku",
    "category_ref",
    "description",
    "tax_no",
    "reduced_minor",
)
_STATED: Final = (
    "quantity",
    "unit_cents",
    "unit_precise",
    "unit_digits",
    "price_minor",
    "net_read",
    "gross_read",
)
"""The order of the values that these paths lead to."""


def _unit(path: str) -> tuple[str, ...]:
    return f"{path}.cent_amount", f"{path}.precise_amount", f"{path}.fraction_digits"


_head = attrgetter(*_HEAD_PATHS.values())
_item = attrgetter("quantity", *_unit("price.value"), "total_price.cent_amount", *_TAXED)
_custom = attrgetter("quantity", *_unit("money"), "total_price.cent_amount", *_TAXED)
_shipping = attrgetter(*_unit("price"), "price.cent_amount", *_TAXED)
_words = attrgetter("id", "variant.sku", "variant.attributes", "name", "taxed_price.tax_portions", "tax_rate")


class PlainReader:
    """Takes plain orders apart. Rows hold the number of their kind and of their tax; `whole` keeps orders with a discount on the total."""

    def __init__(self, settings: CommercetoolsSettings, taxes: Taxes, categories: Categories) -> None:
        types: dict[str, pl.DataType] = {
            **HEADS,
            **ROWS,
            "unit_cents": pl.Int64(),
            "unit_precise": pl.Int64(),
        }
        heads = ("at", "customer_name", "is_disabled", "is_test", *_HEAD_PATHS)
        self._heads = Cells({name: types[name] for name in heads})
        self._rows = Cells({name: types[name] for name in (*_SHARED, *_STATED)})
        self._deliveries, self._payments, self._returns = Cells(DELIVERIES), Cells(PAYMENTS), Cells(RETURNS)
        self._offs = Cells(_OFF)
        self.whole: dict[int, tuple[Any, list[tuple[str, Any]]]] = {}
        self._settings, self._tenders = settings, tender_words(settings)
        self._tax_no, self._category = taxes.number, categories.of

    def flush(self) -> None:
        """Turn what has been read into columns."""
        for table in (
            self._heads,
            self._rows,
            self._deliveries,
            self._payments,
            self._returns,
            self._offs,
        ):
            table.flush()

    def read(self, at: int, order: Any) -> None:
        """Take one plain order apart."""
        bill = order.billing_address
        first, last = bill.first_name, bill.last_name
        name = f"{first} {last}".strip() if first and last else None
        is_marked = order.custom.fields is not None and is_test(order, self._settings)
        head = self._heads.cells
        head.extend((at, name or buyer(order), order.tax_mode == "Disabled", is_marked))
        head.extend(_head(order))
        tax_no, category, add = self._tax_no, self._category, self._rows.cells.extend
        for line in order.line_items:
            ref, sku, attributes, names, portions, rate = _words(line)
            kind = category(attributes) if attributes else None
            add((at, ITEM, ref, sku, kind, local_name(names), tax_no(portions, rate), None))
            add(_item(line))
        for line in order.custom_line_items:
            sort, word = custom_kind(line, self._tenders)
            text = local_name(line.name) or line.slug
            number = tax_no(line.taxed_price.tax_portions, line.tax_rate)
            add((at, sort, line.id, None, word, text, number, None))
            add(_custom(line))
        info = order.shipping_info
        if info.price.cent_amount is not None:
            number = tax_no(info.taxed_price.tax_portions, info.tax_rate)
            reduced = info.discounted_price.value.cent_amount
            add((at, SHIPPING, "shipping", None, None, info.shipping_method_name, number, reduced, 1))
            add(_shipping(info))
        off = order.discount_on_total_price
        if off is not absent(type(off)):  # type: ignore[arg-type]
            amounts = (off.discounted_amount, off.discounted_net_amount, off.discounted_gross_amount)
            self._offs.cells.extend((at, *(one.cent_amount for one in amounts)))
            self.whole[at] = order, [("shippingInfo", info)]
        self._move(at, order, info)

    def _move(self, at: int, order: Any, info: Any) -> None:
        """What left, what was paid and what came back. Every delivery of a plain order names its rows."""
        cells = self._deliveries.cells
        for delivery in info.deliveries:
            ref, made, tracking = delivery.id, delivery.created_at, tracking_of(delivery)
            for item in delivery.items:
                cells += (at, ref, item.id, item.quantity, made, tracking)
        for payment in order.payment_info.payments:
            self._payments.cells += (at, payment.id)
        if order.return_info:
            for back in returned(at, order):
                self._returns.cells += back

    def heads(self, refs: pl.Series) -> pl.DataFrame:
        """One row per order; `refs` are the native ids of the batch, for an order that does not say its own."""
        given = self._heads.frame().join(self._offs.frame(), on="at", how="left", maintain_order="left")
        return given.with_columns(
            order_ref=pl.when(pl.col("order_ref") != "")
            .then("order_ref")
            .otherwise(refs.gather(given["at"])),
            store_ref=pl.col("store_ref").fill_null(""),
            **{
                name: pl.when(pl.col(name) != "").then(name)
                for name in ("order_number", "customer_ref", "customer_email")
            },
        ).select(list(HEADS))

    def rows(self) -> pl.DataFrame:
        """One row per row of an order and per shipping price."""
        starts = [pl.col("sku").str.starts_with(one) for one in self._settings.gift_card_prefixes]
        is_card = pl.any_horizontal(pl.lit(value=False), *starts) & (pl.col("sku") != "")
        return (
            self._rows.frame()
            .with_columns(
                kind_no=pl.when(is_card).then(pl.lit(GIFT_CARD, dtype=pl.UInt32)).otherwise("kind_no"),
                unit_count=pl.coalesce("unit_precise", "unit_cents"),
            )
            .select(list(ROWS))
        )

    def deliveries(self) -> pl.DataFrame:
        """One row per delivery and row in it."""
        return self._deliveries.frame()

    def payments(self) -> pl.DataFrame:
        """One row per payment an order names, each once."""
        return self._payments.frame().filter(pl.col("payment_ref") != "").unique(maintain_order=True)

    def returns(self) -> pl.DataFrame:
        """One row per returned row."""
        return self._returns.frame()
