"""The XML gateway: one path, one envelope, three statuses, and books behind it.

HTTP 200 carries business failures; 400 an unusable request (GW-0011), 429 the rate limit (GW-0010). Faults of its own, switched on at
the control door: `half_fail` (every `nth` write of a request fails), `expire_session`, `roll_back_all` (every result says aborted and
nothing is kept), `hide_rows` (`seconds`), `replay_shape` (`level`, `errorno`, `text` of replays), `refuse` (`errorno`, `text`).
Sources: Sage Intacct Web Services documentation, Requests, Responses, Error handling, API sessions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tieout.sandbox.faults import Fault, FaultBoard
from tieout.sandbox.intacct import dump, markup
from tieout.sandbox.intacct.books import Books
from tieout.sandbox.intacct.catalogue import build
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.complaints import error_lines
from tieout.sandbox.intacct.intake import Control, Intake, take_in
from tieout.sandbox.intacct.operation import Operation
from tieout.sandbox.intacct.query import Reader
from tieout.sandbox.intacct.reading import Reading
from tieout.sandbox.intacct.refusals import (
    EXPIRED_COMPANY,
    GENERIC_XML,
    RATE_LIMIT,
    SCHEMA,
    UNUSABLE,
    BookError,
)
from tieout.sandbox.intacct.sessions import Session, Sessions, same
from tieout.sandbox.intacct.state import StateFile, tell
from tieout.sandbox.server import Request, Response

PATH = "/ia/xml/xmlgw.phtml"
_HEADERS = {"Content-Type": "application/xml; charset=UTF-8"}


class Gateway:
    """One company's gateway. Safe to call from many threads; `restored` says that a state file brought books back."""

    name = "intacct"

    def __init__(
        self,
        company: Company,
        board: FaultBoard | None = None,
        clock: Callable[[], datetime] | None = None,
        state_file: Path | None = None,
    ) -> None:
        self.company = company
        self.board = board if board is not None else FaultBoard()
        self.clock = clock or (lambda: datetime.now(UTC))
        self.books = Books(company, self.clock)
        self.sessions = Sessions(company, self.clock)
        self.reading = Reading(Reader(self.books, build(company)))
        self.completed: dict[tuple[str, str], datetime] = {}
        self.metered: dict[str, dict[str, int]] = {}
        self.pending: list[dict[str, Any]] = []
        self._busy = 0
        self._busy_lock = threading.Lock()
        self._state = StateFile(state_file) if state_file is not None else None
        self.last_told: datetime | None = None
        self.restored = bool(self._state and self._state.events)
        if self._state is not None:
            self._restore(self._state)
            self.books.on_event = self._on_event

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds of fault this stand-in looks up by itself."""
        return ("half_fail", "expire_session", "roll_back_all", "hide_rows", "replay_shape", "refuse")

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if request.path != PATH:
            return Response(404, b"<html><body>Not Found</body></html>", {"Content-Type": "text/html"})
        if request.method != "POST":
            return Response(405, b"", {"Allow": "POST"})
        limit = self.company.knobs.concurrency
        with self._busy_lock:
            if limit and self._busy >= limit:
                return self.throttled()
            self._busy += 1
        try:
            return self._answer(request)
        finally:
            with self._busy_lock:
                self._busy -= 1

    def throttled(self) -> Response:
        """The answer over the rate or concurrency limit."""
        refusal = BookError(RATE_LIMIT, "API rate limit exceeded", "Wait a while and try again.")
        headers = dict(_HEADERS)
        if self.company.knobs.retry_after_seconds:
            headers["Retry-After"] = f"{self.company.knobs.retry_after_seconds:g}"
        return Response(429, self._control_failure(Control(), [refusal]), headers)

    def issued(self) -> list[str]:
        """The id of every session ever opened, live or not."""
        return list(self.sessions.issued)

    def ledger(self) -> dict[str, Any]:
        """Everything in the books as plain values; amounts are text with two decimals."""
        with self.books.lock:
            found = dump.ledger(self.books)
            found["metered"] = {month: dict(counts) for month, counts in sorted(self.metered.items())}
            found["completed_control_ids"] = len(self.completed)
            return found

    def tamper(self, order: dict[str, Any]) -> dict[str, Any]:
        """What somebody in finance does by hand, outside closed-period checks: delete, edit, create, reverse, close_period."""
        who: dict[str, Any] = {"user": "finance", "source": "ui", "force": True}
        operation, name = order.get("op"), str(order.get("object", ""))
        fields = order.get("fields") or {key: value for key, value in order.items() if key.isupper()}
        entity = order.get("entity")
        with self.books.lock:
            if operation == "close_period":
                self.books.close_period(date.fromisoformat(str(order["on"])), entity)
                return {"closed_through": str(order["on"])}
            if operation == "create":
                return {"recordno": self.books.create(name, fields, entity, **who)}
            key = order.get("recordno") or dump.recordno_of(self.books, name, order)
            if operation == "delete":
                self.books.delete(name, key, **who)
                return {"recordno": key}
            if operation == "edit":
                return {"recordno": self.books.update(name, key, fields, **who)}
            if operation == "reverse":
                return {"recordno": self.books.reverse(name, key, fields, **who)}
        raise ValueError(
            f"The gateway cannot '{operation}'; use delete, edit, create, reverse or close_period."
        )

    # ---- for operations --------------------------------------------------------------------------------------

    def meter(self, kind: str, count: int = 1) -> None:
        """Count transactions of the current month: each record written is one, each call of a read method is one."""
        now = self.clock()
        name = f"{now.year:04d}-{now.month:02d}"
        self.metered.setdefault(name, {"writes": 0, "reads": 0})[kind] += count
        if self._state is not None:
            self.pending.append({"op": "meter", "month": name, "kind": kind, "count": count})

    def take(self, kind: str, text: str) -> Fault | None:
        """A fault of this gateway that strikes now."""
        return self.board.take(self.name, kind, text) if self.board else None

    @contextmanager
    def seeding(self) -> Iterator[None]:
        """Many writes from outside requests that become final together: one write of the state file instead of one each."""
        if self._state is None:
            yield
            return
        self.books.keep_journal = True
        try:
            yield
        finally:
            self.books.journal.commit()
            self.books.keep_journal = False
            self.flush()

    def forget(self) -> None:
        """Close the state file and remove it: the next gateway starts afresh."""
        if self._state is not None:
            self._state.close()
            self._state.path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Make finished events final."""
        if self._state is not None:
            self._state.append(self.pending)
        self.pending.clear()

    # ---- inside ----------------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        intake = take_in(request.body, self.company.knobs)
        control = intake.control
        if intake.unusable:
            refusal = BookError(UNUSABLE, "Invalid Request", "Send a request with control and credentials.")
            return Response(400, self._control_failure(Control(), [refusal]), dict(_HEADERS))
        if intake.faults:
            number = self.company.knobs.too_large_errorno if intake.too_large else SCHEMA
            return self._reply(
                self._control_failure(control, [BookError(number, text) for text in intake.faults])
            )
        refusal_or_none = self._sender(control) or self._too_many(intake)
        if refusal_or_none is not None:
            return self._reply(self._control_failure(control, [refusal_or_none]))
        status = 200
        parts = [self._control(control, "success")]
        for operation in intake.operations:
            part, failed = self._operation(operation, control, request)
            parts.append(part)
            if failed:
                status = self.company.knobs.bad_login_http_status
        body = markup.parent("response", parts)
        return self._reply(_document(body), status)

    def _sender(self, control: Control) -> BookError | None:
        sender = self.company.senders.get(control.senderid)
        if sender is None or not same(control.password, sender.password):
            return BookError(
                GENERIC_XML,
                "Incorrect Intacct XML Partner ID or password.",
                "Check the sender id and password.",
            )
        if self.company.expired:
            return BookError(EXPIRED_COMPANY, "The demo company has expired.", "Ask for an extension.")
        if control.policyid:
            return BookError(
                GENERIC_XML, f"{control.policyid} is not a valid transport policy.", "Leave policyid out."
            )
        return None

    def _too_many(self, intake: Intake) -> BookError | None:
        limit = self.company.knobs.max_functions
        count = sum(len(operation.findall("content/function")) for operation in intake.operations)
        if limit and count > limit:
            return BookError(
                self.company.knobs.too_large_errorno,
                f"The request has {count} functions; at most {limit} are allowed.",
                "Send fewer.",
            )
        return None

    def _operation(self, element: Any, control: Control, request: Request) -> tuple[str, bool]:
        authentication = element.find("authentication")
        if (session_id := authentication.findtext("sessionid")) and self.take(
            "expire_session", request.text()
        ):
            self.sessions.expire(session_id.strip())
        sender = self.company.senders[control.senderid]
        with self.books.lock:
            try:
                if not sender.authorised:
                    raise BookError(
                        GENERIC_XML,
                        f"The sender ID '{control.senderid}' is not authorized to make Web Services requests to company "
                        f"ID '{self.company.id}'.",
                        "Ask the company's administrator to grant Web Services authorization to this sender ID.",
                        description="Invalid Web Services Authorization",
                    )
                session = self.sessions.authenticate(authentication)
            except BookError as refusal:
                inside = markup.parent(
                    "authentication",
                    (
                        markup.element("status", "failure"),
                        markup.element("userid"),
                        markup.element("companyid"),
                    ),
                )
                return markup.parent("operation", (inside, self._errors([refusal], control))), True
            run = Operation(self, session, control, element, request)
            results = run.perform()
            self.flush()
        return markup.parent("operation", (self._authenticated(session), results)), False

    def _authenticated(self, session: Session) -> str:
        return markup.parent(
            "authentication",
            (
                markup.element("status", "success"),
                markup.element("userid", session.user.id),
                markup.element("companyid", self.company.id),
                markup.element("locationid", session.entity),
                markup.element("sessiontimestamp", session.timestamp.isoformat()),
                markup.element("sessiontimeout", session.timeout.isoformat()),
            ),
        )

    def _control(self, control: Control, status: str) -> str:
        known = markup.element("senderid", control.senderid) if control.senderid else ""
        return markup.parent(
            "control",
            (
                markup.element("status", status),
                known,
                markup.element("controlid", control.controlid),
                markup.element("uniqueid", "true" if control.uniqueid else "false"),
                markup.element("dtdversion", control.dtdversion),
            ),
        )

    def _control_failure(self, control: Control, refusals: list[BookError]) -> bytes:
        return _document(
            markup.parent("response", (self._control(control, "failure"), self._errors(refusals, control)))
        )

    def _errors(self, refusals: list[BookError], control: Control) -> str:
        lines = [
            error_lines(refusal, control.more_errors, self.company.knobs.support_id) for refusal in refusals
        ]
        return markup.parent("errormessage", lines)

    @staticmethod
    def _reply(body: bytes, status: int = 200) -> Response:
        return Response(status, body, dict(_HEADERS))

    def _on_event(self, event: dict[str, Any]) -> None:
        self.pending.append(event)
        if not self.books.keep_journal:  # a write from outside a request is final at once
            self.flush()

    def _restore(self, state: StateFile) -> None:
        for event in state.events:
            if "at" in event:
                at = datetime.fromisoformat(event["at"])
                self.last_told = at if self.last_told is None else max(self.last_told, at)
            if event["op"] == "done":
                self.completed[(event["sender"], event["id"])] = datetime.fromisoformat(event["at"])
            elif event["op"] == "meter":
                month = self.metered.setdefault(event["month"], {"writes": 0, "reads": 0})
                month[event["kind"]] += event["count"]
            else:
                tell(self.books, event)
        state.events.clear()


def _document(body: str) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + body + "\n").encode()
