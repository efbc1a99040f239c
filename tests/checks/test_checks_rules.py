"""Every rule, drawn: which rows it finds, how bad, and that its sentence says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import trade
from drawn import drawn, shown

import checks.rules  # noqa: F401
from checks.contracts import ALL
from checks.findings import RULES, Limits, held_orders, rule, run, verdict

LIMITS = Limits(now=datetime(2026, 11, 2, 3, tzinfo=UTC))
HOLD = {
    "tax_unknown", "order_number_missing", "amount_not_exact", "currency_unknown", "parts_exceed_rounding_limit",
    "payload_unreadable", "duplicate_order_number", "future_dated", "store_unmapped", "sku_unmapped", "tender_unmapped",
    "tax_code_unmapped", "refund_exceeds_charges", "payment_currency_differs", "sku_out_of_stock", "status_unmapped",
    "return_status_unmapped",
}  # fmt: skip
STOP = {
    "lines_do_not_sum", "orders_do_not_sum", "duplicate_document_number", "unbalanced_applications", "receipt_exceeds_due", "document_without_entity",
    "batch_total_differs", "negative", "above_on_hand", "source_count_differs_from_landed", "staged_less_than_landed",
}  # fmt: skip


def found(tables: dict[str, pl.DataFrame], *codes: str) -> pl.DataFrame:
    findings = run(tables, run_id="r", limits=LIMITS, codes=codes or None)
    assert findings["sentence"].str.contains(r"[.;,] ?[A-Za-z]").all()
    return ALL["ops.findings"].checked(findings, at="in a test")


def refs(findings: pl.DataFrame) -> list[tuple[Any, ...]]:
    return shown(findings, "rule_code", "subject_ref")


def test_the_list_of_rules_is_closed() -> None:
    by_severity = {
        word: {one.code for one in RULES.values() if one.severity == word}
        for word in ("hold", "stop", "warn")
    }
    assert by_severity == {"hold": HOLD, "stop": STOP, "warn": {"payment_without_order"}}
    assert all(one.sentence.endswith(".") for one in RULES.values())


ORDERS = """
    order_ref | order_number | store_ref | placed_at        | shipped_at       | is_taxed | goods_minor | rounding_minor | total_minor | currency | problem
    good      | W1           | us        | 2026-10-01 09:00 | 2026-10-02 09:00 | yes      | 1000        | 2              | 1002        | USD      | -
    notax     | W2           | us        | 2026-10-01 09:00 | -                | no       | 1000        | 0              | 1000        | USD      | -
    nonumber  | -            | us        | 2026-10-01 09:00 | -                | yes      | 1000        | 0              | 1000        | USD      | -
    inexact   | W4           | us        | 2026-10-01 09:00 | -                | no       | 0           | 0              | 0           | USD      | amount_not_exact: centAmount of lineItems[0] is 29.949999999999999.
    nocur     | W5           | us        | 2026-10-01 09:00 | -                | no       | 0           | 0              | 0           | XXQ      | currency_unknown: 'XXQ' is no currency.
    broken    | W6           | pop-up    | 2026-10-01 09:00 | -                | no       | 0           | 0              | 0           | USD      | payload_unreadable: lineItems is text.
    odd       | W6b          | us        | 2026-10-01 09:00 | -                | no       | 0           | 0              | 0           | USD      | something else entirely.
    off       | W7           | us        | 2026-10-01 09:00 | -                | yes      | 1000        | 3              | 1003        | USD      | -
    gap       | W8           | us        | 2026-10-01 09:00 | -                | yes      | 1000        | 0              | 1007        | USD      | -
    twin1     | W9           | us        | 2026-10-01 09:00 | -                | yes      | 1000        | 0              | 1000        | USD      | -
    twin2     | W9           | us        | 2026-10-01 09:00 | -                | yes      | 1000        | 0              | 1000        | USD      | -
    future    | W10          | us        | 2026-10-01 09:00 | 2026-11-04 09:00 | yes      | 1000        | 0              | 1000        | USD      | -
"""
TWO_ROWS = (
    "\n".join(
        f"    {ref} | {line} | item | MUG-1 | 1 | {net}"
        for ref in ("good", "notax", "nonumber", "off", "twin1", "twin2", "future")
        for line, net in (("a", 500), ("b", 500))
    )
    + "\n    gap | a | item | MUG-1 | 1 | 500\n    gap | b | item | MUG-1 | 1 | 500"
)


def order_tables() -> dict[str, pl.DataFrame]:
    lines = trade.lines("    order_ref | line_ref | kind_code | sku | quantity | net_minor\n" + TWO_ROWS)
    rounding = trade.lines(
        """
        order_ref | line_ref | kind_code | sku | quantity | net_minor
        good      | r        | rounding  | -   | 1        | 2
        off       | r        | rounding  | -   | 1        | 3
        """
    )
    orders = drawn(ALL["core.orders"], ORDERS, storefront="shop", is_test=False)
    return {"core.orders": orders, "core.order_lines": pl.concat([lines, rounding])}


def test_each_order_rule_finds_its_orders_and_no_others() -> None:
    assert refs(found(order_tables())) == [
        ("amount_not_exact", "inexact"),
        ("currency_unknown", "nocur"),
        ("duplicate_order_number", "twin1"),
        ("duplicate_order_number", "twin2"),
        ("future_dated", "future"),
        ("order_number_missing", "nonumber"),
        ("parts_exceed_rounding_limit", "gap"),
        ("parts_exceed_rounding_limit", "off"),
        ("payload_unreadable", "broken"),
        ("payload_unreadable", "odd"),
        ("tax_unknown", "notax"),
    ]


@pytest.mark.parametrize(
    ("rounding", "rows", "holds"),
    [(2, 2, False), (3, 2, True), (5, 9, False), (6, 9, True), (-3, 2, True), (-2, 2, False)],
)
def test_rounding_is_one_unit_a_row_and_five_at_most(rounding: int, rows: int, holds: bool) -> None:
    orders = trade.orders(
        "order_ref | order_number | goods_minor\nA | W1 | 900",
        rounding_minor=rounding,
        total_minor=900 + rounding,
    )
    text = "\n".join(
        f"A | l{n} | item | M | 1 | {900 // rows if n else 900 - 900 // rows * (rows - 1)}"
        for n in range(rows)
    )
    text += f"\nA | r | rounding | - | 1 | {rounding}"
    lines = trade.lines("order_ref | line_ref | kind_code | sku | quantity | net_minor\n" + text)
    findings = found({"core.orders": orders, "core.order_lines": lines}, "parts_exceed_rounding_limit")
    assert (findings.height == 1) == holds


def test_the_sentence_shows_what_the_payload_said() -> None:
    findings = found(order_tables(), "amount_not_exact")
    assert findings["sentence"][0] == (
        "Order W4: centAmount of lineItems[0] is 29.949999999999999. Correct the amount at the storefront and extract the order again."
    )


def test_test_orders_wait_for_nobody() -> None:
    tables = order_tables()
    tables["core.orders"] = tables["core.orders"].with_columns(
        is_test=pl.lit(value=True), problem=pl.lit(None, dtype=pl.String)
    )
    assert found(tables).is_empty()


def mapping_tables(**changes: pl.DataFrame) -> dict[str, pl.DataFrame]:
    orders = trade.orders(
        """
        order_ref | order_number | store_ref | goods_minor | total_minor
        A         | W1           | us        | 100         | 119
        B         | W2           | pop-up    | 100         | 119
        C         | W3           | us        | 100         | 119
        """
    )
    lines = trade.lines(
        """
        order_ref | line_ref | kind_code | sku     | quantity | net_minor | tax_minor | tax_code
        A         | l1       | item      | MUG-1   | 1        | 100       | 19        | NY
        B         | l1       | item      | MUG-2   | 1        | 100       | 19        | NY
        C         | l1       | item      | NEW-1   | 1        | 50        | 9         | Levy, local
        C         | l2       | gift_card | GIFT-25 | 1        | 50        | 10        | NY
        """
    )
    paid = trade.charges(
        """
        payment_ref | order_ref | kind_code     | amount_minor | tender_code
        p1          | A         | charge        | 119          | CreditCard
        p2          | -         | charge        | 119          | CryptoPay
        p3          | B         | charge        | 119          | CryptoPay
        p4          | A         | authorization | 119          | CryptoPay
        """
    )
    named = trade.of("core.order_payments", "order_ref | payment_ref\nC | p2")
    items = drawn(ALL["mappings.items"], "storefront | sku | mode\nshop | MUG-* | map\n* | GIFT-25 | ignore")
    taxes = drawn(ALL["mappings.taxes"], "storefront | tax_code | mode\nshop | NY | map")
    tenders = drawn(
        ALL["mappings.tenders"], "storefront | entity_code | tender_code | mode\nshop | * | CreditCard | map"
    )
    tables = {
        "core.orders": orders, "core.order_lines": lines, "core.payments": paid, "core.order_payments": named,
        "core.order_tenders": trade.empty("core.order_tenders"),
        "mappings.stores": trade.STORES, "mappings.items": items, "mappings.taxes": taxes, "mappings.tenders": tenders,
    }  # fmt: skip
    return {**tables, **changes}


CODES = ("store_unmapped", "sku_unmapped", "tax_code_unmapped", "tender_unmapped")


def test_each_mapping_rule_finds_its_orders_and_prints_the_row_to_add() -> None:
    findings = found(mapping_tables(), *CODES)
    assert refs(findings) == [
        ("sku_unmapped", "C/NEW-1"),
        ("store_unmapped", "B/pop-up"),
        ("tax_code_unmapped", "C/Levy, local"),
        ("tender_unmapped", "C/CryptoPay"),
    ]
    said = dict(shown(findings, "rule_code", "sentence"))
    assert said["store_unmapped"].endswith(
        "add to stores.csv: shop,pop-up,map,<entity>,<location>,,<invoice prefix>,<guest customer>,"
    )
    assert said["sku_unmapped"].endswith("add to items.csv: shop,NEW-1,map,<item>,<category>,")
    assert said["tax_code_unmapped"].endswith('add to taxes.csv: shop,"Levy, local",map,<account>,,,')
    assert said["tender_unmapped"].endswith("add to tenders.csv: shop,E100,CryptoPay,map,<account>,<method>,")
    assert held_orders(findings).rows() == [
        ("shop", "B", "store_unmapped"),
        ("shop", "C", "sku_unmapped,tax_code_unmapped,tender_unmapped"),
    ]


def test_the_printed_row_mends_the_finding() -> None:
    more = drawn(
        ALL["mappings.items"],
        "storefront | sku | mode | item_ref | category_ref\nshop | NEW-1 | map | N1 | c1",
    )
    tables = mapping_tables()
    tables["mappings.items"] = pl.concat([tables["mappings.items"], more])
    assert found(tables, "sku_unmapped").is_empty()


PAYMENTS = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | currency | state_code
    p           | c               | A         | charge    | 119          | USD      | success
    p           | r               | A         | refund    | 120          | USD      | success
    q           | c               | nowhere   | charge    | 500          | USD      | success
    s           | c               | B         | charge    | 119          | EUR      | success
    t           | c               | C         | refund    | 5            | USD      | failure
"""


def test_each_payment_rule() -> None:
    tables = mapping_tables(
        **{
            "core.payments": trade.charges(PAYMENTS),
            "core.order_payments": trade.empty("core.order_payments"),
        }
    )
    findings = found(tables, "payment_without_order", "refund_exceeds_charges", "payment_currency_differs")
    assert shown(findings, "rule_code", "subject_ref", "amount_minor", "severity") == [
        ("payment_currency_differs", "s/c", 119, "hold"),
        ("payment_without_order", "q/c", 500, "warn"),
        ("refund_exceeds_charges", "A", 1, "hold"),
    ]
    assert held_orders(findings)["order_ref"].to_list() == ["A", "B"]


DOCUMENTS = """
    document_id | kind_code   | number | entity_code | total_minor | currency | order_ref
    C1          | customer    | C1     | ''          | 0           | ''       | -
    I1          | invoice     | U1     | E100        | 100         | USD      | A
    M1          | credit_memo | CM1    | E100        | -40         | USD      | A
    R1          | receipt     | ch1    | E100        | 100         | USD      | A
"""
LINES = """
    document_id | line_no | account_code | component_code | amount_minor | applies_to_id | applies_to_ref
    I1          | 1       | 4000         | goods          | 110          | -             | -
    I1          | 2       | 4800         | discount       | -10          | -             | -
    M1          | 1       | 4900         | other          | -40          | -             | -
    R1          | 1       | -            | -              | 100          | I1            | -
"""
OWED = """
    order_ref | event_code | event_ref | total_minor | currency
    A         | sale       | s         | 100         | USD
    A         | credit     | r         | -40         | USD
    A         | receipt    | c         | 100         | USD
    B         | sale       | s         | 70          | USD
"""


def order_parts(documents: pl.DataFrame, **changed: int) -> pl.DataFrame:
    """Each document's one order for its whole amount, or for another amount by its id."""
    events = {"invoice": "sale", "credit_memo": "credit", "receipt": "receipt"}
    parts = documents.filter(pl.col("kind_code") != "customer").select(
        "document_id", "storefront", "order_ref", "order_number", "event_ref", "currency",
        event_code=pl.col("kind_code").replace_strict(events), amount_minor="total_minor",
    )  # fmt: skip
    for one, amount in changed.items():
        parts = parts.with_columns(
            amount_minor=pl.when(pl.col("document_id") == one).then(amount).otherwise("amount_minor")
        )
    return parts.select(*ALL["out.document_orders"].polars_schema)


def plan_tables(
    documents: str = DOCUMENTS, lines: str = LINES, owed: str = OWED, waiting: int = 70
) -> dict[str, pl.DataFrame]:
    money = {"kind_code": ["invoice"], "currency": ["USD"]}
    drawn_documents = drawn(ALL["out.documents"], documents, storefront="shop")
    return {
        "out.documents": drawn_documents,
        "out.document_orders": order_parts(drawn_documents),
        "out.document_lines": drawn(ALL["out.document_lines"], lines),
        "recon.owed": drawn(ALL["recon.owed"], owed, storefront="shop"),
        "core.ar_invoices": drawn(
            ALL["core.ar_invoices"],
            "invoice_ref | invoice_number | currency | total_minor | due_minor\n77 | U0 | USD | 100 | 30",
        ),
        "plan.unplanned": pl.DataFrame({**money, "amount_minor": [waiting]}),
        "plan.rounded": pl.DataFrame({**money, "rounded_minor": [0]}),
    }


def test_a_sound_plan_opens_the_gate() -> None:
    findings = found(plan_tables())
    assert findings.is_empty()
    assert verdict(findings) == "open"


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (plan_tables(lines=LINES.replace("| 110 ", "| 111 ")), [("lines_do_not_sum", "I1")]),
        (plan_tables(lines=LINES + "    X9 | 1 | 4000 | goods | 5 | - | -"), [("lines_do_not_sum", "X9")]),
        (plan_tables(documents=DOCUMENTS.replace("CM1 ", "CM1 ") + "    M2 | credit_memo | CM1 | E100 | -40 | USD | B", lines=LINES + "    M2 | 1 | 4900 | other | -40 | - | -", owed=OWED + "    B | credit | r | -40 | USD"), [("duplicate_document_number", "M1"), ("duplicate_document_number", "M2")]),
        (plan_tables(documents=DOCUMENTS.replace("U1     | E100", "U1     | ''  ")), [("document_without_entity", "I1")]),
        (plan_tables(lines=LINES.replace("| 100          | I1", "| 99           | I1")), [("unbalanced_applications", "R1")]),
        (plan_tables(lines=LINES.replace("I1            | -", "I1            | 77")), [("receipt_exceeds_due", "77"), ("unbalanced_applications", "R1")]),
        (plan_tables(documents=DOCUMENTS + "    R2 | receipt | ch2 | E100 | 1 | USD | A", lines=LINES + "    R2 | 1 | - | - | 1 | I1 | -", owed=OWED + "    A | receipt | c2 | 1 | USD"), [("receipt_exceeds_due", "I1")]),
        (plan_tables(lines=LINES.replace("| I1            | -", "| -             | 77")), [("receipt_exceeds_due", "77")]),
        ({**plan_tables(owed=OWED.replace("sale       | s         | 100", "sale       | s         | 101")), "out.document_orders": order_parts(plan_tables()["out.documents"], I1=101)}, [("orders_do_not_sum", "I1")]),
        (plan_tables(waiting=69), [("batch_total_differs", "invoice/USD")]),
    ],
)  # fmt: skip
def test_each_rule_on_the_plan_stops_the_batch(
    tables: dict[str, pl.DataFrame], expected: list[tuple[str, str]]
) -> None:
    findings = found(tables)
    assert refs(findings) == expected
    assert verdict(findings) == "shut"


def test_stock_and_control_rules_stop_the_batch() -> None:
    web = drawn(
        ALL["out.web_stock"],
        """
        sku | location_ref | on_hand_qty | buffer_qty | available_qty | publish_qty
        A   | x            | 10          | 1          | 9             | 12
        B   | x            | 10.5        | 0          | 11            | 11
        C   | x            | 3           | -1         | 0             | 0
        """,
        storefront="shop",
    )
    controls = drawn(
        ALL["ops.controls"],
        """
        source  | subject  | stage   | source_count | read_count | good_count | held_count
        shop    | orders   | extract | 10           | 10         | -          | -
        intacct | invoices | extract | 11           | 10         | -          | -
        shop    | payments | extract | -            | 10         | -          | -
        shop    | orders   | stage   | -            | 10         | 8          | 2
        shop    | payments | stage   | -            | 10         | 8          | 1
        """,
        run_id="r",
        new_count=0,
    )  # fmt: skip
    findings = found({"out.web_stock": web, "ops.controls": controls.cast({"source_count": pl.Int64})})
    assert refs(findings) == [
        ("above_on_hand", "shop/x/B"),
        ("negative", "shop/x/C"),
        ("source_count_differs_from_landed", "intacct/invoices/extract"),
        ("staged_less_than_landed", "shop/payments/stage"),
    ]
    assert verdict(findings) == "shut"


def test_a_rule_asked_for_without_its_tables_is_an_error_and_not_a_pass() -> None:
    with pytest.raises(KeyError, match=r"core\.order_lines"):
        run(
            {"core.orders": trade.empty("core.orders")},
            run_id="r",
            limits=LIMITS,
            codes=["parts_exceed_rounding_limit"],
        )


def test_a_code_is_registered_once_with_a_known_severity() -> None:
    with pytest.raises(ValueError, match="no severity"):
        rule("x.", code="x", severity="shout", reads=())
    with pytest.raises(ValueError, match="Two rules"):
        rule("x.", code="negative", severity="stop", reads=())(lambda tables, limits: tables["x"])


def test_limits_are_settings() -> None:
    tables = order_tables()
    wide = run(
        tables, run_id="r", limits=replace(LIMITS, rounding_per_row=2, now=datetime(2026, 12, 1, tzinfo=UTC))
    )
    assert "off" not in wide["subject_ref"].to_list()
    assert "future" not in wide["subject_ref"].to_list()
