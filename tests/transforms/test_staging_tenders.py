"""Tenders an order carries itself, from the payloads of each storefront that has them: they sum to the order's `tender_minor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from drawn import shown
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed, sound

from checks.contracts import ALL
from tieout.connectors.storefronts import clarity_profile
from transforms.staged import Staged
from transforms.storefronts import clarity, commercetools, files, magento
from transforms.storefronts.commercetools_settings import CommercetoolsSettings

GOLDEN = Path(__file__).parents[1] / "golden"
TOLD: dict[str, Any] = {"storefront": "shop", "run_id": "r"}
MEMBERS = ("gift_cards_amount", "customer_balance_amount", "reward_currency_amount")


def payload(kind: str, case: str) -> dict[str, Any]:
    text = (GOLDEN / kind / f"{case}.input.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def tenders(found: Staged) -> list[tuple[object, ...]]:
    rows = ALL["core.order_tenders"].checked(found["core.order_tenders"], at="in a test")
    sums = rows.group_by("order_ref").agg(pl.col("amount_minor").sum())
    both = found["core.orders"].join(sums, on="order_ref", how="left")
    assert both["amount_minor"].fill_null(0).to_list() == both["tender_minor"].to_list()
    return shown(rows, "tender_ref", "kind_code", "tender_code", "currency", "amount_minor")


def of_magento(extension: dict[str, Any]) -> list[tuple[object, ...]]:
    order = payload("magento", "gift_card_store_credit_and_points_are_tender")
    return tenders(magento.orders(landed(json.dumps({**order, "extension_attributes": extension})), **TOLD))


def test_magento_states_each_kind_as_a_figure_and_lists_its_cards() -> None:
    """A card's code is money to whoever has it: its id stands for it (Magento REST reference 2.4.8, `gift_cards`)."""
    order = payload("magento", "gift_card_store_credit_and_points_are_tender")
    found = magento.orders(landed(json.dumps(order)), **TOLD)
    assert tenders(found) == [
        ("1", "gift_card", "GiftCard", "USD", 2000),
        ("reward_points", "reward_points", "RewardPoints", "USD", 250),
        ("store_credit", "store_credit", "StoreCredit", "USD", 750),
    ]
    two = [{"id": 9, "code": "AAA", "amount": 12.5}, {"id": 4, "code": "BBB", "amount": "7.5"}]
    assert of_magento({"gift_cards": two, "gift_cards_amount": 20}) == [
        ("4", "gift_card", "GiftCard", "USD", 750),
        ("9", "gift_card", "GiftCard", "USD", 1250),
    ]


@pytest.mark.parametrize(
    "cards",
    [
        None, [], [{"id": 1, "amount": 19.99}], [{"id": 1, "amount": 20}, {"id": 2}], [{"id": 1, "amount": 20}, {"id": 2, "amount": "?"}],
        [{"code": "AAA"}],
    ],
)  # fmt: skip
def test_cards_that_do_not_sum_to_the_figure_are_not_told_apart(cards: Any) -> None:
    assert of_magento({"gift_cards": cards, "gift_cards_amount": 20}) == [
        ("gift_card", "gift_card", "GiftCard", "USD", 2000)
    ]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-5, 5_000), min_size=3, max_size=3),
            st.lists(st.integers(0, 3_000), max_size=3),
            st.sampled_from(["USD", "JPY"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_magento_states_tenders_sum_to_the_order(drawn: list[Any]) -> None:
    order = payload("magento", "gift_card_store_credit_and_points_are_tender")
    texts = []
    for nth, (figures, cards, currency) in enumerate(drawn):
        unit = 1 if currency == "JPY" else 100
        extension: dict[str, Any] = {name: minor / unit for name, minor in zip(MEMBERS, figures, strict=True)}
        extension["gift_cards"] = [{"id": k % 2, "amount": minor / unit} for k, minor in enumerate(cards)]
        own = {"entity_id": nth, "order_currency_code": currency, "extension_attributes": extension}
        texts.append(json.dumps({**order, **own}))
    tenders(sound_but_for_sums(magento.orders(landed(*texts), **TOLD)))


def sound_but_for_sums(found: Staged) -> Staged:
    for name, frame in found.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    return found


@pytest.mark.parametrize(
    ("slug", "kind", "word"),
    [("gift-card", "gift_card", "GiftCard"), ("store-credit", "store_credit", "StoreCredit"), ("bonus", "other", "bonus")],
)  # fmt: skip
def test_negative_rows_of_commercetools_are_tender_by_the_word_the_settings_know(
    slug: str, kind: str, word: str
) -> None:
    order = payload("commercetools", "gift_card_as_negative_row_is_tender")
    [row] = [one for one in order["customLineItems"] if one["totalPrice"]["centAmount"] < 0]
    row["slug"], row["name"] = slug, {"en": "Something"}
    rules = CommercetoolsSettings(tender_slugs=("gift-card", "store-credit", "Bonus"))
    found = sound(commercetools.orders(landed(json.dumps(order)), settings=rules, **TOLD))
    assert tenders(found) == [(row["id"], kind, word, "EUR", 1000)]
    assert found["core.order_lines"]["line_ref"].to_list().count(row["id"]) == 0


def test_clarity_states_store_credit_and_where_a_profile_names_it_gift_cards() -> None:
    order = payload("clarity", "store_credit_is_tender")
    profile = clarity_profile.load("seed")
    usual = clarity.ClaritySettings(profile.fields, profile.words.status)
    assert tenders(sound(clarity.orders(landed(json.dumps(order)), settings=usual, **TOLD))) == [
        ("store_credit", "store_credit", "StoreCredit", "USD", 2000)
    ]
    fields = {**profile.fields, "orders": {**profile.fields["orders"], "gift_card": "giftCardAmount"}}
    both = clarity.ClaritySettings(fields, profile.words.status)
    order["giftCardAmount"] = "-10.00"
    assert tenders(sound(clarity.orders(landed(json.dumps(order)), settings=both, **TOLD))) == [
        ("gift_card", "gift_card", "GiftCard", "USD", 1000),
        ("store_credit", "store_credit", "StoreCredit", "USD", 2000),
    ]


def test_an_orders_file_may_hold_both() -> None:
    frame = pl.DataFrame(
        {
            "order_number": ["W1", "W2"], "placed_at": ["2026-09-01"] * 2, "currency": ["USD"] * 2, "total": ["100.00", "50.00"],
            "gift_card": ["-30.00", None], "store_credit": ["12.5", "0"],
        }
    )  # fmt: skip
    found = sound_but_for_sums(files.orders(frame, **TOLD))
    assert tenders(found) == [
        ("gift_card", "gift_card", "GiftCard", "USD", 3000),
        ("store_credit", "store_credit", "StoreCredit", "USD", 1250),
    ]
