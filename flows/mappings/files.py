"""Adds one row to a CSV file finance edits: checked as a whole first, then put in place in one step, so that nobody reads half a file."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from checks.contracts import Table
from flows.mappings.reading import read_mapping
from tieout.errors import InputError, SettingsError, Stopped, WarehouseError
from tieout.warehouse.locking import AdvisoryLock


def add_row(path: Path, table: Table, row: Mapping[str, str | None], *, lock_seconds: float) -> str:
    """Append a row and return it as written. Columns the file does not have yet are added when the row needs them.

    The file keeps its other bytes, its encoding mark and its line ends. Raises `InputError` for a row that breaks the mapping's contract, and
    `WarehouseError` if the file cannot be written.
    """
    lock = AdvisoryLock(path.with_name(f".{path.name}.lock"), seconds=lock_seconds)
    with lock.hold(run_id="mappings", exclusive=True):
        try:
            before = path.read_bytes() if path.exists() else b""
        except OSError as fault:
            raise WarehouseError(f"{path} cannot be read: {fault}.") from None
        text = before.decode("utf-8")
        end = "\r\n" if "\r\n" in text else "\n"
        header = next(csv.reader(io.StringIO(text.lstrip("\ufeff"))), None) or list(table.polars_schema)
        names = [name.strip() for name in header]
        lacking = [name for name, value in row.items() if value not in (None, "") and name not in names]
        if lacking:
            raise InputError(
                f"{path.name} has no column {lacking[0]} yet; add it to the first line of the file, then run the command again."
            )
        line = _line([row.get(name) or "" for name in names])
        if not text.strip("\ufeff \r\n"):
            text = _line(names) + end
        elif not text.endswith(("\n", "\r")):
            text += end
        after = f"{text}{line}{end}".encode()
        _replace(path, after, table)
    return line


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def _replace(path: Path, content: bytes, table: Table) -> None:
    """Write beside, check, and rename: what stands under the name is always a whole and valid file."""
    folder = Path(tempfile.mkdtemp(prefix=".adding-", dir=path.parent))
    beside = folder / path.name
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        try:
            read_mapping(beside, table)
        except (SettingsError, Stopped) as fault:
            raise InputError(f"The row was not added: {fault}") from None
        beside.replace(path)
    except OSError as fault:
        raise WarehouseError(f"{path} cannot be written: {fault}.") from None
    finally:
        beside.unlink(missing_ok=True)
        folder.rmdir()
