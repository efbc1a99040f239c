"""Pages that are taken from the code say what the code says now; hand-written ones name only commands, options, files and words that exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from flows.cli import app
from tieout import errors, settings
from tieout.vocabulary import OUTBOX_STATES, SEVERITIES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
COMMAND: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = COMMAND.commands


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD = builder()


def part(name: str) -> ModuleType:
    """A file beside the builder, which it has made importable."""
    return importlib.import_module(name)


SETTINGS = part("settings_page")


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# --- pages taken from the code ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["tables.md", "rules.md", "outcomes.md", "configuration.md", "exit-codes.md", "storefronts.md"]
)
def test_a_generated_page_is_what_would_be_written_now(name: str) -> None:
    wanted = getattr(BUILD, name.removesuffix(".md").replace("-", "_"))()
    assert text_of(name) == wanted, f"docs/{name} is out of date; run `make docs`"


def test_nothing_generated_is_left_out_of_the_comparison() -> None:
    stamped = {
        path.name
        for path in DOCS.glob("*.md")
        if part("markdown_parts").NOTICE in path.read_text(encoding="utf-8")
    }
    assert stamped == {
        "tables.md",
        "rules.md",
        "outcomes.md",
        "configuration.md",
        "exit-codes.md",
        "storefronts.md",
    }


def test_exit_codes_are_those_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| ", text_of("exit-codes.md"), re.MULTILINE)
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {int(row) for row in rows} == codes


def sections(model: Any) -> list[Any]:
    found = [model]
    for info in model.model_fields.values():
        inner = SETTINGS.models_in(info.annotation)
        found += [one for kind in (inner[1] if inner else ()) for one in sections(kind)]
    return found


def test_every_setting_is_listed_with_its_default() -> None:
    page = text_of("configuration.md")
    for section in sections(settings.Settings)[1:]:
        for name, info in section.model_fields.items():
            if SETTINGS.models_in(info.annotation) is None:
                default = SETTINGS.default_words(info).replace("|", "\\|")
                assert re.search(rf"^\| `{name}` \| .* \| {re.escape(default)} \| ", page, re.MULTILINE), (
                    f"{section.__name__}.{name}"
                )


def test_a_setting_is_used_or_said_not_to_be() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "flows").rglob("*.py"))
    code += "\n".join(
        (ROOT / "tieout/settings/__init__.py")
        .read_text(encoding="utf-8")
        .partition("class Settings")[2]
        .splitlines()
    )
    told = tomllib.loads(text_of("settings.toml"))
    for section, names in told.items():
        for name, meaning in names.items():
            idle = meaning.startswith("Not used by this version")
            used = re.search(rf"\.{name}\b(?! *=[^=])", code) is not None
            # A word that names something else as well (attempts_no is a column too) cannot be told from the text alone.
            assert used or idle, (
                f"[{section}] {name} is never read; say so in docs/settings.toml or take it out"
            )


def test_a_drawing_is_printed_aligned() -> None:
    assert part("rules_page").drawing("a | bb\nccc | d") == "  a   | bb\n  ccc | d"


# --- commands ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_help_for_itself_and_its_options_and_is_documented(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    silent = [one.name for one in command.params if not getattr(one, "help", None) and one.name != "help"]
    assert silent == []
    prose = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    assert re.search(rf"\btieout {name}\b", prose)


def quoted_commands() -> list[tuple[str, str]]:
    """Every `tieout …` line of a code block or inline quotation, by page."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [
            line
            for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
            for line in block.replace("\\\n", " ").splitlines()
        ]
        lines += re.findall(r"`(tieout [^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for line in lines:
            bare = re.sub(r"^(\$ |\.venv/bin/)+", "", line.strip())
            if re.match(r"tieout [a-z]", bare) and not re.match(
                r"tieout (sandbox|demo|run|close|status|doctor|trace|init|reconcile|version)\S", bare
            ):
                found.append((page.name, re.split(r"\s+[|>#;&]|  +#|\s{2,}", bare)[0]))
    return found


@pytest.mark.parametrize(
    ("page", "line"), quoted_commands(), ids=lambda value: value if value.startswith("tieout") else ""
)
def test_a_quoted_command_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line.replace("…", ""))
    assert words[1] in COMMANDS, f"{page}: {line}"
    if words[1] == "sandbox":
        from tieout.sandbox.__main__ import _parser

        options = {option for action in _parser()._actions for option in action.option_strings}
    else:
        options = {option for param in COMMANDS[words[1]].params for option in getattr(param, "opts", [])} | {
            "--help"
        }
    for word in words[2:]:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            assert word.partition("=")[0] in options, f"{page}: {line} has no {word}"
    if words[1] == "run" and len(words) > 2 and not words[2].startswith(("-", "STAGE")):
        stages = re.findall(r"\w+", next(p.help for p in COMMANDS["run"].params if p.name == "stage"))
        assert words[2] in stages, f"{page}: {line}"


def test_make_targets_that_are_quoted_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")):
            assert target in targets, f"{page.name}: make {target}"


# --- links and words --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_files_that_pages_name_exist() -> None:
    named = re.compile(
        r"`((?:flows|transforms|checks|tieout|tests|data|docs|requirements)/[\w./-]+\.(?:py|sql|csv|md|toml|txt|in|lock))`"
    )
    missing = [
        f"{page.name}: {name}"
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for name in named.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and "acme" not in name
    ]
    assert missing == []


def test_the_runbook_knows_every_state_and_severity() -> None:
    page = text_of("runbook.md")
    for word in (*OUTBOX_STATES, *SEVERITIES):
        assert re.search(rf"`{word}`", page), word
    for code in {value for name, value in vars(errors).items() if name.startswith("EXIT_")}:
        assert re.search(rf"\b{code}\b", page), code


def test_the_analysts_page_names_every_view() -> None:
    from flows.views import all_views

    page = text_of("how-to-analyst.md")
    assert [view.name for view in all_views() if f"`report.{view.name}`" not in page] == []


def test_decisions_are_numbered_without_gaps_and_have_the_four_parts() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in records if re.match(r"\d{4}-[a-z0-9-]+\.md$", path.name)]
    assert numbers == list(range(1, len(records) + 1))
    for path in records:
        parts = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert parts == ["Context", "Decision", "Why", "Consequences"], path.name


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What analysts open: the published copy of a warehouse, empty but whole."""
    from checks.contracts import ALL
    from flows.views import publish_views
    from tieout.warehouse.store import Warehouse

    found = Warehouse(tmp_path_factory.mktemp("state"))
    found.ensure({name: table.empty() for name, table in ALL.items() if not name.startswith("mappings.")})
    with found.write(run_id="views") as session:
        publish_views(session)
    return found.publish_snapshot()


SQL_BLOCKS = [(page.name, text) for page in PAGES for text in blocks(page, "sql")]


@pytest.mark.parametrize(
    ("page", "text"), SQL_BLOCKS, ids=lambda value: value if value.endswith(".md") else ""
)
def test_sql_that_pages_show_runs_on_the_snapshot(page: str, text: str, snapshot: Path) -> None:
    import duckdb

    assert page
    with duckdb.connect(str(snapshot), read_only=True) as con:
        assert con.sql(text.strip().rstrip(";")).fetchall() == []


def test_python_that_pages_show_uses_what_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Path
) -> None:
    """Whole programs are run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tieout.toml").write_text('[installation]\nstate = "state"\n', encoding="utf-8")
    (tmp_path / "state").mkdir()
    shutil.copyfile(snapshot, tmp_path / "state" / "snapshot.duckdb")
    programs = {
        page.name: text
        for page in PAGES
        for text in blocks(page, "python")
        if text.startswith(("import", "from"))
    }
    assert set(programs) == {"how-to-analyst.md"}
    exec(programs["how-to-analyst.md"], {})


def test_configuration_that_pages_show_is_valid() -> None:
    """A TOML block in a page is a part of tieout.toml, unless it says that it is a column map."""
    for page in PAGES:
        for block in blocks(page, "toml"):
            if "column map" in block.partition("\n")[0]:
                continue
            settings.parse(tomllib.loads(block), folder=ROOT, name=page.name)
