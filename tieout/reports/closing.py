"""What a close's pack is made of: the facts of the close and its tables. Workbook and page are printed from these and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

import polars as pl

from tieout.reports.data import ReportData

CONTENT: Final = (
    "orders", "payments", "matches", "waterfall", "base_waterfall", "components", "ageing", "proofs", "register", "roll_forward", "absorbed",
    "out_of_scope", "records", "rates", "completeness", "control", "control_differences",
    "settlements", "drafts", "draft_lines", "refund_entries", "payment_orders",
)  # fmt: skip
"""The tables that are signed. The others (held, waiting, notes, decisions) say how things stood when the pack was printed."""

FORMAT: Final = "tieout close 5"
_SINCE_5: Final = ("payment_orders",)
_SINCE_4: Final = ("refund_entries", *_SINCE_5)
_SINCE_3: Final = ("settlements", "drafts", "draft_lines")
_SINCE_2: Final = ("control", "control_differences")
FORMER: Final = {
    "tieout close 1": tuple(name for name in CONTENT if name not in (*_SINCE_2, *_SINCE_3, *_SINCE_4)),
    "tieout close 2": tuple(name for name in CONTENT if name not in (*_SINCE_3, *_SINCE_4)),
    "tieout close 3": tuple(name for name in CONTENT if name not in _SINCE_4),
    "tieout close 4": tuple(name for name in CONTENT if name not in _SINCE_5),
}
"""Signed tables of the forms packs had before: they are proved as they are, and not printed again."""
_PART: Final = 50_000


@dataclass(frozen=True)
class CloseReport:
    """One entity's close.

    `facts` is plain JSON: entity, name, base_currency, time_zone, calendar, period, first_on, last_on, revision, as_of, title, version,
    parameters and sources (rows of text), sign_offs (role, author, at, note), standing, chain (period, revision, content_sha256 of the last
    close), runs, ledger (accounts and said: which control accounts the close is tied to, or why to none), extent where the company has several entities
    (is_own, said, rows of input, rows of the company, rows in the pack). `tables` are those of `CONTENT`, `held`, `waiting`, `notes`, `decisions`.
    """

    facts: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]

    @cached_property
    def data(self) -> ReportData:
        """The same as report data, for the sheets and sections every report has."""
        facts = self.facts
        return ReportData(
            title=facts["title"],
            period=facts["period"],
            entities=[facts["entity"]],
            as_of=datetime.fromisoformat(facts["as_of"]),
            orders=self.tables["orders"],
            payment_orders=self.tables.get("payment_orders", pl.DataFrame()),
            payments=self.tables["payments"],
            waterfall=self.tables["waterfall"],
            ageing=self.tables["ageing"],
            proofs=self.tables["proofs"],
            parameters=[(name, value) for name, value in facts["parameters"]],
            sources=[tuple(row) for row in facts["sources"]],
            held=self.tables["held"],
            waiting=self.tables["waiting"],
            version=facts["version"],
        )

    @property
    def first_on(self) -> date:
        """First day of the period."""
        return date.fromisoformat(self.facts["first_on"])

    @property
    def last_on(self) -> date:
        """Last day of the period."""
        return date.fromisoformat(self.facts["last_on"])


def rows_hash(frame: pl.DataFrame) -> str:
    """SHA-256 over the column names and rows of a frame in their order: the same on any machine and with any version of the file format."""
    digest = hashlib.sha256(json.dumps([frame.columns, [str(one) for one in frame.dtypes]]).encode())
    for part in frame.iter_slices(_PART):  # in parts, so that a million rows are not one text
        digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()


def canonical(value: Any) -> str:
    """JSON with one way to write it, so that equal values have equal bytes."""
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def text_hash(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(
    facts: Mapping[str, Any],
    tables: Mapping[str, pl.DataFrame],
    inputs: Mapping[str, pl.DataFrame],
    policy: str,
    *,
    names: tuple[str, ...] = CONTENT,
) -> dict[str, Any]:
    """What a signature is bound to: the period, the last close, every signed table (`names`) and input by rows and hash, and the policies."""
    return {
        "entity": facts["entity"],
        "base_currency": facts["base_currency"],
        "period": facts["period"],
        "first_on": facts["first_on"],
        "last_on": facts["last_on"],
        "chain": facts["chain"],
        "policy": text_hash(policy),
        "tables": {name: {"rows": tables[name].height, "sha256": rows_hash(tables[name])} for name in names},
        "inputs": {
            name: {"rows": frame.height, "sha256": rows_hash(frame)} for name, frame in sorted(inputs.items())
        },
    }


def control_totals(tables: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """Counts and sums per tie-out, currency and family, and of the register, for the manifest."""
    found: list[dict[str, Any]] = []
    for name in ("orders", "payments"):
        sums = (
            tables[name]
            .group_by("currency", "family_code")
            .agg(
                pl.len().cast(pl.Int64).alias("rows"),
                pl.col("period_expected_minor", "period_actual_minor", "delta_minor").sum(),
            )
            .sort("currency", "family_code")
        )
        found += [{"table": name, **one} for one in sums.to_dicts()]
    for one in tables["roll_forward"].to_dicts():
        found.append(
            {"table": "roll_forward", **{key: value for key, value in one.items() if key != "entity_code"}}
        )
    return found
