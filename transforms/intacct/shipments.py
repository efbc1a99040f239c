"""Shipments of the ledger: order-entry documents of the definitions that stand for goods that left the house, and their lines.

Objects and states after the Sage Intacct Web Services documentation, Order Entry Transactions: a draft or a declined document has moved
nothing. Labels (`query`) and codes (`readByQuery`) of a state are both understood.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.intacct.rows import Reading, stamp
from transforms.staged import QUANTITY, Staged

_NOT_SHIPPED: Final = ("draft", "declined", "i", "r")
_HEADER: Final = ("RECORDNO", "DOCID", "DOCPARID", "CUSTVENDID", "STATE", "WHENCREATED", "WHENMODIFIED")
_LINE: Final = ("RECORDNO", "DOCHDRNO", "LINE_NO", "ITEMID", "QUANTITY", "SUBTOTAL")


def shipments(
    raw: pl.DataFrame,
    *,
    run_id: str,
    order_field: str,
    tracking_field: str,
    carrier_field: str,
    shipped_on_field: str,
    gmt_offset: str = "+00:00",
) -> Staged:
    """`core.ledger_shipments` from SODOCUMENT rows; the `_field` names say where the company keeps what is not documented.

    A draft is marked as deleted: a document that went back to draft has shipped nothing.
    """
    named = (order_field, tracking_field, carrier_field, shipped_on_field)
    read = Reading(raw, "SODOCUMENT", tuple(dict.fromkeys((*_HEADER, *named))))
    read.days("WHENCREATED", shipped_on_field)
    read.must("RECORDNO", "DOCID", "WHENCREATED")
    state = pl.col("STATE").fill_null("")
    table = read.sound().select(
        pl.col("RECORDNO").alias("document_ref"),
        pl.col("DOCID").alias("document_number"),
        pl.col("DOCPARID").fill_null("").alias("definition"),
        pl.col(order_field).alias("order_reference"),
        pl.col("CUSTVENDID").alias("customer_id"),
        state.alias("state_code"),
        pl.coalesce(shipped_on_field, "WHENCREATED").alias("shipped_on"),
        pl.col(carrier_field).alias("carrier"),
        pl.col(tracking_field).alias("tracking_refs"),
        state.str.to_lowercase().is_in(_NOT_SHIPPED).alias("is_deleted"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.ledger_shipments": table}, read.problems())


def shipment_lines(raw: pl.DataFrame, *, run_id: str) -> Staged:
    """`core.ledger_shipment_lines` from SODOCUMENTENTRY rows; subtotals and lines without an item are no goods."""
    read = Reading(raw, "SODOCUMENTENTRY", _LINE)
    read.decimals(QUANTITY=QUANTITY)
    read.must("RECORDNO", "DOCHDRNO", "QUANTITY")
    table = (
        read.sound()
        .filter(pl.col("ITEMID").is_not_null() & pl.col("SUBTOTAL").is_null())
        .select(
            pl.col("RECORDNO").alias("line_ref"),
            pl.col("DOCHDRNO").alias("document_ref"),
            pl.col("LINE_NO").cast(pl.Int64, strict=False).alias("line_no"),
            pl.col("ITEMID").alias("item_ref"),
            pl.col("QUANTITY").alias("quantity"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.ledger_shipment_lines": table}, read.problems())
