"""The Magento 2 / Adobe Commerce courier: orders, their invoices, credit memos, shipments and transactions, customers, products, stock
and stores out; stock, prices, shipments and comments in.

Source of outside facts: Magento web API documentation (Search using REST endpoints, API security, Error messages) and REST reference
2.4.8. Lists are walked by keyset on the entity's id, always asking for page 1: rows move between pages when data change, and before
2.4 the page after the last is the last one again, for ever. `total_count` proves each page: it counts what is still to come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.paging import Key, Page, Progress, Window
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.magento_auth import SignIn
from tieout.connectors.storefronts.magento_faults import fault_text
from tieout.connectors.storefronts.magento_pages import SUBJECTS, Peek, Subject, decode_page, peek, to_records
from tieout.connectors.storefronts.magento_stock import SourceItems
from tieout.connectors.storefronts.magento_writes import CANNOT_WRITE, Writers
from tieout.connectors.writes import StockChange, StockWrite, Write, WriteResult, answered
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, TieoutError

MAX_PAGE_SIZE = 300
"""The cap a shop enforces once it switches input limits on (Magento web API documentation, API security). Others may be configured."""

EXACT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
"""JSON with numbers as exact decimals: quantities and prices are never read through a float."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")

FRESH_TRIES = 3
"""How often a page that cannot be read, or that repeats, is asked for again."""


class Magento:
    """One shop.

    base_url       `https://shop.example`, or for Adobe Commerce as a Cloud Service `https://server.api.commerce.adobe.com/tenant`
    store_code     whose view is read; `all` addresses every store. Not part of the address on the cloud service
    is_cloud       Adobe Commerce as a Cloud Service: no `/rest/{store}` in front of `V1`
    sign_in        how requests are authorised (see magento_auth)
    subjects       which subjects the shop has; Open Source has fewer than Commerce
    page_size      records per page; a shop that grants fewer is noticed and respected
    price_stores   id of the store whose prices are in a currency; prices in others are not written
    bulk           write stock through the asynchronous bulk interface, which needs queue consumers on the shop
    """

    def __init__(
        self,
        *,
        base_url: str,
        sign_in: SignIn,
        store_code: str = "all",
        is_cloud: bool = False,
        subjects: Sequence[str] = tuple(SUBJECTS),
        page_size: int = MAX_PAGE_SIZE,
        max_pages: int = 200_000,
        stock_batch: int = 20,
        bulk: bool = False,
        bulk_wait_seconds: float = 300,
        price_stores: Mapping[str, int] = MappingProxyType({}),
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        http_options: Mapping[str, Any] | None = None,
    ) -> None:
        if page_size < 1:
            raise InputError(f"The Magento page size must be 1 or more, not {page_size}.")
        unknown = sorted(set(subjects) - set(SUBJECTS))
        if unknown:
            raise InputError(f"Magento has no subject {unknown[0]!r}; choose among {', '.join(SUBJECTS)}.")
        self._sign_in = sign_in
        self._api = Http(base_url, secrets=sign_in.hidden(), **dict(http_options or {}))
        self._root = "" if is_cloud else f"/rest/{quote(store_code, safe='')}"
        self._async_root = f"{self._root}/V1/async/bulk/V1" if is_cloud else f"{self._root}/async/bulk/V1"
        self._subjects = tuple(name for name in SUBJECTS if name in subjects)
        self._page_size, self._max_pages = page_size, max_pages
        self._keep_personal = frozenset(keep_personal)
        self.price_stores = price_stores
        self._stock = SourceItems(self, batch=stock_batch, bulk=bulk, wait_seconds=bulk_wait_seconds)

    def __repr__(self) -> str:
        return f"Magento({self._api.base_url!r})"

    @property
    def calls(self) -> int:
        """Requests sent so far, sign-ins and retries included."""
        return self._api.calls + self._sign_in.calls

    def close(self) -> None:
        """Give the connections back."""
        self._api.close()
        self._sign_in.close()

    def subjects(self) -> tuple[str, ...]:
        """What can be read."""
        return self._subjects

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, subject: str, window: Window | None = None) -> Iterator[Page]:
        """All records of a subject, or those changed in the window, page by page.

        Subjects without change stamps (stores, source items) are always read whole. Transactions only say when they were created.
        Payloads are the exact JSON text of each record without what must not rest. A record that cannot be understood comes with a
        `problem`; the walk goes on. Raises Incomplete when pages repeat, do not end, or end before the shop's own count is reached;
        MalformedReply when a page cannot be read after three fresh requests; Refused, Unreachable and Throttled as Http does.
        """
        described = self._subject(subject)
        if described.is_list:
            yield from self._whole_list(subject, described)
        elif described.filter_key is None:
            yield from self._by_number(subject, described)
        else:
            yield from self._by_key(subject, described, window)

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """How many records the shop counts; None for a bare list, which is its own proof."""
        described = self._subject(subject)
        if described.is_list:
            return None
        query = [
            *_filters(described, window, None),
            ("searchCriteria[pageSize]", "1"),
            ("fields", "total_count"),
        ]
        reply = self._get(described.path, query, f"the count of {subject}")
        try:
            return decode_page(reply.content, described)[1]
        except MalformedReply:
            return None

    def _by_key(self, name: str, subject: Subject, window: Window | None) -> Iterator[Page]:
        progress = Progress(f"Magento {name}", self._max_pages)
        while True:
            reply, raws, peeks, still = self._next(name, subject, window, progress)
            if not raws:
                return
            last = len(raws) >= still
            numbers = [one.number for one in peeks if one.number is not None]
            key = Key(f"{max(numbers):020d}") if numbers else None
            page_no = progress.advance([one.ref or "" for one in peeks], key, last=last)
            yield Page(
                to_records(raws, peeks, keep_personal=self._keep_personal), page_no, len(reply.content)
            )
            if last:
                return

    def _next(
        self, name: str, subject: Subject, window: Window | None, progress: Progress
    ) -> tuple[Reply, list[bytes], list[Peek], int]:
        """The page after the walk's key and how many records the shop counts from there; asked again when it leads nowhere."""
        after = progress.key.ref.lstrip("0") if progress.key else None
        query = [
            *_filters(subject, window, after or None),
            ("searchCriteria[sortOrders][0][field]", subject.filter_key or ""),
            ("searchCriteria[sortOrders][0][direction]", "ASC"),
            ("searchCriteria[pageSize]", str(self._page_size)),
            ("searchCriteria[currentPage]", "1"),
        ]
        stuck: TieoutError = progress.stuck()
        for _ in range(FRESH_TRIES):
            reply = self._get(subject.path, query, f"{name}, page {progress.page_no + 1}")
            try:
                raws, still = decode_page(reply.content, subject)
                peeks = [peek(raw, subject) for raw in raws]
                _judge(peeks, still or 0, int(after or 0), self._page_size)
            except MalformedReply as error:
                stuck = _unreadable(subject, progress.page_no + 1, error)
                continue
            except Incomplete as error:
                stuck = Incomplete(
                    f"Reading Magento {name} stopped after page {progress.page_no}: {error.sentence}. "
                    "Nothing past this page was taken; run the extract again later."
                )
                continue
            return reply, raws, peeks, still or 0
        raise stuck

    def _by_number(self, name: str, subject: Subject) -> Iterator[Page]:
        """Page by number, for records without an id: every record is given once, and their count is held against the shop's."""
        seen: set[str] = set()
        page_no, whole = 0, 0
        while page_no < self._max_pages:
            page_no += 1
            query = [
                pair
                for n, member in enumerate(subject.key)
                for pair in (
                    (f"searchCriteria[sortOrders][{n}][field]", member),
                    (f"searchCriteria[sortOrders][{n}][direction]", "ASC"),
                )
            ]
            query += [
                ("searchCriteria[pageSize]", str(self._page_size)),
                ("searchCriteria[currentPage]", str(page_no)),
            ]
            reply, raws, total = self._readable(name, subject, query, page_no)
            whole = total or 0
            peeks = [peek(raw, subject) for raw in raws]
            fresh = [n for n, one in enumerate(peeks) if one.ref is None or one.ref not in seen]
            if fresh:
                yield Page(
                    to_records(
                        [raws[n] for n in fresh], [peeks[n] for n in fresh], keep_personal=self._keep_personal
                    ),
                    page_no,
                    len(reply.content),
                )
            seen.update(one.ref or f"{page_no}.{n}" for n, one in enumerate(peeks))
            # The page after the last may be the last one again: nothing new is the end, and the count decides whether it is whole.
            if not fresh or len(seen) >= whole:
                break
        if len(seen) < whole:
            raise Incomplete(
                f"Magento states {whole} {name} and gave {len(seen)} different ones; run the extract again later."
            )

    def _whole_list(self, name: str, subject: Subject) -> Iterator[Page]:
        reply, raws, _ = self._readable(name, subject, [], 1)
        peeks = [peek(raw, subject) for raw in raws]
        if raws:
            yield Page(to_records(raws, peeks, keep_personal=self._keep_personal), 1, len(reply.content))

    def _readable(
        self, name: str, subject: Subject, query: list[tuple[str, str]], page_no: int
    ) -> tuple[Reply, list[bytes], int | None]:
        for attempt in range(1, FRESH_TRIES + 1):
            reply = self._get(subject.path, query, f"{name}, page {page_no}")
            try:
                return reply, *decode_page(reply.content, subject)
            except MalformedReply as error:
                if attempt == FRESH_TRIES:
                    raise _unreadable(subject, page_no, error) from None
        raise AssertionError("unreachable")

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set the quantity of source items where it differs; many rows a call, each read before and after (see magento_stock)."""
        yield from self._stock.write(changes)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity each source item holds now; None where there is none."""
        yield from self._stock.read(changes)

    def cannot_write(self) -> Mapping[str, str]:
        """Fields Magento's interface has no safe way to write."""
        return CANNOT_WRITE

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order (see connectors.writes)."""
        yield from answered(writes, Writers(self).by_field(), CANNOT_WRITE)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def get_json(self, path: str, query: Sequence[tuple[str, str]], what: str) -> Any:
        """A small answer below `V1/`, decoded with exact decimals; raises as `read` does."""
        return _decoded(self._get(path, query, what), what)

    def send_json(self, method: str, path: str, body: Any, what: str, *, bulk: bool = False) -> Any:
        """A write, sent once. Raises Rejected, OutcomeUnknown and what `read` raises."""
        root = self._async_root if bulk else f"{self._root}/V1"
        reply = self._send(
            method,
            f"{root}/{path}",
            [],
            what,
            data=_ENCODER.encode(body),
            idempotent=False,
            expect=lambda reply: _decoded(reply, what),
        )
        return _decoded(reply, what)

    def _get(self, path: str, query: Sequence[tuple[str, str]], what: str) -> Reply:
        return self._send("GET", f"{self._root}/V1/{path}", query, what, idempotent=True)

    def _send(
        self, method: str, path: str, query: Sequence[tuple[str, str]], what: str, **request: Any
    ) -> Reply:
        """One authorised request; what it was authorised with is renewed once if the shop no longer takes it."""
        address = f"{self._api.base_url}{path}"
        # Blanks as %20 and brackets encoded: the signature covers exactly what is sent.
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        url = f"{address}?{encoded}" if encoded else address

        typed = {"Content-Type": "application/json"} if "data" in request else {}

        def headers() -> dict[str, str]:
            found = self._sign_in.headers(method, address, query)
            self._api.hide(*self._sign_in.hidden())
            return {**found, "Accept": "application/json", **typed}

        reply = self._api.request(method, url, headers=headers, **request)
        if reply.status == 401 and self._sign_in.forget():
            reply = self._api.request(method, url, headers=headers, **request)
        if reply.status >= 400:
            raise self._refusal(reply, what)
        return reply

    def _refusal(self, reply: Reply, what: str) -> TieoutError:
        words = self._api.redact(fault_text(reply.content))[:300].rstrip(".")
        if reply.status in (401, 403):
            return Refused(
                f"Magento does not allow {what} (HTTP {reply.status}: {words}); check the integration's keys and its resources, and "
                "whether the shop takes the way of signing in that is configured (integration tokens alone are off since 2.4.4).",
                status=reply.status,
            )
        hint = (
            "check the address and the store code"
            if reply.status == 404
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"Magento rejected {what} with HTTP {reply.status} ({words}); {hint}.", status=reply.status
        )

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each. Reads one record of each subject: only that proves a right."""
        problems: list[str] = []
        for name in self._subjects:
            subject = SUBJECTS[name]
            query = [] if subject.is_list else [("searchCriteria[pageSize]", "1")]
            try:
                decode_page(self._get(subject.path, query, f"reading {name}").content, subject)
            except MalformedReply as error:
                problems.append(
                    f"The answer to reading {name} is not what the interface promises: {error.sentence}."
                )
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Refused | Rejected):
                    break  # the shop itself is unwell; the other subjects would say the same
        return problems

    def _subject(self, name: str) -> Subject:
        if name not in self._subjects:
            raise InputError(f"This shop has no subject {name!r}; it has {', '.join(self._subjects)}.")
        return SUBJECTS[name]


def _filters(subject: Subject, window: Window | None, after: str | None) -> list[tuple[str, str]]:
    """One group per condition: groups are joined by and."""
    wanted: list[tuple[str, str, str]] = []
    if after is not None and subject.filter_key is not None:
        wanted.append((subject.filter_key, "gt", after))
    if window is not None and subject.changed is not None:
        if window.start is not None:
            wanted.append((subject.changed, "gteq", _stamp(window.start, up=False)))
        if window.end is not None:
            wanted.append((subject.changed, "lt", _stamp(window.end, up=True)))
    return [
        (f"searchCriteria[filter_groups][{group}][filters][0][{member}]", value)
        for group, (field, condition, value) in enumerate(wanted)
        for member, value in (("field", field), ("value", value), ("condition_type", condition))
    ]


def _stamp(instant: datetime, *, up: bool) -> str:
    """A bound in UTC and whole seconds, which is all Magento keeps; rounded so that nothing of the window is lost."""
    whole = instant.astimezone(UTC)
    if up and whole.microsecond:
        whole += timedelta(seconds=1)
    return f"{whole:%Y-%m-%d %H:%M:%S}"


def _judge(peeks: Sequence[Peek], still: int, after: int, page_size: int) -> None:
    """Raise MalformedReply or Incomplete (bare reasons) for a page that contradicts itself or leads nowhere."""
    if len(peeks) > page_size:
        raise MalformedReply(f"it holds {len(peeks)} records; {page_size} were asked for")
    if not peeks and still:
        raise MalformedReply(f"it holds no record and states that {still} are still to come")
    if len(peeks) > still:
        raise MalformedReply(f"it holds {len(peeks)} records and states {still}")
    numbers = [one.number for one in peeks if one.number is not None]
    if len(set(numbers)) != len(numbers):
        raise Incomplete("the shop gave the same record twice on one page")
    if numbers and min(numbers) <= after:
        raise Incomplete("the shop keeps serving records already seen, so the rest cannot be proved")
    if not numbers and len(peeks) < still:
        raise Incomplete("no record of the page shows an id to go on from")


def _unreadable(subject: Subject, page_no: int, error: MalformedReply) -> MalformedReply:
    return MalformedReply(
        f"GET {subject.path}, page {page_no}, could not be read in {FRESH_TRIES} tries ({error.sentence}); run the extract again, and "
        "if it persists ask whoever runs the shop with the time of this run.",
        path=subject.path,
        page=page_no,
    )


def _decoded(reply: Reply, what: str) -> Any:
    try:
        return EXACT.decode(reply.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedReply(f"The answer to {what} is not JSON") from None
