"""The command line as a shell sees it: what it prints, how it ends, and that nobody ever reads a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import night
import pytest

from flows.cli import main


@dataclass(frozen=True)
class Shop:
    """A world and a house in which everything is read, staged and checked, and nothing is planned yet."""

    world: night.World
    folder: Path
    now: str


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    base = tmp_path_factory.mktemp("cli")
    with night.world_of(base / "world", orders=200) as world:
        config = night.lay_out(base / "house", world.addresses)
        clock = night.NightClock(world.addresses["now"])
        house = night.house_at(config, clock)
        night.steps(house, "extract", "stage", "check")
        clock.ahead(minutes=30)
        yield Shop(world, base / "house", clock().isoformat())


def test_a_dry_run_prints_the_xml_and_stores_nothing(shop: Shop) -> None:
    house = night.house_at(shop.folder / "tieout.toml", night.NightClock(shop.now))
    before = night.outbox_of(house)
    keys = shop.world.keys()
    done = night.tieout(shop.folder, "run", "plan", "--dry-run", "--as-of", shop.now)
    assert done.returncode == 0, done.stderr
    assert "<create_invoice>" in done.stdout
    assert "documents would be planned" in done.stdout
    assert before.height == night.outbox_of(house).height == 0
    assert shop.world.keys() == keys


def test_plan_and_post_then_trace_then_status(shop: Shop) -> None:
    house = night.house_at(shop.folder / "tieout.toml", night.NightClock(shop.now))
    night.steps(house, "plan")
    with house.warehouse.read() as session:
        order = session.fetch("out.documents", where={"kind_code": "invoice"}).sort("number")["order_number"][
            0
        ]
    posted = night.tieout(shop.folder, "run", "post", "--plain", "--as-of", shop.now)
    assert posted.returncode == 0, posted.stdout + posted.stderr
    traced = night.tieout(shop.folder, "trace", order)
    assert traced.returncode == 0, traced.stderr
    assert order in traced.stdout
    assert "accepted" in traced.stdout
    as_json = json.loads(night.tieout(shop.folder, "trace", order, "--json").stdout)
    assert {one["state_code"] for one in as_json["documents"]} == {"accepted"}
    status = night.tieout(shop.folder, "status", "--json", "--as-of", shop.now)
    found = json.loads(status.stdout)
    assert found["holds"], "this world holds orders"
    assert status.returncode == found["exit_code"] == 1
    unknown = night.tieout(shop.folder, "trace", "NO-SUCH-ORDER")
    assert unknown.returncode == 2
    assert "NO-SUCH-ORDER" in unknown.stderr


def test_doctor_says_ok_or_what_to_fix(shop: Shop) -> None:
    good = night.tieout(shop.folder, "doctor", "--as-of", shop.now)
    assert "ok   Intacct: signs in" in good.stdout
    assert "ok   storefront shop: signs in" in good.stdout
    bad = night.tieout(
        shop.folder, "doctor", "--as-of", shop.now, TIEOUT_INTACCT_USER_PASSWORD="wrong-canary-4711"
    )
    assert bad.returncode == 1
    assert "FIX  Intacct" in bad.stdout
    assert "wrong-canary" not in bad.stdout + bad.stderr


def test_init_lays_out_a_folder_once(tmp_path: Path) -> None:
    made = night.tieout(tmp_path, "init", "house")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "house" / "tieout.toml").exists()
    assert (tmp_path / "house" / "data" / "mappings" / "stores.csv").exists()
    again = night.tieout(tmp_path, "init", "house")
    assert again.returncode == 2
    assert "nothing was changed" in again.stderr


def test_a_bad_configuration_lists_every_problem_at_once(tmp_path: Path) -> None:
    (tmp_path / "tieout.toml").write_text(
        """
[installation]
namespace = "NOT ALLOWED"
colour = "blue"

[[entities]]
code = "E100"
base_currency = "dollars"
time_zone = "Mars/Olympus"

[storefronts.shop]
kind = "commercetools"
""",
        encoding="utf-8",
    )
    done = night.tieout(tmp_path, "run", "nightly", "--plain")
    assert done.returncode == 2
    for word in ("namespace", "colour", "base_currency", "Mars/Olympus", "api_url"):
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "state").exists(), "nothing may be started on a bad configuration"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "nightly", "--plain"), 2, "There is no tieout.toml"),
        (("run", "dance", "--config", "{config}"), 2, "no stage 'dance'"),
        (("run", "extract", "--plain", "--config", "{config}", "--source", "nobody"), 2, "No source 'nobody'"),
        (("run", "post", "--plain", "--config", "{config}", "--full"), 2, "takes no --full"),
        (("run", "extract", "--plain", "--config", "{config}", "--as-of", "yesterday"), 2, "not an instant"),
        (("run", "extract", "--plain", "--config", "{config}", "--since", "yesterday"), 2, "not an instant"),
        (("run", "extract", "--plain", "--config", "{config}", "--since", "2026-10-01"), 2, "has no time zone"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_sentence(
    words: tuple[str, ...],
    code: int,
    says: str,
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the entry point in this process; the tests around this one start processes of their own."""
    filled = [word.replace("{config}", str(shop.folder / "tieout.toml")) for word in words]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tieout", *filled])
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    for name, value in night.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code, said.out + said.err
    assert says in said.err
    assert says not in said.out
    assert "Traceback" not in said.out + said.err
    assert list(tmp_path.iterdir()) == [], "the file of a defect"


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_run_that_is_asked_to_end_cleans_up_and_says_how_to_go_on(number: str, code: int) -> None:
    program = (
        "import os, signal, time\nimport flows.cli as cli\n"
        "def run():\n try:\n"
        f"  os.kill(os.getpid(), signal.{number})\n  time.sleep(20)\n"
        " finally:\n  print('cleaned up')\n"
        "cli.app.command('run-till-stopped')(run)\nimport sys\nsys.argv = ['tieout', 'run-till-stopped']\ncli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=night.ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (code, "cleaned up")
    assert done.stderr.strip() == "tieout: stopped; run the same command again, it goes on where it was."
