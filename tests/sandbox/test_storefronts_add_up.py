"""What each stand-in tells of a discounted order adds up within the limit of rounding: a unit a row, five in all.

A discount that falls on rows of two tax rates, or on wrapping as well, lowers each rate's tax by another amount; a stand-in that leaves a
part of it out would plant a fault that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from staged_orders import landed

from tieout.connectors.storefronts import clarity_profile
from tieout.connectors.storefronts.magento_pages import SUBJECTS, peek, to_records
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.storefronts.magento_shop import Shop
from tieout.sandbox.storefronts.registry import STAND_INS
from tieout.sandbox.world.catalog import NOW_MS
from tieout.sandbox.world.orders import Order
from tieout.sandbox.world.payloads import dump
from tieout.sandbox.world.world import World
from transforms.storefronts import clarity, commercetools, magento, xcart, xcart_addon

ORDERS, SEEDS = 500, (7, 8)
STORES = {"USD": "us-web", "EUR": "eu-web", "JPY": "jp-web", "KWD": "kw-web"}


def texts(kind: str, world: World) -> Iterator[tuple[Order, str]]:
    """The discounted orders of a world as this stand-in tells them, each undamaged."""
    stand_in: Any = STAND_INS[kind](world, FaultBoard(), lambda: NOW_MS)
    for line in world.told_by(kind):
        order = world.order(line.index)
        if order.discount == 0 or (order.planted is not None and order.planted.kind.side == "payload"):
            continue
        if kind == "magento":
            raw = dump(Shop(world.seed).order(order)).encode()
            [record] = to_records([raw], [peek(raw, SUBJECTS["orders"])], keep_personal=())
            yield order, record.payload.decode()
        elif kind == "commercetools":
            yield order, world.order_list.text(line.index)
        elif kind == "xcart_addon":
            yield order, stand_in._order(stand_in.shop.find(line.index + 1))
        else:
            yield order, stand_in.order_text(line.index)


STAGINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "commercetools": lambda: {"call": commercetools.orders},
    "magento": lambda: {"call": magento.orders},
    "xcart": lambda: {
        "call": xcart.orders, "settings": xcart.XCartSettings(shared_tax="split", stores=STORES),
    },
    "xcart_addon": lambda: {"call": xcart_addon.orders, "settings": xcart_addon.XCartSettings(store="us-web")},
    "clarity": lambda: {
        "call": clarity.orders,
        "settings": clarity.ClaritySettings(
            clarity_profile.load("seed").fields, clarity_profile.load("seed").words.status
        ),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(STAGINGS))
def test_discounted_orders_add_up(kind: str) -> None:
    seen = with_fee = 0
    for seed in SEEDS:
        told = list(texts(kind, World.build(seed, ORDERS, (kind,))))
        options = STAGINGS[kind]()
        staged = options.pop("call")(
            landed(*(text for _, text in told)), storefront="shop", run_id="r", **options
        )
        orders, lines = staged["core.orders"], staged["core.order_lines"]
        assert orders["total_minor"].to_list() == [order.gross for order, _ in told]
        parts = lines.group_by("order_ref").agg(
            rows=(pl.col("kind_code") != "rounding").sum(),
            lines_minor=pl.sum_horizontal("net_minor", "discount_minor", "tax_minor").sum(),
        )
        both = orders.join(parts, on="order_ref", validate="1:1", maintain_order="left")
        assert both["lines_minor"].to_list() == both["total_minor"].to_list()
        over = both.filter(pl.col("rounding_minor").abs() > pl.min_horizontal(pl.lit(5), "rows"))
        assert over.select("order_number", "rounding_minor").rows() == []
        seen += len(told)
        with_fee += sum(any(row.kind == "fee" for row in order.rows) for order, _ in told)
    assert seen > 20
    assert with_fee
