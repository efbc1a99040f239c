"""Delimited text of any make, in; UTF-8, comma-separated, RFC 4180, out. Streamed: memory does not grow with
the file.

A file that is already so is not copied, only proved so: same encoding, regular quotes, one kind of line end,
every row as wide as the header. Nothing is repaired silently: rows that do not fit the header end the reading
with their line numbers.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tieout.connectors.storefronts.files_layout import fold
from tieout.errors import InputError

_CHUNK = 1024 * 1024
_HEAD = 128 * 1024
SAMPLE_ROWS = 500
DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EMPTY_ROW = re.compile(rb'\n[,;\t|"]+\r?(?:\n|\Z)')
_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')


@dataclass
class CsvText:
    """What became of one delimited file.

    path       the copy, or the original when it needed none (`copied` says which)
    headings   the header row as written
    rows       data rows
    sample     the first rows, for finding out how numbers and dates are written
    """

    path: Path
    sha256: str
    headings: list[str]
    rows: int
    encoding: str
    delimiter: str
    copied: bool
    sample: list[list[str]]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Look:
    """What one pass over the bytes tells."""

    sha256: str = ""
    head: bytes = b""
    size: int = 0
    is_utf8: bool = True
    nul_at: int | None = None
    quotes: int = 0
    crlf: int = 0
    lf: int = 0
    cr: int = 0
    has_empty_rows: bool = False


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, streamed. Raises InputError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or 'no access'}); check the path."
        ) from None
    return digest.hexdigest()


def normalise(
    path: Path,
    target: Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int = 1,
    known_headings: Callable[[str], bool] = bool,
) -> CsvText:
    """Read one delimited file once for its bytes and once for its rows, and copy it to `target` only if it
    must be.

    `known_headings` tells whether a folded heading is one we know; it decides between delimiters. Raises
    InputError for an empty file, NUL bytes, an unknown encoding, broken quotes and rows that do not fit the
    header, with line numbers.
    """
    look = _look(path)
    if not look.head.strip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"):
        raise InputError(f"{path.name} is empty; export it again, with its header.")
    notes: list[str] = []
    chosen = encoding or _encoding(path, look, notes)
    if look.nul_at is not None and not chosen.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        raise InputError(
            f"{path.name} holds a NUL byte near line {_line_at(path, look.nul_at)}; it is damaged or not a text file. "
            "Export it again."
        )
    text = _decode_head(path, look, chosen)
    skip = header_row - 1
    if text.lower().startswith("sep=") and text[4:5] in DELIMITERS:
        delimiter, skip = delimiter or text[4], max(skip, 1)
    separator = delimiter or _delimiter(text, skip, known_headings)
    if separator != ",":
        notes.append(f"columns are separated by {_SPOKEN[separator]}")
    plain = (
        chosen == "utf-8"
        and separator == ","
        and skip == 0
        and not look.has_empty_rows
        and look.cr == 0
        and (look.crlf == 0 or look.lf == 0)
        and not text.startswith(("\n", "\r"))
        and (look.quotes == 0 or _regular_quotes(path))
    )
    found = _Rows(path, chosen, separator, skip)
    if plain and found.measure():
        return CsvText(
            path, look.sha256, found.headings, found.rows, chosen, separator, False, found.sample, notes
        )
    found.copy(target)
    if found.dropped:
        notes.append(f"{found.dropped} empty rows were left out")
    return CsvText(
        target, look.sha256, found.headings, found.rows, chosen, separator, True, found.sample, notes
    )


_SPOKEN = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


class _Rows:
    """The rows of one file: read, checked against the header, and copied if need be."""

    def __init__(self, path: Path, encoding: str, delimiter: str, skip: int) -> None:
        self.path, self.encoding, self.delimiter, self.skip = path, encoding, delimiter, skip
        self.headings: list[str] = []
        self.sample: list[list[str]] = []
        self.rows = 0
        self.dropped = 0
        self.leading = 0

    def _open(self) -> io.TextIOWrapper:
        return self.path.open("r", encoding=self.encoding, newline="")

    def _start(self, stream: io.TextIOWrapper) -> Iterator[list[str]]:
        reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
        for _ in range(self.skip):
            next(reader, None)
        self.leading = 0
        for row in reader:
            if any(cell.strip() for cell in row):
                self.headings = row
                break
            self.leading += 1
        if not self.headings:
            raise InputError(f"{self.path.name} has no header row; export it again, with its header.")
        self._reader = reader
        return reader

    def measure(self) -> bool:
        """Count and check the rows without copying; False when blank lines ask for a copy after all."""
        with self._open() as stream, self._complaints():
            reader = self._start(stream)
            self.sample = [row for _, row in zip(range(SAMPLE_ROWS), reader, strict=False)]
            # Counter over map stays in C: ten million rows cost seconds, and row numbers are only looked for
            # on trouble.
            widths = Counter(map(len, self.sample)) + Counter(map(len, reader))
        if 0 in widths or self.leading:
            return False
        if set(widths) - {len(self.headings)}:
            self._ragged()
        self.rows = widths.total()
        return True

    def copy(self, target: Path) -> None:
        """Write the RFC 4180 copy, complete or not at all."""
        unfinished = target.with_suffix(".part")
        self.sample, self.dropped = [], 0
        try:
            with (
                self._open() as stream,
                self._complaints(),
                unfinished.open("w", encoding="utf-8", newline="") as out,
            ):
                rows = self._start(stream)
                writer = csv.writer(
                    out, lineterminator="\r\n"
                )  # with both, a lone CR or LF in a value is quoted
                writer.writerow(self.headings)
                writer.writerows(self._checked(rows))
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)

    def _checked(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        # Row by row, because a row's width and emptiness decide about that row.
        width, count = len(self.headings), 0
        for row in rows:
            if len(row) != width:
                if any(row):
                    self._ragged()
                self.dropped += 1
                continue
            if not any(row):
                self.dropped += 1
                continue
            if count < SAMPLE_ROWS:
                self.sample.append(row)
            count += 1
            yield row
        self.rows = count

    def _ragged(self) -> None:
        """Raise the error for rows that do not fit the header, with the first of their lines."""
        bad: list[str] = []
        total = 0
        with self._open() as stream:
            reader = csv.reader(stream, delimiter=self.delimiter)
            width: int | None = None
            for number, row in enumerate(reader):
                if number < self.skip or not any(row):
                    continue
                if width is None:
                    width = len(row)
                elif len(row) != width:
                    total += 1
                    if len(bad) < 5:
                        bad.append(f"line {reader.line_num} has {len(row)}")
        more = f" and {total - len(bad)} more" if total > len(bad) else ""
        raise InputError(
            f"{self.path.name} has {total} {'row' if total == 1 else 'rows'} that do not fit the header's {width} columns "
            f"({', '.join(bad)}{more}); the file is cut short, or a value holds an unquoted separator.",
            rows=total,
        )

    def _complaints(self) -> _Complaints:
        return _Complaints(self)


class _Complaints:
    """Turns what the csv module and decoders say into sentences for people."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        path = self._rows.path
        if isinstance(error, csv.Error):
            line = getattr(getattr(self._rows, "_reader", None), "line_num", 1)
            raise InputError(
                f"{path.name} cannot be read at line {line} ({error}); a quote is not closed or the file is cut short."
            ) from None
        if isinstance(error, UnicodeError):
            raise InputError(
                f"{path.name} is not valid {self._rows.encoding} text; save it as UTF-8, or name its encoding in the map."
            ) from None


# ── finding out ─────────────────────────────────────────────────────────────────────────────────────────────


def _look(path: Path) -> _Look:
    look, digest = _Look(), hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    tail = b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                if not look.size:
                    look.head = chunk[:_HEAD]
                digest.update(chunk)
                if look.nul_at is None and b"\x00" in chunk:
                    look.nul_at = look.size + chunk.index(b"\x00")
                if look.is_utf8:
                    try:
                        decoder.decode(chunk)
                    except UnicodeDecodeError:
                        look.is_utf8 = False
                look.quotes += chunk.count(b'"')
                joined = tail + chunk
                pairs = joined.count(b"\r\n") - tail.count(b"\r\n")
                look.crlf += pairs
                look.lf += chunk.count(b"\n")
                look.cr += chunk.count(b"\r")
                if not look.has_empty_rows:
                    look.has_empty_rows = _EMPTY_ROW.search(joined) is not None
                tail = chunk[-256:]
                look.size += len(chunk)
        if look.is_utf8:
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        look.is_utf8 = False
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or 'no access'}); check the path."
        ) from None
    look.lf -= look.crlf
    look.cr -= look.crlf
    look.sha256 = digest.hexdigest()
    return look


def _encoding(path: Path, look: _Look, notes: list[str]) -> str:
    for mark, name in _BOMS:
        if look.head.startswith(mark):
            if name != "utf-8-sig":
                notes.append(f"read as {name.upper()}")
            return name
    head = look.head[:4096]
    if b"\x00" in head and len(head) >= 4:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if odd > len(head) // 5 and even < odd // 4:
            notes.append("read as UTF-16 without a byte order mark")
            return "utf-16-le"
        if even > len(head) // 5 and odd < even // 4:
            notes.append("read as UTF-16 without a byte order mark")
            return "utf-16-be"
    if look.is_utf8:
        return "utf-8"
    notes.append(
        "not UTF-8, read as Windows-1252; if names look wrong, say encoding in the map or save it as UTF-8"
    )
    return "cp1252"


def _decode_head(path: Path, look: _Look, encoding: str) -> str:
    """The first lines as text; a character cut at the end of the head does not matter."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = decoder.decode(look.head)
    except (UnicodeError, LookupError):
        raise InputError(
            f"{path.name} is not valid {encoding} text; save it as UTF-8, or name its encoding in the map."
        ) from None
    if look.size > len(look.head):
        cut = max(text.rfind("\n"), text.rfind("\r"))
        text = text[: cut + 1] if cut > 0 else text
    return text.removeprefix("\ufeff")


def _delimiter(text: str, skip: int, known: Callable[[str], bool]) -> str:
    """The separator under which most headings are known, then most rows agree, then most columns show."""

    def merit(delimiter: str) -> tuple[int, float, int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            rows = [row for row, _ in zip(reader, range(skip + 60), strict=False)][skip:]
        except csv.Error:
            rows = []
        rows = [row for row in rows if any(row)]
        if not rows:
            return (0, 0.0, 0, -DELIMITERS.index(delimiter))
        width = len(rows[0])
        agree = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        headings = sum(known(fold(cell)) for cell in rows[0])
        return (headings if width > 1 else min(headings, 1), agree, width, -DELIMITERS.index(delimiter))

    return max(DELIMITERS, key=merit)


def _regular_quotes(path: Path) -> bool:
    """Whether every quote opens, closes or doubles as RFC 4180 has it, so that any reader cuts the file the
    same way.
    """
    with path.open("r", encoding="utf-8", newline="") as stream:
        while lines := stream.readlines(_CHUNK):
            block = "".join(lines)
            for _ in range(1000):  # a value with line breaks may need more lines until its quote closes
                if block.count('"') % 2 == 0:
                    break
                following = stream.readline()
                if not following:
                    return False
                block += following
            if '"' in block and not _stand_alone(_QUOTED.sub("\x00", block)):
                return False
    return True


def _stand_alone(block: str) -> bool:
    """Whether every quoted value, marked NUL here, fills its field from separator to separator."""
    # Counting fixed texts is ten times faster than a pattern that looks left and right of each quote.
    marks = block.count("\x00")
    left = block.count(",\x00") + block.count("\n\x00") + block.startswith("\x00")
    right = block.count("\x00,") + block.count("\x00\n") + block.count("\x00\r") + block.endswith("\x00")
    return left == right == marks and '"' not in block


def _line_at(path: Path, offset: int) -> int:
    """Line number of a byte, counted from 1."""
    lines, seen = 1, 0
    with path.open("rb") as stream:
        while seen < offset and (chunk := stream.read(min(_CHUNK, offset - seen))):
            lines += chunk.count(b"\n")
            seen += len(chunk)
    return lines
