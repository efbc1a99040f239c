"""What is planned for Intacct from what is owed, and the reason for everything that is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from planned_shop import (
    CUSTOMERS,
    LINES,
    MAPPINGS,
    NO_HELD,
    NOW,
    ORDER,
    PAID,
    POLICY,
    after,
    existing,
    planned,
    reasons,
    traded,
)

from checks.contracts import ALL
from transforms.postings.planned import plan


def test_customer_invoice_and_receipt_of_one_order() -> None:
    done = planned(traded())
    assert shown(
        done.documents, "kind_code", "number", "customer_id", "entity_code", "total_minor", "reference"
    ) == [
        ("customer", "C10011", "C10011", "", 0, None),
        ("invoice", "UW1", "C10011", "E100", 3630, "W1"),
        ("receipt", "ch_1", "C10011", "E100", 3630, None),
    ]
    by_kind = {row["kind_code"]: row for row in done.documents.to_dicts()}
    assert by_kind["invoice"]["document_on"] == date(2026, 10, 2)
    assert by_kind["invoice"]["due_on"] == date(2026, 11, 1)
    assert by_kind["receipt"]["document_on"] == date(2026, 10, 2), "not before the invoice it pays"
    assert (by_kind["receipt"]["account_ref"], by_kind["receipt"]["method"]) == ("CLR-CARD-US", "Credit Card")
    assert json.loads(by_kind["customer"]["details"])["email"] == "ana@example.com"
    lines = done.lines.join(done.documents.select("document_id", "kind_code"), on="document_id")
    assert shown(
        lines.filter(pl.col("kind_code") == "invoice"),
        "line_no",
        "account_code",
        "component_code",
        "amount_minor",
        "memo",
        "location_code",
    ) == [
        (1, "4000", "goods", 2000, "MUG-1", "100"),
        (2, "4010", "goods", 1000, "TEA-1", "100"),
        (3, "4100", "shipping", 500, "Shipping", "100"),
        (4, "4800", "discount", -200, "Discount", "100"),
        (5, "2200", "tax", 330, "NY", "100"),
    ]
    application = lines.filter(pl.col("kind_code") == "receipt").to_dicts()[0]
    assert application["applies_to_id"] == by_kind["invoice"]["document_id"]
    assert done.unplanned.is_empty()
    assert done.documents["document_id"].str.contains(r"^[A-Z2-7]{20}$").all()


@pytest.mark.parametrize(
    "state", ["planned", "held", "sending", "accepted", "refused", "unknown", "dead", "cancelled"]
)
def test_planning_again_plans_nothing_new_whatever_became_of_it(state: str) -> None:
    first = planned(traded())
    second = planned(traded(), after(first, state))
    assert second.documents.filter(pl.col("kind_code") != "customer").is_empty()
    assert second.unplanned["amount_minor"].sum() == traded().owed["total_minor"].sum()
    if state != "dead":
        assert second.documents.is_empty()


def test_a_mapping_mended_before_posting_replaces_the_content_and_after_posting_does_not() -> None:
    first = planned(traded())
    mended = MAPPINGS._replace(
        accounts=MAPPINGS.accounts.with_columns(account_code=pl.col("account_code").replace("4100", "4199"))
    )
    for state, count in (("planned", 1), ("accepted", 0)):
        found = traded()
        again = plan(
            found.owed,
            found.owed_lines,
            CUSTOMERS,
            mended,
            after(first, state),
            NO_HELD,
            POLICY,
            run_id="r2",
            planned_at=NOW,
        )
        assert again.documents["number"].to_list() == ["UW1"] * count


def test_what_intacct_holds_under_the_number_is_found_and_linked() -> None:
    there = existing(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | customer_id | currency | posted_on  | total_minor | due_minor
            77          | UW1            | W1        | E100        | C10011      | USD      | 2026-10-02 | 3630        | 3630
            """,
        ),
        customers=pl.DataFrame({"customer_id": ["C10011"]}),
    )
    done = planned(traded(), there)
    assert reasons(done) == [("A", "invoice", "already_in_intacct")]
    assert shown(done.found, "kind_code", "number", "intacct_key", "owed_minor", "found_minor") == [
        ("invoice", "UW1", "77", 3630, 3630)
    ]
    assert done.documents["kind_code"].to_list() == ["receipt"]
    assert shown(done.lines, "applies_to_ref", "applies_to_id", "amount_minor") == [("77", None, 3630)]


def test_an_invoice_under_another_number_stops_a_second_one_for_the_same_order() -> None:
    there = existing(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | currency | total_minor
            77          | HAND-1         | W1        | E100        | USD      | 3630
            """,
        )
    )
    assert reasons(planned(traded(), there)) == [
        ("A", "invoice", "reference_in_intacct"),
        ("A", "receipt", "prepaid"),
    ]


def test_nothing_of_a_held_order_is_planned() -> None:
    held = pl.DataFrame({"storefront": ["shop"], "order_ref": ["A"], "reason": ["sku_unmapped"]})
    done = planned(traded(), held=held)
    assert done.documents.is_empty()
    assert reasons(done) == [("A", "invoice", "held"), ("A", "receipt", "held")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda o, li, p: (o, li.replace("TEA-1", "NEW-1"), p),
            [("invoice", "sku_unmapped"), ("receipt", "prepaid")],
        ),
        (
            lambda o, li, p: (o, li.replace("| NY", "| LEVY"), p),
            [("invoice", "tax_code_unmapped"), ("receipt", "prepaid")],
        ),
        (
            lambda o, li, p: (o.replace("| W1 ", "| -  "), li, p),
            [("invoice", "order_number_missing"), ("receipt", "prepaid")],
        ),
        (
            lambda o, li, p: (o.replace("u1", "u9"), li, p),
            [("invoice", "customer_unknown"), ("receipt", "customer_unknown")],
        ),
        (lambda o, li, p: (o, li, p.replace("3630", "3631")), [("receipt", "exceeds_due")]),
    ],
)
def test_each_reason_for_not_planning(change: Any, expected: list[tuple[str, str]]) -> None:
    done = planned(traded(*change(ORDER, LINES, PAID)))
    assert shown(done.unplanned, "kind_code", "reason_code") == expected


def test_an_unmapped_store_is_said() -> None:
    assert reasons(planned(traded(store_ref="pop-up"))) == [
        ("A", "invoice", "store_unmapped"),
        ("A", "receipt", "store_unmapped"),
    ]


def test_guests_are_on_the_stores_customer_which_is_planned_once() -> None:
    two = ORDER.replace("| u1 ", "| -  ") + ORDER.strip().splitlines()[1].replace("| u1 ", "| -  ").replace(
        "A  ", "B  "
    ).replace("W1", "W2")
    done = planned(traded(two, LINES + "\n".join(LINES.replace("A  ", "B  ").strip().splitlines()[1:]), None))
    customers = done.documents.filter(pl.col("kind_code") == "customer")
    assert shown(customers, "number", "event_ref", "description") == [
        ("GUEST-US-USD", "GUEST-US-USD", "Web guests shop us USD")
    ]
    assert (
        done.documents.filter(pl.col("kind_code") == "invoice")["customer_id"].to_list()
        == ["GUEST-US-USD"] * 2
    )


@pytest.mark.parametrize(
    ("ref", "pattern"), [("u1", r"^C10011$"), ("u2", r"^C[A-Z2-7]{12}$"), ("u3", r"^Cu3$")]
)
def test_customer_ids_fit_intacct(ref: str, pattern: str) -> None:
    done = planned(traded(ORDER.replace("u1", ref)))
    number = done.documents.filter(pl.col("kind_code") == "customer")["number"]
    assert number.str.contains(pattern).all()
    assert (number.str.len_chars() <= 20).all()


def test_shipments_get_suffixes_and_a_number_once_given_is_kept() -> None:
    ship = """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d2           | l1       | 1        | 2026-10-05 12:00
        A         | d3           | l2       | 1        | 2026-10-06 12:00
        """
    orders, lines = trade.orders(ORDER), trade.lines(LINES)
    first = planned(trade.recognised(orders, lines, trade.of("core.shipments", ship)))
    assert sorted(first.documents.filter(pl.col("kind_code") == "invoice")["number"]) == ["UW1", "UW1-2"]
    earlier = trade.of("core.shipments", ship + "        A | d1 | l1 | 1 | 2026-10-04 12:00")
    second = planned(trade.recognised(orders, lines, earlier), after(first, "planned"))
    numbers = (
        second.documents.filter(pl.col("kind_code") == "invoice")
        .select("event_ref", "number")
        .sort("event_ref")
        .rows()
    )
    assert ("d1", "UW1-3") in numbers
    assert dict(numbers).get("d2", "UW1") == "UW1"


def test_refunds_become_credit_memos_mirrored_or_on_the_allowance_account() -> None:
    paid = (
        PAID
        + """    p | r1 | A | refund | 1080 | 2026-10-06 10:00 | re_1
    p | r2 | A | refund | 100 | 2026-10-09 10:00 | re_2"""
    )
    back = trade.of(
        "core.returns",
        """
        order_ref | return_ref | line_ref | quantity | returned_at
        A         | x          | l2       | 1        | 2026-10-05 12:00
        """,
    )
    found = trade.recognised(
        trade.orders(ORDER), trade.lines(LINES), payments=trade.charges(paid), returns=back
    )
    done = planned(found)
    memos = done.documents.filter(pl.col("kind_code") == "credit_memo")
    assert shown(memos, "number", "total_minor") == [("CMW1", -1080), ("CMW1-2", -100)]
    rows = done.lines.join(memos.select("document_id", "number"), on="document_id")
    assert shown(rows, "number", "account_code", "component_code", "amount_minor") == [
        ("CMW1", "2200", "tax", -80),
        ("CMW1", "4010", "goods", -1000),
        ("CMW1-2", "4900", "other", -100),
    ]
    waiting = planned(found, policy=replace(POLICY, refund_without_return="hold"))
    assert reasons(waiting) == [("A", "credit_memo", "refund_without_return")]


def test_the_third_decimal_is_rounded_half_up_and_what_is_lost_is_an_amount_of_its_own() -> None:
    order = """
    order_ref | order_number | placed_at        | shipped_at       | store_ref | goods_minor | shipping_minor | total_minor
    A         | W1           | 2026-10-01 09:00 | 2026-10-02 12:00 | kw        | 7347        | 1528           | 8875
    """
    lines = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor
    A         | l1       | item      | MUG-1 | 1        | 3673
    A         | l2       | item      | TEA-1 | 1        | 3674
    A         | l3       | shipping  | -     | 1        | 1528
    """
    found = trade.recognised(
        trade.orders(order, currency="KWD"),
        trade.lines(lines, currency="KWD"),
        payments=trade.charges(PAID.replace("3630", "8875"), currency="KWD"),
    )
    done = planned(found)
    assert shown(done.documents.filter(pl.col("kind_code") != "customer"), "kind_code", "total_minor") == [
        ("invoice", 8880),
        ("receipt", 8880),
    ]
    assert shown(done.rounded, "kind_code", "owed_minor", "planned_minor", "rounded_minor") == [
        ("invoice", 8875, 8880, -5),
        ("receipt", 8875, 8880, -5),
    ]
    invoice = done.documents.filter(pl.col("kind_code") == "invoice")["document_id"][0]
    assert done.lines.filter(pl.col("document_id") == invoice).sort("line_no")["amount_minor"].to_list() == [
        3670,
        3680,
        1530,
    ]


def test_two_orders_of_one_number_never_share_a_document_number() -> None:
    two = ORDER + ORDER.strip().splitlines()[1].replace("A  ", "B  ")
    done = planned(traded(two, LINES + "\n".join(LINES.replace("A  ", "B  ").strip().splitlines()[1:]), None))
    assert done.documents.is_empty()
    assert reasons(done) == [("A", "invoice", "duplicate_number"), ("B", "invoice", "duplicate_number")]


def test_numbers_that_do_not_fit_become_a_stable_short_hash() -> None:
    odd = ORDER.replace("W1 ", "W#1&2<3> ")
    numbers = {
        planned(traded(odd)).documents.filter(pl.col("kind_code") == "invoice")["number"][0] for _ in range(2)
    }
    assert len(numbers) == 1
    assert pl.Series(list(numbers)).str.contains(r"^X[A-Z2-7]{12}$").all()
