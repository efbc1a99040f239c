"""Trace: one order, from the storefront through every document and attempt to what Intacct holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tieout.errors import InputError
from tieout.money import show

if TYPE_CHECKING:
    from flows.wiring import House


def trace_order(house: House, wanted: str) -> dict[str, Any]:
    """Everything known of an order number, the storefront's id, or one of our document numbers. Raises `InputError` if nothing is."""
    with house.warehouse.read() as session:
        orders = session.fetch("core.orders", where={"order_number": wanted})
        if orders.is_empty():
            orders = session.fetch("core.orders", where={"order_ref": wanted})
        if orders.is_empty():
            named = session.fetch(
                "out.documents", where={"number": wanted}, columns=["storefront", "order_ref"]
            )
            keys = named.drop_nulls().unique()
            orders = session.fetch("core.orders", where=keys) if keys.height else orders
        if orders.is_empty():
            raise InputError(
                f"No order, order id or document number '{wanted}' is known; check the spelling, or extract first."
            )
        keys = orders.select("storefront", "order_ref")
        found: dict[str, Any] = {"orders": orders.to_dicts()}
        found["lines"] = session.fetch("core.order_lines", where=keys).sort("line_no").to_dicts()
        found["versions"] = _versions(house, session, orders)
        links = session.fetch("core.order_payments", where=keys)
        payments = pl.concat(
            [
                session.fetch("core.payments", where=links.select("storefront", "payment_ref")),
                session.fetch("core.payments", where=keys),
            ]
        ).unique()
        found["payments"] = payments.sort("occurred_at").to_dicts()
        documents = session.fetch("out.documents", where=keys)
        states = session.fetch("ops.outbox", where=documents.select("document_id"))
        found["documents"] = (
            documents.join(states.drop("content_sha256", "run_id"), on="document_id")
            .sort("kind_code", "document_on")
            .to_dicts()
        )
        moves = session.fetch("ops.outbox_moves", where=documents.select("document_id"))
        found["moves"] = moves.sort("at", "document_id", "move_no").to_dicts()
        exchanges = session.fetch(
            "ops.exchanges", where={"batch_id": moves["batch_id"].drop_nulls().unique().to_list()}
        )
        found["exchanges"] = exchanges.sort("at").to_dicts()
        found["findings"] = session.fetch("ops.findings", where=keys).sort("found_at").to_dicts()
        found["unplanned"] = session.fetch("ops.unplanned", where=keys).to_dicts()
        found["outcomes"] = session.fetch("recon.orders", where=keys).to_dicts()
        found["payment_outcomes"] = session.fetch("recon.payments", where=keys).to_dicts()
        matched = session.fetch(
            "recon.matches", where={"group_ref": [one["group_ref"] for one in found["outcomes"]]}
        )
        refs = matched.filter(pl.col("side") == "intacct")["row_ref"].str.split(":").list.last().to_list()
        refs += [one["intacct_key"] for one in found["documents"] if one["intacct_key"]]
        found["invoices"] = session.fetch("core.ar_invoices", where={"invoice_ref": refs}).to_dicts()
        found["matches"] = matched.to_dicts()
    return found


def _versions(house: House, session: Any, orders: pl.DataFrame) -> list[dict[str, Any]]:
    found = []
    for storefront, ref in orders.select("storefront", "order_ref").iter_rows():
        if storefront not in house.settings.storefronts:
            continue
        rows = session.fetch(
            f"raw.{storefront}__orders",
            where={"native_ref": ref},
            columns=["version_no", "updated_at", "fetched_at", "payload_sha256", "run_id"],
        )
        found += rows.sort("fetched_at").to_dicts()
    return found


def as_text(found: dict[str, Any]) -> str:
    """The chain for a terminal, one step under the other."""
    lines: list[str] = []
    for order in found["orders"]:
        currency = order["currency"]

        def amount(minor: int, currency: str = currency) -> str:
            return f"{show(minor, currency)} {currency}"

        lines.append(
            f"Order {order['order_number'] or '(no number)'}  {order['storefront']} {order['order_ref']}"
        )
        lines.append(
            f"  placed {order['placed_at']:%Y-%m-%d %H:%M} UTC, {order['status_code']}, store {order['store_ref'] or '–'}, total {amount(order['total_minor'])}, due {amount(order['due_minor'])}"
        )
        parts = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
        shown = [
            f"{part.replace('_', ' ')} {show(order[f'{part}_minor'], currency)}"
            for part in parts
            if order[f"{part}_minor"]
        ]
        lines.append("  = " + " + ".join(shown))
        if order["problem"]:
            lines.append(f"  problem: {order['problem']}")
    for version in found["versions"]:
        lines.append(
            f"  version {version['version_no']} received {version['fetched_at']:%Y-%m-%d %H:%M} in run {version['run_id']}"
        )
    lines.append("Payments")
    for one in found["payments"]:
        lines.append(
            f"  {one['occurred_at']:%Y-%m-%d %H:%M} {one['kind_code']} {one['state_code']} {show(one['amount_minor'], one['currency'])} {one['currency']} by {one['tender_code'] or '–'}, reference {one['gateway_ref'] or '–'}"
        )
    for one in found["findings"][-5:]:
        lines.append(f"Check: {one['severity']} {one['rule_code']} – {one['sentence']}")
    lines.append("Documents")
    for one in found["documents"]:
        where = f", Intacct {one['intacct_key']}" if one["intacct_key"] else ""
        money = f"{show(one['total_minor'], one['currency'])} {one['currency']}" if one["currency"] else ""
        lines.append(
            f"  {one['kind_code'].replace('_', ' ')} {one['number']} {one['document_on'] or ''} {money} – {one['state_code']}{where}, {one['attempts_no']} attempt(s), control id {one['control_id'] or '–'}"
        )
        if one["reason"]:
            lines.append(f"    {one['reason']}")
    posted = {one["document_id"] for one in found["documents"]}
    for one in found["unplanned"]:
        if one["document_id"] in posted:
            continue  # it stands above, with its state
        lines.append(
            f"  {one['kind_code'].replace('_', ' ')} {one['number'] or ''} not planned: {one['reason_code'].replace('_', ' ')} – {one['sentence']}"
        )
    for one in found["moves"]:
        lines.append(
            f"    {one['at']:%Y-%m-%d %H:%M:%S} {one['from_state'] or 'new'} → {one['to_state']}"
            + (f" ({one['reason']})" if one["reason"] else "")
        )
    for one in found["exchanges"]:
        lines.append(
            f"    exchange {one['exchange_id']} {one['purpose']} {one['status']} in archive/{one['path']}"
        )
    lines.append("In Intacct")
    for one in found["invoices"]:
        lines.append(
            f"  invoice {one['invoice_number']} RECORDNO {one['invoice_ref']} in {one['entity_code']} dated {one['posted_on']}, {show(one['total_minor'], one['currency'])} {one['currency']}, {one['state_code']}, open {show(one['due_minor'], one['currency'])}"
        )
    lines.append("You are here")
    for one in [*found["outcomes"], *found["payment_outcomes"]]:
        lines.append(
            f"  {one['outcome_code'].replace('_', ' ')} ({one['family_code']}): storefront {show(one['expected_minor'], one['currency'])}, Intacct {show(one['actual_minor'], one['currency'])} {one['currency']} – {one['evidence']}"
        )
    return "\n".join(lines)
