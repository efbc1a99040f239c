"""The Intacct client: post a batch, read back by natural key, walk an object, ask the company what it allows.

It knows documents, rows and sessions; it knows nothing of orders, warehouses or schedules. One object serves one worker: Intacct
handles about one request at a time per company, so more workers only queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from tieout.connectors.intacct.amendments import Postable
from tieout.connectors.intacct.archive import Exchange
from tieout.connectors.intacct.calls import Calls, Meter
from tieout.connectors.intacct.company_reader import DEFAULT_LOOK_BACK, CompanyReader
from tieout.connectors.intacct.described import Described
from tieout.connectors.intacct.documents import Style
from tieout.connectors.intacct.limits import Limits
from tieout.connectors.intacct.outcomes import BatchOutcome
from tieout.connectors.intacct.posting import Posting
from tieout.connectors.intacct.session import Sessions
from tieout.connectors.intacct.transport import Addresses, Wire
from tieout.connectors.intacct.walking import count
from tieout.errors import InputError, Refused, Rejected, TieoutError

__all__ = ["DEFAULT_ENDPOINT", "DEFAULT_LOOK_BACK", "Intacct"]

DEFAULT_ENDPOINT = "https://api.intacct.com/ia/xml/xmlgw.phtml"
_PROBED = (
    "LOCATIONENTITY",
    "CUSTOMER",
    "ARINVOICE",
    "ARINVOICEITEM",
    "ARPYMT",
    "ARPYMTDETAIL",
    "ARADJUSTMENT",
)


class Intacct(CompanyReader):
    """One company, one API user.

    endpoint, sender_*, company_id, user_*   as in the company's Web Services set-up; secrets never appear in errors, repr or archive
    allowed_hosts    hosts besides Sage's own and the endpoint's that a sign-in may name as the session's endpoint
    http_options     passed to `Http`: timeout, policy, pace, max_bytes, sleep, rng
    archive          called with every `Exchange`, redacted, before its outcome is known to the caller
    meter            called with ("write" | "read", API transactions) by Sage's published counting rules
    transaction      one failure in a batch rolls the batch back; the rest is then sent again without the culprit
    uniqueid         a function id that once completed is refused when it comes again; leave it on
    zone             the GMT offset in the API user's settings, in which WHENMODIFIED is written
    described        what the company said of its objects before, so that it is not asked again; what is learnt is added to it
    replay_numbers, replay_texts   what this company answers to a repeated function id; not publicly known, recognised by its words otherwise
    """

    def __init__(
        self,
        *,
        sender_id: str,
        sender_password: str,
        company_id: str,
        user_id: str,
        user_password: str,
        endpoint: str = DEFAULT_ENDPOINT,
        allowed_hosts: Iterable[str] = (),
        http_options: Mapping[str, Any] | None = None,
        archive: Callable[[Exchange], None] | None = None,
        meter: Meter | None = None,
        transaction: bool = False,
        uniqueid: bool = True,
        styles: Mapping[type, Style] | None = None,
        limits: Limits | None = None,
        described: Described | None = None,
        zone: tzinfo = UTC,
        error_detail: bool = True,
        replay_numbers: Sequence[str] = (),
        replay_texts: Sequence[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (
            ("sender id", sender_id), ("sender password", sender_password), ("company id", company_id),
            ("user id", user_id), ("user password", user_password),
        ):  # fmt: skip
            if not value:
                raise InputError(
                    f"The Intacct {name} is empty; set it in the configuration or the environment."
                )
        hosts = frozenset(host.lower() for host in allowed_hosts)
        self._wire = Wire(
            Addresses(endpoint, hosts),
            secrets=(sender_password, user_password),
            http_options=http_options,
            archive=archive,
            clock=clock,
        )
        self._sessions = Sessions(
            self._wire,
            sender_id=sender_id,
            sender_password=sender_password,
            company_id=company_id,
            user_id=user_id,
            user_password=user_password,
            error_detail=error_detail,
            monotonic=monotonic,
        )
        self._calls = Calls(self._wire, self._sessions, meter)
        self._company = company_id
        self._transaction = transaction
        self._uniqueid = uniqueid
        self._styles = dict(styles or {})
        self._zone = zone
        self._replay = (tuple(replay_numbers), tuple(replay_texts))
        self._older = set()
        self.described = described if described is not None else Described()
        self.limits = limits or Limits()
        for name, lengths in self.described.lengths.items():
            self.limits = self.limits.learned(name, lengths)
        self.notes = []

    def __repr__(self) -> str:
        return f"Intacct(company={self._company!r}, endpoint={self._wire.addresses.endpoint!r})"

    @property
    def requests(self) -> int:
        """Requests sent so far, sign-ins not counted."""
        return self._calls.requests

    @property
    def sign_ins(self) -> int:
        """Sign-ins sent so far."""
        return self._sessions.sign_ins

    def close(self) -> None:
        """Give the connections back."""
        self._wire.close()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def post(
        self,
        batch: Sequence[tuple[str, Postable]],
        *,
        entity: str | None = None,
        styles: Mapping[type, Style] | None = None,
    ) -> BatchOutcome:
        """Post at most 100 documents, each with its function control id, and say what became of each.

        Raises InputError for a batch that may not be sent, and Refused, Throttled, Unreachable or Rejected when the very first request
        was not carried out: then no document was posted. Once anything was answered, such an error is `BatchOutcome.halted`.
        """
        if not batch:
            return BatchOutcome({})
        posting = Posting(
            self._calls,
            entity=entity,
            styles={**self._styles, **(styles or {})},
            limits=self.limits,
            transaction=self._transaction,
            uniqueid=self._uniqueid,
            replay_numbers=self._replay[0],
            replay_texts=self._replay[1],
        )
        return posting.run(batch)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What stands in the way: one sentence per problem, none when sign-in works and every object we read can be read."""
        try:
            self._sessions.get(None)
        except TieoutError as error:
            return [error.sentence]
        problems = []
        for name in _PROBED:
            try:
                count(self._calls, name, None, None)
            except (Refused, Rejected) as error:
                problems.append(error.sentence)
            except TieoutError as error:
                return [*problems, error.sentence]
        return problems
