"""Summary posting: one document per store, day, currency and tender, which reconciles back to each order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import polars as pl
import pytest
import trade
from drawn import shown
from planning import MAPPINGS, NO_HELD, POLICY, SUMMARISED, after, planned

from transforms.postings.planned import Plan

ORDERS = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 15:00 | 3000        | 300       | 3300
    B         | W2           | -            | 2026-10-01 10:00 | 2026-10-02 16:00 | 2000        | 200       | 2200
    C         | W3           | -            | 2026-10-01 11:00 | 2026-10-03 15:00 | 1000        | 100       | 1100
    D         | W4           | -            | 2026-10-01 12:00 | 2026-10-02 17:00 | 500         | 50        | 550
"""
LINES = """
    order_ref | line_ref | kind_code | sku | quantity | net_minor | tax_minor | tax_code
    A         | l1       | item      | M   | 1        | 3000      | 300       | NY
    B         | l1       | item      | M   | 1        | 2000      | 200       | NY
    C         | l1       | item      | M   | 1        | 1000      | 100       | NY
    D         | l1       | item      | T   | 1        | 500       | 50        | NY
"""
PAID = """
    payment_ref | transaction_ref | order_ref | amount_minor | occurred_at      | tender_code
    pa          | ca              | A         | 3300         | 2026-10-01 09:05 | Card
    pb          | cb              | B         | 2200         | 2026-10-01 10:05 | Card
    pc          | cc              | C         | 1100         | 2026-10-01 11:05 | Card
    pd          | cd              | D         | 550          | 2026-10-01 12:05 | PayPal
"""


@cache
def traded(orders: str = ORDERS, lines: str = LINES, paid: str = PAID) -> trade.Owed:
    return trade.recognised(trade.orders(orders), trade.lines(lines), payments=trade.charges(paid))


def parts(done: Plan) -> list[tuple[object, ...]]:
    return shown(
        done.orders.join(done.documents.select("document_id", "kind_code", "document_on"), on="document_id")
        .sort("kind_code", "document_on", "order_ref"),
        "kind_code", "document_on", "order_ref", "amount_minor",
    )  # fmt: skip


def papers(done: Plan, kind: str) -> list[tuple[object, ...]]:
    return shown(
        done.documents.filter(pl.col("kind_code") == kind).sort("document_on", "total_minor"),
        "document_on", "currency", "total_minor", "customer_id", "order_ref",
    )  # fmt: skip


def test_one_invoice_and_one_receipt_per_store_day_currency_and_tender() -> None:
    done = planned(traded(), mappings=SUMMARISED)
    second, third = date(2026, 10, 2), date(2026, 10, 3)
    assert papers(done, "invoice") == [
        (second, "USD", 550, "GUEST-US-USD", None),
        (second, "USD", 5500, "GUEST-US-USD", None),
        (third, "USD", 1100, "GUEST-US-USD", None),
    ]
    assert [row[2] for row in papers(done, "receipt")] == [550, 5500, 1100]
    assert parts(done) == [
        (kind, day, order, amount)
        for kind in ("invoice", "receipt")
        for day, order, amount in (
            (second, "A", 3300), (second, "B", 2200), (second, "D", 550), (third, "C", 1100),
        )
    ]  # fmt: skip
    customers = done.documents.filter(pl.col("kind_code") == "customer")["number"].to_list()
    assert customers == ["GUEST-US-USD"], "a shopper's own customer is not needed"


def test_each_line_of_a_summary_names_its_order_and_receipts_pay_its_invoice() -> None:
    done = planned(traded(), mappings=SUMMARISED)
    card = done.documents.filter((pl.col("kind_code") == "invoice") & (pl.col("total_minor") == 5500))
    lines = done.lines.join(card, on="document_id", how="semi")
    assert shown(lines, "line_no", "memo", "account_code", "component_code", "amount_minor") == [
        (1, "W1", "4000", "goods", 3000),
        (2, "W1", "2200", "tax", 300),
        (3, "W2", "4000", "goods", 2000),
        (4, "W2", "2200", "tax", 200),
    ]
    receipt = done.documents.filter((pl.col("kind_code") == "receipt") & (pl.col("total_minor") == 5500))
    applied = done.lines.join(receipt, on="document_id", how="semi")
    assert shown(applied, "applies_to_id", "amount_minor") == [(card["document_id"][0], 5500)]
    assert shown(receipt, "account_ref", "method") == [("CLR", "EFT")]


@pytest.mark.parametrize(
    "state", ["planned", "held", "sending", "accepted", "refused", "unknown", "dead", "cancelled"]
)
def test_planning_a_summary_again_plans_nothing_new_whatever_became_of_it(state: str) -> None:
    first = planned(traded(), mappings=SUMMARISED)
    second = planned(traded(), after(first, state), mappings=SUMMARISED)
    assert second.documents.filter(pl.col("kind_code") != "customer").is_empty()
    assert second.unplanned["amount_minor"].sum() == traded().owed["total_minor"].sum()


LATE = ORDERS + "    E | W5 | - | 2026-10-01 13:00 | 2026-10-02 18:00 | 100 | 10 | 110\n"
LATE_LINES = LINES + "    E | l1 | item | M | 1 | 100 | 10 | NY\n"
LATE_PAID = PAID + "    pe | ce | E | 110 | 2026-10-01 13:05 | Card\n"


def test_a_latecomer_joins_a_summary_that_waits_and_opens_the_next_one_after_it_was_sent() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    late = traded(LATE, LATE_LINES, LATE_PAID)
    joined = planned(late, after(first, "planned"), mappings=SUMMARISED)
    assert [row[2] for row in papers(joined, "invoice")] == [5610]
    assert set(joined.documents["document_id"]) <= set(first.documents["document_id"]), (
        "the same document grew"
    )
    for state in ("accepted", "sending", "unknown", "held", "dead"):
        opened = planned(late, after(first, state), mappings=SUMMARISED)
        assert [row[2] for row in papers(opened, "invoice")] == [110], state
        assert [row[2] for row in papers(opened, "receipt")] == [110], state
        assert not set(opened.documents.filter(pl.col("kind_code") != "customer")["document_id"]) & set(
            first.documents["document_id"]
        )


def test_a_full_summary_is_followed_by_the_next_and_stays_as_it_is() -> None:
    policy = replace(POLICY, summary_orders=1)
    first = planned(traded(), mappings=SUMMARISED, policy=policy)
    assert [row[2] for row in papers(first, "invoice")] == [550, 2200, 3300, 1100]
    second = planned(traded(), after(first, "planned"), mappings=SUMMARISED, policy=policy)
    assert second.documents.filter(pl.col("kind_code") != "customer").is_empty()


def test_an_order_that_is_held_leaves_a_summary_that_waits() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    held = pl.DataFrame({"storefront": ["shop"], "order_ref": ["B"], "reason": ["x"]}, schema=NO_HELD.schema)
    second = planned(traded(), after(first, "planned"), mappings=SUMMARISED, held=held)
    assert [row[2] for row in papers(second, "invoice")] == [3300]
    assert ("B", "invoice", "held") in shown(second.unplanned, "order_ref", "kind_code", "reason_code")
    alone = pl.DataFrame({"storefront": ["shop"], "order_ref": ["C"], "reason": ["x"]}, schema=NO_HELD.schema)
    third = planned(traded(), after(first, "planned"), mappings=SUMMARISED, held=alone)
    empty = first.documents.filter((pl.col("kind_code") == "invoice") & (pl.col("total_minor") == 1100))
    assert not set(empty["document_id"]) & set(third.alive["document_id"]), (
        "a summary nobody is left in is owed no more"
    )


def test_a_store_that_changes_its_policy_posts_nothing_twice() -> None:
    for before, now in ((MAPPINGS, SUMMARISED), (SUMMARISED, MAPPINGS)):
        for state in ("planned", "accepted"):
            first = planned(traded(), mappings=before)
            second = planned(traded(), after(first, state), mappings=now)
            assert second.documents.filter(pl.col("kind_code") != "customer").is_empty(), (
                state,
                now is SUMMARISED,
            )


def test_money_without_a_sale_waits() -> None:
    unshipped = ORDERS.replace("2026-10-03 15:00", "-               ")
    done = planned(traded(unshipped), mappings=SUMMARISED)
    assert ("C", "receipt", "prepaid") in shown(done.unplanned, "order_ref", "kind_code", "reason_code")


# --- orders that change after their summary was sent --------------------------------------------------------------
CHANGED = "order_ref | changed_on | is_cancelled\nB | 2026-10-20 | no"


def changed_to(goods: int) -> trade.Owed:
    total = goods + 200
    return traded(
        ORDERS.replace("2000        | 200       | 2200", f"{goods} | 200 | {total}"),
        LINES.replace("2000      | 200", f"{goods} | 200"),
        PAID.replace("| 2200 ", f"| {min(total, 2200)} "),
    )


@pytest.mark.parametrize(
    ("goods", "kind", "difference"), [(2100, "invoice", 100), (1700, "credit_memo", -300)]
)
def test_what_an_order_of_a_sent_summary_owes_now_is_a_document_of_its_own(
    goods: int, kind: str, difference: int
) -> None:
    first = planned(traded(), mappings=SUMMARISED)
    second = planned(changed_to(goods), after(first, "accepted"), mappings=SUMMARISED, changes=CHANGED)
    papers_made = second.documents.filter(pl.col("kind_code").is_in(["invoice", "credit_memo"]))
    assert shown(papers_made, "kind_code", "number", "revision", "order_ref", "document_on", "total_minor", "customer_id") == [
        (kind, "UW2-R2", 2, "B", date(2026, 10, 20), difference, "GUEST-US-USD")
    ]  # fmt: skip
    assert shown(second.lines.join(papers_made, on="document_id", how="semi"), "account_code", "component_code", "amount_minor") == [
        ("4000", "goods", difference)
    ]  # fmt: skip
    assert ("sale", "B", difference) in shown(second.orders, "event_code", "order_ref", "amount_minor")
    there = after(second, "accepted", after(first, "accepted"))
    third = planned(changed_to(goods), there, mappings=SUMMARISED, changes=CHANGED)
    assert third.documents.filter(pl.col("kind_code") != "customer").is_empty()
    fourth = planned(changed_to(goods + 50), there, mappings=SUMMARISED, changes=CHANGED)
    assert shown(fourth.documents.filter(pl.col("kind_code") == "invoice"), "number", "total_minor") == [
        ("UW2-R3", 50)
    ]


def test_money_for_a_difference_pays_the_further_invoice_in_whichever_order_they_come() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    there = after(first, "accepted")
    extra = "    pb2 | cb2 | B | 100 | 2026-10-19 10:05 | Card\n"
    paid = trade.recognised(
        trade.orders(ORDERS.replace("2000        | 200       | 2200", "2100 | 200 | 2300")),
        trade.lines(LINES.replace("2000      | 200", "2100 | 200")),
        payments=trade.charges(PAID + extra),
    )
    at_once = planned(paid, there, mappings=SUMMARISED, changes=CHANGED)
    further = at_once.documents.filter(pl.col("kind_code") == "invoice")
    assert [row for row in shown(at_once.documents, "kind_code", "total_minor") if row[0] != "customer"] == [
        ("invoice", 100),
        ("receipt", 100),
    ]
    assert shown(at_once.lines.drop_nulls("applies_to_id"), "applies_to_id", "amount_minor") == [
        (further["document_id"][0], 100)
    ]
    later = after(planned(changed_to(2100), there, mappings=SUMMARISED, changes=CHANGED), "accepted", there)
    money = planned(paid, later, mappings=SUMMARISED, changes=CHANGED)
    assert [row for row in shown(money.documents, "kind_code", "total_minor") if row[0] != "customer"] == [
        ("receipt", 100)
    ]
    assert shown(money.lines, "applies_to_id", "amount_minor") == [(further["document_id"][0], 100)]


def test_a_cancelled_order_of_a_sent_summary_is_credited_whole_and_the_others_stay() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    gone = traded(
        "\n".join(line for line in ORDERS.splitlines() if "| W2 " not in line),
        "\n".join(line for line in LINES.splitlines() if not line.startswith("    B ")),
        "\n".join(line for line in PAID.splitlines() if "| B " not in line),
    )
    second = planned(
        gone, after(first, "accepted"), mappings=SUMMARISED, changes=CHANGED.replace("| no", "| yes")
    )
    assert shown(second.documents, "kind_code", "number", "total_minor", "customer_id") == [
        ("credit_memo", "CMW2-R2", -2200, "GUEST-US-USD")
    ]
    assert shown(second.lines, "account_code", "amount_minor") == [("2200", -200), ("4000", -2000)]


def test_while_it_is_uncertain_or_by_policy_the_change_is_only_told() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    for state, policy in (("unknown", POLICY), ("accepted", replace(POLICY, change_after_posting="hold"))):
        second = planned(
            changed_to(2100), after(first, state), mappings=SUMMARISED, policy=policy, changes=CHANGED
        )
        assert second.documents.filter(pl.col("kind_code") != "customer").is_empty()
        assert ("B", "invoice", "changed_after_posting") in shown(
            second.unplanned, "order_ref", "kind_code", "reason_code"
        )


def test_two_events_of_one_order_in_one_summary_cannot_be_told_apart_and_are_told() -> None:
    first = planned(traded(), mappings=SUMMARISED)
    there = after(first, "accepted")
    invoice = there.orders.filter((pl.col("order_ref") == "B") & (pl.col("event_code") == "sale"))
    twin = invoice.with_columns(event_ref=pl.lit("another"), amount_minor=pl.lit(0, dtype=pl.Int64))
    second = planned(changed_to(2100), there._replace(orders=pl.concat([there.orders, twin])), mappings=SUMMARISED, changes=CHANGED)  # fmt: skip
    assert second.documents.filter(pl.col("kind_code") != "customer").is_empty()
    assert ("B", "invoice", "changed_after_posting") in shown(
        second.unplanned, "order_ref", "kind_code", "reason_code"
    )


def test_the_order_of_rows_does_not_matter() -> None:
    found = traded()
    first = planned(found, mappings=SUMMARISED)
    turned = found._replace(owed=found.owed.reverse(), owed_lines=found.owed_lines.reverse())
    second = planned(turned, mappings=SUMMARISED)
    assert second.documents.equals(first.documents)
    assert second.lines.equals(first.lines)
    assert second.orders.equals(first.orders)
