"""What describes the company: lookup, inspect, closed books, inventory totals, formats and entities."""

from __future__ import annotations

from typing import Any

from tieout.sandbox.intacct import inventory
from tieout.sandbox.intacct.catalogue import ObjectType
from tieout.sandbox.intacct.columns import Field
from tieout.sandbox.intacct.markup import element, parent
from tieout.sandbox.intacct.query import Reader, Viewer
from tieout.sandbox.intacct.refusals import BookError
from tieout.sandbox.intacct.values import plain


def text_of_child(call: Any, name: str) -> str:
    """The stripped text of a child element; nothing when it, or the parent, is missing."""
    return (call.findtext(name) or "").strip() if call is not None else ""


class Describing:
    """The functions that read set-up instead of records."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.books, self.company = reader, reader.books, reader.company

    def lookup(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Fields and relationships of an object."""
        kind = self.reader.object_type(text_of_child(call, "object"), viewer)
        fields = parent("Fields", (self._looked_up(kind, one) for one in kind.fields.values()))
        related = parent(
            "Relationships",
            (
                parent(
                    "Relationship",
                    (
                        element("OBJECTPATH", name),
                        element("OBJECTNAME", target),
                        element("LABEL", name.title()),
                        element("RELATIONSHIPTYPE", "MANY2ONE"),
                        element("RELATEDBY", f"{name}ID"),
                    ),
                )
                for name, (target, _) in kind.relations.items()
            ),
        )
        inside = parent("Type", (fields, related), Name=kind.name, DocumentType="")
        return parent("data", (inside,), listtype="All", count="1")

    def _looked_up(self, kind: ObjectType, one: Field) -> str:
        values = parent("VALIDVALUES", (element("VALIDVALUE", label) for label in one.codes or ()))
        read_only = one.kind == "AUDITSTAMP" or one.name in (
            "RECORDNO",
            "WHENMODIFIED",
            "CREATEDBY",
            "MODIFIEDBY",
        )
        return parent(
            "Field",
            (
                element("ID", one.name),
                element("LABEL", one.name.replace("_", " ").title()),
                element("DESCRIPTION"),
                element("REQUIRED", "true" if one.required else "false"),
                element("READONLY", "true" if read_only else "false"),
                element("DATATYPE", "TIMESTAMP" if one.kind == "AUDITSTAMP" else one.kind),
                values if one.codes else "",
                element("ISCUSTOM", "true" if one.custom else "false"),
            ),
        )

    def inspect(self, call: Any, viewer: Viewer, owner: str) -> str:
        """All object names for `*`, else the fields of one object; detail="1" adds lengths and flags."""
        name = text_of_child(call, "object")
        if name == "*":
            inside = [element("type", one) for one in sorted(self.reader.objects)]
            return parent("data", inside, listtype="All", count=str(len(inside)))
        kind = self.reader.object_type(name, viewer)
        detailed = call.get("detail") == "1"
        fields = [
            self._described(kind, one) if detailed else element("Field", one.name)
            for one in kind.fields.values()
        ]
        inside = [parent("Type", (parent("Fields", fields),), Name=kind.name)]
        return parent("data", inside, listtype="All", count="1")

    def _described(self, kind: ObjectType, one: Field) -> str:
        longest = self.company.lengths.get(f"{kind.name}.{one.name}")
        external = {"CURRENCY": "decimal", "DECIMAL": "decimal", "INTEGER": "integer", "DATE": "date"}
        return parent(
            "Field",
            (
                element("Name", one.name),
                element("dataName", one.kind),
                element("externalDataName", external.get(one.kind, "string")),
                element("isRequired", "true" if one.required else "false"),
                element("isReadOnly", "true" if one.name == "RECORDNO" else "false"),
                element("maxLength", str(longest) if longest else ""),
                element("DisplayLabel", one.name.replace("_", " ").title()),
            ),
        )

    # ---- legacy and small ones -------------------------------------------------------------------------------

    def closed_books(self, call: Any, viewer: Viewer, owner: str) -> str:
        """The last closed day of the session's entity; the shape of this answer is not published."""
        closed = self.books.closed_through(viewer.entity)
        parts = []
        if closed is not None:
            parts = [
                element("year", f"{closed.year:04d}"),
                element("month", f"{closed.month:02d}"),
                element("day", f"{closed.day:02d}"),
            ]
        return parent("data", (parent("closedbooksdate", parts),), listtype="closedbooksdate")

    def item_totals(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Inventory totals summed by warehouse, item and total name."""
        if "read" not in viewer.permissions:
            raise BookError("PL04000005", "You do not have permission to view inventory totals.")
        found = inventory.levels(
            self.books, text_of_child(call, "itemid"), text_of_child(call, "warehouseid")
        )
        rows = [
            parent(
                "icitemtotal",
                (
                    element("warehouseid", warehouse),
                    element("itemid", item),
                    element("totalname", total),
                    element("quantity", plain(amount)),
                ),
            )
            for (warehouse, item, total), amount in sorted(found.items())
        ]
        return parent(
            "data", rows, listtype="icitemtotal", total=str(len(rows)), start="0", end=str(len(rows))
        )

    def user_formatting(self, call: Any, viewer: Viewer, owner: str) -> str:
        """How dates, clock and zone of this user read."""
        parts = (
            element("locale", "en_US.UTF-8"),
            element("dateformat", "/mdY"),
            element("gmtoffset", f"{self.company.knobs.user_gmt_offset_hours:g}"),
            element("clock", "24"),
        )
        return parent("data", (parent("userformatting", parts),), listtype="userformatting")

    def entity_details(self, call: Any, viewer: Viewer, owner: str) -> str:
        """Id, name and base currency of the entities this session can see."""
        rows = [
            parent(
                "entity",
                (element("id", one.id), element("name", one.name), element("currency", one.currency)),
            )
            for one in self.company.entities.values()
            if viewer.entity in ("", one.id)
        ]
        return parent("data", rows, listtype="entity", count=str(len(rows)))
