"""A stand-in for X-Cart 5.0 to 5.4 with the REST API add-on: the parts that a nightly integration uses.

One address, ``/admin.php?target=RESTAPI``: the key in ``_key``, what is meant in ``_path``, the verb as such or in ``_method``, schemas
``default`` and ``complex``, conditions in ``_cnd[...]``. Follows the add-on's own documentation as archived by the vendor. Schema
``complex`` rounds amounts to two decimals and states one figure of tax; a DELETE without an id deletes every entity of its type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts.xcart_shop import Shop, ShopOrder
from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text, half_even
from tieout.sandbox.world.catalog import ITEMS
from tieout.sandbox.world.payloads import dump
from tieout.sandbox.world.world import World

API_KEY = "demo-addon-key"
_SHIPPING = {1: "N", 2: "P", 3: "S", 4: "D", 5: "WND", 6: "R"}
_NAMES = {
    "A": "Authorized", "PP": "Partially paid", "P": "Paid", "D": "Declined", "C": "Canceled", "Q": "Awaiting payment", "R": "Refunded",
}  # fmt: skip


class _Answer(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class XCartAddon:
    """The stand-in; thread-safe. ``now`` gives the world's present in UTC milliseconds."""

    name = "xcart_addon"

    def __init__(self, world: World, board: FaultBoard, now: Callable[[], int]) -> None:
        self.world, self.board, self.now = world, board, now
        self.shop = Shop(world, now, self.name)
        self.tracking: dict[int, list[str]] = {}
        self.deleted: list[str] = []
        self._last_page: dict[str, Response] = {}

    def fault_kinds(self) -> tuple[str, ...]:
        """Kinds looked up here, beside the server's."""
        return ("repeat_page", "repeat_forever", "no_sort", "revoke_key")

    def throttled(self) -> Response:
        """How the shop says that a client is too fast; the add-on documents no limit and no form for it."""
        return _json(429, {"message": "Rate limit exceeded"})

    def address(self, url: str) -> dict[str, Any]:
        """Where it listens."""
        return {"shop_url": url}

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
            params = dict(parse_qsl(request.query, keep_blank_values=True))
            if request.path.strip("/") != "admin.php" or params.get("target") != "RESTAPI":
                return Response(
                    404, b"<html><body>Page not found</body></html>", {"Content-Type": "text/html"}
                )
            revoked = self.board and self.board.take(self.name, "revoke_key", request.text())
            if params.get("_key") != API_KEY or revoked:
                raise _Answer(403, "Access denied: wrong key")
            verb = params.get(
                "_method", request.headers.get("X-HTTP-Method-Override") or request.method
            ).upper()
            kind, _, ref = params.get("_path", "").partition("/")
            form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
            return self._route(verb, kind, ref, params, form, request.text())
        except _Answer as answer:
            return _json(answer.status, {"message": answer.message})

    def _route(
        self, verb: str, kind: str, ref: str, params: Mapping[str, str], form: Mapping[str, str], text: str
    ) -> Response:
        if verb == "DELETE":
            self.deleted.append(f"{kind}/{ref}")
            if kind == "order" and not ref:
                for order_id in self.shop.newest():
                    self.shop.remove(order_id)
            return _json(200, True)
        number = int(ref) if ref.isdigit() else None
        if ref and number is None:
            raise _Answer(404, "Entity not found")
        if kind == "order":
            if number is None:
                return self._orders(params, text)
            found = self._found(number)
            if verb == "PUT":
                code = _SHIPPING.get(int(form.get("model[shippingStatus][id]", "0")))
                if code is None:
                    raise _Answer(400, "Wrong shipping status")
                found = self.shop.change(number, lambda one: setattr(one, "shipping", code))
            return _text(self._order(found))
        if kind == "payment-transaction":
            return self._payments(number, params, text)
        if kind == "profile" and number is None:
            return self._list(
                "profile", [self._profile(k) for k in range(self.world.customers_size)], params, text
            )
        if kind == "product":
            return self._product_route(verb, number, params, form, text)
        if kind == "ordertrackingnumber" and verb == "POST" and number == 0:
            order_id = int(form["model[order]"])
            self._found(order_id)
            self.tracking.setdefault(order_id, []).append(form["model[value]"])
            return _json(200, {"tracking_id": len(self.tracking), "value": form["model[value]"]})
        raise _Answer(404, "Entity not found")

    def _found(self, order_id: int) -> ShopOrder:
        found = self.shop.find(order_id)
        if found is None:
            raise _Answer(404, "Entity not found")
        return found

    def _list(self, name: str, members: list[str], params: Mapping[str, str], text: str) -> Response:
        if self.board and name in self._last_page:
            for kind in ("repeat_page", "repeat_forever"):
                if self.board.take(self.name, kind, text):
                    return self._last_page[name]
        start, count = int(params.get("_cnd[limit][0]", "0")), int(params.get("_cnd[limit][1]", "1000"))
        answer = _text(f"[{','.join(members[start : start + count])}]")
        self._last_page[name] = answer
        return answer

    def _orders(self, params: Mapping[str, str], text: str) -> Response:
        ids = self.shop.newest()
        sort = (params.get("_cnd[orderBy][0]"), params.get("_cnd[orderBy][1]"))
        if sort != ("o.lastRenewDate", "desc") or (
            self.board and self.board.take(self.name, "no_sort", text)
        ):
            ids = sorted(ids)
        if params.get("_schema") != "complex":
            return self._list("order", [f'{{"order_id":{one}}}' for one in ids], params, text)
        start, count = int(params.get("_cnd[limit][0]", "0")), int(params.get("_cnd[limit][1]", "1000"))
        told = [""] * len(ids)
        for place in range(start, min(len(ids), start + count)):
            told[place] = self._order(self._found(ids[place]))
        return self._list("order", told, params, text)

    def _order(self, found: ShopOrder) -> str:
        order, digits = found.order, found.digits

        def money(minor: int) -> str:
            """Rounded to two decimals, whatever the currency has; a text for some orders, a number for others."""
            cents = half_even(minor * 100, 10**digits)
            text = decimal_text(cents, 2)
            return text if order.index % 3 == 0 else f"@raw:{text}"

        first, last = self.shop.name(order)
        codes = {code: number for number, code in _SHIPPING.items()}
        return dump(
            {
                "orderId": found.id,
                "orderNumber": order.number,
                "total": money(found.total),
                "subtotal": money(sum(found.subtotals)),
                "taxAmount": money(sum(found.order_taxes.values())),
                "shippingCost": money(found.added("shipping")),
                "paymentFee": money(found.added("fee")),
                "discountValue": money(found.discount),
                "currency": order.store.currency,
                "items": [
                    {
                        "itemId": order.index * 1000 + k + 1,
                        "sku": row.item.sku if row.item else "",
                        "name": row.name,
                        "price": money(row.unit),
                        "amount": found.amounts[k],
                        "total": money(found.subtotals[k]),
                    }
                    for k, row in enumerate(found.items)
                    if found.amounts[k]
                ],
                "shippingStatus": {"id": codes.get(found.shipping, 8), "code": found.shipping},
                "paymentStatus": _NAMES[found.payment],
                "orderDate": order.line.placed // 1000,
                "updateDate": found.changed,
                "trackingNumber": self.tracking.get(found.id, []),
                "coupon": "TEN" if found.discount else "",
                "customerInfo": {
                    "email": self.shop.email(order), "profileId": None if order.customer is None else order.customer + 1,
                },
                "billingInfo": {"firstname": first, "lastname": last} if first else [],
                "paymentMethod": "Card",
                "shippingMethod": "Parcel",
            }
        )  # fmt: skip

    def _payments(self, number: int | None, params: Mapping[str, str], text: str) -> Response:
        told = {}
        for order_id in self.shop.newest():
            found = self._found(order_id)
            for n, (payment, reference, moves) in enumerate(self.shop.transactions(found)):
                told[found.order.index * 10 + n + 1] = (found, payment, reference, moves)
        if number is not None:
            if number not in told:
                raise _Answer(404, "Entity not found")
            found, payment, reference, moves = told[number]
            return _text(
                dump(
                    {
                        "transaction_id": number,
                        "public_id": reference,
                        "method_name": payment.tender.method,
                        "type": moves[0][0],
                        "date": moves[0][3],
                        "status": "S" if any(state == "S" for _, state, _, _ in moves) else "F",
                        "value": decimal_text(payment.planned, found.digits),
                        "note": "card 4111111111111111",
                        "data": [{"name": "card_number", "value": "4111111111111111"}],
                        "currency": {"currency_id": 840, "code": found.order.store.currency},
                        "order": {"order_id": found.id},
                        "backend_transactions": [
                            {
                                "id": number * 100 + k, "type": kind, "date": at, "status": state,
                                "value": decimal_text(minor, found.digits), "data": [],
                            }
                            for k, (kind, state, minor, at) in enumerate(moves)
                        ],
                    }
                )
            )  # fmt: skip
        newest = sorted(told, key=lambda one: (-told[one][3][0][3], one))
        rows = [f'{{"transaction_id":{one},"date":{told[one][3][0][3]}}}' for one in newest]
        return self._list("payment-transaction", rows, params, text)

    def _profile(self, customer: int) -> str:
        return json.dumps(
            {"profile_id": customer + 1, "login": people.email_of(customer), "added": 1_700_000_000}
        )

    def _product(self, number: int) -> str:
        sku = ITEMS[number - 1].sku
        price = decimal_text(self.shop.prices[sku], 2)
        return json.dumps(
            {"product_id": number, "sku": sku, "price": f"{price}00", "amount": self.shop.stock[sku]}
        )

    def _product_route(
        self, verb: str, number: int | None, params: Mapping[str, str], form: Mapping[str, str], text: str
    ) -> Response:
        if number is None:
            wanted = params.get("_cnd[sku]")
            known = [n for n in range(1, len(ITEMS) + 1) if wanted in (None, ITEMS[n - 1].sku)]
            return self._list("product", [self._product(n) for n in known], params, text)
        if not 1 <= number <= len(ITEMS):
            raise _Answer(404, "Entity not found")
        sku = ITEMS[number - 1].sku
        if verb == "PUT" and "model[amount]" in form:
            self.shop.stock[sku] = int(form["model[amount]"])
        if verb == "PUT" and "model[price]" in form:
            whole, _, fraction = form["model[price]"].partition(".")
            self.shop.prices[sku] = int(whole + fraction.ljust(2, "0")[:2])
        return _text(self._product(number))


def _json(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _text(text: str) -> Response:
    return Response(200, text.encode(), {"Content-Type": "application/json"})
