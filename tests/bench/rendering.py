"""Payloads of the stand-in world as the courier hands them over: rendered once, by all processors, and kept until the sources change.

They are what a bench starts from and no part of what it measures. Chunks lie as Parquet under `.bench/` of the repository, in a folder named
by the number of orders and by what the rendering code says.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ("customers", "payments", "orders")
CHUNK = 10_000
SEED = 7
_DONE = "done"
_world: Any = None
_teller: Any = None
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


class Record(NamedTuple):
    """An outside record, as `LandingWriter` takes it."""

    native_ref: str
    version: int | None
    updated_at: datetime | None
    payload: bytes
    problem: str | None


def rendered(orders: int, folder: Path | None = None) -> Path:
    """The folder of rendered chunks for so many orders; makes them where they are not there yet. What older sources
    made is removed."""
    return _kept(folder or ROOT / ".bench", str(orders), lambda place: _render(place, orders))


def storefront(kind: str, orders: int, folder: Path | None = None) -> Path:
    """The folder of the raw orders of one storefront alone, as staging reads them: `orders-NNN.parquet`, `CHUNK` rows each."""
    return _kept(
        folder or ROOT / ".bench", f"{kind}-{orders}", lambda place: _render_front(place, kind, orders)
    )


def _kept(home: Path, name: str, make: Callable[[Path], None]) -> Path:
    state = _state_of_sources()
    place = home / f"{name}-{state}"
    if (place / _DONE).exists():
        return place
    for old in home.glob("*") if home.exists() else ():
        if old == place or not old.name.endswith(state):
            shutil.rmtree(old, ignore_errors=True)
    place.mkdir(parents=True)
    make(place)
    (place / _DONE).touch()
    return place


def records(place: Path, subject: str) -> Iterator[list[Record]]:
    """The records of a subject, chunk by chunk in the order in which the shop lists them."""
    import polars as pl

    for path in sorted(place.glob(f"{subject}-*.parquet")):
        frame = pl.read_parquet(path)
        yield [Record(*row) for row in frame.iter_rows()]


def _render(place: Path, orders: int) -> None:
    global _world
    from tieout.sandbox.world.world import World

    # Built once and shared: the processes below are forks, and nothing here has started a thread.
    _world = World.build(SEED, orders)
    jobs = [
        (str(place), subject, start)
        for subject in SUBJECTS
        for start in range(0, len(_shelf(subject)), CHUNK)
    ]
    _shared_out(_chunk, jobs)
    _world = None


def _shared_out(work: Callable[[Any], None], jobs: list[Any]) -> None:
    if len(jobs) > 1 and "fork" in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=25) as pool:
            for _ in pool.imap_unordered(work, jobs):
                pass
    else:
        for job in jobs:
            work(job)


def _render_front(place: Path, kind: str, orders: int) -> None:
    global _world, _teller
    from tieout.sandbox.world.world import World

    _world = World.build(SEED, orders, (kind,))
    _teller = _teller_of(kind)
    indexes = [line.index for line in _world.told_by(kind)] if kind != "commercetools" else range(orders)
    jobs = [
        (str(place), start, list(indexes[start : start + CHUNK])) for start in range(0, len(indexes), CHUNK)
    ]
    _shared_out(_front_chunk, jobs)
    _world = _teller = None


def _teller_of(kind: str) -> Callable[[int], str]:
    """The payload of an order by its place in the world, as the storefront's courier lands it."""
    from tieout.sandbox.faults import FaultBoard
    from tieout.sandbox.storefronts.registry import STAND_INS
    from tieout.sandbox.world.catalog import NOW_MS
    from tieout.sandbox.world.payloads import dump

    if kind == "commercetools":
        return _world.order_list.text  # type: ignore[no-any-return]
    if kind != "magento":
        return STAND_INS[kind](_world, FaultBoard(), lambda: NOW_MS).order_text  # type: ignore[attr-defined, no-any-return]
    from tieout.connectors.storefronts.magento_pages import SUBJECTS as PAGES
    from tieout.connectors.storefronts.magento_pages import peek, to_records
    from tieout.sandbox.storefronts.magento_shop import Shop

    shop, keep = Shop(_world.seed), ("name", "email", "address")

    def told(index: int) -> str:
        raw = dump(shop.order(_world.order(index))).encode()
        return to_records([raw], [peek(raw, PAGES["orders"])], keep_personal=keep)[0].payload.decode()

    return told


def _front_chunk(job: tuple[str, int, list[int]]) -> None:
    import polars as pl

    place, start, indexes = job
    payloads = [_teller(index) for index in indexes]
    size, at = len(payloads), pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        [
            pl.Series("native_ref", [str(start + number) for number in range(size)], dtype=pl.String),
            pl.Series("version_no", [1] * size, dtype=pl.Int64),
            pl.Series("updated_at", [NOW] * size, dtype=at),
            pl.Series("payload", payloads, dtype=pl.String),
            pl.Series(
                "payload_sha256",
                [hashlib.sha256(one.encode()).hexdigest() for one in payloads],
                dtype=pl.String,
            ),
            pl.Series("problem", [None] * size, dtype=pl.String),
            pl.Series("fetched_at", [NOW] * size, dtype=at),
        ]
    )
    frame.write_parquet(Path(place) / f"orders-{start:09d}.parquet", compression="zstd")


def _shelf(subject: str) -> Any:
    return {
        "orders": _world.order_list,
        "payments": _world.payment_list,
        "customers": _world.customer_list,
    }[subject]


def _chunk(job: tuple[str, str, int]) -> None:
    import polars as pl

    from tieout.connectors.storefronts.commercetools import DEFAULT_PERSONAL
    from tieout.connectors.storefronts.commercetools_pages import Peek, to_records

    place, subject, start = job
    shelf = _shelf(subject)
    raws = [shelf.text(at).encode() for at in range(start, min(start + CHUNK, len(shelf)))]
    peeks = [Peek.of(raw) for raw in raws]
    made = list(to_records(raws, peeks, payment=subject == "payments", keep_personal=DEFAULT_PERSONAL))
    frame = pl.DataFrame(
        {
            "native_ref": [one.native_ref for one in made],
            "version": [one.version for one in made],
            "updated_at": [one.updated_at for one in made],
            "payload": [one.payload for one in made],
            "problem": [one.problem for one in made],
        },
        schema={
            "native_ref": pl.String,
            "version": pl.Int64,
            "updated_at": pl.Datetime("us", "UTC"),
            "payload": pl.Binary,
            "problem": pl.String,
        },
    )
    frame.write_parquet(Path(place) / f"{subject}-{start:09d}.parquet", compression="zstd")


def _state_of_sources() -> str:
    """A short hash of everything that decides what a payload looks like."""
    digest = hashlib.sha256()
    connectors = ROOT / "tieout" / "connectors" / "storefronts"
    for path in sorted([*(ROOT / "tieout" / "sandbox").rglob("*.py"), *connectors.glob("*.py"), Path(__file__)]):  # fmt: skip
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
