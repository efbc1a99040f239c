"""The HTTP client against a real server that throttles, fails, cuts lines, trickles, redirects and floods."""

from __future__ import annotations

import email.utils
import gzip
import logging
import random
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors.http import Http, RetryPolicy, delay, jitter, retry_after, should_retry
from tieout.connectors.retry import Failure
from tieout.errors import (
    InputError,
    MalformedReply,
    OutcomeUnknown,
    Refused,
    Throttled,
    TieoutError,
    Unreachable,
)

CANARY = "s3cr3t-canary-7781"


class Naps:
    """Records waits instead of sleeping."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def client(url: str, naps: Naps | None = None, **options) -> Http:
    policy = options.pop("policy", RetryPolicy(attempts=4, base_seconds=0.5, cap_seconds=8, jitter=0.5))
    return Http(
        url,
        policy=policy,
        sleep=naps or Naps(),
        rng=random.Random(1),
        secrets=(CANARY,),
        timeout=options.pop("timeout", (1, 1)),
        **options,
    )


# what happened                             read again?  write again?
DECISIONS = """
connect   -    -     yes  yes
dropped   -    -     yes  no
malformed 200  -     yes  no
oversize  200  -     no   no
status    400  -     no   no
status    408  -     yes  no
status    425  -     yes  no
status    429  -     yes  yes
status    429  3     yes  yes
status    500  -     yes  no
status    501  -     no   no
status    502  -     yes  no
status    503  -     yes  no
status    503  3     yes  yes
status    504  9     yes  no
"""


@pytest.mark.parametrize("line", DECISIONS.strip().splitlines())
def test_whether_to_retry(line):
    kind, status, hint, read, write = line.split()
    failure = Failure(kind, "", None if status == "-" else int(status), None if hint == "-" else float(hint))
    assert should_retry(failure, idempotent=True) is (read == "yes")
    assert should_retry(failure, idempotent=False) is (write == "yes")


def test_how_long_doubles_up_to_the_cap_and_the_hint_outranks_it():
    policy = RetryPolicy(base_seconds=0.5, cap_seconds=30)
    assert [delay(n, policy, None) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert delay(1, policy, 90.0) == 90.0
    assert delay(5, policy, 0.0) == 0.0
    assert delay(10_000, policy, None) == 30


@given(seconds=st.floats(0, 1000), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_chance_shortens_our_waits_and_never_a_hinted_one(seconds, share, seed):
    policy = RetryPolicy(jitter=share)
    ours = jitter(seconds, policy, False, random.Random(seed))
    assert seconds * (1 - share) - 1e-9 <= ours <= seconds
    assert jitter(seconds, policy, True, random.Random(seed)) >= seconds


NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("-3", None),
        ("soon", None),
        ("NaN", None),
        ("inf", None),
        ("²", None),
        (email.utils.formatdate(NOW + 42, usegmt=True), 42.0),
        (email.utils.formatdate(NOW - 42, usegmt=True), 0.0),
        ("Wed, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_header(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,9} [\d:]{0,12} ?[A-Z+\-\d]{0,8}\Z")
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_retry_after_never_crashes_and_never_asks_for_less_than_nothing(value):
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


def test_a_good_reply_is_whole_and_connections_are_reused(serve, say):
    stub = serve(
        lambda seen: say(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip", "X-Odd": "Yes"})
    )
    http = client(stub.url)
    for _ in range(3):
        reply = http.request("GET", "/x", params=[("a", "1"), ("a", "2")], idempotent=True)
    assert (reply.status, reply.content, reply.headers["x-odd"]) == (200, b'{"a": 1}', "Yes")
    assert http.calls == 3
    assert stub.seen[0].query == [("a", "1"), ("a", "2")]
    assert stub.seen[0].headers["user-agent"].startswith("tieout/")
    assert "cookie" not in stub.seen[2].headers


def test_cookies_are_not_kept(serve, say):
    stub = serve([say(headers={"Set-Cookie": "sid=1"})])
    http = client(stub.url)
    http.request("GET", "/", idempotent=True)
    http.request("GET", "/", idempotent=True)
    assert "cookie" not in stub.seen[1].headers


def test_a_netrc_login_never_replaces_our_token(serve, say, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    stub = serve([say()])
    client(stub.url).request("GET", "/", headers={"Authorization": "Bearer mine"}, idempotent=True)
    assert stub.seen[0].headers["authorization"] == "Bearer mine"


def test_throttled_reads_and_writes_wait_as_told_and_go_on(serve, say):
    for idempotent in (True, False):
        stub = serve(
            [say(429, b"", {"Retry-After": "7"}), say(503, b"", {"Retry-After": "2"}), say(200, b"ok")]
        )
        naps = Naps()
        reply = client(stub.url, naps).request("POST", "/", idempotent=idempotent)
        assert reply.content == b"ok"
        assert len(naps.taken) == 2
        assert 7 <= naps.taken[0] <= 7.5
        assert 2 <= naps.taken[1] <= 2.5


def test_throttling_without_end_says_when_to_come_back(serve, say):
    stub = serve([say(429, b"slow down", {"Retry-After": "7"})])
    with pytest.raises(Throttled) as caught:
        client(stub.url).request("GET", "/x", idempotent=True)
    assert caught.value.retry_after == 7
    assert len(stub.seen) == 4


def test_a_wait_longer_than_the_budget_is_not_begun(serve, say):
    stub = serve([say(429, b"", {"Retry-After": "3600"})])
    naps = Naps()
    with pytest.raises(Throttled) as caught:
        client(stub.url, naps, policy=RetryPolicy(budget_seconds=10)).request("GET", "/", idempotent=True)
    assert naps.taken == []
    assert len(stub.seen) == 1
    assert caught.value.retry_after == 3600


def test_faults_on_reads_are_retried_with_growing_waits(serve, say):
    stub = serve([say(500), say(hang_up=True), say(502, b"<html>"), say(200, b"fine")])
    naps = Naps()
    assert client(stub.url, naps).request("GET", "/", idempotent=True).content == b"fine"
    assert len(naps.taken) == 3
    for wait, full in zip(naps.taken, (0.5, 1, 2), strict=True):
        assert full / 2 <= wait <= full


@pytest.mark.parametrize("how", ["cut", "500", "503", "truncated", "timeout", "garbage"])
def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(serve, say, how):
    answers = {
        "cut": say(hang_up=True),
        "500": say(500, b"oops"),
        "503": say(503, b"oops"),
        "truncated": say(200, b'{"id": 1}', cut=4),
        "timeout": say(200, b"x" * 50, drip=1.5),
        "garbage": say(200, b"<html>"),
    }
    stub = serve([answers[how]])

    def expect(reply):
        if reply.content.startswith(b"<"):
            raise MalformedReply("the answer is a web page")

    with pytest.raises(OutcomeUnknown, match="may have been done"):
        client(stub.url, timeout=(1, 0.4)).request(
            "POST", "/create", data=b"x", idempotent=False, expect=expect
        )
    assert len(stub.seen) == 1


def test_no_connection_is_retried_even_for_writes_and_ends_in_unreachable():
    naps = Naps()
    http = client("http://127.0.0.1:9", naps)
    with pytest.raises(Unreachable, match="could not be sent"):
        http.request("POST", "/", data=b"x", idempotent=False)
    assert len(naps.taken) == 3


@pytest.mark.parametrize("chunked", [False, True])
def test_a_read_cut_short_is_never_taken_for_whole(serve, say, chunked):
    body = b"y" * 5000
    stub = serve([say(200, body, cut=1000, chunked=chunked), say(200, body, chunked=chunked)])
    assert client(stub.url).request("GET", "/", idempotent=True).content == body
    assert len(stub.seen) == 2


def test_a_compressed_read_cut_short_is_never_taken_for_whole(serve, say):
    packed = gzip.compress(random.Random(1).randbytes(9000))
    half = say(200, packed[: len(packed) // 2], {"Content-Encoding": "gzip"})
    whole = say(200, packed, {"Content-Encoding": "gzip"})
    stub = serve([half, say(200, b"\x1f\x8bjunk", {"Content-Encoding": "gzip"}), whole])
    assert len(client(stub.url).request("GET", "/", idempotent=True).content) == 9000
    assert len(stub.seen) == 3


def test_a_body_larger_than_the_limit_is_refused_also_when_it_is_a_bomb(serve, say):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeeze.compress(bytes(50_000_000)) + squeeze.flush()
    stub = serve([say(200, bomb, {"Content-Encoding": "gzip"})])
    with pytest.raises(MalformedReply, match="larger than 1000000 bytes"):
        client(stub.url, max_bytes=1_000_000).request("GET", "/", idempotent=True)
    assert len(stub.seen) == 1
    plain = serve([say(200, b"z" * 2_000_000, chunked=True)])
    with pytest.raises(MalformedReply, match="larger than"):
        client(plain.url, max_bytes=1_000_000).request("GET", "/", idempotent=True)


def test_an_encoding_nobody_asked_for_is_malformed(serve, say):
    stub = serve([say(200, b"x", {"Content-Encoding": "br"})])
    with pytest.raises(MalformedReply, match="'br'"):
        client(stub.url).request("GET", "/", idempotent=True)


def test_a_trickling_body_ends_with_the_budget(serve, say):
    stub = serve([say(200, b"x" * 400, drip=0.05)])
    started = time.monotonic()
    with pytest.raises(Unreachable):
        client(
            stub.url, timeout=(1, 5), policy=RetryPolicy(attempts=2, base_seconds=0.1, budget_seconds=0.6)
        ).request("GET", "/", idempotent=True)
    assert time.monotonic() - started < 3


def test_redirects_stay_on_the_host(serve, say):
    other = serve([say(200, b"stolen")])
    answers = {
        "/here": say(302, headers={"Location": "/there"}),
        "/there": say(200, b"home"),
        "/away": say(302, headers={"Location": other.url + "/x"}),
        "/loop": say(302, headers={"Location": "/loop"}),
    }
    http = client(serve(lambda seen: answers[seen.path]).url)
    secret = {"Authorization": "Bearer abcdefgh"}
    assert http.request("GET", "/here", headers=secret, idempotent=True).content == b"home"
    with pytest.raises(Refused, match=r"redirects to https?://"):
        http.request("GET", "/away", headers=secret, idempotent=True)
    with pytest.raises(Refused, match="circle"):
        http.request("GET", "/loop", idempotent=True)
    with pytest.raises(Refused, match="redirects a POST"):
        http.request("POST", "/here", idempotent=False)
    assert other.seen == []


def test_statuses_below_500_belong_to_the_caller(serve, say):
    for status in (200, 201, 400, 401, 403, 404, 409, 422):
        stub = serve([say(status, b"{}")])
        assert client(stub.url).request("POST", "/", idempotent=False).status == status
        assert len(stub.seen) == 1


def test_expect_makes_a_read_ask_again(serve, say):
    stub = serve([say(200, b"half"), say(200, b"whole")])

    def whole(reply):
        if reply.content != b"whole":
            raise MalformedReply("it is only half")

    assert client(stub.url).request("GET", "/", idempotent=True, expect=whole).content == b"whole"
    stub = serve([say(200, b"half")])
    with pytest.raises(MalformedReply, match="only half"):
        client(stub.url).request("GET", "/", idempotent=True, expect=whole)
    assert len(stub.seen) == 4


def test_pace_spreads_requests(serve, say):
    naps, now = Naps(), [100.0]
    http = client(serve([say()]).url, naps, pace=4, clock=lambda: now[0])
    for _ in range(4):
        http.request("GET", "/", idempotent=True)
    assert naps.taken == pytest.approx([0.25, 0.5, 0.75])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "example.com",
        "http://api.example.com",
        f"https://user:{CANARY}@api.example.com",
        "https://",
        "http://[::1",
        "https://x:99999999",
    ],
)
def test_addresses_that_would_leak_or_cannot_work_are_refused(url):
    with pytest.raises(InputError) as caught:
        Http(url, secrets=(CANARY,))
    assert CANARY not in str(caught.value)


def test_plain_http_needs_a_word(serve, say):
    Http("http://sandbox.internal:8080", allow_plain_http=True)
    with pytest.raises(InputError):
        client("http://127.0.0.1:9").request("GET", "http://elsewhere.example/x", idempotent=True)


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"jitter": 2}, {"budget_seconds": 0}, {"base_seconds": -1}])
def test_a_policy_that_cannot_be_is_refused(bad):
    with pytest.raises(InputError):
        RetryPolicy(**bad)


@pytest.mark.parametrize("answer", ["echo500", "cut", "refused", "away", "echo200", "big"])
def test_no_secret_in_any_error_or_log(serve, say, caplog, answer):
    """The canary is in the query, a header and the body, and the server echoes it all; nothing printed may
    hold it.
    """
    caplog.set_level(logging.DEBUG)

    def reply(seen):
        echo = f"{seen.path} {seen.query} {seen.headers} {seen.body.decode()} <password>{CANARY}</password>".encode()
        return {
            "echo500": say(500, echo),
            "cut": say(hang_up=True),
            "away": say(302, echo, {"Location": f"https://{CANARY}.example/?token={CANARY}"}),
            "echo200": say(200, echo),
            "big": say(200, echo * 100),
        }[answer]

    url = "http://127.0.0.1:9" if answer == "refused" else serve(reply).url
    http = client(url, max_bytes=2000)
    http.hide("token-canary-9912")

    def expect(got):
        raise MalformedReply(f"got {got.content.decode()}")

    with pytest.raises(TieoutError) as caught:
        http.request(
            "POST",
            f"/x/{CANARY}?_key={CANARY}&token=token-canary-9912",
            headers={"Authorization": "Bearer token-canary-9912"},
            data=f"password={CANARY}",
            idempotent=True,
            expect=expect,
        )
    error: BaseException | None = caught.value
    printed = [caplog.text, repr(http)]
    while error is not None:
        printed += [str(error), repr(error), str(getattr(error, "context", ""))]
        error = error.__cause__ or error.__context__
    text = "\n".join(printed)
    assert CANARY not in text
    assert "token-canary-9912" not in text
