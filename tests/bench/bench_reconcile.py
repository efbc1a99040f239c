"""How fast the reconciliation is, beside hand-written DuckDB queries with the same outcomes and a bare join, in the same run.

    python tests/bench/bench_reconcile.py --orders 1000000 [--repeat 3] [--buckets 3]

Makes its own frames (seeded, 3 % with planted faults of fifteen kinds, and 2 % of the receipts with five more), checks that both give every
row the same outcome, and prints orders per second, peak memory of each in a process of its own, and the ratios: orders against invoices, and
the whole with payments, receipts and what they are applied to. Beside them: the whole read from and written to Parquet part by part, in
bounded memory, beside DuckDB that reads and writes the same files within `HAND_WRITTEN_GB`; and the whole made again after the invoices of
one order in a hundred were edited. Of more orders than `IN_MEMORY` only those from Parquet to Parquet are compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from flows.comparing.shelving import FolderShelf, ParquetSink  # noqa: E402, I001  (the room of flows says how polars keeps memory, before polars is read)
import polars as pl  # noqa: E402
from tieout.vocabulary import COMPONENTS  # noqa: E402
from transforms.abreast import abreast  # noqa: E402
from transforms.reconcile import Inputs, Period, Policy, proofs, reconcile, reconcile_streamed  # noqa: E402
from transforms.reconcile.again import Changes, Kept, compared_again, compared_to_keep  # noqa: E402
from transforms.reconcile.matching import match  # noqa: E402
from transforms.reconcile.orders import order_rows, settled_orders  # noqa: E402
from transforms.reconcile.parts import parted  # noqa: E402
from transforms.reconcile.proposals import open_sides, proposals  # noqa: E402
from transforms.reconcile.streams import Collected, Cut, InMind  # noqa: E402

FAULTS = (
    "missing_invoice", "duplicate_invoice", "missing_order", "amount_goods", "amount_tax", "amount_shipping", "amount_discount", "customer",
    "currency", "entity", "cut_off", "cancelled_but_invoiced", "refund_without_credit_memo", "credit_memo_without_refund", "over_invoiced",
)  # fmt: skip
FAULTY_PERCENT = 3
IN_MEMORY = 3_000_000
SLICE = 1_000_000
HAND_WRITTEN_GB = 8
"""What the hand-written query may hold in memory while it reads and writes Parquet; the rest goes to its spill folder."""
SQL = Path(__file__).parent / "sql"


def mixed(salt: int) -> pl.Expr:
    """A repeatable number for each order, spread evenly (multiplicative hashing; no chance is involved)."""
    return (pl.col("i") * 2_654_435_761 + salt * 40_503 * 977) % 4_294_967_291


def world(orders: int, start: int = 0, stop: int | None = None) -> dict[str, pl.DataFrame]:
    """Seeded frames of both sides: 2.5 lines an order, some refunds, cancelled and open orders, and the planted faults.

    Of `orders` in all, those from `start` to before `stop`.
    """
    numbers = pl.arange(start, orders if stop is None else stop, eager=True, dtype=pl.Int64)
    base = pl.DataFrame({"i": numbers}).with_columns(
        pick=mixed(1) % 10_000, kind=mixed(2) % len(FAULTS), goods=2000 + mixed(3) % 20_000, shipping=400 + mixed(4) % 500, less=100 + mixed(5) % 300,
        life=mixed(6) % 100, store=mixed(7) % 2,
    )  # fmt: skip
    faulty = pl.col("pick") < FAULTY_PERCENT * 100
    base = base.with_columns(
        fault=pl.when(faulty).then(pl.col("kind").replace_strict(dict(enumerate(FAULTS)), return_dtype=pl.String)).otherwise(pl.lit("")),
        discount=-pl.col("less"), tax=(pl.col("goods") * 8875 // 100_000),
    ).with_columns(
        state=pl.when(pl.col("fault") == "cancelled_but_invoiced").then(pl.lit("cancelled"))
        .when(pl.col("fault") != "").then(pl.lit("complete"))
        .when(pl.col("life") < 4).then(pl.lit("cancelled")).when(pl.col("life") < 10).then(pl.lit("open")).otherwise(pl.lit("complete")),
        total=pl.col("goods") + pl.col("shipping") + pl.col("discount") + pl.col("tax"),
        refunds=((pl.col("fault") == "") & (pl.col("life") >= 94)) | (pl.col("fault") == "refund_without_credit_memo"),
        day=pl.lit(date(2026, 9, 1)) + pl.duration(days=mixed(8) % 55),
        ref=pl.concat_str(mixed(9).cast(pl.String).str.zfill(10), pl.lit("-4c2b-9a10-"), pl.col("i").cast(pl.String).str.zfill(12)),
        number=pl.concat_str(pl.lit("W"), (pl.col("i") + 100_000).cast(pl.String)), entity=pl.when(pl.col("store") == 0).then(pl.lit("E100")).otherwise(pl.lit("E200")),
        currency=pl.when(pl.col("store") == 0).then(pl.lit("USD")).otherwise(pl.lit("EUR")), customer=pl.concat_str(pl.lit("c"), (mixed(10) % (orders // 2 + 1)).cast(pl.String)),
    )  # fmt: skip
    fault = pl.col("fault")
    lives = base.filter(fault != "missing_order")
    sold = lives.filter(pl.col("state") == "complete")
    zero = [
        pl.lit(0, pl.Int64).alias(f"{c}_minor")
        for c in COMPONENTS
        if c not in ("goods", "shipping", "discount", "tax")
    ]
    parts = [pl.col(c).alias(f"{c}_minor") for c in ("goods", "shipping", "discount", "tax")]
    event = [pl.lit("shop").alias("storefront"), pl.col("ref").alias("order_ref"), pl.col("number").alias("order_number"),
             pl.col("entity").alias("entity_code"), "currency"]  # fmt: skip
    sales = sold.select(
        *event,
        pl.lit("sale").alias("event_code"),
        pl.lit("s1").alias("event_ref"),
        pl.col("day").alias("owed_on"),
        *parts,
        *zero,
        pl.col("total").alias("total_minor"),
    )
    back = (pl.col("goods") // 2).alias("goods")
    given = sold.filter("refunds").select(
        *event, pl.lit("credit").alias("event_code"), pl.lit("r1").alias("event_ref"), pl.col("day").alias("owed_on"), -back.alias("goods_minor"),
        *[pl.lit(0, pl.Int64).alias(f"{c}_minor") for c in ("shipping", "discount", "tax")], *zero, -back.alias("total_minor"),
    )  # fmt: skip
    # What the ledger holds: one invoice per sale, changed by the fault.
    billed = base.filter(((pl.col("state") == "complete") | (fault == "cancelled_but_invoiced")) & (fault != "missing_invoice")).with_columns(
        goods=pl.col("goods") + pl.when(fault == "amount_goods").then(500).otherwise(0),
        tax=pl.col("tax") - pl.when(fault == "amount_tax").then(150).otherwise(0),
        shipping=pl.col("shipping") + pl.when(fault == "amount_shipping").then(77).otherwise(0),
        discount=pl.when(fault == "amount_discount").then(0).otherwise("discount"),
        currency=pl.when(fault == "currency").then(pl.lit("GBP")).otherwise("currency"),
        entity=pl.when(fault == "entity").then(pl.lit("E900")).otherwise("entity"),
        customer=pl.when(fault == "customer").then(pl.lit("Cx")).otherwise(pl.col("customer").str.to_uppercase()),
        day=pl.when(fault == "cut_off").then(pl.lit(date(2026, 11, 1))).otherwise("day"), copy=pl.lit(0),
    )  # fmt: skip
    more = billed.filter(fault.is_in(["duplicate_invoice", "over_invoiced"])).with_columns(
        copy=pl.lit(1), goods=pl.col("goods") - pl.when(fault == "over_invoiced").then(1000).otherwise(0)
    )
    invoices = pl.concat([billed, more]).with_columns(
        invoice_ref=(pl.col("i") * 2 + pl.col("copy")).cast(pl.String),
        total_minor=pl.sum_horizontal("goods", "shipping", "discount", "tax"),
    )
    memos = base.filter(
        ((pl.col("state") == "complete") & pl.col("refunds") & (fault == ""))
        | (fault == "credit_memo_without_refund")
    ).with_columns(adjustment_ref=pl.col("i").cast(pl.String), goods=-back)
    document = [pl.col("number").alias("reference"), pl.col("entity").alias("entity_code"), "currency", pl.lit("Posted").alias("state_code"), pl.col("day").alias("posted_on"),
                pl.lit(False).alias("is_deleted")]  # fmt: skip
    lines = pl.concat(
        [
            *(invoices.filter(pl.col(c) != 0).select(pl.lit("invoice").alias("document_kind"), pl.col("invoice_ref").alias("document_ref"), pl.lit(c).alias("component_code"), pl.col(c).alias("amount_minor")) for c in ("goods", "shipping", "discount", "tax")),
            memos.select(pl.lit("adjustment").alias("document_kind"), pl.col("adjustment_ref").alias("document_ref"), pl.lit("goods").alias("component_code"), pl.col("goods").alias("amount_minor")),
        ]
    )  # fmt: skip
    instant = pl.col("day").cast(pl.Datetime("us", "UTC"))
    charged = sold.select(
        pl.lit("shop").alias("storefront"), payment_ref=pl.concat_str(pl.lit("p"), "i"), transaction_ref=pl.concat_str(pl.lit("t"), "i"), order_ref="ref", kind_code=pl.lit("charge"),
        state_code=pl.lit("success"), tender_code=pl.lit("CreditCard"), gateway_ref=pl.concat_str(pl.lit("G"), "i"), currency="currency", amount_minor="total", occurred_at=instant,
    )  # fmt: skip
    luck = mixed(12) % 1000
    paid = sold.filter(fault == "").with_columns(
        slip=pl.when(luck < 4).then(pl.lit("short")).when(luck < 8).then(pl.lit("twice")).when(luck < 12).then(pl.lit("none"))
        .when(luck < 16).then(pl.lit("unapplied")).when(luck < 20).then(pl.lit("stranger")).otherwise(pl.lit("")), again=pl.lit(""),
    ).filter(pl.col("slip") != "none")  # fmt: skip
    paid = pl.concat([paid, paid.filter(pl.col("slip") == "twice").with_columns(again=pl.lit("b"))])
    paid = paid.with_columns(
        receipt_ref=pl.concat_str(pl.lit("9"), "i", "again"),
        money=pl.col("total") - pl.when(pl.col("slip") == "short").then(100).otherwise(0),
    )
    received = paid.select(
        "receipt_ref", reference=pl.concat_str(pl.when(pl.col("slip") == "stranger").then(pl.lit("X")).otherwise(pl.lit("G")), "i"), entity_code="entity",
        customer_id=pl.col("customer").str.to_uppercase(), currency="currency", state_code=pl.lit("Complete"), received_on="day", total_minor="money",
        is_deleted=pl.lit(False),
    )  # fmt: skip
    applied = paid.filter((pl.col("again") == "") & (pl.col("slip") != "unapplied")).select(
        application_ref=pl.concat_str(pl.lit("a"), "i"), receipt_ref="receipt_ref", invoice_ref=(pl.col("i") * 2).cast(pl.String), amount_minor="money", credit_minor=pl.lit(0, pl.Int64), applied_on="day",
    )  # fmt: skip
    frames = {
        "orders": lives.select(
            pl.lit("shop").alias("storefront"), pl.col("ref").alias("order_ref"), pl.col("number").alias("order_number"), pl.when(pl.col("store") == 0).then(pl.lit("us")).otherwise(pl.lit("eu")).alias("store_ref"),
            pl.col("customer").alias("customer_ref"), pl.concat_str(pl.lit("Customer "), "customer").alias("customer_name"), pl.col("state").alias("status_code"), instant.alias("placed_at"), "currency",
            pl.col("total").alias("total_minor"), pl.lit(False).alias("is_test"), pl.lit(False).alias("tax_included"),
        ),
        "owed": pl.concat([sales, given]),
        "stores": pl.DataFrame({"storefront": ["shop", "shop"], "store_ref": ["us", "eu"], "entity_code": ["E100", "E200"], "invoice_prefix": ["U", "E"], "guest_customer_id": ["GUEST-US", "GUEST-EU"]}),
        "customer_ids": base.select(pl.lit("shop").alias("storefront"), pl.col("customer").alias("customer_ref"), pl.col("customer").str.to_uppercase().alias("customer_id")).unique(),
        "ar_invoices": invoices.select("invoice_ref", pl.concat_str(pl.lit("U"), "number", pl.when(pl.col("copy") == 1).then(pl.lit("-2")).otherwise(pl.lit(""))).alias("invoice_number"),
                                       pl.col("customer").alias("customer_id"), "total_minor", *document),
        "ar_adjustments": memos.select("adjustment_ref", pl.concat_str(pl.lit("CM"), "number").alias("adjustment_number"), pl.col("customer").str.to_uppercase().alias("customer_id"), pl.col("goods").alias("total_minor"), *document),
        "ar_lines": lines, "payments": charged, "ar_receipts": received, "ar_applications": applied,
    }  # fmt: skip
    # Rows arrive in no order.
    return {name: frame.sample(fraction=1.0, shuffle=True, seed=7) for name, frame in frames.items()}


DIGESTED = (
    "group_ref",
    "entity_code",
    "currency",
    "delta_minor",
    "period_expected_minor",
    "period_actual_minor",
    "outcome_code",
)


def digest(rows: pl.DataFrame) -> str:
    """One number for all outcomes: which row, what difference, in the period and in all, which code."""
    text = pl.concat_str(DIGESTED, separator="|")
    return str(rows.select(text.hash(11).cast(pl.Decimal(38, 0)).sum()).item())


def peak_mb() -> float:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # The resource counter is inherited from the process that started this one; the high-water mark of the mapping is not.
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def orders_alone(inputs: Inputs, policy: Policy) -> pl.DataFrame:
    """The first tie-out by itself, as the whole does it: part by part, then what looks across all parts."""
    parts = list(
        abreast(
            lambda part: order_rows(part, match(part, policy), policy), parted(inputs, policy), policy.abreast
        )
    )
    sides = [open_sides(rows) for rows in parts]
    offers = proposals(pl.concat(one for one, _ in sides), pl.concat(one for _, one in sides), policy)
    decisions = inputs.take("decisions")
    settle = partial(settled_orders, refused=[], offers=offers, decisions=decisions)
    return pl.concat(abreast(settle, parts, policy.abreast))


def laid(orders: int, folder: Path) -> None:
    """The frames as Parquet files, made slice by slice, so that making them needs no more memory than comparing them."""
    slices = folder / "slices"
    slices.mkdir()
    for number, start in enumerate(range(0, orders, SLICE)):
        for table, frame in world(orders, start, min(start + SLICE, orders)).items():
            frame.write_parquet(slices / f"{table}-{number:03d}.parquet")
    for table in {path.name.rpartition("-")[0] for path in slices.iterdir()}:
        rows = pl.scan_parquet(sorted(slices.glob(f"{table}-*.parquet")))
        rows = rows.unique() if table in ("stores", "customer_ids") else rows
        rows.sink_parquet(folder / f"{table}.parquet")
    for path in slices.iterdir():
        path.unlink()
    slices.rmdir()


def query_of(job: str) -> str:
    """The hand-written query of a job."""
    name = {"duckdb": "reconcile", "duckdb_whole": "whole", "duckdb_written": "whole", "join": "join"}[job]
    text = (SQL / f"{name}.sql").read_text()
    return text.replace("{{reconcile}}", (SQL / "reconcile.sql").read_text())


def written(folder: Path) -> tuple[dict[str, Any], pl.LazyFrame]:
    """The hand-written query of the whole, read from Parquet and written to Parquet by DuckDB, which spills what its memory does not hold."""
    import duckdb

    out = folder / "hand-written.parquet.out"
    con = duckdb.connect()
    con.execute(f"set memory_limit = '{HAND_WRITTEN_GB}GB'")
    con.execute(f"set temp_directory = '{folder / 'spill'}'")
    con.execute("set preserve_insertion_order = false")  # its own advice for results larger than memory
    for path in sorted(folder.glob("*.parquet")):
        con.execute(f"create view {path.stem} as select * from read_parquet('{path}')")
    query = query_of("duckdb_written")
    # Sums of whole numbers are HUGEINT, which Parquet has not: they would be written as floats.
    wide = [name for name, kind, *_ in con.execute(f"describe {query}").fetchall() if kind == "HUGEINT"]
    narrow = ", ".join(f"cast({name} as bigint) as {name}" for name in wide)
    start, busy = time.perf_counter(), time.process_time()
    con.execute(f"copy (select * replace ({narrow}) from ({query})) to '{out}' (format parquet)")
    said = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - busy}
    return said, pl.scan_parquet(out).select(*DIGESTED, "tie_out")


def streamed(folder: Path, policy: Policy) -> tuple[dict[str, Any], pl.LazyFrame]:
    """The whole, read from Parquet part by part and written to Parquet."""
    inputs = Inputs(**{path.stem: pl.scan_parquet(path) for path in sorted(folder.glob("*.parquet"))})
    work, out = folder / "shelf", folder / "out"
    for place in (work, out):
        place.mkdir()
    start, busy = time.perf_counter(), time.process_time()
    shelf = FolderShelf(work)
    told = reconcile_streamed(Cut(inputs, shelf), policy, ParquetSink(out, matches=False), shelf)
    said = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - busy}
    assert proofs(told)["difference_minor"].abs().sum() == 0, "the bench's own result does not foot"
    rows = [
        pl.scan_parquet(sorted(out.glob(f"{name}-*.parquet"))).select(*DIGESTED, tie_out=pl.lit(name))
        for name in ("orders", "payments")
    ]
    return said, pl.concat(rows)


def made_again(inputs: Inputs, policy: Policy) -> dict[str, Any]:
    """The whole, and the whole made again after one order in a hundred changed; whether that is what the whole says of the changed frames."""
    sink = Collected()
    busy = time.process_time()
    _, kept = compared_to_keep(inputs, policy, sink, InMind())
    full = time.process_time() - busy
    # What is kept lies there in the morning; laying it down is part of the night before.
    busy = time.process_time()
    rows = {name: frame.collect().lazy() for name, frame in kept.rows.items()}
    keeping = time.process_time() - busy
    kept = Kept(rows, kept.papers, kept.labels, kept.tally, kept.view, kept.prefixes)
    invoices = inputs.ar_invoices
    assert isinstance(invoices, pl.DataFrame)
    picked = pl.col("invoice_ref").cast(pl.Int64) % 200 == 0
    gone = invoices.filter(picked)
    come = gone.with_columns(pl.col("total_minor") + 7)
    start, busy = time.perf_counter(), time.process_time()
    again = compared_again(kept, Changes({"ar_invoices": gone}, {"ar_invoices": come}), inputs, policy)
    said = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - busy,
        "full_cpu": full,
        "keep_cpu": keeping,
    }
    assert again is not None
    changed = replace(inputs, ar_invoices=pl.concat([invoices.filter(~picked), come]))
    whole = reconcile(changed, policy)
    key = list(DIGESTED[:3])
    same = again.summary.waterfall.equals(whole.waterfall) and again.summary.footing.equals(whole.footing)
    for name in ("orders", "payments"):
        before, after = (pl.concat(getattr(side, name)) for side in (again.before, again.after))
        left = pl.concat(getattr(sink, name)).join(before.select(key), on=key, how="anti", nulls_equal=True)
        rows_now = pl.concat([left, after]).drop("proposal", strict=False)
        every = getattr(whole, name).drop("proposal", strict=False)
        same = same and rows_now.sort(key).equals(every.sort(key))
    return {**said, "looked_at": again.looked_at, "changed": gone.height, "same": same}


def child(job: str, folder: Path, buckets: int, repeat: int) -> None:
    """One engine in a process of its own: load (not timed), work (timed), report as JSON."""
    names = [path.stem for path in sorted(folder.glob("*.parquet"))]
    seconds, work, found = [], [], None
    before = peak_mb()
    policy = Policy(period=Period.month("2026-09"), buckets=buckets)
    if job in ("streamed", "duckdb_written"):
        told, rows = streamed(folder, policy) if job == "streamed" else written(folder)
        text = pl.concat_str(DIGESTED, separator="|")
        peak = round(peak_mb())
        sums = rows.select(text.hash(11).cast(pl.Decimal(38, 0)).sum()).collect(engine="streaming")
        sys.stdout.write(
            json.dumps({**told, "peak_mb": peak, "loaded_mb": 0, "digest": str(sums.item())}) + "\n"
        )
        return
    if job == "again":
        frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in names}
        sys.stdout.write(json.dumps(made_again(Inputs(**frames), policy)) + "\n")
        return
    if job in ("orders", "whole"):
        frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in names}
        if job == "orders":
            frames = {
                k: v for k, v in frames.items() if k not in ("payments", "ar_receipts", "ar_applications")
            }
        inputs = Inputs(**frames)
        before = peak_mb()
        for _ in range(repeat):
            start, busy = time.perf_counter(), time.process_time()
            if job == "orders":
                found = orders_alone(inputs, policy)
            else:
                result = reconcile(inputs, policy)
                keep = [*DIGESTED, "tie_out"]
                found = pl.concat(
                    rows.with_columns(tie_out=pl.lit(name)).select(keep)
                    for name, rows in (("orders", result.orders), ("payments", result.payments))
                )
            seconds.append(time.perf_counter() - start)
            work.append(time.process_time() - busy)
        if job == "whole":
            assert proofs(result)["difference_minor"].abs().sum() == 0, "the bench's own result does not foot"
    else:
        import duckdb

        con = duckdb.connect()
        for name in names:
            con.execute(f"create table {name} as select * from read_parquet('{folder / name}.parquet')")
        before = peak_mb()
        query = query_of(job)
        for _ in range(repeat):
            start, busy = time.perf_counter(), time.process_time()
            found = con.sql(query).pl()
            seconds.append(time.perf_counter() - start)
            work.append(time.process_time() - busy)
    assert found is not None
    said = {
        "seconds": statistics.median(seconds),
        "cpu": statistics.median(work),
        "peak_mb": round(peak_mb()),
        "loaded_mb": round(before),
    }
    if job != "join":
        said |= {
            "digest": digest(found),
            "rows": found.height,
            "outcomes": dict(sorted(found.group_by("outcome_code").len().iter_rows())),
        }
    sys.stdout.write(json.dumps(said) + "\n")


def main() -> None:
    """Make the frames, run each engine in turn, compare and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--buckets", type=int, default=Policy().buckets)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder, options.buckets, options.repeat)
        return
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        laid(options.orders, folder)
        said = {}
        jobs = ["join", "duckdb", "orders", "duckdb_whole", "whole", "duckdb_written", "streamed", "again"]
        if options.orders > IN_MEMORY:
            jobs = ["duckdb_written", "streamed"]
        for job in jobs:
            command = [
                sys.executable,
                __file__,
                "--child",
                job,
                "--folder",
                name,
                "--buckets",
                str(options.buckets),
                "--repeat",
                str(options.repeat),
            ]
            said[job] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    words = {
        "join": "bare join (DuckDB)",
        "duckdb": "orders against invoices, hand-written (DuckDB)",
        "duckdb_whole": "the whole, hand-written (DuckDB)",
        "orders": "orders against invoices (tieout)",
        "whole": "the whole, with proofs and evidence (tieout)",
        "duckdb_written": "the whole, Parquet to Parquet, by hand (DuckDB)",
        "streamed": "the whole, Parquet to Parquet (tieout)",
    }
    print(f"{options.orders:,} orders, median of {options.repeat}, {options.buckets} buckets")
    for job, words_ in words.items():
        if job in said:
            one = said[job]
            print(
                f"  {words_:46} {one['seconds']:7.2f} s ({one['cpu']:.2f} s of processor)  {options.orders / one['seconds']:>12,.0f} orders/s  peak {one['peak_mb']:,} MB ({one['loaded_mb']:,} MB of it inputs)"
            )
    wrong = False
    for ours, theirs, what in (
        ("orders", "duckdb", "orders"),
        ("whole", "duckdb_whole", "the whole"),
        ("streamed", "duckdb_written", "the whole, part by part"),
    ):
        if ours not in said:
            continue
        ratio = said[ours]["seconds"] / said[theirs]["seconds"]
        effort = said[ours]["cpu"] / said[theirs]["cpu"]
        same = said[ours]["digest"] == said[theirs]["digest"]
        print(
            f"  {what}: same outcome for every row: {same}; tieout / hand-written query: {ratio:.2f} by the clock, {effort:.2f} by the processor"
        )
        if not same:
            wrong = True
            print(
                f"  tieout:       {said[ours].get('outcomes')}\n  hand-written: {said[theirs].get('outcomes')}"
            )
    if "again" in said:
        one = said["again"]
        print(
            f"  made again after {one['changed']:,} invoices changed: {one['looked_at']:,} orders looked at, {one['cpu']:.2f} s of processor, {one['cpu'] / one['full_cpu']:.3f} of the whole ({one['full_cpu']:.2f} s, and {one['keep_cpu']:.2f} s to keep it); same rows and sums as the whole: {one['same']}"
        )
        wrong = wrong or not one["same"]
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
