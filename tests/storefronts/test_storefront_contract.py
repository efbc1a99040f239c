"""One suite over all kinds of storefronts: the same world in, the same core rows out to the cent; and what any of them must survive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from shopfronts import KINDS, RENEWED, Shop, house_of, shop_of, without_waiting

from flows.extract import extract
from flows.stage import stage
from flows.storefronts import KINDS as SERVED
from tieout.connectors.paging import Window
from tieout.sandbox.world.telling import DEFAULT
from tieout.vocabulary import MONEY_MOVES

ORDERS = 120
LINES = ("item", "gift_card", "fee")
OTHERS = tuple(kind for kind in KINDS if kind != DEFAULT)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Retries do not wait."""
    with without_waiting():
        yield


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shop]]:
    """The same world told whole by each kind alone, extracted and staged once."""
    found: dict[str, Shop] = {}
    managers = []
    for kind in KINDS:
        manager = shop_of(tmp_path_factory.mktemp(kind), [kind], orders=ORDERS)
        shop = manager.__enter__()
        managers.append(manager)
        shop.first = shop.extract()  # type: ignore[attr-defined]
        shop.stage()
        found[kind] = shop
    yield found
    for manager in managers:
        manager.__exit__(None, None, None)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A small world told by all kinds at once, for tests that break something."""
    with shop_of(tmp_path_factory.mktemp("small"), KINDS, orders=60) as shop:
        yield shop


@pytest.fixture
def fresh(small: Shop, kind: str, tmp_path: Path) -> Iterator[Shop]:
    """The small world as it was at the start, read by a house of its own that knows one kind."""
    small.rehearsal.reset()
    yield Shop(
        small.rehearsal, house_of(tmp_path, small.rehearsal, [kind], **{kind: RENEWED.get(kind, {})}), (kind,)
    )
    small.rehearsal.board.clear()


def orders_of(shop: Shop, *columns: str) -> pl.DataFrame:
    """Orders by number, with instants in whole seconds: some platforms keep no more."""
    whole = shop.core("orders").filter(pl.col("order_number").is_not_null()).sort("order_number", "order_ref")
    return whole.select("order_number", *(pl.col(name) for name in columns))


def common(told: dict[str, Shop], kind: str) -> list[str]:
    """Numbers of the orders that this kind has words for and whose payload is sound on both sides."""
    here = told[kind].core("orders").filter(pl.col("problem").is_null())["order_number"].to_list()
    there = told[DEFAULT].core("orders").filter(pl.col("problem").is_null())["order_number"].drop_nulls()
    both = sorted(set(here) & set(there.to_list()))
    assert len(both) > ORDERS * 0.7
    return both


# --- the same world ---------------------------------------------------------------------------------------------
def test_everything_is_read_and_nothing_went_wrong(told: dict[str, Shop], kind: str) -> None:
    first = told[kind].first  # type: ignore[attr-defined]
    assert first["errors"] == []
    assert first["read"] == first["new"] > ORDERS
    world = told[kind].rehearsal.world
    assert told[kind].core("orders").height == sum(1 for _ in world.told_by(kind))


@pytest.mark.parametrize("other", OTHERS)
def test_orders_are_the_same_to_the_cent(told: dict[str, Shop], other: str) -> None:
    amounts = [name for name in told[DEFAULT].core("orders").columns if name.endswith("_minor")]
    numbers = common(told, other)
    columns = (*amounts, "currency", "tax_included", "is_taxed", "is_test", "customer_email")
    left, right = (
        orders_of(told[kind], *columns)
        .filter(pl.col("order_number").is_in(numbers))
        .unique("order_number", maintain_order=True)
        for kind in (DEFAULT, other)
    )
    for name in columns:
        unlike = left.filter(left[name].ne_missing(right[name]))
        assert unlike.is_empty(), f"{name}: {unlike.select('order_number', name).head(3).to_dicts()}"


@pytest.mark.parametrize("other", OTHERS)
def test_lines_are_the_same_to_the_cent(told: dict[str, Shop], other: str) -> None:
    numbers = common(told, other)

    def lines(kind: str) -> pl.DataFrame:
        orders = told[kind].core("orders").select("storefront", "order_ref", "order_number")
        return (
            told[kind]
            .core("order_lines")
            .filter(pl.col("kind_code").is_in(LINES))
            .join(orders, on=["storefront", "order_ref"])
            .filter(pl.col("order_number").is_in(numbers))
            .select("order_number", "kind_code", "sku", "quantity", "net_minor", "unit_price", "currency")
            .with_columns(pl.when(pl.col("kind_code") != "fee").then("unit_price"))
            .sort("order_number", "kind_code", "sku", "net_minor", "quantity", nulls_last=True)
        )

    assert lines(DEFAULT).equals(lines(other), null_equal=True)


@pytest.mark.parametrize("kind_of", KINDS)
def test_lines_sum_to_their_order(told: dict[str, Shop], kind_of: str) -> None:
    shop = told[kind_of]
    sums = (
        shop.core("order_lines")
        .group_by("order_ref")
        .agg(lines=pl.sum_horizontal(pl.col("net_minor", "discount_minor", "tax_minor").sum()))
    )
    orders = shop.core("orders").filter(pl.col("problem").is_null())
    parts = pl.sum_horizontal(
        f"{part}_minor" for part in ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
    )
    wrong = orders.join(sums, on="order_ref").filter(
        (pl.col("lines") != pl.col("total_minor")) | (parts != pl.col("total_minor"))
    )
    assert wrong.is_empty(), wrong.select("order_number", "lines", "total_minor").head(3).to_dicts()
    assert orders.filter(pl.col("total_minor") - pl.col("tender_minor") != pl.col("due_minor")).is_empty()


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_money_moved_for_the_same_orders(told: dict[str, Shop], other: str) -> None:
    numbers = common(told, other)

    def moves(kind: str) -> pl.DataFrame:
        shop = told[kind]
        orders = shop.core("orders").select("order_ref", "order_number")
        named = shop.core("order_payments").select("payment_ref", named="order_ref")
        return (
            shop.core("payments")
            .filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES))
            .join(named, on="payment_ref", how="left")
            .with_columns(order_ref=pl.coalesce("order_ref", "named"))
            .join(orders, on="order_ref")
            .filter(pl.col("order_number").is_in(numbers))
            .select(
                "order_number",
                "kind_code",
                "gateway_ref",
                "currency",
                "amount_minor",
                pl.col("occurred_at").dt.truncate("1s"),
            )
            .sort(pl.all())
        )

    assert moves(DEFAULT).height > 50
    assert moves(DEFAULT).equals(moves(other), null_equal=True)


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_goods_left_and_came_back(told: dict[str, Shop], other: str) -> None:
    numbers = common(told, other)

    def moved(kind: str, table: str, *instants: str) -> pl.DataFrame:
        shop = told[kind]
        lines = shop.core("order_lines").select("order_ref", "line_ref", line_sku="sku")
        orders = shop.core("orders").select("order_ref", "order_number")
        return (
            shop.core(table)
            .join(lines, on=["order_ref", "line_ref"])
            .join(orders, on="order_ref")
            .filter(pl.col("order_number").is_in(numbers))
            .select(
                "order_number", "line_sku", "quantity", *(pl.col(one).dt.truncate("1s") for one in instants)
            )
            .sort(pl.all())
        )

    for table, instants in (("shipments", ("shipped_at",)), ("returns", ())):
        if f"core.{table}" in SERVED[other].tables:
            assert moved(DEFAULT, table, *instants).height >= 3
            assert moved(DEFAULT, table, *instants).equals(moved(other, table, *instants)), table


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_people_and_the_same_shelves(told: dict[str, Shop], other: str) -> None:
    people = ("customer_number", "name", "email", "company", "city", "postal_code", "country_code")
    left, right = (told[kind].core("customers").select(people).sort(people) for kind in (DEFAULT, other))
    assert left.equals(right, null_equal=True)
    shelf = ("sku", "location_ref", "on_hand_qty")
    left, right = (told[kind].core("stock").select(shelf).sort(shelf) for kind in (DEFAULT, other))
    assert left.equals(right)


def test_a_table_that_is_filled_is_said_to_be_and_no_other(told: dict[str, Shop], kind: str) -> None:
    tables = {table for one in SERVED.values() for table in one.tables}
    filled = {table for table in tables if told[kind].core(table.removeprefix("core.")).height}
    assert filled == set(SERVED[kind].tables)


# --- again ------------------------------------------------------------------------------------------------------
def test_a_second_extract_lands_nothing_and_staging_changes_nothing(told: dict[str, Shop], kind: str) -> None:
    shop = told[kind]
    before = {
        table: shop.core(table).drop("run_id") for table in ("orders", "order_lines", "payments", "shipments")
    }
    again = shop.extract()
    assert (again["new"], again["errors"]) == (0, [])
    shop.stage()
    for table, frame in before.items():
        key = frame.columns[:4]
        assert frame.sort(key).equals(shop.core(table).drop("run_id").sort(key), null_equal=True), table


def test_window_by_window_is_the_same_as_all_at_once(
    told: dict[str, Shop], kind: str, tmp_path: Path
) -> None:
    """Back-filled in two windows in the wrong order: the same orders as read at once."""
    rehearsal = told[kind].rehearsal
    house = house_of(tmp_path, rehearsal, [kind])
    now = rehearsal.clock()
    cut = now.replace(month=9, day=20)
    spans = [Window(cut, None), Window(None, cut)]
    for number, span in enumerate(spans):
        done = extract(house, run_id=f"window-{number}", window=span)
        assert done["errors"] == []
        stage(house, run_id=f"window-{number}-staged")
    with house.warehouse.read() as session:
        piecewise = session.fetch("core.orders").drop("run_id").sort("order_ref")
        lines = session.fetch("core.order_lines").drop("run_id").sort("order_ref", "line_ref")
        payments = session.fetch("core.payments").drop("run_id").sort("payment_ref", "transaction_ref")
    assert piecewise.equals(told[kind].core("orders").drop("run_id").sort("order_ref"), null_equal=True)
    assert lines.equals(
        told[kind].core("order_lines").drop("run_id").sort("order_ref", "line_ref"), null_equal=True
    )
    whole = told[kind].core("payments").drop("run_id").sort("payment_ref", "transaction_ref")
    assert payments.equals(whole, null_equal=True)


def test_what_changed_is_read_and_nothing_else(fresh: Shop, kind: str) -> None:
    assert fresh.extract()["errors"] == []
    fresh.stage()
    order = next(
        fresh.core("orders")
        .filter(pl.col("status_code") != "cancelled")
        .sort("order_ref")
        .iter_rows(named=True)
    )
    fresh.rehearsal.storefront_named(kind).tamper(
        {"op": "order_edited", "order_ref": order["order_ref"], "delta_minor": 100},
        fresh.rehearsal.clock.ms(),
    )
    done = fresh.extract()
    assert (done["new"], done["errors"]) == (1, [])
    fresh.stage()
    after = fresh.core("orders").filter(pl.col("order_ref") == order["order_ref"]).row(0, named=True)
    assert after["total_minor"] == order["total_minor"] + 100
    assert after["goods_minor"] == order["goods_minor"] + 100
    assert after["revision"] > order["revision"]


# --- faults of the line -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttle", "times": 2, "seconds": 1},
        {"kind": "unavailable", "times": 2},
        {"kind": "server_error", "times": 1},
        {"kind": "truncate", "times": 1, "after": 1},
        {"kind": "wrong_charset", "times": 1, "after": 1},
        {"kind": "garbage", "times": 1, "after": 1},
        {"kind": "cut_after", "times": 1, "after": 1},
        {"kind": "repeat_page", "times": 1, "after": 1},
        {"kind": "expire_token", "times": 1, "after": 2},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_passing_fault_costs_nothing(fresh: Shop, kind: str, fault: dict[str, object]) -> None:
    fresh.rehearsal.board.add({"app": kind, **fault})
    done = fresh.extract()
    assert done["errors"] == []
    assert not fresh.rehearsal.board.listing(), "the fault never struck"
    told_by = sum(1 for _ in fresh.rehearsal.world.told_by(kind))
    assert next(one["new"] for one in done["sources"] if one["subject"] == "orders") == told_by


def test_a_page_that_repeats_for_ever_ends_with_a_sentence(fresh: Shop, kind: str) -> None:
    fresh.rehearsal.board.add({"app": kind, "kind": "repeat_forever", "match": "orders"})
    house = house_of(fresh.house.settings.folder / "small", fresh.rehearsal, [kind], every={"page_size": 7})
    done = extract(house, run_id="stuck")
    assert done["exit_code"] != 0
    assert any("orders" in one for one in done["errors"]), done["errors"]
    fresh.rehearsal.board.clear()
    assert extract(house, run_id="mended")["errors"] == []


def test_a_storefront_that_is_down_never_stops_the_others(small: Shop, kind: str, tmp_path: Path) -> None:
    small.rehearsal.reset()
    small.rehearsal.board.add({"app": kind, "kind": "unavailable", "times": None})
    done = extract(house_of(tmp_path, small.rehearsal, KINDS), run_id="without-one")
    small.rehearsal.board.clear()
    assert {one["source"] for one in done["sources"] if "error" in one} == {kind}
    assert {one["source"] for one in done["sources"] if one["new"]} == set(KINDS) - {kind}


# --- several at once --------------------------------------------------------------------------------------------
def test_each_order_is_told_by_exactly_one_storefront(small: Shop) -> None:
    small.rehearsal.reset()
    assert small.extract()["errors"] == []
    small.stage()
    orders, world = small.core("orders"), small.rehearsal.world
    assert orders.height == world.size
    for name in KINDS:
        refs = {world.order(line.index).ref for line in world.told_by(name)}
        assert len(refs) > world.size // (4 * len(KINDS))
        assert refs == set(orders.filter(pl.col("storefront") == name)["order_ref"].to_list())
