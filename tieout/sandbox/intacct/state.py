"""A state file: every committed write as one line of JSON, told again after a restart.

Lines are appended and flushed when an operation is complete, so a killed process loses at most what it never answered for; a
last line that was cut off is dropped. Sessions are not kept: clients sign in again.
"""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tieout.sandbox.intacct.books import Books


class StateError(ValueError):
    """The state file does not fit this company or this program."""


class StateFile:
    """Appends events to a file, and reads them back into empty books."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.events = self._read()
        self._file = path.open("a", encoding="utf-8")

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) != len(raw):
            with self.path.open("r+b") as cut:
                cut.truncate(len(whole))
        events = []
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                events.append(json.loads(line))
            except ValueError as bad:
                raise StateError(
                    f"Line {number} of the state file {self.path.name} is not JSON; remove the file to start afresh."
                ) from bad
        return events

    def append(self, events: list[dict[str, Any]]) -> None:
        """Write events that are final, and make them survive a kill of the process."""
        if events:
            self._file.write("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def tell(books: Books, event: dict[str, Any]) -> None:
    """Do again what an event says. Raises StateError when the books refuse it."""
    books.numbers.clear()
    books.numbers.update(event["numbers"])
    who = {
        "at": datetime.fromisoformat(event["at"]),
        "user": event["user"],
        "source": event["source"],
        "force": True,
    }
    name, entity, operation = event["object"], event["entity"] or None, event["op"]
    fields, key = event.get("fields", {}), event.get("key", "")
    try:
        if operation == "create":
            books.create(name, fields, entity, **who)
        elif operation == "update":
            books.update(name, key, fields, entity, **who)
        elif operation == "delete":
            books.delete(name, key, entity, **who)
        elif operation == "reverse":
            books.reverse(name, key, fields, entity, **who)
        elif operation == "apply":
            books.apply(key, fields, entity, **who)
        elif operation == "stock":
            books.set_stock(name, key, fields["ONHAND"], fields["ONORDER"], fields["ALLOCATED"])
        elif operation == "close":
            books.close_period(date.fromisoformat(key), fields["entity"] or None)
        else:
            raise StateError(
                f"The state file has an unknown event '{operation}'; use the program that wrote it."
            )
    except StateError:
        raise
    except Exception as refusal:
        raise StateError(
            f"The state file does not fit this company: {operation} {name} was refused ({refusal}); remove the file."
        ) from refusal
