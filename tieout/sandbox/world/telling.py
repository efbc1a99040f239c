"""Who tells which order: each order of a world is told by exactly one of the storefronts that run.

A platform that has no words for something (a chargeback, a deposit) leaves the orders that need them to commercetools, whose payments
can show anything; so does every platform with the payload faults, which are damage of a commercetools document. In a world without
commercetools those orders are told by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tieout.sandbox.world.arithmetic import local_date
from tieout.sandbox.world.catalog import EU, JP, KW, STORES, US
from tieout.sandbox.world.faults import Planted
from tieout.sandbox.world.timeline import Timeline


@dataclass(frozen=True)
class Voice:
    """One storefront's way of telling: the id it gives order number ``index``, and what it has no words for.

    ``cannot`` holds names of scenarios and of planted faults, each with the reason, ``stores`` the stores whose money and taxes it can state. With
    ``nets_discounts`` a discount is off the rows already where prices include tax, and so it was in what was posted before. With
    ``dates_by_change`` a shipment has no date but the order's last change, so an order changed in a later month than it was shipped in is
    told by another. With ``tender_in_header`` a gift card or store credit used is a figure of the order and no payment.
    """

    order_ref: Callable[[int, str], str]
    cannot: Mapping[str, str] = field(default_factory=dict)
    payload_faults: bool = False
    nets_discounts: bool = False
    dates_by_change: bool = False
    tender_in_header: bool = False
    stores: frozenset[int] = frozenset({US, EU, JP, KW})


DEFAULT = "commercetools"
_NO_RATE = (
    "A tax is named and its amount stated, but no rate, so nobody could prove that a cent is one of rounding."
)
_X_CART = Voice(
    lambda index, _: str(index + 1),
    {
        "two_shipments": "An order has one shipping status, and so ships whole.",
        "two_shipments_one_charge": "An order has one shipping status, and so ships whole.",
        "chargeback": "No movement of a transaction is a chargeback.",
        "rounding": _NO_RATE,
        "amount_discount": "Where prices include tax, a discount on the order is off each row already, so a difference in it is one in goods.",
    },
    nets_discounts=True,
)
_MAGENTO = Voice(
    lambda index, _: str(index + 1),
    {
        "deposit": "An invoice is made of rows, so a deposit of any amount has none.",
        "chargeback": "No document and no transaction is a chargeback.",
    },
    tender_in_header=True,
)
_X_CART_ADDON = Voice(
    # Its schema has one figure of tax an order and two decimals whatever the currency: only the store in dollars can be told exactly.
    lambda index, _: str(index + 1),
    _X_CART.cannot,
    stores=frozenset({US}),
    dates_by_change=True,
)
_CLARITY = Voice(
    lambda index, _: f"CLR-{20_000 + index}",
    {
        "rounding": "Tax on shipping stands in the order's sum of taxes only, so nobody could prove where a cent of it was rounded.",
    },
)
VOICES: dict[str, Voice] = {
    DEFAULT: Voice(lambda _, own: own, payload_faults=True),
    "magento": _MAGENTO,
    "xcart": _X_CART,
    "xcart_addon": _X_CART_ADDON,
    "clarity": _CLARITY,
}
"""Storefront by name."""


def can_tell(name: str, line: Timeline, planted: Planted | None) -> bool:
    """Whether a storefront has words for an order."""
    voice = VOICES[name]
    if planted is not None and (
        planted.kind.name in voice.cannot or (planted.kind.side == "payload" and not voice.payload_faults)
    ):
        return False
    if voice.dates_by_change and line.ships:
        zone = STORES[line.store].zone
        shipped, changed = (local_date(zone, at) for at in (line.ships[0], line.modified))
        if (shipped.year, shipped.month) != (changed.year, changed.month):
            return False
    return line.scenario not in voice.cannot and line.store in voice.stores


def owner_of(customer: int, tellers: Sequence[str]) -> str:
    """The storefront a customer would be registered at: by number, so that every storefront gets customers of every store."""
    return tellers[(customer + customer // 20) % len(tellers)]


def teller_of(line: Timeline, planted: Planted | None, tellers: Sequence[str]) -> str | None:
    """The storefront that tells an order: chosen by its number and store among those that run; None if none of them can."""
    if len(tellers) == 1:
        return tellers[0] if can_tell(tellers[0], line, planted) else None
    # The store turns the wheel further, so that every storefront gets orders of every store.
    name = tellers[(line.index * 7 + line.index // len(tellers) + line.store) % len(tellers)]
    if can_tell(name, line, planted):
        return name
    return DEFAULT if DEFAULT in tellers and can_tell(DEFAULT, line, planted) else None
