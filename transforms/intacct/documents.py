"""Sage Intacct: raw rows to core. A row is a JSON object of text values as `query` returns them, with upper-case field names
(Sage Intacct Web Services documentation, Queries; AR invoices, AR adjustments, AR payments).

Amounts are text with at most two decimals, whatever the currency; dates are MM/DD/YYYY; timestamps are wall time at the API user's
GMT offset. Rows that cannot be read are in `problems` and nowhere else: an amount that is wrong by a digit is worse than one missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from transforms.intacct.rows import Reading, stamp
from transforms.staged import QUANTITY, RATE, Staged

_HEADER: Final = (
    "RECORDNO",
    "DOCNUMBER",
    "STATE",
    "CUSTOMERID",
    "CURRENCY",
    "BASECURR",
    "DESCRIPTION",
    "MEGAENTITYID",
)
_TOTALS: Final = ("TRX_TOTALENTERED", "TRX_TOTALPAID", "TRX_TOTALDUE", "TOTALENTERED", "TOTALDUE")


def ar_invoices(
    raw: pl.DataFrame,
    *,
    run_id: str,
    gmt_offset: str = "+00:00",
    created_offset: str = "+00:00",
    deleted: Sequence[str] = (),
) -> Staged:
    """`core.ar_invoices` from ARINVOICE rows.

    `gmt_offset` is the API user's, for WHENMODIFIED. AUWHENCREATED is in another zone; which one is not documented, so it has its own
    setting, UTC by default. `deleted` are RECORDNOs seen earlier and gone now. `TRX_` totals are in the transaction currency, the
    others in base currency.
    """
    fields = (
        *_HEADER,
        *_TOTALS,
        "RECORDID",
        "WHENCREATED",
        "WHENPOSTED",
        "WHENDUE",
        "EXCHANGE_RATE",
        "MODULEKEY",
    )
    read = Reading(raw, "ARINVOICE", (*fields, "AUWHENCREATED", "WHENMODIFIED"))
    read.currencies()
    read.amounts("TRX_TOTALENTERED", "TRX_TOTALPAID", "TRX_TOTALDUE")
    read.amounts("TOTALENTERED", "TOTALDUE", currency="BASECURR")
    read.days("WHENCREATED", "WHENPOSTED", "WHENDUE")
    read.decimals(EXCHANGE_RATE=RATE)
    read.must("RECORDNO", "WHENCREATED", "TRX_TOTALENTERED")
    frame = read.sound()
    due = pl.coalesce("TRX_TOTALDUE", pl.col("TRX_TOTALENTERED") - pl.col("TRX_TOTALPAID").fill_null(0))
    table = frame.select(
        pl.col("RECORDNO").alias("invoice_ref"),
        pl.col("RECORDID").alias("invoice_number"),
        pl.col("DOCNUMBER").alias("reference"),
        *_ledger(),
        pl.col("STATE").fill_null("").alias("state_code"),
        pl.col("WHENCREATED").alias("invoiced_on"),
        pl.coalesce("WHENPOSTED", "WHENCREATED").alias("posted_on"),
        pl.col("WHENDUE").alias("due_on"),
        pl.col("TRX_TOTALENTERED").alias("total_minor"),
        pl.coalesce("TRX_TOTALPAID", pl.col("TRX_TOTALENTERED") - due).alias("paid_minor"),
        due.alias("due_minor"),
        pl.col("TOTALENTERED").alias("base_total_minor"),
        pl.col("TOTALDUE").alias("base_due_minor"),
        pl.col("EXCHANGE_RATE").alias("exchange_rate"),
        pl.col("MODULEKEY").alias("module_code"),
        pl.col("DESCRIPTION").alias("description"),
        stamp("AUWHENCREATED", created_offset).alias("created_at"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        *_tail(deleted, run_id),
    )
    return Staged({"core.ar_invoices": table}, read.problems())


def ar_adjustments(
    raw: pl.DataFrame, *, run_id: str, gmt_offset: str = "+00:00", deleted: Sequence[str] = ()
) -> Staged:
    """`core.ar_adjustments` from ARADJUSTMENT rows; a negative total is a credit memo."""
    fields = (*_HEADER, *_TOTALS, "RECORDID", "WHENCREATED", "WHENPOSTED", "WHENMODIFIED")
    read = Reading(raw, "ARADJUSTMENT", fields)
    read.currencies()
    read.amounts("TRX_TOTALENTERED", "TRX_TOTALPAID", "TRX_TOTALDUE")
    read.amounts("TOTALENTERED", "TOTALDUE", currency="BASECURR")
    read.days("WHENCREATED", "WHENPOSTED")
    read.must("RECORDNO", "WHENCREATED", "TRX_TOTALENTERED")
    table = read.sound().select(
        pl.col("RECORDNO").alias("adjustment_ref"),
        pl.col("RECORDID").alias("adjustment_number"),
        pl.col("DOCNUMBER").alias("reference"),
        *_ledger(),
        pl.col("STATE").fill_null("").alias("state_code"),
        pl.col("WHENCREATED").alias("adjusted_on"),
        pl.coalesce("WHENPOSTED", "WHENCREATED").alias("posted_on"),
        pl.col("TRX_TOTALENTERED").alias("total_minor"),
        pl.coalesce("TRX_TOTALDUE", "TRX_TOTALENTERED").alias("due_minor"),
        pl.col("TOTALENTERED").alias("base_total_minor"),
        pl.col("TOTALDUE").alias("base_due_minor"),
        pl.col("DESCRIPTION").alias("description"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        *_tail(deleted, run_id),
    )
    return Staged({"core.ar_adjustments": table}, read.problems())


def ar_lines(
    raw: pl.DataFrame,
    *,
    run_id: str,
    document_kind: str,
    component_accounts: pl.DataFrame,
    documents: pl.DataFrame | None = None,
) -> Staged:
    """`core.ar_lines` from ARINVOICEITEM (`document_kind` "invoice") or ARADJUSTMENTITEM rows ("adjustment").

    `component_accounts` has `account_code` and `component_code`; a line on an account it does not know is `other`. Lines may lack a
    currency: then it is that of their document, from `documents` with `document_ref` and `currency`.
    """
    names = ("RECORDNO", "RECORDKEY", "LINE_NO", "ACCOUNTNO", "TRX_AMOUNT", "AMOUNT", "CURRENCY", "BASECURR")
    subject = "ARINVOICEITEM" if document_kind == "invoice" else "ARADJUSTMENTITEM"
    read = Reading(raw, subject, (*names, "ENTRYDESCRIPTION", "LOCATIONID", "DEPARTMENTID", "ITEMID"))
    if documents is not None:
        known = documents.select(pl.col("document_ref").alias("RECORDKEY"), _known=pl.col("currency")).unique(
            "RECORDKEY"
        )
        read.frame = (
            read.frame.join(known, on="RECORDKEY", how="left", maintain_order="left")
            .with_columns(CURRENCY=pl.coalesce("CURRENCY", "_known"))
            .drop("_known")
        )
    read.currencies()
    read.frame = read.frame.with_columns(TRX_AMOUNT=pl.coalesce("TRX_AMOUNT", "AMOUNT"))
    read.amounts("TRX_AMOUNT")
    read.must("RECORDNO", "RECORDKEY", "TRX_AMOUNT")
    accounts = component_accounts.select("account_code", "component_code").unique("account_code")
    table = (
        read.sound()
        .join(accounts, left_on="ACCOUNTNO", right_on="account_code", how="left", maintain_order="left")
        .select(
            pl.lit(document_kind, dtype=pl.String).alias("document_kind"),
            pl.col("RECORDKEY").alias("document_ref"),
            pl.col("RECORDNO").alias("line_ref"),
            pl.col("LINE_NO").cast(pl.Int64, strict=False).alias("line_no"),
            pl.col("ACCOUNTNO").alias("account_code"),
            pl.col("component_code").fill_null("other"),
            pl.col("CURRENCY").alias("currency"),
            pl.col("TRX_AMOUNT").alias("amount_minor"),
            pl.col("ENTRYDESCRIPTION").alias("memo"),
            pl.col("LOCATIONID").alias("location_code"),
            pl.col("DEPARTMENTID").alias("department_code"),
            pl.col("ITEMID").alias("item_ref"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.ar_lines": table}, read.problems())


def ar_receipts(
    raw: pl.DataFrame,
    *,
    run_id: str,
    gmt_offset: str = "+00:00",
    applications: pl.DataFrame | None = None,
    deleted: Sequence[str] = (),
) -> Staged:
    """`core.ar_receipts` from ARPYMT rows.

    `unapplied_minor` is TRX_TOTALDUE; where that is empty, the total less what `applications` (`core.ar_applications`) says was paid
    from the receipt, and without applications nothing.
    """
    fields = (
        *_HEADER,
        "TRX_TOTALENTERED",
        "TRX_TOTALDUE",
        "TOTALENTERED",
        "PAYMENTMETHOD",
        "FINANCIALENTITY",
    )
    dates = ("RECEIPTDATE", "WHENCREATED")
    read = Reading(raw, "ARPYMT", (*fields, *dates, "UNDEPOSITEDACCOUNTNO", "WHENMODIFIED"))
    read.currencies()
    read.amounts("TRX_TOTALENTERED", "TRX_TOTALDUE")
    read.amounts("TOTALENTERED", currency="BASECURR")
    read.days(*dates)
    read.frame = read.frame.with_columns(RECEIPTDATE=pl.coalesce(*dates))
    read.must("RECORDNO", "RECEIPTDATE", "TRX_TOTALENTERED")
    frame = read.sound()
    applied = pl.DataFrame(schema={"receipt_ref": pl.String, "applied": pl.Int64})
    if applications is not None:
        applied = applications.group_by("receipt_ref").agg(applied=pl.col("amount_minor").sum())
    frame = frame.join(applied, left_on="RECORDNO", right_on="receipt_ref", how="left", maintain_order="left")
    left = pl.col("TRX_TOTALENTERED") - pl.col("applied").fill_null(0)
    table = frame.select(
        pl.col("RECORDNO").alias("receipt_ref"),
        pl.col("DOCNUMBER").alias("reference"),
        *_ledger(),
        pl.col("STATE").fill_null("").alias("state_code"),
        pl.col("PAYMENTMETHOD").alias("method"),
        pl.coalesce("FINANCIALENTITY", "UNDEPOSITEDACCOUNTNO").alias("account_ref"),
        pl.col("RECEIPTDATE").alias("received_on"),
        pl.col("TRX_TOTALENTERED").alias("total_minor"),
        pl.coalesce("TRX_TOTALDUE", left if applications is not None else pl.lit(0, dtype=pl.Int64)).alias(
            "unapplied_minor"
        ),
        pl.col("TOTALENTERED").alias("base_total_minor"),
        pl.col("DESCRIPTION").alias("description"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        *_tail(deleted, run_id),
    )
    return Staged({"core.ar_receipts": table}, read.problems())


def ar_applications(raw: pl.DataFrame, *, run_id: str, receipts: pl.DataFrame | None = None) -> Staged:
    """`core.ar_applications` from ARPYMTDETAIL rows; the date and a missing currency come from `receipts` (`core.ar_receipts`)."""
    amounts = ("TRX_PAYMENTAMOUNT", "TRX_ADJUSTMENTAMOUNT")
    read = Reading(
        raw,
        "ARPYMTDETAIL",
        (
            "RECORDNO",
            "PAYMENTKEY",
            "RECORDKEY",
            "ADJUSTMENTKEY",
            "POSADJKEY",
            "CURRENCY",
            "BASECURR",
            *amounts,
        ),
    )
    known = pl.DataFrame(schema={"PAYMENTKEY": pl.String, "_known": pl.String, "received_on": pl.Date})
    if receipts is not None:
        known = receipts.select(PAYMENTKEY="receipt_ref", _known="currency", received_on="received_on")
    read.frame = (
        read.frame.join(known.unique("PAYMENTKEY"), on="PAYMENTKEY", how="left", maintain_order="left")
        .with_columns(CURRENCY=pl.coalesce("CURRENCY", "_known"))
        .drop("_known")
    )
    read.currencies()
    read.amounts(*amounts)
    read.must("RECORDNO")
    table = read.sound().select(
        pl.col("RECORDNO").alias("application_ref"),
        pl.col("PAYMENTKEY").alias("receipt_ref"),
        pl.col("RECORDKEY").alias("invoice_ref"),
        pl.col("ADJUSTMENTKEY").alias("adjustment_ref"),
        pl.col("POSADJKEY").alias("debit_ref"),
        pl.col("CURRENCY").alias("currency"),
        pl.col("TRX_PAYMENTAMOUNT").fill_null(0).alias("amount_minor"),
        pl.col("TRX_ADJUSTMENTAMOUNT").fill_null(0).alias("credit_minor"),
        pl.col("received_on").alias("applied_on"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.ar_applications": table}, read.problems())


def intacct_customers(raw: pl.DataFrame, *, gmt_offset: str = "+00:00") -> pl.DataFrame:
    """CUSTOMER rows as `customer_id`, `name`, `email`, `changed_at`, `is_active`; for matching before a customer is created."""
    email = "DISPLAYCONTACT.EMAIL1"
    read = Reading(
        raw, "CUSTOMER", ("RECORDNO", "CUSTOMERID", "NAME", "STATUS", "EMAIL1", email, "WHENMODIFIED")
    )
    return read.frame.filter(pl.col("CUSTOMERID").is_not_null()).select(
        pl.col("CUSTOMERID").alias("customer_id"),
        pl.coalesce("NAME", "CUSTOMERID").alias("name"),
        pl.coalesce(email, "EMAIL1").alias("email"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        pl.col("STATUS")
        .fill_null("active")
        .str.to_lowercase()
        .is_in(["active", "t", "true"])
        .alias("is_active"),
    )


def stock(raw: pl.DataFrame, *, run_id: str, totals: Mapping[str, str] | None = None) -> Staged:
    """`core.stock` with source `intacct` from get_icitemtotals rows: one row per warehouse, item and total name.

    `totals` maps our names (`on_hand`, `on_order`, `allocated`) to the company's total names. ONHAND and ONORDER are standard; there
    is no standard total of what is allocated, so its name is a setting and `allocated_qty` is null without it.
    """
    names = {"on_hand": "ONHAND", "on_order": "ONORDER", **(totals or {})}
    read = Reading(raw, "icitemtotal", ("ITEMID", "WAREHOUSEID", "TOTALNAME", "QUANTITY"))
    read.decimals(QUANTITY=QUANTITY)
    read.must("ITEMID", "TOTALNAME", "QUANTITY")

    def total(name: str) -> pl.Expr:
        wanted = names.get(name)
        is_it = pl.col("TOTALNAME").str.to_uppercase() == (wanted or "").upper()
        return pl.when(is_it.any()).then(pl.col("QUANTITY").filter(is_it).sum()).cast(QUANTITY)

    table = (
        read.sound()
        .with_columns(pl.col("WAREHOUSEID").fill_null(""))
        .group_by("ITEMID", "WAREHOUSEID")
        .agg(
            on_hand_qty=total("on_hand"),
            on_order_qty=total("on_order"),
            allocated_qty=total("allocated")
            if names.get("allocated")
            else pl.lit(None, dtype=QUANTITY).first(),
            as_of_at=pl.col("fetched_at").max(),
        )
        .select(
            pl.lit("intacct").alias("source"),
            pl.col("ITEMID").alias("sku"),
            pl.col("WAREHOUSEID").alias("location_ref"),
            pl.lit(None, dtype=pl.String).alias("native_ref"),
            pl.lit(None, dtype=pl.Int64).alias("version_no"),
            pl.col("on_hand_qty").fill_null(pl.lit(0).cast(QUANTITY)),
            "on_order_qty",
            "allocated_qty",
            pl.lit(None, dtype=QUANTITY).alias("reserved_qty"),
            "as_of_at",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
        .sort("sku", "location_ref")
    )
    return Staged({"core.stock": table}, read.problems())


def _ledger() -> list[pl.Expr]:
    return [
        pl.col("MEGAENTITYID").fill_null("").alias("entity_code"),
        pl.col("CUSTOMERID").alias("customer_id"),
        pl.col("CURRENCY").alias("currency"),
        pl.col("BASECURR").alias("base_currency"),
    ]


def _tail(deleted: Sequence[str], run_id: str) -> list[pl.Expr]:
    return [
        pl.col("RECORDNO").is_in(list(deleted)).alias("is_deleted"),
        pl.col("payload_sha256"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    ]
