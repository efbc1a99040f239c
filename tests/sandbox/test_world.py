"""The seeded world: the same bytes every time, sums that hold, faults where the key says and nowhere else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import pytest

from tieout.sandbox.world import faults
from tieout.sandbox.world.arithmetic import (
    half_even,
    half_up,
    iso,
    local_date,
    parse_iso,
    split_by_weight,
    utc_ms,
)
from tieout.sandbox.world.ledger import Document, Receipt, is_business
from tieout.sandbox.world.orders import Order
from tieout.sandbox.world.world import World

ORDERS = 2400


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(7, ORDERS)


@pytest.fixture(scope="module")
def key(world: World) -> dict:
    return world.answer_key()


def digest(world: World) -> str:
    found = hashlib.sha256()
    for collection in (world.order_list, world.payment_list, world.customer_list, world.inventory_list):
        for position in collection.by_modified:
            found.update(collection.text(position).encode())
    posted: list[tuple] = []
    world.post_ledger(lambda *call: posted.append(call) or len(posted))
    found.update(json.dumps(posted, default=str).encode())
    found.update(json.dumps(world.answer_key()).encode())
    return found.hexdigest()


def test_same_seed_gives_the_same_bytes_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_world import digest, World; "
        "print(digest(World.build(11, 300)))"
    )
    folder = __file__.rsplit("/", 1)[0]
    runs = [
        subprocess.run(
            [sys.executable, "-c", script, folder],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1] == digest(World.build(11, 300))
    assert digest(World.build(12, 300)) != runs[0]


def exact(text: str) -> dict:
    return json.loads(text, parse_float=Fraction)


def damaged(order: Order) -> bool:
    return order.planted is not None and order.planted.kind.side == "payload"


def test_every_undamaged_payload_obeys_the_platforms_arithmetic(world: World) -> None:
    checked = 0
    for order in world.orders():
        if damaged(order):
            continue
        payload = exact(world.order_list.text(order.index))
        shipping = [payload["shippingInfo"]] if "shippingInfo" in payload else [
            entry["shippingInfo"] for entry in payload["shipping"]
        ]  # fmt: skip
        parts = [*payload["lineItems"], *payload["customLineItems"]]
        price = sum(row["totalPrice"]["centAmount"] for row in parts)
        price += sum(int(info["price"]["centAmount"]) for info in shipping)
        discount = payload.get("discountOnTotalPrice")
        if discount:
            price -= discount["discountedAmount"]["centAmount"]
        assert payload["totalPrice"]["centAmount"] == price
        taxed = payload["taxedPrice"]
        net, gross, tax = (taxed[name]["centAmount"] for name in ("totalNet", "totalGross", "totalTax"))
        assert gross - net == tax == sum(portion["amount"]["centAmount"] for portion in taxed["taxPortions"])
        part_nets = sum(row["taxedPrice"]["totalNet"]["centAmount"] for row in [*parts, *shipping])
        cut = discount["discountedNetAmount"]["centAmount"] if discount else 0
        rounding = gross - tax - (part_nets - cut)
        assert abs(rounding) <= (1 if payload["taxCalculationMode"] == "UnitPriceLevel" else 0)
        if all(
            row.get("taxRate", {"includedInPrice": False})["includedInPrice"] for row in payload["lineItems"]
        ):
            assert gross == price
        for row in payload["lineItems"]:
            assert_row(row, payload["taxCalculationMode"])
        checked += 1
    assert checked > ORDERS * 0.95


def assert_row(row: dict, mode: str) -> None:
    unit = row["price"]["value"]
    if row["discountedPricePerQuantity"]:
        unit = row["discountedPricePerQuantity"][0]["discountedPrice"]["value"]
    amount = Fraction(unit["centAmount"])
    if unit["type"] == "highPrecision":
        amount = Fraction(unit["preciseAmount"], 10 ** (unit["fractionDigits"] - 2))
        assert round(amount) == unit["centAmount"]
    assert row["totalPrice"]["centAmount"] == round(amount * row["quantity"])
    total, net = row["totalPrice"]["centAmount"], row["taxedPrice"]["totalNet"]["centAmount"]
    gross, rate = row["taxedPrice"]["totalGross"]["centAmount"], row.get("taxRate")
    if rate is None:
        assert net == gross == total
    elif not rate["includedInPrice"]:
        assert (net, gross) == (total, total + round(total * rate["amount"]))
    elif mode == "LineItemLevel":
        assert gross == total
        assert gross - net == round(total * rate["amount"] / (1 + rate["amount"]))


def test_order_numbers_are_gapless_apart_from_the_planted_ones(world: World, key: dict) -> None:
    numbers = []
    for position in range(ORDERS):
        text = world.order_list.text(position)
        numbers.append(json.loads(text).get("orderNumber"))
    expected = [f"W{100_001 + index}" for index in range(ORDERS)]
    differing = {expected[k] for k in range(ORDERS) if numbers[k] != expected[k]}
    missing = {f["order_ref"] for f in key["faults"] if f["kind"] == "order_number_missing"}
    assert {world.order_list.ids[k] for k in range(ORDERS) if numbers[k] is None} == missing
    assert len(differing) == len(missing) + key["counts"]["duplicate_order_number"] // 2


def test_the_natural_world_has_every_situation_that_is_no_fault(world: World, key: dict) -> None:
    scenarios = key["scenarios"]
    for name in ("on_account", "two_shipments", "two_shipments_one_charge", "deposit", "gift_card_paid", "gift_card_part",
                 "return_line", "return_all", "allowance", "cancelled", "authorised", "failed", "backorder", "test",
                 "zero_total", "gift_card_sold", "captured_at_shipping"):  # fmt: skip
        assert scenarios[name] >= 10, name
    text = "".join(world.order_list.text(k) for k in range(ORDERS))
    for mark in ('"highPrecision"', '"GiftLineItem"', '"slug":"gift-wrapping"', '"shippingMode":"Multiple"',
                 '"discountOnTotalPrice"', '"centAmount":-0,', '"isTest":true', '"UnitPriceLevel"', '"KWD"', '"JPY"',
                 '"taxMode":"Disabled"'):  # fmt: skip
        assert mark in text, mark
    customers = [exact(world.customer_list.text(k)) for k in range(len(world.customer_list))]
    assert any(len(one["customerNumber"]) >= 36 for one in customers)
    assert any(one.get("firstName", "").startswith("=cmd|") for one in customers)
    assert any("firstName" not in one for one in customers)
    assert any(order.customer is None and not order.named for order in world.orders(0, 400))


def test_change_stamps_collide_as_they_do_in_life(world: World) -> None:
    shared = Counter(world.order_list.modified)
    assert max(shared.values()) >= 5
    ordered = [(world.order_list.modified[p], world.order_list.ids[p]) for p in world.order_list.by_modified]
    assert ordered == sorted(ordered)


# ---- the ledger ----------------------------------------------------------------------------------------------------


def september(world: World) -> Iterator[tuple[Order, list[Document], list[Document], list[Receipt], bool]]:
    for order, posted, found in world.september():
        yield order, posted.invoices, posted.credits, posted.receipts, bool(found)


def test_without_faults_september_ties_to_the_cent(world: World) -> None:
    whole = 0
    for order, invoices, credits, receipts, faulty in september(world):
        if faulty or not is_business(order):
            assert faulty or not (invoices or credits or receipts)
            continue
        scale = {0: 100, 2: 1, 3: Fraction(1, 10)}[order.store.digits]
        shipped = [at for at in order.line.ships if local_date(order.store.zone, at) < date(2026, 10, 1)]
        assert len(invoices) == len(shipped)
        if len(shipped) == len(order.shipments):
            assert abs(sum(one.total for one in invoices) - order.gross * scale) <= (
                Fraction(1, 2) if scale != 1 else 0
            )
            whole += 1
        for one in (*invoices, *credits):
            assert one.order_number == order.number
            assert sum(amount for _, amount, _ in one.lines) == one.total
            assert all(amount != 0 for _, amount, _ in one.lines)
        if invoices:
            charged = sum(
                t.minor for _, t in order.charges() if local_date(order.store.zone, t.at) < date(2026, 10, 1)
            )
            assert abs(sum(one.total for one in receipts) - charged * scale) < 1
        due = Counter({one.number: one.total for one in invoices})
        for receipt in receipts:
            assert receipt.on_account == 0
            for number, amount in receipt.applied:
                due[number] -= amount
        assert all(amount >= 0 for amount in due.values())
    assert whole > 800


def test_every_kind_is_planted_the_agreed_number_of_times(key: dict) -> None:
    counts = key["counts"]
    assert set(counts) == set(faults.KINDS)
    assert len(counts) >= 24
    for kind in (*faults.LEDGER_KINDS, *faults.PAYLOAD_KINDS, *faults.ORPHAN_KINDS):
        assert counts[kind.name] == 4 * kind.orders_each, kind.name


def test_one_fault_per_order_but_for_lost_decimals(key: dict) -> None:
    orders = [f["order_ref"] for f in key["faults"] if f["order_ref"] and f["kind"] != "ledger_precision"]
    assert len(orders) == len(set(orders))


def test_deltas_of_the_key_are_what_the_documents_say(world: World, key: dict) -> None:
    """Re-derived from the documents alone: storefront minus ledger, by order, for invoices and for money."""
    by_order = {f["order_ref"]: f for f in key["faults"] if f["side"] != "payload"}
    seen = Counter()
    for order, invoices, credits, receipts, faulty in september(world):
        if not faulty:
            continue
        fault = by_order[order.id]
        kind = fault["kind"]
        seen[kind] += 1
        invoiced = sum(one.total for one in (*invoices, *credits))
        recognised = (order.gross if order.line.ships else 0) - order.refund
        moved = sum(
            t.minor
            for p in order.payments
            for t in p.transactions
            if t.type == "Charge" and t.state == "Success"
        )
        moved -= sum(t.minor for p in order.payments for t in p.transactions if t.type == "Chargeback")
        received = sum(one.total for one in receipts)
        if kind in ("receipt_missing", "short_paid", "over_paid", "duplicate_receipt", "chargeback"):
            assert recognised == invoiced
            assert fault["delta_minor"] == moved - received != 0, kind
        elif kind == "currency":
            assert [one.currency for one in invoices] == ["USD"]
            assert fault["delta_minor"] is None
        else:
            assert fault["delta_minor"] == recognised - invoiced, kind
            if kind != "misapplied":
                assert moved == received, kind
        room = {one.number: one.total for one in invoices}
        for receipt in receipts:
            for number, amount in receipt.applied:
                if kind != "misapplied":
                    room[number] -= amount
        assert all(amount >= 0 for amount in room.values()), kind
    assert seen == Counter({kind.name: 4 * kind.orders_each for kind in faults.LEDGER_KINDS})


def test_faults_show_where_they_should(world: World, key: dict) -> None:
    about = {f["order_ref"]: f for f in key["faults"]}
    for order, invoices, _, receipts, faulty in september(world):
        if not faulty:
            continue
        kind = about[order.id]["kind"]
        if kind == "entity":
            assert {one.entity for one in invoices} != {order.store.entity}
        elif kind == "rounding":
            assert abs(about[order.id]["delta_minor"]) == 1
        elif kind == "duplicate_invoice":
            assert [one.number for one in invoices] == [
                f"{order.store.prefix}{order.number}",
                f"{order.store.prefix}{order.number}-2",
            ]
        elif kind == "cut_off":
            assert local_date(order.store.zone, order.line.ships[0]) == date(2026, 9, 30)
            assert invoices[0].on == date(2026, 10, 1)
        elif kind == "unapplied":
            assert [(one.applied, one.on_account) for one in receipts] == [([], order.gross)]
        elif kind == "misapplied" and receipts:
            assert receipts[0].applied[0][0] != invoices[0].number


def test_orphans_belong_to_nothing(world: World, key: dict) -> None:
    numbers = {order.number for order in world.orders()}
    references = {t.reference for order in world.orders() for p in order.payments for t in p.transactions}
    referenced = {p.id for order in world.orders() for p in order.payments}
    documents = [one for one, _ in world.orphan_documents()]
    assert all(one.order_number not in numbers for one in documents if isinstance(one, Document))
    assert all(one.reference not in references for one in documents if isinstance(one, Receipt))
    listed = {world.payment_list.ids[p] for p in world.payment_list.by_id}
    assert len(listed - referenced) == key["counts"]["payment_without_order"]


@pytest.mark.parametrize("kind", [kind.name for kind in faults.PAYLOAD_KINDS])
def test_damaged_payloads_are_damaged_as_described(world: World, key: dict, kind: str) -> None:
    for fault in (f for f in key["faults"] if f["kind"] == kind):
        position = world.order_list.find(fault["order_ref"])
        assert position is not None
        text = world.order_list.text(position)
        payload = exact(text)
        shows = {
            "tax_unknown": '"taxedPrice":' not in text,
            "order_number_missing": "orderNumber" not in payload,
            "amount_not_exact": '.949999999999999,"fractionDigits"' in text,
            "currency_unknown": '"XXQ"' in text and '"USD"' not in text and '"EUR"' not in text,
            "parts_exceed_rounding_limit": kind == "parts_exceed_rounding_limit" and excess(payload) >= 50,
            "store_unmapped": payload["store"]["key"] == "pop-up",
            "sku_unmapped": '"sku":"NEW-' in text,
            "tender_unmapped": kind == "tender_unmapped" and method_of(world, payload) == "CryptoPay",
            "tax_code_unmapped": '"name":"Special Levy"' in text,
            "payload_unreadable": payload["lineItems"] == "see attachment",
            "duplicate_order_number": kind == "duplicate_order_number" and number_shared(world, fault, key),
        }
        assert shows[kind]
        assert fault["expected_family"] == "held"


def number_shared(world: World, fault: dict, key: dict) -> bool:
    pair = [
        f for f in key["faults"] if f["kind"] == fault["kind"] and f["order_number"] == fault["order_number"]
    ]
    positions = [world.order_list.find(f["order_ref"]) for f in pair]
    shown = {exact(world.order_list.text(p))["orderNumber"] for p in positions if p is not None}
    return len(pair) == 2 and shown == {fault["order_number"]}


def excess(payload: dict) -> int:
    parts = [*payload["lineItems"], *payload["customLineItems"]]
    infos = (
        [payload["shippingInfo"]]
        if "shippingInfo" in payload
        else [e["shippingInfo"] for e in payload["shipping"]]
    )
    net = sum(part["taxedPrice"]["totalNet"]["centAmount"] for part in [*parts, *infos])
    net -= payload.get("discountOnTotalPrice", {}).get("discountedNetAmount", {}).get("centAmount", 0)
    return payload["taxedPrice"]["totalNet"]["centAmount"] - net


def method_of(world: World, payload: dict) -> str:
    position = world.payment_list.find(payload["paymentInfo"]["payments"][0]["id"])
    assert position is not None
    return world.payment_list.payload(position)["paymentMethodInfo"]["method"]


# ---- size and arithmetic -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orders", [1, 2, 17, 300, 900])
def test_small_worlds_carry_as_many_faults_as_fit(orders: int) -> None:
    world = World.build(3, orders)
    key = world.answer_key()
    assert len(world.order_list) == orders
    assert all(count <= 8 for kind, count in key["counts"].items() if kind != "ledger_precision")
    if orders >= 900:
        assert set(key["counts"]) == set(faults.KINDS)


def test_faults_grow_with_the_world() -> None:
    planted, each = faults.plan(7, 20_000)
    assert each == 30
    counts = Counter(one.kind.name for one in planted.values())
    assert counts["missing_invoice"] == 30
    assert counts["misapplied"] == 60


def test_a_larger_world_starts_without_rendering_anything() -> None:
    world = World.build(7, 20_000)
    assert len(world.order_list) == 20_000
    assert world.order.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "even", "up"),
    [
        (5, 2, 2, 3),
        (7, 2, 4, 4),
        (-5, 2, -2, -3),
        (-7, 2, -4, -4),
        (1, 3, 0, 0),
        (2, 3, 1, 1),
        (-1, 3, 0, 0),
        (0, 9, 0, 0),
    ],
)
def test_rounding_by_name(numerator: int, denominator: int, even: int, up: int) -> None:
    assert half_even(numerator, denominator) == even
    assert half_up(numerator, denominator) == up


@pytest.mark.parametrize(
    ("amount", "weights"), [(100, [1, 1, 1]), (7, [0, 5, 5]), (0, [3]), (5, [0, 0]), (1, [1, 1])]
)
def test_splits_add_up(amount: int, weights: list[int]) -> None:
    assert sum(split_by_weight(amount, weights)) == (amount if sum(weights) else 0)


@pytest.mark.parametrize(
    ("zone", "ms", "expected"),
    [
        ("America/New_York", utc_ms(2026, 10, 1, 3, 59), date(2026, 9, 30)),
        ("America/New_York", utc_ms(2026, 10, 1, 4), date(2026, 10, 1)),
        ("America/New_York", utc_ms(2026, 11, 2, 4, 59), date(2026, 11, 1)),
        ("Europe/Berlin", utc_ms(2026, 9, 30, 22), date(2026, 10, 1)),
        ("Europe/Berlin", utc_ms(2026, 10, 31, 22, 59), date(2026, 10, 31)),
        ("Europe/Berlin", utc_ms(2026, 10, 31, 23), date(2026, 11, 1)),
    ],
)
def test_local_dates_agree_with_the_calendar(zone: str, ms: int, expected: date) -> None:
    assert local_date(zone, ms) == expected
    assert parse_iso(iso(ms)) == ms
