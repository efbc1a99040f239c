"""Puts the analysts' views into the warehouse: one `.sql` file each in `transforms/views/`, executed inside the schema `report`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from tieout.errors import WarehouseError
from tieout.money import known_currencies

if TYPE_CHECKING:
    from tieout.warehouse.session import Session

_HEADER = re.compile(r"^-- (title|audience|about|column): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class View:
    """A view file: its name, header and SELECT."""

    name: str
    title: str
    audience: str
    about: str
    columns: dict[str, str]
    sql: str


def all_views() -> list[View]:
    """Every view file, by name. Raises `WarehouseError` for a file without its header."""
    found = []
    for entry in sorted(resources.files("transforms.views").iterdir(), key=lambda one: one.name):
        if not entry.name.endswith(".sql") or entry.name.startswith("_"):
            continue
        text = entry.read_text(encoding="utf-8")
        header: dict[str, list[str]] = {}
        for word, value in _HEADER.findall(text):
            header.setdefault(word, []).append(value.strip())
        missing = [word for word in ("title", "audience", "about") if word not in header]
        if missing:
            raise WarehouseError(
                f"transforms/views/{entry.name} lacks {', '.join(missing)} in its header; add it."
            )
        columns = dict(line.split(None, 1) for line in header.get("column", []))
        found.append(
            View(
                entry.name.removesuffix(".sql"),
                header["title"][0],
                header["audience"][0],
                " ".join(header["about"]),
                columns,
                text,
            )
        )
    return found


def publish_views(session: Session) -> None:
    """Create or replace every view, and the macro that turns minor units into amounts."""
    digits = known_currencies()

    def listed(wanted: int) -> str:
        return ", ".join(f"'{code}'" for code, count in sorted(digits.items()) if count == wanted) or "''"

    macro = (resources.files("transforms.views") / "_to_amount.sql").read_text(encoding="utf-8")
    for name, wanted in (("zero", 0), ("three", 3), ("four", 4)):
        macro = macro.replace("{{" + name + "}}", listed(wanted))
    session.sql_text("CREATE SCHEMA IF NOT EXISTS report")
    session.sql_text(macro)
    for view in all_views():
        session.view(f"report.{view.name}", view.sql)
