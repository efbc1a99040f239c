"""Payloads of the stand-in world as the courier hands them over: rendered once, by all processors, and kept until the sources change.

They are what a bench starts from and no part of what it measures. Chunks lie as Parquet under `.bench/` of the repository, in a folder named
by the number of orders and by what the rendering code says.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ("customers", "payments", "orders")
CHUNK = 10_000
SEED = 7
_DONE = "done"
_world: Any = None


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
    home = folder or ROOT / ".bench"
    state = _state_of_sources()
    place = home / f"{orders}-{state}"
    if (place / _DONE).exists():
        return place
    for old in home.glob("*") if home.exists() else ():
        if old == place or not old.name.endswith(state):
            shutil.rmtree(old, ignore_errors=True)
    place.mkdir(parents=True)
    _render(place, orders)
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
    if "fork" in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=25) as pool:
            for _ in pool.imap_unordered(_chunk, jobs):
                pass
    else:
        for job in jobs:
            _chunk(job)
    _world = None


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
    for path in sorted([*(ROOT / "tieout" / "sandbox").rglob("*.py"), *connectors.glob("commercetools*.py"), Path(__file__)]):  # fmt: skip
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
