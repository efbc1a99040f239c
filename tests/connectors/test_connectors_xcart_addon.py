"""The courier of the X-Cart REST API add-on (5.0 to 5.4) against its stand-in over real HTTP, and what it refuses to build."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed, landed_records, sound

from tieout.connectors.http import RetryPolicy
from tieout.connectors.paging import Window
from tieout.connectors.storefronts.xcart_addon import XCartAddon
from tieout.connectors.writes import (
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Shipment,
    StockChange,
    unknown_fields,
)
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, Throttled, Unreachable
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Server
from tieout.sandbox.storefronts.xcart_addon import API_KEY
from tieout.sandbox.storefronts.xcart_addon import XCartAddon as StandIn
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.world import World
from transforms.storefronts import xcart_addon as staging

POLICY = RetryPolicy(attempts=3, base_seconds=0.001, cap_seconds=0.01)
GOLDEN = Path(__file__).parents[1] / "golden" / "xcart_addon"
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(7, 120, ["xcart_addon"])


class Shop:
    """A stand-in that runs, with its faults."""

    def __init__(self, world: World) -> None:
        self.board = FaultBoard()
        self.app = StandIn(world, self.board, lambda: NOW_MS)
        self.server = Server(self.app, board=self.board)

    def courier(self, key: str = API_KEY, **options) -> XCartAddon:
        http = {
            "policy": POLICY,
            "timeout": (2, 5),
            "sleep": lambda _: None,
            **options.pop("http_options", {}),
        }
        return XCartAddon(shop_url=self.server.url, api_key=key, http_options=http, **options)

    def fault(self, kind: str, **options) -> None:
        self.board.add({"app": "xcart_addon", "kind": kind, **options})


@pytest.fixture
def shop(world):
    found = Shop(world)
    with found.server:
        yield found


def records(courier, subject="orders", window=None):
    return [one for page in courier.read(subject, window) for one in page.records]


def refs(courier, subject="orders", window=None):
    return [one.native_ref for one in records(courier, subject, window)]


def test_the_world_comes_through_to_the_cent(shop, world) -> None:
    courier = shop.courier(page_size=30)
    assert courier.ping() == []
    found = sound(
        staging.orders(
            landed_records(records(courier)), storefront="x", run_id="r", settings=staging.XCartSettings()
        )
    )
    assert found.problems.is_empty()
    heads = {int(row["order_ref"]) - 1: row for row in found["core.orders"].iter_rows(named=True)}
    assert set(heads) == set(shop.app.shop.indexes)
    for index, head in heads.items():
        order = world.order(index)
        kinds = {
            kind: sum(row.net for row in order.rows if row.kind == kind)
            for kind in ("item", "shipping", "fee")
        }
        got = (
            head["total_minor"],
            head["tax_minor"],
            head["shipping_minor"],
            head["fees_minor"],
            head["discount_minor"],
        )
        assert got == (order.gross, order.tax, kinds["shipping"], kinds["fee"], -order.discount), index
        assert head["goods_minor"] + head["gift_card_minor"] == kinds["item"]
        assert head["placed_at"] == datetime.fromtimestamp(order.line.placed // 1000, UTC)
    paid = sound(staging.payments(landed_records(records(courier, "payments")), storefront="x", run_id="r"))
    charges = paid["core.payments"].filter(kind_code="charge", state_code="success")
    moved = [move for index in heads for _, move in world.order(index).charges()]
    assert sorted(charges.select("gateway_ref", "amount_minor").rows()) == sorted(
        (move.reference, move.minor) for move in moved
    )
    assert set(charges["order_ref"]) <= set(found["core.orders"]["order_ref"])
    stock = sound(staging.stock(landed_records(records(courier, "products")), storefront="x", run_id="r"))
    assert dict(stock["core.stock"].select("sku", "on_hand_qty").rows()) == shop.app.shop.stock
    people = sound(
        staging.customers(landed_records(records(courier, "customers")), storefront="x", run_id="r")
    )
    assert people["core.customers"].height == world.customers_size


def test_newest_first_and_no_further_than_one_page_behind_the_window(shop) -> None:
    courier = shop.courier(page_size=8)
    start = NOW - timedelta(days=8)
    before = courier.calls
    found = records(courier, window=Window(start))
    pages = courier.calls - before
    whole = [one for one in records(shop.courier()) if one.updated_at >= start]
    assert sorted(one.native_ref for one in found) == sorted(one.native_ref for one in whole)
    assert pages <= len(found) // 8 + 2
    shop.fault("no_sort", times=None)
    assert sorted(refs(courier, window=Window(start))) == sorted(one.native_ref for one in whole)
    assert courier.count("orders") is None


def test_an_older_payment_is_asked_for_again(shop) -> None:
    start = NOW - timedelta(days=3)
    near = refs(shop.courier(payments_look_back=timedelta(0)), "payments", Window(start))
    assert len(refs(shop.courier(), "payments", Window(start))) > len(near) > 0


def test_the_key_in_the_address_is_in_no_log_no_error_and_no_payload(shop, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for options, kind in (
        ({"key": "a-very-wrong-key"}, None),
        ({}, "truncate"),
        ({}, "unavailable"),
        ({}, "throttle"),
        ({}, "cut_before"),
    ):
        if kind:
            shop.fault(kind, times=None)
        with pytest.raises(Exception) as error:
            refs(shop.courier(**options))
        told += [str(error.value), repr(error.value.__context__), repr(error.value.__cause__)]
        shop.board.clear()
    courier = shop.courier()
    told += [
        repr(courier),
        *(one.payload.decode() for subject in ("orders", "payments") for one in records(courier, subject)),
    ]
    for secret in ("a-very-wrong-key", API_KEY):
        assert secret not in caplog.text
        assert not any(secret in one for one in told)
    assert not any("4111111111111111" in one for one in told)


# ── what cannot be built ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("verb", "path", "params"),
    [
        ("DELETE", "order", ()), ("DELETE", "order/5", ()), ("delete", "product", ()), ("GET", "order", (("_method", "delete"),)),
        ("PUT", "order", ()), ("PUT", "product/", ()), ("PUT", "product/0", ()), ("PUT", "product/x", ()), ("POST", "order/0", ()),
        ("POST", "ordertrackingnumber", ()),
    ],
)  # fmt: skip
def test_a_delete_and_a_write_without_an_id_cannot_be_built(shop, verb, path, params) -> None:
    before = shop.server.call_counts()
    with pytest.raises(InputError):
        shop.courier().call(verb, path, "anything", params=params, form={"model[amount]": "1"})
    assert shop.server.call_counts() == before


def test_nothing_the_courier_does_deletes(shop) -> None:
    courier = shop.courier()
    for subject in courier.subjects():
        records(courier, subject)
    list(courier.write_stock([StockChange("MUG-1", None, 1), StockChange("MUG-2", None, 1, native_ref="")]))
    list(
        courier.write(
            [
                OrderStatus(key="s", order_ref="", status_code="complete"),
                OrderStatus(key="t", order_ref="0 or 1", status_code="complete"),
            ]
        )
    )
    assert shop.app.deleted == []


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_stock_is_found_by_sku_written_by_change_and_read_back_after_a_lost_answer(shop) -> None:
    courier = shop.courier()
    held = shop.app.shop.stock["MUG-1"]
    changes = [
        StockChange("MUG-1", None, held + 5),
        StockChange("MUG-1", None, held + 5),
        StockChange("NONE-1", None, 1),
    ]
    done = list(courier.write_stock(changes))
    assert [(one.outcome, one.after) for one in done] == [
        ("written", held + 5),
        ("unchanged", held + 5),
        ("refused", None),
    ]
    assert list(courier.read_stock(changes[1:])) == [held + 5, None]
    shop.fault("cut_after", match="model%5Bamount%5D")
    assert [one.outcome for one in courier.write_stock([StockChange("MUG-1", None, 3)])] == ["written"]
    assert (shop.app.shop.stock["MUG-1"], shop.server.call_counts()["PUT cut"]) == (3, 1)


def test_statuses_tracking_numbers_and_prices_are_written_once(shop) -> None:
    courier = shop.courier()
    ref = str(next(one for one in shop.app.shop.newest() if shop.app.shop.find(one).shipping == "N"))
    told = [
        OrderStatus(key="s", order_ref=ref, status_code="complete"),
        Shipment(key="t", order_ref=ref, shipment_ref="1", tracking_number="1Z77", is_whole=True),
        Price(key="p", sku="MUG-3", currency="USD", amount=Decimal("12.30")),
    ]
    assert [one.outcome for one in courier.write(told)] == ["written"] * 3
    assert [one.outcome for one in courier.write(told)] == ["unchanged"] * 3
    assert shop.app.tracking[int(ref)] == ["1Z77"]
    assert (shop.app.shop.find(int(ref)).shipping, shop.app.shop.prices["MUG-3"]) == ("S", 1230)
    unsupported = [
        LedgerDocuments(key="d", order_ref=ref, documents=()),
        PaidState(key="a", order_ref=ref, state="paid"),
        OrderStatus(key="h", order_ref=ref, status_code="cancelled"),
        Shipment(key="n", order_ref=ref, shipment_ref="2"),
        Price(key="l", sku="MUG-3", currency="USD", amount=Decimal(1), level="gold"),
    ]
    assert {one.outcome for one in courier.write(unsupported)} == {"unsupported"}
    assert (
        unknown_fields({"order.status": None, "order.shipment": None, "price": None}, courier.cannot_write())
        == []
    )


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncate", MalformedReply), ("garbage", MalformedReply), ("wrong_charset", MalformedReply), ("unavailable", Unreachable),
        ("throttle", Throttled), ("revoke_key", Refused), ("repeat_forever", Incomplete),
    ],
)  # fmt: skip
def test_an_older_shop_that_stays_ill_ends_the_walk_with_one_sentence(shop, kind, error) -> None:
    pages = shop.courier(page_size=10).read("orders")
    next(pages)
    shop.fault(kind, times=None)
    with pytest.raises(error) as told:
        list(pages)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["truncate", "garbage", "wrong_charset", "cut_after", "throttle"])
def test_one_bad_answer_of_an_older_shop_is_asked_for_again(shop, kind) -> None:
    shop.fault(kind, after=1)
    assert len(refs(shop.courier(page_size=20))) == len(shop.app.shop.indexes)


def test_what_is_wrong_is_said_before_or_by_the_shop(serve, say) -> None:
    for wrong in ({"page_size": 0}, {"api_key": ""}):
        with pytest.raises(InputError):
            XCartAddon(**{"shop_url": "https://s.example.com", "api_key": "k" * 8, **wrong})
    with pytest.raises(InputError, match="no subject 'returns'"):
        refs(XCartAddon(shop_url="https://s.example.com", api_key="k" * 8), "returns")
    stub = serve([say(status=404, body=b"<html>")])
    with pytest.raises(Rejected, match="add-on is on"):
        refs(XCartAddon(shop_url=stub.url, api_key="k" * 8))


# ── staging ─────────────────────────────────────────────────────────────────────────────────────────────────

SOUND = {
    "orderId": 5, "orderNumber": "00005", "total": "61.45", "subtotal": 54, "taxAmount": 4.35, "shippingCost": "8.50", "paymentFee": 0,
    "discountValue": "5.40", "currency": "USD", "items": [{"itemId": 9, "sku": "MUG-1", "name": "Mug", "price": 18, "amount": 3}],
    "shippingStatus": {"id": 3, "code": "S"}, "paymentStatus": "Paid", "orderDate": 1722676447, "updateDate": "1722873764",
    "trackingNumber": "1Z", "customerInfo": {"email": "ana@example.com", "profileId": 31}, "billingInfo": {"firstname": "Ana"},
}  # fmt: skip


def staged(*orders: dict, **policy):
    raw = landed(*map(json.dumps, orders))
    return sound(staging.orders(raw, storefront="x", run_id="r", settings=staging.XCartSettings(**policy)))


def parts(found) -> list[int]:
    head = found["core.orders"].row(0, named=True)
    return [
        head[f"{name}_minor"]
        for name in ("goods", "discount", "shipping", "fees", "tax", "rounding", "total")
    ]


def test_texts_and_numbers_seconds_and_names_are_read_alike() -> None:
    found = staged(SOUND)
    assert parts(found) == [5400, -540, 850, 0, 435, 0, 6145]
    head = found["core.orders"].row(0, named=True)
    assert (head["problem"], head["status_code"], head["order_ref"], head["customer_ref"], head["customer_name"]) == (
        None, "complete", "5", "31", "Ana",
    )  # fmt: skip
    assert (head["placed_at"], head["changed_at"]) == (
        datetime(2024, 8, 3, 9, 14, 7, tzinfo=UTC),
        datetime(2024, 8, 5, 16, 2, 44, tzinfo=UTC),
    )
    numbers = {
        **SOUND,
        "total": 61.45,
        "discountValue": -5.4,
        "shippingCost": 8.5,
        "paymentStatus": {"code": "P"},
        "shippingStatus": "Shipped",
    }
    assert parts(staged(numbers)) == parts(found)


@pytest.mark.parametrize(
    "case", sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))
)
def test_golden_orders_of_the_older_interface(case: str) -> None:
    raw = landed((GOLDEN / f"{case}.input.json").read_text())
    found = sound(staging.orders(raw, storefront="x", run_id="r", settings=staging.XCartSettings()))
    wanted = json.loads((GOLDEN / f"{case}.expected.json").read_text())
    head = found["core.orders"].row(0, named=True)
    assert head["problem"] == wanted["problem"]
    if wanted["head"] is not None:
        assert {name: head[f"{name}_minor"] for name in wanted["head"]} == wanted["head"]
    if wanted["lines"] is not None:
        columns = ("line_ref", "kind_code", "net_minor", "discount_minor", "tax_minor", "tax_code")
        assert [list(row) for row in found["core.order_lines"].select(columns).rows()] == wanted["lines"]


@settings(max_examples=6, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(SOUND)))
def test_no_bytes_break_the_staging_of_the_older_interface(noise: bytes, member: str) -> None:
    text = noise.decode("utf-8", "replace")
    odd = (text, [text, None, {"a": 1}])
    raw = landed(text, *(json.dumps({**SOUND, "orderId": k, member: one}) for k, one in enumerate(odd, 6)))
    sound(staging.orders(raw, storefront="x", run_id="r", settings=staging.XCartSettings()))


def test_tax_that_is_inside_the_prices_is_not_added() -> None:
    inside = {**SOUND, "total": "57.10"}
    found = staged(inside, untaxed="accept")
    assert parts(found) == [4965, -540, 850, 0, 435, 0, 5710]
    assert found["core.orders"]["tax_included"].to_list() == [True]
    assert staged(inside)["core.orders"]["problem"][0].startswith("tax_unknown:")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"currency": "KWD"}, "amount_not_exact: the schema complex rounds to two decimals, and KWD has 3"),
        (
            {"currency": "JPY", "total": "61.50"},
            "amount_not_exact: total has more digits than JPY has minor units",
        ),
        ({"currency": "XXQ"}, "currency_unknown: 'XXQ' is not an ISO 4217 currency with minor units"),
        (
            {"shippingStatus": "Picked"},
            "status_unknown: the status 'P/Picked' has no meaning here",
        ),
        ({"total": "NaN"}, "amount_not_exact: total is NaN, which is not an amount"),
        ({"items": "none"}, 'payload_unreadable: items is "none", where a list belongs'),
        ({"orderDate": "yesterday"}, "payload_unreadable: create_date is missing or no instant"),
    ],
)
def test_what_the_older_interface_cannot_say_exactly_is_held(changes, said) -> None:
    found = staged({**SOUND, **changes}, {**SOUND, "orderId": 6})
    problems = dict(found["core.orders"].select("order_ref", "problem").rows())
    assert problems["5"].startswith(said)
    assert problems["6"] is None


def test_yen_with_two_zeros_is_yen() -> None:
    yen = {
        **SOUND, "currency": "JPY", "total": "1210.00", "subtotal": "1100.00", "taxAmount": "110.00", "shippingCost": "0.00",
        "discountValue": "0.00", "items": [{"id": 1, "sku": "A", "price": "1100.00", "quantity": "1", "total": "1100.00"}],
    }  # fmt: skip
    assert parts(staged(yen)) == [1100, 0, 0, 0, 110, 0, 1210]
