"""Stock: available to web per item and location, published to the storefronts by change only, each write recorded and a sample read back."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.check import judged
from tieout.errors import ConnectorError, InputError, Refused, Stopped
from tieout.warehouse.locking import AdvisoryLock
from transforms.stock.available import StockPolicy, WebStock, web_stock
from transforms.stock.pending import pending_by_sku, pending_lines

if TYPE_CHECKING:
    from flows.wiring import House


def publish_stock(house: House, *, run_id: str) -> dict[str, Any]:
    """Work out what each storefront may sell and write what changed. A storefront that is down is told and does not stop the others.

    Two runs at once take turns, so that an older figure never overwrites a newer one; the second finds nothing left to write.
    """
    installation = house.settings.installation
    turn = AdvisoryLock(house.warehouse.folder / "stock.lock", seconds=installation.lock_seconds)
    with turn.hold(run_id=run_id, exclusive=True):
        return _published(house, run_id)


def worked_out(house: House, *, run_id: str) -> WebStock:
    """out.web_stock and its parts as of now, checked against their contracts and stored nowhere."""
    with house.warehouse.read() as session:
        stock = session.fetch("core.stock")
        orders = session.fetch("core.orders", columns=["storefront", "order_ref", "status_code", "is_test"])
        lines = session.fetch(
            "core.order_lines",
            columns=["storefront", "order_ref", "line_ref", "kind_code", "sku", "quantity"],
        )
        shipments = session.fetch("core.shipments")
    found = web_stock(
        stock.filter(pl.col("source") == "intacct"),
        stock.filter(pl.col("source") != "intacct"),
        house.mappings["warehouses"],
        house.mappings["buffers"],
        stock_policy(house),
        as_of=house.clock(),
        run_id=run_id,
        items=house.mappings["items"],
        kits=house.mappings["kits"],
        shares=house.mappings["stock_shares"],
        pending=pending_by_sku(pending_lines(orders, lines, shipments)),
    )
    rows, parts = (
        ALL[name].checked(ALL[name].shaped(frame), at="when computing stock")
        for name, frame in (("out.web_stock", found.rows), ("out.web_stock_parts", found.parts))
    )
    return WebStock(rows, parts)


def stock_policy(house: House) -> StockPolicy:
    """The [stock] section as a policy."""
    rules = house.settings.stock
    return StockPolicy(
        percent=rules.buffer_percent,
        oldest=timedelta(minutes=rules.oldest_minutes),
        stale="stop" if rules.when_too_old == "stop" else "raise_buffer",
        stale_percent=rules.raised_buffer_percent,
        allocated_includes_web=rules.allocated_includes_web,
    )


def _published(house: House, run_id: str) -> dict[str, Any]:
    found = worked_out(house, run_id=run_id)
    findings = judged(house, run_id, {"web_stock": found.rows}, module="stock")
    with house.warehouse.write(run_id=run_id) as session:
        for name, frame in (("out.web_stock", found.rows), ("out.web_stock_parts", found.parts)):
            session.publish(name, frame, key=ALL[name].key, mode="replace")
        if findings.height:
            ledger = ALL["ops.findings"]
            session.publish(
                "ops.findings",
                ledger.checked(findings, at="when computing stock"),
                key=ledger.key,
                mode="merge",
            )
    stops = findings.filter(pl.col("severity") == "stop")
    if stops.height:
        raise Stopped(f"No stock was published: {stops['sentence'][0]}")
    writes: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    errors: list[str] = []
    code = 0
    for (name,), block in found.rows.group_by("storefront", maintain_order=True):
        front = house.settings.storefronts.get(str(name))
        if front is None or not front.writes_stock:
            continue
        try:
            courier: Any = house.storefront(str(name))
            written = _write(house, run_id, str(name), courier, block.filter(pl.col("is_changed")))
            writes += written
            seen += _read_back(house, run_id, str(name), courier, block, written)
        except (ConnectorError, Refused, InputError) as fault:
            errors.append(f"{name}: {fault}")
            code = max(code, fault.exit_code)
    _record(house, run_id, "ops.stock_writes", writes)
    _record(house, run_id, "ops.stock_checks", seen)
    outcomes = [one["outcome"] for one in writes]
    drifted = [one for one in seen if one["found_qty"] != one["expected_qty"]]
    return {
        "computed": found.rows.height,
        "changed": found.rows.filter(pl.col("is_changed")).height,
        "published": outcomes.count("written"),
        "unchanged": outcomes.count("unchanged"),
        "refused": outcomes.count("refused"),
        "held": found.rows.filter(pl.col("hold_reason").is_not_null()).height,
        "read_back": len(seen),
        "drifted": len(drifted),
        "errors": errors,
        "exit_code": code,
    }


def _write(house: House, run_id: str, name: str, courier: Any, block: pl.DataFrame) -> list[dict[str, Any]]:
    rows = block.to_dicts()
    updates = house.kind(name).write_stock(courier, rows)
    if updates is None:
        raise InputError(f"{name} cannot take stock; set writes_stock = false for it in tieout.toml.")
    done = []
    for number, update in enumerate(updates, start=1):
        done.append(
            {
                "run_id": run_id,
                "storefront": name,
                "sku": update.sku,
                "location_ref": update.location_ref,
                "before_qty": update.before_qty,
                "after_qty": update.after_qty,
                "outcome": update.outcome,
                "detail": update.detail or None,
                "at": house.clock(),
            }
        )
        house.progress(f"publishing stock to {name}", number, len(rows))
    return done


def _read_back(
    house: House, run_id: str, name: str, courier: Any, block: pl.DataFrame, written: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A sample of rows as the storefront shows them now, beside what they should be: half of what was just written, half of the rest.

    Which rows is decided by a hash of run and row, so every row has its turn and a rerun looks at the same ones.
    """
    size = house.settings.stock.read_back_sample
    if not size:
        return []
    done = {(one["sku"], one["location_ref"]): one for one in written if one["outcome"] != "refused"}
    rows = [
        row
        for row in block.filter(pl.col("hold_reason").is_null()).iter_rows(named=True)
        if not row["is_changed"] or (row["sku"], row["location_ref"]) in done
    ]
    rows.sort(
        key=lambda row: hashlib.sha256(f"{run_id}|{row['sku']}|{row['location_ref']}".encode()).digest()
    )
    fresh = [row for row in rows if row["is_changed"]]
    rest = [row for row in rows if not row["is_changed"]]
    half = min(len(fresh), max(size - len(rest), (size + 1) // 2))
    chosen = [*fresh[:half], *rest[: size - half]]
    found = house.kind(name).read_stock(courier, chosen)
    if found is None:
        return []
    return [
        {
            "run_id": run_id,
            "storefront": name,
            "sku": row["sku"],
            "location_ref": row["location_ref"],
            "expected_qty": row["publish_qty"],
            "found_qty": there,
            "at": house.clock(),
        }
        for row, there in zip(chosen, found, strict=True)
    ]


def _record(house: House, run_id: str, name: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = ALL[name]
    frame = pl.DataFrame(rows, schema=table.polars_schema)
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(name, table.checked(frame, at="at publish"), key=table.key, mode="append")
