"""Tie-out 1, one drawn case per outcome code, tolerance and match pass; the cases are also the pages of the rule book."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from reconcile_tables import Case, assert_rows, drawn_inputs, run

from tieout.errors import InputError
from transforms.reconcile import Period, Scope, Tolerance

ONE = {
    "orders": "order_ref\nW1",
    "owed": "order_ref\nW1",
}
TWO_SHIPMENTS = {
    "orders": "order_ref\nW1",
    "owed": """
    order_ref | event_ref | total_minor | tax_minor
    W1        | s1        | 4000        | 300
    W1        | s2        | 6000        | 500
    """,
}
SALE_AND_REFUND = {
    "orders": "order_ref\nW1",
    "owed": """
    order_ref | event_code | event_ref | total_minor | tax_minor
    W1        | sale       | s1        | 10000       | 800
    W1        | credit     | r1        | -3000       | -240
    """,
}


def _invoice(**more: str) -> str:
    cells = {"invoice_ref": "1", "invoice_number": "UW1", "reference": "W1", **more}
    return " | ".join(cells) + "\n" + " | ".join(cells.values())


def _parts(component: str, ledger: str, total: str) -> dict[str, str]:
    """An order of 100.00 in which one component is 10.00, and an invoice in which it differs."""
    sign = "-" if component == "discount" else ""
    return {
        "orders": "order_ref\nW1",
        "owed": f"order_ref | {component}_minor\nW1 | {sign}1000",
        "ar_invoices": _invoice(**{f"{component}_minor": ledger, "total_minor": total}),
    }


CASES = [
    Case("matched", "Both sides agree", "Total and every component agree to the minor unit.",
         {**ONE, "ar_invoices": _invoice()}, "outcome_code | delta_minor | pass_no | documents\nmatched | 0 | 2 | UW1"),
    Case("matched", "Posted by this tool", "The crosswalk knows our own document, whatever its number says.",
         {**ONE, "ar_invoices": _invoice(reference="-", invoice_number="X77"),
          "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key\nD1 | invoice | W1 | s1 | 1"},
         "outcome_code | pass_no\nmatched | 1"),
    Case("matched", "A document with a new RECORDNO", "An edited order-entry invoice gets a new RECORDNO; the crosswalk is followed by number.",
         {**ONE, "ar_invoices": _invoice(invoice_ref="900", reference="-"),
          "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key\nD1 | invoice | W1 | s1 | UW1"},
         "outcome_code | pass_no\nmatched | 1"),
    Case("matched", "Found by its number", "Without a reference the document's number counts, less the store's prefix and the suffix.",
         {**TWO_SHIPMENTS, "ar_invoices": """
          invoice_ref | invoice_number | reference | total_minor | tax_minor
          1           | UW1            | -         | 4000        | 300
          2           | UW1-2          | -         | 6000        | 500
          """}, "outcome_code | pass_no | documents\nmatched | 2 | UW1, UW1-2"),
    Case("matched", "Found although typed differently", "Case, blanks, punctuation and leading zeros do not matter once nothing fits as it stands.",
         {"orders": "order_ref | order_number\nA | W-0001", "owed": "order_ref\nA", "ar_invoices": _invoice(invoice_number="55", reference="w 0001")},
         "order_ref | outcome_code | pass_no\nA | matched | 2"),
    Case("matched", "Number inside a free text", "With a pattern for order numbers, a free reference is searched for them.",
         {**ONE, "ar_invoices": _invoice(invoice_number="55", reference="web order W1 of Monday")}, "outcome_code\nmatched",
         policy={"order_number_pattern": r"W\d+"}),
    Case("matched", "One invoice for two orders", "A reference that names several orders puts them in one group; the sums are compared.",
         {"orders": "order_ref\nW1\nW2", "owed": "order_ref\nW1\nW2", "ar_invoices": _invoice(invoice_number="S1", reference="W1; W2", total_minor="20000")},
         "group_ref | order_number | expected_minor | outcome_code | pass_no\nshop:W1 | W1,W2 | 20000 | matched | 3"),
    Case("matched", "Many invoices for many orders", "References that overlap tie orders and documents into one group.",
         {"orders": "order_ref\nW1\nW2\nW3", "owed": "order_ref\nW1\nW2\nW3", "ar_invoices": """
          invoice_ref | invoice_number | reference | total_minor
          1           | S1             | W1, W2    | 15000
          2           | S2             | W2,W3     | 15000
          """}, "group_ref | order_number | expected_minor | actual_minor | outcome_code\nshop:W1 | W1,W2,W3 | 30000 | 30000 | matched"),
    Case("matched", "Twice invoiced, once credited", "A surplus that a credit memo took back is no difference.",
         {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1\n2 | UW1-2 | W1",
          "ar_adjustments": "adjustment_ref | adjustment_number | reference | total_minor\n5 | CMW1 | W1 | -10000"},
         "outcome_code | delta_minor\nmatched | 0"),
    Case("matched", "A header without lines", "A document without lines is compared by its total only.",
         {**_parts("tax", "0", "10000")}, "outcome_code | actual_other_minor\nmatched | 10000", lines=False),
    Case("matched", "Same number in two shops", "A number that two storefronts use is narrowed by the store's prefix.",
         {"orders": "storefront | store_ref | order_ref | order_number\nshop | us-web | A | 100\noutlet | main | B | 100",
          "owed": "storefront | store_ref | order_ref\nshop | us-web | A\noutlet | main | B",
          "ar_invoices": "invoice_ref | invoice_number | reference | customer_id\n1 | U100 | 100 | GUEST-US\n2 | O100 | 100 | GUEST-OUT"},
         "group_ref | outcome_code | documents\nshop:A | matched | U100\noutlet:B | matched | O100"),
    Case("ambiguous", "Same number, nothing tells them apart", "Several orders fit equally well: they are listed, nobody guesses.",
         {"orders": "order_ref | order_number\nA | 100\nB | 100", "owed": "order_ref\nA\nB", "ar_invoices": _invoice(invoice_number="77", reference="100")},
         "group_ref | outcome_code | expected_minor | actual_minor\nshop:A | ambiguous | 20000 | 10000"),
    Case("ambiguous", "Number and reference disagree", "The document's number carries a store's prefix and names another order than its reference.",
         {"orders": "order_ref\nW1\nW2", "owed": "order_ref\nW1\nW2", "ar_invoices": _invoice(invoice_number="UW2", reference="W1")},
         "group_ref | outcome_code\nshop:W1 | ambiguous"),
    Case("missing_invoice", "No invoice", "A sale is owed and Intacct has no document.", ONE,
         "outcome_code | delta_minor | period_delta_minor\nmissing_invoice | 10000 | 10000"),
    Case("missing_invoice", "Only a draft", "A draft is no invoice; it is named in the evidence.",
         {**ONE, "ar_invoices": _invoice(state_code="Draft")}, "outcome_code | documents\nmissing_invoice | -"),
    Case("missing_invoice", "Reversed", "A reversed invoice and its reversal net to zero.",
         {**ONE, "ar_invoices": _invoice(state_code="Reversed")}, "outcome_code\nmissing_invoice"),
    Case("missing_invoice", "One shipment of two", "The shortage is exactly one owed sale, dated when that sale was.",
         {"orders": "order_ref\nW1", "owed": """
          order_ref | event_ref | total_minor | owed_on
          W1        | s1        | 4000        | 2026-09-10
          W1        | s2        | 6000        | 2026-10-02
          """, "ar_invoices": _invoice(total_minor="6000", posted_on="2026-10-02")},
         "outcome_code | delta_minor | period_delta_minor | period_timing_minor\nmissing_invoice | 4000 | 4000 | 0"),
    Case("missing_order", "No order", "An invoice in scope names no order.", {"ar_invoices": _invoice()},
         "group_ref | outcome_code | delta_minor\nintacct:invoice:1 | missing_order | -10000"),
    Case("missing_order", "Only inside the scope", "Other business is counted, never reported.",
         {"ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW9 | W9\n2 | CONS-1 | -"},
         "group_ref\nintacct:invoice:1", policy={"scope": Scope(number_prefixes=("U",))}),
    Case("duplicate_invoice", "Invoiced twice", "The surplus is the repeat of an equal invoice.",
         {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1\n2 | UW1-2 | W1"},
         "outcome_code | delta_minor\nduplicate_invoice | -10000"),
    Case("duplicate_invoice", "One of two shipments twice", "One invoice of several stands twice.",
         {**TWO_SHIPMENTS, "ar_invoices": """
          invoice_ref | invoice_number | reference | total_minor | tax_minor
          1           | UW1            | W1        | 4000        | 300
          2           | UW1-2          | W1        | 6000        | 500
          3           | UW1-3          | W1        | 6000        | 500
          """}, "outcome_code | delta_minor\nduplicate_invoice | -6000"),
    Case("cancelled_but_invoiced", "Cancelled", "The order was cancelled, nothing is owed, and its invoice stands.",
         {"orders": "order_ref | status_code\nW1 | cancelled", "ar_invoices": _invoice()}, "outcome_code | delta_minor\ncancelled_but_invoiced | -10000"),
    Case("not_owed", "Cancelled and credited", "What was invoiced was credited in full.",
         {"orders": "order_ref | status_code\nW1 | cancelled", "ar_invoices": _invoice(),
          "ar_adjustments": "adjustment_ref | adjustment_number | reference | total_minor\n5 | CMW1 | W1 | -10000"}, "outcome_code\nnot_owed"),
    Case("over_invoiced", "Second shipment invoiced whole", "The invoices add up to more than the order.",
         {**TWO_SHIPMENTS, "ar_invoices": """
          invoice_ref | invoice_number | reference | total_minor | tax_minor
          1           | UW1            | W1        | 4000        | 300
          2           | UW1-2          | W1        | 10000       | 800
          """}, "outcome_code | delta_minor\nover_invoiced | -4000"),
    Case("over_invoiced", "Invoiced before it is owed", "The order is not recognised yet and its invoice stands.",
         {"orders": "order_ref | status_code\nW1 | open", "ar_invoices": _invoice()}, "outcome_code\nover_invoiced"),
    Case("refund_without_credit_memo", "Refund", "Money was given back and no credit memo stands.",
         {**SALE_AND_REFUND, "ar_invoices": _invoice(tax_minor="800")}, "outcome_code | delta_minor\nrefund_without_credit_memo | -3000"),
    Case("credit_memo_without_refund", "Memo", "A credit memo stands that no refund owes.",
         {**ONE, "ar_invoices": _invoice(), "ar_adjustments": "adjustment_ref | adjustment_number | reference | total_minor | goods_minor | other_minor\n5 | CMW1 | W1 | -2000 | 0 | -2000"},
         "outcome_code | delta_minor\ncredit_memo_without_refund | 2000"),
    *[Case(f"amount_{c}", f"{c} differs".replace("_", " ").capitalize(), "Exactly this component differs, and the total with it.",
           _parts(c, ledger, total), f"outcome_code | delta_minor\namount_{c} | {delta}")
      for c, ledger, total, delta in (("gift_card", "1500", "10500", -500), ("discount", "0", "11000", -1000), ("shipping", "400", "9400", 600),
                                      ("fees", "0", "9000", 1000), ("tax", "1120", "10120", -120))],
    Case("amount_goods", "Goods differ", "Exactly this component differs, and the total with it.",
         {**ONE, "ar_invoices": _invoice(total_minor="9500")}, "outcome_code | delta_minor\namount_goods | 500"),
    Case("amount_total", "Several components differ", "More than one component differs.",
         {**_parts("tax", "1120", "10220")}, "outcome_code | delta_minor\namount_total | -220"),
    Case("amount_total", "Total agrees, parts do not", "Amounts stand on the wrong components although the total agrees.",
         {**_parts("tax", "500", "10000")}, "outcome_code | delta_minor\namount_total | 0"),
    Case("amount_total", "A header without lines differs", "The parts do not say where.",
         {**ONE, "ar_invoices": _invoice(total_minor="9500")}, "outcome_code | delta_minor\namount_total | 500", lines=False),
    Case("customer", "Another customer", "Totals agree and the document is on another customer.",
         {**ONE, "ar_invoices": _invoice(customer_id="C77")}, "outcome_code | delta_minor\ncustomer | 0"),
    Case("customer", "Registered customer", "Registered customers are compared through their Intacct id.",
         {"orders": "order_ref | customer_ref\nW1 | c1\nW2 | c2", "owed": "order_ref\nW1\nW2",
          "customer_ids": "customer_ref | customer_id\nc1 | C1\nc2 | C2",
          "ar_invoices": "invoice_ref | invoice_number | reference | customer_id\n1 | UW1 | W1 | C1\n2 | UW2 | W2 | C1"},
         "order_ref | outcome_code\nW1 | matched\nW2 | customer"),
    Case("currency", "Wrong currency", "The document stands in another currency: a row for each side, both carry the code.",
         {**ONE, "ar_invoices": _invoice(currency="EUR")}, "currency | outcome_code | delta_minor\nUSD | currency | 10000\nEUR | currency | -10000"),
    Case("entity", "Wrong entity", "The document stands in another entity than the store's.",
         {**ONE, "ar_invoices": _invoice(entity_code="E200")}, "entity_code | outcome_code | delta_minor\nE100 | entity | 10000\nE200 | entity | -10000"),
    Case("cut_off", "Dated in the next month", "Both sides have it for the same amount in different periods: timing, not error.",
         {**ONE, "ar_invoices": _invoice(posted_on="2026-10-01")},
         "outcome_code | family_code | period_expected_minor | period_actual_minor | period_timing_minor | period_delta_minor\ncut_off | timing | 10000 | 0 | 10000 | 0"),
    Case("rounding", "Ledger precision", "Intacct keeps two digits: 12.345 KWD is booked as 12.350.",
         {"orders": "order_ref | store_ref | currency | total_minor\nW1 | kw-web | KWD | 12345", "owed": "order_ref | currency | total_minor\nW1 | KWD | 12345",
          "ar_invoices": _invoice(currency="KWD", total_minor="12350", customer_id="GUEST-KW")},
         "outcome_code | family_code | delta_minor\nrounding | explained | -5"),
    Case("amount_goods", "Ledger precision does not excuse more", "12.345 KWD booked as 12.340 is not half-up.",
         {"orders": "order_ref | store_ref | currency | total_minor\nW1 | kw-web | KWD | 12345", "owed": "order_ref | currency | total_minor\nW1 | KWD | 12345",
          "ar_invoices": _invoice(currency="KWD", total_minor="12300", customer_id="GUEST-KW")}, "outcome_code\namount_goods"),
    Case("rounding", "Tax by row and on the sum", "8.875 % of 1.20 is 0.11 on each of three rows; on the sum of 3.60 it is 0.32.",
         {"orders": "order_ref | total_minor\nW1 | 393", "owed": "order_ref | total_minor | tax_minor\nW1 | 393 | 33",
          "order_lines": "order_ref | line_ref | net_minor | tax_minor | tax_code\nW1 | 1 | 120 | 11 | NY\nW1 | 2 | 120 | 11 | NY\nW1 | 3 | 120 | 11 | NY",
          "ar_invoices": _invoice(total_minor="392", tax_minor="32")}, "outcome_code | delta_minor\nrounding | 1"),
    Case("amount_tax", "A cent that no rate explains", "One taxed row rounds the same by row and on the sum, so a cent is an error.",
         {"orders": "order_ref | total_minor\nW1 | 393", "owed": "order_ref | total_minor | tax_minor\nW1 | 393 | 33",
          "order_lines": "order_ref | line_ref | net_minor | tax_minor | tax_code\nW1 | 1 | 360 | 33 | NY", "ar_invoices": _invoice(total_minor="392", tax_minor="32")},
         "outcome_code\namount_tax"),
    Case("amount_tax", "No rows, no proof", "Without the order's rows nothing is proved.",
         {"orders": "order_ref | total_minor\nW1 | 393", "owed": "order_ref | total_minor | tax_minor\nW1 | 393 | 33", "ar_invoices": _invoice(total_minor="392", tax_minor="32")},
         "outcome_code\namount_tax"),
    Case("rounding", "The order's own rounding", "Intacct has the sum of the parts; the storefront's header differs from it by its own rounding.",
         {"orders": "order_ref | total_minor\nW1 | 10001", "owed": "order_ref | total_minor | rounding_minor\nW1 | 10001 | 1", "ar_invoices": _invoice()},
         "outcome_code | delta_minor\nrounding | 1"),
    Case("within_tolerance", "Inside the tolerance", "Both sides exist and differ by no more than is stated.",
         {**ONE, "ar_invoices": _invoice(total_minor="9995")}, "outcome_code | delta_minor\nwithin_tolerance | 5", policy={"tolerance": Tolerance({"USD": 5})}),
    Case("within_tolerance", "Percent", "0.1 % of 100.00 is 0.10.",
         {**ONE, "ar_invoices": _invoice(total_minor="9990")}, "outcome_code\nwithin_tolerance", policy={"tolerance": Tolerance(percent=Decimal("0.1"))}),
    Case("amount_goods", "Outside the direction", "A tolerance for less does not accept more.",
         {**ONE, "ar_invoices": _invoice(total_minor="10005")}, "outcome_code\namount_goods", policy={"tolerance": Tolerance({"USD": 5}, direction="under")}),
    Case("amount_goods", "Tolerance used up", "Once what would be accepted passes the cap, nothing is accepted.",
         {"orders": "order_ref\nW1\nW2", "owed": "order_ref\nW1\nW2", "ar_invoices": "invoice_ref | invoice_number | reference | total_minor\n1 | UW1 | W1 | 9995\n2 | UW2 | W2 | 9995"},
         "order_ref | outcome_code | family_code\nW1 | amount_goods | error\nW2 | amount_goods | error", policy={"tolerance": Tolerance({"USD": 5}, cap_minor={"USD": 9})}),
    Case("missing_invoice", "Tolerance forgives no missing document", "A missing invoice is missing, however small.",
         {"orders": "order_ref | total_minor\nW1 | 3", "owed": "order_ref | total_minor\nW1 | 3"}, "outcome_code\nmissing_invoice", policy={"tolerance": Tolerance({"USD": 5})}),
    Case("held", "Held", "A row rule holds the order back; nothing of it is in Intacct.",
         {**ONE, "waiting": "order_ref | state\nW1 | held"}, "outcome_code | family_code | delta_minor\nheld | timing | 10000"),
    Case("held", "Held before it is owed", "A held order that is not recognised yet is held first.",
         {"orders": "order_ref | status_code\nW1 | open", "waiting": "order_ref | state\nW1 | held"}, "outcome_code | secondary_codes\nheld | not_yet_recognised"),
    Case("matched", "Held, but invoiced", "What already stands and agrees is matched, held or not.",
         {**ONE, "waiting": "order_ref | state\nW1 | held", "ar_invoices": _invoice()}, "outcome_code\nmatched"),
    Case("in_flight", "In the outbox", "The second shipment's invoice is sent and not yet accepted.",
         {**TWO_SHIPMENTS, "waiting": "order_ref | event_ref | state\nW1 | s2 | in_flight", "ar_invoices": _invoice(total_minor="4000", tax_minor="300")},
         "outcome_code | delta_minor\nin_flight | 6000"),
    Case("amount_goods", "Wrong, and the rest in the outbox", "What waits is set aside; the rest is judged.",
         {**TWO_SHIPMENTS, "waiting": "order_ref | event_ref | state\nW1 | s2 | in_flight", "ar_invoices": _invoice(total_minor="3900", tax_minor="300")},
         "outcome_code | secondary_codes\namount_goods | in_flight"),
    Case("partially_shipped", "Part of it", "What is recognised is invoiced; the rest waits for its shipment.",
         {"orders": "order_ref | status_code\nW1 | processing", "owed": "order_ref | total_minor\nW1 | 4000", "ar_invoices": _invoice(total_minor="4000")},
         "outcome_code | delta_minor\npartially_shipped | 0"),
    Case("not_yet_recognised", "Not shipped", "Nothing is owed yet.", {"orders": "order_ref | status_code\nW1 | open"}, "outcome_code | delta_minor\nnot_yet_recognised | 0"),
    Case("not_owed", "Cancelled, test, zero, unpaid", "Nothing will be owed; it is counted.",
         {"orders": """
          order_ref | status_code | is_test | total_minor
          W1        | cancelled   | no      | 100
          W2        | open        | yes     | 100
          W3        | complete    | no      | 0
          W4        | open        | no      | 100
          """, "excluded": "order_ref | reason_code | outcome_code | sentence\nW4 | unpaid | not_owed | Nothing was captured."},
         "order_ref | outcome_code\nW1 | not_owed\nW2 | not_owed\nW3 | not_owed\nW4 | not_owed"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.title}")
def test_each_rule_as_drawn(case: Case) -> None:
    assert_rows(run(case.tables, lines=case.lines, **case.policy).orders, case.expected)


def test_evidence_names_drafts_candidates_and_amounts() -> None:
    draft = run({**ONE, "ar_invoices": _invoice(state_code="Draft")}).orders.row(0, named=True)
    assert "UW1 is draft" in draft["evidence"]
    assert "difference 100.00 USD" in draft["evidence"]
    tied = run(
        {
            "orders": "order_ref | order_number\nA | 100\nB | 100",
            "ar_invoices": _invoice(invoice_number="77", reference="100"),
        }
    ).orders
    assert "shop:A, shop:B" in tied.row(0, named=True)["evidence"]


def test_a_proposal_is_said_on_both_sides_and_accepted_by_nobody() -> None:
    rows = run({**ONE, "ar_invoices": _invoice(reference="PO-9", invoice_number="X1")}).orders
    assert rows["outcome_code"].sort().to_list() == ["missing_invoice", "missing_order"]
    assert "X1 (100.00 USD)" in rows.filter(pl.col("order_ref") == "W1")["proposal"][0]
    assert "W1 (100.00 USD)" in rows.filter(pl.col("order_ref").is_null())["proposal"][0]
    late = run(
        {**ONE, "ar_invoices": _invoice(reference="PO-9", invoice_number="X1", posted_on="2026-09-18")}
    ).orders
    assert late["proposal"].null_count() == 2
    other = run(
        {**ONE, "ar_invoices": _invoice(reference="PO-9", invoice_number="X1", customer_id="C1")}
    ).orders
    assert other["proposal"].null_count() == 2


def test_several_equal_candidates_are_listed() -> None:
    rows = run(
        {
            "orders": "order_ref\nW1\nW2",
            "owed": "order_ref\nW1\nW2",
            "ar_invoices": _invoice(reference="PO-9", invoice_number="X1"),
        }
    ).orders
    assert rows.filter(pl.col("order_ref").is_null())["proposal"][0].startswith(
        "Several orders fit equally well: W1"
    )


def test_what_tolerance_absorbed_is_totalled() -> None:
    result = run({**ONE, "ar_invoices": _invoice(total_minor="9995")}, tolerance=Tolerance({"USD": 5}))
    assert result.absorbed.to_dicts() == [
        {
            "tie_out": "orders",
            "entity_code": "E100",
            "currency": "USD",
            "row_count": 1,
            "under_minor": 5,
            "over_minor": 0,
        }
    ]


def test_out_of_scope_is_counted() -> None:
    result = run(
        {"ar_invoices": "invoice_ref | invoice_number | reference\n2 | CONS-1 | -"},
        scope=Scope(number_prefixes=("U",)),
    )
    assert result.orders.is_empty()
    assert result.out_of_scope.select("kind", "row_count", "amount_minor").rows() == [("invoice", 1, 10000)]


def test_matches_keep_evidence_of_every_row() -> None:
    found = run({**ONE, "ar_invoices": _invoice()}).matches
    assert found.select("group_ref", "side", "row_ref", "pass_no").rows() == [
        ("shop:W1", "intacct", "invoice:1", 2), ("shop:W1", "storefront", "shop:W1", 2)
    ]  # fmt: skip


def test_an_entity_may_have_its_own_calendar() -> None:
    fiscal = Period("P9", SEPTEMBER_START, SEPTEMBER_END, {"E100": (SEPTEMBER_START, PERIOD_CUT)})
    row = run({**ONE, "ar_invoices": _invoice()}, period=fiscal).orders.row(0, named=True)
    assert row["period_actual_minor"] == 0
    assert Period.month("2026-12").end_on.isoformat() == "2027-01-01"


@pytest.mark.parametrize(
    "build",
    [
        lambda: Period.month("2026-13"),
        lambda: Tolerance(direction="up"),
        lambda: Tolerance(percent=Decimal(-1)),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(build) -> None:
    with pytest.raises(InputError):
        build()


def test_owed_orders_missing_among_the_orders_are_not_lost() -> None:
    rows = run({"owed": "order_ref | order_number\nW1 | W1"}).orders
    assert_rows(rows, "order_ref | outcome_code | expected_minor\nW1 | missing_invoice | 10000")


def test_inputs_may_be_lazy() -> None:
    inputs = drawn_inputs({**ONE, "ar_invoices": _invoice()})
    assert isinstance(inputs.orders, pl.DataFrame)
    from transforms.reconcile import Inputs, Policy, reconcile

    lazy = Inputs(**{k: v.lazy() if v is not None else None for k, v in vars(inputs).items()})
    assert reconcile(lazy, Policy()).orders.equals(reconcile(inputs, Policy()).orders)


SEPTEMBER_START, SEPTEMBER_END = Period.month("2026-09").of("")
PERIOD_CUT = SEPTEMBER_START.replace(day=8)
