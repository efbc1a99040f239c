"""Writing quantities of source items: absolute, many rows a call, read before and after because nothing carries a version.

Source of outside facts: Magento web API documentation, Manage source items, Bulk endpoints, Operation status. The last writer wins, so
a row is read right before it is written, and read back after: what the shop holds then is what is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol

from tieout.connectors.writes import REFUSED, UNCHANGED, WRITTEN, StockChange, StockWrite
from tieout.errors import MalformedReply, OutcomeUnknown, Rejected

DONE, TRY_AGAIN, CHANGE_SOMETHING, OPEN, REJECTED = 1, 2, 3, 4, 5
"""Status of an asynchronous operation."""

_ROUNDS = 3
_SOURCE = "default"
"""The source every shop has."""


class _Shop(Protocol):
    def get_json(self, path: str, query: Sequence[tuple[str, str]], what: str) -> Any: ...

    def send_json(self, method: str, path: str, body: Any, what: str, *, bulk: bool = False) -> Any: ...


Row = tuple[str, str]
"""SKU and source."""


class SourceItems:
    """The source items of one shop. `batch` is how many rows a synchronous call carries: a shop may cap it at 20."""

    def __init__(
        self,
        shop: _Shop,
        *,
        batch: int,
        bulk: bool,
        wait_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shop, self._batch, self._bulk, self._wait, self._sleep = shop, batch, bulk, wait_seconds, sleep

    def read(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The whole quantity each row holds now, in order; None where there is no row."""
        for block in _blocks(changes, self._batch):
            now = self._now(block)
            yield from (_whole(now.get(_row(one))) for one in block)

    def write(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """One result per change, in order. A block the shop refuses is written row by row, so that one bad SKU costs only itself."""
        for block in _blocks(changes, self._batch):
            before = self._now(block)
            wanted = [one for one in block if before.get(_row(one)) != one.quantity]
            refused = self._written(wanted, before) if wanted else {}
            after = self._now(wanted) if wanted else {}
            for one in block:
                yield _told(one, before, after, refused, is_wanted=one in wanted)

    def _now(self, block: Sequence[StockChange]) -> dict[Row, Decimal]:
        rows = sorted({_row(one) for one in block})
        skus = sorted({sku for sku, _ in rows})
        query = [
            ("searchCriteria[filter_groups][0][filters][0][field]", "sku"),
            ("searchCriteria[filter_groups][0][filters][0][value]", ",".join(skus)),
            ("searchCriteria[filter_groups][0][filters][0][condition_type]", "in"),
        ]
        # A list of values is split at commas, so a SKU that holds one is asked for alone.
        if any("," in sku for sku in skus) and len(skus) > 1:
            found: dict[Row, Decimal] = {}
            for sku in skus:
                found |= self._now([one for one in block if one.sku == sku])
            return found
        if len(skus) == 1:
            query[1], query[2] = (query[1][0], skus[0]), (query[2][0], "eq")
        held: dict[Row, Decimal] = {}
        page_no, seen = 0, 0
        while True:
            page_no += 1
            paged = [
                *query,
                ("searchCriteria[pageSize]", "100"),
                ("searchCriteria[currentPage]", str(page_no)),
            ]
            answer = self._shop.get_json("inventory/source-items", paged, "the stock of some items")
            items, total = _listed(answer)
            fresh = {_key(one): _quantity(one) for one in items}
            size = len(held)
            held |= fresh
            seen += len(items)
            if seen >= total or not items or len(held) == size:
                return held

    def _written(self, wanted: Sequence[StockChange], before: Mapping[Row, Decimal]) -> dict[Row, str]:
        """Write rows; the reason for each that was refused. A lost answer is not repeated: the read-back decides."""
        items = [_item(one) for one in wanted]
        what = f"the stock of {len(items)} item(s)"
        try:
            if self._bulk:
                return self._in_bulk(wanted, items, what)
            self._shop.send_json("POST", "inventory/source-items", {"sourceItems": items}, what)
        except OutcomeUnknown:
            return {}
        except Rejected as fault:
            if len(wanted) == 1:
                return {_row(wanted[0]): fault.sentence}
            refused: dict[Row, str] = {}
            for one in wanted:
                refused |= self._written([one], before)
            return refused
        return {}

    def _in_bulk(
        self, wanted: Sequence[StockChange], items: Sequence[Mapping[str, Any]], what: str
    ) -> dict[Row, str]:
        """One operation a row, so that each has a status of its own."""
        answer = self._shop.send_json(
            "POST", "inventory/source-items", [{"sourceItems": [item]} for item in items], what, bulk=True
        )
        uuid = answer.get("bulk_uuid") if isinstance(answer, dict) else None
        if not isinstance(uuid, str):
            raise MalformedReply(
                f"The answer to {what} names no bulk_uuid; it may have been taken. Read back later."
            )
        said = {
            one.get("id"): str(one.get("error_message") or "rejected")
            for one in answer.get("request_items") or ()
            if isinstance(one, dict) and one.get("status") == "rejected"
        }
        refused = {_row(wanted[at]): said[at] for at in said if isinstance(at, int) and 0 <= at < len(wanted)}
        states = self._settled(uuid, what)
        for at, (status, message) in enumerate(states[: len(wanted)]):
            if status in (TRY_AGAIN, CHANGE_SOMETHING, REJECTED):
                refused.setdefault(_row(wanted[at]), message or f"the operation ended with status {status}")
            elif status == OPEN:
                refused.setdefault(
                    _row(wanted[at]),
                    f"still open after {self._wait:g} seconds (bulk {uuid}); check that the shop's queue consumers run",
                )
        return refused

    def _settled(self, uuid: str, what: str) -> list[tuple[int, str]]:
        """Status and message of every operation, once none is open or the wait is over. The shop's own order is that of the request."""
        waited, pause = 0.0, 0.5
        while True:
            answer = self._shop.get_json(f"bulk/{uuid}/status", [], f"the outcome of {what}")
            listed = answer.get("operations_list") if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise MalformedReply(f"The outcome of {what} lists no operations; read the stock back later.")
            operations = sorted(
                (one for one in listed if isinstance(one, dict)), key=lambda one: int(one.get("id") or 0)
            )
            states = [
                (int(one.get("status") or OPEN), str(one.get("result_message") or "")) for one in operations
            ]
            if all(status != OPEN for status, _ in states) or waited >= self._wait:
                return states
            self._sleep(pause)
            waited += pause
            pause = min(pause * 2, 10)


def _told(
    one: StockChange,
    before: Mapping[Row, Decimal],
    after: Mapping[Row, Decimal],
    refused: Mapping[Row, str],
    *,
    is_wanted: bool,
) -> StockWrite:
    row, held = _row(one), before.get(_row(one))
    if not is_wanted:
        return StockWrite(one.sku, one.channel_ref, _whole(held), _whole(held), None, UNCHANGED)
    now = after.get(row)
    if row not in refused and now == one.quantity:
        return StockWrite(one.sku, one.channel_ref, _whole(held), one.quantity, None, WRITTEN)
    reason = refused.get(row) or f"after the write the shop holds {now if now is not None else 'no row'}"
    return StockWrite(one.sku, one.channel_ref, _whole(held), _whole(now), None, REFUSED, reason)


def _blocks(changes: Iterable[StockChange], size: int) -> Iterator[list[StockChange]]:
    pending = iter(changes)
    while block := list(islice(pending, size)):
        yield block


def _row(one: StockChange) -> Row:
    return one.sku, one.channel_ref or _SOURCE


def _item(one: StockChange) -> dict[str, Any]:
    sku, source = _row(one)
    return {
        "sku": sku,
        "source_code": source,
        "quantity": one.quantity,
        "status": 1 if one.quantity > 0 else 0,
    }


def _listed(answer: Any) -> tuple[list[dict[str, Any]], int]:
    if not isinstance(answer, dict) or not isinstance(answer.get("total_count"), int):
        raise MalformedReply("The list of source items states no total_count; run it again later.")
    items = answer.get("items") or []
    return [one for one in items if isinstance(one, dict)], answer["total_count"]


def _key(item: Mapping[str, Any]) -> Row:
    return str(item.get("sku")), str(item.get("source_code"))


def _quantity(item: Mapping[str, Any]) -> Decimal:
    value = item.get("quantity")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MalformedReply(
            f"The quantity of {item.get('sku')} is {value!r}, not a number; run it again later."
        )
    return Decimal(value)


def _whole(value: Decimal | None) -> int | None:
    """Whole pieces on sale: a part of one is none."""
    return None if value is None else int(value.to_integral_value(rounding="ROUND_FLOOR"))
