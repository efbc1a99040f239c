"""Sessions: signed in once per entity, renewed before they end, and never tried again with credentials that were refused.

Source: "Sage Intacct Web Services documentation, API sessions". A session belongs to one user, company, entity and endpoint;
every answer pushes its end out. How long it lasts is set per company, so it is read from the answers, never assumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from tieout.connectors.http import Reply
from tieout.connectors.intacct import envelopes, replies
from tieout.connectors.intacct.classify import ErrorKind, classify
from tieout.connectors.intacct.replies import Block, Fault, Response
from tieout.connectors.intacct.transport import Wire
from tieout.errors import MalformedReply, Refused, Rejected, Throttled

DEFAULT_LIFE_S = 20 * 60.0
"""Life of a session whose answers do not say when it ends; older gateways leave the time-out away."""
MARGIN_S = 120.0


@dataclass(slots=True)
class Session:
    """A live session; `ends` is on the local monotonic clock, so that clocks which disagree do no harm."""

    entity: str | None
    session_id: str = field(repr=False)
    endpoint: str
    ends: float


class Sessions:
    """Hands out one session per entity and signs in only when there is none.

    `entity` None is the top level. After Refused nothing is tried again by this object: repeated tries lock accounts.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        sender_id: str,
        sender_password: str,
        company_id: str,
        user_id: str,
        user_password: str,
        error_detail: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = wire
        self._sender = (sender_id, sender_password)
        self._user = (company_id, user_id, user_password)
        self._error_detail = error_detail
        self._monotonic = monotonic
        self._live: dict[str | None, Session] = {}
        self._refused: dict[str | None, Refused] = {}
        self._sign_ins = 0
        self._welcome = False

    def __repr__(self) -> str:
        return f"Sessions(company={self._user[0]!r}, user={self._user[1]!r}, live={len(self._live)})"

    @property
    def sign_ins(self) -> int:
        """How often a sign-in was sent."""
        return self._sign_ins

    def control(self, control_id: str) -> envelopes.Control:
        """The control block for a request labelled `control_id`."""
        return envelopes.Control(*self._sender, control_id, self._error_detail)

    def get(self, entity: str | None) -> Session:
        """The session of an entity, signed in now if there is none or its end is near.

        Raises Refused (credentials, authorisation, endpoint), Unreachable, Throttled or MalformedReply; nothing was posted.
        """
        session = self._live.get(entity)
        if session is not None and self._monotonic() < session.ends:
            return session
        # A wrong entity reads like a wrong password. Until one sign-in has worked it is the password, for every entity.
        known = self._refused.get(entity) or (
            None if self._welcome else next(iter(self._refused.values()), None)
        )
        if known is not None:
            raise known
        try:
            session = self._sign_in(entity)
        except Refused as error:
            self._refused[entity] = error
            raise
        self._live[entity] = session
        self._welcome = True
        return session

    def forget(self, session: Session) -> None:
        """Drop a session that Intacct no longer knows."""
        if self._live.get(session.entity) is session:
            del self._live[session.entity]

    def seen(self, session: Session, authentication: Block | None) -> None:
        """Push the end of a session out by what an answer says."""
        if authentication is not None and authentication.ok:
            session.ends = self._ends(authentication)

    def _ends(self, authentication: Block) -> float:
        life = DEFAULT_LIFE_S
        try:
            start = datetime.fromisoformat(authentication.echo["sessiontimestamp"].strip())
            end = datetime.fromisoformat(authentication.echo["sessiontimeout"].strip())
            said = (end - start).total_seconds()
            life = said if said > 0 else life
        except (KeyError, ValueError, TypeError):
            pass
        return self._monotonic() + max(life - min(MARGIN_S, life / 4), 0.0)

    def _sign_in(self, entity: str | None) -> Session:
        self._sign_ins += 1
        company, user, password = self._user
        label = f"sign-in-{entity or 'top'}"
        envelope = envelopes.Envelope(
            control=self.control(label),
            authentication=envelopes.Login(company, user, password, entity),
            uniqueid=False,
        )
        etree.SubElement(envelope.named(label), "getAPISession")
        reply = self._wire.post(
            self._wire.addresses.endpoint,
            envelope.to_bytes(),
            idempotent=True,
            control_id=label,
            control_ids=(label,),
            entity=entity,
        )
        response = read(reply, self._wire.mask)
        raise_for_envelope(response)
        result = response.matched([label])[label]
        if result.status != "success":
            # A session that is refused after the sign-in itself was accepted is a matter of rights, such as the entity.
            raise Refused(
                f"{classify(result.errors).sentence} No session was given for {entity or 'the top level'}.",
                sign_in=True,
            )
        api = result.data.find("api") if result.data is not None else None
        session_id = (api.findtext("sessionid") or "").strip() if api is not None else ""
        endpoint = (api.findtext("endpoint") or "").strip() if api is not None else ""
        if not session_id or not endpoint:
            raise MalformedReply(
                "Intacct's sign-in succeeded without a session or an endpoint; check the configured endpoint."
            )
        self._wire.hide(session_id)
        assert response.authentication is not None
        return Session(
            entity, session_id, self._wire.addresses.accept(endpoint), self._ends(response.authentication)
        )


def read(reply: Reply, mask: replies.Mask = str) -> Response:
    """Parse a reply of any HTTP status below 500. Raises MalformedReply, or Rejected for a 4xx that holds no XML answer."""
    try:
        return replies.parse(reply.content, mask=mask)
    except MalformedReply:
        if reply.status in (401, 403):
            raise Refused(
                f"Intacct answered HTTP {reply.status}: credentials or rights were refused before the request was read; "
                "check sender, company and user with 'tieout doctor'.",
                sign_in=True,
            ) from None
        if 400 <= reply.status < 500:
            raise Rejected(
                f"Intacct answered HTTP {reply.status} without an explanation; check the endpoint in the configuration.",
                status=reply.status,
            ) from None
        raise


def raise_for_envelope(response: Response) -> None:
    """Raise for a control or authentication block that is not `success`; the operation was then not carried out.

    Refused for credentials and set-up, Throttled for rate limits, Rejected otherwise (`code` is Intacct's number; an expired session is
    `code` "session", a request refused as a whole, such as for its schema, "whole").
    """
    for block in (response.control, response.authentication):
        if block is None or block.ok:
            continue
        errors: tuple[Fault, ...] = block.errors or response.operation_errors
        verdict = classify(errors)
        whole = block is response.control and verdict.kind in (ErrorKind.SCHEMA, ErrorKind.DATA)
        if whole:
            # Refused before anything of it was looked at. Which record is to blame, if one is, only smaller requests can tell.
            raise Rejected(verdict.sentence, code="whole", number=verdict.number, said=verdict.said)
        if verdict.kind is ErrorKind.SESSION:
            raise Rejected(verdict.sentence, code="session", number=verdict.number)
        if verdict.kind is ErrorKind.TRANSPORT:
            raise Throttled(verdict.sentence)
        if verdict.kind in (ErrorKind.CONFIG, ErrorKind.PERMISSION) or block is response.authentication:
            raise Refused(verdict.sentence, sign_in=True)
        raise Rejected(verdict.sentence, code=verdict.number or None)
