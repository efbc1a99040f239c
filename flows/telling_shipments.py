"""Shipments of the ledger on their way to the storefronts: placed on orders, published with what could not be placed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from tieout.connectors.writes import Shipment, ShippedLine
from transforms import shipments_told as telling
from transforms.writeback import SETTLED

if TYPE_CHECKING:
    from flows.wiring import House


def planned_shipments(house: House, fronts: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows to be written (transforms.writeback.PLANNED_SCHEMA) and where every shipment was placed. `fronts` are told of shipments."""
    with house.warehouse.read() as session:
        of_fronts = pl.DataFrame({"storefront": list(fronts)})
        orders, lines, shipped = (
            session.fetch(table, where=of_fronts, columns=list(columns))
            for table, columns in (
                ("core.orders", ("storefront", "order_ref", "order_number", "status_code")),
                (
                    "core.order_lines",
                    ("storefront", "order_ref", "line_ref", "line_no", "kind_code", "sku", "quantity"),
                ),
                ("core.shipments", ("storefront", "order_ref", "line_ref", "quantity")),
            )
        )
        shipments = session.fetch("core.ledger_shipments")
        leaving = session.fetch("core.ledger_shipment_lines")
        writes = session.fetch("ops.writes", where={"field": telling.FIELD}, columns=["outcome", "value"])
    told = (
        writes.filter(pl.col("outcome").is_in(SETTLED))
        .select(pl.col("value").str.json_path_match("$.document_ref"))
        .to_series()
        .drop_nulls()
        .unique()
    )
    placed, parts = telling.placements(
        shipments,
        leaving,
        orders,
        lines,
        shipped,
        house.mappings["items"],
        fronts=fronts,
        told=told.to_list(),
    )
    return telling.shipments_told(placed, parts), placed


def publish_placed(house: House, run_id: str, placed: pl.DataFrame) -> None:
    """Keep where every shipment of the ledger was placed, for `report.ledger_shipments`."""
    table = ALL["out.ledger_shipments"]
    frame = table.checked(
        table.shaped(placed.with_columns(run_id=pl.lit(run_id))), at="when placing shipments of the ledger"
    )
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(table.name, frame, key=table.key, mode="replace")


def as_shipment(row: Mapping[str, Any], value: Mapping[str, Any]) -> Shipment:
    """A planned row as the value a courier takes."""
    day = value["shipped_on"]
    return Shipment(
        key=value["shipment_key"],
        order_ref=row["subject_ref"],
        order_number=row["order_number"],
        shipment_ref=value["shipment_ref"],
        lines=tuple(ShippedLine(one["line_ref"], Decimal(one["quantity"])) for one in value["lines"]),
        carrier=value["carrier"],
        tracking_number=value["tracking_number"],
        shipped_at=datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None,
        is_whole=value["is_whole"],
    )
