"""Writing to a Clarity shop as its profile says: statuses, tracking numbers, prices and quantities, each absolute and read first.

No reference of Clarity eCommerce's interface is public: paths, bodies and where the value stands in the answer are the profile's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tieout.connectors.http import Reply
from tieout.connectors.json_lists import MEMBERS, UNREADABLE, at_path, member
from tieout.connectors.storefronts.clarity_profile import Profile, WriteRule
from tieout.connectors.storefronts.writes import (
    count_of,
    decimal_of,
    members_of,
    refused,
    set_stock,
    set_value,
)
from tieout.connectors.writes import (
    UNCHANGED,
    UNSUPPORTED,
    WRITTEN,
    OrderStatus,
    Price,
    Shipment,
    StockChange,
    StockWrite,
    Write,
    WriteResult,
    answered,
)
from tieout.errors import MalformedReply, Rejected

_HOLE: Final = re.compile(r"\{(\w+)\}")


class Writer:
    """Writes one record after the other; `send` signs a request and sends it."""

    def __init__(self, profile: Profile, send: Callable[..., Reply]) -> None:
        self._profile, self._send = profile, send

    def cannot_write(self) -> Mapping[str, str]:
        """Fields the profile names no way to write, with the sentence why."""
        names = {"price": "price", "status": "order.status", "tracking": "order.shipment"}
        said = {
            field: f"The Clarity profile {self._profile.profile.name} has no [writes.{rule}]."
            for rule, field in names.items()
            if rule not in self._profile.writes
        }
        for field in ("order.document", "order.paid_state", "customer.account"):
            said[field] = "No interface of Clarity for it is known, and the profile names none."
        return said

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        writers = {OrderStatus.field: self._status, Shipment.field: self._tracking, Price.field: self._price}
        cannot = self.cannot_write()
        yield from answered(
            writes, {name: one for name, one in writers.items() if name not in cannot}, cannot
        )

    def _status(self, write: Write) -> WriteResult:
        assert isinstance(write, OrderStatus)
        rule = self._profile.writes["status"]
        word = rule.words.get(write.status_code)
        if word is None:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail=f"The profile's [writes.status] has no word for '{write.status_code}'.",
            )
        return self._absolute(write, rule, {"order": write.order_ref, "status": word}, word)

    def _price(self, write: Write) -> WriteResult:
        assert isinstance(write, Price)
        rule = self._profile.writes["price"]
        if write.level is not None and "{level}" not in str(rule.body) + rule.path:
            return WriteResult(
                write, UNSUPPORTED, detail="The profile's [writes.price] has no place for a customer level."
            )
        values = {
            "sku": write.sku,
            "amount": f"{write.amount:f}",
            "currency": write.currency,
            "level": write.level or "",
        }
        return self._absolute(write, rule, values, write.amount)

    def _tracking(self, write: Write) -> WriteResult:
        """A shipment's carrier and number are put on the order; one that is there already is not sent again."""
        assert isinstance(write, Shipment)
        rule = self._profile.writes["tracking"]
        if not write.tracking_number:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail="Clarity is told of a shipment by its tracking number, and this one has none.",
            )
        values = {
            "order": write.order_ref, "carrier": write.carrier or "", "number": write.tracking_number, "shipment": write.shipment_ref,
        }  # fmt: skip
        before = self._value(rule, values, f"order {write.order_ref}")
        if before is not None and _says(before, write.tracking_number):
            return WriteResult(write, UNCHANGED, write.tracking_number, write.tracking_number)
        after = self._sent(rule, values, f"order {write.order_ref}")
        if after is None or not _says(after, write.tracking_number):
            raise Rejected(
                f"Clarity's answer does not show the tracking number of order {write.order_ref}; read it back."
            )
        return WriteResult(write, WRITTEN, None, write.tracking_number)

    def _absolute(self, write: Write, rule: WriteRule, values: Mapping[str, Any], wanted: Any) -> WriteResult:
        what = f"{write.field} of {write.subject_ref}"
        return set_value(
            write,
            "Clarity",
            what,
            wanted,
            lambda: _plain(self._value(rule, values, what), wanted),
            lambda: _plain(self._sent(rule, values, what), wanted),
        )

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set quantities where they differ, one result per change, in order. No version is known, so each is read right before."""
        for change in changes:
            yield self._stock(change)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity the shop holds now, for each change in order; None where there is no such row."""
        rule = self._profile.writes.get("stock")
        for change in changes:
            try:
                yield (
                    None
                    if rule is None
                    else count_of(self._value(rule, _stock_values(change), f"the stock of {change.sku}"))
                )
            except Rejected:
                yield None

    def _stock(self, change: StockChange) -> StockWrite:
        rule = self._profile.writes.get("stock")
        what = f"the stock of {change.sku}"
        if rule is None:
            return refused(
                change, None, f"The Clarity profile {self._profile.profile.name} has no [writes.stock]."
            )
        values = _stock_values(change)
        return set_stock(
            change,
            "Clarity",
            lambda: count_of(self._value(rule, values, what)),
            lambda: count_of(self._sent(rule, values, what)),
        )

    def _value(self, rule: WriteRule, values: Mapping[str, Any], what: str) -> msgspec.Raw | None:
        reply = self._send("GET", _route(rule.read, values), what, idempotent=True)
        return at_path(members_of(reply, what), rule.answer)

    def _sent(self, rule: WriteRule, values: Mapping[str, Any], what: str) -> msgspec.Raw | None:
        body = msgspec.json.encode(_filled(rule.body, values))
        reply = self._send(
            rule.method, _route(rule.path, values), what, data=body, idempotent=False, expect=_is_object
        )
        return at_path(members_of(reply, what), rule.answer)


def _stock_values(change: StockChange) -> dict[str, Any]:
    return {"sku": change.sku, "quantity": change.quantity, "location": change.channel_ref or ""}


def _route(template: str, values: Mapping[str, Any]) -> str:
    return _HOLE.sub(lambda hole: quote(str(values[hole[1]]), safe=""), template)


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    """A body with its placeholders filled; a text that is nothing but one becomes the value, and an empty one is left out."""
    if isinstance(part, str):
        whole = _HOLE.fullmatch(part)
        return values[whole[1]] if whole else _HOLE.sub(lambda hole: str(values[hole[1]]), part)
    if isinstance(part, Mapping):
        filled = {name: _filled(value, values) for name, value in part.items()}
        return {name: value for name, value in filled.items() if value != ""}
    return [_filled(value, values) for value in part] if isinstance(part, list) else part


def _plain(raw: msgspec.Raw | None, like: Any) -> Any:
    """A member as a decimal where one is compared with, else as text."""
    if raw is None:
        return None
    if isinstance(like, Decimal):
        return decimal_of(raw)
    found = member(raw)
    return None if found is None else str(found)


def _says(raw: msgspec.Raw, text: str) -> bool:
    """Whether a member is this text, or a list or object that holds it as one of its texts."""
    try:
        return _holds(msgspec.json.decode(raw), text)
    except UNREADABLE:
        return False


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, list):
        return any(_holds(part, text) for part in value)
    if isinstance(value, dict):
        return any(_holds(part, text) for part in value.values())
    return bool(value == text)


def _is_object(reply: Reply) -> None:
    try:
        MEMBERS.decode(reply.content)
    except UNREADABLE:
        raise MalformedReply("the answer is not a JSON object") from None
