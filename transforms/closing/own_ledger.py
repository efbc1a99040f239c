"""An entity's own share of the general ledger's entries on control accounts."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.control import KINDS

_NUMBERED: Final = (
    ("ar_invoices", "invoice", "invoice_ref", "invoice_number"),
    ("ar_adjustments", "adjustment", "adjustment_ref", "adjustment_number"),
    ("ar_receipts", "receipt", "receipt_ref", None),
)
_NAME: Final = {"document_kind": pl.String, "document_ref": pl.String, "document_number": pl.String}


def named_by(entries: pl.DataFrame, whole: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """(group_ref): every document of the inputs that entries may mean, by record number or by number; a number that two carry means both."""
    documents, rows = _documents(whole), _with_kind(entries)
    by_ref = rows.join(documents, left_on=["document_kind", "record_ref"], right_on=["document_kind", "document_ref"], how="inner").select("document_kind", document_ref="record_ref")  # fmt: skip
    by_number = (
        rows.select("document_kind", "document_number")
        .drop_nulls()
        .join(documents, on=["document_kind", "document_number"])
        .select("document_kind", "document_ref")
    )
    found = pl.concat([by_ref, by_number]).unique()
    return found.select(group_ref=pl.concat_str("document_kind", pl.lit(":"), "document_ref"))


def cut(
    entries: pl.DataFrame, entity: str, whole: dict[str, pl.DataFrame], own: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """The entity's entries, and those of other entities that stand for a document of `own`."""
    documents, mine = _documents(whole), _documents(own).select("document_kind", "document_ref")
    single = documents.filter(pl.col("document_kind") != "receipt").drop_nulls("document_number")
    single = single.filter(~pl.struct("document_kind", "document_number").is_duplicated())
    rows = _with_kind(entries).with_row_index("at")
    by_ref = rows.join(mine, left_on=["document_kind", "record_ref"], right_on=["document_kind", "document_ref"], how="semi")  # fmt: skip
    by_number = rows.filter(pl.col("record_ref").is_null()).join(
        single.join(mine, on=["document_kind", "document_ref"], how="semi"), on=["document_kind", "document_number"], how="semi"
    )  # fmt: skip
    own_rows = rows.filter(pl.col("entity_code") == entity)
    return entries[pl.concat([by_ref["at"], by_number["at"], own_rows["at"]]).unique().sort()]


def _with_kind(entries: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("record_type").replace_strict(KINDS, default=None, return_dtype=pl.String)
    return entries.with_columns(document_kind=kind)


def _documents(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=_NAME)]
    for table, kind, ref, number in _NUMBERED:
        if table in tables:
            named = pl.lit(None, dtype=pl.String) if number is None else pl.col(number)
            parts.append(
                tables[table].select(
                    document_kind=pl.lit(kind), document_ref=pl.col(ref), document_number=named
                )
            )
    return pl.concat(parts)
