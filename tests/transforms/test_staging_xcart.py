"""X-Cart payloads become core tables: every known trap has a golden pair, and invariants hold on drawn orders."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed, landing, sound

from transforms.staged import Staged, together
from transforms.storefronts import xcart
from transforms.storefronts.xcart import XCartSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "xcart"
CASES = sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))


def staged(*payloads: str, **more) -> Staged:
    return sound(xcart.orders(landed(*payloads), storefront="shop", run_id="r", **more))


def text_of(case: str) -> str:
    return (GOLDEN / f"{case}.input.json").read_text()


@pytest.mark.parametrize("case", CASES)
def test_golden_xcart_orders(case: str) -> None:
    found = staged(text_of(case))
    wanted = json.loads((GOLDEN / f"{case}.expected.json").read_text())
    head = found["core.orders"].row(0, named=True)
    assert head["problem"] == wanted["problem"]
    assert found.problems["problem"].to_list() == ([wanted["problem"]] if wanted["problem"] else [])
    assert head["order_number"] == wanted.get("number", "000412")
    assert head["status_code"] == wanted.get("status", "complete")
    assert head["currency"] == wanted.get("currency", "USD")
    assert head["is_taxed"] == wanted.get("is_taxed", True)
    assert head["tax_included"] == wanted.get("tax_included", head["tax_included"])
    if wanted["head"] is not None:
        assert {name: head[f"{name}_minor"] for name in wanted["head"]} == wanted["head"]
    if wanted["lines"] is not None:
        columns = ("line_ref", "kind_code", "net_minor", "discount_minor", "tax_minor", "tax_code")
        assert [list(row) for row in found["core.order_lines"].select(columns).rows()] == wanted["lines"]


def test_every_golden_xcart_case_at_once_is_each_alone_in_any_order() -> None:
    texts = [text_of(case).replace('"id": 412', f'"id": {number}') for number, case in enumerate(CASES, 1000)]
    refs = [str(number) for number in range(1000, 1000 + len(CASES))]
    whole = sound(xcart.orders(landed(*texts, refs=refs), storefront="shop", run_id="r"))
    alone = together(
        xcart.orders(landed(text, refs=[ref]), storefront="shop", run_id="r")
        for text, ref in zip(texts, refs, strict=True)
    )
    backwards = xcart.orders(landed(*texts[::-1], refs=refs[::-1]), storefront="shop", run_id="r")
    for name, frame in whole.frames.items():
        key = [one for one in ("order_ref", "line_ref") if one in frame.columns]
        assert frame.sort(key).equals(alone[name].sort(key)), name
        assert frame.sort(key).equals(backwards[name].sort(key)), name


SOUND = text_of("coupon_shipping_and_tax_on_top")
BROKEN = [
    "",
    "\u0000\ufffd",
    SOUND[: len(SOUND) // 2],
    "[1, 2]",
    "null",
    "[" * 100_000,
    "<html><body>We will be back soon</body></html>",
]


@pytest.mark.parametrize("payload", BROKEN, ids=lambda text: text[:12])
def test_an_unreadable_xcart_order_is_held_and_its_neighbours_stand(payload: str) -> None:
    found = staged(SOUND, payload)
    rows = found["core.orders"].sort("order_ref")
    assert rows["order_ref"].to_list() == ["412", "n1"]
    assert rows["problem"].is_null().to_list() == [True, False]
    assert rows["status_code"].to_list() == ["complete", "held"]
    assert rows["total_minor"].to_list() == [6145, 0]


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("payment", "shipping", "ours"),
    [
        ("A", "N", "open"), ("Q", "N", "open"), ("PP", "N", "open"), ("P", "N", "open"), ("P", "P", "processing"), ("Q", "P", "processing"),
        ("P", "S", "complete"), ("Q", "S", "complete"), ("P", "D", "complete"), ("R", "R", "complete"), ("R", "S", "complete"),
        ("P", "NBA", "open"), ("P", "WFA", "open"), ("P", "WND", "cancelled"), ("C", "N", "cancelled"), ("C", "S", "cancelled"),
        ("D", "N", "cancelled"), ("P", "NEW", None), (None, None, None),
    ],
)  # fmt: skip
def test_a_letter_means_nothing_without_its_pair(
    payment: str | None, shipping: str | None, ours: str | None
) -> None:
    assert XCartSettings().status(payment, shipping) == ours


def test_an_exact_pair_counts_before_one_with_a_blank() -> None:
    own = XCartSettings(statuses={"P/*": "processing", "P/S": "complete", "*/S": "open"})
    assert [own.status("P", "N"), own.status("P", "S"), own.status("Q", "S")] == [
        "processing",
        "complete",
        "open",
    ]


def test_policies_are_followed() -> None:
    unknown = text_of("included_tax_of_no_row_is_unknown")
    assert staged(unknown, settings=XCartSettings(untaxed="accept"))["core.orders"]["problem"].to_list() == [
        None
    ]
    by_code = staged(
        SOUND, settings=XCartSettings(tax_key="code", store="us-web", test_emails=("@example.com",))
    )
    assert "CDEV.STAX.1" in by_code["core.order_lines"]["tax_code"].to_list()
    head = by_code["core.orders"].row(0, named=True)
    assert (head["store_ref"], head["is_test"], head["customer_name"]) == ("us-web", True, "Ana Lima")


# ── shipping ────────────────────────────────────────────────────────────────────────────────────────────────


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 8, day, hour, tzinfo=UTC)


def version(day: int, **changes) -> str:
    payload = json.loads(SOUND, parse_float=str)
    payload["update_date"] = at(day).isoformat()
    for name, value in changes.items():
        if name == "ship":
            payload["shipping_status"]["code"] = value
        elif name == "amount":
            payload["items"][0]["amount"] = value
            if not value:
                payload["items"] = []
        else:
            payload[name] = value
    return json.dumps(payload)


def seen_versions(*texts: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [("412", datetime.fromisoformat(json.loads(text)["update_date"]), text, None) for text in texts]
    every = landing(rows)
    return every.tail(1), every


def of_versions(*texts: str) -> Staged:
    newest, every = seen_versions(*texts)
    found = sound(xcart.orders(newest, storefront="shop", run_id="r", versions=every))
    shuffled = xcart.orders(newest, storefront="shop", run_id="r", versions=every.reverse())
    for name, frame in found.frames.items():
        assert frame.equals(shuffled[name]), name
    return found


def test_the_first_tracking_number_dates_a_shipment() -> None:
    payload = json.loads(SOUND)
    payload["tracking_numbers"] = [
        {"id": 2, "date": "2024-08-09T10:00:00+00:00", "value": "1Z2"},
        {"id": 1, "date": 1722852000, "value": "1Z1"},
    ]
    row = staged(json.dumps(payload))["core.shipments"].row(0, named=True)
    assert (row["shipped_at"], row["tracking_ref"], row["quantity"]) == (
        datetime(2024, 8, 5, 10, tzinfo=UTC),
        "1Z2, 1Z1",
        Decimal(3),
    )


def test_without_tracking_the_first_version_seen_shipped_dates_it_and_later_edits_do_not_move_it() -> None:
    found = of_versions(version(3, ship="N"), version(5), version(9), version(20, email="new@example.com"))
    assert found["core.orders"]["shipped_at"].to_list() == [at(5)]
    assert found["core.orders"]["customer_email"].to_list() == ["new@example.com"]
    assert found["core.reductions"].is_empty()


def test_an_order_not_shipped_has_no_shipment() -> None:
    found = of_versions(version(3, ship="N"), version(5, ship="P"))
    assert found["core.shipments"].is_empty()
    assert found["core.orders"]["shipped_at"].to_list() == [None]


# ── totals that shrink ──────────────────────────────────────────────────────────────────────────────────────


def test_a_total_that_shrinks_after_shipping_keeps_what_was_sold_and_states_what_was_taken_off() -> None:
    found = of_versions(
        version(3, ship="N"), version(5), version(9, total="43.45", sub_total="36.00", amount=2)
    )
    head = found["core.orders"].row(0, named=True)
    assert (head["total_minor"], head["goods_minor"], head["changed_at"]) == (6145, 5400, at(9))
    assert head["revision"] == int(at(9).timestamp())
    assert found["core.reductions"].select("reduced_at", "currency", "amount_minor").rows() == [
        (at(9), "USD", 1800)
    ]
    assert found["core.returns"].select("line_ref", "sku", "quantity", "returned_at").rows() == [
        ("900", "MUG-1", Decimal(1), at(9))
    ]
    assert found["core.shipments"]["quantity"].to_list() == [Decimal(3)]


def test_each_step_is_a_reduction_and_a_removed_row_is_a_return_of_the_rest() -> None:
    found = of_versions(version(5), version(9, total="43.45", amount=2), version(12, total="7.45", amount=0))
    assert found["core.reductions"]["amount_minor"].to_list() == [1800, 3600]
    assert found["core.returns"]["quantity"].to_list() == [Decimal(1), Decimal(2)]
    assert found["core.reductions"]["reduction_ref"].n_unique() == 2


def test_what_was_taken_off_and_given_back_is_no_reduction() -> None:
    back = of_versions(version(5), version(9, total="43.45", amount=2), version(12))
    assert back["core.reductions"].is_empty()
    assert back["core.orders"]["total_minor"].to_list() == [6145]
    half = of_versions(version(5), version(9, total="31.45", amount=1), version(12, total="43.45", amount=2))
    assert half["core.reductions"].select("reduced_at", "amount_minor").rows() == [(at(9), 1800)]


def test_of_versions_of_one_second_one_counts_whatever_order_they_are_read_in() -> None:
    for count in (2, 3, 5, 8):
        found = of_versions(version(5), *(version(9, total=f"{40 + number}.45") for number in range(count)))
        assert found["core.reductions"]["reduced_at"].to_list() == [at(9)]


def test_a_total_that_shrinks_before_shipping_is_just_the_order() -> None:
    found = of_versions(
        version(3, ship="N"), version(4, ship="P", total="43.45", sub_total="36.00", amount=2)
    )
    assert found["core.reductions"].is_empty()
    assert found["core.orders"]["total_minor"].to_list() == [4345]


def test_a_total_that_grows_after_shipping_is_the_new_order() -> None:
    found = of_versions(version(5), version(9, total="71.45"))
    assert found["core.orders"]["total_minor"].to_list() == [7145]
    assert found["core.reductions"].is_empty()


def test_an_unreadable_version_in_between_is_passed_over() -> None:
    newest, every = seen_versions(version(5), version(9, total="43.45", amount=2))
    broken = landing([("412", at(7), "{", None)])
    found = sound(xcart.orders(newest, storefront="shop", run_id="r", versions=pl.concat([broken, every])))
    assert found["core.reductions"]["amount_minor"].to_list() == [1800]


# ── payments ────────────────────────────────────────────────────────────────────────────────────────────────


def transaction(*moves: tuple[str, str, str], **more) -> dict:
    rows = [
        {
            "id": 80 + k,
            "type": kind,
            "date": f"2024-08-{10 + k}T10:00:00+00:00",
            "status": status,
            "value": value,
        }
        for k, (kind, status, value) in enumerate(moves)
    ]
    return {
        "id": 77, "public_id": "000412-AB12", "public_txn_id": None, "method_id": 9, "type": "sale", "date": 1722676450,
        "status": "Stripe", "name": "Stripe", "currency": "USD", "value": "61.45", "backend_transactions": rows, **more,
    }  # fmt: skip


def paid(*transactions: dict, status: str | None = "P") -> pl.DataFrame:
    body = {"order_id": 412, "payment_status_code": status, "transactions": list(transactions)}
    return sound(xcart.payments(landed(json.dumps(body)), storefront="shop", run_id="r"))["core.payments"]


def moved(frame: pl.DataFrame) -> list[tuple]:
    return frame.select("kind_code", "state_code", "amount_minor").rows()


def test_backend_transactions_say_what_moved() -> None:
    frame = paid(
        transaction(
            ("auth", "S", "61.45"), ("capturePart", "S", "40"), ("captureMulti", "S", "21.45"), ("refundPart", "S", "-18.00"),
            ("refundMulti", "F", "1"), ("voidPart", "S", "2"), ("sale", "W", "3"), ("capture", "I", "3"), ("refund", "P", "3"),
        )
    )  # fmt: skip
    assert moved(frame) == [
        ("authorization", "success", 6145), ("charge", "success", 4000), ("charge", "success", 2145), ("refund", "success", 1800),
        ("refund", "failure", 100), ("void", "success", 200), ("charge", "pending", 300), ("charge", "pending", 300),
        ("refund", "pending", 300),
    ]  # fmt: skip
    assert frame["order_ref"].unique().to_list() == ["412"]
    assert frame["gateway_ref"].to_list()[1:3] == ["000412-AB12", "000412-AB12-82"]
    assert frame["occurred_at"][0] == datetime(2024, 8, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "order_status", "others", "said"),
    [
        ("S", "Q", 0, ("charge", "success", 6145)),
        ("F", "P", 0, ("charge", "failure", 6145)),
        ("W", "P", 0, ("charge", "pending", 6145)),
        ("Stripe", "P", 0, ("charge", "success", 6145)),
        ("Stripe", "Q", 0, ("charge", "pending", 6145)),
        ("Stripe", None, 0, ("charge", "pending", 6145)),
        ("Stripe", "P", 1, ("charge", "pending", 6145)),
    ],
)
def test_a_status_that_is_the_name_of_the_method_is_not_believed(status, order_status, others, said) -> None:
    more = [transaction(("sale", "S", "5"), id=78)] * others
    frame = paid(transaction(status=status), *more, status=order_status)
    assert frame["problem"].to_list() == [None] * (1 + others)
    assert moved(frame)[0] == said


def test_a_refunded_order_whose_transaction_does_not_say_how_much_is_a_problem() -> None:
    frame = paid(transaction(status="Stripe"), status="R")
    assert moved(frame) == [("authorization", "pending", 0)]
    assert "does not say how much" in frame["problem"][0]


@pytest.mark.parametrize(
    ("move", "currency", "said"),
    [
        (("sale", "S", "1.234"), "USD", "amount_not_exact: value has more digits than USD has minor units"),
        (("sale", "S", "1.234"), "KWD", None),
        (("sale", "S", "12.5"), "JPY", "amount_not_exact: value has more digits than JPY has minor units"),
        (("sale", "S", "NaN"), "USD", "amount_not_exact: value is NaN, which is not an amount"),
        (
            ("gift", "S", "1"),
            "USD",
            "payload_unreadable: the transaction's type 'gift' is none that is known",
        ),
        (("sale", "X", "1"), "USD", "payload_unreadable: the transaction's status 'X' is none that is known"),
        (("sale", "S", "1"), "XXQ", "currency_unknown: 'XXQ' is not an ISO 4217 currency with minor units"),
    ],
)
def test_a_movement_that_cannot_be_read_moves_nothing_and_its_neighbours_stand(move, currency, said) -> None:
    frame = paid(transaction(move, currency=currency), transaction(("sale", "S", "5"), id=78))
    assert frame["problem"].to_list() == [said, None]
    assert frame["state_code"].to_list() == ["pending" if said else "success", "success"]


def test_payments_that_could_not_be_read_at_all_have_a_row_that_says_so() -> None:
    frame = sound(
        xcart.payments(landed("{", '{"order_id":5,"transactions":[]}'), storefront="s", run_id="r")
    )["core.payments"]
    assert frame.select("payment_ref", "state_code", "amount_minor").rows() == [("order-n0", "pending", 0)]


# ── stock and customers ─────────────────────────────────────────────────────────────────────────────────────


def test_only_counted_stock_is_stock() -> None:
    rows = [
        {"id": 1, "sku": "A", "amount": 37, "inventory_traceable": True},
        {"id": 2, "sku": "B", "amount": 5, "inventory_traceable": False},
        {"id": 7, "product_id": "3", "sku": "C", "amount": "4", "default_amount": False},
        {"id": 8, "product_id": "3", "sku": "D", "amount": 4, "default_amount": True},
        {"id": 4, "sku": "", "amount": 1},
        {"id": 5, "sku": "E", "amount": "many"},
    ]
    raw = landed(*map(json.dumps, rows), refs=["1", "2", "3/7", "3/8", "4", "5"])
    found = sound(xcart.stock(raw, storefront="shop", run_id="r"))
    assert found["core.stock"].select("sku", "native_ref", "on_hand_qty").rows() == [
        ("A", "1", Decimal(37)),
        ("C", "3/7", Decimal(4)),
    ]
    assert found.problems["native_ref"].to_list() == ["4", "5"]


def test_a_profile_is_a_customer() -> None:
    raw = landed(
        '{"id":31,"login":"ana@example.com","create_date":"2024-01-02T00:00:00+00:00"}', "{}", '{"id":"7"}'
    )
    found = sound(xcart.customers(raw, storefront="shop", run_id="r"))
    assert found["core.customers"].select("customer_ref", "name").rows() == [
        ("31", "ana@example.com"),
        ("7", "7"),
    ]
    assert found.problems.height == 1


# ── drawn ───────────────────────────────────────────────────────────────────────────────────────────────────

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_PLACES = [
    ("total",), ("sub_total",), ("currency",), ("items",), ("items", 0), ("items", 0, "discounted_subtotal"), ("items", 0, "amount"),
    ("items", 0, "price"), ("items", 0, "surcharges"), ("surcharges",), ("surcharges", 0), ("surcharges", 0, "value"),
    ("surcharges", 0, "include"), ("payment_status",), ("shipping_status", "code"), ("update_date",), ("create_date",), ("id",),
    ("billing_address",), ("tracking_numbers",), ("used_coupons",), ("email",),
]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(place=st.sampled_from(_PLACES), value=_JSON)
def test_whatever_stands_in_a_member_the_order_is_staged_and_foots(place, value) -> None:
    payload = json.loads(SOUND)
    target = payload
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    found = staged(json.dumps(payload), SOUND.replace('"id": 412', '"id": 413'))
    assert found["core.orders"].height == 2
    assert found["core.orders"].filter(order_ref="413")["problem"].to_list() == [None]


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_staging_of_any_subject(noise: bytes) -> None:
    text = noise.decode("utf-8", "replace")
    for subject in (xcart.orders, xcart.payments, xcart.customers, xcart.stock):
        sound(subject(landed(text), storefront="shop", run_id="r"))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 9)), min_size=1, max_size=5),
    off=st.integers(0, 10**6),
    ship=st.integers(0, 10**5),
    tax=st.integers(0, 10**5),
)
def test_to_the_cent_whatever_the_amounts(rows, off, ship, tax) -> None:
    cents = sum(unit * count for unit, count in rows)
    off = min(off, cents)

    def money(minor: int) -> str:
        return f"{Decimal(minor) / 100:f}"

    payload = json.loads(SOUND)
    payload["items"] = [
        {
            "id": k,
            "sku": f"S{k}",
            "price": money(unit),
            "amount": count,
            "discounted_subtotal": money(unit * count),
        }
        for k, (unit, count) in enumerate(rows)
    ]
    payload["sub_total"], payload["total"] = money(cents), money(cents - off + ship + tax)
    payload["surcharges"] = [
        {"type": "discount", "value": money(-off), "name": "D"},
        {"type": "shipping", "value": money(ship), "name": "S"},
        {"type": "tax", "value": money(tax), "name": "T"},
    ]
    head = staged(json.dumps(payload))["core.orders"].row(0, named=True)
    assert head["problem"] is None
    names = ("goods_minor", "discount_minor", "shipping_minor", "tax_minor", "rounding_minor")
    assert [head[name] for name in names] == [cents, -off, ship, tax, 0]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 6000), min_size=1, max_size=6))
def test_reductions_sum_to_what_the_total_lost(totals: list[int]) -> None:
    texts = [version(5)]
    for k, cents in enumerate(totals):
        when = (at(6) + timedelta(hours=k)).isoformat()
        texts.append(version(5, total=f"{Decimal(cents) / 100:f}", update_date=when))
    found = of_versions(*texts)
    taken = found["core.reductions"]["amount_minor"].sum()
    assert taken == found["core.orders"]["total_minor"][0] - totals[-1]
