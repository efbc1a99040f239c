"""Walks over an object by RECORDNO that prove they saw every row, or say that they did not.

Each page asks for what lies after the last RECORDNO seen, so rows cannot shift between pages. At the end the rows are counted by the same filter;
if the count is higher the object is walked once more, and if it still is, Incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.classify import ErrorKind, classify
from tieout.connectors.intacct.reading import Filter, Where, all_of, total_and_left, write_query
from tieout.connectors.intacct.replies import FunctionResult, Row
from tieout.connectors.intacct.values import Element
from tieout.errors import Incomplete, MalformedReply, Refused, Rejected, Throttled

Rows = list[Row]


def must_succeed(result: FunctionResult, what: str) -> FunctionResult:
    """The result if it is a success. Raises Refused (rights), Throttled or Rejected, each saying `what` was being read."""
    if result.status == "success":
        return result
    verdict = classify(result.errors)
    sentence = f"Reading {what} failed. {verdict.sentence}"
    if verdict.kind is ErrorKind.PERMISSION:
        raise Refused(sentence)
    if verdict.kind is ErrorKind.TRANSPORT:
        raise Throttled(sentence)
    raise Rejected(sentence, code=verdict.number or None, said=verdict.said)


def pages(
    calls: Calls,
    object_name: str,
    *,
    fields: Sequence[str],
    condition: Filter | None,
    page_size: int,
    entity: str | None,
    on_bytes: Callable[[int], None] | None = None,
) -> Iterator[Rows]:
    """Pages of rows in RECORDNO order. Raises Incomplete for a page that is out of order, repeats, or falls short of its own totals."""
    last: int | None = None
    while True:
        beyond = None if last is None else Where("greaterthan", "RECORDNO", (str(last),))
        where = all_of(condition, beyond)

        def ask(node: Element, where: Filter | None = where) -> None:
            write_query(node, object_name, fields=fields, condition=where, page_size=page_size)

        result = must_succeed(calls.ask(ask, entity=entity), object_name)
        rows = list(result.rows)
        total, left = total_and_left(result)
        for row in rows:
            number = row.get("RECORDNO")
            if not isinstance(number, int):
                raise MalformedReply(f"A row of {object_name} has no RECORDNO; try again later.")
            if last is not None and number <= last:
                raise Incomplete(
                    f"Intacct's page of {object_name} is not in RECORDNO order or repeats rows (after {last} came {number}); "
                    "nothing past this page can be trusted, run the extract again later."
                )
            last = number
        if len(rows) > page_size:
            raise Incomplete(
                f"Intacct gave {len(rows)} rows of {object_name} where {page_size} were asked for; run it again later."
            )
        if total is not None and left is not None and len(rows) + left != total:
            raise Incomplete(
                f"Intacct's page of {object_name} says {total} rows, of which {left} remain, but holds {len(rows)}; run it again later."
            )
        if left and not rows:
            raise Incomplete(
                f"Intacct says {left} rows of {object_name} remain and gives none; run it again later."
            )
        if rows:
            yield rows
        if left == 0 or not rows or (left is None and len(rows) < page_size):
            return


def count(calls: Calls, object_name: str, condition: Filter | None, entity: str | None) -> int:
    """How many rows fit the condition, by Intacct's own count."""

    def ask(node: Element) -> None:
        write_query(node, object_name, fields=(), condition=condition, counted="RECORDNO", page_size=1)

    result = must_succeed(calls.ask(ask, entity=entity), f"the count of {object_name}")
    if not result.rows:
        return 0
    row = result.rows[0]
    text = str(row.get("COUNT.RECORDNO", row.get("COUNT", "")))
    if not (text.isascii() and text.isdigit()):
        raise MalformedReply(
            f"Intacct's count of {object_name} is '{text[:20]}', which is not a number; try again later."
        )
    return int(text)


def proved_pages(
    calls: Calls,
    object_name: str,
    *,
    fields: Sequence[str],
    condition: Filter | None,
    page_size: int,
    entity: str | None,
) -> Iterator[Rows]:
    """`pages`, then the count proof. After a failed proof every page is given a second time (landing drops what it has already).

    Rows deleted while walking make the count lower, which loses nothing; only a higher count is a fault.
    """
    for attempt in (1, 2):
        seen = 0
        for rows in pages(
            calls, object_name, fields=fields, condition=condition, page_size=page_size, entity=entity
        ):
            seen += len(rows)
            yield rows
        there = count(calls, object_name, condition, entity)
        if there <= seen:
            return
        if attempt == 2:
            raise Incomplete(
                f"Intacct counts {there} rows of {object_name} and gave {seen}, twice; the watermark stays where it was. "
                "Run the extract again when nobody is posting.",
                counted=there,
                seen=seen,
            )
