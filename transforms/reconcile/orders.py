"""Tie-out 1 as rows of recon.orders: matched, compared, judged, worded."""

from __future__ import annotations

import polars as pl

from tieout.vocabulary import OUTCOMES
from transforms.queries import as_written
from transforms.reconcile import taken_back
from transforms.reconcile.comparing import A_, E_, compared, ready
from transforms.reconcile.decided import explained
from transforms.reconcile.intake import WHERE_KNOWN, Frame, Inputs
from transforms.reconcile.matching import HOW, Matched, of_orders, sizes
from transforms.reconcile.numbered import among, looked_up, put, row_of
from transforms.reconcile.outcomes import Known, judged
from transforms.reconcile.policy import Policy
from transforms.reconcile.proofs import without_tolerance
from transforms.reconcile.shared import order_splits
from transforms.reconcile.wording import digits_of, family, money, on_few

COLUMNS = (
    "group_ref", "storefront", "order_ref", "order_number", "store_ref", "entity_code", "currency", "customer_name", "placed_on",
    "owed_on", "document_on", "documents", "gross_minor", *E_, "expected_minor", *A_, "actual_minor", "delta_minor",
    "period_expected_minor", "period_actual_minor", "period_timing_minor", "period_delta_minor", "outcome_code", "family_code",
    "secondary_codes", "pass_no", "proposal", "evidence", "is_in_period", "decision_id",
)  # fmt: skip
EXTRA = (
    "sales_minor",
    "period_sales_minor",
    "n_credits",
    "is_cancelled",
    "is_test",
    "is_base",
    "grp",
    "n_orders",
)
"""Columns the waterfall reads beside the published ones."""


_WORKING = (
    "key", "grp", "entity", "currency", "customer", "is_tied", "how", "n_documents", "reason", "unlined_minor", "strict_code",
    "attributed_on",
)  # fmt: skip
_LATER = ("proposal", "decision_id")
"""Columns that only all parts together can fill."""
_UNTIL_THEN = ("strict_code", "strict_evidence", "customer", "payer")


def order_rows(inputs: Inputs, matched: Matched, policy: Policy) -> pl.DataFrame:
    """Every group × entity × currency with both sides, outcome and evidence, as far as that can be told without other parts."""
    stock = ready(inputs, matched, policy)
    rows = judged(compared(stock), stock, _known(inputs, matched), policy)
    rows = _worded(_kept(rows), inputs, matched, policy)
    cap = pl.lit(" The tolerance of this currency is used up, so nothing of it is accepted.")
    payer = matched.documents.filter("is_orphan").select(group_ref="orphan_ref", payer="customer_id")
    used_up = pl.when(pl.col("outcome_code") == "within_tolerance").then(pl.concat_str("evidence", cap))
    rows = rows.with_columns(strict_evidence=used_up)
    return on_few(rows, pl.col("outcome_code") == "missing_order", payer, ["group_ref"]).select(
        *(name for name in COLUMNS if name not in _LATER), *EXTRA, *_UNTIL_THEN
    )


def settled_orders(
    rows: pl.DataFrame, refused: list[str], offers: pl.DataFrame, decisions: pl.DataFrame
) -> pl.DataFrame:
    """Rows of `order_rows` after what all parts say together: the tolerance used up (`refused` currencies), `proposals`, and decisions."""
    rows = without_tolerance(rows, refused)
    open_ = pl.col("outcome_code").is_in(["missing_invoice", "missing_order"])
    rows = on_few(rows, open_, offers, ["group_ref", "entity_code", "currency"])
    return explained(rows, decisions).select(*COLUMNS, *EXTRA)


def _known(inputs: Inputs, matched: Matched) -> Known:
    lines = None
    if inputs.order_lines is not None:
        net = pl.col("net_minor").fill_null(0) + pl.col("discount_minor").fill_null(0)
        lines = (
            inputs.order_lines.lazy()
            .filter(pl.col("tax_minor") != 0)
            .with_columns(key=matched.keys.of())
            .join(matched.orders.lazy().select("key", "g"), on="key")
            .select("g", "tax_code", "tax_minor", *_prices(inputs.order_lines), net_minor=net)
        )
    return Known(_waiting(inputs, matched), _excluded(inputs, matched), matched.ambiguous, lines)


def _waiting(inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """(g, state, reason) of orders that wait as a whole."""
    rows = inputs.take("waiting")
    if rows.is_empty():
        return pl.DataFrame(schema={"g": pl.UInt32, "state": pl.String, "reason": pl.String})
    return (
        of_orders(rows.filter(pl.col("event_ref").is_null()), matched)
        .sort("state", "reason")
        .group_by("g", maintain_order=True)
        .agg(pl.col("state").first(), pl.col("reason").first())
    )


def _excluded(inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """(g, excluded_code, excluded_reason) of orders that owe nothing, or nothing yet."""
    rows = inputs.take("excluded")
    if rows.is_empty():
        return pl.DataFrame(schema={"g": pl.UInt32, "excluded_code": pl.String, "excluded_reason": pl.String})
    not_sold = rows.filter(pl.col("event_code").is_null() | (pl.col("event_code") == "sale"))
    return (
        of_orders(not_sold, matched)
        .with_columns(
            excluded_code=pl.coalesce("outcome_code", "reason_code"),
            excluded_reason=pl.coalesce("sentence", "reason_code"),
        )
        .sort("excluded_code", "excluded_reason")
        .group_by("g", maintain_order=True)
        .agg(pl.col("excluded_code", "excluded_reason").first())
    )


def _prices(lines: Frame) -> list[pl.Expr]:
    """Quantity and unit price where they are known; rounding by unit is proved with them."""
    have = lines.collect_schema()
    kinds = WHERE_KNOWN["order_lines"]
    return [
        (pl.col(name) if name in have else pl.lit(None)).cast(kind).alias(name)
        for name, kind in kinds.items()
    ]


def _kept(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns that are needed further on."""
    kept = [name for name in (*_WORKING, *COLUMNS, *EXTRA) if name in rows.columns]
    return rows.select(list(dict.fromkeys(kept)))


def _worded(rows: pl.DataFrame, inputs: Inputs, matched: Matched, policy: Policy) -> pl.DataFrame:
    attributed = policy.in_period("attributed_on", "entity")
    rows = rows.with_columns(
        period_delta_minor=pl.when(attributed).then("delta_minor").otherwise(0)
        if policy.period is not None
        else pl.col("delta_minor"),
        family_code=family(),
    ).with_columns(
        period_timing_minor=pl.col("period_expected_minor")
        - pl.col("period_actual_minor")
        - pl.col("period_delta_minor"),
        is_in_period=pl.any_horizontal(
            policy.in_period(day, "entity") for day in ("placed_on", "owed_on", "document_on")
        ),
    )
    rows = put(rows, *_names(rows, matched))
    rows = _documents_listed(rows, matched).rename({"entity": "entity_code"})
    told = _evidence(rows, inputs, matched)
    agreed = rows.select(pl.col("how").fill_null(0)).to_series()
    rows = rows.with_columns(evidence=_agreed()[agreed])
    rows = put(rows, row_of(rows["key"], told["key"]), told.select("evidence"))
    back = rows.select("grp", "evidence", at=pl.int_range(pl.len(), dtype=pl.UInt32)).join(
        taken_back.said(matched.documents), on="grp"
    )
    return put(
        rows, back["at"], back.select(pl.concat_str("evidence", pl.lit(" "), "back").alias("evidence"))
    )


_NAMES = ("group_ref", "storefront", "order_ref", "order_number", "store_ref", "customer_name")


def _names(rows: pl.DataFrame, matched: Matched) -> tuple[pl.Series, pl.DataFrame]:
    """Where the few rows are that are not simply an order's own, and their names: of tied groups the first order's, of orphans their own."""
    few = (
        rows.lazy()
        .select("grp", "is_base", "is_tied", *_NAMES, at=pl.int_range(pl.len(), dtype=pl.UInt32))
        .filter(~pl.col("is_base") | pl.col("is_tied") | pl.col("storefront").is_null())
        .collect()
    )
    orphans = matched.documents.select("grp", "is_orphan", "orphan_ref").filter("is_orphan")
    orphans = orphans.select(pl.col("grp").cast(pl.Int64), orphan_name="orphan_ref")
    grps = few["grp"].unique()
    # Orders stand in no order; each is found by its number.
    mine = matched.orders.select("g", *_NAMES)[row_of(matched.orders["g"].cast(pl.Int64), grps)]
    heads = (
        mine.select(pl.all().name.prefix("head_"))
        .with_columns(grp=grps)
        .filter(pl.col("head_g").is_not_null())
    )
    found = few.join(heads, on="grp", how="left", maintain_order="left").join(
        orphans, on="grp", how="left", maintain_order="left"
    )
    rest = [
        pl.coalesce(name, pl.when(~pl.col("is_base")).then(f"head_{name}")).alias(name) for name in _NAMES[1:]
    ]
    tied = pl.col("is_tied") | ~pl.col("is_base")
    named = (
        pl.when(tied).then(pl.coalesce("orphan_name", "head_group_ref", "group_ref")).otherwise("group_ref")
    )
    return few["at"], found.select(named.alias("group_ref"), *rest).with_columns(
        pl.col("storefront", "store_ref").fill_null("")
    )


def _documents_listed(rows: pl.DataFrame, matched: Matched) -> pl.DataFrame:
    several = rows.filter(pl.col("n_documents") > 1).select("key", "grp", "entity", "currency")
    if several.is_empty():
        return rows
    theirs = among(several["grp"], sizes(matched))[matched.documents["grp"]]
    documents = matched.documents.select(
        "in_scope", "is_counted", "grp", "entity", "currency", "number", "ref"
    )
    listed = (
        documents.filter(theirs & documents["in_scope"] & documents["is_counted"])
        .with_columns(grp=pl.col("grp").cast(pl.Int64), name=pl.coalesce("number", "ref"))
        .join(several, on=["grp", "entity", "currency"])
        .sort("name", "ref")
        .group_by("key", maintain_order=True)
        .agg(listed=pl.col("name").str.join(", "))
    )
    return put(rows, row_of(rows["key"], listed["key"]), listed.select(documents="listed"))


def _agreed() -> pl.Series:
    """What is said of rows that agree, by how their document was found."""
    whole = "Both sides agree in total and in every component; the document was found because"
    return pl.Series(["Both sides agree.", *(f"{whole} {how}." for how in HOW[1:])])


_TOLD = (
    "key", "grp", "entity_code", "currency", "outcome_code", "n_orders", "expected_minor", "actual_minor", "delta_minor",
    "period_timing_minor", "unlined_minor", "reason",
)  # fmt: skip


def _evidence(rows: pl.DataFrame, inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """One sentence per row that is not plainly matched: the meaning of the code, then the figures, then what else is known."""
    odd = rows.filter(pl.col("outcome_code") != "matched").select(*_TOLD, *E_, *A_)
    apart = odd.filter((pl.col("delta_minor") != 0) & (pl.col("outcome_code") != "ambiguous"))
    splits = order_splits(apart.rename({"entity_code": "entity"}), inputs, matched)
    for found, on in (
        (_standing_aside(odd, matched), "grp"),
        (_candidates(odd, matched), "grp"),
        (splits, "key"),
        (_figures(odd), "key"),
    ):
        odd = looked_up(odd, found, on)
    meaning = pl.col("outcome_code").replace_strict(
        {code: entry[1] for code, entry in OUTCOMES.items()}, return_dtype=pl.String
    )
    more = (
        pl.when(pl.col(name).is_not_null()).then(pl.concat_str(pl.lit(" "), name)).otherwise(pl.lit(""))
        for name in ("reason", "split", "aside", "candidates")
    )
    return odd.select("key", evidence=pl.concat_str(meaning, pl.col("figures").fill_null(""), *more))


def _figures(odd: pl.DataFrame) -> pl.DataFrame:
    """(key, figures): amounts and what differs, for rows in which anything moved; most of the others are orders that owe nothing yet."""
    moved = (pl.col("expected_minor") != 0) | (pl.col("actual_minor") != 0)
    differs, only_dates = pl.col("delta_minor") != 0, pl.col("period_timing_minor") != 0
    amounts = pl.concat_str(
        pl.lit(" Storefront "), _money("expected_minor"), pl.lit(", Intacct "), _money("actual_minor"),
        pl.lit(", difference "), _money("delta_minor"), pl.lit("."),
    )  # fmt: skip
    dates = pl.concat_str(pl.lit(" Only dates: "), _money("period_timing_minor"), pl.lit(" in this period."))
    return as_written(
        odd.lazy()
        .filter(moved | differs | only_dates)
        .with_columns(digits=digits_of())
        .select(
            "key",
            figures=pl.concat_str(
                pl.when(moved).then(amounts).otherwise(pl.lit("")),
                pl.when(differs).then(_differing()).otherwise(pl.lit("")),
                pl.when(only_dates).then(dates).otherwise(pl.lit("")),
            ),
        )
    )


def _money(minor: str) -> pl.Expr:
    return money(minor, digits=pl.col("digits"))


def _differing() -> pl.Expr:
    parts = []
    for e, a in zip(E_, A_, strict=True):
        name = e.removeprefix("expected_").removesuffix("_minor")
        parts.append(pl.when(pl.col(e) != pl.col(a)).then(pl.lit(name.replace("_", " "))))
    text = pl.concat_str(parts, separator=", ", ignore_nulls=True)
    return (
        pl.when(pl.col("unlined_minor") != 0)
        .then(pl.lit(" Intacct's lines do not say the components."))
        .otherwise(pl.concat_str(pl.lit(" Differs in: "), text, pl.lit(".")))
    )


def _standing_aside(odd: pl.DataFrame, matched: Matched) -> pl.DataFrame:
    """Documents of the group that do not count (drafts, reversed, deleted): said, because somebody will look for them."""
    aside = matched.documents.filter(pl.col("in_scope") & ~pl.col("is_counted") & pl.col("grp").is_not_null())
    if aside.is_empty():
        return pl.DataFrame(schema={"grp": pl.Int64, "aside": pl.String})
    state = (
        pl.when(pl.col("is_deleted").fill_null(False))
        .then(pl.lit("deleted"))
        .otherwise(pl.col("state_code").str.to_lowercase())
    )
    return (
        aside.with_columns(
            grp=pl.col("grp").cast(pl.Int64),
            said=pl.concat_str(pl.coalesce("number", "ref"), pl.lit(" is "), state),
        )
        .join(odd.select("grp").unique(), on="grp", how="semi")
        .sort("said")
        .group_by("grp", maintain_order=True)
        .agg(aside=pl.concat_str(pl.lit("Not counted: "), pl.col("said").str.join("; "), pl.lit(".")))
    )


def _candidates(odd: pl.DataFrame, matched: Matched) -> pl.DataFrame:
    """The orders that an ambiguous document fits equally well."""
    if matched.ambiguous.is_empty():
        return pl.DataFrame(schema={"grp": pl.Int64, "candidates": pl.String})
    told = matched.ambiguous.with_columns(grp=pl.col("grp").cast(pl.Int64)).join(
        odd.select("grp").unique(), on="grp", how="semi"
    )
    names = matched.orders.select("g", "group_ref")
    listed = (
        told.select("grp", "g")
        .explode("g")
        .join(names, on="g")
        .sort("group_ref")
        .group_by("grp", maintain_order=True)
        .agg(orders=pl.col("group_ref").str.join(", "))
    )
    numbers = matched.documents.select("d", name=pl.coalesce("number", "ref"))
    documents = (
        told.select("grp", "d")
        .explode("d")
        .join(numbers, on="d")
        .sort("name")
        .group_by("grp", maintain_order=True)
        .agg(documents_=pl.col("name").str.join(", "))
    )
    why = pl.col("how").replace_strict(dict(enumerate(HOW)), return_dtype=pl.String)
    return (
        told.join(listed, on="grp")
        .join(documents, on="grp")
        .select(
            "grp",
            candidates=pl.concat_str(
                pl.lit("Candidates of "), "documents_", pl.lit(": "), "orders", pl.lit("; "), why, pl.lit(".")
            ),
        )
    )
