"""ops.intacct_fields: what the company itself says of its objects."""

from __future__ import annotations

from checks.contracts.table import FLAG, INSTANT, TEXT, WHOLE, Column, Table

INTACCT_FIELDS = Table(
    "ops.intacct_fields",
    ("object_name", "field_name"),
    "Fields of the Intacct objects we read and write, as the company described them; asked again after 30 days.",
    (
        Column("object_name", TEXT, "Object, for example ARINVOICE."),
        Column("field_name", TEXT, "Field; a dotted name belongs to a related object."),
        Column("is_listed", FLAG, "Whether `lookup` lists it."),
        Column("is_queryable", FLAG, "False once a query was refused because of it; it is left out since."),
        Column(
            "max_length",
            WHOLE,
            "Longest text by `inspect`; null where it was not told, then the nominal length holds.",
            null=True,
        ),
        Column("asked_at", INSTANT, "When the company was asked."),
        Column("run_id", TEXT, "The run that asked."),
    ),
)

TABLES = (INTACCT_FIELDS,)
