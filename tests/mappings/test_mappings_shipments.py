"""Status words of shipments and payments: only what has left dates a sale, and a word nobody knows is told with its row."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from drawn import drawn
from shelf import NOW
from staged_orders import landed

import checks.rules  # noqa: F401
from checks.contracts import ALL
from checks.findings import Limits, run
from tieout.connectors.storefronts import clarity_profile
from tieout.vocabulary import SHIPMENT_STATES
from transforms.mapping.coverage import used_codes
from transforms.storefronts import clarity, xcart
from transforms.storefronts.xcart_settings import SHIPMENTS

GOLDEN = Path(__file__).parents[1] / "golden"
SEED = clarity_profile.load("seed")
POLICY = clarity.ClaritySettings(
    SEED.fields, SEED.words.status, shipment_states=SEED.words.shipment_states, store="main"
)


def shipped(*statuses: str | None) -> dict[str, pl.DataFrame]:
    """A Clarity order whose shipments have these statuses, the later ones on later days."""
    order = json.loads((GOLDEN / "clarity" / "two_shipments_one_without_lines.input.json").read_text())
    order["shipments"] = [
        {"shipmentId": f"s{nth}", "shippedAt": f"2024-08-0{nth}T10:00:00Z", "items": [{"lineId": "1", "quantity": 1}]}
        | ({} if status is None else {"status": status})
        for nth, status in enumerate(statuses, 1)
    ]  # fmt: skip
    return dict(
        clarity.orders(landed(json.dumps(order)), storefront="shop", run_id="r", settings=POLICY).frames
    )


def test_only_what_has_left_ships_and_dates_an_order() -> None:
    found = shipped("packed", "Delivered", None, "cancelled")
    assert found["core.shipments"]["shipment_ref"].to_list() == ["s2", "s3"]
    assert found["core.orders"]["shipped_at"].item().day == 2
    assert found["core.orders"]["problem"].item() is None
    waiting = shipped("packed")
    assert waiting["core.shipments"].is_empty()
    assert waiting["core.orders"]["shipped_at"].item() is None


def finding(orders: pl.DataFrame) -> str:
    tables = {"core.orders": ALL["core.orders"].shaped(orders)}
    found = run(tables, run_id="r", limits=Limits(now=NOW), codes=["status_unmapped"])
    assert found["severity"].to_list() == ["hold"]
    return str(found["sentence"].item())


def test_a_shipment_word_without_a_row_holds_its_order_and_prints_the_row() -> None:
    said = finding(shipped("auf dem Hof", "shipped")["core.orders"])
    row = "shop,shipment,auf dem Hof,map,<expected, shipped or cancelled>,"
    assert said.endswith(f"add to statuses.csv: {row}")


def test_a_shipping_letter_of_the_shop_s_own_needs_a_meaning_as_a_shipment() -> None:
    order = json.loads((GOLDEN / "xcart" / "own_status_of_the_shop.input.json").read_text())
    pairs = {"*/PICK": "processing"}

    def staged(shipments: dict[str, str]) -> dict[str, pl.DataFrame]:
        policy = xcart.XCartSettings(statuses=pairs, shipments={**SHIPMENTS, **shipments})
        raw = landed(json.dumps(order))
        return dict(xcart.orders(raw, storefront="shop", run_id="r", settings=policy).frames)

    assert finding(staged({})["core.orders"]).endswith(
        "shop,shipment,PICK,map,<expected, shipped or cancelled>,"
    )
    at_home, gone = staged({"PICK": "expected"}), staged({"PICK": "shipped"})
    assert [one["core.orders"]["problem"].item() for one in (at_home, gone)] == [None, None]
    assert [one["core.shipments"].is_empty() for one in (at_home, gone)] == [True, False]
    assert set(SHIPMENTS.values()) <= set(SHIPMENT_STATES)


def test_words_of_shipments_and_payments_are_told_with_the_money_that_waits() -> None:
    orders = drawn(
        ALL["core.orders"],
        """
        order_ref | order_number | total_minor | problem
        a         | W1           | 100         | status_unknown: the shipment status 'Hof' has no meaning here
        b         | W2           | 200         | -
        c         | W3           | 400         | status_unknown: the status 'neu' has no meaning here
        """,
        storefront="shop",
        currency="USD",
    )
    payments = drawn(
        ALL["core.payments"],
        """
        payment_ref | transaction_ref | order_ref | kind_code     | state_code | problem
        p           | t               | b         | authorization | pending    | status_unknown: the payment status 'maybe' has no meaning here
        q           | t               | -         | authorization | pending    | status_unknown: the payment status 'later' has no meaning here
        """,
        storefront="shop",
        currency="USD",
    )
    named = drawn(ALL["core.order_payments"], "order_ref | payment_ref\nc | q", storefront="shop")
    tables = {
        name: ALL[name].empty()
        for name in (
            "core.order_lines",
            "core.order_tenders",
            "core.returns",
            "core.stock",
            "core.shipments",
            "core.products",
        )
    }
    tables |= {"core.orders": orders, "core.payments": payments, "core.order_payments": named}
    found = used_codes(tables, ALL["mappings.stores"].empty(), ALL["mappings.items"].empty())["statuses"]
    assert sorted(found.select("subject", "status", "total_minor").rows()) == [
        ("order", "neu", 400),
        ("payment", "maybe", 200),
        ("shipment", "Hof", 100),
    ]
