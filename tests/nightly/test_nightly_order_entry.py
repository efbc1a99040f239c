"""A shop that posts through order entry: orders are converted to sales invoices or closed, Intacct makes the AR records, receipts and the
reconciliation follow them, also after an edit."""

from __future__ import annotations

from pathlib import Path

import night
import polars as pl
import pytest

from flows.plan import plan

pytestmark = pytest.mark.usefixtures("kept_attached")

SECTION = """
[order_entry]
definition = "Sales Invoice"
orders = "placed"
order_definition = "Sales Order"
return_definition = "Sales Return"
items = { other = "TEE-1" }
subtotals = { shipping = "Freight", tax = "Sales Tax", discount = "Discount", fees = "Fees", rounding = "Rounding" }
warehouses = { 100 = "wh-east", 200 = "wh-berlin" }
"""


@pytest.mark.timeout(600)
def test_sales_documents_are_booked_once_paid_reconciled_and_followed_when_edited(tmp_path: Path) -> None:
    with night.world_of(tmp_path / "world", orders=40) as world:
        config = night.lay_out(tmp_path / "house", world.addresses)
        config.write_text(config.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
        clock = night.NightClock(world.addresses["now"])
        house = night.house_at(config, clock)
        path = house.settings.path(house.settings.installation.mappings) / "stores.csv"
        pl.read_csv(path, infer_schema=False).with_columns(posting_code=pl.lit("order_entry")).write_csv(path)

        world.fault("intacct", "cut_after", match="<create_sotransaction", times=1)
        night.steps(house, "extract", "stage", "check")
        text = "\n".join(plan(house, run_id="20261102T000000.000Z-000001", dry_run=True)["text"])
        assert "<createdfrom>Sales Order-" in text, "the plan tells from which order an invoice is converted"
        done = night.steps(house, "plan", "post")["post"]
        assert world.unstruck() == []
        assert done["found"] > 0, "an answer was lost, and the documents were found by definition and number"
        assert done["accepted"]["sales_order"] > 0
        assert (done["halted"], night.waiting(house), night.unlike_the_books(house, world)) == (None, [], [])
        assert done["accepted"]["receipt"] > 0, "receipts pay the invoices Intacct made"
        books = world.ledger()
        mine = night.outbox_of(house).filter(kind_code="invoice")
        made = {str(one["recordno"]): one for one in books["invoices"] if one["modulekey"] == "8.SO"}
        assert set(mine["intacct_key"]) == set(made)
        sold = {one["docid"]: one["state"] for one in books["sales_documents"]}
        orders = set(night.outbox_of(house).filter(kind_code="sales_order")["intacct_key"])
        assert orders == {name for name in sold if name.startswith("Sales Order-")}
        invoiced = {name.replace("Invoice", "Order") for name in sold if name.startswith("Sales Invoice-")}
        assert {name for name in orders if sold[name] == "Converted"} == orders & invoiced, (
            "each from its order"
        )
        still = {name for name in orders if sold[name] == "Pending"}
        assert still == orders - invoiced

        night.steps(house, "extract", "stage", "check", "reconcile")
        assert night.unlike_the_key(house, world) == {}

        # A person edits a sales document that nothing pays yet: its invoice stands under another record number afterwards.
        open_one = next(key for key, one in made.items() if one["trx_total"] == one["trx_due"])
        number = mine.filter(intacct_key=open_one)["number"][0]
        world.tell(
            "POST",
            "/tamper",
            {
                "app": "intacct",
                "op": "edit",
                "object": "SODOCUMENT",
                "recordno": f"Sales Invoice-{number}",
                "fields": {"MESSAGE": "By hand"},
            },
        )
        # One order is cancelled before anything of it was invoiced; another is given back whole, and its return is a document too.
        cancelled = sorted(still)[0].partition("-")[2][1:]
        world.tell("POST", "/tamper", {"op": "order_cancelled", "order_number": cancelled})
        back = (
            mine.filter(pl.col("intacct_key") != open_one, currency="USD").sort("number").row(-1, named=True)
        )
        world.tell("POST", "/tamper", {"op": "refund_added", "order_number": back["number"][1:], "amount_minor": back["total_minor"]})  # fmt: skip
        clock.ahead(hours=26)
        again = night.steps(house, *night.TO_POST, "post")["post"]
        assert (again["accepted"].get("invoice", 0), again["problems"]) == (0, [])
        assert (again["accepted"]["order_closure"], again["accepted"]["credit_memo"]) == (1, 1)
        books = world.ledger()
        sold = {one["docid"]: one for one in books["sales_documents"]}
        assert next(one for name, one in sold.items() if cancelled in name)["state"] == "Closed"
        credit = night.outbox_of(house).filter(kind_code="credit_memo").row(0, named=True)
        assert str(sold[f"Sales Return-{credit['number']}"]["invoice"]) == credit["intacct_key"]
        adjustment = next(
            one for one in books["adjustments"] if str(one["recordno"]) == credit["intacct_key"]
        )
        assert (adjustment["modulekey"], adjustment["trx_total"]) == (
            "8.SO",
            f"-{back['total_minor'] / 100:.2f}",
        )
        followed = night.outbox_of(house).filter(number=number, kind_code="invoice")["intacct_key"][0]
        assert followed != open_one
        assert night.unlike_the_books(house, world) == []
        night.steps(house, "extract", "stage", "check", "reconcile")
        assert night.unlike_the_key(house, world) == {}
        with house.warehouse.read() as session:
            last = session.fetch("ops.outbox_moves", where={"document_id": mine.filter(number=number)["document_id"].to_list()}).sort("move_no")  # fmt: skip
        assert last.select("from_state", "to_state").row(-1) == ("accepted", "accepted")
        assert open_one in last["reason"][-1]
