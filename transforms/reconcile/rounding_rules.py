"""Rounding proved by the platforms' own documented rules: the tax of an order is worked out anew under each of them.

commercetools rounds the tax of a line or of a unit (`taxCalculationMode` LineItemLevel, UnitPriceLevel), half to even, up or down
(`taxRoundingMode`; commercetools HTTP API, Carts). Magento works tax out on the unit price, the row total or the total, on prices with or
without tax, before or after the discount (Adobe Commerce configuration reference, Sales → Tax → Calculation Settings). So a rule is:

    level    unit · row · total (per tax code)
    mode     half_even · half_up · half_down
    base     discounted · undiscounted (unit price × quantity)

A difference is proved when one rate per tax code (the one the storefront states, else the only simplest one) gives the storefront's tax on
every row, one rule gives the storefront's tax with it, and among all other ways of working it out exactly one gives Intacct's. Rules that come to the same
parts are one way. Two ways that both give Intacct's figure prove nothing, and neither does an order of one taxed row at quantity one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any, Final

import polars as pl

from tieout.money import show, shown_digits

LEVELS: Final = ("unit", "row", "total")
MODES: Final = ("half_even", "half_up", "half_down")
BASES: Final = ("discounted", "undiscounted")
FINEST: Final = 3
"""Decimals of a percentage that rates are looked for in: 8.875 % has three."""
SHOWN: Final = 6
WORDS: Final = {
    "unit": "by unit",
    "row": "by row",
    "total": "on the total",
    "undiscounted": ", before the discount",
    "discounted": "",
}


@dataclass(frozen=True)
class Row:
    """A taxed row: tax code, minor units net of tax after discount, its tax, how many, and where known unit price (minor units) and rate."""

    code: str
    net: int
    tax: int
    quantity: Fraction
    unit: Fraction | None = None
    rate: Fraction | None = None


@dataclass(frozen=True)
class Way:
    """One way of working the tax out: the rule, the parts before and after rounding, and their sum."""

    level: str
    mode: str
    base: str
    parts: tuple[tuple[Fraction, int], ...]

    @property
    def tax(self) -> int:
        """The tax of the order."""
        return sum(part for _, part in self.parts)


def rounded(value: Fraction, mode: str) -> int:
    """A fraction to a whole number: halves to even, away from zero (up) or towards zero (down)."""
    size, sign = abs(value), -1 if value < 0 else 1
    whole, rest = divmod(size, 1)
    up = rest > Fraction(1, 2)
    if rest == Fraction(1, 2):
        up = {"half_even": whole % 2 == 1, "half_up": True, "half_down": False}[mode]
    return sign * (int(whole) + int(up))


def rates_of(rows: Sequence[Row], included: bool, level: str) -> dict[str, Fraction] | None:
    """The rate per tax code that gives every row's tax to half a unit: the stated one, else the only simplest; None if there is none.

    Simplest is the one with the fewest decimals as a percentage. At level `unit` it is the tax of one unit that must be met.
    """
    found: dict[str, Fraction] = {}
    for code in sorted({row.code for row in rows}):
        low, high = Fraction(0), Fraction(1)
        for row in rows:
            if row.code != code:
                continue
            net, tax = Fraction(abs(row.net)), Fraction(abs(row.tax))
            if level == "unit":
                net, tax = net / row.quantity, tax / row.quantity
                if tax.denominator != 1:
                    return None
            if net == 0 or row.net * row.tax < 0:
                return None
            # Where prices include tax it is the gross that is exact: tax = gross · r / (1 + r).
            gross = net + tax
            least, most = tax - Fraction(1, 2), tax + Fraction(1, 2)
            low = max(low, least / (gross - least) if included else least / net)
            high = min(high, most / (gross - most) if included and gross > most else most / net)
        # A row that states no rate has that of its tax; the bounds above hold it to that.
        stated = {row.rate for row in rows if row.code == code and row.rate is not None}
        if len(stated) > 1:
            return None
        only = next(iter(stated), None)
        rate = _simplest(low, high) if only is None else only if low <= only <= high else None
        if rate is None:
            return None
        found[code] = rate
    return found


def _simplest(low: Fraction, high: Fraction) -> Fraction | None:
    for decimals in range(FINEST + 1):
        step = Fraction(1, 100 * 10**decimals)
        first, last = -(-low // step), high // step
        if first == last:
            return int(first) * step
        if first < last:
            return None
    return None


def ways(rows: Sequence[Row], rates: Mapping[str, Fraction], included: bool) -> list[Way]:
    """Every rule applied to the rows; where the undiscounted base is not known or not another one, it is left out."""
    found = []
    for level, mode, base in product(LEVELS, MODES, BASES):
        amounts = _bases(rows, included, base)
        if amounts is None:
            continue
        exact: list[Fraction] = []
        counts: list[Fraction] = []
        if level == "total":
            for code in sorted(rates):
                exact.append(
                    sum((a for a, row in zip(amounts, rows, strict=True) if row.code == code), Fraction(0))
                    * _share(rates[code], included)
                )
                counts.append(Fraction(1))
        else:
            for amount, row in zip(amounts, rows, strict=True):
                many = row.quantity if level == "unit" else Fraction(1)
                exact.append(amount / many * _share(rates[row.code], included))
                counts.append(many)
        if any(count.denominator != 1 for count in counts):
            continue
        parts = tuple(
            (one, rounded(one, mode) * int(count)) for one, count in zip(exact, counts, strict=True)
        )
        found.append(Way(level, mode, base, parts))
    return found


def _share(rate: Fraction, included: bool) -> Fraction:
    return rate / (1 + rate) if included else rate


def _bases(rows: Sequence[Row], included: bool, base: str) -> list[Fraction] | None:
    discounted = [Fraction(row.net + (row.tax if included else 0)) for row in rows]
    if base == "discounted":
        return discounted
    if any(row.unit is None for row in rows):
        return None
    whole = [(row.unit or Fraction(0)) * row.quantity for row in rows]
    return None if whole == discounted else whole


def proved(rows: Sequence[Row], included: bool, ours: int, theirs: int) -> tuple[Way, Way] | None:
    """The storefront's way and Intacct's, if they are proved; None otherwise."""
    if ours == theirs or not rows or sum(row.tax for row in rows) != ours:
        return None
    if len(rows) == 1 and rows[0].quantity == 1:
        return None
    for level in ("row", "unit"):
        if level == "unit" and all(row.quantity == 1 for row in rows):
            continue
        rates = rates_of(rows, included, level)
        if rates is None:
            continue
        every = ways(rows, rates, included)
        taxes = [row.tax for row in rows]
        mine = [
            one
            for one in every
            if one.level == level and one.base == "discounted" and [p for _, p in one.parts] == taxes
        ]
        if not mine:
            continue
        other = {tuple(p for _, p in one.parts): one for one in reversed(every) if one.tax == theirs}
        if len(other) == 1:
            return mine[0], next(iter(other.values()))
    return None


def derived(lines: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """(g, derived): for orders whose tax differs, the arithmetic that gives both figures; orders without a proof are left out.

    `lines`: g, tax_code, net_minor (after discount), tax_minor, and quantity, unit_price and tax_rate where
    known. `asked`: g, currency, tax_included, expected_tax_minor, actual_tax_minor, one row per order.
    """
    schema: dict[str, Any] = {"g": asked.schema["g"], "derived": pl.String}
    count = lines.group_by("g").agg(n=pl.len(), q=pl.col("quantity").sum().cast(pl.Decimal(38, 4)))
    gap = (pl.col("expected_tax_minor") - pl.col("actual_tax_minor")).abs()
    # Each rounding moves less than one unit: a larger difference cannot be rounding, and is not looked at.
    near = asked.join(count, on="g").filter(
        (gap > 0) & (gap <= pl.max_horizontal(pl.col("n"), pl.col("q").cast(pl.Int64)))
    )
    if near.is_empty():
        return pl.DataFrame(schema=schema)
    by_order: dict[Any, list[Row]] = {}
    digits = dict(near.select("g", "currency").iter_rows())
    names = ["g", "tax_code", "net_minor", "tax_minor", "quantity", "unit_price", "tax_rate"]
    mine = lines.join(near.select("g"), on="g", how="semi").select(names).sort(names)
    # A loop over the few orders that are a cent off: rounding by rule is exact in fractions, which columns do not have.
    for g, code, net, tax, quantity, unit, rate in mine.iter_rows():
        many = Fraction(quantity if quantity is not None else Decimal(1))
        price = None if unit is None else Fraction(unit) * 10 ** shown_digits(digits[g])
        by_order.setdefault(g, []).append(
            Row(
                code or "",
                net,
                tax,
                many if many > 0 else Fraction(1),
                price,
                None if rate is None else Fraction(rate),
            )
        )
    told = []
    for g, currency, included, ours, theirs in near.select(
        "g", "currency", "tax_included", "expected_tax_minor", "actual_tax_minor"
    ).iter_rows():
        found = proved(by_order.get(g, []), bool(included), ours, theirs)
        if found is not None:
            told.append((g, _said(*found, currency)))
    return pl.DataFrame(told, schema=schema, orient="row")


def _said(ours: Way, theirs: Way, currency: str) -> str:
    return (
        f"Proved rounding: the storefront works tax out {_rule(ours)}: {_sum(ours, currency)}; Intacct's figure is the tax "
        f"{_rule(theirs)}: {_sum(theirs, currency)}. No other documented rule gives it."
    )


def _rule(way: Way) -> str:
    return f"{WORDS[way.level]}, {way.mode.replace('_', ' ')}{WORDS[way.base]}"


def _sum(way: Way, currency: str) -> str:
    shown = [f"{_exact(exact)} → {part}" for exact, part in way.parts[:SHOWN]]
    more = f" and {len(way.parts) - SHOWN} more" if len(way.parts) > SHOWN else ""
    return f"{' + '.join(shown)}{more} = {show(way.tax, currency)} {currency}"


def _exact(value: Fraction) -> str:
    """A fraction of minor units with four decimals, cut off and not rounded: it is there to show which side of the half it lies."""
    size = abs(value)
    scaled = size.numerator * 10_000 // size.denominator
    text = f"{scaled // 10_000}.{scaled % 10_000:04d}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text
