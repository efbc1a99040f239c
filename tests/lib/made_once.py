"""What each house of a process needs and is the same for all: the empty warehouse, made once and copied, and the DuckDB instances.

Making a hundred and more tables, and starting DuckDB, take longer than most tests. What is made by `Warehouse.ensure` is the same file
whatever folder it lies in; only a first making of many tables is copied. Small warehouses, later openings and processes that tests start go
the ordinary way.

`kept_attached` is for files of tests in which nobody but their own process opens a house: its file then stays attached from one transaction to
the next, each on a connection of its own. Attaching and letting go of a hundred tables is up to half of what such tests would spend. That
each transaction lets go of the file, and what is left when a process dies, is shown where houses are opened as runs open them: in the tests
of the warehouse, on the command line, and wherever a process is killed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from tieout.warehouse import store
from tieout.warehouse.instances import CATALOG
from tieout.warehouse.statements import literal, quoted
from tieout.warehouse.store import Warehouse

MANY = 60
"""Tables from which on a warehouse is that of a whole house."""


@contextmanager
def copied_when_empty(folder: Path) -> Iterator[None]:
    """While the block lasts, a whole house's warehouse that is not there yet is a copy of the first one like it; copies are kept in `folder`,
    where DuckDB would spill as well: instances are kept by their settings, and by their own folders houses could not share one."""
    ensure, config = Warehouse.ensure, Warehouse._config
    made: dict[object, Path] = {}

    def ensured(self: Warehouse, tables: Mapping[str, pl.DataFrame]) -> None:
        if len(tables) < MANY or self.path.exists():
            ensure(self, tables)
            return
        key = tuple((name, *frame.schema.items()) for name, frame in tables.items())
        if key in made:
            shutil.copyfile(made[key], self.path)
            return
        ensure(self, tables)
        # What DuckDB could not take into the file lies beside it; then the file alone is not the warehouse.
        if not self.path.with_name(f"{self.path.name}.wal").exists():
            made[key] = folder / f"{len(made)}.duckdb"
            shutil.copyfile(self.path, made[key])

    def shared(self: Warehouse) -> dict[str, str | bool | int | float | list[str]]:
        return {**config(self), "temp_directory": str(folder / "spill")}

    Warehouse.ensure, Warehouse._config = ensured, shared  # type: ignore[method-assign]
    try:
        yield
    finally:
        Warehouse.ensure, Warehouse._config = ensure, config  # type: ignore[method-assign]


MOST = 2
"""Files that stay attached at once, the last ones used."""


@dataclass
class _Kept:
    """An attached file, which file it was, how many use it now, and whether a block on it has failed."""

    root: duckdb.DuckDBPyConnection
    inode: int
    users: int = 0
    failed: bool = False


@contextmanager
def kept_attached() -> Iterator[None]:
    """While the block lasts, warehouses of this process stay attached between their transactions; after one that failed, the file is opened anew."""
    ordinary, guard = store.attached, threading.Lock()
    kept: dict[Path, _Kept] = {}

    def taken(path: Path, config: Mapping[str, Any]) -> _Kept:
        with guard:
            one = kept.pop(path, None)
            if one is not None and not one.users and (one.failed or one.inode != path.stat().st_ino):
                one.root.close()
                one = None
            if one is None:
                idle = [known for known in kept if not kept[known].users]
                for known in idle[: max(0, len(kept) + 1 - MOST)]:
                    kept.pop(known).root.close()
                root = duckdb.connect(":memory:", config=dict(config))
                root.execute("SET GLOBAL TimeZone = 'UTC'")
                root.execute(f"ATTACH {literal(str(path))} AS {quoted(CATALOG)}")
                one = _Kept(root, path.stat().st_ino)
            kept[path] = one
            one.users += 1
            return one

    @contextmanager
    def attached(
        path: Path, *, read_only: bool, config: Mapping[str, Any]
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        if not path.exists():
            with ordinary(path, read_only=read_only, config=config) as con:
                yield con
            return
        one = taken(path, config)
        try:
            with one.root.cursor() as con:
                con.execute(f"USE {quoted(CATALOG)}")
                yield con
        except BaseException:
            one.failed = True
            raise
        finally:
            with guard:
                one.users -= 1

    store.attached = attached  # type: ignore[assignment]
    try:
        yield
    finally:
        store.attached = ordinary
        for one in kept.values():
            one.root.close()
