"""A customer under our id in Intacct is ours only if it has the name we sent; another name is a conflict that a person decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from posting_desk import DeskHouse, desk_house, invoice, put, states, table

from flows.post import post
from flows.waiting import Order, act
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import RefusedByIntacct, Unknown

WHO = {"author": "Ada", "reason": "told by finance"}
UNKNOWN = Unknown("the line was cut")
DUPLICATE = RefusedByIntacct(ErrorKind.DUPLICATE, "BL34000061", "Intacct: BOB exists already.")
LONG = "Société " + "x" * 91 + " Lyon"


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return desk_house(tmp_path)


def customer(name: str | None) -> dict[str, Any]:
    return invoice("C1", kind_code="customer", entity_code="", number="BOB", customer_id="BOB", currency="", total_minor=0,
                   document_on=None, due_on=None, details=json.dumps({"name": name}))  # fmt: skip


def known(house: DeskHouse, *rows: dict[str, str]) -> None:
    """What a look into Intacct shows under the id asked for; of other objects nothing."""

    def find(name: str, _key: str, values: Any, **_options: Any) -> dict[str, list[dict[str, str]]]:
        return {one: list(rows) if name == "CUSTOMER" else [] for one in values}

    house.company.find = find  # type: ignore[method-assign]


def there(name: str | None, identity: str = "BOB") -> dict[str, str]:
    row = {"RECORDNO": "7", "CUSTOMERID": identity}
    return row if name is None else {**row, "NAME": name}


@pytest.mark.parametrize("answer", [UNKNOWN, DUPLICATE], ids=["unknown", "duplicate"])
@pytest.mark.parametrize(
    ("planned", "rows", "state"),
    [
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
    ],
)
def test_a_customer_found_by_its_id_is_ours_if_it_has_our_name(
    house: DeskHouse, answer: Any, planned: str | None, rows: list[dict[str, str]], state: str
) -> None:
    put(house, customer(planned))
    house.company.answers = {"BOB": answer}
    known(house, *rows)
    post(house, run_id="b")
    assert states(house) == {"C1": state}
    if state == "accepted":
        taken = next((row for row in rows if row["CUSTOMERID"] == "BOB"), rows[0])
        assert table(house, "ops.outbox")[0]["intacct_key"] == taken["CUSTOMERID"]


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
