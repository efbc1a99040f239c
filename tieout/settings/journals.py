"""Which movements of money are posted as journal entries."""

from __future__ import annotations

from typing import Literal

from tieout.settings.section import Section


class Journals(Section):
    """Journal entries for money that moves after the receipt. Each is off unless stated: what a bank statement posts already would be there twice."""

    refunds: Literal["elsewhere", "journal"] = "elsewhere"
    chargebacks: Literal["elsewhere", "journal"] = "elsewhere"
    fees: Literal["not_posted", "journal"] = "not_posted"
    payouts: Literal["elsewhere", "journal"] = "elsewhere"
