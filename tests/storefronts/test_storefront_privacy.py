"""Personal data at landing, for every kind of storefront: what [privacy] drops or hashes is nowhere on disk, and orders still arrive."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from shopfronts import SECRETS, SETTINGS, without_waiting

from flows.extract import extract
from flows.stage import stage
from flows.storefronts import KINDS
from flows.wiring import House
from tieout.connectors.privacy import SPELLINGS
from tieout.sandbox.rehearsal import Rehearsal
from tieout.sandbox.world import people
from tieout.settings import parse

pytestmark = pytest.mark.usefixtures("kept_attached")

FRONTS: Mapping[str, Any] = {
    "commercetools": SETTINGS["commercetools"],
    "magento": SETTINGS["magento"],
    "xcart": lambda at: {"api_url": at["api_url"], "api_key": "env:XCART_KEY", "shared_tax": "split"},
    "xcart_addon": lambda at: {"shop_url": at["shop_url"], "api_key": "env:XCART_ADDON_KEY", "currency": "USD"},
    "clarity": lambda at: {"api_url": at["api_url"], "client_id": at["client_id"], "client_secret": "env:CLARITY_SECRET"},
}  # fmt: skip
OPENING = {
    **SECRETS,
    "XCART_KEY": "demo-xcart-key",
    "XCART_ADDON_KEY": "demo-addon-key",
    "CLARITY_SECRET": "demo-clarity-secret",
    "SALT": "a secret key of this installation",
}
ORDERS = """order_number,placed_at,currency,total,customer,email
A,2026-10-01,USD,5.00,C-1,Quetzal@Example.org
B,2026-10-02,USD,7.00,C-2,quetzal@example.org
C,2026-10-02,USD,7.00,C-3,
"""


def on_disk(folder: Path) -> bytes:
    """Everything an installation wrote, unpacked."""
    parts = []
    for one in sorted(folder.rglob("*")):
        if one.is_file():
            raw = one.read_bytes()
            parts.append(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    assert len(parts) > 1
    return b"\n".join(parts).lower()


def test_every_kind_of_storefront_has_a_case_here() -> None:
    assert set(FRONTS) | {"files"} == set(KINDS)


def test_what_is_hashed_or_dropped_is_nowhere_on_disk(tmp_path: Path) -> None:
    """Names and e-mails are hashed, addresses and the rest dropped; orders and customers stay whole enough to stage."""
    rules = {**dict.fromkeys(SPELLINGS, "drop"), "name": "hash", "email": "hash", "salt": "env:SALT"}
    with without_waiting(), Rehearsal(7, 20, only=list(FRONTS)) as rehearsal:
        addresses = rehearsal.addresses()
        fronts = {name: {"kind": name, **make(addresses[name])} for name, make in FRONTS.items()}
        raw = {"installation": {"state": "state"}, "storefronts": fronts, "privacy": rules}
        house = House(settings=parse(raw, folder=tmp_path), environment=dict(OPENING), clock=rehearsal.clock)
        house.__dict__["mappings"] = {
            "statuses": pl.DataFrame(
                schema=dict.fromkeys(("storefront", "subject", "status", "mode", "status_code"), pl.String)
            )
        }
        assert extract(house, run_id="r1")["errors"] == []
        stage(house, run_id="r2")
        world = rehearsal.world
        everybody = {name: world.customers_of(name) for name in FRONTS}
        with house.warehouse.read() as session:
            customers, orders = session.fetch("core.customers"), session.fetch("core.orders")
        written = on_disk(tmp_path / "state")
    for name, some in everybody.items():
        mine = [people.customer_payload(world.seed, customer) for customer in some]
        emails = {one["email"] for one in mine}
        assert emails, name
        # Family names of this world are common words; with the company's suffix, and e-mails, they are unmistakable.
        companies = {one["companyName"] for one in mine if one.get("companyName")}
        found = [word for word in (*emails, *companies, "Example Street") if word.lower().encode() in written]
        assert found == [], name
        hashed = customers.filter((pl.col("storefront") == name) & pl.col("email").is_not_null())["email"]
        assert hashed.str.ends_with("@hashed.invalid").all(), name
        assert orders.filter(pl.col("storefront") == name).height > 0, name
    assert orders.filter(pl.col("problem").is_not_null()).height <= orders.height // 10


@pytest.mark.parametrize(("rule", "left"), [("drop", [None, None, None]), ("hash", ["same", "same", None])])
def test_columns_of_plain_files_are_treated_alike(tmp_path: Path, rule: str, left: list[str | None]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "orders.csv").write_text(ORDERS, encoding="utf-8")
    raw = {
        "installation": {"state": "state"},
        "storefronts": {"web": {"kind": "files", "paths": {"orders": "in/orders.csv"}}},
        "privacy": {"email": rule, "salt": "env:SALT"},
    }
    house = House(settings=parse(raw, folder=tmp_path), environment=dict(OPENING))
    house.__dict__["mappings"] = {
        "statuses": pl.DataFrame(
            schema=dict.fromkeys(("storefront", "subject", "status", "mode", "status_code"), pl.String)
        )
    }
    assert extract(house, run_id="r1")["new"] == 3
    stage(house, run_id="r2")
    with house.warehouse.read() as session:
        orders = session.fetch("core.orders").sort("order_number")
    assert orders["customer_ref"].to_list() == ["C-1", "C-2", "C-3"]
    shown = orders["customer_email"].to_list()
    assert [None if one is None else "same" if one == shown[0] else one for one in shown] == left
    assert b"quetzal" not in on_disk(tmp_path / "state")
    assert extract(house, run_id="r3")["new"] == 0  # the same file again is nothing new
