"""Orders and payments as commercetools shows them, planted damage included.

Shapes follow the commercetools API reference (Order, LineItem, CustomLineItem, ShippingInfo, TaxedPrice, DiscountOnTotalPrice,
Delivery, ReturnInfo, Payment, Transaction). JSON is written as text piece by piece, because a list of a million orders is
rendered while a client waits; damaged orders take the long way through a dictionary.
"""

from __future__ import annotations

import json
from typing import Any

from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import identifier, iso, random_of
from tieout.sandbox.world.catalog import STORES, Rate
from tieout.sandbox.world.orders import Order, Payment, Row, order_number

_RAW = "@raw:"


def dump(payload: Any) -> str:
    """Compact JSON text; numbers no encoder would write are marked ``@raw:`` and put in by hand."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    while (at := text.find(f'"{_RAW}')) >= 0:
        end = text.index('"', at + 1)
        text = text[:at] + text[at + 1 + len(_RAW) : end] + text[end + 1 :]
    return text


class _Money:
    """Writes whole minor units as cent-precision money of one currency."""

    __slots__ = ("after", "before")

    def __init__(self, currency: str, digits: int) -> None:
        self.before = f'{{"type":"centPrecision","currencyCode":"{currency}","centAmount":'
        self.after = f',"fractionDigits":{digits}}}'

    def __call__(self, minor: int | str) -> str:
        return f"{self.before}{minor}{self.after}"

    def precise(self, minor: int, amount: int, digits: int) -> str:
        """High-precision money: the exact amount beside its rounded value."""
        before = self.before.replace("centPrecision", "highPrecision")
        return f'{before}{minor},"preciseAmount":{amount},"fractionDigits":{digits}}}'

    def taxed(self, net: int, gross: int, taxes: dict[Rate, int]) -> str:
        """A taxed price with its portions."""
        portions = ",".join(
            f'{{"name":"{rate.name}","rate":{rate.amount!r},"amount":{self(tax)}}}'
            for rate, tax in taxes.items()
        )
        return (
            f'{{"totalNet":{self(net)},"totalGross":{self(gross)},"totalTax":{self(gross - net)},'
            f'"taxPortions":[{portions}]}}'
        )


class Teller:
    """Tells the orders of one world in commercetools' words."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._ids: dict[tuple[str, str], str] = {}
        self._money = {store.key: _Money(store.currency, store.digits) for store in STORES}
        self._rates: dict[Rate, str] = {}
        self.tax_category = f'{{"typeId":"tax-category","id":"{self._id("tax-category", "standard")}"}}'
        self.product_type = f'{{"typeId":"product-type","id":"{self._id("product-type", "goods")}"}}'
        self.row_discount = f'{{"typeId":"product-discount","id":"{self._id("discount", "row")}"}}'
        self.total_discount = f'{{"typeId":"cart-discount","id":"{self._id("discount", "total")}"}}'

    def _id(self, kind: str, key: str) -> str:
        found = self._ids.get((kind, key))
        if found is None:
            found = self._ids[kind, key] = identifier(self.seed, kind, key)
        return found

    def order_text(self, order: Order) -> str:
        """The order's JSON text, with whatever its planted fault does to it."""
        text = self._whole(order)
        if order.planted is None or order.planted.kind.side != "payload":
            return text
        kind = order.planted.kind.name
        if kind == "currency_unknown":
            return text.replace(f'"currencyCode":"{order.store.currency}"', '"currencyCode":"XXQ"')
        if kind == "tax_code_unmapped":
            rate = next(row.rate for row in order.rows if row.rate)
            return text.replace(f'"name":"{rate.name}"', '"name":"Special Levy"')
        payload = json.loads(text)
        _damage(order, payload)
        return dump(payload)

    def _whole(self, order: Order) -> str:
        line, store, money = order.line, order.store, self._money[order.store.key]
        state, payment_state, shipment_state = _states(order)
        items = ",".join(
            self._item(order, k, row, money) for k, row in enumerate(order.rows) if row.kind == "item"
        )
        fees = ",".join(
            self._fee(order, k, row, money) for k, row in enumerate(order.rows) if row.kind == "fee"
        )
        discount = payments = paid = custom = ""
        if order.discount:
            amount = money(order.discount)
            discount = (
                f'"discountOnTotalPrice":{{"discountedAmount":{amount},"includedDiscounts":[{{"discount":'
                f'{self.total_discount},"discountedAmount":{amount}}}],"discountedNetAmount":'
                f'{money(order.discount_net)},"discountedGrossAmount":{money(order.discount_gross)}}},'
            )
        if order.payments:
            refs = ",".join(f'{{"typeId":"payment","id":"{payment.id}"}}' for payment in order.payments)
            payments = f'"paymentInfo":{{"payments":[{refs}]}},'
        if payment_state:
            paid = f'"paymentState":"{payment_state}",'
        if line.scenario == "test":
            type_ = self._id("type", "order")
            custom = f',"custom":{{"type":{{"typeId":"type","id":"{type_}"}},"fields":{{"isTest":true}}}}'
        return (
            f'{{"id":"{order.id}","version":{line.version},"createdAt":"{iso(line.placed)}",'
            f'"lastModifiedAt":"{iso(line.modified)}","orderNumber":"{order.number}",{self._buyer(order)},'
            f'"store":{{"typeId":"store","key":"{store.key}"}},"country":"{store.country}",'
            f'"taxMode":"{"Platform" if store.standard_rate else "Disabled"}","taxRoundingMode":"HalfEven",'
            f'"taxCalculationMode":"{"UnitPriceLevel" if order.unit_level else "LineItemLevel"}",'
            f'"lineItems":[{items}],"customLineItems":[{fees}],"totalPrice":{money(order.total_price)},'
            f'"taxedPrice":{money.taxed(order.net, order.gross, order.taxes)},{self._shipping(order, money)},'
            f'{discount}{payments}"orderState":"{state}","shipmentState":"{shipment_state}",{paid}'
            f'"discountCodes":[],"directDiscounts":[],"refusedGifts":[],"syncInfo":[],"origin":"Customer",'
            f'"returnInfo":[{self._returns(order)}]{custom}}}'
        )

    def payment_text(self, order: Order, number: int) -> str:
        """The JSON text of one of the order's payments."""
        return self.payment(order.payments[number], order.line.paid, order.store.key)

    def payment(self, payment: Payment, created: int, store_key: str) -> str:
        """The JSON text of a payment in the currency of a store."""
        money = self._money[store_key]
        moves = ",".join(
            f'{{"id":"{move.id}","type":"{move.type}","state":"{move.state}","amount":{money(move.minor)},'
            f'"interactionId":"{move.reference}","timestamp":"{iso(move.at)}"}}'
            for move in payment.transactions
        )
        careless = ""
        if payment.tender.interface == "PSP" and payment.id[0] in "08":
            # What careless gateways leave behind; a courier must not carry it on. The number is a well-known test card.
            careless = (
                f'{{"type":{{"typeId":"type","id":"{self._id("type", "interaction")}"}},"fields":'
                f'{{"cardNumber":"4111111111111111","cvc":"123","raw":"PAN=4111 1111 1111 1111"}}}}'
            )
        return (
            f'{{"id":"{payment.id}","version":{1 + len(payment.transactions)},'
            f'"createdAt":"{iso(min(created, payment.transactions[0].at))}",'
            f'"lastModifiedAt":"{iso(payment.modified)}","interfaceId":"{payment.interface_id}",'
            f'"amountPlanned":{money(payment.planned)},"paymentMethodInfo":{{"paymentInterface":'
            f'"{payment.tender.interface}","method":"{payment.tender.method}"}},"paymentStatus":{{}},'
            f'"transactions":[{moves}],"interfaceInteractions":[{careless}]}}'
        )

    def _buyer(self, order: Order) -> str:
        if order.customer is not None:
            first, last, _ = people.name_of(self.seed, order.customer)
            email = people.email_of(order.customer)
            who = f'"customerId":"{people.customer_id(self.seed, order.customer)}"'
        else:
            rng = random_of(self.seed, 7, order.index)
            first, last = people.guest_name(rng) if order.named else (None, None)
            email = f"guest{order.index + 1}@example.org"
            who = f'"anonymousId":"{identifier(self.seed, "anonymous", order.index)}"'
        if order.line.scenario == "test":
            email = f"tester{order.index % 5}@example.test"
        address = dump(people.address(STORES.index(order.store), order.index, first, last))
        return f'{who},"customerEmail":"{email}","billingAddress":{address},"shippingAddress":{address}'

    def _rate(self, rate: Rate | None) -> str:
        if rate is None:
            return ""
        if rate not in self._rates:
            key = rate.name.lower().replace(" ", "-").replace(".", "-")
            self._rates[rate] = (
                f'"taxRate":{{"id":"{key}","name":"{rate.name}","amount":{rate.amount!r},'
                f'"includedInPrice":{"true" if rate.included else "false"},"country":"{rate.country}",'
                '"subRates":[]},'
            )
        return self._rates[rate]

    def _item(self, order: Order, k: int, row: Row, money: _Money) -> str:
        assert row.item is not None
        sku = row.item.sku
        unit = money.precise(row.unit, *row.precise) if row.precise else money(row.unit)
        details = ""
        if order.multiple:
            targets = f'[{{"addressKey":"main","quantity":{row.quantity}}}]'
            details = f',"shippingDetails":{{"targets":{targets},"valid":true}}'
        return (
            f'{{"id":"{_row_id(order, k)}","productId":"{self._id("product", sku)}","productKey":"{sku.lower()}",'
            f'"name":{{"en":"{row.name}"}},"productType":{self.product_type},"variant":{{"id":1,"sku":"{sku}",'
            f'"prices":[],"attributes":[{{"name":"category","value":"{row.item.category}"}}]}},'
            f'"price":{{"id":"{self._id("price", f"{sku}.{order.store.key}")}","value":{unit}}},'
            f'"quantity":{row.quantity},"totalPrice":{money(row.price)},{self._rate(row.rate)}'
            f'"taxedPrice":{_row_taxed(row, money)},"discountedPricePerQuantity":[{self._discounted(row, money)}],'
            f'"taxedPricePortions":[],"perMethodTaxRate":[],"state":[],"priceMode":"Platform",'
            f'"lineItemMode":"{"GiftLineItem" if row.gift else "Standard"}"{details}}}'
        )

    def _discounted(self, row: Row, money: _Money) -> str:
        if row.discounted_unit is None:
            return ""
        off = f'{{"discount":{self.row_discount},"discountedAmount":{money(row.unit - row.discounted_unit)}}}'
        value = f'{{"value":{money(row.discounted_unit)},"includedDiscounts":[{off}]}}'
        return f'{{"quantity":{row.quantity},"discountedPrice":{value}}}'

    def _fee(self, order: Order, k: int, row: Row, money: _Money) -> str:
        return (
            f'{{"id":"{_row_id(order, k)}","name":{{"en":"{row.name}"}},"slug":"gift-wrapping",'
            f'"money":{money(row.unit)},"quantity":{row.quantity},"totalPrice":{money(row.price)},'
            f'"taxCategory":{self.tax_category},{self._rate(row.rate)}"taxedPrice":{_row_taxed(row, money)},'
            f'"taxedPricePortions":[],"perMethodTaxRate":[],"discountedPricePerQuantity":[],"state":[],'
            f'"priceMode":"Standard"}}'
        )

    def _shipping(self, order: Order, money: _Money) -> str:
        row = next(row for row in order.rows if row.kind == "shipping")
        taxed = _row_taxed(row, money)
        # Some platforms write minus zero; it is an amount of nothing, not a fault.
        price = money("-0") if row.price == 0 and order.index % 23 == 3 else money(row.price)
        info = (
            f'{{"shippingMethodName":"Parcel","price":{price},"shippingRate":{{"price":{money(row.price)},'
            f'"tiers":[]}},{self._rate(row.rate)}"taxCategory":{self.tax_category},"taxedPrice":{taxed},'
            f'"deliveries":[{self._deliveries(order)}],"shippingMethodState":"MatchesCart"}}'
        )
        if not order.multiple:
            return f'"shippingMode":"Single","shippingInfo":{info},"shipping":[],"taxedShippingPrice":{taxed}'
        address = f'{{"key":"main","country":"{order.store.country}"}}'
        entry = f'{{"shippingKey":"main","shippingInfo":{info},"shippingAddress":{address}}}'
        return f'"shippingMode":"Multiple","shipping":[{entry}],"taxedShippingPrice":{taxed}'

    def _deliveries(self, order: Order) -> str:
        found = []
        for number, (at, rows) in enumerate(zip(order.line.ships, order.shipments, strict=False), start=1):
            stem, shipped = identifier(self.seed, "delivery", f"{order.index}.{number}"), iso(at)
            items = ",".join(
                f'{{"id":"{_row_id(order, k)}","quantity":{order.rows[k].quantity}}}' for k in rows
            )
            found.append(
                f'{{"id":"{stem}","key":"{order.number}-{number}","createdAt":"{shipped}","items":[{items}],'
                f'"parcels":[{{"id":"{stem[::-1][:8]}{stem[8:]}","createdAt":"{shipped}","trackingData":'
                f'{{"trackingId":"1Z{stem[:8].upper()}","carrier":"Example Parcel","isReturn":false}},"items":[]}}]}}'
            )
        return ",".join(found)

    def _returns(self, order: Order) -> str:
        rows = [k for k in order.returned_rows if order.rows[k].kind == "item"]
        if not rows:
            return ""
        at = iso(order.line.returned)
        items = ",".join(
            f'{{"id":"{identifier(self.seed, "return", f"{order.index}.{k}")}","quantity":{order.rows[k].quantity},'
            f'"type":"LineItemReturnItem","lineItemId":"{_row_id(order, k)}","shipmentState":"Returned",'
            f'"paymentState":"Refunded","lastModifiedAt":"{at}","createdAt":"{at}"}}'
            for k in rows
        )
        return f'{{"items":[{items}],"returnTrackingId":"RT{order.index + 1}","returnDate":"{at}"}}'


def _row_id(order: Order, k: int) -> str:
    return f"{order.id[:28]}{k:08d}"


def _row_taxed(row: Row, money: _Money) -> str:
    return money.taxed(row.net, row.gross, {row.rate: row.tax} if row.rate else {})


def _states(order: Order) -> tuple[str, str | None, str]:
    line = order.line
    if line.scenario == "cancelled":
        return "Cancelled", "Pending", "Canceled"
    payment: str | None = "Paid"
    if line.scenario == "failed":
        payment = "Failed"
    elif line.scenario == "authorised":
        payment = "Pending"
    elif line.scenario in ("deposit", "on_account"):
        payment = "BalanceDue"
    elif line.scenario == "zero_total":
        payment = None
    elif line.returned:
        payment = "CreditOwed" if line.index % 3 == 0 else "Paid"
    elif line.scenario in ("captured_at_shipping", "two_shipments") and len(line.ships) < len(
        order.shipments
    ):
        payment = "Pending"
    if line.scenario == "backorder":
        return "Open", payment, "Backorder"
    if not line.ships:
        return "Open", payment, "Pending"
    if len(line.ships) < len(order.shipments):
        return "Confirmed", payment, "Partial"
    return "Complete", payment, "Shipped"


def _damage(order: Order, found: dict[str, Any]) -> None:
    if order.planted is None or order.planted.kind.side != "payload":
        return
    kind, serial = order.planted.kind.name, order.planted.serial
    rows = found["lineItems"]
    if kind == "tax_unknown":
        del found["taxedPrice"], found["taxedShippingPrice"]
        entries = (
            [found["shippingInfo"]]
            if "shippingInfo" in found
            else [e["shippingInfo"] for e in found["shipping"]]
        )
        for part in (*rows, *found["customLineItems"], *entries):
            part.pop("taxedPrice", None)
    elif kind == "order_number_missing":
        del found["orderNumber"]
    elif kind == "amount_not_exact":
        amount = rows[0]["totalPrice"]
        amount["centAmount"] = f"{_RAW}{max(29, amount['centAmount'] // 100)}.949999999999999"
    elif kind == "parts_exceed_rounding_limit":
        excess = 50 + 100 * (serial % 5)
        for amount in (
            found["totalPrice"],
            found["taxedPrice"]["totalNet"],
            found["taxedPrice"]["totalGross"],
        ):
            amount["centAmount"] += excess
    elif kind == "store_unmapped":
        found["store"] = {"typeId": "store", "key": "pop-up"}
    elif kind == "sku_unmapped":
        rows[0]["variant"]["sku"] = f"NEW-{serial + 1}"
        rows[0].pop("productKey")
    elif kind == "payload_unreadable":
        found["lineItems"] = "see attachment"
    elif kind == "duplicate_order_number" and order.planted.role == 1:
        found["orderNumber"] = order_number(order.planted.partner)
