"""Volume and distribution: what a controller would notice at a glance, noticed every night.

Aggregates, all small and made by the warehouse (a missing or empty one is skipped):

- `orders_per_day`: storefront, on (date, whole days only), order_count
- `currencies`: storefront, currency, recent_count, earlier_count
- `held`: storefront, order_count, held_count
- `refunds`: storefront, currency, charged_minor, refunded_minor
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from checks.expectations.front_page import Judged, write_front_page
from checks.expectations.offline import make_offline


@dataclass(frozen=True)
class Thresholds:
    """Where plausible ends. A day's orders against the median of the `history_days` before it (judged for the last `judged_days`,
    once `least_history` days are known); shares are of one."""

    volume_low: float = 0.25
    volume_high: float = 4.0
    history_days: int = 28
    least_history: int = 7
    judged_days: int = 7
    held_share: float = 0.10
    refund_rate: float = 0.25


@dataclass(frozen=True)
class _Suite:
    """One aggregate with the one figure that is judged, its bounds, and how a row outside them is told."""

    name: str
    code: str
    frame: pl.DataFrame
    column: str
    low: float | None
    high: float | None
    note: str


def run(
    aggregates: Mapping[str, pl.DataFrame], out_dir: Path | str, *, thresholds: Thresholds | None = None
) -> list[dict[str, Any]]:
    """Judge the aggregates, write Data Docs to `out_dir` (index.html first), and give back findings of severity `warn`.

    Findings have the columns of ops.findings but for `run_id` and `found_at`. The pages name no outside host.
    """
    suites = [
        suite
        for suite in _suites(aggregates, thresholds or Thresholds())
        if suite.frame[suite.column].drop_nulls().len()
    ]
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    findings = _validate(suites, out) if suites else []
    make_offline(out)
    write_front_page(out, [_judged(suite, findings) for suite in suites])
    return sorted(findings, key=lambda one: (one["rule_code"], one["subject_ref"]))


def _suites(aggregates: Mapping[str, pl.DataFrame], limits: Thresholds) -> list[_Suite]:
    found = []
    for name, build in (
        ("orders_per_day", _volume),
        ("currencies", _currencies),
        ("held", _held),
        ("refunds", _refunds),
    ):
        frame = aggregates.get(name)
        if frame is not None and not frame.is_empty():
            found.append(build(frame, limits))
    return found


def _volume(frame: pl.DataFrame, limits: Thresholds) -> _Suite:
    """Days without orders count as zero: a shop that fell silent is what this is for."""
    span = frame.group_by("storefront").agg(
        pl.date_ranges(pl.col("on").min(), pl.lit(frame["on"].max(), dtype=pl.Date)).first().alias("on")
    )
    days = (
        span.explode("on", empty_as_null=True)
        .join(frame.select("storefront", "on", "order_count"), on=["storefront", "on"], how="left")
        .with_columns(pl.col("order_count").fill_null(0).cast(pl.Float64))
        .sort("storefront", "on")
        .with_columns(
            usual=pl.col("order_count")
            .shift(1)
            .rolling_median(limits.history_days, min_samples=limits.least_history)
            .over("storefront")
        )
        .filter(pl.col("on") > pl.col("on").max() - pl.duration(days=limits.judged_days))
        .with_columns(ratio=pl.when(pl.col("usual") > 0).then(pl.col("order_count") / pl.col("usual")))
        .with_columns(
            subject=pl.format("{}/{}", "storefront", pl.col("on").cast(pl.String)),
            told=pl.format(
                "{} had {} orders on {} where {} are usual; look whether the extract or the shop stood still, or was doubled.",
                "storefront", pl.col("order_count").cast(pl.Int64), pl.col("on").cast(pl.String), pl.col("usual").fill_null(0).cast(pl.Int64),
            ),
        )
    )  # fmt: skip
    return _Suite(
        "orders_per_day", "volume_unusual", days, "ratio", limits.volume_low, limits.volume_high,
        f"Orders a day lie between {limits.volume_low} and {limits.volume_high} times the median of the {limits.history_days} days before.",
    )  # fmt: skip


def _currencies(frame: pl.DataFrame, limits: Thresholds) -> _Suite:
    rows = frame.with_columns(
        known=pl.when((pl.col("recent_count") > 0) & (pl.col("earlier_count").sum().over("storefront") > 0))
        .then((pl.col("earlier_count") > 0).cast(pl.Float64)),
        subject=pl.format("{}/{}", "storefront", "currency"),
        told=pl.format(
            "{} sold in {} for the first time ({} orders); see that its accounts and rates are set up in Intacct.",
            "storefront", "currency", "recent_count",
        ),
    )  # fmt: skip
    return _Suite(
        "currencies", "currency_new", rows, "known", 1.0, None, "Every currency was sold in before."
    )


def _held(frame: pl.DataFrame, limits: Thresholds) -> _Suite:
    rows = frame.with_columns(
        share=pl.when(pl.col("order_count") > 0).then(pl.col("held_count") / pl.col("order_count")),
        subject=pl.col("storefront"),
        told=pl.format(
            "{} of {} orders of {} are held; look for a mapping that many of them miss.",
            "held_count", "order_count", "storefront",
        ),
    )  # fmt: skip
    return _Suite(
        "held", "held_share_high", rows, "share", None, limits.held_share,
        f"At most {limits.held_share:.0%} of the orders are held.",
    )  # fmt: skip


def _refunds(frame: pl.DataFrame, limits: Thresholds) -> _Suite:
    """A rate, not an amount: a float is right here, and nowhere is it added up."""
    rate = pl.col("refunded_minor").cast(pl.Float64) / pl.col("charged_minor").cast(pl.Float64)
    rows = frame.with_columns(
        rate=pl.when(pl.col("charged_minor") > 0).then(rate), subject=pl.format("{}/{}", "storefront", "currency")
    ).with_columns(
        told=pl.format(
            "{} gave back {} % of what it took in {}; look for a run of refunds, or refunds booked twice.",
            "storefront", (pl.col("rate").fill_null(0.0) * 100).round(0).cast(pl.Int64), "currency",
        )
    )  # fmt: skip
    return _Suite(
        "refunds", "refund_rate_high", rows, "rate", None, limits.refund_rate,
        f"At most {limits.refund_rate:.0%} of what was taken is given back.",
    )  # fmt: skip


def warm_up() -> None:
    """Import Great Expectations now, for a caller who has to wait for something else anyway."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: F401


def _validate(suites: list[_Suite], out: Path) -> list[dict[str, Any]]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # It tells of temporary folders at every build; what is wrong it still says.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(site)
    site_of: Any = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "show_cta_footer": False},
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(out.resolve()),
        },
    }
    context.add_data_docs_site("tieout", site_of)
    source = context.data_sources.add_pandas("warehouse")
    findings: list[dict[str, Any]] = []
    for one in suites:
        batch = source.add_dataframe_asset(one.name).add_batch_definition_whole_dataframe("tonight")
        suite = context.suites.add(gx.ExpectationSuite(name=one.name))
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeBetween(
                column=one.column, min_value=one.low, max_value=one.high, notes=one.note
            )
        )
        validation = context.validation_definitions.add(
            gx.ValidationDefinition(name=one.name, data=batch, suite=suite)
        )
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=one.name,
                validation_definitions=[validation],
                result_format={"result_format": "COMPLETE"},
            )
        )
        shown = one.frame.drop("subject", "told").with_columns(pl.col(pl.Date).cast(pl.String))
        outcome = checkpoint.run(batch_parameters={"dataframe": shown.to_pandas()})
        findings += [_finding(one, index) for index in _unexpected(outcome)]
    context.build_data_docs(site_names=["tieout"])  # once for all suites: every build writes every page
    return findings


def _judged(suite: _Suite, findings: Sequence[Mapping[str, Any]]) -> Judged:
    found = [one["sentence"] for one in findings if one["rule_code"] == suite.code]
    return Judged(suite.name, suite.note, suite.frame[suite.column].drop_nulls().len(), found)


def _unexpected(outcome: Any) -> list[int]:
    rows: list[int] = []
    for result in outcome.run_results.values():
        for expectation in result.results:
            rows += expectation.result.get("unexpected_index_list") or []
    return rows


def _finding(suite: _Suite, index: int) -> dict[str, Any]:
    row = suite.frame.row(index, named=True)
    return {
        "rule_code": suite.code,
        "severity": "warn",
        "storefront": row["storefront"],
        "order_ref": None,
        "order_number": None,
        "subject_ref": row["subject"],
        "currency": row.get("currency"),
        "amount_minor": None,
        "sentence": row["told"],
    }
