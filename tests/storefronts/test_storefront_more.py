"""Beyond the suite over all kinds: stock written and read one by one, and X-Cart orders that shrink when goods come back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from shopfronts import Shop, shop_of, without_waiting

from flows.planning.owing import trade
from flows.storefronts import KINDS as SERVED
from tieout.sandbox.world.orders import by_card_or_credit
from transforms.postings.applications import tendered

pytestmark = pytest.mark.usefixtures("kept_attached")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Retries do not wait."""
    with without_waiting():
        yield


@pytest.fixture(scope="module", params=["xcart", "xcart_addon", "clarity"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A small world told by one kind alone, extracted and staged once."""
    with shop_of(tmp_path_factory.mktemp(request.param), [request.param], orders=12) as shop:
        assert shop.extract()["errors"] == []
        shop.stage()
        yield shop


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
def test_goods_that_came_back_shrink_the_order_and_owe_a_credit_memo_once(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data" / "mappings", tmp_path / "data" / "mappings")
    with shop_of(tmp_path, [name], orders=30) as shop:
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


def test_gift_cards_and_store_credit_used_owe_receipts_from_accounts_of_their_own(tmp_path: Path) -> None:
    """Magento states them as figures of the order (REST reference 2.4.8): tender of it, received when its sale counts, once."""
    shutil.copytree(ROOT / "data" / "mappings", tmp_path / "data" / "mappings")
    with shop_of(tmp_path, ["magento"], orders=60) as shop:
        assert shop.extract()["errors"] == []
        shop.stage()
        orders = shop.core("orders").filter(pl.col("tender_minor") != 0)
        world = shop.rehearsal.world
        used = {
            one.ref: by_card_or_credit(one)
            for line in world.told_by("magento")
            if (one := world.order(line.index))
        }
        assert dict(orders.select("order_ref", "tender_minor").iter_rows()) == {
            ref: minor for ref, minor in used.items() if minor
        }
        with shop.house.warehouse.read() as session:
            owed = trade(shop.house, session).owed.owed
    receipts = owed.filter(event_code="receipt")
    shipped = orders.filter(pl.col("shipped_at").is_not_null())
    of_tender = receipts.filter(pl.col("payment_ref").is_null()).join(orders, on="order_ref", suffix="_of")
    sums = of_tender.group_by("order_ref", "tender_minor").agg(pl.col("total_minor").sum())
    assert sorted(sums["order_ref"]) == sorted(shipped["order_ref"])
    assert (sums["total_minor"] == sums["tender_minor"]).all()
    assert (of_tender["owed_at"] == of_tender["shipped_at"]).all()
    named = of_tender.with_columns(document_id=pl.concat_str("order_ref", "event_ref"))
    rows = tendered(named, shop.house.mappings["tenders"])
    of_tender = named.join(rows, on="document_id")
    # Each kind has an account of its own, and some orders were paid with both.
    accounts = {word: set(some["account_ref"]) for (word,), some in of_tender.group_by("tender_code")}
    assert set(accounts) == {"GiftCard", "StoreCredit"}
    assert accounts["GiftCard"] <= {"CLR-GIFT-US", "CLR-GIFT-EU"}
    assert accounts["StoreCredit"] <= {"CLR-CREDIT-US", "CLR-CREDIT-EU"}
    # Tender and what went through the gateway make up the whole of each order.
    paid = receipts.join(shipped, on="order_ref").group_by("order_ref").agg(pl.col("total_minor").sum())
    assert (
        paid.join(shipped, on="order_ref")
        .select((pl.col("total_minor") == pl.col("total_minor_right")).all())
        .item()
    )
