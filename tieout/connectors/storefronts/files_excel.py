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
from collections.abc import Iterator, Sequence
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
        table = _Table(book.get_sheet_by_name(name), header_row - 1)
    except calamine.PasswordError:
        raise InputError(f"{path.name} is protected by a password; save it without one.") from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(
            f"{path.name} cannot be read as a workbook ({error}); save it again or export it as CSV."
        ) from None
    width = table.width()
    if not width:
        raise InputError(f'Sheet "{name}" of {path.name} is empty; export it again, with its header.')
    unfinished = target.with_suffix(".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\r\n").writerows(table.texts(width))
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    if table.long_numbers:
        notes.append(
            f"{table.long_numbers} numbers have more than 15 digits, which Excel does not keep; store such references as text"
        )
    if table.errors:
        notes.append(f"{table.errors} cells hold an Excel error such as #N/A")
    if table.has_fractions:
        notes.append("numbers were read to 15 significant digits, which is all Excel keeps")
    return SheetText(table.head[0], table.written - 1, table.head[1:], notes)


class _Table:
    """The rows of a sheet from its header on, read one by one and more than once, so that no sheet is held as objects."""

    def __init__(self, sheet: Any, skip: int) -> None:
        self._sheet, self._skip = sheet, skip
        self.head: list[list[str]] = []
        self.written = self.long_numbers = self.errors = 0
        self.has_fractions = False

    def _lines(self) -> Iterator[list[Any]]:
        if self._sheet.start is None:
            return
        before = [""] * self._sheet.start[1]
        is_begun = False
        for number, line in enumerate(self._sheet.iter_rows()):
            is_begun = is_begun or (number >= self._skip and any(_text(cell).strip() for cell in line))
            if is_begun:
                yield [*before, *line]

    def width(self) -> int:
        """Columns up to the last one that holds anything; none in an empty sheet."""
        widest = 0
        for line in self._lines():
            # Only what lies beyond the widest row so far can make it wider.
            for place in range(len(line), widest, -1):
                if _text(line[place - 1]).strip():
                    widest = place
                    break
        return widest

    def texts(self, width: int) -> Iterator[list[str]]:
        """Rows that hold anything, as text; what is worth knowing of them is counted on the way."""
        # Cell by cell, because each cell carries its own type; a sheet has at most 1,048,576 rows.
        for number, line in enumerate(self._lines()):
            cells = line[:width]
            floats = [cell for cell in cells if isinstance(cell, float)]
            self.long_numbers += sum(abs(cell) >= 1e15 for cell in floats)
            if number and not self.has_fractions:
                self.has_fractions = any(not cell.is_integer() for cell in floats)
            texts = [_text(cell) for cell in cells]
            self.errors += sum(text.startswith("#") and text in _ERRORS for text in texts)
            if any(texts):
                if self.written <= SAMPLE_ROWS:
                    self.head.append(texts)
                self.written += 1
                yield texts


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
