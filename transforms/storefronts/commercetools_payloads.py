"""commercetools payloads as typed shapes (commercetools API reference: Order, Payment, Customer, InventoryEntry).

Only members that staging needs are named; all others are ignored. Amounts are whole minor units and nothing else: a JSON number
with a point is refused by the decoder, so no amount ever passes through a double.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

LARGEST_CENTS: Final = 10**16
"""Larger amounts cannot be right, and their sums might leave 64 bits."""

Cents = Annotated[int, msgspec.Meta(ge=-LARGEST_CENTS, le=LARGEST_CENTS)]
Count = Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)]
Digits = Annotated[int, msgspec.Meta(ge=0, le=20)]


class _Shape(msgspec.Struct, rename="camel", gc=False):
    """Not tracked by the garbage collector, and lists are tuples: a batch holds millions of objects, and no cycle."""


class Money(_Shape):
    """Money: `cent_amount` counts minor units of `fraction_digits`; `precise_amount` only on high-precision unit prices."""

    cent_amount: Cents
    currency_code: str
    fraction_digits: Digits | None = None
    precise_amount: int | None = None


class TaxPortion(_Shape):
    """A part of a tax by name and rate (0 to 1; a rate is no amount)."""

    amount: Money
    name: str | None = None
    rate: float | None = None


class TaxedPrice(_Shape):
    """Net and gross as the storefront worked them out."""

    total_net: Money
    total_gross: Money
    tax_portions: tuple[TaxPortion, ...] | None = None


class TaxRate(_Shape):
    """The rate a row was taxed with."""

    name: str | None = None
    included_in_price: bool = False


class TaxedPortion(_Shape):
    """In shipping mode Multiple: the tax of a row for one address."""

    taxed_price: TaxedPrice | None = None


class Attribute(_Shape):
    """A product attribute; its value may be anything and stays undecoded until it is wanted."""

    name: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class Variant(_Shape):
    """The product variant of a row."""

    sku: str | None = None
    attributes: tuple[Attribute, ...] | None = None


class Price(_Shape):
    """The unit price of a row."""

    value: Money | None = None


class LineItem(_Shape):
    """A row of goods."""

    id: str = ""
    name: dict[str, str] | None = None
    variant: Variant | None = None
    price: Price | None = None
    quantity: Count = 0
    total_price: Money | None = None
    tax_rate: TaxRate | None = None
    taxed_price: TaxedPrice | None = None
    taxed_price_portions: tuple[TaxedPortion, ...] | None = None


class CustomLineItem(_Shape):
    """A row without a product: fees, and (negative) discounts or tenders."""

    id: str = ""
    name: dict[str, str] | None = None
    slug: str | None = None
    money: Money | None = None
    quantity: Count = 1
    total_price: Money | None = None
    tax_rate: TaxRate | None = None
    taxed_price: TaxedPrice | None = None
    taxed_price_portions: tuple[TaxedPortion, ...] | None = None


class DeliveryItem(_Shape):
    """How many of which row a delivery holds."""

    id: str
    quantity: Count = 0


class TrackingData(_Shape):
    """Carrier and number."""

    tracking_id: str | None = None
    carrier: str | None = None


class Parcel(_Shape):
    """A parcel of a delivery."""

    tracking_data: TrackingData | None = None


class Delivery(_Shape):
    """One shipment."""

    id: str
    created_at: str | None = None
    items: tuple[DeliveryItem, ...] | None = None
    parcels: tuple[Parcel, ...] | None = None


class DiscountedShipping(_Shape):
    """The reduced shipping price; whether `price` already shows it is not documented."""

    value: Money | None = None


class ShippingInfo(_Shape):
    """Shipping price, tax and deliveries."""

    shipping_method_name: str | None = None
    price: Money | None = None
    tax_rate: TaxRate | None = None
    taxed_price: TaxedPrice | None = None
    discounted_price: DiscountedShipping | None = None
    deliveries: tuple[Delivery, ...] | None = None


class ShippingEntry(_Shape):
    """One address of an order in shipping mode Multiple."""

    shipping_key: str | None = None
    shipping_info: ShippingInfo | None = None


class TotalDiscount(_Shape):
    """A discount on the order's total; net and gross only where the order is taxed."""

    discounted_amount: Money | None = None
    discounted_net_amount: Money | None = None
    discounted_gross_amount: Money | None = None


class Address(_Shape):
    """An address; every member is optional in the platform."""

    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    street_name: str | None = None
    street_number: str | None = None
    city: str | None = None
    state: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    email: str | None = None


class Reference(_Shape):
    """A reference by id, or by key as stores are."""

    id: str | None = None
    key: str | None = None


class PaymentInfo(_Shape):
    """The payments an order names."""

    payments: tuple[Reference, ...] | None = None


class ReturnItem(_Shape):
    """One returned row."""

    id: str
    quantity: Count = 0
    line_item_id: str | None = None
    custom_line_item_id: str | None = None
    payment_state: str | None = None
    created_at: str | None = None


class ReturnInfo(_Shape):
    """One return."""

    items: tuple[ReturnItem, ...] | None = None
    return_date: str | None = None


class CustomFields(_Shape):
    """Custom fields, by name, undecoded."""

    fields: dict[str, msgspec.Raw] | None = None


class Order(_Shape):
    """An order. Everything has a default so that what is left of a damaged one can still be told."""

    id: str = ""
    version: Count | None = None
    created_at: str | None = None
    last_modified_at: str | None = None
    order_number: str | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    store: Reference | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    line_items: tuple[LineItem, ...] = ()
    custom_line_items: tuple[CustomLineItem, ...] = ()
    total_price: Money | None = None
    taxed_price: TaxedPrice | None = None
    discount_on_total_price: TotalDiscount | None = None
    shipping_info: ShippingInfo | None = None
    shipping: tuple[ShippingEntry, ...] | None = None
    tax_mode: str | None = None
    payment_info: PaymentInfo | None = None
    order_state: str | None = None
    shipment_state: str | None = None
    return_info: tuple[ReturnInfo, ...] | None = None
    custom: CustomFields | None = None


class Transaction(_Shape):
    """One movement of a payment."""

    id: str = ""
    type: str | None = None
    state: str | None = None
    amount: Money | None = None
    timestamp: str | None = None
    interaction_id: str | None = None
    interface_id: str | None = None


class PaymentMethodInfo(_Shape):
    """How it was paid."""

    method: str | None = None


class Payment(_Shape):
    """A payment with its transactions; it does not name its order."""

    id: str = ""
    interface_id: str | None = None
    last_modified_at: str | None = None
    amount_planned: Money | None = None
    payment_method_info: PaymentMethodInfo | None = None
    transactions: tuple[Transaction, ...] = ()


class Customer(_Shape):
    """A customer with an account."""

    id: str = ""
    customer_number: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    addresses: tuple[Address, ...] = ()
    default_billing_address_id: str | None = None
    default_shipping_address_id: str | None = None
    last_modified_at: str | None = None


class Inventory(_Shape):
    """Stock of one SKU in one supply channel."""

    id: str = ""
    version: Count | None = None
    sku: str | None = None
    supply_channel: Reference | None = None
    quantity_on_stock: Count | None = None
    available_quantity: Count | None = None


class Channel(_Shape):
    """A supply channel; its key is the name people use."""

    id: str = ""
    key: str | None = None
