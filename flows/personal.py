"""Personal data on its way to disk: hashed or dropped as [privacy] says, before the first byte is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tieout.connectors.paging import Page, Record
from tieout.connectors.privacy import Privacy

if TYPE_CHECKING:
    from flows.wiring import House


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


def _clean(policy: Privacy, record: Record) -> Record:
    try:
        return replace(record, payload=policy.applied(record.payload))
    except msgspec.MsgspecError:
        told = record.problem or "the record is not a JSON object"
        digest = hashlib.sha256(record.payload).hexdigest()
        return replace(record, payload=json.dumps({"unreadable": digest}).encode(), problem=told)
