"""How exact the reconciliation is: worlds with every kind of difference planted, precision and recall per outcome code.

    python tests/accuracy/measure.py [--orders 2000] [--write]

Each world is made of plain trades into which differences are planted at a stated rate, one to an order, so that its truth is known for every
row of both tie-outs, of the general ledger and of the payouts. Precision: of the rows found with a code, how many were planted with it.
Recall: of the rows planted with it, how many were found. `--write` puts the table into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import polars as pl  # noqa: E402
from planted import FAULTS, World, world  # noqa: E402

from checks.contracts import ALL  # noqa: E402
from tieout.vocabulary import PRECEDENCE  # noqa: E402
from transforms.reconcile import Inputs, Period, Policy, Tolerance, proofs, reconcile  # noqa: E402
from transforms.reconcile.control import NO_ENTRIES, Books, tie_control  # noqa: E402
from transforms.reconcile.settlements import settle  # noqa: E402

RATES = (1, 5, 20, 60)
"""Percent of orders with a planted difference."""
PAGE = ROOT / "docs" / "accuracy.md"
POLICY = Policy(period=Period.month("2026-09"), tolerance=Tolerance({"USD": 3}))


def _frame(made: World, name: str, contract: str | None = None) -> pl.DataFrame:
    rows = made.rows.get(name, [])
    schema = ALL[contract].polars_schema if contract else {}
    if not rows:
        return pl.DataFrame(schema=schema or {"storefront": pl.String, "order_ref": pl.String})
    given = {column: schema[column] for column in rows[0] if column in schema}
    return pl.DataFrame(rows, schema_overrides=given, infer_schema_length=None)


def found(made: World) -> dict[tuple[str, str], str]:
    """What every row came out as; asserts that everything foots."""
    names = (
        "orders",
        "owed",
        "payments",
        "ar_invoices",
        "ar_adjustments",
        "ar_receipts",
        "ar_applications",
        "ar_lines",
        "order_lines",
    )
    frames = {
        name: _frame(made, name, f"recon.{name}" if name == "owed" else f"core.{name}") for name in names
    }
    stores = pl.DataFrame(
        {
            "storefront": ["shop"],
            "store_ref": ["us"],
            "entity_code": ["E100"],
            "invoice_prefix": ["U"],
            "guest_customer_id": ["GUEST"],
        }
    )
    waiting = pl.DataFrame(
        made.rows.get("waiting", []),
        schema=dict.fromkeys(("storefront", "order_ref", "event_ref", "state", "reason"), pl.String),
    )
    inputs = Inputs(stores=stores, waiting=waiting, customer_ids=_frame(made, "customer_ids"), **frames)
    result = reconcile(inputs, POLICY)
    assert (proofs(result)["difference_minor"] == 0).all(), "the world does not foot"
    told: dict[tuple[str, str], str] = {}
    rank = {code: k for k, code in enumerate(PRECEDENCE)}
    for tie_out, rows in (("orders", result.orders), ("payments", result.payments)):
        for name, code in rows.select("group_ref", "outcome_code").iter_rows():
            told[tie_out, name] = min(told.get((tie_out, name), "matched"), code, key=lambda one: rank[one])
    everything = pl.DataFrame(
        {"document_kind": [], "document_ref": []},
        schema={"document_kind": pl.String, "document_ref": pl.String},
    )
    entries = pl.concat([NO_ENTRIES, pl.DataFrame(made.rows["gl_entries"], schema=NO_ENTRIES.schema)])
    books = Books(
        entries,
        frames["ar_invoices"],
        frames["ar_adjustments"],
        frames["ar_receipts"],
        frames["ar_lines"],
        ("1200",),
        everything,
        True,
    )
    control = tie_control(books, POLICY)
    assert (control.footing["difference_minor"] == 0).all(), "the general ledger does not foot"
    for kind, ref, code in control.ledger.select("document_kind", "document_ref", "outcome_code").iter_rows():
        told["ledger", f"{kind}:{ref}"] = code
    lines = _frame(made, "payout_lines", "core.payout_lines")
    settled = settle(frames["payments"], pl.DataFrame(), lines, _fees(), _rates(), days=10)
    assert (settled.footing["difference_minor"] == 0).all(), "the payouts do not foot"
    for name, code in settled.rows.select("group_ref", "outcome_code").iter_rows():
        told["settlements", name] = min(
            told.get(("settlements", name), "matched"), code, key=lambda one: rank[one]
        )
    return told


def _fees() -> pl.DataFrame:
    row = {
        "storefront": "*",
        "tender_code": "Card",
        "kind_code": "charge",
        "currency": "*",
        "percent": "1.4",
        "fixed": "0.25",
        "valid_from_on": "2026-01-01",
    }
    return pl.DataFrame(
        [{**row, "valid_until_on": None, "note": None}], schema=ALL["mappings.fees"].polars_schema
    )


def _rates() -> pl.DataFrame:
    row = {
        "currency": "USD",
        "payout_currency": "EUR",
        "rate": "0.92",
        "source": "stated",
        "valid_from_on": "2026-01-01",
    }
    return pl.DataFrame(
        [{**row, "valid_until_on": None, "note": None}], schema=ALL["mappings.rates"].polars_schema
    )


@dataclass(frozen=True)
class Score:
    """Planted, found and right rows of one code over all worlds."""

    code: str
    planted: int
    found: int
    right: int

    @property
    def is_perfect(self) -> bool:
        """Whether precision and recall are both 1."""
        return self.planted == self.found == self.right


def scores(worlds: list[World]) -> list[Score]:
    """Per code, over all worlds and tie-outs."""
    planted: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for made in worlds:
        told = found(made)
        for key in made.truth.keys() | told.keys():
            wanted, got = made.truth.get(key), told.get(key)
            planted.update([wanted] if wanted else [])
            seen.update([got] if got else [])
            right.update([got] if got and got == wanted else [])
    return [
        Score(code, planted[code], seen[code], right[code])
        for code in PRECEDENCE
        if planted[code] or seen[code]
    ]


def share(part: int, whole: int) -> str:
    """A share with four digits, cut off so that 1.0000 means all."""
    return "–" if not whole else f"{part * 10_000 // whole / 10_000:.4f}"


def page(results: list[Score], orders: int) -> str:
    """docs/accuracy.md."""
    rows = [
        f"| `{s.code}` | {s.planted:,} | {s.found:,} | {share(s.right, s.found)} | {share(s.right, s.planted)} |"
        for s in results
    ]
    perfect = sum(s.is_perfect for s in results)
    return "\n".join(
        [
            "# Accuracy",
            "",
            f"Measured by `make accuracy`: {len(RATES)} worlds of {orders:,} orders in which {', '.join(f'{r} %' for r in RATES)} of the orders have a planted difference, every kind",
            f"in turn, {len(FAULTS)} kinds. Each row of both tie-outs, of the general ledger and of the payouts has a known truth. {perfect} of {len(results)} codes have precision and recall 1.",
            "The worlds are made by hand and say nothing of differences nobody thought of; where the truth is not unique (two orders of one number) it is `ambiguous`.",
            "",
            "| code | planted | found | precision | recall |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure and print; with `--write` put the table into docs/accuracy.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    results = scores([world(options.orders, rate) for rate in RATES])
    text = page(results, options.orders)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    sys.exit(0 if all(one.is_perfect for one in results) else 1)


if __name__ == "__main__":
    main()
