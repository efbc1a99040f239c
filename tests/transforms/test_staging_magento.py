"""Magento payloads become core tables: every known trap has a golden pair, and invariants hold on drawn orders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from transforms.reconcile.rounding_rules import derived
from transforms.staged import Staged
from transforms.storefronts import magento
from transforms.storefronts.magento_amounts import in_minor, with_digits
from transforms.storefronts.magento_settings import MagentoSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "magento"
CASES = sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))
NOW = datetime(2026, 11, 2, tzinfo=UTC)
COMPONENTS = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")


def landed(payloads: Sequence[str], problem: str | None = None) -> pl.DataFrame:
    text, at = pl.String(), pl.Datetime("us", "UTC")
    columns: dict[str, tuple[Any, Any]] = {
        "native_ref": (text, [f"n{number}" for number in range(len(payloads))]),
        "updated_at": (at, [NOW] * len(payloads)),
        "payload": (text, list(payloads)),
        "payload_sha256": (text, [hashlib.sha256(one.encode()).hexdigest() for one in payloads]),
        "problem": (text, [problem] * len(payloads)),
        "fetched_at": (at, [NOW] * len(payloads)),
    }
    return pl.DataFrame([pl.Series(name, values, dtype=dtype) for name, (dtype, values) in columns.items()])


def sound(found: Staged) -> Staged:
    for name, frame in found.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    return found


def staged(*payloads: str, **more: Any) -> Staged:
    return sound(magento.orders(landed(payloads), storefront="shop", run_id="r", **more))


def told(found: Staged, order_ref: str) -> dict[str, Any]:
    head = found["core.orders"].filter(pl.col("order_ref") == order_ref).row(0, named=True)
    lines = found["core.order_lines"].filter(pl.col("order_ref") == order_ref)
    return {
        "head": {name: head[f"{name}_minor"] for name in (*COMPONENTS, "total", "tender")},
        "lines": [
            list(row)
            for row in lines.select(
                "line_ref",
                "kind_code",
                "net_minor",
                "discount_minor",
                "tax_minor",
                "tax_code",
                pl.col("tax_rate").cast(pl.String).str.strip_chars_end("0"),
            ).iter_rows()
        ],
        "problem": head["problem"].partition(":")[0] if head["problem"] else None,
    }


@pytest.mark.parametrize("case", CASES)
def test_golden_orders(case: str) -> None:
    payload = (GOLDEN / f"{case}.input.json").read_text(encoding="utf-8")
    expected = json.loads((GOLDEN / f"{case}.expected.json").read_text(encoding="utf-8"))
    assert told(staged(payload), "73") == expected


def test_all_golden_cases_at_once_are_each_alone() -> None:
    payloads = [
        (GOLDEN / f"{case}.input.json")
        .read_text(encoding="utf-8")
        .replace('"entity_id": 73', f'"entity_id": {number}')
        for number, case in enumerate(CASES, start=500)
    ]
    whole = staged(*payloads)
    backwards = staged(*reversed(payloads))
    for number, case in enumerate(CASES, start=500):
        expected = json.loads((GOLDEN / f"{case}.expected.json").read_text(encoding="utf-8"))
        assert told(whole, str(number)) == told(backwards, str(number)) == expected, case


@pytest.mark.parametrize(
    "payload",
    ["", "null", "[]", '"x"', "{", '{"entity_id": 1', "<html>", "{}", '{"entity_id": {}}', "nan", "\x00"],
)
def test_what_is_no_order_is_held_and_named(payload: str) -> None:
    good = (GOLDEN / "yen.input.json").read_text(encoding="utf-8")
    found = staged(payload, good)
    assert found["core.orders"].height == 2
    assert found.problems["native_ref"].to_list() == ["n0"]
    assert told(found, "73")["problem"] is None


def test_stores_are_named_by_code_and_tests_and_tax_by_policy() -> None:
    payload = (GOLDEN / "tax_included_with_hidden_tax.input.json").read_text(encoding="utf-8")
    policy = MagentoSettings(test_email_suffixes=("@example.test",), tax_included_stores=("eu_web",))
    row = staged(payload, settings=policy, stores={"1": "eu_web"})["core.orders"].row(0, named=True)
    assert (row["store_ref"], row["is_test"], row["tax_included"]) == ("eu_web", True, True)
    bare = staged(payload)["core.orders"].row(0, named=True)
    assert (bare["store_ref"], bare["is_test"], bare["tax_included"]) == ("1", False, False)


# --- stated rates -----------------------------------------------------------------------------------------------
_ONE, _TWO = [{"code": "VAT", "percent": 8.875}], [{"code": "A", "percent": 4}, {"code": "B", "percent": 5}]
RATES = [
    ("the one tax of the row", _ONE, None, "0.08875"),
    ("the tax of the row before the row", _ONE, 9, "0.08875"),
    ("the row, where its tax says none", [{"code": "VAT"}], 8.875, "0.08875"),
    ("the row, where no tax is listed", [], 8.1, "0.081"),
    ("one tax listed twice", _ONE * 2, None, "0.08875"),
    ("one tax at two rates", [*_ONE, {"code": "VAT", "percent": 9}], None, None),
    ("several taxes are no rate of one", _TWO, 9, None),
    ("what PHP prints too long", [{"code": "VAT", "percent": 19.600000000000001}], None, "0.196"),
    ("text", [{"code": "VAT", "percent": "7.7000"}], None, "0.077"),
    ("the finest", [{"code": "VAT", "percent": 0.0001}], None, "0.000001"),
    ("more decimals than are kept", [{"code": "VAT", "percent": 8.12345}], None, None),
    ("all", [{"code": "VAT", "percent": 100}], None, "1."),
    ("more than all", [{"code": "VAT", "percent": 100.0001}], None, None),
    ("less than nothing", [{"code": "VAT", "percent": -8}], None, None),
    ("nothing, as where none was written", [], 0, None),
    ("no number", [{"code": "VAT", "percent": "8 %"}], None, None),
    ("an object", [{"code": "VAT", "percent": {"value": 8}}], None, None),
    ("nowhere", [], None, None),
]  # fmt: skip


def rated(taxes: list[dict[str, Any]], own: Any, tax: float = 8.1) -> Staged:
    order = json.loads((GOLDEN / "configurable_with_coupon.input.json").read_text(encoding="utf-8"))
    order["items"][0] |= {"tax_amount": tax} | ({} if own is None else {"tax_percent": own})
    order["tax_amount"] += tax - 8.1
    order["grand_total"] += tax - 8.1
    order["extension_attributes"]["item_applied_taxes"] = [
        {"type": "product", "item_id": 140, "applied_taxes": taxes}
    ]
    return staged(json.dumps(order))


@pytest.mark.parametrize(
    ("taxes", "own", "expected"), [one[1:] for one in RATES], ids=[one[0] for one in RATES]
)
def test_the_rate_a_row_states_is_kept(taxes: list[dict[str, Any]], own: Any, expected: str | None) -> None:
    found = told(rated(taxes, own), "73")
    assert (found["lines"][0][-1], found["problem"]) == (expected, None)


def test_a_row_without_tax_has_no_rate() -> None:
    assert told(rated(_ONE, 8.875, tax=0), "73")["lines"][0][4:] == [0, None, None]


def test_a_stated_rate_proves_the_rounding_that_no_simpler_rate_would() -> None:
    """8.875 % of four rows is 39.29, on their total 39.28; rates of fewer decimals fit the rows too, and give other figures."""
    rows = [(1, 7, 394.10, 34.98), (2, 2, 24.90, 2.21), (3, 1, 17.64, 1.57)]

    def order(stated: dict[str, float]) -> str:
        taxes = [{"code": "NY", **stated}]
        applied = [{"type": "product", "item_id": row[0], "applied_taxes": taxes} for row in rows]
        return json.dumps(
            {
                "entity_id": 73, "state": "complete", "created_at": "2024-08-03 09:14:07", "order_currency_code": "USD",
                "grand_total": 481.88, "tax_amount": 39.29, "shipping_amount": 5.95, "shipping_tax_amount": 0.53, "discount_amount": 0,
                "items": [
                    {"item_id": n, "sku": "A", "qty_ordered": many, "row_total": net, "tax_amount": tax} for n, many, net, tax in rows
                ],
                "extension_attributes": {"item_applied_taxes": [*applied, {"type": "shipping", "applied_taxes": taxes}]},
            }
        )  # fmt: skip

    asked = pl.DataFrame(
        {
            "g": [1], "currency": ["USD"], "tax_included": [False], "expected_tax_minor": [3929], "actual_tax_minor": [3928],
        }
    )  # fmt: skip
    for stated, proofs in (({"percent": 8.875}, 1), ({}, 0)):
        found = staged(order(stated))
        assert told(found, "73")["problem"] is None
        lines = found["core.order_lines"].with_columns(g=pl.lit(1, dtype=pl.Int64))
        assert derived(ALL["core.order_lines"].shaped(lines).with_columns(lines["g"]), asked).height == proofs


def test_an_authorisation_moves_no_money() -> None:
    order = json.loads((GOLDEN / "yen.input.json").read_text(encoding="utf-8"))
    order["payment"] = {"method": "stripe", "amount_authorized": 1849, "entity_id": 5}
    found = staged(json.dumps(order))["core.payments"].row(0, named=True)
    assert (found["kind_code"], found["amount_minor"], found["tender_code"]) == (
        "authorization",
        1849,
        "stripe",
    )


# --- documents --------------------------------------------------------------------------------------------------
KNOWN = pl.DataFrame(
    {"order_ref": ["73"], "tender_code": ["stripe"], "line_refs": [["140"]]},
    schema={"order_ref": pl.String, "tender_code": pl.String, "line_refs": pl.List(pl.String)},
)
INVOICE = {
    "entity_id": 61, "order_id": 73, "state": 2, "order_currency_code": "USD", "grand_total": 103.55, "transaction_id": "ch_1",
    "created_at": "2024-08-03 09:20:00", "updated_at": "2024-08-03 09:20:00",
}  # fmt: skip


def one(call: Any, document: dict[str, Any], **more: Any) -> Staged:
    return sound(call(landed([json.dumps(document)]), storefront="shop", run_id="r", orders=KNOWN, **more))


@pytest.mark.parametrize(
    ("changed", "kind", "state", "minor", "problem"),
    [
        ({}, "charge", "success", 10355, None),
        ({"state": 1}, "charge", "pending", 10355, None),
        ({"state": 3}, "charge", "failure", 10355, None),
        ({"state": 9}, "charge", "pending", 0, "status_unknown"),
        ({"grand_total": 0}, "charge", "pending", 0, None),
        ({"grand_total": -1}, "charge", "pending", 0, "payload_unreadable"),
        ({"grand_total": None}, "charge", "pending", 0, "amount_not_exact"),
        ({"order_currency_code": "XXQ"}, "charge", "pending", 0, "currency_unknown"),
    ],
)
def test_an_invoice_is_a_charge_once_it_is_paid(
    changed: dict[str, Any], kind: str, state: str, minor: int, problem: str | None
) -> None:
    row = one(magento.invoices, {**INVOICE, **changed})["core.payments"].row(0, named=True)
    assert (row["kind_code"], row["state_code"], row["amount_minor"]) == (kind, state, minor)
    assert (row["problem"].partition(":")[0] if row["problem"] else None) == problem
    assert (row["tender_code"], row["gateway_ref"], row["payment_ref"]) == ("stripe", "ch_1", "invoice-61")


def test_what_a_credit_memo_gives_back_as_tender_is_a_refund_of_its_own() -> None:
    """Given back as store credit alone no gateway moved anything, and still a credit memo is owed."""
    tender = {"gift_cards_amount": 20, "customer_balance_amount": "3.45", "reward_currency_amount": 0}
    memo = {**INVOICE, "entity_id": 9, "grand_total": 80.10, "extension_attributes": tender}
    found = one(magento.creditmemos, memo)
    rows = (
        found["core.payments"]
        .select("payment_ref", "transaction_ref", "tender_code", "gateway_ref", "state_code", "amount_minor")
        .rows()
    )
    assert rows == [
        ("creditmemo-9", "creditmemo-9", "stripe", "ch_1", "success", 8010),
        ("creditmemo-9", "creditmemo-9-gift_card", "GiftCard", None, "success", 2000),
        ("creditmemo-9", "creditmemo-9-store_credit", "StoreCredit", None, "success", 345),
    ]
    alone = one(
        magento.creditmemos,
        {**memo, "grand_total": 0, "extension_attributes": None, "customer_balance_amount": 5},
    )
    assert alone["core.payments"].select("kind_code", "state_code", "amount_minor").rows() == [
        ("refund", "pending", 0), ("refund", "success", 500),
    ]  # fmt: skip
    pending = one(magento.creditmemos, {**memo, "state": 1})
    assert set(pending["core.payments"]["state_code"]) == {"pending"}
    # What an invoice was paid with by tender stands in its order, which owes the receipt.
    assert one(magento.invoices, memo)["core.payments"].height == 1


@pytest.mark.parametrize("wrong", [-1, "x", {}, [1]])
def test_a_tender_that_is_no_amount_moves_nothing(wrong: Any) -> None:
    found = one(magento.creditmemos, {**INVOICE, "extension_attributes": {"gift_cards_amount": wrong}})
    (row,) = found["core.payments"].to_dicts()
    assert (row["state_code"], row["problem"].partition(":")[0]) == ("pending", "amount_not_exact")


def test_a_credit_memo_is_a_refund_of_its_total_and_names_what_came_back() -> None:
    memo = {
        **INVOICE, "entity_id": 9, "grand_total": 49.05, "adjustment_positive": 2, "adjustment_negative": 2, "transaction_id": None,
        "items": [
            {"entity_id": 11, "order_item_id": 140, "sku": "SHIRT-M", "qty": 1},
            {"entity_id": 12, "order_item_id": 141, "sku": "SHIRT-M", "qty": 1},
            {"entity_id": 13, "order_item_id": 140, "sku": "SHIRT-M", "qty": 0},
        ],
    }  # fmt: skip
    found = one(magento.creditmemos, memo)
    paid = found["core.payments"].row(0, named=True)
    assert (paid["kind_code"], paid["state_code"], paid["amount_minor"]) == ("refund", "success", 4905)
    assert found["core.returns"].select("line_ref", "quantity").rows() == [("140", Decimal("1.0000"))]
    adjustment = one(magento.creditmemos, {**memo, "items": []})
    assert adjustment["core.returns"].is_empty()


def test_a_shipment_names_rows_and_tracking_and_children_count_once() -> None:
    shipment = {
        "entity_id": 5, "order_id": 73, "created_at": "2024-08-04 10:00:00", "updated_at": "2024-08-04 10:00:00",
        "tracks": [{"title": "UPS", "track_number": "1Z"}],
        "items": [{"order_item_id": 140, "qty": 1.5}, {"order_item_id": 141, "qty": 1.5}],
    }  # fmt: skip
    row = one(magento.shipments, shipment)["core.shipments"]
    assert row.select("line_ref", "quantity", "tracking_ref").rows() == [("140", Decimal("1.5000"), "UPS 1Z")]


def test_a_document_whose_order_is_not_there_yet_keeps_every_row() -> None:
    nobody = KNOWN.clear()
    raw = landed(
        [
            json.dumps(
                {
                    "entity_id": 5,
                    "order_id": 8,
                    "created_at": "2024-08-04 10:00:00",
                    "items": [{"order_item_id": 1, "qty": 1}],
                }
            )
        ]
    )
    found = sound(magento.shipments(raw, storefront="shop", run_id="r", orders=nobody))
    assert found["core.shipments"]["line_ref"].to_list() == ["1"]


def test_stock_and_customers() -> None:
    rows = [
        '{"sku":"A","source_code":"default","quantity":40.5,"status":1}',
        '{"sku":"","quantity":1}',
        '{"sku":"B"}',
    ]
    found = sound(magento.stock(landed(rows), storefront="shop", run_id="r"))
    assert found["core.stock"].select("sku", "on_hand_qty").rows() == [("A", Decimal("40.5000"))]
    assert found.problems["native_ref"].to_list() == ["n1", "n2"]
    person = {"id": 12, "email": "a@example.test", "firstname": "", "lastname": "", "updated_at": "2024-08-04 10:00:00",
              "addresses": [{"street": ["Rua A", "5"], "region": {"region_code": "NY"}, "company": "Lima Lda"}],
              "custom_attributes": [{"attribute_code": "erp", "value": "C-9"}]}  # fmt: skip
    policy = MagentoSettings(customer_number="erp")
    row = sound(
        magento.customers(landed([json.dumps(person)]), storefront="shop", run_id="r", settings=policy)
    )
    seen = row["core.customers"].row(0, named=True)
    assert (seen["customer_number"], seen["name"], seen["state"], seen["street"]) == (
        "C-9",
        "Lima Lda",
        "NY",
        "Rua A 5",
    )


# --- amounts ----------------------------------------------------------------------------------------------------
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}


@given(
    st.decimals(min_value=-(10**11), max_value=10**11, places=4, allow_nan=False),
    st.sampled_from(sorted(DIGITS)),
)
@settings(max_examples=100, deadline=None)
def test_an_amount_is_rounded_half_up_to_its_currency(amount: Decimal, currency: str) -> None:
    frame = with_digits(pl.DataFrame({"currency": [currency], "amount": [str(amount)]}))
    wanted = int(amount.scaleb(DIGITS[currency]).to_integral_value(rounding=ROUND_HALF_UP))
    assert in_minor(frame, ["amount"]).select("amount", "unread").rows() == [(wanted, "")]


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("29.949999999999999", 2995),
        ("-8.8817841970012523e-16", 0),
        ("-0", 0),
        ("1E2", 10000),
        ('"3.5"', 350),
        ("null", None),
    ],
)
def test_numbers_as_php_writes_them(written: str, minor: int | None) -> None:
    frame = with_digits(pl.DataFrame({"currency": ["USD"], "amount": [written]}))
    assert in_minor(frame, ["amount"]).select("amount", "unread").rows() == [(minor, "")]


@pytest.mark.parametrize("written", ["true", "{}", '"ten"', "1e30", "[1]", "99999999999999999999.99"])
def test_what_is_no_amount_is_named(written: str) -> None:
    frame = with_digits(pl.DataFrame({"currency": ["USD"], "amount": [written]}))
    assert in_minor(frame, ["amount"]).select("amount", "unread").rows() == [(None, "amount")]


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=80, deadline=None)
def test_no_payload_raises(noise: bytes) -> None:
    payload = noise.decode("utf-8", "replace")
    for call in (magento.invoices, magento.creditmemos, magento.shipments):
        call(landed([payload]), storefront="shop", run_id="r", orders=KNOWN)
    assert magento.orders(landed([payload]), storefront="shop", run_id="r")["core.orders"].height == 1
    magento.customers(landed([payload]), storefront="shop", run_id="r")
    magento.stock(landed([payload]), storefront="shop", run_id="r")
