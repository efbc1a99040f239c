"""The sealed pack: a folder and a zip of the same bytes, with a manifest of hashes. Written beside, flushed to disk, swapped in by rename.

    close.json               the facts of the close
    reconciliation.xlsx      the workbook            reconciliation.html   the page
    summary.json             counts and amounts by outcome, for machines
    data/*.parquet           every table             inputs/*.parquet      every input row
    configuration/*          policies and mappings   manifest.json         the hash of each, and of itself

The zip stores its files uncompressed under a fixed date, so that the same pack gives the same bytes on any machine.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from tieout.errors import InputError, WarehouseError
from tieout.reports.closing import FORMAT, CloseReport, canonical, content_of, control_totals, text_hash
from tieout.reports.folder import summary
from tieout.reports.page import render_close
from tieout.reports.workbook_close import write_close_workbook

MANIFEST: Final = "manifest.json"
POLICY: Final = "configuration/policy.json"
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16


def write_pack(
    folder: Path,
    report: CloseReport,
    *,
    inputs: Mapping[str, pl.DataFrame],
    texts: Mapping[str, str],
    content: Mapping[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Write the pack of a close to `folder` and `folder.zip`, replacing an earlier one only when all of it is on disk; returns the manifest.

    `inputs` are the frames the reconciliation read; `texts` are further files (path to text), the policies under `POLICY` among them.
    `content` is `content_of` these, where the caller has worked it out.
    Raises `WarehouseError` if the disk is full or the folder cannot be written; what stood there before is then untouched.
    """
    tell = say or (lambda _text: None)
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    archive = folder.with_name(f"{folder.name}.zip")
    fresh = folder.with_name(f".{folder.name}.zip.{os.getpid()}")
    try:
        shutil.rmtree(building, ignore_errors=True)
        for place in ("data", "inputs", "configuration"):
            (building / place).mkdir(parents=True, exist_ok=True)
        content = content or content_of(report.facts, report.tables, inputs, texts[POLICY])
        tell("workbook")
        write_close_workbook(building / "reconciliation.xlsx", report, content)
        tell("page")
        _text(building / "reconciliation.html", render_close(report, content))
        _text(building / "summary.json", canonical(summary(report.data)))
        _text(building / "close.json", canonical(dict(report.facts)))
        tell("Parquet")
        for place, frames in (("data", report.tables), ("inputs", inputs)):
            for name, frame in frames.items():
                frame.write_parquet(building / place / f"{name}.parquet", compression="zstd", statistics=True)
        for name, text in texts.items():
            _text(building / name, text)
        manifest = _manifest(building, report, content)
        _text(building / MANIFEST, canonical(manifest))
        for path in [*_files(building), *(path for path in building.rglob("*") if path.is_dir()), building]:
            _flush(path)
        with fresh.open("wb") as file:
            file.write(zipped(building))
        _flush(fresh)
        _swap(building, folder)
        os.replace(fresh, archive)
        _flush(folder.parent)
    except (OSError, pl.exceptions.PolarsError) as fault:
        shutil.rmtree(building, ignore_errors=True)
        fresh.unlink(missing_ok=True)
        raise WarehouseError(
            f"The pack could not be written to {folder}: {_reason(fault)}. Nothing was left half-written; make room and close again."
        ) from None
    return manifest


def _reason(fault: BaseException) -> str:
    full = getattr(fault, "errno", None) in (
        errno.ENOSPC,
        errno.EFBIG,
        errno.EDQUOT,
    ) or "No space left" in str(fault)
    return "the disk is full" if full else str(getattr(fault, "strerror", None) or fault)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _files(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def _manifest(building: Path, report: CloseReport, content: Mapping[str, Any]) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "tool": f"tieout {report.facts['version']}",
        "content": content,
        "content_sha256": text_hash(canonical(content)),
        "control_totals": control_totals(report.tables),
        "runs": report.facts["runs"],
        "sign_offs": report.facts["sign_offs"],
        "files": {
            path.relative_to(building).as_posix(): {"bytes": path.stat().st_size, "sha256": _file_hash(path)}
            for path in _files(building)
        },
    }
    return {**manifest, "manifest_sha256": text_hash(canonical(manifest))}


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(building: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        if not (folder / MANIFEST).exists() and any(folder.iterdir()):
            raise WarehouseError(
                f"{folder} holds files that are not a tieout pack; move them away and close again."
            )
        os.replace(folder, old)
    os.replace(building, folder)
    shutil.rmtree(old, ignore_errors=True)


def zipped(folder: Path) -> bytes:
    """The zip of a pack: its files in order of name, stored, under one fixed date and mode."""
    return _zip((path.relative_to(folder).as_posix(), path.read_bytes()) for path in _files(folder))


def _zip(entries: Iterable[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, payload in entries:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, payload)
    return target.getvalue()


class Pack:
    """A pack opened for reading, from its folder or its zip. Nothing is trusted: `faults` names everything that is not as sealed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: bytes | None = None
        self._files: dict[str, bytes] | None = None
        self._broken: list[str] = []
        try:
            if path.is_dir():
                self.names = [one.relative_to(path).as_posix() for one in _files(path)]
            elif path.is_file():
                self._zip = path.read_bytes()
                self._files = self._opened()
                self.names = sorted(self._files)
            else:
                raise InputError(f"There is no pack at {path}; name the folder of a close, or its zip.")
        except OSError as fault:
            raise InputError(f"The pack {path} cannot be read: {fault.strerror or fault}.") from None

    def _opened(self) -> dict[str, bytes]:
        """The files of the zip, read leniently: a damaged entry is named, not fatal."""
        found: dict[str, bytes] = {}
        try:
            with zipfile.ZipFile(io.BytesIO(self._zip or b"")) as archive:
                for entry in archive.infolist():
                    if entry.file_size > len(self._zip or b""):
                        self._broken.append(f"{entry.filename}: its size in the archive cannot be right")
                        continue
                    try:
                        found[entry.filename] = archive.read(entry)
                    except Exception as fault:
                        # zipfile answers a damaged entry with a dozen kinds of exception; all of them mean the same here.
                        self._broken.append(
                            f"{entry.filename}: damaged in the archive ({type(fault).__name__})"
                        )
        except Exception as fault:
            # Likewise for a damaged directory.
            self._broken.append(f"the archive cannot be opened as a zip ({type(fault).__name__}: {fault})")
        return found

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises `InputError` if there is none."""
        if self._files is not None:
            if name not in self._files:
                raise InputError(f"{self.path.name} holds no {name}; it is not a whole pack.")
            return self._files[name]
        try:
            return (self.path / name).read_bytes()
        except OSError as fault:
            raise InputError(
                f"{self.path.name} holds no readable {name} ({fault.strerror or fault}); it is not a whole pack."
            ) from None

    def json(self, name: str) -> Any:
        """One file as JSON. Raises `InputError`."""
        try:
            return json.loads(self.read(name))
        except ValueError as fault:
            raise InputError(f"{name} of {self.path.name} is not valid JSON ({fault}).") from None

    def frame(self, name: str) -> pl.DataFrame:
        """One Parquet file as a frame. Raises `InputError`."""
        try:
            return pl.read_parquet(io.BytesIO(self.read(name)))
        except (pl.exceptions.PolarsError, OSError, ValueError) as fault:
            raise InputError(
                f"{name} of {self.path.name} is not readable Parquet ({str(fault)[:120]})."
            ) from None

    def frames(self, place: str) -> dict[str, pl.DataFrame]:
        """Every Parquet file below a folder of the pack, by name."""
        wanted = [name for name in self.names if name.startswith(f"{place}/") and name.endswith(".parquet")]
        return {name.removeprefix(f"{place}/").removesuffix(".parquet"): self.frame(name) for name in wanted}

    def report(self) -> CloseReport:
        """Facts and tables, to print again. Raises `InputError`."""
        return CloseReport(facts=self.json("close.json"), tables=self.frames("data"))

    def faults(self) -> list[str]:
        """Every file that is not as sealed, the manifest itself, and (for a zip) bytes that belong to no file; empty if all is as it was."""
        found = list(self._broken)
        try:
            raw = self.read(MANIFEST).decode("utf-8")
            manifest = json.loads(raw)
            own = manifest.pop("manifest_sha256")
            files: Mapping[str, Mapping[str, Any]] = manifest["files"]
            sealed = {str(name): (int(one["bytes"]), str(one["sha256"])) for name, one in files.items()}
        except (InputError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as fault:
            return [*found, f"{MANIFEST}: cannot be read ({fault})"]
        if text_hash(canonical(manifest)) != own or canonical({**manifest, "manifest_sha256": own}) != raw:
            found.append(f"{MANIFEST}: is not what was sealed (its own hash does not fit)")
        for name, (size, digest) in sealed.items():
            if name not in self.names:
                found.append(f"{name}: is missing")
                continue
            payload = self.read(name)
            if len(payload) != size or hashlib.sha256(payload).hexdigest() != digest:
                found.append(f"{name}: is not what was sealed ({len(payload):,} bytes, sealed {size:,})")
        found += [
            f"{name}: was not there when the pack was sealed"
            for name in self.names
            if name not in sealed and name != MANIFEST
        ]
        if not found and self._zip is not None:
            again = _zip((name, self.read(name)) for name in self.names)
            if again != self._zip:
                at = next(
                    (at for at, (a, b) in enumerate(zip(again, self._zip, strict=False)) if a != b),
                    min(len(again), len(self._zip)),
                )
                found.append(f"the archive differs from its own files at byte {at:,}")
        return found
