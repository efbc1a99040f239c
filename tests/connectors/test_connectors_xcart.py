"""The X-Cart 5.5 courier against its stand-in over real HTTP, and against servers that misbehave."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed_records, sound
from xcart_at_work import NOW, SIZE, Shop, records, refs

from tieout.connectors.json_lists import Keys, listing, record, seen
from tieout.connectors.paging import Window
from tieout.connectors.storefronts.xcart import XCart
from tieout.connectors.writes import (
    StockChange,
)
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, Throttled, Unreachable
from tieout.sandbox.storefronts.xcart import API_KEY
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.world import World
from transforms.storefronts import xcart as staging


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(7, SIZE, ["xcart"])


@pytest.fixture
def shop(world):
    found = Shop(world)
    with found.server:
        yield found


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_subject_is_read_whole_and_counted(shop) -> None:
    courier = shop.courier()
    assert courier.ping() == []
    for subject in courier.subjects():
        found = refs(courier, subject)
        assert len(found) == len(set(found)) > 0
        assert courier.count(subject) in (None, len(found))
    assert courier.count("orders") == len(shop.app.shop.indexes)


def test_the_world_comes_through_to_the_cent(shop, world) -> None:
    policy = staging.XCartSettings(shared_tax="split", stores={"EUR": "eu-web"}, store="other")
    found = sound(
        staging.orders(landed_records(records(shop.courier())), storefront="x", run_id="r", settings=policy)
    )
    heads = {int(row["order_ref"]) - 1: row for row in found["core.orders"].iter_rows(named=True)}
    assert set(heads) == set(shop.app.shop.indexes)
    for index, head in heads.items():
        order = world.order(index)
        wanted = (order.gross, order.tax, order.store.currency)
        assert (head["total_minor"], head["tax_minor"], head["currency"]) == wanted, index
        if head["problem"] is None:
            kinds = {
                kind: sum(row.net for row in order.rows if row.kind == kind) for kind in ("shipping", "fee")
            }
            assert (head["shipping_minor"], head["fees_minor"]) == (kinds["shipping"], kinds["fee"]), index
            rest = order.gross - order.tax - sum(kinds.values())
            assert (
                head["goods_minor"]
                + head["gift_card_minor"]
                + head["discount_minor"]
                + head["rounding_minor"]
                == rest
            )
            assert abs(head["rounding_minor"]) <= 1
    assert found.problems.height == 0
    assert set(found["core.orders"].filter(currency="EUR")["store_ref"]) == {"eu-web"}
    paid = sound(
        staging.payments(landed_records(records(shop.courier(), "payments")), storefront="x", run_id="r")
    )
    charges = paid["core.payments"].filter(kind_code="charge", state_code="success")
    wanted = sorted(move.minor for index in heads for _, move in world.order(index).charges())
    assert sorted(charges["amount_minor"].to_list()) == wanted
    references = {move.reference for index in heads for _, move in world.order(index).charges()}
    assert set(charges["gateway_ref"].to_list()) == references


def test_a_window_walk_stops_one_page_behind_its_start(shop) -> None:
    courier = shop.courier(page_size=10)
    start = NOW - timedelta(days=6)
    before = courier.calls
    found = records(courier, window=Window(start))
    pages = courier.calls - before
    assert all(one.updated_at >= start for one in found)
    whole = [one for one in records(shop.courier()) if one.updated_at >= start]
    assert sorted(one.native_ref for one in found) == sorted(one.native_ref for one in whole)
    assert len(found) // 10 + 1 <= pages <= len(found) // 10 + 2
    assert pages < len(shop.app.shop.indexes) // 10


def test_two_windows_that_touch_are_one_whole(shop) -> None:
    courier, middle = shop.courier(page_size=17), datetime(2026, 10, 10, tzinfo=UTC)
    halves = refs(courier, window=Window(None, middle)) + refs(courier, window=Window(middle))
    assert sorted(halves) == sorted(refs(courier))


def test_a_shop_that_ignores_the_sort_is_walked_to_its_end(shop) -> None:
    shop.fault("no_sort", times=None)
    start = datetime(2026, 10, 20, tzinfo=UTC)
    found = records(shop.courier(page_size=10), window=Window(start))
    shop.board.clear()
    whole = [one.native_ref for one in records(shop.courier()) if one.updated_at >= start]
    assert sorted(one.native_ref for one in found) == sorted(whole)


def test_bare_arrays_end_at_a_short_page(shop) -> None:
    shop.fault("no_count", times=None)
    courier = shop.courier(page_size=25)
    assert len(refs(courier)) == len(shop.app.shop.indexes)
    assert courier.count("orders") is None


def test_no_filter_of_the_shop_is_used(serve, say) -> None:
    stub = serve([say(body=b"[]")])
    list(XCart(api_url=f"{stub.url}/api", api_key="k" * 8).read("orders", Window(NOW)))
    assert sorted(dict(stub.seen[0].query)) == ["itemsPerPage", "order[lastRenewDate]", "page"]


def test_an_order_that_moves_to_the_front_while_reading_is_told_in_both_versions_and_the_rest_once(
    shop,
) -> None:
    courier = shop.courier(page_size=20)
    pages = courier.read("orders")
    seen_refs = [one.native_ref for one in next(pages).records]
    last = shop.app.shop.newest()[-1]
    shop.app.shop.change(last, lambda _: None)
    seen_refs += [one.native_ref for page in pages for one in page.records]
    # The changed order is behind the reader now: its change is after the walk's begin, so the next window has it.
    assert len(seen_refs) == len(set(seen_refs)) == len(shop.app.shop.indexes) - 1
    assert refs(courier, window=Window(NOW - timedelta(minutes=1)))[0] == str(last)


def test_a_deletion_while_reading_has_the_walk_begun_anew_and_nothing_is_lost_or_told_twice(shop) -> None:
    courier = shop.courier(page_size=20)
    pages = courier.read("orders")
    seen_refs = [one.native_ref for one in next(pages).records]
    gone = shop.app.shop.newest()[3]
    shop.app.shop.remove(gone)
    seen_refs += [one.native_ref for page in pages for one in page.records]
    assert len(seen_refs) == len(set(seen_refs))
    assert {int(ref) for ref in seen_refs} - {gone} == set(shop.app.shop.newest())


def test_records_that_keep_disappearing_end_the_walk_with_an_error(serve, say) -> None:
    left = [100]

    def answer(seen_):
        left[0] -= 1
        rows = [
            {"id": k, "update_date": "2026-10-01T00:00:00+00:00"}
            for k in range(left[0] * 10, left[0] * 10 + 10)
        ]
        return say(body=json.dumps({"hydra:member": rows, "hydra:totalItems": left[0]}).encode())

    stub = serve(answer)
    with pytest.raises(Incomplete, match="kept disappearing"):
        refs(XCart(api_url=f"{stub.url}/api", api_key="k" * 8, page_size=10))


def test_payments_are_asked_for_per_order_and_further_back_than_the_window(shop) -> None:
    start = NOW - timedelta(days=3)
    near = len(refs(shop.courier(), window=Window(start)))
    none_back = shop.courier(payments_look_back=timedelta(0))
    before = none_back.calls
    assert len(refs(none_back, "payments", Window(start))) == near
    assert none_back.calls - before >= near + 1
    assert len(refs(shop.courier(), "payments", Window(start))) > near


def test_a_shrunk_order_comes_as_a_new_version_and_becomes_a_reduction(shop, world) -> None:
    courier = shop.courier()
    first = records(courier)
    order_id = next(
        one
        for one in shop.app.shop.newest()
        if (found := shop.app.shop.find(one)).shipping in "SD"
        and found.amounts[0] > 1
        and found.subtotals[0] > 100
        and found.payment == "P"
    )
    taken = shop.app.shop.return_goods(order_id, 0, 1, refund=True, at=NOW_MS // 1000 + 60)
    second = records(courier, window=Window(NOW))
    assert [one.native_ref for one in second] == [str(order_id)]
    versions = landed_records([one for one in first if one.native_ref == str(order_id)] + second)
    found = sound(staging.orders(landed_records(second), storefront="x", run_id="r", versions=versions))
    assert found["core.reductions"]["amount_minor"].to_list() == [taken]
    assert found["core.orders"]["total_minor"].to_list() == [world.order(order_id - 1).gross]
    assert found["core.returns"]["quantity"].to_list() == [Decimal(1)]


def test_variants_are_read_with_their_product(world) -> None:
    found = Shop(world, variants=True)
    with found.server:
        rows = sound(
            staging.stock(
                landed_records(records(found.courier(variants=True), "products")), storefront="x", run_id="r"
            )
        )
        refs_ = dict(rows["core.stock"].select("sku", "native_ref").rows())
        assert refs_["TEE-1"] == "11/7011"
        assert refs_["MUG-1"] == "1"
        assert len(refs_) == 60
        writes = list(found.courier(variants=True).write_stock([StockChange("TEE-1", None, 3)]))
        assert (writes[0].outcome, found.app.shop.stock["TEE-1"]) == ("written", 3)


# ── what must not rest ──────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_a_payment_rests_beyond_method_references_and_amounts(shop) -> None:
    for one in records(shop.courier(), "payments"):
        assert b"4111111111111111" not in one.payload
        for row in json.loads(one.payload)["transactions"]:
            assert "data" not in row
            assert all("data" not in move for move in row["backend_transactions"])
    for one in records(shop.courier()):
        assert b"4111" not in one.payload
        assert b"admin_notes" not in one.payload


def test_the_key_is_in_no_log_and_no_error(shop, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Refused) as refusal:
        refs(shop.courier("a-very-wrong-key"))
    refs(shop.courier())
    assert "api_key" in str(refusal.value)
    for secret in ("a-very-wrong-key", API_KEY):
        assert secret not in str(refusal.value)
        assert secret not in caplog.text


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kind", ["truncate", "garbage", "wrong_charset", "cut_after", "unavailable", "server_error"]
)
def test_one_bad_answer_is_asked_for_again(shop, kind) -> None:
    shop.fault(kind, after=2)
    assert len(refs(shop.courier(page_size=50))) == len(shop.app.shop.indexes)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncate", MalformedReply), ("garbage", MalformedReply), ("wrong_charset", MalformedReply), ("unavailable", Unreachable),
        ("throttle", Throttled), ("revoke_key", Refused), ("repeat_forever", Incomplete),
    ],
)  # fmt: skip
def test_a_shop_that_stays_ill_ends_the_walk_with_one_sentence(shop, kind, error) -> None:
    courier = shop.courier(page_size=20)
    pages = courier.read("orders")
    next(pages)
    shop.fault(kind, times=None)
    with pytest.raises(error) as told:
        list(pages)
    assert "\n" not in str(told.value)
    assert str(told.value).rstrip().endswith(".")


def test_throttling_is_waited_out_as_long_as_the_shop_asks(shop) -> None:
    waits = []
    shop.fault("throttle", times=2, seconds=0.5)
    courier = shop.courier(http_options={"sleep": waits.append})
    assert len(refs(courier)) == len(shop.app.shop.indexes)
    assert len(waits) == 2
    assert min(waits) >= 0.5


def test_a_page_that_repeats_once_is_asked_for_again_and_nothing_is_lost(shop) -> None:
    shop.fault("repeat_page", after=1)
    found = refs(shop.courier(page_size=20))
    assert len(found) == len(set(found)) == len(shop.app.shop.indexes)


def test_one_record_with_nan_is_landed_with_a_problem_and_the_page_stands(serve, say) -> None:
    body = b'{"hydra:member":[{"id":1,"update_date":"2026-10-01T00:00:00+00:00","total":NaN},{"id":2,"update_date":"2026-09-01T00:00:00+00:00"}]}'
    stub = serve([say(body=body)])
    found = records(XCart(api_url=f"{stub.url}/api", api_key="k" * 8))
    assert [one.problem is None for one in found] == [False, True]
    assert [one.native_ref for one in found][1] == "2"
    assert found[0].native_ref.startswith("sha256:")


def test_a_page_with_more_records_than_asked_for_is_no_page(serve, say) -> None:
    stub = serve([say(body=b'[{"id":1},{"id":2}]')])
    with pytest.raises(MalformedReply, match="holds 2 records; 1 were asked for"):
        refs(XCart(api_url=f"{stub.url}/api", api_key="k" * 8, page_size=1))


def test_settings_that_cannot_be_are_refused_before_anything_is_sent() -> None:
    for wrong in (
        {"page_size": 0},
        {"page_size": 101},
        {"api_key": ""},
        {"api_url": "http://shop.example.com/api"},
    ):
        with pytest.raises(InputError):
            XCart(**{"api_url": "https://shop.example.com/api", "api_key": "k" * 8, **wrong})
    with pytest.raises(InputError, match="no subject 'returns'"):
        refs(XCart(api_url="https://shop.example.com/api", api_key="k" * 8), "returns")


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, b'{"message":"Invalid credentials."}', Refused, "Invalid credentials"),
        (403, b"{}", Refused, "no reason given"),
        (404, b"<html>", Rejected, "ends in /api"),
        (400, b'{"hydra:description":"Bad"}', Rejected, "Bad"),
    ],
)
def test_refusals_say_what_to_do(serve, say, status, body, error, said) -> None:
    stub = serve([say(status=status, body=body)])
    courier = XCart(api_url=f"{stub.url}/api", api_key="k" * 8)
    with pytest.raises(error, match=said):
        refs(courier)
    assert courier.ping()


# ── noise ───────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_body_breaks_the_reading_of_a_list(noise: bytes, salvage: bool) -> None:
    keys = Keys(("id",), ("update_date",))
    for body in (
        noise,
        b"[" + noise + b"]",
        b'{"hydra:member":[' + noise + b"]}",
        b'{"hydra:member":[{"id":1},' + noise + b"]}",
    ):
        try:
            found = listing(body, ("hydra:member",), salvage=salvage)
        except MalformedReply:
            continue
        for raw in found.elements:
            landed = record(seen(raw, keys), keys)
            assert landed.native_ref
            landed.payload.decode("utf-8")
            json.loads(landed.payload)
