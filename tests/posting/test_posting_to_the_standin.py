"""Credit memos and journal entries against the stand-in's books: planned as documents, posted over HTTP, proved by what is open afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import posting_desk
import pytest
from posting_desk import invoice, states

from checks.contracts import ALL
from flows.doctor import examine
from flows.post import post
from flows.wiring import House
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import Gateway
from tieout.sandbox.server import Server
from tieout.settings.order_entry import OrderEntry
from tieout.warehouse import outbox
from transforms.posting_content import rehashed

SECRETS = {"TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret", "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret"}  # fmt: skip
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


class Books:
    """A house before a stand-in gateway of its own."""

    def __init__(self, folder: Path) -> None:
        self.board = FaultBoard()
        self.gateway = Gateway(Company.load(), self.board, lambda: NOW)
        self.server = Server(self.gateway, 0, self.board)
        self.house: House | None = None
        self.folder = folder

    def open(self) -> House:
        settings = posting_desk.desk_settings(
            self.folder, entity="E100", endpoint=f"{self.server.url}/ia/xml/xmlgw.phtml", company_id="TIEOUTDEMO", sender_id="tieout_mpp",
            user_id="sync", quota_per_month=0,
        )  # fmt: skip
        house = House(settings=settings, environment=dict(SECRETS), clock=posting_desk.Clock())
        posting_desk.open_gate(house)
        return house

    def told(self) -> dict[str, Any]:
        return self.gateway.ledger()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    found = Books(tmp_path)
    with found.server:
        yield found


def planned(house: House, documents: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
    frames = [pl.DataFrame(of, schema=ALL[name].polars_schema) for of, name in ((documents, "out.documents"), (lines, "out.document_lines"))]  # fmt: skip
    with house.warehouse.write(run_id="plan") as session:
        outbox.plan(session, rehashed(*frames), frames[1], ALL["out.document_orders"].empty(), now=house.clock(), run_id="plan")  # fmt: skip


def line(document: str, number: int, amount: int, **more: Any) -> dict[str, Any]:
    return {"document_id": document, "line_no": number, "amount_minor": amount, **more}


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
