"""What must hold of available-to-web whatever the figures: never negative, never more than on hand, never less safe for a larger
buffer, the same in any order of arrival, and the same in SQL."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
from drawn import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from flows.views import all_views
from transforms.stock.available import StockPolicy, WebStock, web_stock

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
ITEMS = ("A", "B", "C", "D")
SHOPS = ("one", "two")
PLACES = (("w1", "EAST"), ("w2", "WEST"))
VIEW = next(view.sql for view in all_views() if view.name == "web_stock_proof")

quantities = st.integers(-50_000, 3_000_000).map(lambda n: Decimal(n).scaleb(-4))
small = st.integers(0, 400_000).map(lambda n: Decimal(n).scaleb(-4))
percents = st.one_of(st.none(), st.integers(0, 1_000_000).map(lambda n: str(Decimal(n).scaleb(-4))))


@dataclass(frozen=True)
class Shop:
    """A drawn world of stock."""

    ledger: pl.DataFrame
    listed: pl.DataFrame
    warehouses: pl.DataFrame
    buffers: pl.DataFrame
    items: pl.DataFrame
    kits: pl.DataFrame
    shares: pl.DataFrame
    pending: pl.DataFrame
    policy: StockPolicy

    def stock(self, **changed: Any) -> WebStock:
        """Available to web."""
        one = {**self.__dict__, **changed}
        found = web_stock(
            one["ledger"], one["listed"], one["warehouses"], one["buffers"], one["policy"], as_of=NOW, run_id="r",
            items=one["items"], kits=one["kits"], shares=one["shares"], pending=one["pending"],
        )  # fmt: skip
        for name, frame in (("out.web_stock", found.rows), ("out.web_stock_parts", found.parts)):
            ALL[name].checked(ALL[name].shaped(frame), at="in a property")
        return found


def framed(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    contract = ALL[table]
    return contract.shaped(
        pl.DataFrame(
            rows, schema={n: t for n, t in contract.polars_schema.items() if not rows or n in rows[0]}
        )
        if rows
        else contract.empty()
    )


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    ledger = [
        {
            "source": "intacct", "sku": item, "location_ref": warehouse, "on_hand_qty": draw(quantities),
            "allocated_qty": draw(st.one_of(st.none(), small)),
            "as_of_at": NOW - timedelta(minutes=draw(st.sampled_from([1, 100, 500]))), "run_id": "r",
        }
        for item in ITEMS for _, warehouse in PLACES if draw(st.integers(0, 5))
    ]  # fmt: skip
    listed = [
        {
            "source": shop, "sku": sku, "location_ref": place, "native_ref": f"{shop}{sku}{place}", "version_no": 1,
            "on_hand_qty": draw(small), "reserved_qty": draw(small) if shop == "one" else None,
            "as_of_at": NOW - timedelta(minutes=1), "run_id": "r",
        }
        for shop in SHOPS for sku in (*ITEMS, "A6", "KIT") for place, _ in PLACES if draw(st.booleans())
    ]  # fmt: skip
    buffers = [
        {
            "storefront": shop, "location_ref": place, "class_ref": group, "sku": sku,
            "percent": draw(percents), "units": draw(st.one_of(st.none(), st.integers(0, 9).map(str))), "note": None,
        }
        for shop, place, group, sku in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["*", *SHOPS]), st.sampled_from(["*", "w1"]), st.sampled_from(["*", "g1"]),
                    st.sampled_from(["*", "A*", "A", "KIT"]),
                ),
                max_size=5, unique=True,
            )
        )
    ]  # fmt: skip
    items = [
        {"storefront": "*", "sku": "A6", "mode": "map", "item_ref": "A", "category_ref": "g1", "pack_qty": draw(st.sampled_from(["6", "0.5", "2.5"])), "note": None},
        {"storefront": "*", "sku": "*", "mode": "map", "item_ref": "*", "category_ref": "g2", "pack_qty": None, "note": None},
    ]  # fmt: skip
    kits = [
        {"storefront": "*", "sku": "KIT", "component_ref": item, "component_qty": str(draw(st.integers(1, 4))), "note": None}
        for item in ("B", "C")
    ]  # fmt: skip
    shares = []
    if draw(st.booleans()):
        first = draw(st.integers(0, 100))
        shares = [
            {"warehouse_ref": "EAST", "storefront": "one", "policy": "share", "share_percent": str(first), "keep_qty": None, "note": None},
            {"warehouse_ref": "EAST", "storefront": "two", "policy": "share", "share_percent": str(100 - first), "keep_qty": None, "note": None},
            {"warehouse_ref": "WEST", "storefront": "two", "policy": "priority", "share_percent": None, "keep_qty": str(draw(st.integers(0, 40))), "note": None},
        ]  # fmt: skip
    pending = pl.DataFrame(
        [{"storefront": "two", "sku": sku, "pending_qty": draw(small)} for sku in ("A", "KIT")],
        schema={"storefront": pl.String, "sku": pl.String, "pending_qty": pl.Decimal(18, 4)},
    )
    warehouses = drawn(
        ALL["mappings.warehouses"],
        """
        storefront | location_ref | mode | warehouse_ref
        one        | w1           | map  | EAST
        one        | w2           | map  | WEST
        two        | w1           | map  | EAST
        two        | w2           | map  | WEST
        """,
    )
    policy = StockPolicy(
        percent=draw(st.integers(0, 300_000).map(lambda n: Decimal(n).scaleb(-4))),
        stale=draw(st.sampled_from(["raise_buffer", "stop"])),
        allocated_includes_web=draw(st.booleans()),
    )
    return Shop(
        framed("core.stock", ledger), framed("core.stock", listed), warehouses, framed("mappings.buffers", buffers),
        framed("mappings.items", items), framed("mappings.kits", kits), framed("mappings.stock_shares", shares), pending, policy,
    )  # fmt: skip


quickly = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@quickly
@given(shops(), st.randoms(use_true_random=False))
def test_never_negative_never_more_than_on_hand_and_the_same_in_any_order(
    shop: Shop, rng: random.Random
) -> None:
    found = shop.stock()
    rows = found.rows
    assert rows.filter((pl.col("available_qty") < 0) | (pl.col("publish_qty") < 0)).is_empty()
    above = pl.col("available_qty").cast(pl.Decimal(38, 4)) * pl.col("per_piece_qty") > pl.col(
        "on_hand_qty"
    ).clip(0)
    assert rows.filter(above).is_empty()

    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        order = list(range(frame.height))
        rng.shuffle(order)
        return frame[order]

    names = ("ledger", "listed", "warehouses", "buffers", "items", "kits", "shares", "pending")
    again = shop.stock(**{name: shuffled(getattr(shop, name)) for name in names})
    assert again.rows.equals(rows)
    assert again.parts.equals(found.parts)


@quickly
@given(shops())
def test_the_same_by_the_view_in_sql(shop: Shop) -> None:
    found = shop.stock()
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA out")
        for name, frame in (("web_stock", found.rows), ("web_stock_parts", found.parts)):
            con.register(f"given_{name}", frame.to_arrow())
            con.execute(f"CREATE TABLE out.{name} AS FROM given_{name}")
        proof = con.sql(VIEW).fetchall()
    assert len(proof) == found.rows.height
    assert [row for row in proof if row[-1] != 0] == []


@quickly
@given(shops(), st.integers(0, 300_000), st.integers(0, 300_000))
def test_a_larger_buffer_never_offers_more(shop: Shop, one: int, more: int) -> None:
    def offered(percent: int) -> pl.DataFrame:
        wide = StockPolicy(percent=Decimal(percent).scaleb(-4), oldest=None)
        rows = shop.stock(policy=wide, buffers=ALL["mappings.buffers"].empty()).rows
        return rows.select("storefront", "sku", "location_ref", "available_qty")

    both = offered(one).join(
        offered(one + more),
        on=["storefront", "sku", "location_ref"],
        how="full",
        suffix="_more",
        coalesce=True,
    )
    assert both.filter(pl.col("available_qty_more") > pl.col("available_qty")).is_empty()
    assert both.null_count().sum_horizontal().item() == 0


@quickly
@given(shops())
def test_what_two_storefronts_are_given_by_shares_is_never_more_than_there_is(shop: Shop) -> None:
    if shop.shares.is_empty():
        return
    offered = (
        shop.stock().parts.filter((pl.col("warehouse_ref") == "EAST") & (pl.col("sku") == pl.col("item_ref")))
        .group_by("item_ref").agg(
            pieces=pl.col("pieces_qty").sum(),
            free=pl.max_horizontal(pl.col("on_hand_qty").first() - pl.col("allocated_qty").first() - pl.col("held_qty").first(), pl.lit(0)),
        )
    )  # fmt: skip
    assert offered.filter(pl.col("pieces").cast(pl.Decimal(38, 4)) > pl.col("free")).is_empty()
