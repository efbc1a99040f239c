"""A scripted gateway on real HTTP: it signs clients in and answers each other request as the test says, faults included."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from tieout.connectors.http import RetryPolicy
from tieout.connectors.intacct.documents import (
    Address,
    Application,
    CreditMemo,
    Customer,
    Invoice,
    Line,
    Receipt,
)
from tieout.connectors.intacct.gateway import Intacct

SENDER_SECRET = "sender-canary-7f3a"
USER_SECRET = "user-canary-<9&c1>"
PATH = "/ia/xml/xmlgw.phtml"


def error(number: str, text: str, correction: str = "") -> str:
    return (
        f"<error><errorno>{escape(number)}</errorno><description></description>"
        f"<description2>{escape(text)}</description2><correction>{escape(correction)}</correction></error>"
    )


def result(control_id: str, status: str = "success", inner: str = "", function: str = "create") -> str:
    return (
        f"<result><status>{status}</status><function>{function}</function><controlid>{escape(control_id)}</controlid>"
        f"{inner}</result>"
    )


def failed(control_id: str, *errors: str, status: str = "failure") -> str:
    return result(control_id, status, f"<errormessage>{''.join(errors)}</errormessage>")


def envelope(
    control_id: str,
    results: str = "",
    *,
    control: str = "success",
    auth: str = "success",
    minutes: float = 60,
) -> bytes:
    now = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><response><control><status>{control}</status><senderid>s</senderid>'
        f"<controlid>{escape(control_id)}</controlid></control><operation><authentication><status>{auth}</status>"
        f"<userid>u</userid><companyid>c</companyid><locationid></locationid>"
        f"<sessiontimestamp>{now.isoformat()}</sessiontimestamp>"
        f"<sessiontimeout>{(now + timedelta(minutes=minutes)).isoformat()}</sessiontimeout></authentication>"
        f"{results}</operation></response>"
    ).encode()


def control_failure(*errors: str) -> bytes:
    return (
        "<response><control><status>failure</status></control>"
        f"<errormessage>{''.join(errors)}</errormessage></response>"
    ).encode()


@dataclass
class Asked:
    """One request as the gateway got it."""

    raw: bytes
    root: etree._Element
    session: str
    entity: str | None

    @property
    def label(self) -> str:
        return self.root.findtext("control/controlid") or ""

    @property
    def ids(self) -> list[str]:
        return [node.get("controlid") for node in self.root.iter("function")]


Answer = bytes | tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None
"""Body; status and body; with headers; None cuts the line."""


@dataclass
class Scripted:
    """`answer` is asked for every request that is not a sign-in; `sign_in` may replace the answer to those."""

    url: str = ""
    answer: Callable[[Asked], Answer] | None = None
    sign_in: Callable[[Asked], Answer] | None = None
    endpoint: str | None = None
    minutes: float = 60
    asked: list[Asked] = field(default_factory=list)
    sign_ins: list[Asked] = field(default_factory=list)
    sessions: int = 0

    def reply(self, raw: bytes) -> Answer:
        root = etree.fromstring(raw)
        asked = Asked(
            raw,
            root,
            root.findtext("operation/authentication/sessionid") or "",
            root.findtext("operation/authentication/login/locationid"),
        )
        if root.find(".//getAPISession") is not None:
            self.sign_ins.append(asked)
            if self.sign_in is not None:
                return self.sign_in(asked)
            self.sessions += 1
            return self.session_reply(asked)
        self.asked.append(asked)
        assert self.answer is not None, "the script has no answer"
        return self.answer(asked)

    def session_reply(self, asked: Asked) -> bytes:
        api = (
            f"<data><api><sessionid>session-canary-{self.sessions}</sessionid>"
            f"<endpoint>{self.endpoint or self.url}</endpoint><locationid>{asked.entity or ''}</locationid></api></data>"
        )
        return envelope(
            asked.label, result(asked.ids[0], "success", api, "getAPISession"), minutes=self.minutes
        )


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            answer = script.reply(raw)
            if answer is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            status, body, headers = (
                (200, answer, {})
                if isinstance(answer, bytes)
                else (*answer, {})
                if len(answer) == 2
                else answer
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            if "Content-Length" in headers:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (OSError, ValueError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    yield script
    server.shutdown()
    server.server_close()


@pytest.fixture
def connect(scripted: Scripted) -> Iterator[Callable[..., Intacct]]:
    made: list[Intacct] = []

    def make(**options: Any) -> Intacct:
        client = Intacct(
            **{
                "endpoint": scripted.url,
                "sender_id": "mpp",
                "sender_password": SENDER_SECRET,
                "company_id": "ACME",
                "user_id": "sync",
                "user_password": USER_SECRET,
                "http_options": {
                    "timeout": (2, 2),
                    "policy": RetryPolicy(attempts=2, base_seconds=0.01, budget_seconds=10),
                    "sleep": lambda _: None,
                },
                **options,
            }
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


class Samples:
    """Documents for tests, one of each kind, numbered."""

    @staticmethod
    def customer(number: int = 1, /, **changes: Any) -> Customer:
        values: dict[str, Any] = {
            "customer_id": f"C-{number:06d}",
            "name": f"Ana Müller {number}",
            "email": f"ana{number}@example.com",
            "first_name": "Ana",
            "last_name": "Müller",
            "phone": "+1 555 0100",
            "address": Address(line1="1 Main St", city="Berlin", zip="10115", country_code="DE"),
            "terms": "Net 30",
        }
        return Customer(**{**values, **changes})

    @staticmethod
    def invoice(number: int = 1, /, **changes: Any) -> Invoice:
        values: dict[str, Any] = {
            "number": f"SA-{100000 + number}",
            "customer_id": "C-000001",
            "invoiced_on": date(2026, 9, 1),
            "due_on": date(2026, 10, 1),
            "reference": f"PO {number}",
            "description": "Web order <100045> & co",
            "currency": "USD",
            "lines": (
                Line(amount=Decimal("59.90"), account="4000", memo="2 x MUG-BLUE", location="100"),
                Line(amount=Decimal("6.50"), account="4100", memo="Shipping", location="100"),
                Line(amount=Decimal("-5.00"), account="4800", memo="Discount", location="100"),
            ),
        }
        return Invoice(**{**values, **changes})

    @staticmethod
    def credit_memo(number: int = 1, /, **changes: Any) -> CreditMemo:
        values: dict[str, Any] = {
            "number": f"CM-{number}",
            "customer_id": "C-000001",
            "issued_on": date(2026, 9, 9),
            "reference": "SA-100001",
            "lines": (Line(amount=Decimal("10.00"), account="4900", location="100"),),
        }
        return CreditMemo(**{**values, **changes})

    @staticmethod
    def receipt(number: int = 1, /, **changes: Any) -> Receipt:
        values: dict[str, Any] = {
            "customer_id": "C-000001",
            "received_on": date(2026, 9, 2),
            "amount": Decimal("66.40"),
            "currency": "USD",
            "method": "Credit Card",
            "financial_entity": "BANK-US",
            "reference": f"ch_9f{number}",
            "applications": (Application(invoice_key=5512, amount=Decimal("66.40")),),
        }
        return Receipt(**{**values, **changes})


@pytest.fixture
def samples() -> type[Samples]:
    return Samples


@pytest.fixture
def say() -> Any:
    """The words of the scripted gateway: say.result, say.failed, say.error, say.envelope, say.control_failure."""

    class Say:
        result = staticmethod(result)
        failed = staticmethod(failed)
        error = staticmethod(error)
        envelope = staticmethod(envelope)
        control_failure = staticmethod(control_failure)
        sender_secret = SENDER_SECRET
        user_secret = USER_SECRET

        @staticmethod
        def made(control_id: str, number: int = 1) -> str:
            return result(
                control_id,
                "success",
                f'<data listtype="objects" count="1"><arinvoice><RECORDNO>{number}</RECORDNO></arinvoice></data>',
            )

    return Say
