"""Selecting rows: filters compiled to predicates, order, pages, aggregates, and who may see what.

Rows come in shuffled order unless ordered, differently each time, because the real order is not promised. A comparison with an
empty value is never true. Sources: Sage Intacct Web Services documentation, Queries.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from tieout.sandbox.intacct.books import Books
from tieout.sandbox.intacct.catalogue import ObjectType
from tieout.sandbox.intacct.columns import Field, render
from tieout.sandbox.intacct.refusals import GENERIC_XML, NO_PERMISSION, PROCESSING, ROLLED_BACK, BookError
from tieout.sandbox.intacct.values import cents, day, flag, instant, money, quantity
from tieout.sandbox.intacct.where import Node, bad

AGGREGATES = ("count", "sum", "min", "max", "avg")
MAX_PAGE = 2000
_ADDED = {"CURRENCY", "DECIMAL", "INTEGER"}


@dataclass(slots=True)
class Viewer:
    """Who reads: the entity of the session, the user's permissions, and how long new rows stay hidden."""

    entity: str
    permissions: frozenset[str]
    hide_seconds: float = 0


class Reader:
    """Reads one company's books through the catalogue of its objects."""

    def __init__(self, books: Books, objects: dict[str, ObjectType]) -> None:
        self.books, self.objects, self.company = books, objects, books.company
        self._shuffles = 0

    def object_type(self, name: str, viewer: Viewer) -> ObjectType:
        """The object of that name. Raises when it is unknown or the user may not read it."""
        found = self.objects.get(name.strip().upper())
        if found is None:
            raise BookError(
                ROLLED_BACK,
                f"Object definition {name} not found",
                "Use the name of an object that can be read.",
                description="There was an error processing the function",
            )
        if found.name == "AUDITHISTORY" and "audit" not in viewer.permissions:
            raise BookError(PROCESSING, "There was an error processing the request.")
        if "read" not in viewer.permissions:
            raise BookError(NO_PERMISSION, f"You do not have permission to view {found.name}.")
        return found

    def resolve(self, kind: ObjectType, names: Iterable[str]) -> list[Field]:
        """The fields of those names, related ones included; one unknown name refuses them all."""
        found, unknown = [], []
        for name in names:
            one = self._field(kind, name)
            if one is None:
                unknown.append(name)
            else:
                found.append(one)
        if unknown:
            raise BookError(
                GENERIC_XML,
                f"The following fields cannot be queried on {kind.name}: {', '.join(unknown)}",
                "Remove these fields, or use lookup to see which fields there are.",
                details={"errorid": "QE-0006", "category": "Invalid Field", "object": kind.name},
            )
        return found

    def _field(self, kind: ObjectType, name: str) -> Field | None:
        own = kind.fields.get(name)
        if own is not None or "." not in name:
            return own
        relation, _, rest = name.partition(".")
        if relation not in kind.relations or ("." in rest and relation != "CUSTOMER"):
            return None
        target, follow = kind.relations[relation]
        there = self.objects[target].fields.get(rest)
        if there is None:
            return None
        getter = there.get
        return Field(name, there.kind, lambda row: getter(follow(row)), there.codes)

    def select(
        self,
        kind: ObjectType,
        node: Node | None,
        order: list[tuple[str, bool]],
        viewer: Viewer,
        *,
        codes: bool = False,
        private: bool = True,
        ignore_case: bool = False,
    ) -> list[Any]:
        """All matching records; `order` is (field, descending) pairs, `codes` compares enums by code."""
        predicate = self._predicate(kind, node, codes, ignore_case) if node else None
        ordered = [(self.resolve(kind, [name])[0], down) for name, down in order]
        rows = self._visible(kind, node, viewer, private)
        found = [row for row in rows if predicate(row)] if predicate else list(rows)
        if not (ordered and ordered[0][0].name == "RECORDNO"):
            self._shuffles += 1
            random.Random(self._shuffles).shuffle(found)
        for one, down in reversed(ordered):
            get = one.get
            found.sort(key=lambda row: _sort_key(get(row)), reverse=down)
        return found

    def _visible(self, kind: ObjectType, node: Node | None, viewer: Viewer, private: bool) -> Iterable[Any]:
        if kind.rows is not None:
            return kind.rows(self.books)
        low, high = _record_range(node)
        rows: Iterable[Any] = self.books.tables[kind.table].between(low, high)
        if kind.keep is not None:
            rows = filter(kind.keep, rows)
        if kind.owner is not None:
            owner = kind.owner
            if viewer.entity:
                rows = (row for row in rows if owner(row) in ("", viewer.entity))
            elif not private and self.company.knobs.private_hidden_at_top:
                rows = (row for row in rows if not owner(row))
        seconds = max(viewer.hide_seconds, self.company.knobs.hide_rows_seconds)
        if seconds and kind.created is not None:
            created, limit = kind.created, self.books.clock() - timedelta(seconds=seconds)
            rows = (row for row in rows if created(row) <= limit)
        return rows

    def is_visible(self, kind: ObjectType, row: Any, viewer: Viewer) -> bool:
        """Whether one record may be seen by key."""
        if kind.keep is not None and not kind.keep(row):
            return False
        if kind.owner is not None and viewer.entity and kind.owner(row) not in ("", viewer.entity):
            return False
        seconds = max(viewer.hide_seconds, self.company.knobs.hide_rows_seconds)
        limit = self.books.clock() - timedelta(seconds=seconds)
        return not (seconds and kind.created is not None and kind.created(row) > limit)

    # ---- predicates ------------------------------------------------------------------------------------------

    def _predicate(
        self, kind: ObjectType, node: Node, codes: bool, ignore_case: bool
    ) -> Callable[[Any], bool]:
        name = node[0]
        if name in ("and", "or"):
            parts = [self._predicate(kind, child, codes, ignore_case) for child in node[1]]
            if name == "and":
                return lambda row: all(part(row) for part in parts)
            return lambda row: any(part(row) for part in parts)
        one = self.resolve(kind, [node[1]])[0]
        return self._compare(name, one, node[2], codes, ignore_case)

    def _compare(
        self, name: str, one: Field, values: list[str], codes: bool, ignore_case: bool
    ) -> Callable[[Any], bool]:
        get = one.get
        if name in ("isnull", "isnotnull"):
            wanted = name == "isnull"
            return lambda row: (get(row) in (None, "")) is wanted
        fold = str.lower if ignore_case else str
        if name in ("like", "notlike"):
            shape = re.compile(_like(fold(values[0])), re.DOTALL)
            wanted, company = name == "like", self.company

            def matches(row: Any) -> bool:
                text = fold(render(one, get(row), company))
                return text != "" and (shape.match(text) is not None) is wanted

            return matches
        given = [self._value(one, text, ignore_case) for text in values]
        convert: Callable[[Any], Any] = lambda value: value  # noqa: E731
        if one.kind == "ENUM" and codes and one.codes:
            table = one.codes
            convert = lambda value: table.get(value, value)  # noqa: E731
        elif ignore_case and one.kind in ("TEXT", "ENUM"):
            convert = lambda value: str(value).lower()  # noqa: E731
        test = _TESTS[name]
        chosen: Any = frozenset(given) if name in ("in", "notin") else given

        def holds(row: Any) -> bool:
            value = get(row)
            if value is None or value == "":
                return False
            return test(convert(value), chosen)

        return holds

    def _value(self, one: Field, text: str, ignore_case: bool) -> Any:
        kind = one.kind
        try:
            if kind == "INTEGER":
                return int(text.strip())
            if kind == "CURRENCY":
                return cents(text)
            if kind == "DECIMAL":
                return quantity(text)
            if kind == "DATE":
                return day(text)
            if kind in ("TIMESTAMP", "AUDITSTAMP"):
                knobs = self.company.knobs
                hours = knobs.user_gmt_offset_hours if kind == "TIMESTAMP" else knobs.audit_gmt_offset_hours
                return instant(text).replace(tzinfo=UTC) - timedelta(hours=hours)
        except (BookError, ValueError) as wrong:
            raise bad(f"'{text[:40]}' is not a value for the field {one.name}.") from wrong
        if kind == "BOOLEAN":
            return flag(text)
        return text.lower() if ignore_case else text

    # ---- aggregates ------------------------------------------------------------------------------------------

    def aggregate(
        self, groups: list[Field], sums: list[tuple[str, Field]], rows: list[Any]
    ) -> list[list[tuple[str, str]]]:
        """Rows of (tag, text): the group fields, then one value per aggregate.

        Counts are tagged COUNT.FIELD and sums bare, as documented; MIN., MAX. and AVG. prefixes are this stand-in's guess.
        """
        buckets: dict[tuple[str, ...], list[Any]] = {} if groups else {(): []}
        for row in rows:
            key = tuple(render(one, one.get(row), self.company) for one in groups)
            buckets.setdefault(key, []).append(row)
        found = []
        for key, members in buckets.items():
            line = [(one.name, text) for one, text in zip(groups, key, strict=True)]
            for function, one in sums:
                tag = one.name if function == "sum" else f"{function.upper()}.{one.name}"
                line.append((tag, self._aggregate_one(function, one, members)))
            found.append(line)
        return found

    def _aggregate_one(self, function: str, one: Field, rows: list[Any]) -> str:
        values = [value for value in map(one.get, rows) if value not in (None, "")]
        if function == "count":
            return str(len(values))
        if function in ("sum", "avg") and one.kind not in _ADDED:
            raise bad(f"The field {one.name} cannot be used in {function}.")
        if not values:
            return ""
        if function in ("min", "max"):
            return render(one, min(values) if function == "min" else max(values), self.company)
        total = sum(values)
        if function == "sum":
            return render(one, total, self.company)
        mean = Decimal(total) / len(values)
        if one.kind == "CURRENCY":
            return money(int(mean.to_integral_value()))
        return str(mean.normalize())


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "equalto": lambda value, given: value == given[0],
    "notequalto": lambda value, given: value != given[0],
    "lessthan": lambda value, given: value < given[0],
    "lessthanorequalto": lambda value, given: value <= given[0],
    "greaterthan": lambda value, given: value > given[0],
    "greaterthanorequalto": lambda value, given: value >= given[0],
    "between": lambda value, given: given[0] <= value <= given[1],
    "in": lambda value, given: value in given,
    "notin": lambda value, given: value not in given,
}


def _like(pattern: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern) + r"\Z"


def _sort_key(value: Any) -> tuple[bool, Any]:
    empty = value is None or value == ""
    return (not empty, 0 if empty else value)


def _record_range(node: Node | None) -> tuple[int, int | None]:
    """Bounds on RECORDNO that every match satisfies, to read a range of a big table by bisection."""
    low, high = 0, None
    conditions = [] if node is None else node[1] if node[0] == "and" else [node]
    for child in conditions:
        if child[0] in ("and", "or") or child[1] != "RECORDNO":
            continue
        try:
            numbers = [int(text) for text in child[2]]
        except ValueError:
            continue
        tops: list[int] = []
        if child[0] in ("greaterthan", "greaterthanorequalto"):
            low = max(low, numbers[0])
        elif child[0] in ("lessthan", "lessthanorequalto"):
            tops = numbers
        elif child[0] in ("equalto", "between", "in"):
            low, tops = max(low, min(numbers)), [max(numbers)]
        for top in tops:
            high = top if high is None else min(high, top)
    return low, high
