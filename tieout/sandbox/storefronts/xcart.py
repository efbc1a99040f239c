"""A stand-in for X-Cart 5.5's built-in REST API: the parts that a nightly integration uses.

``X-Auth-Token`` with a read/write and a read-only key; lists as bare arrays or as ``application/ld+json`` with a count; pages from 1,
at most 100 records; order filters and sort as in 5.5.0, unknown or malformed ones ignored in silence; payments per order; products and
variants written by PUT with absolute amounts. Follows the X-Cart developer documentation (REST API 5.5) and API Platform's
documentation (Pagination, Filters, Errors). In 5.5.0 a transaction's ``status`` is filled with the method's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts.xcart_shop import Shop, ShopOrder, number, payload, raw
from tieout.sandbox.world import people
from tieout.sandbox.world.catalog import ITEMS
from tieout.sandbox.world.world import World

API_KEY = "demo-xcart-key"
READ_KEY = "demo-xcart-read-key"
PAGE_CAP, PAGE_USUAL = 100, 30
_FREE_STATUSES = {"N", "P", "S", "D", "WND", "R"}
_NAMES = {
    "A": "Authorized", "PP": "Partially Paid", "P": "Paid", "D": "Declined", "C": "Canceled", "Q": "Awaiting payment", "R": "Refunded",
}  # fmt: skip


class _Answer(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class XCart:
    """The stand-in; thread-safe. ``now`` gives the world's present in UTC milliseconds."""

    name = "xcart"

    def __init__(
        self, world: World, board: FaultBoard, now: Callable[[], int], *, variants: bool = False
    ) -> None:
        self.world, self.board, self.now = world, board, now
        self.shop = Shop(world, now, self.name)
        self.variants = variants
        self._last_page: dict[str, Response] = {}

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds looked up here, beside the server's."""
        return ("repeat_page", "repeat_forever", "no_count", "no_sort", "revoke_key")

    def throttled(self) -> Response:
        """How the shop says that a client is too fast; the platform publishes no limit and no form for it."""
        return _json(429, {"message": "Rate limit exceeded"})

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens."""
        return {"api_url": f"{url}/api"}

    def issued(self) -> list[str]:
        """None: the shop's key is all there is."""
        return []

    def web_stock(self) -> list[dict[str, Any]]:
        """The stock as it holds it now, by SKU."""
        return self.shop.web_stock()

    def tamper(self, order: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change the shop after the fact."""
        return self.shop.tamper(order, now_ms)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            parts = [unquote(part) for part in request.path.split("/") if part]
            if parts[:1] != ["api"]:
                return Response(
                    404, b"<html><body>Page not found</body></html>", {"Content-Type": "text/html"}
                )
            self._authorise(request)
            return self._route(request, parts[1:])
        except _Answer as answer:
            return _json(answer.status, {"message": answer.message})

    def _authorise(self, request: Request) -> None:
        key = request.headers.get("X-Auth-Token", "")
        if key not in (API_KEY, READ_KEY) or (
            self.board and self.board.take(self.name, "revoke_key", request.text())
        ):
            raise _Answer(401, "Invalid credentials.")
        if key == READ_KEY and request.method != "GET":
            raise _Answer(403, "Access Denied.")

    # ---- routes ----------------------------------------------------------------------------------------------

    def _route(self, request: Request, parts: list[str]) -> Response:
        if request.method not in ("GET", "PUT"):
            raise _Answer(405, f"Method {request.method} is not allowed here.")
        match parts:
            case ["orders"]:
                return self._list(request, "orders", self._orders(request), self._order)
            case ["orders", order_id]:
                return _text(self._order(self._found(order_id)))
            case ["orders", order_id, "payment_transactions"]:
                return _text(payload(self._transactions(self._found(order_id))))
            case ["orders", order_id, "shipping_status"]:
                return self._status(request, self._found(order_id))
            case ["profiles"]:
                return self._list(
                    request, "profiles", [k + 1 for k in self.world.customers_of(self.name)], self._profile
                )
            case ["products"]:
                return self._list(request, "products", list(range(1, len(ITEMS) + 1)), self._product)
            case ["products", product_id, *rest]:
                return self._goods(request, product_id, rest)
        raise _Answer(404, "Not Found")

    def _found(self, order_id: str) -> ShopOrder:
        found = self.shop.find(int(order_id)) if order_id.isdigit() else None
        if found is None:
            raise _Answer(404, "Not Found")
        return found

    def _orders(self, request: Request) -> list[Any]:
        params = dict(parse_qsl(request.query, keep_blank_values=True))
        ids = self.shop.newest()
        if self.board and self.board.take(self.name, "no_sort", request.text()):
            params.pop("order[lastRenewDate]", None)
        direction = params.get("order[lastRenewDate]", "").lower()
        if direction == "asc":
            ids = ids[::-1]
        elif direction != "desc":
            ids = sorted(ids)
        found = [one for one in (self.shop.find(order_id) for order_id in ids) if one is not None]
        for (
            name,
            value,
        ) in params.items():  # date[…] is creation; anything else unknown is ignored, as is a malformed date
            if name.startswith("date[") and (bound := _seconds(value)) is not None:
                keep = {
                    "date[after]": lambda at, b=bound: at >= b,
                    "date[strictly_after]": lambda at, b=bound: at > b,
                    "date[before]": lambda at, b=bound: at <= b,
                    "date[strictly_before]": lambda at, b=bound: at < b,
                }.get(name)
                found = [one for one in found if keep is None or keep(one.order.line.placed // 1000)]
            elif name in ("paymentStatus.code", "shippingStatus.code"):
                of = "payment" if name.startswith("payment") else "shipping"
                found = [one for one in found if getattr(one, of) == value]
        return found

    def _list(self, request: Request, name: str, members: list[Any], tell: Callable[[Any], str]) -> Response:
        text = request.text()
        if self.board and name in self._last_page:
            for kind in ("repeat_page", "repeat_forever"):
                if self.board.take(self.name, kind, text):
                    return self._last_page[name]
        params = dict(parse_qsl(request.query))
        page = max(1, _whole(params.get("page"), 1))
        size = min(PAGE_CAP, max(0, _whole(params.get("itemsPerPage"), PAGE_USUAL)))
        shown = [tell(one) for one in members[(page - 1) * size : page * size]]
        plain = "application/ld+json" not in request.headers.get("Accept", "")
        if plain or (self.board and self.board.take(self.name, "no_count", text)):
            answer = _text(f"[{','.join(shown)}]")
        else:
            view = json.dumps({"@id": f"/api/{name}?page={page}", "@type": "hydra:PartialCollectionView"})
            body = (
                f'{{"@context":"/api/contexts/{name}","@id":"/api/{name}","@type":"hydra:Collection",'
                f'"hydra:member":[{",".join(shown)}],"hydra:totalItems":{len(members)},"hydra:view":{view}}}'
            )
            answer = Response(200, body.encode(), {"Content-Type": "application/ld+json; charset=utf-8"})
        self._last_page[name] = answer
        return answer

    def order_text(self, index: int) -> str:
        """An order of the world as the shop shows it."""
        return self._order(self._found(str(index + 1)))

    # ---- words -----------------------------------------------------------------------------------------------

    def _order(self, found: ShopOrder) -> str:
        order, digits = found.order, found.digits
        currency = order.store.currency

        def money(minor: int, k: int = 0) -> str:
            return raw(number(minor, digits, residue=(order.index + k) % 29 == 0))

        items = []
        for k, row in enumerate(found.items):
            if found.amounts[k] == 0:
                continue
            price = row.discounted_unit if row.discounted_unit is not None else row.unit
            exact = number(*row.precise) if row.precise else number(price, digits)
            taxes = []
            if row.rate is not None and found.taxes[k]:
                taxes = [self._tax(1, row.rate.name, money(found.taxes[k], k), row.rate.included)]
            items.append(
                {
                    "id": order.index * 1000 + k + 1,
                    "product_id": _product_id(row.item.sku) if row.item else 0,
                    "sku": row.item.sku if row.item else "",
                    "name": row.name,
                    "price": raw(exact),
                    "item_net_price": raw(exact),
                    "discounted_subtotal": money(found.subtotals[k] - found.shares[k], k),
                    "amount": found.amounts[k],
                    "backordered_amount": 0,
                    "update_date": _iso(order.line.placed // 1000),
                    "surcharges": taxes,
                }
            )
        surcharges = []
        if found.discount:
            surcharges.append(self._extra(1, "discount", "COUPON", money(-found.discount), "Coupon"))
        surcharges.append(self._extra(2, "shipping", "SHIPPING", money(found.added("shipping")), "Shipping"))
        if found.added("fee"):
            surcharges.append(
                self._extra(3, "handling", "WRAPPING", money(found.added("fee")), "Gift wrapping")
            )
        surcharges += [
            self._tax(10 + k, rate.name, money(tax, k), rate.included)
            for k, (rate, tax) in enumerate(found.order_taxes.items())
            if tax
        ]
        # A rate that was offered and not taken: it is in the list and not in the total.
        surcharges.append(
            {**self._extra(9, "shipping", "EXPRESS", money(2500), "Express"), "available": False}
        )
        first, last = self.shop.name(order)
        address = {"firstname": first, "lastname": last, "country_code": order.store.country} if first else []
        told = {
            "id": found.id,
            "order_number": order.number,
            "total": money(found.total),
            "sub_total": money(sum(found.subtotals)),
            "currency": currency,
            "email": self.shop.email(order),
            "customer_id": None if order.customer is None else order.customer + 1,
            "order_profile_id": order.index + 500_000,
            "create_date": _iso(order.line.placed // 1000),
            "update_date": _iso(found.changed),
            "payment_status": {
                "id": 1,
                "code": found.payment,
                "name": _NAMES[found.payment],
                "customer_name": "",
            },
            "shipping_status": {"id": 1, "code": found.shipping, "name": "", "customer_name": ""},
            "shipping_id": 1,
            "shipping_method_name": "Parcel",
            "notes": "",
            "admin_notes": "Caller gave card 4111 1111 1111 1111" if order.index % 50 == 7 else "",
            "stock_status": "",
            "billing_address": address,
            "shipping_address": address,
            "items": items,
            "surcharges": surcharges,
            "tracking_numbers": [
                {"id": k + 1, "date": _iso(at), "value": text} for k, (at, text) in enumerate(found.tracking)
            ],
            "used_coupons": [
                {"id": 1, "code": "TEN", "value": money(found.discount), "type": "%", "coupon_id": 2}
            ]
            if found.discount
            else [],
            "gross_profit": raw("0"),
        }
        return payload(told)

    @staticmethod
    def _extra(id_: int, kind: str, code: str, value: str, name: str) -> dict[str, Any]:
        return {
            "id": id_, "type": kind, "code": code, "class": "\\XLite\\Logic", "include": False, "available": True, "value": value,
            "name": name, "weight": id_,
        }  # fmt: skip

    def _tax(self, id_: int, name: str, value: str, included: bool) -> dict[str, Any]:
        return {**self._extra(id_, "tax", "CDEV.STAX.1", value, name), "include": included}

    def _transactions(self, found: ShopOrder) -> list[dict[str, Any]]:
        order, digits = found.order, found.digits
        told = []
        for n, (payment, reference, moves) in enumerate(self.shop.transactions(found)):
            told.append(
                {
                    "id": order.index * 10 + n + 1,
                    "public_id": f"{order.number}-{n + 1}",
                    "public_txn_id": reference,
                    "method_id": 9,
                    "type": moves[0][0],
                    "date": _iso(moves[0][3]),
                    "status": payment.tender.method,
                    "name": payment.tender.method,
                    "local_name": payment.tender.method,
                    "currency": order.store.currency,
                    "value": raw(number(payment.planned, digits)),
                    "note": "",
                    "data": [{"id": 1, "name": "card_number", "value": "4111111111111111"}],
                    "backend_transactions": [
                        {
                            "id": order.index * 1000 + n * 100 + k + 1,
                            "type": kind,
                            "date": _iso(at),
                            "status": state,
                            "value": raw(number(minor, digits)),
                            "data": [],
                        }
                        for k, (kind, state, minor, at) in enumerate(moves)
                    ],
                }
            )
        return told

    def _profile(self, profile_id: int) -> str:
        return json.dumps(
            {
                "id": profile_id,
                "login": people.email_of(profile_id - 1),
                "status": "E",
                "access_level": 0,
                "create_date": _iso(people.customer_modified(self.world.seed, profile_id - 1) // 1000),
                "last_login_date": None,
                "membership_id": None,
                "language": "en",
            }
        )

    def _product(self, product_id: int) -> str:
        item = ITEMS[product_id - 1]
        whole = not (self.variants and item.sku.startswith("TEE-"))
        return payload(
            {
                "id": product_id,
                "sku": item.sku if whole else "",
                "name": item.name,
                "price": raw(number(self.shop.prices[item.sku], 2)),
                "enabled": True,
                "amount": self.shop.stock[item.sku] if whole else 0,
                "inventory_traceable": True,
                "create_date": "2023-01-01T00:00:00+00:00",
                "update_date": "2024-08-01T00:00:00+00:00",
            }
        )

    def _variant(self, product_id: int) -> str:
        item = ITEMS[product_id - 1]
        return payload(
            {
                "id": 7000 + product_id,
                "sku": item.sku,
                "price": raw(number(self.shop.prices[item.sku], 2)),
                "default_price": False,
                "amount": self.shop.stock[item.sku],
                "default_amount": False,
            }
        )

    # ---- writes ----------------------------------------------------------------------------------------------

    def _goods(self, request: Request, product_id: str, rest: list[str]) -> Response:
        known = product_id.isdigit() and 1 <= int(product_id) <= len(ITEMS)
        if not known:
            raise _Answer(404, "Not Found")
        number_ = int(product_id)
        has_variant = self.variants and ITEMS[number_ - 1].sku.startswith("TEE-")
        if rest == ["variants"]:
            return _text(f"[{self._variant(number_)}]" if has_variant else "[]")
        if rest and (rest != ["variants", str(7000 + number_)] or not has_variant):
            raise _Answer(404, "Not Found")
        if request.method == "PUT":
            self._put(ITEMS[number_ - 1].sku, _body(request))
        return _text(self._variant(number_) if rest else self._product(number_))

    def _put(self, sku: str, body: dict[str, Any]) -> None:
        with self.shop.lock:
            if "amount" in body:
                if (
                    isinstance(body["amount"], bool)
                    or not isinstance(body["amount"], int)
                    or body["amount"] < 0
                ):
                    raise _Answer(422, "amount: This value should be a whole number of zero or more.")
                self.shop.stock[sku] = body["amount"]
            if "price" in body:
                text = str(body["price"])
                whole, _, fraction = text.partition(".")
                if not (whole + fraction).isdigit() or len(fraction) > 2:
                    raise _Answer(422, "price: This value is not valid.")
                self.shop.prices[sku] = int(whole + fraction.ljust(2, "0"))

    def _status(self, request: Request, found: ShopOrder) -> Response:
        if request.method == "PUT":
            code = _body(request).get("code")
            if code not in _FREE_STATUSES:
                raise _Answer(422, f"code: The status {code} cannot be set.")

            def alter(one: ShopOrder) -> None:
                one.shipping = str(code)

            found = self.shop.change(found.id, alter)
        return _json(200, {"id": 1, "code": found.shipping, "name": "", "customer_name": ""})


def _product_id(sku: str) -> int:
    return next((k + 1 for k, item in enumerate(ITEMS) if item.sku == sku), 0)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _seconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _whole(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdigit() else usual


def _body(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.body, parse_float=str)
    except ValueError:
        raise _Answer(400, "Syntax error") from None
    if not isinstance(found, dict):
        raise _Answer(400, "Syntax error")
    return found


def _json(status: int, body: Any) -> Response:
    return Response(
        status,
        json.dumps(body, ensure_ascii=False).encode(),
        {"Content-Type": "application/json; charset=utf-8"},
    )


def _text(text: str) -> Response:
    return Response(200, text.encode(), {"Content-Type": "application/json; charset=utf-8"})
