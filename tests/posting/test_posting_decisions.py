"""What a person does with waiting documents: look, explain, edit, decide; always on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from posting_desk import DeskHouse, desk_house, invoice, put, states, table
from typer.testing import CliRunner

from flows.cli import app
from flows.commands import posting as cli_posting
from flows.post import post
from flows.posting.waiting import Order, act, found
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import RefusedByIntacct, Unknown
from tieout.errors import InputError
from tieout.warehouse import outbox

pytestmark = pytest.mark.usefixtures("kept_attached")

WHO = {"author": "Ada", "reason": "told by finance"}


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return desk_house(tmp_path)


def bring(house: DeskHouse, state: str) -> None:
    """D1 from planned to a state, by the ordinary way."""
    refusal = RefusedByIntacct(ErrorKind.DATA, "BL01001973", "Intacct: no account 4000.")
    if state == "held":
        act(house, Order("hold", ["D1"], **WHO))
    elif state == "cancelled":
        act(house, Order("cancel", ["D1"], **WHO))
    elif state in ("refused", "dead"):
        house.company.answers = {"NO-D1": refusal}
        for run in range(3 if state == "dead" else 1):
            post(house, run_id=f"b{run}")
    elif state == "accepted":
        post(house, run_id="b")
    elif state == "unknown":
        house.company.answers = {"NO-D1": Unknown("the line was cut")}
        house.company.find = lambda *_a, **_o: (_ for _ in ()).throw(InputError("not now"))  # type: ignore[method-assign]
        with pytest.raises(InputError):
            post(house, run_id="b")
    elif state == "sending":
        with house.warehouse.write(run_id="b") as session:
            outbox.claim(
                session, kind="invoice", entity="US", limit=9, lease_seconds=60, namespace="t", now=house.clock(), run_id="b"
            )  # fmt: skip
    assert states(house) == {"D1": state}


@pytest.mark.parametrize(
    ("state", "why", "todo"),
    [
        ("planned", "Nothing keeps it back", "tieout run post"),
        ("held", "told by finance", "tieout outbox release D1"),
        ("sending", "A run took it", "Nothing"),
        ("unknown", "not certain what came of it: the line was cut", "look it up"),
        ("refused", "refused it (1 of 3): Intacct: no account 4000", "tieout outbox edit D1"),
        ("dead", "refused it 3 times", "tieout outbox replay D1"),
        ("accepted", "Intacct has it under 100", "Nothing"),
        ("cancelled", "given up: told by finance", "Nothing"),
    ],
)
def test_every_state_is_explained(house: DeskHouse, state: str, why: str, todo: str) -> None:
    put(house, invoice("D1"))
    bring(house, state)
    told = act(house, Order("explain", ["D1"]))
    assert why in told[1]
    assert told[2].strip().startswith("next")
    assert todo in told[3]


def test_a_document_that_waits_for_another_says_for_which(house: DeskHouse) -> None:
    customer = invoice("C1", kind_code="customer", entity_code="", number="BOB", customer_id="BOB", currency="", total_minor=0,
                       document_on=None, due_on=None, details='{"name": "Bob"}')  # fmt: skip
    put(house, customer, invoice("D1", customer_id="BOB"))
    act(house, Order("hold", ["C1"], **WHO))
    explained = found(house, Order("explain", ["D1"]))[0]["explanation"]
    assert "depends on document C1, which is held (told by finance)" in explained["why"]


def test_the_list_is_json_for_machines_and_show_tells_lines_orders_and_moves(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house, invoice("D1"), invoice("D2"))
    monkeypatch.setattr(cli_posting, "_house", lambda _config, _as_of: house)
    run = CliRunner().invoke
    listed = json.loads(run(app, ["outbox", "list", "--json"]).output)
    assert [one["document_id"] for one in listed] == ["D1", "D2"]
    shown = json.loads(run(app, ["outbox", "show", "D1", "--json"]).output)[0]
    assert shown["lines"][0]["account_code"] == "4000"
    assert shown["orders"][0]["amount_minor"] == 1000
    assert shown["moves"][0]["to_state"] == "planned"
    assert "Nothing keeps it back" in run(app, ["outbox", "show", "NO-D1"]).output
    assert isinstance(run(app, ["outbox", "list", "D9"]).exception, InputError)
    assert isinstance(run(app, ["outbox", "shred", "D1"]).exception, InputError)


# --- edits ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["planned", "held", "refused", "dead"])
def test_a_field_is_edited_while_intacct_cannot_have_the_document(house: DeskHouse, state: str) -> None:
    put(house, invoice("D1"))
    bring(house, state)
    before = table(house, "out.documents")[0]["content_sha256"]
    act(house, Order("edit", ["D1"], changes=["account_code=4010", "memo=Mugs"], line=1, **WHO))
    line = table(house, "out.document_lines")[0]
    assert (line["account_code"], line["memo"], line["amount_minor"]) == ("4010", "Mugs", 1000)
    after = table(house, "out.documents")[0]["content_sha256"]
    assert after != before
    assert table(house, "ops.outbox")[0]["content_sha256"] == after
    last = max(table(house, "ops.outbox_moves"), key=lambda one: one["move_no"])
    assert last["actor"] == "Ada"
    assert "content replaced" in last["reason"]
    kept = [(one["field"], one["line_no"], one["before"], one["after"], one["reason"]) for one in table(house, "ops.edits")]  # fmt: skip
    assert kept == [
        ("account_code", 1, "4000", "4010", "told by finance"),
        ("memo", 1, None, "Mugs", "told by finance"),
    ]
    assert states(house)["D1"] == ("planned" if state == "refused" else state)
    assert any("4010" in text for text in act(house, Order("show", ["D1"])))


@pytest.mark.parametrize("state", ["sending", "unknown", "accepted", "cancelled"])
def test_what_intacct_has_or_may_have_is_never_edited(house: DeskHouse, state: str) -> None:
    put(house, invoice("D1"))
    bring(house, state)
    before = table(house, "out.documents"), table(house, "ops.outbox_moves")
    with pytest.raises(InputError, match=f"D1 is {state}"):
        act(house, Order("edit", ["D1"], changes=["description=x"], **WHO))
    assert (table(house, "out.documents"), table(house, "ops.outbox_moves"), table(house, "ops.edits")) == (
        *before,
        [],
    )


@pytest.mark.parametrize(
    ("changes", "line", "said"),
    [
        (["total_minor=5"], None, "Amounts are what is owed"),
        (["amount_minor=5"], 1, "Amounts are what is owed"),
        (["document_on=31.12.2026"], None, "is not a date"),
        (["account_code=4010"], 7, "has a line 7"),
        (["description"], None, "--set field=value"),
        ([], None, "--set field=value"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_leaves_nothing(
    house: DeskHouse, changes: list[str], line: int | None, said: str
) -> None:
    put(house, invoice("D1"))
    with pytest.raises(InputError, match=said):
        act(house, Order("edit", ["D1"], changes=changes, line=line, **WHO))
    with pytest.raises(InputError, match="needs --author and --reason"):
        act(house, Order("edit", ["D1"], changes=["description=x"]))
    assert table(house, "ops.edits") == []
