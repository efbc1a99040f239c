"""The HTTP server around a stand-in, and the fault board: over real sockets."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tieout.sandbox.faults import GENERIC_KINDS, FaultBoard, FaultError
from tieout.sandbox.server import MAX_BODY_BYTES, Headers, Request, Response, Server


class Echo:
    """Answers with what it was asked and remembers that it was."""

    name = "echo"

    def __init__(self) -> None:
        self.handled: list[Request] = []

    def fault_kinds(self) -> tuple[str, ...]:
        return ()

    def handle(self, request: Request) -> Response:
        self.handled.append(request)
        if request.path == "/broken":
            raise KeyError("inside")
        body = request.body or b'{"text":"' + ("grüße " * 400).encode() + b'"}'
        return Response(200, body, {"Content-Type": "application/json; charset=utf-8"})


@pytest.fixture
def board() -> FaultBoard:
    return FaultBoard()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo, board: FaultBoard) -> Iterator[Server]:
    with Server(echo, board=board) as running:
        yield running


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.url.startswith("http://127.0.0.1:")


def test_requests_arrive_whole_and_connections_are_reused(server: Server, echo: Echo) -> None:
    with requests.Session() as session:
        for n in range(3):
            reply = session.post(
                f"{server.url}/a%20b?x=1&y=%C3%BC", data=b"body%d" % n, headers={"X-Kind": "k"}
            )
            assert reply.content == b"body%d" % n
        assert len(session.adapters["http://"].poolmanager.pools._container) == 1
    seen = echo.handled[-1]
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/a%20b", "x=1&y=%C3%BC", b"body2")
    assert seen.headers["x-kind"] == seen.headers["X-KIND"] == "k"
    assert server.call_counts() == {"total": 3, "POST 200": 3}


def test_chunked_bodies_are_read(server: Server) -> None:
    assert requests.post(server.url, data=iter([b"one", b"two"])).content == b"onetwo"


def test_it_compresses_when_asked_and_only_then(server: Server) -> None:
    plain = requests.get(server.url, headers={"Accept-Encoding": "identity"})
    packed = requests.get(server.url, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.content


def test_oversized_bodies_are_refused_before_they_are_read(server: Server, echo: Echo) -> None:
    host, port = server.url[7:].split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    assert echo.handled == []


@pytest.mark.parametrize("length", ["-5", "many"])
def test_nonsense_lengths_are_refused(server: Server, length: str) -> None:
    host, port = server.url[7:].split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_a_defect_of_the_stand_in_looks_like_a_server_error(server: Server) -> None:
    reply = requests.get(f"{server.url}/broken")
    assert reply.status_code == 500
    assert "KeyError" in reply.text


def test_many_clients_at_once(server: Server) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(requests.post(server.url, data=b"x").status_code))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 20
    assert server.call_counts()["total"] == 20


def test_latency_is_added_to_every_answer(echo: Echo) -> None:
    with Server(echo, latency_ms=60) as slow:
        started = time.monotonic()
        requests.get(slow.url)
        assert time.monotonic() - started >= 0.06


# ---- faults --------------------------------------------------------------------------------------------------------


def test_throttle_with_and_without_a_hint(server: Server, board: FaultBoard, echo: Echo) -> None:
    board.add({"kind": "throttle", "seconds": 2})
    board.add({"kind": "throttle"})
    first, second, third = (requests.get(server.url) for _ in range(3))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "2")
    assert second.status_code == 429
    assert "Retry-After" not in second.headers
    assert third.status_code == 200
    assert len(echo.handled) == 1


@pytest.mark.parametrize(("kind", "status"), [("unavailable", 503), ("server_error", 502), ("garbage", 200)])
def test_bodies_that_are_neither_json_nor_xml(
    server: Server, board: FaultBoard, kind: str, status: int
) -> None:
    board.add({"kind": kind, "status": 502})
    reply = requests.get(server.url)
    assert reply.status_code == status
    assert b"<html" in reply.content
    with pytest.raises(ValueError):
        reply.json()


def test_cut_before_does_nothing_and_cut_after_does_it(server: Server, board: FaultBoard, echo: Echo) -> None:
    board.add({"kind": "cut_before", "match": "early"})
    board.add({"kind": "cut_after", "match": "late"})
    with pytest.raises(requests.ConnectionError):
        requests.post(server.url, data=b"early")
    assert echo.handled == []
    with pytest.raises(requests.ConnectionError):
        requests.post(server.url, data=b"late")
    assert [request.body for request in echo.handled] == [b"late"]
    assert requests.post(server.url, data=b"late").status_code == 200


def test_delay_after_commits_and_outlasts_the_client(server: Server, board: FaultBoard, echo: Echo) -> None:
    board.add({"kind": "delay_after", "seconds": 0.5})
    with pytest.raises(requests.Timeout):
        requests.post(server.url, data=b"x", timeout=0.15)
    assert len(echo.handled) == 1


def test_latency_fault_delays_but_answers(server: Server, board: FaultBoard) -> None:
    board.add({"kind": "latency", "seconds": 0.2})
    started = time.monotonic()
    assert requests.get(server.url).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_truncate_comes_in_two_ways(server: Server, board: FaultBoard) -> None:
    whole = requests.get(server.url).content
    board.add({"kind": "truncate"})
    half = requests.get(server.url)
    assert half.status_code == 200
    assert len(half.content) == len(whole) // 2
    board.add({"kind": "truncate", "how": "short"})
    host, port = server.url[7:].split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()


def test_wrong_charset_is_not_what_the_header_says(server: Server, board: FaultBoard) -> None:
    board.add({"kind": "wrong_charset"})
    reply = requests.get(server.url)
    assert reply.headers["Content-Type"].endswith("charset=utf-8")
    with pytest.raises(UnicodeDecodeError):
        reply.content.decode("utf-8")
    assert "grüße" in reply.content.decode("utf-16")


def test_after_times_match_and_app_decide_who_is_struck(board: FaultBoard) -> None:
    board.add({"kind": "throttle", "app": "a", "after": 2, "times": 2, "match": "orders"})
    struck = [
        board.take("a", "throttle", text) is not None
        for text in ("orders", "stock", "orders", "orders", "orders", "orders")
    ]
    assert struck == [False, False, False, True, True, False]
    board.add({"kind": "throttle", "app": "a"})
    assert board.take("b", "throttle", "") is None
    board.add({"kind": "throttle", "times": None})
    assert all(board.take("b", "throttle", "") for _ in range(50))


def test_the_board_counts_lists_and_clears(board: FaultBoard) -> None:
    first = board.add({"kind": "cut_after", "times": 3, "status": 5})
    board.add({"kind": "latency"})
    board.take("x", "cut_after", "")
    listed = board.listing()
    assert [(f["kind"], f["fired"]) for f in listed] == [("cut_after", 1), ("latency", 0)]
    assert listed[0]["status"] == 5
    assert board.clear(first.id) == 1
    assert board.clear() == 1
    assert not board


@pytest.mark.parametrize(
    "order",
    [{}, {"kind": 5}, {"kind": "x", "times": 0}, {"kind": "x", "times": True}, {"kind": "x", "after": -1},
     {"kind": "x", "match": 7}, {"kind": "x", "seconds": -1}, {"kind": "x", "seconds": "1"}, {"kind": "x", "app": None}],
)  # fmt: skip
def test_malformed_faults_are_refused(board: FaultBoard, order: dict) -> None:
    with pytest.raises(FaultError):
        board.add(order)
    assert not board


def test_taking_from_many_threads_never_strikes_too_often(board: FaultBoard) -> None:
    board.add({"kind": "throttle", "times": 100})
    struck: list[bool] = []

    def take() -> None:
        for _ in range(50):
            if board.take("a", "throttle", ""):
                struck.append(True)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(struck) == 100


def test_every_generic_kind_is_documented() -> None:
    import tieout.sandbox.faults as module

    assert all(f"``{kind}``" in (module.__doc__ or "") for kind in GENERIC_KINDS)


def test_header_names_ignore_case_and_join() -> None:
    headers = Headers([("Accept", "a"), ("accept", "b"), ("X", "1")])
    assert headers["ACCEPT"] == "a, b"
    assert sorted(headers) == ["Accept", "X"]
    assert headers.get("missing") is None
