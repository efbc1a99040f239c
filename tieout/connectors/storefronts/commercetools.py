"""The commercetools courier: orders, payments, customers, stock, stores and channels out; stock quantities
in.

Source of outside facts: commercetools API reference (Authorization, Query Predicates, PagedQueryResponse,
InventoryEntry, Concurrent Modification Error). Lists are walked by keyset, never by offset, because offsets
end at 10,000; queries are only eventually consistent, so the caller's window should overlap its watermark and
its landing should drop repeats by (id, version).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.paging import Key, Page, Progress, Window, in_order, stamp
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.commercetools_pages import (
    Peek,
    decode_page,
    peek_key,
    peek_keys,
    to_records,
)
from tieout.connectors.storefronts.commercetools_stock import StockRow, StockWriter
from tieout.connectors.storefronts.commercetools_token import Tokens, fault_of
from tieout.connectors.storefronts.commercetools_writes import FieldWriter
from tieout.connectors.writes import StockChange, StockWrite, Write, WriteResult
from tieout.errors import Conflict, InputError, MalformedReply, Refused, Rejected, TieoutError

__all__ = ["Commercetools", "StockChange", "StockRow", "StockWrite"]

MAX_PAGE_SIZE = 500
"""Most results a query may ask for (commercetools API reference, Limits)."""

TOTAL_CAP = 10_000
"""A `total` stops counting here when the query has a predicate (commercetools release notes of 12 October
2020).
"""

FRESH_TRIES = 3
"""How often a page that cannot be read, or that repeats, is asked for again."""

PATHS: Mapping[str, str] = {
    "orders": "orders",
    "payments": "payments",
    "customers": "customers",
    "inventory": "inventory",
    "stores": "stores",
    "channels": "channels",
    "customer_groups": "customer-groups",
    "products": "product-projections",
    "prices": "standalone-prices",
}


class _Total(msgspec.Struct):
    total: int | None = None


class Commercetools:
    """One project of commercetools.

    api_url, auth_url   the region's addresses, for example https://api.europe-west1.gcp.commercetools.com
    scopes              scopes to ask for; None takes all that the API client was given
    page_size           results per page, at most 500
    keep_personal       kinds of personal data that may be landed (see redaction.PERSONAL_FIELDS)
    sync_channel        key of the channel (role OrderExport) under which the ledger's documents are noted
    needed              subjects whose rights `ping` asks for; None for all that can be read
    http_options        keyword arguments for both Http clients: timeout, policy, max_bytes, pace, sleep, …

    A token is fetched when first needed, renewed before it expires and once when the platform says it is not
    valid.
    """

    def __init__(
        self,
        *,
        api_url: str,
        auth_url: str,
        project_key: str,
        client_id: str,
        client_secret: str,
        scopes: Sequence[str] | None = None,
        page_size: int = MAX_PAGE_SIZE,
        max_pages: int = 200_000,
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        sync_channel: str | None = None,
        needed: Collection[str] | None = None,
        http_options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise InputError(f"The commercetools page size must be 1 to {MAX_PAGE_SIZE}, not {page_size}.")
        if not project_key or not client_id or not client_secret:
            raise InputError(
                "commercetools needs a project key, a client id and a client secret; set all three in the configuration."
            )
        options = dict(http_options or {})
        secrets = (*options.pop("secrets", ()), client_secret)
        self._api = Http(api_url, secrets=secrets, **options)
        self._tokens = Tokens(
            auth_url, client_id, client_secret, scopes=tuple(scopes or ()), http_options=options, clock=clock
        )
        self._project = quote(project_key, safe="")
        self._page_size = page_size
        self._max_pages = max_pages
        self._keep_personal = frozenset(keep_personal)
        self._sync_channel = sync_channel
        self._needed = tuple(PATHS) if needed is None else tuple(needed)

    def __repr__(self) -> str:
        return f"Commercetools({self._api.base_url!r}, project {self._project!r})"

    @property
    def calls(self) -> int:
        """Requests sent so far, tokens and retries included."""
        return self._api.calls + self._tokens.calls

    def close(self) -> None:
        """Give the connections back."""
        self._api.close()
        self._tokens.close()

    def subjects(self) -> tuple[str, ...]:
        """What can be read."""
        return tuple(PATHS)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, subject: str, window: Window | None = None) -> Iterator[Page]:
        """All records of a subject, or those whose `lastModifiedAt` lies in the window, page by page.

        Payloads are the exact JSON text of each record after `redaction.scrub`. A record that cannot be
        understood comes with a `problem` and, if need be, a reference made from its bytes; the walk goes on.
        Raises Incomplete when pages repeat or do not end, MalformedReply when a page cannot be read after
        three fresh requests, Refused for missing rights, Unreachable and Throttled as Http does.
        """
        path = self._path(subject)
        progress = Progress(f"commercetools {subject}", self._max_pages)
        while True:
            body, raws, last = self._next_page(path, subject, window, progress)
            if not raws:
                return
            peeks = [Peek.of(raw) for raw in raws]
            page_no = progress.advance(*peek_key(peeks, timed=window is not None), last=last)
            records = to_records(
                raws, peeks, payment=subject == "payments", keep_personal=self._keep_personal
            )
            yield Page(records, page_no, len(body))
            if last:
                return

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """How many records the platform says there are, or None where it does not say exactly.

        The platform's `total` is an estimate that stops at 10,000 for queries with a predicate; a total at or
        above that is therefore no proof and None is returned. Records changed while a walk is under way may
        move out of its window.
        """
        params: list[tuple[str, str]] = [("limit", "1"), ("withTotal", "true")]
        params += _where(window, None)
        reply = self._get(self._path(subject), params, f"the count of {subject}")
        try:
            total = msgspec.json.decode(reply.content, type=_Total).total
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if total is None or total < 0:
            return None
        return None if total >= TOTAL_CAP else total

    def _next_page(
        self, path: str, subject: str, window: Window | None, progress: Progress
    ) -> tuple[bytes, list[bytes], bool]:
        """The page after the walk's key, and whether it is the last; asked for again when it leads nowhere."""
        params = [("limit", str(self._page_size)), ("withTotal", "false")]
        if window is not None:
            params.append(("sort", "lastModifiedAt asc"))
        params += [("sort", "id asc"), *_where(window, progress.key)]
        page_no = progress.page_no + 1
        stuck: TieoutError = progress.stuck()
        for attempt in range(1, FRESH_TRIES + 1):
            reply = self._get(path, params, f"{subject}, page {page_no}")
            try:
                raws, applied = decode_page(reply.content, salvage=attempt == FRESH_TRIES)
                if len(raws) > self._page_size:
                    raise MalformedReply(f"it holds {len(raws)} records; {self._page_size} were asked for")
            except MalformedReply as error:
                stuck = MalformedReply(
                    f"GET {path}, page {page_no}, could not be read in {FRESH_TRIES} tries ({error.sentence}); run the "
                    "extract again, and if it persists ask commercetools support with the time of this run.",
                    path=path,
                    page=page_no,
                )
                continue
            peeks = [Peek.of(raw) for raw in raws]
            if not in_order(peek_keys(peeks, timed=window is not None)):
                stuck = progress.unordered()
                continue
            refs, key = peek_key(peeks, timed=window is not None)
            # A platform that grants fewer than asked for says so; only a page below its own limit is the
            # last.
            last = len(raws) < min(self._page_size, applied or self._page_size)
            if not raws or progress.moves(refs, key, last=last):
                return reply.content, raws, last
            stuck = progress.stuck()
        raise stuck

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def write_stock(
        self,
        changes: Iterable[StockChange],
        decide: Callable[[StockChange, StockRow], int | None] | None = None,
    ) -> Iterator[StockWrite]:
        """Set `quantityOnStock` where it differs, one result per change, in order.

        Each write carries the version it was decided on. When somebody else was first (409), or an answer was
        lost, the row is read again and decided again; nothing is sent twice blindly. `decide` gets the change
        and the row as it is now and returns the quantity to set, or None to leave it; the default sets the
        planned quantity if the row still differs. A change the platform refuses is reported as `refused` and
        the others go on.
        """
        yield from StockWriter(self).write(changes, decide)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """`quantityOnStock` of each change's row as it is now, in order; None where there is none."""
        yield from StockWriter(self).read(changes)

    def cannot_write(self) -> Mapping[str, str]:
        """Fields this platform has no place for, with the sentence why."""
        return FieldWriter(self, self._sync_channel).cannot()

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """Set fields of orders, prices and customers where they differ; one result per write, in order."""
        yield from FieldWriter(self, self._sync_channel).write(writes)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def get_json(self, path: str, params: Sequence[tuple[str, str]], what: str) -> Any:
        """A small reply of this project, decoded; raises as `read` does."""
        reply = self._get(f"/{self._project}/{path}", params, what)
        try:
            return msgspec.json.decode(reply.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise MalformedReply(f"The reply to {what} is not JSON; run it again later.") from None

    def post_json(self, path: str, body: Mapping[str, Any], what: str) -> Any:
        """A write, sent once.

        Raises Conflict (409, with `current`), Rejected, OutcomeUnknown and what `read` raises.
        """
        reply = self._send(
            "POST", f"/{self._project}/{path}", what, json=body, idempotent=False, expect=_is_json
        )
        return msgspec.json.decode(reply.content)

    def _get(self, path: str, params: Sequence[tuple[str, str]], what: str) -> Reply:
        return self._send("GET", path, what, params=list(params), idempotent=True)

    def _send(self, method: str, path: str, what: str, **request: Any) -> Reply:
        """One authorised request; the token is renewed once if the platform no longer takes it."""
        for last in (False, True):
            token = self._tokens.bearer()
            self._api.hide(token)
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            reply = self._api.request(method, path, headers=headers, **request)
            if reply.status != 401:
                break
            self._tokens.forget(token)
            if last:
                raise Refused(
                    f"commercetools refused a fresh token for {what}; check that the API client belongs to this project."
                )
        if reply.status >= 400:
            raise self._refusal(reply, method, path, what)
        return reply

    def _refusal(self, reply: Reply, method: str, path: str, what: str) -> TieoutError:
        fault = fault_of(reply.content)
        words = self._api.redact(
            " ".join((fault.error_description or fault.message or "no reason given").split())[:300]
        )
        words = words.rstrip(".")
        if reply.status == 403:
            verb = "manage" if method == "POST" else "view"
            return Refused(
                f"commercetools does not allow {what} ({words}); give the API client a scope such as "
                f"{verb}_{_scope_word(path)}:{self._project}.",
                status=403,
                code=fault.code or "insufficient_scope",
            )
        if reply.status == 409:
            current = next((e.get("currentVersion") for e in fault.errors if "currentVersion" in e), None)
            return Conflict(
                f"Somebody else changed {what} first; read it again before deciding.",
                current=current if isinstance(current, int) else None,
            )
        hint = (
            "check the project key and the region"
            if reply.status == 404 and method == "GET"
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"commercetools rejected {what} with HTTP {reply.status} ({words}); {hint}.",
            status=reply.status,
            code=fault.code or None,
        )

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each; empty when every needed subject can be read.

        Reads one record of each subject, because only that proves a right; scopes are named where a read is
        refused.
        """
        try:
            self._tokens.bearer()
        except TieoutError as error:
            return [error.sentence]
        problems: list[str] = []
        for subject in self._needed:
            try:
                self._get(self._path(subject), [("limit", "1"), ("withTotal", "false")], f"reading {subject}")
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Refused | Rejected):
                    break  # the system itself is unwell; the other subjects would say the same
        granted = {scope.split(":")[0] for scope in self._tokens.scopes}
        if granted and not granted & {"manage_products", "manage_project"}:
            problems.append(
                "The API client may not write stock; give it the scope "
                f"manage_products:{self._project} if stock is to be published."
            )
        return problems

    def _path(self, subject: str) -> str:
        try:
            return f"/{self._project}/{PATHS[subject]}"
        except KeyError:
            raise InputError(
                f"commercetools has no subject {subject!r}; choose one of {', '.join(PATHS)}."
            ) from None


# Scope names by resource; which scope opens channels is not stated in every edition of the reference, so a
# read decides.
_SCOPE_WORDS = {
    "inventory": "products", "channels": "products", "product-projections": "products",
    "standalone-prices": "standalone_prices", "customer-groups": "customer_groups",
}  # fmt: skip


def _scope_word(path: str) -> str:
    resource = path.strip("/").split("/")[1] if path.strip("/").count("/") else path.strip("/")
    return _SCOPE_WORDS.get(resource, resource)


def _where(window: Window | None, key: Key | None) -> list[tuple[str, str]]:
    """The predicate for the records after a key, within a window; none at all for the first page of a whole
    table.
    """
    terms: list[str] = []
    if window is None:
        if key is not None:
            terms.append(f"id > {literal(key.ref)}")
    elif key is not None and key.instant_text is not None:
        at = literal(key.instant_text)
        terms.append(f"(lastModifiedAt > {at} or (lastModifiedAt = {at} and id > {literal(key.ref)}))")
    elif window.start is not None:
        terms.append(f"lastModifiedAt >= {literal(stamp(window.start))}")
    if window is not None and window.end is not None:
        terms.append(f"lastModifiedAt < {literal(stamp(window.end))}")
    return [("where", " and ".join(terms))] if terms else []


def literal(text: str) -> str:
    """A text as a predicate literal, so that no value can change the query around it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_json(reply: Reply) -> None:
    try:
        msgspec.json.decode(reply.content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedReply("the answer is not the JSON that was expected") from None
