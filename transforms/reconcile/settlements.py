"""Payments against the payouts of their providers: is all money that moved paid out once, for the fee agreed, at the rate stated?

==========================  ====================================================================================================
code                        holds when
==========================  ====================================================================================================
settlement_without_payment  a payout line is no payment the storefront knows
duplicate_settlement        the payouts hold a payment's whole amount several times
settlement_amount           the payouts hold another gross than moved
payout_total                the lines of a payout do not add up to what the provider says it came to
fee_differs                 the fee is not the scheduled one, rounded either way
fee_unscheduled             a fee was kept and the schedule has no row for it
not_settled                 no payout holds the payment yet, within the stated days of the newest payout
settlement_missing          no payout holds it, for longer
exchange_difference         paid out in another currency, for another amount than the stated rate gives
tender_fee                  the fee of the schedule was kept; fees of a payout on their own
==========================  ====================================================================================================

A line is a payment's if its reference is the provider's, the transaction's or the payment's, and it goes the same way; equal ones pair up
in turn, first with equal amounts. What is left of several payments under one reference is compared together.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import polars as pl

from tieout.errors import InputError
from tieout.vocabulary import MONEY_MOVES, OUTCOMES
from transforms.reconcile.intake import taken
from transforms.reconcile.wording import digits_of, family, money, primary

COLUMNS: Final = (
    "group_ref", "storefront", "order_ref", "tender_code", "payouts", "occurred_on", "paid_out_on", "currency", "moved_minor", "gross_minor",
    "delta_minor", "fee_minor", "scheduled_fee_minor", "net_minor", "payout_currency", "payout_minor", "rate", "rate_source",
    "at_rate_minor", "exchange_minor", "outcome_code", "family_code", "secondary_codes", "evidence", "is_payment",
)  # fmt: skip
RATE: Final = pl.Decimal(28, 12)
_SCALE: Final = 10**8
"""Percentages and rates are worked with in steps of a hundred-millionth; finer ones are refused."""
_MOVED: Final = ("charge", "refund", "chargeback")
BEYOND: Final = {
    "storefront": pl.String(), "payout_ref": pl.String(), "tender_code": pl.String(), "currency": pl.String(), "paid_minor": pl.Int64(),
    "stated_most_minor": pl.Int64(), "stated_least_minor": pl.Int64(), "paid_out_on": pl.Date(),
}  # fmt: skip
"""What the payout lines of payments that are not given come to, by payout, tender and currency paid out: see `totalled`."""


@dataclass(frozen=True)
class Settled:
    """`rows` as recon.settlements; `footing`: proofs in the shape of the other tie-outs'."""

    rows: pl.DataFrame
    footing: pl.DataFrame


def settle(
    payments: pl.DataFrame, order_payments: pl.DataFrame, lines: pl.DataFrame, fees: pl.DataFrame, rates: pl.DataFrame, *, days: int = 10,
    beyond: pl.DataFrame | None = None,
) -> Settled:  # fmt: skip
    """Compare core.payments with core.payout_lines; `fees` and `rates` are the mappings of these names.

    `days`: how long before the newest payout of its storefront a payment may have moved and still wait. `beyond`: where `lines` are not all
    of their payouts', what the others come to, in the columns of `BEYOND`. Raises `InputError` for a
    percentage, amount, rate or date of the mappings that cannot be read.
    """
    schedule, quotes = _schedule(fees), _quotes(rates)
    moved = moved_of(payments, order_payments)
    paired = paired_lines(moved, lines)
    rest = pl.DataFrame(schema=BEYOND) if beyond is None else beyond.select(list(BEYOND))
    expected = _expected(moved, paired, schedule, lines, rest)
    rows = pl.concat([_payment_rows(expected, paired), _line_rows(lines, paired)], how="diagonal")
    rows = _with_fee(rows, schedule)
    rows = _with_rate(rows, quotes)
    days_paid = pl.concat(
        [lines.select("storefront", day=pl.col("paid_out_at").dt.date()), rest.select("storefront", day="paid_out_on")]
    )  # fmt: skip
    newest = days_paid.group_by("storefront").agg(newest=pl.col("day").max())
    judged = _judged(rows.join(newest, on="storefront", how="left"), days, bool(fees.height))
    whole = pl.concat([judged, _totals(lines, rest)], how="diagonal").with_columns(family_code=family())
    result = _worded(whole).select(COLUMNS).sort("group_ref", "currency")
    return Settled(result, _footing(result, expected, lines))


# --- the mappings -----------------------------------------------------------------------------------------------
def _schedule(fees: pl.DataFrame) -> pl.DataFrame:
    """fees.csv with percent in hundred-millionths, `fixed` as text turned into minor units per row's currency later, and dates."""
    rows = []
    # A loop over a hand-kept list of tens of rows: each value is read exactly, and a wrong one is named.
    for n, one in enumerate(fees.iter_rows(named=True), start=2):
        percent = _number(one["percent"], "fees.csv", n, "percent")
        fixed = _number(one["fixed"], "fees.csv", n, "fixed")
        rows.append({**one, "percent_scaled": _scaled(percent, "fees.csv", n), "fixed_text": fixed})
    found = pl.DataFrame(
        rows, schema={**fees.schema, "percent_scaled": pl.Int64, "fixed_text": pl.Decimal(28, 4)}
    )
    return _dated(found, "fees.csv")


def _quotes(rates: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {**one, "rate_scaled": _scaled(_number(one["rate"], "rates.csv", n, "rate"), "rates.csv", n)}
        for n, one in enumerate(rates.iter_rows(named=True), start=2)
    ]
    found = pl.DataFrame(rows, schema={**rates.schema, "rate_scaled": pl.Int64})
    return _dated(found, "rates.csv")


def _number(text: str | None, file: str, line: int, column: str) -> Decimal:
    try:
        found = Decimal(text) if text else Decimal(0)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise InputError(
            f"{file} line {line}: {column} '{text}' is not a number of zero or more; correct it."
        )
    return found


def _scaled(value: Decimal, file: str, line: int) -> int:
    scaled = value * _SCALE
    if scaled != scaled.to_integral_value() or scaled >= 10**15:
        raise InputError(
            f"{file} line {line}: {value} has more than eight decimals or is too large; correct it."
        )
    return int(scaled)


def _dated(rows: pl.DataFrame, file: str) -> pl.DataFrame:
    found = rows.with_columns(
        from_on=pl.col("valid_from_on").str.to_date("%Y-%m-%d", strict=False),
        until_on=pl.col("valid_until_on").str.to_date("%Y-%m-%d", strict=False),
    )
    wrong = found.filter(
        pl.col("from_on").is_null() | (pl.col("valid_until_on").is_not_null() & pl.col("until_on").is_null())
    )
    if wrong.height:
        raise InputError(f"{file}: '{wrong['valid_from_on'][0]}' to '{wrong['valid_until_on'][0]}' are no dates; write them like 2026-09-01.")  # fmt: skip
    return found


# --- who belongs to whom ----------------------------------------------------------------------------------------
def moved_of(payments: pl.DataFrame, order_payments: pl.DataFrame) -> pl.DataFrame:
    """Payments that moved money, numbered `p` in the order of their group_ref, money in positive."""
    named = (
        order_payments.group_by("storefront", "payment_ref").agg(named_ref=pl.col("order_ref").min())
        if order_payments.height
        else pl.DataFrame(schema={"storefront": pl.String, "payment_ref": pl.String, "named_ref": pl.String})
    )
    charge = pl.col("kind_code") == "charge"
    return (
        taken(payments, "payments")
        .filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES))
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(
            order_ref=pl.coalesce("order_ref", "named_ref"),
            group_ref=pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref"),
            moved_minor=pl.when(charge).then("amount_minor").otherwise(-pl.col("amount_minor")),
            occurred_on=pl.col("occurred_at").dt.date(),
            is_charge=charge,
        )
        .sort("group_ref")
        .with_row_index("p")
    )


def paired_lines(moved: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """(line, p): each line that is a payment's, by reference and direction, equal amounts first."""
    told = (
        lines.filter(pl.col("kind_code").is_in(list(_MOVED)) & pl.col("payment_ref").is_not_null())
        .sort("paid_out_at", "payout_ref", "line_ref")
        .select(
            "storefront", "payout_ref", "line_ref", "currency", "gross_minor", ref="payment_ref", is_charge=pl.col("kind_code") == "charge"
        )
    )  # fmt: skip
    names = pl.concat(
        moved.select("p", "storefront", "currency", "is_charge", "moved_minor", ref=column)
        for column in ("gateway_ref", "transaction_ref", "payment_ref")
    ).drop_nulls("ref").unique(["p", "ref"], keep="first", maintain_order=True)  # fmt: skip
    by = ["storefront", "ref", "is_charge"]
    name = ["storefront", "payout_ref", "line_ref"]
    # Equal amounts pair up in turn: the first line of an amount with the first payment of it.
    alike = [*by, "currency", "amount"]
    left = told.rename({"gross_minor": "amount"}).with_columns(turn=pl.int_range(pl.len()).over(alike))
    right = names.rename({"moved_minor": "amount"}).with_columns(turn=pl.int_range(pl.len()).over(alike))
    exact = left.join(right.select(*alike, "turn", "p"), on=[*alike, "turn"]).select(*name, "p")
    # What is left goes to the first payment of the reference: a repeat, or another amount.
    rest = told.join(exact, on=name, how="anti")
    first = names.sort("p").unique(by, keep="first", maintain_order=True).select(*by, "p")
    free = names.join(exact.select("p").unique(), on="p", how="anti").sort("p")
    open_ = free.unique(by, keep="first", maintain_order=True).select(*by, free_p="p")
    loose = rest.join(first, on=by).join(open_, on=by, how="left").select(*name, p=pl.coalesce("free_p", "p"))
    return pl.concat([exact, loose])


def _expected(
    moved: pl.DataFrame, paired: pl.DataFrame, schedule: pl.DataFrame, lines: pl.DataFrame, rest: pl.DataFrame
) -> pl.DataFrame:
    """Payments that payouts are expected for: of tenders that occur in payouts or in the schedule, of storefronts that have payouts."""
    seen = moved.join(paired.select("p").unique(), on="p", how="semi").select("storefront", "tender_code")
    seen = pl.concat([seen, rest.select("storefront", "tender_code")]).unique()
    fronts = pl.concat([lines.select("storefront"), rest.select("storefront")]).unique()
    planned = schedule.filter(pl.col("tender_code") != "*").select("tender_code").unique()
    known = moved.join(fronts, on="storefront", how="semi")
    in_seen = known.join(seen, on=["storefront", "tender_code"], how="semi", nulls_equal=True)
    in_plan = known.join(planned, on="tender_code", how="semi")
    return pl.concat([in_seen, in_plan]).unique("p", keep="first", maintain_order=True).sort("p")


def _payment_rows(expected: pl.DataFrame, paired: pl.DataFrame) -> pl.DataFrame:
    """One row per payment, with the lines that are its own kept for `_line_rows` to sum."""
    return expected.select(
        "p", "group_ref", "storefront", "order_ref", "tender_code", "kind_code", "occurred_on", "currency", "moved_minor",
        is_payment=pl.lit(True),
    )  # fmt: skip


def _line_rows(lines: pl.DataFrame, paired: pl.DataFrame) -> pl.DataFrame:
    """Lines as rows: those of payments carry `p`, the others stand for themselves."""
    name = ["storefront", "payout_ref", "line_ref"]
    return lines.join(paired, on=name, how="left").select(
        "p", "storefront", "payout_ref", "kind_code", "currency", "gross_minor", "fee_minor", "net_minor", "payout_currency", "payout_minor",
        group_ref=pl.concat_str(pl.lit("line:"), "storefront", pl.lit(":"), "line_ref"),
        paid_out_on=pl.col("paid_out_at").dt.date(), is_payment=pl.lit(False),
    )  # fmt: skip


# --- fee and rate -----------------------------------------------------------------------------------------------
def _with_fee(rows: pl.DataFrame, schedule: pl.DataFrame) -> pl.DataFrame:
    """Payments and lines brought together per payment, with the scheduled fee: exact in hundred-millionths of a percent."""
    payments = rows.filter("is_payment").select(
        "p",
        "group_ref",
        "storefront",
        "order_ref",
        "tender_code",
        "kind_code",
        "occurred_on",
        "currency",
        "moved_minor",
        "is_payment",
    )
    lines = rows.filter(~pl.col("is_payment"))
    # Money of one payment in a payout of another currency stands on a row of its own.
    own = lines.drop_nulls("p").group_by("p", "currency").agg(
        payouts=pl.col("payout_ref").unique().sort().str.join(","), n_lines=pl.len().cast(pl.Int64),
        paid_out_on=pl.col("paid_out_on").max(), gross_minor=pl.col("gross_minor").sum(), fee_minor=pl.col("fee_minor").sum(),
        net_minor=pl.col("net_minor").sum(), payout_currency=pl.col("payout_currency").max(), payout_minor=pl.col("payout_minor").sum(),
    )  # fmt: skip
    both = payments.join(own, on=["p", "currency"], how="full", coalesce=True)
    head = payments.select("p", head="group_ref", front="storefront", tender="tender_code", order="order_ref", kind="kind_code", day="occurred_on")  # fmt: skip
    both = both.join(head, on="p", how="left").with_columns(
        group_ref=pl.coalesce("group_ref", "head"), storefront=pl.coalesce("storefront", "front"), tender_code=pl.coalesce("tender_code", "tender"),
        order_ref=pl.coalesce("order_ref", "order"), kind_code=pl.coalesce("kind_code", "kind"), occurred_on=pl.coalesce("occurred_on", "day"),
        is_payment=pl.lit(True),
    ).drop("head", "front", "tender", "order", "kind", "day")  # fmt: skip
    loose = lines.filter(pl.col("p").is_null()).with_columns(
        payouts="payout_ref", n_lines=pl.lit(1, pl.Int64)
    )
    whole = pl.concat([both, loose.drop("payout_ref")], how="diagonal").with_columns(
        pl.col("moved_minor", "gross_minor", "fee_minor", "net_minor", "n_lines").fill_null(0)
    )
    whole = whole.with_row_index("n")
    asked = whole.filter(pl.col("is_payment") & (pl.col("n_lines") > 0))
    on = pl.coalesce("occurred_on", "paid_out_on")
    fits = asked.join(schedule, how="cross", suffix="_fee").filter(
        (pl.col("storefront_fee").is_in(["*"]) | (pl.col("storefront_fee") == pl.col("storefront")))
        & ((pl.col("tender_code_fee") == "*") | (pl.col("tender_code_fee") == pl.col("tender_code")).fill_null(False))
        & ((pl.col("kind_code_fee") == "*") | (pl.col("kind_code_fee") == pl.col("kind_code")))
        & ((pl.col("currency_fee") == "*") | (pl.col("currency_fee") == pl.col("currency")))
        & (on >= pl.col("from_on"))
        & (pl.col("until_on").is_null() | (on < pl.col("until_on")))
    )  # fmt: skip
    stars = pl.sum_horizontal((pl.col(f"{c}_fee") == "*").cast(pl.Int64) for c in ("storefront", "tender_code", "kind_code", "currency"))  # fmt: skip
    best = (
        fits.with_columns(stars=stars)
        .sort("n", "stars", "from_on", descending=[False, False, True])
        .unique("n", keep="first", maintain_order=True)
        .with_columns(fixed_minor=(pl.col("fixed_text") * pl.lit(10).pow(digits_of()).cast(pl.Decimal(28, 0))).cast(pl.Int64))
    )  # fmt: skip
    exact = pl.col("gross_minor").abs().cast(pl.Int128) * pl.col("percent_scaled")
    step = 100 * _SCALE
    fee = best.select(
        "n",
        least_fee=(exact // step).cast(pl.Int64) + pl.col("fixed_minor"),
        most_fee=((exact + step - 1) // step).cast(pl.Int64) + pl.col("fixed_minor"),
        scheduled_fee_minor=((exact + step // 2) // step).cast(pl.Int64) + pl.col("fixed_minor"),
    )
    return whole.join(fee, on="n", how="left")


def _with_rate(rows: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    """The stated rate of the day paid out, net at that rate (rounded half up), and the realised difference."""
    abroad = rows.drop_nulls("payout_currency").join(quotes, on=["currency", "payout_currency"])
    fits = (
        abroad.filter(
            (pl.col("paid_out_on") >= pl.col("from_on"))
            & (pl.col("until_on").is_null() | (pl.col("paid_out_on") < pl.col("until_on")))
        )
        .sort("n", "from_on", descending=[False, True])
        .unique("n", keep="first", maintain_order=True)
    )
    shift = digits_of("payout_currency") - digits_of("currency")
    up = pl.lit(10, pl.Int128).pow(shift.clip(lower_bound=0)).cast(pl.Int128)
    down = pl.lit(10, pl.Int128).pow((-shift).clip(lower_bound=0)).cast(pl.Int128) * _SCALE
    size = pl.col("net_minor").abs().cast(pl.Int128) * pl.col("rate_scaled") * up
    at_rate = (pl.col("net_minor").sign() * ((size + down // 2) // down).cast(pl.Int64)).cast(pl.Int64)
    found = fits.select(
        "n",
        rate=pl.col("rate").cast(RATE),
        rate_source="source",
        at_rate_minor=at_rate,
        exchange_minor=pl.col("payout_minor") - at_rate,
    )
    return rows.join(found, on="n", how="left")


# --- what it means ----------------------------------------------------------------------------------------------
def _judged(rows: pl.DataFrame, days: int, has_schedule: bool) -> pl.DataFrame:
    payment, has = pl.col("is_payment"), pl.col("n_lines") > 0
    gross, moved = pl.col("gross_minor"), pl.col("moved_minor")
    known = payment & has
    again = known & (moved != 0) & (gross != moved) & (gross % moved == 0) & (gross // moved > 1)
    waited = (pl.col("newest") - pl.col("occurred_on")).dt.total_days()
    waits = payment & ~has & (moved != 0)
    late = waits & (waited > days).fill_null(False)
    stray = ~payment & pl.col("kind_code").is_in(list(_MOVED))
    fee = pl.col("fee_minor") != 0
    scheduled = pl.col("scheduled_fee_minor").is_not_null()
    within = pl.col("fee_minor").is_between(pl.col("least_fee"), pl.col("most_fee"))
    flags = rows.select(
        settlement_without_payment=stray,
        duplicate_settlement=again,
        settlement_amount=known & (gross != moved) & ~again,
        fee_differs=known & scheduled & ~within & ~again,
        fee_unscheduled=known & fee & ~scheduled & has_schedule,
        settlement_missing=late,
        not_settled=waits & ~late,
        exchange_difference=known & (pl.col("exchange_minor") != 0),
        tender_fee=(known & fee & (within | (not has_schedule)))
        | (~payment & pl.col("kind_code").is_in(["fee", "adjustment"])),
    ).with_columns(pl.all().fill_null(False))
    flags = flags.with_columns(matched=~pl.any_horizontal(pl.all()))
    first, rest = primary({code: code for code in flags.columns})
    return pl.concat(
        [rows, flags.select(outcome_code=first, secondary_codes=rest)], how="horizontal"
    ).with_columns(delta_minor=moved - gross)


def totalled(lines: pl.DataFrame, *by: str) -> pl.DataFrame:
    """What payout lines come to by storefront, payout, currency paid out and `by`: paid_minor, stated_most_minor, stated_least_minor, paid_out_on."""
    paid = pl.coalesce("payout_minor", "net_minor")
    currency = pl.coalesce("payout_currency", "currency")
    return (
        lines.with_columns(paid=paid, paid_currency=currency)
        .group_by("storefront", "payout_ref", *by, currency="paid_currency")
        .agg(
            paid_minor=pl.col("paid").sum(),
            stated_most_minor=pl.col("stated_total_minor").max(),
            stated_least_minor=pl.col("stated_total_minor").min(),
            paid_out_on=pl.col("paid_out_at").max().dt.date(),
        )
    )


def _totals(lines: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """A row for each payout whose lines do not add up to what the provider says it came to."""
    own = totalled(lines)
    sums = (
        pl.concat([own, rest.select(own.columns)])
        .group_by("storefront", "payout_ref", "currency")
        .agg(
            summed=pl.col("paid_minor").sum(),
            stated=pl.col("stated_most_minor").max(),
            least=pl.col("stated_least_minor").min(),
            paid_out_on=pl.col("paid_out_on").max(),
        )
        .filter(pl.col("stated").is_not_null() & ((pl.col("summed") != pl.col("stated")) | (pl.col("least") != pl.col("stated"))))
    )  # fmt: skip
    zero = pl.lit(0, pl.Int64)
    return sums.select(
        "storefront", "currency", "paid_out_on", group_ref=pl.concat_str(pl.lit("payout:"), "storefront", pl.lit(":"), "payout_ref"), payouts="payout_ref",
        moved_minor=zero, gross_minor=zero, delta_minor=zero, fee_minor=zero, net_minor=zero, outcome_code=pl.lit("payout_total"),
        secondary_codes=pl.lit(""), is_payment=pl.lit(False), summed="summed", stated="stated",
    )  # fmt: skip


def _worded(rows: pl.DataFrame) -> pl.DataFrame:
    meaning = pl.col("outcome_code").replace_strict(
        {code: entry[1] for code, entry in OUTCOMES.items()}, return_dtype=pl.String
    )
    figures = pl.concat_str(
        pl.lit(" Moved "), money("moved_minor"), pl.lit(", in payouts "), money("gross_minor"), pl.lit(", fee "), money("fee_minor"), pl.lit(".")
    )  # fmt: skip
    fee = pl.when(pl.col("scheduled_fee_minor").is_not_null() & (pl.col("outcome_code") != "matched")).then(pl.concat_str(pl.lit(" Scheduled fee "), money("scheduled_fee_minor"), pl.lit("."))).otherwise(pl.lit(""))  # fmt: skip
    exchange = pl.when(pl.col("exchange_minor").fill_null(0) != 0).then(
        pl.concat_str(
            pl.lit(" Paid out "), money("payout_minor", "payout_currency"), pl.lit("; at the stated rate of "), "rate_source", pl.lit(" it is "),
            money("at_rate_minor", "payout_currency"), pl.lit(", realised difference "), money("exchange_minor", "payout_currency"), pl.lit("."),
        )
    ).otherwise(pl.lit(""))  # fmt: skip
    total = pl.when(pl.col("outcome_code") == "payout_total").then(
        pl.concat_str(pl.lit(" The lines add up to "), money("summed"), pl.lit(", the provider says "), money("stated"), pl.lit("."))
    ).otherwise(figures)  # fmt: skip
    return rows.with_columns(
        evidence=pl.when(pl.col("outcome_code") == "matched")
        .then(pl.lit("The payout holds what moved."))
        .otherwise(pl.concat_str(meaning, total, fee, exchange))
    )


def _footing(rows: pl.DataFrame, expected: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Every payment expected in a payout and every payout line is in a row."""
    pairs = (
        (
            "settlement rows hold all money expected in payouts",
            _of(rows, "moved_minor"),
            _of(expected, "moved_minor"),
        ),
        ("settlement rows hold every payout line", _of(rows, "gross_minor"), _of(lines, "gross_minor")),
        ("settlement rows hold every fee", _of(rows, "fee_minor"), _of(lines, "fee_minor")),
    )
    return pl.concat(
        left.rename({"amount": "left_minor"})
        .join(right.rename({"amount": "right_minor"}), on="currency", how="full", coalesce=True)
        .with_columns(
            pl.col("left_minor", "right_minor").fill_null(0), name=pl.lit(name), entity_code=pl.lit("")
        )
        .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
        .select("name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor")
        for name, left, right in pairs
    ).sort("name", "currency")


def _of(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by("currency").agg(amount=pl.col(column).sum())
