"""A night's reconciliation of all trade: what changed since the last one is compared, or everything, and the tables hold the same either way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from checks.contracts import ALL
from flows.comparing.keeping import Keeping, changes_since, mark_of
from tieout.errors import Busy
from transforms.reconcile import Inputs, Policy, Result, proofs
from transforms.reconcile.again import INPUTS, Again, Kept, compared_again, compared_to_keep
from transforms.reconcile.reconciliation import by_group, ordered
from transforms.reconcile.result import matches_of
from transforms.reconcile.streams import Collected, InMind
from transforms.reconcile.tokens import with_tokens

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

RECONCILED = "ops.reconciled"
_KEY = ["group_ref", "entity_code", "currency"]


@dataclass(frozen=True)
class Compared:
    """A reconciliation of all trade. `again`: what of it was compared again; None if everything was. `last`: the run it builds on.

    `in_scope`: (document_kind, document_ref) of the ledger's rows that belong to the shops. `laid`: what it leaves for the next, which
    counts once the tables are committed.
    """

    result: Result
    again: Again | None
    last: str | None
    in_scope: pl.DataFrame
    looked_at: int
    laid: Path | None


def compared(
    house: House, session: Session, inputs: Inputs, policy: Policy, *, run_id: str, full: bool
) -> Compared:
    """Compare what changed since the last reconciliation, or everything: asked for by `full`, or because nothing kept fits."""
    typed = _typed(inputs)
    keeping, mark, last = keeping_of(house), mark_of(policy, typed), last_run(session)
    if not full:
        kept, again = None, None
        try:
            kept = keeping.standing(last, mark, typed.take("decisions"))
            if kept is not None:
                again = compared_again(kept, changes_since(kept, typed), typed, policy)
        except (OSError, KeyError, pl.exceptions.PolarsError) as fault:
            said = type(fault).__name__
            house.say(f"what the last reconciliation left cannot be read ({said}); everything is compared")
        # What was kept is a copy: if it does not foot, the comparison of everything says whether the trade itself does.
        if (
            kept is not None
            and again is not None
            and not (proofs(again.summary)["difference_minor"] != 0).any()
        ):
            return _again(house, session, kept, again, typed, run_id=run_id, mark=mark)
    sink, shelf = Collected(), InMind()
    told, left = compared_to_keep(typed, policy, sink, shelf)
    result = Result(
        **vars(told), orders=ordered(sink.orders), payments=by_group(sink.payments), found=tuple(sink.pairs)
    )
    homes = pl.concat([rows.select("home") for name, rows in left.rows.items() if name != "customer_ids"])
    looked_at = int(homes.select(pl.col("home").n_unique()).collect().item())
    laid = _laid(house, lambda: keeping.lay_all(left, run_id, mark))
    return Compared(result, None, last, _in_scope(left.papers), looked_at, laid)


def _again(
    house: House, session: Session, kept: Kept, again: Again, inputs: Inputs, *, run_id: str, mark: str
) -> Compared:
    rows = {name: session.fetch(f"recon.{name}") for name in ("orders", "payments")}
    found = {
        name: _replaced(rows[name], getattr(again.before, name), getattr(again.after, name)) for name in rows
    }
    others = _proposed(found["orders"][0], again.proposals)
    result = Result(
        **vars(again.summary),
        orders=ordered([others, *found["orders"][1:]]),
        payments=by_group(found["payments"]),
        found=(),
    )
    alive = ~pl.col("home").is_in(again.homes.implode())
    papers = {
        name: pl.concat([frame.filter(alive), again.papers[name].lazy()])
        for name, frame in kept.papers.items()
    }
    customers = inputs.customer_ids
    if customers is not None and "customer_ids" in kept.rows:
        customers = with_tokens(customers, "customer_ids", Policy(), (), every=False)
    lazy = None if customers is None else customers.lazy()
    laid = _laid(house, lambda: keeping_of(house).lay_more(again, kept, lazy, run_id, mark))
    return Compared(result, again, last_run(session), _in_scope(papers), again.looked_at, laid)


def publish(session: Session, compared: Compared) -> None:
    """Publish recon.orders, recon.payments and recon.matches: whole, or the rows that were looked at again.

    Raises `Busy` if another reconciliation was published meanwhile; then nothing of this one is.
    """
    if last_run(session) != compared.last:
        raise Busy(
            "Another reconciliation was published while this one compared; nothing of it was published. Run `tieout run reconcile` again."
        )
    result, again = compared.result, compared.again
    if again is None:
        for name in ("orders", "payments", "matches"):
            table = ALL[f"recon.{name}"]
            frame = table.checked(table.shaped(getattr(result, name)), at="when reconciling")
            session.publish(f"recon.{name}", frame, key=table.key, mode="replace")
        return
    before, after = again.before, again.after
    moved = {
        "orders": (pl.concat([*before.orders, *after.orders]).select(_KEY), result.orders),
        "payments": (pl.concat([*before.payments, *after.payments]).select(_KEY), result.payments),
    }
    moved["orders"] = (pl.concat([moved["orders"][0], again.proposals.select(_KEY)]), result.orders)
    key = list(ALL["recon.matches"].key)
    pairs = pl.concat(matches_of(*one) for one in after.pairs)
    gone = pl.concat(matches_of(*one) for one in before.pairs)
    moved["matches"] = (pl.concat([gone, pairs]).select(key), pairs)
    for name, (keys, rows) in moved.items():
        if keys.is_empty():
            continue
        table, scope = ALL[f"recon.{name}"], keys.unique()
        fresh = table.shaped(rows.join(scope, on=scope.columns, how="semi", nulls_equal=True))
        frame = table.checked(fresh, at="when reconciling")
        session.publish(f"recon.{name}", frame, key=table.key, mode="replace_where", scope=scope)


def record(
    session: Session, run_id: str, period: str | None, result: Result, compared: Compared | None
) -> None:
    """Say in ops.reconciled which reconciliation the tables hold. `compared`: that of all trade, if it was that."""
    row = {
        "run_id": run_id,
        "sequence_no": session.count(RECONCILED) + 1,
        "period": period,
        "is_full": compared is None or compared.again is None,
        "looked_at_count": None if compared is None else compared.looked_at,
        "orders_count": result.orders.height,
        "payments_count": result.payments.height,
    }
    table = ALL[RECONCILED]
    frame = pl.DataFrame([row], schema=table.polars_schema)
    session.publish(RECONCILED, table.checked(frame, at="when reconciling"), key=table.key, mode="append")


def last_run(session: Session) -> str | None:
    """The run whose reconciliation the tables hold; None if they hold none, or were made anew since (`tieout run stage --full`)."""
    newest = session.fetch(RECONCILED).sort("sequence_no").tail(1)
    for row in newest.iter_rows(named=True):
        counts = session.count("recon.orders"), session.count("recon.payments")
        if counts == (row["orders_count"], row["payments_count"]):
            return str(row["run_id"])
    return None


def keeping_of(house: House) -> Keeping:
    """The folder beside the warehouse."""
    return Keeping(house.warehouse.folder / "compared")


def _typed(inputs: Inputs) -> Inputs:
    """The inputs with the columns that are read, in the types they are read in: so a row is the same row every night."""
    return Inputs(
        **{name: inputs.whole(name) for name in INPUTS if getattr(inputs, name) is not None},
        stores=inputs.stores,
        decisions=inputs.decisions,
    )


def _laid(house: House, lay: Callable[[], Path]) -> Path | None:
    """What is left for the next time is worth a sentence if it cannot be written, never a reconciliation."""
    try:
        return lay()
    except OSError as fault:
        house.say(
            f"what the next reconciliation could build on was not written ({fault.strerror}); it compares everything"
        )
        return None


def _in_scope(papers: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    documents = papers["documents"].filter("in_scope").select(document_kind="kind", document_ref="ref")
    receipts = (
        papers["receipts"]
        .filter("in_scope")
        .select(document_kind=pl.lit("receipt"), document_ref="receipt_ref")
    )
    return pl.concat([documents, receipts]).collect()


def _replaced(
    rows: pl.DataFrame, before: list[pl.DataFrame], after: list[pl.DataFrame]
) -> list[pl.DataFrame]:
    """The rows published before, without those that go, and then those that come."""
    gone = pl.concat(before).select(_KEY)
    kept = rows.select(after[0].columns).join(gone, on=_KEY, how="anti", nulls_equal=True)
    return [kept, *after]


def _proposed(rows: pl.DataFrame, proposals: pl.DataFrame) -> pl.DataFrame:
    """Rows with the proposals that became others since."""
    if proposals.is_empty():
        return rows
    other = proposals.rename({"proposal": "other"}).with_columns(is_other=True)
    found = rows.join(other, on=_KEY, how="left", nulls_equal=True, maintain_order="left")
    return found.with_columns(proposal=pl.when(pl.col("is_other")).then("other").otherwise("proposal")).drop(
        "other", "is_other"
    )
