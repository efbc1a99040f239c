"""The Intacct client: post a batch, read back by natural key, walk an object, ask the company what it allows.

It knows documents, rows and sessions; it knows nothing of orders, warehouses or schedules. One object serves one worker: Intacct
handles about one request at a time per company, so more workers only queue.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from tieout.connectors.intacct import inquiries
from tieout.connectors.intacct.archive import Exchange
from tieout.connectors.intacct.calls import Calls, Meter
from tieout.connectors.intacct.documents import Document, Style
from tieout.connectors.intacct.limits import INSPECTABLE, Limits
from tieout.connectors.intacct.outcomes import BatchOutcome
from tieout.connectors.intacct.posting import Posting
from tieout.connectors.intacct.reading import (
    MAX_IN,
    MAX_PAGE,
    Both,
    Filter,
    Where,
    all_of,
    record,
    stamp,
)
from tieout.connectors.intacct.replies import Row
from tieout.connectors.intacct.session import Sessions
from tieout.connectors.intacct.transport import Addresses, Wire
from tieout.connectors.intacct.walking import count, pages, proved_pages
from tieout.connectors.paging import Page
from tieout.errors import Incomplete, InputError, Refused, Rejected, TieoutError

log = logging.getLogger("tieout.intacct")

DEFAULT_ENDPOINT = "https://api.intacct.com/ia/xml/xmlgw.phtml"
DEFAULT_LOOK_BACK = timedelta(hours=2)
"""How far a changed-since read reaches behind its watermark: rows have been seen to become visible late."""
_PROBED = (
    "LOCATIONENTITY",
    "CUSTOMER",
    "ARINVOICE",
    "ARINVOICEITEM",
    "ARPYMT",
    "ARPYMTDETAIL",
    "ARADJUSTMENT",
)


class Intacct:
    """One company, one API user.

    endpoint, sender_*, company_id, user_*   as in the company's Web Services set-up; secrets never appear in errors, repr or archive
    allowed_hosts    hosts besides Sage's own and the endpoint's that a sign-in may name as the session's endpoint
    http_options     passed to `Http`: timeout, policy, pace, max_bytes, sleep, rng
    archive          called with every `Exchange`, redacted, before its outcome is known to the caller
    meter            called with ("write" | "read", API transactions) by Sage's published counting rules
    transaction      one failure in a batch rolls the batch back; the rest is then sent again without the culprit
    uniqueid         a function id that once completed is refused when it comes again; leave it on
    zone             the GMT offset in the API user's settings, in which WHENMODIFIED is written
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
        self._fields: dict[str, list[str]] = {}
        self.limits = limits or Limits()
        self.notes: list[str] = []

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
        batch: Sequence[tuple[str, Document]],
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

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(
        self,
        object_name: str,
        field: str,
        values: Sequence[str],
        *,
        fields: Sequence[str],
        entity: str | None = None,
    ) -> dict[str, list[Row]]:
        """Rows by natural key: for each value the rows whose `field` equals it, an empty list for none. Up to 1,000 values a query.

        Raises Incomplete when a page cannot be trusted: then nothing may be concluded from a missing row.
        """
        wanted = list(dict.fromkeys(values))
        found: dict[str, list[Row]] = {value: [] for value in wanted}
        folded = {value.strip().casefold(): value for value in reversed(wanted)}
        selected = list(dict.fromkeys(("RECORDNO", field.upper(), *fields)))
        for start in range(0, len(wanted), MAX_IN):
            part = tuple(wanted[start : start + MAX_IN])
            condition = Where("in", field, part) if len(part) > 1 else Where("equalto", field, part)
            for rows in pages(
                self._calls,
                object_name,
                fields=selected,
                condition=condition,
                page_size=MAX_PAGE,
                entity=entity,
            ):
                for row in rows:  # rows are dicts from one reply, at most 2,000: nothing columnar to use
                    value = str(row.get(field.upper(), ""))
                    home = found.get(value)
                    if home is None:
                        # A company whose ids ignore case answers with its own spelling; that row is the record asked for.
                        home = found.get(folded.get(value.strip().casefold(), ""))
                    if home is None:
                        raise Incomplete(
                            f"Intacct answered a search of {object_name} by {field} with a row nobody asked for ('{value[:40]}'); "
                            "nothing may be concluded from it, try again later."
                        )
                    home.append(row)
        return found

    def read_range(
        self,
        object_name: str,
        *,
        fields: Sequence[str],
        entity: str | None = None,
        changed_since: datetime | None = None,
        page_size: int = MAX_PAGE,
        look_back: timedelta = DEFAULT_LOOK_BACK,
        condition: Filter | None = None,
    ) -> Iterator[Page]:
        """Pages of records in RECORDNO order, proved complete by Intacct's own count at the end.

        `changed_since` keeps rows changed at or after it less `look_back`, and rows whose WHENMODIFIED is empty. Fields the company does
        not have are left out and noted in `notes`. After a failed proof all pages come once more; then Incomplete is raised.
        """
        known = self._known(object_name, fields)
        changed = self._changed(object_name, known, changed_since, look_back)
        selected = list(dict.fromkeys(("RECORDNO", *known)))
        if changed is not None and "WHENMODIFIED" not in selected:
            selected.append("WHENMODIFIED")
        page_no = 0
        while True:
            walk = proved_pages(
                self._calls,
                object_name,
                fields=selected,
                condition=all_of(changed, condition),
                page_size=page_size,
                entity=entity,
            )
            try:
                for page_no, rows in enumerate(walk, 1):
                    records = tuple(record(row, self._zone) for row in rows)
                    yield Page(records, page_no, self._calls.last_bytes)
                return
            except Rejected as error:
                # One field that is listed and cannot be queried fails the whole query; the answer names it.
                said = set(re.findall(r"[A-Z][A-Z0-9_.]+", str(error.context.get("said", ""))))
                named = [name for name in selected if name in said and name != "RECORDNO"]
                if page_no or error.code != "XL03000006" or not named:
                    raise
                selected = [name for name in selected if name not in named]
                self._note(
                    f"{object_name} cannot be queried by {', '.join(named)} in this company; left out."
                )

    def count(
        self,
        object_name: str,
        *,
        changed_since: datetime | None = None,
        look_back: timedelta = timedelta(0),
        entity: str | None = None,
        condition: Filter | None = None,
    ) -> int:
        """How many rows there are, by Intacct's own count. Costs one read."""
        changed = self._changed(object_name, ("WHENMODIFIED",), changed_since, look_back)
        return count(self._calls, object_name, all_of(changed, condition), entity)

    def fields(self, object_name: str) -> list[str]:
        """The field names of an object in this company, asked once. Raises Refused or Rejected when the company will not say."""
        name = object_name.upper()
        if name not in self._fields:
            self._fields[name] = inquiries.field_names(self._calls, name)
        return list(self._fields[name])

    def learn_limits(self, objects: Sequence[str] = INSPECTABLE) -> Limits:
        """Take field lengths from the company's own `inspect`; objects it will not describe keep the nominal ones. One read each."""
        for name in objects:
            lengths = inquiries.max_lengths(self._calls, name)
            if lengths is None:
                self._note(f"Intacct does not describe {name}; the nominal field lengths are kept.")
            else:
                self.limits = self.limits.learned(name, lengths)
        return self.limits

    def stock_totals(
        self, *, item_id: str | None = None, warehouse_id: str | None = None, entity: str | None = None
    ) -> list[Row]:
        """Stock already summed: rows of WAREHOUSEID, ITEMID, TOTALNAME (such as ONHAND, ONORDER) and QUANTITY as text."""
        return inquiries.stock_totals(self._calls, item_id, warehouse_id, entity)

    def closed_through(self, entity: str | None = None) -> date | None:
        """The last day of the last closed period, or None if Intacct names none."""
        return inquiries.closed_through(self._calls, entity)

    def deletions(
        self,
        object_name: str,
        *,
        since: datetime,
        look_back: timedelta = DEFAULT_LOOK_BACK,
        entity: str | None = None,
    ) -> Iterator[inquiries.Deletion]:
        """What was deleted since an instant less `look_back`. Raises Refused when the user lacks the audit right."""
        return inquiries.deletions(self._calls, object_name, since - look_back, self._zone, entity)

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

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
            log.warning("%s", sentence)

    def _known(self, object_name: str, fields: Sequence[str]) -> list[str]:
        try:
            there = set(self.fields(object_name))
        except (Refused, Rejected):
            self._note(
                f"Intacct does not list the fields of {object_name}; they are asked for as configured."
            )
            return list(fields)
        if not there:
            return list(fields)
        # A dotted name belongs to a related object, whose fields this lookup does not list.
        kept = [name for name in fields if name in there or "." in name]
        for name in fields:
            if name not in kept:
                self._note(f"{object_name} has no field {name} in this company; it is left out.")
        if not kept:
            raise InputError(
                f"None of the fields asked of {object_name} exists in this company; check the configuration."
            )
        return kept

    def _changed(
        self, object_name: str, known: Sequence[str], since: datetime | None, look_back: timedelta
    ) -> Filter | None:
        if since is None:
            return None
        listed = self._fields.get(object_name.upper(), ())
        if "WHENMODIFIED" not in known and "WHENMODIFIED" not in listed:
            self._note(f"{object_name} does not say when it changed; all of it is read.")
            return None
        recent = Where("greaterthanorequalto", "WHENMODIFIED", (stamp(since - look_back, self._zone),))
        return Both((recent, Where("isnull", "WHENMODIFIED")), any_of=True)
