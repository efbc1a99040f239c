"""Plain orders are read by a reader of their own: whatever is in a payload, its rows are those of the wider reader."""

from __future__ import annotations

import functools
import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tieout.sandbox.world.world import World
from transforms.staged import Staged
from transforms.storefronts import commercetools, commercetools_orders
from transforms.storefronts.commercetools_plain import currency_of, decoder_of
from transforms.storefronts.commercetools_rows import open_orders
from transforms.storefronts.commercetools_settings import CommercetoolsSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "commercetools"
PAYLOADS = [path.read_text() for path in sorted(GOLDEN.glob("*.input.json"))]
TREES = [json.loads(one) for one in PAYLOADS if one.lstrip()[:1] == "{" and '"lineItems"' in one]
USUAL = CommercetoolsSettings()
NOW = datetime(2026, 11, 2, tzinfo=UTC)
ODD: list[Any] = [
    None, "", " ", "x", "USD", "JPY", "gift-card", "GIFT-1", 0, -1, 7, 10**17, 2**63, 1.5, 0.0, True, False, [], {}, [{}], [None], ["x"],
    {"key": "k"}, {"en": "a", "de": "b"}, {"de": "b", "at": "a"}, {"en": "", "de": "b"}, {"id": ""}, {"centAmount": 5, "currencyCode": "EUR"},
    {"centAmount": 5, "currencyCode": "EUR", "fractionDigits": 2}, {"centAmount": 5, "currencyCode": "EUR", "fractionDigits": 3},
    {"centAmount": 5, "preciseAmount": 50001, "currencyCode": "EUR", "fractionDigits": 6},
]  # fmt: skip
"""What may stand in place of any member of a payload."""


def landed(payloads: list[str | None], problems: list[str | None] | None = None) -> pl.DataFrame:
    size, at = len(payloads), pl.Datetime("us", "UTC")
    return pl.DataFrame(
        [
            pl.Series("native_ref", [f"n{number}" for number in range(size)], dtype=pl.String),
            pl.Series("version_no", [1] * size, dtype=pl.Int64),
            pl.Series("updated_at", [NOW] * size, dtype=at),
            pl.Series("payload", payloads, dtype=pl.String),
            pl.Series("payload_sha256", ["0" * 64] * size, dtype=pl.String),
            pl.Series("problem", problems or [None] * size, dtype=pl.String),
            pl.Series("fetched_at", [NOW] * size, dtype=at),
        ]
    )


def both(raw: pl.DataFrame, policy: CommercetoolsSettings) -> tuple[Staged, Staged]:
    """Staged as it is, and with the wider reader for every order."""
    found = commercetools.orders(raw, storefront="shop", run_id="r", settings=policy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commercetools_orders, "open_orders", functools.partial(open_orders, try_plain=False))
        return found, commercetools.orders(raw, storefront="shop", run_id="r", settings=policy)


def same(raw: pl.DataFrame, policy: CommercetoolsSettings = USUAL) -> None:
    found, wanted = both(raw, policy)
    assert set(found.frames) == set(wanted.frames)
    for name, frame in wanted.frames.items():
        assert_frame_equal(found[name], frame)
    assert_frame_equal(found.problems, wanted.problems)


def is_plain(payload: str) -> bool:
    decode = decoder_of(currency_of(payload.encode()))
    try:
        return decode is not None and decode(payload.encode()) is not None
    except ValueError:
        return False


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every member and element of a payload, as its holder and its key."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, value in inner:
        found += [(tree, key), *places(value)]
    return found


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An order with up to three members taken out, doubled, or replaced by something that may not belong there."""
    tree = deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(0, 3))):
        spots = places(tree)
        holder, key = spots[draw(st.integers(0, len(spots) - 1))]
        match draw(st.integers(0, 4)):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case 2 if isinstance(holder[key], int) and not isinstance(holder[key], bool):
                holder[key] += draw(st.integers(-200, 200))
            case _:
                holder[key] = deepcopy(draw(st.sampled_from(ODD)))
    return json.dumps(tree, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))


@settings(max_examples=40, deadline=None)
@given(payloads=st.lists(mutated(), min_size=1, max_size=12))
def test_both_readers_give_the_same_rows(payloads: list[str]) -> None:
    same(landed([*payloads]))


@settings(max_examples=15, deadline=None)
@given(
    payloads=st.lists(mutated(), min_size=1, max_size=8),
    policy=st.builds(
        CommercetoolsSettings,
        tender_slugs=st.sampled_from([(), ("gift-card",)]),
        gift_card_prefixes=st.sampled_from([(), ("SHIRT", "GIFT-"), ("",)]),
        category_attribute=st.sampled_from(["", "category", "colour"]),
        test_field=st.sampled_from(["isTest", "other"]),
        untaxed=st.sampled_from(["hold", "accept"]),
    ),
)
def test_both_readers_keep_to_the_settings(payloads: list[str], policy: CommercetoolsSettings) -> None:
    same(landed([*payloads]), policy)


def test_golden_payloads_and_what_is_no_payload() -> None:
    payloads = [
        *PAYLOADS,
        None,
        "",
        "[]",
        "null",
        "{}",
        "see attachment",
        '{"id":"ü\\ud800"}',
        PAYLOADS[0][:-2],
    ]
    same(landed(payloads))
    same(landed(payloads, ["landed without an id" if at % 2 else None for at in range(len(payloads))]))


def test_a_world_is_read_alike_and_nearly_all_of_it_is_plain() -> None:
    world = World.build(3, 250, ("commercetools",))
    payloads = [world.order_list.text(at) for at in range(len(world.order_list))]
    same(landed([*payloads]))
    assert sum(map(is_plain, payloads)) > 0.9 * len(payloads)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("another currency on one amount", lambda tree: tree["lineItems"][0]["totalPrice"].update(currencyCode="USD")),
        ("a point in an amount", lambda tree: tree["totalPrice"].update(centAmount=1.5)),
        ("digits that are not the currency's", lambda tree: tree["totalPrice"].update(fractionDigits=5)),
        ("a row without its price", lambda tree: tree["lineItems"][0].pop("totalPrice")),
        ("a currency that is none", lambda tree: tree["totalPrice"].update(currencyCode="XXQ")),
        ("an address per row", lambda tree: tree.update(shipping=[{"shippingKey": "a"}])),
    ],
)  # fmt: skip
def test_what_is_not_plain(why: str, change: Any) -> None:
    tree = next(deepcopy(one) for one in TREES if is_plain(json.dumps(one)))
    change(tree)
    assert not is_plain(json.dumps(tree)), why
    same(landed([json.dumps(tree)]))
