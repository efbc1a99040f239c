"""Rules between and within tables, one module per subject. Importing this package registers them all with `checks.findings`.

A rule returns its offending rows with their keys, and a sentence for each that says what is wrong and what to do.
"""

from __future__ import annotations

from checks.rules import controls, mappings, orders, payments, postings, stock, stock_holds

__all__ = ["controls", "mappings", "orders", "payments", "postings", "stock", "stock_holds"]
