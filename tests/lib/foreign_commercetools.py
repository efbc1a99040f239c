"""A stand-in for commercetools that somebody else wrote, as an HTTP server: the `testing` rooms of Lab Digital's Python SDK.

It knows nothing of this project: its records are checked against shapes generated from the platform's own descriptions, it reads predicates
with a parser of its own, and keeps versions. It sorts nothing, answers from the first record on, and serves no standalone prices; so records
are put into it in the order a test wants them in.
"""

from __future__ import annotations

import importlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests
import webob
from commercetools.testing.server import Server
from marshmallow import ValidationError
from werkzeug.serving import make_server

from tieout.connectors.storefronts.commercetools import Commercetools

KEPT: Mapping[str, tuple[str, str, str]] = {
    "orders": ("orders", "order", "OrderSchema"),
    "payments": ("payments", "payment", "PaymentSchema"),
    "customers": ("customers", "customer", "CustomerSchema"),
    "inventory": ("inventory", "inventory", "InventoryEntrySchema"),
    "channels": ("channels", "channel", "ChannelSchema"),
    "customer_groups": ("customer_groups", "customer_group", "CustomerGroupSchema"),
}
"""Subject to its backend and its shape."""


class _Door(Server):
    """The SDK's own server hands every parameter of a query on twice, and then fails over a limit of two numbers."""

    def _create_request(self, environ: dict[str, Any]) -> requests.Request:
        told = webob.Request(environ)
        told.make_body_seekable()
        return requests.Request(method=told.method, url=told.url, headers=told.headers, data=told.body)


class Foreign:
    """A running server and what was put into it."""

    def __init__(self, server: _Door, url: str) -> None:
        self._repository, self.url = server.repository, url

    def put(self, subject: str, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Put records in, in this order, and give back those whose shape the SDK does not know, which are left out."""
        backend, room, shape = KEPT[subject]
        schema = getattr(importlib.import_module(f"commercetools.platform.models._schemas.{room}"), shape)()
        unknown = []
        for one in records:
            try:
                getattr(self._repository, backend).add_existing(schema.load(one))
            except ValidationError:
                unknown.append(one)
        return unknown

    def courier(self, **options: Any) -> Commercetools:
        """Our client, told no more than where it is."""
        return Commercetools(
            api_url=self.url, auth_url=self.url, project_key="theirs", client_id="client", client_secret="a-secret-of-theirs", **options
        )  # fmt: skip

    def change(self, path: str, body: Mapping[str, Any]) -> Any:
        """What somebody else changes."""
        return requests.post(f"{self.url}/theirs/{path}", json=body, timeout=10).json()


@contextmanager
def foreign() -> Iterator[Foreign]:
    """The server on loopback for the length of a block."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    door = _Door()
    # It answers to this name only. Its store is a plain dictionary: one request at a time.
    server = make_server("localhost", 0, door, threaded=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Foreign(door, f"http://localhost:{server.server_port}")
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def read_raw(address: Mapping[str, Any], secret: str, path: str) -> list[dict[str, Any]]:
    """All records of a path of our own stand-in as it tells them, read by nothing of ours."""
    signed = requests.post(
        f"{address['auth_url']}/oauth/token", auth=(address["client_id"], secret), data={"grant_type": "client_credentials"}, timeout=10
    ).json()  # fmt: skip
    found: list[dict[str, Any]] = []
    while True:
        after = [("where", f'id > "{found[-1]["id"]}"')] if found else []
        reply = requests.get(
            f"{address['api_url']}/{address['project_key']}/{path}",
            params=[("limit", "500"), ("sort", "id asc"), *after],
            headers={"Authorization": f"Bearer {signed['access_token']}"},
            timeout=30,
        )
        rows = json.loads(reply.content)["results"]
        found += rows
        if len(rows) < 500:
            return found


def by(*members: str) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
    """What to sort records by."""
    return lambda record: tuple(str(record[one]) for one in members)
