"""The back-test of stock buffers as files: two tables and a page with one chart per class."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from tieout.reports.drawing import axis_of, bar, drawn, label, line, rule

CLASSES_DRAWN: Final = 8
"""Classes with a chart of their own, those with most demand first; all of them are in the tables."""
_WIDE: Final = 290
_TALL: Final = 200
_BOTTOM: Final = 2500
_LINES: Final = ("#1F3A5F", "#C0504D", "#4C8C6B", "#D9A441", "#8E5EA2", "#5B8DB8", "#8A8F98")


def write_backtest(
    folder: Path, results: pl.DataFrame, best: pl.DataFrame, facts: Mapping[str, str]
) -> list[Path]:
    """Write `backtest.csv`, `backtest.parquet`, `recommendations.csv` and `backtest.html` into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        folder / name for name in ("backtest.csv", "backtest.parquet", "recommendations.csv", "backtest.html")
    ]
    results.write_csv(paths[0])
    results.write_parquet(paths[1])
    best.write_csv(paths[2])
    paths[3].write_text(page(results, best, facts), encoding="utf-8")
    return paths


def page(results: pl.DataFrame, best: pl.DataFrame, facts: Mapping[str, str]) -> str:
    """The page as HTML text: no script, no outside host."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    ranked = (
        results.group_by("class_ref")
        .agg(pl.col("asked_qty").max())
        .sort("asked_qty", "class_ref", descending=[True, False])
    )["class_ref"].to_list()
    return environment.get_template("backtest.html.j2").render(
        facts=facts,
        charts=[
            {"name": name, "drawing": chart(results.filter(pl.col("class_ref") == name), name)}
            for name in ranked[:CLASSES_DRAWN]
        ],
        more=max(0, len(ranked) - CLASSES_DRAWN),
        best=[_shown(row) for row in best.iter_rows(named=True)],
    )


def chart(rows: pl.DataFrame, name: str) -> str:
    """Units oversold and units lost by buffer, one line per sync interval, as SVG."""
    minutes = sorted(rows["interval_minutes"].unique().to_list())
    colours = dict(zip(minutes, cycle(_LINES)))
    buffers = sorted(rows["buffer_percent"].unique().to_list())
    across = axis_of(buffers, _WIDE, 0, most=5)
    parts: list[str] = []
    left = 0
    for kind, column in (("oversold", "oversold_qty"), ("lost", "lost_qty")):
        # Points of a drawing; the tables hold the exact figures.
        units = rows.select("interval_minutes", "buffer_percent", _ten_thousandths(column)).sort(
            "interval_minutes", "buffer_percent"
        )
        up = axis_of(units[column].to_list(), _TALL, 4, most=5)
        left += 10 * (max(len(up.text(tick)) for tick in up.ticks) * 7 + 34)
        right = left + across.length
        for tick in up.ticks:
            parts.append(rule(left, _BOTTOM - up.at(tick), right, _BOTTOM - up.at(tick)))
            parts.append(label(left - 60, _BOTTOM - up.at(tick) + 40, up.text(tick), anchor="end"))
        for tick in across.ticks:
            parts.append(label(left + across.at(tick), _BOTTOM + 170, across.text(tick)))
        for (interval,), block in units.group_by(["interval_minutes"], maintain_order=True):
            every = interval_words(int(str(interval)))
            points = [
                (left + across.at(buffer), _BOTTOM - up.at(value))
                for buffer, value in block.select("buffer_percent", column).iter_rows()
            ]
            parts.append(line(points, colours[interval], f"{name}, units {kind}, sync every {every}"))
        parts.append(label(left + across.length // 2, _BOTTOM + 360, "buffer, %", bold=True))
        parts.append(label(left + across.length // 2, _BOTTOM - _TALL * 10 - 120, f"units {kind}", bold=True))
        left = right + 100
    parts.append(label(left + 200, 480, "sync every", anchor="start", bold=True))
    for at, interval in enumerate(minutes):
        y = 700 + 200 * at
        parts.append(bar(left + 200, y - 90, 120, 90, colours[interval], interval_words(interval), href=""))
        parts.append(label(left + 380, y, interval_words(interval), anchor="start"))
    return drawn(
        f"Units oversold and lost by buffer: {name}", left + 1200, _BOTTOM + 460, parts, heading_at=left // 2
    )


def _ten_thousandths(column: str) -> pl.Expr:
    """A quantity as a whole number of its smallest part."""
    return (pl.col(column) * 10_000).cast(pl.Int64)


def interval_words(minutes: int) -> str:
    """15 min, 2 h, 1 day."""
    if minutes % 1440 == 0:
        return f"{minutes // 1440} day" + ("s" if minutes > 1440 else "")
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    quantities = {name: f"{row[name].normalize():,f}" for name in row if name.endswith("_qty")}
    return {**row, **quantities, "interval": interval_words(row["interval_minutes"])}
