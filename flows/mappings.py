"""Reads the CSV files finance edits, guards them by their contracts, and lists every problem at once."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from checks.contracts import ALL, Table
from tieout.errors import SettingsError, Stopped

NAMES = (
    "stores",
    "items",
    "accounts",
    "component_accounts",
    "taxes",
    "tenders",
    "statuses",
    "warehouses",
    "buffers",
    "corrections",
)
OPTIONAL = ("statuses", "buffers", "corrections", "warehouses")


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
            found[name] = _read(path, table)
        except (SettingsError, Stopped) as fault:
            problems.append(str(fault))
    if problems:
        raise SettingsError(f"The mappings in {folder} have {len(problems)} problem(s).", problems)
    return found


def _read(path: Path, table: Table) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, infer_schema=False, encoding="utf8", truncate_ragged_lines=False)
    except (pl.exceptions.PolarsError, OSError) as fault:
        first = str(fault).splitlines()[0]
        raise SettingsError(f"{path.name} cannot be read as CSV: {first}.") from None
    frame = frame.rename({column: column.strip().lstrip("\ufeff") for column in frame.columns})
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
    if "store_ref" in frame.columns:
        frame = frame.with_columns(pl.col("store_ref").fill_null(""))
    return table.checked(table.shaped(frame), at=f"in {path.name}")
