"""What applications tie together: which document each pays, and from which receipt or memo. Names are looked up once, then rows have numbers."""

from __future__ import annotations

import polars as pl

from transforms.queries import as_written
from transforms.reconcile.intake import Inputs
from transforms.reconcile.numbered import looked_up
from transforms.reconcile.references import positions

_ENDS = {"d": pl.UInt32, "credit_d": pl.UInt32, "r": pl.UInt32}


def ends_of(inputs: Inputs, documents: pl.DataFrame, receipts: pl.DataFrame) -> pl.DataFrame:
    """(d, credit_d, r) for each row of `ar_applications`: the document paid, the memo a credit comes from, the receipt; null if unknown.

    Receipts may pay debit memos, and credit memos may settle them: then the debit memo is what is paid, and no invoice is named. Where only an
    adjustment is named, it is what is paid.
    """
    rows = inputs.take("ar_applications")
    if rows.is_empty():
        return pl.DataFrame(schema=_ENDS)
    names = documents.select("kind", "d", name="ref")
    invoice, adjustment, debit = (
        positions(names.filter(pl.col("kind") == kind).select("name", "d"), rows.select(name=ref), "d")
        for kind, ref in (
            ("invoice", "invoice_ref"),
            ("adjustment", "adjustment_ref"),
            ("adjustment", "debit_ref"),
        )
    )
    r = positions(receipts.select("r", name="receipt_ref"), rows.select(name="receipt_ref"), "r")
    has, owes = pl.col("invoice_ref").is_not_null(), pl.col("debit_ref").is_not_null()
    return rows.select(
        d=pl.when(has).then(invoice).when(owes).then(debit).otherwise(adjustment),
        credit_d=pl.when(has | owes).then(adjustment),
        r=r,
    )


def applied_by_end(
    inputs: Inputs, ends: pl.DataFrame, ledger: pl.DataFrame, money: pl.DataFrame
) -> pl.DataFrame:
    """One row per amount applied: cash from receipts, credit from memos, with what is known of both ends.

    `ledger` (by `d`) and `money` (by `r`) hold the same further columns; they come back as they are for what is paid, with the suffix
    `_from` for what pays. Columns: applied_on, amount, by_cash, d, from_d, from_r and those.
    """
    rows = inputs.take("ar_applications").hstack(ends).lazy()
    none = pl.lit(None, pl.UInt32)
    cash = rows.filter(pl.col("amount_minor") != 0).select(
        "applied_on", "d", amount="amount_minor", by_cash=pl.lit(True), from_d=none, from_r="r"
    )
    paid = pl.col("invoice_ref").is_not_null() | pl.col("debit_ref").is_not_null()
    credit = rows.filter(paid & (pl.col("credit_minor") != 0)).select(
        "applied_on", "d", amount="credit_minor", by_cash=pl.lit(False), from_d="credit_d", from_r=none
    )
    parts = []
    for rows_, known, end, key in ((cash, money, "from_r", "r"), (credit, ledger, "from_d", "d")):
        part = as_written(rows_, ends.height)
        pays = known.select(pl.col(key).alias(end), pl.exclude(key).name.suffix("_from"))
        parts.append(looked_up(looked_up(part, ledger, "d"), pays, end))
    return pl.concat(parts)
