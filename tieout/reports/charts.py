"""Charts of a reconciliation as SVG text: a link from every bar to the rows behind it, no script, no outside host.

SVG prints sharply, shrinks on a phone and carries labels that a screen reader can read. Positions are whole tenths of a pixel worked
out from minor units, so equal rows give equal bytes on any machine; the printed figure is the exact one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from tieout.money import show, shown_digits
from tieout.reports.data import words
from tieout.reports.drawing import COLOURS, Axis, axis_of, bar, drawn, label, rule

_WIDTH: Final = 620
_STEP: Final = 26
_TALL: Final = 200
_BUCKETS: Final = ("not_due", "1-30", "31-60", "61-90", "over_90")


@dataclass(frozen=True)
class _Bar:
    """One bar from `start` to `end` in minor units, with its printed figure."""

    name: str
    start: int
    end: int
    colour: str
    figure: str
    code: str
    said: str


def waterfall(rows: pl.DataFrame, currency: str, title: str) -> str:
    """A bridge of steps (columns step_no, step_code, label, is_total, amount_minor) as SVG."""
    bars: list[_Bar] = []
    running = 0
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
        said = f"{one['label']}: {show(amount, currency)} {currency}"
        bars.append(
            _Bar(one["label"], start, end, COLOURS[kind], show(amount, currency), one["step_code"], said)
        )
    return _lying(bars, currency, currency, title)


def differences(rows: pl.DataFrame, currency: str, title: str) -> str:
    """Differences by outcome (columns outcome_code, family_code, row_count, delta_minor) as SVG, the largest first; empty text if there are none."""
    bars = []
    for one in rows.sort("delta_minor", "outcome_code", descending=[True, False]).iter_rows(named=True):
        minor = one["delta_minor"]
        if minor == 0:
            continue
        name, figure = words(one["outcome_code"]), show(minor, currency)
        said = f"{name}: {figure} {currency} in {one['row_count']} rows"
        shown = f"{figure}  ({one['row_count']})"
        bars.append(_Bar(name, 0, minor, COLOURS[one["family_code"]], shown, one["outcome_code"], said))
    return _lying(bars, currency, f"storefront minus Intacct, {currency}", title) if bars else ""


def ageing(rows: pl.DataFrame, currency: str, title: str) -> str:
    """Open amounts by age (columns bucket_code, open_minor) as SVG; empty text if nothing is open."""
    sums = dict(rows.group_by("bucket_code").agg(pl.col("open_minor").sum()).iter_rows())
    amounts = [sums.get(bucket, 0) for bucket in _BUCKETS]
    if not any(amounts):
        return ""
    axis = axis_of(amounts, _TALL, shown_digits(currency), most=5)
    left = 10 * (max(len(axis.text(tick)) for tick in axis.ticks) * 7 + 34)
    top, bottom = 340, 340 + _TALL * 10
    parts = [rule(left, bottom - axis.at(tick), left + 4800, bottom - axis.at(tick)) for tick in axis.ticks]
    parts += [
        label(left - 60, bottom - axis.at(tick) + 40, axis.text(tick), anchor="end") for tick in axis.ticks
    ]
    for at, (bucket, minor) in enumerate(zip(_BUCKETS, amounts, strict=True)):
        middle = left + 960 * at + 480
        low, high = sorted((axis.at(0), axis.at(minor)))
        said = f"{words(bucket)}: {show(minor, currency)} {currency}"
        box = bar(middle - 430, bottom - high, 860, high - low, COLOURS["up"], said, href="")
        parts += [box, label(middle, bottom - high - 60, show(minor, currency), size=11)]
        parts.append(label(middle, bottom + 170, words(bucket)))
    parts.append(label(left + 2400, bottom + 380, "days overdue", bold=True))
    parts.append(label(130, (top + bottom) // 2, f"open, {currency}", bold=True, turned=True))
    return drawn(title, left + 4800 + 200, bottom + 480, parts, heading_at=left + 2400)


def _lying(bars: Sequence[_Bar], currency: str, unit: str, title: str) -> str:
    """Bars that lie one below the other, their names at the left and their figures at their ends."""
    axis = axis_of([edge for one in bars for edge in (one.start, one.end)], _WIDTH, shown_digits(currency))
    # A letter of 12 pixels is about 6.6 wide in the sans serif faces browsers choose; a name is never cut.
    left = 66 * max((len(one.name) for one in bars), default=0) + 200
    right = 66 * max((len(one.figure) for one in bars), default=0) + 100
    top = 300
    bottom = top + _STEP * 10 * len(bars)
    parts = [rule(left + axis.at(tick), top, left + axis.at(tick), bottom) for tick in axis.ticks]
    for at, one in enumerate(bars):
        upper = top + _STEP * 10 * at
        low, high = sorted((axis.at(one.start), axis.at(one.end)))
        parts.append(
            bar(left + low, upper + 13, high - low, _STEP * 10 - 26, one.colour, one.said, href=one.code)
        )
        parts.append(label(left - 60, upper + 170, one.name, anchor="end"))
        parts.append(label(left + high + 40, upper + 170, one.figure, anchor="start", size=11))
    parts += _feet(axis, left, bottom)
    parts.append(label(left + _WIDTH * 5, bottom + 360, unit, bold=True))
    return drawn(title, left + _WIDTH * 10 + right, bottom + 460, parts, heading_at=left + _WIDTH * 5)


def _feet(axis: Axis, left: int, bottom: int) -> list[str]:
    """The figures below the lines."""
    return [label(left + axis.at(tick), bottom + 170, axis.text(tick)) for tick in axis.ticks]
