"""From a statement to its pack, and from a pack back to what it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from tieout.errors import InputError, WarehouseError
from tieout.reports.closing import CONTENT, CloseReport, canonical, content_of, text_hash
from tieout.reports.pack import MANIFEST, POLICY, Pack, write_pack
from transforms.closing import refunds_paid
from transforms.closing.follow_up import Payouts
from transforms.closing.items import ROLLED
from transforms.closing.lifecycle import standing
from transforms.reconcile import Inputs, Policy
from transforms.reconcile.intake import COLUMNS, Part

if TYPE_CHECKING:
    from pathlib import Path

    from flows.wiring import House

LAST_REGISTER = "last_register"
BASES = "document_bases"
ENTRIES = "gl_entries"
PAYOUTS = ("payout_lines", "fees", "rates")
"""What payments are settled with; in the pack only where any payout was read."""
BEYOND = "payout_beyond"
"""What the payout lines of other entities come to, in a pack of an entity's own inputs."""
PREFIXES = "invoice_prefixes"
"""The invoice prefixes in use in the whole company, in a pack of an entity's own inputs."""
MADE = ("refund_outcomes",)
"""Inputs that are made from others in the pack, and so not packed: refunds compared with their entries."""
OWN = (LAST_REGISTER, BASES)
"""Inputs that are one entity's own; the others are the company's."""


def input_frames(inputs: Inputs) -> dict[str, pl.DataFrame]:
    """What the reconciliation reads of each input, in an order of its own; an input that was not given is left out."""
    found = {}
    for field in fields(Inputs):
        if field.name in COLUMNS and field.name not in MADE and getattr(inputs, field.name) is not None:
            frame = inputs.whole(field.name)
            found[field.name] = frame.sort(frame.columns, nulls_last=True) if frame.height else frame
    if isinstance(inputs, Part):
        found[PREFIXES] = pl.DataFrame({"prefix": inputs.prefixes}, schema={"prefix": pl.String})
    return found


def inputs_of(frames: dict[str, pl.DataFrame]) -> Inputs:
    """The inputs of a pack. Raises `InputError` if one that must be there is not, or one is unknown."""
    names = {field.name for field in fields(Inputs)}
    others = {LAST_REGISTER, BASES, ENTRIES, BEYOND, PREFIXES, *PAYOUTS, *refunds_paid.NAMES}
    unknown = sorted(set(frames) - names - others)
    if unknown:
        raise InputError(
            f"The pack holds inputs this version does not know: {', '.join(unknown)}; verify it with the version that made it."
        )
    try:
        given = {name: frame for name, frame in frames.items() if name in names}
        refunds = refunds_of(frames)
        if refunds is not None:
            given["refund_outcomes"] = refunds.compared()
        if PREFIXES in frames:
            return Part(**given, prefixes=tuple(frames[PREFIXES]["prefix"]))
        return Inputs(**given)
    except TypeError:
        raise InputError("The pack lacks the inputs orders and owed; it is not whole.") from None


def payouts_of(frames: dict[str, pl.DataFrame]) -> Payouts | None:
    """The payouts of a pack with what they are held against; None where it holds none. Raises `InputError` if part of them is missing."""
    there = [name for name in PAYOUTS if name in frames]
    if not there:
        return None
    if len(there) < len(PAYOUTS):
        raise InputError("The pack holds only part of what payouts are proved with; it is not whole.")
    lines, fees, rates = (frames[name] for name in PAYOUTS)
    return Payouts(lines, fees, rates, frames.get(BEYOND))


def refunds_of(frames: dict[str, pl.DataFrame]) -> refunds_paid.Refunds | None:
    """What the pack proves the cash leg of refunds with; None where it holds nothing of it. Raises `InputError` if part of it is missing."""
    there = [name for name in refunds_paid.NAMES if name in frames]
    if not there:
        return None
    if len(there) < len(refunds_paid.NAMES):
        raise InputError("The pack holds only part of what refunds are proved with; it is not whole.")
    return refunds_paid.Refunds.packed(frames)


def policy_text(policy: Policy) -> str:
    """The policies of a reconciliation as canonical JSON; amounts and percentages are exact."""
    return canonical(json.loads(msgspec.json.encode(policy)))


def policy_of(text: bytes) -> Policy:
    """The policies of a pack. Raises `InputError`."""
    try:
        found = msgspec.json.decode(text, type=Policy)
        # Packs sealed before these rules say nothing of them: they are proved by the rules they were made under.
        said = json.loads(text)
        return replace(
            found,
            credit_repeats=found.credit_repeats and "credit_repeats" in said,
            refunds_by_entries=found.refunds_by_entries and "refunds_by_entries" in said,
        )
    except msgspec.MsgspecError as fault:
        raise InputError(
            f"The policies of the pack cannot be read ({fault}); verify it with the version that made it."
        ) from None


def configuration_texts(house: House, policy: Policy, mappings: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """The configuration a close was made under: policies, mappings, settings. Secrets are only named there, and names are all that is kept."""
    texts = {POLICY: policy_text(policy)}
    for name, frame in sorted(mappings.items()):
        texts[f"configuration/mappings/{name}.csv"] = frame.write_csv()
    settings = house.settings.model_dump(mode="json", exclude={"folder"})
    texts["configuration/settings.json"] = canonical(settings)
    return texts


def sign_offs(events: list[dict[str, Any]], revision: int) -> list[dict[str, str]]:
    """What happened to one revision, in order, for cover and manifest."""
    return [
        {
            "event": one["kind_code"],
            "author": one["author"],
            "at": _instant(one["at"]),
            "reason": one["reason"],
            "content_sha256": one["content_sha256"],
        }
        for one in events
        if one["revision"] == revision
    ]


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="seconds")


@dataclass(frozen=True)
class Opened:
    """A pack that is as it was sealed and that this version can print again."""

    report: CloseReport
    inputs: dict[str, pl.DataFrame]
    texts: dict[str, str]
    content: dict[str, Any]
    content_sha256: str


def opened(path: Path) -> Opened:
    """Open a sealed pack to print it again. Raises `WarehouseError` if it is gone, not what was sealed, or of a form this version does not print."""
    if not path.exists():
        raise WarehouseError(f"The pack {path} is gone; restore it from its copy, or close the period again.")
    pack = Pack(path)
    faults = pack.faults()
    if faults:
        raise WarehouseError(
            f"The pack {path} is not what was sealed ({faults[0]}); it was left as it is and nothing was signed. Restore it, or close the period again."
        )
    report, inputs, sealed = pack.report(), pack.frames("inputs"), pack.json(MANIFEST)
    texts = {
        name: pack.read(name).decode("utf-8") for name in pack.names if name.startswith("configuration/")
    }
    digest = str(sealed["content_sha256"])
    whole = all(name in report.tables for name in CONTENT)
    content = content_of(report.facts, report.tables, inputs, texts[POLICY]) if whole else {}
    if text_hash(canonical(content)) != digest:
        raise WarehouseError(
            f"The pack {path} was sealed by {sealed['tool']} in a form this version does not print; it was left as it is. Close the period again with this version, then sign."
        )
    return Opened(report, inputs, texts, content, digest)


def resealed(path: Path, events: list[dict[str, Any]], revision: int) -> dict[str, Any] | None:
    """Print the pack again with the events as they are now, from its own tables; None if they already stand in it. Raises as `opened`."""
    found = opened(path)
    facts = found.report.facts
    now = sign_offs(events, revision)
    state = standing(events)
    stands = state.state if state.revision == revision else "replaced"
    if facts["sign_offs"] == now and facts["standing"] == stands:
        return None
    fresh = CloseReport({**facts, "sign_offs": now, "standing": stands}, found.report.tables)
    return write_pack(path, fresh, inputs=found.inputs, texts=found.texts, content=found.content)


def last_register_of(frames: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
    """The register of the last close as the pack holds it; None where there was none."""
    found = frames.get(LAST_REGISTER)
    return None if found is None else found.select(list(ROLLED))
