"""Plain files staged: text into `core` tables, slice by slice, kept as Parquet in a work folder so that memory does not grow with the files.

Nothing is lost on the way: of every subject, rows read are rows taken in plus rows held, and a held row has its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from checks.contracts import ALL
from flows.plain.text import SLICE_ROWS, Text, aligned, slices
from tieout.errors import DoesNotFoot, InputError
from tieout.money import known_currencies
from transforms.staged import Staged
from transforms.storefronts import files as rows_of

NAME: Final = "files"
"""The storefront's name in reports of plain files."""
RUN: Final = "files"

TRIED: Final = 100_000
"""Rows of which not one can be read before a large file is given up."""
TRANSACTIONS: Final = "rows.payments"
"""One row per row of the payments and refunds files: is_refund, ref (a hash of its reference), row_no, is_kept."""

PROBLEMS: Final = {
    "subject": pl.String(),
    "file": pl.String(),
    "row_no": pl.Int64(),
    "column": pl.String(),
    "rule_code": pl.String(),
    "native_ref": pl.String(),
    "sentence": pl.String(),
}
"""One row per value that could not be read: kind of file, file, row (from 1, below the header), column, code, the row's number or reference, sentence."""

_SHOWN: Final = {
    "orders": ("order_number",),
    "lines": ("order_number",),
    "payments": ("payment_ref", "order_number"),
    "refunds": ("refund_ref", "order_number"),
    "invoices": ("invoice_number", "reference"),
    "receipts": ("receipt_ref", "reference"),
    "credit_memos": ("credit_memo_number", "reference"),
}


@dataclass
class Tally:
    """Rows of one subject: read, taken in, held."""

    subject: str
    read: int = 0
    taken: int = 0
    held: int = 0


@dataclass
class Tables:
    """`core` tables as lazy Parquet scans, per slice where they belong to orders; the problems; the tallies."""

    folder: Path
    slices: int
    problems: pl.DataFrame
    tallies: list[Tally]
    _written: dict[str, list[Path]] = field(default_factory=dict)

    def put(self, table: str, frame: pl.DataFrame, number: int = 0) -> None:
        """Keep a table's rows of one slice."""
        path = self.folder / f"{table}-{number:05d}.parquet"
        frame.write_parquet(path, compression="lz4", statistics=False)
        self._written.setdefault(table, []).append(path)

    def replace(self, table: str, frame: pl.DataFrame, number: int) -> None:
        """Keep other rows for a slice that is there already."""
        frame.write_parquet(
            self.folder / f"{table}-{number:05d}.parquet", compression="lz4", statistics=False
        )

    def scan(self, table: str, schema: Mapping[str, pl.DataType] | None = None) -> pl.LazyFrame:
        """All rows of a table; `schema` is what a table of no contract has where it has no rows."""
        paths = self._written.get(table)
        return pl.scan_parquet(paths) if paths else pl.LazyFrame(schema=dict(schema or self.schema(table)))

    def slice(self, table: str, number: int) -> pl.DataFrame:
        """The rows of one slice."""
        path = self.folder / f"{table}-{number:05d}.parquet"
        return pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=self.schema(table))

    def scan_slice(self, table: str, number: int) -> pl.LazyFrame:
        """The rows of one slice, not read yet."""
        path = self.folder / f"{table}-{number:05d}.parquet"
        return pl.scan_parquet(path) if path.exists() else pl.LazyFrame(schema=self.schema(table))

    def schema(self, table: str) -> dict[str, pl.DataType]:
        """The columns of a table as its contract has them."""
        return ALL[table].polars_schema

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.scan(table).select(pl.len()).collect().item())


def stage_files(
    texts: Mapping[str, Text], folder: Path, *, progress: Callable[[str, int, int | None], None]
) -> Tables:
    """Read every given subject into its `core` tables.

    Raises `InputError` when no row of a subject can be read, and `DoesNotFoot` should a row be neither taken in nor held.
    """
    widest = max(texts[name].rows for name in ("orders", "lines", "payments", "refunds") if name in texts)
    tables = Tables(folder, max(1, -(-widest // SLICE_ROWS)), pl.DataFrame(schema=PROBLEMS), [])
    tallies = {name: Tally(name, texts[name].rows) for name in texts}
    found: list[pl.DataFrame] = []
    _trade(texts, tables, tallies, found, progress)
    _ledger(texts, tables, tallies, found, progress)
    tables.problems = pl.concat([tables.problems, *found]).sort("subject", "file", "row_no", "column")
    tables.tallies = list(tallies.values())
    for tally in tables.tallies:
        _proved(tally, tables.problems, texts[tally.subject])
    return tables


def _proved(tally: Tally, problems: pl.DataFrame, text: Text) -> None:
    if tally.taken + tally.held != tally.read:
        raise DoesNotFoot(
            f"Of {tally.read} rows of {tally.subject}, {tally.taken} were taken in and {tally.held} held; the rest is lost. "
            "Nothing was written; this is a defect of tieout, please report it."
        )
    if tally.read and not tally.taken:
        raise _unreadable(tally, problems, text)


def _readable(tally: Tally, found: list[pl.DataFrame], text: Text) -> None:
    """Stop at the first slice of a large file of which not one row can be read: the rest is written the same way."""
    if not tally.taken and tally.held >= TRIED:
        raise _unreadable(tally, pl.concat(found).sort("subject", "file", "row_no", "column"), text)


def _unreadable(tally: Tally, problems: pl.DataFrame, text: Text) -> InputError:
    said = problems.filter(pl.col("subject") == tally.subject)["sentence"].head(3).to_list()
    hints = [note for note in text.notes if "say " in note]
    which = f"the {tally.read:,} rows" if tally.held == tally.read else f"{tally.held:,} rows tried"
    return InputError(
        f"None of {which} of {tally.subject} could be read: {'; '.join(said)}. "
        + (
            f"Hint: {'; '.join(hints)}."
            if hints
            else "Correct the file, or say in the column map how it is written."
        )
    )


# ── the storefront's side ───────────────────────────────────────────────────────────────────────────────────────


def _trade(
    texts: Mapping[str, Text],
    tables: Tables,
    tallies: dict[str, Tally],
    found: list[pl.DataFrame],
    progress: Callable[[str, int, int | None], None],
) -> None:
    cut = {
        name: slices(texts[name], tables.slices, tables.folder)
        for name in ("orders", "lines", "payments", "refunds")
        if name in texts
    }
    for number in range(tables.slices):
        part = {name: _native(name, frames[number].collect()) for name, frames in cut.items()}
        part |= {name: aligned(part[name], part["orders"]) for name in part if name != "orders"}
        _orders(texts, part, tables, tallies, found, number)
        _payments(texts, part, tables, tallies, found, number)
        for name in part:
            _readable(tallies[name], found, texts[name])
        progress("staging orders", number + 1, tables.slices)
    distinct_transactions(tables)


def _payments(
    texts: Mapping[str, Text],
    part: Mapping[str, pl.DataFrame],
    tables: Tables,
    tallies: dict[str, Tally],
    found: list[pl.DataFrame],
    number: int,
) -> None:
    paid, names = [], []
    for name, reader in (("payments", rows_of.payments), ("refunds", rows_of.refunds)):
        if name not in part:
            continue
        staged = reader(part[name], texts[name].rules, storefront=NAME, run_id=RUN)
        rows = staged["core.payments"]
        sound = rows["problem"].is_null()
        tallies[name].taken += int(sound.sum())
        tallies[name].held += int((~sound).sum())
        found.append(texts[name].where(staged.problems))
        if name == "refunds":
            # A refunds file may use the payment's own reference; the refund is a transaction of its own.
            rows = rows.with_columns(transaction_ref=pl.format("refund {}", "transaction_ref"))
        # How each row is found again among all rows of its file, whichever slice they are in.
        names.append(
            pl.select(
                is_refund=pl.lit(name == "refunds"), ref=rows["payment_ref"].hash(seed=11), row_no=part[name]["row_no"], is_kept=sound
            )
        )  # fmt: skip
        paid.append(rows.filter(sound))
    if paid:
        tables.put("core.payments", pl.concat(paid), number)
        tables.put(TRANSACTIONS, pl.concat(names), number)


def _native(subject: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with the reference by which a problem names them."""
    shown = [pl.col(name) for name in _SHOWN[subject] if name in frame.columns]
    row = pl.format("row {}", "row_no")
    return frame.with_columns(native_ref=pl.coalesce(*shown, row) if shown else row)


def _orders(
    texts: Mapping[str, Text],
    part: Mapping[str, pl.DataFrame],
    tables: Tables,
    tallies: dict[str, Tally],
    found: list[pl.DataFrame],
    number: int,
) -> None:
    text, lines = texts["orders"], texts.get("lines")
    staged = rows_of.orders(
        part["orders"],
        text.rules,
        storefront=NAME,
        run_id=RUN,
        lines=part.get("lines"),
        line_rules=lines.rules if lines else None,
    )
    orders, detail = staged["core.orders"], staged["core.order_lines"]
    of_lines = staged.problems.filter(pl.col("subject") == "lines")
    of_orders = staged.problems.filter(pl.col("subject") != "lines")
    held_rows = (
        int(staged.problems["row_no"].n_unique()) if lines is None else int(of_orders["row_no"].n_unique())
    )
    if text.rules.rows == "line":
        # A row is an order's header, a line of it, or both; held are the rows that a problem names.
        tallies["orders"].held += held_rows
        tallies["orders"].taken += part["orders"].height - held_rows
    else:
        bad = int(orders["problem"].is_not_null().sum())
        tallies["orders"].held += bad
        tallies["orders"].taken += orders.height - bad
    if lines is not None:
        held = int(of_lines["row_no"].n_unique())
        blank = _blank(part["lines"])
        read = int(detail["line_ref"].str.starts_with("row ").sum())
        tallies["lines"].held += held
        tallies["lines"].taken += read + blank
        found.append(lines.where(of_lines))
        found.append(text.where(of_orders))
    else:
        found.append(text.where(staged.problems))
    # An amount in no known currency cannot even be shown; such an order is in the problems and nowhere else.
    lost = orders.filter(~pl.col("currency").is_in(list(known_currencies())))
    keys = ["storefront", "order_ref"]
    tables.put("core.orders", orders.join(lost, on=keys, how="anti"), number)
    tables.put("core.order_lines", detail.join(lost, on=keys, how="anti"), number)
    tables.put("core.order_tenders", staged["core.order_tenders"].join(lost, on=keys, how="anti"), number)


def _blank(lines: pl.DataFrame) -> int:
    """Rows of a lines file that state nothing about a line; they are passed over and count as taken in."""
    given = [
        name
        for name in lines.columns
        if name in rows_of.LINE_COLUMNS or name.split("__")[0] in rows_of.LINE_COLUMNS
    ]
    if not given:
        return lines.height
    empty = pl.all_horizontal(pl.col(name).str.strip_chars().fill_null("") == "" for name in given)
    return int(lines.select(empty.sum()).item())


def distinct_transactions(tables: Tables) -> None:
    """Rows with one reference are transactions of their own, numbered as they stand in their file (`p1`, `p1#2`), whichever slices they are in."""
    if tables.slices == 1:
        return
    key = ["is_refund", "ref"]
    rows = tables.scan(TRANSACTIONS, {"is_refund": pl.Boolean(), "ref": pl.UInt64(), "row_no": pl.Int64()})
    every = rows.select(*key, "row_no").collect()
    twice = every.filter(pl.struct(key).is_duplicated()).sort("row_no")
    if twice.is_empty():
        return
    numbers = twice.with_columns(nth=pl.int_range(1, pl.len() + 1).over(key))
    for number in range(tables.slices):
        there = tables.slice(TRANSACTIONS, number).filter("is_kept").select(*key, "row_no")
        nth = there.join(numbers, on=[*key, "row_no"], how="left", maintain_order="left")["nth"]
        own = pl.when(nth > 1).then(pl.format("{}#{}", "payment_ref", nth)).otherwise("payment_ref")
        told = pl.when(there["is_refund"]).then(pl.format("refund {}", own)).otherwise(own)
        tables.replace(
            "core.payments", tables.slice("core.payments", number).with_columns(transaction_ref=told), number
        )


# ── the ledger's side ───────────────────────────────────────────────────────────────────────────────────────────


def _ledger(
    texts: Mapping[str, Text],
    tables: Tables,
    tallies: dict[str, Tally],
    found: list[pl.DataFrame],
    progress: Callable[[str, int, int | None], None],
) -> None:
    readers: Mapping[str, Callable[..., Staged]] = {
        "invoices": rows_of.invoices,
        "credit_memos": rows_of.credit_memos,
        "receipts": rows_of.receipts,
    }
    for place, (name, reader) in enumerate(readers.items()):
        if name not in texts:
            continue
        text = texts[name]
        count = max(1, -(-text.rows // SLICE_ROWS))
        more = {"names_invoices": _names_invoices(text)} if name == "receipts" else {}
        for number, frame in enumerate(slices(text, count, tables.folder)):
            part = _native(name, frame.collect())
            staged = reader(part, text.rules, run_id=RUN, **more)
            held = int(staged.problems["row_no"].n_unique())
            tallies[name].held += held
            tallies[name].taken += _taken(name, staged, text, part.height - held)
            found.append(text.where(staged.problems))
            for table, rows in staged.frames.items():
                tables.put(table, rows, place * 10_000 + number)
            _readable(tallies[name], found, text)
            progress(f"staging {name.replace('_', ' ')}", number + 1, count)


def _names_invoices(text: Text) -> bool:
    """Whether any row of the receipts says which invoice it pays."""
    name = "invoice_number"
    if name in text.rules.constants or name not in text.frame.collect_schema():
        return name in text.rules.constants
    said = pl.col(name).str.strip_chars().fill_null("") != ""
    return bool(text.frame.select(said.any()).collect(engine="streaming").item())


def _taken(name: str, staged: Staged, text: Text, by_difference: int) -> int:
    """Rows that stand in a table, counted there: documents of a file with one row each, lines of a file with several.

    Receipts are summed over their rows, so theirs are the rows without a problem."""
    if name == "receipts":
        return by_difference
    if text.rules.rows != "line":
        return staged["core.ar_invoices" if name == "invoices" else "core.ar_adjustments"].height
    refs = staged["core.ar_lines"]["line_ref"]
    return int(refs.str.contains(r"/row \d+$").sum())
