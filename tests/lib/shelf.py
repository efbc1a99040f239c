"""A house with stock on both sides and a storefront of memory: for tests of what is published, without any server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from checks.contracts import ALL, landing
from flows.wiring import House
from tieout.connectors.writes import (
    REFUSED,
    UNCHANGED,
    WRITTEN,
    StockChange,
    StockWrite,
    Write,
    WriteResult,
    answered,
)
from tieout.errors import Rejected, Unreachable
from tieout.settings import parse

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


@dataclass
class Memory:
    """A storefront that keeps absolute values and counts what is asked of it."""

    stock: dict[tuple[str, str], int] = field(default_factory=dict)
    values: dict[tuple[str, str, str], str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    is_down: bool = False
    calls: int = 0

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        for change in changes:
            self._called()
            key = (change.sku, change.channel_ref or "")
            before = self.stock.get(key)
            if change.sku in self.refuses:
                yield StockWrite(change.sku, change.channel_ref, before, before, None, REFUSED, "not taken")
            elif before == change.quantity:
                yield StockWrite(change.sku, change.channel_ref, before, before, None, UNCHANGED)
            else:
                self.stock[key] = change.quantity
                yield StockWrite(change.sku, change.channel_ref, before, change.quantity, None, WRITTEN)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        for change in changes:
            yield self.stock.get((change.sku, change.channel_ref or ""))

    def cannot_write(self) -> Mapping[str, str]:
        return self.unsupported

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        fields = (
            "order.document",
            "order.paid_state",
            "order.status",
            "order.shipment",
            "price",
            "customer.account",
        )
        yield from answered(writes, dict.fromkeys(fields, self._one), self.unsupported)

    def _one(self, write: Write) -> WriteResult:
        self._called()
        if write.subject_ref in self.refuses:
            raise Rejected("not taken")
        text = repr(write)
        key = (write.field, write.subject_ref, write.key)
        before = self.values.get(key)
        self.values[key] = text
        return WriteResult(write, UNCHANGED if before == text else WRITTEN, before, text)

    def _called(self) -> None:
        self.calls += 1
        if self.is_down:
            raise Unreachable("the shop is down; try again later.")


@dataclass
class ShelfHouse(House):
    """A house whose storefronts are `Memory`."""

    fronts: dict[str, Memory] = field(default_factory=dict)

    def storefront(self, name: str) -> Any:
        return self.fronts[name]

    def put(self, table: str, frame: pl.DataFrame, mode: str = "replace") -> None:
        """Make a table of the warehouse hold exactly this (or more, with `append`)."""
        contract = ALL[table]
        with self.warehouse.write(run_id="test") as session:
            session.publish(
                table, contract.checked(contract.shaped(frame), at="in a test"), key=contract.key, mode=mode
            )  # type: ignore[arg-type]

    def customers(self, *ids: str, inactive: tuple[str, ...] = ()) -> None:
        """Customers the ledger was last read to hold."""
        rows = [
            {
                "source": "intacct", "subject": "CUSTOMER", "native_ref": one, "version_no": None, "updated_at": NOW,
                "payload": json.dumps({"RECORDNO": one, "CUSTOMERID": one, "NAME": one, "STATUS": "inactive" if one in inactive else "active"}),
                "payload_sha256": one, "problem": None, "fetched_at": NOW, "run_id": "test", "landing_no": 1,
            }
            for one in ids
        ]  # fmt: skip
        contract = landing("intacct", "CUSTOMER")
        frame = contract.checked(pl.DataFrame(rows, schema=contract.polars_schema), at="in a test")
        with self.warehouse.write(run_id="test") as session:
            session.publish(contract.name, frame, key=contract.key, mode="append")

    def table(self, name: str) -> pl.DataFrame:
        """What the warehouse holds."""
        with self.warehouse.read() as session:
            return session.fetch(name)


def shelf_house(
    folder: Path,
    *,
    fronts: tuple[str, ...] = ("shop",),
    front: Mapping[str, Any] | None = None,
    mappings: Mapping[str, pl.DataFrame] | None = None,
    **sections: Any,
) -> ShelfHouse:
    """An empty house with storefronts of memory that take stock; `mappings` replace empty ones, `sections` are parts of tieout.toml."""
    given = {
        "kind": "commercetools", "api_url": "https://api.example", "auth_url": "https://auth.example", "project_key": "p",
        "client_id": "c", "client_secret": "env:SECRET", "writes_stock": True,
        **(front or {}),
    }  # fmt: skip
    settings = parse({"storefronts": dict.fromkeys(fronts, given), **sections}, folder=folder)
    moments = iter(NOW + timedelta(milliseconds=n) for n in range(1_000_000))
    house = ShelfHouse(settings=settings, environment={}, clock=lambda: next(moments))
    house.fronts = {name: Memory() for name in fronts}
    empty = {
        name.removeprefix("mappings."): ALL[name].empty() for name in ALL if name.startswith("mappings.")
    }
    house.__dict__["mappings"] = {**empty, **(mappings or {})}
    return house
