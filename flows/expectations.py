"""Is tonight plausible? Small aggregates for Great Expectations, which is imported only when there is something to judge: by a process of its
own that a night starts early (`begin`), or else in this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from checks import findings as shape

if TYPE_CHECKING:
    from flows.wiring import House


_SECONDS = 120
_begun: list[subprocess.Popen[str]] = []
_kept: list[bool] = []


def begin(house: House) -> None:
    """Start the process that will judge: it imports Great Expectations, which takes seconds, while the night reads. It ends with the night,
    or when this process does."""
    if house.settings.checks.expectations and not _begun:
        _begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "checks.expectations"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "GX_ANALYTICS_ENABLED": "false"},
            )
        )


def end() -> None:
    """Stop the process that was begun, unless it is kept for further nights."""
    while _begun and not _kept:
        _stopped(_begun.pop())


@contextmanager
def kept() -> Iterator[None]:
    """Within, one process judges all nights: what it imported is imported once."""
    _kept.append(True)
    try:
        yield
    finally:
        _kept.pop()
        end()


def _stopped(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _by_the_other_process(asked: Mapping[str, pl.DataFrame], folder: Path) -> list[dict[str, Any]] | None:
    """The findings, or None if there is no such process, or it failed: then this process judges, and tells what is wrong."""
    if not _begun:
        return None
    from checks.expectations.__main__ import packed

    process = _begun[0]
    # An answer that never comes must not stop the night: the process is killed, and reading its output ends.
    impatience = threading.Timer(_SECONDS, process.kill)
    impatience.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(packed(asked, str(folder)) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())
    except (OSError, ValueError):
        _begun.remove(process)
        process.kill()
        process.wait()
        return None
    finally:
        impatience.cancel()


def judge(house: House, run_id: str, tables: Mapping[str, pl.DataFrame], held: pl.DataFrame) -> pl.DataFrame:
    """Findings of the expectation suites (always warnings), with their pages in `reports/expectations`; none if switched off or no trade.

    `held` has a row per order that is held, with its `storefront`.
    """
    if not house.settings.checks.expectations or tables["core.orders"].is_empty():
        return shape.empty()
    now = house.clock()
    asked, folder = aggregates(tables, held, now), house.reports / "expectations"
    found = _by_the_other_process(asked, folder)
    if found is None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        from checks.expectations import run

        found = run(asked, folder)
    rows = [{**one, "run_id": run_id, "found_at": now} for one in found]
    return pl.DataFrame(rows, schema=shape.FINDINGS_SCHEMA) if rows else shape.empty()


def aggregates(
    tables: Mapping[str, pl.DataFrame], held: pl.DataFrame, now: datetime
) -> dict[str, pl.DataFrame]:
    """What the suites look at: trade by day, by currency, and shares; a few hundred rows at most."""
    orders = tables["core.orders"].filter(pl.col("problem").is_null())
    moved = tables["core.payments"].filter(pl.col("state_code") == "success")
    recent = pl.col("placed_at") >= pl.lit(now - timedelta(days=7), dtype=pl.Datetime("us", "UTC"))
    return {
        "orders_per_day": orders.group_by("storefront", pl.col("placed_at").dt.date().alias("on"))
        .agg(pl.len().cast(pl.Int64).alias("order_count"))
        # The day that is not over yet is not a whole day.
        .filter(pl.col("on") < now.date())
        .sort("storefront", "on"),
        "currencies": orders.group_by("storefront", "currency")
        .agg(
            recent.sum().cast(pl.Int64).alias("recent_count"),
            (~recent).sum().cast(pl.Int64).alias("earlier_count"),
        )
        .sort("storefront", "currency"),
        "held": tables["core.orders"]
        .group_by("storefront")
        .agg(pl.len().cast(pl.Int64).alias("order_count"))
        .join(
            held.group_by("storefront").agg(held_count=pl.len().cast(pl.Int64)), on="storefront", how="left"
        )
        .with_columns(pl.col("held_count").fill_null(0))
        .sort("storefront"),
        "refunds": moved.group_by("storefront", "currency")
        .agg(
            pl.col("amount_minor").filter(pl.col("kind_code") == "charge").sum().alias("charged_minor"),
            pl.col("amount_minor").filter(pl.col("kind_code") == "refund").sum().alias("refunded_minor"),
        )
        .sort("storefront", "currency"),
    }
