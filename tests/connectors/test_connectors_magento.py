"""The Magento courier against the stand-in and by itself: signing in, walking, what never rests, and every write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849 import signature as reference
from shopfronts import without_waiting

from tieout.connectors.paging import Window
from tieout.connectors.storefronts import magento_auth as ways
from tieout.connectors.storefronts.magento import Magento
from tieout.connectors.storefronts.magento_faults import fault_text
from tieout.connectors.storefronts.magento_pages import SUBJECTS, decode_page, instant, peek, to_records
from tieout.connectors.storefronts.magento_writes import CANNOT_WRITE, Writers
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
    unknown_fields,
)
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected
from tieout.sandbox.rehearsal import Rehearsal

SIGNED = ("demo-consumer", "demo-consumer-secret", "demo-access", "demo-access-secret")


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """One Magento shop."""
    with without_waiting(), Rehearsal(7, 60, only="magento") as running:
        yield running


@pytest.fixture
def shop(rehearsal: Rehearsal) -> Iterator[Any]:
    """The stand-in as it was at the start."""
    rehearsal.reset()
    yield rehearsal.storefront_named("magento")
    rehearsal.board.clear()


def courier(rehearsal: Rehearsal, sign_in: Any = None, **options: Any) -> Magento:
    url = rehearsal.servers["magento"].url
    return Magento(base_url=url, sign_in=sign_in or ways.Signed(*SIGNED), price_stores={"USD": 0}, **options)


def refs(client: Magento, subject: str, window: Window | None = None) -> list[str]:
    return [record.native_ref for page in client.read(subject, window) for record in page.records]


# --- signing in -------------------------------------------------------------------------------------------------
def test_the_base_string_is_that_of_the_standard() -> None:
    """The example of RFC 5849, section 3.4.1.1, with the parameters it takes from query, header and form."""
    pairs = [
        ("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"), ("oauth_signature_method", "HMAC-SHA1"), ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"), ("c2", ""), ("a3", "2 q"),
    ]  # fmt: skip
    assert ways.base_string("POST", "http://EXAMPLE.COM:80/request", pairs) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26"
        "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), max_size=5),
    st.sampled_from(["GET", "post"]),
    st.sampled_from(
        ["https://shop.example/rest/all/V1/orders", "http://localhost:8080/a", "https://x.example:8443"]
    ),
)
@settings(max_examples=60, deadline=None)
def test_base_string_and_signature_are_those_of_another_implementation(
    pairs: list[tuple[str, str]], method: str, url: str
) -> None:
    mine = ways.base_string(method, url, pairs)
    theirs = reference.signature_base_string(
        method.upper(), reference.base_string_uri(url), reference.normalize_parameters(pairs)
    )
    assert mine == theirs

    class Client:
        client_secret, resource_owner_secret = "a&b", "c d"

    assert ways.signature(mine, "a&b", "c d") == reference.sign_hmac_sha256_with_client(theirs, Client)


def test_every_request_is_signed_with_a_nonce_of_its_own() -> None:
    way = ways.Signed(*SIGNED)
    first, second = (way.headers("GET", "https://x.example/V1/orders", [])["Authorization"] for _ in range(2))
    assert first != second
    assert not way.forget()
    assert not any(secret in first for secret in (SIGNED[1], SIGNED[3]))


def test_four_ways_to_sign_in(rehearsal: Rehearsal, shop: Any) -> None:
    url = rehearsal.servers["magento"].url
    wanted = refs(courier(rehearsal), "orders")
    assert len(wanted) > 40
    admin = ways.AdminToken(url, "sync", "demo-admin-secret", options={})
    assert refs(courier(rehearsal, admin), "orders") == wanted
    cloud = ways.ClientCredentials(
        f"{url}/ims/token/v3", "demo-cloud-client", "demo-cloud-secret", "demo-org", options={}
    )
    assert refs(courier(rehearsal, cloud, is_cloud=True), "orders") == wanted
    shop.doors.allows_bearer = True
    assert refs(courier(rehearsal, ways.Bearer("demo-access")), "orders") == wanted


@pytest.mark.parametrize(
    ("way", "says"),
    [
        (lambda url: ways.Bearer("demo-access"), "off since 2.4.4"),
        (lambda url: ways.Signed("demo-consumer", "wrong-secret", *SIGNED[2:]), "HTTP 401"),
        (lambda url: ways.AdminToken(url, "sync", "wrong-password", options={}), "second factor"),
        (
            lambda url: ways.ClientCredentials(
                f"{url}/ims/token/v3", "demo-cloud-client", "wrong-secret", "o", options={}
            ),
            "Developer Console",
        ),
    ],
)
def test_credentials_that_are_refused_are_said_without_the_secret(
    rehearsal: Rehearsal, shop: Any, way: Any, says: str
) -> None:
    client = courier(rehearsal, way(rehearsal.servers["magento"].url))
    with pytest.raises(Refused) as refused:
        refs(client, "orders")
    assert says in str(refused.value)
    assert "wrong" not in str(refused.value)
    assert says in client.ping()[0]


def test_a_token_is_renewed_before_its_end_and_once_when_it_is_refused(
    rehearsal: Rehearsal, shop: Any
) -> None:
    now = [0.0]
    way = ways.AdminToken(
        rehearsal.servers["magento"].url,
        "sync",
        "demo-admin-secret",
        hours=4,
        clock=lambda: now[0],
        options={},
    )
    client = courier(rehearsal, way)
    refs(client, "stores")
    assert way.calls == 1
    now[0] = 4 * 3600 - 301
    refs(client, "stores")
    assert way.calls == 1
    now[0] = 4 * 3600 - 299
    refs(client, "stores")
    assert way.calls == 2
    rehearsal.board.add({"app": "magento", "kind": "expire_token"})
    refs(client, "stores")
    assert way.calls == 3


# --- walking ----------------------------------------------------------------------------------------------------
def test_every_subject_is_read_whole_and_counted(rehearsal: Rehearsal, shop: Any) -> None:
    client = courier(rehearsal, page_size=7)
    for subject in client.subjects():
        found = refs(client, subject)
        assert len(found) == len(set(found)) > 0, subject
        counted = client.count(subject)
        assert counted == (None if subject == "stores" else len(found)), subject
    assert client.ping() == []


def test_a_window_is_half_open_in_utc_and_whole_seconds(rehearsal: Rehearsal, shop: Any) -> None:
    client = courier(rehearsal)
    records = [record for page in client.read("orders") for record in page.records]
    cut = sorted(record.updated_at for record in records if record.updated_at)[len(records) // 2]
    before, after = refs(client, "orders", Window(None, cut)), refs(client, "orders", Window(cut, None))
    assert sorted(before + after, key=int) == [record.native_ref for record in records]
    assert cut in {record.updated_at for record in records if record.native_ref in after}
    assert client.count("orders", Window(cut, None)) == len(after)


def test_a_shop_before_2_4_repeats_its_last_page_and_the_walk_ends(rehearsal: Rehearsal, shop: Any) -> None:
    shop.manners.repeats_last_page = True
    whole = refs(courier(rehearsal, page_size=9), "source_items")
    assert len(whole) == len(set(whole)) == len(shop.sources)


def test_an_empty_list_may_be_null(rehearsal: Rehearsal, shop: Any) -> None:
    shop.manners.null_for_empty = True
    assert refs(courier(rehearsal), "orders", Window(datetime(2030, 1, 1, tzinfo=UTC), None)) == []


def test_a_shop_that_caps_its_pages_says_so(rehearsal: Rehearsal, shop: Any) -> None:
    with pytest.raises(Rejected, match="Maximum SearchCriteria pageSize is 300"):
        refs(courier(rehearsal, page_size=301), "orders")


def test_a_shop_that_grants_fewer_than_asked_is_read_whole(
    rehearsal: Rehearsal, shop: Any, monkeypatch: Any
) -> None:
    from tieout.sandbox.storefronts import magento as standin

    kept = standin.page_of
    monkeypatch.setattr(standin, "page_of", lambda found, search, **more: kept(found, search, **more)[:5])
    assert refs(courier(rehearsal), "orders") == [str(one.own) for one in shop.lists["orders"].records]


def test_orders_that_vanish_from_the_count_are_noticed(
    rehearsal: Rehearsal, shop: Any, monkeypatch: Any
) -> None:
    from tieout.sandbox.storefronts import magento as standin

    monkeypatch.setattr(standin, "page_of", lambda found, search, **more: [])
    with pytest.raises(MalformedReply, match="still to come"):
        refs(courier(rehearsal), "orders")
    with pytest.raises(Incomplete, match="gave 0 different ones"):
        refs(courier(rehearsal), "source_items")


@pytest.mark.parametrize("fault", ["repeat_forever", "fatal_error", "garbage"])
def test_what_never_ends_well_ends_with_a_sentence(rehearsal: Rehearsal, shop: Any, fault: str) -> None:
    client = courier(rehearsal, page_size=7)
    rehearsal.board.add({"app": "magento", "kind": fault, "times": None, "match": "orders"})
    with without_waiting(), pytest.raises(Exception, match="orders") as ended:
        refs(client, "orders")
    assert type(ended.value).__name__ in ("Incomplete", "Unreachable", "MalformedReply")


def test_card_data_and_machine_addresses_never_rest(rehearsal: Rehearsal, shop: Any) -> None:
    text = b"".join(
        r.payload for name in SUBJECTS for page in courier(rehearsal).read(name) for r in page.records
    )
    for trace in (
        b"4111",
        b"additional_information",
        b"cc_last4",
        b"192.0.2.10",
        b"telephone",
        b"status_histories",
    ):
        assert trace not in text, trace
    assert b"grand_total" in text
    assert b"billing_address" in text


def test_amounts_keep_their_spelling() -> None:
    raw = b'{"entity_id":1,"updated_at":"2024-08-05 16:02:44","remote_ip":"1","grand_total":29.949999999999999,"x":-8.88e-16}'
    record = to_records([raw], [peek(raw, SUBJECTS["orders"])], keep_personal=())[0]
    assert b"29.949999999999999" in record.payload
    assert b"-8.88e-16" in record.payload
    assert b"remote_ip" not in record.payload


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"<html>maintenance</html>", "web page"),
        (b'{"items":[],"total_count":', "cut short"),
        ('{"items":[]}'.encode("utf-16"), "UTF-16"),
        (b'{"items":[{"a":"\xff"}],"total_count":1}', "not UTF-8"),
        (b'{"items":{},"total_count":1}', "not a list"),
        (b'{"items":[]}', "no total_count"),
        (b'{"items":[],"total_count":-1}', "-1"),
        (b'{"items":[' + b"[" * 100_000, "deep"),
    ],
)
def test_a_page_that_cannot_be_read_says_why(body: bytes, says: str) -> None:
    with pytest.raises(MalformedReply, match=says):
        decode_page(body, SUBJECTS["orders"])


@pytest.mark.parametrize(
    ("raw", "ref", "problem"),
    [
        (b'{"entity_id":5,"updated_at":"2024-08-05 16:02:44"}', "5", None),
        (b'{"entity_id":"5","updated_at":"2024-08-05 16:02:44"}', "5", None),
        (b'{"entity_id":true,"updated_at":"2024-08-05 16:02:44"}', None, "entity_id"),
        (b'{"entity_id":"x","updated_at":"2024-08-05 16:02:44"}', None, "entity_id"),
        (b'{"entity_id":5,"updated_at":"yesterday"}', "5", "updated_at"),
        (b"[]", None, "not a readable"),
    ],
)
def test_a_record_with_a_bad_head_keeps_what_is_good(
    raw: bytes, ref: str | None, problem: str | None
) -> None:
    seen = peek(raw, SUBJECTS["orders"])
    assert seen.ref == ref
    assert (seen.problem is None) == (problem is None)
    assert problem is None or problem in (seen.problem or "")


def test_instants_are_utc() -> None:
    assert instant("2024-08-05 16:02:44") == datetime(2024, 8, 5, 16, 2, 44, tzinfo=UTC)
    assert [instant(text) for text in ("2024-13-05 16:02:44", "2024-08-05", "", None)] == [None] * 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"message":"No such entity with %1 = %2","parameters":["id","7"]}', "No such entity with id = 7"),
        (
            b'{"message":"%fieldName is required","parameters":{"fieldName":"sku"},"trace":"x"}',
            "sku is required",
        ),
        (b'{"message":"50%1 off"}', "50%1 off"),
        (b'{"messages":{"error":[{"code":500,"message":"Fatal"},{"message":"again"}]}}', "Fatal; again"),
        (b'"plain"', "plain"),
        (b"<html><h1>Down</h1></html>", "Down"),
        (b"[]", "no reason given"),
        (b'{"messages":{"error":[]}}', "no reason given"),
    ],
)
def test_both_forms_of_errors_are_read(body: bytes, says: str) -> None:
    assert fault_text(body) == says


@given(st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_parsers(noise: bytes) -> None:
    fault_text(noise)
    for subject in SUBJECTS.values():
        seen = peek(noise, subject)
        to_records([noise], [seen], keep_personal=())
        try:
            decode_page(noise, subject)
        except MalformedReply:
            continue


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="page size"):
        Magento(base_url="https://x.example", sign_in=ways.Bearer("t"), page_size=0)
    with pytest.raises(InputError, match="no subject 'carts'"):
        Magento(base_url="https://x.example", sign_in=ways.Bearer("t"), subjects=["carts"])
    client = Magento(base_url="https://x.example", sign_in=ways.Bearer("t"), subjects=["orders"])
    with pytest.raises(InputError, match="no subject 'products'"):
        next(client.read("products"))


# --- stock ------------------------------------------------------------------------------------------------------
def held(shop: Any) -> list[tuple[str, str, int]]:
    return [(sku, source, int(quantity)) for (sku, source), quantity in sorted(shop.sources.items())]


@pytest.mark.parametrize("bulk", [False, True])
def test_stock_is_written_where_it_differs_and_read_back(rehearsal: Rehearsal, shop: Any, bulk: bool) -> None:
    client = courier(rehearsal, bulk=bulk, bulk_wait_seconds=2)
    rows = held(shop)[:30]
    changes = [
        StockChange(sku, source, quantity + number % 2) for number, (sku, source, quantity) in enumerate(rows)
    ]
    changes.append(StockChange("NO-SUCH", "wh-east", 5))
    before = client.calls
    results = list(client.write_stock(changes))
    assert [one.outcome for one in results[:30]] == ["unchanged", "written"] * 15
    assert (results[-1].outcome, results[-1].after) == ("refused", None)
    assert "unknown" in results[-1].detail
    assert client.calls - before < 20, "many rows go into one call"
    again = list(client.write_stock(changes[:30]))
    assert {one.outcome for one in again} == {"unchanged"}
    assert list(client.read_stock(changes)) == [one.quantity for one in changes[:30]] + [None]


def test_one_bad_row_costs_only_itself(rehearsal: Rehearsal, shop: Any) -> None:
    sku, source, quantity = held(shop)[0]
    changes = [StockChange("NO-SUCH", source, 1), StockChange(sku, source, quantity + 3)]
    assert [one.outcome for one in courier(rehearsal).write_stock(changes)] == ["refused", "written"]


def test_a_stock_answer_that_was_lost_is_read_back_not_repeated(rehearsal: Rehearsal, shop: Any) -> None:
    sku, source, quantity = held(shop)[0]
    rehearsal.board.add({"app": "magento", "kind": "cut_after", "times": 1, "match": "sourceItems"})
    result = next(iter(courier(rehearsal).write_stock([StockChange(sku, source, quantity + 3)])))
    assert (result.outcome, result.after) == ("written", quantity + 3)
    rehearsal.board.add({"app": "magento", "kind": "cut_before", "times": 1, "match": "sourceItems"})
    result = next(iter(courier(rehearsal).write_stock([StockChange(sku, source, quantity + 9)])))
    assert (result.outcome, result.after) == ("refused", quantity + 3)


# --- everything else --------------------------------------------------------------------------------------------
def order_with(shop: Any, **wanted: Any) -> dict[str, Any]:
    for record in shop.lists["orders"].records:
        payload = record.read()
        if all(payload[name] == value for name, value in wanted.items()):
            return payload
    raise AssertionError(f"no order with {wanted}")


def outcome(client: Magento, write: Any) -> Any:
    return next(iter(client.write([write])))


def test_every_field_is_written_or_said_not_to_be(rehearsal: Rehearsal) -> None:
    assert unknown_fields(Writers(courier(rehearsal)).by_field(), CANNOT_WRITE) == []
    unsupported = [
        PaidState(key="k", order_ref="1", state="paid"),
        CustomerAccount(key="k", customer_ref="1", customer_id="C1"),
    ]
    for write in unsupported:
        result = outcome(courier(rehearsal), write)
        assert (result.outcome, bool(result.detail)) == ("unsupported", True)


def test_documents_become_one_comment_that_keeps_the_status(rehearsal: Rehearsal, shop: Any) -> None:
    client, order = courier(rehearsal), order_with(shop, state="complete")
    one = LedgerDocument("invoice", "UW1", "77")
    write = LedgerDocuments(key="doc-1", order_ref=str(order["entity_id"]), documents=(one,))
    assert [outcome(client, write).outcome for _ in range(2)] == ["written", "unchanged"]
    more = LedgerDocuments(
        key="doc-1", order_ref=write.order_ref, documents=(one, LedgerDocument("invoice", "UW1-2", "78"))
    )
    assert outcome(client, more).outcome == "written"
    now = shop.lists["orders"].find(order["entity_id"]).read()
    assert now["status"] == order["status"]
    assert [row["comment"] for row in now["status_histories"]] == [
        "Intacct: UW1 [tieout doc-1]",
        "Intacct: UW1, UW1-2 [tieout doc-1]",
    ]


def test_a_status_is_read_back_because_newer_shops_keep_it(rehearsal: Rehearsal, shop: Any) -> None:
    client, order = courier(rehearsal), order_with(shop, state="processing")
    write = OrderStatus(key="s-1", order_ref=str(order["entity_id"]), status_code="held")
    assert [outcome(client, write).outcome for _ in range(2)] == ["written", "unchanged"]
    shop.manners.comment_moves_status = False
    result = outcome(client, OrderStatus(key="s-2", order_ref=write.order_ref, status_code="complete"))
    assert result.outcome == "refused"
    assert "left the status" in result.detail


@pytest.mark.parametrize("fault", [None, "cut_after"])
def test_a_shipment_is_made_once_and_told_by_its_key(
    rehearsal: Rehearsal, shop: Any, fault: str | None
) -> None:
    client, order = courier(rehearsal), order_with(shop, state="processing")
    item = order["items"][0]
    write = Shipment(
        key="ship-1", order_ref=str(order["entity_id"]), shipment_ref="S1",
        lines=(ShippedLine(str(item["item_id"]), Decimal(1)),), carrier="UPS", tracking_number="1Z9",
    )  # fmt: skip
    before = len(shop.lists["shipments"].records)
    if fault:
        rehearsal.board.add({"app": "magento", "kind": fault, "times": 1, "match": "ship-1"})
    assert [outcome(client, write).outcome for _ in range(2)] == ["written", "unchanged"]
    assert len(shop.lists["shipments"].records) == before + 1
    second = Shipment(
        key="ship-1",
        order_ref=write.order_ref,
        shipment_ref="S1",
        lines=write.lines,
        carrier="UPS",
        tracking_number="1Z10",
    )
    assert outcome(client, second).outcome == "written"
    made = shop.lists["shipments"].records[-1].read()
    assert [track["track_number"] for track in made["tracks"]] == ["1Z9", "1Z10"]


def test_what_the_shop_refuses_is_reported_and_the_others_go_on(rehearsal: Rehearsal, shop: Any) -> None:
    closed = order_with(shop, state="complete")
    writes = [
        Shipment(key="a", order_ref=str(closed["entity_id"]), shipment_ref="S"),
        Shipment(key="b", order_ref="not-an-id", shipment_ref="S"),
        OrderStatus(key="c", order_ref="999999", status_code="held"),
        Price(key="d", sku="MUG-1", currency="EUR", amount=Decimal("1")),
        Price(key="e", sku="NO-SUCH", currency="USD", amount=Decimal("1")),
        Price(key="f", sku="MUG-1", currency="USD", amount=Decimal("12.34")),
    ]
    results = list(courier(rehearsal).write(writes))
    assert [one.outcome for one in results] == ["refused"] * 5 + ["written"]
    for result, words in zip(
        results, ("does not allow", "whole numbers", "404", "price_stores", "NO-SUCH"), strict=False
    ):
        assert words in result.detail


def test_prices_standard_and_by_customer_group(rehearsal: Rehearsal, shop: Any) -> None:
    client = courier(rehearsal)
    for level in (None, "Wholesale"):
        write = Price(key=f"p-{level}", sku="MUG-2", currency="USD", amount=Decimal("9.99"), level=level)
        assert [outcome(client, write).outcome for _ in range(2)] == ["written", "unchanged"]
    assert shop.prices["base", "MUG-2", 0] == json.loads("9.99")
