"""A storefront's section is judged by the class of its kind, and what is wrong is said at the setting's own place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tieout.errors import SettingsError
from tieout.settings import parse
from tieout.settings.storefronts import CommercetoolsStorefront, FilesStorefront


def shop(**section: Any) -> Any:
    return parse({"storefronts": {"shop": section}}, folder=Path()).storefronts["shop"]


def said(**section: Any) -> list[str]:
    with pytest.raises(SettingsError) as broken:
        shop(**section)
    return list(broken.value.problems)


COMMERCETOOLS = {
    "kind": "commercetools",
    "api_url": "https://api.example.com",
    "auth_url": "https://auth.example.com",
    "project_key": "p",
    "client_id": "c",
    "client_secret": "env:S",
}


def test_the_kind_chooses_the_class() -> None:
    assert type(shop(**COMMERCETOOLS)) is CommercetoolsStorefront
    assert type(shop(kind="files", paths={"orders": "o.csv"})) is FilesStorefront


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({}, "[storefronts.shop.kind] is missing"),
        ({"kind": "teapot"}, "[storefronts.shop.kind] is 'teapot'; it must be one of "),
        ({"kind": "files"}, "[storefronts.shop] a files storefront needs paths"),
        (
            {"kind": "commercetools"},
            "[storefronts.shop] a commercetools storefront needs api_url, auth_url, project_key, client_id, client_secret",
        ),
        (
            {**COMMERCETOOLS, "paths": {"orders": "o.csv"}},
            "[storefronts.shop.paths] is not a setting tieout knows; check the spelling",
        ),
        ({**COMMERCETOOLS, "page_size": 501}, "[storefronts.shop.page_size] Input should be less than"),
    ],
)
def test_a_problem_names_the_setting_and_not_the_class(section: dict[str, Any], problem: str) -> None:
    problems = said(**section)
    assert len(problems) == 1
    assert problems[0].startswith(problem), problems
