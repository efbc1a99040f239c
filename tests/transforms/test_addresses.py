"""Countries in every spelling, and address texts without stray blanks."""

from __future__ import annotations

import polars as pl
import pytest

from transforms.addresses import country_code, normalised


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("DE", "DE"), ("de", "DE"), (" DEU ", "DE"), ("276", "DE"), ("Germany", "DE"), ("KW", "KW"),
        ("United States of America", "US"), ("CÔTE D'IVOIRE", "CI"), ("XX", None), ("", None), (None, None), ("Atlantis", None),
    ],
)  # fmt: skip
def test_a_country_is_its_two_letters(given: str | None, wanted: str | None) -> None:
    assert country_code(given) == wanted


def test_texts_lose_their_blanks_and_nothing_else() -> None:
    people = pl.DataFrame(
        {
            "street": ["  Main   St 1 ", ""],
            "city": ["Köln", None],
            "country_code": ["deu", "nowhere"],
            "email": [" a@b ", None],
        }
    )
    assert normalised(people).rows() == [("Main St 1", "Köln", "DE", " a@b "), (None, None, None, None)]
    assert normalised(people.clear()).is_empty()
