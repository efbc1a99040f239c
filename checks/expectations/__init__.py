"""Expectations: is tonight plausible? Great Expectations suites on small aggregates, with Data Docs that open offline.

Great Expectations is imported inside `run` and `warm_up` alone: it takes seconds and hundreds of megabytes, and nothing else needs it.
`python -m checks.expectations` judges in a process of its own.
"""

from __future__ import annotations

from checks.expectations.suites import Thresholds, run, warm_up

__all__ = ["Thresholds", "run", "warm_up"]
