"""Many payloads to typed objects, exactly and one broken one at a time.

A sound payload is decoded once, strictly. One that does not fit is taken apart by the members of its shape: those that do not fit
are named in a trouble and left out, down to one element of a list; the rest is kept byte for byte and its neighbours never notice.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

Shape = TypeVar("Shape", bound=msgspec.Struct)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, RecursionError)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with one payload, as a problem code and a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Decoded(Generic[Shape]):
    """One object per payload, in order; `troubles` by position for the payloads that did not fit."""

    objects: list[Shape]
    troubles: dict[int, list[Trouble]]

    def blame(self, at: int, code: str, sentence: str) -> None:
        """Add a trouble of one payload."""
        self.troubles.setdefault(at, []).append(Trouble(code, sentence))


@cache
def decoder(kind: Any) -> Callable[[Any], Any]:
    """The strict decoder of a type."""
    return msgspec.json.Decoder(kind).decode


def decode(
    payloads: Sequence[str | bytes | None],
    problems: Sequence[str | None],
    shape: type[Shape],
    *,
    first: type[Any] | None = None,
) -> Decoded[Shape]:
    """Decode payloads into objects of `shape`, whose members all have defaults; `problems` are what the landing knew of (null: none).

    Payloads are UTF-8 or texts; reading bytes is a tenth cheaper. `first` is a shape with the same members and narrower types that is tried before. No payload raises: one that cannot be read
    becomes an empty object with its troubles.
    """
    read = decoder(shape if first is None else first)  # type: ignore[arg-type]
    found: Decoded[Shape] = Decoded([], {})
    # One document at a time, for a broken one must not cost its neighbours: it is put in its place, and reading goes on behind it.
    todo, objects = map(read, payloads), found.objects
    while len(objects) < len(payloads):
        try:
            objects.extend(todo)
        except _UNREADABLE:
            at = len(objects)
            whole, said = _read_again(payloads[at], shape, is_new=first is not None)
            objects.append(whole)
            for sentence in said[:5]:
                found.blame(at, "payload_unreadable", sentence)
    if len(problems) != problems.count(None):
        for at, known in enumerate(problems):
            if known is not None:
                found.blame(
                    at, "payload_unreadable", f"the record was not recognised when it was received ({known})"
                )
    return found


def _read_again(payload: str | bytes | None, shape: type[Shape], *, is_new: bool) -> tuple[Shape, list[str]]:
    """A payload that did not fit at first; `is_new` if `shape` itself has not been tried."""
    if is_new:
        try:
            return decoder(shape)(payload), []
        except _UNREADABLE:
            pass
    known = (payload or "").encode("utf-8", "replace") if not isinstance(payload, bytes) else payload
    return _mended(known, shape, "")


def _mended(payload: bytes, shape: type[Shape], path: str) -> tuple[Shape, list[str]]:
    """What is left of an object when the members that do not fit are left out, and a sentence for each of those."""
    try:
        members = _MEMBERS.decode(payload)
    except msgspec.ValidationError:
        return shape(), [f"{path or 'the payload'} is not an object"]
    except _UNREADABLE:
        return shape(), [f"{path or 'the payload'} is not JSON"]
    kept: dict[str, Any] = {}
    said: list[str] = []
    kinds = get_type_hints(shape)
    for one in msgspec.structs.fields(shape):
        raw = members.get(one.encode_name)
        if raw is None:
            continue
        here = f"{path}.{one.encode_name}" if path else one.encode_name
        value, troubles = _value(raw, kinds[one.name], here)
        said += troubles
        if value is not msgspec.UNSET:
            kept[one.name] = value
    return shape(**kept), said


def _value(raw: msgspec.Raw, kind: Any, path: str) -> tuple[Any, list[str]]:
    if kind is msgspec.Raw:
        return raw, []
    try:
        return decoder(kind)(raw), []
    except _UNREADABLE:
        inner = _inner(kind)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return _mended(bytes(raw), inner, path)
    if get_origin(inner) is tuple and issubclass(get_args(inner)[0], msgspec.Struct):
        return _elements(raw, get_args(inner)[0], path)
    return msgspec.UNSET, [f"{path} is {_shown(raw)}, which does not belong there"]


def _elements(raw: msgspec.Raw, shape: type[msgspec.Struct], path: str) -> tuple[Any, list[str]]:
    try:
        elements = _ELEMENTS.decode(raw)
    except _UNREADABLE:
        return msgspec.UNSET, [f"{path} is {_shown(raw)}, where a list belongs"]
    found, said = [], []
    for number, element in enumerate(elements):
        value, troubles = _value(element, shape, f"{path}[{number}]")
        said += troubles
        found.append(value)
    return tuple(found), said


def _inner(kind: Any) -> Any:
    """`X` of `X | None`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next((one for one in get_args(kind) if one is not type(None)), kind)
    return kind


def _shown(raw: msgspec.Raw) -> str:
    text = bytes(raw).strip().decode("utf-8", "replace")
    if text[:1] == "{":
        return "an object"
    if text[:1] == "[":
        return "a list"
    return text[:40]
