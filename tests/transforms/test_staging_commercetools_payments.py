"""Payments, customers and stock of commercetools become core tables; one bad transaction costs only itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from staged_orders import landed, sound

from transforms.staged import Staged
from transforms.storefronts import commercetools

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def payment(*moves: dict, **members) -> str:
    money = {"currencyCode": "EUR", "centAmount": 100, "fractionDigits": 2}
    rows = [
        {"id": f"t{number}", "type": "Charge", "state": "Success", "amount": money, **move}
        for number, move in enumerate(moves)
    ]
    whole = {
        "id": "p1",
        "interfaceId": "pi_1",
        "lastModifiedAt": "2026-09-09T11:00:00.000Z",
        "paymentMethodInfo": {"method": "CreditCard"},
    }
    return json.dumps({**whole, "transactions": rows, **members})


def paid(*payloads: str) -> Staged:
    return sound(commercetools.payments(landed(*payloads), storefront="shop", run_id="r"))


def test_transactions_in_our_words() -> None:
    types = ("Authorization", "CancelAuthorization", "Charge", "Refund", "Chargeback")
    table = paid(payment(*[{"type": one} for one in types], {"state": "Initial"}, {"state": "Failure"}))[
        "core.payments"
    ]
    assert table["kind_code"].to_list() == [
        "authorization",
        "void",
        "charge",
        "refund",
        "chargeback",
        "charge",
        "charge",
    ]
    assert table["state_code"].to_list() == ["success"] * 5 + ["pending", "failure"]


def test_reference_and_time_fall_back() -> None:
    stamp = "2026-09-03T09:14:12.000Z"
    table = paid(
        payment({"interactionId": "a", "interfaceId": "b", "timestamp": stamp}, {"interfaceId": "b"}, {})
    )["core.payments"]
    assert table["gateway_ref"].to_list() == ["a", "b", "pi_1"]
    later = datetime(2026, 9, 9, 11, tzinfo=UTC)
    assert table["occurred_at"].to_list() == [datetime(2026, 9, 3, 9, 14, 12, tzinfo=UTC), later, later]


EURO = {"currencyCode": "EUR", "fractionDigits": 2}
BAD_MOVES = [
    ({"amount": {**EURO, "centAmount": 1.5}}, "amount_not_exact"),
    ({"amount": {**EURO, "centAmount": -1}}, "payload_unreadable"),
    ({"amount": {"currencyCode": "XXQ", "centAmount": 1}}, "currency_unknown"),
    ({"amount": {"currencyCode": "JPY", "centAmount": 1, "fractionDigits": 2}}, "amount_not_exact"),
    ({"amount": None}, "payload_unreadable"),
    ({"type": "Tip"}, "payload_unreadable"),
    ({"state": "Maybe"}, "status_unknown"),
    ({"id": 5}, "payload_unreadable"),
]


@pytest.mark.parametrize(("move", "code"), BAD_MOVES)
def test_a_bad_transaction_moves_no_money_and_its_neighbours_stand(move: dict, code: str) -> None:
    found = paid(payment({}, move, {}), "not json")
    table = found["core.payments"]
    assert table["problem"].is_null().to_list() == [True, False, True, False]
    assert table["problem"][1].startswith(f"{code}: ")
    assert table["amount_minor"].to_list() == [100, 0, 100, 0]
    assert table["kind_code"][1] == table["kind_code"][3] == "authorization"
    assert table["payment_ref"].to_list() == ["p1", "p1", "p1", "n1"]


def test_customers_are_named_by_what_there_is() -> None:
    home = {"id": "a1", "streetName": "Rua A", "streetNumber": "5", "city": "Lisboa", "country": "PT"}
    rows = [
        {
            "id": "c1",
            "firstName": "Ana",
            "lastName": "Lima",
            "addresses": [{"id": "a0"}, home],
            "defaultBillingAddressId": "a1",
        },
        {"id": "c2", "companyName": "Lima Lda", "email": "x@example.test"},
        {"id": "c3", "email": "x@example.test", "firstName": 7},
        {"id": "c4", "customerNumber": "9" * 40},
        {"id": "c5"},
    ]
    found = sound(commercetools.customers(landed(*map(json.dumps, rows), "{"), storefront="shop", run_id="r"))
    table = found["core.customers"]
    assert table["name"].to_list() == ["Ana Lima", "Lima Lda", "x@example.test", "9" * 40, "c5"]
    assert table.row(0, named=True) | {
        "street": "Rua A 5",
        "city": "Lisboa",
        "country_code": "PT",
    } == table.row(0, named=True)
    assert found.problems["native_ref"].to_list() == ["n2", "n5"]


def test_stock_by_channel_key_with_reservations() -> None:
    rows = [
        {
            "id": "i1",
            "version": 7,
            "sku": "A",
            "supplyChannel": {"typeId": "channel", "id": "ch"},
            "quantityOnStock": 40,
            "availableQuantity": 37,
        },
        {"id": "i2", "sku": "A", "quantityOnStock": -1, "availableQuantity": -1},
        {"id": "i3", "sku": "B", "quantityOnStock": 1.5},
        {"id": "i4", "quantityOnStock": 1},
    ]
    raw = landed(*(json.dumps(row) for row in rows), refs=["i1", "i2", "i3", "i4"])
    raw = raw.with_columns(version_no=pl.lit(1, dtype=pl.Int64))
    channels = landed(json.dumps({"id": "ch", "key": "wh-east"}))
    found = sound(commercetools.stock(raw, storefront="shop", run_id="r", channels=channels))
    got = (
        found["core.stock"]
        .select("sku", "location_ref", "native_ref", "version_no", "on_hand_qty", "reserved_qty")
        .rows()
    )
    assert got == [
        ("A", "wh-east", "i1", 7, Decimal(40), Decimal(3)),
        ("A", "", "i2", 1, Decimal(-1), Decimal(0)),
    ]
    assert found.problems["native_ref"].to_list() == ["i3", "i4"]
    bare = sound(commercetools.stock(raw, storefront="shop", run_id="r"))
    assert bare["core.stock"]["location_ref"].to_list() == ["ch", ""]
