"""Transforms that say which part of them is arithmetic over rows alone, so that it may be done in another process.

Rows come in chunks of the same size wherever they are taken apart, and what comes of a chunk is published before that of the next: rows,
their order and their problems are the same with any number of processes, because the same function was given the same chunks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from flows.apart.processes import Processes
    from flows.storefronts import Transform
    from tieout.warehouse.session import Session
    from transforms.staged import Staged

EVEN: Final = 4
"""Chunks come in fours: one, two and four processes have the same to do."""

More = Mapping[str, Any]
"""Further arguments of a transform, by name."""


def _nothing(_rows: pl.DataFrame, _session: Session) -> More:
    return {}


def _as_it_is(staged: Staged, _rows: pl.DataFrame, _session: Session) -> Staged:
    return staged


@dataclass(frozen=True)
class Portable:
    """A transform whose arithmetic needs nothing but rows.

    - `call`: a function of `transforms`, or a partial of one: raw rows and keyword arguments to `Staged`.
    - `told`: its arguments that are the same for all rows: the storefront, the run, words and policies. Never a secret.
    - `asked`: what it needs of the warehouse for some rows, as further arguments. It may not ask for what the same subject publishes,
      because it is asked while the chunks before are still being taken apart.
    - `after`: what is done once they are taken apart, with the session they are published in.
    """

    call: Callable[..., Staged]
    told: More = field(default_factory=lambda: MappingProxyType({}))
    asked: Callable[[pl.DataFrame, Session], More] = _nothing
    after: Callable[[Staged, pl.DataFrame, Session], Staged] = _as_it_is

    def __call__(self, raw: pl.DataFrame, session: Session) -> Staged:
        """The whole transform, in this process."""
        return self.after(self.call(raw, **self.told, **self.asked(raw, session)), raw, session)

    @property
    def work(self) -> Callable[..., Staged]:
        """What another process is told once: the function with what is the same for all rows."""
        return partial(self.call, **self.told)


def even_rows(count: int, most: int) -> int:
    """How many of `count` rows a chunk is of: at most `most`, and so that as many chunks as there may be processes end together.

    It is the same with any number of processes, like all that a chunk decides.
    """
    if count <= most:
        return most
    chunks = -(-count // (most * EVEN)) * EVEN
    return -(-count // chunks)


def taken_apart(
    chunks: Iterable[tuple[pl.DataFrame, pl.DataFrame]],
    transform: Transform,
    session: Session,
    processes: Processes | None,
) -> Iterator[tuple[pl.DataFrame, Staged]]:
    """Each chunk with what comes of it, in order. A chunk is its rows, and those of them that are taken apart.

    With processes, chunks are handed out ahead, one more than there are processes, and are taken apart while the caller publishes those
    before. Raises what the transform raises, whichever process it was in, and `WarehouseError` if a process ended.
    """
    if processes is None or not isinstance(transform, Portable):
        for chunk, rows in chunks:
            yield chunk, transform(rows, session)
        return
    work = transform.work
    ahead: deque[tuple[pl.DataFrame, pl.DataFrame, Future[Staged]]] = deque()
    for chunk, rows in chunks:
        ahead.append((chunk, rows, processes.begin(work, rows, transform.asked(rows, session))))
        if len(ahead) > processes.count:
            yield _given_back(transform, session, *ahead.popleft())
    while ahead:
        yield _given_back(transform, session, *ahead.popleft())


def _given_back(
    transform: Portable, session: Session, chunk: pl.DataFrame, rows: pl.DataFrame, future: Future[Staged]
) -> tuple[pl.DataFrame, Staged]:
    return chunk, transform.after(future.result(), rows, session)
