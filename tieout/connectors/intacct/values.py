"""Python values to the text that Intacct reads, and elements that hold them.

Writers set text without looking at it; lxml refuses what XML cannot carry, and `carried` turns that into a sentence. A check per
element would cost more than the writing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

from lxml import etree

from tieout.errors import InputError

Element = etree._Element
_sub = etree.SubElement


@contextmanager
def carried(parent: Element) -> Iterator[None]:
    """Raises InputError, naming the element, when something written under `parent` holds characters that XML cannot carry."""
    try:
        yield
    except (ValueError, UnicodeEncodeError):
        last = parent
        for node in parent.iter(etree.Element):
            last = node
        raise InputError(
            f"The value for {last.tag} has a control character or half a surrogate pair, which XML cannot carry; "
            "clean the text at its source or in the mapping."
        ) from None


def put(parent: Element, tag: str, text: str) -> None:
    """Append `<tag>text</tag>`."""
    _sub(parent, tag).text = text


def put_some(parent: Element, tag: str, text: str | None) -> None:
    """Append the element only when there is a value."""
    if text is not None:
        _sub(parent, tag).text = text


def money(amount: Decimal) -> str:
    """An amount as plain digits with a point: no exponent, no thousands comma, no negative zero."""
    text = str(amount)
    if "E" in text:
        text = format(amount, "f")
    return "0" + text[2:] if text[:2] == "-0" and not amount else text


def us_date(day: date) -> str:
    """MM/DD/YYYY, which generic functions want whatever the user's locale."""
    return f"{day.month:02d}/{day.day:02d}/{day.year:04d}"


def put_date(parent: Element, tag: str, day: date | None) -> None:
    """A legacy date: year, month and day as children, in that order."""
    if day is not None:
        node = _sub(parent, tag)
        _sub(node, "year").text = f"{day.year:04d}"
        _sub(node, "month").text = f"{day.month:02d}"
        _sub(node, "day").text = f"{day.day:02d}"


def custom_text(value: str | Decimal | date | bool) -> str:
    """A custom field's value as text: true/false, MM/DD/YYYY, plain digits, or the text itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return money(value)
    return us_date(value) if isinstance(value, date) else value
