"""The company file is checked as a whole; content models say what is expected."""

from __future__ import annotations

from datetime import date

import pytest
from lxml import etree

from tieout.sandbox.intacct.company import SHIPPED, Company, CompanyError, Knobs
from tieout.sandbox.intacct.content import Model, check
from tieout.sandbox.intacct.sequences import FUNCTION_MODELS, MODELS


def test_shipped_company_is_the_seeded_world() -> None:
    company = Company.load(None)
    assert company.id == "TIEOUTDEMO"
    assert {one.id: one.currency for one in company.entities.values()} == {"E100": "USD", "E200": "EUR"}
    assert company.entity_of("100") == "E100"
    assert {"CLR-CARD-US", "CLR-PAYPAL-EU", "CLR-GIFT-US", "BANK-EU"} <= set(company.financial_entities)
    assert all(one.closed_through == date(2026, 8, 31) for one in company.entities.values())
    for currency in ("USD", "EUR", "JPY", "KWD"):
        for base in ("USD", "EUR"):
            assert company.rate(currency, base, date(2026, 9, 15), "Intacct Daily Rate")
    assert company.rate("EUR", "USD", date(2026, 7, 31), "Intacct Daily Rate") is None
    assert company.rate("EUR", "USD", date(2026, 9, 30), "Intacct Daily Rate") == 10920000000
    assert company.users["auditor"].permissions == {"read", "audit"}


def test_shipped_knobs_are_the_defaults() -> None:
    assert Company.load(None).knobs == Knobs()


def test_every_problem_is_listed_at_once(tmp_path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    text = text.replace('entity = "E200"\n\n[[departments]]', 'entity = "E9"\n\n[[departments]]')
    text = text.replace('ar_control = "1100"', 'ar_control = "1"')
    text = text.replace("closed_through = 2026-08-31", 'closed_through = "soon"', 1)
    text = text.replace("[knobs]", "[knobs]\nmystery = 1")
    text = text.replace('replay_level = "result"', 'replay_level = "sometimes"')
    text = text.replace('id = "auditor"\npassword', 'id = "auditor"\npasswort')
    path = tmp_path / "company.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CompanyError) as caught:
        Company.load(path)
    listed = "\n".join(caught.value.problems)
    for part in (
        "[[locations]] '200' names the entity 'E9'",
        "[posting] ar_control names the account '1'",
        "[[entities]] 'E100': closed_through must be a date",
        "[knobs] has no knob 'mystery'",
        "[knobs] replay_level must be one of result, operation",
        "[[users]] number 2 lacks password",
    ):
        assert part in listed
    assert "demo-" not in str(caught.value)


def test_not_toml(tmp_path) -> None:
    path = tmp_path / "company.toml"
    path.write_text("[company\n", encoding="utf-8")
    with pytest.raises(CompanyError, match="not valid TOML"):
        Company.load(path)


def faults(model: str, xml: str) -> list[str]:
    found: list[str] = []
    check(etree.fromstring(xml), Model(model), MODELS, found)
    return found


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        (
            "a, b?, c",
            ["<r><a/><c/></r>", "<r><a/><b/><c/></r>"],
            ["<r/>", "<r><b/></r>", "<r><a/></r>", "<r><a/><c/><c/></r>"],
        ),
        ("(a | b)+", ["<r><a/></r>", "<r><b/><a/></r>"], ["<r/>", "<r><c/></r>"]),
        ("a*, (b, c)?", ["<r/>", "<r><a/><a/><b/><c/></r>"], ["<r><b/></r>", "<r><c/></r>"]),
        (
            "(x?, y, ((d?, t) | e))?",
            ["<r/>", "<r><y/><e/></r>", "<r><x/><y/><d/><t/></r>"],
            ["<r><y/></r>", "<r><y/><d/></r>"],
        ),
        ("", ["<r/>"], ["<r><a/></r>", "<r>text</r>"]),
        ("d:date", ["<r><d><year/><month/><day/></d></r>"], ["<r><d><month/></d></r>", "<r><d>x</d></r>"]),
    ],
)
def test_content_models(model, good, bad) -> None:
    for xml in good:
        assert faults(model, xml) == []
    for xml in bad:
        assert faults(model, xml), xml


@pytest.mark.parametrize("source", ["a,,b", "(a", "a)", "a b", "a &"])
def test_malformed_models_are_refused(source) -> None:
    with pytest.raises((ValueError, IndexError)):
        Model(source)


def test_every_type_named_exists() -> None:
    for model in [*MODELS.values(), *FUNCTION_MODELS.values()]:
        for _, kind in model.names:
            assert kind in ("", "any") or kind in MODELS, (model.source, kind)
