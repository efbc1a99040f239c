"""What a shop may do differently from others on commercetools: policies of staging, with the usual practice as default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

STATES: Final = MappingProxyType(
    {"Open": "open", "Confirmed": "processing", "Complete": "complete", "Cancelled": "cancelled"}
)
"""Order states of commercetools in our words."""
TRANSACTION_STATES: Final = MappingProxyType(
    {"Initial": "pending", "Pending": "pending", "Success": "success", "Failure": "failure"}
)
"""States of a payment's transactions in our words."""
SHIPMENTS: Final = MappingProxyType(
    {
        "Shipped": "shipped",
        "Delivered": "shipped",
        "Partial": "shipped",
        "Ready": "expected",
        "Pending": "expected",
        "Delayed": "expected",
        "Backorder": "expected",
        "Canceled": "cancelled",
    }
)
"""An order's shipment states in our words, for a shop that keeps them (commercetools API reference, ShipmentState). They are set by hand
or by integrations and follow from nothing, so deliveries alone count until statuses.csv has a row for one of the shop's."""


@dataclass(frozen=True)
class CommercetoolsSettings:
    """Policies for reading orders.

    - `tender_slugs`: slugs or names (any language, any case) of negative custom rows that are a tender (gift card, store credit) and
      not a discount. commercetools has no type of its own for them.
    - `gift_card_prefixes`: a SKU that starts so is a gift card sold, a liability.
    - `category_attribute`: the variant attribute that holds the category; empty if there is none.
    - `test_field`: the custom field of an order that marks a test.
    - `untaxed`: what an order without `taxedPrice` gets: `hold` (a problem, so it is held) or `accept` (treated as untaxed).
    - `rounding_per_row`, `rounding_most`: minor units by which the order's tax may differ from the tax of its rows and still be
      called rounding; a larger difference stays in `rounding_minor`, where a rule sees it.
    - `states`, `transaction_states`: their states of orders and of transactions in our words; one without a word holds its record.
    - `shipments`: their `shipmentState` in our words, or nothing where it says nothing. With words, deliveries of an order whose state is
      not `shipped` have not left; a state without a word holds its order.
    """

    tender_slugs: tuple[str, ...] = ("gift-card", "store-credit")
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    category_attribute: str = "category"
    test_field: str = "isTest"
    untaxed: str = "hold"
    rounding_per_row: int = 1
    rounding_most: int = 5
    states: Mapping[str, str] = field(default_factory=lambda: STATES)
    transaction_states: Mapping[str, str] = field(default_factory=lambda: TRANSACTION_STATES)
    shipments: Mapping[str, str] = field(default_factory=dict)
