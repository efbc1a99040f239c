"""Sage Intacct: GLDETAIL rows to `core.gl_entries` (Sage Intacct Web Services documentation, General Ledger Details).

The view shows each entry as AMOUNT with TR_TYPE (1 debit, -1 credit) and as DEBITAMOUNT and CREDITAMOUNT. Whether AMOUNT carries the
sign is not documented, so the two columns decide where they are given; else a credit whose AMOUNT is positive is turned round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from transforms.intacct.rows import Reading, stamp
from transforms.staged import Staged

_TRX: Final = ("TRX_AMOUNT", "TRX_DEBITAMOUNT", "TRX_CREDITAMOUNT")
_BASE: Final = ("AMOUNT", "DEBITAMOUNT", "CREDITAMOUNT")
_TEXT: Final = (
    "RECORDNO", "BATCHKEY", "BATCH_TITLE", "SYMBOL", "ACCOUNTNO", "TR_TYPE", "CURRENCY", "MODULEKEY", "RECORDTYPE", "RECORDKEY",
    "RECORDID", "DOCNUMBER", "PRENTRYKEY", "CUSTOMERID", "LOCATIONID", "DEPARTMENTID", "DESCRIPTION", "ENTRY_STATE", "MEGAENTITYID",
    "BASECURR",
)  # fmt: skip


def gl_entries(
    raw: pl.DataFrame,
    *,
    run_id: str,
    base_currencies: Mapping[str, str],
    entity_of_location: Mapping[str, str] | None = None,
    gmt_offset: str = "+00:00",
) -> Staged:
    """`core.gl_entries` from GLDETAIL rows.

    `base_currencies` is the base currency by entity code. An entry whose entity is not told belongs to the entity of its location
    by `entity_of_location`, a location that is an entity itself included; else to the top level. A row without a transaction
    currency is in base currency. Where nobody knows the base currency, the amount in it is not known either, which is no fault.
    """
    read = Reading(raw, "GLDETAIL", (*_TEXT, *_TRX, *_BASE, "ENTRY_DATE", "BATCH_DATE", "WHENMODIFIED"))
    homes = {**{code: code for code in base_currencies}, **(entity_of_location or {})}
    by_location = pl.col("LOCATIONID").replace_strict(homes, default=None, return_dtype=pl.String())
    only = next(iter(base_currencies.values())) if len(set(base_currencies.values())) == 1 else None
    read.frame = read.frame.with_columns(entity=pl.coalesce("MEGAENTITYID", by_location, pl.lit("")))
    known = pl.col("entity").replace_strict(
        dict(base_currencies) or {"": None}, default=only, return_dtype=pl.String()
    )
    read.frame = read.frame.with_columns(BASECURR=pl.coalesce("BASECURR", known))
    read.currencies()
    read.amounts(*_TRX)
    read.amounts(*_BASE, currency="BASECURR")
    read.days("ENTRY_DATE", "BATCH_DATE")
    read.frame = read.frame.with_columns(
        ENTRY_DATE=pl.coalesce("ENTRY_DATE", "BATCH_DATE"), AMOUNT=_signed(*_BASE)
    )
    # A company with one currency may tell the base amount alone.
    alone = pl.when(pl.col("CURRENCY") == pl.col("BASECURR")).then("AMOUNT")
    read.frame = read.frame.with_columns(TRX_AMOUNT=pl.coalesce(_signed(*_TRX), alone))
    read.must("RECORDNO", "ACCOUNTNO", "ENTRY_DATE", "TRX_AMOUNT")
    table = read.sound().select(
        pl.col("RECORDNO").alias("entry_ref"),
        pl.col("BATCHKEY").alias("batch_ref"),
        pl.col("BATCH_TITLE").alias("batch_title"),
        pl.col("SYMBOL").alias("journal"),
        pl.col("ACCOUNTNO").alias("account_code"),
        pl.col("entity").alias("entity_code"),
        pl.col("ENTRY_DATE").alias("posted_on"),
        pl.col("CURRENCY").alias("currency"),
        pl.col("BASECURR").alias("base_currency"),
        pl.col("TRX_AMOUNT").alias("amount_minor"),
        pl.col("AMOUNT").alias("base_amount_minor"),
        pl.col("MODULEKEY").alias("module_code"),
        pl.col("RECORDTYPE").alias("record_type"),
        pl.col("RECORDKEY").alias("record_ref"),
        pl.col("RECORDID").alias("document_number"),
        pl.col("DOCNUMBER").alias("reference"),
        pl.col("PRENTRYKEY").alias("line_ref"),
        pl.col("CUSTOMERID").alias("customer_id"),
        pl.col("LOCATIONID").alias("location_code"),
        pl.col("DEPARTMENTID").alias("department_code"),
        pl.col("DESCRIPTION").alias("memo"),
        pl.col("ENTRY_STATE").alias("state_code"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        pl.col("payload_sha256"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.gl_entries": table}, read.problems())


def _signed(amount: str, debit: str, credit: str) -> pl.Expr:
    """Debit less credit where either side is told, else the amount with the sign of its type."""
    sided = pl.col(debit).is_not_null() | pl.col(credit).is_not_null()
    both = pl.col(debit).fill_null(0) - pl.col(credit).fill_null(0)
    is_credit = pl.col("TR_TYPE").str.strip_chars() == "-1"
    turned = pl.when(is_credit & (pl.col(amount) > 0)).then(-pl.col(amount)).otherwise(pl.col(amount))
    return pl.when(sided).then(both).otherwise(turned)
