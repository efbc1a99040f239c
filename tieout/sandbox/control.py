"""The control door: a server of its own where rehearsals are steered and judged. Nothing here is served anywhere else.

=========================  =====================================================================================
``GET /addresses``         where the stand-ins listen
``GET /faults``            faults on the board; ``POST`` one object or a list adds, ``DELETE`` clears (``/faults/ID`` one)
``POST /reset``            the world as it was at the start
``GET /ledger``            the gateway's books as plain JSON
``GET /answer-key``        every planted fault and what must be found about it
``GET /stock``             the web stock as the storefront holds it; ``?app=NAME`` for one of several
``POST /tamper``           change the shop (``"app"`` names one of several), or with ``"app": "intacct"`` the ledger, after the fact
``GET /calls``             requests answered so far, by stand-in
``GET /issued``            every session id and access token ever issued, by stand-in: what no client may write down
=========================  =====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tieout.sandbox.faults import GENERIC_KINDS, FaultError
from tieout.sandbox.rehearsal import Rehearsal
from tieout.sandbox.server import Request, Response
from tieout.sandbox.storefronts.registry import StandIn
from tieout.sandbox.tampering import TamperError


class Control:
    """The control door's handler."""

    name = "control"

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.extra_addresses: dict[str, Any] = {}
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "/addresses"): lambda _: self.addresses(),
            ("GET", "/faults"): lambda _: {"faults": rehearsal.board.listing(), "kinds": self._kinds()},
            ("POST", "/faults"): self._add_faults,
            ("DELETE", "/faults"): lambda _: {"removed": rehearsal.board.clear()},
            ("POST", "/reset"): self._reset,
            ("GET", "/ledger"): self._ledger,
            ("GET", "/answer-key"): lambda _: rehearsal.answer_key(),
            ("GET", "/stock"): self._stock,
            ("POST", "/tamper"): self._tamper,
            ("GET", "/calls"): lambda _: {name: one.call_counts() for name, one in rehearsal.servers.items()},
            ("GET", "/issued"): lambda _: self._issued(),
        }

    def fault_kinds(self) -> tuple[str, ...]:
        """None: the control door does not misbehave."""
        return ()

    def addresses(self) -> dict[str, Any]:
        """Addresses of the stand-ins and of this door."""
        return {**self.rehearsal.addresses(), **self.extra_addresses}

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path.rstrip("/") or "/"
        try:
            if request.method == "DELETE" and path.startswith("/faults/") and path[8:].isdigit():
                return _answer(200, {"removed": self.rehearsal.board.clear(int(path[8:]))})
            route = self._routes.get((request.method, path))
            if route is None:
                doors = sorted(f"{method} {where}" for method, where in self._routes)
                return _answer(404, {"error": f"No such door: {request.method} {path}.", "doors": doors})
            return _answer(200, route(request))
        except (FaultError, TamperError, _UnusableError) as bad:
            return _answer(400, {"error": str(bad)})

    def _kinds(self) -> dict[str, list[str]]:
        found = {"*": list(GENERIC_KINDS)}
        for name, server in self.rehearsal.servers.items():
            kinds = getattr(server.app, "fault_kinds", None)
            found[name] = list(kinds() or ()) if kinds else []
        return found

    def _issued(self) -> dict[str, list[str]]:
        books = {} if self.rehearsal.gateway is None else {"intacct": self.rehearsal.gateway.issued()}
        return {**{name: shop.issued() for name, shop in self.rehearsal.storefronts.items()}, **books}

    def _add_faults(self, request: Request) -> dict[str, Any]:
        orders = _body(request)
        orders = orders if isinstance(orders, list) else [orders]
        if not all(isinstance(order, dict) for order in orders):
            raise _UnusableError("A fault is a JSON object.")
        return {"faults": [self.rehearsal.board.add(order).as_dict() for order in orders]}

    def _reset(self, _: Request) -> dict[str, Any]:
        self.rehearsal.reset()
        return {"reset": True}

    def _ledger(self, _: Request) -> Any:
        if self.rehearsal.gateway is None:
            raise _UnusableError("This rehearsal has no ledger: it was started without intacct.")
        return self.rehearsal.gateway.ledger()

    def _storefront(self, name: str | None) -> StandIn:
        try:
            return self.rehearsal.storefront_named(name)
        except KeyError:
            runs = ", ".join(self.rehearsal.storefronts) or "none"
            raise _UnusableError(f"No storefront {name or ''} runs here; there runs {runs}.") from None

    def _stock(self, request: Request) -> Any:
        name = dict(parse_qsl(request.query)).get("app")
        return {"stock": self._storefront(name).web_stock()}

    def _tamper(self, request: Request) -> Any:
        order = _body(request)
        if not isinstance(order, dict):
            raise _UnusableError("An order to tamper is a JSON object.")
        if order.get("app") != "intacct":
            return self._storefront(order.get("app")).tamper(order, self.rehearsal.clock.ms())
        if self.rehearsal.gateway is None:
            raise _UnusableError("This rehearsal has no ledger: it was started without intacct.")
        try:
            return self.rehearsal.gateway.tamper({key: value for key, value in order.items() if key != "app"})
        except Exception as refused:  # whatever the books say is the answer to the person at the door
            raise _UnusableError(f"The ledger refused: {refused}") from refused


class _UnusableError(ValueError):
    """A request to the control door that cannot be carried out."""


def _body(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as bad:
        raise _UnusableError("The request body is not JSON.") from bad


def _answer(status: int, payload: Any) -> Response:
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})
