"""Stock of packs, kits and shared shelves, and buffers by class, as drawn cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from drawn import drawn, shown, table

from checks.contracts import ALL
from transforms.stock.available import StockPolicy, web_stock

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
NO_BUFFER = StockPolicy(percent=Decimal(0))
WAREHOUSES = drawn(
    ALL["mappings.warehouses"],
    """
    storefront | location_ref | mode | warehouse_ref
    shop       | east         | map  | EAST
    mart       | main         | map  | EAST
    """,
)
ITEMS = drawn(
    ALL["mappings.items"],
    """
    storefront | sku   | mode | item_ref | category_ref | pack_qty
    *          | MUG6  | map  | MUG      | c1           | 6
    *          | *     | map  | *        | c2           | -
    """,
)


def ledger(text: str) -> pl.DataFrame:
    return drawn(
        ALL["core.stock"], text, source="intacct", location_ref="EAST", as_of_at=NOW - timedelta(hours=1)
    )


def listed(text: str) -> pl.DataFrame:
    return drawn(ALL["core.stock"], text, as_of_at=NOW - timedelta(minutes=5), native_ref="n")


def computed(stock: pl.DataFrame, shops: pl.DataFrame, **more: Any) -> pl.DataFrame:
    buffers = more.pop("buffers", ALL["mappings.buffers"].empty())
    policy = more.pop("policy", NO_BUFFER)
    found = web_stock(
        stock, shops, WAREHOUSES, buffers, policy, as_of=NOW, run_id="r", **{"items": ITEMS, **more}
    )
    ALL["out.web_stock_parts"].checked(found.parts, at="in a test")
    return ALL["out.web_stock"].checked(found.rows, at="in a test")


def test_a_pack_takes_its_units_and_what_is_reserved_of_it_is_gone_from_the_single_item_too() -> None:
    shops = listed(
        """
        source | location_ref | sku  | on_hand_qty | reserved_qty
        shop   | east         | MUG  | 0           | 3
        shop   | east         | MUG6 | 0           | 2
        """
    )
    found = computed(ledger("sku | on_hand_qty\nMUG | 100"), shops)
    # 100 less 3 less 2 × 6 leaves 85: 85 single mugs or 14 packs; each storefront row gets its own reservations back.
    assert shown(found, "sku", "available_qty", "publish_qty") == [("MUG", 85, 88), ("MUG6", 14, 16)]


def test_a_kit_is_as_available_as_its_scarcest_component() -> None:
    kits = drawn(
        ALL["mappings.kits"],
        """
        storefront | sku | component_ref | component_qty
        *          | SET | MUG           | 2
        *          | SET | TEA           | 1
        shop       | DUO | TEA           | 2
        """,
    )
    stock = ledger("sku | on_hand_qty\nMUG | 15\nTEA | 40")
    shops = listed(
        """
        source | location_ref | sku | on_hand_qty | reserved_qty
        shop   | east         | SET | 0           | 1
        shop   | east         | DUO | 0           | 0
        shop   | east         | MUG | 0           | 0
        """
    )
    found = computed(stock, shops, kits=kits)
    assert shown(found, "sku", "item_ref", "per_piece_qty", "available_qty") == [
        ("DUO", "TEA", Decimal(2), 19),
        ("MUG", "MUG", Decimal(1), 13),
        ("SET", "MUG", Decimal(2), 6),
    ]
    gone = computed(ledger("sku | on_hand_qty\nMUG | 15"), shops, kits=kits)
    assert shown(gone.filter(pl.col("sku") == "SET"), "available_qty", "is_changed") == [(0, False)]
    assert "'TEA'" in gone.filter(pl.col("sku") == "SET")["hold_reason"][0]


def test_two_storefronts_on_one_shelf_are_pooled_unless_a_row_says_otherwise() -> None:
    stock = ledger("sku | on_hand_qty\nMUG | 100")
    shops = listed(
        """
        source | location_ref | sku | on_hand_qty | reserved_qty
        shop   | east         | MUG | 0           | 10
        mart   | main         | MUG | 0           | 5
        """
    )
    by = ["storefront"]
    pooled = computed(stock, shops)
    assert shown(pooled, "storefront", "available_qty", "publish_qty", by=by) == [
        ("mart", 85, 90),
        ("shop", 85, 95),
    ]
    shares = drawn(
        ALL["mappings.stock_shares"],
        """
        warehouse_ref | storefront | policy | share_percent
        EAST          | shop       | share  | 70
        EAST          | mart       | share  | 30
        """,
    )
    shared = computed(stock, shops, shares=shares)
    assert shown(shared, "storefront", "available_qty", by=by) == [("mart", 25), ("shop", 59)]
    first = drawn(
        ALL["mappings.stock_shares"],
        """
        warehouse_ref | storefront | policy   | keep_qty
        *             | mart       | priority | 60
        """,
    )
    ranked = computed(stock, shops, shares=first)
    assert shown(ranked, "storefront", "available_qty", by=by) == [("mart", 25), ("shop", 85)]


def test_what_a_storefront_sold_and_does_not_reserve_is_subtracted_once() -> None:
    stock = ledger("sku | on_hand_qty\nMUG | 100")
    shops = listed("source | location_ref | sku | on_hand_qty | reserved_qty\nmart | main | MUG | 88 | -")
    pending = table("storefront | sku | pending_qty\nmart | MUG | 12\nshop | MUG | 50")
    found = computed(stock, shops, pending=pending)
    # Its own 88 has lost the twelve already; the ledger's 100 has not. Nothing is added back, for it subtracts nothing later.
    assert shown(found, "available_qty", "publish_qty", "is_changed") == [(88, 88, False)]


def test_buffers_go_by_item_then_class_then_location_then_storefront() -> None:
    buffers = drawn(
        ALL["mappings.buffers"],
        """
        storefront | location_ref | class_ref | sku  | percent | units
        *          | *            | *         | *    | 1       | -
        shop       | *            | *         | *    | 2       | -
        *          | east         | *         | *    | 3       | -
        *          | *            | c1        | *    | 4       | -
        *          | *            | *         | TEA  | 5       | -
        *          | east         | *         | TEA2 | -       | 7
        """,
    )
    stock = ledger("sku | on_hand_qty\nMUG | 600\nTEA | 100\nTEA2 | 100\nCUP | 100")
    shops = listed(
        """
        source | location_ref | sku  | on_hand_qty
        shop   | east         | MUG6 | 0
        shop   | east         | TEA  | 0
        shop   | east         | TEA2 | 0
        shop   | east         | CUP  | 0
        mart   | main         | CUP  | 0
        """
    )
    found = computed(stock, shops, buffers=buffers)
    assert shown(found, "storefront", "sku", "buffer_qty", "buffer_rule") == [
        ("mart", "CUP", Decimal(1), "buffers.csv */*/*"),
        ("shop", "CUP", Decimal(3), "buffers.csv */east/*"),
        ("shop", "MUG6", Decimal(24), "buffers.csv */*/*/class c1"),
        ("shop", "TEA", Decimal(5), "buffers.csv */*/TEA"),
        ("shop", "TEA2", Decimal(7), "buffers.csv */east/TEA2"),
    ]
