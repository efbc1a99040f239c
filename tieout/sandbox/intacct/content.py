"""Content models: which child elements may follow which, written the way the published schema is read.

`customerid, datecreated:date, dateposted:date?, (accountlabel | glaccountno), item:lineitem+` is a sequence of elements with
`?` optional, `+` one or more, `*` any, `|` a choice; `name:type` says which model the element has inside, without it the element
holds text. A model is compiled to position sets and checked with one dictionary look-up per element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\s*([A-Za-z_][\w.]*(?::\w+)?|[(),|?*+])")
State = tuple[frozenset[int], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    nullable: bool
    first: frozenset[int]
    last: frozenset[int]


class Model:
    """One compiled content model."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: list[tuple[str, str]] = []
        self._follow: list[set[int]] = []
        self._tokens = _tokens(source)
        self._at = 0
        whole = self._choice() if self._tokens else _Part(True, frozenset(), frozenset())
        if self._at != len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at]!r} in content model {source!r}")
        self._last = whole.last
        self.start: State = (whole.first, whole.nullable)
        self._steps: dict[tuple[State, str], tuple[State, str] | None] = {}

    def step(self, state: State, name: str) -> tuple[State, str] | None:
        """(state after the element, its type), or None when it is not expected here."""
        key = (state, name)
        if key not in self._steps:
            hits = [position for position in state[0] if self.names[position][0] == name]
            if not hits:
                self._steps[key] = None
            else:
                allowed = frozenset().union(*(self._follow[hit] for hit in hits))
                accepting = any(hit in self._last for hit in hits)
                self._steps[key] = ((allowed, accepting), self.names[hits[0]][1])
        return self._steps[key]

    def expected(self, state: State) -> list[str]:
        """Names that may come next, in the order of the model."""
        return list(dict.fromkeys(self.names[position][0] for position in sorted(state[0])))

    def _choice(self) -> _Part:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return _Part(
            any(part.nullable for part in parts),
            frozenset().union(*(part.first for part in parts)),
            frozenset().union(*(part.last for part in parts)),
        )

    def _sequence(self) -> _Part:
        whole = self._repeated()
        while self._peek() == ",":
            self._at += 1
            part = self._repeated()
            for position in whole.last:
                self._follow[position] |= part.first
            whole = _Part(
                whole.nullable and part.nullable,
                whole.first | part.first if whole.nullable else whole.first,
                whole.last | part.last if part.nullable else part.last,
            )
        return whole

    def _repeated(self) -> _Part:
        word = self._tokens[self._at]
        self._at += 1
        if word == "(":
            part = self._choice()
            if self._peek() != ")":
                raise ValueError(f"unclosed bracket in content model {self.source!r}")
            self._at += 1
        else:
            name, _, kind = word.partition(":")
            position = len(self.names)
            self.names.append((name, kind))
            self._follow.append(set())
            part = _Part(False, frozenset({position}), frozenset({position}))
        mark = self._peek()
        if mark in ("?", "*", "+"):
            self._at += 1
            if mark != "?":
                for position in part.last:
                    self._follow[position] |= part.first
            if mark != "+":
                part = _Part(True, part.first, part.last)
        return part

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""


def _tokens(source: str) -> list[str]:
    found, position = [], 0
    source = source.strip()
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise ValueError(f"content model {source!r} cannot be read at {position}")
        found.append(match[1])
        position = match.end()
    return found


def check(element: Any, model: Model, models: dict[str, Model], faults: list[str]) -> None:
    """Append a sentence for every element that is out of place, in the words of the schema parser."""
    if element.text and not element.text.isspace():
        faults.append(
            _fault(1841, element, "Character content is not allowed, because the content is element-only.")
        )
    state = model.start
    for child in element:
        name = child.tag
        step = model.step(state, name)
        if step is None:
            faults.append(_fault(1843, child, f"This element is not expected. {_wanted(model, state)}"))
            return
        state, kind = step
        if kind == "any":
            continue
        if kind:
            check(child, models[kind], models, faults)
        elif len(child):
            faults.append(_fault(1842, child, "Element content is not allowed, because the type is simple."))
    if not state[1]:
        faults.append(_fault(1843, element, f"Missing child element(s). {_wanted(model, state)}"))


def _wanted(model: Model, state: State) -> str:
    names = model.expected(state)
    if not names:
        return "No element is expected here."
    return f"Expected is {'one of ' if len(names) > 1 else ''}( {', '.join(names)} )."


def _fault(number: int, element: Any, sentence: str) -> str:
    return (
        f"XML Parse schema error: Error {number}: Element '{element.tag}': {sentence} "
        f"Line: {element.sourceline or 0}, column: 0"
    )
