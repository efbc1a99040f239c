"""What is alike where a platform has no versions: a value is read right before it is written, and the answer is held against it.

A quantity written can undo a sale made between reading and writing, which is why the difference stands in the result. Where an answer was
lost, the value is read back and decided again, a stated number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from tieout.connectors.http import Reply
from tieout.connectors.json_lists import MEMBERS, UNREADABLE
from tieout.connectors.writes import (
    REFUSED,
    UNCHANGED,
    WRITTEN,
    StockChange,
    StockWrite,
    Write,
    WriteResult,
)
from tieout.errors import MalformedReply, OutcomeUnknown, Rejected

ROUNDS = 5
"""How often a write whose answer was lost is read back and decided again."""


def set_stock(
    change: StockChange,
    shop: str,
    read: Callable[[], int | None],
    put: Callable[[], int | None],
    *,
    is_own: Callable[[], bool] = lambda: True,
) -> StockWrite:
    """Set one quantity where it differs. `before` is what the shop held right before the write that counts.

    `shop` is the platform's name for people; `read` and `put` give the quantity the shop says it holds. `is_own` tells, after a read,
    whether the figure is the row's own: one that is borrowed is written although it is equal. Single records are refused in the result;
    raises Refused, Throttled and Unreachable, which end the whole run.
    """
    what = f"the stock of {change.sku}"
    first: int | None = None
    is_lost = False
    try:
        for _ in range(ROUNDS):
            now = read()
            first = now if first is None else first
            if now == change.quantity and is_own():
                said = "an answer was lost; the row was read back and holds the quantity" if is_lost else ""
                outcome = WRITTEN if is_lost else UNCHANGED
                return StockWrite(change.sku, change.channel_ref, first, now, None, outcome, said)
            try:
                after = put()
            except OutcomeUnknown:
                is_lost = True
                continue
            if after != change.quantity:
                said = f"{shop} answered with {after} for {change.sku} and was sent {change.quantity}; read it back."
                return refused(change, after, said)
            return StockWrite(change.sku, change.channel_ref, now, after, None, WRITTEN)
    except (Rejected, MalformedReply) as fault:
        return refused(change, first, fault.sentence)
    return refused(change, first, f"No answer about {what} came in {ROUNDS} tries.")


def refused(change: StockChange, held: int | None, detail: str) -> StockWrite:
    """One quantity that was not written, and why."""
    return StockWrite(change.sku, change.channel_ref, held, held, None, REFUSED, detail)


def set_value(
    write: Write, shop: str, what: str, wanted: Any, read: Callable[[], Any], put: Callable[[], Any]
) -> WriteResult:
    """Set one value where it differs; raises Rejected where the answer shows another one."""
    before = read()
    if before == wanted:
        return WriteResult(write, UNCHANGED, str(before), str(before))
    after = put()
    if after != wanted:
        raise Rejected(f"{shop} answered with {after} for {what} and was sent {wanted}; read it back.")
    return WriteResult(write, WRITTEN, None if before is None else str(before), str(after))


def decimal_of(raw: msgspec.Raw | None) -> Decimal | None:
    """A member that is a number, or a text that holds one, to the last digit; None for anything else."""
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Decimal)
    except UNREADABLE:
        return None


def count_of(raw: msgspec.Raw | None) -> int | None:
    """A member that is a whole number, however it is written; None for anything else."""
    found = decimal_of(raw)
    if found is None or not found.is_finite() or found != found.to_integral_value():
        return None
    return int(found)


def members_of(reply: Reply, what: str) -> dict[str, msgspec.Raw]:
    """The members of a reply that must be an object. Raises MalformedReply."""
    try:
        return MEMBERS.decode(reply.content)
    except UNREADABLE:
        raise MalformedReply(f"The reply to {what} is not a JSON object; run it again later.") from None
