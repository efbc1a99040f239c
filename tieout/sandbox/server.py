"""A small HTTP/1.1 server around one stand-in, on loopback only, with the faults any web service may show.

The stand-in is a plain object with ``handle(request) -> response``; the server does sockets, compression, limits, counting
and the generic faults of :mod:`tieout.sandbox.faults`. What a stand-in answers never depends on the server.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tieout.sandbox.faults import FaultBoard

MAX_BODY_BYTES = 64 * 1024 * 1024
_GZIP_FROM_BYTES = 1400
_HTML = "text/html; charset=utf-8"
_BUSY_PAGE = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1><hr>edge</body></html>"
_ERROR_PAGE = (
    b"<html><head><title>Error</title></head><body><h1>Internal Server Error</h1><br><p>Reference 0x7f & co"
)
_GARBAGE_PAGE = (
    b"<!doctype html><html><body><p>Please sign in to continue<br><img src=logo.png></body></html>"
)


class Headers(Mapping[str, str]):
    """Header fields of one message, looked up without regard to case; repeated fields are joined with a comma."""

    def __init__(self, fields: Mapping[str, str] | list[tuple[str, str]] = ()) -> None:  # type: ignore[assignment]
        self._fields: dict[str, tuple[str, str]] = {}
        for name, value in fields.items() if isinstance(fields, Mapping) else fields:
            known = self._fields.get(name.lower())
            self._fields[name.lower()] = (known[0], f"{known[1]}, {value}") if known else (name, value)

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True)
class Request:
    """One HTTP request: method in capitals, path without query (still percent-encoded), raw query, headers, body."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=Headers)
    body: bytes = b""

    def text(self) -> str:
        """Path, query and body as one text: what a fault's ``match`` looks into."""
        return f"{self.path}?{self.query}\n{self.body.decode('utf-8', 'replace')}"


@dataclass
class Response:
    """One HTTP answer; Content-Length, Content-Encoding and Connection are the server's business."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class App(Protocol):
    """A stand-in: a name (as faults and counts use it) and a handler that may be called from many threads."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request; an exception becomes a bare 500."""
        ...

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds of fault this stand-in looks up by itself, beside the generic ones."""
        ...


class _Cut(Exception):
    """Close the connection without an answer."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up at will, in tests on purpose: not worth a trace on the terminal."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tieout-sandbox"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 120
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the control door counts calls."""

    def _serve(self) -> None:
        try:
            body = self._read_body()
            if body is None:
                return
            path, _, query = self.path.partition("?")
            request = Request(self.command, path, query, Headers(list(self.headers.items())), body)
            self._send(self.server.owner.answer(request))
        except _Cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _serve  # noqa: N815 - http.server's names

    def _read_body(self) -> bytes | None:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._read_chunks()
        declared = self.headers.get("Content-Length") or "0"
        if not declared.isdigit():
            self._refuse(400, b"Content-Length is not a number")
            return None
        if int(declared) > MAX_BODY_BYTES:
            self._refuse(413, b"Request body too large")
            return None
        return self.rfile.read(int(declared))

    def _read_chunks(self) -> bytes | None:
        parts: list[bytes] = []
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                self._refuse(400, b"Malformed chunk")
                return None
            if size == 0:
                while self.rfile.readline(8192).strip():
                    pass
                return b"".join(parts)
            total += size
            if total > MAX_BODY_BYTES:
                self._refuse(413, b"Request body too large")
                return None
            parts.append(self.rfile.read(size))
            self.rfile.readline(8)

    def _refuse(self, status: int, message: bytes) -> None:
        self.close_connection = True
        self._send(Response(status, message, {"Content-Type": "text/plain"}))

    def _send(self, response: Response) -> None:
        body, headers = response.body, dict(response.headers)
        declared = headers.pop("X-Declare-Length", None)
        if (
            len(body) >= _GZIP_FROM_BYTES
            and declared is None
            and "gzip" in (self.headers.get("Accept-Encoding") or "").lower()
        ):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.send_response(response.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", declared or str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if declared is not None:
            raise _Cut


class Server:
    """One stand-in on one loopback port.

    ``port`` 0 takes a free one; ``board`` carries the faults; ``latency_ms`` is added to every answer.
    """

    def __init__(
        self,
        app: App,
        port: int = 0,
        board: FaultBoard | None = None,
        latency_ms: float = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.app = app
        self.board = board if board is not None else FaultBoard()
        self.latency_s = latency_ms / 1000
        self.calls: Counter[str] = Counter()
        self._count_lock = threading.Lock()
        self._listener = _Listener((host, port), self)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        host, port = self._listener.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> Server:
        """Begin answering, in a thread of its own; returns itself."""
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"{self.app.name}-server",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and give the port back."""
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.server_close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call_counts(self) -> dict[str, int]:
        """Requests received so far by "METHOD answer-status", plus ``total``."""
        with self._count_lock:
            return {"total": sum(self.calls.values()), **dict(sorted(self.calls.items()))}

    def answer(self, request: Request) -> Response:
        """The app's answer with latency and faults around it; raises to cut the connection."""
        if self.latency_s:
            time.sleep(self.latency_s)
        status = "cut"
        try:
            response = self._answer_with_faults(request) if self.board else self._handle(request)
            status = str(response.status)
            return response
        finally:
            with self._count_lock:
                self.calls[f"{request.method} {status}"] += 1

    def _handle(self, request: Request) -> Response:
        try:
            return self.app.handle(request)
        except (
            Exception
        ) as error:  # a stand-in's own defect must look like a server's, and be visible to its tester
            message = f"stand-in {self.app.name} failed: {type(error).__name__}: {error}"
            return Response(500, message.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    def _answer_with_faults(self, request: Request) -> Response:
        name, text, take = self.app.name, request.text(), self.board.take
        if fault := take(name, "latency", text):
            time.sleep(1 if fault.seconds is None else fault.seconds)
        if take(name, "cut_before", text):
            raise _Cut
        if fault := take(name, "throttle", text):
            throttled = getattr(self.app, "throttled", None)
            response = (
                throttled()
                if throttled
                else Response(429, b"Too Many Requests", {"Content-Type": "text/plain"})
            )
            return _retry_after(response, fault.seconds)
        if fault := take(name, "unavailable", text):
            return _retry_after(Response(503, _BUSY_PAGE, {"Content-Type": _HTML}), fault.seconds)
        if fault := take(name, "server_error", text):
            return Response(int(fault.options.get("status", 500)), _ERROR_PAGE, {"Content-Type": _HTML})
        if take(name, "garbage", text):
            return Response(200, _GARBAGE_PAGE, {"Content-Type": _HTML})
        response = self._handle(request)
        if take(name, "cut_after", text):
            raise _Cut
        if fault := take(name, "delay_after", text):
            time.sleep(30 if fault.seconds is None else fault.seconds)
        if fault := take(name, "truncate", text):
            headers = dict(response.headers)
            if fault.options.get("how") == "short":
                headers["X-Declare-Length"] = str(len(response.body))
            response = Response(response.status, response.body[: len(response.body) // 2], headers)
        if fault := take(name, "wrong_charset", text):
            body = response.body.decode("utf-8").encode(
                str(fault.options.get("charset", "utf-16")), "replace"
            )
            response = Response(response.status, body, response.headers)
        return response


def _retry_after(response: Response, seconds: float | None) -> Response:
    if seconds is None:
        return response
    return Response(response.status, response.body, {**response.headers, "Retry-After": f"{seconds:g}"})
