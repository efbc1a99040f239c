"""The strokes charts are made of: axes with round figures, bars, rules and labels as SVG elements. Lengths are tenths of a pixel, whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Final

COLOURS: Final = {
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
"""One colour per family of outcomes and per direction of a bridge."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, both round, over `length` tenths of a pixel; values are whole numbers with `digits` decimals in them."""

    low: int
    high: int
    step: int
    length: int
    digits: int

    @property
    def ticks(self) -> list[int]:
        """The values that get a line and a figure."""
        return list(range(self.low, self.high + 1, self.step))

    def at(self, value: int) -> int:
        """Where a value lies, from the axis' beginning."""
        return (2 * (value - self.low) * self.length + (self.high - self.low)) // (2 * (self.high - self.low))

    def text(self, value: int) -> str:
        """A value in print: without decimals where every line stands at a whole unit."""
        places = 0 if self.step % 10**self.digits == 0 else self.digits
        return f"{Decimal(value).scaleb(-self.digits):,.{places}f}"


def axis_of(values: Iterable[int], pixels: int, digits: int, *, most: int = 7) -> Axis:
    """An axis that holds 0 and all values, with at most `most` + 1 steps of 1, 2 or 5 times a power of ten."""
    known = [0, *values]
    low, high = min(known), max(known)
    span = max(high - low, 1)
    step = next(size for size in _sizes() if size * most >= span)
    low, high = step * (low // step), -step * (-high // step)
    return Axis(low, max(high, low + step), step, pixels * 10, digits)


def _sizes() -> Iterable[int]:
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


def bar(x: int, y: int, width: int, height: int, colour: str, said: str, *, href: str) -> str:
    """A bar, said aloud by `said`; with `href` (the code of an outcome or step) it leads to that part of the page."""
    box = f'<rect x="{_px(x)}" y="{_px(y)}" width="{_px(max(width, 10))}" height="{_px(height)}" rx="2" fill="{colour}"/>'
    name = f'aria-label="{escape(said)}"'
    title = f"<title>{escape(said)}</title>"
    if href:
        return f'<a href="#code-{escape(href)}" {name}>{title}{box}</a>'
    return f'<g role="img" {name}>{title}{box}</g>'


def label(
    x: int,
    y: int,
    text: str,
    *,
    anchor: str = "middle",
    size: int = 12,
    bold: bool = False,
    turned: bool = False,
) -> str:
    """A text on its base line."""
    weight = ' font-weight="bold"' if bold else ""
    turn = f' transform="rotate(-90 {_px(x)} {_px(y)})"' if turned else ""
    return f'<text x="{_px(x)}" y="{_px(y)}" text-anchor="{anchor}" font-size="{size}"{weight}{turn}>{escape(text)}</text>'


def rule(x1: int, y1: int, x2: int, y2: int) -> str:
    """A thin line of the grid."""
    return f'<line x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}" stroke="#ddd"/>'


def line(points: Sequence[tuple[int, int]], colour: str, said: str) -> str:
    """A line through points, each with a dot, said aloud by `said`."""
    way = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
    dots = "".join(f'<circle cx="{_px(x)}" cy="{_px(y)}" r="2" fill="{colour}"/>' for x, y in points)
    way = f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return f'<g role="img" aria-label="{escape(said)}"><title>{escape(said)}</title>{way}{dots}</g>'


def drawn(title: str, width: int, height: int, parts: Sequence[str], *, heading_at: int) -> str:
    """The whole drawing; its size on paper or screen is the page's business."""
    head = label(heading_at, 180, title, size=13, bold=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_px(width)} {_px(height)}" role="group" aria-label="{escape(title)}" '
        f'font-family="sans-serif" fill="#1b2430">{head}{"".join(parts)}</svg>'
    )


def _px(tenths: int) -> str:
    whole, tenth = divmod(abs(tenths), 10)
    sign = "-" if tenths < 0 else ""
    return f"{sign}{whole}.{tenth}" if tenth else f"{sign}{whole}"
