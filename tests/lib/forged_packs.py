"""Sealed packs in tests: what of one is not proved, and one sealed anew around changed tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from flows.closing.verifying import verify
from tieout.reports.closing import CloseReport, canonical, content_of, text_hash
from tieout.reports.pack import POLICY, Pack, write_pack


def not_proved(path: Path, **given: Any) -> list[str]:
    """Verify a pack, and return every sentence of what does not hold."""
    found = verify(path, **given)
    assert found["exit_code"] == (0 if found["proved"] else 1)
    return [one.sentence for one in found["findings"] if not one.holds]


def forged(packs: Path, folder: Path, **changed: pl.DataFrame) -> Path:
    """A pack sealed anew around changed tables, with every hash right: only computing it again can tell."""
    pack = Pack(packs / "2026-09/r1")
    report = pack.report()
    texts = {name: pack.read(name).decode() for name in pack.names if name.startswith("configuration/")}
    inputs = pack.frames("inputs")
    tables = {**report.tables, **{name: frame for name, frame in changed.items() if name in report.tables}}
    inputs |= {
        name.removeprefix("input_"): frame for name, frame in changed.items() if name.startswith("input_")
    }
    content = content_of(report.facts, tables, inputs, texts[POLICY])
    digest = text_hash(canonical(content))
    facts = {
        **report.facts,
        "sign_offs": [{**one, "content_sha256": digest} for one in report.facts["sign_offs"]],
    }
    write_pack(folder, CloseReport(facts, tables), inputs=inputs, texts=texts)
    return folder
