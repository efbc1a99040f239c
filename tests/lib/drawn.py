"""Drawn tables: small frames written as text in a test, typed by the names of their columns.

    table('''
    order_ref | placed_at        | total_minor | is_test | sku
    A         | 2026-10-01 12:00 | 12_000      | no      | -
    ''')

`-` is null, `''` is empty text. A column's type follows its name: `_minor`, `_no`, `revision` are whole numbers, `_at` an instant
in UTC, `_on` a date, `_qty` and `quantity` decimals of four digits, `is_` and `has_` flags, everything else text. Whole-number
quantities of a contract (`available_qty` of web stock) are had with `drawn`, which takes the types from the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from checks.contracts.table import Table

_FLAGS = {"yes": True, "true": True, "no": False, "false": False}
_DULL: dict[type, Any] = {
    pl.String: "",
    pl.Int64: 0,
    pl.Boolean: False,
    pl.Date: date(2026, 10, 1),
    pl.Datetime: datetime(2026, 10, 1, 12, tzinfo=UTC),
    pl.Decimal: Decimal(1),
}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _parser(dtype: pl.DataType) -> Callable[[str], Any]:
    if isinstance(dtype, pl.Int64):
        return lambda text: int(text.replace(",", "").replace("_", ""))
    if isinstance(dtype, pl.Datetime):
        return _instant
    if isinstance(dtype, pl.Date):
        return date.fromisoformat
    if isinstance(dtype, pl.Decimal):
        return Decimal
    if isinstance(dtype, pl.Boolean):
        return lambda text: _FLAGS[text.lower()]
    return lambda text: "" if text == "''" else text


def type_of(name: str) -> pl.DataType:
    """The type a column's name stands for."""
    if name.endswith(("_minor", "_no")) or name == "revision":
        return pl.Int64()
    if name.endswith("_at"):
        return pl.Datetime("us", "UTC")
    if name.endswith("_on"):
        return pl.Date()
    if name.endswith("_qty") or name == "quantity":
        return pl.Decimal(18, 4)
    if name.startswith(("is_", "has_")) or name == "tax_included":
        return pl.Boolean()
    return pl.String()


def table(text: str, schema: dict[str, pl.DataType] | None = None) -> pl.DataFrame:
    """The frame a drawn table shows; `schema` overrides types by column name."""
    lines = [
        line for line in text.strip().splitlines() if line.strip() and not set(line.strip()) <= set("-+| ")
    ]
    names = [cell.strip() for cell in lines[0].split("|")]
    types = {name: (schema or {}).get(name, type_of(name)) for name in names}
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        assert len(cells) == len(names), f"{len(cells)} cells under {len(names)} columns: {line}"
        rows.append(
            {n: None if c == "-" else _parser(types[n])(c) for n, c in zip(names, cells, strict=True)}
        )
    return pl.DataFrame(rows, schema=types)


def drawn(contract: Table, text: str, **constants: Any) -> pl.DataFrame:
    """A frame that keeps a contract from a drawing that shows only the columns that matter.

    What is not drawn is the given constant, else null where the contract allows it, else something dull of the right type
    (the first word of a closed list, empty text, zero, one, false, noon of 1 October 2026). The contract is verified.
    """
    frame = table(text, contract.polars_schema)
    unknown = {*frame.columns, *constants} - set(contract.polars_schema)
    assert not unknown, f"{contract.name} has no {sorted(unknown)}"
    added = []
    for column in contract.columns:
        if column.name in frame.columns:
            continue
        if column.name in constants:
            value = constants[column.name]
        elif column.null:
            value = None
        elif column.words:
            value = column.words[0]
        else:
            value = (
                max(_DULL[type(column.dtype)], column.least) if column.least else _DULL[type(column.dtype)]
            )
        added.append(pl.lit(value, dtype=column.dtype).alias(column.name))
    return contract.checked(contract.shaped(frame.with_columns(added)), at="in a test's drawing")


def shown(frame: pl.DataFrame, *columns: str, by: str | list[str] | None = None) -> list[tuple[Any, ...]]:
    """Some columns of a frame as sorted rows, for comparing."""
    return frame.sort(by or list(columns), nulls_last=True).select(columns).rows()
