"""One order from the shop to its receipt: every station with its evidence, and where the order stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from closing_house import house_in

from flows import tracing
from flows.close import close_period
from flows.reconcile import reconcile
from flows.running import run_stage
from flows.tracing_chain import STATES, as_text, chain
from flows.wiring import House
from tieout.errors import InputError

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    found = house_in(tmp_path_factory.mktemp("trace"))
    run_stage(found, "reconcile", reconcile)
    close_period(found, period="2026-09", entity="E100")
    return found


def stations(house: House, order: str) -> dict[str, dict]:
    return {one["title"]: one for one in chain(tracing.trace_order(house, order))}


def here(house: House, order: str) -> str:
    marked = [one["title"] for one in chain(tracing.trace_order(house, order)) if one["is_here"]]
    assert len(marked) == 1
    return marked[0]


def test_a_settled_order_stands_at_the_end_with_every_station_proved(house: House) -> None:
    found = stations(house, "A2")
    assert here(house, "A2") == "Outcome"
    states = {title: one["state"] for title, one in found.items()}
    assert states == {
        "Order at the shop": "done", "Checks": "done", "Documents for Intacct": "none", "Invoices and credit memos in Intacct": "done",
        "General ledger": "unknown", "Money at the gateway": "done", "Receipts in Intacct": "done", "Payout": "unknown", "Outcome": "done",
    }  # fmt: skip
    assert (
        "invoice UA2 RECORDNO 112 in E100 dated 2026-09-04, 50.00 USD"
        in found["Invoices and credit memos in Intacct"]["evidence"][0]
    )
    receipts = found["Receipts in Intacct"]["evidence"]
    assert receipts[0].startswith("receipt RECORDNO 92 dated 2026-09-04, 50.00 USD")
    assert receipts[1].strip() == "applied 2026-09-04: 50.00 USD of receipt 92 to invoice 112"


def test_an_order_that_was_never_invoiced_stands_where_the_invoice_is_missing(house: House) -> None:
    assert here(house, "A3") == "Invoices and credit memos in Intacct"
    outcome = stations(house, "A3")["Outcome"]
    assert outcome["state"] == "wrong"
    assert any(line.startswith("open item ") and "2026-09 r1" in line for line in outcome["evidence"])


def test_it_is_found_by_number_by_the_shops_id_and_not_by_nonsense(house: House) -> None:
    assert tracing.trace_order(house, "B1")["orders"][0]["entity_code" if False else "order_ref"] == "B1"
    with pytest.raises(InputError, match="is known"):
        tracing.trace_order(house, "'; DROP TABLE core.orders; --")


def test_the_terminal_and_json_carry_the_same_chain(house: House) -> None:
    found = tracing.trace_order(house, "A3")
    text = as_text(found)
    assert text.count("you are here") == 1
    for one in chain(found):
        assert one["title"] in text
        assert one["state"] in STATES
        assert all(line in text for line in one["evidence"])
    json.dumps(chain(found))


def test_the_page_is_self_contained_and_marks_the_place(house: House, tmp_path: Path) -> None:
    found = tracing.trace_order(house, "A3")
    tracing.render(house, found, tmp_path / "a3.html")
    page = (tmp_path / "a3.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://|<script|<link", page)
    assert page.count('aria-current="step"') == 1
    found["orders"][0]["order_number"] = found["orders"][0]["store_ref"] = "<script>alert(1)</script>"
    tracing.render(house, found, tmp_path / "x.html")
    assert "<script>" not in (tmp_path / "x.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="could not be written"):
        tracing.render(house, found, tmp_path / "no" / "x.html")
