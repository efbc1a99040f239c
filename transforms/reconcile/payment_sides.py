"""Tie-out 2, how much: what moved against what was received, per group, entity and currency, and what the order says about it."""

from __future__ import annotations

import polars as pl

from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched, of_orders, sizes
from transforms.reconcile.numbered import all_of, among, by_place, looked_up, row_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid
from transforms.reconcile.wording import rounded_half_up, step_of

KEY = ["grp", "entity", "currency"]
_RECEIVED = (
    "r", "total_minor", "received_on", "pass_no", "is_orphan", "how", "receipt_ref", "reference",
)  # fmt: skip


def sides(paid: Paid, policy: Policy) -> pl.DataFrame:
    """Both sides of every payment group, numbered `n` in the order of their keys."""
    expected = _payment_rows(paid.payments).with_columns(is_in=policy.in_period("occurred_on", "entity"))
    expected = expected.with_columns(
        period_expected_minor=pl.when("is_in").then("expected_minor").otherwise(0)
    ).drop("is_in")
    # Amounts of several partial captures were summed; the period's part is summed from the payments themselves.
    several = paid.payments.filter(pl.col("p") != pl.col("grp")).select("grp").unique()
    if several.height:
        parts = paid.payments.join(several, on="grp", how="semi").with_columns(
            is_in=policy.in_period("occurred_on", "entity")
        )
        sums = parts.group_by("key").agg(part=pl.col("amount_minor").filter("is_in").sum())
        expected = looked_up(expected, sums, "key").with_columns(
            period_expected_minor=pl.coalesce("part", "period_expected_minor")
        )
        expected = expected.drop("part")
    counted = (
        paid.receipts.lazy()
        .filter("in_scope", "is_counted")
        .select("key", *KEY, *_RECEIVED)
        .collect()
        .rechunk()
    )
    keys = all_of(expected["key"], counted["key"])
    rows = expected.drop("key").rechunk()[row_of(expected["key"], keys)].with_columns(key=keys)
    rows = rows.hstack(_receipts(paid, counted, keys, policy))
    return (
        rows.with_columns(pl.coalesce(name, f"{name}_there").alias(name) for name in KEY)
        .drop(f"{name}_there" for name in KEY)
        .with_columns(
            pl.col("expected_minor", "period_expected_minor").fill_null(0),
            is_orphan=pl.col("is_orphan").fill_null(False),
        )
        .with_row_index("n")
    )


def _receipts(paid: Paid, counted: pl.DataFrame, keys: pl.Series, policy: Policy) -> pl.DataFrame:
    """What was received, for each of the keys in their order."""
    applied = paid.applied.select(applied_all="amount_minor")
    applied = by_place(applied, paid.applied["r"], paid.receipts.height, pl.all().sum())
    found = counted.select(
        actual_minor="total_minor",
        period_actual_minor=pl.when(policy.in_period("received_on", "entity"))
        .then("total_minor")
        .otherwise(0),
        applied_all=applied["applied_all"][counted["r"]],
        n_receipts=pl.lit(1, pl.Int64),
        pass_no=pl.col("pass_no").cast(pl.Int64),
        most="total_minor",
        received_on="received_on",
        is_orphan="is_orphan",
        how="how",
        least="total_minor",
        receipts="receipt_ref",
        receipt_reference="reference",
        **{f"{name}_there": name for name in KEY},
    )
    rows = by_place(
        found,
        row_of(keys, counted["key"]),
        len(keys),
        pl.col("actual_minor", "period_actual_minor", "applied_all", "n_receipts").sum(),
        pl.col("pass_no", "most", "received_on", "is_orphan", "how").max(),
        pl.col("least", "receipts", "receipt_reference").min(),
        pl.col(f"{name}_there" for name in KEY).first(),
    )
    again = keys.filter(rows["n_receipts"] > 1)
    if again.is_empty():
        return rows
    listed = (
        counted.filter(pl.col("key").is_in(again.implode()))
        .sort("receipt_ref")
        .group_by("key", maintain_order=True)
        .agg(listed=pl.col("receipt_ref").str.join(","))
    )
    return rows.with_columns(receipts=pl.coalesce(listed["listed"][row_of(listed["key"], keys)], "receipts"))


def _payment_rows(payments: pl.DataFrame) -> pl.DataFrame:
    chosen = payments.select(
        "key", *KEY, "group_ref", "storefront", "order_ref", "order_number", "store_ref", "kind_code", "tender_code", "gateway_ref",
        "occurred_on", "g", "order_grp", "event_ref", expected_minor="amount_minor", n_payments=pl.lit(1, pl.Int64),
    )  # fmt: skip
    several = payments.filter(pl.col("p") != pl.col("grp")).select("grp").unique()
    if several.is_empty():
        return chosen
    tied = chosen.join(several, on="grp", how="semi").sort("group_ref")
    summed = tied.group_by("key", maintain_order=True).agg(
        pl.exclude("occurred_on", "expected_minor", "n_payments").first(),
        pl.col("occurred_on").max(),
        pl.col("expected_minor", "n_payments").sum(),
    )
    return pl.concat([chosen.join(several, on="grp", how="anti"), summed.select(chosen.columns)])


def with_context(
    rows: pl.DataFrame, inputs: Inputs, matched: Matched, paid: Paid, policy: Policy
) -> pl.DataFrame:
    """What the order says: whether it is invoiced, still open, held or in flight; what the receipts are applied to."""
    whole, single = _waiting(inputs, matched)
    own, strays = _applied(rows, paid)
    base = pl.col("group_ref").is_not_null()
    tied = (pl.col("grp") == pl.col("grp").shift(1)) | (pl.col("grp") == pl.col("grp").shift(-1))
    doubtful = paid.ambiguous["grp"]
    rows = rows.with_columns(
        is_base=base,
        is_tied=tied.fill_null(False),
        is_ambiguous=pl.col("grp").is_in(doubtful.implode()) if len(doubtful) else pl.lit(False),
    )
    rows = rows.hstack(_said_by_order(inputs, matched, paid)[rows["order_grp"]]).hstack(own)
    for found, on in ((whole, "g"), (single, ["g", "event_ref"]), (strays, "key"), (_places(rows), "n")):
        rows = looked_up(rows, found, on)
    return rows.with_columns(
        state=pl.coalesce("event_state", "state"),
        why=pl.coalesce("event_why", "why"),
        is_billed=pl.col("billed_on").is_not_null(),
        is_owing=pl.col("is_owing").fill_null(False),
        order_open=(pl.col("billed").fill_null(0) - pl.col("covered").fill_null(0)) > 0,
        delta_minor=pl.col("expected_minor") - pl.col("actual_minor"),
        kept=rounded_half_up(pl.col("expected_minor"), step_of(policy.ledger_digits)),
        judges_applications=pl.lit(paid.has_applications),
    )


def _waiting(inputs: Inputs, matched: Matched) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What waits: whole orders (g, state, why), and single events (g, event_ref, event_state, event_why)."""
    waiting = of_orders(inputs.take("waiting"), matched)
    if waiting.is_empty():
        nothing = {"g": pl.UInt32}
        return (
            pl.DataFrame(schema=nothing | {"state": pl.String, "why": pl.String}),
            pl.DataFrame(
                schema=nothing | dict.fromkeys(("event_ref", "event_state", "event_why"), pl.String)
            ),
        )
    whole = (
        waiting.filter(pl.col("event_ref").is_null())
        .group_by("g")
        .agg(state=_first_state(), why=pl.col("reason").min())
    )
    single = (
        waiting.filter(pl.col("event_ref").is_not_null())
        .group_by("g", "event_ref")
        .agg(event_state=_first_state(), event_why=pl.col("reason").min())
    )
    return whole, single


def _said_by_order(inputs: Inputs, matched: Matched, paid: Paid) -> pl.DataFrame:
    """What each group of orders says, in the order of their numbers: what is billed and covered, when it was billed first, what money
    moved, whether a sale is owed."""
    count = sizes(matched)
    documents = matched.documents.lazy().filter(
        pl.col("in_scope"), pl.col("is_counted"), ~pl.col("is_orphan")
    )
    positive = pl.when((pl.col("total_minor") > 0) & pl.col("takes").is_null())
    invoiced = documents.select("grp", billed="total_minor", billed_on=positive.then("posted_on")).collect()
    parts = [
        (invoiced, "grp", [pl.col("billed").sum(), pl.col("billed_on").min()]),
        (paid.applied.select("paid_grp", covered="amount_minor"), "paid_grp", [pl.col("covered").sum()]),
        (
            paid.payments.select("order_grp", net_moved="amount_minor"),
            "order_grp",
            [pl.col("net_moved").sum()],
        ),
    ]
    found = []
    for rows, grp, summed in parts:
        known = rows.drop_nulls(grp)
        found.append(by_place(known.drop(grp), known[grp], count, *summed))
    sold = matched.owed_at.filter(inputs.take("owed")["event_code"] == "sale").drop_nulls()
    is_owing = among(matched.orders["grp"][sold], count).rename("is_owing")
    return pl.concat([*found, is_owing.to_frame()], how="horizontal")


def _applied(rows: pl.DataFrame, paid: Paid) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(applied_minor) of each row: what of its receipts is applied to its own order; and (key, elsewhere): to what else receipts are applied."""
    # Receipts and payments stand in the order of their numbers, and a group of payments has that of its first.
    receipts = paid.receipts.select("key", "grp").rechunk()[paid.applied["r"]]
    payer = receipts.select(pl.when(pl.col("grp") < paid.payments.height).then("grp")).to_series()
    applied = paid.applied.select("paid_grp", "amount_minor", "document", key=receipts["key"]).with_columns(
        order_grp=paid.payments["order_grp"][payer]
    )
    place = row_of(rows["key"], applied["key"])
    amounts = applied.select(
        place=place,
        applied_minor=pl.when(pl.col("paid_grp") == pl.col("order_grp")).then("amount_minor").otherwise(0),
    ).drop_nulls("place")
    own = by_place(amounts.select("applied_minor"), amounts["place"], rows.height, pl.all().sum())
    away = applied.filter((pl.col("paid_grp") != pl.col("order_grp")).fill_null(True))
    if away.is_empty():
        return own, pl.DataFrame(schema={"key": away.schema["key"], "elsewhere": pl.String})
    strays = (
        away.select("key", elsewhere="document")
        .unique()
        .sort("elsewhere")
        .group_by("key", maintain_order=True)
        .agg(pl.col("elsewhere").str.join(", "))
    )
    return own, strays


def _first_state() -> pl.Expr:
    states = pl.col("state")
    return pl.coalesce(
        pl.when((states == word).any()).then(pl.lit(word)) for word in ("held", "in_flight", "prepaid")
    )


def _places(rows: pl.DataFrame) -> pl.DataFrame:
    """For payments whose receipt stands in another entity or currency: (n, other_entity, other_currency)."""
    tied = rows.filter("is_tied")
    if tied.is_empty():
        return pl.DataFrame(
            schema={"n": rows.schema["n"], "other_entity": pl.Boolean, "other_currency": pl.Boolean}
        )
    own = tied.filter("is_base").select("grp", own_entity="entity", own_currency="currency", own_n="n")
    away = tied.filter(~pl.col("is_base") & ~pl.col("is_orphan")).join(own, on="grp")
    away = away.with_columns(
        other_entity=pl.col("entity") != pl.col("own_entity"),
        other_currency=pl.col("currency") != pl.col("own_currency"),
    )
    said = ["other_entity", "other_currency"]
    both = pl.concat([away.select("n", *said), away.select(pl.col("own_n").alias("n"), *said)])
    return both.group_by("n").agg(pl.col(said).any())
