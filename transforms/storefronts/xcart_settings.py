"""What a shop may do differently from others on X-Cart: policies of staging, with the usual practice as default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

STATUSES: Final = MappingProxyType(
    {
        "C/*": "cancelled",
        "D/*": "cancelled",
        "*/WND": "cancelled",
        "*/S": "complete",
        "*/D": "complete",
        "*/R": "complete",
        "*/P": "processing",
        "*/N": "open",
        "*/NBA": "open",
        "*/WFA": "open",
    }
)
"""The usual meaning of the usual statuses. A declined payment ends an order as a cancelled one does, until it is paid after all."""


SHIPMENTS: Final = MappingProxyType(
    {
        "N": "expected",
        "P": "expected",
        "NBA": "expected",
        "WFA": "expected",
        "S": "shipped",
        "D": "shipped",
        "R": "shipped",
        "WND": "cancelled",
    }
)
"""What the usual shipping statuses say of an order's shipment: what was returned had left before."""


@dataclass(frozen=True)
class XCartSettings:
    """Policies for reading orders.

    - `store`: the `store_ref` of orders; X-Cart has one shop per installation and says none.
    - `stores`: a `store_ref` by currency, for a shop that sells in several.
    - `shared_tax`: what happens to included tax that is in no row when several lines of shipping and fees share it: `hold`, or `split`
      in proportion to what they come to. The order's tax is the same either way.
    - `statuses`: pairs of payment and shipping status (`P/S`), with `*` for any, in our words. The exact pair counts before one that
      leaves the shipping status open, and that before one that leaves the payment status open. A pair without a word holds the order.
    - `shipments`: shipping statuses in our words of shipments; only `shipped` says that the goods have left. One without a word holds
      the order.
    - `tax_key`: which member names a tax: `name` or `code`.
    - `untaxed`: what an order gets whose included tax cannot be given to its rows: `hold` (a problem, so it is held) or `accept`
      (a line of its own carries it).
    - `gift_card_prefixes`: a SKU that starts so is a gift card sold, a liability.
    - `test_emails`: endings of e-mail addresses whose orders are tests; X-Cart has no mark for them.
    - `name_fields`: members of the billing address that make up a name. The fields of an address are the shop's own choice in X-Cart,
      and the public documentation does not list those of the API.
    """

    store: str = ""
    stores: Mapping[str, str] = field(default_factory=dict)
    shared_tax: str = "hold"
    statuses: Mapping[str, str] = field(default_factory=lambda: STATUSES)
    shipments: Mapping[str, str] = field(default_factory=lambda: SHIPMENTS)
    tax_key: str = "name"
    untaxed: str = "hold"
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    test_emails: tuple[str, ...] = ("@example.test",)
    name_fields: tuple[str, ...] = ("firstname", "lastname")

    def is_shipped(self, shipping: str | None) -> bool:
        """Whether a shipping status says that the goods have left."""
        return shipping is not None and self.shipments.get(shipping) == "shipped"

    def status(self, payment: str | None, shipping: str | None) -> str | None:
        """Our word for a pair of statuses, or None."""
        pairs = (f"{payment}/{shipping}", f"{payment}/*", f"*/{shipping}")
        return next((self.statuses[pair] for pair in pairs if pair in self.statuses), None)
