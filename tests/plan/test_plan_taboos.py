"""What imports cannot show, read from the syntax tree: pure rooms without hands, money without floats, SQL in its own files, file names."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("flows", "transforms", "checks", "tieout")
LONGEST = 500

Finder = Callable[[ast.AST], Iterator[str]]


def modules(*patterns: str) -> list[Path]:
    found = [
        path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if "__pycache__" not in path.parts
    ]
    assert found, f"nothing matches {patterns}"
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def everything() -> list[Path]:
    return modules(*(f"{room}/**/*.py" for room in ROOMS))


def offences(paths: list[Path], finder: Finder) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {said}" for path in paths for said in finder(tree_of(path))]


# --- the pure rooms ---------------------------------------------------------------------------------------------
_HANDS = re.compile(r"(read|scan|write|sink)_\w+")
_CLOCKS = {"now", "utcnow", "today"}
_IMPORTS = {
    "random",
    "uuid",
    "os",
    "time",
    "pathlib",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "shutil",
    "io",
}


def hands(tree: ast.AST) -> Iterator[str]:
    """Files, clocks, chance and environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func
            if isinstance(name, ast.Name) and name.id in ("open", "Path", "input", "exec", "eval"):
                yield f"line {node.lineno}: {name.id}()"
            if isinstance(name, ast.Attribute) and (_HANDS.fullmatch(name.attr) or name.attr in _CLOCKS):
                yield f"line {node.lineno}: {ast.unparse(name)}()"
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for one in names:
            if one.partition(".")[0] in _IMPORTS:
                yield f"line {getattr(node, 'lineno', 0)}: import {one}"


def test_pure_rooms_touch_no_file_clock_chance_or_environment() -> None:
    pure = modules("transforms/**/*.py", "checks/contracts/*.py", "checks/rules/*.py", "checks/findings.py")
    assert offences(pure, hands) == []


@pytest.mark.parametrize(
    "line",
    [
        "pl.read_csv('x')", "pl.scan_parquet('x')", "frame.write_parquet('x')", "lazy.sink_csv('x')", "open('x')", "Path('x')",
        "datetime.now()", "datetime.now(UTC)", "datetime.utcnow()", "date.today()", "import random", "from uuid import uuid4",
        "import os", "from time import time", "x = os.environ['A']", "from pathlib import Path",
    ],
)  # fmt: skip
def test_each_hand_is_seen(line: str) -> None:
    assert list(hands(ast.parse(line)))


# --- money ------------------------------------------------------------------------------------------------------
FLOATS_ALLOWED = {
    "tieout/connectors/intacct/session.py": "seconds of a clock, never an amount",
    "tieout/connectors/intacct/transport.py": "seconds of time-outs and waits",
    "flows/prefect_api.py": "seconds between two looks",
    "flows/demos/world.py": "seconds between two looks",
    "flows/demos/verdict.py": "shares of found against planted faults",
}
"""Files of the money rooms that may hold floats, with the reason. Anything else there is an amount on its way to being wrong."""


def floats(tree: ast.AST) -> Iterator[str]:
    """Float literals, float() and float columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"line {node.lineno}: {node.value}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Attribute) and node.attr in ("Float32", "Float64", "FLOAT64", "FLOAT32"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def money_rooms() -> list[Path]:
    return modules(
        "transforms/**/*.py",
        "tieout/money.py",
        "tieout/connectors/intacct/*.py",
        "flows/**/*.py",
        "checks/contracts/*.py",
        "checks/rules/*.py",
    )


def test_no_float_comes_near_money() -> None:
    strict = [path for path in money_rooms() if path.relative_to(ROOT).as_posix() not in FLOATS_ALLOWED]
    assert offences(strict, floats) == []


def test_every_exception_for_floats_is_still_needed() -> None:
    idle = [
        name
        for name in FLOATS_ALLOWED
        if not list(floats(ast.parse((ROOT / name).read_text(encoding="utf-8"))))
    ]
    assert idle == []


@pytest.mark.parametrize("line", ["x = 1.5", "float(amount)", "pl.col('a').cast(pl.Float64)"])
def test_each_float_is_seen(line: str) -> None:
    assert list(floats(ast.parse(line)))


# --- time -------------------------------------------------------------------------------------------------------
def naive_clocks(tree: ast.AST) -> Iterator[str]:
    """Instants without a zone."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, name = ast.unparse(node.func.value), node.func.attr
        if owner.rpartition(".")[2] not in ("datetime", "date"):
            continue
        given = len(node.args) + len(node.keywords)
        if (
            name in ("utcnow", "today", "utcfromtimestamp")
            or (name == "now" and not given)
            or (name == "fromtimestamp" and given < 2)
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_no_instant_is_naive() -> None:
    assert offences(everything(), naive_clocks) == []


@pytest.mark.parametrize(
    "line", ["datetime.now()", "datetime.utcnow()", "date.today()", "datetime.datetime.fromtimestamp(3)"]
)
def test_each_naive_clock_is_seen(line: str) -> None:
    assert list(naive_clocks(ast.parse(line)))


# --- SQL --------------------------------------------------------------------------------------------------------
_SQL = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|COPY|CREATE|ALTER|DROP|ATTACH|DETACH|FROM|SHOW|DESCRIBE|PIVOT|TRUNCATE)\s+\S"
)
SQL_ALLOWED = re.compile(
    # One-line statements that administer the file and take a quoted name; and counts of our own temporary tables.
    r"CREATE SCHEMA IF NOT EXISTS \w*"
    r"|CREATE TABLE |ALTER TABLE |DROP TABLE IF EXISTS \w*|CREATE OR REPLACE VIEW |DESCRIBE |ATTACH |DETACH "
    r"|SELECT count\(\*\) FROM (tieout_\w+|information_schema\.tables)"
)


def sql(tree: ast.AST) -> Iterator[str]:
    """Text that is a statement, docstrings left out."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            statement = _SQL.match(node.value + "x" if node.value.endswith(" ") else node.value)
            if statement and not SQL_ALLOWED.fullmatch(node.value):
                yield f"line {node.lineno}: {node.value[:60]!r}"


def test_sql_lives_in_sql_files() -> None:
    assert offences(everything(), sql) == []


@pytest.mark.parametrize(
    "line",
    [
        "x = 'SELECT a FROM b'",
        "x = 'INSERT INTO a VALUES (1)'",
        "f'DELETE FROM {table}'",
        "'''\n  WITH a AS (SELECT 1)\n'''; x = 'WITH a AS (x) SELECT 1'",
    ],
)
def test_each_statement_is_seen(line: str) -> None:
    assert list(sql(ast.parse(f"'''Prose.'''\n{line}")))


# --- names and sizes --------------------------------------------------------------------------------------------
def test_no_module_is_a_drawer_for_anything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "lib"}
    found = [path for path in everything() if path.stem in drawers or path.parent.name in drawers]
    assert found == []


def test_no_file_of_flows_hides_another_module() -> None:
    """Whoever puts `flows/` on the search path, as a file entrypoint of an orchestrator does, would get ours instead."""
    taken = {*ROOMS, *sys.stdlib_module_names, *packages_distributions()} - {"flows"}
    assert sorted(path.stem for path in modules("flows/*.py") if path.stem in taken) == []


def test_tests_are_not_packages_and_their_names_are_unique() -> None:
    assert sorted(ROOT.glob("tests/**/__init__.py")) == []
    stems = [path.name for path in modules("tests/**/test_*.py")]
    assert sorted({name for name in stems if stems.count(name) > 1}) == []


def test_rooms_are_packages_with_a_word_about_themselves() -> None:
    folders = {path.parent for path in everything()}
    silent = [
        str(folder.relative_to(ROOT))
        for folder in sorted(folders)
        if not (folder / "__init__.py").exists()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_file_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*everything(), *modules("docs/*.py")]
        if (lines := sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines()))
        > LONGEST
    }
    assert long == {}


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(T[O]DO|FIX[M]E|HA[C]K)\b|\bX{3}:")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [
            *everything(),
            *modules("tests/**/*.py", "docs/**/*.md", "transforms/**/*.sql", "tieout/**/*.sql"),
        ]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if words.search(line)
    ]
    assert found == []


def is_plain_record(node: ast.AST) -> bool:
    """A dataclass of fields, whose names say it, and of methods with words of their own."""
    return (
        isinstance(node, ast.ClassDef)
        and bool(node.decorator_list)
        and all(
            isinstance(one, ast.AnnAssign) or (isinstance(one, ast.FunctionDef) and ast.get_docstring(one))
            for one in node.body
        )
    )


def test_public_functions_and_classes_say_what_they_are() -> None:
    silent = []
    for path in everything():
        tree = tree_of(path)
        if not ast.get_docstring(tree):
            silent.append(f"{path.relative_to(ROOT)}: the module")
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node) and not is_plain_record(node):
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert silent == []
