"""The X-Cart 5.5 courier: orders, payments, profiles and products out; stock, prices and shipping statuses in.

Source of outside facts: X-Cart developer documentation (REST API 5.5) and API Platform documentation (Pagination, Filters, Content
negotiation). Its filters differ between editions and an unknown one is ignored in silence, so none is trusted: orders are sorted
newest change first, and the walk stops by itself behind the window's start. There is no sort by id and no version, so pages shift
while the shop trades: records are told apart by id and change, one page of overlap is read past the start, and where the shop counts
its orders a count that falls during the walk has it walked again.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.json_lists import (
    MEMBERS,
    UNREADABLE,
    Keys,
    Listing,
    Seen,
    Walk,
    listing,
    member,
    record,
    seen,
)
from tieout.connectors.paging import Page, Window
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.xcart_writing import FieldWriter, StockWriter
from tieout.connectors.writes import StockChange, StockWrite, Write, WriteResult
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, TieoutError

MAX_PAGE_SIZE = 100
"""Most records a page may hold in X-Cart 5.5's own configuration."""

FRESH_TRIES = 3
"""How often a page that cannot be read is asked for again."""

WALKS = 3
"""How often a walk is begun anew because records disappeared while it was under way."""

ROOTS: Final = ("hydra:member", "member")
TOTALS: Final = ("hydra:totalItems", "totalItems")
PATHS: Final[Mapping[str, str]] = {
    "orders": "orders",
    "payments": "orders",
    "customers": "profiles",
    "products": "products",
}
_NOT_LANDED: Final = frozenset({"notes", "admin_notes", "customer_notes"})
_TRANSACTION: Final = frozenset(
    {
        "id",
        "public_id",
        "public_txn_id",
        "method_id",
        "type",
        "date",
        "status",
        "name",
        "local_name",
        "currency",
        "value",
    }
)
_BACKEND: Final = frozenset({"id", "type", "date", "status", "value"})


class XCart:
    """One X-Cart 5.5 shop.

    api_url             the shop's API, for example https://shop.example.com/api
    api_key             the key of Settings → API; a read-only one reads, and may not write
    page_size           records per page, at most 100
    payments_look_back  how much further back than the window orders have their payments asked for again: a refund need not touch its
                        order's change time, and payments have no list of their own
    variants            whether to read the variants of each product, one call a product (add-on Product Variants)
    keep_personal       kinds of personal data that may be landed (see redaction.PERSONAL_FIELDS)
    http_options        keyword arguments for Http: timeout, policy, max_bytes, pace, sleep, …
    """

    def __init__(
        self,
        *,
        api_url: str,
        api_key: str,
        page_size: int = MAX_PAGE_SIZE,
        max_pages: int = 200_000,
        payments_look_back: timedelta = timedelta(days=14),
        variants: bool = False,
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        http_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise InputError(f"The X-Cart page size must be 1 to {MAX_PAGE_SIZE}, not {page_size}.")
        if not api_key:
            raise InputError("X-Cart needs an API key; set api_key in the configuration.")
        options = dict(http_options or {})
        self._http = Http(api_url, secrets=(*options.pop("secrets", ()), api_key), **options)
        self._headers = {"X-Auth-Token": api_key}
        self._page_size = page_size
        self._max_pages = max_pages
        self._look_back = payments_look_back
        self._variants = variants
        keep = frozenset(keep_personal)
        self._keys = Keys(("id",), ("update_date",), _NOT_LANDED, keep)
        self._keys_of = {
            "orders": self._keys,
            "payments": self._keys,
            "customers": Keys(("id",), (), _NOT_LANDED, keep),
            "products": Keys(("id", "product_id"), (), frozenset({"description", "brief_description"}), keep),
        }

    def __repr__(self) -> str:
        return f"XCart({self._http.base_url!r})"

    @property
    def calls(self) -> int:
        """Requests sent so far, retries included."""
        return self._http.calls

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def subjects(self) -> tuple[str, ...]:
        """What can be read."""
        return tuple(PATHS)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, subject: str, window: Window | None = None) -> Iterator[Page]:
        """All records of a subject, or those changed within the window, page by page; each version of a record once.

        Orders come newest change first. Payments are one record per order, asked for order by order. Profiles and products say no
        change time that could be filtered, so they are read whole whatever the window. Raises Incomplete when pages repeat, do not
        end, or records keep disappearing; MalformedReply when a page cannot be read after three fresh requests; Refused for a bad
        key; Unreachable and Throttled as Http does.
        """
        if subject not in PATHS:
            raise InputError(f"X-Cart has no subject {subject!r}; choose one of {', '.join(PATHS)}.")
        if subject == "payments":
            yield from self._payments(window)
            return
        keys = self._keys_of[subject]
        for page_no, size, found in self._walk(subject, window if subject == "orders" else None):
            records = [record(one, keys) for one in found]
            if subject == "products" and self._variants:
                records += [record(one, keys, shape=shape) for one, shape in self._variants_of(found)]
            yield Page(tuple(records), page_no, size)

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """How many records the shop counts, or None where it does not say: within a window (no filter is to be trusted), for payments,
        and in answers without a count."""
        if subject not in PATHS or subject == "payments" or (subject == "orders" and window is not None):
            return None
        if subject == "products" and self._variants:
            return None
        found = self._page(subject, 1, 1)[0]
        return found.whole_number(*TOTALS)

    def _walk(self, subject: str, window: Window | None) -> Iterator[tuple[int, int, list[Seen]]]:
        """Pages as (number, size, records within the window and not told before)."""
        keys = self._keys_of[subject]
        walk = Walk(f"{subject} of X-Cart", self._max_pages)
        for _ in range(WALKS):
            shrank = yield from self._pass(subject, window, keys, walk)
            if not shrank:
                return
            walk.again()
        raise Incomplete(
            f"Reading {subject} of X-Cart could not be proved whole: records kept disappearing while they were read; run it again in a "
            "quieter hour."
        )

    def _pass(
        self, subject: str, window: Window | None, keys: Keys, walk: Walk
    ) -> Generator[tuple[int, int, list[Seen]], None, bool]:
        """One pass over the pages; returns whether the shop's own count fell on the way, which moves records past the reader."""
        start = window.start if window is not None else None
        newest_first, past_start = True, False
        count: int | None = None
        last: datetime | None = None
        page_no = 0
        while True:
            page_no += 1
            found, size = self._page(subject, page_no, self._page_size)
            if walk.is_old([seen(raw, keys) for raw in found.elements]):
                found, size = self._page(subject, page_no, self._page_size)
            total = found.whole_number(*TOTALS)
            shrank = count is not None and total is not None and total < count
            if shrank:
                return True
            count = total if total is not None else count
            ones = [seen(raw, keys) for raw in found.elements]
            fresh = walk.fresh(ones) if ones else []
            inside = [one for one in fresh if window is None or one.changed is None or one.changed in window]
            if inside:
                yield walk.page_no, size, inside
            for one in ones:
                if one.changed is not None:
                    # A shop that ignores the sort sends any order of changes: then only the end is the end.
                    newest_first = newest_first and (last is None or one.changed <= last)
                    last = one.changed
            if len(ones) < self._page_size:
                return False
            if past_start and newest_first:
                return False
            past_start = start is not None and last is not None and last < start

    def _page(self, subject: str, page_no: int, size: int) -> tuple[Listing, int]:
        params = [("page", str(page_no)), ("itemsPerPage", str(size))]
        if subject in ("orders", "payments"):
            params.append(("order[lastRenewDate]", "desc"))
        what = f"{subject}, page {page_no}"
        stuck: MalformedReply | None = None
        for attempt in range(1, FRESH_TRIES + 1):
            reply = self._send(
                "GET", PATHS[subject], what, params=params, accept="application/ld+json", idempotent=True
            )
            try:
                found = listing(reply.content, ROOTS, salvage=attempt == FRESH_TRIES)
                if len(found.elements) > size:
                    raise MalformedReply(f"it holds {len(found.elements)} records; {size} were asked for")
            except MalformedReply as error:
                stuck = error
                continue
            return found, len(reply.content)
        assert stuck is not None
        raise MalformedReply(
            f"GET {PATHS[subject]}, page {page_no}, of X-Cart could not be read in {FRESH_TRIES} tries ({stuck.sentence}); run the extract "
            "again, and if it persists look at the shop's own error log.",
            page=page_no,
        )

    def _payments(self, window: Window | None) -> Iterator[Page]:
        wider = window.widened(self._look_back) if window is not None else None
        for page_no, size, orders in self._walk("payments", wider):
            records = []
            for one in orders:  # the platform has no list of payments: one call an order
                if one.ref is None:
                    continue
                got, extra = self._transactions(one)
                size += extra
                records.append(record(got, self._keys))
            yield Page(tuple(records), page_no, size)

    def _transactions(self, order: Seen) -> tuple[Seen, int]:
        """The transactions of an order with what ties them to it; of each only method, references, amounts and states."""
        path = f"orders/{quote(str(order.ref), safe='')}/payment_transactions"
        reply = self._send(
            "GET", path, f"the payments of order {order.ref}", accept="application/json", idempotent=True
        )
        problem = None
        try:
            rows = listing(reply.content, ROOTS, salvage=True).elements
            kept = [_only(row) for row in rows]
        except (MalformedReply, *UNREADABLE) as error:
            said = (
                error.sentence
                if isinstance(error, MalformedReply)
                else "one of them is not a readable JSON object"
            )
            kept, problem = [], f"The payments of the order could not be read: {said}."
        status = member(_deep(order.members, "payment_status", "code"))
        whole = {
            "order_id": order.members["id"],
            "payment_status_code": status,
            "update_date": order.members.get("update_date"),
            "transactions": kept,
        }
        return Seen(msgspec.json.encode(whole), order.ref, order.changed, problem, {}), len(reply.content)

    def _variants_of(self, products: Iterable[Seen]) -> Iterator[tuple[Seen, Any]]:
        for product in products:
            if product.ref is None:
                continue
            path = f"products/{quote(product.ref, safe='')}/variants"
            reply = self._send(
                "GET",
                path,
                f"the variants of product {product.ref}",
                accept="application/json",
                idempotent=True,
            )
            for raw in listing(reply.content, ROOTS).elements:
                one = seen(raw, self._keys_of["products"])
                ref = None if one.ref is None else f"{product.ref}/{one.ref}"
                yield Seen(one.raw, ref, None, one.problem, one.members), _with_product(product.ref)

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def cannot_write(self) -> Mapping[str, str]:
        """Fields X-Cart 5.5 has no way to take, with the sentence why."""
        return FieldWriter.CANNOT

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        yield from FieldWriter(self).write(writes)

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set `amount` where it differs, one result per change, in order; see `xcart_writing.StockWriter`."""
        yield from StockWriter(self).write(changes)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The amount the shop holds now, for each change in order; None where there is no such product."""
        yield from StockWriter(self).read(changes)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def get_one(self, path: str, what: str) -> Mapping[str, msgspec.Raw]:
        """One record, its members undecoded; raises as `read` does."""
        reply = self._send("GET", path, what, accept="application/json", idempotent=True)
        try:
            return MEMBERS.decode(reply.content)
        except UNREADABLE:
            raise MalformedReply(f"The reply to {what} is not a JSON object; run it again later.") from None

    def put(self, path: str, body: Mapping[str, Any], what: str) -> Mapping[str, msgspec.Raw]:
        """An absolute write: doing it twice is harmless to the record, yet a lost answer is OutcomeUnknown, so that it is read back."""
        # Encoded here, so that an amount given as its own text stays that text.
        reply = self._send(
            "PUT",
            path,
            what,
            data=msgspec.json.encode(body),
            accept="application/json",
            idempotent=False,
            expect=_is_object,
        )
        return MEMBERS.decode(reply.content)

    def products(self) -> Iterator[Seen]:
        """Every product (and variant, where they are read), for the way from a SKU to an id."""
        for _, _, found in self._walk("products", None):
            yield from found
            if self._variants:
                yield from (one for one, _ in self._variants_of(found))

    def _send(self, method: str, path: str, what: str, *, accept: str, **request: Any) -> Reply:
        headers = {**self._headers, "Accept": accept}
        if "data" in request:
            headers["Content-Type"] = "application/json"
        reply = self._http.request(method, path, headers=headers, **request)
        if reply.status >= 400:
            raise self._refusal(reply, method, what)
        return reply

    def _refusal(self, reply: Reply, method: str, what: str) -> TieoutError:
        words = self._http.redact(_words(reply.content))
        if reply.status == 401:
            return Refused(
                f"X-Cart does not take the API key for {what} ({words}); check api_key against Settings, API in the shop. It is not tried again."
            )
        if reply.status == 403:
            hint = (
                "a read-only key may not write; use the other one of Settings, API"
                if method != "GET"
                else "give the key the right to read it"
            )
            return Refused(f"X-Cart does not allow {what} ({words}); {hint}.", status=403)
        hint = (
            "check api_url, which ends in /api, and that the shop is X-Cart 5.5"
            if reply.status == 404 and method == "GET"
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"X-Cart rejected {what} with HTTP {reply.status} ({words}); {hint}.", status=reply.status
        )

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each; empty when every subject can be read."""
        problems: list[str] = []
        for subject in ("orders", "customers", "products"):
            try:
                self._page(subject, 1, 1)
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Rejected):
                    break  # the shop itself is unwell, or the key is: the other subjects would say the same
        return problems


def _deep(members: Mapping[str, msgspec.Raw], *path: str) -> msgspec.Raw | None:
    found: msgspec.Raw | None = None
    for name in path:
        found = members.get(name)
        if found is None:
            return None
        try:
            members = MEMBERS.decode(found)
        except UNREADABLE:
            members = {}
    return found


def _only(raw: bytes) -> dict[str, Any]:
    members = MEMBERS.decode(raw)
    kept: dict[str, Any] = {name: value for name, value in members.items() if name in _TRANSACTION}
    backend = members.get("backend_transactions")
    if backend is not None:
        rows = msgspec.json.decode(backend, type=list[dict[str, msgspec.Raw]] | None) or []
        kept["backend_transactions"] = [
            {name: value for name, value in row.items() if name in _BACKEND} for row in rows
        ]
    return kept


def _with_product(product_ref: str) -> Any:
    def shape(one: Seen) -> bytes:
        return msgspec.json.encode({**one.members, "product_id": product_ref})

    return shape


def _words(content: bytes) -> str:
    """The reason in an error body: `message`, or what API Platform calls it."""
    try:
        members = MEMBERS.decode(content)
    except UNREADABLE:
        return "no reason given"
    for name in ("message", "hydra:description", "detail", "title"):
        found = member(members.get(name))
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300].rstrip(".")
    return "no reason given"


def _is_object(reply: Reply) -> None:
    try:
        MEMBERS.decode(reply.content)
    except UNREADABLE:
        raise MalformedReply("the answer is not a JSON object") from None


__all__ = ["XCart"]
