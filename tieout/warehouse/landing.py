"""Records before they are in DuckDB: compressed NDJSON parts on disk, each written whole or not at all.

A landing is a folder of parts below `landing/<source>/<subject>/` and, last of all, a manifest that names them. The manifest is the moment
of commitment: parts without one belong to a run that died and are swept away. A payload is stored as a JSON *string*, so that no
parser ever turns one of its numbers into a double.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec

from tieout.errors import WarehouseError
from tieout.warehouse.faults import explained
from tieout.warehouse.processes import pid_lives

_MANIFEST: Final = ".landing.json"
_PART: Final = ".ndjson.gz"
_WORK: Final = ".part"
_reserving: Final = threading.Lock()
_reserved: Final[set[Path]] = set()
_encode: Final = msgspec.json.Encoder().encode


class Landed(Protocol):
    """What a landing takes: an outside record as a courier hands it over."""

    @property
    def native_ref(self) -> str: ...
    @property
    def version(self) -> int | None: ...
    @property
    def updated_at(self) -> datetime | None: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def problem(self) -> str | None: ...


@dataclass(frozen=True)
class LandingResult:
    """A finished landing.

    count           records in it
    max_updated_at  latest change time any record states, UTC
    max_ref         greatest native id, by number where the ids are numbers
    largest_bytes   longest line, which the reader must be prepared for
    """

    landing_id: str
    source: str
    subject: str
    run_id: str
    paths: tuple[Path, ...]
    part_counts: tuple[int, ...]
    count: int
    max_updated_at: datetime | None
    max_ref: str | None
    largest_bytes: int
    finished_at: datetime


class LandingWriter:
    """Writes the records of one source, subject and run to disk as they arrive; bounded memory, safe against being killed.

    folder        the warehouse's landing folder
    clock         tells when a record was received
    part_records  records per file
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        subject: str,
        run_id: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        part_records: int = 50_000,
        part_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self.source, self.subject, self.run_id = source, subject, run_id
        self._folder = folder / _safe(source) / _safe(subject)
        self._clock = clock
        self._part_records = part_records
        self._part_bytes = part_bytes
        self._parts: list[tuple[Path, int]] = []
        self._work: Path | None = None
        self._file: gzip.GzipFile | None = None
        self._disk: IO[bytes] | None = None
        self._in_part = self._bytes_in_part = 0
        self._count = self._largest = 0
        self._max_at: datetime | None = None
        self._max_ref: str | None = None
        self._result: LandingResult | None = None
        with explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            _sweep(self._folder)
            self._stem, self._number = _reserve(self._folder, _safe(run_id))

    def __enter__(self) -> LandingWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def write(self, records: Iterable[Landed]) -> int:
        """Add records and return how many. Raises `WarehouseError` when the disk is full or a record has no id or a naive time."""
        if self._result is not None:
            raise WarehouseError(f"The landing {self.run_id} is finished; start a new run to land more.")
        lines: list[bytes] = []
        fetched = _instant(self._clock())
        with explained(self._folder):
            # One record at a time: they come from the wire as single objects, and each needs its own hash.
            for record in records:
                line = self._line(record, fetched)
                lines.append(line)
                self._largest = max(self._largest, len(line))
                if len(lines) >= 500:
                    self._add(lines)
                    lines = []
            before = self._count
            self._add(lines)
        return self._count - before

    def finish(self) -> LandingResult:
        """Close the last part, write the manifest, and say what was landed. Calling it again says the same."""
        if self._result is None:
            with explained(self._folder):
                self._close_part()
                self._result = LandingResult(
                    landing_id=f"{self.source}/{self.subject}/{self.run_id}/{self._number}",
                    source=self.source,
                    subject=self.subject,
                    run_id=self.run_id,
                    paths=tuple(path for path, _ in self._parts),
                    part_counts=tuple(count for _, count in self._parts),
                    count=self._count,
                    max_updated_at=self._max_at,
                    max_ref=self._max_ref,
                    largest_bytes=self._largest,
                    finished_at=self._clock().astimezone(UTC),
                )
                _write_manifest(self._folder / (self._stem + _MANIFEST), self._result)
        return self._result

    def abandon(self) -> None:
        """Remove everything that was written, unless the landing is finished."""
        if self._result is not None:
            return
        self._drop_work()
        for path, _ in self._parts:
            path.unlink(missing_ok=True)
        self._parts = []

    def _line(self, record: Landed, fetched: str) -> bytes:
        if not record.native_ref:
            raise WarehouseError(
                f"A record of {self.subject} from {self.source} came without any reference; give it a made one before landing it."
            )
        problem = record.problem
        try:
            payload = record.payload.decode("utf-8")
        except UnicodeDecodeError:
            payload = record.payload.decode("utf-8", "backslashreplace")
            problem = (
                problem
                or "payload_unreadable: the record is not UTF-8 text; bytes that could not be read are written as \\x…"
            )
        updated = record.updated_at
        if updated is not None:
            if updated.tzinfo is None:
                raise WarehouseError(
                    f"{self.subject} {record.native_ref} of {self.source} has a change time without a time zone; convert it to UTC before landing it."
                )
            if self._max_at is None or updated > self._max_at:
                self._max_at = updated.astimezone(UTC)
        if self._max_ref is None or _rank(record.native_ref) > _rank(self._max_ref):
            self._max_ref = record.native_ref
        line = _encode(
            {
                "native_ref": record.native_ref,
                "version_no": record.version,
                "updated_at": None if updated is None else _instant(updated),
                "payload": payload,
                "payload_sha256": hashlib.sha256(payload.encode("utf-8")).hexdigest(),
                "problem": problem,
                "fetched_at": fetched,
            }
        )
        return line + b"\n"

    def _add(self, lines: list[bytes]) -> None:
        while lines:
            if self._file is None:
                self._open_part()
            room = self._part_records - self._in_part
            batch, lines = lines[:room], lines[room:]
            text = b"".join(batch)
            assert self._file is not None
            self._file.write(text)
            self._in_part += len(batch)
            self._count += len(batch)
            self._bytes_in_part += len(text)
            if self._in_part >= self._part_records or self._bytes_in_part >= self._part_bytes:
                self._close_part()

    def _open_part(self) -> None:
        # The pid in the name lets a later writer tell a part that is being written from one whose writer died.
        self._work = self._folder / f".{self._stem}-{len(self._parts) + 1:05d}.{os.getpid()}{_WORK}"
        self._disk = self._work.open("wb")
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=self._disk, mtime=0)
        self._in_part = self._bytes_in_part = 0

    def _close_part(self) -> None:
        if self._file is None or self._disk is None or self._work is None:
            return
        self._file.close()
        self._disk.flush()
        os.fsync(self._disk.fileno())
        self._disk.close()
        target = self._folder / f"{self._stem}-{len(self._parts) + 1:05d}{_PART}"
        os.replace(self._work, target)
        flush_folder(self._folder)
        self._parts.append((target, self._in_part))
        self._file = self._disk = self._work = None

    def _drop_work(self) -> None:
        if self._disk is not None:
            self._disk.close()
        if self._work is not None:
            self._work.unlink(missing_ok=True)
        self._file = self._disk = self._work = None


def _reserve(folder: Path, run: str) -> tuple[str, int]:
    """A file stem no other landing of this run uses: a run may land one subject several times (entities, windows)."""
    with _reserving:
        number = 1
        while (
            (folder / f"{run}.{number}") in _reserved
            or (folder / f"{run}.{number}{_MANIFEST}").exists()
            or any(folder.glob(f"{run}.{number}-*{_PART}"))
        ):
            number += 1
        _reserved.add(folder / f"{run}.{number}")
    return f"{run}.{number}", number


def finished(folder: Path) -> list[LandingResult]:
    """Every finished landing below the landing folder, oldest first."""
    found = [_read_manifest(path) for path in sorted(folder.glob(f"*/*/*{_MANIFEST}"))]
    return sorted(found, key=lambda one: (one.finished_at, one.landing_id))


def prune(folder: Path, *, keep: Collection[str], before: datetime) -> int:
    """Delete landings finished before an instant whose id is not in `keep`, and parts no manifest names and no live process writes."""
    deleted = 0
    named: set[Path] = set()
    for path in sorted(folder.glob(f"*/*/*{_MANIFEST}")):
        one = _read_manifest(path)
        if one.landing_id in keep or one.finished_at >= before:
            named.update(one.paths)
            continue
        # Parts first: a manifest without its parts would look like a loss, parts without a manifest are swept.
        for part in one.paths:
            part.unlink(missing_ok=True)
            deleted += 1
        path.unlink()
        deleted += 1
    for part in folder.glob(f"*/*/*{_PART}"):
        if part not in named and datetime.fromtimestamp(part.stat().st_mtime, UTC) < before:
            part.unlink(missing_ok=True)
            deleted += 1
    return deleted + sum(_sweep(place) for place in folder.glob("*/*") if place.is_dir())


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> int:
    """Remove the unfinished parts of processes that are gone."""
    removed = 0
    for path in folder.glob(f".*{_WORK}"):
        pid = path.name.removesuffix(_WORK).rpartition(".")[2]
        if not pid.isdigit() or not pid_lives(int(pid)):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _write_manifest(path: Path, result: LandingResult) -> None:
    fields: dict[str, Any] = asdict(result)
    fields["paths"] = [one.name for one in result.paths]
    fields["max_updated_at"] = None if result.max_updated_at is None else result.max_updated_at.isoformat()
    fields["finished_at"] = result.finished_at.isoformat()
    work = path.with_name(f".{path.name}.{os.getpid()}{_WORK}")
    with work.open("w", encoding="utf-8") as file:
        json.dump(fields, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(work, path)
    flush_folder(path.parent)


def _read_manifest(path: Path) -> LandingResult:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        latest = fields["max_updated_at"]
        return LandingResult(
            **{
                **fields,
                "paths": tuple(path.parent / name for name in fields["paths"]),
                "part_counts": tuple(fields["part_counts"]),
                "max_updated_at": None if latest is None else datetime.fromisoformat(latest),
                "finished_at": datetime.fromisoformat(fields["finished_at"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise WarehouseError(
            f"The landing manifest {path} cannot be read ({fault}); delete it and read the source again."
        ) from fault


def _instant(at: datetime) -> str:
    if at.tzinfo is None:
        raise WarehouseError("The clock of a landing has no time zone; give it one that tells UTC.")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _rank(ref: str) -> tuple[int, int, str]:
    """Numbers by size, then everything else by its text."""
    return (0, int(ref), "") if ref.isascii() and ref.isdigit() else (1, 0, ref)


def _safe(name: str) -> str:
    """A name as a file name; anything but letters, digits, dot, dash and underscore is written as its code."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else f"%{ord(c):x}" for c in name)
    if not kept.strip("."):
        raise WarehouseError(f"{name!r} cannot be the name of a source, subject or run; rename it.")
    return kept
