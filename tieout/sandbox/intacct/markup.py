"""Writing replies: text escaped the way the gateway does, characters XML cannot carry left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPECIAL = re.compile("[&<>\"'\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#039;"}


def escape(text: str) -> str:
    """Text for an element or attribute."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], ""), text)


def element(name: str, text: str = "") -> str:
    """One element with text; an empty one when there is none."""
    return f"<{name}>{escape(text)}</{name}>" if text else f"<{name}/>"


def parent(name: str, children: Iterable[str], **attributes: str) -> str:
    """One element with children that are markup already."""
    inside = "".join(children)
    marks = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{marks}>{inside}</{name}>" if inside else f"<{name}{marks}/>"


def error(errorno: str, description: str, description2: str, correction: str, more: str = "") -> str:
    """One error of an errormessage."""
    parts = (
        element("errorno", errorno),
        element("description", description),
        element("description2", description2),
        element("correction", correction),
        more,
    )
    return parent("error", parts)
