"""Suites on volume and distribution: what they notice, and that their pages open offline."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from lxml import html

from checks.contracts import ALL
from flows import expectations


def days(counts: list[int], storefront: str = "shop") -> pl.DataFrame:
    start = date(2026, 10, 1)
    rows = [(storefront, start + timedelta(days=n), count) for n, count in enumerate(counts) if count >= 0]
    return pl.DataFrame(
        rows, schema={"storefront": pl.String, "on": pl.Date, "order_count": pl.Int64}, orient="row"
    )


def rows(text: str) -> pl.DataFrame:
    from drawn import table

    counts = {name: pl.Int64() for name in ("recent_count", "earlier_count", "order_count", "held_count")}
    return table(text, counts)


@pytest.fixture(scope="module")
def aggregates() -> dict[str, pl.DataFrame]:
    return {
        "orders_per_day": pl.concat([days([40] * 20 + [3, 41]), days([40] * 20 + [-1, 40], "outlet")]),
        "currencies": rows(
            """
            storefront | currency | recent_count | earlier_count
            shop       | USD      | 10           | 100
            shop       | CHF      | 2            | 0
            new        | EUR      | 5            | 0
            """
        ),
        "held": rows("storefront | order_count | held_count\nshop | 100 | 2\noutlet | 100 | 50"),
        "refunds": rows(
            "storefront | currency | charged_minor | refunded_minor\nshop | USD | 1000 | 100\nshop | EUR | 1000 | 400\nshop | JPY | 0 | 0"
        ),
    }


@pytest.fixture(scope="module")
def night(
    aggregates: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, object]], Path]:
    from checks.expectations import run

    out = tmp_path_factory.mktemp("docs")
    return run(aggregates, out), out


def test_what_is_not_usual_is_told_and_nothing_else(night: tuple[list[dict[str, object]], Path]) -> None:
    found, _ = night
    assert [(one["rule_code"], one["subject_ref"], one["severity"]) for one in found] == [
        ("currency_new", "shop/CHF", "warn"),
        ("held_share_high", "outlet", "warn"),
        ("refund_rate_high", "shop/EUR", "warn"),
        ("volume_unusual", "outlet/2026-10-21", "warn"),
        ("volume_unusual", "shop/2026-10-21", "warn"),
    ]
    assert "3 orders on 2026-10-21 where 40 are usual" in str(found[-1]["sentence"])
    assert set(found[0]) == set(ALL["ops.findings"].polars_schema) - {"run_id", "found_at"}


def test_the_pages_name_no_outside_host_and_load_nothing(night: tuple[list[dict[str, object]], Path]) -> None:
    _, out = night
    pages = list(out.rglob("*.html"))
    assert (out / "index.html") in pages
    assert len(pages) >= 9
    for file in (path for path in out.rglob("*") if path.is_file()):
        hosts = set(re.findall(r"https?://[^/\"'\s]+", file.read_text(encoding="utf-8"))) - {
            "http://www.w3.org"
        }
        assert not hosts, (file, hosts)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        style = re.search(r'href="([./]*style\.css)"', text)
        assert style is not None
        assert (page.parent / style[1]).exists()


def test_the_pages_say_what_was_expected(night: tuple[list[dict[str, object]], Path]) -> None:
    _, out = night
    validation = next((out / "validations" / "held").rglob("*.html")).read_text(encoding="utf-8")
    assert "share" in validation
    assert "0.1" in validation


def test_the_first_page_says_what_was_found_and_leads_to_the_details(
    night: tuple[list[dict[str, object]], Path],
) -> None:
    found, out = night
    page = html.fromstring((out / "index.html").read_text(encoding="utf-8"))
    text = page.text_content()
    for one in found:
        assert str(one["sentence"]) in text
    links = [Path(str(one)) for one in page.xpath("//a/@href")]
    assert len(links) == 8
    assert all((out / one).exists() for one in links)
    told = [
        [cell.text_content() for cell in row.findall("td")][:4:3] for row in page.xpath("//table//tr[td]")
    ]
    assert told == [["Orders per day", "2"], ["Currencies", "1"], ["Held", "1"], ["Refunds", "1"]]
    assert "newsletter" not in "".join(one.read_text(encoding="utf-8") for one in out.rglob("*.html"))


@pytest.mark.parametrize(("found", "rows"), [(0, 0), (2, 2), (23, 21)])
def test_findings_of_a_suite_stand_on_the_first_page_as_text(tmp_path: Path, found: int, rows: int) -> None:
    from checks.expectations.front_page import Judged, write_front_page

    write_front_page(tmp_path, [Judged("held", "a tenth", 30, ["<b>&" + str(at) for at in range(found)])])
    page = html.fromstring((tmp_path / "index.html").read_text(encoding="utf-8"))
    items = [one.text_content() for one in page.xpath("//li")]
    assert len(items) == rows
    assert not page.xpath("//li/b")
    assert items[:1] == ["<b>&0"][:rows]
    assert ("Every figure is within" in page.text_content()) == (found == 0)


def test_nothing_to_judge_is_a_page_that_says_so(tmp_path: Path) -> None:
    from checks.expectations import run

    assert (
        run(
            {"orders_per_day": days([]), "held": rows("storefront | order_count | held_count\nshop | 0 | 0")},
            tmp_path,
        )
        == []
    )
    assert "nothing to judge" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aggregates: dict[str, pl.DataFrame]
) -> SimpleNamespace:
    """As much of a house as the judge looks at; what it would work out from the tables is drawn above."""
    monkeypatch.setattr(expectations, "aggregates", lambda *_: aggregates)
    return SimpleNamespace(
        settings=SimpleNamespace(checks=SimpleNamespace(expectations=True)),
        clock=lambda: datetime(2026, 11, 20, tzinfo=UTC),
        reports=tmp_path,
    )


TRADE = {"core.orders": pl.DataFrame({"order_ref": ["1"]})}
NOBODY = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String})


def test_held_orders_are_counted_for_their_own_storefront() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    orders = pl.DataFrame(
        {
            "storefront": ["a", "a", "a", "b"],
            "order_ref": ["1", "2", "3", "1"],
            "problem": [None, None, "tax_unknown: no tax", None],
            "placed_at": pl.Series([now] * 4, dtype=pl.Datetime("us", "UTC")),
            "currency": ["USD"] * 4,
        }
    )
    moves = {"storefront": pl.String, "currency": pl.String, "state_code": pl.String, "kind_code": pl.String, "amount_minor": pl.Int64}  # fmt: skip
    tables = {"core.orders": orders, "core.payments": pl.DataFrame(schema=moves)}
    held = pl.DataFrame({"storefront": ["a", "a"], "order_ref": ["2", "3"]})
    found = expectations.aggregates(tables, held, now)["held"]
    assert found.select("storefront", "order_count", "held_count").rows() == [("a", 3, 2), ("b", 1, 0)]


def test_the_process_begun_early_judges_the_same(
    house: SimpleNamespace, night: tuple[list[dict[str, object]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.expectations.run", None)  # this process does not judge
    expectations.begin(house)
    told = expectations.judge(house, "r1", TRADE, NOBODY)
    assert told.select("rule_code", "sentence").rows() == [
        (one["rule_code"], one["sentence"]) for one in night[0]
    ]
    assert (house.reports / "expectations" / "index.html").exists()
    # The same process judges a further night, and is kept between two nights only where that was asked for.
    [process] = expectations._begun
    with expectations.kept():
        expectations.end()
        again = expectations.judge(house, "r2", TRADE, NOBODY)
        assert again["sentence"].to_list() == told["sentence"].to_list()
        assert process.poll() is None
    assert expectations._begun == []
    assert process.poll() is not None


@pytest.mark.parametrize("how", ["killed", "slow"])
def test_where_that_process_fails_this_one_judges(
    how: str,
    house: SimpleNamespace,
    night: tuple[list[dict[str, object]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expectations.begin(house)
    [process] = expectations._begun
    if how == "killed":
        process.kill()
    else:
        monkeypatch.setattr(expectations, "_SECONDS", 0)
    told = expectations.judge(house, "r1", TRADE, NOBODY)
    assert told["rule_code"].to_list() == [one["rule_code"] for one in night[0]]
    assert process.poll() is not None


def test_a_process_nobody_asked_is_stopped(house: SimpleNamespace) -> None:
    expectations.begin(house)
    [process] = expectations._begun
    expectations.end()
    assert process.poll() is not None


def test_great_expectations_is_not_imported_until_it_is_needed() -> None:
    code = "import sys, checks.expectations, checks.findings, checks.rules; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
