"""Addresses in one spelling: countries as ISO 3166 alpha-2, postal codes and texts without stray blanks."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import iso3166
import polars as pl

_TEXTS: Final = ("street", "city", "state", "postal_code", "first_name", "last_name", "company", "name")


@cache
def _by_word() -> dict[str, str]:
    """Every spelling that stands for a country: alpha-2, alpha-3, numeric and its names, folded."""
    found: dict[str, str] = {}
    for one in iso3166.countries:
        for word in (one.name, one.apolitical_name, one.alpha3, one.numeric, one.alpha2):
            found[_folded(word)] = one.alpha2
    return found


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in decomposed if sign.isalnum())


def country_code(text: str | None) -> str | None:
    """The ISO 3166 alpha-2 code of a country given as a code or by its English name; null for what is no country."""
    return _by_word().get(_folded(text)) if text else None


def normalised(people: pl.DataFrame) -> pl.DataFrame:
    """The frame with `country_code` as alpha-2 and its address texts trimmed, inner runs of blanks made one, empty ones null.

    A country that cannot be told is null: an address without a country is accepted by the ledger, one with a wrong country is not.
    """
    texts = [name for name in _TEXTS if name in people.columns]
    tidy = people.with_columns(pl.col(texts).str.strip_chars().str.replace_all(r"\s+", " ").replace("", None))
    if "country_code" not in people.columns:
        return tidy
    # One look-up per distinct spelling, of which there are few.
    spellings = [one for one in people["country_code"].unique().to_list() if one]
    known = {one: country_code(one) for one in spellings}
    if not known:
        return tidy.with_columns(country_code=pl.lit(None, dtype=pl.String))
    return tidy.with_columns(
        country_code=pl.col("country_code").replace_strict(known, default=None, return_dtype=pl.String)
    )
