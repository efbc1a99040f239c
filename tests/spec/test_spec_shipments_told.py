"""Which order, and which of its lines, a shipment of the ledger stands for, as drawn cases."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from drawn import drawn, shown

from checks.contracts import ALL
from transforms.shipments_told import placements, shipments_told

ITEMS = """
    storefront | sku   | mode   | item_ref | pack_qty
    *          | MUG6  | map    | MUG      | 6
    *          | WRAP  | ignore | -        | -
    *          | *     | map    | *        | -
"""
ORDERS = """
    storefront | order_ref | order_number | status_code
    shop       | a         | W1           | processing
    shop       | b         | W2           | processing
    shop       | c         | W3           | cancelled
    mart       | m         | W2           | processing
    web        | w         | W9           | processing
"""
LINES = """
    storefront | order_ref | line_ref | line_no | kind_code | sku  | quantity
    shop       | a         | l1       | 1       | item      | MUG  | 2
    shop       | a         | l2       | 2       | item      | MUG6 | 1
    shop       | a         | l3       | 3       | item      | TEA  | 1
    shop       | a         | l4       | 4       | item      | WRAP | 1
    shop       | a         | l5       | 5       | shipping  | -    | 1
    shop       | a         | l6       | 6       | item      | -    | 1
    shop       | b         | l1       | 1       | item      | MUG  | 1
    shop       | c         | l1       | 1       | item      | MUG  | 1
    mart       | m         | l1       | 1       | item      | TEA  | 1
"""
NOTHING_SHIPPED = "storefront | order_ref | line_ref | quantity"


def place(
    shipments: str,
    lines: str,
    *,
    shipped: str = NOTHING_SHIPPED,
    told: tuple[str, ...] = (),
    reverse: bool = False,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    frames = [
        drawn(ALL["core.ledger_shipments"], shipments),
        drawn(ALL["core.ledger_shipment_lines"], lines),
        drawn(ALL["core.orders"], ORDERS),
        drawn(ALL["core.order_lines"], LINES),
        drawn(ALL["core.shipments"], shipped),
    ]
    if reverse:
        frames = [frame.reverse() for frame in frames]
    rows, parts = placements(
        *frames, drawn(ALL["mappings.items"], ITEMS), fronts=["shop", "mart"], told=list(told)
    )
    table = ALL["out.ledger_shipments"]
    table.checked(table.shaped(rows.with_columns(run_id=pl.lit("r"))), at="in a test")
    return rows, parts


def outcomes(shipments: str, lines: str, **more: Any) -> list[tuple[Any, ...]]:
    return shown(place(shipments, lines, **more)[0], "document_ref", "storefront", "outcome_code")


def test_a_shipment_belongs_to_the_order_its_reference_names_by_number_or_by_id() -> None:
    found = outcomes(
        """
        document_ref | order_reference
        1            | W1
        2            | b
        3            | W2
        4            | W7
        5            | -
        6            | W3
        7            | W9
        """,
        "line_ref | document_ref | item_ref | quantity\n"
        + "\n".join(f"x{number} | {number} | MUG | 1" for number in range(1, 8)),
    )
    assert found == [
        ("1", "shop", "placed"),
        ("2", "shop", "placed"),
        ("3", None, "ambiguous_order"),
        ("4", None, "no_order"),
        ("5", None, "no_order"),
        ("6", "shop", "cancelled"),
        ("7", None, "no_order"),  # its storefront is not told of shipments
    ]


def test_items_fill_the_lines_that_take_them_packs_whole_and_in_the_order_the_ledger_numbered_them() -> None:
    rows, parts = place(
        """
        document_ref | order_reference | shipped_on
        9            | W1              | 2026-10-05
        10           | W1              | 2026-10-03
        11           | W1              | 2026-10-06
        """,
        """
        line_ref | document_ref | item_ref | quantity
        x1       | 9            | MUG      | 1
        x2       | 10           | MUG      | 7
        x3       | 11           | TEA      | 1
        """,
    )
    # One mug, then the other with the pack of six (number 10 comes after 9, whatever their days), then the tea.
    assert list(parts.select("document_ref", "line_ref", "quantity").iter_rows()) == [
        ("9", "l1", Decimal(1)),
        ("10", "l1", Decimal(1)),
        ("10", "l2", Decimal(1)),
        ("11", "l3", Decimal(1)),
    ]
    # The wrap is no item of the ledger: the order has left whole without it.
    assert rows["is_whole"].to_list() == [False, False, True]


@pytest.mark.parametrize(
    ("item", "quantity", "outcome"),
    [
        ("MUG", "8", "placed"),
        ("MUG", "9", "too_many"),
        ("MUG", "5", "part_of_pack"),
        ("HAT", "1", "no_line"),
        ("WRAP", "1", "no_line"),
    ],
)
def test_what_does_not_fit_the_order_waits_with_its_reason(item: str, quantity: str, outcome: str) -> None:
    rows, parts = place(
        "document_ref | document_number | order_reference\n1 | Shipper-1 | W1",
        f"line_ref | document_ref | item_ref | quantity\nx | 1 | {item} | {quantity}",
    )
    assert rows["outcome_code"].to_list() == [outcome]
    assert parts.is_empty() == (outcome != "placed")
    if outcome != "placed":
        assert "Shipper-1" in rows["sentence"].item()
        assert "W1" in rows["sentence"].item()


def test_a_shipment_without_lines_ships_nothing_rather_than_everything() -> None:
    assert outcomes(
        "document_ref | order_reference\n1 | W1", "line_ref | document_ref | item_ref | quantity"
    ) == [("1", "shop", "no_line")]


def test_what_the_storefront_shipped_by_hand_is_not_told_again_and_what_it_was_told_before_stays() -> None:
    shipments = "document_ref | order_reference\n1 | W1\n2 | W1"
    lines = """
        line_ref | document_ref | item_ref | quantity
        x1       | 1            | MUG      | 1
        x2       | 2            | MUG      | 1
    """
    by_hand = "storefront | order_ref | line_ref | quantity\nshop | a | l1 | {}"
    two, one = by_hand.format(2), by_hand.format(1)
    again = [("1", "shop", "shipped_there"), ("2", "shop", "shipped_there")]
    assert outcomes(shipments, lines, shipped=two) == again
    # Of two mugs one left by hand: the first shipment still fits, the second does not.
    assert outcomes(shipments, lines, shipped=one) == [
        ("1", "shop", "placed"),
        ("2", "shop", "shipped_there"),
    ]
    # What the storefront shows of document 1 is what it was told.
    both = [("1", "shop", "placed"), ("2", "shop", "placed")]
    assert outcomes(shipments, lines, shipped=one, told=("1",)) == both
    assert outcomes(shipments, lines, shipped=two, told=("1", "2")) == both


def test_drafts_and_deleted_documents_are_not_there() -> None:
    assert (
        outcomes(
            "document_ref | order_reference | is_deleted\n1 | W1 | yes",
            "line_ref | document_ref | item_ref | quantity\nx | 1 | MUG | 1",
        )
        == []
    )


def test_each_tracking_number_is_a_parcel_of_the_same_delivery() -> None:
    rows, parts = place(
        """
        document_ref | order_reference | document_number | carrier | tracking_refs
        1            | W1              | Shipper-1       | UPS     | 1Z1, 1Z2
        2            | b               | Shipper-2       | -       | -
        """,
        """
        line_ref | document_ref | item_ref | quantity
        x1       | 1            | MUG      | 2
        x2       | 2            | MUG      | 1
        """,
    )
    told = shipments_told(rows, parts)
    values = [json.loads(value) for value in told["value"]]
    assert [(one["shipment_ref"], one["tracking_number"]) for one in values] == [
        ("Shipper-1", "1Z1"),
        ("Shipper-1", "1Z2"),
        ("Shipper-2", None),
    ]
    assert told["key"].n_unique() == 3
    assert [one["shipment_key"] for one in values[:2]] == [values[0]["shipment_key"]] * 2
    assert values[0]["lines"] == [{"line_ref": "l1", "quantity": "2.0000"}]
    assert [one["is_whole"] for one in values] == [False, False, True]


def test_the_order_of_arrival_does_not_matter() -> None:
    shipments = """
        document_ref | order_reference | tracking_refs
        2            | W1              | 1Z2
        10           | W1              | -
        3            | b               | 1Z3
    """
    lines = """
        line_ref | document_ref | item_ref | quantity
        x1       | 2            | MUG      | 1
        x2       | 10           | MUG      | 7
        x3       | 10           | TEA      | 1
        x4       | 3            | MUG      | 1
    """
    forth, back = place(shipments, lines), place(shipments, lines, reverse=True)
    assert forth[0].equals(back[0])
    assert shipments_told(*forth).equals(shipments_told(*back))
