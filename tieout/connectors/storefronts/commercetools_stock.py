"""Writing stock to commercetools: every write rests on the version it was decided on, and is decided again
when that moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tieout.connectors.writes import REFUSED, UNCHANGED, WRITTEN, StockChange, StockWrite
from tieout.errors import Conflict, OutcomeUnknown, Rejected

ROUNDS = 5
"""How often one change is decided anew before it is reported as refused."""


@dataclass(frozen=True)
class StockRow:
    """An inventory entry as the platform holds it now.

    `channel_id` is None for the entry without a supply channel.
    """

    native_ref: str
    version: int
    sku: str
    channel_id: str | None
    on_stock: int


Decision = Callable[[StockChange, StockRow], int | None]


def if_different(change: StockChange, row: StockRow) -> int | None:
    """The default decision: the planned quantity, if the row does not have it already."""
    return None if row.on_stock == change.quantity else change.quantity


class _Project(Protocol):
    def get_json(self, path: str, params: Sequence[tuple[str, str]], what: str) -> Any: ...

    def post_json(self, path: str, body: Mapping[str, Any], what: str) -> Any: ...


class StockWriter:
    """Sets quantities in one project. Sequential by design: one version, one decision, one write."""

    def __init__(self, project: _Project) -> None:
        self._project = project
        self._channels: dict[str, str] | None = None

    def write(self, changes: Iterable[StockChange], decide: Decision | None = None) -> Iterator[StockWrite]:
        """One result per change, in order.

        Raises Refused, Throttled and Unreachable, which end the whole run.
        """
        rule = decide or if_different
        for change in changes:
            yield self._apply(change, rule)

    def read(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity on stock of each change's row as it is now, in order; None where there is no such row or channel."""
        for change in changes:
            try:
                row = self._find(change, self._channel_id(change.channel_ref))
            except Rejected:
                row = None
            yield None if row is None else row.on_stock

    def _apply(self, change: StockChange, decide: Decision) -> StockWrite:
        try:
            channel_id = self._channel_id(change.channel_ref)
        except Rejected as error:
            return _refused(change, None, error.sentence)
        row = _as_planned(change, channel_id)
        first: StockRow | None = None
        known, looked = row is not None, False
        reason = ""
        for _ in range(ROUNDS):
            try:
                if not known:
                    row = self._find(change, channel_id)
                known = False
                if not looked:
                    first, looked = row, True
                if row is None:
                    created = self._create(change, channel_id)
                    return _written(change, None, created, reason)
                quantity = decide(change, row)
                if quantity is None or quantity == row.on_stock:
                    return self._settled(change, first, row, reason)
                return _written(change, row.on_stock, self._set(row, quantity), reason)
            except Conflict:
                reason = "somebody else changed the row first; read and decided again"
            except OutcomeUnknown:
                reason = "an answer was lost; the row was read back and decided again"
            except Rejected as error:
                if error.status == 404 or error.code == "DuplicateField":
                    reason = "the row appeared or disappeared meanwhile; read and decided again"
                    continue
                return _refused(change, row, error.sentence)
        return _refused(
            change, row, f"The row of {change.sku} kept changing: gave up after {ROUNDS} rounds ({reason})."
        )

    def _settled(self, change: StockChange, first: StockRow | None, row: StockRow, reason: str) -> StockWrite:
        """Nothing to do now: either nothing ever was, or our own write arrived although its answer did not."""
        arrived = "lost" in reason and (first is None or first.version != row.version)
        before = None if arrived and first is None else (first or row).on_stock
        return StockWrite(
            change.sku,
            change.channel_ref,
            before if arrived else row.on_stock,
            row.on_stock,
            row.version,
            WRITTEN if arrived else UNCHANGED,
            reason,
        )

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────

    def _set(self, row: StockRow, quantity: int) -> StockRow:
        action = {"action": "changeQuantity", "quantity": quantity}
        body = {"version": row.version, "actions": [action]}
        return _row(self._project.post_json(f"inventory/{row.native_ref}", body, f"the stock of {row.sku}"))

    def _create(self, change: StockChange, channel_id: str | None) -> StockRow:
        body: dict[str, Any] = {"sku": change.sku, "quantityOnStock": change.quantity}
        if channel_id is not None:
            body["supplyChannel"] = {"typeId": "channel", "id": channel_id}
        return _row(self._project.post_json("inventory", body, f"a stock row for {change.sku}"))

    def _find(self, change: StockChange, channel_id: str | None) -> StockRow | None:
        """The row of a SKU and channel as it is now.

        A SKU has one row per channel, so all of them fit one page.
        """
        escaped = change.sku.replace("\\", "\\\\").replace('"', '\\"')
        params = [("where", f'sku = "{escaped}"'), ("limit", "500"), ("withTotal", "false")]
        reply = self._project.get_json("inventory", params, f"the stock of {change.sku}")
        rows = [_row(entry) for entry in reply["results"]]
        return next((row for row in rows if row.sku == change.sku and row.channel_id == channel_id), None)

    def _channel_id(self, channel_ref: str | None) -> str | None:
        """The id of a channel given by id or by key; channels are read once."""
        if channel_ref is None:
            return None
        if self._channels is None:
            known: dict[str, str] = {}
            last: str | None = None
            while True:
                params = [("limit", "500"), ("withTotal", "false"), ("sort", "id asc")]
                if last is not None:
                    params.append(("where", f'id > "{last}"'))
                entries = self._project.get_json("channels", params, "the supply channels")["results"]
                # A project has a handful of channels, so a loop over them costs nothing.
                for entry in entries:
                    known[entry["id"]] = entry["id"]
                for entry in entries:
                    known.setdefault(entry.get("key") or entry["id"], entry["id"])
                if len(entries) < 500 or entries[-1]["id"] == last:
                    break
                last = entries[-1]["id"]
            self._channels = known
        try:
            return self._channels[channel_ref]
        except KeyError:
            raise Rejected(
                f"There is no supply channel {channel_ref!r} in commercetools; correct the location mapping.",
                code="no_channel",
            ) from None


def _as_planned(change: StockChange, channel_id: str | None) -> StockRow | None:
    """The row as the plan knew it; acting on it is safe because a stale version is refused with 409."""
    if change.native_ref is None or change.version is None or change.expected_on_stock is None:
        return None
    return StockRow(change.native_ref, change.version, change.sku, channel_id, change.expected_on_stock)


def _row(entry: Mapping[str, Any]) -> StockRow:
    try:
        channel = entry.get("supplyChannel")
        return StockRow(
            native_ref=str(entry["id"]),
            version=int(entry["version"]),
            sku=str(entry["sku"]),
            channel_id=None if channel is None else str(channel["id"]),
            on_stock=int(entry["quantityOnStock"]),
        )
    except (KeyError, TypeError, ValueError):
        raise Rejected(
            "commercetools sent an inventory entry without id, version, SKU or quantity; look at it in the Merchant Center.",
            code="unreadable_entry",
        ) from None


def _written(change: StockChange, before: int | None, row: StockRow, detail: str) -> StockWrite:
    return StockWrite(change.sku, change.channel_ref, before, row.on_stock, row.version, WRITTEN, detail)


def _refused(change: StockChange, row: StockRow | None, detail: str) -> StockWrite:
    seen = None if row is None else row.on_stock
    return StockWrite(
        change.sku, change.channel_ref, seen, seen, None if row is None else row.version, REFUSED, detail
    )
