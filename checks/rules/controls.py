"""Table rules on control totals: what a source says it has, what was landed, and what was staged."""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule


def _findings(rows: pl.DataFrame, sentence: pl.Expr) -> pl.DataFrame:
    return rows.select(
        pl.concat_str("source", "subject", "stage", separator="/").alias("subject_ref"),
        sentence.alias("sentence"),
    )


@rule(
    "Everything the source counts was read.",
    code="source_count_differs_from_landed",
    severity="stop",
    reads=("ops.controls",),
)
def source_count_differs_from_landed(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Extracts that read another number of records than their source states."""
    wrong = tables["ops.controls"].filter(
        (pl.col("stage") == "extract")
        & pl.col("source_count").is_not_null()
        & (pl.col("source_count") != pl.col("read_count"))
    )
    return _findings(
        wrong,
        pl.format(
            "{} counts {} {} and {} were read; extract them again before anything is posted.",
            "source", "source_count", "subject", "read_count",
        ),
    )  # fmt: skip


@rule(
    "Everything landed was staged, or is held with a reason.",
    code="staged_less_than_landed",
    severity="stop",
    reads=("ops.controls",),
)
def staged_less_than_landed(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Stagings that lost records on the way."""
    staged = pl.col("good_count").fill_null(0) + pl.col("held_count").fill_null(0)
    wrong = (
        tables["ops.controls"]
        .filter(pl.col("stage") == "stage")
        .with_columns(staged=staged)
        .filter(pl.col("staged") < pl.col("read_count"))
    )
    return _findings(
        wrong,
        pl.format(
            "Of {} {} landed from {}, only {} were staged or held; stage them again before anything is posted.",
            "read_count", "subject", "source", "staged",
        ),
    )  # fmt: skip
