"""Whole nights of every kind of storefront over one ledger: five over HTTP that share one world, and a counter's files.

One of them is down in the first night, and nobody else notices; it is made up for in the second; the third writes nothing anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.demos.verdict import actual_findings, expected_findings, ledger_against_outbox
from flows.demos.world import WORLD_SECRETS, known_storefronts, prepare
from flows.nightly import nightly
from flows.storefronts import KINDS
from flows.wiring import House
from tieout.connectors.http import Http
from tieout.sandbox.rehearsal import Rehearsal
from tieout.settings import load

pytestmark = pytest.mark.usefixtures("kept_attached")

DOWN = "clarity"
COUNTER = """
[storefronts.counter]
kind = "files"
cutoff = "placed"
paths = { orders = "counter/orders.csv", lines = "counter/lines.csv", payments = "counter/payments.csv" }

[checks]
expectations = false
"""
SALES = {
    "orders": "order_number,placed_at,store,currency,total,status\n"
    "T-1,2026-10-05T09:00:00Z,till,USD,43.55,complete\n"
    "T-2,2026-10-06T10:00:00Z,till,USD,21.78,complete\n"
    "T-3,2026-10-07T11:00:00Z,till,USD,oops,complete\n",
    "lines": "order_number,sku,quantity,net,tax\n"
    "T-1,MUG-1,2,40.00,3.55\nT-2,MUG-1,1,20.00,1.78\nT-3,MUG-1,1,20.00,1.78\n",
    "payments": "payment_ref,order_number,paid_at,amount,currency,method\n"
    "till-1,T-1,2026-10-05T09:01:00Z,43.55,USD,CreditCard\ntill-2,T-2,2026-10-06T10:01:00Z,21.78,USD,CreditCard\n",
}
MAPPED = {
    "stores": "counter,till,map,E100,100,,T,GUEST-US-USD,,",
    "items": "counter,MUG-*,map,MUG-*,c1,,",
    "taxes": "counter,tax,map,2200,,,",
    "tenders": "counter,E100,CreditCard,map,CLR-CARD-US,Credit Card,",
}


def counter(folder: Path) -> None:
    """The files of a counter, one amount of which cannot be read, and what finance maps for it."""
    (folder / "counter").mkdir()
    for subject, text in SALES.items():
        (folder / "counter" / f"{subject}.csv").write_text(text, encoding="utf-8")
    for name, row in MAPPED.items():
        with (folder / "mappings" / f"{name}.csv").open("a", encoding="utf-8") as file:
            file.write(row + "\n")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("nights")
    patch = pytest.MonkeyPatch()
    patch.setitem(Http.__init__.__kwdefaults__, "sleep", lambda _: None)
    # At this size every storefront has sales, receipts and credits, and every fault is planted once.
    with Rehearsal(7, 260, only=[*known_storefronts(), "intacct"]) as rehearsal:
        config = prepare(folder, rehearsal.addresses())
        config.write_text(config.read_text(encoding="utf-8") + COUNTER, encoding="utf-8")
        counter(folder)
        house = House(settings=load(config), environment=dict(WORLD_SECRETS), clock=rehearsal.clock)
        rehearsal.board.add({"app": DOWN, "kind": "unavailable", "times": None})
        first = nightly(house)
        rehearsal.board.clear()
        without = posted(house)
        second = nightly(house)
        books = rehearsal.gateway.ledger()
        third = nightly(house)
        yield SimpleNamespace(
            rehearsal=rehearsal,
            house=house,
            first=first,
            second=second,
            third=third,
            without=without,
            books=books,
        )
    patch.undo()


def posted(house: House) -> Counter[str]:
    """Documents accepted so far, by storefront."""
    with house.warehouse.read() as session:
        accepted = session.fetch("ops.outbox", where={"state_code": "accepted"}, columns=["document_id"])
        return Counter(
            session.fetch("out.documents").join(accepted, on="document_id")["storefront"].to_list()
        )


def test_every_kind_there_is_takes_part(nights: SimpleNamespace) -> None:
    assert {front.kind for front in nights.house.settings.storefronts.values()} == set(KINDS)


def test_one_that_is_down_is_told_and_never_stops_the_others(nights: SimpleNamespace) -> None:
    told = nights.first["problems"]
    assert told
    assert all(DOWN in one for one in told)
    assert set(nights.without) == set(nights.house.settings.storefronts) - {DOWN}


def test_it_is_made_up_for_in_the_next_night(nights: SimpleNamespace) -> None:
    assert nights.second["problems"] == []
    after = posted(nights.house)
    assert after[DOWN] > 10
    with nights.house.warehouse.read() as session:
        owed = session.fetch("recon.owed", columns=["storefront", "event_code"])
    for name in nights.house.settings.storefronts:
        events = set(owed.filter(owed["storefront"] == name)["event_code"])
        assert events == ({"sale", "receipt"} if name == "counter" else {"sale", "receipt", "credit"}), name


def test_every_planted_fault_is_found_and_none_invented(nights: SimpleNamespace) -> None:
    expected = expected_findings(nights.rehearsal.answer_key()) | {("amount_not_exact", "T-3")}
    actual = actual_findings(nights.house)
    assert sorted(expected - actual) == []
    assert sorted(actual - expected) == []


def test_the_ledger_holds_each_document_once(nights: SimpleNamespace) -> None:
    doubled, lost = ledger_against_outbox(nights.house, nights.books)
    assert (doubled, lost) == ([], [])
    invoices = Counter(one["recordid"] for one in nights.books["invoices"])
    assert invoices["TT-1"] == invoices["TT-2"] == 1
    assert invoices["TT-3"] == 0


def test_the_third_night_writes_nothing_anywhere(nights: SimpleNamespace) -> None:
    stages = nights.third["stages"]
    assert nights.third["problems"] == []
    # Only figures that are taken anew each night are new: stock, and what the ledger says of the stock.
    assert {one["subject"] for one in stages["extract"]["sources"] if one.get("new")} <= {
        "stock_totals", "inventory", "source_items", "products",
    }  # fmt: skip
    assert stages.get("post", {}).get("posted", 0) == 0
    assert stages["stock"]["published"] == 0
    assert stages["writeback"]["written"] == 0
    now = nights.rehearsal.gateway.ledger()
    assert [name for name in now if name != "metered" and now[name] != nights.books[name]] == []
