"""Refunds against the general ledger: every outcome beside the smallest case of it, and the sums of both sides conserved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from drawn import drawn, shown

from checks.contracts import ALL
from transforms.closing.refunds_paid import Refunds
from transforms.refund_entries import refund_entries

READ_AT = datetime(2026, 10, 20, 3, tzinfo=UTC)
REFUND = "order_ref | event_ref | event_code | payment_ref | gateway_ref | total_minor | owed_on\nW1 | t2 | credit | p1 | re_1 | -3000 | 2026-10-05"
ENTRY = "entry_ref | batch_ref | account_code | amount_minor | posted_on\n1 | 77 | 2400 | 3000 | 2026-10-05\n2 | 77 | 1201 | -3000 | 2026-10-05"
BY_HAND = ENTRY.replace("| posted_on", "| posted_on  | reference").replace("2026-10-05", "2026-10-05 | re_1")
CLEARING = drawn(
    ALL["mappings.clearing"],
    "storefront | entity_code | tender_code | mode | journal_code | clearing_account_code\nshop | * | * | map | GJ | 1201",
)


def told(
    owed: str = REFUND,
    entries: str = "",
    state: str | None = "accepted",
    reason: str | None = None,
    *,
    currency: str = "USD",
    changed: datetime = datetime(2026, 10, 10, tzinfo=UTC),
    chargebacks: tuple[str, ...] = (),
    entry: dict[str, str] | None = None,
) -> pl.DataFrame:
    base = {"storefront": "shop", "currency": currency, "entity_code": "E100"}
    journals = drawn(
        ALL["out.documents"],
        "document_id | kind_code | order_ref | event_ref\nJ1 | journal | W1 | t2"
        if state
        else "document_id\n",
        **base,
    ).with_columns(
        state_code=pl.lit(state, dtype=pl.String),
        intacct_key=pl.when(pl.lit(state == "accepted")).then(pl.lit("77")),
        changed_at=pl.lit(changed),
    )
    lines = drawn(ALL["out.document_lines"], "document_id | line_no | account_code | amount_minor\nJ1 | 1 | 2400 | 3000\nJ1 | 2 | 1201 | -3000")  # fmt: skip
    unplanned = pl.DataFrame(
        [{"kind_code": "journal", "storefront": "shop", "order_ref": "W1", "event_ref": "t2", "reason_code": reason, "sentence": "Because."}] if reason else [],
        schema=ALL["ops.unplanned"].polars_schema,
    )  # fmt: skip
    given = {
        "owed": drawn(ALL["recon.owed"], owed, **base),
        "journals": journals,
        "lines": lines,
        "entries": drawn(ALL["core.gl_entries"], entries, **{"currency": currency, "entity_code": "E100", **(entry or {})}) if entries else ALL["core.gl_entries"].empty(),
        "unplanned": unplanned,
        "chargebacks": pl.DataFrame({"storefront": ["shop"] * len(chargebacks), "event_ref": list(chargebacks)}, schema={"storefront": pl.String, "event_ref": pl.String}),
        "clearing": CLEARING,
    }  # fmt: skip
    rows = refund_entries(**given, decimals=2, read_at=READ_AT)
    # What a close packs of it gives the same rows.
    packed = Refunds.packed(Refunds.of(**given, decimals=2, read_at=READ_AT).frames())
    assert packed.compared().rows() == rows.with_columns(pl.col("entity_code").fill_null("")).rows()
    table = ALL["recon.refund_entries"]
    table.checked(table.shaped(rows), at="in a test")
    assert rows.filter(pl.col("expected_minor") - pl.col("actual_minor") != pl.col("delta_minor")).is_empty()
    return rows


@pytest.mark.parametrize(
    ("case", "code", "delta", "found"),
    [
        ({"entries": ENTRY}, "matched", 0, 1),
        ({"entries": ENTRY.replace("-3000", "-2900")}, "gl_amount", -100, 1),
        ({"entries": ENTRY.replace("1201", "1202")}, "gl_missing", -3000, 0),
        ({"entries": ENTRY.replace("2026-10-05", "2026-11-01")}, "cut_off", 0, 1),
        ({"entries": ENTRY, "entry": {"entity_code": "E200"}}, "entity", 0, 1),
        ({"entries": ENTRY, "entry": {"currency": "EUR"}}, "currency", -3000, 1),
        ({"owed": REFUND.replace("-3000", "-3004"), "entries": ENTRY, "currency": "KWD"}, "rounding", -4, 1),
        ({}, "gl_missing", -3000, 0),
        ({"changed": READ_AT}, "in_flight", -3000, 0),
        ({"state": "planned"}, "in_flight", -3000, 0),
        ({"state": "unknown"}, "in_flight", -3000, 0),
        ({"state": "held"}, "held", -3000, 0),
        ({"state": "dead"}, "held", -3000, 0),
        ({"state": "cancelled"}, "cash_leg_elsewhere", -3000, 0),
        ({"state": None, "reason": "tender_ignored"}, "cash_leg_elsewhere", -3000, 0),
        ({"state": None, "reason": "before_go_live"}, "cash_leg_elsewhere", -3000, 0),
        ({"state": None, "reason": "clearing_unmapped"}, "held", -3000, 0),
        ({"state": None}, "gl_missing", -3000, 0),
        ({"state": None, "entries": BY_HAND}, "matched", 0, 2),
        ({"state": None, "entries": BY_HAND.replace("-3000", "-2900")}, "gl_amount", -100, 2),
        ({"state": None, "entries": BY_HAND.replace("re_1", "re_9")}, "gl_missing", -3000, 0),
        ({"state": None, "entries": BY_HAND + "\n3 | 78 | 1201 | -3000 | 2026-10-06 | re_1"}, "ambiguous", -3000, 0),
        ({"owed": REFUND.replace("| credit | p1", "| sale | -"), "entries": ENTRY}, "gl_only", 3000, 1),
    ],
)  # fmt: skip
def test_each_outcome_as_drawn(case: dict[str, Any], code: str, delta: int, found: int) -> None:
    rows = told(**case)
    assert shown(rows, "outcome_code", "delta_minor", "pass_no") == [(code, delta, found)]


def test_a_credit_of_no_money_and_a_chargeback_are_no_refunds() -> None:
    assert told(owed=REFUND.replace("| p1 ", "| - "), state=None).is_empty()
    taken = REFUND.replace("| credit | p1", "| sale | -")
    assert told(owed=taken, entries=ENTRY, chargebacks=("t2",)).is_empty()


def test_two_refunds_under_one_reference_are_not_guessed_at() -> None:
    both = REFUND + "\nW1 | t3 | credit | p1 | re_1 | -3000 | 2026-10-05"
    rows = told(owed=both, entries=BY_HAND, state=None)
    assert rows["outcome_code"].to_list() == ["ambiguous", "ambiguous"]
    assert rows["actual_minor"].to_list() == [0, 0]
