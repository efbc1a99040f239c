"""One rehearsal: a world, the stand-ins that tell it, their servers and the fault board they share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Server
from tieout.sandbox.storefronts.registry import STAND_INS, StandIn
from tieout.sandbox.world.arithmetic import to_ms
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.telling import DEFAULT
from tieout.sandbox.world.world import World

PARTS = (*STAND_INS, "intacct")
DEFAULT_PARTS = (DEFAULT, "intacct")


class WorldClock:
    """The world's present: starts at its fixed now and then keeps real time."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        elapsed = timedelta(seconds=time.monotonic() - self._started) + self._ahead
        return datetime.fromtimestamp(NOW_MS / 1000, UTC) + elapsed

    def not_before(self, at: datetime | None) -> None:
        """Go on from an instant that lies ahead; one that is past changes nothing."""
        if at is not None and at > self():
            self._ahead += at - self()

    def ms(self) -> int:
        """The present in UTC milliseconds."""
        return to_ms(self())


def parts_of(only: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the stand-ins to start, in the order of ``PARTS``; ``all`` means every one. ValueError for an unknown name."""
    wanted = (only,) if isinstance(only, str) else tuple(only) or DEFAULT_PARTS
    for name in wanted:
        if name not in PARTS and name != "all":
            raise ValueError(f"a stand-in is one of {', '.join(PARTS)}, or all; not {name}")
    return PARTS if "all" in wanted else tuple(name for name in PARTS if name in wanted)


class Rehearsal:
    """Everything that runs. ``only`` names the stand-ins to start; several storefronts share the world's orders, each told by one of
    them. ``ledger`` False leaves September out of the books. ``ports`` are by name; a free one is taken for the rest."""

    def __init__(
        self,
        seed: int = 7,
        orders: int = 2400,
        *,
        only: str | Sequence[str] = DEFAULT_PARTS,
        ledger: bool = True,
        company: Path | None = None,
        state: Path | None = None,
        ports: Mapping[str, int] = MappingProxyType({}),
        latency_ms: float = 0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.parts = parts_of(only)
        for name in ports:
            if name not in self.parts:
                raise ValueError(f"a port is given for {name}, which is not started")
        self.seed, self.size, self.company_file, self.say = seed, orders, company, say
        self.state_file = state
        if state is not None and "intacct" not in self.parts:
            raise ValueError("a state file is kept by the intacct stand-in, which is not started")
        self.with_ledger = ledger and "intacct" in self.parts
        self.board = FaultBoard()
        self.clock = WorldClock()
        self.servers: dict[str, Server] = {}
        self.gateway: Any = None
        self.storefronts: dict[str, StandIn] = {}
        self._lock = threading.RLock()
        self._key: dict[str, Any] | None = None
        self._build()
        for name, app in self._apps().items():
            self.servers[name] = Server(app, ports.get(name, 0), self.board, latency_ms)

    def _apps(self) -> dict[str, Any]:
        books = {} if self.gateway is None else {"intacct": self.gateway}
        return {**self.storefronts, **books}

    def _build(self) -> None:
        # A gateway alone still keeps the books of a commercetools shop.
        shops = [name for name in self.parts if name in STAND_INS]
        self.world = World.build(self.seed, self.size, shops or [DEFAULT])
        self.storefronts = {name: STAND_INS[name](self.world, self.board, self.clock.ms) for name in shops}
        self._key = None
        if "intacct" in self.parts:
            self.gateway = self._build_gateway()

    def storefront_named(self, name: str | None) -> StandIn:
        """A storefront that runs; the first if no name is given. KeyError for one that does not run."""
        return self.storefronts[name or next(iter(self.storefronts), "")]

    def _build_gateway(self) -> Any:
        from tieout.sandbox.intacct.company import Company
        from tieout.sandbox.intacct.gateway import Gateway

        gateway = Gateway(Company.load(self.company_file), self.board, self.clock, self.state_file)
        if gateway.restored:
            # The books go on where they were: time does not run backwards in them.
            self.clock.not_before(gateway.last_told)
            return gateway
        books, written = gateway.books, 0

        def create(name: str, fields: dict[str, Any], entity: str | None, at_ms: int) -> int:
            nonlocal written
            written += 1
            if written % 50_000 == 0:
                self.say(f"{written:,} documents of September are in the books")
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            return int(books.create(name, fields, entity, at=at, user="previous"))

        with gateway.seeding():
            for item, name, price in self.world.stock_items():
                if item not in books.items:
                    fields = {"ITEMID": item, "NAME": name, "ITEMTYPE": "Inventory", "BASEPRICE": price}
                    books.create("ITEM", fields, None)
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
            if self.gateway is not None:
                self.gateway.forget()
            self._build()
            for name, app in self._apps().items():
                self.servers[name].app = app
                self.servers[name].calls.clear()

    def answer_key(self) -> dict[str, Any]:
        """The answer key, worked out when first asked for."""
        with self._lock:
            if self._key is None:
                self._key = self.world.answer_key(self.with_ledger)
            return self._key

    def addresses(self) -> dict[str, Any]:
        """Where everything listens, and what a client needs beside its secrets."""
        found: dict[str, Any] = {"seed": self.seed, "orders": self.size, "now": self.clock().isoformat()}
        for name, shop in self.storefronts.items():
            found[name] = shop.address(self.servers[name].url)
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
