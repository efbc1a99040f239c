"""SQL texts by name, with identifiers filled in; values always travel as parameters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from tieout.errors import WarehouseError

_FOLDER: Final = Path(__file__).parent / "sql"


@cache
def _text(name: str) -> str:
    try:
        return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(path.stem for path in _FOLDER.glob("*.sql")))
        raise WarehouseError(f"There is no stored query '{name}'; the stored queries are {known}.") from None


def statement(name: str, **identifiers: str) -> str:
    """The text of `sql/<name>.sql` with each `{{marker}}` replaced by an already quoted piece of SQL.

    Raises `WarehouseError` if there is no such query.
    """
    text = _text(name)
    for marker, piece in identifiers.items():
        text = text.replace("{{" + marker + "}}", piece)
    return text


def quoted(name: str) -> str:
    """A column name as an SQL identifier; several contracts use words such as `at` that SQL reserves."""
    if not name or "\x00" in name:
        raise WarehouseError(f"{name!r} cannot be the name of a column or table; rename it.")
    return '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """`layer.subject` as an SQL identifier. Raises `WarehouseError` for a name without its layer."""
    layer, dot, subject = name.partition(".")
    if not dot or not layer or not subject:
        raise WarehouseError(
            f"'{name}' is not the name of a table: write layer.subject, such as core.orders."
        )
    return f"{quoted(layer)}.{quoted(subject)}"


def listed(names: Iterable[str], prefix: str = "") -> str:
    """Quoted column names joined by commas, each with an optional table prefix such as `new.`."""
    return ", ".join(prefix + quoted(name) for name in names)


def literal(text: str) -> str:
    """A text as an SQL literal, for the few places (file lists) where a parameter is not accepted."""
    return "'" + text.replace("'", "''") + "'"
