"""The column map: a TOML file that says how somebody's export is to be read.

    [orders]
    date_format = "%d.%m.%Y"
    decimal = ","
    thousands = "."
    time_zone = "Europe/Berlin"
    ignore = ["Notes"]                 # or ["*"]: whatever is not known
    [orders.columns]
    order_number = "Order No."
    total = ["Net", "VAT"]             # several columns that add up
    [orders.constants]
    currency = "EUR"
    [orders.status]
    paid = "complete"

`[defaults]` holds what is the same for every kind of file. All problems of a map are reported at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tieout.connectors.storefronts.files_layout import LAYOUTS
from tieout.errors import InputError

Sign = Literal["as_is", "refunds_negative", "refunds_positive", "reversed"]
Rows = Literal["document", "line"]


class SubjectMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the files of one subject are to be read.

    columns      canonical column → heading, or several headings whose amounts add up
    constants    canonical column → value for every row, for what the file does not say
    ignore       headings not to read; `*` for all that are not known
    date_format  as in strptime; None means ISO 8601
    decimal      the decimal mark, `.` or `,`; None means detected, `.` when nothing tells
    thousands    the mark between thousands: `.`, `,`, a space or an apostrophe
    sign         `refunds_negative` or `refunds_positive` (how refunds are written), `reversed` (every
                 amount), `as_is`
    time_zone    zone of instants written without an offset; None means the store's
    rows         `line` when a document has several rows
    sheet        Excel sheet by name
    header_row   row of the headings, counted from 1
    encoding, delimiter   to overrule what is found out
    status       their word → ours
    basis        orders: a sale counts when it was `placed`, `captured` or `shipped`
    """

    columns: dict[str, str | list[str]] = {}
    constants: dict[str, str] = {}
    ignore: list[str] = []
    date_format: str | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", " ", "'", "’", "\u00a0", "\u202f"] | None = None
    sign: Sign = "as_is"
    time_zone: str | None = None
    rows: Literal["document", "order", "line"] = "document"
    sheet: str | None = None
    header_row: int = 1
    encoding: str | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    status: dict[str, str] = {}
    basis: Literal["placed", "captured", "shipped"] | None = None

    @property
    def per_line(self) -> bool:
        """Whether a document may have several rows."""
        return self.rows == "line"


class ColumnMap(msgspec.Struct, frozen=True):
    """The maps of all subjects; a subject without an entry is read by the default layout."""

    subjects: dict[str, SubjectMap] = {}

    def of(self, subject: str) -> SubjectMap:
        """The map of one subject."""
        return self.subjects.get(subject) or SubjectMap()

    @classmethod
    def load(cls, path: Path | str) -> ColumnMap:
        """Read and validate a TOML file. Raises InputError naming every problem."""
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise InputError(
                f"The column map {path} cannot be read ({error.strerror or 'no access'}); check the path."
            ) from None
        except UnicodeDecodeError:
            raise InputError(f"The column map {path} is not in UTF-8; save it as UTF-8.") from None
        return cls.parse(text, name=str(path))

    @classmethod
    def parse(cls, text: str, *, name: str = "column map") -> ColumnMap:
        """Validate the text of a map. Raises InputError naming every problem at once."""
        try:
            content = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InputError(f"{name} is not valid TOML ({error}); correct it there.") from None
        problems: list[str] = []
        defaults = content.pop("defaults", {})
        if not isinstance(defaults, dict):
            problems.append("defaults must be a table")
            defaults = {}
        subjects: dict[str, SubjectMap] = {}
        for subject, table in content.items():
            if subject not in LAYOUTS:
                problems.append(f"[{subject}] is not a kind of file; choose from {', '.join(LAYOUTS)}")
            elif not isinstance(table, dict):
                problems.append(f"{subject} must be a table, written [{subject}]")
            else:
                parsed = _subject(subject, {**defaults, **table}, problems)
                if parsed is not None:
                    subjects[subject] = parsed
        for subject in LAYOUTS.keys() - content.keys() if defaults else ():
            parsed = _subject(subject, defaults, [] if content else problems)
            if parsed is not None:
                subjects[subject] = parsed
        if problems:
            listed = "; ".join(dict.fromkeys(problems))
            raise InputError(
                f"{name} has {_count(len(dict.fromkeys(problems)))}: {listed}.", problems=problems
            )
        return cls(subjects)


def _count(number: int) -> str:
    return "1 problem" if number == 1 else f"{number} problems"


def _subject(subject: str, table: Mapping[str, Any], problems: list[str]) -> SubjectMap | None:
    """One table, each setting judged alone so that all problems come to light together."""
    good: dict[str, Any] = {}
    for key, value in table.items():
        if key not in SubjectMap.__struct_fields__:
            problems.append(
                f"[{subject}] has an unknown setting {key}; known are {', '.join(SubjectMap.__struct_fields__)}"
            )
            continue
        try:
            msgspec.convert({key: value}, SubjectMap)
            good[key] = value
        except msgspec.ValidationError as error:
            problems.append(f"[{subject}] {key}: {_plain(error)}")
    parsed = msgspec.convert(good, SubjectMap)
    problems += [f"[{subject}] {problem}" for problem in _sense(subject, parsed)]
    return parsed


def _plain(error: msgspec.ValidationError) -> str:
    return str(error).split(" - at")[0].replace("`", "").replace("Expected", "expected")


def _sense(subject: str, parsed: SubjectMap) -> list[str]:
    """What types alone do not tell."""
    layout = LAYOUTS[subject]
    known = layout.columns + layout.line
    found: list[str] = []
    for section in ("columns", "constants"):
        for name in getattr(parsed, section):
            if name not in known:
                found.append(f"{section}.{name} is not a column of {subject}; known are {', '.join(known)}")
    for name in layout.line:
        if name in parsed.columns and not parsed.per_line:
            found.append(f'columns.{name} needs rows = "line"')
    for name in parsed.columns.keys() & parsed.constants.keys():
        found.append(f"{name} is both a column and a constant")
    for name, wanted in parsed.columns.items():
        several = [wanted] if isinstance(wanted, str) else wanted
        if not several or any(not heading.strip() for heading in several):
            found.append(f"columns.{name} is empty")
        if len(several) > 1 and name not in layout.amounts:
            found.append(f"columns.{name} lists several headings, but only amounts can be added up")
    if parsed.decimal is not None and parsed.decimal == parsed.thousands:
        found.append("decimal and thousands are the same mark")
    if parsed.basis is not None and subject != "orders":
        found.append("basis belongs under [orders]")
    if parsed.header_row < 1:
        found.append("header_row counts from 1")
    if parsed.time_zone is not None:
        found += _zone(parsed.time_zone)
    if parsed.date_format is not None:
        found += _format(parsed.date_format)
    if parsed.encoding is not None:
        found += _encoding(parsed.encoding)
    return found


def _zone(name: str) -> list[str]:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [f"time_zone {name!r} is not known; write it like Europe/Berlin"]
    return []


def _format(text: str) -> list[str]:
    """A format must tell day, month and year apart: a date that differs in all three has to survive the round
    trip.
    """
    day = datetime(2031, 12, 28)  # noqa: DTZ001  only the date is looked at
    try:
        back = datetime.strptime(day.strftime(text), text)  # noqa: DTZ007
    except ValueError:
        back = None
    if back is None or (back.year, back.month, back.day) != (day.year, day.month, day.day):
        return [f"date_format {text!r} does not tell day, month and year; write it like %d.%m.%Y"]
    return []


def _encoding(name: str) -> list[str]:
    try:
        b"a".decode(name)
    except (LookupError, UnicodeDecodeError):
        return [f"encoding {name!r} is not known; write it like utf-8 or cp1252"]
    return []
