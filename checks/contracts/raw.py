"""raw: what was received, as it was received. Append-only; everything downstream can be rebuilt from here alone."""

from __future__ import annotations

from checks.contracts.table import INSTANT, TEXT, WHOLE, Column, Table

LANDING_COLUMNS = (
    Column("source", TEXT, "Configured name of the system it came from, for example `shop` or `intacct`."),
    Column("subject", TEXT, "What it is: `orders`, `payments`, `ARINVOICE` …"),
    Column(
        "native_ref",
        TEXT,
        "The system's own id of the record; `sha256:…` if the record was too broken to say.",
    ),
    Column("version_no", WHOLE, "The system's version of the record, where it has one.", null=True),
    Column("updated_at", INSTANT, "When the system says it last changed.", null=True),
    Column("payload", TEXT, "The record exactly as received, less what must never rest (card data)."),
    Column(
        "payload_sha256",
        TEXT,
        "SHA-256 of the payload; the same payload landed twice is one row.",
        longest=64,
    ),
    Column("problem", TEXT, "Why the record could not even be recognised; null for a sound one.", null=True),
    Column("fetched_at", INSTANT, "When it was received."),
    Column("run_id", TEXT, "The run that received it."),
    Column("landing_no", WHOLE, "Grows by one per landing; later landings win ties.", least=0),
)


def landing(source: str, subject: str) -> Table:
    """The contract of one raw table, `raw.<source>__<subject>`."""
    return Table(
        name=f"raw.{source}__{subject.lower()}",
        key=("native_ref", "payload_sha256"),
        about=f"{subject} of {source} as received.",
        columns=LANDING_COLUMNS,
        hazards=("Several versions of one record stand side by side; `latest` picks the newest.",),
    )


__all__ = ["LANDING_COLUMNS", "landing"]
