"""X-Cart in both generations and Clarity from their stand-ins through extract and stage: again, by windows, changed, shrunk, down.

They have no words for some of what the suite over all kinds compares (see `tieout.sandbox.world.telling`), so what they share with the
others is proved here on their own terms.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import shopfronts
from shopfronts import Shop, house_of, shop_of, without_waiting

from flows.extract import extract
from flows.owing import trade
from flows.stage import stage
from flows.storefronts import KINDS as SERVED
from tieout.connectors.paging import Window

ROOT = Path(__file__).resolve().parents[2]
MORE = {
    "xcart": lambda at: {
        "api_url": at["api_url"],
        "api_key": "env:XCART_KEY",
        "shared_tax": "split",
        "stores": {"USD": "us-web", "EUR": "eu-web", "JPY": "jp-web", "KWD": "kw-web"},
    },
    "xcart_addon": lambda at: {
        "shop_url": at["shop_url"], "api_key": "env:XCART_ADDON_KEY", "currency": "USD", "store": "us-web",
    },
    "clarity": lambda at: {
        "api_url": at["api_url"], "client_id": at["client_id"], "client_secret": "env:CLARITY_SECRET",
    },
}  # fmt: skip
SECRETS = {
    "XCART_KEY": "demo-xcart-key",
    "XCART_ADDON_KEY": "demo-addon-key",
    "CLARITY_SECRET": "demo-clarity-secret",
}
TABLES = ("orders", "order_lines", "payments", "shipments", "returns", "customers")


@pytest.fixture(scope="module", autouse=True)
def joined() -> Iterator[None]:
    """These kinds are known to the builders of shops for the length of this module."""
    patch = pytest.MonkeyPatch()
    patch.setattr(shopfronts, "SETTINGS", {**shopfronts.SETTINGS, **MORE})
    patch.setattr(shopfronts, "SECRETS", {**shopfronts.SECRETS, **SECRETS})
    with without_waiting():
        yield
    patch.undo()


@pytest.fixture(scope="module", params=sorted(MORE))
def told(
    request: pytest.FixtureRequest, joined: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A small world told by one kind alone, extracted and staged once."""
    with shop_of(tmp_path_factory.mktemp(request.param), [request.param], orders=50) as shop:
        shop.first = shop.extract()  # type: ignore[attr-defined]
        shop.stage()
        yield shop


def held(shop: Shop) -> dict[str, pl.DataFrame]:
    """What core holds, in a stable order and without run ids."""
    found = {}
    for table in TABLES:
        frame = shop.core(table).drop("run_id")
        found[table] = frame.sort(frame.columns[:4])
    return found


def test_every_order_of_the_world_arrives_sound(told: Shop) -> None:
    kind = told.names[0]
    assert told.first["errors"] == []  # type: ignore[attr-defined]
    world = told.rehearsal.world
    orders = told.core("orders")
    assert set(orders["order_ref"]) == {world.order(line.index).ref for line in world.told_by(kind)}
    assert orders["problem"].null_count() == orders.height > 15
    totals = {world.order(line.index).ref: world.order(line.index).gross for line in world.told_by(kind)}
    assert dict(orders.select("order_ref", "total_minor").rows()) == totals
    filled = {f"core.{table}" for table in TABLES if told.core(table).height}
    assert filled <= set(SERVED[kind].tables)
    assert told.core("stock").height > 0


def test_a_second_extract_lands_nothing_new_and_staging_changes_nothing(told: Shop) -> None:
    before = held(told)
    again = told.extract()
    assert (again["new"], again["errors"]) == (0, [])
    told.stage()
    assert all(frame.equals(held(told)[table], null_equal=True) for table, frame in before.items())


def test_windows_in_the_wrong_order_and_a_rebuild_make_the_same_core(told: Shop, tmp_path: Path) -> None:
    house = house_of(tmp_path, told.rehearsal, told.names)
    cut = told.rehearsal.clock().replace(month=9, day=25)
    for number, span in enumerate([Window(cut, None), Window(None, cut)]):
        assert extract(house, run_id=f"w{number}", window=span)["errors"] == []
        stage(house, run_id=f"s{number}")
    stage(house, run_id="again", full=True)
    other = Shop(told.rehearsal, house, told.names)
    for table, frame in held(told).items():
        assert frame.equals(held(other)[table], null_equal=True), table


def test_stock_is_published_through_the_kind(told: Shop) -> None:
    kind = SERVED[told.names[0]]
    courier = told.house.storefront(told.names[0])
    row = told.core("stock").sort("sku", "location_ref").row(0, named=True)
    wanted = int(row["on_hand_qty"]) + 4
    write = {"sku": row["sku"], "location_ref": row["location_ref"], "publish_qty": wanted, "native_ref": row["native_ref"],
             "version_no": None, "current_qty": int(row["on_hand_qty"])}  # fmt: skip
    done = [next(iter(kind.write_stock(courier, [write]))) for _ in range(2)]
    assert [(one.outcome, one.after_qty) for one in done] == [("written", wanted), ("unchanged", wanted)]
    assert list(kind.read_stock(courier, [write])) == [wanted]


@pytest.mark.parametrize("name", ["xcart", "xcart_addon"])
def test_goods_that_came_back_shrink_the_order_and_owe_a_credit_memo_once(
    name: str, joined: None, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "data" / "mappings", tmp_path / "data" / "mappings")
    with shop_of(tmp_path, [name], orders=60) as shop:
        assert shop.extract()["errors"] == []
        shop.stage()
        stand_in = shop.rehearsal.storefront_named(name)
        ref = next(
            str(one)
            for one in stand_in.shop.newest()
            if (found := stand_in.shop.find(one)).shipping in "SD" and found.amounts[0] > 1 and found.payment == "P"
            and found.subtotals[0] > 500
        )  # fmt: skip
        sold = shop.core("orders").filter(order_ref=ref)["total_minor"].item()
        order = {"op": "goods_returned", "order_ref": ref, "row": 0, "pieces": 1, "refunded": True}
        taken = stand_in.tamper(order, shop.rehearsal.clock.ms() + 60_000)["taken_minor"]
        assert shop.extract()["errors"] == []
        for full in (False, True):
            shop.stage(full=full)
            assert shop.core("orders").filter(order_ref=ref)["total_minor"].item() == sold
            assert shop.core("reductions").select("order_ref", "amount_minor").rows() == [(ref, taken)]
        with shop.house.warehouse.read() as session:
            credits = trade(shop.house, session).owed.owed.filter(order_ref=ref, event_code="credit")
        assert credits["total_minor"].to_list() == [-taken]


def test_one_that_is_down_does_not_stop_the_others(joined: None, tmp_path: Path) -> None:
    names = sorted(MORE)
    with shop_of(tmp_path, names, orders=60) as shop:
        shop.fault("xcart", "unavailable", times=None)
        done = shop.extract()
        assert {one["source"] for one in done["sources"] if "error" in one} == {"xcart"}
        assert {one["source"] for one in done["sources"] if one["new"]} == {"clarity", "xcart_addon"}
        shop.rehearsal.board.clear()
        assert shop.extract()["errors"] == []
        shop.stage()
        told_by = {name: sum(1 for _ in shop.rehearsal.world.told_by(name)) for name in names}
        assert dict(shop.core("orders").group_by("storefront").len().rows()) == told_by
