"""Rows of plain files: in which file and row a record stands, and rows without a number that are there no more.

A row that lacks its order number is known by its place among such rows only. Once it has its number it lands as another record, so the one
it was must be taken back.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from flows.sources.intacct import TOMBSTONE
from flows.sources.taking import table_of
from tieout.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.wiring import House
    from tieout.connectors.storefronts.files import FileBatch
    from tieout.warehouse.session import Session
    from transforms.staged import Staged

FILE_KEYS = {
    "orders": ("order_number",),
    "lines": ("order_number",),
    "payments": ("payment_ref",),
    "refunds": ("refund_ref",),
    "payouts": ("payout_ref", "payment_ref", "kind"),
    "stock": ("sku", "location"),
}
"""Columns that identify a row of a plain file; a further row of the same key is told apart by its place among them."""
_NAMELESS: Final = r"^\s*(#\d+)?$"
_OF_ORDERS: Final = (
    "core.orders",
    "core.order_lines",
    "core.order_payments",
    "core.order_tenders",
    "core.shipments",
    "core.returns",
)
WITHOUT_NUMBER: Final = "without number"
"""Beginning of the `order_ref` of an order whose row has no number."""


def row_refs(batch: FileBatch, keys: Sequence[str]) -> pl.DataFrame:
    """`native_ref` and `row_no` (from 1) of every row of a file, as it lands: its keys, with `#2` and so on for further rows of the same."""
    if batch.format == "csv":
        frame = pl.scan_csv(batch.path, infer_schema=False, new_columns=batch.header, raise_if_empty=False)
    else:
        frame = pl.scan_parquet(batch.path)
        frame = frame.rename(dict(zip(frame.collect_schema().names(), batch.header, strict=True)))
    key = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in keys], separator="|")
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("key")
    return (
        frame.select(key=key)
        .with_columns(row_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
        .with_columns(place=place)
        .select(
            native_ref=pl.when(pl.col("place") == 1)
            .then("key")
            .otherwise(pl.format("{}#{}", "key", "place")),
            row_no="row_no",
        )
        .collect()
    )


def take_back(house: House, run_id: str, source: str, subject: str, present: Sequence[pl.DataFrame]) -> int:
    """Land a tombstone for each row without a number that no file has any more; returns how many. `present` are `row_refs` of all files."""
    table = table_of(source, subject)
    with house.warehouse.read() as session:
        if not session.exists(table):
            return 0
        landed = session.fetch(table, columns=["native_ref", "payload", "landing_no"])
    newest = (
        landed.filter(pl.col("native_ref").str.contains(_NAMELESS))
        .sort("landing_no")
        .unique("native_ref", keep="last", maintain_order=True)
        .filter(~pl.col("payload").str.contains(f'"{TOMBSTONE}"', literal=True))
    )
    there = pl.concat(
        [pl.DataFrame(schema={"native_ref": pl.String}), *(one.select("native_ref") for one in present)]
    )
    gone = newest.join(there, on="native_ref", how="anti")["native_ref"].to_list()
    if not gone:
        return 0
    now = house.clock()
    stones = pl.DataFrame({"ref": gone}).with_columns(
        pl.lit("true").alias(TOMBSTONE), AT=pl.lit(now.isoformat())
    )
    # As a file of its own: a row without a number may have an empty reference, which no other landing takes.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gone.csv"
        stones.write_csv(path)
        with house.warehouse.write(run_id=run_id) as session:
            session.ingest_file(
                path, "csv", table, source=source, subject=subject, header=stones.columns, run_id=run_id, fetched_at=now,
                key_columns=["ref"],
            )  # fmt: skip
    return len(gone)


def forget(session: Session, source: str, gone: pl.DataFrame) -> int:
    """Take the orders of rows without a number that are gone out of `core`; returns how many rows went."""
    refs = gone.filter(pl.col("native_ref").str.contains(_NAMELESS)).select(
        storefront=pl.lit(source), order_ref=pl.format("{}{}", pl.lit(WITHOUT_NUMBER), "native_ref")
    )
    return sum(int(session.delete(table, scope=refs)) for table in _OF_ORDERS) if refs.height else 0


def located(house: House, name: str, subject: str, staged: Staged) -> Staged:
    """What was staged, with file and row in front of what each problem says; as it is where the files are not there to look at."""
    from transforms.staged import Staged as Whole

    if staged.problems.is_empty():
        return staged
    wanted = staged.problems.select("native_ref").drop_nulls().unique()
    places = _places(house, name, subject, wanted)
    if places.is_empty():
        return staged
    problems = _prefixed(staged.problems.join(places, on="native_ref", how="left", maintain_order="left"))
    frames: dict[str, Any] = dict(staged.frames)
    if subject == "orders":
        orders = frames["core.orders"].with_columns(
            native_ref=pl.col("order_ref").str.strip_prefix(WITHOUT_NUMBER)
        )
        frames["core.orders"] = _prefixed(
            orders.join(places, on="native_ref", how="left", maintain_order="left")
        ).drop("native_ref")
    return Whole(frames, problems)


def _prefixed(rows: pl.DataFrame) -> pl.DataFrame:
    """`code: sentence` as `code: file row n: sentence`, where the place is known."""
    # Rows are counted within what landed together, which is no row of a file.
    said = pl.col("problem").str.replace(r"^([a-z_]+): ", "").str.replace_all(r"\brow \d+: ", "")
    code = pl.col("problem").str.extract(r"^([a-z_]+): ", 1)
    told = pl.format("{}: {}: {}", code, "place", said)
    return rows.with_columns(
        problem=pl.when(pl.col("place").is_not_null() & code.is_not_null()).then(told).otherwise("problem")
    ).drop("place")


def _places(house: House, name: str, subject: str, wanted: pl.DataFrame) -> pl.DataFrame:
    """`native_ref` and `place` ("orders.csv row 2") of the rows wanted; of a row that stands in several files the first."""
    found = [pl.DataFrame(schema={"native_ref": pl.String, "place": pl.String})]
    try:
        with house.storefront(name) as courier:
            for batch in courier.open(subject):
                known = [key for key in FILE_KEYS[subject] if key in batch.header]
                if not known:
                    continue
                rows = row_refs(batch, known).join(wanted, on="native_ref", how="semi")
                found.append(
                    rows.select(
                        "native_ref", place=pl.format("{} row {}", pl.lit(batch.original.name), "row_no")
                    )
                )
    except (InputError, OSError):
        return found[0]
    return pl.concat(found).unique("native_ref", keep="first", maintain_order=True)
