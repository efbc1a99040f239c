"""The pages of a close and of one order, in a real browser: nothing is wider than a phone, nothing fetched, everything reachable."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from closing_house import house_in

from flows import tracing
from flows.close import close_period
from flows.reconcile import reconcile
from flows.running import run_stage

pytestmark = pytest.mark.usefixtures("kept_attached")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    house = house_in(tmp_path_factory.mktemp("pages"))
    run_stage(house, "reconcile", reconcile)
    one = close_period(house, period="2026-09", entity="E100")["closes"][0]
    trace = house.settings.folder / "a3.html"
    tracing.render(house, tracing.trace_order(house, "A3"), trace)
    return {"close": Path(one["path"]) / "reconciliation.html", "trace": trace}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
@pytest.mark.parametrize("name", ["close", "trace"])
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_lays_it_out_without_a_bar_to_the_side(
    pages: dict[str, Path], tmp_path: Path, name: str, width: int
) -> None:
    probe = "<script>document.title = 'wide ' + document.documentElement.scrollWidth + ' of ' + innerWidth + ' high ' + document.body.scrollHeight</script>"
    page = tmp_path / "page.html"
    page.write_text(
        pages[name].read_text(encoding="utf-8").replace("</body>", f"{probe}</body>"), encoding="utf-8"
    )
    done = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1400", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    wide, inner, high = map(int, re.search(r"wide (\d+) of (\d+) high (\d+)", done.stdout).groups())  # type: ignore[union-attr]
    assert wide <= inner == width
    assert high > 600


class Outline(HTMLParser):
    """Headings in order, ids, links inside the page, and what an assistive reader needs."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.unscoped = 0
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a" and str(given.get("href") or "").startswith("#"):
            self.links.append(str(given["href"])[1:])
        self.unscoped += tag == "th" and "scope" not in given
        self.language = self.language or (str(given.get("lang") or "") if tag == "html" else "")


@pytest.mark.parametrize("name", ["close", "trace"])
def test_headings_links_and_table_heads_are_in_order(pages: dict[str, Path], name: str) -> None:
    seen = Outline()
    seen.feed(pages[name].read_text(encoding="utf-8"))
    assert seen.language == "en"
    assert seen.headings[0] == 1
    assert seen.headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(seen.headings, seen.headings[1:], strict=False))
    assert len(seen.ids) == len(set(seen.ids))
    assert set(seen.links) - {link for link in seen.links if link.startswith("code-")} <= set(seen.ids)
    assert seen.unscoped == 0


def luminance(colour: str) -> int:
    """Relative luminance by WCAG 2, in millionths, from `#rrggbb` or `#rgb`."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return round(1_000_000 * (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]))


def test_white_words_on_coloured_tags_can_be_read(pages: dict[str, Path]) -> None:
    page = pages["close"].read_text(encoding="utf-8")
    tags = re.findall(r"\.tag[.\w]* \{[^}]*background:(#[0-9a-f]{3,6})", page)
    assert len(tags) >= 6
    for colour in tags:
        assert (1_050_000 / (luminance(colour) + 50_000)) >= 4.5, colour


def test_an_order_leads_to_its_chain_and_a_bar_to_its_orders(pages: dict[str, Path]) -> None:
    page = pages["close"].read_text(encoding="utf-8")
    chain = re.search(r'<details class="chain">.*?</details>', page, re.DOTALL)
    assert chain is not None
    assert "Shop: order" in chain[0]
    assert 'href="#code-missing_invoice"' in page
    assert 'id="code-missing_invoice"' in page
    assert not re.findall(r"<script|<link|src=", page)
