"""Rows in the order of a text, without comparing texts more than needed."""

from __future__ import annotations

import polars as pl

WORD = 8
"""Bytes that are compared as one number."""
FEW = 1_000
"""Texts up to which they are sorted as they are: that is one step instead of a dozen."""


def text_order(texts: pl.Series) -> pl.Series:
    """The positions that put texts in order, byte by byte; equal ones keep their order, null comes first.

    The eight bytes after what all texts begin with are sorted as a number, a fifth of the cost of sorting texts; only texts which have
    those in common are sorted as texts.
    """
    rows = pl.DataFrame({"text": texts, "at": pl.int_range(len(texts), dtype=pl.UInt32, eager=True)})
    if len(texts) < FEW or texts.null_count():
        return rows.sort("text", "at")["at"]
    head = _shared(str(texts.min()).encode(), str(texts.max()).encode())
    padded = pl.col("text").str.pad_end(head + WORD, "\0").cast(pl.Binary)
    word = padded.bin.slice(head, WORD).bin.reinterpret(dtype=pl.UInt64, endianness="big")
    rows = rows.with_columns(word=word).with_columns(order=pl.col("word").arg_sort())
    order, sorted_ = rows["order"], rows["word"][rows["order"]]
    again = (sorted_ == sorted_.shift(1)).fill_null(False)
    tied = again | again.shift(-1).fill_null(False)
    if not tied.any():
        return order
    places = tied.arg_true()
    closer = rows[order[places]].sort("word", "text", "at")
    return order.scatter(places, closer["at"])


def _shared(low: bytes, high: bytes) -> int:
    """How many bytes two texts begin with in common; if they are the least and the greatest, so do all between them."""
    pairs = enumerate(zip(low, high, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(low), len(high)))
