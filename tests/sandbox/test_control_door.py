"""The control door, and the whole rehearsal as a process: addresses, faults, reset, stock, tampering, answer key."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tieout.sandbox.control import Control
from tieout.sandbox.rehearsal import Rehearsal
from tieout.sandbox.server import Server
from tieout.sandbox.world.catalog import CLIENT_ID, CLIENT_SECRET, PROJECT_KEY


class Door:
    def __init__(self, rehearsal: Rehearsal, url: str) -> None:
        self.rehearsal, self.url = rehearsal, url

    def get(self, path: str) -> Any:
        reply = requests.get(f"{self.url}{path}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        reply = requests.post(f"{self.url}{path}", json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    def shop(self, path: str) -> Any:
        url = self.rehearsal.servers["commercetools"].url
        form = {"grant_type": "client_credentials"}
        token = requests.post(f"{url}/oauth/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET)).json()[
            "access_token"
        ]
        return requests.get(f"{url}/{PROJECT_KEY}/{path}", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with Rehearsal(5, 700, only="commercetools") as running:
        yield running


@pytest.fixture
def door(rehearsal: Rehearsal) -> Iterator[Door]:
    with Server(Control(rehearsal)) as server:
        yield Door(rehearsal, server.url)
    rehearsal.reset()


def test_addresses_never_hold_a_secret(door: Door) -> None:
    found = door.get("/addresses")
    assert found["commercetools"]["project_key"] == PROJECT_KEY
    assert found["now"].startswith("2026-11-02T03:00")
    assert CLIENT_SECRET not in json.dumps(found)


def test_faults_are_added_listed_struck_and_cleared(door: Door) -> None:
    added = door.post(
        "/faults",
        [{"app": "commercetools", "kind": "unavailable", "times": 2}, {"kind": "latency", "seconds": 0}],
    )
    assert [fault["kind"] for fault in added["faults"]] == ["unavailable", "latency"]
    url = door.rehearsal.servers["commercetools"].url
    assert requests.post(f"{url}/oauth/token").status_code == 503
    listed = door.get("/faults")
    assert {fault["kind"]: fault["fired"] for fault in listed["faults"]} == {"unavailable": 1}
    assert "stale_version" in listed["kinds"]["commercetools"]
    assert "cut_after" in listed["kinds"]["*"]
    only = listed["faults"][0]["id"]
    assert requests.delete(f"{door.url}/faults/{only}").json() == {"removed": 1}
    assert requests.delete(f"{door.url}/faults").json() == {"removed": 0}
    assert requests.post(f"{url}/oauth/token").status_code == 401


@pytest.mark.parametrize("body", [{"kind": 3}, {}, "text", [1]])
def test_malformed_faults_get_a_sentence(door: Door, body: Any) -> None:
    assert door.post("/faults", body, 400)["error"]
    assert door.get("/faults")["faults"] == []


def test_unknown_doors_list_the_known_ones(door: Door) -> None:
    reply = requests.get(f"{door.url}/nothing")
    assert reply.status_code == 404
    assert "GET /answer-key" in reply.json()["doors"]
    assert requests.post(f"{door.url}/tamper", data=b"{").status_code == 400


def test_calls_are_counted(door: Door) -> None:
    door.post("/reset", {})
    door.shop("orders")
    door.shop("nothing")
    assert door.get("/calls") == {"commercetools": {"total": 4, "GET 200": 1, "GET 404": 1, "POST 200": 2}}


def test_the_answer_key_is_here_and_counts_itself(door: Door) -> None:
    key = door.get("/answer-key")
    assert key["seed"] == 5
    assert sum(key["counts"].values()) == len(key["faults"]) > 20
    assert {"kind", "side", "order_number", "order_ref", "document", "payment_ref", "expected_code", "expected_family",
            "period", "currency", "delta_minor"} <= set(key["faults"][0])  # fmt: skip
    assert not key["ledger_seeded"]
    assert {fault["side"] for fault in key["faults"]} == {"storefront", "payload", "ledger"}
    assert {f["kind"] for f in key["faults"] if f["side"] == "ledger"} <= {"ledger_precision"}


def test_an_edited_order_changes_totals_version_and_stamp(door: Door) -> None:
    before = door.shop("orders/order-number=W100300").json()
    said = door.post("/tamper", {"op": "order_edited", "order_number": "W100300", "delta_minor": 700})
    after = door.shop("orders/order-number=W100300").json()
    assert said["version"] == after["version"] == before["version"] + 1
    assert after["totalPrice"]["centAmount"] == before["totalPrice"]["centAmount"] + 700
    assert (
        after["taxedPrice"]["totalGross"]["centAmount"]
        == before["taxedPrice"]["totalGross"]["centAmount"] + 700
    )
    assert after["taxedPrice"]["taxPortions"] == before["taxedPrice"]["taxPortions"]
    assert after["lastModifiedAt"] > "2026-11-02T03"
    newest = door.shop("orders?sort=lastModifiedAt desc&limit=1").json()["results"][0]
    assert newest["orderNumber"] == "W100300"


def test_deleted_and_cancelled_orders(door: Door) -> None:
    ref = door.shop("orders/order-number=W100301").json()["id"]
    door.post("/tamper", {"op": "order_deleted", "order_number": "W100301"})
    assert door.shop(f"orders/{ref}").status_code == 404
    assert door.shop("orders/order-number=W100301").status_code == 404
    assert door.shop("orders").json()["total"] == 699
    assert door.post("/tamper", {"op": "order_deleted", "order_number": "W100301"}, 400)["error"]
    door.post(
        "/tamper",
        {"op": "order_cancelled", "order_ref": door.shop("orders/order-number=W100302").json()["id"]},
    )
    assert door.shop("orders/order-number=W100302").json()["orderState"] == "Cancelled"
    door.post("/reset", {})
    assert door.shop("orders").json()["total"] == 700


def test_a_refund_after_the_fact(door: Door) -> None:
    order = next(row for row in door.shop("orders?limit=50").json()["results"] if "paymentInfo" in row)
    said = door.post("/tamper", {"op": "refund_added", "order_ref": order["id"], "amount_minor": 123})
    payment = door.shop(f"payments/{said['payment']}").json()
    assert payment["transactions"][-1]["type"] == "Refund"
    assert payment["transactions"][-1]["amount"]["centAmount"] == 123
    assert payment["lastModifiedAt"] > "2026-11-02T03"


def test_stock_is_shown_and_changed(door: Door) -> None:
    row = door.get("/stock")["stock"][0]
    said = door.post(
        "/tamper", {"op": "stock_changed", "sku": row["sku"], "channel": row["channel"], "quantity": 1234}
    )
    now = door.get("/stock")["stock"][0]
    assert (now["quantityOnStock"], now["version"]) == (1234, said["version"])
    assert now["availableQuantity"] - row["availableQuantity"] == 1234 - row["quantityOnStock"]


@pytest.mark.parametrize(
    "body",
    [{"op": "order_edited", "order_number": "W1", "delta_minor": 1}, {"op": "order_edited", "order_number": "W100300"},
     {"op": "explode"}, {}, [], {"op": "stock_changed", "sku": "none", "channel": "wh-east", "quantity": 1},
     {"app": "intacct", "op": "delete"}, {"op": "order_edited", "order_number": "W999999", "delta_minor": 1}],
)  # fmt: skip
def test_impossible_tampering_gets_a_sentence(door: Door, body: Any) -> None:
    assert door.post("/tamper", body, 400)["error"]


def test_no_ledger_is_said_plainly(door: Door) -> None:
    assert "no ledger" in requests.get(f"{door.url}/ledger").json()["error"]


# ---- the process ---------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tieout.sandbox", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_process_says_where_it_listens_and_stops_on_request(tmp_path: Path) -> None:
    place = tmp_path / "addresses.json"
    fault = json.dumps({"app": "commercetools", "kind": "unavailable"})
    process = run(
        "commercetools", "--orders", "50", "--seed", "3", "--addresses", str(place), "--fault", fault
    )
    try:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        assert json.loads(place.read_text()) == printed
        assert [path.name for path in tmp_path.iterdir()] == ["addresses.json"]
        assert (printed["seed"], printed["orders"], printed["pid"]) == (3, 50, process.pid)
        faults = requests.get(f"{printed['control']['url']}/faults").json()["faults"]
        assert [one["kind"] for one in faults] == ["unavailable"]
        assert "intacct" not in printed
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - started < 5
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--orders", "0"),
        ("--orders", "1000001"),
        ("--fault", "{"),
        ("--fault", "[]"),
        ("--fault", '{"kind": 1}'),
    ],
)
def test_bad_arguments_end_with_a_sentence(arguments: tuple[str, ...]) -> None:
    process = run("commercetools", *(("--orders", "50") if arguments[0] == "--fault" else ()), *arguments)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.startswith("tieout sandbox: ")
    assert "Traceback" not in said


def test_the_sandbox_needs_nothing_but_the_standard_library_and_lxml() -> None:
    script = (
        "import sys; before = set(sys.modules); import tieout.sandbox.__main__, tieout.sandbox.control; "
        "print('\\n'.join(sorted({n.split('.')[0] for n in set(sys.modules) - before})))"
    )
    listed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    outside = {name for name in listed if name not in sys.stdlib_module_names} - {"tieout", "lxml"}
    assert not {name for name in outside if not name.startswith("_")}


def test_every_token_ever_issued_is_told_and_forgotten_with_the_world(door: Door) -> None:
    door.shop("orders?limit=1")
    door.post("/faults", {"app": "commercetools", "kind": "expire_token"})
    assert door.shop("orders?limit=1").status_code == 401
    issued = door.get("/issued")
    assert list(issued) == ["commercetools"]
    assert len(set(issued["commercetools"])) == len(issued["commercetools"]) >= 2
    door.post("/reset", {})
    assert door.get("/issued") == {"commercetools": []}


def test_a_text_is_written_where_careless_shops_put_it(door: Door) -> None:
    paid = next(one["id"] for one in door.shop("orders?limit=50").json()["results"] if "paymentInfo" in one)
    said = door.post("/tamper", {"op": "text_written", "order_ref": paid, "text": "card 1"})
    order = door.shop(f"orders/{said['order_ref']}").json()
    assert (
        order["custom"]["fields"]["comment"] == order["billingAddress"]["additionalAddressInfo"] == "card 1"
    )
    assert all(name.endswith(" card 1") for name in order["lineItems"][0]["name"].values())
    assert said["payments"]
    payment = door.shop(f"payments/{said['payments'][0]}").json()
    assert payment["paymentStatus"]["interfaceText"] == "card 1"
    assert payment["interfaceInteractions"][-1]["fields"] == {"request": "card 1"}
