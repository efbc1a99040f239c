"""Findings: what a rule is, how rules are run, and what their findings decide.

A finding is one row of ops.findings: an offending record with its key and a sentence. `stop` shuts the gate for the whole batch,
`hold` keeps one order back, `warn` is told and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import polars as pl

from tieout.vocabulary import SEVERITIES

Tables = Mapping[str, pl.DataFrame]
"""Frames by the name of their contract, for example `core.orders`; `plan.unplanned` and `plan.rounded` as the planner gives them."""

FINDINGS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "run_id": pl.String(),
    "rule_code": pl.String(),
    "severity": pl.String(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "subject_ref": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "sentence": pl.String(),
    "found_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Limits:
    """What rules are measured against: `now`; how far a header may differ from its parts (minor units per row, and at most);
    how far in the future an instant may lie."""

    now: datetime
    rounding_per_row: int = 1
    rounding_most: int = 5
    future: timedelta = timedelta(hours=24)


Check = Callable[[Tables, Limits], pl.DataFrame]


@dataclass(frozen=True)
class Rule:
    """A rule: the sentence that should be true, the tables it reads, and how bad it is when it is not."""

    code: str
    sentence: str
    severity: str
    reads: tuple[str, ...]
    check: Check


RULES: Final[dict[str, Rule]] = {}
"""Every registered rule by its code."""


def rule(sentence: str, *, code: str, severity: str, reads: Iterable[str]) -> Callable[[Check], Check]:
    """Register a check under a code. It returns its offending rows with `subject_ref` and `sentence`, and where they apply
    `storefront`, `order_ref`, `order_number`, `currency`, `amount_minor`.

    Raises `ValueError` for a severity outside the list or a code used twice.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"'{severity}' is no severity; use one of {', '.join(SEVERITIES)}.")

    def register(check: Check) -> Check:
        if code in RULES and RULES[code].check.__qualname__ != check.__qualname__:
            raise ValueError(f"Two rules are called '{code}'; give one of them another code.")
        RULES[code] = Rule(code, sentence, severity, tuple(reads), check)
        return check

    return register


def run(
    tables: Tables,
    *,
    run_id: str,
    limits: Limits,
    codes: Iterable[str] | None = None,
) -> pl.DataFrame:
    """ops.findings of every rule whose tables are all given (or of the rules in `codes`), found at `limits.now`.

    A rule asked for by code whose tables are missing raises `KeyError`: a check that silently did not run is worse than none.
    """
    import checks.rules  # noqa: F401  # registers the rules; imported here because they import this module

    chosen = [RULES[code] for code in codes] if codes is not None else [
        one for one in RULES.values() if set(one.reads) <= set(tables)
    ]  # fmt: skip
    found = [empty()]
    for one in chosen:
        missing = set(one.reads) - set(tables)
        if missing:
            raise KeyError(f"Rule '{one.code}' reads {', '.join(sorted(missing))}, which was not given.")
        found.append(_shaped(one, one.check(tables, limits), run_id, limits.now))
    return pl.concat(found).sort("severity", "rule_code", "storefront", "subject_ref")


def empty() -> pl.DataFrame:
    """No findings."""
    return pl.DataFrame(schema=FINDINGS_SCHEMA)


def verdict(findings: pl.DataFrame) -> Literal["open", "shut"]:
    """`shut` if any finding stops the batch: then nothing leaves the house."""
    return "shut" if (findings["severity"] == "stop").any() else "open"


def held_orders(findings: pl.DataFrame) -> pl.DataFrame:
    """`storefront`, `order_ref`, `reason` (rule codes joined by comma) of every order a finding holds back."""
    return (
        findings.filter((pl.col("severity") == "hold") & pl.col("order_ref").is_not_null())
        .group_by("storefront", "order_ref")
        .agg(reason=pl.col("rule_code").unique().sort().str.join(","))
        .sort("storefront", "order_ref")
    )


def _shaped(one: Rule, offending: pl.DataFrame, run_id: str, now: datetime) -> pl.DataFrame:
    given: dict[str, Any] = {
        "run_id": run_id, "rule_code": one.code, "severity": one.severity, "found_at": now,
    }  # fmt: skip
    nulls = {name: None for name in FINDINGS_SCHEMA if name not in offending.columns and name not in given}
    return (
        offending.with_columns(
            pl.lit(value, dtype=FINDINGS_SCHEMA[name]).alias(name)
            for name, value in {**nulls, **given}.items()
        )
        .with_columns(pl.col("storefront").fill_null(""))
        .select(*FINDINGS_SCHEMA)
        .cast(FINDINGS_SCHEMA)  # type: ignore[arg-type]
        .sort("subject_ref", "sentence")
        .unique("subject_ref", keep="first", maintain_order=True)
    )
