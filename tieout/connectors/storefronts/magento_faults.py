"""What Magento says when it refuses, in one sentence.

Source of outside facts: Magento web API documentation, Status codes and responses: `{"message", "parameters"}` with placeholders `%1`
or `%name`, and the form fatal errors have, `{"messages": {"error": [{"code", "message"}]}}`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_PLACE = re.compile(r"%(\d+|[A-Za-z_]\w*)")


def fault_text(body: bytes) -> str:
    """The reason in words, placeholders filled in; of anything that is not such an error, its first words."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace"))
        return " ".join(text.split())[:200] or "no reason given"
    if isinstance(found, str):
        return " ".join(found.split())[:300] or "no reason given"
    if not isinstance(found, dict):
        return "no reason given"
    message = found.get("message")
    if isinstance(message, str) and message:
        return filled(message, found.get("parameters"))
    inner = found.get("messages")
    errors = inner.get("error") if isinstance(inner, dict) else None
    said = [
        one["message"]
        for one in errors or ()
        if isinstance(one, dict) and isinstance(one.get("message"), str)
    ]
    return " ".join("; ".join(said).split()) or "no reason given"


def filled(message: str, parameters: Any) -> str:
    """A message with its placeholders replaced: `%1` counts from one, `%name` is looked up; one without a value stays."""
    values: dict[str, str] = {}
    if isinstance(parameters, list):
        values = {str(n): str(value) for n, value in enumerate(parameters, start=1)}
    elif isinstance(parameters, dict):
        values = {str(name): str(value) for name, value in parameters.items()}
    text = _PLACE.sub(lambda found: values.get(found[1], found[0]), message)
    return " ".join(text.split())
