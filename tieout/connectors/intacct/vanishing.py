"""Which of the records we know the company no longer has, found by counting ranges of RECORDNO and reading ids only where counts differ.

A count costs one API transaction whatever the size of its range, a page of ids likewise. RECORDNOs are given once and new ones come at the
end, so a range whose count agrees with what we know holds what we know. A handful of deletions among a million records is found by some
dozens of counts instead of hundreds of pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

Bound = int | None
"""An end of a range, the number itself included; None for no end."""


@dataclass(slots=True)
class Difference:
    """`gone`: known and no longer there. `unseen`: there and not known."""

    gone: list[int] = field(default_factory=list)
    unseen: list[int] = field(default_factory=list)


def difference(
    known: Sequence[int],
    *,
    count: Callable[[Bound, Bound], int],
    numbers: Callable[[Bound, Bound], Iterable[int]],
    page_size: int,
) -> Difference:
    """Compare known RECORDNOs with the company's. `count` and `numbers` ask about one range; `known` may be in any order."""
    found = Difference()
    ordered = sorted(set(known))
    # Ranges still to be looked at, with the count that is known of them; a stack, as a million records nest some ten levels deep.
    # What lies past the last one we know is asked for by itself, so that as many new records never cover for deleted ones.
    waiting: list[tuple[int, int, Bound, Bound, int]] = []
    last = ordered[-1] if ordered else None
    if last is not None:
        waiting.append((0, len(ordered), None, last, count(None, last)))
    beyond = None if last is None else last + 1
    waiting.append((len(ordered), len(ordered), beyond, None, count(beyond, None)))
    while waiting:
        first, end, low, high, there = waiting.pop()
        size = end - first
        if there == size:
            continue
        if there == 0:
            found.gone += ordered[first:end]
            continue
        if size <= page_size:
            seen = set(numbers(low, high))
            mine = set(ordered[first:end])
            found.gone += sorted(mine - seen)
            found.unseen += sorted(seen - mine)
            continue
        middle = first + size // 2
        lower = count(low, ordered[middle] - 1)
        waiting.append((middle, end, ordered[middle], high, max(there - lower, 0)))
        waiting.append((first, middle, low, ordered[middle] - 1, lower))
    found.gone.sort()
    found.unseen.sort()
    return found
