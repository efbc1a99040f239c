"""What the page of a close shows beside the reconciliation: standing, sign-offs, roll-forward, open items, and the chain of each listed order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from tieout.reports import follow_up_close, refunds_close
from tieout.reports.closing import CloseReport, canonical, text_hash
from tieout.reports.control_close import page_part
from tieout.reports.data import money, words
from tieout.reports.workbook_close import EVENT_WORDS, MOVEMENTS, STANDING, register_rows

LISTED: Final = 200
_UNSETTLED: Final = ("error", "ambiguous", "timing", "explained", "outside")
KINDS: Final = {
    "order": "Orders ↔ invoices",
    "payment": "Payments ↔ receipts",
    "document": "Open AR documents",
}
"""Kinds of open items in print."""


def close_parts(report: CloseReport, content: Mapping[str, Any]) -> dict[str, Any]:
    """The close's own parts, ready for the template."""
    facts = report.facts
    label, mood = STANDING[facts["standing"]]
    register = register_rows(report)
    open_now = register.filter(pl.col("state_code") != "cleared")
    cleared_later = register.filter(pl.col("cleared_on").is_not_null() & (pl.col("state_code") != "cleared"))
    waiting = open_now.filter((pl.col("family_code") == "timing") & pl.col("cleared_on").is_null())
    return {
        "span": f"{report.first_on} to {report.last_on}",
        "revision": facts["revision"],
        "standing": label.capitalize() if label.isupper() else label,
        "mood": mood,
        "cards": _cards(report, open_now, label, mood),
        "basis": [
            ("Fiscal calendar", facts["calendar"]),
            ("Accounting dates in", facts["time_zone"]),
            *[(name, value) for name, value in facts["parameters"] if name.startswith("Cut-off basis")],
            ("Opening from", _opening(facts["chain"])),
        ],
        "events": [
            {**one, "what": EVENT_WORDS[one["event"]], "at": one["at"].replace("T", " ")[:16]}
            for one in facts["sign_offs"]
        ],
        "rolls": [
            {
                **one,
                "kind": KINDS[one["kind_code"]],
                **{name.removesuffix("_minor"): money(one[name], one["currency"]) for name in MOVEMENTS},
            }
            for one in report.tables["roll_forward"].to_dicts()
        ],
        "register": [_item(one) for one in open_now.head(LISTED).iter_rows(named=True)],
        "register_more": max(0, open_now.height - LISTED),
        "cleared": [_item(one) for one in cleared_later.head(LISTED).iter_rows(named=True)],
        "cleared_count": cleared_later.height,
        "waiting_count": waiting.height,
        "completeness": [
            {
                "subject": one["subject"],
                "currency": one["currency"],
                "count": f"{one['staged_count']:,}",
                **{
                    name: money(one[f"{name}_minor"], one["currency"])
                    for name in ("staged", "reported", "aside", "not_standing")
                },
            }
            for one in report.tables["completeness"].iter_rows(named=True)
        ],
        "extent": _extent(facts.get("extent")),
        "control": page_part(report),
        "follow_up": follow_up_close.page_part(report),
        "refunds": refunds_close.page_part(report),
        "base": _base(report),
        "components": [
            {
                **one,
                "component": words(one["component_code"]),
                **{
                    name: money(one[f"{name}_minor"], one["currency"])
                    for name in ("sales", "credits", "recognised", "invoiced", "delta")
                },
            }
            for one in report.tables["components"].iter_rows(named=True)
        ],
        "content_sha256": text_hash(canonical(dict(content))),
    }


def _extent(extent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How many rows of each input the pack holds of the company's, as text; None where it holds all of a company of one entity."""
    if extent is None:
        return None
    rows = [
        {
            "name": words(name),
            "landed": "–" if landed is None else f"{landed:,}",
            "held": f"{held:,}",
            "left": "–" if landed is None else f"{landed - held:,}",
        }
        for name, landed, held in extent["rows"]
    ]
    return {**extent, "rows": rows}


def _cards(report: CloseReport, open_now: pl.DataFrame, label: str, mood: str) -> list[dict[str, str]]:
    """The few figures a reader looks for first."""
    loud = (
        pl.concat([report.tables[name]["family_code"] for name in ("orders", "payments")])
        .is_in(["error", "ambiguous"])
        .sum()
    )
    proofs = report.tables["proofs"]
    off = proofs.filter(pl.col("difference_minor") != 0).height
    documents = open_now.filter(pl.col("kind_code") == "document")
    ours = open_now.height - documents.height
    return [
        {
            "figure": label.capitalize().split(":")[0],
            "about": f"revision r{report.facts['revision']}",
            "mood": mood,
        },
        {"figure": f"{loud:,}", "about": "errors and ambiguous rows", "mood": "bad" if loud else "good"},
        {
            "figure": f"{ours:,}",
            "about": "open differences carried forward",
            "mood": "bad" if ours else "good",
        },
        {"figure": f"{documents.height:,}", "about": "documents of open AR", "mood": ""},
        {
            "figure": f"{proofs.height - off:,} of {proofs.height:,}",
            "about": "proofs that are 0",
            "mood": "bad" if off else "good",
        },
    ]


def _opening(chain: Mapping[str, Any]) -> str:
    if not chain["period"]:
        return "computed from today's data: the period before was never closed"
    return f"the close of {chain['period']} r{chain['revision']}"


def _item(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **one,
        "kind": words(one["kind_code"]),
        "what": words(one["outcome_code"])
        if one["outcome_code"]
        else f"open {words(one['subject_ref'].partition(':')[0])}",
        "closing": money(one["closing_minor"], one["currency"]),
        "name": one["order_number"] or one["documents"] or one["subject_ref"],
    }


def _base(report: CloseReport) -> list[dict[str, Any]]:
    """Totals of the bridges in base currency, summed over stores; currencies without a rate are left out, and said by the sheet."""
    base = report.facts["base_currency"]
    rows = (
        report.tables["base_waterfall"]
        .filter("is_total")
        .drop_nulls("base_minor")
        .group_by("tie_out", "step_no", "label")
        .agg(pl.col("base_minor").sum())
        .sort("tie_out", "step_no")
    )
    return [{**one, "shown": money(one["base_minor"], base), "currency": base} for one in rows.to_dicts()]


def chains(report: CloseReport) -> dict[tuple[str, str], list[str]]:
    """Per tie-out and group that is not plainly matched: what is in the group, on both sides, and by which evidence it came there."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    odd = [
        report.tables[name]
        .filter(pl.col("family_code").is_in(_UNSETTLED))
        .group_by("outcome_code", maintain_order=True)
        .head(LISTED)
        for name in ("orders", "payments")
    ]
    groups = pl.concat([frame.select("group_ref") for frame in odd]).unique()
    matches = report.tables["matches"].join(groups, on="group_ref", how="semi").sort("tie_out", "group_ref", "side", "row_ref", descending=[False, False, True, False])  # fmt: skip
    # Only the rows the page lists are looped over.
    for one in matches.iter_rows(named=True):
        side = "Shop" if one["side"] == "storefront" else "Intacct"
        by = f" (pass {one['pass_no']})" if one["pass_no"] else ""
        found[one["tie_out"], one["group_ref"]].append(
            f"{side}: {words(one['row_kind'])} {one['row_ref']} – {one['evidence']}{by}"
        )
    paid = odd[0].drop_nulls("order_ref").select("storefront", "order_ref", order_group="group_ref").unique()
    money_side = (
        report.tables["payments"]
        .join(paid, on=["storefront", "order_ref"])
        .sort("occurred_on", "group_ref", nulls_last=True)
    )
    for one in money_side.iter_rows(named=True):
        currency = one["currency"]
        receipts = (
            f", receipt {one['receipts']} of {money(one['actual_minor'], currency)}"
            if one["receipts"]
            else f", by journal entry {money(one['actual_minor'], currency)}"
            if one["actual_minor"]
            else ", no receipt"
        )
        text = f"Money: {words(one['kind_code'])} {one['gateway_ref'] or ''} {one['occurred_on'] or ''} {money(one['expected_minor'], currency)} {currency}{receipts} – {words(one['outcome_code'])}"
        found["orders", one["order_group"]].append(" ".join(text.split()))
    return dict(found)
