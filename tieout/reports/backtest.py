"""The back-test of stock buffers as files: two tables and a page with one chart per class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from tieout.reports.charts import _svg

CLASSES_DRAWN: Final = 8
"""Classes with a chart of their own, those with most demand first; all of them are in the tables."""


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
    values = [
        {
            "buffer": row["buffer_percent"],
            "interval": interval_words(row["interval_minutes"]),
            "kind": kind,
            # Points of a drawing, which may be approximate; the tables hold the exact figures.
            "units": float(row[column]),
            "description": f"{name}, every {interval_words(row['interval_minutes'])}, {row['buffer_percent']} %: {row[column].normalize():f} units {kind}",
        }
        for row in rows.iter_rows(named=True)
        for kind, column in (("oversold", "oversold_qty"), ("lost", "lost_qty"))
    ]
    order = [interval_words(one) for one in sorted(rows["interval_minutes"].unique().to_list())]
    return _svg(
        {
            "title": f"Units oversold and lost by buffer: {name}",
            "data": {"values": values},
            "spacing": 24,
            "facet": {
                "column": {"field": "kind", "type": "nominal", "title": None, "sort": ["oversold", "lost"]}
            },
            "spec": {
                "width": 290,
                "height": 200,
                "mark": {"type": "line", "point": {"size": 18}},
                "encoding": {
                    "x": {"field": "buffer", "type": "quantitative", "title": "buffer, %"},
                    "y": {"field": "units", "type": "quantitative", "title": "units"},
                    "color": {"field": "interval", "type": "nominal", "sort": order, "title": "sync every"},
                    "description": {"field": "description"},
                },
            },
            "resolve": {"scale": {"y": "independent"}},
        }
    )


def interval_words(minutes: int) -> str:
    """15 min, 2 h, 1 day."""
    if minutes % 1440 == 0:
        return f"{minutes // 1440} day" + ("s" if minutes > 1440 else "")
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    quantities = {name: f"{row[name].normalize():,f}" for name in row if name.endswith("_qty")}
    return {**row, **quantities, "interval": interval_words(row["interval_minutes"])}
