"""Row rules on orders: each holds one order back and lets the batch go on.

An order whose payload could not be read whole says why in `core.orders.problem` as `code: sentence`; such an order is judged by that
alone, because its other figures mean nothing.
"""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule

_KEYS = ("storefront", "order_ref", "order_number", "currency")
_PROBLEMS = (
    "amount_not_exact",
    "currency_unknown",
    "tax_unknown",
    "parts_exceed_rounding_limit",
    "order_number_missing",
    "status_unknown",
)
"""Codes a problem may begin with; any other problem is an unreadable payload."""


def _findings(orders: pl.DataFrame, sentence: pl.Expr) -> pl.DataFrame:
    return orders.select(
        *_KEYS,
        pl.col("order_ref").alias("subject_ref"),
        pl.col("total_minor").alias("amount_minor"),
        sentence.alias("sentence"),
    )


def _named() -> pl.Expr:
    return pl.coalesce("order_number", "order_ref")


def _problem_code() -> pl.Expr:
    return pl.col("problem").str.extract(r"^([a-z_]+):", 1)


def _with_problem(orders: pl.DataFrame, code: str, what_to_do: str) -> pl.DataFrame:
    wanted = orders.filter(_problem_code() == code)
    said = pl.col("problem").str.replace(r"^[a-z_]+:\s*", "").str.strip_chars_end(".")
    return _findings(wanted, pl.format("Order {}: {}. {}", _named(), said, pl.lit(what_to_do)))


def _whole(tables: Tables) -> pl.DataFrame:
    """Orders that could be read, tests left out: they owe nothing and wait for nobody."""
    return tables["core.orders"].filter(pl.col("problem").is_null() & ~pl.col("is_test"))


@rule(
    "Every amount is a whole number of minor units.",
    code="amount_not_exact",
    severity="hold",
    reads=("core.orders",),
)
def amount_not_exact(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders with an amount that is not exact."""
    return _with_problem(
        tables["core.orders"],
        "amount_not_exact",
        "Correct the amount at the storefront and extract the order again.",
    )


@rule(
    "Every currency is an ISO 4217 currency.",
    code="currency_unknown",
    severity="hold",
    reads=("core.orders",),
)
def currency_unknown(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders in a currency nobody knows."""
    return _with_problem(
        tables["core.orders"],
        "currency_unknown",
        "Correct the currency at the storefront and extract the order again.",
    )


@rule("Every payload can be read whole.", code="payload_unreadable", severity="hold", reads=("core.orders",))
def payload_unreadable(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders whose payload does not have the promised shape, and any problem under no code of its own."""
    wanted = tables["core.orders"].filter(
        pl.col("problem").is_not_null() & ~_problem_code().is_in(_PROBLEMS).fill_null(value=False)
    )
    said = pl.col("problem").str.replace(r"^[a-z_]+:\s*", "").str.strip_chars_end(".")
    return _findings(
        wanted,
        pl.format(
            "Order {}: {}. Correct the record at the storefront and extract the order again.", _named(), said
        ),
    )


@rule("Every order says what its tax is.", code="tax_unknown", severity="hold", reads=("core.orders",))
def tax_unknown(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders whose payload does not state the tax; it is never guessed."""
    told = _with_problem(
        tables["core.orders"],
        "tax_unknown",
        "Calculate its tax at the storefront and extract the order again.",
    )
    silent = _findings(
        _whole(tables).filter(~pl.col("is_taxed")),
        pl.format(
            "Order {} does not say what its tax is; calculate it at the storefront and extract the order again.",
            _named(),
        ),
    )
    return pl.concat([told, silent])


@rule("Every order has a number.", code="order_number_missing", severity="hold", reads=("core.orders",))
def order_number_missing(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders without a number to post under."""
    told = _with_problem(tables["core.orders"], "order_number_missing", "Give it a number at the storefront.")
    missing = _whole(tables).filter(pl.col("order_number").fill_null("").str.strip_chars() == "")
    return pl.concat(
        [
            told,
            _findings(
                missing,
                pl.format(
                    "Order {} has no order number; give it one at the storefront and extract it again.",
                    "order_ref",
                ),
            ),
        ]
    )


@rule(
    "No two orders of a storefront have the same number.",
    code="duplicate_order_number",
    severity="hold",
    reads=("core.orders",),
)
def duplicate_order_number(tables: Tables, limits: Limits) -> pl.DataFrame:
    """All orders that share a number: nobody can say which one an invoice under it belongs to."""
    shared = (
        _whole(tables)
        .filter(pl.col("order_number").fill_null("") != "")
        .filter(pl.len().over("storefront", "order_number") > 1)
        .with_columns(others=pl.col("order_ref").sort().str.join(", ").over("storefront", "order_number"))
    )
    return _findings(
        shared,
        pl.format(
            "Number {} belongs to several orders ({}); renumber all but one at the storefront.",
            "order_number",
            "others",
        ),
    )


@rule(
    "A header's total differs from its parts by rounding only.",
    code="parts_exceed_rounding_limit", severity="hold", reads=("core.orders", "core.order_lines"),
)  # fmt: skip
def parts_exceed_rounding_limit(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders whose header and parts, or header and lines, differ by more than one minor unit a row, or five in all."""
    key = ["storefront", "order_ref"]
    rows = (
        tables["core.order_lines"]
        .group_by(key)
        .agg(
            row_count=(pl.col("kind_code") != "rounding").sum(),
            lines_minor=pl.sum_horizontal(
                pl.col(n).sum() for n in ("net_minor", "discount_minor", "tax_minor")
            ),
        )
    )
    parts = pl.sum_horizontal(
        f"{part}_minor" for part in ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
    )
    compared = (
        _whole(tables)
        .join(rows, on=key, how="left")
        .with_columns(
            limit=pl.min_horizontal(
                pl.col("row_count").fill_null(1).cast(pl.Int64) * limits.rounding_per_row,
                pl.lit(limits.rounding_most),
            ),
            rounding=pl.col("rounding_minor").abs(),
            open_parts=(pl.col("total_minor") - parts).abs(),
            open_lines=(pl.col("total_minor") - pl.col("lines_minor")).abs().fill_null(0),
        )
        .with_columns(
            # Parts or lines that do not sum at all are no rounding: the staging promised that they do.
            excess=pl.max_horizontal(
                "rounding",
                pl.col("open_parts") + pl.col("rounding"),
                pl.col("open_lines") + pl.col("rounding"),
            )
        )
        .filter(
            (pl.col("rounding") > pl.col("limit")) | (pl.col("open_parts") > 0) | (pl.col("open_lines") > 0)
        )
    )
    told = _with_problem(
        tables["core.orders"], "parts_exceed_rounding_limit", "Correct the order at the storefront."
    )
    sentence = pl.format(
        "Order {}: its total differs from its parts by {} minor units of {}, more than rounding explains (at most {}); "
        "correct the order at the storefront.",
        _named(), "excess", "currency", "limit",
    )  # fmt: skip
    return pl.concat([told, _findings(compared, sentence)])


@rule("Nothing happened in the future.", code="future_dated", severity="hold", reads=("core.orders",))
def future_dated(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders placed, captured or shipped later than now, beyond what clocks differ by."""
    latest = pl.max_horizontal("placed_at", "captured_at", "shipped_at")
    bound = pl.lit(limits.now + limits.future, dtype=pl.Datetime("us", "UTC"))
    late = _whole(tables).filter(latest > bound).with_columns(latest=latest.dt.strftime("%Y-%m-%d %H:%M"))
    return _findings(
        late,
        pl.format(
            "Order {} carries an instant in the future ({} UTC); correct it at the storefront.",
            _named(),
            "latest",
        ),
    )
