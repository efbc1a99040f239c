"""The file under stress: two processes at once, kill -9, a full disk, damaged files, readers of the snapshot while a writer writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tieout.errors import Busy, WarehouseError
from tieout.warehouse.faults import sentence_for
from tieout.warehouse.store import Warehouse

ROOT = Path(__file__).parents[2]
FRAME = pl.DataFrame({"ref": ["1"], "amount_minor": [100]})


def child(folder: Path, body: str) -> subprocess.Popen[str]:
    """A real other process with `store` at hand; it prints what the test waits for."""
    script = (
        "import os, signal, sys, time\nfrom pathlib import Path\nimport polars as pl\n"
        "from tieout.errors import TieoutError\nfrom tieout.warehouse.store import Warehouse\n"
        f"store = Warehouse(Path({str(folder)!r}), lock_seconds=20)\n" + textwrap.dedent(body)
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def refs(store: Warehouse) -> list[str]:
    with store.read() as session:
        return sorted(session.fetch("core.t")["ref"].to_list()) if session.exists("core.t") else []


def put(store: Warehouse, ref: str) -> None:
    with store.write(run_id=f"run-{ref}") as session:
        session.publish("core.t", FRAME.with_columns(ref=pl.lit(ref)), key=["ref"], mode="merge")


# --- transactions -----------------------------------------------------------------------------------------------
def test_an_error_in_the_block_rolls_everything_back(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    with suppress(KeyboardInterrupt), warehouse.write(run_id="r") as session:
        session.publish("core.t", FRAME.with_columns(ref=pl.lit("2")), key=["ref"], mode="merge")
        session.publish("core.other", FRAME, key=["ref"], mode="merge")
        raise KeyboardInterrupt
    with warehouse.read() as session:
        assert session.fetch("core.t")["ref"].to_list() == ["1"]
        assert not session.exists("core.other")


def test_a_sitting_is_several_transactions_and_ends_with_the_first_that_fails(warehouse: Warehouse) -> None:
    put(warehouse, "before")
    with warehouse.sitting(run_id="stage"):
        put(warehouse, "first")
        assert refs(warehouse) == ["before", "first"]
        with suppress(ZeroDivisionError), warehouse.write(run_id="bad") as session:
            session.publish("core.t", FRAME, key=["ref"], mode="merge")
            raise ZeroDivisionError
        for again in (lambda: put(warehouse, "never"), lambda: refs(warehouse)):
            with pytest.raises(WarehouseError, match="sitting failed"):
                again()
    assert refs(warehouse) == ["before", "first"]
    put(warehouse, "after")
    assert refs(warehouse) == ["after", "before", "first"]


def test_nobody_else_gets_in_during_a_sitting(warehouse: Warehouse) -> None:
    put(warehouse, "before")
    other = Warehouse(warehouse.folder, lock_seconds=0.05)
    failed: list[str] = []

    def elsewhere() -> None:
        try:
            put(other, "between")
        except Busy as busy:
            failed.append(busy.sentence)

    with warehouse.sitting(run_id="stage"):
        put(warehouse, "first")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert failed
    assert "run stage" in failed[0]
    assert refs(warehouse) == ["before", "first"]


def test_a_reader_cannot_write(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    with pytest.raises(duckdb.Error, match="read-only"), warehouse.read() as session:
        session.publish("core.t", FRAME.with_columns(ref=pl.lit("2")), key=["ref"], mode="merge")
    assert refs(warehouse) == ["1"]


def test_a_failed_write_is_never_committed_even_if_its_error_is_swallowed(warehouse: Warehouse) -> None:
    put(warehouse, "1")

    def careless() -> None:
        with warehouse.write(run_id="r") as session:
            with suppress(WarehouseError):
                session.publish("core.t", FRAME, key=["ref"], mode="append")
            session.publish("core.t", FRAME.with_columns(ref=pl.lit("2")), key=["ref"], mode="merge")

    with pytest.raises(WarehouseError, match=r"carried on after a failed write .*2 rows under 1 keys"):
        careless()
    assert refs(warehouse) == ["1"]


def test_reading_before_anything_was_written_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseError, match=r"no warehouse at .* yet; run an extract"),
        Warehouse(tmp_path).read(),
    ):
        pass
    with pytest.raises(WarehouseError, match="no snapshot"):
        Warehouse(tmp_path).open_snapshot()
    with pytest.raises(WarehouseError, match="no warehouse"):
        Warehouse(tmp_path).publish_snapshot()


# --- the lock ---------------------------------------------------------------------------------------------------
def test_a_second_writer_waits_and_then_writes(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    holder = child(
        warehouse.folder,
        """
        with store.write(run_id="long-run") as session:
            session.publish("core.t", pl.DataFrame({"ref": ["child"], "amount_minor": [1]}), key=["ref"], mode="merge")
            print("in", flush=True)
            time.sleep(0.6)
        print("out", flush=True)
        """,
    )
    assert line_of(holder) == "in"
    began = time.monotonic()
    put(warehouse, "2")
    assert time.monotonic() - began > 0.3, "the second writer did not wait"
    assert refs(warehouse) == ["1", "2", "child"]
    assert holder.wait(10) == 0


def test_busy_says_who_holds_it_and_since_when(warehouse: Warehouse) -> None:
    holder = child(
        warehouse.folder,
        "with store.write(run_id='the-other-run'):\n    print('in', flush=True)\n    sys.stdin.read()",
    )
    assert line_of(holder) == "in"
    impatient = Warehouse(warehouse.folder, lock_seconds=0.1)
    for opened in (impatient.write(run_id="me"), impatient.read()):
        with (
            pytest.raises(
                Busy, match=rf"process {holder.pid} holds it for run the-other-run since 20"
            ) as said,
            opened,
        ):
            pass
        assert said.value.exit_code == 6
    # kill -9: the kernel lets the lock go, the note left in the file misleads nobody
    holder.kill()
    holder.wait(10)
    put(warehouse, "1")
    assert refs(warehouse) == ["1"]


def test_readers_share_and_writers_wait_for_them(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    reader = child(
        warehouse.folder,
        "with store.read() as s:\n    print(s.count('core.t'), flush=True)\n    sys.stdin.readline()\n    print(s.count('core.t'), flush=True)",
    )
    assert line_of(reader) == "1"
    assert refs(warehouse) == ["1"]
    with (
        pytest.raises(Busy, match="a reader holds it"),
        Warehouse(warehouse.folder, lock_seconds=0.05).write(run_id="w"),
    ):
        pass
    assert reader.stdin is not None
    reader.stdin.write("\n")
    reader.stdin.flush()
    assert line_of(reader) == "1"
    assert reader.wait(10) == 0
    put(warehouse, "2")


def test_opening_it_twice_in_one_thread_is_refused_at_once(warehouse: Warehouse) -> None:
    began = time.monotonic()
    with (
        warehouse.write(run_id="outer"),
        pytest.raises(WarehouseError, match="This thread already has"),
        warehouse.read(),
    ):
        pass
    assert time.monotonic() - began < 2


def test_threads_take_turns(warehouse: Warehouse) -> None:
    threads = [threading.Thread(target=put, args=(warehouse, f"t{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refs(warehouse) == ["t0", "t1", "t2", "t3"]


def test_a_program_outside_tieout_is_named_as_the_reason(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    stranger = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({str(warehouse.path)!r}); print('in', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert line_of(stranger) == "in"
    try:
        with pytest.raises(Busy, match=r"outside tieout.*snapshot.duckdb"), warehouse.write(run_id="r"):
            pass
    finally:
        stranger.kill()
        stranger.wait(10)


# --- kill -9 ----------------------------------------------------------------------------------------------------
def test_kill_9_never_tears_a_transaction(warehouse: Warehouse) -> None:
    """Two tables are written together, over and over, and the process is killed at no chosen moment: acknowledged pairs are there, halves are not."""
    for delay in (0.03, 0.11):
        writer = child(
            warehouse.folder,
            """
            n = 0
            while True:
                n += 1
                rows = pl.DataFrame({"ref": [f"{os.getpid()}-{n}-{i}" for i in range(5_000)], "amount_minor": range(5_000)})
                with store.write(run_id="w") as session:
                    session.publish("core.left", rows, key=["ref"], mode="append")
                    session.publish("core.right", rows, key=["ref"], mode="append")
                print(n, flush=True)
            """,
        )
        assert line_of(writer) == "1"
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        assert writer.stdout is not None
        acknowledged = 1 + len(writer.stdout.read().split())
        writer.wait(10)
        with warehouse.read() as session:
            torn = session.sql_text(
                "SELECT count(*) AS n FROM (SELECT ref FROM core.left EXCEPT SELECT ref FROM core.right UNION ALL "
                "(SELECT ref FROM core.right EXCEPT SELECT ref FROM core.left))"
            )
            whole = session.sql_text(
                "SELECT count(*) AS n FROM core.left WHERE starts_with(ref, $mine)",
                {"mine": f"{writer.pid}-"},
            )
        assert torn.item() == 0
        assert whole.item() % 5_000 == 0
        assert whole.item() >= 5_000 * acknowledged


def test_kill_9_before_commit_leaves_nothing(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    writer = child(
        warehouse.folder,
        """
        with store.write(run_id="w") as session:
            session.publish("core.t", pl.DataFrame({"ref": ["lost"], "amount_minor": [1]}), key=["ref"], mode="merge")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert writer.wait(20) == -signal.SIGKILL
    assert refs(warehouse) == ["1"]


# --- disk and file ----------------------------------------------------------------------------------------------
def test_a_full_disk_is_a_sentence_and_nothing_is_half_written(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    writer = child(
        warehouse.folder,
        """
        import resource
        size = store.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, size + 200_000))
        rows = pl.DataFrame({"ref": [os.urandom(16).hex() for _ in range(300_000)], "amount_minor": range(300_000)})
        try:
            with store.write(run_id="w") as session:
                session.publish("core.t", rows, key=["ref"], mode="append")
        except TieoutError as fault:
            print(type(fault).__name__, fault.exit_code, fault, flush=True)
        """,
    )
    out, err = writer.communicate(timeout=60)
    assert out.startswith("WarehouseError 8 "), out + err
    assert "full" in out
    assert refs(warehouse) == ["1"]


@pytest.mark.parametrize("damage", ["not a database", "flipped bits", "cut short"])
def test_a_damaged_file_is_said_to_be_damaged_and_left_as_it_is(warehouse: Warehouse, damage: str) -> None:
    put(warehouse, "1")
    content = bytearray(warehouse.path.read_bytes())
    if damage == "not a database":
        content = bytearray(b"order_number;total\n" * 500)
    elif damage == "flipped bits":
        for at in range(8192, len(content), 3000):
            content[at] ^= 0xFF
    else:
        content = content[: len(content) // 2]
    warehouse.path.write_bytes(content)
    with (
        pytest.raises(WarehouseError, match=r"damaged or not a warehouse.*backup"),
        warehouse.write(run_id="r"),
    ):
        pass
    assert warehouse.path.read_bytes() == content


def test_a_file_of_a_newer_duckdb_is_told_apart_from_a_damaged_one() -> None:
    said = duckdb.IOException(
        "IO Error: Trying to read a database file with version number 999, but we can only read versions between 64 and 68."
    )
    assert "another version of DuckDB" in str(sentence_for(said, Path("warehouse.duckdb")))


def test_a_defect_of_our_own_sql_is_not_dressed_up(warehouse: Warehouse) -> None:
    with pytest.raises(duckdb.ParserException), warehouse.write(run_id="r") as session:
        session.sql_text("SELEC 1")


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WarehouseError, match="nothing was half-written"):
        Warehouse(tmp_path / "file")
    store = Warehouse(tmp_path / "good")
    store.path.mkdir()
    with pytest.raises(WarehouseError, match="cannot be opened"), store.write(run_id="r"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_rights(warehouse: Warehouse) -> None:
    warehouse.path.chmod(0o444)
    with pytest.raises(WarehouseError, match="may not be written"), warehouse.write(run_id="r"):
        pass


# --- snapshot ---------------------------------------------------------------------------------------------------
def test_readers_keep_the_old_snapshot_while_new_ones_see_the_new(warehouse: Warehouse) -> None:
    put(warehouse, "1")
    with warehouse.write(run_id="r") as session:
        session.view(
            "report.totals", "SELECT count(*) AS n, sum(amount_minor)::BIGINT AS total_minor FROM core.t;"
        )
    assert warehouse.publish_snapshot() == warehouse.snapshot_path
    old = warehouse.open_snapshot()
    other_process = child(
        warehouse.folder,
        """
        con = store.open_snapshot()
        print(con.execute("SELECT n FROM report.totals").fetchall()[0][0], flush=True)
        sys.stdin.readline()
        print(con.execute("SELECT n FROM report.totals").fetchall()[0][0], flush=True)
        print(store.open_snapshot().execute("SELECT n FROM report.totals").fetchall()[0][0], flush=True)
        """,
    )
    assert line_of(other_process) == "1"
    with warehouse.write(
        run_id="w"
    ) as session:  # a writer at work locks no analyst out, and shows nothing uncommitted
        session.publish("core.t", FRAME.with_columns(ref=pl.lit("2")), key=["ref"], mode="merge")
        assert old.execute("SELECT n FROM report.totals").fetchall() == [(1,)]
    warehouse.publish_snapshot()
    new = warehouse.open_snapshot()
    assert new.execute("SELECT * FROM report.totals").fetchall() == [(2, 200)]
    assert old.execute("SELECT * FROM report.totals").fetchall() == [(1, 100)]
    assert other_process.stdin is not None
    other_process.stdin.write("\n")
    other_process.stdin.flush()
    assert (line_of(other_process), line_of(other_process)) == ("1", "2")
    assert other_process.wait(10) == 0
    with pytest.raises(duckdb.Error, match="read-only"):
        new.execute("DELETE FROM core.t")
    old.close()
    new.close()
    assert not list(warehouse.folder.glob("*.new"))


def test_a_snapshot_that_cannot_be_made_leaves_the_old_one(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(warehouse, "1")
    warehouse.publish_snapshot()
    before = warehouse.snapshot_path.read_bytes()
    put(warehouse, "2")

    def half_a_copy(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:5_000])

    monkeypatch.setattr("tieout.warehouse.store.shutil.copyfile", half_a_copy)
    with pytest.raises(WarehouseError):
        warehouse.publish_snapshot()
    assert warehouse.snapshot_path.read_bytes() == before
    assert not list(warehouse.folder.glob(".*.new"))


def test_rebuild_empties_what_is_derived_and_keeps_the_rest(
    warehouse: Warehouse, contract_tables: dict[str, pl.DataFrame]
) -> None:
    wrong = pl.DataFrame({"order_ref": [1], "anything": ["x"]})
    with warehouse.write(run_id="w") as session:
        session.drop("core.orders")
        session.publish("core.orders", wrong, key=["order_ref"], mode="merge")
        session.publish(
            "ops.quota",
            pl.DataFrame(
                [["2026-11", "r", "post", 1, 1]], schema=contract_tables["ops.quota"].schema, orient="row"
            ),
            key=["run_id"],
            mode="append",
        )
    with pytest.raises(WarehouseError, match=r"core.orders.order_ref is stored as BIGINT"):
        warehouse.ensure(contract_tables)
    warehouse.rebuild(contract_tables)
    warehouse.ensure(contract_tables)
    with warehouse.read() as session:
        assert session.fetch("core.orders").equals(contract_tables["core.orders"])
        assert session.count("ops.quota") == 1
