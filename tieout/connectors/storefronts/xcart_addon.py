"""The courier of X-Cart 5.0 to 5.4 with the REST API add-on: orders, payments, profiles and products out; stock, prices, shipping
statuses and tracking numbers in.

Source of outside facts: the add-on's own documentation (X-Cart REST API, archived by the vendor: paths, conditions, schemas, examples).
One address takes everything; what is meant stands in `_path`, and the key travels in the address, so addresses are never printed. A
DELETE without an id deletes every entity of its type: this courier cannot build a DELETE at all, and no write without an id. Lists say
no total and filter by no change time, so orders are sorted newest change first and walked until they lie behind the window.

Members of transactions, products and profiles are spelled as in the database or in camel case, depending on the edition; both are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.json_lists import (
    MEMBERS,
    UNREADABLE,
    Keys,
    Seen,
    Walk,
    listing,
    member,
    named,
    record,
    seen,
)
from tieout.connectors.paging import Page, Window
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.writes import members_of
from tieout.connectors.storefronts.xcart_addon_writing import Writer
from tieout.connectors.writes import (
    StockChange,
    StockWrite,
    Write,
    WriteResult,
)
from tieout.errors import InputError, MalformedReply, Refused, Rejected, TieoutError

FRESH_TRIES = 3
"""How often a page that cannot be read is asked for again."""

PATHS: Final[Mapping[str, str]] = {
    "orders": "order",
    "payments": "payment-transaction",
    "customers": "profile",
    "products": "product",
}
_NOT_LANDED: Final = frozenset(
    {"notes", "adminNotes", "admin_notes", "description", "briefDescription", "password"}
)
_TRANSACTION: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("transaction_id", "transactionId", "id"),
    "public_id": ("public_id", "publicId", "publicTxnId"),
    "public_txn_id": ("public_txn_id",),
    "type": ("type",),
    "date": ("date",),
    "status": ("status",),
    "name": ("method_local_name", "methodLocalName", "method_name", "methodName", "name"),
    "currency": ("currency",),
    "value": ("value",),
}
_BACKEND: Final = ("id", "type", "date", "status", "value")


class XCartAddon:
    """One X-Cart shop of 5.0 to 5.4.

    shop_url            the shop's address, for example https://shop.example.com
    api_key             the key of the add-on
    currency            what amounts of payments are in where a transaction names no currency
    schema_parameter    the parameter that chooses the schema `complex`; the public documentation of the add-on shows it by example only
    payments_look_back  how much further back than the window transactions are asked for again: a refund is a row of an older one
    """

    def __init__(
        self,
        *,
        shop_url: str,
        api_key: str,
        currency: str = "",
        page_size: int = 100,
        max_pages: int = 200_000,
        schema_parameter: str = "_schema",
        payments_look_back: timedelta = timedelta(days=14),
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        http_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= page_size <= 1000:
            raise InputError(f"The page size of the X-Cart add-on must be 1 to 1000, not {page_size}.")
        if not api_key:
            raise InputError("The X-Cart add-on needs its API key; set api_key in the configuration.")
        options = dict(http_options or {})
        self._http = Http(shop_url, secrets=(*options.pop("secrets", ()), api_key), **options)
        self._key = api_key
        self._currency = currency
        self._page_size = page_size
        self._max_pages = max_pages
        self._schema = schema_parameter
        self._look_back = payments_look_back
        keep = frozenset(keep_personal)
        self._keys = {
            "orders": Keys(("orderId", "order_id"), ("updateDate", "lastRenewDate"), _NOT_LANDED, keep),
            "payments": Keys(("transaction_id", "transactionId", "id"), ("date",), _NOT_LANDED, keep),
            "customers": Keys(("profile_id", "profileId", "id"), (), _NOT_LANDED, keep),
            "products": Keys(("product_id", "productId", "id"), (), _NOT_LANDED, keep),
        }

    def __repr__(self) -> str:
        return f"XCartAddon({self._http.base_url!r})"

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

        Orders and transactions come newest first. Profiles and products are read whole whatever the window. Raises Incomplete when
        pages repeat or do not end, MalformedReply when a page cannot be read after three fresh requests, Refused for a bad key,
        Unreachable and Throttled as Http does.
        """
        if subject not in PATHS:
            raise InputError(
                f"The X-Cart add-on has no subject {subject!r}; choose one of {', '.join(PATHS)}."
            )
        keys = self._keys[subject]
        asked = window
        if subject == "payments" and window is not None:
            asked = window.widened(self._look_back)
        if subject in ("customers", "products"):
            asked = None
        walk = Walk(f"{subject} of X-Cart", self._max_pages)
        newest_first, past_start = True, False
        last: datetime | None = None
        for number in range(self._max_pages + 1):
            found, size = self._page(subject, number, self._page_size)
            ones = [seen(raw, keys) for raw in found]
            if walk.is_old(ones):
                found, size = self._page(subject, number, self._page_size)
                ones = [seen(raw, keys) for raw in found]
            fresh = walk.fresh(ones) if ones else []
            inside = [one for one in fresh if asked is None or one.changed is None or one.changed in asked]
            records = [self._landed(subject, one, keys) for one in inside]
            if records:
                yield Page(tuple(records), walk.page_no, size)
            for one in ones:
                if one.changed is not None:
                    newest_first = newest_first and (last is None or one.changed <= last)
                    last = one.changed
            # Pages shift while the shop trades: one page of overlap behind the start. A shop that ignores the sort is read to its end.
            if len(ones) < self._page_size or (past_start and newest_first):
                return
            start = None if asked is None else asked.start
            past_start = start is not None and last is not None and last < start

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """None: the add-on counts nothing."""
        del subject, window
        return None

    def _landed(self, subject: str, one: Seen, keys: Keys) -> Any:
        if subject != "payments" or one.ref is None:
            return record(one, keys)
        reply = self.call("GET", f"payment-transaction/{one.ref}", f"payment {one.ref}")
        try:
            members = MEMBERS.decode(reply.content)
            whole = Seen(self._envelope(members), one.ref, one.changed, one.problem, {})
        except UNREADABLE:
            whole = Seen(
                one.raw, one.ref, one.changed, "The payment is not a readable JSON object.", one.members
            )
        return record(whole, keys)

    def _envelope(self, members: Mapping[str, msgspec.Raw]) -> bytes:
        """A transaction under the names of the newer interface, with the order it belongs to and nothing about the payer's card."""
        kept: dict[str, Any] = {}
        for name, spellings in _TRANSACTION.items():
            found = next((members[one] for one in spellings if one in members), None)
            if found is not None:
                kept[name] = found
        currency = named(members.get("currency"), "code")
        kept["currency"] = currency if isinstance(currency, str) and currency else self._currency
        backend = members.get("backend_transactions", members.get("backendTransactions"))
        if backend is not None:
            rows = msgspec.json.decode(backend, type=list[dict[str, msgspec.Raw]] | None) or []
            kept["backend_transactions"] = [
                {name: row[name] for name in _BACKEND if name in row} for row in rows
            ]
        order = named(members.get("order", members.get("order_id")), "order_id", "orderId", "id")
        return msgspec.json.encode({"order_id": order, "transactions": [kept]})

    def _page(self, subject: str, number: int, size: int) -> tuple[tuple[bytes, ...], int]:
        params = [("_cnd[limit][0]", str(number * size)), ("_cnd[limit][1]", str(size))]
        if subject == "orders":
            params += [
                (self._schema, "complex"),
                ("_cnd[orderBy][0]", "o.lastRenewDate"),
                ("_cnd[orderBy][1]", "desc"),
            ]
        elif subject == "payments":
            params += [("_cnd[orderBy][0]", "p.date"), ("_cnd[orderBy][1]", "desc")]
        stuck: MalformedReply | None = None
        for attempt in range(1, FRESH_TRIES + 1):
            reply = self.call("GET", PATHS[subject], f"{subject}, page {number + 1}", params=params)
            try:
                found = listing(reply.content, salvage=attempt == FRESH_TRIES).elements
                if len(found) > size:
                    raise MalformedReply(f"it holds {len(found)} records; {size} were asked for")
            except MalformedReply as error:
                stuck = error
                continue
            return found, len(reply.content)
        assert stuck is not None
        raise MalformedReply(
            f"{subject}, page {number + 1}, of X-Cart could not be read in {FRESH_TRIES} tries ({stuck.sentence}); run the extract again, "
            "and if it persists look at the shop's own error log.",
            page=number + 1,
        )

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def cannot_write(self) -> Mapping[str, str]:
        """Fields the add-on has no way to take, with the sentence why."""
        return Writer.CANNOT

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        yield from Writer(self).write(writes)

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set `amount` where it differs, one result per change, in order. There are no versions, so each is read right before."""
        yield from Writer(self).write_stock(changes)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The amount the shop holds now, for each change in order; None where there is no such product."""
        yield from Writer(self).read_stock(changes)

    def product_id(self, sku: str) -> str:
        """The id of the product with a SKU. Raises Rejected when there is none, or more than one."""
        params = [("_cnd[sku]", sku), ("_cnd[limit][0]", "0"), ("_cnd[limit][1]", "100")]
        reply = self.call("GET", "product", f"the product {sku}", params=params)
        rows = [seen(raw, self._keys["products"]) for raw in listing(reply.content).elements]
        # The condition may be one this edition ignores: only rows that say the SKU count.
        found = {
            one.ref for one in rows if one.ref is not None and str(member(one.members.get("sku"))) == sku
        }
        if len(found) != 1:
            how = "no product" if not found else "more than one product"
            raise Rejected(
                f"X-Cart shows {how} with the SKU {sku}; correct it in the shop, or publish by product id.",
                code="no_sku",
            )
        return str(found.pop())

    def get_one(self, path: str, what: str) -> Mapping[str, msgspec.Raw]:
        params = [(self._schema, "complex")] if path.startswith("order/") else []
        return members_of(self.call("GET", path, what, params=params), what)

    def put(self, path: str, form: Mapping[str, str], what: str) -> Mapping[str, msgspec.Raw]:
        return members_of(self.call("PUT", path, what, form=form), what)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def call(
        self,
        verb: str,
        path: str,
        what: str,
        *,
        params: Iterable[tuple[str, str]] = (),
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request. Raises InputError, before anything is sent, for a verb that deletes and for a write that names no record."""
        kind, _, ref = path.partition("/")
        if verb not in ("GET", "PUT", "POST") or any(name == "_method" for name, _ in params):
            raise InputError(
                f"The X-Cart add-on is never sent {verb}: without an id it would delete every {kind} of the shop."
            )
        if (verb == "PUT" and (not ref.isdigit() or int(ref) == 0)) or (
            verb == "POST" and path != "ordertrackingnumber/0"
        ):
            raise InputError(f"A write to {kind} of X-Cart must name one record by its id.")
        query = [("target", "RESTAPI"), ("_key", self._key), ("_path", path), *params]
        reply = self._http.request(
            verb,
            "admin.php",
            params=query,
            headers={"Accept": "application/json"},
            data=None if form is None else dict(form),
            idempotent=verb == "GET",
            expect=None if verb == "GET" else _is_json,
        )
        if reply.status >= 400:
            raise self._refusal(reply, verb, what)
        return reply

    def _refusal(self, reply: Reply, verb: str, what: str) -> TieoutError:
        words = self._http.redact(_words(reply.content))
        if reply.status in (401, 403):
            return Refused(
                f"X-Cart does not take the key of its API add-on for {what} ({words}); check api_key. It is not tried again.",
                status=reply.status,
            )
        hint = (
            "check shop_url, and that the REST API add-on is on"
            if reply.status == 404 and verb == "GET"
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"X-Cart rejected {what} with HTTP {reply.status} ({words}); {hint}.", status=reply.status
        )

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each; empty when every subject can be read."""
        problems: list[str] = []
        for subject in PATHS:
            try:
                self._page(subject, 0, 1)
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Rejected | MalformedReply):
                    break  # the shop itself is unwell, or the key is: the other subjects would say the same
        return problems


def _words(content: bytes) -> str:
    try:
        members = MEMBERS.decode(content)
    except UNREADABLE:
        return "no reason given"
    for name in ("message", "error"):
        found = member(members.get(name))
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300].rstrip(".")
    return "no reason given"


def _is_json(reply: Reply) -> None:
    try:
        msgspec.json.decode(reply.content, type=msgspec.Raw)
    except UNREADABLE:
        raise MalformedReply("the answer is not JSON") from None
