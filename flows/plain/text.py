"""Plain files as text under canonical names: found and normalised by the courier, scanned lazily, cut into slices that fit memory.

A slice holds every row of a document: rows go by a hash of the number that ties them together, so that an order, its lines and its
payments meet in the same slice however far apart they stand in their files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from tieout.connectors.storefronts.files import FileBatch, Files
from tieout.connectors.storefronts.files_map import SubjectMap
from tieout.errors import DoesNotFoot, InputError
from transforms.reconcile.references import normalised
from transforms.storefronts.files import FileRules

SLICE_ROWS: Final = 250_000
"""Rows of one slice, roughly: what is staged at a time."""

KEYS: Final[Mapping[str, str]] = {
    "orders": "order_number",
    "lines": "order_number",
    "payments": "order_number",
    "refunds": "order_number",
    "invoices": "invoice_number",
    "receipts": "receipt_ref",
    "credit_memos": "credit_memo_number",
}
"""The column whose equal values must stay in one slice."""


@dataclass(frozen=True)
class Part:
    """One file of a subject: its name, its first row in the subject's numbering (from 1), how many rows, and the SHA-256 of its bytes."""

    name: str
    first_row: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Text:
    """All files of one subject as text: `frame` has `row_no` (running through the files) and the canonical columns.

    `stated` are the columns the files or the map's constants give; `notes` are sentences about how the files were read.
    """

    subject: str
    frame: pl.LazyFrame
    rules: FileRules
    parts: tuple[Part, ...]
    stated: frozenset[str]
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Data rows of all files."""
        return sum(part.rows for part in self.parts)

    def where(self, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems (row_no, column, problem as `code: sentence`) with the file's name, its own row number and a sentence naming both.

        Columns: subject, file, row_no, column, rule_code, native_ref, sentence. Rows count from 1, the first below the header.
        """
        parts = pl.DataFrame(
            [(part.name, part.first_row) for part in self.parts],
            schema={"file": pl.String, "first_row": pl.Int64},
            orient="row",
        ).sort("first_row")
        placed = problems.sort("row_no").join_asof(
            parts, left_on="row_no", right_on="first_row", strategy="backward"
        )
        said = pl.col("problem").str.replace(r"^[a-z_]+: ", "").str.replace(r"^row \d+: ", "")
        return placed.with_columns(row_no=pl.col("row_no") - pl.col("first_row") + 1).select(
            pl.lit(self.subject).alias("subject"),
            "file",
            "row_no",
            "column",
            pl.col("problem").str.extract(r"^([a-z_]+): ", 1).fill_null("unreadable").alias("rule_code"),
            "native_ref",
            pl.format("{} row {}: {}", "file", "row_no", said).alias("sentence"),
        )


def open_text(files: Files, subject: str) -> Text:
    """The files of a subject as text. Raises `InputError` for files that are no table or were written in different number styles."""
    batches = files.open(subject)
    settings = batches[0].settings
    rules = rules_of(settings, batches)
    frames, parts, start = [], [], 1
    for batch in batches:
        frame = _scanned(batch, rules).with_row_index("row_no", offset=start)
        rows = int(frame.select(pl.len()).collect(engine="streaming").item())
        if batch.rows is not None and rows != batch.rows:
            raise DoesNotFoot(
                f"{batch.original.name} has {batch.rows} rows and {rows} could be taken in; nothing was reconciled. "
                "Save the file anew as plain CSV and report this."
            )
        frames.append(frame.with_columns(pl.col("row_no").cast(pl.Int64)))
        parts.append(Part(batch.original.name, start, rows, batch.sha256))
        start += rows
    stated = {name.split("__")[0] for batch in batches for name in batch.header} | set(settings.constants)
    notes = [note for batch in batches for note in batch.problems]
    return Text(
        subject,
        pl.concat(frames, how="diagonal"),
        rules,
        tuple(parts),
        frozenset(name for name in stated if not name.startswith("_ignored")),
        tuple(notes),
    )


def rules_of(settings: SubjectMap, batches: Sequence[FileBatch] = ()) -> FileRules:
    """How rows are to be read: what the map says, and the decimal mark as found in the files where the map is silent."""
    found = {batch.decimal: batch.original.name for batch in batches if batch.decimal is not None}
    if settings.decimal is None and len(found) > 1:
        comma, point = found[","], found["."]
        raise InputError(
            f"{comma} is written with decimal commas and {point} with decimal points; export them alike, or reconcile them apart."
        )
    return FileRules(
        date_format=settings.date_format,
        decimal=settings.decimal or next(iter(found), "."),
        thousands=settings.thousands,
        time_zone=settings.time_zone or "UTC",
        sign=settings.sign,
        rows=settings.rows,
        statuses=settings.status,
        sums={name: tuple(some) for batch in batches for name, some in batch.sums.items()},
        constants=settings.constants,
    )


def _scanned(batch: FileBatch, rules: FileRules) -> pl.LazyFrame:
    kept = [name for name in batch.header if not name.startswith("_ignored_")]
    if batch.format == "csv":
        return pl.scan_csv(
            batch.path, infer_schema=False, new_columns=batch.header, glob=False, raise_if_empty=False
        ).select(kept)
    frame = pl.scan_parquet(batch.path, glob=False)
    schema = frame.collect_schema()
    named = zip(batch.header, schema.items(), strict=True)
    return frame.select(
        _as_text(pl.col(column), dtype, rules).alias(name)
        for name, (column, dtype) in named
        if not name.startswith("_ignored_")
    )


def _as_text(value: pl.Expr, dtype: pl.DataType, rules: FileRules) -> pl.Expr:
    """A typed Parquet column in the spelling the rules expect, so that typed and written files are read by one road."""
    if dtype.is_numeric():
        text = value.cast(pl.String)
        return text.str.replace(".", rules.decimal, literal=True) if rules.decimal != "." else text
    if dtype == pl.Date:
        return value.dt.strftime(rules.formats[0])
    if dtype == pl.Datetime:
        zone = getattr(dtype, "time_zone", None)
        if zone:
            return value.dt.convert_time_zone("UTC").dt.strftime(f"{rules.formats[0]}T%H:%M:%S%.6f+00:00")
        return value.dt.strftime(f"{rules.formats[0]}T%H:%M:%S%.6f")
    return value.cast(pl.String)


def slices(text: Text, count: int, folder: Path) -> list[pl.LazyFrame]:
    """The text in `count` slices by the subject's key; equal keys, whatever their case and punctuation, share a slice."""
    if count == 1:
        return [text.frame]
    key, frame = KEYS[text.subject], text.frame
    number = normalised(_owner(text)).fill_null("") if key in frame.collect_schema() else pl.lit("")
    home = folder / f"text-{text.subject}"
    frame.with_columns(_slice=number.hash(seed=7) % count).sink_parquet(
        pl.PartitionBy(home, key="_slice", include_key=False), mkdir=True, compression="lz4"
    )
    schema = text.frame.collect_schema()
    found = []
    for number_of in range(count):
        part = home / f"_slice={number_of}"
        found.append(
            pl.scan_parquet(part / "*.parquet").select(schema.names()).sort("row_no")
            if part.exists()
            else pl.LazyFrame(schema=schema)
        )
    return found


def _owner(text: Text) -> pl.Expr:
    """The number of the document each row belongs to, as staging will find it once the rows of a slice stand below each other.

    In an orders file with several rows per order that is `transforms.storefronts.files_lines.with_order_keys` over the whole file: a row
    that states no number and no header value belongs to the order above it, one that states a header without a number is on its own.
    """
    key, names = KEYS[text.subject], text.frame.collect_schema().names()

    def stated(name: str) -> pl.Expr:
        plain = pl.col(name).str.strip_chars()
        return pl.when(plain != "").then(plain)

    if text.subject != "orders" or text.rules.rows != "line":
        return stated(key)
    heads = ("placed_at", "total")
    is_head = pl.any_horizontal(
        pl.lit(value=any(name in text.rules.constants for name in heads)),
        *(stated(name).is_not_null() for name in heads if name in names),
    )
    alone = pl.when(is_head).then(pl.format("row {}", "row_no"))
    return pl.coalesce(stated(key), alone).forward_fill()


def aligned(rows: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Rows whose order number is spelled as the orders file spells it, where exactly one order is meant.

    `#1001`, `1001 ` and `001001` name order 1001 unless the orders file has them as numbers of their own; both frames have `order_number`.
    """
    if "order_number" not in rows.columns or "order_number" not in orders.columns:
        return rows
    plain = pl.col("order_number").str.strip_chars()
    names = orders.select(_spelled=plain).drop_nulls().unique()
    by_plain = (
        names.with_columns(_plain=normalised("_spelled"))
        .drop_nulls("_plain")
        .filter(~pl.col("_plain").is_duplicated())
    )
    return (
        rows.with_columns(order_number=plain)
        .with_columns(_plain=normalised("order_number"))
        .join(
            names.select(order_number="_spelled", _is_exact=pl.lit(True)),
            on="order_number",
            how="left",
            maintain_order="left",
        )
        .join(by_plain, on="_plain", how="left", maintain_order="left")
        .with_columns(
            order_number=pl.when(pl.col("_is_exact").is_null() & pl.col("_spelled").is_not_null())
            .then("_spelled")
            .otherwise("order_number")
        )
        .drop("_plain", "_is_exact", "_spelled")
    )
