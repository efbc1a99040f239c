"""A real HTTP server that misbehaves on order, for tests of the couriers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Say:
    """An answer: `cut` closes the line after so many bytes of the body, `drip` sends it byte by byte."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    chunked: bool = False
    drip: float = 0.0
    hang_up: bool = False


class Stub:
    """Answers from a function; remembers every request."""

    def __init__(self, answer: Callable[[Seen], Say]) -> None:
        self.seen: list[Seen] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                pass

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                seen = Seen(
                    self.command,
                    parts.path,
                    parse_qsl(parts.query),
                    {k.lower(): v for k, v in self.headers.items()},
                    body,
                )
                stub.seen.append(seen)
                say = answer(seen)
                if say.hang_up:
                    self._shut()
                    return
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                if say.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                else:
                    self.send_header("Content-Length", str(len(say.body)))
                self.end_headers()
                sent = say.body if say.cut is None else say.body[: say.cut]
                if say.drip:
                    for place in range(len(sent)):
                        self.wfile.write(sent[place : place + 1])
                        self.wfile.flush()
                        if stub.stopping.wait(say.drip):
                            break
                elif say.chunked:
                    self.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
                    if say.cut is None:
                        self.wfile.write(b"0\r\n\r\n")
                else:
                    self.wfile.write(sent)
                self.wfile.flush()
                if say.cut is not None:
                    self._shut()

            def _shut(self) -> None:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_POST = do_PUT = _answer  # noqa: N815  names the base class looks for

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                pass

        self.stopping = threading.Event()
        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def say() -> type[Say]:
    return Say


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Seen], Say]], Stub]]:
    """Start a server that answers from a function (or from a list of answers, the last one for ever)."""
    started: list[Stub] = []

    def start(answer: Callable[[Seen], Say] | list[Say]) -> Stub:
        if isinstance(answer, list):
            queue = list(answer)
            stub = Stub(lambda _seen: queue.pop(0) if len(queue) > 1 else queue[0])
        else:
            stub = Stub(answer)
        started.append(stub)
        return stub

    yield start
    for stub in started:
        stub.stop()
