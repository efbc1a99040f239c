"""What DuckDB and the disk say, as one sentence for a user."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tieout.errors import Busy, TieoutError, WarehouseError


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn faults of the file, the disk or memory into `WarehouseError` or `Busy`; let defects of our own SQL pass as they are."""
    try:
        yield
    except TieoutError:
        raise
    except (duckdb.Error, OSError) as fault:
        known = sentence_for(fault, path)
        if known is None:
            raise
        raise known from fault


def sentence_for(fault: BaseException, path: Path) -> TieoutError | None:
    """The error a user should see for a fault of DuckDB or the operating system; None for a defect of tieout."""
    text = str(fault)
    low = text.lower()
    where = path.name if path.name else str(path)
    if isinstance(fault, OSError):
        return WarehouseError(f"{_os_reason(fault)} ({fault.filename or path}); nothing was half-written.")
    if "could not set lock" in low or "conflicting lock" in low:
        return Busy(
            f"Another program has {path} open outside tieout; close it and run again. For queries open snapshot.duckdb beside it, which locks nobody."
        )
    if "no space left" in low or "file too large" in low or "disk quota" in low:
        return WarehouseError(
            f"The disk under {path.parent} is full; the change was rolled back. Free some space and run again."
        )
    if "permission denied" in low or "read-only file system" in low:
        return WarehouseError(
            f"{path} may not be written by this user; nothing was changed. Correct the rights of the folder and run again."
        )
    if "newer version" in low or "version number" in low or "storage version" in low:
        return WarehouseError(
            f"{path} was written by another version of DuckDB than {duckdb.__version__}; nothing was changed. Use the version that wrote it."
        )
    if any(
        word in low for word in ("corrupt", "not a valid duckdb", "could not read enough bytes", "checksum")
    ):
        return WarehouseError(
            f"{path} is damaged or not a warehouse; nothing was changed. Restore it from a backup, or move it away and run extract again to rebuild it."
        )
    if "database does not exist" in low:
        return WarehouseError(f"There is no warehouse at {path} yet; run an extract first.")
    if "is a directory" in low or "no such file or directory" in low or "not a directory" in low:
        return WarehouseError(
            f"{path} cannot be opened: {text.splitlines()[0][:200]}. Correct the data folder in tieout.toml."
        )
    if isinstance(fault, duckdb.OutOfMemoryException):
        return WarehouseError(
            f"{where} needs more memory than its limit; the change was rolled back. Raise the memory limit or free the machine."
        )
    if isinstance(fault, duckdb.CatalogException) and "does not exist" in low:
        return WarehouseError(
            f"{text.splitlines()[0].removeprefix('Catalog Error: ')[:200]} Run the stage that fills it first."
        )
    if isinstance(fault, duckdb.IOException | duckdb.FatalException | duckdb.TransactionException):
        return WarehouseError(
            f"{path} could not be used: {text.splitlines()[0][:300]}. The change was rolled back."
        )
    return None


def _os_reason(fault: OSError) -> str:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full; free some space and run again"
    if fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "A file of the warehouse may not be written by this user; correct the rights and run again"
    return f"A file of the warehouse cannot be used: {fault.strerror or fault}"
