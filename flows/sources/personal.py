"""Personal data on its way to disk: hashed or dropped as [privacy] says, before the first byte is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from tieout.connectors.paging import Page, Record
from tieout.connectors.privacy import Privacy, is_email

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.storefronts.files import FileBatch


def guarded(house: House, pages: Iterable[Page]) -> Iterator[Page]:
    """The pages of a storefront with personal data as [privacy] wants it. A record that cannot be read cannot be cleaned either: of it only
    the problem is landed, with the hash of what came."""
    policy = house.privacy
    for page in pages:
        yield (
            replace(page, records=tuple(_clean(policy, record) for record in page.records))
            if policy.touches()
            else page
        )


@contextmanager
def guarded_file(house: House, batch: FileBatch) -> Iterator[tuple[Path, str]]:
    """Path and format of a plain file with personal columns as [privacy] wants them: the file itself if nothing is to be done, else a copy
    that lies outside the state folder and is removed afterwards. A dropped column stays, empty."""
    policy = house.privacy
    touched = [name for name in batch.header if policy.rule_of(name) != "keep"]
    if not touched:
        yield batch.path, batch.format
        return
    import polars as pl

    if batch.format == "csv":
        frame = pl.read_csv(batch.path, infer_schema=False, new_columns=batch.header, raise_if_empty=False)
    else:
        frame = pl.read_parquet(batch.path)
        frame = frame.rename(dict(zip(frame.columns, batch.header, strict=True)))
    for name in touched:
        texts = frame[name].cast(pl.String)
        if policy.rule_of(name) == "drop":
            cleaned = pl.Series(name, [None], dtype=pl.String).new_from_index(0, frame.height)
        else:
            # A loop over distinct values, because polars has no keyed hash.
            known = {
                one: policy.mark(one, as_email=is_email(name)) if one.strip() else one
                for one in texts.drop_nulls().unique().to_list()
            }
            cleaned = texts.replace_strict(known, default=None, return_dtype=pl.String).alias(name)
        frame = frame.with_columns(cleaned)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{batch.original.stem}.{batch.format}"
        frame.write_csv(path) if batch.format == "csv" else frame.write_parquet(path)
        yield path, batch.format


def _clean(policy: Privacy, record: Record) -> Record:
    try:
        return replace(record, payload=policy.applied(record.payload))
    except msgspec.MsgspecError:
        told = record.problem or "the record is not a JSON object"
        digest = hashlib.sha256(record.payload).hexdigest()
        return replace(record, payload=json.dumps({"unreadable": digest}).encode(), problem=told)
