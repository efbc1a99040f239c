"""From the wire to raw: landings on disk, bulk reads, duplicates, watermarks, plain files, and the newest version as of any instant."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import landing as raw_contract
from tieout.errors import InputError, WarehouseError
from tieout.warehouse import runs
from tieout.warehouse.ingesting import IngestCounts, Watermark
from tieout.warehouse.landing import LandingResult, LandingWriter
from tieout.warehouse.store import Warehouse

T0 = datetime(2026, 11, 1, tzinfo=UTC)
RAW = "raw.shop__orders"


@dataclass(frozen=True)
class Rec:
    native_ref: str
    payload: bytes = b"{}"
    version: int | None = None
    updated_at: datetime | None = None
    problem: str | None = None


def land(
    store: Warehouse, records: Iterable[Rec], *, run: str = "r1", at: datetime = T0, **over: object
) -> LandingResult:
    with LandingWriter(store.landing_folder, "shop", "orders", run, clock=lambda: at, **over) as writer:  # type: ignore[arg-type]
        writer.write(records)
        return writer.finish()


def take(store: Warehouse, landing: LandingResult, watermark: Watermark | None = None) -> IngestCounts:
    with store.write(run_id=landing.run_id) as session:
        return session.ingest(landing, table=RAW, watermark=watermark)


def night(store: Warehouse, records: Iterable[Rec], run: str, at: datetime = T0) -> IngestCounts:
    return take(store, land(store, records, run=run, at=at))


def newest(store: Warehouse, since: int | None = None, as_of: datetime | None = None) -> dict[str, str]:
    with store.read() as session:
        frame = session.raw_changed(RAW, since, as_of=as_of)
    return dict(frame.sort("native_ref").select("native_ref", "payload").rows())


# --- what lies on disk ------------------------------------------------------------------------------------------
def test_what_is_landed_is_what_is_in_raw_to_the_byte(warehouse: Warehouse) -> None:
    payloads = {
        "1": b'{"amount":1234567890123456.78,"rate":1.10,"big":123456789012345678901234567890}',
        "2": '{"name":"O\'Brien \u20ac \U0001f600","nul":"\\u0000","line":"\u2028"}'.encode(),
        "3": b"<html>not json</html>\r\n\ttab",
        "4": b'{ "spaces" : [ 1 , 2 ] }',
        "5": b"",
        "6": b"a\x00b",
    }
    at = datetime(2026, 11, 2, 3, 4, 5, 678901, tzinfo=UTC)
    landing = land(
        warehouse,
        [
            Rec(ref, body, version=int(ref), updated_at=at, problem="odd" if ref == "3" else None)
            for ref, body in payloads.items()
        ],
    )
    assert (landing.count, landing.max_ref, landing.max_updated_at) == (6, "6", at)
    assert take(warehouse, landing) == IngestCounts(read=6, new=6, duplicate=0, landing_no=1)
    with warehouse.read() as session:
        frame = session.fetch(RAW)
    raw_contract("shop", "orders").checked(frame, at="in raw")
    for row in frame.iter_rows(named=True):
        assert row["payload"].encode() == payloads[row["native_ref"]]
        assert row["payload_sha256"] == hashlib.sha256(payloads[row["native_ref"]]).hexdigest()
        assert row["updated_at"] == at
        assert row["fetched_at"] == T0
    assert frame.filter(pl.col("problem") == "odd")["native_ref"].to_list() == ["3"]
    assert json.loads(payloads["1"], parse_float=Decimal)["amount"] == Decimal("1234567890123456.78")


def test_bytes_that_are_no_text_are_landed_with_a_problem(warehouse: Warehouse) -> None:
    take(warehouse, land(warehouse, [Rec("1", b'{"name":"M\xfcller"}')]))
    with warehouse.read() as session:
        row = session.fetch(RAW).row(0, named=True)
    assert row["payload"] == '{"name":"M\\xfcller"}'
    assert row["problem"].startswith("payload_unreadable: ")


def test_parts_are_whole_and_the_manifest_is_the_commitment(warehouse: Warehouse) -> None:
    landing = land(warehouse, [Rec(str(n), b"{}") for n in range(25)], part_records=10)
    assert landing.part_counts == (10, 10, 5)
    assert [len(gzip.decompress(path.read_bytes()).splitlines()) for path in landing.paths] == [10, 10, 5]
    assert warehouse.pending_landings() == [landing]
    take(warehouse, landing)
    assert warehouse.pending_landings() == []


def test_a_landing_that_is_abandoned_leaves_nothing(warehouse: Warehouse) -> None:
    writer = LandingWriter(warehouse.landing_folder, "shop", "orders", "r1", part_records=2)
    with suppress(KeyboardInterrupt), writer:
        writer.write([Rec(str(n)) for n in range(5)])
        raise KeyboardInterrupt
    assert [path for path in warehouse.landing_folder.rglob("*") if path.is_file()] == []


def test_one_run_may_land_a_subject_several_times(warehouse: Warehouse) -> None:
    first, second = land(warehouse, [Rec("1")]), land(warehouse, [Rec("2")])
    assert first.landing_id != second.landing_id
    assert (take(warehouse, first).new, take(warehouse, second).new) == (1, 1)
    assert newest(warehouse) == {"1": "{}", "2": "{}"}


def test_a_writer_killed_in_the_middle_is_swept_and_never_ingested(warehouse: Warehouse) -> None:
    script = f"""
import os, signal
from pathlib import Path
from types import SimpleNamespace
from tieout.warehouse.landing import LandingWriter
writer = LandingWriter(Path({str(warehouse.landing_folder)!r}), "shop", "orders", "killed", part_records=10)
writer.write(SimpleNamespace(native_ref=str(n), version=None, updated_at=None, payload=b"{{}}", problem=None) for n in range(25))
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == -signal.SIGKILL
    left = sorted(path.name for path in warehouse.landing_folder.rglob("*") if path.is_file())
    assert len(left) == 3
    assert sum(name.endswith(".part") for name in left) == 1
    assert warehouse.pending_landings() == []
    landing = land(warehouse, [Rec("1")], run="next")
    assert not list(warehouse.landing_folder.rglob("*.part")), (
        "the dead writer's unfinished part is still there"
    )
    take(warehouse, landing)
    assert (
        warehouse.prune_landings(before=datetime.now(UTC) + timedelta(days=1)) == 4
    )  # two orphans, one part, one manifest
    assert [path for path in warehouse.landing_folder.rglob("*") if path.is_file()] == []


def test_pruning_spares_what_is_not_yet_in_raw_or_too_young(warehouse: Warehouse) -> None:
    old, young = (
        land(warehouse, [Rec("1")], run="r1"),
        land(warehouse, [Rec("2")], run="r2", at=T0 + timedelta(days=1)),
    )
    waiting = land(warehouse, [Rec("3")], run="r3")
    take(warehouse, old)
    take(warehouse, young)
    assert warehouse.prune_landings(before=T0 + timedelta(hours=1)) == 2
    assert not old.paths[0].exists()
    assert young.paths[0].exists()
    assert warehouse.pending_landings() == [waiting]
    assert take(warehouse, waiting).new == 1


def test_a_record_without_a_reference_or_with_a_naive_time_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="without any reference"):
        land(warehouse, [Rec("")])
    with pytest.raises(WarehouseError, match="without a time zone"):
        land(warehouse, [Rec("1", updated_at=datetime(2026, 1, 1))])


@pytest.mark.parametrize(("refs", "greatest"), [(["9", "10", "2"], "10"), (["b", "a"], "b"), ([], None)])
def test_the_greatest_reference_is_by_number_where_they_are_numbers(
    warehouse: Warehouse, refs: list[str], greatest: str | None
) -> None:
    assert land(warehouse, [Rec(ref) for ref in refs]).max_ref == greatest


def test_a_damaged_or_incomplete_landing_is_refused_whole(warehouse: Warehouse) -> None:
    landing = land(
        warehouse, [Rec(str(n), os.urandom(20).hex().encode()) for n in range(200)], part_records=100
    )
    lines = gzip.decompress(landing.paths[1].read_bytes()).splitlines(keepends=True)
    landing.paths[1].write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(WarehouseError, match="holds 199 records and 200 were landed"):
        take(warehouse, landing)
    landing.paths[1].write_bytes(gzip.compress(b"".join(lines))[:-900])
    with pytest.raises(WarehouseError, match=r"is damaged|holds \d+ records"):
        take(warehouse, landing)
    landing.paths[0].unlink()
    with pytest.raises(WarehouseError, match="has lost its file"):
        take(warehouse, landing)
    assert newest(warehouse) == {}


# --- duplicates and versions ------------------------------------------------------------------------------------
def test_ingesting_again_adds_nothing(warehouse: Warehouse) -> None:
    landing = land(warehouse, [Rec("1", b"a"), Rec("2", b"b"), Rec("1", b"a")])
    assert take(warehouse, landing) == IngestCounts(read=3, new=2, duplicate=1, landing_no=1)
    assert take(warehouse, landing) == IngestCounts(read=3, new=0, duplicate=3, landing_no=2)
    assert night(warehouse, [Rec("1", b"a"), Rec("3", b"c")], "r2").new == 1


def test_a_value_that_comes_back_is_not_taken_for_a_duplicate(warehouse: Warehouse) -> None:
    """Stock has no version: 5, then 4, then 5 again must end as 5."""
    for run, payload in enumerate([b"5", b"4", b"5", b"5"]):
        night(warehouse, [Rec("sku", payload)], f"r{run}", T0 + timedelta(hours=run))
    assert newest(warehouse) == {"sku": "5"}
    assert newest(warehouse, as_of=T0 + timedelta(minutes=90)) == {"sku": "4"}
    assert newest(warehouse, as_of=T0) == {"sku": "5"}
    with warehouse.read() as session:
        assert session.count(RAW) == 3, "the fourth reading brought nothing new"


def test_an_old_version_that_arrives_late_is_kept_but_never_newest(warehouse: Warehouse) -> None:
    night(warehouse, [Rec("1", b"v3", version=3)], "r1")
    night(warehouse, [Rec("1", b"v2", version=2), Rec("1", b"v3", version=3)], "r2")
    assert newest(warehouse) == {"1": "v3"}
    with warehouse.read() as session:
        assert session.count(RAW) == 2


def test_newest_goes_by_version_then_change_time_then_landing(warehouse: Warehouse) -> None:
    late, early = T0 + timedelta(seconds=1), T0
    night(
        warehouse,
        [Rec("t", b"late", updated_at=late), Rec("n", b"first"), Rec("v", b"2", version=2, updated_at=early)],
        "r1",
    )
    night(
        warehouse,
        [
            Rec("t", b"early", updated_at=early),
            Rec("n", b"second"),
            Rec("v", b"1", version=1, updated_at=late),
        ],
        "r2",
    )
    assert newest(warehouse) == {"t": "late", "n": "second", "v": "2"}


def test_only_what_changed_since_a_landing_is_read(warehouse: Warehouse) -> None:
    night(warehouse, [Rec("1", b"a", version=1), Rec("2", b"b", version=1)], "r1", T0)
    night(warehouse, [Rec("2", b"c", version=2), Rec("3", b"d", version=1)], "r2", T0 + timedelta(days=1))
    assert newest(warehouse, since=1) == {"2": "c", "3": "d"}
    assert newest(warehouse, since=2) == {}
    assert newest(warehouse, since=0, as_of=T0) == {"1": "a", "2": "b"}
    assert newest(warehouse, since=1, as_of=T0) == {}
    with warehouse.read() as session:
        assert session.last_landing(RAW) == 2
        assert session.last_landing("raw.none__orders") == 0
        assert session.raw_changed("raw.none__orders").is_empty()


def test_an_old_record_touched_by_a_stale_landing_still_yields_its_newest(warehouse: Warehouse) -> None:
    night(warehouse, [Rec("1", b"v5", version=5)], "r1")
    night(warehouse, [Rec("1", b"v4", version=4)], "r2")
    assert newest(warehouse, since=1) == {"1": "v5"}


def test_chunks_hold_every_record_once_and_bear_other_statements(warehouse: Warehouse) -> None:
    night(warehouse, [Rec(str(n), b"old", version=1) for n in range(100)], "r1")
    night(warehouse, [Rec(str(n), b"new", version=2) for n in range(0, 100, 3)], "r2")
    with warehouse.read() as session:
        sizes, seen = [], []
        for chunk in session.raw_iter(RAW, chunk_rows=30):
            session.fetch("ops.landings")
            sizes.append(chunk.height)
            seen.append(chunk)
        stopped_early = session.raw_iter(RAW, chunk_rows=30)
        next(stopped_early)
        both = pl.concat(seen)
    del stopped_early
    assert sizes == [30, 30, 30, 10]
    assert both["native_ref"].n_unique() == 100
    assert both.filter(pl.col("payload") == "new").height == 34


VERSIONS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=12)


@given(arrivals=VERSIONS, seed=st.randoms(use_true_random=False), cut=st.integers(0, 12))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_the_newest_state_does_not_depend_on_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory,
    arrivals: list[tuple[str, int]],
    seed: object,
    cut: int,
) -> None:
    shuffled = list(arrivals)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    truth = {ref: f"{ref}{max(v for r, v in arrivals if r == ref)}" for ref, _ in arrivals}
    store = Warehouse(tmp_path_factory.mktemp("order"))
    for run, part in enumerate((shuffled[:cut], shuffled[cut:])):
        night(store, [Rec(ref, f"{ref}{v}".encode(), version=v) for ref, v in part], f"r{run}")
    assert newest(store) == truth
    with store.read() as session:
        assert session.count(RAW) == len(set(arrivals))


# --- watermarks -------------------------------------------------------------------------------------------------
def mark(at: datetime | None, ref: str | None = None, run: str = "r1") -> Watermark:
    return Watermark("shop", "orders", at, ref, T0, run)


def test_the_watermark_moves_with_the_landing_and_never_back(warehouse: Warehouse) -> None:
    def now() -> Watermark | None:
        with warehouse.read() as session:
            return runs.watermark(session, "shop", "orders")

    assert now() is None
    take(warehouse, land(warehouse, [Rec("1")], run="r1"), mark(T0, "7"))
    assert now() == mark(T0, "7")
    take(warehouse, land(warehouse, [Rec("2")], run="r2"), mark(T0 - timedelta(days=3), "9", "r2"))
    assert now() == mark(T0, "9", "r2")
    take(warehouse, land(warehouse, [Rec("3")], run="r3"), mark(None, None, "r3"))
    assert now() == mark(T0, "9", "r3")
    broken = land(warehouse, [Rec("4")], run="r4")
    broken.paths[0].write_bytes(b"")
    with pytest.raises(WarehouseError):
        take(warehouse, broken, mark(T0 + timedelta(days=1), "99", "r4"))
    assert now() == mark(T0, "9", "r3"), "a landing that failed must not move the mark"


# --- plain files ------------------------------------------------------------------------------------------------
def take_file(
    store: Warehouse, path: Path, header: list[str], keys: list[str], run: str = "f1", **over: object
) -> IngestCounts:
    with store.write(run_id=run) as session:
        return session.ingest_file(
            path,
            over.get("format", "csv"),
            RAW,
            source="shop",
            subject="orders",
            header=header,
            run_id=run,  # type: ignore[arg-type]
            fetched_at=over.get("at", T0),
            key_columns=keys,  # type: ignore[arg-type]
        )


HEADER = ["order_number", "total", "note"]


def test_a_csv_becomes_one_json_object_of_texts_a_row(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "o'rders.csv"
    path.write_text(
        'Order No,"Total, gross",Note\n100,0029.90,"a ""b"",\nc"\n101,1e3,=cmd()\n102,,\u20ac\n',
        encoding="utf-8",
    )
    assert take_file(warehouse, path, HEADER, ["order_number"]) == IngestCounts(3, 3, 0, 1)
    with warehouse.read() as session:
        frame = session.raw_changed(RAW).sort("native_ref")
    raw_contract("shop", "orders").checked(frame, at="in raw")
    assert [json.loads(text) for text in frame["payload"]] == [
        {"order_number": "100", "total": "0029.90", "note": 'a "b",\nc'},
        {"order_number": "101", "total": "1e3", "note": "=cmd()"},
        {"order_number": "102", "total": None, "note": "\u20ac"},
    ]
    assert frame["native_ref"].to_list() == ["100", "101", "102"]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in frame["payload"]]
    assert frame["payload_sha256"].to_list() == hashes
    assert take_file(warehouse, path, HEADER, ["order_number"], "f2").new == 0


def test_rows_that_share_a_key_are_all_kept(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("order_number,total,note\n7,1,x\n8,2,y\n7,1,x\n7,3,z\n")
    assert take_file(warehouse, path, HEADER, ["order_number"]).new == 4
    assert sorted(newest(warehouse)) == ["7", "7#2", "7#3", "8"]
    assert take_file(warehouse, path, HEADER, ["order_number", "note"], "f2").new == 4
    assert {"7|x", "7|x#2", "7|z", "8|y"} <= newest(warehouse).keys()


def test_without_keys_a_row_is_known_by_its_number(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("order_number,total,note\n7,1,x\n7,1,x\n")
    assert take_file(warehouse, path, HEADER, []).new == 2
    assert sorted(newest(warehouse)) == ["row:1", "row:2"]


def test_a_corrected_file_that_goes_back_ends_as_the_last_one_said(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    for hour, total in enumerate(["10", "11", "10"]):
        path.write_text(f"order_number,total,note\n7,{total},x\n")
        take_file(warehouse, path, HEADER, ["order_number"], f"f{hour}", at=T0 + timedelta(hours=hour))
    assert json.loads(newest(warehouse)["7"])["total"] == "10"


def test_a_parquet_file_is_read_by_position_as_exact_text(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pl.DataFrame(
        {
            "Order #": [1234567890123456789],
            "Total": [Decimal("1234567890123456.78")],
            "When": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
        },
        schema_overrides={"Total": pl.Decimal(18, 2)},
    ).write_parquet(path)
    take_file(warehouse, path, ["order_number", "total", "placed_at"], ["order_number"], format="parquet")
    assert json.loads(newest(warehouse)["1234567890123456789"]) == {
        "order_number": "1234567890123456789",
        "total": "1234567890123456.78",
        "placed_at": "2026-01-02 03:04:05+00",
    }
    with pytest.raises(InputError, match="has 3 columns and 2 were expected"):
        take_file(warehouse, path, ["a", "b"], [], "f2", format="parquet")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,c\n1,2,3\n1,2\n", "orders.csv cannot be read as csv"),
        (b"a,b,c\n1,2,3\n1,2,3,4\n", "orders.csv cannot be read as csv"),
        (b'a,b,c\n1,"open,3\n', "orders.csv cannot be read as csv"),
        (b"a,b,c\n1,\xff\xfe,3\n", "orders.csv cannot be read as csv"),
    ],
    ids=["too few", "too many", "open quote", "not utf-8"],
)
def test_a_file_that_is_no_table_is_refused_by_name(
    warehouse: Warehouse, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        take_file(warehouse, path, HEADER, ["order_number"])
    assert error.value.exit_code == 2
    assert newest(warehouse) == {}


def test_a_header_without_rows_is_a_landing_of_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_number,total,note\n")
    assert take_file(warehouse, path, HEADER, ["order_number"]) == IngestCounts(0, 0, 0, 1)
    with pytest.raises(InputError, match="no column order_no "):
        take_file(warehouse, path, HEADER, ["order_no"])


def test_a_file_larger_than_the_memory_limit_is_spilled(tmp_path: Path) -> None:
    """About 85 MB of payloads under a limit of 100 MB."""
    path = tmp_path / "big.csv"
    rows = 250_000
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT range AS order_number, (range % 9999) || '.10' AS total, repeat(sha256(range::VARCHAR), 4) AS note FROM range({rows})) TO '{path}' (HEADER)"
        )
    store = Warehouse(tmp_path / "data", memory_limit="100MB")
    counts = take_file(store, path, HEADER, ["order_number"])
    assert counts == IngestCounts(rows, rows, 0, 1)
    with store.read() as session:
        assert sum(chunk.height for chunk in session.raw_iter(RAW, chunk_rows=50_000)) == rows
