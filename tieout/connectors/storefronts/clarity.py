"""The Clarity eCommerce courier: whatever a profile names out, and stock, prices, statuses and tracking in.

Clarity Ventures publishes no reference of this interface; everything particular stands in the profile (see clarity_profile). What is
not known is not relied on: a filter by change time is asked for and checked here again, an order of records is not assumed, and a
list that shifts while it is walked is proved by the shop's own count where the profile says there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any, Final

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.json_lists import (
    MEMBERS,
    UNREADABLE,
    Keys,
    Listing,
    Seen,
    Walk,
    at_path,
    listing,
    member,
    record,
    seen,
)
from tieout.connectors.paging import Page, Window
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.clarity_profile import SUBJECTS, Profile
from tieout.connectors.storefronts.clarity_token import Tokens
from tieout.connectors.storefronts.clarity_writing import Writer
from tieout.connectors.writes import (
    StockChange,
    StockWrite,
    Write,
    WriteResult,
)
from tieout.errors import (
    Incomplete,
    InputError,
    MalformedReply,
    Refused,
    Rejected,
    TieoutError,
)

FRESH_TRIES = 3
"""How often a page that cannot be read is asked for again."""

WALKS = 3
"""How often a walk is begun anew because it fell short of the shop's own count."""

_NOT_LANDED: Final = frozenset({"notes", "internalNotes", "customerNotes", "paymentInfo"})


class Clarity:
    """One Clarity shop, spoken to as a profile says.

    client_id, client_secret   for profiles that sign in by OAuth 2.0; `client_secret` alone is the key of a profile with a fixed header
    page_size                  records per page, at most what the profile allows; None takes that
    keep_personal              kinds of personal data that may be landed (see redaction.PERSONAL_FIELDS)
    http_options               keyword arguments for Http: timeout, policy, max_bytes, pace, sleep, …
    """

    def __init__(
        self,
        *,
        api_url: str,
        profile: Profile,
        client_id: str = "",
        client_secret: str,
        page_size: int | None = None,
        max_pages: int = 200_000,
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        http_options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        most = profile.paging.most
        if page_size is not None and not 1 <= page_size <= most:
            raise InputError(
                f"The page size of the Clarity profile {profile.profile.name} must be 1 to {most}, not {page_size}."
            )
        if not client_secret or (profile.auth.style == "oauth2" and not client_id):
            raise InputError(
                "Clarity needs the credentials its profile asks for; set client_id and client_secret in the configuration."
            )
        options = dict(http_options or {})
        secrets = (*options.pop("secrets", ()), client_secret)
        self._http = Http(api_url, secrets=secrets, **options)
        self._profile = profile
        self._secret = client_secret
        self._tokens: Tokens | None = None
        if profile.auth.style == "oauth2":
            address = f"{self._http.base_url}{profile.auth.token_path}"
            basic = profile.auth.credentials == "basic"
            self._tokens = Tokens(
                address, client_id, client_secret, basic=basic, http_options=options, clock=clock
            )
        self._page_size = page_size or most
        self._max_pages = max_pages
        keep = frozenset(keep_personal)
        self._keys: dict[str, Keys] = {subject: self._keys_of(subject, keep) for subject in profile.subjects}

    def _keys_of(self, subject: str, keep: frozenset[str]) -> Keys:
        names = self._profile.fields[subject]
        ref = names["sku"] if subject == "inventory" else names["ref"]
        changed = (names["changed"],) if "changed" in names else ()
        return Keys((ref,), changed, _NOT_LANDED, keep)

    def __repr__(self) -> str:
        return f"Clarity({self._http.base_url!r}, profile {self._profile.profile.name!r})"

    @property
    def calls(self) -> int:
        """Requests sent so far, tokens and retries included."""
        return self._http.calls + (self._tokens.calls if self._tokens else 0)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        if self._tokens:
            self._tokens.close()

    def subjects(self) -> tuple[str, ...]:
        """What the profile can read."""
        return tuple(self._profile.subjects)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, subject: str, window: Window | None = None) -> Iterator[Page]:
        """All records of a subject, or those changed within the window, page by page; each version of a record once.

        Raises Incomplete when pages repeat, do not end, or hold fewer records than the shop counts; MalformedReply when a page cannot
        be read after three fresh requests; Refused for bad credentials; Unreachable and Throttled as Http does. A subject the profile
        does not name has no pages.
        """
        keys = self._known(subject)
        if keys is None:
            return
        shape = self._named_only if subject == "payments" else None
        walk = Walk(f"{subject} of Clarity", self._max_pages)
        refs: set[str] = set()
        total: int | None = None
        for _ in range(WALKS):
            for number in range(self._max_pages + 1):
                found, size = self._page(subject, number, self._page_size, window)
                if walk.is_old([_placed(subject, seen(raw, keys), self._profile) for raw in found.elements]):
                    found, size = self._page(subject, number, self._page_size, window)
                total = found.whole_number(self._profile.paging.total) if self._profile.paging.total else None
                ones = [
                    _placed(subject, one, self._profile)
                    for one in (seen(raw, keys) for raw in found.elements)
                ]
                refs.update(one.ref for one in ones if one.ref is not None)
                fresh = walk.fresh(ones) if ones else []
                inside = [
                    one for one in fresh if window is None or one.changed is None or one.changed in window
                ]
                if inside:
                    yield Page(tuple(record(one, keys, shape=shape) for one in inside), walk.page_no, size)
                if len(ones) < self._page_size:
                    break
            # Within a window nobody promises that the shop's count heeds the filter: there it proves nothing.
            if total is None or window is not None or len(refs) >= total:
                return
            walk.again()
        raise Incomplete(
            f"Clarity counts {total} {subject} and sent {len(refs)}; records moved while they were read, or the paging of the profile is "
            "wrong. Run it again in a quieter hour, and check [paging]."
        )

    def _named_only(self, one: Seen) -> bytes:
        """A payment with nothing in it but what the profile names: method, references, amounts and states."""
        fields = self._profile.fields
        named = {path.partition(".")[0] for path in fields["payments"].values()}
        kept: dict[str, Any] = {name: value for name, value in one.members.items() if name in named}
        path = fields["payments"]["transactions"]
        if path in kept:
            inner = {inner.partition(".")[0] for inner in fields.get("transactions", {}).values()}
            try:
                moves = msgspec.json.decode(kept[path], type=list[dict[str, msgspec.Raw]] | None) or []
            except UNREADABLE:
                moves = []
            kept[path] = [{name: value for name, value in move.items() if name in inner} for move in moves]
        return msgspec.json.encode(kept)

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """How many records the shop counts, or None where it does not say or a window is asked for: nobody promises that its count
        heeds the filter."""
        if self._known(subject) is None or window is not None or not self._profile.paging.total:
            return None
        return self._page(subject, 0, 1, None)[0].whole_number(self._profile.paging.total)

    def _known(self, subject: str) -> Keys | None:
        if subject not in SUBJECTS:
            raise InputError(f"Clarity has no subject {subject!r}; choose one of {', '.join(SUBJECTS)}.")
        return self._keys.get(subject)

    def _page(self, subject: str, number: int, size: int, window: Window | None) -> tuple[Listing, int]:
        paging, changes = self._profile.paging, self._profile.changes
        position = paging.first + (number if paging.style == "page" else number * size)
        params = [(paging.position, str(position)), (paging.size, str(size))]
        if window is not None and window.start is not None and changes.parameter:
            start = window.start.astimezone(UTC).replace(microsecond=0)
            text = f"{start:%Y-%m-%dT%H:%M:%SZ}" if changes.format == "iso" else str(int(start.timestamp()))
            params.append((changes.parameter, text))
        stuck: MalformedReply | None = None
        for attempt in range(1, FRESH_TRIES + 1):
            what = f"{subject}, page {number + 1}"
            reply = self._send("GET", self._profile.subjects[subject], what, params=params, idempotent=True)  # type: ignore[index]
            try:
                roots = (paging.items,) if paging.items else ()
                found = listing(reply.content, roots, salvage=attempt == FRESH_TRIES)
                if len(found.elements) > size:
                    raise MalformedReply(f"it holds {len(found.elements)} records; {size} were asked for")
            except MalformedReply as error:
                stuck = error
                continue
            return found, len(reply.content)
        assert stuck is not None
        raise MalformedReply(
            f"{subject}, page {number + 1}, of Clarity could not be read in {FRESH_TRIES} tries ({stuck.sentence}); run the extract again, "
            "and if it persists check [paging] of the profile.",
            page=number + 1,
        )

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def cannot_write(self) -> Mapping[str, str]:
        """Fields the profile names no way to write, with the sentence why."""
        return self._writer().cannot_write()

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        yield from self._writer().write(writes)

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set quantities where they differ, one result per change, in order. No version is known, so each is read right before."""
        yield from self._writer().write_stock(changes)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity the shop holds now, for each change in order; None where there is no such row."""
        yield from self._writer().read_stock(changes)

    def _writer(self) -> Writer:
        return Writer(self._profile, self._send)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, method: str, path: str, what: str, **request: Any) -> Reply:
        """One signed request; a token is renewed once if the shop no longer takes it."""
        auth = self._profile.auth
        for last in (False, True):
            key = self._tokens.bearer() if self._tokens else self._secret
            self._http.hide(key)
            headers = {auth.header: f"{auth.prefix}{key}", "Accept": "application/json"}
            if "data" in request:
                headers["Content-Type"] = "application/json"
            reply = self._http.request(method, path, headers=headers, **request)
            if reply.status != 401 or self._tokens is None:
                break
            self._tokens.forget(key)
            if last:
                raise Refused(
                    f"Clarity refused a fresh token for {what}; check that the client belongs to this shop."
                )
        if reply.status >= 400:
            raise self._refusal(reply, method, what)
        return reply

    def _refusal(self, reply: Reply, method: str, what: str) -> TieoutError:
        words = self._http.redact(_words(reply.content))
        if reply.status in (401, 403):
            return Refused(
                f"Clarity does not allow {what} ({words}); check the credentials and the rights of the client.",
                status=reply.status,
            )
        hint = (
            "check api_url and the paths of the profile"
            if reply.status == 404 and method == "GET"
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"Clarity rejected {what} with HTTP {reply.status} ({words}); {hint}.", status=reply.status
        )

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each; empty when every subject can be read and the profile is no mere
        assumption about a shop that answers otherwise."""
        problems: list[str] = []
        for subject in self._profile.subjects:
            try:
                found, _ = self._page(subject, 0, 1, None)
                for raw in found.elements:
                    one = seen(raw, self._keys[subject])
                    if one.problem:
                        problems.append(
                            f"A record of {subject} does not fit the profile: {one.problem} Correct [fields.{subject}]."
                        )
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Rejected | MalformedReply):
                    break  # the shop itself is unwell, or the credentials are: the other subjects would say the same
        return problems


def _placed(subject: str, one: Seen, profile: Profile) -> Seen:
    """A stock row is one of its SKU and location; a bare SKU would have the rows of two warehouses be one."""
    path = profile.fields[subject].get("location") if subject == "inventory" else None
    where = member(at_path(one.members, path)) if path else None
    if one.ref is None or where is None or where == "":
        return one
    return Seen(one.raw, f"{one.ref}|{where}", one.changed, one.problem, one.members)


def _words(content: bytes) -> str:
    try:
        members = MEMBERS.decode(content)
    except UNREADABLE:
        return "no reason given"
    for path in ("error.message", "error_description", "message", "error"):
        found = member(at_path(members, path))
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300].rstrip(".")
    return "no reason given"
