"""``searchCriteria`` as Magento reads it: groups joined by and, their filters by or; sorting, paging, and trimming by ``fields``.

Source: Magento web API documentation, Search using REST endpoints. Both spellings of the members are understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_FILTER = re.compile(
    r"\AsearchCriteria\[(?:filter_groups|filterGroups)\]\[(\d+)\]\[filters\]\[(\d+)\]\[(field|value|condition_type|conditionType)\]\Z"
)
_SORT = re.compile(r"\AsearchCriteria\[(?:sortOrders|sort_orders)\]\[(\d+)\]\[(field|direction)\]\Z")
_PAGE = re.compile(r"\AsearchCriteria\[(pageSize|page_size|currentPage|current_page)\]\Z")


class SearchError(ValueError):
    """A search that cannot be carried out, with Magento's message and parameters."""

    def __init__(self, message: str, parameters: Any = ()) -> None:
        super().__init__(message)
        self.message, self.parameters = message, parameters


@dataclass(frozen=True)
class Filter:
    """One condition on a top-level attribute."""

    field: str
    value: str
    condition: str = "eq"

    def holds(self, given: Any) -> bool:
        """Whether a value fulfils it."""
        if self.condition in ("null", "notnull"):
            return (given is None) == (self.condition == "null")
        if self.condition in ("in", "nin"):
            return (str(given) in self.value.split(",")) == (self.condition == "in")
        if self.condition in ("like", "nlike"):
            pattern = re.escape(self.value).replace("%", ".*")
            return (re.fullmatch(pattern, str(given)) is not None) == (self.condition == "like")
        if given is None:
            return False
        left, right = _pair(given, self.value)
        return _COMPARE[self.condition](left, right)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gteq": lambda a, b: a >= b,
    "from": lambda a, b: a >= b,
    "moreq": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lteq": lambda a, b: a <= b,
    "to": lambda a, b: a <= b,
}
_CONDITIONS = {*_COMPARE, "in", "nin", "like", "nlike", "null", "notnull"}


def _pair(given: Any, asked: str) -> tuple[Any, Any]:
    if isinstance(given, int) and re.fullmatch(r"-?\d+", asked):
        return given, int(asked)
    return str(given), asked


@dataclass
class Search:
    """A whole search: groups of filters, sort orders as (field, ascending), page size (None: everything) and page."""

    groups: list[list[Filter]] = field(default_factory=list)
    sorts: list[tuple[str, bool]] = field(default_factory=list)
    size: int | None = None
    page: int = 1

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]]) -> Search:
        """Read the query's parameters. Raises :class:`SearchError`."""
        filters: dict[tuple[int, int], dict[str, str]] = {}
        sorts: dict[int, dict[str, str]] = {}
        found = cls()
        for name, value in pairs:
            if match := _FILTER.match(name):
                key = "condition" if match[3].startswith("condition") else match[3]
                filters.setdefault((int(match[1]), int(match[2])), {})[key] = value
            elif match := _SORT.match(name):
                sorts.setdefault(int(match[1]), {})[match[2]] = value
            elif match := _PAGE.match(name):
                if not value.isdigit() or int(value) < 1:
                    raise SearchError("%fieldName must be a positive number.", {"fieldName": match[1]})
                if match[1].lower().replace("_", "") == "pagesize":
                    found.size = int(value)
                else:
                    found.page = int(value)
        groups: dict[int, list[Filter]] = {}
        for (group, _), one in sorted(filters.items()):
            if "field" not in one or one.get("condition", "eq") not in _CONDITIONS:
                raise SearchError('"%1" is not a filter.', [str(one)])
            groups.setdefault(group, []).append(
                Filter(one["field"], one.get("value", ""), one.get("condition", "eq"))
            )
        found.groups = list(groups.values())
        found.sorts = [
            (one.get("field", ""), one.get("direction", "DESC").upper() == "ASC")
            for _, one in sorted(sorts.items())
        ]
        return found

    def matches(self, get: Callable[[str], Any]) -> bool:
        """Whether a record, read through ``get``, is asked for."""
        return all(any(one.holds(get(one.field)) for one in group) for group in self.groups)

    def echo(self) -> dict[str, Any]:
        """The search as the answer repeats it."""
        found: dict[str, Any] = {
            "filter_groups": [
                {
                    "filters": [
                        {"field": f.field, "value": f.value, "condition_type": f.condition} for f in group
                    ]
                }
                for group in self.groups
            ]
        }
        if self.sorts:
            found["sort_orders"] = [
                {"field": name, "direction": "ASC" if up else "DESC"} for name, up in self.sorts
            ]
        if self.size is not None:
            found |= {"page_size": self.size, "current_page": self.page}
        return found


def trimmed(payload: Any, fields: str) -> Any:
    """An answer cut down to ``fields``, for example ``items[entity_id,state],total_count``."""
    wanted, rest = _fields(fields)
    if rest:
        raise SearchError("Invalid fields parameter.")
    return _cut(payload, wanted)


def _fields(text: str) -> tuple[dict[str, Any], str]:
    found: dict[str, Any] = {}
    while text:
        match = re.match(r"\s*([A-Za-z_]\w*)\s*", text)
        if match is None:
            raise SearchError("Invalid fields parameter.")
        name, text = match[1], text[match.end() :]
        found[name] = None
        if text[:1] == "[":
            found[name], text = _fields(text[1:])
            if text[:1] != "]":
                raise SearchError("Invalid fields parameter.")
            text = text[1:].lstrip()
        if text[:1] != ",":
            break
        text = text[1:]
    return found, text


def _cut(payload: Any, wanted: Mapping[str, Any] | None) -> Any:
    if wanted is None:
        return payload
    if isinstance(payload, list):
        return [_cut(one, wanted) for one in payload]
    if not isinstance(payload, dict):
        return payload
    return {name: _cut(payload[name], inner) for name, inner in wanted.items() if name in payload}


def page_of(found: Sequence[Any], search: Search, *, repeats_last: bool) -> Sequence[Any]:
    """The slice a search asks for; a page after the last is empty, or with ``repeats_last`` the last one again (before 2.4)."""
    if search.size is None:
        return found
    start = (search.page - 1) * search.size
    if start >= len(found) and repeats_last and found:
        start = (len(found) - 1) // search.size * search.size
    return found[start : start + search.size]
