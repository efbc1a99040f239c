"""Query predicates and sort expressions of commercetools, parsed for real (commercetools API reference, Query Predicates).

Understood: comparisons ``= != <> < <= > >=``, ``in`` and ``not in``, ``is [not] defined``, ``is [not] empty``,
``contains any|all``, nesting ``field(...)``, ``and``, ``or``, ``not``, parentheses, text, numbers, booleans and ``:variables``.
Anything else is a :class:`PredicateError`, which the stand-in answers with 400 InvalidInput.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tieout.sandbox.world.arithmetic import parse_iso

INSTANTS = {"createdAt", "lastModifiedAt", "completedAt", "timestamp", "expectedDelivery"}
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_.-]*)"""
    r"""|(?P<variable>:[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|!=|<>|[=<>(),]))"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_DEPTH = 40
Get = Callable[[str], Any]


class PredicateError(ValueError):
    """A predicate or sort expression that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: ``op`` is and, or, not, nest, in, defined, empty, any, all or a comparison sign."""

    op: str
    field: str = ""
    value: Any = None
    children: tuple[Node, ...] = ()

    def matches(self, get: Get) -> bool:
        """Whether a row matches; ``get`` gives a field's value, None when it is absent."""
        op = self.op
        if op == "and":
            return all(child.matches(get) for child in self.children)
        if op == "or":
            return any(child.matches(get) for child in self.children)
        if op == "not":
            return not self.children[0].matches(get)
        found = get(self.field)
        if op == "defined":
            return (found is not None) is self.value
        if op == "empty":
            return (not found) is self.value
        if op == "nest":
            rows = found if isinstance(found, list) else [found]
            return any(self.children[0].matches(row.get) for row in rows if isinstance(row, dict))
        if op == "in":
            return _comparable(self.field, found) in self.value
        if op in ("any", "all"):
            present = found if isinstance(found, list) else []
            return (any if op == "any" else all)(value in present for value in self.value)
        left = _comparable(self.field, found)
        if left is None or isinstance(left, str) != isinstance(self.value, str):
            return op in ("!=", "<>")
        return _COMPARE[op](left, self.value)

    def bounds(self, field: str) -> tuple[Any, Any]:
        """Inclusive lowest and highest value of a field among matching rows, None where nothing is known."""
        if self.op == "and":
            pairs = [child.bounds(field) for child in self.children]
            lows, highs = (
                [low for low, _ in pairs if low is not None],
                [high for _, high in pairs if high is not None],
            )
            return max(lows, default=None), min(highs, default=None)
        if self.op == "or":
            pairs = [child.bounds(field) for child in self.children]
            low = None if any(one is None for one, _ in pairs) else min(one for one, _ in pairs)
            high = None if any(one is None for _, one in pairs) else max(one for _, one in pairs)
            return low, high
        if self.field == field:
            if self.op == "in":
                return (min(self.value), max(self.value)) if self.value else (None, None)
            if self.op in ("=", ">", ">="):
                return self.value, self.value if self.op == "=" else None
            if self.op in ("<", "<="):
                return None, self.value
        return None, None


def _comparable(field: str, found: Any) -> Any:
    return parse_iso(found) if field in INSTANTS and isinstance(found, str) else found


def parse(text: str, fields: Collection[str], variables: Mapping[str, str]) -> Node:
    """Parse one ``where``; ``fields`` are the resource's top-level fields, ``variables`` the ``var.`` parameters."""
    parser = _Parser(_tokens(text), fields, variables)
    node = parser.either(0)
    if parser.peek() is not None:
        raise PredicateError(f"unexpected '{parser.peek()}' in '{text}'")
    return node


def parse_sort(text: str, fields: Collection[str]) -> tuple[str, bool]:
    """A sort expression as (field, descending)."""
    parts = text.split()
    if not parts or len(parts) > 2 or (len(parts) == 2 and parts[1].lower() not in ("asc", "desc")):
        raise PredicateError(f"malformed sort expression '{text}'")
    if parts[0] not in fields:
        raise PredicateError(f"the field '{parts[0]}' does not exist")
    return parts[0], len(parts) == 2 and parts[1].lower() == "desc"


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise PredicateError(f"syntax error at position {at} of '{text}'")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return found


class _Parser:
    def __init__(
        self, tokens: list[tuple[str, str]], fields: Collection[str], variables: Mapping[str, str]
    ) -> None:
        self.tokens, self.at, self.fields, self.variables = tokens, 0, fields, variables

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, *expected: str) -> str:
        found = self.peek()
        if found is None or (expected and found.lower() not in expected):
            raise PredicateError(
                f"expected {' or '.join(expected) or 'more'} but found '{found or 'the end'}'"
            )
        self.at += 1
        return found

    def skip(self, word: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1].lower() == word:
            self.at += 1
            return True
        return False

    def either(self, depth: int) -> Node:
        if depth > _DEPTH:
            raise PredicateError("nested too deeply")
        children = [self.both(depth)]
        while self.skip("or"):
            children.append(self.both(depth))
        return children[0] if len(children) == 1 else Node("or", children=tuple(children))

    def both(self, depth: int) -> Node:
        children = [self.one(depth)]
        while self.skip("and"):
            children.append(self.one(depth))
        return children[0] if len(children) == 1 else Node("and", children=tuple(children))

    def one(self, depth: int) -> Node:
        if self.skip("not"):
            return Node("not", children=(self.one(depth + 1),))
        if self.skip("("):
            node = self.either(depth + 1)
            self.take(")")
            return node
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "word":
            raise PredicateError(f"expected a field but found '{self.peek() or 'the end'}'")
        field = self.take()
        if self.fields and field not in self.fields:
            raise PredicateError(f"the field '{field}' does not exist")
        return self.rest(field, depth)

    def rest(self, field: str, depth: int) -> Node:
        if self.skip("("):
            known, self.fields = self.fields, ()
            inner = self.either(depth + 1)
            self.fields = known
            self.take(")")
            return Node("nest", field, children=(inner,))
        if self.skip("is"):
            wanted = not self.skip("not")
            return Node(self.take("defined", "empty").lower(), field, wanted)
        if self.skip("contains"):
            return Node(self.take("any", "all").lower(), field, self.several(field))
        if self.skip("in"):
            return Node("in", field, self.several(field))
        if self.skip("not"):
            self.take("in")
            return Node("not", children=(Node("in", field, self.several(field)),))
        return Node(self.take(*_COMPARE), field, self.value(field))

    def several(self, field: str) -> tuple[Any, ...]:
        self.take("(")
        found = [self.value(field)]
        while self.skip(","):
            found.append(self.value(field))
        self.take(")")
        return tuple(found)

    def value(self, field: str) -> Any:
        if self.at >= len(self.tokens):
            raise PredicateError(f"a value for '{field}' is missing")
        kind, text = self.tokens[self.at]
        self.at += 1
        found: Any
        if kind == "text":
            found = re.sub(r"\\(.)", r"\1", text[1:-1])
        elif kind == "variable":
            if text[1:] not in self.variables:
                raise PredicateError(f"the variable '{text}' has no value")
            found = self.variables[text[1:]]
        elif kind == "number":
            found = float(text) if "." in text else int(text)
        elif text in ("true", "false"):
            found = text == "true"
        else:
            raise PredicateError(f"expected a value for '{field}' but found '{text}'")
        if field in INSTANTS:
            try:
                found = parse_iso(found)
            except (ValueError, TypeError) as bad:
                raise PredicateError(f"'{text}' is no date and time") from bad
        return found
