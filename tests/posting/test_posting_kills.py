"""`kill -9` at every moment of a posting run: between any two moves, around and during every commit, around everything that is sent.

Each kill is a real one, of a process of its own. The company's books lie in a file; afterwards calm runs must bring every document to where it
belongs, and the books must hold each number exactly once. Every third moment is played; with TIEOUT_ALL_MOMENTS=1 all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dying_desk
import pytest
from posting_desk import desk_house, invoice, put, states

from flows.post import post

KINDS = (
    "after a move",
    "before a commit",
    "during a commit",
    "after a commit",
    "before sending",
    "after sending",
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A customer, an invoice that needs it, one that does not, and one that is always refused; nothing sent."""
    before = os.environ.get("PYTHONPATH")
    # The server that forks the runs imports all they need once, and finds it by this.
    lib = Path(dying_desk.__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(lib), str(lib.parents[1]), *([before] if before else [])])
    folder = tmp_path_factory.mktemp("kills") / "planned"
    folder.mkdir()
    house = desk_house(folder, batch_size=2)
    customer = invoice("C1", kind_code="customer", entity_code="", number="BOB", customer_id="BOB", currency="", total_minor=0,
                       document_on=None, due_on=None, details='{"name": "Bob"}')  # fmt: skip
    put(house, customer, invoice("D1", customer_id="BOB"), invoice("D2"), invoice("BAD"))
    yield folder
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def ran(folder: Path, minutes: int, kind: str, count: int, tally: Path | None = None) -> int:
    """The exit code of a posting run in a process of its own; -9 if it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying_desk"])
    process = context.Process(target=dying_desk.run, args=(folder, minutes, kind, count, tally))
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def moments(folder: Path, work: Path) -> dict[str, int]:
    """How often each moment is passed, run by run, until everything is settled."""
    whole = work / "whole"
    shutil.copytree(folder, whole)
    found: dict[str, int] = {}
    assert ran(whole, 0, "", 0, whole / "tally.txt") == 0
    for line in (whole / "tally.txt").read_text().splitlines():
        kind, count = line.split("\t")
        found[kind] = int(count)
    return found


@pytest.mark.timeout(900)
def test_whatever_dies_when_each_document_is_booked_once(planned: Path, tmp_path: Path) -> None:
    passed = moments(planned, tmp_path)
    assert set(passed) == set(KINDS), "a moment that is never passed proves nothing"
    assert passed["after a move"] >= 5
    step = 1 if os.environ.get("TIEOUT_ALL_MOMENTS") else 3
    killed = 0
    for kind, times in sorted(passed.items()):
        for count in range(1, times + 1, step):
            folder = tmp_path / f"{kind.replace(' ', '-')}-{count}"
            shutil.copytree(planned, folder)
            code = ran(folder, 0, kind, count)
            assert code == -9, f"{kind} {count}: the run ended with {code} before its moment"
            killed += 1
            house = dying_desk.house_of(folder, 0)
            for calm in range(1, 6):
                house.clock.ahead(minutes=30)  # type: ignore[attr-defined]
                post(house, run_id=f"calm-{calm}")
                if set(states(house).values()) == {"accepted", "dead"}:
                    break
            assert states(house) == {"BAD": "dead", "C1": "accepted", "D1": "accepted", "D2": "accepted"}, f"{kind} {count}"  # fmt: skip
            assert isinstance(house.company, dying_desk.LastingCompany)
            assert sorted(house.company.booked()) == ["BOB", "NO-D1", "NO-D2"], f"{kind} {count}"
            with house.warehouse.read() as session:
                keys = session.fetch("ops.outbox", where={"state_code": "accepted"}, columns=["intacct_key"])[
                    "intacct_key"
                ].to_list()
            assert len(set(keys)) == 3, f"{kind} {count}"
            shutil.rmtree(folder)
    assert killed >= 12
