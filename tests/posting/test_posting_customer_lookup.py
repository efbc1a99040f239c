"""A customer under our id in Intacct is ours only if it has the name we sent; another name is a conflict that a person decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from posting_desk import DeskHouse, desk_house, invoice, put, states, table

from flows.post import post
from flows.posting.waiting import Order, act
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import RefusedByIntacct, Unknown

pytestmark = pytest.mark.usefixtures("kept_attached")

WHO = {"author": "Ada", "reason": "told by finance"}
UNKNOWN = Unknown("the line was cut")
DUPLICATE = RefusedByIntacct(ErrorKind.DUPLICATE, "BL34000061", "Intacct: BOB exists already.")
LONG = "Société " + "x" * 91 + " Lyon"


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return desk_house(tmp_path)


def customer(name: str | None, identity: str = "BOB", document: str = "C1") -> dict[str, Any]:
    return invoice(document, kind_code="customer", entity_code="", number=identity, customer_id=identity, currency="", total_minor=0,
                   document_on=None, due_on=None, details=json.dumps({"name": name}))  # fmt: skip


def known(house: DeskHouse, *rows: dict[str, str]) -> None:
    """What a look into Intacct shows under the id asked for; of other objects nothing."""

    def find(name: str, _key: str, values: Any, **_options: Any) -> dict[str, list[dict[str, str]]]:
        return {one: list(rows) if name == "CUSTOMER" else [] for one in values}

    house.company.find = find  # type: ignore[method-assign]


def there(name: str | None, identity: str = "BOB") -> dict[str, str]:
    row = {"RECORDNO": "7", "CUSTOMERID": identity}
    return row if name is None else {**row, "NAME": name}


FOUND = [
    ("Bob Smith", [there("Bob Smith")], "accepted"),
    ("Bob Smith", [there("  BOB   smith ")], "accepted"),
    ("Zoe\u0308 Groß", [there("ZO\u00cb GROSS")], "accepted"),
    (LONG, [there(LONG[:100])], "accepted"),
    (LONG[:99] + " Lyon", [there(LONG[:99])], "accepted"),
    (None, [there("BOB")], "accepted"),
    ("Bob Smith", [there("Ann Smith")], "held"),
    ("Bob Smith", [there("Bob Smith Ltd")], "held"),
    ("Bob Smith", [there("")], "held"),
    ("Bob Smith", [there(None)], "held"),
    (LONG, [there(LONG[:90])], "held"),
    (None, [there("Bob Smith")], "held"),
    ("Bob Smith", [there("Bob Smith", "bob")], "accepted"),
    ("Bob Smith", [there("Ann Smith", "bob"), there("Bob Smith")], "accepted"),
    ("Bob Smith", [there("Bob Smith", "bob"), there("Ann Smith")], "held"),
]
"""Our name of BOB, what stands in Intacct under the id or the like of it, and what becomes of the document."""


def meant_for(identity: str, row: dict[str, str]) -> dict[str, str]:
    """What stands under BOB, or the like of it, as it stands under another id; a name that is the id follows it."""
    said = {**row, "CUSTOMERID": identity if row["CUSTOMERID"] == "BOB" else identity.lower()}
    return {**said, "NAME": identity} if row.get("NAME") == "BOB" else said


@pytest.mark.parametrize("answer", [UNKNOWN, DUPLICATE], ids=["unknown", "duplicate"])
def test_a_customer_found_by_its_id_is_ours_if_it_has_our_name(house: DeskHouse, answer: Any) -> None:
    """All of them in one batch, so that none is taken for another."""
    ids = [f"BOB{at}" for at in range(len(FOUND))]
    put(house, *(customer(planned, of, f"C-{of}") for of, (planned, _, _) in zip(ids, FOUND, strict=True)))
    house.company.answers = dict.fromkeys(ids, answer)
    stand = {of: [meant_for(of, row) for row in rows] for of, (_, rows, _) in zip(ids, FOUND, strict=True)}

    def find(name: str, _key: str, values: Any, **_options: Any) -> dict[str, list[dict[str, str]]]:
        return {one: stand[one] if name == "CUSTOMER" else [] for one in values}

    house.company.find = find  # type: ignore[method-assign]
    post(house, run_id="b")
    assert states(house) == {f"C-{of}": state for of, (_, _, state) in zip(ids, FOUND, strict=True)}
    keys = {row["document_id"]: row["intacct_key"] for row in table(house, "ops.outbox")}
    for of, (_, _, state) in zip(ids, FOUND, strict=True):
        if state == "accepted":
            taken = next((row for row in stand[of] if row["CUSTOMERID"] == of), stand[of][0])
            assert keys[f"C-{of}"] == taken["CUSTOMERID"], of


def conflict(house: DeskHouse) -> None:
    """Our BOB was refused as a duplicate of another BOB, and an invoice waits for it."""
    put(house, customer("Bob Smith"), invoice("D1", customer_id="BOB"))
    house.company.answers = {"BOB": DUPLICATE}
    known(house, there("Robert Ltd"))
    post(house, run_id="b1")
    assert states(house) == {"C1": "held", "D1": "planned"}, "nothing is invoiced to a stranger"


def test_the_sentence_names_both_and_what_to_do(house: DeskHouse) -> None:
    conflict(house)
    why = act(house, Order("explain", ["C1"]))[1]
    assert "customer BOB in Intacct is named 'Robert Ltd' and ours 'Bob Smith'" in why
    assert "`tieout outbox cancel C1`" in why
    assert "`tieout outbox release C1`" in why
    post(house, run_id="b2")
    assert states(house) == {"C1": "held", "D1": "planned"}, "it waits for a person"


def test_the_same_customer_after_all_is_taken_as_it_stands(house: DeskHouse) -> None:
    conflict(house)
    act(house, Order("cancel", ["C1"], **WHO))
    post(house, run_id="b2")
    assert states(house) == {"C1": "cancelled", "D1": "accepted"}


def test_a_customer_corrected_in_intacct_is_found_after_the_release(house: DeskHouse) -> None:
    conflict(house)
    known(house, there("Bob Smith"))
    act(house, Order("release", ["C1"], **WHO))
    post(house, run_id="b2")
    assert states(house) == {"C1": "accepted", "D1": "accepted"}
