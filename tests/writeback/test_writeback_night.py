"""A night that writes back, against the stand-ins: the shop shows what the books hold, and the second night writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from night import NightClock, World, house_at, lay_out, steps

from flows.wiring import House
from tieout.connectors.paging import Page

pytestmark = pytest.mark.usefixtures("kept_attached")

STAGES = ("extract", "stage", "check", "plan", "post", "extract", "stage", "writeback")
AGAIN = ("extract", "stage", "plan", "writeback")
FIELDS = ["order.document", "order.paid_state", "order.status", "price", "customer.account"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("world"), orders=40)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def told(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, dict[str, Any]]:
    config = lay_out(tmp_path_factory.mktemp("house"), world.addresses)
    text = config.read_text(encoding="utf-8")
    line = f'kind = "commercetools"\nsync_channel = "intacct"\nwrites_back = {FIELDS}\n'.replace("'", '"')
    text = text.replace('kind = "commercetools"\n', line) + '\n[ownership]\norder_status = "intacct"\n'
    config.write_text(text, encoding="utf-8")
    house = house_at(config, NightClock(world.addresses["now"]))
    return house, steps(house, *STAGES)["writeback"]


def records(house: House, subject: str) -> dict[str, dict[str, Any]]:
    import msgspec

    courier = house.storefront("shop")
    pages: Iterator[Page] = courier.read(subject)
    return {one.native_ref: msgspec.json.decode(one.payload) for page in pages for one in page.records}


def test_the_shop_shows_the_numbers_the_books_hold(told: tuple[House, dict[str, Any]], world: World) -> None:
    house, summary = told
    assert summary["errors"] == []
    assert summary["refused"] == 0, summary
    assert summary["written"] > 40
    numbers = {one["recordid"] for one in (*world.ledger()["invoices"], *world.ledger()["adjustments"])}
    noted = {
        number
        for order in records(house, "orders").values()
        for entry in order["syncInfo"]
        for number in entry["externalId"].split(", ")
    }
    assert noted
    assert noted <= numbers
    with house.warehouse.read() as session:
        writes = session.fetch("ops.writes")
        outbox = session.fetch("ops.outbox", where={"state_code": "accepted"}).join(
            session.fetch("out.documents", columns=["document_id", "kind_code", "number"]), on="document_id"
        )
    posted = set(outbox.filter(pl.col("kind_code").is_in(["invoice", "credit_memo"]))["number"])
    assert posted <= noted
    # Orders that are shipped whole are complete in the shop already: nothing to tell.
    assert set(writes["field"]) == {*FIELDS} - {"order.status"}
    accounts = {one.get("externalId") for one in records(house, "customers").values()} - {None}
    assert accounts == set(outbox.filter(pl.col("kind_code") == "customer")["number"]) & accounts
    assert accounts


def test_paid_orders_are_paid_in_the_shop(told: tuple[House, dict[str, Any]]) -> None:
    house, _ = told
    orders = records(house, "orders")
    with house.warehouse.read() as session:
        writes = session.fetch("ops.writes")
    for field, member in (("order.paid_state", "paymentState"), ("order.status", "orderState")):
        mine = writes.filter((pl.col("field") == field) & pl.col("outcome").is_in(["written", "unchanged"]))
        assert all(
            orders[ref][member] == after for ref, after in mine.select("subject_ref", "after").iter_rows()
        )


def test_the_next_night_writes_nothing_and_reads_what_it_wrote_without_owing_anything_new(
    told: tuple[House, dict[str, Any]],
) -> None:
    house, _ = told
    again = steps(house, *AGAIN)
    assert (again["writeback"]["planned"], again["writeback"]["written"]) == (0, 0)
    assert again["extract"]["new"] > 0  # the shop's own records changed by what we wrote
    assert again["plan"]["planned"] == 0
