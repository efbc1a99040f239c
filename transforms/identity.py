"""Names of documents: ids minted from business keys, numbers and customer ids that Intacct accepts, and content hashes.

The same business key always gives the same name, on any machine and in any run: that is what makes a rerun harmless.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

import polars as pl

ID_LENGTH: Final = 20
"""Characters of a document id: 100 bits, which also fit Intacct's shorter key fields."""

ACCEPTED: Final = r"^[A-Za-z0-9][A-Za-z0-9 _./:\-]*$"
"""What a number or id may consist of. Narrower than Intacct, which only forbids some characters; what else it accepts is not
documented."""

_UNIT: Final = "\x1f"


def minted(frame: pl.DataFrame, namespace: str, columns: Sequence[str]) -> pl.Series:
    """An id of 20 characters per row: base 32 of the SHA-256 of `namespace|column|column…`. Nulls count as empty text."""
    texts = frame.select(
        pl.concat_str(
            pl.lit(namespace),
            *(pl.col(name).cast(pl.String).fill_null("") for name in columns),
            separator="|",
        )
    ).to_series()
    # A loop over rows, because polars has no cryptographic hash. Fifteen bytes are 24 characters of base 32 without padding, so
    # all digests are encoded in one call.
    digests = b"".join([hashlib.sha256(text.encode()).digest()[:15] for text in texts])
    encoded = base64.b32encode(digests).decode()
    ids = [encoded[at : at + ID_LENGTH] for at in range(0, len(encoded), 24)]
    return pl.Series("document_id", ids, dtype=pl.String)


def short_hash(text: str, length: int) -> str:
    """The first characters of the base-32 SHA-256 of a text: capital letters and the digits 2 to 7."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:length]


def fitted(names: pl.Series, longest: int, marker: str) -> pl.Series:
    """The names that are short enough and of accepted characters as they are; others as a stable short hash after a marker."""
    fits = names.str.contains(ACCEPTED) & (names.str.len_chars() <= longest)
    odd = names.filter(~fits.fill_null(value=True)).unique()
    if odd.is_empty():
        return names
    # Only names that do not fit are looped over; hashing has no column form.
    short = {name: marker + short_hash(name, min(12, longest - len(marker))) for name in odd}
    return names.replace(short)


def content_hashes(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """SHA-256 in hex over the named columns of each row, in that order; null and empty text differ."""
    texts = frame.select(
        pl.concat_str(*(pl.col(name).cast(pl.String).fill_null("\x00") for name in columns), separator=_UNIT)
    ).to_series()
    # A loop over rows, because polars has no cryptographic hash.
    return pl.Series(
        "content_sha256", [hashlib.sha256(text.encode()).hexdigest() for text in texts], dtype=pl.String
    )


def joined_rows(columns: Sequence[str]) -> pl.Expr:
    """The rows of a group as one text, in their order, for hashing."""
    cells = (pl.col(name).cast(pl.String).fill_null("\x00") for name in columns)
    return pl.concat_str(*cells, separator=_UNIT).str.join("\x1e").alias("lines_text")
