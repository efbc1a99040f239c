"""A stand-in for a Clarity eCommerce shop as the shipped profile `seed` assumes one: no reference of the real interface is public.

OAuth 2.0 client credentials with short-lived tokens; lists ``{items, page, pageSize, totalCount}`` in pages from 0 with
``updatedSince``; amounts as decimal texts, and here and there as numbers; errors ``{error: {code, message}}``; 429 with
``Retry-After``. A dialect may be chosen that pages from 1, by start and size, or answers with the bare list.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts import clarity_shop as shop
from tieout.sandbox.storefronts.clarity_shop import order_ref
from tieout.sandbox.tampering import TamperError
from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text, identifier, iso, parse_iso
from tieout.sandbox.world.catalog import ITEMS, START_MS, STORES
from tieout.sandbox.world.payloads import dump
from tieout.sandbox.world.world import World

CLIENT_ID = "demo-clarity-client"
CLIENT_SECRET = "demo-clarity-secret"  # noqa: S105 - the stand-in's own, known to everybody
PAGE_CAP = 100
TOKEN_SECONDS = 3600
DIALECTS = ("pages_from_0", "pages_from_1", "start_and_size", "bare_list")


class _Answer(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Clarity:
    """The stand-in; thread-safe. ``now`` gives the world's present in UTC milliseconds."""

    name = "clarity"

    def __init__(
        self, world: World, board: FaultBoard, now: Callable[[], int], *, dialect: str = "pages_from_0"
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"a dialect is one of {', '.join(DIALECTS)}, not {dialect}")
        self.world, self.board, self.now, self.dialect = world, board, now, dialect
        self.lock = threading.RLock()
        lines = list(world.told_by(self.name))
        self.indexes = [line.index for line in lines]
        self._stamps = {line.index: line.modified for line in lines}
        self.status_of: dict[int, str] = {}
        self.tracking_of: dict[int, list[dict[str, str]]] = {}
        reserved = world.reserved_by[self.name]
        self.stock = {
            (shelf.sku, shelf.channel): max(0, (shelf.web_on_stock or 0) - reserved[shelf.sku, shelf.channel])
            for shelf in world.shelves
            if shelf.web_on_stock is not None
        }
        self.prices = {item.sku: item.price(STORES[0]) for item in ITEMS}
        self._tokens: dict[str, int] = {}
        self._all_tokens: list[str] = []
        self._last_page: dict[str, Response] = {}
        self._priced: dict[str, int] = {}

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds looked up here, beside the server's."""
        return ("expire_token", "repeat_page", "repeat_forever", "ignore_filter", "lose_record")

    def throttled(self) -> Response:
        """How the shop says that a client is too fast."""
        return _json(429, {"error": {"code": "rate_limited", "message": "Rate limit exceeded"}})

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens and what a client needs beside its secret."""
        return {"api_url": url, "client_id": CLIENT_ID}

    def issued(self) -> list[str]:
        """Every access token it ever issued, live or not."""
        return list(self._all_tokens)

    def web_stock(self) -> list[dict[str, Any]]:
        """The stock as it holds it now, by SKU and location."""
        with self.lock:
            return [
                {"sku": sku, "location": place, "quantityAvailable": count}
                for (sku, place), count in sorted(self.stock.items())
            ]

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """What somebody does by hand: ``order_cancelled``, and ``stock_changed`` (``sku``, ``location``, ``quantity``)."""
        if order.get("op") == "stock_changed":
            key = (str(order.get("sku")), str(order.get("location")))
            if key not in self.stock or not isinstance(order.get("quantity"), int):
                raise TamperError('"sku" and "location" must be of the shop, and "quantity" a whole number.')
            self.stock[key] = order["quantity"]
            return {"sku": key[0], "location": key[1], "quantityAvailable": order["quantity"]}
        index = self._index(str(order.get("order_ref")))
        if order.get("op") != "order_cancelled" or index is None:
            raise TamperError(
                '"op" must be one of order_cancelled, stock_changed, with an "order_ref" of the shop.'
            )
        self._change(index, "cancelled", now_ms)
        return {"order_ref": order_ref(index)}

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            parts = [unquote(part) for part in request.path.split("/") if part]
            if parts == ["oauth", "token"]:
                return self._token(request)
            self._authorise(request)
            return self._route(request, parts)
        except _Answer as answer:
            return _json(answer.status, {"error": {"code": answer.code, "message": answer.message}})

    # ---- auth ------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, login = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(login).decode("utf-8", "replace").partition(":")
            given = (name, secret)
        if request.method != "POST" or form.get("grant_type") != "client_credentials":
            raise _Answer(400, "unsupported_grant_type", "Only client_credentials is supported.")
        if given != (CLIENT_ID, CLIENT_SECRET):
            raise _Answer(401, "invalid_client", "Client authentication failed.")
        with self.lock:
            token = identifier(self.world.seed, "clarity-token", len(self._tokens)).replace("-", "")
            self._all_tokens.append(token)
            self._tokens[token] = self.now() + TOKEN_SECONDS * 1000
        return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _authorise(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.board and token and self.board.take(self.name, "expire_token", request.text()):
            self._tokens.pop(token, None)
        if scheme.lower() != "bearer" or self._tokens.get(token, 0) <= self.now():
            raise _Answer(401, "invalid_token", "The access token is missing or expired.")

    # ---- routes ----------------------------------------------------------------------------------------------

    def _route(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case ["api", "orders"]:
                return self._list(request, "orders", self.indexes, self._stamps.__getitem__, self._order)
            case ["api", "payments"]:
                keys = [(i, n) for i in self.indexes for n in range(len(self.world.order(i).payments))]
                return self._list(request, "payments", keys, self._paid_at, self._payment)
            case ["api", "returns"]:
                back = [i for i in self.indexes if self.world.order(i).returned_rows]
                return self._list(
                    request, "returns", back, lambda i: self.world.order(i).line.returned, self._return
                )
            case ["api", "customers"]:
                everybody = self.world.customers_of(self.name)
                at = lambda k: people.customer_modified(self.world.seed, k)  # noqa: E731
                return self._list(request, "customers", everybody, at, self._customer)
            case ["api", "inventory"]:
                return self._list(request, "inventory", sorted(self.stock), lambda _: 0, self._shelf)
            case ["api", "products"]:
                return self._list(request, "products", sorted(self.prices), self._priced_at, self._product)
            case ["api", "inventory", sku]:
                return self._set_stock(request, sku)
            case ["api", "products", sku, "price"]:
                return self._set_price(request, sku)
            case ["api", "orders", ref]:
                return self._one_order(request, ref)
        raise _Answer(404, "not_found", "There is nothing here.")

    def _list(
        self,
        request: Request,
        name: str,
        keys: list[Any],
        stamp: Callable[[Any], int],
        tell: Callable[[Any], str],
    ) -> Response:
        if request.method != "GET":
            raise _Answer(405, "method_not_allowed", "Lists are read by GET.")
        text = request.text()
        if self.board and name in self._last_page:
            for kind in ("repeat_page", "repeat_forever"):
                if self.board.take(self.name, kind, text):
                    return self._last_page[name]
        params = dict(parse_qsl(request.query))
        since = params.get("updatedSince")
        if since and not (self.board and self.board.take(self.name, "ignore_filter", text)):
            try:
                bound = parse_iso(since)
            except ValueError:
                raise _Answer(400, "bad_request", "updatedSince is no instant.") from None
            keys = [key for key in keys if stamp(key) >= bound]
        keys = sorted(keys, key=lambda key: (stamp(key), key))
        size = min(PAGE_CAP, max(1, _whole(params.get("pageSize"), 20)))
        page = _whole(params.get("page"), 0)
        start = {"pages_from_1": (page - 1) * size, "start_and_size": page}.get(self.dialect, page * size)
        shown = [tell(key) for key in keys[max(0, start) : max(0, start) + size]]
        if shown and self.board and self.board.take(self.name, "lose_record", text):
            shown = shown[1:] + shown[-1:]
        if self.dialect == "bare_list":
            body = f"[{','.join(shown)}]"
        else:
            body = f'{{"items":[{",".join(shown)}],"page":{page},"pageSize":{size},"totalCount":{len(keys)}}}'
        answer = Response(200, body.encode(), {"Content-Type": "application/json; charset=utf-8"})
        self._last_page[name] = answer
        return answer

    def order_text(self, index: int) -> str:
        """An order of the world as the shop shows it."""
        return self._order(index)

    # ---- words -----------------------------------------------------------------------------------------------

    def _order(self, index: int) -> str:
        return shop.told(
            self.world.order(index),
            self.world.seed,
            changed=self._stamps[index],
            status=self.status_of.get(index),
            tracking=self.tracking_of.get(index, []),
        )

    def _payment(self, key: tuple[int, int]) -> str:
        return shop.payment_of(self.world.order(key[0]), key[1])

    def _return(self, index: int) -> str:
        return shop.returned(self.world.order(index))

    def _customer(self, customer: int) -> str:
        return shop.person(customer, self.world.seed)

    def _paid_at(self, key: tuple[int, int]) -> int:
        return self.world.order(key[0]).payments[key[1]].modified

    def _shelf(self, key: tuple[str, str]) -> str:
        count = self.stock[key]
        return dump(
            {
                "sku": key[0],
                "location": key[1],
                "quantityOnHand": count,
                "quantityAllocated": 0,
                "quantityAvailable": count,
                "updatedAt": "2026-10-20T00:00:00Z",
            }
        )

    def _product(self, sku: str) -> str:
        item = next(one for one in ITEMS if one.sku == sku)
        return dump(
            {
                "productId": f"P-{sku}",
                "sku": sku,
                "name": item.name,
                "categoryId": item.category,
                "price": decimal_text(self.prices[sku], 2),
                "currency": "USD",
                "active": True,
                "updatedAt": iso(self._priced_at(sku)),
            }
        )

    def _priced_at(self, sku: str) -> int:
        return self._priced.get(sku, START_MS)

    # ---- writes ----------------------------------------------------------------------------------------------

    def _set_stock(self, request: Request, sku: str) -> Response:
        places = [place for known, place in sorted(self.stock) if known == sku]
        if not places:
            raise _Answer(404, "not_found", f"There is no item {sku}.")
        place = dict(parse_qsl(request.query)).get("location") or places[0]
        if request.method == "PUT":
            body = _body(request)
            place = str(body.get("location") or places[0])
            count = body.get("quantityAvailable")
            if (
                (sku, place) not in self.stock
                or isinstance(count, bool)
                or not isinstance(count, int)
                or count < 0
            ):
                raise _Answer(422, "invalid", "location or quantityAvailable is not valid.")
            self.stock[sku, place] = count
        if (sku, place) not in self.stock:
            raise _Answer(404, "not_found", f"There is no item {sku} at {place}.")
        return Response(200, self._shelf((sku, place)).encode(), {"Content-Type": "application/json"})

    def _set_price(self, request: Request, sku: str) -> Response:
        if sku not in self.prices:
            raise _Answer(404, "not_found", f"There is no item {sku}.")
        if request.method == "PUT":
            body = _body(request)
            whole, _, fraction = str(body.get("amount")).partition(".")
            if body.get("currency") != "USD" or not (whole + fraction).isdigit() or len(fraction) > 2:
                raise _Answer(422, "invalid", "amount or currency is not valid.")
            self.prices[sku] = int(whole + fraction.ljust(2, "0"))
            self._priced[sku] = self.now()
        return _json(200, {"sku": sku, "amount": decimal_text(self.prices[sku], 2), "currency": "USD"})

    def _one_order(self, request: Request, ref: str) -> Response:
        index = self._index(ref)
        if index is None:
            raise _Answer(404, "not_found", f"There is no order {ref}.")
        if request.method == "PATCH":
            body = _body(request)
            if "status" in body:
                self._change(index, str(body["status"]), self.now())
            if isinstance(body.get("tracking"), list):
                self.tracking_of[index] = [*self.tracking_of.get(index, []), *body["tracking"]]
                self._stamps[index] = max(self.now(), self._stamps[index] + 1)
        return Response(200, self._order(index).encode(), {"Content-Type": "application/json"})

    def _index(self, ref: str) -> int | None:
        digits = ref.removeprefix("CLR-")
        index = int(digits) - 20_000 if digits.isdigit() else None
        return index if index in self._stamps else None

    def _change(self, index: int, status: str, at_ms: int) -> None:
        with self.lock:
            self.status_of[index] = status
            self._stamps[index] = max(at_ms, self._stamps[index] + 1)


def _whole(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdigit() else usual


def _body(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.body, parse_float=str)
    except ValueError:
        raise _Answer(400, "bad_request", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise _Answer(400, "bad_request", "The body is not an object.")
    return found


def _json(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8"})
