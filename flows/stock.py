"""Stock: available to web per item and location, published to the storefront by change only, each write recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.check import judged
from tieout.errors import ConnectorError, InputError, Refused, Stopped
from transforms.stock import StockPolicy, available_to_web

if TYPE_CHECKING:
    from flows.wiring import House


def publish_stock(house: House, *, run_id: str) -> dict[str, Any]:
    """Work out what each storefront may sell and write what changed. A storefront that is down is told and does not stop the others."""
    rules = house.settings.stock
    with house.warehouse.read() as session:
        stock = session.fetch("core.stock")
    frame = available_to_web(
        stock.filter(pl.col("source") == "intacct"),
        stock.filter(pl.col("source") != "intacct"),
        house.mappings["warehouses"],
        house.mappings["buffers"],
        StockPolicy(
            percent=rules.buffer_percent,
            oldest=timedelta(minutes=rules.oldest_minutes),
            stale="stop" if rules.when_too_old == "stop" else "raise_buffer",
            stale_percent=rules.raised_buffer_percent,
        ),
        as_of=house.clock(),
        run_id=run_id,
        items=house.mappings["items"],
    )
    table = ALL["out.web_stock"]
    sound = table.checked(table.shaped(frame), at="when computing stock")
    findings = judged(house, run_id, {"web_stock": sound}, module="stock")
    with house.warehouse.write(run_id=run_id) as session:
        session.publish("out.web_stock", sound, key=table.key, mode="replace")
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
    errors: list[str] = []
    code = 0
    for (name,), block in sound.filter(pl.col("is_changed")).group_by("storefront", maintain_order=True):
        front = house.settings.storefronts.get(str(name))
        if front is None or not front.writes_stock:
            continue
        try:
            writes += _write(house, run_id, str(name), block)
        except (ConnectorError, InputError, Refused) as fault:
            errors.append(f"{name}: {fault}")
            code = max(code, fault.exit_code)
    _record(house, run_id, writes)
    outcomes = [one["outcome"] for one in writes]
    return {
        "computed": sound.height,
        "changed": sound.filter(pl.col("is_changed")).height,
        "published": outcomes.count("written"),
        "unchanged": outcomes.count("unchanged"),
        "refused": outcomes.count("refused"),
        "held": sound.filter(pl.col("hold_reason").is_not_null()).height,
        "errors": errors,
        "exit_code": code,
    }


def _write(house: House, run_id: str, name: str, block: pl.DataFrame) -> list[dict[str, Any]]:
    rows = block.to_dicts()
    updates = house.kind(name).write_stock(house.storefront(name), rows)
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


def _record(house: House, run_id: str, writes: list[dict[str, Any]]) -> None:
    if not writes:
        return
    table = ALL["ops.stock_writes"]
    frame = pl.DataFrame(writes, schema=table.polars_schema)
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(
            "ops.stock_writes", table.checked(frame, at="at publish"), key=table.key, mode="append"
        )
