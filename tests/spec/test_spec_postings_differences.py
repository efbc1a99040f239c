"""Orders that changed after posting: the difference is posted as a further invoice or a credit memo, so that documents sum to what is owed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import polars as pl
import pytest
import trade
from drawn import shown
from planning import MAPPINGS, NO_HELD, POLICY, after, planned

from transforms.postings.planned import Existing, Plan

ORDER = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | shipping_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | 500            | 3500
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor
    A         | l1       | item      | MUG-1 | 1        | 3000
    A         | l2       | shipping  | -     | 1        | 500
"""
CHANGED = "order_ref | changed_on | is_cancelled\nA | 2026-10-20 | no"


@cache
def traded(goods: int = 3000, shipping: int = 500) -> trade.Owed:
    order = ORDER.replace("3000        | 500            | 3500", f"{goods} | {shipping} | {goods + shipping}")
    lines = LINES.replace("3000", str(goods)).replace("| 500", f"| {shipping}")
    return trade.recognised(trade.orders(order), trade.lines(lines))


def told(done: Plan) -> list[tuple[object, ...]]:
    return shown(done.documents, "kind_code", "number", "revision", "document_on", "total_minor")


def lines(done: Plan) -> list[tuple[object, ...]]:
    return shown(done.lines, "account_code", "component_code", "amount_minor")


def posted(state: str = "accepted") -> Existing:
    return after(planned(traded()), state)


@pytest.mark.parametrize(
    ("goods", "shipping", "document", "difference"),
    [
        (3000, 600, ("invoice", "UW1-R2", 2, date(2026, 10, 20), 100), [("4100", "shipping", 100)]),
        (2400, 500, ("credit_memo", "UW1-R2", 2, date(2026, 10, 20), -600), [("4000", "goods", -600)]),
        (2400, 600, ("credit_memo", "UW1-R2", 2, date(2026, 10, 20), -500), [("4000", "goods", -600), ("4100", "shipping", 100)]),
    ],
)  # fmt: skip
def test_the_difference_is_a_further_invoice_or_a_credit_memo(
    goods: int, shipping: int, document: tuple[object, ...], difference: list[tuple[object, ...]]
) -> None:
    done = planned(traded(goods, shipping), posted(), changes=CHANGED)
    assert told(done) == [document]
    assert lines(done) == difference
    assert shown(done.orders, "event_code", "order_ref", "amount_minor") == [("sale", "A", document[-1])]
    assert shown(done.unplanned, "reason_code", "amount_minor") == [("already_in_intacct", 3500)]


def test_planning_the_difference_again_plans_nothing_and_a_second_change_is_the_next_revision() -> None:
    first = planned(traded(3000, 600), posted(), changes=CHANGED)
    waiting = after(first, "planned", posted())
    assert planned(traded(3000, 600), waiting, changes=CHANGED).documents.is_empty()
    grown = planned(traded(3000, 650), waiting, changes=CHANGED)
    assert told(grown) == [("invoice", "UW1-R2", 2, date(2026, 10, 20), 150)], "what waits is replaced"
    turned = planned(traded(2900, 500), waiting, changes=CHANGED)
    assert told(turned) == [("credit_memo", "UW1-R2", 2, date(2026, 10, 20), -100)]
    assert turned.documents["document_id"].to_list() == first.documents["document_id"].to_list()
    both = after(first, "accepted", posted())
    assert planned(traded(3000, 600), both, changes=CHANGED).documents.is_empty()
    back = planned(traded(3000, 500), both, changes=CHANGED)
    assert told(back) == [("credit_memo", "UW1-R3", 3, date(2026, 10, 20), -100)]


def test_a_change_taken_back_before_its_difference_was_sent_owes_nothing() -> None:
    first = planned(traded(3000, 600), posted(), changes=CHANGED)
    again = planned(traded(), after(first, "planned", posted()), changes=CHANGED)
    assert again.documents.is_empty()
    assert not set(first.documents["document_id"]) & set(again.alive["document_id"]), "it is owed no more"


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_while_it_is_uncertain_what_was_posted_the_change_waits(state: str) -> None:
    done = planned(traded(3000, 600), posted(state), changes=CHANGED)
    assert done.documents.is_empty()
    assert shown(done.unplanned, "reason_code", "amount_minor") == [("changed_after_posting", 3600)]


@pytest.mark.parametrize("state", ["planned", "held", "refused"])
def test_before_posting_the_document_itself_is_replaced(state: str) -> None:
    done = planned(traded(3000, 600), posted(state), changes=CHANGED)
    assert [row[:3] for row in told(done) if row[0] != "customer"] == [("invoice", "UW1", 1)]


def test_a_sale_whose_order_was_cancelled_is_credited_whole_and_one_that_is_not_there_is_not() -> None:
    nothing = trade.recognised(trade.orders(ORDER.splitlines()[1]), None)
    cancelled = "order_ref | changed_on | is_cancelled\nA | 2026-10-20 | yes"
    done = planned(nothing, posted(), changes=cancelled)
    assert told(done) == [("credit_memo", "UW1-R2", 2, date(2026, 10, 20), -3500)]
    assert lines(done) == [("4000", "goods", -3000), ("4100", "shipping", -500)]
    assert done.documents["customer_id"].to_list() == ["C10011"]
    assert planned(nothing, after(done, "accepted", posted()), changes=cancelled).documents.is_empty()
    assert planned(nothing, posted(), changes=CHANGED).documents.is_empty()
    assert planned(nothing, posted()).documents.is_empty()
    early = planned(nothing, posted("planned"), changes=cancelled)
    assert early.documents.is_empty()
    assert early.alive.is_empty(), "what was never sent is owed no more"


def test_the_policy_may_leave_changes_to_a_person_and_a_held_order_waits() -> None:
    policy = replace(POLICY, change_after_posting="hold")
    done = planned(traded(3000, 600), posted(), policy=policy, changes=CHANGED)
    assert done.documents.is_empty()
    assert shown(done.unplanned, "reason_code", "amount_minor") == [("changed_after_posting", 3600)]
    held = pl.DataFrame({"storefront": ["shop"], "order_ref": ["A"], "reason": ["x"]}, schema=NO_HELD.schema)
    waits = planned(traded(3000, 600), posted(), held=held, changes=CHANGED)
    assert waits.documents.is_empty()
    assert sorted(shown(waits.unplanned, "reason_code", "amount_minor")) == [
        ("already_in_intacct", 3500),
        ("held", 100),
    ]


def test_a_mapping_that_changed_meanwhile_moves_only_the_difference() -> None:
    mended = MAPPINGS._replace(
        accounts=MAPPINGS.accounts.with_columns(account_code=pl.col("account_code").replace("4100", "4199"))
    )
    done = planned(traded(3000, 600), posted(), mappings=mended, changes=CHANGED)
    assert sorted(lines(done)) == [("4100", "shipping", -500), ("4199", "shipping", 600)]
