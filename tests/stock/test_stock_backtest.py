"""The back-test against drawn histories and against the same replay written one unit of thought at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from drawn import drawn, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import shelf_house
from typer.testing import CliRunner

from checks.contracts import ALL
from flows.backtest import replay
from flows.cli import app
from tieout.errors import InputError
from transforms.stock.backtest import ALL_CLASSES, backtest, demand, shipped

DAY = datetime(2026, 9, 1, tzinfo=UTC)
TAKES = pl.DataFrame(
    {"storefront": ["shop"], "sku": ["A"], "item_ref": ["A"], "per_piece": [10_000], "class_ref": ["c1"]},
    schema_overrides={"per_piece": pl.Int64},
)
CLASSES = TAKES.select("item_ref", "class_ref")
NOTHING = pl.DataFrame(schema={"item_ref": pl.String, "at": pl.Datetime("us", "UTC"), "asked": pl.Int64})


def readings(*rows: tuple[float, int]) -> pl.DataFrame:
    """(hours after the start, free units) of item A."""
    return pl.concat(
        [
            drawn(ALL["core.stock"], f"sku | on_hand_qty\nA | {free}", source="intacct", location_ref="W", as_of_at=DAY + timedelta(hours=hour))
            for hour, free in rows
        ]
    )  # fmt: skip


def sales(*rows: tuple[float, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"item_ref": "A", "at": DAY + timedelta(hours=hour), "asked": units * 10_000}
            for hour, units in rows
        ],
        schema=NOTHING.schema,
    )


def figures(
    read: pl.DataFrame,
    asked: pl.DataFrame,
    gone: pl.DataFrame = NOTHING,
    *,
    minutes: int = 60,
    hours: int = 4,
    buffers: tuple[int, ...] = (0,),
) -> list[tuple[int, ...]]:
    """(buffer, asked, sold, oversold, lost, short) of all items together."""
    found = backtest(
        read,
        asked,
        gone,
        CLASSES,
        since=DAY,
        until=DAY + timedelta(hours=hours),
        intervals=(minutes,),
        buffers=buffers,
    )
    rows = found.results.filter(pl.col("class_ref") == ALL_CLASSES).sort("buffer_percent")
    names = ("buffer_percent", "asked_qty", "sold_qty", "oversold_qty", "lost_qty", "short_qty")
    return [tuple(int(one) for one in row) for row in rows.select(names).rows()]


def test_what_was_told_is_sold_and_no_more() -> None:
    assert figures(readings((0, 10)), sales((0.5, 4), (1.5, 4), (2.5, 4))) == [(0, 12, 10, 0, 0, 2)]


def test_what_other_channels_take_between_two_syncs_is_oversold_unless_a_buffer_covers_it() -> None:
    read = readings((0, 10), (1, 7))
    assert figures(read, sales((0.5, 9)), buffers=(0, 30)) == [(0, 9, 7, 2, 0, 0), (30, 9, 7, 0, 0, 2)]


def test_a_buffer_nobody_needed_loses_sales() -> None:
    assert figures(readings((0, 10)), sales((0.5, 10)), buffers=(0, 20)) == [
        (0, 10, 10, 0, 0, 0),
        (20, 10, 8, 0, 2, 0),
    ]


def test_goods_that_came_in_after_the_sync_are_lost_sales_until_the_shop_hears_of_them() -> None:
    read = readings((0, 0), (1, 50))
    assert figures(read, sales((0.9, 3), (1.1, 3)), minutes=120) == [(0, 6, 0, 0, 6, 0)]
    assert figures(read, sales((0.9, 3), (1.1, 3)), minutes=30) == [(0, 6, 3, 0, 3, 0)]


def test_what_web_orders_shipped_is_not_taken_for_another_channels_sale() -> None:
    read = readings((0, 10), (2, 6))
    gone = pl.DataFrame(
        [{"item_ref": "A", "at": DAY + timedelta(hours=1.5), "asked": 40_000}], schema=NOTHING.schema
    )
    assert figures(read, sales((0.5, 4), (2.5, 6)), gone) == [(0, 10, 10, 0, 0, 0)]
    assert figures(read, sales((0.5, 4), (2.5, 6))) == [(0, 10, 6, 0, 0, 4)]


def test_what_was_oversold_is_given_up_and_not_counted_again() -> None:
    read = readings((0, 10), (1, 2))
    assert figures(read, sales((0.5, 8), (2.5, 1))) == [(0, 9, 2, 6, 0, 1)]


def slow(
    read: list[tuple[int, int]], asked: list[tuple[int, int]], minutes: int, percent: int, end: int
) -> tuple[int, int, int, int]:
    """The replay of one item with whole units and whole minutes, one step after the other."""

    def free_at(minute: int) -> int:
        before = [units for at, units in read if at <= minute]
        return before[-1] if before else read[0][1]

    promised = sold = over = lost = short = 0
    for start in range(0, end, minutes):
        free = max(0, free_at(start) - promised)
        offered = max(0, free - -(-free * percent // 100))
        want = sum(units for at, units in asked if start <= at < start + minutes)
        taken = min(want, offered)
        after = free_at(start + minutes)
        gone = max(0, min(promised + taken, promised + taken - after))
        there = min(want - taken, max(0, after - promised - taken))
        promised, sold, over = promised + taken - gone, sold + taken - gone, over + gone
        lost, short = lost + there, short + want - taken - there
    return sold, over, lost, short


moments = st.integers(0, 47).map(lambda quarter: quarter * 15)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(moments, st.integers(0, 60), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 719), st.integers(1, 25)), min_size=1, max_size=12),
    st.sampled_from([15, 60, 240, 720]),
    st.integers(0, 20),
)
def test_the_same_as_one_step_after_the_other(
    read: dict[int, int], asked: list[tuple[int, int]], minutes: int, percent: int
) -> None:
    history = sorted(read.items())
    (row,) = figures(
        readings(*((at / 60, free) for at, free in history)),
        sales(*((at / 60, units) for at, units in asked)),
        minutes=minutes, hours=12, buffers=(percent,),
    )  # fmt: skip
    assert row[2:] == slow(history, asked, minutes, percent, 720)
    assert row[4] + row[5] + row[2] <= row[1]


def test_packs_and_tests_and_shipments_are_counted_in_units_of_the_item() -> None:
    orders = drawn(
        ALL["core.orders"],
        "order_ref | placed_at | is_test\na | 2026-09-01 10:00 | no\nb | 2026-09-01 11:00 | yes",
        storefront="shop",
    )
    lines = drawn(
        ALL["core.order_lines"],
        "order_ref | line_ref | kind_code | sku | quantity\na | 1 | item | A6 | 2\nb | 1 | item | A6 | 5\na | 2 | shipping | - | 1",
        storefront="shop",
    )
    gone = drawn(
        ALL["core.shipments"],
        "order_ref | shipment_ref | line_ref | quantity\na | s | 1 | 1\nb | s | 1 | 5",
        storefront="shop",
    )
    takes = TAKES.with_columns(sku=pl.lit("A6"), per_piece=pl.lit(60_000, dtype=pl.Int64))
    assert demand(orders, lines, takes)["asked"].to_list() == [120_000]
    assert shipped(orders, lines, gone, takes)["asked"].to_list() == [60_000]


@pytest.mark.parametrize(
    ("read", "asked", "said"), [((99, 1), (1, 1), "no reading"), ((0, 1), (99, 1), "No item was both")]
)
def test_without_history_it_says_what_is_missing(
    read: tuple[float, int], asked: tuple[float, int], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        figures(readings(read), sales(asked))


def test_the_command_writes_tables_and_a_page_with_charts_the_same_bytes_twice(tmp_path: Path) -> None:
    house = shelf_house(
        tmp_path,
        mappings={
            "items": drawn(
                ALL["mappings.items"],
                "storefront | sku | mode | item_ref | category_ref\n* | * | map | * | mugs",
            )
        },
    )
    house.put("core.stock", readings((0, 10), (1, 7)))
    house.put(
        "core.orders",
        drawn(
            ALL["core.orders"],
            "order_ref | placed_at\na | 2026-09-01 00:30",
            storefront="shop",
            is_test=False,
        ),
    )
    house.put(
        "core.order_lines",
        drawn(
            ALL["core.order_lines"],
            "order_ref | line_ref | kind_code | sku | quantity\na | 1 | item | A | 9",
            storefront="shop",
        ),
    )
    asked = {"since": DAY, "until": DAY + timedelta(days=2), "oversell_weight": 5}
    told = replay(house, out=tmp_path / "one", **asked)  # type: ignore[arg-type]
    assert "mugs:" in told
    assert any("every 1 h" in line and "best buffer 11 %" in line for line in told)
    replay(house, out=tmp_path / "two", **asked)  # type: ignore[arg-type]
    for name in ("backtest.csv", "backtest.parquet", "recommendations.csv", "backtest.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    page = (tmp_path / "one" / "backtest.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "<script" not in page
    stored = pl.read_parquet(tmp_path / "one" / "backtest.parquet")
    assert stored.height == 2 * 7 * 21
    best = pl.read_csv(tmp_path / "one" / "recommendations.csv", infer_schema=False)
    hourly = best.filter((pl.col("class_ref") == "mugs") & (pl.col("interval_minutes") == "60"))
    # Of ten, nine were asked for and three went elsewhere: two too many. From 11 % on two are kept back and eight promised, one too
    # many; one lost sale weighs less than five.
    assert shown(hourly, "buffer_percent", "sold_qty", "oversold_qty", "lost_qty") == [
        ("11", "7.0000", "1.0000", "0.0000")
    ]


def test_a_wrong_action_or_day_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tieout.toml").write_text("", encoding="utf-8")
    runner = CliRunner(env={"TIEOUT_CONFIG": str(tmp_path / "tieout.toml")})
    for words, said in (
        (["guess"], "no action 'guess'"),
        (["backtest", "--since", "soon"], "no day or instant"),
        (["backtest", "--since", "2027-01-01", "--until", "2026-01-01"], "turn them round"),
    ):
        done = runner.invoke(app, ["stock", *words])
        assert isinstance(done.exception, InputError)
        assert said in str(done.exception)
