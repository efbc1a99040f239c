"""What can be read: every object with its columns, its rows, who owns a row, its lines and its relations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tieout.sandbox.intacct.columns import (
    ACCESS_MODES,
    AUDIT,
    STATUS_CODES,
    Field,
    application_fields,
    attribute,
    batch_fields,
    columns,
    customer_fields,
    detail_fields,
    document_fields,
    entry_fields,
    extra,
    line_fields,
    order_fields,
    order_line_fields,
    price_fields,
    receipt_fields,
    total_fields,
)
from tieout.sandbox.intacct.company import Company


@dataclass(slots=True)
class ObjectType:
    """One object: where its rows are, who owns a row, how its lines nest, what it is related to."""

    name: str
    fields: dict[str, Field]
    table: str = ""
    rows: Callable[[Any], Any] | None = None
    keep: Callable[[Any], bool] | None = None
    owner: Callable[[Any], str] | None = None
    created: Callable[[Any], Any] | None = None
    id_field: str = ""
    nested: tuple[str, str, Callable[[Any], Any]] | None = None
    relations: dict[str, tuple[str, Callable[[Any], Any]]] = field(default_factory=dict)


def _place(company: Company) -> dict[str, ObjectType]:
    return {
        "LOCATION": ObjectType(
            "LOCATION",
            columns(
                ("RECORDNO", "INTEGER", attribute("recordno")),
                ("LOCATIONID", "TEXT", attribute("id")),
                ("NAME", "TEXT", attribute("name")),
                ("PARENTID", "TEXT", attribute("parent")),
                ("STATUS", "ENUM", lambda r: "active", STATUS_CODES),
            ),
            rows=lambda books: company.locations.values(),
            id_field="LOCATIONID",
        ),
        "LOCATIONENTITY": ObjectType(
            "LOCATIONENTITY",
            columns(
                ("RECORDNO", "INTEGER", attribute("recordno")),
                ("LOCATIONID", "TEXT", attribute("id")),
                ("NAME", "TEXT", attribute("name")),
                ("CURRENCY", "TEXT", attribute("currency")),
                ("STATUS", "ENUM", lambda r: "active", STATUS_CODES),
            ),
            rows=lambda books: company.entities.values(),
            id_field="LOCATIONID",
        ),
        "WAREHOUSE": ObjectType(
            "WAREHOUSE",
            columns(
                ("RECORDNO", "INTEGER", attribute("recordno")),
                ("WAREHOUSEID", "TEXT", attribute("id")),
                ("NAME", "TEXT", attribute("name")),
                ("LOCATIONID", "TEXT", attribute("parent")),
                ("STATUS", "ENUM", lambda r: "active", STATUS_CODES),
            ),
            rows=lambda books: company.warehouses.values(),
            id_field="WAREHOUSEID",
        ),
    }


def build(company: Company) -> dict[str, ObjectType]:
    """Every readable object of a company, its custom fields included."""
    customer = {"CUSTOMER": ("CUSTOMER", attribute("customer"))}
    entity, created = attribute("entity"), attribute("created_at")
    by_document = attribute("document.entity")
    items = columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("ITEMID", "TEXT", attribute("itemid"), None, True),
        ("NAME", "TEXT", attribute("name")),
        ("STATUS", "ENUM", attribute("status"), STATUS_CODES),
        ("ITEMTYPE", "ENUM", attribute("itemtype"), {"Inventory": "I", "Non-Inventory": "NI", "Kit": "K"}),
        ("UOMGRP", "TEXT", attribute("unit")),
        ("GLGROUP", "TEXT", extra("GLGROUP")),
        ("PRODUCTLINEID", "TEXT", extra("PRODUCTLINEID")),
        ("EXTENDED_DESCRIPTION", "TEXT", extra("EXTENDED_DESCRIPTION")),
        ("BASEPRICE", "TEXT", extra("BASEPRICE")),
        ("UPC", "TEXT", extra("UPC")),
        ("TAXABLE", "TEXT", extra("TAXABLE")),
        *AUDIT,
    )
    audit = columns(
        ("RECORDNO", "INTEGER", attribute("recordno")),
        ("OBJECTTYPE", "TEXT", attribute("objecttype")),
        ("OBJECTKEY", "TEXT", attribute("objectkey")),
        ("ACCESSMODE", "ENUM", attribute("accessmode"), ACCESS_MODES),
        ("ACCESSTIME", "TIMESTAMP", attribute("at")),
        ("USERID", "TEXT", attribute("user")),
        ("SOURCE", "TEXT", attribute("source")),
    )
    invoice_line = {"ARINVOICE": ("ARINVOICE", attribute("document"))}
    adjustment_line = {"ARADJUSTMENT": ("ARADJUSTMENT", attribute("document"))}
    to_receipt = {"ARPYMT": ("ARPYMT", attribute("receipt"))}
    found = [
        ObjectType(
            "CUSTOMER", customer_fields(), "CUSTOMER", owner=entity, created=created, id_field="CUSTOMERID"
        ),
        ObjectType("ITEM", items, "ITEM", owner=entity, created=created, id_field="ITEMID"),
        ObjectType(
            "ARINVOICE",
            document_fields("ri"),
            "ARINVOICE",
            owner=entity,
            created=created,
            id_field="RECORDID",
            nested=("ARINVOICEITEMS", "ARINVOICEITEM", attribute("lines")),
            relations=customer,
        ),
        ObjectType(
            "ARINVOICEITEM",
            line_fields(),
            "ARINVOICEITEM",
            owner=by_document,
            created=attribute("document.created_at"),
            relations=invoice_line,
        ),
        ObjectType(
            "ARADJUSTMENT",
            document_fields("ra"),
            "ARADJUSTMENT",
            owner=entity,
            created=created,
            id_field="RECORDID",
            nested=("ARADJUSTMENTITEMS", "ARADJUSTMENTITEM", attribute("lines")),
            relations=customer,
        ),
        ObjectType(
            "ARADJUSTMENTITEM",
            line_fields(),
            "ARADJUSTMENTITEM",
            owner=by_document,
            created=attribute("document.created_at"),
            relations=adjustment_line,
        ),
        ObjectType(
            "ARPYMT",
            receipt_fields(),
            "ARPYMT",
            owner=entity,
            created=created,
            nested=("ARPYMTDETAILS", "ARPYMTDETAIL", attribute("applications")),
            relations=customer,
        ),
        ObjectType(
            "ARPYMTDETAIL",
            application_fields(),
            "ARPYMTDETAIL",
            owner=attribute("receipt.entity"),
            created=created,
            relations=to_receipt,
        ),
        ObjectType(
            "ARADVANCE",
            receipt_fields(),
            "ARPYMT",
            keep=lambda r: r.recordtype == "rr",
            owner=entity,
            created=created,
            relations=customer,
        ),
        ObjectType(
            "GLBATCH",
            batch_fields(),
            "GLBATCH",
            owner=entity,
            created=created,
            nested=("ENTRIES", "GLENTRY", lambda r: r.entries.values()),
        ),
        ObjectType("GLENTRY", entry_fields(), "GLENTRY", owner=entity, created=attribute("modified_at")),
        ObjectType(
            "GLDETAIL",
            detail_fields(company),
            "GLENTRY",
            keep=lambda r: r.batch.state == "Posted",
            owner=entity,
            created=attribute("modified_at"),
        ),
        ObjectType(
            "SODOCUMENT",
            order_fields(returns_name_adjustment=company.knobs.returns_name_adjustment),
            "SODOCUMENT",
            owner=entity,
            created=created,
            id_field="DOCID",
            nested=("SODOCUMENTENTRIES", "SODOCUMENTENTRY", attribute("lines")),
            relations=customer,
        ),
        ObjectType("SOPRICELISTENTRY", price_fields(), "SOPRICELISTENTRY", owner=entity, created=created),
        ObjectType(
            "SODOCUMENTENTRY", order_line_fields(), "SODOCUMENTENTRY", owner=attribute("order.entity")
        ),
        ObjectType(
            "INVDOCUMENT",
            order_fields(),
            "INVDOCUMENT",
            owner=entity,
            created=created,
            id_field="DOCID",
            nested=("INVDOCUMENTENTRIES", "INVDOCUMENTENTRY", attribute("lines")),
        ),
        ObjectType(
            "INVDOCUMENTENTRY", order_line_fields(), "INVDOCUMENTENTRY", owner=attribute("order.entity")
        ),
        ObjectType("INVENTORYTOTALDETAIL", total_fields(company), "INVENTORYTOTALDETAIL", created=created),
        ObjectType("AUDITHISTORY", audit, "AUDITHISTORY"),
    ]
    objects = {one.name: one for one in found} | _place(company)
    for name, names in company.custom_fields.items():
        for custom in names:
            objects[name].fields[custom] = Field(custom, "TEXT", extra(custom), custom=True)
    return objects
