"""The board on which faults are switched on: which stand-in misbehaves, how, how often and for which requests.

Kinds the server applies around any stand-in:

=================  ============================================================================================
kind               what the client sees
=================  ============================================================================================
``latency``        the answer comes ``seconds`` late (default 1)
``throttle``       429, with ``Retry-After: seconds`` when ``seconds`` is given; the stand-in words its own body
``unavailable``    503 with an HTML page; ``Retry-After`` when ``seconds`` is given
``server_error``   ``status`` (default 500) with a body that is neither JSON nor XML
``cut_before``     the connection is closed before the request is handled: nothing happened
``cut_after``      the request is handled and committed, then the connection is closed without an answer
``delay_after``    the request is handled and committed, then ``seconds`` (default 30) pass before the answer
``truncate``       half of the body under headers that look right; ``"how": "short"`` declares the full length instead
``wrong_charset``  the body in another encoding (``charset``, default utf-16) than its header says
``garbage``        200 with a page that is neither JSON nor XML
=================  ============================================================================================

Kinds of the commercetools stand-in: ``expire_token`` (the bearer token presented is revoked), ``repeat_page`` (the page
served before is served again), ``repeat_forever`` (the same page until the
fault is removed), ``stale_version`` (somebody else
changes the row just before our write). Kinds of the Intacct stand-in are listed with its gateway.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GENERIC_KINDS = (
    "latency",
    "throttle",
    "unavailable",
    "server_error",
    "cut_before",
    "cut_after",
    "delay_after",
    "truncate",
    "wrong_charset",
    "garbage",
)
_LASTING = ("repeat_forever",)
_RESERVED = {"id", "app", "kind", "times", "after", "match", "seconds", "fired"}


class FaultError(ValueError):
    """A fault order that cannot be understood; the sentence says which field and what is allowed."""


@dataclass
class Fault:
    """One switched-on fault.

    ``app`` is the stand-in's name or ``*``; ``times`` how often it strikes (None: until removed); ``after`` how many
    matching requests pass unharmed first; ``match`` a substring of the request's path, query or body (None: any);
    ``seconds`` and ``options`` belong to the kind; ``fired`` counts the strikes so far.
    """

    app: str
    kind: str
    times: int | None = 1
    after: int = 0
    match: str | None = None
    seconds: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, order: Mapping[str, Any]) -> Fault:
        """Read a fault from its JSON form; unknown keys become ``options``. Raises :class:`FaultError`."""
        app, kind = order.get("app", "*"), order.get("kind")
        if not isinstance(app, str) or not isinstance(kind, str) or not kind:
            raise FaultError('A fault needs "kind" (text) and may name "app" (text); see the list of kinds.')
        times, after, match, seconds = (
            order.get("times", None if kind in _LASTING else 1),
            order.get("after", 0),
            order.get("match"),
            order.get("seconds"),
        )
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise FaultError('"times" of a fault is a whole number from 1, or null for "until removed".')
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise FaultError('"after" of a fault is a whole number from 0.')
        if match is not None and not isinstance(match, str):
            raise FaultError('"match" of a fault is text, or null for every request.')
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0
        ):
            raise FaultError('"seconds" of a fault is a number from 0.')
        options = {key: value for key, value in order.items() if key not in _RESERVED}
        return cls(app, kind, times, after, match, seconds, options)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form, as the control door shows it."""
        return {
            "id": self.id,
            "app": self.app,
            "kind": self.kind,
            "times": self.times,
            "after": self.after,
            "match": self.match,
            "seconds": self.seconds,
            "fired": self.fired,
            **self.options,
        }


class FaultBoard:
    """All faults switched on; shared by every server thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._next_id = 1

    def __bool__(self) -> bool:
        """True while any fault is on the board: lets the common path skip every look-up."""
        return bool(self._faults)

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Switch a fault on; raises :class:`FaultError` when the order is malformed."""
        fault = Fault.parse(order)
        with self._lock:
            fault.id = self._next_id
            self._next_id += 1
            self._faults.append(fault)
        return fault

    def take(self, app: str, kind: str, text: str = "") -> Fault | None:
        """The first fault of this kind that strikes a request with this text, counted as one strike; else None."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind != kind or fault.app not in ("*", app):
                    continue
                if fault.match is not None and fault.match not in text:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.fired += 1
                if fault.times is not None and fault.fired >= fault.times:
                    self._faults.remove(fault)
                return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """Every fault still on the board, oldest first."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def clear(self, fault_id: int | None = None) -> int:
        """Take one fault off by id, or all of them; returns how many were removed."""
        with self._lock:
            before = len(self._faults)
            self._faults = [] if fault_id is None else [f for f in self._faults if f.id != fault_id]
            return before - len(self._faults)
