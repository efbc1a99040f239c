"""Clarity payloads become core tables by the member names of a profile: golden pairs, and invariants on drawn orders."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed, sound

from tieout.connectors.storefronts import clarity_profile
from transforms.staged import Staged, together
from transforms.storefronts import clarity
from transforms.storefronts.clarity import ClaritySettings

GOLDEN = Path(__file__).parents[1] / "golden" / "clarity"
CASES = sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))
SEED = clarity_profile.load("seed")
POLICY = ClaritySettings(
    SEED.fields, SEED.words.status, SEED.words.transaction_types, SEED.words.transaction_states, store="main"
)
LINES = pl.DataFrame(schema={"order_ref": pl.String, "line_ref": pl.String, "sku": pl.String})


def text_of(case: str) -> str:
    return (GOLDEN / f"{case}.input.json").read_text()


SOUND = text_of("amounts_as_texts_discount_told_twice")


def staged(*payloads: str, policy: ClaritySettings = POLICY, **more) -> Staged:
    return sound(clarity.orders(landed(*payloads, **more), storefront="shop", run_id="r", settings=policy))


@pytest.mark.parametrize("case", CASES)
def test_golden_clarity_orders(case: str) -> None:
    found = staged(text_of(case))
    wanted = json.loads((GOLDEN / f"{case}.expected.json").read_text())
    head = found["core.orders"].row(0, named=True)
    assert head["problem"] == wanted["problem"]
    assert head["order_number"] == wanted.get("number", "20417")
    assert head["status_code"] == wanted.get("status", "complete")
    assert head["currency"] == wanted.get("currency", "USD")
    assert head["is_taxed"] == wanted.get("is_taxed", True)
    if "shipped" in wanted:
        assert head["shipped_at"] == datetime.fromisoformat(wanted["shipped"])
    if wanted["head"] is not None:
        assert {name: head[f"{name}_minor"] for name in wanted["head"]} == wanted["head"]
    if wanted["lines"] is not None:
        columns = ("line_ref", "kind_code", "net_minor", "discount_minor", "tax_minor", "tax_code")
        assert [list(row) for row in found["core.order_lines"].select(columns).rows()] == wanted["lines"]


def test_every_golden_clarity_case_at_once_is_each_alone_in_any_order() -> None:
    texts = [text_of(case).replace("CLR-20417", f"C{number}") for number, case in enumerate(CASES)]
    refs = [f"C{number}" for number in range(len(CASES))]
    whole = staged(*texts, refs=refs)
    alone = together(staged(text, refs=[ref]) for text, ref in zip(texts, refs, strict=True))
    backwards = staged(*texts[::-1], refs=refs[::-1])
    for name, frame in whole.frames.items():
        key = [one for one in ("order_ref", "line_ref", "shipment_ref") if one in frame.columns]
        assert frame.sort(key).equals(alone[name].sort(key)), name
        assert frame.sort(key).equals(backwards[name].sort(key)), name


def test_who_bought_where_is_read_by_path() -> None:
    head = staged(SOUND, '{"orderId":"x","attributes":null,"billingAddress":{"name":"A \\"B\\" \\u00e9"}}')[
        "core.orders"
    ].sort("order_ref")
    assert head["store_ref"].to_list() == ["south", "main"]
    assert head["customer_name"].to_list() == ["Lima LLC", 'A "B" é']
    assert head["customer_ref"].to_list() == ["ACC-88", None]


def test_amounts_that_hold_their_tax() -> None:
    payload = json.loads(SOUND)
    payload |= {"totalAmount": "118.00", "discountAmount": "5.00"}
    head = staged(json.dumps(payload), policy=replace(POLICY, tax_included=True))["core.orders"].row(
        0, named=True
    )
    assert (head["goods_minor"], head["tax_minor"], head["tax_included"], head["rounding_minor"]) == (
        10460,
        1040,
        True,
        0,
    )


def test_a_profile_with_other_names_reads_the_same_order() -> None:
    theirs = {
        "Id": 7, "Stamp": 1722873764, "Day": "2024-08-03T09:14:07+00:00", "State": {"Name": "Done"}, "Cur": "usd",
        "Sum": {"Due": {"Value": 128.40}}, "Rows": [{"No": 1, "Item": {"Code": "PUMP-3"}, "Pieces": 1, "Each": 115.00, "Vat": 10.40}],
        "Freight": 8, "Vat": 10.4, "Less": -5,
    }  # fmt: skip
    policy = ClaritySettings(
        {
            "orders": {
                "ref": "Id", "changed": "Stamp", "placed": "Day", "status": "State.Name", "currency": "Cur", "total": "Sum.Due.Value",
                "lines": "Rows", "shipping": "Freight", "tax": "Vat", "discount": "Less",
            },
            "lines": {"ref": "No", "sku": "Item.Code", "quantity": "Pieces", "unit_price": "Each", "tax": "Vat"},
        },
        {"Done": "complete"},
    )  # fmt: skip
    mine = staged(json.dumps(theirs), policy=policy)["core.orders"].row(0, named=True)
    seed = staged(SOUND)["core.orders"].row(0, named=True)
    names = [name for name in seed if name.endswith("_minor")] + [
        "currency",
        "status_code",
        "placed_at",
        "problem",
    ]
    assert {name: mine[name] for name in names} == {name: seed[name] for name in names}
    assert mine["changed_at"] == datetime(2024, 8, 5, 16, 2, 44, tzinfo=UTC)


# ── payments, returns, stock, customers ─────────────────────────────────────────────────────────────────────


def paid(*moves: dict, currency: str = "USD") -> pl.DataFrame:
    body = {
        "paymentId": "P1",
        "orderId": "CLR-1",
        "method": "CreditCard",
        "currency": currency,
        "updatedAt": "2024-08-03T09:14:20Z",
        "transactions": list(moves),
    }
    return sound(clarity.payments(landed(json.dumps(body)), storefront="s", run_id="r", settings=POLICY))[
        "core.payments"
    ]


def move(type_: str = "capture", status: str = "succeeded", amount: object = "128.40", **more) -> dict:
    return {
        "id": "T1",
        "type": type_,
        "status": status,
        "amount": amount,
        "at": "2024-08-03T09:14:20Z",
        **more,
    }


def test_transactions_are_payments() -> None:
    frame = paid(
        move("authorization"),
        move(id="T2", reference="ch_1", fee="3.10"),
        move("refund", "pending", 5, id="T3"),
        move("chargeback", id="T4"),
    )
    assert frame.select(
        "transaction_ref", "kind_code", "state_code", "amount_minor", "fee_minor", "gateway_ref"
    ).rows() == [
        ("T1", "authorization", "success", 12840, None, "T1"),
        ("T2", "charge", "success", 12840, 310, "ch_1"),
        ("T3", "refund", "pending", 500, None, "T3"),
        ("T4", "chargeback", "success", 12840, None, "T4"),
    ]
    assert frame["order_ref"].unique().to_list() == ["CLR-1"]


@pytest.mark.parametrize(
    ("one", "currency", "said"),
    [
        (move("gift"), "USD", "payload_unreadable: the transaction's type 'gift' is none that is known"),
        (
            move(status="maybe"),
            "USD",
            "status_unknown: the payment status 'maybe' has no meaning here",
        ),
        (
            move(amount="1.234"),
            "USD",
            "amount_not_exact: the amount has more digits than USD has minor units",
        ),
        (move(amount="1.234"), "KWD", None),
        (move(amount=None), "USD", "payload_unreadable: the amount is missing"),
        (move(amount="a lot"), "USD", "amount_not_exact: the amount is a lot, which is not an amount"),
        (move(), "XXQ", "currency_unknown: 'XXQ' is not an ISO 4217 currency with minor units"),
    ],
)
def test_a_transaction_that_cannot_be_read_moves_nothing(one: dict, currency: str, said: str | None) -> None:
    frame = paid(one, move(id="T2"), currency=currency)
    assert frame["problem"][0] == said
    assert frame["state_code"][0] == ("pending" if said else "success")


def test_a_return_by_sku_finds_its_line_only_if_there_is_one() -> None:
    lines = pl.DataFrame({"order_ref": ["A", "A", "A"], "line_ref": ["1", "2", "3"], "sku": ["X", "Y", "Y"]})
    body = {"returnId": "R", "orderId": "A", "status": "received", "updatedAt": "2024-08-20T08:00:00Z",
            "items": [{"sku": "X", "quantity": 1}, {"sku": "Y", "quantity": "2"}, {"sku": "Y", "lineId": "3", "quantity": 1}]}  # fmt: skip
    found = sound(
        clarity.returns(
            landed(json.dumps(body), '{"returnId":"Q"}'),
            storefront="s",
            run_id="r",
            settings=POLICY,
            lines=lines,
        )
    )
    assert found["core.returns"].select("return_ref", "line_ref", "quantity").rows() == [
        ("R-1", "1", Decimal(1)),
        ("R-2", None, Decimal(2)),
        ("R-3", "3", Decimal(1)),
    ]
    assert found.problems["native_ref"].to_list() == ["n1"]


def test_stock_is_what_the_shop_sells_from() -> None:
    rows = [
        '{"sku":"A","location":"MAIN","quantityOnHand":40,"quantityAvailable":37}',
        '{"sku":"B","quantityAvailable":"2.5"}',
        '{"sku":"C"}',
    ]
    found = sound(clarity.stock(landed(*rows), storefront="s", run_id="r", settings=POLICY))
    assert found["core.stock"].select("sku", "location_ref", "on_hand_qty", "reserved_qty").rows() == [
        ("A", "MAIN", Decimal(37), None),
        ("B", "", Decimal("2.5"), None),
    ]
    assert found.problems.height == 1


def test_a_customer_has_a_name_for_people() -> None:
    rows = [
        '{"customerId":"1","name":"Ana Lima"}',
        '{"customerId":"2","firstName":"Ben"}',
        '{"customerId":"3","email":"x@example.com"}',
        "{}",
    ]
    found = sound(clarity.customers(landed(*rows), storefront="s", run_id="r", settings=POLICY))
    assert found["core.customers"]["name"].to_list() == ["Ana Lima", "Ben", "x@example.com"]
    assert found.problems["native_ref"].to_list() == ["n3"]


# ── drawn ───────────────────────────────────────────────────────────────────────────────────────────────────

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted({path.partition(".")[0] for path in SEED.fields["orders"].values()})),
    value=_JSON,
)
def test_whatever_stands_in_a_member_the_clarity_order_is_staged_and_foots(name, value) -> None:
    payload = json.loads(SOUND)
    payload[name] = value
    found = staged(json.dumps(payload), SOUND.replace("CLR-20417", "CLR-2"))
    assert found["core.orders"].height == 2
    assert found["core.orders"].filter(order_ref="CLR-2")["problem"].to_list() == [None]


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(SEED.fields["lines"].values())), value=_JSON)
def test_whatever_stands_in_a_line_the_clarity_order_foots(name, value) -> None:
    payload = json.loads(SOUND)
    payload["lineItems"][0][name] = value
    staged(json.dumps(payload))


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_staging_of_any_clarity_subject(noise: bytes) -> None:
    raw = landed(noise.decode("utf-8", "replace"))
    told = {"storefront": "shop", "run_id": "r", "settings": POLICY}
    for subject in (clarity.orders, clarity.payments, clarity.customers, clarity.stock):
        sound(subject(raw, **told))
    sound(clarity.returns(raw, lines=LINES, **told))


@pytest.mark.parametrize(
    ("member", "value", "rate"),
    [
        ("taxRate", "0.08875", "0.08875"),
        ("taxRate", 0.2, "0.2"),
        ("taxRate", "0", None),
        ("taxRate", "8.875", None),
        ("taxRate", "a lot", None),
        ("taxRate", None, None),
        ("rate", "8.875", "0.08875"),
        ("rate", 100, "1"),
        ("rate", "100.5", None),
    ],
)
def test_a_row_states_its_rate_as_a_fraction_or_in_percent(
    member: str, value: object, rate: str | None
) -> None:
    order = json.loads(SOUND)
    order["lineItems"] = [one | {member: value} for one in order["lineItems"]]
    lines = {**SEED.fields["lines"], "tax_percent": "rate"}
    policy = replace(POLICY, fields={**SEED.fields, "lines": lines})
    rows = staged(json.dumps(order), policy=policy)["core.order_lines"].filter(pl.col("kind_code") == "item")
    taxed = rows.filter((pl.col("tax_minor") != 0) & pl.col("sku").is_not_null())
    assert taxed.height
    assert set(taxed["tax_rate"]) == {None if rate is None else Decimal(rate)}
    assert rows.filter(pl.col("tax_minor") == 0)["tax_rate"].is_null().all()
