"""The plain-files storefront: finds, recognises and normalises what any shop or ledger can export.

It carries; the warehouse reads the result in bulk. CSV, TSV and other delimited text, Excel workbooks and
Parquet, by path or glob. The default layout (`default_layout`) needs no map; a column map (files_map.py) says
how another export is written.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tieout.connectors.storefronts.files_csv import fingerprint, normalise
from tieout.connectors.storefronts.files_excel import sheet_to_csv
from tieout.connectors.storefronts.files_layout import (
    LAYOUTS,
    HeaderReading,
    default_layout,
    fold,
    read_header,
    synonyms,
)
from tieout.connectors.storefronts.files_map import ColumnMap, SubjectMap
from tieout.connectors.storefronts.files_writing import dates_are_iso, decimal_mark
from tieout.errors import InputError

__all__ = ["LAYOUTS", "ColumnMap", "FileBatch", "Files", "Source", "SubjectMap", "default_layout"]

STOREFRONT_SUBJECTS = ("orders", "lines", "payments", "refunds", "payouts", "stock")
LEDGER_SUBJECTS = ("invoices", "receipts", "credit_memos")


@dataclass(frozen=True)
class Source:
    """Where the files of one subject lie: paths or globs, and a name for them in reports."""

    paths: tuple[str, ...]
    name: str = "files"

    @classmethod
    def of(cls, given: Source | str | Path | Iterable[str | Path]) -> Source:
        """A source from a path, several paths, or a source."""
        if isinstance(given, Source):
            return given
        if isinstance(given, str | Path):
            return cls((str(given),))
        return cls(tuple(str(path) for path in given))


@dataclass(frozen=True)
class FileBatch:
    """One file, ready for a bulk read.

    path        UTF-8, comma-separated, RFC 4180 with one header row; the original when it already was so; or
                Parquet
    format      `csv` or `parquet`
    header      canonical name per column in file order; names that begin with `_ignored_` are not to be read,
                and
                `total__1`, `total__2` add up to `total` (see `sums`). Read by position: the file's own header
                differs
    sha256      of the original's bytes
    rows        data rows, or None where counting would mean reading
    source      the source's name
    original    the file as given
    constants   canonical name → value for every row
    sums        canonical name → columns that add up to it
    synonyms    heading as written → canonical name, where a synonym was recognised
    decimal     decimal mark: as the map says, else as found; None when nothing tells
    floats      columns that hold binary floating point (Parquet only)
    settings    the map entry it was read with: date format, sign, time zone, rows, status words
    problems    sentences worth reading; none of them stopped the reading
    """

    subject: str
    path: Path
    format: str
    header: list[str]
    sha256: str
    rows: int | None
    source: str
    original: Path
    encoding: str | None = None
    delimiter: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    synonyms: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    floats: tuple[str, ...] = ()
    settings: SubjectMap = field(default_factory=SubjectMap)
    problems: tuple[str, ...] = ()


class Files:
    """Plain files as a storefront or a ledger. Use as a context manager, or call `close`, to remove temporary
    copies.

    sources     subject → paths or globs
    column_map  how they are written; None for the default layout
    work_dir    where copies go; None for a temporary folder of its own
    """

    def __init__(
        self,
        sources: Mapping[str, Source | str | Path | Iterable[str | Path]],
        column_map: ColumnMap | None = None,
        *,
        work_dir: Path | None = None,
    ) -> None:
        unknown = sorted(set(sources) - set(LAYOUTS))
        if unknown:
            raise InputError(
                f"There are no files of kind {', '.join(unknown)}; choose from {', '.join(LAYOUTS)}."
            )
        self._sources = {subject: Source.of(given) for subject, given in sources.items()}
        self._map = column_map or ColumnMap()
        self._given_dir = work_dir
        self._own_dir: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the copies, if they lie in a temporary folder of ours."""
        if self._own_dir is not None:
            self._own_dir.cleanup()
            self._own_dir = None

    def subjects(self) -> tuple[str, ...]:
        """The subjects that have a source, in the order of the layouts."""
        return tuple(subject for subject in LAYOUTS if subject in self._sources)

    def open(self, subject: str) -> list[FileBatch]:
        """Every file of a subject, found and normalised.

        Raises InputError when nothing matches, a file is no table, or headers do not fit; all header problems
        of all files of the subject come in one error. A file with the same bytes as one before is left out
        and the first one says so.
        """
        if subject not in self._sources:
            raise InputError(
                f"No files are given for {subject}; name them in the configuration or the command."
            )
        source = self._sources[subject]
        batches: list[FileBatch] = []
        wrong: list[str] = []
        seen: dict[str, int] = {}
        for path in _find(subject, source):
            digest = fingerprint(path)
            if digest in seen:
                first = batches[seen[digest]] if seen[digest] < len(batches) else None
                if first is not None:
                    note = f"{path.name} has the same bytes and is read only once"
                    batches[seen[digest]] = _with(first, problems=(*first.problems, note))
                continue
            seen[digest] = len(batches)
            batch, faults = self._one(subject, path, source, digest, len(batches))
            wrong += [f"{path.name}: {fault}" for fault in faults]
            batches.append(batch)
        if wrong:
            listed = "; ".join(wrong)
            raise InputError(
                f"The columns of {subject} do not fit ({listed}). Correct the file or add these lines under [{subject}] "
                "of the column map.",
                problems=wrong,
            )
        return batches

    # ── one file ────────────────────────────────────────────────────────────────────────────────────────────

    def _one(
        self, subject: str, path: Path, source: Source, digest: str, number: int
    ) -> tuple[FileBatch, list[str]]:
        settings = self._map.of(subject)
        kind = _kind(path)
        target = self._target(subject, number, digest)
        sample: list[list[str]] = []
        encoding = delimiter = None
        floats: list[str] = []
        if kind == "parquet":
            headings, rows, float_headings = _parquet(path)
            floats, notes, at, form = float_headings, [], path, "parquet"
        elif kind == "excel":
            sheet = sheet_to_csv(path, target, sheet=settings.sheet, header_row=settings.header_row)
            headings, rows, sample, notes = sheet.headings, sheet.rows, sheet.sample, sheet.notes
            at, form = target, "csv"
        else:
            text = normalise(
                path,
                target,
                encoding=settings.encoding,
                delimiter=settings.delimiter,
                header_row=settings.header_row,
                known_headings=_knows(subject, settings),
            )
            headings, rows, sample, notes = text.headings, text.rows, text.sample, text.notes
            at, form, encoding, delimiter = text.path, "csv", text.encoding, text.delimiter
        reading = read_header(
            subject,
            headings,
            mapped=settings.columns,
            ignore=settings.ignore,
            constants=tuple(settings.constants),
            per_line=settings.per_line,
        )
        decimal, remarks = _writing(subject, settings, reading, sample)
        named = dict(zip(headings, reading.names, strict=True))
        float_names = tuple(
            named[heading] for heading in floats if not named[heading].startswith("_ignored_")
        )
        if float_names:
            remarks.append(
                f"{', '.join(float_names)} hold binary floating point, which cannot keep every amount exactly; "
                "export them as decimals"
            )
        if rows == 0:
            remarks.append("it has a header and no rows")
        batch = FileBatch(
            subject=subject,
            path=at,
            format=form,
            header=reading.names,
            sha256=digest,
            rows=rows,
            source=source.name,
            original=path,
            encoding=encoding,
            delimiter=delimiter,
            constants=settings.constants,
            sums=reading.sums,
            synonyms=reading.synonyms,
            decimal=decimal,
            floats=float_names,
            settings=settings,
            problems=tuple(f"{path.name}: {note}" for note in (*notes, *reading.notes, *remarks)),
        )
        return batch, reading.wrong

    def _target(self, subject: str, number: int, digest: str) -> Path:
        if self._given_dir is not None:
            self._given_dir.mkdir(parents=True, exist_ok=True)
            folder = self._given_dir
        else:
            if self._own_dir is None:
                self._own_dir = tempfile.TemporaryDirectory(prefix="tieout-")
            folder = Path(self._own_dir.name)
        if shutil.disk_usage(folder).free < 64 * 2**20:
            raise InputError(
                f"There is no room for copies in {folder}; free some space or choose another work folder."
            )
        return folder / f"{subject}-{number:04d}-{digest[:16]}.csv"


def _with(batch: FileBatch, **changes: Any) -> FileBatch:
    return FileBatch(**{**{name: getattr(batch, name) for name in batch.__dataclass_fields__}, **changes})


def _find(subject: str, source: Source) -> list[Path]:
    """The files of a source: each pattern's matches by name, patterns in the order given, no file twice."""
    found: dict[Path, None] = {}
    for pattern in source.paths:
        exact = Path(pattern).expanduser()
        matches = (
            [exact]
            if exact.exists()
            else [Path(name) for name in sorted(glob.glob(str(exact), recursive=True))]
        )
        files = [path for path in matches if path.is_file()]
        if not files:
            what = "is a folder" if exact.is_dir() else "matches no file"
            raise InputError(
                f"{pattern} (for {subject}) {what}; give a file or a pattern such as exports/*.csv."
            )
        found.update(dict.fromkeys(path.resolve() for path in files))
    if not found:
        raise InputError(f"No files are given for {subject}; name at least one.")
    return list(found)


def _kind(path: Path) -> str:
    """What a file is, by its first bytes and not by its name."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or 'no access'}); check the path."
        ) from None
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Rar!", b"7z\xbc\xaf")):
        raise InputError(f"{path.name} is compressed; unpack it first.")
    if start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff")):
        raise InputError(f"{path.name} is not a table; export it as CSV, Excel or Parquet.")
    return "text"


def _parquet(path: Path) -> tuple[list[str], int, list[str]]:
    """Column names, rows and floating-point columns, from the footer alone."""
    import pyarrow as pa  # here, because only Parquet needs it
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else "damaged"
        raise InputError(f"{path.name} cannot be read as Parquet ({reason}); export it again.") from None
    floats = [entry.name for entry in schema if pa.types.is_floating(entry.type)]
    return list(schema.names), rows, floats


def _knows(subject: str, settings: SubjectMap) -> Any:
    layout = LAYOUTS[subject]
    known = {fold(name) for name in layout.columns + layout.line} | set(synonyms(subject))
    for wanted in settings.columns.values():
        known |= {fold(heading) for heading in ([wanted] if isinstance(wanted, str) else wanted)}
    return known.__contains__


def _writing(
    subject: str, settings: SubjectMap, reading: HeaderReading, sample: Sequence[Sequence[str]]
) -> tuple[str | None, list[str]]:
    """The decimal mark, and what the sample says about numbers and dates that the map does not."""
    layout = LAYOUTS[subject]
    amounts: list[str] = []
    dates: list[str] = []
    for place, name in enumerate(reading.names):
        if name.split("__")[0] in layout.amounts:
            amounts += [row[place] for row in sample]
        if name in layout.dates:
            dates += [row[place] for row in sample]
    remarks: list[str] = []
    decimal: str | None = settings.decimal
    if decimal is None:
        decimal, doubt = decimal_mark(amounts)
        if doubt:
            remarks.append(doubt)
        elif decimal == ",":
            remarks.append(
                'amounts are written with a decimal comma; say decimal = "," in the map to make it certain'
            )
    if settings.date_format is None and not dates_are_iso(dates):
        remarks.append("dates are not ISO 8601; say date_format in the map, for example %d.%m.%Y")
    return decimal, remarks
