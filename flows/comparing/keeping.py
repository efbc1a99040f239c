"""What the last reconciliation of all trade left for the next, beside the warehouse: so a night compares only what changed.

The folder holds one layer of the last comparison of everything and one of every night since; a layer names the homes whose rows it
replaces. Nothing here is needed: where the folder is missing, of another version, of other policies or decisions, or not of the very
reconciliation that the warehouse holds, everything is compared anew and the folder is written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from tieout import __version__
from transforms.reconcile.across import Across, said_by_hand
from transforms.reconcile.again import INPUTS, PAPERS, Again, Changes, Kept
from transforms.reconcile.intake import Inputs, read_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.tally import Tally

FORM: Final = 1
LAYERS: Final = 30
"""Nights after which everything is compared anew: each layer is read, and the rows it replaces lie below it still."""
_MANIFEST: Final = "manifest.json"
_HASH: Final = "row_hash"


@dataclass(frozen=True)
class Keeping:
    """The folder of one warehouse."""

    folder: Path

    def standing(self, run_id: str | None, mark: str, decisions: pl.DataFrame | None) -> Kept | None:
        """What the reconciliation of that run left under that mark; None if there is nothing that fits, or too many layers of it."""
        found = self._manifest()
        if found is None or run_id is None or found["run_id"] != run_id or found["mark"] != mark:
            return None
        if len(found["layers"]) > LAYERS:
            return None
        state = self.folder / found["state"]
        layers = [self.folder / name for name in found["layers"]]
        rows = {name: _alive(layers, f"rows-{name}") for name in found["inputs"] if name != "customer_ids"}
        if "customer_ids" in found["inputs"]:
            rows["customer_ids"] = pl.scan_parquet(state / "rows-customer_ids.parquet")
        return Kept(
            rows=rows,
            papers={name: _alive(layers, f"papers-{name}") for name in PAPERS},
            labels=pl.read_parquet(state / "labels.parquet"),
            tally=Tally(
                **{name: pl.read_parquet(state / f"tally-{name}.parquet") for name in found["tally"]}
            ),
            view=Across(found["refused"], pl.read_parquet(state / "offers.parquet"), said_by_hand(decisions)),
            prefixes=tuple(found["prefixes"]),
        )

    def lay_all(self, kept: Kept, run_id: str, mark: str) -> Path:
        """Write what a comparison of everything leaves. It counts only once `settle` was called with what this returns."""
        return self._lay([], kept.rows, kept.papers, None, kept, run_id, mark)

    def lay_more(
        self, again: Again, kept: Kept, customers: pl.LazyFrame | None, run_id: str, mark: str
    ) -> Path:
        """Write what a comparison of changes leaves, as one more layer. `customers`: all of them as they are now."""
        found = self._manifest()
        rows = {name: frame.lazy() for name, frame in again.rows.items() if name != "customer_ids"}
        if customers is not None:
            rows["customer_ids"] = customers
        papers = {name: frame.lazy() for name, frame in again.papers.items()}
        labels = pl.concat([kept.labels.filter(~pl.col("label").is_in(again.homes.implode())), again.labels])
        now = Kept(rows, papers, labels, again.tally, again.view, kept.prefixes)
        return self._lay(found["layers"] if found else [], rows, papers, again.homes, now, run_id, mark)

    def settle(self, manifest: Path) -> None:
        """Let what was laid down count, and delete what nothing refers to any more."""
        os.replace(manifest, self.folder / _MANIFEST)
        found = self._manifest()
        if found is not None:
            for path in self.folder.iterdir():
                if path.is_dir() and path.name not in (*found["layers"], found["state"]):
                    shutil.rmtree(path, ignore_errors=True)

    def _manifest(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("form") == FORM else None

    def _lay(
        self,
        below: list[str],
        rows: Mapping[str, pl.LazyFrame],
        papers: Mapping[str, pl.LazyFrame],
        homes: pl.Series | None,
        kept: Kept,
        run_id: str,
        mark: str,
    ) -> Path:
        layer, state = self.folder / f"layer-{run_id}", self.folder / f"state-{run_id}"
        for folder in (layer, state):
            folder.mkdir(parents=True, exist_ok=True)
        for name, lazy in rows.items():
            where = state if name == "customer_ids" else layer
            _hashed(lazy.collect(), name).write_parquet(where / f"rows-{name}.parquet")
        for name, lazy in papers.items():
            lazy.collect().write_parquet(layer / f"papers-{name}.parquet")
        if homes is not None:
            homes.alias("home").to_frame().write_parquet(layer / "homes.parquet")
        for name, frame in kept.tally.frames.items():
            frame.write_parquet(state / f"tally-{name}.parquet")
        kept.labels.write_parquet(state / "labels.parquet")
        kept.view.offers.write_parquet(state / "offers.parquet")
        said = {
            "form": FORM,
            "run_id": run_id,
            "mark": mark,
            "layers": [*below, layer.name],
            "state": state.name,
            "inputs": sorted(rows),
            "tally": sorted(kept.tally.frames),
            "refused": {name: list(one) for name, one in kept.view.refused.items()},
            "prefixes": list(kept.prefixes),
        }
        manifest = self.folder / f"{_MANIFEST}.new"
        manifest.write_text(json.dumps(said, indent=1), encoding="utf-8")
        return manifest


def mark_of(policy: Policy, inputs: Inputs) -> str:
    """A hash of all that bears on every row alike: policies, stores, decisions, and the versions that make the hashes of rows."""
    text = hashlib.sha256(f"{__version__} {pl.__version__} {policy!r}".encode())
    for name in ("stores", "decisions"):
        frame = inputs.take(name)
        text.update(frame.sort(pl.all()).write_csv().encode())
    return text.hexdigest()


def changes_since(kept: Kept, inputs: Inputs) -> Changes:
    """Rows of the inputs that are not as they were kept. Equal rows are counted; where the count differs, all of them are named."""
    gone, come = {}, {}
    for name in INPUTS:
        frame = getattr(inputs, name)
        if frame is None and name not in kept.rows:
            continue
        now = _hashed(inputs.whole(name) if frame is not None else inputs.take(name), name)
        if name not in kept.rows:
            come[name] = now.drop(_HASH)
            continue
        was = kept.rows[name].select(_HASH).collect()
        counts = (
            was.group_by(_HASH).len().join(now.group_by(_HASH).len(), on=_HASH, how="full", coalesce=True)
        )
        other = counts.filter(pl.col("len").ne_missing(pl.col("len_right")))[_HASH]
        if len(other):
            differs = pl.col(_HASH).is_in(other.implode())
            gone[name] = read_of(kept.rows[name].filter(differs), name).collect()
            come[name] = now.filter(differs).drop(_HASH)
    return Changes(gone, come)


def _hashed(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    read = read_of(rows, name).collect()
    return rows.drop(_HASH, strict=False).with_columns(read.hash_rows(seed=5).alias(_HASH))


def _alive(layers: list[Path], name: str) -> pl.LazyFrame:
    """Rows of all layers whose homes no later layer replaces."""
    parts, replaced = [], pl.Series("home", [], pl.UInt64)
    for layer in reversed(layers):
        rows = pl.scan_parquet(layer / f"{name}.parquet")
        parts.append(rows.filter(~pl.col("home").is_in(replaced.implode())) if len(replaced) else rows)
        if (layer / "homes.parquet").exists():
            replaced = pl.concat([replaced, pl.read_parquet(layer / "homes.parquet")["home"]]).unique()
    return pl.concat(parts)
