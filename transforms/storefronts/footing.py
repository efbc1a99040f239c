"""From an order's header and lines to `core.orders` and `core.order_lines` that foot.

For storefronts that state amounts as decimals. The header's total is the truth, lines come from the payload, and what is left
between them becomes one line of kind `rounding`; how much of it is allowed is a check's business, not this module's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from transforms.instants import utc
from transforms.json_decoding import Decoded
from transforms.running import distinct, position
from transforms.staged import INSTANT, PRICE, PROBLEMS_SCHEMA, QUANTITY, RATE, sentence_of

NO_CURRENCY: Final = "XXX"
"""ISO 4217's own code for "no currency": stands where none could be read."""

COMPONENT_OF: Final = {
    "item": "goods_minor",
    "gift_card": "gift_card_minor",
    "discount": "discount_minor",
    "shipping": "shipping_minor",
    "fee": "fees_minor",
    "rounding": "rounding_minor",
}
_ZERO: Final = pl.lit(0, dtype=pl.Int64)
_RANK: Final = {"item": 0, "gift_card": 0, "fee": 1, "shipping": 2, "discount": 3, "rounding": 4}

LINE: Final = {
    "at": pl.UInt32(),
    "line_ref": pl.String(),
    "kind_code": pl.String(),
    "sku": pl.String(),
    "category_ref": pl.String(),
    "description": pl.String(),
    "quantity": QUANTITY,
    "unit_price": PRICE,
    "net_minor": pl.Int64(),
    "discount_minor": pl.Int64(),
    "tax_minor": pl.Int64(),
    "tax_code": pl.String(),
    "tax_rate": RATE,
}
"""Columns of a line before it stands in core; `at` is the position of its order in the batch."""

HEAD: Final = (
    "order_ref",
    "order_number",
    "revision",
    "store_ref",
    "customer_ref",
    "customer_name",
    "customer_email",
    "status_code",
    "placed_at",
    "captured_at",
    "shipped_at",
    "cancelled_at",
    "changed_at",
    "currency",
    "total_minor",
    "tender_minor",
    "tax_included",
    "is_taxed",
    "is_test",
    "problem",
    "payload_sha256",
)
"""Columns of a header before its components are summed, beside `at`."""


def series(name: str, values: Sequence[Any], dtype: Any = pl.String) -> pl.Series:
    """A named column."""
    return pl.Series(name, values, dtype=dtype)


def owners(counts: Sequence[int]) -> list[int]:
    """The position of its order for every element of its lists."""
    return [at for at, count in enumerate(counts) for _ in range(count)]


def instants(values: Sequence[int | str | None] | pl.Series) -> pl.Series:
    """ISO 8601 texts with a zone, or Unix seconds (as number or text), as UTC instants; null where it is none."""
    if not isinstance(values, pl.Series):
        values = pl.Series([one if one is None else str(one) for one in values], dtype=pl.String)
    found = utc(values)
    if found.null_count() == values.null_count():
        return found.alias("t")
    # Ten digits reach from 2001 to 2286; fewer would be some other number.
    seconds = pl.when(pl.col("t").str.contains(r"^\d{10}$")).then(pl.col("t")).cast(pl.Int64, strict=False)
    unix = pl.from_epoch(seconds, time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    both = pl.DataFrame([values.alias("t"), found.alias("iso")])
    return both.select(pl.coalesce("iso", unix).alias("t"))["t"]


def problem_texts(troubles: Mapping[int, Sequence[Any]], count: int) -> pl.Series:
    """One problem text per order of a batch; null for a sound one."""
    found: list[str | None] = [None] * count
    for at, some in troubles.items():
        found[at] = sentence_of([(one.code, one.sentence) for one in some])
    return series("problem", found)


def blame_rows(decoded: Decoded[Any], bad: pl.DataFrame) -> None:
    """Troubles from a frame of `at`, `code` and `sentence`; a loop over the few rows that are wrong."""
    for at, code, sentence in bad.select("at", "code", "sentence").iter_rows():
        decoded.blame(at, code, sentence)


def blame_by_rules(
    decoded: Decoded[Any], frame: pl.DataFrame, rules: Sequence[tuple[pl.Expr, str, pl.Expr]]
) -> None:
    """Troubles of the rows (by `at`) for which a rule's condition holds: its code and its sentence."""
    holds = frame.select(
        bad.fill_null(value=False).any().alias(str(nth)) for nth, (bad, _, _) in enumerate(rules)
    )
    for is_broken, (bad, code, sentence) in zip(holds.row(0), rules, strict=True):
        if is_broken:
            blame_rows(
                decoded,
                frame.filter(bad.fill_null(value=False)).select("at", code=pl.lit(code), sentence=sentence),
            )


def footed(
    heads: pl.DataFrame, lines: pl.DataFrame, *, storefront: str, run_id: str
) -> dict[str, pl.DataFrame]:
    """`core.orders` and `core.order_lines` from headers (`at` and `HEAD`) and lines (`LINE`), in the order of the headers.

    The difference between `total_minor` and the sum of the lines becomes a line of kind `rounding`; lines of shipping without any
    amount are left out.
    """
    lines = lines.select(list(LINE)).filter(
        (pl.col("kind_code") != "shipping") | (pl.col("net_minor") != 0) | (pl.col("tax_minor") != 0)
    )
    worth = pl.col("net_minor") + pl.col("discount_minor")
    parts = [
        *(name for name in COMPONENT_OF.values() if name != "rounding_minor"),
        "stated_rounding",
        "tax_minor",
    ]
    # A column a component, summed plainly, costs half of sums that each choose their rows.
    sums = (
        lines.select(
            "at",
            "tax_minor",
            *(
                pl.when(pl.col("kind_code") == kind)
                .then(worth)
                .otherwise(_ZERO)
                .alias(name if kind != "rounding" else "stated_rounding")
                for kind, name in COMPONENT_OF.items()
            ),
        )
        .group_by("at")
        .agg(pl.col(parts).sum())
    )
    of_lines = heads.select("at").join(sums, on="at", how="left", maintain_order="left")
    whole = heads.with_columns(of_lines.select(pl.col(parts).fill_null(0)))
    whole = whole.with_columns(left=pl.col("total_minor") - pl.sum_horizontal(parts)).with_columns(
        rounding_minor=pl.col("left") + pl.col("stated_rounding")
    )
    rest = whole.filter(pl.col("left") != 0).select(
        "at",
        line_ref=pl.lit("rounding"),
        kind_code=pl.lit("rounding"),
        sku=pl.lit(None, dtype=pl.String),
        category_ref=pl.lit(None, dtype=pl.String),
        description=pl.lit("Rounding"),
        quantity=pl.lit(1).cast(QUANTITY),
        unit_price=pl.lit(None, dtype=PRICE),
        net_minor="left",
        discount_minor=pl.lit(0, dtype=pl.Int64),
        tax_minor=pl.lit(0, dtype=pl.Int64),
        tax_code=pl.lit(None, dtype=pl.String),
        tax_rate=pl.lit(None, dtype=RATE),
    )
    fixed = {"storefront": pl.lit(storefront, dtype=pl.String), "run_id": pl.lit(run_id, dtype=pl.String)}
    orders = whole.select(
        fixed["storefront"].alias("storefront"),
        *HEAD[: HEAD.index("total_minor")],
        *(name for name in COMPONENT_OF.values() if name != "rounding_minor"),
        "tax_minor",
        "rounding_minor",
        "total_minor",
        "tender_minor",
        (pl.col("total_minor") - pl.col("tender_minor")).alias("due_minor"),
        "tax_included",
        "is_taxed",
        "is_test",
        "problem",
        "payload_sha256",
        fixed["run_id"].alias("run_id"),
    )
    named = whole.select("at", "order_ref", "currency")
    kinds = pl.col("kind_code").replace_strict(_RANK, return_dtype=pl.Int8)
    rows = (
        pl.concat([lines, rest.cast(dict(LINE))])  # type: ignore[arg-type]
        .with_columns(rank=kinds)
        .sort("at", "rank", maintain_order=True)
    )
    rows = rows.with_columns(
        line_ref=distinct(rows, "line_ref", "at"),
        line_no=position("at"),
    ).join(named, on="at", how="left", maintain_order="left")
    return {
        "core.orders": orders.with_columns(
            pl.col(name).cast(INSTANT) for name in orders.columns if name.endswith("_at")
        ),
        "core.order_lines": rows.select(
            fixed["storefront"].alias("storefront"),
            "order_ref",
            "line_ref",
            "line_no",
            *("kind_code", "sku", "category_ref", "description", "quantity", "unit_price", "currency"),
            *("net_minor", "discount_minor", "tax_minor", "tax_code", "tax_rate"),
            fixed["run_id"].alias("run_id"),
        ),
    }


def order_problems(heads: pl.DataFrame, subject: str) -> pl.DataFrame:
    """The problems of a batch, one row per order that has one."""
    return (
        heads.filter(pl.col("problem").is_not_null())
        .select(
            subject=pl.lit(subject),
            native_ref="native_ref",
            row_no=pl.lit(None, dtype=pl.Int64),
            column=pl.lit(None, dtype=pl.String),
            problem="problem",
        )
        .select(list(PROBLEMS_SCHEMA))
    )


def told(troubles: Mapping[int, Sequence[Any]], raw: pl.DataFrame, subject: str) -> pl.DataFrame:
    """The problems of records that have no place to stand, one row per record."""
    refs = raw["native_ref"]
    rows = [
        (subject, refs[at], None, None, sentence_of([(one.code, one.sentence) for one in some]))
        for at, some in sorted(troubles.items())
    ]
    return pl.DataFrame(rows, schema=dict(PROBLEMS_SCHEMA), orient="row")


def empty_lines() -> pl.DataFrame:
    """No lines."""
    return pl.DataFrame(schema=dict(LINE))
