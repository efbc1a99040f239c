"""What is written to X-Cart 5.5: stock, prices and statuses; what it has no place for is said."""

from __future__ import annotations

from decimal import Decimal

import pytest
from xcart_at_work import SIZE, Shop

from tieout.connectors.storefronts.xcart import XCart
from tieout.connectors.writes import (
    CustomerAccount,
    LedgerDocument,
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Shipment,
    StockChange,
    unknown_fields,
)
from tieout.errors import Refused
from tieout.sandbox.storefronts.xcart import READ_KEY
from tieout.sandbox.world.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(7, SIZE, ["xcart"])


@pytest.fixture
def shop(world):
    found = Shop(world)
    with found.server:
        yield found


def test_stock_is_written_by_change_through_the_way_from_sku_to_id(shop) -> None:
    courier = shop.courier()
    was = dict(shop.app.shop.stock)
    changes = [
        StockChange("MUG-1", None, was["MUG-1"] + 5),
        StockChange("MUG-2", None, was["MUG-2"]),
        StockChange("NONE-1", None, 1),
    ]
    done = list(courier.write_stock(changes))
    assert [(one.outcome, one.before, one.after) for one in done] == [
        ("written", was["MUG-1"], was["MUG-1"] + 5),
        ("unchanged", was["MUG-2"], was["MUG-2"]),
        ("refused", None, None),
    ]
    assert shop.app.shop.stock == {**was, "MUG-1": was["MUG-1"] + 5}
    assert list(courier.read_stock(changes)) == [was["MUG-1"] + 5, was["MUG-2"], None]
    assert [one.outcome for one in courier.write_stock(changes[:2])] == ["unchanged", "unchanged"]


def test_a_lost_answer_is_read_back_before_anything_is_sent_again(shop) -> None:
    courier = shop.courier()
    shop.fault("cut_after", match='{"amount":')
    done = next(iter(courier.write_stock([StockChange("MUG-1", None, 77, native_ref="1")])))
    assert (done.outcome, shop.app.shop.stock["MUG-1"]) == ("written", 77)
    assert shop.server.call_counts().get("PUT cut") == 1
    assert "PUT 200" not in shop.server.call_counts()


def test_stock_the_shop_does_not_count_is_refused(serve, say) -> None:
    stub = serve([say(body=b'{"id":1,"sku":"A","amount":0,"inventory_traceable":false}')])
    courier = XCart(api_url=f"{stub.url}/api", api_key="k" * 8)
    done = next(iter(courier.write_stock([StockChange("A", None, 3, native_ref="1")])))
    assert (done.outcome, [one.method for one in stub.seen]) == ("refused", ["GET"])


def test_a_read_only_key_may_not_write(shop) -> None:
    with pytest.raises(Refused, match="read-only key may not write"):
        list(shop.courier(READ_KEY).write_stock([StockChange("MUG-1", None, 9999, native_ref="1")]))


def write(courier, *writes):
    return [(one.outcome, one.before, one.after) for one in courier.write(writes)]


def test_every_field_is_written_or_said_to_be_unsupported(shop) -> None:
    courier = shop.courier()
    order_id = next(one for one in shop.app.shop.newest() if shop.app.shop.find(one).shipping == "P")
    ref = str(order_id)
    status = OrderStatus(key="s", order_ref=ref, status_code="complete")
    price = Price(key="p", sku="MUG-3", currency="USD", amount=Decimal("123456789.15"))
    assert write(courier, status, status) == [("written", "P", "S"), ("unchanged", "S", "S")]
    assert write(courier, price)[0][0::2] == ("written", "123456789.15")
    assert write(courier, price)[0][0] == "unchanged"
    assert shop.app.shop.prices["MUG-3"] == 12_345_678_915
    unsupported = [
        LedgerDocuments(key="d", order_ref=ref, documents=(LedgerDocument("invoice", "INV-1", "17"),)),
        PaidState(key="a", order_ref=ref, state="paid"),
        CustomerAccount(key="c", customer_ref="1", customer_id="C1"),
        OrderStatus(key="x", order_ref=ref, status_code="cancelled"),
        Shipment(key="h", order_ref=ref, shipment_ref="1", tracking_number="1Z", is_whole=False),
        Price(key="l", sku="MUG-3", currency="USD", amount=Decimal(1), level="gold"),
    ]
    calls = shop.server.call_counts()
    results = list(courier.write(unsupported))
    assert [one.outcome for one in results] == ["unsupported"] * len(unsupported)
    assert all(one.detail.endswith(".") for one in results)
    assert shop.server.call_counts() == calls
    assert (
        unknown_fields({"order.status": None, "order.shipment": None, "price": None}, courier.cannot_write())
        == []
    )


def test_a_tracking_number_is_said_to_be_unsupported_while_the_shipment_is_told(shop) -> None:
    order_id = next(one for one in shop.app.shop.newest() if shop.app.shop.find(one).shipping == "N")
    told = next(
        iter(
            shop.courier().write(
                [
                    Shipment(
                        key="h",
                        order_ref=str(order_id),
                        shipment_ref="1",
                        tracking_number="1Z9",
                        is_whole=True,
                    )
                ]
            )
        )
    )
    assert (told.outcome, told.after) == ("written", "S")
    assert "takes no tracking number" in told.detail
    assert shop.app.shop.find(order_id).tracking == []


def test_an_order_that_is_not_there_refuses_that_write_alone(shop) -> None:
    gone = OrderStatus(key="g", order_ref="999999", status_code="complete")
    price = Price(key="p", sku="MUG-4", currency="USD", amount=Decimal("9.99"))
    assert [one.outcome for one in shop.courier().write([gone, price])] == ["refused", "written"]
