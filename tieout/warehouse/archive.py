"""Every request to Intacct with its reply, kept compressed under the hash of its own bytes, and never with a secret in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.faults import explained
from tieout.warehouse.landing import flush_folder
from tieout.warehouse.session import Session

_SHORTEST_SECRET: Final = 4
_EXCHANGE_COLUMNS: Final = {
    "exchange_id": pl.String(),
    "batch_id": pl.String(),
    "entity_code": pl.String(),
    "purpose": pl.String(),
    "path": pl.String(),
    "sha256": pl.String(),
    "status": pl.String(),
    "transactions_no": pl.Int64(),
    "elapsed_ms": pl.Int64(),
    "at": pl.Datetime("us", "UTC"),
    "run_id": pl.String(),
}


@dataclass(frozen=True)
class StoredExchange:
    """One exchange as read back: when, for which entity and purpose, and both texts as they were given."""

    at: datetime
    entity_code: str
    purpose: str
    batch_id: str | None
    request: bytes
    reply: bytes


class Archive:
    """A folder of exchanges, one file each.

    secrets  texts that must never rest here (passwords, session ids); anything shorter than four characters is too common to look for
    """

    def __init__(self, folder: Path, *, secrets: Iterable[str] = ()) -> None:
        self._folder = folder
        self._canaries = tuple(
            sorted({form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)})
        )

    def store(
        self,
        *,
        at: datetime,
        entity_code: str,
        purpose: str,
        request: bytes,
        reply: bytes,
        status: str,
        run_id: str,
        batch_id: str | None = None,
        transactions: int = 0,
        elapsed_ms: int = 0,
    ) -> dict[str, Any]:
        """Write one exchange to disk and return its row for `ops.exchanges`; the same exchange stored twice is one file and one id.

        Raises `WarehouseError`, writing nothing, if either text still holds a secret, or when the disk is full.
        """
        for what, text in (("request", request), ("reply", reply)):
            if any(canary in text for canary in self._canaries):
                raise WarehouseError(
                    f"The {what} of a {purpose} exchange still holds a secret, so it was not kept; correct the redaction before sending more.",
                    purpose=purpose,
                    batch_id=batch_id,
                )
        if at.tzinfo is None:
            raise WarehouseError("An exchange needs the time in UTC, not a time without a zone.")
        body = json.dumps(
            {
                "at": at.astimezone(UTC).isoformat(),
                "entity_code": entity_code,
                "purpose": purpose,
                "batch_id": batch_id,
                # latin-1 maps every byte to one character and back, so that texts in any charset survive
                "request": request.decode("latin-1"),
                "reply": reply.decode("latin-1"),
            },
            sort_keys=True,
        ).encode("ascii")
        content = gzip.compress(
            body, compresslevel=3, mtime=0
        )  # a third of the time of 6, a tenth more bytes
        digest = hashlib.sha256(content).hexdigest()
        relative = Path(f"{at.astimezone(UTC):%Y/%m/%d}") / f"{digest}.json.gz"
        with explained(self._folder):
            _write_once(self._folder / relative, content)
        return {
            "exchange_id": f"X{digest[:24]}",
            "batch_id": batch_id,
            "entity_code": entity_code,
            "purpose": purpose,
            "path": relative.as_posix(),
            "sha256": digest,
            "status": status,
            "transactions_no": transactions,
            "elapsed_ms": elapsed_ms,
            "at": at.astimezone(UTC),
            "run_id": run_id,
        }

    def load(self, path: str) -> StoredExchange:
        """Read an exchange back by the `path` of its row. Raises `WarehouseError` if the file is gone or its bytes have changed."""
        file = self._folder / path
        try:
            content = file.read_bytes()
        except OSError as fault:
            raise WarehouseError(
                f"The exchange {path} is not in the archive any more; restore it from a backup."
            ) from fault
        if hashlib.sha256(content).hexdigest() != file.name.partition(".")[0]:
            raise WarehouseError(
                f"The exchange {path} has been changed since it was stored; restore it from a backup."
            )
        fields = json.loads(gzip.decompress(content))
        return StoredExchange(
            at=datetime.fromisoformat(fields["at"]),
            entity_code=fields["entity_code"],
            purpose=fields["purpose"],
            batch_id=fields["batch_id"],
            request=fields["request"].encode("latin-1"),
            reply=fields["reply"].encode("latin-1"),
        )


def record_exchanges(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Enter stored exchanges into `ops.exchanges`, and return how many are new; entering one twice changes nothing."""
    frame = pl.DataFrame(list(rows), schema=_EXCHANGE_COLUMNS).unique(subset="exchange_id", keep="first")
    return session.change("exchanges_add", frame)


def _forms(secret: str) -> set[bytes]:
    """A secret as it may stand in XML, in JSON and in an address."""
    texts = {
        secret,
        escape(secret),
        escape(secret, {'"': "&quot;", "'": "&apos;"}),
        json.dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
    }
    return {text.encode("utf-8") for text in texts}


def _write_once(path: Path, content: bytes) -> None:
    if path.exists() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with work.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)
    flush_folder(path.parent)
