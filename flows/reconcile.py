"""Reconcile: both sides compared, every cent given a reason, and the footing proved before anything is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.closing.periods import calendar_of, period_named
from flows.comparing import changed_trade, ledger_tie_out, noticing, refund_entries, settling
from flows.plan import held_orders
from flows.planning import owing
from tieout.errors import DoesNotFoot
from tieout.money import show
from tieout.reports.data import COUNTED
from transforms.postings.customers import customer_ids
from transforms.reconcile import (
    Allowance,
    Inputs,
    Paired,
    Policy,
    Result,
    Scope,
    Tolerance,
    judged,
    paired,
    proofs,
)

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.settings.reconciling import AllowanceRule
    from tieout.warehouse.session import Session

_ON_THE_WAY = ("planned", "sending", "unknown", "refused")
_KEPT_BACK = ("held", "dead")
_NOT_WAITING = (
    "before_go_live",
    "already_in_intacct",
    "already_planned",
    "changed_after_posting",
    "cancelled_by_hand",
    "zero_total",
    "tender_ignored",
    "reference_in_intacct",
)
CHANGES_NOTHING = ("reconcile", "report", "close", "sign", "reopen", "sentinel", "stock", "rehearse")
"""Stages after which both sides are what they were before: data are as of the last of the others."""
_NO_TRADE = ("customer", "sales_order", "debit_memo", "application", "journal", "order_closure", "reversal")
"""Documents that answer no order."""
_WAITING = {
    "storefront": pl.String,
    "order_ref": pl.String,
    "event_ref": pl.String,
    "state": pl.String,
    "reason": pl.String,
}
TABLES = {
    "recon.waterfall": "waterfall",
    "recon.ageing": "ageing",
    "recon.suspects": "suspects",
    "recon.tolerated": "tolerated",
}
"""Tables that are published whole whatever was compared, and the attribute of a result each is."""
ROWS = {"recon.orders": "orders", "recon.payments": "payments", "recon.matches": "matches"}


def reconcile(house: House, *, run_id: str, period: str | None = None, full: bool = False) -> dict[str, Any]:
    """Reconcile what is in the warehouse and publish `recon`. `period` is a month; without it all trade is one period.

    Of all trade only what changed since the last reconciliation is compared, and what is tied to it; everything with `full`, and where
    policies, decisions or stores changed. The tables hold the same either way. Raises `DoesNotFoot` naming the proof that failed; then nothing is published.
    """
    trade = None
    if period is None:
        with house.warehouse.read() as session:
            mark = data_mark(session)
            inputs = read_inputs(house, session)
            trade = changed_trade.compared(
                house, session, inputs, policy(house, None), run_id=run_id, full=full
            )
        result, in_scope = trade.result, trade.in_scope
        refunds = refund_entries.rows_of(inputs.refund_outcomes)
        found = proved(result)
        remember(house, ("result", mark, None), (result, found))
    else:
        result, found = compared(house, period)
        in_scope = ledger_tie_out.in_scope_of(result)
        with house.warehouse.read() as session:
            refunds = refund_entries.compared(house, session)
    control = ledger_tie_out.tied(house, in_scope, policy(house, period))
    settled = settling.settled(house)
    with house.warehouse.write(run_id=run_id) as session:
        ledger_tie_out.publish(session, control)
        settling.publish(session, settled)
        refund_entries.publish(session, refunds)
        if trade is not None:
            changed_trade.publish(session, trade)
        for name, attribute in {**TABLES, **({} if trade is not None else ROWS)}.items():
            table = ALL[name]
            frame = table.checked(table.shaped(getattr(result, attribute)), at="when reconciling")
            session.publish(name, frame, key=table.key, mode="replace")
        noticed = noticing.publish(house, session, result, is_whole=period is None)
        changed_trade.record(session, run_id, period, result, trade)
    if trade is not None and trade.laid is not None:
        changed_trade.keeping_of(house).settle(trade.laid)
    families = pl.concat([frame.group_by("family_code").len() for frame in (result.orders, result.payments)])
    counts = dict(families.group_by("family_code").agg(pl.col("len").sum()).sort("family_code").iter_rows())
    return {
        "period": period or "all",
        "orders": result.orders.height,
        "payments": result.payments.height,
        **({} if trade is None else {"looked_at": trade.looked_at, "full": trade.again is None}),
        **counts,
        **noticed,
        **ledger_tie_out.figures(control),
        **settling.figures(settled),
        **refund_entries.figures(refunds),
        "proofs": found.height + control.footing.height + settled.footing.height,
        "foots": True,
    }


def compared(house: House, period: str | None) -> tuple[Result, pl.DataFrame]:
    """The reconciliation of a period with its proofs; compared once for the same data, however many reports ask. Raises `DoesNotFoot`."""
    with house.warehouse.read() as session:
        kept = house.comparisons.get(("result", data_mark(session), period))
    if kept is not None:
        return kept
    mark, pairs = pairs_now(house)
    result = judged(pairs, policy(house, period))
    found = proved(result)
    remember(house, ("result", mark, period), (result, found))
    return result, found


def pairs_now(house: House) -> tuple[tuple[Any, ...], Paired]:
    """Both sides as they are now, paired once for the same data; with a mark that changes when the data do."""
    with house.warehouse.read() as session:
        mark = data_mark(session)
        kept = house.comparisons.get(("pairs", mark, None))
        if kept is not None:
            return mark, kept
        inputs = read_inputs(house, session)
    pairs = paired(inputs, policy(house, None))
    house.comparisons = {known: frames for known, frames in house.comparisons.items() if known[1] == mark}
    house.comparisons["pairs", mark, None] = pairs
    return mark, pairs


def data_mark(session: Session) -> tuple[Any, ...]:
    """What changes when the data do."""
    states = session.fetch("ops.runs", where={"state_code": "done"}, columns=["run_id", "stage"])
    moved = states.filter(~pl.col("stage").is_in(CHANGES_NOTHING))
    newest = moved["run_id"].max() if moved.height else None
    return newest, session.count("ops.outbox_moves"), session.count("ops.decisions")


def remember(house: House, key: tuple[str, tuple[Any, ...], str | None], value: Any) -> None:
    """Keep what was worked out of the newest data for one period, in place of any other period's: frames are the largest thing in memory."""
    _kind, mark, period = key
    house.comparisons = {
        known: frames
        for known, frames in house.comparisons.items()
        if known[1] == mark and known[2] in (None, period)
    }
    house.comparisons[key] = value


def proved(result: Result) -> pl.DataFrame:
    """The proofs of a reconciliation. Raises `DoesNotFoot` if any is not zero."""
    return proved_table(proofs(result))


def proved_table(found: pl.DataFrame) -> pl.DataFrame:
    """Proofs that are all zero. Raises `DoesNotFoot` naming the worst that is not."""
    broken = found.filter(pl.col("difference_minor") != 0)
    if broken.height:
        broken = broken.sort(pl.col("difference_minor").abs(), descending=True)
        worst = broken.row(0, named=True)
        figure = f"{show(worst['difference_minor'], worst['currency'])} {worst['currency']}"
        if worst["name"].startswith(COUNTED):
            figure = f"{worst['difference_minor']:,} in {worst['currency']}"
        raise DoesNotFoot(
            f"{broken.height} of {found.height} proofs do not foot; first: {worst['name']} for {worst['entity_code'] or 'all entities'} "
            f"is off by {figure}. Nothing was published; "
            "this is a defect or damaged data, not a difference to explain away."
        )
    return found


def policy(house: House, period: str | None) -> Policy:
    """The policies of the configuration, as the reconciliation takes them."""
    rules = house.settings.reconciliation
    tolerance = rules.tolerance
    return Policy(
        tolerance=Tolerance(
            absolute_minor=dict(tolerance.absolute_minor),
            percent=tolerance.percent,
            percent_most_minor=dict(tolerance.percent_most_minor),
            direction=tolerance.direction,
            cap_minor=dict(tolerance.cap_minor) or None,
            under=_allowance(rules.tolerance_under),
            over=_allowance(rules.tolerance_over),
        ),
        scope=Scope(
            number_prefixes=rules.scope.number_prefixes,
            customer_prefixes=rules.scope.customer_prefixes,
            entity_codes=tuple(entity.code for entity in house.settings.entities),
        ),
        period=period_named(house, period) if period else None,
        zones=owing.zones(house),
        ledger_digits=house.ledger.ledger_digits if house.settings.intacct else 2,
        refund_cash_leg=rules.refund_cash_leg,
        proposal_days=rules.proposal_days,
        duplicate_days=rules.duplicate_days,
        trend_least=rules.trend_least,
        trend_percent=rules.trend_percent,
        covering_most=rules.covering_most,
        settlement_days=rules.settlement_days,
        journals=noticing.journals(house),
        ageing_basis=rules.ageing_basis,
        buckets=rules.buckets,
    )


def _allowance(rule: AllowanceRule | None) -> Allowance | None:
    if rule is None:
        return None
    return Allowance(dict(rule.absolute_minor), rule.percent, dict(rule.percent_most_minor))


def read_inputs(house: House, session: Session) -> Inputs:
    """Both sides from the warehouse, with the crosswalk, what waits, and refunds' journal entries as they are judged."""
    trade = owing.trade(house, session)
    there = owing.existing(session)
    posted = session.fetch("ops.crosswalk", where={"state_code": "accepted"})
    # A summary document answers many orders: each of them is its own row of the crosswalk.
    behind = there.orders.group_by("document_id", "storefront", "order_ref", "event_ref").agg(
        part_minor=pl.col("amount_minor").sum()
    )
    keys = ["document_id", "kind_code", "intacct_key"]
    refunds = refund_entries.read(house, session)
    return Inputs(
        orders=trade.orders,
        owed=trade.owed.owed,
        stores=house.mappings["stores"],
        excluded=trade.owed.excluded,
        payments=trade.payments,
        order_payments=trade.order_payments,
        order_lines=trade.lines,
        customer_ids=customer_ids(trade.customers, there, owing.posting_policy(house)).drop_nulls(
            "customer_id"
        ),
        ar_invoices=there.invoices,
        ar_lines=session.fetch("core.ar_lines"),
        ar_adjustments=there.adjustments,
        ar_receipts=there.receipts,
        ar_applications=session.fetch("core.ar_applications"),
        crosswalk=posted.filter(~pl.col("kind_code").is_in(_NO_TRADE))
        .select(keys)
        .join(behind, on="document_id"),
        waiting=waiting(session, there.documents, behind),
        decisions=session.fetch("ops.decisions"),
        refund_outcomes=None if refunds is None else refunds.compared(),
    )


def waiting(session: Session, documents: pl.DataFrame, behind: pl.DataFrame) -> pl.DataFrame:
    """What waits and why: held orders, documents on their way, and events that could not be planned yet.

    `behind` names the orders and events each document answers (document_id, storefront, order_ref, event_ref), and for how much (part_minor).
    """
    held = held_orders(session).select(
        "storefront",
        "order_ref",
        pl.lit(None, dtype=pl.String).alias("event_ref"),
        pl.lit("held").alias("state"),
        "reason",
    )
    states = session.fetch("ops.outbox", columns=["document_id", "reason"])
    outbox = (
        documents.filter(
            ~pl.col("kind_code").is_in(_NO_TRADE) & pl.col("state_code").is_in([*_ON_THE_WAY, *_KEPT_BACK])
        )
        .drop("storefront", "order_ref", "event_ref")
        .join(behind, on="document_id")
        .join(states, on="document_id")
        .select(
            "storefront",
            "order_ref",
            "event_ref",
            pl.when(pl.col("state_code").is_in(_ON_THE_WAY))
            .then(pl.lit("in_flight"))
            .otherwise(pl.lit("held"))
            .alias("state"),
            pl.format(
                "{} is {} in the outbox{}", "number", "state_code", pl.format(": {}", "reason").fill_null("")
            ).alias("reason"),
        )
    )
    unplanned = (
        session.fetch("ops.unplanned")
        .filter(
            ~pl.col("reason_code").is_in(_NOT_WAITING)
            & pl.col("order_ref").is_not_null()
            & ~pl.col("kind_code").is_in(_NO_TRADE)
        )
        .select(
            "storefront",
            "order_ref",
            "event_ref",
            pl.when(pl.col("reason_code") == "prepaid")
            .then(pl.lit("prepaid"))
            .otherwise(pl.lit("held"))
            .alias("state"),
            pl.col("sentence").alias("reason"),
        )
    )
    parts = [
        frame.select([pl.col(name).cast(dtype) for name, dtype in _WAITING.items()])
        for frame in (held, outbox, unplanned)
    ]
    return pl.concat(parts).unique(maintain_order=True)


def printed_policy(house: House, period: str | None) -> list[tuple[str, str]]:
    """Every policy a reader must know to judge the figures."""
    rules = house.settings.reconciliation
    tolerance = rules.tolerance
    said: list[tuple[str, str]] = [("Period", period or "all trade as one period")]
    for name, front in house.settings.storefronts.items():
        said.append((f"Cut-off basis of {name}", front.cutoff))
    said += [
        (f"Time zone of {entity.code}", f"{entity.time_zone} ({entity.base_currency})")
        for entity in house.settings.entities
    ]
    said += [
        (f"Fiscal calendar of {entity.code}", calendar_of(house, entity.code).said())
        for entity in house.settings.entities
    ]
    said += [
        ("Scope: number prefixes", ", ".join(rules.scope.number_prefixes) or "none: everything is in scope"),
        ("Scope: customer prefixes", ", ".join(rules.scope.customer_prefixes) or "none"),
        ("Tolerance", _allowed(tolerance) + f", {tolerance.direction}"),
        *(
            (f"Tolerance, Intacct {way}", _allowed(rule))
            for way, rule in (("below", rules.tolerance_under), ("above", rules.tolerance_over))
            if rule is not None
        ),
        ("Tolerance cap", _said(tolerance.cap_minor)),
        (
            "Cash leg of refunds",
            _cash_leg(house),
        ),
        ("Ageing basis", f"{rules.ageing_basis} date"),
    ]
    if house.settings.intacct is not None:
        starts = house.ledger.posting_starts_on
        said += [
            ("Posting starts on", str(starts) if starts else "no go-live date"),
            ("Decimals Intacct keeps", str(house.ledger.ledger_digits)),
            (
                "AR control accounts",
                ", ".join(ledger_tie_out.accounts(house)) or "none named: the general ledger is not tied out",
            ),
            ("Company", house.ledger.company_id),
        ]
    return said


def _cash_leg(house: House) -> str:
    if refund_entries.are_compared(house):
        return "recorded by journal entries, compared with the general ledger where there is no receipt"
    by_journal = house.settings.journals.refunds == "journal"
    where = "by journal entries" if by_journal else house.settings.reconciliation.refund_cash_leg
    return f"recorded {where}: counted, not compared"


def _allowed(rule: AllowanceRule) -> str:
    most = f" (at most {_said(rule.percent_most_minor)})" if rule.percent_most_minor else ""
    return f"{_said(rule.absolute_minor)}, {rule.percent} %{most}"


def _said(amounts: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{show(minor, currency)} {currency}" for currency, minor in sorted(amounts.items())) or "0"
    )
