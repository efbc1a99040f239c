"""The outbox against a simple model, in any order of steps; and a real process killed between every two moves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tieout.errors import InputError
from tieout.warehouse import outbox
from tieout.warehouse.moves import is_legal
from tieout.warehouse.outbox import ReadBack, Result
from tieout.warehouse.store import Warehouse

ROOT = Path(__file__).parents[2]
IDS = ("D1", "D2", "D3")
ids = st.sampled_from(IDS)


def test_any_order_of_steps_keeps_every_promise(
    ensured_folder: Path, papers: SimpleNamespace, noon: datetime
) -> None:
    class Machine(RuleBasedStateMachine):
        """Senders, crashes, read-backs and people, while a pretended Intacct remembers what it was sent."""

        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "data"
            shutil.copytree(ensured_folder, folder)
            self.session = self.stack.enter_context(Warehouse(folder).write(run_id="m"))
            self.now = noon
            self.content: dict[str, int] = {}
            self.intacct: dict[str, str] = {}
            self.batches: list[tuple[str, list[str]]] = []
            self.posted: Counter[str] = Counter()

        def teardown(self) -> None:
            self.stack.close()

        def tell(self) -> dict[str, Any]:
            self.now += timedelta(seconds=1)
            return {"now": self.now, "run_id": "m"}

        def state(self, one: str) -> str | None:
            rows = self.session.fetch("ops.outbox", where={"document_id": one})
            return rows["state_code"][0] if rows.height else None

        @rule(one=ids, total=st.integers(1, 3))
        def plan(self, one: str, total: int) -> None:
            before = self.state(one)
            frames = papers.frames(
                [papers.document(one, total_minor=total)], [papers.line(one, amount_minor=total)]
            )
            done = outbox.plan(self.session, *frames, **self.tell())
            if before is None:
                assert done.new == 1
                self.content[one] = total
            elif self.content[one] == total:
                assert (done.unchanged, done.findings.height) == (1, 0)
            elif before in ("planned", "held", "refused", "dead"):
                assert done.replaced == 1
                self.content[one] = total
            else:
                assert done.findings.height == 1

        @rule(limit=st.integers(1, 3), arrives=st.booleans())
        def send(self, limit: int, arrives: bool) -> None:
            claim = outbox.claim(
                self.session,
                kind="invoice",
                entity="US",
                limit=limit,
                lease_seconds=30,
                namespace="m",
                **self.tell(),
            )
            if claim is None:
                return
            sent = claim.documents["document_id"].to_list()
            self.batches.append((claim.batch_id, sent))
            if arrives:  # Intacct remembers control ids: what it has already, it does not make again
                for one in sent:
                    if one not in self.intacct:
                        self.intacct[one] = f"K-{one}"
                        self.posted[one] += 1

        @rule(which=st.integers(0, 5), refusal=st.sampled_from(["refused", "not_done", "unknown"]))
        def answer(self, which: int, refusal: Any) -> None:
            if not self.batches:
                return
            batch, sent = self.batches[which % len(self.batches)]
            results = [
                Result(one, "accepted", self.intacct[one])
                if one in self.intacct
                else Result(one, refusal, reason="x")
                for one in sent
            ]
            outbox.settle(self.session, batch, results, **self.tell())

        @rule()
        def crash_and_look(self) -> None:
            self.now += timedelta(minutes=1)
            outbox.expire_leases(self.session, **self.tell())
            looked = [
                ReadBack(one, "found", self.intacct[one]) if one in self.intacct else ReadBack(one, "absent")
                for one in IDS
                if self.state(one) == "unknown"
            ]
            outbox.resolve(self.session, looked, **self.tell())

        @rule()
        def next_cycle(self) -> None:
            outbox.retry_refused(self.session, **self.tell())

        @rule(one=ids, decide=st.sampled_from([outbox.hold, outbox.release, outbox.cancel, outbox.replay]))
        def person(self, one: str, decide: Any) -> None:
            if decide is outbox.cancel and one in self.intacct:
                return  # people cancel what they know to be absent
            with suppress(InputError):  # most requests are not legal in most states
                decide(self.session, [one], reason="r", actor="Ada", **self.tell())

        @invariant()
        def every_move_was_legal_and_the_last_one_is_the_state(self) -> None:
            moves = self.session.fetch("ops.outbox_moves").sort("document_id", "move_no")
            place: dict[str, tuple[int, str | None]] = {}
            for row in moves.iter_rows(named=True):
                number, state = place.get(row["document_id"], (0, None))
                assert row["move_no"] == number + 1
                assert row["from_state"] == state
                assert is_legal(state, row["to_state"], replaces_content=state == row["to_state"])
                place[row["document_id"]] = (row["move_no"], row["to_state"])
            now = dict(self.session.fetch("ops.outbox").select("document_id", "state_code").rows())
            assert now == {one: state for one, (_, state) in place.items()}
            assert set(now) == set(self.content)

        @invariant()
        def nothing_is_posted_twice_or_accepted_without_being_there(self) -> None:
            assert all(count == 1 for count in self.posted.values())
            accepted = self.session.fetch("ops.outbox", where={"state_code": "accepted"})
            for one, key in accepted.select("document_id", "intacct_key").rows():
                assert self.intacct[one] == key

        @invariant()
        def what_is_stored_is_what_was_planned_last(self) -> None:
            stored = dict(self.session.fetch("out.documents").select("document_id", "total_minor").rows())
            lines = dict(
                self.session.fetch("out.document_lines").select("document_id", "amount_minor").rows()
            )
            assert stored == self.content == lines

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=5, stateful_step_count=16, deadline=None, derandomize=True)
    )


# --- kill -9 ----------------------------------------------------------------------------------------------------
KENNEL = """# One process that has imported everything forks a real child for each line it is given; only the children touch DuckDB.
import json, os, signal, sys, traceback
from datetime import datetime, timedelta
from pathlib import Path
from tieout.warehouse import outbox
from tieout.warehouse.outbox import ReadBack, Result
from tieout.warehouse.store import Warehouse

def run(folder, die_at, moment, starts):
    folder = Path(folder)
    store = Warehouse(folder, lock_seconds=20)
    ledger = folder / "intacct.json"  # the pretended Intacct, which remembers control ids
    clock = datetime.fromisoformat(starts)
    count = 0

    def step(work):
        nonlocal count, clock
        count += 1
        clock += timedelta(minutes=10)
        with store.write(run_id=f"run-{os.getpid()}") as session:
            made = work(session, {"now": clock, "run_id": f"run-{os.getpid()}"})
            if (count, moment) == (die_at, "before commit"):
                os.kill(os.getpid(), signal.SIGKILL)
        if (count, moment) == (die_at, "after commit"):
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    def read_ledger():
        return json.loads(ledger.read_text()) if ledger.exists() else {}

    def post(claim, answered=True):
        known = read_ledger()
        for document_id, control_id in claim.documents.select("document_id", "control_id").rows():
            known.setdefault(control_id, {"id": document_id, "key": str(100 + len(known)), "times": 0})["times"] += 1
        ledger.write_text(json.dumps(known))
        return {entry["id"]: entry["key"] for entry in known.values()}

    def claimed(session, tell):
        return outbox.claim(session, kind="invoice", entity="US", limit=2, lease_seconds=60, namespace="k", **tell)

    # what every cycle begins with: leases that ran out, then a look into Intacct, then another try for the refused
    step(lambda s, t: outbox.expire_leases(s, **t))
    have = {entry["id"]: entry["key"] for entry in read_ledger().values()}
    def look(session, tell):
        waiting = session.fetch("ops.outbox", where={"state_code": "unknown"})["document_id"].to_list()
        return outbox.resolve(session, [ReadBack(i, "found", have[i]) if i in have else ReadBack(i, "absent") for i in waiting], **tell)
    step(look)
    step(lambda s, t: outbox.retry_refused(s, **t))
    first = True
    while (claim := step(claimed)) is not None:
        mine = claim.documents["document_id"].to_list()
        refusing = first and claim.documents["attempts_no"].max() == 1 and "D4" in mine
        keys = {} if refusing else post(claim)
        if refusing:
            results = [Result(i, "refused", error_kind="data", reason="closed") for i in mine]
        else:
            results = [Result(i, "accepted", keys[i]) for i in mine]
        step(lambda s, t: outbox.settle(s, claim.batch_id, results, **t))
        if refusing:
            step(lambda s, t: outbox.retry_refused(s, **t))
    (folder / "steps").write_text(str(count))

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            run(*json.loads(line))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_kill_9_between_every_two_moves_loses_and_doubles_nothing(
    warehouse: Warehouse, papers: SimpleNamespace, noon: datetime
) -> None:
    """One installation after another is killed at each step, before and after its commit, and the next run finishes the work."""
    documents = [papers.document(f"D{n}") for n in range(1, 5)]
    with warehouse.write(run_id="plan") as session:
        frames = papers.frames(documents, [papers.line(d["document_id"]) for d in documents])
        outbox.plan(session, *frames, now=noon, run_id="plan")
    kennel = subprocess.Popen(
        [sys.executable, "-c", KENNEL], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(folder: Path, die_at: int = 0, moment: str = "never", day: int = 0) -> int:
        assert kennel.stdin is not None
        assert kennel.stdout is not None
        starts = (noon + timedelta(days=day)).isoformat()
        kennel.stdin.write(json.dumps([str(folder), die_at, moment, starts]) + "\n")
        kennel.stdin.flush()
        return int(kennel.stdout.readline())

    def copy(name: str) -> Path:
        return Path(shutil.copytree(warehouse.folder, warehouse.folder.with_name(name)))

    try:
        whole = copy("whole")
        assert run(whole) == 0
        steps = int((whole / "steps").read_text())
        assert steps >= 9
        # Up to the first claim nothing is under way. Steps 4 to 8 are claim, acceptance, claim, refusal and
        # another try: every gap between two moves that differ. Before a commit, a move is half made.
        deaths = [(4, "before commit")] + [(n, "after commit") for n in range(4, 9)]
        for die_at, moment in deaths:
            folder = copy(f"{die_at} {moment}")
            assert run(folder, die_at, moment) == -signal.SIGKILL
            check(folder, finished=False)
            assert run(folder, day=1) == 0
            check(folder, finished=True)
    finally:
        kennel.communicate(timeout=30)


def check(folder: Path, *, finished: bool) -> None:
    with Warehouse(folder).read() as session:
        states = session.fetch("ops.outbox")
        moves = session.fetch("ops.outbox_moves").sort("document_id", "move_no")
    assert states.height == 4, "a document was lost"
    before: dict[str, str] = {}
    for row in moves.iter_rows(named=True):
        assert is_legal(before.get(row["document_id"]), row["to_state"])
        before[row["document_id"]] = row["to_state"]
    assert before == dict(states.select("document_id", "state_code").rows())
    if finished:
        assert set(before.values()) == {"accepted"}
        ledger = json.loads((folder / "intacct.json").read_text())
        assert len(ledger) == 4, "control ids differ between attempts"
        assert {entry["id"]: entry["key"] for entry in ledger.values()} == dict(
            states.select("document_id", "intacct_key").rows()
        )
        assert all(entry["times"] == 1 for entry in ledger.values()), (
            "something was sent again that was already there"
        )


def test_the_child_of_this_test_would_be_caught_cheating(warehouse: Warehouse) -> None:
    with pytest.raises(AssertionError, match="a document was lost"):
        check(warehouse.folder, finished=False)
