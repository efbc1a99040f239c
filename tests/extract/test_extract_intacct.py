"""Reading Intacct: what is gone is found by the audit trail or by counts, what the company says is asked once, refusals are read round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ledger_house import LedgerHouse, ledger_house

from tieout.sandbox.intacct.company import Company

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerHouse]:
    with ledger_house(tmp_path) as found:
        yield found


def _asked(ledger: LedgerHouse) -> Counter[str]:
    """Counts the functions that the gateway is asked from now on, queries by object and whether they read ids, rows or a count."""
    asked: Counter[str] = Counter()
    functions = ledger.gateway.reading._functions

    def taped(name: str, really: Callable[..., str]) -> Callable[..., str]:
        def call(element: Any, *rest: Any) -> str:
            what = element.findtext("object") or ""
            fields = [one.text for one in element.iterfind("select/field")]
            kind = (
                "count"
                if element.find("select/count") is not None
                else "ids"
                if fields == ["RECORDNO"]
                else "rows"
            )
            asked[f"{name} {what} {kind}" if name == "query" else name] += 1
            return really(element, *rest)

        return call

    for name, really in list(functions.items()):
        functions[name] = taped(name, really)
    return asked


def _live(ledger: LedgerHouse, table: str = "core.ar_invoices", key: str = "invoice_ref") -> set[str]:
    rows = ledger.fetch(table)
    return set((rows.filter(~pl.col("is_deleted")) if "is_deleted" in rows.columns else rows)[key])


def _filled(ledger: LedgerHouse, count: int = 12) -> list[int]:
    keys = [ledger.invoice(f"U{n}", f"{n}.00") for n in range(1, count + 1)]
    ledger.receipt(keys[0], "1.00", "ch_1")
    ledger.read("r1")
    return keys


def test_a_deletion_in_the_audit_trail_costs_no_walk(ledger: LedgerHouse) -> None:
    keys = _filled(ledger)
    ledger.clock.forward(hours=30)
    ledger.books.delete("ARINVOICE", keys[4], None)
    asked = _asked(ledger)
    assert ledger.read("r2")["errors"] == []
    assert _live(ledger) == {str(key) for key in keys if key != keys[4]}
    assert set(ledger.fetch("core.ar_lines")["document_ref"]) == _live(ledger)
    assert asked["query ARINVOICE ids"] == asked["query ARINVOICEITEM ids"] == 0
    assert asked["query AUDITHISTORY rows"] == 3, "of what was ever landed: there was no adjustment"
    tombs = ledger.fetch("raw.intacct__arinvoice").filter(pl.col("payload").str.contains("TIEOUT_DELETED"))
    assert tombs["native_ref"].to_list() == [str(keys[4])]
    ledger.read("r3")
    assert ledger.fetch("raw.intacct__arinvoice").height == len(keys) + tombs.height


def test_without_the_audit_right_counts_find_it(ledger: LedgerHouse) -> None:
    keys = _filled(ledger)
    user = ledger.gateway.company.users["sync"]
    object.__setattr__(user, "permissions", frozenset({"read", "write"}))
    ledger.books.delete("ARINVOICE", keys[4], None)
    ledger.books.delete("ARINVOICE", keys[7], None)
    assert ledger.read("r2")["errors"] == []
    assert _live(ledger) == {str(key) for at, key in enumerate(keys) if at not in (4, 7)}


def test_a_misleading_audit_trail_is_overruled_by_the_count(ledger: LedgerHouse) -> None:
    """A customer whose id is another one's record number is deleted: the trail's key alone would bury the wrong one."""
    for name in ("3", "C2", "C3"):
        ledger.books.create("CUSTOMER", {"CUSTOMERID": name, "NAME": f"Name {name}"}, None)
    ledger.read("r1")
    books = ledger.books
    gone = books.customers["3"]
    desk = books._desks["CUSTOMER"]
    desk.audit_key = lambda record: record.customerid
    assert gone.recordno != 3
    books.delete("CUSTOMER", "3", None)
    ledger.read("r2")
    raw = ledger.fetch("raw.intacct__customer").filter(pl.col("payload").str.contains("TIEOUT_DELETED"))
    assert raw["native_ref"].to_list() == [str(gone.recordno)]


def test_a_quiet_night_asks_what_changed_and_nothing_of_the_set_up(ledger: LedgerHouse) -> None:
    _filled(ledger)
    fields = ledger.fetch("ops.intacct_fields")
    lengths = fields.filter(pl.col("object_name") == "ARINVOICE", pl.col("field_name") == "RECORDID")
    assert lengths["max_length"].to_list() == [30]
    ledger.clock.forward(days=2)
    before, asked = ledger.reads(), _asked(ledger)
    assert ledger.read("r2")["new"] == ledger.fetch("core.stock").height == 0
    assert asked["lookup"] == asked["inspect"] == 0
    assert ledger.reads() - before == sum(asked.values()) <= 8 * 3 + 4 * 2 + 1
    ledger.clock.forward(days=40)
    asked.clear()
    ledger.read("r3")
    assert asked["lookup"] == 8


def test_a_field_that_cannot_be_queried_is_left_out_told_and_remembered(tmp_path: Path) -> None:
    company = Company.load(None)
    object.__setattr__(company.knobs, "unqueryable_fields", "ARINVOICE.DESCRIPTION, ARPYMT.WHENPAID")
    with ledger_house(tmp_path, company=company) as ledger:
        told: list[str] = []
        ledger.house.say = told.append
        _filled(ledger)
        assert any("ARINVOICE cannot be queried by DESCRIPTION" in one for one in told)
        assert len(_live(ledger)) == 12
        barred = ledger.fetch("ops.intacct_fields").filter(~pl.col("is_queryable"))
        assert sorted(barred["field_name"]) == ["DESCRIPTION", "WHENPAID"]
        asked = _asked(ledger)
        ledger.read("r2")
        assert asked["query ARINVOICE rows"] == 1, "the refused query is not tried again"


def test_a_company_that_refuses_query_is_read_by_read_by_query(ledger: LedgerHouse) -> None:
    keys = [ledger.invoice(f"U{n}", f"{n}.00") for n in range(1, 6)]
    ledger.gateway.board.add(
        {
            "app": "intacct", "kind": "refuse", "times": None, "match": "<query><object>",
            "errorno": "PL04000005", "text": "No permission.",
        }
    )  # fmt: skip
    done = ledger.read("r1")
    assert done["errors"] == []
    assert _live(ledger) == {str(key) for key in keys}
    assert set(ledger.fetch("core.ar_lines")["amount_minor"]) == {100, 200, 300, 400, 500}
    ledger.books.delete("ARINVOICE", keys[1], None)
    ledger.clock.forward(hours=5)
    late = ledger.invoice("U9", "9.00")
    ledger.read("r2")
    assert _live(ledger) == {str(key) for key in keys if key != keys[1]} | {str(late)}


def test_the_users_zone_moves_the_watermark(tmp_path: Path) -> None:
    """WHENMODIFIED is wall time seven hours behind: asked in UTC, nothing that changed tonight would come."""
    company = Company.load(None)
    object.__setattr__(company.knobs, "user_gmt_offset_hours", -7.0)
    with ledger_house(tmp_path, company=company, gmt_offset_minutes=-420, look_back_minutes=5) as ledger:
        first = ledger.invoice("U1", "100.00")
        ledger.read("r1")
        ledger.clock.forward(hours=1)
        ledger.receipt(first, "40.00", "ch_1")
        ledger.read("r2")
        row = ledger.fetch("core.ar_invoices").row(0, named=True)
        assert (row["paid_minor"], row["changed_at"]) == (4000, ledger.clock.now)


@pytest.mark.parametrize("figures", ["totals", "movements"])
def test_stock_is_the_same_by_totals_and_by_movements(tmp_path: Path, figures: str) -> None:
    with ledger_house(tmp_path) as ledger:
        settings = ledger.house.settings
        stock = settings.stock.model_copy(update={"ledger_figures": figures})
        ledger.house.settings = settings.model_copy(update={"stock": stock})
        for item in ("MUG", "CUP"):
            ledger.books.create("ITEM", {"ITEMID": item, "NAME": item, "ITEMTYPE": "Inventory"}, None)
        for on_hand in ("40", "12.5", "7"):
            ledger.books.set_stock("MUG", "wh-east", on_hand, "3", "2")
        ledger.books.set_stock("CUP", "wh-berlin", "9")
        asked = _asked(ledger)
        assert ledger.read("r1")["errors"] == []
        stock = ledger.fetch("core.stock").sort("sku")
    assert stock.select(
        "sku",
        "location_ref",
        *(pl.col(one).cast(pl.Float64) for one in ("on_hand_qty", "on_order_qty", "allocated_qty")),
    ).rows() == [("CUP", "wh-berlin", 9, None, None), ("MUG", "wh-east", 7, 3, 2)]
    by_totals = asked["get_icitemtotals"] > 0
    assert by_totals == (figures == "totals")
    assert by_totals == (asked["query INVENTORYTOTALDETAIL count"] == 0)
