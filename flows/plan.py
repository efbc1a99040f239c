"""Plan: the difference between what Intacct is owed and what it has, as rows of the outbox. A dry run prints it, XML included."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import polars as pl

from checks.contracts import ALL
from flows.planning import changed_plan, plan_pieces
from flows.posting import quota
from flows.wiring import House
from tieout.money import show
from tieout.warehouse import outbox
from transforms.postings.planned import Existing, Plan
from transforms.reconcile.streams import InMind

HELD_SCHEMA = {"storefront": pl.String, "order_ref": pl.String, "reason": pl.String}


def plan(house: House, *, run_id: str, dry_run: bool = False, full: bool = False) -> dict[str, Any]:
    """Work out what is owed and put what is missing into the outbox as planned. With `dry_run` nothing is stored and the plan is told.

    Planned are the orders of which something changed since the last plan, that wait, or that are tied to such; all of them with `full`, in
    a dry run, and where the configuration changed. Many orders are planned piece by piece. The tables hold the same either way.
    """
    with house.warehouse.read() as session:
        held = held_orders(session)
        looked = changed_plan.looked_at(house, session, held, full=full or dry_run)
        parts = [None] if dry_run else changed_plan.parts(house, session, looked)
    if dry_run:
        work = plan_pieces.worked_out(house, run_id, held, None)
        return {"text": dry_run_text(house, work.made, work.there), "planned": work.made.documents.height}
    with plan_pieces.shelf_for(house, parts) as shelf:
        pieces = plan_pieces.laid(house, run_id, held, parts, shelf)
        if pieces is None:
            house.say(
                "orders that were not looked at together share a number; all orders are planned at once"
            )
            looked = replace(looked, orders=None)
            pieces = plan_pieces.laid(house, run_id, held, [None], InMind())
        assert pieces is not None, "one piece of everything stands for itself"
        return _stored(house, run_id, held, looked, pieces)


def _stored(
    house: House, run_id: str, held: pl.DataFrame, looked: changed_plan.Looked, pieces: plan_pieces.Pieces
) -> dict[str, Any]:
    """Put the pieces of a plan where they belong, in one transaction; its summary."""
    new, replaced, by_kind = 0, 0, Counter[str]()
    told, alive, known = [], [], []
    with house.warehouse.write(run_id=run_id) as session:
        outbox.complete_orders(session)
        for at, among in enumerate(pieces.parts):
            changed_plan.publish(session, looked, among, pieces.tables(at), is_first=at == 0)
            documents, lines, orders = pieces.papers(at)
            planned = outbox.plan(session, documents, lines, orders, now=house.clock(), run_id=run_id)
            new, replaced = new + planned.new, replaced + planned.replaced
            by_kind.update(dict(documents.group_by("kind_code").len().iter_rows()))
            findings = pieces.take("findings", at)
            told += [findings, planned.findings.select(findings.columns)]
            alive.append(pieces.take("alive", at))
            known += [pieces.take("known", at), documents.select("document_id")]
        _hold(house, session, run_id, held, pl.concat(alive).unique(), pl.concat(known).unique())
        cost = quota.forecast(house, session)
        quota.keep(house, session, cost, run_id=run_id)
        found = pl.concat(told)
        if found.height:
            table = ALL["ops.findings"]
            session.publish(
                "ops.findings", table.checked(found, at="when planning"), key=table.key, mode="merge"
            )
        changed_plan.record(house, session, run_id, looked)
        reasons = dict(session.query("unplanned_reasons").iter_rows())
    return {
        "planned": new,
        "replaced": replaced,
        "unplanned": sum(reasons.values()),
        "looked_at": None if looked.orders is None else looked.orders.height,
        "full": looked.is_full,
        "cost": cost.sentence(),
        "problems": []
        if cost.fits_now
        else [f"{cost.sentence()}; posting is refused unless forced (`tieout run post --force`)."],
        "by_kind": dict(sorted(by_kind.items())),
        "reasons": reasons,
        "stops": found.filter(pl.col("severity") == "stop").height,
    }


def held_orders(session: Any) -> pl.DataFrame:
    """Orders the newest check holds back, with the reasons."""
    checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
    if checks.is_empty():
        return pl.DataFrame(schema=HELD_SCHEMA)
    found = session.fetch("ops.findings", where={"run_id": checks["run_id"].max(), "severity": "hold"})
    return (
        found.filter(pl.col("order_ref").is_not_null())
        .sort("storefront", "order_ref", "rule_code")
        .group_by("storefront", "order_ref", maintain_order=True)
        .agg(reason=pl.col("sentence").first())
    )


NO_LONGER_OWED = "no longer owed: its order was cancelled, changed or moved to another document; it goes again only if it is owed again"


def _hold(
    house: House, session: Any, run_id: str, held: pl.DataFrame, alive: pl.DataFrame, known: pl.DataFrame
) -> None:
    """Documents planned on an earlier night for an order that is now held wait with it, and so does what is owed no more; they go again when
    the order is released, or the document owed again. What did not come from a plan, such as an approved draft, is left alone, and so is
    what another plan put there after this one looked (`known`: the documents it knew of, and its own)."""
    columns = ["document_id", "state_code", "error_kind"]
    waiting = session.fetch("ops.outbox", where={"state_code": ["planned", "held"]}, columns=columns).join(
        known, on="document_id", how="semi"
    )
    # Nearly all that waits in a first night is owed and held by nobody: only the others are looked at closely.
    orders = held.select("storefront", "order_ref").unique()
    asked = pl.concat(
        [
            waiting.join(alive, on="document_id", how="anti").select("document_id"),
            waiting.filter(pl.col("state_code") == "held").select("document_id"),
            session.fetch("out.documents", where=orders, columns=["document_id"]),
        ]
    ).unique()
    waiting = waiting.join(asked, on="document_id", how="semi")
    owners = session.fetch(
        "out.documents",
        columns=["document_id", "storefront", "order_ref", "kind_code", "run_id"],
        where=asked,
    ).rename({"run_id": "planned_by"})
    plans = session.fetch("ops.runs", where={"stage": "plan"}, columns=["run_id"])["run_id"]
    mine = (
        waiting.join(owners, on="document_id")
        .join(held.rename({"reason": "hold_reason"}), on=["storefront", "order_ref"], how="left")
        .join(alive.with_columns(is_owed=pl.lit(value=True)), on="document_id", how="left")
        .with_columns(
            hold_reason=pl.when(
                pl.col("is_owed").is_null()
                & pl.col("kind_code").is_in(["sales_order", "invoice", "credit_memo", "receipt"])
                & pl.col("planned_by").is_in(plans.implode())
            )
            .then(pl.lit(NO_LONGER_OWED))
            .otherwise("hold_reason")
        )
    )
    keep = mine.filter((pl.col("state_code") == "planned") & pl.col("hold_reason").is_not_null())
    for (reason,), block in keep.group_by("hold_reason"):
        outbox.hold(
            session,
            block["document_id"].to_list(),
            reason=str(reason),
            actor="tieout",
            now=house.clock(),
            run_id=run_id,
        )
    # Only what a rule held is let go by itself; what a person or a read-back held stays until a person releases it.
    moves = session.fetch(
        "ops.outbox_moves",
        where={"to_state": "held"},
        columns=["document_id", "from_state", "actor", "move_no"],
    )
    by_rule = (
        moves.sort("move_no")
        .group_by("document_id")
        .last()
        .filter((pl.col("actor") == "tieout") & (pl.col("from_state") == "planned"))
    )
    closed = pl.col("error_kind").eq_missing(pl.lit(outbox.CLOSED_PERIOD))
    free = mine.filter((pl.col("state_code") == "held") & pl.col("hold_reason").is_null() & ~closed).join(
        by_rule.select("document_id"), on="document_id"
    )
    if free.height:
        outbox.release(
            session,
            free["document_id"].to_list(),
            reason="the rule that held the order is satisfied",
            actor="tieout",
            now=house.clock(),
            run_id=run_id,
        )


def dry_run_text(house: House, made: Plan, there: Existing) -> list[str]:
    """The plan for a reader: documents with their totals, what is not planned and why, and the XML that would be sent."""
    text = [
        f"{made.documents.height} documents would be planned, {made.unplanned.height} owed events would not."
    ]
    for kind, currency, count, total in (
        made.documents.group_by("kind_code", "currency")
        .agg(pl.len(), pl.col("total_minor").sum())
        .sort("kind_code", "currency")
        .iter_rows()
    ):
        amount = f"  {show(total, currency)} {currency}" if currency else ""
        text.append(f"  {kind.replace('_', ' '):<12} {count:>6}{amount}")
    for reason, count, sentence in (
        made.unplanned.group_by("reason_code")
        .agg(pl.len(), pl.col("sentence").first())
        .sort("reason_code")
        .iter_rows()
    ):
        text.append(f"  not planned: {reason.replace('_', ' ')} {count} – {sentence}")
    text += ["", *_xml(house, made, there)]
    return text


def _xml(house: House, made: Plan, there: Existing) -> list[str]:
    from lxml import etree

    from flows.posting.building import STYLED, build
    from tieout.connectors.intacct.envelopes import function, style_of
    from tieout.warehouse.outbox import Claim

    namespace = house.settings.installation.namespace
    documents = made.documents.with_columns(
        control_id=pl.format("{}:{}:{}", pl.lit(namespace), "document_id", "revision")
    ).sort("kind_code", "document_on", "number")
    orders = pl.concat(
        [one.filter(pl.col("kind_code") == "sales_order").select("document_id", "details", "number") for one in (made.documents, there.documents)]
    ).unique("document_id", keep="first")  # fmt: skip
    named = orders.select(
        converts_id="document_id",
        converts_key=pl.format("{}-{}", pl.col("details").str.json_path_match("$.definition"), "number"),
    )
    # What is only planned has no RECORDNO yet: its place in the XML shows 0.
    lines = (
        made.lines.with_columns(applies_to_key=pl.coalesce("applies_to_ref", pl.lit("0")))
        .join(named, on="converts_id", how="left")
        .with_columns(source_line_key=pl.when(pl.col("converts_key").is_not_null()).then(0))
        .sort("document_id", "line_no")
    )
    claim = Claim("dry-run", documents, lines)
    told = []
    for control_id, document in build(claim, ledger_digits=house.ledger.ledger_digits):
        kind = STYLED.get(type(document), "invoice")
        chosen = house.ledger.styles.get(kind, "generic" if kind == "receipt" else "legacy")  # type: ignore[call-overload]
        style = style_of(document, {type(document): chosen})
        node = function(document, control_id=control_id, style=style)
        told.append(etree.tostring(node, pretty_print=True, encoding="unicode").rstrip())
    return told
