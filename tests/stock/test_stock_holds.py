"""Orders that wait for goods that ran out: held, told, and let go."""

from __future__ import annotations

import polars as pl
from drawn import drawn, shown, table
from shelf import NOW

import checks.rules  # noqa: F401
from checks.contracts import ALL
from checks.findings import Limits, run
from transforms.stock.pending import pending_by_sku, pending_lines

ORDERS = """
    order_ref | order_number | status_code | total_minor
    waits     | W1           | processing  | 3000
    partly    | W2           | open        | 2000
    shipped   | W3           | processing  | 1000
    done      | W4           | complete    | 1000
    void      | W5           | cancelled   | 1000
    other     | W6           | open        | 1000
"""
LINES = """
    order_ref | line_ref | kind_code | sku | quantity | net_minor
    waits     | a        | item      | MUG | 3        | 3000
    partly    | a        | item      | MUG | 2        | 2000
    shipped   | a        | item      | MUG | 1        | 1000
    done      | a        | item      | MUG | 1        | 1000
    void      | a        | item      | MUG | 1        | 1000
    other     | a        | item      | TEA | 1        | 1000
    other     | s        | shipping  | -   | 1        | 0
"""
SHIPMENTS = """
    order_ref | shipment_ref | line_ref | quantity
    partly    | s1           | a        | 1
    shipped   | s1           | a        | 1
"""


def tables(parts: str) -> dict[str, pl.DataFrame]:
    return {
        "core.orders": drawn(ALL["core.orders"], ORDERS, storefront="shop", currency="USD"),
        "core.order_lines": drawn(ALL["core.order_lines"], LINES, storefront="shop"),
        "core.shipments": drawn(ALL["core.shipments"], SHIPMENTS, storefront="shop"),
        "out.web_stock_parts": drawn(ALL["out.web_stock_parts"], parts, storefront="shop"),
    }


def held(parts: str) -> list[tuple[object, ...]]:
    found = run(tables(parts), run_id="r", limits=Limits(now=NOW), codes=["sku_out_of_stock"])
    return shown(found, "order_number", "subject_ref", "amount_minor")


def test_orders_with_a_sku_that_is_at_zero_everywhere_wait_until_it_is_back() -> None:
    out = """
        sku | location_ref | item_ref | on_hand_qty
        MUG | east         | MUG      | 0
        MUG | west         | MUG      | -2
        TEA | east         | TEA      | 0
        TEA | west         | TEA      | 1
    """
    assert held(out) == [("W1", "waits/MUG", 3000), ("W2", "partly/MUG", 2000)]
    assert held(out.replace("| -2", "| 1 ")) == []


def test_an_item_nobody_has_a_figure_for_is_unknown_and_not_sold_out() -> None:
    assert held("sku | location_ref | item_ref | on_hand_qty\nMUG | east | MUG | -") == []


def test_one_missing_component_holds_the_kit() -> None:
    parts = """
        sku | location_ref | item_ref | on_hand_qty
        MUG | east         | CUP      | 9
        MUG | east         | LID      | 0
    """
    assert [row[0] for row in held(parts)] == ["W1", "W2"]


def test_what_waits_is_ordered_less_shipped_of_orders_that_still_go_on() -> None:
    some = tables("sku | location_ref | item_ref\nMUG | e | MUG")
    lines = pending_lines(some["core.orders"], some["core.order_lines"], some["core.shipments"])
    assert shown(pending_by_sku(lines), "sku", "pending_qty") == shown(
        table("sku | pending_qty\nMUG | 4\nTEA | 1"), "sku", "pending_qty"
    )
