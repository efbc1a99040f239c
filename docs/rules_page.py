"""docs/rules.md: from the checks and from the spec tests."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markdown_parts import grid, page

ROOT = Path(__file__).resolve().parent.parent


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
            grid(
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
    return page("Rules", *parts)


def _reasons() -> str:
    from transforms.owed.recognition import REASONS

    rows = ((f"`{code}`", f"`{outcome}`", sentence) for code, (outcome, sentence) in REASONS.items())
    return grid(("reason", "outcome", "sentence"), rows)


def _unplanned() -> str:
    from transforms.postings.planned import SENTENCES

    return grid(("reason", "sentence"), ((f"`{code}`", sentence) for code, sentence in SENTENCES.items()))


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
    drawn = "\n\n".join(f"{name}\n{drawing(text)}" for name, text in given.items())
    policy = getattr(case, "policy", None)
    said = f"\n\npolicy: {_policy(policy)}" if policy else ""
    result = (
        f"\n\ncomes out\n{drawing(case.expected)}" if isinstance(getattr(case, "expected", None), str) else ""
    )
    if drawn:
        yield f"```text\n{drawn}{said}{result}\n```"


def _policy(policy: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in policy.items())


def drawing(text: str) -> str:
    """A drawn table with its columns aligned."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip()]
    wide = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows)))]
    return "\n".join(
        "  " + " | ".join(cell.ljust(wide[at]) for at, cell in enumerate(row)).rstrip() for row in rows
    )


# --- outcomes ---------------------------------------------------------------------------------------------------
