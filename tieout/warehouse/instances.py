"""DuckDB instances of this process, and the warehouse file attached to one of them for the length of a transaction.

Starting an instance costs more than most of our transactions (it registers some thousands of functions): a night opens the file two hundred
times. The instance therefore stays, empty and in memory; the file is attached, used and detached, which checkpoints it and lets go of
DuckDB's lock exactly as closing it would.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from tieout.warehouse.statements import literal, quoted

CATALOG: Final = "warehouse"
"""Name of the attached file in every statement that needs one: the same as if `warehouse.duckdb` were opened by itself."""
_MOST_IDLE: Final = 2
"""A reader beside a writer is the most that one process needs at once; further instances are closed after use."""

Config = Mapping[str, str | bool | int | float | list[str]]
_guard = threading.Lock()
_idle: list[tuple[object, duckdb.DuckDBPyConnection]] = []


@contextmanager
def attached(path: Path, *, read_only: bool, config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default database is the file at `path`, detached when the block ends.

    After a block that raised, the instance is closed and never used again: what a failed write leaves in one is not ours to trust.
    """
    # A child that was forked must not use what its parent started.
    key = (os.getpid(), tuple(sorted((name, str(value)) for name, value in config.items())))
    root = _taken(key) or _started(config)
    sound = False
    try:
        con = root.cursor()
        try:
            # Everything below is one statement each, on a connection of its own: nothing of an earlier block is left in it.
            mode = " (READ_ONLY)" if read_only else ""
            con.execute(f"ATTACH {literal(str(path))} AS {quoted(CATALOG)}{mode}")
            con.execute(f"USE {quoted(CATALOG)}")
            yield con
        finally:
            con.close()
        # What was committed stays committed if the checkpoint fails here: it is in the write-ahead log, and the next opening takes it in.
        with suppress(duckdb.Error):
            root.execute(f"DETACH {quoted(CATALOG)}")
            sound = True
    finally:
        if sound:
            _give_back(key, root)
        else:
            root.close()


def _started(config: Config) -> duckdb.DuckDBPyConnection:
    root = duckdb.connect(":memory:", config=dict(config))
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    return root


def _taken(key: object) -> duckdb.DuckDBPyConnection | None:
    with _guard:
        for place, (known, root) in enumerate(_idle):
            if known == key:
                del _idle[place]
                return root
    return None


def _give_back(key: object, root: duckdb.DuckDBPyConnection) -> None:
    with _guard:
        _idle.append((key, root))
        surplus = [_idle.pop(0)[1] for _ in range(len(_idle) - _MOST_IDLE)]
    for one in surplus:
        one.close()
