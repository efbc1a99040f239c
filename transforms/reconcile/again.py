"""A comparison made again after a few rows changed: only what the changed rows are or were tied to is looked at, with the same result.

What belongs together has a home (see `homes`), and what a row can be found by are its tokens (see `tokens`). From the rows that came and
went follow their tokens; from these the homes they are tied to now or were tied to before. The rows of those homes, and no others, are
compared as they were and as they are: the first is taken out of the tally, the second is added to it, and the same happens to the rows
of the result. What looks across all parts (proposals, suspects, the tolerance used up) looks at the tally, as it always does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from transforms.reconcile import across
from transforms.reconcile.across import Across
from transforms.reconcile.decided import pairs, standing
from transforms.reconcile.hashes import HOME, identity_hash, ledger_hash, own_hash
from transforms.reconcile.homes import Homes, homes_of, names_by_hand
from transforms.reconcile.intake import COLUMNS, Inputs, Part, read_of
from transforms.reconcile.parts import EVERYWHERE, parted
from transforms.reconcile.policy import Policy
from transforms.reconcile.reconciliation import Looked, alike, finished, looked_at, summary
from transforms.reconcile.result import Summary
from transforms.reconcile.streams import Collected, InMind, Shelf, Sink
from transforms.reconcile.suspects import near
from transforms.reconcile.tally import Tally, added, less, without
from transforms.reconcile.tokens import CUSTOMER, KEPT, LOOSE, PREFIX, with_tokens
from transforms.reconcile.universe import prefixes_at, prefixes_of

PAPERS: Final = ("documents", "receipts")
INPUTS: Final = tuple(name for name in COLUMNS if name not in EVERYWHERE)


@dataclass(frozen=True)
class Kept:
    """What a comparison leaves to the next one.

    `rows`: each input with its columns, the `home` of each row (customers have none) and its tokens. `papers`: documents and receipts as
    the search for suspects reads them, each with its home. `labels`: (home, label) of homes that are tied. `tally` and `view`: what the
    parts came to and what was seen across them. `prefixes`: the invoice prefixes in force.
    """

    rows: Mapping[str, pl.LazyFrame]
    papers: Mapping[str, pl.LazyFrame]
    labels: pl.DataFrame
    tally: Tally
    view: Across
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """Rows of inputs that went and came since, whole rows as they were and as they are; a changed row is in both."""

    gone: Mapping[str, pl.DataFrame]
    come: Mapping[str, pl.DataFrame]


_ENDS: Final = 1 << 20
"""Ends of tokens that are told apart; a table of them stays in a processor's cache."""


@dataclass(frozen=True)
class Again:
    """What a comparison made again comes to.

    `summary`: as of everything. `homes`: those whose kept rows are all replaced. `before` and `after`: the rows of the
    result that go and that come. `proposals`: (group_ref, entity_code, currency, proposal) of other rows of orders whose proposal is
    another than before, or none. `rows`, `papers`, `labels`, `tally`, `view`: what to keep for the next time, of these homes.
    """

    summary: Summary
    homes: pl.Series
    before: Collected
    after: Collected
    proposals: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    papers: Mapping[str, pl.DataFrame]
    labels: pl.DataFrame
    tally: Tally
    view: Across

    @property
    def looked_at(self) -> int:
        """How many homes were looked at again."""
        return len(
            pl.concat(
                [self.homes, *(rows["home"] for name, rows in self.rows.items() if name != "customer_ids")]
            ).unique()
        )


def compared_to_keep(inputs: Inputs, policy: Policy, sink: Sink, shelf: Shelf) -> tuple[Summary, Kept]:
    """The comparison of everything, as `reconciliation.reconcile_streamed`, and what the next one needs of it."""
    homes, prefixes = homes_of(inputs, policy), tuple(prefixes_of(inputs))
    looked = looked_at(parted(inputs, policy, homes), inputs.decisions, policy, sink, shelf)
    whole = added(looked.tallies)
    view = across.seen(whole.frames, across.said_by_hand(inputs.decisions), policy)
    tally = finished(looked, view, policy, sink, shelf, whole)
    papers = {name: rows.lazy() for name, rows in _papers(looked, shelf).items()}
    rows = kept_rows(inputs, homes, policy, prefixes)
    told = summary(tally, view, alike(looked, whole.strays, shelf), policy)
    return told, Kept(rows, papers, homes.labels, tally, view, prefixes)


def kept_rows(
    inputs: Inputs, homes: Homes, policy: Policy, prefixes: tuple[str, ...]
) -> dict[str, pl.LazyFrame]:
    """`Kept.rows` of inputs whose homes are known."""
    found = {}
    for name in INPUTS:
        frame = getattr(inputs, name)
        if frame is not None:
            rows = with_tokens(frame, name, policy, prefixes, every=False)
            found[name] = rows.with_columns(home=homes.of[name]) if name in homes.of else rows
    return found


def compared_again(kept: Kept, changes: Changes, whole: Inputs, policy: Policy) -> Again | None:
    """The comparison after the changes, from what was kept. `policy` is the one it was kept under; of `whole` only the stores and the
    decisions are read, which are those it was kept under too.

    None if the changes reach every row, so that everything must be compared: an input came into being, other invoice prefixes are in
    force, or the tolerance of a currency is used up now and was not, or the other way round.
    """
    if any(name not in kept.rows for name in (*changes.gone, *changes.come)):
        return None
    old = touched(kept, changes, whole, policy)
    homes = pl.concat(rows["home"] for rows in old.values()).unique()
    before, after = _sides(kept, changes, whole, old)
    found = homes_of(after, policy)
    shelf, gone, come = InMind(), Collected(), Collected()
    was, aside = looked_at([before], whole.decisions, policy, gone, shelf), InMind()
    minus = finished(was, kept.view, policy, gone, shelf)
    now = looked_at(parted(after, policy, found), whole.decisions, policy, come, aside)
    left = added([less(kept.tally, minus), *now.tallies])
    view = across.seen(left.frames, across.said_by_hand(whole.decisions), policy)
    if view.refused != kept.view.refused or tuple(prefixes_at(left.places, whole)) != kept.prefixes:
        return None
    tally = added([less(kept.tally, minus), finished(now, view, policy, come, aside)])
    mine = _papers(now, aside)
    papers, receipts = (kept.papers[name] for name in PAPERS)
    like = [near(papers, receipts, tally.strays, tally.repeats, homes), alike(now, tally.strays, aside)]
    rows = {name: one.collect() for name, one in kept_rows(after, found, policy, kept.prefixes).items()}
    return Again(
        summary=summary(tally, view, pl.concat(like), policy),
        homes=homes,
        before=gone,
        after=come,
        proposals=_offered(kept.view.offers, view.offers, gone, come),
        rows=rows,
        papers=mine,
        labels=found.labels,
        tally=tally,
        view=view,
    )


# --- which homes ------------------------------------------------------------------------------------------------
def touched(kept: Kept, changes: Changes, whole: Inputs, policy: Policy) -> dict[str, pl.DataFrame]:
    """The kept rows of all inputs in the homes that must be looked at again."""
    tokens = [
        _of(
            with_tokens(rows, name, policy, kept.prefixes).drop(
                CUSTOMER if name == "orders" else [], strict=False
            )
        )
        for part in (changes.gone, changes.come)
        for name, rows in part.items()
        if rows.height
    ]
    tokens.append(_named_by_hand(kept, whole))
    sought = pl.concat(tokens).unique()
    homes = _with_labels(
        kept, pl.concat([sought, *(_homes_by(kept, name, sought) for name in KEPT if name != "customer_ids")])
    )
    old = _rows_in(kept, homes)
    while True:
        # A document that lost its order, or a payment that lost the order it was put to, may now go to another it names.
        claims = [
            _of(old[name].lazy(), LOOSE, "token_said", "token_bare")
            for name in ("ar_invoices", "ar_adjustments", "ar_lines")
            if name in old
        ]
        if "order_payments" in old:
            claims.append(_of(old["order_payments"].lazy().select(token_identity=identity_hash())))
        named = pl.concat(claims).unique()
        parts = [named, _homes_by(kept, "orders", named)]
        tables = ["orders", "owed"]
        # An order without a row of its own has the first of its events' numbers; without that event it has another.
        numbers = old["owed"].select(by=own_hash()).to_series().drop_nulls().unique()
        numbers = numbers.filter(~numbers.is_in(old["orders"]["token_number"].implode()))
        if len(numbers):
            papers = ["ar_invoices", "ar_adjustments", "ar_lines"]
            parts += [numbers, *(_homes_by(kept, name, numbers) for name in papers)]
            tables += papers
        more = _with_labels(kept, pl.concat(parts))
        more = more.filter(~more.is_in(homes.implode()))
        there = [
            kept.rows[name].filter(pl.col("home").is_in(more.implode())).select("home")
            for name in tables
            if name in kept.rows
        ]
        found = pl.concat(there).collect(engine="streaming")["home"].unique()
        if found.is_empty():
            return old
        homes = pl.concat([homes, found])
        old = {name: pl.concat([old[name], rows]) for name, rows in _rows_in(kept, found).items()}


def _of(rows: pl.LazyFrame, *names: str) -> pl.Series:
    """All tokens of rows, or those of the columns named."""
    have = rows.collect_schema().names()
    chosen = [name for name in have if (name in names if names else name.startswith((PREFIX, LOOSE)))]
    parts = [
        (rows.select(by=name).explode("by") if name == LOOSE else rows.select(by=name)).drop_nulls()
        for name in chosen
    ]
    if not parts:
        return pl.Series("by", [], HOME)
    return pl.concat(parts).collect()["by"]


def _homes_by(kept: Kept, name: str, sought: pl.Series) -> pl.Series:
    """The homes of kept rows of an input that carry one of the tokens."""
    if name not in kept.rows:
        return pl.Series("by", [], HOME)
    rows = kept.rows[name]
    have = set(rows.collect_schema())
    single = [f"{PREFIX}{key}" for key in KEPT[name] if f"{PREFIX}{key}" in have]
    among, parts = sought.implode(), []
    if single:
        # Most rows carry none of them, which a table of what their last bits may be says at a third of the cost.
        ends = pl.lit(_ends_of(sought))
        hit = pl.any_horizontal(ends.gather(pl.col(one) & (_ENDS - 1)) == 1 for one in single)
        few = rows.filter(hit).select("home", *single).collect(engine="streaming")
        parts.append(few.filter(pl.any_horizontal(pl.col(single).is_in(among)))["home"])
    if LOOSE in have:
        loose = rows.filter(pl.col(LOOSE).is_not_null()).select("home", by=LOOSE).explode("by")
        parts.append(loose.filter(pl.col("by").is_in(among)).collect(engine="streaming")["home"])
    return pl.concat(parts).alias("by") if parts else pl.Series("by", [], HOME)


def _ends_of(tokens: pl.Series) -> pl.Series:
    """By the last bits of a token: 1 where one of these ends so, else 0."""
    return pl.repeat(0, _ENDS, dtype=pl.UInt8, eager=True).scatter((tokens & (_ENDS - 1)).unique(), 1)


def _with_labels(kept: Kept, homes: pl.Series) -> pl.Series:
    """Homes as they may stand in a column `home`: each as it is, and the label of those that are tied to others."""
    labels = kept.labels.filter(pl.col("home").is_in(homes.implode()))["label"]
    return pl.concat([homes.alias("home"), labels.alias("home")]).unique()


def _rows_in(kept: Kept, homes: pl.Series) -> dict[str, pl.DataFrame]:
    mine = pl.col("home").is_in(homes.implode())
    return {
        name: rows.filter(mine).collect(engine="streaming")
        for name, rows in kept.rows.items()
        if name != "customer_ids"
    }


def _named_by_hand(kept: Kept, whole: Inputs) -> pl.Series:
    """The tokens of everything that people matched or took apart: few rows, and both their ends are always looked at."""
    none = pl.Series("by", [], HOME)
    found = [none]
    for tie_out, names in names_by_hand().items():
        said = pl.concat(pairs(standing(whole, tie_out), kind) for kind in ("match", "unmatch"))
        if said.is_empty():
            continue
        found.append(said.select(by=ledger_hash()).to_series())
        groups = said["group_ref"].implode()
        for table, name in names.items():
            if table in kept.rows:
                rows = kept.rows[table].filter(name.is_in(groups)).select(by="home")
                found.append(rows.collect(engine="streaming")["by"])
    return pl.concat(found).drop_nulls()


# --- what they were and are -------------------------------------------------------------------------------------
def _sides(kept: Kept, changes: Changes, whole: Inputs, old: Mapping[str, pl.DataFrame]) -> tuple[Part, Part]:
    """The rows that are looked at, as they were and as they are."""
    small: dict[str, Any] = {name: getattr(whole, name) for name in EVERYWHERE}
    new = {name: _changed(read_of(rows, name).collect(), name, changes) for name, rows in old.items()}
    if "customer_ids" not in kept.rows:
        return Part(**old, **small, prefixes=kept.prefixes), Part(**new, **small, prefixes=kept.prefixes)
    bought = pl.concat(
        with_tokens(rows, "orders", Policy(), ()).select(CUSTOMER).collect()
        for rows in (old["orders"], new["orders"])
    ).unique()
    known = kept.rows["customer_ids"].join(bought.lazy(), on=CUSTOMER, how="semi").collect(engine="streaming")
    was = read_of(known, "customer_ids").collect()
    now = _changed(was, "customer_ids", changes)
    return (
        Part(**old, **small, customer_ids=was, prefixes=kept.prefixes),
        Part(**new, **small, customer_ids=now, prefixes=kept.prefixes),
    )


def _changed(rows: pl.DataFrame, name: str, changes: Changes) -> pl.DataFrame:
    for part, sign in ((changes.gone, -1), (changes.come, 1)):
        if name in part:
            other = (
                part[name]
                .lazy()
                .select(pl.col(one).cast(kind) for one, kind in rows.schema.items())
                .collect()
            )
            rows = without(rows, other) if sign < 0 else pl.concat([rows, other])
    return rows


def _papers(looked: Looked, shelf: Shelf) -> dict[str, pl.DataFrame]:
    return {name: pl.concat(shelf.take(name, at) for at in range(len(looked.tallies))) for name in PAPERS}


def _offered(was: pl.DataFrame, now: pl.DataFrame, before: Collected, after: Collected) -> pl.DataFrame:
    """Proposals of rows that were not looked at, where they are others than before; null where there is none any more."""
    key = ["group_ref", "entity_code", "currency"]
    both = was.join(now, on=key, how="full", coalesce=True, suffix="_now", nulls_equal=True)
    other = both.filter(pl.col("proposal").ne_missing(pl.col("proposal_now")))
    seen = pl.concat([*before.orders, *after.orders]).select(key)
    return other.join(seen, on=key, how="anti").select(*key, proposal="proposal_now")
