"""One operation: its functions in order, each alone or all together, replays refused, every transaction counted.

With transaction="true" the first failure undoes what was done before it: those results say `aborted`, and their control ids are
free again. With transaction="false" a failed function leaves no trace and the others go on. One generic create with several
objects is not atomic: what was made stays, next to the errors for the rest (recorded).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tieout.sandbox.intacct import legacy, markup
from tieout.sandbox.intacct.complaints import error_lines
from tieout.sandbox.intacct.intake import Control
from tieout.sandbox.intacct.query import Viewer
from tieout.sandbox.intacct.refusals import (
    BUSINESS,
    NO_PERMISSION,
    ROLLED_BACK,
    ROLLED_BACK_TEXT,
    BookError,
    missing,
)
from tieout.sandbox.intacct.sessions import Session

if TYPE_CHECKING:
    from tieout.sandbox.faults import Fault
    from tieout.sandbox.intacct.gateway import Gateway
    from tieout.sandbox.server import Request

_ID_FIELDS = {
    "CUSTOMER": ("CUSTOMERID", "customerid"),
    "ITEM": ("ITEMID", "itemid"),
    "ARINVOICE": ("RECORDID", "recordid"),
    "ARADJUSTMENT": ("RECORDID", "recordid"),
    "SODOCUMENT": ("DOCID", "docid"),
}
_LEGACY_ONLY = frozenset({"ARINVOICE", "ARADJUSTMENT"})
_WRITES = frozenset({"create", "update", "delete", *legacy.FUNCTIONS})


@dataclass(slots=True)
class Result:
    """What one function came to."""

    function: str
    controlid: str
    status: str = "success"
    inside: str = ""
    refusals: list[BookError] = field(default_factory=list)
    writes: int = 0


class Operation:
    """Performs one operation element for a session."""

    def __init__(
        self, gateway: Gateway, session: Session, control: Control, element: Any, request: Request
    ) -> None:
        self.gateway, self.session, self.control, self.request = gateway, session, control, request
        self.functions = element.findall("content/function")
        self.together = element.get("transaction", "false").lower() == "true"
        self.books, self.knobs = gateway.books, gateway.company.knobs
        text = request.text() if gateway.board else ""
        self._shape = gateway.take("replay_shape", text)
        self._half = gateway.take("half_fail", text) if self._writes_any() else None
        self._roll_back_all = gateway.take("roll_back_all", text) if self._writes_any() else None
        self._written = 0
        self._done_here: set[str] = set()
        hidden = gateway.take("hide_rows", text)
        self.viewer = Viewer(
            session.entity,
            session.user.permissions,
            (2.0 if hidden.seconds is None else hidden.seconds) if hidden else 0.0,
        )

    def _writes_any(self) -> bool:
        return any(function[0].tag in _WRITES for function in self.functions)

    def perform(self) -> str:
        """The result elements, in the order of the functions; or an errormessage for a refused operation."""
        if self._level() == "operation":
            for function in self.functions:
                if self._is_replay(function.get("controlid")):
                    return markup.parent(
                        "errormessage", (self._errors([self._replay(function.get("controlid"))]),)
                    )
        self.books.keep_journal = True
        try:
            results = self._together() if self.together or self._roll_back_all else self._one_by_one()
        finally:
            self.books.journal.commit()
            self.books.keep_journal = False
        return "".join(self._render(result) for result in results)

    def _one_by_one(self) -> list[Result]:
        results = []
        for function in self.functions:
            result = self._perform(function)
            self.books.journal.commit()
            self._finish(result)
            self.gateway.flush()
            results.append(result)
        return results

    def _together(self) -> list[Result]:
        gateway = self.gateway
        results: list[Result] = []
        culprit = None
        for function in self.functions:
            result = self._perform(function)
            if result.status == "success":
                self._done_here.add(result.controlid)
            results.append(result)
            if result.status != "success":
                culprit = result
                break
        if culprit is None and not self._roll_back_all:
            for result in results:
                self._finish(result)
            return results
        self.books.journal.roll_back()
        gateway.pending[:] = [event for event in gateway.pending if event["op"] == "meter"]
        for function in self.functions[len(results) :]:
            if self.knobs.after_culprit == "aborted":
                results.append(Result(function[0].tag, function.get("controlid")))
        for result in results:
            rolled_back = BookError(ROLLED_BACK, ROLLED_BACK_TEXT)
            result.refusals.append(rolled_back)
            result.inside = ""
            if result is culprit and not self._roll_back_all:
                result.status = self.knobs.culprit_shape
            else:
                result.status = "aborted"
        return results

    # ---- one function ----------------------------------------------------------------------------------------

    def _perform(self, function: Any) -> Result:
        call = function[0]
        result = Result(call.tag, function.get("controlid"))
        if self._is_replay(result.controlid):
            result.status = "failure"
            result.refusals.append(self._replay(result.controlid))
            return result
        try:
            self._sabotage(call, result)
            if call.tag == "getAPISession":
                self._open_session(call, result)
            elif call.tag in self.gateway.reading.names:
                self.gateway.meter("reads")
                result.inside = self.gateway.reading.call(call, self.viewer, self._reader())
            elif "write" not in self.session.user.permissions:
                raise BookError(
                    NO_PERMISSION,
                    f"You do not have permission to {call.tag.replace('_', ' ')}.",
                    "Ask the administrator for the permission.",
                )
            elif call.tag in legacy.FUNCTIONS:
                self._legacy(call, result)
            else:
                self._generic(call, result)
        except BookError as refusal:
            result.status = "failure"
            result.refusals.append(self._numbered(refusal))
        return result

    def _numbered(self, refusal: BookError) -> BookError:
        """The refusal under the number this company's knobs give it, where none is published."""
        if refusal.details.get("category") == "Invalid Reference" and refusal.errorno == BUSINESS:
            refusal.errorno = self.knobs.invalid_errorno
        return refusal

    def _sabotage(self, call: Any, result: Result) -> None:
        if self.gateway.board and (
            fault := self.gateway.take("refuse", f"{call.tag} {result.controlid} {self.request.text()}")
        ):
            raise BookError(
                str(fault.options.get("errorno", BUSINESS)), str(fault.options.get("text", "Refused."))
            )
        if self._half is not None and call.tag in _WRITES:
            self._written += 1
            if self._written % max(int(self._half.options.get("nth", 2)), 1) == 0:
                raise BookError(
                    BUSINESS,
                    "Currently, we can't create the transaction",
                    "Check the transaction for errors or inconsistencies, then try again.",
                )

    def _open_session(self, call: Any, result: Result) -> None:
        element = call.find("locationid")
        wanted = (element.text or "").strip() if element is not None else None
        session = self.gateway.sessions.open(self.session, wanted)
        self.session.timeout = session.timeout
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        scheme = headers.get("x-forwarded-proto", "http")
        inside = markup.parent(
            "api",
            (
                markup.element("sessionid", session.id),
                markup.element(
                    "endpoint", f"{scheme}://{headers.get('host', 'localhost')}{self.request.path}"
                ),
                markup.element("locationid", session.entity),
            ),
        )
        result.inside = markup.parent("data", (inside,))

    def _who(self) -> dict[str, Any]:
        return {"entity": self.session.entity or None, "user": self.session.user.id}

    def _legacy(self, call: Any, result: Result) -> None:
        order = legacy.FUNCTIONS[call.tag](call)
        key = order.key
        if order.operation == "create":
            try:
                recordno = self.books.create(order.object_name, order.fields, **self._who())
            except BookError as refusal:
                if not (order.ignore_duplicates and refusal.errorno == "BL34000061"):
                    raise
                result.inside = markup.element("key", str(order.fields.get("CUSTOMERID", "")))
                return
            key = self._key(order, recordno)
        elif order.operation == "update":
            key = self._key(order, self.books.update(order.object_name, key, order.fields, **self._who()))
        elif order.operation == "apply":
            key = str(self.books.apply(key, order.fields, **self._who()))
        elif order.operation == "reverse":
            key = str(self.books.reverse(order.object_name, key, order.fields, **self._who()))
        else:
            self.books.delete(order.object_name, key, **self._who())
        result.inside = "" if order.operation == "delete" else markup.element("key", key)
        result.writes = 1

    def _key(self, order: legacy.Order, recordno: int) -> str:
        if not order.id_answer:
            return str(recordno)
        record: Any = self.books.tables[order.object_name].get(recordno)
        return str(record.customerid if order.object_name == "CUSTOMER" else record.docid)

    def _generic(self, call: Any, result: Result) -> None:
        if call.tag == "delete":
            self._generic_delete(call, result)
            return
        made: list[str] = []
        for element in call:
            fields = legacy.tree(element)
            try:
                if not isinstance(fields, dict):
                    raise missing(element.tag)
                made.append(self._write_one(call.tag, element.tag, fields))
                result.writes += 1
            except BookError as refusal:
                result.status = "failure"
                result.refusals.append(self._numbered(refusal))
        if not made and not result.refusals:
            raise missing("object")
        result.inside = markup.parent("data", made, listtype="objects", count=str(len(made)))

    def _write_one(self, verb: str, name: str, fields: dict[str, Any]) -> str:
        id_name, attribute = _ID_FIELDS.get(name, ("", ""))
        if name in _LEGACY_ONLY and verb == "create" and not self.knobs.generic_receivables:
            raise BookError(
                BUSINESS,
                f"Create is not available for {name}.",
                "Use the function made for this transaction.",
            )
        if verb == "create":
            recordno = self.books.create(name, fields, **self._who())
        else:
            key = str(
                fields.get("RECORDNO") or (fields.get(id_name) if id_name == "CUSTOMERID" else "") or ""
            )
            if not key and name == "ITEM":
                key = str(fields.get("ITEMID", ""))
            if not key:
                raise missing("RECORDNO")
            recordno = self.books.update(name, key, fields, **self._who())
        parts = [markup.element("RECORDNO", str(recordno))]
        if id_name:
            record: Any = self.books.tables[name].get(recordno)
            parts.append(markup.element(id_name, str(getattr(record, attribute))))
        return markup.parent(name.lower(), parts)

    def _generic_delete(self, call: Any, result: Result) -> None:
        name = (call.findtext("object") or "").strip()
        keys = [key.strip() for key in (call.findtext("keys") or "").split(",") if key.strip()]
        if not keys:
            raise missing("keys")
        mark, told = self.books.journal.mark(), len(self.gateway.pending)
        try:
            for key in keys:
                self.books.delete(name, key, **self._who())
        except BookError:
            self.books.journal.roll_back(mark)
            del self.gateway.pending[told:]
            raise
        result.writes = len(keys)

    # ---- control ids -----------------------------------------------------------------------------------------

    def _level(self) -> str:
        return str(self._option("level", self.knobs.replay_level))

    def _option(self, name: str, default: Any) -> Any:
        shape: Fault | None = self._shape
        return shape.options.get(name, default) if shape is not None else default

    def _reader(self) -> str:
        """Who a resultId belongs to."""
        scope = self.knobs.result_id_scope
        return "" if scope == "any" else self.session.id if scope == "session" else self.session.user.id

    def _remembered(self, controlid: str) -> tuple[str, str]:
        """Under what a completed function is remembered: the sender, and by knob the user or the entity too."""
        scope = self.knobs.replay_scope
        within = {"user": self.session.user.id, "entity": self.session.entity}.get(scope, "")
        return (
            f"{self.control.senderid}|{within}" if scope != "sender" else self.control.senderid,
            controlid,
        )

    def _is_replay(self, controlid: str) -> bool:
        if not self.control.uniqueid:
            return False
        if controlid in self._done_here:
            return True
        done = self.gateway.completed.get(self._remembered(controlid))
        if done is None:
            return False
        hours = self.knobs.replay_hours
        return not hours or self.gateway.clock() - done <= timedelta(hours=hours)

    def _replay(self, controlid: str) -> BookError:
        text = str(self._option("text", self.knobs.replay_text)).replace("{id}", controlid)
        number = str(self._option("errorno", self.knobs.replay_errorno))
        return BookError(number, text, details={"errorid": "GW-0021", "category": "Duplication Prevention"})

    def _finish(self, result: Result) -> None:
        """Count what was written, and remember the control id of what is complete."""
        gateway = self.gateway
        if result.writes:
            gateway.meter("writes", result.writes)
        if result.status == "success" or self.knobs.failed_id_is_burnt:
            now = gateway.clock()
            sender, _ = remembered = self._remembered(result.controlid)
            gateway.completed[remembered] = now
            if self.books.on_event is not None:
                gateway.pending.append(
                    {
                        "op": "done",
                        "sender": sender,
                        "id": result.controlid,
                        "at": now.isoformat(),
                    }
                )

    # ---- markup ----------------------------------------------------------------------------------------------

    def _errors(self, refusals: list[BookError]) -> str:
        more, support_id = self.control.more_errors, self.knobs.support_id
        return "".join(error_lines(refusal, more, support_id) for refusal in refusals)

    def _render(self, result: Result) -> str:
        parts = [
            markup.element("status", result.status),
            markup.element("function", result.function),
            markup.element("controlid", result.controlid),
            result.inside,
        ]
        if result.refusals:
            if result.function == "create" and not result.inside:
                parts[3] = '<data listtype="objects" count="0"/>'
            parts.append(markup.parent("errormessage", (self._errors(result.refusals),)))
        return markup.parent("result", parts)
