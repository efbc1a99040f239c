"""Trace: one order, from the storefront through every document and attempt to what Intacct holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tieout.errors import InputError

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


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
        groups = _payment_groups(session, payments, keys)
        found["payment_outcomes"] = session.fetch("recon.payments", where={"group_ref": groups}).to_dicts()
        found["payment_orders"] = (
            session.fetch("report.payment_orders", where={"group_ref": groups}).to_dicts()
            if session.exists("report.payment_orders")
            else []
        )
        matched = session.fetch(
            "recon.matches", where={"group_ref": [one["group_ref"] for one in found["outcomes"]]}
        )
        _ledger(session, found, matched)
        found["matches"] = matched.to_dicts()
        subjects = [one["group_ref"] for one in [*found["outcomes"], *found["payment_outcomes"]]]
        items = session.fetch("ops.open_items", where={"subject_ref": subjects})
        found["items"] = items.sort("period", "revision", "item_id").to_dicts()
        found["is_held"] = any(one["outcome_code"] == "held" for one in found["outcomes"]) or (
            not found["outcomes"] and any(one["severity"] in ("stop", "hold") for one in found["findings"])
        )
    return found


def _payment_groups(session: Session, payments: pl.DataFrame, keys: pl.DataFrame) -> list[str]:
    """The groups of the tie-out of payments that the order is in: as the first of their orders, or by any payment or tender of its own."""
    tender = session.fetch("recon.owed", where=keys).filter(
        (pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null()
    )
    names = pl.concat(
        frame.select(name=pl.concat_str(columns, separator=":"))
        for frame, columns in (
            (payments, ["storefront", "payment_ref", "transaction_ref"]),
            (tender, ["storefront", "order_ref", "event_ref"]),
        )
    )
    matched = session.fetch(
        "recon.matches", where={"tie_out": "payments", "row_ref": names["name"].unique().to_list()}
    )
    first = session.fetch("recon.payments", where=keys, columns=["group_ref"])
    return pl.concat([matched["group_ref"], first["group_ref"]]).unique().sort().to_list()


def _ledger(session: Session, found: dict[str, Any], matched: pl.DataFrame) -> None:
    """What Intacct holds of the order: documents, receipts, applications, and general-ledger entries where they are read."""
    theirs = matched.filter(pl.col("side") == "intacct")
    posted = [(one["kind_code"], one["intacct_key"]) for one in found["documents"] if one["intacct_key"]]

    def refs(kinds: tuple[str, ...], mine: str) -> list[str]:
        named = (
            theirs.filter(pl.col("row_kind").is_in(list(kinds)))["row_ref"]
            .str.split(":")
            .list.last()
            .to_list()
        )
        return list(dict.fromkeys([*named, *(key for kind, key in posted if kind == mine)]))

    documents = (
        theirs.filter(pl.col("row_ref").str.contains(":"))["row_ref"].str.split_exact(":", 1).struct.unnest()
    )
    by_kind = {
        kind: documents.filter(pl.col("field_0") == kind)["field_1"].to_list() if documents.height else []
        for kind in ("invoice", "adjustment")
    }
    invoices = list(dict.fromkeys([*by_kind["invoice"], *(key for kind, key in posted if kind == "invoice")]))
    adjustments = list(
        dict.fromkeys([*by_kind["adjustment"], *(key for kind, key in posted if kind == "credit_memo")])
    )
    paid = [ref for one in found["payment_outcomes"] for ref in (one["receipts"] or "").split(",") if ref]
    found["invoices"] = (
        session.fetch("core.ar_invoices", where={"invoice_ref": invoices}).sort("posted_on").to_dicts()
    )
    found["adjustments"] = (
        session.fetch("core.ar_adjustments", where={"adjustment_ref": adjustments})
        .sort("posted_on")
        .to_dicts()
    )
    receipts = list(dict.fromkeys([*paid, *refs(("receipt",), "receipt")]))
    found["receipts"] = (
        session.fetch("core.ar_receipts", where={"receipt_ref": receipts}).sort("received_on").to_dicts()
    )
    applied = session.fetch("core.ar_applications", where={"invoice_ref": invoices})
    found["applications"] = applied.sort("applied_on", "application_ref", nulls_last=True).to_dicts()
    found["gl_entries"] = _entries(session, invoices, adjustments, receipts)


def _entries(
    session: Session, invoices: list[str], adjustments: list[str], receipts: list[str]
) -> list[dict[str, Any]] | None:
    """General-ledger entries of the order's documents; None where the general ledger is not read into the warehouse."""
    if not session.exists("core.gl_entries") or not session.count("core.gl_entries"):
        return None
    wanted = pl.concat(
        [
            pl.DataFrame(
                {"record_type": [kind] * len(refs), "record_ref": refs},
                schema={"record_type": pl.String, "record_ref": pl.String},
            )
            for kind, refs in (("ri", invoices), ("ra", adjustments), ("rp", receipts))
        ]
    )
    return session.fetch("core.gl_entries", where=wanted).sort("posted_on", "entry_ref").to_dicts()


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


def render(house: House, found: dict[str, Any], path: Path) -> None:
    """Write the chain as a page of its own. Raises `InputError` if the file cannot be written."""
    from flows.tracing_chain import chain
    from tieout import __version__
    from tieout.reports.trace_page import render_trace

    order = found["orders"][0]
    title = f"Order {order['order_number'] or order['order_ref']}"
    text = render_trace(title, chain(found), as_of=house.clock(), version=__version__)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise InputError(
            f"The page could not be written to {path}: {fault.strerror or fault}; choose another place."
        ) from None
