"""The reconciliation: matching, comparing, judging, bridging and ageing, as pure functions over frames.

`reconcile` compares storefront and ledger, `reconcile_paid` orders and payments where there is no ledger;
`reconcile_streamed` and `reconcile_paid_streamed` compare more trade than memory holds, part by part (see `streams` for what it reads from and hands its rows to).
"""

from __future__ import annotations

from transforms.reconcile.intake import Inputs
from transforms.reconcile.paid import PaidPart, PaidSummary, reconcile_paid, reconcile_paid_streamed
from transforms.reconcile.policy import Allowance, Period, Policy, Scope, Tolerance
from transforms.reconcile.reconciliation import (
    Paired,
    Standing,
    judged,
    paired,
    reconcile,
    reconcile_streamed,
    standing,
)
from transforms.reconcile.result import PaidResult, Result, Summary, proofs

__all__ = [
    "Allowance",
    "Inputs",
    "PaidPart",
    "PaidResult",
    "PaidSummary",
    "Paired",
    "Period",
    "Policy",
    "Result",
    "Scope",
    "Standing",
    "Summary",
    "Tolerance",
    "judged",
    "paired",
    "proofs",
    "reconcile",
    "reconcile_paid",
    "reconcile_paid_streamed",
    "reconcile_streamed",
    "standing",
]
