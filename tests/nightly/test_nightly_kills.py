"""`kill -9` at random moments of a real night, and two nights at once: the books hold each document once, whatever dies when."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import night
import pytest

ORDERS = 90
KILLS = 10
NIGHT = ("run", "nightly", "--plain")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[night.World]:
    with night.world_of(tmp_path_factory.mktemp("kills") / "world", orders=ORDERS) as found:
        yield found


def _later(world: night.World, minutes: int) -> str:
    start = datetime.fromisoformat(world.addresses["now"])
    return (start + timedelta(minutes=minutes)).isoformat()


def _answered(world: night.World) -> int:
    calls = world.ask("/calls")
    return sum(calls.get(app, {}).get("total", 0) for app in ("commercetools", "intacct"))


def _whole(house: night.House, world: night.World) -> None:
    assert night.unlike_the_books(house, world) == []
    assert night.waiting(house) == []
    with house.warehouse.read() as session:
        runs = session.fetch("ops.runs")
    assert "running" not in set(runs["state_code"]), "a dead run is still shown as running"
    pending = house.warehouse.pending_landings()
    assert pending == [], "something was landed and never taken in"


@pytest.mark.timeout(600)
def test_ten_kills_at_random_moments_then_one_whole_night(world: night.World, tmp_path: Path) -> None:
    """A moment is drawn as a number of requests answered, from the first to the last of a night, and a breath after it."""
    world.reset()
    folder = tmp_path / "house"
    config = night.lay_out(folder, world.addresses, batch_size=10)
    rng = random.Random(20261102)
    killed = posted_between = attempt = 0
    moments: list[int] = []
    # A night that found little left to do may end before its moment comes: then another moment is drawn.
    while killed < KILLS and attempt < KILLS + 4:
        # Reading takes about 55 requests; posting, reading back and stock come after: half of the kills fall there.
        target = rng.randint(1, 55) if attempt % 2 else rng.randint(56, 120 if attempt < 4 else 78)
        breath = rng.random() * 0.15
        before = _answered(world)
        process = night.start(folder, *NIGHT, "--as-of", _later(world, 20 * attempt))
        until = time.monotonic() + 120
        while process.poll() is None and _answered(world) - before < target and time.monotonic() < until:
            time.sleep(0.04)
        time.sleep(breath)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += alive
        attempt += 1
        moments.append(_answered(world) - before)
        fresh = sum(len(keys - world.born[kind]) for kind, keys in world.keys().items())
        posted_between += alive and fresh > 0
    assert killed == KILLS, f"only {killed} nights were alive when they were killed: {moments}"
    assert posted_between >= 2, f"no kill came after something had been posted: {moments}"

    last = night.tieout(folder, *NIGHT, "--as-of", _later(world, 20 * attempt))
    assert last.returncode == 0, last.stdout + last.stderr
    clock = night.NightClock(_later(world, 20 * attempt + 10))
    house = night.house_at(config, clock)
    _whole(house, world)
    # Nothing is left to do, and nothing is done.
    calm = world.keys()
    again = night.steps(house, "extract", "stage", "check", "plan", "post")
    assert again["post"]["posted"] == 0
    assert world.keys() == calm
    assert night.unlike_the_key(house, world) == {}


def test_two_nights_at_once_double_nothing(world: night.World, tmp_path: Path) -> None:
    world.reset()
    folder = tmp_path / "house"
    config = night.lay_out(folder, world.addresses, batch_size=10)
    pair = [
        subprocess.Popen(
            night.command(*NIGHT, "--as-of", _later(world, 0)),
            cwd=folder,
            env=night.environment(PYTHONPATH=str(night.ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=240)[0] for process in pair]
    for process, text in zip(pair, told, strict=True):
        assert process.returncode in (0, 6), text
        assert process.returncode == 0 or "in use" in text, text
        assert "Traceback" not in text
    assert any(process.returncode == 0 for process in pair), told
    house = night.house_at(config, night.NightClock(_later(world, 20)))
    assert night.unlike_the_books(house, world) == []
    night.steps(house, "post")
    assert night.unlike_the_books(house, world) == []
    assert night.waiting(house) == []
