"""Decoded orders taken apart, one by one, into the cells of five tables; what is wrong with their amounts is told on the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Final

import polars as pl

from tieout.money import known_currencies
from transforms.storefronts.cells import Cells
from transforms.storefronts.commercetools_decode import Trouble
from transforms.storefronts.commercetools_money import add_missing, is_unlike, money_troubles
from transforms.storefronts.commercetools_payloads import (
    CustomLineItem,
    LineItem,
    Money,
    Order,
    ShippingInfo,
    TaxedPortion,
    TaxedPrice,
    TaxRate,
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

NO_CURRENCY: Final = "XXX"
"""ISO 4217's own code for "no currency": stands where none could be read."""

KINDS: Final = ("item", "gift_card", "fee", "discount", "shipping", "discount")
"""Kinds of rows by number; the last is a discount that is a tender."""
ITEM, GIFT_CARD, FEE, DISCOUNT, SHIPPING, TENDER = range(6)

HEADS: Final = {
    "at": pl.UInt32(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "version": pl.Int64(),
    "store_ref": pl.String(),
    "customer_ref": pl.String(),
    "customer_name": pl.String(),
    "customer_email": pl.String(),
    "state": pl.String(),
    "shipment_state": pl.String(),
    "placed": pl.String(),
    "changed": pl.String(),
    "currency": pl.String(),
    "total_price": pl.Int64(),
    "order_net": pl.Int64(),
    "order_gross": pl.Int64(),
    "is_disabled": pl.Boolean(),
    "off": pl.Int64(),
    "off_net": pl.Int64(),
    "off_gross": pl.Int64(),
    "is_test": pl.Boolean(),
}
ROWS: Final = {
    "at": pl.UInt32(),
    "kind_no": pl.UInt32(),
    "line_ref": pl.String(),
    "sku": pl.String(),
    "category_ref": pl.String(),
    "description": pl.String(),
    "quantity": pl.Int64(),
    "unit_count": pl.Int64(),
    "unit_digits": pl.Int64(),
    "price_minor": pl.Int64(),
    "reduced_minor": pl.Int64(),
    "net_read": pl.Int64(),
    "gross_read": pl.Int64(),
    "tax_no": pl.UInt32(),
}
DELIVERIES: Final = {
    "at": pl.UInt32(),
    "shipment_ref": pl.String(),
    "line_ref": pl.String(),
    "quantity": pl.Int64(),
    "shipped": pl.String(),
    "tracking_ref": pl.String(),
}
PAYMENTS: Final = {"at": pl.UInt32(), "payment_ref": pl.String()}
RETURNS: Final = {
    "at": pl.UInt32(),
    "return_ref": pl.String(),
    "line_ref": pl.String(),
    "sku": pl.String(),
    "quantity": pl.Int64(),
    "state_code": pl.String(),
    "returned": pl.String(),
}

Infos = list[tuple[str, ShippingInfo]]


class Reader:
    """Takes orders apart. Rows hold the number of their kind and of their tax."""

    def __init__(self, settings: CommercetoolsSettings, taxes: Taxes, categories: Categories) -> None:
        self.heads, self.rows, self.deliveries = Cells(HEADS), Cells(ROWS), Cells(DELIVERIES)
        self.payments, self.returns = Cells(PAYMENTS), Cells(RETURNS)
        self.whole: dict[int, tuple[Order, Infos]] = {}
        self.troubles: dict[int, list[Trouble]] = {}
        self.taxes, self._categories = taxes, categories
        self._settings = settings
        self._tenders = tender_words(settings)
        # Of the order that is being read.
        self._at, self._currency, self._digits = 0, "", -1
        self._is_odd = self._is_split = False
        self._net = self._gross = 0

    def flush(self) -> None:
        """Turn what has been read into columns."""
        for table in (self.heads, self.rows, self.deliveries, self.payments, self.returns):
            table.flush()

    def read(self, at: int, order: Order, ref: str, troubles: list[Trouble] | None) -> None:
        """Take one order apart. `ref` is the landing's native id, for an order too broken to say its own."""
        self._at = at
        currency = self._currency = _currency(order)
        digits = self._digits = known_currencies().get(currency, -1)
        # Plain comparisons over every amount; the sentences are made only for an order where one does not hold.
        total, taxed, off = order.total_price, order.taxed_price, order.discount_on_total_price
        self._is_odd = total is None or total.currency_code != currency or total.fraction_digits != digits
        self._is_split, self._net, self._gross = taxed is not None and off is None, 0, 0
        if taxed is not None and is_unlike(taxed, currency, digits):
            self._is_odd = True
        amount = None if off is None else off.discounted_amount
        if amount is not None and (amount.currency_code != currency or amount.fraction_digits != digits):
            self._is_odd = True
        for line in order.line_items:
            self._item(line)
        for custom in order.custom_line_items:
            self._custom(custom)
        infos = shipping_of(order)
        for number, (_, info) in enumerate(infos):
            self._shipping(number, info)
        net = gross = None
        if taxed is not None:
            net, gross = taxed.total_net.cent_amount, taxed.total_gross.cent_amount
        if not self._is_split or self._net != net or self._gross != gross:
            self.whole[at] = (order, infos)
        if self._is_odd:
            troubles = _judged(order, infos, currency, troubles or [])
        if troubles:
            self.troubles[at] = troubles
        store = order.store
        self.heads.cells += (
            at,
            order.id or ref,
            order.order_number or None,
            order.version,
            "" if store is None else store.key or "",
            order.customer_id or None,
            buyer(order),
            order.customer_email or None,
            order.order_state,
            order.shipment_state,
            order.created_at,
            order.last_modified_at,
            currency if len(currency) == 3 else NO_CURRENCY,
            None if total is None else total.cent_amount,
            net,
            gross,
            order.tax_mode == "Disabled",
            None if off is None else _cents(off.discounted_amount),
            None if off is None else _cents(off.discounted_net_amount),
            None if off is None else _cents(off.discounted_gross_amount),
            order.custom is not None and is_test(order, self._settings),
        )
        self._move(at, order, infos)

    def _item(self, line: LineItem) -> None:
        variant, price, stated = line.variant, line.price, line.taxed_price
        sku = category = None
        if variant is not None:
            sku = variant.sku
            category = self._categories.of(variant.attributes or ())
        self._row(
            GIFT_CARD if sku and sku.startswith(self._settings.gift_card_prefixes) else ITEM,
            line.id,
            sku,
            category,
            local_name(line.name),
            line.quantity,
            None if price is None else price.value,
            line.total_price,
            None,
            _from_portions(line.taxed_price_portions) if stated is None else stated,
            line.tax_rate,
        )

    def _custom(self, line: CustomLineItem) -> None:
        kind, known = custom_kind(line, self._tenders)
        price, stated = line.total_price, line.taxed_price
        self._row(
            kind,
            line.id,
            None,
            # Only items have categories: a tender's place for it holds the word that makes it one.
            known,
            local_name(line.name) or line.slug,
            line.quantity,
            line.money,
            price,
            None,
            _from_portions(line.taxed_price_portions) if stated is None else stated,
            line.tax_rate,
        )

    def _shipping(self, number: int, info: ShippingInfo) -> None:
        price, reduced = info.price, info.discounted_price
        self._row(
            SHIPPING,
            "shipping" if number == 0 else f"shipping-{number + 1}",
            None,
            None,
            info.shipping_method_name,
            1,
            price,
            price,
            None if reduced is None else reduced.value,
            info.taxed_price,
            info.tax_rate,
        )

    def _row(
        self,
        kind: int,
        line_ref: str,
        sku: str | None,
        category: str | None,
        text: str | None,
        quantity: int,
        unit: Money | None,
        price: Money | None,
        reduced: Money | None,
        stated: TaxedPrice | None,
        rate: TaxRate | None,
    ) -> None:
        currency, digits = self._currency, self._digits
        price_minor = count = places = net = gross = None
        if price is None:
            self._is_odd = True
        else:
            price_minor = price.cent_amount
            if price.currency_code != currency or price.fraction_digits != digits:
                self._is_odd = True
        if unit is not None:
            places = unit.fraction_digits
            count = unit.cent_amount if unit.precise_amount is None else unit.precise_amount
            if not -(2**62) < count < 2**62:
                count = None
        if stated is None:
            self._is_split = False
            tax_no = self.taxes.number((), rate)
        else:
            if is_unlike(stated, currency, digits):
                self._is_odd = True
            net, gross = stated.total_net.cent_amount, stated.total_gross.cent_amount
            self._net += net
            self._gross += gross
            tax_no = self.taxes.number(stated.tax_portions or (), rate)
        self.rows.cells += (
            self._at,
            kind,
            line_ref,
            sku,
            category,
            text,
            quantity,
            count,
            places,
            price_minor,
            None if reduced is None else reduced.cent_amount,
            net,
            gross,
            tax_no,
        )

    def _move(self, at: int, order: Order, infos: Infos) -> None:
        """What left, what was paid and what came back.

        A delivery may come without items. If none of an order's deliveries names any, the first one is taken to hold every row of
        goods; beside deliveries that name theirs it holds nothing (its row has an empty `line_ref` and only dates the order).
        """
        deliveries = [delivery for _, info in infos for delivery in info.deliveries or ()]
        if deliveries:
            is_nameless = not any(delivery.items for delivery in deliveries)
            cells = self.deliveries.cells
            for number, delivery in enumerate(deliveries):
                held = [(item.id, item.quantity) for item in delivery.items or ()]
                if is_nameless and number == 0:
                    held = [(line.id, line.quantity) for line in order.line_items]
                tracking = tracking_of(delivery)
                for line_ref, count in held or [("", 0)]:
                    cells += (at, delivery.id, line_ref, count, delivery.created_at, tracking)
        if order.payment_info is not None:
            named = dict.fromkeys(payment.id for payment in order.payment_info.payments or () if payment.id)
            for ref in named:
                self.payments.cells += (at, ref)
        if order.return_info:
            for item in returned(at, order):
                self.returns.cells += item


def tender_words(settings: CommercetoolsSettings) -> frozenset[str]:
    """Names of custom rows that are tenders, case folded."""
    return frozenset(slug.casefold() for slug in settings.tender_slugs)


def custom_kind(line: CustomLineItem, tenders: Collection[str]) -> tuple[int, str | None]:
    """The kind of a custom row, and the word that makes it a tender.

    A negative row is a discount, or a tender by a name out of `tenders` (case folded); any other is a fee.
    """
    if line.total_price is None or line.total_price.cent_amount >= 0:
        return FEE, None
    words = (*(line.name or {}).values(), line.slug or "")
    known = next((word for word in words if word.casefold() in tenders), None)
    return (DISCOUNT if known is None else TENDER), known


def shipping_of(order: Order) -> Infos:
    """The shipping parts of an order with a path each: one in mode Single, one per address in mode Multiple."""
    found = [("shippingInfo", order.shipping_info)] if order.shipping_info is not None else []
    if order.shipping:
        for number, entry in enumerate(order.shipping):
            if entry.shipping_info is not None:
                found.append((f"shipping[{number}].shippingInfo", entry.shipping_info))
    return found


def _judged(order: Order, infos: Infos, currency: str, troubles: list[Trouble]) -> list[Trouble]:
    """Troubles so far, and what is wrong with the amounts of an order."""
    troubles += money_troubles(order, infos, currency)
    if order.total_price is None:
        add_missing(troubles, "totalPrice")
    for row, line in enumerate(order.line_items):
        if line.total_price is None:
            add_missing(troubles, f"lineItems[{row}].totalPrice")
    for row, custom in enumerate(order.custom_line_items):
        if custom.total_price is None:
            add_missing(troubles, f"customLineItems[{row}].totalPrice")
    for path, info in infos:
        if info.price is None:
            add_missing(troubles, f"{path}.price")
    return troubles


def _currency(order: Order) -> str:
    if order.total_price is not None:
        return order.total_price.currency_code
    if order.taxed_price is not None:
        return order.taxed_price.total_gross.currency_code
    return next((line.total_price.currency_code for line in order.line_items if line.total_price), "")


def _cents(money: Money | None) -> int | None:
    return None if money is None else money.cent_amount


def _from_portions(portions: Sequence[TaxedPortion] | None) -> TaxedPrice | None:
    """In shipping mode Multiple a row may state its tax per address only; the sum is the row's."""
    parts = [portion.taxed_price for portion in portions or ()]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    first = known[0].total_net
    net = Money(sum(part.total_net.cent_amount for part in known), first.currency_code, first.fraction_digits)
    gross = Money(
        sum(part.total_gross.cent_amount for part in known), first.currency_code, first.fraction_digits
    )
    return TaxedPrice(net, gross, tuple(chain.from_iterable(part.tax_portions or () for part in known)))
