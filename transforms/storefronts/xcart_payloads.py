"""X-Cart 5.5 payloads as typed shapes (X-Cart developer documentation, REST API 5.5: orders, payment transactions, profiles, products).

Only members that staging needs are named; add-ons of a shop add others, which are ignored. Amounts stay the bytes they were written
in, see `transforms.json_amounts`. Ids are numbers in some editions and texts in others.
"""

from __future__ import annotations

import msgspec

from transforms.json_amounts import ABSENT

Ref = int | str | None


class _Shape(msgspec.Struct, gc=False):
    """Not tracked by the garbage collector: a batch holds many objects, and no cycle."""


class Status(_Shape):
    """A payment or a shipping status; the same letter means different things in the two."""

    code: str | None = None


class Surcharge(_Shape):
    """A part of a total. `include` says that it is inside the prices already; `available` that it is offered at all."""

    type: str | None = None
    code: str | None = None
    name: str | None = None
    include: bool = False
    available: bool = True
    value: msgspec.Raw = ABSENT


class Item(_Shape):
    """A row of goods; its surcharges repeat the order's taxes for this row."""

    id: Ref = None
    sku: str | None = None
    name: str | None = None
    price: msgspec.Raw = ABSENT
    discounted_subtotal: msgspec.Raw = ABSENT
    amount: msgspec.Raw = ABSENT
    surcharges: tuple[Surcharge, ...] | None = None


class Coupon(_Shape):
    """A coupon used, from the add-on Coupons."""

    code: str | None = None


class Tracking(_Shape):
    """A tracking number and when it was entered."""

    date: Ref = None
    value: str | None = None


class Order(_Shape):
    """An order. Everything has a default so that what is left of a damaged one can still be told."""

    id: Ref = None
    order_number: Ref = None
    total: msgspec.Raw = ABSENT
    sub_total: msgspec.Raw = ABSENT
    currency: str | None = None
    email: str | None = None
    customer_id: Ref = None
    create_date: Ref = None
    update_date: Ref = None
    payment_status: Status | None = None
    shipping_status: Status | None = None
    shipping_method_name: str | None = None
    billing_address: dict[str, msgspec.Raw] | list[msgspec.Raw] | None = None
    items: tuple[Item, ...] | None = None
    surcharges: tuple[Surcharge, ...] | None = None
    used_coupons: tuple[Coupon, ...] | None = None
    tracking_numbers: tuple[Tracking, ...] | None = None


class BackendTransaction(_Shape):
    """One movement of a transaction, as the shop's payment processor did it."""

    id: Ref = None
    type: str | None = None
    date: Ref = None
    status: str | None = None
    value: msgspec.Raw = ABSENT


class Transaction(_Shape):
    """One transaction. In 5.5.0 `status` holds the method's name instead of a letter, so it is believed only if it is a letter."""

    id: Ref = None
    public_id: Ref = None
    public_txn_id: Ref = None
    date: Ref = None
    status: str | None = None
    name: str | None = None
    currency: str | None = None
    value: msgspec.Raw = ABSENT
    backend_transactions: tuple[BackendTransaction, ...] | None = None


class OrderTransactions(_Shape):
    """The transactions of one order, with the order they were asked for and the payment status it had then."""

    order_id: Ref = None
    payment_status_code: str | None = None
    update_date: Ref = None
    transactions: tuple[Transaction, ...] | None = None


class Profile(_Shape):
    """A customer's account; the older interface spells its id `profile_id` and its beginning `added`."""

    id: Ref = None
    profile_id: Ref = None
    added: Ref = None
    login: str | None = None
    create_date: Ref = None
    last_login_date: Ref = None


class Product(_Shape):
    """A product or (with `product_id`) one of its variants, with the stock it sells from."""

    id: Ref = None
    product_id: Ref = None
    sku: str | None = None
    amount: msgspec.Raw = ABSENT
    default_amount: bool = False
    inventory_traceable: bool = True
    update_date: Ref = None
