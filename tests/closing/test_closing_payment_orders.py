"""Payments and receipts that cover several orders are found by each of them: in the view, in packs, in print, in a trace."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from closing_house import PLAIN, completed, house_in
from forged_packs import forged, not_proved

from checks.contracts import ALL
from flows import report, tracing
from flows.close import close_period
from flows.closing.entity_pack import frames_of
from flows.closing.packing import inputs_of
from flows.comparing.deciding import pair
from flows.reconcile import pairs_now, policy, reconcile
from flows.tracing_chain import chain
from flows.wiring import House
from tieout.reports.pack import Pack
from transforms.closing import statement
from transforms.closing.payment_orders import payment_orders

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A2's payment names A3 and B1 too, without saying for how much; the payments of A4 and A5 are one receipt."""
    house = house_in(tmp_path_factory.mktemp("several"), PLAIN)
    links = pl.DataFrame({"order_ref": ["A2", "A3", "B1"], "payment_ref": "pA2"})
    table = ALL["core.order_payments"]
    with house.warehouse.write(run_id="20260101T000000.000Z-000004") as session:
        session.publish(table.name, completed(table.name, links), key=table.key, mode="replace")
    for one in ("tA4", "tA5"):
        pair(house, "match", one, ["94"], payments=True, reason="one transfer", author="Ana")
    reconcile(house, run_id="20260102T000000.000Z-000001")
    report.report(house, run_id="20260102T000000.000Z-000002")
    close_period(house, period="2026-09", entity="E100")
    return house


def rows(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.select("group_ref", "order_number", "order_count").sort("group_ref", "order_number").rows()


def test_the_view_has_a_row_for_every_order_of_a_payment(house: House) -> None:
    with house.warehouse.read() as session:
        view = session.fetch("report.payment_orders")
        payments = session.fetch("recon.payments")
    several = view.filter(pl.col("order_count") > 1)
    group = "shop:pA2:tA2"
    assert [one for one in rows(several) if one[0] == group] == [(group, "A2", 3), (group, "A3", 3), (group, "B1", 3)]  # fmt: skip
    (both,) = set(several["group_ref"]) - {group}
    assert [one[1] for one in rows(several) if one[0] == both] == ["A4", "A5"]
    amounts = {(one["group_ref"], one["order_number"]): one["amount"] for one in view.to_dicts()}
    assert amounts[group, "A2"] is None
    assert [amounts[both, one] * 100 for one in ("A4", "A5")] == [9000, 1100]
    alone = view.filter(pl.col("order_count") == 1)
    assert ("shop:pA1:tA1", "A1", 1) in rows(alone)
    assert set(view["group_ref"]) == set(payments.drop_nulls("occurred_on")["group_ref"])


def test_what_a_pack_computes_is_what_the_view_says(house: House) -> None:
    _mark, pairs = pairs_now(house)
    kept = statement.books_of(pairs, policy(house, "2026-09"))
    mine = payment_orders(inputs_of(frames_of(kept)), kept.period.matches)
    with house.warehouse.read() as session:
        several = session.query("payments_of_several")
    names = ["group_ref", "storefront", "order_ref", "order_number", "order_count", "currency"]
    assert mine.select(names).rows() == several.select(names).rows()
    assert dict(mine.filter(pl.col("group_ref") != "shop:pA2:tA2").select("order_number", "amount_minor").iter_rows()) == {"A4": 9000, "A5": 1100}  # fmt: skip


@pytest.mark.parametrize("where", ["latest", "close/E100/2026-09/r1"])
def test_workbook_and_page_say_how_many_more_and_name_all(house: House, where: str) -> None:
    folder = house.reports / where
    page = (folder / "reconciliation.html").read_text(encoding="utf-8")
    book = openpyxl.load_workbook(io.BytesIO((folder / "reconciliation.xlsx").read_bytes()), data_only=True)
    cells = {str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell}
    assert "A2 +2" in cells
    assert any(one.startswith("Covers orders A2, A3, B1. ") for one in cells)
    for one in ("A4 +1", "Covers orders A4, A5. "):
        assert one in page or any(cell.startswith(one) for cell in cells)


def test_it_is_signed_and_proved_again_and_brings_no_more_of_the_other_entity(
    house: House, tmp_path: Path
) -> None:
    folder = house.reports / "close/E100/2026-09/r1"
    pack = Pack(folder)
    assert pack.json("close.json")["extent"]["is_own"]
    assert set(pack.frame("inputs/orders.parquet")["order_ref"]) == {"A1", "A2", "A3", "A4", "A5", "B1"}
    assert not_proved(folder) == []
    table = pack.frame("data/payment_orders.parquet")
    false = table.with_columns(order_number=pl.lit("Z"))
    found = not_proved(forged(folder.parents[1], tmp_path / "false", payment_orders=false))
    assert any("data/payment_orders.parquet is not what the packed inputs give" in one for one in found)


@pytest.mark.parametrize("order", ["A3", "A5", "B1"])
def test_a_trace_finds_payments_whose_first_order_is_another(house: House, order: str) -> None:
    found = tracing.trace_order(house, order)
    assert any(one["order_ref"] != order for one in found["payment_outcomes"])
    (last,) = [one for one in chain(found) if one["title"] == "Outcome"]
    said = [one for one in last["evidence"] if "Covers orders" in one]
    assert len(said) == 1
    assert order in said[0]
    (receipts,) = [one for one in chain(found) if one["title"] == "Receipts in Intacct"]
    assert any(one.startswith("receipt RECORDNO") for one in receipts["evidence"])
