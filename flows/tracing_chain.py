"""The chain of one order: the stations a sale passes, what proves each, and where it stands now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from tieout.money import show

STATES: Final = ("done", "waits", "wrong", "none", "unknown")
"""done; waits (it will come by itself, or for a person); wrong (an error stands there); none (nothing is owed there); unknown (not read)."""

_WAITING: Final = ("planned", "held", "sending", "unknown", "refused")
_GL_TYPES: Final = {"invoice": "ri", "adjustment": "ra", "receipt": "rp"}


def chain(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stations in order, each with title, state, when, sentences of evidence, and `is_here` on the one where the order stands.

    `found` is what `trace_order` returns. The order stands at the first station that is wrong, else the first that waits, else at the end.
    """
    stations = [
        _ordered(found),
        _checked(found),
        _documents(found),
        _invoices(found),
        _ledger(found),
        _money(found),
        _receipts(found),
        _payouts(found),
        _verdict(found),
    ]
    here = next(
        (at for state in ("wrong", "waits") for at, one in enumerate(stations[:-1]) if one["state"] == state),
        len(stations) - 1,
    )
    return [{**one, "is_here": at == here, "number": at + 1} for at, one in enumerate(stations)]


def _station(
    title: str, state: str, evidence: Sequence[str], at: datetime | date | None = None
) -> dict[str, Any]:
    when = "" if at is None else (f"{at:%Y-%m-%d %H:%M} UTC" if isinstance(at, datetime) else at.isoformat())
    return {"title": title, "state": state, "when": when, "evidence": list(evidence)}


def _amount(minor: int | None, currency: str | None) -> str:
    return "–" if minor is None or not currency else f"{show(minor, currency)} {currency}"


def _ordered(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = []
    for order in found["orders"]:
        currency = order["currency"]
        parts = [
            f"{part.replace('_', ' ')} {show(order[f'{part}_minor'], currency)}"
            for part in ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding")
            if order[f"{part}_minor"]
        ]
        lines.append(
            f"{order['storefront']} {order['order_ref']}, store {order['store_ref'] or '–'}, {order['status_code']}, total {_amount(order['total_minor'], currency)}, due {_amount(order['due_minor'], currency)}"
        )
        if parts:
            lines.append(f"total = {' + '.join(parts)}")
        if order["problem"]:
            lines.append(f"could not be read whole: {order['problem']}")
    lines += [
        f"version {one['version_no']} received {one['fetched_at']:%Y-%m-%d %H:%M} UTC in run {one['run_id']}, payload {one['payload_sha256'][:12]}…"
        for one in found["versions"]
    ]
    bad = any(order["problem"] for order in found["orders"])
    return _station("Order at the shop", "waits" if bad else "done", lines, found["orders"][0]["placed_at"])


def _checked(found: Mapping[str, Any]) -> dict[str, Any]:
    newest = max((one["found_at"] for one in found["findings"]), default=None)
    last = [one for one in found["findings"] if one["found_at"] == newest]
    stops = [one for one in last if one["severity"] in ("stop", "hold")] if found["is_held"] else []
    told = [
        f"{one['severity']} {one['rule_code'].replace('_', ' ')}: {one['sentence']}"
        for one in (stops or last)
    ]
    state = "waits" if stops else "done"
    return _station("Checks", state, told or ["no rule objects"], newest)


def _documents(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = list(_document_lines(found))
    states = {one["state_code"] for one in found["documents"]}
    posted = {one["document_id"] for one in found["documents"]}
    unplanned = [one for one in found["unplanned"] if one["document_id"] not in posted]
    lines += [
        f"{one['kind_code'].replace('_', ' ')} {one['number'] or ''} not planned: {one['sentence']}"
        for one in unplanned
    ]
    if "dead" in states:
        state = "wrong"
    elif states & set(_WAITING):
        state = "waits"
    elif "accepted" in states:
        state = "done"
    else:
        state = "none"
    newest = max((one["changed_at"] for one in found["documents"]), default=None)
    return _station("Documents for Intacct", state, lines or ["no document of ours"], newest)


def _document_lines(found: Mapping[str, Any]) -> Iterator[str]:
    moves: dict[str, list[Mapping[str, Any]]] = {}
    for one in found["moves"]:
        moves.setdefault(one["document_id"], []).append(one)
    exchanges: dict[str, list[Mapping[str, Any]]] = {}
    for one in found["exchanges"]:
        exchanges.setdefault(one["batch_id"], []).append(one)
    for one in found["documents"]:
        key = f", Intacct {one['intacct_key']}" if one["intacct_key"] else ""
        yield f"{one['kind_code'].replace('_', ' ')} {one['number'] or ''} {one['document_on'] or ''} {_amount(one['total_minor'], one['currency'])}: {one['state_code']}{key}, {one['attempts_no']} attempt(s), control id {one['control_id'] or '–'}"
        if one["reason"]:
            yield f"  {one['reason']}"
        own = moves.get(one["document_id"], [])
        if own:
            yield "  " + ", ".join(f"{move['at']:%Y-%m-%d %H:%M:%S} {move['to_state']}" for move in own)
        batches = dict.fromkeys(move["batch_id"] for move in own if move["batch_id"])
        for batch in batches:
            for exchange in exchanges.get(batch, []):
                yield f"  exchange {exchange['exchange_id']} {exchange['status']}, archive/{exchange['path']}, SHA-256 {exchange['sha256'][:12]}…"


def _invoices(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        f"invoice {one['invoice_number'] or one['invoice_ref']} RECORDNO {one['invoice_ref']} in {one['entity_code']} dated {one['posted_on']}, {_amount(one['total_minor'], one['currency'])}, {one['state_code']}, open {_amount(one['due_minor'], one['currency'])}"
        + (f", from order entry ({one['module_code']})" if (one["module_code"] or "").startswith("8") else "")
        for one in found["invoices"]
    ]
    lines += [
        f"adjustment {one['adjustment_number'] or one['adjustment_ref']} RECORDNO {one['adjustment_ref']} in {one['entity_code']} dated {one['posted_on']}, {_amount(one['total_minor'], one['currency'])}, {one['state_code']}"
        for one in found["adjustments"]
    ]
    newest = max((one["posted_on"] for one in [*found["invoices"], *found["adjustments"]]), default=None)
    loud = _family(found["outcomes"])
    state = (
        ("wrong" if loud == "error" else "done")
        if lines
        else {"error": "wrong", "ambiguous": "wrong", "timing": "waits"}.get(loud, "none")
    )
    return _station(
        "Invoices and credit memos in Intacct", state, lines or ["Intacct holds none that was found"], newest
    )


def _family(rows: Sequence[Mapping[str, Any]]) -> str:
    families = {one["family_code"] for one in rows}
    return next(
        (
            word
            for word in ("error", "ambiguous", "timing", "explained", "matched", "outside")
            if word in families
        ),
        "",
    )


def _ledger(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["gl_entries"] is None:
        return _station("General ledger", "unknown", ["the general ledger is not read into this warehouse"])
    lines = [
        f"{one['posted_on']} account {one['account_code']} {_amount(one['amount_minor'], one['currency'])}, batch {one['batch_ref'] or '–'}, journal {one['journal'] or '–'}"
        for one in found["gl_entries"]
    ]
    state = "done" if lines else ("waits" if found["invoices"] or found["adjustments"] else "none")
    newest = max((one["posted_on"] for one in found["gl_entries"]), default=None)
    return _station("General ledger", state, lines or ["no entry of its documents"], newest)


def _money(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        f"{one['occurred_at']:%Y-%m-%d %H:%M} UTC {one['kind_code']} {one['state_code']} {_amount(one['amount_minor'], one['currency'])} by {one['tender_code'] or '–'}, reference {one['gateway_ref'] or '–'}"
        for one in found["payments"]
    ]
    moved = [
        one
        for one in found["payments"]
        if one["state_code"] == "success" and one["kind_code"] in ("charge", "refund", "chargeback")
    ]
    pending = any(one["state_code"] == "pending" for one in found["payments"])
    state = "done" if moved else ("waits" if pending else "none")
    newest = max((one["occurred_at"] for one in moved), default=None)
    return _station("Money at the gateway", state, lines or ["no payment is known"], newest)


def _receipts(found: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        f"receipt RECORDNO {one['receipt_ref']} dated {one['received_on']}, {_amount(one['total_minor'], one['currency'])}, {one['state_code']}, reference {one['reference'] or '–'}"
        for one in found["receipts"]
    ]
    lines += [
        f"  applied {one['applied_on'] or ''}: {_amount(one['amount_minor'] or one['credit_minor'], one['currency'])} of {'receipt ' + one['receipt_ref'] if one['receipt_ref'] else 'memo ' + (one['adjustment_ref'] or '–')} to invoice {one['invoice_ref'] or '–'}"
        for one in found["applications"]
    ]
    loud = _family(found["payment_outcomes"])
    state = {"error": "wrong", "ambiguous": "wrong", "timing": "waits"}.get(
        loud, "done" if found["receipts"] else "none"
    )
    newest = max((one["received_on"] for one in found["receipts"]), default=None)
    return _station("Receipts in Intacct", state, lines or ["Intacct holds none that was found"], newest)


def _payouts(found: Mapping[str, Any]) -> dict[str, Any]:
    named = sorted({one["payout_ref"] for one in found["payments"] if one["payout_ref"]})
    fees = [one for one in found["payments"] if one["fee_minor"]]
    lines = [f"payout {ref}" for ref in named] + [
        f"fee of {one['gateway_ref'] or one['payment_ref']}: {_amount(one['fee_minor'], one['currency'])}"
        for one in fees
    ]
    return _station(
        "Payout",
        "done" if named else "unknown",
        lines or ["the gateway has not told a payout for these payments"],
    )


def _verdict(found: Mapping[str, Any]) -> dict[str, Any]:
    rows = [*found["outcomes"], *found["payment_outcomes"]]
    covered: dict[str, list[str]] = {}
    for one in found.get("payment_orders", ()):
        covered.setdefault(one["group_ref"], []).append(one["order_number"] or one["order_ref"])
    lines = [
        f"{one['outcome_code'].replace('_', ' ')} ({one['family_code']}): storefront {_amount(one['expected_minor'], one['currency'])}, Intacct {_amount(one['actual_minor'], one['currency'])}. {one['evidence']}"
        for one in found["outcomes"]
    ]
    for one in found["payment_outcomes"]:
        numbers = list(dict.fromkeys(covered.get(one["group_ref"], ())))
        whose = f" Covers orders {', '.join(numbers)}." if len(numbers) > 1 else ""
        lines.append(
            f"{one['outcome_code'].replace('_', ' ')} ({one['family_code']}): storefront {_amount(one['expected_minor'], one['currency'])}, Intacct {_amount(one['actual_minor'], one['currency'])}.{whose} {one['evidence']}"
        )
    lines += [
        f"open item {one['item_id']} at the close of {one['period']} r{one['revision']}: {_amount(one['closing_minor'], one['currency'])}"
        for one in found["items"]
    ]
    loud = _family(rows)
    state = {"error": "wrong", "ambiguous": "wrong", "timing": "waits", "": "unknown"}.get(loud, "done")
    return _station("Outcome", state, lines or ["not reconciled yet; run `tieout run reconcile`"])


def as_text(found: Mapping[str, Any]) -> str:
    """The chain for a terminal, one station under the other, with a mark where the order stands."""
    marks = {"done": "✓", "waits": "…", "wrong": "✗", "none": "–", "unknown": "?"}
    lines = [f"Order {found['orders'][0]['order_number'] or '(no number)'}"]
    for one in chain(found):
        here = "   ◀ you are here" if one["is_here"] else ""
        lines.append(f"{marks[one['state']]} {one['title']}{'  ' + one['when'] if one['when'] else ''}{here}")
        lines += [f"    {line}" for line in one["evidence"]]
    return "\n".join(lines)
