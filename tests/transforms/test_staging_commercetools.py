"""commercetools payloads become core tables: every known trap has a golden pair, and invariants hold on drawn orders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from transforms.staged import Staged, together
from transforms.storefronts import commercetools
from transforms.storefronts.commercetools import CommercetoolsSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "commercetools"
CASES = sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))
NOW = datetime(2026, 11, 2, tzinfo=UTC)
COMPONENTS = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")


def landed(
    payloads: Sequence[str], refs: Sequence[str] | None = None, problem: str | None = None
) -> pl.DataFrame:
    size, text, at = len(payloads), pl.String(), pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "native_ref": list(refs) if refs else [f"n{number}" for number in range(size)],
            "version_no": [1] * size,
            "updated_at": [NOW] * size,
            "payload": list(payloads),
            "payload_sha256": [hashlib.sha256(one.encode()).hexdigest() for one in payloads],
            "problem": [problem] * size,
            "fetched_at": [NOW] * size,
        },
        schema={
            "native_ref": text,
            "version_no": pl.Int64(),
            "updated_at": at,
            "payload": text,
            "payload_sha256": text,
            "problem": text,
            "fetched_at": at,
        },
    )


def staged(*payloads: str, **more) -> Staged:
    return sound(commercetools.orders(landed(payloads), storefront="shop", run_id="r", **more))


def sound(found: Staged) -> Staged:
    for name, frame in found.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    if "core.orders" in found.frames:
        foots(found)
    return found


def foots(found: Staged) -> None:
    """Lines sum to their header, component by component and in tax; the components sum to the total."""
    kinds = {
        "item": "goods",
        "gift_card": "gift_card",
        "discount": "discount",
        "shipping": "shipping",
        "fee": "fees",
        "rounding": "rounding",
    }
    lines = (
        found["core.order_lines"]
        .group_by("order_ref")
        .agg(
            *[
                pl.sum_horizontal("net_minor", "discount_minor")
                .filter(pl.col("kind_code") == kind)
                .sum()
                .alias(f"l_{name}")
                for kind, name in kinds.items()
            ],
            l_tax=pl.col("tax_minor").sum(),
        )
    )
    heads = found["core.orders"].join(lines, on="order_ref", how="left").fill_null(0)
    for name in COMPONENTS:
        assert heads[f"l_{name}"].to_list() == heads[f"{name}_minor"].to_list(), name
    assert (
        heads.select(pl.sum_horizontal([f"{name}_minor" for name in COMPONENTS])).to_series().to_list()
        == heads["total_minor"].to_list()
    )
    assert (heads["total_minor"] - heads["tender_minor"]).to_list() == heads["due_minor"].to_list()


@pytest.mark.parametrize("case", CASES)
def test_golden_orders(case: str) -> None:
    found = staged((GOLDEN / f"{case}.input.json").read_text())
    wanted = json.loads((GOLDEN / f"{case}.expected.json").read_text())
    head = found["core.orders"].row(0, named=True)
    assert head["problem"] == wanted["problem"]
    assert found.problems["problem"].to_list() == ([wanted["problem"]] if wanted["problem"] else [])
    assert head["order_number"] == wanted.get("number", "W100123")
    assert head["status_code"] == wanted.get("status", "complete")
    assert head["currency"] == wanted.get("currency", head["currency"])
    assert head["is_taxed"] == wanted.get("is_taxed", head["is_taxed"])
    if wanted["problem"] is None:
        assert head["is_taxed"]
    if wanted["head"] is not None:
        assert {name: head[f"{name}_minor"] for name in wanted["head"]} == wanted["head"]
    if wanted["lines"] is not None:
        columns = ("line_ref", "kind_code", "net_minor", "discount_minor", "tax_minor", "tax_code")
        assert [list(row) for row in found["core.order_lines"].select(columns).rows()] == wanted["lines"]


def test_every_golden_case_at_once_is_each_alone_in_any_order() -> None:
    texts = []
    for number, case in enumerate(CASES):
        texts.append((GOLDEN / f"{case}.input.json").read_text().replace('"o1"', f'"o{number}"'))
    whole = staged(*texts)
    alone = together(staged(text) for text in texts)
    backwards = staged(*reversed(texts))
    for name, frame in whole.frames.items():
        key = list(ALL[name].key)
        assert frame.sort(key).equals(alone[name].sort(key)), name
        assert frame.sort(key).equals(backwards[name].sort(key)), name


SOUND = (GOLDEN / "tax_included.input.json").read_text()
BROKEN = [
    ("", "the payload is not JSON"),
    ("\u0000\ufffd", "the payload is not JSON"),
    (SOUND[: len(SOUND) // 2], "the payload is not JSON"),
    ("[1, 2]", "the payload is a list, not an object"),
    ("null", "the payload is null"),
    ("[" * 100_000, "the payload is not JSON"),
    (SOUND.replace('"MUG-1"', '"\\ud800"'), "too much of the payload does not fit"),
    ('{"orderNumber": "W100123"}', "totalPrice is missing"),
    (SOUND.replace('"2026-09-03T09:14:07.120Z"', '"yesterday"'), "createdAt is missing or no instant"),
    (
        SOUND.replace('"quantity": 2', '"quantity": "two"'),
        "lineItems[0].quantity is the text 'two', where a whole number belongs",
    ),
    (
        SOUND.replace('"quantity": 2', '"quantity": true'),
        "lineItems[0].quantity is true, where a whole number belongs",
    ),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_broken_payload_is_held_and_costs_only_itself(text: str, words: str) -> None:
    found = staged(SOUND, text.replace('"o1"', '"o2"'), SOUND.replace('"o1"', '"o3"'))
    problems = found["core.orders"]["problem"].to_list()
    assert problems[0] is None
    assert problems[2] is None
    assert problems[1].startswith("payload_unreadable: ")
    assert words in problems[1]
    assert found["core.orders"]["total_minor"].to_list()[::2] == [2380, 2380]
    assert found.problems.height == 1


def test_what_is_left_of_a_truncated_order_is_its_number() -> None:
    head = staged(SOUND[: SOUND.index('"lineItems"') + 20])["core.orders"].row(0, named=True)
    assert (head["order_ref"], head["order_number"], head["currency"], head["status_code"]) == (
        "n0",
        "W100123",
        "XXX",
        "held",
    )


def test_a_landing_that_was_not_recognised_is_held() -> None:
    raw = landed([SOUND], ["sha256:1"], problem="no id")
    found = sound(commercetools.orders(raw, storefront="shop", run_id="r"))
    assert "was not recognised when it was received (no id)" in found["core.orders"]["problem"][0]


def changed(**members) -> str:
    return json.dumps({**json.loads(SOUND), **members})


def test_who_when_and_where() -> None:
    text = changed(
        customerId="c1",
        billingAddress={"company": "=cmd|' /C calc'!A0"},
        custom={"fields": {"isTest": True}},
        paymentInfo={"payments": [{"typeId": "payment", "id": "p1"}, {"id": "p1"}, {"id": "p2"}]},
    )
    found = staged(text)
    head = found["core.orders"].row(0, named=True)
    assert (head["customer_name"], head["customer_ref"], head["is_test"]) == (
        "=cmd|' /C calc'!A0",
        "c1",
        True,
    )
    assert (head["store_ref"], head["revision"], head["payload_sha256"]) == (
        "eu-web",
        4,
        hashlib.sha256(text.encode()).hexdigest(),
    )
    assert head["placed_at"] == datetime(2026, 9, 3, 9, 14, 7, 120000, tzinfo=UTC)
    assert head["changed_at"] == datetime(2026, 9, 5, 16, 2, 44, 3000, tzinfo=UTC)
    assert found["core.order_payments"]["payment_ref"].to_list() == ["p1", "p2"]


def test_deliveries_and_returns() -> None:
    delivery = {
        "id": "d1",
        "createdAt": "2026-09-04T00:00:00.000Z",
        "items": [{"id": "l1", "quantity": 1}],
        "parcels": [{"trackingData": {"carrier": "Post", "trackingId": "1Z"}}],
    }
    second = {**delivery, "id": "d2", "createdAt": "2026-09-06T00:00:00.000Z", "parcels": []}
    price = {"currencyCode": "EUR", "centAmount": 0, "fractionDigits": 2}
    back = {
        "returnDate": "2026-09-09T00:00:00.000Z",
        "items": [{"id": "r1", "quantity": 1, "lineItemId": "l1", "paymentState": "Refunded"}],
    }
    found = staged(
        changed(shippingInfo={"price": price, "deliveries": [second, delivery]}, returnInfo=[back])
    )
    assert found["core.orders"]["shipped_at"].to_list() == [datetime(2026, 9, 4, tzinfo=UTC)]
    assert found["core.shipments"].select("shipment_ref", "line_ref", "tracking_ref").rows() == [
        ("d2", "l1", None),
        ("d1", "l1", "Post 1Z"),
    ]
    assert found["core.returns"].select("return_ref", "line_ref", "sku", "state_code").rows() == [
        ("r1", "l1", "MUG-1", "Refunded")
    ]
    bare = staged(
        changed(
            shippingInfo={
                "price": price,
                "deliveries": [{"id": "d1", "createdAt": "2026-09-04T00:00:00.000Z"}],
            }
        )
    )
    assert bare["core.shipments"].select("line_ref", "quantity").rows() == [("l1", Decimal(2))]


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ({"centAmount": 1190, "fractionDigits": 2}, "11.90"),
        (
            {"centAmount": 1190, "fractionDigits": 2, "preciseAmount": 1190125, "type": "highPrecision"},
            "11901.25",
        ),
        ({"centAmount": 12, "fractionDigits": 5, "preciseAmount": 12345, "type": "highPrecision"}, "0.12345"),
        (
            {"centAmount": 0, "fractionDigits": 14, "preciseAmount": 123456, "type": "highPrecision"},
            "0.000000001234",
        ),
        ({"centAmount": -5, "fractionDigits": 2}, "-0.05"),
    ],
)
def test_unit_prices_are_exact(value: dict, price: str) -> None:
    order = json.loads(SOUND)
    order["lineItems"][0]["price"]["value"] = {"currencyCode": "EUR", **value}
    assert staged(json.dumps(order))["core.order_lines"]["unit_price"].to_list() == [Decimal(price)]


@pytest.mark.parametrize(
    ("stated", "rate"),
    [(0.08875, "0.08875"), (0.19, "0.19"), (0, "0"), (1.5, None), (-0.1, None), (1e-13, None), (None, None)],
)
def test_the_rate_a_row_states_is_carried_exactly(stated: float | None, rate: str | None) -> None:
    order = json.loads((GOLDEN / "discount_on_total_two_rates.input.json").read_text())
    (portion,) = order["lineItems"][0]["taxedPrice"]["taxPortions"]
    portion["rate"] = stated
    line = staged(json.dumps(order))["core.order_lines"].filter(
        pl.col("line_ref") == order["lineItems"][0]["id"]
    )
    expected = None if rate is None or line["tax_code"].item() is None else Decimal(rate)
    assert line["tax_rate"].item() == expected


def test_line_ids_that_repeat_or_lack_are_told_apart() -> None:
    order = json.loads((GOLDEN / "discount_on_total_two_rates.input.json").read_text())
    order["lineItems"][1]["id"] = "l1"
    order["lineItems"].append({**order["lineItems"][1], "id": ""})
    assert staged(json.dumps(order))["core.order_lines"]["line_ref"].to_list()[:3] == ["l1", "l1#2", "#1"]


def test_settings_change_what_is_tender_test_and_untaxed() -> None:
    text = (GOLDEN / "gift_card_as_negative_row_is_tender.input.json").read_text()
    head = staged(text, settings=CommercetoolsSettings(tender_slugs=()))["core.orders"].row(0, named=True)
    assert (head["discount_minor"], head["tender_minor"], head["total_minor"]) == (-1000, 0, 1380)
    untaxed = (GOLDEN / "tax_unknown.input.json").read_text()
    head = staged(untaxed, settings=CommercetoolsSettings(untaxed="accept"))["core.orders"].row(0, named=True)
    assert (head["problem"], head["is_taxed"], head["total_minor"]) == (None, False, 2380)


def test_empty_landings_give_empty_tables() -> None:
    for stage in (commercetools.orders, commercetools.payments, commercetools.customers, commercetools.stock):
        found = sound(stage(landed([]), storefront="shop", run_id="r"))
        assert all(frame.is_empty() for frame in found.frames.values())
        assert found.problems.is_empty()


_CENTS = st.integers(-5000, 50_000)


@st.composite
def _drawn_order(draw, name: str) -> str:
    def money(cents: int) -> dict:
        return {"centAmount": cents, "currencyCode": "EUR", "fractionDigits": 2}

    def taxed(cents: int) -> dict | None:
        if not draw(st.integers(0, 6)):
            return None
        tax = draw(st.integers(-300, 300))
        code = draw(st.sampled_from(["A", "B", None]))
        return {
            "totalNet": money(cents),
            "totalGross": money(cents + tax),
            "taxPortions": [{"name": code, "rate": 0.1, "amount": money(tax)}],
        }

    def line(ref: str) -> dict:
        cents = draw(_CENTS)
        return {
            "id": ref,
            "quantity": 1,
            "variant": {"sku": draw(st.sampled_from(["A", "GIFT-1"]))},
            "totalPrice": money(cents),
            "taxedPrice": taxed(cents),
            "taxRate": {"includedInPrice": draw(st.booleans())},
            "slug": draw(st.sampled_from(["x", "gift-card"])),
        }

    found = {
        "id": name,
        "createdAt": "2026-09-03T09:14:07Z",
        "orderState": "Open",
        "lineItems": [line(f"l{number}") for number in range(draw(st.integers(0, 3)))],
        "customLineItems": [line(f"c{number}") for number in range(draw(st.integers(0, 2)))],
        "totalPrice": money(draw(_CENTS)),
        "taxedPrice": taxed(draw(_CENTS)),
    }
    if draw(st.booleans()):
        cents = draw(_CENTS)
        found["shippingInfo"] = {
            "price": money(cents),
            "taxedPrice": taxed(cents),
            "discountedPrice": {"value": money(draw(_CENTS))},
        }
    if draw(st.booleans()):
        found["discountOnTotalPrice"] = {"discountedAmount": money(abs(draw(_CENTS)))}
    return json.dumps(found)


_BATCH = st.integers(1, 4).flatmap(lambda size: st.tuples(*[_drawn_order(f"o{at}") for at in range(size)]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(_BATCH)
def test_lines_always_sum_to_the_header_and_batches_may_be_split(batch: tuple[str, ...]) -> None:
    whole = staged(*batch)
    split = together(commercetools.orders(landed([one]), storefront="shop", run_id="r") for one in batch)
    for name in whole.frames:
        assert whole[name].equals(split[name]), name


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(SOUND) - 1), st.text(max_size=3))
def test_no_damage_to_a_payload_crashes_or_touches_its_neighbour(place: int, put: str) -> None:
    # The contract is checked by the other tests; here it is the reading that matters.
    broken = SOUND[:place] + put + SOUND[place + 1 :].replace('"o1"', '"o2"', 1)
    rows = landed([broken, SOUND.replace('"o1"', '"o3"')])
    found = commercetools.orders(rows, storefront="shop", run_id="r")
    foots(found)
    assert found["core.orders"].height == 2
    assert found["core.orders"].row(1, named=True)["problem"] is None
