"""One request with its session: signed in, sent, parsed, and repeated once if the session had ended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from tieout.connectors.http import Reply
from tieout.connectors.intacct import envelopes
from tieout.connectors.intacct.replies import FunctionResult, Response
from tieout.connectors.intacct.session import Sessions, raise_for_envelope, read
from tieout.connectors.intacct.transport import Wire
from tieout.connectors.intacct.values import Element, carried
from tieout.errors import MalformedReply, OutcomeUnknown, Rejected

Meter = Callable[[str, int], None]
"""Called with "write" or "read" and the API transactions a call cost, by Sage's published counting rules."""


class Calls:
    """Sends functions and returns the parsed reply. `meter` hears of every read."""

    def __init__(self, wire: Wire, sessions: Sessions, meter: Meter | None = None) -> None:
        self._wire = wire
        self._sessions = sessions
        self._meter = meter
        self.requests = 0
        self.last_bytes = 0
        self._reads = 0

    def metered(self, kind: str, transactions: int) -> None:
        """Report cost, if anybody listens."""
        if self._meter is not None and transactions:
            self._meter(kind, transactions)

    def send(
        self,
        fill: Callable[[envelopes.Envelope], None],
        control_ids: Sequence[str],
        *,
        entity: str | None,
        transaction: bool = False,
        uniqueid: bool = False,
        is_write: bool,
    ) -> Response:
        """Send the envelope that `fill` fills (called again after a new sign-in) and return the reply once control and authentication said success.

        Raises what `Http.request` and `raise_for_envelope` raise. For a write, OutcomeUnknown means that it may have been done (an
        unreadable answer included); everything else, a failed sign-in included, means that it surely was not.
        """
        ids = tuple(control_ids)
        label = _label(ids)
        for attempt in (1, 2):
            session = self._sessions.get(entity)
            envelope = envelopes.Envelope(
                control=self._sessions.control(label),
                authentication=envelopes.SessionId(session.session_id),
                transaction=transaction,
                uniqueid=uniqueid,
            )
            fill(envelope)
            self.requests += 1
            reply = self._wire.post(
                session.endpoint,
                envelope.to_bytes(),
                idempotent=not is_write,
                control_id=label,
                control_ids=ids,
                entity=entity,
            )
            if is_write and reply.status == 408:
                raise OutcomeUnknown(
                    "Intacct gave up waiting for the end of the request (HTTP 408); it may have been done."
                )
            self.last_bytes = len(reply.content)
            try:
                response = self._read(reply, label)
            except MalformedReply as error:
                if is_write:
                    raise OutcomeUnknown(error.sentence) from None
                raise
            try:
                raise_for_envelope(response)
            except Rejected as error:
                if error.code != "session":
                    raise
                self._sessions.forget(session)
                if attempt == 2:
                    raise Rejected(
                        "Intacct does not know the session it has just given; try again later, and tell Sage support if it lasts.",
                        code=error.context.get("number"),
                    ) from None
                continue
            self._sessions.seen(session, response.authentication)
            return response
        raise AssertionError("unreachable")

    def _read(self, reply: Reply, label: str) -> Response:
        response = read(reply, self._wire.mask)
        echoed = response.control.echo.get("controlid", "")
        if response.control.ok and echoed and echoed != label:
            raise MalformedReply(
                "Intacct answered another request than the one that was sent; nothing of it is believed."
            )
        return response

    def ask(self, function: Callable[[Element], object], *, entity: str | None = None) -> FunctionResult:
        """Send one reading function and return its result, whatever its status. Costs one read."""
        self._reads += 1
        control_id = f"read-{self._reads}"

        def fill(envelope: envelopes.Envelope) -> None:
            node = envelope.named(control_id)
            with carried(node):
                function(node)

        response = self.send(fill, [control_id], entity=entity, is_write=False)
        self.metered("read", 1)
        if response.operation_errors and not response.results:
            return FunctionResult(control_id, "failure", "failure", errors=response.operation_errors)
        result = response.matched([control_id])[control_id]
        if result.status == "missing":
            raise MalformedReply("Intacct's reply to a read holds no result; try again later.")
        return result


def _label(control_ids: tuple[str, ...]) -> str:
    """A request's label made from its functions, so that a repeat carries the same one."""
    if len(control_ids) == 1:
        return control_ids[0][: envelopes.MAX_CONTROL_ID]
    return hashlib.sha256("\n".join(control_ids).encode()).hexdigest()[:32]
