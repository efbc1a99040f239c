"""Retrying in three parts that can be tested alone: whether, how long, and how random.

A server's own hint outranks every guess of ours. Nothing here sleeps, sends, or looks at a clock.
"""

from __future__ import annotations

import email.utils
import random
from dataclasses import dataclass
from datetime import UTC

from tieout.errors import InputError


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently one request is tried.

    attempts        tries in all, the first included
    base_seconds    wait after the first failure; it doubles each time
    cap_seconds     longest wait of our own choosing (a wait the server asks for may be longer, within the
                    budget)
    jitter          share of each wait left to chance, 0 to 1, so that many workers do not come back together
    budget_seconds  time for the request with all its tries, waits and body reads
    """

    attempts: int = 5
    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    jitter: float = 0.5
    budget_seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_seconds < 0 or self.cap_seconds < 0 or self.budget_seconds <= 0:
            raise InputError(
                "A retry policy needs at least one attempt, waits of zero or more and a budget above zero."
            )
        if not 0 <= self.jitter <= 1:
            raise InputError(f"A retry policy's jitter is a share from 0 to 1, not {self.jitter}.")


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    kind          `connect` (no request byte was taken), `dropped` (sent, no whole answer), `status` (an
                  answer that says no),
                  `malformed` (an answer that is not what was asked for), `oversize` (more than the limit)
    hint_seconds  how long the server asked us to wait, if it did
    """

    kind: str
    reason: str
    status: int | None = None
    hint_seconds: float | None = None


_AGAIN_IF_IDEMPOTENT = frozenset({408, 425, 500, 502, 503, 504})


def should_retry(failure: Failure, *, idempotent: bool) -> bool:
    """Whether the same request may be sent again: always when surely not done, else only if doing it twice is
    harmless.
    """
    if failure.kind == "connect" or failure.status == 429:
        return True
    if failure.status == 503 and failure.hint_seconds is not None:
        return True
    if not idempotent:
        return False
    return failure.kind in ("dropped", "malformed") or failure.status in _AGAIN_IF_IDEMPOTENT


def delay(attempt: int, policy: RetryPolicy, hint_seconds: float | None) -> float:
    """Seconds to wait after attempt number `attempt` (from 1), before chance is added.

    The server's hint outranks our guess.
    """
    if hint_seconds is not None:
        return max(0.0, hint_seconds)
    return min(policy.cap_seconds, policy.base_seconds * 2 ** min(attempt - 1, 30))


def jitter(seconds: float, policy: RetryPolicy, hinted: bool, rng: random.Random) -> float:
    """A wait with chance in it: our own waits are shortened by up to the policy's share, a hinted wait is
    only ever lengthened.
    """
    if hinted:
        return seconds + rng.random() * policy.jitter * policy.base_seconds
    return seconds * (1 - policy.jitter * rng.random())


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for: delta-seconds or an HTTP date (RFC 9110, 10.2.3); None if
    it says nothing usable.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), 86_400.0 * 365)
    try:
        date = email.utils.parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
