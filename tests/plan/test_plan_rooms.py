"""Storefronts are the same in every room, views bind to the tables that exist, words agree, schedules name flows that exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml

from checks.contracts import ALL
from flows import views
from flows.storefronts import KINDS as SERVED
from flows.views import View, all_views, publish_views
from flows.wiring import INTACCT_SUBJECTS
from tieout.settings.storefronts import CommonStorefront, Storefront
from tieout.vocabulary import (
    COMPONENTS,
    DOCUMENT_KINDS,
    FAMILIES,
    MONEY_MOVES,
    OUTBOX_STATES,
    OUTCOMES,
    PAYMENT_KINDS,
    PRECEDENCE,
    family_of,
)
from tieout.warehouse.moves import LEGAL
from tieout.warehouse.store import Warehouse

ROOT = Path(__file__).resolve().parents[2]
KINDS = sorted(SERVED)
LAYERS = ("core", "recon", "out", "ops")


# --- storefronts ------------------------------------------------------------------------------------------------
def test_the_configuration_and_the_wiring_know_the_same_storefronts() -> None:
    classes = get_args(get_args(Storefront)[0])
    assert all(issubclass(one, CommonStorefront) for one in classes)
    assert sorted(get_args(one.model_fields["kind"].annotation)[0] for one in classes) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_which_core_tables_it_fills(kind: str) -> None:
    assert set(SERVED[kind].tables) <= {name for name in ALL if name.startswith("core.")}
    assert "core.orders" in SERVED[kind].tables


@pytest.mark.parametrize("kind", KINDS)
def test_a_storefront_has_a_connector_a_transform_and_golden_files(kind: str) -> None:
    rooms = ("tieout/connectors/storefronts", "transforms/storefronts", "flows/storefronts")
    for place in (f"{room}/{kind}.py" for room in rooms):
        assert (ROOT / place).is_file(), place
    assert any((ROOT / "tests" / "golden" / kind).rglob("*.*"))


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"files"}))
def test_a_storefront_on_a_network_has_a_stand_in(kind: str) -> None:
    assert (ROOT / "tieout" / "sandbox" / "storefronts" / f"{kind}.py").is_file()


def test_every_storefront_is_in_the_contract_that_keeps_them_apart() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    apart = next(one for one in contracts if one["id"] == "storefronts-independent")
    assert set(apart["modules"]) == {f"tieout.connectors.storefronts.{kind}" for kind in KINDS}


# --- views ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """An empty warehouse with every table of the contracts."""
    found = Warehouse(tmp_path_factory.mktemp("state"))
    found.ensure({name: table.empty() for name, table in ALL.items() if not name.startswith("mappings.")})
    return found


VIEWS = all_views()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_runs_and_its_header_speaks_of_its_columns(
    view: View, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "all_views", lambda: [view])  # alone, so that each failure has its own name
    with warehouse.write(run_id=view.name) as session:
        publish_views(session)
    with warehouse.read() as session:
        frame = session.fetch(f"report.{view.name}")
    assert frame.width
    assert set(view.columns) <= set(frame.columns)
    assert {one.strip() for one in view.audience.split(",")} <= {"finance", "operators", "analysts"}
    amounts = [name for name in frame.columns if name.endswith("_minor")]
    assert amounts == [], "people read amounts, not minor units"


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_reads_only_tables_that_are_under_contract(view: View) -> None:
    text = re.sub(r"--.*", "", view.sql)
    named = set(re.findall(r"(?:FROM|JOIN)\s+([a-z_]+\.[a-z_]+)", text))
    assert named
    assert {name for name in named if name not in ALL and name != "ops.crosswalk"} == set()
    assert {name.partition(".")[0] for name in named} <= set(LAYERS)


def test_views_can_be_published_again(warehouse: Warehouse) -> None:
    for run in ("again", "once more"):
        with warehouse.write(run_id=run) as session:
            publish_views(session)
    with warehouse.read() as session:
        assert session.fetch("report.orders").is_empty()


# --- words ------------------------------------------------------------------------------------------------------
def test_every_outcome_has_one_place_in_the_precedence() -> None:
    assert len(PRECEDENCE) == len(set(PRECEDENCE))
    assert set(PRECEDENCE) == set(OUTCOMES)


def test_families_are_closed_and_none_is_idle() -> None:
    assert {family_of(code) for code in OUTCOMES} == set(FAMILIES)
    with pytest.raises(KeyError):
        family_of("other")


def test_every_outcome_says_what_it_means_and_what_to_do() -> None:
    for code, (_, meaning, todo) in OUTCOMES.items():
        assert meaning.endswith("."), code
        assert todo.endswith("."), code


def test_an_error_is_never_hidden_behind_something_harmless() -> None:
    place = {code: number for number, code in enumerate(PRECEDENCE)}
    worst = {family: [place[code] for code in OUTCOMES if family_of(code) == family] for family in FAMILIES}
    for calm in ("explained", "timing", "outside", "matched"):
        assert max(worst["error"]) < min(worst[calm]), calm
    assert PRECEDENCE[-1] == "matched"


def test_the_outbox_knows_every_state_and_two_are_final() -> None:
    assert set(LEGAL) == set(OUTBOX_STATES)
    assert {to for targets in LEGAL.values() for to in targets} <= set(OUTBOX_STATES)
    assert {state for state, targets in LEGAL.items() if not targets} == {"accepted", "cancelled"}
    assert "planned" not in LEGAL["sending"], "what was sent is looked for before it is planned again"


def test_posting_knows_how_to_send_and_how_to_find_every_kind_of_document() -> None:
    from flows.posting.building import CLASSES
    from flows.posting.reading_back import NATURAL_KEYS

    assert set(CLASSES) == set(NATURAL_KEYS) == set(DOCUMENT_KINDS)


def test_money_moves_are_payment_kinds_and_components_are_columns() -> None:
    assert set(MONEY_MOVES) <= set(PAYMENT_KINDS)
    owed = ALL["recon.owed"].polars_schema
    assert [name for name in COMPONENTS if f"{name}_minor" not in owed] == []


CURRENCY_ELSEWHERE = {
    "out.document_lines": "the currency of its document, joined by document_id",
    "ops.moved_records": "before_currency and after_currency: the currency itself may have moved",
}


# --- contracts --------------------------------------------------------------------------------------------------
def test_columns_mean_what_their_names_say() -> None:
    """The suffixes of docs/naming.md, held against every column of every contract."""
    import polars as pl

    wrong = []
    for name, table in ALL.items():
        columns = table.polars_schema
        for column, dtype in columns.items():
            kinds = {
                "_at": pl.Datetime("us", "UTC"), "_on": pl.Date(), "_minor": pl.Int64(), "_no": pl.Int64(), "_count": pl.Int64(),
                "_ref": pl.String(), "_id": pl.String(), "_code": pl.String(),
            }  # fmt: skip
            wanted = next((kind for suffix, kind in kinds.items() if column.endswith(suffix)), None)
            wanted = pl.Boolean() if column.startswith(("is_", "has_")) else wanted
            # Mappings are read as text; their values are looked at by checks of their own.
            if wanted is not None and dtype != wanted and not name.startswith("mappings."):
                wrong.append(f"{name}.{column} is {dtype}")
            if isinstance(dtype, pl.Float32 | pl.Float64):
                wrong.append(f"{name}.{column} is a float")
        if (
            any(column.endswith("_minor") for column in columns)
            and "currency" not in columns
            and name not in CURRENCY_ELSEWHERE
        ):
            wrong.append(f"{name} has amounts and no currency")
    assert wrong == []


def test_every_key_is_of_columns_that_exist_and_may_not_be_null() -> None:
    wrong = []
    for name, table in ALL.items():
        columns = {column.name: column for column in table.columns}
        wrong += [f"{name}.{key}" for key in table.key if key not in columns or columns[key].null]
    assert wrong == []


def test_every_table_and_column_has_a_sentence() -> None:
    silent = [
        f"{name}.{column.name}"
        for name, table in ALL.items()
        for column in table.columns
        if not column.about.strip().endswith((".", "…", "?"))
    ]
    silent += [name for name, table in ALL.items() if not table.about.strip().endswith(".")]
    assert silent == []


def test_extract_and_stage_know_the_same_subjects_of_intacct() -> None:
    from flows.sources.intacct import FIELDS

    assert set(FIELDS) == set(INTACCT_SUBJECTS)
    for subject, fields in FIELDS.items():
        assert "RECORDNO" in fields, subject
        assert len(fields) == len(set(fields)), subject


def test_every_rule_is_given_the_tables_it_reads() -> None:
    """A rule whose tables nobody gives would never run, and nobody would know."""
    import checks.rules  # noqa: F401  (registers the rules)
    from checks.findings import RULES
    from flows import check

    staged = {
        *check._TABLES,
        *check.WORKED_OUT,
        "ops.controls",
        *(name for name in ALL if name.startswith("mappings.")),
    }
    later = set(check.PLAN_TABLES.values())
    idle = {}
    for code, rule in RULES.items():
        given = later if rule.check.__module__ in ("checks.rules.postings", "checks.rules.stock") else staged
        if missing := set(rule.reads) - given:
            idle[code] = sorted(missing)
    assert idle == {}


# --- schedules --------------------------------------------------------------------------------------------------
def deployments() -> list[dict[str, object]]:
    return yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


@pytest.mark.parametrize("one", deployments(), ids=lambda one: str(one["name"]))
def test_a_deployment_names_a_flow_by_its_module_with_arguments_it_takes(one: dict[str, object]) -> None:
    module, _, name = str(one["entrypoint"]).replace(":", ".").rpartition(".")
    assert ".py" not in str(one["entrypoint"]), "a file entrypoint would put flows/ on the search path"
    path = ROOT / (module.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    flow = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    assert any("flow(" in ast.unparse(decorator) for decorator in flow.decorator_list)
    takes = {argument.arg for argument in flow.args.args}
    assert set(one["parameters"]) <= takes  # type: ignore[call-overload]
    for schedule in one["schedules"]:  # type: ignore[attr-defined]
        assert len(schedule["cron"].split()) == 5
        assert schedule["timezone"] == "UTC"
    assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


# --- imports ----------------------------------------------------------------------------------------------------
HEAVY = (
    "polars",
    "pandas",
    "duckdb",
    "pandera",
    "prefect",
    "great_expectations",
    "pyarrow",
    "lxml",
    "altair",
    "xlsxwriter",
)


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["run", "--help"]], ids=" ".join)
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom flows.cli import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.rstrip().splitlines()[-1] == "LOADED"


def test_the_plain_pipeline_loads_neither_prefect_nor_great_expectations() -> None:
    program = "import sys, flows.nightly\nprint(*[name for name in ('prefect', 'great_expectations', 'pandas') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
