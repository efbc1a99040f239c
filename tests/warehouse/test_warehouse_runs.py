"""Runs, crashes, cursors, control totals, quota, and the archive of exchanges."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.contracts import ALL
from tieout.errors import WarehouseError
from tieout.warehouse import runs
from tieout.warehouse.archive import Archive, record_exchanges
from tieout.warehouse.processes import is_alive, this_process
from tieout.warehouse.store import Warehouse

ROOT = Path(__file__).parents[2]


def test_run_ids_sort_by_time_and_differ_within_an_instant(noon: datetime) -> None:
    rng = random.Random(1)
    ids = [runs.new_run_id(now=noon + timedelta(microseconds=n), rng=rng) for n in (0, 1, 2_000_000)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20261120T120000.000000Z-")
    assert runs.new_run_id(now=noon, rng=rng) != runs.new_run_id(now=noon, rng=rng)
    with pytest.raises(WarehouseError, match="without a zone"):
        runs.new_run_id(now=datetime(2026, 1, 1), rng=rng)


def test_a_run_starts_ends_and_keeps_its_figures(warehouse: Warehouse, noon: datetime) -> None:
    with warehouse.write(run_id="a") as session:
        assert runs.start_run(session, run_id="a", stage="nightly", now=noon) == []
        assert runs.start_run(session, run_id="b", stage="extract", now=noon, parent_run_id="a") == []
        runs.end_run(session, run_id="b", now=noon + timedelta(seconds=5), summary={"orders": 7})
        runs.end_run(session, run_id="a", now=noon + timedelta(seconds=9), error="The gate is shut.")
        rows = {row["run_id"]: row for row in session.fetch("ops.runs").iter_rows(named=True)}
        ALL["ops.runs"].checked(session.fetch("ops.runs"), at="in the test")
        with pytest.raises(WarehouseError, match="Run c was never started"):
            runs.end_run(session, run_id="c", now=noon)
        assert runs.recent(session, now=noon)["run_id"].to_list() == ["b", "a"]
        assert runs.recent(session, now=noon + timedelta(days=8)).is_empty()
    assert (rows["b"]["state_code"], json.loads(rows["b"]["summary"]), rows["b"]["parent_run_id"]) == (
        "done",
        {"orders": 7},
        "a",
    )
    assert (rows["a"]["state_code"], rows["a"]["error"]) == ("failed", "The gate is shut.")


def test_a_run_whose_process_died_is_marked_failed_by_the_next_one(
    warehouse: Warehouse, noon: datetime
) -> None:
    script = f"""
import os, signal
from datetime import UTC, datetime
from pathlib import Path
from tieout.warehouse import runs
from tieout.warehouse.store import Warehouse
with Warehouse(Path({str(warehouse.folder)!r})).write(run_id="dead") as session:
    runs.start_run(session, run_id="dead", stage="post", now=datetime(2026, 11, 20, tzinfo=UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    with warehouse.write(run_id="next") as session:
        assert runs.start_run(session, run_id="alive", stage="post", now=noon) == ["dead"]
        assert runs.start_run(session, run_id="later", stage="post", now=noon) == []
        states = dict(session.fetch("ops.runs").select("run_id", "state_code").rows())
        dead = session.fetch("ops.runs", where={"run_id": "dead"}).row(0, named=True)
    assert states == {"dead": "failed", "alive": "running", "later": "running"}
    assert "died before" in dead["error"]
    assert dead["ended_at"] == noon


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({}, True),
        ({"boot": "another boot"}, False),
        ({"started": "12345"}, False),
        ({"pid": 2**22 - 3}, False),
        ({"host": "elsewhere", "pid": 1}, True),
    ],
    ids=["myself", "before a reboot", "a reused pid", "no such pid", "another host"],
)
def test_whether_a_process_lives(change: dict[str, Any], alive: bool) -> None:
    if not this_process()["started"] and "started" in change:
        pytest.skip("this system does not tell when a process started")
    assert is_alive({**this_process(), **change}) is alive


def test_cursor_controls_quota_and_last_good(warehouse: Warehouse, noon: datetime) -> None:
    with warehouse.write(run_id="r") as session:
        assert runs.cursor(session, "shop", "orders") is None
        for number in (3, 5):
            runs.move_cursor(session, "shop", "orders", landing_no=number, now=noon, run_id="r")
        assert runs.cursor(session, "shop", "orders") == 5

        for hour, state in enumerate(["good", "good", "bad"]):
            at = noon + timedelta(hours=hour)
            runs.start_run(session, run_id=f"x{hour}", stage="extract", now=at)
            runs.record_control(
                session, run_id=f"x{hour}", source="shop", subject="orders", stage="extract",
                read_count=10 + hour, new_count=hour, source_count=10, now=at,
            )  # fmt: skip
            runs.end_run(session, run_id=f"x{hour}", now=at, error=None if state == "good" else "Broke.")
        good = runs.last_good(session, now=noon + timedelta(hours=3)).row(0, named=True)
        assert (good["run_id"], good["read_count"], good["age_seconds"]) == ("x1", 11, 7200)
        ALL["ops.controls"].checked(session.fetch("ops.controls"), at="in the test")

        for _ in range(2):
            runs.meter(session, month="2026-11", run_id="r", purpose="post", calls=1, transactions=99)
        runs.meter(session, month="2026-11", run_id="q", purpose="query", calls=2, transactions=2)
        runs.meter(session, month="2026-12", run_id="q", purpose="query", calls=1, transactions=1)
        assert runs.used(session, month="2026-11") == 200
        assert runs.used(session, month="2027-01") == 0
        ALL["ops.quota"].checked(session.fetch("ops.quota"), at="in the test")


# --- archive ----------------------------------------------------------------------------------------------------
def exchange(**over: Any) -> dict[str, Any]:
    return {
        "at": datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        "entity_code": "US",
        "purpose": "post",
        "request": b'<?xml version="1.0" encoding="utf-8"?><request>\xc3\xa9</request>',
        "reply": b"<response>\xff\x00</response>",
        "status": "success",
        "run_id": "r1",
        "batch_id": "B1",
        "transactions": 99,
        "elapsed_ms": 12,
        **over,
    }


def test_an_exchange_comes_back_byte_for_byte_and_twice_is_once(warehouse: Warehouse) -> None:
    archive = Archive(warehouse.archive_folder)
    row = archive.store(**exchange())
    assert archive.store(**exchange()) == row
    assert row["path"].startswith("2026/11/20/")
    assert [path.name for path in warehouse.archive_folder.rglob("*.gz")] == [Path(row["path"]).name]
    back = archive.load(row["path"])
    assert (back.request, back.reply, back.batch_id) == (exchange()["request"], exchange()["reply"], "B1")
    assert back.at == exchange()["at"]
    other = archive.store(**exchange(at=exchange()["at"] + timedelta(seconds=1)))
    with warehouse.write(run_id="r") as session:
        assert record_exchanges(session, [row, row, other]) == 2
        assert record_exchanges(session, [row]) == 0
        ALL["ops.exchanges"].checked(session.fetch("ops.exchanges"), at="in the test")


@pytest.mark.parametrize(
    "leak",
    [
        "s3cr&t<pass>",
        "s3cr&amp;t&lt;pass&gt;",
        "s3cr%26t%3Cpass%3E",
        'x"canary"',
        'x\\"canary\\"',
        "x&quot;canary&quot;",
    ],
)
@pytest.mark.parametrize("where", ["request", "reply"])
def test_a_secret_in_any_spelling_never_rests(warehouse: Warehouse, leak: str, where: str) -> None:
    archive = Archive(warehouse.archive_folder, secrets=["s3cr&t<pass>", 'x"canary"', "abc", ""])
    with pytest.raises(WarehouseError) as error:
        archive.store(**exchange(**{where: f"<a>{leak}</a>".encode()}))
    assert "still holds a secret" in str(error.value)
    assert "s3cr" not in str(error.value)
    assert "canary" not in str(error.value)
    assert not [path for path in warehouse.archive_folder.rglob("*") if path.is_file()]
    archive.store(**exchange(**{where: b"<a>abc</a>"}))  # too short to be told from ordinary text


def test_an_archive_that_was_tampered_with_says_so(warehouse: Warehouse) -> None:
    archive = Archive(warehouse.archive_folder)
    row = archive.store(**exchange())
    file = warehouse.archive_folder / row["path"]
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b"US", b"EU")))
    with pytest.raises(WarehouseError, match="has been changed since it was stored"):
        archive.load(row["path"])
    file.unlink()
    with pytest.raises(WarehouseError, match="not in the archive any more"):
        archive.load(row["path"])
    with pytest.raises(WarehouseError, match="time without a zone"):
        archive.store(**exchange(at=datetime(2026, 1, 1)))
