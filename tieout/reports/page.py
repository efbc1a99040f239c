"""The page: one self-contained HTML file with charts, drill-down and everything a reviewer asks for; no script, no outside host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from tieout.money import is_currency
from tieout.reports import charts
from tieout.reports.closing import CloseReport
from tieout.reports.data import COUNTED, FAMILY_TITLES, TIE_OUTS, ReportData, meaning, money, words
from tieout.reports.page_close import chains, close_parts
from tieout.vocabulary import PRECEDENCE

ROWS_PER_OUTCOME: Final = 200
_SHOWN_FAMILIES: Final = ("error", "ambiguous", "timing", "explained", "outside")


def render(data: ReportData) -> str:
    """The page of a reconciliation as HTML text."""
    return _printed(data, None, {})


def render_close(report: CloseReport, content: Mapping[str, Any]) -> str:
    """The page of a close as HTML text: the reconciliation with sign-offs, roll-forward, open items, chains and completeness."""
    return _printed(report.data, close_parts(report, content), chains(report))


def _printed(
    data: ReportData, close: Mapping[str, Any] | None, chain: Mapping[tuple[str, str], list[str]]
) -> str:
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            close=close,
            tie_outs=TIE_OUTS,
            summary=list(_summary(data)),
            bridges=list(_bridges(data)),
            difference_charts=list(_difference_charts(data)),
            age_charts=list(_age_charts(data)),
            outcomes=list(_outcomes(data, chain)),
            matched=_matched(data),
            proofs=[
                {
                    **one,
                    "shown": str(one["difference_minor"])
                    if one["name"].startswith(COUNTED)
                    else money(one["difference_minor"], one["currency"]),
                }
                for one in data.proofs.to_dicts()
            ],
            held=[
                {**one, "shown": money(one["amount_minor"], one["currency"] or "USD")}
                for one in data.held.head(ROWS_PER_OUTCOME).to_dicts()
            ],
            held_count=data.held.height,
            limit=ROWS_PER_OUTCOME,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    """The templates, compiled once per process."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["words"] = words
    return made


def _summary(data: ReportData) -> Iterator[dict[str, Any]]:
    for one in data.tie_outs().iter_rows(named=True):
        currency = one["currency"]
        yield {
            "tie_out": one["tie_out"],
            "entity": one["entity_code"],
            "currency": currency,
            "rows": f"{one['row_count']:,}",
            "expected": money(one["period_expected_minor"], currency),
            "actual": money(one["period_actual_minor"], currency),
            "difference": money(one["difference_minor"], currency),
            "timing": money(one["all_timing_minor"], currency),
            "explained": money(one["explained_minor"], currency),
            "error": money(one["error_minor"], currency),
            "ambiguous": money(one["ambiguous_minor"], currency),
            "outside": money(one["outside_minor"], currency),
            "unexplained": money(one["unexplained_minor"], currency),
            "is_error": one["error_minor"] != 0,
            "is_ambiguous": one["ambiguous_minor"] != 0,
        }


def _bridges(data: ReportData) -> Iterator[dict[str, Any]]:
    whole = data.waterfall
    for (tie_out, entity, currency), block in whole.sort("tie_out", "entity_code", "currency").group_by(
        ["tie_out", "entity_code", "currency"], maintain_order=True
    ):
        steps = (
            block.group_by("step_no", "step_code", "label", "is_total")
            .agg(pl.col("amount_minor").sum(), pl.col("row_count").sum())
            .sort("step_no")
        )
        shown = steps.filter(pl.col("is_total") | (pl.col("amount_minor") != 0) | (pl.col("row_count") != 0))
        yield {
            "tie_out": tie_out,
            "entity": entity,
            "currency": currency,
            # A bridge over nothing, or in a code that is no currency, is told by its figures alone.
            "chart": ""
            if not _is_worth_drawing(steps, str(currency))
            else charts.waterfall(steps, str(currency), f"{words(str(tie_out))}: {entity} {currency}"),
            "steps": [
                {**one, "shown": money(one["amount_minor"], str(currency))}
                for one in shown.iter_rows(named=True)
            ],
        }


def _is_worth_drawing(steps: pl.DataFrame, currency: str) -> bool:
    totals = steps.filter(pl.col("is_total"))["amount_minor"]
    return (
        is_currency(currency)
        and bool((totals != 0).any())
        and steps.filter(pl.col("amount_minor") != 0).height > 2
    )


def _difference_charts(data: ReportData) -> Iterator[str]:
    totals = data.totals().filter(pl.col("family_code").is_in(["error", "ambiguous", "explained", "timing"]))
    for (entity, currency), block in totals.group_by(["entity_code", "currency"], maintain_order=True):
        rows = (
            block.group_by("outcome_code", "family_code")
            .agg(pl.col("row_count").sum(), pl.col("delta_minor").sum())
            .sort("outcome_code")
        )
        drawn = charts.differences(rows, str(currency), f"Differences by reason: {entity} {currency}")
        if drawn:
            yield drawn


def _age_charts(data: ReportData) -> Iterator[str]:
    for (entity, currency), block in data.ageing.sort("entity_code", "currency").group_by(
        ["entity_code", "currency"], maintain_order=True
    ):
        drawn = charts.ageing(block, str(currency), f"Open AR by age: {entity} {currency}")
        if drawn:
            yield drawn


def _outcomes(data: ReportData, chain: Mapping[tuple[str, str], list[str]]) -> Iterator[dict[str, Any]]:
    order = [code for code in PRECEDENCE if code != "matched"]
    for code in order:
        totals = data.totals().filter(pl.col("outcome_code") == code)
        if totals.is_empty():
            continue
        about, step = meaning(code)
        sums = totals.group_by("currency").agg(pl.col("delta_minor").sum()).sort("currency")
        family, number = totals["family_code"][0], int(totals["row_count"].sum())
        rows = data.listing.of_outcome(code, ROWS_PER_OUTCOME)
        yield {
            "code": code,
            "family": family,
            "family_title": FAMILY_TITLES[family],
            "about": about,
            "step": step,
            "count": number,
            "sums": [f"{money(minor, currency)} {currency}" for currency, minor in sums.iter_rows()],
            "rows": [
                {
                    **one,
                    "expected": money(one["expected_minor"], one["currency"]),
                    "actual": money(one["actual_minor"], one["currency"]),
                    "delta": money(one["delta_minor"], one["currency"]),
                    "chain": chain.get((one["tie_out"], one["group_ref"]), []),
                }
                for one in rows.iter_rows(named=True)
            ],
            "more": number - rows.height,
        }


def _matched(data: ReportData) -> list[dict[str, Any]]:
    totals = data.totals().filter(pl.col("outcome_code") == "matched")
    sums = totals.select("tie_out", "entity_code", "currency", "actual_minor", count="row_count")
    return [
        {**one, "shown": money(one["actual_minor"], one["currency"])} for one in sums.iter_rows(named=True)
    ]
