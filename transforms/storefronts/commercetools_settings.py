"""What a shop may do differently from others on commercetools: policies of staging, with the usual practice as default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_STATES: Final = MappingProxyType(
    {"Open": "open", "Confirmed": "processing", "Complete": "complete", "Cancelled": "cancelled"}
)


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
    - `states`: their order states in our words.
    """

    tender_slugs: tuple[str, ...] = ("gift-card", "store-credit")
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    category_attribute: str = "category"
    test_field: str = "isTest"
    untaxed: str = "hold"
    rounding_per_row: int = 1
    rounding_most: int = 5
    states: Mapping[str, str] = field(default_factory=lambda: _STATES)
