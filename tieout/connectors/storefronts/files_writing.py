"""How amounts and dates are written in a file, as far as a sample shows. Found out and said, never applied here."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COMMA = re.compile(r"[-+(]?[^\d,.]*(?:\d{1,3}(?:[.\s'’]\d{3})+|\d+),(?:\d{1,2}|\d{4,})\)?-?[^\d,.]*")
_POINT = re.compile(r"[-+(]?[^\d,.]*(?:\d{1,3}(?:[,\s'’]\d{3})+|\d+)\.(?:\d{1,2}|\d{4,})\)?-?[^\d,.]*")
_COMMA_BOTH = re.compile(r"[^\d]*\d{1,3}(?:\.\d{3})+,\d+[^\d]*")
_POINT_BOTH = re.compile(r"[^\d]*\d{1,3}(?:,\d{3})+\.\d+[^\d]*")
_THREE = re.compile(r"[-+(]?[^\d,.]*\d{1,3}([.,])\d{3}\)?[^\d,.]*")


def decimal_mark(values: Iterable[str]) -> tuple[str | None, str | None]:
    """The decimal mark that the written amounts show, and a sentence if they disagree or cannot be told.

    `1.234` alone says nothing (a thousand or one and a bit); `1.234,5` and `12,50` do.
    """
    comma = point = unclear = 0
    for value in values:
        text = value.strip()
        if not text or text.lstrip("-+").isdigit():
            continue
        if _COMMA_BOTH.fullmatch(text) or (_COMMA.fullmatch(text) and not _THREE.fullmatch(text)):
            comma += 1
        elif _POINT_BOTH.fullmatch(text) or (_POINT.fullmatch(text) and not _THREE.fullmatch(text)):
            point += 1
        elif _THREE.fullmatch(text):
            unclear += 1
    if comma and point:
        return (
            None,
            f"amounts show both decimal commas ({comma}) and decimal points ({point}); say decimal in the map",
        )
    if comma:
        return ",", None
    if point:
        return ".", None
    if unclear:
        return None, (
            f"{unclear} amounts like 1.234 could be thousands or decimals; say decimal and thousands in the map"
        )
    return None, None


_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d:?\d\d| UTC)?)?")


def dates_are_iso(values: Iterable[str]) -> bool:
    """Whether every written date is ISO 8601."""
    return all(_ISO.fullmatch(value.strip()) for value in values if value.strip())
