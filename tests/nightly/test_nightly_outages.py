"""Something outside is down, says nonsense, or the disk is full: one sentence, the right exit code, the rest goes on, nothing is lost."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import night
import polars as pl
import pytest

from tieout.errors import Stopped

pytestmark = pytest.mark.usefixtures("kept_attached")

ORDERS = 100


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[night.World]:
    with night.world_of(tmp_path_factory.mktemp("outages") / "world", orders=ORDERS) as found:
        yield found


@pytest.fixture(scope="module")
def calm(world: night.World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many records of each subject an undisturbed reading lands."""
    return _landed(_house(world, tmp_path_factory.mktemp("calm") / "house"))


def _house(world: night.World, folder: Path, **settings: Any) -> night.House:
    return night.house_at(
        night.lay_out(folder, world.addresses, **settings), night.NightClock(world.addresses["now"])
    )


def _landed(house: night.House) -> dict[str, int]:
    done = night.steps(house, "extract")["extract"]
    assert done["errors"] == []
    return _held(house)


def _held(house: night.House) -> dict[str, int]:
    names = [table.name for table in house.tables() if table.name.startswith("raw.")]
    with house.warehouse.read() as session:
        return {name: session.raw_changed(name).height for name in names}


@dataclass(frozen=True)
class Row:
    """Faults while reading; `says` are words of the one sentence it must give, None if reading must heal by itself."""

    name: str
    faults: tuple[dict[str, Any], ...]
    says: str | None = None
    broken: frozenset[str] = field(default_factory=frozenset)


def _shop(kind: str, **more: Any) -> dict[str, Any]:
    return {"app": "commercetools", "kind": kind, "match": "/orders", **more}


def _sage(kind: str, **more: Any) -> dict[str, Any]:
    return {"app": "intacct", "kind": kind, "match": "<object>ARINVOICE</object>", **more}


TABLE = [
    Row("the shop asks for patience", (_shop("throttle", seconds=2, times=2),)),
    Row("the shop is busy for a moment", (_shop("unavailable", times=3),)),
    Row("a page is cut in half", (_shop("truncate", how="short"),)),
    Row("a page is cut in half and looks whole", (_shop("truncate"),)),
    Row("a page comes twice", (_shop("repeat_page"),)),
    Row("the token ends", (_shop("expire_token", times=1),)),
    Row("a page in another charset, for good", (_shop("wrong_charset", times=None),), "orders", frozenset({"raw.shop__orders"})),
    Row("a page that is not JSON, for good", (_shop("garbage", times=None),), "orders", frozenset({"raw.shop__orders"})),
    Row("the same page for ever", (_shop("repeat_forever"),), "orders", frozenset({"raw.shop__orders"})),
    Row("the gateway storms with 429", (_sage("throttle", seconds=0, times=3),)),
    Row("the gateway drops the line", (_sage("cut_after", times=2),)),
    Row("the gateway's session ends", (_sage("expire_session"),)),
    Row("half an XML page", (_sage("truncate"),), "not well-formed XML", frozenset({"raw.intacct__arinvoice", "raw.intacct__stock_totals"})),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_reading_heals_or_says_so_and_the_rest_goes_on(
    row: Row, world: night.World, calm: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = night.no_waiting(monkeypatch)
    house = _house(world, tmp_path / "house")
    if row.name in ("a page comes twice", "the same page for ever"):
        # Pages small enough that there is more than one.
        config = tmp_path / "house" / "tieout.toml"
        config.write_text(
            config.read_text().replace('kind = "commercetools"', 'kind = "commercetools"\npage_size = 50')
        )
        house = night.house_at(config, night.NightClock(world.addresses["now"]))
    world.clear()
    for fault in row.faults:
        world.tell("POST", "/faults", fault)
    source, prefix = (
        ("shop", "raw.shop__") if row.faults[0]["app"] == "commercetools" else ("intacct", "raw.intacct__")
    )
    wanted = {name: count for name, count in calm.items() if name.startswith(prefix)}
    done = night.steps(house, "extract", sources=[source])["extract"]
    assert world.unstruck() == []
    world.clear()
    if row.says is None:
        assert (done["errors"], done["exit_code"]) == ([], 0)
        if row.faults[0].get("seconds") == 2:
            assert [wait for wait in waits if wait >= 2], "Retry-After was not honoured"
    else:
        assert done["exit_code"] == 4
        assert len(done["errors"]) == 1
        assert row.says in done["errors"][0]
        assert "\n" not in done["errors"][0]
        held = _held(house)
        assert {name for name in wanted if held[name] != wanted[name]} <= row.broken
        again = night.steps(house, "extract", sources=[source])["extract"]
        assert again["errors"] == []
    held = _held(house)
    assert {name: held[name] for name in wanted} == wanted


@pytest.fixture(scope="module")
def planned(world: night.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything is planned and nothing sent."""
    world.reset()
    folder = tmp_path_factory.mktemp("planned") / "house"
    night.steps(_house(world, folder), *night.TO_POST)
    return folder


def _copy(planned: Path, world: night.World, to: Path) -> night.House:
    world.reset()
    clock = night.NightClock(world.addresses["now"])
    clock.ahead(minutes=20)
    return night.house_at(night.copy_of(planned, to), clock)


def test_a_shop_that_is_down_does_not_stop_the_ledger_side(
    planned: Path, world: night.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    house = _copy(planned, world, tmp_path / "house")
    world.fault("commercetools", "unavailable", times=None)
    said = night.night(house)
    assert said["exit_code"] == 4
    assert all(one.startswith("shop: ") for one in said["problems"]), said["problems"]
    assert said["stages"]["post"]["posted"] > 40, "what was planned before goes on its way"
    assert said["stages"]["confirm"]["problems"] == []
    assert said["stages"]["report"]["path"]
    world.clear()
    assert night.unlike_the_books(house, world) == []


def test_a_ledger_that_is_down_lets_the_documents_wait(
    planned: Path, world: night.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    house = _copy(planned, world, tmp_path / "house")
    world.fault("intacct", "unavailable", times=None)
    said = night.night(house)
    assert said["exit_code"] == 4
    assert "post" not in said["stages"]
    assert any("nothing was posted" in one for one in said["problems"])
    assert set(night.states_of(house)) == {"planned"}
    world.clear()
    night.steps(house, "post")
    assert night.unlike_the_books(house, world) == []
    assert night.waiting(house) == []


def test_a_shut_gate_lets_nothing_out(planned: Path, world: night.World, tmp_path: Path) -> None:
    house = _copy(planned, world, tmp_path / "house")
    # Half of what was read is not there any more: the control totals of staging cannot agree.
    with house.warehouse.write(run_id="hand") as session:
        controls = session.fetch("ops.controls")
        broken = controls.with_columns(
            good_count=pl.when((pl.col("stage") == "stage") & (pl.col("subject") == "orders"))
            .then(pl.col("good_count") - 50)
            .otherwise(pl.col("good_count"))
        )
        session.publish("ops.controls", broken, key=["run_id", "source", "subject", "stage"], mode="merge")
    checked = night.steps(house, "check")["check"]
    assert checked["stops"] >= 1
    night.steps(house, "plan")
    before = world.keys()
    with pytest.raises(Stopped) as shut:
        night.steps(house, "post")
    assert shut.value.exit_code == 7
    assert "nothing was posted" in str(shut.value)
    assert world.keys() == before
    assert set(night.states_of(house)) <= {"planned", "held"}


@pytest.mark.parametrize(
    ("secret", "app"),
    [("TIEOUT_SHOP_CLIENT_SECRET", "commercetools"), ("TIEOUT_INTACCT_SENDER_PASSWORD", "intacct")],
)
def test_a_wrong_password_is_said_once_and_never_hammered(
    secret: str, app: str, world: night.World, tmp_path: Path
) -> None:
    folder = tmp_path / "house"
    config = night.lay_out(folder, world.addresses)
    world.reset()
    house = night.house_at(config, night.NightClock(world.addresses["now"]), **{secret: "wrong-canary-4711"})
    done = night.steps(house, "extract")["extract"]
    assert done["exit_code"] == 5
    assert world.calls(app)["total"] <= 2, "repeated tries lock accounts"
    mine = [one for one in done["errors"] if "wrong-canary" in one]
    assert mine == []
    other = {"commercetools": "intacct", "intacct": "shop"}[app]
    good = [one for one in done["sources"] if one["source"] == other]
    assert good
    assert all("error" not in one for one in good)


def test_a_full_disk_is_one_sentence_and_a_rerun_completes(world: night.World, tmp_path: Path) -> None:
    world.reset()
    folder = tmp_path / "house"
    config = night.lay_out(folder, world.addresses)

    def tight() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))

    cramped = subprocess.run(
        night.command("run", "nightly", "--plain", "--as-of", world.addresses["now"]),
        cwd=folder,
        env=night.environment(PYTHONPATH=str(night.ROOT)),
        capture_output=True,
        text=True,
        timeout=200,
        preexec_fn=tight,
        check=False,
    )
    assert cramped.returncode == 8, cramped.stdout + cramped.stderr
    last = cramped.stderr.strip().splitlines()[-1]
    assert last.startswith("tieout: ")
    assert "disk" in last
    assert "Traceback" not in cramped.stderr
    assert not list(folder.glob("tieout-defect-*"))
    clock = night.NightClock(world.addresses["now"])
    clock.ahead(minutes=30)
    house = night.house_at(config, clock)
    night.steps(house, *night.TO_POST, "post")
    assert night.unlike_the_books(house, world) == []
    assert night.waiting(house) == []
    # The file with what its write-ahead log still holds.
    written = sum(one.stat().st_size for one in (folder / "state").glob("warehouse.duckdb*"))
    assert written > 1_500_000, "the limit was never met"
