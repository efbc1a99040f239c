"""Data Docs that open offline: outside scripts, styles, fonts, pictures and links are taken out, one local style sheet is put in.

As written, the pages of Great Expectations load from nine outside hosts, one of them with an id of the installation in the
picture's address: opening a report would tell the vendor so.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from lxml import html

_OUTSIDE: Final = re.compile(r"https?://", re.IGNORECASE)
_ANY_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>)]*", re.IGNORECASE)
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2430;background:#fff}
h1,h2,h3,h4,h5{line-height:1.2;margin:1.2em 0 .4em}a{color:#1a5fb4}ul,ol{padding-left:1.4rem}
table{border-collapse:collapse;margin:.6rem 0;width:100%}th,td{border:1px solid #d5dae1;padding:.35rem .6rem;text-align:left;vertical-align:top}
th{background:#f2f4f7}.badge,.alert{border-radius:.3rem;padding:.1rem .5rem;background:#eef1f5}
.text-success,.fa-check-circle{color:#1b7f3b}.text-danger,.fa-times{color:#b3261e}.btn,.modal,nav .navbar-toggler{display:none}
.fa-check-circle::before{content:"\\2713"}.fa-times::before{content:"\\2717"}pre,code{background:#f2f4f7;white-space:pre-wrap}
"""


def make_offline(folder: Path) -> None:
    """Rewrite every page below the folder; what the pages no longer use is removed."""
    static = folder / "static"
    if static.exists():
        shutil.rmtree(static)
    (folder / "style.css").write_text(_STYLE.lstrip(), encoding="utf-8")
    for page in sorted(folder.rglob("*.html")):
        depth = len(page.relative_to(folder).parts) - 1
        page.write_text(
            _cleaned(page.read_text(encoding="utf-8"), "../" * depth + "style.css"), encoding="utf-8"
        )


def _cleaned(text: str, style: str) -> str:
    page = html.document_fromstring(text)
    for element in list(page.iter("script", "link", "img", "iframe", "source", "style", "noscript")):
        element.drop_tree()  # type: ignore[attr-defined]
    # The vendor's own: a newsletter, and tutorials.
    for element in list(page.iter("footer")):
        element.drop_tree()  # type: ignore[attr-defined]
    for element in page.iter("a"):
        if _OUTSIDE.search(element.get("href", "")):
            del element.attrib["href"]
    for element in page.iter():
        attributes = [(str(name), str(value)) for name, value in element.attrib.items()]
        for name in [name for name, value in attributes if _OUTSIDE.search(value) or name.startswith("on")]:
            del element.attrib[name]
    head = page.find("head")
    if head is None:
        head = html.Element("head")
        page.insert(0, head)
    head.append(html.Element("link", rel="stylesheet", href=style))
    cleaned: str = html.tostring(page, encoding="unicode", doctype="<!DOCTYPE html>")
    # Whatever address is left stands in text or comments: it is not loaded, but a report should name no outside host at all.
    return _ANY_ADDRESS.sub("", cleaned)
