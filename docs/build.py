"""Writes the pages that are taken from the code, so that they cannot say anything else.

    docs/tables.md         from the contracts and the headers of the analysts' views
    docs/rules.md          from the checks and from the spec tests
    docs/outcomes.md       from the closed list of outcome codes
    docs/configuration.md  from the settings classes, with the meanings in docs/settings.toml
    docs/exit-codes.md     from the tree of errors
    docs/storefronts.md    from the kinds of storefronts

`make docs` runs it; the tests compare every page with what it would write now.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NOTICE = "<!-- Written by docs/build.py; change its source and run `make docs`. -->"
LAYERS = {
    "core": "Typed and canonical: one meaning per column, whatever the storefront called it.",
    "recon": "What is owed, and what was found when both sides were compared.",
    "out": "What other systems will receive.",
    "ops": "Runs, watermarks, findings, the outbox, exchanges, quota: what operators ask about.",
    "mappings": "The CSV files that finance edits, in `data/mappings/`. They are read from the files and not stored.",
}
SQL_TYPES = {
    "String": "VARCHAR",
    "Int64": "BIGINT",
    "Boolean": "BOOLEAN",
    "Date": "DATE",
    "Datetime": "TIMESTAMP WITH TIME ZONE",
}
EXIT_ADVICE = {
    0: ("Done, and everything ties.", "Nothing."),
    1: (
        "Done; there are differences, or something waits for a person.",
        "Read the report, or `tieout status`; the run itself needs no repair.",
    ),
    2: (
        "A file, mapping, setting or argument is wrong; nothing was started.",
        "Mend what the sentence names and run the same command again.",
    ),
    3: (
        "A total that must be 0.00 is not; nothing was published.",
        "Do not explain it away: it means a defect or damaged data. Keep the state folder and report the sentence.",
    ),
    4: (
        "An outside system did not do what was asked, after all retries.",
        "Look whether it is down; run again, everything that was done is kept.",
    ),
    5: (
        "Credentials or rights were refused; nothing was tried a second time.",
        "Mend the secret or the permission, then `tieout doctor`, then run again.",
    ),
    6: (
        "Another run holds the warehouse.",
        "Wait until it has ended; the sentence names its process and run.",
    ),
    7: (
        "A check shut the gate, or a contract was broken; nothing left the house.",
        "Read the sentences of `tieout status`, mend the cause, and run the stage again.",
    ),
    8: (
        "The warehouse file or its disk is in trouble; nothing was half-written.",
        "Free space or restore the file; see the runbook.",
    ),
    70: (
        "A defect of tieout itself.",
        "The details are in the file the message names; report it with that file.",
    ),
    130: ("Stopped with Ctrl-C.", "Run the same command again; it goes on where it was."),
    143: (
        "Stopped by a scheduler or a shutdown (SIGTERM).",
        "Run the same command again; it goes on where it was.",
    ),
}


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    return {
        "tables.md": tables(),
        "rules.md": rules(),
        "outcomes.md": outcomes(),
        "configuration.md": configuration(),
        "exit-codes.md": exit_codes(),
        "storefronts.md": storefronts(),
    }


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTICE, *(part.strip("\n") for part in parts if part)]) + "\n"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *(line(row) for row in rows)])


# --- storefronts ------------------------------------------------------------------------------------------------
def storefronts() -> str:
    """What each kind of storefront fills, and what it cannot say."""
    from flows.storefronts import KINDS

    tables = sorted({table for kind in KINDS.values() for table in kind.tables})
    filled = _grid(
        ["", *(f"`{name}`" for name in KINDS)],
        [
            [f"`{table}`", *("yes" if table in kind.tables else "–" for kind in KINDS.values())]
            for table in tables
        ],
    )
    parts = [
        "Every kind is held by one suite of tests to the same rows, to the cent, for the same trade. What a platform's interface does not say "
        "is declared with its kind, and the suite proves that it is so.",
        "## Which tables a kind fills",
        filled,
    ]
    for name, kind in KINDS.items():
        if kind.cannot_tell:
            parts += [
                f"## What `{name}` cannot tell",
                _grid(
                    ["table or column", "why"],
                    [[f"`{what}`", why] for what, why in sorted(kind.cannot_tell.items())],
                ),
            ]
    return _page("What each storefront can tell", *parts)


# --- tables -----------------------------------------------------------------------------------------------------
def tables() -> str:
    """The data dictionary."""
    from checks.contracts import ALL, landing
    from flows.views import all_views

    parts = [
        "Schemas are layers: `raw` (as received) → `core` (typed) → `recon` (compared) → `out` (to be sent), with `ops` beside them and "
        "`report`, the views for people. Only `report` is promised to stay; the rest may change with a release. Column suffixes are "
        "explained in [naming.md](naming.md), outcome codes in [outcomes.md](outcomes.md).",
        "## report",
        "Views over the tables below, with amounts in the units people write. See [how-to-analyst.md](how-to-analyst.md).",
    ]
    for view in all_views():
        notes = _grid(
            ("column", "meaning"),
            ((f"`{name}`", about.strip()) for name, about in view.columns.items()),
        )
        parts += [
            f"### report.{view.name}",
            f"**{view.title}**, for {view.audience}. {view.about}",
            notes if view.columns else "",
        ]
    raw = landing("shop", "orders")
    parts += [
        "## raw",
        "One table per source and subject, all of the same shape, for example `raw.shop__orders`. Append-only.",
        *_table(raw, "raw.<source>__<subject>", "One subject of one source, exactly as received."),
    ]
    for layer, about in LAYERS.items():
        parts += [f"## {layer}", about]
        for name, table in ALL.items():
            if name.partition(".")[0] == layer:
                parts += _table(table, name, table.about)
    unknown = {name.partition(".")[0] for name in ALL} - set(LAYERS)
    if unknown:
        raise SystemExit(
            f"docs/build.py has no words for the layer(s) {', '.join(sorted(unknown))}; add them."
        )
    return _page("Tables", *parts)


def _table(table: Any, name: str, about: str) -> list[str]:
    rows = []
    for column in table.columns:
        words = f" One of {', '.join(f'`{word}`' for word in column.words)}." if column.words else ""
        empty = " May be null." if column.null else ""
        rows.append((f"`{column.name}`", sql_type(column.dtype), f"{column.about}{words}{empty}"))
    key = ", ".join(f"`{one}`" for one in table.key) or "none"
    return [
        f"### {name}",
        f"{about} Key: {key}.",
        *(f"**Hazard:** {hazard}" for hazard in table.hazards),
        _grid(("column", "type", "meaning"), rows),
    ]


def sql_type(dtype: Any) -> str:
    """The DuckDB type a column of a contract is stored in."""
    name = type(dtype).__name__
    return f"DECIMAL({dtype.precision}, {dtype.scale})" if name == "Decimal" else SQL_TYPES[name]


# --- rules ------------------------------------------------------------------------------------------------------
def rules() -> str:
    """The rule book: what is checked, and what each spec test says."""
    import checks.rules  # noqa: F401  # registers every rule
    from checks.findings import RULES

    by_module: dict[str, list[Any]] = {}
    for one in RULES.values():
        by_module.setdefault(one.check.__module__, []).append(one)
    parts = [
        "What tieout decides by itself, in sentences. The first part lists the checks; the second is taken from the spec tests, which "
        "run on every change: a sentence that were not true would stop the build.",
        "## Checks",
        "`stop` shuts the gate: nothing of the batch is sent. `hold` keeps one order back and lets the rest go. `warn` is told and nothing else. "
        "Contracts (types, closed lists, keys of every table) stop the step that breaks them; they are listed in [tables.md](tables.md).",
    ]
    for module, found in sorted(by_module.items()):
        about = (sys.modules[module].__doc__ or "").strip().splitlines()[0]
        parts += [
            f"### {module.rpartition('.')[2].capitalize()}",
            about,
            _grid(
                ("rule", "what should be true", "if not", "reads"),
                (
                    (f"`{r.code}`", r.sentence, r.severity, ", ".join(r.reads))
                    for r in sorted(found, key=lambda r: r.code)
                ),
            ),
        ]
    parts += [
        "## Why something is not owed",
        _reasons(),
        "## Why something that is owed is not planned",
        _unplanned(),
        "## Rule book",
    ]
    for path in sorted((ROOT / "tests" / "spec").glob("test_spec_*.py")):
        parts += _spec(path)
    return _page("Rules", *parts)


def _reasons() -> str:
    from transforms.recognition import REASONS

    rows = ((f"`{code}`", f"`{outcome}`", sentence) for code, (outcome, sentence) in REASONS.items())
    return _grid(("reason", "outcome", "sentence"), rows)


def _unplanned() -> str:
    from transforms.postings import SENTENCES

    return _grid(("reason", "sentence"), ((f"`{code}`", sentence) for code, sentence in SENTENCES.items()))


def _spec(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title = path.stem.removeprefix("test_spec_").replace("_", " ").capitalize()
    yield f"### {title}"
    yield (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("\n", " ")
    sentences = [
        f"- {_sentence(node.name)}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not _runs_cases(node)
    ]
    if sentences:
        yield "\n".join(sentences)
    for case in _cases(path, tree):
        yield from _case(case)


_PROPER = {
    "intacct": "Intacct",
    "intaccts": "Intacct's",
    "sku": "SKU",
    "csv": "CSV",
    "sql": "SQL",
    "ar": "AR",
}


def _sentence(name: str) -> str:
    """The sentence a test is called by."""
    words = [_PROPER.get(word, word) for word in name.removeprefix("test_").split("_")]
    return words[0][:1].upper() + words[0][1:] + " " * (len(words) > 1) + " ".join(words[1:]) + "."


def _runs_cases(node: ast.FunctionDef) -> bool:
    return any("CASES" in ast.unparse(decorator) for decorator in node.decorator_list)


def _cases(path: Path, tree: ast.Module) -> list[Any]:
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and "CASES" in target.id
    ]
    if not names:
        return []
    module = _loaded(path)
    return [case for name in names for case in getattr(module, name) if hasattr(case, "sentence")]


def _loaded(path: Path) -> types.ModuleType:
    """A spec test as a module; its drawings need the library of the tests beside it."""
    library = str(ROOT / "tests" / "lib")
    if library not in sys.path:
        sys.path.insert(0, library)
    name = f"rule_book_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _case(case: Any) -> Iterator[str]:
    code = getattr(case, "code", "")
    yield f"#### {case.title}" + (f" – `{code}`" if code else "")
    yield case.sentence
    given: Mapping[str, str] = getattr(case, "tables", {})
    drawn = "\n\n".join(f"{name}\n{_drawing(text)}" for name, text in given.items())
    policy = getattr(case, "policy", None)
    said = f"\n\npolicy: {_policy(policy)}" if policy else ""
    result = (
        f"\n\ncomes out\n{_drawing(case.expected)}"
        if isinstance(getattr(case, "expected", None), str)
        else ""
    )
    if drawn:
        yield f"```text\n{drawn}{said}{result}\n```"


def _policy(policy: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in policy.items())


def _drawing(text: str) -> str:
    """A drawn table with its columns aligned."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip()]
    wide = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows)))]
    return "\n".join(
        "  " + " | ".join(cell.ljust(wide[at]) for at, cell in enumerate(row)).rstrip() for row in rows
    )


# --- outcomes ---------------------------------------------------------------------------------------------------
def outcomes() -> str:
    """The closed list of outcome codes, in the order of precedence."""
    from tieout.vocabulary import FAMILIES, OUTCOMES, PRECEDENCE

    place = {code: number for number, code in enumerate(PRECEDENCE, start=1)}
    parts = [
        "Every order and every payment ends in exactly one primary outcome of this list; what else applies is listed beside it. "
        "If several apply, the one with the smallest precedence number is the primary one. There is no outcome for “other”: what no code explains is an error.",
    ]
    for family in FAMILIES:
        rows = sorted(
            (place[code], code, about, todo)
            for code, (kind, about, todo) in OUTCOMES.items()
            if kind == family
        )
        parts += [
            f"## {family}",
            _grid(
                ("code", "precedence", "what it means", "what to do"),
                ((f"`{code}`", str(at), about, todo) for at, code, about, todo in rows),
            ),
        ]
    return _page("Outcomes of a reconciliation", *parts)


# --- configuration ----------------------------------------------------------------------------------------------
def configuration() -> str:
    """Every setting with its type, default and meaning. A setting without a meaning, or a meaning without a setting, is an error."""
    from tieout import settings

    meanings = tomllib.loads((DOCS / "settings.toml").read_text(encoding="utf-8"))
    parts = [
        "All configuration is one file, `tieout.toml`, validated whole before anything is started; all its problems are listed at once. "
        "Paths are relative to the folder the file stands in. `tieout init` lays out a file to start from, `tieout doctor` looks at it.",
        "A secret is never written into the file. The setting names where it is found: `env:NAME` for an environment variable, `prefect:BLOCK` "
        "for a Prefect Secret block. A value that is neither is refused.",
        "The file itself is `tieout.toml` in the current folder, or what `--config` or the environment variable `TIEOUT_CONFIG` names.",
    ]
    seen: set[str] = set()
    for heading, section in _sections(settings.Settings):
        about = (section.__doc__ or "").strip().partition("\n\n")
        # What several kinds have in common may be told once, at the class they share; a kind's own words come before.
        family = [one.__name__ for one in reversed(section.__mro__)]
        told = {name: words for one in family for name, words in meanings.get(one, {}).items()}
        names = [name for name, info in section.model_fields.items() if _models(info.annotation) is None]
        missing, strange = set(names) - set(told), set(told) - set(names)
        if missing or strange:
            raise SystemExit(
                f"docs/settings.toml [{section.__name__}] lacks {sorted(missing) or 'nothing'} and knows too much of {sorted(strange) or 'nothing'}."
            )
        seen.update(family)
        parts += [
            f"## {heading}",
            " ".join(part.replace("\n", " ").strip() for part in (about[0], about[2]) if part),
        ]
        if names:
            rows = (
                (
                    f"`{name}`",
                    type_words(section.model_fields[name]),
                    default_words(section.model_fields[name]),
                    told[name],
                )
                for name in names
            )
            parts.append(_grid(("setting", "type", "default", "meaning"), rows))
    if set(meanings) - seen:
        raise SystemExit(
            f"docs/settings.toml has sections no setting belongs to: {sorted(set(meanings) - seen)}."
        )
    return _page("Configuration", *parts)


def _sections(whole: Any) -> Iterator[tuple[str, Any]]:
    """The tables of the file, in order, nested ones after their parent; where `kind` chooses among several, each of them."""
    for name, info in whole.model_fields.items():
        found = _models(info.annotation)
        for model in found[1] if found else ():
            many = found[0] if found else ""
            heading = {"tuple": f"[[{name}]]", "mapping": f"[{name}.NAME]", "one": f"[{name}]"}[many]
            kind = get_args(model.model_fields["kind"].annotation)[0] if len(found[1]) > 1 else None  # type: ignore[index]
            yield (f'`{heading}` with `kind = "{kind}"`' if kind else f"`{heading}`"), model
            for inner, inside in model.model_fields.items():
                nested = _models(inside.annotation)
                if nested is not None:
                    yield f"`[{name}.{inner}]`", nested[1][0]


def _models(annotation: Any) -> tuple[str, list[Any]] | None:
    """How a setting holds sections of its own: `one`, a `tuple` or a `mapping` of them, and of which classes; None for a plain value."""
    from pydantic import BaseModel

    if inspect.isclass(annotation) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        return "one", [annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    found = [model for kind in inner if (one := _models(kind)) for model in one[1]]
    many = "tuple" if origin is tuple else "mapping" if origin is Mapping else "one"
    return (many, found) if found else None


_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    str: "text",
    int: "whole number",
    float: "number",
    Decimal: "number",
    Path: "path",
    date: "date",
    time: "time of day, UTC",
}


def type_words(info: Any) -> str:
    """What may be written there."""
    kind = _kind_words(info.annotation)
    # pydantic lists one limit inside another where a setting may also be absent; the innermost speaks.
    limits = [
        *info.metadata,
        *(one for arg in get_args(info.annotation) for one in getattr(arg, "__metadata__", ())),
    ]
    found = {
        name: getattr(limit, name)
        for limit in limits
        for name in ("ge", "gt", "le", "lt")
        if getattr(limit, name, None) is not None
    }
    least = f"from {found['ge']}" if "ge" in found else f"above {found['gt']}" if "gt" in found else ""
    most = f"to {found['le']}" if "le" in found else f"below {found['lt']}" if "lt" in found else ""
    patterns = [limit.pattern for limit in limits if getattr(limit, "pattern", None)]
    shape = f"`{patterns[0]}`" if patterns else ""
    return ", ".join(part for part in (kind, " ".join(filter(None, (least, most))), shape) if part)


def _kind_words(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(f"`{word}`" for word in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind_words(one) for one in inner if one is not type(None))
    if origin is typing.Annotated:
        return _kind_words(inner[0])
    if origin is tuple:
        return f"list of {_kind_words(inner[0])}"
    if origin is Mapping:
        return f"table of {_kind_words(inner[0])} = {_kind_words(inner[1])}"
    return _WORDS[kind]


def default_words(info: Any) -> str:
    """The default as it would be written in the file."""
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
    return "`{}`" if isinstance(value, Mapping) else f"`{value}`"


# --- exit codes -------------------------------------------------------------------------------------------------
def exit_codes() -> str:
    """Exit codes with what to do, and the tree of errors."""
    from tieout import errors

    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    unknown = (codes - set(EXIT_ADVICE)) | (set(EXIT_ADVICE) - codes)
    if unknown:
        raise SystemExit(f"docs/build.py and tieout/errors.py disagree about exit codes {sorted(unknown)}.")
    kinds: dict[int, list[str]] = {}
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.TieoutError):
            kinds.setdefault(kind.exit_code, []).append(name)
    rows = (
        (str(code), about, ", ".join(f"`{name}`" for name in kinds.get(code, [])) or "–", todo)
        for code, (about, todo) in sorted(EXIT_ADVICE.items())
    )
    tree = inspect.cleandoc(errors.__doc__ or "")
    return _page(
        "Exit codes",
        "Every command ends with one of these, so that a scheduler can tell failures apart without reading logs. An error prints one sentence "
        "that says what, where, and what to do next.",
        _grid(("code", "meaning", "errors", "what to do"), rows),
        "## The tree of errors",
        f"```text\n{tree}\n```",
    )


def main() -> None:
    """Write every page that differs, and say which."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
