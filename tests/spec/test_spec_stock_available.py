"""Available to web, against drawn cases and against the same formula as plain SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from drawn import drawn, shown

from checks.contracts import ALL
from transforms.stock.available import StockPolicy, available_to_web

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
POLICY = StockPolicy()
WAREHOUSES = drawn(
    ALL["mappings.warehouses"],
    """
    storefront | location_ref | mode   | warehouse_ref
    shop       | wh-east      | map    | EAST
    shop       | wh-old       | ignore | -
    """,
)
NO_BUFFERS = ALL["mappings.buffers"].empty()


def intacct(text: str) -> pl.DataFrame:
    return drawn(
        ALL["core.stock"], text, source="intacct", location_ref="EAST", as_of_at=NOW - timedelta(hours=1)
    )


def web(text: str, location: str = "wh-east") -> pl.DataFrame:
    return drawn(
        ALL["core.stock"], text, source="shop", location_ref=location, as_of_at=NOW - timedelta(minutes=5)
    )


def computed(
    ledger: pl.DataFrame, shop: pl.DataFrame, buffers: pl.DataFrame = NO_BUFFERS, policy: StockPolicy = POLICY
) -> pl.DataFrame:
    found = available_to_web(ledger, shop, WAREHOUSES, buffers, policy, as_of=NOW, run_id="r")
    return ALL["out.web_stock"].checked(found, at="in a test")


def test_on_hand_less_allocated_less_buffer_and_reservations_counted_once() -> None:
    ledger = intacct(
        """
        sku | on_hand_qty | allocated_qty
        A   | 100         | 10
        B   | 101         | 0
        C   | 5           | 9
        D   | 10          | 0
        E   | 0           | 0
        """
    )
    shop = web(
        """
        sku | native_ref | version_no | on_hand_qty | reserved_qty
        A   | a          | 3          | 90          | 7
        B   | b          | 1          | 92          | 0
        C   | c          | 1          | 4           | 2
        D   | d          | 1          | 9           | 20
        E   | e          | 1          | 0           | 0
        """
    )
    found = computed(ledger, shop)
    assert shown(found, "sku", "buffer_qty", "available_qty", "current_qty", "publish_qty", "is_changed") == [
        ("A", Decimal(8), 75, 90, 82, True),
        ("B", Decimal(9), 92, 92, 92, False),
        ("C", Decimal(1), 0, 4, 2, True),
        ("D", Decimal(1), 0, 9, 20, True),
        ("E", Decimal(0), 0, 0, 0, False),
    ]


def test_where_allocations_hold_web_orders_they_are_not_subtracted_again() -> None:
    ledger = intacct("sku | on_hand_qty | allocated_qty\nA | 100 | 17")
    shop = web("sku | native_ref | on_hand_qty | reserved_qty\nA | a | 90 | 7")
    found = computed(ledger, shop, policy=replace(POLICY, allocated_includes_web=True))
    assert shown(found, "available_qty", "publish_qty") == [(75, 82)]


def test_the_buffer_row_with_the_fewest_stars_wins() -> None:
    buffers = drawn(
        ALL["mappings.buffers"],
        """
        storefront | location_ref | sku    | percent | units
        *          | *            | *      | 5       | -
        shop       | *            | LMP-*  | 10      | -
        shop       | wh-east      | LMP-*  | -       | 3
        shop       | wh-east      | LMP-2  | 7.5     | -
        """,
    )
    ledger = intacct("sku | on_hand_qty\nMUG-1 | 100\nLMP-1 | 100\nLMP-2 | 101")
    shop = web("sku | native_ref | on_hand_qty\nMUG-1 | a | 0\nLMP-1 | b | 0\nLMP-2 | c | 0")
    found = computed(ledger, shop, buffers)
    assert shown(found, "sku", "buffer_qty", "buffer_rule") == [
        ("LMP-1", Decimal(3), "buffers.csv shop/wh-east/LMP-*"),
        ("LMP-2", Decimal(8), "buffers.csv shop/wh-east/LMP-2"),
        ("MUG-1", Decimal(5), "buffers.csv */*/*"),
    ]


def test_fractions_of_a_piece_are_not_sold() -> None:
    found = computed(
        intacct("sku | on_hand_qty | allocated_qty\nA | 10.5 | 0.25"),
        web("sku | native_ref | on_hand_qty\nA | a | 0"),
    )
    assert shown(found, "buffer_qty", "available_qty") == [(Decimal(1), 9)]


def test_a_missing_row_is_created_and_an_unmapped_or_unknown_one_is_left_alone_with_a_reason() -> None:
    ledger = intacct("sku | on_hand_qty\nA | 100")
    shop = pl.concat(
        [
            web("sku | native_ref | on_hand_qty\nA | x | 3", "wh-west"),
            web("sku | native_ref | on_hand_qty\nB | y | 4"),
            web("sku | native_ref | on_hand_qty\nA | z | 4", "wh-old"),
        ]
    )
    found = computed(ledger, shop)
    assert shown(found, "sku", "location_ref", "native_ref", "publish_qty", "is_changed") == [
        ("A", "wh-east", None, 92, True),
        ("A", "wh-west", "x", 3, False),
        ("B", "wh-east", "y", 4, False),
    ]
    reasons = dict(shown(found, "location_ref", "hold_reason", by=["location_ref", "sku"])[1:])
    assert "shop,wh-west,map,<warehouse>," in reasons["wh-west"]


@pytest.mark.parametrize(("stale", "buffer", "changed"), [("raise_buffer", 20, True), ("stop", 8, False)])
def test_an_old_figure_raises_the_buffer_or_stops_publication(stale: str, buffer: int, changed: bool) -> None:
    ledger = intacct("sku | on_hand_qty\nA | 100").with_columns(
        as_of_at=pl.lit(NOW - timedelta(hours=5)).cast(pl.Datetime("us", "UTC"))
    )
    found = computed(
        ledger, web("sku | native_ref | on_hand_qty\nA | a | 0"), policy=replace(POLICY, stale=stale)
    )  # type: ignore[arg-type]
    assert shown(found, "buffer_qty", "is_changed") == [(Decimal(buffer), changed)]
    assert (found["hold_reason"][0] is None) == changed


def test_only_the_newest_figure_counts_and_none_from_the_future() -> None:
    old = intacct("sku | on_hand_qty\nA | 50").with_columns(
        as_of_at=pl.lit(NOW - timedelta(hours=3)).cast(pl.Datetime("us", "UTC"))
    )
    future = intacct("sku | on_hand_qty\nA | 999").with_columns(
        as_of_at=pl.lit(NOW + timedelta(hours=3)).cast(pl.Datetime("us", "UTC"))
    )
    found = computed(
        pl.concat([future, old, intacct("sku | on_hand_qty\nA | 100")]),
        web("sku | native_ref | on_hand_qty\nA | a | 0"),
    )
    assert found["on_hand_qty"].to_list() == [Decimal(100)]


def test_a_sku_stands_for_the_item_its_mapping_names() -> None:
    items = drawn(
        ALL["mappings.items"],
        """
        storefront | sku    | mode   | item_ref
        shop       | MUG-*  | map    | M-*
        shop       | GIFT-* | ignore | -
        """,
    )
    shop = web("sku | native_ref | on_hand_qty\nMUG-1 | a | 0\nGIFT-1 | g | 0")
    found = available_to_web(
        intacct("sku | on_hand_qty\nM-1 | 100"),
        shop,
        WAREHOUSES,
        NO_BUFFERS,
        POLICY,
        as_of=NOW,
        run_id="r",
        items=items,
    )
    assert shown(found, "sku", "available_qty") == [("MUG-1", 92)]


TWIN = """
with priced as (
  select s.sku, i.on_hand_qty h, i.allocated_qty a, s.reserved_qty r, s.on_hand_qty c,
         ceil(greatest(i.on_hand_qty, 0) * b.percent / 100) buffer
  from shop s join ledger i using (sku) join percents b using (sku))
select sku, cast(buffer as bigint) as buffer, cast(greatest(floor(h - a - r) - buffer, 0) as bigint) as available,
       cast(greatest(floor(h - a - r) - buffer, 0) + ceil(r) as bigint) as publish
from priced order by sku
"""


def test_the_same_as_plain_sql_on_five_thousand_items() -> None:
    n = 5000
    spread = pl.int_range(n, eager=True)
    skus = ("S" + spread.cast(pl.String)).alias("sku")
    quantity = pl.Decimal(18, 4)
    ledger = pl.DataFrame(
        {
            "sku": skus,
            "on_hand_qty": (spread * 7919 % 1001 - 40).cast(quantity),
            "allocated_qty": (spread * 31 % 77).cast(quantity),
        }
    )
    shop = pl.DataFrame(
        {
            "sku": skus,
            "on_hand_qty": (spread * 13 % 900).cast(quantity),
            "reserved_qty": (spread * 17 % 40).cast(quantity),
            "native_ref": skus,
        }
    )
    percents = pl.DataFrame({"sku": skus, "percent": (spread % 12).cast(pl.Int64)})
    buffers = percents.select(
        storefront=pl.lit("shop"), location_ref=pl.lit("*"), class_ref=pl.lit("*"), sku="sku", percent=pl.col("percent").cast(pl.String),
        units=pl.lit(None, dtype=pl.String), note=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    seen = pl.lit(NOW).cast(pl.Datetime("us", "UTC"))
    stock = ALL["core.stock"]
    found = computed(
        stock.shaped(
            ledger.with_columns(
                source=pl.lit("intacct"), location_ref=pl.lit("EAST"), as_of_at=seen, run_id=pl.lit("r")
            )
        ),
        stock.shaped(
            shop.with_columns(
                source=pl.lit("shop"), location_ref=pl.lit("wh-east"), as_of_at=seen, run_id=pl.lit("r")
            )
        ),
        buffers,
    )
    with duckdb.connect() as con:
        for name, frame in (("ledger", ledger), ("shop", shop), ("percents", percents)):
            con.register(name, frame.to_arrow())
        expected = con.execute(TWIN).fetchall()
    got = (
        found.sort("sku")
        .select("sku", pl.col("buffer_qty").cast(pl.Int64), "available_qty", "publish_qty")
        .rows()
    )
    assert got == expected
    assert sum(row[2] for row in got) > 1_000_000
