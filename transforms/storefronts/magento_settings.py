"""What a shop may do differently from others on Magento: policies of staging, with the usual practice as default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

STATES: Final = MappingProxyType(
    {
        "new": "open",
        "pending_payment": "open",
        "payment_review": "held",
        "holded": "held",
        "processing": "processing",
        "complete": "complete",
        "closed": "complete",
        "canceled": "cancelled",
    }
)
"""Magento's order states in our words. A closed order was refunded whole: it is over, and its credit memos say what was given back."""

DOCUMENT_STATES: Final = MappingProxyType({"1": "pending", "2": "success", "3": "failure"})
"""States of invoices and credit memos in our words of payments: open, paid or refunded, cancelled."""


@dataclass(frozen=True)
class MagentoSettings:
    """Policies of one shop.

    gift_card_prefixes     beginnings of SKUs that are gift cards sold; rows of product type `giftcard` are so anyway
    test_email_suffixes    orders of these e-mail addresses are tests
    tax_included_stores    codes of the store views whose catalogue prices include tax: an order does not say it
    customer_number        attribute that holds the number people know a customer by; the id if it is empty
    states                 Magento's states in our words
    statuses               the shop's own statuses in our words: an order whose status is here goes by it, any other by its state
    """

    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    test_email_suffixes: tuple[str, ...] = ()
    tax_included_stores: tuple[str, ...] = ()
    customer_number: str = ""
    states: Mapping[str, str] = field(default_factory=lambda: STATES)
    statuses: Mapping[str, str] = field(default_factory=dict)
