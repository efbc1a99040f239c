"""Whether a reply has the shape its platform publishes: tables of shapes that `tests/sandbox/published/read_openapi.py` made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parents[1] / "sandbox" / "published"
PLAIN: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "whole": (int,),
    "number": (int, Decimal),
    "bool": (bool,),
}


class Published:
    """The shapes of one platform. `nulls`: whether a member may be null."""

    def __init__(self, platform: str, *, nulls: bool) -> None:
        table = json.loads((PLACE / f"{platform}.json").read_text("utf-8"))
        self.roots: Mapping[str, str] = table["roots"]
        self._shapes: Mapping[str, Mapping[str, Any]] = table["shapes"]
        self._nulls = nulls

    def faults(self, subject: str, record: Any) -> list[str]:
        """Where a record differs from what is published, by path; numbers are `int` or `Decimal`."""
        return list(self._against(self.roots[subject], record, ""))

    def _against(self, kind: str, value: Any, path: str) -> Iterator[str]:
        if kind == "any":
            return
        if kind in PLAIN:
            if not isinstance(value, PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):
                yield f"{path} is no {kind}"
        elif kind[0] == "[":
            if not isinstance(value, list):
                yield f"{path} is no list"
                return
            for one in value:
                yield from self._against(kind[1:-1], one, f"{path}[]")
        elif kind[0] == "{":
            if not isinstance(value, dict):
                yield f"{path} is no map"
                return
            for one in value.values():
                yield from self._against(kind[1:-1], one, f"{path}{{}}")
        else:
            yield from self._shape(kind, value, path)

    def _shape(self, name: str, value: Any, path: str) -> Iterator[str]:
        shape = self._shapes[name]
        if "is" in shape:
            yield from self._against(shape["is"], value, path)
        elif "words" in shape:
            if value not in shape["words"]:
                yield f"{path} is none of the words of {name}"
        elif not isinstance(value, dict):
            yield f"{path} is no {name}"
        elif "by" in shape:
            of = shape["of"].get(value.get(shape["by"]))
            if of is None:
                yield f"{path}.{shape['by']} names no kind of {name}"
            else:
                yield from self._shape(of, value, path)
        else:
            yield from (f"{path}.{one} is missing" for one in shape["must"] if one not in value)
            for member, inner in value.items():
                if member not in shape["may"]:
                    yield f"{path}.{member} is not published"
                elif inner is not None or not self._nulls:
                    yield from self._against(shape["may"][member], inner, f"{path}.{member}")


@cache
def published(platform: str) -> Published:
    """The shapes of a platform by its name. Only Magento answers null, and its file does not say where."""
    return Published(platform, nulls=platform == "magento")


def decoded(payload: bytes | str) -> Any:
    """JSON with exact numbers."""
    return json.loads(payload, parse_float=Decimal)
