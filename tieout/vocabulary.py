"""Closed lists of words. A word outside its list is a finding, never a silent pass.

Where a list orders its words (`PRECEDENCE`), the order is part of the meaning: one order gets one primary outcome, the first that applies.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# --- the shop's trade -------------------------------------------------------------------------------------------
ORDER_STATUSES: Final = ("open", "processing", "complete", "cancelled", "held")
LINE_KINDS: Final = ("item", "shipping", "fee", "discount", "gift_card", "rounding")
STATUS_SUBJECTS: Final = ("order", "payment", "shipment", "return")
"""What a storefront's status words are said of."""
SHIPMENT_STATES: Final = ("expected", "shipped", "cancelled")
"""Only what was `shipped` has left the house: it dates a sale, the other two do not."""
RETURN_STATES: Final = ("expected", "received", "refused")
"""`refused`: nothing comes back, so a refund beside it is one without a return."""
RETURN_WORDS: Final = MappingProxyType(
    {
        # commercetools API reference, ReturnPaymentState; Magento credit memo states; words of the shipped Clarity profile.
        "Initial": "received",
        "Refunded": "received",
        "NotRefunded": "refused",
        "NonRefundable": "refused",
        "open": "received",
        "refunded": "received",
        "received": "received",
        "success": "received",
        "pending": "received",
        "failure": "refused",
    }
)
"""Words of returns that need no row in statuses.csv."""
NO_MEANING: Final = "has no meaning here"
"""How a problem speaks of a status word nobody knows; what was held for it is staged again, see `flows.restaging`."""

PAYMENT_KINDS: Final = ("authorization", "charge", "refund", "chargeback", "void")
PAYMENT_STATES: Final = ("success", "pending", "failure")
MONEY_MOVES: Final = ("charge", "refund", "chargeback")
"""Payment kinds that move money when their state is `success`."""

TENDER_CODES: Final = {
    "gift_card": "GiftCard",
    "store_credit": "StoreCredit",
    "reward_points": "RewardPoints",
}
"""Kinds of tender an order carries itself, without a payment of its own, and the word each goes by in tenders.csv and clearing.csv."""
TENDER_KINDS: Final = (*TENDER_CODES, "other")
"""A tender of kind `other` goes by the storefront's own word."""

COMPONENTS: Final = ("goods", "gift_card", "discount", "shipping", "fees", "tax", "rounding", "other")
"""What a total is made of. `gift_card` is a gift card sold (a liability); `other` is a line on an account no rule knows."""

OWED_EVENTS: Final = ("sale", "credit", "receipt")
"""What Intacct is owed: an invoice for a sale, a credit memo for a refund, a receipt for a charge."""

CUTOFF_BASES: Final = ("placed", "captured", "shipped", "invoiced")

# --- what is written back to storefronts -------------------------------------------------------------------------
OWNED_FIELDS: Final = MappingProxyType(
    {
        # field: (what it is, who owns it unless the configuration says otherwise)
        "stock": ("Quantities on sale, by item and location.", "intacct"),
        "price": ("Prices, standard and by customer level.", "intacct"),
        "order.document": ("Number and key of the order's invoices and credit memos.", "intacct"),
        "order.paid_state": (
            "Whether the order's invoices are open, partly paid, paid or credited.",
            "intacct",
        ),
        "order.status": ("The order's state.", "storefront"),
        "order.shipment": ("Deliveries and their tracking numbers.", "storefront"),
        "customer.account": ("The customer's account in the ledger, once approved there.", "intacct"),
    }
)
"""Fields that exist on both sides; each has one owner, and only what the other side reads may be written there."""

WRITE_OUTCOMES: Final = ("written", "unchanged", "refused", "unsupported")

DECISION_KINDS: Final = ("match", "unmatch", "explain", "write_off", "approve", "withdraw")
"""What a person may decide about a reconciliation; decisions are never changed, only withdrawn by a later one."""

# --- documents and the outbox -----------------------------------------------------------------------------------
DOCUMENT_KINDS: Final = (
    "customer",
    "sales_order",
    "invoice",
    "credit_memo",
    "debit_memo",
    "receipt",
    "application",
    "journal",
    "order_closure",
    "reversal",
)
"""In the order they must be posted: a document may only depend on kinds to its left (or an earlier document of its own kind)."""

OUTBOX_STATES: Final = ("planned", "held", "sending", "accepted", "refused", "unknown", "dead", "cancelled")

ALERT_KINDS: Final = ("dead_document", "credentials", "double_acceptance")
"""What a person is told of at once, see `ops.alerts`."""

# --- findings ---------------------------------------------------------------------------------------------------
SEVERITIES: Final = ("stop", "hold", "warn")
"""`stop` shuts the gate for the whole batch, `hold` keeps one order back, `warn` is told and nothing else."""

# --- outcomes of a reconciliation -------------------------------------------------------------------------------
FAMILIES: Final = ("matched", "outside", "timing", "explained", "error", "ambiguous")

OUTCOMES: Final = MappingProxyType(
    {
        # code: (family, what it means, what to do next)
        "matched": ("matched", "Both sides agree to the minor unit.", "Nothing."),
        "not_owed": (
            "outside",
            "Cancelled before it was invoiced, a test, a zero total, or nothing was ever captured: nothing is owed.",
            "Nothing; it is counted.",
        ),
        "cash_leg_elsewhere": (
            "outside",
            "A refund's cash leg, which by policy is recorded outside this tool, or by a journal entry of it, and not compared with receipts.",
            "Nothing; it is counted and totalled.",
        ),
        "out_of_scope": (
            "outside",
            "An Intacct document that the scope rule says is other business.",
            "Nothing; it is counted.",
        ),
        "not_yet_recognised": (
            "timing",
            "The order is not due by the cut-off basis of its store (for example not shipped).",
            "Wait; it is recognised when the event happens.",
        ),
        "partially_shipped": (
            "timing",
            "Part of the order is recognised and invoiced, the rest waits for its shipment.",
            "Wait for the remaining shipment.",
        ),
        "prepaid": (
            "timing",
            "Money was received before the invoice exists.",
            "Wait; the receipt is posted once the invoice is.",
        ),
        "held": (
            "timing",
            "A row rule holds the order back; the reason stands beside it.",
            "Mend the mapping or the record, then run again.",
        ),
        "in_flight": (
            "timing",
            "The document is in the outbox and not yet accepted by Intacct.",
            "Look at `tieout status`; it is sent on the next cycle.",
        ),
        "cut_off": (
            "timing",
            "Both sides have it for the same amount, dated in different periods.",
            "Correct the date if the period is open, or carry it forward.",
        ),
        "rounding": (
            "explained",
            "The difference is reproduced exactly by a documented rounding rule.",
            "Nothing; it is totalled.",
        ),
        "within_tolerance": (
            "explained",
            "The difference is inside the stated tolerance; it is totalled and capped.",
            "Nothing, unless the total grows one way.",
        ),
        "tender_fee": ("explained", "The gateway kept its fee.", "Nothing; it is totalled."),
        "instalment_interest": (
            "explained",
            "Interest of an instalment plan paid to the lender.",
            "Nothing; it is totalled.",
        ),
        "write_off": (
            "explained",
            "A person accepted the difference, with a reason.",
            "Nothing; it is listed.",
        ),
        "explained_by_hand": (
            "explained",
            "A person explained the difference, with a reason; it holds while code and amount stay what they were.",
            "Nothing; it is listed.",
        ),
        "exchange_difference": (
            "explained",
            "The payout was made in another currency, at the rate stated; the realised difference is an amount of its own.",
            "Nothing; it is totalled.",
        ),
        "not_settled": (
            "timing",
            "Money moved and no payout holds it yet, within the usual days.",
            "Wait for the next payout.",
        ),
        "missing_invoice": (
            "error",
            "Intacct has no invoice for an order that owes one.",
            "Post the invoice, or explain why not.",
        ),
        "missing_order": (
            "error",
            "An invoice in scope belongs to no order the storefront knows.",
            "Find its order, or credit the invoice.",
        ),
        "duplicate_invoice": (
            "error",
            "The order was invoiced more than once for the same thing.",
            "Credit or reverse the second invoice.",
        ),
        "cancelled_but_invoiced": (
            "error",
            "The order was cancelled and its invoice still stands.",
            "Credit the invoice.",
        ),
        "currency": ("error", "The document is in another currency than the order.", "Reverse and repost."),
        "entity": ("error", "The document stands in another entity than the store's.", "Reverse and repost."),
        "customer": (
            "error",
            "The document is on another customer than the order's.",
            "Correct the customer; amounts agree.",
        ),
        "refund_without_credit_memo": (
            "error",
            "The storefront gave money back and Intacct has no credit memo for it.",
            "Post the credit memo.",
        ),
        "credit_memo_without_refund": (
            "error",
            "Intacct has a credit memo the storefront knows nothing of.",
            "Find the refund, or reverse the memo.",
        ),
        "over_invoiced": (
            "error",
            "The invoices of the order add up to more than the order.",
            "Credit the surplus.",
        ),
        "amount_goods": ("error", "The goods differ.", "Correct the invoice's goods lines."),
        "amount_gift_card": ("error", "Gift cards sold differ.", "Correct the gift card lines."),
        "amount_discount": ("error", "The discount differs.", "Correct the discount line."),
        "amount_shipping": ("error", "Shipping differs.", "Correct the freight line."),
        "amount_fees": ("error", "Fees differ.", "Correct the fee lines."),
        "amount_tax": ("error", "Tax differs.", "Correct the tax lines."),
        "amount_total": (
            "error",
            "The totals differ and the parts do not say where, or more than one part differs.",
            "Compare the documents line by line.",
        ),
        "misapplied": (
            "error",
            "The receipt is applied to an invoice of another order.",
            "Unapply it and apply it to the right invoice.",
        ),
        "duplicate_receipt": ("error", "The same money was received twice.", "Reverse the second receipt."),
        "receipt_missing": (
            "error",
            "The storefront took money that Intacct has no receipt for.",
            "Post the receipt.",
        ),
        "receipt_without_payment": (
            "error",
            "A receipt in scope belongs to no payment the storefront knows.",
            "Find its payment, or reverse it.",
        ),
        "short_paid": (
            "error",
            "The receipt is less than the money that moved or, without a ledger, the payments are less than the order.",
            "Correct the receipt, or collect the rest.",
        ),
        "over_paid": (
            "error",
            "The receipt is more than the money that moved or, without a ledger, the payments are more than the order.",
            "Correct the receipt, or give the rest back.",
        ),
        "unapplied": (
            "error",
            "The receipt is on account while its invoice is open.",
            "Apply it to the order's invoice.",
        ),
        "chargeback": (
            "error",
            "The payer's bank took the money back and Intacct does not show it.",
            "Record the chargeback.",
        ),
        "payment_without_order": (
            "error",
            "Money moved for no order the storefront shows.",
            "Find the order.",
        ),
        "gl_missing": (
            "error",
            "The AR document has no entry on an AR control account of the general ledger.",
            "Find its journal; the subledger and the general ledger disagree by it.",
        ),
        "gl_amount": (
            "error",
            "The document's entries on the control account add up to another amount.",
            "Correct the journal, or the document.",
        ),
        "gl_only": (
            "error",
            "An entry on an AR control account belongs to no AR document: a journal made by hand.",
            "Reverse it and post through AR, or explain it.",
        ),
        "gl_unbalanced": (
            "error",
            "The document's journal does not balance: debits and credits differ.",
            "Read the journal again; an entry is missing.",
        ),
        "settlement_without_payment": (
            "error",
            "A payout holds money of no payment the storefront knows.",
            "Find its payment at the provider.",
        ),
        "settlement_missing": (
            "error",
            "Money moved and no payout holds it, for longer than usual.",
            "Ask the provider for it.",
        ),
        "duplicate_settlement": (
            "error",
            "The same money is in the payouts more than once.",
            "Ask the provider; expect it to be taken back.",
        ),
        "settlement_amount": (
            "error",
            "The payout's gross is not the money that moved.",
            "Compare the payment with the payout's line.",
        ),
        "fee_differs": (
            "error",
            "The fee kept is not what the schedule says.",
            "Claim it back, or correct fees.csv.",
        ),
        "fee_unscheduled": (
            "error",
            "A fee was kept for which the schedule has no row on that day.",
            "Add the row to fees.csv.",
        ),
        "payout_total": (
            "error",
            "The payout's lines do not add up to what was paid out.",
            "Import the payout again; a line is missing.",
        ),
        "order_without_lines": ("error", "The order has a total and no lines.", "Export the lines again."),
        "order_unpaid": (
            "error",
            "The order is complete and less money moved than is due.",
            "Find the payment, or chase it.",
        ),
        "ambiguous": (
            "ambiguous",
            "More than one counterpart fits equally well; the candidates are listed.",
            "Decide by hand which one it is.",
        ),
    }
)
"""Every outcome code with its family, its meaning and the next step; shown in reports and in the rule book."""

PRECEDENCE: Final = (
    "ambiguous",
    "missing_order",
    "cancelled_but_invoiced",
    "currency",
    "entity",
    "duplicate_invoice",
    "missing_invoice",
    "over_invoiced",
    "refund_without_credit_memo",
    "credit_memo_without_refund",
    "amount_goods",
    "amount_gift_card",
    "amount_discount",
    "amount_shipping",
    "amount_fees",
    "amount_tax",
    "amount_total",
    "customer",
    "payment_without_order",
    "order_without_lines",
    "chargeback",
    "receipt_without_payment",
    "duplicate_receipt",
    "receipt_missing",
    "short_paid",
    "over_paid",
    "misapplied",
    "unapplied",
    "order_unpaid",
    "gl_missing",
    "gl_unbalanced",
    "gl_amount",
    "gl_only",
    "settlement_without_payment",
    "duplicate_settlement",
    "settlement_amount",
    "payout_total",
    "fee_differs",
    "fee_unscheduled",
    "settlement_missing",
    "write_off",
    "explained_by_hand",
    "exchange_difference",
    "tender_fee",
    "instalment_interest",
    "rounding",
    "within_tolerance",
    "held",
    "in_flight",
    "prepaid",
    "not_settled",
    "cut_off",
    "partially_shipped",
    "not_yet_recognised",
    "out_of_scope",
    "cash_leg_elsewhere",
    "not_owed",
    "matched",
)
"""Which outcome is the primary one when several apply: the first in this list."""


def family_of(code: str) -> str:
    """The one family an outcome code belongs to; raises `KeyError` for a word outside the list."""
    return OUTCOMES[code][0]
