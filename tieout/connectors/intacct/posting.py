"""Posting a batch so that every document ends as accepted, refused, unknown or not sent, and nothing else.

Only a plain `success` with a key counts. A lost or unreadable answer makes every function of its request unknown. A request that the
gateway refuses whole, for its schema or its size, is halved until the records at fault stand alone. What a roll-back took down without fault of
its own is sent again without the culprit; an odd answer that asks to be tried again is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tieout.connectors.intacct import envelopes
from tieout.connectors.intacct.amendments import AMENDMENTS, Postable
from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.classify import ErrorKind, classify
from tieout.connectors.intacct.documents import CustomerUpdate, Reversal, Style
from tieout.connectors.intacct.limits import Limits
from tieout.connectors.intacct.outcomes import (
    Accepted,
    BatchOutcome,
    NotSent,
    Outcome,
    RefusedByIntacct,
    Unknown,
)
from tieout.connectors.intacct.replies import FunctionResult, Response
from tieout.errors import InputError, MalformedReply, OutcomeUnknown, Rejected, TieoutError

_KEYLESS = (CustomerUpdate, Reversal, *AMENDMENTS)
_ROLLED_BACK = "XL03000009"
Item = tuple[str, Postable]


class Posting:
    """One batch on its way; made anew for each call of `Intacct.post`."""

    def __init__(
        self,
        calls: Calls,
        *,
        entity: str | None,
        styles: Mapping[type, Style] | None,
        limits: Limits,
        transaction: bool,
        uniqueid: bool,
        replay_numbers: Sequence[str] = (),
        replay_texts: Sequence[str] = (),
    ) -> None:
        self._calls = calls
        self._entity = entity
        self._styles = styles
        self._limits = limits
        self._transaction = transaction
        self._uniqueid = uniqueid
        self._replay = {"replay_numbers": replay_numbers, "replay_texts": replay_texts}
        self._results: dict[str, Outcome] = {}
        self._written: dict[str, envelopes.Element] = {}
        self._tried_again: set[str] = set()
        self._spoken = False

    def run(self, batch: Sequence[Item]) -> BatchOutcome:
        """Post the batch. Raises InputError for a batch that must not be sent, and whatever kept the first request from being answered."""
        ids = [control_id for control_id, _ in batch]
        if len(set(ids)) != len(ids):
            raise InputError(
                "Two documents of one batch have the same control id; results could not be told apart."
            )
        if len(batch) > envelopes.MAX_FUNCTIONS:
            raise InputError(
                f"A batch holds at most {envelopes.MAX_FUNCTIONS} documents, not {len(batch)}; split it."
            )
        before = self._calls.requests
        halted: TieoutError | None = None
        sendable = [item for item in batch if self._may_leave(*item)]
        try:
            self._settle(sendable)
        except TieoutError as error:
            if not self._spoken:
                raise
            halted = error
            for control_id in ids:
                self._results.setdefault(control_id, NotSent(error.sentence))
        results = {control_id: self._results[control_id] for control_id in ids}
        done = sum(isinstance(outcome, Accepted | Unknown) for outcome in results.values())
        # An unknown may have been written, and a quota that is kept must not be kept too low.
        self._calls.metered("write", done)
        return BatchOutcome(results, halted, self._calls.requests - before)

    # ── before sending ───────────────────────────────────────────────────────────────────────────────────────────────

    def _may_leave(self, control_id: str, document: Postable) -> bool:
        problems = self._limits.check(document, envelopes.style_of(document, self._styles))
        if not problems:
            # Written once, and moved into each request it is sent with.
            try:
                self._written[control_id] = envelopes.function(
                    document, control_id=control_id, style=envelopes.style_of(document, self._styles)
                )
            except InputError as error:
                problems = [error.sentence]
        if problems:
            self._results[control_id] = RefusedByIntacct(ErrorKind.DATA, "", " ".join(problems), (), False)
        return not problems

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, items: Sequence[Item]) -> None:
        """Bring every item to an outcome, by as many requests as that takes; each either decides an item or halves the batch."""
        if not items:
            return

        def fill(envelope: envelopes.Envelope) -> None:
            for control_id, _ in items:
                envelope.take(self._written[control_id])

        try:
            response = self._calls.send(
                fill,
                [control_id for control_id, _ in items],
                entity=self._entity,
                transaction=self._transaction,
                uniqueid=self._uniqueid,
                is_write=True,
            )
        except OutcomeUnknown as error:
            self._spoken = True
            self._all_unknown(items, error.sentence)
            return
        except Rejected as error:
            if error.code != "whole":
                raise
            self._spoken = True
            self._halve(items, error)
            return
        self._spoken = True
        try:
            again = self._judge(items, response)
        except MalformedReply as error:
            self._all_unknown(items, error.sentence)
            return
        self._settle(again)

    def _halve(self, items: Sequence[Item], error: Rejected) -> None:
        """Send the halves of what was refused whole, until those at fault stand alone.

        `k` records at fault among `n` cost at most 1 + 2·k·⌈log2 n⌉ requests, and never more than 2·n - 1.
        """
        if len(items) == 1:
            said = f"Intacct refuses any request with this record in it: {error.context.get('said') or 'no reason given'}"
            self._results[items[0][0]] = RefusedByIntacct(
                ErrorKind.DATA, str(error.context.get("number", "")), said
            )
            return
        middle = len(items) // 2
        self._settle(items[:middle])
        self._settle(items[middle:])

    def _all_unknown(self, items: Sequence[Item], reason: str) -> None:
        for control_id, _ in items:
            self._results[control_id] = Unknown(reason)

    # ── after sending ────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, items: Sequence[Item], response: Response) -> list[Item]:
        """Outcomes from a reply; returns what is to be sent again now."""
        if response.operation_errors and not response.results:
            # The operation as a whole was refused after sign-in, a repeated function id being one reason: some may be in the books.
            said = classify(response.operation_errors, **self._replay).sentence
            self._all_unknown(items, said)
            return []
        matched = response.matched([control_id for control_id, _ in items])
        if self._transaction and any(result.status != "success" for result in matched.values()):
            return self._judge_rolled_back(items, matched)
        again = []
        for control_id, document in items:
            outcome = self._outcome(control_id, document, matched[control_id])
            if outcome is None:
                again.append((control_id, document))
            else:
                self._results[control_id] = outcome
        return again

    def _judge_rolled_back(self, items: Sequence[Item], matched: Mapping[str, FunctionResult]) -> list[Item]:
        """All or nothing failed: the culprit is what has an error of its own; the others are sent again without it."""
        innocent: list[Item] = []
        culprits = 0
        for control_id, document in items:
            result = matched[control_id]
            own = tuple(fault for fault in result.errors if fault.number != _ROLLED_BACK)
            if result.status == "success":
                self._results[control_id] = Unknown(
                    "Intacct says success beside a failure that should have rolled it back; read back before it is sent again."
                )
            elif result.status == "missing" and not self._uniqueid:
                self._results[control_id] = Unknown(
                    "Intacct's answer leaves this function out; it may have been done."
                )
            elif result.status == "failure" or own:
                outcome = self._outcome(control_id, document, result)
                culprits += 1
                if outcome is None:
                    innocent.append((control_id, document))
                else:
                    self._results[control_id] = outcome
            else:
                innocent.append((control_id, document))
        if culprits:
            return innocent
        for control_id, _ in innocent:
            errors = matched[control_id].errors
            verdict = classify(errors, **self._replay)
            self._results[control_id] = (
                RefusedByIntacct(ErrorKind.ROLLED_BACK, verdict.number, verdict.sentence, errors)
                if errors
                else Unknown(
                    "Intacct rolled the batch back and left this function out of its answer; read back before it is sent again."
                )
            )
        return []

    def _outcome(self, control_id: str, document: Postable, result: FunctionResult) -> Outcome | None:
        """The outcome of one result; None when it is to be sent once more."""
        if result.status == "missing":
            return Unknown("Intacct's answer leaves this function out; it may have been done.")
        if result.status == "success":
            if result.errors:
                return Unknown("Intacct says success and an error at once; it may have been done.")
            if result.key is None and not isinstance(document, _KEYLESS):
                return Unknown("Intacct says success without naming the record; it may have been done.")
            return Accepted(result.key or "")
        if result.word not in ("failure", "aborted"):
            return Unknown(
                f"Intacct answered with the unknown status '{result.word[:30]}'; it may have been done."
            )
        verdict = classify(result.errors, **self._replay)
        if verdict.kind is ErrorKind.AMBIGUOUS:
            return Unknown(verdict.sentence)
        if verdict.kind is ErrorKind.RETRY_ONCE and control_id not in self._tried_again:
            self._tried_again.add(control_id)
            return None
        return RefusedByIntacct(verdict.kind, verdict.number, verdict.sentence, result.errors)
