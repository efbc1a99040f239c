"""Many payloads to typed objects, one broken one at a time.

A sound payload is decoded once, strictly. One that does not fit is taken apart: the members that do not fit are named in a problem
and left out, the rest is kept, and its neighbours never notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from transforms.storefronts.commercetools_payloads import LARGEST_CENTS

Shape = TypeVar("Shape", bound=msgspec.Struct)
_MOST_REPAIRS: Final = 50
_AT: Final = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `([^`]+)`")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")
_NUMBER: Final = re.compile(r'"orderNumber"\s*:\s*"([^"\\]{1,100})"')


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with one member of one payload; `path` as in `lineItems[0].totalPrice`."""

    code: str
    path: str
    sentence: str


@dataclass(frozen=True)
class Decoded(Generic[Shape]):
    """One object per payload, in order; `troubles` by position for the payloads that did not fit."""

    objects: list[Shape]
    troubles: dict[int, list[Trouble]]


class _Number(float):
    """A JSON number that is not whole, with the text it was written in."""

    text: str


def _number(text: str) -> _Number:
    found = _Number(text)
    found.text = text
    return found


@cache
def _decoder(shape: type[msgspec.Struct]) -> Callable[[str], Any]:
    return msgspec.json.Decoder(shape).decode


def decode(
    payloads: Sequence[str | None], problems: Sequence[str | None], shape: type[Shape]
) -> Decoded[Shape]:
    """Decode payloads into objects of `shape`; `problems` are the troubles the landing already knew of (null for none).

    No payload raises: one that cannot be read becomes an empty object with its troubles.
    """
    objects: list[Shape] = []
    troubles: dict[int, list[Trouble]] = {}
    for position, (one, found) in enumerate(decode_each(payloads, problems, shape)):
        objects.append(one)
        if found:
            troubles[position] = found
    return Decoded(objects, troubles)


def decode_each(
    payloads: Sequence[str | None], problems: Sequence[str | None], shape: type[Shape]
) -> Iterator[tuple[Shape, list[Trouble] | None]]:
    """The same one by one, each with its troubles (None for none), for a caller that keeps no object."""
    read = _decoder(shape)
    # One call per payload: the decoder takes one document at a time, and a broken one must not cost its neighbours.
    for payload, known in zip(payloads, problems, strict=True):
        found: list[Trouble] | None = None
        try:
            one: Shape = read(payload)  # type: ignore[arg-type]
        except (msgspec.MsgspecError, UnicodeError, TypeError):
            one, found = _mended(payload or "", shape)
        if known is not None:
            said = f"the record was not recognised when it was received ({known})"
            found = [*(found or ()), Trouble("payload_unreadable", "", said)]
        yield one, found


def _mended(payload: str, shape: type[Shape]) -> tuple[Shape, list[Trouble]]:
    try:
        tree = json.loads(payload, parse_float=_number, parse_constant=str)
    except (ValueError, RecursionError) as fault:
        return _remains(payload, shape, f"the payload is not JSON ({_brief(fault)})")
    if not isinstance(tree, dict):
        return _remains(payload, shape, f"the payload is {_kind(tree)}, not an object")
    troubles: list[Trouble] = []
    for _ in range(_MOST_REPAIRS):
        try:
            return _decoder(shape)(json.dumps(tree)), troubles
        except msgspec.DecodeError as fault:
            trouble = _repaired(tree, str(fault))
        if trouble is None:
            break
        troubles.append(trouble)
    whole, found = _remains(payload, shape, "too much of the payload does not fit")
    return whole, [*troubles[:3], *found]


def _remains(payload: str, shape: type[Shape], sentence: str) -> tuple[Shape, list[Trouble]]:
    """What is left of a payload that cannot be taken apart: its order number, if that much can be seen."""
    whole = shape()
    number = _NUMBER.search(payload)
    if number and "order_number" in shape.__struct_fields__:
        whole.order_number = number.group(1)  # type: ignore[attr-defined]
    return whole, [Trouble("payload_unreadable", "", sentence)]


def _repaired(tree: dict[str, Any], fault: str) -> Trouble | None:
    """Take the member the decoder complains of out of the tree and say what was wrong with it."""
    told = _AT.match(fault)
    reason, path = (told.group("reason"), told.group("path") or "$") if told else (fault, "$")
    steps = _steps(path)
    parent: Any = tree
    for depth, step in enumerate(steps[:-1]):
        if not _has(parent, step):
            steps = steps[: depth + 1]
            break
        parent = parent[step]
    if not steps or not _has(parent, steps[-1]):
        return None
    last, where = steps[-1], _words(steps)
    value = parent[last]
    if last == "centAmount":
        parent[last] = 0
        return Trouble(
            "amount_not_exact",
            _words(steps[:-1]),
            f"centAmount of {_words(steps[:-1])} {_amount_fault(value)}",
        )
    if isinstance(parent, list):
        parent.pop(int(last))
    else:
        del parent[str(last)]
    absent = _MISSING.search(reason)
    if absent:
        return Trouble("payload_unreadable", where, f"{where} has no {absent.group(1)}")
    return Trouble(
        "payload_unreadable", where, f"{where} is {_shown(value)}, where {_expected(reason)} belongs"
    )


def _steps(path: str) -> list[str | int]:
    found: list[str | int] = []
    for name, index in _STEP.findall(path.removeprefix("$")):
        if not name and not index:  # `[...]`: a key of a map that the decoder does not name
            break
        found.append(name if name else int(index))
    return found


def _has(holder: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(holder, list) and step < len(holder)
    return isinstance(holder, dict) and step in holder


def _words(steps: Sequence[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _amount_fault(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_CENTS:
        return f"is {_shown(value)}, larger than any amount can be"
    return f"is {_shown(value)}, not a whole number of minor units"


def _expected(reason: str) -> str:
    named = re.search(r"Expected `([^`]+)`", reason)
    words = {
        "array": "a list",
        "object": "an object",
        "str": "a text",
        "int": "a whole number",
        "bool": "true or false",
    }
    return words.get(named.group(1).split(" |")[0], f"a {named.group(1)}") if named else "something else"


def _shown(value: Any) -> str:
    if isinstance(value, _Number):
        return value.text[:40]
    if isinstance(value, str):
        return f"the text '{value[:40]}'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:40] if isinstance(value, int) else _kind(value)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number")


def _brief(fault: Exception) -> str:
    return str(fault).split("\n", 1)[0][:80]
