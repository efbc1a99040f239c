"""Charts as SVG text: drawn by Vega-Lite through vl-convert, offline, with a link from every bar to the rows behind it.

SVG needs no script in the page, prints sharply, and carries labels that a screen reader can read.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import polars as pl

from tieout.money import show, shown_digits
from tieout.reports.data import words

_COLOURS: Final = {
    "total": "#1F3A5F",
    "matched": "#4C8C6B",
    "outside": "#8A8F98",
    "timing": "#D9A441",
    "explained": "#6C8EBF",
    "error": "#C0504D",
    "ambiguous": "#8E5EA2",
    "up": "#5B8DB8",
    "down": "#B8755B",
}
_CONFIG: Final = {
    "background": None,
    "font": "sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 320, "domain": False, "ticks": False},
    "view": {"stroke": None},
    # Browsers set the labels in wider letters than the converter measures them with.
    "padding": {"left": 48, "right": 40, "top": 8, "bottom": 8},
}


def waterfall(rows: pl.DataFrame, currency: str, title: str) -> str:
    """A bridge of steps (columns step_no, step_code, label, is_total, amount_minor) as SVG."""
    values: list[dict[str, Any]] = []
    running = 0
    scale = 10 ** shown_digits(currency)
    # A bridge has a few dozen steps: a running sum by hand is clearer than a window expression.
    for one in rows.sort("step_no").iter_rows(named=True):
        amount = one["amount_minor"]
        if one["is_total"]:
            start, end, kind = 0, amount, "total"
        elif amount == 0:
            continue
        else:
            start, end, kind = running, running + amount, "up" if amount > 0 else "down"
            running = end
        values.append(
            {
                "label": one["label"],
                # Positions on a drawing, not money: pixels may be approximate, the printed figure is not.
                "start": start / scale,
                "end": end / scale,
                "kind": kind,
                "text": show(amount, currency),
                "href": f"#code-{one['step_code']}",
                "description": f"{one['label']}: {show(amount, currency)} {currency}",
            }
        )
    order = [value["label"] for value in values]
    return _svg(
        {
            "title": title,
            "width": 620,
            "height": {"step": 26},
            "data": {"values": values},
            "encoding": {
                "y": {"field": "label", "type": "nominal", "sort": order, "title": None},
                "href": {"field": "href"},
                "description": {"field": "description"},
            },
            "layer": [
                {
                    "mark": {"type": "bar", "cornerRadius": 2},
                    "encoding": {
                        "x": {
                            "field": "start",
                            "type": "quantitative",
                            "title": currency,
                            "axis": {"format": ",.0f"},
                        },
                        "x2": {"field": "end"},
                        "color": _colour("kind", ["total", "up", "down"]),
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                    "transform": [{"calculate": "max(datum.start, datum.end)", "as": "tip"}],
                    "encoding": {"x": {"field": "tip", "type": "quantitative"}, "text": {"field": "text"}},
                },
            ],
        }
    )


def differences(rows: pl.DataFrame, currency: str, title: str) -> str:
    """Differences by outcome (columns outcome_code, family_code, row_count, delta_minor) as SVG; empty text if there are none."""
    scale = 10 ** shown_digits(currency)
    values = [
        {
            "label": words(one["outcome_code"]),
            "amount": one["delta_minor"] / scale,
            "family": one["family_code"],
            "text": f"{show(one['delta_minor'], currency)}  ({one['row_count']})",
            "href": f"#code-{one['outcome_code']}",
            "description": f"{words(one['outcome_code'])}: {show(one['delta_minor'], currency)} {currency} in {one['row_count']} rows",
        }
        for one in rows.iter_rows(named=True)
        if one["delta_minor"] != 0
    ]
    if not values:
        return ""
    return _svg(
        {
            "title": title,
            "width": 620,
            "height": {"step": 26},
            "data": {"values": values},
            "encoding": {
                "y": {"field": "label", "type": "nominal", "sort": "-x", "title": None},
                "x": {
                    "field": "amount",
                    "type": "quantitative",
                    "title": f"storefront minus Intacct, {currency}",
                    "axis": {"format": ",.0f"},
                },
                "href": {"field": "href"},
                "description": {"field": "description"},
            },
            "layer": [
                {
                    "mark": {"type": "bar", "cornerRadius": 2},
                    "encoding": {
                        "color": _colour("family", ["error", "ambiguous", "timing", "explained", "outside"])
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                    "transform": [{"calculate": "max(datum.amount, 0)", "as": "tip"}],
                    "encoding": {"x": {"field": "tip", "type": "quantitative"}, "text": {"field": "text"}},
                },
            ],
        }
    )


def ageing(rows: pl.DataFrame, currency: str, title: str) -> str:
    """Open amounts by age (columns bucket_code, open_minor) as SVG; empty text if nothing is open."""
    buckets = ["not_due", "1-30", "31-60", "61-90", "over_90"]
    sums = dict(rows.group_by("bucket_code").agg(pl.col("open_minor").sum()).iter_rows())
    if not any(sums.values()):
        return ""
    scale = 10 ** shown_digits(currency)
    values = [
        {
            "label": words(bucket),
            "amount": sums.get(bucket, 0) / scale,
            "text": show(sums.get(bucket, 0), currency),
            "description": f"{words(bucket)}: {show(sums.get(bucket, 0), currency)} {currency}",
        }
        for bucket in buckets
    ]
    return _svg(
        {
            "title": title,
            "width": 480,
            "height": 200,
            "data": {"values": values},
            "encoding": {
                "x": {
                    "field": "label",
                    "type": "nominal",
                    "sort": [words(bucket) for bucket in buckets],
                    "title": "days overdue",
                    "axis": {"labelAngle": 0},
                },
                "y": {
                    "field": "amount",
                    "type": "quantitative",
                    "title": f"open, {currency}",
                    "axis": {"format": ",.0f"},
                },
                "description": {"field": "description"},
            },
            "layer": [
                {"mark": {"type": "bar", "color": _COLOURS["up"], "cornerRadius": 2}},
                {
                    "mark": {"type": "text", "dy": -6, "fontSize": 11},
                    "encoding": {"text": {"field": "text"}},
                },
            ],
        }
    )


def _colour(name: str, domain: list[str]) -> dict[str, Any]:
    return {
        "field": name,
        "type": "nominal",
        "scale": {"domain": domain, "range": [_COLOURS[one] for one in domain]},
        "legend": None,
    }


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    whole = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "config": _CONFIG, **spec}
    svg = vl_convert.vegalite_to_svg(whole)
    # The converter resolves links against a data host of its own; ours stay inside the page.
    svg = re.sub(r'href="https?://[^"#]*#', 'href="#', svg)
    # It numbers clip paths per process: name them by the drawing, so that the same rows give the same bytes and ids stay unique.
    mark = hashlib.sha256(repr(spec).encode()).hexdigest()[:8]
    numbers = {
        old: f"clip-{mark}-{at}" for at, old in enumerate(dict.fromkeys(re.findall(r'id="(clip\d+)"', svg)))
    }
    for old, new in numbers.items():
        svg = svg.replace(f'id="{old}"', f'id="{new}"').replace(f"url(#{old})", f"url(#{new})")
    # The size is the page's business: keep the view box, let the drawing shrink on a phone.
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
