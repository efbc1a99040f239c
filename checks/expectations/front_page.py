"""The first page of the expectations: what was judged, how much of it was implausible, what was found, and where the details are.

Great Expectations fills its own index by scripts from outside hosts, which are taken out (see `offline`): what is left of it is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree, html
from lxml.html import builder as E  # noqa: N812  (the library's own name for it)

_MOST: Final = 20
"""Findings of one suite on the page; all of them are in ops.findings."""


@dataclass(frozen=True)
class Judged:
    """One suite: its name, what is expected in a sentence, rows judged, and the sentences of those outside."""

    name: str
    note: str
    rows: int
    found: Sequence[str]


def write_front_page(folder: Path, judged: Sequence[Judged]) -> None:
    """Write index.html over whatever stands there, with links to the pages below the folder."""
    outside = sum(len(one.found) for one in judged)
    if not judged:
        said = "There was nothing to judge yet."
    elif outside:
        said = f"{outside:,} of {sum(one.rows for one in judged):,} figures are outside what is expected. Nothing is held for it: look whether they are right."
    else:
        said = "Every figure is within what is expected."
    page = E.HTML(
        E.HEAD(E.META(charset="utf-8"), E.TITLE("Expectations"), E.LINK(rel="stylesheet", href="style.css")),
        E.BODY(E.H1("Expectations"), E.P(said, E.CLASS("text-danger" if outside else "text-success"))),
        lang="en",
    )
    if judged:
        heads = ("Figures", "Expected", "Judged", "Outside", "What was found", "Details")
        page.body.append(
            E.TABLE(
                E.THEAD(E.TR(*(E.TH(one) for one in heads))), E.TBODY(*(_row(folder, one) for one in judged))
            )
        )
    text = html.tostring(page, encoding="unicode", doctype="<!DOCTYPE html>", pretty_print=True)
    (folder / "index.html").write_text(text, encoding="utf-8")


def _row(folder: Path, one: Judged) -> etree._Element:
    pages = sorted((folder / "validations" / one.name).rglob("*.html"))
    rule = folder / "expectations" / f"{one.name}.html"
    there = [("result", pages[-1])] if pages else []
    if rule.exists():
        there.append(("rule", rule))
    links = [E.LI(E.A(word, href=page.relative_to(folder).as_posix())) for word, page in there]
    more = len(one.found) - _MOST
    found = [E.LI(sentence) for sentence in one.found[:_MOST]]
    if more > 0:
        found.append(E.LI(f"and {more:,} more; ops.findings has all of them"))
    return E.TR(
        E.TD(one.name.replace("_", " ").capitalize()),
        E.TD(one.note),
        E.TD(f"{one.rows:,}"),
        E.TD(f"{len(one.found):,}"),
        E.TD(E.UL(*found)) if found else E.TD("–"),
        E.TD(E.UL(*links)),
    )
