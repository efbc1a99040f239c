"""Credit memos and journal entries against the stand-in's books: planned as documents, posted over HTTP, proved by what is open afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import posting_desk
import pytest
from posting_desk import invoice, states
from standin_books import Books, books_of, line, planned

from flows.doctor import examine
from flows.post import post
from tieout.settings.order_entry import OrderEntry

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with books_of(tmp_path) as found:
        yield found


def test_an_application_closes_memo_and_invoice_and_a_journal_leaves_the_clearing_account(
    books: Books,
) -> None:
    house = books.open()
    head: dict[str, Any] = {"entity_code": "E100", "customer_id": "C-1", "document_on": date(2026, 11, 1)}
    goods = {"account_code": "4000", "component_code": "goods", "location_code": "100"}
    planned(
        house,
        [
            invoice("C1", kind_code="customer", number="C-1", total_minor=0, details='{"name": "Ana"}', **{**head, "entity_code": "", "document_on": None}),
            invoice("I1", total_minor=3000, **head),
            invoice("M1", kind_code="credit_memo", total_minor=-1000, due_on=None, **head),
            invoice("A1", kind_code="application", number="A1", total_minor=0, due_on=None, account_ref="CLR-CARD-US", method="Credit Card", **head),
            invoice("J1", kind_code="journal", number="J1", total_minor=0, due_on=None, account_ref="GJ", description="Refund of order W1", **{**head, "customer_id": ""}),
        ],
        [
            line("I1", 1, 3000, **goods),
            line("M1", 1, -1000, **goods),
            line("A1", 1, 1000, applies_to_id="I1"),
            line("A1", 2, -1000, applies_to_id="M1"),
            line("J1", 1, 700, account_code="2400", location_code="100"),
            line("J1", 2, -700, account_code="1201", location_code="100"),
        ],
    )  # fmt: skip
    # The answer to the application is lost once: it is looked up, and not sent again.
    books.board.add({"app": "intacct", "kind": "cut_after", "match": "<ADJUSTMENTKEY>", "times": 1})
    done = post(house, run_id="20261120T120000-post")
    assert set(states(house).values()) == {"accepted"}, (done, states(house))
    assert done["found"] == 1
    told = books.told()
    assert [(one["trx_total"], one["trx_due"]) for one in told["invoices"]] == [("30.00", "20.00")]
    assert [(one["trx_total"], one["trx_due"]) for one in told["adjustments"]] == [("-10.00", "0.00")]
    (receipt,) = told["receipts"]
    assert (receipt["docnumber"], receipt["trx_total"]) == ("A1", "0.00")
    (entry,) = told["journals"]
    assert (entry["referenceno"], entry["debits"], entry["title"]) == ("J1", "7.00", "Refund of order W1")
    assert told["trial_balance"]["E100"]["1201"] == "-7.00"
    assert told["trial_balance"]["E100"]["1100"] == told["subledger"]["E100"] == "20.00"


def test_doctor_keeps_what_the_company_says_of_its_fields(books: Books) -> None:
    house = books.open()
    found = examine(house)
    assert ("Intacct fields", True) in [(one.what, one.ok) for one in found], found
    rows = posting_desk.table(house, "ops.intacct_fields")
    lengths = {(one["object_name"], one["field_name"]): one["max_length"] for one in rows}
    assert lengths["CUSTOMER", "CUSTOMERID"] == 20
    examine(house)
    assert posting_desk.table(house, "ops.intacct_fields") == rows, "what is known is not asked again"


@pytest.mark.parametrize(
    ("definition", "is_well", "said"),
    [("Sales Invoice", True, "can be followed"), ("", False, "names no definition")],
)
def test_doctor_looks_whether_sales_documents_can_be_followed(
    books: Books, definition: str, is_well: bool, said: str
) -> None:
    house = books.open()
    assert "order entry" not in [one.what for one in examine(house)], "no store posts through order entry"
    stores = house.mappings["stores"].with_columns(posting_code=pl.lit("order_entry"))
    house.__dict__["mappings"] = {**house.mappings, "stores": stores}
    house.settings = house.settings.model_copy(update={"order_entry": OrderEntry(definition=definition)})
    (found,) = [one for one in examine(house) if one.what == "order entry"]
    assert (found.ok, said in found.sentence) == (is_well, True), found
