"""Worlds of plain trades with every kind of difference planted, one to an order at most, and the truth of every row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tieout.vocabulary import COMPONENTS

FAULTS = (
    "missing_invoice", "missing_order", "duplicate_invoice", "over_invoiced", "cancelled_but_invoiced", "currency", "entity", "customer",
    "refund_without_credit_memo", "credit_memo_without_refund", "amount_goods", "amount_gift_card", "amount_discount", "amount_shipping",
    "amount_fees", "amount_tax", "amount_total", "rounding", "within_tolerance", "held", "in_flight", "cut_off", "partially_shipped",
    "not_yet_recognised", "not_owed", "ambiguous", "receipt_missing", "receipt_without_payment", "duplicate_receipt", "short_paid", "over_paid",
    "misapplied", "unapplied", "payment_without_order", "chargeback", "cash_leg_elsewhere", "gl_missing", "gl_only", "gl_amount", "gl_unbalanced",
    "gl_cut_off", "settlement_without_payment", "settlement_missing", "not_settled", "duplicate_settlement", "settlement_amount", "fee_differs",
    "fee_unscheduled", "payout_total", "exchange_difference",
)  # fmt: skip
DAY = date(2026, 9, 10)


@dataclass
class World:
    """Rows of every input, and the planted truth: (tie_out, group_ref, entity, currency) → code."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    truth: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        """One more row of an input."""
        self.rows.setdefault(table, []).append(row)

    def is_(self, tie_out: str, name: str, code: str) -> None:
        """What a row must come out as."""
        self.truth[tie_out, name] = code


def at(day: date) -> datetime:
    """Noon of a day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def world(orders: int, rate: int) -> World:
    """A world of so many orders of which `rate` percent have a planted difference; every kind in turn."""
    made = World()
    planted = 0
    for n in range(orders):
        # Spread evenly: whenever the running share falls behind the rate, the next kind is planted.
        fault = ""
        if (n + 1) * rate // 100 > planted:
            fault, planted = FAULTS[planted % len(FAULTS)], planted + 1
        _trade(made, n, fault)
        if fault == "ambiguous":
            _trade(made, orders + n, fault)  # one number, two orders: alone it would be plain
    return made


def _parts(n: int) -> dict[str, int]:
    parts = dict.fromkeys(COMPONENTS, 0)
    parts |= {
        "goods": 5000 + n * 37 % 9000,
        "gift_card": 2500,
        "discount": -300,
        "shipping": 700,
        "fees": 150,
        "tax": 431 + n % 7,
    }
    return parts


def _trade(made: World, n: int, fault: str) -> None:
    """One order with its documents, receipt, entries and payout line, and what the fault changes of them."""
    ref, parts = f"o{n:06d}", _parts(n)
    if fault == "rounding":
        # Two rows at 10 % that are 4.5 cents each: half to even by row gives 4, on the total 9.
        parts |= {"goods": 3090, "gift_card": 0, "discount": 0, "shipping": 0, "fees": 0, "tax": 308}
        for k, (net, tax) in enumerate(((45, 4), (45, 4), (3000, 300))):
            made.add("order_lines", storefront="shop", order_ref=ref, line_ref=str(k), net_minor=net, discount_minor=0, tax_minor=tax, tax_code="T")  # fmt: skip
    total = sum(parts.values())
    group, number, day = f"shop:{ref}", f"W{n:06d}", DAY + timedelta(days=n % 15)
    cancelled, held = fault in ("not_owed", "cancelled_but_invoiced"), fault == "held"
    waits = fault in ("not_yet_recognised", "not_owed", "cancelled_but_invoiced", "held")
    lost = fault in ("missing_order", "payment_without_order")
    if not lost:
        made.add("orders", storefront="shop", order_ref=ref, order_number="TWIN" if fault == "ambiguous" else number, store_ref="us",
                 customer_ref=f"c{n}", status_code="cancelled" if cancelled else "open" if fault in ("not_yet_recognised", "partially_shipped") else "complete",
                 placed_at=at(day), currency="USD", total_minor=total, due_minor=total, is_test=False, tax_included=False)  # fmt: skip
        made.add("customer_ids", storefront="shop", customer_ref=f"c{n}", customer_id=f"K{n}")
    sold = not waits and not lost
    if sold:
        share = {**parts, "goods": parts["goods"] - 1000} if fault == "partially_shipped" else parts
        made.add("owed", storefront="shop", order_ref=ref, event_code="sale", event_ref="s1", store_ref="us", entity_code="E100", currency="USD", owed_on=day,
                 **{f"{c}_minor": v for c, v in share.items()}, total_minor=sum(share.values()))  # fmt: skip
    if fault in ("refund_without_credit_memo", "chargeback", "cash_leg_elsewhere"):
        if fault != "chargeback":
            made.add("owed", storefront="shop", order_ref=ref, event_code="credit", event_ref="r1", store_ref="us", entity_code="E100", currency="USD",
                     owed_on=day, **{f"{c}_minor": -1000 if c == "goods" else 0 for c in COMPONENTS}, total_minor=-1000)  # fmt: skip
        made.add("payments", storefront="shop", payment_ref=f"p{n}", transaction_ref="back", order_ref=ref, kind_code="chargeback" if fault == "chargeback" else "refund",
                 state_code="success", tender_code="Credit", gateway_ref=f"B{n}", currency="USD", amount_minor=1000, occurred_at=at(day))  # fmt: skip
        made.is_(
            "payments", f"shop:p{n}:back", "chargeback" if fault == "chargeback" else "cash_leg_elsewhere"
        )
    if held or fault == "in_flight":
        made.add(
            "waiting",
            storefront="shop",
            order_ref=ref,
            event_ref=None,
            state="held" if held else "in_flight",
            reason="why",
        )
    if fault == "cash_leg_elsewhere" or fault == "credit_memo_without_refund":
        made.add("ar_adjustments", adjustment_ref=f"m{n}", adjustment_number=f"CM{number}", reference=number, entity_code="E100", customer_id=f"K{n}", currency="USD",
                 state_code="Posted", posted_on=day, total_minor=-1000, is_deleted=False)  # fmt: skip
        made.add(
            "ar_lines",
            document_kind="adjustment",
            document_ref=f"m{n}",
            component_code="goods",
            account_code="4000",
            currency="USD",
            amount_minor=-1000,
        )
        _entries(made, "ra", f"m{n}", -1000, day, ("4000", 1000))
        made.is_("ledger", f"adjustment:m{n}", "matched")
    _billed(made, n, fault, parts, day)
    _paid(made, n, fault, total, day)
    code = fault if fault in ORDER_CODES else "matched"
    # Orders of one number that nothing tells apart come out as one row under the first of them.
    again = fault == "ambiguous" and "ambiguous" in made.truth.values()
    if not lost and not again:
        made.is_("orders", group, code)


ORDER_CODES = frozenset(FAULTS[:26]) - {"missing_order"}


def _billed(made: World, n: int, fault: str, parts: dict[str, int], day: date) -> None:
    """The order's invoice as Intacct has it, with its lines and entries."""
    if fault in (
        "missing_invoice",
        "not_yet_recognised",
        "not_owed",
        "held",
        "in_flight",
        "payment_without_order",
    ):
        return
    billed = dict(parts)
    if fault == "partially_shipped":
        billed["goods"] -= 1000
    if fault.startswith("amount_") and fault != "amount_total":
        billed[fault.removeprefix("amount_")] += 97
    if fault == "amount_total":
        billed |= {"goods": billed["goods"] + 50, "shipping": billed["shipping"] - 20}
    if fault == "within_tolerance":
        billed["goods"] -= 2
    if fault == "rounding":
        billed["tax"] += 1
    posted = date(2026, 10, 2) if fault == "cut_off" else day
    entity, currency = "E900" if fault == "entity" else "E100", "EUR" if fault == "currency" else "USD"
    reference = "TWIN" if fault == "ambiguous" else f"W{n:06d}"
    copies = 2 if fault in ("duplicate_invoice", "over_invoiced") else 1
    for copy in range(copies):
        amounts = dict(billed)
        if copy and fault == "over_invoiced":
            amounts |= {"goods": 700, "shipping": 300, "gift_card": 0, "discount": 0, "fees": 0, "tax": 0}
        total, name = sum(amounts.values()), f"{n}" if not copy else f"{n}b"
        made.add("ar_invoices", invoice_ref=name, invoice_number=f"U{n:06d}{'-2' if copy else ''}" if fault == "ambiguous" else f"U{reference}{'-2' if copy else ''}",
                 reference=reference, entity_code=entity, customer_id="Kx" if fault in ("customer", "ambiguous") else f"K{n}", currency=currency, state_code="Posted",
                 posted_on=posted, total_minor=total, is_deleted=False)  # fmt: skip
        for component, amount in amounts.items():
            if amount:
                made.add("ar_lines", document_kind="invoice", document_ref=name, component_code=component, account_code=f"4{COMPONENTS.index(component)}00", currency=currency, amount_minor=amount)  # fmt: skip
        credits_ = tuple((f"4{COMPONENTS.index(c)}00", -v) for c, v in amounts.items() if v)
        gl, when = total, posted
        truth = "matched"
        if fault == "gl_missing":
            truth = "gl_missing"
        elif fault == "gl_amount":
            gl, truth = total - 500, "gl_amount"
            credits_ = ((credits_[0][0], credits_[0][1] + 500), *credits_[1:])
        elif fault == "gl_cut_off":
            when, truth = date(2026, 10, 1), "cut_off"
        elif fault == "gl_unbalanced":
            truth = "gl_unbalanced"
        if fault != "gl_missing":
            _entries(
                made,
                "ri",
                name,
                gl,
                when,
                *credits_,
                entity=entity,
                currency=currency,
                off=250 if fault == "gl_unbalanced" else 0,
            )
        made.is_("ledger", f"invoice:{name}", truth)
        if fault == "missing_order":
            made.is_("orders", f"intacct:invoice:{name}", "missing_order")
    if fault == "gl_only":
        _entries(made, None, None, 777, day, ("6900", -777), batch=f"hand{n}")
        made.is_("ledger", f"journal:hand{n}", "gl_only")


def _entries(
    made: World, kind: str | None, ref: str | None, amount: int, day: date, *others: tuple[str, int], entity: str = "E100", currency: str = "USD",
    batch: str | None = None, off: int = 0,
) -> None:  # fmt: skip
    name = batch or f"{kind}{ref}"
    sides = [("1200", amount), *others, *((("4999", off),) if off else ())]
    for k, (account, value) in enumerate(sides):
        # What goes out of balance does so on an account no line names.
        made.add("gl_entries", entry_ref=f"{name}.{k}", batch_ref=name, batch_title=None, account_code=account, entity_code=entity, posted_on=day, currency=currency,
                 base_currency=currency, amount_minor=value, base_amount_minor=value, record_type=kind, record_ref=ref, document_number=None, memo=None)  # fmt: skip


PAYOUT_CODES = FAULTS[FAULTS.index("settlement_without_payment") :]
NOT_BILLED = ("missing_invoice", "not_yet_recognised", "not_owed", "held", "in_flight")


def _paid(made: World, n: int, fault: str, total: int, day: date) -> None:
    """The order's charge, receipt, application, and the payout line of its tender."""
    if fault in ("missing_order", "not_owed", "cancelled_but_invoiced", "not_yet_recognised", "ambiguous"):
        return
    moved, name = total, f"shop:p{n}:t1"
    occurred = date(2026, 9, 25) if fault == "not_settled" else DAY if fault == "settlement_missing" else day
    made.add("payments", storefront="shop", payment_ref=f"p{n}", transaction_ref="t1", order_ref=f"o{n:06d}", kind_code="charge", state_code="success",
             tender_code="Other" if fault == "fee_unscheduled" else "Card", gateway_ref=f"G{n}", currency="USD", amount_minor=moved, occurred_at=at(occurred))  # fmt: skip
    codes = {
        "held": "held",
        "in_flight": "in_flight",
        "missing_invoice": "prepaid",
        "payment_without_order": "payment_without_order",
    }
    code = codes.get(
        fault,
        fault
        if fault
        in ("receipt_missing", "duplicate_receipt", "short_paid", "over_paid", "misapplied", "unapplied")
        else "matched",
    )
    made.is_("payments", name, code)
    _payout(made, n, fault, moved, name)
    if code in ("held", "in_flight", "prepaid", "payment_without_order", "receipt_missing"):
        return
    entity, currency = "E100", "USD"
    amount = moved - 500 if fault == "short_paid" else moved + 500 if fault == "over_paid" else moved
    for copy in range(2 if fault == "duplicate_receipt" else 1):
        ref = f"{n}" if not copy else f"{n}b"
        made.add("ar_receipts", receipt_ref=ref, reference=f"G{n}", entity_code=entity, customer_id=f"K{n}", currency=currency, state_code="Complete",
                 received_on=occurred, total_minor=amount, is_deleted=False)  # fmt: skip
        _entries(made, "rp", ref, -amount, occurred, ("1000", amount))
        made.is_("ledger", f"receipt:{ref}", "matched")
        if fault == "unapplied":
            continue
        target = f"{n}"
        if fault == "misapplied":
            # The invoice of an order that is billed and never paid: nobody else is disturbed.
            target = f"x{n}"
            _stray(made, n, amount, day)
        made.add("ar_applications", application_ref=f"a{ref}", receipt_ref=ref, invoice_ref=target, adjustment_ref=None, amount_minor=amount, credit_minor=0, applied_on=occurred)  # fmt: skip
    if fault == "misapplied":
        made.is_("payments", f"intacct:application:a{n}", "misapplied")
    if fault == "receipt_without_payment":
        made.add("ar_receipts", receipt_ref=f"{n}z", reference=f"nobody {n}", entity_code="E100", customer_id=f"K{n}", currency="USD", state_code="Complete",
                 received_on=day, total_minor=4711, is_deleted=False)  # fmt: skip
        _entries(made, "rp", f"{n}z", -4711, day, ("1000", 4711))
        made.is_("ledger", f"receipt:{n}z", "matched")
        made.is_("payments", f"intacct:receipt:{n}z", "receipt_without_payment")


def _stray(made: World, n: int, amount: int, day: date) -> None:
    ref = f"x{n:06d}"
    made.add("orders", storefront="shop", order_ref=ref, order_number=f"X{n:06d}", store_ref="us", customer_ref=f"c{n}", status_code="complete", placed_at=at(day),
             currency="USD", total_minor=amount, due_minor=amount, is_test=False, tax_included=False)  # fmt: skip
    made.add("owed", storefront="shop", order_ref=ref, event_code="sale", event_ref="s1", store_ref="us", entity_code="E100", currency="USD", owed_on=day,
             **{f"{c}_minor": amount if c == "goods" else 0 for c in COMPONENTS}, total_minor=amount)  # fmt: skip
    made.add("ar_invoices", invoice_ref=f"x{n}", invoice_number=f"UX{n:06d}", reference=f"X{n:06d}", entity_code="E100", customer_id=f"K{n}", currency="USD",
             state_code="Posted", posted_on=day, total_minor=amount, is_deleted=False)  # fmt: skip
    made.add(
        "ar_lines",
        document_kind="invoice",
        document_ref=f"x{n}",
        component_code="goods",
        account_code="4000",
        currency="USD",
        amount_minor=amount,
    )
    _entries(made, "ri", f"x{n}", amount, day, ("4000", -amount))
    made.is_("orders", f"shop:{ref}", "matched")
    made.is_("ledger", f"invoice:x{n}", "matched")


def _payout(made: World, n: int, fault: str, moved: int, name: str) -> None:
    """A line of the payout that holds the charge: 1.4 % and 0.25, in its currency."""
    if fault in ("settlement_missing", "not_settled"):
        made.is_("settlements", name, fault)
        return
    fee = (moved * 14 + 500) // 1000 + 25
    gross = moved - 300 if fault == "settlement_amount" else moved
    if fault == "settlement_amount":
        fee = (gross * 14 + 500) // 1000 + 25
    kept = fee + 40 if fault == "fee_differs" else fee
    abroad = fault == "exchange_difference"
    payout = f"P{n // 50}"
    line = {"storefront": "shop", "payout_ref": payout, "line_ref": f"l{n}", "payment_ref": f"G{n}", "kind_code": "charge", "paid_out_at": at(date(2026, 9, 28)), "currency": "USD",
            "gross_minor": gross, "fee_minor": kept, "net_minor": gross - kept, "payout_currency": "EUR" if abroad else None,
            "payout_minor": ((gross - kept) * 92 + 50) // 100 - 13 if abroad else None, "stated_total_minor": None}  # fmt: skip
    made.add("payout_lines", **line)
    made.is_(
        "settlements",
        name,
        fault
        if fault in PAYOUT_CODES and fault not in ("payout_total", "settlement_without_payment")
        else "tender_fee",
    )
    if fault == "duplicate_settlement":
        made.add("payout_lines", **{**line, "line_ref": f"l{n}b"})
    if fault == "settlement_without_payment":
        made.add("payout_lines", **{**line, "line_ref": f"l{n}s", "payment_ref": f"nobody {n}"})
        made.is_("settlements", f"line:shop:l{n}s", "settlement_without_payment")
    if fault == "payout_total":
        made.add("payout_lines", **{**line, "payout_ref": f"T{n}", "line_ref": f"l{n}t", "payment_ref": None, "kind_code": "fee", "gross_minor": 0, "fee_minor": 100,
                                    "net_minor": -100, "stated_total_minor": 5000})  # fmt: skip
        made.is_("settlements", f"payout:shop:T{n}", "payout_total")
        made.is_("settlements", f"line:shop:l{n}t", "tender_fee")
