"""The last step of a plan: edits of people applied, both frames in their contracts' shape, and the hash of all that would be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from transforms.identity import content_hashes, joined_rows
from transforms.postings.terms import (
    CONVERTED,
    DOCUMENTS_SCHEMA,
    LINES_SCHEMA,
    NOT_SENT,
    ORDERS_SCHEMA,
    SOLD,
    SPARSE,
)

_INSTANT: Final = pl.Datetime("us", "UTC")
_PLACE: Final = {
    "customer": 0,
    "sales_order": 1,
    "invoice": 2,
    "credit_memo": 3,
    "debit_memo": 4,
    "receipt": 5,
    "application": 6,
    "journal": 7,
    "order_closure": 8,
    "reversal": 9,
}
EDITABLE: Final = {
    "document": ("document_on", "due_on", "reference", "description", "customer_id", "account_ref", "method"),
    "line": (
        "account_code",
        "memo",
        "location_code",
        "department_code",
        "item_ref",
        "class_code",
        "project_code",
    ),
}
"""Columns a person may change on a planned document or its lines. Amounts are not among them: they are what is owed."""


def finished(
    documents: pl.DataFrame, lines: pl.DataFrame, edits: pl.DataFrame, run_id: str, planned_at: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Documents and lines as rows of out.documents and out.document_lines, edited, sorted, with their content hash."""
    absent = {name: dtype for name, dtype in LINES_SCHEMA.items() if name not in lines.columns}
    lines = (
        lines.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items())
        .select(*LINES_SCHEMA)
        .cast(LINES_SCHEMA)  # type: ignore[arg-type]
        .sort("document_id", "line_no")
    )
    missing = {name: dtype for name, dtype in DOCUMENTS_SCHEMA.items() if name not in documents.columns}
    documents = (
        documents.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in missing.items())
        .with_columns(planned_at=pl.lit(planned_at, dtype=_INSTANT), run_id=pl.lit(run_id))
        .select(*DOCUMENTS_SCHEMA)
        .cast(DOCUMENTS_SCHEMA)  # type: ignore[arg-type]
    )
    documents, lines = edited(documents, lines, edits)
    return (
        rehashed(documents, lines).sort(
            pl.col("kind_code").replace_strict(_PLACE), "document_on", "number", "document_id"
        ),
        lines,
    )


def rehashed(documents: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The documents with `content_sha256` over all of them and their lines that would be sent."""
    sets = {"sparse": SPARSE, "sold": SOLD, "converted": CONVERTED}
    sent = [
        name for name in LINES_SCHEMA if name not in ("document_id", *NOT_SENT, *SPARSE, *SOLD, *CONVERTED)
    ]
    texts = (
        lines.sort("document_id", "line_no")
        .group_by("document_id", maintain_order=True)
        .agg(
            joined_rows(sent),
            *(joined_rows(["line_no", *names]).alias(f"{name}_text") for name, names in sets.items()),
            *(
                pl.any_horizontal(pl.col(one).is_not_null().any() for one in names).alias(f"{name}_filled")
                for name, names in sets.items()
            ),
        )
        .with_columns(pl.when(f"{name}_filled").then(f"{name}_text").alias(f"{name}_text") for name in sets)
        .select(
            "document_id",
            lines_text=pl.concat_str(
                "lines_text", *(f"{name}_text" for name in sets), separator="\x1d", ignore_nulls=True
            ),
        )
    )
    both = documents.join(texts, on="document_id", how="left", maintain_order="left")
    hashed = [
        n for n in DOCUMENTS_SCHEMA if n not in ("content_sha256", "planned_at", "run_id", "document_id")
    ]
    return both.with_columns(content_hashes(both, [*hashed, "lines_text"])).select(documents.columns)


def edited(
    documents: pl.DataFrame, lines: pl.DataFrame, edits: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Documents and lines with the newest edit of each field in place of what was planned.

    `edits` are rows of ops.edits. Edits of columns outside `EDITABLE` are not applied.
    """
    newest = edits.sort("edit_id").unique(
        ["subject_code", "subject_ref", "line_no", "field"], keep="last", maintain_order=True
    )
    # A loop over columns, a handful at most; rows are joined.
    for subject, frame_key in (("document", ["document_id"]), ("line", ["document_id", "line_no"])):
        for field in EDITABLE[subject]:
            mine = newest.filter((pl.col("subject_code") == subject) & (pl.col("field") == field))
            if mine.is_empty():
                continue
            frame = documents if subject == "document" else lines
            to = mine.select(
                pl.col("subject_ref").alias("document_id"),
                *([pl.col("line_no")] if subject == "line" else []),
                after=pl.col("after").str.to_date() if frame.schema[field] == pl.Date else pl.col("after"),
                is_edited=pl.lit(value=True),
            )
            frame = (
                frame.join(to, on=frame_key, how="left", maintain_order="left")
                .with_columns(
                    pl.when(pl.col("is_edited").fill_null(value=False))
                    .then("after")
                    .otherwise(field)
                    .alias(field)
                )
                .drop("after", "is_edited")
            )
            documents, lines = (frame, lines) if subject == "document" else (documents, frame)
    return documents, lines


def parts_by_order(drafts: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Rows of out.document_orders: the order behind each document, for all of it. A sales order answers nothing that is owed yet."""
    return (
        drafts.filter(pl.col("kind_code") != "sales_order").join(documents.select("document_id"), on="document_id", how="semi")
        .select(
            "document_id", "storefront", "order_ref", "order_number", "event_code", "event_ref", "currency",
            pl.col("planned_minor").alias("amount_minor"),
        )
        .cast(ORDERS_SCHEMA)  # type: ignore[arg-type]
        .sort("document_id", "storefront", "order_ref", "event_code", "event_ref")
    )  # fmt: skip
