"""Writing back: what the ledger owns and the storefronts read, by change only, each write recorded. Fields the configuration gives to the
storefront are never written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.telling_shipments import as_shipment, planned_shipments, publish_placed
from tieout.connectors.writes import (
    CustomerAccount,
    LedgerDocument,
    LedgerDocuments,
    OrderStatus,
    PaidState,
    Price,
    Write,
)
from tieout.errors import ConnectorError, InputError, Refused
from tieout.warehouse.locking import AdvisoryLock
from transforms import writeback
from transforms.intacct import documents as intacct
from transforms.intacct.price_lists import prices_on

if TYPE_CHECKING:
    from flows.wiring import House

_OF_WRITES = ("run_id", "storefront", "field", "key", "content_sha256", "outcome", "at")
CHUNK = 100
"""Writes recorded at a time: what a crash may forget. Forgotten writes are read and found unchanged by the next run."""


def write_back(house: House, *, run_id: str) -> dict[str, Any]:
    """Plan what each storefront should show and write what changed. A storefront that is down is told and does not stop the others."""
    installation = house.settings.installation
    turn = AdvisoryLock(house.warehouse.folder / "writeback.lock", seconds=installation.lock_seconds)
    with turn.hold(run_id=run_id, exclusive=True):
        return _written(house, run_id, plan_writes(house, run_id=run_id))


def wanted_fields(house: House) -> dict[str, tuple[str, ...]]:
    """Fields to be written by storefront. Raises `InputError` for a field whose owner is the storefront."""
    found = {}
    for name, front in house.settings.storefronts.items():
        fields = tuple(getattr(front, "writes_back", ()))
        for field in fields:
            refuse_unless_owned(house, name, field)
        if fields:
            found[name] = fields
    return found


def refuse_unless_owned(house: House, name: str, field: str) -> None:
    """Raises `InputError` unless [ownership] gives the field to Intacct."""
    owner = house.settings.owner(field)
    if owner != "intacct":
        raise InputError(
            f"{field} belongs to the storefront by [ownership], so nothing is written to it at {name}; "
            f"take it out of writes_back, or give it to intacct."
        )


def plan_writes(house: House, *, run_id: str | None = None) -> pl.DataFrame:
    """What is to be written, by change only (transforms.writeback.PLANNED_SCHEMA). A run keeps where it placed the ledger's shipments."""
    fields = wanted_fields(house)
    if not fields:
        return writeback.together({})
    with house.warehouse.read() as session:
        documents = session.fetch("out.documents")
        outbox = session.fetch("ops.outbox", columns=["document_id", "state_code", "intacct_key"])
        of_orders = writeback.order_documents(
            documents, session.fetch("out.document_orders"), outbox, session.fetch("ops.found")
        )
        orders = session.fetch(
            "core.orders", columns=["storefront", "order_ref", "order_number", "total_minor", "status_code"]
        )
        invoices, adjustments = session.fetch("core.ar_invoices"), session.fetch("core.ar_adjustments")
        customers = intacct.intacct_customers(session.raw_changed("raw.intacct__customer"))
        owed = session.fetch("recon.owed")
        base, entries = session.fetch("core.prices"), session.fetch("core.price_list_entries")
        listed = session.fetch("core.stock", columns=["source", "sku"])
        writes = session.fetch("ops.writes", columns=_OF_WRITES)
    paid = writeback.paid_states(of_orders, invoices, adjustments, orders)
    recognised = (
        owed.filter(pl.col("event_code") == "sale")
        .group_by("storefront", "order_ref")
        .agg(recognised_minor=pl.col("total_minor").sum())
    )
    fronts = listed.filter(pl.col("source") != "intacct").select("sku", storefront="source")
    parts = {
        "order.document": writeback.documents_noted(of_orders, orders),
        "order.paid_state": paid,
        "order.status": writeback.order_statuses(paid, recognised, orders),
        "price": writeback.prices_told(
            prices_on(house.clock().date(), base, entries),
            house.mappings["price_lists"],
            fronts,
            house.mappings["items"],
        ),
        "customer.account": writeback.accounts_told(documents, outbox, customers),
    }
    shipping = [name for name, some in fields.items() if "order.shipment" in some]
    if shipping:
        parts["order.shipment"], placed = planned_shipments(house, shipping)
        if run_id is not None:
            publish_placed(house, run_id, placed)
    pairs = pl.DataFrame(
        [(name, field) for name, some in fields.items() for field in some],
        schema={"storefront": pl.String, "field": pl.String},
        orient="row",
    )
    every = writeback.together(parts).join(
        pairs, on=["storefront", "field"], how="semi", maintain_order="left"
    )
    return writeback.changed(every, writes)


def _written(house: House, run_id: str, planned: pl.DataFrame) -> dict[str, Any]:
    with house.warehouse.read() as session:
        writes = session.fetch("ops.writes", columns=_OF_WRITES)
    counts = dict.fromkeys(("planned", "written", "unchanged", "refused", "unsupported"), 0)
    errors: list[str] = []
    unsupported: dict[str, str] = {}
    code = 0
    for (name,), block in planned.group_by("storefront", maintain_order=True):
        try:
            courier = house.storefront(str(name))
            # What a platform has no place for is said once; it is tried again when that changes, by its settings for example.
            cannot = list(courier.cannot_write())
            said = writeback.told_before(block, writes).filter(pl.col("field").is_in(cannot))
            left = block.join(said, on=["field", "key"], how="anti", maintain_order="left")
            counts["planned"] += left.height
            for row in _answers(house, run_id, str(name), courier, left):
                counts[row["outcome"]] += 1
                if row["outcome"] == writeback.UNSUPPORTED:
                    unsupported[f"{name} {row['field']}"] = row["detail"]
        except (ConnectorError, Refused, InputError) as fault:
            errors.append(f"{name}: {fault}")
            code = max(code, fault.exit_code)
    told = [f"{where}: {why}" for where, why in sorted(unsupported.items())]
    return {**counts, "cannot": told, "errors": errors, "exit_code": code}


def _answers(
    house: House, run_id: str, name: str, courier: Any, block: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    rows = block.to_dicts()
    done: list[dict[str, Any]] = []
    try:
        for number, (row, result) in enumerate(
            zip(rows, courier.write(as_write(row) for row in rows), strict=True), start=1
        ):
            done.append(
                {
                    "run_id": run_id,
                    **{
                        one: row[one] for one in ("storefront", "field", "key", "subject_ref", "order_number")
                    },
                    "value": row["value"],
                    "content_sha256": row["content_sha256"],
                    "outcome": result.outcome,
                    "before": result.before,
                    "after": result.after,
                    "detail": result.detail or None,
                    "at": house.clock(),
                }
            )
            house.progress(f"writing back to {name}", number, len(rows))
            yield done[-1]
            if len(done) >= CHUNK:
                _record(house, run_id, done)
                done = []
    finally:
        _record(house, run_id, done)


def _record(house: House, run_id: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = ALL["ops.writes"]
    frame = pl.DataFrame(rows, schema=table.polars_schema)
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(
            table.name, table.checked(frame, at="when writing back"), key=table.key, mode="append"
        )


def as_write(row: Mapping[str, Any]) -> Write:
    """A planned row as the value a courier takes. Raises `KeyError` for a field outside the list."""
    return _WRITES[row["field"]](row, json.loads(row["value"]))


def _of_order(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": row["key"], "order_ref": row["subject_ref"], "order_number": row["order_number"]}


def _day(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _documents(row: Mapping[str, Any], value: Mapping[str, Any]) -> Write:
    documents = tuple(
        LedgerDocument(one["kind"], one["number"], one["ledger_key"], _day(one["posted_on"]))
        for one in value["documents"]
    )
    return LedgerDocuments(**_of_order(row), documents=documents)


_WRITES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Write]] = {
    "order.document": _documents,
    "order.paid_state": lambda row, value: PaidState(**_of_order(row), state=value["state"]),
    "order.status": lambda row, value: OrderStatus(**_of_order(row), status_code=value["status_code"]),
    "order.shipment": as_shipment,
    "price": lambda row, value: Price(
        key=row["key"],
        sku=value["sku"],
        currency=value["currency"],
        amount=Decimal(value["amount"]),
        level=value["level"],
    ),
    "customer.account": lambda row, value: CustomerAccount(
        key=row["key"], customer_ref=row["subject_ref"], customer_id=value["customer_id"]
    ),
}
