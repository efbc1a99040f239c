"""Stock: what the web shop thinks it has and what the ledger's inventory says, per item and warehouse.

The shop's ``availableQuantity`` is its quantity on stock less what its own open orders reserve. Intacct's on-hand and
allocated quantities (allocated by other channels, not by web orders) differ from the shop's on purpose: publishing closes
the gap. A few pairs are missing at the shop, a few items are sold out, a few are over-allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieout.sandbox.world.arithmetic import DAY_MS, identifier, iso, random_of
from tieout.sandbox.world.catalog import CHANNELS, ITEMS, START_MS


@dataclass(frozen=True, slots=True)
class Shelf:
    """One item in one warehouse, on both sides; ``web_on_stock`` None when the shop has no row for it."""

    sku: str
    channel: str
    web_on_stock: int | None
    reserved: int
    on_hand: int
    on_order: int
    allocated: int


def shelves(seed: int, reserved: Mapping[tuple[str, str], int]) -> list[Shelf]:
    """Every item in every warehouse. ``reserved`` is what open web orders hold, by SKU and channel."""
    found = []
    for n, item in enumerate(ITEMS):
        for c, channel in enumerate(CHANNELS):
            rng = random_of(seed, 8, n * len(CHANNELS) + c)
            held = reserved.get((item.sku, channel), 0)
            free = int(rng.random() * 240)
            on_hand, allocated = held + free, int(rng.random() * min(40, free + 1))
            on_order = int(rng.random() * 120) if rng.random() < 0.3 else 0
            drift = int(rng.random() * 31) - 15
            place = (n * 7 + c * 3) % 40
            if place == 5:
                on_hand, allocated = 0, 0
            elif place == 11:
                allocated = on_hand + 3
            web: int | None = max(held, on_hand + drift)
            if place == 17:
                web = None
            elif place == 23:
                web = on_hand
            found.append(Shelf(item.sku, channel, web, held, on_hand, on_order, allocated))
    return found


def inventory_payload(seed: int, shelf: Shelf, channel_id: str) -> dict[str, Any]:
    """An inventory entry as commercetools shows it (commercetools API reference, InventoryEntry)."""
    assert shelf.web_on_stock is not None
    changed = iso(START_MS + 50 * DAY_MS + len(shelf.sku) * 1_000)
    return {
        "id": inventory_id(seed, shelf.sku, shelf.channel),
        "version": 1 + shelf.web_on_stock % 9,
        "createdAt": iso(START_MS - 200 * DAY_MS),
        "lastModifiedAt": changed,
        "key": f"{shelf.sku.lower()}-{shelf.channel}",
        "sku": shelf.sku,
        "supplyChannel": {"typeId": "channel", "id": channel_id},
        "quantityOnStock": shelf.web_on_stock,
        "availableQuantity": shelf.web_on_stock - shelf.reserved,
    }


def inventory_id(seed: int, sku: str, channel: str) -> str:
    """The storefront's id of an inventory entry."""
    return identifier(seed, "inventory", f"{sku}.{channel}")
