"""docs/configuration.md: from the settings classes, with the meanings in docs/settings.toml."""

from __future__ import annotations

import inspect
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from markdown_parts import grid, page

DOCS = Path(__file__).resolve().parent


def configuration() -> str:
    """Every setting with its type, default and meaning. A setting without a meaning, or a meaning without a setting, is an error."""
    from tieout import settings

    meanings = tomllib.loads((DOCS / "settings.toml").read_text(encoding="utf-8"))
    parts = [
        "All configuration is one file, `tieout.toml`, validated whole before anything is started; all its problems are listed at once. "
        "Paths are relative to the folder the file stands in. `tieout init` lays out a file to start from, `tieout doctor` looks at it.",
        "A secret is never written into the file. The setting names where it is found: `env:NAME` for an environment variable, `prefect:BLOCK` "
        "for a Prefect Secret block. A value that is neither is refused.",
        "The file itself is `tieout.toml` in the current folder, or what `--config` or the environment variable `TIEOUT_CONFIG` names.",
    ]
    seen: set[str] = set()
    for heading, section in _sections(settings.Settings):
        about = (section.__doc__ or "").strip().partition("\n\n")
        # What several kinds have in common may be told once, at the class they share; a kind's own words come before.
        family = [one.__name__ for one in reversed(section.__mro__)]
        told = {name: words for one in family for name, words in meanings.get(one, {}).items()}
        names = [name for name, info in section.model_fields.items() if models_in(info.annotation) is None]
        missing, strange = set(names) - set(told), set(told) - set(names)
        if missing or strange:
            raise SystemExit(
                f"docs/settings.toml [{section.__name__}] lacks {sorted(missing) or 'nothing'} and knows too much of {sorted(strange) or 'nothing'}."
            )
        seen.update(family)
        parts += [
            f"## {heading}",
            " ".join(part.replace("\n", " ").strip() for part in (about[0], about[2]) if part),
        ]
        if names:
            rows = (
                (
                    f"`{name}`",
                    type_words(section.model_fields[name]),
                    default_words(section.model_fields[name]),
                    told[name],
                )
                for name in names
            )
            parts.append(grid(("setting", "type", "default", "meaning"), rows))
    if set(meanings) - seen:
        raise SystemExit(
            f"docs/settings.toml has sections no setting belongs to: {sorted(set(meanings) - seen)}."
        )
    return page("Configuration", *parts)


def _sections(whole: Any) -> Iterator[tuple[str, Any]]:
    """The tables of the file, in order, nested ones after their parent; where `kind` chooses among several, each of them."""
    for name, info in whole.model_fields.items():
        found = models_in(info.annotation)
        for model in found[1] if found else ():
            many = found[0] if found else ""
            heading = {"tuple": f"[[{name}]]", "mapping": f"[{name}.NAME]", "one": f"[{name}]"}[many]
            kind = get_args(model.model_fields["kind"].annotation)[0] if len(found[1]) > 1 else None  # type: ignore[index]
            yield (f'`{heading}` with `kind = "{kind}"`' if kind else f"`{heading}`"), model
            for inner, inside in model.model_fields.items():
                nested = models_in(inside.annotation)
                if nested is not None:
                    yield f"`[{name}.{inner}]`", nested[1][0]


def models_in(annotation: Any) -> tuple[str, list[Any]] | None:
    """How a setting holds sections of its own: `one`, a `tuple` or a `mapping` of them, and of which classes; None for a plain value."""
    from pydantic import BaseModel

    if inspect.isclass(annotation) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        return "one", [annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    found = [model for kind in inner if (one := models_in(kind)) for model in one[1]]
    many = "tuple" if origin is tuple else "mapping" if origin is Mapping else "one"
    return (many, found) if found else None


_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    str: "text",
    int: "whole number",
    float: "number",
    Decimal: "number",
    Path: "path",
    date: "date",
    time: "time of day, UTC",
}


def type_words(info: Any) -> str:
    """What may be written there."""
    kind = _kind_words(info.annotation)
    # pydantic lists one limit inside another where a setting may also be absent; the innermost speaks.
    limits = [
        *info.metadata,
        *(one for arg in get_args(info.annotation) for one in getattr(arg, "__metadata__", ())),
    ]
    found = {
        name: getattr(limit, name)
        for limit in limits
        for name in ("ge", "gt", "le", "lt")
        if getattr(limit, name, None) is not None
    }
    least = f"from {found['ge']}" if "ge" in found else f"above {found['gt']}" if "gt" in found else ""
    most = f"to {found['le']}" if "le" in found else f"below {found['lt']}" if "lt" in found else ""
    patterns = [limit.pattern for limit in limits if getattr(limit, "pattern", None)]
    shape = f"`{patterns[0]}`" if patterns else ""
    return ", ".join(part for part in (kind, " ".join(filter(None, (least, most))), shape) if part)


def _kind_words(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(f"`{word}`" for word in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind_words(one) for one in inner if one is not type(None))
    if origin is typing.Annotated:
        return _kind_words(inner[0])
    if origin is tuple:
        return f"list of {_kind_words(inner[0])}"
    if origin is Mapping:
        return f"table of {_kind_words(inner[0])} = {_kind_words(inner[1])}"
    return _WORDS[kind]


def default_words(info: Any) -> str:
    """The default as it would be written in the file."""
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
    return "`{}`" if isinstance(value, Mapping) else f"`{value}`"


# --- exit codes -------------------------------------------------------------------------------------------------
