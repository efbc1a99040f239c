"""A whole night of several storefronts that share one world and one ledger: every planted fault found, and a second night writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from flows.demo import WORLD_SECRETS, actual_findings, expected_findings, ledger_against_outbox, prepare
from flows.nightly import nightly
from flows.wiring import House
from tieout.sandbox.rehearsal import Rehearsal
from tieout.settings import load

STOREFRONTS = ("commercetools", "magento")


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("nights")
    # At this size every fault is planted once, and the tax that is rounded on the total is an order of Magento.
    with Rehearsal(7, 260, only=[*STOREFRONTS, "intacct"]) as rehearsal:
        config = prepare(folder, rehearsal.addresses())
        config.write_text(
            config.read_text(encoding="utf-8") + "\n[checks]\nexpectations = false\n", encoding="utf-8"
        )
        house = House(settings=load(config), environment=dict(WORLD_SECRETS), clock=rehearsal.clock)
        first = nightly(house)
        books = rehearsal.gateway.ledger()
        second = nightly(house)
        yield SimpleNamespace(rehearsal=rehearsal, house=house, first=first, second=second, books=books)


def test_the_first_night_posts_for_every_storefront(two_nights: SimpleNamespace) -> None:
    assert two_nights.first["problems"] == []
    with two_nights.house.warehouse.read() as session:
        owed = session.fetch("recon.owed", columns=["storefront", "event_code"])
    for name in ("shop", "magento"):
        assert owed.filter(owed["storefront"] == name)["event_code"].n_unique() == 3, name


def test_every_planted_fault_is_found_and_none_invented(two_nights: SimpleNamespace) -> None:
    expected = expected_findings(two_nights.rehearsal.answer_key())
    actual = actual_findings(two_nights.house)
    assert ("rounding", "18") in expected
    assert sorted(expected - actual) == []
    assert sorted(actual - expected) == []


def test_the_ledger_holds_each_document_once(two_nights: SimpleNamespace) -> None:
    doubled, lost = ledger_against_outbox(two_nights.house, two_nights.books)
    assert (doubled, lost) == ([], [])


def test_the_second_night_writes_nothing_anywhere(two_nights: SimpleNamespace) -> None:
    stages = two_nights.second["stages"]
    assert two_nights.second["problems"] == []
    assert stages["extract"]["new"] == 0 or {
        one["subject"] for one in stages["extract"]["sources"] if one.get("new")
    } <= {"stock_totals", "CUSTOMER", "ARINVOICE", "ARINVOICEITEM", "ARADJUSTMENT", "ARADJUSTMENTITEM", "ARPYMT", "ARPYMTDETAIL", "GLENTRY",
          "inventory", "source_items"}  # fmt: skip
    assert stages.get("post", {}).get("posted", 0) == 0
    assert stages["stock"]["published"] == 0
    now = two_nights.rehearsal.gateway.ledger()
    assert [name for name in now if name != "metered" and now[name] != two_nights.books[name]] == []
