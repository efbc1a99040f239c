"""Excel workbooks to plain text: one sheet, values as people see them, as exact as Excel keeps them.

Excel stores every number as a double; 15 significant digits are what it guarantees and what is written here.
Identifiers with more digits than that were already changed when the workbook was saved, which is said, never
guessed back.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tieout.errors import InputError

MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
MAX_RATIO = 200
MAX_PARTS = 10_000
MAX_PACKED_BYTES = 256 * 1024 * 1024
SAMPLE_ROWS = 500


@dataclass
class SheetText:
    """A sheet as a CSV copy: its headings, number of data rows, first rows, and what is worth knowing."""

    headings: list[str]
    rows: int
    sample: list[list[str]]
    notes: list[str] = field(default_factory=list)


def check_size(path: Path) -> None:
    """Refuse a workbook that unpacks to more than it should (a zip bomb) before anything opens it."""
    if path.stat().st_size > MAX_PACKED_BYTES:
        raise InputError(f"{path.name} is larger than {MAX_PACKED_BYTES // 2**20} MiB; export it as CSV.")
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise InputError(f"{path.name} is a damaged workbook; save it again.") from None
    unpacked = sum(part.file_size for part in parts)
    packed = max(1, sum(part.compress_size for part in parts))
    too_dense = unpacked > 64 * 2**20 and unpacked / packed > MAX_RATIO
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES or too_dense:
        raise InputError(
            f"{path.name} unpacks to {unpacked // 2**20} MiB, which no plain export does; export it as CSV."
        )


def sheet_to_csv(path: Path, target: Path, *, sheet: str | None, header_row: int) -> SheetText:
    """Write one sheet as UTF-8 CSV.

    Raises InputError for a damaged, locked or oversized workbook and an unknown sheet.
    """
    import python_calamine as calamine  # here, because only workbooks need it

    check_size(path)
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        notes: list[str] = []
        name = _choose(
            path,
            [meta.name for meta in book.sheets_metadata if _visible(meta)],
            book.sheet_names,
            sheet,
            notes,
        )
        table: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except calamine.PasswordError:
        raise InputError(f"{path.name} is protected by a password; save it without one.") from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(
            f"{path.name} cannot be read as a workbook ({error}); save it again or export it as CSV."
        ) from None
    start = header_row - 1
    while start < len(table) and not any(_text(cell).strip() for cell in table[start]):
        start += 1
    if start >= len(table):
        raise InputError(f'Sheet "{name}" of {path.name} is empty; export it again, with its header.')
    width = _width(table[start:])
    long_numbers = errors = 0
    rows: list[list[str]] = []
    # Cell by cell, because each cell carries its own type; a sheet has at most 1,048,576 rows.
    for line in table[start:]:
        cells = [*line[:width], *[""] * (width - len(line))]
        long_numbers += sum(isinstance(cell, float) and abs(cell) >= 1e15 for cell in cells)
        texts = [_text(cell) for cell in cells]
        errors += sum(text.startswith("#") and text in _ERRORS for text in texts)
        if any(texts):
            rows.append(texts)
    if long_numbers:
        notes.append(
            f"{long_numbers} numbers have more than 15 digits, which Excel does not keep; store such references as text"
        )
    if errors:
        notes.append(f"{errors} cells hold an Excel error such as #N/A")
    if any(isinstance(cell, float) and not cell.is_integer() for line in table[start + 1 :] for cell in line):
        notes.append("numbers were read to 15 significant digits, which is all Excel keeps")
    unfinished = target.with_suffix(".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\r\n").writerows(rows)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return SheetText(rows[0], len(rows) - 1, rows[1 : SAMPLE_ROWS + 1], notes)


_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"})


def _visible(meta: Any) -> bool:
    return (
        str(meta.visible).rsplit(".", 1)[-1] == "Visible" and str(meta.typ).rsplit(".", 1)[-1] == "WorkSheet"
    )


def _choose(
    path: Path, visible: Sequence[str], names: Sequence[str], wanted: str | None, notes: list[str]
) -> str:
    if wanted is not None:
        if wanted not in names:
            raise InputError(f'{path.name} has no sheet "{wanted}"; it has {", ".join(names)}.')
        return wanted
    if not names:
        raise InputError(f"{path.name} has no sheets; save it again.")
    candidates = list(visible) or list(names)
    if len(candidates) > 1:
        notes.append(
            f'sheet "{candidates[0]}" is read, the first of {len(candidates)}; say sheet in the map for another'
        )
    return candidates[0]


def _width(table: Sequence[Sequence[Any]]) -> int:
    """Columns up to the last one that holds anything."""
    widths = (
        max((place + 1 for place, cell in enumerate(line) if _text(cell).strip()), default=0)
        for line in table
    )
    return max(widths, default=0)


def _text(cell: Any) -> str:
    """A cell as text: numbers plain and without exponent, dates as ISO 8601, truth as true and false."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{Decimal(format(cell, '.15g')):f}" if cell != 0 else "0"
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat()
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)
