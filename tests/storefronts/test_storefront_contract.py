"""One suite over all kinds of storefronts: the same world in, the same core rows out to the cent; and what any of them must survive.

What a platform cannot say stands with its kind (`cannot_tell`); everything else is compared, and what is declared must be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from shopfronts import KINDS, RENEWED, Shop, house_of, shop_of, without_waiting

from flows.extract import extract
from flows.stage import stage
from flows.storefronts import KINDS as SERVED
from tieout.connectors.paging import Window
from tieout.errors import ConnectorError
from tieout.sandbox.world.catalog import GIFT
from tieout.sandbox.world.orders import by_card_or_credit, tenders_of_header
from tieout.sandbox.world.telling import DEFAULT
from tieout.vocabulary import MONEY_MOVES

pytestmark = pytest.mark.usefixtures("kept_attached")

ORDERS = 100
LINES = ("item", "gift_card", "fee")
OTHERS = tuple(kind for kind in KINDS if kind != DEFAULT)
KEYED = ("xcart", "xcart_addon")
"""Kinds signed in to by a key that does not end."""
AFTER_A_CHANGE = ("core.returns", "core.reductions")
"""What X-Cart fills from the difference between two versions of an order; see test_storefront_more.py."""

PAID_BY_PAYMENT = {"commercetools": ("core.order_tenders",), "clarity": ("core.order_tenders",)}
"""What these stand-ins tell as payments; how their tenders stage is in test_staging_tenders.py."""


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


@pytest.fixture
def courier_of(told: dict[str, Shop], kind: str, tmp_path: Path) -> Iterator[Callable[[], object]]:
    """Fresh couriers of a kind with small pages, signed in by tokens that end where it has them."""
    shop = told[kind]
    settings = {kind: RENEWED.get(kind, {}), "every": {"page_size": 20}}
    yield lambda: house_of(tmp_path, shop.rehearsal, [kind], **settings).storefront(kind)
    shop.rehearsal.board.clear()


def says(kind: str, name: str) -> bool:
    """Whether a kind can tell a table, or a column of one."""
    return name not in SERVED[kind].cannot_tell


def numbered(told: dict[str, Shop], kind: str, other: str) -> pl.DataFrame:
    """Orders of `kind` by number, once each: those with a number whose payload is sound on both sides, and that both have words for."""

    def sound(name: str) -> pl.DataFrame:
        whole = (
            told[name]
            .core("orders")
            .filter(pl.col("problem").is_null(), pl.col("order_number").is_not_null())
        )
        return whole.sort("order_number", "order_ref").unique(
            "order_number", keep="first", maintain_order=True
        )

    return sound(kind).join(
        sound(other).select("order_number"), on="order_number", how="semi", maintain_order="left"
    )


def pair(told: dict[str, Shop], other: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The orders of the default storefront and of another, side by side."""
    left, right = numbered(told, DEFAULT, other), numbered(told, other, DEFAULT)
    assert left.height == right.height > told[other].core("orders").height * 0.9
    return left, right


def unlike(left: pl.DataFrame, right: pl.DataFrame, name: str) -> list[dict[str, object]]:
    """Rows in which a column differs."""
    differs = left[name].ne_missing(right[name])
    return [
        {"here": a, "there": b}
        for a, b in zip(left.filter(differs)[name], right.filter(differs)[name], strict=True)
    ]


# --- the same world ---------------------------------------------------------------------------------------------
def test_everything_is_read_and_nothing_went_wrong(told: dict[str, Shop], kind: str) -> None:
    first = told[kind].first  # type: ignore[attr-defined]
    assert first["errors"] == []
    assert first["read"] == first["new"] > 30
    world, orders = told[kind].rehearsal.world, told[kind].core("orders")
    assert set(orders["order_ref"]) == {world.order(line.index).ref for line in world.told_by(kind)}
    grosses = {world.order(line.index).ref: world.order(line.index).gross for line in world.told_by(kind)}
    sound = orders.filter(pl.col("problem").is_null())
    assert sound.height > orders.height * 0.9
    wrong = [row for row in sound.select("order_ref", "total_minor").iter_rows() if grosses[row[0]] != row[1]]
    # One order's storefront total was changed after the world had told it: a planted difference.
    assert len(wrong) <= 1, wrong


def tendered(told: dict[str, Shop], other: str) -> pl.DataFrame:
    """By order number, what the default storefront states as a payment by gift card (`used`) and the other as a tender of the order."""
    shop = told[DEFAULT]
    left, right = pair(told, other)
    as_tender = right.filter(pl.col("tender_minor") != 0).select("order_number")
    named = shop.core("order_payments").select("payment_ref", "order_ref")
    cards = shop.core("payments").filter(tender_code=GIFT.method, kind_code="charge", state_code="success")
    return (
        cards.drop("order_ref")
        .join(named, on="payment_ref")
        .join(left.select("order_ref", "order_number"), on="order_ref")
        .join(as_tender, on="order_number")
        .group_by("order_number")
        .agg(pl.col("payment_ref").first(), used=pl.col("amount_minor").sum())
    )


def test_gift_cards_and_credit_used_come_through_as_tender(told: dict[str, Shop]) -> None:
    """Magento states them as figures of the order (REST reference 2.4.8): some orders in part, some whole."""
    used = tendered(told, "magento").join(told["magento"].core("orders"), on="order_number")
    assert used["used"].equals(used["tender_minor"])
    whole = used["due_minor"] == 0
    assert whole.any()
    assert not whole.all()
    # Each order's tenders are those of the world, kind by kind: a guest has no balance, and some pay with both.
    shop = told["magento"]
    world = shop.rehearsal.world
    wanted = {
        (one.number, word.method, minor)
        for line in world.told_by("magento")
        if (one := world.order(line.index)).number in used["order_number"].to_list()
        for word, _, minor in tenders_of_header(one, by_card_or_credit(one))
    }
    rows = shop.core("order_tenders").join(
        shop.core("orders").select("order_ref", "order_number"), on="order_ref"
    )
    assert set(rows.select("order_number", "tender_code", "amount_minor").iter_rows()) == wanted
    assert {word for _, word, _ in wanted} == {"GiftCard", "StoreCredit"}
    assert len(wanted) > len({number for number, _, _ in wanted})


@pytest.mark.parametrize("other", OTHERS)
def test_orders_are_the_same_to_the_cent(told: dict[str, Shop], other: str) -> None:
    left, right = pair(told, other)
    left = left.join(
        tendered(told, other), on="order_number", how="left", maintain_order="left"
    ).with_columns(
        tender_minor=pl.col("tender_minor") + pl.col("used").fill_null(0),
        due_minor=pl.col("due_minor") - pl.col("used").fill_null(0),
    )
    amounts = [name for name in left.columns if name.endswith("_minor")]
    for name in (*amounts, "currency", "tax_included", "is_taxed", "is_test", "customer_email"):
        if says(other, f"core.orders.{name}"):
            assert unlike(left, right, name) == [], name
    # What a discount takes off may stand in either of two places, and comes to the same.
    net = [
        one.select(v=pl.col("goods_minor") + pl.col("gift_card_minor") + pl.col("discount_minor"))
        for one in (left, right)
    ]
    assert unlike(net[0], net[1], "v") == []
    whole = [one.with_columns(pl.col("placed_at", "shipped_at").dt.truncate("1s")) for one in (left, right)]
    assert unlike(whole[0], whole[1], "placed_at") == []
    if says(other, "core.orders.shipped_at"):
        assert unlike(whole[0], whole[1], "shipped_at") == []


def lines_of(told: dict[str, Shop], kind: str, orders: pl.DataFrame) -> pl.DataFrame:
    """Rows of goods and fees that carry goods or money: a tax the payload states for the order only has a row of its own."""
    named = orders.select("storefront", "order_ref", "order_number")
    rows = told[kind].core("order_lines").join(named, on=["storefront", "order_ref"])
    return (
        rows.filter(
            pl.col("kind_code").is_in(LINES) & (pl.col("sku").is_not_null() | (pl.col("net_minor") != 0))
        )
        # The price of a fee is its amount, which some platforms do not say twice.
        .with_columns(pl.when(pl.col("kind_code") != "fee").then("unit_price"))
        .sort("order_number", "kind_code", "sku", "quantity", "net_minor", nulls_last=True)
    )


@pytest.mark.parametrize("other", OTHERS)
def test_lines_are_the_same_to_the_cent(told: dict[str, Shop], other: str) -> None:
    left, right = (
        lines_of(told, one, orders) for one, orders in zip((DEFAULT, other), pair(told, other), strict=True)
    )
    assert left.height == right.height > 50
    for name in ("order_number", "kind_code", "sku", "quantity", "unit_price", "category_ref", "currency"):
        if says(other, f"core.order_lines.{name}"):
            assert unlike(left, right, name) == [], name
    if says(other, "core.orders.goods_minor"):
        assert unlike(left, right, "net_minor") == []


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
    # A row of nothing but tax holds no piece: no shipment will ever name it, and yet it is owed.
    bare = shop.core("order_lines").filter(
        pl.col("kind_code").is_in(LINES) & pl.col("sku").is_null() & (pl.col("net_minor") == 0)
    )
    assert bare.filter(pl.col("quantity") != 0).is_empty()
    assert orders.filter(pl.col("total_minor") - pl.col("tender_minor") != pl.col("due_minor")).is_empty()


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_money_moved_for_the_same_orders(told: dict[str, Shop], other: str) -> None:
    by_card = tendered(told, other)

    def moves(kind: str, orders: pl.DataFrame) -> pl.DataFrame:
        shop = told[kind]
        named = shop.core("order_payments").select("payment_ref", named="order_ref")
        return (
            shop.core("payments")
            .filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES))
            .join(named, on="payment_ref", how="left")
            .with_columns(order_ref=pl.coalesce("order_ref", "named"))
            .join(orders.select("order_ref", "order_number"), on="order_ref")
            .filter(
                (pl.col("tender_code") != GIFT.method)
                | ~pl.col("order_number").is_in(by_card["order_number"].to_list())
            )
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

    left, right = (
        moves(one, orders) for one, orders in zip((DEFAULT, other), pair(told, other), strict=True)
    )
    assert left.height > 20
    if not says(other, "core.payments.gateway_ref"):
        charges = pl.when(pl.col("kind_code") == "charge").then("gateway_ref").alias("gateway_ref")
        left, right = (one.with_columns(charges).sort(pl.all()) for one in (left, right))
    assert left.equals(right, null_equal=True)


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_goods_left_and_came_back(told: dict[str, Shop], other: str) -> None:
    def moved(kind: str, orders: pl.DataFrame, table: str, *instants: str) -> pl.DataFrame:
        shop = told[kind]
        lines = shop.core("order_lines").select("order_ref", "line_ref", line_sku="sku")
        return (
            shop.core(table)
            .join(lines, on=["order_ref", "line_ref"])
            .join(orders.select("order_ref", "order_number"), on="order_ref")
            .select(
                "order_number", "line_sku", "quantity", *(pl.col(one).dt.truncate("1s") for one in instants)
            )
            .sort(pl.all())
        )

    sides = list(zip((DEFAULT, other), pair(told, other), strict=True))
    dated = ("shipped_at",) if says(other, "core.shipments.shipped_at") else ()
    for table, instants, least in (("shipments", dated, 20), ("returns", (), 1)):
        if table == "returns" and other in KEYED:
            continue  # these show what came back by a smaller order, and this world's were told once
        left, right = (moved(one, orders, table, *instants) for one, orders in sides)
        assert left.height >= least
        assert left.equals(right), table


@pytest.mark.parametrize("other", OTHERS)
def test_the_same_people_and_the_same_shelves(told: dict[str, Shop], other: str) -> None:
    people = [
        name
        for name in ("customer_number", "name", "email", "company", "city", "postal_code", "country_code")
        if says(other, f"core.customers.{name}")
    ]
    assert "email" in people
    left, right = (told[kind].core("customers").select(people).sort(people) for kind in (DEFAULT, other))
    assert left.equals(right, null_equal=True), (
        left.join(right, on=left.columns, how="anti", nulls_equal=True).to_dicts(),
        right.join(left, on=left.columns, how="anti", nulls_equal=True).to_dicts(),
    )
    shelf = [name for name in ("sku", "location_ref") if says(other, f"core.stock.{name}")]
    left, right = (told[kind].core("stock") for kind in (DEFAULT, other))
    assert left.select(shelf).unique().sort(shelf).equals(right.select(shelf).unique().sort(shelf))
    if says(other, "core.stock.on_hand_qty"):
        shelf.append("on_hand_qty")
        assert left.select(shelf).sort(shelf).equals(right.select(shelf).sort(shelf))
    held = {
        (one["sku"], one.get("location", "")): one.get("amount", one.get("quantityAvailable"))
        for one in told[other].rehearsal.storefront_named(other).web_stock()
    }
    figures = right.select("sku", "location_ref", pl.col("on_hand_qty").cast(pl.Int64))
    assert (
        says(other, "core.stock.on_hand_qty")
        or {(sku, at): count for sku, at, count in figures.iter_rows()} == held
    )


@pytest.mark.parametrize("other", OTHERS)
def test_what_a_kind_says_it_cannot_tell_it_does_not_tell(told: dict[str, Shop], other: str) -> None:
    """A statement that is no longer true would hide a column from this suite."""
    orders = pair(told, other)
    frames = {
        "core.orders": orders,
        "core.order_lines": tuple(
            lines_of(told, one, two) for one, two in zip((DEFAULT, other), orders, strict=True)
        ),
    }
    for name, why in SERVED[other].cannot_tell.items():
        layer, table, *column = name.split(".")
        assert why.endswith("."), name
        if not column:
            assert told[other].core(table).is_empty(), name
        elif f"{layer}.{table}" in frames:
            assert unlike(*frames[f"{layer}.{table}"], column[0]) != [], name
        else:
            left, right = (set(told[one].core(table)[column[0]]) for one in (DEFAULT, other))
            assert left != right, name


def test_a_table_that_is_filled_is_said_to_be_and_no_other(told: dict[str, Shop], kind: str) -> None:
    tables = {table for one in SERVED.values() for table in one.tables} - {"core.payout_lines"}
    filled = {table for table in tables if told[kind].core(table.removeprefix("core.")).height}
    late = {*(AFTER_A_CHANGE if kind in KEYED else ()), *PAID_BY_PAYMENT.get(kind, ())}
    assert filled | late == set(SERVED[kind].tables)
    assert not filled & set(SERVED[kind].cannot_tell)


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
    """Back-filled in two windows in the wrong order, staged once: the same orders as read at once."""
    rehearsal = told[kind].rehearsal
    house = house_of(tmp_path, rehearsal, [kind])
    cut = rehearsal.clock().replace(month=9, day=20)
    for number, span in enumerate([Window(cut, None), Window(None, cut)]):
        assert extract(house, run_id=f"window-{number}", window=span)["errors"] == []
    stage(house, run_id="staged")
    other = Shop(rehearsal, house, (kind,))
    for table, key in (
        ("orders", ["order_ref"]),
        ("order_lines", ["order_ref", "line_ref"]),
        ("payments", ["payment_ref", "transaction_ref"]),
    ):
        piecewise, whole = (one.core(table).drop("run_id").sort(key) for one in (other, told[kind]))
        assert piecewise.equals(whole, null_equal=True), table


# --- faults of the line -----------------------------------------------------------------------------------------
FAULTS = (
    {"kind": "throttle", "times": 2, "seconds": 1},
    {"kind": "unavailable", "times": 2},
    {"kind": "server_error", "times": 1},
    {"kind": "truncate", "times": 1, "after": 1},
    {"kind": "wrong_charset", "times": 1, "after": 1},
    {"kind": "garbage", "times": 1, "after": 1},
    {"kind": "cut_after", "times": 1, "after": 1},
    {"kind": "repeat_page", "times": 1, "after": 1},
    {"kind": "expire_token", "times": 1, "after": 2},
)


def read_whole(courier: object) -> dict[str, bytes]:
    """Every order a courier reads, by native id."""
    pages = courier.read("orders", Window())  # type: ignore[attr-defined]
    return {record.native_ref: record.payload for page in pages for record in page.records}


def test_a_passing_fault_costs_nothing(
    told: dict[str, Shop], kind: str, courier_of: Callable[[], object]
) -> None:
    board = told[kind].rehearsal.board
    whole = read_whole(courier_of())
    assert len(whole) == told[kind].core("orders").height
    for fault in FAULTS:
        if fault["kind"] == "expire_token" and kind in KEYED:
            continue
        board.add({"app": kind, **fault})
        assert read_whole(courier_of()) == whole, fault["kind"]
        assert not board.listing(), f"{fault['kind']} never struck"


def test_a_page_that_repeats_for_ever_ends_with_a_sentence(
    told: dict[str, Shop], kind: str, courier_of: Callable[[], object]
) -> None:
    told[kind].rehearsal.board.add({"app": kind, "kind": "repeat_forever", "after": 1})
    with pytest.raises(ConnectorError, match="orders"):
        read_whole(courier_of())


# --- several at once --------------------------------------------------------------------------------------------
def test_one_that_is_down_never_stops_the_others_and_each_order_is_told_once(tmp_path: Path) -> None:
    """Every second kind is down, then the others; what was missed is made up for."""
    with shop_of(tmp_path, KINDS, orders=60) as shop:
        board, world = shop.rehearsal.board, shop.rehearsal.world
        for down in (set(KINDS[::2]), set(KINDS[1::2])):
            for name in down:
                board.add({"app": name, "kind": "unavailable", "times": None})
            done = shop.extract()
            board.clear()
            assert {one["source"] for one in done["sources"] if "error" in one} == down
            fresh = {one["source"] for one in done["sources"] if one["new"] and one["subject"] == "orders"}
            assert fresh == set(KINDS) - down
        assert shop.extract()["errors"] == []
        shop.stage()
        orders = shop.core("orders")
        assert orders.height == world.size
        for name in KINDS:
            refs = {world.order(line.index).ref for line in world.told_by(name)}
            assert len(refs) > world.size // (4 * len(KINDS))
            assert refs == set(orders.filter(pl.col("storefront") == name)["order_ref"].to_list())


# --- last, because it changes the shops ---------------------------------------------------------------------------
def test_what_changed_is_read_and_nothing_else(told: dict[str, Shop], kind: str) -> None:
    shop = told[kind]
    order = next(
        shop.core("orders")
        .filter((pl.col("status_code") == "open") | (pl.col("status_code") == "processing"))
        .filter(pl.col("problem").is_null())
        .sort("order_ref")
        .iter_rows(named=True)
    )
    edits = kind in (DEFAULT, "magento")
    what = {"op": "order_edited", "delta_minor": 100} if edits else {"op": "order_cancelled"}
    shop.rehearsal.storefront_named(kind).tamper(
        {**what, "order_ref": order["order_ref"]}, shop.rehearsal.clock.ms()
    )
    done = shop.extract()
    assert (next(one["new"] for one in done["sources"] if one["subject"] == "orders"), done["errors"]) == (
        1,
        [],
    )
    shop.stage()
    after = shop.core("orders").filter(pl.col("order_ref") == order["order_ref"]).row(0, named=True)
    assert after["revision"] > order["revision"]
    if edits:
        assert after["total_minor"] == order["total_minor"] + 100
        assert after["goods_minor"] == order["goods_minor"] + 100
    else:
        assert after["status_code"] == "cancelled"
