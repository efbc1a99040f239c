"""Writing back: what is planned from the ledger, by change only, under the ownership table, recorded and never twice."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from drawn import drawn, shown
from shelf import ShelfHouse, shelf_house

from checks.contracts import ALL
from flows.running import run_stage
from flows.writeback import as_write, plan_writes, write_back
from tieout.connectors.writes import LedgerDocuments, Price
from tieout.errors import SettingsError
from tieout.vocabulary import OWNED_FIELDS

pytestmark = pytest.mark.usefixtures("kept_attached")

ORDERS = """
    order_ref | order_number | status_code | total_minor | currency
    a         | W1           | processing  | 1000        | USD
    b         | W2           | processing  | 500         | USD
    c         | W3           | open        | 700         | USD
"""
DOCUMENTS = """
    document_id | kind_code   | order_ref | event_ref | number | document_on | customer_id
    D1          | invoice     | a         | s1        | U1     | 2026-10-02  | C1
    D2          | invoice     | a         | s2        | U1-2   | 2026-10-05  | C1
    D3          | credit_memo | b         | r1        | CM2    | 2026-10-06  | C1
    D4          | invoice     | b         | s1        | U2     | 2026-10-03  | C1
    D5          | invoice     | c         | s1        | U3     | 2026-10-03  | C1
    D6          | customer    | -         | cust-1    | C1     | -           | C1
    D7          | customer    | -         | cust-2    | C2     | -           | C2
"""
OUTBOX = """
    document_id | state_code | intacct_key
    D1          | accepted   | 11
    D2          | accepted   | 12
    D3          | accepted   | 13
    D4          | accepted   | 14
    D5          | sending    | -
    D6          | accepted   | C1
    D7          | accepted   | C2
"""
OF = """
    document_id | order_ref | event_code | event_ref
    D1          | a         | sale       | s1
    D2          | a         | sale       | s2
    D3          | b         | credit     | r1
    D4          | b         | sale       | s1
    D5          | c         | sale       | s1
"""
INVOICES = """
    invoice_ref | total_minor | due_minor | is_deleted
    11          | 600         | 0         | no
    12          | 400         | 0         | no
    14          | 500         | 200       | no
"""
MEMOS = "adjustment_ref | total_minor | due_minor | is_deleted\n13 | -100 | 0 | no"
OWED = """
    order_ref | event_code | event_ref | total_minor
    a         | sale       | s1        | 600
    a         | sale       | s2        | 400
    b         | sale       | s1        | 500
"""
ALL_FIELDS = ("order.document", "order.paid_state", "order.status", "price", "customer.account")
OURS = {"order_status": "intacct"}


def house_with(
    folder: Path,
    *,
    fields: tuple[str, ...] = ALL_FIELDS,
    ownership: dict[str, str] | None = None,
    **front: Any,
) -> ShelfHouse:
    items = drawn(
        ALL["mappings.items"],
        "storefront | sku | mode | item_ref | pack_qty\n* | MUG6 | map | MUG | 6\n* | * | map | * | -",
    )
    lists = drawn(
        ALL["mappings.price_lists"],
        """
        storefront | price_list_ref | mode   | currency | level
        *          | BASE           | map    | USD      | -
        shop       | TRADE          | map    | USD      | trade
        shop       | OLD            | ignore | USD      | -
        """,
    )
    house = shelf_house(
        folder, mappings={"items": items, "price_lists": lists}, front={"writes_back": list(fields), **front},
        ownership=OURS if ownership is None else ownership,
    )  # fmt: skip
    # One opening of the file for all of them.
    with house.warehouse.sitting(run_id="test"):
        for table, text in (
            ("core.orders", ORDERS), ("out.documents", DOCUMENTS), ("ops.outbox", OUTBOX), ("out.document_orders", OF),
            ("core.ar_invoices", INVOICES), ("core.ar_adjustments", MEMOS), ("recon.owed", OWED),
        ):  # fmt: skip
            known = {"storefront": "shop", "currency": "USD"}
            constants = {
                name: value
                for name, value in known.items()
                if name in ALL[table].polars_schema and name not in text.split("\n")[1]
            }
            house.put(table, drawn(ALL[table], text, **constants))
        prices = "price_list_ref | item_ref | amount\nBASE | MUG | 12.5\nTRADE | MUG | 11\nOLD | MUG | 1\nBASE | HAT | 9.999"
        house.put("core.prices", drawn(ALL["core.prices"], prices))
        house.put(
            "core.stock",
            drawn(ALL["core.stock"], "sku | location_ref\nMUG | x\nMUG6 | x\nHAT | x", source="shop"),
        )
        house.customers("C1", "C2", inactive=("C2",))
    return house


def planned(house: ShelfHouse, field: str) -> list[tuple[str, Any]]:
    rows = plan_writes(house).filter(pl.col("field") == field)
    return [(row["subject_ref"], json.loads(row["value"])) for row in rows.to_dicts()]


def test_documents_of_an_order_are_one_value_in_the_order_of_their_days(tmp_path: Path) -> None:
    found = dict(planned(house_with(tmp_path), "order.document"))
    assert [one["number"] for one in found["a"]["documents"]] == ["U1", "U1-2"]
    assert [(one["kind"], one["ledger_key"]) for one in found["b"]["documents"]] == [
        ("invoice", "14"),
        ("credit_memo", "13"),
    ]
    assert "c" not in found  # still on its way


@pytest.mark.parametrize(
    ("due", "credit", "state"),
    [(500, 0, "open"), (200, 0, "partly_paid"), (0, 0, "paid"), (0, -30, "credit_owed"), (None, 0, None)],
)
def test_paid_state_is_what_the_ledger_has_due(
    tmp_path: Path, due: int | None, credit: int, state: str | None
) -> None:
    house = house_with(tmp_path, fields=("order.paid_state",))
    rows = (
        INVOICES.replace("500         | 200", f"500         | {due}")
        if due is not None
        else INVOICES.replace("14  ", "99  ")
    )
    house.put("core.ar_invoices", drawn(ALL["core.ar_invoices"], rows, currency="USD"))
    house.put(
        "core.ar_adjustments",
        drawn(ALL["core.ar_adjustments"], MEMOS.replace("| 0 |", f"| {credit} |"), currency="USD"),
    )
    assert dict(planned(house, "order.paid_state")).get("b") == ({"state": state} if state else None)


def test_an_order_is_complete_when_all_of_it_is_invoiced_and_paid(tmp_path: Path) -> None:
    assert planned(house_with(tmp_path), "order.status") == [("a", {"status_code": "complete"})]


def test_prices_go_to_the_skus_of_their_items_by_list_and_level_and_packs_are_left_alone(
    tmp_path: Path,
) -> None:
    told = [tuple(value.values()) for _, value in planned(house_with(tmp_path), "price")]
    assert sorted(told, key=str) == [
        ("HAT", "USD", "9.999", None),
        ("MUG", "USD", "11", "trade"),
        ("MUG", "USD", "12.5", None),
    ]


def test_only_customers_the_ledger_keeps_active_get_their_account(tmp_path: Path) -> None:
    assert planned(house_with(tmp_path), "customer.account") == [("cust-1", {"customer_id": "C1"})]


def test_everything_is_written_once_recorded_and_the_second_run_writes_nothing(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    first = run_stage(house, "writeback", write_back)
    assert (first["planned"], first["written"], first["errors"]) == (9, 9, [])
    calls = house.fronts["shop"].calls
    second = run_stage(house, "writeback", write_back)
    assert (second["planned"], second["written"], house.fronts["shop"].calls) == (0, 0, calls)
    assert house.table("ops.writes").height == 9
    # One more payment in the ledger: one more write, and only that.
    house.put(
        "core.ar_invoices", drawn(ALL["core.ar_invoices"], INVOICES.replace("| 200", "| 0"), currency="USD")
    )
    third = run_stage(house, "writeback", write_back)
    assert (third["planned"], third["written"]) == (2, 2)
    assert set(house.table("ops.writes").filter(pl.col("run_id") == third["run_id"])["field"]) == {
        "order.paid_state",
        "order.status",
    }


def test_what_was_refused_is_tried_again_and_what_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    house.fronts["shop"].refuses = {"a"}
    house.fronts["shop"].unsupported = {"price": "This shop keeps its prices to itself."}
    first = run_stage(house, "writeback", write_back)
    assert (first["refused"], first["unsupported"], first["written"]) == (3, 3, 3)
    assert first["cannot"] == ["shop price: This shop keeps its prices to itself."]
    house.fronts["shop"].refuses = set()
    second = run_stage(house, "writeback", write_back)
    assert (second["planned"], second["written"], second["unsupported"]) == (3, 3, 0)
    house.fronts["shop"].unsupported = {}
    third = run_stage(house, "writeback", write_back)
    assert (third["planned"], third["written"]) == (3, 3)
    assert run_stage(house, "writeback", write_back)["planned"] == 0


def test_a_storefront_that_is_down_keeps_what_was_done_and_goes_on_next_time(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    house.fronts["shop"].is_down = True
    summary = run_stage(house, "writeback", write_back)
    assert (summary["written"], summary["exit_code"]) == (0, 4)
    assert summary["errors"] == ["shop: the shop is down; try again later."]
    house.fronts["shop"].is_down = False
    assert run_stage(house, "writeback", write_back)["written"] == 9


def test_a_field_the_storefront_owns_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        house_with(tmp_path, ownership={})
    assert "order.status belongs to the storefront" in str(told.value)
    with pytest.raises(SettingsError) as told:
        house_with(tmp_path, fields=("price",), ownership={"price": "storefront"})
    assert "price belongs to the storefront" in str(told.value)
    with pytest.raises(SettingsError) as told:
        house_with(tmp_path, fields=(), ownership={"stock": "storefront"})
    assert "stock belongs to the storefront" in str(told.value)


def test_nothing_is_planned_for_a_storefront_that_asks_for_nothing(tmp_path: Path) -> None:
    house = house_with(tmp_path, fields=())
    assert plan_writes(house).is_empty()
    assert run_stage(house, "writeback", write_back)["planned"] == 0


def test_a_planned_row_becomes_the_value_a_courier_takes(tmp_path: Path) -> None:
    rows = plan_writes(house_with(tmp_path)).to_dicts()
    writes = [as_write(row) for row in rows]
    assert {write.field for write in writes} == set(ALL_FIELDS)
    documents = next(
        write for write in writes if isinstance(write, LedgerDocuments) and write.order_ref == "a"
    )
    assert (documents.text, documents.order_number) == ("U1, U1-2", "W1")
    assert documents.documents[0].posted_at is not None
    price = next(write for write in writes if isinstance(write, Price) and write.level == "trade")
    assert (price.amount, price.sku) == (Decimal(11), "MUG")
    assert all(len(row["key"]) <= 60 for row in rows)
    assert len({row["key"] for row in rows}) == len(rows)


def test_the_plan_does_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    house = house_with(tmp_path)
    before = plan_writes(house)
    for table in (
        "out.documents",
        "ops.outbox",
        "out.document_orders",
        "core.prices",
        "core.orders",
        "core.ar_invoices",
    ):
        house.put(table, house.table(table).reverse())
    assert plan_writes(house).equals(before)
    assert shown(before.unique("field"), "field") == [(one,) for one in sorted(ALL_FIELDS)]
    assert set(ALL_FIELDS) <= set(OWNED_FIELDS)
