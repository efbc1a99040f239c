"""Payments against payouts: paid out once, for the fee agreed, at the rate stated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest
from drawn import drawn, table
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from tieout.errors import InputError
from transforms.reconcile.settlements import Settled, settle
from transforms.storefronts.files_payouts import payouts

PAYMENT = "payment_ref | transaction_ref | gateway_ref | amount_minor\np1 | t1 | G1 | 10000"
FEES = "storefront | tender_code | kind_code | currency | percent | fixed | valid_from_on | valid_until_on\n* | CreditCard | charge | * | 1.4 | 0.25 | 2026-01-01 | -"


@dataclass(frozen=True)
class Payout:
    """A drawn case: payments, payout lines, a schedule; the rows that come out."""

    code: str
    title: str
    sentence: str
    tables: dict[str, str]
    expected: str
    days: int = field(default=10)


def settled_of(tables: dict[str, str], *, days: int = 10) -> Settled:
    """The comparison of drawn tables; it foots and keeps its contract."""
    payments = ALL["core.payments"].empty()
    if "payments" in tables:
        head = tables["payments"].splitlines()[0]
        base = {
            "storefront": "shop",
            "kind_code": "charge",
            "state_code": "success",
            "tender_code": "CreditCard",
            "currency": "USD",
        }
        when = {} if "occurred_at" in head else {"occurred_at": table("x_at\n2026-09-10 12:00")["x_at"][0]}
        cells = [cell.strip() for cell in head.split("|")]
        payments = drawn(ALL["core.payments"], tables["payments"], **{k: v for k, v in base.items() if k not in cells}, **when)  # fmt: skip
    lines = ALL["core.payout_lines"].empty()
    if "payouts" in tables:
        found = payouts(table(tables["payouts"], dict.fromkeys(tables["payouts"].splitlines()[0].replace(" ", "").split("|"), pl.String())), storefront="shop", run_id="r")  # fmt: skip
        assert found.problems.is_empty(), found.problems.to_dicts()
        lines = found["core.payout_lines"]
    result = settle(
        payments, ALL["core.order_payments"].empty(), ALL["core.payout_lines"].checked(lines, at="in a test"),
        drawn(ALL["mappings.fees"], tables["fees"]) if "fees" in tables else ALL["mappings.fees"].empty(),
        drawn(ALL["mappings.rates"], tables["rates"]) if "rates" in tables else ALL["mappings.rates"].empty(), days=days,
    )  # fmt: skip
    ALL["recon.settlements"].checked(ALL["recon.settlements"].shaped(result.rows), at="in a test")
    assert result.footing.filter(pl.col("difference_minor") != 0).is_empty(), result.footing.to_dicts()
    return result


HEAD = "payout_ref | paid_out_at | payment_ref | kind | gross | fee | currency"
PAID = HEAD + "\nP1 | 2026-09-12 | G1 | charge | 100.00 | 1.65 | USD"
CASES = [
    Payout("matched", "Paid out whole", "The payout holds what moved, and no fee was kept.",
           {"payments": PAYMENT, "payouts": PAID.replace("1.65", "0.00")}, "group_ref | outcome_code | payouts | net_minor\nshop:p1:t1 | matched | P1 | 10000"),
    Payout("tender_fee", "The scheduled fee", "1.4 % of 100.00 and 0.25 are 1.65.",
           {"payments": PAYMENT, "payouts": PAID, "fees": FEES}, "outcome_code | family_code | fee_minor | scheduled_fee_minor | net_minor\ntender_fee | explained | 165 | 165 | 9835"),
    Payout("tender_fee", "A fee rounded either way", "1.4 % of 100.35 is 1.4049: 1.65 and 1.66 with the fixed part are both right.",
           {"payments": PAYMENT.replace("10000", "10035"), "payouts": PAID.replace("100.00", "100.35").replace("1.65", "1.66"), "fees": FEES}, "outcome_code | fee_minor | scheduled_fee_minor\ntender_fee | 166 | 165"),
    Payout("fee_differs", "Another fee than scheduled", "A cent more than either rounding is a difference.",
           {"payments": PAYMENT, "payouts": PAID.replace("1.65", "1.70"), "fees": FEES}, "outcome_code | family_code | fee_minor | scheduled_fee_minor\nfee_differs | error | 170 | 165"),
    Payout("fee_unscheduled", "No row for the day", "The schedule begins later than the payment.",
           {"payments": PAYMENT, "payouts": PAID, "fees": FEES.replace("2026-01-01", "2026-10-01")}, "outcome_code\nfee_unscheduled"),
    Payout("tender_fee", "The row of the day", "A row that ended gives way to the next; the closest row wins over stars.",
           {"payments": PAYMENT, "payouts": PAID.replace("1.65", "2.00"), "fees": FEES.replace("| -", "| 2026-09-01") + "\n* | * | * | * | 9 | - | 2026-01-01 | -\nshop | CreditCard | charge | USD | 2 | - | 2026-09-01 | -"},
           "outcome_code | scheduled_fee_minor\ntender_fee | 200"),
    Payout("tender_fee", "Without a schedule fees are only totalled", "Nothing is known to hold them against.",
           {"payments": PAYMENT, "payouts": PAID}, "outcome_code | fee_minor\ntender_fee | 165"),
    Payout("settlement_amount", "Another amount", "The payout's gross is not what moved.",
           {"payments": PAYMENT, "payouts": PAID.replace("100.00", "90.00").replace("1.65", "0")}, "outcome_code | delta_minor\nsettlement_amount | 1000"),
    Payout("duplicate_settlement", "Paid out twice", "Two payouts hold the whole payment.",
           {"payments": PAYMENT, "payouts": PAID.replace("1.65", "0") + "\nP2 | 2026-09-13 | G1 | charge | 100.00 | 0 | USD"}, "outcome_code | payouts | delta_minor\nduplicate_settlement | P1,P2 | -10000"),
    Payout("settlement_without_payment", "Of no payment", "A line whose reference nobody knows.",
           {"payments": PAYMENT, "payouts": PAID.replace("G1", "G9").replace("1.65", "0")}, "group_ref | outcome_code | gross_minor\nline:shop:P1/G9/charge | settlement_without_payment | 10000"),
    Payout("not_settled", "Not paid out yet", "Within the stated days of the newest payout a payment waits.",
           {"payments": PAYMENT + "\np2 | t2 | G2 | 500", "payouts": PAID.replace("1.65", "0")}, "group_ref | outcome_code | family_code\nshop:p1:t1 | matched | matched\nshop:p2:t2 | not_settled | timing"),
    Payout("settlement_missing", "Never paid out", "Past the stated days it is an error.",
           {"payments": PAYMENT + "\np2 | t2 | G2 | 500", "payouts": PAID.replace("1.65", "0").replace("2026-09-12", "2026-09-21")}, "group_ref | outcome_code\nshop:p1:t1 | matched\nshop:p2:t2 | settlement_missing"),
    Payout("matched", "Refunds lower the payout", "A refund pairs with a line that goes the same way.",
           {"payments": "payment_ref | transaction_ref | gateway_ref | amount_minor | kind_code\np1 | t1 | G1 | 10000 | charge\np1 | t2 | G1 | 3000 | refund",
            "payouts": HEAD + "\nP1 | 2026-09-12 | G1 | charge | 100.00 | 0 | USD\nP2 | 2026-09-13 | G1 | refund | 30.00 | 0 | USD"},
           "group_ref | outcome_code | gross_minor | payouts\nshop:p1:t1 | matched | 10000 | P1\nshop:p1:t2 | matched | -3000 | P2"),
    Payout("matched", "Equal captures pair up in turn", "Two captures of one reference and amount, two lines.",
           {"payments": "payment_ref | transaction_ref | gateway_ref | amount_minor\np1 | t1 | G1 | 5000\np1 | t2 | G1 | 5000",
            "payouts": HEAD + "\nP1 | 2026-09-12 | G1 | charge | 50.00 | 0 | USD\nP2 | 2026-09-13 | G1 | charge | 50.00 | 0 | USD"},
           "group_ref | outcome_code | payouts\nshop:p1:t1 | matched | P1\nshop:p1:t2 | matched | P2"),
    Payout("tender_fee", "A fee on its own", "A payout's monthly fee is no payment's; it is totalled.",
           {"payments": PAYMENT, "payouts": PAID.replace("1.65", "0") + "\nP1 | 2026-09-12 | - | fee | - | 9.00 | USD"}, "outcome_code | fee_minor\nmatched | 0\ntender_fee | 900"),
    Payout("payout_total", "Lines that do not add up", "The provider says the payout came to more than its lines.",
           {"payments": PAYMENT, "payouts": (HEAD + " | payout_total\nP1 | 2026-09-12 | G1 | charge | 100.00 | 0 | USD | 123.00")}, "group_ref | outcome_code\nshop:p1:t1 | matched\npayout:shop:P1 | payout_total"),
    Payout("exchange_difference", "Paid out in another currency", "100.00 USD at the stated 0.92 are 92.00 EUR; 91.50 were paid out.",
           {"payments": PAYMENT, "payouts": HEAD + " | payout_currency | payout_amount\nP1 | 2026-09-12 | G1 | charge | 100.00 | 0 | USD | EUR | 91.50",
            "rates": "currency | payout_currency | rate | source | valid_from_on | valid_until_on\nUSD | EUR | 0.92 | central bank, daily | 2026-09-12 | 2026-09-13"},
           "outcome_code | payout_currency | payout_minor | at_rate_minor | exchange_minor | rate_source\nexchange_difference | EUR | 9150 | 9200 | -50 | central bank, daily"),
    Payout("matched", "At exactly the stated rate", "Nothing is left over, also where the currencies have other digits.",
           {"payments": PAYMENT, "payouts": HEAD + " | payout_currency | payout_amount\nP1 | 2026-09-12 | G1 | charge | 100.00 | 0 | USD | JPY | 14750",
            "rates": "currency | payout_currency | rate | source | valid_from_on | valid_until_on\nUSD | JPY | 147.5 | central bank, daily | 2026-01-01 | -"},
           "outcome_code | payout_minor | exchange_minor\nmatched | 14750 | 0"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_settlement(case: Payout) -> None:
    found = settled_of(case.tables, days=case.days).rows
    expected = table(case.expected)
    assert found.select(expected.columns).sort(expected.columns).rows() == expected.sort(expected.columns).rows(), found.to_dicts()  # fmt: skip


def test_tenders_that_no_payout_ever_holds_are_not_expected_in_one() -> None:
    tables = {
        "payments": PAYMENT.replace("amount_minor", "amount_minor | tender_code").replace("10000", "10000 | CreditCard") + "\np2 | t2 | - | 500 | CashOnDelivery",
        "payouts": PAID,
    }  # fmt: skip
    assert settled_of(tables).rows["tender_code"].to_list() == ["CreditCard"]


@pytest.mark.parametrize(
    ("fees", "says"),
    [
        (FEES.replace("1.4", "1,4"), "line 2: percent '1,4' is not a number"),
        (FEES.replace("1.4", "-1"), "is not a number of zero or more"),
        (FEES.replace("1.4", "0.123456789"), "more than eight decimals"),
        (FEES.replace("2026-01-01", "1.1.2026"), "are no dates"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_in_a_sentence(fees: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        settled_of({"payments": PAYMENT, "payouts": PAID, "fees": fees})


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("P1 | 2026-09-12 | G1 | charge | 100.00 | 1.00 | USD | 98.00", "net"),
        ("P1 | 2026-09-12 | G1 | gift | 100.00 | 1.00 | USD | -", "kind"),
        ("P1 | soon | G1 | charge | 100.00 | 1.00 | USD | -", "paid_out_at"),
        ("- | 2026-09-12 | G1 | charge | 100.00 | 1.00 | USD | -", "payout_ref"),
        ("P1 | 2026-09-12 | G1 | charge | - | - | USD | -", "gross"),
    ],
)
def test_a_payout_line_that_is_not_sound_is_told_and_not_counted(row: str, column: str) -> None:
    frame = table(
        f"{HEAD} | net\n{row}", dict.fromkeys(f"{HEAD} | net".replace(" ", "").split("|"), pl.String())
    )
    found = payouts(frame, storefront="shop", run_id="r")
    assert found["core.payout_lines"].is_empty()
    assert any(column in problem for problem in found.problems["problem"].to_list()), (
        found.problems.to_dicts()
    )


@pytest.mark.parametrize(("fee", "net"), [("1.65", "98.35"), ("-1.65", "98.35"), ("1.65", "-"), ("-1.65", "-"), ("-", "98.35")])  # fmt: skip
def test_fees_are_costs_whichever_sign_the_file_gives_them(fee: str, net: str) -> None:
    frame = table(f"{HEAD} | net\nP1 | 2026-09-12 | G1 | charge | 100.00 | {fee} | USD | {net}", dict.fromkeys(f"{HEAD} | net".replace(" ", "").split("|"), pl.String()))  # fmt: skip
    found = payouts(frame, storefront="shop", run_id="r")["core.payout_lines"]
    assert found.select("gross_minor", "fee_minor", "net_minor").rows() == [(10000, 165, 9835)]


_LINE: Any = st.tuples(st.sampled_from(["P1", "P2"]), st.sampled_from(["G1", "G2", "t1", "zz", ""]), st.sampled_from(["charge", "refund", "fee"]), st.sampled_from(["0.00", "1.00", "50.00"]), st.sampled_from(["0", "0.10"]))  # fmt: skip
_PAID: Any = st.tuples(st.sampled_from(["G1", "G2"]), st.sampled_from(["charge", "refund"]), st.sampled_from([100, 5000]))  # fmt: skip


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(_LINE, max_size=6), st.lists(_PAID, max_size=4), st.integers(0, 99))
def test_it_foots_and_no_order_of_rows_matters(lines: list[Any], paid: list[Any], seed: int) -> None:
    there = [f"{p} | 2026-09-1{k} | {ref or '-'} | {kind} | {gross} | {fee} | USD" for k, (p, ref, kind, gross, fee) in enumerate(lines)]  # fmt: skip
    payments = [f"p{k} | t{k} | {ref} | {amount} | {kind}" for k, (ref, kind, amount) in enumerate(paid)]
    tables = {
        "payments": "\n".join(
            ["payment_ref | transaction_ref | gateway_ref | amount_minor | kind_code", *payments]
        )
    }
    if there:
        tables["payouts"] = "\n".join([HEAD, *there])
    base = settled_of(tables).rows
    mixed = dict(tables)
    for name, text in tables.items():
        head, *rows = text.splitlines()
        order = sorted(range(len(rows)), key=lambda k: (k * 31 + seed) % 7)
        mixed[name] = "\n".join([head, *(rows[k] for k in order)])
    figures = ["group_ref", "outcome_code", "moved_minor", "gross_minor", "fee_minor", "payouts"]
    assert settled_of(mixed).rows.filter("is_payment").select(figures).equals(base.filter("is_payment").select(figures))  # fmt: skip
