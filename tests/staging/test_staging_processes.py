"""Payloads taken apart by other processes: the same rows, faults that come back, and no process that outlives its run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import apart_work
import night
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes
from shopfronts import KINDS

from flows import stage as staging
from flows.apart import portable, processes
from flows.apart.passing import receive, send
from flows.apart.portable import Portable, taken_apart
from flows.apart.processes import MOST, Processes, cores
from flows.commands.console import print_summary
from flows.extract import extract
from flows.stage import stage
from flows.wiring import House
from tieout.errors import SettingsError, WarehouseError
from tieout.sandbox.rehearsal import Rehearsal
from tieout.settings.staging import Staging
from tieout.warehouse.processes import pid_lives
from transforms.staged import Staged

LIB = night.ROOT / "tests" / "lib"
ROWS = pl.DataFrame({"native_ref": [str(number) for number in range(10)], "payload": ["{}"] * 10})
TWO = Staging(processes=2, processes_from=1)


CANARY = "canary-of-a-secret"


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    """Two processes at work that know what stands beside these tests, started where secrets are in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(LIB))
        for name in ("TIEOUT_INTACCT_USER_PASSWORD", "SHOP_SECRET", "PREFECT_API_KEY"):
            patch.setenv(name, CANARY)
        with Processes(TWO) as found:
            assert found.for_records(1) is found
            yield found


def gone(*pids: int, seconds: int = 20) -> bool:
    """Whether all of them are gone, or go before the time is up."""
    until = time.monotonic() + seconds
    while any(map(pid_lives, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


# --- the same rows ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house that has read every kind of storefront and a ledger, and read them again after orders had changed; nothing is staged."""
    folder = tmp_path_factory.mktemp("apart") / "house"
    with Rehearsal(7, 60, only=[*KINDS, "intacct"]) as rehearsal:
        house = House(
            settings=night.load(night.lay_out(folder, rehearsal.addresses())),
            environment=dict(night.WORLD_SECRETS),
            clock=rehearsal.clock,
        )
        assert extract(house, run_id="first")["errors"] == []
        for kind in ("magento", "xcart"):
            ref = rehearsal.world.order(next(iter(rehearsal.world.told_by(kind))).index).ref
            rehearsal.storefront_named(kind).tamper(
                {"op": "order_cancelled", "order_ref": ref}, rehearsal.clock.ms()
            )
        again = extract(house, run_id="again", sources=["magento", "xcart"])
        assert {one["source"] for one in again["sources"] if one["new"]} == {"magento", "xcart"}
    return folder


def house_in(landed: Path, to: Path, how: Staging, *only: str) -> House:
    """Such a house, in its own folder, with these settings and, if any are named, with these storefronts alone."""
    shutil.copytree(landed, to)
    whole = night.load(to / "tieout.toml")
    fronts = {name: whole.storefronts[name] for name in only} or whole.storefronts
    told = {"staging": how, "storefronts": fronts, "intacct": None if only else whole.intacct}
    return House(
        settings=whole.model_copy(update=told),
        environment=dict(night.WORLD_SECRETS),
        clock=night.NightClock("2026-11-02T03:00:00+00:00"),
    )


@dataclass
class Told:
    """What staging said, what it published in which order, and what lay in the tables in the end."""

    said: dict[str, Any] = field(default_factory=dict)
    published: list[tuple[str, str, dict[str, pl.DataFrame]]] = field(default_factory=list)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)


def staged(house: House) -> Told:
    told = Told()
    publish = staging._publish

    def noted(session: Any, staged: Staged, source: str, subject: str) -> None:
        told.published.append((source, subject, {**staged.frames, "problems": staged.problems}))
        publish(session, staged, source, subject)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "_publish", noted)
        told.said = stage(house, run_id="staged")
    with house.warehouse.read() as session:
        names = [one.name for one in house.tables() if one.name.startswith("core.")]
        told.tables = {name: session.fetch(name) for name in [*names, "ops.problems"]}
    return told


def test_every_subject_of_every_kind_comes_out_the_same_row_by_row(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "CHUNK_ROWS", 10)
    monkeypatch.setattr(staging, "ROWS_AT_ONCE", 3)
    begun: list[str] = []
    begin = Processes.begin

    def noted(self: Processes, work: Any, rows: pl.DataFrame, more: Any) -> Future[Staged]:
        begun.append(f"{work.func.__module__}.{work.func.__name__}")
        return begin(self, work, rows, more)

    monkeypatch.setattr(Processes, "begin", noted)
    wanted = staged(house_in(landed, tmp_path / "one", Staging(processes=1, processes_from=1)))
    assert begun == []
    found = staged(house_in(landed, tmp_path / "two", TWO))
    subjects = [one[:2] for one in wanted.published]
    assert subjects.count(("intacct", "stock_totals")) == 1, (
        "three totals make one row of stock, wherever they lie"
    )
    assert found.said == wanted.said
    assert [one[:2] for one in found.published] == subjects
    for (source, subject, frames), (_, _, others) in zip(wanted.published, found.published, strict=True):
        assert frames.keys() == others.keys(), (source, subject)
        for name, frame in frames.items():
            assert_frame_equal(others[name], frame)
    for name, frame in wanted.tables.items():
        # DuckDB merges with several threads: in which order rows lie in a table is not told.
        assert_frame_equal(found.tables[name], frame, check_row_order=False)
    assert len({name for name, frame in wanted.tables.items() if frame.height}) >= 14
    orders = {kind: begun.count(f"transforms.storefronts.{kind}.orders") for kind in KINDS}
    assert min(orders.values()) >= 1, orders
    assert sum(count >= 2 for count in orders.values()) >= 2, orders
    assert begun.count("transforms.intacct.documents.ar_lines") >= 4
    assert {
        "transforms.storefronts.magento.documents",
        "transforms.intacct.documents.ar_applications",
    } <= set(begun)


def test_a_process_that_is_killed_stops_its_subject_whole(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "CHUNK_ROWS", 5)
    monkeypatch.setenv("PYTHONPATH", str(LIB))
    house = house_in(landed, tmp_path / "house", TWO, "clarity")
    with house.warehouse.read() as session:
        last = session.raw_changed("raw.clarity__payments").sort("landing_no")["native_ref"][-1]
    work = Portable.work.fget  # type: ignore[attr-defined]

    def deadly(self: Portable) -> Any:
        if self.call.__name__ == "payments":
            return portable.partial(apart_work.killed_at_the_last, call=self.call, last=last, **self.told)
        return work(self)

    with monkeypatch.context() as patch:
        patch.setattr(Portable, "work", property(deadly))
        with pytest.raises(WarehouseError, match=r"ended by SIGKILL.*run the same command again"):
            stage(house, run_id="killed")
    with house.warehouse.read() as session:
        assert session.fetch("core.payments").is_empty()
        assert session.fetch("core.orders").height > 0, "what came before it was staged and stays"
    house.settings = house.settings.model_copy(update={"staging": Staging(processes=1)})
    assert stage(house, run_id="again")["read"] > 0
    with house.warehouse.read() as session:
        assert session.fetch("core.payments").height > 0


@pytest.mark.parametrize(
    ("count", "rows", "chunks"),
    [
        (0, 20_000, 0), (1, 20_000, 1), (20_000, 20_000, 1), (20_001, 5_001, 4), (80_000, 20_000, 4), (80_001, 10_001, 8),
        (100_000, 12_500, 8), (1_000_000, 19_231, 52),
    ],
)  # fmt: skip
def test_chunks_come_in_fours_and_are_even(count: int, rows: int, chunks: int) -> None:
    assert portable.even_rows(count, 20_000) == rows
    assert -(-count // rows) == chunks


def test_a_count_of_problems_is_told_as_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_summary("stage", {"read": 1500, "problems": 2, "subjects": [], "again": 0}) == 0
    assert capsys.readouterr().out == "stage      read 1,500, problems 2\n"
    assert print_summary("post", {"problems": ["one", "two"], "exit_code": 1}) == 1
    assert capsys.readouterr().out.endswith("! one\n! two\n")


class _Slow:
    """Processes that never finish by themselves; counts what was handed out and not yet asked for."""

    count = 3

    def __init__(self) -> None:
        self.waiting = self.most = 0

    def begin(self, work: Any, rows: pl.DataFrame, more: Any) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return self

    def result(self) -> Staged:
        self.waiting -= 1
        return Staged({})


def test_no_more_is_handed_out_than_there_are_processes_and_one() -> None:
    slow: Any = _Slow()
    chunks = ((ROWS.with_columns(at=pl.lit(at)), ROWS) for at in range(20))
    order = [chunk["at"][0] for chunk, _ in taken_apart(chunks, Portable(apart_work.counted), None, slow)]  # type: ignore[arg-type]
    assert order == list(range(20))
    assert (slow.most, slow.waiting) == (4, 0)


# --- how many, and from when on -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("how", "records", "helps"),
    [
        (Staging(processes=2), 39_999, False),
        (Staging(processes=2), 40_000, True),
        (Staging(processes=1, processes_from=1), 10**9, False),
        (Staging(processes=3, processes_from=5), 4, False),
        (Staging(processes=3, processes_from=5), 5, True),
    ],
)
def test_processes_are_started_for_much_only(
    how: Staging, records: int, helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(processes, "_Process", lambda: started.append(1) or _Ending())
    with Processes(how) as found:
        assert (found.for_records(records) is not None) == helps
        assert (found.for_records(records) is not None) == helps
    assert len(started) == (how.processes if helps else 0), "started once"


@pytest.mark.parametrize("possible", [0, 1, 2])
def test_a_system_that_lets_few_be_started_is_no_fault(
    possible: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [_Ending()] * possible

    def start() -> _Ending:
        if not left:
            raise BlockingIOError("Resource temporarily unavailable")
        return left.pop()

    monkeypatch.setattr(processes, "_Process", start)
    with Processes(Staging(processes=3, processes_from=1)) as found:
        assert (found.for_records(10) is not None) == (possible > 0)
        assert (found.for_records(10) is not None) == (possible > 0)
        assert found.count == possible


class _Ending:
    def end(self) -> None:
        pass


def test_as_many_as_there_are_processors_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() >= 1
    for there, taken in ((1, 1), (3, 3), (64, MOST)):
        monkeypatch.setattr(processes, "cores", lambda there=there: there)
        assert Processes(Staging()).count == taken


# --- what is handed over --------------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(frame=dataframes(max_cols=6, max_size=12, allow_null=True))
def test_frames_arrive_as_they_were(frame: pl.DataFrame) -> None:
    here, there = socket.socketpair()
    with here, there:
        send(here, (frame, {"words": MappingProxyType({"a": frame.clear()})}))
        found, more = receive(there)
    assert_frame_equal(found, frame)
    assert more == {"words": {"a": more["words"]["a"]}}
    assert_frame_equal(more["words"]["a"], frame.clear())


def test_whoever_waits_for_somebody_who_is_gone_is_told() -> None:
    here, there = socket.socketpair()
    with here:
        there.close()
        with pytest.raises(EOFError):
            receive(here)
        with pytest.raises(OSError):
            send(here, 1)


def test_work_is_shared_out_and_comes_back(two: Processes) -> None:
    futures = [two.begin(apart_work.counted, ROWS, {"words": {}, "orders": ROWS}) for _ in range(12)]
    frames = [one.result()["rows"] for one in futures]
    pids = {frame["pid"][0] for frame in frames}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    for frame in frames:
        assert_frame_equal(frame.select(ROWS.columns), ROWS)
        assert set(frame["more"]) == {"orders words"}


def test_a_fault_comes_back_as_it_was_and_the_process_goes_on(two: Processes) -> None:
    with pytest.raises(SettingsError) as told:
        two.begin(apart_work.refused, ROWS, {}).result()
    assert str(told.value) == "The words do not fit.\n  - one\n  - two"
    assert "refused" in told.value.__notes__[0]
    for work in (apart_work.unfit, apart_work.not_to_be_handed_over):
        with pytest.raises(RuntimeError, match=r"cannot be handed over|pickle"):
            two.begin(work, ROWS, {}).result()
    assert two.begin(apart_work.counted, ROWS, {}).result()["rows"].height == 10


def test_no_secret_is_in_what_such_a_process_was_started_with(two: Processes) -> None:
    pid = two.begin(apart_work.counted, ROWS, {}).result()["rows"]["pid"][0]
    for file in ("cmdline", "environ"):
        assert CANARY.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
    assert b"POLARS_MAX_THREADS=1" in Path(f"/proc/{pid}/environ").read_bytes()


# --- no process outlives its run ----------------------------------------------------------------------------------
PROGRAM = """
import os, signal, sys, time
import polars as pl
import apart_work
import flows.cli as cli
from flows.apart.processes import Processes
from tieout.settings.staging import Staging

def run():
    with Processes(Staging(processes=2, processes_from=1)) as some:
        some.for_records(1)
        rows = pl.DataFrame({"native_ref": ["1"]})
        done = [some.begin(apart_work.counted, rows, {}) for _ in range(2)]
        [one.result() for one in done]
        print(*(one._process.pid for one in some._all), flush=True)
        last = some.begin(apart_work.slow, rows, {"seconds": 2 if sys.argv[-1] == "KILL" else 60})
        time.sleep(0.2)
        os.kill(os.getpid(), getattr(signal, "SIG" + sys.argv[-1]))
        last.result()

cli.app.command("run-till-stopped", context_settings={"allow_extra_args": True})(run)
word = sys.argv[-1]
sys.argv = ["tieout", "run-till-stopped", word]
cli.main()
"""


@pytest.mark.parametrize(("word", "code"), [("TERM", 143), ("INT", 130), ("KILL", -9)])
def test_a_run_that_ends_leaves_no_process_behind(word: str, code: int) -> None:
    """Asked to end, it takes them along; killed, it cannot, and they end by themselves."""
    path = os.pathsep.join([str(night.ROOT), str(LIB)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, word],
        env=night.environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pids = [int(one) for one in done.stdout.split()]
    assert (done.returncode, len(pids)) == (code, 2), done.stderr
    assert gone(*pids, seconds=20 if word == "KILL" else 0)


def test_a_run_that_is_asked_to_end_in_the_middle_of_a_query_is_no_defect(tmp_path: Path) -> None:
    # As DuckDB does, which asks for signals while it works: what the handler raises becomes an error of its own.
    program = (
        "import os, signal, time\nimport flows.cli as cli\n"
        "def run():\n try:\n  os.kill(os.getpid(), signal.SIGTERM)\n  time.sleep(20)\n"
        " except BaseException:\n  raise RuntimeError('Query interrupted') from None\n"
        "cli.app.command('ask-for-long')(run)\nimport sys\nsys.argv = ['tieout', 'ask-for-long']\ncli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=night.environment(PYTHONPATH=str(night.ROOT)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 143, done.stderr
    assert "tieout: stopped; run the same command again" in done.stderr
    assert "defect" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_a_terminal_does_not_reach_them(two: Processes) -> None:
    pid = two.begin(apart_work.counted, ROWS, {}).result()["rows"]["pid"][0]
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    assert two.begin(apart_work.counted, ROWS, {}).result()["rows"].height == 10
    assert pid_lives(pid)


def test_a_process_that_is_gone_is_one_sentence_and_the_others_end_with_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(LIB))
    with Processes(TWO) as some:
        some.for_records(1)
        with pytest.raises(WarehouseError) as told:
            some.begin(apart_work.killed, ROWS, {}).result()
        other = some.begin(apart_work.counted, ROWS, {}).result()["rows"]["pid"][0]
        assert pid_lives(other)
    assert gone(other, seconds=0)
    assert "\n" not in str(told.value)
    for word in ("SIGKILL", "memory", "[staging]", "run the same command again"):
        assert word in str(told.value)
