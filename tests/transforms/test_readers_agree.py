"""Orders are read fast: a payload in one call, many of them at a time. Whatever is in a payload, that gives the rows that reading it
member by member gives, and no order's rows depend on the orders beside it, so that landings may be cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from staged_orders import landed

from tieout.connectors.storefronts import clarity_profile
from transforms import json_decoding
from transforms.json_decoding import Decoded
from transforms.staged import Staged, together
from transforms.storefronts import (
    clarity,
    clarity_reading,
    commercetools,
    magento,
    magento_payloads,
    magento_reading,
    xcart,
    xcart_addon,
)
from transforms.storefronts.xcart_payloads import Order

GOLDEN = Path(__file__).parents[1] / "golden"
PROFILE = clarity_profile.load("seed")
POLICY = clarity.ClaritySettings(
    PROFILE.fields, PROFILE.words.status, shipment_states=PROFILE.words.shipment_states
)
TOLD = {"storefront": "shop", "run_id": "r"}
STAGE: dict[str, Callable[..., Staged]] = {
    "commercetools": partial(commercetools.orders, **TOLD),
    "magento": partial(magento.orders, **TOLD),
    "xcart": partial(xcart.orders, **TOLD),
    "xcart_addon": partial(xcart_addon.orders, settings=xcart_addon.XCartSettings(store="us"), **TOLD),
    "clarity": partial(clarity.orders, settings=POLICY, **TOLD),
}
ROWS = {
    "commercetools": "lineItems",
    "magento": "items",
    "xcart": "items",
    "xcart_addon": "items",
    "clarity": "lineItems",
}
IDS = {
    "commercetools": "id",
    "magento": "entity_id",
    "xcart": "id",
    "xcart_addon": "orderId",
    "clarity": "orderId",
}
ODD: list[Any] = [
    None, "", " ", "x", "USD", "JPY", "KWD", 0, -1, 7, 10**17, 2**63, 1.5, -0.0, 29.95, "29.95", "1e2", "-0.005", "12,50", True, False, [], {}, [{}],
    [None], ["x"], {"id": 1}, {"code": "P"}, "2026-09-01", "2026-09-01 10:00:00", 1756717200, "\u2003", "GIFT-1",
]  # fmt: skip
"""What may stand in place of any member of a payload."""


def trees(kind: str) -> list[Any]:
    found = []
    for path in sorted((GOLDEN / kind).glob("*.input.json")):
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # some are no JSON on purpose
        found += [tree] if isinstance(tree, dict) and ROWS[kind] in tree else []
    return found


TREES = {kind: trees(kind) for kind in STAGE}


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every member and element of a payload, as its holder and its key."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, value in inner:
        found += [(tree, key), *places(value)]
    return found


@st.composite
def mutated(draw: st.DrawFn, kind: str) -> list[str]:
    """Orders with up to three members each taken out, doubled, or replaced by something that may not belong there; no two have one id, and
    now and then one is no JSON."""
    texts = []
    for number in range(draw(st.integers(1, 6))):
        tree = deepcopy(draw(st.sampled_from(TREES[kind])))
        for _ in range(draw(st.integers(0, 3))):
            spots = places(tree)
            holder, key = spots[draw(st.integers(0, len(spots) - 1))]
            match draw(st.integers(0, 3)):
                case 0 if isinstance(holder, dict):
                    del holder[key]
                case 1 if isinstance(holder, list):
                    holder.insert(key, deepcopy(holder[key]))
                case _:
                    holder[key] = deepcopy(draw(st.sampled_from(ODD)))
        tree[IDS[kind]] = f"{number}" if isinstance(tree.get(IDS[kind]), str) else number
        spelled = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
        text = json.dumps(tree, ensure_ascii=draw(st.booleans()), separators=spelled)
        texts.append(text[:-1] if draw(st.integers(0, 40)) == 17 else text)
    return texts


def same(found: Staged, wanted: Staged) -> None:
    assert set(found.frames) == set(wanted.frames)
    for name, frame in wanted.frames.items():
        assert_frame_equal(found[name], frame, check_row_order=False)
    assert_frame_equal(found.problems.drop("row_no"), wanted.problems.drop("row_no"), check_row_order=False)


def test_there_is_something_to_draw_from() -> None:
    assert all(len(found) >= 4 for found in TREES.values()), {
        kind: len(found) for kind, found in TREES.items()
    }


@pytest.mark.parametrize("kind", STAGE)
def test_a_landing_may_be_cut_anywhere(kind: str) -> None:
    @settings(max_examples=8, deadline=None)
    @given(payloads=mutated(kind), data=st.data())
    def check(payloads: list[str], data: st.DataObject) -> None:
        raw = landed(*payloads)
        at = data.draw(st.integers(0, raw.height))
        stage = STAGE[kind]
        same(together([stage(raw.head(at)), stage(raw.slice(at))]), stage(raw))

    check()


# --- member by member -----------------------------------------------------------------------------------------------
def carefully(
    payloads: Sequence[str | None], problems: Sequence[str | None], shape: type[Any], **_: Any
) -> Decoded[Any]:
    """`json_decoding.decode` with no payload read in one call."""
    found: Decoded[Any] = Decoded([], {})
    for at, (payload, known) in enumerate(zip(payloads, problems, strict=True)):
        whole, said = json_decoding._mended(
            payload if isinstance(payload, bytes) else (payload or "").encode("utf-8", "replace"), shape, ""
        )
        found.objects.append(whole)
        for sentence in said[:5]:
            found.blame(at, "payload_unreadable", sentence)
        assert known is None
    return found


def each_carefully(
    payloads: pl.Series, _problems: pl.Series, shape: type[Any], troubles: dict[int, str]
) -> Iterator[tuple[int, Any]]:
    """`magento_payloads.decoded_each` with every payload read member by member."""
    for at, payload in enumerate(payloads.cast(pl.Binary).to_list()):
        fault = ""
        try:
            msgspec.json.decode(payload, type=shape)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as found:
            fault = str(found)
        one, said = magento_payloads._piecemeal(payload, shape, fault)
        if fault:
            troubles[at] = f"payload_unreadable: {said}"
        yield at, one


def by_members(kind: str, raw: pl.DataFrame) -> Staged:
    """Staged with the careful reader of a kind."""
    with pytest.MonkeyPatch.context() as patch:
        if kind == "magento":
            patch.setattr(magento_reading, "decoded_each", each_carefully)
        elif kind == "clarity":
            patch.setattr(clarity_reading, "decode", carefully)
        else:
            return STAGE[kind](raw, read=partial(carefully, shape=Order))
        return STAGE[kind](raw)


@pytest.mark.parametrize("kind", ["magento", "xcart", "clarity"])
def test_reading_in_one_call_gives_the_rows_of_reading_member_by_member(kind: str) -> None:
    @settings(max_examples=15, deadline=None)
    @given(payloads=mutated(kind))
    def check(payloads: list[str]) -> None:
        raw = landed(*payloads)
        same(STAGE[kind](raw), by_members(kind, raw))

    check()
