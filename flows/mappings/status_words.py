"""What the storefronts' own status words mean: rows of statuses.csv over the words every kind knows by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from checks.contracts import ALL
from flows.mappings.reading import read_mapping
from tieout.vocabulary import RETURN_WORDS
from transforms.accounts import most_specific

if TYPE_CHECKING:
    from flows.wiring import House

IGNORED = {"payment": "failure", "shipment": "expected", "return": "refused"}
"""What a word that is ignored on purpose comes to: such a payment moves no money, such a shipment has not left, such a
return brings nothing back."""


def _rows(house: House) -> pl.DataFrame:
    """statuses.csv alone: staging a storefront needs no other mapping, so none may stop it."""
    if "mappings" in vars(house):
        return house.mappings["statuses"]
    table = ALL["mappings.statuses"]
    path = house.settings.path(house.settings.installation.mappings) / "statuses.csv"
    return read_mapping(path, table) if path.exists() else table.empty()


def words_of(house: House, name: str, subject: str, usual: Mapping[str, str]) -> dict[str, str]:
    """Our word by theirs for one storefront: rows for any storefront, then what the kind knows (`usual`), then rows of the storefront
    itself, which so correct the kind."""
    rows = _rows(house).filter(subject=subject)
    ours = pl.when(pl.col("mode") == "ignore").then(pl.lit(IGNORED.get(subject, ""))).otherwise("status_code")
    found = rows.select("storefront", "status", ours=ours)
    anybody = dict(found.filter(storefront="*").select("status", "ours").iter_rows())
    own = dict(found.filter(storefront=name).select("status", "ours").iter_rows())
    return {**anybody, **usual, **own}


def own_words(house: House, name: str, subject: str) -> dict[str, str]:
    """Our word by theirs, of the rows of this storefront alone."""
    rows = _rows(house).filter(subject=subject, storefront=name)
    ours = pl.when(pl.col("mode") == "ignore").then(pl.lit(IGNORED.get(subject, ""))).otherwise("status_code")
    return dict(rows.select("status", ours).iter_rows())


def returns_that_count(house: House, returns: pl.DataFrame) -> pl.DataFrame:
    """Returns that brought goods back or still may: those whose word means `refused`, or is ignored on purpose, are left out."""
    rows = _rows(house).filter(subject="return").select("storefront", "status", "mode", "status_code")
    usual = pl.DataFrame(
        [("*", word, "map", meaning) for word, meaning in RETURN_WORDS.items()],
        schema=rows.schema,
        orient="row",
    )
    known = pl.concat([rows, usual]).unique(["storefront", "status"], keep="first", maintain_order=True)
    named = most_specific(
        returns.rename({"state_code": "status"}), known, ["storefront", "status"], ["mode", "status_code"]
    )
    gone = ((pl.col("mode") == "ignore") | (pl.col("status_code") == "refused")).fill_null(value=False)
    return (
        named.filter(~(gone & pl.col("status").is_not_null()))
        .rename({"status": "state_code"})
        .select(returns.columns)
    )
