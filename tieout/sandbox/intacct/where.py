"""Filters, from both dialects, as one tree: the filter elements of `query`, and the SQL-like text of `readByQuery`.

A node is ("and" | "or", [nodes]) or (operator, field, [values]), with the operator names of `query`:
equalto, notequalto, lessthan, lessthanorequalto, greaterthan, greaterthanorequalto, between, in, notin, like, notlike,
isnull, isnotnull. Source: Sage Intacct Web Services documentation, Queries.
"""

from __future__ import annotations

import re
from typing import Any

from tieout.sandbox.intacct.refusals import GENERIC_XML, BookError

OPERATORS = {
    "equalto": 1,
    "notequalto": 1,
    "lessthan": 1,
    "lessthanorequalto": 1,
    "greaterthan": 1,
    "greaterthanorequalto": 1,
    "between": 2,
    "in": -1,
    "notin": -1,
    "like": 1,
    "notlike": 1,
    "isnull": 0,
    "isnotnull": 0,
}
MAX_IN = 1000
Node = tuple[Any, ...]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<op><=|>=|<>|!=|=|<|>)|(?P<punct>[(),])|(?P<word>[^\s'(),<>=!]+))"
)
_SYMBOLS = {
    "=": "equalto",
    "!=": "notequalto",
    "<>": "notequalto",
    "<": "lessthan",
    "<=": "lessthanorequalto",
    ">": "greaterthan",
    ">=": "greaterthanorequalto",
}


def bad(sentence: str) -> BookError:
    """A filter that cannot be understood."""
    return BookError(GENERIC_XML, sentence, "Check the query and try again.", description="Invalid query")


def from_element(element: Any) -> Node:
    """The tree of one operator element of a `query` filter."""
    name = element.tag
    if name in ("and", "or"):
        children = [from_element(child) for child in element]
        if len(children) < 2:
            raise bad(f"The '{name}' operator needs at least two conditions.")
        return (name, children)
    if name not in OPERATORS:
        raise bad(f"'{name}' is not a filter operator.")
    fields = [(child.text or "").strip() for child in element if child.tag == "field"]
    values = [child.text or "" for child in element if child.tag == "value"]
    if len(fields) != 1 or not fields[0]:
        raise bad(f"The '{name}' operator needs exactly one field.")
    wanted = OPERATORS[name]
    if wanted == -1 and not 1 <= len(values) <= MAX_IN:
        raise bad(f"The '{name}' operator takes 1 to {MAX_IN} values, not {len(values)}.")
    if wanted not in (-1, len(values)):
        raise bad(f"The '{name}' operator takes {wanted} value(s), not {len(values)}.")
    return (name, fields[0], values)


def from_text(text: str) -> Node | None:
    """The tree of a readByQuery where text; None when it is empty."""
    tokens: list[tuple[str, str]] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise bad(f"The query cannot be read at position {position + 1}.")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    if not tokens:
        return None
    reader = _Reader(tokens)
    node = reader.either(0)
    if reader.at < len(tokens):
        raise bad(f"Unexpected '{tokens[reader.at][1]}' in the query.")
    return node


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> str:
        if self.at >= len(self.tokens):
            return ""
        kind, text = self.tokens[self.at]
        return text.lower() if kind != "text" else "'"

    def take(self, kind: str | None = None) -> str:
        if self.at >= len(self.tokens):
            raise bad("The query ends too early.")
        found, text = self.tokens[self.at]
        if kind is not None and found != kind:
            raise bad(f"Unexpected '{text}' in the query.")
        self.at += 1
        return text

    def either(self, depth: int) -> Node:
        if depth > 50:
            raise bad("The query is nested too deeply.")
        parts = [self.all_of(depth)]
        while self.peek() == "or":
            self.take()
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else ("or", parts)

    def all_of(self, depth: int) -> Node:
        parts = [self.one(depth)]
        while self.peek() == "and":
            self.take()
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else ("and", parts)

    def one(self, depth: int) -> Node:
        if self.peek() == "(":
            self.take()
            node = self.either(depth + 1)
            if self.take() != ")":
                raise bad("A closing bracket is missing in the query.")
            return node
        field = self.take("word")
        word = self.peek()
        if word in _SYMBOLS:
            return (_SYMBOLS[self.take()], field, [self.value()])
        if word == "is":
            self.take()
            negated = self.peek() == "not"
            if negated:
                self.take()
            if self.take().lower() != "null":
                raise bad("'is' must be followed by null or not null.")
            return ("isnotnull" if negated else "isnull", field, [])
        negated = word == "not"
        if negated:
            self.take()
            word = self.peek()
        if word == "like":
            self.take()
            return ("notlike" if negated else "like", field, [self.value()])
        if word == "in":
            self.take()
            return ("notin" if negated else "in", field, self.values())
        raise bad(f"'{word}' is not an operator.")

    def values(self) -> list[str]:
        if self.take() != "(":
            raise bad("'in' must be followed by a bracketed list.")
        found = [self.value()]
        while self.peek() == ",":
            self.take()
            found.append(self.value())
        if self.take() != ")":
            raise bad("A closing bracket is missing in the query.")
        return found

    def value(self) -> str:
        kind = self.tokens[self.at][0] if self.at < len(self.tokens) else ""
        text = self.take()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind != "word":
            raise bad(f"Unexpected '{text}' in the query.")
        return text
