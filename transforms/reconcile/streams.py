"""What a comparison reads from and hands its rows to, part by part: where the parts come from, where rows go, where they wait.

`reconcile` keeps all three in memory. Whoever has more trade than memory brings a source that gives one part after the other (a slice
of Parquet files, of a table), a sink that takes the rows of a part and forgets them, and a shelf on disk for the few rows that can only
be judged when every part was seen. The figures are the same, whichever is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from transforms.reconcile.intake import Frame, Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.parts import parted, parted_on
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid


class Source(Protocol):
    """Both sides, part by part. Rows that can meet in any pass of the matching are in the same part (see `homes`)."""

    @property
    def decisions(self) -> Frame | None:
        """What people decided, of all parts together."""

    def parts(self, policy: Policy) -> Iterator[Inputs]:
        """One part after the other, each with the decisions and stores of the whole. A part is let go before the next is asked for."""


class Sink(Protocol):
    """Where finished rows go."""

    def rows(self, orders: pl.DataFrame, payments: pl.DataFrame) -> None:
        """Rows of recon.orders and recon.payments, final. Called several times; either frame may be empty. Within a call rows stand by
        group, entity and currency; from call to call they stand in no order."""

    def found(self, matched: Matched, paid: Paid) -> None:
        """Who belongs to whom in one part; `result.matches_of` makes rows of recon.matches of it."""


class Shelf(Protocol):
    """Where frames of a part wait until all parts were seen."""

    def put(self, name: str, part: int, frame: pl.DataFrame) -> None:
        """Lay down rows under a name and the number of their part, after those that lie there."""

    def take(self, name: str, part: int) -> pl.DataFrame:
        """All rows that were laid down under a name and part, in that order; they may be asked for again."""


@dataclass(frozen=True)
class InMemory:
    """A source whose inputs are frames, lazy or not, that fit into memory; they are cut by `parted`."""

    inputs: Inputs

    @property
    def decisions(self) -> Frame | None:
        """Those of the inputs."""
        return self.inputs.decisions

    def parts(self, policy: Policy) -> Iterator[Inputs]:
        """As many as the policy asks for."""
        return parted(self.inputs, policy)


@dataclass(frozen=True)
class Cut:
    """A source whose inputs are lazy and need not fit into memory: their rows are read in batches and laid on the shelf by part.

    Of all rows together only hashes and homes of orders, documents, payments, receipts and applications are held in memory, and only until
    the rows they tell of are cut (see `homes`).
    """

    inputs: Inputs
    shelf: Shelf

    @property
    def decisions(self) -> Frame | None:
        """Those of the inputs."""
        return self.inputs.decisions

    def parts(self, policy: Policy) -> Iterator[Inputs]:
        """As many as the policy asks for, read back from the shelf."""
        return parted_on(self.inputs, policy, self.shelf)


@dataclass
class Collected:
    """A sink that keeps everything."""

    orders: list[pl.DataFrame] = field(default_factory=list)
    payments: list[pl.DataFrame] = field(default_factory=list)
    pairs: list[tuple[Matched, Paid]] = field(default_factory=list)

    def rows(self, orders: pl.DataFrame, payments: pl.DataFrame) -> None:
        """Keep the rows."""
        self.orders.append(orders)
        self.payments.append(payments)

    def found(self, matched: Matched, paid: Paid) -> None:
        """Keep the pairs."""
        self.pairs.append((matched, paid))


@dataclass
class InMind:
    """A shelf in memory."""

    frames: dict[tuple[str, int], list[pl.DataFrame]] = field(default_factory=dict)

    def put(self, name: str, part: int, frame: pl.DataFrame) -> None:
        """Keep the rows."""
        self.frames.setdefault((name, part), []).append(frame)

    def take(self, name: str, part: int) -> pl.DataFrame:
        """The rows kept."""
        return pl.concat(self.frames[name, part])
