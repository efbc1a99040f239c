"""The commercetools courier against a small platform of our own that misbehaves on order, over real HTTP."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from commercetools_platform import SECRET, Platform, courier, make_orders, stamp
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors.paging import Window
from tieout.connectors.storefronts.commercetools import Commercetools, literal
from tieout.connectors.storefronts.commercetools_pages import Peek, decode_page, split_results, to_records
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, Throttled, Unreachable


@pytest.fixture
def platform(serve, say):
    def start(orders=(), **options):
        fake = Platform(say, list(orders), **options)
        fake.stub = serve(fake)
        return fake

    return start


ALL = Window(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC))


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 103])
@pytest.mark.parametrize("window", [None, ALL])
def test_every_record_is_read_once(platform, count, window):
    fake = platform(make_orders(count))
    pages = list(courier(fake).read("orders", window))
    refs = [record.native_ref for page in pages for record in page.records]
    assert sorted(refs) == sorted(order["id"] for order in fake.orders)
    assert [page.page_no for page in pages] == list(range(1, len(pages) + 1))


def test_a_window_is_half_open(platform):
    fake = platform(make_orders(60, same=4))
    edge = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(milliseconds=7)
    client = courier(fake)
    early = {r.native_ref for p in client.read("orders", Window(None, edge)) for r in p.records}
    late = {r.native_ref for p in client.read("orders", Window(edge, None)) for r in p.records}
    assert early.isdisjoint(late)
    assert len(early) == 28
    assert len(early | late) == 60


def test_a_platform_that_grants_fewer_per_page_is_still_read_to_the_end(platform):
    fake = platform(make_orders(47), limit_cap=10)
    assert sum(len(page.records) for page in courier(fake).read("orders")) == 47


def test_payloads_are_the_text_as_received(platform, say):
    raw = b'{"id":"a","version":1,"lastModifiedAt":"2026-09-01T00:00:00.000Z","x":29.949999999999999, "y": 1E+2,"z":-0}'
    fake = platform()
    fake.on_list = lambda n, page: say(200, b'{"limit":20,"results":[' + raw + b"]}")
    (page,) = courier(fake).read("orders")
    (record,) = page.records
    assert record.payload == raw
    assert (record.native_ref, record.version, record.problem) == ("a", 1, None)
    assert record.updated_at == datetime(2026, 9, 1, tzinfo=UTC)


BROKEN = {
    "truncated": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "web page": lambda body: b"<!doctype html><p>Sign in",
    "utf-16": lambda body: body.decode().encode("utf-16"),
    "latin-1": lambda body: body.replace(b'"version"', b'"caf\xe9"'),
    "no results": lambda body: b'{"count": 0}',
    "results is no list": lambda body: b'{"results": {"a": 1}}',
    "wrong count": lambda body: body.replace(b'"count": 20', b'"count": 21'),
    "deep": lambda body: b'{"results":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    "null": lambda body: b"null",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_page_is_asked_for_again_and_then_whole(platform, say, how):
    fake = platform(make_orders(50))
    fake.on_list = lambda n, page: say(200, BROKEN[how](json.dumps(page).encode())) if n == 2 else None
    records = [r for page in courier(fake).read("orders") for r in page.records]
    assert len({r.native_ref for r in records}) == 50
    assert all(r.problem is None for r in records)


@pytest.mark.parametrize("how", [how for how in BROKEN if how not in ("latin-1", "deep")])
def test_a_page_that_stays_broken_is_malformed_and_the_sentence_says_where(platform, say, how):
    fake = platform(make_orders(50))
    fake.on_list = lambda n, page: say(200, BROKEN[how](json.dumps(page).encode())) if n >= 2 else None
    walk = courier(fake).read("orders")
    assert len(next(walk).records) == 20
    with pytest.raises(
        MalformedReply, match=r"GET /p/orders, page 2, could not be read in 3 tries \(.+\); run the"
    ) as caught:
        next(walk)
    assert fake.lists == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "ref"),
    [
        (b'{"id":"b","version":1,"lastModifiedAt":"2026-09-01T00:00:00.000Z","t":NaN}', None),
        (b'{"id":"b","version":1,"lastModifiedAt":"2026-09-01T00:00:00.000Z","t":"\xff"}', "b"),
        (b'{"id":"b","version":1,"lastModifiedAt":"2026-09-01T00:00:00.000Z","t":"\x01"}', None),
        (b'{"id":"b","version":"x","lastModifiedAt":"2026-09-01T00:00:00.000Z"}', "b"),
        (b'{"id":"b","version":1,"lastModifiedAt":"yesterday"}', "b"),
        (b'{"id":"b","version":1,"lastModifiedAt":"2026-09-01T00:00:00"}', "b"),
        (b'{"id":"b","version":99999999999999999999999,"lastModifiedAt":"2026-09-01T00:00:00.000Z"}', "b"),
        (b'{"version":1}', None),
        (b'{"id":7}', None),
        (b'"text"', None),
        (b"null", None),
        (b"[1,2]", None),
    ],
)
def test_one_bad_record_is_landed_with_its_problem_and_the_others_are_fine(platform, say, bad, ref):
    good = b'{"id":"%s","version":1,"lastModifiedAt":"2026-09-01T00:00:00.000Z"}'
    fake = platform()
    fake.on_list = lambda n, page: say(
        200, b'{"results":[%s,%s,%s],"limit":20}' % (good % b"a", bad, good % b"c")
    )
    (page,) = courier(fake).read("orders")
    first, second, third = page.records
    assert (first.native_ref, first.problem, third.native_ref, third.problem) == ("a", None, "c", None)
    assert second.problem.endswith(".")
    second.payload.decode("utf-8")
    json.loads(second.payload)
    if ref is None:
        assert second.native_ref.startswith("sha256:")
    else:
        assert second.native_ref == ref
        readable = b"\xff" not in bad
        assert (second.payload == bad) is readable
        assert readable or b"unreadable" in second.payload


def test_a_page_with_nothing_to_go_on_from_is_incomplete_not_endless(platform, say):
    fake = platform()
    fake.on_list = lambda n, page: say(200, b'{"results":[' + b",".join([b"{}"] * 20) + b"]}")
    with pytest.raises(Incomplete):
        list(courier(fake).read("orders"))
    assert fake.lists == 3


@pytest.mark.parametrize("window", [None, ALL])
def test_a_repeated_page_is_asked_for_again(platform, window):
    fake = platform(make_orders(70))
    last = {}

    def repeat(n, page):
        if n == 3:
            return fake.json(last["page"])
        last["page"] = page
        return None

    fake.on_list = repeat
    refs = [r.native_ref for page in courier(fake).read("orders", window) for r in page.records]
    assert len(refs) == len(set(refs)) == 70


@pytest.mark.parametrize("circle", [1, 2])
@pytest.mark.parametrize("window", [None, ALL])
def test_pages_that_repeat_for_ever_end_in_incomplete(platform, window, circle):
    fake = platform(make_orders(200))
    kept = []

    def repeat(n, page):
        if n <= circle:
            kept.append(page)
            return None
        return fake.json(kept[n % circle])

    fake.on_list = repeat
    walk = courier(fake).read("orders", window)
    with pytest.raises(Incomplete, match="already seen"):
        list(walk)
    assert fake.lists <= circle + 6


def test_a_page_limit_ends_a_walk(platform):
    fake = platform(make_orders(100))
    with pytest.raises(Incomplete, match="did not end after 3 pages"):
        list(courier(fake, max_pages=3).read("orders"))


def test_an_order_changed_during_the_walk_is_seen_again_and_not_lost(platform):
    fake = platform(make_orders(45))
    client = courier(fake)
    walk = client.read("orders", Window(datetime(2026, 9, 1, tzinfo=UTC)))
    seen = [(r.native_ref, r.version) for r in next(walk).records]
    moved = next(order for order in fake.orders if order["id"] == seen[0][0])
    moved["version"], moved["lastModifiedAt"] = 9, stamp(99_999)
    seen += [(r.native_ref, r.version) for page in walk for r in page.records]
    assert len({ref for ref, _ in seen}) == 45
    assert (moved["id"], 9) in seen


def test_count_is_a_proof_or_nothing(platform):
    fake = platform(make_orders(45))
    client = courier(fake)
    assert client.count("orders") == 45
    assert client.count("orders", Window(None, datetime(2026, 9, 1, 0, 0, 0, 2000, tzinfo=UTC))) == 6
    fake.on_list = lambda n, page: fake.json({"results": [], "total": 10_000})
    assert client.count("orders", ALL) is None
    fake.on_list = lambda n, page: fake.json({"results": []})
    assert client.count("orders") is None


# ── tokens and refusals ──


def test_one_token_serves_many_pages_and_is_renewed_before_it_expires(platform):
    fake = platform(make_orders(70))
    now = [0.0]
    client = courier(fake, clock=lambda: now[0])
    list(client.read("orders"))
    assert fake.tokens == 1
    now[0] = 172_800 - 121
    client.count("orders")
    assert fake.tokens == 1
    now[0] = 172_800 - 119
    client.count("orders")
    assert fake.tokens == 2


def test_a_token_taken_away_is_renewed_once(platform):
    fake = platform(make_orders(70))
    client = courier(fake)
    walk = client.read("orders")
    next(walk)
    fake.valid.clear()
    assert sum(len(page.records) for page in walk) == 50
    assert fake.tokens == 2


def test_a_fresh_token_that_is_refused_ends_at_once(platform, serve, say):
    def answer(seen):
        if seen.path == "/oauth/token":
            return say(200, b'{"access_token":"t-canary","expires_in":9}')
        return say(401, b'{"error":"invalid_token"}')

    fake = platform()
    fake.stub = serve(answer)
    with pytest.raises(Refused, match="fresh token"):
        list(courier(fake).read("orders"))
    assert len(fake.stub.seen) == 4


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"error":"invalid_client","error_description":"x"}', "client id, secret and region"),
        (400, b'{"error":"invalid_scope"}', "scopes asked for"),
        (404, b"<html>", "no token service"),
    ],
)
def test_bad_credentials_are_tried_once(platform, serve, say, status, body, words):
    fake = platform()
    fake.stub = serve([say(status, body)])
    client = courier(fake, scopes=["view_orders:p"])
    with pytest.raises(Refused, match=words) as caught:
        list(client.read("orders"))
    assert len(fake.stub.seen) == 1
    assert SECRET not in str(caught.value) + repr(client)
    assert client.ping() == [caught.value.sentence]


def test_a_missing_scope_is_named(platform):
    fake = platform()
    fault = {"statusCode": 403, "message": "no", "errors": [{"code": "insufficient_scope"}]}
    fake.on_list = lambda n, page: fake.json(fault, 403)
    with pytest.raises(Refused, match=r"view_products:p"):
        list(courier(fake).read("inventory"))
    problems = courier(fake, needed=("orders", "inventory")).ping()
    assert len(problems) == 3, "rights nobody needs are not asked for"
    assert any("manage_products:p" in problem for problem in problems)
    assert len(courier(fake).ping()) == len(courier(fake).subjects()) + 1


def test_system_faults_keep_their_kind(platform, say):
    fake = platform()
    for status, headers, kind in (
        (503, {}, Unreachable),
        (429, {"Retry-After": "0"}, Throttled),
        (400, {}, Rejected),
    ):
        fake.on_list = lambda n, page, s=status, h=headers: say(
            s, b'{"message":"m","errors":[{"code":"InvalidInput"}]}', h
        )
        with pytest.raises(kind):
            list(courier(fake).read("orders"))


def test_settings_that_cannot_work(platform):
    fake = platform()
    with pytest.raises(InputError, match="500"):
        courier(fake, page_size=501)
    with pytest.raises(InputError, match="no subject 'ordres'"):
        list(courier(fake).read("ordres"))
    with pytest.raises(InputError, match="client secret"):
        Commercetools(
            api_url="https://a.example",
            auth_url="https://b.example",
            project_key="p",
            client_id="c",
            client_secret="",
        )


def test_no_value_can_change_a_predicate():
    assert literal('a" or id > "') == '"a\\" or id > \\""'
    assert literal("back\\") == '"back\\\\"'


# ── stock ──


PAGE = json.dumps(
    {"limit": 3, "count": 2, "results": [{"id": "a", "n": [1, "]"]}, {"id": 'b"\\', "o": {}}]}
).encode()


@given(st.binary(max_size=60), st.integers(0, len(PAGE)), st.integers(0, 12))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_page_decoding_never_crashes(noise, place, gone):
    body = PAGE[:place] + noise + PAGE[place + gone :]
    for salvage in (False, True):
        with contextlib.suppress(MalformedReply):
            raws, _ = decode_page(body, salvage=salvage)
            for raw in raws:
                assert to_records([raw], [Peek.of(raw)], payment=True, keep_personal=())[0].native_ref


@given(st.integers(0, len(PAGE) - 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_beginning_of_a_page_is_taken_for_a_page(length):
    with pytest.raises(MalformedReply):
        decode_page(PAGE[:length], salvage=True)


@given(
    st.lists(
        st.recursive(
            st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=8
        ),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_cutting_by_brackets_agrees_with_the_decoder(values):
    body = json.dumps({"a": [1], "results": values, "b": {"c": []}}).encode()
    assert split_results(body) == decode_page(body)[0]


@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda text: json.dumps({"id": text}).encode()))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_peek_never_crashes_and_a_problem_is_a_sentence(raw):
    peek = Peek.of(raw)
    assert peek.problem is None or peek.problem.endswith(".")
    assert peek.problem is not None or (peek.ref and peek.version is not None and peek.updated_at)


def test_a_page_nested_without_end_costs_one_record_not_the_walk(platform, say):
    deep = b'{"id":"d","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    fake = platform()
    fake.on_list = lambda n, page: say(
        200, b'{"results":[{"id":"a","version":1,"lastModifiedAt":"2026-09-01T00:00:00Z"},' + deep + b"]}"
    )
    (page,) = courier(fake).read("orders")
    assert [record.problem is None for record in page.records] == [True, False]
    assert len(page.records[1].payload) < 500
