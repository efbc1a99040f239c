"""Expectations: is tonight plausible? Great Expectations suites on small aggregates, with Data Docs that open offline.

Great Expectations is imported inside `run` alone: it takes seconds and hundreds of megabytes, and nothing else needs it.
"""

from __future__ import annotations

from checks.expectations.suites import Thresholds, run

__all__ = ["Thresholds", "run"]
