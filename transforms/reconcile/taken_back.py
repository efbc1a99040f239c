"""Credit memos that debit memos take back: Intacct reverses no adjustment, so a credit memo that stands twice is met by a debit memo.

A debit memo (an AR adjustment above zero) takes back the credit memo that its reference names, by number or as `adjustment:` and RECORDNO.
Of several of one number it is the one that it fits in entity, currency, customer and amount, the newest first. Both stay in the books, so
both count; the pair is settled where debit memos of the same entity, currency and customer come to the whole of the credit memo. Anything
else (a part, another amount, currency, customer or entity) leaves the difference open and says why.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.numbered import put
from transforms.reconcile.policy import Policy
from transforms.reconcile.wording import money

BY_KEY: Final = "adjustment:"
_ALIKE: Final = ["entity", "currency", "customer_id", "amount"]


def takes_of(documents: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(d, memo): the debit memos among the documents and the credit memo in scope that each names; a debit memo stands there once."""
    none = pl.DataFrame(schema={"d": pl.UInt32, "memo": pl.UInt32})
    if not policy.credit_repeats:
        return none
    said = pl.col("reference").str.strip_chars()
    adjusted = documents.lazy().filter(pl.col("kind") == "adjustment", pl.col("is_counted"))
    place = pl.col("entity", "currency", "customer_id")
    debits = (
        adjusted.filter(pl.col("total_minor") > 0, said.is_not_null() & (said != ""))
        .select("d", "ref", place, name=said, amount="total_minor")
        .collect()
    )
    if debits.is_empty():
        return none
    names = debits["name"].unique().implode()
    memos = adjusted.filter(pl.col("total_minor") < 0, pl.col("in_scope")).with_columns(
        by_key=pl.concat_str(pl.lit(BY_KEY), "ref")
    )
    shape = ("ref", "posted_on", place, -pl.col("total_minor").alias("amount"))
    found = pl.concat(
        memos.select(*shape, memo="d", name=name).filter(pl.col("name").is_in(names)) for name in ("number", "by_key")
    ).collect()  # fmt: skip
    newest = ["posted_on", "ref"]
    found = found.sort(newest, descending=True, nulls_last=True)
    key = ["name", *_ALIKE]
    ranked = [
        frame.with_columns(rank=pl.int_range(pl.len()).over(key)) for frame in (debits.sort("ref"), found)
    ]
    exact = ranked[0].join(ranked[1], on=[*key, "rank"], nulls_equal=True).select("d", "memo")
    rest = debits.join(exact, on="d", how="anti")
    first = found.unique("name", keep="first", maintain_order=True).select("name", "memo")
    return pl.concat([exact, rest.join(first, on="name").select("d", "memo")])


def with_edges(edges: pl.DataFrame, takes: pl.DataFrame, how: int) -> pl.DataFrame:
    """The edges, and those of debit memos that nothing else names: they go where the credit memo they take back went."""
    left = takes.join(edges, on="d", how="anti")
    if left.is_empty():
        return edges
    theirs = edges.rename({"d": "memo"}).join(left, on="memo")
    told = theirs.with_columns(pass_no=pl.lit(2, pl.UInt8), how=pl.lit(how, pl.UInt8))
    return pl.concat([edges, told.select(edges.columns)])


def homeless(documents: pl.DataFrame, takes: pl.DataFrame) -> pl.Series:
    """`d` of the debit memos that belong to no order and take back a credit memo that belongs to none either: they join its group."""
    alone = documents["grp"].is_null()
    return takes["d"].filter(alone.gather(takes["d"]) & alone.gather(takes["memo"]))


def joined(documents: pl.DataFrame, takes: pl.DataFrame, how: int) -> pl.DataFrame:
    """Documents with their groups as numbered so far: a debit memo whose credit memo belongs to no order goes to that one's group.

    Adds `takes` (`d` of the credit memo taken back, where both are in one group) and `is_settled`: the pair comes to nothing.
    """
    nothing = documents.with_columns(takes=pl.lit(None, pl.UInt32), is_settled=pl.lit(value=False))
    if takes.is_empty():
        return nothing
    # Documents stand in the order of their numbers.
    columns = ("grp", "is_orphan", "orphan_ref", "entity", "currency", "customer_id", "total_minor")
    debits = documents.select(*columns, "how", "pass_no")[takes["d"]].hstack(takes)
    memos = documents.select(pl.col(columns).name.suffix("_memo"))[takes["memo"]]
    both = debits.hstack(memos)
    goes = pl.col("grp").is_null() & pl.col("is_orphan_memo")
    both = both.with_columns(
        grp=pl.when(goes).then("grp_memo").otherwise("grp"),
        orphan_ref=pl.when(goes).then("orphan_ref_memo").otherwise("orphan_ref"),
        pass_no=pl.when(goes).then(pl.lit(2, pl.UInt8)).otherwise("pass_no"),
        how=pl.when(goes).then(pl.lit(how, pl.UInt8)).otherwise("how"),
    )
    both = both.filter((pl.col("grp") == pl.col("grp_memo")).fill_null(value=False))
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_memo")) for name in ("entity", "currency", "customer_id")
    )
    back = pl.col("total_minor").filter("same").sum().over("memo")
    both = both.with_columns(same=same).with_columns(
        settles=pl.col("same").all().over("memo") & (back == -pl.col("total_minor_memo"))
    )
    told = both.select("grp", "orphan_ref", "pass_no", "how", takes="memo", is_settled="settles")
    found = put(nothing, both["d"], told)
    settled = both.filter("settles")["memo"].unique()
    return put(
        found, settled, pl.DataFrame({"is_settled": [True] * len(settled)}, schema={"is_settled": pl.Boolean})
    )


def said(documents: pl.DataFrame) -> pl.DataFrame:
    """(grp, back): what is to be said of each group in which debit memos take back credit memos."""
    debits = documents.filter(pl.col("takes").is_not_null())
    if debits.is_empty():
        return pl.DataFrame(schema={"grp": pl.Int64, "back": pl.String})
    columns = ("entity", "currency", "customer_id", "total_minor")
    name = pl.coalesce("number", "ref")
    memos = documents.select(
        pl.col(columns).name.suffix("_memo"), its=name, stands=-pl.col("total_minor").alias("stands")
    )[debits["takes"]]
    both = debits.select("grp", "is_settled", *columns, name=name).hstack(memos)
    differs = [
        pl.when(pl.col(one).ne_missing(pl.col(f"{one}_memo"))).then(pl.lit(f"it is {text}"))
        for one, text in (
            ("currency", "in another currency"), ("entity", "in another entity"), ("customer_id", "on another customer")
        )
    ]  # fmt: skip
    why = pl.coalesce(
        *differs,
        pl.concat_str(pl.lit("debit memos come to another amount than "), money("stands", "currency_memo")),
    )
    sentence = (
        pl.when("is_settled")
        .then(pl.concat_str("its", pl.lit(" is taken back by the debit memo "), "name", pl.lit(".")))
        .otherwise(
            pl.concat_str(
                pl.lit("The debit memo "), "name", pl.lit(" of "), money("total_minor"), pl.lit(" does not settle "), "its",
                pl.lit(": "), why, pl.lit("."),
            )
        )
    )  # fmt: skip
    return (
        both.select(pl.col("grp").cast(pl.Int64), back=sentence)
        .sort("grp", "back")
        .group_by("grp", maintain_order=True)
        .agg(pl.col("back").str.join(" "))
    )


def surplus_of(orders: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """(grp, entity, currency, over) of groups of orders that have more credit memos than refunds, and by how much; what was taken back is
    no credit any more. `orders`: rows with their group and what is owed; `documents`: those in scope that count."""
    place = ["grp", "entity", "currency"]
    short = orders.filter(pl.col("delta_minor") > 0).select(
        "grp", "delta_minor", "n_credits", entity="entity_code", currency="currency",
        owed=pl.col("expected_minor") - pl.col("sales_minor"),
    )  # fmt: skip
    taken = pl.col("takes").is_not_null()
    credits_ = documents.filter((pl.col("total_minor") < 0) | taken)
    sums = credits_.group_by(pl.col("grp").cast(pl.Int64), "entity", "currency").agg(
        total=pl.col("total_minor").sum(), memos=(~taken & ~pl.col("is_settled")).sum().cast(pl.Int64)
    )
    found = short.join(sums, on=place).with_columns(
        over=pl.min_horizontal(pl.col("owed") - pl.col("total"), "delta_minor")
    )
    return found.filter((pl.col("over") > 0) & (pl.col("memos") > pl.col("n_credits"))).select(*place, "over")
