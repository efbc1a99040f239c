"""What may be written to storefronts: the table of which side owns which field."""

from __future__ import annotations

from typing import Literal

from tieout.settings.section import Section

Owner = Literal["intacct", "storefront"]
Field = Literal[
    "price", "order.document", "order.paid_state", "order.status", "order.shipment", "customer.account"
]


class Ownership(Section):
    """The table of record: which side owns a field that both sides have. Only what Intacct owns may be written to a storefront."""

    stock: Owner = "intacct"
    price: Owner = "intacct"
    order_document: Owner = "intacct"
    order_paid_state: Owner = "intacct"
    order_status: Owner = "storefront"
    order_shipment: Owner = "storefront"
    customer_account: Owner = "intacct"


Rule = Literal["keep", "hash", "drop"]


class Privacy(Section):
    """What happens to personal data before it is landed, by kind. Only what posting needs is kept unless changed here."""

    name: Rule = "keep"
    email: Rule = "keep"
    address: Rule = "keep"
    phone: Rule = "drop"
    birth: Rule = "drop"
    tax_id: Rule = "drop"
    salt: str = ""
