"""`tieout reconcile`: two exports that any shop and any ledger can make, compared to the cent. No server, no configuration.

Orders against invoices and credit memos; payments against receipts where both are given; orders against payments where there is no ledger.
The same transforms do it that reconcile the warehouse, so the same rules, outcomes and proofs hold.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from checks.contracts import ALL
from flows.plain.comparing import Progress, compared, proved, without_open_items
from flows.plain.entities import Places, find_places
from flows.plain.report import printed, report_data, written
from flows.plain.stage import stage_files
from flows.plain.storefront import staging_transforms
from flows.plain.text import Text, open_text
from tieout.connectors.storefronts.files import Files
from tieout.connectors.storefronts.files_map import ColumnMap
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, InputError
from tieout.money import decimal_from_text, exponent, show, to_minor
from transforms.reconcile import (
    Period,
    Policy,
    Tolerance,
)

__all__ = ["FilesResult", "reconcile_files", "staging_transforms"]

PARTS: Final = 8
"""Parts of a comparison at least, where it has rows enough; see `Policy.buckets`."""
PART_ROWS: Final = 100_000
"""A comparison of fewer rows than two of these is made in one part; see `Policy.bucket_least`."""
BYTES_PER_ROW: Final = 300
"""Room on disk per row of all files together, for text, tables and rows on their way; measured with tests/bench/bench_files.py."""


@dataclass(frozen=True)
class FilesResult:
    """What a reconciliation of plain files came to: lines to print, the exit code, where the report is, and its content hash."""

    text: tuple[str, ...]
    exit_code: int
    folder: Path
    content_sha256: str


def reconcile_files(
    given: Mapping[str, Sequence[str]],
    *,
    out: Path,
    column_map: Path | None = None,
    period: str | None = None,
    tolerance: Sequence[str] = (),
    as_of: datetime | None = None,
    say: Callable[[str], None] = lambda _text: None,
    progress: Progress = lambda _label, _done, _total: None,
) -> FilesResult:
    """Reconcile files of the kinds orders, lines, payments, refunds, invoices, receipts and credit_memos, and write the report to `out`.

    given      kind of file → paths or globs
    column_map how the files are written; None for the documented default layout
    period     a month (`2026-09`); None takes all dates as one period
    tolerance  what may differ per order and currency, as `USD=0.01`
    as_of      printed on the report and nothing else; the present instant if None

    Raises `InputError` (one sentence) for files, maps or arguments that cannot be used, and `DoesNotFoot` if a proof fails; then
    nothing is written. Rows that cannot be read are listed with file, row and reason, and the rest goes on.
    """
    _combination(given)
    chart = ColumnMap.load(column_map) if column_map else ColumnMap()
    allowed = _tolerance(tolerance)
    month = Period.month(period) if period else None
    with (
        tempfile.TemporaryDirectory(prefix="tieout-") as work,
        Files(given, chart, work_dir=Path(work) / "copies") as files,
    ):
        texts: dict[str, Text] = {}
        for subject in files.subjects():
            say(f"reading {subject.replace('_', ' ')}")
            texts[subject] = open_text(files, subject)
        if not texts["orders"].rows:
            raise InputError(
                f"{texts['orders'].parts[0].name} has a header and no rows; there are no orders to reconcile."
            )
        _room(sum(text.rows for text in texts.values()), Path(work))
        say("taking the rows apart")
        tables = stage_files(texts, Path(work), progress=progress)
        places = find_places(tables.scan("core.orders"), tables.scan("core.ar_invoices"))
        policy = _policy(places, chart, allowed, month)
        say("comparing")
        result = compared(given, texts, tables, places, policy, _basis(chart), progress)
        found = proved(result.footing)
        if "invoices" in given and "receipts" not in given:
            result, found = without_open_items(result, found)
        data = report_data(
            result,
            found,
            texts=texts,
            tables=tables,
            period=period,
            as_of=as_of or datetime.now(UTC),
            parameters=_parameters(given, chart, allowed, period, places),
        )
        for name in ("waterfall", "ageing"):
            table = ALL[f"recon.{name}"]
            table.checked(table.shaped(getattr(data, name)), at="when reconciling files")
        folder, digest = written(out, data, tables, say, progress)
        notes = [note for text in texts.values() for note in text.notes] + _doubts(given)
        clean = data.ties and tables.problems.is_empty()
        return FilesResult(
            text=tuple(printed(data, tables, folder, notes)),
            exit_code=EXIT_OK if clean else EXIT_DIFFERENCES,
            folder=folder,
            content_sha256=digest,
        )


# ── what was asked ──────────────────────────────────────────────────────────────────────────────────────────────


def _combination(given: Mapping[str, Sequence[str]]) -> None:
    """Refuse combinations that leave nothing to compare."""
    if "orders" not in given:
        raise InputError("There is no order file; name it with --orders.")
    if "invoices" not in given and not {"payments", "refunds"} & set(given):
        raise InputError(
            "There is nothing to compare the orders with; give --invoices, or --payments, or both."
        )
    if "receipts" in given and "payments" not in given:
        raise InputError("Receipts are compared with payments; give --payments too, or leave --receipts out.")
    if "receipts" in given and "invoices" not in given:
        raise InputError("Receipts belong to invoices; give --invoices too, or leave --receipts out.")
    if "credit_memos" in given and "invoices" not in given:
        raise InputError("Credit memos belong to invoices; give --invoices too, or leave --credit-memos out.")


def _room(rows: int, folder: Path) -> None:
    """Refuse what would fill the disk half-way. Memory is bounded by the slice, whatever the files hold. Raises `InputError`."""
    free = shutil.disk_usage(folder).free
    if rows * BYTES_PER_ROW > free:
        raise InputError(
            f"{rows:,} rows need about {rows * BYTES_PER_ROW / 2**30:.0f} GB of disk in {folder} while they are compared, and "
            f"{free / 2**30:.0f} GB are free; make room, or set TMPDIR to a folder with more."
        )


def _doubts(given: Mapping[str, Sequence[str]]) -> list[str]:
    """What the choice of files makes of the result, said aloud."""
    said = []
    if "invoices" in given and "refunds" in given and "credit_memos" not in given:
        said.append("no credit memos were given: refunds are compared with negative invoices only")
    if "credit_memos" in given and not {"payments", "refunds"} & set(given):
        said.append("no refunds were given: every credit memo stands without one")
    if "invoices" in given and "payments" in given and "receipts" not in given:
        said.append("no receipts were given: of the payments, only refunds count (they owe credit memos)")
    return said


def _tolerance(texts: Sequence[str]) -> Tolerance:
    """`USD=0.01` as minor units by currency."""
    amounts: dict[str, int] = {}
    for text in texts:
        code, equals, amount = (part.strip() for part in text.partition("="))
        if not equals:
            raise InputError(f"'{text}' is not a tolerance; write it like USD=0.01.")
        currency = code.upper()
        digits = exponent(currency)
        value = decimal_from_text(amount)
        if value < Decimal(0):
            raise InputError(
                f"A tolerance cannot be negative; write it like {currency}={Decimal(1).scaleb(-digits)}."
            )
        amounts[currency] = to_minor(value, currency)
    return Tolerance(absolute_minor=amounts)


def _basis(chart: ColumnMap) -> str:
    """When a sale counts: as the map says under [orders], else when it was placed."""
    return chart.of("orders").basis or "placed"


def _zone(chart: ColumnMap) -> str:
    return chart.of("orders").time_zone or "UTC"


def _policy(places: Places, chart: ColumnMap, tolerance: Tolerance, month: Period | None) -> Policy:
    entities = places.stores["entity_code"].unique().to_list()
    return Policy(
        tolerance=tolerance,
        period=month,
        zones=dict.fromkeys(sorted(entities), _zone(chart)),
        buckets=PARTS,
        bucket_least=PART_ROWS,
    )


def _parameters(
    given: Mapping[str, Sequence[str]],
    chart: ColumnMap,
    tolerance: Tolerance,
    period: str | None,
    places: Places,
) -> list[tuple[str, str]]:
    said = ", ".join(
        f"{show(minor, code)} {code}" for code, minor in sorted(tolerance.absolute_minor.items())
    )
    against = "invoices and credit memos" if "invoices" in given else "payments; no ledger was given"
    return [
        (
            "Compared",
            f"orders against {against}" + (", payments against receipts" if "receipts" in given else ""),
        ),
        ("Period", period or "all dates as one period"),
        ("Sales count when", _basis(chart)),
        ("Time zone of accounting dates", _zone(chart)),
        ("Tolerance", said or "0"),
        *places.said,
    ]
