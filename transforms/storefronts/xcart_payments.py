"""Payments of X-Cart 5.5: the movements of an order's transactions.

What moved is said by the backend transactions. A transaction without any is believed if its own status is a letter; in 5.5.0 that
member holds the name of the method, and then the order's payment status decides, if there is just one transaction it can speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import polars as pl

from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded
from transforms.staged import sentence_of
from transforms.storefronts.footing import instants, series
from transforms.storefronts.xcart_payloads import BackendTransaction, OrderTransactions, Transaction

STATES: Final = {
    "S": "success",
    "F": "failure",
    "C": "failure",
    "V": "failure",
    "I": "pending",
    "P": "pending",
    "W": "pending",
}
"""Letters of a transaction's status: initialised, in progress, success, waiting, failed, cancelled, void."""

_NOTHING: Final = BackendTransaction()


def kind_of(type_: str | None) -> str | None:
    """What a backend transaction does, by its type; null for a type nobody knows."""
    word = type_ or ""
    if word == "auth":
        return "authorization"
    if word == "sale" or word in ("capture", "capturePart", "captureMulti"):
        return "charge"
    if word in ("refund", "refundPart", "refundMulti"):
        return "refund"
    return "void" if word.startswith("void") else None


def payment_rows(decoded: Decoded[OrderTransactions], known: Mapping[str, int]) -> pl.DataFrame:
    """One row per movement with `at`, refs, kind, state, currency, `amount_minor`, `occurred_at` and `problem`."""
    rows: list[tuple[Any, ...]] = []
    values: list[msgspec.Raw] = []
    dates: list[int | str | None] = []
    # Movements hang two levels deep in the payload, and what a lone transaction means depends on its order.
    for at, order in enumerate(decoded.objects):
        some = order.transactions or ()
        lone = len(some) == 1
        order_ref = None if order.order_id is None else str(order.order_id)
        for one in some:
            charges = 0
            for move in one.backend_transactions or (_NOTHING,):
                if move is _NOTHING:
                    kind, state, said = _alone(one, order.payment_status_code, lone=lone)
                else:
                    kind = kind_of(move.type)
                    state = STATES.get(move.status or "")
                    said = _unknown(move, kind, state)
                reference = str(one.public_txn_id or one.public_id or "") or None
                is_charge = kind == "charge" and state == "success"
                charges += is_charge
                if is_charge and charges > 1 and reference:
                    reference = f"{reference}-{move.id}"
                rows.append(
                    (
                        at,
                        None if one.id is None else str(one.id),
                        str(move.id if move.id is not None else one.id if one.id is not None else ""),
                        order_ref,
                        kind,
                        state,
                        one.name or None,
                        reference,
                        (one.currency or "").strip().upper(),
                        said,
                    )
                )
                values.append(move.value if move is not _NOTHING else one.value)
                dates.append(
                    move.date
                    if move.date is not None
                    else one.date
                    if one.date is not None
                    else order.update_date
                )
    names = (
        "at", "payment_ref", "transaction_ref", "order_ref", "kind_code", "state_code", "tender_code", "gateway_ref", "currency", "said",
    )  # fmt: skip
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    frame = pl.DataFrame(
        [
            series(name, list(values_), pl.UInt32 if name == "at" else pl.String)
            for name, values_ in zip(names, columns, strict=True)
        ]
    )
    value, odd = amounts.millionths(values)
    frame = frame.with_columns(
        value.alias("value"),
        odd.alias("odd"),
        instants(dates).alias("occurred_at"),
        digits=pl.col("currency").replace_strict(dict(known), default=None, return_dtype=pl.Int64),
    ).with_columns(unit=amounts.minor_unit(pl.col("digits").fill_null(2)))
    frame = pl.concat([frame, _unreadable(decoded, frame)], how="diagonal").sort("at", maintain_order=True)
    return frame.with_columns(
        amount_minor=amounts.rounded(pl.col("value").abs(), pl.col("unit")), problem=_problem(decoded, frame)
    )


def _alone(
    one: Transaction, order_status: str | None, *, lone: bool
) -> tuple[str | None, str | None, str | None]:
    """Kind, state and complaint of a transaction without backend transactions."""
    state = STATES.get(one.status or "")
    if state is not None:
        return "charge", state, None
    if lone and order_status in ("P", "R"):
        said = (
            "the order is refunded and its transaction does not say how much" if order_status == "R" else None
        )
        return "charge", "success", said
    return "charge", "pending", None


def _unknown(move: BackendTransaction, kind: str | None, state: str | None) -> str | None:
    if kind is None:
        return f"the transaction's type '{(move.type or '')[:40]}' is none that is known"
    if state is None:
        return f"the transaction's status '{(move.status or '')[:40]}' is none that is known"
    return None


def _unreadable(decoded: Decoded[OrderTransactions], frame: pl.DataFrame) -> pl.DataFrame:
    """A row for each payload that was not read whole and shows no movement, so that the trouble has a place to stand."""
    shown = set(frame["at"].to_list())
    lost = [at for at in sorted(decoded.troubles) if at not in shown]
    return pl.DataFrame([series("at", lost, pl.UInt32)])


def _problem(decoded: Decoded[OrderTransactions], frame: pl.DataFrame) -> pl.Series:
    amount_odd = pl.col("odd").is_not_null()
    inexact = ~amounts.is_exact(pl.col("value"), pl.col("unit"))
    code = pl.col("currency").fill_null("").str.slice(0, 10)
    texts = frame.select(
        pl.when(pl.col("said").is_not_null())
        .then(pl.format("payload_unreadable: {}", pl.col("said").fill_null("")))
        .when(pl.col("digits").is_null() & pl.col("currency").is_not_null())
        .then(pl.format("currency_unknown: '{}' is not an ISO 4217 currency with minor units", code))
        .when(amount_odd)
        .then(
            pl.format(
                "amount_not_exact: value is {}, which is not an amount",
                pl.col("odd").fill_null("").str.slice(0, 40),
            )
        )
        .when(pl.col("value").is_null() & pl.col("currency").is_not_null())
        .then(pl.lit("payload_unreadable: value is missing"))
        .when(inexact)
        .then(pl.format("amount_not_exact: value has more digits than {} has minor units", code))
        .alias("problem")
    )["problem"]
    if not decoded.troubles:
        return texts
    found = texts.to_list()
    for row, at in enumerate(frame["at"]):
        some = decoded.troubles.get(at)
        if some:
            found[row] = sentence_of([(one.code, one.sentence) for one in some])
    return series("problem", found)
