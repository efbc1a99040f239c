"""Every error that a user may meet, with the exit code it leads to.

    TieoutError                 1-line sentence: what, where, what to do next
    ├── InputError         (2)  a file, a mapping, a setting or an argument is wrong
    │   └── SettingsError  (2)  several problems of configuration, listed at once
    ├── DoesNotFoot        (3)  a total that must be 0.00 is not: nothing was published
    ├── ConnectorError     (4)  an outside system did not do what was asked
    │   ├── Unreachable         no connection, or faults after all retries
    │   ├── Throttled           told to slow down after all retries (`retry_after`)
    │   ├── MalformedReply      a reply that is not what the protocol says
    │   ├── Incomplete          a read that cannot prove it saw everything
    │   ├── OutcomeUnknown      a write was sent and no answer came: it may have been done
    │   ├── Conflict            somebody else changed the record first (`current`)
    │   └── Rejected            the system refused this one request (`status`, `code`)
    ├── Refused            (5)  credentials or rights: stop and tell a person, never retry
    ├── Busy               (6)  another run holds the warehouse or the company
    ├── Stopped            (7)  a batch check or gate stopped the run: nothing left the house
    └── WarehouseError     (8)  the warehouse file, its disk or its contract is broken

Exit codes 0 (done, ties) and 1 (done, differences or waiting items) are not errors. 70 is a defect of tieout itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EXIT_OK = 0
EXIT_DIFFERENCES = 1
EXIT_BAD_INPUT = 2
EXIT_DOES_NOT_FOOT = 3
EXIT_SYSTEM = 4
EXIT_REFUSED = 5
EXIT_BUSY = 6
EXIT_STOPPED = 7
EXIT_WAREHOUSE = 8
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class TieoutError(Exception):
    """An error whose text is meant for a user: one sentence that says what, where and what to do next.

    Keyword arguments are kept in `context` for logs and JSON output; they must never hold a secret.
    """

    exit_code = EXIT_DEFECT

    def __init__(self, sentence: str, **context: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.context: Mapping[str, Any] = context

    def __str__(self) -> str:
        return self.sentence


class InputError(TieoutError):
    """A file, mapping, setting or argument is wrong; nothing was changed."""

    exit_code = EXIT_BAD_INPUT


class SettingsError(InputError):
    """All problems of the configuration, listed at once in `problems`."""

    def __init__(self, sentence: str, problems: Sequence[str] = (), **context: Any) -> None:
        super().__init__(sentence, **context)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(f"  - {problem}" for problem in self.problems)])


class DoesNotFoot(TieoutError):
    """Totals that must agree to the minor unit do not; the run publishes nothing."""

    exit_code = EXIT_DOES_NOT_FOOT


class ConnectorError(TieoutError):
    """An outside system did not do what was asked."""

    exit_code = EXIT_SYSTEM


class Unreachable(ConnectorError):
    """No connection, or only server faults, after all retries."""


class Throttled(ConnectorError):
    """Told to slow down after all retries; `retry_after` is in seconds when the system said so."""

    def __init__(self, sentence: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(sentence, **context)
        self.retry_after = retry_after


class MalformedReply(ConnectorError):
    """A reply that is truncated, too large, in the wrong charset, or not the promised format."""


class Incomplete(ConnectorError):
    """A read that cannot prove it saw every record."""


class OutcomeUnknown(ConnectorError):
    """A write was sent and the answer was lost; it may have been done. Read back before sending again."""


class Conflict(ConnectorError):
    """Somebody else changed the record first; `current` is the version the system holds now."""

    def __init__(self, sentence: str, *, current: int | None = None, **context: Any) -> None:
        super().__init__(sentence, **context)
        self.current = current


class Rejected(ConnectorError):
    """The system refused this one request; `status` is the HTTP status, `code` the system's own word."""

    def __init__(
        self, sentence: str, *, status: int | None = None, code: str | None = None, **context: Any
    ) -> None:
        super().__init__(sentence, **context)
        self.status = status
        self.code = code


class Refused(TieoutError):
    """Credentials or rights are wrong. Never retried: repeated tries lock accounts."""

    exit_code = EXIT_REFUSED


class Busy(TieoutError):
    """Another run holds the warehouse or the company; try again when it has ended."""

    exit_code = EXIT_BUSY


class Stopped(TieoutError):
    """A batch check or a gate stopped the run; nothing left the house."""

    exit_code = EXIT_STOPPED


class WarehouseError(TieoutError):
    """The warehouse file, its disk, or a table's contract is broken."""

    exit_code = EXIT_WAREHOUSE
