"""The Clarity courier against its stand-in over real HTTP in each dialect a profile can speak, and its profiles judged."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from staged_orders import landed_records, sound

from tieout.connectors.http import RetryPolicy
from tieout.connectors.paging import Window
from tieout.connectors.storefronts import clarity_profile
from tieout.connectors.storefronts.clarity import Clarity
from tieout.connectors.writes import (
    LedgerDocument,
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Shipment,
    StockChange,
    unknown_fields,
)
from tieout.errors import (
    Incomplete,
    InputError,
    MalformedReply,
    Refused,
    Rejected,
    SettingsError,
    Throttled,
    Unreachable,
)
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Server
from tieout.sandbox.storefronts.clarity import CLIENT_ID, CLIENT_SECRET
from tieout.sandbox.storefronts.clarity import Clarity as StandIn
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.world import World
from transforms.storefronts import clarity as staging

POLICY = RetryPolicy(attempts=3, base_seconds=0.001, cap_seconds=0.01)
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
SEED = clarity_profile.load("seed")
READ = staging.ClaritySettings(
    SEED.fields,
    SEED.words.status,
    SEED.words.transaction_types,
    SEED.words.transaction_states,
    SEED.words.shipment_states,
)
SEED_TEXT = (
    clarity_profile.files("tieout.connectors.storefronts.clarity_profiles") / "seed.toml"
).read_text()


def altered(**lines: str) -> clarity_profile.Profile:
    text = SEED_TEXT
    for old, new in lines.values():
        assert old in text, old
        text = text.replace(old, new)
    return clarity_profile.parse(text, "altered")


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(7, 160, ["clarity"])


class Shop:
    """A stand-in that runs, with its faults."""

    def __init__(self, world: World, **options) -> None:
        self.board = FaultBoard()
        self.now = NOW_MS
        self.app = StandIn(world, self.board, lambda: self.now, **options)
        self.server = Server(self.app, board=self.board)

    def courier(self, profile=SEED, secret: str = CLIENT_SECRET, **options) -> Clarity:
        http = {
            "policy": POLICY,
            "timeout": (2, 5),
            "sleep": lambda _: None,
            **options.pop("http_options", {}),
        }
        return Clarity(
            api_url=self.server.url,
            profile=profile,
            client_id=CLIENT_ID,
            client_secret=secret,
            http_options=http,
            **options,
        )

    def fault(self, kind: str, **options) -> None:
        self.board.add({"app": "clarity", "kind": kind, **options})


@pytest.fixture
def shop(world):
    found = Shop(world)
    with found.server:
        yield found


def records(courier, subject="orders", window=None):
    return [one for page in courier.read(subject, window) for one in page.records]


def refs(courier, subject="orders", window=None):
    return [one.native_ref for one in records(courier, subject, window)]


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_subject_is_read_whole_and_counted(shop) -> None:
    courier = shop.courier()
    assert courier.ping() == []
    assert courier.subjects() == clarity_profile.SUBJECTS
    for subject in courier.subjects():
        found = refs(courier, subject)
        assert len(found) == len(set(found)) == courier.count(subject) > 0


def test_the_world_comes_through_component_by_component(shop, world) -> None:
    found = sound(
        staging.orders(landed_records(records(shop.courier())), storefront="x", run_id="r", settings=READ)
    )
    heads = {
        int(row["order_ref"].removeprefix("CLR-")) - 20_000: row
        for row in found["core.orders"].iter_rows(named=True)
    }
    assert set(heads) == set(shop.app.indexes)
    assert found.problems.is_empty()
    for index, head in heads.items():
        order = world.order(index)
        of = {
            kind: sum(row.net for row in order.rows if row.kind == kind)
            for kind in ("item", "shipping", "fee")
        }
        assert head["goods_minor"] + head["gift_card_minor"] == of["item"], index
        wanted = (of["shipping"], of["fee"], -order.discount_net, order.tax, order.rounding, order.gross)
        names = ("shipping", "fees", "discount", "tax", "rounding", "total")
        assert tuple(head[f"{name}_minor"] for name in names) == wanted, index
        assert head["store_ref"] == order.store.key
        assert head["is_test"] == (order.line.scenario == "test")
    paid = sound(
        staging.payments(
            landed_records(records(shop.courier(), "payments")), storefront="x", run_id="r", settings=READ
        )
    )
    charges = paid["core.payments"].filter(kind_code="charge", state_code="success")
    moved = [move for index in heads for _, move in world.order(index).charges()]
    assert sorted(charges.select("gateway_ref", "amount_minor").rows()) == sorted(
        (move.reference, move.minor) for move in moved
    )
    back = records(shop.courier(), "returns")
    told = sound(
        staging.returns(
            landed_records(back), storefront="x", run_id="r", settings=READ, lines=found["core.order_lines"]
        )
    )
    assert told["core.returns"].height > 0
    assert told["core.returns"]["line_ref"].null_count() == 0


@pytest.mark.parametrize(
    ("dialect", "lines"),
    [
        ("pages_from_1", {"a": ("first = 0 ", "first = 1 ")}),
        ("start_and_size", {"a": ('style = "page"', 'style = "start"')}),
        (
            "bare_list",
            {"a": ('items = "items"    ', 'items = ""    '), "b": ('total = "totalCount"', 'total = ""')},
        ),
    ],
)
def test_other_ways_of_paging_are_a_matter_of_the_profile(world, dialect, lines) -> None:
    shop = Shop(world, dialect=dialect)
    with shop.server:
        courier = shop.courier(altered(**lines), page_size=30)
        assert sorted(refs(courier)) == sorted(f"CLR-{20_000 + index}" for index in shop.app.indexes)


def test_a_profile_that_pages_wrongly_is_found_out_by_the_count(world) -> None:
    shop = Shop(world, dialect="pages_from_1")
    with shop.server, pytest.raises(Incomplete, match=r"check \[paging\]|already seen"):
        refs(
            shop.courier(
                altered(a=("first = 0 ", "first = 1 "), b=('style = "page"', 'style = "start"')), page_size=50
            )
        )


def test_a_window_is_asked_for_and_checked_here_again(shop) -> None:
    start = NOW - timedelta(days=10)
    found = records(shop.courier(), window=Window(start))
    assert 0 < len(found) < len(shop.app.indexes)
    assert all(one.updated_at >= start for one in found)
    shop.fault("ignore_filter", times=None)
    assert sorted(one.native_ref for one in records(shop.courier(), window=Window(start))) == sorted(
        one.native_ref for one in found
    )
    middle = datetime(2026, 10, 5, tzinfo=UTC)
    halves = refs(shop.courier(), window=Window(None, middle)) + refs(shop.courier(), window=Window(middle))
    assert sorted(halves) == sorted(refs(shop.courier()))


def test_seconds_since_1970_are_a_matter_of_the_profile(serve, say) -> None:
    stub = serve(lambda seen: say(body=b'{"access_token":"t"}' if seen.method == "POST" else b'{"items":[]}'))
    profile = altered(
        a=('format = "iso"', 'format = "unix"'), b=('credentials = "form"', 'credentials = "basic"')
    )
    list(
        Clarity(api_url=stub.url, profile=profile, client_id="c", client_secret="s" * 8).read(
            "orders", Window(NOW)
        )
    )
    assert dict(stub.seen[1].query)["updatedSince"] == str(NOW_MS // 1000)
    assert stub.seen[0].headers["authorization"].startswith("Basic ")
    assert b"s" * 8 not in stub.seen[0].body


def test_a_fixed_key_in_a_header(serve, say) -> None:
    stub = serve([say(body=b'{"items":[]}')])
    profile = altered(
        a=('style = "oauth2"', 'style = "header"'),
        b=('header = "Authorization"', 'header = "X-Key"'),
        c=('prefix = "Bearer "', 'prefix = ""'),
    )
    list(Clarity(api_url=stub.url, profile=profile, client_secret="key-of-the-shop").read("orders"))
    assert stub.seen[0].headers["x-key"] == "key-of-the-shop"


def test_a_record_lost_between_pages_has_the_list_walked_again(shop) -> None:
    shop.fault("lose_record", after=1, times=1)
    found = refs(shop.courier(page_size=40))
    assert len(found) == len(set(found)) == len(shop.app.indexes)
    shop.fault("lose_record", times=None)
    with pytest.raises(Incomplete, match="Clarity counts"):
        refs(shop.courier(page_size=40))


def test_the_token_is_renewed_before_it_ends_and_once_when_it_is_refused(shop) -> None:
    courier = shop.courier(page_size=20)
    shop.fault("expire_token", after=2)
    assert len(refs(courier)) == len(shop.app.indexes)
    assert shop.server.call_counts()["POST 200"] == 2
    shop.fault("expire_token", times=None)
    with pytest.raises(Refused, match="fresh token"):
        refs(shop.courier())


def test_nothing_secret_is_printed_or_rests(shop, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Refused) as refusal:
        refs(shop.courier(secret="a-very-wrong-secret"))
    for subject in ("orders", "payments"):
        for one in records(shop.courier(), subject):
            assert b"411111" not in one.payload
            assert b"4111 1111" not in one.payload
            assert b"internalNotes" not in one.payload
    for secret in ("a-very-wrong-secret", CLIENT_SECRET, *shop.app._tokens):
        assert secret not in str(refusal.value)
        assert secret not in caplog.text


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["truncate", "garbage", "wrong_charset", "cut_after", "unavailable"])
def test_one_bad_answer_of_clarity_is_asked_for_again(shop, kind) -> None:
    shop.fault(kind, after=2)
    assert len(refs(shop.courier(page_size=40))) == len(shop.app.indexes)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncate", MalformedReply), ("garbage", MalformedReply), ("wrong_charset", MalformedReply), ("unavailable", Unreachable),
        ("throttle", Throttled), ("repeat_forever", Incomplete),
    ],
)  # fmt: skip
def test_a_clarity_shop_that_stays_ill_ends_the_walk_with_one_sentence(shop, kind, error) -> None:
    courier = shop.courier(page_size=20)
    pages = courier.read("orders")
    next(pages)
    shop.fault(kind, times=None)
    with pytest.raises(error) as told:
        list(pages)
    assert "\n" not in str(told.value)


def test_throttling_of_clarity_is_waited_out(shop) -> None:
    waits: list[float] = []
    shop.fault("throttle", times=2, seconds=0.5)
    assert refs(shop.courier(http_options={"sleep": waits.append}))
    assert min(waits) >= 0.5


def test_a_record_that_does_not_fit_the_profile_is_named_by_the_doctor(serve, say) -> None:
    stub = serve(
        lambda seen: say(body=b'{"access_token":"t"}' if seen.method == "POST" else b'{"items":[{"Id":1}]}')
    )
    said = Clarity(api_url=stub.url, profile=SEED, client_id="c", client_secret="s" * 8).ping()
    assert len(said) == 6
    assert (
        said[0]
        == "A record of orders does not fit the profile: Missing or unreadable: orderId, updatedAt. Correct [fields.orders]."
    )


def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    for wrong in ({"page_size": 101}, {"client_secret": ""}, {"client_id": ""}):
        with pytest.raises(InputError):
            Clarity(
                **{
                    "api_url": "https://s.example.com",
                    "profile": SEED,
                    "client_id": "c",
                    "client_secret": "s" * 8,
                    **wrong,
                }
            )
    courier = Clarity(api_url="https://s.example.com", profile=SEED, client_id="c", client_secret="s" * 8)
    with pytest.raises(InputError, match="no subject 'coupons'"):
        refs(courier, "coupons")
    less = altered(a=('returns = "/api/returns"\n', ""))
    assert (
        refs(
            Clarity(api_url="https://s.example.com", profile=less, client_id="c", client_secret="s" * 8),
            "returns",
        )
        == []
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_stock_is_written_by_change_and_read_back_after_a_lost_answer(shop) -> None:
    courier = shop.courier()
    (sku, place), held = sorted(shop.app.stock.items())[0]
    changes = [
        StockChange(sku, place, held + 5),
        StockChange(sku, place, held + 5),
        StockChange("NONE-1", place, 1),
    ]
    done = list(courier.write_stock(changes))
    assert [(one.outcome, one.after) for one in done] == [
        ("written", held + 5),
        ("unchanged", held + 5),
        ("refused", None),
    ]
    assert list(courier.read_stock(changes[1:])) == [held + 5, None]
    shop.fault("cut_after", match='"quantityAvailable":')
    assert [one.outcome for one in courier.write_stock([StockChange(sku, place, 3)])] == ["written"]
    assert shop.app.stock[sku, place] == 3
    assert shop.server.call_counts()["PUT cut"] == 1


def test_every_field_of_clarity_is_written_or_said_to_be_unsupported(shop) -> None:
    courier = shop.courier()
    ref = next(
        json.loads(one.payload)["orderId"]
        for one in records(courier)
        if b'"processing"' in one.payload or b'"pending"' in one.payload
    )
    told = [
        OrderStatus(key="s", order_ref=ref, status_code="complete"),
        Shipment(key="t", order_ref=ref, shipment_ref="1", carrier="P", tracking_number="1Z77"),
        Price(key="p", sku="MUG-3", currency="USD", amount=Decimal("12.30")),
    ]
    assert [one.outcome for one in courier.write(told)] == ["written"] * 3
    assert [one.outcome for one in courier.write(told)] == ["unchanged"] * 3
    index = int(ref.removeprefix("CLR-")) - 20_000
    assert shop.app.tracking_of[index] == [{"carrier": "P", "number": "1Z77"}]
    assert shop.app.prices["MUG-3"] == 1230
    unsupported = [
        LedgerDocuments(key="d", order_ref=ref, documents=(LedgerDocument("invoice", "INV-1", "17"),)),
        PaidState(key="a", order_ref=ref, state="paid"),
        OrderStatus(key="h", order_ref=ref, status_code="held"),
        Shipment(key="n", order_ref=ref, shipment_ref="2"),
        Price(key="l", sku="MUG-3", currency="USD", amount=Decimal(1), level="gold"),
    ]
    assert {one.outcome for one in courier.write(unsupported)} == {"unsupported"}
    gone = OrderStatus(key="g", order_ref="CLR-1", status_code="complete")
    assert [one.outcome for one in courier.write([gone])] == ["refused"]
    writers = {"order.status": None, "order.shipment": None, "price": None}
    assert unknown_fields(writers, courier.cannot_write()) == []


def test_a_profile_without_a_rule_writes_nothing(shop) -> None:
    text = SEED_TEXT.partition("[writes.stock]")[0]
    courier = shop.courier(clarity_profile.parse(text, "read only"))
    assert [one.outcome for one in courier.write_stock([StockChange("MUG-1", "wh-east", 1)])] == ["refused"]
    price = Price(key="p", sku="MUG-3", currency="USD", amount=Decimal(1))
    assert [one.outcome for one in courier.write([price])] == ["unsupported"]
    assert unknown_fields({}, courier.cannot_write()) == []


# ── profiles ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_profile_says_that_it_is_an_assumption() -> None:
    assert clarity_profile.shipped() == ("seed",)
    assert SEED.profile.is_assumption
    assert "ASSUMPTION" in SEED_TEXT


def test_all_problems_of_a_profile_are_listed_at_once() -> None:
    text = (
        SEED_TEXT.replace('style = "page" ', 'style = "pages" ')
        .replace('orders = "/api/orders"', 'orders = "api/orders"')
        .replace('total = "totalAmount"\n', "")
        .replace('sku = "sku"\nname', 'skew = "sku"\nname')
        .replace('pending = "open"', 'pending = "opened"')
        .replace('"{quantity}"', '"{amount}"')
        .replace("[changes]", "[changess]")
    )
    with pytest.raises(SettingsError) as broken:
        clarity_profile.parse(text, "mine.toml")
    said = "\n".join(broken.value.problems)
    for part in ("paging.style", "subjects.orders", "fields.orders.total is missing", "opened", "changess"):
        assert part in said, said
    assert str(broken.value).startswith("The Clarity profile mine.toml has")


def test_fields_and_placeholders_that_mean_nothing_are_told_by_name() -> None:
    text = (
        SEED_TEXT.replace('sku = "sku"\nname', 'skew = "sku"\nname')
        .replace('"{quantity}"', '"{amount}"')
        .replace("[fields.taxes]", "[fields.duties]")
    )
    with pytest.raises(SettingsError) as broken:
        clarity_profile.parse(text, "mine.toml")
    said = "\n".join(broken.value.problems)
    for part in (
        "fields.lines.skew is no field",
        "fields.lines.sku is missing",
        "placeholder {amount}",
        "fields.duties is no group",
        "fields.taxes is missing",
    ):
        assert part in said, said


def test_a_profile_that_is_not_there_or_no_toml_says_so(tmp_path) -> None:
    with pytest.raises(SettingsError, match="one of seed"):
        clarity_profile.load("cef")
    with pytest.raises(SettingsError, match="cannot be read"):
        clarity_profile.load("mine.toml", tmp_path)
    (tmp_path / "mine.toml").write_text("[profile")
    with pytest.raises(SettingsError, match="not valid TOML"):
        clarity_profile.load("mine.toml", tmp_path)
    (tmp_path / "mine.toml").write_text(SEED_TEXT)
    assert clarity_profile.load("mine.toml", tmp_path) == SEED


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, Rejected, "paths of the profile"),
        (403, Refused, "rights of the client"),
        (422, Rejected, "no such"),
    ],
)
def test_a_refusal_of_clarity_says_what_to_do(serve, say, status, error, said) -> None:
    body = b'{"error":{"code":"x","message":"no such thing"}}'
    token = b'{"access_token":"t"}'
    stub = serve(lambda seen: say(body=token) if seen.method == "POST" else say(status=status, body=body))
    with pytest.raises(error, match=said):
        refs(Clarity(api_url=stub.url, profile=SEED, client_id="c", client_secret="s" * 8))


def test_of_a_payment_only_what_the_profile_names_is_landed(shop) -> None:
    for one in records(shop.courier(), "payments"):
        payload = json.loads(one.payload)
        assert set(payload) == set(SEED.fields["payments"].values())
        assert set(payload["transactions"][0]) <= set(SEED.fields["transactions"].values())
