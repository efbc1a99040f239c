"""Reading a company: by natural key, by ranges proved complete, and what it says of itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo

from tieout.connectors.intacct import inquiries, stock_sums
from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.described import Described
from tieout.connectors.intacct.field_lengths import INSPECTABLE
from tieout.connectors.intacct.limits import Limits
from tieout.connectors.intacct.older_reading import older_count, older_pages
from tieout.connectors.intacct.reading import (
    MAX_IN,
    MAX_PAGE,
    Both,
    Filter,
    Where,
    all_of,
    record,
    stamp,
)
from tieout.connectors.intacct.replies import Row
from tieout.connectors.intacct.vanishing import Difference, difference
from tieout.connectors.intacct.walking import count, pages, proved_pages
from tieout.connectors.paging import Page
from tieout.errors import Incomplete, InputError, Refused, Rejected, TieoutError

log = logging.getLogger("tieout.intacct")

DEFAULT_LOOK_BACK = timedelta(hours=2)
"""How far a changed-since read reaches behind its watermark: rows have been seen to become visible late."""


class CompanyReader:
    """The reading half of a client. `notes` tells what had to be left out or read another way, `described` what the company said of itself."""

    _calls: Calls
    _zone: tzinfo
    limits: Limits
    described: Described
    notes: list[str]
    _older: set[str]

    def find(
        self,
        object_name: str,
        field: str,
        values: Sequence[str],
        *,
        fields: Sequence[str],
        entity: str | None = None,
    ) -> dict[str, list[Row]]:
        """Rows by natural key: for each value the rows whose `field` equals it, an empty list for none. Up to 1,000 values a query.

        Raises Incomplete when a page cannot be trusted: then nothing may be concluded from a missing row.
        """
        wanted = list(dict.fromkeys(values))
        found: dict[str, list[Row]] = {value: [] for value in wanted}
        folded = {value.strip().casefold(): value for value in reversed(wanted)}
        selected = list(dict.fromkeys(("RECORDNO", field.upper(), *fields)))
        for start in range(0, len(wanted), MAX_IN):
            part = tuple(wanted[start : start + MAX_IN])
            condition = Where("in", field, part) if len(part) > 1 else Where("equalto", field, part)
            for rows in pages(
                self._calls,
                object_name,
                fields=selected,
                condition=condition,
                page_size=MAX_PAGE,
                entity=entity,
            ):
                for row in rows:  # rows are dicts from one reply, at most 2,000: nothing columnar to use
                    value = str(row.get(field.upper(), ""))
                    home = found.get(value)
                    if home is None:
                        # A company whose ids ignore case answers with its own spelling; that row is the record asked for.
                        home = found.get(folded.get(value.strip().casefold(), ""))
                    if home is None:
                        raise Incomplete(
                            f"Intacct answered a search of {object_name} by {field} with a row nobody asked for ('{value[:40]}'); "
                            "nothing may be concluded from it, try again later."
                        )
                    home.append(row)
        return found

    def read_range(
        self,
        object_name: str,
        *,
        fields: Sequence[str],
        entity: str | None = None,
        changed_since: datetime | None = None,
        page_size: int = MAX_PAGE,
        look_back: timedelta = DEFAULT_LOOK_BACK,
        condition: Filter | None = None,
    ) -> Iterator[Page]:
        """Pages of records in RECORDNO order, proved complete by Intacct's own count at the end.

        `changed_since` keeps rows changed at or after it less `look_back`, and rows whose WHENMODIFIED is empty. Fields the company does
        not have are left out and noted in `notes`. After a failed proof all pages come once more; then Incomplete is raised.
        """
        known = self._known(object_name, fields)
        changed = self._changed(object_name, known, changed_since, look_back)
        selected = list(dict.fromkeys(("RECORDNO", *known)))
        if changed is not None and "WHENMODIFIED" not in selected:
            selected.append("WHENMODIFIED")
        where = all_of(changed, condition)
        page_no = 0
        while object_name not in self._older:
            walk = proved_pages(
                self._calls,
                object_name,
                fields=selected,
                condition=where,
                page_size=page_size,
                entity=entity,
            )
            try:
                for page_no, rows in enumerate(walk, 1):
                    yield self._page(rows, page_no)
                return
            except (Refused, Rejected) as error:
                # One field that is listed and cannot be queried fails the whole query; the answer names it.
                said = set(re.findall(r"[A-Z][A-Z0-9_.]+", str(error.context.get("said", ""))))
                named = [name for name in selected if name in said and name != "RECORDNO"]
                if page_no:
                    raise
                if not (isinstance(error, Rejected) and error.code == "XL03000006" and named):
                    self._try_older(object_name, error, entity)
                    continue
                selected = [name for name in selected if name not in named]
                self.described.bar(object_name.upper(), named)
                self._note(
                    f"{object_name} cannot be queried by {', '.join(named)} in this company; left out."
                )
        older = older_pages(self._calls, object_name, fields=selected, condition=where, entity=entity)
        for page_no, rows in enumerate(older, 1):
            yield self._page(rows, page_no)

    def count(
        self,
        object_name: str,
        *,
        changed_since: datetime | None = None,
        look_back: timedelta = timedelta(0),
        entity: str | None = None,
        condition: Filter | None = None,
    ) -> int:
        """How many rows there are, by Intacct's own count. Costs one read."""
        changed = self._changed(object_name, ("WHENMODIFIED",), changed_since, look_back)
        return self._count(object_name, all_of(changed, condition), entity)

    def vanished(
        self,
        object_name: str,
        known: Iterable[int],
        *,
        condition: Filter | None = None,
        entity: str | None = None,
    ) -> Difference:
        """Which of the known RECORDNOs are no longer there, and which are there and not known; see `vanishing` for what it costs."""

        def within(low: int | None, high: int | None) -> Filter | None:
            bounds = [("greaterthanorequalto", low), ("lessthanorequalto", high)]
            return all_of(
                condition,
                *(Where(sign, "RECORDNO", (str(at),)) for sign, at in bounds if at is not None),
            )

        def numbers(low: int | None, high: int | None) -> Iterator[int]:
            pages = self.read_range(
                object_name, fields=["RECORDNO"], condition=within(low, high), entity=entity
            )
            return (int(one.native_ref) for page in pages for one in page.records)

        return difference(
            list(known),
            count=lambda low, high: self._count(object_name, within(low, high), entity),
            numbers=numbers,
            page_size=MAX_PAGE,
        )

    def fields(self, object_name: str) -> list[str]:
        """The field names of an object in this company, asked once. Raises Refused or Rejected when the company will not say."""
        name = object_name.upper()
        if name not in self.described.names:
            self.described.add_names(name, inquiries.field_names(self._calls, name))
        return list(self.described.names[name])

    def learn_limits(self, objects: Sequence[str] = INSPECTABLE) -> Limits:
        """Take field lengths from the company's own `inspect`, asked once; objects it will not describe keep the nominal ones."""
        for name in objects:
            if name not in self.described.lengths:
                self.described.add_lengths(name, inquiries.max_lengths(self._calls, name) or {})
            lengths = self.described.lengths[name]
            if not lengths:
                self._note(f"Intacct does not describe {name}; the nominal field lengths are kept.")
            self.limits = self.limits.learned(name, lengths)
        return self.limits

    def stock_totals(
        self, *, item_id: str | None = None, warehouse_id: str | None = None, entity: str | None = None
    ) -> list[Row]:
        """Stock already summed: rows of WAREHOUSEID, ITEMID, TOTALNAME (such as ONHAND, ONORDER) and QUANTITY as text."""
        return inquiries.stock_totals(self._calls, item_id, warehouse_id, entity)

    def stock_from_movements(self, *, entity: str | None = None, page_size: int = MAX_PAGE) -> list[Row]:
        """The same rows, summed from the movements of stock (INVENTORYTOTALDETAIL) and proved by their count."""
        return stock_sums.stock_from_movements(self._calls, entity, page_size)

    def closed_through(self, entity: str | None = None) -> date | None:
        """The last day of the last closed period, or None if Intacct names none."""
        return inquiries.closed_through(self._calls, entity)

    def deletions(
        self,
        object_name: str,
        *,
        since: datetime,
        look_back: timedelta = DEFAULT_LOOK_BACK,
        entity: str | None = None,
    ) -> Iterator[inquiries.Deletion]:
        """What was deleted since an instant less `look_back`. Raises Refused when the user lacks the audit right."""
        return inquiries.deletions(self._calls, object_name, since - look_back, self._zone, entity)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
            log.warning("%s", sentence)

    def _page(self, rows: list[Row], page_no: int) -> Page:
        return Page(tuple(record(row, self._zone) for row in rows), page_no, self._calls.last_bytes)

    def _count(self, object_name: str, where: Filter | None, entity: str | None) -> int:
        if object_name not in self._older:
            try:
                return count(self._calls, object_name, where, entity)
            except (Refused, Rejected) as error:
                self._try_older(object_name, error, entity)
        return older_count(self._calls, object_name, where, entity)

    def _try_older(self, object_name: str, error: TieoutError, entity: str | None) -> None:
        """From now on this object is read by readByQuery, if that works; else `query`'s own refusal is raised."""
        try:
            older_count(self._calls, object_name, None, entity)
        except (Refused, Rejected):
            raise error from None
        self._older.add(object_name)
        self._note(f"Intacct refuses query on {object_name}; it is read by readByQuery.")

    def _known(self, object_name: str, fields: Sequence[str]) -> list[str]:
        try:
            there = set(self.fields(object_name))
        except (Refused, Rejected):
            self._note(
                f"Intacct does not list the fields of {object_name}; they are asked for as configured."
            )
            return list(fields)
        if not there:
            return list(fields)
        barred = self.described.barred.get(object_name.upper(), set())
        # A dotted name belongs to a related object, whose fields this lookup does not list.
        kept = [name for name in fields if (name in there or "." in name) and name not in barred]
        for name in fields:
            if name in barred:
                self._note(f"{object_name} cannot be queried by {name} in this company; left out.")
            elif name not in kept:
                self._note(f"{object_name} has no field {name} in this company; it is left out.")
        if not kept:
            raise InputError(
                f"None of the fields asked of {object_name} exists in this company; check the configuration."
            )
        return kept

    def _changed(
        self, object_name: str, known: Sequence[str], since: datetime | None, look_back: timedelta
    ) -> Filter | None:
        if since is None:
            return None
        listed = self.described.names.get(object_name.upper(), ())
        if "WHENMODIFIED" not in known and "WHENMODIFIED" not in listed:
            self._note(f"{object_name} does not say when it changed; all of it is read.")
            return None
        recent = Where("greaterthanorequalto", "WHENMODIFIED", (stamp(since - look_back, self._zone),))
        return Both((recent, Where("isnull", "WHENMODIFIED")), any_of=True)
