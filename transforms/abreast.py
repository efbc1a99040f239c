"""Parts of a whole worked on side by side: the same results in the same order as one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


def abreast(work: Callable[[Item], Found], items: Iterable[Item], count: int) -> Iterator[Found]:
    """`work(item)` for every item, in the order of the items, `count` of them at a time; no more items than that are taken ahead.

    Work on frames leaves the interpreter to others while it is in polars, so threads share the processors. A fault is raised where its
    result would have come; what was begun beside it ends first, what was not begun is never done.
    """
    if count == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="part")
    begun: deque[Future[Found]] = deque()
    try:
        for item in items:
            if len(begun) == count:
                yield begun.popleft().result()
            begun.append(pool.submit(work, item))
            del item  # or the part would be held while the next one is cut
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def at_once(*steps: Callable[[], Any], count: int = 2) -> list[Any]:
    """What independent steps find, in their order, two of them worked on at a time, or as many as are asked for."""
    return list(abreast(lambda step: step(), steps, count))
