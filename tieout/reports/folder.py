"""Writes a report folder whole or not at all: workbook, page, Parquet, summary, and a manifest of their hashes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.money import shown_decimal
from tieout.reports.data import ReportData
from tieout.reports.page import render
from tieout.reports.rows import Rows, batches, count, in_order, write_parquet
from tieout.reports.workbook import write_workbook

_ORDER: Final = ("group_ref", "entity_code", "currency")
"""How rows lie in a file that is written from a scan; a frame is written as it is."""


def write_report(
    folder: Path,
    data: ReportData,
    *,
    extra: Mapping[str, pl.DataFrame] | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Path:
    """Write every file of a report into `folder`, replacing an earlier one only when all are complete.

    `progress` is told how many rows of a scan are written, of how many.

    Raises `WarehouseError` if the disk is full or the folder cannot be written; an earlier report is then untouched.
    """
    tell = say or (lambda _text: None)
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        tell("workbook")
        write_workbook(building / "reconciliation.xlsx", data)
        tell("page")
        (building / "reconciliation.html").write_text(render(data), encoding="utf-8")
        tell("Parquet")
        frames: dict[str, Rows] = {
            "orders": data.orders,
            "payments": data.payments,
            "waterfall": data.waterfall,
            "ageing": data.ageing,
            "proofs": data.proofs,
            **(extra or {}),
        }
        for name, frame in frames.items():
            path = building / f"{name}.parquet"
            if isinstance(frame, pl.LazyFrame):
                write_parquet(path, _counted(in_order(frame, _ORDER), name, count(frame), progress))
            else:
                write_parquet(path, batches(frame))
        (building / "summary.json").write_text(_json(summary(data)), encoding="utf-8")
        (building / "manifest.json").write_text(_json(_manifest(building, data)), encoding="utf-8")
        _swap(building, folder)
    except OSError as fault:
        shutil.rmtree(building, ignore_errors=True)
        reason = "the disk is full" if fault.errno == errno.ENOSPC else str(fault.strerror or fault)
        raise WarehouseError(
            f"The report could not be written to {folder}: {reason}. Nothing was left half-written; make room or choose another folder with --out."
        ) from None
    return folder


def _counted(
    parts: Iterable[pl.DataFrame],
    name: str,
    total: int,
    progress: Callable[[str, int, int | None], None] | None,
) -> Iterator[pl.DataFrame]:
    done = 0
    for part in parts:
        yield part
        done += part.height
        if progress is not None:
            progress(f"writing {name}", done, total)


def summary(data: ReportData) -> dict[str, Any]:
    """Counts and exact amounts (as decimal text) by tie-out, entity, currency and outcome, for machines."""
    by_outcome = [
        {
            "tie_out": one["tie_out"],
            "entity": one["entity_code"],
            "currency": one["currency"],
            "outcome": one["outcome_code"],
            "family": one["family_code"],
            "count": one["row_count"],
            **{
                name.removesuffix("_minor"): str(shown_decimal(one[name], one["currency"]))
                for name in one
                if name.endswith("_minor")
            },
        }
        for one in data.totals().iter_rows(named=True)
    ]
    sides = [
        {
            "tie_out": one["tie_out"],
            "entity": one["entity_code"],
            "currency": one["currency"],
            "rows": one["row_count"],
            **{
                name.removesuffix("_minor"): str(shown_decimal(one[name], one["currency"]))
                for name in one
                if name.endswith("_minor")
            },
        }
        for one in data.tie_outs().iter_rows(named=True)
    ]
    return {
        "title": data.title,
        "period": data.period,
        "as_of": data.as_of.isoformat(),
        "ties": data.ties,
        "foots": data.foots,
        "tie_outs": sides,
        "outcomes": by_outcome,
        "version": data.version,
    }


def content_hash(data: ReportData) -> str:
    """SHA-256 over the rows a report is made of: the same rows give the same hash on any machine."""
    digest = hashlib.sha256()
    for name in ("orders", "payments", "waterfall", "ageing", "proofs"):
        rows: Rows = getattr(data, name)
        columns = rows.collect_schema().names()
        digest.update(name.encode())
        digest.update(",".join(columns).encode())
        for part in (
            in_order(rows, columns) if columns else ()
        ):  # in parts, so that a million rows are not one text
            digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()


def _manifest(building: Path, data: ReportData) -> dict[str, Any]:
    files = {path.name: _hashed(path) for path in sorted(building.iterdir()) if path.is_file()}
    return {"tool": f"tieout {data.version}", "content_sha256": content_hash(data), "files": files}


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _swap(building: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    if folder.exists():
        known = (folder / "manifest.json").exists() or not any(folder.iterdir())
        if not known:
            raise WarehouseError(
                f"{folder} holds files that are not a tieout report; choose an empty or new folder with --out."
            )
        os.replace(folder, old)
    os.replace(building, folder)
    shutil.rmtree(old, ignore_errors=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
