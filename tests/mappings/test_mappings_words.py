"""Status words of commercetools and Magento: what each kind knows by itself, what a row of statuses.csv changes, and what waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from shelf import NOW, shelf_house
from staged_orders import landed, sound

import checks.rules  # noqa: F401
from checks.contracts import ALL
from checks.findings import Limits, run
from flows.mappings.status_words import own_words, words_of
from tieout.vocabulary import ORDER_STATUSES, PAYMENT_STATES, SHIPMENT_STATES
from transforms.storefronts import commercetools, magento
from transforms.storefronts import commercetools_settings as known
from transforms.storefronts import magento_settings as known_magento
from transforms.storefronts.commercetools_settings import CommercetoolsSettings
from transforms.storefronts.magento_settings import MagentoSettings

GOLDEN = Path(__file__).parents[1] / "golden"
TOLD: dict[str, Any] = {"storefront": "shop", "run_id": "r"}


def payload(kind: str, case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / kind / f"{case}.input.json").read_text(encoding="utf-8"))
    return found


def delivered(state: str | None, words: dict[str, str]) -> dict[str, pl.DataFrame]:
    """A commercetools order with deliveries whose shipment state is this one."""
    order = payload("commercetools", "shipping_fee_discount_row")
    order.pop("shipmentState", None)
    items = [{"id": order["lineItems"][0]["id"], "quantity": 1}]
    order["shippingInfo"]["deliveries"] = [
        {"id": "d", "createdAt": "2026-09-03T09:00:00.000Z", "items": items}
    ]
    if state is not None:
        order["shipmentState"] = state
    settings = CommercetoolsSettings(shipments=words)
    return dict(sound(commercetools.orders(landed(json.dumps(order)), settings=settings, **TOLD)).frames)


def test_deliveries_alone_count_until_the_shop_s_shipment_states_have_words() -> None:
    """They are set by hand or by integrations (commercetools API reference, ShipmentState), so by themselves they say nothing."""
    usual = {**known.SHIPMENTS, "AtCarrier": "shipped", "Packed": "expected"}
    for state in ("Shipped", "Pending", "Canceled", "AtCarrier", None):
        found = delivered(state, {})
        assert found["core.shipments"].height, state
        assert found["core.orders"]["shipped_at"].null_count() == 0
    leaves = {state: delivered(state, usual)["core.shipments"].height > 0 for state in [*usual, None]}
    assert leaves == {**{state: word == "shipped" for state, word in usual.items()}, None: True}
    waiting = delivered("Packed", usual)["core.orders"].row(0, named=True)
    assert (waiting["shipped_at"], waiting["problem"]) == (None, None)


def test_a_shipment_state_without_a_word_holds_its_order_where_they_count() -> None:
    orders = delivered("Vor Ort", dict(known.SHIPMENTS))["core.orders"]
    tables = {"core.orders": ALL["core.orders"].shaped(orders)}
    found = run(tables, run_id="r", limits=Limits(now=NOW), codes=["status_unmapped"])
    assert found["severity"].to_list() == ["hold"]
    row = "shop,shipment,Vor Ort,map,<expected, shipped or cancelled>,"
    assert found["sentence"].item().endswith(f"add to statuses.csv: {row}")


def test_order_and_transaction_states_of_commercetools_take_words() -> None:
    order = payload("commercetools", "state_unknown")
    held = commercetools.orders(landed(json.dumps(order)), **TOLD)["core.orders"]
    assert held.select("status_code", "problem").row(0) == (
        "held",
        "status_unknown: the status 'Parked' has no meaning here",
    )
    settings = CommercetoolsSettings(
        states={**known.STATES, "Parked": "processing"},
        transaction_states={**known.TRANSACTION_STATES, "Cleared": "success"},
    )
    free = commercetools.orders(landed(json.dumps(order)), settings=settings, **TOLD)["core.orders"]
    assert free.select("status_code", "problem").row(0) == ("processing", None)
    amount = {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 500, "fractionDigits": 2}
    payment = {
        "id": "p",
        "transactions": [
            {"id": nth, "type": "Charge", "amount": amount, "state": state}
            for nth, state in (("a", "Success"), ("b", "Cleared"), ("c", "Vorbei"), ("d", None))
        ],
    }
    raw = landed(json.dumps(payment))
    rows = commercetools.payments(raw, settings=settings, **TOLD)["core.payments"]
    assert rows["state_code"].to_list() == ["success", "success", "pending", "pending"]
    assert rows["problem"].to_list()[2:] == [
        "status_unknown: the payment status 'Vorbei' has no meaning here",
        "payload_unreadable: the transaction's state is missing",
    ]
    assert rows["amount_minor"].to_list() == [500, 500, 0, 0]


@pytest.mark.parametrize(
    ("state", "status", "ours", "problem"),
    [
        ("processing", "processing", "processing", None),
        ("processing", "ready_for_pickup", "processing", None),
        ("processing", "on_the_shelf", "held", None),
        ("weird", "on_the_shelf", "held", None),
        ("weird", "weird", "held", "status_unknown: the status 'weird' has no meaning here"),
        ("mapped_state", None, "open", None),
        (None, None, "held", "payload_unreadable: state is missing"),
    ],
)
def test_a_status_of_a_magento_shop_s_own_counts_before_its_state(
    state: str | None, status: str | None, ours: str, problem: str | None
) -> None:
    """Shops add statuses and assign each to one of Magento's states; only those with a row of the shop's own say more than the state."""
    order = {**payload("magento", "gift_wrapping"), "state": state, "status": status}
    settings = MagentoSettings(
        states={**known_magento.STATES, "mapped_state": "open"}, statuses={"on_the_shelf": "held"}
    )
    found = magento.orders(landed(json.dumps(order)), settings=settings, **TOLD)["core.orders"]
    assert found.select("status_code", "problem").row(0) == (ours, problem)


def test_states_of_magento_documents_take_words() -> None:
    memo = {
        "entity_id": 9, "order_id": 73, "state": 4, "order_currency_code": "USD", "grand_total": 5, "created_at": "2024-08-12 10:00:00",
        "items": [{"entity_id": 11, "order_item_id": 140, "qty": 1}],
    }  # fmt: skip
    orders = magento.known_orders(landed())
    raw = landed(json.dumps(memo))
    for call in (magento.invoices, magento.creditmemos):
        [row] = call(raw, orders=orders, **TOLD)["core.payments"].iter_rows(named=True)
        assert row["problem"] == "status_unknown: the payment status '4' has no meaning here"
        assert row["state_code"] == "pending"
        states = {**known_magento.DOCUMENT_STATES, "4": "failure"}
        found = call(raw, orders=orders, states=states, **TOLD)
        assert found["core.payments"].select("state_code", "problem").row(0) == ("failure", None)
    assert found["core.returns"].is_empty()


def test_what_the_kinds_know_by_themselves_is_in_our_words() -> None:
    assert set(known.STATES.values()) | set(known_magento.STATES.values()) <= set(ORDER_STATUSES)
    assert set(known.SHIPMENTS.values()) == set(SHIPMENT_STATES)
    assert set(known.TRANSACTION_STATES.values()) | set(known_magento.DOCUMENT_STATES.values()) <= set(PAYMENT_STATES)  # fmt: skip


def test_rows_of_a_storefront_s_own_name_switch_its_shipment_states_on(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mappings"
    folder.mkdir(parents=True)
    (folder / "statuses.csv").write_text(
        "storefront,subject,status,mode,status_code,note\n"
        "*,shipment,Ready,map,shipped,\nshop,shipment,Packed,map,expected,\nshop,shipment,Lost,ignore,,\nother,shipment,Gone,map,shipped,\n"
    )
    house = shelf_house(tmp_path)
    house.__dict__.pop("mappings", None)
    assert own_words(house, "shop", "shipment") == {"Packed": "expected", "Lost": "expected"}
    assert own_words(house, "third", "shipment") == {}
    words = words_of(house, "shop", "shipment", known.SHIPMENTS)
    assert (words["Ready"], words["Packed"], words["Shipped"]) == ("expected", "expected", "shipped")
