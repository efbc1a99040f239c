"""readByQuery and readMore, for companies that refuse `query` ("Sage Intacct Web Services documentation, readByQuery, readMore").

One call fixes the result, `readMore` by its resultId gives the rest while data change. Rows come in no promised order and with lower-case
names; filters are text, with single quotes escaped by a backslash, and compare enumerations by their codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.reading import Both, Filter, Where, total_and_left
from tieout.connectors.intacct.replies import FunctionResult, Row
from tieout.connectors.intacct.values import Element, put
from tieout.connectors.intacct.walking import must_succeed
from tieout.errors import Incomplete, InputError, MalformedReply

MAX_READ_PAGE = 1000
_SIGNS = {
    "equalto": "=", "lessthan": "<", "lessthanorequalto": "<=", "greaterthan": ">", "greaterthanorequalto": ">=",
    "like": "like", "notlike": "not like",
}  # fmt: skip


def condition_text(condition: Filter | None) -> str:
    """A filter as the text that readByQuery takes; empty for none. Raises InputError for what it cannot say."""
    if condition is None:
        return ""
    if isinstance(condition, Both):
        joined = (" OR " if condition.any_of else " AND ").join(
            condition_text(part) for part in condition.parts
        )
        return f"({joined})"
    values = [_quoted(value) for value in condition.values]
    if condition.operator in ("isnull", "isnotnull"):
        return f"{condition.field} IS {'NOT ' if condition.operator == 'isnotnull' else ''}NULL"
    if condition.operator in ("in", "notin"):
        return f"{condition.field} {'not ' if condition.operator == 'notin' else ''}in ({','.join(values)})"
    if condition.operator == "between":
        low, high = (Where(sign, condition.field, (value,)) for sign, value in zip(
            ("greaterthanorequalto", "lessthanorequalto"), condition.values, strict=True))  # fmt: skip
        return condition_text(Both((low, high)))
    sign = _SIGNS.get(condition.operator)
    if sign is None:
        raise InputError(f"readByQuery has no '{condition.operator}'; use another condition.")
    return f"{condition.field} {sign} {values[0]}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def older_pages(
    calls: Calls, object_name: str, *, fields: Sequence[str], condition: Filter | None, entity: str | None
) -> Iterator[list[Row]]:
    """Pages of rows in no particular order, each RECORDNO once. Raises Incomplete when the pages do not add up to the stated total."""
    where = condition_text(condition)

    def first(node: Element) -> None:
        call = etree.SubElement(node, "readByQuery")
        put(call, "object", object_name)
        put(call, "fields", ",".join(fields))
        put(call, "query", where)
        put(call, "pagesize", str(MAX_READ_PAGE))

    result = must_succeed(calls.ask(first, entity=entity), object_name)
    total, left = total_and_left(result)
    seen: set[int] = set()
    while True:
        rows = _rows(result, object_name, seen)
        if rows:
            yield rows
        if not left:
            break
        result_id = result.attributes.get("resultId")
        if not result_id or not rows:
            raise Incomplete(
                f"Intacct says {left} rows of {object_name} remain and offers no way to them; run it again later."
            )

        def more(node: Element, result_id: str = result_id) -> None:
            put(etree.SubElement(node, "readMore"), "resultId", result_id)

        result = must_succeed(calls.ask(more, entity=entity), object_name)
        _, left = total_and_left(result)
    if total is not None and len(seen) != total:
        raise Incomplete(
            f"Intacct says there are {total} rows of {object_name} and gave {len(seen)}; run it again later."
        )


def _rows(result: FunctionResult, object_name: str, seen: set[int]) -> list[Row]:
    rows = list(result.rows)
    for row in rows:
        number = row.get("RECORDNO")
        if not isinstance(number, int):
            raise MalformedReply(f"A row of {object_name} has no RECORDNO; try again later.")
        if number in seen:
            raise Incomplete(f"Intacct gave {object_name} {number} twice; run the extract again later.")
        seen.add(number)
    return rows


def older_count(calls: Calls, object_name: str, condition: Filter | None, entity: str | None) -> int:
    """How many rows fit, by the total that readByQuery states."""
    where = condition_text(condition)

    def ask(node: Element) -> None:
        call = etree.SubElement(node, "readByQuery")
        put(call, "object", object_name)
        put(call, "fields", "RECORDNO")
        put(call, "query", where)
        put(call, "pagesize", "1")

    result = must_succeed(calls.ask(ask, entity=entity), f"the count of {object_name}")
    total, left = total_and_left(result)
    if total is not None:
        return total
    if left is not None:
        return left + len(result.rows)
    raise MalformedReply(f"Intacct's reply does not say how many {object_name} there are; try again later.")
