"""How fast the warehouse lands, ingests, reads back, merges and drains: `python tests/bench/bench_warehouse.py [records]`.

Beside each figure stands the least DuckDB could do with the same rows in the same run: a bare bulk read, a bare join.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from checks.contracts import ALL
from tieout.warehouse import outbox
from tieout.warehouse.landing import LandingWriter
from tieout.warehouse.outbox import Result
from tieout.warehouse.store import Warehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rec:
    native_ref: str
    version: int
    updated_at: datetime
    payload: bytes
    problem: str | None = None


def timed(name: str, rows: int, work: Callable[[], Any]) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    made = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{name:<44} {rows:>10,} rows {seconds:>8.2f} s {cpu:>8.2f} s cpu {rows / seconds:>12,.0f} rows/s",
        flush=True,
    )
    return made


def orders(count: int, version: int = 1) -> Iterator[Rec]:
    line = {
        "sku": "MUG-0001",
        "name": "Mug, blue",
        "price": {"centAmount": 1999, "currencyCode": "USD", "fractionDigits": 2},
    }
    body = json.dumps({"lineItems": [line] * 12, "orderState": "Complete"})[1:]
    for n in range(count):
        text = f'{{"id":"order-{n:09d}","version":{version},"total":{n % 99_999},{body}'
        yield Rec(f"order-{n:09d}", version, NOW, text.encode())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    folder = Path(tempfile.mkdtemp(prefix="bench-warehouse-"))
    try:
        store = Warehouse(folder / "data")
        store.ensure({name: table.empty() for name, table in ALL.items()})
        raw(store, count)
        files(store, folder, count)
        merging(store, count)
        draining(store, min(count, 20_000))
        size = store.path.stat().st_size
        timed("snapshot published", size, store.publish_snapshot)
        print(
            f"warehouse file {size / 1e6:,.0f} MB, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
        )
    finally:
        shutil.rmtree(folder)


def raw(store: Warehouse, count: int) -> None:
    def land(run: str, records: Iterator[Rec]) -> Any:
        writer = LandingWriter(store.landing_folder, "shop", "orders", run, clock=lambda: NOW)
        writer.write(records)
        return writer.finish()

    def ingest(landing: Any) -> None:
        with store.write(run_id="bench") as session:
            session.ingest(landing, table="raw.shop__orders")

    def read_back(since: int | None) -> None:
        with store.read() as session:
            for _ in session.raw_iter("raw.shop__orders", since, chunk_rows=50_000):
                pass

    print(f"payload {len(next(orders(1)).payload):,} bytes")
    landing = timed("land (gzip NDJSON, hashed)", count, lambda: land("r1", orders(count)))
    names = [str(path) for path in landing.paths]
    timed(
        "  bare bulk read of the same files",
        count,
        lambda: duckdb.connect().execute(
            "CREATE TABLE t AS SELECT * FROM read_json($files, format='newline_delimited', columns={native_ref:'VARCHAR', payload:'VARCHAR'})",
            {"files": names},
        ),
    )
    timed("ingest, all new", count, lambda: ingest(landing))
    timed("ingest, all known already", count, lambda: ingest(landing))
    tenth = land("r2", orders(count // 10, version=2))
    timed("ingest, a tenth as new versions", count // 10, lambda: ingest(tenth))
    timed("read newest of everything in chunks", count, lambda: read_back(None))
    timed("read newest of what changed", count // 10, lambda: read_back(2))


def files(store: Warehouse, folder: Path, count: int) -> None:
    path = folder / "lines.csv"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT 'N' || range // 3 AS order_number, 'SKU-' || range % 500 AS sku, (range % 9000) || '.25' AS net, '1' AS quantity FROM range({count * 5})) TO '{path}' (HEADER)"
        )
    header = ["order_number", "sku", "net", "quantity"]
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in header) + "}"
    timed(
        "  bare read of the same CSV",
        count * 5,
        lambda: duckdb.connect().execute(
            f"CREATE TABLE t AS SELECT * FROM read_csv('{path}', columns={columns}, auto_detect=false, header=true)"
        ),
    )

    def take(run: str) -> None:
        with store.write(run_id=run) as session:
            session.ingest_file(
                path, "csv", "raw.file__lines", source="file", subject="lines", header=header, run_id=run,
                fetched_at=NOW, key_columns=["order_number"],
            )  # fmt: skip

    timed("plain file, all new", count * 5, lambda: take("f1"))
    timed("plain file, all known already", count * 5, lambda: take("f2"))


def merging(store: Warehouse, count: int) -> None:
    frame = pl.select(
        storefront=pl.lit("shop"),
        order_ref=pl.format("order-{}", pl.int_range(count).cast(pl.String).str.zfill(9)),
        total_minor=pl.int_range(count, dtype=pl.Int64),
        changed_at=pl.lit(NOW, dtype=pl.Datetime("us", "UTC")),
        payload_sha256=pl.format("{}", pl.int_range(count).hash()),
        run_id=pl.lit("r1"),
    ).with_columns(storefront=pl.lit("shop"))
    key = ["storefront", "order_ref"]

    def publish(rows: pl.DataFrame) -> None:
        with store.write(run_id="bench") as session:
            session.publish("core.bench", rows, key=key, mode="merge")

    def bare_join() -> None:
        with store.read() as session:
            session.sql_text(
                "SELECT count(*) AS n FROM core.bench AS a JOIN new AS b USING (storefront, order_ref) WHERE a.total_minor <> b.total_minor",
                frames={"new": frame},
            )

    timed("merge, all new", count, lambda: publish(frame))
    timed("  bare join of the same rows", count, bare_join)
    timed("merge, nothing changed", count, lambda: publish(frame))
    timed(
        "merge, 1 % changed",
        count // 100,
        lambda: publish(frame.head(count // 100).with_columns(pl.col("total_minor") + 1)),
    )


def draining(store: Warehouse, count: int) -> None:
    ids = pl.select(document_id=pl.format("D{}", pl.int_range(count).cast(pl.String).str.zfill(9)))
    documents = ids.with_columns(
        kind_code=pl.lit("invoice"), revision=pl.lit(1, dtype=pl.Int64), storefront=pl.lit("shop"),
        order_ref=pl.col("document_id"), order_number=pl.col("document_id"), event_ref=pl.col("document_id"),
        entity_code=pl.lit("US"), number=pl.col("document_id"), customer_id=pl.lit("GUEST"),
        document_on=pl.lit(date(2026, 11, 1)), currency=pl.lit("USD"), total_minor=pl.lit(1000, dtype=pl.Int64),
        content_sha256=pl.col("document_id"), planned_at=pl.lit(NOW, dtype=pl.Datetime("us", "UTC")), run_id=pl.lit("r"),
    )  # fmt: skip
    documents = ALL["out.documents"].shaped(documents)
    lines = ALL["out.document_lines"].shaped(
        ids.with_columns(line_no=pl.lit(1, dtype=pl.Int64), amount_minor=pl.lit(1000, dtype=pl.Int64))
    )

    def plan() -> None:
        with store.write(run_id="p") as session:
            outbox.plan(session, documents, lines, now=NOW, run_id="p")

    def drain(batches: int) -> None:
        for n in range(batches):
            tell = {"now": NOW + timedelta(seconds=n), "run_id": "d"}
            with store.write(run_id="d") as session:
                claim = outbox.claim(
                    session, kind="invoice", entity="US", limit=99, lease_seconds=600, namespace="b", **tell
                )
            assert claim is not None
            results = [Result(one, "accepted", f"K{one}") for one in claim.documents["document_id"]]
            with store.write(run_id="d") as session:
                outbox.settle(session, claim.batch_id, results, **tell)

    timed("outbox, plan", count, plan)
    timed("outbox, plan again (nothing new)", count, plan)
    timed("outbox, 20 batches of 99 claimed and settled", 20 * 99, lambda: drain(20))


if __name__ == "__main__":
    main()
