"""From a statement to its pack, and from a pack back to what it was made from."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from tieout.errors import InputError, WarehouseError
from tieout.reports.closing import CloseReport, canonical
from tieout.reports.pack import POLICY, Pack, write_pack
from transforms.closing.items import ROLLED
from transforms.closing.lifecycle import standing
from transforms.reconcile import Inputs, Policy
from transforms.reconcile.intake import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from flows.wiring import House

LAST_REGISTER = "last_register"
BASES = "document_bases"


def input_frames(inputs: Inputs) -> dict[str, pl.DataFrame]:
    """What the reconciliation reads of each input, in an order of its own; an input that was not given is left out."""
    found = {}
    for field in fields(Inputs):
        if field.name in COLUMNS and getattr(inputs, field.name) is not None:
            frame = inputs.take(field.name)
            found[field.name] = frame.sort(frame.columns, nulls_last=True) if frame.height else frame
    return found


def inputs_of(frames: dict[str, pl.DataFrame]) -> Inputs:
    """The inputs of a pack. Raises `InputError` if one that must be there is not, or one is unknown."""
    names = {field.name for field in fields(Inputs)}
    unknown = sorted(set(frames) - names - {LAST_REGISTER, BASES})
    if unknown:
        raise InputError(
            f"The pack holds inputs this version does not know: {', '.join(unknown)}; verify it with the version that made it."
        )
    try:
        return Inputs(**{name: frame for name, frame in frames.items() if name in names})
    except TypeError:
        raise InputError("The pack lacks the inputs orders and owed; it is not whole.") from None


def policy_text(policy: Policy) -> str:
    """The policies of a reconciliation as canonical JSON; amounts and percentages are exact."""
    return canonical(json.loads(msgspec.json.encode(policy)))


def policy_of(text: bytes) -> Policy:
    """The policies of a pack. Raises `InputError`."""
    try:
        return msgspec.json.decode(text, type=Policy)
    except msgspec.MsgspecError as fault:
        raise InputError(
            f"The policies of the pack cannot be read ({fault}); verify it with the version that made it."
        ) from None


def configuration_texts(house: House, policy: Policy) -> dict[str, str]:
    """The configuration a close was made under: policies, mappings, settings. Secrets are only named there, and names are all that is kept."""
    texts = {POLICY: policy_text(policy)}
    for name, frame in sorted(house.mappings.items()):
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


def resealed(house: House, path: Path, events: list[dict[str, Any]], revision: int) -> dict[str, Any] | None:
    """Print the pack again with the events as they are now, from its own tables; None if they already stand in it.

    Raises `WarehouseError` if the pack is not what was sealed, or would no longer carry the content that was signed.
    """
    if not path.exists():
        raise WarehouseError(
            f"The pack {path} is gone; restore it from its copy, or reopen and close the period again."
        )
    pack = Pack(path)
    faults = pack.faults()
    if faults:
        raise WarehouseError(
            f"The pack {path} is not what was sealed: {faults[0]}. Nothing was signed into it; restore it, or reopen and close the period again."
        )
    report = pack.report()
    now = sign_offs(events, revision)
    state = standing(events)
    stands = state.state if state.revision == revision else "replaced"
    if report.facts["sign_offs"] == now and report.facts["standing"] == stands:
        return None
    inputs = pack.frames("inputs")
    texts = {
        name: pack.read(name).decode("utf-8") for name in pack.names if name.startswith("configuration/")
    }
    fresh = CloseReport({**report.facts, "sign_offs": now, "standing": stands}, report.tables)
    before = pack.json("manifest.json")["content_sha256"]
    manifest = write_pack(path, fresh, inputs=inputs, texts=texts)
    if manifest["content_sha256"] != before:
        raise WarehouseError(
            f"The pack {path} carries other content than was signed; this is a defect, keep the folder and report it."
        )
    return manifest


def last_register_of(frames: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
    """The register of the last close as the pack holds it; None where there was none."""
    found = frames.get(LAST_REGISTER)
    return None if found is None else found.select(list(ROLLED))
