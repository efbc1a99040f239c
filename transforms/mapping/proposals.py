"""Which known code an unmapped one was probably meant to be. Proposals only: a person confirms each, nothing is taken over silently.

Codes are compared by their letters and digits, without case, spaces and punctuation. Two codes whose numbers differ are never
alike, however close their letters: MUG-1 is not a slip for MUG-2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl
from rapidfuzz import fuzz, process

PROPOSALS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "code": pl.String(),
    "proposed": pl.String(),
    "score": pl.Int64(),
    "is_clear": pl.Boolean(),
}
LEAST_SCORE: Final = 80
CLEAR_MARGIN: Final = 8
MOST_CODES: Final = 500
MOST_EACH: Final = 3


def proposals(
    codes: Sequence[str],
    known: Iterable[str],
    *,
    least: int = LEAST_SCORE,
    margin: int = CLEAR_MARGIN,
    most_codes: int = MOST_CODES,
    most_each: int = MOST_EACH,
) -> pl.DataFrame:
    """`code`, `proposed`, `score` (0 to 100, rounded down) of the closest known codes, best first, at most `most_each` for each of the first
    `most_codes` codes. `is_clear` marks the best of a code when no other comes within `margin` of it.
    """
    wanted = list(dict.fromkeys(codes))[:most_codes]
    by_numbers: dict[tuple[str, ...], list[str]] = {}
    for one in sorted(set(known)):
        by_numbers.setdefault(_numbers(one), []).append(one)
    rows: list[tuple[str, str, int, bool]] = []
    # A loop over the codes that have no row, which are few by the bound above; each is held against its candidates in one call.
    for code in wanted:
        candidates = [one for one in by_numbers.get(_numbers(code), []) if one != code]
        if not candidates:
            continue
        spelled = [plain(one) for one in candidates]
        found = process.extract(
            plain(code), spelled, scorer=fuzz.ratio, score_cutoff=least, limit=most_each + 1
        )
        ranked = sorted(
            ((int(score), candidates[at]) for _, score, at in found), key=lambda one: (-one[0], one[1])
        )
        clear = len(ranked) == 1 or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] >= margin)
        rows += [
            (code, proposed, score, clear and place == 0)
            for place, (score, proposed) in enumerate(ranked[:most_each])
        ]
    return pl.DataFrame(rows, schema=PROPOSALS_SCHEMA, orient="row")


def plain(code: str) -> str:
    """Letters and digits of a code, folded."""
    decomposed = unicodedata.normalize("NFKD", code).casefold()
    return "".join(sign for sign in decomposed if sign.isalnum())


def _numbers(code: str) -> tuple[str, ...]:
    return tuple(found.lstrip("0") for found in re.findall(r"\d+", code))
