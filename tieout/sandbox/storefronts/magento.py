"""A stand-in for Magento 2 / Adobe Commerce: the parts of its REST interface that a nightly integration uses.

Four ways to sign in (signed integration, integration token as bearer, administrator's token, client credentials of the cloud
service), lists by search criteria, single orders and comments, and the writes of :mod:`magento_changes`. Where shops differ there
is a knob in :class:`Manners`. Shapes follow the Magento web API documentation and REST reference 2.4.8.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts import magento_changes as changes
from tieout.sandbox.storefronts import magento_documents as documents
from tieout.sandbox.storefronts.magento_doors import Doors, Refusal, answer
from tieout.sandbox.storefronts.magento_search import Search, SearchError, page_of, trimmed
from tieout.sandbox.storefronts.magento_shop import Shop, order_id, product_id, stamp
from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text
from tieout.sandbox.world.catalog import GIFT_CARDS, ITEMS, START_MS, STORES
from tieout.sandbox.world.payloads import dump
from tieout.sandbox.world.timeline import Timeline, moves
from tieout.sandbox.world.world import World

KEYS = {"transactions": "transaction_id", "customers": "id", "products": "id"}
"""Member that identifies a record; `entity_id` for the rest. The attribute it is filtered by is `entity_id` for all but transactions."""


@dataclass
class Manners:
    """What differs from shop to shop: the page size cap (None: none), how many rows a synchronous array may hold, whether a page after
    the last repeats it (before 2.4), whether an empty list is null, whether a comment still moves an order's status (before 2.4.7)."""

    page_cap: int | None = 300
    array_cap: int = 20
    repeats_last_page: bool = False
    null_for_empty: bool = False
    comment_moves_status: bool = True


@dataclass
class Record:
    """One record of a list: its id, when it changed (ms), and its text when asked for."""

    own: int
    changed: int
    render: Callable[[], dict[str, Any]]
    text: str | None = None
    payload: dict[str, Any] | None = None

    def json(self) -> str:
        """The current text."""
        return self.text if self.text is not None else dump(self.render())

    def read(self) -> dict[str, Any]:
        """The current payload; numbers as written are lost, so this is for looking and for changing only."""
        found: dict[str, Any] = json.loads(self.json())
        return found


@dataclass
class List:
    """One list in order of id."""

    records: list[Record] = field(default_factory=list)

    def find(self, own: int) -> Record | None:
        """The record of an id."""
        at = bisect_left(self.records, own, key=lambda one: one.own)
        return self.records[at] if at < len(self.records) and self.records[at].own == own else None


class Magento:
    """The stand-in; thread-safe. ``now`` gives the world's present in UTC milliseconds."""

    name = "magento"

    def __init__(self, world: World, board: FaultBoard, now: Callable[[], int]) -> None:
        self.world, self.board, self.now = world, board, now
        self.manners = Manners()
        self.shop = Shop(world.seed)
        self.doors = Doors(world.seed, now)
        self.lock = threading.RLock()
        self.lists: dict[str, List] = {}
        self.sources: dict[tuple[str, str], Any] = {}
        self.prices: dict[tuple[Any, ...], Any] = {}
        self.bulks: dict[str, list[tuple[int, str]]] = {}
        self._last_page: dict[str, Response] = {}
        self._build()

    def _build(self) -> None:
        names = ("orders", "invoices", "creditmemos", "shipments", "transactions")
        self.lists = {name: List() for name in (*names, "customers", "products")}
        numbers = dict.fromkeys(names, 0)

        def add(name: str, at: int, render: Callable[[int], dict[str, Any]]) -> None:
            numbers[name] += 1
            own = numbers[name]
            self.lists[name].records.append(Record(own, at, lambda: render(own)))

        # A loop over orders: each timeline is its own seeded generator, there is nothing to vectorise over.
        for line in self.world.told_by(self.name):
            self._add_order(line, add)
        # Documents get their numbers as they are made: in order of time, not of their orders.
        for name in names[1:]:
            made = sorted(self.lists[name].records, key=lambda one: (one.changed, one.own))
            self.lists[name].records = [
                Record(n, one.changed, _renumbered(one, n, KEYS.get(name, "entity_id")))
                for n, one in enumerate(made, 1)
            ]
        for customer in self.world.customers_of(self.name):
            at = people.customer_modified(self.world.seed, customer)
            self.lists["customers"].records.append(
                Record(customer + 1, at, lambda customer=customer: self.shop.customer(customer))  # type: ignore[misc]
            )
        self._add_products()
        for shelf in self.world.shelves:
            if shelf.web_on_stock is not None:
                self.sources[shelf.sku, shelf.channel] = shelf.web_on_stock

    def _add_order(self, line: Timeline, add: Callable[..., None]) -> None:
        index, order = line.index, self.world.order
        done = [move for move in moves(line) if move[1] == "Success"]
        at = max([line.modified, *(when for _, _, when in done)])
        own = order_id(index)
        self.lists["orders"].records.append(Record(own, at, lambda: self.shop.order(order(index))))
        for nth, (_, _, when) in enumerate(move for move in done if move[0] == "Charge"):
            add("invoices", when, lambda own, nth=nth: documents.invoice(order(index), nth, own))
        for nth, (_, _, when) in enumerate(move for move in done if move[0] == "Refund"):
            add("creditmemos", when, lambda own, nth=nth: documents.credit_memo(order(index), nth, own))
        for nth, when in enumerate(line.ships):
            add("shipments", when, lambda own, nth=nth: documents.shipment(order(index), nth, own))
        # What was paid with nothing but a gift card or credit went through no gateway.
        for nth, (_, _, when) in enumerate(done if line.scenario != "gift_card_paid" else ()):
            add(
                "transactions",
                when,
                lambda own, nth=nth: documents.transaction(order(index), _done(order(index))[nth], own),
            )

    def _add_products(self) -> None:
        at = START_MS - 100 * 86_400_000
        found = []
        for item in (*ITEMS, *GIFT_CARDS):
            own = product_id(item)
            self.prices["base", item.sku, 0] = f"@raw:{decimal_text(item.cents, 2)}"
            found.append(
                Record(
                    own,
                    at,
                    lambda item=item, own=own: {  # type: ignore[misc]
                        "id": own,
                        "sku": item.sku,
                        "name": item.name,
                        "attribute_set_id": 4,
                        "price": self.prices["base", item.sku, 0],
                        "status": 1,
                        "visibility": 4,
                        "type_id": "giftcard" if item.gift_card else "simple",
                        "created_at": stamp(at),
                        "updated_at": stamp(at),
                        "custom_attributes": [{"attribute_code": "category_ids", "value": [item.category]}],
                    },
                )
            )
        self.lists["products"].records = sorted(found, key=lambda one: one.own)

    # ---- what a rehearsal asks -------------------------------------------------------------------------------

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds looked up here, beside the server's."""
        return ("expire_token", "repeat_page", "repeat_forever", "fatal_error")

    def throttled(self) -> Response:
        """How the platform says that a client is too fast."""
        return answer(429, {"message": "Too Many Requests", "trace": None})

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens and what a client needs beside its secrets."""
        return {"base_url": url, **self.doors.names()}

    def issued(self) -> list[str]:
        """Every access token it ever issued, live or not."""
        return list(self.doors.all_tokens)

    def web_stock(self) -> list[dict[str, Any]]:
        """The source items as the shop holds them now."""
        with self.lock:
            return [
                {"sku": sku, "channel": source, "quantityOnStock": quantity, "version": None}
                for (sku, source), quantity in sorted(self.sources.items())
            ]

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change the shop after the fact."""
        with self.lock:
            return changes.tamper(self, order, now_ms)

    # ---- requests --------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            parts = [unquote(part) for part in request.path.split("/") if part]
            signed_in = self.doors.open(request, parts)
            if signed_in is not None:
                return signed_in
            text = request.text()
            if self.board and self.board.take(self.name, "expire_token", text):
                self.doors.expire(request)
            self.doors.authorise(request)
            if self.board and self.board.take(self.name, "fatal_error", text):
                # The form fatal errors have: a status of success is as likely as not, so it comes with 500.
                return answer(
                    500, {"messages": {"error": [{"code": 500, "message": "Server internal error."}]}}
                )
            return self._route(request, _below_v1(parts))
        except Refusal as refusal:
            return refusal.response()
        except SearchError as bad:
            return answer(400, {"message": bad.message, "parameters": bad.parameters})

    def _route(self, request: Request, parts: tuple[str, ...]) -> Response:
        pairs = parse_qsl(request.query, keep_blank_values=True)
        is_bulk, parts = parts[0] == "async", parts[1:] if parts[0] == "async" else parts
        if request.method == "GET":
            with self.lock:
                found = self._get(request, parts, pairs)
            if found is not None:
                return found
        else:
            with self.lock:
                made = changes.apply(self, request.method, parts, _body(request), is_bulk=is_bulk)
            if made is not None:
                return answer(202 if is_bulk else 200, made)
        raise Refusal(404, "Request does not match any route.")

    def _get(self, request: Request, parts: tuple[str, ...], pairs: list[tuple[str, str]]) -> Response | None:
        if parts == ("store", "storeViews"):
            return answer(200, [_store(n) for n in range(len(STORES))])
        if parts == ("inventory", "source-items"):
            return self._search(request, "source_items", self._source_items(), pairs)
        if len(parts) == 3 and parts[0] == "bulk" and parts[2] == "status":
            return answer(200, changes.bulk_status(self, parts[1]))
        name = "customers" if parts == ("customers", "search") else parts[0]
        if name in self.lists and len(parts) == (2 if name == "customers" else 1):
            return self._search(request, name, iter(self.lists[name].records), pairs)
        if name == "orders" and parts[1].isdigit():
            record = self.lists["orders"].find(int(parts[1]))
            if record is None:
                raise Refusal(
                    404, "The entity that was requested doesn't exist. Verify the entity and try again."
                )
            if parts[2:] == ("comments",):
                rows = record.read().get("status_histories") or []
                return answer(200, {"items": rows, "search_criteria": {}, "total_count": len(rows)})
            fields = dict(pairs).get("fields")
            if not parts[2:]:
                return answer(200, trimmed(record.read(), fields)) if fields else _text(200, record.json())
        return None

    def _source_items(self) -> Iterator[Record]:
        for n, ((sku, source), quantity) in enumerate(sorted(self.sources.items())):
            row = {"sku": sku, "source_code": source, "quantity": quantity, "status": int(quantity > 0)}
            yield Record(n, 0, lambda row=row: row)  # type: ignore[misc]

    def _search(
        self, request: Request, name: str, records: Iterator[Record], pairs: list[tuple[str, str]]
    ) -> Response:
        if self.board and name in self._last_page:
            for kind in ("repeat_page", "repeat_forever"):
                if self.board.take(self.name, kind, request.text()):
                    return self._last_page[name]
        search = Search.parse(pairs)
        cap = self.manners.page_cap
        if cap is not None and (search.size or 0) > cap:
            raise SearchError("Maximum SearchCriteria pageSize is %max", {"max": cap})
        found = [one for one in self._narrowed(name, records, search) if search.matches(_getter(name, one))]
        for member, up in reversed(search.sorts):
            found.sort(key=lambda one: _key(_getter(name, one)(member)), reverse=not up)
        page = page_of(found, search, repeats_last=self.manners.repeats_last_page)
        texts = [one.json() for one in page]
        items = "null" if not texts and self.manners.null_for_empty else f"[{','.join(texts)}]"
        echo = json.dumps(search.echo(), separators=(",", ":"))
        body = f'{{"items":{items},"search_criteria":{echo},"total_count":{len(found)}}}'
        fields = dict(pairs).get("fields")
        if fields:
            body = json.dumps(trimmed(json.loads(body), fields), separators=(",", ":"))
        response = _text(200, body)
        self._last_page[name] = response
        return response

    def _narrowed(self, name: str, records: Iterator[Record], search: Search) -> list[Record]:
        """Records after the id asked for: a keyset walk over many orders must not look at all of them for every page."""
        if name not in self.lists:
            return list(records)
        whole = self.lists[name].records
        attribute = "transaction_id" if name == "transactions" else "entity_id"
        start = 0
        for group in search.groups:
            if (
                len(group) == 1
                and group[0].field == attribute
                and group[0].condition == "gt"
                and group[0].value.isdigit()
            ):
                start = bisect_right(whole, int(group[0].value), key=lambda one: one.own)
        return whole[start:]


def _getter(name: str, record: Record) -> Callable[[str], Any]:
    """A record as filters see it: id and change stamp at hand, the payload read only when asked for."""

    def get(member: str) -> Any:
        if member in ("entity_id", "transaction_id") and name != "source_items":
            return record.own
        if name != "source_items" and member == ("created_at" if name == "transactions" else "updated_at"):
            return stamp(record.changed)
        if record.payload is None:
            record.payload = json.loads(record.json())
        return record.payload.get(member)

    return get


def _key(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value) if isinstance(value, int | float) else (2, str(value))


def _renumbered(record: Record, own: int, key: str) -> Callable[[], dict[str, Any]]:
    """The same document under its final number."""

    def render() -> dict[str, Any]:
        found = record.render()
        return {
            **found,
            key: own,
            **({"increment_id": f"{found['increment_id'][0]}{own:09d}"} if "increment_id" in found else {}),
        }

    return render


def _done(order: Any) -> list[Any]:
    """The successful movements of an order's main payment, as `moves` lists them."""
    return (
        [move for move in order.payments[0].transactions if move.state == "Success"] if order.payments else []
    )


def _store(n: int) -> dict[str, Any]:
    store = STORES[n]
    return {
        "id": n + 1,
        "code": store.key.replace("-", "_"),
        "name": store.name,
        "website_id": n + 1,
        "store_group_id": n + 1,
        "is_active": 1,
    }


def _below_v1(parts: list[str]) -> tuple[str, ...]:
    """What stands after ``V1``; ``async`` in front for the bulk interface, whichever way it is written."""
    if "V1" not in parts:
        raise Refusal(404, "Request does not match any route.")
    at = len(parts) - 1 - parts[::-1].index("V1")
    rest = tuple(parts[at + 1 :])
    if not rest:
        raise Refusal(404, "Request does not match any route.")
    return ("async", *rest) if "bulk" in parts[:at] and "async" in parts[:at] else rest


def _body(request: Request) -> Any:
    try:
        return json.loads(request.body) if request.body else None
    except ValueError:
        raise Refusal(400, "Decoding error: %1", ["Syntax error"]) from None


def _text(status: int, text: str) -> Response:
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})
