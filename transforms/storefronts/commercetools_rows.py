"""Orders in columns: headers, rows, deliveries, payments and returns as the payload states them, before any arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from transforms.staged import RATE
from transforms.storefronts.cells import FLUSHED, READ
from transforms.storefronts.commercetools_decode import Trouble, decode_each
from transforms.storefronts.commercetools_payloads import Order
from transforms.storefronts.commercetools_plain import currency_of, decoder_of
from transforms.storefronts.commercetools_plain_reader import PlainReader
from transforms.storefronts.commercetools_reader import KINDS, TENDER, Infos, Reader, shipping_of
from transforms.storefronts.commercetools_settings import CommercetoolsSettings
from transforms.storefronts.commercetools_words import Categories, Tax, Taxes


class Whole(Mapping[int, tuple[Order, Infos]]):
    """Decoded orders with their shipping parts by position; those that are not `known` are decoded when they are asked for."""

    def __init__(self, payloads: pl.Series, known: Mapping[int, tuple[Order, Infos]]) -> None:
        self._payloads, self._known = payloads, known

    def __getitem__(self, at: int) -> tuple[Order, Infos]:
        found = self._known.get(at)
        if found is None:
            order = msgspec.json.decode(self._payloads[at], type=Order)
            found = order, shipping_of(order)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._payloads)


@dataclass(frozen=True)
class Opened:
    """A batch of orders in columns. `at` is the position of the order in the batch, in `heads` the row itself.

    `whole` has the orders themselves, for the few that are looked at again. `troubles` are by position.
    """

    heads: pl.DataFrame
    rows: pl.DataFrame
    deliveries: pl.DataFrame
    payments: pl.DataFrame
    returns: pl.DataFrame
    whole: Mapping[int, tuple[Order, Infos]]
    troubles: dict[int, list[Trouble]]


def open_orders(
    payloads: pl.Series,
    problems: pl.Series,
    refs: pl.Series,
    settings: CommercetoolsSettings,
    *,
    try_plain: bool = True,
) -> Opened:
    """Orders in columns, from payloads, what the landing already knew to be wrong with them (null for nothing) and native ids.

    Plain orders are read by their own reader, the others by the wider one. Without `try_plain` it reads all, with the same rows.
    """
    taxes, categories = Taxes(), Categories(settings.category_attribute)
    plain, reader = PlainReader(settings, taxes, categories), Reader(settings, taxes, categories)
    odd = _read_plain(payloads, problems, plain) if try_plain else list(range(len(payloads)))
    plain.flush()
    again = decode_each(payloads.gather(odd).to_list(), problems.gather(odd).to_list(), Order)
    for count, (at, (order, troubles)) in enumerate(zip(odd, again, strict=True), start=1):
        reader.read(at, order, refs[at], troubles)
        if count % FLUSHED == 0:
            reader.flush()
    reader.flush()
    return Opened(
        _merged(plain.heads(refs), reader.heads.frame()),
        # Rows are sorted once they are lines.
        _with_words(pl.concat([plain.rows(), reader.rows.frame()]), taxes.known),
        _merged(plain.deliveries(), reader.deliveries.frame()),
        _merged(plain.payments(), reader.payments.frame()),
        _merged(plain.returns(), reader.returns.frame()),
        Whole(payloads, {**plain.whole, **reader.whole}),
        reader.troubles,
    )


def _read_plain(payloads: pl.Series, problems: pl.Series, plain: PlainReader) -> list[int]:
    """Read the orders that are plain; the positions of those that are not."""
    odd: list[int] = []
    read, left = plain.read, problems.is_not_null() | payloads.is_null()
    texts, is_left = payloads.cast(pl.Binary), left.to_list()
    for start in range(0, len(payloads), READ):
        for at, payload in enumerate(texts.slice(start, READ).to_list(), start=start):
            decode = None if is_left[at] else decoder_of(currency_of(payload))
            if decode is None:
                odd.append(at)
                continue
            try:
                order = decode(payload)
            except (msgspec.MsgspecError, UnicodeError):
                odd.append(at)
            else:
                read(at, order)
        if start % FLUSHED == 0:
            plain.flush()
    return odd


def _merged(plain: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Rows of both, in the order of their orders."""
    if others.is_empty():
        return plain
    return pl.concat([plain, others]).sort("at", maintain_order=True)


def _with_words(rows: pl.DataFrame, taxes: Sequence[Tax]) -> pl.DataFrame:
    """Kinds and taxes of rows in place of their numbers."""
    names, has_rates, rates, included = zip(*taxes, strict=True) if taxes else ((), (), (), ())
    number = rows["tax_no"]
    return rows.with_columns(
        pl.Series("row_kind", KINDS, dtype=pl.String).gather(rows["kind_no"]),
        (rows["kind_no"] == TENDER).alias("is_tender"),
        pl.Series("tax_name", names, dtype=pl.String).gather(number),
        pl.Series("has_rate", has_rates, dtype=pl.Boolean).gather(number),
        pl.Series("tax_rate", rates, dtype=RATE).gather(number),
        pl.Series("included", included, dtype=pl.Boolean).gather(number),
    ).drop("kind_no", "tax_no")
