"""What a person decides about a reconciliation: match, unmatch, explain, write off, withdraw, approve. Each is a row with author and reason.

Nothing is changed by a decision itself: it is written down, and every reconciliation from then on applies it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.posting import releasing
from tieout.errors import InputError
from tieout.money import show
from tieout.warehouse import runs
from transforms.identity import minted

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

_OPEN = ("error", "ambiguous")
_PUBLISHED = {"orders": "recon.orders", "payments": "recon.payments"}
NEXT = "It counts from the next `tieout run reconcile`."


def pair(
    house: House, kind: str, item: str, documents: Sequence[str], *, payments: bool, reason: str, author: str
) -> list[str]:
    """Match an order with ledger documents (a payment with receipts), or take such pairs apart. Raises `InputError`."""
    tie_out = "payments" if payments else "orders"
    with house.warehouse.read() as session:
        group = _payment(session, item) if payments else _order(session, item)
        found = [_receipt(session, one) if payments else _document(session, one) for one in documents]
    rows = [{"kind_code": kind, "tie_out": tie_out, "group_ref": group, "ledger_ref": one} for one in found]
    ids = record(house, rows, reason=reason, author=author)
    word = "belongs to" if kind == "match" else "does not belong to"
    return [f"{one} {word} {group}: decision {id_}" for one, id_ in zip(found, ids, strict=True)] + [NEXT]


def accept(
    house: House, item: str, *, payments: bool, entity: str | None, currency: str | None, reason: str, author: str,
    reason_code: str | None = None,
) -> list[str]:  # fmt: skip
    """Explain a difference, or with a reason code write it off to the account configured for that code, within the cap."""
    tie_out = "payments" if payments else "orders"
    with house.warehouse.read() as session:
        row = _open_row(session, tie_out, item, entity, currency)
    decision = {
        "kind_code": "explain",
        "tie_out": tie_out,
        "group_ref": row["group_ref"],
        "entity_code": row["entity_code"],
        "currency": row["currency"],
        "amount_minor": row["delta_minor"],
        "outcome_code": row["outcome_code"],
    }
    said = f"{show(row['delta_minor'], row['currency'])} {row['currency']}"
    if reason_code is None:
        (made,) = record(house, [decision], reason=reason, author=author)
        return [f"{row['outcome_code']} of {said} on {row['group_ref']} is explained: decision {made}", NEXT]
    account = _writable(house, row, reason_code)
    decision |= {"kind_code": "write_off", "account_code": account, "reason_code": reason_code}
    (made,) = record(house, [decision], reason=reason, author=author)
    return [
        f"{said} on {row['group_ref']} is written off to account {account} ({reason_code}): decision {made}",
        f"{NEXT} That drafts a journal; `tieout approve` releases it.",
    ]


def _writable(house: House, row: dict[str, Any], reason_code: str) -> str:
    rules = house.settings.reconciliation.write_off
    account = rules.accounts.get(reason_code)
    if account is None:
        known = ", ".join(sorted(rules.accounts)) or "none"
        raise InputError(
            f"There is no reason code '{reason_code}' in [reconciliation.write_off] accounts; it knows {known}."
        )
    size, currency = abs(row["delta_minor"]), row["currency"]
    if size == 0:
        raise InputError(f"{row['group_ref']} does not differ in amount; explain it instead.")
    cap = rules.cap_minor.get(currency, 0)
    if size > cap:
        raise InputError(
            f"{show(size, currency)} {currency} is more than may be written off ({show(cap, currency)} {currency}, "
            "[reconciliation.write_off] cap_minor); correct the documents, or have the cap raised."
        )
    return account


def withdraw(house: House, decision: str, *, reason: str, author: str) -> list[str]:
    """End an earlier decision. Raises `InputError` for one that does not exist or is withdrawn already."""
    with house.warehouse.read() as session:
        rows = session.fetch("ops.decisions")
    if rows.filter((pl.col("decision_id") == decision) & (pl.col("kind_code") != "withdraw")).is_empty():
        raise InputError(f"There is no decision {decision}; `tieout decisions` lists them.")
    if rows.filter((pl.col("kind_code") == "withdraw") & (pl.col("about_id") == decision)).height:
        raise InputError(f"Decision {decision} was withdrawn already.")
    (made,) = record(house, [{"kind_code": "withdraw", "about_id": decision}], reason=reason, author=author)
    return [f"decision {decision} is withdrawn: {made}", NEXT]


def approve(house: House, draft: str, *, reason: str, author: str) -> list[str]:
    """Release a draft. Raises `InputError` if it does not exist, is approved, cannot be posted, or the author decided part of it."""
    with house.warehouse.read() as session:
        drafts = session.fetch("recon.drafts", where={"draft_id": draft})
        lines = session.fetch("recon.draft_lines", where={"draft_id": draft})
    if drafts.is_empty():
        raise InputError(
            f"There is no draft {draft} in the newest reconciliation; `tieout drafts` lists them."
        )
    one = drafts.row(0, named=True)
    if one["state_code"] == "approved":
        raise InputError(f"Draft {draft} is approved already.")
    if author.strip() in one["authors"].split(", "):
        raise InputError(f"Draft {draft} carries out decisions of {author}; another person approves it.")
    if one["kind_code"] == "journal" and lines["account_code"].null_count():
        raise InputError(
            f"Draft {draft} has no account to post against: name exactly one in [reconciliation] control_accounts, then run `tieout run reconcile`."
        )
    about = lines["decision_id"].unique().sort().to_list() if lines.height else [None]
    rows = [{"kind_code": "approve", "draft_id": draft, "about_id": decision} for decision in about]
    said = [f"draft {draft} is approved by {author}: {one['sentence']}"]
    by_memo = one["kind_code"] == "reversal" and releasing.takes_debit_memo(one, lines)
    if one["kind_code"] == "reversal" and not by_memo and not releasing.is_reversible(one):
        record(house, rows, reason=reason, author=author)
        return [
            *said,
            "Intacct has no function for it: reverse it there by hand; the next reconciliation sees it.",
        ]

    def released(session: Session, run_id: str) -> None:
        if one["kind_code"] == "journal":
            releasing.plan_journal(house, session, one, lines, run_id)
        elif by_memo:
            releasing.plan_debit_memo(house, session, one, lines, run_id)
        else:
            releasing.plan_reversal(house, session, one, run_id)

    record(house, rows, reason=reason, author=author, then=released)
    name = "journal entry" if one["kind_code"] == "journal" else "debit memo" if by_memo else "reversal"
    return [*said, f"The {name} is in the outbox as {draft}; it is sent by the next posting."]


def record(
    house: House,
    rows: Sequence[dict[str, Any]],
    *,
    reason: str,
    author: str,
    then: Callable[[Session, str], None] | None = None,
) -> list[str]:
    """Append decisions and return their ids; `then` runs in the same transaction. Raises `InputError` without a person's name or a reason."""
    if not reason.strip() or author.strip() in ("", "tieout"):
        raise InputError("A decision needs --reason and the --author who takes it; both are kept beside it.")
    table = ALL["ops.decisions"]
    now = house.clock()
    run_id = runs.new_run_id(now=now, rng=random.SystemRandom())
    common = {"reason": reason.strip(), "author": author.strip(), "decided_at": now, "run_id": run_id}
    schema = {name: dtype for name, dtype in table.polars_schema.items() if name != "decision_id"}
    frame = pl.DataFrame([{**row, **common} for row in rows], schema=schema)
    ids = minted(frame, house.settings.installation.namespace, list(schema))
    frame = table.shaped(frame.with_columns(ids.alias("decision_id")))
    with house.warehouse.write(run_id=run_id) as session:
        session.publish(
            "ops.decisions", table.checked(frame, at="when deciding"), key=table.key, mode="append"
        )
        if then is not None:
            then(session, run_id)
    return ids.to_list()


# --- finding what was named -------------------------------------------------------------------------------------
def _open_row(
    session: Session, tie_out: str, item: str, entity: str | None, currency: str | None
) -> dict[str, Any]:
    rows = session.fetch(_PUBLISHED[tie_out]).filter(pl.col("family_code").is_in(list(_OPEN)))
    names = ["group_ref", "order_ref", "order_number", *(["documents"] if tie_out == "orders" else ["receipts", "gateway_ref"])]  # fmt: skip
    rows = rows.filter(pl.any_horizontal((pl.col(name) == item).fill_null(False) for name in names))
    if entity:
        rows = rows.filter(pl.col("entity_code") == entity)
    if currency:
        rows = rows.filter(pl.col("currency") == currency)
    if rows.is_empty():
        raise InputError(
            f"'{item}' is no open difference of the newest reconciliation ({tie_out}); look at `report.differences`, or add --payments."
        )
    if rows.height > 1:
        listed = "; ".join(
            f"{one['group_ref']} in {one['entity_code']} {one['currency']} ({one['outcome_code']})"
            for one in rows.sort("group_ref", "entity_code", "currency").head(10).iter_rows(named=True)
        )
        raise InputError(
            f"'{item}' names {rows.height} open differences: {listed}. Say which with the whole name, --entity and --currency."
        )
    return rows.row(0, named=True)


def _one(found: pl.DataFrame, name: str, what: str, item: str) -> str:
    hits = found[name].unique().sort()
    if hits.len() == 1:
        return str(hits[0])
    if hits.len() == 0:
        raise InputError(
            f"There is no {what} '{item}' in the warehouse; check its number, or extract it first."
        )
    raise InputError(f"'{item}' names {hits.len()} of them: {', '.join(hits.head(10))}. Give the whole name.")


def _hits(frame: pl.DataFrame, item: str, columns: Sequence[str]) -> pl.DataFrame:
    return frame.filter(pl.any_horizontal((pl.col(name) == item).fill_null(False) for name in columns))


def _order(session: Session, item: str) -> str:
    rows = session.fetch("core.orders", columns=["storefront", "order_ref", "order_number"])
    rows = rows.with_columns(group_ref=pl.concat_str("storefront", pl.lit(":"), "order_ref"))
    return _one(_hits(rows, item, ["group_ref", "order_ref", "order_number"]), "group_ref", "order", item)


def _payment(session: Session, item: str) -> str:
    rows = session.fetch(
        "core.payments", columns=["storefront", "payment_ref", "transaction_ref", "gateway_ref"]
    )
    rows = rows.with_columns(
        group_ref=pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref")
    )
    columns = ["group_ref", "transaction_ref", "gateway_ref", "payment_ref"]
    return _one(_hits(rows, item, columns), "group_ref", "payment", item)


def _document(session: Session, item: str) -> str:
    parts = []
    for kind, table, prefix in (
        ("invoice", "core.ar_invoices", "invoice"),
        ("adjustment", "core.ar_adjustments", "adjustment"),
    ):
        rows = session.fetch(table, columns=[f"{prefix}_ref", f"{prefix}_number"])
        parts.append(
            rows.select(
                ledger_ref=pl.concat_str(pl.lit(f"{kind}:"), f"{prefix}_ref"), number=f"{prefix}_number", ref=f"{prefix}_ref"
            )
        )  # fmt: skip
    return _one(
        _hits(pl.concat(parts), item, ["ledger_ref", "number", "ref"]), "ledger_ref", "AR document", item
    )


def _receipt(session: Session, item: str) -> str:
    rows = session.fetch("core.ar_receipts", columns=["receipt_ref", "reference"])
    rows = rows.with_columns(ledger_ref=pl.concat_str(pl.lit("receipt:"), "receipt_ref"))
    return _one(_hits(rows, item, ["ledger_ref", "receipt_ref", "reference"]), "ledger_ref", "receipt", item)


# --- listing ----------------------------------------------------------------------------------------------------
def listed(house: House) -> list[str]:
    """Every decision in the order they were taken, and whether it holds."""
    with house.warehouse.read() as session:
        rows = session.fetch("ops.decisions").sort("decided_at", "decision_id")
        used = pl.concat(
            session.fetch(table, columns=["decision_id"]) for table in _PUBLISHED.values()
        ).drop_nulls()
    if rows.is_empty():
        return ["No decisions."]
    gone = set(rows.filter(pl.col("kind_code") == "withdraw")["about_id"].to_list())
    holds = set(used["decision_id"].to_list())
    lines = []
    # A loop over decisions: they are printed one a line, and people take few.
    for one in rows.iter_rows(named=True):
        about = " ".join(
            str(one[name])
            for name in ("group_ref", "ledger_ref", "outcome_code", "account_code", "draft_id", "about_id")
            if one[name]
        )
        amount = f" {show(one['amount_minor'], one['currency'])} {one['currency']}" if one["currency"] else ""
        state = ""
        if one["decision_id"] in gone:
            state = " [withdrawn]"
        elif one["kind_code"] in ("explain", "write_off") and one["decision_id"] not in holds:
            state = " [holds for no row of the newest reconciliation]"
        lines.append(
            f"{one['decision_id']} {one['decided_at']:%Y-%m-%d %H:%M} {one['kind_code']:9} {about}{amount} – {one['author']}: {one['reason']}{state}"
        )
    return lines


def drafted(house: House) -> list[str]:
    """Every draft of the newest reconciliation with its lines."""
    with house.warehouse.read() as session:
        heads = session.fetch("recon.drafts").sort("state_code", "draft_id", descending=[True, False])
        lines = session.fetch("recon.draft_lines").sort("draft_id", "line_no")
    said = []
    for one in heads.iter_rows(named=True):
        said.append(
            f"{one['draft_id']} {one['state_code']:8} {one['kind_code']:8} {one['entity_code']} {one['sentence']}"
        )
        said += [
            f"    {line['account_code'] or '(no control account)':12} {show(line['amount_minor'], line['currency']):>14} {line['currency']}  {line['memo']}"
            for line in lines.filter(pl.col("draft_id") == one["draft_id"]).iter_rows(named=True)
        ]
    return said or ["No drafts."]
