"""The warehouse folder: one DuckDB file opened for one transaction at a time, its lock, and the snapshot analysts read."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse import landing, outbox
from tieout.warehouse.connection import Connection
from tieout.warehouse.faults import explained
from tieout.warehouse.ingesting import OWN_TABLES
from tieout.warehouse.instances import CATALOG, attached
from tieout.warehouse.locking import AdvisoryLock
from tieout.warehouse.session import Judge, Session
from tieout.warehouse.statements import literal, quoted

_CONFIG = {
    # Everything used is built into the wheel; nothing may be fetched from a network in the middle of a night.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # A misspelt table must not be answered with a Python variable of the same name.
    "python_enable_replacements": "false",
}


_OVER = object()
"""What a sitting holds instead of its connection once a transaction in it has failed."""


class Warehouse:
    """A folder with `warehouse.duckdb`, `landing/`, `archive/`, `snapshot.duckdb` and `warehouse.lock`.

    folder        made if it does not exist
    lock_seconds  how long to wait for another run before `Busy`
    memory_limit  of DuckDB, such as "2GB"; None leaves its own default. What does not fit is spilled below the folder.
    judge         looks at the rows of every `fetch`; by default nobody does

    Raises `WarehouseError` if the folder cannot be made or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lock_seconds: float = 60,
        memory_limit: str | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "warehouse.duckdb"
        self.landing_folder = self.folder / "landing"
        self.archive_folder = self.folder / "archive"
        self.snapshot_path = self.folder / "snapshot.duckdb"
        self._memory_limit = memory_limit
        self._judged: dict[str, Judge] = {"judge": judge} if judge is not None else {}
        with explained(self.folder):
            for place in (self.folder, self.landing_folder, self.archive_folder):
                place.mkdir(parents=True, exist_ok=True)
        self._lock = AdvisoryLock(self.folder / "warehouse.lock", seconds=lock_seconds)
        self._mine = threading.local()

    def ensure(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Create schemas and tables from empty typed frames, with the warehouse's own; add columns that are missing (null in old rows).

        Raises `WarehouseError` naming table and column if one is stored in another type; then nothing at all is changed.
        """
        with self.write(run_id="ensure") as session:
            session.ensure({**OWN_TABLES, **tables})
            if session.exists("ops.outbox") and session.exists("out.documents"):
                outbox.create_views(session)

    def rebuild(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Drop the derived tables among these (core, recon), make them anew and empty, and forget how far raw was staged.

        The next stage run fills them from raw. raw, out and ops are never touched.
        """
        derived = {
            name: empty for name, empty in tables.items() if name.partition(".")[0] in ("core", "recon")
        }
        with self.write(run_id="rebuild") as session:
            for name in derived:
                session.drop(name)
            session.ensure({**OWN_TABLES, **derived})
            session.publish("ops.stage_cursors", OWN_TABLES["ops.stage_cursors"], key=(), mode="replace")

    @contextmanager
    def sitting(self, *, run_id: str) -> Iterator[None]:
        """Hold the warehouse for several transactions of this thread: the file is opened once for all of them.

        `write` and `read` within are transactions of their own, committed one by one. Nothing within may wait for a network. After a failed
        write the sitting is over: whatever else is tried in it raises `WarehouseError`. Raises what `write` raises.
        """
        with (
            explained(self.path),
            self._lock.hold(run_id=run_id, exclusive=True),
            attached(self.path, read_only=False, config=self._config()) as con,
        ):
            self._mine.con = con
            try:
                yield
            finally:
                self._mine.con = None

    @contextmanager
    def write(self, *, run_id: str) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises. Never hold it across an HTTP call.

        Raises `Busy` when another run holds the warehouse for longer than `lock_seconds`, `WarehouseError` for a full
        disk, a damaged file and the like; in every case nothing is half-written.
        """
        with explained(self.path), self._opened(run_id=run_id, read_only=False) as con:
            con.execute("BEGIN TRANSACTION")
            try:
                session = Session(Connection(con), run_id=run_id, **self._judged)
                yield session
                if session.failure is not None:
                    raise WarehouseError(
                        f"Run {run_id} carried on after a failed write ({session.failure}); everything it wrote was rolled back."
                    ) from session.failure
            except BaseException:
                with suppress(duckdb.Error):  # the first fault is the one to tell
                    con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    @contextmanager
    def read(self, *, run_id: str = "read") -> Iterator[Session]:
        """The live file, read-only, as one consistent state; several readers may share it, writers wait until they end."""
        with explained(self.path), self._opened(run_id=run_id, read_only=True) as con:
            con.execute("BEGIN TRANSACTION")
            try:
                yield Session(Connection(con), run_id=run_id, **self._judged)
            finally:
                with suppress(
                    duckdb.Error
                ):  # in a sitting the connection goes on; elsewhere it is closed with its transaction
                    con.execute("ROLLBACK")

    def publish_snapshot(self) -> Path:
        """Copy the committed state, views included, to `snapshot.duckdb` and swap it in by rename.

        Whoever has the old snapshot open keeps reading the old one; whoever opens it next sees the new one.
        Raises `Busy` and `WarehouseError` like `write`; the old snapshot then stays.
        """
        fresh = self.folder / ".snapshot.duckdb.new"
        with explained(self.path), self._lock.hold(run_id="snapshot", exclusive=True):
            if not self.path.exists():
                raise WarehouseError(f"There is no warehouse at {self.path} yet; run an extract first.")
            with attached(self.path, read_only=False, config=self._config()) as con:
                con.execute(
                    f"CHECKPOINT {quoted(CATALOG)}"
                )  # a copy beside a filled write-ahead log would miss what is in it
            try:
                shutil.copyfile(self.path, fresh)
                _flush(fresh)
                with duckdb.connect(str(fresh), read_only=True, config=dict(_CONFIG)) as con:
                    con.execute("SELECT count(*) FROM information_schema.tables").fetchall()
                os.replace(fresh, self.snapshot_path)
                landing.flush_folder(self.folder)
            finally:
                fresh.unlink(missing_ok=True)
        return self.snapshot_path

    def open_snapshot(self) -> duckdb.DuckDBPyConnection:
        """A connection that can only read the newest snapshot; the caller closes it.

        DuckDB hands a second `connect` to one path the instance that is already open in the process, and with it the replaced file; attaching
        from a connection of its own always finds the file that is there now. Raises `WarehouseError` if there is none.
        """
        if not self.snapshot_path.exists():
            raise WarehouseError(
                f"There is no snapshot at {self.snapshot_path} yet; it is published at the end of a run."
            )
        with explained(self.snapshot_path):
            con = duckdb.connect(":memory:", config=self._config())
            try:
                con.execute(f"ATTACH {literal(str(self.snapshot_path))} AS {quoted('snapshot')} (READ_ONLY)")
                con.execute("USE snapshot")
                con.execute("SET TimeZone = 'UTC'")
            except BaseException:
                con.close()
                raise
            return con

    def pending_landings(self) -> list[landing.LandingResult]:
        """Landings that were finished but never ingested, because the run died in between; oldest first."""
        finished = landing.finished(self.landing_folder)
        if not finished or not self.path.exists():
            return finished
        with self.read() as session:
            if not session.exists("ops.landings"):
                return finished
            known = set(session.fetch("ops.landings", columns=["landing_id"])["landing_id"].to_list())
        return [one for one in finished if one.landing_id not in known]

    def prune_landings(self, *, before: datetime) -> int:
        """Delete landing files that are safely in raw and were finished before an instant, and what dead writers left unfinished.

        Returns the number of files deleted.
        """
        waiting = {one.landing_id for one in self.pending_landings()}
        with explained(self.landing_folder):
            return landing.prune(self.landing_folder, keep=waiting, before=before)

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        config: dict[str, str | bool | int | float | list[str]] = dict(_CONFIG)
        config["temp_directory"] = str(self.folder / "spill")
        if self._memory_limit is not None:
            config["memory_limit"] = self._memory_limit
        return config

    @contextmanager
    def _opened(self, *, run_id: str, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        con = getattr(self._mine, "con", None)
        if con is None:
            with (
                self._lock.hold(run_id=run_id, exclusive=not read_only),
                attached(self.path, read_only=read_only, config=self._config()) as fresh,
            ):
                yield fresh
            return
        if con is _OVER:
            raise WarehouseError(
                f"A write of this sitting failed, so {run_id} was not begun; run the stage again."
            )
        try:
            yield con
        except BaseException:
            self._mine.con = _OVER
            raise


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = ["Warehouse"]
