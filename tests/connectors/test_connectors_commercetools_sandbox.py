"""The commercetools courier against the stand-in, as its own process, with faults switched on at the control
door.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tieout.connectors.http import RetryPolicy
from tieout.connectors.paging import Window
from tieout.connectors.storefronts.commercetools import Commercetools, StockChange
from tieout.errors import Incomplete, MalformedReply, Unreachable

ROOT = Path(__file__).resolve().parents[2]
WORLD_SECRET = "demo-secret"


class Door:
    """The control door of a running sandbox."""

    def __init__(self, addresses: dict) -> None:
        self.addresses = addresses
        self.url = addresses["control"]["url"]

    def call(self, method: str, path: str, body: object = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def fault(self, kind: str, **options) -> None:
        self.call("POST", "/faults", {"app": "commercetools", "kind": kind, **options})


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sandbox")
    place = folder / "addresses.json"
    command = [
        sys.executable,
        "-m",
        "tieout.sandbox",
        "--orders",
        "400",
        "--ledger",
        "empty",
        "--addresses",
        str(place),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "commercetools"], cwd=ROOT, stdout=log, stderr=log)
    try:
        for _ in range(400):
            if place.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert place.exists(), (folder / "log").read_text()
        yield Door(json.loads(place.read_text()))
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def door(sandbox):
    sandbox.call("DELETE", "/faults")
    yield sandbox
    sandbox.call("DELETE", "/faults")


def courier(door, **options) -> Commercetools:
    place = door.addresses["commercetools"]
    policy = RetryPolicy(attempts=4, base_seconds=0.01, cap_seconds=0.05)
    return Commercetools(
        api_url=place["api_url"],
        auth_url=place["auth_url"],
        project_key=place["project_key"],
        client_id=place["client_id"],
        client_secret=WORLD_SECRET,
        http_options={"policy": policy, "timeout": (2, 5)},
        **options,
    )


def refs(client, subject="orders", window=None):
    return [record.native_ref for page in client.read(subject, window) for record in page.records]


def test_every_subject_is_read_whole_with_its_count_as_proof(door):
    client = courier(door, page_size=200)
    assert client.ping() == []
    for subject in client.subjects():
        found = refs(client, subject)
        assert len(found) == len(set(found)) == client.count(subject) > 0


def test_a_window_walk_finds_what_a_whole_walk_finds(door):
    client = courier(door, page_size=97)
    year = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    middle = datetime(2026, 10, 1, tzinfo=UTC)
    whole = refs(client)
    assert sorted(refs(client, window=year)) == sorted(whole)
    halves = refs(client, window=Window(None, middle)) + refs(client, window=Window(middle, None))
    assert sorted(halves) == sorted(whole)


def test_landed_payloads_hold_no_interactions(door):
    for page in courier(door).read("payments"):
        for record in page.records:
            assert b"interfaceInteractions" not in record.payload
            json.loads(record.payload)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("throttle", {"times": 2, "seconds": 0}),
        ("unavailable", {"times": 2}),
        ("server_error", {"times": 2}),
        ("cut_before", {"times": 2}),
        ("cut_after", {"times": 1}),
        ("truncate", {"times": 1}),
        ("truncate", {"times": 1, "how": "short"}),
        ("garbage", {"times": 2}),
        ("wrong_charset", {"times": 1}),
        ("expire_token", {"times": 1}),
        ("repeat_page", {"times": 1, "after": 1}),
    ],
)
def test_a_walk_survives_a_passing_fault_and_reads_the_same(door, kind, options):
    client = courier(door, page_size=100)
    healthy = refs(client)
    door.fault(kind, match="/orders", **options)
    assert refs(client) == healthy


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("repeat_forever", Incomplete),
        ("garbage", MalformedReply),
        ("truncate", MalformedReply),
        ("unavailable", Unreachable),
    ],
)
def test_a_lasting_fault_ends_in_one_sentence(door, kind, error):
    client = courier(door, page_size=100)
    walk = client.read("orders")
    next(walk)
    door.fault(kind, match="/orders", times=None)
    with pytest.raises(error) as caught:
        list(walk)
    assert "\n" not in str(caught.value)
    assert WORLD_SECRET not in str(caught.value)


def stock(client, sku):
    for page in client.read("inventory"):
        for record in page.records:
            row = json.loads(record.payload)
            if row["sku"] == sku:
                yield row


@pytest.mark.parametrize(
    "kind", [None, "stale_version", "cut_before", "cut_after", "server_error", "garbage"]
)
def test_stock_ends_as_planned_whatever_happens_to_the_first_write(door, kind):
    client = courier(door)
    first = json.loads(next(client.read("inventory")).records[0].payload)
    wanted = first["quantityOnStock"] + 5
    channel = (first.get("supplyChannel") or {}).get("id")
    if kind:
        door.fault(kind, match=f"/inventory/{first['id']}", times=1)
    (result,) = client.write_stock([StockChange(first["sku"], channel, wanted)])
    assert (result.outcome, result.after) == ("written", wanted)
    now = next(row for row in stock(client, first["sku"]) if row["id"] == first["id"])
    assert now["quantityOnStock"] == wanted
    (again,) = client.write_stock([StockChange(first["sku"], channel, wanted)])
    assert again.outcome == "unchanged"


@pytest.mark.parametrize("kind", [None, "cut_after"])
def test_a_missing_row_is_created_once(door, kind):
    client = courier(door)
    sku = f"NEW-{kind}"
    if kind:
        door.fault(kind, match=f'"{sku}"', times=1)
    (result,) = client.write_stock([StockChange(sku, "wh-east", 4)])
    assert (result.outcome, result.before, result.after) == ("written", None, 4)
    assert [row["quantityOnStock"] for row in stock(client, sku)] == [4]
