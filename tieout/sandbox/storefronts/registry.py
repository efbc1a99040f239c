"""The stand-in storefronts by name: the one place where a further one is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts.clarity import Clarity
from tieout.sandbox.storefronts.commercetools import Commercetools
from tieout.sandbox.storefronts.magento import Magento
from tieout.sandbox.storefronts.xcart import XCart
from tieout.sandbox.storefronts.xcart_addon import XCartAddon
from tieout.sandbox.world.world import World


class StandIn(Protocol):
    """What a rehearsal needs of a stand-in storefront, beside what the server needs."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        ...

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds of faults it looks up itself."""
        ...

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens and what a client needs beside its secrets, in the words of tieout's settings."""
        ...

    def issued(self) -> list[str]:
        """Every access token it ever issued, live or not."""
        ...

    def web_stock(self) -> list[dict[str, Any]]:
        """The stock as it holds it now, by SKU and location."""
        ...

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change the shop after the fact and say what changed; raises ``TamperError``."""
        ...


STAND_INS: Mapping[str, Callable[[World, FaultBoard, Callable[[], int]], StandIn]] = {
    "commercetools": Commercetools,
    "xcart": XCart,
    "xcart_addon": XCartAddon,
    "clarity": Clarity,
    "magento": Magento,
}
"""Stand-in by name; its way of telling orders stands in tieout/sandbox/world/telling.py."""
