"""Writing fields back to commercetools against its stand-in, over HTTP: absolute, once, and told honestly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tieout.connectors.http import RetryPolicy
from tieout.connectors.storefronts.commercetools import Commercetools
from tieout.connectors.writes import (
    CustomerAccount,
    LedgerDocument,
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Shipment,
    ShippedLine,
    StockChange,
    Write,
    WriteResult,
    answered,
    unknown_fields,
)
from tieout.errors import Conflict, InputError, OutcomeUnknown, Rejected
from tieout.sandbox.rehearsal import Rehearsal
from tieout.sandbox.world.catalog import CLIENT_ID, CLIENT_SECRET, PROJECT_KEY


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with Rehearsal(7, 600, only="commercetools") as running:
        yield running


@pytest.fixture
def shop(rehearsal: Rehearsal) -> Iterator[Commercetools]:
    rehearsal.board.clear()
    url = rehearsal.servers["commercetools"].url
    client = Commercetools(
        api_url=url,
        auth_url=url,
        project_key=PROJECT_KEY,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        sync_channel="intacct",
        http_options={
            "policy": RetryPolicy(attempts=3, base_seconds=0.01, cap_seconds=0.02),
            "timeout": (2, 2),
        },
    )
    yield client
    client.close()
    rehearsal.board.clear()


_USED: set[str] = set()


def order_of(rehearsal: Rehearsal, *, multiple: bool = False) -> dict[str, Any]:
    """An order that no other test has touched."""
    fresh = next(
        one.id
        for one in rehearsal.world.orders()
        if one.multiple is multiple and one.line.scenario != "cancelled" and one.id not in _USED
    )
    _USED.add(fresh)
    found = rehearsal.world.order_list.find(fresh)
    assert found is not None
    return rehearsal.world.order_list.payload(found)


def held(rehearsal: Rehearsal, order: dict[str, Any]) -> dict[str, Any]:
    place = rehearsal.world.order_list.find(order["id"])
    assert place is not None
    return rehearsal.world.order_list.payload(place)


def documents(order: dict[str, Any], *numbers: str) -> LedgerDocuments:
    known = tuple(LedgerDocument("invoice", number, f"key-{number}") for number in numbers)
    return LedgerDocuments(key=order["id"], order_ref=order["id"], documents=known)


def outcome(shop: Commercetools, write: Write) -> tuple[str, str | None, str | None]:
    (result,) = shop.write([write])
    return result.outcome, result.before, result.after


@pytest.mark.parametrize("kind", [None, "stale_version", "cut_before", "cut_after", "server_error"])
def test_a_document_number_is_noted_once_whatever_happens(
    rehearsal: Rehearsal, shop: Commercetools, kind: str | None
) -> None:
    order = order_of(rehearsal)
    if kind:
        rehearsal.board.add({"app": "commercetools", "kind": kind, "match": '"updateSyncInfo"', "times": 1})
    assert outcome(shop, documents(order, "U1"))[0] == "written"
    (entry,) = held(rehearsal, order)["syncInfo"]
    assert entry["externalId"] == "U1"
    assert outcome(shop, documents(order, "U1")) == ("unchanged", "U1", "U1")
    assert outcome(shop, documents(order, "U1", "U1-2")) == ("written", "U1", "U1, U1-2")
    assert len(held(rehearsal, order)["syncInfo"]) == 1


def test_paid_state_and_order_state_change_by_value_only(rehearsal: Rehearsal, shop: Commercetools) -> None:
    order = order_of(rehearsal)
    version = order["version"]
    for state, word in (("partly_paid", "BalanceDue"), ("paid", "Paid"), ("credit_owed", "CreditOwed")):
        shop_word = held(rehearsal, order).get("paymentState")
        found = outcome(shop, PaidState(key="k", order_ref=order["id"], state=state))  # type: ignore[arg-type]
        assert found == ("unchanged" if shop_word == word else "written", shop_word, word)
        assert held(rehearsal, order)["paymentState"] == word
    outcome(shop, OrderStatus(key="k", order_ref=order["id"], status_code="processing"))
    assert held(rehearsal, order)["orderState"] == "Confirmed"
    version = held(rehearsal, order)["version"]
    again = outcome(shop, OrderStatus(key="k", order_ref=order["id"], status_code="processing"))
    assert again == ("unchanged", "Confirmed", "Confirmed")
    assert held(rehearsal, order)["version"] == version


def test_a_state_the_platform_does_not_have_is_refused_and_the_next_goes_on(
    rehearsal: Rehearsal, shop: Commercetools
) -> None:
    order = order_of(rehearsal)
    results = list(
        shop.write(
            [
                OrderStatus(key="a", order_ref=order["id"], status_code="held"),
                PaidState(key="b", order_ref="no-such-order", state="paid"),
                documents(order, "U9"),
            ]
        )
    )
    assert [one.outcome for one in results] == ["refused", "refused", "written"]
    assert "held" in results[0].detail
    assert "404" in results[1].detail


def shipment(order: dict[str, Any], **more: Any) -> Shipment:
    line = ShippedLine(order["lineItems"][0]["id"], Decimal(1))
    given = {"carrier": "Parcel Co", "tracking_number": "T-1", "is_whole": True, **more}
    return Shipment(
        key=f"ship-{order['orderNumber']}",
        order_ref=order["id"],
        shipment_ref="s1",
        lines=(line,),
        **given,
    )


def deliveries(order: dict[str, Any]) -> list[dict[str, Any]]:
    infos = [order.get("shippingInfo"), *(one["shippingInfo"] for one in order["shipping"])]
    return [one for info in infos if info for one in info["deliveries"]]


@pytest.mark.parametrize("multiple", [False, True])
@pytest.mark.parametrize("kind", [None, "cut_after", "stale_version"])
def test_a_shipment_is_one_delivery_however_often_it_is_told(
    rehearsal: Rehearsal, shop: Commercetools, kind: str | None, multiple: bool
) -> None:
    order = order_of(rehearsal, multiple=multiple)
    before = len(deliveries(order))
    if kind:
        rehearsal.board.add({"app": "commercetools", "kind": kind, "match": '"addDelivery"', "times": 1})
    assert outcome(shop, shipment(order))[0] == "written"
    assert outcome(shop, shipment(order))[0] == "unchanged"
    found = deliveries(held(rehearsal, order))
    assert len(found) == before + 1
    assert found[-1]["key"] == f"ship-{order['orderNumber']}"
    assert found[-1]["parcels"][0]["trackingData"]["trackingId"] == "T-1"
    assert held(rehearsal, order)["shipmentState"] in ("Shipped", "Delivered")
    assert outcome(shop, shipment(order, tracking_number="T-2"))[0] == "written"
    tracked = deliveries(held(rehearsal, order))[-1]["parcels"]
    assert [one["trackingData"]["trackingId"] for one in tracked] == ["T-1", "T-2"]


def test_part_of_a_piece_cannot_be_shipped_and_says_so(rehearsal: Rehearsal, shop: Commercetools) -> None:
    order = order_of(rehearsal)
    half = Shipment(
        key="half", order_ref=order["id"], shipment_ref="s", lines=(ShippedLine("x", Decimal("0.5")),)
    )
    (result,) = shop.write([half])
    assert (result.outcome, "whole pieces" in result.detail) == ("refused", True)


def price_of(rehearsal: Rehearsal, key: str) -> int:
    listed = rehearsal.world.price_list
    return next(one["value"]["centAmount"] for one in map(listed.payload, listed.by_id) if one["key"] == key)


def test_prices_are_written_exactly_in_the_currencys_own_digits(
    rehearsal: Rehearsal, shop: Commercetools
) -> None:
    results = list(
        shop.write(
            [
                Price(key="a", sku="MUG-1", currency="USD", amount=Decimal("12.34")),
                Price(key="b", sku="MUG-1", currency="JPY", amount=Decimal(1500)),
                Price(key="c", sku="MUG-1", currency="KWD", amount=Decimal("3.125")),
                Price(key="d", sku="MUG-1", currency="USD", amount=Decimal("11.00"), level="trade"),
                Price(key="e", sku="MUG-1", currency="JPY", amount=Decimal("1500.5")),
                Price(key="f", sku="NONE", currency="USD", amount=Decimal(1)),
                Price(key="g", sku="MUG-1", currency="USD", amount=Decimal("12.34")),
                Price(key="h", sku="MUG-1", currency="USD", amount=Decimal(1), level="nobody"),
            ]
        )
    )
    assert [one.outcome for one in results] == [
        "written", "written", "written", "written", "refused", "refused", "unchanged", "refused",
    ]  # fmt: skip
    assert "more than 0 decimals" in results[4].detail
    assert "no standalone prices" in results[5].detail
    assert [price_of(rehearsal, f"mug-1.{store}") for store in ("us-web", "jp-web", "kw-web", "us-web.trade")] == [
        1234, 1500, 3125, 1100,
    ]  # fmt: skip


def test_a_customer_gets_the_account_once(rehearsal: Rehearsal, shop: Commercetools) -> None:
    ref = rehearsal.world.customer_list.ids[0]
    write = CustomerAccount(key="k", customer_ref=ref, customer_id="C-10001")
    assert outcome(shop, write) == ("written", None, "C-10001")
    assert outcome(shop, write) == ("unchanged", "C-10001", "C-10001")


def test_without_a_channel_documents_are_unsupported_and_not_faked(rehearsal: Rehearsal) -> None:
    url = rehearsal.servers["commercetools"].url
    bare = Commercetools(
        api_url=url,
        auth_url=url,
        project_key=PROJECT_KEY,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    assert set(bare.cannot_write()) == {"order.document"}
    (result,) = bare.write([documents({"id": "x"}, "U1")])
    assert (result.outcome, "sync_channel" in result.detail) == ("unsupported", True)


def test_stock_is_read_back_row_by_row(rehearsal: Rehearsal, shop: Commercetools) -> None:
    changes = [
        StockChange("MUG-2", "wh-east", 41),
        StockChange("NO-SUCH", "wh-east", 1),
        StockChange("MUG-2", "nowhere", 1),
    ]
    list(shop.write_stock(changes[:1]))
    assert list(shop.read_stock(changes)) == [41, None, None]


# ---- what is alike everywhere ----------------------------------------------------------------------------------


def test_a_field_nobody_speaks_for_is_a_mistake_of_the_courier() -> None:
    write = PaidState(key="k", order_ref="o", state="paid")
    with pytest.raises(InputError):
        list(answered([write], {}, {}))
    assert unknown_fields({}, {"order.paid_state": "no"}) == [
        "customer.account", "order.document", "order.shipment", "order.status", "price",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("faults", "wanted"),
    [
        ([], "unchanged"),
        ([Conflict("c")], "unchanged"),
        ([OutcomeUnknown("u")], "written"),
        ([OutcomeUnknown("u"), Conflict("c")], "unchanged"),
        ([Rejected("r")], "refused"),
        ([Conflict("c")] * 5, "refused"),
    ],
)
def test_an_answer_that_was_lost_is_read_back_before_it_is_believed(
    faults: list[Exception], wanted: str
) -> None:
    waiting = list(faults)

    def writer(write: Write) -> WriteResult:
        if waiting:
            raise waiting.pop(0)
        return WriteResult(write, "unchanged", "paid", "paid")

    write = PaidState(key="k", order_ref="o", state="paid")
    (result,) = answered([write], {"order.paid_state": writer}, {})
    assert result.outcome == wanted
