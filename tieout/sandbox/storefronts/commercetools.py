"""A stand-in for commercetools Composable Commerce: the parts of its HTTP API that a nightly integration uses.

OAuth client credentials; lists with ``where``, ``sort``, ``limit`` (at most 500), ``offset`` (at most 10,000), ``withTotal``;
single resources by id, key and order number; inventory rows created and changed under versions; order states, sync info and
deliveries; standalone prices; external ids of customers.
Shapes and error codes follow the commercetools API reference (General Concepts, Query Predicates, Errors).
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts import updates
from tieout.sandbox.storefronts.answers import Refusal, error, json_response
from tieout.sandbox.storefronts.predicates import Node, PredicateError, parse, parse_sort
from tieout.sandbox.tampering import tamper
from tieout.sandbox.world.arithmetic import identifier
from tieout.sandbox.world.catalog import CLIENT_ID, CLIENT_SECRET, PROJECT_KEY, STORES
from tieout.sandbox.world.collection import Collection
from tieout.sandbox.world.world import World

LIMIT_CAP, OFFSET_CAP, TOTAL_CAP = 500, 10_000, 10_000
TOKEN_SECONDS = 172_800
# Scopes that allow reading a resource; manage_project allows everything.
_READ_SCOPES = {
    "orders": ("view_orders", "manage_orders"),
    "payments": ("view_payments", "manage_payments"),
    "customers": ("view_customers", "manage_customers"),
    "inventory": ("view_products", "manage_products"),
    "channels": ("view_products", "manage_products", "view_stores", "manage_stores", "view_project_settings"),
    "stores": ("view_stores", "manage_stores", "view_project_settings"),
    "standalone-prices": ("view_standalone_prices", "manage_standalone_prices"),
    "product-projections": ("view_products", "manage_products", "view_published_products"),
    "customer-groups": (
        "view_customer_groups",
        "manage_customer_groups",
        "view_customers",
        "manage_customers",
    ),
}
_WRITE_SCOPES = {
    "orders": ("manage_orders",),
    "inventory": ("manage_products",),
    "customers": ("manage_customers",),
    "standalone-prices": ("manage_standalone_prices",),
}
_SCOPE_NAMES = {"manage_project"} | {name for names in _READ_SCOPES.values() for name in names}
_COMMON = {"id", "version", "key", "createdAt", "lastModifiedAt"}
_FIELDS = {
    "orders": _COMMON
    | {
        "orderNumber",
        "customerId",
        "customerEmail",
        "anonymousId",
        "store",
        "country",
        "totalPrice",
        "taxedPrice",
    }
    | {
        "orderState",
        "paymentState",
        "shipmentState",
        "lineItems",
        "customLineItems",
        "paymentInfo",
        "shippingInfo",
    }
    | {
        "shippingMode",
        "returnInfo",
        "syncInfo",
        "taxMode",
        "origin",
        "custom",
        "discountCodes",
        "state",
        "cart",
    },
    "payments": _COMMON
    | {
        "interfaceId",
        "amountPlanned",
        "paymentMethodInfo",
        "transactions",
        "paymentStatus",
        "customer",
        "custom",
    },
    "customers": _COMMON
    | {
        "customerNumber",
        "email",
        "firstName",
        "lastName",
        "companyName",
        "addresses",
        "stores",
        "isEmailVerified",
    },
    "inventory": _COMMON
    | {"sku", "supplyChannel", "quantityOnStock", "availableQuantity", "expectedDelivery"},
    "channels": _COMMON | {"roles", "name"},
    "stores": _COMMON | {"name", "languages", "countries", "supplyChannels", "distributionChannels"},
    "standalone-prices": _COMMON | {"sku", "value", "country", "customerGroup", "channel", "active"},
    "customer-groups": _COMMON | {"name"},
    "product-projections": _COMMON | {"name", "categories", "published", "masterVariant", "variants"},
}


class Commercetools:
    """The stand-in; thread-safe. ``now`` gives the world's present in UTC milliseconds."""

    name = "commercetools"

    def __init__(self, world: World, board: FaultBoard, now: Callable[[], int]) -> None:
        self.world, self.board, self.now = world, board, now
        self.lists: dict[str, Collection] = {
            one.name: one
            for one in (
                world.order_list,
                world.payment_list,
                world.customer_list,
                world.inventory_list,
                world.channel_list,
                world.store_list,
                world.price_list,
                world.group_list,
                world.product_list,
            )
        }
        self._lock = threading.RLock()
        self._tokens: dict[str, tuple[int, frozenset[str]]] = {}
        self._issued = 0
        self._all_tokens: list[str] = []
        self._last_page: dict[str, Response] = {}

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds looked up here, beside the server's."""
        return ("expire_token", "repeat_page", "repeat_forever", "stale_version")

    def throttled(self) -> Response:
        """How the platform says that a client is too fast."""
        return error(429, "OverCapacity", "Too many requests. Please back off and try again.")

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens and what a client needs beside its secret."""
        return {"api_url": url, "auth_url": url, "project_key": PROJECT_KEY, "client_id": CLIENT_ID}

    def issued(self) -> list[str]:
        """Every access token it ever issued, live or not."""
        return list(self._all_tokens)

    def web_stock(self) -> list[dict[str, Any]]:
        """The stock as it holds it now, by SKU and channel."""
        names = {member: key for key, member in self.world.channel_ids.items()}
        entries = self.world.inventory_list
        with entries.lock:
            rows = [entries.payload(position) for position in entries.by_id]
        found = [
            {
                "sku": row["sku"],
                "channel": names.get(row.get("supplyChannel", {}).get("id")),
                "quantityOnStock": row["quantityOnStock"],
                "availableQuantity": row["availableQuantity"],
                "version": row["version"],
            }
            for row in rows
        ]
        return sorted(found, key=lambda row: (row["sku"], row["channel"] or ""))

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change the shop after the fact (see tampering)."""
        return tamper(self.world, order, now_ms)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            parts = [unquote(part) for part in request.path.split("/") if part]
            if parts[:2] == ["oauth", "token"]:
                return self._token(request)
            scopes = self._authorise(request)
            if not parts or parts[0] != PROJECT_KEY:
                raise Refusal(404, "ResourceNotFound", f"The project '{'/'.join(parts[:1])}' was not found.")
            return self._route(request, parts[1:], scopes)
        except Refusal as refusal:
            return refusal.response()

    # ---- auth ------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Response:
        if request.method != "POST":
            raise Refusal(405, "InvalidOperation", "Tokens are asked for by POST.")
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if scheme.lower() != "basic" or given != f"{CLIENT_ID}:{CLIENT_SECRET}":
            message = "Please provide valid client credentials using HTTP Basic Authentication."
            raise Refusal(401, "invalid_client", message, auth=True)
        form = dict(parse_qsl(request.query) + parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "unsupported_grant_type", "Only client_credentials is supported.", auth=True)
        wanted = form.get("scope", f"manage_project:{PROJECT_KEY}").split()
        granted = set()
        for scope in wanted:
            name, _, project = scope.partition(":")
            if name not in _SCOPE_NAMES or project != PROJECT_KEY:
                raise Refusal(400, "invalid_scope", f"The scope '{scope}' cannot be granted.", auth=True)
            granted.add(name)
        with self._lock:
            self._issued += 1
            token = identifier(self.world.seed, "token", self._issued).replace("-", "")
            self._all_tokens.append(token)
            self._tokens[token] = (self.now() + TOKEN_SECONDS * 1000, frozenset(granted))
        return json_response(
            200,
            {
                "access_token": token,
                "expires_in": TOKEN_SECONDS,
                "scope": " ".join(wanted),
                "token_type": "Bearer",
            },
        )

    def _authorise(self, request: Request) -> frozenset[str]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.board and token and self.board.take(self.name, "expire_token", request.text()):
            with self._lock:
                self._tokens.pop(token, None)
        until, scopes = self._tokens.get(token, (0, frozenset()))
        if scheme.lower() != "bearer" or until <= self.now():
            raise Refusal(401, "invalid_token", "The access token is missing, expired or revoked.", auth=True)
        return scopes

    @staticmethod
    def _demand(scopes: frozenset[str], any_of: Iterable[str]) -> None:
        names = tuple(any_of)
        if "manage_project" not in scopes and not scopes.intersection(names):
            message = f"Insufficient scope. One of the following scopes is missing: {names[0]}:{PROJECT_KEY}."
            raise Refusal(403, "insufficient_scope", message, auth=True)

    # ---- routes ----------------------------------------------------------------------------------------------

    def _route(self, request: Request, parts: list[str], scopes: frozenset[str]) -> Response:
        store = None
        if len(parts) >= 2 and parts[0] == "in-store":
            store, parts = self._store_key(parts[1]), parts[2:]
        if not parts or parts[0] not in self.lists or len(parts) > 2 or (store and parts[0] != "orders"):
            raise Refusal(404, "ResourceNotFound", f"The resource '{'/'.join(parts)}' was not found.")
        resource, rest = parts[0], parts[1:]
        if request.method == "GET":
            self._demand(scopes, _READ_SCOPES[resource])
            if rest:
                return Response(200, self._text_of(resource, rest[0], store).encode(), _JSON)
            return self._list(request, resource, store)
        if request.method != "POST":
            raise Refusal(405, "InvalidOperation", f"{request.method} is not supported here.")
        self._demand(scopes, _WRITE_SCOPES.get(resource, ("manage_project",)))
        body = _json_body(request)
        with self.lists[resource].lock:
            if not rest:
                return self._create(resource, body)
            return self._update(request, resource, rest[0], body)

    @staticmethod
    def _store_key(part: str) -> str:
        key = part.removeprefix("key=")
        if key not in {store.key for store in STORES}:
            raise Refusal(404, "ResourceNotFound", f"The store '{key}' was not found.")
        return key

    def _position(self, resource: str, name: str) -> int:
        collection = self.lists[resource]
        field, sign, value = name.partition("=")
        position: int | None
        if not sign:
            position = collection.find(name)
        else:
            wanted = {"key": "key", "order-number": "orderNumber"}.get(field)
            position = self._search(collection, wanted, value) if wanted else None
        if position is None:
            raise Refusal(404, "ResourceNotFound", f"The Resource with ID '{name}' was not found.")
        return position

    def _search(self, collection: Collection, field: str, value: str) -> int | None:
        if field == "orderNumber" and value[:1] == "W" and value[1:].isdigit():
            guess = int(value[1:]) - 100_001
            if 0 <= guess < self.world.size and collection.payload(guess).get(field) == value:
                return guess if collection.find(collection.ids[guess]) is not None else None
        if collection.name == "orders" and len(collection) > 50_000:
            return None
        return next((p for p in collection.by_id if collection.payload(p).get(field) == value), None)

    def _text_of(self, resource: str, name: str, store: str | None) -> str:
        position = self._position(resource, name)
        text = self.lists[resource].text(position)
        if store and json.loads(text).get("store", {}).get("key") != store:
            raise Refusal(
                404, "ResourceNotFound", f"The Resource with ID '{name}' was not found in this store."
            )
        return text

    def _create(self, resource: str, body: dict[str, Any]) -> Response:
        if resource != "inventory":
            raise Refusal(400, "InvalidOperation", f"Creating {resource} is not supported by this stand-in.")
        draft = updates.inventory_draft(self.world, body, self.now())
        self.world.inventory_list.add(draft)
        return json_response(201, draft)

    def _update(self, request: Request, resource: str, name: str, body: dict[str, Any]) -> Response:
        collection, position = self.lists[resource], self._position(resource, name)
        if self.board and self.board.take(self.name, "stale_version", request.text()):
            collection.change(
                position, updates.by_somebody_else(resource, collection.payload(position), self.now())
            )
        payload = collection.payload(position)
        changed = updates.apply(resource, payload, body, self.now())
        if changed != payload:
            collection.change(position, changed)
        return json_response(200, changed)

    # ---- lists -----------------------------------------------------------------------------------------------

    def _list(self, request: Request, resource: str, store: str | None) -> Response:
        if self.board and resource in self._last_page:
            text = request.text()
            for kind in ("repeat_page", "repeat_forever"):
                if self.board.take(self.name, kind, text):
                    return self._last_page[resource]
        pairs = parse_qsl(request.query, keep_blank_values=True)
        limit = _whole(pairs, "limit", 20, LIMIT_CAP)
        offset = _whole(pairs, "offset", 0, OFFSET_CAP)
        with_total = dict(pairs).get("withTotal", "true").lower() != "false"
        where = self._where(pairs, resource, store)
        try:
            sorts = [parse_sort(value, _FIELDS[resource]) for key, value in pairs if key == "sort"]
        except PredicateError as bad:
            raise Refusal(400, "InvalidInput", f"Malformed parameter: sort: {bad}.") from bad
        collection = self.lists[resource]
        with collection.lock:
            found, total = _select(collection, where, sorts, limit, offset, with_total)
            texts = [collection.text(position) for position in found]
        counted = f'"total":{total},' if with_total else ""
        head = f'{{"limit":{limit},"offset":{offset},"count":{len(texts)},{counted}"results":['
        response = Response(200, (head + ",".join(texts) + "]}").encode(), _JSON)
        self._last_page[resource] = response
        return response

    @staticmethod
    def _where(pairs: list[tuple[str, str]], resource: str, store: str | None) -> Node | None:
        variables = {key[4:]: value for key, value in pairs if key.startswith("var.")}
        texts = [value for key, value in pairs if key == "where"]
        if store:
            texts.append(f'store(key = "{store}")')
        try:
            nodes = [parse(text, _FIELDS[resource], variables) for text in texts]
        except PredicateError as bad:
            raise Refusal(400, "InvalidInput", f"Malformed parameter: where: {bad}.") from bad
        return None if not nodes else nodes[0] if len(nodes) == 1 else Node("and", children=tuple(nodes))


_JSON = {"Content-Type": "application/json; charset=utf-8"}


def _whole(pairs: list[tuple[str, str]], name: str, default: int, cap: int) -> int:
    text = dict(pairs).get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) > cap:
        raise Refusal(
            400, "InvalidInput", f"Malformed parameter: {name}: {text} is not a number from 0 to {cap}."
        )
    return int(text)


def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "InvalidJsonInput", "Request body does not contain valid JSON.")
    return body


class _Row:
    """One member as predicates see it: id and change stamp at hand, the payload read only when asked for."""

    __slots__ = ("collection", "payload", "position")

    def __init__(self, collection: Collection, position: int) -> None:
        self.collection, self.position = collection, position
        self.payload: dict[str, Any] | None = None

    def get(self, field: str) -> Any:
        if field == "id":
            return self.collection.ids[self.position]
        if field == "lastModifiedAt":
            return self.collection.modified[self.position]
        if self.payload is None:
            self.payload = self.collection.payload(self.position)
        return self.payload.get(field)


def _select(
    collection: Collection,
    where: Node | None,
    sorts: list[tuple[str, bool]],
    limit: int,
    offset: int,
    with_total: bool,
) -> tuple[list[int], int]:
    """Positions of one page, and how many rows match (counted up to 10,000 when there is a predicate)."""
    candidates = _candidates(collection, where, sorts)
    if where is None:
        return list(candidates[offset : offset + limit]), len(candidates)
    found: list[int] = []
    matched = 0
    for position in candidates:
        if not where.matches(_Row(collection, position).get):
            continue
        matched += 1
        if offset < matched <= offset + limit:
            found.append(position)
        if matched >= (TOTAL_CAP if with_total else offset + limit):
            break
    return found, min(matched, TOTAL_CAP)


def _candidates(collection: Collection, where: Node | None, sorts: list[tuple[str, bool]]) -> list[int]:
    """Rows that may match, in the order asked for: from a sorted list where it serves, else sorted here."""
    spans: dict[bool, tuple[int, int]] = {}
    for by_time, field in ((False, "id"), (True, "lastModifiedAt")):
        low, high = where.bounds(field) if where is not None else (None, None)
        spans[by_time] = collection.span(by_time, low, high)
    by_time = bool(sorts) and sorts[0][0] == "lastModifiedAt"
    plain = not sorts or (sorts[0] == ("id", False)) or sorts in _TIME_SORTS
    widths = {key: end - start for key, (start, end) in spans.items()}
    best = min((by_time, not by_time), key=lambda key: widths[key])
    # The other list pays only when it narrows a lot, because what it gives must be sorted again.
    if plain and widths[best] * 8 >= widths[by_time]:
        best = by_time
    start, end = spans[best]
    rows = (collection.by_modified if best else collection.by_id)[start:end]
    if plain and best == by_time:
        return rows
    rows = sorted(rows, key=collection.ids.__getitem__)
    for field, descending in reversed(sorts):
        keys = {position: _sort_key(_Row(collection, position).get(field)) for position in rows}
        rows.sort(key=keys.__getitem__, reverse=descending)
    return rows


_TIME_SORTS = ([("lastModifiedAt", False)], [("lastModifiedAt", False), ("id", False)])


def _sort_key(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value) if isinstance(value, int | float) else (2, str(value))
