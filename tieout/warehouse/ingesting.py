"""From files to raw tables: one bulk read, duplicates recognised, landing number and watermark in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from tieout.errors import InputError, WarehouseError
from tieout.warehouse.columns import ensure_table
from tieout.warehouse.connection import Connection
from tieout.warehouse.landing import LandingResult
from tieout.warehouse.statements import listed, literal, quoted, quoted_table, statement

_INSTANT: Final = pl.Datetime("us", "UTC")
RAW_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "source": pl.String(),
    "subject": pl.String(),
    "native_ref": pl.String(),
    "version_no": pl.Int64(),
    "updated_at": _INSTANT,
    "payload": pl.String(),
    "payload_sha256": pl.String(),
    "problem": pl.String(),
    "fetched_at": _INSTANT,
    "run_id": pl.String(),
    "landing_no": pl.Int64(),
}
"""Columns of every raw table, `raw.<source>__<subject>`."""

OWN_TABLES: Final[Mapping[str, pl.DataFrame]] = {
    # Every landing that was taken in: its number within its raw table, files and counts. Key: landing_id.
    "ops.landings": pl.DataFrame(
        schema={
            "landing_id": pl.String(),
            "table_name": pl.String(),
            "source": pl.String(),
            "subject": pl.String(),
            "landing_no": pl.Int64(),
            "files": pl.String(),
            "read_count": pl.Int64(),
            "new_count": pl.Int64(),
            "at": _INSTANT,
            "run_id": pl.String(),
        }
    ),
    # How far staging has come: the last landing number it has seen of each source and subject. Key: source, subject.
    "ops.stage_cursors": pl.DataFrame(
        schema={
            "source": pl.String(),
            "subject": pl.String(),
            "landing_no": pl.Int64(),
            "moved_at": _INSTANT,
            "run_id": pl.String(),
        }
    ),
}
"""Tables the warehouse keeps for itself, besides those of the contracts; made by `Warehouse.ensure`."""

_GROUP_RECORDS: Final = 100_000
_LEAST_OBJECT_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class Watermark:
    """Where a source was read to. `mark_at` never moves back; `mark_ref` replaces the one before it. None leaves a mark as it is."""

    source: str
    subject: str
    mark_at: datetime | None
    mark_ref: str | None
    moved_at: datetime
    run_id: str


@dataclass(frozen=True)
class IngestCounts:
    """Records read from the files, new rows, records that were already known; and the number the landing got."""

    read: int
    new: int
    duplicate: int
    landing_no: int


def ingest_landing(
    con: Connection, landing: LandingResult, *, table: str, watermark: Watermark | None
) -> IngestCounts:
    """Take a finished landing into its raw table.

    A record is a duplicate if its (native_ref, payload_sha256) is there already; where the source gives neither version nor
    change time, only if it is still the newest of its record, so that a value which went from A to B and back to A is not lost.
    Raises `WarehouseError` if files are missing or hold another number of records than were landed.
    """
    number = _prepare(con, table)
    read = new = 0
    for paths, expected in _groups(landing):
        _needs_files(landing, paths)
        text = statement(
            "read_landing",
            files="[" + ", ".join(literal(str(path)) for path in paths) + "]",
            largest=str(max(_LEAST_OBJECT_BYTES, 2 * landing.largest_bytes)),
        )
        try:
            con.execute(text)
        except (duckdb.InvalidInputException, duckdb.IOException) as fault:
            raise WarehouseError(
                f"The landing {landing.landing_id} is damaged ({str(fault).splitlines()[0][:160]}); read the source again."
            ) from fault
        got = _count(con, "SELECT count(*) FROM tieout_landed")
        if got != expected:
            raise WarehouseError(
                f"The landing {landing.landing_id} holds {got} records and {expected} were landed; nothing was taken in. Read the source again."
            )
        read += got
        new += _insert_new(
            con,
            table,
            source=landing.source,
            subject=landing.subject,
            run_id=landing.run_id,
            number=number,
            may_repeat=True,
        )
    counts = IngestCounts(read=read, new=new, duplicate=read - new, landing_no=number)
    _register(
        con,
        landing.landing_id,
        table,
        landing.source,
        landing.subject,
        landing.run_id,
        landing.finished_at,
        [path.name for path in landing.paths],
        counts,
    )
    if watermark is not None:
        move_watermark(con, watermark)
    return counts


def ingest_file(
    con: Connection,
    path: Path,
    *,
    format: str,
    table: str,
    source: str,
    subject: str,
    header: Sequence[str],
    run_id: str,
    fetched_at: datetime,
    key_columns: Sequence[str],
    watermark: Watermark | None,
) -> IngestCounts:
    """Take a plain file into a raw table: each row becomes a JSON object of text values, in the file's own spelling.

    path         a UTF-8 comma-separated file with one header line (RFC 4180), or a Parquet file
    format       "csv" or "parquet"
    header       names of the columns in the order of the file; they become the member names of the payload
    key_columns  members that make the native reference, joined by `|`; a second row with the same key in one file gets `#2`, and
                 so on, so that no row is lost. Without keys the reference is the row number, `row:1` for the first.

    Everything is done by DuckDB, spilled to disk beyond its memory limit. Raises `InputError` naming file and line when the file cannot be read.
    """
    unknown = [column for column in key_columns if column not in header]
    if unknown:
        raise InputError(
            f"{path} has no column {', '.join(unknown)} to tell its rows apart; it has {', '.join(header)}."
        )
    number = _prepare(con, table)
    members = ", ".join(f"{literal(name)}, {quoted(name)}" for name in header)
    key = "concat_ws('|', " + ", ".join(f"coalesce({quoted(c)}, '')" for c in key_columns) + ")"
    rows = statement(
        "rows_of_csv" if format == "csv" else "rows_of_parquet",
        path=literal(str(path)),
        columns="{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header) + "}",
        casts=_casts(con, path, header) if format == "parquet" else "",
    )
    text = statement("read_file", rows=rows, members=members, key=key if key_columns else "NULL::VARCHAR")
    try:
        con.execute(text)
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as fault:
        if "no space" in str(fault).lower() or "too large" in str(fault).lower():
            raise
        raise InputError(
            f"{path} cannot be read as {format}: {_first_words(fault)}. Correct the file and run again; nothing was taken in."
        ) from fault
    con.execute(statement("refer_rows", fetched_at=literal(fetched_at.isoformat())))
    read = _count(con, "SELECT count(*) FROM tieout_landed")
    new = _insert_new(
        con, table, source=source, subject=subject, run_id=run_id, number=number, may_repeat=False
    )
    counts = IngestCounts(read=read, new=new, duplicate=read - new, landing_no=number)
    landing_id = f"{source}/{subject}/{run_id}/{path.name}#{number}"
    _register(con, landing_id, table, source, subject, run_id, fetched_at, [path.name], counts)
    if watermark is not None:
        move_watermark(con, watermark)
    return counts


def move_watermark(con: Connection, watermark: Watermark) -> None:
    """Move a watermark in the open transaction; it never moves back in time."""
    con.execute(
        statement("move_watermark"),
        {
            "source": watermark.source,
            "subject": watermark.subject,
            "mark_at": watermark.mark_at,
            "mark_ref": watermark.mark_ref,
            "moved_at": watermark.moved_at,
            "run_id": watermark.run_id,
        },
    )


def _prepare(con: Connection, table: str) -> int:
    """Make the tables if need be and return the number of the landing that begins."""
    if not table.startswith("raw."):
        raise WarehouseError(f"{table} is not a raw table; landings go to raw.<source>__<subject>.")
    ensure_table(con, table, RAW_SCHEMA)
    for name, empty in OWN_TABLES.items():
        ensure_table(con, name, empty.schema)
    return 1 + max(
        _count(con, statement("last_landing", table=quoted_table(table))),
        # A landing that brought nothing new left no row, yet its number is taken.
        _count(con, statement("last_registered", table=literal(table))),
    )


def _groups(landing: LandingResult) -> Iterator[tuple[list[Path], int]]:
    """Parts in groups of bounded size, so that memory does not grow with the landing."""
    paths: list[Path] = []
    records = 0
    for path, count in zip(landing.paths, landing.part_counts, strict=True):
        if paths and records + count > _GROUP_RECORDS:
            yield paths, records
            paths, records = [], 0
        paths.append(path)
        records += count
    if paths:
        yield paths, records


def _needs_files(landing: LandingResult, paths: Sequence[Path]) -> None:
    lost = [path.name for path in paths if not path.exists()]
    if lost:
        raise WarehouseError(
            f"The landing {landing.landing_id} has lost its file {lost[0]}; nothing was taken in. Read the source again."
        )


def _insert_new(
    con: Connection, table: str, *, source: str, subject: str, run_id: str, number: int, may_repeat: bool
) -> int:
    """Insert what is new of the landed rows; `may_repeat` is false where their references are unique by the way they were made."""
    try:
        con.execute(statement("find_known", table=quoted_table(table), may_repeat=str(may_repeat).lower()))
        return _count(
            con,
            statement("insert_landed", table=quoted_table(table), columns=listed(RAW_SCHEMA)),
            {"source": source, "subject": subject, "run_id": run_id, "landing_no": number},
        )
    finally:
        con.execute("DROP TABLE IF EXISTS tieout_known")
        con.execute("DROP TABLE IF EXISTS tieout_landed")


def _register(
    con: Connection,
    landing_id: str,
    table: str,
    source: str,
    subject: str,
    run_id: str,
    at: datetime,
    files: list[str],
    counts: IngestCounts,
) -> None:
    row: dict[str, Any] = {
        "landing_id": landing_id,
        "table_name": table,
        "source": source,
        "subject": subject,
        "landing_no": counts.landing_no,
        "files": json.dumps(files),
        "read_count": counts.read,
        "new_count": counts.new,
        "at": at,
        "run_id": run_id,
    }
    con.execute(statement("register_landing"), row)


def _casts(con: Connection, path: Path, header: Sequence[str]) -> str:
    """Each Parquet column as text under its new name, matched by position."""
    try:
        described = con.execute(statement("describe_parquet", path=literal(str(path))))
    except duckdb.Error as fault:
        raise InputError(f"{path} is not a readable Parquet file: {_first_words(fault)}.") from fault
    names = [str(row[0]) for row in described]
    if len(names) != len(header):
        raise InputError(
            f"{path} has {len(names)} columns and {len(header)} were expected; check the column map."
        )
    return ", ".join(
        f"CAST({quoted(old)} AS VARCHAR) AS {quoted(new)}" for old, new in zip(names, header, strict=True)
    )


def _first_words(fault: BaseException) -> str:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return " ".join(lines[:2])[:240].rstrip(".")


def _count(con: Connection, text: str, params: Mapping[str, Any] | None = None) -> int:
    rows = con.execute(text, dict(params) if params else None)
    return int(rows[0][0] or 0) if rows else 0
