"""Tie-out 2, what it means: charges, refunds and chargebacks against AR receipts, and what the receipts are applied to.

==========================  ====================================================================================================
code                        holds when
==========================  ====================================================================================================
ambiguous                   a receipt's reference fits payments of several orders
currency, entity            the receipt stands in another currency or entity than the payment's order
payment_without_order       no order of the storefront belongs to the payment
chargeback                  money was taken back by the payer's bank and no negative receipt shows it
receipt_without_payment     a receipt in scope belongs to no payment
duplicate_receipt           the surplus is made of repeats of equal receipts
receipt_missing             the order is invoiced, money moved, and there is no receipt
short_paid, over_paid       there is a receipt of less, or more
misapplied                  part of the receipt is applied to documents of another order (also said on that order)
unapplied                   part of the receipt is on account although the order's invoices are open, or all of it is
rounding, within_tolerance  as for orders (`proofs`)
held, in_flight, prepaid    there is no receipt and the order is held, its receipt is in the outbox, or nothing is invoiced yet;
                            prepaid also if the receipt was dated when the invoice was, in a later period than the charge
cut_off                     equal amounts in different periods otherwise
gl_missing, gl_amount, …     refunds that are posted as journal entries have the code of their entry (see `refund_legs`)
cash_leg_elsewhere          refunds otherwise, by policy
not_owed                    money came and went for an order that was never invoiced
==========================  ====================================================================================================
"""

from __future__ import annotations

import polars as pl

from tieout.vocabulary import OUTCOMES
from transforms.queries import as_written
from transforms.reconcile.decided import explained
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.numbered import looked_up, put
from transforms.reconcile.payment_sides import sides, with_context
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import tolerated, without_tolerance
from transforms.reconcile.receipts import HOW, Paid
from transforms.reconcile.refund_legs import LEGS, by_entry, with_legs, worded
from transforms.reconcile.shared import payment_splits
from transforms.reconcile.wording import digits_of, family, money, primary

COLUMNS = (
    "group_ref", "storefront", "order_ref", "order_number", "store_ref", "entity_code", "currency", "kind_code", "tender_code",
    "gateway_ref", "occurred_on", "received_on", "receipts", "expected_minor", "actual_minor", "applied_minor", "delta_minor",
    "period_expected_minor", "period_actual_minor", "period_timing_minor", "period_delta_minor", "outcome_code", "family_code",
    "secondary_codes", "pass_no", "evidence", "is_in_period", "decision_id",
)  # fmt: skip


def payment_rows(inputs: Inputs, matched: Matched, paid: Paid, policy: Policy) -> pl.DataFrame:
    """Every payment group × entity × currency with both sides, outcome and evidence, as far as that can be told without other parts."""
    rows = with_legs(sides(paid, policy), inputs, paid, policy)
    rows = with_context(rows, inputs, matched, paid, policy)
    rows = _judged(rows, policy)
    apart = rows.filter((pl.col("delta_minor") != 0) & (pl.col("outcome_code") != "ambiguous"))
    split = payment_splits(apart.with_columns(key="n"), inputs, matched, paid).rename({"key": "n"})
    rows = worded(_worded(looked_up(rows, split, "n"), policy))
    rows = rows.with_columns(pl.col(LEGS).fill_null(0))
    columns = [*(name for name in COLUMNS if name != "decision_id"), "strict_code", "strict_evidence", *LEGS]
    return pl.concat([rows.select(columns), _paid_by_another(rows, matched, paid).select(columns)])


def settled_payments(rows: pl.DataFrame, refused: list[str], decisions: pl.DataFrame) -> pl.DataFrame:
    """Rows of `payment_rows` after what all parts say together: the tolerance used up (`refused` currencies), and decisions."""
    return explained(without_tolerance(rows, refused), decisions).select(COLUMNS)


def _judged(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    delta, base, actual = pl.col("delta_minor"), pl.col("is_base"), pl.col("actual_minor")
    away, lost, returned, asks = (pl.col(name) for name in ("away", "lost", "returned", "asks"))
    charge, chargeback = pl.col("kind_code") == "charge", pl.col("kind_code") == "chargeback"
    has, differs, rounds, waits, ahead = (
        pl.col(name) for name in ("has", "differs", "rounds", "waits", "ahead")
    )
    elsewhere, unanswered = pl.col("elsewhere_leg"), pl.col("unanswered")
    least, later, entered = pl.col("least"), pl.col("later"), pl.col("leg_code").is_not_null()
    # Each step is a column of its own: one expression for everything would be planned, and worked out, many times over.
    steps = (
        {
            "has": pl.col("n_receipts") > 0, "lost": base & pl.col("g").is_null(), "differs": delta != 0,
            "away": (~base & ~pl.col("is_orphan")) | (base & (delta != 0) & pl.col("other_entity").is_not_null()),
            "other_currency": pl.col("other_currency").fill_null(False),
        },
        {
            "returned": base & ~lost & ~has & ~entered & ~pl.col("is_billed") & ~pl.col("is_owing") & (pl.col("net_moved") == 0),
            "elsewhere_leg": (pl.col("kind_code") == "refund") & pl.lit(policy.refund_cash_leg == "elsewhere") & ~has & ~entered,
            "judged": pl.col("judges_applications") & has & base & ~lost,
            "settled": base & ~differs & has,
        },
        {"asks": base & ~away & ~lost & ~returned},
        {
            "rounds": (asks & has & differs & (pl.col("kept") == actual)).fill_null(False),
            "unanswered": asks & ~has & ~entered & (pl.col("expected_minor") != 0) & ~elsewhere,
            # Equal receipts: the surplus is so many of them again.
            "again": (
                (least == pl.col("most")) & (pl.col("n_receipts") > 1) & (least != 0) & (-delta % least == 0)
                & (-delta // least < pl.col("n_receipts")) & (delta < 0)
            ).fill_null(False),
            "other": pl.col("judged") & (pl.col("applied_all") != pl.col("applied_minor")),
            "loose": pl.col("judged") & charge & (pl.col("applied_all") < actual)
            & ((pl.col("is_billed") & (pl.col("applied_all") == 0)) | pl.col("order_open")),
            "later": base & ~differs & (has | entered) & (pl.col("period_expected_minor") != pl.col("period_actual_minor")),
        },
        {
            "tolerant": (asks & has & ~rounds & tolerated(policy.tolerance)).fill_null(False),
            "waits": unanswered & charge & pl.col("state").is_not_null(),
            "advance": pl.col("settled") & pl.lit(policy.period is not None) & charge & (
                (later & (pl.col("billed_on") > pl.col("occurred_on")) & (pl.col("received_on") == pl.col("billed_on")))
                | (~pl.col("is_billed") & ~lost)
            ),
            "returned_money": asks & ~has & chargeback, "elsewhere_leg": asks & elsewhere,
        },
        {"ahead": unanswered & charge & ~waits & ~pl.col("is_billed")},
        {"missing": unanswered & ~waits & ~ahead & ~chargeback},
    )  # fmt: skip
    known = rows.lazy()
    for step in steps:
        known = known.with_columns(**step)
    facts = as_written(known)
    lenient = _flagged(facts, strict=False)
    codes = [code for code in lenient.columns if code != "n"]
    first, rest = primary({code: code for code in codes})
    # Nearly all rows are plainly matched; only the others need their codes put in order.
    odd = lenient.filter(~pl.col("matched")).select("n", outcome_code=first, secondary_codes=rest)
    if facts["tolerant"].any():
        strict = _flagged(facts[odd["n"]], strict=True).select(strict_code=first)
    else:
        # Where tolerance accepts nothing, leaving it out changes nothing.
        strict = odd.select(strict_code="outcome_code")
    rows = rows.with_columns(
        outcome_code=pl.lit("matched"), secondary_codes=pl.lit(""), strict_code=pl.lit("matched")
    )
    return put(rows, odd["n"], odd.drop("n").hstack(strict))


def _flagged(facts: pl.DataFrame, *, strict: bool) -> pl.DataFrame:
    """One flag column per code, in the rows' order; `strict` leaves tolerance out."""
    accepts = pl.lit(False) if strict else pl.col("tolerant")
    steps = facts.with_columns(accepts=accepts).with_columns(
        wrong=pl.col("asks") & pl.col("has") & pl.col("differs") & ~pl.col("rounds") & ~pl.col("accepts")
    )
    wrong, waits, state, again = pl.col("wrong"), pl.col("waits"), pl.col("state"), pl.col("again")
    delta = pl.col("delta_minor")
    agrees = by_entry("matched") | by_entry("cut_off")
    flags = steps.select(
        "n",
        ambiguous=pl.col("is_ambiguous") | by_entry("ambiguous"),
        currency=(pl.col("away") & pl.col("other_currency")) | by_entry("currency"),
        entity=(pl.col("away") & ~pl.col("other_currency")) | by_entry("entity"),
        payment_without_order="lost",
        chargeback="returned_money",
        receipt_without_payment="is_orphan",
        duplicate_receipt=wrong & again,
        receipt_missing="missing",
        short_paid=wrong & ~again & (delta > 0),
        over_paid=wrong & ~again & (delta < 0),
        misapplied="other",
        unapplied=pl.col("loose") & ~pl.col("other"),
        gl_missing=by_entry("gl_missing"),
        gl_amount=by_entry("gl_amount") | (agrees & pl.col("differs")),
        rounding=pl.col("rounds") | by_entry("rounding"),
        within_tolerance="accepts",
        held=(waits & (state == "held")) | by_entry("held"),
        in_flight=(waits & (state == "in_flight")) | by_entry("in_flight"),
        prepaid=(waits & (state == "prepaid")) | pl.col("ahead") | pl.col("advance"),
        cut_off=pl.col("later") & ~pl.col("advance").fill_null(False),
        cash_leg_elsewhere=pl.col("elsewhere_leg") | by_entry("cash_leg_elsewhere"),
        not_owed="returned",
    ).with_columns(pl.exclude("n").fill_null(False))
    return flags.with_columns(matched=~pl.any_horizontal(pl.exclude("n")))


def _worded(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    attributed = (
        pl.when(pl.col("delta_minor") < 0)
        .then(pl.coalesce("received_on", "occurred_on"))
        .otherwise(pl.coalesce("occurred_on", "received_on"))
    )
    rows = put(rows, *_names(rows)).with_columns(attributed_on=attributed)
    rows = rows.with_columns(
        period_delta_minor=pl.when(policy.in_period("attributed_on", "entity"))
        .then("delta_minor")
        .otherwise(0)
    ).with_columns(
        period_timing_minor=pl.col("period_expected_minor")
        - pl.col("period_actual_minor")
        - pl.col("period_delta_minor"),
        is_in_period=policy.in_period("occurred_on", "entity") | policy.in_period("received_on", "entity"),
    )
    digits = pl.col("digits")
    figures = pl.concat_str(
        pl.lit(" Moved "), money("expected_minor", digits=digits), pl.lit(", received "), money("actual_minor", digits=digits),
        pl.lit(", difference "), money("delta_minor", digits=digits), pl.lit("."),
    )  # fmt: skip
    meaning = {c: entry[1] for c, entry in OUTCOMES.items()}
    aside = (
        pl.when((pl.col("outcome_code") == "misapplied") & pl.col("elsewhere").is_not_null())
        .then(pl.concat_str(pl.lit(" Applied to "), "elsewhere", pl.lit(".")))
        .otherwise(pl.lit(""))
    )
    why = (
        pl.when(pl.col("why").is_not_null() & pl.col("outcome_code").is_in(["held", "in_flight", "prepaid"]))
        .then(pl.concat_str(pl.lit(" "), "why"))
        .otherwise(pl.lit(""))
    )
    split = (
        pl.when(pl.col("split").is_not_null()).then(pl.concat_str(pl.lit(" "), "split")).otherwise(pl.lit(""))
    )
    # Sentences of figures are for the rows that need them; nearly all are plainly matched.
    odd = rows.select((pl.col("outcome_code") != "matched").arg_true()).to_series()
    told = (
        rows[odd]
        .with_columns(digits=digits_of())
        .select(
            family_code=family(),
            evidence=pl.concat_str(
                pl.col("outcome_code").replace_strict(meaning, return_dtype=pl.String),
                figures,
                aside,
                why,
                split,
            ),
            strict_evidence=pl.when(pl.col("outcome_code") == "within_tolerance").then(
                pl.concat_str(pl.col("strict_code").replace_strict(meaning, return_dtype=pl.String), figures)
            ),
        )
    )
    agreed = pl.Series([f"Money and receipt agree; the receipt was found because {how}." for how in HOW])
    rows = rows.with_columns(
        family_code=pl.lit("matched"),
        evidence=agreed[rows["how"].fill_null(0)],
        strict_evidence=pl.lit(None, pl.String),
    )
    return put(rows, odd, told).rename({"entity": "entity_code"})


_NAMES = ("group_ref", "storefront", "order_ref", "order_number", "store_ref", "kind_code", "gateway_ref")


def _names(rows: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """Where the few rows are that are not simply a payment's own, and their names: of groups in several places that of the payments' own
    place, of receipts without a payment their own."""
    at = pl.int_range(pl.len(), dtype=pl.UInt32)
    chosen = rows.lazy().select(
        "grp", "is_base", "is_tied", "is_orphan", "receipts", "receipt_reference", *_NAMES, at=at
    )
    few = chosen.filter(~pl.col("is_base") | pl.col("is_tied") | pl.col("storefront").is_null()).collect()
    heads = (
        chosen.filter("is_base", "is_tied")
        .select("grp", *(pl.col(name).alias(f"head_{name}") for name in _NAMES[:-1]))
        .unique("grp", keep="first", maintain_order=True)
        .collect()
    )
    found = few.join(heads, on="grp", how="left", maintain_order="left")
    orphan = pl.concat_str(pl.lit("intacct:receipt:"), "receipts")
    named = {name: pl.coalesce(name, f"head_{name}") for name in _NAMES[:-1]}
    return found["at"], found.select(
        **named | {
            "group_ref": pl.coalesce("group_ref", "head_group_ref", pl.when(~pl.col("is_base")).then(orphan)),
            "kind_code": pl.coalesce("kind_code", "head_kind_code", pl.lit("receipt")),
            # What an orphan receipt says it is for is the only lead to its payment.
            "gateway_ref": pl.coalesce("gateway_ref", pl.when("is_orphan").then("receipt_reference")),
        }
    ).with_columns(pl.col("storefront", "store_ref").fill_null(""))  # fmt: skip


def _paid_by_another(rows: pl.DataFrame, matched: Matched, paid: Paid) -> pl.DataFrame:
    """The other end of a misapplied receipt: the order whose invoice was paid with another order's money, with no amounts of its own."""
    odd = rows.filter(pl.col("outcome_code") == "misapplied").select("grp").unique()
    if odd.is_empty():
        return rows.clear()
    receipts = paid.receipts.select(
        "r", "grp", "entity", "currency", "received_on", "receipt_ref", "in_scope", "is_counted"
    ).join(odd.cast(paid.receipts.schema["grp"]), on="grp", how="semi")
    own = paid.payments.select("grp", "order_grp").join(receipts, on="grp", how="semi").unique("grp")
    strayed = (
        paid.applied.join(receipts.filter("in_scope", "is_counted"), on="r")
        .join(own, on="grp")
        .filter(
            pl.col("order_grp").is_not_null()
            & (pl.col("paid_grp") != pl.col("order_grp"))
            & ~pl.col("is_orphan").fill_null(True)
        )
    )
    orders = matched.orders.select(
        "storefront", "order_ref", "order_number", "store_ref", paid_grp="g", its_name="group_ref"
    )
    zero = pl.lit(0, pl.Int64)
    return strayed.join(orders, on="paid_grp").select(
        "storefront", "order_ref", "order_number", "store_ref", "currency", "received_on",
        group_ref=pl.concat_str(pl.lit("intacct:application:"), "application_ref"), entity_code="entity",
        kind_code=pl.lit("receipt"), tender_code=pl.lit(None, pl.String), gateway_ref=pl.lit(None, pl.String),
        occurred_on=pl.lit(None, pl.Date), receipts="receipt_ref", expected_minor=zero, actual_minor=zero,
        applied_minor="amount_minor", delta_minor=zero, period_expected_minor=zero, period_actual_minor=zero,
        period_timing_minor=zero, period_delta_minor=zero, outcome_code=pl.lit("misapplied"), family_code=pl.lit("error"),
        secondary_codes=pl.lit(""), pass_no=zero,
        evidence=pl.concat_str(pl.lit("The invoice "), "document", pl.lit(" of this order was paid with "), money("amount_minor"),
                               pl.lit(" of a receipt that belongs to another order.")),
        is_in_period=pl.lit(True), strict_code=pl.lit("misapplied"), strict_evidence=pl.lit(None, pl.String),
        **dict.fromkeys(LEGS, zero),
    )  # fmt: skip
