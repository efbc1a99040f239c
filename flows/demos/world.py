"""The demo's world: stand-ins as a process of their own, and the configuration that leads to them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.starter import starter_folder
from tieout.errors import ConnectorError

WORLD_SECRETS = {
    # The stand-in world's own pass words; they open nothing but the sandbox.
    "TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret",
    "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret",
    "TIEOUT_SHOP_CLIENT_SECRET": "demo-secret",
    "TIEOUT_MAGENTO_CONSUMER_SECRET": "demo-consumer-secret",
    "TIEOUT_MAGENTO_ACCESS_TOKEN": "demo-access",
    "TIEOUT_MAGENTO_ACCESS_SECRET": "demo-access-secret",
    "TIEOUT_XCART_API_KEY": "demo-xcart-key",
    "TIEOUT_XCART_ADDON_API_KEY": "demo-addon-key",
    "TIEOUT_CLARITY_CLIENT_SECRET": "demo-clarity-secret",
}
_LEDGER = "[intacct]\n"
_FOUND_BY_EMAIL = 'match_customers_by = ["number", "email"]\n'
_TEMPLATE = Path(__file__).with_name("demo.toml")


class Sandbox:
    """The stand-ins as a process of their own, reached only over HTTP."""

    def __init__(
        self, folder: Path, *, orders: int, seed: int, storefronts: Sequence[str] = ("commercetools",)
    ) -> None:
        self._addresses = folder / "addresses.json"
        self._addresses.unlink(missing_ok=True)
        self._log = (folder / "sandbox.log").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tieout.sandbox",
                *storefronts,
                "intacct",
                "--seed",
                str(seed),
                "--orders",
                str(orders),
                "--addresses",
                str(self._addresses),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._folder = folder

    @cached_property
    def addresses(self) -> dict[str, Any]:
        """Where the stand-ins answer; waits until they do. Raises `ConnectorError` if they do not start."""
        return self._wait(self._folder)

    def wait(self) -> dict[str, Any]:
        """The addresses, once the stand-ins answer."""
        return self.addresses

    def _wait(self, folder: Path) -> dict[str, Any]:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if self._addresses.exists():
                return json.loads(self._addresses.read_text(encoding="utf-8"))
            if self._process.poll() is not None:
                raise ConnectorError(f"The sandbox did not start; see {folder / 'sandbox.log'}.")
            time.sleep(0.05)
        raise ConnectorError(f"The sandbox was not ready after 300 s; see {folder / 'sandbox.log'}.")

    def ask(self, path: str) -> Any:
        """A page of the control door, as JSON."""
        with urllib.request.urlopen(self.addresses["control"]["url"] + path, timeout=60) as reply:  # noqa: S310  (loopback, our own door)
            return json.loads(reply.read())

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


def prepare(folder: Path, addresses: dict[str, Any]) -> Path:
    """Lay out the demo's own configuration and mappings; returns the configuration file."""
    from flows.storefronts import KINDS  # it takes a second, which the stand-ins need to start

    text = _TEMPLATE.read_text(encoding="utf-8")
    shop = addresses["commercetools"]
    for name, value in (
        ("INTACCT_URL", addresses["intacct"]["url"]),
        ("API_URL", shop["api_url"]),
        ("AUTH_URL", shop["auth_url"]),
        ("PROJECT_KEY", shop["project_key"]),
        ("CLIENT_ID", shop["client_id"]),
    ):
        text = text.replace("{{" + name + "}}", value)
    # Further storefronts have a part of the configuration each, filled from what their stand-in says of itself.
    for part in sorted(_TEMPLATE.parent.glob("demo_*.toml")):
        known = addresses.get(part.stem.removeprefix("demo_"))
        if known is not None:
            section = part.read_text(encoding="utf-8")
            for name, value in known.items():
                section = section.replace("{{" + name + "}}", str(value))
            text += section
            if "core.customers.customer_number" in KINDS[part.stem.removeprefix("demo_")].cannot_tell:
                # The ledger's customers are numbered; where a shop does not know the number, the e-mail address finds them.
                text = (
                    text.replace(_LEDGER, _LEDGER + _FOUND_BY_EMAIL, 1)
                    if _FOUND_BY_EMAIL not in text
                    else text
                )
    config = folder / "tieout.toml"
    config.write_text(text, encoding="utf-8")
    shutil.copytree(
        starter_folder() / "mappings",
        folder / "mappings",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".gitkeep"),
    )
    return config


def known_storefronts() -> tuple[str, ...]:
    """The storefronts a demo can run: the one that told its past, and every one with a part of the configuration."""
    parts = (part.stem.removeprefix("demo_") for part in _TEMPLATE.parent.glob("demo_*.toml"))
    return ("commercetools", *sorted(parts))
