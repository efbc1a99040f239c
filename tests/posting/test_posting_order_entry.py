"""Documents of order entry against the stand-in's books: orders converted in part, closed, changed by somebody else; returns; tax entries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import night
import posting_desk
import pytest
from posting_desk import invoice, states
from standin_books import Books, books_of, line, planned

from flows.post import post
from flows.wiring import House

pytestmark = pytest.mark.usefixtures("kept_attached")

HEAD: dict[str, Any] = {"entity_code": "E100", "customer_id": "C-1", "document_on": date(2026, 11, 1), "due_on": date(2026, 12, 1)}  # fmt: skip
CUSTOMER = invoice("C1", kind_code="customer", number="C-1", total_minor=0, details='{"name": "Ana"}', **{**HEAD, "entity_code": "", "document_on": None, "due_on": None})  # fmt: skip


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with books_of(tmp_path) as found:
        yield found


def item(document: str, number: int, quantity: int, price: str, **more: Any) -> dict[str, Any]:
    amount = int(Decimal(price) * quantity * 100)
    base: dict[str, Any] = {
        "component_code": "goods",
        "account_code": "4000",
        "location_code": "100",
        "item_ref": "CARD",
        "quantity": Decimal(quantity),
        "unit_price": Decimal(price),
    }
    return line(document, number, amount, **{**base, **more})


def ordered(house: House) -> None:
    """Plan an order of three cards and one cup, and an invoice of two cards and a cup, to be sent in one run."""
    definition = {"sales_order": "Sales Order", "invoice": "Sales Invoice"}
    documents = [
        CUSTOMER,
        invoice("O1", kind_code="sales_order", number="W1", total_minor=1850, details=json.dumps({"definition": definition["sales_order"]}), **HEAD),
        invoice("I1", number="W1", total_minor=1400, details=json.dumps({"definition": definition["invoice"]}), **HEAD),
    ]  # fmt: skip
    lines = [
        item("O1", 1, 3, "4.50", order_line_ref="l1"),
        item("O1", 2, 1, "5.00", order_line_ref="l2", item_ref="CUP"),
        item("I1", 1, 2, "4.50", order_line_ref="l1", converts_id="O1"),
        item("I1", 2, 1, "5.00", order_line_ref="l2", item_ref="CUP", converts_id="O1"),
    ]
    planned(house, documents, lines)


def items(books: Books) -> None:
    for name in ("CARD", "CUP"):
        books.gateway.books.create("ITEM", {"ITEMID": name, "NAME": name, "ITEMTYPE": "Non-Inventory"}, None)


@pytest.mark.parametrize("fault", [None, "cut_after"])
def test_an_order_is_sent_then_converted_in_part_then_closed(books: Books, fault: str | None) -> None:
    house = books.open()
    items(books)
    ordered(house)
    if fault:
        books.board.add({"app": "intacct", "kind": fault, "match": "Sales Order", "times": 1})
    post(house, run_id="20261120T120000-post")
    assert set(states(house).values()) == {"accepted"}, states(house)
    order = next(one for one in books.told()["sales_documents"] if one["docid"].startswith("Sales Order"))
    assert (order["docid"], order["state"]) == ("Sales Order-W1", "Partially Converted")
    entries = books.gateway.books.tables["SODOCUMENTENTRY"]
    by_item = {(one.order.docid, one.itemid): one for one in entries}
    assert by_item["Sales Order-W1", "CARD"].converted == 2
    assert by_item["Sales Invoice-W1", "CUP"].source_line is by_item["Sales Order-W1", "CUP"]
    closure = invoice("X1", kind_code="order_closure", number="X1", total_minor=0, reference="Sales Order-W1", **{**HEAD, "due_on": None})  # fmt: skip
    planned(house, [closure], [])
    if fault:
        books.board.add({"app": "intacct", "kind": fault, "match": "<update_sotransaction", "times": 1})
    done = post(house, run_id="20261120T130000-post")
    assert (states(house)["X1"], done["found"]) == ("accepted", 1 if fault else 0)
    assert next(one for one in books.told()["sales_documents"] if one["docid"] == "Sales Order-W1")["state"] == "Closed"  # fmt: skip


def test_where_an_order_in_part_cannot_be_closed_the_refusal_is_told(tmp_path: Path) -> None:
    with books_of(tmp_path, close_partly_converted=False) as books:
        house = books.open()
        items(books)
        ordered(house)
        post(house, run_id="20261120T120000-post")
        planned(house, [invoice("X1", kind_code="order_closure", number="X1", total_minor=0, reference="Sales Order-W1", **{**HEAD, "due_on": None})], [])  # fmt: skip
        post(house, run_id="20261120T130000-post")
        row = next(one for one in posting_desk.table(house, "ops.outbox") if one["document_id"] == "X1")
        assert row["state_code"] == "refused"
        assert "cannot be changed" in row["reason"]


def test_an_order_that_somebody_changed_is_not_converted_blindly(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    house = books.open()
    items(books)
    ordered(house)
    # The order is there already; before the invoice goes, somebody puts a cup where the cards were.
    books.board.add({"app": "intacct", "kind": "unavailable", "match": "SODOCUMENTENTRY", "times": 9})
    post(house, run_id="20261120T120000-post")
    assert (states(house)["O1"], states(house)["I1"]) == ("accepted", "planned"), "nothing was sent without its lines"  # fmt: skip
    books.board.clear()
    entries = books.gateway.books.tables["SODOCUMENTENTRY"]
    next(one for one in entries if one.itemid == "CARD").itemid = "CUP"
    post(house, run_id="20261120T130000-post")
    row = next(one for one in posting_desk.table(house, "ops.outbox") if one["document_id"] == "I1")
    assert row["state_code"] == "refused"
    assert "Item CARD is no longer line 1 of the order 'Sales Order-W1'" in row["reason"]
    assert books.told()["invoices"] == []


@pytest.mark.parametrize("amounts", ["positive", "negative"])
def test_a_return_with_taxes_lowers_what_is_owed_whichever_sign_its_definition_takes(
    tmp_path: Path, amounts: str
) -> None:
    with books_of(tmp_path, return_amounts=amounts) as books:
        house = books.open()
        items(books)
        planned(
            house,
            [
                CUSTOMER,
                invoice("M1", kind_code="credit_memo", number="CMW1", total_minor=-1071, details=json.dumps({"definition": "Sales Return", "is_negative": amounts == "negative"}), **HEAD),
            ],
            [
                item("M1", 1, 2, "-4.50"),
                line("M1", 2, -171, component_code="tax", location_code="100", tax_detail_code="VAT 19", tax_solution="Germany - VAT"),
            ],
        )  # fmt: skip
        post(house, run_id="20261120T120000-post")
        assert set(states(house).values()) == {"accepted"}
        (adjustment,) = books.told()["adjustments"]
        assert (adjustment["recordid"], adjustment["trx_total"], adjustment["modulekey"]) == ("CMW1", "-10.71", "8.SO")  # fmt: skip
        row = next(one for one in posting_desk.table(house, "ops.outbox") if one["document_id"] == "M1")
        assert row["intacct_key"] == str(adjustment["recordno"])


def test_a_return_whose_adjustment_cannot_be_found_is_never_sent_again(tmp_path: Path) -> None:
    with books_of(tmp_path, returns_name_adjustment=False) as books:
        house = books.open()
        items(books)
        planned(house, [CUSTOMER, invoice("M1", kind_code="credit_memo", number="CMW1", total_minor=-900, details='{"definition": "Sales Return"}', **HEAD)], [item("M1", 1, 2, "-4.50")])  # fmt: skip
        for hour in (12, 13, 14):
            post(house, run_id=f"20261120T{hour}0000-post")
        row = next(one for one in posting_desk.table(house, "ops.outbox") if one["document_id"] == "M1")
        assert (row["state_code"], row["attempts_no"]) == ("held", 1)
        assert "without an AR record" in row["reason"]
        assert len(books.told()["adjustments"]) == 1
