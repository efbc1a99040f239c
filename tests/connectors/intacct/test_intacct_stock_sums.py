"""Stock summed from movements against totals that are summed already: one ledger, two ways, the same figures; and sums that fall short."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tieout.connectors.intacct import stock_sums
from tieout.connectors.intacct.gateway import Intacct
from tieout.errors import Incomplete, MalformedReply
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import Gateway
from tieout.sandbox.server import Server

ITEMS = [f"MUG-{number}" for number in range(1, 8)]


class World:
    """The stand-in gateway and what is asked of it."""

    def __init__(self) -> None:
        now = datetime(2026, 11, 2, 3, tzinfo=UTC)
        board = FaultBoard()
        self.gateway = Gateway(Company.load(), board, lambda: now)
        self.server = Server(self.gateway, 0, board)
        self.kept: list[object] = []

    def connect(self) -> Intacct:
        return Intacct(
            endpoint=f"{self.server.url}/ia/xml/xmlgw.phtml",
            sender_id="tieout_mpp",
            sender_password="demo-sender-secret",
            company_id="TIEOUTDEMO",
            user_id="sync",
            user_password="demo-user-secret",
            archive=self.kept.append,
        )


@pytest.fixture
def world():
    made = World()
    with made.server:
        yield made


def stocked(world, seed: int = 3) -> None:
    """Stock that was moved several times over, up and down, in parts of a piece, in several warehouses; some of it to nothing."""
    draw = random.Random(seed)
    books = world.gateway.books
    warehouses = sorted(books.company.warehouses)
    for item in ITEMS:
        books.create("ITEM", {"ITEMID": item, "NAME": item, "ITEMTYPE": "Inventory"}, None)
        for place in warehouses:
            for _ in range(draw.randint(0, 4)):
                figures = [f"{Decimal(draw.randint(0, 4000)) / 100}" for _ in range(3)]
                books.set_stock(item, place, *figures)
    books.set_stock(ITEMS[0], warehouses[0], "0")


def figures(rows) -> dict[tuple[str, str, str], Decimal]:
    return {
        (str(row["WAREHOUSEID"]), str(row["ITEMID"]), str(row["TOTALNAME"])): Decimal(str(row["QUANTITY"]))
        for row in rows
        if Decimal(str(row["QUANTITY"]))
    }


def test_both_ways_give_the_same_figures_of_one_ledger(world) -> None:
    stocked(world)
    client = world.connect()
    totals = figures(client.stock_totals())
    assert len(totals) > 20
    calls = len(world.kept)
    assert figures(client.stock_from_movements()) == totals
    assert len(world.kept) - calls == 5  # two counts, one page of sums, the warehouses and their count


@pytest.mark.parametrize("page_size", [10, 25, 50])
def test_sums_that_do_not_fit_a_page_are_asked_for_by_fewer_items(world, page_size: int) -> None:
    stocked(world)
    client = world.connect()
    found = client.stock_from_movements(page_size=page_size)
    keys = [(row["WAREHOUSEID"], row["ITEMID"], row["TOTALNAME"]) for row in found]
    assert keys == sorted(set(keys))
    assert figures(found) == figures(client.stock_totals())


def test_an_item_with_more_sums_than_a_page_is_said_to_be(world) -> None:
    stocked(world)
    with pytest.raises(Incomplete, match=r"item MUG-\d has more sums"):
        world.connect().stock_from_movements(page_size=1)


def test_an_empty_ledger_has_no_sums(world) -> None:
    assert world.connect().stock_from_movements() == []


def test_sums_that_do_not_come_to_the_count_are_not_believed(world, monkeypatch) -> None:
    stocked(world)
    asked = []
    whole = stock_sums._sums

    def short(*arguments):
        asked.append(1)
        return whole(*arguments)[1:]

    monkeypatch.setattr(stock_sums, "_sums", short)
    with pytest.raises(Incomplete, match="its sums stand for"):
        world.connect().stock_from_movements()
    assert len(asked) == stock_sums.WALKS


@pytest.mark.parametrize(
    "row",
    [{"QUANTITY": "1"}, {"QUANTITY": "a lot", "COUNT.ITEMID": "1"}, {"QUANTITY": "NaN", "COUNT.ITEMID": "1"}],
)
def test_a_sum_that_is_none_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(MalformedReply):
        stock_sums._sum({"ITEMID": "A", **row})


def test_stock_without_a_known_warehouse_is_refused(world, monkeypatch) -> None:
    stocked(world)
    monkeypatch.setattr(stock_sums, "proved_pages", lambda *_, **__: iter(()))
    with pytest.raises(Incomplete, match="warehouses that cannot be read"):
        world.connect().stock_from_movements()
