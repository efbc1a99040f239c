"""Tie-out 1, what it means: one primary outcome per row by published precedence, the others beside it, and the reason in words.

==============================  ================================================================================================
code                            holds when (S, C: owed sales and credits; I, M: invoices and memos; Δ = S + C − I − M)
==============================  ================================================================================================
ambiguous                       a document of the group fits several orders equally well
missing_order                   a document in scope belongs to no order, unless a debit memo takes it back whole
cancelled_but_invoiced          the order is cancelled, no sale is owed, and I + M > 0
currency, entity                the document stands in another currency or entity: its row, and the order's own while Δ ≠ 0
duplicate_invoice               I − S is what the repeats of equal invoices add up to
missing_invoice                 a sale is owed and there is no invoice; or Δ is one owed sale and invoices are fewer than sales
over_invoiced                   I > S, no duplicate: nothing is owed yet, several invoices, or the whole order invoiced for a part
refund_without_credit_memo      C < M and fewer memos than refunds
credit_memo_without_refund      C > M and more memos than refunds; a negative document without an order. What a debit memo takes back
                                is no memo any more, and the debit memo is no invoice (see `taken_back`)
amount_<component>              Δ ≠ 0 otherwise, and exactly one component differs
amount_total                    Δ ≠ 0 otherwise; or Δ = 0 and components differ against each other
customer                        Δ = 0 and the document is on another customer than the order's
rounding, within_tolerance      see `proofs`
held, in_flight                 Δ is what waits; or the order is held and nothing of it is in Intacct
cut_off                         Δ = 0 and the period's two sums differ
partially_shipped               Δ = 0, S is less than the order's total and the rest still comes
not_yet_recognised, not_owed    nothing is owed, nothing is invoiced
matched                         everything else that agrees
==============================  ================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tieout.vocabulary import COMPONENTS
from transforms.reconcile.comparing import A_, E_, Ready
from transforms.reconcile.facts import (
    dates,
    derivations,
    repeats,
    tied_places,
    unmet_sales,
    waiting_parts,
)
from transforms.reconcile.numbered import looked_up, put, row_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import ledger_precision, tolerated
from transforms.reconcile.wording import primary, step_of

PARTS = ("goods", "gift_card", "discount", "shipping", "fees", "tax")


@dataclass(frozen=True)
class Known:
    """What is known of single orders beside the amounts: `waiting` and `excluded` by g, `ambiguous` by grp, tax rows by g."""

    waiting: pl.DataFrame
    excluded: pl.DataFrame
    ambiguous: pl.DataFrame
    order_lines: pl.LazyFrame | None


def judged(rows: pl.DataFrame, stock: Ready, known: Known, policy: Policy) -> pl.DataFrame:
    """Rows of one bucket with outcome_code, strict_code (the code if no tolerance is granted), secondary_codes, attributed_on.

    Most rows agree in everything and are told apart by one vectorised test; only what is left takes part in the reasoning.
    """
    grp = pl.col("grp")
    tied = ((grp == grp.shift(1)) | (grp == grp.shift(-1))).fill_null(False)
    customer = pl.col("customer").hash()
    mismatch = (
        pl.col("customer").is_not_null()
        & pl.col("customer_low").is_not_null()
        & ((pl.col("customer_low") != customer) | (pl.col("customer_high") != customer))
    )
    doubtful = known.ambiguous.get_column("grp").cast(pl.Int64)
    rows = rows.with_columns(
        is_base=pl.col("g").is_not_null(),
        is_tied=tied,
        other_customer=mismatch,
        is_ambiguous=grp.is_in(doubtful.implode()) if len(doubtful) else pl.lit(False),
        same_parts=pl.all_horizontal(pl.col(e) == pl.col(a) for e, a in zip(E_, A_, strict=True)),
        is_part=pl.col("g").is_not_null()
        & (pl.col("n_sales") > 0)
        & (pl.col("sales_minor") < pl.col("gross_minor"))
        & ~pl.col("is_cancelled").fill_null(False)
        & (pl.col("status_code") != "complete").fill_null(True),
    )
    quiet = (
        pl.col("is_base") & (pl.col("n_documents") > 0) & (pl.col("n_sales") > 0) & (pl.col("delta_minor") == 0)
        & pl.col("same_parts") & ~pl.col("is_tied") & ~pl.col("other_customer") & ~pl.col("is_ambiguous") & ~pl.col("is_part")
        & (pl.col("period_expected_minor") == pl.col("period_actual_minor")) & (pl.col("n_invoices") > 0)
    )  # fmt: skip
    bare = (
        pl.col("is_base")
        & (pl.col("n_documents") == 0)
        & (pl.col("n_sales") == 0)
        & (pl.col("n_credits") == 0)
        & ~pl.col("is_tied")
    )
    rows = rows.with_columns(path=pl.when(quiet).then(0).when(bare).then(1).otherwise(2).cast(pl.UInt8))
    apart = [rows.select((pl.col("path") == at).arg_true()).to_series() for at in (1, 2)]
    told = [
        _nothing_owed(rows.select("key", "g", "is_cancelled", "is_test", "gross_minor")[apart[0]], known),
        _reasoned(rows[apart[1]], stock, known, policy),
    ]
    verdicts = pl.concat(told)
    quiet_rows = rows.with_columns(
        outcome_code=pl.lit("matched"),
        strict_code=pl.lit("matched"),
        secondary_codes=pl.lit(""),
        attributed_on=pl.lit(None, pl.Date),
        reason=pl.lit(None, pl.String),
    )
    return put(quiet_rows, pl.concat(apart), verdicts.drop("key"))


VERDICT = ("key", "outcome_code", "strict_code", "secondary_codes", "attributed_on", "reason")


def _nothing_owed(rows: pl.DataFrame, known: Known) -> pl.DataFrame:
    whole = known.waiting.filter(pl.col("state").is_in(["held", "in_flight"]))
    first, rest = primary(
        {
            "held": ((pl.col("state") == "held") | (pl.col("excluded_code") == "held")).fill_null(False),
            "in_flight": (pl.col("state") == "in_flight").fill_null(False),
            "not_yet_recognised": ~pl.col("nothing") & ~(pl.col("excluded_code") == "held").fill_null(False),
            "not_owed": pl.col("nothing"),
        }
    )
    return (
        looked_up(looked_up(rows, whole, "g"), known.excluded, "g")
        .with_columns(
            nothing=pl.col("is_cancelled") | pl.col("is_test") | (pl.col("gross_minor") == 0)
            | (pl.col("excluded_code") == "not_owed").fill_null(False)
        )
        .with_columns(outcome_code=first, secondary_codes=rest)
        .with_columns(
            strict_code=pl.col("outcome_code"), attributed_on=pl.lit(None, dtype=pl.Date),
            reason=pl.coalesce("reason", "excluded_reason"),
        )
        .select(VERDICT)
    )  # fmt: skip


def _reasoned(rows: pl.DataFrame, stock: Ready, known: Known, policy: Policy) -> pl.DataFrame:
    events, documents = (
        _of(frame, rows)
        for frame in (stock.events, stock.documents.select("key", "total_minor", "posted_on", "takes"))
    )
    found = rows
    for facts, on in (
        (known.waiting.filter(pl.col("state") != "prepaid"), "g"),
        (tied_places(rows), "key"),
        (waiting_parts(events), "key"),
        (repeats(rows, documents), "key"),
        (unmet_sales(rows, events), "key"),
        (ledger_precision(events, policy), "key"),
        (derivations(rows, known.order_lines), "g"),
        (dates(rows, events, documents), "key"),
    ):
        found = looked_up(found, facts, on)
    d = {name: pl.col(e) - pl.col(a) for name, e, a in zip(COMPONENTS, E_, A_, strict=True)}
    found = found.with_columns(
        # What waits by itself is not compared, unless it is the whole difference.
        *((d[name] - pl.col(f"w_{name}").fill_null(0)).alias(f"d_{name}") for name in COMPONENTS),
        state=pl.coalesce("state", "event_state"),
        step=step_of(policy.ledger_digits),
        credits_minor=pl.col("expected_minor") - pl.col("sales_minor"),
        memos_minor=pl.col("actual_minor") - pl.col("invoiced_minor"),
        gap=pl.col("delta_minor") - pl.col("waiting_minor"),
    ).with_columns(
        ds=pl.col("sales_minor") - pl.col("invoiced_minor"),
        dc=pl.col("credits_minor") - pl.col("memos_minor"),
        # Each line of a coarser ledger may lose half a step; below that a component does not differ.
        slack=pl.when(pl.col("step") > 1).then(pl.col("step") * pl.col("n_lines") // 2).otherwise(0),
    )
    found = found.with_columns(*((pl.col(f"d_{p}").abs() > pl.col("slack")).alias(f"x_{p}") for p in PARTS))
    found = found.with_columns(
        n_parts=pl.sum_horizontal(pl.col(f"x_{p}").cast(pl.Int64) for p in PARTS),
        parts_known=(pl.col("unlined_minor") == 0) & (pl.col("d_other").abs() <= pl.col("slack")),
    )
    found = _with_facts(found, policy)
    told = found.select("key", "attributed_on", reason=pl.coalesce("proof", "reason"))
    lenient = _flagged(found, strict=False)
    # Where tolerance accepts nothing, leaving it out changes nothing.
    strict = _flagged(found, strict=True) if found["accepts"].any() else lenient
    codes = [name for name in lenient.columns if name != "key"]
    first, rest = primary({code: code for code in codes})
    return pl.concat(
        [told, lenient.select(outcome_code=first, secondary_codes=rest), strict.select(strict_code=first)],
        how="horizontal",
    ).select(VERDICT)


def _of(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """What stands at the keys of rows, with their currency."""
    at = row_of(rows["key"], frame["key"])
    mine = at.is_not_null()
    return frame.filter(mine).with_columns(currency=rows["currency"][at.drop_nulls()])


def _with_facts(found: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    delta, base = pl.col("delta_minor"), pl.col("is_base")
    cancelled = pl.col("is_cancelled").fill_null(False)
    nothing_there = pl.col("n_documents") == 0
    held = pl.col("state").is_not_null()
    only_tax = (
        pl.col("parts_known") & pl.col("x_tax") & (pl.col("n_parts") == 1) & (pl.col("d_rounding") == 0)
    )
    # Where prices include tax the total agrees, and what tax gains the goods lose.
    inside = (
        pl.col("parts_known") & (delta == 0) & pl.col("x_tax") & (pl.col("n_parts") == 2) & (pl.col("d_rounding") == 0)
        & ((pl.col("d_goods") == -pl.col("d_tax")) | (pl.col("d_shipping") == -pl.col("d_tax")))
    )  # fmt: skip
    by_rule = (only_tax | inside) & pl.col("derived").is_not_null()
    own = (
        pl.col("parts_known") & (pl.col("expected_rounding_minor") != 0) & (pl.col("actual_rounding_minor") == 0)
        & (
            ((pl.col("n_parts") == 0) & (delta == pl.col("expected_rounding_minor")))
            | ((pl.col("n_parts") == 1) & (delta == 0))
        )
    )  # fmt: skip
    kept = (pl.col("kept_minor") == pl.col("actual_minor")) & (delta != 0)
    both_sides = (pl.col("n_sales") > 0) & (pl.col("n_invoices") > 0)
    gap = pl.col("gap") != 0
    return found.with_columns(
        misplaced=(~base & ~pl.col("is_orphan"))
        | (pl.col("has_contra").fill_null(False) & base & (delta != 0)),
        waits=held & base & (nothing_there | ((delta != 0) & ~gap)),
        rounds=base & both_sides & (kept | by_rule | own).fill_null(False),
        proof=pl.when(base & both_sides & by_rule.fill_null(False)).then("derived"),
        accepts=base & both_sides & tolerated(policy.tolerance).fill_null(False),
        uncancelled=base & cancelled & (pl.col("n_sales") == 0) & (pl.col("actual_minor") > 0),
    ).with_columns(
        open_question=base
        & ~pl.col("misplaced")
        & ~pl.col("waits")
        & ~pl.col("rounds")
        & ~pl.col("uncancelled"),
    )


def _flagged(found: pl.DataFrame, *, strict: bool) -> pl.DataFrame:
    """One flag column per code, in the rows' order; `strict` leaves tolerance out.

    Built in steps, each of them a column: one expression for everything would be planned many times over.
    """
    delta, asks, gap = pl.col("delta_minor"), pl.col("open_question"), pl.col("gap") != 0
    single = pl.col("parts_known") & (pl.col("n_parts") == 1)
    sold, unbilled = pl.col("n_sales") > 0, pl.col("n_invoices") == 0
    steps = found.with_columns(
        single=single,
        repeats=pl.col("repeats").fill_null(False),
        whole_for_part=pl.col("whole_for_part").fill_null(False),
        accepts=pl.lit(False) if strict else pl.col("accepts") & asks,
        other_currency=pl.col("other_currency").fill_null(False),
        other_entity=pl.col("other_entity").fill_null(False),
    ).with_columns(wrong=asks & ~pl.col("accepts") & gap)
    wrong = pl.col("wrong")
    steps = steps.with_columns(
        missing_invoice=(asks & sold & unbilled & (pl.col("n_memos") == 0))
        | (wrong & sold & (unbilled | pl.col("one_unmet").fill_null(False))),
        duplicate_invoice=wrong & (pl.col("ds") < 0) & pl.col("repeats"),
        over_invoiced=wrong & (pl.col("ds") < 0) & (delta < 0) & ~pl.col("repeats")
        & (~sold | pl.col("whole_for_part") | ((pl.col("n_invoices") > 1) & ~pl.col("single"))),
        credit_memo_without_refund=wrong & (pl.col("dc") > 0) & (pl.col("n_memos") > pl.col("n_credits")),
    ).with_columns(
        refund_without_credit_memo=wrong & (pl.col("dc") < 0) & (pl.col("n_memos") < pl.col("n_credits")) & ~pl.col("missing_invoice")
    )  # fmt: skip
    kinds = (
        "missing_invoice",
        "duplicate_invoice",
        "over_invoiced",
        "credit_memo_without_refund",
        "refund_without_credit_memo",
    )
    shifted = (
        asks & ~pl.col("accepts") & (delta == 0) & pl.col("parts_known") & (pl.col("n_parts") > 0) & ~pl.col("missing_invoice")
    )  # fmt: skip
    steps = steps.with_columns(amount=wrong & ~pl.any_horizontal(kinds))
    amount, misplaced = pl.col("amount"), pl.col("misplaced")
    orphan = pl.col("is_orphan") & ~(pl.col("is_settled") & (delta == 0))
    waits = pl.col("waits") | (delta != 0)
    flags = steps.select(
        pl.col(*kinds).exclude("credit_memo_without_refund"),
        credit_memo_without_refund=pl.col("credit_memo_without_refund")
        | (orphan & (pl.col("actual_minor") < 0)),
        ambiguous="is_ambiguous",
        missing_order=orphan,
        cancelled_but_invoiced="uncancelled",
        currency=misplaced & pl.col("other_currency"),
        entity=misplaced & (pl.col("other_entity") | ~pl.col("other_currency")),
        **{f"amount_{p}": amount & pl.col("single") & pl.col(f"x_{p}") for p in PARTS},
        amount_total=(amount & ~pl.col("single")) | shifted,
        customer=pl.col("other_customer") & ~misplaced & pl.col("is_base"),
        rounding=pl.col("rounds") & ~misplaced,
        within_tolerance="accepts",
        held=(pl.col("state") == "held").fill_null(False) & waits,
        in_flight=(pl.col("state") == "in_flight").fill_null(False) & waits,
        cut_off=pl.col("is_base")
        & (delta == 0)
        & (pl.col("period_expected_minor") != pl.col("period_actual_minor")),
        partially_shipped="is_part",
        differs=delta != 0,
        sold=sold,
    )
    said = pl.any_horizontal(pl.exclude("differs", "sold"))
    flags = flags.with_columns(pl.exclude("differs", "sold").fill_null(False)).with_columns(said=said)
    quiet = ~pl.col("said") & ~pl.col("differs")
    # A row that says nothing else and still differs is an error by definition; it cannot be silently zero.
    return flags.with_columns(
        amount_total=pl.col("amount_total") | (~pl.col("said") & pl.col("differs")),
        matched=quiet & pl.col("sold"),
        not_owed=quiet & ~pl.col("sold"),
    ).drop("differs", "sold", "said")
