"""The waterfall in base currency, at the rate Intacct's own documents of the period imply; what rounding leaves over is a step of its own.

No rate is looked up or assumed. The rate of an entity and currency is the base total of its documents in the period over their transaction total,
so the invoiced figure in base currency is Intacct's own to the cent. A currency without documents in the period is not translated, and says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.money import convert_minor
from transforms.reconcile.policy import Period

RATES: Final = {
    "entity_code": pl.String(), "currency": pl.String(), "base_currency": pl.String(), "document_count": pl.Int64(),
    "total_minor": pl.Int64(), "base_total_minor": pl.Int64(),
}  # fmt: skip
COLUMNS: Final = {
    "tie_out": pl.String(), "entity_code": pl.String(), "store_ref": pl.String(), "currency": pl.String(), "base_currency": pl.String(),
    "step_no": pl.Int64(), "step_code": pl.String(), "label": pl.String(), "is_total": pl.Boolean(), "amount_minor": pl.Int64(),
    "base_minor": pl.Int64(),
}  # fmt: skip
ROUNDING: Final = "translation"


def implied_rates(documents: pl.DataFrame, period: Period, base_currencies: pl.DataFrame) -> pl.DataFrame:
    """Rates in the columns of `RATES`, from documents (entity_code, currency, posted_on, total_minor, base_total_minor) that stand and are in scope.

    `base_currencies` has entity_code, base_currency. A document without a base total leaves its currency without a rate: a partial sum is no rate.
    """
    mine = documents.join(base_currencies, on="entity_code").filter(period.holds("posted_on", "entity_code"))
    own = pl.col("currency") == pl.col("base_currency")
    base = pl.when(own).then("total_minor").otherwise("base_total_minor")
    return (
        mine.with_columns(base=base)
        .group_by("entity_code", "currency", "base_currency")
        .agg(
            document_count=pl.len().cast(pl.Int64),
            total_minor=pl.col("total_minor").sum(),
            base_total_minor=pl.col("base").sum(),
            is_whole=pl.col("base").is_not_null().all(),
        )
        .filter("is_whole", pl.col("total_minor") != 0)
        .select([pl.col(n).cast(t) for n, t in RATES.items()])
        .sort("entity_code", "currency")
    )


def translated(waterfall: pl.DataFrame, rates: pl.DataFrame, base_currencies: pl.DataFrame) -> pl.DataFrame:
    """The steps of recon.waterfall with `base_minor` (null without a rate), in the columns of `COLUMNS`.

    A step `translation` before a total takes what rounding each step for itself left over, so that every total foots in base currency too.
    """
    known = {(one["entity_code"], one["currency"]): one for one in rates.iter_rows(named=True)}
    bases = dict(base_currencies.select("entity_code", "base_currency").iter_rows())
    cell = ["tie_out", "entity_code", "store_ref", "currency"]
    found = []
    # A bridge has a few dozen steps per store and currency, and rounding is whole-number arithmetic beyond 64 bits: a loop is the clear way.
    for _key, block in waterfall.sort(*cell, "step_no").group_by(cell, maintain_order=True):
        running = 0
        for step in block.iter_rows(named=True):
            base = bases.get(step["entity_code"])
            amount = _base(
                step["amount_minor"],
                step["currency"],
                base,
                known.get((step["entity_code"], step["currency"])),
            )
            row = {**{name: step.get(name) for name in COLUMNS}, "base_currency": base, "base_minor": amount}
            starts = step["is_total"] and running == 0 and step["step_no"] == block["step_no"].min()
            if amount is not None and step["is_total"] and not starts and amount != running:
                found.append({**row, "step_no": step["step_no"] - 1, "step_code": ROUNDING, "label": "Rounding of the translation", "is_total": False, "amount_minor": 0, "base_minor": amount - running})  # fmt: skip
                running = amount
            elif amount is not None and (not step["is_total"] or starts):
                running += amount
            found.append(row)
    return pl.DataFrame(found, schema=COLUMNS, orient="row")


def _base(minor: int, currency: str, base: str | None, rate: dict[str, int] | None) -> int | None:
    if base is not None and currency == base:
        return minor
    if rate is None:
        return None
    return convert_minor(minor, rate["base_total_minor"], rate["total_minor"])


def proofs(rows: pl.DataFrame) -> pl.DataFrame:
    """Each total in base currency against the steps above it (name, entity_code, currency, left_minor, right_minor, difference_minor)."""
    return (
        _running(rows)
        .filter("is_total")
        .group_by("tie_out", "step_code", "entity_code", currency="base_currency")
        .agg(left_minor=pl.col("base_minor").sum(), right_minor=pl.col("running").sum())
        .select(
            pl.concat_str("tie_out", pl.lit(" waterfall in base currency foots to "), "step_code").alias("name"),
            "entity_code", "currency", "left_minor", "right_minor", difference_minor=pl.col("left_minor") - pl.col("right_minor"),
        )
        .sort("name", "entity_code", "currency")
    )  # fmt: skip


def _running(rows: pl.DataFrame) -> pl.DataFrame:
    cell = ["tie_out", "entity_code", "store_ref", "currency"]
    first = pl.col("is_total") & (pl.col("step_no") == pl.col("step_no").min().over(cell))
    counts = ~pl.col("is_total") | first
    return (
        rows.sort(*cell, "step_no")
        .drop_nulls("base_minor")
        .with_columns(running=pl.when(counts).then("base_minor").otherwise(0).cum_sum().over(cell))
    )


def foots(rows: pl.DataFrame) -> pl.DataFrame:
    """Totals in base currency that are not the sum of the steps above them; none, or the translation is broken."""
    return (
        _running(rows)
        .filter(pl.col("is_total") & (pl.col("running") != pl.col("base_minor")))
        .drop("running")
    )
