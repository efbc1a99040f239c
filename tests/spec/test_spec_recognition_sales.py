"""When a sale is owed, and how an order is divided over its shipments."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import trade
from drawn import shown

from tieout.errors import InputError
from transforms.owed.recognition import RecognitionPolicy

ORDERS = trade.orders(
    """
    order_ref | order_number | placed_at        | status_code | goods_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | 2026-10-01 09:00 | complete    | 10000       | 500            | 932       | 11432
    """
)
LINES = trade.lines(
    """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | 3        | 10000     | 888       | NY
    A         | l2       | shipping  | -     | 1        | 500       | 44        | NY
    """
)


def components(found: trade.Owed, event: str = "sale") -> list[tuple[object, ...]]:
    return shown(
        found.owed.filter(pl.col("event_code") == event),
        "event_ref", "owed_on", "goods_minor", "discount_minor", "shipping_minor", "tax_minor", "total_minor",
        by=["owed_at", "event_ref"],
    )  # fmt: skip


def test_a_shipped_order_is_one_sale_of_its_total_on_the_entitys_own_date() -> None:
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 3        | 2026-10-01 03:30
        """,
    )
    found = trade.recognised(ORDERS, LINES, shipments)
    assert [(r[0], str(r[1]), r[-1]) for r in components(found)] == [("d1", "2026-09-30", 11432)]
    assert found.excluded.is_empty()
    assert shown(found.owed_lines, "line_no", "component_code", "sku", "tax_code", "amount_minor") == [
        (1, "goods", "MUG-1", None, 10000),
        (2, "tax", None, "NY", 888),
        (3, "shipping", None, None, 500),
        (4, "tax", None, "NY", 44),
    ]


def test_tax_that_no_row_holds_goes_with_the_first_shipment() -> None:
    """X-Cart and Clarity may state the tax on shipping for the order only: a row of no piece and no net."""
    lines = trade.lines(
        """
        order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | tax_code
        A         | l1       | item      | MUG-1 | 3        | 10000     | 888       | NY
        A         | l2       | shipping  | -     | 1        | 500       | 0         | -
        A         | tax      | item      | -     | 0        | 0         | 44        | NY
        """
    )
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-01 12:00
        A         | d2           | l1       | 2        | 2026-10-03 12:00
        """,
    )
    found = components(trade.recognised(ORDERS, lines, shipments))
    assert [(row[0], row[5], row[6]) for row in found] == [("d1", 296 + 44, 4173), ("d2", 592, 7259)]


def test_partial_shipments_share_by_quantity_and_the_last_takes_the_remainder() -> None:
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d2           | l1       | 1        | 2026-10-03 12:00
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        A         | d3           | l1       | 1        | 2026-10-04 12:00
        """,
    )
    found = trade.recognised(ORDERS, LINES, shipments)
    assert [r[2:] for r in components(found)] == [
        (3333, 0, 500, 296 + 44, 4173),
        (3334, 0, 0, 296, 3630),
        (3333, 0, 0, 296, 3629),
    ]
    assert shown(found.owed, "sequence_no", "event_ref") == [(1, "d1"), (2, "d2"), (3, "d3")]


def test_what_the_first_shipment_was_given_does_not_change_when_later_ones_become_known() -> None:
    early = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        """,
    )
    late = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d2           | l1       | 2        | 2026-10-03 12:00
        """,
    )
    before = trade.recognised(ORDERS, LINES, early)
    after = trade.recognised(ORDERS, LINES, pl.concat([late, early]))
    assert components(before)[0] == components(after)[0]
    assert shown(before.excluded, "outcome_code", "reason_code", "amount_minor") == [
        ("partially_shipped", "remainder_not_shipped", 11432 - 4173)
    ]
    assert after.excluded.is_empty()


def test_a_cancelled_order_owes_what_was_shipped_before() -> None:
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        """,
    )
    cancelled = ORDERS.with_columns(status_code=pl.lit("cancelled"))
    found = trade.recognised(cancelled, LINES, shipments)
    assert found.owed["total_minor"].to_list() == [4173]
    assert shown(found.excluded, "reason_code", "outcome_code", "amount_minor") == [
        ("cancelled", "not_owed", 7259)
    ]


def test_every_order_that_owes_nothing_says_why() -> None:
    orders = trade.orders(
        """
        order_ref | store_ref | placed_at        | status_code | is_test | goods_minor | total_minor | problem
        a-test    | us        | 2026-10-01 09:00 | complete    | yes     | 100         | 100         | -
        b-zero    | us        | 2026-10-01 09:00 | complete    | no      | 0           | 0           | -
        c-gone    | us        | 2026-10-01 09:00 | cancelled   | no      | 100         | 100         | -
        d-open    | us        | 2026-10-01 09:00 | open        | no      | 100         | 100         | -
        e-broken  | us        | 2026-10-01 09:00 | open        | no      | 0           | 0           | payload_unreadable: lineItems is text.
        f-outlet  | outlet    | 2026-10-01 09:00 | complete    | no      | 100         | 100         | -
        """
    )
    found = trade.recognised(orders)
    assert found.owed.is_empty()
    assert shown(found.excluded, "order_ref", "reason_code", "outcome_code") == [
        ("a-test", "test", "not_owed"),
        ("b-zero", "zero_total", "not_owed"),
        ("c-gone", "cancelled", "not_owed"),
        ("d-open", "not_shipped", "not_yet_recognised"),
        ("e-broken", "unreadable", "held"),
        ("f-outlet", "store_ignored", "not_owed"),
    ]
    assert found.excluded["sentence"].str.len_chars().min() > 20


@pytest.mark.parametrize(
    ("basis", "when"),
    [
        ("placed", "2026-10-01"),
        ("captured", "2026-10-02"),
        ("shipped", "2026-10-03"),
        ("invoiced", "2026-10-04"),
    ],
)
def test_the_cut_off_basis_of_the_store_decides_the_date(basis: str, when: str) -> None:
    orders = trade.orders(
        """
        order_ref | placed_at        | shipped_at       | goods_minor | total_minor
        A         | 2026-10-01 12:00 | 2026-10-03 12:00 | 100         | 100
        """
    ).with_columns(invoiced_at=pl.datetime(2026, 10, 4, 12, time_zone="UTC").dt.cast_time_unit("us"))
    paid = trade.charges(
        """
        payment_ref | transaction_ref | order_ref | amount_minor | occurred_at
        p           | t               | A         | 100          | 2026-10-02 12:00
        """
    )
    policy = replace(trade.POLICY, basis="shipped", bases={("shop", "us"): basis})
    found = trade.recognised(orders, payments=paid, policy=policy)
    assert [(r[0], str(r[1])) for r in components(found)] == [("whole", when)]


def test_under_captured_an_order_merely_authorised_or_failed_owes_nothing() -> None:
    orders = trade.orders(
        """
        order_ref | placed_at        | goods_minor | total_minor
        auth      | 2026-10-01 12:00 | 100         | 100
        failed    | 2026-10-01 12:00 | 100         | 100
        paid      | 2026-10-01 12:00 | 100         | 100
        """
    )
    paid = trade.charges(
        """
        payment_ref | order_ref | kind_code     | state_code | amount_minor | occurred_at
        p1          | auth      | authorization | success    | 100          | 2026-10-02 12:00
        p2          | failed    | charge        | failure    | 100          | 2026-10-02 12:00
        p3          | paid      | charge        | success    | 100          | 2026-10-02 12:00
        """
    )
    found = trade.recognised(orders, payments=paid, policy=replace(trade.POLICY, basis="captured"))
    assert shown(found.owed, "order_ref", "event_code") == [("paid", "receipt"), ("paid", "sale")]
    assert shown(found.excluded, "order_ref", "reason_code") == [("auth", "unpaid"), ("failed", "unpaid")]


def test_invoiced_without_invoice_dates_is_said_to_be_impossible() -> None:
    with pytest.raises(InputError, match="no invoice date"):
        trade.recognised(ORDERS.drop("invoiced_at"), LINES, policy=RecognitionPolicy(basis="invoiced"))
    with pytest.raises(InputError, match="'delivered' is not a cut-off basis"):
        RecognitionPolicy(basis="delivered")


def test_whole_order_at_its_first_shipment_where_the_policy_says_so() -> None:
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        A         | d2           | l1       | 2        | 2026-10-04 12:00
        """,
    )
    found = trade.recognised(ORDERS, LINES, shipments, policy=replace(trade.POLICY, partial="whole_at_first"))
    assert [(r[0], r[-1]) for r in components(found)] == [("d1", 11432)]


def test_a_discount_larger_than_the_first_shipment_is_spread_so_no_sale_is_negative() -> None:
    orders = trade.orders(
        """
        order_ref | placed_at        | goods_minor | discount_minor | total_minor
        A         | 2026-10-01 09:00 | 10000       | -3000          | 7000
        """
    )
    lines = trade.lines(
        """
        order_ref | line_ref | kind_code | sku   | quantity | net_minor | discount_minor
        A         | l1       | item      | MUG-1 | 1        | 1000      | 0
        A         | l2       | item      | MUG-2 | 1        | 9000      | 0
        A         | l3       | discount  | -     | 1        | 0         | -3000
        """
    )
    first = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        """,
    )
    second = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d2           | l2       | 1        | 2026-10-03 12:00
        """,
    )
    alone = trade.recognised(orders, lines, first)
    both = trade.recognised(orders, lines, pl.concat([first, second]))
    assert [r[2:4] for r in components(alone)] == [(1000, -300)]
    assert [r[2:4] for r in components(both)] == [(1000, -300), (9000, -2700)]


def test_a_gift_card_sent_by_mail_goes_with_the_shipment_that_completes_the_order() -> None:
    orders = trade.orders(
        """
        order_ref | placed_at        | goods_minor | gift_card_minor | total_minor
        A         | 2026-10-01 09:00 | 200         | 2500            | 2700
        """
    )
    lines = trade.lines(
        """
        order_ref | line_ref | kind_code | sku     | quantity | net_minor
        A         | l1       | item      | MUG-1   | 2        | 200
        A         | l2       | gift_card | GIFT-25 | 1        | 2500
        """
    )
    shipments = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 1        | 2026-10-02 12:00
        A         | d2           | l1       | 1        | 2026-10-03 12:00
        """,
    )
    found = trade.recognised(orders, lines, shipments)
    assert shown(found.owed, "event_ref", "goods_minor", "gift_card_minor") == [
        ("d1", 100, 0),
        ("d2", 100, 2500),
    ]


def test_an_order_without_lines_is_owed_by_its_header_and_what_lines_leave_open_is_rounding() -> None:
    orders = trade.orders(
        """
        order_ref | placed_at        | shipped_at       | goods_minor | tax_minor | rounding_minor | total_minor
        bare      | 2026-10-01 09:00 | 2026-10-02 12:00 | 100         | 19        | 1              | 120
        gap       | 2026-10-01 09:00 | 2026-10-02 12:00 | 100         | 19        | 1              | 120
        """
    )
    lines = trade.lines(
        """
        order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor
        gap       | l1       | item      | MUG-1 | 1        | 100       | 19
        """
    )
    found = trade.recognised(orders, lines)
    assert shown(found.owed, "order_ref", "goods_minor", "tax_minor", "rounding_minor", "total_minor") == [
        ("bare", 100, 19, 1, 120),
        ("gap", 100, 19, 1, 120),
    ]


def test_an_unmapped_store_keeps_its_orders_with_no_entity() -> None:
    orders = trade.orders(
        """
        order_ref | store_ref | placed_at        | shipped_at       | goods_minor | total_minor
        A         | pop-up    | 2026-10-01 09:00 | 2026-10-02 12:00 | 100         | 100
        """
    )
    found = trade.recognised(orders)
    assert shown(found.owed, "order_ref", "entity_code") == [("A", None)]
