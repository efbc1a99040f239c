"""One rehearsal: a world, the stand-ins that tell it, their servers and the fault board they share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Server
from tieout.sandbox.storefronts.commercetools import Commercetools
from tieout.sandbox.world.arithmetic import to_ms
from tieout.sandbox.world.catalog import CLIENT_ID, NOW_MS, PROJECT_KEY
from tieout.sandbox.world.world import World

PARTS = ("all", "commercetools", "intacct")


class WorldClock:
    """The world's present: starts at its fixed now and then keeps real time."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        elapsed = timedelta(seconds=time.monotonic() - self._started)
        return datetime.fromtimestamp(NOW_MS / 1000, UTC) + elapsed

    def ms(self) -> int:
        """The present in UTC milliseconds."""
        return to_ms(self())


class Rehearsal:
    """Everything that runs. ``only`` starts one stand-in; ``ledger`` False leaves September out of the books."""

    def __init__(
        self,
        seed: int = 7,
        orders: int = 2400,
        *,
        only: str = "all",
        ledger: bool = True,
        company: Path | None = None,
        ports: tuple[int, int] = (0, 0),
        latency_ms: float = 0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        if only not in PARTS:
            raise ValueError(f"only must be one of {', '.join(PARTS)}, not {only}")
        self.seed, self.size, self.only, self.company_file, self.say = seed, orders, only, company, say
        self.with_ledger = ledger and only != "commercetools"
        self.board = FaultBoard()
        self.clock = WorldClock()
        self.servers: dict[str, Server] = {}
        self.gateway: Any = None
        self._lock = threading.RLock()
        self._key: dict[str, Any] | None = None
        self._build()
        if only != "intacct":
            self.servers["commercetools"] = Server(self.storefront, ports[0], self.board, latency_ms)
        if self.gateway is not None:
            self.servers["intacct"] = Server(self.gateway, ports[1], self.board, latency_ms)

    def _build(self) -> None:
        self.world = World.build(self.seed, self.size)
        self.storefront = Commercetools(self.world, self.board, self.clock.ms)
        self._key = None
        if self.only != "commercetools":
            self.gateway = self._build_gateway()

    def _build_gateway(self) -> Any:
        from tieout.sandbox.intacct.company import Company
        from tieout.sandbox.intacct.gateway import Gateway

        gateway = Gateway(Company.load(self.company_file), self.board, self.clock)
        books, written = gateway.books, 0

        def create(name: str, fields: dict[str, Any], entity: str | None, at_ms: int) -> int:
            nonlocal written
            written += 1
            if written % 50_000 == 0:
                self.say(f"{written:,} documents of September are in the books")
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            return int(books.create(name, fields, entity, at=at, user="previous"))

        for item, name in self.world.stock_items():
            if item not in books.items:
                books.create("ITEM", {"ITEMID": item, "NAME": name, "ITEMTYPE": "Inventory"}, None)
        for shelf in self.world.shelves:
            books.set_stock(shelf.sku, shelf.channel, shelf.on_hand, shelf.on_order, shelf.allocated)
        if self.with_ledger:
            self.world.post_ledger(create)
        return gateway

    def reset(self) -> None:
        """The world as it was at the start, the board empty; addresses stay."""
        with self._lock:
            self.board.clear()
            self.clock = WorldClock()
            self._build()
            for name, app in (("commercetools", self.storefront), ("intacct", self.gateway)):
                if name in self.servers:
                    self.servers[name].app = app
                    self.servers[name].calls.clear()

    def answer_key(self) -> dict[str, Any]:
        """The answer key, worked out when first asked for."""
        with self._lock:
            if self._key is None:
                self._key = self.world.answer_key(self.with_ledger)
            return self._key

    def web_stock(self) -> list[dict[str, Any]]:
        """The web stock as the storefront holds it now, by SKU and channel."""
        names = {member: key for key, member in self.world.channel_ids.items()}
        entries = self.world.inventory_list
        with entries.lock:
            rows = [entries.payload(position) for position in entries.by_id]
        return sorted(
            (
                {
                    "sku": row["sku"],
                    "channel": names.get(row.get("supplyChannel", {}).get("id")),
                    "quantityOnStock": row["quantityOnStock"],
                    "availableQuantity": row["availableQuantity"],
                    "version": row["version"],
                }
                for row in rows
            ),
            key=lambda row: (row["sku"], row["channel"] or ""),
        )

    def addresses(self) -> dict[str, Any]:
        """Where everything listens, and what a client needs beside its secrets."""
        found: dict[str, Any] = {"seed": self.seed, "orders": self.size, "now": self.clock().isoformat()}
        if "commercetools" in self.servers:
            url = self.servers["commercetools"].url
            found["commercetools"] = {
                "api_url": url,
                "auth_url": url,
                "project_key": PROJECT_KEY,
                "client_id": CLIENT_ID,
            }
        if "intacct" in self.servers:
            found["intacct"] = {"url": f"{self.servers['intacct'].url}/ia/xml/xmlgw.phtml"}
        return found

    def start(self) -> Rehearsal:
        """Start the servers; returns itself."""
        for server in self.servers.values():
            server.start()
        return self

    def stop(self) -> None:
        """Stop the servers."""
        for server in self.servers.values():
            server.stop()

    def __enter__(self) -> Rehearsal:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
