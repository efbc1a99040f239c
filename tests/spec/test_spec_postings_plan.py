"""What is planned for Intacct from what is owed, and the reason for everything that is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
import trade
from drawn import drawn, shown

from checks.contracts import ALL
from transforms.postings import Existing, Mappings, Plan, PostingPolicy, plan

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
POLICY = PostingPolicy(posting_starts_on=date(2026, 10, 1))
MAPPINGS = Mappings(
    stores=trade.STORES,
    items=drawn(
        ALL["mappings.items"],
        """
        storefront | sku    | mode   | item_ref | category_ref
        shop       | MUG-*  | map    | M-*      | c1
        shop       | TEA-*  | map    | T-*      | c2
        shop       | MUG-9  | map    | SPECIAL  | c9
        shop       | GIFT-* | ignore | -        | -
        """,
    ),
    accounts=drawn(
        ALL["mappings.accounts"],
        """
        storefront | store_ref | component_code | category_ref | account_code
        *          | *         | goods          | *            | 4000
        *          | *         | goods          | c2           | 4010
        *          | eu        | goods          | *            | 4001
        shop       | eu        | goods          | c2           | 4011
        *          | *         | shipping       | *            | 4100
        *          | *         | discount       | *            | 4800
        *          | *         | gift_card      | *            | 2300
        *          | *         | rounding       | *            | 6990
        *          | *         | allowance      | *            | 4900
        """,
    ),
    taxes=drawn(
        ALL["mappings.taxes"],
        """
        storefront | tax_code | mode | account_code
        shop       | NY       | map  | 2200
        shop       | VAT      | map  | 2210
        """,
    ),
    tenders=drawn(
        ALL["mappings.tenders"],
        """
        storefront | entity_code | tender_code | mode   | account_ref | method
        shop       | E100        | CreditCard  | map    | CLR-CARD-US | Credit Card
        shop       | *           | CreditCard  | map    | CLR-CARD    | Credit Card
        shop       | *           | Voucher     | ignore | -           | -
        """,
    ),
)
CUSTOMERS = drawn(
    ALL["core.customers"],
    """
    storefront | customer_ref | customer_number                              | name      | email
    shop       | u1           | C-10011                                      | Ana Lima  | ana@example.com
    shop       | u2           | LEGACY-IMPORT-2019-EMEA-0000000000-00010012  | Old & Co. | -
    shop       | u3           | -                                            | No Number | -
    """,
)
NO_HELD = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String, "reason": pl.String})


def existing(**frames: pl.DataFrame) -> Existing:
    documents = (
        ALL["out.documents"]
        .empty()
        .with_columns(state_code=pl.lit(None, dtype=pl.String), intacct_key=pl.lit(None, dtype=pl.String))
    )
    base = Existing(
        documents,
        ALL["out.document_lines"].empty(),
        ALL["core.ar_invoices"].empty(),
        ALL["core.ar_adjustments"].empty(),
        ALL["core.ar_receipts"].empty(),
        pl.DataFrame(schema={"customer_id": pl.String}),
    )
    return base._replace(**frames)


def planned(
    found: trade.Owed,
    there: Existing | None = None,
    held: pl.DataFrame = NO_HELD,
    policy: PostingPolicy = POLICY,
) -> Plan:
    done = plan(
        found.owed,
        found.owed_lines,
        CUSTOMERS,
        MAPPINGS,
        there or existing(),
        held,
        policy,
        run_id="r",
        planned_at=NOW,
    )
    ALL["out.documents"].checked(done.documents, at="in a test")
    ALL["out.document_lines"].checked(done.lines, at="in a test")
    sums = done.lines.group_by("document_id").agg(pl.col("amount_minor").sum())
    money = done.documents.filter(pl.col("kind_code") != "customer").join(sums, on="document_id", how="left")
    assert money.filter(pl.col("total_minor") != pl.col("amount_minor")).is_empty()
    ALL["out.document_orders"].checked(done.orders, at="in a test")
    parts = done.orders.group_by("document_id").agg(pl.col("amount_minor").sum().alias("orders_minor"))
    apart = money.join(parts, on="document_id", how="full", coalesce=True).filter(
        pl.col("orders_minor").ne_missing(pl.col("total_minor"))
    )
    assert apart.is_empty(), "every document is its orders, to the minor unit"
    total = (
        money["total_minor"].sum()
        + done.rounded["rounded_minor"].sum()
        + done.unplanned["amount_minor"].sum()
    )
    assert total == found.owed["total_minor"].sum()
    return done


def after(done: Plan, state: str, there: Existing | None = None, **keys: Any) -> Existing:
    """The crosswalk once a plan is in the outbox in one state."""
    documents = done.documents.with_columns(
        state_code=pl.lit(state), intacct_key=pl.lit(keys.get("key"), dtype=pl.String)
    )
    before = there or existing()
    return before._replace(
        documents=pl.concat([before.documents, documents]),
        lines=pl.concat([before.lines, done.lines]),
        orders=pl.concat([before.orders, done.orders]),
    )


ORDER = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | shipping_minor | discount_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | 500            | -200           | 330       | 3630
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | discount_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | 2        | 2000      | 0              | 200       | NY
    A         | l2       | item      | TEA-1 | 1        | 1000      | 0              | 80        | NY
    A         | l3       | shipping  | -     | 1        | 500       | 0              | 50        | NY
    A         | l4       | discount  | -     | 1        | 0         | -200           | 0         | -
"""
PAID = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at      | gateway_ref
    p           | c1              | A         | charge    | 3630         | 2026-10-01 09:05 | ch_1
"""


def traded(
    order: str = ORDER, lines: str | None = LINES, paid: str | None = PAID, **constants: Any
) -> trade.Owed:
    return trade.recognised(
        trade.orders(order, **constants),
        None
        if lines is None
        else trade.lines(lines, **{k: v for k, v in constants.items() if k == "currency"}),
        payments=None
        if paid is None
        else trade.charges(paid, **{k: v for k, v in constants.items() if k == "currency"}),
    )


def reasons(done: Plan) -> list[tuple[Any, ...]]:
    return shown(done.unplanned, "order_ref", "kind_code", "reason_code")


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


def test_a_receipt_intacct_holds_by_reference_is_not_planned_again() -> None:
    there = existing(
        receipts=drawn(
            ALL["core.ar_receipts"],
            """
            receipt_ref | reference | entity_code | currency | total_minor
            5           | ch_1      | E100        | USD      | 3630
            """,
        )
    )
    assert reasons(planned(traded(), there)) == [("A", "receipt", "already_in_intacct")]


def test_before_go_live_nothing_is_planned_but_money_for_our_invoices_is() -> None:
    september = traded(
        ORDER.replace("2026-10-02", "2026-09-20").replace("2026-10-01", "2026-09-19"),
        paid=PAID.replace("2026-10-01", "2026-09-19"),
    )
    assert reasons(planned(september)) == [("A", "invoice", "before_go_live"), ("A", "receipt", "prepaid")]
    charged_before = traded(paid=PAID.replace("2026-10-01", "2026-09-29"))
    done = planned(charged_before)
    assert done.documents.filter(pl.col("kind_code") == "receipt")["document_on"].to_list() == [
        date(2026, 10, 2)
    ]
    there = existing(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | customer_id | currency | posted_on  | total_minor | due_minor
            77          | UW1            | W1        | E100        | C10011      | USD      | 2026-09-20 | 3630        | 3630
            """,
        )
    )
    assert reasons(planned(september, there)) == [
        ("A", "invoice", "already_in_intacct"),
        ("A", "receipt", "before_go_live"),
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


@pytest.mark.parametrize(
    ("tender", "reason"), [("CryptoPay", "tender_unmapped"), ("Voucher", "tender_ignored")]
)
def test_a_tender_without_an_account_waits(tender: str, reason: str) -> None:
    paid = trade.charges(PAID, tender_code=tender)
    done = planned(trade.recognised(trade.orders(ORDER), trade.lines(LINES), payments=paid))
    assert reasons(done) == [("A", "receipt", reason)]


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


def test_receipts_pay_the_oldest_invoice_first_and_never_more_than_is_due() -> None:
    ship = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 2        | 2026-10-02 12:00
        A         | d2           | l2       | 1        | 2026-10-06 12:00
        """,
    )
    paid = trade.charges(
        """
        payment_ref | transaction_ref | order_ref | amount_minor | occurred_at      | gateway_ref
        p           | c1              | A         | 2000         | 2026-10-01 09:05 | ch_1
        p           | c2              | A         | 1630         | 2026-10-08 09:05 | ch_2
        """
    )
    done = planned(trade.recognised(trade.orders(ORDER), trade.lines(LINES), ship, paid))
    names = done.documents.select("document_id", "number")
    pays = (
        done.lines.filter(pl.col("applies_to_id").is_not_null())
        .join(names, on="document_id")
        .join(names.rename({"document_id": "applies_to_id", "number": "invoice"}), on="applies_to_id")
    )
    assert shown(pays, "number", "invoice", "amount_minor") == [
        ("ch_1", "UW1", 2000),
        ("ch_2", "UW1", 550),
        ("ch_2", "UW1-2", 1080),
    ]


def test_the_second_nights_receipt_pays_only_what_the_first_left_open() -> None:
    early = PAID.replace("3630", "2000")
    first = planned(traded(paid=early))
    later = traded(paid=early + "    p | c2 | A | charge | 1630 | 2026-10-09 10:00 | ch_2")
    second = planned(later, after(first, "accepted"))
    assert shown(second.documents, "kind_code", "number", "total_minor") == [("receipt", "ch_2", 1630)]
    too_much = traded(paid=early + "    p | c2 | A | charge | 1631 | 2026-10-09 10:00 | ch_2")
    assert ("A", "receipt", "exceeds_due") in reasons(planned(too_much, after(first, "accepted")))


def test_a_receipt_intacct_already_shows_is_not_counted_twice_against_its_invoice() -> None:
    early = PAID.replace("3630", "2000")
    first = planned(traded(paid=early))
    there = after(first, "accepted", key="77")._replace(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | customer_id | currency | posted_on  | total_minor | due_minor
            77          | UW1            | W1        | E100        | C10011      | USD      | 2026-10-02 | 3630        | 1630
            """,
        ),
        receipts=drawn(
            ALL["core.ar_receipts"],
            """
            receipt_ref | reference | entity_code | currency | total_minor
            5           | ch_1      | E100        | USD      | 2000
            """,
        ),
    )
    later = traded(paid=early + "    p | c2 | A | charge | 1630 | 2026-10-09 10:00 | ch_2")
    assert shown(planned(later, there).documents, "number", "total_minor") == [("ch_2", 1630)]


def test_money_beyond_the_invoices_goes_on_account_where_the_policy_says_so() -> None:
    done = planned(
        traded(paid=PAID.replace("3630", "4000")), policy=replace(POLICY, overpayment="on_account")
    )
    receipt = done.documents.filter(pl.col("kind_code") == "receipt")
    assert receipt["total_minor"].to_list() == [4000]
    rows = done.lines.join(receipt.select("document_id"), on="document_id")
    assert [(r["amount_minor"], r["applies_to_id"] is None) for r in rows.sort("line_no").to_dicts()] == [
        (3630, False),
        (370, True),
    ]


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
