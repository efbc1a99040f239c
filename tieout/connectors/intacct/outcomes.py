"""What became of each document of a batch. There is no other answer, and no default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.replies import Fault
from tieout.errors import TieoutError


@dataclass(frozen=True, slots=True)
class Accepted:
    """Intacct said success and named the record: `key` is its RECORDNO, or its id where the function answers with that.

    Empty only for updates and reversals, which answer without one.
    """

    key: str


@dataclass(frozen=True, slots=True)
class RefusedByIntacct:
    """Surely not done. `sentence` says what Intacct said and what to do; `all_errors` keeps everything it said.

    `is_sent` is False when the document was stopped by our own check of lengths, characters and rules.
    """

    kind: ErrorKind
    number: str
    sentence: str
    all_errors: tuple[Fault, ...] = ()
    is_sent: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done: read back by natural key before anything is sent again."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely not done, because the batch was halted before this document's turn; send it again later."""

    reason: str


Outcome = Accepted | RefusedByIntacct | Unknown | NotSent


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """One outcome per control id, in the order of the batch.

    halted     the error that stopped the batch part of the way, if one did; the rest is NotSent
    requests   requests sent for it, bisection and repeats included
    """

    results: Mapping[str, Outcome]
    halted: TieoutError | None = None
    requests: int = 0

    def of(self, kind: type[Outcome]) -> dict[str, Outcome]:
        """The outcomes of one class."""
        return {
            control_id: outcome for control_id, outcome in self.results.items() if isinstance(outcome, kind)
        }
