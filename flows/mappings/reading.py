"""Reads the CSV files finance edits, guards them by their contracts, and lists every problem at once."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import polars as pl

from checks.contracts import ALL, Table
from tieout.errors import SettingsError, Stopped
from tieout.vocabulary import ORDER_STATUSES, PAYMENT_STATES, RETURN_STATES, SHIPMENT_STATES

NAMES = (
    "stores",
    "items",
    "accounts",
    "component_accounts",
    "taxes",
    "dimensions",
    "tenders",
    "statuses",
    "warehouses",
    "buffers",
    "kits",
    "stock_shares",
    "price_lists",
    "corrections",
    "fees",
    "rates",
    "clearing",
)
OPTIONAL = (
    "dimensions",
    "statuses",
    "buffers",
    "kits",
    "stock_shares",
    "price_lists",
    "corrections",
    "warehouses",
    "fees",
    "rates",
    "clearing",
)
_DEFAULTS = {"buffers": {"class_ref": "*"}, "statuses": {"subject": "order", "mode": "map"}}
_STATUS_WORDS = {
    "order": ORDER_STATUSES,
    "payment": PAYMENT_STATES,
    "shipment": SHIPMENT_STATES,
    "return": RETURN_STATES,
}
"""Columns that came later than the files they stand in, with what their absence means."""
_NUMBERS: dict[str, dict[str, tuple[int, int | None, bool]]] = {
    # column: (least, most, whether the least itself is allowed)
    "items": {"pack_qty": (0, None, False)},
    "buffers": {"percent": (0, 100, True), "units": (0, None, True)},
    "kits": {"component_qty": (0, None, False)},
    "stock_shares": {"share_percent": (0, 100, True), "keep_qty": (0, None, True)},
}


def load_mappings(folder: Path) -> dict[str, pl.DataFrame]:
    """Every mapping by name. Raises `SettingsError` with all problems of all files."""
    found: dict[str, pl.DataFrame] = {}
    problems: list[str] = []
    for name in NAMES:
        table = ALL[f"mappings.{name}"]
        path = folder / f"{name}.csv"
        if not path.exists():
            if name in OPTIONAL:
                found[name] = table.empty()
            else:
                problems.append(
                    f"{path.name} is missing in {folder}; `tieout init` lays out one to start from."
                )
            continue
        try:
            found[name] = read_mapping(path, table)
        except (SettingsError, Stopped) as fault:
            problems.append(str(fault))
    if problems:
        raise SettingsError(f"The mappings in {folder} have {len(problems)} problem(s).", problems)
    return found


def read_mapping(path: Path, table: Table) -> pl.DataFrame:
    """One file. Raises `SettingsError` or `Stopped` for what its contract does not allow."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise SettingsError(f"{path.name} cannot be read as CSV: {str(fault).splitlines()[0]}.") from None
    # The same bytes give the same frame, and judging them costs more than all else: a process does it once, whoever asks.
    return _judged(path.name, content, table.name)


@lru_cache(maxsize=64)
def _judged(file_name: str, content: bytes, table_name: str) -> pl.DataFrame:
    path, table = Path(file_name), ALL[table_name]
    try:
        frame = pl.read_csv(
            io.BytesIO(content), infer_schema=False, encoding="utf8", truncate_ragged_lines=False
        )
    except pl.exceptions.PolarsError as fault:
        first = str(fault).splitlines()[0]
        raise SettingsError(f"{path.name} cannot be read as CSV: {first}.") from None
    frame = frame.rename({column: column.strip().lstrip("\ufeff") for column in frame.columns})
    for name, value in _DEFAULTS.get(path.stem, {}).items():
        present = pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String)
        frame = frame.with_columns(present.fill_null(value).replace("", value).alias(name))
    known, given = set(table.polars_schema), set(frame.columns)
    if given - known or {c.name for c in table.columns if not c.null} - given:
        missing = sorted({c.name for c in table.columns if not c.null} - given)
        said = [f"lacks {', '.join(missing)}"] if missing else []
        if given - known:
            said.append(f"has unknown {', '.join(sorted(given - known))}")
        raise SettingsError(
            f"{path.name} {' and '.join(said)}; its columns are {', '.join(table.polars_schema)}."
        )
    frame = frame.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))
    keys = [column.name for column in table.columns if not column.null]
    blank = frame.with_row_index("row", offset=2).filter(pl.any_horizontal(pl.col(keys).is_null()))
    # An empty store key is a storefront without stores; every other required value must be there.
    optional_text = {"store_ref"}
    blank = blank.filter(pl.any_horizontal(pl.col([k for k in keys if k not in optional_text]).is_null()))
    if blank.height:
        rows = ", ".join(str(row) for row in blank["row"].head(5).to_list())
        raise SettingsError(
            f"{path.name} has empty values in required columns, line(s) {rows}; fill them in."
        )
    _check_numbers(path, frame)
    _check_dimensions(path, frame)
    _check_statuses(path, frame)
    if "store_ref" in frame.columns:
        frame = frame.with_columns(pl.col("store_ref").fill_null(""))
    return table.checked(table.shaped(frame), at=f"in {path.name}")


def _check_statuses(path: Path, frame: pl.DataFrame) -> None:
    """Raises `SettingsError` naming the lines whose word is none of their subject's, or that ignore an order."""
    if path.stem != "statuses":
        return
    fits = pl.any_horizontal(
        (pl.col("subject") == subject) & pl.col("status_code").is_in(words)
        for subject, words in _STATUS_WORDS.items()
    )
    left_out = (pl.col("mode") == "ignore") & (pl.col("subject") != "order")
    wrong = frame.with_row_index("row", offset=2).filter(~(fits.fill_null(value=False) | left_out))
    if wrong.height:
        lines = ", ".join(str(row) for row in wrong["row"].head(5).to_list())
        said = "; ".join(f"{subject}: {', '.join(words)}" for subject, words in _STATUS_WORDS.items())
        raise SettingsError(
            f"{path.name} has a status_code that is no word of its subject, or ignores an order, line(s) {lines}; the words are {said}."
        )


def _check_dimensions(path: Path, frame: pl.DataFrame) -> None:
    """Raises `SettingsError` naming the lines whose dimension is none."""
    if path.stem != "dimensions":
        return
    known = pl.col("dimension").str.contains(r"^(department|class|project|custom:[A-Z][A-Z0-9_]*)$")
    rows = frame.with_row_index("row", offset=2).filter(~known)["row"].head(5).to_list()
    if rows:
        raise SettingsError(
            f"{path.name} has a dimension that is none of department, class, project, custom:FIELD, line(s) "
            f"{', '.join(str(row) for row in rows)}; correct it."
        )


def _check_numbers(path: Path, frame: pl.DataFrame) -> None:
    """Raises `SettingsError` naming the lines whose numbers are none, or lie outside what they may be."""
    for name, (least, most, touching) in _NUMBERS.get(path.stem, {}).items():
        if name not in frame.columns:
            continue
        value = pl.col(name).cast(pl.Decimal(18, 4), strict=False)
        low = value < least if touching else value <= least
        wrong = value.is_null() | low | (value > most if most is not None else pl.lit(value=False))
        # Spelled as a plain decimal of at most four places: what is cut off would be lost without a word.
        spelled = pl.col(name).str.contains(r"^\d{1,13}(\.\d{1,4})?$")
        rows = frame.with_row_index("row", offset=2).filter(pl.col(name).is_not_null() & (wrong | ~spelled))
        if rows.height:
            lines = ", ".join(str(row) for row in rows["row"].head(5).to_list())
            span = f"from {least}" if touching else f"above {least}"
            raise SettingsError(
                f"{path.name} has no number {span}{f' to {most}' if most is not None else ''} in {name}, line(s) {lines}; correct it."
            )
