"""The page: self-contained, escaped, readable by a browser on a desk and on a phone; the folder is whole or not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from report_rows import order_row, report_data

from tieout.errors import WarehouseError
from tieout.reports import folder
from tieout.reports.folder import write_report
from tieout.reports.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page() -> str:
    return render(report_data())


def test_the_page_names_no_outside_host_and_runs_no_script(page):
    # The SVG namespaces are names, not addresses: nothing is fetched for them.
    hosts = set(re.findall(r"https?://[^\"'\s<>)]+", page)) - {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert hosts == set()
    assert "<script" not in page
    assert "<link" not in page


def test_every_bar_leads_to_the_rows_behind_it(page):
    targets = set(re.findall(r'(?:xlink:)?href="#(code-[a-z_]+)"', page))
    sections = set(re.findall(r'id="(code-[a-z_]+)"', page))
    assert {"code-missing_invoice", "code-ambiguous", "code-held"} <= targets & sections


def test_names_that_look_like_markup_are_text():
    rows = [order_row("w1", expected=5, outcome="missing_invoice", evidence="<img src=x onerror=alert(1)>")]
    shown = render(report_data(rows))
    assert "<img" not in shown
    assert "&lt;img" in shown


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
@pytest.mark.parametrize("width", [1300, 390])
def test_a_browser_shows_it(tmp_path, page, width):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},2400",
            f"--screenshot={picture}",
            "--dump-dom",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "Does not tie" in done.stdout
    assert done.stdout.count("<svg") >= 6
    assert picture.stat().st_size > 20_000


def test_the_same_rows_give_the_same_bytes(tmp_path):
    first, second = write_report(tmp_path / "a", report_data()), write_report(tmp_path / "b", report_data())
    for name in (
        "orders.parquet",
        "summary.json",
        "manifest.json",
        "reconciliation.html",
        "reconciliation.xlsx",
    ):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_summary_carries_exact_decimals_for_machines(tmp_path):
    found = json.loads((write_report(tmp_path / "r", report_data()) / "summary.json").read_text())
    held = next(one for one in found["outcomes"] if one["outcome"] == "held")
    assert held["delta"] == "12.345"
    assert found["ties"] is False


def test_a_full_disk_leaves_the_earlier_report_untouched(tmp_path, monkeypatch):
    there = write_report(tmp_path / "r", report_data())
    before = (there / "manifest.json").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write_workbook", full)
    with pytest.raises(WarehouseError, match="disk is full"):
        write_report(there, report_data(difference=1))
    assert (there / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_folder_of_somebody_elses_files_is_not_replaced(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.txt").write_text("mine")
    with pytest.raises(WarehouseError, match="not a tieout report"):
        write_report(tmp_path / "r", report_data())
    assert (tmp_path / "r" / "thesis.txt").read_text() == "mine"
