"""Gift cards, store credit and points an order carries itself: one tender each, one receipt each, each into its own account."""

from __future__ import annotations

import planning
import polars as pl
import pytest
import trade
from drawn import drawn, shown
from reconcile_tables import Case, assert_rows, run

from checks.contracts import ALL
from checks.findings import Limits
from checks.findings import run as judged
from transforms.mapping.coverage import SUBJECTS, coverage, used_codes
from transforms.owed.tenders import STATED, kind_of_word, order_tenders

ORDER = """
    order_ref | order_number | placed_at        | shipped_at       | status_code | customer_ref | goods_minor | total_minor | tender_minor | due_minor
    A         | W1           | 2026-10-01 09:00 | 2026-10-02 12:00 | complete    | u1           | 10000       | 10000       | 5500         | 4500
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor
    A         | l1       | item      | MUG-1 | 1        | 10000
"""
PAID = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at
    p           | c1              | A         | charge    | 4500         | 2026-10-01 09:05
"""
TENDERS = """
    order_ref | tender_ref    | kind_code     | tender_code  | amount_minor
    A         | store_credit  | store_credit  | StoreCredit  | 2000
    A         | 18            | gift_card     | GiftCard     | 500
    A         | 17            | gift_card     | GiftCard     | 2500
    A         | reward_points | reward_points | RewardPoints | 500
"""
ACCOUNTS = drawn(
    ALL["mappings.tenders"],
    """
    storefront | entity_code | tender_code  | mode | account_ref | method
    shop       | E100        | CreditCard   | map  | CLR-CARD    | Credit Card
    shop       | E100        | GiftCard     | map  | CLR-GIFT    | EFT
    shop       | E100        | StoreCredit  | map  | CLR-CREDIT  | EFT
    shop       | E100        | RewardPoints | map  | CLR-POINTS  | EFT
    """,
)
MAPPINGS = planning.MAPPINGS._replace(tenders=ACCOUNTS)


def tenders(text: str = TENDERS) -> pl.DataFrame:
    return trade.of("core.order_tenders", text, currency="USD")


def owed(text: str | None = TENDERS, order: str = ORDER) -> trade.Owed:
    return trade.recognised(
        trade.orders(order),
        trade.lines(LINES),
        payments=trade.charges(PAID),
        order_tenders=None if text is None else tenders(text),
    )


def receipts(found: trade.Owed) -> list[tuple[object, ...]]:
    rows = found.owed.filter((pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null())
    return shown(rows, "event_ref", "gateway_ref", "tender_code", "total_minor")


def test_each_tender_owes_a_receipt_of_its_own_when_the_sale_counts() -> None:
    """The first keeps the name that an order's only tender has; cards go before credit, credit before points."""
    found = owed()
    assert sorted(receipts(found)) == [
        ("tender", "tender-W1", "GiftCard", 2500),
        ("tender-18", "tender-W1-18", "GiftCard", 500),
        ("tender-reward_points", "tender-W1-reward_points", "RewardPoints", 500),
        ("tender-store_credit", "tender-W1-store_credit", "StoreCredit", 2000),
    ]
    days = found.owed.filter(pl.col("payment_ref").is_null() & (pl.col("event_code") == "receipt"))["owed_at"]
    assert days.unique().dt.strftime("%Y-%m-%d %H:%M").to_list() == ["2026-10-02 12:00"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        TENDERS.replace("2500", "2499"),
        "order_ref | tender_ref | kind_code | tender_code | amount_minor\nB | 1 | gift_card | GiftCard | 5500",
    ],
    ids=["not told apart", "do not sum", "of another order"],
)
def test_tenders_that_do_not_sum_to_their_order_are_not_guessed_at(text: str | None) -> None:
    assert receipts(owed(text)) == [("tender", "tender-W1", "GiftCard", 5500)]


def test_an_order_that_is_not_recognised_owes_no_receipt_of_its_tender() -> None:
    waiting = ORDER.replace("2026-10-02 12:00", "-               ").replace("complete", "open    ")
    assert receipts(owed(order=waiting)) == []


def test_receipts_go_to_the_account_of_each_tender_and_pay_the_invoice_whole() -> None:
    done = planning.planned(owed(), mappings=MAPPINGS)
    money = done.documents.filter(pl.col("kind_code") == "receipt").sort("number")
    assert sorted(shown(money, "account_ref", "total_minor")) == [
        ("CLR-CARD", 4500),
        ("CLR-CREDIT", 2000),
        ("CLR-GIFT", 500),
        ("CLR-GIFT", 2500),
        ("CLR-POINTS", 500),
    ]
    assert money["number"].n_unique() == 5
    applied = done.lines.join(money, on="document_id", how="semi")
    [invoice] = done.documents.filter(pl.col("kind_code") == "invoice")["document_id"]
    assert applied["applies_to_id"].unique().to_list() == [invoice]
    assert applied["amount_minor"].sum() == 10000
    again = planning.planned(owed(), planning.after(done, "accepted", key="1"), mappings=MAPPINGS)
    assert again.documents.is_empty()


def test_what_was_posted_before_tenders_were_told_apart_is_not_posted_again() -> None:
    """One receipt of the whole stands: the first tender is that receipt, and nothing is left that the others could pay."""
    before = planning.planned(owed(None), mappings=MAPPINGS)
    again = planning.planned(owed(), planning.after(before, "accepted", key="1"), mappings=MAPPINGS)
    assert again.documents.filter(pl.col("kind_code") == "receipt").is_empty()
    waits = again.unplanned.filter(pl.col("kind_code") == "receipt")
    assert sorted(shown(waits, "event_ref", "reason_code")) == [
        ("c1", "already_in_intacct"),
        ("tender", "changed_after_posting"),
        *((f"tender-{one}", "exceeds_due") for one in ("18", "reward_points", "store_credit")),
    ]


def test_a_tender_without_an_account_holds_its_order_and_is_ranked_with_the_others() -> None:
    mapped = ACCOUNTS.filter(pl.col("tender_code") != "StoreCredit")
    orders, lines = trade.orders(ORDER), trade.lines(LINES)
    tables = {
        "core.orders": orders, "core.order_lines": lines, "core.payments": trade.charges(PAID), "core.order_tenders": tenders(),
        "core.order_payments": trade.empty("core.order_payments"), "mappings.stores": trade.STORES, "mappings.tenders": mapped,
    }  # fmt: skip
    findings = judged(tables, run_id="r", limits=Limits(now=planning.NOW), codes=["tender_unmapped"])
    assert shown(findings, "severity", "order_ref") == [("hold", "A")]
    assert "shop,E100,StoreCredit,map,<account>,<method>," in findings["sentence"].item()
    rest = {
        name: ALL[name].empty() for name in ("core.returns", "core.stock", "core.shipments", "core.products")
    }
    used = used_codes(tables | rest, trade.STORES, ALL["mappings.items"].empty())["tenders"]
    [subject] = [one for one in SUBJECTS if one.name == "tenders"]
    rows = coverage(used, mapped, subject).filter(pl.col("list_code") == "missing")
    assert shown(rows, "tender_code", "amount_minor") == [("StoreCredit", 10000)]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("gift-card", "gift_card"), ("Gift Card", "gift_card"), ("STORE_CREDIT", "store_credit"), ("storecredit", "store_credit"),
        ("reward points", "reward_points"), ("Geschenkkarte", "other"), ("credit", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_the_kind_a_word_names(word: str, kind: str) -> None:
    """Only words that name a kind plainly do; any other is a row of tenders.csv of its own."""
    assert kind_of_word(word) == kind


def test_rows_of_one_reference_are_told_apart_and_nothing_of_zero_is_kept() -> None:
    rows = [
        ("A", "gift_card", "gift_card", None, "USD", 5),
        ("A", "gift_card", "gift_card", None, "USD", 3),
        ("A", "points", "other", "Bonus", "USD", 2),
        ("A", "none", "gift_card", None, "USD", 0),
        ("B", "gift_card", "gift_card", None, "USD", 7),
    ]
    stated = pl.DataFrame(rows, schema=STATED, orient="row")
    found = order_tenders(stated, storefront="shop", run_id="r")
    ALL["core.order_tenders"].checked(found, at="in a test")
    assert shown(found, "order_ref", "tender_ref", "tender_code", "amount_minor") == [
        ("A", "gift_card", "GiftCard", 3),
        ("A", "gift_card#2", "GiftCard", 5),
        ("A", "points", "Bonus", 2),
        ("B", "gift_card", "GiftCard", 7),
    ]


_TWO = {
    "orders": "order_ref | tender_minor\nW1 | 4000",
    "owed": "order_ref | event_code | event_ref | payment_ref | gateway_ref | tender_code | total_minor\n"
    "W1 | sale | s1 | p | - | - | 10000\nW1 | receipt | tender | - | tender-W1 | GiftCard | 2500\n"
    "W1 | receipt | tender-store_credit | - | tender-W1-store_credit | StoreCredit | 1500",
    "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
    "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | G1 | 6000",
}
_APPLIED = "application_ref | receipt_ref | invoice_ref | amount_minor\n91 | 7 | 1 | 6000\n92 | 8 | 1 | 2500\n93 | 9 | 1 | 1500"
CASES = [
    Case("matched", "Gift card and store credit on one order", "Each tender has its receipt, found by the order's number and the tender's name.",
         {**_TWO, "ar_receipts": "receipt_ref | reference | total_minor\n7 | G1 | 6000\n8 | tender-W1 | 2500\n9 | tender-W1-store_credit | 1500", "ar_applications": _APPLIED},
         "group_ref | expected_minor | receipts | outcome_code\nshop:p1:t1 | 6000 | 7 | matched\nshop:W1:tender | 2500 | 8 | matched\nshop:W1:tender-store_credit | 1500 | 9 | matched"),
    Case("receipt_missing", "Store credit without its receipt", "The gift card's receipt stands and the credit's does not: only the credit is missing.",
         {**_TWO, "ar_receipts": "receipt_ref | reference | total_minor\n7 | G1 | 6000\n8 | tender-W1 | 2500", "ar_applications": _APPLIED.rsplit("\n", 1)[0]},
         "group_ref | outcome_code | delta_minor\nshop:p1:t1 | matched | 0\nshop:W1:tender | matched | 0\nshop:W1:tender-store_credit | receipt_missing | 1500"),
    Case("short_paid", "One receipt for all tenders", "A ledger that took gift card and credit as one receipt of the gift card shows both as differences that cancel.",
         {**_TWO, "ar_receipts": "receipt_ref | reference | total_minor\n7 | G1 | 6000\n8 | tender-W1 | 4000", "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n91 | 7 | 1 | 6000\n92 | 8 | 1 | 4000"},
         "group_ref | outcome_code | delta_minor\nshop:p1:t1 | matched | 0\nshop:W1:tender | over_paid | -1500\nshop:W1:tender-store_credit | receipt_missing | 1500"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_comparison(case: Case) -> None:
    assert_rows(run(case.tables).payments, case.expected)
