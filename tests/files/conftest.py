"""Plain files in a test: written as text, reconciled by the function behind the command, read back from the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.plain import files as plain_files
from flows.plain.files import FilesResult, reconcile_files
from tieout.reports.data import ReportData
from tieout.reports.folder import content_hash, summary


@dataclass(frozen=True)
class Outcome:
    """A reconciliation and the report data it was printed from."""

    result: FilesResult
    data: ReportData
    problems: pl.DataFrame

    def counts(self, tie_out: str = "orders") -> dict[str, int]:
        """How many rows of each outcome."""
        rows = self.data.orders if tie_out == "orders" else self.data.payments
        return dict(rows.group_by("outcome_code").len().sort("outcome_code").iter_rows())

    def of(self, number: str, tie_out: str = "orders") -> str:
        """The outcome of one order number."""
        rows = self.data.orders if tie_out == "orders" else self.data.payments
        return str(rows.filter(pl.col("order_number") == number)["outcome_code"].item())

    @property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        return json.loads(json.dumps(summary(self.data)))

    @property
    def sentences(self) -> list[str]:
        """Why rows were held."""
        return self.problems["sentence"].to_list()


Reconcile = Callable[..., Outcome]


@pytest.fixture
def reconcile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reconcile:
    """Reconcile files given as text (or paths) by kind. Printing the report is left out: it has tests of its own."""
    seen: list[tuple[ReportData, pl.DataFrame]] = []

    def unprinted(out: Path, data: ReportData, tables: Any, *_: Any) -> tuple[Path, str]:
        # The rows lie in files that are gone when the command ends.
        orders, payments = (
            rows.lazy().collect().sort("group_ref", "entity_code", "currency")
            for rows in (data.orders, data.payments)
        )
        seen.append((replace(data, orders=orders, payments=payments), tables.problems))
        return out, content_hash(data)

    monkeypatch.setattr(plain_files, "written", unprinted)

    def run(files: Mapping[str, Any], *, map_text: str | None = None, **options: Any) -> Outcome:
        given: dict[str, list[str]] = {}
        for subject, content in files.items():
            if isinstance(content, str | bytes):
                path = tmp_path / f"{subject}.csv"
                path.write_bytes(content.encode() if isinstance(content, str) else content)
                given[subject] = [str(path)]
            else:
                given[subject] = [str(path) for path in content]
        if map_text is not None:
            options["column_map"] = tmp_path / "map.toml"
            options["column_map"].write_text(map_text, encoding="utf-8")
        result = reconcile_files(given, out=tmp_path / "report", **options)
        data, problems = seen[-1]
        return Outcome(result, data, problems)

    return run
