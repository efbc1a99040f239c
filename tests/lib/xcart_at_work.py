"""An X-Cart stand-in that runs, and the courier that reads it."""

from __future__ import annotations

from datetime import UTC, datetime

from tieout.connectors.http import RetryPolicy
from tieout.connectors.storefronts.xcart import XCart
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Server
from tieout.sandbox.storefronts.xcart import API_KEY
from tieout.sandbox.storefronts.xcart import XCart as StandIn
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.world import World

SIZE = 240
POLICY = RetryPolicy(attempts=3, base_seconds=0.001, cap_seconds=0.01)
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


class Shop:
    """A stand-in that runs, with its faults."""

    def __init__(self, world: World, **options) -> None:
        self.board = FaultBoard()
        self.app = StandIn(world, self.board, lambda: NOW_MS, **options)
        self.server = Server(self.app, board=self.board)

    def courier(self, key: str = API_KEY, **options) -> XCart:
        http = {
            "policy": POLICY,
            "timeout": (2, 5),
            "sleep": lambda _: None,
            **options.pop("http_options", {}),
        }
        return XCart(api_url=f"{self.server.url}/api", api_key=key, http_options=http, **options)

    def fault(self, kind: str, **options) -> None:
        self.board.add({"app": "xcart", "kind": kind, **options})


def records(courier, subject="orders", window=None):
    return [one for page in courier.read(subject, window) for one in page.records]


def refs(courier, subject="orders", window=None):
    return [one.native_ref for one in records(courier, subject, window)]
