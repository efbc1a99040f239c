"""One world told by one storefront, or by several: configuration, extraction and staging for tests of storefronts.

A further kind joins the contract suite with a place in `SETTINGS` and `SECRETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.extract import extract
from flows.stage import stage
from flows.wiring import House
from tieout.connectors.http import Http
from tieout.sandbox.rehearsal import Rehearsal
from tieout.settings import parse

SETTINGS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "commercetools": lambda at: {
        "api_url": at["api_url"],
        "auth_url": at["auth_url"],
        "project_key": at["project_key"],
        "client_id": at["client_id"],
        "client_secret": "env:COMMERCETOOLS_SECRET",
        "catalogue": True,
    },
    "magento": lambda at: {
        "base_url": at["base_url"],
        "sign_in": "signed",
        "consumer_key": at["consumer_key"],
        "consumer_secret": "env:MAGENTO_CONSUMER_SECRET",
        "access_token": "env:MAGENTO_ACCESS_TOKEN",
        "access_token_secret": "env:MAGENTO_ACCESS_SECRET",
        "test_email_suffixes": ["@example.test"],
        "tax_included_stores": ["eu_web", "jp_web"],
        "customer_number_attribute": "erp_customer_number",
    },
    "xcart": lambda at: {
        "api_url": at["api_url"],
        "api_key": "env:XCART_KEY",
        "shared_tax": "split",
        "stores": {"USD": "us-web", "EUR": "eu-web", "JPY": "jp-web", "KWD": "kw-web"},
    },
    "xcart_addon": lambda at: {
        "shop_url": at["shop_url"],
        "api_key": "env:XCART_ADDON_KEY",
        "currency": "USD",
        "store": "us-web",
    },
    "clarity": lambda at: {
        "api_url": at["api_url"],
        "client_id": at["client_id"],
        "client_secret": "env:CLARITY_SECRET",
    },
}
"""Section of tieout.toml by kind, from the address a stand-in gives."""

SECRETS: Mapping[str, str] = {
    "COMMERCETOOLS_SECRET": "demo-secret",
    "MAGENTO_CONSUMER_SECRET": "demo-consumer-secret",
    "MAGENTO_ACCESS_TOKEN": "demo-access",
    "MAGENTO_ACCESS_SECRET": "demo-access-secret",
    "MAGENTO_PASSWORD": "demo-admin-secret",
    "XCART_KEY": "demo-xcart-key",
    "XCART_ADDON_KEY": "demo-addon-key",
    "CLARITY_SECRET": "demo-clarity-secret",
}
"""What opens the stand-ins."""

RENEWED: Mapping[str, Mapping[str, Any]] = {
    "magento": {"sign_in": "admin", "user_name": "sync", "password": "env:MAGENTO_PASSWORD"}
}
"""How a kind signs in with a token that ends, where that is not its usual way."""

KINDS = tuple(SETTINGS)


@dataclass
class Shop:
    """A running world and a house that reads it; `names` are the storefronts, each called like its kind."""

    rehearsal: Rehearsal
    house: House
    names: tuple[str, ...]
    runs: int = 0
    _read: dict[str, pl.DataFrame] = field(default_factory=dict)

    def extract(self, **options: Any) -> dict[str, Any]:
        """Read what changed."""
        self.runs += 1
        return extract(self.house, run_id=f"run-{self.runs:03d}", **options)

    def stage(self, **options: Any) -> dict[str, Any]:
        """Bring core up to date."""
        self.runs += 1
        self._read.clear()
        return stage(self.house, run_id=f"run-{self.runs:03d}", **options)

    def core(self, table: str) -> pl.DataFrame:
        """A table of core, read once after each staging."""
        if table not in self._read:
            with self.house.warehouse.read() as session:
                self._read[table] = session.fetch(f"core.{table}")
        return self._read[table]

    def fault(self, name: str, kind: str, **order: Any) -> None:
        """Switch a fault on."""
        self.rehearsal.board.add({"app": name, "kind": kind, **order})


@contextmanager
def shop_of(
    folder: Path, names: Sequence[str], *, orders: int = 240, seed: int = 7, **settings: Any
) -> Iterator[Shop]:
    """A world told by these storefronts and nothing else, for the length of a block. `settings` are added to every section."""
    with Rehearsal(seed, orders, only=list(names)) as rehearsal:
        yield Shop(rehearsal, house_of(folder, rehearsal, names, **settings), tuple(names))


def house_of(
    folder: Path,
    rehearsal: Rehearsal,
    names: Sequence[str],
    *,
    clock: Callable[[], datetime] | None = None,
    **settings: Any,
) -> House:
    """A house in a folder that reads these storefronts."""
    addresses = rehearsal.addresses()
    sections = {
        name: {
            "kind": name,
            **SETTINGS[name](addresses[name]),
            **settings.get(name, {}),
            **settings.get("every", {}),
        }
        for name in names
    }
    found = parse({"storefronts": sections}, folder=folder)
    return House(settings=found, environment=dict(SECRETS), clock=clock or rehearsal.clock)


@contextmanager
def without_waiting() -> Iterator[None]:
    """Retries wait no longer than a hundredth of a second."""
    import time

    kept = Http.__init__.__kwdefaults__["sleep"]
    Http.__init__.__kwdefaults__["sleep"] = lambda seconds: time.sleep(min(seconds, 0.01))
    try:
        yield
    finally:
        Http.__init__.__kwdefaults__["sleep"] = kept
