"""A close as people live it: closed, signed by two, locked, moved, reopened; and everything that must be refused with a clear sentence."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from closing_house import PLAIN, Clock, fill, house_in

from flows.close import close_period
from flows.closing import events, periods, signing
from flows.wiring import House
from tieout.errors import Busy, DoesNotFoot, InputError, WarehouseError
from tieout.reports import pack as packs
from tieout.reports.closing import canonical, text_hash
from tieout.reports.pack import Pack
from tieout.settings import parse

pytestmark = pytest.mark.usefixtures("kept_attached")

ROOT = Path(__file__).resolve().parents[2]


def again(house: House, folder: Path, *, clock: Clock | None = None) -> House:
    """The same house in another folder, with its own copy of everything."""
    shutil.copytree(house.settings.folder, folder)
    found = House(
        settings=parse({**house.settings.model_dump(mode="json", exclude={"folder"}, exclude_none=True)}, folder=folder),
        environment={}, clock=clock or Clock(house.clock() + timedelta(minutes=1)),
    )  # fmt: skip
    found.__dict__["mappings"] = house.mappings
    return found


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> House:
    """September and October of the US entity, closed and not signed. Tests that change anything take a copy."""
    house = house_in(tmp_path_factory.mktemp("closed"))
    close_period(house, period="2026-09", entity="E100")
    close_period(house, period="2026-10", entity="E100")
    return house


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sign(house: House, role: str, author: str, period: str = "2026-09", note: str = "") -> dict[str, Any]:
    return signing.sign_close(house, entity="E100", period=period, role=role, author=author, note=note)


def test_the_register_of_one_month_opens_the_next(closed: House) -> None:
    with closed.warehouse.read() as session:
        items = session.fetch("ops.open_items", where={"entity_code": "E100"})
    september, october = (items.filter(pl.col("period") == one) for one in ("2026-09", "2026-10"))
    closing = (
        september.filter(pl.col("state_code") != "cleared")
        .select("item_id", amount="closing_minor")
        .sort("item_id")
    )
    opening = (
        october.filter(pl.col("state_code") != "new")
        .select("item_id", amount="opening_minor")
        .sort("item_id")
    )
    assert closing.equals(opening)
    assert october.filter(pl.col("order_number") == "A4")["state_code"].to_list() == ["cleared", "cleared"]
    assert october.filter(pl.col("order_number") == "A3")["first_period"].unique().to_list() == ["2026-09"]


def test_closing_again_writes_nothing_and_a_lost_pack_comes_back_byte_for_byte(
    closed: House, tmp_path: Path
) -> None:
    house = again(closed, tmp_path / "house")
    folder = house.reports / "close/E100/2026-09/r1"
    before, archive = files(folder), folder.with_name("r1.zip").read_bytes()
    summary = close_period(house, period="2026-09", entity="E100")["closes"][0]
    assert (summary["is_new"], summary["revision"]) == (False, 1)
    assert files(folder) == before
    shutil.rmtree(folder)
    close_period(house, period="2026-09", entity="E100")
    assert files(folder) == before
    assert folder.with_name("r1.zip").read_bytes() == archive


def test_two_people_lock_a_close_and_the_pack_carries_their_names(closed: House, tmp_path: Path) -> None:
    house = again(closed, tmp_path / "house")
    with pytest.raises(InputError, match="preparer has not signed"):
        sign(house, "reviewer", "Ben")
    sign(house, "preparer", "Ana")
    with pytest.raises(InputError, match="signed by its preparer Ana already"):
        sign(house, "preparer", "Cleo")
    with pytest.raises(InputError, match="another person"):
        sign(house, "reviewer", "  ana ")
    sign(house, "reviewer", "Ben", note="looked at every error")
    pack = Pack(house.reports / "close/E100/2026-09/r1")
    assert pack.faults() == []
    report = pack.report()
    assert report.facts["standing"] == "locked"
    assert [(one["event"], one["author"], one["reason"]) for one in report.facts["sign_offs"]] == [
        ("closed", "tieout", ""), ("prepared", "Ana", ""), ("locked", "Ben", "looked at every error"),
    ]  # fmt: skip
    assert {one["content_sha256"] for one in report.facts["sign_offs"]} == {
        pack.json("manifest.json")["content_sha256"]
    }
    with pytest.raises(InputError, match=r"locked by Ana and Ben.*reopen"):
        close_period(house, period="2026-09", entity="E100")


def test_other_content_voids_the_signature_visibly(closed: House, tmp_path: Path) -> None:
    house = again(closed, tmp_path / "house")
    sign(house, "preparer", "Ana")
    fill(
        house,
        PLAIN.replace(
            "A3    | us    | 2026-09-10 15:00 | 2026-09-11 15:00 | 7_000       | -           | -  ",
            "A3    | us    | 2026-09-10 15:00 | 2026-09-11 15:00 | 7_000       | 2026-09-12  | 7_000",
        ),
    )
    summary = close_period(house, period="2026-09", entity="E100")
    assert (summary["closes"][0]["revision"], summary["closes"][0]["voided"]) == (2, True)
    assert any("signatures are void" in line for line in summary["text"])
    old, new = (Pack(house.reports / f"close/E100/2026-09/{name}") for name in ("r1", "r2"))
    assert (old.faults(), new.faults()) == ([], [])
    assert [one["event"] for one in old.report().facts["sign_offs"]] == ["closed", "prepared", "voided"]
    assert (old.report().facts["standing"], new.report().facts["standing"]) == ("replaced", "closed")
    with pytest.raises(InputError, match="preparer has not signed"):
        sign(house, "reviewer", "Ben")


def test_reopening_needs_a_reason_and_a_name_and_frees_the_period(closed: House, tmp_path: Path) -> None:
    house = again(closed, tmp_path / "house")
    sign(house, "preparer", "Ana")
    sign(house, "reviewer", "Ben")
    for reason, author, said in (("", "Cleo", "--reason"), ("a credit came late", " ", "--author")):
        with pytest.raises(InputError, match=said):
            signing.reopen_close(house, entity="E100", period="2026-09", reason=reason, author=author)
    text = signing.reopen_close(
        house, entity="E100", period="2026-09", reason="a credit came late", author="Cleo"
    )["text"]
    assert "Ana and Ben" in " ".join(text)
    assert Pack(house.reports / "close/E100/2026-09/r1").report().facts["standing"] == "open"
    assert close_period(house, period="2026-09", entity="E100")["closes"][0]["revision"] == 2
    with pytest.raises(InputError, match="never closed"):
        signing.reopen_close(house, entity="E200", period="2026-09", reason="why not", author="Cleo")


def test_nobody_signs_a_pack_that_was_changed(closed: House, tmp_path: Path) -> None:
    house = again(closed, tmp_path / "house")
    path = house.reports / "close/E100/2026-09/r1/summary.json"
    path.write_text(path.read_text().replace("2026-09", "2026-08", 1))
    with pytest.raises(WarehouseError, match=r"summary\.json"):
        sign(house, "preparer", "Ana")
    assert events.standing_of(house, "E100", "2026-09").state == "closed"


def test_a_period_that_is_not_over_unknown_or_without_an_entity_is_refused(closed: House) -> None:
    for period, entity, said in (
        ("2026-11", "E100", "is not over|ends on 2026-11-30"),
        ("2026-13", "E100", "not a month"),
        ("2026-09", "E999", "No entity 'E999'"),
    ):
        with pytest.raises(InputError, match=said):
            close_period(closed, period=period, entity=entity)


def test_a_clock_that_was_moved_back_is_refused(closed: House, tmp_path: Path) -> None:
    house = again(closed, tmp_path / "house")
    house.clock.ahead(days=-20)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="clock"):
        close_period(house, period="2026-09", entity="E100")


def test_a_period_without_records_closes_and_says_so_and_a_house_without_data_does_not(
    closed: House, tmp_path: Path
) -> None:
    house = again(closed, tmp_path / "house")
    summary = close_period(house, period="2026-07", entity="E200")
    assert any("falls in the period" in line for line in summary["text"])
    empty = House(
        settings=closed.settings.model_copy(update={"folder": tmp_path / "empty"}),
        environment={},
        clock=Clock(),
    )
    empty.__dict__["mappings"] = closed.mappings
    with pytest.raises(InputError, match="nothing was ever read"):
        close_period(empty, period="2026-09", entity="E100")


ONE_SIDED = """
order | store | placed_at        | shipped_at       | total_minor           | invoiced_on | invoice_minor | paid_at | received_on
A1    | us    | 2026-09-03 15:00 | 2026-09-04 15:00 | 1_000_000_000_000_001 | -           | -             | -       | -
"""


def test_one_side_empty_and_amounts_of_ten_to_the_fifteen_close_to_the_cent(tmp_path: Path) -> None:
    from flows.closing.verifying import verify

    house = house_in(tmp_path, ONE_SIDED)
    one = close_period(house, period="2026-09", entity="E100")["closes"][0]
    assert one["ties"] is False
    pack = Pack(Path(one["path"]))
    assert pack.frame("data/register.parquet")["closing_minor"].to_list() == [10**15 + 1]
    found = verify(Path(one["path"]))
    assert found["proved"]
    assert any("not tied to the general ledger" in line.sentence for line in found["findings"])
    assert "Not tied to the general ledger: no control account is configured." in pack.read("reconciliation.html").decode()  # fmt: skip


def test_two_closes_at_once_the_second_is_told_who_is_first(closed: House) -> None:
    with events.alone(closed, "E100", "run-1"), pytest.raises(Busy):
        # A second process, as a second thread would be the same holder to the kernel's lock.
        _in_a_process(
            closed, "from flows.closing import events\nwith events.alone(house, 'E100', 'run-2'): pass"
        )


def _in_a_process(house: House, body: str) -> None:
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {[str(ROOT), str(ROOT / "tests/lib")]!r}
        from pathlib import Path
        from closing_house import SETTINGS
        from flows.wiring import House
        from tieout.errors import TieoutError
        from tieout.settings import parse
        house = House(settings=parse({{**SETTINGS, "installation": {{"lock_seconds": 0.2}}}}, folder=Path({str(house.settings.folder)!r})), environment={{}})
        """
    )
    tail = f"try:\n{textwrap.indent(body, '    ')}\nexcept TieoutError as fault:\n    print(fault)\n    sys.exit(fault.exit_code)\n"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == Busy.exit_code:
        raise Busy(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_disk_that_fills_in_the_middle_of_the_pack_leaves_nothing_half_written(
    closed: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = again(closed, tmp_path / "house")
    sign(house, "preparer", "Ana")
    before = files(house.reports)
    fill(house, PLAIN.replace("7_000 ", "7_001 "))
    real = os.fsync
    for at in (1, 5, 20, 45):
        calls = iter(range(1, 1000))

        def full(handle: int, at: int = at, calls: Iterator[int] = calls) -> None:
            if next(calls) >= at:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        monkeypatch.setattr(packs.os, "fsync", full)
        with pytest.raises(WarehouseError, match="the disk is full"):
            close_period(house, period="2026-09", entity="E100")
        monkeypatch.undo()
        assert files(house.reports) == before
        assert events.standing_of(house, "E100", "2026-09").state == "prepared"
    assert close_period(house, period="2026-09", entity="E100")["closes"][0]["revision"] == 2


def test_a_file_too_large_for_the_disk_is_a_sentence_whichever_library_writes_it(
    closed: House, tmp_path: Path
) -> None:
    """A limit of the kernel on the size of files, so that polars and xlsxwriter meet the fault in their own code."""
    house = again(closed, tmp_path / "house")
    shutil.rmtree(house.reports / "close/E100/2026-09")
    body = textwrap.dedent(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        from tieout.reports.pack import Pack, write_pack
        from pathlib import Path
        pack = Pack(house.reports / "close/E100/2026-10/r1")
        texts = {n: pack.read(n).decode() for n in pack.names if n.startswith("configuration/")}
        from tieout.errors import WarehouseError
        for limit in (1, 3000, 9000, 60_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write_pack(house.reports / "there" / "r1", pack.report(), inputs=pack.frames("inputs"), texts=texts)
            except WarehouseError as fault:
                assert "disk is full" in str(fault), fault
            else:
                raise SystemExit(f"nothing was too large at {limit}")
            left = [p for p in (house.reports / "there").rglob("*")] if (house.reports / "there").exists() else []
            assert left == [], left
        """
    )
    _in_a_process(house, body)


def test_a_total_that_does_not_foot_is_not_closed(
    closed: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transforms.closing import items

    house = again(closed, tmp_path / "house")
    real = items.open_items
    monkeypatch.setattr(
        items, "open_items", lambda *given: real(*given).with_columns(open_minor=pl.col("open_minor") + 1)
    )
    before = files(house.reports)
    fill(house, PLAIN.replace("7_000 ", "7_001 "))
    with pytest.raises(DoesNotFoot):
        close_period(house, period="2026-09", entity="E100")
    assert files(house.reports) == before


def test_each_entity_closes_the_period_of_its_own_calendar(tmp_path: Path) -> None:
    weeks = {"kind": "4-4-5", "year_starts_on": "2026-02-01", "fiscal_year": 2026}
    from closing_house import SETTINGS

    entities = [SETTINGS["entities"][0], {**SETTINGS["entities"][1], "calendar": "retail"}]
    house = house_in(tmp_path, settings={"entities": entities, "calendars": {"retail": weeks}})
    summary = close_period(house, entity="E200")
    assert periods.last_ended(house, "E100").name == "2026-10"
    assert [(one["entity"], one["period"]) for one in summary["closes"]] == [("E200", "2026-P09")]
    facts = Pack(Path(summary["closes"][0]["path"])).report().facts
    assert (facts["first_on"], facts["last_on"]) == ("2026-09-27", "2026-10-31")
    assert periods.period_named(house, "2026-P08").of("E200")[0].isoformat() == "2026-08-30"


def test_a_pack_of_another_version_is_left_as_it_is_and_nobody_signs_it(
    closed: House, tmp_path: Path
) -> None:
    """A pack without one of today's tables, sealed properly: the next close goes on beside it, a signature asks for a close first."""
    house = again(closed, tmp_path / "house")
    folder = house.reports / "close/E100/2026-09/r1"
    (folder / "data/rates.parquet").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["data/rates.parquet"], manifest["manifest_sha256"]
    sealed = {**manifest, "manifest_sha256": text_hash(canonical(manifest))}
    (folder / "manifest.json").write_text(canonical(sealed))
    assert Pack(folder).faults() == []
    before = files(folder)
    with pytest.raises(WarehouseError, match="Close the period again with this version"):
        sign(house, "preparer", "Ana")
    assert events.standing_of(house, "E100", "2026-09").state == "closed", (
        "nothing was signed that could not be printed"
    )
    fill(house, PLAIN.replace("7_000 ", "7_001 "))
    assert close_period(house, period="2026-09", entity="E100")["closes"][0]["revision"] == 2
    assert files(folder) == before
