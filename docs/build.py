"""Writes the pages that are taken from the code, so that they cannot say anything else.

    docs/tables.md         from the contracts and the headers of the analysts' views
    docs/rules.md          from the checks and from the spec tests
    docs/outcomes.md       from the closed list of outcome codes
    docs/configuration.md  from the settings classes, with the meanings in docs/settings.toml
    docs/exit-codes.md     from the tree of errors
    docs/storefronts.md    from the kinds of storefronts

`make docs` runs it; the tests compare every page with what it would write now.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path[:0] = [str(DOCS)]  # its parts lie beside it, also for whoever loads this file by its path

from markdown_parts import grid, page  # noqa: E402
from rules_page import rules  # noqa: E402
from settings_page import configuration  # noqa: E402

LAYERS = {
    "core": "Typed and canonical: one meaning per column, whatever the storefront called it.",
    "recon": "What is owed, and what was found when both sides were compared.",
    "out": "What other systems will receive.",
    "ops": "Runs, watermarks, findings, the outbox, exchanges, quota: what operators ask about.",
    "mappings": "The CSV files that finance edits, in `data/mappings/`. They are read from the files and not stored.",
}
SQL_TYPES = {
    "String": "VARCHAR",
    "Int64": "BIGINT",
    "Boolean": "BOOLEAN",
    "Date": "DATE",
    "Datetime": "TIMESTAMP WITH TIME ZONE",
}
EXIT_ADVICE = {
    0: ("Done, and everything ties.", "Nothing."),
    1: (
        "Done; there are differences, or something waits for a person.",
        "Read the report, or `tieout status`; the run itself needs no repair.",
    ),
    2: (
        "A file, mapping, setting or argument is wrong; nothing was started.",
        "Mend what the sentence names and run the same command again.",
    ),
    3: (
        "A total that must be 0.00 is not; nothing was published.",
        "Do not explain it away: it means a defect or damaged data. Keep the state folder and report the sentence.",
    ),
    4: (
        "An outside system did not do what was asked, after all retries.",
        "Look whether it is down; run again, everything that was done is kept.",
    ),
    5: (
        "Credentials or rights were refused; nothing was tried a second time.",
        "Mend the secret or the permission, then `tieout doctor`, then run again.",
    ),
    6: (
        "Another run holds the warehouse.",
        "Wait until it has ended; the sentence names its process and run.",
    ),
    7: (
        "A check shut the gate, or a contract was broken; nothing left the house.",
        "Read the sentences of `tieout status`, mend the cause, and run the stage again.",
    ),
    8: (
        "The warehouse file or its disk is in trouble; nothing was half-written.",
        "Free space or restore the file; see the runbook.",
    ),
    70: (
        "A defect of tieout itself.",
        "The details are in the file the message names; report it with that file.",
    ),
    130: ("Stopped with Ctrl-C.", "Run the same command again; it goes on where it was."),
    143: (
        "Stopped by a scheduler or a shutdown (SIGTERM).",
        "Run the same command again; it goes on where it was.",
    ),
}


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    return {
        "tables.md": tables(),
        "rules.md": rules(),
        "outcomes.md": outcomes(),
        "configuration.md": configuration(),
        "exit-codes.md": exit_codes(),
        "storefronts.md": storefronts(),
    }


def storefronts() -> str:
    """What each kind of storefront fills, and what it cannot say."""
    from flows.storefronts import KINDS
    from tieout.sandbox.world.telling import VOICES

    tables = sorted({table for kind in KINDS.values() for table in kind.tables})
    filled = grid(
        ["", *(f"`{name}`" for name in KINDS)],
        [
            [f"`{table}`", *("yes" if table in kind.tables else "–" for kind in KINDS.values())]
            for table in tables
        ],
    )
    parts = [
        "Every kind is held by one suite of tests to the same rows, to the cent, for the same trade. What a platform's interface does not say "
        "is declared with its kind, and the suite proves that it is so.",
        "## Which tables a kind fills",
        filled,
    ]
    for name, kind in KINDS.items():
        if kind.cannot_tell:
            parts += [
                f"## What `{name}` cannot tell",
                grid(
                    ["table or column", "why"],
                    [[f"`{what}`", why] for what, why in sorted(kind.cannot_tell.items())],
                ),
            ]
    left = [
        [f"`{name}`", what.replace("_", " "), why]
        for name, voice in VOICES.items()
        for what, why in voice.cannot.items()
    ]
    parts += [
        "## What the stand-ins leave to another",
        "In the world of `tieout sandbox` each order is told by one storefront. A kind of order, or a planted difference, that a platform "
        "has no words for, or whose proof it states no figures for, is told by commercetools; damaged payloads are commercetools's own.",
        grid(["storefront", "order or difference", "why"], left),
    ]
    return page("What each storefront can tell", *parts)


# --- tables -----------------------------------------------------------------------------------------------------
def tables() -> str:
    """The data dictionary."""
    from checks.contracts import ALL, landing
    from flows.views import all_views

    parts = [
        "Schemas are layers: `raw` (as received) → `core` (typed) → `recon` (compared) → `out` (to be sent), with `ops` beside them and "
        "`report`, the views for people. Only `report` is promised to stay; the rest may change with a release. Column suffixes are "
        "explained in [naming.md](naming.md), outcome codes in [outcomes.md](outcomes.md).",
        "## report",
        "Views over the tables below, with amounts in the units people write. See [how-to-analyst.md](how-to-analyst.md).",
    ]
    for view in all_views():
        notes = grid(
            ("column", "meaning"),
            ((f"`{name}`", about.strip()) for name, about in view.columns.items()),
        )
        parts += [
            f"### report.{view.name}",
            f"**{view.title}**, for {view.audience}. {view.about}",
            notes if view.columns else "",
        ]
    raw = landing("shop", "orders")
    parts += [
        "## raw",
        "One table per source and subject, all of the same shape, for example `raw.shop__orders`. Append-only.",
        *_table(raw, "raw.<source>__<subject>", "One subject of one source, exactly as received."),
    ]
    for layer, about in LAYERS.items():
        parts += [f"## {layer}", about]
        for name, table in ALL.items():
            if name.partition(".")[0] == layer:
                parts += _table(table, name, table.about)
    unknown = {name.partition(".")[0] for name in ALL} - set(LAYERS)
    if unknown:
        raise SystemExit(
            f"docs/build.py has no words for the layer(s) {', '.join(sorted(unknown))}; add them."
        )
    return page("Tables", *parts)


def _table(table: Any, name: str, about: str) -> list[str]:
    rows = []
    for column in table.columns:
        words = f" One of {', '.join(f'`{word}`' for word in column.words)}." if column.words else ""
        empty = " May be null." if column.null else ""
        rows.append((f"`{column.name}`", sql_type(column.dtype), f"{column.about}{words}{empty}"))
    key = ", ".join(f"`{one}`" for one in table.key) or "none"
    return [
        f"### {name}",
        f"{about} Key: {key}.",
        *(f"**Hazard:** {hazard}" for hazard in table.hazards),
        grid(("column", "type", "meaning"), rows),
    ]


def sql_type(dtype: Any) -> str:
    """The DuckDB type a column of a contract is stored in."""
    name = type(dtype).__name__
    return f"DECIMAL({dtype.precision}, {dtype.scale})" if name == "Decimal" else SQL_TYPES[name]


# --- rules ------------------------------------------------------------------------------------------------------
def outcomes() -> str:
    """The closed list of outcome codes, in the order of precedence."""
    from tieout.vocabulary import FAMILIES, OUTCOMES, PRECEDENCE

    place = {code: number for number, code in enumerate(PRECEDENCE, start=1)}
    parts = [
        "Every order and every payment ends in exactly one primary outcome of this list; what else applies is listed beside it. "
        "If several apply, the one with the smallest precedence number is the primary one. There is no outcome for “other”: what no code explains is an error.",
    ]
    for family in FAMILIES:
        rows = sorted(
            (place[code], code, about, todo)
            for code, (kind, about, todo) in OUTCOMES.items()
            if kind == family
        )
        parts += [
            f"## {family}",
            grid(
                ("code", "precedence", "what it means", "what to do"),
                ((f"`{code}`", str(at), about, todo) for at, code, about, todo in rows),
            ),
        ]
    return page("Outcomes of a reconciliation", *parts)


# --- configuration ----------------------------------------------------------------------------------------------
def exit_codes() -> str:
    """Exit codes with what to do, and the tree of errors."""
    from tieout import errors

    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    unknown = (codes - set(EXIT_ADVICE)) | (set(EXIT_ADVICE) - codes)
    if unknown:
        raise SystemExit(f"docs/build.py and tieout/errors.py disagree about exit codes {sorted(unknown)}.")
    kinds: dict[int, list[str]] = {}
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.TieoutError):
            kinds.setdefault(kind.exit_code, []).append(name)
    rows = (
        (str(code), about, ", ".join(f"`{name}`" for name in kinds.get(code, [])) or "–", todo)
        for code, (about, todo) in sorted(EXIT_ADVICE.items())
    )
    tree = inspect.cleandoc(errors.__doc__ or "")
    return page(
        "Exit codes",
        "Every command ends with one of these, so that a scheduler can tell failures apart without reading logs. An error prints one sentence "
        "that says what, where, and what to do next.",
        grid(("code", "meaning", "errors", "what to do"), rows),
        "## The tree of errors",
        f"```text\n{tree}\n```",
    )


def main() -> None:
    """Write every page that differs, and say which."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
