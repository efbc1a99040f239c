"""Starts the demo: the stand-ins and Prefect's API, each a process of its own, before anything that takes long to import is imported."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from flows.demos.world import Sandbox, known_storefronts
from flows.prefect_api import PrefectApi, quiet_prefect
from tieout.errors import InputError


def run_demo(
    *, orders: int, seed: int, folder: Path, plain: bool, storefronts: Sequence[str] = ("commercetools",)
) -> int:
    """Run the demo and return its exit code (see `flows.demo.tell`). Raises `InputError` for a storefront it has not, or a folder not its own."""
    begun = time.monotonic()
    if list(storefronts) == ["all"]:
        storefronts = known_storefronts()
    unknown = [name for name in storefronts if name not in known_storefronts()]
    if unknown:
        raise InputError(
            f"The demo has no storefront {', '.join(unknown)}; choose among {', '.join(known_storefronts())}, or all."
        )
    if "commercetools" not in storefronts:
        raise InputError("The demo's past was told by commercetools; name it among --storefronts.")
    _fresh(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = Sandbox(folder, orders=orders, seed=seed, storefronts=storefronts)
    try:
        os.environ["PREFECT_HOME"] = str((folder / "prefect").resolve())
        api = None
        if not plain:
            quiet_prefect()
            api = PrefectApi()
        from flows.demo import tell

        return tell(
            sandbox, api, orders=orders, folder=folder, storefronts=storefronts, plain=plain, begun=begun
        )
    finally:
        sandbox.stop()


def _fresh(folder: Path) -> None:
    """Each demo starts anew; only a folder that a demo made is ever removed."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "sandbox.log").exists():
            raise InputError(f"{folder} holds other files; choose an empty or new folder with --folder.")
        for entry in folder.iterdir():
            if entry.name == "prefect":
                continue  # its database needs ten seconds to be made anew, and holds nothing but the history of runs
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
