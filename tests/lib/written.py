"""Everything a house has written, as bytes to search: files as they are, what is packed unpacked, tables as text."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import duckdb
import polars as pl


def everything_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of everything below a folder; members of archives and tables of databases come with a name of their own."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        yield from _unpacked(str(path.relative_to(folder)), path.read_bytes())
        if path.suffix == ".duckdb":
            yield from _tables(path, folder)
        elif path.suffix == ".db":
            yield from _sqlite_tables(path, folder)


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if content[:2] == b"\x1f\x8b":
        yield from _unpacked(f"{name} unpacked", gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for member in packed.namelist():
                yield from _unpacked(f"{name}/{member}", packed.read(member))
    elif content[:4] == b"PAR1":
        rows = pl.read_parquet(io.BytesIO(content))
        yield f"{name} as text", _lines(rows.iter_rows())


def _tables(path: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{path}' AS w (READ_ONLY)")
        tables = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'w' ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            yield f"{path.relative_to(folder)}: {schema}.{table}", _as_text(con, f'w."{schema}"."{table}"')


def _sqlite_tables(path: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Tables of a SQLite file, such as Prefect's own: a long value lies in pages that are not side by side in the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as con:
        for (table,) in con.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall():
            rows = con.execute(f'SELECT * FROM "{table}"').fetchall()
            yield f"{path.relative_to(folder)}: {table}", _lines(rows)


def _as_text(con: duckdb.DuckDBPyConnection, source: str) -> bytes:
    return _lines(con.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {source}").fetchall())


def _lines(rows: Iterable[tuple[object, ...]]) -> bytes:
    return "\n".join("\t".join("" if one is None else str(one) for one in row) for row in rows).encode()


class Hidden:
    """Words in every spelling that JSON, XML and addresses give them, and card numbers whole or in the groups people write them in."""

    def __init__(self, words: Iterable[str], cards: Iterable[str] = ()) -> None:
        spelled = {
            one
            for word in words
            for one in (word, json.dumps(word)[1:-1], escape(word), quote(word, safe=""), quote_plus(word))
        }
        for card in cards:
            groups = (card[:4], card[4:10], card[10:]) if len(card) == 15 else re.findall("....", card)
            spelled |= {mark.join(groups) for mark in ("", " ", "-")}
        self._spelled = sorted(one.encode() for one in spelled)

    def within(self, content: bytes) -> bytes | None:
        """The first of them that stands in a content."""
        return next((one for one in self._spelled if one in content), None)
