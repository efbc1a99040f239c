"""Check: rules hold orders or shut the gate, expectations say whether tonight is plausible; every finding is a row with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from checks import findings as judge
from checks.contracts import ALL
from flows import expectations
from flows.planning import owing

if TYPE_CHECKING:
    from flows.wiring import House

_TABLES = (
    "core.orders",
    "core.order_lines",
    "core.payments",
    "core.order_payments",
    "core.order_tenders",
    "core.shipments",
    "core.returns",
    "core.customers",
)
WORKED_OUT = ("out.web_stock_parts",)
"""What rules read that is worked out for them from what is staged."""
PLAN_TABLES = {
    "documents": "out.documents",
    "document_lines": "out.document_lines",
    "document_orders": "out.document_orders",
    "unplanned": "plan.unplanned",
    "rounded": "plan.rounded",
    "found": "plan.found",
    "owed": "recon.owed",
    "owed_lines": "recon.owed_lines",
    "web_stock": "out.web_stock",
    "ar_invoices": "core.ar_invoices",
}


def check(house: House, *, run_id: str) -> dict[str, Any]:
    """Run every rule over what is staged, store the findings, and say whether the gate is open."""
    with house.warehouse.read() as session:
        tables = {name: owing.without_origin(session, name) for name in _TABLES}
        controls = session.fetch("ops.controls")
        problems = session.fetch("ops.problems")
    tables |= {f"mappings.{name}": frame for name, frame in house.mappings.items()}
    tables["ops.controls"] = _newest(controls)
    # Imported here: the stock flow judges its own figures with what stands below.
    from flows.stock import worked_out

    tables["out.web_stock_parts"] = worked_out(house, run_id=run_id).parts
    found = judge.run(tables, run_id=run_id, limits=limits(house))
    plausible = expectations.judge(house, run_id, tables, judge.held_orders(found))
    unread = _unread(problems, run_id, limits(house), found)
    whole = pl.concat([found, unread, plausible.select(found.columns)])
    table = ALL["ops.findings"]
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(
            "ops.findings", table.checked(whole, at="when checking"), key=table.key, mode="append"
        )
    counts = dict(whole.group_by("severity").len().sort("severity").iter_rows())
    return {
        "held_orders": judge.held_orders(whole).height,
        "stops": counts.get("stop", 0),
        "warnings": counts.get("warn", 0),
        "gate": judge.verdict(whole),
        "rules": len(judge.RULES),
    }


def _unread(problems: pl.DataFrame, run_id: str, measure: judge.Limits, like: pl.DataFrame) -> pl.DataFrame:
    """Records of any subject but orders (those are held by their own rules) that could not be read whole, as warnings."""
    return (
        problems.filter(pl.col("subject") != "orders")
        .group_by("source", "subject", "native_ref")
        .agg(pl.col("problem").first())
        .select(
            run_id=pl.lit(run_id),
            rule_code=pl.lit("record_unreadable"),
            severity=pl.lit("warn"),
            storefront=pl.col("source"),
            order_ref=pl.lit(None, dtype=pl.String),
            order_number=pl.lit(None, dtype=pl.String),
            subject_ref=pl.format("{}/{}/{}", "source", "subject", "native_ref"),
            currency=pl.lit(None, dtype=pl.String),
            amount_minor=pl.lit(None, dtype=pl.Int64),
            sentence=pl.format(
                "A record of {} {} is left out of every figure: {}; correct it at its source and extract it again.",
                "source",
                "subject",
                pl.col("problem").str.replace(r"^[a-z_]+: ", ""),
            ),
            found_at=pl.lit(measure.now, dtype=pl.Datetime("us", "UTC")),
        )
        .select(like.columns)
    )


def limits(house: House) -> judge.Limits:
    """What rules are measured against, from the configuration."""
    return judge.Limits(now=house.clock(), rounding_most=house.settings.reconciliation.rounding_limit_minor)


def judged(house: House, run_id: str, tables: Mapping[str, pl.DataFrame], *, module: str) -> pl.DataFrame:
    """Findings of one module's rules (`postings`, `stock`) over frames that are not stored yet."""
    import checks.rules  # noqa: F401  (registers the rules)

    named = {PLAN_TABLES[name]: frame for name, frame in tables.items()}
    codes = [code for code, one in judge.RULES.items() if one.check.__module__ == f"checks.rules.{module}"]
    return judge.run(named, run_id=run_id, limits=limits(house), codes=codes)


def _newest(controls: pl.DataFrame) -> pl.DataFrame:
    """Control totals of the newest run per source, subject and stage; older ones were judged when they were new."""
    return (
        controls.sort("at")
        .group_by("source", "subject", "stage", maintain_order=True)
        .last()
        .select(controls.columns)
    )
