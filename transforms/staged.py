"""What staging hands over: frames by `core` table name, and every record that could not be read whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import polars as pl

INSTANT: Final = pl.Datetime("us", "UTC")
QUANTITY: Final = pl.Decimal(18, 4)
PRICE: Final = pl.Decimal(28, 12)
RATE: Final = pl.Decimal(28, 12)

PROBLEM_CODES: Final = (
    "payload_unreadable",
    "currency_unknown",
    "amount_not_exact",
    "tax_unknown",
    "status_unknown",
)
"""The machine prefixes of a problem text, `code: sentence`, the gravest first."""

PROBLEMS_SCHEMA: Final = MappingProxyType(
    {
        "subject": pl.String(),
        "native_ref": pl.String(),
        "row_no": pl.Int64(),
        "column": pl.String(),
        "problem": pl.String(),
    }
)
"""One row per trouble: which subject, which record (or row of a file, from 1, and column), and `code: sentence`."""


def no_problems() -> pl.DataFrame:
    """An empty list of problems."""
    return pl.DataFrame(schema=dict(PROBLEMS_SCHEMA))


@dataclass(frozen=True)
class Staged:
    """Frames keyed by `core` table name; `problems` names every record that could not be read whole.

    A record with a problem may still stand in a frame (an order does, so that it is held visibly); one that has no place to
    stand is only in `problems`. Nothing is dropped without being in one of the two.
    """

    frames: Mapping[str, pl.DataFrame]
    problems: pl.DataFrame = field(default_factory=no_problems)

    def __getitem__(self, table: str) -> pl.DataFrame:
        return self.frames[table]


def together(parts: Iterable[Staged]) -> Staged:
    """Several staged batches as one: frames of the same table under one another."""
    kept = list(parts)
    names = sorted({name for part in kept for name in part.frames})
    frames = {name: pl.concat([part.frames[name] for part in kept if name in part.frames]) for name in names}
    return Staged(frames, pl.concat([part.problems for part in kept]) if kept else no_problems())


def sentence_of(found: Sequence[tuple[str, str]]) -> str | None:
    """One problem text from several (code, sentence): the gravest code leads, the first three sentences follow."""
    if not found:
        return None
    ordered = sorted(found, key=lambda one: PROBLEM_CODES.index(one[0]))
    said = "; ".join(dict.fromkeys(sentence for _, sentence in ordered[:3]))
    more = f"; and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return f"{ordered[0][0]}: {said}{more}"
