"""`tieout init`: lays out a configuration, mappings and sample files in an empty folder. It never overwrites anything."""

from __future__ import annotations

import shutil
from pathlib import Path

from tieout.errors import InputError

TEMPLATE = Path(__file__).with_name("starter.toml")


def starter_folder() -> Path:
    """Where the sample and the starter mappings lie: beside the code in a clone, inside the package in an installation."""
    import tieout

    packed = Path(tieout.__file__).parent / "starter"
    return packed if packed.exists() else Path(__file__).resolve().parent.parent / "data"


def lay_out(folder: Path) -> list[str]:
    """Write the files and return what to do next. Raises `InputError` if the folder holds any of them already."""
    source = starter_folder()
    targets = {
        folder / "tieout.toml": TEMPLATE,
        folder / "data" / "mappings": source / "mappings",
        folder / "data" / "sample": source / "sample",
    }
    there = [str(target) for target in targets if target.exists()]
    if there:
        raise InputError(
            f"{', '.join(there)} exist(s) already; run `tieout init` in an empty folder, nothing was changed."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, origin in targets.items():
            if origin.is_dir():
                shutil.copytree(origin, target, ignore=shutil.ignore_patterns(".gitkeep"))
            else:
                shutil.copyfile(origin, target)
    except OSError as fault:
        raise InputError(
            f"{folder} cannot be written: {fault.strerror or fault}; choose another folder."
        ) from None
    where = "" if folder == Path() else f"cd {folder} && "
    return [
        f"Wrote tieout.toml, data/mappings and data/sample to {folder.resolve()}.",
        "Next:",
        f"  1. {where}edit tieout.toml: entities, [intacct], storefronts, scope",
        "  2. export TIEOUT_INTACCT_USER_PASSWORD, TIEOUT_INTACCT_SENDER_PASSWORD, TIEOUT_SHOP_CLIENT_SECRET",
        "  3. tieout doctor",
        "  4. tieout run plan --dry-run      (after tieout run extract, stage and check)",
        "  or, with two files and nothing else:",
        "     tieout reconcile --orders data/sample/orders.csv --invoices data/sample/invoices.csv --out report",
    ]
